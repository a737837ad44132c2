/* SPDX-License-Identifier: MIT */
/* The Stream type, as its own files and Reader, Writer see it. */
#ifndef FASTWS_PY_STREAM_H
#define FASTWS_PY_STREAM_H

#include "protocol.h"
#include "transport.h"

#include <fastws/header.h>

struct stream {
    PyObject_HEAD
    struct state *state;
    struct protocol protocol;
    struct transport transport;
    PyObject *handshake;          /* a Handshake, or None */
    PyObject *initial;            /* bytes to receive before any of io, or NULL */
    size_t initial_off;           /* how many of them have been received */
    PyObject *kept;               /* bytes that a raw read took before it was interrupted, or NULL */
    size_t kept_off;              /* how many of them were read again */
    PyObject *weakrefs;
    PyThread_type_lock send_lock; /* held from the first byte of a send to its last */
    unsigned long sender;         /* the thread that holds it; 0: nobody */
    uint64_t raw_left;            /* payload that write_header() announced and write() has not brought: nothing may come
                                     between */
    unsigned long raw_writer;     /* the thread that announced it */
    unsigned corks;               /* how many have been put in and not taken out */
    unsigned resets;              /* tells messages of before a reset() from those after */
    const void *inside;           /* the Reader whose message has begun and not ended, or NULL */
    int is_reading;               /* a thread is reading */
    int has_received;             /* this read has received something, or waited for it */
    int is_dry;                   /* the last read found nothing: the next one waits first */
    int is_eof;                   /* the byte stream has ended */
    int is_broken;                /* a write failed: nothing can be sent any more */
    int is_trying;                /* the sender writes replies, as far as that goes without waiting */
    int is_abandoned;             /* a Writer went, and left a message behind that the next send is to drop */
    int is_close_wanted;          /* close() was called while another thread was reading: that one closes */
};

/* ---- Sending: stream_send.c. Each returns 0, or -1 with an exception. ---- */

/* Takes the send lock. ConcurrencyError if this thread has it: io called back. */
int stream_lock(struct stream *self);
void stream_unlock(struct stream *self);

/* Waits a while for a thread that is sending, or for one that will, not past until_ms. Returns 0, or -1 with an
 * exception. */
int stream_wait_sender(struct stream *self, uint64_t until_ms);

/* Drops what a Writer that goes has not sent: now, or before the next send where the connection is in use. */
void stream_abandon(struct stream *self);

/* Sends one message. opcode and compress may be NULL. */
int stream_send_message(struct stream *self, PyObject *data, PyObject *opcode, PyObject *compress);

/* A send of another kind: between the two the connection may queue. RuntimeError inside of a raw frame.
 *   error     what it answered
 *   payload   what may be borrowed by it, or NULL */
int stream_begin_send(struct stream *self);
int stream_end_send(struct stream *self, int error, const Py_buffer *payload);

/* Sends a ping or pong. data may be NULL. */
int stream_send_control(struct stream *self, int is_pong, PyObject *data);

/* Sends a raw frame, or its header alone: then its payload is to follow. RuntimeError inside of another, or of a
 * message that a Writer has begun. */
int stream_send_raw_frame(struct stream *self, const struct fastws_header *header, const Py_buffer *payload);

/* Sends bytes as they are. */
int stream_send_raw(struct stream *self, const Py_buffer *bytes);

/* Takes a cork out. */
int stream_uncork(struct stream *self);

/* ---- Writing what is queued: stream_flush.c. Each returns 0, or -1 with an exception. ---- */

/* How long the peer may take nothing of what is written; 0: for ever. */
uint64_t stream_idle_limit_ms(const struct stream *self);

/* Sends what is queued. The caller has the send lock, and keeps it. */
int stream_flush(struct stream *self);

/* Sends what is queued, and gives the lock back in the same breath, so that no reply that was queued meanwhile stays:
 * unless a raw frame is half written, which takes them along when it is complete.
 *   payload   what the last send may borrow from, or NULL */
