/* SPDX-License-Identifier: MIT */
/* What outlives a batch: payloads that are taken, connections that are reset, marks of the queue, round-trip times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

#include "sending.h"

#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

/* ---- Taking ---- */

/* An end whose large payloads come from an allocator of their own. */
struct taker {
    struct end end;
    struct memory payloads;
};

static void open_taker(struct taker *taker, enum fastws_delivery delivery, enum input input) {
    end_prepare(&taker->end, SERVER);
    memory_init(&taker->payloads);
    taker->end.pool_config.payload_allocator = &taker->payloads.allocator;
    taker->end.config.delivery = (uint8_t)delivery;
    taker->end.input = input;
    end_open(&taker->end);
}

static void close_taker(struct taker *taker) {
    assert_int_equal(taker->payloads.live, 0);
    end_close(&taker->end);
}

/* Receives wire by space, and takes the payload of every event. Returns how many bytes of them were copied. */
static size_t take_all(struct taker *taker, const struct bytes *wire, size_t step, struct fastws_taken *taken,
                       int *count) {
    size_t copied = 0;
    *count = 0;
    for (size_t off = 0; off < wire->len;) {
        void *ptr;
        size_t cap, len = wire->len - off < step ? wire->len - off : step;
        struct fastws_event event;
        assert_int_equal(fastws_conn_space(taker->end.conn, &ptr, &cap), 0);
        if (len > cap) len = cap;
        memcpy(ptr, wire->ptr + off, len);
        off += len;
        assert_int_equal(fastws_conn_filled(taker->end.conn, len), 0);
        while (fastws_conn_next(taker->end.conn, &event, 1) > 0) {
            size_t live = taker->payloads.live;
            assert_int_equal(fastws_conn_take(taker->end.conn, &event, &taken[*count]), 0);
            if (taker->payloads.live > live) copied += taken[*count].len;
            assert_int_equal(taken[*count].len, event.len);
            assert_int_equal(taken[*count].cap, event.len);
            ++*count;
        }
    }
    return copied;
}

/* One fragment or several: the block begins with the payload, has its length, and no byte is copied. */
static void a_large_message_changes_hands_without_a_copy(void **state) {
    (void)state;
    const size_t len = 300000;
    uint8_t *payload = make_payload(len, 9);
    for (int fragments = 1; fragments <= 3; fragments++) {
        struct taker taker;
        struct bytes wire = {0};
        struct fastws_taken taken[4];
        int count;
        open_taker(&taker, FASTWS_DELIVER_MESSAGES, INPUT_SPACE);
        size_t part = len / (size_t)fragments;
        for (int i = 0; i < fragments; i++) {
            unsigned first = (i + 1 == fragments ? 0x80u : 0u) | (i == 0 ? 2u : 0u);
            put_frame(&wire, SERVER, first, payload + part * (size_t)i, part);
        }
        put_text(&wire, SERVER, "behind it");
        assert_int_equal(take_all(&taker, &wire, 65536, taken, &count), 9);
        assert_int_equal(count, 2);
        assert_int_equal(taken[0].len, len);
        assert_int_equal(taker.payloads.live, len + 9);
        /* Nothing that comes later is written there. */
        struct fastws_taken others[4];
        take_all(&taker, &wire, 10000, others, &count);
        assert_memory_equal(taken[0].ptr, payload, len);
        assert_memory_equal(taken[1].ptr, "behind it", 9);
        for (int i = 0; i < 2; i++) {
            fastws_taken_release(&taken[i]);
            assert_null(taken[i].ptr);
            fastws_taken_release(&taken[i]);
            fastws_taken_release(&others[i]);
        }
        bytes_free(&wire);
        close_taker(&taker);
    }
    free(payload);
}

static void a_small_payload_is_copied(void **state) {
    (void)state;
    for (int input = 0; input < INPUTS; input++) {
        struct taker taker;
        struct bytes wire = {0};
        open_taker(&taker, FASTWS_DELIVER_STREAM, (enum input)input);
        put_frame(&wire, SERVER, 0x82, "small", 5);
        put_frame(&wire, SERVER, 0x89, "", 0);
        struct fastws_event event;
        struct fastws_taken taken, empty;
        assert_int_equal(fastws_conn_feed(taker.end.conn, wire.ptr, wire.len), 0);
        assert_int_equal(fastws_conn_next(taker.end.conn, &event, 1), 1);
        taker.payloads.fail_at = 1;
        assert_int_equal(fastws_conn_take(taker.end.conn, &event, &taken), FASTWS_ERR_NOMEM);
        assert_int_equal(fastws_conn_take(taker.end.conn, &event, &taken), 0);
        assert_int_equal(fastws_conn_next(taker.end.conn, &event, 1), 1);
        assert_int_equal(fastws_conn_take(taker.end.conn, &event, &empty), 0);
        assert_null(empty.ptr);
        memset(wire.ptr, 0, wire.len);
        assert_memory_equal(taken.ptr, "small", 5);
        fastws_taken_release(&taken);
        fastws_taken_release(&empty);
        bytes_free(&wire);
        close_taker(&taker);
    }
}

