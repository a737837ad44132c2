/* SPDX-License-Identifier: MIT */
/* Close codes, all 65536 of them, and close bodies: what is read, what is refused, and where a reason is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/close.h>
#include <fastws/header.h>
#include <fastws/utf8.h>

#include "kernels/guard.h"
#include "vectors/vectors.h"

static void judges_every_close_code(void **state) {
    (void)state;
    struct vectors vectors;
    unsigned next = 0;
    vectors_open(&vectors, "close_code.txt");
    while (vectors_next(&vectors, 3)) {
        assert_int_equal(vectors_number(vectors.column[0]), next);
        uint64_t last = vectors_number(vectors.column[1]);
        int expected = vectors_error(vectors.column[2]);
        for (; next <= last; next++) {
            assert_int_equal(fastws_close_check((uint16_t)next, NULL, 0), expected);
            assert_int_equal(fastws_close_check((uint16_t)next, "bye", 3), expected);
        }
    }
    assert_int_equal(next, 65536);
}

static void sorts_every_code_into_its_range(void **state) {
    (void)state;
    for (unsigned i = 0; i <= UINT16_MAX; i++) {
        uint16_t code = (uint16_t)i;
        assert_int_equal(fastws_close_is_not_used(code), i < 1000);
        assert_int_equal(fastws_close_is_protocol(code), i >= 1000 && i < 3000);
        assert_int_equal(fastws_close_is_application(code), i >= 3000 && i < 4000);
        assert_int_equal(fastws_close_is_private(code), i >= 4000 && i < 5000);
        assert_int_equal(fastws_close_is_protocol_defined(code), i >= 1000 && i <= 1015 && i != 1004);
        assert_int_equal(fastws_close_is_protocol_reserved(code), i == 1005 || i == 1006 || i == 1015);
    }
}

static void counts_both_ends_into_a_range(void **state) {
    (void)state;
    assert_int_equal(fastws_close_is_in(9, 10, 20), 0);
    assert_int_equal(fastws_close_is_in(10, 10, 20), 1);
    assert_int_equal(fastws_close_is_in(20, 10, 20), 1);
    assert_int_equal(fastws_close_is_in(21, 10, 20), 0);
    assert_int_equal(fastws_close_is_in(FASTWS_CLOSE_GOING_AWAY, FASTWS_CLOSE_PROTOCOL_MIN, FASTWS_CLOSE_PROTOCOL_MAX),
                     1);
}

/* The code is judged before the reason: a peer that breaks both rules hears of the code. */
static void judges_the_code_before_the_reason(void **state) {
    (void)state;
    assert_int_equal(fastws_close_check(1005, "\xff", 1), FASTWS_ERR_CLOSE_CODE_RESERVED);
    assert_int_equal(fastws_close_check(1000, "\xff", 1), FASTWS_ERR_CLOSE_UTF8);
}

/* Parses a copy that ends at a guard page, and checks where the reason points. */
static int parse_exact(const struct vector_bytes *body, uint16_t *code, uint8_t *reason, size_t *reason_len) {
    uint8_t *copy = guard_alloc_end(body->len);
    memcpy(copy, body->bytes, body->len);
    const uint8_t *view = NULL;
    int result = fastws_close_parse(copy, body->len, code, &view, reason_len);
    if (result == 0) {
        assert_ptr_equal(view, copy + (body->len > 0 ? 2 : 0));
        memcpy(reason, view, *reason_len);
    } else {
        assert_null(view);
    }
    guard_free(copy, body->len);
    return result;
}

static void parses_each_body_or_names_its_error(void **state) {
    (void)state;
    struct vectors vectors;
    int accepted = 0;
    int refused = 0;
    vectors_open(&vectors, "close_body.txt");
    while (vectors_next(&vectors, 4)) {
        struct vector_bytes body = vectors_bytes(vectors.column[1]);
        struct vector_bytes expected = vectors_bytes(vectors.column[3]);
        int is_error = strncmp(vectors.column[2], "FASTWS_", 7) == 0;
        uint16_t code = 7;
        uint8_t reason[VECTORS_BYTES_MAX];
        size_t reason_len = 999;
        int result = parse_exact(&body, &code, reason, &reason_len);
        if (is_error) {
            assert_int_equal(result, vectors_error(vectors.column[2]));
            assert_int_equal(code, 7);
            assert_int_equal(reason_len, 999);
            refused++;
            continue;
        }
        assert_int_equal(result, 0);
        assert_int_equal(code, vectors_number(vectors.column[2]));
        assert_int_equal(reason_len, expected.len);
        assert_memory_equal(reason, expected.bytes, expected.len);
        accepted++;
    }
    assert_in_range(accepted, 10, 1000);
    assert_in_range(refused, 15, 1000);
}

static void writes_each_body_that_it_parses(void **state) {
    (void)state;
    struct vectors vectors;
    vectors_open(&vectors, "close_body.txt");
    while (vectors_next(&vectors, 4)) {
        if (strncmp(vectors.column[2], "FASTWS_", 7) == 0) continue;
        struct vector_bytes body = vectors_bytes(vectors.column[1]);
        struct vector_bytes reason = vectors_bytes(vectors.column[3]);
        uint16_t code = (uint16_t)vectors_number(vectors.column[2]);
        uint8_t *dst = guard_alloc_end(body.len);
        assert_int_equal(fastws_close_write(dst, body.len, code, reason.bytes, reason.len), body.len);
        assert_memory_equal(dst, body.bytes, body.len);
        for (size_t cap = 0; cap < body.len; cap++)
            assert_int_equal(fastws_close_write(dst, cap, code, reason.bytes, reason.len), FASTWS_ERR_BUFFER_SIZE);
        guard_free(dst, body.len);
    }
}

