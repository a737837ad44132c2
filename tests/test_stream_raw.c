/* SPDX-License-Identifier: MIT */
/* Tests of raw frames over a stream: exact bytes, errors, and messages and frames in turn. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <fastws/error.h>

#include "scripted_io.h"

static uint8_t out[1 << 16];
static struct fastws_conn_config config;

static int setup(void **state) {
    (void)state;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    return 0;
}

static struct fastws_stream *open_over(struct script *script, int has_wait) {
    script->out = out;
    script->out_cap = sizeof out;
    struct fastws_io io = script_io(script);
    if (has_wait) io.wait = script_wait;
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), 0);
    return stream;
}

static void expect_text(struct fastws_stream *stream, const char *text) {
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(event.len, strlen(text));
    assert_memory_equal(event.ptr, text, strlen(text));
}

static void expect_frame(struct fastws_stream *stream, int header_len, unsigned opcode, const char *payload) {
    struct fastws_header header;
    char bytes[16];
    assert_int_equal(fastws_stream_read_header(stream, &header), header_len);
    assert_int_equal(header.opcode, opcode);
    assert_int_equal(header.length, strlen(payload));
    assert_int_equal(fastws_stream_read_exactly(stream, bytes, strlen(payload)), 0);
    if (header.masked) fastws_mask(bytes, bytes, strlen(payload), header.key, 0);
    assert_memory_equal(bytes, payload, strlen(payload));
}

static void messages_and_raw_frames_take_turns_without_loss(void **state) {
    (void)state;
    static const uint8_t in[] = {
        0x81, 0x81, 0, 0, 0, 0, 'a',                         /* read as a message */
        0x82, 0x82, 1, 2, 3, 4, 'b' ^ 1, 'c' ^ 2,            /* read as a raw frame */
        0x89, 0x01, 'p',                                     /* read as a raw frame: a ping without mask */
        0x01, 0x81, 0, 0, 0, 0, 'd', 0x80, 0x81, 0, 0, 0, 0, 'e', /* read as a message of two fragments */
        0x82, 0x80, 1, 2, 3, 4,                              /* read as a raw frame without payload */
        0x81, 0x81, 0, 0, 0, 0, 'f',                         /* read as a message */
    };
    for (size_t slice = 0; slice <= sizeof in; slice++) {
        for (int mode = 0; mode < 3; mode++) {
            struct script script = {.in = in, .in_len = sizeof in, .slice = slice, .is_again_due = mode == 2};
            struct fastws_stream *stream = open_over(&script, mode > 0);
            struct fastws_header header;
            struct fastws_event event;
            expect_text(stream, "a");
            expect_frame(stream, 6, FASTWS_OPCODE_BINARY, "bc");
            expect_frame(stream, 2, FASTWS_OPCODE_PING, "p");
            expect_text(stream, "de");
            expect_frame(stream, 6, FASTWS_OPCODE_BINARY, "");
            expect_text(stream, "f");
            assert_int_equal(fastws_stream_read_header(stream, &header), FASTWS_ERR_EOF);
            assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_EOF);
            assert_int_equal(script.writes, 0); /* a raw ping is the caller's to answer */
            fastws_stream_free(stream);
        }
    }
}

static void refuses_raw_reads_inside_a_message(void **state) {
    (void)state;
    static const uint8_t in[] = {0x01, 0x81, 0, 0, 0, 0, 'a', 0x89, 0x80, 0, 0, 0, 0, 0x80, 0x81, 0, 0, 0, 0, 'b'};
    struct script script = {.in = in, .in_len = sizeof in};
    struct fastws_stream *stream = open_over(&script, 1);
    struct fastws_event event;
    struct fastws_header header;
    uint8_t byte;
    assert_int_equal(fastws_stream_read_message(stream, &event), 0);
    assert_int_equal(event.kind, FASTWS_EVENT_PING); /* a fragment has come, the message has not ended */
    assert_int_equal(fastws_stream_read_header(stream, &header), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_read_exactly(stream, &byte, 1), FASTWS_ERR_STATE);
    expect_text(stream, "ab");
    fastws_stream_free(stream);
}

static void hands_out_headers_that_break_other_rules(void **state) {
    (void)state;
    static const uint8_t reserved[] = {0xf3, 0x00}; /* RSV bits, opcode 3: the form is fine */
    struct fastws_header header;
    struct script script = {.in = reserved, .in_len = sizeof reserved};
    struct fastws_stream *stream = open_over(&script, 1);
    assert_int_equal(fastws_stream_read_header(stream, &header), 2);
    assert_int_equal(header.rsv, 7);
    assert_int_equal(header.opcode, 3);
    assert_int_equal(script.writes, 0);
    fastws_stream_free(stream);
}

