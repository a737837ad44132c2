/* SPDX-License-Identifier: MIT */
/* Whatever RFC 6455 forbids stops a connection: with its own error, at its place among the messages, told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/error.h>
#include <fastws/header.h>

#include "support.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

/* Bytes that a peer may send, and what they come to. The first message is good. */
struct bad_stream {
    const char *bytes;
    size_t len;
    int error;
    uint64_t offset;
};

#define BYTES(literal) literal, sizeof literal - 1
/* For a server every frame is masked with a key of four zeros: M. */
#define M "\x00\x00\x00\x00"

static const struct bad_stream bad_for_server[] = {
    {BYTES("\x82\xfe\x00\x7d" M), FASTWS_ERR_LEN_FORM, 0},                          /* 16-bit length of 125 */
    {BYTES("\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff" M), FASTWS_ERR_LEN_FORM, 0},  /* 64-bit length of 65535 */
    {BYTES("\x82\xff\x80\x00\x00\x00\x00\x01\x00\x00" M), FASTWS_ERR_LEN_MSB, 0},   /* 64-bit length, top bit set */
    {BYTES("\x83\x80" M), FASTWS_ERR_OPCODE_RESERVED, 0},
    {BYTES("\x87\x80" M), FASTWS_ERR_OPCODE_RESERVED, 0},
    {BYTES("\x8b\x80" M), FASTWS_ERR_OPCODE_RESERVED, 0},
    {BYTES("\x8f\x80" M), FASTWS_ERR_OPCODE_RESERVED, 0},
    {BYTES("\x89\xfe\x00\x7e" M), FASTWS_ERR_CONTROL_LEN, 0},                       /* ping of 126, none of it here */
    {BYTES("\x8a\xfe\x00\x7e" M), FASTWS_ERR_CONTROL_LEN, 0},
    {BYTES("\x88\xfe\x00\x7e" M), FASTWS_ERR_CONTROL_LEN, 0},
    {BYTES("\x09\x80" M), FASTWS_ERR_CONTROL_FRAGMENTED, 0},
    {BYTES("\x08\x80" M), FASTWS_ERR_CONTROL_FRAGMENTED, 0},
    {BYTES("\xc1\x80" M), FASTWS_ERR_RSV, 0},                                       /* RSV1 on text */
    {BYTES("\xa2\x80" M), FASTWS_ERR_RSV, 0},
    {BYTES("\x92\x80" M), FASTWS_ERR_RSV, 0},
    {BYTES("\xc9\x80" M), FASTWS_ERR_RSV, 0},                                       /* RSV1 on ping */
    {BYTES("\x01\x80" M "\xc0\x80" M), FASTWS_ERR_RSV, 0},                          /* RSV1 on continuation */
    {BYTES("\x81\x00"), FASTWS_ERR_MASK_REQUIRED, 0},
    {BYTES("\x82\x7e\x00\x7e"), FASTWS_ERR_MASK_REQUIRED, 0},
    {BYTES("\x89\x00"), FASTWS_ERR_MASK_REQUIRED, 0},
    {BYTES("\x88\x00"), FASTWS_ERR_MASK_REQUIRED, 0},
    {BYTES("\x01\x80" M "\x80\x00"), FASTWS_ERR_MASK_REQUIRED, 0},
    {BYTES("\x01\x80" M "\x81\x80" M), FASTWS_ERR_CONTINUATION_EXPECTED, 0},        /* text inside text */
    {BYTES("\x02\x81" M "x\x02\x80" M), FASTWS_ERR_CONTINUATION_EXPECTED, 0},
    {BYTES("\x80\x80" M), FASTWS_ERR_CONTINUATION_UNEXPECTED, 0},
    {BYTES("\x00\x85" M), FASTWS_ERR_CONTINUATION_UNEXPECTED, 0},
    {BYTES("\x81\x83" M "ab\xff"), FASTWS_ERR_UTF8, 2},
    {BYTES("\x81\xfd" M "a\xc0"), FASTWS_ERR_UTF8, 1},                              /* of 125 bytes, 2 here */
    {BYTES("\x81\x83" M "a\xe2\x82"), FASTWS_ERR_UTF8, 3},                          /* ends inside a character */
    {BYTES("\x01\x82" M "a\xe2\x80\x81" M "\x82"), FASTWS_ERR_UTF8, 3},             /* cut by a frame, and short */
    {BYTES("\x01\x82" M "a\xe2\x00\xa0" M "\x28"), FASTWS_ERR_UTF8, 2},             /* in a frame of 32, 1 here */
    {BYTES("\x01\x82" M "a\xed\x89\x80" M "\x00\xfe\x01\x00" M "\xa0"), FASTWS_ERR_UTF8, 2}, /* a surrogate */
    {BYTES("\x88\x81" M "\x03"), FASTWS_ERR_CLOSE_LEN, 0},
    {BYTES("\x88\x82" M "\x00\x00"), FASTWS_ERR_CLOSE_CODE_UNUSED, 0},
    {BYTES("\x88\x82" M "\x03\xe7"), FASTWS_ERR_CLOSE_CODE_UNUSED, 0},              /* 999 */
    {BYTES("\x88\x82" M "\x03\xec"), FASTWS_ERR_CLOSE_CODE_MEANING, 0},             /* 1004 */
    {BYTES("\x88\x82" M "\x03\xed"), FASTWS_ERR_CLOSE_CODE_RESERVED, 0},            /* 1005 */
    {BYTES("\x88\x82" M "\x03\xee"), FASTWS_ERR_CLOSE_CODE_RESERVED, 0},            /* 1006 */
    {BYTES("\x88\x82" M "\x03\xf7"), FASTWS_ERR_CLOSE_CODE_RESERVED, 0},            /* 1015 */
    {BYTES("\x88\x82" M "\x03\xf8"), FASTWS_ERR_CLOSE_CODE_UNKNOWN, 0},             /* 1016 */
    {BYTES("\x88\x82" M "\x0b\xb7"), FASTWS_ERR_CLOSE_CODE_UNKNOWN, 0},             /* 2999 */
    {BYTES("\x88\x82" M "\x13\x88"), FASTWS_ERR_CLOSE_CODE_RANGE, 0},               /* 5000 */
    {BYTES("\x88\x82" M "\xff\xff"), FASTWS_ERR_CLOSE_CODE_RANGE, 0},               /* 65535 */
    {BYTES("\x88\x85" M "\x03\xe8" "ab\xff"), FASTWS_ERR_CLOSE_UTF8, 2},
    {BYTES("\x88\x84" M "\x03\xe8" "\xe2\x82"), FASTWS_ERR_CLOSE_UTF8, 2},          /* reason ends inside a character */
    {BYTES("\x82\xff\x00\x00\x00\x00\x01\x00\x00\x01" M), FASTWS_ERR_FRAME_TOO_LARGE, 0}, /* 16 MiB and 1 */
};

