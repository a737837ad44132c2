/* SPDX-License-Identifier: MIT */
/* Tests of reading messages in parts from a stream, and of what may stand between them. */
#include <fastws/error.h>

#include "stream_parts.h"

/* ---- Messages as files ---- */

static void a_message_is_a_file_however_input_and_output_are_cut(void **state) {
    (void)state;
    size_t in_len = make_conversation();
    for (size_t slice = 0; slice <= in_len; slice++) {
        for (size_t mode = 0; mode < 18; mode++) { /* without wait, with it, with FASTWS_IO_AGAIN; short writes; lens */
            struct script script = {.in = in, .in_len = in_len, .slice = slice, .is_again_due = mode % 3 == 2};
            script.piece = mode / 3 % 2;
            size_t len = (size_t[]){1, 2, 10}[mode / 6];
            struct notes notes = {0};
            struct fastws_stream_hooks hooks = hooks_of(&notes);
            struct fastws_stream *stream = open_over(&script, mode % 3 > 0);
            fastws_stream_set_hooks(stream, &hooks);
            expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 3);
            expect_file(stream, len, "foobarbaz");
            assert_string_equal(notes.text, "3:ping +3 4:pong +3. ");
            expect_frame(stream, FASTWS_OPCODE_BINARY, 1, 5);
            expect_file(stream, len, "whole");
            struct fastws_header header;
            assert_int_equal(fastws_stream_next_frame(stream, &header), FASTWS_ERR_CLOSED);
            assert_string_equal(notes.text, "3:ping +3 4:pong +3. 3:between 5:bye ");
            expect_out(&script, answers, sizeof answers);
            assert_int_equal(fastws_stream_next_frame(stream, &header), FASTWS_ERR_CLOSED);
            assert_int_equal(notes.calls, 6);
            fastws_stream_free(stream);
        }
    }
}

static void a_client_reads_files_too(void **state) {
    (void)state;
    size_t in_len = script_frame(in, 0x01, "un", 2, NULL);
    in_len += script_frame(in + in_len, 0x80, "masked", 6, NULL);
    fastws_conn_config_init(&config, FASTWS_ROLE_CLIENT);
    struct script script = {.in = in, .in_len = in_len, .slice = 3};
    struct fastws_stream *stream = open_over(&script, 1);
    expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 2);
    expect_file(stream, 4, "unmasked");
    fastws_stream_free(stream);
    setup(NULL);
}

static void there_is_no_file_before_next_frame(void **state) {
    (void)state;
    struct script script = {.in = in, .in_len = make_conversation()};
    struct fastws_stream *stream = open_over(&script, 1);
    struct fastws_event event;
    uint8_t byte;
    assert_int_equal(fastws_stream_read(stream, &byte, 1), FASTWS_ERR_STATE);
    assert_int_equal(fastws_stream_discard(stream), 0);
    expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 3);
    assert_int_equal(fastws_stream_read(stream, NULL, 0), 0);
    assert_int_equal(fastws_stream_read(stream, &byte, 1), 1);
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(fastws_stream_read(stream, &byte, 1), FASTWS_ERR_STATE);
    fastws_stream_free(stream);
}

static void an_empty_message_is_an_empty_file(void **state) {
    (void)state;
    size_t in_len = add(add(add(add(0, 0x81, ""), 0x02, ""), 0x00, ""), 0x80, "");
    in_len = add(in_len, 0x81, "end");
    struct script script = {.in = in, .in_len = in_len, .slice = 1};
    struct fastws_stream *stream = open_over(&script, 1);
    expect_frame(stream, FASTWS_OPCODE_TEXT, 1, 0);
    expect_file(stream, 1, "");
    expect_frame(stream, FASTWS_OPCODE_BINARY, 0, 0);
    expect_file(stream, 1, "");
    expect_frame(stream, FASTWS_OPCODE_TEXT, 1, 3);
    expect_file(stream, 5, "end");
    fastws_stream_free(stream);
}

