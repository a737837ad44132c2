/* SPDX-License-Identifier: MIT */
/* Cookie pairs: lenient, strict, and what lies between. RFC 6265. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fastws/cookies.h>
#include <fastws/error.h>

#include "kernels/guard.h"

#define SLICE(literal) ((struct fastws_slice){literal, sizeof(literal) - 1})
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Copies text to where the page behind it may not be read. The copy is there until the next call. */
static struct fastws_slice at_guard(const char *text, size_t len) {
    enum { CAP = 4096 };
    static uint8_t *buf;
    if (buf == NULL) buf = guard_alloc_end(CAP);
    assert_true(len <= CAP);
    return (struct fastws_slice){memcpy(buf + CAP - len, text, len), len};
}

enum {
    STRICT = FASTWS_COOKIE_STRICT,
    STOP = FASTWS_COOKIE_STOP,
    ANY_NAME = FASTWS_COOKIE_ANY_NAME,
    ANY_VALUE = FASTWS_COOKIE_ANY_VALUE
};

/* Writes "name=value|" for each pair, and '!' for an error, which ends it. */
static void describe(char *dst, size_t cap, const char *value, size_t len, unsigned flags) {
    struct fastws_slice rest = at_guard(value, len);
    struct fastws_cookie cookie;
    size_t at = 0;
    int result;
    dst[0] = '\0';
    while ((result = fastws_cookie_next(&cookie, &rest, flags)) > 0)
        at += (size_t)snprintf(dst + at, cap - at, "%.*s=%.*s|", (int)cookie.name.len, cookie.name.ptr,
                               (int)cookie.value.len, cookie.value.ptr);
    if (result == 0) return;
    assert_int_equal(result, FASTWS_ERR_HTTP_COOKIE);
    snprintf(dst + at, cap - at, "!");
}

static void assert_cookies(const char *value, unsigned flags, const char *expected) {
    char described[256];
    describe(described, sizeof described, value, strlen(value), flags);
    if (strcmp(described, expected) != 0) print_error("for %s\n", value);
    assert_string_equal(described, expected);
}

