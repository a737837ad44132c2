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

/* One round; the next one takes the variables in the order e a b c d. */
#define ROUND(f, k, a, b, c, d, e, w)                                                                                  \
    do {                                                                                                               \
        e += (w) + (k) + rotate(a, 5) + f(b, c, d);                                                                    \
        b = rotate(b, 30);                                                                                             \
    } while (0)

/* Five rounds bring the variables back to where they were. */
#define FIVE_ROUNDS(f, k, w)                                                                                           \
    do {                                                                                                               \
        ROUND(f, k, a, b, c, d, e, (w)[0]);                                                                            \
        ROUND(f, k, e, a, b, c, d, (w)[1]);                                                                            \
        ROUND(f, k, d, e, a, b, c, (w)[2]);                                                                            \
        ROUND(f, k, c, d, e, a, b, (w)[3]);                                                                            \
        ROUND(f, k, b, c, d, e, a, (w)[4]);                                                                            \
    } while (0)

void fws_sha1_block(uint32_t state[5], const uint8_t block[FWS_SHA1_BLOCK]) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++) w[i] = fws_load_be32(block + 4 * i);
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 20; i += 5) FIVE_ROUNDS(choose, 0x5a827999, w + i);
    for (int i = 20; i < 40; i += 5) FIVE_ROUNDS(parity, 0x6ed9eba1, w + i);
    for (int i = 40; i < 60; i += 5) FIVE_ROUNDS(majority, 0x8f1bbcdc, w + i);
    for (int i = 60; i < 80; i += 5) FIVE_ROUNDS(parity, 0xca62c1d6, w + i);

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