/* Expects that each call of the stream returns the error that has stopped it, and writes nothing more. */
static void expect_stopped(struct fastws_stream *stream, const struct script *script, int error) {
    size_t written = script->out_len;
    struct fastws_header header;
    struct fastws_event event;
    uint8_t byte;
    assert_int_equal(fastws_stream_read_header(stream, &header), error);
    assert_int_equal(fastws_stream_read_exactly(stream, &byte, 1), error);
    assert_int_equal(fastws_stream_read_data(stream, &event), error);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "m", 1), error);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), error);
    assert_int_equal(script->out_len, written);
}

/* The next header used to be looked for in the middle of the frame, and the peer was told nothing. */
static void a_header_of_bad_form_fails_the_connection(void **state) {
    (void)state;
    static const struct {
        uint8_t in[16];
        size_t len;
        int error;
    } cases[] = {
        {{0x82, 0xfe, 0x00, 0x7d, 0x81, 0x80, 0, 0, 0, 0}, 10, FASTWS_ERR_LEN_FORM},  /* 125 in 16 bits; a frame */
        {{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x81, 0x80, 0, 0, 0, 0}, 16, FASTWS_ERR_LEN_FORM}, /* in 64 bits */
        {{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0}, 16, FASTWS_ERR_LEN_MSB},     /* 2^63 */
    };
    for (size_t i = 0; i < 3 * sizeof cases / sizeof cases[0]; i++) {
        int error = cases[i / 3].error, is_told = i % 3 != 2;
        const char *reason = fastws_error_text(error);
        struct fastws_conn_config silent = config;
        silent.is_close_automatic = 0;
        struct script script = {.in = cases[i / 3].in, .in_len = cases[i / 3].len, .slice = i % 3 == 1 ? 1 : 0};
        struct fastws_stream *stream = open_over(&script, 1);
        struct fastws_io again = script_io(&script);
        if (!is_told) assert_int_equal(fastws_stream_reset(stream, &again, &silent, NULL, 0), 0);
        struct fastws_header header;
        assert_int_equal(fastws_stream_read_header(stream, &header), error);
        uint8_t told[2 + FASTWS_CONTROL_MAX];
        memcpy(told + 4, reason, strlen(reason));
        memcpy(told, (uint8_t[]){0x88, (uint8_t)(2 + strlen(reason)), 1002 >> 8, 1002 & 255}, 4);
        assert_int_equal(script.out_len, is_told ? 4 + strlen(reason) : 0);
        assert_memory_equal(out, told, script.out_len);
        expect_stopped(stream, &script, error);

        script = (struct script){.in = (const uint8_t *)"\x82\x80\1\2\3\4", .in_len = 6};
        script.out = out;
        script.out_cap = sizeof out;
        assert_int_equal(fastws_stream_reset(stream, &again, &config, NULL, 0), 0);
        expect_frame(stream, 6, FASTWS_OPCODE_BINARY, "");
        fastws_stream_free(stream);
    }
}

static void reports_where_a_raw_frame_was_cut(void **state) {
    (void)state;
    static const uint8_t in[] = {0x82, 0xfe, 0x00, 0x7e, 1, 2, 3, 4, 'x', 'y'}; /* 126 bytes announced, 2 sent */
    for (size_t cut = 0; cut < sizeof in; cut++) {
        for (int is_failure = 0; is_failure <= 1; is_failure++) {
            struct script script = {.in = in, .in_len = cut, .after = is_failure ? FASTWS_IO_FAILED : 0};
            struct fastws_stream *stream = open_over(&script, 1);
            struct fastws_header header;
            uint8_t payload[126];
            int error = fastws_stream_read_header(stream, &header);
            if (cut >= 8) {
                assert_int_equal(error, 8);
                error = fastws_stream_read_exactly(stream, payload, sizeof payload);
            }
            int expected = cut % 8 == 0 ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF;
            assert_int_equal(error, is_failure ? FASTWS_ERR_IO : expected);
            fastws_stream_free(stream);
        }
    }
}

