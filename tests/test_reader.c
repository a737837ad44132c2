/* SPDX-License-Identifier: MIT */
/* What is received becomes the right events, however it arrives: lengths, fragments, chunks, inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

#include "model.h"
#include "sampling.h"
#include "support.h"

static const enum fastws_role roles[] = {FASTWS_ROLE_SERVER, FASTWS_ROLE_CLIENT};
static const size_t slab_lens[] = {4096, 65536};
static const int caps[] = {1, 2, 64};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Receives wire by one way and expects the events of the log. */
struct way {
    enum fastws_role role;
    size_t slab_len;
    enum input input;
    int cap;
    size_t step;
};

static void expect_by(const struct way *way, const struct bytes *wire, const struct log *expected) {
    struct end end;
    end_prepare(&end, way->role);
    end.pool_config.slab_len = way->slab_len;
    end.input = way->input;
    end.cap = way->cap;
    end_open(&end);
    end_receive_in_steps(&end, wire, way->step);
    assert_logs_equal(&end.log, expected);
    end_close(&end);
}

static void expect_by_every_input(const struct way *way, const struct bytes *wire, const struct log *expected) {
    struct way by = *way;
    for (int input = 0; input < INPUTS; input++) {
        by.input = (enum input)input;
        expect_by(&by, wire, expected);
    }
}

/* Receives wire by every input, slab and size of the event array, in steps of step bytes. */
static void expect_by_all_ways(enum fastws_role role, const struct bytes *wire, size_t step,
                               const struct log *expected) {
    for (size_t slab = 0; slab < COUNT_OF(slab_lens); slab++) {
        for (size_t cap = 0; cap < COUNT_OF(caps); cap++) {
            struct way way = {.role = role, .slab_len = slab_lens[slab], .cap = caps[cap], .step = step};
            expect_by_every_input(&way, wire, expected);
        }
    }
}

/* ---- Lengths ---- */

/* A message of that length between two small ones; text as ASCII, or as characters of two bytes (and one more). */
static void expect_length(enum fastws_role role, unsigned opcode, int is_ascii, size_t len, size_t step) {
    struct bytes wire = {0};
    struct log expected = {0};
    uint8_t *payload = malloc(len + 2);
    assert_non_null(payload);
    fill_pattern(payload, len, (uint32_t)len);
    for (size_t i = 0; opcode == 1 && i < len; i++)
        payload[i] = is_ascii ? payload[i] & 0x7f : i + 1 == len && i % 2 == 0 ? 'x' : i % 2 ? 0xa9 : 0xc3;
    const struct frame frames[] = {{0x81, "before", 6}, {0x80 | opcode, payload, len}, {0x82, "after", 5}};
    for (size_t i = 0; i < 3; i++)
        put_frame(&wire, role, frames[i].first, frames[i].payload, frames[i].len);
    log_message(&expected, 1, "before", 6);
    log_message(&expected, opcode, payload, len);
    log_message(&expected, 2, "after", 5);
    expect_by_all_ways(role, &wire, step, &expected);
    bytes_free(&wire);
    log_free(&expected);
    free(payload);
}

static void hands_out_messages_around_the_forms_of_a_length(void **state) {
    (void)state;
    const size_t lengths[] = {0, 1, 7, 125, 126, 127, 65535, 65536};
    const size_t steps[] = {SIZE_MAX, 1000, 1};
    for (size_t role = 0; role < 2; role++)
        for (size_t i = 0; i < COUNT_OF(lengths); i++)
            for (size_t step = 0; step < COUNT_OF(steps); step++) {
                if (steps[step] == 1 && lengths[i] > 200) continue;
                expect_length(roles[role], 2, 0, lengths[i], steps[step]);
                expect_length(roles[role], 1, 1, lengths[i], steps[step]);
                expect_length(roles[role], 1, 0, lengths[i], steps[step]);
            }
}

static void hands_out_messages_around_the_edge_of_a_slab(void **state) {
    (void)state;
    for (size_t slab = 0; slab < COUNT_OF(slab_lens); slab++)
        for (size_t len = slab_lens[slab] - 16; len <= slab_lens[slab] + 16; len++) {
            expect_length(FASTWS_ROLE_SERVER, 1, 0, len, SIZE_MAX);
            expect_length(FASTWS_ROLE_SERVER, 2, 0, len, 4096);
            expect_length(FASTWS_ROLE_CLIENT, 2, 0, len, 1460);
        }
}

