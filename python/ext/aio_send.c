/* SPDX-License-Identifier: MIT */
/* Sending through an AsyncConnection: at once, and as something to await, which is over at once where there is room. */
#include "aio.h"

#include <fastws/error.h>
#include <fastws/header.h>
#include <fastws/utf8.h>

#include "args.h"
#include "errors.h"
#include "prepared.h"

#define BORROW_MIN 4096 /* bytes from which on the library borrows a payload */

/* ---- Queueing ---- */

int aio_connection_flush_soon(struct aio_connection *self) {
    struct aio_loop *loop = self->loop;
    if (!loop->depth) return aio_connection_flush(self);
    if (self->is_dirty || self == loop->served) return 0;
    self->is_dirty = 1;
    self->next_dirty = loop->dirty;
    loop->dirty = (struct aio_connection *)Py_NewRef(self);
    return 0;
}

/* A message in pieces holds up all others; after the handshake and before the end, messages may be sent. */
static int check_may_send(struct aio_connection *self) {
    if (self->phase == PHASE_OPEN && !self->is_sending) return 0;
    if (self->phase == PHASE_LOST) {
        aio_connection_raise_closed(self);
    } else if (self->phase == PHASE_CONNECTING) {
        PyErr_SetString(PyExc_RuntimeError, "the handshake is not over");
    } else {
        PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "a message in pieces is being sent");
    }
    return -1;
}

static int end_send(struct aio_connection *self, int error, size_t len) {
    if (error < 0) {
        protocol_error_raise(&self->protocol, self->state, error);
        return -1;
    }
    return len < BORROW_MIN ? aio_connection_flush_soon(self) : aio_connection_flush(self);
}

static int send_payload(struct aio_connection *self, int opcode, const void *payload, size_t len) {
    if (!self->loop->depth) protocol_touch(&self->protocol);
    return end_send(self, fastws_conn_send(self->protocol.conn, opcode, payload, len), len);
}

static int send_prepared(struct aio_connection *self, struct fastws_prepared *prepared) {
    if (!self->loop->depth) protocol_touch(&self->protocol);
    return end_send(self, fastws_conn_send_prepared(self->protocol.conn, prepared), 0);
}

/* The kind that text asks for: None goes by the type. Returns 0, or -1 with an exception. */
static int choose_opcode(PyObject *text, int is_str, int *opcode) {
    int is_text = text == Py_None || !text ? is_str : PyObject_IsTrue(text);
    *opcode = is_text ? FASTWS_OPCODE_TEXT : FASTWS_OPCODE_BINARY;
    return is_text < 0 ? -1 : 0;
}

static int send_object(struct aio_connection *self, PyObject *message, PyObject *text) {
    Py_buffer view;
    int opcode, is_str = PyUnicode_Check(message);
    if (choose_opcode(text, is_str, &opcode) < 0 || arg_payload(message, "message", &view) < 0) return -1;
    int result = -1;
    if (opcode == FASTWS_OPCODE_TEXT && !is_str && !fastws_utf8_is_valid(view.buf, (size_t)view.len)) {
        error_raise_value(FASTWS_ERR_UTF8);
    } else {
        result = send_payload(self, opcode, view.buf, (size_t)view.len);
    }
    PyBuffer_Release(&view);
    return result;
}

/* Sends a message that is there whole. Returns 1, 0 if it is none of these, -1 with an exception. */
static int send_whole(struct aio_connection *self, PyObject *message, PyObject *text) {
    int result;
    if (PyUnicode_CheckExact(message) && PyUnicode_IS_COMPACT_ASCII(message) && text == Py_None) {
        result = send_payload(self, FASTWS_OPCODE_TEXT, PyUnicode_DATA(message), (size_t)PyUnicode_GET_LENGTH(message));
    } else if (PyBytes_CheckExact(message) && text == Py_None) {
        size_t len = (size_t)PyBytes_GET_SIZE(message);
        result = send_payload(self, FASTWS_OPCODE_BINARY, PyBytes_AS_STRING(message), len);
    } else if (PyUnicode_Check(message) || PyObject_CheckBuffer(message)) {
        result = send_object(self, message, text);
    } else {
        struct fastws_prepared *prepared = prepared_get(self->state, message);
        if (!prepared) return 0;
        result = send_prepared(self, prepared);
    }
    return result < 0 ? -1 : 1;
}

