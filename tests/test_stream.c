/* SPDX-License-Identifier: MIT */
/* Tests of streams over a scripted byte stream: every slicing, every failure, the number of writes. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <fastws/close.h>
#include <fastws/error.h>

#include "scripted_io.h"

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
static uint8_t out[4 << 20];

static struct fastws_conn_config config_of(enum fastws_role role) {
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, role);
    return config;
}

static struct fastws_stream *open_over(struct script *script, const struct fastws_conn_config *config, int has_wait) {
    script->out = out;
    script->out_cap = sizeof out;
    struct fastws_io io = script_io(script);
    if (has_wait) io.wait = script_wait;
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open(&io, config, NULL, 0, &stream), 0);
    return stream;
}

/* ---- Reading ---- */

/* A text, a ping, a fragmented binary message around a ping, an unasked pong, an empty text, a close. */
static const uint8_t conversation[] = {
    0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, /* text "Hello" */
    0x89, 0x81, 0x00, 0x00, 0x00, 0x00, '1',                          /* ping "1" */
    0x02, 0x82, 0x00, 0x00, 0x00, 0x00, 0xca, 0xfe,                   /* binary, not the last fragment */
    0x89, 0x81, 0x00, 0x00, 0x00, 0x00, '2',                          /* ping "2" between */
    0x80, 0x81, 0x00, 0x00, 0x00, 0x00, 0xba,                         /* the last fragment */
    0x8a, 0x80, 0x01, 0x02, 0x03, 0x04,                               /* pong */
    0x81, 0x80, 0x01, 0x02, 0x03, 0x04,                               /* text "" */
    0x88, 0x85, 0x00, 0x00, 0x00, 0x00, 0x03, 0xe8, 'b', 'y', 'e',    /* close 1000 "bye" */
};

/* Pongs to both pings, and the close frame's answer. */
static const uint8_t answers[] = {0x8a, 0x01, '1', 0x8a, 0x01, '2', 0x88, 0x02, 0x03, 0xe8};

static void expect_event(struct fastws_stream *stream, int kind, int opcode, const void *payload, size_t len) {
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_message(stream, &event), 0);
    assert_int_equal(event.kind, kind);
    assert_int_equal(event.opcode, opcode);
    assert_int_equal(event.len, len);
    if (len > 0) assert_memory_equal(event.ptr, payload, len);
}

static void expect_conversation(struct fastws_stream *stream) {
    expect_event(stream, FASTWS_EVENT_MESSAGE, FASTWS_OPCODE_TEXT, "Hello", 5);
    expect_event(stream, FASTWS_EVENT_PING, FASTWS_OPCODE_PING, "1", 1);
    expect_event(stream, FASTWS_EVENT_PING, FASTWS_OPCODE_PING, "2", 1);
    expect_event(stream, FASTWS_EVENT_MESSAGE, FASTWS_OPCODE_BINARY, "\xca\xfe\xba", 3);
    expect_event(stream, FASTWS_EVENT_PONG, FASTWS_OPCODE_PONG, NULL, 0);
    expect_event(stream, FASTWS_EVENT_MESSAGE, FASTWS_OPCODE_TEXT, NULL, 0);
    expect_event(stream, FASTWS_EVENT_CLOSE, FASTWS_OPCODE_CLOSE, "bye", 3);
}

static void reads_the_same_events_however_input_and_output_are_cut(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    for (size_t slice = 0; slice <= sizeof conversation; slice++) {
        for (int mode = 0; mode < 6; mode++) { /* without wait, with it, with FASTWS_IO_AGAIN; long and short writes */
            struct script script = {.in = conversation, .in_len = sizeof conversation, .slice = slice};
            script.is_again_due = mode % 3 == 2;
            script.piece = mode < 3 ? 0 : 1;
            struct fastws_stream *stream = open_over(&script, &config, mode % 3 > 0);
            expect_conversation(stream);
            assert_int_equal(script.out_len, sizeof answers);
            assert_memory_equal(out, answers, sizeof answers);
            struct fastws_event event;
            assert_int_equal(fastws_stream_read_message(stream, &event), FASTWS_ERR_CLOSED);
            assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_CLOSED);
            assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_CLOSED);
            assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
            assert_int_equal(script.shutdowns, 1);
            fastws_stream_free(stream);
            assert_int_equal(script.closes, 1);
            assert_int_equal(script.out_len, sizeof answers);
        }
    }
}

