/* SPDX-License-Identifier: MIT */
/* What a connection received, on its way to who waits for it: events of the library one after another, each a view that
 * lives until the next are asked for. Code of the user runs in between; it finds what is left of the batch here. */
#include "aio.h"

#include <string.h>

#include <fastws/error.h>
#include <fastws/header.h>

#include "errors.h"
#include "events.h"
#include "payload.h"

#define BATCH 64     /* events taken from the library at a time */
#define HOLD_MS 1000 /* how long an end waits for answers to what came before it, or close_timeout if that is less */

static int is_data(const struct fastws_event *event) {
    return event->kind == FASTWS_EVENT_MESSAGE || event->kind == FASTWS_EVENT_CHUNK;
}

/* ---- Taking ---- */

static PyObject *data_of(struct aio_connection *self, const struct fastws_event *event) {
    struct fastws_conn *conn = self->protocol.conn;
    return event->kind == FASTWS_EVENT_CHUNK ? payload_bytes(conn, event) : event_data(conn, event);
}

/* Chooses whether the next message is handed out frame by frame. */
static void set_in_parts(struct aio_connection *self, int is_in_parts) {
    int delivery = is_in_parts ? FASTWS_DELIVER_FRAGMENTS : FASTWS_DELIVER_MESSAGES;
    /* It only complains of what is no delivery. */
    self->is_in_parts = fastws_conn_set_delivery(self->protocol.conn, delivery) == 0 && is_in_parts;
}

static int push(struct aio_connection *self, const struct fastws_event *event) {
    struct aio_item item = {.data = data_of(self, event),
                            .opcode = event->opcode,
                            .is_part = event->kind == FASTWS_EVENT_CHUNK,
                            .is_last = (event->flags & FASTWS_EVENT_LAST) != 0};
    if (!item.data) return -1;
    /* The next message is not to be cut: parts are taken one at a time, so it has not begun. */
    if (item.is_part && item.is_last) set_in_parts(self, 0);
    return aio_queue_push(&self->queue, item);
}

/* Moves the next event of the batch to the queue. */
static int push_next(struct aio_connection *self) {
    return push(self, &self->batch->events[self->batch->next++]);
}

static int may_take_from_batch(const struct aio_connection *self) {
    const struct aio_batch *batch = self->batch;
    return batch && batch->next < batch->count && is_data(&batch->events[batch->next]);
}

/* There is room in the queue again. */
static int note_taken(struct aio_connection *self) {
    if (self->queue.count > self->endpoint->queue_low || self->is_delivering) return 0;
    if (self->is_held && aio_deliver(self) < 0) return -1;
    return self->is_held || self->is_full ? 0 : aio_connection_go_on(self);
}

/* Converts what recv() was told to convert. Steals data. */
static PyObject *convert(PyObject *data, int is_text, PyObject *decode) {
    int is_str = decode == Py_None ? is_text : PyObject_IsTrue(decode);
    PyObject *converted = NULL;
    if (is_str >= 0 && is_str == PyUnicode_Check(data)) return data;
    if (is_str == 1) converted = PyUnicode_DecodeUTF8(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), NULL);
    if (is_str == 0) converted = PyUnicode_AsUTF8String(data);
    Py_DECREF(data);
    return converted;
}

/* How many items the first message of the queue has; 0 while it is not whole. */
static Py_ssize_t count_parts(const struct aio_queue *queue) {
    for (Py_ssize_t i = 0; i < queue->count; i++) {
        if (aio_queue_at(queue, i)->is_last) return i + 1;
    }
    return 0;
}

/* Joins a message that was received in parts, which nobody took. */
static PyObject *join(struct aio_queue *queue, Py_ssize_t count, int *is_text) {
    Py_ssize_t len = 0;
    for (Py_ssize_t i = 0; i < count; i++) len += PyBytes_GET_SIZE(aio_queue_at(queue, i)->data);
    PyObject *joined = PyBytes_FromStringAndSize(NULL, len);
    char *dst = joined ? PyBytes_AS_STRING(joined) : NULL;
    for (Py_ssize_t i = 0; joined && i < count; i++) {
        struct aio_item item = aio_queue_pop(queue);
        memcpy(dst, PyBytes_AS_STRING(item.data), (size_t)PyBytes_GET_SIZE(item.data));
        dst += PyBytes_GET_SIZE(item.data);
        *is_text = item.opcode == FASTWS_OPCODE_TEXT;
        Py_DECREF(item.data);
    }
    return joined;
}

