/* SPDX-License-Identifier: MIT */
/* Tests of sending over a stream: messages in pieces, prepared ones, and many in one write. */
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

#include <fastws/error.h>

#include "scripted_io.h"

static uint8_t out[1 << 20];
static struct fastws_conn_config config;

static int setup(void **state) {
    (void)state;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    return 0;
}

static struct fastws_stream *open_over(struct script *script) {
    script->out = out;
    script->out_cap = sizeof out;
    struct fastws_io io = script_io(script);
    io.wait = script_wait;
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), 0);
    return stream;
}

/* Takes one frame off what was written, unmasked, and compares it. first: FIN RSV1-3 opcode. */
static void expect_frame(const struct script *script, size_t *off, unsigned first, const void *payload, size_t len) {
    struct fastws_header header;
    int header_len = fastws_header_parse(&header, out + *off, script->out_len - *off);
    assert_true(header_len > 0);
    assert_int_equal((unsigned)header.fin << 7 | (unsigned)header.rsv << 4 | header.opcode, first);
    assert_int_equal(header.masked, config.role == FASTWS_ROLE_CLIENT);
    assert_int_equal(header.length, len);
    uint8_t *body = out + *off + header_len;
    assert_true(len <= script->out_len - *off - (size_t)header_len);
    if (header.masked) fastws_mask(body, body, len, header.key, 0);
    if (len > 0) assert_memory_equal(body, payload, len);
    *off += (size_t)header_len + len;
}

static void expect_end(const struct script *script, size_t off) { assert_int_equal(script->out_len, off); }

/* ---- Messages in pieces ---- */

static void pieces_leave_in_fragments_as_they_fill_up(void **state) {
    (void)state;
    config.fragment_len = 5;
    for (int role = FASTWS_ROLE_SERVER; role <= FASTWS_ROLE_CLIENT; role++) {
        config.role = (uint8_t)role;
        for (size_t piece = 0; piece <= 3; piece++) {
            struct script script = {.piece = piece, .is_again_due = piece == 3};
            struct fastws_stream *stream = open_over(&script);
            size_t off = 0;
            assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), 0);
            assert_int_equal(fastws_stream_append(stream, "hello", 5), 0);
            expect_end(&script, 0); /* full, but it may be the last one */
            assert_int_equal(fastws_stream_append(stream, " worl", 5), 0);
            assert_int_equal(fastws_stream_append(stream, NULL, 0), 0);
            assert_int_equal(fastws_stream_append(stream, "d!", 2), 0);
            assert_int_equal(fastws_stream_ping(stream, "p", 1), 0);
            assert_int_equal(fastws_stream_finish(stream), 0);
            expect_frame(&script, &off, 0x01, "hello", 5);
            expect_frame(&script, &off, 0x00, " worl", 5);
            expect_frame(&script, &off, 0x89, "p", 1);
            expect_frame(&script, &off, 0x80, "d!", 2);
            assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_BINARY), 0);
            assert_int_equal(fastws_stream_append(stream, "all in one go", 13), 0);
            assert_int_equal(fastws_stream_finish(stream), 0);
            expect_frame(&script, &off, 0x02, "all i", 5);
            expect_frame(&script, &off, 0x00, "n one", 5);
            expect_frame(&script, &off, 0x80, " go", 3);
            expect_end(&script, off);
            fastws_stream_free(stream);
        }
    }
    setup(NULL);
}

