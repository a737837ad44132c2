/* SPDX-License-Identifier: MIT */
/* The inside of permessage-deflate: streams over zlib, the pool that lends them, and what a connection keeps. */
#ifndef FWS_DEFLATE_H
#define FWS_DEFLATE_H

#include <fastws/deflate.h>
#include <fastws/error.h>

#include "platform.h"

/* ---- Settings ---- */

/* Returns 0, or FASTWS_ERR_ARGUMENT for a field outside its range. */
FWS_PRIVATE int fws_deflate_check_config(const struct fastws_deflate_config *config);
FWS_PRIVATE int fws_deflate_check_agreed(const struct fastws_deflate_params *agreed);

/* What a stream is made with. Streams of one kind stand for one another. */
struct fws_stream_kind {
    uint8_t window_bits; /* compressing: 9..15, inflating: 8..15 */
    uint8_t level;       /* of a stream that inflates all three are 0 */
    uint8_t memory_level;
    uint8_t strategy;
};

/* ---- Memory. Everything that a pool hands out is counted ---- */

struct fastws_deflate_pool {
    const struct fastws_allocator *allocator; /* never NULL */
    unsigned keep;
    unsigned free_count[2];         /* of each direction */
    struct fws_stream *streams[2];  /* free ones */
    struct fastws_deflate_stats stats;
};

/* Take and give back memory that is counted at *account, one of the sizes of pool->stats. */
FWS_PRIVATE void *fws_deflate_allocate(struct fastws_deflate_pool *pool, size_t size, size_t *account);
FWS_PRIVATE void fws_deflate_release(struct fastws_deflate_pool *pool, void *ptr, size_t size, size_t *account);

/* ---- Streams ---- */

enum fws_direction { FWS_COMPRESS = 0, FWS_INFLATE = 1 };

/* The part of a stream that the pool sees; zlib's lies behind it. */
struct fws_stream {
    struct fws_stream *next; /* free ones form a list */
    struct fastws_deflate_pool *pool;
    size_t *account; /* where its memory is counted now */
    size_t held;     /* all of its memory */
    struct fws_stream_kind kind;
    uint8_t direction; /* enum fws_direction */
};

/* Makes a stream, counted at *account. Returns 0, FASTWS_ERR_NOMEM or FASTWS_ERR_DEFLATE_UNAVAILABLE. */
FWS_PRIVATE int fws_stream_new(struct fws_stream **out, struct fastws_deflate_pool *pool, enum fws_direction direction,
                               const struct fws_stream_kind *kind, size_t *account);
FWS_PRIVATE void fws_stream_free(struct fws_stream *stream);

/* Goes back to the start: nothing was compressed or inflated. */
FWS_PRIVATE void fws_stream_reset(struct fws_stream *stream);

/* Makes a reset stream believe that src came last. What is more than the window holds has no effect.
 * Returns 0, or FASTWS_ERR_NOMEM (a stream that inflates makes its window here). */
FWS_PRIVATE int fws_stream_set_window(struct fws_stream *stream, const void *src, size_t len);

/* Copies the window of the stream to dst, which has room for 2^window_bits bytes, or for all of it that there is.
 * Returns how many bytes, at dst NULL without a copy. */
FWS_PRIVATE size_t fws_stream_get_window(struct fws_stream *stream, void *dst);

/* Compresses from src to dst, and moves both on. All of src is taken and everything is out if dst has room left. */
FWS_PRIVATE void fws_stream_compress(struct fws_stream *stream, struct fastws_deflate_step *step, int is_flushed);

/* How far fws_stream_inflate() came. */
enum { FWS_INFLATE_INSIDE = 0, FWS_INFLATE_BETWEEN = 1, FWS_INFLATE_ENDED = 2 };

/* Inflates from src to dst, and moves both on, until either is used up or a block with BFINAL has ended: then a new
 * DEFLATE stream begins at the next byte, with the window that there is.
 * Returns FWS_INFLATE_INSIDE, _BETWEEN where a block has ended at the end of a byte, _ENDED behind a block with BFINAL,
 * or FASTWS_ERR_DEFLATE_DATA, FASTWS_ERR_NOMEM. */
FWS_PRIVATE int fws_stream_inflate(struct fws_stream *stream, struct fastws_deflate_step *step);

/* ---- The pool ---- */

