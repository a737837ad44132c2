/* SPDX-License-Identifier: MIT */
/* SHA-1 (RFC 3174, FIPS 180-4), scalar. */
#include "sha1.h"

/* Where the message length stands in the last block: 8 bytes, big endian. */
#define LENGTH_OFF (FWS_SHA1_BLOCK - 8)

static const uint32_t initial_state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

static FWS_ALWAYS_INLINE uint32_t rotate(uint32_t v, int n) {
    return v << n | v >> (32 - n);
}

/* The three functions of FIPS 180-4 4.1.1, in forms that depend on b last. */
static FWS_ALWAYS_INLINE uint32_t choose(uint32_t b, uint32_t c, uint32_t d) {
    return d ^ (b & (c ^ d));
}

static FWS_ALWAYS_INLINE uint32_t parity(uint32_t b, uint32_t c, uint32_t d) {
    return b ^ c ^ d;
}

/* The two halves share no bit, so they can be added: one of the additions then runs ahead of b. */
static FWS_ALWAYS_INLINE uint32_t majority(uint32_t b, uint32_t c, uint32_t d) {
    return (c & d) + (b & (c ^ d));
}

/* The word of round i: as loaded, or made from four earlier ones. Only the last 16 are kept. FIPS 180-4 6.1.2. */
#define LOADED(i) (w[i] = fws_load_be32(block + 4 * (i)))
#define MIXED(i) (w[(i) & 15] = rotate(w[((i) + 13) & 15] ^ w[((i) + 8) & 15] ^ w[((i) + 2) & 15] ^ w[(i) & 15], 1))

/* One round. The variables change places instead of values: the next round calls a what this one calls e. */
#define ROUND(f, k, word, i, a, b, c, d, e)                                                                            \
    do {                                                                                                               \
        e += word(i) + (k) + rotate(a, 5) + f(b, c, d);                                                                \
        b = rotate(b, 30);                                                                                             \
    } while (0)

/* Five rounds bring the variables back to their places. */
#define ROUNDS_5(f, k, word, i)                                                                                        \
    do {                                                                                                               \
        ROUND(f, k, word, (i), a, b, c, d, e);                                                                         \
        ROUND(f, k, word, (i) + 1, e, a, b, c, d);                                                                     \
        ROUND(f, k, word, (i) + 2, d, e, a, b, c);                                                                     \
        ROUND(f, k, word, (i) + 3, c, d, e, a, b);                                                                     \
        ROUND(f, k, word, (i) + 4, b, c, d, e, a);                                                                     \
    } while (0)

#define ROUNDS_20(f, k, i)                                                                                             \
    do {                                                                                                               \
        ROUNDS_5(f, k, MIXED, (i));                                                                                    \
        ROUNDS_5(f, k, MIXED, (i) + 5);                                                                                \
        ROUNDS_5(f, k, MIXED, (i) + 10);                                                                               \
        ROUNDS_5(f, k, MIXED, (i) + 15);                                                                               \
    } while (0)

/* Written out in full: the words then have fixed places, and their making overlaps with the rounds. */
void fws_sha1_block(uint32_t state[5], const uint8_t block[FWS_SHA1_BLOCK]) {
    uint32_t w[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

    ROUNDS_5(choose, 0x5a827999, LOADED, 0);
    ROUNDS_5(choose, 0x5a827999, LOADED, 5);
    ROUNDS_5(choose, 0x5a827999, LOADED, 10);
    ROUND(choose, 0x5a827999, LOADED, 15, a, b, c, d, e);
    ROUND(choose, 0x5a827999, MIXED, 16, e, a, b, c, d);
    ROUND(choose, 0x5a827999, MIXED, 17, d, e, a, b, c);
    ROUND(choose, 0x5a827999, MIXED, 18, c, d, e, a, b);
    ROUND(choose, 0x5a827999, MIXED, 19, b, c, d, e, a);
    ROUNDS_20(parity, 0x6ed9eba1, 20);
    ROUNDS_20(majority, 0x8f1bbcdc, 40);
    ROUNDS_20(parity, 0xca62c1d6, 60);

    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void fws_sha1(uint8_t digest[FWS_SHA1_LEN], const void *src, size_t len) {
    const uint8_t *p = src;
    uint32_t state[5];
    memcpy(state, initial_state, sizeof state);
    size_t left = len;
    for (; left >= FWS_SHA1_BLOCK; left -= FWS_SHA1_BLOCK, p += FWS_SHA1_BLOCK) fws_sha1_block(state, p);

    /* The rest, one bit, zeros, and the length in bits: one block if the length fits behind the bit, else two. */
    uint8_t last[2 * FWS_SHA1_BLOCK] = {0};
    if (left > 0) memcpy(last, p, left);
    last[left] = 0x80;
    uint8_t *final = left < LENGTH_OFF ? last : last + FWS_SHA1_BLOCK;
    fws_store_be64(final + LENGTH_OFF, (uint64_t)len << 3);
    if (final != last) fws_sha1_block(state, last);
    fws_sha1_block(state, final);

    for (int i = 0; i < 5; i++) fws_store_be32(digest + 4 * i, state[i]);
}
