/* SPDX-License-Identifier: MIT */
/* The driver over the loop of the library: sockets are received from into the memory of their connection, and sent to,
 * by one system call each, in a callback of the event loop that serves all which are ready.
 *
 * What the system does not take stays in the connection, which counts it; meanwhile the descriptor is watched for room.
 */
#include "aio_transport.h"

#include <errno.h>
#include <sys/socket.h>

#include "aio_socket.h"
#include "errors.h"

static struct aio_transport *transport_of(const struct aio_connection *connection) {
    return (struct aio_transport *)connection->driver_data;
}

/* ---- The end ---- */

/* Ends the transport soon; whoever does it may be called by the connection. Takes the exception that is set. */
static int end_soon(struct aio_transport *self) {
    PyObject *exception = PyErr_Occurred() ? error_take() : NULL;
    if (exception && !self->exception) self->exception = Py_NewRef(exception);
    Py_XDECREF(exception);
    if (self->is_ended) return 0;
    self->is_ended = self->is_closing = 1;
    aio_drain_unwatch(self->loop, &self->watch);
    PyObject *end = PyObject_GetAttrString((PyObject *)self, "_end");
    PyObject *handle = end ? PyObject_CallOneArg(self->loop->call_soon, end) : NULL;
    Py_XDECREF(end);
    Py_XDECREF(handle);
    if (handle) return 0;
    /* The event loop is closed: nobody will be told. */
    aio_transport_close_fd(self);
    if (!PyErr_ExceptionMatches(PyExc_RuntimeError)) return -1;
    PyErr_Clear();
    return 0;
}

/* ---- Wants ---- */

static size_t on_ready(struct fastws_watch *watch, unsigned found, void *context);

static unsigned wanted_of(const struct aio_transport *self) {
    unsigned readable = self->is_paused || self->is_eof || self->is_closing ? 0 : FASTWS_WATCH_READABLE;
    return readable | (self->is_blocked ? FASTWS_WATCH_WRITABLE : 0);
}

