/* SPDX-License-Identifier: MIT */
/* What send() of an AsyncConnection gives to await: a coroutine in C, which is over at once where there is room. */
#include "aio.h"

#include "args.h"

enum send_state {
    SEND_FRESH,
    SEND_INNER, /* it waits, or Python code goes on: inner */
    SEND_OVER
};

struct send {
    PyObject_HEAD
    struct aio_connection *connection;
    PyObject *message;
    PyObject *text;     /* and compress: as given, or NULL */
    PyObject *compress;
    PyObject *inner;
    uint8_t state; /* enum send_state */
};

PyObject *aio_send(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"message", "text", "compress", NULL};
    struct aio_connection *connection = (struct aio_connection *)object;
    PyObject *sorted[3] = {count ? args[0] : NULL, NULL, NULL};
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
    self->text = Py_XNewRef(sorted[1]);
    self->compress = Py_XNewRef(sorted[2]);
    self->state = SEND_FRESH;
    return (PyObject *)self;
}

/* Lets go of everything but the connection. */
static void end(struct send *self) {
    self->state = SEND_OVER;
    Py_CLEAR(self->message);
    Py_CLEAR(self->text);
    Py_CLEAR(self->compress);
    Py_CLEAR(self->inner);
}

static void finish(struct send *self) {
    struct aio_connection *connection = self->connection;
    end(self);
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
                  : PyObject_CallMethodObjArgs(connection, names[NAME_SEND_SLOWLY], self->message,
                                               self->text ? self->text : Py_None,
                                               self->compress ? self->compress : Py_None, NULL);
    if (!coroutine) return -1;
    self->inner = PyObject_CallMethod(coroutine, "__await__", NULL);
    Py_DECREF(coroutine);
    self->state = SEND_INNER;
    return self->inner ? 0 : -1;
}

/* Returns 1 if the message is out, 0 if inner goes on, -1 with an exception. */
static int begin(struct send *self) {
    struct aio_connection *connection = self->connection;
    if (!self->text && !self->compress && aio_send_short(connection, self->message)) {
        return connection->is_full ? go_on_in_python(self, 1) : 1;
    }
    int is_open = connection->phase == PHASE_OPEN &&
                  fastws_conn_get_state(connection->protocol.conn) == FASTWS_CONN_OPEN;
    int result = 0;
    if (is_open && !connection->is_sending) {
        result = aio_send_whole(connection, self->message, self->text, self->compress);
    }
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
        finish(self);
        return aio_throw(args);
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
    Py_VISIT(self->compress);
    Py_VISIT(self->inner);
    return 0;
}

static int send_clear(PyObject *object) {
    struct send *self = (struct send *)object;
    end(self);
    Py_CLEAR(self->connection);
    return 0;
}

static void send_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    const struct send *self = (const struct send *)object;
    PyObject_GC_UnTrack(object);
    if (self->state == SEND_FRESH && self->connection) aio_warn_not_awaited("Connection.send");
    send_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *send_name(PyObject *Py_UNUSED(object), void *Py_UNUSED(closure)) {
    return PyUnicode_FromString("Connection.send");
}

static PyGetSetDef send_getset[] = {
    {"__name__", send_name, NULL, NULL, NULL},
    {"__qualname__", send_name, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

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
    {Py_tp_getset, send_getset},
    {0, NULL},
};

PyType_Spec aio_send_spec = {
    .name = "fastws._core._Send",
    .basicsize = sizeof(struct send),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = send_slots,
};
