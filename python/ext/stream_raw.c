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

/* ---- What an interrupted read leaves to the next one ---- */

static size_t kept_len(const struct stream *self) {
    return self->kept ? (size_t)PyBytes_GET_SIZE(self->kept) - self->kept_off : 0;
}

/* Gives back what a read took that is interrupted: it stands in front of what was given back before. The exception that
 * is set stays, unless there is no memory. */
static void keep(struct stream *self, const void *src, size_t len) {
    if (len == 0 || self->protocol.error) return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    size_t rest = kept_len(self);
    PyObject *kept = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(len + rest));
    if (kept) {
        memcpy(PyBytes_AS_STRING(kept), src, len);
        if (rest) memcpy(PyBytes_AS_STRING(kept) + len, PyBytes_AS_STRING(self->kept) + self->kept_off, rest);
        Py_XSETREF(self->kept, kept);
        self->kept_off = 0;
        PyErr_Restore(type, value, traceback);
        return;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

static size_t take_kept(struct stream *self, void *dst, size_t len) {
    size_t rest = kept_len(self);
    if (rest == 0) return 0;
    if (len > rest) len = rest;
    memcpy(dst, PyBytes_AS_STRING(self->kept) + self->kept_off, len);
    self->kept_off += len;
    if (len == rest) Py_CLEAR(self->kept);
    return len;
}

/* ---- Reading ---- */

/* Takes what there is, at most len bytes, and receives where there is nothing. Returns how many, or -1 with an
 * exception. is_start: the end of the stream may come now. */
static ptrdiff_t read_some(struct stream *self, void *dst, size_t len, int is_start) {
    if (self->protocol.error) {
        protocol_closed_raise(&self->protocol, self->state);
        return -1;
    }
    ptrdiff_t count = (ptrdiff_t)take_kept(self, dst, len);
    if (count == 0) count = fastws_conn_read_raw(self->protocol.conn, dst, len);
    if (count > 0) return count;
    if (count == FASTWS_ERR_STATE) {
        error_raise(self->state, FASTWS_ERR_STATE);
        return -1;
    }
    if (count < 0) {
        protocol_error_raise(&self->protocol, self->state, (int)count);
        return -1;
    }
    if (self->is_eof) return stream_fail(self, is_start ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF, -1);
    return stream_flush_replies(self) < 0 || stream_receive(self, UINT64_MAX, 1) < 0 ? -1 : 0;
}

/* Fills dst. is_start: the end of the stream may come before the first byte. */
static int read_bytes(struct stream *self, void *dst, size_t len, int is_start) {
    size_t filled = 0;
    while (filled < len) {
        ptrdiff_t count = read_some(self, (char *)dst + filled, len - filled, is_start && !filled);
        if (count < 0) {
            keep(self, dst, filled);
            return -1;
        }
        filled += (size_t)count;
    }
    return 0;
}

/* Where the raw frame begins of whose header len bytes were read. */
static int64_t frame_offset(const struct stream *self, size_t len) {
    return (int64_t)(fastws_conn_offset(self->protocol.conn) - kept_len(self) - len);
}

/* Reads the header into bytes as well. Returns its length, or -1 with an exception. */
static int read_header(struct stream *self, struct fastws_header *header, uint8_t bytes[FASTWS_HEADER_MAX]) {
    size_t len = 0;
    int result = FASTWS_NEED_MORE;
    size_t wanted = FASTWS_HEADER_MIN;
    while (result == FASTWS_NEED_MORE) {
        if (read_bytes(self, bytes + len, wanted, len == 0) < 0) {
            keep(self, bytes, len);
            return -1;
        }
        len += wanted;
        wanted = 1;
        result = fastws_header_parse(header, bytes, len);
    }
    /* The bytes are gone: where the next frame starts is not known any more. */
    return result > 0 ? result : stream_fail(self, result, frame_offset(self, len));
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
        if (read_bytes(self, PyBytes_AS_STRING(bytes) + filled, cap - filled, 0) < 0) {
            keep(self, PyBytes_AS_STRING(bytes), filled);
            Py_CLEAR(bytes);
        }
        filled = cap;
    }
    return bytes;
}

PyObject *stream_read_header(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct stream *self = (struct stream *)object;
    struct fastws_header header;
    uint8_t bytes[FASTWS_HEADER_MAX];
    if (stream_begin_read(self, self) < 0) return NULL;
    int result = read_header(self, &header, bytes);
    stream_end_read(self);
    return result < 0 ? NULL : header_new(self->state, &header);
}

PyObject *stream_read_exactly(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct stream *self = (struct stream *)object;
    PyObject *number;
    uint64_t len;
    if (arg_one("read_exactly", args, count, kwnames, "n", 1, &number) < 0) return NULL;
    if (arg_unsigned(number, "n", PY_SSIZE_T_MAX, &len) < 0) return NULL;
    if (stream_begin_read(self, self) < 0) return NULL;
    PyObject *bytes = read_exactly(self, len);
    stream_end_read(self);
    return bytes;
}

static PyObject *read_frame(struct stream *self) {
    struct fastws_header header;
    uint8_t bytes[FASTWS_HEADER_MAX];
    int len = read_header(self, &header, bytes);
    if (len < 0) return NULL;
    uint64_t max = self->protocol.config.limits.max_frame;
    if ((max && header.length > max) || header.length > PY_SSIZE_T_MAX) {
        stream_fail(self, FASTWS_ERR_FRAME_TOO_LARGE, frame_offset(self, (size_t)len));
        return NULL;
    }
    PyObject *payload = read_exactly(self, header.length);
    if (!payload) keep(self, bytes, (size_t)len);
    return payload ? pair_new(self->state->frame_type, header_new(self->state, &header), payload) : NULL;
}

PyObject *stream_read_frame(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct stream *self = (struct stream *)object;
    if (stream_begin_read(self, self) < 0) return NULL;
    PyObject *frame = read_frame(self);
    stream_end_read(self);
    return frame;
}

PyObject *stream_write_header(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct stream *self = (struct stream *)object;
    PyObject *argument;
    if (arg_one("write_header", args, count, kwnames, "header", 1, &argument) < 0) return NULL;
    const struct fastws_header *header = header_get(self->state, argument);
    return header ? none_if(stream_send_raw_frame(self, header, NULL)) : NULL;
}

PyObject *stream_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    Py_buffer view;
    if (arg_one("write", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    int result = stream_send_raw((struct stream *)object, &view);
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
        result = none_if(stream_send_raw_frame(self, header, &view));
    } else {
        PyErr_Format(PyExc_ValueError, "header.length is %llu, and the payload holds %zd bytes",
                     (unsigned long long)header->length, view.len);
    }
    PyBuffer_Release(&view);
    return result;
}