static void parses_no_bytes_at_no_address(void **state) {
    (void)state;
    uint16_t code = 0;
    const uint8_t *reason = (const uint8_t *)"";
    size_t reason_len = 1;
    assert_int_equal(fastws_close_parse(NULL, 0, &code, &reason, &reason_len), 0);
    assert_int_equal(code, FASTWS_CLOSE_NO_STATUS_RCVD);
    assert_null(reason);
    assert_int_equal(reason_len, 0);
}

static void takes_bodies_of_125_bytes_and_no_more(void **state) {
    (void)state;
    uint8_t body[126];
    memset(body, 'x', sizeof body);
    body[0] = 1000 >> 8;
    body[1] = 1000 & 0xff;
    uint16_t code = 0;
    const uint8_t *reason = NULL;
    size_t reason_len = 0;
    assert_int_equal(fastws_close_parse(body, 125, &code, &reason, &reason_len), 0);
    assert_int_equal(reason_len, FASTWS_CLOSE_REASON_MAX);
    assert_int_equal(fastws_close_parse(body, 126, &code, &reason, &reason_len), FASTWS_ERR_CONTROL_LEN);
}

static void writes_nothing_where_the_code_must_not_be_sent(void **state) {
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        uint8_t dst[FASTWS_CONTROL_MAX] = {0};
        int error = fastws_close_check((uint16_t)code, "bye", 3);
        assert_int_equal(fastws_close_write(dst, sizeof dst, (uint16_t)code, "bye", 3), error < 0 ? error : 5);
        if (error < 0) assert_int_equal(dst[0] | dst[1] | dst[2], 0);
    }
}

static void writes_an_empty_body_for_no_status(void **state) {
    (void)state;
    uint8_t dst[4] = {0xa5, 0xa5, 0xa5, 0xa5};
    assert_int_equal(fastws_close_write(dst, sizeof dst, FASTWS_CLOSE_NO_STATUS_RCVD, NULL, 0), 0);
    assert_int_equal(fastws_close_write(NULL, 0, FASTWS_CLOSE_NO_STATUS_RCVD, "", 0), 0);
    assert_int_equal(dst[0], 0xa5);
    assert_int_equal(fastws_close_write(dst, sizeof dst, FASTWS_CLOSE_NO_STATUS_RCVD, "b", 1),
                     FASTWS_ERR_CLOSE_CODE_RESERVED);
}

static void refuses_a_reason_that_is_not_utf8_even_where_it_would_be_cut_off(void **state) {
    (void)state;
    uint8_t dst[FASTWS_CONTROL_MAX];
    char reason[300];
    memset(reason, 'x', sizeof reason);
    assert_int_equal(fastws_close_write(dst, sizeof dst, 1000, reason, sizeof reason), 125);
    reason[299] = '\xff';
    assert_int_equal(fastws_close_write(dst, sizeof dst, 1000, reason, sizeof reason), FASTWS_ERR_CLOSE_UTF8);
}

/* gobwas cuts at byte 123 and sends half a character. Here a character of each length meets byte 123 at each place. */
static void cuts_a_long_reason_between_characters(void **state) {
    (void)state;
    static const char *const characters[] = {"x", "\xd0\x81", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t size = 1; size <= 4; size++) {
        for (size_t start = 115; start <= 130; start++) {
            char reason[200];
            memset(reason, 'a', start);
            memcpy(reason + start, characters[size - 1], size);
            memset(reason + start + size, 'z', 20);
            size_t expected = start >= 123 || start + size <= 123 ? 123 : start;
            uint8_t *dst = guard_alloc_end(2 + expected);
            int written = fastws_close_write(dst, 2 + expected, 1001, reason, start + size + 20);
            assert_int_equal(written, 2 + expected);
            assert_memory_equal(dst + 2, reason, expected);
            assert_true(fastws_utf8_is_valid(dst + 2, expected));
            guard_free(dst, 2 + expected);
        }
    }
}

static void keeps_a_reason_of_just_123_bytes_whole(void **state) {
    (void)state;
    uint8_t dst[FASTWS_CONTROL_MAX];
    char reason[FASTWS_CLOSE_REASON_MAX];
    memset(reason, 'a', sizeof reason);
    memcpy(reason + sizeof reason - 4, "\xf0\x9f\x98\x80", 4);
    assert_int_equal(fastws_close_write(dst, sizeof dst, 1000, reason, sizeof reason), 125);
    assert_memory_equal(dst + 2, reason, sizeof reason);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_every_close_code),
        cmocka_unit_test(sorts_every_code_into_its_range),
        cmocka_unit_test(counts_both_ends_into_a_range),
        cmocka_unit_test(judges_the_code_before_the_reason),
        cmocka_unit_test(parses_each_body_or_names_its_error),
        cmocka_unit_test(writes_each_body_that_it_parses),
        cmocka_unit_test(parses_no_bytes_at_no_address),
        cmocka_unit_test(takes_bodies_of_125_bytes_and_no_more),
        cmocka_unit_test(writes_nothing_where_the_code_must_not_be_sent),
        cmocka_unit_test(writes_an_empty_body_for_no_status),
        cmocka_unit_test(refuses_a_reason_that_is_not_utf8_even_where_it_would_be_cut_off),
        cmocka_unit_test(cuts_a_long_reason_between_characters),
        cmocka_unit_test(keeps_a_reason_of_just_123_bytes_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
