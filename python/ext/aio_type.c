/* SPDX-License-Identifier: MIT */
/* The AsyncConnection type: what Python sees of a connection under asyncio. */
#include "aio.h"

#include <string.h>
#include <structmember.h>

#include "args.h"
#include "errors.h"

static PyObject *connection_tp_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs)) {
    struct state *state = state_of_type(type);
    PyObject *endpoint = PyTuple_GET_SIZE(args) ? PyTuple_GET_ITEM(args, 0) : NULL;
    if (!state) return NULL;
    if (!endpoint || !PyObject_TypeCheck(endpoint, state->aio_endpoint_type)) {
        return PyErr_Format(PyExc_TypeError, "the first argument of %s must be an AsyncEndpoint", type->tp_name);
    }
    struct aio_connection *self = (struct aio_connection *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state;
    self->endpoint = (struct aio_endpoint *)Py_NewRef(endpoint);
    self->loop = (struct aio_loop *)Py_NewRef(self->endpoint->loop);
    self->protocol.config = self->endpoint->config;
    self->end_ms = UINT64_MAX;
    return (PyObject *)self;
}

static int connection_traverse(PyObject *object, visitproc visit, void *arg) {
    struct aio_connection *self = (struct aio_connection *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->endpoint);
    Py_VISIT(self->loop);
    Py_VISIT(self->driver_data);
    Py_VISIT(self->spare_receive);
    Py_VISIT(self->spare_send);
    Py_VISIT(self->waiter);
    Py_VISIT(self->drains);
    Py_VISIT(self->closed);
    Py_VISIT(self->exception);
    Py_VISIT(self->pings);
    return hooks_traverse(&self->protocol.hooks, visit, arg);
}

static int connection_clear(PyObject *object) {
    struct aio_connection *self = (struct aio_connection *)object;
    Py_CLEAR(self->spare_receive);
    Py_CLEAR(self->spare_send);
    Py_CLEAR(self->waiter);
    Py_CLEAR(self->drains);
    Py_CLEAR(self->closed);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->pings);
    self->driver = NULL;
    Py_CLEAR(self->driver_data);
    return 0;
}

static void connection_dealloc(PyObject *object) {
    struct aio_connection *self = (struct aio_connection *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->timer) aio_timers_remove(self->loop, self);
    if (self->loop && self->loop->lent == self) self->loop->lent = NULL;
    connection_clear(object);
    protocol_close(&self->protocol);
    aio_queue_clear(&self->queue);
    Py_CLEAR(self->backlog);
    Py_CLEAR(self->endpoint);
    Py_CLEAR(self->loop);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- For fastws/asyncio ---- */

static PyObject *connection_open(PyObject *object, PyObject *args) {
    struct aio_connection *self = (struct aio_connection *)object;
    Py_buffer rest;
    PyObject *compression;
    if (!PyArg_ParseTuple(args, "y*O:_open", &rest, &compression)) return NULL;
    int result = -1;
    if (self->phase != PHASE_CONNECTING || !self->driver) {
        PyErr_SetString(PyExc_RuntimeError, "the connection is not connecting");
    } else if (deflate_take(self->state, compression, &self->protocol.compression) == 0) {
        result = protocol_open(&self->protocol, self->state);
    }
    if (result == 0) {
        self->phase = PHASE_OPEN;
        self->end_ms = UINT64_MAX;
        aio_loop_enter(self->loop);
        result = self->endpoint->callbacks[ON_OPEN] ? aio_listener_call(self, ON_OPEN, NULL) : 0;
        if (result == 0 && rest.len) result = aio_connection_received(self, rest.buf, (size_t)rest.len);
        if (result == 0) result = aio_connection_settle(self);
        aio_loop_leave(self->loop);
    }
    PyBuffer_Release(&rest);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *connection_write(PyObject *object, PyObject *bytes) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (self->driver && self->driver->write(self, bytes) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *finished(int result) { return result < 0 ? NULL : Py_NewRef(Py_None); }

static PyObject *connection_abort(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct aio_connection *self = (struct aio_connection *)object;
    return finished(self->driver ? self->driver->abort(self) : 0);
}

static PyObject *connection_close_transport(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct aio_connection *self = (struct aio_connection *)object;
    return finished(self->driver ? self->driver->close(self) : 0);
}

static PyObject *connection_end_within(PyObject *object, PyObject *seconds) {
    struct aio_connection *self = (struct aio_connection *)object;
    uint64_t ms;
    if (arg_seconds(seconds, "timeout", 1, UINT32_MAX, &ms) < 0) return NULL;
    self->end_ms = seconds == Py_None ? UINT64_MAX : protocol_now_ms() + ms;
    return finished(aio_connection_settle(self));
}

static PyObject *connection_closed(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    if (aio_end_take((struct aio_connection *)object) < 0) return NULL;
    return Py_XNewRef(aio_connection_closed((struct aio_connection *)object));
}

static PyObject *connection_closed_error(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    aio_connection_raise_closed((struct aio_connection *)object);
    return error_take();
}

static PyObject *connection_wait_room(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (!self->is_full || self->phase != PHASE_OPEN) Py_RETURN_NONE;
    return aio_room_wait(self);
}

static PyObject *connection_extra_info(PyObject *object, PyObject *args) {
    struct aio_connection *self = (struct aio_connection *)object;
    PyObject *name, *default_value = Py_None;
    if (!PyArg_ParseTuple(args, "O|O:get_extra_info", &name, &default_value)) return NULL;
    const struct aio_driver *driver = self->driver ? self->driver : self->parted;
    return driver ? driver->get_extra_info(self, name, default_value) : Py_NewRef(default_value);
}

/* ---- Attributes ---- */

static PyObject *get_transport(PyObject *object, void *Py_UNUSED(closure)) {
    struct aio_connection *self = (struct aio_connection *)object;
    return self->driver ? self->driver->get_transport(self) : Py_NewRef(Py_None);
}

static PyObject *get_queued(PyObject *object, void *Py_UNUSED(closure)) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (!self->driver) return PyLong_FromLong(0);
    Py_ssize_t held = self->driver->count_held(self);
    if (held < 0) return NULL;
    uint64_t pending = self->protocol.conn ? fastws_conn_pending_len(self->protocol.conn) : 0;
    return PyLong_FromUnsignedLongLong(pending + (uint64_t)held);
}

static PyObject *get_state_number(PyObject *object, void *Py_UNUSED(closure)) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (self->phase == PHASE_CONNECTING) return PyLong_FromLong(0);
    if (self->phase == PHASE_LOST) return PyLong_FromLong(3);
    return PyLong_FromLong(fastws_conn_get_state(self->protocol.conn) == FASTWS_CONN_OPEN ? 1 : 2);
}

static PyObject *get_close_code(PyObject *object, void *Py_UNUSED(closure)) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (self->phase != PHASE_LOST) Py_RETURN_NONE;
    return self->protocol.conn ? protocol_close_code(&self->protocol) : PyLong_FromLong(1006);
}

