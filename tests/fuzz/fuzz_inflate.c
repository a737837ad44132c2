/* SPDX-License-Identifier: MIT */
/* Inflating what a peer may send: the same bytes and errors however input and room are cut, and never more than the
 * limits allow. Input: four bytes of settings and cuts, then messages, each behind its length in one byte. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/deflate.h>
#include <fastws/error.h>

enum { LIMIT = 100000 };

/* Stops the fuzzer at a property that does not hold. */
static void expect(int holds) {
    if (!holds) abort();
}

struct end {
    struct fastws_deflate *deflate;
    struct fastws_deflate_buffer out;
    size_t in_step;
    size_t out_step;
};

/* Inflates one message in steps, to where the whole one is. Returns the last result. */
static int inflate_in_steps(struct end *end, const uint8_t *src, size_t len) {
    uint8_t dst[256];
    size_t off = 0;
    struct fastws_deflate_step step = {.src = src};
    int result = FASTWS_DEFLATE_NEED_INPUT;
    end->out.len = 0;
    while (result >= 0 && result != FASTWS_DEFLATE_DONE) {
        if (result == FASTWS_DEFLATE_NEED_INPUT) {
            step.src_len = len - off < end->in_step ? len - off : end->in_step;
            off += step.src_len;
        }
        step.dst = dst;
        step.dst_len = end->out_step;
        result = fastws_deflate_inflate(end->deflate, &step, off == len);
        size_t written = end->out_step - step.dst_len;
        expect(written <= end->out.cap - end->out.len);
        memcpy(end->out.ptr + end->out.len, dst, written);
        end->out.len += written;
    }
    return result;
}

static void inflate_messages(struct end *whole, struct end *cut, int is_window_small, const uint8_t *data,
                             size_t size) {
    while (size > 0) {
        size_t len = data[0] < size - 1 ? data[0] : size - 1;
        whole->out.len = 0;
        int expected = fastws_deflate_decompress(whole->deflate, data + 1, len, 1, &whole->out, NULL);
        int result = inflate_in_steps(cut, data + 1, len);
        /* Past a small window the peer may refer to what the same call wrote: less of it where calls are cut. */
        if (result == FASTWS_ERR_DEFLATE_DATA && is_window_small) return;
        expect(result == expected);
        expect(whole->out.len <= LIMIT && whole->out.len == cut->out.len);
        if (whole->out.len > 0) expect(memcmp(whole->out.ptr, cut->out.ptr, whole->out.len) == 0);
        if (expected < 0) return;
        if (len % 7 == 0) fastws_deflate_idle(cut->deflate);
        data += len + 1;
        size -= len + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4 || !fastws_deflate_is_available()) return 0;
    struct fastws_deflate_config config;
    struct fastws_deflate_params agreed = {.client_no_context_takeover = data[0] >> 3 & 1,
                                           .client_max_window_bits = (uint8_t)(8 + data[0] % 8)};
    struct fastws_deflate_pool *pool;
    struct end whole = {.deflate = NULL};
    struct end cut = {.in_step = 1 + data[1] % 64u, .out_step = 1 + data[2] % 255u};
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    config.max_inflated = LIMIT;
    config.max_ratio = 4u * data[3];
    expect(fastws_deflate_pool_new(NULL, 1, &pool) == 0);
    expect(fastws_deflate_new(&config, FASTWS_STATE_SERVER, &agreed, pool, &whole.deflate) == 0);
    expect(fastws_deflate_new(&config, FASTWS_STATE_SERVER, &agreed, pool, &cut.deflate) == 0);
    cut.out.cap = LIMIT;
    cut.out.ptr = malloc(LIMIT);
    cut.out.is_fixed = 1;
    expect(cut.out.ptr != NULL);
    inflate_messages(&whole, &cut, agreed.client_max_window_bits < FASTWS_DEFLATE_BITS_MAX, data + 4, size - 4);
    fastws_deflate_buffer_free(&whole.out);
    free(cut.out.ptr);
    fastws_deflate_free(whole.deflate);
    fastws_deflate_free(cut.deflate);
    fastws_deflate_pool_free(pool);
    return 0;
}
