/* SPDX-License-Identifier: MIT */
/* Memory through an allocator, and a queue of bytes in blocks that never move. */
#ifndef FWS_BUF_H
#define FWS_BUF_H

#include <fastws/allocator.h>
#include <fastws/export.h>

#include "platform.h"

/* Returns allocator, or the one that stands for malloc(), realloc() and free() if it is NULL. */
FWS_PRIVATE const struct fastws_allocator *fws_allocator_or_default(const struct fastws_allocator *allocator);

/* A queue of bytes. Blocks form a ring, the last one pointing to the first, so that the queue is one pointer. */
struct fws_block {
    struct fws_block *next;
    size_t off;          /* bytes of it that were taken */
    size_t len;          /* bytes written, off included */
    size_t cap;          /* 0: the bytes are shared, and nothing is appended to them */
    const uint8_t *base; /* the bytes: below, or shared ones */
    void (*release)(void *owner); /* shared: called once they are taken */
    void *owner;
    uint8_t bytes[];
};

struct fws_buf {
    struct fws_block *last; /* NULL: empty */
};

/* Makes room for len more bytes behind what is queued, and counts them in: the caller writes them. What is queued
 * already does not move. Returns NULL when the allocator does: then nothing changed. */
FWS_PRIVATE uint8_t *fws_buf_append(struct fws_buf *buf, const struct fastws_allocator *allocator, size_t len);

/* Queues len bytes that are shared: release(owner) is called once they are taken or dropped. Returns 0, or
 * FASTWS_ERR_NOMEM: then release is not called. */
FWS_PRIVATE FASTWS_NODISCARD int fws_buf_append_shared(struct fws_buf *buf, const struct fastws_allocator *allocator,
                                                       const uint8_t *base, size_t len, void (*release)(void *owner),
                                                       void *owner);

/* Makes a block of its own, in no queue, or one that block grew to (NULL: a new one). cap is at least the old one.
 * Returns NULL when the allocator does: then block is as it was. */
FWS_PRIVATE struct fws_block *fws_block_resize(struct fws_block *block, const struct fastws_allocator *allocator,
                                               size_t cap);

/* Frees a block that is in no queue. */
FWS_PRIVATE void fws_block_free(struct fws_block *block, const struct fastws_allocator *allocator);

/* Queues such a block, which belongs to the queue from then on. Never allocates. */
FWS_PRIVATE void fws_buf_push(struct fws_buf *buf, struct fws_block *block);

/* Returns the first block, or NULL. Follow next until it is the first one again. */
FWS_PRIVATE struct fws_block *fws_buf_first(const struct fws_buf *buf);

/* Takes at most len bytes off the front. Returns how many. */
FWS_PRIVATE size_t fws_buf_consume(struct fws_buf *buf, const struct fastws_allocator *allocator, size_t len);

/* Moves everything of tail to the end of buf. Never allocates. */
FWS_PRIVATE void fws_buf_join(struct fws_buf *buf, struct fws_buf *tail);

/* Drops everything. */
FWS_PRIVATE void fws_buf_clear(struct fws_buf *buf, const struct fastws_allocator *allocator);

#endif
