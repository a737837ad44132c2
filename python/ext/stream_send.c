/* SPDX-License-Identifier: MIT */
/* Sending through a Stream: one write for each send, and replies that wait for nobody. */
#include "stream.h"

#include <string.h>

#include <fastws/error.h>

#include "args.h"
#include "errors.h"
#include "prepared.h"

/* A server's payload from here on is written while other threads run. */
#define BORROW_MIN 65536
#define PIECES 16

static void unlock(struct stream *self) {
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
    if (hooks_wait(&self->protocol.hooks) == 0) return 0;
    unlock(self);
    return -1;
}

static uint64_t idle_limit_ms(const struct stream *self) {
    const struct fastws_conn_config *config = &self->protocol.config;
    return fastws_conn_close_sent(self->protocol.conn) ? config->close_timeout_ms : config->ping_timeout_ms;
}

static int is_inside(const void *ptr, const Py_buffer *payload) {
    const char *start = payload->buf;
    return (const char *)ptr >= start && (const char *)ptr < start + payload->len;
}

/* Writes a server's message from where the caller has its payload. Everything before it, which lies in memory of the
 * pool, is copied: once the interpreter lock is gone, other connections use that. */
static int write_borrowed(struct stream *self, const Py_buffer *payload) {
    struct fastws_iovec listed[PIECES];
    struct iovec pieces[PIECES];
    int count = fastws_conn_pending(self->protocol.conn, listed, PIECES);
    size_t total = 0, copied = 0;
    if (count < 0) {
        PyErr_NoMemory();
        return -1;
    }
    for (int i = 0; i < count; i++) {
        total += listed[i].len;
        if (!is_inside(listed[i].base, payload)) copied += listed[i].len;
    }
    char *head = PyMem_Malloc(copied ? copied : 1);
    if (!head) {
        PyErr_NoMemory();
        return -1;
    }
    char *end = head;
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){(void *)(uintptr_t)listed[i].base, listed[i].len};
        if (is_inside(listed[i].base, payload)) continue;
        memcpy(end, listed[i].base, listed[i].len);
        pieces[i].iov_base = end;
        end += listed[i].len;
    }
    int result = fastws_conn_sent(self->protocol.conn, total);
    if (result == 0) {
        result = transport_write(&self->transport, self->state, pieces, count, idle_limit_ms(self));
    } else {
        error_raise(self->state, result);
    }
    PyMem_Free(head);
    return result < 0 ? -1 : 0;
}

/* Writes from the memory of the pool, which nobody else uses while the interpreter lock is held: no other send can come
 * between listing and writing. Once it is gone for a while, everything is listed anew. */
static int write_queued(struct stream *self) {
    struct fastws_iovec listed[PIECES];
    struct iovec pieces[PIECES];
    int count = fastws_conn_pending(self->protocol.conn, listed, PIECES);
    if (count < 0) {
        PyErr_NoMemory();
        return -1;
    }
    for (int i = 0; i < count; i++) pieces[i] = (struct iovec){(void *)(uintptr_t)listed[i].base, listed[i].len};
    Py_ssize_t written = transport_write_some(&self->transport, self->state, pieces, count);
    if (written == -2) {
        int waited = transport_wait_writable(&self->transport, self->state, idle_limit_ms(self));
        return waited < 0 ? -1 : hooks_wait(&self->protocol.hooks);
    }
    if (written < 0) return -1;
    int result = fastws_conn_sent(self->protocol.conn, (size_t)written);
    if (result < 0) error_raise(self->state, result);
    return result;
}

static int write_copied(struct stream *self) {
    PyObject *bytes = protocol_drain(&self->protocol);
    if (!bytes) return -1;
    int result = transport_write_bytes(&self->transport, self->state, bytes, idle_limit_ms(self));
    Py_DECREF(bytes);
    return result;
}

