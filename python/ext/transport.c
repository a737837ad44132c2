/* SPDX-License-Identifier: MIT */
/* The byte stream under a Stream: which kind it is, and reading and writing through the methods of an object. */
#include "transport.h"

#include <limits.h>
#include <string.h>

#include "protocol.h"
#include "transport_fd.h"
#include "transport_tls.h"

#define SCRATCH_LEN 65536
#define TLS_RECORD_LEN 16384 /* RFC 8446 5.1 */
#define REST_MIN 4096 /* bytes of what write() did not take that are tried again at least */

static int has_method(PyObject *io, PyObject *name) {
    PyObject *method;
    if (get_optional(io, name, &method) < 0) return -1;
    int is_there = method && PyCallable_Check(method);
    Py_XDECREF(method);
    return is_there;
}

/* The first of some methods that io has. */
static int choose(struct state *state, PyObject *io, const enum name *wanted, int count, enum name *chosen) {
    for (int i = 0; i < count; i++) {
        int is_there = has_method(io, state->names[wanted[i]]);
        if (is_there < 0) return -1;
        *chosen = wanted[i];
        if (is_there) return 0;
    }
    PyErr_Format(PyExc_TypeError, "io needs a method %U or %U, and %.200s has neither", state->names[wanted[0]],
                 state->names[wanted[count - 1]], Py_TYPE(io)->tp_name);
    return -1;
}

int transport_open(struct transport *transport, struct state *state, PyObject *io) {
    /* readinto() of a buffered file waits until all of the buffer is full. */
    static const enum name reads[] = {NAME_RECV_INTO, NAME_READINTO1, NAME_READINTO};
    static const enum name writes[] = {NAME_SENDALL, NAME_WRITE};
    if (choose(state, io, reads, 3, &transport->read_name) < 0) return -1;
    if (choose(state, io, writes, 2, &transport->write_name) < 0) return -1;
    int is_socket = PyObject_IsInstance(io, state->socket_type);
    if (is_socket < 0) return -1;
    int is_tls = is_socket ? transport_tls_open(transport, io) : 0;
    if (is_tls < 0) return -1;
    transport->kind = Py_IS_TYPE(io, (PyTypeObject *)state->socket_type) ? TRANSPORT_SOCKET
                      : is_tls                                           ? TRANSPORT_TLS
                      : is_socket                                        ? TRANSPORT_WRAPPED
                                                                         : TRANSPORT_OBJECT;
    transport->io = Py_NewRef(io);
    return 0;
}

void transport_free(struct transport *transport) {
    Py_CLEAR(transport->scratch);
    transport_tls_free(transport);
}

static int check_open(const struct transport *transport) {
    if (transport->io) return 0;
    PyErr_SetString(PyExc_OSError, "the stream is closed");
    return -1;
}

/* What wraps a socket may keep bytes that poll() knows nothing of. */
static int has_pending(struct transport *transport, struct state *state) {
    if (transport->kind != TRANSPORT_WRAPPED) return 0;
    PyObject *method;
    PyObject *io = Py_NewRef(transport->io);
    int is_there = get_optional(io, state->names[NAME_PENDING], &method);
    Py_DECREF(io);
    if (is_there <= 0) return is_there;
    PyObject *result = PyObject_CallNoArgs(method);
    Py_DECREF(method);
    if (!result) return -1;
    int is_pending = PyObject_IsTrue(result);
    Py_DECREF(result);
    return is_pending;
}

int transport_wait(struct transport *transport, struct state *state, int what, uint64_t until_ms) {
    if (check_open(transport) < 0) return -1;
    if (transport->kind == TRANSPORT_OBJECT) return TRANSPORT_READABLE;
    if (transport->kind == TRANSPORT_SOCKET) return transport_fd_wait(transport, state, what, until_ms);
    /* A silent connection holds no memory to read into. */
    if (what & TRANSPORT_READABLE) Py_CLEAR(transport->scratch);
    if (transport->kind == TRANSPORT_TLS) return transport_tls_wait(transport, state, what, until_ms);
    int is_pending = what & TRANSPORT_READABLE ? has_pending(transport, state) : 0;
    return is_pending ? is_pending : transport_fd_wait(transport, state, what, until_ms);
}

