/* SPDX-License-Identifier: MIT */
/* Where masking keys and handshake keys come from. RFC 6455 5.3 and 10.3.
 *
 * By default from the operating system's generator (getrandom() or getentropy(), else /dev/urandom), drawn in bulk into
 * a buffer of the object that uses it; bytes that were used are wiped from it. A test may put its own function in
 * place. */
#ifndef FASTWS_RANDOM_H
#define FASTWS_RANDOM_H

#include <stddef.h>

#include <fastws/export.h>

FASTWS_BEGIN_DECLS

/* A source of random bytes in place of the operating system.
 *   fill       writes len bytes to dst and returns 0, or returns a negative enum fastws_error, which the function that
 *              needed the bytes passes on. len is at least 1. Called for exactly the bytes that are needed, each time
 *              that they are: what it returns is not buffered
 *   context    handed to fill
 * The struct is used by pointer: it must outlive every object that was given it. fill is called on the thread that
 * uses the object. Predictable bytes let a peer choose what proxies see on the wire (RFC 6455 10.3): for tests only. */
struct fastws_random {
    int (*fill)(void *context, void *dst, size_t len);
    void *context;
};

/* Makes every buffer of random bytes in this process be thrown away before its next use. Call it in the child after
 * fork(), where parent and child would otherwise use the same bytes; the optional I/O layer and the Python package do.
 * Thread-safe, and async-signal-safe as fork handlers must be. Never allocates. */
FASTWS_API void fastws_random_discard(void);

FASTWS_END_DECLS

#endif
