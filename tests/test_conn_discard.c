/* SPDX-License-Identifier: MIT */
/* What a connection takes that it is not asked to hand out or to judge: messages that are discarded, headers left
 * unchecked; and where it says that something was refused. */
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
#define FIRST FASTWS_EVENT_FIRST
#define LAST FASTWS_EVENT_LAST
#define ASCII FASTWS_EVENT_ASCII

static const enum fastws_role roles[] = {SERVER, CLIENT};

static void open_delivering(struct end *end, enum fastws_role role, enum fastws_delivery delivery) {
    end_prepare(end, role);
    end->config.delivery = (uint8_t)delivery;
    end_open(end);
}

/* ---- Discarding ---- */

/* Takes events one by one, and discards the message whose first event says so by its payload. */
static void discards_the_rest_of_a_message_and_nothing_else(void **state) {
    (void)state;
    for (int delivery = 1; delivery < 3; delivery++) {
        struct bytes wire = {0};
        put_frame(&wire, SERVER, 0x01, "x drop me", 9);
        put_frame(&wire, SERVER, 0x00, "\xff\xff not looked at", 16);
        put_frame(&wire, SERVER, 0x89, "ping", 4);
        put_frame(&wire, SERVER, 0x80, "and me", 6);
        put_frame(&wire, SERVER, 0x82, "kept", 4);
        for (size_t step = 1; step <= wire.len; step++) {
            struct end end;
            open_delivering(&end, SERVER, (enum fastws_delivery)delivery);
            struct bytes kept = {0};
            int pings = 0, is_discarded = 0;
            for (size_t off = 0; off < wire.len; off += step) {
                size_t len = wire.len - off < step ? wire.len - off : step;
                struct fastws_event event;
                void *ptr;
                size_t cap;
                assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
                memcpy(ptr, wire.ptr + off, len);
                assert_int_equal(fastws_conn_filled(end.conn, len), 0);
                while (fastws_conn_next(end.conn, &event, 1) > 0) {
                    if (event.kind == FASTWS_EVENT_PING) pings++;
                    if (event.opcode == 2) bytes_put(&kept, event.ptr, (size_t)event.len);
                    if (event.opcode != 1) continue;
                    assert_int_equal(is_discarded, 0);
                    assert_int_equal(fastws_conn_discard(end.conn), 0);
                    is_discarded = 1;
                }
            }
            assert_int_equal(is_discarded, 1);
            assert_int_equal(pings, 1);
            assert_int_equal(kept.len, 4);
            assert_memory_equal(kept.ptr, "kept", 4);
            assert_int_equal(fastws_conn_discard(end.conn), FASTWS_ERR_STATE);
            bytes_free(&kept);
            end_close(&end);
        }
        bytes_free(&wire);
    }
}

/* A message that is gathered can be dropped before anything of it was handed out, also from a block. */
static void discards_what_was_gathered(void **state) {
    (void)state;
    const size_t len = 500000;
    uint8_t *payload = calloc(1, len);
    assert_non_null(payload);
    for (int input = 0; input < INPUTS; input++) {
        for (size_t cut = 1; cut < len; cut = cut * 3 + 7) {
            struct end end;
            end_prepare(&end, SERVER);
            end.input = (enum input)input;
            end_open(&end);
            size_t fixed = end.memory.live;
            struct bytes wire = {0};
            struct log expected = {0};
            put_frame(&wire, SERVER, 0x82, payload, len);
            put_text(&wire, SERVER, "kept");
            end_receive(&end, wire.ptr, 14 + cut);
            assert_int_equal(fastws_conn_discard(end.conn), 0);
            assert_true(end.memory.live <= fixed + 65536 + 512);
            end_receive_in_steps(&end, &(struct bytes){.ptr = wire.ptr + 14 + cut, .len = wire.len - 14 - cut}, 60000);
            log_message(&expected, 1, "kept", 4);
            assert_logs_equal(&end.log, &expected);
            bytes_free(&wire);
            log_free(&expected);
            end_close(&end);
        }
    }
    free(payload);
}

