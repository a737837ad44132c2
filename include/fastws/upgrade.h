/* SPDX-License-Identifier: MIT */
/* The server half of the opening handshake, Sans-I/O: the bytes of a request in, the bytes of the answer out.
 * RFC 6455 section 4.2.
 *
 *     struct fastws_upgrade *upgrade;
 *     fastws_upgrade_new(NULL, NULL, &upgrade);
 *     do
 *         len = receive(buf);
 *     while ((result = fastws_upgrade_feed(upgrade, buf, len, &used)) == FASTWS_NEED_MORE);
 *     fastws_upgrade_response(upgrade, &ptr, &response_len);   (101 if result is 1, else the refusal)
 *     send(ptr, response_len);                                 (the first frame starts at buf + used)
 *
 * Every head that is refused has an answer, also one that is no HTTP at all. The head is judged line by line in the
 * order of its bytes and stops at the first fault, so the same bytes give the same result, the same callbacks and the
 * same response however they are cut. Required headers that are missing are reported at the end of the head, in the
 * order Host, Upgrade, Connection, Sec-WebSocket-Version, Sec-WebSocket-Key.
 *
 * A tunnel through HTTP/2 (RFC 8441) has no such handshake: its server answers the extended CONNECT itself, with 200,
 * and no key is involved. What follows in the tunnel is an open connection: start it with fastws_stream_open() or
 * fastws_conn_init() as a server. Protocols and extensions of the CONNECT are those of fastws_http_next_token() and
 * fastws_option_next().
 *
 * An object serves one request at a time and one thread at a time. It keeps no time: the driver has the deadline, and
 * tells of it through fastws_upgrade_refuse(). */
#ifndef FASTWS_UPGRADE_H
#define FASTWS_UPGRADE_H

#include <stddef.h>

#include <fastws/allocator.h>
#include <fastws/deflate.h>
#include <fastws/export.h>
#include <fastws/http.h>
#include <fastws/options.h>

FASTWS_BEGIN_DECLS

struct fastws_upgrade;

/* How a callback refuses. Zeroed before each callback, read only if the callback refuses. What it points to must live
 * until the function that called the callback returns: it is copied into the response there. */
struct fastws_reject {
    int status;                         /* 200..599; 0 means 403. Below 300: what was asked for is no WebSocket but a
                                           page, say, and body is it. 405 comes with "Allow: GET", 426 with
                                           Sec-WebSocket-Version, unless headers have them */
    struct fastws_slice body;           /* text/plain in UTF-8 unless headers say otherwise; empty: the reason phrase.
                                           Left out of a 204, 205 and 304, which have none (RFC 9110 15.3, 15.4.5) */
    struct fastws_http_headers headers; /* written behind those of the configuration; same rules */
};

/* What a server wants of requests. Fill it with fastws_upgrade_config_init(), then change what differs. The struct is
 * shared: it and all that it points to must outlive every object that uses it and must not change meanwhile.
 *
 * Callbacks are optional. Slices are valid until the callback returns, and the callback must not call functions on the
 * object that called it. All but protocol and negotiate return 0 to go on, and anything else to refuse: then the caller
 * gets FASTWS_ERR_HANDSHAKE_REJECTED and the peer what reject holds.
 *
 * Headers to write: a name is a token, a value passes fastws_http_is_value(), and none of Connection, Upgrade,
 * Content-Length, Transfer-Encoding, Sec-WebSocket-Accept, Sec-WebSocket-Protocol, Sec-WebSocket-Extensions is among
 * them: those are written by the handshake itself. */
struct fastws_upgrade_config {
    size_t size;               /* sizeof(struct fastws_upgrade_config) of the caller's header */
    size_t head_max;           /* bytes of a head with the empty line that ends it; 16 384. Inclusive; 0: no limit */
    unsigned header_count_max; /* header lines; 128. Inclusive; 0: no limit */
    void *context;             /* handed to the callbacks; NULL */

    struct fastws_http_headers headers; /* written in every response, also in refusals */

    /* Subprotocols that the server speaks, best first: the first of them that the client offers is agreed on.
     * RFC 6455 4.2.2, item 5.5. None offered: the upgrade succeeds without one. Ignored when protocol is set. */
    const struct fastws_slice *protocols;
    size_t protocol_count;

    /* Called for each subprotocol in the order of the client, over all header lines, until it returns a positive
     * number: that one is agreed on. 0 declines it, a negative number refuses the request. */
    int (*protocol)(void *context, struct fastws_slice offered, struct fastws_reject *reject);

