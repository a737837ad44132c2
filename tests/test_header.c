/* SPDX-License-Identifier: MIT */
/* Frame headers: parse, write and size against the vectors, check against the rules written down a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/header.h>

#include "vectors/vectors.h"

/* A copy that has exactly its size: a sanitizer sees the first byte read past it. */
static uint8_t *exact_copy(const uint8_t *src, size_t len) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, src, len);
    return copy;
}

static int parse_exact(struct fastws_header *out, const uint8_t *src, size_t len) {
    uint8_t *copy = exact_copy(src, len);
    int result = fastws_header_parse(out, copy, len);
    free(copy);
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
            uint8_t *dst = malloc(cap);
            assert_non_null(dst);
            assert_int_equal(fastws_header_write(dst, cap, &given.header), given.wire.len);
            assert_memory_equal(dst, given.wire.bytes, given.wire.len);
            free(dst);
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

static void tells_control_from_data_and_reserved_opcodes(void **state) {
    (void)state;
    static const char control[] = "0000000011111111";
    static const char reserved[] = "0001111100011111";
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        assert_int_equal(fastws_opcode_is_control(opcode), control[opcode] == '1');
        assert_int_equal(fastws_opcode_is_data(opcode), control[opcode] == '0');
        assert_int_equal(fastws_opcode_is_reserved(opcode), reserved[opcode] == '1');
    }
    assert_int_equal(fastws_opcode_is_reserved(16), 0);
    assert_int_equal(fastws_opcode_is_reserved(UINT32_MAX), 0);
}

static void packs_and_unpacks_rsv_bits(void **state) {
    (void)state;
    assert_int_equal(fastws_rsv_pack(1, 0, 0), FASTWS_RSV1);
    assert_int_equal(fastws_rsv_pack(0, 1, 0), FASTWS_RSV2);
    assert_int_equal(fastws_rsv_pack(0, 0, 1), FASTWS_RSV3);
    assert_int_equal(fastws_rsv_pack(-1, 2, 256), 7);
    for (unsigned rsv = 0; rsv < 8; rsv++) {
        int rsv1, rsv2, rsv3;
        fastws_rsv_unpack((uint8_t)(rsv | 0xf8), &rsv1, &rsv2, &rsv3);
        assert_int_equal(rsv1 * 4 + rsv2 * 2 + rsv3, rsv);
        assert_int_equal(fastws_rsv_pack(rsv1, rsv2, rsv3), rsv);
    }
}

/* The rules in the order in which gobwas asks them, each a test of its own: true means that the frame breaks it. */
static int breaks_rule(int rule, const struct fastws_header *h, unsigned state) {
    int control = h->opcode >= 8;
    int message_start = h->opcode == 1 || h->opcode == 2;
    switch (rule) {
    case 0:
        return !(h->opcode <= 2 || (h->opcode >= 8 && h->opcode <= 10));
    case 1:
        return control && h->length >= 126;
    case 2:
        return control && h->fin == 0;
    case 3:
        return h->rsv >= 8 || (h->rsv & 4 && !(message_start && state & FASTWS_STATE_EXTENDED)) ||
               (h->rsv & 2 && !(state & FASTWS_STATE_RSV2)) || (h->rsv & 1 && !(state & FASTWS_STATE_RSV3));
    case 4:
        return state & FASTWS_STATE_SERVER && h->masked == 0;
    case 5:
        return state & FASTWS_STATE_CLIENT && h->masked != 0;
    case 6:
        return message_start && state & FASTWS_STATE_FRAGMENTED;
    default:
        return h->opcode == 0 && !(state & FASTWS_STATE_FRAGMENTED);
    }
}

static const int rule_errors[] = {
    FASTWS_ERR_OPCODE_RESERVED,       FASTWS_ERR_CONTROL_LEN,
    FASTWS_ERR_CONTROL_FRAGMENTED,    FASTWS_ERR_RSV,
    FASTWS_ERR_MASK_REQUIRED,         FASTWS_ERR_MASK_UNEXPECTED,
    FASTWS_ERR_CONTINUATION_EXPECTED, FASTWS_ERR_CONTINUATION_UNEXPECTED,
};
enum { RULE_COUNT = sizeof rule_errors / sizeof rule_errors[0] };

/* Checks one header in one state and counts the rule that it broke first; RULE_COUNT where it broke none. */
static void check_one(const struct fastws_header *header, unsigned state, int counts[]) {
    int rule = 0;
    while (rule < RULE_COUNT && !breaks_rule(rule, header, state))
        rule++;
    int expected = rule < RULE_COUNT ? rule_errors[rule] : 0;
    int result = fastws_header_check(header, state);
    if (result != expected) {
        print_error("opcode %u fin %u rsv %u masked %u length %llu state %u\n", header->opcode, header->fin,
                    header->rsv, header->masked, (unsigned long long)header->length, state);
        assert_string_equal(fastws_error_name(result), fastws_error_name(expected));
    }
    counts[rule]++;
}

