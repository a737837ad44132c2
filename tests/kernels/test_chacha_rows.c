/* SPDX-License-Identifier: MIT */
/* ChaCha20: every row gives the vectors of RFC 8439, and what the scalar row gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "rows.h"

/* More than two times what the widest row does at once, and one more. */
enum { COUNT_MAX = 33, BLOCK = FWS_CHACHA_BLOCK_LEN };

/* 2.3.2: the key, counter 1 and a nonce with a 9 and a 4a. */
static const uint8_t rfc_key[FWS_CHACHA_KEY_LEN] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
static const uint8_t rfc_nonce[FWS_CHACHA_NONCE_LEN] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
static const uint8_t rfc_block[BLOCK] = {
    0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4,
    0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e,
    0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2,
    0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
};

/* A.1, vectors 1 and 2: a key and a nonce of zeros, counters 0 and 1. */
static const uint8_t zero_blocks[2 * BLOCK] = {
    0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
    0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7,
    0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37,
    0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86,
    0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d,
    0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6, 0x53, 0x3e, 0x32, 0xee, 0x7a, 0xed,
    0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e, 0x43, 0xd5, 0x71, 0x33, 0xb0, 0x74, 0xd8, 0x39, 0xd5,
    0x31, 0xed, 0x1f, 0x28, 0x51, 0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f, 0x4b, 0x79, 0x4d, 0x6f,
};

static void gives_the_blocks_of_rfc_8439(void **state) {
    (void)state;
    static const uint8_t zeros[FWS_CHACHA_KEY_LEN];
    const struct fws_kernels *row;
    for (int i = 0; (row = test_row(i)); i++) {
        uint8_t block[BLOCK], blocks[2 * BLOCK];
        row->chacha(block, 1, rfc_key, 1, rfc_nonce);
        if (memcmp(block, rfc_block, sizeof block) != 0) fail_msg("%s: not the block of 2.3.2", row->name);
        row->chacha(blocks, 2, zeros, 0, zeros);
        if (memcmp(blocks, zero_blocks, sizeof blocks) != 0) fail_msg("%s: not the blocks of A.1", row->name);
    }
}

/* Counters that pass 2^32 within a group, between two, and not at all. */
static const uint32_t counters[] = {0, 1, 0x7fffffff, UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 3, UINT32_MAX - 15};

/* One block at a time: what a run of blocks has to be made of. */
static void write_singly(uint8_t *dst, size_t count, const uint8_t *key, uint32_t counter, const uint8_t *nonce) {
    for (size_t i = 0; i < count; i++) fws_chacha_scalar(dst + BLOCK * i, 1, key, counter + (uint32_t)i, nonce);
}

static void gives_what_the_scalar_row_gives_for_every_count_and_counter(void **state) {
    (void)state;
    uint8_t expected[BLOCK * COUNT_MAX], got[BLOCK * COUNT_MAX + 16];
    const struct fws_kernels *row;
    for (size_t c = 0; c < sizeof counters / sizeof counters[0]; c++) {
        write_singly(expected, COUNT_MAX, rfc_key, counters[c], rfc_nonce);
        for (int i = 0; (row = test_row(i)); i++) {
            for (size_t count = 0; count <= COUNT_MAX; count++) {
                memset(got, 0xa5, sizeof got);
                row->chacha(got, count, rfc_key, counters[c], rfc_nonce);
                if (memcmp(got, expected, BLOCK * count) != 0)
                    fail_msg("%s: %zu blocks from %lx on", row->name, count, (unsigned long)counters[c]);
                for (size_t k = BLOCK * count; k < sizeof got; k++) assert_int_equal(got[k], 0xa5);
            }
        }
    }
}

/* Each bit of key and nonce turns blocks into others, in each row into the same. */
static void every_bit_of_key_and_nonce_counts(void **state) {
    (void)state;
    const struct fws_kernels *row;
    for (size_t bit = 0; bit < 8 * (FWS_CHACHA_KEY_LEN + FWS_CHACHA_NONCE_LEN); bit++) {
        uint8_t input[FWS_CHACHA_KEY_LEN + FWS_CHACHA_NONCE_LEN], expected[BLOCK * 5], got[BLOCK * 5];
        memcpy(input, rfc_key, sizeof rfc_key);
        memcpy(input + FWS_CHACHA_KEY_LEN, rfc_nonce, sizeof rfc_nonce);
        input[bit / 8] ^= (uint8_t)(1u << bit % 8);
        write_singly(expected, 5, input, 1, input + FWS_CHACHA_KEY_LEN);
        assert_memory_not_equal(expected, rfc_block, BLOCK);
        for (int i = 0; (row = test_row(i)); i++) {
            row->chacha(got, 5, input, 1, input + FWS_CHACHA_KEY_LEN);
            if (memcmp(got, expected, sizeof got) != 0) fail_msg("%s: bit %zu", row->name, bit);
        }
    }
}

static void stays_between_guard_pages_at_any_alignment(void **state) {
    (void)state;
    enum { PLACES = 8 };
    uint8_t *key = guard_alloc_end(FWS_CHACHA_KEY_LEN), *nonce = guard_alloc_end(FWS_CHACHA_NONCE_LEN);
    uint8_t *first = guard_alloc_start(BLOCK * COUNT_MAX), *dst = guard_alloc_end(BLOCK * COUNT_MAX + PLACES);
    uint8_t expected[BLOCK * COUNT_MAX];
    memcpy(key, rfc_key, FWS_CHACHA_KEY_LEN);
    memcpy(nonce, rfc_nonce, FWS_CHACHA_NONCE_LEN);
    write_singly(expected, COUNT_MAX, rfc_key, 7, rfc_nonce);
    const struct fws_kernels *row;
    for (int i = 0; (row = test_row(i)); i++) {
        for (size_t place = 0; place <= PLACES; place++) {
            for (size_t count = COUNT_MAX - 17; count <= COUNT_MAX; count++) {
                uint8_t *start = dst + place + BLOCK * (COUNT_MAX - count);
                row->chacha(start, count, key, 7, nonce);
                assert_memory_equal(start, expected, BLOCK * count);
            }
        }
        row->chacha(first, COUNT_MAX, key, 7, nonce);
        assert_memory_equal(first, expected, sizeof expected);
    }
    guard_free(key, FWS_CHACHA_KEY_LEN);
    guard_free(nonce, FWS_CHACHA_NONCE_LEN);
    guard_free(first, BLOCK * COUNT_MAX);
    guard_free(dst, BLOCK * COUNT_MAX + PLACES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_blocks_of_rfc_8439),
        cmocka_unit_test(gives_what_the_scalar_row_gives_for_every_count_and_counter),
        cmocka_unit_test(every_bit_of_key_and_nonce_counts),
        cmocka_unit_test(stays_between_guard_pages_at_any_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