static void reports_where_the_input_ended(void **state) {
    (void)state;
    size_t in_len = add(add(0, 0x01, "foo"), 0x80, "bar");
    for (size_t cut = 0; cut < in_len; cut++) {
        for (int is_failure = 0; is_failure <= 1; is_failure++) {
            struct script script = {.in = in, .in_len = cut, .after = is_failure ? FASTWS_IO_FAILED : 0};
            struct fastws_stream *stream = open_over(&script, 1);
            struct fastws_header header;
            char text[16];
            size_t len = 0;
            ptrdiff_t n = fastws_stream_next_frame(stream, &header);
            while (n == 0 && (n = fastws_stream_read(stream, text + len, 4)) > 0) {
                len += (size_t)n;
                n = 0;
            }
            int expected = cut == 0 ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF;
            assert_int_equal(n, is_failure ? FASTWS_ERR_IO : expected);
            assert_memory_equal(text, "foobar", len);
            size_t payload_len = cut < 6 ? 0 : cut < 9 ? cut - 6 : cut < 15 ? 3 : cut - 12;
            assert_int_equal(len, payload_len); /* all that came was handed out */
            assert_int_equal(fastws_stream_discard(stream), cut < 6 ? 0 : n);
            fastws_stream_free(stream);
        }
    }
}

/* A frame over the limit is refused by its header, and opens no file. */
static void a_frame_over_the_limit_opens_no_file(void **state) {
    (void)state;
    config.limits.max_frame = 4;
    struct script script = {.in = in, .in_len = add(add(0, 0x81, "four"), 0x81, "fives"), .slice = 1};
    struct fastws_stream *stream = open_over(&script, 1);
    struct fastws_header header;
    uint8_t byte;
    expect_frame(stream, FASTWS_OPCODE_TEXT, 1, 4);
    assert_int_equal(fastws_stream_next_frame(stream, &header), FASTWS_ERR_FRAME_TOO_LARGE);
    assert_int_equal(fastws_stream_read(stream, &byte, 1), FASTWS_ERR_STATE);
    assert_memory_equal(out + 2, "\x03\xf1", 2); /* 1009 */
    fastws_stream_free(stream);
    setup(NULL);
}

static void text_is_checked_as_it_is_read(void **state) {
    (void)state;
    size_t in_len = add(add(0, 0x01, "\xd0"), 0x80, "\x81"); /* U+0401 split between frames */
    in_len = add(add(in_len, 0x01, "ab"), 0x80, "c\xff" "d");
    for (size_t slice = 0; slice < in_len; slice++) {
        struct script script = {.in = in, .in_len = in_len, .slice = slice};
        struct fastws_stream *stream = open_over(&script, 1);
        expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 1);
        expect_file(stream, 10, "\xd0\x81");
        expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 2);
        char text[8] = "";
        ptrdiff_t n;
        size_t len = 0;
        while ((n = fastws_stream_read(stream, text + len, 1)) > 0) len += (size_t)n;
        assert_int_equal(n, FASTWS_ERR_UTF8);
        assert_memory_equal(text, "abc", len);
        assert_in_range(len, 2, 3);
        assert_int_equal(fastws_stream_read(stream, text, 1), FASTWS_ERR_UTF8);
        fastws_stream_free(stream);
    }
}

/* What was not read of a message is dropped, wherever reading stopped, and never taken for a header. */
static void what_was_not_read_is_dropped(void **state) {
    (void)state;
    size_t in_len = make_conversation();
    for (size_t slice = 0; slice <= in_len; slice++) {
        for (size_t count = 0; count <= 10; count++) {
            for (int way = 0; way < 4; way++) {
                struct script script = {.in = in, .in_len = in_len, .slice = slice};
                struct fastws_stream *stream = open_over(&script, 1);
                struct fastws_event event = {0};
                expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 3);
                uint8_t byte;
                for (size_t i = 0; i < count; i++) assert_int_equal(fastws_stream_read(stream, &byte, 1), i < 9);
                if (way == 0) {
                    expect_frame(stream, FASTWS_OPCODE_BINARY, 1, 5);
                    expect_file(stream, 10, "whole");
                } else if (way == 1) {
                    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
                } else {
                    do {
                        assert_int_equal((way == 2 ? fastws_stream_read_message : fastws_stream_read_fragment)(
                                             stream, &event),
                                         0);
                    } while (event.kind != (way == 2 ? FASTWS_EVENT_MESSAGE : FASTWS_EVENT_CHUNK));
                }
                if (way > 0) {
                    assert_int_equal(event.len, 5);
                    assert_memory_equal(event.ptr, "whole", 5);
                }
                assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_CLOSED);
                expect_out(&script, answers, sizeof answers);
                fastws_stream_free(stream);
            }
        }
    }
}

