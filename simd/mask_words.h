/* SPDX-License-Identifier: MIT */
/* What all rows do with words: mask fewer than 16 bytes, where no vector fits. */
#ifndef FWS_MASK_WORDS_H
#define FWS_MASK_WORDS_H

#include "../src/platform.h"

static FWS_ALWAYS_INLINE uint8_t first_key_byte(uint32_t key) {
    return (uint8_t)(FWS_BIG_ENDIAN ? key >> 24 : key);
}

/* A mask also says whether what it wrote is all ASCII, where it can tell while it has the bytes at hand: reading them
 * again right after would wait for the stores. Who does not ask, pays nothing: the code is inline. */
#define HIGH_BITS 0x8080808080808080u

/* Two words that overlap in the middle cover every length; both are loaded before either is stored, so that bytes
 * covered twice are written twice with one value, in place or not. Turning the key by len gives its phase in the
 * second word, which begins at len - 4 or len - 8.
 * Returns 1 if all bytes written are below 0x80, else 0. */
static FWS_ALWAYS_INLINE int mask_under_16(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    if (len >= 8) {
        uint32_t key_end = fws_rotate_key(key, len);
        uint64_t a = fws_load_u64(src) ^ ((uint64_t)key << 32 | key);
        uint64_t b = fws_load_u64(src + len - 8) ^ ((uint64_t)key_end << 32 | key_end);
        fws_store_u64(dst, a);
        fws_store_u64(dst + len - 8, b);
        return ((a | b) & HIGH_BITS) == 0;
    }
    if (len >= 4) {
        uint32_t a = fws_load_u32(src) ^ key;
        uint32_t b = fws_load_u32(src + len - 4) ^ fws_rotate_key(key, len);
        fws_store_u32(dst, a);
        fws_store_u32(dst + len - 4, b);
        return ((a | b) & (uint32_t)HIGH_BITS) == 0;
    }
    if (len == 0) return 1;
    /* Of 1, 2 or 3 bytes: the first, the middle, the last. */
    size_t middle = len >> 1, last = len - 1;
    uint8_t a = src[0] ^ first_key_byte(key), b = src[middle] ^ first_key_byte(fws_rotate_key(key, middle));
    uint8_t c = src[last] ^ first_key_byte(fws_rotate_key(key, last));
    dst[0] = a;
    dst[middle] = b;
    dst[last] = c;
    return (a | b | c) < 0x80;
}

#endif
