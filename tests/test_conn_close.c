/* SPDX-License-Identifier: MIT */
/* The close handshake in every order, and what may and may not be in a close frame. RFC 6455 7.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/error.h>

#include "support.h"

#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

static const enum fastws_role roles[] = {SERVER, CLIENT};

static void open_as(struct end *end, enum fastws_role role) {
    end_prepare(end, role);
    end_open(end);
}

static void expect_close_event(struct end *end, uint16_t code, const char *reason) {
    struct log expected = {0};
    log_close(&expected, code, reason, strlen(reason));
    assert_logs_equal(&end->log, &expected);
    log_free(&expected);
    assert_int_equal(end->last, FASTWS_ERR_CLOSED);
    assert_int_equal(fastws_conn_get_state(end->conn), FASTWS_CONN_CLOSED);
    assert_int_equal(fastws_conn_close_received(end->conn), code);
}

static void expect_sends_refused(struct end *end, int error) {
    assert_int_equal(fastws_conn_send(end->conn, 1, "x", 1), error);
    assert_int_equal(fastws_conn_ping(end->conn, NULL, 0), error);
    assert_int_equal(fastws_conn_pong(end->conn, NULL, 0), error);
    assert_int_equal(fastws_conn_close(end->conn, 1000, NULL, 0), error);
}

/* ---- In every order ---- */

static void the_peer_closes_first(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        open_as(&end, roles[role]);
        assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_OPEN);
        end_receive_frame(&end, 0x88, "\x03\xe9" "going", 7); /* 1001 */
        expect_close_event(&end, 1001, "going");
        expect_sends_refused(&end, FASTWS_ERR_CLOSED);
        assert_int_equal(fastws_conn_close_sent(end.conn), 1001);
        assert_int_equal(fastws_conn_is_over(end.conn), 0);
        expect_only_sent(&end, 0x88, "\x03\xe9", 2);
        assert_int_equal(fastws_conn_is_over(end.conn), 1);
        assert_int_equal(fastws_conn_deadline_ms(end.conn), UINT64_MAX);
        end_close(&end);
    }
}

static void answers_an_empty_close_with_an_empty_one(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    end_receive_frame(&end, 0x88, "", 0);
    expect_close_event(&end, 1005, "");
    assert_int_equal(fastws_conn_close_sent(end.conn), 1005);
    expect_only_sent(&end, 0x88, "", 0);
    end_close(&end);
}

static void answers_every_code_that_may_be_sent(void **state) {
    (void)state;
    for (unsigned code = 1000; code < 5000; code++) {
        if (code == 1004 || code == 1005 || code == 1006 || (code >= 1015 && code < 3000)) continue;
        uint8_t body[2] = {(uint8_t)(code >> 8), (uint8_t)code};
        struct end end;
        open_as(&end, SERVER);
        end_receive_frame(&end, 0x88, body, 2);
        expect_close_event(&end, (uint16_t)code, "");
        expect_only_sent(&end, 0x88, body, 2);
        end_close(&end);
    }
}

static void we_close_first_and_still_receive(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        open_as(&end, roles[role]);
        assert_int_equal(fastws_conn_close(end.conn, 4000, "done", 4), 0);
        assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_CLOSING);
        assert_int_equal(fastws_conn_close_sent(end.conn), 4000);
        expect_sends_refused(&end, FASTWS_ERR_CLOSED);
        expect_only_sent(&end, 0x88, "\x0f\xa0" "done", 6);
        assert_int_equal(fastws_conn_is_over(end.conn), 0);
        end_receive_frame(&end, 0x81, "late", 4);
        end_receive_frame(&end, 0x89, "ping", 4);
        assert_int_equal(end.log.count, 2);
        expect_nothing_sent(&end); /* RFC 6455 5.5.1: nothing follows a close frame, no pong either */
        log_free(&end.log);
        end_receive_frame(&end, 0x88, "\x03\xe8", 2);
        expect_close_event(&end, 1000, "");
        expect_nothing_sent(&end);
        assert_int_equal(fastws_conn_close_sent(end.conn), 4000);
        assert_int_equal(fastws_conn_is_over(end.conn), 1);
        end_close(&end);
    }
}

