/* SPDX-License-Identifier: MIT */
/* Prepared messages: framed once, sent by reference, held until they are sent, counted across threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/prepared.h>

#include "sending.h"

#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

enum { PEERS = 50 };

static struct fastws_prepared *prepare(struct memory *memory, const void *payload, size_t len) {
    struct fastws_prepared *prepared;
    memory_init(memory);
    assert_int_equal(fastws_prepared_new(&memory->allocator, 2, payload, len, &prepared), 0);
    return prepared;
}

static void knows_what_it_was_made_of(void **state) {
    (void)state;
    struct memory memory;
    struct fastws_prepared *prepared = prepare(&memory, "payload", 7);
    size_t len;
    assert_int_equal(fastws_prepared_opcode(prepared), 2);
    assert_memory_equal(fastws_prepared_payload(prepared, &len), "payload", 7);
    assert_int_equal(len, 7);
    assert_ptr_equal(fastws_prepared_retain(prepared), prepared);
    fastws_prepared_release(prepared);
    assert_true(memory.live > 0);
    fastws_prepared_release(prepared);
    assert_int_equal(memory.live, 0);
    fastws_prepared_release(NULL);
}

static void refuses_what_is_no_message(void **state) {
    (void)state;
    struct memory memory;
    struct fastws_prepared *prepared = NULL;
    memory_init(&memory);
    const int opcodes[] = {-1, 0, 3, 8, 9, 10};
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++)
        assert_int_equal(fastws_prepared_new(NULL, opcodes[i], "x", 1, &prepared), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_prepared_new(NULL, 1, NULL, 1, &prepared), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_prepared_new(NULL, 1, "x", SIZE_MAX, &prepared), FASTWS_ERR_NOMEM);
    memory.fail_at = 1;
    assert_int_equal(fastws_prepared_new(&memory.allocator, 1, "x", 1, &prepared), FASTWS_ERR_NOMEM);
    assert_null(prepared);
}

static void sends_messages_of_every_form(void **state) {
    (void)state;
    const size_t lens[] = {0, 1, 125, 126, 254, 255, 4095, 4096, 65535, 65536, 200000};
    for (enum fastws_role role = SERVER; role <= CLIENT; role++)
        for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
            for (size_t step = 1000; step <= 64000; step *= 8) {
                struct end end;
                struct memory memory;
                uint8_t *payload = make_payload(lens[i], 3);
                struct fastws_prepared *prepared = prepare(&memory, payload, lens[i]);
                struct bytes expected = {0};
                end_prepare(&end, role);
                end_open(&end);
                for (int k = 0; k < 4; k++) { /* the first alone, the others behind something */
                    put_frame(&expected, CLIENT, 0x82, payload, lens[i]);
                    assert_int_equal(fastws_conn_send_prepared(end.conn, prepared), 0);
                    if (k == 1) send_some(&end, lens[i] / 2 + 1);
                    if (k == 2) send_and_note(&end, &expected, payload, lens[i] < 100 ? lens[i] : 100);
                }
                fastws_prepared_release(prepared);
                end_drain(&end, step);
                expect_stream(&end, &expected);
                assert_int_equal(memory.live, 0);
                bytes_free(&expected);
                free(payload);
                end_close(&end);
            }
}

static void a_server_sends_the_shared_bytes_and_allocates_nothing(void **state) {
    (void)state;
    struct end end;
    struct memory memory;
    struct fastws_conn *conns[PEERS];
    struct fastws_iovec pieces[2];
    end_prepare(&end, SERVER);
    end_open(&end);
    for (int i = 0; i < PEERS; i++) assert_int_equal(fastws_conn_new(&end.config, end.pool, &conns[i]), 0);
    struct fastws_prepared *prepared = prepare(&memory, "to all", 6);
    size_t len;
    const uint8_t *shared = fastws_prepared_payload(prepared, &len);
    uint64_t calls = end.memory.calls;
    for (int i = 0; i < PEERS; i++) assert_int_equal(fastws_conn_send_prepared(conns[i], prepared), 0);
    fastws_prepared_release(prepared);
    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(fastws_conn_pending_len(conns[i]), 8);
        assert_int_equal(fastws_conn_pending(conns[i], pieces, 2), 1);
        assert_ptr_equal(pieces[0].base, shared - 2);
        assert_int_equal(fastws_conn_sent(conns[i], 3), 0);
        assert_int_equal(fastws_conn_own(conns[i]), 0);
        assert_int_equal(fastws_conn_pending(conns[i], pieces, 2), 1);
        assert_ptr_equal(pieces[0].base, shared + 1);
        assert_int_equal(end.memory.calls, calls);
        assert_true(memory.live > 0);
        if (i % 2) assert_int_equal(fastws_conn_sent(conns[i], 5), 0);
        fastws_conn_free(conns[i]);
    }
    assert_int_equal(memory.live, 0);
    end_close(&end);
}