static void writes_frames_as_they_are_told(void **state) {
    (void)state;
    static const uint8_t written[] = {
        0x02, 0x03, 'a', 'b', 'c',                    /* header, then payload in two writes */
        0xf3, 0x82, 1, 2, 3, 4, 'd', 'e',             /* a frame that breaks every rule, in one write */
        0x80, 0x00,                                   /* an empty frame */
        'r', 'a', 'w',                                /* bytes */
        0x81, 0x01, 'm',                              /* a message */
    };
    const struct fastws_header first = {.opcode = FASTWS_OPCODE_BINARY, .length = 3};
    const struct fastws_header bad = {.fin = 1, .rsv = 7, .opcode = 3, .masked = 1, .key = {1, 2, 3, 4}, .length = 2};
    const struct fastws_header last = {.fin = 1};
    for (size_t piece = 0; piece < 4; piece++) {
        struct script script = {.piece = piece};
        struct fastws_stream *stream = open_over(&script, 1);
        assert_int_equal(fastws_stream_write_header(stream, &first), 0);
        assert_int_equal(fastws_stream_write(stream, "a", 1), 0);
        assert_int_equal(fastws_stream_write(stream, NULL, 0), 0);
        assert_int_equal(fastws_stream_write(stream, "bc", 2), 0);
        int writes = script.writes;
        assert_int_equal(fastws_stream_write_frame(stream, &bad, "de"), 0);
        if (piece == 0) assert_int_equal(script.writes, writes + 1);
        assert_int_equal(fastws_stream_write_frame(stream, &last, NULL), 0);
        assert_int_equal(fastws_stream_write(stream, "raw", 3), 0);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "m", 1), 0);
        assert_int_equal(script.out_len, sizeof written);
        assert_memory_equal(out, written, sizeof written);
        fastws_stream_free(stream);
    }
}

/* More than was announced used to pass, into the header of the next frame. */
static void payload_beyond_what_a_header_announced_is_refused(void **state) {
    (void)state;
    static const uint8_t written[] = {0x82, 0x03, 'a', 'b', 'c', 0x81, 0x01, 'm'};
    const struct fastws_header header = {.fin = 1, .opcode = FASTWS_OPCODE_BINARY, .length = 3};
    struct script script = {0};
    struct fastws_stream *stream = open_over(&script, 1);
    assert_int_equal(fastws_stream_write_header(stream, &header), 0);
    assert_int_equal(fastws_stream_write(stream, "abcd", 4), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_stream_write(stream, "a", 1), 0);
    assert_int_equal(fastws_stream_write(stream, "bcd", 3), FASTWS_ERR_ARGUMENT);
    assert_int_equal(script.out_len, 3);
    assert_int_equal(fastws_stream_write(stream, "bc", 2), 0);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "m", 1), 0);
    assert_int_equal(script.out_len, sizeof written);
    assert_memory_equal(out, written, sizeof written);
    fastws_stream_free(stream);
}

static void refuses_headers_that_cannot_be_written(void **state) {
    (void)state;
    const struct fastws_header header = {.opcode = 16};
    struct script script = {0};
    struct fastws_stream *stream = open_over(&script, 1);
    assert_int_equal(fastws_stream_write_header(stream, &header), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_stream_write_frame(stream, &header, NULL), FASTWS_ERR_ARGUMENT);
    assert_int_equal(script.writes, 0);
    fastws_stream_free(stream);
}

static void nothing_comes_between_a_raw_header_and_its_payload(void **state) {
    (void)state;
    static const uint8_t in[] = {0x89, 0x81, 0, 0, 0, 0, 'p', 0x81, 0x80, 0, 0, 0, 0}; /* a ping, a message */
    static const uint8_t written[] = {0x82, 0x02, 'a', 'b', 0x8a, 0x01, 'p'};
    const struct fastws_header header = {.fin = 1, .opcode = FASTWS_OPCODE_BINARY, .length = 2};
    struct script script = {.in = in, .in_len = sizeof in};
    struct fastws_stream *stream = open_over(&script, 1);
    assert_int_equal(fastws_stream_write_header(stream, &header), 0);
    expect_text(stream, "");
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "m", 1), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_ping(stream, NULL, 0), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_write_header(stream, &header), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_write(stream, "a", 1), 0);
    assert_int_equal(script.out_len, 3);
    assert_int_equal(fastws_stream_write(stream, "b", 1), 0);
    assert_int_equal(script.out_len, sizeof written); /* the pong follows at once */
    assert_memory_equal(out, written, sizeof written);
    fastws_stream_free(stream);
}

