/* SPDX-License-Identifier: MIT */
/* Request lines, header lines and lists of tokens: RFC 9112 as it stands, whole, byte by byte and cut everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/http.h>

#include "kernels/guard.h"

#define SLICE(literal) ((struct fastws_slice){literal, sizeof(literal) - 1})
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A place in the input: what a slice is when the bytes move. */
struct place {
    size_t off;
    size_t len;
};

/* What one of the parsers said of a line, comparable by its bytes. */
struct outcome {
    int result;
    size_t pos;
    struct place first;  /* method, name or reason */
    struct place second; /* target or value */
    int major;
    int minor;
    int status;
};

typedef struct outcome parse_function(const char *src, size_t len, size_t pos);

static struct place place_of(struct fastws_slice slice, const char *base) {
    return (struct place){(size_t)(slice.ptr - base), slice.len};
}

static struct outcome parse_request(const char *src, size_t len, size_t pos) {
    struct fastws_http_request_line line;
    struct outcome outcome;
    memset(&outcome, 0, sizeof outcome);
    outcome.result = fastws_http_parse_request_line(&line, src, len, &pos);
    outcome.pos = pos;
    if (outcome.result != 1) return outcome;
    outcome.first = place_of(line.method, src);
    outcome.second = place_of(line.target, src);
    outcome.major = line.version_major;
    outcome.minor = line.version_minor;
    return outcome;
}

static struct outcome parse_status(const char *src, size_t len, size_t pos) {
    struct fastws_http_status_line line;
    struct outcome outcome;
    memset(&outcome, 0, sizeof outcome);
    outcome.result = fastws_http_parse_status_line(&line, src, len, &pos);
    outcome.pos = pos;
    if (outcome.result != 1) return outcome;
    outcome.first = place_of(line.reason, src);
    outcome.status = line.status;
    outcome.major = line.version_major;
    outcome.minor = line.version_minor;
    return outcome;
}

static struct outcome parse_header(const char *src, size_t len, size_t pos) {
    struct fastws_http_header header;
    struct outcome outcome;
    memset(&outcome, 0, sizeof outcome);
    outcome.result = fastws_http_parse_header(&header, src, len, &pos);
    outcome.pos = pos;
    if (outcome.result != FASTWS_HTTP_HEADER) return outcome;
    outcome.first = place_of(header.name, src);
    outcome.second = place_of(header.value, src);
    return outcome;
}

/* Copies src to where the page behind it may not be read. The copy is there until the next call. */
static char *at_guard(const char *src, size_t len) {
    enum { CAP = 4096 };
    static uint8_t *buf;
    if (buf == NULL) buf = guard_alloc_end(CAP);
    assert_true(len <= CAP);
    return memcpy(buf + CAP - len, src, len);
}

static struct outcome parse_exact(parse_function *parse, const char *src, size_t len, size_t pos) {
    struct outcome outcome = parse(at_guard(src, len), len, pos);
    assert_true(outcome.pos <= len);
    return outcome;
}

static void assert_same(const struct outcome *a, const struct outcome *b) {
    assert_int_equal(a->result, b->result);
    assert_int_equal(a->pos, b->pos);
    assert_memory_equal(&a->first, &b->first, sizeof a->first);
    assert_memory_equal(&a->second, &b->second, sizeof a->second);
    assert_int_equal(a->major, b->major);
    assert_int_equal(a->minor, b->minor);
    assert_int_equal(a->status, b->status);
}

/* Parses src whole, in two pieces cut at every position, and byte by byte; all must say the same. */
static struct outcome parse_all_ways(parse_function *parse, const char *src, size_t len) {
    struct outcome whole = parse_exact(parse, src, len, 0);
    for (size_t cut = 0; cut <= len; cut++) {
        struct outcome outcome = parse_exact(parse, src, cut, 0);
        if (outcome.result == FASTWS_NEED_MORE) outcome = parse_exact(parse, src, len, outcome.pos);
        assert_same(&outcome, &whole);
    }
    struct outcome outcome = {.result = FASTWS_NEED_MORE};
    for (size_t end = 1; end <= len && outcome.result == FASTWS_NEED_MORE; end++)
        outcome = parse_exact(parse, src, end, outcome.pos);
    assert_same(&outcome, &whole);
    return whole;
}

