/* SPDX-License-Identifier: MIT */
/* Memory: none for messages that fit a slab, none for idle connections, never more than was received, never lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

#include "support.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

static const enum fastws_role roles[] = {SERVER, CLIENT};
static const size_t slab_lens[] = {4096, 65536};

static struct fastws_pool_stats stats_of(const struct end *end) {
    struct fastws_pool_stats stats;
    fastws_pool_get_stats(end->pool, &stats);
    return stats;
}

static uint8_t *make_payload(size_t len) {
    uint8_t *payload = malloc(len);
    assert_non_null(payload);
    memset(payload, 'x', len);
    return payload;
}

/* ---- Messages that fit a slab ---- */

/* Receives in steps; every message goes back to its sender before the next batch. */
static void echo(struct end *end, const struct bytes *wire, size_t step) {
    for (size_t off = 0; off < wire->len;) {
        void *ptr;
        size_t cap, len = wire->len - off < step ? wire->len - off : step;
        struct fastws_event event;
        if (end->input == INPUT_SPACE) {
            assert_int_equal(fastws_conn_space(end->conn, &ptr, &cap), 0);
            if (cap < len) len = cap;
            memcpy(ptr, wire->ptr + off, len);
            assert_int_equal(fastws_conn_filled(end->conn, len), 0);
        } else {
            assert_int_equal(fastws_conn_feed(end->conn, wire->ptr + off, len), 0);
        }
        while ((end->last = fastws_conn_next(end->conn, &event, 1)) > 0) {
            assert_int_equal(event.kind, FASTWS_EVENT_MESSAGE);
            assert_int_equal(fastws_conn_send(end->conn, event.opcode, event.ptr, (size_t)event.len), 0);
            end_drain(end, SIZE_MAX);
            end->sent.len = 0;
        }
        assert_int_equal(end->last, 0);
        off += len;
    }
}

static void ask_for_nothing(struct end *end) {
    void *ptr;
    size_t cap;
    assert_int_equal(fastws_conn_space(end->conn, &ptr, &cap), 0);
    assert_int_equal(stats_of(end).slabs_lent, 1);
    assert_int_equal(fastws_conn_filled(end->conn, 0), 0);
}

/* The slab used to stay until the next fastws_conn_next(). */
static void a_receive_that_brought_nothing_leaves_no_slab(void **state) {
    (void)state;
    for (unsigned delivery = 0; delivery <= FASTWS_DELIVER_STREAM; delivery++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.config.delivery = (uint8_t)delivery;
        end_open(&end);
        struct bytes wire = {0};
        put_text(&wire, SERVER, "hello");
        ask_for_nothing(&end);
        assert_int_equal(stats_of(&end).slabs_lent, 0);
        end_receive(&end, wire.ptr, wire.len);
        ask_for_nothing(&end);
        assert_int_equal(stats_of(&end).slabs_lent, 0);
        end_receive(&end, wire.ptr, 8); /* a part, which stays */
        size_t part = stats_of(&end).slabs_lent;
        ask_for_nothing(&end);
        assert_int_equal(stats_of(&end).slabs_lent, part);
        end_receive(&end, wire.ptr + 8, wire.len - 8);
        assert_int_equal(stats_of(&end).slabs_lent, 0);
        assert_int_equal(end.last, 0);
        bytes_free(&wire);
        end_close(&end);
    }
}

/* Nothing is lost of what was received before it, nor is a view of it. */
static void a_receive_that_brought_nothing_takes_nothing_away(void **state) {
    (void)state;
    struct fastws_event events[2];
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    struct bytes wire = {0};
    put_text(&wire, SERVER, "hello");
    void *ptr;
    size_t cap;
    for (int is_read = 0; is_read < 2; is_read++) { /* the second time through a reader */
        assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
        if (is_read) assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
        memcpy(ptr, wire.ptr, wire.len);
        assert_int_equal(fastws_conn_filled(end.conn, wire.len), 0);
        assert_int_equal(fastws_conn_filled(end.conn, 0), 0);
        assert_int_equal(fastws_conn_next(end.conn, events, 2), 1);
        assert_int_equal(fastws_conn_filled(end.conn, 0), 0);
        assert_memory_equal(events[0].ptr, "hello", 5);
        assert_int_equal(stats_of(&end).slabs_lent, 1); /* with the view in it */
        assert_int_equal(fastws_conn_next(end.conn, events, 2), 0);
        assert_int_equal(stats_of(&end).slabs_lent, 0);
    }
    bytes_free(&wire);
    end_close(&end);
}

