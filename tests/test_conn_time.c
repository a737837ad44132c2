/* SPDX-License-Identifier: MIT */
/* Time is an input: when a connection wants to be called, and what it does then. Times in milliseconds. */
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

enum { START = 1000 };

static void set_now(struct end *end, uint64_t now_ms) { fastws_pool_set_now(end->pool, now_ms * 1000 + 999); }

/* Opens at START with these times. */
static void open_with(struct end *end, enum fastws_role role, uint32_t interval, uint32_t timeout, uint32_t close) {
    end_prepare(end, role);
    end->config.ping_interval_ms = interval;
    end->config.ping_timeout_ms = timeout;
    end->config.close_timeout_ms = close;
    end_open(end);
    fastws_conn_free(end->conn);
    set_now(end, START);
    assert_int_equal(fastws_conn_new(&end->config, end->pool, &end->conn), 0);
}

static void expect_deadline(const struct end *end, uint64_t deadline_ms) {
    assert_int_equal(fastws_conn_deadline_ms(end->conn), deadline_ms);
}

/* Nothing happens a millisecond before the deadline, and something at it. */
static void reach_deadline(struct end *end, uint64_t deadline_ms) {
    expect_deadline(end, deadline_ms);
    set_now(end, deadline_ms - 1);
    assert_int_equal(fastws_conn_on_time(end->conn, deadline_ms - 1), 0);
    set_now(end, deadline_ms);
    assert_int_equal(fastws_conn_on_time(end->conn, deadline_ms), 1);
}

static void expect_error_event(struct end *end, int error, uint16_t code) {
    end_take_events(end);
    assert_int_equal(end->last, error);
    struct fastws_event event;
    memcpy(&event, end->log.bytes.ptr + end->log.bytes.len - sizeof event, sizeof event);
    assert_int_equal(event.kind, FASTWS_EVENT_ERROR);
    assert_int_equal(event.error, error);
    assert_int_equal(event.close_code, code);
}

/* ---- Pings ---- */

/* A ping of ours says which one it is. */
static void expect_keepalive(struct end *end, uint8_t number) {
    const uint8_t payload[] = {'f', 'w', 's', 0, /* mark */ 0, 0, 0, number};
    expect_only_sent(end, 0x89, payload, sizeof payload);
}

static void pings_after_silence_and_fails_without_an_answer(void **state) {
    (void)state;
    for (enum fastws_role role = SERVER; role <= CLIENT; role++) {
        struct end end;
        open_with(&end, role, 300, 70, 50);
        reach_deadline(&end, START + 300);
        expect_keepalive(&end, 1);
        reach_deadline(&end, START + 370);
        assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_OPEN);
        expect_deadline(&end, UINT64_MAX); /* the event waits to be taken */
        assert_int_equal(fastws_conn_on_time(end.conn, START + 10000), 0);
        expect_error_event(&end, FASTWS_ERR_PING_TIMEOUT, 1011);
        assert_int_equal(fastws_conn_close_sent(end.conn), 1011);
        expect_deadline(&end, START + 10000 + 50); /* for the close frame to get out */
        end_close(&end);
    }
}

static void any_byte_is_a_sign_of_life(void **state) {
    (void)state;
    const uint8_t header[] = {0x81};
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    set_now(&end, START + 100);
    end_receive(&end, header, 1);
    expect_deadline(&end, START + 400);
    set_now(&end, START + 200); /* nothing received, nothing changed */
    end_take_events(&end);
    assert_int_equal(fastws_conn_send(end.conn, 1, "ours", 4), 0);
    end_drain(&end, SIZE_MAX);
    assert_int_equal(fastws_conn_filled(end.conn, 0), 0);
    expect_deadline(&end, START + 400);
    reach_deadline(&end, START + 400);
    expect_keepalive(&end, 1);
    set_now(&end, START + 469);
    uint8_t length = 0x80;
    end.input = INPUT_FEED;
    end_receive(&end, &length, 1); /* in time, and no pong */
    expect_deadline(&end, START + 769);
    assert_int_equal(fastws_conn_on_time(end.conn, START + 500), 0);
    reach_deadline(&end, START + 769);
    expect_keepalive(&end, 2);
    expect_deadline(&end, START + 769 + 70);
    end_close(&end);
}

