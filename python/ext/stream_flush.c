/* SPDX-License-Identifier: MIT */
/* Writing what is queued in a Stream: all of it, or as much as goes without waiting. */
#include "stream.h"

#include <string.h>

#include <fastws/error.h>

#include "errors.h"

/* A server's payload from here on is written while other threads run. */
#define BORROW_MIN 65536
#define PIECES 16

uint64_t stream_idle_limit_ms(const struct stream *self) {
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
        result = transport_write(&self->transport, self->state, pieces, count, stream_idle_limit_ms(self));
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

/* Copies what stands first in the queue, at most as much as one call of a method of io should get. */
static PyObject *copy_part(struct stream *self) {
    struct fastws_iovec listed[PIECES];
    int count = fastws_conn_pending(self->protocol.conn, listed, PIECES);
    if (count < 0) return PyErr_NoMemory();
    size_t len = 0, max = transport_part_max(&self->transport, self->state);
    for (int i = 0; i < count; i++) len += listed[i].len;
    if (len > max) len = max;
    PyObject *part = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    if (!part) return NULL;
    char *dst = PyBytes_AS_STRING(part);
    for (size_t i = 0, piece_len; len > 0; i++, len -= piece_len, dst += piece_len) {
        piece_len = listed[i].len < len ? listed[i].len : len;
        memcpy(dst, listed[i].base, piece_len);
    }
    return part;
}

/* The same through a method of io, which lets other threads run. What it did not take stays in the queue: OpenSSL wants
 * the same bytes again. */
static int write_part(struct stream *self) {
    PyObject *part = copy_part(self);
    if (!part) return -1;
    Py_ssize_t written = transport_write_part(&self->transport, self->state, part);
    Py_DECREF(part);
    if (written < 0) return (int)written;
    if (hooks_wait(&self->protocol.hooks) < 0) return -1;
    /* More may have been queued meanwhile, behind it; or the time was over, and everything dropped. */
    if ((uint64_t)written > fastws_conn_pending_len(self->protocol.conn)) return 0;
    int result = fastws_conn_sent(self->protocol.conn, (size_t)written);
    if (result < 0) error_raise(self->state, result);
    return result < 0 ? -1 : 0;
}

static int write_some(struct stream *self) {
    return self->transport.kind == TRANSPORT_SOCKET ? write_queued(self) : write_part(self);
}

static int write_copied(struct stream *self) {
    PyObject *bytes = protocol_drain(&self->protocol);
    if (!bytes) return -1;
    int result = transport_write_bytes(&self->transport, self->state, bytes, stream_idle_limit_ms(self));
    Py_DECREF(bytes);
    return result;
}

/* Waits until the peer takes bytes again, of which it has taken none since stuck_ms. Returns 0, or -1 with an
 * exception. Another thread may have called close() meanwhile, which changes how long the peer has. */
static int wait_writable(struct stream *self, uint64_t stuck_ms, uint64_t until_ms) {
    uint64_t now_ms = protocol_now_ms(), limit_ms = stream_idle_limit_ms(self);
    uint64_t end_ms = limit_ms ? stuck_ms + limit_ms : UINT64_MAX;
    if (until_ms < end_ms) end_ms = until_ms;
    uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 1;
    if (transport_wait_writable(&self->transport, self->state, end_ms == UINT64_MAX ? 0 : left_ms) < 0) return -1;
    return hooks_wait(&self->protocol.hooks);
}

/* Empties the queue.
 *   payload    what the last send may borrow from, or NULL
 *   until_ms   as for stream_flush_last() */
static int flush(struct stream *self, const Py_buffer *payload, uint64_t until_ms) {
    const struct transport *transport = &self->transport;
    int can_borrow = payload && payload->len >= BORROW_MIN && transport->kind == TRANSPORT_SOCKET &&
                     self->protocol.config.role == FASTWS_ROLE_SERVER;
    int is_patient = !transport_has_clock(transport);
    uint64_t stuck_ms = 0;
    while (fastws_conn_pending_len(self->protocol.conn)) {
        int result = can_borrow ? write_borrowed(self, payload) : is_patient ? write_copied(self) : write_some(self);
        if (result == -2) {
            if (!stuck_ms) stuck_ms = protocol_now_ms();
            result = wait_writable(self, stuck_ms, until_ms);
        } else {
            stuck_ms = 0;
        }
        if (result < 0) return -1;
    }
    return 0;
}

int stream_flush(struct stream *self) { return flush(self, NULL, UINT64_MAX); }

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
    /* A thread that writes what goes without waiting leaves the rest behind, but is soon done. */
    int is_tried_elsewhere = self->is_trying && self->sender != PyThread_get_thread_ident();
    if (!is_tried_elsewhere && !stream_has_replies(self)) return 0;
    if (stream_lock(self) < 0) return -1;
    return flush_and_unlock(self, NULL, until_ms) < 0 ? keep_for_senders() : 0;
}

int stream_flush_replies(struct stream *self) {
    if (!transport_has_clock(&self->transport)) return stream_flush_last(self, UINT64_MAX);
    if (!stream_has_replies(self)) return 0;
    if (stream_lock(self) < 0) return -1;
    int result = 0;
    self->is_trying = 1;
    while (result == 0 && fastws_conn_pending_len(self->protocol.conn)) result = write_some(self);
    self->is_trying = 0;
    if (result == -1) break_output(self);
    stream_unlock(self);
    return result == -1 ? keep_for_senders() : 0;
}
