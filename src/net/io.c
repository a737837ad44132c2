/* SPDX-License-Identifier: MIT */
/* The byte stream over a descriptor, and reads and writes that keep to a deadline over any byte stream. */
#define _POSIX_C_SOURCE 200809L
#include "io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <fastws/error.h>

enum { WAIT_SLICE_MS = 50 }; /* how long a wait lasts that cannot watch all that may end it */

uint64_t fws_clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t fws_clock_ms(void) { return fws_clock_us() / 1000u; }

uint64_t fws_deadline_ms(uint64_t start_ms, uint64_t duration_ms) {
    if (duration_ms == 0 || duration_ms >= UINT64_MAX - start_ms) return UINT64_MAX;
    return start_ms + duration_ms;
}

/* ---- A descriptor ---- */

/* The ctx of the functions below is the descriptor itself. */
static int fd_of(void *ctx) { return (int)(intptr_t)ctx; }

/* What a system call returned, as struct fastws_io wants it. */
static ptrdiff_t outcome(ssize_t n) {
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EWOULDBLOCK ? FASTWS_IO_AGAIN : FASTWS_IO_FAILED;
}

/* Our pieces are laid out as the system's, but are another type to the compiler. */
static int to_system(struct iovec dst[FWS_IO_PIECES], const struct fastws_iovec *src, int count) {
    int used = count < FWS_IO_PIECES ? count : FWS_IO_PIECES;
    for (int i = 0; i < used; i++) {
        dst[i].iov_base = (void *)(uintptr_t)src[i].base;
        dst[i].iov_len = src[i].len;
    }
    return used;
}

