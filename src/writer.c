/* SPDX-License-Identifier: MIT */
/* Implements the writing half: frames one behind the other in the cork, large payloads by reference, one list. */
#include "writer.h"

#include <fastws/error.h>

#include "../simd/kernels.h"

void fws_writer_init(struct fws_writer *writer, struct fastws_pool *pool) {
    *writer = (struct fws_writer){.pool = pool};
}

static int holds_cork(const struct fws_writer *writer) {
    return writer->pool->cork.holder == writer;
}

/* ---- The cork and its chunks ---- */

static void drop_piece(struct fastws_pool *pool) {
    struct fws_cork *cork = &pool->cork;
    if (cork->piece) fws_pool_return(pool, cork->piece);
    cork->piece = NULL;
    cork->piece_off = 0;
    cork->piece_len = 0;
}

static void release_cork(struct fastws_pool *pool) {
    struct fws_cork *cork = &pool->cork;
    drop_piece(pool);
    cork->holder = NULL;
    cork->len = 0;
    cork->first = 0;
    cork->count = 0;
}

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

static void copy_chunk(const struct fastws_pool *pool, uint8_t **dst, const struct fws_chunk *chunk) {
    if (chunk->kind == FWS_CHUNK_UNMASKED) {
        pool->kernels->mask(*dst, chunk->ptr, chunk->len, chunk->key);
    } else {
        memcpy(*dst, chunk->ptr, chunk->len);
    }
    *dst += chunk->len;
}

/* Moves what the cork holds into own blocks of its holder, and frees the cork. */
static int empty_cork(struct fastws_pool *pool) {
    struct fws_cork *cork = &pool->cork;
    struct fws_writer *writer = cork->holder;
    size_t left = cork_left(cork);
    if (left > 0) {
        uint8_t *dst = fws_buf_append(&writer->front, pool->allocator, left);
        if (!dst) return FASTWS_ERR_NOMEM;
        for (unsigned i = cork->first; i < cork->count; i++) {
            if (cork->chunks[i].kind == FWS_CHUNK_UNMASKED && cork->piece) {
                size_t len = cork->piece_len - cork->piece_off;
                memcpy(dst, cork->piece->bytes + cork->piece_off, len);
                dst += len;
                drop_piece(pool);
            }
            copy_chunk(pool, &dst, &cork->chunks[i]);
        }
    }
    fws_buf_join(&writer->front, &writer->back);
    release_cork(pool);
    return 0;
}

void fws_writer_clear(struct fws_writer *writer) {
    const struct fastws_allocator *allocator = writer->pool->allocator;
    if (holds_cork(writer)) release_cork(writer->pool);
    fws_buf_clear(&writer->front, allocator);
    fws_buf_clear(&writer->back, allocator);
    fws_writer_init(writer, writer->pool);
}

int fws_writer_own(struct fws_writer *writer) {
    if (!holds_cork(writer)) return 0;
    const struct fws_cork *cork = &writer->pool->cork;
    for (unsigned i = cork->first; i < cork->count; i++) {
        if (cork->chunks[i].kind != FWS_CHUNK_CORKED) return empty_cork(writer->pool);
    }
    return 0;
}

/* ---- Queueing ---- */

static int take_cork(struct fws_writer *writer) {
    struct fws_cork *cork = &writer->pool->cork;
    if (cork->holder == writer) return 0;
    if (cork->holder) TRY(empty_cork(writer->pool));
    cork->holder = writer;
    return 0;
}

static struct fws_chunk *add_chunk(struct fws_cork *cork, enum fws_chunk_kind kind, const uint8_t *ptr, size_t len) {
    struct fws_chunk *chunk = &cork->chunks[cork->count++];
    *chunk = (struct fws_chunk){.ptr = ptr, .len = len, .kind = kind};
    return chunk;
}

/* Room for len bytes in the cork, or NULL if they have to go behind it. */
static uint8_t *reserve_in_cork(struct fws_writer *writer, size_t len) {
    struct fws_cork *cork = &writer->pool->cork;
    if (writer->back.last || FWS_CORK_CAP - cork->len < len) return NULL;
    uint8_t *dst = cork->bytes + cork->len;
    struct fws_chunk *last = cork->count > cork->first ? &cork->chunks[cork->count - 1] : NULL;
    if (last && last->kind == FWS_CHUNK_CORKED && last->ptr + last->len == dst) {
        last->len += len;
    } else if (cork->count < FWS_CORK_CHUNKS) {
        add_chunk(cork, FWS_CHUNK_CORKED, dst, len);
    } else {
        return NULL;
    }
    cork->len += len;
    return dst;
}

/* Room for len bytes behind everything that is queued. NULL: no memory. */
static uint8_t *reserve(struct fws_writer *writer, size_t len) {
    if (take_cork(writer) < 0) return NULL;
    uint8_t *dst = reserve_in_cork(writer, len);
    return dst ? dst : fws_buf_append(&writer->back, writer->pool->allocator, len);
}

static uint32_t key_of(const struct fastws_header *header) {
    return header->masked ? fws_load_u32(header->key) : 0;
}

static void copy_payload(const struct fws_writer *writer, uint8_t *dst, const void *payload, size_t len, uint32_t key) {
    if (key) {
        writer->pool->kernels->mask(dst, payload, len, key);
    } else if (len > 0) {
        memcpy(dst, payload, len);
    }
}

