/* SPDX-License-Identifier: MIT */
/* Implements the writing half: frames one behind the other, large payloads by reference, one list of what to write. */
#include "writer.h"

#include <fastws/error.h>

#include "../simd/kernels.h"

void fws_writer_init(struct fws_writer *writer, struct fastws_pool *pool) {
    *writer = (struct fws_writer){.pool = pool};
}

static void drop_prepared(struct fws_writer *writer) {
    fastws_prepared_release(writer->prepared);
    writer->prepared = NULL;
    writer->prepared_off = 0;
}

void fws_writer_clear(struct fws_writer *writer) {
    const struct fastws_allocator *allocator = writer->pool->allocator;
    if (fws_writer_holds_cork(writer)) fws_cork_release(writer->pool);
    drop_prepared(writer);
    fws_buf_clear(&writer->front, allocator);
    fws_buf_clear(&writer->back, allocator);
    fws_writer_init(writer, writer->pool);
}

int fws_writer_own(struct fws_writer *writer) {
    const struct fws_cork *cork = &writer->pool->cork;
    if (cork->holder != writer) return 0;
    for (unsigned i = cork->first; i < cork->count; i++) {
        if (cork->chunks[i].kind >= FWS_CHUNK_BORROWED) return fws_cork_empty(writer->pool);
    }
    return 0;
}

/* ---- Queueing ---- */

/* Room for len bytes behind everything that is queued. NULL: no memory. */
static uint8_t *reserve(struct fws_writer *writer, size_t len) {
    if (fws_cork_take(writer) < 0) return NULL;
    uint8_t *dst = fws_cork_reserve(writer, len);
    return dst ? dst : fws_buf_append(&writer->back, writer->pool->allocator, len);
}

