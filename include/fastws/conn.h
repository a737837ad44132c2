/* SPDX-License-Identifier: MIT */
/* One WebSocket connection after its handshake, without I/O: bytes in, events out; messages in, bytes out. RFC 6455.
 *
 * A driver (a blocking stream, an event loop, your own) does this:
 *
 *     fastws_conn_space(conn, &ptr, &cap);              receive at most cap bytes into ptr
 *     fastws_conn_filled(conn, n);
 *     while ((n = fastws_conn_next(conn, events, 16)) > 0)
 *         ...                                           use the events; fastws_conn_send(conn, ...)
 *     while ((n = fastws_conn_pending(conn, iov, 16)) > 0)
 *         fastws_conn_sent(conn, writev(fd, iov, n));   then fastws_conn_own(conn) if the write was short
 *     if (fastws_conn_is_over(conn)) ...                close the transport
 *
 * The connection unmasks, checks UTF-8, joins fragments, answers pings and close frames, and fails on everything that
 * RFC 6455 forbids, telling the peer why. An error is an event that is reached in order: messages complete before it
 * are handed out first, and their replies leave before the close frame does.
 *
 * Views. Payloads are views of the connection's memory. They live until the next fastws_conn_next(),
 * fastws_conn_space(), fastws_conn_feed(), fastws_conn_discard(), fastws_conn_reset() or fastws_conn_free() of the same
 * connection; fastws_conn_take() keeps one for longer.
 *
 * Memory. An idle connection, one with nothing incomplete and nothing queued, is fastws_conn_sizeof() bytes, at most
 * 192, and holds no slab. What a message needs while it is incomplete is lent by the pool.
 *
 * Threads. A connection and its pool serve one thread at a time.
 *
 * Stopped. After a close or error event the input side is stopped for good: fastws_conn_next(), _space() and _feed()
 * return the error (FASTWS_ERR_CLOSED after a close), and so do new sends; _pending(), _sent(), _own(), _deadline_ms()
 * and _on_time() work on until the close frame is out. Only fastws_conn_reset() starts anew. */
#ifndef FASTWS_CONN_H
#define FASTWS_CONN_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/allocator.h>
#include <fastws/deflate.h>
#include <fastws/event.h>
#include <fastws/export.h>
#include <fastws/extension.h>
#include <fastws/iovec.h>
#include <fastws/limits.h>
#include <fastws/pool.h>
#include <fastws/prepared.h>

FASTWS_BEGIN_DECLS

struct fastws_conn;

enum fastws_role {
    FASTWS_ROLE_SERVER = 1, /* peers mask, we do not */
    FASTWS_ROLE_CLIENT = 2  /* we mask, peers do not. RFC 6455 5.1 */
};

/* How a connection behaves. Fill it with fastws_conn_config_init(), then change what differs. The struct is shared: it
 * must outlive every connection that uses it and must not change meanwhile. Times are in milliseconds; 0 means
 * never. */
struct fastws_conn_config {
    size_t size;                 /* sizeof(struct fastws_conn_config) of the caller's header */
    struct fastws_limits limits; /* what the peer may send */
    uint32_t ping_interval_ms;   /* silence before a ping is sent; 20 000. Any inbound byte breaks the silence */
    uint32_t ping_timeout_ms;    /* silence after that ping before FASTWS_ERR_PING_TIMEOUT; 20 000 */
    uint32_t close_timeout_ms;   /* for the close handshake, from our close frame on; 10 000 */
    uint8_t role;                /* enum fastws_role */
    uint8_t is_utf8_checked;     /* 1: text must be UTF-8, checked at the byte as it arrives */
    uint8_t is_pong_automatic;   /* 1: a ping is answered before its event is handed out. RFC 6455 5.5.2 */
    uint8_t is_close_automatic;  /* 1: close frames are answered, and errors send one with their code. RFC 6455 7.1.7.
                                    0: both are left to fastws_conn_close(), which then works after them, too */
    uint8_t is_header_checked;   /* 1: fastws_header_check() judges every header. 0: no rule of it is asked, and frames
                                    are unmasked if they say that they are masked. Then ping, pong and close are taken
                                    with or without FIN (over 125 bytes: FASTWS_ERR_CONTROL_LEN); frames of all other
                                    opcodes carry messages: the opcode of the first is handed out, 0 to 15, and the
                                    message ends with FIN, whatever the opcodes between. For peers that are known to
                                    break rules; limits and text are checked all the same */
    uint8_t delivery;            /* enum fastws_delivery; FASTWS_DELIVER_MESSAGES */
    size_t fragment_len;         /* most payload bytes that a fragment of fastws_conn_begin() has; 4096. 0: messages are
                                    never fragmented, but grow in memory until they are finished */
    size_t queue_high;           /* bytes: with more queued, fastws_conn_is_writable() says no; 64 KiB. 0: never */
    size_t queue_low;            /* bytes: with no more queued, it says yes again; 16 KiB. At most queue_high */
    const struct fastws_extension *extensions; /* extension_count of them; NULL: none */
    size_t extension_count;
};

