/* SPDX-License-Identifier: MIT */
/* Sending through a Connection: messages whole and in pieces, control frames, and the bytes that come of them. */
#include "connection.h"

#include <fastws/error.h>
#include <fastws/header.h>

#include "args.h"
#include "errors.h"
#include "prepared.h"

#define BORROW_MIN 4096 /* bytes from which on the library borrows a payload */

int connection_spill(struct connection *self) {
    if (fastws_conn_pending_len(self->protocol.conn) == 0) return 0;
    PyObject *bytes = protocol_drain(&self->protocol);
    if (bytes && !self->outbox) self->outbox = PyList_New(0);
    int result = bytes && self->outbox ? PyList_Append(self->outbox, bytes) : -1;
    if (result == 0) self->outbox_len += (uint64_t)PyBytes_GET_SIZE(bytes);
    Py_XDECREF(bytes);
    return result;
}

static int begin_send(struct connection *self) {
    if (hooks_wait(&self->protocol.hooks) < 0) return -1;
    protocol_touch(&self->protocol);
    return 0;
}

/* Ends a send that answered error. A payload that was borrowed is copied before it goes back to its owner. */
static PyObject *end_send(struct connection *self, int error, Py_buffer *view) {
    int result = view && view->len >= BORROW_MIN ? connection_spill(self) : 0;
    if (view) PyBuffer_Release(view);
    if (error < 0) {
        if (result < 0) PyErr_Clear();
        return protocol_error_raise(&self->protocol, self->state, error);
    }
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *send_prepared(struct connection *self, struct fastws_prepared *prepared, PyObject *opcode) {
    if (opcode && opcode != Py_None) {
        PyErr_SetString(PyExc_ValueError, "a PreparedMessage has its opcode");
        return NULL;
    }
    if (begin_send(self) < 0) return NULL;
    return end_send(self, fastws_conn_send_prepared(self->protocol.conn, prepared), NULL);
}

PyObject *connection_send(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"data", "opcode", NULL};
    struct connection *self = (struct connection *)object;
    PyObject *sorted[2];
    Py_buffer view;
    int opcode;
    if (arg_sort("send", args, count, kwnames, names, 1, 2, sorted) < 0) return NULL;
    struct fastws_prepared *prepared = prepared_get(self->state, sorted[0]);
    if (prepared) return send_prepared(self, prepared, sorted[1]);
    if (protocol_take_message(sorted[0], sorted[1], &view, &opcode) < 0) return NULL;
    if (begin_send(self) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    return end_send(self, fastws_conn_send(self->protocol.conn, opcode, view.buf, (size_t)view.len), &view);
}

PyObject *connection_begin(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *argument;
    int opcode = FASTWS_OPCODE_TEXT;
    if (arg_one("begin", args, count, kwnames, "opcode", 0, &argument) < 0) return NULL;
    if (argument && arg_data_opcode(argument, &opcode) < 0) return NULL;
    if (begin_send(self) < 0) return NULL;
    PyObject *result = end_send(self, fastws_conn_begin(self->protocol.conn, opcode), NULL);
    if (result) {
        self->is_text = opcode == FASTWS_OPCODE_TEXT;
        fastws_utf8_init(&self->utf8);
    }
    return result;
}

/* RFC 6455 5.6: a text is UTF-8 as a whole; its pieces may end inside characters. */
static int check_text(struct connection *self, const Py_buffer *view) {
    struct fastws_utf8 utf8 = self->utf8;
    if (!self->is_text) return 0;
    if (fastws_utf8_update(&utf8, view->buf, (size_t)view->len) < 0) {
        error_raise_value(FASTWS_ERR_UTF8);
        return -1;
    }
    self->utf8 = utf8;
    return 0;
}

static int check_begun(struct connection *self) {
    if (fastws_conn_is_message_open(self->protocol.conn)) return 0;
    PyErr_SetString(PyExc_RuntimeError, "no message was begun");
    return -1;
}

PyObject *connection_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *data;
    Py_buffer view;
    if (arg_one("write", args, count, kwnames, "data", 1, &data) < 0 || arg_payload(data, "data", &view) < 0) return NULL;
    if (begin_send(self) < 0 || check_begun(self) < 0 || check_text(self, &view) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    return end_send(self, fastws_conn_write(self->protocol.conn, view.buf, (size_t)view.len), &view);
}

PyObject *connection_flush_fragment(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (begin_send(self) < 0 || check_begun(self) < 0) return NULL;
    return end_send(self, fastws_conn_flush_fragment(self->protocol.conn), NULL);
}

PyObject *connection_finish(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (begin_send(self) < 0 || check_begun(self) < 0) return NULL;
    if (self->is_text && fastws_utf8_finish(&self->utf8) < 0) return error_raise_value(FASTWS_ERR_UTF8);
    return end_send(self, fastws_conn_finish(self->protocol.conn), NULL);
}

PyObject *connection_abandon(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (begin_send(self) < 0) return NULL;
    fastws_conn_abandon(self->protocol.conn);
    fastws_utf8_init(&self->utf8);
    Py_RETURN_NONE;
}

static PyObject *send_control(PyObject *object, PyObject *data, int is_pong) {
    struct connection *self = (struct connection *)object;
    if (protocol_send_control(&self->protocol, self->state, is_pong, data) < 0) return NULL;
    Py_RETURN_NONE;
}

PyObject *connection_ping(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    return arg_one("ping", args, count, kwnames, "data", 0, &data) < 0 ? NULL : send_control(self, data, 0);
}

PyObject *connection_pong(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    return arg_one("pong", args, count, kwnames, "data", 0, &data) < 0 ? NULL : send_control(self, data, 1);
}

PyObject *connection_close(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"code", "reason", NULL};
    struct connection *self = (struct connection *)object;
    PyObject *sorted[2];
    if (arg_sort("close", args, count, kwnames, names, 0, 2, sorted) < 0) return NULL;
    if (protocol_send_close(&self->protocol, self->state, sorted[0], sorted[1]) < 0) return NULL;
    Py_RETURN_NONE;
}

PyObject *connection_data_to_send(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (hooks_wait(&self->protocol.hooks) < 0) return NULL;
    self->is_flooded = 0;
    if (!self->outbox) return protocol_drain(&self->protocol);
    if (connection_spill(self) < 0) return NULL;
    PyObject *list = self->outbox;
    self->outbox = NULL;
    self->outbox_len = 0;
    PyObject *out;
    if (PyList_GET_SIZE(list) == 1) {
        out = Py_NewRef(PyList_GET_ITEM(list, 0));
    } else {
        PyObject *empty = PyBytes_FromStringAndSize(NULL, 0);
        out = empty ? PyObject_CallMethod(empty, "join", "O", list) : NULL;
        Py_XDECREF(empty);
    }
    Py_DECREF(list);
    return out;
}
