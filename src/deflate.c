/* SPDX-License-Identifier: MIT */
/* Streams over zlib or zlib-ng, and what stands for them in a build without: the only file that knows either. */
#include "deflate.h"

#ifdef FASTWS_NO_ZLIB

int fastws_deflate_is_available(void) { return 0; }

int fws_stream_new(struct fws_stream **out, struct fastws_deflate_pool *pool, enum fws_direction direction,
                   const struct fws_stream_kind *kind, size_t *account) {
    (void)out, (void)pool, (void)direction, (void)kind, (void)account;
    return FASTWS_ERR_DEFLATE_UNAVAILABLE;
}

/* There never is a stream to call these with. */
void fws_stream_free(struct fws_stream *stream) { (void)stream; }

void fws_stream_reset(struct fws_stream *stream) { (void)stream; }

int fws_stream_set_window(struct fws_stream *stream, const void *src, size_t len) {
    (void)stream, (void)src, (void)len;
    return FASTWS_ERR_DEFLATE_UNAVAILABLE;
}

size_t fws_stream_get_window(struct fws_stream *stream, void *dst) {
    (void)stream, (void)dst;
    return 0;
}

void fws_stream_compress(struct fws_stream *stream, struct fastws_deflate_step *step, int is_flushed) {
    (void)stream, (void)step, (void)is_flushed;
}

int fws_stream_inflate(struct fws_stream *stream, struct fastws_deflate_step *step) {
    (void)stream, (void)step;
    return FASTWS_ERR_DEFLATE_UNAVAILABLE;
}

#else

/* The names of zlib-ng's own interface begin with zng_; its compatible one is zlib's. */
#  ifdef FASTWS_ZLIB_NG
#    include <zlib-ng.h>
#    define Z(name) zng_##name
typedef zng_stream zlib_stream;
#  else
#    define ZLIB_CONST
#    include <zlib.h>
#    define Z(name) name
typedef z_stream zlib_stream;
#  endif

struct stream {
    struct fws_stream base;
    zlib_stream zlib;
};

int fastws_deflate_is_available(void) { return 1; }

static struct stream *whole(struct fws_stream *stream) { return (struct stream *)stream; }

/* ---- Memory ---- */

/* In front of each piece: the allocator wants its size back, zlib does not say it. */
union prefix {
    size_t size;
    max_align_t align;
};

static void *allocate(void *context, unsigned count, unsigned size) {
    struct fws_stream *stream = context;
    if (size > (SIZE_MAX - sizeof(union prefix)) / (count > 0 ? count : 1)) return NULL;
    size_t total = (size_t)count * size + sizeof(union prefix);
    union prefix *prefix = fws_deflate_allocate(stream->pool, total, stream->account);
    if (prefix == NULL) return NULL;
    prefix->size = total;
    stream->held += total;
    return prefix + 1;
}

static void release(void *context, void *ptr) {
    struct fws_stream *stream = context;
    union prefix *prefix = (union prefix *)ptr - 1;
    stream->held -= prefix->size;
    fws_deflate_release(stream->pool, prefix, prefix->size, stream->account);
}

static int start(struct stream *stream) {
    const struct fws_stream_kind *kind = &stream->base.kind;
    stream->zlib.zalloc = allocate;
    stream->zlib.zfree = release;
    stream->zlib.opaque = &stream->base;
    /* Negative bits: DEFLATE alone, without a header of zlib. */
    if (stream->base.direction == FWS_INFLATE) return Z(inflateInit2)(&stream->zlib, -(int)kind->window_bits);
    return Z(deflateInit2)(&stream->zlib, kind->level, Z_DEFLATED, -(int)kind->window_bits, kind->memory_level,
                           kind->strategy);
}

int fws_stream_new(struct fws_stream **out, struct fastws_deflate_pool *pool, enum fws_direction direction,
                   const struct fws_stream_kind *kind, size_t *account) {
    struct stream *stream = fws_deflate_allocate(pool, sizeof *stream, account);
    if (stream == NULL) return FASTWS_ERR_NOMEM;
    memset(stream, 0, sizeof *stream);
    stream->base = (struct fws_stream){.pool = pool,
                                       .account = account,
                                       .held = sizeof *stream,
                                       .kind = *kind,
                                       .direction = (uint8_t)direction};
    if (start(stream) != Z_OK) {
        fws_deflate_release(pool, stream, sizeof *stream, account);
        return FASTWS_ERR_NOMEM; /* The settings were checked long ago. */
    }
    *out = &stream->base;
    return 0;
}

void fws_stream_free(struct fws_stream *stream) {
    struct stream *it = whole(stream);
    if (stream->direction == FWS_INFLATE)
        Z(inflateEnd)(&it->zlib);
    else
        Z(deflateEnd)(&it->zlib);
    fws_deflate_release(stream->pool, it, sizeof *it, stream->account);
}