static const struct bad_stream bad_for_client[] = {
    {BYTES("\x81\x80" M), FASTWS_ERR_MASK_UNEXPECTED, 0},
    {BYTES("\x82\xfe\x00\x7e" M), FASTWS_ERR_MASK_UNEXPECTED, 0},
    {BYTES("\x89\x80" M), FASTWS_ERR_MASK_UNEXPECTED, 0},
    {BYTES("\x01\x00\x80\x80" M), FASTWS_ERR_MASK_UNEXPECTED, 0},
    {BYTES("\x81\x7e\x00\x7d"), FASTWS_ERR_LEN_FORM, 0},
    {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), FASTWS_ERR_LEN_FORM, 0},
    {BYTES("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), FASTWS_ERR_LEN_MSB, 0},
    {BYTES("\x84\x00"), FASTWS_ERR_OPCODE_RESERVED, 0},
    {BYTES("\xc1\x00"), FASTWS_ERR_RSV, 0},
    {BYTES("\x89\x7e\x00\x7e"), FASTWS_ERR_CONTROL_LEN, 0},
    {BYTES("\x0a\x00"), FASTWS_ERR_CONTROL_FRAGMENTED, 0},
    {BYTES("\x80\x00"), FASTWS_ERR_CONTINUATION_UNEXPECTED, 0},
    {BYTES("\x01\x00\x82\x00"), FASTWS_ERR_CONTINUATION_EXPECTED, 0},
    {BYTES("\x81\x7d" "abc\xf5"), FASTWS_ERR_UTF8, 3},
    {BYTES("\x88\x01\x03"), FASTWS_ERR_CLOSE_LEN, 0},
    {BYTES("\x88\x02\x03\xed"), FASTWS_ERR_CLOSE_CODE_RESERVED, 0},
};

/* ---- Each of them ---- */

/* Receives the bytes up to the error event, and answers the messages before it. */
static void receive_and_echo(struct end *end, const struct bytes *wire, size_t cut) {
    struct fastws_event events[EVENTS_CAP_MAX];
    size_t starts[] = {0, cut, wire->len};
    for (int i = 0; i < 2 && end->last >= 0; i++) {
        void *ptr;
        size_t cap, len = starts[i + 1] - starts[i];
        assert_int_equal(fastws_conn_space(end->conn, &ptr, &cap), 0);
        assert_true(cap >= len);
        memcpy(ptr, wire->ptr + starts[i], len);
        assert_int_equal(fastws_conn_filled(end->conn, len), 0);
        while ((end->last = fastws_conn_next(end->conn, events, end->cap)) > 0) {
            for (int k = 0; k < end->last; k++) {
                const struct fastws_event *event = &events[k];
                log_event(&end->log, event);
                /* An error comes alone, and nothing is told to the peer before it is handed out. */
                if (event->kind == FASTWS_EVENT_ERROR) assert_int_equal(end->last, 1);
                if (event->kind != FASTWS_EVENT_MESSAGE) continue;
                assert_int_equal(fastws_conn_close_sent(end->conn), 0);
                assert_int_equal(fastws_conn_send(end->conn, event->opcode, event->ptr, (size_t)event->len), 0);
                end_drain(end, SIZE_MAX);
            }
        }
    }
}

/* Everything but what brings the close frame out returns the error. */
static void expect_stopped(struct end *end, int error) {
    struct fastws_event event;
    void *ptr;
    size_t cap;
    char byte = 0;
    assert_int_equal(fastws_conn_get_state(end->conn), FASTWS_CONN_FAILED);
    assert_int_equal(fastws_conn_next(end->conn, &event, 1), error);
    assert_int_equal(fastws_conn_space(end->conn, &ptr, &cap), error);
    assert_int_equal(fastws_conn_filled(end->conn, 0), error);
    assert_int_equal(fastws_conn_feed(end->conn, &byte, 1), error);
    assert_int_equal(fastws_conn_read_raw(end->conn, &byte, 1), error);
    assert_int_equal(fastws_conn_send(end->conn, 1, "x", 1), error);
    assert_int_equal(fastws_conn_ping(end->conn, "x", 1), error);
    assert_int_equal(fastws_conn_pong(end->conn, "x", 1), error);
    assert_int_equal(fastws_conn_close(end->conn, 1000, "", 0), error);
    assert_int_equal(fastws_conn_own(end->conn), 0);
    assert_int_equal(fastws_conn_deadline_ms(end->conn), end->config.close_timeout_ms);
    assert_int_equal(fastws_conn_is_over(end->conn), 0);
}

/* Takes the next frame that was sent and is no pong: these may go out before the answers to earlier messages. */
static struct frame take_answer(struct end *end, size_t *off) {
    struct frame frame;
    do {
        frame = take_frame(&end->sent, off, (enum fastws_role)end->config.role);
    } while (frame.first == 0x8a);
    return frame;
}

static void expect_echo_then_close(struct end *end, int error) {
    size_t off = 0;
    struct frame echo = take_answer(end, &off);
    assert_int_equal(echo.first, 0x81);
    assert_int_equal(echo.len, 4);
    assert_memory_equal(echo.payload, "good", 4);
    struct frame close = take_answer(end, &off);
    assert_int_equal(close.first, 0x88);
    const uint8_t *body = close.payload;
    assert_int_equal(body[0] << 8 | body[1], fastws_error_close_code(error));
    assert_int_equal(close.len - 2, strlen(fastws_error_text(error)));
    assert_memory_equal(body + 2, fastws_error_text(error), close.len - 2);
    assert_int_equal(off, end->sent.len);
    assert_int_equal(fastws_conn_close_sent(end->conn), fastws_error_close_code(error));
    assert_int_equal(fastws_conn_close_received(end->conn), 0);
}

static void expect_refusal(enum fastws_role role, const struct bad_stream *bad, size_t cut) {
    struct end end;
    end_prepare(&end, role);
    end_open(&end);
    struct bytes wire = {0};
    put_text(&wire, role, "good");
    bytes_put(&wire, bad->bytes, bad->len);
    receive_and_echo(&end, &wire, cut);
    assert_int_equal(end.last, bad->error);
    struct log tail = {0};
    log_error(&tail, bad->error, bad->offset);
    assert_true(end.log.bytes.len > tail.bytes.len);
    struct log seen = tail; /* the last event */
    seen.bytes.ptr = end.log.bytes.ptr + end.log.bytes.len - tail.bytes.len;
    assert_logs_equal(&seen, &tail);
    expect_stopped(&end, bad->error);
    end_drain(&end, 1);
    assert_int_equal(fastws_conn_is_over(end.conn), 1);
    expect_echo_then_close(&end, bad->error);
    log_free(&tail);
    bytes_free(&wire);
    end_close(&end);
}

static void expect_refusals(enum fastws_role role, const struct bad_stream *bad, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t good_len = role == SERVER ? 10 : 6;
        for (size_t cut = 0; cut <= good_len + bad[i].len; cut++)
            expect_refusal(role, &bad[i], cut);
    }
}