static void read_data_passes_over_pings_and_pongs(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    struct script script = {.in = conversation, .in_len = sizeof conversation};
    struct fastws_stream *stream = open_over(&script, &config, 1);
    static const size_t lens[] = {5, 3, 0};
    struct fastws_event event;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(event.kind, FASTWS_EVENT_MESSAGE);
        assert_int_equal(event.len, lens[i]);
    }
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_CLOSED);
    assert_int_equal(event.kind, FASTWS_EVENT_CLOSE);
    assert_int_equal(event.close_code, 1000);
    fastws_stream_free(stream);
}

static void initial_bytes_come_before_those_of_the_stream(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    for (size_t cut = 0; cut <= sizeof conversation; cut++) {
        struct script script = {.in = conversation + cut, .in_len = sizeof conversation - cut};
        script.out = out;
        script.out_cap = sizeof out;
        struct fastws_io io = script_io(&script);
        struct fastws_stream *stream;
        assert_int_equal(fastws_stream_open(&io, &config, conversation, cut, &stream), 0);
        expect_conversation(stream);
        fastws_stream_free(stream);
    }
}

static void initial_bytes_may_be_more_than_a_slab_holds(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    size_t count = 3, payload_len = 100000, len = 0;
    uint8_t *payload = calloc(1, payload_len);
    uint8_t *initial = malloc(count * (payload_len + FASTWS_HEADER_MAX));
    for (size_t i = 0; i < count; i++) len += script_frame(initial + len, 0x82, payload, payload_len, key);
    struct script script = {0};
    struct fastws_io io = script_io(&script);
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open(&io, &config, initial, len, &stream), 0);
    free(initial);
    for (size_t i = 0; i < count; i++) {
        expect_event(stream, FASTWS_EVENT_MESSAGE, FASTWS_OPCODE_BINARY, payload, payload_len);
    }
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_message(stream, &event), FASTWS_ERR_EOF);
    fastws_stream_free(stream);
    free(payload);
}

static void answers_all_pings_of_one_receive_in_one_write(void **state) {
    (void)state;
    static const uint8_t in[] = {0x89, 0x81, 0, 0, 0, 0, '1', 0x89, 0x81, 0, 0, 0, 0, '2', /* two pings */
                                 0x82, 0x81, 0, 0, 0, 0, 'm', 0x89, 0x80, 0, 0, 0, 0};     /* a message, a ping */
    static const uint8_t pongs[] = {0x8a, 0x01, '1', 0x8a, 0x01, '2', 0x8a, 0x00};
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    struct script script = {.in = in, .in_len = sizeof in};
    struct fastws_stream *stream = open_over(&script, &config, 1);
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(script.writes, 1);
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_EOF);
    assert_int_equal(script.writes, 2);
    assert_int_equal(script.out_len, sizeof pongs);
    assert_memory_equal(out, pongs, sizeof pongs);
    fastws_stream_free(stream);
}

static void a_ping_is_answered_when_its_event_is_returned(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    struct script script = {.in = conversation, .in_len = sizeof conversation};
    struct fastws_stream *stream = open_over(&script, &config, 1);
    expect_event(stream, FASTWS_EVENT_MESSAGE, FASTWS_OPCODE_TEXT, "Hello", 5);
    expect_event(stream, FASTWS_EVENT_PING, FASTWS_OPCODE_PING, "1", 1);
    assert_int_equal(script.out_len, 3);
    expect_event(stream, FASTWS_EVENT_PING, FASTWS_OPCODE_PING, "2", 1);
    assert_int_equal(script.out_len, 6);
    fastws_stream_free(stream);
}

