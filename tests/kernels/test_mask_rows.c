/* SPDX-License-Identifier: MIT */
/* Masking: every row, natively and through SIMDe, against a byte loop, at guard pages and in every overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fastws/cpu.h>
#include <fastws/mask.h>

#include "guard.h"
#include "rows.h"
#include "sampling.h"

/* Bytes that all differ, so that no two can be swapped unseen. */
static const uint8_t key_bytes[4] = {0x37, 0xfa, 0x21, 0x9d};

static void mask_naively(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4], uint64_t offset) {
    for (size_t i = 0; i < len; i++) dst[i] = src[i] ^ key[(offset + i) % 4];
}

/* 251 is prime: no block of a power of two repeats the one before. */
static void fill(uint8_t *dst, size_t len) {
    for (size_t i = 0; i < len; i++) dst[i] = (uint8_t)(i % 251 + i / 251);
}

static uint32_t key_at(uint64_t offset) { return fws_rotate_key(fws_load_u32(key_bytes), offset); }

static void assert_bytes(const struct fws_kernels *row, const uint8_t *got, const uint8_t *expected, size_t len,
                         const char *what, size_t a, size_t b) {
    if (memcmp(got, expected, len) == 0) return;
    size_t i = 0;
    while (got[i] == expected[i]) i++;
    fail_msg("%s: byte %zu is %02x and not %02x (%s %zu %zu)", row->name, i, got[i], expected[i], what, a, b);
}

#define LARGEST 70000

static const size_t large_lengths[] = {511, 512, 513, 1000, 4095, 4096, 4097, 8191, 16384, 65535, 65537, LARGEST};

static size_t nth_length(size_t n) { return n <= 300 ? n : large_lengths[n - 301]; }
#define LENGTH_COUNT (301 + sizeof large_lengths / sizeof *large_lengths)

static uint8_t plain[LARGEST], expected[LARGEST];

/* In place and copying, with the guard page right before or right behind both buffers. */
static void masks_every_length_between_guard_pages(void **unused) {
    (void)unused;
    uint8_t *starts[2] = {guard_alloc_start(LARGEST), guard_alloc_start(LARGEST)};
    uint8_t *ends[2] = {guard_alloc_end(LARGEST) + LARGEST, guard_alloc_end(LARGEST) + LARGEST};
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t n = 0; n < LENGTH_COUNT * 8; n++) {
            size_t len = nth_length(n / 8), phase = n % 4;
            uint8_t *dst = n & 4 ? ends[0] - len : starts[0], *src = n & 4 ? ends[1] - len : starts[1];
            mask_naively(expected, plain, len, key_bytes, phase);
            memcpy(src, plain, len);
            memset(dst, 0xee, len);
            row->mask(dst, src, len, key_at(phase));
            assert_bytes(row, dst, expected, len, "copied", len, phase);
            assert_bytes(row, src, plain, len, "source", len, phase);
            row->mask(src, src, len, key_at(phase));
            assert_bytes(row, src, expected, len, "in place", len, phase);
        }
    }
    for (int i = 0; i < 2; i++) {
        guard_free(starts[i], LARGEST);
        guard_free(ends[i] - LARGEST, LARGEST);
    }
}

static void masks_at_every_alignment_and_nothing_beside(void **unused) {
    (void)unused;
    static const size_t lengths[] = {0,  1,  2,  3,  4,   7,   8,   15,  16,  17,  31,
                                     32, 33, 64, 65, 125, 128, 129, 256, 257, 300, 513};
    static _Alignas(64) uint8_t src[1024], dst[1024], whole[1024];
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t n = 0; n < sizeof lengths / sizeof *lengths * 64 * 64; n++) {
            if (!is_sampled()) continue;
            size_t len = lengths[n / 4096], src_off = n % 64, dst_off = n / 64 % 64;
            memcpy(src, plain, sizeof src);
            memset(dst, 0xee, sizeof dst);
            memset(whole, 0xee, sizeof whole);
            mask_naively(whole + dst_off, src + src_off, len, key_bytes, n);
            row->mask(dst + dst_off, src + src_off, len, key_at(n));
            assert_bytes(row, dst, whole, sizeof dst, "alignment", src_off, dst_off);
            row->mask(src + src_off, src + src_off, len, key_at(n));
            assert_bytes(row, src + src_off, whole + dst_off, len, "in place", len, src_off);
            assert_bytes(row, src + src_off + len, plain + src_off + len, 64, "behind", len, src_off);
        }
    }
}