static void assert_place(const char *src, struct place place, const char *text) {
    assert_int_equal(place.len, strlen(text));
    assert_memory_equal(src + place.off, text, place.len);
}

/* ---- Request lines ---- */

static void parses_request_lines(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *method;
        const char *target;
        int major, minor;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", "GET", "/", 1, 1},
        {"GET /chat?room=1&x=%20 HTTP/1.1\r\n", "GET", "/chat?room=1&x=%20", 1, 1},
        {"GET ws://example.com:80/chat HTTP/1.0\r\n", "GET", "ws://example.com:80/chat", 1, 0},
        {"OPTIONS * HTTP/1.2\r\n", "OPTIONS", "*", 1, 2},
        {"CONNECT example.com:443 HTTP/2.0\r\n", "CONNECT", "example.com:443", 2, 0},
        {"get / HTTP/0.9\r\n", "get", "/", 0, 9},
        {"M-SEARCH!#$%&'*+.^_`|~ /\"<>[]\\{}|^` HTTP/9.9\r\n", "M-SEARCH!#$%&'*+.^_`|~", "/\"<>[]\\{}|^`", 9, 9},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *line = cases[i].line;
        struct outcome outcome = parse_all_ways(parse_request, line, strlen(line));
        assert_int_equal(outcome.result, 1);
        assert_int_equal(outcome.pos, strlen(line));
        assert_place(line, outcome.first, cases[i].method);
        assert_place(line, outcome.second, cases[i].target);
        assert_int_equal(outcome.major, cases[i].major);
        assert_int_equal(outcome.minor, cases[i].minor);
    }
}

static void stops_behind_the_request_line(void **state) {
    (void)state;
    const char *head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n\x81";
    struct outcome outcome = parse_all_ways(parse_request, head, strlen(head));
    assert_int_equal(outcome.result, 1);
    assert_int_equal(outcome.pos, strlen("GET / HTTP/1.1\r\n"));
}

static void skips_one_empty_line_before_the_request_line(void **state) {
    (void)state;
    const char *line = "\r\nGET / HTTP/1.1\r\n";
    struct outcome outcome = parse_all_ways(parse_request, line, strlen(line));
    assert_int_equal(outcome.result, 1);
    assert_int_equal(outcome.pos, strlen(line));
    assert_place(line, outcome.first, "GET");
    const char *two = "\r\n\r\nGET / HTTP/1.1\r\n";
    outcome = parse_all_ways(parse_request, two, strlen(two));
    assert_int_equal(outcome.result, FASTWS_ERR_HTTP_REQUEST_LINE);
    assert_int_equal(outcome.pos, 4);
}

struct refusal {
    const char *line;
    size_t len;
    int error;
    size_t pos;
};
#define REFUSAL(line, error, pos) {line, sizeof(line) - 1, error, pos}

static void assert_refusals(parse_function *parse, const struct refusal *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct outcome outcome = parse_all_ways(parse, cases[i].line, cases[i].len);
        if (outcome.result != cases[i].error || outcome.pos != cases[i].pos)
            print_error("case %zu: %s at %zu\n", i, fastws_error_name(outcome.result), outcome.pos);
        assert_int_equal(outcome.result, cases[i].error);
        assert_int_equal(outcome.pos, cases[i].pos);
    }
}