static void put_fragmented(struct bytes *wire, enum fastws_role role, const uint8_t *payload, size_t len) {
    put_frame(wire, role, 0x02, payload, len / 3);
    for (int i = 0; i < 5; i++)
        put_frame(wire, role, 0x00, payload, len / 9);
    put_frame(wire, role, 0x80, payload, len - len / 3 - len / 9 * 5);
}

/* Echoes messages of len bytes: whatever the first three took is enough for all others. */
static void expect_no_allocation(enum fastws_role role, enum input input, size_t len, int is_fragmented, size_t step) {
    struct end end;
    end_prepare(&end, role);
    end.input = input;
    end_open(&end);
    uint8_t *payload = make_payload(len + 1);
    uint64_t calls = 0;
    for (int i = 0; i < 6; i++) {
        struct bytes wire = {0};
        for (int k = 0; k < 3; k++) {
            if (is_fragmented) put_fragmented(&wire, role, payload, len);
            if (!is_fragmented) put_frame(&wire, role, 0x81, payload, len);
        }
        echo(&end, &wire, step);
        if (i == 0) calls = end.memory.calls;
        assert_int_equal(end.memory.calls, calls);
        assert_int_equal(stats_of(&end).slabs_lent, 0);
        bytes_free(&wire);
    }
    free(payload);
    end_close(&end);
}

static void an_echo_of_messages_that_fit_a_slab_allocates_once(void **state) {
    (void)state;
    const size_t lengths[] = {0, 1, 125, 1000, 4095, 4096, 20000, 60000, 65300};
    const size_t steps[] = {SIZE_MAX, 65536, 1460, 100};
    for (size_t role = 0; role < 2; role++)
        for (int input = 0; input < INPUTS; input++)
            for (size_t i = 0; i < COUNT_OF(lengths); i++)
                for (size_t step = 0; step < COUNT_OF(steps); step++) {
                    expect_no_allocation(roles[role], (enum input)input, lengths[i], 0, steps[step]);
                    expect_no_allocation(roles[role], (enum input)input, lengths[i], 1, steps[step]);
                }
}

static void a_message_of_exactly_a_slab_allocates_no_block(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        expect_no_allocation(roles[role], INPUT_SPACE, 65536, 0, 65536);
        expect_no_allocation(roles[role], INPUT_SPACE, 65536, 0, 999);
        expect_no_allocation(roles[role], INPUT_FEED, 65536, 0, 999);
    }
}

static void a_thousand_connections_in_sequence_use_one_slab(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        end_prepare(&end, roles[role]);
        end_open(&end);
        for (int i = 0; i < 1000; i++) {
            fastws_conn_free(end.conn);
            assert_int_equal(fastws_conn_new(&end.config, end.pool, &end.conn), 0);
            struct bytes wire = {0};
            put_text(&wire, roles[role], "hello");
            end_receive(&end, wire.ptr, wire.len);
            end_receive(&end, wire.ptr, (size_t)i % wire.len); /* and leaves in the middle of something */
            bytes_free(&wire);
        }
        assert_int_equal(end.log.count, 1000);
        assert_int_equal(stats_of(&end).slabs_made, 1);
        end_close(&end);
    }
}

/* A slab is held only while something is incomplete. */
static void an_idle_connection_holds_no_slab(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    struct bytes wire = {0};
    put_text(&wire, SERVER, "hello");
    for (size_t cut = 0; cut <= wire.len; cut++) {
        end_receive(&end, wire.ptr, cut);
        assert_int_equal(stats_of(&end).slabs_lent, cut != 0 && cut != wire.len && cut != 6);
        end_receive(&end, wire.ptr + cut, wire.len - cut);
        assert_int_equal(stats_of(&end).slabs_lent, 0);
    }
    void *ptr;
    size_t cap;
    assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
    assert_int_equal(stats_of(&end).slabs_lent, 1);
    end_take_events(&end); /* nothing came after all */
    assert_int_equal(stats_of(&end).slabs_lent, 0);
    bytes_free(&wire);
    end_close(&end);
}

/* ---- Messages that do not ---- */

static void a_declared_length_allocates_nothing(void **state) {
    (void)state;
    const char header[] = "\x82\xff\x00\x00\x01\x00\x00\x00\x00\x00\x01\x02\x03\x04"; /* binary, 2^40 bytes, masked */
    for (int input = 0; input < INPUTS; input++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.config.limits = (struct fastws_limits){0};
        end.input = (enum input)input;
        end_open(&end);
        size_t fixed = end.memory.live;
        end_receive(&end, header, 14);
        assert_int_equal(end.last, 0);
        void *ptr;
        size_t cap;
        assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
        assert_true(cap >= 1);
        size_t around = 512; /* two slabs are aligned, have a head, and may be read beyond their ends */
        assert_true(end.memory.live - fixed <= 2 * 14 + 65536 + 65536 + around);
        end_close(&end);
    }
}