static void zero_means_never(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 0, 70, 0);
    expect_deadline(&end, UINT64_MAX);
    assert_int_equal(fastws_conn_on_time(end.conn, UINT64_MAX - 1), 0);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
    expect_deadline(&end, UINT64_MAX);
    end_receive_frame(&end, 0x88, "", 0);
    expect_deadline(&end, UINT64_MAX);
    assert_int_equal(fastws_conn_on_time(end.conn, UINT64_MAX - 1), 0);
    assert_int_equal(fastws_conn_is_over(end.conn), 0);
    end_close(&end);
}

static void without_a_timeout_pings_go_on_at_their_interval(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 0, 50);
    for (uint64_t i = 1; i < 5; i++) {
        reach_deadline(&end, START + 300 * i);
        expect_keepalive(&end, (uint8_t)i);
    }
    end_close(&end);
}

static void a_late_call_counts_the_timeout_from_when_the_ping_was_sent(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    set_now(&end, START + 900);
    assert_int_equal(fastws_conn_on_time(end.conn, START + 900), 1);
    expect_deadline(&end, START + 970);
    end_close(&end);
}

static void messages_before_a_timeout_are_handed_out_first(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    struct bytes wire = {0};
    struct log expected = {0};
    put_text(&wire, SERVER, "in time");
    log_message(&expected, 1, "in time", 7);
    log_error(&expected, FASTWS_ERR_PING_TIMEOUT, 0);
    assert_int_equal(fastws_conn_on_time(end.conn, START + 300), 1);
    assert_int_equal(fastws_conn_on_time(end.conn, START + 370), 1);
    assert_int_equal(fastws_conn_feed(end.conn, wire.ptr, wire.len), 0);
    end_take_events(&end);
    assert_logs_equal(&end.log, &expected);
    bytes_free(&wire);
    log_free(&expected);
    end_close(&end);
}

/* ---- The close handshake ---- */

static void the_peer_has_close_timeout_to_answer(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    set_now(&end, START + 10);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
    expect_deadline(&end, START + 60);
    end_drain(&end, SIZE_MAX);
    set_now(&end, START + 20);
    end_receive_frame(&end, 0x81, "life is no answer", 17);
    expect_deadline(&end, START + 60);
    reach_deadline(&end, START + 60);
    expect_error_event(&end, FASTWS_ERR_CLOSE_TIMEOUT, 1006);
    expect_deadline(&end, UINT64_MAX);
    assert_int_equal(fastws_conn_is_over(end.conn), 1);
    end_close(&end);
}

static void a_close_that_comes_replaces_the_deadline_of_a_ping(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    reach_deadline(&end, START + 300);
    set_now(&end, START + 310);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
    expect_deadline(&end, START + 360);
    end_close(&end);
}

static void what_the_peer_does_not_read_is_dropped_in_the_end(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    static uint8_t payload[10000];
    assert_int_equal(fastws_conn_send(end.conn, 2, payload, sizeof payload), 0);
    set_now(&end, START + 5);
    end_receive_frame(&end, 0x88, "", 0);
    assert_int_equal(fastws_conn_is_over(end.conn), 0);
    reach_deadline(&end, START + 55);
    assert_int_equal(fastws_conn_pending_len(end.conn), 0);
    assert_int_equal(fastws_conn_is_over(end.conn), 1);
    expect_deadline(&end, UINT64_MAX);
    end_close(&end);
}

static void the_last_bytes_have_close_timeout_from_the_end_of_the_handshake(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    set_now(&end, START + 10);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
    set_now(&end, START + 40);
    end_receive_frame(&end, 0x88, "", 0); /* and ours is not sent yet */
    expect_deadline(&end, START + 90);
    end_close(&end);
}

static void an_error_leaves_time_for_its_close_frame(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    set_now(&end, START + 7);
    end_receive_frame(&end, 0x83, "", 0);
    expect_deadline(&end, START + 57);
    end_drain(&end, SIZE_MAX);
    expect_deadline(&end, UINT64_MAX);
    assert_int_equal(fastws_conn_is_over(end.conn), 1);
    end_close(&end);
}

/* ---- Floods ---- */

static void flood(struct end *end) {
    while (end->log.count < 12000) {
        void *ptr;
        size_t cap;
        assert_int_equal(fastws_conn_space(end->conn, &ptr, &cap), 0);
        if (cap == 0) return;
        end_receive_frame(end, 0x89, "0123456789", 10);
    }
    fail_msg("reading never stops");
}

