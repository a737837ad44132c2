/* SPDX-License-Identifier: MIT */
/* A connection with blocking I/O: over a descriptor, or over any byte stream that a struct fastws_io describes.
 *
 *     fastws_io_from_fd(&io, fd);
 *     if (fastws_stream_accept(&io, NULL, &config, 10000, &stream) == 0) {
 *         while (fastws_stream_read_data(stream, &event) == 0 &&
 *                fastws_stream_write_message(stream, event.opcode, event.ptr, (size_t)event.len) == 0) {}
 *         fastws_stream_close(stream, 1000, NULL, 0);
 *         fastws_stream_free(stream);
 *     }
 *
 * A stream owns its read-ahead: whole messages, messages in parts and raw frames may alternate between messages, and
 * nothing that was received is lost. It has a pool of its own and makes one write per send.
 *
 * While a thread reads, the stream answers pings and close frames and keeps the deadlines of its configuration: pings
 * after silence, the ping timeout, the close timeout. A stream that nobody reads from does none of that.
 *
 * Views. The payload of an event is a view of the stream's memory. It lives until the next read call, _discard, _close,
 * _reset or _free of the stream; sends leave it alone. fastws_stream_take() keeps one for longer.
 *
 * Threads. One thread may read (the _read_ functions, _next_frame, _discard) while any number send (_write_message,
 * _write_prepared, _ping, _pong, _answer, _close), one after another; a second simultaneous reader gets
 * FASTWS_ERR_READER_BUSY. A reader never waits for a sender that waits for the peer, as long as there may be something
 * to read: the replies that it has to give are written by whoever is writing, or when the peer takes bytes again. Those
 * that it has not taken when a read call returns wait for the next read, send or _uncork. A message in pieces (_begin
 * to _finish) is written by one thread, while others send pings; their messages get FASTWS_ERR_STATE meanwhile. Raw
 * frames are for one thread alone. fastws_stream_reset() and fastws_stream_free() need every other call to have
 * returned.
 *
 * Fork. A child draws masking keys of its own, but must leave the streams of its parent alone. */
#ifndef FASTWS_STREAM_H
#define FASTWS_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/conn.h>
#include <fastws/event.h>
#include <fastws/export.h>
#include <fastws/header.h>
#include <fastws/pool.h>
#include <fastws/prepared.h>
#include <fastws/upgrade.h>

FASTWS_BEGIN_DECLS

struct fastws_stream;

/* What wait_any found, as bits. */
#define FASTWS_IO_READABLE (1u << 0)
#define FASTWS_IO_WRITABLE (1u << 1)

/* Results of read and writev below 0. */
#define FASTWS_IO_FAILED (-1) /* for good; any other negative number but the next means the same */
#define FASTWS_IO_AGAIN (-2)  /* not now: wait. Allowed only where wait exists */

/* A byte stream. The functions get ctx first; the struct is copied by the stream. Initialise all of it: members behind
 * ctx are optional, and NULL where an initialiser leaves them out. read and writev may be called by two threads at once
 * (each of them by one), the waits by several.
 *   read      up to len bytes (at least 1) into dst: their number, 0 at the end of the stream, or FASTWS_IO_*
 *   writev    count pieces (at least 1, at most 16), of which none is empty: the number of bytes taken, at least 1, or
 *             FASTWS_IO_*. Interrupted calls are repeated inside, also in read and the waits. Where wait exists, read
 *             and writev should say FASTWS_IO_AGAIN instead of blocking
 *   wait      until the stream is readable (for_write 0) or writable (for_write 1), or until_ms of CLOCK_MONOTONIC has
 *             passed (0: has passed; UINT64_MAX: no limit): positive when it is, 0 when the time has passed (earlier is
 *             allowed), negative when it failed. A failed stream is readable and writable: read and writev say what is
 *             wrong. NULL: read and writev block, and no deadline is kept
 *   close     gives the stream back: 0 or negative. NULL: nothing to do
 *   shutdown  tells the peer that nothing more comes; reading goes on: 0 or negative. NULL: only close tells it, so no
 *             call waits for the peer to end the stream first
 *   wait_any  like wait, for either direction: the bits that are so, 0 or negative. Not used without wait. NULL: a
 *             reader that has replies to write waits in slices of 50 ms, and tries to write them after each */
