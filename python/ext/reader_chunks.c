/* SPDX-License-Identifier: MIT */
/* What a Reader gets from its Stream: chunks of messages by its own rules, with what it tells its callbacks. */
#include "reader.h"

#include <fastws/error.h>

#include "errors.h"
#include "events.h"
#include "header.h"
#include "payload.h"

void reader_leave(struct reader *self) {
    self->leaves++;
    if (self->stream && self->stream->inside == self) stream_drop_message(self->stream);
    self->is_open = 0;
    self->is_complete = 0;
    self->len = 0;
    self->frame_left = 0;
}

int reader_check_open(const struct reader *self) {
    if (!self->is_closed) return 0;
    PyErr_SetString(PyExc_ValueError, "reader is closed");
    return -1;
}

int reader_may_leave(struct reader *self) {
    if (hooks_wait(&self->stream->protocol.hooks) < 0) return -1;
    if (!self->is_receiving) return 0;
    PyErr_SetString(self->stream->state->exceptions[EXC_CONCURRENCY_ERROR], "a read of this reader is under way");
    return -1;
}

/* ---- The rules of this reader, while it reads ---- */

static int has_own_rules(const struct reader *self) {
    return self->has_max_frame || self->has_max_message || self->skip_header_check || self->unset_bits ||
           (self->check_utf8 && !self->stream->protocol.config.is_utf8_checked);
}

/* Puts them in the place of the stream's. Returns 0, or -1 with an exception. */
static int enter_rules(struct reader *self) {
    struct protocol *protocol = &self->stream->protocol;
    if (!has_own_rules(self)) return 0;
    if (self->unset_bits && protocol_use_hooks(protocol, self->stream->state) < 0) return -1;
    self->config = protocol->config;
    if (self->has_max_frame) self->config.limits.max_frame = self->max_frame;
    if (self->has_max_message) self->config.limits.max_message = self->max_message;
    if (self->skip_header_check) self->config.is_header_checked = 0;
    if (self->check_utf8) self->config.is_utf8_checked = 1;
    int error = fastws_conn_set_config(protocol->conn, &self->config);
    if (error < 0) {
        error_raise(self->stream->state, error);
        return -1;
    }
    Py_XSETREF(protocol->hooks.reader_bits, Py_XNewRef(self->unset_bits));
    protocol->rules = &self->config;
    return 0;
}

static void leave_rules(struct reader *self) {
    struct protocol *protocol = &self->stream->protocol;
    if (protocol->rules != &self->config) return;
    protocol->rules = NULL;
    /* It was taken before, so it is taken again. */
    int error = fastws_conn_set_config(protocol->conn, &protocol->config);
    (void)error;
    Py_CLEAR(protocol->hooks.reader_bits);
}

int reader_next_event(struct reader *self, int delivery, struct fastws_event *event) {
    struct stream *stream = self->stream;
    if (stream_begin_read(stream, self) < 0) return -1;
    /* What closes io may give the reader another stream. */
    Py_INCREF(stream);
    self->is_receiving = 1;
    int result = hooks_wait(&stream->protocol.hooks) < 0 ? -1 : enter_rules(self);
    if (result == 0) {
        int error = fastws_conn_set_delivery(stream->protocol.conn, delivery);
        result = error < 0 ? -1 : stream_next_event(stream, event, UINT64_MAX);
        error = fastws_conn_set_delivery(stream->protocol.conn, FASTWS_DELIVER_MESSAGES);
        (void)error;
    }
    leave_rules(self);
    self->is_receiving = 0;
    stream_end_read(stream);
    Py_DECREF(stream);
    return result;
}

/* ---- Events ---- */

