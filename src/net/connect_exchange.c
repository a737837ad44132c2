/* SPDX-License-Identifier: MIT */
/* The exchange of request and answer of a dial, in both directions at once. */
#define _POSIX_C_SOURCE 200809L
#include <fastws/error.h>

#include "connect.h"
#include "io.h"

/* ---- The answer ---- */

static int has_head(const struct fastws_dialer *dial) {
    struct fastws_http_status_line line;
    return fastws_dial_status_line(dial, &line) == 0;
}

/* What becomes of a stream that gives nothing more. */
static int end_early(struct fastws_dialer *dial, int error) {
    if (error == 0) return fastws_dial_eof(dial);
    /* The status is known and only the body cut: that says more than a stream that failed. */
    if (error == FASTWS_ERR_TIMEOUT || (error == FASTWS_ERR_IO && has_head(dial))) return fastws_dial_expire(dial);
    return error;
}

/* Reads once. Returns FASTWS_NEED_MORE, 1, or an error. */
static int read_some(const struct fws_limit *limit, const struct fastws_io *io, struct fastws_dialer *dial,
                     struct fws_received *received) {
    ptrdiff_t n = fws_io_read(io, received->bytes, sizeof received->bytes, limit);
    if (n <= 0) return end_early(dial, (int)n);
    received->len = (size_t)n;
    return fastws_dial_feed(dial, received->bytes, received->len, &received->used);
}

/* ---- The request ---- */

/* What of the request has not been written. */
struct rest {
    const uint8_t *ptr;
    size_t len;
};

/* Writes what goes at once. Returns 1 if that is all, 0 if not, or FASTWS_ERR_IO. */
static int write_some(const struct fastws_io *io, struct rest *rest) {
    while (rest->len > 0) {
        struct fastws_iovec iov = {rest->ptr, rest->len};
        ptrdiff_t n = io->writev(io->ctx, &iov, 1);
        if (n == FASTWS_IO_AGAIN && io->wait != NULL) return 0;
        if (n <= 0 || (size_t)n > rest->len) return FASTWS_ERR_IO;
        rest->ptr += n;
        rest->len -= (size_t)n;
    }
    return 1;
}

/* Writes the request until an answer comes. Returns FASTWS_NEED_MORE when all of it is written, or what ends the
 * handshake. */
static int write_request(const struct fws_limit *limit, const struct fastws_io *io, struct fastws_dialer *dial,
                         struct rest *rest, struct fws_received *received) {
    for (;;) {
        int result = write_some(io, rest);
        if (result != 0) return result > 0 ? FASTWS_NEED_MORE : result;
        int ready = fws_io_await(io, FASTWS_IO_READABLE | FASTWS_IO_WRITABLE, limit);
        if (ready < 0) return end_early(dial, ready);
        if (!(ready & (int)FASTWS_IO_READABLE)) continue;
        result = read_some(limit, io, dial, received);
        if (result != FASTWS_NEED_MORE) return result;
    }
}

static int read_answer(const struct fws_limit *limit, const struct fastws_io *io, struct fastws_dialer *dial,
                       struct fws_received *received) {
    int result;
    do result = read_some(limit, io, dial, received);
    while (result == FASTWS_NEED_MORE);
    return result;
}

int fws_dialing_exchange(const struct fws_limit *limit, const struct fastws_io *io, struct fastws_dialer *dial,
                         struct fws_received *received) {
    const void *request;
    size_t len;
    fastws_dial_request(dial, &request, &len);
    struct rest rest = {request, len};
    int written = write_request(limit, io, dial, &rest, received);
    if (written > 0) { /* an eager server: what it has not read yet comes before our first frame */
        TRY(fws_io_write(io, rest.ptr, rest.len, limit));
        return written;
    }
    if (written != FASTWS_NEED_MORE && written != FASTWS_ERR_IO) return written;
    int result = read_answer(limit, io, dial, received);
    int is_no_answer = result >= 0 || result == FASTWS_ERR_UNEXPECTED_EOF || result == FASTWS_ERR_IO;
    return written == FASTWS_ERR_IO && is_no_answer ? written : result;
}