/* Receives one message step by step, and holds at every moment what has come against what is allocated. */
static void expect_ceiling(size_t slab_len, enum input input, const struct bytes *wire, size_t step) {
    struct end end;
    end_prepare(&end, SERVER);
    end.pool_config.slab_len = slab_len;
    end.input = input;
    end_open(&end);
    size_t fixed = end.memory.live + slab_len + 256;
    for (size_t off = 0; off < wire->len;) {
        void *ptr;
        size_t cap, len = wire->len - off < step ? wire->len - off : step;
        if (input == INPUT_SPACE) {
            assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
            if (cap < len) len = cap;
        }
        assert_true(end.memory.live <= fixed + 2 * off + 65536);
        end_receive(&end, wire->ptr + off, len);
        off += len;
        assert_true(end.memory.live <= fixed + 2 * off + 65536);
        assert_true(end.memory.peak <= fixed + 2 * off + 65536);
    }
    assert_int_equal(end.log.count, 1);
    end_close(&end);
}

static void memory_grows_with_what_was_received(void **state) {
    (void)state;
    const size_t steps[] = {SIZE_MAX, 65536, 5000, 700};
    uint8_t *payload = make_payload(3000000);
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        for (size_t slab = 0; slab < 2; slab++)
            for (int input = 0; input < INPUTS; input++) {
                struct bytes whole = {0}, fragments = {0};
                put_frame(&whole, SERVER, 0x81, payload, 3000000);
                put_fragmented(&fragments, SERVER, payload, 1000000);
                expect_ceiling(slab_lens[slab], (enum input)input, &whole, steps[i]);
                expect_ceiling(slab_lens[slab], (enum input)input, &fragments, steps[i]);
                bytes_free(&whole);
                bytes_free(&fragments);
            }
    free(payload);
}

/* Used to grow the block by one fragment at a time: a copy of the message for every 64 bytes of it. */
static void many_small_fragments_grow_a_block_by_doubling(void **state) {
    (void)state;
    for (size_t slab = 0; slab < 2; slab++) {
        struct bytes wire = {0};
        uint8_t *payload = make_payload(1 << 20);
        for (size_t off = 0; off < 1 << 20; off += 64)
            put_frame(&wire, SERVER, off == 0 ? 0x02 : off + 64 == 1 << 20 ? 0x80 : 0x00, payload, 64);
        expect_ceiling(slab_lens[slab], INPUT_SPACE, &wire, 10000);
        struct end end;
        end_prepare(&end, SERVER);
        end.pool_config.slab_len = slab_lens[slab];
        end_open(&end);
        uint64_t calls = end.memory.calls;
        end_receive(&end, wire.ptr, wire.len);
        assert_int_equal(end.log.count, 1);
        assert_true(end.memory.calls - calls <= 8);
        bytes_free(&wire);
        free(payload);
        end_close(&end);
    }
}

static void the_block_of_a_large_message_goes_with_its_view(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    struct bytes wire = {0};
    uint8_t *payload = make_payload(1000000);
    put_frame(&wire, SERVER, 0x82, payload, 1000000);
    size_t fixed = end.memory.live, cap;
    void *ptr;
    end_receive(&end, wire.ptr, 65536);
    assert_int_equal(stats_of(&end).slabs_lent, 1);
    assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
    assert_int_equal(stats_of(&end).slabs_lent, 0); /* the rest is received where it stays */
    end_receive(&end, wire.ptr + 65536, wire.len - 65536);
    assert_int_equal(end.log.count, 1);
    assert_true(end.memory.live <= fixed + 65536 + 512); /* the slab, which the pool keeps */
    bytes_free(&wire);
    free(payload);
    end_close(&end);
}

/* ---- Without memory ---- */

/* Everything that allocates, in both directions. Sends that fail are left out; what was sent is noted in expected. */
static void live_on_little(struct end *end, const struct bytes *wire, const uint8_t *payload, struct bytes *expected) {
    static const size_t lengths[] = {10, 5000, 30000, 3000, 3000, 3000, 3000, 3000, 3000, 70000, 700};
    size_t off = 0;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        size_t stop = (i + 1) * (wire->len / COUNT_OF(lengths) + 1);
        end->input = (enum input)(i % INPUTS);
        for (int k = 0; k < 2 && end->last >= 0; k++) /* without memory for a slab nothing is taken: try again */
            off += end_receive(end, wire->ptr + off, (stop < wire->len ? stop : wire->len) - off);
        int error = fastws_conn_send(end->conn, 2, payload, lengths[i]);
        if (error == 0) put_frame(expected, CLIENT, 0x82, payload, lengths[i]);
        if (error != 0 && error != FASTWS_ERR_NOMEM) assert_int_equal(error, end->last);
        if (i % 4 != 3) continue;
        struct fastws_iovec piece;
        for (int k = 0; k < 3 && (error = fastws_conn_pending(end->conn, &piece, 1)) != 0; k++) {
            if (error < 0) assert_int_equal(error, FASTWS_ERR_NOMEM);
            if (error < 0) continue;
            bytes_put(&end->sent, piece.base, piece.len);
            assert_int_equal(fastws_conn_sent(end->conn, piece.len), 0);
        }
        error = fastws_conn_own(end->conn);
        assert_true(error == 0 || error == FASTWS_ERR_NOMEM);
    }
}

