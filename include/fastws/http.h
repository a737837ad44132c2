/* SPDX-License-Identifier: MIT */
/* The heads of HTTP/1.1 requests and responses: their lines, and the lists of tokens in header values. RFC 9110,
 * RFC 9112.
 *
 * Nothing here allocates or copies: what is parsed is handed out as slices of the caller's bytes. The grammar is
 * applied as it stands in the RFCs, because two readers that disagree about a head are how requests are smuggled:
 * only CRLF ends a line, a name is a token with its colon right behind it, a line is never folded. */
#ifndef FASTWS_HTTP_H
#define FASTWS_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/export.h>

FASTWS_BEGIN_DECLS

/* Bytes that belong to somebody else. Not ended by a NUL. ptr may be NULL when len is 0. */
struct fastws_slice {
    const char *ptr;
    size_t len; /* bytes at ptr */
};

/* One header line. */
struct fastws_http_header {
    struct fastws_slice name;  /* a token, written as the sender wrote it: compare without case */
    struct fastws_slice value; /* without the white space around it; may be empty */
};

/* Header lines in their order. ptr may be NULL when count is 0. */
struct fastws_http_headers {
    const struct fastws_http_header *ptr;
    size_t count;
};

/* A request line: method SP target SP "HTTP/" major "." minor. RFC 9112 section 3. */
struct fastws_http_request_line {
    struct fastws_slice method; /* a token; case matters */
    struct fastws_slice target; /* at least one byte, each of them 0x21-0x7e and not '#' */
    uint8_t version_major;      /* 0..9 */
    uint8_t version_minor;      /* 0..9 */
};

/* A status line: "HTTP/" major "." minor SP status [ SP [ reason ] ]. RFC 9112 section 4. */
struct fastws_http_status_line {
    uint8_t version_major;      /* 0..9 */
    uint8_t version_minor;      /* 0..9 */
    uint16_t status;            /* 100..999. RFC 9110 section 15: from 600 on it is to be treated as 500 */
    struct fastws_slice reason; /* as it was sent, white space at its ends included; may be empty */
};

/* What fastws_http_parse_header() found. */
#define FASTWS_HTTP_HEADER 1 /* a header line */
#define FASTWS_HTTP_END 2    /* the empty line that ends the head */

