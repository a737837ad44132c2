/* SPDX-License-Identifier: MIT */
/* Sending over a stream: messages whole and in pieces, pings and pongs, and many of them in one write. */
#define _POSIX_C_SOURCE 200809L
#include <limits.h>

#include <fastws/error.h>
#include <fastws/header.h>

#include "stream.h"

enum { COPY_LEN = 16384 }; /* what is taken from a source at a time: whole fragments leave without another copy */

/* Enters as the writer, between frames. Returns 0, or the error without lock. */
static int begin_write(struct fastws_stream *stream) {
    fws_stream_enter(stream);
    int error = fws_stream_claim_writer(stream, UINT64_MAX);
    if (error == 0 && stream->raw_left > 0) {
        fws_stream_release_writer(stream);
        error = FASTWS_ERR_STATE;
    }
    if (error < 0) fws_stream_leave(stream);
    return error;
}

static int end_write(struct fastws_stream *stream, int result) {
    fws_stream_release_writer(stream);
    fws_stream_leave(stream);
    return result;
}

/* Lets what is queued go, or keeps a copy of it while the stream is corked. */
static int put_out(struct fastws_stream *stream) {
    int is_kept = stream->corks > 0 && fastws_conn_is_writable(stream->conn);
    if (is_kept && fastws_conn_own(stream->conn) == 0) return 0;
    return fws_stream_drain(stream, UINT64_MAX);
}

/* Ends a send that queued all or nothing. */
static int end_send(struct fastws_stream *stream, int error) {
    return end_write(stream, error < 0 ? error : put_out(stream));
}

/* Ends a send that may have queued fragments, which lie in the caller's memory, before it failed. */
static int end_pieces(struct fastws_stream *stream, int error) {
    int out_error = put_out(stream);
    return end_write(stream, error < 0 ? error : out_error);
}

/* ---- Whole messages ---- */

int fastws_stream_write_message(struct fastws_stream *stream, int opcode, const void *payload, size_t len) {
    TRY(begin_write(stream));
    return end_send(stream, fastws_conn_send(stream->conn, opcode, payload, len));
}

int fastws_stream_write_prepared(struct fastws_stream *stream, struct fastws_prepared *prepared) {
    TRY(begin_write(stream));
    return end_send(stream, fastws_conn_send_prepared(stream->conn, prepared));
}

int fastws_stream_ping(struct fastws_stream *stream, const void *payload, size_t len) {
    TRY(begin_write(stream));
    return end_send(stream, fastws_conn_ping(stream->conn, payload, len));
}

int fastws_stream_pong(struct fastws_stream *stream, const void *payload, size_t len) {
    TRY(begin_write(stream));
    return end_send(stream, fastws_conn_pong(stream->conn, payload, len));
}

int fastws_stream_answer(struct fastws_stream *stream, const struct fastws_event *event) {
    switch (event->kind) {
    case FASTWS_EVENT_PING: return fastws_stream_pong(stream, event->ptr, (size_t)event->len);
    case FASTWS_EVENT_PONG: return 0;
    case FASTWS_EVENT_CLOSE:
        TRY(begin_write(stream));
        return end_send(stream, fastws_conn_close(stream->conn, event->close_code, NULL, 0));
    default: return FASTWS_ERR_ARGUMENT;
    }
}

/* ---- Messages in pieces ---- */

int fastws_stream_begin(struct fastws_stream *stream, int opcode) {
    TRY(begin_write(stream));
    return end_write(stream, fastws_conn_begin(stream->conn, opcode));
}

int fastws_stream_append(struct fastws_stream *stream, const void *payload, size_t len) {
    TRY(begin_write(stream));
    return end_pieces(stream, fastws_conn_write(stream->conn, payload, len));
}

int fastws_stream_append_from(struct fastws_stream *stream, ptrdiff_t (*read)(void *context, void *dst, size_t len),
                              void *context) {
    uint8_t bytes[COPY_LEN];
    for (;;) {
        ptrdiff_t n = read(context, bytes, sizeof bytes);
        if (n == 0) return 0;
        if (n < 0) return n < INT_MIN ? INT_MIN : (int)n;
        if ((size_t)n > sizeof bytes) return FASTWS_ERR_ARGUMENT;
        TRY(fastws_stream_append(stream, bytes, (size_t)n));
    }
}

int fastws_stream_flush_fragment(struct fastws_stream *stream) {
    TRY(begin_write(stream));
    return end_pieces(stream, fastws_conn_flush_fragment(stream->conn));
}

int fastws_stream_finish(struct fastws_stream *stream) {
    TRY(begin_write(stream));
    return end_pieces(stream, fastws_conn_finish(stream->conn));
}

void fastws_stream_abandon(struct fastws_stream *stream) {
    fws_stream_enter(stream);
    fastws_conn_abandon(stream->conn);
    fws_stream_leave(stream);
}

void fastws_stream_set_fragment_len(struct fastws_stream *stream, size_t len) {
    fws_stream_enter(stream);
    fastws_conn_set_fragment_len(stream->conn, len);
    fws_stream_leave(stream);
}

/* ---- Cork ---- */

void fastws_stream_cork(struct fastws_stream *stream) {
    fws_stream_enter(stream);
    stream->corks++;
    fws_stream_leave(stream);
}

/* A raw frame that is not complete takes along what waits behind it. */
int fastws_stream_uncork(struct fastws_stream *stream) {
    fws_stream_enter(stream);
    int error = stream->corks > 0 ? 0 : FASTWS_ERR_STATE;
    if (error == 0 && --stream->corks == 0) {
        error = fws_stream_claim_writer(stream, UINT64_MAX);
        if (error == 0) {
            if (stream->raw_left == 0) error = fws_stream_drain(stream, UINT64_MAX);
            fws_stream_release_writer(stream);
        }
    }
    fws_stream_leave(stream);
    return error;
}
