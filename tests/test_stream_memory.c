/* SPDX-License-Identifier: MIT */
/* Tests of what a stream takes from its allocator: failures of every allocation, large messages, reset and reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fastws/error.h>

#include "scripted_io.h"
#include "src/platform.h"
#include "support.h"

static const uint8_t key[4] = {1, 2, 3, 4};
static uint8_t out[1 << 20];
static uint8_t in[1 << 20];
static uint8_t payload[200000];
static struct fastws_conn_config config;

static int setup(void **state) {
    (void)state;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    fill_pattern(payload, sizeof payload, 1);
    return 0;
}

static struct fastws_io io_of(struct script *script) {
    script->out = out;
    script->out_cap = sizeof out;
    struct fastws_io io = script_io(script);
    io.wait = script_wait;
    return io;
}

static int open_over(struct script *script, const struct memory *memory, size_t initial_len,
                     struct fastws_stream **stream) {
    struct fastws_io io = io_of(script);
    struct fastws_pool_config pool_config;
    fastws_pool_config_init(&pool_config);
    pool_config.allocator = &memory->allocator;
    return fastws_stream_open_with(&io, &config, &pool_config, in, initial_len, stream);
}

/* ---- Failures ---- */

/* What the functions below return where a payload is wrong. */
enum { WRONG = -1000 };

static int check(const void *ptr, size_t len, size_t expected_len) {
    return len == expected_len && memcmp(ptr, payload, len) == 0 ? 0 : WRONG;
}

static int read_whole(struct fastws_stream *stream) {
    struct fastws_event event;
    struct fastws_taken taken;
    TRY(fastws_stream_read_data(stream, &event));
    TRY(check(event.ptr, (size_t)event.len, sizeof payload));
    TRY(fastws_stream_take(stream, &event, &taken));
    int result = check(taken.ptr, taken.len, sizeof payload);
    fastws_taken_release(&taken);
    return result;
}

static int read_file(struct fastws_stream *stream) {
    static uint8_t bytes[sizeof payload];
    struct fastws_header header;
    size_t len = 0;
    ptrdiff_t n;
    TRY(fastws_stream_next_frame(stream, &header));
    while ((n = fastws_stream_read(stream, bytes + len, sizeof bytes - len)) > 0) len += (size_t)n;
    TRY((int)n);
    return check(bytes, len, 150000);
}

static int read_parts(struct fastws_stream *stream) {
    struct fastws_event event;
    do {
        TRY(fastws_stream_read_fragment(stream, &event));
    } while (event.kind != FASTWS_EVENT_CHUNK || !(event.flags & FASTWS_EVENT_LAST));
    return 0;
}

static int write_pieces(struct fastws_stream *stream) {
    TRY(fastws_stream_begin(stream, FASTWS_OPCODE_BINARY));
    TRY(fastws_stream_append(stream, payload, 5000));
    TRY(fastws_stream_flush_fragment(stream));
    fastws_stream_set_fragment_len(stream, 0);
    TRY(fastws_stream_append(stream, payload, 100000));
    TRY(fastws_stream_append(stream, payload, 100));
    return fastws_stream_finish(stream);
}

static int write_many(struct fastws_stream *stream) {
    fastws_stream_cork(stream);
    for (int i = 0; i < 20; i++) TRY(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, payload, 3000));
    TRY(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, payload, 30000));
    return fastws_stream_uncork(stream);
}

static int run(struct script *script, const struct memory *memory) {
    struct fastws_stream *stream;
    TRY(open_over(script, memory, 10, &stream));
    int result = read_whole(stream);
    if (result == 0) result = read_file(stream);
    if (result == 0) result = read_parts(stream);
    if (result == 0) result = write_pieces(stream);
    if (result == 0) result = write_many(stream);
    if (result == 0) result = fastws_stream_close(stream, 1000, NULL, 0);
    fastws_stream_free(stream);
    return result;
}

/* A large message, a larger one in fragments, two fragments with a ping between, a close. */
static size_t make_input(void) {
    size_t len = script_frame(in, 0x82, payload, sizeof payload, key);
    len += script_frame(in + len, 0x02, payload, 100000, key);
    len += script_frame(in + len, 0x80, payload + 100000, 50000, key);
    len += script_frame(in + len, 0x02, payload, 70000, key);
    len += script_frame(in + len, 0x89, payload, 100, key);
    len += script_frame(in + len, 0x80, payload, 10, key);
    return len + script_frame(in + len, 0x88, "\x03\xe8", 2, key);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    size_t in_len = make_input();
    for (int role = FASTWS_ROLE_SERVER; role <= FASTWS_ROLE_CLIENT; role++) {
        config.role = (uint8_t)role;
        config.is_header_checked = role == FASTWS_ROLE_SERVER; /* the same input for both */
        for (int fail_on = 0; fail_on <= 1; fail_on++) {
            int failures = 0, result = -1;
            for (uint64_t fail_at = 1; result != 0; fail_at++) {
                struct memory memory;
                memory_init(&memory);
                memory.fail_at = fail_at;
                memory.fail_on = fail_on;
                struct script script = {.in = in + 10, .in_len = in_len - 10, .slice = 40000};
                result = run(&script, &memory);
                if (result != 0) assert_int_equal(result, FASTWS_ERR_NOMEM);
                if (result != 0) failures++;
                assert_int_equal(memory.live, 0);
                assert_int_equal(memory.calls < fail_at, result == 0);
            }
            assert_in_range(failures, 8, 200);
        }
    }
    setup(NULL);
}