/* Behind a discarded message stands the next frame, for raw reads as well. */
static void discards_up_to_the_end_of_the_message(void **state) {
    (void)state;
    size_t in_len = add(add(add(add(0, 0x01, "foo"), 0x89, "ping"), 0x80, "bar"), 0x82, "raw");
    for (size_t slice = 0; slice <= in_len; slice++) {
        for (size_t count = 0; count <= 7; count++) {
            struct script script = {.in = in, .in_len = in_len, .slice = slice};
            struct notes notes = {0};
            struct fastws_stream_hooks hooks = hooks_of(&notes);
            struct fastws_stream *stream = open_over(&script, 1);
            fastws_stream_set_hooks(stream, &hooks);
            expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 3);
            uint8_t bytes[3];
            struct fastws_header header;
            for (size_t i = 0; i < count; i++) assert_int_equal(fastws_stream_read(stream, bytes, 1), i < 6);
            if (count < 6) assert_int_equal(fastws_stream_read_header(stream, &header), FASTWS_ERR_STATE);
            assert_int_equal(fastws_stream_discard(stream), 0);
            assert_int_equal(fastws_stream_read(stream, bytes, 1), 0);
            assert_int_equal(fastws_stream_read_header(stream, &header), 6);
            assert_int_equal(header.opcode, FASTWS_OPCODE_BINARY);
            assert_int_equal(fastws_stream_read_exactly(stream, bytes, 3), 0);
            fastws_mask(bytes, bytes, 3, header.key, 0);
            assert_memory_equal(bytes, "raw", 3);
            assert_string_equal(notes.text, "3:ping +3. ");
            fastws_stream_free(stream);
        }
    }
}

/* ---- Fragments and chunks ---- */

static void fragments_come_whole_with_control_frames_in_their_places(void **state) {
    (void)state;
    size_t in_len = make_conversation();
    static const struct {
        int kind;
        const char *payload;
        unsigned flags;
    } expected[] = {
        {FASTWS_EVENT_CHUNK, "foo", FASTWS_EVENT_FIRST | FASTWS_EVENT_FRAME},
        {FASTWS_EVENT_PING, "ping", 0},
        {FASTWS_EVENT_CHUNK, "bar", FASTWS_EVENT_FRAME},
        {FASTWS_EVENT_PONG, "pong", 0},
        {FASTWS_EVENT_CHUNK, "baz", FASTWS_EVENT_FRAME | FASTWS_EVENT_FIN | FASTWS_EVENT_LAST},
        {FASTWS_EVENT_PING, "between", 0},
        {FASTWS_EVENT_CHUNK, "whole",
         FASTWS_EVENT_FIRST | FASTWS_EVENT_FRAME | FASTWS_EVENT_FIN | FASTWS_EVENT_LAST},
        {FASTWS_EVENT_CLOSE, "bye", 0},
    };
    const unsigned known = FASTWS_EVENT_FIRST | FASTWS_EVENT_FRAME | FASTWS_EVENT_FIN | FASTWS_EVENT_LAST;
    for (size_t slice = 0; slice <= in_len; slice++) {
        struct script script = {.in = in, .in_len = in_len, .slice = slice};
        struct fastws_stream *stream = open_over(&script, 1);
        for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
            struct fastws_event event;
            assert_int_equal(fastws_stream_read_fragment(stream, &event), 0);
            assert_int_equal(event.kind, expected[i].kind);
            assert_int_equal(event.len, strlen(expected[i].payload));
            assert_memory_equal(event.ptr, expected[i].payload, event.len);
            if (event.kind == FASTWS_EVENT_CHUNK) assert_int_equal(event.flags & known, expected[i].flags);
        }
        expect_out(&script, answers, sizeof answers);
        fastws_stream_free(stream);
    }
}

