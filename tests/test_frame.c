/* SPDX-License-Identifier: MIT */
/* Whole frames: built, masked, compiled and parsed back, against the vectors and the examples of RFC 6455 5.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/close.h>
#include <fastws/frame.h>

#include "kernels/guard.h"
#include "vectors/vectors.h"

struct frame_case {
    unsigned opcode;
    int fin;
    struct vector_bytes key, payload, wire;
};

/* Reads the next case of frame.txt. Returns 0 after the last. */
static int next_case(struct vectors *vectors, struct frame_case *out) {
    if (!vectors_next(vectors, 6)) return 0;
    out->fin = (int)vectors_number(vectors->column[1]);
    out->opcode = (unsigned)vectors_number(vectors->column[2]);
    out->key = vectors_bytes(vectors->column[3]);
    out->payload = vectors_bytes(vectors->column[4]);
    out->wire = vectors_bytes(vectors->column[5]);
    return 1;
}

static void compiles_each_vector_into_just_enough_room(void **state) {
    (void)state;
    struct vectors vectors;
    struct frame_case given;
    int count = 0;
    vectors_open(&vectors, "frame.txt");
    for (; next_case(&vectors, &given); count++) {
        struct fastws_frame frame;
        uint8_t masked[VECTORS_BYTES_MAX];
        assert_int_equal(fastws_frame_init(&frame, given.opcode, given.fin, given.payload.bytes, given.payload.len), 0);
        if (given.key.len > 0)
            assert_int_equal(fastws_frame_mask(&frame, masked, given.payload.len, given.key.bytes), 0);
        assert_int_equal(fastws_frame_size(&frame), given.wire.len);
        uint8_t *dst = guard_alloc_end(given.wire.len);
        for (size_t cap = 0; cap < given.wire.len; cap++) {
            assert_int_equal(fastws_frame_compile(dst, cap, &frame), FASTWS_ERR_BUFFER_SIZE);
            assert_int_equal(dst[0], 0);
        }
        assert_int_equal(fastws_frame_compile(dst, given.wire.len, &frame), given.wire.len);
        assert_memory_equal(dst, given.wire.bytes, given.wire.len);
        guard_free(dst, given.wire.len);
    }
    assert_in_range(count, 10, 1000);
}

static void parses_each_vector_whole_and_waits_for_each_part(void **state) {
    (void)state;
    struct vectors vectors;
    struct frame_case given;
    vectors_open(&vectors, "frame.txt");
    while (next_case(&vectors, &given)) {
        for (size_t cut = 0; cut < given.wire.len; cut++) {
            uint8_t *part = guard_alloc_end(cut);
            memcpy(part, given.wire.bytes, cut);
            struct fastws_frame frame = {.payload = given.wire.bytes};
            assert_int_equal(fastws_frame_parse(&frame, part, cut), FASTWS_NEED_MORE);
            assert_ptr_equal(frame.payload, given.wire.bytes);
            guard_free(part, cut);
        }
        uint8_t *wire = guard_alloc_end(given.wire.len);
        memcpy(wire, given.wire.bytes, given.wire.len);
        struct fastws_frame frame;
        assert_int_equal(fastws_frame_parse(&frame, wire, given.wire.len), given.wire.len);
        assert_int_equal(frame.header.opcode, given.opcode);
        assert_int_equal(frame.header.fin, given.fin);
        assert_int_equal(frame.header.masked, given.key.len > 0);
        assert_ptr_equal(frame.payload, wire + given.wire.len - given.payload.len);
        assert_int_equal(fastws_frame_unmask(&frame, wire + given.wire.len - given.payload.len, given.payload.len), 0);
        assert_memory_equal(frame.payload, given.payload.bytes, given.payload.len);
        assert_int_equal(frame.header.masked, 0);
        guard_free(wire, given.wire.len);
    }
}

static void parses_one_frame_of_several(void **state) {
    (void)state;
    const uint8_t wire[] = {
        0x81, 0x02, 'h', 'i', /* text "hi" */
        0x89, 0x00,           /* empty ping */
        0x82,                 /* first byte of a third */
    };
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_parse(&frame, wire, sizeof wire), 4);
    assert_int_equal(fastws_frame_parse(&frame, wire + 4, sizeof wire - 4), 2);
    assert_int_equal(frame.header.opcode, FASTWS_OPCODE_PING);
    assert_int_equal(fastws_frame_parse(&frame, wire + 6, 1), FASTWS_NEED_MORE);
}

