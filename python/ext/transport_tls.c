/* SPDX-License-Identifier: MIT */
/* Reading and writing through an ssl.SSLSocket that two threads share.
 *
 * OpenSSL allows one call at a time on a connection. So each call has a lock, and none blocks: the socket is set to
 * non-blocking mode, and waiting is poll(), with no lock held. Were a blocking sendall() to hold it, two peers that
 * both send much would wait for each other for ever. */
#include "transport_tls.h"

#include <math.h>
#include <poll.h>

#include "args.h"
#include "protocol.h"
#include "transport_fd.h"

/* A write that waits for bytes of the peer may find that the reading thread has taken them: it tries again unasked. */
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
    int is_ready = io && stop_blocking(transport, state, io) == 0;
    Py_ssize_t count = is_ready ? transport_read_method(transport, state, dst, len) : -1;
    int want = count == -1 ? take_want(transport) : 0;
    Py_XDECREF(io);
    unlock(transport);
    transport->is_read_by_writing = want == POLLOUT;
    return want ? -2 : count;
}

int transport_tls_wait(struct transport *transport, struct state *state, int what, uint64_t until_ms) {
    int is_retried = what & TRANSPORT_WRITABLE && transport->is_written_by_reading;
    int readable = transport->is_read_by_writing ? TRANSPORT_WRITABLE : TRANSPORT_READABLE;
    int wanted = (what & TRANSPORT_READABLE ? readable : 0) | (is_retried ? 0 : what & TRANSPORT_WRITABLE);
    uint64_t retry_ms = is_retried ? protocol_now_ms() + RETRY_MS : UINT64_MAX;
    int found = transport_fd_wait(transport, state, wanted, retry_ms < until_ms ? retry_ms : until_ms);
    if (found < 0) return -1;
    if (found == 0 && retry_ms < until_ms) return TRANSPORT_WRITABLE;
    return (found & readable ? what & TRANSPORT_READABLE : 0) | (is_retried ? 0 : found & what & TRANSPORT_WRITABLE);
}

Py_ssize_t transport_tls_write_part(struct transport *transport, struct state *state, PyObject *part) {
    if (lock(transport, state) < 0) return -1;
    PyObject *io = get_io(transport);
    PyObject *name = state->names[NAME_SEND];
    int is_ready = io && stop_blocking(transport, state, io) == 0;
    PyObject *result = is_ready ? PyObject_CallMethodOneArg(io, name, part) : NULL;
    int want = result ? 0 : take_want(transport);
    Py_XDECREF(io);
    unlock(transport);
    transport->is_written_by_reading = want == POLLIN;
    return want ? -2 : transport_check_count(result, name, PyObject_Size(part));
}
