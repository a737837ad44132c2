/* SPDX-License-Identifier: MIT */
/* Closing a Stream: the close handshake of RFC 6455 7.1.2, and the end of the transport. */
#include "stream.h"

#include <fastws/error.h>

#include "errors.h"

/* How long a peer that was told of its error may go on sending before the socket is closed under it. */
#define LINGER_MS 1000u

static uint64_t linger_ms(const struct stream *self) {
    uint64_t limit = self->protocol.config.close_timeout_ms;
    if (limit == 0 || limit > LINGER_MS) limit = LINGER_MS;
    int is_failed = self->protocol.error != FASTWS_ERR_CLOSED;
    if (is_failed) return fastws_conn_close_sent(self->protocol.conn) ? limit : 0;
    /* RFC 6455 7.1.1: the server closes TCP first, and a client gives it the time. */
    return self->protocol.config.role == FASTWS_ROLE_CLIENT ? limit : 0;
}

int stream_finish_close(struct stream *self) {
    if (!self->is_broken && !self->is_eof) {
        transport_linger(&self->transport, self->state, protocol_now_ms() + linger_ms(self));
    }
    return transport_close(&self->transport, self->state);
}

/* Reads until the peer has closed. Messages are dropped. Returns 0, or -1 with an exception that is none of the end. */
static int await_close(struct stream *self) {
    struct fastws_event event;
    while (!self->protocol.error) {
        if (stream_next_event(self, &event, UINT64_MAX) == 0) continue;
        if (!self->protocol.error && !PyErr_ExceptionMatches(PyExc_OSError)) return -1;
        PyErr_Clear();
        break;
    }
    return 0;
}

static int send_close(struct stream *self, PyObject *code, PyObject *reason) {
    if (protocol_send_close(&self->protocol, self->state, code, reason) < 0) return -1;
    /* Another thread that is sending takes the close frame along. */
    return stream_flush_replies(self);
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
        self->protocol.error = FASTWS_ERR_IO;
        self->protocol.error_code = 1006;
        self->protocol.error_offset = -1;
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