static void a_server_refuses_what_breaks_a_rule(void **state) {
    (void)state;
    expect_refusals(SERVER, bad_for_server, COUNT_OF(bad_for_server));
}

static void a_client_refuses_what_breaks_a_rule(void **state) {
    (void)state;
    expect_refusals(CLIENT, bad_for_client, COUNT_OF(bad_for_client));
}

/* Compressed messages have their own errors, and test_deflate_limits.c. */
static int is_wire_or_limit(int error) {
    if (error == FASTWS_ERR_DEFLATE_DATA || error == FASTWS_ERR_DEFLATE_TRUNCATED) return 0;
    return error <= FASTWS_ERR_LEN_FORM && error >= FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS;
}

/* The tables above and the limits below reach every error that a frame can cause. */
static void every_error_of_the_wire_is_reached(void **state) {
    (void)state;
    const int by_limits[] = {FASTWS_ERR_MESSAGE_TOO_LARGE, FASTWS_ERR_TOO_MANY_FRAGMENTS,
                             FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS};
    for (int error = fastws_error_next(0); error != 0; error = fastws_error_next(error)) {
        int is_reached = !is_wire_or_limit(error);
        for (size_t i = 0; i < COUNT_OF(bad_for_server); i++) is_reached |= bad_for_server[i].error == error;
        for (size_t i = 0; i < COUNT_OF(bad_for_client); i++) is_reached |= bad_for_client[i].error == error;
        for (size_t i = 0; i < COUNT_OF(by_limits); i++) is_reached |= by_limits[i] == error;
        if (!is_reached) fail_msg("%s is not reached", fastws_error_name(error));
    }
}

