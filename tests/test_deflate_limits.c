/* SPDX-License-Identifier: MIT */
/* Hostile compressed messages: bombs, limits to the byte, and corruption at every byte, judged beside stock zlib. */
#include "deflating.h"

#include <fastws/error.h>

/* Bytes of one letter, compressed as far as DEFLATE goes. */
static struct bytes bomb_of(size_t len) {
    struct bytes bomb = {0};
    uint8_t *zeros = calloc(1, len);
    bomb.cap = len / 500 + 100;
    bomb.ptr = malloc(bomb.cap);
    assert_non_null(zeros);
    assert_non_null(bomb.ptr);
    z_stream zlib = {.next_in = zeros, .avail_in = (uInt)len, .next_out = bomb.ptr, .avail_out = (uInt)bomb.cap};
    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, -15, 8, 0), Z_OK);
    assert_int_equal(deflate(&zlib, Z_SYNC_FLUSH), Z_OK);
    assert_true(zlib.avail_out > 0);
    bomb.len = bomb.cap - zlib.avail_out - 4;
    deflateEnd(&zlib);
    free(zeros);
    return bomb;
}

static int decompress_in_steps(struct deflating *it, const struct bytes *wire, size_t step) {
    it->out.len = 0;
    int result = 0;
    for (size_t off = 0; off < wire->len && result >= 0; off += step) {
        size_t piece = wire->len - off < step ? wire->len - off : step;
        int is_last = off + piece == wire->len;
        result = fastws_deflate_decompress(it->deflate, wire->ptr + off, piece, is_last, &it->out, NULL);
    }
    return result;
}

static void start_limited(struct deflating *it, uint64_t max_inflated, uint32_t max_ratio) {
    deflating_prepare(it, FASTWS_DEFLATE_NO_TAKEOVER);
    it->config.max_inflated = max_inflated;
    it->config.max_ratio = max_ratio;
    it->agreed.client_no_context_takeover = 1;
    deflating_open(it, FASTWS_STATE_SERVER);
}

static void stops_a_bomb_at_the_limit(void **state) {
    (void)state;
    struct bytes bomb = bomb_of(64u << 20); /* 65 KiB on the wire */
    assert_in_range(bomb.len, 60000, 70000);
    for (size_t step = 1; step < 100000; step = step * 300 + 7) {
        struct deflating it;
        start_limited(&it, 1u << 20, 0);
        assert_int_equal(decompress_in_steps(&it, &bomb, step), FASTWS_ERR_INFLATED_TOO_LARGE);
        assert_int_equal(it.out.len, 1u << 20);
        /* The buffer, never more than twice that and 4 KiB, and a stream. */
        assert_true(it.memory.peak < (3u << 20) + 64 * 1024);
        assert_true(it.memory.largest <= (2u << 20) + 4096);
        assert_int_equal(fastws_deflate_held(it.deflate), 0);
        deflating_close(&it);
    }
    bytes_free(&bomb);
}

static void stops_a_bomb_at_the_ratio(void **state) {
    (void)state;
    struct bytes bomb = bomb_of(64u << 20);
    for (size_t step = 1; step < 100000; step = step * 300 + 7) {
        struct deflating it;
        start_limited(&it, 0, 100);
        assert_int_equal(decompress_in_steps(&it, &bomb, step), FASTWS_ERR_INFLATED_RATIO);
        assert_int_equal(it.out.len, 65536); /* so many are free */
        deflating_close(&it);
    }
    bytes_free(&bomb);
}

/* What is wrong with a message by the ratio, found by stock zlib one byte at a time: 0, or how many bytes may come. */
static size_t find_excess(const struct bytes *wire, uint8_t *buffer, size_t cap, size_t max_ratio) {
    z_stream zlib = {.next_out = buffer, .avail_out = (uInt)cap};
    assert_int_equal(inflateInit2(&zlib, -15), Z_OK);
    size_t excess = 0;
    for (size_t given = 1; given <= wire->len && excess == 0; given++) {
        zlib.next_in = wire->ptr + given - 1;
        zlib.avail_in = 1;
        assert_int_equal(inflate(&zlib, Z_SYNC_FLUSH), Z_OK);
        size_t most = given * max_ratio > 65536 ? given * max_ratio : 65536;
        if (cap - zlib.avail_out > most) excess = most;
    }
    inflateEnd(&zlib);
    return excess;
}

