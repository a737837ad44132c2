/* SPDX-License-Identifier: MIT */
/* Lists of options with parameters: parsed, compared, copied, written. RFC 9110 5.6, RFC 6455 9.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/options.h>

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

static struct fastws_slice slice_of(const char *text) { return (struct fastws_slice){text, strlen(text)}; }

/* Writes "name(parameter parameter=value)" for each option, and '!' for an error. Values are unescaped. */
static void describe(char *dst, size_t cap, const char *text) {
    struct fastws_slice list = at_guard(text, strlen(text));
    struct fastws_option option;
    struct fastws_option_parameter parameter;
    size_t at = 0;
    int result;
    dst[0] = '\0';
    while ((result = fastws_option_next(&option, &list)) > 0) {
        at += (size_t)snprintf(dst + at, cap - at, "%.*s(", (int)option.name.len, option.name.ptr);
        while ((result = fastws_option_next_parameter(&parameter, &option.parameters)) > 0) {
            char value[256] = "";
            int len = fastws_option_unescape(value, sizeof value, &parameter);
            assert_true(len >= 0);
            assert_int_equal(parameter.has_value || parameter.value.len == 0, 1);
            at += (size_t)snprintf(dst + at, cap - at, "%s%.*s%s%.*s", dst[at - 1] == '(' ? "" : " ",
                                   (int)parameter.name.len, parameter.name.ptr, parameter.has_value ? "=" : "", len,
                                   value);
        }
        assert_int_equal(result, 0);
        assert_int_equal(fastws_option_next_parameter(&parameter, &option.parameters), 0); /* and so on */
        at += (size_t)snprintf(dst + at, cap - at, ")");
    }
    if (result < 0) {
        size_t left = list.len;
        assert_int_equal(result, FASTWS_ERR_HTTP_OPTIONS);
        assert_int_equal(fastws_option_next(&option, &list), FASTWS_ERR_HTTP_OPTIONS); /* and does not move */
        assert_int_equal(list.len, left);
        snprintf(dst + at, cap - at, "!");
    } else {
        assert_int_equal(fastws_option_next(&option, &list), 0);
    }
}

static void assert_described(const char *text, const char *expected) {
    char described[512];
    describe(described, sizeof described, text);
    if (strcmp(described, expected) != 0) print_error("for %s\n", text);
    assert_string_equal(described, expected);
}

/* The table of gobwas/httphead. */
static void parses_options_as_httphead_does(void **state) {
    (void)state;
    assert_described("a,b,c", "a()b()c()");
    assert_described("a,b,c;foo=1;bar=2", "a()b()c(foo=1 bar=2)");
    assert_described("c;foo;bar=2", "c(foo bar=2)");
    assert_described("foo;bar=1;baz", "foo(bar=1 baz)");
    assert_described("c;bar=\"2\"", "c(bar=2)");
    assert_described("c;bar=1,c;bar=2", "c(bar=1)c(bar=2)");
    assert_described("foo;a=1;b=2;c=3,bar;z,baz", "foo(a=1 b=2 c=3)bar(z)baz()");
    assert_described("foo;a=1,, , ,bar;b=2", "foo(a=1)bar(b=2)");
}

static void parses_what_the_grammar_allows(void **state) {
    (void)state;
    assert_described("", "");
    assert_described(" \t,, \t,", "");
    assert_described("permessage-deflate; client_max_window_bits", "permessage-deflate(client_max_window_bits)");
    assert_described("\ta\t;\tb\t=\tc\t,\td\t", "a(b=c)d()"); /* tabs are white space: gobwas/ws refuses them */
    assert_described("a ; b = \"c\" ; d", "a(b=c d)");
    assert_described("a;b=\"\"", "a(b=)");
    assert_described("a;b=\"c, d; e=f\", g", "a(b=c, d; e=f)g()");
    assert_described("a;b=\"caf\xc3\xa9\t\"", "a(b=caf\xc3\xa9\t)");
    assert_described("a;;b;", "a(b)"); /* empty parameters: RFC 9110 5.6.6 */
    assert_described("a; ;\t,b;", "a()b()");
    assert_described("a;b;b=1;b", "a(b b=1 b)");
}

/* gobwas/httphead loses the byte behind the last escape, and ends strings at escaped backslashes in the wrong place. */
static void resolves_escapes(void **state) {
    (void)state;
    assert_described("a;b=\"x\\\"\"", "a(b=x\")");
    assert_described("a;b=\"x\\\\y\"", "a(b=x\\y)");
    assert_described("a;b=\"x\\\\\", c", "a(b=x\\)c()");
    assert_described("a;b=\"\\x\\y\"", "a(b=xy)");
    assert_described("a;b=\"\\\"hello\\\", \\\"world\\\"!\"", "a(b=\"hello\", \"world\"!)");
}

