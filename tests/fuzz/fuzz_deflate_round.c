/* SPDX-License-Identifier: MIT */
/* The round trip: whatever a connection does between its messages (forgets, goes idle, takes part in a broadcast, sends
 * in pieces), its peer inflates what was sent. Input: four bytes of settings, then steps, each an operation and a
 * length, with the bytes of the messages behind them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/deflate.h>
#include <fastws/error.h>

enum { STEPS = 24 };

/* Stops the fuzzer at a property that does not hold. */
static void expect(int holds) {
    if (!holds) abort();
}

struct pair {
    struct fastws_deflate_config config;
    struct fastws_deflate_pool *pool;
    struct fastws_deflate *sender;
    struct fastws_deflate *receiver;
    struct fastws_deflate_buffer wire;
    struct fastws_deflate_buffer plain;
};

static void expect_received(struct pair *pair, const void *wire, size_t wire_len, const uint8_t *message, size_t len) {
    pair->plain.len = 0;
    expect(fastws_deflate_decompress(pair->receiver, wire, wire_len, 1, &pair->plain, NULL) == FASTWS_DEFLATE_DONE);
    expect(pair->plain.len == len);
    if (len > 0) expect(memcmp(pair->plain.ptr, message, len) == 0);
}

static void send_in_pieces(struct pair *pair, const uint8_t *message, size_t len, size_t piece_len) {
    pair->wire.len = 0;
    for (size_t off = 0; off < len; off += piece_len) {
        size_t piece = len - off < piece_len ? len - off : piece_len;
        enum fastws_deflate_flush flush = message[off] & 1 ? FASTWS_DEFLATE_FLUSH : FASTWS_DEFLATE_MORE;
        expect(fastws_deflate_compress(pair->sender, message + off, piece, flush, &pair->wire) == 0);
    }
    expect(fastws_deflate_compress(pair->sender, NULL, 0, FASTWS_DEFLATE_END, &pair->wire) == 0);
    expect_received(pair, pair->wire.ptr, pair->wire.len, message, len);
}

static void broadcast(struct pair *pair, const uint8_t *message, size_t len) {
    struct fastws_deflate_variants *variants;
    struct fastws_slice wire;
    expect(fastws_deflate_variants_new(message, len, pair->pool, &variants) == 0);
    expect(fastws_deflate_variant(variants, pair->sender, &wire) == 0);
    expect_received(pair, wire.ptr, wire.len, message, len);
    expect(fastws_deflate_sent_variant(pair->sender, variants) == 0);
    fastws_deflate_variants_free(variants);
}

static void do_step(struct pair *pair, unsigned operation, const uint8_t *message, size_t len) {
    switch (operation % 6) {
    case 0:
        send_in_pieces(pair, message, len, len + 1);
        break;
    case 1:
        send_in_pieces(pair, message, len, 1 + operation / 6);
        break;
    case 2: /* compressed, and never sent */
        pair->wire.len = 0;
        expect(fastws_deflate_compress(pair->sender, message, len, (enum fastws_deflate_flush)(operation / 6 % 3),
                                       &pair->wire) == 0);
        fastws_deflate_forget(pair->sender);
        break;
    case 3:
        fastws_deflate_idle(pair->sender);
        break;
    case 4:
        fastws_deflate_idle(pair->receiver);
        fastws_deflate_pool_trim(pair->pool);
        break;
    default:
        broadcast(pair, message, len);
    }
}

static void open_pair(struct pair *pair, const uint8_t settings[4]) {
    fastws_deflate_config_init(&pair->config, (enum fastws_deflate_mode)(1 + settings[0] % 3));
    pair->config.window_bits = (uint8_t)(8 + settings[1] % 8);
    pair->config.level = settings[1] / 8 % 10;
    pair->config.memory_level = (uint8_t)(1 + settings[2] % 9);
    pair->config.strategy = settings[2] / 9 % 5;
    pair->config.tail_len = (uint16_t)(256 + 127 * settings[3]);
    struct fastws_deflate_params agreed = {.server_max_window_bits = pair->config.window_bits,
                                           .server_no_context_takeover = settings[0] / 3 % 2};
    expect(fastws_deflate_pool_new(NULL, 1, &pair->pool) == 0);
    expect(fastws_deflate_new(&pair->config, FASTWS_STATE_SERVER, &agreed, pair->pool, &pair->sender) == 0);
    expect(fastws_deflate_new(&pair->config, FASTWS_STATE_CLIENT, &agreed, pair->pool, &pair->receiver) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4 || !fastws_deflate_is_available()) return 0;
    struct pair pair = {.pool = NULL};
    open_pair(&pair, data);
    const uint8_t *all = data;
    data += 4;
    /* Messages overlap in the input, so that there is something to refer to. */
    for (int steps = 0; steps < STEPS && size - (size_t)(data - all) >= 3; steps++, data += 3) {
        size_t left = size - (size_t)(data - all), len = (size_t)data[1] * data[2];
        do_step(&pair, data[0], data, len < left ? len : left);
    }
    fastws_deflate_buffer_free(&pair.wire);
    fastws_deflate_buffer_free(&pair.plain);
    fastws_deflate_free(pair.sender);
    fastws_deflate_free(pair.receiver);
    fastws_deflate_pool_free(pair.pool);
    return 0;
}
