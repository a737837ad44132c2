/* SPDX-License-Identifier: MIT */
/* UTF-8 checking: every row against an oracle that knows the encoding of each code point and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "rows.h"
#include "sampling.h"

/* Whether these 1, 2 or 3 bytes begin a character or are a whole one: filled by encoding every code point. */
enum { BEGINS = 1, WHOLE = 2 };
static uint8_t one[1 << 8], two[1 << 16], three[1 << 24];

static size_t encode(uint8_t *dst, uint32_t code_point) {
    if (code_point < 0x80) {
        dst[0] = (uint8_t)code_point;
        return 1;
    }
    size_t len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, code_point >>= 6) dst[i] = (uint8_t)(0x80 | (code_point & 0x3f));
    dst[0] = (uint8_t)(leads[len] | code_point);
    return len;
}

static void fill_oracle(void) {
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        if (code_point >= 0xd800 && code_point <= 0xdfff) continue;
        uint8_t c[4] = {0};
        size_t len = encode(c, code_point);
        one[c[0]] |= len == 1 ? WHOLE : BEGINS;
        if (len >= 2) two[c[0] << 8 | c[1]] |= len == 2 ? WHOLE : BEGINS;
        if (len >= 3) three[(uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2]] |= len == 3 ? WHOLE : BEGINS;
    }
}

/* What the bytes of one character, so far, are. */
static int judge(const uint8_t *c, size_t len) {
    if (len == 1) return one[c[0]];
    if (len == 2) return two[c[0] << 8 | c[1]];
    if (len == 3) return three[(uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2]];
    return c[3] >= 0x80 && c[3] <= 0xbf ? WHOLE : 0; /* the first three begin it: any continuation ends it */
}

/* Returns the offset of the first byte that cannot stand there, or len; *open is set if that is inside a character. */
static size_t accept_naively(const uint8_t *text, size_t len, int *open) {
    size_t begin = 0;
    for (size_t i = 0; i < len; i++) {
        int is = judge(text + begin, i + 1 - begin);
        if (!is) return i;
        if (is & WHOLE) begin = i + 1;
    }
    *open = begin < len;
    return len;
}

static int has_high_bit(const uint8_t *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] & 0x80) return 1;
    }
    return 0;
}

/* In pieces that end at a and b: 0 <= a <= b <= len. */
static void check_pieces(const struct fws_kernels *row, const uint8_t *text, size_t len, size_t a, size_t b) {
    int open = 0;
    size_t expected = accept_naively(text, len, &open);
    struct fws_utf8_state state = {0, 0};
    size_t ends[3] = {a, b, len}, i = 0;
    for (int piece = 0; piece < 3; piece++) {
        size_t accepted = row->utf8(&state, text + i, ends[piece] - i, 0);
        i += accepted;
        if (i < ends[piece]) break;
    }
    if (i != expected) fail_msg("%s: byte %zu and not %zu of %zu (cut at %zu, %zu)", row->name, i, expected, len, a, b);
    int is_good = expected == len && !open;
    if (row->is_utf8(text, len) != is_good) fail_msg("%s: %zu bytes are not %d", row->name, len, !is_good);
    if (expected < len) return;
    assert_int_equal(state.dfa != 0, open);
    assert_int_equal(state.non_ascii != 0, has_high_bit(text, len));
}

static void check_every_split(const struct fws_kernels *row, const uint8_t *text, size_t len) {
    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) check_pieces(row, text, len, a, b);
    }
}

/* With slop: garbage behind the text, and a guard page FWS_SLOP bytes behind it, no byte later. */
static void check_slop(const struct fws_kernels *row, uint8_t *end, const uint8_t *text, size_t len) {
    int open = 0;
    size_t expected = accept_naively(text, len, &open);
    uint8_t *place = end - FWS_SLOP - len;
    memcpy(place, text, len);
    struct fws_utf8_state state = {0, 0};
    size_t accepted = row->utf8(&state, place, len, FWS_SLOP);
    if (accepted != expected) fail_msg("%s: byte %zu, not %zu of %zu, with slop", row->name, accepted, expected, len);
    if (expected < len) return;
    assert_int_equal(state.dfa != 0, open);
    assert_int_equal(state.non_ascii != 0, has_high_bit(text, len));
}

/* Rows that share one function are checked once. */
typedef void row_check(const struct fws_kernels *row);