/* It outlives the connection, and the pool. */
static void what_was_taken_outlives_the_connection(void **state) {
    (void)state;
    struct taker taker;
    struct bytes wire = {0};
    struct fastws_taken taken[2];
    int count;
    uint8_t *payload = make_payload(100000, 9);
    open_taker(&taker, FASTWS_DELIVER_FRAGMENTS, INPUT_SPACE);
    put_frame(&wire, SERVER, 0x02, payload, 100000);
    put_frame(&wire, SERVER, 0x80, payload, 100000);
    assert_int_equal(take_all(&taker, &wire, 65536, taken, &count), 0);
    assert_int_equal(count, 2);
    end_close(&taker.end);
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(taken[i].ptr, payload, 100000);
        fastws_taken_release(&taken[i]);
    }
    assert_int_equal(taker.payloads.live, 0);
    bytes_free(&wire);
    free(payload);
}

/* The block is larger than its payload, and stays so where the allocator cannot make it smaller. */
static void a_block_that_cannot_shrink_is_taken_as_it_is(void **state) {
    (void)state;
    struct taker taker;
    struct fastws_event event;
    struct fastws_taken taken;
    uint8_t *payload = make_payload(70000, 9);
    open_taker(&taker, FASTWS_DELIVER_MESSAGES, INPUT_FEED);
    struct bytes wire = {0};
    put_frame(&wire, SERVER, 0x02, payload, 70000);
    put_frame(&wire, SERVER, 0x80, "", 0);
    assert_int_equal(fastws_conn_feed(taker.end.conn, wire.ptr, 70008), 0);
    assert_int_equal(fastws_conn_next(taker.end.conn, &event, 1), 0);
    assert_int_equal(fastws_conn_feed(taker.end.conn, wire.ptr + 70008, wire.len - 70008), 0);
    assert_int_equal(fastws_conn_next(taker.end.conn, &event, 1), 1);
    taker.payloads.fail_on = 1;
    taker.payloads.fail_at = taker.payloads.calls + 1;
    assert_int_equal(fastws_conn_take(taker.end.conn, &event, &taken), 0);
    assert_int_equal(taken.len, 70000);
    assert_int_equal(taken.cap, taker.payloads.live);
    assert_memory_equal(taken.ptr, payload, 70000);
    fastws_taken_release(&taken);
    bytes_free(&wire);
    free(payload);
    close_taker(&taker);
}

/* ---- Resetting ---- */

static void reset_in_the_middle_of_everything_is_like_new(void **state) {
    (void)state;
    uint8_t *payload = make_payload(200000, 9);
    for (enum fastws_role role = SERVER; role <= CLIENT; role++) {
        struct end end;
        end_prepare(&end, role);
        end_open(&end);
        for (size_t cut = 1; cut < 200000; cut = cut * 2 + 1) {
            struct bytes wire = {0};
            put_frame(&wire, role, 0x02, payload, 200000);
            end_receive(&end, wire.ptr, cut);
            assert_int_equal(fastws_conn_send(end.conn, 2, payload, 200000), 0);
            assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
            assert_int_equal(fastws_conn_write(end.conn, payload, 70000), 0);
            send_some(&end, cut);
            assert_int_equal(fastws_conn_reset(end.conn, NULL), 0);
            assert_int_equal(fastws_conn_pending_len(end.conn), 0);
            assert_int_equal(fastws_conn_offset(end.conn), 0);
            struct fastws_pool_stats stats;
            fastws_pool_get_stats(end.pool, &stats);
            assert_int_equal(stats.slabs_lent, 0);
            end_receive_frame(&end, 0x89, "fresh", 5);
            expect_only_sent(&end, 0x8a, "fresh", 5);
            bytes_free(&wire);
        }
        end_close(&end);
    }
    free(payload);
}

