/* SPDX-License-Identifier: MIT */
/* The client half of the opening handshake, Sans-I/O: the bytes of a request out, the bytes of the answer in.
 * RFC 6455 section 4.1. connect.h has the sockets.
 *
 *     struct fastws_dialer *dial;
 *     fastws_dial_new(NULL, &url, NULL, &dial);
 *     fastws_dial_request(dial, &ptr, &request_len);
 *     send(ptr, request_len);
 *     do
 *         len = receive(buf);                              (0: fastws_dial_eof(), late: fastws_dial_expire())
 *     while ((result = fastws_dial_feed(dial, buf, len, &used)) == FASTWS_NEED_MORE);
 *     if (result == 1) ...                                 (the first frame starts at buf + used)
 *
 * The answer is judged line by line in the order of its bytes and stops at the first fault, so the same bytes give the
 * same result and the same callbacks however they are cut. Headers that are missing are reported at the end of the
 * head, in the order Upgrade, Connection, Sec-WebSocket-Accept. Interim answers (100, 102 to 199) are skipped.
 *
 * An object serves one handshake and one thread at a time. It keeps no time: the driver has the deadline. */
#ifndef FASTWS_DIAL_H
#define FASTWS_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/allocator.h>
#include <fastws/deflate.h>
#include <fastws/export.h>
#include <fastws/http.h>
#include <fastws/options.h>
#include <fastws/random.h>
#include <fastws/url.h>

FASTWS_BEGIN_DECLS

struct fastws_dialer;

/* An answer with another status than 101. Slices are valid until the callback returns. */
struct fastws_dial_refusal {
    int status;                         /* 200..999 */
    uint8_t version_major;              /* of the status line: always 1 */
    uint8_t version_minor;
    struct fastws_slice reason;         /* what stands behind the status; may be empty */
    struct fastws_http_headers headers; /* all of them, in order */
    struct fastws_slice body;           /* without its chunking */
    int is_body_cut;                    /* 1: it is longer than body_max, ended too early or is malformed behind it */
};

/* What a client asks for and hears of. Fill it with fastws_dial_config_init(), then change what differs. The struct is
 * shared: it and all that it points to must outlive every object that uses it and must not change meanwhile.
 *
 * Callbacks are optional and must not call functions on the object that called them. Slices are valid until they
 * return. Those that return int return 0 to go on and anything else to fail with FASTWS_ERR_DIAL_REJECTED.
 *
 * Headers to write: a name is a token, a value passes fastws_http_is_value(), and none of Host, Connection, Upgrade,
 * Content-Length, Transfer-Encoding, Sec-WebSocket-Key, -Version, -Accept, -Protocol, -Extensions is among them, nor
 * Origin if origin is set: those are written by the handshake itself. */
struct fastws_dial_config {
    size_t size;               /* sizeof(struct fastws_dial_config) of the caller's header */
    size_t head_max;           /* bytes of heads, interim ones included; 16 384. Inclusive; 0: no limit */
    unsigned header_count_max; /* header lines of all heads; 128. Inclusive; 0: no limit */
    size_t body_max;           /* bytes of an answer's body that are kept for on_status_error; 65 536. 0: no limit */
    void *context;             /* handed to the callbacks; NULL */

    struct fastws_http_headers headers; /* written behind those of the handshake. With an Authorization among them
                                           user and password of the address are not used */
    struct fastws_slice host;   /* instead of the Host that the address gives: passes fastws_http_is_host() */
    struct fastws_slice origin; /* value of the Origin header. RFC 6454 7; empty: none is written */

    /* Subprotocols to offer, best first: tokens, none of them twice. RFC 6455 4.1, item 10. */
    const struct fastws_slice *protocols;
    size_t protocol_count;

    /* Extensions to offer: the value of Sec-WebSocket-Extensions, such as "permessage-deflate;
     * client_max_window_bits", 64 of them at most. RFC 6455 9.1. Empty: none. */
    struct fastws_slice extensions;

    /* Offers permessage-deflate behind them, as fastws_deflate_offer() does, and judges the answer to it as
     * fastws_deflate_confirm() does; fastws_dial_deflate() tells what was agreed on. A library that was built without
     * zlib offers nothing. NULL: not offered, unless extensions does so. Must outlive the connections that go by it
     * (fastws_conn_set_deflate()), not only the handshake. */
    const struct fastws_deflate_config *deflate;

    const struct fastws_random *random; /* where the key comes from; NULL: the operating system */