/* gobwas allocates what a peer declares: 14 bytes made it panic. */
static void waits_for_an_absurd_length_without_touching_it(void **state) {
    (void)state;
    const uint8_t wire[] = {
        0x82, 0xff,                                     /* FIN binary, MASK 64-bit form */
        0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* 2^63 - 1 */
        1,    2,    3,    4,                            /* key */
    };
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_parse(&frame, wire, sizeof wire), FASTWS_NEED_MORE);
}

static void passes_on_what_the_header_parser_refuses(void **state) {
    (void)state;
    struct vectors vectors;
    vectors_open(&vectors, "header_bad.txt");
    while (vectors_next(&vectors, 4)) {
        struct vector_bytes wire = vectors_bytes(vectors.column[1]);
        struct fastws_frame frame;
        assert_int_equal(fastws_frame_parse(&frame, wire.bytes, wire.len), vectors_error(vectors.column[3]));
    }
}

static void builds_frames_of_each_kind(void **state) {
    (void)state;
    static const struct {
        int (*build)(struct fastws_frame *, const void *, size_t);
        unsigned opcode;
    } kinds[] = {
        {fastws_frame_text, FASTWS_OPCODE_TEXT},   {fastws_frame_binary, FASTWS_OPCODE_BINARY},
        {fastws_frame_ping, FASTWS_OPCODE_PING},   {fastws_frame_pong, FASTWS_OPCODE_PONG},
        {fastws_frame_close, FASTWS_OPCODE_CLOSE},
    };
    static const uint8_t payload[] = {0x03, 0xe8, 'b'}; /* a close body of 1000 and "b", good for the others too */
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct fastws_frame frame;
        memset(&frame, 0xa5, sizeof frame);
        assert_int_equal(kinds[i].build(&frame, payload, sizeof payload), 0);
        assert_int_equal(frame.header.opcode, kinds[i].opcode);
        assert_int_equal(frame.header.fin, 1);
        assert_int_equal(frame.header.rsv | frame.header.masked, 0);
        assert_int_equal(frame.header.length, sizeof payload);
        assert_ptr_equal(frame.payload, payload);
        assert_int_equal(kinds[i].build(&frame, NULL, 0), 0);
        assert_int_equal(kinds[i].build(&frame, NULL, 1), FASTWS_ERR_ARGUMENT);
    }
}

static void refuses_to_build_what_no_peer_accepts(void **state) {
    (void)state;
    static const uint8_t payload[126] = {0};
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_ping(&frame, payload, 125), 0);
    assert_int_equal(fastws_frame_ping(&frame, payload, 126), FASTWS_ERR_CONTROL_LEN);
    assert_int_equal(fastws_frame_pong(&frame, payload, 126), FASTWS_ERR_CONTROL_LEN);
    assert_int_equal(fastws_frame_init(&frame, FASTWS_OPCODE_PONG, 0, payload, 1), FASTWS_ERR_CONTROL_FRAGMENTED);
    assert_int_equal(fastws_frame_init(&frame, 3, 1, payload, 1), FASTWS_ERR_OPCODE_RESERVED);
    assert_int_equal(fastws_frame_init(&frame, 11, 1, payload, 1), FASTWS_ERR_OPCODE_RESERVED);
    assert_int_equal(fastws_frame_init(&frame, 256 + FASTWS_OPCODE_TEXT, 1, payload, 1), FASTWS_ERR_OPCODE_RESERVED);
    assert_int_equal(fastws_frame_init(&frame, FASTWS_OPCODE_CONTINUATION, 0, payload, 126), 0);
}

static void refuses_close_frames_with_a_bad_body(void **state) {
    (void)state;
    struct vectors vectors;
    vectors_open(&vectors, "close_body.txt");
    while (vectors_next(&vectors, 4)) {
        int is_error = strncmp(vectors.column[2], "FASTWS_", 7) == 0;
        struct vector_bytes body = vectors_bytes(vectors.column[1]);
        struct fastws_frame frame;
        assert_int_equal(fastws_frame_close(&frame, body.bytes, body.len),
                         is_error ? vectors_error(vectors.column[2]) : 0);
    }
    static const uint8_t long_body[126] = {0x03, 0xe8};
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_close(&frame, long_body, sizeof long_body), FASTWS_ERR_CONTROL_LEN);
}