static void chunks_come_as_they_arrive(void **state) {
    (void)state;
    size_t in_len = add(0, 0x82, "a payload of some length");
    struct script script = {.in = in, .in_len = in_len, .slice = 10};
    struct fastws_stream *stream = open_over(&script, 1);
    static const char *const expected[] = {"a pa", "yload of s", "ome length"};
    for (size_t i = 0; i < 3; i++) {
        struct fastws_event event;
        assert_int_equal(fastws_stream_read_chunk(stream, &event), 0);
        assert_int_equal(event.kind, FASTWS_EVENT_CHUNK);
        assert_int_equal(event.len, strlen(expected[i]));
        assert_memory_equal(event.ptr, expected[i], event.len);
        assert_int_equal((event.flags & FASTWS_EVENT_FIRST) != 0, i == 0);
        assert_int_equal((event.flags & FASTWS_EVENT_LAST) != 0, i == 2);
        uint8_t byte;
        assert_int_equal(fastws_stream_read(stream, &byte, 1), FASTWS_ERR_STATE);
    }
    fastws_stream_free(stream);
}

static void the_rest_of_fragments_can_be_left_or_discarded(void **state) {
    (void)state;
    size_t in_len = make_conversation();
    for (int way = 0; way < 3; way++) {
        struct script script = {.in = in, .in_len = in_len, .slice = 1};
        struct fastws_stream *stream = open_over(&script, 1);
        struct fastws_event event;
        assert_int_equal((way ? fastws_stream_read_chunk : fastws_stream_read_fragment)(stream, &event), 0);
        if (way == 2) assert_int_equal(fastws_stream_discard(stream), 0);
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(event.kind, FASTWS_EVENT_MESSAGE);
        assert_memory_equal(event.ptr, "whole", 5);
        fastws_stream_free(stream);
    }
}

/* ---- Taking turns ---- */

/* Reads one message of "one" + "two" in two frames in one of the ways that there are. */
static void read_in_a_way(struct fastws_stream *stream, int way) {
    struct fastws_event event;
    struct fastws_header header;
    uint8_t bytes[6];
    size_t len = 0;
    switch (way) {
    case 0:
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(event.len, 6);
        assert_memory_equal(event.ptr, "onetwo", 6);
        return;
    case 1:
        expect_frame(stream, FASTWS_OPCODE_TEXT, 0, 3);
        expect_file(stream, 4, "onetwo");
        return;
    case 2:
    case 3:
        do {
            assert_int_equal((way == 2 ? fastws_stream_read_fragment : fastws_stream_read_chunk)(stream, &event), 0);
            if (event.kind != FASTWS_EVENT_CHUNK) continue;
            assert_memory_equal(event.ptr, &"onetwo"[len], event.len);
            len += (size_t)event.len;
        } while (event.kind != FASTWS_EVENT_CHUNK || !(event.flags & FASTWS_EVENT_LAST));
        assert_int_equal(len, 6);
        return;
    default:
        for (int is_last = 0; is_last <= 1;) {
            assert_int_equal(fastws_stream_read_header(stream, &header), 6);
            assert_int_equal(fastws_stream_read_exactly(stream, bytes, (size_t)header.length), 0);
            if (header.opcode == FASTWS_OPCODE_PING) continue;
            fastws_mask(bytes, bytes, 3, header.key, 0);
            assert_memory_equal(bytes, is_last ? "two" : "one", 3);
            is_last++;
        }
    }
}