/* The whole frame in memory of ours. */
static int queue_copy(struct fws_writer *writer, const uint8_t *head, size_t head_len, const void *payload, size_t len,
                      uint32_t key) {
    if (len > SIZE_MAX - head_len) return FASTWS_ERR_NOMEM;
    uint8_t *dst = reserve(writer, head_len + len);
    if (!dst) return FASTWS_ERR_NOMEM;
    memcpy(dst, head, head_len);
    copy_payload(writer, dst + head_len, payload, len, key);
    return 0;
}

/* The header in the cork, the payload where the caller has it. */
static int queue_borrowed(struct fws_writer *writer, const uint8_t *head, size_t head_len, const void *payload,
                          size_t len, uint32_t key) {
    struct fws_cork *cork = &writer->pool->cork;
    if (take_cork(writer) < 0) return FASTWS_ERR_NOMEM;
    uint8_t *dst = cork->count + 2 <= FWS_CORK_CHUNKS ? reserve_in_cork(writer, head_len) : NULL;
    if (!dst) return queue_copy(writer, head, head_len, payload, len, key);
    memcpy(dst, head, head_len);
    struct fws_chunk *chunk = add_chunk(cork, key ? FWS_CHUNK_UNMASKED : FWS_CHUNK_BORROWED, payload, len);
    chunk->key = key;
    return 0;
}

int fws_writer_frame(struct fws_writer *writer, const struct fastws_header *header, const void *payload) {
    uint8_t head[FASTWS_HEADER_MAX];
    int head_len = fastws_header_write(head, sizeof head, header);
    if (head_len < 0) return head_len;
    size_t len = (size_t)header->length;
    if (len >= FWS_BORROW_MIN) {
        TRY(queue_borrowed(writer, head, (size_t)head_len, payload, len, key_of(header)));
    } else {
        TRY(queue_copy(writer, head, (size_t)head_len, payload, len, key_of(header)));
    }
    writer->queued += (uint64_t)head_len + len;
    return 0;
}

/* ---- Listing and sending ---- */

static int list_buf(const struct fws_buf *buf, struct fastws_iovec *pieces, int cap) {
    int n = 0;
    struct fws_block *first = fws_buf_first(buf);
    for (struct fws_block *block = first; block && n < cap; block = block->next == first ? NULL : block->next) {
        pieces[n++] = (struct fastws_iovec){block->bytes + block->off, block->len - block->off};
    }
    return n;
}

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

/* Lists the cork up to the first chunk that has more than its piece, which ends the list: *is_whole says whether. */
static int list_cork(struct fastws_pool *pool, struct fastws_iovec *pieces, int cap, int *is_whole) {
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

int fws_writer_list(struct fws_writer *writer, struct fastws_iovec *pieces, int cap) {
    int n = list_buf(&writer->front, pieces, cap);
    int is_whole = 1;
    if (holds_cork(writer)) {
        int listed = list_cork(writer->pool, pieces + n, cap - n, &is_whole);
        if (listed < 0) return listed;
        n += listed;
    }
    if (is_whole) n += list_buf(&writer->back, pieces + n, cap - n);
    writer->listed = 0;
    for (int i = 0; i < n; i++) writer->listed += pieces[i].len;
    return n;
}

static uint64_t send_piece(struct fastws_pool *pool, struct fws_chunk *chunk, uint64_t len) {
    struct fws_cork *cork = &pool->cork;
    size_t left = cork->piece_len - cork->piece_off;
    size_t part = len < left ? (size_t)len : left;
    cork->piece_off += part;
    if (part == left && chunk->len == 0) {
        drop_piece(pool);
        cork->first++;
    }
    return part;
}

static uint64_t send_chunk(struct fastws_pool *pool, uint64_t len) {
    struct fws_cork *cork = &pool->cork;
    struct fws_chunk *chunk = &cork->chunks[cork->first];
    if (chunk->kind == FWS_CHUNK_UNMASKED) return send_piece(pool, chunk, len);
    if (len < chunk->len) {
        chunk->ptr += len;
        chunk->len -= (size_t)len;
        return len;
    }
    cork->first++;
    return chunk->len;
}

void fws_writer_note_reply(struct fws_writer *writer, size_t len) {
    struct fws_replies *replies = &writer->replies;
    uint64_t end = writer->sent + writer->queued;
    if (replies->old_len == 0) {
        replies->old_len = len;
        replies->old_end = end;
    } else {
        replies->new_len += len;
        replies->new_end = end;
    }
}

size_t fws_writer_replies(const struct fws_writer *writer) {
    size_t len = writer->replies.old_len + writer->replies.new_len;
    return len < writer->queued ? len : (size_t)writer->queued;
}

static void forget_replies(struct fws_writer *writer) {
    struct fws_replies *replies = &writer->replies;
    if (replies->old_len == 0 || writer->sent < replies->old_end) return;
    replies->old_len = replies->new_len;
    replies->old_end = replies->new_end;
    replies->new_len = 0;
    if (writer->sent >= replies->old_end) replies->old_len = 0;
}

void fws_writer_sent(struct fws_writer *writer, uint64_t len) {
    struct fastws_pool *pool = writer->pool;
    writer->queued -= len;
    writer->listed -= len;
    writer->sent += len;
    forget_replies(writer);
    len -= fws_buf_consume(&writer->front, pool->allocator, (size_t)len);
    if (holds_cork(writer)) {
        while (len > 0 && pool->cork.first < pool->cork.count) len -= send_chunk(pool, len);
        if (pool->cork.first < pool->cork.count) return;
        release_cork(pool);
    }
    fws_buf_join(&writer->front, &writer->back);
    fws_buf_consume(&writer->front, pool->allocator, (size_t)len);
}
