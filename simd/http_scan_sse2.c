/* SPDX-License-Identifier: MIT */
/* The http_scan kernel with SSE2, which has no lookup in a table of bytes: range by range. */
#include "kernels.h"

#if FWS_X86
#  include "intrinsics.h"

#  define SCAN_TARGET FWS_TARGET("sse2")

SCAN_TARGET static FWS_ALWAYS_INLINE __m128i scan_is(__m128i v, signed char c) {
    return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

/* first <= v <= last, unsigned. */
SCAN_TARGET static FWS_ALWAYS_INLINE __m128i scan_between(__m128i v, signed char first, signed char last) {
    __m128i off = _mm_sub_epi8(v, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(off, _mm_set1_epi8((signed char)(last - first))), off);
}

/* RFC 9110 5.6.2. */
SCAN_TARGET static FWS_ALWAYS_INLINE __m128i scan_tokens(__m128i v) {
    __m128i letters = scan_between(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i digits = _mm_or_si128(scan_between(v, '0', '9'), scan_between(v, '-', '.'));
    __m128i marks = _mm_or_si128(scan_between(v, '#', '\''), scan_between(v, '*', '+'));
    __m128i late = _mm_or_si128(scan_between(v, '^', '`'), scan_is(v, '!'));
    __m128i last = _mm_or_si128(scan_is(v, '|'), scan_is(v, '~'));
    return _mm_or_si128(_mm_or_si128(_mm_or_si128(letters, digits), _mm_or_si128(marks, late)), last);
}

SCAN_TARGET static FWS_ALWAYS_INLINE __m128i scan_controls(__m128i v) {
    __m128i low = _mm_andnot_si128(scan_is(v, '\t'), scan_between(v, 0, 0x1f));
    return _mm_or_si128(low, scan_is(v, 0x7f));
}

SCAN_TARGET static FWS_ALWAYS_INLINE void scan_block(uint64_t *controls, uint64_t *others, const uint8_t *src) {
    uint64_t control_bits = 0, token_bits = 0;
    for (unsigned i = 0; i < 64; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(src + i));
        control_bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(scan_controls(v)) << i;
        token_bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(scan_tokens(v)) << i;
    }
    *controls = control_bits;
    *others = ~token_bits;
}

#  define SCAN_NAME fws_http_scan_sse2
#  include "http_scan_blocks.h"
#endif
