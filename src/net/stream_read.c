/* SPDX-License-Identifier: MIT */
/* Reading from a stream: whole messages, messages in parts, and messages as files. */
#define _POSIX_C_SOURCE 200809L
#include <fastws/close.h>
#include <fastws/error.h>

#include "../conn.h"
#include "stream.h"

struct fastws_body {
    struct fastws_stream *stream;
};

/* ---- Read calls ---- */

int fws_stream_begin_read(struct fastws_stream *stream) {
    fws_stream_enter(stream);
    int error = fws_stream_claim_reader(stream);
    if (error < 0) fws_stream_leave(stream);
    return error;
}

int fws_stream_end_read(struct fastws_stream *stream, int result) {
    if (stream->corks == 0) fws_stream_flush(stream);
    stream->is_reading = 0;
    fws_stream_leave(stream);
    return result;
}

static void set_delivery(struct fastws_stream *stream, enum fastws_delivery delivery) {
    (void)!fastws_conn_set_delivery(stream->conn, (int)delivery); /* knows all of them */
}

void fws_stream_leave_message(struct fastws_stream *stream) {
    stream->parts = FWS_PARTS_NONE;
    stream->unread_len = 0;
    if (!stream->is_more_due) return;
    stream->is_more_due = 0;
    (void)!fastws_conn_discard(stream->conn); /* of a connection that has stopped, the next call returns the error */
}

/* ---- Hooks ---- */

static int call_on_control(struct fastws_stream *stream, const struct fastws_event *event) {
    const struct fastws_stream_hooks *hooks = stream->hooks;
    if (hooks == NULL || hooks->on_control == NULL) return 0;
    fws_stream_leave(stream);
    int result = hooks->on_control(hooks->context, stream, event);
    fws_stream_enter(stream);
    return result < 0 ? result : 0;
}

/* The header of the frame that the chunk begins. Of a compressed one chunk->len bytes were inflated out of it. */
static struct fastws_header header_of(const struct fastws_stream *stream, const struct fastws_event *chunk) {
    int is_compressed = (chunk->flags & FASTWS_EVENT_COMPRESSED) != 0;
    return (struct fastws_header){
        .length = is_compressed ? fastws_conn_frame_len(stream->conn) : chunk->len + chunk->remaining,
        .opcode = chunk->flags & FASTWS_EVENT_FIRST ? chunk->opcode : FASTWS_OPCODE_CONTINUATION,
        .rsv = chunk->rsv,
        .fin = (chunk->flags & FASTWS_EVENT_FIN) != 0,
    };
}

static int call_on_continuation(struct fastws_stream *stream, const struct fastws_event *chunk) {
    const struct fastws_stream_hooks *hooks = stream->hooks;
    if (hooks == NULL || hooks->on_continuation == NULL) return 0;
    struct fastws_header header = header_of(stream, chunk);
    struct fastws_body body = {stream};
    fws_stream_leave(stream);
    int result = hooks->on_continuation(hooks->context, &header, &body);
    fws_stream_enter(stream);
    return result < 0 ? result : 0;
}

void fastws_stream_set_hooks(struct fastws_stream *stream, const struct fastws_stream_hooks *hooks) {
    fws_stream_enter(stream);
    stream->hooks = hooks;
    fws_stream_leave(stream);
}

int fws_stream_next_data(struct fastws_stream *stream, struct fastws_event *event) {
    for (;;) {
        TRY(fws_stream_next(stream, event));
        if (event->kind == FASTWS_EVENT_MESSAGE || event->kind == FASTWS_EVENT_CHUNK) return 0;
        TRY(call_on_control(stream, event));
        if (event->kind == FASTWS_EVENT_CLOSE) return FASTWS_ERR_CLOSED;
    }
}

/* ---- Whole messages ---- */

int fastws_stream_read_message(struct fastws_stream *stream, struct fastws_event *event) {
    TRY(fws_stream_begin_read(stream));
    fws_stream_leave_message(stream);
    set_delivery(stream, FASTWS_DELIVER_MESSAGES);
    return fws_stream_end_read(stream, fws_stream_next(stream, event));
}

int fastws_stream_read_data(struct fastws_stream *stream, struct fastws_event *event) {
    TRY(fws_stream_begin_read(stream));
    fws_stream_leave_message(stream);
    set_delivery(stream, FASTWS_DELIVER_MESSAGES);
    return fws_stream_end_read(stream, fws_stream_next_data(stream, event));
}

static int read_kind(struct fastws_stream *stream, struct fastws_event *event, int opcode) {
    TRY(fastws_stream_read_data(stream, event));
    if (event->opcode == opcode) return 0;
    if (stream->config->is_close_automatic) {
        fws_stream_enter(stream);
        (void)!fws_stream_send_close(stream, FASTWS_CLOSE_UNSUPPORTED_DATA, NULL, 0); /* the caller's error counts */
        fws_stream_leave(stream);
    }
    return FASTWS_ERR_MESSAGE_KIND;
}

