/* SPDX-License-Identifier: MIT */
/* The inside of a stream: stream_transport.c has the parts, the other files put them together. */
#ifndef FWS_NET_STREAM_H
#define FWS_NET_STREAM_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <fastws/stream.h>

#include "../platform.h"

/* How the message that is being read in parts was begun. */
enum fws_parts {
    FWS_PARTS_NONE,
    FWS_PARTS_FILE,  /* by fastws_stream_next_frame() */
    FWS_PARTS_EVENTS /* by fastws_stream_read_fragment() or _read_chunk() */
};

/* lock guards everything below it, the connection and the pool. It is never held while io may block.
 *
 * Writing. is_writing is the write lock: whoever sets it may call io.writev, and writes all that is queued before
 * clearing it. So a reader that finds it set may leave its replies in the queue: the writer looks at the queue, under
 * lock, before it lets go. Only a reader lets go with replies left, when the peer takes no bytes: it waits until the
 * peer does, together with waiting for bytes to read, and any sender takes the replies along. A sender of a corked
 * stream leaves what it queued, too, but lets no one in meanwhile.
 *
 * Reading. is_reading is the read lock: what stands below it is the reader's. */
struct fastws_stream {
    struct fastws_io io;
    const struct fastws_allocator *allocator;
    const struct fastws_stream_hooks *hooks; /* NULL: none */
    const struct fastws_conn_config *config;
    uint64_t recheck_ms; /* no deadline can come closer than this while we wait: the shortest time of the configuration;
                            0: there is none */
    pthread_mutex_t lock;
    pthread_cond_t written; /* is_writing was cleared */
    struct fastws_pool *pool;
    struct fastws_conn *conn;
    uint64_t raw_left; /* payload of a raw frame that is still to be written: nothing may come between */
    pthread_t raw_writer; /* the thread that announced it */
    int read_error;    /* io failed to read, or 0 */
    int write_error;   /* nothing can be written any more, or 0 */
    unsigned corks;
    uint8_t is_writing;
    uint8_t is_reading;
    uint8_t is_eof;
    uint8_t parts;         /* enum fws_parts */
    uint8_t is_more_due;   /* the connection has not handed out the last part of that message */
    const uint8_t *unread; /* view of its last chunk, if it is read as a file: what was not read of it */
    size_t unread_len;
    uint64_t frame_left; /* bytes of its frame behind that chunk */
    uint8_t *initial;    /* what came behind the handshake; NULL: nothing */
    size_t initial_len;
    size_t initial_off; /* what the connection has taken of it */
};

/* Frees the stream without closing io. */
FWS_PRIVATE void fws_stream_dispose(struct fastws_stream *stream);

/* Opens a stream for what a handshake has agreed on. params: for permessage-deflate by deflate, NULL: without. Returns
 * as fastws_stream_open() and fastws_stream_set_deflate(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_open_agreed(const struct fastws_io *io,
                                                        const struct fastws_conn_config *config,
                                                        const struct fastws_deflate_config *deflate,
                                                        const struct fastws_deflate_params *params,
                                                        struct fastws_slice initial, struct fastws_stream **out);

/* Frees what came behind the handshake, once the connection has taken it. */
FWS_PRIVATE void fws_stream_release_initial(struct fastws_stream *stream);

/* Take and give back lock. Entering also tells the pool the time, so do both around each call of io. */
FWS_PRIVATE void fws_stream_enter(struct fastws_stream *stream);
FWS_PRIVATE void fws_stream_leave(struct fastws_stream *stream);

/* All functions below are called with lock held. */

/* Makes this thread the reader: 0 or FASTWS_ERR_READER_BUSY. Clear is_reading after use. */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_claim_reader(struct fastws_stream *stream);

/* Makes this thread the writer, waiting for others until until_ms: 0, FASTWS_ERR_TIMEOUT or write_error. */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_claim_writer(struct fastws_stream *stream, uint64_t until_ms);
FWS_PRIVATE void fws_stream_release_writer(struct fastws_stream *stream);

/* Ends all writing with an error, which is returned: part of a frame may be out, and nothing can follow it. A thread
 * that is writing gets the error too, when it looks at the stream again. */
FWS_PRIVATE int fws_stream_break_output(struct fastws_stream *stream, int error);

/* Writes some of the pieces, for the writer. The peer has until until_ms, and at most the ping or close timeout, to
 * take a first byte; 0: now or not at all. Returns how many bytes were taken, 0 if none could be now, or what
 * write_error is from then on. */
FWS_PRIVATE FASTWS_NODISCARD ptrdiff_t fws_stream_write_some(struct fastws_stream *stream,
                                                             const struct fastws_iovec *iov, int count,
                                                             uint64_t until_ms);

/* Writes what is queued, for the writer: 0 when all of it is written (or, if until_ms is 0, all that the peer takes
 * now), or what write_error is from then on. */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_drain(struct fastws_stream *stream, uint64_t until_ms);

/* Writes the queued replies as far as the peer takes them now, unless another thread is writing. */
FWS_PRIVATE void fws_stream_flush(struct fastws_stream *stream);

/* Writes what a close or error event has queued, close frame included, within the close timeout. */
FWS_PRIVATE void fws_stream_flush_last(struct fastws_stream *stream);

/* Receives once, for the reader. Returns 1 when bytes came, 0 when something else happened (the stream ended, a
 * deadline passed, replies went out): look at the connection again. Or the error of the connection or of io. */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_receive(struct fastws_stream *stream);

/* Waits for the next event, for the reader. An error event is returned as its error, after the peer was told. */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_next(struct fastws_stream *stream, struct fastws_event *event);

/* Like fws_stream_next(), but hands control frames to the hook. FASTWS_ERR_CLOSED after a close event, which stays in
 * event. */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_next_data(struct fastws_stream *stream, struct fastws_event *event);

/* Sends the close frame within the close timeout, unless one was sent or the connection failed. */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_send_close(struct fastws_stream *stream, uint16_t code, const char *reason,
                                                       size_t len);

/* Leaves the message that is read in parts: what is left of it will be dropped as it arrives. */
FWS_PRIVATE void fws_stream_leave_message(struct fastws_stream *stream);

/* The two below take and give back lock, and are around all that a read call does. */

/* Enters as the reader. Returns 0, or FASTWS_ERR_READER_BUSY without lock. */
FWS_PRIVATE FASTWS_NODISCARD int fws_stream_begin_read(struct fastws_stream *stream);

/* Writes the replies, lets go and leaves. Returns result. */
FWS_PRIVATE int fws_stream_end_read(struct fastws_stream *stream, int result);

#endif
