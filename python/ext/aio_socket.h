/* SPDX-License-Identifier: MIT */
/* Plain sockets, which never wait: for both drivers. */
#ifndef FASTWS_PY_AIO_SOCKET_H
#define FASTWS_PY_AIO_SOCKET_H

#include "aio.h"

/* Sends what is pending by system calls: what both drivers do with a plain socket. Returns 0 when all is out, 1 when
 * the socket takes no more, or -1 with errno. */
int aio_socket_write(int fd, struct fastws_conn *conn);

/* Sends bytes by one system call that neither waits nor raises SIGPIPE: send(). */
ssize_t aio_socket_send(int fd, const void *ptr, size_t len);

/* Whether the error of a system call on a socket says that it is to be tried again later. */
int aio_socket_is_busy(int error);

#endif