static PyObject *get_close_reason(PyObject *object, void *Py_UNUSED(closure)) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (self->phase != PHASE_LOST) Py_RETURN_NONE;
    return self->protocol.conn ? protocol_close_reason(&self->protocol) : PyUnicode_New(0, 0);
}

static PyObject *get_compression(PyObject *object, void *Py_UNUSED(closure)) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (!self->protocol.conn) Py_RETURN_NONE;
    return protocol_compression(&self->protocol);
}

static PyObject *get_is_streaming(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((struct aio_connection *)object)->is_streaming);
}

static PyGetSetDef connection_getset[] = {
    {"transport", get_transport, NULL, "The transport of the event loop; None before there is one and when it is gone.",
     NULL},
    {"queued", get_queued, NULL, "Bytes that were sent and that the system has not taken yet.", NULL},
    {"compression", get_compression, NULL,
     "The Deflate that messages are compressed by, whose parameters were agreed on; None where none is.", NULL},
    {"_state", get_state_number, NULL, "The number of state.", NULL},
    {"_is_streaming", get_is_streaming, NULL, "Whether a message was received in part and is not over.", NULL},
    {"close_code", get_close_code, NULL,
     "The code of the peer's close frame, 1006 if there was none; None while the connection is not closed.", NULL},
    {"close_reason", get_close_reason, NULL,
     "The reason in the peer's close frame; None while the connection is not closed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef connection_members[] = {
    {"_endpoint", T_OBJECT_EX, offsetof(struct aio_connection, endpoint), READONLY, NULL},
    {"_pings", T_OBJECT, offsetof(struct aio_connection, pings), 0,
     "Pings that wait for their pongs: a dict, or None."},
    {"_exception", T_OBJECT, offsetof(struct aio_connection, exception), 0, "What ended the transport, or None."},
    {"_is_sending", T_BOOL, offsetof(struct aio_connection, is_sending), 0,
     "Whether a message in pieces is being sent."},
    {"latency", T_DOUBLE, offsetof(struct aio_connection, latency), 0,
     "Seconds between the last ping that was answered and its pong; 0.0 before there is one."},
    {NULL, 0, 0, 0, NULL},
};

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef connection_methods[] = {
    {"recv", METHOD(aio_receive), METH_FASTCALL | METH_KEYWORDS,
     "recv($self, /, decode=None)\n--\n\n"
     "Receives the next message. To cancel it is safe: nothing is lost.\n\n"
     "Args:\n"
     "    decode: None for str from text messages and bytes from binary ones; False for bytes always, True for str.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended, and every message that came was taken.\n"
     "    ConcurrencyError: another coroutine receives already."},
    {"send", METHOD(aio_send), METH_FASTCALL | METH_KEYWORDS,
     "send($self, /, message, *, text=None, compress=None)\n--\n\n"
     "Sends a message, and waits while more than write_limit is on its way.\n\n"
     "Args:\n"
     "    message: str for text, bytes-like for binary, a PreparedMessage, or an iterable or asynchronous iterable of\n"
     "        str or of bytes-like: each item becomes a frame. RFC 6455 5.4.\n"
     "    text: True to send bytes as text, False to send the UTF-8 of a str as binary.\n"
     "    compress: True or False overrules the Deflate of the connection, None leaves it to that. It means nothing\n"
     "        where compression was not agreed on.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended.\n"
     "    TypeError: message is none of these; a mapping is not taken.\n"
     "    ValueError: text is not UTF-8."},
    {"send_nowait", METHOD(aio_send_nowait), METH_FASTCALL | METH_KEYWORDS,
     "send_nowait($self, /, message, *, text=None, compress=None)\n--\n\n"
     "Sends a message without waiting: for callbacks. What the peer does not take is kept in memory.\n\n"
     "Args: as for send(), but message is whole.\n\n"
     "Returns:\n"
     "    True while there is room for more; after False on_drain() of a listener says when there is again.\n\n"
     "Raises: as send() does, and\n"
     "    ConcurrencyError: a message in pieces is being sent."},
    {"close_nowait", METHOD(aio_send_close), METH_FASTCALL | METH_KEYWORDS,
     "close_nowait($self, /, code=1000, reason='')\n--\n\n"
     "Begins to close the connection, without waiting for its end. RFC 6455 7.1.2."},
    {"get_extra_info", connection_extra_info, METH_VARARGS,
     "get_extra_info($self, name, default=None, /)\n--\n\n"
     "As get_extra_info() of the transport; default when it is gone."},
    {"_receive_part", aio_receive_part, METH_NOARGS, NULL},
    {"_send_part", METHOD(aio_send_part), METH_FASTCALL, NULL},
    {"_send_control", METHOD(aio_send_control), METH_FASTCALL, NULL},
    {"_open", connection_open, METH_VARARGS, NULL},
    {"_write", connection_write, METH_O, NULL},
    {"_abort", connection_abort, METH_NOARGS, NULL},
    {"_close_transport", connection_close_transport, METH_NOARGS, NULL},
    {"_end_within", connection_end_within, METH_O, NULL},
    {"_closed", connection_closed, METH_NOARGS, NULL},
    {"_closed_error", connection_closed_error, METH_NOARGS, NULL},
    {"_wait_room", connection_wait_room, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* ---- Methods of the classes that are made of it ---- */

/* NULL: there is none. */
static PyMethodDef *definition_of(const char *name) {
    for (PyMethodDef *method = connection_methods; method->ml_name; method++) {
        if (strcmp(method->ml_name, name) == 0) return method;
    }
    return NULL;
}

static int own_method(PyObject *type, const char *name) {
    PyMethodDef *definition = definition_of(name);
    PyObject *found = PyObject_GetAttrString(type, name);
    if (!found) return -1;
    int is_inherited = Py_IS_TYPE(found, &PyMethodDescr_Type) && ((PyMethodDescrObject *)found)->d_method == definition;
    PyObject *own = is_inherited ? PyDescr_NewMethod((PyTypeObject *)type, definition) : Py_NewRef(found);
    int result = own && is_inherited ? PyObject_SetAttrString(type, name, own) : own ? 0 : -1;
    Py_XDECREF(own);
    Py_DECREF(found);
    return result;
}

PyObject *aio_own_methods(PyObject *Py_UNUSED(module), PyObject *type) {
    static const char *const names[] = {"recv", "send", "send_nowait"};
    if (!PyType_Check(type)) return PyErr_Format(PyExc_TypeError, "_own_methods() takes a class");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (own_method(type, names[i]) < 0) return NULL;
    }
    return Py_NewRef(type);
}

static PyType_Slot connection_slots[] = {
    {Py_tp_doc, "AsyncConnection(endpoint, *args, **kwargs)\n--\n\n"
                "One connection under asyncio: what Python code makes connections of."},
    SLOT(Py_tp_new, connection_tp_new),
    SLOT(Py_tp_dealloc, connection_dealloc),
    SLOT(Py_tp_traverse, connection_traverse),
    SLOT(Py_tp_clear, connection_clear),
    SLOT(Py_am_aiter, PyObject_SelfIter),
    SLOT(Py_am_anext, aio_receive_next),
    {Py_tp_methods, connection_methods},
    {Py_tp_members, connection_members},
    {Py_tp_getset, connection_getset},
    {0, NULL},
};

PyType_Spec aio_connection_spec = {
    .name = "fastws._core.AsyncConnection",
    .basicsize = sizeof(struct aio_connection),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = connection_slots,
};
