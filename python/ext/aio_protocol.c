/* SPDX-License-Identifier: MIT */
/* The AsyncProtocol type: the driver over the transports of asyncio and uvloop, with TLS and without. Python makes it
 * an asyncio.BufferedProtocol.
 *
 * Plain sockets are received into the memory of the connection, and written to by system calls of our own as long as
 * the transport holds nothing back. */
#include "aio.h"

#include <limits.h>

#include "aio_socket.h"
#include "args.h"

struct protocol_driver {
    PyObject_HEAD
    struct state *state;
    struct aio_connection *connection; /* NULL after the end */
    PyObject *transport;
    int fd;               /* of a plain socket, else -1 */
    uint8_t is_held_back; /* the transport may hold bytes that have to go first */
    uint8_t is_in_space;  /* the buffer given last is memory of the connection */
};

static struct protocol_driver *driver_of(const struct aio_connection *connection) {
    return (struct protocol_driver *)connection->driver_data;
}

/* Calls a method of the transport. Returns 0, or -1 with an exception. */
static int call_transport(struct protocol_driver *self, enum name name, PyObject *argument) {
    PyObject *transport = Py_NewRef(self->transport);
    PyObject *result = argument ? PyObject_CallMethodOneArg(transport, self->state->names[name], argument)
                                : PyObject_CallMethodNoArgs(transport, self->state->names[name]);
    Py_DECREF(transport);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* ---- Writing ---- */

static Py_ssize_t protocol_count_held(struct aio_connection *connection) {
    struct protocol_driver *self = driver_of(connection);
    PyObject *size = PyObject_CallMethodNoArgs(self->transport, self->state->names[NAME_GET_WRITE_BUFFER_SIZE]);
    Py_ssize_t len = size ? PyLong_AsSsize_t(size) : -1;
    Py_XDECREF(size);
    return len;
}

/* Whether the transport holds nothing that would have to go first. */
static int may_write(struct aio_connection *connection) {
    struct protocol_driver *self = driver_of(connection);
    if (self->fd < 0) return 0;
    if (!self->is_held_back) return 1;
    Py_ssize_t len = protocol_count_held(connection);
    if (PyErr_Occurred()) PyErr_Clear();
    self->is_held_back = len != 0;
    return len == 0;
}

static int own(struct fastws_conn *conn) {
    if (fastws_conn_own(conn) == 0) return 0;
    PyErr_NoMemory();
    return -1;
}

static int protocol_flush(struct aio_connection *connection) {
    struct protocol_driver *self = driver_of(connection);
    struct fastws_conn *conn = connection->protocol.conn;
    /* What the transport does not want yet waits where it is counted. */
    if (connection->is_full) return own(conn);
    int is_broken = may_write(connection) && aio_socket_write(self->fd, conn) < 0;
    if (!fastws_conn_pending_len(conn)) return 0;
    PyObject *rest = protocol_drain(&connection->protocol);
    if (!rest) return -1;
    self->is_held_back = 1;
    int result = call_transport(self, NAME_WRITE, rest);
    Py_DECREF(rest);
    /* The end is about to be told. Who sends in a loop has to wait for it, or it would never be. */
    if (is_broken) connection->is_full = 1;
    return result;
}

static int protocol_write_head(struct aio_connection *connection, PyObject *bytes) {
    struct protocol_driver *self = driver_of(connection);
    self->is_held_back = 1;
    return call_transport(self, NAME_WRITE, bytes);
}

/* ---- The rest of the table ---- */

static int protocol_pause(struct aio_connection *connection) {
    return call_transport(driver_of(connection), NAME_PAUSE_READING, NULL);
}

static int protocol_resume(struct aio_connection *connection) {
    return call_transport(driver_of(connection), NAME_RESUME_READING, NULL);
}

static int protocol_close_transport(struct aio_connection *connection) {
    return call_transport(driver_of(connection), NAME_CLOSE, NULL);
}

static int protocol_abort(struct aio_connection *connection) {
    return call_transport(driver_of(connection), NAME_ABORT, NULL);
}

static int protocol_finish(struct aio_connection *connection) {
    struct protocol_driver *self = driver_of(connection);
    PyObject *can = PyObject_CallMethodNoArgs(self->transport, self->state->names[NAME_CAN_WRITE_EOF]);
    int is_half = can ? PyObject_IsTrue(can) : -1;
    Py_XDECREF(can);
    if (is_half < 0) return -1;
    if (!is_half) return protocol_close_transport(connection);
    if (call_transport(self, NAME_WRITE_EOF, NULL) == 0) return 0;
    /* The socket is gone already, which the loop will find. */
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return -1;
    PyErr_Clear();
    return protocol_close_transport(connection);
}

static PyObject *protocol_extra_info(struct aio_connection *connection, PyObject *name, PyObject *default_value) {
    struct protocol_driver *self = driver_of(connection);
    return PyObject_CallMethodObjArgs(self->transport, self->state->names[NAME_GET_EXTRA_INFO], name, default_value,
                                      NULL);
}

static PyObject *protocol_transport(struct aio_connection *connection) {
    return Py_NewRef(driver_of(connection)->transport);
}

static const struct aio_driver protocol_driver = {
    .name = "protocol",
    .flush = protocol_flush,
    .pause_reading = protocol_pause,
    .resume_reading = protocol_resume,
    .finish = protocol_finish,
    .close = protocol_close_transport,
    .abort = protocol_abort,
    .write = protocol_write_head,
    .count_held = protocol_count_held,
    .get_extra_info = protocol_extra_info,
    .get_transport = protocol_transport,
};

/* ---- What the event loop calls ---- */

/* What comes out of a batch goes to the loop's handler, and ends the connection; KeyboardInterrupt ends the loop. */
static PyObject *end_call(struct protocol_driver *self, struct aio_connection *connection, int result) {
    aio_loop_leave(connection->loop);
    if (result < 0 && aio_loop_contain(connection->loop, "a connection failed", (PyObject *)connection)) {
        if (connection->driver && call_transport(self, NAME_ABORT, NULL) < 0) PyErr_WriteUnraisable((PyObject *)self);
        result = 0;
    } else if (result < 0) {
        result = aio_loop_raise_soon(connection->loop);
    }
    Py_DECREF(connection);
    if (result < 0) return NULL;
    Py_RETURN_NONE;
}

static struct aio_connection *begin_call(struct protocol_driver *self) {
    if (!self->connection) return NULL;
    aio_loop_enter(self->connection->loop);
    return (struct aio_connection *)Py_NewRef(self->connection);
}

/* The descriptor of a socket without TLS. */
static int find_fd(struct protocol_driver *self) {
    PyObject *tls = PyObject_CallMethod(self->transport, "get_extra_info", "s", "ssl_object");
    if (!tls) return -1;
    int is_plain = tls == Py_None;
    Py_DECREF(tls);
    PyObject *sock = is_plain ? PyObject_CallMethod(self->transport, "get_extra_info", "s", "socket") : NULL;
    int has_socket = sock && sock != Py_None;
    PyObject *number = has_socket ? PyObject_CallMethodNoArgs(sock, self->state->names[NAME_FILENO]) : NULL;
    long fd = number ? PyLong_AsLong(number) : -1;
    Py_XDECREF(sock);
    Py_XDECREF(number);
    if (PyErr_Occurred()) return -1;
    self->fd = fd >= 0 && fd <= INT_MAX ? (int)fd : -1;
    return 0;
}

static int limit_writes(struct protocol_driver *self, const struct aio_endpoint *endpoint) {
    PyObject *done = PyObject_CallMethod(self->transport, "set_write_buffer_limits", "nn",
                                         (Py_ssize_t)endpoint->write_high, (Py_ssize_t)endpoint->write_low);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static PyObject *driver_connection_made(PyObject *object, PyObject *transport) {
    struct protocol_driver *self = (struct protocol_driver *)object;
    struct aio_connection *connection = begin_call(self);
    if (!connection) Py_RETURN_NONE;
    Py_XSETREF(self->transport, Py_NewRef(transport));
    int result = find_fd(self);
    if (result == 0) result = limit_writes(self, connection->endpoint);
    if (result == 0) result = aio_connection_made(connection, &protocol_driver, object);
    return end_call(self, connection, result);
}

/* A read that found nothing is not told of: what was lent for it would stay so. */
static void give_space_back(struct aio_loop *loop) {
    struct aio_connection *connection = loop->lent;
    loop->lent = NULL;
    if (!connection || connection->phase != PHASE_OPEN) return;
    /* After an error there is nothing to give back. */
    int error = fastws_conn_filled(connection->protocol.conn, 0);
    (void)error;
}

static PyObject *driver_get_buffer(PyObject *object, PyObject *Py_UNUSED(hint)) {
    struct protocol_driver *self = (struct protocol_driver *)object;
    struct aio_connection *connection = self->connection;
    void *ptr;
    size_t cap;
    if (!connection) return PyErr_Format(PyExc_RuntimeError, "the connection has ended");
    give_space_back(connection->loop);
    self->is_in_space = self->fd >= 0 && aio_connection_space(connection, &ptr, &cap);
    if (self->is_in_space) connection->loop->lent = connection;
    PyObject *buffer =
        self->is_in_space ? aio_loop_export(connection->loop, ptr, cap) : aio_loop_scratch(connection->loop);
    return Py_XNewRef(buffer);
}

static PyObject *driver_buffer_updated(PyObject *object, PyObject *count) {
    struct protocol_driver *self = (struct protocol_driver *)object;
    Py_ssize_t len = PyLong_AsSsize_t(count);
    if (len < 0) return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "nbytes must not be negative");
    struct aio_connection *connection = begin_call(self);
    if (!connection) Py_RETURN_NONE;
    if (self->is_in_space) {
        self->is_in_space = 0;
        connection->loop->lent = NULL;
        return end_call(self, connection, aio_connection_filled(connection, (size_t)len));
    }
    PyObject *scratch = aio_loop_scratch(connection->loop);
    const Py_buffer *view = scratch ? PyMemoryView_GET_BUFFER(scratch) : NULL;
    if (view && len > view->len) len = view->len;
    int result = view ? aio_connection_received(connection, view->buf, (size_t)len) : -1;
    return end_call(self, connection, result);
}

static PyObject *driver_data_received(PyObject *object, PyObject *data) {
    struct protocol_driver *self = (struct protocol_driver *)object;
    Py_buffer view;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    struct aio_connection *connection = begin_call(self);
    PyObject *result = connection ? end_call(self, connection,
                                             aio_connection_received(connection, view.buf, (size_t)view.len))
                                  : Py_NewRef(Py_None);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *driver_eof_received(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct protocol_driver *self = (struct protocol_driver *)object;
    struct aio_connection *connection = begin_call(self);
    if (!connection) Py_RETURN_NONE;
    return end_call(self, connection, aio_connection_eof(connection));
}

static PyObject *driver_connection_lost(PyObject *object, PyObject *exception) {
    struct protocol_driver *self = (struct protocol_driver *)object;
    struct aio_connection *connection = begin_call(self);
    if (!connection) Py_RETURN_NONE;
    self->fd = -1;
    PyObject *result = end_call(self, connection, aio_connection_lost(connection, exception));
    Py_CLEAR(self->connection);
    return result;
}

static PyObject *set_writable(PyObject *object, int is_writable) {
    struct protocol_driver *self = (struct protocol_driver *)object;
    struct aio_connection *connection = begin_call(self);
    if (!connection) Py_RETURN_NONE;
    return end_call(self, connection, aio_connection_set_writable(connection, is_writable));
}

static PyObject *driver_pause_writing(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return set_writable(object, 0);
}

static PyObject *driver_resume_writing(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return set_writable(object, 1);
}

/* ---- The type ---- */

static PyObject *driver_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"connection", NULL};
    struct state *state = state_of_type(type);
    PyObject *connection;
    if (!state) return NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!:AsyncProtocol", names, state->aio_connection_type,
                                     &connection)) {
        return NULL;
    }
    struct protocol_driver *self = (struct protocol_driver *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state;
    self->fd = -1;
    self->connection = (struct aio_connection *)Py_NewRef(connection);
    return (PyObject *)self;
}