static ptrdiff_t socket_read(void *ctx, void *dst, size_t len) {
    ssize_t n;
    do n = recv(fd_of(ctx), dst, len, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

static ptrdiff_t socket_writev(void *ctx, const struct fastws_iovec *iov, int count) {
    struct iovec pieces[FWS_IO_PIECES];
    struct msghdr message = {0};
    message.msg_iov = pieces;
    message.msg_iovlen = (unsigned)to_system(pieces, iov, count);
    ssize_t n;
    do n = sendmsg(fd_of(ctx), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

static int socket_shutdown(void *ctx) {
    return shutdown(fd_of(ctx), SHUT_WR) == 0 ? 0 : FASTWS_IO_FAILED;
}

static ptrdiff_t fd_read(void *ctx, void *dst, size_t len) {
    ssize_t n;
    do n = read(fd_of(ctx), dst, len);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

static ptrdiff_t fd_writev(void *ctx, const struct fastws_iovec *iov, int count) {
    struct iovec pieces[FWS_IO_PIECES];
    int used = to_system(pieces, iov, count);
    ssize_t n;
    do n = writev(fd_of(ctx), pieces, used);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

/* Not EINTR: Linux has let go of the descriptor then, and closing it again could hit another thread's. */
static int fd_close(void *ctx) { return close(fd_of(ctx)) == 0 ? 0 : FASTWS_IO_FAILED; }

int fws_poll_timeout_ms(uint64_t until_ms) {
    if (until_ms == UINT64_MAX) return -1;
    uint64_t now_ms = fws_clock_ms();
    if (until_ms <= now_ms) return 0;
    return until_ms - now_ms < INT_MAX ? (int)(until_ms - now_ms) : INT_MAX;
}

/* Returns the events that are so, 0 or negative. */
static int fd_poll(int fd, short events, uint64_t until_ms) {
    struct pollfd entry = {.fd = fd, .events = events};
    if (fd < 0) return FASTWS_IO_FAILED; /* poll() would skip it */
    int n;
    do n = poll(&entry, 1, fws_poll_timeout_ms(until_ms));
    while (n < 0 && errno == EINTR);
    if (n < 0 || entry.revents & POLLNVAL) return FASTWS_IO_FAILED;
    return entry.revents & (POLLERR | POLLHUP) ? events : entry.revents;
}

static int fd_wait(void *ctx, int for_write, uint64_t until_ms) {
    return fd_poll(fd_of(ctx), for_write ? POLLOUT : POLLIN, until_ms);
}

static int fd_wait_any(void *ctx, uint64_t until_ms) {
    int events = fd_poll(fd_of(ctx), POLLIN | POLLOUT, until_ms);
    if (events < 0) return events;
    return (events & POLLIN ? (int)FASTWS_IO_READABLE : 0) | (events & POLLOUT ? (int)FASTWS_IO_WRITABLE : 0);
}

void fastws_io_from_fd(struct fastws_io *io, int fd) {
    /* Not fstat(): with 32-bit numbers it fails where an inode or a time needs more. */
    int type;
    socklen_t type_len = sizeof type;
    int is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0;
    io->read = is_socket ? socket_read : fd_read;
    io->writev = is_socket ? socket_writev : fd_writev;
    io->wait = fd_wait;
    io->close = fd_close;
    io->ctx = (void *)(intptr_t)fd;
    io->shutdown = is_socket ? socket_shutdown : NULL;
    io->wait_any = fd_wait_any;
}

/* ---- Any byte stream ---- */

int fws_io_wait(const struct fastws_io *io, unsigned what, uint64_t until_ms) {
    if (what == (FASTWS_IO_READABLE | FASTWS_IO_WRITABLE)) {
        if (io->wait_any != NULL) return io->wait_any(io->ctx, until_ms);
        uint64_t slice_ms = fws_clock_ms() + WAIT_SLICE_MS;
        if (slice_ms < until_ms) until_ms = slice_ms;
        what = FASTWS_IO_READABLE;
    }
    int ready = io->wait(io->ctx, what == FASTWS_IO_WRITABLE, until_ms);
    return ready > 0 ? (int)what : ready;
}

int fws_limit_check(const struct fws_limit *limit) {
    struct pollfd cancel = {.fd = limit->cancel_fd, .events = POLLIN};
    if (limit->cancel_fd >= 0 && poll(&cancel, 1, 0) > 0) return FASTWS_ERR_DIAL_CANCELLED;
    return limit->until_ms != UINT64_MAX && fws_clock_ms() >= limit->until_ms ? FASTWS_ERR_TIMEOUT : 0;
}

uint64_t fws_limit_slice_ms(const struct fws_limit *limit) {
    if (limit->cancel_fd < 0) return limit->until_ms;
    uint64_t slice_ms = fws_clock_ms() + WAIT_SLICE_MS;
    return slice_ms < limit->until_ms ? slice_ms : limit->until_ms;
}

int fws_io_await(const struct fastws_io *io, unsigned what, const struct fws_limit *limit) {
    TRY(fws_limit_check(limit));
    int ready = fws_io_wait(io, what, fws_limit_slice_ms(limit));
    return ready < 0 ? FASTWS_ERR_IO : ready;
}

ptrdiff_t fws_io_read(const struct fastws_io *io, void *dst, size_t len, const struct fws_limit *limit) {
    for (;;) {
        int ready = io->wait != NULL ? fws_io_await(io, FASTWS_IO_READABLE, limit) : (int)FASTWS_IO_READABLE;
        if (ready < 0) return ready;
        if (ready == 0) continue;
        ptrdiff_t n = io->read(io->ctx, dst, len);
        if (n >= 0 && (size_t)n <= len) return n;
        if (n != FASTWS_IO_AGAIN || io->wait == NULL) return FASTWS_ERR_IO;
    }
}

int fws_io_write(const struct fastws_io *io, const void *src, size_t len, const struct fws_limit *limit) {
    struct fastws_iovec rest = {src, len};
    while (rest.len > 0) {
        ptrdiff_t n = io->writev(io->ctx, &rest, 1);
        if (n > 0 && (size_t)n <= rest.len) {
            rest.base = (const uint8_t *)rest.base + n;
            rest.len -= (size_t)n;
            continue;
        }
        if (n != FASTWS_IO_AGAIN || io->wait == NULL) return FASTWS_ERR_IO;
        TRY(fws_io_await(io, FASTWS_IO_WRITABLE, limit));
    }
    return 0;
}

/* Drops until until_ms; each read waits until read_until_ms. */
static void drop(const struct fastws_io *io, uint64_t until_ms, uint64_t read_until_ms) {
    if (io->wait == NULL) return;
    uint8_t dropped[4096];
    while (fws_clock_ms() < until_ms) {
        int ready = fws_io_wait(io, FASTWS_IO_READABLE, read_until_ms);
        if (ready < 0 || (ready == 0 && fws_clock_ms() >= read_until_ms)) return;
        ptrdiff_t n = ready > 0 ? io->read(io->ctx, dropped, sizeof dropped) : FASTWS_IO_AGAIN;
        if (n == 0 || (n < 0 && n != FASTWS_IO_AGAIN)) return;
    }
}

void fws_io_drop(const struct fastws_io *io, uint64_t until_ms) { drop(io, until_ms, until_ms); }

void fws_io_linger(const struct fastws_io *io, uint64_t until_ms) {
    if (io->shutdown == NULL) {
        drop(io, until_ms, 0);
    } else if (io->shutdown(io->ctx) >= 0) {
        drop(io, until_ms, until_ms);
    }
}