/* Lends a stream that is reset, counted at compressors or inflaters. Returns as fws_stream_new(). */
FWS_PRIVATE int fws_deflate_lend(struct fws_stream **out, struct fastws_deflate_pool *pool,
                                 enum fws_direction direction, const struct fws_stream_kind *kind);

/* Takes the stream at *stream back and writes NULL there. Does nothing if it is NULL. */
FWS_PRIVATE void fws_deflate_return(struct fws_stream **stream);

/* ---- The connection ---- */

/* Bytes that end somewhere in what was sent or received, for a stream to begin with. */
struct fws_history {
    uint8_t *ptr; /* NULL: none */
    size_t len;
    size_t cap;
};

/* Own messages. */
struct fws_deflate_sender {
    struct fws_stream *stream; /* NULL: none is lent */
    struct fws_history tail;   /* the end of what the peer has, if no stream has it */
    struct fastws_deflate_state frames;
    uint8_t is_takeover; /* 1: messages may refer to earlier ones */
    uint8_t window_bits; /* 8..15 */
    uint8_t is_open;     /* 1: inside a message */
    uint8_t is_pending;  /* 1: input since the last flush, so that there is something to flush */
};

/* The peer's messages. */
struct fws_deflate_receiver {
    struct fws_stream *stream;
    struct fws_history window; /* taken out of the stream of a peer with takeover */
    uint64_t compressed;       /* bytes of the message that were taken */
    uint64_t inflated;
    struct fastws_deflate_state frames;
    struct fastws_utf8 utf8;
    int error;           /* what stopped it */
    uint8_t is_takeover; /* 1: the peer's messages may refer to earlier ones */
    uint8_t window_bits;
    uint8_t is_open;
    uint8_t place;     /* FWS_INFLATE_* */
    uint8_t trail_off; /* bytes of the trail that were taken */
    uint8_t is_text;   /* of the frames that come through fastws_deflate_decompress_frame() */
};

struct fastws_deflate {
    const struct fastws_deflate_config *config;
    struct fastws_deflate_pool *pool;
    struct fws_deflate_sender sender;
    struct fws_deflate_receiver receiver;
    struct fastws_deflate_params agreed;
    uint8_t is_allocated; /* by fastws_deflate_new() */
};

/* The kind of stream that compresses a message of len bytes for a connection; SIZE_MAX: the length is not known. */
FWS_PRIVATE struct fws_stream_kind fws_deflate_kind(const struct fastws_deflate *deflate, size_t len);

/* Says whether fastws_deflate_idle() has streams to give back. */
static inline int fws_deflate_can_idle(const struct fastws_deflate *deflate) {
    return (deflate->sender.stream != NULL && !deflate->sender.is_open) ||
           (deflate->receiver.stream != NULL && !deflate->receiver.is_open);
}

/* Frees a history, counted at *account. */
FWS_PRIVATE void fws_history_free(struct fws_history *history, struct fastws_deflate_pool *pool, size_t *account);

/* Makes sure that the tail of own messages has its memory. Returns 0 or FASTWS_ERR_NOMEM. */
FWS_PRIVATE int fws_tail_reserve(struct fastws_deflate *deflate);

/* Appends src to the tail, which was reserved, and drops what no longer fits at its front. */
FWS_PRIVATE void fws_tail_append(struct fastws_deflate *deflate, const void *src, size_t len);

/* Makes room for len more bytes at the end of a buffer that grows, or for one in one that is fixed.
 * Returns 0, FASTWS_ERR_NOMEM or FASTWS_ERR_BUFFER_SIZE. */
FWS_PRIVATE int fws_deflate_buffer_room(struct fastws_deflate_buffer *buffer, size_t len);

/* Compresses src through a stream, and appends all that comes out. Returns 0 or an error of the buffer. */
FWS_PRIVATE int fws_deflate_run(struct fws_stream *stream, const void *src, size_t len, int is_flushed,
                                struct fastws_deflate_buffer *out);

/* Compresses a message by itself, for every peer with these settings: an empty one is the one byte of RFC 7692 7.2.3.6.
 * Returns 0, FASTWS_ERR_NOMEM or an error of the buffer. */
FWS_PRIVATE int fws_deflate_compress_alone(struct fastws_deflate_pool *pool, const struct fws_stream_kind *kind,
                                           const void *payload, size_t len, struct fastws_deflate_buffer *out);

/* Takes note of a message that went to the peer compressed by itself, between own messages. */
FWS_PRIVATE void fws_deflate_note_alone(struct fastws_deflate *deflate, const void *payload, size_t len);

#endif