PyObject *aio_send_nowait(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"message", "text", NULL};
    struct aio_connection *self = (struct aio_connection *)object;
    PyObject *sorted[2] = {count ? args[0] : NULL, NULL};
    if ((count != 1 || kwnames) && arg_sort("send_nowait", args, count, kwnames, names, 1, 1, sorted) < 0) return NULL;
    if (check_may_send(self) < 0) return NULL;
    int result = send_whole(self, sorted[0], sorted[1] ? sorted[1] : Py_None);
    if (result < 0) return NULL;
    if (result > 0) return PyBool_FromLong(!self->is_full);
    return PyErr_Format(PyExc_TypeError, "message must be str, bytes-like or PreparedMessage, not %.200s",
                        Py_TYPE(sorted[0])->tp_name);
}

/* Sends one frame of a message in pieces: (data, opcode, is_first, is_last). */
PyObject *aio_send_part(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    struct aio_connection *self = (struct aio_connection *)object;
    struct fastws_conn *conn = self->protocol.conn;
    Py_buffer view;
    int opcode;
    if (arg_count("_send_part", count, 4, 4) < 0 || arg_data_opcode(args[1], &opcode) < 0) return NULL;
    if (self->phase != PHASE_OPEN) return aio_connection_raise_closed(self);
    if (arg_payload(args[0], "message", &view) < 0) return NULL;
    protocol_touch(&self->protocol);
    int error = args[2] == Py_True ? fastws_conn_begin(conn, opcode) : 0;
    if (error == 0) error = fastws_conn_write(conn, view.buf, (size_t)view.len);
    if (error == 0) error = args[3] == Py_True ? fastws_conn_finish(conn) : fastws_conn_flush_fragment(conn);
    int result = end_send(self, error, BORROW_MIN);
    PyBuffer_Release(&view);
    return result < 0 ? NULL : PyBool_FromLong(!self->is_full);
}

/* (data, is_pong) */
PyObject *aio_send_control(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (arg_count("_send_control", count, 2, 2) < 0) return NULL;
    if (self->phase != PHASE_OPEN) return aio_connection_raise_closed(self);
    if (protocol_send_control(&self->protocol, self->state, args[1] == Py_True, args[0]) < 0) return NULL;
    if (aio_connection_flush_soon(self) < 0) return NULL;
    Py_RETURN_NONE;
}

PyObject *aio_send_close(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"code", "reason", NULL};
    struct aio_connection *self = (struct aio_connection *)object;
    PyObject *sorted[2];
    if (arg_sort("close_nowait", args, count, kwnames, names, 0, 2, sorted) < 0) return NULL;
    if (self->phase == PHASE_LOST) Py_RETURN_NONE;
    if (self->phase == PHASE_CONNECTING) {
        if (self->driver && self->driver->abort(self) < 0) return NULL;
        Py_RETURN_NONE;
    }
    if (aio_end_take(self) < 0) return NULL;
    if (self->phase == PHASE_LOST) Py_RETURN_NONE;
    if (protocol_send_close(&self->protocol, self->state, sorted[0], sorted[1]) < 0) return NULL;
    if (aio_connection_flush(self) < 0) return NULL;
    /* The answer may be behind what was not to be read yet. */
    if (self->is_held && aio_deliver(self) < 0) return NULL;
    if (!self->is_delivering && aio_connection_go_on(self) < 0) return NULL;
    if (aio_connection_settle(self) < 0) return NULL;
    Py_RETURN_NONE;
}

/* ---- Waiting for room ---- */

static int is_done(PyObject *future) {
    PyObject *done = PyObject_CallMethod(future, "done", NULL);
    int result = done == Py_True;
    if (!done) PyErr_Clear();
    Py_XDECREF(done);
    return result;
}