/* Sets every field to its default, for one role. */
FASTWS_API FASTWS_NONNULL(1) void fastws_conn_config_init(struct fastws_conn_config *config, enum fastws_role role);

/* Returns the bytes that a connection takes; memory for fastws_conn_init() must be aligned as malloc() aligns it. */
FASTWS_API FASTWS_NODISCARD size_t fastws_conn_sizeof(void);

/* Starts a connection in caller memory of fastws_conn_sizeof() bytes. It is open at once: the handshake is over.
 *   memory   stays the caller's; call fastws_conn_free() before it goes
 *   config   shared, see struct fastws_conn_config
 *   pool     must outlive the connection
 * Returns 0, or FASTWS_ERR_ARGUMENT (config->size, role or delivery unknown, queue_low over queue_high). Never
 * allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_conn_init(void *memory,
                                                                         const struct fastws_conn_config *config,
                                                                         struct fastws_pool *pool);

/* Like fastws_conn_init(), but in memory of the pool's allocator, which fastws_conn_free() gives back.
 * Returns also FASTWS_ERR_NOMEM; out is written only on success. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_conn_new(const struct fastws_conn_config *config,
                                                                        struct fastws_pool *pool,
                                                                        struct fastws_conn **out);

/* Makes a connection new, for another peer, in the same memory: its buffers go back, what was not sent is dropped,
 * errors are forgotten.
 *   config   as for fastws_conn_init(); NULL: the one that it has
 * Returns 0, or FASTWS_ERR_ARGUMENT: then nothing changed. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_reset(struct fastws_conn *conn,
                                                                    const struct fastws_conn_config *config);

/* Gives a connection another configuration while it runs: limits, checks and extensions hold from the next frame header
 * on (max_message of a message that is being inflated at once), the rest at once: marks and the limit of control
 * replies judge what is queued already. Compression stays as it was agreed on, and so does how messages are handed out
 * and cut into fragments: fastws_conn_set_delivery() and fastws_conn_set_fragment_len() change that. A message that is
 * open should not change over to a check of text.
 *   config   as for fastws_conn_init(), with the same role; the one before may go
 * Returns 0, or FASTWS_ERR_ARGUMENT: then nothing changed. Invalidates no view. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_conn_set_config(struct fastws_conn *conn,
                                                                            const struct fastws_conn_config *config);

/* Turns on what was agreed on in the handshake: permessage-deflate (RFC 7692). Call it before anything is received or
 * sent. From then on messages of the peer are inflated where they came compressed, and own ones compressed where the
 * configuration wants it (fastws_deflate_wants()) or the call that sends them says so. Control frames are left alone.
 *   config   shared: must outlive the connection, or its next fastws_conn_reset(), which turns compression off
 *   agreed   what fastws_deflate_accept() or _confirm() wrote, or fastws_upgrade_deflate() or fastws_dial_deflate();
 *            copied
 * Streams come from the pool of the connection, which lends them to all of its connections: see deflate.h for what one
 * holds, and fastws_pool_get_deflate_stats() for the counts.
 * Limits: limits.max_message and config->max_inflated both hold for the inflated message, limits.max_frame for frames
 * as they are sent. They, config->max_ratio and the check of text are asked while the message is inflated.
 * Returns 0, or FASTWS_ERR_STATE (too late, or on already), FASTWS_ERR_ARGUMENT (a field is outside its range),
 * FASTWS_ERR_DEFLATE_UNAVAILABLE (built without zlib), FASTWS_ERR_NOMEM. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int
fastws_conn_set_deflate(struct fastws_conn *conn, const struct fastws_deflate_config *config,
                        const struct fastws_deflate_params *agreed);

/* Returns 1 if compression is on, else 0. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_has_deflate(const struct fastws_conn *conn);

/* Gives what fastws_conn_set_deflate() was told was agreed on.
 *   out   written when 1 is returned
 * Returns 1, 0 if compression is off. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_conn_get_deflate(const struct fastws_conn *conn,
                                                                             struct fastws_deflate_params *out);

/* Returns the bytes of the data frame that was opened last, as its header says them: of a compressed message the chunks
 * of a frame add up to something else (fastws_event.remaining). 0 where compression is off. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_conn_frame_len(const struct fastws_conn *conn);

/* Returns the bytes that compression holds for this connection now: fastws_deflate_held(), 0 where it is off, and once
 * the close or error event was handed out. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) size_t fastws_conn_deflate_held(const struct fastws_conn *conn);

/* For a connection that has been silent: gives what compression holds back, as far as the next message can do without,
 * as fastws_deflate_idle() does. Invalidates no view. */
