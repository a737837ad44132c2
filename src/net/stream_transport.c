/* SPDX-License-Identifier: MIT */
/* The locks of a stream, and one read or write at a time: what reading and sending are made of. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include <fastws/error.h>

#include "io.h"
#include "stream.h"

/* ---- Locks ---- */

void fws_stream_enter(struct fastws_stream *stream) {
    pthread_mutex_lock(&stream->lock);
    fastws_pool_set_now(stream->pool, fws_clock_us());
}

void fws_stream_leave(struct fastws_stream *stream) { pthread_mutex_unlock(&stream->lock); }

int fws_stream_claim_reader(struct fastws_stream *stream) {
    if (stream->is_reading) return FASTWS_ERR_READER_BUSY;
    stream->is_reading = 1;
    return 0;
}

/* Waits until a writer lets go, or until_ms. */
static void wait_written(struct fastws_stream *stream, uint64_t until_ms) {
    if (until_ms == UINT64_MAX) {
        pthread_cond_wait(&stream->written, &stream->lock);
    } else {
        struct timespec until = {.tv_sec = (time_t)(until_ms / 1000u), .tv_nsec = (long)(until_ms % 1000u) * 1000000};
        pthread_cond_timedwait(&stream->written, &stream->lock, &until);
    }
    fastws_pool_set_now(stream->pool, fws_clock_us());
}

int fws_stream_claim_writer(struct fastws_stream *stream, uint64_t until_ms) {
    while (stream->is_writing) {
        if (fws_clock_ms() >= until_ms) return FASTWS_ERR_TIMEOUT;
        wait_written(stream, until_ms);
    }
    if (stream->write_error != 0) return stream->write_error;
    stream->is_writing = 1;
    return 0;
}

void fws_stream_release_writer(struct fastws_stream *stream) {
    stream->is_writing = 0;
    pthread_cond_broadcast(&stream->written);
}

/* ---- Out ---- */

/* What callers lent to the connection is never listed again. */
int fws_stream_break_output(struct fastws_stream *stream, int error) {
    stream->write_error = error;
    return error;
}

/* Waits until the peer takes bytes again, having taken none since start_ms. Returns 0 when it is worth another try.
 * Another thread may queue a close frame meanwhile, which changes how long the peer has: so recheck_ms. */
static int wait_writable(struct fastws_stream *stream, uint64_t start_ms, uint64_t until_ms) {
    uint64_t now_ms = fws_clock_ms();
    int is_closing = fastws_conn_close_sent(stream->conn) != 0;
    uint32_t patience_ms = is_closing ? stream->config->close_timeout_ms : stream->config->ping_timeout_ms;
    uint64_t deadline_ms = fws_deadline_ms(start_ms, patience_ms);
    if (until_ms < deadline_ms) deadline_ms = until_ms;
    if (now_ms >= deadline_ms) return fws_stream_break_output(stream, FASTWS_ERR_TIMEOUT);

    uint64_t recheck_ms = fws_deadline_ms(now_ms, stream->recheck_ms);
    fws_stream_leave(stream);
    int ready = fws_io_wait(&stream->io, FASTWS_IO_WRITABLE, recheck_ms < deadline_ms ? recheck_ms : deadline_ms);
    fws_stream_enter(stream);
    return ready < 0 ? fws_stream_break_output(stream, FASTWS_ERR_IO) : 0;
}

static size_t sum_len(const struct fastws_iovec *iov, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++) sum += iov[i].len;
    return sum;
}

ptrdiff_t fws_stream_write_some(struct fastws_stream *stream, const struct fastws_iovec *iov, int count,
                                uint64_t until_ms) {
    uint64_t start_ms = fws_clock_ms();
    for (;;) {
        fws_stream_leave(stream);
        ptrdiff_t n = stream->io.writev(stream->io.ctx, iov, count);
        fws_stream_enter(stream);
        if (stream->write_error != 0) return stream->write_error; /* another thread has closed, and will not wait */
        if (n > 0 && (size_t)n <= sum_len(iov, count)) return n;
        if (n != FASTWS_IO_AGAIN || stream->io.wait == NULL) return fws_stream_break_output(stream, FASTWS_ERR_IO);
        if (until_ms == 0) return 0;
        TRY(wait_writable(stream, start_ms, until_ms));
    }
}

int fws_stream_drain(struct fastws_stream *stream, uint64_t until_ms) {
    for (;;) {
        struct fastws_iovec iov[FWS_IO_PIECES];
        int count = fastws_conn_pending(stream->conn, iov, FWS_IO_PIECES);
        if (count == 0) return 0;
        if (count < 0) return fws_stream_break_output(stream, count);
        ptrdiff_t n = fws_stream_write_some(stream, iov, count, until_ms);
        if (n <= 0) return (int)n;
        int error = fastws_conn_sent(stream->conn, (size_t)n);
        if (error < 0) return fws_stream_break_output(stream, error);
    }
}

/* Says whether this thread may write replies, and has some. */
static int has_replies(const struct fastws_stream *stream) {
    return !stream->is_writing && stream->write_error == 0 && stream->raw_left == 0 &&
           fastws_conn_pending_len(stream->conn) > 0;
}

