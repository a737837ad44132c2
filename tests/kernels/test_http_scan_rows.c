/* SPDX-License-Identifier: MIT */
/* Marking the bytes of HTTP heads: every row against the grammar, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "rows.h"
#include "sampling.h"

enum { LEN_MAX = 320, WORDS_MAX = (LEN_MAX + 63) / 64 };

static int is_control(uint8_t c) { return (c < 0x20 && c != '\t') || c == 0x7f; }

static int is_tchar(uint8_t c) {
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return 1;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* The words of an output, with one on either side that has to stay as it is. */
struct output {
    uint64_t words[WORDS_MAX + 2];
};

static const uint64_t untouched = 0x5a5a5a5a5a5a5a5a;

static struct output fresh_output(void) {
    struct output output;
    for (size_t i = 0; i < WORDS_MAX + 2; i++) output.words[i] = untouched;
    return output;
}

static void check_words(const struct fws_kernels *row, const char *what, const struct output *output,
                        const uint64_t *expected, size_t len) {
    size_t word_count = (len + 63) / 64;
    for (size_t i = 0; i < WORDS_MAX + 2; i++) {
        int is_written = i > 0 && i - 1 < word_count;
        if (output->words[i] != (is_written ? expected[i - 1] : untouched))
            fail_msg("%s: word %zu of %s of %zu bytes is wrong", row->name, i, what, len);
    }
}

static void check(const struct fws_kernels *row, const uint8_t *src, size_t len) {
    uint64_t controls[WORDS_MAX + 1] = {0}, others[WORDS_MAX + 1] = {0};
    for (size_t i = 0; i < len; i++) {
        controls[i / 64] |= (uint64_t)is_control(src[i]) << i % 64;
        others[i / 64] |= (uint64_t)!is_tchar(src[i]) << i % 64;
    }
    struct output control_output = fresh_output(), other_output = fresh_output();
    row->http_scan(control_output.words + 1, other_output.words + 1, src, len);
    check_words(row, "controls", &control_output, controls, len);
    check_words(row, "others", &other_output, others, len);
}

/* Rows that share one function are checked once. */
typedef void row_check(const struct fws_kernels *row);

static void for_each_row(row_check *check_row) {
    const struct fws_kernels *row;
    for (int i = 0; (row = test_row(i)); i++) {
        int is_new = 1;
        for (int k = 0; k < i; k++) {
            if (test_row(k)->http_scan == row->http_scan) is_new = 0;
        }
        if (is_new) check_row(row);
    }
}

/* Each byte among such as are of neither class, and among such as are of both, at each place of two blocks. */
static void check_bytes(const struct fws_kernels *row) {
    static const uint8_t backgrounds[] = {'a', '\r'};
    uint8_t src[128];
    for (size_t k = 0; k < 2; k++) {
        memset(src, backgrounds[k], sizeof src);
        for (unsigned c = 0; c < 256; c++) {
            for (size_t at = 0; at < sizeof src; at++) {
                if (!is_sampled()) continue;
                src[at] = (uint8_t)c;
                check(row, src, sizeof src);
                src[at] = backgrounds[k];
            }
        }
    }
}

static void knows_every_byte_at_every_place(void **state) {
    (void)state;
    for_each_row(check_bytes);
}

/* Bytes of every kind, in no order; the same ones in each run. */
static void fill(uint8_t *dst, size_t len) {
    uint32_t seed = 6455;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        dst[i] = (uint8_t)(seed >> 24);
    }
}

static void check_lengths(const struct fws_kernels *row) {
    uint8_t *end = guard_alloc_end(LEN_MAX) + LEN_MAX;
    uint8_t *start = guard_alloc_start(LEN_MAX);
    for (size_t len = 0; len <= LEN_MAX; len++) {
        fill(end - len, len);
        check(row, end - len, len);
        fill(start, len);
        check(row, start, len);
    }
    guard_free(end - LEN_MAX, LEN_MAX);
    guard_free(start, LEN_MAX);
}

static void marks_every_length_between_guard_pages(void **state) {
    (void)state;
    for_each_row(check_lengths);
}

static void check_offsets(const struct fws_kernels *row) {
    uint8_t src[64 + LEN_MAX];
    fill(src, sizeof src);
    for (size_t off = 0; off < 64; off++) {
        for (size_t len = 0; len <= 200; len++) check(row, src + off, len);
    }
}

static void asks_for_no_alignment(void **state) {
    (void)state;
    for_each_row(check_offsets);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_byte_at_every_place),
        cmocka_unit_test(marks_every_length_between_guard_pages),
        cmocka_unit_test(asks_for_no_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
