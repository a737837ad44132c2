/* SPDX-License-Identifier: MIT */
/* Frames of compressed messages, RSV1, and messages compressed once for many connections. RFC 7692 section 6. */
#include "deflating.h"

#include <fastws/error.h>
#include <fastws/frame.h>

static struct fastws_header header_of(unsigned opcode, unsigned rsv, int fin) {
    return (struct fastws_header){.opcode = (uint8_t)opcode, .rsv = (uint8_t)rsv, .fin = (uint8_t)fin};
}

/* ---- RSV1 ---- */

static void takes_rsv1_off_the_first_frame_and_remembers_it(void **state) {
    (void)state;
    struct fastws_deflate_state it = {0};
    struct fastws_header first = header_of(FASTWS_OPCODE_TEXT, FASTWS_RSV1 | FASTWS_RSV3, 0);
    struct fastws_header ping = header_of(FASTWS_OPCODE_PING, 0, 1);
    struct fastws_header last = header_of(FASTWS_OPCODE_CONTINUATION, 0, 1);
    assert_int_equal(fastws_deflate_state_receive(&it, &first), 1);
    assert_int_equal(first.rsv, FASTWS_RSV3); /* not ours: left for the check of the header */
    assert_int_equal(fastws_deflate_state_receive(&it, &ping), 0);
    assert_int_equal(fastws_deflate_state_receive(&it, &last), 1);
    assert_int_equal(it.is_open, 0);
    assert_int_equal(it.is_compressed, 1);
    struct fastws_header plain = header_of(FASTWS_OPCODE_BINARY, 0, 1);
    assert_int_equal(fastws_deflate_state_receive(&it, &plain), 0);
    assert_int_equal(it.is_compressed, 0);
}

static void refuses_rsv1_where_it_may_not_stand(void **state) {
    (void)state;
    const unsigned opcodes[] = {FASTWS_OPCODE_CONTINUATION, FASTWS_OPCODE_PING, FASTWS_OPCODE_PONG,
                                FASTWS_OPCODE_CLOSE};
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        struct fastws_deflate_state it = {.is_open = 1, .is_compressed = 1}, before = it;
        struct fastws_header header = header_of(opcodes[i], FASTWS_RSV1, 1);
        assert_int_equal(fastws_deflate_state_receive(&it, &header), FASTWS_ERR_RSV);
        assert_int_equal(fastws_deflate_state_send(&it, &header), FASTWS_ERR_RSV);
        assert_int_equal(header.rsv, FASTWS_RSV1);
        assert_memory_equal(&it, &before, sizeof it);
    }
}

static void refuses_frames_out_of_order(void **state) {
    (void)state;
    struct fastws_deflate_state closed = {0}, open = {.is_open = 1};
    struct fastws_header first = header_of(FASTWS_OPCODE_TEXT, 0, 1);
    struct fastws_header next = header_of(FASTWS_OPCODE_CONTINUATION, 0, 1);
    assert_int_equal(fastws_deflate_state_receive(&open, &first), FASTWS_ERR_CONTINUATION_EXPECTED);
    assert_int_equal(fastws_deflate_state_send(&open, &first), FASTWS_ERR_CONTINUATION_EXPECTED);
    assert_int_equal(fastws_deflate_state_receive(&closed, &next), FASTWS_ERR_CONTINUATION_UNEXPECTED);
    assert_int_equal(fastws_deflate_state_send(&closed, &next), FASTWS_ERR_CONTINUATION_UNEXPECTED);
}

static void sets_rsv1_on_the_first_frame_only(void **state) {
    (void)state;
    struct fastws_deflate_state it = {.is_compressed = 1};
    struct fastws_header first = header_of(FASTWS_OPCODE_TEXT, FASTWS_RSV2, 0);
    struct fastws_header ping = header_of(FASTWS_OPCODE_PING, 0, 1);
    struct fastws_header last = header_of(FASTWS_OPCODE_CONTINUATION, 0, 1);
    assert_int_equal(fastws_deflate_state_send(&it, &first), 1);
    assert_int_equal(first.rsv, FASTWS_RSV1 | FASTWS_RSV2);
    assert_int_equal(fastws_deflate_state_send(&it, &ping), 0);
    assert_int_equal(ping.rsv, 0);
    assert_int_equal(fastws_deflate_state_send(&it, &last), 1);
    assert_int_equal(last.rsv, 0);
    it.is_compressed = 0;
    struct fastws_header plain = header_of(FASTWS_OPCODE_TEXT, 0, 1);
    assert_int_equal(fastws_deflate_state_send(&it, &plain), 0);
    assert_int_equal(plain.rsv, 0);
}