/* ---- Large messages ---- */

static void a_file_of_any_size_takes_a_slab(void **state) {
    (void)state;
    config.limits.max_frame = config.limits.max_message = 0;
    struct memory memory;
    memory_init(&memory);
    uint8_t *wire = malloc((64 << 20) + FASTWS_HEADER_MAX), *bytes = calloc(1, 64 << 20);
    struct script script = {.in = wire, .in_len = script_frame(wire, 0x82, bytes, 64 << 20, key)};
    struct fastws_stream *stream;
    assert_int_equal(open_over(&script, &memory, 0, &stream), 0);
    struct fastws_header header;
    assert_int_equal(fastws_stream_next_frame(stream, &header), 0);
    assert_int_equal(header.length, 64 << 20);
    uint64_t len = 0;
    ptrdiff_t n;
    while ((n = fastws_stream_read(stream, bytes, 1 << 20)) > 0) len += (uint64_t)n;
    assert_int_equal(n, 0);
    assert_int_equal(len, 64 << 20);
    assert_in_range(memory.peak, 64 << 10, 128 << 10);
    fastws_stream_free(stream);
    assert_int_equal(memory.live, 0);
    free(bytes);
    free(wire);
    setup(NULL);
}

/* ---- Reset ---- */

static void a_reset_stream_is_a_new_one(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    size_t in_len = make_input();
    struct script scripts[4];
    struct fastws_stream *stream = NULL;
    for (size_t i = 0; i < 4; i++) {
        scripts[i] = (struct script){.in = in + 10, .in_len = in_len - 10};
        struct fastws_io io = io_of(&scripts[i]);
        if (i == 0) {
            assert_int_equal(open_over(&scripts[i], &memory, 10, &stream), 0);
        } else {
            assert_int_equal(fastws_stream_reset(stream, &io, i == 2 ? &config : NULL, in, 10), 0);
            assert_int_equal(scripts[i - 1].closes, 1);
        }
        assert_int_equal(read_whole(stream), 0);
        struct fastws_header header;
        uint8_t byte;
        if (i == 0) { /* in the middle of a message, with another begun and sends corked */
            assert_int_equal(fastws_stream_next_frame(stream, &header), 0);
            assert_int_equal(fastws_stream_begin(stream, FASTWS_OPCODE_TEXT), 0);
            assert_int_equal(fastws_stream_append(stream, "x", 1), 0);
            fastws_stream_cork(stream);
            assert_int_equal(fastws_stream_ping(stream, NULL, 0), 0);
            continue;
        }
        assert_int_equal(fastws_stream_read(stream, &byte, 1), FASTWS_ERR_STATE);
        assert_int_equal(fastws_stream_uncork(stream), FASTWS_ERR_STATE);
        assert_int_equal(fastws_stream_ping(stream, NULL, 0), 0);
        assert_int_equal(scripts[i].out_len, 2);
        if (i == 1) { /* broken */
            scripts[i].failure = FASTWS_IO_FAILED;
            scripts[i].fail_at = 2;
            assert_int_equal(fastws_stream_ping(stream, NULL, 0), FASTWS_ERR_IO);
        } else if (i == 2) { /* closed */
            assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
        }
    }
    fastws_stream_free(stream);
    assert_int_equal(memory.live, 0);
}

static void a_reset_that_fails_changes_nothing(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    size_t in_len = make_input();
    struct script script = {.in = in, .in_len = in_len}, other = {0};
    struct fastws_stream *stream;
    assert_int_equal(open_over(&script, &memory, 0, &stream), 0);
    struct fastws_io io = io_of(&other);
    struct fastws_conn_config bad = config;
    bad.size = 1;
    assert_int_equal(fastws_stream_reset(stream, &io, &bad, in, 10), FASTWS_ERR_ARGUMENT);
    io.writev = NULL;
    assert_int_equal(fastws_stream_reset(stream, &io, NULL, NULL, 0), FASTWS_ERR_ARGUMENT);
    io = io_of(&other);
    memory.fail_at = memory.calls + 1;
    assert_int_equal(fastws_stream_reset(stream, &io, NULL, in, 10), FASTWS_ERR_NOMEM);
    assert_int_equal(script.closes + other.closes, 0);
    assert_int_equal(read_whole(stream), 0);
    fastws_stream_free(stream);
    assert_int_equal(script.closes, 1);
    assert_int_equal(memory.live, 0);
}

static void an_idle_stream_holds_no_slab(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    struct script script = {.after = FASTWS_IO_AGAIN};
    struct fastws_stream *stream;
    assert_int_equal(open_over(&script, &memory, 0, &stream), 0);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), 0);
    assert_in_range(memory.live, 1, 32 << 10);
    struct fastws_pool_config bad;
    fastws_pool_config_init(&bad);
    bad.slab_len = 1;
    struct fastws_io io = io_of(&script);
    struct fastws_stream *none = NULL;
    assert_int_equal(fastws_stream_open_with(&io, &config, &bad, NULL, 0, &none), FASTWS_ERR_ARGUMENT);
    assert_null(none);
    fastws_stream_free(stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_file_of_any_size_takes_a_slab),
        cmocka_unit_test(a_reset_stream_is_a_new_one),
        cmocka_unit_test(a_reset_that_fails_changes_nothing),
        cmocka_unit_test(an_idle_stream_holds_no_slab),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
