/* SPDX-License-Identifier: MIT */
/* What the UTF-8 kernels of all vector rows share to load a short text and no byte beside it. */
#ifndef FWS_UTF8_SHORT_H
#define FWS_UTF8_SHORT_H

#include "../src/platform.h"

/* For a lookup that moves the last bytes of a vector to its beginning, from move_down_table + how far: an index of 0x80
 * gives zero. */
static const uint8_t move_down_table[32] = {0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,
                                            11,   12,   13,   14,   15,   0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                            0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};

struct short_words {
    uint64_t low, high;
};

/* len < 16 bytes, then zeros, on a little-endian machine: words that overlap, the later one moved down. */
static FWS_ALWAYS_INLINE struct short_words load_words_under_16(const uint8_t *src, size_t len) {
    struct short_words words = {0, 0};
    if (len >= 8) {
        words.low = fws_load_u64(src);
        words.high = fws_load_u64(src + len - 8) >> 8 >> 8 * (15 - len);
    } else if (len >= 4) {
        words.low = fws_load_u32(src) | (uint64_t)fws_load_u32(src + len - 4) << 8 * (len - 4);
    } else if (len > 0) {
        /* Of 1, 2 or 3 bytes: the first, the middle, the last. */
        words.low = src[0] | (uint64_t)src[len / 2] << 8 * (len / 2) | (uint64_t)src[len - 1] << 8 * (len - 1);
    }
    return words;
}

#endif