static void masks_a_copy_and_leaves_the_payload(void **state) {
    (void)state;
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    static const uint8_t expected[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};
    char payload[] = "Hello";
    uint8_t masked[5];
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_text(&frame, payload, 5), 0);
    assert_int_equal(fastws_frame_mask(&frame, masked, sizeof masked, key), 0);
    assert_string_equal(payload, "Hello");
    assert_ptr_equal(frame.payload, masked);
    assert_memory_equal(masked, expected, sizeof expected);
    assert_memory_equal(frame.header.key, key, sizeof key);
    assert_int_equal(frame.header.masked, 1);
    uint8_t unmasked[5];
    assert_int_equal(fastws_frame_unmask(&frame, unmasked, sizeof unmasked), 0);
    assert_memory_equal(masked, expected, sizeof expected);
    assert_memory_equal(unmasked, "Hello", 5);
    assert_memory_equal(frame.header.key, "\0\0\0\0", 4);
}

static void masks_and_unmasks_in_place(void **state) {
    (void)state;
    static const uint8_t key[4] = {0xff, 0xff, 0xff, 0xff};
    uint8_t payload[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    static const uint8_t inverse[] = {0xff, 0xfe, 0x80, 0x7f, 0x00};
    static const uint8_t before[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_binary(&frame, payload, sizeof payload), 0);
    assert_int_equal(fastws_frame_mask(&frame, payload, sizeof payload, key), 0);
    assert_memory_equal(payload, inverse, sizeof payload);
    assert_int_equal(fastws_frame_unmask(&frame, payload, sizeof payload), 0);
    assert_memory_equal(payload, before, sizeof payload);
}

static void refuses_to_mask_a_frame_twice(void **state) {
    (void)state;
    uint8_t payload[] = "Hello";
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_text(&frame, payload, 5), 0);
    assert_int_equal(fastws_frame_mask(&frame, payload, 5, NULL), 0);
    struct fastws_frame before = frame;
    uint8_t bytes[5];
    memcpy(bytes, payload, 5);
    assert_int_equal(fastws_frame_mask(&frame, payload, 5, NULL), FASTWS_ERR_STATE);
    assert_memory_equal(payload, bytes, 5);
    assert_memory_equal(frame.header.key, before.header.key, 4);
    assert_int_equal(fastws_frame_unmask(&frame, payload, 5), 0);
    assert_memory_equal(payload, "Hello", 5);
}

static void unmasks_an_unmasked_frame_into_the_same_bytes(void **state) {
    (void)state;
    static const char payload[] = "Hello";
    uint8_t dst[5];
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_text(&frame, payload, 5), 0);
    assert_int_equal(fastws_frame_unmask(&frame, dst, sizeof dst), 0);
    assert_memory_equal(dst, "Hello", 5);
    assert_ptr_equal(frame.payload, dst);
    assert_int_equal(fastws_frame_unmask(&frame, dst, sizeof dst), 0);
    assert_memory_equal(dst, "Hello", 5);
}

static void refuses_a_destination_that_is_too_small(void **state) {
    (void)state;
    static const char payload[] = "Hello";
    uint8_t dst[4] = {0};
    struct fastws_frame frame;
    assert_int_equal(fastws_frame_text(&frame, payload, 5), 0);
    assert_int_equal(fastws_frame_mask(&frame, dst, sizeof dst, NULL), FASTWS_ERR_BUFFER_SIZE);
    assert_int_equal(frame.header.masked, 0);
    assert_int_equal(fastws_frame_unmask(&frame, dst, sizeof dst), FASTWS_ERR_BUFFER_SIZE);
    assert_ptr_equal(frame.payload, payload);
    assert_memory_equal(dst, "\0\0\0\0", 4);
}

