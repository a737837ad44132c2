/* SPDX-License-Identifier: MIT */
/* Extensions that use RSV bits: what they claim passes, what nobody claims never does, what they refuse is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/extension.h>

#include "sending.h"

#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

/* An extension that uses the bits given, on first frames or on all, and notes what it was asked. */
struct claim {
    uint8_t bits;
    int is_every_frame;
    int error;
    int received;
    int sent;
    struct fastws_header last;
};

static int claim_receive(void *context, struct fastws_header *header) {
    struct claim *claim = context;
    claim->received++;
    claim->last = *header;
    if (claim->error) return claim->error;
    if (claim->is_every_frame || header->opcode != FASTWS_OPCODE_CONTINUATION) header->rsv &= (uint8_t)~claim->bits;
    header->length = 77; /* of no effect, like all changes but those of rsv */
    header->opcode = 9;
    header->masked = !header->masked;
    return 0;
}

static int claim_send(void *context, struct fastws_header *header) {
    struct claim *claim = context;
    claim->sent++;
    claim->last = *header;
    if (claim->error) return claim->error;
    if (claim->is_every_frame || header->opcode != FASTWS_OPCODE_CONTINUATION) header->rsv |= claim->bits;
    header->length = 77;
    return 0;
}

struct pair {
    struct claim claims[2];
    struct fastws_extension extensions[2];
    struct end end;
};

static void open_with(struct pair *pair, enum fastws_role role, uint8_t first_bits, uint8_t second_bits) {
    *pair = (struct pair){.claims = {{.bits = first_bits, .is_every_frame = 1}, {.bits = second_bits}}};
    for (int i = 0; i < 2; i++)
        pair->extensions[i] = (struct fastws_extension){claim_receive, claim_send, &pair->claims[i]};
    end_prepare(&pair->end, role);
    pair->end.config.extensions = pair->extensions;
    pair->end.config.extension_count = 2;
    end_open(&pair->end);
}

static struct fastws_event last_event(const struct end *end, size_t len) {
    struct fastws_event event;
    memcpy(&event, end->log.bytes.ptr + end->log.bytes.len - len - sizeof event, sizeof event);
    return event;
}

/* ---- Receiving ---- */

static void bits_that_are_claimed_pass_and_are_handed_out(void **state) {
    (void)state;
    for (enum fastws_role role = SERVER; role <= CLIENT; role++)
        for (int delivery = 0; delivery < 3; delivery++) {
            struct pair pair;
            open_with(&pair, role, FASTWS_RSV2, FASTWS_RSV1);
            assert_int_equal(fastws_conn_set_delivery(pair.end.conn, delivery), 0);
            end_receive_frame(&pair.end, 0x61, "one ", 4); /* RSV1 and RSV2 */
            end_receive_frame(&pair.end, 0xa0, "two", 3);  /* RSV2 */
            assert_int_equal(pair.end.last, 0);
            struct fastws_event event = last_event(&pair.end, delivery == FASTWS_DELIVER_MESSAGES ? 7 : 3);
            assert_int_equal(event.rsv, delivery == FASTWS_DELIVER_MESSAGES ? FASTWS_RSV1 | FASTWS_RSV2 : FASTWS_RSV2);
            assert_int_equal(pair.claims[0].received, 2);
            assert_int_equal(pair.claims[1].received, 2);
            assert_int_equal(pair.claims[1].last.rsv, 0); /* the first has cleared what it claims */
            assert_int_equal(pair.claims[1].last.length, 3);
            end_close(&pair.end);
        }
}

/* gobwas/ws lets every bit pass once anything was negotiated. */
static void bits_that_nobody_claims_are_refused(void **state) {
    (void)state;
    const unsigned firsts[] = {0x91, 0xd1, 0xf2, 0x31};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct pair pair;
        open_with(&pair, SERVER, FASTWS_RSV2, FASTWS_RSV1);
        end_receive_frame(&pair.end, firsts[i], "x", 1);
        assert_int_equal(pair.end.last, FASTWS_ERR_RSV);
        assert_int_equal(fastws_conn_close_sent(pair.end.conn), 1002);
        end_close(&pair.end);
    }
    struct pair pair;
    open_with(&pair, SERVER, FASTWS_RSV2, FASTWS_RSV1);
    end_receive_frame(&pair.end, 0x41, "x", 1);
    end_receive_frame(&pair.end, 0xc0, "x", 1); /* RSV1 is claimed on first frames only */
    assert_int_equal(pair.end.last, FASTWS_ERR_RSV);
    end_close(&pair.end);
}

