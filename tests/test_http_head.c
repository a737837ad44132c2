/* SPDX-License-Identifier: MIT */
/* Whole heads of requests and responses: whole, byte by byte, cut everywhere, moved, and on every row of kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <stdlib.h>

#include <fastws/cpu.h>
#include <fastws/error.h>
#include <fastws/http_head.h>

#include "../simd/kernels.h"
#include "kernels/guard.h"

#define SLICE(literal) ((struct fastws_slice){literal, sizeof(literal) - 1})
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { HEADER_CAP = 40, TEXT_CAP = 8192 };

typedef int parse_function(struct fastws_http_head *head, const void *src, size_t len);

/* What a head was read as: "first second 1.1" or "200 reason 1.1", then "name: value|" for each header. */
struct outcome {
    int result;
    size_t len;
    char text[TEXT_CAP];
};

static void describe(struct outcome *outcome, const struct fastws_http_head *head, parse_function *parse, int result) {
    memset(outcome, 0, sizeof *outcome);
    outcome->result = result;
    outcome->len = head->len;
    if (result <= 0) return;
    const struct fastws_http_request_line *request = &head->request;
    const struct fastws_http_status_line *status = &head->status;
    char *text = outcome->text;
    int at = parse == fastws_http_parse_request
                 ? snprintf(text, TEXT_CAP, "%.*s %.*s %d.%d\n", (int)request->method.len, request->method.ptr,
                            (int)request->target.len, request->target.ptr, request->version_major,
                            request->version_minor)
                 : snprintf(text, TEXT_CAP, "%d %.*s %d.%d\n", status->status, (int)status->reason.len,
                            status->reason.ptr, status->version_major, status->version_minor);
    for (size_t i = 0; i < head->header_count; i++) {
        const struct fastws_http_header *header = &head->headers[i];
        at += snprintf(text + at, TEXT_CAP - (size_t)at, "%.*s: %.*s|", (int)header->name.len, header->name.ptr,
                       (int)header->value.len, header->value.ptr);
        assert_true((size_t)at < TEXT_CAP);
    }
}

/* Bytes received so far, each time in a block of their own that ends where nothing may be read; the block before is
 * wiped. */
static char *move_to_guard(const char *src, size_t len, int turn) {
    enum { CAP = 16 * 1024 };
    static uint8_t *blocks[2];
    for (int i = 0; i < 2; i++)
        if (blocks[i] == NULL) blocks[i] = guard_alloc_end(CAP);
    assert_true(len <= CAP);
    memset(blocks[turn % 2 == 0], '?', CAP);
    return memcpy(blocks[turn % 2] + CAP - len, src, len);
}

/* Parses with more and more bytes: `first` of them, then `step` more each time. */
static void run(parse_function *parse, const char *src, size_t len, size_t first, size_t step,
                struct outcome *outcome) {
    struct fastws_http_header headers[HEADER_CAP];
    struct fastws_http_head head;
    fastws_http_head_init(&head, headers, HEADER_CAP);
    int result = FASTWS_NEED_MORE, turn = 0;
    for (size_t n = first;; n += step) {
        if (n > len) n = len;
        result = parse(&head, move_to_guard(src, n, turn++), n);
        if (result != FASTWS_NEED_MORE || n == len) break;
        assert_int_equal(head.len, 0);
    }
    describe(outcome, &head, parse, result);
}

static const struct outcome *run_all_ways(parse_function *parse, const char *src, size_t len) {
    static struct outcome whole, pieces;
    run(parse, src, len, len, 1, &whole);
    size_t cut_step = len / 200 + 1;
    for (size_t cut = 0; cut < len; cut += cut_step) {
        run(parse, src, len, cut, len, &pieces);
        assert_memory_equal(&pieces, &whole, sizeof whole);
    }
    run(parse, src, len, 1, len < 2000 ? 1 : 7, &pieces);
    assert_memory_equal(&pieces, &whole, sizeof whole);
    return &whole;
}

static const char chrome[] = "GET /chat/42 HTTP/1.1\r\n"
                             "Host: ws.example.io\r\n"
                             "Connection:Upgrade\r\n"
                             "Pragma: \tno-cache \t\r\n"
                             "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                             "Chrome/142.0.0.0 Safari/537.36\r\n"
                             "Empty:\r\n"
                             "Blank: \t \r\n"
                             "Origin: http://example.io\r\n"
                             "\r\n";

