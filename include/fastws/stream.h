/* SPDX-License-Identifier: MIT */
/* A connection with blocking I/O: over a descriptor, or over any byte stream that a struct fastws_io describes.
 *
 * A stream owns its read-ahead: whole messages and raw frames may alternate between messages, and nothing that was
 * received is lost. It has a pool of its own, keeps the deadlines of its configuration, answers pings and close frames
 * while it reads, and makes one write per send.
 *
 * Threads. One thread may read (the _read_ functions) while another sends (_write_message, _ping, _close); a second
 * simultaneous reader gets FASTWS_ERR_READER_BUSY. Raw frames are for one thread alone.
 * fastws_stream_free() needs every other call to have returned. */
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

/* A byte stream. The functions get context first; the struct is copied by the stream.
 *   read    up to len bytes into dst: their number, 0 at the end of the stream, or a negative value when it failed. With
 *           wait, it may also return FASTWS_IO_AGAIN when nothing is there yet
 *   writev  at most count pieces: the number of bytes taken (at least 1), or negative as for read
 *   wait    until the stream can be read (for_write 0) or written (1), or until_ms of CLOCK_MONOTONIC has passed
 *           (UINT64_MAX: no limit): 1 ready, 0 the time has passed, negative when it failed. NULL: read and writev block,
 *           and no deadline is kept
 *   close   gives the stream back: 0 or negative. NULL: nothing to do */
struct fastws_io {
    ptrdiff_t (*read)(void *context, void *dst, size_t len);
    ptrdiff_t (*writev)(void *context, const struct fastws_iovec *iov, int count);
    int (*wait)(void *context, int for_write, uint64_t until_ms);
    int (*close)(void *context);
    void *context;
};

#define FASTWS_IO_AGAIN (-1) /* not now: wait */
#define FASTWS_IO_FAILED (-2) /* any other failure */

/* Describes a descriptor: a socket, pipe or terminal, blocking or not, that the stream closes. Sends never raise SIGPIPE
 * on a socket, and deadlines are kept by poll(). */
FASTWS_API FASTWS_NONNULL(1) void fastws_io_from_fd(struct fastws_io *io, int fd);

/* Opens a stream over what is already a WebSocket connection.
 *   io             copied; fastws_stream_free() closes it. After a failed open it stays the caller's
 *   config         shared with the stream, must outlive it
 *   initial, len   bytes that were received behind the handshake; copied
 *   out            written only on success; free it with fastws_stream_free()
 * Returns 0, or FASTWS_ERR_NOMEM, FASTWS_ERR_ARGUMENT, FASTWS_ERR_ISA. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 5) int fastws_stream_open(const struct fastws_io *io,
                                                                           const struct fastws_conn_config *config,
                                                                           const void *initial, size_t len,
                                                                           struct fastws_stream **out);

/* Reads an upgrade request from io, answers it, and opens the stream: the server's half of RFC 6455 section 4.
 *   upgrade      rules and callbacks of the handshake
 *   timeout_ms   for the whole handshake; 0: no limit. 10 000 is the default of the field
 *   out          written only on success
 * Returns 0; the error of a refused request, after its HTTP answer was written; FASTWS_ERR_HANDSHAKE_TIMEOUT (answered
 * with 408), FASTWS_ERR_EOF, FASTWS_ERR_UNEXPECTED_EOF, FASTWS_ERR_IO, or as fastws_stream_open(). On failure io stays
 * the caller's to close. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3, 5) int fastws_stream_accept(
    const struct fastws_io *io, const struct fastws_upgrade_config *upgrade, const struct fastws_conn_config *config,
    uint64_t timeout_ms, struct fastws_stream **out);

/* Closes the transport, without a close frame, and frees the stream. NULL is allowed. */
FASTWS_API void fastws_stream_free(struct fastws_stream *stream);

/* Waits for the next event of any kind: a message, ping, pong or close. Pings and closes have been answered.
 *   event   its payload is a view that lives until the next read call of this stream
 * Returns 0 with the event; or the error that stopped the stream (after the peer was told): those of conn.h, or
 * FASTWS_ERR_IO; FASTWS_ERR_CLOSED once the close event was handed out; FASTWS_ERR_READER_BUSY. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_message(struct fastws_stream *stream,
                                                                                struct fastws_event *event);

/* Like fastws_stream_read_message(), but returns data messages only: FASTWS_ERR_CLOSED when the peer closed. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_stream_read_data(struct fastws_stream *stream,
                                                                             struct fastws_event *event);

/* Sends one message in one frame and waits until it is written; then payload is the caller's again, also after an error.
 * Returns 0, or what fastws_conn_send() returns, or FASTWS_ERR_TIMEOUT (nothing could be written for the ping timeout,
 * or for the close timeout once a close frame is out), or FASTWS_ERR_IO. After those two the stream is broken: every later
 * send returns the same error. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_write_message(struct fastws_stream *stream, int opcode,
                                                                              const void *payload, size_t len);

/* Sends a ping with at most 125 bytes. Returns as fastws_stream_write_message(); FASTWS_ERR_CONTROL_LEN. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_ping(struct fastws_stream *stream, const void *payload,
                                                                     size_t len);

/* Closes in the RFC's way: sends a close frame if none was sent, then reads and drops messages until the peer's close
 * frame or the end of the stream, at most for the close timeout; a server then closes the transport at once, a client
 * waits for the server to do it (RFC 6455 7.1.1). If another thread is reading, it is that thread that meets the close.
 *   code, reason, len   as for fastws_conn_close()
 * Returns 0 when the close handshake is complete (or another thread will complete it), or FASTWS_ERR_CLOSE_* for a code
 * or reason that may not be sent, FASTWS_ERR_CLOSE_TIMEOUT, FASTWS_ERR_IO, or the error that stopped the stream. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_stream_close(struct fastws_stream *stream, uint16_t code,
                                                                      const char *reason, size_t len);

/* Raw frames, for code that handles them itself. Allowed between messages: FASTWS_ERR_STATE inside one.
 *
 * _read_header   waits for one frame header and parses it; checks only its form (fastws_header_check() is the caller's).
 *                Returns the header's length in bytes, or FASTWS_ERR_LEN_FORM, _LEN_MSB, _EOF, _UNEXPECTED_EOF, _IO
 * _read_exactly  waits for len bytes as they came (masked). Returns 0, or FASTWS_ERR_UNEXPECTED_EOF, _IO
 * _write_header  sends one frame header. Returns 0, or the errors of fastws_header_write(), _TIMEOUT, _IO
 * _write         sends len bytes as they are. Returns 0, or FASTWS_ERR_TIMEOUT, _IO
 * _write_frame   sends a header and its payload in one write */
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

/* Returns the connection inside, to ask for its state and close codes; NULL never. Not to be driven. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) const struct fastws_conn *fastws_stream_get_conn(
    const struct fastws_stream *stream);

FASTWS_END_DECLS

#endif