static void fragments_can_be_flushed_and_need_not_be(void **state) {
    (void)state;
    struct script script = {0};
    struct fastws_stream *stream = open_over(&script);
    size_t off = 0;
    assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), 0);
    assert_int_equal(fastws_stream_flush_fragment(stream), 0);
    expect_end(&script, 0);
    assert_int_equal(fastws_stream_append(stream, "now", 3), 0);
    assert_int_equal(fastws_conn_buffered_len(fastws_stream_get_conn(stream)), 3);
    assert_int_equal(fastws_stream_flush_fragment(stream), 0);
    expect_frame(&script, &off, 0x01, "now", 3);
    assert_int_equal(fastws_stream_finish(stream), 0);
    expect_frame(&script, &off, 0x80, NULL, 0);

    static uint8_t payload[65545];
    memset(payload, 'n', sizeof payload);
    fastws_stream_set_fragment_len(stream, 0);
    script.writes = 0;
    assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_BINARY), 0);
    for (size_t i = 0; i < sizeof payload; i += 1311) {
        size_t len = sizeof payload - i < 1311 ? sizeof payload - i : 1311;
        assert_int_equal(fastws_stream_append(stream, payload + i, len), 0);
    }
    assert_int_equal(script.writes, 0);
    assert_int_equal(fastws_stream_finish(stream), 0);
    assert_int_equal(script.writes, 1);
    expect_frame(&script, &off, 0x82, payload, sizeof payload);
    expect_end(&script, off);
    fastws_stream_free(stream);
}

static void a_message_that_was_begun_keeps_others_out(void **state) {
    (void)state;
    const struct fastws_header header = {.fin = 1, .opcode = FASTWS_OPCODE_BINARY, .length = 1};
    struct script script = {0};
    struct fastws_stream *stream = open_over(&script);
    size_t off = 0;
    assert_int_equal(fastws_stream_append(stream, "x", 1), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_flush_fragment(stream), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_finish(stream), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_PING), FASTWS_ERR_ARGUMENT);
    fastws_stream_abandon(stream);
    assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), 0);
    assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_write_frame(stream, &header, "x"), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_append(stream, "dropped", 7), 0);
    fastws_stream_abandon(stream); /* forgotten: nothing of it was sent */
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "y", 1), 0);
    expect_frame(&script, &off, 0x81, "y", 1);

    assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), 0);
    assert_int_equal(fastws_stream_append(stream, "sent", 4), 0);
    assert_int_equal(fastws_stream_flush_fragment(stream), 0);
    assert_int_equal(fastws_stream_append(stream, "dropped", 7), 0);
    fastws_stream_abandon(stream); /* open: its beginning was sent */
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_finish(stream), 0);
    expect_frame(&script, &off, 0x01, "sent", 4);
    expect_frame(&script, &off, 0x80, NULL, 0);

    assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), 0);
    assert_int_equal(fastws_stream_append(stream, "unfinished", 10), 0);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), FASTWS_ERR_EOF);
    assert_int_equal(fastws_stream_append(stream, "x", 1), FASTWS_ERR_EOF);
    expect_frame(&script, &off, 0x88, "\x03\xe8", 2);
    expect_end(&script, off);
    fastws_stream_free(stream);
}

static void nothing_comes_between_a_raw_header_and_its_payload(void **state) {
    (void)state;
    const struct fastws_header header = {.fin = 1, .opcode = FASTWS_OPCODE_BINARY, .length = 2};
    struct script script = {0};
    struct fastws_stream *stream = open_over(&script);
    struct fastws_prepared *prepared;
    assert_int_equal(fastws_prepared_new(NULL, FASTWS_OPCODE_TEXT, "p", 1, &prepared), 0);
    assert_int_equal(fastws_stream_write_header(stream, &header), 0);
    fastws_stream_cork(stream);
    assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_write_prepared(stream, prepared), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_pong(stream, NULL, 0), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_uncork(stream), 0);
    assert_int_equal(fastws_stream_write(stream, "ab", 2), 0);
    size_t off = 0;
    expect_frame(&script, &off, 0x82, "ab", 2);
    expect_end(&script, off);
    fastws_prepared_release(prepared);
    fastws_stream_free(stream);
}

