/* SPDX-License-Identifier: MIT */
/* Frame headers between bytes and fields: parse, write and size, against the vectors and a slow parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/header.h>

#include "kernels/guard.h"
#include "vectors/vectors.h"

/* Parses a copy that ends at a guard page. */
static int parse_exact(struct fastws_header *out, const uint8_t *src, size_t len) {
    uint8_t *copy = guard_alloc_end(len);
    if (len > 0) memcpy(copy, src, len);
    int result = fastws_header_parse(out, copy, len);
    guard_free(copy, len);
    return result;
}

static void assert_same(const struct fastws_header *a, const struct fastws_header *b) {
    assert_true(a->length == b->length);
    assert_memory_equal(a->key, b->key, sizeof a->key);
    assert_int_equal(a->opcode, b->opcode);
    assert_int_equal(a->rsv, b->rsv);
    assert_int_equal(a->fin, b->fin);
    assert_int_equal(a->masked, b->masked);
}

/* What no parse writes: tells an output that was left alone from one that was written. */
static struct fastws_header untouched(void) {
    struct fastws_header header;
    memset(&header, 0xa5, sizeof header);
    return header;
}

static void assert_untouched(const struct fastws_header *header) {
    struct fastws_header before = untouched();
    assert_memory_equal(header, &before, sizeof before);
}

struct header_case {
    const char *name;
    struct vector_bytes wire;
    struct fastws_header header;
};

/* Reads the next case of header.txt. Returns 0 after the last. */
static int next_case(struct vectors *vectors, struct header_case *out) {
    if (!vectors_next(vectors, 7)) return 0;
    out->name = vectors->column[0];
    out->wire = vectors_bytes(vectors->column[1]);
    memset(&out->header, 0, sizeof out->header);
    out->header.fin = (uint8_t)vectors_number(vectors->column[2]);
    out->header.rsv = (uint8_t)vectors_number(vectors->column[3]);
    out->header.opcode = (uint8_t)vectors_number(vectors->column[4]);
    struct vector_bytes key = vectors_bytes(vectors->column[5]);
    out->header.masked = key.len > 0;
    memcpy(out->header.key, key.bytes, sizeof out->header.key);
    out->header.length = vectors_number(vectors->column[6]);
    return 1;
}

static void parses_each_vector_whole_and_waits_for_each_part(void **state) {
    (void)state;
    struct vectors vectors;
    struct header_case given;
    int count = 0;
    vectors_open(&vectors, "header.txt");
    for (; next_case(&vectors, &given); count++) {
        struct fastws_header header = untouched();
        for (size_t cut = 0; cut < given.wire.len; cut++) {
            assert_int_equal(parse_exact(&header, given.wire.bytes, cut), FASTWS_NEED_MORE);
            assert_untouched(&header);
        }
        assert_int_equal(parse_exact(&header, given.wire.bytes, given.wire.len), given.wire.len);
        assert_same(&header, &given.header);
    }
    assert_in_range(count, 25, 1000);
}

static void ignores_what_follows_a_header(void **state) {
    (void)state;
    struct vectors vectors;
    struct header_case given;
    vectors_open(&vectors, "header.txt");
    while (next_case(&vectors, &given)) {
        uint8_t wire[64];
        memset(wire, 0xff, sizeof wire);
        memcpy(wire, given.wire.bytes, given.wire.len);
        for (size_t len = given.wire.len; len <= sizeof wire; len++) {
            struct fastws_header header = untouched();
            assert_int_equal(parse_exact(&header, wire, len), given.wire.len);
            assert_same(&header, &given.header);
        }
    }
}

static void writes_each_vector_into_just_enough_room(void **state) {
    (void)state;
    struct vectors vectors;
    struct header_case given;
    vectors_open(&vectors, "header.txt");
    while (next_case(&vectors, &given)) {
        assert_int_equal(fastws_header_size(&given.header), given.wire.len);
        for (size_t cap = given.wire.len; cap <= FASTWS_HEADER_MAX + 2; cap++) {
            uint8_t *dst = guard_alloc_end(cap);
            assert_int_equal(fastws_header_write(dst, cap, &given.header), given.wire.len);
            assert_memory_equal(dst, given.wire.bytes, given.wire.len);
            guard_free(dst, cap);
        }
    }
}

static void writes_nothing_where_a_vector_does_not_fit(void **state) {
    (void)state;
    struct vectors vectors;
    struct header_case given;
    vectors_open(&vectors, "header.txt");
    while (next_case(&vectors, &given)) {
        for (size_t cap = 0; cap < given.wire.len; cap++) {
            uint8_t dst[FASTWS_HEADER_MAX] = {0};
            const uint8_t zeros[FASTWS_HEADER_MAX] = {0};
            assert_int_equal(fastws_header_write(dst, cap, &given.header), FASTWS_ERR_BUFFER_SIZE);
            assert_memory_equal(dst, zeros, sizeof dst);
        }
        assert_int_equal(fastws_header_write(NULL, 0, &given.header), FASTWS_ERR_BUFFER_SIZE);
    }
}

