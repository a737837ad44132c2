/* SPDX-License-Identifier: MIT */
/* The public UTF-8 check: what it keeps between calls, and what it says afterwards. The kernels behind it are tested
 * in kernels/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fastws/error.h>
#include <fastws/utf8.h>

static const struct {
    const char *text;
    size_t len;
    int result;            /* of update, then finish */
    uint64_t error_offset; /* or len */
    int is_ascii;
} cases[] = {
    {"", 0, 0, 0, 1},
    {"hello", 5, 0, 5, 1},
    {"\0\x7f", 2, 0, 2, 1},                                     /* U+0000 and U+007F */
    {"h\xc3\xa9", 3, 0, 3, 0},                                  /* U+00E9 */
    {"\xe2\x82\xac", 3, 0, 3, 0},                               /* U+20AC */
    {"\xed\x9f\xbf\xee\x80\x80", 6, 0, 6, 0},                   /* the neighbours of the surrogates */
    {"\xf4\x8f\xbf\xbf", 4, 0, 4, 0},                           /* U+10FFFF */
    {"\x80", 1, FASTWS_ERR_UTF8, 0, 0},                         /* continuation without a start */
    {"ab\xc3(", 4, FASTWS_ERR_UTF8, 3, 0},                      /* continuation missing */
    {"\xc0\xaf", 2, FASTWS_ERR_UTF8, 0, 0},                     /* overlong in two bytes */
    {"\xe0\x80\xaf", 3, FASTWS_ERR_UTF8, 1, 0},                 /* overlong in three */
    {"\xf0\x80\x80\xaf", 4, FASTWS_ERR_UTF8, 1, 0},             /* overlong in four */
    {"\xed\xa0\x80", 3, FASTWS_ERR_UTF8, 1, 0},                 /* U+D800 */
    {"\xf4\x90\x80\x80", 4, FASTWS_ERR_UTF8, 1, 0},             /* U+110000 */
    {"\xf5", 1, FASTWS_ERR_UTF8, 0, 0},
    {"\xff", 1, FASTWS_ERR_UTF8, 0, 0},
    {"abcdefghijklmnopqrstuvwxyz\xe2\x82", 28, FASTWS_ERR_UTF8, 28, 0}, /* ends inside a character */
};
#define CASE_COUNT (sizeof cases / sizeof *cases)

static int result_of(struct fastws_utf8 *utf8, const char *text, size_t len, size_t piece) {
    for (size_t i = 0; i < len; i += piece) {
        if (fastws_utf8_update(utf8, text + i, piece < len - i ? piece : len - i) < 0) break;
    }
    return fastws_utf8_finish(utf8);
}

static void says_what_and_where_in_pieces_of_any_size(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        for (size_t piece = 1; piece <= cases[i].len + 1; piece++) {
            struct fastws_utf8 utf8 = FASTWS_UTF8_INIT;
            assert_int_equal(result_of(&utf8, cases[i].text, cases[i].len, piece), cases[i].result);
            assert_int_equal(fastws_utf8_error_offset(&utf8), cases[i].error_offset);
            assert_int_equal(fastws_utf8_is_ascii(&utf8), cases[i].is_ascii);
        }
        assert_int_equal(fastws_utf8_is_valid(cases[i].text, cases[i].len), cases[i].result == 0);
    }
}

static void fails_with_the_first_bad_byte_and_not_before(void **unused) {
    (void)unused;
    struct fastws_utf8 utf8;
    fastws_utf8_init(&utf8);
    assert_int_equal(fastws_utf8_update(&utf8, "\xed", 1), 0);
    assert_int_equal(fastws_utf8_update(&utf8, "\xa0", 1), FASTWS_ERR_UTF8);
    assert_int_equal(fastws_utf8_error_offset(&utf8), 1);
}

static void stays_bad_until_it_is_started_again(void **unused) {
    (void)unused;
    struct fastws_utf8 utf8 = FASTWS_UTF8_INIT;
    assert_int_equal(fastws_utf8_update(&utf8, "ab\xff", 3), FASTWS_ERR_UTF8);
    assert_int_equal(fastws_utf8_update(&utf8, "good", 4), FASTWS_ERR_UTF8);
    assert_int_equal(fastws_utf8_update(&utf8, NULL, 0), FASTWS_ERR_UTF8);
    assert_int_equal(fastws_utf8_finish(&utf8), FASTWS_ERR_UTF8);
    assert_int_equal(fastws_utf8_error_offset(&utf8), 2);
    assert_int_equal(fastws_utf8_is_ascii(&utf8), 0);
    fastws_utf8_init(&utf8);
    assert_int_equal(fastws_utf8_update(&utf8, "good", 4), 0);
    assert_int_equal(fastws_utf8_finish(&utf8), 0);
    assert_int_equal(fastws_utf8_is_ascii(&utf8), 1);
}

static void may_go_on_after_finish(void **unused) {
    (void)unused;
    struct fastws_utf8 utf8 = FASTWS_UTF8_INIT;
    assert_int_equal(fastws_utf8_update(&utf8, "a\xe2\x82", 3), 0);
    assert_int_equal(fastws_utf8_finish(&utf8), FASTWS_ERR_UTF8);
    assert_int_equal(fastws_utf8_update(&utf8, "\xac", 1), 0);
    assert_int_equal(fastws_utf8_finish(&utf8), 0);
    assert_int_equal(fastws_utf8_error_offset(&utf8), 4);
}

static void takes_null_for_nothing(void **unused) {
    (void)unused;
    struct fastws_utf8 utf8 = FASTWS_UTF8_INIT;
    assert_int_equal(fastws_utf8_update(&utf8, NULL, 0), 0);
    assert_int_equal(fastws_utf8_finish(&utf8), 0);
    assert_int_equal(fastws_utf8_is_valid(NULL, 0), 1);
}

static void starts_from_all_zero_memory(void **unused) {
    (void)unused;
    struct fastws_utf8 zero;
    memset(&zero, 0, sizeof zero);
    assert_int_equal(fastws_utf8_update(&zero, "\xc3\xa9", 2), 0);
    assert_int_equal(fastws_utf8_finish(&zero), 0);
    assert_int_equal(fastws_utf8_is_ascii(&zero), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_and_where_in_pieces_of_any_size),
        cmocka_unit_test(fails_with_the_first_bad_byte_and_not_before),
        cmocka_unit_test(stays_bad_until_it_is_started_again),
        cmocka_unit_test(may_go_on_after_finish),
        cmocka_unit_test(takes_null_for_nothing),
        cmocka_unit_test(starts_from_all_zero_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
