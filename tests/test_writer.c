/* SPDX-License-Identifier: MIT */
/* What is sent comes out byte for byte: copied, borrowed, masked, owned, in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

#include "sending.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

static const enum fastws_role roles[] = {SERVER, CLIENT};

static void open_as(struct end *end, enum fastws_role role) {
    end_prepare(end, role);
    end_open(end);
}

/* ---- Copied and borrowed ---- */

static void sends_messages_of_every_form(void **state) {
    (void)state;
    const size_t lengths[] = {0, 1, 125, 126, 127, 4095, 4096, 16380, 16384, 65535, 65536, 65537, 200000, 1 << 20};
    for (size_t role = 0; role < 2; role++)
        for (size_t i = 0; i < COUNT_OF(lengths); i++) {
            struct end end;
            struct bytes expected = {0};
            open_as(&end, roles[role]);
            uint8_t *payload = make_payload(lengths[i], 3);
            uint8_t *untouched = make_payload(lengths[i], 3);
            send_and_note(&end, &expected, payload, lengths[i]);
            end_drain(&end, SIZE_MAX);
            expect_stream(&end, &expected);
            assert_memory_equal(payload, untouched, lengths[i]);
            assert_int_equal(fastws_conn_pending_len(end.conn), 0);
            free(payload);
            free(untouched);
            bytes_free(&expected);
            end_close(&end);
        }
}

static int is_listed(struct end *end, const uint8_t *payload, size_t len) {
    struct fastws_iovec pieces[4];
    int count = fastws_conn_pending(end->conn, pieces, 4);
    for (int i = 0; i < count; i++)
        if (pieces[i].base == payload && pieces[i].len == len) return 1;
    return 0;
}

static void borrows_payloads_from_4096_bytes_up(void **state) {
    (void)state;
    struct end end;
    struct bytes expected = {0};
    open_as(&end, SERVER);
    uint8_t *payload = make_payload(5000, 4);
    send_and_note(&end, &expected, payload, 4095);
    memset(payload, 0, 4095); /* the caller has it back at once */
    assert_false(is_listed(&end, payload, 4095));
    send_and_note(&end, &expected, payload, 4096);
    assert_true(is_listed(&end, payload, 4096));
    assert_int_equal(fastws_conn_own(end.conn), 0);
    assert_false(is_listed(&end, payload, 4096));
    free(payload);
    end_drain(&end, SIZE_MAX);
    expect_stream(&end, &expected);
    bytes_free(&expected);
    end_close(&end);
}

static void one_write_takes_all_messages_of_a_batch(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        open_as(&end, roles[role]);
        uint8_t *payload = make_payload(60000, 5);
        struct fastws_iovec pieces[16];
        for (int i = 0; i < 64; i++)
            assert_int_equal(fastws_conn_send(end.conn, 2, payload, 64), 0);
        assert_int_equal(fastws_conn_pending(end.conn, pieces, 16), 1);
        assert_int_equal(pieces[0].len, fastws_conn_pending_len(end.conn));
        assert_int_equal(fastws_conn_sent(end.conn, pieces[0].len), 0);
        assert_int_equal(fastws_conn_pending(end.conn, pieces, 16), 0);
        assert_int_equal(fastws_conn_send(end.conn, 2, payload, 60000), 0); /* header and payload */
        assert_int_equal(fastws_conn_pending(end.conn, pieces, 16), 2);
        assert_int_equal(pieces[0].len + pieces[1].len, fastws_conn_pending_len(end.conn));
        free(payload);
        end_close(&end);
    }
}

static void a_client_masks_large_messages_in_pieces_of_a_slab(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, CLIENT);
    end.pool_config.slab_len = 4099; /* the key has to be turned from piece to piece */
    end_open(&end);
    struct bytes expected = {0};
    uint8_t *payload = make_payload(100000, 6);
    send_and_note(&end, &expected, payload, 100000);
    struct fastws_iovec pieces[8];
    int count;
    while ((count = fastws_conn_pending(end.conn, pieces, 8)) > 0) {
        size_t len = 0;
        for (int i = 0; i < count; i++) {
            bytes_put(&end.sent, pieces[i].base, pieces[i].len);
            len += pieces[i].len;
        }
        assert_true(len <= 4099 + 14);
        assert_int_equal(fastws_conn_sent(end.conn, len), 0);
    }
    expect_stream(&end, &expected);
    assert_true(end.memory.largest < 24 * 1024); /* the pool */
    free(payload);
    bytes_free(&expected);
    end_close(&end);
}

