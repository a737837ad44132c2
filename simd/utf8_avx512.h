/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with AVX-512 as inline code: utf8_vector(state, src, len, slop).
 *
 * In vectors of 32 bytes: what AVX-512 brings is an operation on three of them at once, which saves a fifth of the
 * work, and loads that leave bytes out. Vectors of 64 bytes are no faster on Zen 4, as each load beside a boundary
 * then takes two cache lines; nor are lookups in 32 bytes (VBMI), which need no cutting to 4 bits. A short text is one
 * vector of 64 bytes all the same: half the instructions, and shifted in registers it is loaded once. */
#ifndef FWS_UTF8_AVX512_H
#define FWS_UTF8_AVX512_H

#include "mask_avx2.h"
#include "utf8_tables.h"

#define UTF8_TARGET FWS_TARGET("avx512f,avx512bw,avx512vl")

/* The last operand of a ternarylogic is the result for each of the eight combinations of a bit of a, b and c. */
#define ALL_3 0x80         /* a & b & c */
#define ANY_OF_2 0xa8      /* (a | b) & c */
#define ADD_DIFFERENT 0xf6 /* a | (b ^ c) */

#include "utf8_ymm.h"
#define vector_all_3(a, b, c) _mm256_ternarylogic_epi32(a, b, c, ALL_3)
#define vector_any_of_2(a, b, c) _mm256_ternarylogic_epi32(a, b, c, ANY_OF_2)
#define vector_add_different(a, b, c) _mm256_ternarylogic_epi32(a, b, c, ADD_DIFFERENT)

/* A text that fits one vector, zeros behind it. */
#define SHORT_TEXT __m512i
#define SHORT_INLINE UTF8_TARGET static FWS_ALWAYS_INLINE

struct short_tables {
    uint8_t low_4[64], first_high[64], first_low[64], second_high[64];
    uint8_t below_lead_3[64], below_lead_4[64], bit_7[64], largest_at_end[64];
};

static _Alignas(64) const struct short_tables short_tables = {{FOUR_TIMES(BYTES_16(0x0f))},
                                                 {FOUR_TIMES(FIRST_HIGH)},
                                                 {FOUR_TIMES(FIRST_LOW)},
                                                 {FOUR_TIMES(SECOND_HIGH)},
                                                 {FOUR_TIMES(BYTES_16(0xe0 - 0x80))},
                                                 {FOUR_TIMES(BYTES_16(0xf0 - 0x80))},
                                                 {FOUR_TIMES(BYTES_16(0x80))},
                                                 {BYTES_16(255), BYTES_16(255), BYTES_16(255), LARGEST_AT_END}};

SHORT_INLINE __m512i short_load_64(const uint8_t *src) { return _mm512_loadu_si512((const void *)src); }

/* A byte that its mask leaves out is not read, so slop brings nothing. */
SHORT_INLINE __m512i short_load(const uint8_t *src, size_t len, size_t slop) {
    (void)slop;
    uint64_t wanted = len < 64 ? (1ull << len) - 1 : UINT64_MAX;
    return _mm512_maskz_loadu_epi8(wanted, src);
}

/* a and b were loaded with slop. */
SHORT_INLINE __m512i short_unmask(__m256i a, __m256i b, size_t len, uint32_t key) {
    __m512i text = _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1), _mm512_set1_epi32((int)key));
    return _mm512_and_si512(text, short_load_64(keep_table + 64 - len));
}

SHORT_INLINE int short_is_ascii(__m512i text) { return _mm512_movepi8_mask(text) == 0; }

SHORT_INLINE __m512i short_high(__m512i v, __m512i low_4) { return _mm512_and_si512(_mm512_srli_epi16(v, 4), low_4); }

/* Checks as check_behind() of utf8_vector.h does. In the zeros, and at the end of the vector, an open character counts
 * as a mistake, which the scalar row then puts right. The compiler is not to know what the tables hold: gcc would make
 * most of them in general registers, by three instructions each instead of none. */
SHORT_INLINE int short_is_good(__m512i text) {
    const struct short_tables *tables = &short_tables;
    FWS_KEEP_WORD(tables);
    __m512i before = _mm512_alignr_epi32(text, _mm512_setzero_si512(), 12);
    __m512i one = _mm512_alignr_epi8(text, before, 15);
    __m512i two = _mm512_alignr_epi8(text, before, 14), three = _mm512_alignr_epi8(text, before, 13);
    __m512i low_4 = short_load_64(tables->low_4);
    __m512i pairs = _mm512_ternarylogic_epi32(
        _mm512_shuffle_epi8(short_load_64(tables->first_high), short_high(one, low_4)),
        _mm512_shuffle_epi8(short_load_64(tables->first_low), _mm512_and_si512(one, low_4)),
        _mm512_shuffle_epi8(short_load_64(tables->second_high), short_high(text, low_4)), ALL_3);
    __m512i needed = _mm512_ternarylogic_epi32(_mm512_subs_epu8(two, short_load_64(tables->below_lead_3)),
                                               _mm512_subs_epu8(three, short_load_64(tables->below_lead_4)),
                                               short_load_64(tables->bit_7), ANY_OF_2);
    __m512i open = _mm512_subs_epu8(text, short_load_64(tables->largest_at_end));
    __m512i mistakes = _mm512_ternarylogic_epi32(open, needed, pairs, ADD_DIFFERENT);
    return _mm512_test_epi8_mask(mistakes, mistakes) == 0;
}

#include "utf8_vector.h"

#endif