    uint8_t is_redirect_told; /* 1: an answer of status 301, 302, 303, 307 or 308 with a Location ends with
                                 FASTWS_ERR_HANDSHAKE_REDIRECT, without its body and without on_status_error. 0 */

    /* Called once the 101 is complete and passed every check, for each header in order but Upgrade, Connection and
     * Sec-WebSocket-*. */
    int (*on_header)(void *context, struct fastws_slice name, struct fastws_slice value);

    /* Called then for each extension that the server accepted: one that was offered, none of them twice. Whether its
     * parameters answer the offer is for those to judge who know the extension; those of deflate have been judged. */
    int (*on_extension)(void *context, const struct fastws_option *accepted);

    /* Called before the handshake fails with FASTWS_ERR_HANDSHAKE_STATUS. */
    void (*on_status_error)(void *context, const struct fastws_dial_refusal *refusal);

    /* For people who look for a fault: the raw request, once, when it is made; and the raw answer as it comes, in one
     * or more pieces, up to where it ends or was refused. */
    void (*on_request)(void *context, struct fastws_slice bytes);
    void (*on_response)(void *context, struct fastws_slice bytes);
};

/* Sets every field to its default: the limits above, everything else empty. */
FASTWS_API FASTWS_NONNULL(1) void fastws_dial_config_init(struct fastws_dial_config *config);

/* Returns the bytes that an object takes; memory for fastws_dial_init() must be aligned as malloc() aligns it. */
FASTWS_API FASTWS_NODISCARD size_t fastws_dial_sizeof(void);

/* Makes an object in caller memory of fastws_dial_sizeof() bytes, with a key and the request made: from then on memory
 * is a struct fastws_dialer.
 *   memory     stays the caller's; call fastws_dial_free() before it goes
 *   config     shared, see struct fastws_dial_config; NULL for the defaults
 *   url        used during the call only. User and password become an Authorization header (RFC 7617); the port is left
 *              out of Host where it is the default one; the Host of a socket's path is "localhost"
 *   allocator  must outlive the object; NULL means malloc(). A request of at most 512 bytes allocates nothing, nor does
 *              the head of an answer of at most 1024; longer ones take a block each, the second one doubling as bytes
 *              arrive, up to head_max. A body that is kept takes a block that doubles up to body_max. The object owns
 *              its blocks until fastws_dial_free()
 * Returns 0,
 *   FASTWS_ERR_ARGUMENT          config->size is not one that this library knows; a protocol is no token or stands
 *                                there twice; extensions are no list of them, or hold permessage-deflate beside
 *                                deflate; a field of config->deflate is outside its range
 *   FASTWS_ERR_DIAL_EXTENSIONS_MAX   more than 64 extensions
 *   FASTWS_ERR_HANDSHAKE_HEADER  a header, host or origin may not be written
 *   FASTWS_ERR_URL_HOST, FASTWS_ERR_URL_TARGET   url was not made by fastws_url_parse(), and has what that refuses
 *   FASTWS_ERR_URL_USERINFO      user or password hold control bytes, or the user a colon (RFC 7617)
 *   FASTWS_ERR_RANDOM            or the error of config->random
 *   FASTWS_ERR_NOMEM
 * after which there is no object. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 3) int fastws_dial_init(void *memory,
                                                                      const struct fastws_dial_config *config,
                                                                      const struct fastws_url *url,
                                                                      const struct fastws_allocator *allocator);

/* Like fastws_dial_init(), but in memory of the allocator, which fastws_dial_free() gives back; out is written only on
 * success. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(2, 4) int fastws_dial_new(const struct fastws_dial_config *config,
                                                                     const struct fastws_url *url,
                                                                     const struct fastws_allocator *allocator,
                                                                     struct fastws_dialer **out);

/* Releases the blocks of the object, and the object itself if fastws_dial_new() made it. NULL is allowed. */
FASTWS_API void fastws_dial_free(struct fastws_dialer *dial);

/* Gives the complete request, valid as long as the object. Never allocates. */
FASTWS_API FASTWS_NONNULL(1, 2, 3) void fastws_dial_request(const struct fastws_dialer *dial, const void **ptr,
                                                            size_t *len);

