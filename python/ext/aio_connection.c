/* SPDX-License-Identifier: MIT */
/* The life of an AsyncConnection: from the transport to the handshake, to frames, to the end. */
#include "aio.h"

#include <string.h>

#include <fastws/error.h>

#include "args.h"
#include "errors.h"

#define SILENCE_MS 1000 /* how often a connection that is not read is looked at */
#define IDLE_MS 10000   /* without a message for so long, or for ping_interval, compression gives its streams back */

static int call_hook(struct aio_connection *self, enum name name, PyObject *argument) {
    int may_wake = aio_loop_hold_wakes(self->loop);
    PyObject *result = argument ? PyObject_CallMethodOneArg((PyObject *)self, self->state->names[name], argument)
                                : PyObject_CallMethodNoArgs((PyObject *)self, self->state->names[name]);
    self->loop->may_wake = may_wake;
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* ---- Output ---- */

int aio_connection_flush(struct aio_connection *self) {
    if (!self->protocol.conn || !fastws_conn_pending_len(self->protocol.conn)) return 0;
    if (!self->driver) {
        protocol_drop(&self->protocol);
        return 0;
    }
    if (self->driver->flush(self) < 0) return -1;
    /* With a close frame out, the connection may be over. What was compressed moves the time when it is idle. */
    int is_open = fastws_conn_get_state(self->protocol.conn) == FASTWS_CONN_OPEN;
    return is_open && !self->protocol.compression ? 0 : aio_connection_settle(self);
}

int aio_connection_go_on(struct aio_connection *self) {
    PyObject *backlog = self->backlog;
    self->backlog = NULL;
    int result = 0;
    if (backlog) {
        result = aio_connection_received(self, PyBytes_AS_STRING(backlog), (size_t)PyBytes_GET_SIZE(backlog));
        Py_DECREF(backlog);
    }
    int is_waiting = self->is_held || self->is_end_held || self->backlog;
    if (result < 0 || !self->is_paused || is_waiting || !self->driver) return result;
    self->is_paused = 0;
    return self->driver->resume_reading(self);
}

int aio_connection_set_writable(struct aio_connection *self, int is_writable) {
    self->is_full = !is_writable;
    if (!is_writable) return 0;
    if (aio_connection_flush(self) < 0) return -1;
    if (self->is_full) return 0;
    aio_room_wake(self);
    if (aio_connection_go_on(self) < 0) return -1;
    int is_told = self->phase == PHASE_OPEN && self->endpoint->callbacks[ON_DRAIN];
    if (is_told && aio_listener_call(self, ON_DRAIN, NULL) < 0) return -1;
    return aio_connection_settle(self);
}

/* ---- Deadlines and the end ---- */

static uint64_t close_timeout_ms(const struct aio_connection *self) { return self->endpoint->config.close_timeout_ms; }

static void end_within(struct aio_connection *self, uint64_t timeout_ms) {
    self->end_ms = timeout_ms ? protocol_now_ms() + timeout_ms : UINT64_MAX;
}

/* All is said. A server ends TCP; a client leaves that to the server for a while. RFC 6455 7.1.1. */
static int begin_end(struct aio_connection *self) {
    self->is_ending = 1;
    end_within(self, close_timeout_ms(self));
    if (!self->driver) return 0;
    if (self->protocol.error == FASTWS_ERR_CLOSE_TIMEOUT) return self->driver->abort(self);
    if (self->is_eof) return self->driver->close(self);
    /* What the peer still sends is read and dropped: unread, it would make TCP take our last words back. */
    if (self->is_paused && self->driver->resume_reading(self) < 0) return -1;
    self->is_paused = 0;
    int is_server = self->protocol.config.role == FASTWS_ROLE_SERVER;
    return is_server || self->protocol.error != FASTWS_ERR_CLOSED ? self->driver->finish(self) : 0;
}

/* While we do not read, nobody can know whether the peer is alive. */
static int is_silence_ours(const struct aio_connection *self) {
    return (self->is_held || self->is_paused) && !self->backlog && !fastws_conn_close_sent(self->protocol.conn);
}

/* When compression has been idle for long enough to give back what it can do without. */
static uint64_t idle_due_ms(const struct aio_connection *self) {
    uint64_t since_ms = self->protocol.compression ? fastws_conn_idle_since_ms(self->protocol.conn) : UINT64_MAX;
    uint64_t ping_ms = self->endpoint->config.ping_interval_ms;
    return since_ms == UINT64_MAX ? UINT64_MAX : since_ms + (ping_ms && ping_ms < IDLE_MS ? ping_ms : IDLE_MS);
}

int aio_connection_settle(struct aio_connection *self) {
    uint64_t due_ms = self->end_ms;
    if (self->phase == PHASE_LOST) return 0;
    if (self->phase == PHASE_OPEN && !self->is_ending) {
        if (fastws_conn_is_over(self->protocol.conn) && begin_end(self) < 0) return -1;
        due_ms = is_silence_ours(self) ? protocol_now_ms() + SILENCE_MS : fastws_conn_deadline_ms(self->protocol.conn);
        if (self->is_end_held && self->hold_ms < due_ms) due_ms = self->hold_ms;
        if (self->end_ms < due_ms) due_ms = self->end_ms;
        uint64_t idle_ms = idle_due_ms(self);
        if (idle_ms < due_ms) due_ms = idle_ms;
    }
    if (self->timer && self->loop->timers[self->timer - 1].due_ms <= due_ms) return 0;
    return aio_timers_set(self->loop, self, due_ms);
}

static int meet_deadline(struct aio_connection *self, uint64_t now_ms) {
    if (self->end_ms <= now_ms) {
        self->end_ms = UINT64_MAX;
        if (self->phase == PHASE_CONNECTING) return call_hook(self, NAME_OPEN_TIMED_OUT, NULL);
        return self->driver ? self->driver->abort(self) : 0;
    }
    if (self->phase != PHASE_OPEN || self->is_ending) return 0;
    protocol_touch(&self->protocol);
    if (idle_due_ms(self) <= now_ms) fastws_conn_idle(self->protocol.conn);
    if (self->is_end_held && self->hold_ms <= now_ms) return aio_end_take(self);
    if (is_silence_ours(self)) return 0;
    int done = fastws_conn_on_time(self->protocol.conn, now_ms);
    if (done < 0) {
        error_raise(self->state, done);
        return -1;
    }
    return done ? aio_deliver(self) : 0;
}

int aio_connection_on_time(struct aio_connection *self, uint64_t now_ms) {
    int result = meet_deadline(self, now_ms);
    if (result == 0) result = aio_connection_settle(self);
    if (result == 0 || aio_loop_contain(self->loop, "a deadline could not be met", (PyObject *)self)) return 0;
    return -1;
}

void aio_connection_fail(struct aio_connection *self, const char *where) {
    PyObject *exception = error_take();
    if (!self->is_failed) {
        self->is_failed = 1;
        PyObject *done = PyObject_CallMethod((PyObject *)self, "_callback_failed", "sO", where, exception);
        if (!done) aio_loop_report(self->loop, where, (PyObject *)self);
        Py_XDECREF(done);
    }
    Py_DECREF(exception);
}

PyObject *aio_connection_raise_closed(struct aio_connection *self) {
    if (!self->protocol.conn) {
        PyErr_SetString(PyExc_RuntimeError, "the connection was never open");
        return NULL;
    }
    PyObject *exception = protocol_closed_new(&self->protocol, self->state);
    if (!exception) return NULL;
    if (self->exception) {
        PyObject *cause = PyException_GetCause(exception);
        PyException_SetCause(cause ? cause : exception, Py_NewRef(self->exception));
        Py_XDECREF(cause);
    }
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}

PyObject *aio_connection_closed(struct aio_connection *self) {
    if (self->closed) return self->closed;
    self->closed = PyObject_CallNoArgs(self->loop->create_future);
    if (!self->closed || self->phase != PHASE_LOST) return self->closed;
    PyObject *done = PyObject_CallMethod(self->closed, "set_result", "O", Py_None);
    if (!done) Py_CLEAR(self->closed);
    Py_XDECREF(done);
    return self->closed;
}

/* ---- What the driver tells ---- */

int aio_connection_made(struct aio_connection *self, const struct aio_driver *driver, PyObject *driver_data) {
    self->driver = driver;
    self->driver_data = Py_NewRef(driver_data);
    return call_hook(self, NAME_MADE, NULL);
}

int aio_connection_space(struct aio_connection *self, void **ptr, size_t *cap) {
    if (self->phase != PHASE_OPEN || self->is_ending || self->is_delivering) return 0;
    if (self->is_held || self->is_end_held || self->backlog) return 0;
    if (fastws_conn_space(self->protocol.conn, ptr, cap) < 0) return 0;
    return *cap > 0;
}

int aio_connection_filled(struct aio_connection *self, size_t len) {
    protocol_touch(&self->protocol);
    /* Who took a message of an earlier read and asked for no other may not be answering it at all. */
    if (!self->queue.count) self->is_busy = 0;
    int error = fastws_conn_filled(self->protocol.conn, len);
    if (error == 0) return aio_deliver(self);
    error_raise(self->state, error);
    return -1;
}

/* Keeps bytes that cannot be taken now: reading is about to stop. */
static int keep(struct aio_connection *self, const char *bytes, size_t len) {
    PyObject *more = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)len);
    if (!more) return -1;
    if (self->backlog) {
        PyBytes_ConcatAndDel(&self->backlog, more);
    } else {
        self->backlog = more;
    }
    return self->backlog ? 0 : -1;
}