static void control_frames_have_no_bits(void **state) {
    (void)state;
    struct pair pair;
    open_with(&pair, SERVER, FASTWS_RSV1 | FASTWS_RSV2 | FASTWS_RSV3, 0);
    end_receive_frame(&pair.end, 0x89, "fine", 4);
    assert_int_equal(pair.end.last, 0);
    end_receive_frame(&pair.end, 0xc9, "ping", 4);
    assert_int_equal(pair.end.last, FASTWS_ERR_RSV);
    assert_int_equal(pair.claims[0].received, 0);
    end_close(&pair.end);
}

static void other_rules_are_asked_before_extensions(void **state) {
    (void)state;
    struct pair pair;
    open_with(&pair, SERVER, FASTWS_RSV1, 0);
    end_receive_frame(&pair.end, 0xc0, "x", 1);
    assert_int_equal(pair.end.last, FASTWS_ERR_CONTINUATION_UNEXPECTED);
    assert_int_equal(pair.claims[0].received, 0);
    end_close(&pair.end);
}

static void what_an_extension_refuses_fails_the_connection(void **state) {
    (void)state;
    const int errors[][2] = {{FASTWS_ERR_MESSAGE_TOO_LARGE, FASTWS_ERR_MESSAGE_TOO_LARGE},
                             {FASTWS_ERR_ARGUMENT, FASTWS_ERR_EXTENSION}, /* no close code tells the peer that */
                             {-5000, FASTWS_ERR_EXTENSION}};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct pair pair;
        open_with(&pair, SERVER, 0, 0);
        pair.claims[1].error = errors[i][0];
        end_receive_frame(&pair.end, 0x81, "x", 1);
        assert_int_equal(pair.end.last, errors[i][1]);
        assert_int_equal(fastws_conn_close_sent(pair.end.conn), fastws_error_close_code(errors[i][1]));
        end_close(&pair.end);
    }
}

static void functions_may_be_missing(void **state) {
    (void)state;
    struct pair pair;
    open_with(&pair, SERVER, 0, 0);
    pair.extensions[0] = pair.extensions[1] = (struct fastws_extension){NULL, NULL, NULL};
    end_receive_frame(&pair.end, 0x81, "hello", 5);
    assert_int_equal(pair.end.log.count, 1);
    assert_int_equal(fastws_conn_send(pair.end.conn, 1, "hello", 5), 0);
    expect_only_sent(&pair.end, 0x81, "hello", 5);
    pair.end.config.extensions = NULL;
    assert_int_equal(fastws_conn_reset(pair.end.conn, &pair.end.config), FASTWS_ERR_ARGUMENT);
    end_close(&pair.end);
}

/* Also of what has been received, and not handed out. */
static void may_be_given_to_a_running_connection(void **state) {
    (void)state;
    struct pair pair;
    open_with(&pair, SERVER, FASTWS_RSV2, FASTWS_RSV1);
    struct fastws_conn_config plain = pair.end.config;
    plain.extension_count = 0;
    assert_int_equal(fastws_conn_set_config(pair.end.conn, &plain), 0);
    assert_int_equal(fastws_conn_send(pair.end.conn, 1, "plain", 5), 0);
    expect_only_sent(&pair.end, 0x81, "plain", 5);
    struct bytes wire = {0};
    put_text(&wire, SERVER, "asked about");
    put_frame(&wire, SERVER, 0xa1, "RSV2", 4);
    struct fastws_event event;
    assert_int_equal(fastws_conn_feed(pair.end.conn, wire.ptr, wire.len), 0);
    assert_int_equal(fastws_conn_set_config(pair.end.conn, &pair.end.config), 0);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(fastws_conn_next(pair.end.conn, &event, 1), 1);
        assert_int_equal(pair.claims[0].received, i);
    }
    assert_int_equal(event.rsv, FASTWS_RSV2);
    assert_int_equal(fastws_conn_send(pair.end.conn, 1, "marked", 6), 0);
    expect_only_sent(&pair.end, 0xe1, "marked", 6);
    bytes_free(&wire);
    end_close(&pair.end);
}

