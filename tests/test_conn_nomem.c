/* SPDX-License-Identifier: MIT */
/* A conversation of everything that a connection can do, in which every allocation fails once, and all after it: no
 * leak, a named error, and a stream of whole frames that the peer can read. */
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

enum { LARGE = 100000 };

/* One run of the conversation. */
struct talk {
    struct end end;
    const uint8_t *payload; /* LARGE bytes */
    struct fastws_prepared *prepared[2];
    size_t messages; /* that were sent without an error */
};

/* 0, or no memory: nothing else may happen here. Returns whether it was 0. */
static int is_done(int result) {
    assert_true(result == 0 || result == FASTWS_ERR_NOMEM);
    return result == 0;
}

/* ---- What is said ---- */

static void send_whole(struct talk *talk) {
    static const size_t lens[] = {10, 3000, 5000, LARGE};
    if (fastws_conn_is_message_open(talk->end.conn)) return; /* one that broke off behind its first fragment */
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
        talk->messages += (size_t)is_done(fastws_conn_send(talk->end.conn, 2, talk->payload, lens[i]));
}

static void send_prepared(struct talk *talk) {
    if (fastws_conn_is_message_open(talk->end.conn)) return;
    for (int i = 0; i < 4; i++)
        talk->messages += (size_t)is_done(fastws_conn_send_prepared(talk->end.conn, talk->prepared[i % 2]));
}

/* Writes to a message that was begun until an error stops it. Returns whether it was finished. */
static int write_parts(struct talk *talk, size_t part, int count) {
    struct fastws_conn *conn = talk->end.conn;
    for (int i = 0; i < count; i++) {
        if (!is_done(fastws_conn_write(conn, talk->payload, part))) return 0;
        if (i == 2 && !is_done(fastws_conn_flush_fragment(conn))) return 0;
    }
    return is_done(fastws_conn_finish(conn));
}

static void send_in_parts(struct talk *talk, size_t fragment_len, size_t part, int count) {
    struct fastws_conn *conn = talk->end.conn;
    if (fastws_conn_is_message_open(conn)) return;
    fastws_conn_set_fragment_len(conn, fragment_len);
    if (!is_done(fastws_conn_begin(conn, 2))) return;
    int is_finished = write_parts(talk, part, count);
    talk->messages += (size_t)is_finished;
    if (is_finished) return;
    assert_int_equal(fastws_conn_write(conn, "more", 4), FASTWS_ERR_NOMEM);
    assert_int_equal(fastws_conn_finish(conn), FASTWS_ERR_NOMEM);
    fastws_conn_abandon(conn); /* forgotten, unless the peer has heard of it */
}

/* Drains most of it; what is borrowed is owned, if there is memory for that. */
static void drain_some(struct talk *talk) {
    struct fastws_iovec piece;
    for (int i = 0; i < 6; i++) {
        int count = fastws_conn_pending(talk->end.conn, &piece, 1);
        if (count <= 0) is_done(count);
        if (count <= 0) continue;
        bytes_put(&talk->end.sent, piece.base, piece.len);
        assert_int_equal(fastws_conn_sent(talk->end.conn, piece.len), 0);
    }
    is_done(fastws_conn_own(talk->end.conn));
}

/* ---- What is heard ---- */

static void take_events(struct talk *talk) {
    struct fastws_event event;
    while ((talk->end.last = fastws_conn_next(talk->end.conn, &event, 1)) > 0) {
        struct fastws_taken taken;
        log_event(&talk->end.log, &event);
        if (is_done(fastws_conn_take(talk->end.conn, &event, &taken))) fastws_taken_release(&taken);
    }
    is_done(talk->end.last);
}

static void receive(struct talk *talk, const struct bytes *wire, size_t step) {
    for (size_t off = 0; off < wire->len && talk->end.last >= 0;) {
        void *ptr;
        size_t cap;
        int result = fastws_conn_space(talk->end.conn, &ptr, &cap);
        is_done(result);
        if (result < 0) continue; /* try again */
        size_t len = wire->len - off < step ? wire->len - off : step;
        if (len > cap) len = cap;
        memcpy(ptr, wire->ptr + off, len);
        assert_int_equal(fastws_conn_filled(talk->end.conn, len), 0);
        off += len;
        take_events(talk);
    }
}