static void refuses_what_is_no_list_of_options(void **state) {
    (void)state;
    assert_described("=[", "!");
    assert_described(";a", "!");
    assert_described("a b", "!"); /* a comma is missing: gobwas/httphead takes two */
    assert_described("foo bar", "!");
    assert_described("a, b c", "a()!");
    assert_described("\"a\"", "!");
    assert_described("a;=1", "!");
    assert_described("a;b=", "!");
    assert_described("a;b=,c", "!");
    assert_described("a;b=;c", "!");
    assert_described("a;b c", "!");
    assert_described("a;b=1 2", "!");
    assert_described("a;b==1", "!");
    assert_described("a;b=\"1", "!");
    assert_described("a;b=\"1\\\"", "!");
    assert_described("a;b=\"1\\", "!");
    assert_described("a;b=\"1\"2", "!");
    assert_described("a;b=1\"2\"", "!");
    assert_described("a;\"b\"=1", "!");
    assert_described("a;b=\"\x01\"", "!");
    assert_described("a;b=\"\r\n\"", "!");
    assert_described("a;b=\"\\\n\"", "!");
    assert_described("a;b=\"\x7f\"", "!");
    assert_described("a\x01", "!");
    assert_described("caf\xc3\xa9", "!");
    assert_described("a,b;c/d", "a()!");
    static const char nul[] = "a;b=\"x\0y\"";
    struct fastws_slice list = at_guard(nul, sizeof nul - 1);
    struct fastws_option option;
    assert_int_equal(fastws_option_next(&option, &list), FASTWS_ERR_HTTP_OPTIONS);
}

/* Parameters that nobody judged. */
static void judges_parameters_by_themselves(void **state) {
    (void)state;
    static const char *const malformed[] = {"a", "a=1", "; =1", "; a b", "; a=", "; a=\"", ", a", ";a,b"};
    for (size_t i = 0; i < COUNT(malformed); i++) {
        struct fastws_slice rest = at_guard(malformed[i], strlen(malformed[i]));
        struct fastws_option_parameter parameter;
        assert_int_equal(fastws_option_next_parameter(&parameter, &rest), FASTWS_ERR_HTTP_OPTIONS);
    }
}

static struct fastws_option option_of(const char *text) {
    struct fastws_slice list = slice_of(text);
    struct fastws_option option;
    assert_int_equal(fastws_option_next(&option, &list), 1);
    return option;
}

static void finds_the_first_parameter_of_a_name(void **state) {
    (void)state;
    struct fastws_option option = option_of("x; a; b=1; b=2; B=3");
    struct fastws_option_parameter parameter;
    assert_int_equal(fastws_option_find(&parameter, &option, SLICE("b")), 1);
    assert_int_equal(fastws_option_value_equals(&parameter, SLICE("1")), 1);
    assert_int_equal(fastws_option_value_equals(&parameter, SLICE("11")), 0);
    assert_int_equal(fastws_option_value_equals(&parameter, SLICE("")), 0);
    assert_int_equal(fastws_option_find(&parameter, &option, SLICE("a")), 1);
    assert_int_equal(parameter.has_value, 0);
    assert_int_equal(fastws_option_find(&parameter, &option, SLICE("c")), 0);
    assert_int_equal(fastws_option_find(&parameter, &option, SLICE("")), 0);
}

static void collects_options_in_memory_of_the_caller(void **state) {
    (void)state;
    struct fastws_option options[3];
    size_t count = 0;
    assert_int_equal(fastws_options_parse(options, 3, &count, SLICE("a;x=1, b"), 0), 0);
    assert_int_equal(fastws_options_parse(options, 3, &count, SLICE("a"), 0), 0); /* the next header line */
    assert_int_equal(count, 3);
    assert_memory_equal(fastws_option_text(&options[0]).ptr, "a;x=1", 5);
    assert_int_equal(fastws_options_parse(options, 3, &count, SLICE(""), 0), 0);
    assert_int_equal(fastws_options_parse(options, 3, &count, SLICE("c"), 0), FASTWS_ERR_BUFFER_SIZE);
    assert_int_equal(count, 3);
    count = 0;
    assert_int_equal(fastws_options_parse(options, 3, &count, SLICE("a, b, =["), 0), FASTWS_ERR_HTTP_OPTIONS);
    assert_int_equal(count, 2);
    count = 0;
    assert_int_equal(fastws_options_parse(NULL, 0, &count, SLICE("a"), 0), FASTWS_ERR_BUFFER_SIZE);
}

