/* SPDX-License-Identifier: MIT */
/* Heads that are written: what fits, what does not, what may not stand in them. RFC 9112. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/http_write.h>

#define SLICE(literal) ((struct fastws_slice){literal, sizeof(literal) - 1})
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void assert_text(const struct fastws_http_text *text, const char *expected) {
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->ptr, expected, text->len);
}

static void writes_heads(void **state) {
    (void)state;
    static const struct fastws_http_header pair[] = {{{"A", 1}, {"b c", 3}}, {{"D", 1}, {NULL, 0}}};
    const struct fastws_http_headers headers = {pair, COUNT(pair)};
    char bytes[256];
    struct fastws_http_text text = {bytes, sizeof bytes, 0};
    assert_int_equal(fastws_http_write_request_line(&text, SLICE("GET"), SLICE("/chat?x=1")), 0);
    assert_int_equal(fastws_http_write_header(&text, SLICE("Host"), SLICE("example.com")), 0);
    assert_int_equal(fastws_http_write_headers(&text, &headers), 0);
    assert_int_equal(fastws_http_write_end(&text), 0);
    assert_int_equal(fastws_http_write_raw(&text, SLICE("body")), 0);
    assert_text(&text, "GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nA: b c\r\nD: \r\n\r\nbody");
    text.len = 0;
    assert_int_equal(fastws_http_write_status_line(&text, 404, SLICE("Not Found")), 0);
    assert_int_equal(fastws_http_write_status_line(&text, 999, SLICE("")), 0);
    assert_text(&text, "HTTP/1.1 404 Not Found\r\nHTTP/1.1 999 \r\n");
}

/* A second run with the room that the first one counted. */
static void measures_first_where_that_is_wanted(void **state) {
    (void)state;
    struct fastws_http_text text = {NULL, 0, 0};
    assert_int_equal(fastws_http_write_request_line(&text, SLICE("GET"), SLICE("/")), FASTWS_ERR_BUFFER_SIZE);
    assert_int_equal(fastws_http_write_header(&text, SLICE("A"), SLICE("b")), FASTWS_ERR_BUFFER_SIZE);
    assert_int_equal(text.len, 22);
    char bytes[22];
    text = (struct fastws_http_text){bytes, sizeof bytes, 0};
    assert_int_equal(fastws_http_write_request_line(&text, SLICE("GET"), SLICE("/")), 0);
    assert_int_equal(fastws_http_write_header(&text, SLICE("A"), SLICE("b")), 0);
    assert_text(&text, "GET / HTTP/1.1\r\nA: b\r\n");
}

static void refuses_to_write_what_would_be_read_otherwise(void **state) {
    (void)state;
    static const struct fastws_http_header forbidden[] = {
        {{"A", 1}, {"b\r\nC: d", 7}}, {{"A", 1}, {"b\n", 2}}, {{"A", 1}, {"b\0", 2}}, {{"A", 1}, {" b", 2}},
        {{"A", 1}, {"b\t", 2}},        {{"A B", 3}, {"b", 1}},  {{"A:", 2}, {"b", 1}},   {{"", 0}, {"b", 1}},
        {{"A\r\nB", 4}, {"b", 1}},    {{"A", 1}, {"\x7f", 1}},
    };
    char bytes[256];
    struct fastws_http_text text = {bytes, sizeof bytes, 0};
    for (size_t i = 0; i < COUNT(forbidden); i++)
        assert_int_equal(fastws_http_write_header(&text, forbidden[i].name, forbidden[i].value),
                         FASTWS_ERR_HANDSHAKE_HEADER);
    static const struct fastws_slice targets[] = {{"", 0}, {"/a b", 4}, {"/\r\nX: y", 7}, {"/#f", 3}, {"/\xc3", 2}};
    for (size_t i = 0; i < COUNT(targets); i++)
        assert_int_equal(fastws_http_write_request_line(&text, SLICE("GET"), targets[i]), FASTWS_ERR_HANDSHAKE_HEADER);
    assert_int_equal(fastws_http_write_request_line(&text, SLICE("G T"), SLICE("/")), FASTWS_ERR_HANDSHAKE_HEADER);
    static const int statuses[] = {-1, 0, 99, 1000};
    for (size_t i = 0; i < COUNT(statuses); i++)
        assert_int_equal(fastws_http_write_status_line(&text, statuses[i], SLICE("x")), FASTWS_ERR_HANDSHAKE_HEADER);
    assert_int_equal(fastws_http_write_status_line(&text, 200, SLICE("a\r\nb")), FASTWS_ERR_HANDSHAKE_HEADER);
    assert_int_equal(text.len, 0);
    const struct fastws_http_header pair[] = {{SLICE("A"), SLICE("b")}, forbidden[0]};
    const struct fastws_http_headers headers = {pair, COUNT(pair)};
    assert_int_equal(fastws_http_write_headers(&text, &headers), FASTWS_ERR_HANDSHAKE_HEADER);
    assert_text(&text, "A: b\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_heads),
        cmocka_unit_test(measures_first_where_that_is_wanted),
        cmocka_unit_test(refuses_to_write_what_would_be_read_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