static void tells_the_peer_before_it_returns_an_error(void **state) {
    (void)state;
    static const uint8_t in[] = {0x81, 0x81, 0, 0, 0, 0, 'a', /* text "a" */
                                 0xc1, 0x81, 0, 0, 0, 0, 'b', /* RSV1 that nobody claimed */
                                 0x81, 0x81, 0, 0, 0, 0, 'c'};
    static const uint8_t told[] = {0x81, 0x01, 'a', 0x88}; /* the echo, then a close frame ... */
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    struct script script = {.in = in, .in_len = sizeof in};
    struct fastws_stream *stream = open_over(&script, &config, 1);
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(fastws_stream_write_message(stream, event.opcode, event.ptr, (size_t)event.len), 0);
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_RSV);
    assert_int_equal(event.kind, FASTWS_EVENT_ERROR);
    assert_int_equal(event.close_code, 1002);
    assert_true(script.out_len > 7);
    assert_memory_equal(out, told, sizeof told);
    assert_memory_equal(out + 5, "\x03\xea", 2); /* ... of 1002 */
    size_t out_len = script.out_len;
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_RSV);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_RSV);
    assert_int_equal(fastws_stream_ping(stream, NULL, 0), FASTWS_ERR_RSV);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), FASTWS_ERR_RSV);
    assert_int_equal(script.shutdowns, 1);
    assert_int_equal(script.out_len, out_len);
    fastws_stream_free(stream);
}

static void reports_where_the_input_ended(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    const size_t len = 11; /* the text "Hello" of the conversation */
    for (size_t cut = 0; cut <= len; cut++) {
        for (int is_failure = 0; is_failure <= 1; is_failure++) {
            struct script script = {.in = conversation, .in_len = cut, .after = is_failure ? FASTWS_IO_FAILED : 0};
            struct fastws_stream *stream = open_over(&script, &config, 1);
            struct fastws_event event;
            if (cut == len) assert_int_equal(fastws_stream_read_data(stream, &event), 0);
            int expected = cut % len == 0 ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF;
            if (is_failure) expected = FASTWS_ERR_IO;
            assert_int_equal(fastws_stream_read_data(stream, &event), expected);
            int reads = script.reads;
            assert_int_equal(fastws_stream_read_message(stream, &event), expected);
            assert_int_equal(script.reads, reads);
            fastws_stream_free(stream);
        }
    }
}

static void refuses_what_a_broken_read_function_returns(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    const ptrdiff_t results[] = {FASTWS_IO_AGAIN, -77, 1 << 30}; /* AGAIN without wait; more bytes than asked for */
    for (size_t i = 0; i < 3; i++) {
        struct script script = {.after = results[i]};
        struct fastws_stream *stream = open_over(&script, &config, 0);
        struct fastws_event event;
        assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_IO);
        fastws_stream_free(stream);
    }
}

/* ---- Writing ---- */

static const size_t sizes[] = {0, 1, 125, 126, 4095, 4096, 65535, 65536, 1 << 20};

static void writes_once_per_send(void **state) {
    (void)state;
    uint8_t *payload = malloc(1 << 20), *expected = malloc((1 << 20) + FASTWS_HEADER_MAX);
    for (size_t i = 0; i < 1 << 20; i++) payload[i] = (uint8_t)(i * 7);
    for (int role = FASTWS_ROLE_SERVER; role <= FASTWS_ROLE_CLIENT; role++) {
        struct fastws_conn_config config = config_of((enum fastws_role)role);
        struct script script = {0};
        struct fastws_stream *stream = open_over(&script, &config, 1);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            script.out_len = 0;
            script.writes = 0;
            assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, payload, sizes[i]), 0);
            if (role == FASTWS_ROLE_SERVER || sizes[i] <= 65536) assert_int_equal(script.writes, 1);
            struct fastws_header header;
            int len = fastws_header_parse(&header, out, script.out_len);
            assert_true(len > 0);
            assert_int_equal(header.masked, role == FASTWS_ROLE_CLIENT);
            size_t expected_len = script_frame(expected, 0x82, payload, sizes[i], header.masked ? header.key : NULL);
            assert_int_equal(script.out_len, expected_len);
            assert_memory_equal(out, expected, expected_len);
        }
        script.writes = 0;
        assert_int_equal(fastws_stream_ping(stream, payload, 125), 0);
        assert_int_equal(script.writes, 1);
        assert_int_equal(fastws_stream_ping(stream, payload, 126), FASTWS_ERR_CONTROL_LEN);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_PING, "x", 1), FASTWS_ERR_ARGUMENT);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_CONTINUATION, "x", 1), FASTWS_ERR_ARGUMENT);
        assert_int_equal(script.writes, 1);
        fastws_stream_free(stream);
    }
    free(payload);
    free(expected);
}

