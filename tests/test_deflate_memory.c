/* SPDX-License-Identifier: MIT */
/* What connections with permessage-deflate hold, to the byte, and what happens when there is no memory. */
#include "deflating.h"

#include <fastws/error.h>

/* What a stream of zlib-ng may take more than one of zlib does: its hash table has one size, 128 KiB. */
#ifdef FASTWS_ZLIB_NG
enum { NG_MORE = 128 * 1024 };
#else
enum { NG_MORE = 0 };
#endif

static struct fastws_deflate_stats stats_of(const struct deflating *it) {
    struct fastws_deflate_stats stats;
    fastws_deflate_pool_get_stats(it->pool, &stats);
    assert_int_equal(stats.held, stats.free + stats.compressors + stats.inflaters + stats.tails + stats.windows +
                                     stats.variants);
    return stats;
}

/* Sends and receives messages, which stock zlib reads and writes. */
static void exchange(struct deflating *it, struct stock *stock, size_t len, uint32_t first, uint32_t count) {
    uint8_t *message = malloc(MESSAGE_CAP);
    for (uint32_t i = first; i < first + count; i++) {
        write_message(message, len, i);
        compress_message(it, message, len);
        expect_stock_reads(stock, it, message, len);
        stock_compress(stock, message, len);
        expect_inflated(it, stock->buffer, stock->len, message, len);
    }
    free(message);
}

static void holds_nothing_before_the_first_message(void **state) {
    (void)state;
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct deflating it;
        deflating_start(&it, (enum fastws_deflate_mode)mode);
        assert_int_equal(fastws_deflate_held(it.deflate), 0);
        assert_int_equal(stats_of(&it).held, 0);
        assert_int_equal(stats_of(&it).streams_made, 0);
        fastws_deflate_idle(it.deflate);
        deflating_close(&it);
    }
}

static void holds_nothing_between_messages_without_takeover(void **state) {
    (void)state;
    struct deflating it;
    struct stock *stock = stock_new(15, 15, 0);
    deflating_start(&it, FASTWS_DEFLATE_NO_TAKEOVER);
    exchange(&it, stock, 1000, 0, 5);
    assert_int_equal(fastws_deflate_held(it.deflate), 0);
    assert_int_equal(stats_of(&it).held, stats_of(&it).free);
    assert_int_equal(stats_of(&it).streams_made, 2);
    deflating_close(&it);
    stock_free(stock);
}

static void holds_its_tail_between_messages(void **state) {
    (void)state;
    struct deflating it;
    struct stock *stock = stock_new(15, 15, 0);
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    exchange(&it, stock, 1000, 0, 5);
    assert_int_equal(fastws_deflate_held(it.deflate), 1024);
    assert_int_equal(stats_of(&it).tails, 1024);
    assert_int_equal(stats_of(&it).held, 1024 + stats_of(&it).free);
    assert_true(fastws_deflate_held(it.deflate) + fastws_deflate_sizeof() <= 2048);
    deflating_close(&it);
    stock_free(stock);
}

static void a_tail_is_no_longer_than_the_window(void **state) {
    (void)state;
    struct deflating it;
    deflating_prepare(&it, FASTWS_DEFLATE_TAIL);
    it.agreed.server_max_window_bits = 9;
    deflating_open(&it, FASTWS_STATE_SERVER);
    compress_message(&it, "Hello", 5);
    assert_int_equal(fastws_deflate_held(it.deflate), 512);
    deflating_close(&it);
}

static void a_tail_compresses_nearly_as_takeover(void **state) {
    (void)state;
    size_t wire_len[4] = {0};
    uint8_t message[1000];
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct deflating it;
        deflating_start(&it, (enum fastws_deflate_mode)mode);
        for (uint32_t i = 0; i < 64; i++) {
            write_message(message, sizeof message, i);
            compress_message(&it, message, sizeof message);
            wire_len[mode] += it.out.len;
        }
        deflating_close(&it);
    }
    assert_true(wire_len[FASTWS_DEFLATE_TAIL] * 10 < wire_len[FASTWS_DEFLATE_TAKEOVER] * 11);
    assert_true(wire_len[FASTWS_DEFLATE_TAIL] < wire_len[FASTWS_DEFLATE_NO_TAKEOVER]);
}

static void counts_the_streams_of_takeover(void **state) {
    (void)state;
    struct deflating it;
    struct stock *stock = stock_new(15, 15, 1);
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    exchange(&it, stock, 1000, 0, 3);
    struct fastws_deflate_stats stats = stats_of(&it);
    assert_in_range(stats.compressors, 36 * 1024, 42 * 1024 + NG_MORE);
    assert_in_range(stats.inflaters, 36 * 1024, 43 * 1024); /* the peer's window has 15 bits */
    assert_int_equal(stats.free, 0);
    assert_int_equal(fastws_deflate_held(it.deflate), stats.held);
    deflating_close(&it);
    stock_free(stock);
}

