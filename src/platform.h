/* SPDX-License-Identifier: MIT */
/* The only home of compiler, architecture and endian #ifdefs, and of integer loads and stores. */
#ifndef FWS_PLATFORM_H
#define FWS_PLATFORM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#  define FWS_BIG_ENDIAN 1
#else
#  define FWS_BIG_ENDIAN 0
#endif

/* FWS_X86, FWS_X86_64, FWS_ARM64 and FWS_NEON are 1 or 0. FWS_NEON: NEON is part of the target, no detection; its rows
 * count on little-endian lanes. */
#if defined(__x86_64__) || defined(__i386__)
#  define FWS_X86 1
#else
#  define FWS_X86 0
#endif
#if defined(__x86_64__)
#  define FWS_X86_64 1
#else
#  define FWS_X86_64 0
#endif
#if defined(__aarch64__)
#  define FWS_ARM64 1
#else
#  define FWS_ARM64 0
#endif
#if (defined(__aarch64__) || defined(__ARM_NEON)) && !FWS_BIG_ENDIAN
#  define FWS_NEON 1
#else
#  define FWS_NEON 0
#endif
/* 1 where epoll is: the optional I/O layer has a back end on it. */
#if defined(__linux__)
#  define FWS_LINUX 1
#else
#  define FWS_LINUX 0
#endif
/* 1 where the compiler has the SHA-1 instructions of ARMv8, and how a function asks for them. The arm_neon.h of clang
 * before 16 has them only in a build that asks for them altogether, as all builds for Apple's chips do. */
#if FWS_ARM64 && FWS_NEON && (defined(__ARM_FEATURE_SHA2) || !defined(__clang__) || __clang_major__ >= 16)
#  define FWS_ARM_SHA 1
#else
#  define FWS_ARM_SHA 0
#endif
#if defined(__clang__)
#  define FWS_ARM_SHA_TARGET "sha2"
#else
#  define FWS_ARM_SHA_TARGET "+crypto"
#endif
#if defined(__ARM_FEATURE_SHA2)
#  define FWS_ARM_SHA_IN_BUILD 1
#else
#  define FWS_ARM_SHA_IN_BUILD 0
#endif

#if defined(__GNUC__) || defined(__clang__)
#  define FWS_ALWAYS_INLINE inline __attribute__((always_inline))
#  define FWS_NOINLINE __attribute__((noinline))
#  define FWS_LIKELY(x) __builtin_expect(!!(x), 1)
#  define FWS_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Lets one function use instructions that the rest of the build does not ask for. The tests compile the rows a
 * second time on top of SIMDe, where no instruction may be used that the build did not ask for. */
#  if defined(FWS_TEST_SIMDE)
#    define FWS_TARGET(isa)
#  else
#    define FWS_TARGET(isa) __attribute__((target(isa)))
#  endif
/* A name that several files of the library share and that nobody outside sees, whatever flags built it. */
#  define FWS_PRIVATE __attribute__((visibility("hidden")))
/* Entry points of kernels begin a cache line: a mask of 7 bytes takes 6 or 8 cycles on Zen 4 by where it lies. */
#  define FWS_ENTRY __attribute__((aligned(64)))
/* Keeps a word in a general register: compilers see what a loop could be with vectors, and the scalar row is for
 * those who want none. */
#  define FWS_KEEP_WORD(word) __asm__("" : "+r"(word))
#else
#  define FWS_ALWAYS_INLINE inline
#  define FWS_NOINLINE
#  define FWS_LIKELY(x) (x)
#  define FWS_UNLIKELY(x) (x)
#  define FWS_TARGET(isa)
#  define FWS_PRIVATE
#  define FWS_ENTRY
#  define FWS_KEEP_WORD(word) ((void)0)
#endif

/* Ends a step of a computation in a vector register, so that gcc does not begin several steps and run out of registers:
 * without it the AVX2 check of UTF-8 takes a third longer. */
#if (defined(__GNUC__) || defined(__clang__)) && FWS_X86 && !defined(FWS_TEST_SIMDE)
#  define FWS_KEEP_VECTOR(vector) __asm__("" : "+x"(vector))
#else
#  define FWS_KEEP_VECTOR(vector) ((void)0)
#endif

/* A pointer that threads share: whoever loads it sees what was written before it was stored. The atomic types of C are
 * none of C++, in which the benchmarks read the same headers. */