Py_ssize_t transport_check_count(PyObject *result, PyObject *name, Py_ssize_t max) {
    if (!result) return -1;
    Py_ssize_t count = -1;
    if (result == Py_None) {
        PyErr_Format(PyExc_BlockingIOError, "%U() would block: io must be in blocking mode", name);
    } else if (!PyLong_Check(result)) {
        PyErr_Format(PyExc_TypeError, "%U() must return int, not %.200s", name, Py_TYPE(result)->tp_name);
    } else {
        count = PyLong_AsSsize_t(result);
        if (count < 0 || count > max) {
            if (PyErr_Occurred()) PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "%U() returned %R for a buffer of %zd bytes", name, result, max);
            count = -1;
        }
    }
    Py_DECREF(result);
    return count;
}

/* Code of the user sees a bytearray, never memory of the library: it may keep, change or resize it as it likes. */
Py_ssize_t transport_read_method(struct transport *transport, struct state *state, void *dst, size_t len) {
    if (transport->scratch && PyByteArray_GET_SIZE(transport->scratch) != SCRATCH_LEN) Py_CLEAR(transport->scratch);
    if (!transport->scratch) transport->scratch = PyByteArray_FromStringAndSize(NULL, SCRATCH_LEN);
    if (!transport->scratch) return -1;
    PyObject *scratch = Py_NewRef(transport->scratch);
    PyObject *io = Py_NewRef(transport->io);
    PyObject *name = state->names[transport->read_name];
    PyObject *target = NULL;
    PyObject *whole = PyMemoryView_FromObject(scratch);
    Py_ssize_t cap = PyByteArray_GET_SIZE(scratch);
    if (whole && len < (size_t)cap) {
        cap = (Py_ssize_t)len;
        PyObject *end = PyLong_FromSsize_t(cap);
        PyObject *slice = end ? PySlice_New(NULL, end, NULL) : NULL;
        target = slice ? PyObject_GetItem(whole, slice) : NULL;
        Py_XDECREF(slice);
        Py_XDECREF(end);
        Py_DECREF(whole);
    } else {
        target = whole;
    }
    PyObject *result = target ? PyObject_CallMethodOneArg(io, name, target) : NULL;
    Py_XDECREF(target);
    Py_ssize_t count = transport_check_count(result, name, cap);
    if (count > PyByteArray_GET_SIZE(scratch)) {
        PyErr_Format(PyExc_ValueError, "%U() resized its buffer", name);
        count = -1;
    }
    if (count > 0) memcpy(dst, PyByteArray_AS_STRING(scratch), (size_t)count);
    Py_DECREF(scratch);
    Py_DECREF(io);
    return count;
}

Py_ssize_t transport_read(struct transport *transport, struct state *state, void *dst, size_t len) {
    if (check_open(transport) < 0) return -1;
    if (transport->kind == TRANSPORT_SOCKET) return transport_fd_read(transport, state, dst, len);
    if (transport->kind == TRANSPORT_TLS) return transport_tls_read(transport, state, dst, len);
    return transport_read_method(transport, state, dst, len);
}

/* What to try next of bytes of which done were taken, the last time count. Little at a time, where little was taken:
 * copying all of the rest each time would be quadratic. */
static PyObject *get_rest(PyObject *bytes, Py_ssize_t done, Py_ssize_t count) {
    Py_ssize_t left = PyBytes_GET_SIZE(bytes) - done;
    Py_ssize_t most = count < REST_MIN / 2 ? REST_MIN : count;
    if (left / 2 > most) left = 2 * most;
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(bytes) + done, left);
}

/* write() of a raw file may take a part; sendall() takes all and returns None. */
static int write_method(struct transport *transport, struct state *state, PyObject *bytes) {
    PyObject *name = state->names[transport->write_name];
    PyObject *io = Py_NewRef(transport->io);
    PyObject *rest = Py_NewRef(bytes);
    Py_ssize_t done = 0;
    int status = 0;
    while (rest && status == 0) {
        PyObject *result = PyObject_CallMethodOneArg(io, name, rest);
        if (transport->write_name == NAME_SENDALL) {
            status = result ? 1 : -1;
            Py_XDECREF(result);
            break;
        }
        Py_ssize_t count = transport_check_count(result, name, PyBytes_GET_SIZE(rest));
        if (count > 0) done += count;
        status = count < 0 ? -1 : done == PyBytes_GET_SIZE(bytes);
        if (status == 0) Py_SETREF(rest, get_rest(bytes, done, count));
    }
    Py_XDECREF(rest);
    /* A buffered writer holds bytes back until it is told to let go of them. */
    if (status == 1 && transport->write_name == NAME_WRITE) {
        PyObject *flush;
        if (get_optional(io, state->names[NAME_FLUSH], &flush) < 0) status = -1;
        PyObject *result = flush ? PyObject_CallNoArgs(flush) : NULL;
        if (flush && !result) status = -1;
        Py_XDECREF(flush);
        Py_XDECREF(result);
    }
    Py_DECREF(io);
    return status == 1 ? 0 : -1;
}