static void an_idle_connection_holds_tail_and_window_only(void **state) {
    (void)state;
    struct deflating it;
    struct stock *stock = stock_new(15, 15, 1);
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    for (uint32_t i = 0; i < 4; i++) {
        exchange(&it, stock, 1500, 3 * i, 3);
        fastws_deflate_idle(it.deflate);
        struct fastws_deflate_stats stats = stats_of(&it);
        assert_int_equal(stats.tails, 1024);
        assert_int_equal(stats.windows, 4500 * (i + 1)); /* what there was, not all that there could be */
        assert_int_equal(stats.compressors + stats.inflaters, 0);
        assert_int_equal(fastws_deflate_held(it.deflate), stats.tails + stats.windows);
        fastws_deflate_idle(it.deflate); /* again: nothing more to give */
        fastws_deflate_pool_trim(it.pool);
        assert_int_equal(stats_of(&it).free, 0);
    }
    exchange(&it, stock, 40000, 99, 1);
    fastws_deflate_idle(it.deflate);
    assert_int_equal(stats_of(&it).windows, 32768);
    exchange(&it, stock, 1500, 99, 3);
    deflating_close(&it);
    stock_free(stock);
}

static void a_window_of_a_peer_that_keeps_its_context_is_counted_apart(void **state) {
    (void)state;
    /* A client with TAIL offered server_no_context_takeover, and the server left it out. */
    struct deflating it;
    struct stock *stock = stock_new(12, 15, 1);
    deflating_prepare(&it, FASTWS_DEFLATE_TAIL);
    it.agreed.server_max_window_bits = 12;
    deflating_open(&it, FASTWS_STATE_CLIENT);
    exchange(&it, stock, 1000, 0, 6);
    struct fastws_deflate_stats stats = stats_of(&it);
    assert_int_equal(stats.tails, 1024);
    assert_in_range(stats.inflaters, 4096, 13 * 1024 + NG_MORE / 4);
    assert_int_equal(stats.compressors, 0);
    fastws_deflate_idle(it.deflate);
    assert_int_equal(stats_of(&it).windows, 4096);
    assert_int_equal(stats_of(&it).inflaters, 0);
    exchange(&it, stock, 1000, 10, 2);
    deflating_close(&it);
    stock_free(stock);
}

static void idle_leaves_open_messages_alone(void **state) {
    (void)state;
    struct deflating it;
    struct fastws_deflate_buffer plain = {0};
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    assert_int_equal(fastws_deflate_compress(it.deflate, "Hel", 3, FASTWS_DEFLATE_FLUSH, &it.out), 0);
    assert_int_equal(fastws_deflate_decompress(it.deflate, it.out.ptr, it.out.len, 0, &plain, NULL), 0);
    fastws_deflate_idle(it.deflate);
    it.out.len = 0;
    assert_int_equal(fastws_deflate_compress(it.deflate, "lo", 2, FASTWS_DEFLATE_END, &it.out), 0);
    assert_int_equal(fastws_deflate_decompress(it.deflate, it.out.ptr, it.out.len, 1, &plain, NULL), 2);
    assert_int_equal(plain.len, 5);
    assert_memory_equal(plain.ptr, "Hello", 5);
    fastws_deflate_buffer_free(&plain);
    deflating_close(&it);
}

/* ---- Pools ---- */

static void a_thousand_connections_share_streams(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    struct deflating it;
    struct fastws_deflate *others[COUNT];
    uint8_t message[500];
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(fastws_deflate_new(&it.config, FASTWS_STATE_SERVER, &it.agreed, it.pool, &others[i]), 0);
    for (int i = 0; i < 3 * COUNT; i++) {
        write_message(message, sizeof message, (uint32_t)i);
        it.out.len = 0;
        assert_int_equal(
            fastws_deflate_compress(others[i % COUNT], message, sizeof message, FASTWS_DEFLATE_END, &it.out), 0);
    }
    assert_int_equal(stats_of(&it).streams_made, 1);
    assert_int_equal(stats_of(&it).tails, COUNT * 1024);
    for (int i = 0; i < COUNT; i++) fastws_deflate_free(others[i]);
    assert_int_equal(stats_of(&it).tails, 0);
    deflating_close(&it);
}

static void keeps_as_many_free_streams_as_told(void **state) {
    (void)state;
    enum { COUNT = 5 };
    struct deflating it;
    struct fastws_deflate *others[COUNT];
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER); /* a pool that keeps 2 */
    size_t one = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(fastws_deflate_new(&it.config, FASTWS_STATE_SERVER, &it.agreed, it.pool, &others[i]), 0);
        assert_int_equal(fastws_deflate_compress(others[i], "Hello", 5, FASTWS_DEFLATE_END, &it.out), 0);
        if (i == 0) one = stats_of(&it).compressors;
    }
    assert_int_equal(stats_of(&it).compressors, COUNT * one);
    for (int i = 0; i < COUNT; i++) fastws_deflate_free(others[i]);
    assert_int_equal(stats_of(&it).free, 2 * one);
    deflating_close(&it);
    fastws_deflate_pool_free(NULL);
}

