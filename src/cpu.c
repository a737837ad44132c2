/* SPDX-License-Identifier: MIT */
/* Asks the CPU what it can run, and lets users see and choose the kernels. */
#include <fastws/cpu.h>

#include "../simd/kernels.h"
#include "platform.h"

#if FWS_X86
#  include <cpuid.h>

/* Intel SDM volume 2A, CPUID. */
#define LEAF1_EDX_SSE2 (1u << 26)
#define LEAF1_ECX_SSSE3 (1u << 9)
#define LEAF1_ECX_SSE41 (1u << 19)
#define LEAF1_ECX_OSXSAVE (1u << 27)
#define LEAF1_ECX_AVX (1u << 28)
#define LEAF7_EBX_AVX2 (1u << 5)
#define LEAF7_EBX_SHA (1u << 29)
#define LEAF7_EBX_AVX512F (1u << 16)
#define LEAF7_EBX_AVX512BW (1u << 30)
#define LEAF7_EBX_AVX512VL (1u << 31)
/* Intel SDM volume 1, 13.3: XCR0 says which registers the operating system saves. */
#define XCR0_SSE (1u << 1)
#define XCR0_AVX (1u << 2)
#define XCR0_OPMASK (1u << 5)
#define XCR0_ZMM_LOW (1u << 6)  /* upper halves of zmm0 to zmm15 */
#define XCR0_ZMM_HIGH (1u << 7) /* zmm16 to zmm31 */

/* What a row needs, all of it. */
#define SAVES_YMM (XCR0_SSE | XCR0_AVX)
#define SAVES_ZMM (SAVES_YMM | XCR0_OPMASK | XCR0_ZMM_LOW | XCR0_ZMM_HIGH)
#define HAS_SSE4 (LEAF1_ECX_SSSE3 | LEAF1_ECX_SSE41)
#define HAS_AVX512 (LEAF7_EBX_AVX2 | LEAF7_EBX_AVX512F | LEAF7_EBX_AVX512BW | LEAF7_EBX_AVX512VL)

/* XGETBV as bytes: the intrinsic would ask for a target that the rest of the build does not have. */
static uint32_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int has_all(uint32_t bits, uint32_t wanted) {
    return (bits & wanted) == wanted;
}

static uint32_t machine_bits(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return 0;
    uint32_t bits = edx & LEAF1_EDX_SSE2 ? FWS_CPU_SSE2 : 0;
    if (has_all(ecx, HAS_SSE4)) bits |= FWS_CPU_SSE4;
    uint32_t saved = ecx & LEAF1_ECX_OSXSAVE ? read_xcr0() : 0;
    int has_avx = ecx & LEAF1_ECX_AVX && has_all(saved, SAVES_YMM);
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return bits;
    if (bits & FWS_CPU_SSE4 && ebx & LEAF7_EBX_SHA) bits |= FWS_CPU_SHA;
    if (!has_avx) return bits;
    if (has_all(ebx, LEAF7_EBX_AVX2)) bits |= FWS_CPU_AVX2;
    if (has_all(ebx, HAS_AVX512) && has_all(saved, SAVES_ZMM)) bits |= FWS_CPU_AVX512;
    return bits;
}
#elif FWS_NEON
#  if FWS_ARM64 && defined(__linux__)
#    include <sys/auxv.h>

#    define HWCAP_SHA1_BIT (1u << 5) /* Linux, arch/arm64: HWCAP_SHA1 */

static int has_sha(void) { return (getauxval(AT_HWCAP) & HWCAP_SHA1_BIT) != 0; }
#  else
/* Where nobody can be asked, they are used if the whole build asks for them: Apple's chips all have them. */
static int has_sha(void) { return FWS_ARM_SHA_IN_BUILD; }
#  endif

static uint32_t machine_bits(void) { return FWS_CPU_NEON | (has_sha() ? FWS_CPU_SHA : 0); }
#else
static uint32_t machine_bits(void) { return 0; }
#endif

uint32_t fws_cpu_bits(void) { return machine_bits(); }

const char *fastws_cpu_isa(void) { return fws_kernels_active()->name; }

int fastws_cpu_isas(const char **names, int cap) {
    int count = fws_kernels_count();
    for (int i = 0; i < count && i < cap; i++) names[i] = fws_kernels_at(i)->name;
    return count;
}

int fastws_cpu_select(const char *name) { return fws_kernels_select(name); }

int fastws_cpu_status(void) { return fws_kernels_status(); }
