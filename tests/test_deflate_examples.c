/* SPDX-License-Identifier: MIT */
/* The examples of RFC 7692 section 7.2.3, byte for byte. */
#include "deflating.h"

static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};

static void compresses_the_example_of_one_block(void **state) {
    (void)state;
    struct deflating it;
    deflating_start(&it, FASTWS_DEFLATE_NO_TAKEOVER);
    compress_message(&it, "Hello", 5); /* 7.2.3.1; gobwas/ws writes five bytes more */
    expect_bytes(&it, hello, sizeof hello);
    compress_message(&it, "Hello", 5); /* 7.2.3.2: without the window it is the same again */
    expect_bytes(&it, hello, sizeof hello);
    deflating_close(&it);
}

static void compresses_the_example_of_a_shared_window(void **state) {
    (void)state;
    static const uint8_t again[] = {0xf2, 0x00, 0x11, 0x00, 0x00}; /* 7.2.3.2 */
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_TAIL; mode++) {
        struct deflating it;
        deflating_prepare(&it, (enum fastws_deflate_mode)mode);
        it.config.level = 6; /* its match begins at the second letter, as lazy matching has it */
        deflating_open(&it, FASTWS_STATE_SERVER);
        compress_message(&it, "Hello", 5);
        expect_bytes(&it, hello, sizeof hello);
        compress_message(&it, "Hello", 5);
        expect_bytes(&it, again, sizeof again);
        deflating_close(&it);
    }
}

static void compresses_the_example_of_a_stored_block(void **state) {
    (void)state;
    static const uint8_t stored[] = {0x00, 0x05, 0x00, 0xfa, 0xff, 'H', 'e', 'l', 'l', 'o', 0x00}; /* 7.2.3.3 */
    struct deflating it;
    deflating_prepare(&it, FASTWS_DEFLATE_NO_TAKEOVER);
    it.config.level = 0;
    deflating_open(&it, FASTWS_STATE_SERVER);
    compress_message(&it, "Hello", 5);
    expect_bytes(&it, stored, sizeof stored);
    deflating_close(&it);
}

static void inflates_all_examples(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[16];
        size_t len;
    } examples[] = {
        {{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, 7},                                        /* 7.2.3.1 */
        {{0xf2, 0x00, 0x11, 0x00, 0x00}, 5},                                                    /* 7.2.3.2 */
        {{0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}, 11},               /* 7.2.3.3 */
        {{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}, 8},                                  /* 7.2.3.4: BFINAL */
        {{0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00}, 13},   /* 7.2.3.5 */
        {{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff, 0x01}, 12},         /* gobwas/ws */
        {{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, 7},                                        /* no block behind it */
        {{0xf2, 0x00, 0x11, 0x00, 0x00}, 5},                                                    /* what BFINAL left */
    };
    struct deflating it;
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        expect_inflated(&it, examples[i].bytes, examples[i].len, "Hello", 5);
    expect_inflated(&it, "\0", 1, "", 0); /* 7.2.3.6 */
    deflating_close(&it);
}

static void compresses_empty_messages_to_one_byte(void **state) {
    (void)state;
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct deflating it;
        struct stock *stock = stock_new(15, 15, 1);
        deflating_start(&it, (enum fastws_deflate_mode)mode);
        for (int i = 0; i < 3; i++) {
            compress_message(&it, NULL, 0); /* 7.2.3.6 */
            expect_bytes(&it, "\0", 1);
            expect_stock_reads(stock, &it, "", 0);
            compress_message(&it, "Hello", 5);
            expect_stock_reads(stock, &it, "Hello", 5);
        }
        deflating_close(&it);
        stock_free(stock);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compresses_the_example_of_one_block),
        cmocka_unit_test(compresses_the_example_of_a_shared_window),
        cmocka_unit_test(compresses_the_example_of_a_stored_block),
        cmocka_unit_test(inflates_all_examples),
        cmocka_unit_test(compresses_empty_messages_to_one_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
