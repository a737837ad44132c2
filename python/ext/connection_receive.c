/* SPDX-License-Identifier: MIT */
/* Receiving through a Connection: the bytes that a peer sent, and the events that they complete. */
#include "connection.h"

#include <string.h>

#include <fastws/error.h>

#include "args.h"
#include "errors.h"
#include "events.h"

#define BUFFER_LEN 65536 /* bytes of what get_buffer() gives */
#define BATCH 16         /* events taken from the library at a time */

static PyObject *new_event(struct connection *self, const struct fastws_event *event) {
    if (event->kind != FASTWS_EVENT_ERROR) return event_object(self->state, self->protocol.conn, event);
    PyObject *error = protocol_error_new(&self->protocol, self->state, event->error);
    return pair_new(self->state->failure_type, error, PyLong_FromLong(event->close_code));
}

/* Appends the events that are there. Payloads become objects before anything else runs on the connection: only then
 * are views safe from code that the collector may run here. Returns 0, or -1 with an exception. */
static int take_events(struct connection *self, PyObject *list) {
    struct fastws_event events[BATCH];
    int count;
    while (!self->protocol.error && (count = fastws_conn_next(self->protocol.conn, events, BATCH)) != 0) {
        if (count < 0) {
            error_raise(self->state, count);
            return -1;
        }
        for (int i = 0; i < count; i++) {
            protocol_note_event(&self->protocol, &events[i]);
            PyObject *event = new_event(self, &events[i]);
            int result = event ? PyList_Append(list, event) : -1;
            Py_XDECREF(event);
            if (result < 0) return -1;
        }
    }
    return 0;
}

/* Copies bytes in, a slab at a time. What follows a close frame or an error is dropped. */
static int take_bytes(struct connection *self, const char *src, size_t len, PyObject *list) {
    while (len && !self->protocol.error) {
        void *ptr;
        size_t cap;
        int error = fastws_conn_space(self->protocol.conn, &ptr, &cap);
        if (error < 0) {
            error_raise(self->state, error);
            return -1;
        }
        if (cap == 0) {
            /* All of data is taken at once: what it asks for in replies is bounded by what it holds. The limit is
             * asked again at the next call. */
            self->is_flooded = 1;
            if (connection_spill(self) < 0) return -1;
            continue;
        }
        if (cap > len) cap = len;
        memcpy(ptr, src, cap);
        error = fastws_conn_filled(self->protocol.conn, cap);
        if (error < 0) {
            error_raise(self->state, error);
            return -1;
        }
        src += cap;
        len -= cap;
        if (take_events(self, list) < 0) return -1;
    }
    return take_events(self, list);
}

/* Says whether bytes may come in now. Returns 0, or -1 with an exception. */
static int check_may_receive(struct connection *self) {
    if (hooks_wait(&self->protocol.hooks) < 0) return -1;
    if (self->is_receiving) {
        PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "another call is receiving");
    } else if (self->protocol.error) {
        protocol_closed_raise(&self->protocol, self->state);
    } else if (self->is_flooded) {
        PyErr_SetString(PyExc_RuntimeError, "send what data_to_send() returns before more is received");
    } else {
        return 0;
    }
    return -1;
}

PyObject *connection_receive_bytes(struct connection *self, const char *src, size_t len) {
    PyObject *list = PyList_New(0);
    if (!list) return NULL;
    protocol_touch(&self->protocol);
    self->is_receiving = 1;
    if (take_bytes(self, src, len, list) < 0) Py_CLEAR(list);
    self->is_receiving = 0;
    return list;
}

PyObject *connection_receive(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *data;
    Py_buffer view;
    if (arg_one("receive", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    PyObject *list = check_may_receive(self) < 0 ? NULL : connection_receive_bytes(self, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return list;
}

PyObject *connection_receive_eof(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (self->protocol.error) return PyList_New(0);
    if (check_may_receive(self) < 0) return NULL;
    fastws_conn_eof(self->protocol.conn);
    return connection_receive_bytes(self, NULL, 0);
}

PyObject *connection_discard(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (check_may_receive(self) < 0) return NULL;
    int error = fastws_conn_discard(self->protocol.conn);
    if (error < 0 && error != FASTWS_ERR_STATE) return protocol_error_raise(&self->protocol, self->state, error);
    return PyBool_FromLong(error == 0);
}

PyObject *connection_get_buffer(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *hint;
    if (arg_one("get_buffer", args, count, kwnames, "sizehint", 0, &hint) < 0) return NULL;
    if (hint && !PyLong_Check(hint)) return PyErr_Format(PyExc_TypeError, "sizehint must be int");
    /* Whoever resized it, which the memoryview lets him, gets another. */
    if (self->buffer && PyByteArray_GET_SIZE(self->buffer) != BUFFER_LEN) Py_CLEAR(self->buffer);
    if (!self->buffer) self->buffer = PyByteArray_FromStringAndSize(NULL, BUFFER_LEN);
    return self->buffer ? PyMemoryView_FromObject(self->buffer) : NULL;
}

PyObject *connection_buffer_updated(PyObject *object, PyObject *const *args, Py_ssize_t count,
                                           PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *number;
    Py_buffer view = {0};
    uint64_t filled;
    if (arg_one("buffer_updated", args, count, kwnames, "nbytes", 1, &number) < 0) return NULL;
    if (check_may_receive(self) < 0) return NULL;
    /* The bytearray can be reached, and resized, through the memoryview that was handed out. */
    if (self->buffer && PyObject_GetBuffer(self->buffer, &view, PyBUF_SIMPLE) < 0) return NULL;
    PyObject *list = NULL;
    if (arg_unsigned(number, "nbytes", (uint64_t)view.len, &filled) == 0) {
        list = connection_receive_bytes(self, view.buf, (size_t)filled);
    }
    PyBuffer_Release(&view);
    return list;
}
