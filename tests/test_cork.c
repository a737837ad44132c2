/* SPDX-License-Identifier: MIT */
/* The cork: what it cannot hold goes behind it, what is listed stays, and connections take it from each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kernels/guard.h"
#include "sampling.h"
#include "sending.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

static const enum fastws_role roles[] = {SERVER, CLIENT};

static void open_as(struct end *end, enum fastws_role role) {
    end_prepare(end, role);
    end_open(end);
}

static void queues_more_chunks_and_bytes_than_the_cork_holds(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++)
        for (size_t round = 0; round < 3; round++) {
            struct end end;
            struct bytes expected = {0};
            open_as(&end, roles[role]);
            uint8_t *payload = make_payload(5000, 8);
            for (size_t i = 0; i < 300; i++) {
                if (round != 1) send_and_note(&end, &expected, payload + i, 4100);
                if (round != 0) send_and_note(&end, &expected, payload + i, 700);
            }
            end_drain(&end, round == 2 ? 999 : SIZE_MAX);
            expect_stream(&end, &expected);
            free(payload);
            bytes_free(&expected);
            end_close(&end);
        }
}

/* Payloads end at a page that nobody may read. Keys come from a script, and as in real life: 602 of them make three
 * batches of random bytes. */
static void short_messages_of_every_length_come_out_whole(void **state) {
    (void)state;
    enum { LEN_MAX = 300 };
    uint8_t *payload = guard_alloc_end(LEN_MAX), copy[LEN_MAX];
    fill_pattern(payload, LEN_MAX, 5);
    memcpy(copy, payload, LEN_MAX);
    for (size_t round = 0; round < 4; round++) {
        struct end end;
        struct bytes expected = {0};
        end_prepare(&end, roles[round % 2]);
        if (round >= 2) end.pool_config.random = NULL;
        end_open(&end);
        for (size_t i = 0; i <= 2 * LEN_MAX + 1; i++) {
            size_t len = i % (LEN_MAX + 1);
            send_and_note(&end, &expected, payload + LEN_MAX - len, len);
            if (i % 3 == 0) end_drain(&end, SIZE_MAX);
        }
        end_drain(&end, SIZE_MAX);
        expect_stream(&end, &expected);
        assert_memory_equal(payload, copy, LEN_MAX);
        bytes_free(&expected);
        end_close(&end);
    }
    guard_free(payload, LEN_MAX);
}

static void queueing_more_does_not_move_what_is_listed(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++)
        for (size_t before = 0; before < 70; before += 3) {
            struct end end;
            struct bytes expected = {0}, listed = {0}, again = {0};
            struct fastws_iovec pieces[200];
            open_as(&end, roles[role]);
            uint8_t *payload = make_payload(9000, 9);
            for (size_t i = 0; i < before; i++)
                send_and_note(&end, &expected, payload, i % 5 == 0 ? 4500 : 300);
            int count = fastws_conn_pending(end.conn, pieces, 200);
            assert_true(count >= 0);
            for (int i = 0; i < count; i++)
                bytes_put(&listed, pieces[i].base, pieces[i].len);
            for (size_t i = 0; i < 100; i++)
                send_and_note(&end, &expected, payload, i % 7 == 0 ? 8000 : 200);
            for (int i = 0; i < count; i++)
                bytes_put(&again, pieces[i].base, pieces[i].len);
            assert_int_equal(listed.len, again.len);
            if (listed.len > 0) assert_memory_equal(listed.ptr, again.ptr, listed.len);
            bytes_put(&end.sent, again.ptr, again.len);
            assert_int_equal(fastws_conn_sent(end.conn, again.len), 0);
            end_drain(&end, SIZE_MAX);
            expect_stream(&end, &expected);
            bytes_free(&expected);
            bytes_free(&listed);
            bytes_free(&again);
            free(payload);
            end_close(&end);
        }
}

/* ---- Connections that share a pool ---- */

enum { SHARERS = 3, BORROWED_MAX = 64 };

/* One of them, with the payloads that it has borrowed. */
struct sharer {
    struct end end;
    struct bytes expected;
    uint8_t *borrowed[BORROWED_MAX];
    int borrowed_count;
};

static void give_back(struct sharer *sharer) {
    while (sharer->borrowed_count > 0)
        free(sharer->borrowed[--sharer->borrowed_count]);
}

static void do_anything(struct sharer *sharer, uint32_t *state) {
    static const size_t lengths[] = {10, 600, 4095, 4096, 9000, 70000};
    struct end *end = &sharer->end;
    uint32_t what = next_random(state) % 16;
    if (what < 9 && sharer->borrowed_count < BORROWED_MAX) {
        size_t len = lengths[next_random(state) % COUNT_OF(lengths)];
        uint8_t *payload = make_payload(len, next_random(state));
        send_and_note(end, &sharer->expected, payload, len);
        sharer->borrowed[sharer->borrowed_count++] = payload;
    } else if (what < 14) {
        send_some(end, next_random(state) % 30000);
    } else {
        assert_int_equal(fastws_conn_own(end->conn), 0);
        give_back(sharer);
    }
    if (fastws_conn_pending_len(end->conn) == 0) give_back(sharer);
}

static void connections_of_one_pool_do_not_mix_their_bytes(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 300; seed += sample_step()) {
        uint32_t random = seed;
        struct sharer sharers[SHARERS] = {0};
        for (int i = 0; i < SHARERS; i++) {
            struct end *end = &sharers[i].end;
            end_prepare(end, (seed + (uint32_t)i) % 3 ? CLIENT : SERVER);
            end->pool_config.slab_len = 4096;
            if (i == 0) end_open(end);
            end->pool = sharers[0].end.pool;
            if (i > 0) assert_int_equal(fastws_conn_new(&end->config, end->pool, &end->conn), 0);
        }
        for (int i = 0; i < 60; i++)
            do_anything(&sharers[next_random(&random) % SHARERS], &random);
        for (int i = SHARERS - 1; i >= 0; i--) {
            end_drain(&sharers[i].end, 7777);
            expect_stream(&sharers[i].end, &sharers[i].expected);
            give_back(&sharers[i]);
            bytes_free(&sharers[i].expected);
            if (i > 0) fastws_conn_free(sharers[i].end.conn);
            if (i > 0) bytes_free(&sharers[i].end.sent);
        }
        end_close(&sharers[0].end);
    }
}

static void a_connection_that_is_freed_leaves_the_cork_to_others(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        struct bytes expected = {0};
        open_as(&end, roles[role]);
        struct fastws_conn *other;
        uint8_t *payload = make_payload(9000, 10);
        struct fastws_iovec pieces[2];
        assert_int_equal(fastws_conn_new(&end.config, end.pool, &other), 0);
        assert_int_equal(fastws_conn_send(other, 2, payload, 9000), 0);
        assert_int_equal(fastws_conn_pending(other, pieces, 2), 2); /* a client's piece is a slab of the pool */
        fastws_conn_free(other);
        free(payload);
        send_and_note(&end, &expected, (const uint8_t *)"mine", 4);
        end_drain(&end, SIZE_MAX);
        expect_stream(&end, &expected);
        bytes_free(&expected);
        end_close(&end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_more_chunks_and_bytes_than_the_cork_holds),
        cmocka_unit_test(short_messages_of_every_length_come_out_whole),
        cmocka_unit_test(queueing_more_does_not_move_what_is_listed),
        cmocka_unit_test(connections_of_one_pool_do_not_mix_their_bytes),
        cmocka_unit_test(a_connection_that_is_freed_leaves_the_cork_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
