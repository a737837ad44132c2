/* SPDX-License-Identifier: MIT */
/* The Reader type, as its own files see it. */
#ifndef FASTWS_PY_READER_H
#define FASTWS_PY_READER_H

#include "stream.h"

struct reader {
    PyObject_HEAD
    struct stream *stream;
    PyObject *on_intermediate; /* NULL: none */
    PyObject *on_continuation;
    PyObject *unset_bits; /* a tuple of functions, or NULL */
    struct fastws_conn_config config; /* the stream's with the rules of this reader, while it reads */
    uint64_t max_frame;
    uint64_t max_message;
    const uint8_t *ptr; /* what has arrived and was not read: a view of the connection's memory, or of kept */
    size_t len;
    PyObject *kept; /* bytes that a read had to give back, or NULL */
    uint64_t frame_left; /* bytes of the frame that have not arrived */
    unsigned opcode;     /* of the message; 0 before the first */
    int has_max_frame;
    int has_max_message;
    int check_utf8;
    int skip_header_check;
    int is_open;        /* a message has begun, and its end was not reported */
    int is_complete;    /* all of it has arrived */
    int is_framed;      /* next_frame() was called: reads stay inside its message, and fetch no other */
    int is_lost;        /* the message broke off: there is no more to read */
    int is_in_callback; /* on_continuation is running: reads stay inside its frame */
    int is_closed;
    int is_receiving;   /* a read waits for bytes, or an extension of it runs: the message must stay */
    unsigned leaves;    /* how many messages were left: a read that finds more than when it began is over */
};

/* ---- reader_chunks.c ---- */

/* ValueError if the reader is closed. Returns 0, or -1. */
int reader_check_open(const struct reader *self);

/* Drops what is left of the message. */
void reader_leave(struct reader *self);

/* Waits for extensions of other threads. ConcurrencyError while a read is under way: what it gets next would be of
 * another message. Returns 0, or -1. */
int reader_may_leave(struct reader *self);

/* Waits for the next event in one way of delivery, by the rules of this reader. Returns 0, or -1 with an exception. */
int reader_next_event(struct reader *self, int delivery, struct fastws_event *event);

/* Tells of a control frame, which has been answered. Returns 0, or -1 with an exception. */
int reader_tell_control(struct reader *self, const struct fastws_event *event);

/* Makes the Header of the frame that a chunk begins. */
PyObject *reader_frame_header(struct reader *self, const struct fastws_event *event);

/* Begins the next message. Returns 0, or -1 with an exception. */
int reader_begin(struct reader *self, struct fastws_event *event);

enum { READER_END, READER_BYTES, READER_LEFT };

/* Waits until bytes of the message can be read. Returns READER_BYTES when they can; READER_END at its end, which leaves
 * it, unless a callback reads; READER_LEFT if a callback left it meanwhile; or -1 with an exception. */
int reader_need_bytes(struct reader *self);

/* Says whether what can be read is still there. */
int reader_has_view(const struct reader *self);

/* Steps over bytes that were read. */
void reader_step(struct reader *self, size_t len);

#endif
