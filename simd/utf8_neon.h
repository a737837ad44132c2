/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with NEON as inline code: utf8_vector(state, src, len, slop). */
#ifndef FWS_UTF8_NEON_H
#define FWS_UTF8_NEON_H

#include "mask_neon.h"
#include "utf8_short.h"

/* An index past the table gives zero. */
static FWS_ALWAYS_INLINE uint8x16_t lookup_neon(uint8x16_t table, uint8x16_t index) {
#if FWS_ARM64
    return vqtbl1q_u8(table, index);
#else
    uint8x8x2_t halves = {{vget_low_u8(table), vget_high_u8(table)}};
    return vcombine_u8(vtbl2_u8(halves, vget_low_u8(index)), vtbl2_u8(halves, vget_high_u8(index)));
#endif
}

static FWS_ALWAYS_INLINE int is_zero_neon(uint8x16_t v) {
    uint64x2_t halves = vreinterpretq_u64_u8(v);
    return (vgetq_lane_u64(halves, 0) | vgetq_lane_u64(halves, 1)) == 0;
}

static FWS_ALWAYS_INLINE uint8x16_t lane_under_16(const uint8_t *src, size_t len) {
    struct short_words words = load_words_under_16(src, len);
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(words.low), vcreate_u64(words.high)));
}

static FWS_ALWAYS_INLINE void load_short_neon(const uint8_t *src, size_t len, uint8x16_t *a, uint8x16_t *b) {
    *a = len < 16 ? lane_under_16(src, len) : vld1q_u8(src);
    *b = len > 16 ? lookup_neon(vld1q_u8(src + len - 16), vld1q_u8(move_down_table + 32 - len)) : vdupq_n_u8(0);
}

#define UTF8_TARGET
#define vector_zero() vdupq_n_u8(0)
#define vector_byte(byte) vdupq_n_u8((uint8_t)(byte))
#define vector_and(a, b) vandq_u8(a, b)
#define vector_less(a, b) vqsubq_u8(a, b)
#define vector_low(v) vandq_u8(v, vector_byte(0x0f))
#define vector_high(v) vshrq_n_u8(v, 4)
#define vector_lookup(table, index) lookup_neon(table, index)
#define vector_before(before, here, n) vextq_u8(before, here, 16 - (n))
#define vector_is_zero(v) is_zero_neon(v)
#define vector_all_3(a, b, c) vector_and(vector_and(a, b), c)
#define vector_any_of_2(a, b, c) vector_and(vector_or(a, b), c)
#define vector_add_different(a, b, c) vector_or(a, vector_xor(b, c))
#define vector_load_short(src, len, a, b) load_short_neon(src, len, a, b)
#include "utf8_vector.h"

#endif
