/* SPDX-License-Identifier: MIT */
/* Closing a Stream: the close handshake of RFC 6455 7.1.2, and the end of the transport. */
#include "stream.h"

#include <fastws/close.h>
#include <fastws/error.h>

#include "args.h"
#include "errors.h"

/* How long a peer that was told of its error may go on sending before the socket is closed under it. */
#define LINGER_MS 1000u

static uint64_t linger_ms(const struct stream *self) {
    uint64_t limit = self->protocol.config.close_timeout_ms;
    if (limit == 0 || limit > LINGER_MS) limit = LINGER_MS;
    if (self->protocol.error == FASTWS_ERR_CLOSE_TIMEOUT) return 0; /* the peer has had its time */
    int is_failed = self->protocol.error != FASTWS_ERR_CLOSED;
    if (is_failed) return fastws_conn_close_sent(self->protocol.conn) ? limit : 0;
    /* RFC 6455 7.1.1: the server closes TCP first, and a client gives it the time. */
    return self->protocol.config.role == FASTWS_ROLE_CLIENT ? limit : 0;
}

int stream_finish_close(struct stream *self) {
    int is_open = !self->is_broken && !self->is_eof;
    uint64_t until_ms = protocol_now_ms() + (is_open ? linger_ms(self) : 0);
    if (!is_open || transport_linger(&self->transport, self->state, until_ms) == 0) {
        return transport_close(&self->transport, self->state);
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (transport_close(&self->transport, self->state) < 0) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return -1;
}

/* Reads until the peer has closed. Messages are dropped. Returns 0, or -1 with an exception that is none of the end. */
static int await_close(struct stream *self) {
    struct fastws_event event;
    while (!self->protocol.error) {
        if (stream_next_event(self, &event, UINT64_MAX) == 0) continue;
        PyObject *const *exceptions = self->state->exceptions;
        int is_end = PyErr_ExceptionMatches(exceptions[EXC_CONNECTION_CLOSED_OK]) ||
                     PyErr_ExceptionMatches(exceptions[EXC_CONNECTION_CLOSED_ERROR]);
        if (!is_end && !PyErr_ExceptionMatches(PyExc_OSError)) return -1;
        PyErr_Clear();
        break;
    }
    return 0;
}

/* No close frame can follow half of a raw frame: the byte stream ends there. */
static int give_up_raw(struct stream *self, PyObject *code, PyObject *reason) {
    uint16_t number;
    const char *text;
    Py_ssize_t len;
    if (arg_close(code, reason, &number, &text, &len) < 0) return -1;
    int error = number == FASTWS_CLOSE_NO_STATUS_RCVD ? 0 : fastws_close_check(number, NULL, 0);
    if (error < 0) {
        error_raise_value(error);
        return -1;
    }
    if (self->is_reading) {
        PyErr_SetString(PyExc_RuntimeError, "the payload that write_header() announced is not complete");
        return -1;
    }
    self->is_broken = 1;
    return 0;
}

static int send_close(struct stream *self, PyObject *code, PyObject *reason) {
    if (self->raw_left && !self->is_broken) return give_up_raw(self, code, reason);
    if (protocol_send_close(&self->protocol, self->state, code, reason) < 0) return -1;
    /* Another thread that is sending takes the close frame along. */
    return stream_flush_last(self, UINT64_MAX);
}

/* Sends the code of a close frame back. RFC 6455 5.5.1. */
static int answer_close(struct stream *self, PyObject *data) {
    Py_buffer view;
    uint16_t code;
    const uint8_t *reason;
    size_t len;
    if (arg_bytes(data, "data", &view) < 0) return -1;
    int error = fastws_close_parse(view.buf, (size_t)view.len, &code, &reason, &len);
    PyBuffer_Release(&view);
    if (error < 0) {
        error_raise_value(error);
        return -1;
    }
    if (stream_begin_send(self) < 0) return -1;
    return stream_end_send(self, fastws_conn_close(self->protocol.conn, code, NULL, 0), NULL);
}

PyObject *stream_answer(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"opcode", "data", NULL};
    struct stream *self = (struct stream *)object;
    PyObject *sorted[2];
    unsigned opcode;
    if (arg_sort("answer", args, count, kwnames, names, 2, 2, sorted) < 0) return NULL;
    if (arg_opcode(sorted[0], &opcode) < 0) return NULL;
    switch (opcode) {
    case FASTWS_OPCODE_PING: return none_if(stream_send_control(self, 1, sorted[1]));
    case FASTWS_OPCODE_PONG: Py_RETURN_NONE;
    case FASTWS_OPCODE_CLOSE: return none_if(answer_close(self, sorted[1]));
    default: PyErr_SetString(PyExc_ValueError, "only control frames are answered"); return NULL;
    }
}

PyObject *stream_close(struct stream *self, PyObject *code, PyObject *reason) {
    if (send_close(self, code, reason) < 0) return NULL;
    if (!self->transport.io) Py_RETURN_NONE;
    self->is_close_wanted = 1;
    if (self->is_reading) Py_RETURN_NONE;
    self->is_reading = 1;
    self->has_received = 0;
    /* What a Reader has not read is dropped, as messages are. */
    if (self->inside) stream_drop_message(self);
    int result = self->is_broken ? 0 : await_close(self);
    /* Whatever interrupted the handshake, nothing more can be expected of it. */
    if (!self->protocol.error) {
        protocol_note_error(&self->protocol, FASTWS_ERR_IO, FASTWS_CLOSE_ABNORMAL_CLOSURE);
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int closed = stream_finish_close(self);
    self->is_reading = 0;
    if (result < 0) {
        if (closed < 0) PyErr_Clear();
        PyErr_Restore(type, value, traceback);
        return NULL;
    }
    return closed < 0 ? NULL : Py_NewRef(Py_None);
}