FASTWS_API FASTWS_NONNULL(1) void fastws_conn_idle(struct fastws_conn *conn);

/* Returns since when compression has been idle, for drivers that call fastws_conn_idle() after a while of it: the time
 * when a message was last compressed or inflated, or that function called, by the clock of fastws_pool_set_now().
 * UINT64_MAX while it would give nothing back: compression is off, or holds no stream but for messages that have begun
 * and not ended. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_conn_idle_since_ms(const struct fastws_conn *conn);

/* Ends the connection: its buffers go back, what was not sent is dropped. NULL is allowed. */
FASTWS_API void fastws_conn_free(struct fastws_conn *conn);

/* ---- In ---- */

/* Says where to receive: a slab is borrowed when one is needed.
 *   ptr, cap   memory to receive into, valid until the next call with this connection (sending is allowed meanwhile:
 *              _send, _ping, _pong, _close, _pending, _sent, _own). cap is 0 when control replies pile up: reading has
 *              to stop until they are sent. Otherwise at least 1
 * Returns 0, or FASTWS_ERR_NOMEM, or FASTWS_ERR_STATE (fastws_conn_next() has to be called until it returns 0 first: a
 * buffer that was fed is not walked to its end, or nothing fits behind what was received before), or the error that
 * stopped the connection. Invalidates views. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_conn_space(struct fastws_conn *conn, void **ptr,
                                                                          size_t *cap);

/* Says that len bytes were received into what fastws_conn_space() gave. With 0, nothing came: the space is given back,
 * and with it the slab if nothing incomplete is in it, so that the connection costs as little as before while its
 * driver waits; fastws_conn_space() gives another. Invalidates no view.
 * Returns 0, or FASTWS_ERR_ARGUMENT (len is more than cap was), or the error that stopped the connection. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_filled(struct fastws_conn *conn, size_t len);

/* Takes bytes where the caller has them. They are unmasked where they lie, and views point into them. Call
 * fastws_conn_next() until it returns 0 before buf is used again: what is incomplete then has been copied.
 *   buf, len   written to; buf may be NULL if len is 0
 * Returns 0, or FASTWS_ERR_STATE (an earlier buffer has not been walked to its end, or control replies pile up: nothing
 * was taken), FASTWS_ERR_NOMEM (nothing was taken), or the error that stopped the connection. Invalidates views. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_feed(struct fastws_conn *conn, void *buf, size_t len);

/* Hands out the next events.
 *   events, cap   room for cap events, at least 1
 * Returns how many were written; 0 when more has to be received (buffers have been given back then, as far as nothing
 * is incomplete); or the error that stopped the connection, after its event was handed out. A close or error event
 * comes alone, and only the call that returns it queues the close frame: send replies to what came before first. An
 * error event says in stream_offset which byte of the peer it is about.
 * Invalidates views of earlier calls. Allocates for messages only that do not fit a slab: never more than has been
 * received twice over plus 64 KiB, whatever length a frame declares. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_conn_next(struct fastws_conn *conn,
                                                                      struct fastws_event *events, int cap);

/* Holds back the event that ends the connection, for drivers whose users answer messages later than at once. While it
 * is held, fastws_conn_next() returns 0 in the place of a close or error event, messages may be sent, and no close
 * frame is queued; when the hold was given up, the next call hands the event out. RFC 6455 5.5.1: an endpoint may delay
 * its close frame until its message was sent.
 *   is_held   whether close and error events are held from now on; at first, they are not
 * When an end is due, receive nothing more until it was handed out; a buffer that was fed stays in use until then. What
 * is wrong inside of a close frame is found after the hold; a lack of memory is told at once. */
FASTWS_API FASTWS_NONNULL(1) void fastws_conn_hold_end(struct fastws_conn *conn, int is_held);