static void for_each_row(row_check *check) {
    const struct fws_kernels *row, *earlier;
    for (int i = 0; (row = test_row(i)); i++) {
        int is_new = 1;
        for (int k = 0; k < i; k++) {
            earlier = test_row(k);
            if (earlier->utf8 == row->utf8) is_new = 0;
        }
        if (is_new) check(row);
    }
}

/* Through SIMDe one case in so many has to do, a prime: table lookups go byte by byte there. */
static uint32_t step_of(const struct fws_kernels *row, uint32_t when_slow) {
    return (strstr(row->name, "SIMDe") ? when_slow : 1) * sample_step();
}

static void check_all_of_three_bytes(const struct fws_kernels *row) {
    for (uint32_t n = 0; n < 1u << 24; n += step_of(row, 251)) {
        uint8_t text[3] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        int open = 0;
        size_t expected = accept_naively(text, 3, &open);
        struct fws_utf8_state state = {0, 0};
        size_t accepted = row->utf8(&state, text, 3, 0);
        if (accepted == expected && (expected < 3 || (state.dfa != 0) == open)) continue;
        fail_msg("%s: %02x %02x %02x: byte %zu and not %zu", row->name, text[0], text[1], text[2], accepted, expected);
    }
}

static void judges_every_sequence_of_three_bytes(void **unused) {
    (void)unused;
    for_each_row(check_all_of_three_bytes);
}

/* Every edge of the ranges in RFC 3629, as each of four bytes, over every split. */
static void check_edges(const struct fws_kernels *row) {
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
                                    0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff};
    size_t n = sizeof edges;
    for (size_t i = 0; i < n * n * n * n; i += step_of(row, 97)) {
        uint8_t text[4] = {edges[i % n], edges[i / n % n], edges[i / (n * n) % n], edges[i / (n * n * n)]};
        check_every_split(row, text, 4);
    }
}

static void judges_every_edge_over_every_split(void **unused) {
    (void)unused;
    for_each_row(check_edges);
}

static void check_all_code_points(const struct fws_kernels *row) {
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point += step_of(row, 61)) {
        if (code_point >= 0xd800 && code_point <= 0xdfff) continue;
        uint8_t text[4];
        size_t len = encode(text, code_point);
        struct fws_utf8_state state = {0, 0};
        assert_int_equal(row->utf8(&state, text, len, 0), len);
        assert_int_equal(state.dfa, 0);
    }
}

static void accepts_every_code_point(void **unused) {
    (void)unused;
    for_each_row(check_all_code_points);
}

/* One byte of every kind at every place of an ASCII text of every length, at a guard page on either side. */
static void check_places(const struct fws_kernels *row) {
    static const uint8_t bytes[] = {0x80, 0xc3, 0xe2, 0xf0, 0xff};
    uint8_t *start = guard_alloc_start(80), *end = guard_alloc_end(80) + 80;
    for (size_t len = 0; len <= 80; len++) {
        memset(start, 'a', len);
        memset(end - len, 'a', len);
        check_pieces(row, start, len, 0, len);
        check_pieces(row, end - len, len, 0, len);
        for (size_t n = 0; n < len * sizeof bytes; n++) {
            if (n > 0 && !is_sampled()) continue;
            size_t at = n / sizeof bytes;
            start[at] = end[(ptrdiff_t)at - (ptrdiff_t)len] = bytes[n % sizeof bytes];
            check_pieces(row, start, len, at, at + 1);
            check_pieces(row, end - len, len, 0, len);
            start[at] = end[(ptrdiff_t)at - (ptrdiff_t)len] = 'a';
        }
    }
    guard_free(start, 80);
    guard_free(end - 80, 80);
}

static void finds_a_bad_byte_at_any_place(void **unused) {
    (void)unused;
    for_each_row(check_places);
}

/* Text of all scripts mixed, cut at every two places; then with one byte changed. */
static void check_mixed(const struct fws_kernels *row) {
    static const uint32_t scripts[] = {0x20,   0x7f,   0x80,    0x430,   0x7ff,   0x800,
                                       0x4e00, 0xffff, 0x10000, 0x1f600, 0x10ffff};
    uint32_t random = 7;
    for (uint32_t round = 0; round < 60; round += step_of(row, 11)) {
        uint8_t text[64];
        size_t len = 0;
        while (len < 60) {
            random = random * 1664525u + 1013904223u;
            len += encode(text + len, scripts[(random >> 16) % (sizeof scripts / sizeof *scripts)]);
        }
        check_every_split(row, text, len);
        text[(random >> 8) % len] ^= (uint8_t)(1u << (random >> 29));
        check_every_split(row, text, len);
    }
}

