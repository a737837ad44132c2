/* SPDX-License-Identifier: MIT */
/* Implements the cork: where small frames are gathered, and where payloads that are not copied are referred to. */
#include <fastws/error.h>

#include "../simd/kernels.h"
#include "writer.h"

static void drop_piece(struct fastws_pool *pool) {
    struct fws_cork *cork = &pool->cork;
    if (cork->piece) fws_pool_return(pool, cork->piece);
    cork->piece = NULL;
    cork->piece_off = 0;
    cork->piece_len = 0;
}

static void release_owner(struct fastws_pool *pool, struct fws_chunk *chunk) {
    if (!chunk->owner) return;
    if (chunk->kind == FWS_CHUNK_SLAB) fws_pool_return(pool, chunk->owner);
    if (chunk->kind != FWS_CHUNK_SLAB) fastws_prepared_release(chunk->owner);
    chunk->owner = NULL;
}

void fws_cork_release(struct fastws_pool *pool) {
    struct fws_cork *cork = &pool->cork;
    if (cork->piece) drop_piece(pool);
    for (unsigned i = cork->first; i < cork->count; i++) release_owner(pool, &cork->chunks[i]);
    fws_cork_leave(cork);
}

/* ---- Moving out ---- */

/* Bytes that a chunk still has to send, its piece included. Only the first unmasked chunk has one. */
static size_t chunk_left(const struct fws_cork *cork, const struct fws_chunk *chunk, int *is_piece_seen) {
    if (chunk->kind != FWS_CHUNK_UNMASKED || *is_piece_seen) return chunk->len;
    *is_piece_seen = 1;
    return chunk->len + (cork->piece_len - cork->piece_off);
}

static size_t cork_left(const struct fws_cork *cork) {
    size_t left = 0;
    int is_piece_seen = 0;
    for (unsigned i = cork->first; i < cork->count; i++) left += chunk_left(cork, &cork->chunks[i], &is_piece_seen);
    return left;
}

static uint8_t *move_piece(struct fastws_pool *pool, uint8_t *dst) {
    struct fws_cork *cork = &pool->cork;
    size_t len = cork->piece_len - cork->piece_off;
    memcpy(dst, cork->piece->bytes + cork->piece_off, len);
    drop_piece(pool);
    return dst + len;
}

static uint8_t *move_chunk(struct fastws_pool *pool, uint8_t *dst, struct fws_chunk *chunk) {
    if (chunk->kind == FWS_CHUNK_UNMASKED && pool->cork.piece) dst = move_piece(pool, dst);
    if (chunk->kind == FWS_CHUNK_UNMASKED) {
        pool->kernels->mask(dst, chunk->ptr, chunk->len, chunk->key);
    } else {
        memcpy(dst, chunk->ptr, chunk->len);
    }
    return dst + chunk->len;
}

int fws_cork_empty(struct fastws_pool *pool) {
    struct fws_cork *cork = &pool->cork;
    struct fws_writer *writer = cork->holder;
    fws_cork_leave_plain(cork);
    size_t left = cork_left(cork);
    if (left > 0) {
        uint8_t *dst = fws_buf_append(&writer->front, pool->allocator, left);
        if (!dst) return FASTWS_ERR_NOMEM;
        for (unsigned i = cork->first; i < cork->count; i++) dst = move_chunk(pool, dst, &cork->chunks[i]);
    }
    fws_buf_join(&writer->front, &writer->back);
    fws_cork_release(pool);
    return 0;
}

/* ---- Filling ---- */

int fws_cork_take(struct fws_writer *writer) {
    struct fws_cork *cork = &writer->pool->cork;
    fws_cork_leave_plain(cork);
    if (cork->holder == writer) return 0;
    if (cork->holder) TRY(fws_cork_empty(writer->pool));
    cork->holder = writer;
    return 0;
}

