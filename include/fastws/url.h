/* SPDX-License-Identifier: MIT */
/* The addresses of WebSocket servers. RFC 3986, RFC 6455 section 3.
 *
 *     ws://user:password@example.com:8080/chat?room=1      TCP
 *     wss://[2001:db8::1]/chat                             TLS
 *     ws+unix:///run/server.sock:/chat?room=1              a socket in the file system; wss+unix: TLS over it
 *
 * Nothing here allocates or copies: the parts are slices of the caller's text. Two programs that disagree about where
 * the host of an address stands are how one of them is fooled, so that part is taken by the letter of RFC 3986, and
 * what no resolver should guess at ("127.1", "0x7f000001") is refused. */
#ifndef FASTWS_URL_H
#define FASTWS_URL_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/export.h>
#include <fastws/http.h>

FASTWS_BEGIN_DECLS

/* What the host of an address is. */
enum fastws_host_kind {
    FASTWS_HOST_NAME = 1, /* letters, digits, '-', '.' and '_': at most 253 bytes, labels of 1 to 63, a dot at the end
                             allowed. Names in other scripts have to come in their ASCII form ("xn--...") */
    FASTWS_HOST_IPV4 = 2, /* four decimal numbers without leading zeros */
    FASTWS_HOST_IPV6 = 3, /* any form of RFC 4291 2.2, without a zone */
    FASTWS_HOST_UNIX = 4  /* absolute path of a socket */
};

/* The parts of an address. Slices point into the text that was parsed, and live as long as it does. */
struct fastws_url {
    uint8_t is_secure;   /* wss or wss+unix: TLS */
    uint8_t host_kind;   /* enum fastws_host_kind */
    uint8_t has_userinfo; /* "user@", even if user is empty */
    uint16_t port;       /* the one given, else 80, or 443 if is_secure; 0 for a path */
    struct fastws_slice user;     /* percent-encoded: fastws_url_decode() */
    struct fastws_slice password; /* likewise; empty where no colon introduces one */
    struct fastws_slice host;     /* without brackets and port; a path is percent-encoded */
    struct fastws_slice target;   /* path and query as they were written. Empty, or beginning with '/' or '?': where it
                                     is not '/', put one in front on the wire (RFC 6455 section 3) */
};

/* Parses an address.
 *   src, len   the text, without white space around it; ended by len, not by a NUL
 *   out        written only on success
 * The scheme is ws, wss, ws+unix or wss+unix in any case of letters. An empty port is the default one (RFC 3986 3.2.3).
 * A fragment is checked and left out: it never goes on the wire (RFC 6455 section 3 asks that there is none).
 * Of ws+unix the path of the socket comes first: absolute, behind two slashes or none, up to a colon, behind which
 * path and query of the request stand. A colon or '?' in the path of the socket is percent-encoded.
 * Path and query may hold every visible ASCII byte, as servers take them; the rest has to be percent-encoded.
 * Returns 0,
 *   FASTWS_ERR_URL_SCHEME    another scheme, none, or one without its "//"
 *   FASTWS_ERR_URL_USERINFO  a byte in user or password that is to be percent-encoded, or an encoding that is none
 *   FASTWS_ERR_URL_HOST      no host, or not one of the kinds above, or a path that is not absolute
 *   FASTWS_ERR_URL_PORT      not a number, or none of 1 to 65535
 *   FASTWS_ERR_URL_TARGET    a byte in path, query or fragment that is no visible ASCII, or a '#' in the fragment; for
 *                            ws+unix also a target that does not begin with '/' or '?'
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_url_parse(struct fastws_url *out, const void *src, size_t len);

/* Replaces each "%" HEXDIG HEXDIG by the byte that it stands for. RFC 3986 2.1.
 *   dst, cap   room for cap bytes; text.len are always enough. No NUL is appended, and any byte may come out. May be
 *              where the text is
 * Returns the number of bytes written,
 *   FASTWS_ERR_ARGUMENT     a '%' without two hexadecimal digits behind it
 *   FASTWS_ERR_BUFFER_SIZE  cap is too small
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD ptrdiff_t fastws_url_decode(void *dst, size_t cap, struct fastws_slice text);

/* Writes the address that a reference means, which stands in the Location header of a redirect. RFC 9110 10.2.2,
 * RFC 3986 5.2.
 *   dst, cap   room for the address, which gets no NUL: FASTWS_URL_RESOLVE_LEN(base, reference) bytes are always
 *              enough, and not where base or reference lie
 *   base       where the redirect came from: ws or wss, no path of a socket
 *   reference  an address with scheme, "//host/path", "/path", "path", "?query", or empty. http counts as ws and https
 *              as wss, for servers know those
 * Neither userinfo nor fragment is written, wherever they come from. The result has been parsed.
 *   out        its parts, in dst; written only on success
 * Returns the length of the address, or
 *   FASTWS_ERR_URL_*        the reference is none, or has another scheme, or base a path
 *   FASTWS_ERR_BUFFER_SIZE  cap is too small
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 3, 4) ptrdiff_t
fastws_url_resolve(char *dst, size_t cap, struct fastws_url *out, const struct fastws_url *base,
                   struct fastws_slice reference);

/* Bytes that an address resolved from these takes at most: "wss://[host]:65535/" and what they hold. */
#define FASTWS_URL_RESOLVE_LEN(base, reference) \
    (15 + (base)->host.len + (base)->target.len + (reference).len)

/* Returns 1 if both lead to the same server in the same way: scheme, host (without regard to case) and port, else 0.
 * Credentials for one may then be shown to the other. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_url_same_origin(const struct fastws_url *a,
                                                                           const struct fastws_url *b);

FASTWS_END_DECLS

#endif