static int receive_frames(struct aio_connection *self, const char *bytes, size_t len) {
    protocol_touch(&self->protocol);
    int result = self->is_held ? aio_deliver(self) : 0;
    while (result == 0 && len && !self->is_ending && !self->protocol.error) {
        void *ptr;
        size_t cap;
        if (!aio_connection_space(self, &ptr, &cap)) return keep(self, bytes, len);
        if (cap > len) cap = len;
        memcpy(ptr, bytes, cap);
        bytes += cap;
        len -= cap;
        result = aio_connection_filled(self, cap);
    }
    return result;
}

int aio_connection_received(struct aio_connection *self, const char *bytes, size_t len) {
    if (self->phase == PHASE_OPEN) return receive_frames(self, bytes, len);
    if (self->phase == PHASE_LOST) return 0;
    PyObject *head = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)len);
    int result = head ? call_hook(self, NAME_RECEIVE_HEAD, head) : -1;
    Py_XDECREF(head);
    return result;
}

int aio_connection_eof(struct aio_connection *self) {
    self->is_eof = 1;
    if (self->phase == PHASE_CONNECTING) return call_hook(self, NAME_RECEIVE_HEAD, Py_None);
    if (self->phase != PHASE_OPEN) return 0;
    fastws_conn_eof(self->protocol.conn);
    return aio_deliver(self);
}

