/* SPDX-License-Identifier: MIT */
/* Messages handed out in chunks: by fragments, as they arrive, switched between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

#include "model.h"
#include "support.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT
#define FIRST FASTWS_EVENT_FIRST
#define LAST FASTWS_EVENT_LAST
#define ASCII FASTWS_EVENT_ASCII
#define FRAME FASTWS_EVENT_FRAME
#define FIN FASTWS_EVENT_FIN

static const enum fastws_role roles[] = {SERVER, CLIENT};
static const size_t slab_lens[] = {4096, 65536};
static const int caps[] = {1, 2, 64};

static void log_chunk(struct log *log, unsigned opcode, const void *payload, size_t len, unsigned flags,
                      uint64_t remaining) {
    const struct fastws_event event = {.ptr = payload, .len = len, .kind = FASTWS_EVENT_CHUNK,
                                       .opcode = (uint8_t)opcode, .flags = (uint16_t)flags, .remaining = remaining};
    log_event(log, &event);
}

static void open_delivering(struct end *end, enum fastws_role role, enum fastws_delivery delivery) {
    end_prepare(end, role);
    end->config.delivery = (uint8_t)delivery;
    end_open(end);
}

/* ---- Chunks become messages again ---- */

/* Joins chunks to messages, as their user would, and expects that they fit together. */
struct joiner {
    struct log log;
    struct bytes message;
    uint64_t remaining; /* of the frame that is open */
    int is_open;
    int is_loose; /* chunks may cover several frames */
    unsigned opcode;
};

static void check_frame_of(const struct joiner *joiner, const struct fastws_event *event) {
    assert_int_equal((event->flags & FRAME) != 0, joiner->remaining == 0 || !joiner->is_open);
    if (!(event->flags & FRAME)) assert_int_equal(event->len + event->remaining, joiner->remaining);
}

static void join_chunk(struct joiner *joiner, const struct fastws_event *event) {
    assert_int_equal((event->flags & FIRST) != 0, !joiner->is_open);
    if (!joiner->is_loose) check_frame_of(joiner, event);
    if (!joiner->is_open) joiner->opcode = event->opcode;
    assert_int_equal(event->opcode, joiner->opcode);
    bytes_put(&joiner->message, event->ptr, (size_t)event->len);
    joiner->is_open = 1;
    joiner->remaining = event->remaining;
    if (!(event->flags & LAST)) return;
    assert_true(event->flags & FIN);
    assert_int_equal(event->remaining, 0);
    log_message(&joiner->log, joiner->opcode, joiner->message.ptr, joiner->message.len);
    joiner->message.len = 0;
    joiner->is_open = 0;
}

static void join_log(struct joiner *joiner, const struct log *log) {
    size_t off = 0;
    for (int i = 0; i < log->count; i++) {
        struct fastws_event event;
        memcpy(&event, log->bytes.ptr + off, sizeof event);
        event.ptr = log->bytes.ptr + off + sizeof event;
        off += sizeof event + (size_t)event.len;
        if (event.kind == FASTWS_EVENT_CHUNK) join_chunk(joiner, &event);
        if (event.kind != FASTWS_EVENT_CHUNK) log_event(&joiner->log, &event);
    }
}

static void expect_joined(const struct end *end, const struct log *expected, int is_loose) {
    struct joiner joiner = {.is_loose = is_loose};
    join_log(&joiner, &end->log);
    assert_logs_equal(&joiner.log, expected);
    log_free(&joiner.log);
    bytes_free(&joiner.message);
}

enum { SWITCHING = 3 };

/* Receives wire in pieces, which may change the way of delivery before each of them. */
static void receive_switching(struct end *end, const struct bytes *wire, uint32_t *random, int is_switching) {
    static const size_t tops[] = {1, 3, 40, 1500, 70000};
    size_t top = tops[next_random(random) % COUNT_OF(tops)];
    for (size_t off = 0; off < wire->len;) {
        size_t len = 1 + next_random(random) % top;
        if (len > wire->len - off) len = wire->len - off;
        if (is_switching) assert_int_equal(fastws_conn_set_delivery(end->conn, (int)(next_random(random) % 3)), 0);
        end_receive(end, wire->ptr + off, len);
        off += len;
    }
}