/* Parses the request line at the start of src. RFC 9112 section 3.
 *   src, len   bytes received so far: reads [src, src+len) only
 *   pos        in: 0 for a new line; after FASTWS_NEED_MORE what that call left here, with the same bytes and more
 *              behind them, so that a line that comes byte by byte is scanned once
 *              out: never more than len; on success the length of the line with its CRLF; on FASTWS_NEED_MORE how
 *              many bytes need not be scanned again; on an error the bytes up to and with the one that was refused,
 *              or up to the end of the line where it is refused as a whole
 *   out        written only on success; its slices point into src
 * One empty line before the request line is skipped and counted in pos (RFC 9112 2.2).
 * Returns 1,
 *   FASTWS_NEED_MORE              the line has not ended
 *   FASTWS_ERR_HTTP_REQUEST_LINE  not of the form above
 *   FASTWS_ERR_HTTP_TARGET        a byte in the target that may not stand there
 *   FASTWS_ERR_HTTP_VERSION       a version number of more than one digit on either side of its point
 *   FASTWS_ERR_HTTP_LINE_END      CR without LF, or LF without CR
 * The same bytes give the same result however they are cut. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 4) int
fastws_http_parse_request_line(struct fastws_http_request_line *out, const void *src, size_t len, size_t *pos);

/* Parses the status line at the start of src. RFC 9112 section 4. The space behind the status may be missing when no
 * reason follows: servers leave it out, and nothing can be misread for it. No empty line is skipped.
 *   src, len, pos  as for fastws_http_parse_request_line()
 *   out            written only on success; its slice points into src
 * Returns 1,
 *   FASTWS_NEED_MORE             the line has not ended
 *   FASTWS_ERR_HTTP_STATUS_LINE  not of the form above, a status below 100, or a control byte other than a tab
 *   FASTWS_ERR_HTTP_VERSION      a version number of more than one digit on either side of its point
 *   FASTWS_ERR_HTTP_LINE_END     CR without LF, or LF without CR
 * The same bytes give the same result however they are cut. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 4) int
fastws_http_parse_status_line(struct fastws_http_status_line *out, const void *src, size_t len, size_t *pos);

/* Parses the header line at the start of src, or the empty line that ends the head. RFC 9112 section 5.
 *   src, len, pos  as for fastws_http_parse_request_line()
 *   out            written only on FASTWS_HTTP_HEADER; its slices point into src
 * Returns FASTWS_HTTP_HEADER, FASTWS_HTTP_END,
 *   FASTWS_NEED_MORE              the line has not ended
 *   FASTWS_ERR_HTTP_FOLD          the line starts with a space or a tab (RFC 9112 5.2)
 *   FASTWS_ERR_HTTP_HEADER_NAME   the line does not start with a token and a colon right behind it
 *   FASTWS_ERR_HTTP_HEADER_VALUE  control byte other than a tab in the value (RFC 9110 5.5)
 *   FASTWS_ERR_HTTP_LINE_END      CR without LF, or LF without CR
 * The same bytes give the same result however they are cut. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 4) int
fastws_http_parse_header(struct fastws_http_header *out, const void *src, size_t len, size_t *pos);

/* Takes the next element from a list of tokens, 1#token. RFC 9110 5.6.1. Empty elements are skipped, spaces and tabs
 * around an element do not belong to it.
 *   list   what is left of the list; moved behind the element and its comma
 *   token  written only when 1 is returned
 * Returns 1, 0 when no element is left, or
 *   FASTWS_ERR_HTTP_TOKENS  an element is not a token: a quoted string, two tokens without a comma, ...
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_http_next_token(struct fastws_slice *token,
                                                                            struct fastws_slice *list);

/* Like fastws_http_next_token(), but for the elements of an Upgrade header: token [ "/" token ]. RFC 9110 7.8. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_http_next_protocol(struct fastws_slice *protocol,
                                                                               struct fastws_slice *list);

/* Returns 1 if text is a token: one or more of A-Z a-z 0-9 and !#$%&'*+-.^_`|~ (RFC 9110 5.6.2), else 0.
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_http_is_token(struct fastws_slice text);

/* Returns 1 if text may stand in a request line: one or more of 0x21-0x7e but '#' (RFC 9112 3.2), else 0.
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_http_is_target(struct fastws_slice text);

/* Returns 1 if text is a header value: no control byte but the tab (RFC 9110 5.5), and neither a space nor a tab at its
 * ends; else 0. The empty value is one. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_http_is_value(struct fastws_slice text);

/* Returns 1 if text is the value of a Host header that names a host: name, IPv4 address or "[" IPv6 address "]", and a
 * colon with a port of any length, also none, if wanted (RFC 9110 7.2, RFC 3986 3.2.2); else 0. The bytes of an IPv6
 * address and of percent encodings are checked, their order is not. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_http_is_host(struct fastws_slice text);

/* Returns text without the spaces and tabs around it. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD struct fastws_slice fastws_http_trim(struct fastws_slice text);

/* Returns 1 if text equals lower without regard to the case of A-Z, else 0. lower is a string in lower case, ended by
 * a NUL. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(2) int fastws_http_equals(struct fastws_slice text, const char *lower);

/* Writes a header name in its usual spelling: the first letter and each one behind a '-' in upper case, the others in
 * lower case. What is no token is copied as it is.
 *   dst  name.len bytes; may be name.ptr itself
 * Thread-safe. Never allocates. */
FASTWS_API void fastws_http_canonical(char *dst, struct fastws_slice name);

/* Reads 1*DIGIT, such as the value of Content-Length: no sign, no space, zeros in front allowed.
 *   out  written only on success
 * Returns 1, or
 *   FASTWS_ERR_HTTP_HEADER_VALUE  anything else, or more than UINT64_MAX
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_http_parse_number(uint64_t *out, struct fastws_slice text);

/* Returns the reason phrase of an HTTP status, such as "Bad Request" for 400: a static string, "" for a status that
 * has none here (RFC 9112 section 4 allows an empty one). Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD const char *fastws_http_status_text(int status);

FASTWS_END_DECLS

#endif