/* Expects the messages that were sent, between the control frames that the connection sent by itself. */
static void expect_messages(struct end *end, const struct bytes *expected) {
    struct bytes seen = {0};
    for (size_t off = 0; off < end->sent.len;) {
        struct frame frame = take_frame(&end->sent, &off, (enum fastws_role)end->config.role);
        if ((frame.first & 15) < 8) put_frame(&seen, CLIENT, frame.first, frame.payload, frame.len);
    }
    assert_int_equal(seen.len, expected->len);
    assert_memory_equal(seen.ptr, expected->ptr, seen.len);
    bytes_free(&seen);
}

/* Fails allocation fail_at, and all after it if is_on. Returns 0 once there are not as many. */
static int run_out(enum fastws_role role, const struct bytes *wire, const uint8_t *payload, uint64_t fail_at,
                   int is_on) {
    struct end end;
    struct bytes expected = {0};
    end_prepare(&end, role);
    end.pool_config.slab_len = 4096;
    end_open(&end);
    end.memory.calls = 0;
    end.memory.fail_at = fail_at;
    end.memory.fail_on = is_on;
    live_on_little(&end, wire, payload, &expected);
    int has_failed = end.memory.calls >= fail_at;
    end.memory.fail_at = 0;
    assert_true(end.last == 0 || end.last == FASTWS_ERR_NOMEM);
    if (!has_failed || (!is_on && end.last == 0)) assert_int_equal(end.log.count, 5);
    if (end.last == FASTWS_ERR_NOMEM) {
        struct fastws_event event;
        memcpy(&event, end.log.bytes.ptr + end.log.bytes.len - sizeof event, sizeof event);
        assert_int_equal(event.kind, FASTWS_EVENT_ERROR);
        assert_int_equal(event.error, FASTWS_ERR_NOMEM);
        assert_true(event.close_code == 1011 || event.close_code == 1006);
    }
    end_drain(&end, 4000);
    expect_messages(&end, &expected);
    bytes_free(&expected);
    end_close(&end);
    return has_failed;
}

static void survives_the_failure_of_every_allocation(void **state) {
    (void)state;
    uint8_t *payload = make_payload(200000);
    for (size_t role = 0; role < 2; role++) {
        struct bytes wire = {0};
        put_text(&wire, roles[role], "first");
        put_frame(&wire, roles[role], 0x82, payload, 150000);
        put_fragmented(&wire, roles[role], payload, 20000);
        put_frame(&wire, roles[role], 0x89, "ping", 4);
        put_text(&wire, roles[role], "last");
        uint64_t fail_at = 1;
        while (run_out(roles[role], &wire, payload, fail_at, 0) | run_out(roles[role], &wire, payload, fail_at, 1))
            fail_at++;
        assert_true(fail_at > 6); /* slab, blocks, the queue of what is owned */
        bytes_free(&wire);
    }
    free(payload);
}

static void a_connection_that_cannot_be_made_says_so(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    struct fastws_conn *conn = NULL;
    end.memory.fail_at = end.memory.calls + 1;
    assert_int_equal(fastws_conn_new(&end.config, end.pool, &conn), FASTWS_ERR_NOMEM);
    assert_null(conn);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_of_messages_that_fit_a_slab_allocates_once),
        cmocka_unit_test(a_message_of_exactly_a_slab_allocates_no_block),
        cmocka_unit_test(a_thousand_connections_in_sequence_use_one_slab),
        cmocka_unit_test(an_idle_connection_holds_no_slab),
        cmocka_unit_test(a_receive_that_brought_nothing_leaves_no_slab),
        cmocka_unit_test(a_receive_that_brought_nothing_takes_nothing_away),
        cmocka_unit_test(a_declared_length_allocates_nothing),
        cmocka_unit_test(memory_grows_with_what_was_received),
        cmocka_unit_test(many_small_fragments_grow_a_block_by_doubling),
        cmocka_unit_test(the_block_of_a_large_message_goes_with_its_view),
        cmocka_unit_test(survives_the_failure_of_every_allocation),
        cmocka_unit_test(a_connection_that_cannot_be_made_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