/* Makes the loop watch for what is wanted. */
int aio_transport_want(struct aio_transport *self) {
    if (self->is_ended || !self->loop->drain) return 0;
    if (!self->watch) return aio_drain_watch(self->loop, self->fd, wanted_of(self), on_ready, self, &self->watch);
    if (fastws_watch_want(self->watch, wanted_of(self)) == 0) return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

Py_ssize_t aio_transport_count_head(const struct aio_transport *self) {
    return self->head ? PyBytes_GET_SIZE(self->head) - self->head_off : 0;
}

Py_ssize_t aio_transport_count(const struct aio_transport *self) {
    const struct fastws_conn *conn = self->connection ? self->connection->protocol.conn : NULL;
    return aio_transport_count_head(self) + (conn ? (Py_ssize_t)fastws_conn_pending_len(conn) : 0);
}

/* ---- Sending ---- */

/* The error of a send is met again by the next receive, behind what the peer sent before. Who does not read meets it
 * now. */
static int break_output(struct aio_transport *self) {
    PyErr_SetFromErrno(PyExc_OSError);
    PyObject *exception = error_take();
    self->is_broken = 1;
    self->is_blocked = 0;
    Py_CLEAR(self->head);
    if (self->connection->protocol.conn) protocol_drop(&self->connection->protocol);
    if (!self->exception) self->exception = Py_NewRef(exception);
    Py_XDECREF(exception);
    return wanted_of(self) ? aio_transport_want(self) : end_soon(self);
}

static int block(struct aio_transport *self) {
    struct aio_connection *connection = self->connection;
    self->is_blocked = 1;
    if (connection->protocol.conn && fastws_conn_own(connection->protocol.conn) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    if (aio_transport_want(self) < 0) return -1;
    int is_full = (size_t)aio_transport_count(self) > self->write_high;
    return is_full && !connection->is_full ? aio_connection_set_writable(connection, 0) : 0;
}

/* Sends what the connection has, until nothing is left or the system takes no more. */
static int send_pending(struct aio_transport *self, struct fastws_conn *conn) {
    int result = aio_socket_write(self->fd, conn);
    if (result < 0) return break_output(self);
    return result ? block(self) : 0;
}

static int transport_flush(struct aio_connection *connection) {
    struct aio_transport *self = transport_of(connection);
    if (self->is_broken || self->is_ended) {
        protocol_drop(&connection->protocol);
        /* The end is about to be told. Who sends in a loop has to wait for it, or it would never be. */
        connection->is_full = 1;
        return 0;
    }
    return self->is_blocked ? block(self) : send_pending(self, connection->protocol.conn);
}

static int send_head(struct aio_transport *self) {
    Py_ssize_t len = aio_transport_count_head(self);
    if (!len) return 0;
    ssize_t sent = aio_socket_send(self->fd, PyBytes_AS_STRING(self->head) + self->head_off, (size_t)len);
    if (sent < 0 && !aio_socket_is_busy(errno)) return break_output(self);
    self->head_off += sent > 0 ? sent : 0;
    if (sent < len) return block(self);
    Py_CLEAR(self->head);
    return 0;
}

int aio_transport_write(struct aio_transport *self, const char *bytes, Py_ssize_t len) {
    if (self->is_broken || self->is_ended || self->is_closing) return 0;
    PyObject *more = PyBytes_FromStringAndSize(bytes, len);
    if (!more) return -1;
    if (self->head) {
        PyBytes_ConcatAndDel(&self->head, more);
        return self->head ? 0 : -1;
    }
    self->head = more;
    self->head_off = 0;
    return self->is_blocked ? 0 : send_head(self);
}

/* What had to wait until all was out. */
static int go_on(struct aio_transport *self) {
    if (aio_transport_count(self)) return 0;
    if (self->is_closing) return end_soon(self);
    if (!self->is_finishing) return 0;
    self->is_finishing = 0;
    return shutdown(self->fd, SHUT_WR) < 0 ? end_soon(self) : 0;
}

static int on_writable(struct aio_transport *self) {
    struct aio_connection *connection = self->connection;
    self->is_blocked = 0;
    if (send_head(self) < 0) return -1;
    if (!self->is_blocked && aio_connection_flush(connection) < 0) return -1;
    if (self->is_ended) return 0;
    if (aio_transport_want(self) < 0) return -1;
    int has_room = (size_t)aio_transport_count(self) <= self->write_low;
    if (connection->is_full && has_room && aio_connection_set_writable(connection, 1) < 0) return -1;
    /* Replies may have piled up below the mark. */
    if (connection->backlog && aio_connection_go_on(connection) < 0) return -1;
    return self->is_ended ? 0 : go_on(self);
}

/* ---- Receiving ---- */

static int end_input(struct aio_transport *self) {
    self->is_eof = 1;
    if (aio_transport_want(self) < 0 || aio_connection_eof(self->connection) < 0) return -1;
    return self->is_ended ? 0 : aio_transport_close(self);
}

static int fail(struct aio_transport *self) {
    PyErr_SetFromErrno(PyExc_OSError);
    return end_soon(self);
}

/* Frames come into the memory of the connection. What they are answered with leaves when the turn ends, behind the
 * sockets that were ready together: a peer that each answer wakes costs more than the copy that waits. */
static int receive_frames(struct aio_transport *self, void *ptr, size_t cap, size_t *received) {
    struct aio_connection *connection = self->connection;
    ssize_t len = recv(self->fd, ptr, cap, 0);
    if (len <= 0) {
        int reason = errno;
        int error = fastws_conn_filled(connection->protocol.conn, 0);
        (void)error; /* gives back what was borrowed */
        errno = reason;
        if (len == 0) return end_input(self);
        return aio_socket_is_busy(errno) ? 0 : fail(self);
    }
    *received = (size_t)len;
    return aio_connection_filled(connection, (size_t)len);
}

/* What is no frame yet, or cannot be taken now. */
static int receive_other(struct aio_transport *self, size_t *received) {
    PyObject *scratch = aio_loop_scratch(self->loop);
    if (!scratch) return -1;
    const Py_buffer *view = PyMemoryView_GET_BUFFER(scratch);
    ssize_t len = recv(self->fd, view->buf, (size_t)view->len, 0);
    if (len < 0) return aio_socket_is_busy(errno) ? 0 : fail(self);
    if (len == 0) return end_input(self);
    *received = (size_t)len;
    return aio_connection_received(self->connection, view->buf, (size_t)len);
}

/* Found though nothing is wanted of it: it would be found for ever. */
static int on_hung_up(struct aio_transport *self) {
    if (self->is_paused && !self->is_eof && !self->is_closing) {
        aio_drain_unwatch(self->loop, &self->watch);
        return 0;
    }
    return self->is_blocked ? 0 : end_soon(self);
}

static int serve(struct aio_transport *self, unsigned found, size_t *received) {
    void *ptr;
    size_t cap;
    if (found & FASTWS_WATCH_WRITABLE && on_writable(self) < 0) return -1;
    if (self->is_ended || !(found & (FASTWS_WATCH_READABLE | FASTWS_WATCH_HUNG_UP))) return 0;
    if (!(wanted_of(self) & FASTWS_WATCH_READABLE)) return found & FASTWS_WATCH_HUNG_UP ? on_hung_up(self) : 0;
    if (aio_connection_space(self->connection, &ptr, &cap)) return receive_frames(self, ptr, cap, received);
    return receive_other(self, received);
}

static size_t on_ready(struct fastws_watch *Py_UNUSED(watch), unsigned found, void *context) {
    struct aio_transport *self = (struct aio_transport *)context;
    size_t received = 0;
    /* KeyboardInterrupt and the like end the turn: what is ready stays so. */
    if (PyErr_Occurred()) return 0;
    Py_INCREF(self);
    struct aio_connection *connection = (struct aio_connection *)Py_NewRef(self->connection);
    int result = serve(self, found, &received);
    if (result < 0 && aio_loop_contain(self->loop, "a connection failed", (PyObject *)connection)) {
        if (aio_transport_abort(self) < 0) PyErr_WriteUnraisable((PyObject *)self);
    }
    self->loop->drained_sockets++;
    self->loop->drained_len += received;
    Py_DECREF(connection);
    Py_DECREF(self);
    return received;
}

/* ---- What is asked of it ---- */

int aio_transport_pause(struct aio_transport *self) {
    self->is_paused = 1;
    return self->watch ? aio_transport_want(self) : 0;
}

int aio_transport_resume(struct aio_transport *self) {
    self->is_paused = 0;
    return aio_transport_want(self);
}

int aio_transport_finish(struct aio_transport *self) {
    if (self->is_ended || self->is_closing) return 0;
    self->is_finishing = 1;
    return go_on(self);
}

int aio_transport_close(struct aio_transport *self) {
    if (self->is_ended || self->is_closing) return 0;
    self->is_closing = 1;
    return aio_transport_count(self) ? aio_transport_want(self) : end_soon(self);
}

int aio_transport_abort(struct aio_transport *self) { return end_soon(self); }

static int driver_pause(struct aio_connection *connection) { return aio_transport_pause(transport_of(connection)); }

static int driver_resume(struct aio_connection *connection) { return aio_transport_resume(transport_of(connection)); }

static int driver_finish(struct aio_connection *connection) { return aio_transport_finish(transport_of(connection)); }

static int driver_close(struct aio_connection *connection) { return aio_transport_close(transport_of(connection)); }

static int driver_abort(struct aio_connection *connection) { return aio_transport_abort(transport_of(connection)); }

static int driver_write(struct aio_connection *connection, PyObject *bytes) {
    return aio_transport_write(transport_of(connection), PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
}

static Py_ssize_t driver_count_held(struct aio_connection *connection) {
    return aio_transport_count_head(transport_of(connection));
}

static PyObject *driver_info(struct aio_connection *connection, PyObject *name, PyObject *default_value) {
    return aio_transport_info(transport_of(connection), name, default_value);
}

static PyObject *driver_transport(struct aio_connection *connection) { return Py_NewRef(connection->driver_data); }

const struct aio_driver aio_transport_driver = {
    .name = "loop",
    .flush = transport_flush,
    .pause_reading = driver_pause,
    .resume_reading = driver_resume,
    .finish = driver_finish,
    .close = driver_close,
    .abort = driver_abort,
    .write = driver_write,
    .count_held = driver_count_held,
    .get_extra_info = driver_info,
    .get_transport = driver_transport,
};
