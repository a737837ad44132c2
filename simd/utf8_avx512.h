/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with AVX-512 as inline code: utf8_vector(state, src, len, slop).
 *
 * In vectors of 32 bytes: what AVX-512 brings is an operation on three of them at once, which saves a fifth of the
 * work, and loads that leave bytes out. Vectors of 64 bytes are no faster on Zen 4, as each load beside a boundary
 * then takes two cache lines; nor are lookups in 32 bytes (VBMI), which need no cutting to 4 bits. */
#ifndef FWS_UTF8_AVX512_H
#define FWS_UTF8_AVX512_H

#include "mask_avx2.h"

#define UTF8_TARGET FWS_TARGET("avx512f,avx512bw,avx512vl")

/* A byte that its mask leaves out is not read. */
UTF8_TARGET static FWS_ALWAYS_INLINE void load_short_avx512(const uint8_t *src, size_t len, __m256i *a, __m256i *b) {
    uint64_t wanted = len < 64 ? (1ull << len) - 1 : UINT64_MAX;
    *a = _mm256_maskz_loadu_epi8((uint32_t)wanted, src);
    *b = _mm256_maskz_loadu_epi8((uint32_t)(wanted >> 32), src + 32);
}

#define vector_zero() _mm256_setzero_si256()
#define vector_byte(byte) _mm256_set1_epi8((int8_t)(byte))
#define vector_and(a, b) _mm256_and_si256(a, b)
#define vector_less(a, b) _mm256_subs_epu8(a, b)
#define vector_low(v) _mm256_and_si256(v, vector_byte(0x0f))
#define vector_high(v) vector_low(_mm256_srli_epi16(v, 4))
#define vector_lookup(table, index) _mm256_shuffle_epi8(table, index)
#define vector_before(before, here, n)                                                                                 \
    _mm256_alignr_epi8(here, _mm256_permute2x128_si256(before, here, 0x21), 16 - (n))
#define vector_is_zero(v) _mm256_testz_si256(v, v)
/* The last operand is the result for each of the eight combinations of a bit of a, b and c. */
#define vector_all_3(a, b, c) _mm256_ternarylogic_epi32(a, b, c, 0x80)
#define vector_any_of_2(a, b, c) _mm256_ternarylogic_epi32(a, b, c, 0xa8)
#define vector_add_different(a, b, c) _mm256_ternarylogic_epi32(a, b, c, 0xf6)
#define vector_load_short(src, len, a, b) load_short_avx512(src, len, a, b)
#include "utf8_vector.h"

#endif
