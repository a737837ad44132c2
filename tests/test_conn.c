/* SPDX-License-Identifier: MIT */
/* The protocol of a connection: pongs, floods of pings, the end of the stream, settings. */
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

/* ---- Pongs ---- */

static void answers_pings_of_every_length_with_their_payload(void **state) {
    (void)state;
    uint8_t payload[125];
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        open_as(&end, roles[role]);
        for (size_t len = 0; len <= sizeof payload; len++) {
            fill_pattern(payload, len, (uint32_t)len);
            end_receive_frame(&end, 0x89, payload, len);
            expect_only_sent(&end, 0x8a, payload, len);
        }
        assert_int_equal(end.log.count, 126);
        end_close(&end);
    }
}

static void answers_pings_in_order_also_between_fragments(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        open_as(&end, roles[role]);
        struct bytes wire = {0};
        const struct frame frames[] = {{0x89, "1", 1}, {0x01, "a", 1}, {0x89, "2", 1}, {0x8a, "not asked for", 13},
                                       {0x89, "3", 1}, {0x80, "b", 1}, {0x89, "4", 1}};
        for (size_t i = 0; i < 7; i++)
            put_frame(&wire, roles[role], frames[i].first, frames[i].payload, frames[i].len);
        end_receive(&end, wire.ptr, wire.len);
        end_drain(&end, SIZE_MAX);
        size_t off = 0;
        for (int i = 0; i < 4; i++)
            expect_sent(&end, &off, 0x8a, &"1234"[i], 1);
        assert_int_equal(off, end.sent.len);
        bytes_free(&wire);
        end_close(&end);
    }
}

static void the_pong_is_queued_when_the_ping_is_handed_out(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    uint8_t ping[] = {0x89, 0x82, 0, 0, 0, 0, 'h', 'i'}; /* ping, masked with zeros */
    struct fastws_event event;
    assert_int_equal(fastws_conn_feed(end.conn, ping, sizeof ping), 0);
    assert_int_equal(fastws_conn_pending_len(end.conn), 0);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(event.kind, FASTWS_EVENT_PING);
    assert_int_equal(fastws_conn_pending_len(end.conn), 4);
    end_close(&end);
}

static void leaves_pings_to_the_user_who_wants_that(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.config.is_pong_automatic = 0;
    end_open(&end);
    end_receive_frame(&end, 0x89, "ping", 4);
    assert_int_equal(end.log.count, 1);
    expect_nothing_sent(&end);
    assert_int_equal(fastws_conn_pong(end.conn, "ping", 4), 0);
    expect_only_sent(&end, 0x8a, "ping", 4);
    end_close(&end);
}

static void sends_pings_and_pongs_of_at_most_125_bytes(void **state) {
    (void)state;
    uint8_t payload[126] = {7};
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        open_as(&end, roles[role]);
        assert_int_equal(fastws_conn_ping(end.conn, payload, 125), 0);
        expect_only_sent(&end, 0x89, payload, 125);
        assert_int_equal(fastws_conn_ping(end.conn, payload, 126), FASTWS_ERR_CONTROL_LEN);
        assert_int_equal(fastws_conn_pong(end.conn, payload, 126), FASTWS_ERR_CONTROL_LEN);
        assert_int_equal(fastws_conn_send(end.conn, 9, payload, 1), FASTWS_ERR_ARGUMENT);
        assert_int_equal(fastws_conn_send(end.conn, 0, payload, 1), FASTWS_ERR_ARGUMENT);
        expect_nothing_sent(&end);
        end_close(&end);
    }
}

/* ---- More pings than the peer reads answers ---- */

/* 516 pongs of 127 bytes and one of 4 are 65 536: within the limit. The next one is over it. */
static void flood(struct end *end) {
    uint8_t payload[125] = {0};
    for (int i = 0; i < 516; i++)
        end_receive_frame(end, 0x89, payload, sizeof payload);
    end_receive_frame(end, 0x89, payload, 2);
    assert_int_equal(fastws_conn_pending_len(end->conn), 65536);
    end_receive_frame(end, 0x89, payload, sizeof payload);
    assert_int_equal(end->log.count, 518);
    assert_int_equal(end->last, 0);
}

