/* SPDX-License-Identifier: MIT */
/* The AsyncAcceptor type: a listening socket, watched beside the connections and served in the same callback. */
#include "aio.h" /* Python.h comes first: accept4() is behind what it defines */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_MAX 16 /* clients in one turn of a socket: who waits is accepted in the next */

struct acceptor {
    PyObject_HEAD
    struct aio_loop *loop;
    struct fastws_watch *watch; /* NULL: paused or closed */
    PyObject *make_connection;
    PyObject *on_trouble;
    int fd;
    uint8_t is_open; /* it uses the drain */
};

/* A descriptor that does not block and is closed by exec, or -1 with errno. */
static int accept_at(int fd, struct sockaddr *peer, socklen_t *len) {
#ifdef SOCK_NONBLOCK
    return accept4(fd, peer, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int accepted = accept(fd, peer, len);
    int flags = accepted < 0 ? 0 : fcntl(accepted, F_GETFL);
    if (accepted >= 0) (void)(fcntl(accepted, F_SETFL, flags | O_NONBLOCK) + fcntl(accepted, F_SETFD, FD_CLOEXEC));
    return accepted;
#endif
}

/* Out of descriptors or memory: clients wait in the queue of the system. */
static int is_trouble(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static int tell_trouble(struct acceptor *self) {
    PyErr_SetFromErrno(PyExc_OSError);
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    aio_drain_unwatch(self->loop, &self->watch);
    PyObject *done = PyObject_CallOneArg(self->on_trouble, exception);
    Py_XDECREF(type);
    Py_XDECREF(exception);
    Py_XDECREF(traceback);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Returns 1 if there may be more clients, 0 if not, -1 with an exception. */
static int accept_one(struct acceptor *self) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept_at(self->fd, (struct sockaddr *)&peer, &len);
    if (fd < 0) {
        if (is_trouble(errno)) return tell_trouble(self);
        return errno != EAGAIN && errno != EWOULDBLOCK; /* others: a client that left again */
    }
    PyObject *connection = PyObject_CallNoArgs(self->make_connection);
    int result = connection ? aio_transport_open((struct aio_connection *)connection, fd, (struct sockaddr *)&peer, len)
                            : -1;
    Py_XDECREF(connection);
    if (result == 0) return 1;
    close(fd);
    return -1;
}

static size_t on_ready(struct fastws_watch *Py_UNUSED(watch), unsigned Py_UNUSED(found), void *context) {
    struct acceptor *self = (struct acceptor *)context;
    int result = 1;
    Py_INCREF(self);
    for (int i = 0; i < ACCEPT_MAX && result > 0 && self->watch && !PyErr_Occurred(); i++) {
        result = accept_one(self);
        if (result < 0 && aio_loop_contain(self->loop, "a client could not be accepted", NULL)) result = 1;
    }
    Py_DECREF(self);
    return 0;
}

/* ---- Methods ---- */

static PyObject *acceptor_pause(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct acceptor *self = (struct acceptor *)object;
    aio_drain_unwatch(self->loop, &self->watch);
    Py_RETURN_NONE;
}

static PyObject *acceptor_resume(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct acceptor *self = (struct acceptor *)object;
    if (!self->is_open || self->watch || !self->loop->drain) Py_RETURN_NONE;
    if (aio_drain_watch(self->loop, self->fd, FASTWS_WATCH_READABLE, on_ready, self, &self->watch) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *acceptor_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct acceptor *self = (struct acceptor *)object;
    if (!self->is_open) Py_RETURN_NONE;
    self->is_open = 0;
    aio_drain_unwatch(self->loop, &self->watch);
    aio_drain_leave(self->loop);
    Py_RETURN_NONE;
}

/* ---- The type ---- */

static PyObject *acceptor_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"loop", "fd", "make_connection", "on_trouble", NULL};
    struct state *state = state_of_type(type);
    PyObject *loop, *make_connection, *on_trouble;
    int fd;
    if (!state) return NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!iOO:AsyncAcceptor", names, state->aio_loop_type, &loop, &fd,
                                     &make_connection, &on_trouble)) {
        return NULL;
    }
    struct acceptor *self = (struct acceptor *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->loop = (struct aio_loop *)Py_NewRef(loop);
    self->make_connection = Py_NewRef(make_connection);
    self->on_trouble = Py_NewRef(on_trouble);
    self->fd = fd;
    int result = aio_drain_use(self->loop);
    self->is_open = result == 0;
    if (result == 0) result = aio_drain_watch(self->loop, fd, FASTWS_WATCH_READABLE, on_ready, self, &self->watch);
    if (result < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static int acceptor_traverse(PyObject *object, visitproc visit, void *arg) {
    struct acceptor *self = (struct acceptor *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->loop);
    Py_VISIT(self->make_connection);
    Py_VISIT(self->on_trouble);
    return 0;
}

static int acceptor_clear(PyObject *object) {
    struct acceptor *self = (struct acceptor *)object;
    if (self->loop) aio_drain_unwatch(self->loop, &self->watch);
    Py_CLEAR(self->make_connection);
    Py_CLEAR(self->on_trouble);
    return 0;
}

static void acceptor_dealloc(PyObject *object) {
    struct acceptor *self = (struct acceptor *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    acceptor_clear(object);
    if (self->is_open) aio_drain_leave(self->loop);
    Py_CLEAR(self->loop);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef acceptor_methods[] = {
    {"pause", acceptor_pause, METH_NOARGS, "pause($self, /)\n--\n\nAccepts no more until resume()."},
    {"resume", acceptor_resume, METH_NOARGS, "resume($self, /)\n--\n\nAccepts again."},
    {"close", acceptor_close, METH_NOARGS, "close($self, /)\n--\n\nAccepts no more. The socket stays open."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot acceptor_slots[] = {
    {Py_tp_doc, "AsyncAcceptor(loop, fd, make_connection, on_trouble)\n--\n\n"
                "Accepts clients of a listening socket, and has make_connection() called for each; on_trouble(error) "
                "when the system is out of something: then it is paused."},
    SLOT(Py_tp_new, acceptor_tp_new),
    SLOT(Py_tp_dealloc, acceptor_dealloc),
    SLOT(Py_tp_traverse, acceptor_traverse),
    SLOT(Py_tp_clear, acceptor_clear),
    {Py_tp_methods, acceptor_methods},
    {0, NULL},
};

PyType_Spec aio_acceptor_spec = {
    .name = "fastws._core.AsyncAcceptor",
    .basicsize = sizeof(struct acceptor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = acceptor_slots,
};
