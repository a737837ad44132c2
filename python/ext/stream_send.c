/* SPDX-License-Identifier: MIT */
/* Sending through a Stream, one thread at a time: messages, control frames, raw frames. */
#include "stream.h"

#include <poll.h>

#include <fastws/close.h>
#include <fastws/error.h>

#include "args.h"
#include "errors.h"
#include "prepared.h"

#define RECHECK_MS 100

void stream_unlock(struct stream *self) {
    self->sender = 0;
    PyThread_release_lock(self->send_lock);
}

int stream_lock(struct stream *self) {
    unsigned long thread = PyThread_get_thread_ident();
    if (self->sender == thread) {
        PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "this thread is sending already");
        return -1;
    }
    PyLockStatus status = PyThread_acquire_lock_timed(self->send_lock, 0, 0);
    while (status != PY_LOCK_ACQUIRED) {
        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(self->send_lock, -1, 1);
        Py_END_ALLOW_THREADS
        if (status == PY_LOCK_INTR && PyErr_CheckSignals() < 0) return -1;
    }
    self->sender = thread;
    if (hooks_wait(&self->protocol.hooks) < 0) {
        stream_unlock(self);
        return -1;
    }
    if (self->is_abandoned) fastws_conn_abandon(self->protocol.conn);
    self->is_abandoned = 0;
    return 0;
}

int stream_wait_sender(struct stream *self, uint64_t until_ms) {
    uint64_t now_ms = protocol_now_ms();
    uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    /* Not longer at a time, so that the caller may look at what has changed. */
    int wait_ms = left_ms < RECHECK_MS ? (int)left_ms : RECHECK_MS;
    int is_sending = self->sender != 0;
    Py_BEGIN_ALLOW_THREADS
    if (!is_sending) {
        poll(NULL, 0, wait_ms);
    } else if (PyThread_acquire_lock_timed(self->send_lock, wait_ms * 1000, 1) == PY_LOCK_ACQUIRED) {
        PyThread_release_lock(self->send_lock);
    }
    Py_END_ALLOW_THREADS
    return PyErr_CheckSignals();
}

void stream_abandon(struct stream *self) {
    if (self->sender || self->protocol.hooks.caller) {
        self->is_abandoned = 1;
    } else {
        fastws_conn_abandon(self->protocol.conn);
    }
}

/* Says that nothing can be sent any more. */
static int fail_broken(struct stream *self) {
    struct protocol lost = self->protocol;
    if (!lost.error) protocol_note_error(&lost, FASTWS_ERR_IO, FASTWS_CLOSE_ABNORMAL_CLOSURE);
    protocol_closed_raise(&lost, self->state);
    return -1;
}

/* Enters as the sender, also inside of a raw frame. */
static int begin(struct stream *self) {
    if (stream_lock(self) < 0) return -1;
    protocol_touch(&self->protocol);
    if (!self->is_broken) return 0;
    stream_unlock(self);
    return fail_broken(self);
}

static int check_between_frames(const struct stream *self) {
    if (self->raw_left == 0) return 0;
    PyErr_SetString(PyExc_RuntimeError, "the payload that write_header() announced is not complete");
    return -1;
}

int stream_begin_send(struct stream *self) {
    if (begin(self) < 0) return -1;
    if (check_between_frames(self) == 0) return 0;
    stream_unlock(self);
    return -1;
}

/* Lets what is queued go, or keeps a copy of it while the stream is corked. */
static int put_out(struct stream *self, const Py_buffer *payload) {
    struct fastws_conn *conn = self->protocol.conn;
    int is_kept = self->corks && !self->is_broken && fastws_conn_is_writable(conn) && !fastws_conn_close_sent(conn);
    if (!is_kept || fastws_conn_own(conn) < 0) return stream_flush_and_unlock(self, payload);
    stream_unlock(self);
    return 0;
}

int stream_end_send(struct stream *self, int error, const Py_buffer *payload) {
    /* What could not be queued is reported before what could not be written. */
    int result = put_out(self, payload);
    if (error < 0) {
        if (result < 0) PyErr_Clear();
        protocol_error_raise(&self->protocol, self->state, error);
        return -1;
    }
    return result < 0 ? stream_wrap_error(self) : 0;
}

int stream_uncork(struct stream *self) {
    if (--self->corks || self->raw_left || fastws_conn_pending_len(self->protocol.conn) == 0) return 0;
    if (stream_lock(self) < 0) return -1;
    return stream_flush_and_unlock(self, NULL) < 0 ? stream_wrap_error(self) : 0;
}

/* A step between beginning a send and its end that has failed with an exception. */
static int give_up_send(struct stream *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (stream_flush_and_unlock(self, NULL) < 0) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return -1;
}