    /* Called once for each extension that is offered, in the order of the client, over all header lines. RFC 6455 9.1.
     * Returns 0 to decline it, a negative number to refuse the request, a positive one to accept it: then *accepted, at
     * first the same as *offered, is named in the response. It is copied when the callback returns, so that it may be
     * text of the callback's own, taken apart by fastws_option_next(). The callback answers for what it accepts: two
     * extensions that need the same bits, or one twice, are not noticed (deflate below takes RSV1). Without it all
     * extensions are declined. */
    int (*negotiate)(void *context, const struct fastws_option *offered, struct fastws_option *accepted,
                     struct fastws_reject *reject);

    /* Negotiates permessage-deflate: the first offer that fastws_deflate_accept() takes, over all header lines, is
     * answered, and fastws_upgrade_deflate() tells what was agreed on. Others are declined, those that cannot be read
     * too. negotiate is not asked about any of them, and must not accept by this name. NULL: offers go to negotiate.
     * Must outlive the connections that go by it (fastws_conn_set_deflate()), not only the handshake. */
    const struct fastws_deflate_config *deflate;

    /* Which web pages may connect. RFC 6455 10.2. If is_origin_checked is not 0, a request with an Origin header passes
     * only if fastws_origin_is_host() holds for it and its Host, or fastws_origin_equals() for it and one of origins;
     * others, and those with several, are answered with 403. Without the header a request passes: browsers always
     * send it, other programs can send any. */
    int is_origin_checked;              /* 0 */
    const struct fastws_slice *origins; /* such as "https://example.com" */
    size_t origin_count;

    /* Called once method and version are right. target is what stands in the request line: "/path?query", or an
     * absolute http, https, ws or wss address (RFC 9112 3.2.2). */
    int (*on_request)(void *context, struct fastws_slice target, struct fastws_reject *reject);

    /* Called with the value of the Host header, not empty, port included. */
    int (*on_host)(void *context, struct fastws_slice host, struct fastws_reject *reject);

    /* Called for each header in order that is not one of Host, Upgrade, Connection, Sec-WebSocket-Version,
     * Sec-WebSocket-Key, Sec-WebSocket-Protocol, Sec-WebSocket-Extensions. The name is as the client wrote it: compare
     * it with fastws_http_equals(). */
    int (*on_header)(void *context, struct fastws_slice name, struct fastws_slice value, struct fastws_reject *reject);

    /* Called last, when everything else was accepted. headers is empty and may be filled: they are written behind those
     * of the configuration. What it points to must live until the function that called the callback returns. */
    int (*on_before_upgrade)(void *context, struct fastws_http_headers *headers, struct fastws_reject *reject);

    /* For logs and debugging: called at the end of each request, accepted or refused, with the bytes of the head up to
     * the one that decided it, and with the whole response. request is empty after fastws_upgrade_parsed(). */
    void (*on_end)(void *context, struct fastws_slice request, struct fastws_slice response);
};

/* Sets every field to its default: the limits above, everything else empty. */
FASTWS_API FASTWS_NONNULL(1) void fastws_upgrade_config_init(struct fastws_upgrade_config *config);

/* Returns the bytes that an object takes; memory for fastws_upgrade_init() must be aligned as malloc() aligns it. */
FASTWS_API FASTWS_NODISCARD size_t fastws_upgrade_sizeof(void);

/* Makes an object in caller memory of fastws_upgrade_sizeof() bytes: from then on memory is a struct fastws_upgrade.
 *   memory     stays the caller's; call fastws_upgrade_free() before it goes
 *   config     shared, see struct fastws_upgrade_config; NULL for the defaults
 *   allocator  must outlive the object; NULL means malloc(). A head that comes in one piece and has a response of at
 *              most 512 bytes allocates nothing. A head in pieces is gathered in a block of 1 KiB that doubles as bytes
 *              arrive, up to head_max; a longer response takes one block of its size. The object owns its blocks until
 *              fastws_upgrade_reset() or fastws_upgrade_free()
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT          config->size is not one that this library knows, a protocol is not a token, or a
 *                                field of config->deflate is outside its range
 *   FASTWS_ERR_HANDSHAKE_HEADER  a header of the configuration may not be written
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_upgrade_init(void *memory,
                                                                      const struct fastws_upgrade_config *config,
                                                                      const struct fastws_allocator *allocator);

/* Like fastws_upgrade_init(), but in memory of the allocator, which fastws_upgrade_free() gives back.
 * Returns also FASTWS_ERR_NOMEM; out is written only on success. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(3) int fastws_upgrade_new(const struct fastws_upgrade_config *config,
                                                                     const struct fastws_allocator *allocator,
                                                                     struct fastws_upgrade **out);

/* Makes the object ready for another request, with the same configuration and allocator. Releases its blocks. */
FASTWS_API FASTWS_NONNULL(1) void fastws_upgrade_reset(struct fastws_upgrade *upgrade);

