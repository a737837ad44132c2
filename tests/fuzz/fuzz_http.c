/* SPDX-License-Identifier: MIT */
/* Heads of any bytes. The first byte says whether it is a request or a response: whole, in pieces, line by line and on
 * every row of kernels it is read as the same, and what was read is written and read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/http_head.h>
#include <fastws/http_lexer.h>
#include <fastws/http_write.h>

#include "../simd/kernels.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { HEADER_CAP = 16 };

typedef int parse_function(struct fastws_http_head *head, const void *src, size_t len);

struct outcome {
    int result;
    struct fastws_http_head head;
    struct fastws_http_header headers[HEADER_CAP];
};

static int is_same(struct fastws_slice a, struct fastws_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void check_same(const struct outcome *a, const struct outcome *b) {
    CHECK(a->result == b->result);
    CHECK(a->head.len == b->head.len);
    CHECK(a->head.header_count == b->head.header_count);
    CHECK(is_same(a->head.request.method, b->head.request.method));
    CHECK(is_same(a->head.request.target, b->head.request.target));
    CHECK(a->head.request.version_major == b->head.request.version_major);
    CHECK(a->head.request.version_minor == b->head.request.version_minor);
    CHECK(a->head.status.status == b->head.status.status);
    CHECK(is_same(a->head.status.reason, b->head.status.reason));
    for (size_t i = 0; i < a->head.header_count; i++) {
        CHECK(is_same(a->headers[i].name, b->headers[i].name));
        CHECK(is_same(a->headers[i].value, b->headers[i].value));
    }
}

/* Parses with `first` bytes, then with `step` more each time, each time in another block of exactly that size. The last
 * one stays for the outcome. */
static uint8_t *run(struct outcome *outcome, parse_function *parse, const uint8_t *data, size_t size, size_t first,
                    size_t step) {
    memset(outcome, 0, sizeof *outcome);
    fastws_http_head_init(&outcome->head, outcome->headers, HEADER_CAP);
    uint8_t *block = NULL;
    for (size_t n = first;; n += step) {
        if (n > size) n = size;
        uint8_t *copy = malloc(n > 0 ? n : 1);
        CHECK(copy != NULL);
        if (n > 0) memcpy(copy, data, n);
        free(block);
        block = copy;
        outcome->result = parse(&outcome->head, copy, n);
        if (outcome->result != FASTWS_NEED_MORE || n == size) return block;
    }
}

static void compare(const struct outcome *whole, parse_function *parse, const uint8_t *data, size_t size, size_t first,
                    size_t step) {
    struct outcome pieces;
    uint8_t *block = run(&pieces, parse, data, size, first, step);
    check_same(whole, &pieces);
    free(block);
}

/* The functions that read one line each. */
static void check_lines(const struct outcome *whole, int is_request, const uint8_t *data, size_t size) {
    struct outcome lines;
    memset(&lines, 0, sizeof lines);
    struct fastws_http_head *head = &lines.head;
    size_t off = 0, pos = 0;
    int result = is_request ? fastws_http_parse_request_line(&head->request, data, size, &pos)
                            : fastws_http_parse_status_line(&head->status, data, size, &pos);
    while (result > 0) {
        CHECK(pos <= size - off);
        off += pos;
        pos = 0;
        struct fastws_http_header header;
        result = fastws_http_parse_header(&header, data + off, size - off, &pos);
        if (result == FASTWS_HTTP_END) head->len = off + pos;
        if (result != FASTWS_HTTP_HEADER) break;
        if (head->header_count == HEADER_CAP) result = FASTWS_ERR_HTTP_TOO_MANY_HEADERS;
        if (result > 0) lines.headers[head->header_count++] = header;
    }
    lines.result = result > 0 ? 1 : result;
    check_same(whole, &lines);
}

static void check_rows(const struct outcome *whole, parse_function *parse, const uint8_t *data, size_t size) {
    const char *before = fws_kernels_active()->name;
    for (int i = 0; i < fws_kernels_count(); i++) {
        CHECK(fws_kernels_select(fws_kernels_at(i)->name) == 0);
        compare(whole, parse, data, size, size, 1);
    }
    CHECK(fws_kernels_select(before) == 0);
}

/* What was read may be written, and is read as the same. */
static void check_writing(const struct outcome *whole, parse_function *parse, size_t size) {
    const struct fastws_http_head *head = &whole->head;
    if (whole->result != 1) return;
    size_t cap = size + 64 + 4 * HEADER_CAP;
    char *bytes = malloc(cap);
    CHECK(bytes != NULL);
    struct fastws_http_text text = {bytes, cap, 0};
    const struct fastws_http_headers headers = {whole->headers, head->header_count};
    int is_request = parse == fastws_http_parse_request;
    struct fastws_slice reason = fastws_http_trim(head->status.reason);
    CHECK((is_request ? fastws_http_write_request_line(&text, head->request.method, head->request.target)
                      : fastws_http_write_status_line(&text, head->status.status, reason)) == 0);
    CHECK(fastws_http_write_headers(&text, &headers) == 0);
    CHECK(fastws_http_write_end(&text) == 0);
    struct outcome again;
    uint8_t *block = run(&again, parse, (const uint8_t *)bytes, text.len, text.len, 1);
    CHECK(again.result == 1);
    CHECK(again.head.len == text.len);
    CHECK(is_same(again.head.request.target, head->request.target));
    CHECK(again.head.header_count == head->header_count);
    for (size_t i = 0; i < head->header_count; i++) CHECK(is_same(again.headers[i].value, whole->headers[i].value));
    free(block);
    free(bytes);
}

/* Items lie one behind the other in the value. */
static void check_items(struct fastws_slice value) {
    const char *at = value.ptr, *end = value.len > 0 ? value.ptr + value.len : value.ptr;
    struct fastws_slice rest = value;
    struct fastws_http_item item;
    while (fastws_http_next_item(&item, &rest) > 0) {
        CHECK(item.text.ptr >= at && item.text.ptr + item.text.len <= end);
        at = item.text.ptr + item.text.len;
        CHECK(item.kind != FASTWS_HTTP_ITEM_TOKEN || fastws_http_is_token(item.text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    int is_request = data[0] % 2 == 0;
    parse_function *parse = is_request ? fastws_http_parse_request : fastws_http_parse_response;
    data++;
    size--;
    struct outcome whole;
    uint8_t *block = run(&whole, parse, data, size, size, 1);
    check_lines(&whole, is_request, data, size);
    check_rows(&whole, parse, data, size);
    compare(&whole, parse, data, size, 1, 1);
    compare(&whole, parse, data, size, 7, 64);
    size_t step = size / 64 + 1;
    for (size_t cut = 0; cut < size; cut += step) compare(&whole, parse, data, size, cut, size);
    check_writing(&whole, parse, size);
    for (size_t i = 0; i < whole.head.header_count; i++) check_items(whole.headers[i].value);
    free(block);
    return 0;
}
