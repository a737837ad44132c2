/* SPDX-License-Identifier: MIT */
/* Transports over the loop of the library come and go. The event loop's side has a reference to each that has not
 * ended: a connection lives as long as its socket, whoever else knows it. */
#include "aio_transport.h"

#include <unistd.h>

void aio_transport_close_fd(struct aio_transport *self) {
    PyObject *detached = self->sock ? PyObject_CallMethod(self->sock, "detach", NULL) : NULL;
    if (self->sock && !detached) PyErr_Clear();
    Py_XDECREF(detached);
    if (self->fd >= 0) close(self->fd);
    self->fd = -1;
}

static void leave_list(struct aio_transport *self) {
    if (!self->is_listed) return;
    self->is_listed = 0;
    if (self->next) self->next->previous = self->previous;
    if (self->previous) {
        self->previous->next = self->next;
    } else {
        self->loop->transports = self->next;
    }
    self->next = self->previous = NULL;
    aio_drain_leave(self->loop);
    Py_DECREF(self);
}

static void enter_list(struct aio_transport *self) {
    struct aio_loop *loop = self->loop;
    self->is_listed = 1;
    self->next = loop->transports;
    if (self->next) self->next->previous = self;
    loop->transports = (struct aio_transport *)Py_NewRef(self);
}

int aio_transports_traverse(struct aio_loop *loop, visitproc visit, void *arg) {
    for (struct aio_transport *self = loop->transports; self; self = self->next) Py_VISIT(self);
    return 0;
}

/* In a forked child nobody is told: the connections are the parent's. */
void aio_transports_clear(struct aio_loop *loop) {
    while (loop->transports) {
        struct aio_transport *self = (struct aio_transport *)Py_NewRef(loop->transports);
        aio_drain_unwatch(loop, &self->watch);
        if (loop->is_forked) {
            self->is_ended = 1;
            aio_transport_close_fd(self);
        }
        leave_list(self);
        Py_DECREF(self);
    }
}

PyObject *aio_transport_end(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct aio_transport *self = (struct aio_transport *)object;
    struct aio_connection *connection = self->connection;
    struct aio_loop *loop = self->loop;
    if (!connection) Py_RETURN_NONE;
    Py_INCREF(self);
    Py_INCREF(loop);
    aio_loop_enter(loop);
    int result = aio_connection_lost(connection, self->exception);
    aio_transport_close_fd(self);
    aio_loop_leave(loop);
    if (result < 0 && aio_loop_contain(loop, "a connection failed", (PyObject *)connection)) result = 0;
    Py_CLEAR(self->connection);
    leave_list(self);
    Py_DECREF(self);
    Py_DECREF(loop);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

int aio_transport_open(struct aio_connection *connection, int fd, const struct sockaddr *peer, size_t peer_len) {
    struct aio_loop *loop = connection->loop;
    PyTypeObject *type = connection->state->aio_transport_type;
    if (aio_drain_use(loop) < 0) return -1;
    struct aio_transport *self = (struct aio_transport *)type->tp_alloc(type, 0);
    if (!self) {
        aio_drain_leave(loop);
        return -1;
    }
    self->loop = (struct aio_loop *)Py_NewRef(loop);
    self->connection = (struct aio_connection *)Py_NewRef(connection);
    self->write_high = connection->endpoint->write_high;
    self->write_low = connection->endpoint->write_low;
    self->fd = fd;
    aio_transport_keep_peer(self, peer, peer_len);
    enter_list(self);
    if (aio_transport_want(self) < 0) {
        self->fd = -1;
        leave_list(self);
        Py_DECREF(self);
        return -1;
    }
    aio_loop_enter(loop);
    int result = aio_connection_made(connection, &aio_transport_driver, (PyObject *)self);
    aio_loop_leave(loop);
    /* From here on the transport has the descriptor. */
    if (result < 0 && aio_loop_contain(loop, "a connection failed", (PyObject *)connection)) {
        result = aio_transport_abort(self);
    }
    Py_DECREF(self);
    return result;
}