static void reset_clears_errors_and_changes_settings(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    end_receive_frame(&end, 0x83, "", 0);
    assert_int_equal(end.last, FASTWS_ERR_OPCODE_RESERVED);
    assert_int_equal(fastws_conn_send(end.conn, 1, "x", 1), FASTWS_ERR_OPCODE_RESERVED);
    struct fastws_conn_config config, bad;
    fastws_conn_config_init(&config, CLIENT);
    bad = config;
    bad.delivery = 3;
    assert_int_equal(fastws_conn_reset(end.conn, &bad), FASTWS_ERR_ARGUMENT);
    bad = config;
    bad.queue_low = bad.queue_high + 1;
    assert_int_equal(fastws_conn_reset(end.conn, &bad), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_FAILED);
    assert_int_equal(fastws_conn_reset(end.conn, &config), 0);
    end.config = config;
    assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_OPEN);
    assert_int_equal(fastws_conn_send(end.conn, 1, "masked", 6), 0);
    expect_only_sent(&end, 0x81, "masked", 6);
    fastws_conn_eof(end.conn);
    end_take_events(&end);
    assert_int_equal(end.last, FASTWS_ERR_EOF);
    assert_int_equal(fastws_conn_reset(end.conn, NULL), 0);
    end_take_events(&end);
    assert_int_equal(end.last, 0);
    end_close(&end);
}

/* ---- Idle ---- */

static void an_idle_connection_is_192_bytes_and_no_more(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    assert_in_range(fastws_conn_sizeof(), 1, 192);
    uint8_t *payload = make_payload(300000, 1);
    struct fastws_conn *conns[100];
    size_t live = 0;
    for (int i = 0; i < 100; i++) {
        struct fastws_conn *first = end.conn;
        assert_int_equal(fastws_conn_new(&end.config, end.pool, &conns[i]), 0);
        end.conn = conns[i];
        end_receive_frame(&end, 0x01, "begun", 5);
        end_receive_frame(&end, 0x80, payload, 0);
        end_receive_frame(&end, 0x82, payload, 300000);
        end_receive_frame(&end, 0x89, "ping", 4);
        assert_int_equal(fastws_conn_begin(end.conn, 2), 0);
        assert_int_equal(fastws_conn_write(end.conn, payload, 100000), 0);
        assert_int_equal(fastws_conn_finish(end.conn), 0);
        end_drain(&end, 7000);
        end.conn = first;
        if (i == 0) live = end.memory.live;
        assert_int_equal(end.memory.live, live + (size_t)i * fastws_conn_sizeof());
    }
    for (int i = 0; i < 100; i++) fastws_conn_free(conns[i]);
    free(payload);
    end_close(&end);
}

/* ---- Marks ---- */

static void is_writable_until_the_high_mark_and_from_the_low_mark_on(void **state) {
    (void)state;
    static const size_t marks[] = {300, 1000, 9900, 16300, 16400, 20000}; /* the write buffer has 16 384 bytes */
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.config.queue_high = marks[i];
        end.config.queue_low = 200;
        end_open(&end);
        uint8_t payload[98] = {0};
        while (fastws_conn_pending_len(end.conn) < end.config.queue_high) {
            assert_int_equal(fastws_conn_is_writable(end.conn), 1);
            assert_int_equal(fastws_conn_send(end.conn, 2, payload, sizeof payload), 0);
        }
        assert_int_equal(fastws_conn_pending_len(end.conn), end.config.queue_high);
        assert_int_equal(fastws_conn_is_writable(end.conn), 1); /* at the mark, not over it */
        assert_int_equal(fastws_conn_send(end.conn, 2, payload, 0), 0);
        assert_int_equal(fastws_conn_is_writable(end.conn), 0);
        send_some(&end, end.config.queue_high + 2 - 201);
        assert_int_equal(fastws_conn_is_writable(end.conn), 0);
        send_some(&end, 1);
        assert_int_equal(fastws_conn_is_writable(end.conn), 1);
        end_close(&end);
    }
}

/* It used to be listed behind a piece of nothing: who asks for one piece at a time got no further. */
static void a_message_longer_than_the_write_buffer_is_listed_by_itself(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.pool_config.cork_len = 4096;
    end_open(&end);
    uint8_t payload[4095] = {0};
    struct fastws_iovec piece;
    assert_int_equal(fastws_conn_send(end.conn, 2, payload, sizeof payload), 0);
    assert_int_equal(fastws_conn_pending(end.conn, &piece, 1), 1);
    assert_int_equal(piece.len, 4 + sizeof payload);
    end_close(&end);
}

