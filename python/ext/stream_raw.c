/* SPDX-License-Identifier: MIT */
/* Raw frames through a Stream, for programs that handle them themselves. Allowed between messages. */
#include "stream.h"

#include <string.h>

#include <fastws/error.h>

#include "args.h"
#include "errors.h"
#include "events.h"
#include "header.h"

#define FIRST_BLOCK 65536 /* bytes that a declared length may allocate before any has arrived */

/* The byte stream ended inside something. */
static int fail_eof(struct stream *self, int error) {
    self->protocol.error = error;
    self->protocol.error_code = 1006;
    self->protocol.error_offset = -1;
    protocol_closed_raise(&self->protocol, self->state);
    return -1;
}

/* Fills dst. is_start: the end of the stream may come before the first byte. */
static int read_bytes(struct stream *self, void *dst, size_t len, int is_start) {
    size_t filled = 0;
    while (filled < len) {
        if (self->protocol.error) {
            protocol_closed_raise(&self->protocol, self->state);
            return -1;
        }
        ptrdiff_t count = fastws_conn_read_raw(self->protocol.conn, (char *)dst + filled, len - filled);
        if (count < 0) {
            if (count == FASTWS_ERR_STATE) {
                error_raise(self->state, FASTWS_ERR_STATE);
            } else {
                protocol_error_raise(&self->protocol, self->state, (int)count);
            }
            return -1;
        }
        filled += (size_t)count;
        if (count > 0) continue;
        if (self->is_eof) return fail_eof(self, is_start && !filled ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF);
        if (stream_flush_replies(self) < 0 || stream_receive(self, UINT64_MAX, 1) < 0) return -1;
    }
    return 0;
}

static int read_header(struct stream *self, struct fastws_header *header) {
    uint8_t bytes[FASTWS_HEADER_MAX];
    size_t len = 0;
    int result = FASTWS_NEED_MORE;
    size_t wanted = FASTWS_HEADER_MIN;
    while (result == FASTWS_NEED_MORE) {
        if (read_bytes(self, bytes + len, wanted, len == 0) < 0) return -1;
        len += wanted;
        wanted = 1;
        result = fastws_header_parse(header, bytes, len);
    }
    if (result > 0) return 0;
    /* The bytes are gone: where the next frame starts is not known any more. */
    self->protocol.error = result;
    self->protocol.error_code = (uint16_t)fastws_error_close_code(result);
    self->protocol.error_offset = -1;
    protocol_closed_raise(&self->protocol, self->state);
    return -1;
}

/* Reads len bytes into new memory that grows with what arrives, whatever len is. */
static PyObject *read_exactly(struct stream *self, uint64_t len) {
    size_t cap = len < FIRST_BLOCK ? (size_t)len : FIRST_BLOCK;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)cap);
    size_t filled = 0;
    while (bytes && filled < len) {
        if (filled == cap) {
            cap = len - filled < cap ? (size_t)len : 2 * cap;
            if (_PyBytes_Resize(&bytes, (Py_ssize_t)cap) < 0) break;
        }
        if (read_bytes(self, PyBytes_AS_STRING(bytes) + filled, cap - filled, 0) < 0) Py_CLEAR(bytes);
        filled = cap;
    }
    return bytes;
}

PyObject *stream_read_header(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct stream *self = (struct stream *)object;
    struct fastws_header header;
    if (stream_begin_read(self, NULL) < 0) return NULL;
    int result = read_header(self, &header);
    stream_end_read(self);
    return result < 0 ? NULL : header_new(self->state, &header);
}

PyObject *stream_read_exactly(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct stream *self = (struct stream *)object;
    PyObject *number;
    uint64_t len;
    if (arg_one("read_exactly", args, count, kwnames, "n", 1, &number) < 0) return NULL;
    if (arg_unsigned(number, "n", PY_SSIZE_T_MAX, &len) < 0) return NULL;
    if (stream_begin_read(self, NULL) < 0) return NULL;
    PyObject *bytes = read_exactly(self, len);
    stream_end_read(self);
    return bytes;
}

static PyObject *read_frame(struct stream *self) {
    struct fastws_header header;
    if (read_header(self, &header) < 0) return NULL;
    uint64_t max = self->protocol.config.limits.max_frame;
    if ((max && header.length > max) || header.length > PY_SSIZE_T_MAX) {
        fail_eof(self, FASTWS_ERR_FRAME_TOO_LARGE);
        return NULL;
    }
    PyObject *payload = read_exactly(self, header.length);
    return payload ? pair_new(self->state->frame_type, header_new(self->state, &header), payload) : NULL;
}

PyObject *stream_read_frame(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct stream *self = (struct stream *)object;
    if (stream_begin_read(self, NULL) < 0) return NULL;
    PyObject *frame = read_frame(self);
    stream_end_read(self);
    return frame;
}

static PyObject *none_if(int result) { return result < 0 ? NULL : Py_NewRef(Py_None); }

static PyObject *write_pieces(struct stream *self, const struct fastws_header *header, const Py_buffer *payload) {
    uint8_t head[FASTWS_HEADER_MAX];
    int len = fastws_header_write(head, sizeof head, header);
    if (len < 0) return error_raise_value(len);
    return none_if(stream_send_raw(self, head, (size_t)len, payload ? payload->buf : NULL,
                                   payload ? (size_t)payload->len : 0));
}

PyObject *stream_write_header(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct stream *self = (struct stream *)object;
    PyObject *argument;
    if (arg_one("write_header", args, count, kwnames, "header", 1, &argument) < 0) return NULL;
    const struct fastws_header *header = header_get(self->state, argument);
    return header ? write_pieces(self, header, NULL) : NULL;
}

PyObject *stream_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    Py_buffer view;
    if (arg_one("write", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    int result = stream_send_raw((struct stream *)object, view.buf, (size_t)view.len, NULL, 0);
    PyBuffer_Release(&view);
    return none_if(result);
}

PyObject *stream_write_frame(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct stream *self = (struct stream *)object;
    PyObject *frame;
    if (arg_one("write_frame", args, count, kwnames, "frame", 1, &frame) < 0) return NULL;
    if (!PyTuple_Check(frame) || PyTuple_GET_SIZE(frame) != 2) {
        return PyErr_Format(PyExc_TypeError, "frame must be a Frame or a tuple (header, payload), not %.200s",
                            Py_TYPE(frame)->tp_name);
    }
    const struct fastws_header *header = header_get(self->state, PyTuple_GET_ITEM(frame, 0));
    Py_buffer view;
    if (!header || arg_bytes(PyTuple_GET_ITEM(frame, 1), "payload", &view) < 0) return NULL;
    PyObject *result = NULL;
    if (header->length == (uint64_t)view.len) {
        result = write_pieces(self, header, &view);
    } else {
        PyErr_Format(PyExc_ValueError, "header.length is %llu, and the payload holds %zd bytes",
                     (unsigned long long)header->length, view.len);
    }
    PyBuffer_Release(&view);
    return result;
}
