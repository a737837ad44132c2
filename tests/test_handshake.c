/* SPDX-License-Identifier: MIT */
/* The accept key: the answers of RFC 6455 and of other implementations, and the keys that get none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/error.h>
#include <fastws/handshake.h>

#include "kernels/guard.h"

/* Passes a copy that ends where nothing may be read. */
static int accept_of(char out[FASTWS_ACCEPT_LEN + 1], const char *key) {
    size_t len = strlen(key);
    uint8_t *copy = guard_alloc_end(len);
    memcpy(copy, key, len);
    int result = fastws_accept_key(out, copy, len);
    assert_int_equal(fastws_key_check(copy, len), result);
    guard_free(copy, len);
    return result;
}

static void answers_known_keys(void **state) {
    (void)state;
    static const struct {
        const char *key;
        const char *accept;
    } cases[] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, /* RFC 6455 1.3 */
        {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
        {"/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="},
        {"AAECAwQFBgcICQoLDA0ODw==", "Bz3qJYTGdOe8gUSpLosEdiLKDrk="},
        {"8PHy8/T19vf4+fr7/P3+/w==", "o1HBjBrgy9KLkiDEDur3dyqqLEs="},
        {"eDNKSkhNYkRMMUV6TGtoOQ==", "Qfm1/UiJKyVeFu9bwzLOdS3EzMQ="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[FASTWS_ACCEPT_LEN + 1];
        assert_int_equal(accept_of(out, cases[i].key), 0);
        assert_string_equal(out, cases[i].accept);
    }
}

static void refuses_what_is_not_base64_of_16_bytes(void **state) {
    (void)state;
    static const char *const keys[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ=",   /* 23 bytes */
        "dGhlIHNhbXBsZSBub25jZQ===", /* 25 bytes */
        "dGhlIHNhbXBsZSBub25jZQAA",  /* 18 bytes encoded */
        "dGhlIHNhbXBsZSBub25jZQA=",  /* 17 bytes encoded */
        "dGhlIHNhbXBsZSBub25jZR==",  /* spare bits set: RFC 4648 3.5 */
        "dGhlIHNhbXBsZSBub25jZ===",  /* three pads */
        "dGhlIHNhbXBsZSBub25j=Q==",  /* pad in the middle */
        "dGhlIHNhbXBs-SBub25jZQ==",  /* the alphabet of URLs */
        "dGhlIHNhbXBs SBub25jZQ==",
        "dGhlIHNhbXBs\xc3SBub25jZQ==",
        "========================",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char out[FASTWS_ACCEPT_LEN + 1] = "untouched";
        assert_int_equal(accept_of(out, keys[i]), FASTWS_ERR_HANDSHAKE_KEY);
        assert_string_equal(out, "untouched");
    }
    assert_int_equal(fastws_key_check(NULL, 0), FASTWS_ERR_HANDSHAKE_KEY);
}

/* A NUL in the middle is a byte like others, not an end. */
static void refuses_a_key_with_a_nul(void **state) {
    (void)state;
    char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
    key[10] = '\0';
    assert_int_equal(fastws_key_check(key, FASTWS_KEY_LEN), FASTWS_ERR_HANDSHAKE_KEY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_known_keys),
        cmocka_unit_test(refuses_what_is_not_base64_of_16_bytes),
        cmocka_unit_test(refuses_a_key_with_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