/* Like decompress_in_steps(), with room for a few bytes at a time. */
static int inflate_by_room(struct deflating *it, const struct bytes *wire, size_t room, uint8_t *dst, size_t *written) {
    struct fastws_deflate_step step = {.src = wire->ptr, .src_len = wire->len};
    int result;
    *written = 0;
    do {
        step.dst = dst + *written;
        step.dst_len = room;
        result = fastws_deflate_inflate(it->deflate, &step, 1);
        *written += room - step.dst_len;
    } while (result == FASTWS_DEFLATE_NEED_ROOM);
    return result;
}

/* Text and runs of one letter in turn: near any ratio from 3 to 30 in some place. */
static size_t write_uneven(uint8_t *dst, size_t cap, uint32_t number) {
    uint32_t state = number;
    size_t len = 0;
    while (len + 9000 < cap) {
        len += write_message(dst + len, 100 + next_random(&state) % 900, number++);
        size_t run = next_random(&state) % 8000;
        memset(dst + len, 'x', run);
        len += run;
    }
    return len;
}

/* It once was judged by the bytes that were given so far: what passed whole was refused in frames. */
static void the_ratio_is_the_same_however_a_message_is_cut(void **state) {
    (void)state;
    static const size_t pieces[] = {1, 2, 7, 100, 511, 4096, MESSAGE_CAP};
    uint8_t *message = malloc(2 * MESSAGE_CAP), *buffer = malloc(2 * MESSAGE_CAP);
    struct stock *stock = stock_new(15, 15, 0);
    unsigned refused = 0, passed = 0;
    for (uint32_t number = 1; number < 5; number++) {
        stock_compress(stock, message, write_uneven(message, 2 * MESSAGE_CAP, number));
        struct bytes wire = {stock->buffer, stock->len, 0};
        for (uint32_t max_ratio = 1; max_ratio < 60; max_ratio += 1 + max_ratio / 8) {
            size_t excess = find_excess(&wire, buffer, 2 * MESSAGE_CAP, max_ratio), written;
            int expected = excess > 0 ? FASTWS_ERR_INFLATED_RATIO : FASTWS_DEFLATE_DONE;
            excess > 0 ? refused++ : passed++;
            struct deflating it;
            for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
                start_limited(&it, 0, max_ratio);
                assert_int_equal(decompress_in_steps(&it, &wire, pieces[i]), expected);
                if (excess > 0) assert_int_equal(it.out.len, excess);
                deflating_close(&it);
                start_limited(&it, 0, max_ratio);
                assert_int_equal(inflate_by_room(&it, &wire, pieces[i], buffer, &written), expected);
                if (excess > 0) assert_int_equal(written, excess);
                deflating_close(&it);
            }
        }
    }
    assert_true(refused > 10 && passed > 10);
    stock_free(stock);
    free(buffer);
    free(message);
}

static void the_ratio_lets_short_and_honest_messages_pass(void **state) {
    (void)state;
    struct bytes flat = bomb_of(65536);
    uint8_t *message = malloc(MESSAGE_CAP);
    size_t len = write_message(message, 90000, 1);
    struct stock *stock = stock_new(15, 15, 0);
    struct deflating it;
    start_limited(&it, 0, 10);
    assert_int_equal(decompress_in_steps(&it, &flat, flat.len), FASTWS_DEFLATE_DONE);
    assert_int_equal(it.out.len, 65536);
    stock_compress(stock, message, len);
    expect_inflated(&it, stock->buffer, stock->len, message, len);
    deflating_close(&it);
    stock_free(stock);
    free(message);
    bytes_free(&flat);
}

static void the_limit_is_inclusive_however_a_message_is_cut(void **state) {
    (void)state;
    uint8_t message[700];
    struct stock *stock = stock_new(15, 15, 0);
    for (size_t len = 1; len < sizeof message; len = len * 2 + 3) {
        write_message(message, len, (uint32_t)len);
        stock_compress(stock, message, len);
        struct bytes wire = {stock->buffer, stock->len, 0};
        for (size_t step = 1; step <= wire.len; step++) {
            for (uint64_t off = 0; off < 2; off++) {
                struct deflating it;
                start_limited(&it, len - 1 + off, 0);
                if (it.config.max_inflated == 0) it.config.max_inflated = 1 + off;
                int is_within = len <= it.config.max_inflated;
                assert_int_equal(decompress_in_steps(&it, &wire, step),
                                 is_within ? FASTWS_DEFLATE_DONE : FASTWS_ERR_INFLATED_TOO_LARGE);
                assert_int_equal(it.out.len, is_within ? len : it.config.max_inflated);
                deflating_close(&it);
            }
        }
    }
    stock_free(stock);
}

