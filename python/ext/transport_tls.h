/* SPDX-License-Identifier: MIT */
/* Reading and writing through an ssl.SSLSocket that two threads share. As transport.h says. */
#ifndef FASTWS_PY_TRANSPORT_TLS_H
#define FASTWS_PY_TRANSPORT_TLS_H

#include "transport.h"

/* Looks whether io is an ssl.SSLSocket, and gets ready if it is. Returns 1 or 0, or -1 with an exception. */
int transport_tls_open(struct transport *transport, PyObject *io);
void transport_tls_free(struct transport *transport);

/* Sees to it that no call blocks, and notes the timeout that was set. Returns 0, or -1 with an exception. */
int transport_tls_stop_blocking(struct transport *transport, struct state *state);

int transport_tls_wait(struct transport *transport, struct state *state, int what, uint64_t until_ms);
Py_ssize_t transport_tls_read(struct transport *transport, struct state *state, void *dst, size_t len);
Py_ssize_t transport_tls_write_part(struct transport *transport, struct state *state, PyObject *part);

#endif
