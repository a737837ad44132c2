/* SPDX-License-Identifier: MIT */
/* Messages that are sent in pieces: fragments of every size, what may come between them, what ends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

#include "sending.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT
#define NONE_LEFT(end, off) assert_int_equal(off, (end)->sent.len)

static void open_with(struct end *end, enum fastws_role role, size_t fragment_len) {
    end_prepare(end, role);
    end->config.fragment_len = fragment_len;
    end_open(end);
}

static void write_text(struct end *end, const char *text) {
    assert_int_equal(fastws_conn_write(end->conn, text, strlen(text)), 0);
}

/* ---- Fragments ---- */

static void fills_fragments_and_ends_with_what_is_left(void **state) {
    (void)state;
    for (enum fastws_role role = SERVER; role <= CLIENT; role++) {
        struct end end;
        open_with(&end, role, 5);
        assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
        write_text(&end, "12345");
        expect_nothing_sent(&end); /* it may be the whole message */
        assert_int_equal(fastws_conn_buffered_len(end.conn), 5);
        write_text(&end, "67890");
        write_text(&end, "abc");
        assert_int_equal(fastws_conn_buffered_len(end.conn), 3);
        assert_int_equal(fastws_conn_finish(end.conn), 0);
        end_drain(&end, SIZE_MAX);
        size_t off = 0;
        expect_sent(&end, &off, 0x01, "12345", 5);
        expect_sent(&end, &off, 0x00, "67890", 5);
        expect_sent(&end, &off, 0x80, "abc", 3);
        NONE_LEFT(&end, off);
        end_close(&end);
    }
}

/* gobwas/ws sends the whole of it as one fragment, and an empty one behind. */
static void cuts_what_is_written_at_once_into_fragments(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 5);
    assert_int_equal(fastws_conn_begin(end.conn, 2), 0);
    write_text(&end, "1234567890abc");
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    end_drain(&end, SIZE_MAX);
    size_t off = 0;
    expect_sent(&end, &off, 0x02, "12345", 5);
    expect_sent(&end, &off, 0x00, "67890", 5);
    expect_sent(&end, &off, 0x80, "abc", 3);
    NONE_LEFT(&end, off);
    end_close(&end);
}

static void a_message_that_fills_its_fragments_needs_no_empty_one(void **state) {
    (void)state;
    for (enum fastws_role role = SERVER; role <= CLIENT; role++) {
        struct end end;
        open_with(&end, role, 4);
        assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
        write_text(&end, "gola");
        assert_int_equal(fastws_conn_finish(end.conn), 0);
        expect_only_sent(&end, 0x81, "gola", 4);
        assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
        write_text(&end, "golanggo");
        assert_int_equal(fastws_conn_finish(end.conn), 0);
        end.sent.len = 0;
        end_drain(&end, SIZE_MAX);
        size_t off = 0;
        expect_sent(&end, &off, 0x01, "gola", 4);
        expect_sent(&end, &off, 0x80, "nggo", 4);
        NONE_LEFT(&end, off);
        end_close(&end);
    }
}

static void an_empty_message_is_one_empty_frame(void **state) {
    (void)state;
    struct end end;
    open_with(&end, CLIENT, 4096);
    assert_int_equal(fastws_conn_begin(end.conn, 2), 0);
    assert_int_equal(fastws_conn_is_message_open(end.conn), 1);
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    assert_int_equal(fastws_conn_is_message_open(end.conn), 0);
    expect_only_sent(&end, 0x82, "", 0);
    assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
    assert_int_equal(fastws_conn_write(end.conn, NULL, 0), 0);
    assert_int_equal(fastws_conn_flush_fragment(end.conn), 0);
    expect_nothing_sent(&end);
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    expect_only_sent(&end, 0x81, "", 0);
    end_close(&end);
}

static void flushes_fragments_that_are_not_full(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 0);
    assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
    write_text(&end, "\xe2\x82"); /* a character may be split */
    assert_int_equal(fastws_conn_flush_fragment(end.conn), 0);
    expect_only_sent(&end, 0x01, "\xe2\x82", 2);
    write_text(&end, "\xac");
    assert_int_equal(fastws_conn_flush_fragment(end.conn), 0);
    expect_only_sent(&end, 0x00, "\xac", 1);
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    expect_only_sent(&end, 0x80, "", 0);
    end_close(&end);
}

