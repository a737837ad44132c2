/* SPDX-License-Identifier: MIT */
/* Where bytes are received: nothing outside of it is touched, views last for their batch, both inputs may alternate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/cpu.h>
#include <fastws/error.h>

#include "kernels/guard.h"
#include "model.h"
#include "support.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const enum fastws_role roles[] = {FASTWS_ROLE_SERVER, FASTWS_ROLE_CLIENT};

/* ---- Bounds ---- */

/* Feeds the wire in two pieces that end right before a guard page, or begin right after one. */
static void feed_at_guards(struct end *end, const struct bytes *wire, size_t cut, int is_at_end) {
    const size_t starts[] = {0, cut, wire->len};
    for (int i = 0; i < 2; i++) {
        size_t len = starts[i + 1] - starts[i];
        if (len == 0) continue;
        uint8_t *buf = is_at_end ? guard_alloc_end(len) : guard_alloc_start(len);
        memcpy(buf, wire->ptr + starts[i], len);
        assert_int_equal(fastws_conn_feed(end->conn, buf, len), 0);
        end_take_events(end);
        guard_free(buf, len);
    }
}

static void expect_between_guards(enum fastws_role role, const struct frame *frames, int count) {
    struct bytes wire = {0};
    struct log expected = {0};
    for (int i = 0; i < count; i++)
        put_frame(&wire, role, frames[i].first, frames[i].payload, frames[i].len);
    model_run(&expected, frames, count);
    for (size_t cut = 0; cut <= wire.len; cut++)
        for (int is_at_end = 0; is_at_end < 2; is_at_end++) {
            struct end end;
            end_prepare(&end, role);
            end_open(&end);
            feed_at_guards(&end, &wire, cut, is_at_end);
            assert_logs_equal(&end.log, &expected);
            end_close(&end);
        }
    bytes_free(&wire);
    log_free(&expected);
}

static void touches_nothing_outside_of_what_it_is_fed(void **state) {
    (void)state;
    uint8_t payload[200];
    memset(payload, 'x', sizeof payload);
    const struct frame frames[] = {{0x81, payload, 3}, {0x01, payload, 130}, {0x89, payload, 9}, {0x80, payload, 33},
                                   {0x82, payload, 0}, {0x82, payload, 17},  {0x81, payload, 126}};
    const char *names[16], *before = fastws_cpu_isa();
    int rows = fastws_cpu_isas(names, 16);
    for (int row = 0; row < rows; row++) {
        assert_int_equal(fastws_cpu_select(names[row]), 0);
        for (size_t role = 0; role < 2; role++)
            expect_between_guards(roles[role], frames, (int)COUNT_OF(frames));
    }
    assert_int_equal(fastws_cpu_select(before), 0);
}

static void says_when_a_buffer_is_not_walked_to_its_end(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, FASTWS_ROLE_CLIENT);
    end_open(&end);
    uint8_t two[] = {0x81, 1, 'a', 0x81, 1, 'b'}, more[] = {0x81, 0};
    struct fastws_event event;
    void *ptr;
    size_t cap;
    assert_int_equal(fastws_conn_feed(end.conn, NULL, 0), 0);
    assert_int_equal(fastws_conn_feed(end.conn, two, sizeof two), 0);
    assert_int_equal(fastws_conn_feed(end.conn, more, sizeof more), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(fastws_conn_feed(end.conn, more, sizeof more), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(event.ptr[0], 'b');
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 0);
    assert_int_equal(fastws_conn_feed(end.conn, more, sizeof more), 0);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(event.len, 0);
    end_close(&end);
}

