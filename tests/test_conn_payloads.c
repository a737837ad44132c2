/* SPDX-License-Identifier: MIT */
/* Payloads by their length: each way of copying one that is sent, and large ones that are dropped half way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

#include "sending.h"

enum { LEN_MAX = 300, FRAME_LEN = 300000 };

/* Sends payloads of all lengths, so many at a time, each from memory that ends where it ends. Short ones used to be
 * tested from 32 bytes on only. */
static void expect_all_lengths(enum fastws_role role, size_t batch) {
    struct end end;
    end_prepare(&end, role);
    end_open(&end);
    struct bytes expected = {0};
    for (size_t len = 0; len <= LEN_MAX; len++) {
        uint8_t *payload = malloc(len ? len : 1);
        assert_non_null(payload);
        fill_pattern(payload, len, (uint32_t)len);
        send_and_note(&end, &expected, payload, len);
        memset(payload, 0, len);
        free(payload);
        if (len % batch == 0) end_drain(&end, SIZE_MAX);
    }
    end_drain(&end, SIZE_MAX);
    expect_stream(&end, &expected);
    bytes_free(&expected);
    end_close(&end);
}

static void sends_short_payloads_of_every_length(void **state) {
    (void)state;
    const size_t batches[] = {1, 2, 7, LEN_MAX + 1};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        expect_all_lengths(FASTWS_ROLE_SERVER, batches[i]);
        expect_all_lengths(FASTWS_ROLE_CLIENT, batches[i]);
    }
}

/* A message whose second frame is so large that it is received into a block of its own, then another message. */
static void put_large_fragment(struct bytes *wire) {
    uint8_t *payload = make_payload(FRAME_LEN, 1);
    put_frame(wire, FASTWS_ROLE_SERVER, 0x02, "first", 5);
    put_frame(wire, FASTWS_ROLE_SERVER, 0x80, payload, FRAME_LEN);
    put_frame(wire, FASTWS_ROLE_SERVER, 0x82, "next", 4);
    free(payload);
}

/* Brings in what fits, and does not ask for events. Returns how much that was. */
static size_t fill(struct end *end, const uint8_t *src, size_t len) {
    void *ptr;
    size_t cap;
    assert_int_equal(fastws_conn_space(end->conn, &ptr, &cap), 0);
    if (len > cap) len = cap;
    memcpy(ptr, src, len);
    assert_int_equal(fastws_conn_filled(end->conn, len), 0);
    return len;
}

/* What had come of the frame was dropped, looked at or not; what is still to come has to be. */
static void drops_a_large_frame_wherever_it_is_discarded(void **state) {
    (void)state;
    struct bytes wire = {0};
    put_large_fragment(&wire);
    for (size_t begin = 20; begin < FRAME_LEN; begin += 16667) {
        size_t cut = begin;
        struct end end;
        end_prepare(&end, FASTWS_ROLE_SERVER);
        end.config.delivery = FASTWS_DELIVER_FRAGMENTS;
        end_open(&end);
        assert_int_equal(end_receive(&end, wire.ptr, cut), cut);
        assert_int_equal(end.log.count, 1); /* the first frame */
        if (begin % 2) cut += fill(&end, wire.ptr + cut, wire.len - cut);
        assert_int_equal(fastws_conn_discard(end.conn), 0);
        assert_int_equal(fastws_conn_discard(end.conn), FASTWS_ERR_STATE);
        log_free(&end.log);
        end_receive(&end, wire.ptr + cut, wire.len - cut);
        struct log expected = {0};
        struct fastws_event next = {.kind = FASTWS_EVENT_CHUNK,
                                    .opcode = 2,
                                    .flags = FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST | FASTWS_EVENT_FRAME |
                                             FASTWS_EVENT_FIN,
                                    .ptr = (const uint8_t *)"next",
                                    .len = 4};
        log_event(&expected, &next);
        assert_logs_equal(&end.log, &expected);
        assert_int_equal(fastws_conn_offset(end.conn), wire.len);
        log_free(&expected);
        end_close(&end);
    }
    bytes_free(&wire);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_short_payloads_of_every_length),
        cmocka_unit_test(drops_a_large_frame_wherever_it_is_discarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
