/* SPDX-License-Identifier: MIT */
/* Parses whole heads. RFC 9112. */
#include <fastws/http_head.h>

#include <fastws/error.h>

#include "http_lines.h"

void fastws_http_head_init(struct fastws_http_head *head, struct fastws_http_header *headers, size_t cap) {
    const struct fastws_slice empty = {NULL, 0};
    head->request = (struct fastws_http_request_line){.method = empty, .target = empty};
    head->status = (struct fastws_http_status_line){.reason = empty};
    head->headers = headers;
    head->header_cap = cap;
    head->header_count = 0;
    head->len = 0;
    head->src = NULL;
    head->line_off = 0;
    head->line_pos = 0;
    head->is_started = 0;
}

/* As numbers: where the bytes lay may be no memory any more. */
static void move_slice(struct fastws_slice *slice, uintptr_t from, const char *to) {
    if (slice->ptr != NULL) slice->ptr = to + ((uintptr_t)slice->ptr - from);
}

/* Makes the slices follow the bytes. */
static void move_to(struct fastws_http_head *head, const char *src) {
    uintptr_t from = (uintptr_t)head->src;
    head->src = src;
    move_slice(&head->request.method, from, src);
    move_slice(&head->request.target, from, src);
    move_slice(&head->status.reason, from, src);
    for (size_t i = 0; i < head->header_count; i++) {
        move_slice(&head->headers[i].name, from, src);
        move_slice(&head->headers[i].value, from, src);
    }
}

static FWS_ALWAYS_INLINE int read_headers(struct fastws_http_head *head, struct fws_lines *lines) {
    for (;;) {
        struct fastws_http_header header = {{NULL, 0}, {NULL, 0}};
        int result = fws_lines_next(lines, &header);
        if (result <= 0) return result;
        if (result == FASTWS_HTTP_END) {
            head->len = lines->off;
            return 1;
        }
        if (head->header_count == head->header_cap) return FASTWS_ERR_HTTP_TOO_MANY_HEADERS;
        head->headers[head->header_count++] = header;
    }
}

enum start_line { REQUEST, RESPONSE };

static FWS_ALWAYS_INLINE int read_lines(struct fastws_http_head *head, struct fws_lines *lines, enum start_line kind) {
    if (!head->is_started) {
        int result = kind == REQUEST ? fws_lines_request(lines, &head->request)
                                     : fws_lines_status(lines, &head->status);
        if (result <= 0) return result;
        head->is_started = 1;
    }
    return read_headers(head, lines);
}

static FWS_ALWAYS_INLINE int parse(struct fastws_http_head *head, const void *src, size_t len, enum start_line kind) {
    if (head->len > 0) return 1;
    if (head->src != src) move_to(head, src);
    struct fws_marks marks;
    struct fws_lines lines = fws_lines_at(&marks, src, len, head->line_off, head->line_pos);
    int result = read_lines(head, &lines, kind);
    head->line_off = lines.off;
    head->line_pos = lines.pos;
    return result;
}

int fastws_http_parse_request(struct fastws_http_head *head, const void *src, size_t len) {
    return parse(head, src, len, REQUEST);
}

int fastws_http_parse_response(struct fastws_http_head *head, const void *src, size_t len) {
    return parse(head, src, len, RESPONSE);
}