static void judges_every_header_in_every_state(void **state) {
    (void)state;
    const uint64_t lengths[] = {0, 125, 126, 65536, (uint64_t)1 << 62};
    int counts[RULE_COUNT + 1] = {0};
    for (unsigned bits = 0; bits < 1u << 6; bits++)
        for (unsigned opcode = 0; opcode < 18; opcode++)
            for (unsigned flags = 0; flags < 1u << 6; flags++)
                for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
                    struct fastws_header header = {.length = lengths[i],
                                                   .opcode = (uint8_t)opcode,
                                                   .rsv = (uint8_t)(flags >> 2),
                                                   .fin = flags & 1,
                                                   .masked = flags >> 1 & 1};
                    check_one(&header, bits, counts);
                }
    for (int rule = 0; rule <= RULE_COUNT; rule++)
        assert_in_range(counts[rule], 100, 1000000);
}

static int check(unsigned opcode, unsigned fin, unsigned rsv, unsigned masked, uint64_t length, unsigned state) {
    struct fastws_header header = {.length = length,
                                   .opcode = (uint8_t)opcode,
                                   .rsv = (uint8_t)rsv,
                                   .fin = (uint8_t)fin,
                                   .masked = (uint8_t)masked};
    return fastws_header_check(&header, state);
}

static void refuses_an_unmasked_frame_from_a_client(void **state) {
    (void)state;
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 0, 5, FASTWS_STATE_SERVER), FASTWS_ERR_MASK_REQUIRED);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 1, 5, FASTWS_STATE_SERVER), 0);
}

static void refuses_a_masked_frame_from_a_server(void **state) {
    (void)state;
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 1, 5, FASTWS_STATE_CLIENT), FASTWS_ERR_MASK_UNEXPECTED);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 0, 5, FASTWS_STATE_CLIENT), 0);
}

/* gobwas lets all three bits pass once any extension was negotiated. */
static void an_extension_claims_rsv1_and_no_other_bit(void **state) {
    (void)state;
    unsigned extended = FASTWS_STATE_EXTENDED;
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV1, 0, 5, 0), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV1, 0, 5, extended), 0);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV2, 0, 5, extended), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV3, 0, 5, extended), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, FASTWS_RSV2, 0, 5, FASTWS_STATE_RSV2), 0);
    assert_int_equal(check(FASTWS_OPCODE_PING, 1, FASTWS_RSV3, 0, 5, FASTWS_STATE_RSV3), 0);
}

static void refuses_rsv1_on_control_and_continuation_frames(void **state) {
    (void)state;
    unsigned every_claim = FASTWS_STATE_EXTENDED | FASTWS_STATE_RSV2 | FASTWS_STATE_RSV3 | FASTWS_STATE_FRAGMENTED;
    assert_int_equal(check(FASTWS_OPCODE_PING, 1, FASTWS_RSV1, 0, 5, every_claim), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_CLOSE, 1, FASTWS_RSV1, 0, 2, every_claim), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_CONTINUATION, 1, FASTWS_RSV1, 0, 5, every_claim), FASTWS_ERR_RSV);
    assert_int_equal(check(FASTWS_OPCODE_CONTINUATION, 1, FASTWS_RSV2, 0, 5, every_claim), 0);
}

static void lets_control_frames_stand_between_fragments(void **state) {
    (void)state;
    unsigned fragmented = FASTWS_STATE_FRAGMENTED;
    assert_int_equal(check(FASTWS_OPCODE_PING, 1, 0, 0, 125, fragmented), 0);
    assert_int_equal(check(FASTWS_OPCODE_CONTINUATION, 0, 0, 0, 126, fragmented), 0);
    assert_int_equal(check(FASTWS_OPCODE_TEXT, 1, 0, 0, 5, fragmented), FASTWS_ERR_CONTINUATION_EXPECTED);
    assert_int_equal(check(FASTWS_OPCODE_CONTINUATION, 1, 0, 0, 5, 0), FASTWS_ERR_CONTINUATION_UNEXPECTED);
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
        cmocka_unit_test(tells_control_from_data_and_reserved_opcodes),
        cmocka_unit_test(packs_and_unpacks_rsv_bits),
        cmocka_unit_test(judges_every_header_in_every_state),
        cmocka_unit_test(refuses_an_unmasked_frame_from_a_client),
        cmocka_unit_test(refuses_a_masked_frame_from_a_server),
        cmocka_unit_test(an_extension_claims_rsv1_and_no_other_bit),
        cmocka_unit_test(refuses_rsv1_on_control_and_continuation_frames),
        cmocka_unit_test(lets_control_frames_stand_between_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