/* ---- Frames ---- */

static void compresses_and_inflates_whole_frames(void **state) {
    (void)state;
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    struct deflating it;
    struct fastws_deflate_buffer plain = {0};
    struct fastws_frame frame;
    deflating_start(&it, FASTWS_DEFLATE_NO_TAKEOVER);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fastws_frame_text(&frame, "Hello", 5), 0);
        assert_int_equal(fastws_deflate_compress_frame(it.deflate, &frame, &it.out), 1);
        assert_int_equal(frame.header.rsv, FASTWS_RSV1);
        assert_int_equal(frame.header.opcode, FASTWS_OPCODE_TEXT);
        assert_int_equal(frame.header.fin, 1);
        assert_int_equal(frame.header.length, sizeof hello); /* gobwas/ws: 12 */
        assert_memory_equal(frame.payload, hello, sizeof hello);
        assert_int_equal(fastws_deflate_decompress_frame(it.deflate, &frame, &plain), 1);
        assert_int_equal(frame.header.rsv, 0);
        assert_int_equal(frame.header.length, 5);
        assert_memory_equal(frame.payload, "Hello", 5);
    }
    fastws_deflate_buffer_free(&plain);
    deflating_close(&it);
}

static void compresses_and_inflates_fragments(void **state) {
    (void)state;
    static const char *const parts[] = {"one, ", "", "two, ", "three"};
    struct deflating it;
    struct fastws_deflate_buffer plain = {0};
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 4; i++) {
            struct fastws_frame frame, ping;
            unsigned opcode = i == 0 ? FASTWS_OPCODE_TEXT : FASTWS_OPCODE_CONTINUATION;
            assert_int_equal(fastws_frame_init(&frame, opcode, i == 3, parts[i], strlen(parts[i])), 0);
            assert_int_equal(fastws_deflate_compress_frame(it.deflate, &frame, &it.out), 1);
            assert_int_equal(frame.header.rsv, i == 0 ? FASTWS_RSV1 : 0);
            assert_int_equal(fastws_frame_ping(&ping, "p", 1), 0);
            assert_int_equal(fastws_deflate_decompress_frame(it.deflate, &ping, &plain), 0);
            assert_int_equal(fastws_deflate_decompress_frame(it.deflate, &frame, &plain), 1);
            assert_int_equal(frame.header.length, strlen(parts[i]));
            if (frame.header.length > 0) assert_memory_equal(frame.payload, parts[i], strlen(parts[i]));
        }
    }
    fastws_deflate_buffer_free(&plain);
    deflating_close(&it);
}

static void leaves_control_and_plain_frames_as_they_are(void **state) {
    (void)state;
    struct deflating it;
    struct fastws_frame ping, text;
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    /* gobwas/ws compresses the payload of a ping, and does not mark it. */
    assert_int_equal(fastws_frame_ping(&ping, "are you there?", 14), 0);
    assert_int_equal(fastws_deflate_compress_frame(it.deflate, &ping, &it.out), 0);
    assert_int_equal(ping.header.rsv, 0);
    assert_int_equal(ping.header.length, 14);
    assert_memory_equal(ping.payload, "are you there?", 14);
    assert_int_equal(fastws_deflate_decompress_frame(it.deflate, &ping, &it.out), 0);
    assert_int_equal(fastws_frame_text(&text, "plain", 5), 0);
    assert_int_equal(fastws_deflate_decompress_frame(it.deflate, &text, &it.out), 0);
    assert_memory_equal(text.payload, "plain", 5);
    assert_int_equal(fastws_deflate_held(it.deflate), 0);
    deflating_close(&it);
}

