/* SPDX-License-Identifier: MIT */
/* System calls on the descriptor of a socket. As transport.h says. */
#ifndef FASTWS_PY_TRANSPORT_FD_H
#define FASTWS_PY_TRANSPORT_FD_H

#include "transport.h"

int transport_fd_wait(struct transport *transport, struct state *state, int what, uint64_t until_ms);
Py_ssize_t transport_fd_read(struct transport *transport, struct state *state, void *dst, size_t len);
int transport_fd_write(struct transport *transport, struct state *state, struct iovec *pieces, int count,
                       uint64_t until_idle_ms);
Py_ssize_t transport_fd_write_some(struct transport *transport, struct state *state, struct iovec *pieces, int count);
size_t transport_fd_part_max(struct transport *transport, struct state *state);
int transport_fd_linger(struct transport *transport, struct state *state, uint64_t until_ms);

#endif
