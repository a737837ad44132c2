/* SPDX-License-Identifier: MIT */
/* Raw frames over a stream: bytes as they come and go, from and to code that handles frames itself. */
#define _POSIX_C_SOURCE 200809L
#include <fastws/error.h>
#include <fastws/header.h>

#include "../conn.h"
#include "io.h"
#include "stream.h"

/* ---- In ---- */

/* Looks at the connection when time has passed instead of bytes: it may have failed. No byte is there to parse. */
static int check_failed(struct fastws_stream *stream) {
    struct fastws_event event;
    int count = fastws_conn_next(stream->conn, &event, 1);
    if (count <= 0) return count;
    fws_stream_flush_last(stream);
    return event.error;
}

/* Reads exactly len bytes. end_error: the error of a stream that ends before the first of them. */
static int take(struct fastws_stream *stream, void *dst, size_t len, int end_error) {
    if (stream->unread_len > 0) return FASTWS_ERR_STATE; /* the connection has handed all of that message out */
    size_t off = 0;
    while (off < len) {
        ptrdiff_t n = fastws_conn_read_raw(stream->conn, (uint8_t *)dst + off, len - off);
        if (n < 0) return (int)n;
        off += (size_t)n;
        if (n > 0) continue;
        if (stream->is_eof) return off == 0 ? end_error : FASTWS_ERR_UNEXPECTED_EOF;
        int received = fws_stream_receive(stream);
        if (received == 0) received = check_failed(stream);
        if (received < 0) return received;
    }
    return 0;
}

/* Fails the connection: where the next frame begins is not known any more. */
static int fail(struct fastws_stream *stream, int error) {
    struct fastws_event event;
    fws_conn_fail(stream->conn, &event, error);
    fws_stream_flush_last(stream);
    return error;
}

/* Takes byte after byte: how many a header has is known to its parser alone. */
static int take_header(struct fastws_stream *stream, struct fastws_header *header) {
    uint8_t bytes[FASTWS_HEADER_MAX];
    size_t len = 0;
    int result;
    do {
        TRY(take(stream, bytes + len, 1, len == 0 ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF));
        len++;
        result = fastws_header_parse(header, bytes, len);
    } while (result == FASTWS_NEED_MORE);
    return result < 0 ? fail(stream, result) : result;
}

int fastws_stream_read_header(struct fastws_stream *stream, struct fastws_header *header) {
    TRY(fws_stream_begin_read(stream));
    return fws_stream_end_read(stream, take_header(stream, header));
}

int fastws_stream_read_exactly(struct fastws_stream *stream, void *dst, size_t len) {
    TRY(fws_stream_begin_read(stream));
    return fws_stream_end_read(stream, take(stream, dst, len, FASTWS_ERR_EOF));
}

/* ---- Out ---- */

/* Takes len bytes off a head and a body. */
static void advance(struct fastws_iovec iov[2], size_t len) {
    for (int i = 0; i < 2; i++) {
        size_t used = len < iov[i].len ? len : iov[i].len;
        if (used == 0) continue; /* base may be NULL */
        iov[i].base = (const uint8_t *)iov[i].base + used;
        iov[i].len -= used;
        len -= used;
    }
}

/* Writes a head and a body, either of which may be empty: io is given no empty piece. */
static int put(struct fastws_stream *stream, struct fastws_iovec iov[2]) {
    while (iov[0].len + iov[1].len > 0) {
        struct fastws_iovec *first = iov[0].len > 0 ? &iov[0] : &iov[1];
        int count = iov[0].len > 0 && iov[1].len > 0 ? 2 : 1;
        ptrdiff_t n = fws_stream_write_some(stream, first, count, UINT64_MAX);
        if (n < 0) return (int)n;
        advance(iov, (size_t)n);
    }
    return 0;
}

/* Does put() as the writer, and leaves raw_left of the frame to be written. Replies that wait go first, or last, but
 * never inside a frame. */
static int put_raw(struct fastws_stream *stream, struct fastws_iovec iov[2], uint64_t raw_left) {
    if (fastws_conn_close_sent(stream->conn) != 0) return FASTWS_ERR_CLOSED;
    if (fastws_conn_is_message_open(stream->conn)) return FASTWS_ERR_STATE;
    if (stream->raw_left == 0) TRY(fws_stream_drain(stream, UINT64_MAX));
    if (fastws_conn_close_sent(stream->conn) != 0) return FASTWS_ERR_CLOSED; /* queued by another thread meanwhile */
    stream->raw_left = raw_left;
    stream->raw_writer = pthread_self();
    TRY(put(stream, iov));
    return raw_left == 0 ? fws_stream_drain(stream, UINT64_MAX) : 0;
}

/* Writes a header, and its payload too unless only the header is to be written. */
static int write_frame(struct fastws_stream *stream, const struct fastws_header *header, const void *payload,
                       int is_header_only) {
    uint8_t bytes[FASTWS_HEADER_MAX];
    int header_len = fastws_header_write(bytes, sizeof bytes, header);
    if (header_len < 0) return header_len;
    size_t payload_len = is_header_only ? 0 : (size_t)header->length;
    uint64_t raw_left = is_header_only ? header->length : 0;
    if (payload_len + raw_left != header->length) return FASTWS_ERR_ARGUMENT; /* more than memory can hold */
    struct fastws_iovec iov[2] = {{bytes, (size_t)header_len}, {payload, payload_len}};

    fws_stream_enter(stream);
    int error = fws_stream_claim_writer(stream, UINT64_MAX);
    if (error == 0) {
        error = stream->raw_left > 0 ? FASTWS_ERR_STATE : put_raw(stream, iov, raw_left);
        fws_stream_release_writer(stream);
    }
    fws_stream_leave(stream);
    return error;
}

int fastws_stream_write_header(struct fastws_stream *stream, const struct fastws_header *header) {
    return write_frame(stream, header, NULL, 1);
}

int fastws_stream_write_frame(struct fastws_stream *stream, const struct fastws_header *header, const void *payload) {
    return write_frame(stream, header, payload, 0);
}

/* Bytes that a header announced, and no more; without one, frames that are whole. */
static int write_bytes(struct fastws_stream *stream, const void *src, size_t len) {
    struct fastws_iovec iov[2] = {{NULL, 0}, {src, len}};
    uint64_t left = stream->raw_left;
    if (left > 0 && len > left) return FASTWS_ERR_ARGUMENT;
    return put_raw(stream, iov, left > 0 ? left - len : 0);
}

int fastws_stream_write(struct fastws_stream *stream, const void *src, size_t len) {
    fws_stream_enter(stream);
    int error = fws_stream_claim_writer(stream, UINT64_MAX);
    if (error == 0) {
        error = write_bytes(stream, src, len);
        fws_stream_release_writer(stream);
    }
    fws_stream_leave(stream);
    return error;
}