/* ---- UTF-8 at the byte ---- */

/* A text of len bytes with one bad byte, in frames of frame_len: the error comes with that byte. */
static void expect_failure_at(size_t len, size_t bad, size_t frame_len) {
    struct end end;
    end_prepare(&end, SERVER);
    end.pool_config.slab_len = 4096;
    end_open(&end);
    static uint8_t text[100000];
    memset(text, 'a', len);
    text[bad] = 0xff;
    struct bytes wire = {0};
    size_t bad_end = 0;
    for (size_t off = 0; off < len; off += frame_len) {
        size_t part = len - off < frame_len ? len - off : frame_len;
        put_frame(&wire, SERVER, (off == 0 ? 1u : 0u) | (off + part == len ? 0x80u : 0u), text + off, part);
        if (bad >= off && bad < off + part) bad_end = wire.len - (off + part - bad - 1);
    }
    end_receive(&end, wire.ptr, bad_end - 1);
    assert_int_equal(end.last, 0);
    assert_int_equal(end.log.count, 0);
    end_receive(&end, wire.ptr + bad_end - 1, 1);
    struct log expected = {0};
    log_error(&expected, FASTWS_ERR_UTF8, bad);
    assert_logs_equal(&end.log, &expected);
    log_free(&expected);
    bytes_free(&wire);
    end_close(&end);
}

