/* SPDX-License-Identifier: MIT */
/* ChaCha20: every row writes the blocks that the scalar one writes one by one, wherever they lie. Input: how many
 * blocks, where they lie, the counter in four bytes, key and nonce; what is missing is zero. */
#include "row_checks.h"

/* More than two times what the widest row does at once, and one more. */
enum { COUNT_MAX = 33, ALIGNMENTS = 64 };

struct input {
    uint8_t count;
    uint8_t place;
    uint8_t counter[4];
    uint8_t key[FWS_CHACHA_KEY_LEN];
    uint8_t nonce[FWS_CHACHA_NONCE_LEN];
};

static void write_singly(uint8_t *dst, size_t count, const struct input *in) {
    uint32_t counter = fws_load_u32(in->counter);
    for (size_t i = 0; i < count; i++)
        fws_chacha_scalar(dst + FWS_CHACHA_BLOCK_LEN * i, 1, in->key, counter + (uint32_t)i, in->nonce);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {0};
    if (size > 0) memcpy(&in, data, size < sizeof in ? size : sizeof in);
    size_t count = in.count % (COUNT_MAX + 1), len = count * FWS_CHACHA_BLOCK_LEN, off = in.place % ALIGNMENTS;
    struct exact expected = exact_alloc(0, len), key = exact_copy(0, in.key, sizeof in.key);
    struct exact nonce = exact_copy(0, in.nonce, sizeof in.nonce);
    write_singly(expected.ptr, count, &in);
    const struct fws_kernels *row;
    for (int i = 0; (row = next_cell(&i, offsetof(struct fws_kernels, chacha)));) {
        struct exact got = exact_alloc(off, len);
        memset(got.block, 0xee, off);
        row->chacha(got.ptr, count, key.ptr, fws_load_u32(in.counter), nonce.ptr);
        REQUIRE(row, memcmp(got.ptr, expected.ptr, len) == 0);
        for (size_t k = 0; k < off; k++) REQUIRE(row, got.block[k] == 0xee);
        free(got.block);
    }
    free(expected.block);
    free(key.block);
    free(nonce.block);
    return 0;
}
