/* SPDX-License-Identifier: MIT */
/* The http_scan kernel with AVX2. */
#include "kernels.h"

#if FWS_X86
#  include "http_scan_lookup.h"
#  include "intrinsics.h"

#  define SCAN_TARGET FWS_TARGET("avx2")

SCAN_TARGET static FWS_ALWAYS_INLINE __m256i scan_table(const uint8_t table[16]) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

/* Marks the bytes that are not of the class. A lookup by a byte from 0x80 on gives 0. */
SCAN_TARGET static FWS_ALWAYS_INLINE uint64_t scan_not_in(const uint8_t class[16], __m256i high, __m256i v) {
    __m256i common = _mm256_and_si256(high, _mm256_shuffle_epi8(scan_table(class), v));
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(common, _mm256_setzero_si256()));
}

SCAN_TARGET static FWS_ALWAYS_INLINE void scan_block(uint64_t *controls, uint64_t *others, const uint8_t *src) {
    __m256i low_bits = _mm256_set1_epi8(0x0f);
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)src);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(src + 32));
    __m256i a_high = _mm256_shuffle_epi8(scan_table(scan_high), _mm256_and_si256(_mm256_srli_epi16(a, 4), low_bits));
    __m256i b_high = _mm256_shuffle_epi8(scan_table(scan_high), _mm256_and_si256(_mm256_srli_epi16(b, 4), low_bits));
    *others = scan_not_in(scan_tokens, a_high, a) | scan_not_in(scan_tokens, b_high, b) << 32;
    *controls = ~(scan_not_in(scan_controls, a_high, a) | scan_not_in(scan_controls, b_high, b) << 32);
}

#  define SCAN_NAME fws_http_scan_avx2
#  include "http_scan_blocks.h"
#endif