static void expect_reading(struct end *end, int is_reading) {
    void *ptr;
    size_t cap;
    uint8_t byte = 0x81;
    assert_int_equal(fastws_conn_space(end->conn, &ptr, &cap), 0);
    assert_int_equal(cap > 0, is_reading);
    if (!is_reading) assert_int_equal(fastws_conn_filled(end->conn, 1), FASTWS_ERR_ARGUMENT);
    if (!is_reading) assert_int_equal(fastws_conn_feed(end->conn, &byte, 1), FASTWS_ERR_STATE);
}

static void stops_reading_while_pongs_pile_up(void **state) {
    (void)state;
    for (int input = 0; input < INPUTS; input++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.input = (enum input)input;
        end_open(&end);
        flood(&end);
        expect_reading(&end, 0);
        struct fastws_iovec pieces[64];
        assert_true(fastws_conn_pending(end.conn, pieces, 64) > 0);
        assert_int_equal(fastws_conn_sent(end.conn, 126), 0);
        expect_reading(&end, 0); /* 65 537 are left */
        assert_true(fastws_conn_pending(end.conn, pieces, 64) > 0);
        assert_int_equal(fastws_conn_sent(end.conn, 1), 0);
        expect_reading(&end, 1);
        end_drain(&end, SIZE_MAX);
        end_receive_frame(&end, 0x81, "again", 5);
        assert_int_equal(end.log.count, 519);
        end_close(&end);
    }
}

static void takes_no_byte_while_reading_is_stopped(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.config.limits.max_control_pending = 1;
    end_open(&end);
    end_receive(&end, "\x89\x80\0\0\0\0\x81", 7); /* a ping, and the beginning of a text, which holds a slab */
    assert_int_equal(end.log.count, 1);
    expect_reading(&end, 0);
    end_drain(&end, SIZE_MAX);
    end_receive(&end, "\x81\0\0\0\0x", 6); /* the rest of it */
    assert_int_equal(end.log.count, 2);
    end_close(&end);
}

/* Messages are no replies: the peer may have asked for them. */
static void messages_do_not_count_as_control_replies(void **state) {
    (void)state;
    struct end end;
    static uint8_t payload[100000];
    open_as(&end, SERVER);
    assert_int_equal(fastws_conn_send(end.conn, 2, payload, sizeof payload), 0);
    end_receive_frame(&end, 0x89, "ping", 4);
    expect_reading(&end, 1);
    end_close(&end);
}

static void send_some(struct end *end, size_t len) {
    while (len > 0) {
        struct fastws_iovec piece;
        assert_int_equal(fastws_conn_pending(end->conn, &piece, 1), 1);
        size_t part = piece.len < len ? piece.len : len;
        assert_int_equal(fastws_conn_sent(end->conn, part), 0);
        len -= part;
    }
}

/* Used to count every pong since the queue was last short: a peer that read on behind a backlog was taken for one that
 * does not read. */
static void a_peer_that_reads_behind_a_backlog_is_no_flood(void **state) {
    (void)state;
    struct end end;
    static uint8_t payload[300000];
    open_as(&end, SERVER);
    assert_int_equal(fastws_conn_send(end.conn, 2, payload, sizeof payload), 0);
    for (int i = 0; i < 5000; i++) {
        end_receive_frame(&end, 0x89, payload, 125);
        send_some(&end, 4000);
        assert_int_equal(fastws_conn_send(end.conn, 2, payload, 3869), 0);
        assert_true(fastws_conn_pending_len(end.conn) > 290000);
        expect_reading(&end, 1);
    }
    end_close(&end);
}