static void hands_out_a_message_byte_by_byte_across_the_edge_of_a_slab(void **state) {
    (void)state;
    expect_length(FASTWS_ROLE_SERVER, 1, 0, 4096, 1);
    expect_length(FASTWS_ROLE_CLIENT, 2, 0, 4097, 1);
}

static void hands_out_large_messages(void **state) {
    (void)state;
    expect_length(FASTWS_ROLE_SERVER, 1, 0, (size_t)1 << 20, SIZE_MAX);
    expect_length(FASTWS_ROLE_SERVER, 2, 0, (size_t)1 << 20, 65536);
    expect_length(FASTWS_ROLE_CLIENT, 1, 1, (size_t)1 << 20, 10007);
}

/* The default limits are inclusive: 16 MiB are taken. */
static void hands_out_the_largest_message_of_the_default_limits(void **state) {
    (void)state;
    const size_t len = (size_t)16 << 20;
    for (size_t role = 0; role < 2; role++) {
        struct bytes wire = {0};
        struct log expected = {0};
        uint8_t *payload = malloc(len);
        assert_non_null(payload);
        fill_pattern(payload, len, 5);
        put_frame(&wire, roles[role], 0x82, payload, len);
        log_message(&expected, 2, payload, len);
        struct way way = {.role = roles[role], .slab_len = 65536, .cap = 64, .step = 65536 + role};
        expect_by_every_input(&way, &wire, &expected);
        way.step = SIZE_MAX;
        expect_by_every_input(&way, &wire, &expected);
        bytes_free(&wire);
        log_free(&expected);
        free(payload);
    }
}

/* ---- Fragments, and what stands between them ---- */

static void expect_frames(const struct frame *frames, int count, size_t step) {
    for (size_t role = 0; role < 2; role++) {
        struct bytes wire = {0};
        struct log expected = {0};
        for (int i = 0; i < count; i++)
            put_frame(&wire, roles[role], frames[i].first, frames[i].payload, frames[i].len);
        model_run(&expected, frames, count);
        expect_by_all_ways(roles[role], &wire, step, &expected);
        bytes_free(&wire);
        log_free(&expected);
    }
}

/* The bytes of "\xe2\x82\xac" are cut by frames, and pings stand between them. */
static const struct frame mixed[] = {
    {0x82, "\x00\xff", 2},                                   /* binary */
    {0x01, "a\xe2", 2},       {0x89, "ping", 4},             /* text, not the last; ping */
    {0x00, "", 0},            {0x8a, "", 0},                 /* continuation, empty; pong */
    {0x00, "\x82", 1},        {0x89, "", 0},                 /* continuation; ping, empty */
    {0x80, "\xac!", 2},       {0x81, "", 0},                 /* continuation, the last; text, empty */
    {0x02, "", 0},            {0x80, "", 0},                 /* binary, empty in two frames */
    {0x81, "whole", 5},       {0x89, "one more", 8},         /* text; ping */
    {0x01, "", 0},            {0x00, "", 0},                 /* text in three frames, the first two empty */
    {0x80, "\xf0\x9f\x98\x80", 4},                           /* continuation, the last */
    {0x88, "\x03\xe8" "bye", 5},                             /* close: code 1000, reason */
    {0x81, "never seen", 10},
};

static void joins_fragments_around_control_frames(void **state) {
    (void)state;
    expect_frames(mixed, (int)COUNT_OF(mixed), SIZE_MAX);
    for (size_t step = 1; step < 40; step++)
        expect_frames(mixed, (int)COUNT_OF(mixed), step);
}

static void gives_the_same_events_wherever_the_stream_is_cut(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct bytes wire = {0};
        struct log expected = {0};
        for (size_t i = 0; i < COUNT_OF(mixed); i++)
            put_frame(&wire, roles[role], mixed[i].first, mixed[i].payload, mixed[i].len);
        model_run(&expected, mixed, (int)COUNT_OF(mixed));
        for (size_t cut = 0; cut <= wire.len; cut++)
            for (int input = 0; input < INPUTS; input++) {
                struct end end;
                end_prepare(&end, roles[role]);
                end.input = (enum input)input;
                end_open(&end);
                end_receive(&end, wire.ptr, cut);
                end.input = (enum input)((input + (int)(cut % 2)) % INPUTS);
                end_receive(&end, wire.ptr + cut, wire.len - cut);
                assert_logs_equal(&end.log, &expected);
                end_close(&end);
            }
        bytes_free(&wire);
        log_free(&expected);
    }
}