/* A vector for the head and aligned ones after it cover bytes twice: that went wrong in sketches of this kernel
 * whenever the destination lay a little before the source. */
static void masks_onto_a_destination_that_overlaps_from_below(void **unused) {
    (void)unused;
    static uint8_t buf[1024], whole[1024];
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t gap = 0; gap <= 130; gap++) {
            for (size_t len = 0; len <= 300; len++) {
                for (size_t phase = 0; phase < 4; phase++) {
                    if (!is_sampled()) continue;
                    size_t at = (gap * 7 + len * 3 + phase * 13) % 64;
                    memcpy(buf, plain, at + gap + len + 64);
                    memcpy(whole, plain, at + gap + len + 64);
                    mask_naively(whole + at, plain + at + gap, len, key_bytes, phase);
                    row->mask(buf + at, buf + at + gap, len, key_at(phase));
                    assert_bytes(row, buf, whole, at + gap + len + 64, "gap and length", gap, len);
                }
            }
        }
    }
}

static void masks_large_payloads_that_overlap(void **unused) {
    (void)unused;
    static uint8_t buf[LARGEST];
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t gap = 0; gap <= 1100; gap = gap * 3 / 2 + 1) {
            for (size_t len = 301; len < 1200; len += 7) {
                memcpy(buf, plain, gap + len);
                memcpy(expected, plain, gap + len);
                mask_naively(expected, plain + gap, len, key_bytes, 3);
                row->mask(buf, buf + gap, len, key_at(3));
                assert_bytes(row, buf, expected, gap + len, "gap and length", gap, len);
            }
        }
    }
}

/* The end of a payload takes another path where its last vector would lie on two pages. */
static void masks_payloads_that_end_around_a_page_boundary(void **unused) {
    (void)unused;
    static const size_t lengths[] = {257, 290, 300, 512, 1000, 4096};
    static _Alignas(4096) uint8_t buf[3 * 4096];
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
            for (size_t end = 2 * 4096 - 40; end <= 2 * 4096 + 40; end++) {
                size_t begin = end - lengths[n];
                memcpy(buf, plain, sizeof buf);
                memcpy(expected, plain, sizeof buf);
                mask_naively(expected + begin, plain + begin, lengths[n], key_bytes, 1);
                row->mask(buf + begin, buf + begin, lengths[n], key_at(1));
                assert_bytes(row, buf, expected, sizeof buf, "length and end", lengths[n], end);
            }
        }
    }
}

/* From here on through fastws_mask(), with each row of this machine selected in turn. */
typedef void with_row(const struct fws_kernels *row);

static void for_each_selected_row(with_row *check) {
    char first[32];
    snprintf(first, sizeof first, "%s", fastws_cpu_isa());
    for (int i = 0; i < fws_kernels_count(); i++) {
        assert_int_equal(fastws_cpu_select(fws_kernels_at(i)->name), 0);
        check(fws_kernels_at(i));
    }
    assert_int_equal(fastws_cpu_select(first), 0);
}

static void check_offsets(const struct fws_kernels *row) {
    static const uint64_t offsets[] = {0, 1, 2, 3, 4, 5, 1023, UINT32_MAX, (uint64_t)UINT32_MAX + 2, 1ull << 40,
                                       UINT64_MAX - 2};
    uint8_t buf[64];
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        /* Not through mask_naively(): there the sum wraps, which is right only because 4 divides 2^64. */
        for (size_t k = 0; k < sizeof buf; k++) expected[k] = plain[k] ^ key_bytes[(offsets[i] % 4 + k) % 4];
        fastws_mask(buf, plain, sizeof buf, key_bytes, offsets[i]);
        assert_bytes(row, buf, expected, sizeof buf, "offset", (size_t)offsets[i], 0);
    }
}

