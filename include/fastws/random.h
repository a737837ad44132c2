/* SPDX-License-Identifier: MIT */
/* Where masking keys and handshake keys come from. RFC 6455 5.3 and 10.3.
 *
 * What a client masks with must not be foreseeable: who can choose a payload and knows its key chooses the bytes on the
 * wire, which a proxy between may take for a request of its own (10.3). So all entropy comes from the operating system
 * (getrandom() or getentropy(), else /dev/urandom).
 *
 * A pool does not ask it for each key. It draws a seed of 44 bytes, the key and the nonce of ChaCha20 (RFC 8439), and
 * stretches it as arc4random() of operating systems does: in batches of 1024 bytes, of which the first 32 are the key
 * of the next batch and are never handed out. A key that made a batch is overwritten by then, and bytes that were used
 * are wiped, so memory that is read later tells nothing of masks before. After 64 batches a new seed is drawn. If that
 * fails, the function that needed the bytes returns FASTWS_ERR_RANDOM and nothing of the old seed is used again; the
 * next call asks anew. On Zen 4 a key costs 6 cycles with AVX-512 and 7 with AVX2, in place of 40 to 60 from Linux.
 * Each pool has its own seed. A test may put its own function in place. */
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

/* Makes every seed and every buffer of random bytes in this process be thrown away before its next use, which draws a
 * new seed. Call it in the child after fork(), where parent and child would otherwise use the same bytes; the optional
 * I/O layer and the Python package do. Call it also where memory is copied in other ways, as by snapshots of a machine.
 * Thread-safe, and async-signal-safe as fork handlers must be. Never allocates. */
FASTWS_API void fastws_random_discard(void);

FASTWS_END_DECLS

#endif