static void both_close_at_once(void **state) {
    (void)state;
    struct end server, client;
    open_as(&server, SERVER);
    open_as(&client, CLIENT);
    assert_int_equal(fastws_conn_close(server.conn, 1001, "", 0), 0);
    assert_int_equal(fastws_conn_close(client.conn, 3000, "", 0), 0);
    end_drain(&server, SIZE_MAX);
    end_drain(&client, SIZE_MAX);
    end_receive(&server, client.sent.ptr, client.sent.len);
    end_receive(&client, server.sent.ptr, server.sent.len);
    expect_close_event(&server, 3000, "");
    expect_close_event(&client, 1001, "");
    expect_nothing_sent(&server);
    expect_nothing_sent(&client);
    assert_int_equal(fastws_conn_is_over(server.conn), 1);
    assert_int_equal(fastws_conn_is_over(client.conn), 1);
    end_close(&server);
    end_close(&client);
}

/* RFC 6455 5.5.1: what comes behind a close frame is not looked at, not even if it breaks every rule. */
static void nothing_behind_a_close_frame_is_seen(void **state) {
    (void)state;
    for (int input = 0; input < INPUTS; input++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.input = (enum input)input;
        end_open(&end);
        struct bytes wire = {0};
        put_frame(&wire, SERVER, 0x88, "\x03\xe8" "bye", 5);
        put_text(&wire, SERVER, "data");
        bytes_put(&wire, "\xff\xff\xff\xff\xff", 5);
        end_receive(&end, wire.ptr, wire.len);
        expect_close_event(&end, 1000, "bye");
        expect_only_sent(&end, 0x88, "\x03\xe8", 2);
        bytes_free(&wire);
        end_close(&end);
    }
}

static void a_close_inside_a_fragmented_message_is_no_error(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    end_receive_frame(&end, 0x01, "half of", 7);
    end_receive_frame(&end, 0x88, "\x03\xe8", 2);
    expect_close_event(&end, 1000, "");
    expect_only_sent(&end, 0x88, "\x03\xe8", 2);
    end_close(&end);
}

/* The close event is in a batch of its own, so that answers to what came before go out first. */
static void answers_to_earlier_messages_go_before_the_close_frame(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    struct bytes wire = {0};
    struct fastws_event events[8];
    put_text(&wire, SERVER, "one");
    put_text(&wire, SERVER, "two");
    put_frame(&wire, SERVER, 0x88, "", 0);
    assert_int_equal(fastws_conn_feed(end.conn, wire.ptr, wire.len), 0);
    assert_int_equal(fastws_conn_next(end.conn, events, 8), 2);
    assert_int_equal(fastws_conn_close_sent(end.conn), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fastws_conn_send(end.conn, 1, events[i].ptr, (size_t)events[i].len), 0);
    assert_int_equal(fastws_conn_next(end.conn, events, 8), 1);
    assert_int_equal(events[0].kind, FASTWS_EVENT_CLOSE);
    end_drain(&end, SIZE_MAX);
    size_t off = 0;
    expect_sent(&end, &off, 0x81, "one", 3);
    expect_sent(&end, &off, 0x81, "two", 3);
    expect_sent(&end, &off, 0x88, "", 0);
    assert_int_equal(off, end.sent.len);
    bytes_free(&wire);
    end_close(&end);
}

/* Feeds a message and what ends the connection behind it; the end is held until the message was answered. */
static void expect_end_held(const struct bytes *wire, unsigned kind, uint16_t code) {
    struct end end;
    struct fastws_event events[8];
    open_as(&end, SERVER);
    fastws_conn_hold_end(end.conn, 1);
    assert_int_equal(fastws_conn_is_end_due(end.conn), 0);
    assert_int_equal(fastws_conn_feed(end.conn, wire->ptr, wire->len), 0);
    assert_int_equal(fastws_conn_next(end.conn, events, 8), 1);
    assert_int_equal(events[0].len, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fastws_conn_next(end.conn, events, 8), 0);
        assert_int_equal(fastws_conn_is_end_due(end.conn), 1);
        assert_int_equal(fastws_conn_close_sent(end.conn), 0);
    }
    assert_int_equal(fastws_conn_send(end.conn, 1, "one", 3), 0);
    fastws_conn_hold_end(end.conn, 0);
    assert_int_equal(fastws_conn_next(end.conn, events, 8), 1);
    assert_int_equal(events[0].kind, kind);
    assert_int_equal(fastws_conn_close_sent(end.conn), code);
    assert_int_equal(fastws_conn_is_end_due(end.conn), 0);
    assert_true(fastws_conn_next(end.conn, events, 8) < 0);
    end_drain(&end, SIZE_MAX);
    size_t off = 0;
    expect_sent(&end, &off, 0x81, "one", 3);
    assert_int_equal(end.sent.ptr[off], 0x88);
    end_close(&end);
}