size_t transport_part_max(struct transport *transport, struct state *state) {
    return transport->kind == TRANSPORT_TLS ? TLS_RECORD_LEN : transport_fd_part_max(transport, state);
}

Py_ssize_t transport_write_part(struct transport *transport, struct state *state, PyObject *part) {
    if (check_open(transport) < 0) return -1;
    if (transport->kind == TRANSPORT_TLS) return transport_tls_write_part(transport, state, part);
    int found = transport_fd_wait(transport, state, TRANSPORT_WRITABLE, protocol_now_ms());
    if (found <= 0) return found < 0 ? -1 : -2;
    return write_method(transport, state, part) < 0 ? -1 : PyBytes_GET_SIZE(part);
}

int transport_wait_writable(struct transport *transport, struct state *state, uint64_t until_idle_ms) {
    uint64_t until_ms = until_idle_ms ? protocol_now_ms() + until_idle_ms : UINT64_MAX;
    int found = transport_wait(transport, state, TRANSPORT_WRITABLE, until_ms);
    if (found != 0) return found < 0 ? -1 : 0;
    PyErr_SetString(PyExc_TimeoutError, "the peer does not read");
    return -1;
}

/* Waits for room before each part. */
static int write_parts(struct transport *transport, struct state *state, PyObject *bytes, uint64_t until_idle_ms) {
    const char *left = PyBytes_AS_STRING(bytes);
    size_t left_len = (size_t)PyBytes_GET_SIZE(bytes), max = transport_part_max(transport, state);
    uint64_t stuck_ms = 0;
    while (left_len) {
        PyObject *part = PyBytes_FromStringAndSize(left, (Py_ssize_t)(left_len < max ? left_len : max));
        Py_ssize_t count = part ? transport_write_part(transport, state, part) : -1;
        Py_XDECREF(part);
        if (count == -1) return -1;
        if (count >= 0) {
            left += count;
            left_len -= (size_t)count;
            stuck_ms = 0;
            continue;
        }
        uint64_t now_ms = protocol_now_ms();
        if (!stuck_ms) stuck_ms = now_ms;
        uint64_t rest_ms = until_idle_ms > now_ms - stuck_ms ? until_idle_ms - (now_ms - stuck_ms) : 1;
        if (transport_wait_writable(transport, state, until_idle_ms ? rest_ms : 0) < 0) return -1;
    }
    return 0;
}

int transport_write_bytes(struct transport *transport, struct state *state, PyObject *bytes, uint64_t until_idle_ms) {
    if (check_open(transport) < 0) return -1;
    return transport_has_clock(transport) ? write_parts(transport, state, bytes, until_idle_ms)
                                          : write_method(transport, state, bytes);
}

int transport_write(struct transport *transport, struct state *state, struct iovec *pieces, int count,
                    uint64_t until_idle_ms) {
    if (check_open(transport) < 0) return -1;
    if (transport->kind == TRANSPORT_SOCKET) return transport_fd_write(transport, state, pieces, count, until_idle_ms);
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > (size_t)PY_SSIZE_T_MAX - len) {
            PyErr_NoMemory();
            return -1;
        }
        len += pieces[i].iov_len;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    if (!bytes) return -1;
    char *dst = PyBytes_AS_STRING(bytes);
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len) memcpy(dst, pieces[i].iov_base, pieces[i].iov_len);
        dst += pieces[i].iov_len;
    }
    int result = transport_write_bytes(transport, state, bytes, until_idle_ms);
    Py_DECREF(bytes);
    return result;
}

Py_ssize_t transport_write_some(struct transport *transport, struct state *state, struct iovec *pieces, int count) {
    return check_open(transport) < 0 ? -1 : transport_fd_write_some(transport, state, pieces, count);
}

int transport_linger(struct transport *transport, struct state *state, uint64_t until_ms) {
    if (!transport->io || !transport_has_clock(transport)) return 0;
    return transport_fd_linger(transport, state, until_ms);
}

int transport_close(struct transport *transport, struct state *state) {
    PyObject *io = transport->io;
    if (!io) return 0;
    transport->io = NULL;
    PyObject *method;
    int result = get_optional(io, state->names[NAME_CLOSE], &method);
    if (result > 0) {
        PyObject *none = PyObject_CallNoArgs(method);
        result = none ? 0 : -1;
        Py_XDECREF(none);
        Py_DECREF(method);
    }
    Py_DECREF(io);
    return result;
}