struct fastws_io {
    ptrdiff_t (*read)(void *ctx, void *dst, size_t len);
    ptrdiff_t (*writev)(void *ctx, const struct fastws_iovec *iov, int count);
    int (*wait)(void *ctx, int for_write, uint64_t until_ms);
    int (*close)(void *ctx);
    void *ctx;
    int (*shutdown)(void *ctx);
    int (*wait_any)(void *ctx, uint64_t until_ms);
};

/* Describes a descriptor that the stream closes: a stream socket, blocking or not, or another that can be read and
 * written. Deadlines are kept by poll(). On a socket no send blocks past its deadline or raises SIGPIPE; a blocking
 * pipe or terminal may do both, as with any write. */
FASTWS_API FASTWS_NONNULL(1) void fastws_io_from_fd(struct fastws_io *io, int fd);

/* Opens a stream over what is already a WebSocket connection.
 *   io             copied; fastws_stream_free() closes it. After a failed open it stays the caller's
 *   config         shared with the stream, must outlive it
 *   initial, len   bytes that were received behind the handshake; copied
 *   out            written only on success; free it with fastws_stream_free()
 * Returns 0, or FASTWS_ERR_NOMEM, FASTWS_ERR_ARGUMENT (no read or writev, or as fastws_conn_init()), FASTWS_ERR_ISA. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 5) int fastws_stream_open(const struct fastws_io *io,
                                                                           const struct fastws_conn_config *config,
                                                                           const void *initial, size_t len,
                                                                           struct fastws_stream **out);

/* Like fastws_stream_open(), but says where memory and masking keys come from, and how large slabs are.
 *   pool_config   of the pool that the stream makes for itself; its allocator is that of the stream, too, and is called
 *                 by all threads that use the stream, one at a time. What its pointers name must outlive the stream.
 *                 NULL for the defaults
 * Returns also FASTWS_ERR_ARGUMENT as fastws_pool_new(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 6) int fastws_stream_open_with(
    const struct fastws_io *io, const struct fastws_conn_config *config, const struct fastws_pool_config *pool_config,
    const void *initial, size_t len, struct fastws_stream **out);

/* Reads an upgrade request from io, answers it, and opens the stream: the server's half of RFC 6455 section 4.
 *   upgrade_config  rules and callbacks of the handshake, shared during the call; NULL for the defaults. Where its
 *                   deflate is agreed on, the stream has it: that one must outlive the stream
 *   config          shared with the stream, must outlive it
 *   timeout_ms      for the whole handshake; 0: no limit. 10 000 is the default of the field
 *   out             written only on success
 * The answer goes out in one write. After a refusal io is shut down, and what the peer still sends is dropped until it
 * ends or the timeout passes, so that a reset does not overtake the answer; where io has no shutdown, only what has
 * arrived is dropped. Bytes behind the head belong to the stream.
 * Returns 0, or
 *   FASTWS_ERR_HTTP_*, FASTWS_ERR_HANDSHAKE_*   the request was refused, and its HTTP answer written
 *   FASTWS_ERR_HANDSHAKE_TIMEOUT                the head did not come in time (answered with 408), or the answer was
 *                                               not taken in time
 *   FASTWS_ERR_EOF, FASTWS_ERR_UNEXPECTED_EOF   the peer ended the stream before the head, or inside it
 *   FASTWS_ERR_IO                               the stream failed
 *   the errors of fastws_stream_open()          the request was good, but the stream cannot be opened (answered with
 *                                               500); FASTWS_ERR_ARGUMENT also when the role is not the server's
 *   the errors of fastws_upgrade_new()          nothing was read or written; FASTWS_ERR_ARGUMENT also for an io without
 *                                               read or writev
 * or as fastws_upgrade_feed(). On failure io stays the caller's to close. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 3, 5) int fastws_stream_accept(
    const struct fastws_io *io, const struct fastws_upgrade_config *upgrade_config,
    const struct fastws_conn_config *config, uint64_t timeout_ms, struct fastws_stream **out);

/* Turns on what was agreed on for permessage-deflate in a handshake that the stream did not do itself: as
 * fastws_conn_set_deflate(), before anything is read or sent. fastws_conn_get_deflate() tells what is on.
 *
 * From then on reads give inflated payloads, and sends take FASTWS_SEND_PLAIN and FASTWS_SEND_COMPRESSED beside the
 * opcode. Raw frames are left as they are on the wire: who reads or writes compressed ones as such has to keep both
 * ends' contexts in step (deflate.h), which takes parameters without takeover. Compression has the stream's own pool,
 * and a sender compresses, as a reader inflates, while other threads of the stream wait for it. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int
fastws_stream_set_deflate(struct fastws_stream *stream, const struct fastws_deflate_config *config,
                          const struct fastws_deflate_params *agreed);

/* For a stream that has been silent: gives all memory back that the next message can do without, free slabs included.
 * fastws_conn_idle() says what compression keeps. Any thread may call it; it invalidates no view. */
