/* SPDX-License-Identifier: MIT */
/* The AsyncTransport type: what Python sees of a transport over the loop of the library, as of one of asyncio. */
#include "aio_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "args.h"

/* ---- What is known of the socket ---- */

void aio_transport_keep_peer(struct aio_transport *self, const struct sockaddr *peer, size_t len) {
    int is_kept = peer && len <= TRANSPORT_PEER_MAX && (peer->sa_family == AF_INET || peer->sa_family == AF_INET6);
    if (!is_kept) return;
    memcpy(self->peer, peer, len);
    self->peer_len = (uint8_t)len;
}

/* As Python writes it: (host, port), with flow and scope for IPv6. NULL without an exception for other families. */
static PyObject *address_of(const void *address) {
    char host[INET6_ADDRSTRLEN];
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    memcpy(&four, address, sizeof four);
    if (four.sin_family == AF_INET) {
        return inet_ntop(AF_INET, &four.sin_addr, host, sizeof host)
                   ? Py_BuildValue("(si)", host, ntohs(four.sin_port))
                   : NULL;
    }
    if (four.sin_family != AF_INET6) return NULL;
    memcpy(&six, address, sizeof six);
    if (!inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof host)) return NULL;
    return Py_BuildValue("(siII)", host, ntohs(six.sin6_port), (unsigned)ntohl(six.sin6_flowinfo),
                         (unsigned)six.sin6_scope_id);
}

/* A socket object on the descriptor, which stays the transport's: borrowed, or NULL with an exception. */
static PyObject *socket_of(struct aio_transport *self) {
    if (self->sock) return self->sock;
    PyObject *options = Py_BuildValue("{s:i}", "fileno", self->fd);
    PyObject *none = options ? PyTuple_New(0) : NULL;
    if (none) self->sock = PyObject_Call((PyObject *)self->connection->state->socket_type, none, options);
    Py_XDECREF(none);
    Py_XDECREF(options);
    return self->sock;
}

/* What a method of the socket says; NULL without an exception where it fails. */
static PyObject *ask_socket(struct aio_transport *self, const char *method) {
    PyObject *sock = self->fd >= 0 && self->connection ? socket_of(self) : NULL;
    PyObject *answer = sock ? PyObject_CallMethod(sock, method, NULL) : NULL;
    if (!answer) PyErr_Clear();
    return answer;
}

/* The socket as transports of asyncio give it: nobody is to read from it. */
static PyObject *shown_socket(struct aio_transport *self) {
    PyObject *sock = self->fd >= 0 && self->connection ? socket_of(self) : NULL;
    PyObject *module = sock ? PyImport_ImportModule("asyncio.trsock") : NULL;
    PyObject *shown = module ? PyObject_CallMethod(module, "TransportSocket", "O", sock) : NULL;
    Py_XDECREF(module);
    if (!shown) PyErr_Clear();
    return shown;
}

static PyObject *own_address(struct aio_transport *self) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    PyObject *known = self->fd >= 0 && getsockname(self->fd, (struct sockaddr *)&address, &len) == 0
                          ? address_of(&address)
                          : NULL;
    return known || PyErr_Occurred() ? known : ask_socket(self, "getsockname");
}

static PyObject *find_info(struct aio_transport *self, const char *name) {
    if (strcmp(name, "socket") == 0) return shown_socket(self);
    if (strcmp(name, "sockname") == 0) return own_address(self);
    if (strcmp(name, "peername") != 0) return NULL;
    return self->peer_len ? address_of(self->peer) : ask_socket(self, "getpeername");
}

PyObject *aio_transport_info(struct aio_transport *self, PyObject *name, PyObject *default_value) {
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : "";
    PyObject *info = text ? find_info(self, text) : NULL;
    return info || PyErr_Occurred() ? info : Py_NewRef(default_value);
}

/* ---- What users of transports call ---- */

static struct aio_transport *transport_at(PyObject *object) { return (struct aio_transport *)object; }

static PyObject *finished(int result) { return result < 0 ? NULL : Py_NewRef(Py_None); }

static PyObject *get_extra_info(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"name", "default", NULL};
    PyObject *name, *default_value = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:get_extra_info", names, &name, &default_value)) return NULL;
    return aio_transport_info(transport_at(object), name, default_value);
}

static PyObject *is_closing(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(transport_at(object)->is_closing);
}

static PyObject *is_reading(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    const struct aio_transport *self = transport_at(object);
    return PyBool_FromLong(!self->is_paused && !self->is_closing);
}

static PyObject *close_(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return finished(aio_transport_close(transport_at(object)));
}

static PyObject *abort_(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return finished(aio_transport_abort(transport_at(object)));
}

static PyObject *pause_reading(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return finished(aio_transport_pause(transport_at(object)));
}

static PyObject *resume_reading(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return finished(aio_transport_resume(transport_at(object)));
}

static PyObject *write_eof(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return finished(aio_transport_finish(transport_at(object)));
}

static PyObject *can_write_eof(PyObject *Py_UNUSED(object), PyObject *Py_UNUSED(ignored)) { Py_RETURN_TRUE; }

static PyObject *get_write_buffer_size(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return PyLong_FromSsize_t(aio_transport_count(transport_at(object)));
}

static PyObject *get_write_buffer_limits(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    const struct aio_transport *self = transport_at(object);
    return Py_BuildValue("(nn)", (Py_ssize_t)self->write_low, (Py_ssize_t)self->write_high);
}