static void the_length_of_fragments_may_change_between_them(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 3);
    assert_int_equal(fastws_conn_begin(end.conn, 2), 0);
    write_text(&end, "12345");
    fastws_conn_set_fragment_len(end.conn, 1);
    write_text(&end, "67");
    fastws_conn_set_fragment_len(end.conn, 0);
    write_text(&end, "890123456789");
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    end_drain(&end, SIZE_MAX);
    size_t off = 0;
    expect_sent(&end, &off, 0x02, "123", 3);
    expect_sent(&end, &off, 0x00, "45", 2);
    expect_sent(&end, &off, 0x00, "6", 1);
    expect_sent(&end, &off, 0x80, "7890123456789", 13);
    NONE_LEFT(&end, off);
    end_close(&end);
}

/* ---- Any size, any pieces ---- */

/* Joins what was sent to one message, and expects that its fragments have the length that they were given. */
static void expect_message(struct end *end, const uint8_t *payload, size_t len, size_t fragment_len) {
    size_t off = 0, seen = 0;
    for (int is_first = 1; off < end->sent.len; is_first = 0) {
        struct frame frame = take_frame(&end->sent, &off, (enum fastws_role)end->config.role);
        int is_last = off == end->sent.len;
        assert_int_equal(frame.first, (is_last ? 0x80u : 0u) | (is_first ? 2u : 0u));
        if (!is_last) assert_int_equal(frame.len, fragment_len);
        assert_in_range(frame.len, len > 0, fragment_len ? fragment_len : SIZE_MAX);
        assert_memory_equal(frame.payload, payload + seen, frame.len);
        seen += frame.len;
    }
    assert_int_equal(seen, len);
}

static void write_in_steps(struct end *end, const uint8_t *payload, size_t len, size_t step) {
    assert_int_equal(fastws_conn_begin(end->conn, 2), 0);
    for (size_t off = 0; off < len; off += step)
        assert_int_equal(fastws_conn_write(end->conn, payload + off, len - off < step ? len - off : step), 0);
    assert_int_equal(fastws_conn_finish(end->conn), 0);
}

static void sends_messages_of_every_size_in_fragments_of_every_length(void **state) {
    (void)state;
    const size_t lens[] = {0, 1, 125, 4096, 65521, 65522, 65536, 70000, 200001};
    const size_t fragment_lens[] = {0, 1000, 4095, 4096, 20000, 65522, 65536, 100000};
    const size_t steps[] = {3000, 4096, 65536, 1000000};
    uint8_t *payload = make_payload(200001, 5);
    for (enum fastws_role role = SERVER; role <= CLIENT; role++)
        for (size_t i = 0; i < COUNT_OF(lens); i++)
            for (size_t k = 0; k < COUNT_OF(fragment_lens); k++)
                for (size_t m = 0; m < COUNT_OF(steps); m++) {
                    struct end end;
                    open_with(&end, role, fragment_lens[k]);
                    write_in_steps(&end, payload, lens[i], steps[m]);
                    if (m % 2) assert_int_equal(fastws_conn_own(end.conn), 0);
                    end_drain(&end, m % 2 ? SIZE_MAX : 5000);
                    expect_message(&end, payload, lens[i], fragment_lens[k]);
                    end_close(&end);
                }
    free(payload);
}

/* What is written is queued as it lies only where it fills fragments that are large. */
static void borrows_whole_fragments_and_copies_the_rest(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 8192);
    uint8_t *payload = make_payload(20000, 6);
    assert_int_equal(fastws_conn_begin(end.conn, 2), 0);
    assert_int_equal(fastws_conn_write(end.conn, payload, 20000), 0);
    struct fastws_iovec pieces[8];
    assert_int_equal(fastws_conn_pending(end.conn, pieces, 8), 4);
    assert_ptr_equal(pieces[1].base, payload);
    assert_ptr_equal(pieces[3].base, payload + 8192);
    assert_int_equal(fastws_conn_own(end.conn), 0);
    struct bytes copy = {0};
    bytes_put(&copy, payload, 20000);
    memset(payload, 0, 20000);
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    end_drain(&end, SIZE_MAX);
    expect_message(&end, copy.ptr, 20000, 8192);
    bytes_free(&copy);
    free(payload);
    end_close(&end);
}

/* ---- Memory ---- */

