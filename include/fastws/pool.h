/* SPDX-License-Identifier: MIT */
/* What the connections of one thread share: receive buffers (slabs), the write buffer (cork), random bytes, the time.
 *
 * A connection borrows a slab while it receives and gives it back when nothing is left incomplete, so a thousand idle
 * connections hold none, and a thousand connections one after another use one.
 *
 * A pool, and every connection made from it, serves one thread at a time. Make one pool per thread or event loop. */
#ifndef FASTWS_POOL_H
#define FASTWS_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/allocator.h>
#include <fastws/deflate.h>
#include <fastws/export.h>
#include <fastws/random.h>

FASTWS_BEGIN_DECLS

struct fastws_pool;

/* How a pool is made. Fill it with fastws_pool_config_init(), then change what differs. The struct is only read
 * during fastws_pool_new(); what its pointers name must outlive the pool. */
struct fastws_pool_config {
    size_t size;                               /* sizeof(struct fastws_pool_config) of the caller's header */
    size_t slab_len;                           /* bytes that a slab receives; 65536. 4096 to 1 GiB. A message that fits
                                                  one is never copied and never allocates */
    unsigned slab_keep;                        /* free slabs kept for reuse; 16. More go back to the allocator */
    const struct fastws_allocator *allocator;  /* for the pool and its connections; NULL: malloc() */
    const struct fastws_allocator *payload_allocator; /* for the blocks of messages that do not fit a slab, which begin
                                                  with the payload, and for what fastws_conn_take() copies; NULL: the
                                                  one above. A block grows by resize and has the length of its
                                                  payload when it is taken */
    size_t cork_len;                           /* bytes of the write buffer; 16 384. 4096 to 1 MiB. What a batch queues
                                                  beyond it costs more, and so does what it queues beyond queue_high
                                                  (struct fastws_conn_config) */
    const struct fastws_random *random;        /* where masking keys come from; NULL: a generator of the pool's own,
                                                  seeded by the operating system: random.h (RFC 6455 10.3) */
};

/* Sets every field to its default. */
FASTWS_API FASTWS_NONNULL(1) void fastws_pool_config_init(struct fastws_pool_config *config);

/* Makes a pool.
 *   config   NULL for the defaults
 *   out      written only on success; the caller frees it with fastws_pool_free()
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT   a field is outside its range, or size is not one that this library knows
 *   FASTWS_ERR_NOMEM      the allocator returned NULL
 *   FASTWS_ERR_ISA        the environment variable FASTWS_ISA names no row that this machine can run
 * Allocates the pool with its write buffer (less than cork_len and 8 KiB), and no slab. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(2) int fastws_pool_new(const struct fastws_pool_config *config,
                                                                  struct fastws_pool **out);

/* Frees the pool and its slabs. Every connection made from it must have been freed before. NULL is allowed. */
FASTWS_API void fastws_pool_free(struct fastws_pool *pool);

/* Tells the pool what time it is, in microseconds of any clock that never steps back. Connections read it as the time
 * of what they receive; call it once per batch of I/O. A pool starts at 0; without calls no deadline is ever reached
 * before fastws_conn_on_time() says so, which sets this clock, too. */
FASTWS_API FASTWS_NONNULL(1) void fastws_pool_set_now(struct fastws_pool *pool, uint64_t now_us);

/* Counts, for tests and for watching memory. */
struct fastws_pool_stats {
    uint64_t slabs_made; /* slabs ever taken from the allocator */
    size_t slabs_free;   /* slabs that wait for reuse */
    size_t slabs_lent;   /* slabs that connections hold now */
};

/* Copies the counts of the pool into out. */
FASTWS_API FASTWS_NONNULL(1, 2) void fastws_pool_get_stats(const struct fastws_pool *pool,
                                                           struct fastws_pool_stats *out);

/* Copies the counts of the pool's compression into out: where its bytes are, as deflate.h says. All 0 while no
 * connection of the pool has compression. */
FASTWS_API FASTWS_NONNULL(1, 2) void fastws_pool_get_deflate_stats(const struct fastws_pool *pool,
                                                                   struct fastws_deflate_stats *out);

/* Gives free slabs and free streams back to the allocator: for a loop that has nothing to do. */
FASTWS_API FASTWS_NONNULL(1) void fastws_pool_trim(struct fastws_pool *pool);

FASTWS_END_DECLS

#endif