static void takes_ten_thousand_tiny_fragments(void **state) {
    (void)state;
    uint8_t *message = malloc(MESSAGE_CAP);
    struct stock *stock = stock_new(15, 15, 0);
    struct deflating it;
    start_limited(&it, 0, 0);
    size_t len = write_message(message, 90000, 3);
    stock_compress(stock, message, len);
    struct bytes wire = {stock->buffer, stock->len, 0};
    assert_true(wire.len > 10000);
    assert_int_equal(decompress_in_steps(&it, &wire, 1), FASTWS_DEFLATE_DONE);
    assert_int_equal(it.out.len, len);
    assert_memory_equal(it.out.ptr, message, len);
    deflating_close(&it);
    stock_free(stock);
    free(message);
}

/* A bomb in a bomb: what the outer one inflates to is a message of its own, with a limit of its own. */
static void a_nested_bomb_is_one_message_each_time(void **state) {
    (void)state;
    struct bytes inner = bomb_of(8u << 20);
    struct stock *stock = stock_new(15, 15, 0);
    struct deflating it;
    start_limited(&it, 1u << 20, 0);
    stock_compress(stock, inner.ptr, inner.len);
    struct bytes outer = {stock->buffer, stock->len, 0};
    assert_int_equal(decompress_in_steps(&it, &outer, outer.len), FASTWS_DEFLATE_DONE);
    assert_int_equal(it.out.len, inner.len);
    assert_int_equal(decompress_in_steps(&it, &inner, inner.len), FASTWS_ERR_INFLATED_TOO_LARGE);
    deflating_close(&it);
    stock_free(stock);
    bytes_free(&inner);
}

/* ---- Corruption ---- */

/* What stock zlib says of a message: 0 and its bytes, or an error. */
static int judge(struct stock *stock, const uint8_t *src, size_t len) {
    inflateReset(&stock->inflate);
    if (stock_inflate(stock, src, len) != 0) return FASTWS_ERR_DEFLATE_DATA;
    return (stock->inflate.data_type & 0xff) == 128 ? 0 : FASTWS_ERR_DEFLATE_TRUNCATED;
}

static int has_final_block(struct stock *stock, const uint8_t *src, size_t len) {
    z_stream *zlib = &stock->inflate;
    inflateReset(zlib);
    zlib->next_in = (Bytef *)(uintptr_t)src;
    zlib->avail_in = (uInt)len;
    zlib->next_out = stock->buffer;
    zlib->avail_out = sizeof stock->buffer;
    if (inflate(zlib, Z_SYNC_FLUSH) == Z_STREAM_END) return 1;
    zlib->next_in = (Bytef *)(uintptr_t) "\0\0\xff\xff";
    zlib->avail_in = 4;
    return inflate(zlib, Z_SYNC_FLUSH) == Z_STREAM_END;
}

static void expect_as_zlib(struct stock *stock, const uint8_t *src, size_t len) {
    struct deflating whole, cut;
    struct bytes wire = {(uint8_t *)(uintptr_t)src, len, 0};
    start_limited(&whole, 0, 0);
    start_limited(&cut, 0, 0);
    int result = len > 0 ? decompress_in_steps(&whole, &wire, len)
                         : fastws_deflate_decompress(whole.deflate, NULL, 0, 1, &whole.out, NULL);
    if (len > 0) {
        assert_int_equal(decompress_in_steps(&cut, &wire, 1), result);
        assert_int_equal(cut.out.len, whole.out.len);
        if (cut.out.len > 0) assert_memory_equal(cut.out.ptr, whole.out.ptr, cut.out.len);
    }
    /* Stock zlib stops behind a block with BFINAL: there is no more to compare. */
    if (!has_final_block(stock, src, len)) {
        int expected = judge(stock, src, len);
        assert_int_equal(result, expected == 0 ? FASTWS_DEFLATE_DONE : expected);
        if (expected == 0) assert_int_equal(whole.out.len, stock->len);
        if (expected == 0 && stock->len > 0) assert_memory_equal(whole.out.ptr, stock->buffer, stock->len);
    }
    if (result < 0) assert_int_equal(fastws_deflate_decompress(whole.deflate, "\0", 1, 1, &whole.out, NULL), result);
    deflating_close(&whole);
    deflating_close(&cut);
}