PyObject *aio_drain_wait(struct aio_connection *self) {
    if (!self->drains) self->drains = PyList_New(0);
    if (!self->drains) return NULL;
    /* Those who gave up. */
    Py_ssize_t count;
    while ((count = PyList_GET_SIZE(self->drains)) > 0 && is_done(PyList_GET_ITEM(self->drains, count - 1))) {
        if (PyList_SetSlice(self->drains, count - 1, count, NULL) < 0) return NULL;
    }
    PyObject *future = PyObject_CallNoArgs(self->loop->create_future);
    if (future && PyList_Append(self->drains, future) < 0) Py_CLEAR(future);
    return future;
}

void aio_drain_wake(struct aio_connection *self) {
    PyObject *drains = self->drains;
    self->drains = NULL;
    for (Py_ssize_t i = 0; drains && i < PyList_GET_SIZE(drains); i++) {
        PyObject *future = PyList_GET_ITEM(drains, i);
        if (is_done(future)) continue;
        PyObject *done = PyObject_CallMethod(future, "set_result", "O", Py_None);
        if (!done) PyErr_WriteUnraisable(future);
        Py_XDECREF(done);
    }
    Py_XDECREF(drains);
}

/* ---- What send() gives to await ---- */

enum send_state {
    SEND_FRESH,
    SEND_INNER, /* it waits, or Python code goes on: inner */
    SEND_OVER
};

struct send {
    PyObject_HEAD
    struct aio_connection *connection;
    PyObject *message;
    PyObject *text;
    PyObject *inner;
    uint8_t state; /* enum send_state */
};

PyObject *aio_send(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"message", "text", NULL};
    struct aio_connection *connection = (struct aio_connection *)object;
    PyObject *sorted[2] = {count ? args[0] : NULL, NULL};
    if ((count != 1 || kwnames) && arg_sort("send", args, count, kwnames, names, 1, 1, sorted) < 0) return NULL;
    struct send *self = (struct send *)connection->spare_send;
    if (self && Py_REFCNT(self) == 1) {
        connection->spare_send = NULL;
    } else {
        PyTypeObject *type = connection->state->aio_send_type;
        self = (struct send *)type->tp_alloc(type, 0);
        if (!self) return NULL;
    }
    self->connection = (struct aio_connection *)Py_NewRef(connection);
    self->message = Py_NewRef(sorted[0]);
    self->text = Py_NewRef(sorted[1] ? sorted[1] : Py_None);
    self->state = SEND_FRESH;
    return (PyObject *)self;
}

static void finish(struct send *self) {
    struct aio_connection *connection = self->connection;
    self->state = SEND_OVER;
    Py_CLEAR(self->message);
    Py_CLEAR(self->text);
    Py_CLEAR(self->inner);
    if (!connection) return;
    self->connection = NULL;
    if (!connection->spare_send) connection->spare_send = Py_NewRef(self);
    Py_DECREF(connection);
}

/* Has Python code go on: pieces, others that are before us, a connection that is over, a buffer that is full. */
static int go_on_in_python(struct send *self, int is_queued) {
    PyObject *connection = (PyObject *)self->connection, *const *names = self->connection->state->names;
    PyObject *coroutine =
        is_queued ? PyObject_CallMethodNoArgs(connection, names[NAME_DRAIN])
                  : PyObject_CallMethodObjArgs(connection, names[NAME_SEND_SLOWLY], self->message, self->text, NULL);
    if (!coroutine) return -1;
    self->inner = PyObject_CallMethod(coroutine, "__await__", NULL);
    Py_DECREF(coroutine);
    self->state = SEND_INNER;
    return self->inner ? 0 : -1;
}

/* Returns 1 if the message is out, 0 if inner goes on, -1 with an exception. */
static int begin(struct send *self) {
    struct aio_connection *connection = self->connection;
    int is_open = connection->phase == PHASE_OPEN &&
                  fastws_conn_get_state(connection->protocol.conn) == FASTWS_CONN_OPEN;
    int result = is_open && !connection->is_sending ? send_whole(connection, self->message, self->text) : 0;
    if (result < 0) return -1;
    if (result > 0 && !connection->is_full) return 1;
    return go_on_in_python(self, result);
}

