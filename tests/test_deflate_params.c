/* SPDX-License-Identifier: MIT */
/* The parameters of permessage-deflate as text: RFC 7692 7.1 and RFC 6455 9.1, with or without zlib. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/deflate.h>
#include <fastws/error.h>

#include "kernels/guard.h"

/* Parses text that ends at a guard page. */
static int parse(struct fastws_deflate_params *params, const char *text, int is_answer) {
    size_t len = strlen(text);
    uint8_t *guarded = guard_alloc_end(len);
    memcpy(guarded, text, len);
    int result = fastws_deflate_params_parse(params, (struct fastws_slice){(const char *)guarded, len}, is_answer);
    guard_free(guarded, len);
    return result;
}

static void expect_params(const char *text, int is_answer, struct fastws_deflate_params expected) {
    struct fastws_deflate_params params;
    assert_int_equal(parse(&params, text, is_answer), 0);
    assert_memory_equal(&params, &expected, sizeof params);
}

static void expect_refused(const char *text, int is_answer, int error) {
    struct fastws_deflate_params params, before;
    memset(&params, 0x5a, sizeof params);
    before = params;
    assert_int_equal(parse(&params, text, is_answer), error);
    assert_memory_equal(&params, &before, sizeof params);
}

static void parses_parameters(void **state) {
    (void)state;
    expect_params("", 0, (struct fastws_deflate_params){0});
    expect_params(" \t ", 1, (struct fastws_deflate_params){0});
    expect_params("server_no_context_takeover", 0, (struct fastws_deflate_params){.server_no_context_takeover = 1});
    expect_params("Client_No_Context_Takeover", 1, (struct fastws_deflate_params){.client_no_context_takeover = 1});
    expect_params("client_max_window_bits", 0, (struct fastws_deflate_params){.client_max_window_bits = 1});
    expect_params(" client_max_window_bits = 8 ;\tserver_max_window_bits=15", 0,
                  (struct fastws_deflate_params){.client_max_window_bits = 8, .server_max_window_bits = 15});
    expect_params("server_max_window_bits=\"10\"", 0, (struct fastws_deflate_params){.server_max_window_bits = 10});
    expect_params("server_max_window_bits=\"\\1\\0\"; server_no_context_takeover", 1,
                  (struct fastws_deflate_params){.server_max_window_bits = 10, .server_no_context_takeover = 1});
}

/* As fastws_option_next() does, so that every part of a handshake understands a line alike. */
static void skips_empty_parameters(void **state) {
    (void)state;
    const struct fastws_deflate_params both = {.server_no_context_takeover = 1, .client_no_context_takeover = 1};
    expect_params(";", 0, (struct fastws_deflate_params){0});
    expect_params("; server_no_context_takeover; client_no_context_takeover", 0, both);
    expect_params("server_no_context_takeover;;client_no_context_takeover ; ", 1, both);
}

static void refuses_unknown_parameters(void **state) {
    (void)state;
    expect_refused("foo", 0, FASTWS_ERR_DEFLATE_PARAM);
    expect_refused("server_no_context_takeover; foo=1", 1, FASTWS_ERR_DEFLATE_PARAM);
    expect_refused("server_max_window_bit=10", 0, FASTWS_ERR_DEFLATE_PARAM);
    expect_refused("server_max_window_bitss=10", 0, FASTWS_ERR_DEFLATE_PARAM);
}

static void refuses_values_that_the_rfc_does_not_allow(void **state) {
    (void)state;
    const char *const bad[] = {"7",  "16",  "0",   "08",       "010", "1",  "-8", "+9",
                               "8.", "0x8", "100", "\"16\"", "abc", "99", "1a", "20",
                               "\"\"", "\"1 0\"", "\"\\\"\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64] = "server_max_window_bits=";
        expect_refused(strcat(text, bad[i]), 0, FASTWS_ERR_DEFLATE_VALUE);
        memcpy(text, "client", 6);
        expect_refused(text, 0, FASTWS_ERR_DEFLATE_VALUE);
        expect_refused(text, 1, FASTWS_ERR_DEFLATE_VALUE);
    }
    expect_refused("server_max_window_bits", 0, FASTWS_ERR_DEFLATE_VALUE); /* a server always gets a number */
    expect_refused("server_max_window_bits", 1, FASTWS_ERR_DEFLATE_VALUE);
    expect_refused("client_max_window_bits", 1, FASTWS_ERR_DEFLATE_VALUE); /* without a number in offers only */
    expect_refused("server_no_context_takeover=1", 0, FASTWS_ERR_DEFLATE_VALUE);
    expect_refused("client_no_context_takeover=\"true\"", 1, FASTWS_ERR_DEFLATE_VALUE);
}

