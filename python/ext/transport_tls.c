/* SPDX-License-Identifier: MIT */
/* Reading and writing through an ssl.SSLSocket that two threads share.
 *
 * OpenSSL allows one call at a time on a connection. So each call has a lock, and none blocks: the socket is set to
 * non-blocking mode, and waiting is poll(), with no lock held. Were a blocking sendall() to hold it, two peers that both
 * send much would wait for each other for ever. */
#include "transport_tls.h"

#include <math.h>
#include <poll.h>

#include "args.h"
#include "protocol.h"
#include "transport_fd.h"

/* A write that waits for bytes of the peer may find that the reading thread has taken them: it tries again by itself. */
#define RETRY_MS 50u

int transport_tls_open(struct transport *transport, PyObject *io) {
    PyObject *name = PyUnicode_FromString("ssl");
    PyObject *ssl = name ? PyImport_GetModule(name) : NULL;
    Py_XDECREF(name);
    /* Where nobody has imported it, nobody has made such a socket. */
    if (!ssl) return PyErr_Occurred() ? -1 : 0;
    PyObject *type = PyObject_GetAttrString(ssl, "SSLSocket");
    int is_tls = type ? PyObject_IsInstance(io, type) : -1;
    Py_XDECREF(type);
    if (is_tls > 0) {
        transport->want_read = PyObject_GetAttrString(ssl, "SSLWantReadError");
        if (transport->want_read) transport->want_write = PyObject_GetAttrString(ssl, "SSLWantWriteError");
        if (transport->want_write) transport->tls_lock = PyThread_allocate_lock();
        if (transport->want_write && !transport->tls_lock) PyErr_NoMemory();
        if (!transport->tls_lock) is_tls = -1;
    }
    Py_DECREF(ssl);
    return is_tls;
}

void transport_tls_free(struct transport *transport) {
    Py_CLEAR(transport->want_read);
    Py_CLEAR(transport->want_write);
    if (transport->tls_lock) PyThread_free_lock(transport->tls_lock);
    transport->tls_lock = NULL;
}

static int lock(struct transport *transport, struct state *state) {
    unsigned long thread = PyThread_get_thread_ident();
    if (transport->tls_caller == thread) {
        PyErr_SetString(state->exceptions[EXC_CONCURRENCY_ERROR], "this thread is inside of a method of io");
        return -1;
    }
    if (!PyThread_acquire_lock(transport->tls_lock, 0)) {
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(transport->tls_lock, 1);
        Py_END_ALLOW_THREADS
    }
    transport->tls_caller = thread;
    return 0;
}

static void unlock(struct transport *transport) {
    transport->tls_caller = 0;
    PyThread_release_lock(transport->tls_lock);
}

/* Sees to it that no call blocks; the timeout that was set counts while it is waited. */
static int stop_blocking(struct transport *transport, struct state *state, PyObject *io) {
    PyObject *timeout = PyObject_CallMethodNoArgs(io, state->names[NAME_GETTIMEOUT]);
    if (!timeout) return -1;
    double seconds = timeout == Py_None ? -1 : PyFloat_AsDouble(timeout);
    Py_DECREF(timeout);
    if (seconds == -1 && PyErr_Occurred()) return -1;
    if (seconds == 0) return 0;
    transport->tls_timeout_ms = seconds < 0 ? 0 : (uint64_t)ceil(seconds * 1000.0);
    PyObject *zero = PyFloat_FromDouble(0.0);
    PyObject *result = zero ? PyObject_CallMethodOneArg(io, state->names[NAME_SETTIMEOUT], zero) : NULL;
    Py_XDECREF(zero);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* io may be gone when the lock is had. */
static PyObject *get_io(struct transport *transport) {
    if (transport->io) return Py_NewRef(transport->io);
    PyErr_SetString(PyExc_OSError, "the stream was closed");
    return NULL;
}

int transport_tls_stop_blocking(struct transport *transport, struct state *state) {
    PyObject *io = get_io(transport);
    if (!io) return -1;
    int result = stop_blocking(transport, state, io);
    Py_DECREF(io);
    return result;
}

/* What the exception says that has to be waited for: POLLIN or POLLOUT, and it is cleared; 0 if it is another. */
static int take_want(const struct transport *transport) {
    int want = PyErr_ExceptionMatches(transport->want_read)    ? POLLIN
               : PyErr_ExceptionMatches(transport->want_write) ? POLLOUT
                                                               : 0;
    if (want) PyErr_Clear();
    return want;
}

Py_ssize_t transport_tls_read(struct transport *transport, struct state *state, void *dst, size_t len) {
    if (lock(transport, state) < 0) return -1;
    PyObject *io = get_io(transport);
    Py_ssize_t count = io && stop_blocking(transport, state, io) == 0 ? transport_read_method(transport, state, dst, len) : -1;
    int want = count == -1 ? take_want(transport) : 0;
    Py_XDECREF(io);
    unlock(transport);
    transport->is_read_by_writing = want == POLLOUT;
    return want ? -2 : count;
}

/* Writes a part. Returns the number of bytes, -2 with *want, or -1 with an exception. */
static Py_ssize_t write_part(struct transport *transport, struct state *state, PyObject *part, int *want) {
    if (lock(transport, state) < 0) return -1;
    PyObject *io = get_io(transport);
    PyObject *result = io && stop_blocking(transport, state, io) == 0
                           ? PyObject_CallMethodOneArg(io, state->names[NAME_SEND], part)
                           : NULL;
    *want = result ? 0 : take_want(transport);
    Py_XDECREF(io);
    unlock(transport);
    if (*want) return -2;
    Py_ssize_t count = result ? PyLong_AsSsize_t(result) : -1;
    Py_XDECREF(result);
    return count;
}

static int wait_for(struct transport *transport, struct state *state, int want, uint64_t until_idle_ms) {
    if (want == POLLOUT) return transport_fd_wait_writable(transport, state, until_idle_ms);
    return transport_fd_wait(transport, state, 0, protocol_now_ms() + RETRY_MS) < 0 ? -1 : 0;
}

int transport_tls_write(struct transport *transport, struct state *state, PyObject *bytes, uint64_t until_idle_ms) {
    Py_ssize_t len = PyBytes_GET_SIZE(bytes), done = 0;
    PyObject *whole = PyMemoryView_FromObject(bytes);
    int result = whole ? 0 : -1;
    while (result == 0 && done < len) {
        int want = 0;
        PyObject *part = PySequence_GetSlice(whole, done, len);
        Py_ssize_t count = part ? write_part(transport, state, part, &want) : -1;
        Py_XDECREF(part);
        if (count > 0) done += count;
        if (want) result = wait_for(transport, state, want, until_idle_ms);
        if (count == -1) result = -1;
    }
    Py_XDECREF(whole);
    return result;
}