static void without_a_limit_pongs_may_pile_up(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.config.limits.max_control_pending = 0;
    end_open(&end);
    flood(&end);
    expect_reading(&end, 1);
    end_close(&end);
}

/* ---- The end of the stream ---- */

static void expect_eof(struct end *end, int error, int event_count) {
    fastws_conn_eof(end->conn);
    end_take_events(end);
    assert_int_equal(end->last, error);
    assert_int_equal(end->log.count, event_count);
    assert_int_equal(fastws_conn_get_state(end->conn), FASTWS_CONN_FAILED);
    expect_nothing_sent(end);
    assert_int_equal(fastws_conn_close_sent(end->conn), 0);
    assert_int_equal(fastws_conn_is_over(end->conn), 1);
    struct fastws_event event;
    memcpy(&event, end->log.bytes.ptr + end->log.bytes.len - sizeof event, sizeof event);
    assert_int_equal(event.kind, FASTWS_EVENT_ERROR);
    assert_int_equal(event.close_code, 1006);
}

static void an_end_inside_a_message_is_told_from_one_between_messages(void **state) {
    (void)state;
    for (int input = 0; input < INPUTS; input++) {
        struct bytes wire = {0};
        put_text(&wire, SERVER, "one");                  /* 9 bytes */
        put_frame(&wire, SERVER, 0x01, "two", 3);        /* 9 bytes, not the last */
        put_frame(&wire, SERVER, 0x89, "ping", 4);       /* 10 bytes */
        put_frame(&wire, SERVER, 0x80, "", 0);           /* 6 bytes, the last */
        for (size_t cut = 0; cut <= wire.len; cut++) {
            struct end end;
            end_prepare(&end, SERVER);
            end.input = (enum input)input;
            end.config.is_pong_automatic = 0;
            end_open(&end);
            end_receive(&end, wire.ptr, cut);
            int is_between = cut == 0 || cut == 9 || cut == wire.len;
            int seen = (cut >= 9) + (cut >= 28) + (cut == wire.len);
            expect_eof(&end, is_between ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF, seen + 1);
            end_close(&end);
        }
        bytes_free(&wire);
    }
}

static void an_end_in_a_large_message_or_before_anything_was_walked(void **state) {
    (void)state;
    struct end end;
    open_as(&end, CLIENT);
    static uint8_t payload[200000];
    struct bytes wire = {0};
    put_frame(&wire, CLIENT, 0x82, payload, sizeof payload);
    end_receive(&end, wire.ptr, 150000);
    expect_eof(&end, FASTWS_ERR_UNEXPECTED_EOF, 1);
    end_close(&end);
    open_as(&end, CLIENT);
    assert_int_equal(fastws_conn_feed(end.conn, wire.ptr, 5), 0);
    expect_eof(&end, FASTWS_ERR_UNEXPECTED_EOF, 1);
    bytes_free(&wire);
    end_close(&end);
}

static void after_the_close_handshake_an_end_is_no_error(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    end_receive_frame(&end, 0x88, "", 0);
    fastws_conn_eof(end.conn);
    end_take_events(&end);
    assert_int_equal(end.last, FASTWS_ERR_CLOSED);
    assert_int_equal(end.log.count, 1);
    end_close(&end);
}

static void an_end_during_the_close_handshake_is_one(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
    end_drain(&end, SIZE_MAX);
    fastws_conn_eof(end.conn);
    end_take_events(&end);
    assert_int_equal(end.last, FASTWS_ERR_EOF);
    assert_int_equal(fastws_conn_close_sent(end.conn), 1000);
    assert_int_equal(fastws_conn_close_received(end.conn), 0);
    end_close(&end);
}

/* ---- Settings and raw bytes ---- */