static void bad_text_fails_with_the_very_byte(void **state) {
    (void)state;
    for (size_t bad = 0; bad < 60; bad++) expect_failure_at(60, bad, 17);
    for (size_t bad = 0; bad < 200; bad += 3) expect_failure_at(200, bad, 200);
    for (size_t bad = 3900; bad < 9000; bad += 97) expect_failure_at(9001, bad, 1500); /* over the slab, into a block */
    for (size_t bad = 1; bad < 100000; bad += 9973) expect_failure_at(100000, bad, 100000);
}

static void text_is_taken_unseen_when_it_is_not_to_be_checked(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.config.is_utf8_checked = 0;
    end_open(&end);
    struct bytes wire = {0};
    put_frame(&wire, SERVER, 0x81, "\xff", 1);
    put_frame(&wire, SERVER, 0x01, "\xe2", 1);
    put_frame(&wire, SERVER, 0x80, "a", 1);
    end_receive(&end, wire.ptr, wire.len);
    struct log expected = {0};
    log_message(&expected, 1, "\xff", 1);
    log_message(&expected, 1, "\xe2" "a", 2);
    assert_logs_equal(&end.log, &expected);
    log_free(&expected);
    bytes_free(&wire);
    end_close(&end);
}

/* ---- Limits ---- */

/* Two messages of count fragments of len bytes each: the first is within the limits. What the second one, with one byte
 * or fragment more, comes to. */
static void expect_limit(const struct fastws_limits *limits, int count, size_t len, int more, size_t last_len,
                         int error) {
    struct end end;
    end_prepare(&end, SERVER);
    end.config.limits = *limits;
    end_open(&end);
    struct bytes wire = {0};
    static uint8_t payload[4096];
    for (int message = 0; message < 2; message++) {
        int total = count + (message ? more : 0);
        for (int i = 0; i < total; i++) {
            int is_last = i == total - 1;
            size_t part = message && is_last ? last_len : len;
            put_frame(&wire, SERVER, (i == 0 ? 2u : 0u) | (is_last ? 0x80u : 0u), payload, part);
        }
    }
    end_receive(&end, wire.ptr, wire.len);
    assert_int_equal(end.last, error);
    assert_int_equal(end.log.count, 2); /* two messages, or a message and the error */
    if (error) assert_int_equal(fastws_conn_close_sent(end.conn), 1009);
    bytes_free(&wire);
    end_close(&end);
}