static void refuses_more_than_there_was_space_for(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, FASTWS_ROLE_SERVER);
    end_open(&end);
    void *ptr;
    size_t cap;
    assert_int_equal(fastws_conn_filled(end.conn, 1), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
    assert_int_equal(cap, 65536);
    assert_int_equal(fastws_conn_filled(end.conn, cap + 1), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_filled(end.conn, 0), 0);
    end_take_events(&end);
    assert_int_equal(end.last, 0);
    uint64_t calls = end.memory.calls;
    end_receive(&end, "\x82\xff\0\0\0\0\0\1\0\0key!", 14); /* binary of 65536 and no payload yet: it fits */
    assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
    assert_int_equal(cap, 65536);
    assert_int_equal(end.memory.calls, calls + 1); /* what an incomplete message needs but the slab */
    assert_int_equal(fastws_conn_filled(end.conn, cap + 1), FASTWS_ERR_ARGUMENT);
    end_close(&end);
}

/* A block that grows by doubling may be longer than the fragment that is received into it. */
static void receives_into_a_block_no_more_than_its_frame(void **state) {
    (void)state;
    static uint8_t payload[300000];
    struct end end;
    struct bytes wire = {0};
    void *ptr;
    size_t cap;
    end_prepare(&end, FASTWS_ROLE_SERVER);
    end_open(&end);
    put_frame(&wire, FASTWS_ROLE_SERVER, 0x02, payload, sizeof payload);
    end_receive(&end, wire.ptr, wire.len - 20000);
    assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
    assert_int_equal(cap, 20000);
    assert_int_equal(fastws_conn_filled(end.conn, 20001), FASTWS_ERR_ARGUMENT);
    bytes_free(&wire);
    end_close(&end);
}

/* ---- Views, and inputs in turn ---- */

/* Used to be overwritten: bytes that were received stood before what was fed, and the beginning of a frame among them
 * was moved to the start of the slab, over messages of the same batch. */
static void keeps_the_views_of_a_batch_that_spans_both_inputs(void **state) {
    (void)state;
    for (size_t head_len = 1; head_len < 14; head_len++) {
        struct end end;
        end_prepare(&end, FASTWS_ROLE_SERVER);
        end.pool_config.slab_len = 4096;
        end_open(&end);
        static uint8_t payload[2000];
        struct bytes wire = {0};
        for (uint32_t i = 0; i < 3; i++) {
            fill_pattern(payload, sizeof payload, i);
            put_frame(&wire, FASTWS_ROLE_SERVER, 0x82, payload, i == 0 ? 2000 : 1900);
            log_message(&end.log, 2, payload, i == 0 ? 2000 : 1900);
        }
        struct log expected = end.log;
        end.log = (struct log){0};
        void *ptr;
        size_t cap, received = 2008 + 1908 + head_len;
        assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
        assert_true(cap >= received);
        memcpy(ptr, wire.ptr, received);
        assert_int_equal(fastws_conn_filled(end.conn, received), 0);
        assert_int_equal(fastws_conn_feed(end.conn, wire.ptr + received, wire.len - received), 0);
        end_take_events(&end);
        assert_logs_equal(&end.log, &expected);
        log_free(&expected);
        bytes_free(&wire);
        end_close(&end);
    }
}

/* Used to write past the slab: a message that began in its middle was continued from a fed buffer. */
static void continues_a_message_from_the_middle_of_a_slab_in_a_fed_buffer(void **state) {
    (void)state;
    static uint8_t payload[4090];
    fill_pattern(payload, sizeof payload, 9);
    for (size_t cut = 1; cut < 600; cut += 13) {
        struct end end;
        end_prepare(&end, FASTWS_ROLE_SERVER);
        end.pool_config.slab_len = 4096;
        end_open(&end);
        struct bytes wire = {0};
        struct log expected = {0};
        const struct frame frames[] = {{0x82, payload, 3000}, {0x82, payload, sizeof payload}, {0x81, "end", 3}};
        for (size_t i = 0; i < COUNT_OF(frames); i++)
            put_frame(&wire, FASTWS_ROLE_SERVER, frames[i].first, frames[i].payload, frames[i].len);
        model_run(&expected, frames, (int)COUNT_OF(frames));
        end_receive(&end, wire.ptr, 3008 + cut);
        end.input = INPUT_FEED;
        end_receive(&end, wire.ptr + 3008 + cut, wire.len - 3008 - cut);
        assert_logs_equal(&end.log, &expected);
        log_free(&expected);
        bytes_free(&wire);
        end_close(&end);
    }
}