static void refuses_settings_that_it_does_not_know(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    struct fastws_conn *conn = NULL;
    struct fastws_conn_config config = end.config;
    config.size--;
    assert_int_equal(fastws_conn_new(&config, end.pool, &conn), FASTWS_ERR_ARGUMENT);
    config = end.config;
    for (uint8_t role = 0; role < 8; role = role == 0 ? 3 : (uint8_t)(role + 1)) {
        config.role = role;
        assert_int_equal(fastws_conn_new(&config, end.pool, &conn), FASTWS_ERR_ARGUMENT);
    }
    assert_null(conn);
    fastws_conn_free(NULL);
    end_close(&end);
}

static void lives_in_memory_of_the_caller(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    union { max_align_t align; uint8_t bytes[4096]; } memory;
    assert_true(fastws_conn_sizeof() <= sizeof memory);
    struct fastws_conn *conn = (struct fastws_conn *)&memory;
    uint64_t calls = end.memory.calls;
    assert_int_equal(fastws_conn_init(conn, &end.config, end.pool), 0);
    assert_int_equal(fastws_conn_send(conn, 1, "text", 4), 0);
    assert_int_equal(fastws_conn_pending_len(conn), 6);
    fastws_conn_free(conn);
    assert_int_equal(end.memory.calls, calls);
    end_close(&end);
}

/* Raw bytes are those that no event has taken, and come back in order from both inputs. */
static void hands_out_raw_bytes_between_messages(void **state) {
    (void)state;
    for (int input = 0; input < INPUTS; input++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.input = (enum input)input;
        end_open(&end);
        uint8_t raw[32];
        struct bytes wire = {0};
        put_text(&wire, SERVER, "text");
        end_receive(&end, wire.ptr, wire.len);
        assert_int_equal(fastws_conn_read_raw(end.conn, raw, sizeof raw), 0);
        end_receive(&end, wire.ptr, 3); /* the beginning of a header */
        assert_int_equal(fastws_conn_read_raw(end.conn, raw, 2), 2);
        assert_int_equal(fastws_conn_feed(end.conn, wire.ptr + 3, wire.len - 3), 0);
        assert_int_equal(fastws_conn_read_raw(end.conn, raw + 2, sizeof raw - 2), 1);
        assert_int_equal(fastws_conn_read_raw(end.conn, raw + 3, sizeof raw - 3), (ptrdiff_t)wire.len - 3);
        assert_memory_equal(raw, wire.ptr, wire.len);
        assert_int_equal(fastws_conn_read_raw(end.conn, raw, sizeof raw), 0);
        end_receive(&end, wire.ptr, wire.len);
        assert_int_equal(end.log.count, 2);
        end_receive_frame(&end, 0x01, "open", 4);
        assert_int_equal(fastws_conn_read_raw(end.conn, raw, sizeof raw), FASTWS_ERR_STATE);
        bytes_free(&wire);
        end_close(&end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_pings_of_every_length_with_their_payload),
        cmocka_unit_test(answers_pings_in_order_also_between_fragments),
        cmocka_unit_test(the_pong_is_queued_when_the_ping_is_handed_out),
        cmocka_unit_test(leaves_pings_to_the_user_who_wants_that),
        cmocka_unit_test(sends_pings_and_pongs_of_at_most_125_bytes),
        cmocka_unit_test(stops_reading_while_pongs_pile_up),
        cmocka_unit_test(takes_no_byte_while_reading_is_stopped),
        cmocka_unit_test(messages_do_not_count_as_control_replies),
        cmocka_unit_test(a_peer_that_reads_behind_a_backlog_is_no_flood),
        cmocka_unit_test(without_a_limit_pongs_may_pile_up),
        cmocka_unit_test(an_end_inside_a_message_is_told_from_one_between_messages),
        cmocka_unit_test(an_end_in_a_large_message_or_before_anything_was_walked),
        cmocka_unit_test(after_the_close_handshake_an_end_is_no_error),
        cmocka_unit_test(an_end_during_the_close_handshake_is_one),
        cmocka_unit_test(refuses_settings_that_it_does_not_know),
        cmocka_unit_test(lives_in_memory_of_the_caller),
        cmocka_unit_test(hands_out_raw_bytes_between_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