/* Takes the first message off the queue, if it is whole. */
static int take_queued(struct aio_connection *self, PyObject *decode, PyObject **out) {
    Py_ssize_t count = count_parts(&self->queue);
    if (count == 0) return 0;
    int is_text = aio_queue_at(&self->queue, 0)->opcode == FASTWS_OPCODE_TEXT;
    PyObject *data = aio_queue_at(&self->queue, 0)->is_part ? join(&self->queue, count, &is_text)
                                                            : aio_queue_pop(&self->queue).data;
    if (!data) return -1;
    self->is_busy = 1;
    if (note_taken(self) < 0) aio_loop_report(self->loop, "receiving failed", (PyObject *)self);
    *out = convert(data, is_text, decode);
    return *out ? 1 : -1;
}

/* Takes the next message of the batch, if it is whole and nothing is before it, with no way round by the queue. */
static int take_from_batch(struct aio_connection *self, PyObject *decode, PyObject **out) {
    struct aio_batch *batch = self->batch;
    if (!batch || batch->next == batch->count || self->queue.count) return 0;
    const struct fastws_event *event = &batch->events[batch->next];
    if (event->kind != FASTWS_EVENT_MESSAGE) return 0;
    batch->next++;
    self->is_busy = 1;
    PyObject *data = event_data(self->protocol.conn, event);
    int is_text = event->opcode == FASTWS_OPCODE_TEXT;
    *out = data && decode != Py_None ? convert(data, is_text, decode) : data;
    return *out ? 1 : -1;
}

int aio_take_message(struct aio_connection *self, PyObject *decode, PyObject **out) {
    for (;;) {
        int result = take_from_batch(self, decode, out);
        if (!result) result = take_queued(self, decode, out);
        if (result) return result;
        if (may_take_from_batch(self)) {
            if (push_next(self) < 0) return -1;
        } else if (self->is_held && !self->is_delivering) {
            if (aio_deliver(self) < 0) return -1;
            if (self->queue.count == 0) return 0;
        } else {
            return 0;
        }
    }
}

int aio_take_part(struct aio_connection *self, struct aio_item *out) {
    while (self->queue.count == 0) {
        if (may_take_from_batch(self)) {
            if (push_next(self) < 0) return -1;
        } else if (self->is_held && !self->is_delivering) {
            if (aio_deliver(self) < 0) return -1;
            if (self->queue.count == 0) break;
        } else {
            break;
        }
    }
    if (self->queue.count == 0) {
        if (self->phase == PHASE_OPEN) set_in_parts(self, 1);
        return 0;
    }
    *out = aio_queue_pop(&self->queue);
    self->is_busy = 1;
    self->is_streaming = !out->is_last;
    if (note_taken(self) < 0) aio_loop_report(self->loop, "receiving failed", (PyObject *)self);
    return 1;
}

/* ---- Delivering ---- */

/* Steals the argument, NULL for an exception. */
static int call_listener(struct aio_connection *self, enum callback callback, PyObject *argument) {
    int result = argument ? aio_listener_call(self, callback, argument) : -1;
    Py_XDECREF(argument);
    return result;
}

static int deliver_data(struct aio_connection *self, struct aio_batch *batch) {
    int before = batch->next;
    if (self->endpoint->on_message) {
        PyObject *message = data_of(self, &batch->events[batch->next++]);
        int result = message ? aio_listener_call_message(self, message) : -1;
        Py_XDECREF(message);
        return result;
    }
    int is_direct = self->receiver && self->queue.count == 0 && aio_loop_may_wake(self->loop);
    if (is_direct && aio_receive_wake(self) < 0) return -1;
    if (batch->next != before) return 0;
    /* The connection is closing, and nobody reads: what would fill the queue is dropped, so that the end is found. */
    int is_dropped = self->queue.count > self->endpoint->queue_high && fastws_conn_close_sent(self->protocol.conn);
    if (is_dropped) batch->next++;
    if (!is_dropped && push_next(self) < 0) return -1;
    return self->receiver ? aio_receive_wake(self) : 0;
}

static PyObject *control_payload(const struct fastws_event *event) {
    return PyBytes_FromStringAndSize((const char *)event->ptr, (Py_ssize_t)event->len);
}

static int deliver_pong(struct aio_connection *self, const struct fastws_event *event) {
    uint64_t rtt_us = fastws_conn_rtt_us(self->protocol.conn);
    if (rtt_us != UINT64_MAX) self->latency = (double)rtt_us / 1e6;
    PyObject *payload = control_payload(event);
    if (payload && self->pings) {
        PyObject *done = PyObject_CallMethodOneArg((PyObject *)self, self->state->names[NAME_PONG_RECEIVED], payload);
        if (!done) Py_CLEAR(payload);
        Py_XDECREF(done);
    }
    if (payload && self->endpoint->callbacks[ON_PONG]) return call_listener(self, ON_PONG, payload);
    Py_XDECREF(payload);
    return payload ? 0 : -1;
}