/* ---- The conversation ---- */

static void make_wire(struct bytes *wire, enum fastws_role role, const uint8_t *payload) {
    put_frame(wire, role, 0x01, "text", 4);
    put_frame(wire, role, 0x89, "ping", 4);
    put_frame(wire, role, 0x80, "", 0);
    put_frame(wire, role, 0x02, payload, LARGE);
    put_frame(wire, role, 0x00, payload, 20000);
    put_frame(wire, role, 0x80, payload, 50000);
}

static void converse(struct talk *talk, const struct bytes *wire) {
    send_prepared(talk);
    send_whole(talk);
    drain_some(talk);
    send_in_parts(talk, 4096, 3000, 9);
    send_in_parts(talk, 20000, 7000, 12);
    send_prepared(talk);
    drain_some(talk);
    send_in_parts(talk, 0, 30000, 9);
    send_whole(talk);
    /* Failing for good, space would be asked for again and again. */
    if (!talk->end.memory.fail_on) receive(talk, wire, 40000);
    drain_some(talk);
}

/* Every frame is whole, and no message stands inside another. Returns the messages that were finished. */
static size_t count_messages(struct end *end) {
    size_t count = 0;
    int is_open = 0;
    for (size_t off = 0; off < end->sent.len;) {
        struct frame frame = take_frame(&end->sent, &off, (enum fastws_role)end->config.role);
        if ((frame.first & 15) >= 8) continue;
        assert_int_equal((frame.first & 15) == 0, is_open);
        is_open = !(frame.first & 0x80);
        count += !is_open;
    }
    return count;
}

/* Fails allocation fail_at, and all after it if is_on. Returns 0 once there are not as many. */
static int run_out(enum fastws_role role, int delivery, const uint8_t *payload, uint64_t fail_at, int is_on) {
    struct talk talk = {.payload = payload};
    struct bytes wire = {0};
    make_wire(&wire, role, payload);
    end_prepare(&talk.end, role);
    talk.end.config.delivery = (uint8_t)delivery;
    talk.end.pool_config.slab_len = 16384;
    talk.end.config.queue_high = 20000;
    end_open(&talk.end);
    assert_int_equal(fastws_prepared_new(NULL, 1, payload, 200, &talk.prepared[0]), 0);
    assert_int_equal(fastws_prepared_new(NULL, 2, payload, 9000, &talk.prepared[1]), 0);
    talk.end.memory.calls = 0;
    talk.end.memory.fail_at = fail_at;
    talk.end.memory.fail_on = is_on;
    converse(&talk, &wire);
    int has_failed = talk.end.memory.calls >= fail_at;
    talk.end.memory.fail_at = 0;
    if (fastws_conn_get_state(talk.end.conn) == FASTWS_CONN_OPEN) {
        end_receive_frame(&talk.end, 0x88, "\x03\xe8", 2);
        assert_int_equal(talk.end.last, FASTWS_ERR_CLOSED);
    }
    end_drain(&talk.end, 30000);
    assert_int_equal(fastws_conn_is_over(talk.end.conn), 1);
    assert_int_equal(count_messages(&talk.end), talk.messages);
    for (int i = 0; i < 2; i++) fastws_prepared_release(talk.prepared[i]);
    bytes_free(&wire);
    end_close(&talk.end);
    return has_failed;
}

static void survives_a_failure_at_every_allocation(void **state) {
    (void)state;
    uint8_t *payload = malloc(LARGE);
    assert_non_null(payload);
    fill_pattern(payload, LARGE, 1);
    for (size_t i = 0; i < 200; i++) payload[i] &= 0x7f; /* a text */
    for (enum fastws_role role = SERVER; role <= CLIENT; role++)
        for (int delivery = 0; delivery < 3; delivery++) {
            uint64_t fail_at = 1;
            while (run_out(role, delivery, payload, fail_at, 0)) fail_at++;
            assert_true(fail_at > 15);
            for (fail_at = 1; run_out(role, delivery, payload, fail_at, 1);) fail_at++;
        }
    free(payload);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_a_failure_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