/* gobwas/httphead loses bar: it skips one option more. */
static void leaves_out_options_that_are_there_already(void **state) {
    (void)state;
    struct fastws_option options[2];
    size_t count = 0;
    assert_int_equal(fastws_options_parse(options, 2, &count, SLICE("foo,foo,bar"), FASTWS_OPTIONS_UNIQUE), 0);
    assert_int_equal(count, 2);
    assert_memory_equal(options[1].name.ptr, "bar", 3);
    count = 0;
    assert_int_equal(fastws_options_parse(options, 2, &count, SLICE("foo;a=1,foo;a=2"), FASTWS_OPTIONS_UNIQUE), 0);
    assert_int_equal(count, 1);
    assert_int_equal(options[0].parameters.len, 4);
}

/* Any number of parameters: they are not stored. */
static void takes_any_number_of_parameters(void **state) {
    (void)state;
    char text[4096] = "foo";
    size_t len = 3;
    for (int i = 0; i < 500; i++) len += (size_t)snprintf(text + len, sizeof text - len, ";p%d=%d", i, i % 10);
    struct fastws_option option = option_of(text);
    struct fastws_option_parameter parameter;
    int count = 0;
    while (fastws_option_next_parameter(&parameter, &option.parameters) > 0) count++;
    assert_int_equal(count, 500);
}

static void copies_options_to_other_memory(void **state) {
    (void)state;
    char text[] = "foo ; a = \"1\" , bar";
    struct fastws_option option = option_of(text), copy;
    char memory[64];
    size_t size = fastws_option_text(&option).len;
    assert_int_equal(fastws_option_copy(&copy, memory, size - 1, &option), FASTWS_ERR_BUFFER_SIZE);
    assert_int_equal(fastws_option_copy(&copy, memory, size, &option), 0);
    memset(text, '?', sizeof text);
    struct fastws_option same = option_of("foo; a=1");
    assert_int_equal(fastws_option_equals(&copy, &same), 1);
    assert_ptr_equal(copy.name.ptr, memory);
}

static void compares_options_by_what_they_mean(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        int is_equal;
    } cases[] = {
        {"a", "a", 1},
        {"a", "A", 0},
        {"a;b=1", "a ;\tb = 1", 1},
        {"a;b=1", "a;b=\"1\"", 1},
        {"a;b=1", "a;b=\"\\1\"", 1},
        {"a;b=\"\"", "a;b", 0},
        {"a;b=\"\\\"\"", "a;b=\"\\\"\"", 1},
        {"a;b=1;c=2", "a;c=2;b=1", 0},
        {"a;b", "a;b;c", 0},
        {"a;b=1", "a;b=12", 0},
        {"a;;b;", "a;b", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fastws_option a = option_of(cases[i].a), b = option_of(cases[i].b);
        assert_int_equal(fastws_option_equals(&a, &b), cases[i].is_equal);
        assert_int_equal(fastws_option_equals(&b, &a), cases[i].is_equal);
    }
}

/* ---- Writing ---- */

#define PLAIN(name, value) {{name, sizeof(name) - 1}, {value, sizeof(value) - 1}, 1, 0, 0}

static void writes_options(void **state) {
    (void)state;
    static const struct fastws_option_parameter parameters[] = {
        PLAIN("bar", "baz"),         PLAIN("list", "10,2"),    PLAIN("empty", ""),
        PLAIN("quote", "\"foo\""), PLAIN("slash", "a\\b"), PLAIN("hello", "hello, world!"),
        {{"none", 4}, {NULL, 0}, 0, 0, 0},
    };
    char bytes[256];
    struct fastws_http_text text = {bytes, sizeof bytes, 0};
    assert_int_equal(fastws_option_write(&text, SLICE("foo"), parameters, COUNT(parameters)), 0);
    assert_int_equal(fastws_option_write(&text, SLICE("a"), NULL, 0), 0);
    const char *expected = "foo; bar=baz; list=\"10,2\"; empty=\"\"; quote=\"\\\"foo\\\"\"; slash=\"a\\\\b\"; "
                           "hello=\"hello, world!\"; none, a";
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(bytes, expected, text.len);
    /* And what was written means the same. */
    bytes[text.len] = '\0';
    assert_described(bytes, "foo(bar=baz list=10,2 empty= quote=\"foo\" slash=a\\b hello=hello, world! none)a()");
}