static void parses_requests(void **state) {
    (void)state;
    const struct outcome *outcome = run_all_ways(fastws_http_parse_request, chrome, strlen(chrome));
    assert_int_equal(outcome->result, 1);
    assert_int_equal(outcome->len, strlen(chrome));
    assert_string_equal(outcome->text,
                        "GET /chat/42 1.1\nHost: ws.example.io|Connection: Upgrade|Pragma: no-cache|"
                        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                        "Chrome/142.0.0.0 Safari/537.36|Empty: |Blank: |Origin: http://example.io|");
}

static void parses_responses(void **state) {
    (void)state;
    static const struct {
        const char *head, *text;
    } cases[] = {
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
         "101 Switching Protocols 1.1\nUpgrade: websocket|"},
        {"HTTP/1.0 200\r\n\r\n", "200  1.0\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct outcome *outcome =
            run_all_ways(fastws_http_parse_response, cases[i].head, strlen(cases[i].head));
        assert_int_equal(outcome->result, 1);
        assert_string_equal(outcome->text, cases[i].text);
    }
}

static void skips_one_empty_line_before_a_request_only(void **state) {
    (void)state;
    const char *head = "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n";
    const struct outcome *outcome = run_all_ways(fastws_http_parse_request, head, strlen(head));
    assert_int_equal(outcome->result, 1);
    assert_string_equal(outcome->text, "GET / 1.1\nA: b|");
    head = "\r\nHTTP/1.1 200 OK\r\n\r\n";
    assert_int_equal(run_all_ways(fastws_http_parse_response, head, strlen(head))->result, FASTWS_ERR_HTTP_STATUS_LINE);
}

static void leaves_what_follows_the_head(void **state) {
    (void)state;
    static const char head[] = "GET / HTTP/1.1\r\nA: b\r\n\r\n\x81\x05Hello\n\0\r\n: x";
    const struct outcome *outcome = run_all_ways(fastws_http_parse_request, head, sizeof head - 1);
    assert_int_equal(outcome->result, 1);
    assert_int_equal(outcome->len, strlen("GET / HTTP/1.1\r\nA: b\r\n\r\n"));
}

/* What one reader takes for the end of a line, or for a header, and another does not. */
static void refuses_heads_that_readers_could_disagree_about(void **state) {
    (void)state;
    static const struct {
        const char *head;
        size_t len;
        int error;
    } cases[] = {
#define CASE(head, error) {head, sizeof(head) - 1, error}
        CASE("GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", FASTWS_ERR_HTTP_LINE_END),
        CASE("GET / HTTP/1.1\r\nA: b\r\n\n", FASTWS_ERR_HTTP_LINE_END),
        CASE("GET / HTTP/1.1\nA: b\r\n\r\n", FASTWS_ERR_HTTP_LINE_END),
        CASE("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", FASTWS_ERR_HTTP_LINE_END),
        CASE("GET / HTTP/1.1\r\nA: b\r\r\n\r\n", FASTWS_ERR_HTTP_LINE_END),
        CASE("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", FASTWS_ERR_HTTP_FOLD),
        CASE("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", FASTWS_ERR_HTTP_FOLD),
        CASE("GET / HTTP/1.1\r\nA : b\r\n\r\n", FASTWS_ERR_HTTP_HEADER_NAME),
        CASE("GET / HTTP/1.1\r\nA\r\nB: c\r\n\r\n", FASTWS_ERR_HTTP_HEADER_NAME),
        CASE("GET / HTTP/1.1\r\n: b\r\n\r\n", FASTWS_ERR_HTTP_HEADER_NAME),
        CASE("GET / HTTP/1.1\r\nA(b): c\r\n\r\n", FASTWS_ERR_HTTP_HEADER_NAME),
        CASE("GET / HTTP/1.1\r\nA\0: b\r\n\r\n", FASTWS_ERR_HTTP_HEADER_NAME),
        CASE("GET / HTTP/1.1\r\nA: b\0\r\n\r\n", FASTWS_ERR_HTTP_HEADER_VALUE),
        CASE("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", FASTWS_ERR_HTTP_HEADER_VALUE),
        CASE("GET / HTTP/1.1\r\nA: b\x0b\r\n\r\n", FASTWS_ERR_HTTP_HEADER_VALUE),
        CASE("GET /a b HTTP/1.1\r\n\r\n", FASTWS_ERR_HTTP_REQUEST_LINE),
        CASE("GET /\0 HTTP/1.1\r\n\r\n", FASTWS_ERR_HTTP_TARGET),
        CASE("GET / HTTP/1.10\r\n\r\n", FASTWS_ERR_HTTP_VERSION),
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct outcome *outcome = run_all_ways(fastws_http_parse_request, cases[i].head, cases[i].len);
        if (outcome->result != cases[i].error) print_error("case %zu\n", i);
        assert_int_equal(outcome->result, cases[i].error);
    }
}

