/* SPDX-License-Identifier: MIT */
/* Answers to keys: every row against SHA-1 and base64 as FIPS 180-4 and RFC 4648 spell them out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fastws/handshake.h>

#include "guard.h"
#include "rows.h"
#include "simd/accept_words.h"

#define BLOCK 64
#define DIGEST_LEN 20
#define MESSAGE_LEN (FWS_KEY_LEN + sizeof FASTWS_HANDSHAKE_GUID - 1)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint32_t random_state = 1;
static uint32_t random_below(uint32_t bound) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

/* The oracle: FIPS 180-4, step by step. */
static uint32_t rotated(uint32_t v, int n) { return v << n | v >> (32 - n); }

/* 6.1.2, step 1. */
static void schedule(uint32_t w[80], const uint8_t block[BLOCK]) {
    for (int t = 0; t < 16; t++) w[t] = fws_load_be32(block + 4 * t);
    for (int t = 16; t < 80; t++) w[t] = rotated(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
}

/* 4.1.1 and 4.2.1. */
static uint32_t f_and_k(int t, uint32_t x, uint32_t y, uint32_t z) {
    if (t < 20) return ((x & y) ^ (~x & z)) + 0x5a827999;
    if (t < 40) return (x ^ y ^ z) + 0x6ed9eba1;
    if (t < 60) return ((x & y) ^ (x & z) ^ (y & z)) + 0x8f1bbcdc;
    return (x ^ y ^ z) + 0xca62c1d6;
}

/* 6.1.2, steps 2 to 4. */
static void hash_block(uint32_t state[5], const uint8_t block[BLOCK]) {
    uint32_t w[80], v[5];
    schedule(w, block);
    memcpy(v, state, sizeof v);
    for (int t = 0; t < 80; t++) {
        uint32_t sum = rotated(v[0], 5) + f_and_k(t, v[1], v[2], v[3]) + v[4] + w[t];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = rotated(v[1], 30);
        v[1] = v[0];
        v[0] = sum;
    }
    for (int i = 0; i < 5; i++) state[i] += v[i];
}

/* 5.1.1: the message, one bit, zeros, the length in bits. Writes whole blocks to dst and returns how many. */
static size_t pad(uint8_t *dst, const void *message, size_t len) {
    size_t blocks = (len + 9 + BLOCK - 1) / BLOCK;
    memset(dst, 0, blocks * BLOCK);
    memcpy(dst, message, len);
    dst[len] = 0x80;
    fws_store_be64(dst + blocks * BLOCK - 8, 8 * (uint64_t)len);
    return blocks;
}

static void sha1(uint8_t digest[DIGEST_LEN], const void *message, size_t len) {
    static uint8_t padded[1000000 + 2 * BLOCK];
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t blocks = pad(padded, message, len);
    for (size_t i = 0; i < blocks; i++) hash_block(state, padded + i * BLOCK);
    for (int i = 0; i < 5; i++) fws_store_be32(digest + 4 * i, state[i]);
}

/* 20 bytes are 160 bits: 26 letters of 6 bits, one of 4, and a pad. */
static void encode(char out[FWS_ACCEPT_LEN + 1], const uint8_t digest[DIGEST_LEN]) {
    for (int letter = 0; letter < 27; letter++) {
        unsigned value = 0;
        for (int bit = 6 * letter; bit < 6 * letter + 6; bit++)
            value = value << 1 | (bit < 8 * DIGEST_LEN ? (unsigned)digest[bit / 8] >> (7 - bit % 8) & 1u : 0u);
        out[letter] = alphabet[value];
    }
    out[27] = '=';
    out[28] = '\0';
}

static void message_of(uint8_t message[MESSAGE_LEN], const uint8_t key[FWS_KEY_LEN]) {
    memcpy(message, key, FWS_KEY_LEN);
    memcpy(message + FWS_KEY_LEN, FASTWS_HANDSHAKE_GUID, MESSAGE_LEN - FWS_KEY_LEN);
}

static void accept_naively(char out[FWS_ACCEPT_LEN + 1], const uint8_t key[FWS_KEY_LEN]) {
    uint8_t message[MESSAGE_LEN], digest[DIGEST_LEN];
    message_of(message, key);
    sha1(digest, message, sizeof message);
    encode(out, digest);
}

/* 128 bits are 21 letters of 6 bits, one of 2 bits in front of 4 zeros, and two pads. */
static int is_key_naively(const uint8_t key[FWS_KEY_LEN]) {
    for (int i = 0; i < 22; i++) {
        const char *letter = key[i] ? strchr(alphabet, key[i]) : NULL;
        if (!letter || (i == 21 && (letter - alphabet) % 16 != 0)) return 0;
    }
    return key[22] == '=' && key[23] == '=';
}

static void make_key(uint8_t key[FWS_KEY_LEN]) {
    for (int i = 0; i < 21; i++) key[i] = (uint8_t)alphabet[random_below(64)];
    key[21] = (uint8_t)alphabet[16 * random_below(4)];
    key[22] = key[23] = '=';
}

/* Buffers with a guard page right behind, and right before. */
static uint8_t *key_before_guard, *key_behind_guard, *out_before_guard, *out_behind_guard;

static void check_row(const struct fws_kernels *row, uint8_t *key_place, uint8_t *out_place, const uint8_t *key,
                      const char *expected) {
    char untouched[FWS_ACCEPT_LEN];
    memset(untouched, '#', sizeof untouched);
    memcpy(key_place, key, FWS_KEY_LEN);
    memcpy(out_place, untouched, sizeof untouched);
    uint32_t state[5];
    int accepted = row->accept((char *)out_place, state, key_place);
    if (accepted != (expected != NULL)) fail_msg("%s: %.24s: returned %d", row->name, (const char *)key, accepted);
    if (memcmp(out_place, expected ? expected : untouched, FWS_ACCEPT_LEN) != 0)
        fail_msg("%s: %.24s: wrote %.28s", row->name, (const char *)key, (const char *)out_place);
    assert_memory_equal(key_place, key, FWS_KEY_LEN);
}

/* The first step by one row and the second by another. */
static void check_steps(const struct fws_kernels *row, const struct fws_kernels *other, const uint8_t *key,
                        const char *expected) {
    uint32_t state[7] = {0x5a5a5a5a, 0, 0, 0, 0, 0, 0x5a5a5a5a};
    memcpy(key_before_guard, key, FWS_KEY_LEN);
    int accepted = row->accept(NULL, state + 1, key_before_guard);
    if (accepted != (expected != NULL)) fail_msg("%s: %.24s: returned %d", row->name, (const char *)key, accepted);
    assert_int_equal(state[0], 0x5a5a5a5a);
    assert_int_equal(state[6], 0x5a5a5a5a);
    if (!accepted) return;
    assert_int_equal(other->accept((char *)out_before_guard, state + 1, NULL), 1);
    if (memcmp(out_before_guard, expected, FWS_ACCEPT_LEN) != 0)
        fail_msg("%s, then %s: %.24s", row->name, other->name, (const char *)key);
    assert_int_equal(state[0], 0x5a5a5a5a);
    assert_int_equal(state[6], 0x5a5a5a5a);
}

static void check_all_rows(const uint8_t key[FWS_KEY_LEN]) {
    char answer[FWS_ACCEPT_LEN + 1];
    int is_key = is_key_naively(key);
    if (is_key) accept_naively(answer, key);
    const struct fws_kernels *row;
    for (int i = 0; (row = test_row(i)); i++) {
        check_row(row, key_before_guard, out_before_guard, key, is_key ? answer : NULL);
        check_row(row, key_behind_guard, out_behind_guard, key, is_key ? answer : NULL);
        const struct fws_kernels *other = test_row(i + 1) ? test_row(i + 1) : test_row(0);
        check_steps(row, row, key, is_key ? answer : NULL);
        check_steps(row, other, key, is_key ? answer : NULL);
        check_steps(row, fws_kernels_at(0), key, is_key ? answer : NULL);
    }
}

static void the_oracle_knows_the_vectors_of_rfc_3174(void **unused) {
    (void)unused;
    static char million[1000000];
    memset(million, 'a', sizeof million);
    char eighty[640]; /* "01234567" eighty times */
    for (size_t i = 0; i < sizeof eighty; i++) eighty[i] = (char)('0' + i % 8);
    const struct { const char *message; size_t len; const char *digest; } vectors[] = {
        {"abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {million, sizeof million, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
        {eighty, sizeof eighty, "dea356a2cddd90c7a7ecedc5ebb563934f460452"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t digest[DIGEST_LEN];
        char hex[2 * DIGEST_LEN + 1];
        sha1(digest, vectors[i].message, vectors[i].len);
        for (int k = 0; k < DIGEST_LEN; k++) snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        assert_string_equal(hex, vectors[i].digest);
    }
}

/* The words that no key changes, from the padded message. */
static void the_constant_words_are_those_of_the_message(void **unused) {
    (void)unused;
    uint8_t message[MESSAGE_LEN], blocks[3 * BLOCK], key[FWS_KEY_LEN];
    make_key(key);
    message_of(message, key);
    assert_int_equal(pad(blocks, message, sizeof message), 2);
    uint32_t w[80];
    schedule(w, blocks);
    assert_memory_equal(accept_first_words, w + ACCEPT_KEY_WORDS, sizeof accept_first_words);
    schedule(w, blocks + BLOCK);
    assert_memory_equal(accept_last_words, w, sizeof w);
}

/* Written out without the oracle, so that the two cannot be wrong together. */
static void all_rows_answer_known_keys(void **unused) {
    (void)unused;
    static const struct { const char *key, *answer; } cases[] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, /* RFC 6455 1.3 */
        {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
        {"/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="},
        {"8PHy8/T19vf4+fr7/P3+/w==", "o1HBjBrgy9KLkiDEDur3dyqqLEs="},
    };
    const struct fws_kernels *row;
    for (int i = 0; (row = test_row(i)); i++) {
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            check_row(row, key_before_guard, out_before_guard, (const uint8_t *)cases[k].key, cases[k].answer);
    }
}

static void all_rows_agree_on_random_keys(void **unused) {
    (void)unused;
    uint8_t key[FWS_KEY_LEN];
    for (int round = 0; round < 20000; round++) {
        make_key(key);
        check_all_rows(key);
    }
}

/* Every byte at every place of a key. */
static void all_rows_judge_every_byte_alike(void **unused) {
    (void)unused;
    uint8_t key[FWS_KEY_LEN];
    for (int i = 0; i < FWS_KEY_LEN; i++) {
        make_key(key);
        for (int byte = 0; byte < 256; byte++) {
            key[i] = (uint8_t)byte;
            check_all_rows(key);
        }
    }
}

/* Two bytes at once: what is wrong with one must not be mended by the other. */
static void all_rows_judge_pairs_of_bytes_alike(void **unused) {
    (void)unused;
    uint8_t key[FWS_KEY_LEN];
    for (int round = 0; round < 20000; round++) {
        make_key(key);
        for (int k = 0; k < 2; k++) key[random_below(FWS_KEY_LEN)] = (uint8_t)random_below(256);
        check_all_rows(key);
    }
}

int main(void) {
    key_before_guard = guard_alloc_end(FWS_KEY_LEN);
    key_behind_guard = guard_alloc_start(FWS_KEY_LEN);
    out_before_guard = guard_alloc_end(FWS_ACCEPT_LEN);
    out_behind_guard = guard_alloc_start(FWS_ACCEPT_LEN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oracle_knows_the_vectors_of_rfc_3174),
        cmocka_unit_test(the_constant_words_are_those_of_the_message),
        cmocka_unit_test(all_rows_answer_known_keys),
        cmocka_unit_test(all_rows_agree_on_random_keys),
        cmocka_unit_test(all_rows_judge_every_byte_alike),
        cmocka_unit_test(all_rows_judge_pairs_of_bytes_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
