/* SPDX-License-Identifier: MIT */
/* The NEON mask as inline code: mask_neon(dst, src, len, key). */
#ifndef FWS_MASK_NEON_H
#define FWS_MASK_NEON_H

#include "intrinsics.h"
#include "mask_words.h"

/* Not vmaxvq_u8, which is one instruction on 64-bit ARM and not there on 32-bit. */
static FWS_ALWAYS_INLINE int is_ascii_neon(uint8x16_t v) {
    uint64x2_t halves = vreinterpretq_u64_u8(v);
    return ((vgetq_lane_u64(halves, 0) | vgetq_lane_u64(halves, 1)) & HIGH_BITS) == 0;
}

/* NEON has no aligned store: the hardware sees by itself that an address is aligned. */
#define MASK_NAME mask_neon
#define MASK_TARGET
#define VECTOR uint8x16_t
#define VECTOR_LEN 16
#define vector_splat(key) vreinterpretq_u8_u32(vdupq_n_u32(key))
#define vector_load(src) vld1q_u8(src)
#define vector_store(dst, v) vst1q_u8(dst, v)
#define vector_store_aligned(dst, v) vst1q_u8(dst, v)
#define vector_prefetch(src) ((void)(src))
#define vector_xor(a, b) veorq_u8(a, b)
#define vector_or(a, b) vorrq_u8(a, b)
#define vector_is_ascii(v) is_ascii_neon(v)
#include "mask_vector.h"

#endif
