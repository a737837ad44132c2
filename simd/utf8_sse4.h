/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with SSSE3 and SSE4.1 as inline code: utf8_vector(state, src, len, slop). */
#ifndef FWS_UTF8_SSE4_H
#define FWS_UTF8_SSE4_H

#include "mask_sse2.h"
#include "utf8_short_x86.h"

FWS_TARGET("sse4.1") static FWS_ALWAYS_INLINE void load_short_sse4(const uint8_t *src, size_t len, __m128i *a,
                                                                   __m128i *b) {
    *a = len < 16 ? lane_under_16(src, len) : lane(src);
    *b = len > 16 ? lane_end(src + 16, len - 16) : _mm_setzero_si128();
}

#define UTF8_TARGET FWS_TARGET("sse4.1")
#define vector_zero() _mm_setzero_si128()
#define vector_byte(byte) _mm_set1_epi8((int8_t)(byte))
#define vector_and(a, b) _mm_and_si128(a, b)
#define vector_less(a, b) _mm_subs_epu8(a, b)
#define vector_low(v) _mm_and_si128(v, vector_byte(0x0f))
#define vector_high(v) vector_low(_mm_srli_epi16(v, 4))
#define vector_lookup(table, index) _mm_shuffle_epi8(table, index)
#define vector_before(before, here, n) _mm_alignr_epi8(here, before, 16 - (n))
#define vector_is_zero(v) _mm_testz_si128(v, v)
#define vector_all_3(a, b, c) vector_and(vector_and(a, b), c)
#define vector_any_of_2(a, b, c) vector_and(vector_or(a, b), c)
#define vector_add_different(a, b, c) vector_or(a, vector_xor(b, c))
#define vector_load_short(src, len, a, b) load_short_sse4(src, len, a, b)
#include "utf8_vector.h"

#endif