static void allocates_nothing_when_warm(void **state) {
    (void)state;
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct deflating it;
        struct stock *stock = stock_new(15, 15, mode == FASTWS_DEFLATE_TAKEOVER);
        deflating_start(&it, (enum fastws_deflate_mode)mode);
        exchange(&it, stock, 3000, 0, 3);
        exchange(&it, stock, 200, 0, 1); /* short ones have a stream of another size */
        uint64_t calls = it.memory.calls;
        exchange(&it, stock, 3000, 3, 50);
        exchange(&it, stock, 200, 60, 50);
        assert_int_equal(it.memory.calls, calls);
        deflating_close(&it);
        stock_free(stock);
    }
}

/* ---- No memory ---- */

/* Does one of everything that allocates. A failure is FASTWS_ERR_NOMEM, once, and only then. Returns how many calls
 * failed. */
static int do_everything(struct deflating *it, struct stock *stock) {
    uint8_t message[3000];
    int failed = 0, result;
    for (uint32_t i = 0; i < 6; i++) {
        size_t len = write_message(message, 200 + 500 * i, i);
        it->out.len = 0;
        size_t half = len / 2;
        result = fastws_deflate_compress(it->deflate, message, half, FASTWS_DEFLATE_MORE, &it->out);
        if (result == 0)
            result = fastws_deflate_compress(it->deflate, message + half, len - half, FASTWS_DEFLATE_END, &it->out);
        if (result < 0) assert_int_equal(result, FASTWS_ERR_NOMEM);
        if (result == 0) expect_stock_reads(stock, it, message, len); /* after a failure, too */
        failed += result < 0;
        stock_compress(stock, message, len);
        it->out.len = 0;
        result = fastws_deflate_decompress(it->deflate, stock->buffer, stock->len, 1, &it->out, NULL);
        if (result < 0) assert_int_equal(result, FASTWS_ERR_NOMEM);
        if (result < 0) return failed + 1; /* An input that failed stays so. */
        assert_int_equal(result, FASTWS_DEFLATE_DONE);
        assert_int_equal(it->out.len, len);
        assert_memory_equal(it->out.ptr, message, len);
        if (i == 2) fastws_deflate_idle(it->deflate);
        if (i == 3) fastws_deflate_pool_trim(it->pool);
    }
    return failed;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        uint64_t calls = 0;
        for (int fail_on = 0; fail_on < 2; fail_on++) {
            for (uint64_t fail_at = 0; fail_at <= calls; fail_at++) {
                struct deflating it;
                struct stock *stock = stock_new(15, 15, mode == FASTWS_DEFLATE_TAKEOVER);
                deflating_start(&it, (enum fastws_deflate_mode)mode);
                it.memory.calls = 0;
                it.memory.fail_at = fail_at;
                it.memory.fail_on = fail_on;
                int failed = do_everything(&it, stock);
                if (fail_at == 0) calls = it.memory.calls;
                if (fail_at == 0) assert_int_equal(failed, 0);
                it.memory.fail_at = 0;
                deflating_close(&it);
                stock_free(stock);
            }
        }
        assert_true(calls > 10);
    }
}

static void reports_no_memory_for_objects(void **state) {
    (void)state;
    struct deflating it;
    struct fastws_deflate_pool *pool;
    struct fastws_deflate *deflate;
    struct fastws_deflate_variants *variants;
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    it.memory.fail_at = 1;
    it.memory.fail_on = 1;
    assert_int_equal(fastws_deflate_pool_new(&it.memory.allocator, 1, &pool), FASTWS_ERR_NOMEM);
    assert_int_equal(fastws_deflate_new(&it.config, FASTWS_STATE_SERVER, &it.agreed, it.pool, &deflate),
                     FASTWS_ERR_NOMEM);
    assert_int_equal(fastws_deflate_variants_new("a", 1, it.pool, &variants), FASTWS_ERR_NOMEM);
    it.memory.fail_at = 0;
    deflating_close(&it);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_nothing_before_the_first_message),
        cmocka_unit_test(holds_nothing_between_messages_without_takeover),
        cmocka_unit_test(holds_its_tail_between_messages),
        cmocka_unit_test(a_tail_is_no_longer_than_the_window),
        cmocka_unit_test(a_tail_compresses_nearly_as_takeover),
        cmocka_unit_test(counts_the_streams_of_takeover),
        cmocka_unit_test(an_idle_connection_holds_tail_and_window_only),
        cmocka_unit_test(a_window_of_a_peer_that_keeps_its_context_is_counted_apart),
        cmocka_unit_test(idle_leaves_open_messages_alone),
        cmocka_unit_test(a_thousand_connections_share_streams),
        cmocka_unit_test(keeps_as_many_free_streams_as_told),
        cmocka_unit_test(allocates_nothing_when_warm),
        cmocka_unit_test(survives_every_failed_allocation),
        cmocka_unit_test(reports_no_memory_for_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
