/* SPDX-License-Identifier: MIT */
/* The byte stream under a Stream: a socket, or any object that reads and writes bytes. */
#ifndef FASTWS_PY_TRANSPORT_H
#define FASTWS_PY_TRANSPORT_H

#include "state.h"

#include <sys/uio.h>

enum transport_kind {
    TRANSPORT_SOCKET = 1, /* a socket.socket itself: system calls on its descriptor */
    TRANSPORT_TLS,        /* an ssl.SSLSocket: its methods, in non-blocking mode, with poll() on its descriptor */
    TRANSPORT_WRAPPED,    /* another subclass: its methods, which block, with poll() on its descriptor before each */
    TRANSPORT_OBJECT      /* anything else: its methods. They block as they like, and no deadline is kept */
};

struct transport {
    PyObject *io;      /* NULL once it is closed */
    PyObject *scratch; /* bytearray that methods of io receive into, or NULL */
    enum transport_kind kind;
    enum name read_name;  /* recv_into, readinto1 or readinto */
    enum name write_name; /* sendall or write */
    PyThread_type_lock tls_lock;  /* TLS: held for each call, never while waiting. NULL for any other kind */
    unsigned long tls_caller;     /* the thread that holds it; 0: nobody */
    uint64_t tls_timeout_ms;      /* what the timeout of the socket was; 0: none */
    PyObject *want_read;          /* ssl.SSLWantReadError */
    PyObject *want_write;         /* ssl.SSLWantWriteError */
    int is_read_by_writing;       /* TLS: the last read could not go on before something is written */
    int is_written_by_reading;    /* TLS: the last write could not go on before something is read */
};

/* Each function below returns -1 with an exception when it fails, and gives up the interpreter lock while it waits. */

/* Looks at what io can do. TypeError if it cannot read or write. */
int transport_open(struct transport *transport, struct state *state, PyObject *io);

/* Frees all but io. */
void transport_free(struct transport *transport);

static inline int transport_has_clock(const struct transport *transport) {
    return transport->kind != TRANSPORT_OBJECT;
}

/* Says whether a read answers at once if there is nothing: then it is worth a try before waiting. */
static inline int transport_can_try(const struct transport *transport) {
    return transport->kind == TRANSPORT_SOCKET || transport->kind == TRANSPORT_TLS;
}

enum { TRANSPORT_READABLE = 1, TRANSPORT_WRITABLE = 2 };

/* Waits until bytes can be read, or the clock of protocol.h passes until_ms. Returns TRANSPORT_READABLE if they can, 0
 * if time is over. The timeout of the socket itself ends it with TimeoutError.
 *   what   what else counts, and is returned then: TRANSPORT_WRITABLE, unless it is a TRANSPORT_OBJECT. May leave out
 *          reading */
int transport_wait(struct transport *transport, struct state *state, int what, uint64_t until_ms);

/* Reads at most len bytes. Returns their number, 0 at the end of the stream, -2 if there was nothing after all. */
Py_ssize_t transport_read(struct transport *transport, struct state *state, void *dst, size_t len);

/* Reads through the method of io, whatever its kind. */
Py_ssize_t transport_read_method(struct transport *transport, struct state *state, void *dst, size_t len);

/* Takes the count that a method of io returned, and checks it against what it was given. NULL: it has failed. Returns
 * the count, or -1. */
Py_ssize_t transport_check_count(PyObject *result, PyObject *name, Py_ssize_t max);

/* Writes all pieces, in one system call or method call where it takes them at once. The array is changed.
 *   until_idle_ms   gives up with TimeoutError when nothing could be written for so long; 0: never
 * Returns 0. */
int transport_write(struct transport *transport, struct state *state, struct iovec *pieces, int count,
                    uint64_t until_idle_ms);

/* For sockets only: writes what the system takes at once, and keeps the interpreter lock. Returns the number of bytes,
 * or -2 if there was no room: then wait for it, until until_idle_ms (as above) are over, which returns 0. */
Py_ssize_t transport_write_some(struct transport *transport, struct state *state, struct iovec *pieces, int count);

/* The same through a method of io, of a TRANSPORT_TLS or TRANSPORT_WRAPPED: for at most transport_part_max() bytes. */
Py_ssize_t transport_write_part(struct transport *transport, struct state *state, PyObject *part);

/* TLS: a record. Else what a socket has room for once poll() says that it has some, so that a method which blocks does
 * not. */
size_t transport_part_max(struct transport *transport, struct state *state);

int transport_wait_writable(struct transport *transport, struct state *state, uint64_t until_idle_ms);

/* Like transport_write(), but not for sockets: for one bytes object, which methods of io get as it is. */
int transport_write_bytes(struct transport *transport, struct state *state, PyObject *bytes, uint64_t until_idle_ms);

/* Ends the output of a socket, and reads and drops what comes until the end of its stream or until_ms: so that what was
 * written last is not lost in a reset. RFC 6455 7.1.1. Fails only with what a signal handler raised. Returns 0. */
int transport_linger(struct transport *transport, struct state *state, uint64_t until_ms);

/* Closes io, once. Returns 0. */
int transport_close(struct transport *transport, struct state *state);

#endif
