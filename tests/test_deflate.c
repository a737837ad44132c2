/* SPDX-License-Identifier: MIT */
/* Compressing and inflating messages: every setting, every cut, and stock zlib as the peer. */
#include "deflating.h"

#include <fastws/error.h>
#include <fastws/utf8.h>

/* ---- Stock zlib ---- */

/* Sends messages of many lengths to stock zlib and back. */
static void talk(struct deflating *it, int own_bits, int peer_bits, int is_peer_takeover) {
    static const size_t lens[] = {5, 1, 158, 1000, 0, 3000, 5000, 300, 40000, 700};
    uint8_t *message = malloc(MESSAGE_CAP);
    struct stock *stock = stock_new(peer_bits, own_bits, is_peer_takeover);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        size_t len = write_message(message, lens[i], (uint32_t)i);
        compress_message(it, message, len);
        expect_stock_reads(stock, it, message, len);
        len = write_message(message, lens[i], (uint32_t)i + 100);
        if (len == 0) continue; /* zlib does not flush nothing */
        stock_compress(stock, message, len);
        expect_inflated(it, stock->buffer, stock->len, message, len);
    }
    free(message);
    stock_free(stock);
}

static void talks_to_zlib_with_every_window_and_mode(void **state) {
    (void)state;
    for (int i = 0; i < 3 * 2 * 8; i++) {
        for (unsigned role = FASTWS_STATE_SERVER; role <= FASTWS_STATE_CLIENT; role++) {
            struct deflating it;
            int bits = 8 + i / 6, is_peer_takeover = i / 3 % 2;
            deflating_prepare(&it, (enum fastws_deflate_mode)(1 + i % 3));
            it.config.window_bits = 15;
            int is_server = role == FASTWS_STATE_SERVER;
            it.agreed.server_max_window_bits = (uint8_t)(is_server ? bits : 23 - bits);
            it.agreed.client_max_window_bits = (uint8_t)(is_server ? 23 - bits : bits);
            it.agreed.client_no_context_takeover = is_server && !is_peer_takeover;
            it.agreed.server_no_context_takeover = !is_server && !is_peer_takeover;
            deflating_open(&it, role);
            /* Stock zlib has a larger window here: windows are judged byte by byte below. */
            talk(&it, bits < 9 ? 9 : bits, 23 - bits < 9 ? 9 : 23 - bits, is_peer_takeover);
            deflating_close(&it);
        }
    }
}

static void talks_to_zlib_with_every_level_and_strategy(void **state) {
    (void)state;
    static const uint8_t levels[] = {0, 1, 3, 4, 6, 9};
    static const uint8_t memory_levels[] = {1, 5, 9};
    for (unsigned i = 0; i < 6 * 3 * 5 * 3; i++) {
        struct deflating it;
        deflating_prepare(&it, (enum fastws_deflate_mode)(1 + i % 3));
        it.config.level = levels[i / 3 % 6];
        it.config.memory_level = memory_levels[i / 18 % 3];
        it.config.strategy = (uint8_t)(i / 54);
        deflating_open(&it, FASTWS_STATE_SERVER);
        talk(&it, 15, 15, 1);
        deflating_close(&it);
    }
}

/* Inflates with a window of just this size: given room for one byte at a time, zlib has to look up in it all that a
 * message refers to. */
static void expect_within_window(z_stream *zlib, const struct deflating *it, const uint8_t *message, size_t len) {
    uint8_t byte;
    size_t off = 0;
    const uint8_t *parts[2] = {it->out.ptr, (const uint8_t *)"\0\0\xff\xff"};
    size_t part_lens[2] = {it->out.len, 4};
    for (int part = 0; part < 2; part++) {
        zlib->next_in = (Bytef *)(uintptr_t)parts[part];
        zlib->avail_in = (uInt)part_lens[part];
        do {
            zlib->next_out = &byte;
            zlib->avail_out = 1;
            int result = inflate(zlib, Z_SYNC_FLUSH);
            assert_true(result == Z_OK || result == Z_BUF_ERROR);
            if (zlib->avail_out == 0) assert_true(off < len && byte == message[off++]);
        } while (zlib->avail_out == 0 || zlib->avail_in > 0);
    }
    assert_int_equal(off, len);
}

static void never_refers_past_the_window_agreed(void **state) {
    (void)state;
    uint8_t *message = malloc(MESSAGE_CAP);
    for (int i = 0; i < 8 * 3 * 3; i++) {
        struct deflating it;
        z_stream zlib = {.next_in = NULL};
        int bits = 8 + i % 8;
        deflating_prepare(&it, (enum fastws_deflate_mode)(1 + i / 8 % 3));
        it.config.window_bits = 15;
        it.config.tail_len = 32768;
        it.config.level = (uint8_t)(1 + 4 * (i / 24)); /* 1, 5, 9 */
        it.agreed.server_max_window_bits = (uint8_t)bits;
        deflating_open(&it, FASTWS_STATE_SERVER);
        assert_int_equal(inflateInit2(&zlib, -bits), Z_OK);
        for (uint32_t k = 0; k < 6; k++) {
            size_t len = write_message(message, 700 + 9000 * (k / 2), 0); /* the same again, at many distances */
            compress_message(&it, message, len);
            expect_within_window(&zlib, &it, message, len);
        }
        inflateEnd(&zlib);
        deflating_close(&it);
    }
    free(message);
}