static int driver_traverse(PyObject *object, visitproc visit, void *arg) {
    struct protocol_driver *self = (struct protocol_driver *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->connection);
    Py_VISIT(self->transport);
    return 0;
}

static int driver_clear(PyObject *object) {
    Py_CLEAR(((struct protocol_driver *)object)->connection);
    return 0;
}

static void driver_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    driver_clear(object);
    Py_CLEAR(((struct protocol_driver *)object)->transport);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef driver_methods[] = {
    {"connection_made", driver_connection_made, METH_O, NULL},
    {"get_buffer", driver_get_buffer, METH_O, NULL},
    {"buffer_updated", driver_buffer_updated, METH_O, NULL},
    {"data_received", driver_data_received, METH_O, NULL},
    {"eof_received", driver_eof_received, METH_NOARGS, NULL},
    {"connection_lost", driver_connection_lost, METH_O, NULL},
    {"pause_writing", driver_pause_writing, METH_NOARGS, NULL},
    {"resume_writing", driver_resume_writing, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot driver_slots[] = {
    {Py_tp_doc, "AsyncProtocol(connection)\n--\n\nMoves the bytes of a connection over a transport of the event loop."},
    SLOT(Py_tp_new, driver_tp_new),
    SLOT(Py_tp_dealloc, driver_dealloc),
    SLOT(Py_tp_traverse, driver_traverse),
    SLOT(Py_tp_clear, driver_clear),
    {Py_tp_methods, driver_methods},
    {0, NULL},
};

PyType_Spec aio_protocol_spec = {
    .name = "fastws._core.AsyncProtocol",
    .basicsize = sizeof(struct protocol_driver),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = driver_slots,
};
