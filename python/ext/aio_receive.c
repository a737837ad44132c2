/* SPDX-License-Identifier: MIT */
/* What recv() and async iteration give to await: a coroutine in C, which is over at once when a message is there. */
#include "aio.h"

#include "args.h"

enum receive_kind {
    RECEIVE_MESSAGE, /* recv() */
    RECEIVE_NEXT,    /* async for: a good end ends the iteration */
    RECEIVE_PART     /* for recv_streaming(): (data, is_last), or the message whole */
};

enum receive_state {
    RECEIVE_FRESH,
    RECEIVE_WAITING,
    RECEIVE_OVER
};

struct receive {
    PyObject_HEAD
    struct aio_connection *connection;
    PyObject *decode; /* None, or what recv() was told */
    uint8_t kind;     /* enum receive_kind */
    uint8_t state;    /* enum receive_state */
};

static PyObject *receive_new(struct aio_connection *connection, enum receive_kind kind, PyObject *decode) {
    struct receive *self = (struct receive *)connection->spare_receive;
    if (self && Py_REFCNT(self) == 1) {
        /* It has no reference to its connection while it is spare. */
        connection->spare_receive = NULL;
    } else {
        PyTypeObject *type = connection->state->aio_receive_type;
        self = (struct receive *)type->tp_alloc(type, 0);
        if (!self) return NULL;
    }
    self->connection = (struct aio_connection *)Py_NewRef(connection);
    if (self->decode != decode) Py_XSETREF(self->decode, Py_NewRef(decode));
    self->kind = (uint8_t)kind;
    self->state = RECEIVE_FRESH;
    return (PyObject *)self;
}

/* It is over: the connection may use it again. */
static void finish(struct receive *self) {
    struct aio_connection *connection = self->connection;
    self->state = RECEIVE_OVER;
    if (!connection) return;
    if (connection->receiver == (PyObject *)self) connection->receiver = NULL;
    self->connection = NULL;
    if (!connection->spare_receive) connection->spare_receive = Py_NewRef(self);
    Py_DECREF(connection);
}

int aio_receive_wake(struct aio_connection *self) {
    if (!self->receiver || !self->waiter) return 0;
    PyObject *waiter = Py_NewRef(self->waiter);
    int result = aio_waiter_wake(waiter, self->loop);
    Py_DECREF(waiter);
    return result;
}

/* ---- Steps ---- */

static int begin(struct receive *self) {
    struct aio_connection *connection = self->connection;
    if (self->state == RECEIVE_OVER) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return -1;
    }
    if (self->state == RECEIVE_WAITING) return 0;
    int is_taken = connection->receiver || (connection->is_streaming && self->kind != RECEIVE_PART);
    if (!is_taken) return 0;
    PyErr_SetString(connection->state->exceptions[EXC_CONCURRENCY_ERROR],
                    "another coroutine runs recv() or recv_streaming() already");
    return -1;
}

static int take(struct receive *self, PyObject **out) {
    if (self->kind != RECEIVE_PART) return aio_take_message(self->connection, self->decode, out);
    struct aio_item item;
    int result = aio_take_part(self->connection, &item);
    if (result <= 0) return result;
    *out = Py_BuildValue("(NiN)", item.data, item.opcode, PyBool_FromLong(item.is_last));
    return *out ? 1 : -1;
}

/* A good end ends an iteration. RFC 6455 7.4.1. */
static void end_iteration(struct receive *self, struct state *state) {
    if (self->kind != RECEIVE_NEXT || !PyErr_ExceptionMatches(state->exceptions[EXC_CONNECTION_CLOSED_OK])) return;
    PyErr_Clear();
    PyErr_SetNone(PyExc_StopAsyncIteration);
}

static PySendResult receive_step(PyObject *object, PyObject *Py_UNUSED(value), PyObject **out) {
    struct receive *self = (struct receive *)object;
    if (begin(self) < 0) {
        if (self->state == RECEIVE_FRESH) finish(self);
        return PYGEN_ERROR;
    }
    struct aio_connection *connection = self->connection;
    struct state *state = connection->state;
    int result = take(self, out);
    if (result == 0 && aio_end_take(connection) < 0) result = -1;
    if (result == 0 && connection->phase == PHASE_LOST) {
        aio_connection_raise_closed(connection);
        result = -1;
    }
    if (result == 0 && connection->endpoint->on_message) {
        PyErr_SetString(PyExc_RuntimeError, "messages of this connection go to on_message() of its listener");
        result = -1;
    }
    if (result == 0) {
        connection->receiver = object;
        self->state = RECEIVE_WAITING;
        *out = aio_waiter_get(connection);
        if (*out) return PYGEN_NEXT;
    }
    finish(self);
    if (result > 0) return PYGEN_RETURN;
    end_iteration(self, state);
    return PYGEN_ERROR;
}