FASTWS_API FASTWS_NONNULL(1) void fastws_stream_idle(struct fastws_stream *stream);

/* Makes the stream new, for another peer, in the same memory: its transport is closed without a close frame, what was
 * received or queued is dropped, errors, cork and compression are forgotten, the hooks stay.
 *   io, config, initial, len   as for fastws_stream_open(); config may be NULL: the one that it has
 * Returns 0, or FASTWS_ERR_NOMEM or FASTWS_ERR_ARGUMENT: then nothing changed, and io stays the caller's. Allocates
 * nothing if len is 0. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_reset(struct fastws_stream *stream,
                                                                         const struct fastws_io *io,
                                                                         const struct fastws_conn_config *config,
                                                                         const void *initial, size_t len);

/* Closes the transport, without a close frame, and frees the stream. NULL is allowed. */
FASTWS_API void fastws_stream_free(struct fastws_stream *stream);

/* ---- Whole messages ---- */

/* Waits for the next event of any kind: a message, ping, pong or close. Pings and closes have been answered, as far as
 * the peer takes bytes. What was not read of a message that is read in parts is dropped first.
 *   event   written on success, and with an event of kind FASTWS_EVENT_ERROR for an error that the connection found
 * Returns 0 with the event; or the error that stopped the stream, after the peer was told (it has the close timeout to
 * take that): those of fastws_conn_next(), FASTWS_ERR_EOF, FASTWS_ERR_UNEXPECTED_EOF, or FASTWS_ERR_IO;
 * FASTWS_ERR_CLOSED once the close event was handed out; FASTWS_ERR_READER_BUSY; or FASTWS_ERR_NOMEM or
 * FASTWS_ERR_RANDOM when a ping that was due could not be queued: call again. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_message(struct fastws_stream *stream,
                                                                                struct fastws_event *event);

/* Like fastws_stream_read_message(), but returns data messages only: FASTWS_ERR_CLOSED when the peer closed. Control
 * frames go to the hook for them, whose error is returned, too. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_data(struct fastws_stream *stream,
                                                                             struct fastws_event *event);

/* Like fastws_stream_read_data(), but for one kind of message. The other kind is answered with a close frame of 1003
 * (RFC 6455 7.4.1), unless is_close_automatic is 0, and returned as FASTWS_ERR_MESSAGE_KIND, with its event. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_text(struct fastws_stream *stream,
                                                                             struct fastws_event *event);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_binary(struct fastws_stream *stream,
                                                                               struct fastws_event *event);

/* Keeps the payload of the event that the last read call returned, as fastws_conn_take() does: a large message changes
 * hands without a copy. fastws_taken_release() gives it back, on any thread if the stream's allocator allows that, as
 * malloc() does.
 * Returns 0 or FASTWS_ERR_NOMEM. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_stream_take(struct fastws_stream *stream,
                                                                           const struct fastws_event *event,
                                                                           struct fastws_taken *out);

/* ---- Messages in parts ---- */