/* gobwas/ws reports nothing when a message that is discarded is cut off. */
static void an_end_inside_what_is_discarded_is_an_error(void **state) {
    (void)state;
    struct end end;
    open_delivering(&end, SERVER, FASTWS_DELIVER_STREAM);
    struct bytes wire = {0};
    put_frame(&wire, SERVER, 0x82, "0123456789", 10);
    end_receive(&end, wire.ptr, wire.len - 5);
    assert_int_equal(fastws_conn_discard(end.conn), 0);
    end_receive(&end, wire.ptr + wire.len - 5, 2);
    fastws_conn_eof(end.conn);
    end_take_events(&end);
    assert_int_equal(end.last, FASTWS_ERR_UNEXPECTED_EOF);
    assert_int_equal(fastws_conn_discard(end.conn), FASTWS_ERR_UNEXPECTED_EOF);
    bytes_free(&wire);
    end_close(&end);
}

static void what_is_discarded_meets_limits_and_rules(void **state) {
    (void)state;
    const struct frame bad[] = {{0x00, "0123456789012", 13}, {0x81, "new", 3}, {0x30, "rsv", 3}};
    const int errors[] = {FASTWS_ERR_MESSAGE_TOO_LARGE, FASTWS_ERR_CONTINUATION_EXPECTED, FASTWS_ERR_RSV};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.config.limits.max_message = 20;
        end_open(&end);
        end_receive_frame(&end, 0x01, "12345678", 8);
        assert_int_equal(fastws_conn_discard(end.conn), 0);
        end_receive_frame(&end, bad[i].first, bad[i].payload, bad[i].len);
        assert_int_equal(end.last, errors[i]);
        end_close(&end);
    }
}

static void there_must_be_a_message_to_discard(void **state) {
    (void)state;
    struct end end;
    open_delivering(&end, CLIENT, FASTWS_DELIVER_MESSAGES);
    assert_int_equal(fastws_conn_discard(end.conn), FASTWS_ERR_STATE);
    end_receive_frame(&end, 0x82, "whole", 5);
    assert_int_equal(fastws_conn_discard(end.conn), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_set_delivery(end.conn, 3), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_set_delivery(end.conn, -1), FASTWS_ERR_ARGUMENT);
    end_close(&end);
}

/* ---- Headers left unchecked ---- */

static void open_unchecked(struct end *end, enum fastws_role role) {
    end_prepare(end, role);
    end->config.is_header_checked = 0;
    end_open(end);
}

static void takes_frames_that_break_rules_when_told_to(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        open_unchecked(&end, roles[role]);
        enum fastws_role other = roles[role] == SERVER ? CLIENT : SERVER;
        struct log expected = {0};
        struct bytes wire = {0};
        put_frame(&wire, other, 0x81, "wrong mask", 10);
        put_frame(&wire, roles[role], 0xf1, "all bits", 8);
        put_frame(&wire, roles[role], 0x83, "opcode 3", 8);
        put_frame(&wire, roles[role], 0x8b, "opcode 11, longer than a control frame may be: "
                  "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789", 134);
        put_frame(&wire, roles[role], 0x80, "nothing to continue", 19);
        put_frame(&wire, roles[role], 0x01, "one, ", 5);
        put_frame(&wire, roles[role], 0x09, "not final", 9);
        put_frame(&wire, roles[role], 0x82, "two", 3);
        end_receive(&end, wire.ptr, wire.len);
        assert_int_equal(end.last, 0);
        assert_int_equal(end.log.count, 7);
        log_message(&expected, 1, "wrong mask", 10);
        struct fastws_event bits = {.ptr = (const uint8_t *)"all bits", .len = 8, .kind = FASTWS_EVENT_MESSAGE,
                                    .opcode = 1, .flags = FIRST | LAST | ASCII, .rsv = 7};
        log_event(&expected, &bits);
        log_message(&expected, 3, "opcode 3", 8);
        log_message(&expected, 11, "opcode 11, longer than a control frame may be: "
                    "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789", 134);
        log_message(&expected, 0, "nothing to continue", 19);
        log_control(&expected, FASTWS_EVENT_PING, "not final", 9);
        log_message(&expected, 1, "one, two", 8);
        assert_logs_equal(&end.log, &expected);
        log_free(&expected);
        bytes_free(&wire);
        end_close(&end);
    }
}