static int flush(struct stream *self, const Py_buffer *payload) {
    int is_socket = self->transport.kind == TRANSPORT_SOCKET;
    int can_borrow = payload && payload->len >= BORROW_MIN && is_socket &&
                     self->protocol.config.role == FASTWS_ROLE_SERVER;
    while (fastws_conn_pending_len(self->protocol.conn)) {
        int result = can_borrow  ? write_borrowed(self, payload)
                     : is_socket ? write_queued(self)
                                 : write_copied(self);
        if (result < 0) return -1;
    }
    return 0;
}

int stream_flush_and_unlock(struct stream *self, const Py_buffer *payload) {
    int result = 0;
    if (self->is_broken) {
        protocol_drop(&self->protocol);
    } else if (flush(self, payload) < 0) {
        /* A frame may have left in part: no other can follow it. Nothing stays borrowed. */
        self->is_broken = 1;
        protocol_drop(&self->protocol);
        result = -1;
    }
    unlock(self);
    return result;
}

int stream_flush_replies(struct stream *self) {
    if (fastws_conn_pending_len(self->protocol.conn) == 0) return 0;
    /* Whoever is sending empties the queue before it lets go of the lock. */
    if (self->sender) return 0;
    if (stream_lock(self) < 0) return -1;
    if (stream_flush_and_unlock(self, NULL) == 0) return 0;
    if (!PyErr_ExceptionMatches(PyExc_OSError)) return -1;
    PyErr_Clear();
    return 0;
}

int stream_begin_send(struct stream *self) {
    if (stream_lock(self) < 0) return -1;
    protocol_touch(&self->protocol);
    if (!self->is_broken) return 0;
    unlock(self);
    struct protocol lost = self->protocol;
    if (!lost.error) {
        lost.error = FASTWS_ERR_IO;
        lost.error_code = 1006;
        lost.error_offset = -1;
    }
    protocol_closed_raise(&lost, self->state);
    return -1;
}

int stream_end_send(struct stream *self, int error, const Py_buffer *payload) {
    /* What could not be queued is reported before what could not be written. */
    int result = stream_flush_and_unlock(self, payload);
    if (error < 0) {
        if (result < 0) PyErr_Clear();
        protocol_error_raise(&self->protocol, self->state, error);
        return -1;
    }
    return result < 0 ? stream_wrap_error(self) : 0;
}

static int send_prepared(struct stream *self, struct fastws_prepared *prepared, PyObject *opcode) {
    if (opcode && opcode != Py_None) {
        PyErr_SetString(PyExc_ValueError, "a PreparedMessage has its opcode");
        return -1;
    }
    fastws_prepared_retain(prepared);
    int result = stream_begin_send(self);
    if (result == 0) result = stream_end_send(self, fastws_conn_send_prepared(self->protocol.conn, prepared), NULL);
    fastws_prepared_release(prepared);
    return result;
}

int stream_send_message(struct stream *self, PyObject *data, PyObject *opcode) {
    struct fastws_prepared *prepared = prepared_get(self->state, data);
    if (prepared) return send_prepared(self, prepared, opcode);
    Py_buffer view;
    int number;
    if (protocol_take_message(data, opcode, &view, &number) < 0) return -1;
    int result = stream_begin_send(self);
    if (result == 0) {
        int error = fastws_conn_send(self->protocol.conn, number, view.buf, (size_t)view.len);
        result = stream_end_send(self, error, &view);
    }
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

int stream_send_raw(struct stream *self, const void *head, size_t head_len, const void *payload, size_t len) {
    if (stream_begin_send(self) < 0) return -1;
    if (self->protocol.error || fastws_conn_close_sent(self->protocol.conn)) {
        unlock(self);
        protocol_closed_raise(&self->protocol, self->state);
        return -1;
    }
    struct iovec pieces[] = {{(void *)(uintptr_t)head, head_len}, {(void *)(uintptr_t)payload, len}};
    int result = flush(self, NULL);
    if (result == 0) result = transport_write(&self->transport, self->state, pieces, 2, idle_limit_ms(self));
    if (result < 0) self->is_broken = 1;
    /* Keeps the exception: a flush that fails after a failure does nothing. */
    if (stream_flush_and_unlock(self, NULL) < 0) result = -1;
    return result < 0 ? stream_wrap_error(self) : 0;
}