static void refuses_each_bad_vector_at_the_byte_that_proves_it(void **state) {
    (void)state;
    struct vectors vectors;
    int count = 0;
    vectors_open(&vectors, "header_bad.txt");
    for (; vectors_next(&vectors, 4); count++) {
        struct vector_bytes wire = vectors_bytes(vectors.column[1]);
        size_t decided = (size_t)vectors_number(vectors.column[2]);
        int error = vectors_error(vectors.column[3]);
        struct fastws_header header = untouched();
        for (size_t cut = 0; cut <= wire.len; cut++) {
            int expected = cut < decided ? FASTWS_NEED_MORE : error;
            assert_int_equal(parse_exact(&header, wire.bytes, cut), expected);
            assert_untouched(&header);
        }
    }
    assert_in_range(count, 10, 1000);
}

static void keeps_every_first_byte(void **state) {
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        const uint8_t wire[] = {
            (uint8_t)first,                   /* FIN RSV opcode */
            0x80 | 5,                         /* MASK, length 5 */
            0x37,           0xfa, 0x21, 0x3d, /* key */
        };
        struct fastws_header header = untouched();
        assert_int_equal(parse_exact(&header, wire, sizeof wire), sizeof wire);
        assert_int_equal(header.fin, first / 128);
        assert_int_equal(header.rsv, first / 16 % 8);
        assert_int_equal(header.opcode, first % 16);
        uint8_t written[FASTWS_HEADER_MAX];
        assert_int_equal(fastws_header_write(written, sizeof written, &header), sizeof wire);
        assert_memory_equal(written, wire, sizeof wire);
    }
}

static void takes_the_16_bit_form_from_126_up_only(void **state) {
    (void)state;
    for (unsigned length = 0; length <= UINT16_MAX; length++) {
        const uint8_t wire[] = {
            0x82, 126,                                      /* FIN binary, 16-bit form */
            (uint8_t)(length >> 8), (uint8_t)(length % 256) /* length */
        };
        struct fastws_header header = untouched();
        int result = fastws_header_parse(&header, wire, sizeof wire);
        assert_int_equal(result, length < 126 ? FASTWS_ERR_LEN_FORM : 4);
        if (result > 0) assert_int_equal(header.length, length);
    }
}

static void takes_the_64_bit_form_from_65536_up_only(void **state) {
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t length = (uint64_t)1 << bit;
        uint8_t wire[10] = {0x82, 127}; /* FIN binary, 64-bit form */
        for (int i = 0; i < 8; i++)
            wire[2 + i] = (uint8_t)(length >> (56 - 8 * i));
        struct fastws_header header = untouched();
        int expected = bit == 63 ? FASTWS_ERR_LEN_MSB : bit < 16 ? FASTWS_ERR_LEN_FORM : 10;
        assert_int_equal(parse_exact(&header, wire, sizeof wire), expected);
        if (expected > 0) assert_true(header.length == length);
    }
}

/* RFC 6455 5.2 once more, byte by byte and with no regard for speed. Returns what fastws_header_parse() should. */
static int parse_slowly(struct fastws_header *out, const uint8_t *src, size_t len) {
    if (len < 2) return FASTWS_NEED_MORE;
    unsigned short_length = src[1] % 128;
    size_t extra = short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
    uint64_t length = extra == 0 ? short_length : 0;
    for (size_t i = 0; i < extra && 2 + i < len; i++) {
        length = length * 256 + src[2 + i];
        if (extra == 8 && i == 0 && src[2] >= 128) return FASTWS_ERR_LEN_MSB;
        if (extra == 8 && i == 5 && length == 0) return FASTWS_ERR_LEN_FORM;
        if (extra == 2 && i == 1 && length < 126) return FASTWS_ERR_LEN_FORM;
    }
    size_t key_len = src[1] >= 128 ? 4 : 0;
    if (len < 2 + extra + key_len) return FASTWS_NEED_MORE;
    memset(out, 0, sizeof *out);
    out->fin = src[0] >= 128;
    out->rsv = src[0] / 16 % 8;
    out->opcode = src[0] % 16;
    out->masked = key_len > 0;
    out->length = length;
    for (size_t i = 0; i < key_len; i++)
        out->key[i] = src[2 + extra + i];
    return (int)(2 + extra + key_len);
}

