/* SPDX-License-Identifier: MIT */
/* A whole HTTP/1.1 head at once: start line and header lines, as slices of the caller's bytes. RFC 9112.
 *
 *     struct fastws_http_header headers[64];
 *     struct fastws_http_head head;
 *     fastws_http_head_init(&head, headers, 64);
 *     do
 *         len += receive(buf + len);
 *     while ((result = fastws_http_parse_request(&head, buf, len)) == FASTWS_NEED_MORE);
 *
 * Lines are judged as http.h says, and as soon as they are complete. Lengths are for the caller to limit: what has not
 * ended after so many bytes is too large. */
#ifndef FASTWS_HTTP_HEAD_H
#define FASTWS_HTTP_HEAD_H

#include <stddef.h>

#include <fastws/export.h>
#include <fastws/http.h>

FASTWS_BEGIN_DECLS

/* A head that is being parsed. Fill it with fastws_http_head_init(). */
struct fastws_http_head {
    /* The start line, once that was read: the one that belongs to the function that parses. */
    struct fastws_http_request_line request;
    struct fastws_http_status_line status;

    struct fastws_http_header *headers; /* memory of the caller */
    size_t header_cap;                  /* headers that fit there */
    size_t header_count;                /* headers that were read */
    size_t len;                         /* bytes of the head with its empty line, once it is complete; else 0 */

    /* Of the parser. */
    const char *src;  /* where the bytes lay in the call before */
    size_t line_off;  /* where the line starts that is read next */
    size_t line_pos;  /* bytes of it that were looked at */
    int is_started;   /* the start line was read */
};

/* Makes the object ready for a head.
 *   headers, cap  where its header lines go: they belong to the caller; NULL if cap is 0 */
FASTWS_API FASTWS_NONNULL(1) void fastws_http_head_init(struct fastws_http_head *head,
                                                        struct fastws_http_header *headers, size_t cap);

/* Parses the head of a request that starts at src.
 *   src, len  all bytes of the head that were received so far, also those of calls before: no byte is looked at twice
 *             if it can be helped. They may lie elsewhere than in the call before: slices follow them
 * Returns 1 when the head is complete (head->len bytes; what follows is not looked into),
 *   FASTWS_NEED_MORE                 it has not ended: what is in it so far can be read
 *   FASTWS_ERR_HTTP_*                those of fastws_http_parse_request_line() and fastws_http_parse_header()
 *   FASTWS_ERR_HTTP_TOO_MANY_HEADERS more than header_cap
 * The same bytes give the same result however they are cut. After an error the object must be made anew. Thread-safe.
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_http_parse_request(struct fastws_http_head *head,
                                                                            const void *src, size_t len);

/* Like fastws_http_parse_request(), but for a response: a status line takes the place of the request line. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_http_parse_response(struct fastws_http_head *head,
                                                                             const void *src, size_t len);

FASTWS_END_DECLS

#endif
