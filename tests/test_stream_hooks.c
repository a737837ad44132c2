/* SPDX-License-Identifier: MIT */
/* Tests of the hooks of a stream: control frames on the way, and frames that continue a message. */
#include <fastws/error.h>

#include "stream_parts.h"

static void an_error_of_a_hook_is_returned_and_nothing_lost(void **state) {
    (void)state;
    size_t in_len = make_conversation();
    for (int fail_on = 1; fail_on <= 6; fail_on++) {
        struct script script = {.in = in, .in_len = in_len};
        struct notes notes = {.fail_on = fail_on};
        struct fastws_stream_hooks hooks = hooks_of(&notes);
        struct fastws_stream *stream = open_over(&script, 1);
        fastws_stream_set_hooks(stream, &hooks);
        char text[32] = "";
        size_t len = 0;
        int failures = 0, messages = 0;
        struct fastws_header header;
        while (messages < 3) {
            ptrdiff_t n = fastws_stream_next_frame(stream, &header);
            if (n == 0) {
                while ((n = fastws_stream_read(stream, text + len, 4)) != 0) {
                    if (n < 0) assert_int_equal(n, -1000);
                    if (n < 0) failures++;
                    if (n > 0) len += (size_t)n;
                }
            } else if (n == -1000) {
                failures++;
                messages -= notes.calls < 6;
            }
            messages++;
        }
        assert_int_equal(failures, 1);
        assert_string_equal(text, "foobarbazwhole");
        assert_string_equal(notes.text, "3:ping +3 4:pong +3. 3:between 5:bye ");
        assert_int_equal(fastws_stream_next_frame(stream, &header), FASTWS_ERR_CLOSED);
        fastws_stream_free(stream);
    }
}

static void what_a_hook_takes_of_a_continuation_is_not_read_again(void **state) {
    (void)state;
    size_t in_len = make_conversation();
    static const char *const left[] = {"foobarbaz", "fooaraz", "foorz", "foo", "foo"};
    static const char *const taken[] = {"", "bb", "baba", "barbaz", "barbaz"};
    for (size_t slice = 0; slice <= in_len; slice++) {
        for (size_t take = 0; take < 5; take++) {
            struct script script = {.in = in, .in_len = in_len, .slice = slice};
            struct notes notes = {.take = take};
            struct fastws_stream_hooks hooks = hooks_of(&notes);
            struct fastws_stream *stream = open_over(&script, 1);
            fastws_stream_set_hooks(stream, &hooks);
            expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 3);
            expect_file(stream, 2, left[take]);
            assert_string_equal(notes.taken, taken[take]);
            expect_frame(stream, FASTWS_OPCODE_BINARY, 1, 5);
            fastws_stream_free(stream);
        }
    }
}

static void a_hook_sees_the_end_of_the_stream_inside_its_frame(void **state) {
    (void)state;
    size_t in_len = add(add(0, 0x01, "foo"), 0x80, "bar");
    struct script script = {.in = in, .in_len = in_len - 1};
    struct notes notes = {.take = 10};
    struct fastws_stream_hooks hooks = hooks_of(&notes);
    struct fastws_stream *stream = open_over(&script, 1);
    fastws_stream_set_hooks(stream, &hooks);
    uint8_t bytes[8];
    expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 3);
    assert_int_equal(fastws_stream_read(stream, bytes, 8), 3);
    assert_int_equal(fastws_stream_read(stream, bytes, 8), FASTWS_ERR_UNEXPECTED_EOF);
    assert_string_equal(notes.taken, "ba");
    fastws_stream_free(stream);
}

static int answer_control(void *context, struct fastws_stream *stream, const struct fastws_event *event) {
    ++*(int *)context;
    return fastws_stream_answer(stream, event);
}

static void a_hook_may_answer_in_place_of_the_stream(void **state) {
    (void)state;
    config.is_pong_automatic = config.is_close_automatic = 0;
    size_t in_len = make_conversation();
    int calls = 0;
    const struct fastws_stream_hooks hooks = {.on_control = answer_control, .context = &calls};
    for (int is_hooked = 0; is_hooked <= 1; is_hooked++) {
        struct script script = {.in = in, .in_len = in_len};
        struct fastws_stream *stream = open_over(&script, 1);
        fastws_stream_set_hooks(stream, &hooks);
        if (!is_hooked) fastws_stream_set_hooks(stream, NULL);
        struct fastws_event event;
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(fastws_stream_answer(stream, &event), FASTWS_ERR_ARGUMENT);
        assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_CLOSED);
        expect_out(&script, answers, is_hooked ? sizeof answers : 0);
        if (is_hooked) assert_int_equal(fastws_stream_answer(stream, &event), FASTWS_ERR_CLOSED);
        fastws_stream_free(stream);
    }
    assert_int_equal(calls, 4);
    setup(NULL);
}

static int answer_otherwise(void *context, struct fastws_stream *stream, const struct fastws_event *event) {
    (void)context;
    if (event->kind == FASTWS_EVENT_PING) return fastws_stream_pong(stream, "here", 4);
    return event->kind == FASTWS_EVENT_CLOSE ? fastws_stream_close(stream, 4000, "ok", 2) : 0;
}

static void a_hook_may_answer_otherwise(void **state) {
    (void)state;
    static const uint8_t otherwise[] = {0x8a, 0x04, 'h', 'e', 'r', 'e', 0x88, 0x04, 0x0f, 0xa0, 'o', 'k'};
    config.is_pong_automatic = config.is_close_automatic = 0;
    size_t in_len = add(add(0, 0x89, "?"), 0x88, "\x03\xe8");
    const struct fastws_stream_hooks hooks = {.on_control = answer_otherwise};
    struct script script = {.in = in, .in_len = in_len};
    struct fastws_stream *stream = open_over(&script, 1);
    fastws_stream_set_hooks(stream, &hooks);
    struct fastws_header header;
    assert_int_equal(fastws_stream_next_frame(stream, &header), FASTWS_ERR_CLOSED);
    expect_out(&script, otherwise, sizeof otherwise);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
    expect_out(&script, otherwise, sizeof otherwise);
    fastws_stream_free(stream);
    setup(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_of_a_hook_is_returned_and_nothing_lost),
        cmocka_unit_test(what_a_hook_takes_of_a_continuation_is_not_read_again),
        cmocka_unit_test(a_hook_sees_the_end_of_the_stream_inside_its_frame),
        cmocka_unit_test(a_hook_may_answer_in_place_of_the_stream),
        cmocka_unit_test(a_hook_may_answer_otherwise),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