static PySendResult send_step(PyObject *object, PyObject *value, PyObject **out) {
    struct send *self = (struct send *)object;
    *out = NULL;
    if (self->state == SEND_OVER) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    if (self->state == SEND_FRESH) {
        int result = begin(self);
        if (result != 0) {
            finish(self);
            if (result > 0) *out = Py_NewRef(Py_None);
            return result > 0 ? PYGEN_RETURN : PYGEN_ERROR;
        }
        value = Py_None;
    }
    PyObject *inner = Py_NewRef(self->inner);
    PySendResult result = PyIter_Send(inner, value, out);
    Py_DECREF(inner);
    if (result != PYGEN_NEXT) finish(self);
    return result;
}

/* ---- The protocol of a coroutine ---- */

static PyObject *send_send(PyObject *object, PyObject *value) {
    PyObject *out;
    PySendResult result = send_step(object, value, &out);
    if (result == PYGEN_RETURN) {
        Py_DECREF(out);
        PyErr_SetNone(PyExc_StopIteration);
        return NULL;
    }
    return result == PYGEN_NEXT ? out : NULL;
}

static PyObject *send_iternext(PyObject *object) { return send_send(object, Py_None); }

static PyObject *send_throw(PyObject *object, PyObject *args) {
    struct send *self = (struct send *)object;
    if (!self->inner) {
        PyObject *type, *value = NULL, *traceback = NULL;
        finish(self);
        if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback)) return NULL;
        int is_instance = PyExceptionInstance_Check(type);
        PyObject *raised = is_instance ? type : value == Py_None ? NULL : value;
        PyErr_Restore(Py_NewRef(is_instance ? (PyObject *)Py_TYPE(type) : type), Py_XNewRef(raised), NULL);
        return NULL;
    }
    PyObject *inner = Py_NewRef(self->inner);
    PyObject *method = PyObject_GetAttrString(inner, "throw");
    PyObject *out = method ? PyObject_CallObject(method, args) : NULL;
    Py_XDECREF(method);
    Py_DECREF(inner);
    if (!out) finish(self);
    return out;
}

static PyObject *send_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct send *self = (struct send *)object;
    PyObject *done = self->inner ? PyObject_CallMethod(self->inner, "close", NULL) : Py_NewRef(Py_None);
    finish(self);
    return done;
}

static PyObject *send_await(PyObject *object) { return Py_NewRef(object); }

/* ---- The type ---- */

static int send_traverse(PyObject *object, visitproc visit, void *arg) {
    struct send *self = (struct send *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->connection);
    Py_VISIT(self->message);
    Py_VISIT(self->text);
    Py_VISIT(self->inner);
    return 0;
}

static int send_clear(PyObject *object) {
    struct send *self = (struct send *)object;
    self->state = SEND_OVER;
    Py_CLEAR(self->connection);
    Py_CLEAR(self->message);
    Py_CLEAR(self->text);
    Py_CLEAR(self->inner);
    return 0;
}

static void send_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    send_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef send_methods[] = {
    {"send", send_send, METH_O, NULL},
    {"throw", send_throw, METH_VARARGS, NULL},
    {"close", send_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot send_slots[] = {
    {Py_tp_doc, "A message that is being sent."},
    SLOT(Py_tp_dealloc, send_dealloc),
    SLOT(Py_tp_traverse, send_traverse),
    SLOT(Py_tp_clear, send_clear),
    SLOT(Py_am_await, send_await),
    SLOT(Py_am_send, send_step),
    SLOT(Py_tp_iter, PyObject_SelfIter),
    SLOT(Py_tp_iternext, send_iternext),
    {Py_tp_methods, send_methods},
    {0, NULL},
};

PyType_Spec aio_send_spec = {
    .name = "fastws._core._Send",
    .basicsize = sizeof(struct send),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = send_slots,
};
