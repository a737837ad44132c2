/* SPDX-License-Identifier: MIT */
/* What the UTF-8 checks of AVX2 and AVX-512 write alike: a part of the vocabulary of utf8_vector.h in vectors of 32
 * bytes. The file that includes it has included mask_avx2.h before. */
#ifndef FWS_UTF8_YMM_H
#define FWS_UTF8_YMM_H

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

#endif
