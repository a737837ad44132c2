/* SPDX-License-Identifier: MIT */
/* The inside of a pool: slabs to receive into, the cork that small frames are gathered in, random bytes, the time. */
#ifndef FWS_POOL_H
#define FWS_POOL_H

#include <fastws/deflate.h>
#include <fastws/pool.h>

#include "../simd/kernels.h"
#include "platform.h"
#include "random.h"

struct fws_writer;
struct fastws_conn;

/* Bytes that may be read, not written, behind the slab_len bytes of a slab: kernels for short messages read whole
 * vectors (design of the slop variants). */
#define FWS_SLAB_SLOP 64

/* Where bytes of a slab begin: the kernel copies into it by rep movsb, which takes up to half as long again where the
 * destination begins beside a line, and more than that in the first bytes of a page. */
#define FWS_SLAB_ALIGN 64

struct fastws_slab {
    struct fastws_slab *next;
    uint8_t *memory; /* what was allocated: the slab, and what aligns its bytes in front */
    uint8_t bytes[]; /* slab_len of the pool, and the slop; aligned to FWS_SLAB_ALIGN */
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
    void *owner;  /* the slab, or the prepared message that is held until it is sent; NULL: it is the caller's */
    uint32_t key; /* unmasked: turned so that it meets *ptr */
    uint32_t kind;
};

/* A server that answers a batch of small messages fills the cork once and writes it once. 16 KiB is where one write of
 * a copy and a gathering write cost the same many times over; 64 chunks is what one batch of events can ask for. Where
 * many connections share a pool, more is worth it: what is behind the cork takes blocks and the long way. */
enum { FWS_CORK_CAP = 16 * 1024, FWS_CORK_CAP_MIN = 4096, FWS_CORK_CAP_MAX = 1 << 20, FWS_CORK_CHUNKS = 64 };
enum { FWS_CORK_LINE = 64 }; /* bytes: in lines, any cap is a number of 16 bits */

/* A short frame at the start of the cork must not lie across two pages, where a store takes more than 30 cycles on Zen
 * 4: where malloc() happened to place it so, one pool in 50, every message took half as long again. */
enum { FWS_POOL_ALIGN = 256 };

/* The cork has one holder, the writer whose bytes are in it. Bytes are appended and never moved while they are queued;
 * another writer that wants the cork has the holder's bytes copied to the holder's own block first. */
struct fws_cork {
    struct fws_writer *holder; /* NULL: nobody, and everything below is empty */
    size_t off;                /* plain: bytes of it that were sent */
    struct fws_writer *plain;  /* the holder, if all that it has queued is bytes [off, len), with no chunk; else NULL.
                                  Not beside holder: gcc makes one store of both, by three instructions */
    size_t len;                /* bytes written, sent ones included */
    size_t cap;                /* bytes that there is room for */
    size_t plain_cap;          /* the same for what goes the short way */
    uint8_t *bytes;            /* aligned to FWS_POOL_ALIGN */
    unsigned first;            /* chunks[first..count) are queued */
    unsigned count;
    struct fastws_slab *piece; /* the masked beginning of the first unmasked chunk; NULL: none */
    size_t piece_off;
    size_t piece_len;
    struct fws_chunk chunks[FWS_CORK_CHUNKS];
};

/* What one connection has received while nothing of it is incomplete: whole small messages need no reader. Another that
 * receives meanwhile has a reader. */
struct fws_tray {
    struct fastws_conn *holder;  /* NULL: nobody, and nothing below means anything */
    struct fastws_slab *slab;    /* that the bytes are in; NULL: they are the caller's */
    uint8_t *end;                /* one past the last byte that may be received */
    struct fws_run run;          /* what was received and not parsed, with the rules of the holder */
    struct fastws_event *events; /* that are asked for now, and how many at most: kept here, not in registers that */
    int cap;                     /* would have to be saved for when the kernel takes none */
};

struct fastws_pool {
    const struct fastws_allocator *allocator;         /* never NULL */
    const struct fastws_allocator *payload_allocator; /* never NULL */
    const struct fws_kernels *kernels;        /* the row that was active when the pool was made */
    size_t slab_len;
    unsigned slab_keep;
    struct fastws_slab *slabs;  /* free ones */
    size_t free_count;          /* of them */
    size_t slab_count;          /* of all, free or lent */
    uint64_t slabs_made;        /* ever */
    struct fws_desk *desks;     /* free ones */
    unsigned desk_count;        /* of them */
    uint64_t now_us;
    uint64_t now_ms; /* the same */
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

/* Where the allocator is asked: lends a new slab, or NULL; takes one back that is not kept. */
FWS_PRIVATE struct fastws_slab *fws_pool_make_slab(struct fastws_pool *pool);
FWS_PRIVATE void fws_pool_drop_slab(struct fastws_pool *pool, struct fastws_slab *slab);

/* Lends a free slab: there must be one. */
static FWS_ALWAYS_INLINE struct fastws_slab *fws_pool_lend_free(struct fastws_pool *pool) {
    struct fastws_slab *slab = pool->slabs;
    pool->slabs = slab->next;
    pool->free_count--;
    return slab;
}

/* Lends a slab. Returns NULL when the allocator does. */
static inline struct fastws_slab *fws_pool_lend(struct fastws_pool *pool) {
    return FWS_LIKELY(pool->slabs != NULL) ? fws_pool_lend_free(pool) : fws_pool_make_slab(pool);
}

/* Takes a slab back where there is room for one more: free_count < slab_keep. */
static FWS_ALWAYS_INLINE void fws_pool_keep(struct fastws_pool *pool, struct fastws_slab *slab) {
    slab->next = pool->slabs;
    pool->slabs = slab;
    pool->free_count++;
}

/* Takes a slab back. */
static inline void fws_pool_return(struct fastws_pool *pool, struct fastws_slab *slab) {
    if (FWS_UNLIKELY(pool->free_count >= pool->slab_keep)) {
        fws_pool_drop_slab(pool, slab);
    } else {
        fws_pool_keep(pool, slab);
    }
}

/* Gives the pool's streams for compression, made on the first call. Returns 0 or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_pool_deflate(struct fastws_pool *pool, struct fastws_deflate_pool **out);

static inline uint64_t fws_pool_now_ms(const struct fastws_pool *pool) {
    return pool->now_ms;
}

#endif