static void refuses_a_frame_made_by_hand_that_lies(void **state) {
    (void)state;
    uint8_t dst[64];
    struct fastws_frame frame = {.header = {.length = 5, .opcode = FASTWS_OPCODE_TEXT, .fin = 1}};
    assert_int_equal(fastws_frame_compile(dst, sizeof dst, &frame), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_frame_mask(&frame, dst, sizeof dst, NULL), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_frame_unmask(&frame, dst, sizeof dst), FASTWS_ERR_ARGUMENT);
    frame.payload = dst;
    frame.header.length = (uint64_t)1 << 63;
    assert_int_equal(fastws_frame_compile(dst, sizeof dst, &frame), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_frame_size(&frame), 0);
    frame.header.length = INT64_MAX;
    assert_int_equal(fastws_frame_compile(dst, sizeof dst, &frame), FASTWS_ERR_BUFFER_SIZE);
    assert_true(fastws_frame_size(&frame) == (uint64_t)INT64_MAX + 10);
    frame.header.length = 0;
    frame.header.rsv = 8;
    assert_int_equal(fastws_frame_compile(dst, sizeof dst, &frame), FASTWS_ERR_ARGUMENT);
}

static void draws_a_new_key_each_time(void **state) {
    (void)state;
    uint8_t payload[1] = {0};
    uint8_t dst[1];
    int repeated = 0;
    uint8_t last[4] = {0};
    for (int i = 0; i < 16; i++) {
        struct fastws_frame frame;
        assert_int_equal(fastws_frame_binary(&frame, payload, 1), 0);
        assert_int_equal(fastws_frame_mask(&frame, dst, 1, NULL), 0);
        repeated += memcmp(last, frame.header.key, 4) == 0;
        memcpy(last, frame.header.key, 4);
    }
    assert_in_range(repeated, 0, 1); /* one chance in 2^32 for each */
}

static void holds_the_empty_control_frames_compiled(void **state) {
    (void)state;
    for (unsigned opcode = 0; opcode < 300; opcode++) {
        size_t len = 99;
        const uint8_t *bytes = fastws_frame_compiled_empty(opcode, &len);
        if (opcode < FASTWS_OPCODE_CLOSE || opcode > FASTWS_OPCODE_PONG) {
            assert_null(bytes);
            assert_int_equal(len, 0);
            continue;
        }
        struct fastws_frame frame;
        uint8_t expected[FASTWS_HEADER_MAX];
        assert_int_equal(fastws_frame_init(&frame, opcode, 1, NULL, 0), 0);
        assert_int_equal(fastws_frame_compile(expected, sizeof expected, &frame), len);
        assert_memory_equal(bytes, expected, len);
    }
}

static void holds_close_frames_compiled_for_each_standard_code_that_may_be_sent(void **state) {
    (void)state;
    int found = 0;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        size_t len = 99;
        const uint8_t *bytes = fastws_frame_compiled_close((uint16_t)code, &len);
        int sendable = code < 3000 && fastws_close_check((uint16_t)code, NULL, 0) == 0;
        assert_int_equal(bytes != NULL, sendable);
        if (!sendable) {
            assert_int_equal(len, 0);
            continue;
        }
        struct fastws_frame frame;
        uint8_t body[2], expected[FASTWS_HEADER_MAX + 2];
        assert_int_equal(fastws_close_write(body, sizeof body, (uint16_t)code, NULL, 0), 2);
        assert_int_equal(fastws_frame_close(&frame, body, sizeof body), 0);
        assert_int_equal(fastws_frame_compile(expected, sizeof expected, &frame), len);
        assert_memory_equal(bytes, expected, len);
        found++;
    }
    assert_int_equal(found, 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiles_each_vector_into_just_enough_room),
        cmocka_unit_test(parses_each_vector_whole_and_waits_for_each_part),
        cmocka_unit_test(parses_one_frame_of_several),
        cmocka_unit_test(waits_for_an_absurd_length_without_touching_it),
        cmocka_unit_test(passes_on_what_the_header_parser_refuses),
        cmocka_unit_test(builds_frames_of_each_kind),
        cmocka_unit_test(refuses_to_build_what_no_peer_accepts),
        cmocka_unit_test(refuses_close_frames_with_a_bad_body),
        cmocka_unit_test(masks_a_copy_and_leaves_the_payload),
        cmocka_unit_test(masks_and_unmasks_in_place),
        cmocka_unit_test(refuses_to_mask_a_frame_twice),
        cmocka_unit_test(unmasks_an_unmasked_frame_into_the_same_bytes),
        cmocka_unit_test(refuses_a_destination_that_is_too_small),
        cmocka_unit_test(refuses_a_frame_made_by_hand_that_lies),
        cmocka_unit_test(draws_a_new_key_each_time),
        cmocka_unit_test(holds_the_empty_control_frames_compiled),
        cmocka_unit_test(holds_close_frames_compiled_for_each_standard_code_that_may_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
