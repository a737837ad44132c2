/* SPDX-License-Identifier: MIT */
/* Reading messages from a Stream: each is an object of its own before the next one is received. */
#include "stream.h"

#include "args.h"
#include "events.h"
#include "header.h"
#include "payload.h"

/* Reads one message and turns it into an object before the read ends: the view does not live longer. */
static PyObject *read_message(struct stream *self, uint64_t until_ms,
                              PyObject *(*convert)(struct stream *, const struct fastws_event *)) {
    struct fastws_event event;
    if (stream_begin_read(self, NULL) < 0) return NULL;
    PyObject *result = stream_next_message(self, &event, until_ms) < 0 ? NULL : convert(self, &event);
    stream_end_read(self);
    return result;
}

static PyObject *to_data(struct stream *self, const struct fastws_event *event) {
    return event_data(self->protocol.conn, event);
}

static PyObject *to_pair(struct stream *self, const struct fastws_event *event) {
    int is_close = event->kind == FASTWS_EVENT_CLOSE;
    PyObject *data = is_close ? event_close_body(event) : payload_bytes(self->protocol.conn, event);
    PyObject *pair = data ? PyTuple_New(2) : NULL;
    if (!pair) {
        Py_XDECREF(data);
        return NULL;
    }
    PyTuple_SET_ITEM(pair, 1, data);
    PyObject *opcode = opcode_new(self->state, event->opcode);
    if (!opcode) Py_CLEAR(pair);
    if (pair) PyTuple_SET_ITEM(pair, 0, opcode);
    return pair;
}

PyObject *stream_recv(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"timeout", NULL};
    struct stream *self = (struct stream *)object;
    uint64_t until_ms = UINT64_MAX;
    PyObject *timeout = NULL;
    if ((count || kwnames) && arg_sort("recv", args, count, kwnames, names, 0, 1, &timeout) < 0) return NULL;
    if (timeout && timeout != Py_None) {
        uint64_t ms;
        if (arg_seconds(timeout, "timeout", 1, INT64_MAX / 2, &ms) < 0) return NULL;
        if (!transport_has_clock(&self->transport)) {
            PyErr_SetString(PyExc_ValueError, "timeout needs a stream over a socket");
            return NULL;
        }
        until_ms = protocol_now_ms() + ms;
    }
    return read_message(self, until_ms, to_data);
}

PyObject *stream_read_data(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return read_message((struct stream *)object, UINT64_MAX, to_pair);
}

static PyObject *read_kind(PyObject *object, unsigned opcode) {
    struct stream *self = (struct stream *)object;
    struct fastws_event event;
    if (stream_begin_read(self, NULL) < 0) return NULL;
    PyObject *data = stream_next_of_kind(self, &event, opcode) < 0 ? NULL : event_data(self->protocol.conn, &event);
    stream_end_read(self);
    return data;
}

PyObject *stream_read_text(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return read_kind(object, FASTWS_OPCODE_TEXT);
}

PyObject *stream_read_binary(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return read_kind(object, FASTWS_OPCODE_BINARY);
}

PyObject *stream_read_message(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct stream *self = (struct stream *)object;
    struct fastws_event event;
    if (stream_begin_read(self, NULL) < 0) return NULL;
    PyObject *pair = stream_next_event(self, &event, UINT64_MAX) < 0 ? NULL : to_pair(self, &event);
    stream_end_read(self);
    return pair;
}

/* Ends the iteration where websockets does: a connection that was closed well has no more messages. */
PyObject *stream_iternext(PyObject *object) {
    struct stream *self = (struct stream *)object;
    PyObject *data = read_message(self, UINT64_MAX, to_data);
    if (!data && PyErr_ExceptionMatches(self->state->exceptions[EXC_CONNECTION_CLOSED_OK])) PyErr_Clear();
    return data;
}
