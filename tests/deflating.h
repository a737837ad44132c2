/* SPDX-License-Identifier: MIT */
/* What the tests of permessage-deflate share: an end with its pool and counted memory, messages, and stock zlib as the
 * peer. */
#ifndef FWS_TESTS_DEFLATING_H
#define FWS_TESTS_DEFLATING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <fastws/deflate.h>

#include "../src/deflate.h"
#include "support.h"

/* ---- An end ---- */

struct deflating {
    struct memory memory;
    struct fastws_deflate_config config;
    struct fastws_deflate_params agreed;
    struct fastws_deflate_pool *pool;
    struct fastws_deflate *deflate;
    struct fastws_deflate_buffer out; /* what was compressed or inflated last */
};

static inline void deflating_prepare(struct deflating *it, enum fastws_deflate_mode mode) {
    *it = (struct deflating){.pool = NULL};
    memory_init(&it->memory);
    fastws_deflate_config_init(&it->config, mode);
    it->out.allocator = &it->memory.allocator;
}

static inline void deflating_open(struct deflating *it, unsigned role) {
    assert_int_equal(fastws_deflate_pool_new(&it->memory.allocator, 2, &it->pool), 0);
    assert_int_equal(fastws_deflate_new(&it->config, role, &it->agreed, it->pool, &it->deflate), 0);
}

/* Opens a server that agreed to what its own configuration leads to, for a client that offers anything. */
static inline void deflating_start(struct deflating *it, enum fastws_deflate_mode mode) {
    deflating_prepare(it, mode);
    it->agreed.client_no_context_takeover = !it->config.is_peer_takeover;
    it->agreed.server_no_context_takeover = mode == FASTWS_DEFLATE_NO_TAKEOVER;
    deflating_open(it, FASTWS_STATE_SERVER);
}

/* Frees everything, and fails the test if memory is left or was not counted. */
static inline void deflating_close(struct deflating *it) {
    struct fastws_deflate_stats stats;
    fastws_deflate_free(it->deflate);
    fastws_deflate_buffer_free(&it->out);
    fastws_deflate_pool_get_stats(it->pool, &stats);
    assert_int_equal(stats.held, stats.free);
    fastws_deflate_pool_trim(it->pool);
    fastws_deflate_pool_get_stats(it->pool, &stats);
    assert_int_equal(stats.held, 0);
    fastws_deflate_pool_free(it->pool);
    assert_int_equal(it->memory.live, 0);
}

static inline void compress_message(struct deflating *it, const void *src, size_t len) {
    it->out.len = 0;
    assert_int_equal(fastws_deflate_compress(it->deflate, src, len, FASTWS_DEFLATE_END, &it->out), 0);
}

static inline void expect_inflated(struct deflating *it, const void *src, size_t len, const void *message,
                                   size_t message_len) {
    it->out.len = 0;
    assert_int_equal(fastws_deflate_decompress(it->deflate, src, len, 1, &it->out, NULL), FASTWS_DEFLATE_DONE);
    assert_int_equal(it->out.len, message_len);
    if (message_len > 0) assert_memory_equal(it->out.ptr, message, message_len);
}

static inline void expect_bytes(const struct deflating *it, const void *bytes, size_t len) {
    assert_int_equal(it->out.len, len);
    assert_memory_equal(it->out.ptr, bytes, len);
}

/* ---- Messages ---- */

enum { MESSAGE_CAP = 100000 };

/* Writes message `number` of a series: like the others of it, and different. Returns its length, near len. */
static inline size_t write_message(uint8_t *dst, size_t len, uint32_t number) {
    static const char *const words[] = {"\"price\":", "\"side\":\"buy\",", "\"side\":\"sell\",", "\"size\":",
                                        "\"symbol\":\"ETH-USD\",", "\"symbol\":\"BTC-USD\",", "true,", "null,"};
    uint32_t state = number * 2654435761u + 1;
    size_t off = 0;
    while (off + 24 < len) {
        const char *word = words[next_random(&state) % 8];
        size_t word_len = strlen(word);
        memcpy(dst + off, word, word_len);
        off += word_len;
        for (int i = 0; i < 3; i++) dst[off++] = (uint8_t)('0' + next_random(&state) % 10);
    }
    while (off < len) dst[off++] = (uint8_t)('a' + next_random(&state) % 26);
    return off;
}

/* ---- Stock zlib ---- */

/* A peer: raw zlib, as any other implementation would use it. */
struct stock {
    z_stream deflate;
    z_stream inflate;
    int is_takeover; /* of what it sends */
    uint8_t buffer[2 * MESSAGE_CAP];
    size_t len;
};

static inline struct stock *stock_new(int own_bits, int peer_bits, int is_takeover) {
    struct stock *stock = calloc(1, sizeof *stock);
    assert_non_null(stock);
    stock->is_takeover = is_takeover;
    assert_int_equal(deflateInit2(&stock->deflate, 6, Z_DEFLATED, -(own_bits < 9 ? 9 : own_bits), 8, 0), Z_OK);
    assert_int_equal(inflateInit2(&stock->inflate, -peer_bits), Z_OK);
    return stock;
}

static inline void stock_free(struct stock *stock) {
    deflateEnd(&stock->deflate);
    inflateEnd(&stock->inflate);
    free(stock);
}

/* Compresses a message into buffer, without its trail. */
static inline void stock_compress(struct stock *stock, const void *src, size_t len) {
    z_stream *zlib = &stock->deflate;
    if (!stock->is_takeover) deflateReset(zlib);
    zlib->next_in = (Bytef *)(uintptr_t)src;
    zlib->avail_in = (uInt)len;
    zlib->next_out = stock->buffer;
    zlib->avail_out = sizeof stock->buffer;
    assert_int_equal(deflate(zlib, Z_SYNC_FLUSH), Z_OK);
    stock->len = sizeof stock->buffer - zlib->avail_out - 4;
    assert_memory_equal(stock->buffer + stock->len, "\0\0\xff\xff", 4);
}

static inline int stock_feed(z_stream *zlib, const void *src, size_t len) {
    zlib->next_in = (Bytef *)(uintptr_t)src;
    zlib->avail_in = (uInt)len;
    int result = inflate(zlib, Z_SYNC_FLUSH);
    return result == Z_OK || (result == Z_BUF_ERROR && zlib->avail_in == 0) ? 0 : -1;
}

/* Inflates a message into buffer. Returns 0, -1 where zlib finds fault with it. Context is always kept: that of a
 * message which does not refer to it makes no difference. */
static inline int stock_inflate(struct stock *stock, const void *src, size_t len) {
    z_stream *zlib = &stock->inflate;
    zlib->next_out = stock->buffer;
    zlib->avail_out = sizeof stock->buffer;
    if (stock_feed(zlib, src, len) != 0 || stock_feed(zlib, "\0\0\xff\xff", 4) != 0) return -1;
    stock->len = sizeof stock->buffer - zlib->avail_out;
    return 0;
}

static inline void expect_stock_reads(struct stock *stock, const struct deflating *it, const void *message,
                                      size_t len) {
    assert_int_equal(stock_inflate(stock, it->out.ptr, it->out.len), 0);
    assert_int_equal(stock->len, len);
    if (len > 0) assert_memory_equal(stock->buffer, message, len);
}

#endif