/* The table of gobwas/httphead. */
static void reads_cookies_as_httphead_does(void **state) {
    (void)state;
    static const struct {
        const char *value;
        unsigned flags;
        const char *cookies;
    } cases[] = {
        {"foo=bar", 0, "foo=bar|"},
        {"foo=bar; bar=baz", 0, "foo=bar|bar=baz|"},
        {"foo=bar; bar=baz; foo=bar", 0, "foo=bar|bar=baz|foo=bar|"},
        {"foo=\"bar\"", 0, "foo=bar|"},
        {"foo=", 0, "foo=|"},
        {"foo=; bar=baz", 0, "foo=|bar=baz|"},
        {"foo=\"; bar=baz", ANY_VALUE, "foo=\"|bar=baz|"},
        {"foo=\"; bar=baz", 0, "bar=baz|"},
        {"foo@example.com=1; bar=baz", 0, "bar=baz|"},
        {"foo=\"1; bar=baz", 0, "bar=baz|"},
        {"foo=bar;", 0, "foo=bar|"},
        {"foo=bar;", STRICT, "foo=bar|!"},
        {"foo=bar;bar=baz", 0, "foo=bar|bar=baz|"},
        {"foo=bar;bar=baz", STRICT, "foo=bar|!"},
        {"foo=\"bar", 0, ""},
        {"foo=bar\"", 0, ""},
        {"foo=\"bar", STOP, "!"},
        {"foo=bar\"", STOP, "!"},
        {"foo=bar ", 0, "foo=bar|"},
        {"foo=bar ", STRICT | STOP, "!"},
        {"foo=b ar", 0, "foo=b ar|"},
        {"foo=b ar", STRICT | STOP, "!"},
        {"foo= bar", STRICT | STOP, "!"},
        {"foo=\"b ar\"", 0, "foo=b ar|"},
        {"foo=\"b ar\"", STRICT | STOP, "!"},
        {"foo;bar;baz=10", 0, "foo=|bar=|baz=10|"},
        {"foo; bar; baz=10", STRICT, "baz=10|"},
        {"foo;", 0, "foo=|"},
        {"foo;", STRICT, "!"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) assert_cookies(cases[i].value, cases[i].flags, cases[i].cookies);
}

/* gobwas/httphead loses what has more than one space in front, and takes empty names. */
static void passes_over_white_space_and_empty_pairs(void **state) {
    (void)state;
    assert_cookies("a=1;  b=2", 0, "a=1|b=2|");
    assert_cookies("a=1;\tb=2\t; c=3", 0, "a=1|b=2|c=3|");
    assert_cookies("  a=1", 0, "a=1|");
    assert_cookies(";; a=1;;b=2; ;", 0, "a=1|b=2|");
    assert_cookies("", 0, "");
    assert_cookies("", STRICT, "");
    assert_cookies(" ", 0, "");
    assert_cookies("=1; a=2", 0, "a=2|");
    assert_cookies("=1; a=2", STOP, "!");
    assert_cookies("=; a=2", 0, "a=2|");
}

static void is_strict_when_told_to(void **state) {
    (void)state;
    assert_cookies("a=1; b=2", STRICT | STOP, "a=1|b=2|");
    assert_cookies("a=\"1\"; b=", STRICT | STOP, "a=1|b=|");
    assert_cookies("a=1;  b=2", STRICT | STOP, "a=1|!");
    assert_cookies("a=1;\tb=2", STRICT | STOP, "a=1|!");
    assert_cookies("a=1 ; b=2", STRICT | STOP, "!");
    assert_cookies(" a=1", STRICT | STOP, "!");
    assert_cookies("; a=1", STRICT, "!");
    assert_cookies("a=1; ", STRICT, "a=1|!");
    assert_cookies("a=1;; b=2", STRICT, "a=1|!");
    assert_cookies("a=1,2; b=2", STRICT, "b=2|");
    assert_cookies("a=\"1; b=2", STRICT, "b=2|");
}

static void takes_any_bytes_when_told_to(void **state) {
    (void)state;
    assert_cookies("a b=1; =2; c", ANY_NAME, "a b=1|=2|c=|");
    assert_cookies("a=b\\c\"d; e=\xff", ANY_VALUE, "a=b\\c\"d|e=\xff|");
    assert_cookies("a b=\\", ANY_NAME | ANY_VALUE | STOP, "a b=\\|");
}

/* After an error that one pair makes, the rest can be read. */
static void goes_on_behind_an_error(void **state) {
    (void)state;
    struct fastws_slice rest = SLICE("a=\"; b=2");
    struct fastws_cookie cookie;
    assert_int_equal(fastws_cookie_next(&cookie, &rest, STOP), FASTWS_ERR_HTTP_COOKIE);
    assert_int_equal(fastws_cookie_next(&cookie, &rest, STOP), 1);
    assert_memory_equal(cookie.name.ptr, "b", 1);
    assert_int_equal(fastws_cookie_next(&cookie, &rest, STOP), 0);
    rest = SLICE("a=1;b=2");
    assert_int_equal(fastws_cookie_next(&cookie, &rest, STRICT), 1);
    assert_int_equal(fastws_cookie_next(&cookie, &rest, STRICT), FASTWS_ERR_HTTP_COOKIE);
    assert_int_equal(fastws_cookie_next(&cookie, &rest, STRICT), 0);
}

static void knows_the_bytes_of_values(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        struct fastws_slice text = {&byte, 1};
        int is_octet = c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
        assert_int_equal(fastws_cookie_is_value(text, STRICT), is_octet);
        assert_int_equal(fastws_cookie_is_value(text, 0), is_octet || c == ' ' || c == ',');
        assert_int_equal(fastws_cookie_is_name(text), fastws_http_is_token(text));
    }
    assert_int_equal(fastws_cookie_is_value(SLICE(""), STRICT), 1);
    assert_int_equal(fastws_cookie_is_name(SLICE("")), 0);
}

static void writes_cookies(void **state) {
    (void)state;
    char bytes[16];
    struct fastws_http_text text = {bytes, sizeof bytes, 0};
    assert_int_equal(fastws_cookie_write(&text, SLICE("a"), SLICE("1")), 0);
    assert_int_equal(fastws_cookie_write(&text, SLICE("b"), SLICE("")), 0);
    assert_int_equal(text.len, 7);
    assert_memory_equal(bytes, "a=1; b=", 7);
    static const struct fastws_slice wrong[] = {{"1\r\nX: y", 7}, {"1;b=2", 5}, {"a b", 3}, {"\"a\"", 3}, {"a,b", 3}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(fastws_cookie_write(&text, SLICE("c"), wrong[i]), FASTWS_ERR_HANDSHAKE_HEADER);
        assert_int_equal(fastws_cookie_write(&text, wrong[i], SLICE("1")), FASTWS_ERR_HANDSHAKE_HEADER);
    }
    assert_int_equal(text.len, 7);
    assert_int_equal(fastws_cookie_write(&text, SLICE("c"), SLICE("12345678")), FASTWS_ERR_BUFFER_SIZE);
    assert_int_equal(text.len, 19);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_cookies_as_httphead_does),
        cmocka_unit_test(passes_over_white_space_and_empty_pairs),
        cmocka_unit_test(is_strict_when_told_to),
        cmocka_unit_test(takes_any_bytes_when_told_to),
        cmocka_unit_test(goes_on_behind_an_error),
        cmocka_unit_test(knows_the_bytes_of_values),
        cmocka_unit_test(writes_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
