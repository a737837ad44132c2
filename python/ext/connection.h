/* SPDX-License-Identifier: MIT */
/* The Connection type, as its own files see it. */
#ifndef FASTWS_PY_CONNECTION_H
#define FASTWS_PY_CONNECTION_H

#include "protocol.h"

#include <fastws/utf8.h>

struct connection {
    PyObject_HEAD
    struct state *state;
    struct protocol protocol;
    PyObject *outbox;   /* list of bytes that left the connection and not data_to_send() yet, or NULL */
    uint64_t outbox_len; /* bytes in it that have not been handed out */
    Py_ssize_t outbox_off; /* bytes of its first item that have been */
    PyObject *buffer;   /* bytearray behind get_buffer(), or NULL */
    PyObject *weakrefs;
    struct fastws_utf8 utf8; /* of the text that was begun */
    int is_text;        /* the message that was begun is one */
    int is_receiving;   /* a call of receive() is under way: what it runs must not start another */
    unsigned compressing; /* calls that compress a large message apart from the connection */
    uint8_t delivery;   /* enum fastws_delivery */
    int is_full;        /* more was queued than the high mark says, and not yet as little as the low mark does */
    int is_flooded;     /* control replies passed their limit, and data_to_send() has not taken them */
};

/* ---- Receiving: connection_receive.c ---- */

/* Takes bytes that may come in now. Returns a list of events, or NULL with an exception. */
PyObject *connection_receive_bytes(struct connection *self, const char *src, size_t len);

PyObject *connection_receive(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *connection_receive_eof(PyObject *self, PyObject *ignored);
PyObject *connection_discard(PyObject *self, PyObject *ignored);
PyObject *connection_get_buffer(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *connection_buffer_updated(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

/* ---- Sending: connection_send.c ---- */

/* Moves what is queued to the outbox. Returns 0, or -1 with an exception. */
int connection_spill(struct connection *self);

/* Bytes that are to be sent. */
static inline uint64_t connection_queued(const struct connection *self) {
    return self->outbox_len + fastws_conn_pending_len(self->protocol.conn);
}

/* Sees whether a mark was passed: before the queue gets shorter, and when it is asked. */
void connection_note_queued(struct connection *self);

PyObject *connection_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *connection_begin(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *connection_write(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *connection_flush_fragment(PyObject *self, PyObject *ignored);
PyObject *connection_finish(PyObject *self, PyObject *ignored);
PyObject *connection_abandon(PyObject *self, PyObject *ignored);
PyObject *connection_ping(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *connection_pong(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *connection_close(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *connection_data_to_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

#endif