static void checks_mixed_text_over_every_split(void **unused) {
    (void)unused;
    for_each_row(check_mixed);
}

/* Runs of ASCII and of other text by turns, of all lengths: how soon a row looks for ASCII again depends on them. Up to
 * 100000 bytes, as rows look farther ahead in what does not fit the first cache. */
static void check_long_texts(const struct fws_kernels *row) {
    static const uint32_t scripts[] = {0x80, 0x430, 0x7ff, 0x800, 0x4e00, 0xffff, 0x1f600, 0x10ffff};
    static uint8_t text[100000];
    uint32_t random = 11;
    for (uint32_t round = 0; round < 240; round += step_of(row, 7)) {
        size_t len = 0, cap = round % 16 ? 300 + round * 16 : sizeof text, longest = round % 3 ? 1500 : 100;
        while (cap - len >= 4) {
            random = random * 1664525u + 1013904223u;
            size_t run_len = (random >> 8) % longest;
            for (; run_len > 0 && cap - len >= 4; run_len--) len += encode(text + len, 'a' + (uint32_t)run_len % 26);
            for (uint32_t n = random >> 29; n > 0 && cap - len >= 4; n--) len += encode(text + len, scripts[n]);
        }
        check_pieces(row, text, len, 0, len);
        check_pieces(row, text, len, random % len, len);
        text[random % len] ^= (uint8_t)(1u << (random >> 29));
        check_pieces(row, text, len, 0, len);
    }
}

static void checks_long_texts_that_turn_to_ascii_and_back(void **unused) {
    (void)unused;
    for_each_row(check_long_texts);
}

/* Every length, with every beginning and end of a character at its end, and garbage of both kinds behind it. */
static void check_slops(const struct fws_kernels *row) {
    static const char *const endings[] = {"", "\xc3", "\xc3\xa9", "\xe2\x82", "\xe2\x82\xac", "\xf0\x9f\x98", "\xff"};
    uint8_t *end = guard_alloc_end(512) + 512, text[200];
    for (size_t n = 0; n < 150 * 7 * 2; n++) {
        size_t len = n % 150;
        const char *ending = endings[n / 150 % 7];
        size_t ending_len = strlen(ending);
        memset(text, 'a', len);
        memcpy(text + len, ending, ending_len);
        memset(end - FWS_SLOP, n < 150 * 7 ? 0x80 : 0xf0, FWS_SLOP);
        check_slop(row, end, text, len + ending_len);
        if (len < 4) continue;
        memcpy(text + len / 2 - 2, "\xf0\x9f\x98\x80", 4);
        check_slop(row, end, text, len + ending_len);
    }
    guard_free(end - 512, 512);
}

static void checks_what_the_slop_says_nothing_about(void **unused) {
    (void)unused;
    for_each_row(check_slops);
}

/* All texts of four bytes are too many for every build: one in 4093 of them, a prime, alone and within ASCII. The rest
 * is in exhaustive_utf8.c. */
static void check_samples_of_four_bytes(const struct fws_kernels *row) {
    uint8_t text[100];
    memset(text, 'a', sizeof text);
    for (uint64_t n = 0; n < 1ull << 32; n += 4093 * step_of(row, 31)) {
        uint8_t bytes[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        size_t at = (size_t)(n % 96);
        memcpy(text + at, bytes, 4);
        check_pieces(row, bytes, 4, (size_t)(n % 5), 4);
        check_pieces(row, text, sizeof text, 0, sizeof text);
        memset(text + at, 'a', 4);
    }
}

static void judges_samples_of_four_bytes(void **unused) {
    (void)unused;
    for_each_row(check_samples_of_four_bytes);
}

int main(void) {
    fill_oracle();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_every_sequence_of_three_bytes),
        cmocka_unit_test(judges_every_edge_over_every_split),
        cmocka_unit_test(accepts_every_code_point),
        cmocka_unit_test(finds_a_bad_byte_at_any_place),
        cmocka_unit_test(checks_mixed_text_over_every_split),
        cmocka_unit_test(checks_long_texts_that_turn_to_ascii_and_back),
        cmocka_unit_test(checks_what_the_slop_says_nothing_about),
        cmocka_unit_test(judges_samples_of_four_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