static void what_cannot_be_answered_is_refused_all_the_same(void **state) {
    (void)state;
    struct end end;
    open_unchecked(&end, SERVER);
    uint8_t payload[126] = {0};
    end_receive_frame(&end, 0x89, payload, sizeof payload);
    assert_int_equal(end.last, FASTWS_ERR_CONTROL_LEN);
    end_close(&end);
    /* text, masked; 16-bit length of 5, which is not its shortest form */
    const uint8_t long_form[] = {0x81, 0xfe, 0, 5, 1, 2, 3, 4};
    open_unchecked(&end, SERVER);
    end_receive(&end, long_form, sizeof long_form);
    assert_int_equal(end.last, FASTWS_ERR_LEN_FORM);
    end_close(&end);
    open_unchecked(&end, SERVER);
    end_receive_frame(&end, 0x81, "\xff", 1);
    assert_int_equal(end.last, FASTWS_ERR_UTF8);
    end_close(&end);
}

/* ---- Offsets ---- */

static void an_error_names_the_frame_that_was_refused(void **state) {
    (void)state;
    const struct frame bad[] = {
        {0x83, "", 0}, {0xc1, "x", 1}, {0x80, "x", 1}, {0x88, "\x03", 1}, {0x88, "\x03\xec", 2}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        for (size_t step = 1; step < 40; step++) {
            struct end end;
            open_delivering(&end, SERVER, FASTWS_DELIVER_MESSAGES);
            struct bytes wire = {0};
            put_text(&wire, SERVER, "fine");
            size_t off = wire.len;
            put_frame(&wire, SERVER, bad[i].first, bad[i].payload, bad[i].len);
            put_text(&wire, SERVER, "not seen");
            end_receive_in_steps(&end, &wire, step);
            assert_true(end.last < 0);
            assert_int_equal(fastws_conn_offset(end.conn), off);
            bytes_free(&wire);
            end_close(&end);
        }
    }
}

static void the_offset_counts_what_was_taken_apart(void **state) {
    (void)state;
    for (int input = 0; input < INPUTS; input++) {
        struct end end;
        end_prepare(&end, CLIENT);
        end.input = (enum input)input;
        end_open(&end);
        struct bytes wire = {0};
        put_text(&wire, CLIENT, "hello");
        assert_int_equal(fastws_conn_offset(end.conn), 0);
        end_receive(&end, wire.ptr, 1);
        assert_int_equal(fastws_conn_offset(end.conn), 0);
        end_receive(&end, wire.ptr + 1, 3);
        assert_int_equal(fastws_conn_offset(end.conn), 4);
        end_receive(&end, wire.ptr + 4, 3);
        assert_int_equal(fastws_conn_offset(end.conn), 7);
        bytes_free(&wire);
        end_close(&end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(discards_the_rest_of_a_message_and_nothing_else),
        cmocka_unit_test(discards_what_was_gathered),
        cmocka_unit_test(an_end_inside_what_is_discarded_is_an_error),
        cmocka_unit_test(what_is_discarded_meets_limits_and_rules),
        cmocka_unit_test(there_must_be_a_message_to_discard),
        cmocka_unit_test(takes_frames_that_break_rules_when_told_to),
        cmocka_unit_test(what_cannot_be_answered_is_refused_all_the_same),
        cmocka_unit_test(an_error_names_the_frame_that_was_refused),
        cmocka_unit_test(the_offset_counts_what_was_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