static void writes_options_that_were_parsed(void **state) {
    (void)state;
    struct fastws_option options[4];
    size_t count = 0;
    const char *list = "foo;bar=baz,a , b ; c=\"10\";d=\"x\\\"y\";; e";
    assert_int_equal(fastws_options_parse(options, 4, &count, slice_of(list), 0), 0);
    char bytes[128];
    struct fastws_http_text text = {bytes, sizeof bytes, 0};
    assert_int_equal(fastws_options_write(&text, options, count), 0);
    const char *expected = "foo; bar=baz, a, b; c=10; d=\"x\\\"y\"; e";
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(bytes, expected, text.len);
}

static void measures_what_does_not_fit(void **state) {
    (void)state;
    static const struct fastws_option_parameter parameters[] = {PLAIN("b", "1, \"2\"")};
    struct fastws_http_text text = {NULL, 0, 0};
    assert_int_equal(fastws_option_write(&text, SLICE("a"), parameters, 1), FASTWS_ERR_BUFFER_SIZE);
    size_t len = strlen("a; b=\"1, \\\"2\\\"\"");
    assert_int_equal(text.len, len);
    for (size_t cap = 0; cap <= len; cap++) {
        char *bytes = (char *)guard_alloc_end(len) + (len - cap);
        text = (struct fastws_http_text){bytes, cap, 0};
        int result = fastws_option_write(&text, SLICE("a"), parameters, 1);
        assert_int_equal(result, cap < len ? FASTWS_ERR_BUFFER_SIZE : 0);
        assert_int_equal(text.len, len);
        guard_free((uint8_t *)bytes - (len - cap), len);
    }
}

/* gobwas/httphead writes CR and LF as they are: whoever chooses the value adds header lines. */
static void refuses_to_write_what_would_be_read_otherwise(void **state) {
    (void)state;
    static const struct fastws_option_parameter forbidden[] = {
        PLAIN("b", "x\r\nSet-Cookie: y"), PLAIN("b", "x\n"),  PLAIN("b", "x\0y"), PLAIN("b", "\x7f"),
        PLAIN("b c", "1"),                  PLAIN("", "1"),      PLAIN("b=", "1"),    PLAIN("b\r\n", "1"),
        {{"b", 1}, {"x\"", 2}, 1, 1, 1},   /* a quote that says it is escaped */
        {{"b", 1}, {"x\\", 2}, 1, 1, 1},  /* and a backslash */
        {{"b", 1}, {"\\\n", 2}, 1, 1, 1},
    };
    char bytes[64];
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        struct fastws_http_text text = {bytes, sizeof bytes, 0};
        assert_int_equal(fastws_option_write(&text, SLICE("a"), &forbidden[i], 1), FASTWS_ERR_HANDSHAKE_HEADER);
        assert_int_equal(text.len, 0);
    }
    struct fastws_http_text text = {bytes, sizeof bytes, 0};
    assert_int_equal(fastws_option_write(&text, SLICE("b a z"), NULL, 0), FASTWS_ERR_HANDSHAKE_HEADER);
    assert_int_equal(fastws_option_write(&text, SLICE(""), NULL, 0), FASTWS_ERR_HANDSHAKE_HEADER);
    const struct fastws_option options[] = {{SLICE("a"), SLICE("; b=1")}, {SLICE("c"), SLICE("; d\r\n")}};
    assert_int_equal(fastws_options_write(&text, options, 2), FASTWS_ERR_HANDSHAKE_HEADER);
    assert_int_equal(text.len, strlen("a; b=1"));
    const struct fastws_option unnamed = {SLICE("\r\n"), SLICE("")};
    assert_int_equal(fastws_options_write(&text, &unnamed, 1), FASTWS_ERR_HANDSHAKE_HEADER);
    assert_int_equal(text.len, strlen("a; b=1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_options_as_httphead_does),
        cmocka_unit_test(parses_what_the_grammar_allows),
        cmocka_unit_test(resolves_escapes),
        cmocka_unit_test(refuses_what_is_no_list_of_options),
        cmocka_unit_test(judges_parameters_by_themselves),
        cmocka_unit_test(finds_the_first_parameter_of_a_name),
        cmocka_unit_test(collects_options_in_memory_of_the_caller),
        cmocka_unit_test(leaves_out_options_that_are_there_already),
        cmocka_unit_test(takes_any_number_of_parameters),
        cmocka_unit_test(copies_options_to_other_memory),
        cmocka_unit_test(compares_options_by_what_they_mean),
        cmocka_unit_test(writes_options),
        cmocka_unit_test(writes_options_that_were_parsed),
        cmocka_unit_test(measures_what_does_not_fit),
        cmocka_unit_test(refuses_to_write_what_would_be_read_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