/* Behind other bytes it is still not copied, unless it is so short that a reference would take as much. */
static void a_slow_peer_shares_what_waits_for_it(void **state) {
    (void)state;
    struct end end;
    struct memory memory;
    uint8_t *payload = make_payload(100000, 3);
    end_prepare(&end, SERVER);
    end_open(&end);
    struct fastws_prepared *prepared = prepare(&memory, payload, 100000);
    size_t fixed = end.memory.live;
    for (int i = 0; i < 100; i++) assert_int_equal(fastws_conn_send_prepared(end.conn, prepared), 0);
    assert_true(end.memory.live < fixed + 20000);
    assert_true(fastws_conn_pending_len(end.conn) > 10000000);
    fastws_prepared_release(prepared);
    assert_int_equal(fastws_conn_reset(end.conn, NULL), 0);
    assert_int_equal(memory.live, 0);
    free(payload);
    end_close(&end);
}

static void a_client_masks_a_copy_of_it(void **state) {
    (void)state;
    struct end end;
    struct memory memory;
    uint8_t *payload = make_payload(150000, 4);
    struct bytes expected = {0};
    end_prepare(&end, CLIENT);
    end_open(&end);
    struct fastws_prepared *prepared = prepare(&memory, payload, 150000);
    size_t fixed = end.memory.live;
    put_frame(&expected, CLIENT, 0x82, payload, 150000);
    assert_int_equal(fastws_conn_send_prepared(end.conn, prepared), 0);
    send_some(&end, 70000);
    assert_true(end.memory.live < fixed + 66000); /* masked piece by piece */
    end_drain(&end, SIZE_MAX);
    expect_stream(&end, &expected);
    size_t len;
    assert_memory_equal(fastws_prepared_payload(prepared, &len), payload, 150000);
    fastws_prepared_release(prepared);
    assert_int_equal(memory.live, 0);
    bytes_free(&expected);
    free(payload);
    end_close(&end);
}

static void is_not_sent_where_nothing_may_be(void **state) {
    (void)state;
    struct end end;
    struct memory memory;
    struct fastws_prepared *prepared = prepare(&memory, "late", 4);
    end_prepare(&end, SERVER);
    end_open(&end);
    assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
    assert_int_equal(fastws_conn_send_prepared(end.conn, prepared), FASTWS_ERR_CLOSED);
    fastws_prepared_release(prepared);
    assert_int_equal(memory.live, 0);
    end_close(&end);
}

/* ---- Threads ---- */

static void *send_on_own_connection(void *prepared) {
    struct fastws_pool *pool;
    struct fastws_conn *conn;
    struct fastws_conn_config config;
    struct fastws_iovec piece;
    fastws_conn_config_init(&config, SERVER);
    if (fastws_pool_new(NULL, &pool) < 0 || fastws_conn_new(&config, pool, &conn) < 0) return NULL;
    int failures = 0;
    for (int i = 0; i < 2000; i++) {
        failures += fastws_conn_send_prepared(conn, prepared) != 0;
        failures += fastws_conn_pending(conn, &piece, 1) != 1;
        failures += memcmp((const uint8_t *)piece.base + 2, "shared", 6) != 0;
        failures += fastws_conn_sent(conn, piece.len) != 0;
    }
    fastws_conn_free(conn);
    fastws_pool_free(pool);
    fastws_prepared_release(prepared);
    return failures ? NULL : prepared;
}

static void threads_share_it(void **state) {
    (void)state;
    pthread_t threads[4];
    struct fastws_prepared *prepared;
    assert_int_equal(fastws_prepared_new(NULL, 1, "shared", 6, &prepared), 0);
    for (int i = 0; i < 4; i++) {
        void *reference = fastws_prepared_retain(prepared);
        assert_int_equal(pthread_create(&threads[i], NULL, send_on_own_connection, reference), 0);
    }
    fastws_prepared_release(prepared); /* the last thread frees it */
    for (int i = 0; i < 4; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_it_was_made_of),
        cmocka_unit_test(refuses_what_is_no_message),
        cmocka_unit_test(sends_messages_of_every_form),
        cmocka_unit_test(a_server_sends_the_shared_bytes_and_allocates_nothing),
        cmocka_unit_test(a_slow_peer_shares_what_waits_for_it),
        cmocka_unit_test(a_client_masks_a_copy_of_it),
        cmocka_unit_test(is_not_sent_where_nothing_may_be),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