/* Like fastws_stream_read_message(), but return a message as FASTWS_EVENT_CHUNK events, part by part.
 * _read_fragment returns each frame with its whole payload (FASTWS_DELIVER_FRAGMENTS of conn.h), _read_chunk returns
 * payload as it arrives (FASTWS_DELIVER_STREAM). A message is read to its end as it was begun by either of them. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_fragment(struct fastws_stream *stream,
                                                                                 struct fastws_event *event);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_chunk(struct fastws_stream *stream,
                                                                              struct fastws_event *event);

/* Waits for the next message and begins to read it as a file: fastws_stream_read() until it returns 0. At most a slab
 * of it is in memory at a time, so it may be larger than memory where the limits allow that (limits.max_message and
 * max_frame are 0). What was not read of the message before is dropped. Control frames go to the hook.
 *   header   that of the first frame: opcode, RSV bits as received, FIN, and the length of this frame, which is that of
 *            the message if fin is 1. masked is 0: payload is read unmasked. If rsv has FASTWS_RSV1 and the stream has
 *            compression, length is that of the compressed payload; what is read is inflated
 * Returns as fastws_stream_read_data(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_next_frame(struct fastws_stream *stream,
                                                                              struct fastws_header *header);

/* Reads on in the message of fastws_stream_next_frame(), over the edges of its frames. Text was checked as far as it is
 * handed out, and may be cut inside a character.
 *   dst, len   room for len bytes
 * Returns how many were read, at least 1; 0 at the end of the message, again and again, or if len is 0;
 * FASTWS_ERR_STATE if fastws_stream_next_frame() was not called, or another read came since; or as
 * fastws_stream_read_data(), with FASTWS_ERR_UNEXPECTED_EOF for a stream that ends inside the message. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) ptrdiff_t fastws_stream_read(struct fastws_stream *stream, void *dst,
                                                                           size_t len);

/* Reads and drops what is left of the message that is read in parts, up to its end, so that a raw frame may follow:
 * nothing if there is nothing. Returns 0, or as fastws_stream_read() does. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_discard(struct fastws_stream *stream);

struct fastws_body; /* the payload of the frame that on_continuation is called for */

/* What read calls tell of on their way. Both functions may be NULL. They run on the thread that reads and may send, and
 * call fastws_stream_close(), which only sends the close frame then; not read otherwise, reset or free. What they send
 * waits for the peer as every send does, and reading waits with it.
 *   on_control        called for each ping, pong and close frame that a read call passes over instead of returning it:
 *                     in _read_data, _read_text, _read_binary, _next_frame, _read and _discard, between messages and
 *                     inside of them. The event and its view live until it returns. With is_pong_automatic and
 *                     is_close_automatic 0 it is also what answers: see fastws_stream_answer(). A read call in it is
 *                     refused with FASTWS_ERR_READER_BUSY: what comes behind the frame belongs to the call that it
 *                     interrupts, and would be lost to that
 *   on_continuation   called when fastws_stream_read() or _discard() comes to a frame that continues the message. What
 *                     it takes through fastws_body_read() is not read again
 * They return 0, or a negative number, which the read call returns: reading may go on behind the frame, or in it. */
struct fastws_stream_hooks {
    int (*on_control)(void *context, struct fastws_stream *stream, const struct fastws_event *event);
    int (*on_continuation)(void *context, const struct fastws_header *header, struct fastws_body *body);
    void *context;
};

/* Sets the hooks, while no thread reads from the stream. hooks is shared and must outlive the stream; NULL: none, as in
 * the beginning. */
FASTWS_API FASTWS_NONNULL(1) void fastws_stream_set_hooks(struct fastws_stream *stream,
                                                          const struct fastws_stream_hooks *hooks);

