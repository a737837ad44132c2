/* SPDX-License-Identifier: MIT */
/* ChaCha20 in words of 4 bytes, on any CPU. */
#include "kernels.h"

#include "chacha_words.h"

static uint32_t rotate(uint32_t v, int n) { return v << n | v >> (32 - n); }

/* RFC 8439 2.1. */
static FWS_ALWAYS_INLINE void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
    *a += *b, *d = rotate(*d ^ *a, 16);
    *c += *d, *b = rotate(*b ^ *c, 12);
    *a += *b, *d = rotate(*d ^ *a, 8);
    *c += *d, *b = rotate(*b ^ *c, 7);
}

/* RFC 8439 2.3: ten times the columns, then the diagonals; the input is added at the end. */
static void write_block(uint8_t *dst, const uint32_t input[16]) {
    uint32_t x[16];
    memcpy(x, input, sizeof x);
    for (int i = 0; i < 10; i++) {
        quarter_round(&x[0], &x[4], &x[8], &x[12]);
        quarter_round(&x[1], &x[5], &x[9], &x[13]);
        quarter_round(&x[2], &x[6], &x[10], &x[14]);
        quarter_round(&x[3], &x[7], &x[11], &x[15]);
        quarter_round(&x[0], &x[5], &x[10], &x[15]);
        quarter_round(&x[1], &x[6], &x[11], &x[12]);
        quarter_round(&x[2], &x[7], &x[8], &x[13]);
        quarter_round(&x[3], &x[4], &x[9], &x[14]);
    }
    for (int i = 0; i < 16; i++) fws_store_le32(dst + 4 * i, x[i] + input[i]);
}

void fws_chacha_scalar(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,
                       const uint8_t nonce[FWS_CHACHA_NONCE_LEN]) {
    uint32_t input[16];
    memcpy(input, chacha_constants, sizeof chacha_constants);
    for (int i = 0; i < 8; i++) input[4 + i] = fws_load_le32(key + 4 * i);
    for (int i = 0; i < 3; i++) input[13 + i] = fws_load_le32(nonce + 4 * i);
    for (size_t block = 0; block < count; block++) {
        input[12] = counter + (uint32_t)block;
        write_block(dst + FWS_CHACHA_BLOCK_LEN * block, input);
    }
}
