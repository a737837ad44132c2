/* SPDX-License-Identifier: MIT */
/* What streams and handshakes do with a struct fastws_io besides one read or write: keep to a deadline. */
#ifndef FWS_NET_IO_H
#define FWS_NET_IO_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/stream.h>

#include "../platform.h"

enum { FWS_IO_PIECES = 16 }; /* pieces that one writev is given at most */

/* The time of CLOCK_MONOTONIC: the clock of deadlines and of every stream's pool. */
FWS_PRIVATE uint64_t fws_clock_us(void);
FWS_PRIVATE uint64_t fws_clock_ms(void);

/* Returns the time that lies duration_ms behind start_ms; UINT64_MAX, which is never, for a duration of 0. */
FWS_PRIVATE uint64_t fws_deadline_ms(uint64_t start_ms, uint64_t duration_ms);

/* Returns what poll() wants: -1 for no limit. A time that does not fit ends early, which callers must expect. */
FWS_PRIVATE int fws_poll_timeout_ms(uint64_t until_ms);

/* Waits until something of what (FASTWS_IO_READABLE, FASTWS_IO_WRITABLE or both) is so, or until_ms, for an io that has
 * wait. Returns the bits that are so, 0 or negative. May be back early: with both bits it is, often, where io has no
 * wait_any, and does not tell of FASTWS_IO_WRITABLE. */
FWS_PRIVATE FASTWS_NODISCARD int fws_io_wait(const struct fastws_io *io, unsigned what, uint64_t until_ms);

/* How long something may take. */
struct fws_limit {
    uint64_t until_ms; /* by fws_clock_ms(); UINT64_MAX: for ever */
    int cancel_fd;     /* or until this descriptor becomes readable; -1: there is none */
};

/* Returns 0, FASTWS_ERR_TIMEOUT or FASTWS_ERR_DIAL_CANCELLED. */
FWS_PRIVATE FASTWS_NODISCARD int fws_limit_check(const struct fws_limit *limit);

/* Returns when a wait that cannot watch cancel_fd itself has to end, to have fws_limit_check() called. */
FWS_PRIVATE FASTWS_NODISCARD uint64_t fws_limit_slice_ms(const struct fws_limit *limit);

/* Like fws_io_wait(), but with a limit, which is looked at also where something is so already: a peer that never
 * pauses must not outlast it. Returns bits (0: may be worth a try), or fws_limit_check(), or FASTWS_ERR_IO. */
FWS_PRIVATE FASTWS_NODISCARD int fws_io_await(const struct fastws_io *io, unsigned what, const struct fws_limit *limit);

/* What was received last of a handshake: the end of a head, and what came behind it. */
struct fws_received {
    size_t used; /* of len, by the head */
    size_t len;
    uint8_t bytes[4096]; /* holds what browsers send, so that most heads come in one piece */
};

/* Waits for bytes and reads them. Returns their number, 0 at the end of the stream, or an error of fws_io_await(). */
FWS_PRIVATE FASTWS_NODISCARD ptrdiff_t fws_io_read(const struct fastws_io *io, void *dst, size_t len,
                                                   const struct fws_limit *limit);

/* Writes all of src; a time that has passed allows one attempt. Returns 0 or an error of fws_io_await(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_io_write(const struct fastws_io *io, const void *src, size_t len,
                                              const struct fws_limit *limit);

/* Reads and drops what comes until the stream ends or until_ms has passed. Returns at once where io has no wait. */
FWS_PRIVATE void fws_io_drop(const struct fastws_io *io, uint64_t until_ms);

/* Ends our half of the stream, then does fws_io_drop(): closing a socket that holds unread bytes would send a reset,
 * and the peer would lose what we wrote last. Where io has no shutdown the peer may be waiting for the close that comes
 * next: then only what has arrived is dropped. */
FWS_PRIVATE void fws_io_linger(const struct fastws_io *io, uint64_t until_ms);

#endif