/* xorshift64: the same bytes on every machine. */
static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void agrees_with_a_slow_parser_on_random_bytes(void **state) {
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15u;
    int outcomes[3] = {0, 0, 0}; /* refused, unfinished, parsed */
    for (int round = 0; round < 300000; round++) {
        uint8_t wire[16];
        for (size_t i = 0; i < sizeof wire; i++)
            wire[i] = (uint8_t)(next_random(&seed) >> 32);
        unsigned shape = (unsigned)(next_random(&seed) >> 40);
        if (shape & 1) wire[1] = (uint8_t)((wire[1] & 0x80) | 126 | (shape >> 1 & 1));
        if (shape & 4) memset(wire + 2, 0, shape >> 3 & 7);
        size_t len = (shape >> 6) % (sizeof wire + 1);
        struct fastws_header expected = untouched();
        struct fastws_header header = untouched();
        int result = parse_slowly(&expected, wire, len);
        assert_int_equal(fastws_header_parse(&header, wire, len), result);
        assert_memory_equal(&header, &expected, sizeof header);
        outcomes[result < 0 ? 0 : result == 0 ? 1 : 2]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(outcomes[i], 10000, 300000);
}

static void refuses_to_write_fields_that_do_not_fit_their_bits(void **state) {
    (void)state;
    const size_t caps[] = {0, 2, FASTWS_HEADER_MAX - 1, FASTWS_HEADER_MAX, 100};
    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        uint8_t dst[100] = {0};
        for (unsigned value = 0; value < 256; value++) {
            struct fastws_header header = {.opcode = FASTWS_OPCODE_TEXT, .rsv = (uint8_t)value};
            if (value > 7) assert_int_equal(fastws_header_write(dst, caps[i], &header), FASTWS_ERR_ARGUMENT);
            header = (struct fastws_header){.opcode = (uint8_t)value};
            if (value > 15) assert_int_equal(fastws_header_write(dst, caps[i], &header), FASTWS_ERR_ARGUMENT);
        }
        struct fastws_header header = {.length = (uint64_t)1 << 63, .opcode = FASTWS_OPCODE_BINARY};
        assert_int_equal(fastws_header_write(dst, caps[i], &header), FASTWS_ERR_ARGUMENT);
        header.length = UINT64_MAX;
        assert_int_equal(fastws_header_write(dst, caps[i], &header), FASTWS_ERR_ARGUMENT);
        for (size_t k = 0; k < sizeof dst; k++)
            assert_int_equal(dst[k], 0);
    }
}

static void writes_any_value_but_0_as_a_set_bit(void **state) {
    (void)state;
    struct fastws_header header = {.length = 1, .key = {1, 2, 3, 4}, .opcode = 2, .fin = 2, .masked = 0x80};
    const uint8_t expected[] = {0x82, 0x81, 1, 2, 3, 4}; /* FIN binary, MASK length 1, key */
    uint8_t dst[FASTWS_HEADER_MAX];
    assert_int_equal(fastws_header_write(dst, sizeof dst, &header), sizeof expected);
    assert_memory_equal(dst, expected, sizeof expected);
}

static void does_not_write_the_key_of_an_unmasked_header(void **state) {
    (void)state;
    struct fastws_header header = {.length = 3, .key = {1, 2, 3, 4}, .opcode = 2, .fin = 1};
    uint8_t dst[FASTWS_HEADER_MAX] = {0};
    const uint8_t expected[FASTWS_HEADER_MAX] = {0x82, 0x03};
    assert_int_equal(fastws_header_write(dst, sizeof dst, &header), 2);
    assert_memory_equal(dst, expected, sizeof expected);
}

static void sizes_follow_the_length_and_the_mask(void **state) {
    (void)state;
    const struct {
        uint64_t length;
        int size;
    } cases[] = {
        {0, 2},
        {125, 2},
        {126, 4},
        {65535, 4},
        {65536, 10},
        {INT64_MAX, 10},
        {(uint64_t)1 << 63, FASTWS_ERR_ARGUMENT},
        {UINT64_MAX, FASTWS_ERR_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fastws_header header = {.length = cases[i].length};
        assert_int_equal(fastws_header_size(&header), cases[i].size);
        header.masked = 1;
        assert_int_equal(fastws_header_size(&header), cases[i].size < 0 ? cases[i].size : cases[i].size + 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_each_vector_whole_and_waits_for_each_part),
        cmocka_unit_test(ignores_what_follows_a_header),
        cmocka_unit_test(writes_each_vector_into_just_enough_room),
        cmocka_unit_test(writes_nothing_where_a_vector_does_not_fit),
        cmocka_unit_test(refuses_each_bad_vector_at_the_byte_that_proves_it),
        cmocka_unit_test(keeps_every_first_byte),
        cmocka_unit_test(takes_the_16_bit_form_from_126_up_only),
        cmocka_unit_test(takes_the_64_bit_form_from_65536_up_only),
        cmocka_unit_test(agrees_with_a_slow_parser_on_random_bytes),
        cmocka_unit_test(refuses_to_write_fields_that_do_not_fit_their_bits),
        cmocka_unit_test(writes_any_value_but_0_as_a_set_bit),
        cmocka_unit_test(does_not_write_the_key_of_an_unmasked_header),
        cmocka_unit_test(sizes_follow_the_length_and_the_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