static void refuses_frames_that_it_cannot_work_on(void **state) {
    (void)state;
    struct deflating it;
    struct fastws_frame frame;
    uint8_t key[4] = {1, 2, 3, 4}, masked[5];
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    assert_int_equal(fastws_frame_text(&frame, "Hello", 5), 0);
    assert_int_equal(fastws_frame_mask(&frame, masked, 5, key), 0);
    struct fastws_frame before = frame;
    assert_int_equal(fastws_deflate_compress_frame(it.deflate, &frame, &it.out), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_deflate_decompress_frame(it.deflate, &frame, &it.out), FASTWS_ERR_ARGUMENT);
    frame.header.masked = 0;
    frame.payload = NULL;
    assert_int_equal(fastws_deflate_compress_frame(it.deflate, &frame, &it.out), FASTWS_ERR_ARGUMENT);
    frame = before;
    frame.header.masked = 0;
    frame.header.rsv = FASTWS_RSV1;
    assert_int_equal(fastws_deflate_compress_frame(it.deflate, &frame, &it.out), FASTWS_ERR_RSV);
    frame.header.opcode = FASTWS_OPCODE_CONTINUATION;
    frame.header.rsv = 0;
    assert_int_equal(fastws_deflate_compress_frame(it.deflate, &frame, &it.out), FASTWS_ERR_CONTINUATION_UNEXPECTED);
    deflating_close(&it);
}

static void checks_the_text_of_frames(void **state) {
    (void)state;
    for (int is_text = 0; is_text < 2; is_text++) {
        struct deflating it;
        struct fastws_deflate_buffer plain = {0};
        struct fastws_frame frame;
        deflating_start(&it, FASTWS_DEFLATE_TAIL);
        unsigned opcode = is_text ? FASTWS_OPCODE_TEXT : FASTWS_OPCODE_BINARY;
        assert_int_equal(fastws_frame_init(&frame, opcode, 1, "caf\xe9", 4), 0);
        assert_int_equal(fastws_deflate_compress_frame(it.deflate, &frame, &it.out), 1);
        assert_int_equal(fastws_deflate_decompress_frame(it.deflate, &frame, &plain), is_text ? FASTWS_ERR_UTF8 : 1);
        fastws_deflate_buffer_free(&plain);
        deflating_close(&it);
    }
}

/* ---- One message to many ---- */

static void compresses_once_for_each_set_of_settings(void **state) {
    (void)state;
    uint8_t message[6000];
    struct deflating it;
    struct fastws_deflate *others[4];
    struct fastws_deflate_variants *variants;
    struct fastws_slice first[4], again;
    size_t len = write_message(message, sizeof message, 1);
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    for (int i = 0; i < 4; i++) {
        it.agreed.server_max_window_bits = (uint8_t)(i % 2 == 0 ? 15 : 10);
        assert_int_equal(fastws_deflate_new(&it.config, FASTWS_STATE_SERVER, &it.agreed, it.pool, &others[i]), 0);
    }
    assert_int_equal(fastws_deflate_variants_new(message, len, it.pool, &variants), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(fastws_deflate_variant(variants, others[i], &first[i]), 0);
    assert_ptr_equal(first[0].ptr, first[2].ptr);
    assert_ptr_equal(first[1].ptr, first[3].ptr);
    assert_ptr_not_equal(first[0].ptr, first[1].ptr);
    uint64_t calls = it.memory.calls;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fastws_deflate_variant(variants, others[i], &again), 0);
        assert_ptr_equal(again.ptr, first[i].ptr);
    }
    assert_int_equal(it.memory.calls, calls);
    struct fastws_deflate_stats stats;
    fastws_deflate_pool_get_stats(it.pool, &stats);
    assert_true(stats.variants > first[0].len + first[1].len);
    fastws_deflate_variants_free(variants);
    fastws_deflate_variants_free(NULL);
    for (int i = 0; i < 4; i++) fastws_deflate_free(others[i]);
    deflating_close(&it);
}

/* A broadcast between the connection's own messages: what comes after it may refer to it, and to nothing that the peer
 * no longer finds where it was. */
