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
    const uint8_t *ptr; /* what has arrived and was not read: a view of the connection's memory */
    size_t len;
    uint64_t frame_left; /* bytes of the frame that have not arrived */
    unsigned opcode;     /* of the message; 0 before the first */
    int has_max_frame;
    int has_max_message;
    int check_utf8;
    int skip_header_check;
    int has_entered;    /* config is in the place of the stream's */
    int is_open;        /* a message has begun, and its end was not reported */
    int is_complete;    /* all of it has arrived */
    int is_framed;      /* next_frame() was called: reads stay inside its message, and fetch no other */
    int is_lost;        /* the message broke off: there is no more to read */
    int is_in_callback; /* on_continuation is running: reads stay inside its frame */
    int is_closed;
};

/* ---- reader_chunks.c ---- */

/* Drops what is left of the message. */
void reader_leave(struct reader *self);

/* Waits for the next event in one way of delivery, by the rules of this reader. Returns 0, or -1 with an exception. */
int reader_next_event(struct reader *self, int delivery, struct fastws_event *event);

/* Tells of a control frame, which has been answered. Returns 0, or -1 with an exception. */
int reader_tell_control(struct reader *self, const struct fastws_event *event);

/* Makes the Header of the frame that a chunk begins. */
PyObject *reader_frame_header(struct reader *self, const struct fastws_event *event);

/* Begins the next message. Returns 0, or -1 with an exception. */
int reader_begin(struct reader *self, struct fastws_event *event);

/* Waits until bytes of the message can be read. Returns 1, 0 at its end, or -1 with an exception. */
int reader_need_bytes(struct reader *self);

/* Steps over bytes that were read. */
void reader_step(struct reader *self, size_t len);

#endif
