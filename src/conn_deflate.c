/* SPDX-License-Identifier: MIT */
/* Implements compression on a connection: its life, and messages and fragments that are compressed before they are
 * queued. RFC 7692. */
#include "conn.h"

#include "deflate.h"

/* ---- Life ---- */

/* The inflater, and behind it what it stands on. */
static size_t inflater_size(void) {
    return sizeof(struct fws_inflater) + fastws_deflate_sizeof();
}

_Static_assert(sizeof(struct fws_inflater) % _Alignof(max_align_t) == 0, "what stands behind it is aligned");

static int is_untouched(const struct fastws_conn *conn) {
    return conn->state == FASTWS_CONN_OPEN && !conn->reader && !conn->draft && conn->received == 0 &&
           conn->writer.queued == 0 && conn->writer.sent == 0 && !conn->inflater;
}

int fastws_conn_set_deflate(struct fastws_conn *conn, const struct fastws_deflate_config *config,
                            const struct fastws_deflate_params *agreed) {
    struct fastws_pool *pool = conn->writer.pool;
    struct fastws_deflate_pool *streams;
    if (!is_untouched(conn)) return FASTWS_ERR_STATE;
    TRY(fws_pool_deflate(pool, &streams));
    struct fws_inflater *inflater = pool->allocator->allocate(pool->allocator->context, inflater_size());
    if (!inflater) return FASTWS_ERR_NOMEM;
    int error = fastws_deflate_init(inflater + 1, config, conn->config->role, agreed, streams);
    if (error < 0) {
        pool->allocator->release(pool->allocator->context, inflater, inflater_size());
        return error;
    }
    *inflater = (struct fws_inflater){.deflate = (struct fastws_deflate *)(void *)(inflater + 1)};
    conn->inflater = inflater;
    fws_conn_choose_ways(conn);
    return 0;
}

void fws_conn_drop_deflate(struct fastws_conn *conn) {
    if (!conn->inflater) return;
    const struct fastws_allocator *allocator = conn->writer.pool->allocator;
    fastws_deflate_free(conn->inflater->deflate);
    allocator->release(allocator->context, conn->inflater, inflater_size());
    conn->inflater = NULL;
}

void fws_conn_end_deflate(struct fastws_conn *conn) {
    if (conn->inflater) fastws_deflate_free(conn->inflater->deflate);
}

int fastws_conn_has_deflate(const struct fastws_conn *conn) {
    return conn->inflater != NULL;
}

int fastws_conn_get_deflate(const struct fastws_conn *conn, struct fastws_deflate_params *out) {
    if (conn->inflater) *out = conn->inflater->deflate->agreed;
    return conn->inflater != NULL;
}

uint64_t fastws_conn_frame_len(const struct fastws_conn *conn) {
    return conn->inflater ? conn->inflater->frame_len : 0;
}

size_t fastws_conn_deflate_held(const struct fastws_conn *conn) {
    return conn->inflater ? fastws_deflate_held(conn->inflater->deflate) : 0;
}

void fastws_conn_idle(struct fastws_conn *conn) {
    if (!conn->inflater) return;
    fastws_deflate_idle(conn->inflater->deflate);
    conn->inflater->used_ms = fws_conn_now_ms(conn);
}

uint64_t fastws_conn_idle_since_ms(const struct fastws_conn *conn) {
    return conn->inflater && fws_deflate_can_idle(conn->inflater->deflate) ? conn->inflater->used_ms : UINT64_MAX;
}

/* ---- Which messages ---- */

int fws_conn_compresses(const struct fastws_conn *conn, int opcode, size_t len) {
    if (!conn->inflater || opcode & FASTWS_SEND_PLAIN) return 0;
    if (opcode & FASTWS_SEND_COMPRESSED) return 1;
    return fastws_deflate_wants(conn->inflater->deflate, (unsigned)opcode, len);
}

/* ---- Frames ---- */

/* Makes the header of a frame that carries what was compressed. */
static int make_header(struct fastws_conn *conn, struct fastws_header *header, unsigned opcode, int fin, size_t len) {
    TRY(fws_conn_make_header(conn, header, opcode, fin, len));
    /* RFC 7692 6.1: on the first frame of the message only. */
    if (opcode != FASTWS_OPCODE_CONTINUATION) header->rsv |= FASTWS_RSV1;
    return 0;
}

static enum fastws_deflate_flush flush_of(int fin) {
    return fin ? FASTWS_DEFLATE_END : FASTWS_DEFLATE_FLUSH;
}

/* Compresses into a slab, which is sure to hold it, and queues that. */
static int queue_by_slab(struct fastws_conn *conn, unsigned opcode, int fin, const void *payload, size_t len) {
    struct fastws_pool *pool = conn->writer.pool;
    struct fastws_slab *slab = fws_pool_lend(pool);
    if (!slab) return FASTWS_ERR_NOMEM;
    struct fastws_deflate_buffer out = {
        .ptr = slab->bytes + FASTWS_HEADER_MAX, .cap = pool->slab_len - FASTWS_HEADER_MAX, .is_fixed = 1};
    struct fastws_header header;
    int result = fastws_deflate_compress(conn->inflater->deflate, payload, len, flush_of(fin), &out);
    if (result == 0) result = make_header(conn, &header, opcode, fin, out.len);
    if (result == 0) result = fws_writer_slab(&conn->writer, &header, &slab);
    if (slab) fws_pool_return(pool, slab);
    return result;
}