static int deliver_control(struct aio_connection *self, const struct fastws_event *event) {
    switch (event->kind) {
    case FASTWS_EVENT_PING:
        return self->endpoint->callbacks[ON_PING] ? call_listener(self, ON_PING, control_payload(event)) : 0;
    case FASTWS_EVENT_PONG: return deliver_pong(self, event);
    default: protocol_note_event(&self->protocol, event); return 0;
    }
}

static int deliver_batch(struct aio_connection *self, struct aio_batch *batch) {
    int result = 0;
    while (result == 0 && batch->next < batch->count) {
        const struct fastws_event *event = &batch->events[batch->next];
        if (is_data(event)) {
            result = deliver_data(self, batch);
        } else {
            batch->next++;
            result = deliver_control(self, event);
        }
    }
    /* After KeyboardInterrupt a loop may run again: nothing is lost. */
    while (batch->next < batch->count && is_data(&batch->events[batch->next]) && push_next(self) == 0) continue;
    return result;
}

static int is_queue_full(const struct aio_connection *self) {
    return self->queue.count > self->endpoint->queue_high && self->driver &&
           !fastws_conn_close_sent(self->protocol.conn);
}

/* What ends the connection is reached in order: messages that came before it may be answered first, by a task that has
 * them or will take them. Who waits for the end, and not for messages, has no answers. */
static int may_hold_end(const struct aio_connection *self) {
    if (self->endpoint->callbacks[ON_MESSAGE] || self->is_end_wanted || self->is_eof || self->closed) return 0;
    return (self->queue.count || self->is_busy) && self->driver && !fastws_conn_close_sent(self->protocol.conn);
}

/* There is nothing more, or an end that is held: not for so long that the peer, which waits for its answer, would give
 * us up. */
static void note_rest(struct aio_connection *self) {
    uint64_t timeout_ms = self->endpoint->config.close_timeout_ms;
    uint64_t most_ms = timeout_ms && timeout_ms < HOLD_MS ? timeout_ms : HOLD_MS;
    int is_due = fastws_conn_is_end_due(self->protocol.conn);
    if (is_due && !self->is_end_held) self->hold_ms = protocol_now_ms() + most_ms;
    self->is_end_held = (uint8_t)is_due;
}

int aio_end_take(struct aio_connection *self) {
    self->is_busy = 0;
    if (!self->is_end_held) return 0;
    self->is_end_wanted = 1;
    return aio_deliver(self);
}

static int deliver_all(struct aio_connection *self) {
    struct fastws_event events[BATCH];
    while (!self->protocol.error) {
        self->is_held = (uint8_t)is_queue_full(self);
        if (self->is_held) return 0;
        fastws_conn_hold_end(self->protocol.conn, may_hold_end(self));
        /* While a message is handed out in parts, the one behind it must not be: see push(). */
        int count = fastws_conn_next(self->protocol.conn, events, self->is_in_parts ? 1 : BATCH);
        if (count == 0) {
            note_rest(self);
            return 0;
        }
        if (count < 0) {
            error_raise(self->state, count);
            return -1;
        }
        struct aio_batch batch = {.events = events, .count = count};
        self->batch = &batch;
        int result = deliver_batch(self, &batch);
        self->batch = NULL;
        if (result < 0) {
            self->is_held = 1;
            return -1;
        }
    }
    self->is_end_held = 0;
    return 0;
}

/* Reading stops while the queue is full, or replies to control frames are: once for each time. */
static int pause_if_full(struct aio_connection *self) {
    if (self->is_paused || !(self->is_held || self->is_end_held || self->backlog) || !self->driver) return 0;
    self->is_paused = 1;
    return self->driver->pause_reading(self);
}

int aio_deliver(struct aio_connection *self) {
    if (self->is_delivering || !self->protocol.conn) return 0;
    Py_INCREF(self);
    self->is_delivering = 1;
    int result = deliver_all(self);
    self->is_delivering = 0;
    if (result == 0 && fastws_conn_pending_len(self->protocol.conn)) result = aio_connection_flush_soon(self);
    if (result == 0) result = pause_if_full(self);
    if (result == 0) result = aio_connection_settle(self);
    Py_DECREF(self);
    return result;
}