static void refuses_malformed_request_lines(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        REFUSAL("GET /\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 7),
        REFUSAL("GET\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 5),
        REFUSAL("GET \r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 6),
        REFUSAL("GET / \r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 8),
        REFUSAL(" GET / HTTP/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 17),
        REFUSAL("GET  / HTTP/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 17),
        REFUSAL("GET  HTTP/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 15),
        REFUSAL("GET /  HTTP/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 17),
        REFUSAL("GET / x HTTP/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 18),
        REFUSAL("GET / HTTP/1.1 \r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 17),
        REFUSAL("G(T / HTTP/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 16),
        REFUSAL("GET / http/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 16),
        REFUSAL("GET / HTTP/1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 14),
        REFUSAL("GET / HTTP/1.\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 15),
        REFUSAL("GET / HTTP/.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 15),
        REFUSAL("GET / HTTP/1.;\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 16),
        REFUSAL("GET / HTTP/1,1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 16),
        REFUSAL("GET / HTTP/-1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 17),
        REFUSAL("GET / HTTP/1.1x\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 17),
        REFUSAL("GET / HTTP/42.1092\r\n", FASTWS_ERR_HTTP_VERSION, 20),
        REFUSAL("GET / HTTP/01.1\r\n", FASTWS_ERR_HTTP_VERSION, 17),
        REFUSAL("GET / HTTP/1.10\r\n", FASTWS_ERR_HTTP_VERSION, 17),
    };
    assert_refusals(parse_request, cases, COUNT(cases));
}

static void refuses_bytes_that_may_not_stand_in_a_request_line(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        REFUSAL("GET /\xc3\xa4 HTTP/1.1\r\n", FASTWS_ERR_HTTP_TARGET, 18),
        REFUSAL("GET /a#b HTTP/1.1\r\n", FASTWS_ERR_HTTP_TARGET, 19),
        REFUSAL("GET /a\tb HTTP/1.1\r\n", FASTWS_ERR_HTTP_TARGET, 19),
        REFUSAL("GET\t/ HTTP/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 16),
        REFUSAL("GET /\tHTTP/1.1\r\n", FASTWS_ERR_HTTP_TARGET, 16),
        /* Control bytes are refused where they stand; what follows does not matter. */
        REFUSAL("GET /a\0b HTTP/1.1\r\n", FASTWS_ERR_HTTP_TARGET, 7),
        REFUSAL("GET /a\x7f", FASTWS_ERR_HTTP_TARGET, 7),
        REFUSAL("GE\x01T / HTTP/1.1\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 3),
        REFUSAL("GET / HTTP/1.1\v\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 15),
        REFUSAL("\x16\x03\x01\x02", FASTWS_ERR_HTTP_REQUEST_LINE, 1), /* TLS on a port without it */
    };
    assert_refusals(parse_request, cases, COUNT(cases));
}

static void refuses_other_line_ends_in_a_request_line(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        REFUSAL("GET / HTTP/1.1\nHost: x\r\n", FASTWS_ERR_HTTP_LINE_END, 15),
        REFUSAL("GET / HTTP/1.1\rHost: x\r\n", FASTWS_ERR_HTTP_LINE_END, 16),
        REFUSAL("GET / HTTP/1.1\r\r\n", FASTWS_ERR_HTTP_LINE_END, 16),
        REFUSAL("\nGET / HTTP/1.1\r\n", FASTWS_ERR_HTTP_LINE_END, 1),
        REFUSAL("\rGET / HTTP/1.1\r\n", FASTWS_ERR_HTTP_LINE_END, 2),
    };
    assert_refusals(parse_request, cases, COUNT(cases));
}

static void leaves_out_untouched_when_a_request_line_is_refused(void **state) {
    (void)state;
    struct fastws_http_request_line line, before;
    memset(&line, 0xa5, sizeof line);
    before = line;
    size_t pos = 0;
    const char *src = "GET / HTTP/1.11\r\n";
    assert_int_equal(fastws_http_parse_request_line(&line, src, strlen(src), &pos), FASTWS_ERR_HTTP_VERSION);
    assert_memory_equal(&line, &before, sizeof line);
}

/* ---- Status lines ---- */

static void parses_status_lines(void **state) {
    (void)state;
    static const struct {
        const char *line;
        int major, minor, status;
        const char *reason;
    } cases[] = {
        {"HTTP/1.1 101 Switching Protocols\r\n", 1, 1, 101, "Switching Protocols"},
        {"HTTP/1.1 101 \r\n", 1, 1, 101, ""},
        {"HTTP/1.1 101\r\n", 1, 1, 101, ""}, /* gobwas/ws refuses it */
        {"HTTP/1.0 404 Not Found\r\n", 1, 0, 404, "Not Found"},
        {"HTTP/2.1 999  odd\treason \r\n", 2, 1, 999, " odd\treason "},
        {"HTTP/1.1 100 \xc3\xa9\xff\r\n", 1, 1, 100, "\xc3\xa9\xff"}, /* obs-text */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *line = cases[i].line;
        struct outcome outcome = parse_all_ways(parse_status, line, strlen(line));
        assert_int_equal(outcome.result, 1);
        assert_int_equal(outcome.pos, strlen(line));
        assert_int_equal(outcome.major, cases[i].major);
        assert_int_equal(outcome.minor, cases[i].minor);
        assert_int_equal(outcome.status, cases[i].status);
        assert_place(line, outcome.first, cases[i].reason);
    }
}

static void refuses_malformed_status_lines(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        REFUSAL("\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 2),
        REFUSAL("\r\nHTTP/1.1 101 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 2),
        REFUSAL("HTTP/1.1\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 10),
        REFUSAL("HTTP/1.1 \r\n", FASTWS_ERR_HTTP_STATUS_LINE, 11),
        REFUSAL("HTTP/1.1 10\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 13),
        REFUSAL("HTTP/1.1 1010 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 17),
        REFUSAL("HTTP/1.1 101x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 15),
        REFUSAL("HTTP/1.1 101\tx\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 16),
        REFUSAL("HTTP/1.1  101 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 17),
        REFUSAL("HTTP/1.1 099 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 16),
        REFUSAL("HTTP/1.1 -10 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 16),
        REFUSAL("HTTP/1.1 1;0 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 16), /* ';' follows '9' by two */
        REFUSAL("HTTP/1.1 10: x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 16),
        REFUSAL("HTTP/1.; 101 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 16),
        REFUSAL("http/1.1 101 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 16),
        REFUSAL(" HTTP/1.1 101 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 17),
        REFUSAL("ICY 200 OK\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 12),
        REFUSAL("HTTP/42.1092 101 x\r\n", FASTWS_ERR_HTTP_VERSION, 20),
        REFUSAL("HTTP/01.1 101 x\r\n", FASTWS_ERR_HTTP_VERSION, 17),
        REFUSAL("HTTP/1.1 101 a\0b\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 15),
        REFUSAL("HTTP/1.1 101 a\x7f", FASTWS_ERR_HTTP_STATUS_LINE, 15),
        REFUSAL("\x16\x03\x01", FASTWS_ERR_HTTP_STATUS_LINE, 1),
        REFUSAL("HTTP/1.1 101 x\n", FASTWS_ERR_HTTP_LINE_END, 15),
        REFUSAL("HTTP/1.1 101 x\ry", FASTWS_ERR_HTTP_LINE_END, 16),
    };
    assert_refusals(parse_status, cases, COUNT(cases));
}

/* ---- Header lines ---- */

static void parses_header_lines(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *name;
        const char *value;
    } cases[] = {
        {"Host: example.com\r\n", "Host", "example.com"},
        {"Host:example.com\r\n", "Host", "example.com"},
        {"Host:\t \texample.com \t \r\n", "Host", "example.com"},
        {"X:\r\n", "X", ""},
        {"X: \t\r\n", "X", ""},
        {"a: b: c\r\n", "a", "b: c"},
        {"a: b\tc\r\n", "a", "b\tc"},
        {"a: \"q, \\\"\"\r\n", "a", "\"q, \\\"\""},
        {"a: \x80\xc3\xa4\xff\r\n", "a", "\x80\xc3\xa4\xff"}, /* obs-text */
        {"!#$%&'*+-.^_`|~09azAZ: 1\r\n", "!#$%&'*+-.^_`|~09azAZ", "1"},
        {"A-Header-With-A-Long-Name: and a value that is longer than one word\t\r\n", "A-Header-With-A-Long-Name",
         "and a value that is longer than one word"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *line = cases[i].line;
        struct outcome outcome = parse_all_ways(parse_header, line, strlen(line));
        assert_int_equal(outcome.result, FASTWS_HTTP_HEADER);
        assert_int_equal(outcome.pos, strlen(line));
        assert_place(line, outcome.first, cases[i].name);
        assert_place(line, outcome.second, cases[i].value);
    }
}

static void finds_the_end_of_the_head(void **state) {
    (void)state;
    struct outcome outcome = parse_all_ways(parse_header, "\r\n\x81\x00", 4);
    assert_int_equal(outcome.result, FASTWS_HTTP_END);
    assert_int_equal(outcome.pos, 2);
}

static void refuses_folded_lines(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        REFUSAL(" folded\r\n", FASTWS_ERR_HTTP_FOLD, 1),
        REFUSAL("\tfolded\r\n", FASTWS_ERR_HTTP_FOLD, 1),
        REFUSAL(" \r\n", FASTWS_ERR_HTTP_FOLD, 1),
        REFUSAL(" ", FASTWS_ERR_HTTP_FOLD, 1), /* known at its first byte */
    };
    assert_refusals(parse_header, cases, COUNT(cases));
}

static void refuses_malformed_names(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        REFUSAL("Host : x\r\n", FASTWS_ERR_HTTP_HEADER_NAME, 10),
        REFUSAL("Host\t: x\r\n", FASTWS_ERR_HTTP_HEADER_NAME, 10),
        REFUSAL(": x\r\n", FASTWS_ERR_HTTP_HEADER_NAME, 5),
        REFUSAL("Host\r\n", FASTWS_ERR_HTTP_HEADER_NAME, 6),
        REFUSAL("Ho st: x\r\n", FASTWS_ERR_HTTP_HEADER_NAME, 10),
        REFUSAL("Ho(st): x\r\n", FASTWS_ERR_HTTP_HEADER_NAME, 11),
        REFUSAL("H\xc3\xb6st: x\r\n", FASTWS_ERR_HTTP_HEADER_NAME, 10),
        REFUSAL("Ho\0st: x\r\n", FASTWS_ERR_HTTP_HEADER_NAME, 3),
        REFUSAL("\x7f", FASTWS_ERR_HTTP_HEADER_NAME, 1),
    };
    assert_refusals(parse_header, cases, COUNT(cases));
}

/* Every byte at every place of a name, so that it meets each place of the scanner's words and their rest. */
static void knows_the_bytes_of_names_at_every_offset(void **state) {
    (void)state;
    enum { NAME_LEN = 19 };
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        int is_token = fastws_http_is_token((struct fastws_slice){&byte, 1});
        for (size_t at = 0; at < NAME_LEN; at++) {
            char line[] = "zZaA-zZaA-zZaA-zZaA: v\r\n";
            line[at] = byte;
            struct outcome outcome = parse_exact(parse_header, line, sizeof line - 1, 0);
            if (c == ':' && at > 0) {
                assert_int_equal(outcome.result, FASTWS_HTTP_HEADER);
                assert_int_equal(outcome.first.len, at);
            } else {
                assert_int_equal(outcome.result > 0, is_token);
                if (is_token) assert_int_equal(outcome.first.len, NAME_LEN);
            }
        }
    }
}

static void refuses_control_bytes_in_values(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        char line[] = "Name: value?value\r\n";
        *strchr(line, '?') = (char)c;
        struct outcome outcome = parse_all_ways(parse_header, line, sizeof line - 1);
        int is_control = (c < 0x20 && c != '\t') || c == 0x7f;
        int expected = c == '\r' || c == '\n' ? FASTWS_ERR_HTTP_LINE_END
                       : is_control           ? FASTWS_ERR_HTTP_HEADER_VALUE
                                              : FASTWS_HTTP_HEADER;
        assert_int_equal(outcome.result, expected);
    }
}

static void refuses_other_line_ends_in_headers(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        REFUSAL("a: b\nc: d\r\n", FASTWS_ERR_HTTP_LINE_END, 5),
        REFUSAL("a: b\rc: d\r\n", FASTWS_ERR_HTTP_LINE_END, 6),
        REFUSAL("a: b\r\r\n", FASTWS_ERR_HTTP_LINE_END, 6),
        REFUSAL("\n", FASTWS_ERR_HTTP_LINE_END, 1),
        REFUSAL("\rx", FASTWS_ERR_HTTP_LINE_END, 2),
    };
    assert_refusals(parse_header, cases, COUNT(cases));
}

/* The control byte at each place of a line, so that it meets each place of the scanner's words and their rest. */
static void finds_a_control_byte_at_every_offset(void **state) {
    (void)state;
    char line[64];
    for (size_t at = 2; at < 40; at++) {
        for (size_t tab = 2; tab < 40; tab++) {
            memset(line, 'v', sizeof line);
            memcpy(line, "n:", 2);
            line[tab] = '\t';
            line[at] = '\x01';
            struct outcome outcome = parse_exact(parse_header, line, at + 1, 0);
            assert_int_equal(outcome.result, FASTWS_ERR_HTTP_HEADER_VALUE);
            assert_int_equal(outcome.pos, at + 1);
        }
    }
}

static void waits_for_the_rest_of_a_line(void **state) {
    (void)state;
    const char *line = "Name: value\r\n";
    for (size_t len = 0; len < strlen(line); len++) {
        struct outcome outcome = parse_exact(parse_header, line, len, 0);
        assert_int_equal(outcome.result, FASTWS_NEED_MORE);
    }
}

/* ---- Lists ---- */

/* Writes the elements with '|' behind each, and '!' for an error. */
static void join(char *dst, size_t cap, const char *list, int (*next)(struct fastws_slice *, struct fastws_slice *)) {
    size_t len = strlen(list);
    struct fastws_slice left = {at_guard(list, len), len};
    struct fastws_slice element;
    size_t at = 0;
    int result;
    dst[0] = '\0';
    while ((result = next(&element, &left)) > 0)
        at += (size_t)snprintf(dst + at, cap - at, "%.*s|", (int)element.len, element.ptr);
    if (result < 0) {
        assert_int_equal(result, FASTWS_ERR_HTTP_TOKENS);
        snprintf(dst + at, cap - at, "!");
    } else {
        assert_int_equal(next(&element, &left), 0); /* and so on */
    }
}

static void takes_tokens_from_lists(void **state) {
    (void)state;
    static const struct {
        const char *list;
        const char *tokens;
    } cases[] = {
        {"", ""},
        {" \t", ""},
        {",", ""},
        {" ,\t, ", ""},
        {"upgrade", "upgrade|"},
        {"jsonrpc, soap, grpc", "jsonrpc|soap|grpc|"},
        {"a,b", "a|b|"},
        {"\ta\t,\tb\t", "a|b|"},
        {",,a,,b,,", "a|b|"},
        {"a,b,,c", "a|b|c|"},
        {"a,b;c", "a|!"}, /* gobwas/httphead hands out b before it sees the fault */
        {"Keep-Alive, Close,  hello", "Keep-Alive|Close|hello|"},
        {"a b", "!"}, /* a comma is missing */
        {"a, b c", "a|!"},
        {"a;q=1", "!"},
        {"=[", "!"},
        {"\"a\", b", "!"},
        {"a, \"b\"", "a|!"},
        {"a/1", "!"},
        {"a\x01", "!"},
        {"\xc3\xa4", "!"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char joined[128];
        join(joined, sizeof joined, cases[i].list, fastws_http_next_token);
        assert_string_equal(joined, cases[i].tokens);
    }
}

static void takes_protocols_from_lists(void **state) {
    (void)state;
    static const struct {
        const char *list;
        const char *protocols;
    } cases[] = {
        {"websocket", "websocket|"},
        {"h2c, HTTP/2.0,\twebsocket ,TLS/1.0", "h2c|HTTP/2.0|websocket|TLS/1.0|"},
        {"websocket/", "!"},
        {"/13", "!"},
        {"a/b/c", "!"},
        {"a / b", "!"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char joined[128];
        join(joined, sizeof joined, cases[i].list, fastws_http_next_protocol);
        assert_string_equal(joined, cases[i].protocols);
    }
}

/* ---- Single values ---- */

static void knows_the_bytes_of_tokens_and_targets(void **state) {
    (void)state;
    const char *token_marks = "!#$%&'*+-.^_`|~";
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        int is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        struct fastws_slice text = {&byte, 1};
        assert_int_equal(fastws_http_is_token(text), is_alnum || (c != 0 && strchr(token_marks, c) != NULL));
        assert_int_equal(fastws_http_is_target(text), c > 0x20 && c < 0x7f && c != '#');
    }
    assert_int_equal(fastws_http_is_token(SLICE("")), 0);
    assert_int_equal(fastws_http_is_token(SLICE("two tokens")), 0);
    assert_int_equal(fastws_http_is_target(SLICE("")), 0);
    assert_int_equal(fastws_http_is_target(SLICE("/a b")), 0);
}

static void knows_values_that_may_be_written(void **state) {
    (void)state;
    assert_int_equal(fastws_http_is_value(SLICE("")), 1);
    assert_int_equal(fastws_http_is_value(SLICE("a\tb c")), 1);
    assert_int_equal(fastws_http_is_value(SLICE("caf\xc3\xa9")), 1);
    assert_int_equal(fastws_http_is_value(SLICE("a\r\nX: y")), 0);
    assert_int_equal(fastws_http_is_value(SLICE("a\n")), 0);
    assert_int_equal(fastws_http_is_value(SLICE("a\0b")), 0);
    assert_int_equal(fastws_http_is_value(SLICE("a\x7f")), 0);
    assert_int_equal(fastws_http_is_value(SLICE(" a")), 0);
    assert_int_equal(fastws_http_is_value(SLICE("a\t")), 0);
}

static void knows_hosts(void **state) {
    (void)state;
    static const char *const hosts[] = {
        "example.com", "example.com:8080", "example.com:", "127.0.0.1:9001", "[::1]",        "[2001:db8::1]:443",
        "[v1.a:b]",    "a_b",              "x%41",         "xn--bcher-kva",  "localhost:80", "-",
    };
    for (size_t i = 0; i < COUNT(hosts); i++)
        assert_int_equal(fastws_http_is_host((struct fastws_slice){hosts[i], strlen(hosts[i])}), 1);
    static const char *const others[] = {
        "",      ":80",   "a:b",   "a:80:80", "a b",   "a/b",     "a?b",      "a#b",     "user@host",
        "a,b/c", "[::1",  "[]",    "[",       "::1",   "[::1]80", "[::1]:8x", "[::1]]",  "[:/:]",
        "a\"b",  "a<b>", "b\xc3", "a\\b",    "[]:80", "a:80 ",   "a\tb",     "a\x01",   "a:\x7f",
    };
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(fastws_http_is_host((struct fastws_slice){others[i], strlen(others[i])}), 0);
}

/* Every byte at every place of a host, so that it meets each place of the words and their rest. */
static void knows_the_bytes_of_hosts_at_every_offset(void **state) {
    (void)state;
    const char *marks = "-._~!$&'()*+,;=%";
    for (int c = 0; c < 256; c++) {
        int is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        int expected = is_alnum || (c != 0 && strchr(marks, c) != NULL);
        for (size_t len = 1; len < 20; len++) {
            for (size_t at = 0; at < len; at++) {
                char host[20];
                memset(host, 'h', len);
                host[at] = (char)c;
                if (c == ':') expected = at > 0 && at + 1 == len; /* with a port of no digits */
                assert_int_equal(fastws_http_is_host((struct fastws_slice){at_guard(host, len), len}), expected);
            }
        }
    }
}

static void trims_spaces_and_tabs(void **state) {
    (void)state;
    struct fastws_slice text = fastws_http_trim(SLICE(" \t a b\t \t"));
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.ptr, "a b", 3);
    assert_int_equal(fastws_http_trim(SLICE(" \t ")).len, 0);
    assert_int_equal(fastws_http_trim((struct fastws_slice){NULL, 0}).len, 0);
    assert_int_equal(fastws_http_trim(SLICE("\v")).len, 1);
}

static void compares_without_case(void **state) {
    (void)state;
    assert_int_equal(fastws_http_equals(SLICE("WebSocket"), "websocket"), 1);
    assert_int_equal(fastws_http_equals(SLICE("websocket"), "websocket"), 1);
    assert_int_equal(fastws_http_equals(SLICE("websocke"), "websocket"), 0);
    assert_int_equal(fastws_http_equals(SLICE("websockets"), "websocket"), 0);
    assert_int_equal(fastws_http_equals(SLICE(""), ""), 1);
    assert_int_equal(fastws_http_equals(SLICE("a\0b"), "a"), 0);
    assert_int_equal(fastws_http_equals(SLICE("@[`{"), "@[`{"), 1);
    assert_int_equal(fastws_http_equals(SLICE("@"), "`"), 0); /* 0x20 apart, and no letters */
    assert_int_equal(fastws_http_equals(SLICE("["), "{"), 0);
    assert_int_equal(fastws_http_equals(SLICE("\r"), "-"), 0);
}

static void spells_names_as_usual(void **state) {
    (void)state;
    static const struct {
        const char *name, *usual;
    } cases[] = {
        {"foo-", "Foo-"},           {"-foo", "-Foo"},       {"-", "-"},
        {"foo----bar", "Foo----Bar"}, {"foo-bar", "Foo-Bar"}, {"FoO-BaR", "Foo-Bar"},
        {"Foo-Bar", "Foo-Bar"},     {"", ""},               {"sec-websocket-extensions", "Sec-Websocket-Extensions"},
        {"x_y-1a", "X_y-1a"},       {"foo bar", "foo bar"}, {"foo:bAR", "foo:bAR"}, /* no names */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char dst[32];
        size_t len = strlen(cases[i].name);
        fastws_http_canonical(dst, (struct fastws_slice){cases[i].name, len});
        assert_memory_equal(dst, cases[i].usual, len);
        memcpy(dst, cases[i].name, len); /* in place */
        fastws_http_canonical(dst, (struct fastws_slice){dst, len});
        assert_memory_equal(dst, cases[i].usual, len);
    }
}

static void reads_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t number;
    } cases[] = {
        {"0", 0}, {"1", 1}, {"42", 42}, {"420", 420}, {"010050042", 10050042}, {"18446744073709551615", UINT64_MAX},
        {"00000000000000000000000001", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t number = 7;
        struct fastws_slice text = {cases[i].text, strlen(cases[i].text)};
        assert_int_equal(fastws_http_parse_number(&number, text), 1);
        assert_true(number == cases[i].number);
    }
    /* gobwas/httphead takes the bytes behind '9' for digits, and overflows. */
    static const char *const others[] = {"", "-1", "+1", " 1", "1 ", "1:", ":", ";", "<", "=", ">", "?", "0x1", "1.0",
                                         "18446744073709551616", "99999999999999999999", "a"};
    for (size_t i = 0; i < COUNT(others); i++) {
        uint64_t number = 7;
        struct fastws_slice text = {others[i], strlen(others[i])};
        assert_int_equal(fastws_http_parse_number(&number, text), FASTWS_ERR_HTTP_HEADER_VALUE);
        assert_true(number == 7);
    }
}

static void names_the_statuses(void **state) {
    (void)state;
    assert_string_equal(fastws_http_status_text(101), "Switching Protocols");
    assert_string_equal(fastws_http_status_text(400), "Bad Request");
    assert_string_equal(fastws_http_status_text(426), "Upgrade Required");
    assert_string_equal(fastws_http_status_text(431), "Request Header Fields Too Large");
    assert_string_equal(fastws_http_status_text(505), "HTTP Version Not Supported");
    assert_string_equal(fastws_http_status_text(499), "");
    assert_string_equal(fastws_http_status_text(-1), "");
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error)) {
        int status = fastws_error_http_status(error);
        if (status != 0) assert_string_not_equal(fastws_http_status_text(status), "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_request_lines),
        cmocka_unit_test(stops_behind_the_request_line),
        cmocka_unit_test(skips_one_empty_line_before_the_request_line),
        cmocka_unit_test(refuses_malformed_request_lines),
        cmocka_unit_test(refuses_bytes_that_may_not_stand_in_a_request_line),
        cmocka_unit_test(refuses_other_line_ends_in_a_request_line),
        cmocka_unit_test(leaves_out_untouched_when_a_request_line_is_refused),
        cmocka_unit_test(parses_status_lines),
        cmocka_unit_test(refuses_malformed_status_lines),
        cmocka_unit_test(parses_header_lines),
        cmocka_unit_test(finds_the_end_of_the_head),
        cmocka_unit_test(refuses_folded_lines),
        cmocka_unit_test(refuses_malformed_names),
        cmocka_unit_test(knows_the_bytes_of_names_at_every_offset),
        cmocka_unit_test(refuses_control_bytes_in_values),
        cmocka_unit_test(refuses_other_line_ends_in_headers),
        cmocka_unit_test(finds_a_control_byte_at_every_offset),
        cmocka_unit_test(waits_for_the_rest_of_a_line),
        cmocka_unit_test(takes_tokens_from_lists),
        cmocka_unit_test(takes_protocols_from_lists),
        cmocka_unit_test(knows_the_bytes_of_tokens_and_targets),
        cmocka_unit_test(knows_values_that_may_be_written),
        cmocka_unit_test(knows_hosts),
        cmocka_unit_test(knows_the_bytes_of_hosts_at_every_offset),
        cmocka_unit_test(trims_spaces_and_tabs),
        cmocka_unit_test(compares_without_case),
        cmocka_unit_test(spells_names_as_usual),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(names_the_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