#if defined(__GNUC__) || defined(__clang__)
#  define FWS_SHARED(type) type
#  define FWS_SHARED_LOAD(ptr) __atomic_load_n(ptr, __ATOMIC_ACQUIRE)
#  define FWS_SHARED_STORE(ptr, value) __atomic_store_n(ptr, value, __ATOMIC_RELEASE)
#else
#  include <stdatomic.h>
#  define FWS_SHARED(type) _Atomic(type)
#  define FWS_SHARED_LOAD(ptr) atomic_load_explicit(ptr, memory_order_acquire)
#  define FWS_SHARED_STORE(ptr, value) atomic_store_explicit(ptr, value, memory_order_release)
#endif

/* Passes a failure up: the only macro that hides control flow. */
#define TRY(expr)                                                                                                      \
    do {                                                                                                               \
        int try_result_ = (expr);                                                                                      \
        if (FWS_UNLIKELY(try_result_ < 0)) return try_result_;                                                         \
    } while (0)

/* Integers in memory: memcpy keeps alignment and aliasing out of the question and compiles to one instruction. */
static inline uint16_t fws_load_u16(const void *src) { uint16_t v; memcpy(&v, src, sizeof v); return v; }
static inline uint32_t fws_load_u32(const void *src) { uint32_t v; memcpy(&v, src, sizeof v); return v; }
static inline uint64_t fws_load_u64(const void *src) { uint64_t v; memcpy(&v, src, sizeof v); return v; }
static inline void fws_store_u16(void *dst, uint16_t v) { memcpy(dst, &v, sizeof v); }
static inline void fws_store_u32(void *dst, uint32_t v) { memcpy(dst, &v, sizeof v); }
static inline void fws_store_u64(void *dst, uint64_t v) { memcpy(dst, &v, sizeof v); }

#if defined(__GNUC__) || defined(__clang__)
static inline uint16_t fws_swap_u16(uint16_t v) { return __builtin_bswap16(v); }
static inline uint32_t fws_swap_u32(uint32_t v) { return __builtin_bswap32(v); }
static inline uint64_t fws_swap_u64(uint64_t v) { return __builtin_bswap64(v); }
static inline int fws_ctz_u64(uint64_t v) { return __builtin_ctzll(v); } /* v != 0 */
#else
static inline uint16_t fws_swap_u16(uint16_t v) { return (uint16_t)((v >> 8) | (v << 8)); }
static inline uint32_t fws_swap_u32(uint32_t v) {
    return (uint32_t)fws_swap_u16((uint16_t)v) << 16 | fws_swap_u16((uint16_t)(v >> 16));
}
static inline uint64_t fws_swap_u64(uint64_t v) {
    return (uint64_t)fws_swap_u32((uint32_t)v) << 32 | fws_swap_u32((uint32_t)(v >> 32));
}
static inline int fws_ctz_u64(uint64_t v) { int n = 0; while (!(v & 1)) { v >>= 1; n++; } return n; }
#endif

/* Network byte order. */
#if FWS_BIG_ENDIAN
#  define FWS_BE16(v) (v)
#  define FWS_BE32(v) (v)
#  define FWS_BE64(v) (v)
#  define FWS_LE32(v) fws_swap_u32(v)
#else
#  define FWS_BE16(v) fws_swap_u16(v)
#  define FWS_BE32(v) fws_swap_u32(v)
#  define FWS_BE64(v) fws_swap_u64(v)
#  define FWS_LE32(v) (v)
#endif
static inline uint16_t fws_load_be16(const void *src) { return FWS_BE16(fws_load_u16(src)); }
static inline uint32_t fws_load_be32(const void *src) { return FWS_BE32(fws_load_u32(src)); }
static inline uint64_t fws_load_be64(const void *src) { return FWS_BE64(fws_load_u64(src)); }
static inline void fws_store_be16(void *dst, uint16_t v) { fws_store_u16(dst, FWS_BE16(v)); }
static inline void fws_store_be32(void *dst, uint32_t v) { fws_store_u32(dst, FWS_BE32(v)); }
static inline void fws_store_be64(void *dst, uint64_t v) { fws_store_u64(dst, FWS_BE64(v)); }

/* What ChaCha20 counts in. */
static inline uint32_t fws_load_le32(const void *src) { return FWS_LE32(fws_load_u32(src)); }
static inline void fws_store_le32(void *dst, uint32_t v) { fws_store_u32(dst, FWS_LE32(v)); }

/* A masking key as it lies in memory, turned so that its first byte is the one that meets payload byte `offset`.
 * RFC 6455 5.3: payload byte i is XORed with key byte i mod 4. */
static inline uint32_t fws_rotate_key(uint32_t key, uint64_t offset) {
    unsigned shift = 8u * (unsigned)(offset & 3u);
#if FWS_BIG_ENDIAN
    return shift ? key << shift | key >> (32u - shift) : key;
#else
    return shift ? key >> shift | key << (32u - shift) : key;
#endif
}

#endif