/* Lines of every length around the words and the window of the scanner, and heads of several windows. */
static void parses_lines_of_every_length(void **state) {
    (void)state;
    static char head[16 * 1024];
    for (size_t len = 0; len < 1100; len += len < 200 ? 1 : 61) {
        size_t at = (size_t)snprintf(head, sizeof head, "GET / HTTP/1.1\r\n");
        for (int i = 0; i < 3; i++) {
            at += (size_t)snprintf(head + at, sizeof head - at, "Name: ");
            memset(head + at, 'v', len);
            at += len;
            at += (size_t)snprintf(head + at, sizeof head - at, "\r\n");
        }
        at += (size_t)snprintf(head + at, sizeof head - at, "\r\n");
        const struct outcome *outcome = run_all_ways(fastws_http_parse_request, head, at);
        assert_int_equal(outcome->result, 1);
        assert_int_equal(strspn(outcome->text + strlen("GET / 1.1\nName: "), "v"), len);
        assert_int_equal(strlen(outcome->text), strlen("GET / 1.1\n") + 3 * (strlen("Name: |") + len));
    }
}

static void counts_headers(void **state) {
    (void)state;
    char text[1024] = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < HEADER_CAP; i++) strcat(text, "A: b\r\n");
    char more[sizeof text + sizeof "A: b\r\n\r\n"];
    snprintf(more, sizeof more, "%sA: b\r\n\r\n", text);
    strcat(text, "\r\n");
    assert_int_equal(run_all_ways(fastws_http_parse_request, text, strlen(text))->result, 1);
    assert_int_equal(run_all_ways(fastws_http_parse_request, more, strlen(more))->result,
                     FASTWS_ERR_HTTP_TOO_MANY_HEADERS);
    struct fastws_http_head head;
    fastws_http_head_init(&head, NULL, 0);
    const char *bare = "GET / HTTP/1.1\r\n\r\n";
    assert_int_equal(fastws_http_parse_request(&head, bare, strlen(bare)), 1);
    assert_int_equal(fastws_http_parse_request(&head, bare, strlen(bare)), 1); /* and so on */
    assert_int_equal(head.len, strlen(bare));
}

/* A line that never ends costs no more than its bytes: 4 MiB, 64 at a time. */
static void scans_no_byte_twice(void **state) {
    (void)state;
    enum { LEN = 4 << 20 };
    char *src = malloc(LEN);
    assert_non_null(src);
    memset(src, 'a', LEN);
    memcpy(src, "GET / HTTP/1.1\r\nA: ", 19);
    struct fastws_http_header header;
    struct fastws_http_head head;
    fastws_http_head_init(&head, &header, 1);
    for (size_t len = 64; len <= LEN; len += 64) {
        assert_int_equal(fastws_http_parse_request(&head, src, len), FASTWS_NEED_MORE);
        assert_int_equal(head.line_off, 16);
        assert_int_equal(head.line_off + head.line_pos, len);
    }
    free(src);
}

static void every_row_reads_the_same(void **state) {
    (void)state;
    const char *before = fws_kernels_active()->name;
    struct outcome first, outcome;
    for (int i = 0; i < fws_kernels_count(); i++) {
        assert_int_equal(fws_kernels_select(fws_kernels_at(i)->name), 0);
        run(fastws_http_parse_request, chrome, strlen(chrome), strlen(chrome), 1, i == 0 ? &first : &outcome);
        if (i > 0) assert_memory_equal(&outcome, &first, sizeof first);
    }
    assert_int_equal(fws_kernels_select(before), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_requests),
        cmocka_unit_test(parses_responses),
        cmocka_unit_test(skips_one_empty_line_before_a_request_only),
        cmocka_unit_test(leaves_what_follows_the_head),
        cmocka_unit_test(refuses_heads_that_readers_could_disagree_about),
        cmocka_unit_test(parses_lines_of_every_length),
        cmocka_unit_test(counts_headers),
        cmocka_unit_test(scans_no_byte_twice),
        cmocka_unit_test(every_row_reads_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
