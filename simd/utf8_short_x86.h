/* SPDX-License-Identifier: MIT */
/* Loads fewer bytes than a vector of 16 holds and reads no others, for the UTF-8 kernels of x86. */
#ifndef FWS_UTF8_SHORT_X86_H
#define FWS_UTF8_SHORT_X86_H

#include "intrinsics.h"
#include "utf8_short.h"

#define LANE_TARGET FWS_TARGET("ssse3")

LANE_TARGET static FWS_ALWAYS_INLINE __m128i lane(const uint8_t *src) {
    return _mm_loadu_si128((const __m128i *)(const void *)src);
}

LANE_TARGET static FWS_ALWAYS_INLINE __m128i lane_under_16(const uint8_t *src, size_t len) {
    struct short_words words = load_words_under_16(src, len);
    return _mm_set_epi64x((long long)words.high, (long long)words.low);
}

/* len < 16 bytes, where the 16 before them can be read as well. */
LANE_TARGET static FWS_ALWAYS_INLINE __m128i lane_end(const uint8_t *src, size_t len) {
    return _mm_shuffle_epi8(lane(src + len - 16), lane(move_down_table + 16 - len));
}

#endif