/* Like fastws_stream_read(), but inside on_continuation, and only to the end of its frame. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) ptrdiff_t fastws_body_read(struct fastws_body *body, void *dst,
                                                                         size_t len);

/* ---- Sending ---- */

/* Sends one message in one frame and waits until it is written. Then payload is the caller's again, also after an
 * error.
 * Returns 0, or
 *   the errors of fastws_conn_send()   nothing was sent
 *   FASTWS_ERR_STATE                   the payload that a raw header announced is not complete
 *   FASTWS_ERR_TIMEOUT                 the peer took nothing for the ping timeout, or for the close timeout once a
 *                                      close frame is queued
 *   FASTWS_ERR_IO                      the byte stream failed
 * After the last two, and when fastws_conn_pending() fails, the output is broken: every later send returns the same
 * error. Reading goes on. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_write_message(struct fastws_stream *stream, int opcode,
                                                                              const void *payload, size_t len);

/* Sends a message that was framed once for many streams (prepared.h). Returns as fastws_stream_write_message(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_write_prepared(struct fastws_stream *stream,
                                                                                  struct fastws_prepared *prepared);

/* Send a ping, or a pong that nobody asked for, with at most 125 bytes. Return as fastws_stream_write_message();
 * FASTWS_ERR_CONTROL_LEN. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_ping(struct fastws_stream *stream, const void *payload,
                                                                     size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_pong(struct fastws_stream *stream, const void *payload,
                                                                     size_t len);

/* Answers a control frame as RFC 6455 5.5 asks, for configurations that do not do so by themselves: a ping with its
 * payload, a close with its code, a pong with nothing.
 *   event   from a read call or on_control, with its view alive
 * Returns as fastws_stream_write_message(); FASTWS_ERR_CLOSED if a close was answered before; FASTWS_ERR_ARGUMENT for
 * an event of another kind. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_answer(struct fastws_stream *stream,
                                                                          const struct fastws_event *event);

/* A message in pieces. Nothing is kept from the caller's memory behind any of these calls.
 *
 * _begin             begins a message of opcode text or binary
 * _append            adds to it. Fragments of config->fragment_len bytes are written as they fill up; large payloads by
 *                    reference. len may be 0
 * _append_from       adds what read gives, until it gives 0. read fills dst with at most len bytes and returns their
 *                    number, or a negative number, which is returned: what it gave before has been added
 * _flush_fragment    writes what was added and not written yet as a fragment
 * _finish            writes the rest as the last frame
 * _abandon           drops what was added and not written: fastws_conn_abandon()
 * _set_fragment_len  changes the length of fragments; 0: the message stays in memory until it is finished or flushed
 * Those that can fail return 0, or as their namesakes of conn.h (_append: fastws_conn_write()) and as
 * fastws_stream_write_message(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_begin(struct fastws_stream *stream, int opcode);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_append(struct fastws_stream *stream,
                                                                       const void *payload, size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_append_from(
    struct fastws_stream *stream, ptrdiff_t (*read)(void *context, void *dst, size_t len), void *context);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_flush_fragment(struct fastws_stream *stream);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_finish(struct fastws_stream *stream);
FASTWS_API FASTWS_NONNULL(1) void fastws_stream_abandon(struct fastws_stream *stream);
FASTWS_API FASTWS_NONNULL(1) void fastws_stream_set_fragment_len(struct fastws_stream *stream, size_t len);

/* Lets many sends leave in one write: from _cork on sends are queued, with a copy of their payload, until as many
 * _uncork, or until a read call of any thread has to wait for the peer, or until more than config->queue_high bytes are
 * queued. So a server that corks its stream once answers everything that one receive brought in one write, and never
 * waits for a peer that waits for it. Raw frames and _close are written at once, behind what is queued.
 * _uncork returns as fastws_stream_write_message(); FASTWS_ERR_STATE without _cork. */
FASTWS_API FASTWS_NONNULL(1) void fastws_stream_cork(struct fastws_stream *stream);
FASTWS_API FASTWS_NONNULL(1) int fastws_stream_uncork(struct fastws_stream *stream);