/* The payload's pages are taken away as soon as a call is back, whether it worked or not. */
static void pieces_give_their_memory_back(void **state) {
    (void)state;
    size_t page_len = (size_t)sysconf(_SC_PAGESIZE) * 8;
    for (int role = FASTWS_ROLE_SERVER; role <= FASTWS_ROLE_CLIENT; role++) {
        config.role = (uint8_t)role;
        for (size_t fail_at = 0; fail_at < page_len + 200; fail_at += 1777) {
            uint8_t *page = mmap(NULL, page_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            assert_ptr_not_equal(page, MAP_FAILED);
            struct script script = {.fail_at = fail_at, .failure = FASTWS_IO_FAILED, .piece = 1000};
            struct fastws_stream *stream = open_over(&script);
            int is_corked = fail_at % 2 != 0;
            if (is_corked) fastws_stream_cork(stream);
            assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_BINARY), 0);
            int error = fastws_stream_append(stream, page, page_len);
            if (error == 0) error = fastws_stream_append(stream, page, page_len / 2);
            munmap(page, page_len);
            if (error == 0) error = fastws_stream_finish(stream);
            if (is_corked && error == 0) error = fastws_stream_uncork(stream);
            assert_int_equal(error, FASTWS_ERR_IO);
            int writes = script.writes;
            assert_int_equal(fastws_stream_append(stream, "x", 1), FASTWS_ERR_IO);
            assert_int_equal(fastws_stream_finish(stream), FASTWS_ERR_IO);
            assert_int_equal(fastws_stream_ping(stream, NULL, 0), FASTWS_ERR_IO);
            assert_int_equal(script.writes, writes);
            assert_int_equal(script.out_len, fail_at);
            fastws_stream_free(stream);
        }
    }
    setup(NULL);
}

/* ---- From a source ---- */

struct source {
    size_t left;
    size_t piece;
    ptrdiff_t end; /* what it gives in the end */
};

static ptrdiff_t read_source(void *context, void *dst, size_t len) {
    struct source *source = context;
    if (source->left == 0) return source->end;
    if (len > source->piece) len = source->piece;
    if (len > source->left) len = source->left;
    memset(dst, 's', len);
    source->left -= len;
    return (ptrdiff_t)len;
}

static void a_source_becomes_a_message(void **state) {
    (void)state;
    static const size_t lens[] = {0, 1, 4095, 4096, 4097, 8192, 100000};
    static uint8_t expected[4096];
    memset(expected, 's', sizeof expected);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        for (size_t piece = 1; piece < 50000; piece = piece * 7 + 1) {
            struct script script = {0};
            struct source source = {lens[i], piece, 0};
            struct fastws_stream *stream = open_over(&script);
            assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), 0);
            assert_int_equal(fastws_stream_append_from(stream, read_source, &source), 0);
            assert_int_equal(fastws_stream_finish(stream), 0);
            size_t off = 0, left = lens[i];
            unsigned opcode = FASTWS_OPCODE_TEXT;
            for (; left > 4096; left -= 4096, opcode = FASTWS_OPCODE_CONTINUATION) {
                expect_frame(&script, &off, opcode, expected, 4096);
            }
            expect_frame(&script, &off, 0x80 | opcode, expected, left); /* never an empty one behind a full one */
            expect_end(&script, off);
            fastws_stream_free(stream);
        }
    }
}

static void errors_of_a_source_are_returned(void **state) {
    (void)state;
    static const struct {
        ptrdiff_t end;
        int error;
    } rows[] = {{-5, -5}, {FASTWS_ERR_UNEXPECTED_EOF, FASTWS_ERR_UNEXPECTED_EOF}, {1 << 30, FASTWS_ERR_ARGUMENT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct script script = {0};
        struct source source = {3, 2, rows[i].end};
        struct fastws_stream *stream = open_over(&script);
        assert_int_equal(fastws_stream_append_from(stream, read_source, &source), FASTWS_ERR_STATE);
        source.left = 3;
        assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), 0);
        assert_int_equal(fastws_stream_append_from(stream, read_source, &source), rows[i].error);
        assert_int_equal(fastws_stream_finish(stream), 0); /* what came is there */
        size_t off = 0;
        expect_frame(&script, &off, 0x81, "sss", 3);
        fastws_stream_free(stream);
    }
}

/* ---- Prepared messages ---- */

