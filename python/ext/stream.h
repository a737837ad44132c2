/* SPDX-License-Identifier: MIT */
/* The Stream type, as its own files and Reader, Writer see it. */
#ifndef FASTWS_PY_STREAM_H
#define FASTWS_PY_STREAM_H

#include "protocol.h"
#include "transport.h"

struct stream {
    PyObject_HEAD
    struct state *state;
    struct protocol protocol;
    struct transport transport;
    PyObject *handshake;          /* a Handshake, or None */
    PyObject *initial;            /* bytes to receive before any of io, or NULL */
    size_t initial_off;           /* how many of them have been received */
    PyObject *weakrefs;
    PyThread_type_lock send_lock; /* held from the first byte of a send to its last */
    unsigned long sender;         /* the thread that holds it; 0: nobody */
    const void *inside;           /* the Reader whose message has begun and not ended, or NULL */
    int is_reading;               /* a thread is reading */
    int has_received;             /* this read has received something, or waited for it */
    int is_dry;                   /* the last read found nothing: the next one waits first */
    int is_eof;                   /* the byte stream has ended */
    int is_broken;                /* a write failed: nothing can be sent any more */
    int is_close_wanted;          /* close() was called while another thread was reading: that one closes */
};

/* ---- Sending: stream_send.c. Each returns 0, or -1 with an exception. ---- */

/* Takes the send lock. ConcurrencyError if this thread has it: io called back. */
int stream_lock(struct stream *self);

/* Sends what is queued, and gives the lock back in the same breath, so that no reply that was queued meanwhile stays.
 *   payload   what the last send may borrow from, or NULL */
int stream_flush_and_unlock(struct stream *self, const Py_buffer *payload);

/* Sends what is queued, unless another thread is sending: that one will. Failures of the byte stream are left for the
 * next send to report; reading goes on. */
int stream_flush_replies(struct stream *self);

/* Sends one message. opcode may be NULL. */
int stream_send_message(struct stream *self, PyObject *data, PyObject *opcode);

/* A send of another kind: between the two the connection may queue.
 *   error     what it answered
 *   payload   what may be borrowed by it, or NULL */
int stream_begin_send(struct stream *self);
int stream_end_send(struct stream *self, int error, const Py_buffer *payload);

/* Sends a ping or pong. data may be NULL. */
int stream_send_control(struct stream *self, int is_pong, PyObject *data);

/* Sends bytes as they are. */
int stream_send_raw(struct stream *self, const void *head, size_t head_len, const void *payload, size_t len);

/* ---- Receiving: stream_receive.c ---- */

/* Starts a read: ConcurrencyError if another is under way, RuntimeError if a Reader other than reader, which may be NULL,
 * is inside of a message. */
int stream_begin_read(struct stream *self, const void *reader);
void stream_end_read(struct stream *self);

/* Drops what is left of the message that a Reader is inside of. */
void stream_drop_message(struct stream *self);

/* Waits for bytes and hands them to the connection. Returns 0, also when only time has passed or the stream has ended.
 *   until_ms   TimeoutError when that time has passed; UINT64_MAX: never
 *   is_raw     no ping is sent and no deadline of the connection is kept */
int stream_receive(struct stream *self, uint64_t until_ms, int is_raw);

/* Waits for the next event: a message, ping, pong or close. Its view lives until the next read. ConnectionClosed after a
 * close and on every failure. Returns 0. */
int stream_next_event(struct stream *self, struct fastws_event *event, uint64_t until_ms);

/* Waits for the next message. ConnectionClosed when the peer closes. Returns 0. */
int stream_next_message(struct stream *self, struct fastws_event *event, uint64_t until_ms);

/* Waits for the next message, and refuses it with 1003 if it is of another kind. RFC 6455 7.4.1. Returns 0. */
int stream_next_of_kind(struct stream *self, struct fastws_event *event, unsigned opcode);

/* Makes the current exception, if it is an OSError of the byte stream, the cause of a ConnectionClosedError. -1. */
int stream_wrap_error(struct stream *self);

/* ---- Closing: stream_close.c ---- */

PyObject *stream_close(struct stream *self, PyObject *code, PyObject *reason);

/* Closes the transport at the end of a close handshake or after a failure. */
int stream_finish_close(struct stream *self);

PyObject *stream_read_header(PyObject *self, PyObject *ignored);
PyObject *stream_read_exactly(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_read_frame(PyObject *self, PyObject *ignored);
PyObject *stream_write_header(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_write(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_write_frame(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

#endif