static void masks_from_any_offset_into_the_payload(void **unused) {
    (void)unused;
    for_each_selected_row(check_offsets);
}

static void check_null(const struct fws_kernels *row) {
    (void)row;
    fastws_mask(NULL, NULL, 0, key_bytes, 5);
}

static void takes_null_for_nothing(void **unused) {
    (void)unused;
    for_each_selected_row(check_null);
}

/* The cases of gobwas/ws cipher_test: offsets 0-3, and tails of 0-7 bytes after 0-2 words of 8. */
static void check_words_and_tails(const struct fws_kernels *row) {
    static const uint8_t keys[2][4] = {{1, 2, 3, 4}, {0xff, 0xff, 0xff, 0xff}};
    for (size_t n = 0; n < 2 * 4 * 24; n++) {
        size_t len = n % 24, offset = n / 24 % 4;
        const uint8_t *key = keys[n / 96];
        uint8_t buf[24];
        memcpy(buf, plain, len);
        mask_naively(expected, plain, len, key, offset);
        fastws_mask(buf, buf, len, key, offset);
        assert_bytes(row, buf, expected, len, "length and offset", len, offset);
    }
    uint8_t hello[] = "Hello, XOR!";
    fastws_mask(hello, hello, 11, keys[0], 0);
    assert_memory_equal(hello, "Igohn.#\\NP\"", 11);
    fastws_mask(hello, hello, 11, keys[0], 0);
    assert_string_equal((char *)hello, "Hello, XOR!");
}

static void masks_words_and_tails_as_a_byte_loop_does(void **unused) {
    (void)unused;
    for_each_selected_row(check_words_and_tails);
}

/* The other test there: n = 2, 4 ... 1024 bytes in chunks of every power of two, and in random ones. */
static void check_chunks(const struct fws_kernels *row) {
    uint32_t random = 12345;
    uint8_t buf[1024];
    for (size_t len = 2; len <= 1024; len *= 2) {
        mask_naively(expected, plain, len, key_bytes, 0);
        for (size_t chunk = 1; chunk <= len; chunk *= 2) {
            memcpy(buf, plain, len);
            for (size_t i = 0; i < len; i += chunk) fastws_mask(buf + i, buf + i, chunk, key_bytes, i);
            assert_bytes(row, buf, expected, len, "length and chunk", len, chunk);
        }
        for (int round = 0; round < 64; round++) {
            memcpy(buf, plain, len);
            for (size_t i = 0; i < len;) {
                random = random * 1664525u + 1013904223u;
                size_t chunk = (random >> 16) % (len - i) + 1;
                fastws_mask(buf + i, buf + i, chunk, key_bytes, i);
                i += chunk;
            }
            assert_bytes(row, buf, expected, len, "random chunks", len, (size_t)round);
        }
    }
}

static void masks_in_chunks_as_in_one_piece(void **unused) {
    (void)unused;
    for_each_selected_row(check_chunks);
}

int main(void) {
    fill(plain, sizeof plain);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_every_length_between_guard_pages),
        cmocka_unit_test(masks_at_every_alignment_and_nothing_beside),
        cmocka_unit_test(masks_onto_a_destination_that_overlaps_from_below),
        cmocka_unit_test(masks_large_payloads_that_overlap),
        cmocka_unit_test(masks_payloads_that_end_around_a_page_boundary),
        cmocka_unit_test(masks_from_any_offset_into_the_payload),
        cmocka_unit_test(takes_null_for_nothing),
        cmocka_unit_test(masks_words_and_tails_as_a_byte_loop_does),
        cmocka_unit_test(masks_in_chunks_as_in_one_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