/* The second of two replies is done with when both leave at once: it does not count against later ones. */
static void replies_that_have_left_are_no_part_of_a_flood(void **state) {
    (void)state;
    struct end end;
    uint8_t payload[1000] = {0};
    end_prepare(&end, SERVER);
    end.config.limits.max_control_pending = 200;
    end_open(&end);
    end_receive_frame(&end, 0x89, payload, 10);
    end_receive_frame(&end, 0x89, payload, 125);
    end_drain(&end, SIZE_MAX);
    assert_int_equal(end.sent.len, 12 + 127);
    assert_int_equal(fastws_conn_send(end.conn, FASTWS_OPCODE_BINARY, payload, sizeof payload), 0);
    end_receive_frame(&end, 0x89, payload, 125);
    void *ptr;
    size_t cap;
    assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
    assert_true(cap > 0); /* reading goes on */
    end_receive_frame(&end, 0x89, payload, 125);
    assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
    assert_int_equal(cap, 0); /* those that have not left do count */
    end_close(&end);
}

static void a_flood_that_is_not_drained_ends_with_1008(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    set_now(&end, START + 200);
    flood(&end);
    reach_deadline(&end, START + 270);
    expect_error_event(&end, FASTWS_ERR_CONTROL_FLOOD, 1008);
    assert_int_equal(fastws_conn_close_sent(end.conn), 1008);
    expect_deadline(&end, START + 270 + 50);
    end_close(&end);
}

static void a_flood_that_is_drained_starts_the_silence_anew(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    flood(&end);
    set_now(&end, START + 69);
    expect_deadline(&end, START + 70);
    end_drain(&end, SIZE_MAX);
    expect_deadline(&end, START + 69 + 300);
    end_close(&end);
}

/* Used to fail at once with the ping that was out when reading stopped. */
static void a_ping_that_was_out_does_not_time_out_with_the_end_of_a_flood(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 300, 70, 50);
    end.config.limits.max_control_pending = 1;
    uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0};
    assert_int_equal(fastws_conn_feed(end.conn, ping, sizeof ping), 0);
    assert_int_equal(fastws_conn_on_time(end.conn, START + 300), 1);
    end_take_events(&end);
    set_now(&end, START + 360);
    end_drain(&end, SIZE_MAX);
    expect_deadline(&end, START + 360 + 300);
    end_close(&end);
}

/* ---- What can go wrong ---- */

static void a_ping_without_a_masking_key_is_an_error_and_tried_again(void **state) {
    (void)state;
    struct end end;
    open_with(&end, CLIENT, 300, 70, 50);
    end.keys.error = FASTWS_ERR_RANDOM;
    assert_int_equal(fastws_conn_on_time(end.conn, START + 300), FASTWS_ERR_RANDOM);
    end.keys.error = 0;
    assert_int_equal(fastws_conn_on_time(end.conn, START + 310), 1);
    expect_deadline(&end, START + 380);
    end_close(&end);
}

static void the_defaults_are_20_20_and_10_seconds(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    expect_deadline(&end, 20000);
    assert_int_equal(fastws_conn_on_time(end.conn, 20000), 1);
    expect_deadline(&end, 40000);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
    expect_deadline(&end, 30000); /* the pool's clock was never set but by that call */
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pings_after_silence_and_fails_without_an_answer),
        cmocka_unit_test(any_byte_is_a_sign_of_life),
        cmocka_unit_test(zero_means_never),
        cmocka_unit_test(without_a_timeout_pings_go_on_at_their_interval),
        cmocka_unit_test(a_late_call_counts_the_timeout_from_when_the_ping_was_sent),
        cmocka_unit_test(messages_before_a_timeout_are_handed_out_first),
        cmocka_unit_test(the_peer_has_close_timeout_to_answer),
        cmocka_unit_test(a_close_that_comes_replaces_the_deadline_of_a_ping),
        cmocka_unit_test(what_the_peer_does_not_read_is_dropped_in_the_end),
        cmocka_unit_test(the_last_bytes_have_close_timeout_from_the_end_of_the_handshake),
        cmocka_unit_test(an_error_leaves_time_for_its_close_frame),
        cmocka_unit_test(replies_that_have_left_are_no_part_of_a_flood),
        cmocka_unit_test(a_flood_that_is_not_drained_ends_with_1008),
        cmocka_unit_test(a_flood_that_is_drained_starts_the_silence_anew),
        cmocka_unit_test(a_ping_that_was_out_does_not_time_out_with_the_end_of_a_flood),
        cmocka_unit_test(a_ping_without_a_masking_key_is_an_error_and_tried_again),
        cmocka_unit_test(the_defaults_are_20_20_and_10_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