static int send_prepared(struct stream *self, struct fastws_prepared *prepared) {
    fastws_prepared_retain(prepared);
    int result = stream_begin_send(self);
    if (result == 0 && protocol_prepare(&self->protocol, prepared) < 0) {
        result = give_up_send(self);
    } else if (result == 0) {
        result = stream_end_send(self, fastws_conn_send_prepared(self->protocol.conn, prepared), NULL);
    }
    fastws_prepared_release(prepared);
    return result;
}

static int send_view(struct stream *self, int opcode, const Py_buffer *view) {
    struct fastws_prepared *prepared;
    if (stream_begin_send(self) < 0) return -1;
    if (protocol_compress_apart(&self->protocol, opcode, view, &prepared) < 0) return give_up_send(self);
    if (!prepared) {
        int error = fastws_conn_send(self->protocol.conn, opcode, view->buf, (size_t)view->len);
        return stream_end_send(self, error, view);
    }
    int error = fastws_conn_send_prepared(self->protocol.conn, prepared);
    fastws_prepared_release(prepared);
    return stream_end_send(self, error, NULL);
}

int stream_send_message(struct stream *self, PyObject *data, PyObject *opcode, PyObject *compress) {
    struct fastws_prepared *prepared = prepared_get(self->state, data);
    if (prepared) return prepared_check_arguments(opcode, compress) < 0 ? -1 : send_prepared(self, prepared);
    Py_buffer view;
    int number, flags;
    if (protocol_take_compress(compress, &flags) < 0) return -1;
    if (protocol_take_message(data, opcode, &view, &number) < 0) return -1;
    int result = send_view(self, number | flags, &view);
    PyBuffer_Release(&view);
    return result;
}

int stream_send_control(struct stream *self, int is_pong, PyObject *data) {
    Py_buffer view = {0};
    if (data && arg_payload(data, "data", &view) < 0) return -1;
    int result = stream_begin_send(self);
    if (result == 0) {
        int (*queue)(struct fastws_conn *, const void *, size_t) = is_pong ? fastws_conn_pong : fastws_conn_ping;
        result = stream_end_send(self, queue(self->protocol.conn, view.buf, (size_t)view.len), NULL);
    }
    PyBuffer_Release(&view);
    return result;
}

/* ---- Raw frames ---- */

/* Writes the pieces behind what is queued, and leaves raw_left of a frame to come. Replies go in front of it, or behind
 * it, never inside. Gives the lock back. */
static int write_raw(struct stream *self, struct iovec pieces[2], uint64_t raw_left) {
    int result = self->raw_left ? 0 : stream_flush(self);
    self->raw_left = raw_left;
    self->raw_writer = self->sender;
    if (result == 0) result = transport_write(&self->transport, self->state, pieces, 2, stream_idle_limit_ms(self));
    if (result < 0) self->is_broken = 1;
    /* Keeps the exception: a flush that fails after a failure does nothing. */
    if (stream_flush_and_unlock(self, NULL) < 0) result = -1;
    return result < 0 ? stream_wrap_error(self) : 0;
}

/* A frame that was begun may be completed: the close frame waits for that. */
static int check_may_send_raw(struct stream *self) {
    if (self->raw_left) return 0;
    if (self->protocol.error || fastws_conn_close_sent(self->protocol.conn)) {
        protocol_closed_raise(&self->protocol, self->state);
    } else if (fastws_conn_is_message_open(self->protocol.conn)) {
        protocol_error_raise(&self->protocol, self->state, FASTWS_ERR_STATE);
    } else {
        return 0;
    }
    return -1;
}

int stream_send_raw_frame(struct stream *self, const struct fastws_header *header, const Py_buffer *payload) {
    uint8_t head[FASTWS_HEADER_MAX];
    int head_len = fastws_header_write(head, sizeof head, header);
    if (head_len < 0) {
        error_raise_value(head_len);
        return -1;
    }
    struct iovec pieces[2] = {{head, (size_t)head_len}, {NULL, 0}};
    if (payload) pieces[1] = (struct iovec){payload->buf, (size_t)payload->len};
    if (stream_begin_send(self) < 0) return -1;
    if (check_may_send_raw(self) == 0) return write_raw(self, pieces, payload ? 0 : header->length);
    stream_unlock(self);
    return -1;
}

int stream_send_raw(struct stream *self, const Py_buffer *bytes) {
    struct iovec pieces[2] = {{bytes->buf, (size_t)bytes->len}, {NULL, 0}};
    if (begin(self) < 0) return -1;
    uint64_t left = self->raw_left, len = (uint64_t)bytes->len;
    if (check_may_send_raw(self) == 0) return write_raw(self, pieces, len < left ? left - len : 0);
    stream_unlock(self);
    return -1;
}