static void an_end_that_is_held_lets_messages_be_answered(void **state) {
    (void)state;
    static const struct {
        uint8_t first; /* byte of a frame */
        const char *payload;
        size_t len;
        unsigned kind;
        uint16_t code;
    } ends[] = {
        {0x88, "\x03\xe9", 2, FASTWS_EVENT_CLOSE, 1001},
        {0x88, "\x03\xed", 2, FASTWS_EVENT_ERROR, 1002}, /* 1005 may not be sent */
        {0xc1, "x", 1, FASTWS_EVENT_ERROR, 1002},        /* RSV1 */
        {0x81, "\xff", 1, FASTWS_EVENT_ERROR, 1007},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct bytes wire = {0};
        put_text(&wire, SERVER, "one");
        put_frame(&wire, SERVER, ends[i].first, ends[i].payload, ends[i].len);
        put_text(&wire, SERVER, "never seen");
        expect_end_held(&wire, ends[i].kind, ends[i].code);
        bytes_free(&wire);
    }
}

/* Half a close frame, and then nothing wrong: it is not due before it is whole. */
static void no_end_is_due_before_it_has_come(void **state) {
    (void)state;
    struct end end;
    struct fastws_event events[8];
    struct bytes wire = {0};
    open_as(&end, SERVER);
    fastws_conn_hold_end(end.conn, 1);
    put_frame(&wire, SERVER, 0x88, "\x03\xe8", 2);
    for (size_t i = 0; i < wire.len; i++) {
        assert_int_equal(fastws_conn_is_end_due(end.conn), 0);
        assert_int_equal(fastws_conn_feed(end.conn, wire.ptr + i, 1), 0);
        assert_int_equal(fastws_conn_next(end.conn, events, 8), 0);
    }
    assert_int_equal(fastws_conn_is_end_due(end.conn), 1);
    fastws_conn_hold_end(end.conn, 0);
    assert_int_equal(fastws_conn_next(end.conn, events, 8), 1);
    assert_int_equal(events[0].close_code, 1000);
    bytes_free(&wire);
    end_close(&end);
    open_as(&end, SERVER);
    fastws_conn_hold_end(end.conn, 1);
    fastws_conn_eof(end.conn);
    assert_int_equal(fastws_conn_next(end.conn, events, 8), 0);
    assert_int_equal(fastws_conn_is_end_due(end.conn), 1);
    fastws_conn_hold_end(end.conn, 0);
    assert_int_equal(fastws_conn_next(end.conn, events, 8), 1);
    assert_int_equal(events[0].error, FASTWS_ERR_EOF);
    end_close(&end);
}

static void an_error_after_our_close_frame_is_told_to_nobody(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
    end_drain(&end, SIZE_MAX);
    end_receive(&end, "\x83\x80\0\0\0\0", 6); /* reserved opcode */
    assert_int_equal(end.last, FASTWS_ERR_OPCODE_RESERVED);
    struct fastws_event event;
    memcpy(&event, end.log.bytes.ptr, sizeof event);
    assert_int_equal(event.close_code, 1006);
    expect_nothing_sent(&end);
    assert_int_equal(fastws_conn_is_over(end.conn), 1);
    end_close(&end);
}

/* ---- What may be in a close frame ---- */

static void refuses_to_send_codes_that_may_not_be_sent(void **state) {
    (void)state;
    const struct { uint16_t code; int error; } bad[] = {
        {0, FASTWS_ERR_CLOSE_CODE_UNUSED},      {999, FASTWS_ERR_CLOSE_CODE_UNUSED},
        {1004, FASTWS_ERR_CLOSE_CODE_MEANING},  {1006, FASTWS_ERR_CLOSE_CODE_RESERVED},
        {1015, FASTWS_ERR_CLOSE_CODE_RESERVED}, {1016, FASTWS_ERR_CLOSE_CODE_UNKNOWN},
        {2999, FASTWS_ERR_CLOSE_CODE_UNKNOWN},  {5000, FASTWS_ERR_CLOSE_CODE_RANGE},
        {65535, FASTWS_ERR_CLOSE_CODE_RANGE}};
    struct end end;
    open_as(&end, SERVER);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fastws_conn_close(end.conn, bad[i].code, "", 0), bad[i].error);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "\xff", 1), FASTWS_ERR_CLOSE_UTF8);
    assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_OPEN);
    expect_nothing_sent(&end);
    assert_int_equal(fastws_conn_send(end.conn, 1, "open", 4), 0);
    end_close(&end);
}