static void agree_once(uint32_t *random, int delivery) {
    static uint8_t payloads[16][9000];
    struct frame frames[16];
    struct bytes wire = {0};
    struct log expected = {0};
    enum fastws_role role = roles[next_random(random) % 2];
    int count = model_random_frames(frames, payloads, 16, random);
    for (int i = 0; i < count; i++)
        put_frame(&wire, role, frames[i].first, frames[i].payload, frames[i].len);
    model_run(&expected, frames, count);
    struct end end;
    end_prepare(&end, role);
    end.config.delivery = (uint8_t)(delivery < SWITCHING ? delivery : 0);
    end.pool_config.slab_len = slab_lens[next_random(random) % 2];
    end.input = (enum input)(next_random(random) % INPUTS);
    end.cap = caps[next_random(random) % 3];
    end_open(&end);
    receive_switching(&end, &wire, random, delivery == SWITCHING);
    expect_joined(&end, &expected, delivery == SWITCHING);
    end_close(&end);
    bytes_free(&wire);
    log_free(&expected);
}

static void every_way_agrees_with_a_simple_decoder(void **state) {
    (void)state;
    uint32_t random = 7;
    for (int i = 0; i < 4000; i++) agree_once(&random, FASTWS_DELIVER_FRAGMENTS);
    for (int i = 0; i < 4000; i++) agree_once(&random, FASTWS_DELIVER_STREAM);
}

static void ways_may_change_at_any_time(void **state) {
    (void)state;
    uint32_t random = 11;
    for (int i = 0; i < 6000; i++) agree_once(&random, SWITCHING);
}

/* ---- Fragments ---- */

static void put_foo_bar_baz(struct bytes *wire, enum fastws_role role) {
    put_frame(wire, role, 0x01, "foo", 3);
    put_frame(wire, role, 0x89, "ping", 4);
    put_frame(wire, role, 0x00, "", 0);
    put_frame(wire, role, 0x00, "bar", 3);
    put_frame(wire, role, 0x8a, "pong", 4);
    put_frame(wire, role, 0x80, "baz", 3);
    put_frame(wire, role, 0x82, "next", 4);
}

static void hands_out_each_fragment_with_its_payload(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct bytes wire = {0};
        struct log expected = {0};
        put_foo_bar_baz(&wire, roles[role]);
        log_chunk(&expected, 1, "foo", 3, FIRST | FRAME | ASCII, 0);
        log_control(&expected, FASTWS_EVENT_PING, "ping", 4);
        log_chunk(&expected, 1, "", 0, FRAME | ASCII, 0);
        log_chunk(&expected, 1, "bar", 3, FRAME | ASCII, 0);
        log_control(&expected, FASTWS_EVENT_PONG, "pong", 4);
        log_chunk(&expected, 1, "baz", 3, FRAME | FIN | LAST | ASCII, 0);
        log_chunk(&expected, 2, "next", 4, FIRST | FRAME | FIN | LAST, 0);
        for (size_t step = 1; step <= wire.len; step++) {
            for (int input = 0; input < INPUTS; input++) {
                struct end end;
                end_prepare(&end, roles[role]);
                end.config.delivery = FASTWS_DELIVER_FRAGMENTS;
                end.input = (enum input)input;
                end_open(&end);
                end_receive_in_steps(&end, &wire, step);
                assert_logs_equal(&end.log, &expected);
                end_close(&end);
            }
        }
        bytes_free(&wire);
        log_free(&expected);
    }
}

/* A fragment that does not fit a slab has a block, which goes with its view. */
static void a_large_fragment_has_a_block_of_its_own_length(void **state) {
    (void)state;
    const size_t len = 300000;
    uint8_t *payload = malloc(len);
    assert_non_null(payload);
    fill_pattern(payload, len, 3);
    struct end end;
    open_delivering(&end, SERVER, FASTWS_DELIVER_FRAGMENTS);
    size_t fixed = end.memory.live;
    struct bytes wire = {0};
    struct log expected = {0};
    for (int i = 0; i < 4; i++) {
        unsigned first = (i == 3 ? 0x80u : 0u) | (i == 0 ? 2u : 0u);
        put_frame(&wire, SERVER, first, payload, len);
        log_chunk(&expected, 2, payload, len, FRAME | (i == 0 ? FIRST : 0) | (i == 3 ? FIN | LAST : 0), 0);
    }
    end_receive_in_steps(&end, &wire, 65536);
    assert_logs_equal(&end.log, &expected);
    assert_int_equal(end.memory.largest, len);
    assert_true(end.memory.live <= fixed + 65536 + 512); /* the slab, which the pool keeps */
    bytes_free(&wire);
    log_free(&expected);
    free(payload);
    end_close(&end);
}

/* ---- Streaming ---- */

