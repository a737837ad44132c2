/* SPDX-License-Identifier: MIT */
/* What both halves of the opening handshake share: the key, its answer, and the fixed strings. RFC 6455 section 4. */
#ifndef FASTWS_HANDSHAKE_H
#define FASTWS_HANDSHAKE_H

#include <stddef.h>

#include <fastws/export.h>
#include <fastws/http.h>

FASTWS_BEGIN_DECLS

/* The only version of the protocol on the wire. RFC 6455 4.1, item 9. */
#define FASTWS_HANDSHAKE_VERSION "13"

/* What is appended to a key before it is hashed. RFC 6455 1.3. */
#define FASTWS_HANDSHAKE_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#define FASTWS_KEY_LEN 24    /* bytes of a Sec-WebSocket-Key: base64 of 16 bytes */
#define FASTWS_ACCEPT_LEN 28 /* bytes of a Sec-WebSocket-Accept: base64 of a SHA-1 digest */

/* Checks a Sec-WebSocket-Key: 24 bytes, base64 of 16 bytes as an encoder writes it (RFC 4648 section 4): 22 letters
 * of the alphabet, the last of which leaves its four spare bits 0, and "==".
 * Returns 0,
 *   FASTWS_ERR_HANDSHAKE_KEY  anything else
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_key_check(const void *key, size_t len);

/* Computes the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key: base64(SHA-1(key GUID)). RFC 6455 4.2.2, 5.4.
 *   out       FASTWS_ACCEPT_LEN bytes and a NUL; written only on success
 *   key, len  as received, white space around it removed; not ended by a NUL
 * Returns 0,
 *   FASTWS_ERR_HANDSHAKE_KEY  key is not base64 of 16 bytes: see fastws_key_check()
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_accept_key(char out[FASTWS_ACCEPT_LEN + 1], const void *key,
                                                                    size_t len);

/* Returns 1 if an Origin header names the host that the request was sent to, which is how a page of this server is told
 * from those of others (RFC 6455 10.2): scheme http or https, and the authority of the Host header, compared without
 * case, the port of the scheme taken as given where it is left out; else 0. A Host without port stands for that of the
 * origin's scheme. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_origin_is_host(struct fastws_slice origin, struct fastws_slice host);

/* Returns 1 if both are the same origin: scheme "://" host [ ":" port ], compared without case (RFC 6454 section 4), or
 * both "null"; else 0, also where one of them is no origin. The ports of http, https, ws and wss may be left out.
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_origin_equals(struct fastws_slice a, struct fastws_slice b);

FASTWS_END_DECLS

#endif
