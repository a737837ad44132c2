/* SPDX-License-Identifier: MIT */
/* The closing handshake over a stream. RFC 6455 section 7. */
#define _POSIX_C_SOURCE 200809L
#include <fastws/error.h>

#include "io.h"
#include "stream.h"

int fws_stream_send_close(struct fastws_stream *stream, uint16_t code, const char *reason, size_t len) {
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
    fws_stream_leave_message(stream);
    (void)!fastws_conn_set_delivery(stream->conn, FASTWS_DELIVER_STREAM); /* so that nothing is gathered */
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
    int error = fws_stream_send_close(stream, code, reason, len);
    if (error == 0 && fws_stream_claim_reader(stream) == 0) {
        error = await_close(stream);
        part(stream);
        stream->is_reading = 0;
    }
    fws_stream_leave(stream);
    return error;
}