/* After fastws_conn_next() returned 0, says whether that was in the place of an event that ends the connection: 1, or
 * 0 if more has to be received. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_is_end_due(const struct fastws_conn *conn);

/* Chooses how messages are handed out from now on: config->delivery is how it begins. A message of which a chunk was
 * handed out is finished as it was begun. One that is incomplete, with nothing handed out, changes over: what has come
 * of it becomes (a part of) its first chunk.
 *   delivery   enum fastws_delivery
 * Returns 0, or FASTWS_ERR_ARGUMENT. Invalidates no view. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_set_delivery(struct fastws_conn *conn, int delivery);

/* Drops the rest of the message that is open behind the last event handed out, as it arrives: it gives no event any
 * more, not even a last chunk, and is neither gathered nor checked for UTF-8. Limits and header rules hold; control
 * frames are handed out; an end of the stream inside it is FASTWS_ERR_UNEXPECTED_EOF.
 * Returns 0, or FASTWS_ERR_STATE (no message is open, as far as has been received and parsed, or it is being discarded
 * already), or the error that stopped the connection. Invalidates views. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_discard(struct fastws_conn *conn);

/* A payload that its user keeps: memory of the pool's payload allocator, which begins with the payload. */
struct fastws_taken {
    uint8_t *ptr; /* NULL if len is 0 */
    size_t len;   /* bytes of payload */
    size_t cap;   /* bytes of memory, as the allocator knows it: len, unless it could not be made smaller */
    const struct fastws_allocator *allocator;
};

/* Keeps the payload of an event beyond its view.
 *   event   handed out by the last fastws_conn_next(), with its view alive
 *   out     written only on success; fastws_taken_release() gives it back, on the thread of the pool
 * The block of a message that did not fit a slab changes hands without a copy, made as small as its payload, and the
 * connection writes there no more; what lies in a slab, or in a buffer that was fed, is copied. Either way the view of
 * the event ends: the payload is out->ptr.
 * Returns 0 or FASTWS_ERR_NOMEM. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_conn_take(struct fastws_conn *conn,
                                                                         const struct fastws_event *event,
                                                                         struct fastws_taken *out);

/* Gives the memory back to its allocator, and makes taken empty. The connection and pool may be gone. */
FASTWS_API FASTWS_NONNULL(1) void fastws_taken_release(struct fastws_taken *taken);

/* Returns how many bytes of the peer were taken apart, since the connection was made. After an error event: where the
 * error is, the stream_offset of that event (event.h). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_conn_offset(const struct fastws_conn *conn);

/* Says that the peer will send nothing more. The next fastws_conn_next() that finds nothing else hands out an error
 * event FASTWS_ERR_EOF (between messages) or FASTWS_ERR_UNEXPECTED_EOF (inside one), close code 1006; none after a
 * close. */
FASTWS_API FASTWS_NONNULL(1) void fastws_conn_eof(struct fastws_conn *conn);

/* Copies bytes that were received and not parsed yet out of the connection, for code that reads raw frames itself.
 *   dst, len   room for len bytes
 * Returns the number of bytes copied, 0 when none are there (receive more), or FASTWS_ERR_STATE inside a frame or
 * fragmented message, or the error that stopped the connection. Invalidates views. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) ptrdiff_t fastws_conn_read_raw(struct fastws_conn *conn, void *dst,
                                                                                size_t len);

/* ---- Out ---- */

