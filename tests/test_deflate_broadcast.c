/* SPDX-License-Identifier: MIT */
/* Prepared messages on connections that compress: compressed once for each set of settings, whoever sends them, and
 * right in the windows of peers that keep their context. */
#include "deflating.h"

#include <fastws/prepared.h>

#include "sending.h"

enum { ENDS = 6, NEWS_LEN = 3000 };

/* What the connections of a broadcast have agreed on. */
static const struct {
    enum fastws_deflate_mode mode;
    uint8_t window_bits;
    uint8_t is_plain;
    unsigned made; /* variants that sending to this one makes, after those before it */
} settings[ENDS] = {
    {FASTWS_DEFLATE_TAKEOVER, 12, 0, 1}, {FASTWS_DEFLATE_TAKEOVER, 12, 0, 0}, {FASTWS_DEFLATE_TAKEOVER, 10, 0, 1},
    {FASTWS_DEFLATE_TAIL, 15, 0, 1},     {FASTWS_DEFLATE_NO_TAKEOVER, 15, 0, 0}, {FASTWS_DEFLATE_TAIL, 15, 1, 0},
};

/* A connection and the zlib of its peer, which keeps its context whatever was agreed. */
struct member {
    struct fastws_deflate_config config;
    struct end end;
    struct stock *stock;
    size_t off; /* in what was sent, of the next frame */
};

static void join_broadcast(struct member *member, int i, enum fastws_role role) {
    struct fastws_deflate_params agreed = {.server_max_window_bits = settings[i].window_bits,
                                           .client_max_window_bits = settings[i].window_bits};
    fastws_deflate_config_init(&member->config, settings[i].mode);
    member->config.window_bits = settings[i].window_bits;
    if (settings[i].is_plain) member->config.threshold = SIZE_MAX;
    end_prepare(&member->end, role);
    end_open(&member->end);
    assert_int_equal(fastws_conn_set_deflate(member->end.conn, &member->config, &agreed), 0);
    member->stock = stock_new(15, settings[i].window_bits, 1);
    member->off = 0;
}

static void leave_broadcast(struct member *member) {
    stock_free(member->stock);
    end_close(&member->end);
}

/* Expects the next frame to be this message, compressed or not as the member's settings say. */
static void expect_message(struct member *member, const void *message, size_t len) {
    end_drain(&member->end, 4096);
    struct frame frame = take_frame(&member->end.sent, &member->off, (enum fastws_role)member->end.config.role);
    int is_compressed = len >= member->config.threshold;
    assert_int_equal(frame.first, is_compressed ? 0xc1 : 0x81);
    if (is_compressed) assert_int_equal(stock_inflate(member->stock, frame.payload, frame.len), 0);
    assert_int_equal(is_compressed ? member->stock->len : frame.len, len);
    assert_memory_equal(is_compressed ? member->stock->buffer : frame.payload, message, len);
}

static void broadcast_of(enum fastws_role role) {
    static struct member members[ENDS];
    uint8_t news[NEWS_LEN], own[500];
    struct memory memory;
    struct fastws_prepared *prepared;
    memory_init(&memory);
    for (int i = 0; i < ENDS; i++) join_broadcast(&members[i], i, role);
    for (uint32_t round = 0; round < 3; round++) {
        size_t len = write_message(news, sizeof news, round);
        assert_int_equal(fastws_prepared_new(&memory.allocator, 1, news, len, &prepared), 0);
        for (int i = 0; i < ENDS; i++) {
            uint64_t calls = memory.calls;
            assert_int_equal(fastws_conn_send_prepared(members[i].end.conn, prepared), 0);
            assert_int_equal(memory.calls - calls, settings[i].made);
            expect_message(&members[i], news, len);
            assert_int_equal(fastws_conn_send_prepared(members[i].end.conn, prepared), 0);
            assert_int_equal(memory.calls - calls, settings[i].made);
            expect_message(&members[i], news, len);
            size_t own_len = write_message(own, sizeof own, round);
            assert_int_equal(fastws_conn_send(members[i].end.conn, 1, own, own_len), 0);
            expect_message(&members[i], own, own_len);
        }
        fastws_prepared_release(prepared);
    }
    for (int i = 0; i < ENDS; i++) leave_broadcast(&members[i]);
    assert_int_equal(memory.live, 0);
}

static void is_compressed_once_for_each_set_of_settings(void **state) {
    (void)state;
    broadcast_of(FASTWS_ROLE_SERVER);
    broadcast_of(FASTWS_ROLE_CLIENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_compressed_once_for_each_set_of_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