/* ---- Sending ---- */

static void bits_are_set_on_every_kind_of_send(void **state) {
    (void)state;
    for (enum fastws_role role = SERVER; role <= CLIENT; role++) {
        struct pair pair;
        open_with(&pair, role, FASTWS_RSV3, FASTWS_RSV1);
        struct fastws_conn *conn = pair.end.conn;
        uint8_t *large = make_payload(5000, 2);
        struct fastws_prepared *prepared;
        assert_int_equal(fastws_prepared_new(NULL, 2, large, 5000, &prepared), 0);
        assert_int_equal(fastws_conn_send(conn, 1, "short", 5), 0);
        assert_int_equal(fastws_conn_send(conn, 2, large, 5000), 0);
        assert_int_equal(fastws_conn_send_prepared(conn, prepared), 0);
        fastws_prepared_release(prepared);
        assert_int_equal(fastws_conn_ping(conn, "ping", 4), 0);
        assert_int_equal(fastws_conn_begin(conn, 1), 0);
        assert_int_equal(fastws_conn_write(conn, "a", 1), 0);
        assert_int_equal(fastws_conn_flush_fragment(conn), 0);
        assert_int_equal(fastws_conn_finish(conn), 0);
        end_drain(&pair.end, 1000);
        size_t off = 0;
        expect_sent(&pair.end, &off, 0xd1, "short", 5);
        expect_sent(&pair.end, &off, 0xd2, large, 5000);
        expect_sent(&pair.end, &off, 0xd2, large, 5000);
        expect_sent(&pair.end, &off, 0x89, "ping", 4);
        expect_sent(&pair.end, &off, 0x51, "a", 1);
        expect_sent(&pair.end, &off, 0x90, "", 0);
        assert_int_equal(off, pair.end.sent.len);
        assert_int_equal(pair.claims[0].sent, 5);
        free(large);
        end_close(&pair.end);
    }
}

/* gobwas/ws never comes back from a large write whose extension fails. */
static void what_an_extension_refuses_is_not_sent(void **state) {
    (void)state;
    struct pair pair;
    open_with(&pair, SERVER, 0, 0);
    struct fastws_conn *conn = pair.end.conn;
    uint8_t *large = make_payload(100000, 2);
    pair.claims[0].error = FASTWS_ERR_EXTENSION;
    assert_int_equal(fastws_conn_send(conn, 1, "short", 5), FASTWS_ERR_EXTENSION);
    assert_int_equal(fastws_conn_send(conn, 2, large, 100000), FASTWS_ERR_EXTENSION);
    assert_int_equal(fastws_conn_begin(conn, 2), 0);
    assert_int_equal(fastws_conn_write(conn, large, 100000), FASTWS_ERR_EXTENSION);
    expect_nothing_sent(&pair.end);
    fastws_conn_abandon(conn);
    pair.claims[0].error = 0;
    assert_int_equal(fastws_conn_send(conn, 1, "short", 5), 0);
    expect_only_sent(&pair.end, 0x81, "short", 5);
    free(large);
    end_close(&pair.end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_that_are_claimed_pass_and_are_handed_out),
        cmocka_unit_test(bits_that_nobody_claims_are_refused),
        cmocka_unit_test(control_frames_have_no_bits),
        cmocka_unit_test(other_rules_are_asked_before_extensions),
        cmocka_unit_test(what_an_extension_refuses_fails_the_connection),
        cmocka_unit_test(functions_may_be_missing),
        cmocka_unit_test(may_be_given_to_a_running_connection),
        cmocka_unit_test(bits_are_set_on_every_kind_of_send),
        cmocka_unit_test(what_an_extension_refuses_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