/* ---- The protocol of a coroutine ---- */

static PyObject *raise_return(PyObject *value) {
    if (value == Py_None) {
        PyErr_SetNone(PyExc_StopIteration);
    } else {
        PyObject *exception = PyObject_CallOneArg(PyExc_StopIteration, value);
        if (exception) PyErr_SetObject(PyExc_StopIteration, exception);
        Py_XDECREF(exception);
    }
    Py_DECREF(value);
    return NULL;
}

static PyObject *receive_send(PyObject *object, PyObject *value) {
    PyObject *out = NULL;
    switch (receive_step(object, value, &out)) {
    case PYGEN_NEXT: return out;
    case PYGEN_RETURN: return raise_return(out);
    default: return NULL;
    }
}

static PyObject *receive_iternext(PyObject *object) { return receive_send(object, Py_None); }

void aio_warn_not_awaited(const char *name) {
    PyObject *type, *raised, *traceback;
    PyErr_Fetch(&type, &raised, &traceback);
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine '%s' was never awaited", name) < 0) {
        PyErr_WriteUnraisable(Py_None);
    }
    PyErr_Restore(type, raised, traceback);
}

PyObject *aio_throw(PyObject *args) {
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback)) return NULL;
    if (PyExceptionInstance_Check(type)) {
        value = type;
        type = (PyObject *)Py_TYPE(type);
    }
    if (!PyExceptionClass_Check(type)) return PyErr_Format(PyExc_TypeError, "throw() takes an exception");
    PyErr_Restore(Py_NewRef(type), Py_XNewRef(value == Py_None ? NULL : value),
                  Py_XNewRef(traceback == Py_None ? NULL : traceback));
    return NULL;
}

static PyObject *receive_throw(PyObject *object, PyObject *args) {
    finish((struct receive *)object);
    return aio_throw(args);
}

static PyObject *receive_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    finish((struct receive *)object);
    Py_RETURN_NONE;
}

static PyObject *receive_await(PyObject *object) { return Py_NewRef(object); }

/* ---- The type ---- */

static const char *name_of(const struct receive *self) {
    static const char *const names[] = {"Connection.recv", "Connection.__anext__", "Connection._receive_part"};
    return names[self->kind];
}

static int receive_traverse(PyObject *object, visitproc visit, void *arg) {
    struct receive *self = (struct receive *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->connection);
    Py_VISIT(self->decode);
    return 0;
}

static int receive_clear(PyObject *object) {
    struct receive *self = (struct receive *)object;
    struct aio_connection *connection = self->connection;
    self->connection = NULL;
    self->state = RECEIVE_OVER;
    if (connection && connection->receiver == object) connection->receiver = NULL;
    Py_XDECREF(connection);
    Py_CLEAR(self->decode);
    return 0;
}

static void receive_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    const struct receive *self = (const struct receive *)object;
    PyObject_GC_UnTrack(object);
    if (self->state == RECEIVE_FRESH && self->connection) aio_warn_not_awaited(name_of(self));
    receive_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *receive_name(PyObject *object, void *Py_UNUSED(closure)) {
    return PyUnicode_FromString(name_of((const struct receive *)object));
}

static PyGetSetDef receive_getset[] = {
    {"__name__", receive_name, NULL, NULL, NULL},
    {"__qualname__", receive_name, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef receive_methods[] = {
    {"send", receive_send, METH_O, NULL},
    {"throw", receive_throw, METH_VARARGS, NULL},
    {"close", receive_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot receive_slots[] = {
    {Py_tp_doc, "A message that is awaited."},
    SLOT(Py_tp_dealloc, receive_dealloc),
    SLOT(Py_tp_traverse, receive_traverse),
    SLOT(Py_tp_clear, receive_clear),
    SLOT(Py_am_await, receive_await),
    SLOT(Py_am_send, receive_step),
    SLOT(Py_tp_iter, PyObject_SelfIter),
    SLOT(Py_tp_iternext, receive_iternext),
    {Py_tp_methods, receive_methods},
    {Py_tp_getset, receive_getset},
    {0, NULL},
};

PyType_Spec aio_receive_spec = {
    .name = "fastws._core._Receive",
    .basicsize = sizeof(struct receive),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = receive_slots,
};

/* ---- Who makes one ---- */

PyObject *aio_receive(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"decode", NULL};
    PyObject *decode = NULL;
    if ((count || kwnames) && arg_sort("recv", args, count, kwnames, names, 0, 1, &decode) < 0) return NULL;
    return receive_new((struct aio_connection *)object, RECEIVE_MESSAGE, decode ? decode : Py_None);
}

PyObject *aio_receive_next(PyObject *object) {
    return receive_new((struct aio_connection *)object, RECEIVE_NEXT, Py_None);
}

PyObject *aio_receive_part(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return receive_new((struct aio_connection *)object, RECEIVE_PART, Py_None);
}