static void goes_on_after_short_writes(void **state) {
    (void)state;
    uint8_t payload[5000], expected[sizeof payload + FASTWS_HEADER_MAX];
    memset(payload, 'p', sizeof payload);
    size_t expected_len = script_frame(expected, 0x82, payload, sizeof payload, NULL);
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    for (size_t piece = 1; piece < 5010; piece += piece < 20 ? 1 : 499) {
        for (int is_again_due = 0; is_again_due <= 1; is_again_due++) {
            struct script script = {.piece = piece, .is_again_due = is_again_due};
            struct fastws_stream *stream = open_over(&script, &config, is_again_due);
            assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, payload, sizeof payload), 0);
            assert_int_equal(script.out_len, expected_len);
            assert_memory_equal(out, expected, expected_len);
            fastws_stream_free(stream);
        }
    }
}

/* The payload's page is taken away as soon as the failed send is back. */
static void a_failed_send_gives_the_payload_back(void **state) {
    (void)state;
    size_t page_len = (size_t)sysconf(_SC_PAGESIZE) * 2;
    const ptrdiff_t failures[] = {FASTWS_IO_FAILED, -5, FASTWS_IO_AGAIN}; /* the last where nobody can wait */
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    for (size_t fail_at = 0; fail_at < page_len + 4; fail_at += fail_at < 8 ? 1 : 997) {
        uint8_t *page = mmap(NULL, page_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(page, MAP_FAILED);
        struct script script = {.in = conversation, .in_len = sizeof conversation, .fail_at = fail_at};
        script.failure = failures[fail_at % 3];
        struct fastws_stream *stream = open_over(&script, &config, 0);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, page, page_len), FASTWS_ERR_IO);
        munmap(page, page_len);
        int writes = script.writes;
        script.failure = 0;
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_IO);
        assert_int_equal(fastws_stream_ping(stream, NULL, 0), FASTWS_ERR_IO);
        expect_conversation(stream); /* what the peer said before it left can still be read */
        assert_int_equal(script.writes, writes);
        fastws_stream_free(stream);
    }
}

static void refuses_what_a_broken_write_function_returns(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    const ptrdiff_t results[] = {1 << 30, 4}; /* more bytes than there are */
    for (size_t i = 0; i < 2; i++) {
        struct script script = {.failure = results[i]};
        struct fastws_stream *stream = open_over(&script, &config, 1);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_IO);
        fastws_stream_free(stream);
    }
}

/* ---- Closing ---- */

static void closes_after_dropping_what_was_on_its_way(void **state) {
    (void)state;
    static const uint8_t closed[] = {0x88, 0x05, 0x03, 0xe9, 'b', 'y', 'e'}; /* close 1001 "bye" */
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    struct script script = {.in = conversation, .in_len = sizeof conversation};
    struct fastws_stream *stream = open_over(&script, &config, 1);
    assert_int_equal(fastws_stream_close(stream, 1001, "bye", 3), 0);
    assert_int_equal(script.in_off, sizeof conversation);
    assert_int_equal(script.out_len, sizeof closed); /* and no pong behind it. RFC 6455 5.5.1 */
    assert_memory_equal(out, closed, sizeof closed);
    assert_int_equal(script.writes, 1);
    assert_int_equal(script.shutdowns, 1);
    assert_int_equal(fastws_conn_get_state(fastws_stream_get_conn(stream)), FASTWS_CONN_CLOSED);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
    assert_int_equal(script.writes, 1);
    fastws_stream_free(stream);
}

static void a_client_leaves_the_shutdown_to_the_server(void **state) {
    (void)state;
    static const uint8_t in[] = {0x88, 0x02, 0x03, 0xe8}; /* close 1000, not masked */
    struct fastws_conn_config config = config_of(FASTWS_ROLE_CLIENT);
    struct script script = {.in = in, .in_len = sizeof in};
    struct fastws_stream *stream = open_over(&script, &config, 1);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
    assert_int_equal(script.shutdowns, 0);
    assert_int_equal(script.reads, 2); /* the close frame, and the end that it waited for */
    fastws_stream_free(stream);
}

