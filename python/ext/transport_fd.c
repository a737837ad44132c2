/* SPDX-License-Identifier: MIT */
/* System calls on the descriptor of a socket. Whatever waits or writes much lets go of the interpreter lock.
 *
 * The descriptor is asked for anew before each call: a socket that was closed must not lead to the one that has got its
 * number. */
#include "transport_fd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "args.h"
#include "protocol.h"
#include "transport_tls.h"

/* A poll() does not see that another thread closes the stream. For room, which may never come, it is asked so often. */
#define RECHECK_MS 100

/* Bytes of a write by a method that is not to block. */
#define PART_MIN 512
#define PART_MAX 65536

/* Python ignores SIGPIPE; where the flag exists, the call does not depend on that. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Another thread may have closed the stream whenever the interpreter lock was gone. */
static PyObject *call(struct transport *transport, PyObject *name) {
    PyObject *io = transport->io;
    if (!io) {
        PyErr_SetString(PyExc_OSError, "the stream was closed");
        return NULL;
    }
    Py_INCREF(io);
    PyObject *result = PyObject_CallMethodNoArgs(io, name);
    Py_DECREF(io);
    return result;
}

static int get_fd(struct transport *transport, struct state *state) {
    PyObject *number = transport->io && state->socket_fileno && transport->kind == TRANSPORT_SOCKET
                           ? state->socket_fileno(transport->io, NULL)
                           : call(transport, state->names[NAME_FILENO]);
    if (!number) return -1;
    long fd = PyLong_AsLong(number);
    Py_DECREF(number);
    if (fd == -1 && PyErr_Occurred()) return -1;
    if (fd >= 0 && fd <= INT_MAX) return (int)fd;
    errno = EBADF;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* When the timeout of the socket itself is over; UINT64_MAX if it has none. A socket in non-blocking mode is waited for
 * as a blocking one. */
static int get_socket_until(struct transport *transport, struct state *state, uint64_t *until_ms) {
    *until_ms = UINT64_MAX;
    if (transport->kind == TRANSPORT_TLS) {
        if (transport_tls_stop_blocking(transport, state) < 0) return -1;
        if (transport->tls_timeout_ms) *until_ms = protocol_now_ms() + transport->tls_timeout_ms;
        return 0;
    }
    PyObject *timeout = call(transport, state->names[NAME_GETTIMEOUT]);
    if (!timeout) return -1;
    uint64_t ms;
    int result = arg_seconds(timeout, "timeout", 1, INT64_MAX / 2, &ms);
    Py_DECREF(timeout);
    if (result == 0 && ms) *until_ms = protocol_now_ms() + ms;
    return result;
}

/* What poll() found. An error is there to be met by whatever was asked for. */
static int found(short events, int what) {
    int result = 0;
    if (events & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) result |= TRANSPORT_READABLE;
    if (events & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) result |= TRANSPORT_WRITABLE;
    return result & what;
}

static int poll_timeout(uint64_t until_ms) {
    uint64_t now = protocol_now_ms();
    if (until_ms == UINT64_MAX) return -1;
    if (until_ms <= now) return 0;
    return until_ms - now < INT_MAX ? (int)(until_ms - now) : INT_MAX;
}

int transport_fd_wait(struct transport *transport, struct state *state, int what, uint64_t until_ms) {
    short events = (short)((what & TRANSPORT_READABLE ? POLLIN : 0) | (what & TRANSPORT_WRITABLE ? POLLOUT : 0));
    uint64_t socket_until_ms;
    if (get_socket_until(transport, state, &socket_until_ms) < 0) return -1;
    for (;;) {
        uint64_t next_ms = until_ms < socket_until_ms ? until_ms : socket_until_ms;
        int timeout = poll_timeout(next_ms);
        if (what & TRANSPORT_WRITABLE && (timeout < 0 || timeout > RECHECK_MS)) timeout = RECHECK_MS;
        struct pollfd wanted = {.fd = get_fd(transport, state), .events = events};
        if (wanted.fd < 0) return -1;
        int count, error;
        Py_BEGIN_ALLOW_THREADS
        count = poll(&wanted, 1, timeout);
        error = errno;
        Py_END_ALLOW_THREADS
        if (count > 0) return found(wanted.revents, what);
        if (count < 0 && error != EINTR) {
            errno = error;
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        if (PyErr_CheckSignals() < 0) return -1;
        uint64_t now = protocol_now_ms();
        if (now >= until_ms) return 0;
        if (now >= socket_until_ms) {
            PyErr_SetString(PyExc_TimeoutError, "timed out");
            return -1;
        }
    }
}

Py_ssize_t transport_fd_read(struct transport *transport, struct state *state, void *dst, size_t len) {
    int fd = get_fd(transport, state);
    if (fd < 0) return -1;
    /* It does not wait, and handing the interpreter over would take longer than most reads. */
    ssize_t count = recv(fd, dst, len, MSG_DONTWAIT);
    if (count >= 0) return count;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return -2;
    if (errno == EINTR) return PyErr_CheckSignals() < 0 ? -1 : -2;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

Py_ssize_t transport_fd_write_some(struct transport *transport, struct state *state, struct iovec *pieces, int count) {
    int fd = get_fd(transport, state);
    if (fd < 0) return -1;
    struct msghdr message = {.msg_iov = pieces};
    /* int on some systems, size_t on others. */
    message.msg_iovlen = (unsigned)count;
    ssize_t written = count == 1 ? send(fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written >= 0) return written;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return -2;
    if (errno == EINTR) return PyErr_CheckSignals() < 0 ? -1 : 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* Steps over count bytes that were written. */
static void advance(struct iovec **pieces, int *count, size_t written) {
    while (*count && written >= (*pieces)->iov_len) {
        written -= (*pieces)->iov_len;
        ++*pieces;
        --*count;
    }
    if (*count) {
        (*pieces)->iov_base = (char *)(*pieces)->iov_base + written;
        (*pieces)->iov_len -= written;
    }
}

int transport_fd_write(struct transport *transport, struct state *state, struct iovec *pieces, int count,
                       uint64_t until_idle_ms) {
    advance(&pieces, &count, 0);
    while (count) {
        int fd = get_fd(transport, state);
        if (fd < 0) return -1;
        struct msghdr message = {.msg_iov = pieces};
        /* int on some systems, size_t on others. */
        message.msg_iovlen = (unsigned)count;
        ssize_t written;
        int error;
        Py_BEGIN_ALLOW_THREADS
        written = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        error = errno;
        Py_END_ALLOW_THREADS
        if (written >= 0) {
            advance(&pieces, &count, (size_t)written);
        } else if (error == EAGAIN || error == EWOULDBLOCK) {
            if (transport_wait_writable(transport, state, until_idle_ms) < 0) return -1;
        } else if (error == EINTR) {
            if (PyErr_CheckSignals() < 0) return -1;
        } else {
            errno = error;
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
    }
    return 0;
}

/* Linux calls a socket writable when a third of its buffer is free, or three quarters; each byte takes up to twice its
 * room. */
size_t transport_fd_part_max(struct transport *transport, struct state *state) {
    int buffer_len = 0, fd = get_fd(transport, state);
    socklen_t option_len = sizeof buffer_len;
    PyErr_Clear();
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_len, &option_len) < 0) return PART_MIN;
    size_t part_len = buffer_len > 0 ? (size_t)buffer_len / 8 : 0;
    if (part_len < PART_MIN) return PART_MIN;
    return part_len < PART_MAX ? part_len : PART_MAX;
}

int transport_fd_linger(struct transport *transport, struct state *state, uint64_t until_ms) {
    char dropped[16384];
    int fd = get_fd(transport, state);
    if (fd >= 0) shutdown(fd, SHUT_WR);
    Py_ssize_t count = fd >= 0 ? -2 : 0;
    while (count > 0 || count == -2) {
        count = transport_fd_read(transport, state, dropped, sizeof dropped);
        if (count == -2 && transport_fd_wait(transport, state, TRANSPORT_READABLE, until_ms) <= 0) break;
        if (protocol_now_ms() >= until_ms) break;
    }
    if (!PyErr_Occurred()) return 0;
    if (!PyErr_ExceptionMatches(PyExc_OSError)) return -1;
    PyErr_Clear();
    return 0;
}