void fws_stream_flush(struct fastws_stream *stream) {
    if (!has_replies(stream)) return;
    stream->is_writing = 1;
    (void)!fws_stream_drain(stream, 0); /* a failure stays in write_error: the senders' to report */
    fws_stream_release_writer(stream);
}

void fws_stream_flush_last(struct fastws_stream *stream) {
    if (fastws_conn_close_sent(stream->conn) == 0 || stream->raw_left > 0) return;
    uint64_t until_ms = fws_deadline_ms(fws_clock_ms(), stream->config->close_timeout_ms);
    if (fws_stream_claim_writer(stream, until_ms) < 0) return;
    (void)!fws_stream_drain(stream, until_ms);
    fws_stream_release_writer(stream);
}

/* ---- In ---- */

/* Waits until the stream is readable, if what says so, and for room to write replies, but no longer than to the next
 * deadline of the connection, which is kept. Returns 1 when the stream is readable, else 0, or the error. */
static int await(struct fastws_stream *stream, unsigned what) {
    uint64_t now_ms = fws_clock_ms();
    uint64_t until_ms = fastws_conn_deadline_ms(stream->conn);
    if (until_ms <= now_ms) {
        TRY(fastws_conn_on_time(stream->conn, now_ms));
        return 0;
    }
    uint64_t recheck_ms = fws_deadline_ms(now_ms, stream->recheck_ms);
    if (recheck_ms < until_ms) until_ms = recheck_ms;
    if (has_replies(stream)) what |= FASTWS_IO_WRITABLE;
    if (what == 0) {
        wait_written(stream, until_ms);
        return 0;
    }
    fws_stream_leave(stream);
    int ready = fws_io_wait(&stream->io, what, until_ms);
    fws_stream_enter(stream);
    if (ready < 0) return stream->read_error = FASTWS_ERR_IO;
    if ((unsigned)ready & FASTWS_IO_WRITABLE) fws_stream_flush(stream);
    return ((unsigned)ready & FASTWS_IO_READABLE) != 0;
}

/* Waits until replies that piled up go out: nothing is read until then. They wait for the end of a raw frame, too, for
 * which nobody can wait who has to write it. */
static int await_room(struct fastws_stream *stream) {
    if (stream->write_error != 0) return stream->write_error;
    if (stream->raw_left > 0 && pthread_equal(stream->raw_writer, pthread_self())) return FASTWS_ERR_STATE;
    if (stream->io.wait != NULL) return await(stream, 0);
    while (stream->is_writing || (stream->raw_left > 0 && stream->write_error == 0)) wait_written(stream, UINT64_MAX);
    fws_stream_flush(stream);
    return 0;
}

/* Hands over bytes that came behind the handshake. */
static int take_initial(struct fastws_stream *stream, void *dst, size_t cap) {
    size_t left = stream->initial_len - stream->initial_off;
    size_t len = left < cap ? left : cap;
    memcpy(dst, stream->initial + stream->initial_off, len);
    stream->initial_off += len;
    if (len == left) fws_stream_release_initial(stream);
    TRY(fastws_conn_filled(stream->conn, len));
    return 1;
}

/* Reads into the space that the connection gave. */
static int read_some(struct fastws_stream *stream, void *dst, size_t cap) {
    fws_stream_leave(stream);
    ptrdiff_t n = stream->io.read(stream->io.ctx, dst, cap);
    fws_stream_enter(stream);
    if (n == FASTWS_IO_AGAIN && stream->io.wait != NULL) return 0;
    if (n < 0 || (size_t)n > cap) return stream->read_error = FASTWS_ERR_IO;
    stream->is_eof = n == 0;
    TRY(fastws_conn_filled(stream->conn, (size_t)n));
    return n > 0;
}

int fws_stream_receive(struct fastws_stream *stream) {
    if (stream->read_error != 0) return stream->read_error;
    fws_stream_flush(stream);
    int has_initial = stream->initial != NULL;
    if (!has_initial && stream->io.wait != NULL) { /* before a slab is borrowed: a silent connection holds none */
        int ready = await(stream, FASTWS_IO_READABLE);
        if (ready <= 0) return ready;
    }
    void *ptr;
    size_t cap;
    TRY(fastws_conn_space(stream->conn, &ptr, &cap));
    if (cap == 0) return await_room(stream);
    return has_initial ? take_initial(stream, ptr, cap) : read_some(stream, ptr, cap);
}

int fws_stream_next(struct fastws_stream *stream, struct fastws_event *event) {
    for (;;) {
        int count = fastws_conn_next(stream->conn, event, 1);
        if (count < 0) return count;
        if (count > 0) break;
        if (stream->is_eof) {
            fastws_conn_eof(stream->conn);
        } else {
            TRY(fws_stream_receive(stream));
        }
    }
    if (event->kind == FASTWS_EVENT_CLOSE || event->kind == FASTWS_EVENT_ERROR) fws_stream_flush_last(stream);
    return event->kind == FASTWS_EVENT_ERROR ? event->error : 0;
}