/* A fragment fills the slab up to its edge; what comes behind it is cut inside a ping, for which no room is left. */
static void gathers_a_control_frame_behind_a_full_slab(void **state) {
    (void)state;
    static uint8_t payload[4200];
    fill_pattern(payload, sizeof payload, 11);
    for (size_t len = 3940; len < 4100; len += 3)
        for (size_t part = 1; part < 131; part += 9)
            for (int input = 0; input < INPUTS; input++) {
                struct end end;
                struct bytes wire = {0};
                struct log expected = {0};
                end_prepare(&end, FASTWS_ROLE_SERVER);
                end.pool_config.slab_len = 4096;
                end.input = (enum input)input;
                end_open(&end);
                const struct frame frames[] = {{0x02, payload, len}, {0x89, payload, 125}, {0x80, payload, 50}};
                for (size_t i = 0; i < COUNT_OF(frames); i++)
                    put_frame(&wire, FASTWS_ROLE_SERVER, frames[i].first, frames[i].payload, frames[i].len);
                model_run(&expected, frames, (int)COUNT_OF(frames));
                const size_t starts[] = {0, 8 + len - 10, 8 + len + part, wire.len};
                for (size_t i = 0; i < 3; i++)
                    end_receive(&end, wire.ptr + starts[i], starts[i + 1] - starts[i]);
                assert_logs_equal(&end.log, &expected);
                log_free(&expected);
                bytes_free(&wire);
                end_close(&end);
            }
}

/* Used to drop what had been received straight into the block of a large message. */
static void receives_twice_before_it_is_asked_for_events(void **state) {
    (void)state;
    const size_t lens[] = {10, 5000, 70000, 200000};
    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        struct end end;
        end_prepare(&end, FASTWS_ROLE_SERVER);
        end_open(&end);
        uint8_t *payload = malloc(lens[i]);
        assert_non_null(payload);
        fill_pattern(payload, lens[i], 3);
        struct bytes wire = {0};
        struct log expected = {0};
        put_frame(&wire, FASTWS_ROLE_SERVER, 0x82, payload, lens[i]);
        log_message(&expected, 2, payload, lens[i]);
        for (size_t off = 0; off < wire.len;) {
            void *ptr;
            size_t cap;
            int error = fastws_conn_space(end.conn, &ptr, &cap);
            if (error == FASTWS_ERR_STATE) {
                end_take_events(&end); /* no room is left before what is there has been walked */
                continue;
            }
            assert_int_equal(error, 0);
            assert_true(cap > 0);
            size_t len = wire.len - off < 700 ? wire.len - off : 700;
            if (len > cap) len = cap;
            memcpy(ptr, wire.ptr + off, len);
            assert_int_equal(fastws_conn_filled(end.conn, len), 0);
            off += len;
            if (off % 5 == 0) end_take_events(&end);
        }
        end_take_events(&end);
        assert_logs_equal(&end.log, &expected);
        log_free(&expected);
        bytes_free(&wire);
        free(payload);
        end_close(&end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(touches_nothing_outside_of_what_it_is_fed),
        cmocka_unit_test(says_when_a_buffer_is_not_walked_to_its_end),
        cmocka_unit_test(refuses_more_than_there_was_space_for),
        cmocka_unit_test(receives_into_a_block_no_more_than_its_frame),
        cmocka_unit_test(keeps_the_views_of_a_batch_that_spans_both_inputs),
        cmocka_unit_test(continues_a_message_from_the_middle_of_a_slab_in_a_fed_buffer),
        cmocka_unit_test(gathers_a_control_frame_behind_a_full_slab),
        cmocka_unit_test(receives_twice_before_it_is_asked_for_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
