/* SPDX-License-Identifier: MIT */
/* The http_scan kernel with AVX-512: its comparisons give masks at once. */
#include "kernels.h"

#if FWS_X86
#  include "http_scan_lookup.h"
#  include "intrinsics.h"

#  define SCAN_TARGET FWS_TARGET("avx512f,avx512bw")

SCAN_TARGET static FWS_ALWAYS_INLINE __m512i scan_table(const uint8_t table[16]) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table));
}

SCAN_TARGET static FWS_ALWAYS_INLINE void scan_block(uint64_t *controls, uint64_t *others, const uint8_t *src) {
    __m512i v = _mm512_loadu_si512(src);
    __m512i high_bits = _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(0x0f));
    __m512i high = _mm512_shuffle_epi8(scan_table(scan_high), high_bits);
    /* A lookup by a byte from 0x80 on gives 0. */
    *others = ~_mm512_test_epi8_mask(high, _mm512_shuffle_epi8(scan_table(scan_tokens), v));
    *controls = _mm512_test_epi8_mask(high, _mm512_shuffle_epi8(scan_table(scan_controls), v));
}

#  define SCAN_NAME fws_http_scan_avx512
#  include "http_scan_blocks.h"
#endif
