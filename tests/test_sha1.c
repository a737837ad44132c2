/* SPDX-License-Identifier: MIT */
/* SHA-1 against the vectors of RFC 3174 and FIPS 180, and every way that the end of a message meets a block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/guard.h"
#include "src/sha1.h"

static void assert_digest(const void *src, size_t len, const char *hex) {
    uint8_t *copy = guard_alloc_end(len);
    memcpy(copy, src, len);
    uint8_t digest[FWS_SHA1_LEN];
    fws_sha1(digest, copy, len);
    guard_free(copy, len);
    char text[2 * FWS_SHA1_LEN + 1];
    for (int i = 0; i < FWS_SHA1_LEN; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(text, hex);
}

static void hashes_the_vectors_of_rfc_3174(void **state) {
    (void)state;
    assert_digest("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    static char million[1000000];
    memset(million, 'a', sizeof million);
    assert_digest(million, sizeof million, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    char eighty[640]; /* "01234567" eighty times */
    for (size_t i = 0; i < sizeof eighty; i++) eighty[i] = (char)('0' + i % 8);
    assert_digest(eighty, sizeof eighty, "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

static void hashes_the_empty_message(void **state) {
    (void)state;
    assert_digest("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

/* 55 bytes leave room for the length in the same block, 56 do not, 64 fill it: lengths around the first two blocks. The
 * digest of the digests of "a" times n for n in 0..130 was computed with another implementation. */
static void hashes_every_length_around_a_block(void **state) {
    (void)state;
    uint8_t digests[131 * FWS_SHA1_LEN];
    for (size_t n = 0; n <= 130; n++) {
        uint8_t *message = guard_alloc_end(n);
        memset(message, 'a', n);
        fws_sha1(digests + n * FWS_SHA1_LEN, message, n);
        guard_free(message, n);
    }
    assert_digest(digests, sizeof digests, "60afa284c7b19b978fd27334fd33aa6e654cf3ff");
}

/* RFC 6455 1.3. */
static void hashes_the_key_of_rfc_6455(void **state) {
    (void)state;
    const char *text = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    assert_digest(text, strlen(text), "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
}

static void gives_the_same_digest_from_any_alignment(void **state) {
    (void)state;
    enum { LEN = 100 };
    char buf[8 + LEN];
    memset(buf, 'x', sizeof buf);
    uint8_t expected[FWS_SHA1_LEN];
    fws_sha1(expected, buf, LEN);
    for (size_t off = 1; off < 8; off++) {
        uint8_t digest[FWS_SHA1_LEN];
        fws_sha1(digest, buf + off, LEN);
        assert_memory_equal(digest, expected, sizeof digest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_the_vectors_of_rfc_3174),
        cmocka_unit_test(hashes_the_empty_message),
        cmocka_unit_test(hashes_every_length_around_a_block),
        cmocka_unit_test(hashes_the_key_of_rfc_6455),
        cmocka_unit_test(gives_the_same_digest_from_any_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
