/* SPDX-License-Identifier: MIT */
/* Writes heads: start lines and header lines that no reader takes for anything else. RFC 9112.
 *
 *     char bytes[512];
 *     struct fastws_http_text text = {bytes, sizeof bytes, 0};
 *     int result = fastws_http_write_request_line(&text, method, target);
 *     if (result == 0) result = fastws_http_write_header(&text, name, value);
 *     if (result == 0) result = fastws_http_write_end(&text);           (text.len bytes are the head)
 *
 * What a program passes on may come from elsewhere: a name that is not a token, a value with CR, LF or another control
 * byte, is refused, so that nobody adds lines to a head that way. */
#ifndef FASTWS_HTTP_WRITE_H
#define FASTWS_HTTP_WRITE_H

#include <stddef.h>

#include <fastws/export.h>
#include <fastws/http.h>

FASTWS_BEGIN_DECLS

/* Text that grows in memory of the caller. len counts what was written, and goes on counting past cap: a text with cap
 * 0 (ptr may be NULL) measures. Nothing ends it with a NUL. */
struct fastws_http_text {
    char *ptr;
    size_t cap; /* bytes at ptr */
    size_t len; /* bytes of the text, also of those that did not fit */
};

/* Each of the following appends to text and returns 0, or
 *   FASTWS_ERR_BUFFER_SIZE       the text has become longer than cap: what stands at ptr is of no use, len is right
 *   FASTWS_ERR_HANDSHAKE_HEADER  a part may not be written; nothing was appended
 * Arguments must not lie in the memory of the text. Thread-safe. Never allocates. */

/* method SP target SP "HTTP/1.1" CRLF. Refuses a method that is no token and what fastws_http_is_target() refuses. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_http_write_request_line(struct fastws_http_text *text,
                                                                                 struct fastws_slice method,
                                                                                 struct fastws_slice target);

/* "HTTP/1.1" SP status SP reason CRLF. Refuses a status outside 100..999 and a reason that is no header value. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_http_write_status_line(struct fastws_http_text *text,
                                                                                int status,
                                                                                struct fastws_slice reason);

/* name ": " value CRLF. Refuses a name that is no token and what fastws_http_is_value() refuses. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_http_write_header(struct fastws_http_text *text,
                                                                           struct fastws_slice name,
                                                                           struct fastws_slice value);

/* Header after header. Those before one that is refused stay. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_http_write_headers(
    struct fastws_http_text *text, const struct fastws_http_headers *headers);

/* The empty line behind the last header. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_http_write_end(struct fastws_http_text *text);

/* The bytes as they are, for bodies and for parts that the caller has judged. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_http_write_raw(struct fastws_http_text *text,
                                                                        struct fastws_slice bytes);

FASTWS_END_DECLS

#endif
