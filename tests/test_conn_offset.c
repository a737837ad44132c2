/* SPDX-License-Identifier: MIT */
/* Each refusal says where in the peer's bytes it is: the same place however they were received. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/error.h>

#include "support.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

/* Bytes of a peer that end in a refusal. They come behind a good message. */
struct refusal {
    const char *bytes;
    size_t len;
    int error;
    uint64_t at;      /* where in them the error is */
    uint64_t in_text; /* and where in the message or reason */
};

#define BYTES(literal) literal, sizeof literal - 1
/* For a server every frame is masked with a key of four zeros: M. */
#define M "\x00\x00\x00\x00"
#define PING "\x89\x82" M "hi" /* 8 bytes, in front of what goes wrong */

static const struct refusal by_server[] = {
    {BYTES("\x83\x80" M), FASTWS_ERR_OPCODE_RESERVED, 0, 0},
    {BYTES(PING "\x83\x80" M), FASTWS_ERR_OPCODE_RESERVED, 8, 0},
    {BYTES(PING "\x8b\x80" M), FASTWS_ERR_OPCODE_RESERVED, 8, 0},
    {BYTES(PING "\xc1\x80" M), FASTWS_ERR_RSV, 8, 0},                                     /* RSV1 on text */
    {BYTES("\x01\x81" M "x\xc0\x80" M), FASTWS_ERR_RSV, 7, 0},                            /* and on a continuation */
    {BYTES(PING "\xc9\x80" M), FASTWS_ERR_RSV, 8, 0},                                     /* and on a ping */
    {BYTES(PING "\x81\x00"), FASTWS_ERR_MASK_REQUIRED, 8, 0},
    {BYTES(PING "\x82\xfe\x00\x7d" M), FASTWS_ERR_LEN_FORM, 8, 0},                        /* 125 in 16 bits */
    {BYTES(PING "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff" M), FASTWS_ERR_LEN_FORM, 8, 0}, /* 65535 in 64 bits */
    {BYTES(PING "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00" M), FASTWS_ERR_LEN_MSB, 8, 0},  /* 2^63 */
    {BYTES(PING "\x09\x80" M), FASTWS_ERR_CONTROL_FRAGMENTED, 8, 0},
    {BYTES(PING "\x89\xfe\x00\x7e" M), FASTWS_ERR_CONTROL_LEN, 8, 0},                     /* a ping of 126 */
    {BYTES("\x02\x81" M "x\x82\x80" M), FASTWS_ERR_CONTINUATION_EXPECTED, 7, 0},
    {BYTES("\x82\x81" M "x\x80\x80" M), FASTWS_ERR_CONTINUATION_UNEXPECTED, 7, 0},
    {BYTES(PING "\x88\x81" M "\x03"), FASTWS_ERR_CLOSE_LEN, 8, 0},
    {BYTES(PING "\x88\x82" M "\x00\x00"), FASTWS_ERR_CLOSE_CODE_UNUSED, 8, 0},
    {BYTES(PING "\x88\x82" M "\x03\xec"), FASTWS_ERR_CLOSE_CODE_MEANING, 8, 0},           /* 1004 */
    {BYTES(PING "\x88\x82" M "\x03\xed"), FASTWS_ERR_CLOSE_CODE_RESERVED, 8, 0},          /* 1005 */
    {BYTES(PING "\x88\x82" M "\x0b\xb7"), FASTWS_ERR_CLOSE_CODE_UNKNOWN, 8, 0},           /* 2999 */
    {BYTES(PING "\x88\x82" M "\x13\x88"), FASTWS_ERR_CLOSE_CODE_RANGE, 8, 0},             /* 5000 */
    {BYTES(PING "\x88\x85" M "\x03\xe8" "ab\xff"), FASTWS_ERR_CLOSE_UTF8, 8 + 8 + 2, 2},
    {BYTES("\x88\x84" M "\x03\xe8" "\xe2\x82"), FASTWS_ERR_CLOSE_UTF8, 8 + 2, 2},         /* ends inside a character */
    {BYTES(PING "\x81\x83" M "ab\xff"), FASTWS_ERR_UTF8, 8 + 6 + 2, 2},
    {BYTES("\x81\x83" M "a\xe2\x82"), FASTWS_ERR_UTF8, 9, 3},                             /* ends inside a character */
    {BYTES("\x81\xfd" M "a\xc0"), FASTWS_ERR_UTF8, 7, 1},                                 /* of 125 bytes, 2 here */
    {BYTES("\x01\x82" M "a\xe2" PING "\x80\x83" M "\x82\xac\xff"), FASTWS_ERR_UTF8, 8 + 8 + 6 + 2, 4},
    {BYTES(PING "\x82\xff\x00\x00\x00\x00\x01\x00\x00\x01" M), FASTWS_ERR_FRAME_TOO_LARGE, 8, 0},
    {BYTES("\x02\x81" M "x\x80\xff\x00\x00\x00\x00\x01\x00\x00\x00" M), FASTWS_ERR_MESSAGE_TOO_LARGE, 7, 0},
};