/* Queues one message in one frame.
 *   opcode         text or binary, and FASTWS_SEND_* (deflate.h)
 *   payload, len   up to 4095 bytes are copied; longer payloads are borrowed: they must stay as they are until they are
 *                  sent, or until fastws_conn_own() copied them; what is compressed is not borrowed. Never modified (a
 *                  client masks a copy). Text must be UTF-8: that is the caller's to know
 * Returns 0, or FASTWS_ERR_ARGUMENT (opcode), FASTWS_ERR_CLOSED (a close frame was queued), FASTWS_ERR_STATE (another
 * message was begun and is not finished), FASTWS_ERR_NOMEM, FASTWS_ERR_RANDOM (client), the error of an extension, or
 * the error that stopped the connection: then nothing was queued. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_send(struct fastws_conn *conn, int opcode,
                                                                   const void *payload, size_t len);

/* Queues a message that was framed once for many connections. A server sends the shared bytes as they lie, and holds a
 * reference until they are sent; a client masks a copy, piece by piece. With an extension that sets RSV bits only the
 * payload is shared. Never allocates if nothing is queued (server), or as fastws_conn_send() does.
 * Returns as fastws_conn_send() does. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_conn_send_prepared(struct fastws_conn *conn,
                                                                               struct fastws_prepared *prepared);

/* Returns 1 if fastws_conn_send_prepared() has nothing to compress for this connection: the message goes to it as it
 * is, or has its compressed form already. Else 0. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_conn_is_prepared(const struct fastws_conn *conn,
                                                                             struct fastws_prepared *prepared);

/* Compresses a message for connections with the settings of this one, so that fastws_conn_send_prepared() need not:
 * for large ones, which take their time. Of the connection only what never changes is read, and memory comes from
 * malloc() and the message: another thread may call it while the connection is used, but not while it is reset or
 * freed. Does nothing where fastws_conn_is_prepared().
 * Returns 0, or FASTWS_ERR_NOMEM. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_conn_prepare(const struct fastws_conn *conn,
                                                                         struct fastws_prepared *prepared);

/* Begins a message whose parts come one after another. It goes out in fragments of config->fragment_len bytes, the last
 * one shorter; in a single frame if it fits one. RFC 6455 5.4. Control frames may be queued meanwhile, other messages
 * not. A close frame ends it unfinished: what was not queued yet is dropped. Of a compressed message each fragment is
 * what so many bytes of it compress to; whether it is compressed is decided with its first one.
 *   opcode   text or binary, and FASTWS_SEND_*
 * Returns 0, or FASTWS_ERR_ARGUMENT, FASTWS_ERR_STATE (one is open already), FASTWS_ERR_CLOSED, FASTWS_ERR_NOMEM, or
 * the error that stopped the connection. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_begin(struct fastws_conn *conn, int opcode);

/* Adds to the message that was begun. A fragment is queued once it is full and more is to come, so a message that ends
 * with a full one needs no empty fragment. Fragments may split characters of a text.
 *   payload, len   copied; but where it fills whole fragments of 4096 bytes and more, those are borrowed as by
 *                  fastws_conn_send(). len may be 0
 * Returns 0, or FASTWS_ERR_STATE (none was begun), FASTWS_ERR_CLOSED, FASTWS_ERR_NOMEM, FASTWS_ERR_RANDOM, the error of
 * an extension, or the error that stopped the connection. After any but FASTWS_ERR_STATE the message cannot go on, and
 * all further calls for it return the same: what is left is fastws_conn_close(), or fastws_conn_reset(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_write(struct fastws_conn *conn, const void *payload,
                                                                    size_t len);

/* Queues what was written and not queued yet as a fragment, though it is not full: nothing if there is nothing. With
 * fragment_len 0, too. Returns as fastws_conn_write() does. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_flush_fragment(struct fastws_conn *conn);

/* Ends the message: queues what is left as its last frame, empty only if the message is, or if fragments were flushed
 * and nothing was written since. Returns as fastws_conn_write() does. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_finish(struct fastws_conn *conn);

/* Drops what was written and not queued yet of the message that was begun. If no fragment of it was queued, the message
 * is forgotten; else it stays open, empty so far. Also after an error of fastws_conn_write(), which it clears where the
 * message is forgotten. Does nothing if none was begun. */
FASTWS_API FASTWS_NONNULL(1) void fastws_conn_abandon(struct fastws_conn *conn);

/* Returns 1 if a message was begun and is not finished, else 0. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_is_message_open(const struct fastws_conn *conn);

/* Returns the bytes that were written to the message and not queued yet; 0 if none was begun. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) size_t fastws_conn_buffered_len(const struct fastws_conn *conn);

/* Changes the length of fragments, from the next fragment on: config->fragment_len is what it begins with.
 *   len   bytes; 0: none until fastws_conn_finish() or fastws_conn_flush_fragment() */
FASTWS_API FASTWS_NONNULL(1) void fastws_conn_set_fragment_len(struct fastws_conn *conn, size_t len);

