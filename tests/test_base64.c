/* SPDX-License-Identifier: MIT */
/* Base64 against the vectors of RFC 4648, and what no encoder writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "kernels/guard.h"
#include "src/base64.h"

/* Encodes from the end of a page to the end of a page. */
static void assert_encodes(const void *src, size_t len, const char *text) {
    size_t text_len = FWS_BASE64_LEN(len);
    assert_int_equal(text_len, strlen(text));
    uint8_t *copy = guard_alloc_end(len);
    uint8_t *out = guard_alloc_end(text_len);
    memcpy(copy, src, len);
    fws_base64_encode((char *)out, copy, len);
    assert_memory_equal(out, text, text_len);
    assert_int_equal(fws_base64_is_encoding(out, text_len, len), 1);
    guard_free(copy, len);
    guard_free(out, text_len);
}

static int is_encoding(const char *text, size_t size) {
    size_t len = strlen(text);
    uint8_t *copy = guard_alloc_end(len);
    memcpy(copy, text, len);
    int result = fws_base64_is_encoding(copy, len, size);
    guard_free(copy, len);
    return result;
}

static void encodes_the_vectors_of_rfc_4648(void **state) {
    (void)state;
    assert_encodes("", 0, "");
    assert_encodes("f", 1, "Zg==");
    assert_encodes("fo", 2, "Zm8=");
    assert_encodes("foo", 3, "Zm9v");
    assert_encodes("foob", 4, "Zm9vYg==");
    assert_encodes("fooba", 5, "Zm9vYmE=");
    assert_encodes("foobar", 6, "Zm9vYmFy");
}

/* 48 bytes whose 6-bit groups are 0, 1, 2, ... 63. */
static void encodes_every_letter_of_the_alphabet(void **state) {
    (void)state;
    uint8_t bytes[48];
    for (unsigned i = 0; i < 16; i++) {
        uint32_t bits = 4 * i << 18 | (4 * i + 1) << 12 | (4 * i + 2) << 6 | (4 * i + 3);
        bytes[3 * i] = (uint8_t)(bits >> 16);
        bytes[3 * i + 1] = (uint8_t)(bits >> 8);
        bytes[3 * i + 2] = (uint8_t)bits;
    }
    assert_encodes(bytes, sizeof bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
}

static void accepts_exactly_the_letters_of_the_alphabet(void **state) {
    (void)state;
    const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int c = 0; c < 256; c++) {
        char text[4] = {'A', (char)c, 'A', 'A'};
        int expected = c != 0 && strchr(alphabet, c) != NULL;
        assert_int_equal(fws_base64_is_encoding(text, sizeof text, 3), expected);
    }
}

static void refuses_text_of_another_size(void **state) {
    (void)state;
    assert_int_equal(is_encoding("Zm9v", 3), 1);
    assert_int_equal(is_encoding("Zm9v", 2), 0);
    assert_int_equal(is_encoding("Zm9v", 4), 0);
    assert_int_equal(is_encoding("Zm9", 3), 0);
    assert_int_equal(is_encoding("Zm9vZ", 3), 0);
    assert_int_equal(is_encoding("", 1), 0);
    assert_int_equal(is_encoding("", 0), 1);
}

static void refuses_padding_that_is_missing_or_misplaced(void **state) {
    (void)state;
    assert_int_equal(is_encoding("Zg==", 1), 1);
    assert_int_equal(is_encoding("Zg=A", 1), 0);
    assert_int_equal(is_encoding("Zg A", 1), 0);
    assert_int_equal(is_encoding("Z===", 1), 0);
    assert_int_equal(is_encoding("=g==", 1), 0);
    assert_int_equal(is_encoding("Zm8=", 1), 0);
    assert_int_equal(is_encoding("Zm8A", 2), 0);
    assert_int_equal(is_encoding("Zg==", 2), 0);
}

/* RFC 4648 3.5: the bits of the last letter that no byte needs are 0. */
static void refuses_spare_bits_that_are_set(void **state) {
    (void)state;
    const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 64; i++) {
        char two_pads[] = {'Z', alphabet[i], '=', '='};
        assert_int_equal(fws_base64_is_encoding(two_pads, 4, 1), i % 16 == 0);
        char one_pad[] = {'Z', 'm', alphabet[i], '='};
        assert_int_equal(fws_base64_is_encoding(one_pad, 4, 2), i % 4 == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_the_vectors_of_rfc_4648),
        cmocka_unit_test(encodes_every_letter_of_the_alphabet),
        cmocka_unit_test(accepts_exactly_the_letters_of_the_alphabet),
        cmocka_unit_test(refuses_text_of_another_size),
        cmocka_unit_test(refuses_padding_that_is_missing_or_misplaced),
        cmocka_unit_test(refuses_spare_bits_that_are_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