static const struct refusal by_client[] = {
    {BYTES("\x81\x80" M), FASTWS_ERR_MASK_UNEXPECTED, 0, 0},
    {BYTES("\x01\x01x\x80\x80" M), FASTWS_ERR_MASK_UNEXPECTED, 3, 0},
    {BYTES("\x89\x01x\x81\x7e\x00\x7d"), FASTWS_ERR_LEN_FORM, 3, 0},
    {BYTES("\x81\x7d" "abc\xf5"), FASTWS_ERR_UTF8, 5, 3},
    {BYTES("\x88\x04\x03\xe8" "a\xff"), FASTWS_ERR_CLOSE_UTF8, 5, 1},
};

/* Receives all that there is, and returns the error event, which must be there. */
static struct fastws_event receive_to_error(struct end *end, const struct bytes *wire, size_t step) {
    end_receive_in_steps(end, wire, step);
    struct fastws_event event = {0};
    assert_true(end->last < 0);
    assert_true(end->log.bytes.len >= sizeof event);
    memcpy(&event, end->log.bytes.ptr + end->log.bytes.len - sizeof event, sizeof event);
    assert_int_equal(event.kind, FASTWS_EVENT_ERROR);
    return event;
}

static void expect_place(struct end *end, const struct refusal *refusal, size_t step) {
    enum fastws_role role = (enum fastws_role)end->config.role;
    end_open(end);
    struct bytes wire = {0};
    put_text(&wire, role, "good");
    size_t good_len = wire.len;
    bytes_put(&wire, refusal->bytes, refusal->len);
    struct fastws_event event = receive_to_error(end, &wire, step);
    assert_int_equal(event.error, refusal->error);
    assert_int_equal(event.close_code, fastws_error_close_code(refusal->error));
    assert_int_equal(event.error_offset, refusal->in_text);
    /* end_receive() has compared this with what the event said. */
    assert_int_equal(fastws_conn_offset(end->conn), good_len + refusal->at);
    bytes_free(&wire);
    end_close(end);
}

static void expect_places(enum fastws_role role, const struct refusal *refusals, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t step = 1; step <= 64; step++) { /* 64: all of them whole */
            for (int input = 0; input < INPUTS; input++) {
                for (unsigned delivery = 0; delivery <= FASTWS_DELIVER_STREAM; delivery++) {
                    struct end end;
                    end_prepare(&end, role);
                    end.input = (enum input)input;
                    end.config.delivery = (uint8_t)delivery;
                    expect_place(&end, &refusals[i], step);
                }
            }
        }
    }
}

static void a_server_says_where_each_refusal_is(void **state) {
    (void)state;
    expect_places(SERVER, by_server, COUNT_OF(by_server));
}

