/* SPDX-License-Identifier: MIT */
/* The pool of streams: lends them, keeps the free ones, and counts every byte that it took from the allocator. */
#include "deflate.h"

#include "buf.h"

int fastws_deflate_pool_new(const struct fastws_allocator *allocator, unsigned keep,
                            struct fastws_deflate_pool **out) {
    allocator = fws_allocator_or_default(allocator);
    struct fastws_deflate_pool *pool = allocator->allocate(allocator->context, sizeof *pool);
    if (pool == NULL) return FASTWS_ERR_NOMEM;
    *pool = (struct fastws_deflate_pool){.allocator = allocator, .keep = keep};
    *out = pool;
    return 0;
}

void fastws_deflate_pool_trim(struct fastws_deflate_pool *pool) {
    for (int direction = 0; direction < 2; direction++) {
        while (pool->streams[direction] != NULL) {
            struct fws_stream *stream = pool->streams[direction];
            pool->streams[direction] = stream->next;
            fws_stream_free(stream);
        }
        pool->free_count[direction] = 0;
    }
}

void fastws_deflate_pool_free(struct fastws_deflate_pool *pool) {
    if (pool == NULL) return;
    fastws_deflate_pool_trim(pool);
    pool->allocator->release(pool->allocator->context, pool, sizeof *pool);
}

void fastws_deflate_pool_get_stats(const struct fastws_deflate_pool *pool, struct fastws_deflate_stats *out) {
    *out = pool->stats;
    out->held = out->free + out->compressors + out->inflaters + out->tails + out->windows + out->variants;
}

void *fws_deflate_allocate(struct fastws_deflate_pool *pool, size_t size, size_t *account) {
    void *ptr = pool->allocator->allocate(pool->allocator->context, size);
    if (ptr != NULL) *account += size;
    return ptr;
}

void fws_deflate_release(struct fastws_deflate_pool *pool, void *ptr, size_t size, size_t *account) {
    *account -= size;
    pool->allocator->release(pool->allocator->context, ptr, size);
}

static void move_account(struct fws_stream *stream, size_t *account) {
    *stream->account -= stream->held;
    *account += stream->held;
    stream->account = account;
}

static size_t *lent_account(struct fastws_deflate_pool *pool, enum fws_direction direction) {
    return direction == FWS_INFLATE ? &pool->stats.inflaters : &pool->stats.compressors;
}

/* Takes a free stream of one kind off its list. Returns NULL if there is none. */
static struct fws_stream *take(struct fastws_deflate_pool *pool, enum fws_direction direction,
                               const struct fws_stream_kind *kind) {
    for (struct fws_stream **link = &pool->streams[direction]; *link != NULL; link = &(*link)->next) {
        struct fws_stream *stream = *link;
        if (memcmp(&stream->kind, kind, sizeof *kind) != 0) continue;
        *link = stream->next;
        pool->free_count[direction]--;
        return stream;
    }
    return NULL;
}

int fws_deflate_lend(struct fws_stream **out, struct fastws_deflate_pool *pool, enum fws_direction direction,
                     const struct fws_stream_kind *kind) {
    struct fws_stream *stream = take(pool, direction, kind);
    if (stream == NULL) {
        TRY(fws_stream_new(out, pool, direction, kind, lent_account(pool, direction)));
        pool->stats.streams_made++;
        return 0;
    }
    move_account(stream, lent_account(pool, direction));
    fws_stream_reset(stream);
    *out = stream;
    return 0;
}

/* Frees the stream that has been free for longest: connections may have come to want another kind. */
static void drop_last(struct fastws_deflate_pool *pool, int direction) {
    struct fws_stream **link = &pool->streams[direction];
    while ((*link)->next != NULL) link = &(*link)->next;
    fws_stream_free(*link);
    *link = NULL;
    pool->free_count[direction]--;
}

void fws_deflate_return(struct fws_stream **link) {
    struct fws_stream *stream = *link;
    if (stream == NULL) return;
    *link = NULL;
    struct fastws_deflate_pool *pool = stream->pool;
    int direction = stream->direction;
    move_account(stream, &pool->stats.free);
    stream->next = pool->streams[direction];
    pool->streams[direction] = stream;
    if (pool->free_count[direction]++ >= pool->keep) drop_last(pool, direction);
}