/* ---- Pieces ---- */

static void compresses_in_pieces(void **state) {
    (void)state;
    uint8_t *message = malloc(MESSAGE_CAP);
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct deflating it;
        struct stock *stock = stock_new(15, 15, 1);
        deflating_start(&it, (enum fastws_deflate_mode)mode);
        for (unsigned step = 1; step < 3000; step = step * 3 + 1) {
            size_t len = write_message(message, 2500, step);
            it.out.len = 0;
            for (size_t off = 0; off < len; off += step) {
                size_t piece = len - off < step ? len - off : step;
                enum fastws_deflate_flush flush = off / step % 2 ? FASTWS_DEFLATE_FLUSH : FASTWS_DEFLATE_MORE;
                assert_int_equal(fastws_deflate_compress(it.deflate, message + off, piece, flush, &it.out), 0);
            }
            assert_int_equal(fastws_deflate_compress(it.deflate, NULL, 0, FASTWS_DEFLATE_END, &it.out), 0);
            expect_stock_reads(stock, &it, message, len);
        }
        deflating_close(&it);
        stock_free(stock);
    }
    free(message);
}

static void a_flush_shows_all_that_was_given(void **state) {
    (void)state;
    struct deflating it, peer;
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    deflating_start(&peer, FASTWS_DEFLATE_TAKEOVER);
    for (int i = 0; i < 20; i++) {
        it.out.len = 0;
        peer.out.len = 0;
        assert_int_equal(fastws_deflate_compress(it.deflate, "fragment", 8, FASTWS_DEFLATE_FLUSH, &it.out), 0);
        assert_int_equal(fastws_deflate_decompress(peer.deflate, it.out.ptr, it.out.len, 0, &peer.out, NULL),
                         FASTWS_DEFLATE_NEED_INPUT);
        expect_bytes(&peer, "fragment", 8);
        it.out.len = 0; /* nothing new: nothing to flush */
        assert_int_equal(fastws_deflate_compress(it.deflate, NULL, 0, FASTWS_DEFLATE_FLUSH, &it.out), 0);
        assert_int_equal(it.out.len, 0);
    }
    assert_int_equal(fastws_deflate_compress(it.deflate, NULL, 0, FASTWS_DEFLATE_END, &it.out), 0);
    expect_bytes(&it, "\0", 1);
    assert_int_equal(fastws_deflate_decompress(peer.deflate, it.out.ptr, 1, 1, &peer.out, NULL), FASTWS_DEFLATE_DONE);
    deflating_close(&peer);
    deflating_close(&it);
}

static void compresses_into_a_fixed_buffer_of_the_bound(void **state) {
    (void)state;
    uint8_t *message = malloc(MESSAGE_CAP);
    for (unsigned i = 0; i < 3 * 10 * 9 * 4; i++) {
        static const size_t lens[] = {1, 300, 4096, 20000};
        struct deflating it;
        deflating_prepare(&it, (enum fastws_deflate_mode)(1 + i % 3));
        it.config.level = (uint8_t)(i / 3 % 10);
        it.config.memory_level = (uint8_t)(1 + i / 30 % 9);
        it.config.strategy = (uint8_t)(i % 5);
        deflating_open(&it, FASTWS_STATE_SERVER);
        size_t len = lens[i / 270], cap = fastws_deflate_bound(len);
        fill_pattern(message, len, i); /* nothing to be gained */
        uint8_t *dst = malloc(cap);
        struct fastws_deflate_buffer fixed = {.ptr = dst, .cap = cap, .is_fixed = 1};
        for (int k = 0; k < 2; k++) {
            fixed.len = 0;
            assert_int_equal(fastws_deflate_compress(it.deflate, message, len, FASTWS_DEFLATE_END, &fixed), 0);
        }
        fastws_deflate_buffer_free(&fixed);
        assert_ptr_equal(fixed.ptr, dst);
        free(dst);
        deflating_close(&it);
    }
    free(message);
}