/* One message in count fragments of len bytes each, a ping after every seventh of them. */
static void expect_fragments(int count, size_t len, size_t step) {
    struct frame *frames = calloc((size_t)count * 2, sizeof *frames);
    uint8_t *payload = malloc((size_t)count * len + 1);
    assert_non_null(frames);
    assert_non_null(payload);
    fill_pattern(payload, (size_t)count * len, (uint32_t)count);
    int n = 0;
    for (int i = 0; i < count; i++) {
        unsigned first = (i == 0 ? 0x02u : 0x00u) | (i == count - 1 ? 0x80u : 0x00u);
        frames[n++] = (struct frame){first, payload + (size_t)i * len, len};
        if (i % 7 == 6) frames[n++] = (struct frame){0x89, "now", 3};
    }
    expect_frames(frames, n, step);
    free(frames);
    free(payload);
}

static void joins_fragments_of_all_sizes(void **state) {
    (void)state;
    const struct { int count; size_t len; } shapes[] = {
        {1, 0}, {2, 0}, {3, 1}, {40, 3}, {300, 20}, {10, 500}, {33, 125}, {5, 4000}, {9, 4096}, {17, 8000}, {20, 20000},
        {3, 70000}, {2, 300000}, {1000, 0}};
    const size_t steps[] = {SIZE_MAX, 65536, 4099, 131};
    for (size_t shape = 0; shape < COUNT_OF(shapes); shape++)
        for (size_t step = 0; step < COUNT_OF(steps); step++)
            expect_fragments(shapes[shape].count, shapes[shape].len, steps[step]);
    expect_fragments(40, 3, 1);
    expect_fragments(33, 125, 1);
}

/* ---- Anything, in any pieces ---- */

enum { FRAMES_MAX = 40 };

/* Cuts the wire at random, changes the input at random, and sends from time to time. */
static void receive_at_random(struct end *end, const struct bytes *wire, size_t piece_max, uint32_t *state) {
    for (size_t off = 0; off < wire->len && end->last >= 0;) {
        size_t len = 1 + next_random(state) % piece_max;
        if (len > wire->len - off) len = wire->len - off;
        end->input = next_random(state) % 3 ? end->input : (enum input)(next_random(state) % INPUTS);
        end_receive(end, wire->ptr + off, len);
        off += len;
    }
}

static void expect_random_frames(uint32_t seed) {
    uint32_t state = seed;
    struct frame frames[FRAMES_MAX];
    static uint8_t payloads[FRAMES_MAX][9000];
    int count = model_random_frames(frames, payloads, FRAMES_MAX, &state);
    struct end end;
    end_prepare(&end, roles[seed % 2]);
    end.pool_config.slab_len = slab_lens[next_random(&state) % 2];
    end.cap = caps[next_random(&state) % 3];
    struct bytes wire = {0};
    struct log expected = {0};
    for (int i = 0; i < count; i++)
        put_frame(&wire, roles[seed % 2], frames[i].first, frames[i].payload, frames[i].len);
    model_run(&expected, frames, count);
    end_open(&end);
    receive_at_random(&end, &wire, next_random(&state) % 2 ? 300 : 20000, &state);
    assert_logs_equal(&end.log, &expected);
    end_close(&end);
    bytes_free(&wire);
    log_free(&expected);
}

static void agrees_with_a_simple_decoder_on_random_streams(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 4000; seed += sample_step())
        expect_random_frames(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_messages_around_the_forms_of_a_length),
        cmocka_unit_test(hands_out_messages_around_the_edge_of_a_slab),
        cmocka_unit_test(hands_out_a_message_byte_by_byte_across_the_edge_of_a_slab),
        cmocka_unit_test(hands_out_large_messages),
        cmocka_unit_test(hands_out_the_largest_message_of_the_default_limits),
        cmocka_unit_test(joins_fragments_around_control_frames),
        cmocka_unit_test(gives_the_same_events_wherever_the_stream_is_cut),
        cmocka_unit_test(joins_fragments_of_all_sizes),
        cmocka_unit_test(agrees_with_a_simple_decoder_on_random_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
