/* SPDX-License-Identifier: MIT */
/* Compresses own messages, whole or in pieces, and keeps what the next one may refer to. RFC 7692 7.2.1. */
#include "deflate.h"

/* What a flush ends with and a message leaves out: the second half of an empty stored block. */
enum { TRAIL_LEN = 4 };

/* A short message needs no large stream. Clearing the hash table of this one takes a tenth of a microsecond, that of 15
 * and 8 a whole one. Its blocks end behind 2^(memory level + 6) - 1 symbols: where nothing repeats each byte is one,
 * and a message that needs a second block takes twice the time, for the codes of a block are most of its cost. */
enum { SMALL = 2047, SMALL_WINDOW_BITS = 12, SMALL_MEMORY_LEVEL = 5 };

/* A message of up to this length gets all the room that it may need at once. */
enum { WHOLE_ROOM_MAX = 4096 };

/* zlib compresses raw data with 9 bits and more. With 9 it refers back by at most 512 - 262 bytes, so what it writes
 * fits a window of 256, too: test_deflate.c shows it. */
enum { ZLIB_BITS_MIN = 9 };

int fastws_deflate_wants(const struct fastws_deflate *deflate, unsigned opcode, size_t len) {
    if (opcode != FASTWS_OPCODE_TEXT && opcode != FASTWS_OPCODE_BINARY) return 0;
    if (opcode == FASTWS_OPCODE_BINARY && deflate->config->is_binary_skipped) return 0;
    return len >= deflate->config->threshold;
}

size_t fastws_deflate_bound(size_t len) { return len + (len >> 3) + (len >> 6) + 64; }

/* Says whether a message and what it may refer to do well with a small stream. */
static int is_small(size_t len, size_t tail_len) {
    return len <= SMALL && len + tail_len <= (size_t)1 << SMALL_WINDOW_BITS;
}

struct fws_stream_kind fws_deflate_kind(const struct fastws_deflate *deflate, size_t len, size_t tail_len) {
    const struct fastws_deflate_config *config = deflate->config;
    struct fws_stream_kind kind = {.window_bits = deflate->sender.window_bits,
                                   .level = config->level,
                                   .memory_level = config->memory_level,
                                   .strategy = config->strategy};
    if (config->mode != FASTWS_DEFLATE_TAKEOVER && is_small(len, tail_len)) {
        if (kind.window_bits > SMALL_WINDOW_BITS) kind.window_bits = SMALL_WINDOW_BITS;
        if (kind.memory_level > SMALL_MEMORY_LEVEL) kind.memory_level = SMALL_MEMORY_LEVEL;
    }
    if (kind.window_bits < ZLIB_BITS_MIN) kind.window_bits = ZLIB_BITS_MIN;
    return kind;
}

static int keeps_tail(const struct fastws_deflate *deflate) {
    return deflate->sender.is_takeover && deflate->config->mode == FASTWS_DEFLATE_TAIL;
}

/* Lends a stream, and tells it what the peer has. len is that of the message, SIZE_MAX if it is not known. */
static int lend(struct fastws_deflate *deflate, size_t len) {
    struct fws_deflate_sender *sender = &deflate->sender;
    struct fastws_deflate_pool *pool = deflate->pool;
    if (keeps_tail(deflate)) TRY(fws_tail_reserve(deflate));
    struct fws_stream_kind kind = fws_deflate_kind(deflate, len, sender->tail.len);
    TRY(fws_deflate_lend(&sender->stream, pool, FWS_COMPRESS, &kind));
    if (sender->tail.len > 0) TRY(fws_stream_set_window(sender->stream, sender->tail.ptr, sender->tail.len));
    if (!keeps_tail(deflate)) fws_history_free(&sender->tail, pool, &pool->stats.tails);
    return 0;
}

/* The message is out: gives back what the next one does not need. */
static void finish(struct fastws_deflate *deflate) {
    struct fws_deflate_sender *sender = &deflate->sender;
    sender->is_open = 0;
    if (!sender->is_takeover || keeps_tail(deflate)) fws_deflate_return(&sender->stream);
}

int fws_deflate_run(struct fws_stream *stream, const void *src, size_t len, int is_flushed,
                    struct fastws_deflate_buffer *out) {
    struct fastws_deflate_step step = {.src = src, .src_len = len};
    size_t room = len <= WHOLE_ROOM_MAX ? fastws_deflate_bound(len) : len / 2;
    do {
        TRY(fws_deflate_buffer_room(out, room));
        step.dst = out->ptr + out->len;
        step.dst_len = out->cap - out->len;
        fws_stream_compress(stream, &step, is_flushed);
        out->len = out->cap - step.dst_len;
        room = out->len / 2 + WHOLE_ROOM_MAX;
    } while (step.dst_len == 0);
    return 0;
}

static int compress(struct fastws_deflate *deflate, const void *src, size_t len, enum fastws_deflate_flush flush,
                    struct fastws_deflate_buffer *out) {
    struct fws_deflate_sender *sender = &deflate->sender;
    if (sender->stream == NULL) TRY(lend(deflate, flush == FASTWS_DEFLATE_END ? len : SIZE_MAX));
    TRY(fws_deflate_run(sender->stream, src, len, flush != FASTWS_DEFLATE_MORE, out));
    if (keeps_tail(deflate)) fws_tail_append(deflate, src, len);
    sender->is_pending = flush == FASTWS_DEFLATE_MORE;
    if (flush == FASTWS_DEFLATE_END) out->len -= TRAIL_LEN;
    return 0;
}

/* RFC 7692 7.2.3.6: the first byte of an empty stored block, for a message with nothing behind the last flush. zlib
 * does not flush twice. */
static int put_empty_block(struct fastws_deflate_buffer *out) {
    TRY(fws_deflate_buffer_room(out, 1));
    out->ptr[out->len++] = 0;
    return 0;
}

int fastws_deflate_compress(struct fastws_deflate *deflate, const void *src, size_t len,
                            enum fastws_deflate_flush flush, struct fastws_deflate_buffer *out) {
    struct fws_deflate_sender *sender = &deflate->sender;
    int result = 0;
    sender->is_open = 1;
    if (len > 0 || sender->is_pending)
        result = compress(deflate, src, len, flush, out);
    else if (flush == FASTWS_DEFLATE_END)
        result = put_empty_block(out);
    if (result < 0)
        fastws_deflate_forget(deflate);
    else if (flush == FASTWS_DEFLATE_END)
        finish(deflate);
    return result;
}

void fastws_deflate_forget(struct fastws_deflate *deflate) {
    struct fws_deflate_sender *sender = &deflate->sender;
    fws_deflate_return(&sender->stream);
    sender->tail.len = 0;
    sender->is_open = 0;
    sender->is_pending = 0;
    sender->frames = (struct fastws_deflate_state){0};
}
