/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with AVX2 as inline code: utf8_vector(state, src, len, slop). */
#ifndef FWS_UTF8_AVX2_H
#define FWS_UTF8_AVX2_H

#include "mask_avx2.h"
#include "utf8_short_x86.h"

FWS_TARGET("avx2") static FWS_ALWAYS_INLINE void load_short_avx2(const uint8_t *src, size_t len, __m256i *a,
                                                                 __m256i *b) {
    __m128i zero = _mm_setzero_si128();
    *b = _mm256_setzero_si256();
    if (len < 16) {
        *a = _mm256_set_m128i(zero, lane_under_16(src, len));
    } else if (len < 32) {
        *a = _mm256_set_m128i(lane_end(src + 16, len - 16), lane(src));
    } else {
        *a = vector_load(src);
        *b = len < 48 ? _mm256_set_m128i(zero, lane_end(src + 32, len - 32))
                      : _mm256_set_m128i(lane_end(src + 48, len - 48), lane(src + 32));
    }
}

#define UTF8_TARGET FWS_TARGET("avx2")
#include "utf8_ymm.h"
#define vector_all_3(a, b, c) vector_and(vector_and(a, b), c)
#define vector_any_of_2(a, b, c) vector_and(vector_or(a, b), c)
#define vector_add_different(a, b, c) vector_or(a, vector_xor(b, c))
#define vector_load_short(src, len, a, b) load_short_avx2(src, len, a, b)
#include "utf8_vector.h"

#endif