static void limits_are_inclusive_and_zero_is_none(void **state) {
    (void)state;
    const struct fastws_limits none = {0};
    struct fastws_limits limits = none;
    expect_limit(&none, 2000, 0, 100, 0, 0);
    expect_limit(&none, 1, 4096, 0, 4096, 0);
    limits.max_frame = 1000;
    expect_limit(&limits, 1, 1000, 0, 1000, 0);
    expect_limit(&limits, 1, 1000, 0, 1001, FASTWS_ERR_FRAME_TOO_LARGE);
    expect_limit(&limits, 3, 1000, 0, 1001, FASTWS_ERR_FRAME_TOO_LARGE);
    limits = none;
    limits.max_message = 1000;
    expect_limit(&limits, 1, 1000, 0, 1000, 0);
    expect_limit(&limits, 1, 1000, 0, 1001, FASTWS_ERR_MESSAGE_TOO_LARGE);
    expect_limit(&limits, 10, 100, 0, 101, FASTWS_ERR_MESSAGE_TOO_LARGE);
    expect_limit(&limits, 10, 100, 1, 1, FASTWS_ERR_MESSAGE_TOO_LARGE);
    expect_limit(&limits, 10, 100, 1, 0, 0);
    limits = none;
    limits.max_fragments = 5;
    expect_limit(&limits, 5, 3, 0, 3, 0);
    expect_limit(&limits, 5, 3, 1, 3, FASTWS_ERR_TOO_MANY_FRAGMENTS);
    limits = none;
    limits.max_empty_fragments = 4;
    expect_limit(&limits, 4, 0, 1, 9, 0);
    expect_limit(&limits, 4, 0, 1, 0, FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS);
}

/* A length is judged with the header, before any of the payload is there. */
static void a_declared_length_is_judged_at_once(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    end_receive(&end, "\x82\xff\x00\x00\x00\x00\x01\x00\x00\x01" M, 14); /* binary of 16 MiB and 1 byte */
    assert_int_equal(end.last, FASTWS_ERR_FRAME_TOO_LARGE);
    end_close(&end);
}

/* Another configuration holds for what was received and not handed out yet, too. */
static void a_new_configuration_holds_from_the_next_frame_on(void **state) {
    (void)state;
    struct end end;
    struct fastws_conn_config strict, wrong;
    struct fastws_event event;
    uint8_t bytes[] = "\x81\x83" M "abc"   /* text, 3 bytes */
                      "\x81\x81" M "\xff"   /* text that is not UTF-8 */
                      "\x81\x83" M "abc";
    end_prepare(&end, SERVER);
    end.config.is_utf8_checked = 0;
    end_open(&end);
    strict = wrong = end.config;
    strict.limits.max_message = 2;
    wrong.role = CLIENT;
    assert_int_equal(fastws_conn_feed(end.conn, bytes, sizeof bytes - 1), 0);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(fastws_conn_set_config(end.conn, &wrong), FASTWS_ERR_ARGUMENT);
    wrong.size = 0;
    assert_int_equal(fastws_conn_set_config(end.conn, &wrong), FASTWS_ERR_ARGUMENT);
    assert_memory_equal(event.ptr, "abc", 3); /* the view lives on */
    assert_int_equal(fastws_conn_set_config(end.conn, &strict), 0);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(event.kind, FASTWS_EVENT_MESSAGE);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(event.error, FASTWS_ERR_MESSAGE_TOO_LARGE);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_refuses_what_breaks_a_rule),
        cmocka_unit_test(a_client_refuses_what_breaks_a_rule),
        cmocka_unit_test(every_error_of_the_wire_is_reached),
        cmocka_unit_test(bad_text_fails_with_the_very_byte),
        cmocka_unit_test(text_is_taken_unseen_when_it_is_not_to_be_checked),
        cmocka_unit_test(limits_are_inclusive_and_zero_is_none),
        cmocka_unit_test(a_declared_length_is_judged_at_once),
        cmocka_unit_test(a_new_configuration_holds_from_the_next_frame_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
