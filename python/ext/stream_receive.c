/* SPDX-License-Identifier: MIT */
/* Receiving through a Stream: bytes in, one event at a time out, with the deadlines of the connection. */
#include "stream.h"

#include <string.h>

#include <fastws/close.h>
#include <fastws/error.h>

#include "errors.h"

int stream_begin_read(struct stream *self, const void *reader) {
    if (self->is_reading) {
        error_raise(self->state, FASTWS_ERR_READER_BUSY);
        return -1;
    }
    if (self->inside && self->inside != reader) {
        PyErr_SetString(PyExc_RuntimeError, "a Reader is inside of a message: read it to its end, or discard() it");
        return -1;
    }
    self->is_reading = 1;
    self->has_received = 0;
    return 0;
}

void stream_drop_message(struct stream *self) {
    /* It fails where all of the message has been handed out, or the connection has ended: then nothing is left. */
    int error = fastws_conn_discard(self->protocol.conn);
    (void)error;
    self->inside = NULL;
}

void stream_end_read(struct stream *self) {
    self->is_reading = 0;
    if (!self->is_close_wanted || !self->protocol.error) return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (stream_finish_close(self) < 0) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

int stream_wrap_error(struct stream *self) {
    if (!PyErr_ExceptionMatches(PyExc_OSError)) return -1;
    struct protocol lost = self->protocol;
    if (!lost.error) {
        lost.error = FASTWS_ERR_IO;
        lost.error_code = 1006;
        lost.error_offset = -1;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *exception = protocol_closed_new(&lost, self->state);
    if (!exception) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return -1;
    }
    PyErr_Restore(type, value, traceback);
    error_raise_from_current(exception);
    return -1;
}

/* A failed read ends the input, unless it only was not the time: a caller may try again after these. */
static int fail_read(struct stream *self) {
    if (!PyErr_ExceptionMatches(PyExc_OSError) || PyErr_ExceptionMatches(PyExc_TimeoutError) ||
        PyErr_ExceptionMatches(PyExc_BlockingIOError) || PyErr_ExceptionMatches(PyExc_InterruptedError)) {
        return -1;
    }
    self->protocol.error = FASTWS_ERR_IO;
    self->protocol.error_code = 1006;
    self->protocol.error_offset = -1;
    return stream_wrap_error(self);
}

/* Waits for bytes, and does what is due meanwhile. Returns 1 when they are there, 0 when the connection has to be asked
 * for events again, -1 with an exception. */
static int wait_for_bytes(struct stream *self, uint64_t until_ms, int is_raw) {
    if (!transport_has_clock(&self->transport)) return 1;
    uint64_t limit_ms = protocol_touch(&self->protocol) + self->protocol.config.close_timeout_ms;
    uint64_t deadline_ms = is_raw ? UINT64_MAX : fastws_conn_deadline_ms(self->protocol.conn);
    /* Another thread may call close() meanwhile: its deadline must not be slept through. */
    if (!self->protocol.config.close_timeout_ms || deadline_ms < limit_ms) limit_ms = deadline_ms;
    if (until_ms < limit_ms) limit_ms = until_ms;
    int result = transport_wait_readable(&self->transport, self->state, limit_ms);
    if (result != 0) return result < 0 ? fail_read(self) : 1;
    uint64_t now = protocol_touch(&self->protocol);
    if (now >= until_ms && now < deadline_ms) {
        PyErr_SetString(PyExc_TimeoutError, "timed out while waiting for a message");
        return -1;
    }
    if (is_raw) return 0;
    result = fastws_conn_on_time(self->protocol.conn, now);
    if (result >= 0) return 0;
    error_raise(self->state, result);
    return -1;
}

/* Lets the peer read the replies that have piled up: nothing is received before. */
static int drain_flood(struct stream *self) {
    if (stream_lock(self) < 0) return -1;
    int result = stream_flush_and_unlock(self, NULL);
    if (result < 0) return stream_wrap_error(self);
    if (!self->is_broken) return 0;
    /* Nothing can be sent, so the peer never reads them. */
    self->protocol.error = FASTWS_ERR_CONTROL_FLOOD;
    self->protocol.error_code = 1006;
    protocol_closed_raise(&self->protocol, self->state);
    return -1;
}

static size_t read_initial(struct stream *self, void *dst, size_t cap) {
    size_t len = (size_t)PyBytes_GET_SIZE(self->initial) - self->initial_off;
    if (len > cap) len = cap;
    memcpy(dst, PyBytes_AS_STRING(self->initial) + self->initial_off, len);
    self->initial_off += len;
    if (self->initial_off == (size_t)PyBytes_GET_SIZE(self->initial)) Py_CLEAR(self->initial);
    return len;
}

int stream_receive(struct stream *self, uint64_t until_ms, int is_raw) {
    /* A read that does not block is tried at once; only then, with no slab in its hands, the stream waits. */
    if (!self->initial && (self->is_dry || !transport_can_try(&self->transport))) {
        int result = wait_for_bytes(self, until_ms, is_raw);
        if (result <= 0) return result;
        if (hooks_wait(&self->protocol.hooks) < 0) return -1;
    }
    void *ptr;
    size_t cap;
    int error = fastws_conn_space(self->protocol.conn, &ptr, &cap);
    if (error < 0) {
        protocol_error_raise(&self->protocol, self->state, error);
        return -1;
    }
    if (cap == 0) return drain_flood(self);
    Py_ssize_t len = self->initial ? (Py_ssize_t)read_initial(self, ptr, cap)
                                   : transport_read(&self->transport, self->state, ptr, cap);
    self->is_dry = len == -2;
    if (len == -2) return 0;
    if (len < 0) return fail_read(self);
    if (len == 0) {
        self->is_eof = 1;
        fastws_conn_eof(self->protocol.conn);
        return 0;
    }
    protocol_touch(&self->protocol);
    error = fastws_conn_filled(self->protocol.conn, (size_t)len);
    if (error == 0) return 0;
    protocol_error_raise(&self->protocol, self->state, error);
    return -1;
}

/* Keeps the deadlines while bytes come without a pause and make no event. Returns 0, or -1 with an exception. */
static int check_time(struct stream *self, uint64_t until_ms) {
    uint64_t now = protocol_now_ms();
    if (now >= until_ms) {
        PyErr_SetString(PyExc_TimeoutError, "timed out while waiting for a message");
        return -1;
    }
    if (!transport_has_clock(&self->transport) || now < fastws_conn_deadline_ms(self->protocol.conn)) return 0;
    int result = fastws_conn_on_time(self->protocol.conn, now);
    if (result >= 0) return 0;
    error_raise(self->state, result);
    return -1;
}

int stream_next_event(struct stream *self, struct fastws_event *event, uint64_t until_ms) {
    for (;;) {
        if (self->protocol.error) {
            protocol_closed_raise(&self->protocol, self->state);
            return -1;
        }
        if (hooks_wait(&self->protocol.hooks) < 0) return -1;
        int count = fastws_conn_next(self->protocol.conn, event, 1);
        if (count < 0) {
            error_raise(self->state, count);
            return -1;
        }
        if (count == 0) {
            if (self->has_received && !self->is_dry && check_time(self, until_ms) < 0) return -1;
            if (stream_flush_replies(self) < 0 || stream_receive(self, until_ms, 0) < 0) return -1;
            self->has_received = 1;
            continue;
        }
        protocol_note_event(&self->protocol, event);
        /* The pongs of a run of pings leave together, and none waits for the caller to come back. */
        if (event->kind != FASTWS_EVENT_PING && stream_flush_replies(self) < 0) return -1;
        if (event->kind != FASTWS_EVENT_ERROR) return 0;
    }
}

int stream_next_message(struct stream *self, struct fastws_event *event, uint64_t until_ms) {
    do {
        if (stream_next_event(self, event, until_ms) < 0) return -1;
        if (event->kind == FASTWS_EVENT_CLOSE) {
            protocol_closed_raise(&self->protocol, self->state);
            return -1;
        }
    } while (event->kind != FASTWS_EVENT_MESSAGE);
    return 0;
}

int stream_next_of_kind(struct stream *self, struct fastws_event *event, unsigned opcode) {
    if (stream_next_message(self, event, UINT64_MAX) < 0) return -1;
    if (event->opcode == opcode) return 0;
    int error = fastws_conn_close(self->protocol.conn, FASTWS_CLOSE_UNSUPPORTED_DATA, NULL, 0);
    /* Where a close frame was sent before, the peer is told nothing more. */
    if (error == 0 && stream_flush_replies(self) < 0) return -1;
    self->protocol.error = FASTWS_ERR_MESSAGE_KIND;
    self->protocol.error_code = FASTWS_CLOSE_UNSUPPORTED_DATA;
    self->protocol.error_offset = -1;
    protocol_closed_raise(&self->protocol, self->state);
    return -1;
}