static void messages_that_fit_a_slab_allocate_once(void **state) {
    (void)state;
    uint8_t *payload = make_payload(65536, 7);
    for (enum fastws_role role = SERVER; role <= CLIENT; role++) {
        for (size_t fragment_len = 0; fragment_len <= 16384; fragment_len += 4096) {
            struct end end;
            open_with(&end, role, fragment_len);
            uint64_t calls = 0;
            for (int i = 0; i < 10; i++) {
                write_in_steps(&end, payload, 65536 - 14, 1000);
                end_drain(&end, SIZE_MAX);
                /* Fragments that are queued at once may wait in blocks behind a full cork. */
                if (i == 0) calls = end.memory.calls;
                if (fragment_len == 0) assert_int_equal(end.memory.calls, calls);
                end.sent.len = 0;
            }
            end_close(&end);
        }
    }
    free(payload);
}

static void drained_fragments_reuse_one_buffer(void **state) {
    (void)state;
    uint8_t *payload = make_payload(65536, 7);
    struct end end;
    open_with(&end, SERVER, 4096);
    uint64_t calls = 0;
    assert_int_equal(fastws_conn_begin(end.conn, 2), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(fastws_conn_write(end.conn, payload, 3000), 0);
        end_drain(&end, SIZE_MAX);
        if (i == 10) calls = end.memory.calls;
    }
    assert_int_equal(end.memory.calls, calls);
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    free(payload);
    end_close(&end);
}

/* A message that is never fragmented grows in one block, which is queued as it is. */
static void a_large_message_grows_in_one_block(void **state) {
    (void)state;
    uint8_t *payload = make_payload(1 << 20, 8);
    struct end end;
    open_with(&end, CLIENT, 0);
    size_t fixed = end.memory.live;
    write_in_steps(&end, payload, 1 << 20, 10000);
    assert_in_range(end.memory.calls, 1, 20);
    assert_true(end.memory.live <= fixed + 2 * (1 << 20) + 65536 + 1024);
    end_drain(&end, SIZE_MAX);
    expect_message(&end, payload, 1 << 20, 0);
    assert_true(end.memory.live <= fixed + 65536 + 1024);
    free(payload);
    end_close(&end);
}

/* ---- What comes between ---- */

static void control_frames_may_stand_between_fragments(void **state) {
    (void)state;
    struct end end;
    open_with(&end, CLIENT, 2);
    assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
    write_text(&end, "abc");
    assert_int_equal(fastws_conn_ping(end.conn, "ping", 4), 0);
    end_receive_frame(&end, 0x89, "theirs", 6);
    write_text(&end, "de");
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    end_drain(&end, SIZE_MAX);
    size_t off = 0;
    expect_sent(&end, &off, 0x01, "ab", 2);
    expect_sent(&end, &off, 0x89, "ping", 4);
    expect_sent(&end, &off, 0x8a, "theirs", 6);
    expect_sent(&end, &off, 0x00, "cd", 2);
    expect_sent(&end, &off, 0x80, "e", 1);
    NONE_LEFT(&end, off);
    end_close(&end);
}

static void other_messages_may_not(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 4096);
    struct fastws_prepared *prepared;
    assert_int_equal(fastws_prepared_new(NULL, 1, "prepared", 8, &prepared), 0);
    assert_int_equal(fastws_conn_write(end.conn, "x", 1), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_flush_fragment(end.conn), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_finish(end.conn), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_begin(end.conn, 9), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_begin(end.conn, 0), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
    assert_int_equal(fastws_conn_begin(end.conn, 1), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_send(end.conn, 1, "other", 5), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_send_prepared(end.conn, prepared), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    assert_int_equal(fastws_conn_send(end.conn, 1, "other", 5), 0);
    fastws_prepared_release(prepared);
    end_close(&end);
}

static void a_close_frame_ends_a_message_unfinished(void **state) {
    (void)state;
    for (int is_theirs = 0; is_theirs < 2; is_theirs++) {
        struct end end;
        open_with(&end, SERVER, 3);
        assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
        write_text(&end, "12345");
        if (is_theirs) end_receive_frame(&end, 0x88, "\x03\xe8", 2);
        if (!is_theirs) assert_int_equal(fastws_conn_close(end.conn, 1000, "", 0), 0);
        assert_int_equal(fastws_conn_write(end.conn, "6", 1), FASTWS_ERR_CLOSED);
        assert_int_equal(fastws_conn_flush_fragment(end.conn), FASTWS_ERR_CLOSED);
        assert_int_equal(fastws_conn_finish(end.conn), FASTWS_ERR_CLOSED);
        assert_int_equal(fastws_conn_begin(end.conn, 1), FASTWS_ERR_CLOSED);
        assert_int_equal(fastws_conn_is_message_open(end.conn), 0);
        assert_int_equal(fastws_conn_buffered_len(end.conn), 0);
        end_drain(&end, SIZE_MAX);
        size_t off = 0;
        expect_sent(&end, &off, 0x01, "123", 3);
        expect_sent(&end, &off, 0x88, "\x03\xe8", 2);
        NONE_LEFT(&end, off);
        end_close(&end);
    }
}

static void an_error_of_the_peer_ends_it_too(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 3);
    assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
    write_text(&end, "12");
    end_receive_frame(&end, 0x80, "", 0);
    assert_int_equal(end.last, FASTWS_ERR_CONTINUATION_UNEXPECTED);
    assert_int_equal(fastws_conn_write(end.conn, "6", 1), FASTWS_ERR_CONTINUATION_UNEXPECTED);
    assert_int_equal(fastws_conn_finish(end.conn), FASTWS_ERR_CONTINUATION_UNEXPECTED);
    assert_int_equal(fastws_conn_is_message_open(end.conn), 0);
    end_close(&end);
}

