/* SPDX-License-Identifier: MIT */
/* Sending through a Stream: one write for each send, and replies that wait for nobody. */
#include "stream.h"

#include <string.h>

#include <fastws/close.h>
#include <fastws/error.h>

#include "args.h"
#include "errors.h"
#include "prepared.h"

/* A server's payload from here on is written while other threads run. */
#define BORROW_MIN 65536
#define PIECES 16
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
    PyLockStatus status;
    Py_BEGIN_ALLOW_THREADS
    /* Not longer at a time, so that the caller may look at what has changed. */
    status = PyThread_acquire_lock_timed(self->send_lock, (left_ms < RECHECK_MS ? (int)left_ms : RECHECK_MS) * 1000, 1);
    if (status == PY_LOCK_ACQUIRED) PyThread_release_lock(self->send_lock);
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

/* Writes what the system takes, from the memory of the pool, which nobody else uses while the interpreter lock is held:
 * no other send can come between listing and writing. Once it is gone for a while, everything is listed anew. Returns
 * 0, -2 if there was no room, or -1 with an exception. */
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
    if (written < 0) return (int)written;
    int result = fastws_conn_sent(self->protocol.conn, (size_t)written);
    if (result < 0) error_raise(self->state, result);
    return result < 0 ? -1 : 0;
}

/* Waits until the peer takes bytes again. Returns 0, or -1 with an exception. */
static int wait_writable(struct stream *self, uint64_t until_ms) {
    uint64_t now_ms = protocol_now_ms(), limit_ms = idle_limit_ms(self);
    if (until_ms <= now_ms) limit_ms = 1;
    if (until_ms > now_ms && (limit_ms == 0 || until_ms - now_ms < limit_ms)) {
        limit_ms = until_ms == UINT64_MAX ? 0 : until_ms - now_ms;
    }
    if (transport_wait_writable(&self->transport, self->state, limit_ms) < 0) return -1;
    return hooks_wait(&self->protocol.hooks);
}

static int write_copied(struct stream *self) {
    PyObject *bytes = protocol_drain(&self->protocol);
    if (!bytes) return -1;
    int result = transport_write_bytes(&self->transport, self->state, bytes, idle_limit_ms(self));
    Py_DECREF(bytes);
    return result;
}

/* Empties the queue. until_ms: as for stream_flush_last(). */
static int flush(struct stream *self, const Py_buffer *payload, uint64_t until_ms) {
    int is_socket = self->transport.kind == TRANSPORT_SOCKET;
    int can_borrow = payload && payload->len >= BORROW_MIN && is_socket &&
                     self->protocol.config.role == FASTWS_ROLE_SERVER;
    while (fastws_conn_pending_len(self->protocol.conn)) {
        int result = can_borrow  ? write_borrowed(self, payload)
                     : is_socket ? write_queued(self)
                                 : write_copied(self);
        if (result == -2) result = wait_writable(self, until_ms);
        if (result < 0) return -1;
    }
    return 0;
}

/* A frame may have left in part: no other can follow it. Nothing stays borrowed. */
static void break_output(struct stream *self) {
    self->is_broken = 1;
    protocol_drop(&self->protocol);
}

static int flush_and_unlock(struct stream *self, const Py_buffer *payload, uint64_t until_ms) {
    int result = 0;
    if (self->is_broken) {
        protocol_drop(&self->protocol);
    } else if (self->raw_left == 0 && flush(self, payload, until_ms) < 0) {
        break_output(self);
        result = -1;
    }
    stream_unlock(self);
    return result;
}

int stream_flush_and_unlock(struct stream *self, const Py_buffer *payload) {
    return flush_and_unlock(self, payload, UINT64_MAX);
}

/* ---- Replies ---- */

int stream_has_replies(const struct stream *self) {
    /* Whoever is sending empties the queue before it lets go of the lock. */
    return !self->sender && !self->is_broken && self->raw_left == 0 &&
           fastws_conn_pending_len(self->protocol.conn) > 0;
}

/* Leaves what the byte stream raised for the next send to report. Returns 0, or -1 with what it did not raise. */
static int keep_for_senders(void) {
    if (!PyErr_ExceptionMatches(PyExc_OSError)) return -1;
    PyErr_Clear();
    return 0;
}

int stream_flush_last(struct stream *self, uint64_t until_ms) {
    if (!stream_has_replies(self)) return 0;
    if (stream_lock(self) < 0) return -1;
    return flush_and_unlock(self, NULL, until_ms) < 0 ? keep_for_senders() : 0;
}

int stream_flush_replies(struct stream *self) {
    if (self->transport.kind != TRANSPORT_SOCKET) return stream_flush_last(self, UINT64_MAX);
    if (!stream_has_replies(self)) return 0;
    if (stream_lock(self) < 0) return -1;
    int result = 0;
    while (result == 0 && fastws_conn_pending_len(self->protocol.conn)) result = write_queued(self);
    if (result == -1) break_output(self);
    stream_unlock(self);
    return result == -1 ? keep_for_senders() : 0;
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
    int result = self->raw_left ? 0 : flush(self, NULL, UINT64_MAX);
    self->raw_left = raw_left;
    if (result == 0) result = transport_write(&self->transport, self->state, pieces, 2, idle_limit_ms(self));
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
