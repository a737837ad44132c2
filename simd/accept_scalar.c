/* SPDX-License-Identifier: MIT */
/* The answer to a key on any CPU: SHA-1 (FIPS 180-4) with all constant words known to the compiler. */
#include "../src/base64.h"
#include "accept_words.h"
#include "kernels.h"

#define KEY_SIZE 16 /* bytes that a key encodes: RFC 6455 4.1, item 7 */
#define DIGEST_LEN 20

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

/* The word of round i: of the key, of the constant rest, or made from four earlier ones, of which the last 16 are
 * kept (FIPS 180-4 6.1.2); or one of the second block. */
#define OF_KEY(i) (w[i] = fws_load_be32(key + 4 * (i)))
#define OF_REST(i) (w[i] = accept_first_words[(i) - ACCEPT_KEY_WORDS])
#define MIXED(i) (w[(i) & 15] = rotate(w[((i) + 13) & 15] ^ w[((i) + 8) & 15] ^ w[((i) + 2) & 15] ^ w[(i) & 15], 1))
#define LAST(i) accept_last_words[i]

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

#define ROUNDS_20(f, k, word, i)                                                                                       \
    do {                                                                                                               \
        ROUNDS_5(f, k, word, (i));                                                                                     \
        ROUNDS_5(f, k, word, (i) + 5);                                                                                 \
        ROUNDS_5(f, k, word, (i) + 10);                                                                                \
        ROUNDS_5(f, k, word, (i) + 15);                                                                                \
    } while (0)

#define LOAD_STATE                                                                                                     \
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4]

#define ADD_TO_STATE                                                                                                   \
    do {                                                                                                               \
        state[0] += a;                                                                                                 \
        state[1] += b;                                                                                                 \
        state[2] += c;                                                                                                 \
        state[3] += d;                                                                                                 \
        state[4] += e;                                                                                                 \
    } while (0)

/* Written out in full: the words then have fixed places, and their making overlaps with the rounds. */
static void hash_first_block(uint32_t state[5], const uint8_t key[FWS_KEY_LEN]) {
    uint32_t w[16];
    LOAD_STATE;
    ROUNDS_5(choose, 0x5a827999, OF_KEY, 0);
    ROUND(choose, 0x5a827999, OF_KEY, 5, a, b, c, d, e);
    ROUND(choose, 0x5a827999, OF_REST, 6, e, a, b, c, d);
    ROUND(choose, 0x5a827999, OF_REST, 7, d, e, a, b, c);
    ROUND(choose, 0x5a827999, OF_REST, 8, c, d, e, a, b);
    ROUND(choose, 0x5a827999, OF_REST, 9, b, c, d, e, a);
    ROUNDS_5(choose, 0x5a827999, OF_REST, 10);
    ROUND(choose, 0x5a827999, OF_REST, 15, a, b, c, d, e);
    ROUND(choose, 0x5a827999, MIXED, 16, e, a, b, c, d);
    ROUND(choose, 0x5a827999, MIXED, 17, d, e, a, b, c);
    ROUND(choose, 0x5a827999, MIXED, 18, c, d, e, a, b);
    ROUND(choose, 0x5a827999, MIXED, 19, b, c, d, e, a);
    ROUNDS_20(parity, 0x6ed9eba1, MIXED, 20);
    ROUNDS_20(majority, 0x8f1bbcdc, MIXED, 40);
    ROUNDS_20(parity, 0xca62c1d6, MIXED, 60);
    ADD_TO_STATE;
}

static void hash_last_block(uint32_t state[5]) {
    LOAD_STATE;
    ROUNDS_20(choose, 0x5a827999, LAST, 0);
    ROUNDS_20(parity, 0x6ed9eba1, LAST, 20);
    ROUNDS_20(majority, 0x8f1bbcdc, LAST, 40);
    ROUNDS_20(parity, 0xca62c1d6, LAST, 60);
    ADD_TO_STATE;
}

int fws_accept_scalar(char *out, uint32_t state[5], const uint8_t *key) {
    if (key != NULL) {
        if (!fws_base64_is_encoding(key, FWS_KEY_LEN, KEY_SIZE)) return 0;
        memcpy(state, accept_initial_state, sizeof accept_initial_state);
        hash_first_block(state, key);
    }
    if (out == NULL) return 1;
    hash_last_block(state);
    uint8_t digest[DIGEST_LEN];
    for (int i = 0; i < 5; i++) fws_store_be32(digest + 4 * i, state[i]);
    fws_base64_encode(out, digest, DIGEST_LEN);
    return 1;
}