/* ---- Windows ---- */

/* Ends the block of a message that was given up: zlib-ng (2.3.3, level 1) goes on with it behind a deflateReset(), and
 * leaves out the header of the next one. */
static void end_block(zlib_stream *zlib) {
    uint8_t lost[256];
    zlib->next_in = lost;
    zlib->avail_in = 0;
    do {
        zlib->next_out = lost;
        zlib->avail_out = sizeof lost;
        Z(deflate)(zlib, Z_SYNC_FLUSH);
    } while (zlib->avail_out == 0);
}

void fws_stream_reset(struct fws_stream *stream) {
    zlib_stream *zlib = &whole(stream)->zlib;
    if (stream->direction == FWS_INFLATE) {
        Z(inflateReset)(zlib);
        return;
    }
    if (stream->is_inside) end_block(zlib);
    stream->is_inside = 0;
    Z(deflateReset)(zlib);
}

int fws_stream_set_window(struct fws_stream *stream, const void *src, size_t len) {
    zlib_stream *zlib = &whole(stream)->zlib;
    /* A message of one end never fills these 32 bits: a window is at most 32 KiB. */
    int result = stream->direction == FWS_INFLATE ? Z(inflateSetDictionary)(zlib, src, (uint32_t)len)
                                                  : Z(deflateSetDictionary)(zlib, src, (uint32_t)len);
    return result == Z_OK ? 0 : FASTWS_ERR_NOMEM;
}

size_t fws_stream_get_window(struct fws_stream *stream, void *dst) {
    uint32_t len = 0;
    if (stream->direction == FWS_INFLATE)
        Z(inflateGetDictionary)(&whole(stream)->zlib, dst, &len);
    else
        Z(deflateGetDictionary)(&whole(stream)->zlib, dst, &len);
    return len;
}

/* ---- Work ---- */

/* zlib counts what is at hand in 32 bits: a longer buffer is taken in pieces of this. */
enum { PIECE = 1 << 30 };

static uint32_t piece(size_t len) { return len < PIECE ? (uint32_t)len : PIECE; }

/* Shows zlib where to read and write. It refuses NULL, also where there is no byte to read or room to write: then it
 * is shown itself, and leaves it alone. */
static void show(zlib_stream *zlib, const struct fastws_deflate_step *step) {
    zlib->next_in = step->src != NULL ? step->src : (const uint8_t *)zlib;
    zlib->avail_in = piece(step->src_len);
    zlib->next_out = step->dst != NULL ? step->dst : (uint8_t *)zlib;
    zlib->avail_out = piece(step->dst_len);
}

/* Moves the step behind what zlib read and wrote. */
static void move_on(const zlib_stream *zlib, struct fastws_deflate_step *step) {
    if (step->src_len > 0) {
        step->src_len -= (size_t)(zlib->next_in - step->src);
        step->src = zlib->next_in;
    }
    if (step->dst_len > 0) {
        step->dst_len -= (size_t)(zlib->next_out - step->dst);
        step->dst = zlib->next_out;
    }
}

void fws_stream_compress(struct fws_stream *stream, struct fastws_deflate_step *step, int is_flushed) {
    zlib_stream *zlib = &whole(stream)->zlib;
    int is_stuck;
    do {
        int is_rest = step->src_len <= PIECE;
        show(zlib, step);
        Z(deflate)(zlib, is_flushed && is_rest ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        is_stuck = zlib->avail_out == 0;
        move_on(zlib, step);
    } while (step->src_len > 0 && (!is_stuck || step->dst_len > 0));
    stream->is_inside = !is_flushed || is_stuck;
}

int fws_stream_inflate(struct fws_stream *stream, struct fastws_deflate_step *step) {
    zlib_stream *zlib = &whole(stream)->zlib;
    show(zlib, step);
    int result = Z(inflate)(zlib, Z_SYNC_FLUSH);
    move_on(zlib, step);
    switch (result) {
    case Z_STREAM_END:
        /* Unlike inflateReset() this one lets the window stand: the peer goes on with it. */
        Z(inflateResetKeep)(zlib);
        return FWS_INFLATE_ENDED;
    case Z_OK:
    case Z_BUF_ERROR: /* Nothing moved: src or dst was empty. */
        /* zlib.h, inflate(): 128 behind the end of a block, and below 64 the bits of its last byte that are left. */
        return (zlib->data_type & 0xff) == 128 ? FWS_INFLATE_BETWEEN : FWS_INFLATE_INSIDE;
    case Z_MEM_ERROR:
        return FASTWS_ERR_NOMEM;
    default:
        return FASTWS_ERR_DEFLATE_DATA;
    }
}

#endif