/* A slab that is mostly empty would be held for the little that is in it. */
static void small_fragments_hold_no_slab_each(void **state) {
    (void)state;
    enum { FRAGMENTS = 12, LEN = 4096, SLAB = 64 * 1024 };
    struct end end;
    end_prepare(&end, SERVER);
    end.pool_config.slab_len = SLAB;
    end.config.fragment_len = LEN;
    end_open(&end);
    uint8_t *payload = make_payload(LEN, 8);
    assert_int_equal(fastws_conn_begin(end.conn, FASTWS_OPCODE_BINARY), 0);
    for (int i = 0; i < 2 * FRAGMENTS; i++) { /* halves are gathered in a slab */
        assert_int_equal(fastws_conn_write(end.conn, payload + i % 2 * LEN / 2, LEN / 2), 0);
    }
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    assert_int_equal(fastws_conn_pending_len(end.conn), FRAGMENTS * (4 + LEN));
    assert_true(end.memory.peak < 4 * SLAB);
    struct bytes expected = {0};
    for (int i = 0; i < FRAGMENTS; i++) {
        unsigned first = (i == 0 ? 2u : 0u) | (i == FRAGMENTS - 1 ? 0x80u : 0u);
        put_frame(&expected, CLIENT, first, payload, LEN);
    }
    end_drain(&end, SIZE_MAX);
    expect_stream(&end, &expected);
    free(payload);
    bytes_free(&expected);
    end_close(&end);
}

/* ---- Short writes ---- */

/* Queues one of everything. Returns the payload that was borrowed. */
static uint8_t *queue_mixture(struct end *end, struct bytes *expected) {
    uint8_t *payload = make_payload(40000, 7);
    send_and_note(end, expected, payload, 3);
    send_and_note(end, expected, payload, 5000);
    send_and_note(end, expected, payload + 11, 4096);
    send_and_note(end, expected, payload, 0);
    assert_int_equal(fastws_conn_ping(end->conn, "ping", 4), 0);
    put_frame(expected, CLIENT, 0x89, "ping", 4);
    for (size_t i = 0; i < 10; i++)
        send_and_note(end, expected, payload + i, 3000 + i); /* more than the cork holds */
    send_and_note(end, expected, payload, 40000);
    assert_int_equal(fastws_conn_close(end->conn, 1000, "bye", 3), 0);
    put_frame(expected, CLIENT, 0x88, "\x03\xe8" "bye", 5);
    return payload;
}

static void short_writes_of_any_size_give_the_same_bytes(void **state) {
    (void)state;
    const size_t steps[] = {SIZE_MAX, 1, 2, 3, 5, 17, 1000, 4095, 4096, 4097, 30000};
    for (size_t role = 0; role < 2; role++) {
        struct bytes first = {0};
        for (size_t i = 0; i < COUNT_OF(steps); i++) {
            struct end end;
            struct bytes expected = {0};
            end_prepare(&end, roles[role]);
            end.pool_config.slab_len = i % 2 ? 4096 : 65536;
            end_open(&end);
            uint8_t *payload = queue_mixture(&end, &expected);
            end_drain(&end, steps[i]);
            if (i == 0) bytes_put(&first, end.sent.ptr, end.sent.len);
            assert_int_equal(end.sent.len, first.len);
            assert_memory_equal(end.sent.ptr, first.ptr, first.len);
            expect_stream(&end, &expected);
            free(payload);
            bytes_free(&expected);
            end_close(&end);
        }
        bytes_free(&first);
    }
}

static void what_is_owned_at_any_point_no_longer_needs_its_caller(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++)
        for (size_t cut = 0; cut < 80000; cut += cut < 40 ? 1 : 397) {
            struct end end;
            struct bytes expected = {0};
            end_prepare(&end, roles[role]);
            end.pool_config.slab_len = 4096;
            end_open(&end);
            uint8_t *payload = queue_mixture(&end, &expected);
            send_some(&end, cut);
            uint64_t pending_len = fastws_conn_pending_len(end.conn);
            assert_int_equal(fastws_conn_own(end.conn), 0);
            assert_int_equal(fastws_conn_pending_len(end.conn), pending_len);
            memset(payload, 0x5a, 40000);
            free(payload);
            end_drain(&end, 5001);
            expect_stream(&end, &expected);
            bytes_free(&expected);
            end_close(&end);
        }
}

static void counts_what_was_sent_against_what_was_listed(void **state) {
    (void)state;
    struct end end;
    open_as(&end, SERVER);
    struct fastws_iovec pieces[4];
    assert_int_equal(fastws_conn_sent(end.conn, 0), 0);
    assert_int_equal(fastws_conn_sent(end.conn, 1), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_send(end.conn, 1, "text", 4), 0);
    assert_int_equal(fastws_conn_sent(end.conn, 1), FASTWS_ERR_ARGUMENT); /* not listed yet */
    assert_int_equal(fastws_conn_pending(end.conn, pieces, 4), 1);
    assert_int_equal(fastws_conn_send(end.conn, 1, "more", 4), 0);
    assert_int_equal(fastws_conn_sent(end.conn, 7), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_pending_len(end.conn), 12);
    assert_int_equal(fastws_conn_sent(end.conn, 2), 0);
    assert_int_equal(fastws_conn_sent(end.conn, 5), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_sent(end.conn, 4), 0);
    assert_int_equal(fastws_conn_pending_len(end.conn), 6);
    end_close(&end);
}

/* ---- Masking keys ---- */