/* ---- The end ---- */

/* Ends the connection in the RFC's way, from whatever state it is in. Open: sends a close frame, then reads and drops
 * messages until the peer's close frame. Closed: a server shuts the byte stream down first, and drops what still comes
 * until the peer ends it; a client waits for the server to do so (RFC 6455 7.1.1). Failed: either side does as a
 * server, so that a reset does not overtake the close frame (RFC 6455 7.1.7). Each of these waits lasts the close
 * timeout at most. The second is skipped where io has no wait, and where it would follow a shutdown that io does not
 * have. A send of another thread takes the close frame along; one that is not done within the close timeout is broken
 * off, and both calls return FASTWS_ERR_TIMEOUT. If another thread is reading, this one only sends the close frame: it
 * is the other that meets the close, and may call this function then. Invalidates views.
 *   code, reason, len   as for fastws_conn_close(); without effect when a close frame was sent before
 * Returns 0 when the close handshake is complete (or another thread will complete it), or FASTWS_ERR_CLOSE_* for a code
 * or reason that may not be sent, the errors of a send, or the error that stopped the stream, such as
 * FASTWS_ERR_CLOSE_TIMEOUT or FASTWS_ERR_EOF. Whatever it returns, fastws_stream_free() is what comes next. */
FASTWS_API FASTWS_NONNULL(1) int fastws_stream_close(struct fastws_stream *stream, uint16_t code, const char *reason,
                                                     size_t len);

/* ---- Raw frames ---- */

/* Raw frames, for code that handles them itself, control frames included. Allowed between messages: FASTWS_ERR_STATE
 * inside one, be it one that is read or written in parts. The deadlines are kept while _read_ functions wait. Until the
 * payload that _write_header() announced is written, no reply or ping of the stream goes out, and messages may not be
 * sent; should replies pile up to their limit meanwhile, messages are not read on, but FASTWS_ERR_STATE is returned, by
 * the thread that owes the payload.
 *
 * _read_header   waits for one frame header and parses it; checks only its form: fastws_header_check() is the caller's.
 *                Returns the header's length in bytes, or FASTWS_ERR_LEN_FORM, _LEN_MSB (these fail the connection, as
 *                they do in messages: the peer is told, and the stream has stopped), _EOF, _UNEXPECTED_EOF, _IO
 * _read_exactly  waits for len bytes as they came (masked). Returns 0, or FASTWS_ERR_EOF (at the first byte),
 *                FASTWS_ERR_UNEXPECTED_EOF, _IO
 * _write_header  sends one frame header. Returns 0, or the errors of fastws_header_write(), _TIMEOUT, _IO
 * _write         sends len bytes as they are: payload that _write_header() announced, masked by the caller where the
 *                header says so, in as many calls as it takes; where none is due, whole frames that the caller has
 *                made. They are counted, not looked at. Returns 0, FASTWS_ERR_ARGUMENT (more than is due: nothing was
 *                sent), _TIMEOUT, _IO
 * _write_frame   sends a header and its payload of header->length bytes in one write. Returns as _write_header
 * Each also returns what stopped the stream, and FASTWS_ERR_CLOSED once fastws_stream_close() sent its close frame. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_header(struct fastws_stream *stream,
                                                                               struct fastws_header *header);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_read_exactly(struct fastws_stream *stream, void *dst,
                                                                             size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_write_header(struct fastws_stream *stream,
                                                                                const struct fastws_header *header);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_write(struct fastws_stream *stream, const void *src,
                                                                      size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_write_frame(struct fastws_stream *stream,
                                                                               const struct fastws_header *header,
                                                                               const void *payload);

/* Returns the connection inside, to ask for its state and close codes while no other thread uses the stream. Never
 * NULL. Not to be driven. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) const struct fastws_conn *fastws_stream_get_conn(
    const struct fastws_stream *stream);

FASTWS_END_DECLS

#endif