/* Releases the blocks of the object, and the object itself if fastws_upgrade_new() made it. NULL is allowed. */
FASTWS_API void fastws_upgrade_free(struct fastws_upgrade *upgrade);

/* Takes the next bytes of the request.
 *   src, len  bytes received; may be anything, also more than the head
 *   used      always written: how many of them belong to the head. On FASTWS_NEED_MORE all of them. On success the
 *             bytes from src + used on are the first of the connection. On an error those up to and with the one that
 *             was refused, or the end of its line
 * Returns 1 when the request is accepted,
 *   FASTWS_NEED_MORE       the head has not ended; src may be reused
 *   FASTWS_ERR_HTTP_*      the head is not HTTP/1.1 as it has to be, or too large
 *   FASTWS_ERR_HANDSHAKE_* the head is not an opening handshake, or a callback refused it, or gave a header that may
 *                          not be written
 *   FASTWS_ERR_ARGUMENT    a callback gave a status outside 200..599, or accepted permessage-deflate beside
 *                          config->deflate
 *   FASTWS_ERR_NOMEM
 *   FASTWS_ERR_STATE       the request was accepted or refused already (used is 0; the response stays)
 * On success and on each error but FASTWS_ERR_STATE the response is ready. Its status is fastws_error_http_status() of
 * the error, that of the callback for FASTWS_ERR_HANDSHAKE_REJECTED, and 500 where there is none. Its body is
 * fastws_error_text() of the error, the callback's, and of a 500 the reason phrase alone: what is wrong at this end is
 * for the caller to know. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 4) int fastws_upgrade_feed(struct fastws_upgrade *upgrade,
                                                                         const void *src, size_t len, size_t *used);

/* Like fastws_upgrade_feed(), but for a head that another HTTP server has read as HTTP/1.1 or later: the same checks,
 * callbacks and response. header_count_max holds, head_max does not. Never returns FASTWS_NEED_MORE.
 *   method, target  of the request line
 *   headers, count  the header lines in order, one entry for each; NULL if count is 0
 * The slices are not used after the return, except that fastws_upgrade_target() returns target. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int
fastws_upgrade_parsed(struct fastws_upgrade *upgrade, struct fastws_slice method, struct fastws_slice target,
                      const struct fastws_http_header *headers, size_t count);

/* Ends an unfinished handshake from outside and makes the response ready that says so: FASTWS_ERR_HANDSHAKE_TIMEOUT
 * when the driver's deadline passed, for example. error must be negative.
 * Returns error,
 *   FASTWS_ERR_ARGUMENT  error is not negative
 *   FASTWS_ERR_STATE     the request was accepted or refused already */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_upgrade_refuse(struct fastws_upgrade *upgrade, int error);

/* Gives the complete response: all of it is to be sent, and after a refusal the connection is to be closed. It belongs
 * to the object and is valid until fastws_upgrade_reset() or fastws_upgrade_free().
 * Returns 0,
 *   FASTWS_ERR_STATE  the request is neither accepted nor refused yet; nothing is written
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_upgrade_response(const struct fastws_upgrade *upgrade,
                                                                                const void **ptr, size_t *len);

/* Gives the subprotocol that was agreed on: a part of the response, valid as long as it is.
 * Returns 1, 0 if none was agreed on (then *out is empty),
 *   FASTWS_ERR_STATE  the request is not accepted; nothing is written
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_upgrade_protocol(const struct fastws_upgrade *upgrade,
                                                                             struct fastws_slice *out);

/* Gives the extensions that were accepted, as the value of the response's header: fastws_option_next() takes it apart.
 * Valid until fastws_upgrade_reset() or fastws_upgrade_free().
 * Returns 1, 0 if none was accepted (then *out is empty),
 *   FASTWS_ERR_STATE  the request is not accepted; nothing is written
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_upgrade_extensions(const struct fastws_upgrade *upgrade,
                                                                               struct fastws_slice *out);

/* Gives what was agreed on for permessage-deflate by config->deflate: for fastws_conn_set_deflate(), which turns it on.
 *   out   written when 1 is returned
 * Returns 1, 0 if it was not agreed on,
 *   FASTWS_ERR_STATE  the request is not accepted
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_upgrade_deflate(const struct fastws_upgrade *upgrade,
                                                                            struct fastws_deflate_params *out);

/* Gives the target of the request line. Valid until fastws_upgrade_reset() or fastws_upgrade_free(), and no longer than
 * the bytes at src if a single call of fastws_upgrade_feed() brought the whole head: then it points there. After
 * fastws_upgrade_parsed() it is the slice that was given.
 * Returns 0,
 *   FASTWS_ERR_STATE  the request is not accepted; nothing is written
 * Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_upgrade_target(const struct fastws_upgrade *upgrade,
                                                                           struct fastws_slice *out);

FASTWS_END_DECLS

#endif