/* Three pings whose pongs pass the limit, then a message. */
static const uint8_t flood[] = {0x89, 0x81, 0, 0, 0, 0, 'p', 0x89, 0x81, 0, 0, 0, 0, 'p',
                                0x89, 0x81, 0, 0, 0, 0, 'p', 0x81, 0x81, 0, 0, 0, 0, 'm'};
static const struct fastws_header half = {.fin = 1, .opcode = FASTWS_OPCODE_BINARY, .length = 2};

/* It used to spin without end. */
static void who_owes_payload_is_told_when_replies_pile_up(void **state) {
    (void)state;
    config.limits.max_control_pending = 8;
    for (int has_wait = 0; has_wait < 2; has_wait++) {
        struct script script = {.in = flood, .in_len = sizeof flood, .slice = 7};
        struct fastws_stream *stream = open_over(&script, has_wait);
        struct fastws_event event;
        assert_int_equal(fastws_stream_write_header(stream, &half), 0);
        assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_STATE);
        assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_STATE);
        assert_int_equal(fastws_stream_write(stream, "ab", 2), 0);
        expect_text(stream, "m");
        assert_int_equal(script.out_len, 4 + 3 * 3);
        fastws_stream_free(stream);
    }
}

static void *read_message(void *stream) {
    expect_text(stream, "m");
    return NULL;
}

/* It used to wait with the lock in its hands, so that nobody could complete the frame. */
static void a_reader_waits_for_who_owes_payload(void **state) {
    (void)state;
    config.limits.max_control_pending = 8;
    for (int has_wait = 0; has_wait < 2; has_wait++) {
        struct script script = {.in = flood, .in_len = sizeof flood, .slice = 7};
        struct fastws_stream *stream = open_over(&script, has_wait);
        const struct timespec while_reading = {.tv_nsec = 50 * 1000 * 1000};
        pthread_t reader;
        assert_int_equal(fastws_stream_write_header(stream, &half), 0);
        assert_int_equal(pthread_create(&reader, NULL, read_message, stream), 0);
        nanosleep(&while_reading, NULL);
        assert_int_equal(fastws_stream_write(stream, "ab", 2), 0);
        assert_int_equal(pthread_join(reader, NULL), 0);
        assert_int_equal(script.out_len, 4 + 3 * 3);
        fastws_stream_free(stream);
    }
}

static void raw_writes_end_with_the_close_frame_or_a_failure(void **state) {
    (void)state;
    const struct fastws_header header = {.fin = 1, .opcode = FASTWS_OPCODE_BINARY, .length = 2};
    struct script script = {0};
    struct fastws_stream *stream = open_over(&script, 1);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), FASTWS_ERR_EOF);
    assert_int_equal(fastws_stream_write(stream, "a", 1), FASTWS_ERR_CLOSED);
    assert_int_equal(fastws_stream_write_frame(stream, &header, "ab"), FASTWS_ERR_CLOSED);
    assert_int_equal(script.writes, 1);
    fastws_stream_free(stream);

    for (size_t fail_at = 0; fail_at < 4; fail_at++) {
        script = (struct script){.fail_at = fail_at, .failure = FASTWS_IO_FAILED, .piece = 1};
        stream = open_over(&script, 1);
        assert_int_equal(fastws_stream_write_frame(stream, &header, "ab"), FASTWS_ERR_IO);
        assert_int_equal(fastws_stream_write(stream, "a", 1), FASTWS_ERR_IO);
        assert_int_equal(script.out_len, fail_at);
        fastws_stream_free(stream);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_and_raw_frames_take_turns_without_loss),
        cmocka_unit_test(refuses_raw_reads_inside_a_message),
        cmocka_unit_test(hands_out_headers_that_break_other_rules),
        cmocka_unit_test(a_header_of_bad_form_fails_the_connection),
        cmocka_unit_test(reports_where_a_raw_frame_was_cut),
        cmocka_unit_test(writes_frames_as_they_are_told),
        cmocka_unit_test(payload_beyond_what_a_header_announced_is_refused),
        cmocka_unit_test(refuses_headers_that_cannot_be_written),
        cmocka_unit_test(nothing_comes_between_a_raw_header_and_its_payload),
        cmocka_unit_test_setup(who_owes_payload_is_told_when_replies_pile_up, setup),
        cmocka_unit_test_setup(a_reader_waits_for_who_owes_payload, setup),
        cmocka_unit_test_setup(raw_writes_end_with_the_close_frame_or_a_failure, setup),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
