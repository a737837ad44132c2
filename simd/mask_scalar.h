/* SPDX-License-Identifier: MIT */
/* The scalar mask as inline code, for the kernels that mask on their way. */
#ifndef FWS_MASK_SCALAR_H
#define FWS_MASK_SCALAR_H

#include "mask_words.h"

/* Forward and word by word: with dst <= src a store never reaches a byte that is still to be loaded, the last word,
 * which is loaded first, excepted. Returns 1 if all bytes written are below 0x80, else 0. */
static FWS_ALWAYS_INLINE int mask_scalar(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    if (FWS_LIKELY(len < 16)) return mask_under_16(dst, src, len, key);
    uint32_t key_end = fws_rotate_key(key, len);
    uint64_t wide = (uint64_t)key << 32 | key;
    uint64_t last = fws_load_u64(src + len - 8) ^ ((uint64_t)key_end << 32 | key_end);
    uint64_t seen = last;
    size_t i = 0;
    for (; len - i >= 32; i += 32) {
        uint64_t a = fws_load_u64(src + i) ^ wide, b = fws_load_u64(src + i + 8) ^ wide;
        uint64_t c = fws_load_u64(src + i + 16) ^ wide, d = fws_load_u64(src + i + 24) ^ wide;
        FWS_KEEP_WORD(a);
        FWS_KEEP_WORD(b);
        FWS_KEEP_WORD(c);
        FWS_KEEP_WORD(d);
        fws_store_u64(dst + i, a);
        fws_store_u64(dst + i + 8, b);
        fws_store_u64(dst + i + 16, c);
        fws_store_u64(dst + i + 24, d);
        seen |= (a | b) | (c | d);
    }
    for (; len - i >= 8; i += 8) {
        uint64_t a = fws_load_u64(src + i) ^ wide;
        fws_store_u64(dst + i, a);
        seen |= a;
    }
    fws_store_u64(dst + len - 8, last);
    return (seen & HIGH_BITS) == 0;
}

#endif
