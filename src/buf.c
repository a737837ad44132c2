/* SPDX-License-Identifier: MIT */
/* Implements the default allocator and the queue of bytes that writers keep what they own in. */
#include "buf.h"

#include <stdlib.h>

#include <fastws/error.h>

static void *default_allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void *default_resize(void *context, void *ptr, size_t old_size, size_t new_size) {
    (void)context;
    (void)old_size;
    return realloc(ptr, new_size);
}

static void default_release(void *context, void *ptr, size_t size) {
    (void)context;
    (void)size;
    free(ptr);
}

static const struct fastws_allocator default_allocator = {default_allocate, default_resize, default_release, NULL};

const struct fastws_allocator *fws_allocator_or_default(const struct fastws_allocator *allocator) {
    return allocator ? allocator : &default_allocator;
}

/* A block is doubled in size over the one before it, within these bounds, so that many small frames take few blocks. */
enum { BLOCK_MIN = 1024, BLOCK_MAX = 64 * 1024 };

static size_t next_cap(const struct fws_buf *buf, size_t len) {
    size_t cap = buf->last ? 2 * buf->last->cap : 0;
    if (cap < BLOCK_MIN) cap = BLOCK_MIN;
    if (cap > BLOCK_MAX) cap = BLOCK_MAX;
    return cap < len ? len : cap;
}

struct fws_block *fws_block_resize(struct fws_block *block, const struct fastws_allocator *allocator, size_t cap) {
    if (cap > SIZE_MAX - sizeof *block) return NULL;
    size_t size = sizeof *block + cap;
    struct fws_block *resized =
        block ? allocator->resize(allocator->context, block, sizeof *block + block->cap, size)
              : allocator->allocate(allocator->context, size);
    if (!resized) return NULL;
    if (!block) memset(resized, 0, sizeof *resized);
    resized->cap = cap;
    resized->base = resized->bytes;
    return resized;
}

void fws_block_free(struct fws_block *block, const struct fastws_allocator *allocator) {
    if (block) allocator->release(allocator->context, block, sizeof *block + block->cap);
}

void fws_buf_push(struct fws_buf *buf, struct fws_block *block) {
    block->next = buf->last ? buf->last->next : block;
    if (buf->last) buf->last->next = block;
    buf->last = block;
}

static struct fws_block *add_block(struct fws_buf *buf, const struct fastws_allocator *allocator, size_t cap) {
    struct fws_block *block = fws_block_resize(NULL, allocator, cap);
    if (block) fws_buf_push(buf, block);
    return block;
}

int fws_buf_append_shared(struct fws_buf *buf, const struct fastws_allocator *allocator, const uint8_t *base,
                          size_t len, void (*release)(void *owner), void *owner) {
    struct fws_block *block = add_block(buf, allocator, 0);
    if (!block) return FASTWS_ERR_NOMEM;
    block->base = base;
    block->len = len;
    block->release = release;
    block->owner = owner;
    return 0;
}

uint8_t *fws_buf_append(struct fws_buf *buf, const struct fastws_allocator *allocator, size_t len) {
    struct fws_block *block = buf->last;
    if (!block || block->cap < block->len || block->cap - block->len < len) {
        block = add_block(buf, allocator, next_cap(buf, len));
    }
    if (!block) return NULL;
    uint8_t *dst = block->bytes + block->len;
    block->len += len;
    return dst;
}

struct fws_block *fws_buf_first(const struct fws_buf *buf) {
    return buf->last ? buf->last->next : NULL;
}

static void drop_first(struct fws_buf *buf, const struct fastws_allocator *allocator) {
    struct fws_block *first = buf->last->next;
    if (first == buf->last) {
        buf->last = NULL;
    } else {
        buf->last->next = first->next;
    }
    if (first->release) first->release(first->owner);
    fws_block_free(first, allocator);
}

size_t fws_buf_consume(struct fws_buf *buf, const struct fastws_allocator *allocator, size_t len) {
    size_t left = len;
    while (left > 0 && buf->last) {
        struct fws_block *first = buf->last->next;
        size_t part = first->len - first->off;
        if (part > left) {
            first->off += left;
            return len;
        }
        left -= part;
        drop_first(buf, allocator);
    }
    return len - left;
}

void fws_buf_join(struct fws_buf *buf, struct fws_buf *tail) {
    if (!tail->last) return;
    if (buf->last) {
        struct fws_block *first = buf->last->next;
        buf->last->next = tail->last->next;
        tail->last->next = first;
    }
    buf->last = tail->last;
    tail->last = NULL;
}

void fws_buf_clear(struct fws_buf *buf, const struct fastws_allocator *allocator) {
    while (buf->last) drop_first(buf, allocator);
}