int stream_flush_and_unlock(struct stream *self, const Py_buffer *payload);

/* Sends what is queued, also through a cork, unless another thread is sending: that one will. Over a socket of any
 * kind, what it takes at once; the rest goes when there is room, while a read waits, or with the next send. Failures of
 * the byte stream are left for the next send to report; reading goes on. */
int stream_flush_replies(struct stream *self);

/* The same for a close frame: waits until it is out, but no longer than close_timeout allows.
 *   until_ms   nor than to that time, over a socket; UINT64_MAX: never */
int stream_flush_last(struct stream *self, uint64_t until_ms);

/* Says whether something is queued that this thread may send. */
int stream_has_replies(const struct stream *self);

/* ---- Receiving: stream_receive.c ---- */

/* Starts a read: ConcurrencyError if another is under way, RuntimeError if another Reader is inside of a message, or a
 * raw read was interrupted and this is none.
 *   reader   who reads: a Reader, the stream itself for raw bytes, NULL for messages */
int stream_begin_read(struct stream *self, const void *reader);
void stream_end_read(struct stream *self);

/* Drops what is left of the message that a Reader is inside of. */
void stream_drop_message(struct stream *self);

/* Waits for bytes and hands them to the connection. Returns 0, also when only time has passed or the stream has ended.
 *   until_ms   TimeoutError when that time has passed; UINT64_MAX: never
 *   is_raw     no ping is sent and no deadline of the connection is kept */
int stream_receive(struct stream *self, uint64_t until_ms, int is_raw);

/* Waits for the next event: a message, ping, pong or close. Its view lives until the next read. ConnectionClosed after
 * a close and on every failure. Returns 0. */
int stream_next_event(struct stream *self, struct fastws_event *event, uint64_t until_ms);

/* Waits for the next message. ConnectionClosed when the peer closes. Returns 0. */
int stream_next_message(struct stream *self, struct fastws_event *event, uint64_t until_ms);

/* Waits for the next message, and refuses it with 1003 if it is of another kind. RFC 6455 7.4.1. Returns 0. */
int stream_next_of_kind(struct stream *self, struct fastws_event *event, unsigned opcode);

/* Fails the connection for something that only this side knows of, and tells the peer its close code, once, unless
 * closing is left to the caller. RFC 6455 7.1.7. Returns -1 with ConnectionClosed.
 *   offset   where it lies in the bytes of the peer, or -1 */
int stream_fail(struct stream *self, int error, int64_t offset);

/* Makes the current exception, if it is an OSError of the byte stream, the cause of a ConnectionClosedError. -1. */
int stream_wrap_error(struct stream *self);

/* ---- Closing: stream_close.c ---- */

PyObject *stream_close(struct stream *self, PyObject *code, PyObject *reason);

/* Closes the transport at the end of a close handshake or after a failure. */
int stream_finish_close(struct stream *self);

/* ---- Methods in files of their own ---- */

/* What a method returns that has nothing to say. */
static inline PyObject *none_if(int result) { return result < 0 ? NULL : Py_NewRef(Py_None); }

PyObject *stream_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
PyObject *stream_reset(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *stream_set_extensions(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_answer(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_cork(PyObject *self, PyObject *ignored);
PyObject *stream_recv(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_read_data(PyObject *self, PyObject *ignored);
PyObject *stream_read_message(PyObject *self, PyObject *ignored);
PyObject *stream_read_text(PyObject *self, PyObject *ignored);
PyObject *stream_read_binary(PyObject *self, PyObject *ignored);
PyObject *stream_iternext(PyObject *self);
PyObject *stream_read_header(PyObject *self, PyObject *ignored);
PyObject *stream_read_exactly(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_read_frame(PyObject *self, PyObject *ignored);
PyObject *stream_write_header(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_write(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *stream_write_frame(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

#endif