/* Compresses into a block that grows, and queues that. The buffer is the block with its head. */
static int queue_by_block(struct fastws_conn *conn, unsigned opcode, int fin, const void *payload, size_t len) {
    const struct fastws_allocator *allocator = conn->writer.pool->allocator;
    enum { HEAD = sizeof(struct fws_block) + FASTWS_HEADER_MAX };
    struct fws_block *block = fws_block_resize(NULL, allocator, FASTWS_HEADER_MAX);
    if (!block) return FASTWS_ERR_NOMEM;
    struct fastws_deflate_buffer out = {.ptr = (uint8_t *)block, .len = HEAD, .cap = HEAD, .allocator = allocator};
    struct fastws_header header;
    int result = fastws_deflate_compress(conn->inflater->deflate, payload, len, flush_of(fin), &out);
    block = (struct fws_block *)(void *)out.ptr;
    block->cap = out.cap - sizeof *block;
    block->base = block->bytes;
    if (result == 0) result = make_header(conn, &header, opcode, fin, out.len - HEAD);
    if (result == 0) result = fws_writer_block(&conn->writer, &header, block);
    if (result < 0) fws_block_free(block, allocator);
    return result;
}

int fws_conn_queue_compressed(struct fastws_conn *conn, unsigned opcode, int fin, const void *payload, size_t len) {
    size_t cap = conn->writer.pool->slab_len - FASTWS_HEADER_MAX;
    conn->inflater->used_ms = fws_conn_now_ms(conn);
    int fits_slab = len < cap && fastws_deflate_bound(len) <= cap;
    int result = fits_slab ? queue_by_slab(conn, opcode, fin, payload, len)
                           : queue_by_block(conn, opcode, fin, payload, len);
    /* The peer will not see it: nothing may refer to it. */
    if (result < 0) fastws_deflate_forget(conn->inflater->deflate);
    if (result == 0) fws_conn_note_queued(conn);
    return result;
}

/* ---- Prepared messages ---- */

/* A number for the settings by which a message of that length is compressed. */
static uint32_t settings_of(const struct fastws_conn *conn, size_t len, struct fws_stream_kind *kind) {
    uint32_t settings;
    *kind = fws_deflate_kind(conn->inflater->deflate, len, 0);
    _Static_assert(sizeof *kind == sizeof settings, "the settings are the four bytes of their kind");
    memcpy(&settings, kind, sizeof settings);
    return settings;
}

/* Finds what the message was compressed to for connections like this one, or compresses it by a stream of that pool. */
static int find_variant(const struct fastws_conn *conn, struct fastws_prepared *prepared,
                        struct fastws_deflate_pool *pool, const struct fws_prepared_variant **out) {
    struct fws_stream_kind kind;
    uint32_t settings = settings_of(conn, prepared->payload_len, &kind);
    *out = fws_prepared_find(prepared, settings);
    if (*out) return 0;
    struct fastws_deflate_buffer buffer = {.allocator = pool->allocator};
    int result = fws_deflate_compress_alone(pool, &kind, prepared->payload, prepared->payload_len, &buffer);
    if (result == 0) result = fws_prepared_keep(prepared, settings, buffer.ptr, buffer.len, out);
    fastws_deflate_buffer_free(&buffer);
    return result;
}

int fastws_conn_is_prepared(const struct fastws_conn *conn, struct fastws_prepared *prepared) {
    struct fws_stream_kind kind;
    if (!fws_conn_compresses(conn, prepared->opcode | prepared->way, prepared->payload_len)) return 1;
    return fws_prepared_find(prepared, settings_of(conn, prepared->payload_len, &kind)) != NULL;
}

int fastws_conn_prepare(const struct fastws_conn *conn, struct fastws_prepared *prepared) {
    const struct fws_prepared_variant *variant;
    struct fastws_deflate_pool *pool;
    if (fastws_conn_is_prepared(conn, prepared)) return 0;
    TRY(fastws_deflate_pool_new(NULL, 0, &pool));
    int result = find_variant(conn, prepared, pool, &variant);
    fastws_deflate_pool_free(pool);
    return result;
}

int fws_conn_queue_compressed_prepared(struct fastws_conn *conn, struct fastws_prepared *prepared) {
    const struct fws_prepared_variant *variant;
    struct fastws_header header;
    TRY(find_variant(conn, prepared, conn->inflater->deflate->pool, &variant));
    TRY(make_header(conn, &header, prepared->opcode, 1, variant->len));
    TRY(fws_writer_frame(&conn->writer, &header, variant->bytes, prepared));
    fws_deflate_note_alone(conn->inflater->deflate, prepared->payload, prepared->payload_len);
    return 0;
}