int reader_tell_control(struct reader *self, const struct fastws_event *event) {
    if (!self->on_intermediate) return 0;
    struct stream *stream = self->stream;
    PyObject *payload = event->kind == FASTWS_EVENT_CLOSE ? event_close_body(event)
                                                           : payload_bytes(stream->protocol.conn, event);
    if (!payload) return -1;
    struct fastws_header frame = {.fin = 1, .opcode = event->opcode, .length = (uint64_t)PyBytes_GET_SIZE(payload)};
    /* Other threads, and methods of io, may give the reader another stream meanwhile. */
    Py_INCREF(stream);
    PyObject *header = stream_flush_replies(stream) < 0 ? NULL : header_new(stream->state, &frame);
    Py_DECREF(stream);
    PyObject *callback = Py_NewRef(self->on_intermediate);
    PyObject *result = header ? PyObject_CallFunctionObjArgs(callback, header, payload, NULL) : NULL;
    Py_DECREF(callback);
    Py_XDECREF(header);
    Py_DECREF(payload);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

PyObject *reader_frame_header(struct reader *self, const struct fastws_event *event) {
    const struct protocol *protocol = &self->stream->protocol;
    int is_first = event->flags & FASTWS_EVENT_FIRST;
    int is_compressed = event->flags & FASTWS_EVENT_COMPRESSED;
    int is_extended = self->unset_bits || protocol->hooks.unset_bits;
    struct fastws_header header = {
        .fin = (event->flags & FASTWS_EVENT_FIN) != 0,
        .rsv = (uint8_t)(is_extended ? protocol->hooks.rsv : event->rsv),
        .opcode = (uint8_t)(is_first ? event->opcode : FASTWS_OPCODE_CONTINUATION),
        .length = is_compressed ? fastws_conn_frame_len(protocol->conn) : event->len + event->remaining,
    };
    /* Extensions do not see it. */
    if (is_compressed && is_first) header.rsv |= FASTWS_RSV1;
    return header_new(self->stream->state, &header);
}

/* Tells of a further frame; what the callback reads of it is not read again. Returns 0, or -1 with an exception. */
static int tell_continuation(struct reader *self, const struct fastws_event *event) {
    PyObject *header = reader_frame_header(self, event);
    PyObject *callback = Py_NewRef(self->on_continuation);
    self->is_in_callback = 1;
    PyObject *result = header ? PyObject_CallFunctionObjArgs(callback, header, (PyObject *)self, NULL) : NULL;
    self->is_in_callback = 0;
    Py_DECREF(callback);
    Py_XDECREF(header);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Waits for the next chunk of a message, which becomes what can be read. Returns 1, 0 if a callback has left the
 * message or begun another, or -1 with an exception. */
static int next_chunk(struct reader *self, struct fastws_event *event) {
    unsigned leaves = self->leaves;
    do {
        if (reader_next_event(self, FASTWS_DELIVER_STREAM, event) < 0) return -1;
        if (event->kind != FASTWS_EVENT_CHUNK && reader_tell_control(self, event) < 0) return -1;
        if (self->leaves != leaves) return 0;
        if (event->kind == FASTWS_EVENT_CLOSE) {
            protocol_closed_raise(&self->stream->protocol, self->stream->state);
            return -1;
        }
    } while (event->kind != FASTWS_EVENT_CHUNK);
    self->stream->inside = self;
    self->is_open = 1;
    self->is_complete = (event->flags & FASTWS_EVENT_LAST) != 0;
    self->opcode = event->opcode;
    self->ptr = event->ptr;
    self->len = (size_t)event->len;
    self->frame_left = event->remaining;
    return 1;
}

/* The view of what can be read is gone when the stream was closed, or another has begun to read. */
static int check_inside(struct reader *self) {
    if (self->stream->inside == self || (self->is_complete && self->len == 0)) return 0;
    reader_leave(self);
    self->is_lost = 1;
    if (self->stream->protocol.error) {
        protocol_closed_raise(&self->stream->protocol, self->stream->state);
    } else {
        PyErr_SetString(PyExc_RuntimeError, "the message is gone: its stream was reset");
    }
    return -1;
}

/* Steps over bytes that were read. The stream is free for others once all of a message is. */
void reader_step(struct reader *self, size_t len) {
    self->ptr += len;
    self->len -= len;
    if (self->len == 0 && self->is_complete && self->stream->inside == self) self->stream->inside = NULL;
}

/* Gets the next chunk of the message, and tells of it. Returns 1, 0 if a callback has left the message, or -1 with an
 * exception. */
static int go_on(struct reader *self) {
    struct fastws_event event;
    unsigned leaves = self->leaves;
    int found = next_chunk(self, &event);
    if (found < 0) {
        if (self->stream->protocol.error) reader_leave(self);
        self->is_lost = self->stream->protocol.error != 0;
    }
    if (found <= 0) return found;
    reader_step(self, 0);
    int is_further = (event.flags & FASTWS_EVENT_FRAME) && !(event.flags & FASTWS_EVENT_FIRST);
    if (is_further && self->on_continuation && tell_continuation(self, &event) < 0) return -1;
    return self->leaves == leaves;
}

int reader_need_bytes(struct reader *self) {
    if (!self->is_open) return READER_END;
    while (self->len == 0) {
        if (self->is_in_callback && (self->is_complete || self->frame_left == 0)) return READER_END;
        if (self->is_complete) {
            reader_leave(self);
            return READER_END;
        }
        int found = check_inside(self) < 0 ? -1 : go_on(self);
        if (found == 0) return reader_check_open(self) < 0 ? -1 : READER_LEFT;
        if (found < 0) return -1;
    }
    return check_inside(self) < 0 ? -1 : READER_BYTES;
}

int reader_begin(struct reader *self, struct fastws_event *event) {
    if (self->is_in_callback) {
        PyErr_SetString(PyExc_RuntimeError, "the message has not ended");
        return -1;
    }
    int found = 0;
    while (found == 0) {
        if (reader_check_open(self) < 0 || reader_may_leave(self) < 0) return -1;
        reader_leave(self);
        found = next_chunk(self, event);
    }
    if (found > 0) reader_step(self, 0);
    return found < 0 ? -1 : 0;
}