int fastws_stream_read_text(struct fastws_stream *stream, struct fastws_event *event) {
    return read_kind(stream, event, FASTWS_OPCODE_TEXT);
}

int fastws_stream_read_binary(struct fastws_stream *stream, struct fastws_event *event) {
    return read_kind(stream, event, FASTWS_OPCODE_BINARY);
}

int fastws_stream_take(struct fastws_stream *stream, const struct fastws_event *event, struct fastws_taken *out) {
    fws_stream_enter(stream);
    int error = fastws_conn_take(stream->conn, event, out);
    fws_stream_leave(stream);
    return error;
}

/* ---- Messages in parts ---- */

static int read_part(struct fastws_stream *stream, struct fastws_event *event, enum fastws_delivery delivery) {
    TRY(fws_stream_begin_read(stream));
    if (stream->parts == FWS_PARTS_FILE) fws_stream_leave_message(stream);
    set_delivery(stream, delivery);
    int error = fws_stream_next(stream, event);
    if (error == 0 && event->kind == FASTWS_EVENT_CHUNK) {
        stream->parts = FWS_PARTS_EVENTS;
        stream->is_more_due = !(event->flags & FASTWS_EVENT_LAST);
    }
    return fws_stream_end_read(stream, error);
}

int fastws_stream_read_fragment(struct fastws_stream *stream, struct fastws_event *event) {
    return read_part(stream, event, FASTWS_DELIVER_FRAGMENTS);
}

int fastws_stream_read_chunk(struct fastws_stream *stream, struct fastws_event *event) {
    return read_part(stream, event, FASTWS_DELIVER_STREAM);
}

/* ---- Messages as files ---- */

/* Waits for the next part of the message, or for the first part of the next one. */
static int next_chunk(struct fastws_stream *stream, struct fastws_event *chunk) {
    TRY(fws_stream_next_data(stream, chunk));
    stream->is_more_due = !(chunk->flags & FASTWS_EVENT_LAST);
    stream->unread = chunk->ptr;
    stream->unread_len = (size_t)chunk->len;
    stream->frame_left = chunk->remaining;
    return 0;
}

static int next_frame(struct fastws_stream *stream, struct fastws_header *header) {
    struct fastws_event chunk;
    fws_stream_leave_message(stream);
    set_delivery(stream, FASTWS_DELIVER_STREAM);
    TRY(next_chunk(stream, &chunk));
    stream->parts = FWS_PARTS_FILE;
    *header = header_of(stream, &chunk);
    return 0;
}

int fastws_stream_next_frame(struct fastws_stream *stream, struct fastws_header *header) {
    TRY(fws_stream_begin_read(stream));
    return fws_stream_end_read(stream, next_frame(stream, header));
}

/* Goes on to the next part of the message. */
static int advance(struct fastws_stream *stream) {
    struct fastws_event chunk;
    TRY(next_chunk(stream, &chunk));
    int is_continuation = chunk.flags & FASTWS_EVENT_FRAME && !(chunk.flags & FASTWS_EVENT_FIRST);
    return is_continuation ? call_on_continuation(stream, &chunk) : 0;
}

/* Copies what is there of the current part. */
static ptrdiff_t copy_unread(struct fastws_stream *stream, void *dst, size_t len) {
    size_t used = len < stream->unread_len ? len : stream->unread_len;
    if (used > PTRDIFF_MAX) used = PTRDIFF_MAX;
    if (used == 0) return 0; /* dst and the view may be NULL */
    memcpy(dst, stream->unread, used);
    stream->unread += used;
    stream->unread_len -= used;
    return (ptrdiff_t)used;
}

ptrdiff_t fastws_stream_read(struct fastws_stream *stream, void *dst, size_t len) {
    TRY(fws_stream_begin_read(stream));
    int error = stream->parts == FWS_PARTS_FILE ? 0 : FASTWS_ERR_STATE;
    while (error == 0 && len > 0 && stream->unread_len == 0 && stream->is_more_due) error = advance(stream);
    ptrdiff_t result = error < 0 ? error : copy_unread(stream, dst, len);
    fws_stream_end_read(stream, 0);
    return result;
}

/* The reader is the one that called the hook. */
ptrdiff_t fastws_body_read(struct fastws_body *body, void *dst, size_t len) {
    struct fastws_stream *stream = body->stream;
    struct fastws_event chunk;
    int error = 0;
    fws_stream_enter(stream);
    while (error == 0 && len > 0 && stream->unread_len == 0 && stream->frame_left > 0) {
        error = next_chunk(stream, &chunk);
    }
    ptrdiff_t result = error < 0 ? error : copy_unread(stream, dst, len);
    fws_stream_leave(stream);
    return result;
}

int fastws_stream_discard(struct fastws_stream *stream) {
    TRY(fws_stream_begin_read(stream));
    int error = 0;
    stream->unread_len = 0;
    while (error == 0 && stream->is_more_due) {
        error = advance(stream);
        stream->unread_len = 0;
    }
    return fws_stream_end_read(stream, error);
}