/* ---- Giving up ---- */

static void abandons_what_was_not_queued(void **state) {
    (void)state;
    struct end end;
    open_with(&end, SERVER, 4);
    fastws_conn_abandon(end.conn);
    assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
    write_text(&end, "abc");
    fastws_conn_abandon(end.conn); /* nobody has heard of it */
    assert_int_equal(fastws_conn_is_message_open(end.conn), 0);
    assert_int_equal(fastws_conn_begin(end.conn, 2), 0);
    write_text(&end, "abcdef");
    fastws_conn_abandon(end.conn); /* the peer has its first fragment */
    assert_int_equal(fastws_conn_is_message_open(end.conn), 1);
    write_text(&end, "xyz");
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    end_drain(&end, SIZE_MAX);
    size_t off = 0;
    expect_sent(&end, &off, 0x02, "abcd", 4);
    expect_sent(&end, &off, 0x80, "xyz", 3);
    NONE_LEFT(&end, off);
    end_close(&end);
}

/* Part of what was written may be queued: the message cannot go on, and says so until it is reset. */
static void an_error_stays_until_reset(void **state) {
    (void)state;
    struct end end;
    open_with(&end, CLIENT, 4);
    assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
    write_text(&end, "abcdef");
    end.keys.error = FASTWS_ERR_RANDOM;
    assert_int_equal(fastws_conn_write(end.conn, "ghijkl", 6), FASTWS_ERR_RANDOM);
    end.keys.error = 0;
    assert_int_equal(fastws_conn_write(end.conn, "m", 1), FASTWS_ERR_RANDOM);
    assert_int_equal(fastws_conn_flush_fragment(end.conn), FASTWS_ERR_RANDOM);
    assert_int_equal(fastws_conn_finish(end.conn), FASTWS_ERR_RANDOM);
    assert_int_equal(fastws_conn_ping(end.conn, "", 0), 0);
    assert_int_equal(fastws_conn_reset(end.conn, NULL), 0);
    assert_int_equal(fastws_conn_begin(end.conn, 1), 0);
    write_text(&end, "new");
    assert_int_equal(fastws_conn_finish(end.conn), 0);
    expect_only_sent(&end, 0x81, "new", 3);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_fragments_and_ends_with_what_is_left),
        cmocka_unit_test(cuts_what_is_written_at_once_into_fragments),
        cmocka_unit_test(a_message_that_fills_its_fragments_needs_no_empty_one),
        cmocka_unit_test(an_empty_message_is_one_empty_frame),
        cmocka_unit_test(flushes_fragments_that_are_not_full),
        cmocka_unit_test(the_length_of_fragments_may_change_between_them),
        cmocka_unit_test(sends_messages_of_every_size_in_fragments_of_every_length),
        cmocka_unit_test(borrows_whole_fragments_and_copies_the_rest),
        cmocka_unit_test(messages_that_fit_a_slab_allocate_once),
        cmocka_unit_test(drained_fragments_reuse_one_buffer),
        cmocka_unit_test(a_large_message_grows_in_one_block),
        cmocka_unit_test(control_frames_may_stand_between_fragments),
        cmocka_unit_test(other_messages_may_not),
        cmocka_unit_test(a_close_frame_ends_a_message_unfinished),
        cmocka_unit_test(an_error_of_the_peer_ends_it_too),
        cmocka_unit_test(abandons_what_was_not_queued),
        cmocka_unit_test(an_error_stays_until_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
