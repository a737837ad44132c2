/* SPDX-License-Identifier: MIT */
/* Answers to handshake keys: every row takes and refuses what the scalar one does, with the same answer, in one call
 * and in two, each by any row. Through SIMDe there is none, as it knows no SHA instructions. Input: a byte whose lowest
 * bit says whether the key follows as it is sent, or as the 16 bytes that it encodes. */
#include "row_checks.h"

enum { RAW_LEN = 16, STATE_LEN = 5 };

/* RFC 4648 4: 16 bytes are 21 letters of 6 bits, one of 2 bits and 4 zeros, and two pads. */
static void encode(uint8_t key[FWS_KEY_LEN], const uint8_t raw[RAW_LEN]) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (unsigned bit = 0; bit < 8 * RAW_LEN; bit += 6) {
        unsigned next = bit / 8 + 1 < RAW_LEN ? raw[bit / 8 + 1] : 0;
        unsigned pair = (unsigned)raw[bit / 8] << 8 | next;
        key[bit / 6] = (uint8_t)alphabet[pair >> (10 - bit % 8) & 63];
    }
    key[22] = key[23] = '=';
}

/* What one call or two of them give. */
struct outcome {
    int is_accepted;
    uint32_t state[STATE_LEN]; /* after the first of two */
    char answer[FWS_ACCEPT_LEN];
};

static struct outcome answer_at_once(const struct fws_kernels *row, const uint8_t *key) {
    struct outcome out = {.answer = "untouched"};
    struct exact answer = exact_copy(0, (const uint8_t *)out.answer, FWS_ACCEPT_LEN);
    struct exact state = exact_alloc(0, sizeof out.state);
    out.is_accepted = row->accept((char *)answer.ptr, (uint32_t *)(void *)state.ptr, key);
    memcpy(out.answer, answer.ptr, FWS_ACCEPT_LEN);
    free(answer.block);
    free(state.block);
    return out;
}

static struct outcome answer_in_steps(const struct fws_kernels *row, const struct fws_kernels *second,
                                      const uint8_t *key) {
    struct outcome out = {.answer = "untouched"};
    struct exact answer = exact_copy(0, (const uint8_t *)out.answer, FWS_ACCEPT_LEN);
    struct exact state = exact_alloc(0, sizeof out.state);
    uint32_t *words = (uint32_t *)(void *)state.ptr;
    out.is_accepted = row->accept(NULL, words, key);
    if (out.is_accepted) {
        memcpy(out.state, words, sizeof out.state);
        REQUIRE(second, second->accept((char *)answer.ptr, words, NULL) == 1);
    }
    memcpy(out.answer, answer.ptr, FWS_ACCEPT_LEN);
    free(answer.block);
    free(state.block);
    return out;
}

static void check_key(const uint8_t *key) {
    static const struct fws_kernels scalar = {.name = "scalar", .accept = fws_accept_scalar};
    const struct outcome wanted = answer_in_steps(&scalar, &scalar, key);
    const struct fws_kernels *row, *second;
    for (int i = 0; (row = next_cell(&i, offsetof(struct fws_kernels, accept)));) {
        struct outcome got = answer_at_once(row, key);
        REQUIRE(row, got.is_accepted == wanted.is_accepted);
        REQUIRE(row, memcmp(got.answer, wanted.answer, FWS_ACCEPT_LEN) == 0);
        for (int k = 0; (second = next_cell(&k, offsetof(struct fws_kernels, accept)));) {
            got = answer_in_steps(row, second, key);
            REQUIRE(row, got.is_accepted == wanted.is_accepted);
            REQUIRE(row, memcmp(got.state, wanted.state, sizeof got.state) == 0);
            REQUIRE(second, memcmp(got.answer, wanted.answer, FWS_ACCEPT_LEN) == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t bytes[FWS_KEY_LEN] = {0};
    if (size < 1) return 0;
    size_t len = size - 1 < FWS_KEY_LEN ? size - 1 : FWS_KEY_LEN;
    memcpy(bytes, data + 1, len);
    struct exact key = exact_copy(0, bytes, FWS_KEY_LEN);
    if (data[0] & 1) encode(key.ptr, bytes);
    check_key(key.ptr);
    free(key.block);
    return 0;
}