/* Other marks used to hold from the next send on only. */
static void other_marks_judge_what_is_queued(void **state) {
    (void)state;
    for (int is_masked = 0; is_masked < 2; is_masked++) {
        struct end end;
        end_prepare(&end, is_masked ? CLIENT : SERVER);
        end_open(&end);
        struct fastws_conn_config narrow = end.config, wide = end.config, none = end.config;
        narrow.queue_high = 100;
        narrow.queue_low = 50;
        none.queue_high = none.queue_low = 0;
        uint8_t payload[200] = {0};
        assert_int_equal(fastws_conn_send(end.conn, 2, payload, sizeof payload), 0);
        assert_int_equal(fastws_conn_is_writable(end.conn), 1);
        assert_int_equal(fastws_conn_set_config(end.conn, &narrow), 0);
        assert_int_equal(fastws_conn_is_writable(end.conn), 0);
        assert_int_equal(fastws_conn_set_config(end.conn, &none), 0);
        assert_int_equal(fastws_conn_is_writable(end.conn), 1);
        assert_int_equal(fastws_conn_set_config(end.conn, &narrow), 0);
        assert_int_equal(fastws_conn_is_writable(end.conn), 0);
        assert_int_equal(fastws_conn_set_config(end.conn, &wide), 0);
        assert_int_equal(fastws_conn_is_writable(end.conn), 1); /* below the low mark of wide */
        assert_int_equal(fastws_conn_set_config(end.conn, &narrow), 0);
        end_drain(&end, SIZE_MAX); /* all at once */
        assert_int_equal(fastws_conn_is_writable(end.conn), 1);
        end_close(&end);
    }
}

/* Reading goes on at once where more replies may wait. */
static void another_limit_of_replies_ends_a_flood(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.config.limits.max_control_pending = 1;
    end_open(&end);
    struct fastws_conn_config wide = end.config;
    wide.limits.max_control_pending = 100;
    void *space;
    size_t cap;
    end_receive_frame(&end, 0x89, "ping", 4);
    assert_int_equal(fastws_conn_space(end.conn, &space, &cap), 0);
    assert_int_equal(cap, 0);
    assert_int_equal(fastws_conn_set_config(end.conn, &wide), 0);
    assert_int_equal(fastws_conn_space(end.conn, &space, &cap), 0);
    assert_true(cap > 0);
    end_close(&end);
}

static void every_kind_of_send_counts_for_the_marks(void **state) {
    (void)state;
    uint8_t *payload = make_payload(70000, 1);
    struct fastws_prepared *prepared;
    assert_int_equal(fastws_prepared_new(NULL, 2, payload, 70000, &prepared), 0);
    for (int kind = 0; kind < 4; kind++) {
        struct end end;
        end_prepare(&end, CLIENT);
        end_open(&end);
        if (kind == 0) assert_int_equal(fastws_conn_send(end.conn, 2, payload, 70000), 0);
        if (kind == 1) assert_int_equal(fastws_conn_send_prepared(end.conn, prepared), 0);
        if (kind >= 2) assert_int_equal(fastws_conn_begin(end.conn, 2), 0);
        if (kind == 2) assert_int_equal(fastws_conn_write(end.conn, payload, 70000), 0);
        if (kind == 3) fastws_conn_set_fragment_len(end.conn, 0);
        if (kind == 3) assert_int_equal(fastws_conn_write(end.conn, payload, 70000), 0);
        if (kind == 3) assert_int_equal(fastws_conn_finish(end.conn), 0);
        assert_int_equal(fastws_conn_is_writable(end.conn), 0);
        end_drain(&end, SIZE_MAX);
        assert_int_equal(fastws_conn_is_writable(end.conn), 1);
        end_close(&end);
    }
    fastws_prepared_release(prepared);
    free(payload);
}

static void without_a_high_mark_it_is_always_writable(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.config.queue_high = end.config.queue_low = 0;
    end_open(&end);
    uint8_t *payload = make_payload(200000, 1);
    assert_int_equal(fastws_conn_send(end.conn, 2, payload, 200000), 0);
    assert_int_equal(fastws_conn_is_writable(end.conn), 1);
    free(payload);
    end_close(&end);
}

/* ---- Round-trip time ---- */