static void a_prepared_message_goes_to_servers_and_clients(void **state) {
    (void)state;
    static uint8_t payload[70000];
    memset(payload, 'b', sizeof payload);
    static const size_t lens[] = {0, 5, sizeof payload};
    for (size_t i = 0; i < 3; i++) {
        struct fastws_prepared *prepared;
        assert_int_equal(fastws_prepared_new(NULL, FASTWS_OPCODE_BINARY, payload, lens[i], &prepared), 0);
        for (int role = FASTWS_ROLE_SERVER; role <= FASTWS_ROLE_CLIENT; role++) {
            config.role = (uint8_t)role;
            struct script script = {0};
            struct fastws_stream *stream = open_over(&script);
            size_t off = 0;
            for (int corks = 0; corks < 2; corks++) {
                if (corks) fastws_stream_cork(stream);
                assert_int_equal(fastws_stream_write_prepared(stream, prepared), 0);
                if (corks) assert_int_equal(fastws_stream_uncork(stream), 0);
                expect_frame(&script, &off, 0x82, payload, lens[i]);
            }
            expect_end(&script, off);
            fastws_stream_free(stream);
        }
        fastws_prepared_release(prepared);
    }
    setup(NULL);
}

/* ---- Cork ---- */

static void a_cork_makes_one_write_of_many_sends(void **state) {
    (void)state;
    for (int role = FASTWS_ROLE_SERVER; role <= FASTWS_ROLE_CLIENT; role++) {
        config.role = (uint8_t)role;
        struct script script = {0};
        struct fastws_stream *stream = open_over(&script);
        assert_int_equal(fastws_stream_uncork(stream), FASTWS_ERR_STATE);
        fastws_stream_cork(stream);
        fastws_stream_cork(stream);
        uint8_t payload[5000];
        for (int i = 0; i < 10; i++) { /* two of the sizes are borrowed where nobody corks */
            memset(payload, 'a' + i, sizeof payload);
            size_t len = i % 5 == 4 ? sizeof payload : (size_t)i;
            assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, payload, len), 0);
        }
        memset(payload, 0xee, sizeof payload);
        assert_int_equal(fastws_stream_uncork(stream), 0);
        assert_int_equal(script.writes, 0);
        assert_int_equal(fastws_stream_uncork(stream), 0);
        if (role == FASTWS_ROLE_SERVER) assert_int_equal(script.writes, 1);
        size_t off = 0;
        for (int i = 0; i < 10; i++) {
            memset(payload, 'a' + i, sizeof payload);
            expect_frame(&script, &off, 0x81, payload, i % 5 == 4 ? sizeof payload : (size_t)i);
        }
        expect_end(&script, off);
        fastws_stream_free(stream);
    }
    setup(NULL);
}

static void a_corked_stream_writes_before_it_waits_and_when_much_is_queued(void **state) {
    (void)state;
    static const uint8_t in[] = {0x81, 0x81, 0, 0, 0, 0, 'a', 0x81, 0x81, 0, 0, 0, 0, 'b', /* two texts */
                                 0x89, 0x81, 0, 0, 0, 0, 'p'};                             /* a ping */
    struct script script = {.in = in, .in_len = sizeof in};
    struct fastws_stream *stream = open_over(&script);
    fastws_stream_cork(stream);
    struct fastws_event event;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(fastws_stream_write_message(stream, event.opcode, event.ptr, (size_t)event.len), 0);
        assert_int_equal(script.writes, 0);
    }
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_EOF);
    assert_int_equal(script.writes, 1);
    size_t off = 0;
    expect_frame(&script, &off, 0x81, "a", 1);
    expect_frame(&script, &off, 0x81, "b", 1);
    expect_frame(&script, &off, 0x8a, "p", 1);
    fastws_stream_free(stream);

    static uint8_t payload[40000];
    script = (struct script){0};
    stream = open_over(&script);
    fastws_stream_cork(stream);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, payload, sizeof payload), 0);
    assert_int_equal(script.writes, 0);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, payload, sizeof payload), 0);
    assert_int_equal(script.writes, 1); /* more than 64 KiB */
    assert_int_equal(fastws_conn_pending_len(fastws_stream_get_conn(stream)), 0);
    fastws_stream_free(stream);
}

