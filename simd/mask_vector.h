/* SPDX-License-Identifier: MIT */
/* Masking with vectors, written once over a small vocabulary that the file which includes it defines first:
 *
 *   MASK_NAME            name of the inline function to make: (dst, src, len, key), the contract of kernels.h
 *   MASK_TARGET          FWS_TARGET("<instruction set>"), or nothing
 *   MASK_16_TO_VECTOR    masks from 16 to VECTOR_LEN - 1 bytes, if there are such lengths: (dst, src, len, key)
 *   VECTOR, VECTOR_LEN   the vector type and its size in bytes
 *   vector_splat         the key in every group of four bytes: (key)
 *   vector_load          VECTOR_LEN bytes from anywhere: (src)
 *   vector_store         and to anywhere: (dst, v);  vector_store_aligned: to a multiple of VECTOR_LEN
 *   vector_xor, vector_or, vector_is_ascii   (a, b), (a, b), (v): no byte of v is 0x80 or more
 *   vector_prefetch      the 4 vectors from there on into the cache, or nothing: (src)
 *
 * What all lengths share: the ends are covered by vectors that may overlap, and whatever is loaded for them is
 * loaded before anything is stored. A byte that two vectors cover is stored twice with one value, and never read
 * back: right in place and with dst < src. A vector that ends with the payload begins at len minus a multiple of
 * 4, so its key is the key turned by len. Functions return 1 if all bytes written are below 0x80. */
#include "mask_words.h"

/* A store across two pages costs more than 30 cycles on Zen 4. */
#define PAGE_LEN 4096

/* How far ahead of the loop. In the second-level cache that is worth 3 to 5 % on Zen 4; 1024 costs 10 % in the third.
 * May point past the payload: a prefetch reads nothing. */
#define PREFETCH_AHEAD 512

#define MASK_AT(off, key) vector_xor(vector_load(src + (off)), key)

MASK_TARGET static FWS_ALWAYS_INLINE int mask_2_vectors(uint8_t *dst, const uint8_t *src, size_t len, VECTOR key,
                                                        VECTOR key_end) {
    VECTOR a = MASK_AT(0, key);
    VECTOR b = MASK_AT(len - VECTOR_LEN, key_end);
    vector_store(dst, a);
    vector_store(dst + len - VECTOR_LEN, b);
    return vector_is_ascii(vector_or(a, b));
}

MASK_TARGET static FWS_ALWAYS_INLINE int mask_4_vectors(uint8_t *dst, const uint8_t *src, size_t len, VECTOR key,
                                                        VECTOR key_end) {
    VECTOR a = MASK_AT(0, key), b = MASK_AT(VECTOR_LEN, key);
    VECTOR y = MASK_AT(len - 2 * VECTOR_LEN, key_end), z = MASK_AT(len - VECTOR_LEN, key_end);
    vector_store(dst, a);
    vector_store(dst + VECTOR_LEN, b);
    vector_store(dst + len - 2 * VECTOR_LEN, y);
    vector_store(dst + len - VECTOR_LEN, z);
    return vector_is_ascii(vector_or(vector_or(a, b), vector_or(y, z)));
}

MASK_TARGET static FWS_ALWAYS_INLINE int mask_8_vectors(uint8_t *dst, const uint8_t *src, size_t len, VECTOR key,
                                                        VECTOR key_end) {
    VECTOR a = MASK_AT(0, key), b = MASK_AT(VECTOR_LEN, key);
    VECTOR c = MASK_AT(2 * VECTOR_LEN, key), d = MASK_AT(3 * VECTOR_LEN, key);
    VECTOR w = MASK_AT(len - 4 * VECTOR_LEN, key_end), x = MASK_AT(len - 3 * VECTOR_LEN, key_end);
    VECTOR y = MASK_AT(len - 2 * VECTOR_LEN, key_end), z = MASK_AT(len - VECTOR_LEN, key_end);
    vector_store(dst, a);
    vector_store(dst + VECTOR_LEN, b);
    vector_store(dst + 2 * VECTOR_LEN, c);
    vector_store(dst + 3 * VECTOR_LEN, d);
    vector_store(dst + len - 4 * VECTOR_LEN, w);
    vector_store(dst + len - 3 * VECTOR_LEN, x);
    vector_store(dst + len - 2 * VECTOR_LEN, y);
    vector_store(dst + len - VECTOR_LEN, z);
    VECTOR seen = vector_or(vector_or(vector_or(a, b), vector_or(c, d)), vector_or(vector_or(w, x), vector_or(y, z)));
    return vector_is_ascii(seen);
}