/* Everything that came is handed out, and then the end. */
static int deliver_rest(struct aio_connection *self) {
    if (self->phase != PHASE_OPEN) return 0;
    int result = aio_connection_go_on(self);
    fastws_conn_eof(self->protocol.conn);
    if (result == 0) result = aio_deliver(self);
    protocol_drop(&self->protocol);
    return result;
}

int aio_connection_lost(struct aio_connection *self, PyObject *exception) {
    if (exception && exception != Py_None) Py_XSETREF(self->exception, Py_NewRef(exception));
    self->parted = self->driver;
    self->driver = NULL;
    if (self->loop->lent == self) self->loop->lent = NULL;
    int result = deliver_rest(self);
    self->phase = PHASE_LOST;
    aio_timers_remove(self->loop, self);
    aio_room_wake(self);
    if (self->closed) {
        PyObject *done = PyObject_CallMethod(self->closed, "set_result", "O", Py_None);
        if (!done) PyErr_WriteUnraisable((PyObject *)self);
        Py_XDECREF(done);
    }
    if (result == 0) result = call_hook(self, NAME_LOST, NULL);
    if (result == 0) result = aio_listener_close(self);
    if (result == 0) result = aio_receive_wake(self);
    self->parted = NULL;
    Py_CLEAR(self->driver_data);
    return result;
}
