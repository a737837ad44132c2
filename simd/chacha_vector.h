/* SPDX-License-Identifier: MIT */
/* ChaCha20 in vectors, written once for all rows.
 *
 * The 16 words of a block (RFC 8439 2.3) are four rows of four words, and each row is a vector: a round of columns is
 * a quarter round on whole vectors, and turning three of them by one, two and three words makes columns of diagonals.
 * A wider vector has the same row of several blocks. Four such groups take turns, because the steps of one wait for
 * each other. The alternative, a vector for each word, saves the turning, but has to sort the words of all blocks at
 * the end.
 *
 * To be defined before it is included:
 *   CHACHA_NAME, CHACHA_TARGET   the cell, and the instructions that it uses
 *   CHACHA_VECTOR                of 32-bit words
 *   CHACHA_VECTOR_BLOCKS         how many rows of four words it holds
 *   words_load_row(src)          16 bytes, in every row of the vector
 *   words_counters(n)            n + i in the first word of row i, 0 in the others
 *   words_add, words_xor         word by word
 *   words_rotate(v, n)           each word to the left by 16, 12, 8 or 7 bits
 *   words_turn(v, n)             word i of each row becomes what word (i + n) % 4 was
 *   words_store_blocks(dst, a, b, c, d)   row by row, block by block */
#include "chacha_words.h"

#define GROUP_LEN (FWS_CHACHA_BLOCK_LEN * CHACHA_VECTOR_BLOCKS)

struct rows {
    CHACHA_VECTOR a, b, c, d;
};

/* RFC 8439 2.1, on four columns of each block. */
CHACHA_TARGET static FWS_ALWAYS_INLINE struct rows quarter_rounds(struct rows x) {
    x.a = words_add(x.a, x.b);
    x.d = words_xor(x.d, x.a);
    x.d = words_rotate(x.d, 16);
    x.c = words_add(x.c, x.d);
    x.b = words_xor(x.b, x.c);
    x.b = words_rotate(x.b, 12);
    x.a = words_add(x.a, x.b);
    x.d = words_xor(x.d, x.a);
    x.d = words_rotate(x.d, 8);
    x.c = words_add(x.c, x.d);
    x.b = words_xor(x.b, x.c);
    x.b = words_rotate(x.b, 7);
    return x;
}

CHACHA_TARGET static FWS_ALWAYS_INLINE struct rows double_round(struct rows x) {
    x = quarter_rounds(x);
    x.b = words_turn(x.b, 1);
    x.c = words_turn(x.c, 2);
    x.d = words_turn(x.d, 3);
    x = quarter_rounds(x);
    x.b = words_turn(x.b, 3);
    x.c = words_turn(x.c, 2);
    x.d = words_turn(x.d, 1);
    return x;
}

/* The input with the counters of the group that begins n blocks later. */
CHACHA_TARGET static FWS_ALWAYS_INLINE struct rows group_at(struct rows input, uint32_t n) {
    input.d = words_add(input.d, words_counters(n));
    return input;
}

CHACHA_TARGET static FWS_ALWAYS_INLINE void write_group(uint8_t *dst, struct rows x, struct rows input) {
    words_store_blocks(dst, words_add(x.a, input.a), words_add(x.b, input.b), words_add(x.c, input.c),
                        words_add(x.d, input.d));
}

/* Writes 4 * CHACHA_VECTOR_BLOCKS blocks, the first of them n blocks behind the input's. */
CHACHA_TARGET static FWS_ALWAYS_INLINE void write_groups(uint8_t *dst, struct rows input, uint32_t n) {
    const struct rows input_x = group_at(input, n), input_y = group_at(input, n + CHACHA_VECTOR_BLOCKS);
    const struct rows input_z = group_at(input, n + 2 * CHACHA_VECTOR_BLOCKS);
    const struct rows input_w = group_at(input, n + 3 * CHACHA_VECTOR_BLOCKS);
    struct rows x = input_x, y = input_y, z = input_z, w = input_w;
    for (int i = 0; i < 10; i++) {
        x = double_round(x);
        y = double_round(y);
        z = double_round(z);
        w = double_round(w);
    }
    write_group(dst, x, input_x);
    write_group(dst + GROUP_LEN, y, input_y);
    write_group(dst + 2 * GROUP_LEN, z, input_z);
    write_group(dst + 3 * GROUP_LEN, w, input_w);
}

FWS_ENTRY CHACHA_TARGET
void CHACHA_NAME(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,
                 const uint8_t nonce[FWS_CHACHA_NONCE_LEN]) {
    uint32_t last[4] = {counter};
    memcpy(last + 1, nonce, FWS_CHACHA_NONCE_LEN);
    const struct rows input = {words_load_row(chacha_constants), words_load_row(key), words_load_row(key + 16),
                               words_load_row(last)};
    size_t i = 0;
    for (; count - i >= 4 * CHACHA_VECTOR_BLOCKS; i += 4 * CHACHA_VECTOR_BLOCKS)
        write_groups(dst + FWS_CHACHA_BLOCK_LEN * i, input, (uint32_t)i);
    if (i == count) return;
    uint8_t rest[4 * GROUP_LEN];
    write_groups(rest, input, (uint32_t)i);
    memcpy(dst + FWS_CHACHA_BLOCK_LEN * i, rest, FWS_CHACHA_BLOCK_LEN * (count - i));
}