static void a_fixed_buffer_that_is_too_small_drops_the_message(void **state) {
    (void)state;
    struct deflating it;
    struct stock *stock = stock_new(15, 15, 1);
    uint8_t message[2000], dst[900];
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    size_t len = write_message(message, sizeof message, 1);
    for (size_t cap = 0; cap < 400; cap += 7) {
        struct fastws_deflate_buffer fixed = {.ptr = dst, .cap = cap, .is_fixed = 1};
        fastws_deflate_forget(it.deflate);
        int result = fastws_deflate_compress(it.deflate, message, len, FASTWS_DEFLATE_END, &fixed);
        assert_int_equal(result, FASTWS_ERR_BUFFER_SIZE);
        compress_message(&it, message, len);
        expect_stock_reads(stock, &it, message, len);
        compress_message(&it, message, len);
        expect_stock_reads(stock, &it, message, len);
    }
    deflating_close(&it);
    stock_free(stock);
}

/* ---- Inflating in pieces ---- */

/* Inflates from pieces of in_step into pieces of out_step bytes. */
static void expect_steps(struct deflating *it, const uint8_t *src, size_t len, const uint8_t *message,
                         size_t message_len, size_t in_step, size_t out_step) {
    uint8_t dst[64];
    size_t off = 0, done = 0;
    int result = FASTWS_DEFLATE_NEED_INPUT;
    struct fastws_deflate_step step = {.src = src};
    while (result != FASTWS_DEFLATE_DONE) {
        if (result == FASTWS_DEFLATE_NEED_INPUT) {
            size_t piece = len - off < in_step ? len - off : in_step;
            step.src_len = piece;
            off += piece;
        }
        step.dst = dst;
        step.dst_len = out_step;
        result = fastws_deflate_inflate(it->deflate, &step, off == len);
        assert_true(result >= 0);
        size_t written = out_step - step.dst_len;
        assert_true(written <= message_len - done);
        if (written > 0) assert_memory_equal(dst, message + done, written);
        done += written;
        if (result == FASTWS_DEFLATE_NEED_ROOM) assert_int_equal(step.dst_len, 0);
        if (result != FASTWS_DEFLATE_NEED_ROOM) assert_int_equal(step.src_len, 0);
    }
    assert_int_equal(done, message_len);
    assert_int_equal(off, len);
}

static void inflates_however_input_and_room_are_cut(void **state) {
    (void)state;
    uint8_t message[1500];
    struct deflating it;
    struct stock *stock = stock_new(15, 15, 1);
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    for (size_t in_step = 1; in_step < 1200; in_step = in_step * 2 + 1) {
        for (size_t out_step = 1; out_step <= 64; out_step *= 2) {
            size_t len = write_message(message, sizeof message - in_step, (uint32_t)(in_step + out_step));
            stock_compress(stock, message, len);
            expect_steps(&it, stock->buffer, stock->len, message, len, in_step, out_step);
        }
    }
    deflating_close(&it);
    stock_free(stock);
}

static void inflates_blocks_with_bfinal_however_they_are_cut(void **state) {
    (void)state;
    /* Three messages' worth of DEFLATE streams in one: two that end, and one that was flushed. */
    static const uint8_t wire[] = {0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00,  /* Hello, BFINAL */
                                   0x01, 0x02, 0x00, 0xfd, 0xff, ',',  ' ',   /* stored, BFINAL */
                                   0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}; /* Hello */
    struct deflating it;
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    for (size_t in_step = 1; in_step <= sizeof wire; in_step++) {
        for (size_t out_step = 1; out_step <= 13; out_step++) {
            expect_steps(&it, wire, sizeof wire, (const uint8_t *)"Hello, Hello", 12, in_step, out_step);
            expect_steps(&it, wire, 14, (const uint8_t *)"Hello, ", 7, in_step, out_step);
        }
    }
    deflating_close(&it);
}

/* ---- Text ---- */

static void checks_utf8_of_what_was_inflated(void **state) {
    (void)state;
    const struct {
        const char *text;
        size_t len;
        int result;
        uint64_t offset;
    } texts[] = {
        {"caf\xc3\xa9", 5, FASTWS_DEFLATE_DONE, 5},
        {"", 0, FASTWS_DEFLATE_DONE, 0},
        {"caf\xc3", 4, FASTWS_ERR_UTF8, 4},
        {"caf\xff and more", 13, FASTWS_ERR_UTF8, 3},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct deflating it;
        struct fastws_deflate_buffer plain = {0};
        struct fastws_utf8 utf8 = FASTWS_UTF8_INIT;
        deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
        compress_message(&it, texts[i].text, texts[i].len);
        int result = fastws_deflate_decompress(it.deflate, it.out.ptr, it.out.len, 1, &plain, &utf8);
        assert_int_equal(result, texts[i].result);
        assert_int_equal(fastws_utf8_error_offset(&utf8), texts[i].offset);
        if (result < 0) /* It is stopped. */
            assert_int_equal(fastws_deflate_decompress(it.deflate, "\0", 1, 1, &plain, NULL), result);
        fastws_deflate_buffer_free(&plain);
        deflating_close(&it);
    }
}