MASK_TARGET static FWS_ALWAYS_INLINE int mask_under_vector(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
#if VECTOR_LEN > 16
    if (len >= 16) return MASK_16_TO_VECTOR(dst, src, len, key);
#endif
    return mask_under_16(dst, src, len, key);
}

/* The end of a payload that was masked up to i, where dst is aligned: VECTOR_LEN <= len - i < 5 * VECTOR_LEN. */
MASK_TARGET static FWS_ALWAYS_INLINE int mask_end(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                                  size_t i) {
    VECTOR key_here = vector_splat(fws_rotate_key(key, i));
    VECTOR seen = vector_xor(key_here, key_here);
    if (FWS_UNLIKELY((uintptr_t)(dst + len - 1) % PAGE_LEN < VECTOR_LEN - 1)) {
        for (; len - i >= VECTOR_LEN; i += VECTOR_LEN) {
            VECTOR a = MASK_AT(i, key_here);
            vector_store_aligned(dst + i, a);
            seen = vector_or(seen, a);
        }
        return mask_under_vector(dst + i, src + i, len - i, fws_rotate_key(key, i)) & vector_is_ascii(seen);
    }
    VECTOR last = MASK_AT(len - VECTOR_LEN, vector_splat(fws_rotate_key(key, len)));
    for (; len - i > VECTOR_LEN; i += VECTOR_LEN) {
        VECTOR a = MASK_AT(i, key_here);
        vector_store_aligned(dst + i, a);
        seen = vector_or(seen, a);
    }
    vector_store(dst + len - VECTOR_LEN, last);
    return vector_is_ascii(vector_or(seen, last));
}

/* More than 8 vectors. One vector reaches to the first aligned address of dst, then the stores are aligned: at 6
 * bytes past a cache line, where a payload lies behind its header, that is worth a quarter of the speed. The head is
 * stored as soon as the block that it overlaps is loaded, and the tail loaded as late as that: whoever comes back
 * for these bytes at once does not find them half in the store queue. The loop waits for its stores: what it has seen
 * costs nothing. */
MASK_TARGET static FWS_NOINLINE int mask_many_vectors(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    size_t i = VECTOR_LEN - (size_t)((uintptr_t)dst % VECTOR_LEN);
    VECTOR seen = MASK_AT(0, vector_splat(key));
    VECTOR key_here = vector_splat(fws_rotate_key(key, i));
    VECTOR a = MASK_AT(i, key_here), b = MASK_AT(i + VECTOR_LEN, key_here);
    VECTOR c = MASK_AT(i + 2 * VECTOR_LEN, key_here), d = MASK_AT(i + 3 * VECTOR_LEN, key_here);
    vector_store(dst, seen);
    for (;;) {
        vector_store_aligned(dst + i, a);
        vector_store_aligned(dst + i + VECTOR_LEN, b);
        vector_store_aligned(dst + i + 2 * VECTOR_LEN, c);
        vector_store_aligned(dst + i + 3 * VECTOR_LEN, d);
        seen = vector_or(seen, vector_or(vector_or(a, b), vector_or(c, d)));
        i += 4 * VECTOR_LEN;
        if (len - i < 5 * VECTOR_LEN) break;
        vector_prefetch(src + i + PREFETCH_AHEAD);
        a = MASK_AT(i, key_here), b = MASK_AT(i + VECTOR_LEN, key_here);
        c = MASK_AT(i + 2 * VECTOR_LEN, key_here), d = MASK_AT(i + 3 * VECTOR_LEN, key_here);
    }
    return mask_end(dst, src, len, key, i) & vector_is_ascii(seen);
}

MASK_TARGET static FWS_ALWAYS_INLINE int MASK_NAME(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    if (FWS_LIKELY(len < 16)) return mask_under_16(dst, src, len, key);
#if VECTOR_LEN > 16
    if (len < VECTOR_LEN) return MASK_16_TO_VECTOR(dst, src, len, key);
#endif
    if (len > 8 * VECTOR_LEN) return mask_many_vectors(dst, src, len, key);
    VECTOR key_start = vector_splat(key), key_end = vector_splat(fws_rotate_key(key, len));
    if (len <= 2 * VECTOR_LEN) return mask_2_vectors(dst, src, len, key_start, key_end);
    if (len <= 4 * VECTOR_LEN) return mask_4_vectors(dst, src, len, key_start, key_end);
    return mask_8_vectors(dst, src, len, key_start, key_end);
}