static void streams_the_header_first_and_then_what_arrives(void **state) {
    (void)state;
    for (size_t role = 0; role < 2; role++) {
        struct end end;
        open_delivering(&end, roles[role], FASTWS_DELIVER_STREAM);
        struct bytes wire = {0};
        struct log expected = {0};
        put_frame(&wire, roles[role], 0x82, "hello", 5);
        size_t header_len = wire.len - 5;
        end_receive(&end, wire.ptr, header_len - 1);
        assert_logs_equal(&end.log, &expected);
        end_receive(&end, wire.ptr + header_len - 1, 1);
        log_chunk(&expected, 2, "", 0, FIRST | FRAME | FIN, 5);
        end_receive(&end, wire.ptr + header_len, 2);
        log_chunk(&expected, 2, "he", 2, FIN, 3);
        end_receive(&end, wire.ptr + header_len + 2, 3);
        log_chunk(&expected, 2, "llo", 3, FIN | LAST, 0);
        assert_logs_equal(&end.log, &expected);
        bytes_free(&wire);
        log_free(&expected);
        end_close(&end);
    }
}

/* 1 GiB would be refused by default: without limits, it takes one slab. */
static void a_streamed_message_may_be_larger_than_memory(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end.config.delivery = FASTWS_DELIVER_STREAM;
    end.config.limits.max_frame = 0;
    end.config.limits.max_message = 0;
    end_open(&end);
    size_t fixed = end.memory.live;
    /* binary, final; masked, 64-bit length 2^62; key 0 */
    const uint8_t header[] = {0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    end_receive(&end, header, sizeof header);
    uint64_t total = 0;
    for (int i = 0; i < 4096; i++) {
        void *ptr;
        size_t cap;
        struct fastws_event event;
        assert_int_equal(fastws_conn_space(end.conn, &ptr, &cap), 0);
        assert_true(cap >= 16384);
        memset(ptr, i, cap);
        assert_int_equal(fastws_conn_filled(end.conn, cap), 0);
        assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
        assert_int_equal(event.kind, FASTWS_EVENT_CHUNK);
        assert_int_equal(event.len, cap);
        total += cap;
        assert_int_equal(event.remaining, ((uint64_t)1 << 62) - total);
        assert_int_equal(fastws_conn_next(end.conn, &event, 1), 0);
    }
    assert_true(end.memory.peak <= fixed + 65536 + 1024);
    end_close(&end);
}

/* However it is cut, what is handed out ends at the bad byte, and the error names it. */
static void a_streamed_text_is_handed_out_up_to_the_bad_byte(void **state) {
    (void)state;
    const char *text = "caf\xc3\xa9 \xed\xa0\x80 lost"; /* a surrogate: refused at its second byte */
    size_t len = strlen(text), good = 7;
    for (size_t role = 0; role < 2; role++) {
        struct bytes wire = {0};
        put_frame(&wire, roles[role], 0x81, text, len);
        for (int input = 0; input < INPUTS; input++) {
            for (size_t cut = 1; cut <= wire.len; cut++) {
                struct end end;
                end_prepare(&end, roles[role]);
                end.config.delivery = FASTWS_DELIVER_STREAM;
                end.input = (enum input)input;
                end_open(&end);
                end_receive(&end, wire.ptr, cut);
                if (end.last >= 0) end_receive(&end, wire.ptr + cut, wire.len - cut);
                assert_int_equal(end.last, FASTWS_ERR_UTF8);
                struct bytes seen = {0};
                size_t off = 0;
                for (int i = 0; i < end.log.count; i++) {
                    struct fastws_event event;
                    memcpy(&event, end.log.bytes.ptr + off, sizeof event);
                    bytes_put(&seen, end.log.bytes.ptr + off + sizeof event, (size_t)event.len);
                    off += sizeof event + (size_t)event.len;
                    if (i + 1 == end.log.count) assert_int_equal(event.error_offset, good);
                }
                assert_int_equal(seen.len, good);
                assert_memory_equal(seen.ptr, text, good);
                assert_int_equal(fastws_conn_offset(end.conn), wire.len - len + good);
                bytes_free(&seen);
                end_close(&end);
            }
        }
        bytes_free(&wire);
    }
}

static void a_text_that_ends_inside_a_character_is_refused_at_its_end(void **state) {
    (void)state;
    for (int delivery = 0; delivery < 3; delivery++) {
        for (size_t step = 1; step < 40; step++) {
            struct end end;
            open_delivering(&end, SERVER, (enum fastws_delivery)delivery);
            struct bytes wire = {0};
            put_frame(&wire, SERVER, 0x01, "abc\xe2\x82", 5);
            put_frame(&wire, SERVER, 0x80, "", 0);
            end_receive_in_steps(&end, &wire, step);
            assert_int_equal(end.last, FASTWS_ERR_UTF8);
            struct fastws_event event;
            memcpy(&event, end.log.bytes.ptr + end.log.bytes.len - sizeof event, sizeof event);
            assert_int_equal(event.error_offset, 5);
            assert_int_equal(event.close_code, 1007);
            assert_int_equal(fastws_conn_offset(end.conn), wire.len);
            bytes_free(&wire);
            end_close(&end);
        }
    }
}

/* ---- Limits ---- */

static void expect_refused(enum fastws_delivery delivery, const struct bytes *wire, const struct fastws_limits *limits,
                           int error) {
    for (int input = 0; input < INPUTS; input++) {
        struct end end;
        end_prepare(&end, SERVER);
        end.config.delivery = (uint8_t)delivery;
        end.config.limits = *limits;
        end.input = (enum input)input;
        end_open(&end);
        end_receive(&end, wire->ptr, wire->len);
        assert_int_equal(end.last, error);
        end_close(&end);
    }
}

static void limits_hold_in_every_way(void **state) {
    (void)state;
    struct fastws_limits limits = {.max_message = 10, .max_frame = 6, .max_fragments = 5, .max_empty_fragments = 2};
    for (int delivery = 0; delivery < 3; delivery++) {
        struct bytes frame = {0}, message = {0}, fragments = {0}, empty = {0};
        put_frame(&frame, SERVER, 0x82, "1234567", 7);
        for (int i = 0; i < 3; i++) put_frame(&message, SERVER, i ? 0x00 : 0x02, "1234", 4);
        for (int i = 0; i < 6; i++) put_frame(&fragments, SERVER, i ? 0x00 : 0x02, "1", 1);
        for (int i = 0; i < 3; i++) put_frame(&empty, SERVER, i ? 0x00 : 0x02, "", 0);
        expect_refused((enum fastws_delivery)delivery, &frame, &limits, FASTWS_ERR_FRAME_TOO_LARGE);
        expect_refused((enum fastws_delivery)delivery, &message, &limits, FASTWS_ERR_MESSAGE_TOO_LARGE);
        expect_refused((enum fastws_delivery)delivery, &fragments, &limits, FASTWS_ERR_TOO_MANY_FRAGMENTS);
        expect_refused((enum fastws_delivery)delivery, &empty, &limits, FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS);
        bytes_free(&frame);
        bytes_free(&message);
        bytes_free(&fragments);
        bytes_free(&empty);
    }
}

/* ---- Switching ---- */

/* What was gathered of a message becomes its first chunk; one that is begun is finished as it was. */
static void a_message_changes_over_until_a_chunk_of_it_was_handed_out(void **state) {
    (void)state;
    struct end end;
    open_delivering(&end, SERVER, FASTWS_DELIVER_MESSAGES);
    struct log expected = {0};
    end_receive_frame(&end, 0x02, "one ", 4);
    end_receive_frame(&end, 0x00, "two ", 4);
    assert_int_equal(end.log.count, 0);
    assert_int_equal(fastws_conn_set_delivery(end.conn, FASTWS_DELIVER_STREAM), 0);
    end_take_events(&end);
    log_chunk(&expected, 2, "one two ", 8, FIRST | FRAME, 0);
    assert_logs_equal(&end.log, &expected);
    assert_int_equal(fastws_conn_set_delivery(end.conn, FASTWS_DELIVER_MESSAGES), 0);
    end_receive_frame(&end, 0x00, "three", 5);
    log_chunk(&expected, 2, "three", 5, FRAME, 0);
    end_receive_frame(&end, 0x80, "", 0);
    log_chunk(&expected, 2, "", 0, FRAME | FIN | LAST, 0);
    end_receive_frame(&end, 0x02, "a whole", 7);
    end_receive_frame(&end, 0x80, " one", 4);
    log_message(&expected, 2, "a whole one", 11);
    assert_logs_equal(&end.log, &expected);
    log_free(&expected);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_agrees_with_a_simple_decoder),
        cmocka_unit_test(ways_may_change_at_any_time),
        cmocka_unit_test(hands_out_each_fragment_with_its_payload),
        cmocka_unit_test(a_large_fragment_has_a_block_of_its_own_length),
        cmocka_unit_test(streams_the_header_first_and_then_what_arrives),
        cmocka_unit_test(a_streamed_message_may_be_larger_than_memory),
        cmocka_unit_test(a_streamed_text_is_handed_out_up_to_the_bad_byte),
        cmocka_unit_test(a_text_that_ends_inside_a_character_is_refused_at_its_end),
        cmocka_unit_test(limits_hold_in_every_way),
        cmocka_unit_test(a_message_changes_over_until_a_chunk_of_it_was_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