static void cuts_a_long_reason_at_the_edge_of_a_character(void **state) {
    (void)state;
    char reason[300], body[125] = "\x03\xe8";
    for (size_t i = 0; i < sizeof reason; i += 3)
        memcpy(reason + i, "\xe2\x82\xac", 3);
    for (size_t shift = 0; shift < 3; shift++) {
        struct end end;
        open_as(&end, CLIENT);
        char shifted[300];
        memset(shifted, 'x', shift);
        memcpy(shifted + shift, reason, 297);
        size_t len = shift + (123 - shift) / 3 * 3;
        memcpy(body + 2, shifted, len);
        assert_int_equal(fastws_conn_close(end.conn, 1000, shifted, 297 + shift), 0);
        expect_only_sent(&end, 0x88, body, 2 + len);
        end_close(&end);
    }
}

static void sends_an_empty_close_frame_for_1005(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    assert_int_equal(fastws_conn_close(end.conn, 1005, "", 0), 0);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), FASTWS_ERR_CLOSED);
    assert_int_equal(fastws_conn_send(end.conn, 1, "late", 4), FASTWS_ERR_CLOSED);
    expect_only_sent(&end, 0x88, "", 0);
    end_close(&end);
}

static void leaves_close_frames_to_the_user_who_wants_that(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.config.is_close_automatic = 0;
    end_open(&end);
    end_receive_frame(&end, 0x88, "\x03\xe8", 2);
    expect_close_event(&end, 1000, "");
    expect_nothing_sent(&end);
    assert_int_equal(fastws_conn_close_sent(end.conn), 0);
    assert_false(fastws_conn_is_over(end.conn));
    assert_int_equal(fastws_conn_close(end.conn, 1001, "mine", 4), 0);
    expect_only_sent(&end, 0x88, "\x03\xe9mine", 6);
    assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_CLOSED);
    assert_true(fastws_conn_is_over(end.conn));
    end_close(&end);
    end_prepare(&end, SERVER);
    end.config.is_close_automatic = 0;
    end_open(&end);
    end_receive_frame(&end, 0x83, "", 0);
    assert_int_equal(end.last, FASTWS_ERR_OPCODE_RESERVED);
    expect_nothing_sent(&end);
    assert_int_equal(fastws_conn_send(end.conn, 1, "x", 1), FASTWS_ERR_OPCODE_RESERVED);
    assert_int_equal(fastws_conn_close(end.conn, 1002, "", 0), 0);
    expect_only_sent(&end, 0x88, "\x03\xea", 2);
    assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_FAILED);
    assert_int_equal(fastws_conn_close(end.conn, 1002, "", 0), FASTWS_ERR_OPCODE_RESERVED);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_peer_closes_first),
        cmocka_unit_test(answers_an_empty_close_with_an_empty_one),
        cmocka_unit_test(answers_every_code_that_may_be_sent),
        cmocka_unit_test(we_close_first_and_still_receive),
        cmocka_unit_test(both_close_at_once),
        cmocka_unit_test(nothing_behind_a_close_frame_is_seen),
        cmocka_unit_test(a_close_inside_a_fragmented_message_is_no_error),
        cmocka_unit_test(answers_to_earlier_messages_go_before_the_close_frame),
        cmocka_unit_test(an_end_that_is_held_lets_messages_be_answered),
        cmocka_unit_test(no_end_is_due_before_it_has_come),
        cmocka_unit_test(an_error_after_our_close_frame_is_told_to_nobody),
        cmocka_unit_test(refuses_to_send_codes_that_may_not_be_sent),
        cmocka_unit_test(cuts_a_long_reason_at_the_edge_of_a_character),
        cmocka_unit_test(sends_an_empty_close_frame_for_1005),
        cmocka_unit_test(leaves_close_frames_to_the_user_who_wants_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
