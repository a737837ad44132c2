/* SPDX-License-Identifier: MIT */
/* Compresses a message that goes to many connections once for each set of settings among them. */
#include "deflate.h"

struct variant {
    struct variant *next;
    struct fws_stream_kind kind;
    size_t len;
    uint8_t bytes[];
};

struct fastws_deflate_variants {
    struct fastws_deflate_pool *pool;
    const void *payload;
    size_t len;
    struct variant *first;
};

int fastws_deflate_variants_new(const void *payload, size_t len, struct fastws_deflate_pool *pool,
                                struct fastws_deflate_variants **out) {
    struct fastws_deflate_variants *variants = fws_deflate_allocate(pool, sizeof *variants, &pool->stats.variants);
    if (variants == NULL) return FASTWS_ERR_NOMEM;
    *variants = (struct fastws_deflate_variants){.pool = pool, .payload = payload, .len = len};
    *out = variants;
    return 0;
}

void fastws_deflate_variants_free(struct fastws_deflate_variants *variants) {
    if (variants == NULL) return;
    struct fastws_deflate_pool *pool = variants->pool;
    while (variants->first != NULL) {
        struct variant *variant = variants->first;
        variants->first = variant->next;
        fws_deflate_release(pool, variant, sizeof *variant + variant->len, &pool->stats.variants);
    }
    fws_deflate_release(pool, variants, sizeof *variants, &pool->stats.variants);
}

int fws_deflate_compress_alone(struct fastws_deflate_pool *pool, const struct fws_stream_kind *kind,
                               const void *payload, size_t len, struct fastws_deflate_buffer *out) {
    struct fws_stream *stream;
    TRY(fws_deflate_lend(&stream, pool, FWS_COMPRESS, kind));
    int result = fws_deflate_run(stream, payload, len, 1, out);
    fws_deflate_return(&stream);
    if (result == 0) out->len -= 4;
    return result;
}

/* Keeps what was compressed, in memory of just its size. */
static int keep(struct fastws_deflate_variants *variants, const struct fws_stream_kind *kind,
                const struct fastws_deflate_buffer *compressed) {
    struct fastws_deflate_pool *pool = variants->pool;
    struct variant *variant = fws_deflate_allocate(pool, sizeof *variant + compressed->len, &pool->stats.variants);
    if (variant == NULL) return FASTWS_ERR_NOMEM;
    variant->next = variants->first;
    variant->kind = *kind;
    variant->len = compressed->len;
    memcpy(variant->bytes, compressed->ptr, compressed->len);
    variants->first = variant;
    return 0;
}

static int add(struct fastws_deflate_variants *variants, const struct fws_stream_kind *kind) {
    struct fastws_deflate_buffer buffer = {.allocator = variants->pool->allocator};
    int result = fws_deflate_compress_alone(variants->pool, kind, variants->payload, variants->len, &buffer);
    if (result == 0) result = keep(variants, kind, &buffer);
    fastws_deflate_buffer_free(&buffer);
    return result;
}

int fastws_deflate_variant(struct fastws_deflate_variants *variants, const struct fastws_deflate *deflate,
                           struct fastws_slice *compressed) {
    struct fws_stream_kind kind = fws_deflate_kind(deflate, variants->len, 0);
    const struct variant *variant = variants->first;
    while (variant != NULL && memcmp(&variant->kind, &kind, sizeof kind) != 0) variant = variant->next;
    if (variant == NULL) {
        TRY(add(variants, &kind));
        variant = variants->first;
    }
    *compressed = (struct fastws_slice){(const char *)variant->bytes, variant->len};
    return 0;
}

void fws_deflate_note_alone(struct fastws_deflate *deflate, const void *payload, size_t len) {
    if (!deflate->sender.is_takeover) return;
    /* What the stream has is no longer what came last. */
    if (deflate->sender.stream != NULL) fastws_deflate_forget(deflate);
    if (fws_tail_reserve(deflate) == 0) fws_tail_append(deflate, payload, len);
}

int fastws_deflate_sent_variant(struct fastws_deflate *deflate, const struct fastws_deflate_variants *variants) {
    if (deflate->sender.is_open) return FASTWS_ERR_STATE;
    fws_deflate_note_alone(deflate, variants->payload, variants->len);
    return 0;
}