/* Where blocks are queued behind everything. */
static struct fws_buf *last_buf(struct fws_writer *writer) {
    if (!fws_writer_holds_cork(writer)) return &writer->front;
    fws_cork_leave_plain(&writer->pool->cork);
    return &writer->back;
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

/* The header in the cork, the payload where it lies. */
static int queue_borrowed(struct fws_writer *writer, const uint8_t *head, size_t head_len, struct fws_chunk *chunk) {
    TRY(fws_cork_take(writer));
    uint8_t *dst = fws_cork_has_room(writer, 1) ? fws_cork_reserve(writer, head_len) : NULL;
    if (!dst) return queue_copy(writer, head, head_len, chunk->ptr, chunk->len, chunk->key);
    memcpy(dst, head, head_len);
    if (chunk->owner) fws_prepared_retain(chunk->owner);
    fws_cork_add(writer->pool, chunk);
    return 0;
}

int fws_writer_frame(struct fws_writer *writer, const struct fastws_header *header, const void *payload,
                     struct fastws_prepared *prepared) {
    uint8_t head[FASTWS_HEADER_MAX];
    int head_len = fastws_header_write(head, sizeof head, header);
    if (head_len < 0) return head_len;
    size_t len = (size_t)header->length;
    uint32_t key = key_of(header);
    if (len >= FWS_BORROW_MIN) {
        uint32_t kind = key ? FWS_CHUNK_UNMASKED : FWS_CHUNK_BORROWED;
        struct fws_chunk chunk = {.ptr = payload, .len = len, .owner = prepared, .key = key, .kind = kind};
        TRY(queue_borrowed(writer, head, (size_t)head_len, &chunk));
    } else {
        TRY(queue_copy(writer, head, (size_t)head_len, payload, len, key));
    }
    writer->queued += (uint64_t)head_len + len;
    return 0;
}

/* Behind what is queued: small ones copied, larger ones by a block that refers to them. */
static int queue_prepared(struct fws_writer *writer, struct fastws_prepared *prepared) {
    const struct fastws_allocator *allocator = writer->pool->allocator;
    size_t len = prepared->frame_len;
    if (len >= FWS_SHARE_MIN) {
        TRY(fws_buf_append_shared(last_buf(writer), allocator, prepared->frame, len, fws_prepared_release, prepared));
        fws_prepared_retain(prepared);
        return 0;
    }
    uint8_t *dst =
        fws_writer_holds_cork(writer) ? reserve(writer, len) : fws_buf_append(&writer->front, allocator, len);
    if (!dst) return FASTWS_ERR_NOMEM;
    memcpy(dst, prepared->frame, len);
    return 0;
}

int fws_writer_prepared(struct fws_writer *writer, struct fastws_prepared *prepared) {
    if (FWS_LIKELY(writer->queued == 0)) {
        writer->prepared = fws_prepared_retain(prepared);
    } else {
        TRY(queue_prepared(writer, prepared));
    }
    writer->queued += prepared->frame_len;
    return 0;
}

/* Puts the header in front of a payload of ours, and masks that where it lies. */
static void frame_in_place(const struct fws_writer *writer, uint8_t *payload, size_t len, const uint8_t *head,
                           size_t head_len, uint32_t key) {
    memcpy(payload - head_len, head, head_len);
    if (key) writer->pool->kernels->mask(payload, payload, len, key);
}

int fws_writer_slab(struct fws_writer *writer, const struct fastws_header *header, struct fastws_slab **slab) {
    uint8_t *payload = (*slab)->bytes + FASTWS_HEADER_MAX;
    size_t len = (size_t)header->length;
    uint8_t head[FASTWS_HEADER_MAX];
    int written = fastws_header_write(head, sizeof head, header);
    if (written < 0) return written;
    size_t head_len = (size_t)written;
    TRY(fws_cork_take(writer));
    if (len < FWS_BORROW_MIN || !fws_cork_has_room(writer, 0)) {
        TRY(queue_copy(writer, head, head_len, payload, len, key_of(header)));
    } else {
        frame_in_place(writer, payload, len, head, head_len, key_of(header));
        const struct fws_chunk chunk = {
            .ptr = payload - head_len, .len = head_len + len, .owner = *slab, .kind = FWS_CHUNK_SLAB};
        fws_cork_add(writer->pool, &chunk);
        *slab = NULL;
    }
    writer->queued += head_len + len;
    return 0;
}

int fws_writer_block(struct fws_writer *writer, const struct fastws_header *header, struct fws_block *block) {
    size_t len = (size_t)header->length;
    uint8_t head[FASTWS_HEADER_MAX];
    int written = fastws_header_write(head, sizeof head, header);
    if (written < 0) return written;
    size_t head_len = (size_t)written;
    frame_in_place(writer, block->bytes + FASTWS_HEADER_MAX, len, head, head_len, key_of(header));
    block->off = FASTWS_HEADER_MAX - head_len;
    block->len = FASTWS_HEADER_MAX + len;
    fws_buf_push(last_buf(writer), block);
    writer->queued += head_len + len;
    return 0;
}

/* ---- Replies ---- */

static uint32_t add_lens(uint32_t a, size_t b) {
    return b > UINT32_MAX - a ? UINT32_MAX : a + (uint32_t)b;
}

void fws_writer_note_reply(struct fws_writer *writer, size_t len) {
    struct fws_replies *replies = &writer->replies;
    uint64_t end = writer->sent + writer->queued;
    if (replies->old_len == 0) {
        replies->old_len = add_lens(0, len);
        replies->old_end = end;
    } else {
        replies->new_len = add_lens(replies->new_len, len);
        replies->new_end = end;
    }
}

size_t fws_writer_replies(const struct fws_writer *writer) {
    uint64_t len = (uint64_t)writer->replies.old_len + writer->replies.new_len;
    return (size_t)(len < writer->queued ? len : writer->queued);
}

static void forget_replies(struct fws_writer *writer) {
    struct fws_replies *replies = &writer->replies;
    if (writer->sent < replies->old_end) return;
    replies->old_len = replies->new_len;
    replies->old_end = replies->new_end;
    replies->new_len = 0;
    if (writer->sent >= replies->old_end) replies->old_len = 0;
}

/* ---- Listing and sending ---- */

static int list_buf(const struct fws_buf *buf, struct fastws_iovec *pieces, int cap) {
    int n = 0;
    struct fws_block *first = fws_buf_first(buf);
    for (struct fws_block *block = first; block && n < cap; block = block->next == first ? NULL : block->next) {
        pieces[n++] = (struct fastws_iovec){block->base + block->off, block->len - block->off};
    }
    return n;
}

static int list_all(struct fws_writer *writer, struct fastws_iovec *pieces, int cap) {
    int n = 0, is_whole = 1;
    const struct fastws_prepared *prepared = writer->prepared;
    if (prepared) {
        size_t off = writer->prepared_off;
        pieces[n++] = (struct fastws_iovec){prepared->frame + off, prepared->frame_len - off};
    }
    if (writer->front.last) n += list_buf(&writer->front, pieces + n, cap - n);
    if (fws_writer_holds_cork(writer)) {
        int listed = fws_cork_list(writer->pool, pieces + n, cap - n, &is_whole);
        if (listed < 0) return listed;
        n += listed;
    }
    if (writer->back.last && is_whole) n += list_buf(&writer->back, pieces + n, cap - n);
    return n;
}

int fws_writer_list(struct fws_writer *writer, struct fastws_iovec *pieces, int cap) {
    if (fws_writer_list_plain(writer, pieces)) return 1;
    int n = list_all(writer, pieces, cap);
    writer->listed = 0;
    for (int i = 0; i < n; i++) writer->listed += pieces[i].len;
    return n;
}

static uint64_t send_prepared(struct fws_writer *writer, uint64_t len) {
    size_t left = writer->prepared->frame_len - writer->prepared_off;
    if (len < left) {
        writer->prepared_off += (size_t)len;
        return 0;
    }
    drop_prepared(writer);
    return len - left;
}

static void send_in_order(struct fws_writer *writer, uint64_t len) {
    struct fastws_pool *pool = writer->pool;
    if (writer->prepared) len = send_prepared(writer, len);
    if (writer->front.last) len -= fws_buf_consume(&writer->front, pool->allocator, (size_t)len);
    if (fws_writer_holds_cork(writer)) {
        len = fws_cork_sent(pool, len);
        if (pool->cork.first < pool->cork.count) return;
        fws_cork_release(pool);
    }
    if (!writer->back.last) return;
    fws_buf_join(&writer->front, &writer->back);
    fws_buf_consume(&writer->front, pool->allocator, (size_t)len);
}

static int is_all_in_cork(const struct fws_writer *writer) {
    return fws_writer_holds_cork(writer) && !writer->prepared && !writer->front.last && !writer->back.last;
}

void fws_writer_sent(struct fws_writer *writer, uint64_t len) {
    struct fws_cork *cork = &writer->pool->cork;
    writer->queued -= len;
    writer->listed -= len;
    writer->sent += len;
    if (writer->replies.old_len > 0) forget_replies(writer);
    if (writer->queued == 0 && is_all_in_cork(writer)) {
        fws_cork_release(writer->pool);
    } else if (cork->plain == writer) {
        cork->off += (size_t)len;
    } else {
        send_in_order(writer, len);
    }
}
