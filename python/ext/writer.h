/* SPDX-License-Identifier: MIT */
/* The Writer type, as its own files see it. */
#ifndef FASTWS_PY_WRITER_H
#define FASTWS_PY_WRITER_H

#include "stream.h"

#include <fastws/utf8.h>

struct writer {
    PyObject_HEAD
    struct stream *stream;
    PyObject *set_bits; /* a tuple of functions, or NULL */
    size_t buffer_size; /* of a fragment; 0: never fragment */
    struct fastws_utf8 utf8; /* of the message so far, if it is text */
    int opcode;
    int flags; /* FASTWS_SEND_* */
    unsigned resets; /* of the stream, when the message was begun */
    int is_torn;  /* a part of the message was sent and the rest dropped: it can neither go on nor end */
    int is_closed; /* close() was called: nothing is written until reset() */
    int is_begun; /* something was written, if only nothing: a flush ends a message */
};

/* ---- writer_send.c: what changes the message. Whoever does so holds the send lock of the stream. ---- */

enum writer_step { WRITER_WRITE, WRITER_FLUSH_FRAGMENT, WRITER_FINISH };

/* Says whether a message has begun, and not ended. It is gone when the stream was made new: then the next begins. */
int writer_is_begun(struct writer *self);

/* Does one step of the message by the extensions of this writer, and sends what it has queued. Returns 0, or -1 with an
 * exception. */
int writer_send(struct writer *self, enum writer_step step, const Py_buffer *view);

/* Adds to the message, which has to be UTF-8 if it is text. Returns 0, or -1 with an exception. */
int writer_write_piece(struct writer *self, const Py_buffer *view);

/* Forgets the message. RuntimeError if a part of it has left, which cannot be taken back, unless nothing more can be
 * sent anyway; ConcurrencyError if an extension calls this. Returns 0, or -1. */
int writer_forget(struct writer *self);

/* Drops what has not left: half of a message is not to pass for all of it. Returns 0, or -1 with an exception. */
int writer_tear(struct writer *self);

#endif