static void refuses_to_send_bad_close_codes(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    struct script script = {.in = conversation, .in_len = sizeof conversation};
    struct fastws_stream *stream = open_over(&script, &config, 1);
    assert_int_equal(fastws_stream_close(stream, 1006, NULL, 0), FASTWS_ERR_CLOSE_CODE_RESERVED);
    assert_int_equal(fastws_stream_close(stream, 0, NULL, 0), FASTWS_ERR_CLOSE_CODE_UNUSED);
    assert_int_equal(fastws_stream_close(stream, 1000, "\xff", 1), FASTWS_ERR_CLOSE_UTF8);
    assert_int_equal(script.writes, 0);
    expect_conversation(stream);
    fastws_stream_free(stream);
}

static void close_reports_a_stream_that_ends_without_a_close_frame(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    for (size_t cut = 0; cut < 2; cut++) {
        struct script script = {.in = conversation, .in_len = cut};
        struct fastws_stream *stream = open_over(&script, &config, 1);
        assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), cut ? FASTWS_ERR_UNEXPECTED_EOF : FASTWS_ERR_EOF);
        fastws_stream_free(stream);
    }
}

static void an_application_may_answer_closes_itself(void **state) {
    (void)state;
    static const uint8_t answer[] = {0x88, 0x02, 0x03, 0xeb}; /* close 1003 */
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    config.is_close_automatic = 0;
    struct script script = {.in = conversation + sizeof conversation - 11, .in_len = 11}; /* its close frame */
    struct fastws_stream *stream = open_over(&script, &config, 1);
    expect_event(stream, FASTWS_EVENT_CLOSE, FASTWS_OPCODE_CLOSE, "bye", 3);
    assert_int_equal(script.out_len, 0);
    assert_int_equal(fastws_stream_close(stream, 1003, NULL, 0), 0);
    assert_int_equal(script.out_len, sizeof answer);
    assert_memory_equal(out, answer, sizeof answer);
    fastws_stream_free(stream);
}

/* ---- Opening ---- */

static void refuses_to_open_over_half_a_stream(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    struct script script = {0};
    struct fastws_stream *stream = NULL;
    struct fastws_io io = script_io(&script);
    io.read = NULL;
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), FASTWS_ERR_ARGUMENT);
    io = script_io(&script);
    io.writev = NULL;
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), FASTWS_ERR_ARGUMENT);
    io = script_io(&script);
    config.size = 1;
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), FASTWS_ERR_ARGUMENT);
    assert_null(stream);
    assert_int_equal(script.closes, 0); /* the byte stream stays the caller's */
    fastws_stream_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_same_events_however_input_and_output_are_cut),
        cmocka_unit_test(read_data_passes_over_pings_and_pongs),
        cmocka_unit_test(initial_bytes_come_before_those_of_the_stream),
        cmocka_unit_test(a_ping_is_answered_when_its_event_is_returned),
        cmocka_unit_test(initial_bytes_may_be_more_than_a_slab_holds),
        cmocka_unit_test(answers_all_pings_of_one_receive_in_one_write),
        cmocka_unit_test(tells_the_peer_before_it_returns_an_error),
        cmocka_unit_test(reports_where_the_input_ended),
        cmocka_unit_test(refuses_what_a_broken_read_function_returns),
        cmocka_unit_test(writes_once_per_send),
        cmocka_unit_test(goes_on_after_short_writes),
        cmocka_unit_test(a_failed_send_gives_the_payload_back),
        cmocka_unit_test(refuses_what_a_broken_write_function_returns),
        cmocka_unit_test(closes_after_dropping_what_was_on_its_way),
        cmocka_unit_test(a_client_leaves_the_shutdown_to_the_server),
        cmocka_unit_test(refuses_to_send_bad_close_codes),
        cmocka_unit_test(close_reports_a_stream_that_ends_without_a_close_frame),
        cmocka_unit_test(an_application_may_answer_closes_itself),
        cmocka_unit_test(refuses_to_open_over_half_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