static void raw_frames_and_the_close_frame_follow_what_is_corked(void **state) {
    (void)state;
    const struct fastws_header header = {.fin = 1, .opcode = FASTWS_OPCODE_BINARY, .length = 1};
    struct script script = {0};
    struct fastws_stream *stream = open_over(&script);
    fastws_stream_cork(stream);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "1", 1), 0);
    assert_int_equal(fastws_stream_write_frame(stream, &header, "2"), 0);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "3", 1), 0);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), FASTWS_ERR_EOF);
    size_t off = 0;
    expect_frame(&script, &off, 0x81, "1", 1);
    expect_frame(&script, &off, 0x82, "2", 1);
    expect_frame(&script, &off, 0x81, "3", 1);
    expect_frame(&script, &off, 0x88, "\x03\xe8", 2);
    expect_end(&script, off);
    fastws_stream_free(stream);
}

static void an_uncork_reports_what_broke(void **state) {
    (void)state;
    for (size_t fail_at = 0; fail_at < 6; fail_at++) {
        struct script script = {.fail_at = fail_at, .failure = FASTWS_IO_FAILED};
        struct fastws_stream *stream = open_over(&script);
        fastws_stream_cork(stream);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "1", 1), 0);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "2", 1), 0);
        assert_int_equal(fastws_stream_uncork(stream), FASTWS_ERR_IO);
        fastws_stream_cork(stream);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "3", 1), FASTWS_ERR_IO);
        assert_int_equal(fastws_stream_uncork(stream), FASTWS_ERR_IO);
        assert_int_equal(script.out_len, fail_at);
        fastws_stream_free(stream);
    }
}

/* ---- Answers ---- */

static void answers_as_the_rfc_asks(void **state) {
    (void)state;
    config.is_close_automatic = 0;
    static const struct {
        struct fastws_event event;
        int error;
    } rows[] = {
        {{.kind = FASTWS_EVENT_PING, .ptr = (const uint8_t *)"data", .len = 4}, 0},
        {{.kind = FASTWS_EVENT_PING}, 0},
        {{.kind = FASTWS_EVENT_PONG, .ptr = (const uint8_t *)"data", .len = 4}, 0},
        {{.kind = FASTWS_EVENT_MESSAGE}, FASTWS_ERR_ARGUMENT},
        {{.kind = FASTWS_EVENT_ERROR}, FASTWS_ERR_ARGUMENT},
        {{.kind = FASTWS_EVENT_CLOSE, .close_code = 1001, .ptr = (const uint8_t *)"away", .len = 4}, 0},
        {{.kind = FASTWS_EVENT_CLOSE, .close_code = 1001}, FASTWS_ERR_CLOSED},
    };
    struct script script = {0};
    struct fastws_stream *stream = open_over(&script);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(fastws_stream_answer(stream, &rows[i].event), rows[i].error);
    }
    size_t off = 0;
    expect_frame(&script, &off, 0x8a, "data", 4);
    expect_frame(&script, &off, 0x8a, NULL, 0);
    expect_frame(&script, &off, 0x88, "\x03\xe9", 2);
    expect_end(&script, off);
    fastws_stream_free(stream);

    const struct fastws_event empty = {.kind = FASTWS_EVENT_CLOSE, .close_code = 1005};
    script = (struct script){0};
    stream = open_over(&script);
    assert_int_equal(fastws_stream_answer(stream, &empty), 0);
    off = 0;
    expect_frame(&script, &off, 0x88, NULL, 0);
    expect_end(&script, off);
    fastws_stream_free(stream);
    setup(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_leave_in_fragments_as_they_fill_up),
        cmocka_unit_test(fragments_can_be_flushed_and_need_not_be),
        cmocka_unit_test(a_message_that_was_begun_keeps_others_out),
        cmocka_unit_test(nothing_comes_between_a_raw_header_and_its_payload),
        cmocka_unit_test(pieces_give_their_memory_back),
        cmocka_unit_test(a_source_becomes_a_message),
        cmocka_unit_test(errors_of_a_source_are_returned),
        cmocka_unit_test(a_prepared_message_goes_to_servers_and_clients),
        cmocka_unit_test(a_cork_makes_one_write_of_many_sends),
        cmocka_unit_test(a_corked_stream_writes_before_it_waits_and_when_much_is_queued),
        cmocka_unit_test(raw_frames_and_the_close_frame_follow_what_is_corked),
        cmocka_unit_test(an_uncork_reports_what_broke),
        cmocka_unit_test(answers_as_the_rfc_asks),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