static void measures_the_way_of_its_own_pings(void **state) {
    (void)state;
    const uint8_t first[] = {'f', 'w', 's', 0, 0, 0, 0, 1}, second[] = {'f', 'w', 's', 0, 0, 0, 0, 2};
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    assert_true(fastws_conn_rtt_us(end.conn) == UINT64_MAX);
    end_receive_frame(&end, 0x8a, first, 8); /* nobody asked */
    assert_true(fastws_conn_rtt_us(end.conn) == UINT64_MAX);
    fastws_pool_set_now(end.pool, 20000123);
    assert_int_equal(fastws_conn_on_time(end.conn, 20000), 1);
    fastws_pool_set_now(end.pool, 20005124);
    end_receive_frame(&end, 0x8a, "", 0);
    end_receive_frame(&end, 0x8a, "fws\0\0\0\0\x02", 8);
    end_receive_frame(&end, 0x8a, "fws\0\0\0\0\x01+", 9);
    assert_true(fastws_conn_rtt_us(end.conn) == UINT64_MAX);
    end_receive_frame(&end, 0x8a, first, 8);
    assert_int_equal(fastws_conn_rtt_us(end.conn), 5001);
    fastws_pool_set_now(end.pool, 20009000);
    end_receive_frame(&end, 0x8a, first, 8); /* once more */
    assert_int_equal(fastws_conn_rtt_us(end.conn), 5001);
    fastws_pool_set_now(end.pool, 50000000);
    assert_int_equal(fastws_conn_on_time(end.conn, 50000), 1);
    fastws_pool_set_now(end.pool, 50000700);
    end_receive_frame(&end, 0x8a, first, 8); /* late, of the ping before */
    assert_int_equal(fastws_conn_rtt_us(end.conn), 5001);
    end_receive_frame(&end, 0x8a, second, 8);
    assert_int_equal(fastws_conn_rtt_us(end.conn), 700);
    end_close(&end);
}

/* The ping used to be dated by a clock that nobody had set. */
static void a_clock_that_only_on_time_tells_measures_round_trips_too(void **state) {
    (void)state;
    const uint8_t pong[] = {'f', 'w', 's', 0, 0, 0, 0, 1};
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    assert_int_equal(fastws_conn_on_time(end.conn, 20000), 1);
    assert_int_equal(fastws_conn_on_time(end.conn, 20007), 0);
    end_receive_frame(&end, 0x8a, pong, sizeof pong);
    assert_int_equal(fastws_conn_rtt_us(end.conn), 7000);
    assert_int_equal(fastws_conn_deadline_ms(end.conn), 40007); /* the pong was a sign of life, then */
    end_close(&end);
}

/* And one that on_time() is ahead of, by less than a batch, counts from there. */
static void a_ping_is_dated_by_the_later_of_two_times(void **state) {
    (void)state;
    const uint8_t pong[] = {'f', 'w', 's', 0, 0, 0, 0, 1};
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    fastws_pool_set_now(end.pool, 1000);
    assert_int_equal(fastws_conn_on_time(end.conn, 20000), 1);
    fastws_pool_set_now(end.pool, 20000 * 1000 + 250);
    end_receive_frame(&end, 0x8a, pong, sizeof pong);
    assert_int_equal(fastws_conn_rtt_us(end.conn), 250);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_message_changes_hands_without_a_copy),
        cmocka_unit_test(a_small_payload_is_copied),
        cmocka_unit_test(what_was_taken_outlives_the_connection),
        cmocka_unit_test(a_block_that_cannot_shrink_is_taken_as_it_is),
        cmocka_unit_test(reset_in_the_middle_of_everything_is_like_new),
        cmocka_unit_test(reset_clears_errors_and_changes_settings),
        cmocka_unit_test(an_idle_connection_is_192_bytes_and_no_more),
        cmocka_unit_test(is_writable_until_the_high_mark_and_from_the_low_mark_on),
        cmocka_unit_test(a_message_longer_than_the_write_buffer_is_listed_by_itself),
        cmocka_unit_test(other_marks_judge_what_is_queued),
        cmocka_unit_test(another_limit_of_replies_ends_a_flood),
        cmocka_unit_test(every_kind_of_send_counts_for_the_marks),
        cmocka_unit_test(without_a_high_mark_it_is_always_writable),
        cmocka_unit_test(measures_the_way_of_its_own_pings),
        cmocka_unit_test(a_clock_that_only_on_time_tells_measures_round_trips_too),
        cmocka_unit_test(a_ping_is_dated_by_the_later_of_two_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
