/* SPDX-License-Identifier: MIT */
/* The http_scan kernel with SSSE3. */
#include "kernels.h"

#if FWS_X86
#  include "http_scan_lookup.h"
#  include "intrinsics.h"

#  define SCAN_TARGET FWS_TARGET("sse4.1")

SCAN_TARGET static FWS_ALWAYS_INLINE __m128i scan_load(const uint8_t src[16]) {
    return _mm_loadu_si128((const __m128i *)(const void *)src);
}

/* Marks the bytes that are not of the class. A lookup by a byte from 0x80 on gives 0. */
SCAN_TARGET static FWS_ALWAYS_INLINE uint64_t scan_not_in(const uint8_t class[16], __m128i high, __m128i v) {
    __m128i common = _mm_and_si128(high, _mm_shuffle_epi8(scan_load(class), v));
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(common, _mm_setzero_si128()));
}

SCAN_TARGET static FWS_ALWAYS_INLINE void scan_block(uint64_t *controls, uint64_t *others, const uint8_t *src) {
    uint64_t texts = 0, no_tokens = 0;
    for (unsigned i = 0; i < 64; i += 16) {
        __m128i v = scan_load(src + i);
        __m128i high_bits = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(0x0f));
        __m128i high = _mm_shuffle_epi8(scan_load(scan_high), high_bits);
        no_tokens |= scan_not_in(scan_tokens, high, v) << i;
        texts |= scan_not_in(scan_controls, high, v) << i;
    }
    *others = no_tokens;
    *controls = ~texts;
}

#  define SCAN_NAME fws_http_scan_sse4
#  include "http_scan_blocks.h"
#endif
