/* SPDX-License-Identifier: MIT */
/* The system calls that a socket makes: its bytes pass here and nowhere else. */
#define _POSIX_C_SOURCE 200809L
#include "loop_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(struct fastws_iovec) == sizeof(struct iovec), "pieces are laid out as the system's");
_Static_assert(offsetof(struct fastws_iovec, base) == offsetof(struct iovec, iov_base), "they begin with the pointer");
_Static_assert(offsetof(struct fastws_iovec, len) == offsetof(struct iovec, iov_len), "and go on with the length");

static ptrdiff_t outcome(ssize_t n) {
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EWOULDBLOCK ? FWS_TRANSPORT_AGAIN : FWS_TRANSPORT_FAILED;
}

ptrdiff_t fws_transport_receive(struct fastws_socket *socket, void *dst, size_t len) {
    ssize_t n;
    do n = recv(socket->watch.fd, dst, len, 0);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

ptrdiff_t fws_transport_read(struct fastws_socket *socket, void *dst, size_t len) {
    if (FWS_UNLIKELY(fws_socket_has(socket, FWS_SOCKET_TLS))) return fws_link_read(socket, dst, len);
    return fws_transport_receive(socket, dst, len);
}

static ssize_t write_pieces(int fd, const struct fastws_iovec *iov, int count) {
    struct msghdr message = {0};
    message.msg_iov = (struct iovec *)(uintptr_t)iov; /* read by the system only */
    message.msg_iovlen = (unsigned)count;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ptrdiff_t fws_transport_send(struct fastws_socket *socket, const void *src, size_t len) {
    ssize_t n;
    do n = send(socket->watch.fd, src, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    fws_socket_loop(socket)->stats.writes++;
    return outcome(n);
}

ptrdiff_t fws_transport_write(struct fastws_socket *socket, const struct fastws_iovec *iov, int count) {
    if (FWS_UNLIKELY(fws_socket_has(socket, FWS_SOCKET_TLS))) return fws_link_write(socket, iov, count);
    if (count == 1) return fws_transport_send(socket, iov->base, iov->len);
    ssize_t n;
    do n = write_pieces(socket->watch.fd, iov, count);
    while (n < 0 && errno == EINTR);
    fws_socket_loop(socket)->stats.writes++;
    return outcome(n);
}

void fws_transport_end(struct fastws_socket *socket) {
    if (fws_socket_has(socket, FWS_SOCKET_TLS)) fws_link_end(socket);
    (void)shutdown(socket->watch.fd, SHUT_WR);
}

void fws_transport_break(struct fastws_socket *socket) { (void)shutdown(socket->watch.fd, SHUT_RDWR); }

/* With a reset the system drops at once what the peer has not read. */
void fws_transport_close(struct fastws_socket *socket, int is_reset) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (fws_socket_has(socket, FWS_SOCKET_TLS)) fws_link_close(socket);
    if (socket->watch.fd < 0) return;
    if (is_reset) (void)setsockopt(socket->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(socket->watch.fd);
}

int fws_transport_prepare(int fd) {
    int status = fcntl(fd, F_GETFL);
    if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) != 0) return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}