void fws_cork_add(struct fastws_pool *pool, const struct fws_chunk *chunk) {
    pool->cork.chunks[pool->cork.count++] = *chunk;
}

uint8_t *fws_cork_reserve(struct fws_writer *writer, size_t len) {
    struct fws_cork *cork = &writer->pool->cork;
    if (writer->back.last || cork->cap - cork->len < len) return NULL;
    uint8_t *dst = cork->bytes + cork->len;
    struct fws_chunk *last = cork->count > cork->first ? &cork->chunks[cork->count - 1] : NULL;
    if (last && last->kind == FWS_CHUNK_CORKED) {
        last->len += len;
    } else if (cork->count < FWS_CORK_CHUNKS) {
        cork->chunks[cork->count++] = (struct fws_chunk){.ptr = dst, .len = len, .kind = FWS_CHUNK_CORKED};
    } else {
        return NULL;
    }
    cork->len += len;
    return dst;
}

/* ---- Sending ---- */

/* Masks the next part of an unmasked chunk into the piece, unless one is waiting there. */
static int fill_piece(struct fastws_pool *pool, struct fws_chunk *chunk) {
    struct fws_cork *cork = &pool->cork;
    if (cork->piece_off < cork->piece_len) return 0;
    if (!cork->piece) cork->piece = fws_pool_lend(pool);
    if (!cork->piece) return FASTWS_ERR_NOMEM;
    /* The header goes out with the first piece: 64 KiB are the most that one write takes from a client's message. */
    size_t len = chunk->len < pool->slab_len ? chunk->len : pool->slab_len;
    pool->kernels->mask(cork->piece->bytes, chunk->ptr, len, chunk->key);
    cork->piece_off = 0;
    cork->piece_len = len;
    chunk->ptr += len;
    chunk->len -= len;
    chunk->key = fws_rotate_key(chunk->key, len);
    return 0;
}

int fws_cork_list(struct fastws_pool *pool, struct fastws_iovec *pieces, int cap, int *is_whole) {
    struct fws_cork *cork = &pool->cork;
    int n = 0;
    *is_whole = 0;
    for (unsigned i = cork->first; i < cork->count; i++) {
        struct fws_chunk *chunk = &cork->chunks[i];
        if (n == cap) return n;
        if (chunk->kind != FWS_CHUNK_UNMASKED) {
            pieces[n++] = (struct fastws_iovec){chunk->ptr, chunk->len};
            continue;
        }
        TRY(fill_piece(pool, chunk));
        pieces[n++] = (struct fastws_iovec){cork->piece->bytes + cork->piece_off, cork->piece_len - cork->piece_off};
        return n;
    }
    *is_whole = 1;
    return n;
}

static void finish_first(struct fastws_pool *pool) {
    release_owner(pool, &pool->cork.chunks[pool->cork.first]);
    pool->cork.first++;
}

static uint64_t send_piece(struct fastws_pool *pool, const struct fws_chunk *chunk, uint64_t len) {
    struct fws_cork *cork = &pool->cork;
    size_t left = cork->piece_len - cork->piece_off;
    size_t part = len < left ? (size_t)len : left;
    cork->piece_off += part;
    if (part == left && chunk->len == 0) {
        drop_piece(pool);
        finish_first(pool);
    }
    return part;
}

static uint64_t send_chunk(struct fastws_pool *pool, uint64_t len) {
    struct fws_chunk *chunk = &pool->cork.chunks[pool->cork.first];
    if (chunk->kind == FWS_CHUNK_UNMASKED) return send_piece(pool, chunk, len);
    if (len < chunk->len) {
        chunk->ptr += len;
        chunk->len -= (size_t)len;
        return len;
    }
    finish_first(pool);
    return chunk->len;
}

uint64_t fws_cork_sent(struct fastws_pool *pool, uint64_t len) {
    while (len > 0 && pool->cork.first < pool->cork.count) len -= send_chunk(pool, len);
    return len;
}