static void refuses_repeated_parameters(void **state) {
    (void)state;
    expect_refused("server_no_context_takeover; server_no_context_takeover", 0, FASTWS_ERR_DEFLATE_REPEATED);
    expect_refused("server_max_window_bits=10; SERVER_MAX_WINDOW_BITS=10", 0, FASTWS_ERR_DEFLATE_REPEATED);
    /* gobwas/ws lets this one pass. */
    expect_refused("client_max_window_bits; client_max_window_bits", 0, FASTWS_ERR_DEFLATE_REPEATED);
    expect_refused("client_max_window_bits; client_max_window_bits=10", 0, FASTWS_ERR_DEFLATE_REPEATED);
}

static void refuses_what_is_no_list_of_parameters(void **state) {
    (void)state;
    const char *const bad[] = {"server_no_context_takeover client_no_context_takeover",
                               "server_no_context_takeover, client_no_context_takeover",
                               "server_max_window_bits=",
                               "server_max_window_bits=;",
                               "server_max_window_bits==10",
                               "server_max_window_bits=\"10",
                               "server_max_window_bits=\"10\\",
                               "server_max_window_bits=\"10\\\"",
                               "server_max_window_bits=\"10\"x",
                               "=10",
                               "\"server_no_context_takeover\"",
                               "caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refused(bad[i], 0, FASTWS_ERR_HANDSHAKE_EXTENSIONS);
}

static void writes_what_it_parses(void **state) {
    (void)state;
    static const uint8_t bits[] = {0, 1, 8, 9, 10, 11, 12, 13, 14, 15};
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    size_t name_len = strlen(FASTWS_DEFLATE_NAME);
    for (unsigned i = 0; i < 2 * 2 * 10 * 10; i++) {
        struct fastws_deflate_params params = {(uint8_t)(i & 1), (uint8_t)(i >> 1 & 1), bits[i / 4 % 10], bits[i / 40]};
        if (params.server_max_window_bits == FASTWS_DEFLATE_BITS_ANY) continue;
        struct fastws_deflate_params parsed;
        int len = fastws_deflate_params_write(text, sizeof text, &params);
        assert_true(len > 0);
        assert_int_equal(fastws_deflate_params_write(text, (size_t)len - 1, &params), FASTWS_ERR_BUFFER_SIZE);
        assert_memory_equal(text, FASTWS_DEFLATE_NAME, name_len);
        size_t skipped = (size_t)len > name_len ? name_len + 2 : name_len; /* "; " */
        struct fastws_slice rest = {text + skipped, (size_t)len - skipped};
        assert_int_equal(fastws_deflate_params_parse(&parsed, rest, 0), 0);
        assert_memory_equal(&parsed, &params, sizeof params);
    }
}

static void writes_the_longest_list_in_its_order(void **state) {
    (void)state;
    const char *expected = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                           "server_max_window_bits=15; client_max_window_bits=8";
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    struct fastws_deflate_params params = {1, 1, 15, 8};
    assert_int_equal(fastws_deflate_params_write(text, sizeof text, &params), strlen(expected));
    assert_memory_equal(text, expected, strlen(expected));
}

static void refuses_to_write_what_is_not_legal(void **state) {
    (void)state;
    const struct fastws_deflate_params bad[] = {{2, 0, 0, 0}, {0, 3, 0, 0},  {0, 0, 1, 0}, {0, 0, 7, 0},
                                                {0, 0, 16, 0}, {0, 0, 0, 2}, {0, 0, 0, 7}, {0, 0, 0, 255}};
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fastws_deflate_params_write(text, sizeof text, &bad[i]), FASTWS_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_parameters),
        cmocka_unit_test(skips_empty_parameters),
        cmocka_unit_test(refuses_unknown_parameters),
        cmocka_unit_test(refuses_values_that_the_rfc_does_not_allow),
        cmocka_unit_test(refuses_repeated_parameters),
        cmocka_unit_test(refuses_what_is_no_list_of_parameters),
        cmocka_unit_test(writes_what_it_parses),
        cmocka_unit_test(writes_the_longest_list_in_its_order),
        cmocka_unit_test(refuses_to_write_what_is_not_legal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
