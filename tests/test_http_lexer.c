/* SPDX-License-Identifier: MIT */
/* The items of header values. RFC 9110 5.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/http_lexer.h>

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

/* Writes a letter and the text of each item: t(oken), s(eparator), q(uoted), c(omment), o(ctet); '!' for an error. */
static void describe(char *dst, size_t cap, const char *text) {
    struct fastws_slice rest = at_guard(text, strlen(text));
    struct fastws_http_item item;
    size_t at = 0;
    int result;
    dst[0] = '\0';
    while ((result = fastws_http_next_item(&item, &rest)) > 0) {
        char plain[256];
        int len = item.has_escapes ? fastws_http_unescape(plain, sizeof plain, item.text)
                                   : snprintf(plain, sizeof plain, "%.*s", (int)item.text.len, item.text.ptr);
        assert_true(len >= 0);
        at += (size_t)snprintf(dst + at, cap - at, "%c<%.*s>", "?tsqco"[item.kind], len, plain);
    }
    if (result == 0) return;
    assert_int_equal(result, FASTWS_ERR_HTTP_HEADER_VALUE);
    snprintf(dst + at, cap - at, "!");
}

static void assert_items(const char *text, const char *expected) {
    char described[256];
    describe(described, sizeof described, text);
    if (strcmp(described, expected) != 0) print_error("for %s\n", text);
    assert_string_equal(described, expected);
}

static void takes_items(void **state) {
    (void)state;
    assert_items("", "");
    assert_items(" \t", "");
    assert_items("a b", "t<a>t<b>");
    assert_items("text/html;q=0.5,\t*", "t<text>s</>t<html>s<;>t<q>s<=>t<0.5>s<,>t<*>");
    assert_items("<>@:[]?{}", "s<<>s<>>s<@>s<:>s<[>s<]>s<?>s<{>s<}>");
    assert_items("a\xe9", "t<a>o<\xe9>");
    assert_items("\\", "s<\\>");
    assert_items(")", "s<)>");
    assert_items("a\x01", "t<a>!");
    assert_items("\r\n", "!");
}

/* The table of gobwas/httphead, and what it gets wrong. */
static void takes_quoted_strings(void **state) {
    (void)state;
    assert_items("\"", "!");
    assert_items("\"\"", "q<>");
    assert_items("\"hello, world!\"", "q<hello, world!>");
    assert_items("\"hello, \\\"world\\\"!\"", "q<hello, \"world\"!>");
    assert_items("\"\\\"hello\\\", \\\"world\\\"!\"", "q<\"hello\", \"world\"!>");
    assert_items("\"x\\\"\"", "q<x\">");
    assert_items("\"x\\\\\"y", "q<x\\>t<y>");
    assert_items("\"x\\", "!");
    assert_items("\"x\x01\"", "!");
    assert_items("\"x\\\x01\"", "!");
    assert_items("\"\t(\"", "q<\t(>");
}

static void takes_comments(void **state) {
    (void)state;
    assert_items("(hello", "!");
    assert_items("()", "c<>");
    assert_items("(hello)", "c<hello>");
    assert_items("(hello\\)\\(world)", "c<hello)(world>");
    assert_items("(hello(world))", "c<hello(world)>");
    assert_items("(a(b(c)d)\"e) f", "c<a(b(c)d)\"e>t<f>");
    assert_items("((a)", "!");
    assert_items("(a\n)", "!");
    /* Any depth. */
    char deep[2001];
    memset(deep, '(', 1000);
    memset(deep + 1000, ')', 1000);
    deep[2000] = '\0';
    struct fastws_slice rest = at_guard(deep, 2000);
    struct fastws_http_item item;
    assert_int_equal(fastws_http_next_item(&item, &rest), 1);
    assert_int_equal(item.kind, FASTWS_HTTP_ITEM_COMMENT);
    assert_int_equal(item.text.len, 1998);
    rest = at_guard(deep, 1999);
    assert_int_equal(fastws_http_next_item(&item, &rest), FASTWS_ERR_HTTP_HEADER_VALUE);
    assert_int_equal(rest.len, 1999);
}

static void takes_bytes_up_to_another(void **state) {
    (void)state;
    struct fastws_slice rest = SLICE("ab;c");
    struct fastws_slice taken = fastws_http_take_until(&rest, ';');
    assert_int_equal(taken.len, 2);
    assert_int_equal(rest.ptr[0], ';');
    taken = fastws_http_take_until(&rest, ';');
    assert_int_equal(taken.len, 0);
    taken = fastws_http_take_until(&rest, ',');
    assert_int_equal(taken.len, 2);
    assert_int_equal(rest.len, 0);
    rest = (struct fastws_slice){NULL, 0};
    assert_int_equal(fastws_http_take_until(&rest, ',').len, 0);
}

static void resolves_escapes(void **state) {
    (void)state;
    char bytes[] = "\\a\\\\b\\";
    char dst[8];
    assert_int_equal(fastws_http_unescape(dst, 3, SLICE("\\a\\\\b\\")), FASTWS_ERR_BUFFER_SIZE);
    assert_int_equal(fastws_http_unescape(dst, 4, SLICE("\\a\\\\b\\")), 4);
    assert_memory_equal(dst, "a\\b\\", 4);
    assert_int_equal(fastws_http_unescape(bytes, 4, (struct fastws_slice){bytes, strlen(bytes)}), 4); /* in place */
    assert_memory_equal(bytes, "a\\b\\", 4);
    assert_int_equal(fastws_http_unescape(NULL, 0, SLICE("")), 0);
}

static void knows_the_classes_of_bytes(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        int is_separator = c != 0 && strchr("()<>@,;:\\\"/[]?={} \t", c) != NULL;
        unsigned expected = (c < 0x80 ? FASTWS_OCTET_CHAR : 0) | (c < 0x20 || c == 0x7f ? FASTWS_OCTET_CONTROL : 0) |
                            (c == ' ' || c == '\t' ? FASTWS_OCTET_SPACE : 0) |
                            (is_separator ? FASTWS_OCTET_SEPARATOR : 0) |
                            (fastws_http_is_token((struct fastws_slice){&byte, 1}) ? FASTWS_OCTET_TOKEN : 0);
        assert_int_equal(fastws_http_octet((unsigned char)c), expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_items),          cmocka_unit_test(takes_quoted_strings),
        cmocka_unit_test(takes_comments),       cmocka_unit_test(takes_bytes_up_to_another),
        cmocka_unit_test(resolves_escapes),     cmocka_unit_test(knows_the_classes_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
