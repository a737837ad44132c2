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
 * A stream owns its read-ahead: whole messages and raw frames may alternate between messages, and nothing that was
 * received is lost. It has a pool of its own and makes one write per send.
 *
 * While a thread reads, the stream answers pings and close frames and keeps the deadlines of its configuration: pings
 * after silence, the ping timeout, the close timeout. A stream that nobody reads from does none of that.
 *
 * Threads. One thread may read (the _read_ functions) while any number send (_write_message, _ping, _close), one after
 * another; a second simultaneous reader gets FASTWS_ERR_READER_BUSY. A reader never waits for a sender that waits for
 * the peer, as long as there may be something to read: the replies that it has to give are written by whoever is
 * writing, or when the peer takes bytes again. Raw frames are for one thread alone. fastws_stream_free() needs every
 * other call to have returned.
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

/* Reads an upgrade request from io, answers it, and opens the stream: the server's half of RFC 6455 section 4.
 *   upgrade_config  rules and callbacks of the handshake, shared during the call; NULL for the defaults
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

/* Closes the transport, without a close frame, and frees the stream. NULL is allowed. */
FASTWS_API void fastws_stream_free(struct fastws_stream *stream);

/* Waits for the next event of any kind: a message, ping, pong or close. Pings and closes have been answered, as far as
 * the peer takes bytes.
 *   event   written on success, and with an event of kind FASTWS_EVENT_ERROR for an error that the connection found.
 *           Its payload is a view that lives until the next read call, _close or _free of this stream
 * Returns 0 with the event; or the error that stopped the stream, after the peer was told (it has the close timeout to
 * take that): those of fastws_conn_next(), FASTWS_ERR_EOF, FASTWS_ERR_UNEXPECTED_EOF, or FASTWS_ERR_IO;
 * FASTWS_ERR_CLOSED once the close event was handed out; FASTWS_ERR_READER_BUSY; or FASTWS_ERR_NOMEM or
 * FASTWS_ERR_RANDOM when a ping that was due could not be queued: call again. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_message(struct fastws_stream *stream,
                                                                                struct fastws_event *event);

/* Like fastws_stream_read_message(), but returns data messages only: FASTWS_ERR_CLOSED when the peer closed. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_data(struct fastws_stream *stream,
                                                                             struct fastws_event *event);

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

/* Sends a ping with at most 125 bytes. Returns as fastws_stream_write_message(); FASTWS_ERR_CONTROL_LEN. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_ping(struct fastws_stream *stream, const void *payload,
                                                                     size_t len);

/* Ends the connection in the RFC's way, from whatever state it is in. Open: sends a close frame, then reads and drops
 * messages until the peer's close frame. Closed: a server shuts the byte stream down first, and drops what still comes
 * until the peer ends it; a client waits for the server to do so (RFC 6455 7.1.1). Failed: either side does as a
 * server, so that a reset does not overtake the close frame (RFC 6455 7.1.7). Each of these waits lasts the close
 * timeout at most. The second is skipped where io has no wait, and where it would follow a shutdown that io does not
 * have. If another thread is reading, this one only sends the close frame: it is the other that meets the close, and
 * may call this function then. Invalidates views.
 *   code, reason, len   as for fastws_conn_close(); without effect when a close frame was sent before
 * Returns 0 when the close handshake is complete (or another thread will complete it), or FASTWS_ERR_CLOSE_* for a code
 * or reason that may not be sent, the errors of a send, or the error that stopped the stream, such as
 * FASTWS_ERR_CLOSE_TIMEOUT or FASTWS_ERR_EOF. Whatever it returns, fastws_stream_free() is what comes next. */
FASTWS_API FASTWS_NONNULL(1) int fastws_stream_close(struct fastws_stream *stream, uint16_t code, const char *reason,
                                                     size_t len);

/* Raw frames, for code that handles them itself, control frames included. Allowed between messages: FASTWS_ERR_STATE
 * inside one. The deadlines are kept while _read_ functions wait. Until the payload that _write_header() announced is
 * written, no reply or ping of the stream goes out, and messages may not be sent.
 *
 * _read_header   waits for one frame header and parses it; checks only its form: fastws_header_check() is the caller's.
 *                Returns the header's length in bytes, or FASTWS_ERR_LEN_FORM, _LEN_MSB, _EOF, _UNEXPECTED_EOF, _IO
 * _read_exactly  waits for len bytes as they came (masked). Returns 0, or FASTWS_ERR_EOF (at the first byte),
 *                FASTWS_ERR_UNEXPECTED_EOF, _IO
 * _write_header  sends one frame header. Returns 0, or the errors of fastws_header_write(), _TIMEOUT, _IO
 * _write         sends len bytes as they are. Returns 0, or FASTWS_ERR_TIMEOUT, _IO
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
