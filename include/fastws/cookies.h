/* SPDX-License-Identifier: MIT */
/* The pairs in a Cookie header, read and written. RFC 6265.
 *
 *     while ((result = fastws_cookie_next(&cookie, &value, 0)) > 0)
 *         ...                                   (value is that of the header line; it gets shorter)
 *
 * Without flags the reader is as lenient as browsers and servers have to be to each other: pairs are separated by
 * semicolons, white space around them does not count, a name without "=" has an empty value, values may hold spaces and
 * commas, and a pair that is malformed is passed over. The flags make it stricter or wider, one by one. */
#ifndef FASTWS_COOKIES_H
#define FASTWS_COOKIES_H

#include <stddef.h>

#include <fastws/export.h>
#include <fastws/http.h>
#include <fastws/http_write.h>

FASTWS_BEGIN_DECLS

struct fastws_cookie {
    struct fastws_slice name;
    struct fastws_slice value; /* without the quotes around it */
};

/* RFC 6265 4.2.1 as it stands: "; " between the pairs and nowhere else, an "=" in each, no white space, no comma. A
 * separator that is not that is an error; so is a pair, if FASTWS_COOKIE_STOP is set as well. */
#define FASTWS_COOKIE_STRICT (1u << 0)
/* A malformed pair is an error; without this it is passed over. */
#define FASTWS_COOKIE_STOP (1u << 1)
/* A name may be any bytes, none at all too; without this it is a token. */
#define FASTWS_COOKIE_ANY_NAME (1u << 2)
/* A value may be any bytes; without this fastws_cookie_is_value() holds for it. */
#define FASTWS_COOKIE_ANY_VALUE (1u << 3)

/* Takes the next pair from the value of a Cookie header.
 *   out    written only when 1 is returned; points into the value
 *   rest   what is left; moved behind the pair, also behind one that is an error
 *   flags  FASTWS_COOKIE_*, or 0
 * Returns 1, 0 when none is left, or
 *   FASTWS_ERR_HTTP_COOKIE  see the flags; never without them. After a wrong separator nothing is left
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_cookie_next(struct fastws_cookie *out,
                                                                        struct fastws_slice *rest, unsigned flags);

/* Returns 1 if text may be the name of a cookie, a token, else 0. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_cookie_is_name(struct fastws_slice text);

/* Returns 1 if text may be the value of a cookie, without quotes around it; else 0. Bytes 0x21-0x7e but '"', ';' and
 * '\\', of which the comma only where flags have no FASTWS_COOKIE_STRICT, and then the space, too. RFC 6265 4.1.1. The
 * empty value is one. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_cookie_is_value(struct fastws_slice text, unsigned flags);

/* Appends a pair to text, behind "; " if that is not empty: what a client sends in its Cookie header. RFC 6265 4.2.1.
 * Returns 0, or
 *   FASTWS_ERR_BUFFER_SIZE       the text has become longer than its cap: what stands at ptr is of no use, len is right
 *   FASTWS_ERR_HANDSHAKE_HEADER  the name is no token, or the value not one of strict rules: nothing was appended
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_cookie_write(struct fastws_http_text *text,
                                                                      struct fastws_slice name,
                                                                      struct fastws_slice value);

FASTWS_END_DECLS

#endif
