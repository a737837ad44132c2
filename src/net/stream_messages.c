/* SPDX-License-Identifier: MIT */
/* Whole messages over a stream, pings, and the closing handshake. */
#define _POSIX_C_SOURCE 200809L
#include <fastws/error.h>

#include "io.h"
#include "stream.h"

int fastws_stream_read_message(struct fastws_stream *stream, struct fastws_event *event) {
    fws_stream_enter(stream);
    int error = fws_stream_claim_reader(stream);
    if (error == 0) {
        error = fws_stream_next(stream, event);
        fws_stream_flush(stream);
        stream->is_reading = 0;
    }
    fws_stream_leave(stream);
    return error;
}

/* Drops pings and pongs; their replies leave together, at the latest when there is nothing more to read. */
static int next_data(struct fastws_stream *stream, struct fastws_event *event) {
    do TRY(fws_stream_next(stream, event));
    while (event->kind == FASTWS_EVENT_PING || event->kind == FASTWS_EVENT_PONG);
    return event->kind == FASTWS_EVENT_CLOSE ? FASTWS_ERR_CLOSED : 0;
}

int fastws_stream_read_data(struct fastws_stream *stream, struct fastws_event *event) {
    fws_stream_enter(stream);
    int error = fws_stream_claim_reader(stream);
    if (error == 0) {
        error = next_data(stream, event);
        fws_stream_flush(stream);
        stream->is_reading = 0;
    }
    fws_stream_leave(stream);
    return error;
}

/* The kinds of frame that may be queued. */
static int queue_message(struct fastws_stream *stream, int opcode, const void *payload, size_t len) {
    if (stream->raw_left > 0) return FASTWS_ERR_STATE;
    if (opcode == FASTWS_OPCODE_PING) return fastws_conn_ping(stream->conn, payload, len);
    return fastws_conn_send(stream->conn, opcode, payload, len);
}

static int write_frame(struct fastws_stream *stream, int opcode, const void *payload, size_t len) {
    fws_stream_enter(stream);
    int error = fws_stream_claim_writer(stream, UINT64_MAX);
    if (error == 0) {
        error = queue_message(stream, opcode, payload, len);
        if (error == 0) error = fws_stream_drain(stream, UINT64_MAX);
        fws_stream_release_writer(stream);
    }
    fws_stream_leave(stream);
    return error;
}

int fastws_stream_write_message(struct fastws_stream *stream, int opcode, const void *payload, size_t len) {
    if (opcode != FASTWS_OPCODE_TEXT && opcode != FASTWS_OPCODE_BINARY) return FASTWS_ERR_ARGUMENT;
    return write_frame(stream, opcode, payload, len);
}

int fastws_stream_ping(struct fastws_stream *stream, const void *payload, size_t len) {
    return write_frame(stream, FASTWS_OPCODE_PING, payload, len);
}

/* ---- The closing handshake ---- */

/* Sends the close frame, unless one was sent or the connection failed. */
static int send_close(struct fastws_stream *stream, uint16_t code, const char *reason, size_t len) {
    if (fastws_conn_close_sent(stream->conn) != 0) return 0;
    if (fastws_conn_get_state(stream->conn) == FASTWS_CONN_FAILED) return 0;
    TRY(fws_stream_claim_writer(stream, UINT64_MAX));
    int error = stream->raw_left > 0 ? FASTWS_ERR_STATE : fastws_conn_close(stream->conn, code, reason, len);
    uint64_t until_ms = fws_deadline_ms(fws_clock_ms(), stream->config->close_timeout_ms);
    if (error == 0) error = fws_stream_drain(stream, until_ms);
    fws_stream_release_writer(stream);
    return error == FASTWS_ERR_CLOSED ? 0 : error; /* closed by another thread meanwhile */
}

/* Reads and drops messages until the close event or an error. */
static int await_close(struct fastws_stream *stream) {
    struct fastws_event event;
    do {
        int error = fws_stream_next(stream, &event);
        if (error == FASTWS_ERR_CLOSED) return 0; /* the event was handed out before */
        if (error < 0) return error;
    } while (event.kind != FASTWS_EVENT_CLOSE);
    return 0;
}

/* Parts with the peer once the connection is closed or failed. RFC 6455 7.1.1: the server is the first to close TCP. */
static void part(struct fastws_stream *stream) {
    if (stream->is_eof || stream->read_error != 0 || stream->write_error != 0) return;
    int is_first = stream->config->role == FASTWS_ROLE_SERVER ||
                   fastws_conn_get_state(stream->conn) == FASTWS_CONN_FAILED;
    uint64_t until_ms = fws_deadline_ms(fws_clock_ms(), stream->config->close_timeout_ms);
    fws_stream_leave(stream);
    if (is_first) {
        fws_io_linger(&stream->io, until_ms);
    } else {
        fws_io_drop(&stream->io, until_ms);
    }
    fws_stream_enter(stream);
    stream->is_eof = 1;
}

int fastws_stream_close(struct fastws_stream *stream, uint16_t code, const char *reason, size_t len) {
    fws_stream_enter(stream);
    int error = send_close(stream, code, reason, len);
    if (error == 0 && fws_stream_claim_reader(stream) == 0) {
        error = await_close(stream);
        part(stream);
        stream->is_reading = 0;
    }
    fws_stream_leave(stream);
    return error;
}