/* Takes the next bytes of the answer.
 *   src, len  bytes received; may be anything, also more than the answer
 *   used      always written: how many of them belong to the answer. On FASTWS_NEED_MORE all of them. On success the
 *             bytes from src + used on are the first of the connection
 * Returns 1 when the connection is open,
 *   FASTWS_NEED_MORE                        the answer has not ended; src may be reused
 *   FASTWS_ERR_HTTP_*                       the head is not HTTP/1.1 as it has to be, or larger than the limits
 *   FASTWS_ERR_HANDSHAKE_STATUS             another status than 101, after on_status_error
 *   FASTWS_ERR_HANDSHAKE_REDIRECT           only if asked for; fastws_dial_location() says where to
 *   FASTWS_ERR_HANDSHAKE_UPGRADE            Upgrade missing, or not "websocket" alone (RFC 6455 4.1, check 2)
 *   FASTWS_ERR_HANDSHAKE_CONNECTION         Connection missing, or without "upgrade"; several lines count as one
 *   FASTWS_ERR_HANDSHAKE_ACCEPT             Sec-WebSocket-Accept missing, repeated, or not the answer to the key
 *   FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER    a subprotocol that was not offered, byte for byte, or more than one line
 *   FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER  an extension that was not offered, or one that is named twice
 *   FASTWS_ERR_HANDSHAKE_EXTENSIONS         Sec-WebSocket-Extensions is no list of extensions
 *   FASTWS_ERR_DEFLATE_PARAM, _VALUE, _REPEATED, _ANSWER   permessage-deflate as fastws_deflate_confirm() refuses it
 *   FASTWS_ERR_DIAL_REJECTED                on_header or on_extension refused
 *   FASTWS_ERR_NOMEM
 *   FASTWS_ERR_STATE                        the answer has ended already (used is 0) */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 4) int fastws_dial_feed(struct fastws_dialer *dial, const void *src,
                                                                      size_t len, size_t *used);

/* Says that the stream has ended, which ends the handshake.
 * Returns
 *   FASTWS_ERR_HANDSHAKE_STATUS  the head was complete: on_status_error was called with what came of the body
 *   FASTWS_ERR_UNEXPECTED_EOF    the head is not complete, or nothing has come
 *   FASTWS_ERR_NOMEM
 *   FASTWS_ERR_STATE             the answer had ended already */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_dial_eof(struct fastws_dialer *dial);

/* Says that the driver's time is up, which ends the handshake.
 * Returns
 *   FASTWS_ERR_HANDSHAKE_STATUS  the head was complete: on_status_error was called with what came of the body
 *   FASTWS_ERR_DIAL_TIMEOUT      it was not
 *   FASTWS_ERR_NOMEM
 *   FASTWS_ERR_STATE             the answer had ended already */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_dial_expire(struct fastws_dialer *dial);

/* Returns the status of the answer, also of one that was refused, or 0 while it is not known. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_dial_status(const struct fastws_dialer *dial);

/* Gives the status line of a complete head: the 101, or the answer that was refused or leads elsewhere.
 *   out     its reason is valid as long as the object
 * Returns 0,
 *   FASTWS_ERR_STATE  the head is not complete; nothing is written
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_dial_status_line(const struct fastws_dialer *dial,
                                                                             struct fastws_http_status_line *out);

/* Gives the subprotocol that was agreed on: one of config->protocols.
 * Returns 1, 0 if none was agreed on (then *out is empty),
 *   FASTWS_ERR_STATE  the connection is not open; nothing is written
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_dial_protocol(const struct fastws_dialer *dial,
                                                                          struct fastws_slice *out);

/* Gives what was agreed on for permessage-deflate by config->deflate: for fastws_conn_set_deflate(), which turns it on.
 *   out   written when 1 is returned
 * Returns 1, 0 if it was not agreed on,
 *   FASTWS_ERR_STATE  the connection is not open
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_dial_deflate(const struct fastws_dialer *dial,
                                                                         struct fastws_deflate_params *out);

/* Gives the next header of a complete head: the 101, or the answer that was refused.
 *   place   0 for the first one; moved on
 *   out     written when 1 is returned; valid as long as the object
 * Returns 1, 0 when there are no more,
 *   FASTWS_ERR_STATE  the head is not complete
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_dial_next_header(const struct fastws_dialer *dial,
                                                                                size_t *place,
                                                                                struct fastws_http_header *out);

/* Gives the Location of a redirect, for fastws_url_resolve(); valid as long as the object.
 * Returns 0,
 *   FASTWS_ERR_STATE  the handshake has not ended with FASTWS_ERR_HANDSHAKE_REDIRECT; nothing is written
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_dial_location(const struct fastws_dialer *dial,
                                                                          struct fastws_slice *out);

FASTWS_END_DECLS

#endif