static void reports_bad_utf8_before_the_message_ends(void **state) {
    (void)state;
    struct deflating it;
    struct fastws_deflate_buffer plain = {0};
    struct fastws_utf8 utf8 = FASTWS_UTF8_INIT;
    deflating_start(&it, FASTWS_DEFLATE_TAKEOVER);
    assert_int_equal(fastws_deflate_compress(it.deflate, "ab\xc3(", 4, FASTWS_DEFLATE_FLUSH, &it.out), 0);
    assert_int_equal(fastws_deflate_decompress(it.deflate, it.out.ptr, it.out.len, 0, &plain, &utf8), FASTWS_ERR_UTF8);
    fastws_deflate_buffer_free(&plain);
    deflating_close(&it);
}

/* ---- Policy ---- */

static void wants_what_the_policy_says(void **state) {
    (void)state;
    struct deflating it;
    deflating_prepare(&it, FASTWS_DEFLATE_TAIL);
    it.config.threshold = 100;
    deflating_open(&it, FASTWS_STATE_SERVER);
    assert_int_equal(fastws_deflate_wants(it.deflate, FASTWS_OPCODE_TEXT, 99), 0);
    assert_int_equal(fastws_deflate_wants(it.deflate, FASTWS_OPCODE_TEXT, 100), 1);
    assert_int_equal(fastws_deflate_wants(it.deflate, FASTWS_OPCODE_BINARY, SIZE_MAX), 1);
    assert_int_equal(fastws_deflate_wants(it.deflate, FASTWS_OPCODE_PING, 120), 0);
    assert_int_equal(fastws_deflate_wants(it.deflate, FASTWS_OPCODE_CLOSE, 120), 0);
    it.config.is_binary_skipped = 1;
    assert_int_equal(fastws_deflate_wants(it.deflate, FASTWS_OPCODE_BINARY, 1000), 0);
    assert_int_equal(fastws_deflate_wants(it.deflate, FASTWS_OPCODE_TEXT, 1000), 1);
    deflating_close(&it);
}

static void forgets_messages_that_were_not_sent(void **state) {
    (void)state;
    uint8_t message[800];
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct deflating it;
        struct stock *stock = stock_new(15, 15, 1);
        deflating_start(&it, (enum fastws_deflate_mode)mode);
        for (int i = 0; i < 4; i++) {
            size_t len = write_message(message, sizeof message, 7);
            compress_message(&it, message, len); /* never sent */
            if (i == 1) /* a second one, half way */
                assert_int_equal(fastws_deflate_compress(it.deflate, message, len, FASTWS_DEFLATE_MORE, &it.out), 0);
            fastws_deflate_forget(it.deflate);
            compress_message(&it, message, len);
            expect_stock_reads(stock, &it, message, len);
            compress_message(&it, message, len);
            expect_stock_reads(stock, &it, message, len);
        }
        deflating_close(&it);
        stock_free(stock);
    }
}

static void refuses_what_was_never_agreed(void **state) {
    (void)state;
    struct deflating it;
    deflating_start(&it, FASTWS_DEFLATE_TAIL);
    void *memory = malloc(fastws_deflate_sizeof());
    const struct fastws_deflate_params bad = {.client_max_window_bits = FASTWS_DEFLATE_BITS_ANY};
    assert_int_equal(fastws_deflate_init(memory, &it.config, FASTWS_STATE_SERVER, &bad, it.pool), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_deflate_init(memory, &it.config, 3, &it.agreed, it.pool), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_deflate_init(memory, &it.config, 0, &it.agreed, it.pool), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_deflate_init(memory, &it.config, FASTWS_STATE_CLIENT, &it.agreed, it.pool), 0);
    fastws_deflate_free(memory);
    free(memory);
    deflating_close(&it);
    fastws_deflate_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talks_to_zlib_with_every_window_and_mode),
        cmocka_unit_test(talks_to_zlib_with_every_level_and_strategy),
        cmocka_unit_test(never_refers_past_the_window_agreed),
        cmocka_unit_test(compresses_in_pieces),
        cmocka_unit_test(a_flush_shows_all_that_was_given),
        cmocka_unit_test(compresses_into_a_fixed_buffer_of_the_bound),
        cmocka_unit_test(a_fixed_buffer_that_is_too_small_drops_the_message),
        cmocka_unit_test(inflates_however_input_and_room_are_cut),
        cmocka_unit_test(inflates_blocks_with_bfinal_however_they_are_cut),
        cmocka_unit_test(checks_utf8_of_what_was_inflated),
        cmocka_unit_test(reports_bad_utf8_before_the_message_ends),
        cmocka_unit_test(wants_what_the_policy_says),
        cmocka_unit_test(forgets_messages_that_were_not_sent),
        cmocka_unit_test(refuses_what_was_never_agreed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