static void all_ways_of_reading_take_turns_without_loss(void **state) {
    (void)state;
    enum { WAYS = 5 };
    size_t in_len = 0;
    for (int i = 0; i < WAYS * WAYS * 2; i++) in_len = add(add(add(in_len, 0x01, "one"), 0x89, "pin"), 0x80, "two");
    for (size_t slice = 0; slice < 40; slice++) {
        struct script script = {.in = in, .in_len = in_len, .slice = slice};
        struct fastws_stream *stream = open_over(&script, 1);
        for (int from = 0; from < WAYS; from++) {
            for (int to = 0; to < WAYS; to++) {
                read_in_a_way(stream, from);
                read_in_a_way(stream, to);
            }
        }
        struct fastws_event event;
        assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_EOF);
        fastws_stream_free(stream);
    }
}

/* ---- Kinds, and payloads to keep ---- */

static void the_other_kind_of_message_is_refused(void **state) {
    (void)state;
    static const uint8_t told[] = {0x88, 0x02, 0x03, 0xeb}; /* close 1003 */
    size_t in_len = add(add(0, 0x81, "text"), 0x82, "binary");
    for (int is_automatic = 0; is_automatic <= 1; is_automatic++) {
        config.is_close_automatic = (uint8_t)is_automatic;
        for (int way = 0; way < 2; way++) {
            struct script script = {.in = in, .in_len = in_len};
            struct fastws_stream *stream = open_over(&script, 1);
            struct fastws_event event;
            if (way == 0) {
                assert_int_equal(fastws_stream_read_text(stream, &event), 0);
                assert_memory_equal(event.ptr, "text", 4);
                assert_int_equal(fastws_stream_read_text(stream, &event), FASTWS_ERR_MESSAGE_KIND);
                assert_memory_equal(event.ptr, "binary", 6);
            } else {
                assert_int_equal(fastws_stream_read_binary(stream, &event), FASTWS_ERR_MESSAGE_KIND);
                assert_memory_equal(event.ptr, "text", 4);
                assert_int_equal(fastws_stream_read_binary(stream, &event), 0);
                assert_memory_equal(event.ptr, "binary", 6);
            }
            expect_out(&script, told, is_automatic ? sizeof told : 0);
            fastws_stream_free(stream);
        }
    }
    setup(NULL);
}

static void a_payload_that_was_taken_outlives_the_stream(void **state) {
    (void)state;
    static uint8_t payload[200000];
    for (size_t i = 0; i < sizeof payload; i++) payload[i] = (uint8_t)(i * 7);
    static const size_t lens[] = {0, 1, 1000, sizeof payload};
    struct fastws_taken taken[4];
    size_t in_len = 0;
    for (size_t i = 0; i < 4; i++) in_len += script_frame(in + in_len, 0x82, payload, lens[i], key);
    struct script script = {.in = in, .in_len = in_len};
    struct fastws_stream *stream = open_over(&script, 1);
    for (size_t i = 0; i < 4; i++) {
        struct fastws_event event;
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(fastws_stream_take(stream, &event, &taken[i]), 0);
    }
    fastws_stream_free(stream);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(taken[i].len, lens[i]);
        if (lens[i] > 0) assert_memory_equal(taken[i].ptr, payload, lens[i]);
        fastws_taken_release(&taken[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_a_file_however_input_and_output_are_cut),
        cmocka_unit_test(a_client_reads_files_too),
        cmocka_unit_test(there_is_no_file_before_next_frame),
        cmocka_unit_test(an_empty_message_is_an_empty_file),
        cmocka_unit_test(reports_where_the_input_ended),
        cmocka_unit_test(a_frame_over_the_limit_opens_no_file),
        cmocka_unit_test(text_is_checked_as_it_is_read),
        cmocka_unit_test(what_was_not_read_is_dropped),
        cmocka_unit_test(discards_up_to_the_end_of_the_message),
        cmocka_unit_test(fragments_come_whole_with_control_frames_in_their_places),
        cmocka_unit_test(chunks_come_as_they_arrive),
        cmocka_unit_test(the_rest_of_fragments_can_be_left_or_discarded),
        cmocka_unit_test(all_ways_of_reading_take_turns_without_loss),
        cmocka_unit_test(the_other_kind_of_message_is_refused),
        cmocka_unit_test(a_payload_that_was_taken_outlives_the_stream),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
