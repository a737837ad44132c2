/* SPDX-License-Identifier: MIT */
/* What a connection has to send goes to its socket: for both drivers. */
#include "aio_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define IOV_COUNT 64

ssize_t aio_socket_send(int fd, const void *ptr, size_t len) {
    return send(fd, ptr, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t send_pieces(int fd, struct iovec *iov, int count) {
    if (count == 1) return aio_socket_send(fd, iov->iov_base, iov->iov_len);
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int aio_socket_is_busy(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int aio_socket_write(int fd, struct fastws_conn *conn) {
    struct iovec iov[IOV_COUNT];
    int count;
    while ((count = fastws_conn_pending(conn, (struct fastws_iovec *)(void *)iov, IOV_COUNT)) > 0) {
        size_t len = 0;
        for (int i = 0; i < count; i++) len += iov[i].iov_len;
        ssize_t sent = send_pieces(fd, iov, count);
        if (sent < 0 && !aio_socket_is_busy(errno)) return -1;
        size_t done = sent > 0 ? (size_t)sent : 0;
        int error = fastws_conn_sent(conn, done);
        (void)error; /* it is what was listed, or less */
        if (done < len) return 1;
    }
    return 0;
}