static void a_client_says_where_each_refusal_is(void **state) {
    (void)state;
    expect_places(CLIENT, by_client, COUNT_OF(by_client));
}

/* ---- What depends on the configuration ---- */

static int refuse_all(void *context, struct fastws_header *header) {
    (void)context;
    (void)header;
    return FASTWS_ERR_EXTENSION;
}

static void expect_place_with(const struct fastws_conn_config *config, const struct refusal *refusal) {
    for (size_t step = 1; step <= 64; step++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.config = *config;
        expect_place(&end, refusal, step);
    }
}

static void limits_and_extensions_say_which_frame(void **state) {
    (void)state;
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, SERVER);
    config.limits.max_fragments = 2;
    config.limits.max_empty_fragments = 1;
    const struct refusal fragments = {BYTES("\x02\x81" M "x\x00\x81" M "x\x80\x81" M "x"),
                                      FASTWS_ERR_TOO_MANY_FRAGMENTS, 14, 0};
    const struct refusal empty = {BYTES("\x02\x80" M "\x80\x80" M), FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS, 6, 0};
    expect_place_with(&config, &fragments);
    expect_place_with(&config, &empty);
    fastws_conn_config_init(&config, SERVER);
    config.is_header_checked = 0;
    const struct refusal control = {BYTES(PING "\x89\xfe\x00\x7e" M), FASTWS_ERR_CONTROL_LEN, 8, 0};
    expect_place_with(&config, &control);
}

static void an_extension_that_refuses_has_its_frame_named(void **state) {
    (void)state;
    const struct fastws_extension extension = {.receive = refuse_all};
    struct end end;
    end_prepare(&end, SERVER);
    end.config.extensions = &extension;
    end.config.extension_count = 1;
    end_open(&end);
    struct bytes wire = {0};
    bytes_put(&wire, PING "\xc1\x80" M, 14);
    struct fastws_event event = receive_to_error(&end, &wire, SIZE_MAX);
    assert_int_equal(event.error, FASTWS_ERR_EXTENSION);
    assert_int_equal(fastws_conn_offset(end.conn), 8);
    bytes_free(&wire);
    end_close(&end);
}

/* ---- What is no refusal ---- */

static void the_end_of_the_stream_says_what_was_taken_apart(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    struct bytes wire = {0};
    bytes_put(&wire, PING "\x82\x83" M "x" /* 2 are missing */, 15);
    end_receive(&end, wire.ptr, wire.len);
    fastws_conn_eof(end.conn);
    struct fastws_event event;
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(event.error, FASTWS_ERR_UNEXPECTED_EOF);
    assert_int_equal(event.stream_offset, 15);
    assert_int_equal(event.error_offset, 0);
    assert_int_equal(fastws_conn_offset(end.conn), 15);
    bytes_free(&wire);
    end_close(&end);
}

/* What comes behind the refusal is never looked at, and counts for nothing. */
static void bytes_behind_a_refusal_do_not_count(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    struct bytes wire = {0};
    bytes_put(&wire, PING "\x83\x80" M "and much more", 8 + 6 + 13);
    struct fastws_event event = receive_to_error(&end, &wire, SIZE_MAX);
    assert_int_equal(event.error, FASTWS_ERR_OPCODE_RESERVED);
    struct fastws_event none;
    assert_int_equal(fastws_conn_next(end.conn, &none, 1), FASTWS_ERR_OPCODE_RESERVED);
    assert_int_equal(fastws_conn_offset(end.conn), 8);
    bytes_free(&wire);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_says_where_each_refusal_is),
        cmocka_unit_test(a_client_says_where_each_refusal_is),
        cmocka_unit_test(limits_and_extensions_say_which_frame),
        cmocka_unit_test(an_extension_that_refuses_has_its_frame_named),
        cmocka_unit_test(the_end_of_the_stream_says_what_was_taken_apart),
        cmocka_unit_test(bytes_behind_a_refusal_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