static void keeps_the_window_right_across_a_broadcast(void **state) {
    (void)state;
    static const size_t lens[] = {0, 1, 100, 1023, 1024, 1025, 5000, 40000};
    uint8_t *message = malloc(MESSAGE_CAP);
    for (int i = 0; i < 3 * 8; i++) {
        struct deflating it;
        struct fastws_deflate_variants *variants;
        struct fastws_slice wire;
        struct stock *stock = stock_new(15, 15, 1);
        deflating_start(&it, (enum fastws_deflate_mode)(1 + i % 3));
        for (uint32_t round = 0; round < 4; round++) {
            for (uint32_t k = 0; k < round; k++) {
                size_t own_len = write_message(message, 600, k);
                compress_message(&it, message, own_len);
                expect_stock_reads(stock, &it, message, own_len);
            }
            if (round == 3) fastws_deflate_idle(it.deflate);
            size_t len = write_message(message, lens[i / 3], round);
            assert_int_equal(fastws_deflate_variants_new(message, len, it.pool, &variants), 0);
            assert_int_equal(fastws_deflate_variant(variants, it.deflate, &wire), 0);
            assert_int_equal(stock_inflate(stock, wire.ptr, wire.len), 0);
            assert_int_equal(stock->len, len);
            if (len > 0) assert_memory_equal(stock->buffer, message, len);
            assert_int_equal(fastws_deflate_sent_variant(it.deflate, variants), 0);
            compress_message(&it, message, len); /* the same by itself: mostly a reference */
            expect_stock_reads(stock, &it, message, len);
            if (i % 3 != 2 && len >= 100 && len <= 1024) assert_true(it.out.len < 40);
            fastws_deflate_variants_free(variants);
        }
        deflating_close(&it);
        stock_free(stock);
    }
    free(message);
}

static void a_broadcast_does_not_go_between_fragments(void **state) {
    (void)state;
    struct deflating it;
    struct fastws_deflate_variants *variants;
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    assert_int_equal(fastws_deflate_variants_new("news", 4, it.pool, &variants), 0);
    assert_int_equal(fastws_deflate_compress(it.deflate, "a", 1, FASTWS_DEFLATE_FLUSH, &it.out), 0);
    assert_int_equal(fastws_deflate_sent_variant(it.deflate, variants), FASTWS_ERR_STATE);
    fastws_deflate_variants_free(variants);
    deflating_close(&it);
}

static void a_variant_survives_every_failed_allocation(void **state) {
    (void)state;
    uint8_t message[9000];
    size_t len = write_message(message, sizeof message, 5);
    int result = FASTWS_ERR_NOMEM;
    for (uint64_t fail_at = 1; result < 0; fail_at++) {
        struct deflating it;
        struct fastws_deflate_variants *variants;
        struct fastws_slice wire;
        struct stock *stock = stock_new(15, 15, 1);
        deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
        assert_int_equal(fastws_deflate_variants_new(message, len, it.pool, &variants), 0);
        it.memory.calls = 0;
        it.memory.fail_at = fail_at;
        result = fastws_deflate_variant(variants, it.deflate, &wire);
        if (result < 0) assert_int_equal(result, FASTWS_ERR_NOMEM);
        it.memory.fail_at = 0;
        assert_int_equal(fastws_deflate_variant(variants, it.deflate, &wire), 0);
        assert_int_equal(stock_inflate(stock, wire.ptr, wire.len), 0);
        assert_int_equal(stock->len, len);
        it.memory.calls = 0;
        it.memory.fail_at = 1; /* no tail: the next message refers to nothing */
        assert_int_equal(fastws_deflate_sent_variant(it.deflate, variants), 0);
        it.memory.fail_at = 0;
        compress_message(&it, message, len);
        expect_stock_reads(stock, &it, message, len);
        fastws_deflate_variants_free(variants);
        deflating_close(&it);
        stock_free(stock);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_rsv1_off_the_first_frame_and_remembers_it),
        cmocka_unit_test(refuses_rsv1_where_it_may_not_stand),
        cmocka_unit_test(refuses_frames_out_of_order),
        cmocka_unit_test(sets_rsv1_on_the_first_frame_only),
        cmocka_unit_test(compresses_and_inflates_whole_frames),
        cmocka_unit_test(compresses_and_inflates_fragments),
        cmocka_unit_test(leaves_control_and_plain_frames_as_they_are),
        cmocka_unit_test(refuses_frames_that_it_cannot_work_on),
        cmocka_unit_test(checks_the_text_of_frames),
        cmocka_unit_test(compresses_once_for_each_set_of_settings),
        cmocka_unit_test(keeps_the_window_right_across_a_broadcast),
        cmocka_unit_test(a_broadcast_does_not_go_between_fragments),
        cmocka_unit_test(a_variant_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
