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
    if (self->kept && self != reader) {
        PyErr_SetString(PyExc_RuntimeError, "a raw read was interrupted: the frame has to be read to its end first");
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

/* Closes for a thread that called close() meanwhile. What went wrong with that is nobody's to handle, but what a signal
 * handler raised replaces the end of the connection. */
static void close_behind(struct stream *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int is_lost = stream_finish_close(self) < 0 && PyErr_ExceptionMatches(PyExc_Exception);
    if (is_lost) PyErr_Clear();
    if (!PyErr_Occurred()) {
        PyErr_Restore(type, value, traceback);
        return;
    }
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    if (!type) PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(type);
}

/* No other read, and no reset(), comes between the end of the connection and that of io. */
void stream_end_read(struct stream *self) {
    if (self->is_close_wanted && self->protocol.error) close_behind(self);
    self->is_reading = 0;
}

int stream_wrap_error(struct stream *self) {
    if (!PyErr_ExceptionMatches(PyExc_OSError)) return -1;
    struct protocol lost = self->protocol;
    if (!lost.error) {
        protocol_note_error(&lost, FASTWS_ERR_IO, FASTWS_CLOSE_ABNORMAL_CLOSURE);
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
    protocol_note_error(&self->protocol, FASTWS_ERR_IO, FASTWS_CLOSE_ABNORMAL_CLOSURE);
    return stream_wrap_error(self);
}

/* Does what is due. Returns 0, or -1 with an exception: when until_ms has passed, unless the connection comes first. */
static int pass_time(struct stream *self, uint64_t until_ms, uint64_t deadline_ms) {
    uint64_t now = protocol_touch(&self->protocol);
    if (now >= until_ms && now < deadline_ms) {
        PyErr_SetString(PyExc_TimeoutError, "timed out while waiting for a message");
        return -1;
    }
    int result = deadline_ms == UINT64_MAX ? 0 : fastws_conn_on_time(self->protocol.conn, now);
    if (result >= 0) return 0;
    error_raise(self->state, result);
    return -1;
}

/* Waits for bytes, sends replies when there is room for them, and does what is due meanwhile. Returns 1 when bytes are
 * there, 0 when the connection has to be asked for events again, -1 with an exception. */
static int wait_for_bytes(struct stream *self, uint64_t until_ms, int is_raw) {
    if (!transport_has_clock(&self->transport)) return 1;
    uint64_t limit_ms = protocol_touch(&self->protocol) + self->protocol.config.close_timeout_ms;
    uint64_t deadline_ms = is_raw ? UINT64_MAX : fastws_conn_deadline_ms(self->protocol.conn);
    /* Another thread may call close() meanwhile: its deadline must not be slept through. */
    if (!self->protocol.config.close_timeout_ms || deadline_ms < limit_ms) limit_ms = deadline_ms;
    if (until_ms < limit_ms) limit_ms = until_ms;
    int what = stream_has_replies(self) ? TRANSPORT_READABLE | TRANSPORT_WRITABLE : TRANSPORT_READABLE;
    int found = transport_wait(&self->transport, self->state, what, limit_ms);
    if (found < 0) return fail_read(self);
    if (found == 0) return pass_time(self, until_ms, deadline_ms);
    if (found & TRANSPORT_WRITABLE && stream_flush_replies(self) < 0) return -1;
    return (found & TRANSPORT_READABLE) != 0;
}

/* Sends what an event was answered with, and sees to it that a close frame is out. A peer that lets replies pile up
 * takes none: it is not waited for. */
static int flush_behind(struct stream *self, const struct fastws_event *event, uint64_t until_ms) {
    int is_end = event->kind == FASTWS_EVENT_CLOSE || event->kind == FASTWS_EVENT_ERROR;
    int is_last = is_end && fastws_conn_close_sent(self->protocol.conn);
    if (is_last && self->protocol.error != FASTWS_ERR_CONTROL_FLOOD) return stream_flush_last(self, until_ms);
    return stream_flush_replies(self);
}

/* Nothing can be sent, so the peer never reads the replies. */
static int fail_flooded(struct stream *self) {
    protocol_note_error(&self->protocol, FASTWS_ERR_CONTROL_FLOOD, FASTWS_CLOSE_ABNORMAL_CLOSURE);
    protocol_closed_raise(&self->protocol, self->state);
    return -1;
}

/* Where no deadline is kept, and writing waits by itself. */
static int drain_flood(struct stream *self) {
    if (stream_lock(self) < 0) return -1;
    int result = stream_flush_and_unlock(self, NULL);
    if (result < 0) return stream_wrap_error(self);
    return self->is_broken ? fail_flooded(self) : 0;
}

/* Raw reads ask for no event: they meet the one that says that the time is over here. Returns 0 if there is none. */
static int meet_end(struct stream *self) {
    struct fastws_event event;
    int count = fastws_conn_next(self->protocol.conn, &event, 1);
    if (count < 0) error_raise(self->state, count);
    if (count <= 0) return count < 0 ? -1 : 0;
    protocol_note_event(&self->protocol, &event);
    if (flush_behind(self, &event, UINT64_MAX) < 0) return -1;
    protocol_closed_raise(&self->protocol, self->state);
    return -1;
}

/* The time to wait for is over. */
static int end_wait(struct stream *self, uint64_t until_ms, uint64_t deadline_ms, int is_raw) {
    if (pass_time(self, until_ms, deadline_ms) < 0) return -1;
    return is_raw ? meet_end(self) : 0;
}

/* Waits until the peer reads the replies that have piled up, and does what is due meanwhile. Nothing is received
 * before. */
static int await_room(struct stream *self, uint64_t until_ms, int is_raw) {
    if (self->raw_left && self->raw_writer == PyThread_get_thread_ident()) {
        PyErr_SetString(PyExc_RuntimeError, "replies have to go out first: complete the frame of write_header()");
        return -1;
    }
    if (!transport_has_clock(&self->transport) && !self->raw_left) return drain_flood(self);
    if (self->is_broken) return fail_flooded(self);
    uint64_t deadline_ms = fastws_conn_deadline_ms(self->protocol.conn);
    uint64_t limit_ms = until_ms < deadline_ms ? until_ms : deadline_ms;
    if (self->sender || self->raw_left) { /* that thread sends them, or the one that completes the raw frame */
        if (stream_wait_sender(self, limit_ms) < 0) return -1;
        if (self->is_broken) return fail_flooded(self);
        return protocol_now_ms() < limit_ms ? 0 : end_wait(self, until_ms, deadline_ms, is_raw);
    }
    int found = transport_wait(&self->transport, self->state, TRANSPORT_WRITABLE, limit_ms);
    if (found < 0) return fail_read(self);
    return found > 0 ? stream_flush_replies(self) : end_wait(self, until_ms, deadline_ms, is_raw);
}

static size_t read_initial(struct stream *self, void *dst, size_t cap) {
    size_t len = (size_t)PyBytes_GET_SIZE(self->initial) - self->initial_off;
    if (len > cap) len = cap;
    memcpy(dst, PyBytes_AS_STRING(self->initial) + self->initial_off, len);
    self->initial_off += len;
    if (self->initial_off == (size_t)PyBytes_GET_SIZE(self->initial)) Py_CLEAR(self->initial);
    return len;
}

/* Says whether nothing may be received before replies go out. Asks the connection only where so many are queued that it
 * may be so: an idle one is to hold no slab. */
static int is_flooded(struct stream *self) {
    struct fastws_conn *conn = self->protocol.conn;
    size_t max = self->protocol.config.limits.max_control_pending;
    void *ptr;
    size_t cap;
    if (max == 0 || fastws_conn_pending_len(conn) <= max || fastws_conn_space(conn, &ptr, &cap) < 0) return 0;
    return cap == 0 || fastws_conn_filled(conn, 0) < 0;
}

int stream_receive(struct stream *self, uint64_t until_ms, int is_raw) {
    /* A read that does not block is tried at once; only then, with no slab in its hands, the stream waits. */
    if (!self->initial && (self->is_dry || !transport_can_try(&self->transport))) {
        if (is_flooded(self)) return await_room(self, until_ms, is_raw);
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
    if (cap == 0) return await_room(self, until_ms, is_raw);
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
    if (now < fastws_conn_deadline_ms(self->protocol.conn)) return 0;
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
        /* The pongs of a run of pings leave together, and none waits for the caller to come back; a cork keeps them
         * until something has to be waited for, or the connection ends. */
        int is_kept = event->kind == FASTWS_EVENT_PING || (self->corks && !self->protocol.error);
        if (!is_kept && flush_behind(self, event, until_ms) < 0) return -1;
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

int stream_fail(struct stream *self, int error, int64_t offset) {
    struct protocol *protocol = &self->protocol;
    uint16_t code = (uint16_t)fastws_error_close_code(error);
    /* Not behind a close frame, nor inside of a raw frame, nor where that is the caller's, nor with 1006. */
    int is_told = protocol->config.is_close_automatic && !self->raw_left && !self->is_broken;
    const char *reason = fastws_error_text(error);
    if (hooks_wait(&protocol->hooks) < 0) return -1;
    if (is_told) is_told = fastws_conn_close(protocol->conn, code, reason, strlen(reason)) == 0;
    protocol_note_error(protocol, error, is_told ? code : FASTWS_CLOSE_ABNORMAL_CLOSURE);
    protocol->error_offset = offset;
    if (is_told && stream_flush_last(self, UINT64_MAX) < 0) return -1;
    protocol_closed_raise(protocol, self->state);
    return -1;
}

int stream_next_of_kind(struct stream *self, struct fastws_event *event, unsigned opcode) {
    if (stream_next_message(self, event, UINT64_MAX) < 0) return -1;
    if (event->opcode == opcode) return 0;
    return stream_fail(self, FASTWS_ERR_MESSAGE_KIND, -1);
}