static void judges_corruption_at_every_byte_as_zlib_does(void **state) {
    (void)state;
    uint8_t message[400], wire[400];
    struct stock *stock = stock_new(15, 15, 0);
    static const uint8_t damage[] = {0x01, 0x02, 0x04, 0x80, 0xff};
    for (uint32_t i = 0; i < 3; i++) {
        size_t len = write_message(message, 20 + 150 * i, i);
        stock_compress(stock, message, len);
        size_t wire_len = stock->len;
        memcpy(wire, stock->buffer, wire_len);
        for (size_t at = 0; at < wire_len; at++) {
            for (size_t k = 0; k < sizeof damage; k++) {
                wire[at] ^= damage[k];
                expect_as_zlib(stock, wire, wire_len);
                wire[at] ^= damage[k];
            }
        }
    }
    stock_free(stock);
}

static void judges_every_truncation_as_zlib_does(void **state) {
    (void)state;
    uint8_t message[400], wire[400];
    struct stock *stock = stock_new(15, 15, 0);
    size_t len = write_message(message, sizeof message, 1);
    stock_compress(stock, message, len);
    size_t wire_len = stock->len;
    memcpy(wire, stock->buffer, wire_len);
    for (size_t cut = 0; cut < wire_len; cut++) expect_as_zlib(stock, wire, cut);
    stock_free(stock);
}

static void refuses_each_kind_of_damage_by_its_name(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t len;
        int error;
    } messages[] = {
        {{0x06}, 1, FASTWS_ERR_DEFLATE_DATA},                                /* block type 3 */
        {{0x00, 0x05, 0x00, 0xfa, 0xfe}, 5, FASTWS_ERR_DEFLATE_DATA},        /* stored: length and complement differ */
        {{0x02, 0x03, 0x02, 0x00}, 4, FASTWS_ERR_DEFLATE_DATA},              /* refers to before the first byte */
        {{0x00, 0x06, 0x00, 0xf9, 0xff, 'H'}, 6, FASTWS_ERR_DEFLATE_TRUNCATED}, /* the trail is payload, too little */
        {{0xf2, 0x48, 0xcd}, 3, FASTWS_ERR_DEFLATE_TRUNCATED},               /* inside a block */
        {{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07}, 6, FASTWS_ERR_DEFLATE_TRUNCATED}, /* the trail is one byte short */
        {{0}, 0, FASTWS_ERR_DEFLATE_TRUNCATED},                              /* RFC 7692 7.2.3.6: at least one byte */
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct deflating it;
        start_limited(&it, 0, 0);
        int result = fastws_deflate_decompress(it.deflate, messages[i].bytes, messages[i].len, 1, &it.out, NULL);
        if (result != messages[i].error) print_message("message %zu\n", i);
        assert_int_equal(result, messages[i].error);
        deflating_close(&it);
    }
}

static void a_peer_without_takeover_cannot_refer_back(void **state) {
    (void)state;
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    static const uint8_t again[] = {0xf2, 0x00, 0x11, 0x00, 0x00}; /* RFC 7692 7.2.3.2 */
    struct deflating it;
    start_limited(&it, 0, 0);
    expect_inflated(&it, hello, sizeof hello, "Hello", 5);
    assert_int_equal(fastws_deflate_decompress(it.deflate, again, sizeof again, 1, &it.out, NULL),
                     FASTWS_ERR_DEFLATE_DATA);
    deflating_close(&it);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_a_bomb_at_the_limit),
        cmocka_unit_test(stops_a_bomb_at_the_ratio),
        cmocka_unit_test(the_ratio_is_the_same_however_a_message_is_cut),
        cmocka_unit_test(the_ratio_lets_short_and_honest_messages_pass),
        cmocka_unit_test(the_limit_is_inclusive_however_a_message_is_cut),
        cmocka_unit_test(takes_ten_thousand_tiny_fragments),
        cmocka_unit_test(a_nested_bomb_is_one_message_each_time),
        cmocka_unit_test(judges_corruption_at_every_byte_as_zlib_does),
        cmocka_unit_test(judges_every_truncation_as_zlib_does),
        cmocka_unit_test(refuses_each_kind_of_damage_by_its_name),
        cmocka_unit_test(a_peer_without_takeover_cannot_refer_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
