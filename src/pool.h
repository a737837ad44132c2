/* SPDX-License-Identifier: MIT */
/* The inside of a pool: slabs to receive into, the cork that small frames are gathered in, random bytes, the time. */
#ifndef FWS_POOL_H
#define FWS_POOL_H

#include <fastws/deflate.h>
#include <fastws/pool.h>

#include "platform.h"
#include "random.h"

struct fws_kernels;
struct fws_writer;

/* Bytes that may be read, not written, behind the slab_len bytes of a slab: kernels for short messages read whole
 * vectors (design of the slop variants). */
#define FWS_SLAB_SLOP 64

struct fastws_slab {
    struct fastws_slab *next;
    uint8_t bytes[]; /* slab_len of the pool, and the slop */
};

/* What a chunk of the cork refers to. */
enum fws_chunk_kind {
    FWS_CHUNK_CORKED,   /* bytes of the cork itself */
    FWS_CHUNK_SLAB,     /* bytes of a slab that belongs to the chunk */
    FWS_CHUNK_BORROWED, /* a payload of somebody else, sent as it lies */
    FWS_CHUNK_UNMASKED  /* such a payload, masked piece by piece into a slab before it is sent */
};

struct fws_chunk {
    const uint8_t *ptr;
    size_t len;
    void *owner;  /* the slab, or the prepared message that is held until it is sent; NULL: the payload is the caller's */
    uint32_t key; /* unmasked: turned so that it meets *ptr */
    uint32_t kind;
};

/* A server that answers a batch of small messages fills the cork once and writes it once. 16 KiB is where one write of
 * a copy and a gathering write cost the same many times over; 64 chunks is what one batch of events can ask for. */
enum { FWS_CORK_CAP = 16 * 1024, FWS_CORK_CHUNKS = 64 };

/* The cork has one holder, the writer whose bytes are in it. Bytes are appended and never moved while they are queued;
 * another writer that wants the cork has the holder's bytes copied to the holder's own block first. */
struct fws_cork {
    struct fws_writer *holder; /* NULL: nobody, and everything below is empty */
    struct fws_writer *plain;  /* the holder, if all that it has queued is bytes [off, len), with no chunk; else NULL */
    size_t off;                /* plain: bytes of it that were sent */
    size_t len;                /* bytes written, sent ones included */
    unsigned first;            /* chunks[first..count) are queued */
    unsigned count;
    struct fastws_slab *piece; /* the masked beginning of the first unmasked chunk; NULL: none */
    size_t piece_off;
    size_t piece_len;
    struct fws_chunk chunks[FWS_CORK_CHUNKS];
    uint8_t bytes[FWS_CORK_CAP];
};

/* What one connection has received while nothing of it is incomplete: whole small messages need no reader. Another that
 * receives meanwhile has a reader. */
struct fws_tray {
    const void *holder;       /* the connection; NULL: nobody */
    struct fastws_slab *slab; /* that the bytes are in; NULL: they are the caller's */
    uint8_t *head;            /* first byte that is not parsed */
    uint8_t *tail;            /* one past the last byte received */
};

struct fastws_pool {
    const struct fastws_allocator *allocator;         /* never NULL */
    const struct fastws_allocator *payload_allocator; /* never NULL */
    const struct fws_kernels *kernels;        /* the row that was active when the pool was made */
    size_t slab_len;
    unsigned slab_keep;
    struct fastws_slab *slabs;  /* free ones */
    struct fws_desk *desks;     /* free ones */
    unsigned desk_count;        /* of them */
    struct fastws_pool_stats stats;
    uint64_t now_us;
    struct fws_tray tray;
    struct fastws_deflate_pool *deflate; /* NULL: no connection has compression */
    struct fws_random random;
    struct fws_cork cork;
};

/* Memory for the state of something that is incomplete: a message that is being received, one that is being sent. A
 * connection has none of it while it is idle. */
struct fws_desk {
    struct fws_desk *next;
};
enum { FWS_DESK_LEN = 192 };

/* Lends a desk of FWS_DESK_LEN bytes, whatever is in them. Returns NULL when the allocator does. */
FWS_PRIVATE void *fws_pool_lend_desk(struct fastws_pool *pool);

/* Takes a desk back. */
FWS_PRIVATE void fws_pool_return_desk(struct fastws_pool *pool, void *desk);

/* Lends a slab. Returns NULL when the allocator does. */
FWS_PRIVATE struct fastws_slab *fws_pool_lend(struct fastws_pool *pool);

/* Takes a slab back. */
FWS_PRIVATE void fws_pool_return(struct fastws_pool *pool, struct fastws_slab *slab);

/* Gives the pool's streams for compression, made on the first call. Returns 0 or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_pool_deflate(struct fastws_pool *pool, struct fastws_deflate_pool **out);

static inline uint64_t fws_pool_now_ms(const struct fastws_pool *pool) {
    return pool->now_us / 1000;
}

#endif
