/* SPDX-License-Identifier: MIT */
/* What the tests of sending share: messages that are noted when they are sent, and compared when they have come out. */
#ifndef FWS_TESTS_SENDING_H
#define FWS_TESTS_SENDING_H

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

#include "support.h"

/* Expects that what was sent is this, apart from masks; expected holds unmasked frames. */
static inline void expect_stream(struct end *end, const struct bytes *expected) {
    struct bytes seen = {0};
    for (size_t off = 0; off < end->sent.len;) {
        struct frame frame = take_frame(&end->sent, &off, (enum fastws_role)end->config.role);
        put_frame(&seen, FASTWS_ROLE_CLIENT, frame.first, frame.payload, frame.len);
    }
    assert_int_equal(seen.len, expected->len);
    assert_memory_equal(seen.ptr, expected->ptr, seen.len);
    bytes_free(&seen);
}

/* Sends a binary message, and notes it. */
static inline void send_and_note(struct end *end, struct bytes *expected, const uint8_t *payload, size_t len) {
    uint64_t before = fastws_conn_pending_len(end->conn);
    assert_int_equal(fastws_conn_send(end->conn, 2, payload, len), 0);
    size_t header_len = (len < 126 ? 2u : len < 65536 ? 4u : 10u) + (end->config.role == FASTWS_ROLE_CLIENT ? 4u : 0u);
    assert_int_equal(fastws_conn_pending_len(end->conn), before + header_len + len);
    put_frame(expected, FASTWS_ROLE_CLIENT, 0x82, payload, len);
}

static inline uint8_t *make_payload(size_t len, uint32_t seed) {
    uint8_t *payload = malloc(len + 1);
    assert_non_null(payload);
    fill_pattern(payload, len, seed);
    return payload;
}

/* Sends len bytes of what is pending, at most; end->sent takes them. */
static inline void send_some(struct end *end, size_t len) {
    struct fastws_iovec piece;
    while (len > 0 && fastws_conn_pending(end->conn, &piece, 1) > 0) {
        size_t part = piece.len < len ? piece.len : len;
        bytes_put(&end->sent, piece.base, part);
        assert_int_equal(fastws_conn_sent(end->conn, part), 0);
        len -= part;
    }
}

#endif