/* Queues a ping, or a pong that nobody asked for, with at most 125 bytes, which are copied. RFC 6455 5.5.2, 5.5.3.
 * Returns as fastws_conn_send() does; FASTWS_ERR_CONTROL_LEN for more than 125 bytes. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_ping(struct fastws_conn *conn, const void *payload,
                                                                   size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_pong(struct fastws_conn *conn, const void *payload,
                                                                   size_t len);

/* Queues a close frame: the last frame that this side sends. Messages of the peer are handed out until its own close
 * frame comes; what it sends behind that is dropped unseen. A message that was begun and not finished stays so.
 * RFC 6455 5.5.1, 7.1.2.
 *   code          1000-1003, 1007-1014, 3000-4999; 1005 for a frame without a body
 *   reason, len   UTF-8; what is over 123 bytes is left out at a character's edge
 * Returns 0, or FASTWS_ERR_CLOSE_* for a code or reason that may not be sent, FASTWS_ERR_CLOSED, FASTWS_ERR_NOMEM,
 * FASTWS_ERR_RANDOM, or the error that stopped the connection. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_close(struct fastws_conn *conn, uint16_t code,
                                                                    const char *reason, size_t len);

/* Lists what has to be written, in order.
 *   iov, cap   room for cap pieces, at least 1. They stay valid until fastws_conn_sent(), fastws_conn_own(), or until
 *              another connection of the pool queues something; borrowed payloads until their owner takes them back.
 *              Queueing more on this connection does not move them
 * Returns their number, 0 when nothing is queued, or FASTWS_ERR_NOMEM. Call it again after fastws_conn_sent() until it
 * returns 0: the list may be longer than cap, and a client masks large payloads in pieces of a slab. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_conn_pending(struct fastws_conn *conn,
                                                                         struct fastws_iovec *iov, int cap);

/* Says that the first len of the pending bytes were written. Returns 0, or FASTWS_ERR_ARGUMENT if len is more than
 * fastws_conn_pending() listed last: then nothing changes. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_sent(struct fastws_conn *conn, size_t len);

/* Copies what is still borrowed from callers. Call it before fastws_conn_send()'s caller gets its payload back.
 * Returns 0 or FASTWS_ERR_NOMEM: then everything is queued as before. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_own(struct fastws_conn *conn);

/* Returns the bytes that are queued and not sent. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_conn_pending_len(const struct fastws_conn *conn);

/* Says whether to go on sending: 1 until more than config->queue_high bytes are queued, then 0 until no more than
 * config->queue_low are. A wish, not a rule: sends work all the same. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_is_writable(const struct fastws_conn *conn);

/* ---- Time and state ---- */

/* Returns when fastws_conn_on_time() wants to be called, in milliseconds of the pool's clock; UINT64_MAX: never. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_conn_deadline_ms(const struct fastws_conn *conn);

/* Does what is due: queues a ping, or fails the connection with FASTWS_ERR_PING_TIMEOUT, _CLOSE_TIMEOUT or
 * _CONTROL_FLOOD, whose event the next fastws_conn_next() hands out.
 *   now_ms   of the pool's clock, which is set to it if it was behind: what is sent now is dated now, and the pool
 *            may be left to this function by those who have no finer clock
 * Returns 1 if something was done, else 0, or FASTWS_ERR_NOMEM or FASTWS_ERR_RANDOM if the ping could not be queued. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_on_time(struct fastws_conn *conn, uint64_t now_ms);

/* Returns how long the peer took to answer the last ping that fastws_conn_on_time() sent and that it has answered, in
 * microseconds of the pool's clock, from when the ping was queued to when the pong was handed out; UINT64_MAX while
 * there is none. Such a ping has a payload of its own; pongs with any other, and late ones, change nothing. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_conn_rtt_us(const struct fastws_conn *conn);

enum fastws_conn_state {
    FASTWS_CONN_OPEN = 1,    /* messages go both ways */
    FASTWS_CONN_CLOSING = 2, /* our close frame is queued or sent, the peer's has not come. RFC 6455 7.1.3 */
    FASTWS_CONN_CLOSED = 3,  /* the peer's close frame came; ours is queued or sent, if answers are automatic */
    FASTWS_CONN_FAILED = 4   /* an error stopped the connection. RFC 6455 7.1.7 */
};

/* Returns the state that the events handed out so far have led to. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) enum fastws_conn_state fastws_conn_get_state(
    const struct fastws_conn *conn);

/* Returns 1 when the transport should be closed: the connection is closed or failed and nothing is left to send; else
 * 0. Where answers are not automatic, a close frame of the peer has to be answered first.
 * A client gives the server close_timeout_ms to close TCP first. RFC 6455 7.1.1. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_conn_is_over(const struct fastws_conn *conn);

/* Return the code of the close frame that was sent (or queued), and of the one that was received: 0 while there is
 * none, 1005 for a frame without a body. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint16_t fastws_conn_close_sent(const struct fastws_conn *conn);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint16_t fastws_conn_close_received(const struct fastws_conn *conn);

FASTWS_END_DECLS

#endif
