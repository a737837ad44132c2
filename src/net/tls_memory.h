/* SPDX-License-Identifier: MIT */
/* TLS between pieces of memory, for a driver that reads and writes itself: what it has received goes in, what it is to
 * send comes out. Nothing here waits, or calls the system. */
#ifndef FWS_NET_TLS_MEMORY_H
#define FWS_NET_TLS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/tls.h>

#include "../platform.h"
#include "tls.h"

/* A record is 16 KiB of payload at most, and no more than this on the wire. RFC 8446 5.2. */
enum { FWS_TLS_RECORD_LEN = 16384, FWS_TLS_RECORD_CAP = FWS_TLS_RECORD_LEN + 5 + 256 };

/* The driver sets in and out before it calls, and looks at them when the call has returned. All zero: not begun. */
struct fws_tls_memory {
    struct ssl_st *ssl; /* NULL: not begun, and what is below is the driver's alone; it can be ended and closed */
    const uint8_t *in; /* received, and not read yet */
    size_t in_len;
    uint8_t *out; /* where what is to be sent is put */
    size_t out_len;
    size_t out_cap;
    int is_ended; /* the peer said that nothing more comes, in TLS or below it */
};

enum { FWS_TLS_AGAIN = -1, FWS_TLS_BROKEN = -2 };

/* Begins a handshake; host is NULL for a server. Returns 0 or an error of fastws_tls_connect(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_tls_memory_open(struct fws_tls_memory *memory, const struct fastws_tls *tls,
                                                     const char *host);
FWS_PRIVATE void fws_tls_memory_close(struct fws_tls_memory *memory);

/* Goes on with the handshake. Returns 1 when it is over, 0 when more has to come in, or an error of
 * fastws_tls_connect(): what is in out tells the peer. */
FWS_PRIVATE FASTWS_NODISCARD int fws_tls_memory_shake(struct fws_tls_memory *memory);

/* Reads payload. Returns its length, 0 at the end, FWS_TLS_AGAIN (more has to come in, or room in out is short) or
 * FWS_TLS_BROKEN. May put something into out. */
FWS_PRIVATE ptrdiff_t fws_tls_memory_read(struct fws_tls_memory *memory, void *dst, size_t len);

/* Says whether a read would bring something although nothing more comes in. */
FWS_PRIVATE int fws_tls_memory_has_more(const struct fws_tls_memory *memory);

/* Writes one record of at most FWS_TLS_RECORD_LEN bytes into out, which must have room for FWS_TLS_RECORD_CAP.
 * Returns 0 or FWS_TLS_BROKEN. */
FWS_PRIVATE FASTWS_NODISCARD int fws_tls_memory_write(struct fws_tls_memory *memory, const void *src, size_t len);

/* Writes a close_notify, once, where that is possible. RFC 8446 6.1. */
FWS_PRIVATE void fws_tls_memory_end(struct fws_tls_memory *memory);

#endif