static void keys_come_from_the_source_given(void **state) {
    (void)state;
    struct end end;
    open_as(&end, CLIENT);
    struct keys keys = end.keys;
    uint8_t key[4];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fastws_conn_send(end.conn, 1, "\0\0\0\0", 4), 0);
        assert_int_equal(keys.random.fill(&keys, key, 4), 0);
        end.sent.len = 0;
        end_drain(&end, SIZE_MAX);
        assert_int_equal(end.sent.len, 10);
        assert_memory_equal(end.sent.ptr, "\x81\x84", 2);
        assert_memory_equal(end.sent.ptr + 2, key, 4);
        assert_memory_equal(end.sent.ptr + 6, key, 4);
    }
    end_close(&end);
}

static void without_a_key_a_client_sends_nothing(void **state) {
    (void)state;
    struct end end;
    open_as(&end, CLIENT);
    end.keys.error = FASTWS_ERR_RANDOM;
    assert_int_equal(fastws_conn_send(end.conn, 1, "text", 4), FASTWS_ERR_RANDOM);
    assert_int_equal(fastws_conn_ping(end.conn, "ping", 4), FASTWS_ERR_RANDOM);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), FASTWS_ERR_RANDOM);
    assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_OPEN);
    expect_nothing_sent(&end);
    end_receive_frame(&end, 0x89, "ping", 4); /* the pong cannot be sent: the connection fails, after the event */
    assert_int_equal(end.log.count, 2);
    assert_int_equal(end.last, FASTWS_ERR_RANDOM);
    expect_nothing_sent(&end);
    end_close(&end);
}

/* The first message of a batch moves what another connection has queued: the rest of it needs no memory. */
static void batches_of_connections_take_turns_in_the_cork(void **state) {
    (void)state;
    struct end end;
    struct fastws_conn *other = end_open_beside_cork(&end, FASTWS_ROLE_SERVER, "ab");
    struct fastws_iovec iov[2];
    assert_int_equal(fastws_conn_send(other, 2, "cd", 2), 0);
    uint64_t calls = end.memory.calls;
    for (int i = 0; i < 100; i++) assert_int_equal(fastws_conn_send(end.conn, 2, "xy", 2), 0);
    assert_true(end.memory.calls <= calls + 1);
    assert_int_equal(fastws_conn_pending(end.conn, iov, 2), 1);
    assert_int_equal(iov[0].len, 100 * 4);
    /* FIN binary, length 2, payload. */
    for (size_t i = 0; i < 100; i++) assert_memory_equal((const uint8_t *)iov[0].base + 4 * i, "\x82\x02xy", 4);
    assert_int_equal(fastws_conn_sent(end.conn, 100 * 4), 0);
    assert_int_equal(fastws_conn_pending(other, iov, 2), 1);
    assert_int_equal(iov[0].len, 8);
    assert_memory_equal(iov[0].base, "\x82\x02\x61\x62\x82\x02\x63\x64", 8);
    assert_int_equal(fastws_conn_sent(other, 8), 0);
    assert_int_equal(fastws_conn_pending_len(other), 0);
    fastws_conn_free(other);
    end_close(&end);
}

/* Without memory for that nothing is sent, and nothing is lost. */
static void a_batch_waits_for_memory_where_another_has_the_cork(void **state) {
    (void)state;
    struct end end;
    struct fastws_conn *other = end_open_beside_cork(&end, FASTWS_ROLE_SERVER, "ab");
    end.memory.fail_at = end.memory.calls + 1;
    end.memory.fail_on = 1;
    assert_int_equal(fastws_conn_send(end.conn, 2, "xy", 2), FASTWS_ERR_NOMEM);
    assert_int_equal(fastws_conn_pending_len(end.conn), 0);
    assert_int_equal(fastws_conn_pending_len(other), 4);
    end.memory.fail_at = 0;
    end.memory.fail_on = 0;
    assert_int_equal(fastws_conn_send(end.conn, 2, "xy", 2), 0);
    assert_int_equal(fastws_conn_pending_len(end.conn), 4);
    fastws_conn_free(other);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_messages_of_every_form),
        cmocka_unit_test(borrows_payloads_from_4096_bytes_up),
        cmocka_unit_test(one_write_takes_all_messages_of_a_batch),
        cmocka_unit_test(a_client_masks_large_messages_in_pieces_of_a_slab),
        cmocka_unit_test(small_fragments_hold_no_slab_each),
        cmocka_unit_test(short_writes_of_any_size_give_the_same_bytes),
        cmocka_unit_test(what_is_owned_at_any_point_no_longer_needs_its_caller),
        cmocka_unit_test(counts_what_was_sent_against_what_was_listed),
        cmocka_unit_test(keys_come_from_the_source_given),
        cmocka_unit_test(without_a_key_a_client_sends_nothing),
        cmocka_unit_test(batches_of_connections_take_turns_in_the_cork),
        cmocka_unit_test(a_batch_waits_for_memory_where_another_has_the_cork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