static PyObject *set_write_buffer_limits(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"high", "low", NULL};
    PyObject *high = Py_None, *low = Py_None;
    uint64_t high_len = 65536, low_len = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:set_write_buffer_limits", names, &high, &low)) return NULL;
    if (low != Py_None && arg_unsigned(low, "low", PY_SSIZE_T_MAX / 4, &low_len) < 0) return NULL;
    if (high == Py_None && low != Py_None) high_len = low_len * 4;
    if (high != Py_None && arg_unsigned(high, "high", PY_SSIZE_T_MAX, &high_len) < 0) return NULL;
    if (low == Py_None) low_len = high_len / 4;
    if (low_len > high_len) return PyErr_Format(PyExc_ValueError, "high must be at least low");
    transport_at(object)->write_high = (size_t)high_len;
    transport_at(object)->write_low = (size_t)low_len;
    Py_RETURN_NONE;
}

/* ---- The type ---- */

/* (connection, fd): the descriptor is the transport's from then on. */
static PyObject *transport_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"connection", "fd", NULL};
    struct state *state = state_of_type(type);
    PyObject *connection;
    int fd;
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    if (!state) return NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!i:AsyncTransport", names, state->aio_connection_type, &connection,
                                     &fd)) {
        return NULL;
    }
    struct aio_connection *made = (struct aio_connection *)connection;
    if (made->driver || made->phase != PHASE_CONNECTING) {
        return PyErr_Format(PyExc_RuntimeError, "the connection has a transport");
    }
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0) return PyErr_SetFromErrno(PyExc_OSError);
    if (aio_transport_open(made, fd, (struct sockaddr *)&peer, len) < 0) return NULL;
    return made->driver ? made->driver->get_transport(made) : Py_NewRef(Py_None);
}

static int transport_traverse(PyObject *object, visitproc visit, void *arg) {
    struct aio_transport *self = transport_at(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->loop);
    Py_VISIT(self->connection);
    Py_VISIT(self->sock);
    Py_VISIT(self->exception);
    return 0;
}

static int transport_clear(PyObject *object) {
    struct aio_transport *self = transport_at(object);
    Py_CLEAR(self->connection);
    Py_CLEAR(self->exception);
    return 0;
}

static void transport_dealloc(PyObject *object) {
    struct aio_transport *self = transport_at(object);
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    transport_clear(object);
    if (self->loop) aio_drain_unwatch(self->loop, &self->watch);
    aio_transport_close_fd(self);
    Py_CLEAR(self->sock);
    Py_CLEAR(self->head);
    Py_CLEAR(self->loop);
    type->tp_free(object);
    Py_DECREF(type);
}

/* A transport that nobody ended: its event loop was closed before. As those of asyncio, it says so. */
static void transport_finalize(PyObject *object) {
    struct aio_transport *self = transport_at(object);
    if (self->fd < 0) return;
    PyObject *type, *raised, *traceback;
    PyErr_Fetch(&type, &raised, &traceback);
    if (PyErr_ResourceWarning(object, 1, "unclosed transport %R", object) < 0) PyErr_WriteUnraisable(object);
    PyErr_Restore(type, raised, traceback);
}

static PyMethodDef transport_methods[] = {
    {"get_extra_info", (PyCFunction)(void (*)(void))get_extra_info, METH_VARARGS | METH_KEYWORDS,
     "get_extra_info($self, /, name, default=None)\n--\n\nsocket, peername or sockname; default for all else."},
    {"is_closing", is_closing, METH_NOARGS, "is_closing($self, /)\n--\n\nWhether it is closing or closed."},
    {"is_reading", is_reading, METH_NOARGS, "is_reading($self, /)\n--\n\nWhether it receives."},
    {"close", close_, METH_NOARGS, "close($self, /)\n--\n\nEnds it once all is sent."},
    {"abort", abort_, METH_NOARGS, "abort($self, /)\n--\n\nEnds it at once."},
    {"pause_reading", pause_reading, METH_NOARGS, "pause_reading($self, /)\n--\n\nReceives no more."},
    {"resume_reading", resume_reading, METH_NOARGS, "resume_reading($self, /)\n--\n\nReceives again."},
    {"write_eof", write_eof, METH_NOARGS, "write_eof($self, /)\n--\n\nEnds the sending half once all is sent."},
    {"can_write_eof", can_write_eof, METH_NOARGS, "can_write_eof($self, /)\n--\n\nTrue."},
    {"get_write_buffer_size", get_write_buffer_size, METH_NOARGS,
     "get_write_buffer_size($self, /)\n--\n\nBytes that the system has not taken yet."},
    {"get_write_buffer_limits", get_write_buffer_limits, METH_NOARGS,
     "get_write_buffer_limits($self, /)\n--\n\nThe low and the high mark, in bytes."},
    {"set_write_buffer_limits", (PyCFunction)(void (*)(void))set_write_buffer_limits, METH_VARARGS | METH_KEYWORDS,
     "set_write_buffer_limits($self, /, high=None, low=None)\n--\n\nWith more than high bytes send() waits until there "
     "are no more than low."},
    {"_end", aio_transport_end, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot transport_slots[] = {
    {Py_tp_doc, "AsyncTransport(connection, fd)\n--\n\n"
                "Moves the bytes of a connection over a connected, non-blocking descriptor: its own from then on."},
    SLOT(Py_tp_new, transport_tp_new),
    SLOT(Py_tp_dealloc, transport_dealloc),
    SLOT(Py_tp_finalize, transport_finalize),
    SLOT(Py_tp_traverse, transport_traverse),
    SLOT(Py_tp_clear, transport_clear),
    {Py_tp_methods, transport_methods},
    {0, NULL},
};

PyType_Spec aio_transport_spec = {
    .name = "fastws._core.AsyncTransport",
    .basicsize = sizeof(struct aio_transport),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = transport_slots,
};
