/* SPDX-License-Identifier: MIT */
/* Unmasking and checking in one pass: every row, natively and through SIMDe, against a byte loop and the scalar check
 * behind it; at guard pages, in every overlap, in pieces, with and without slop. */
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

#define LARGEST 20000

static const uint8_t key_bytes[4] = {0x37, 0xfa, 0x21, 0x9d};

static uint8_t text[LARGEST];

static uint32_t random_state = 1;
static uint32_t random_below(uint32_t bound) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

static uint32_t key_at(uint64_t offset) { return fws_rotate_key(fws_load_u32(key_bytes), offset); }

static void mask_naively(uint8_t *dst, const uint8_t *src, size_t len, size_t offset) {
    for (size_t i = 0; i < len; i++) dst[i] = src[i] ^ key_bytes[(offset + i) % 4];
}

/* ASCII with characters of two to four bytes, one for every `rarity` characters. Ends with full stops where the next
 * character does not fit, or inside it if is_cut. */
static void make_text(uint8_t *dst, size_t len, uint32_t rarity, int is_cut) {
    static const char *const pieces[] = {"\xc3\xa9", "\xd0\xb6", "\xe2\x82\xac", "\xef\xbf\xbf", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < len;) {
        const char *piece = random_below(rarity) == 0 ? pieces[random_below(5)] : "x";
        size_t piece_len = strlen(piece);
        if (piece_len > len - i) piece_len = is_cut ? len - i : 1, piece = is_cut ? piece : ".";
        memcpy(dst + i, piece, piece_len);
        i += piece_len;
    }
}

/* What a call comes to. */
struct outcome {
    size_t accepted;
    struct fws_utf8_state state;
};

static void assert_same(const struct fws_kernels *row, const struct outcome *got, const struct outcome *wanted,
                        size_t len, const char *what, size_t a, size_t b) {
    int is_good = wanted->accepted == len;
    if (got->accepted == wanted->accepted && !is_good) return; /* the state is spent */
    if (got->accepted == wanted->accepted && got->state.dfa == wanted->state.dfa &&
        (got->state.non_ascii != 0) == (wanted->state.non_ascii != 0)) {
        return;
    }
    fail_msg("%s: accepted %zu of %zu, dfa %x, non_ascii %u; expected %zu, %x, %u (%s %zu %zu)", row->name,
             got->accepted, len, got->state.dfa, got->state.non_ascii, wanted->accepted, wanted->state.dfa,
             wanted->state.non_ascii, what, a, b);
}

static void assert_bytes(const struct fws_kernels *row, const uint8_t *got, const uint8_t *wanted, size_t len,
                         const char *what, size_t a, size_t b) {
    if (memcmp(got, wanted, len) == 0) return;
    size_t i = 0;
    while (got[i] == wanted[i]) i++;
    fail_msg("%s: byte %zu is %02x and not %02x (%s %zu %zu)", row->name, i, got[i], wanted[i], what, a, b);
}

static struct outcome expect(const uint8_t *plain, size_t len, struct fws_utf8_state before) {
    struct outcome wanted = {0, before};
    wanted.accepted = fws_utf8_scalar(&wanted.state, plain, len, 0);
    return wanted;
}

/* Unmasks and checks plain[0, len) at dst, masked to src before. */
static void check(const struct fws_kernels *row, uint8_t *dst, uint8_t *src, const uint8_t *plain, size_t len,
                  size_t phase, size_t slop, const char *what) {
    struct fws_utf8_state fresh = {0, 0};
    struct outcome wanted = expect(plain, len, fresh), got = {0, fresh};
    mask_naively(src, plain, len, phase);
    got.accepted = row->mask_utf8(dst, src, len, key_at(phase), &got.state, slop);
    assert_same(row, &got, &wanted, len, what, len, phase);
    assert_bytes(row, dst, plain, len, what, len, phase);
}

/* In place and copying. Without slop the guard page is right behind the source, with it 64 bytes later; a third buffer
 * begins right behind one. */
static void check_between_guards(const struct fws_kernels *row, uint8_t *ends[2], uint8_t *start, size_t len) {
    for (size_t slop = 0; slop <= FWS_SLOP; slop += FWS_SLOP) {
        for (size_t phase = 0; phase < 4; phase++) {
            if (!is_sampled()) continue;
            uint8_t *src = ends[0] - len - slop, *dst = ends[1] - len;
            memset(ends[0] - FWS_SLOP, 0xe2, FWS_SLOP);
            check(row, src, src, text, len, phase, slop, slop ? "in place with slop" : "in place");
            check(row, dst, src, text, len, phase, slop, slop ? "copied with slop" : "copied");
            memset(start + len, 0xe2, FWS_SLOP);
            check(row, start, start, text, len, phase, slop, "at the start of a page");
        }
    }
}

static void checks_every_length_between_guard_pages(void **unused) {
    (void)unused;
    size_t cap = 4096;
    uint8_t *ends[2] = {guard_alloc_end(cap) + cap, guard_alloc_end(cap) + cap}, *start = guard_alloc_start(cap);
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t len = 0; len < 1400; len += len < 600 ? 1 : 7) {
            for (uint32_t taste = 0; taste < 6; taste++) {
                static const uint32_t rarities[] = {1, 3, 40, 300, UINT32_MAX, 2};
                make_text(text, len, rarities[taste], taste == 5);
                if (taste == 2 && len > 0) text[random_below((uint32_t)len)] ^= 0x80;
                check_between_guards(row, ends, start, len);
            }
        }
    }
    for (int i = 0; i < 2; i++) guard_free(ends[i] - cap, cap);
    guard_free(start, cap);
}

/* With every phase of the key; odd ones with slop or without, the others the other way round. */
static void check_gap(const struct fws_kernels *row, size_t gap, size_t len, size_t odd_slop) {
    static uint8_t buf[1024];
    for (size_t phase = 0; phase < 4; phase++) {
        if (!is_sampled()) continue;
        size_t at = (gap * 7 + len * 3 + phase * 13) % 64;
        memset(buf, 0xee, sizeof buf);
        check(row, buf + at, buf + at + gap, text, len, phase, (phase & 1) == odd_slop ? FWS_SLOP : 0, "gap");
        for (size_t i = 0; i < 64; i++) assert_int_equal(buf[at + gap + len + i], 0xee);
        for (size_t i = 0; i < at; i++) assert_int_equal(buf[i], 0xee);
    }
}

/* ASCII takes another way through most rows than other text. */
static void checks_onto_a_destination_that_overlaps_from_below(void **unused) {
    (void)unused;
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t is_ascii = 0; is_ascii < 2; is_ascii++) {
            make_text(text, 300, is_ascii ? UINT32_MAX : 4, 0);
            for (size_t n = 0; n < 131 * 301; n++) check_gap(row, n / 301, n % 301, !is_ascii);
        }
    }
}

/* One bad byte at every place, in ASCII and in dense text: found at the byte, and everything unmasked all the same. */
static void finds_a_bad_byte_wherever_it_stands(void **unused) {
    (void)unused;
    static const size_t lengths[] = {1, 15, 31, 33, 64, 65, 128, 200, 257, 300, 513, 700, 1111};
    static _Alignas(64) uint8_t buf[2048];
    static uint8_t plain[1200];
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t n = 0; n < sizeof lengths / sizeof *lengths * 2; n++) {
            size_t len = lengths[n / 2];
            make_text(plain, len, n & 1 ? 1 : UINT32_MAX, 0);
            for (size_t at = 0; at < len; at++) {
                if (at > 0 && !is_sampled()) continue;
                uint8_t whole = plain[at];
                unsigned flipped = plain[at] ^ 1u << random_below(8), high = 0x80u | (unsigned)random_below(128);
                plain[at] = (uint8_t)(n & 1 ? flipped : high);
                uint8_t *place = buf + (at * 5 + n) % 70;
                check(row, place, place, plain, len, at % 4, at & 4 ? FWS_SLOP : 0, "bad byte");
                plain[at] = whole;
            }
        }
    }
}

/* In pieces, as a payload arrives: the state goes from call to call. */
static void check_pieces(const struct fws_kernels *row, uint8_t *buf, size_t len, uint32_t longest) {
    struct fws_utf8_state state = {0, 0};
    mask_naively(buf, text, len, 0);
    for (size_t i = 0; i < len;) {
        size_t piece_len = random_below(longest) + 1;
        if (piece_len > len - i) piece_len = len - i;
        struct outcome wanted = expect(text + i, piece_len, state), got = {0, state};
        got.accepted = row->mask_utf8(buf + i, buf + i, piece_len, key_at(i), &got.state, len - i - piece_len);
        assert_same(row, &got, &wanted, piece_len, "piece", i, piece_len);
        assert_bytes(row, buf + i, text + i, piece_len, "piece", i, piece_len);
        if (wanted.accepted < piece_len) return;
        state = got.state;
        i += piece_len;
    }
}

static void checks_a_text_in_pieces_of_any_length(void **unused) {
    (void)unused;
    static uint8_t buf[LARGEST + 64];
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (int round = 0; round < 120; round += (int)sample_step()) {
            size_t len = 1 + random_below(LARGEST);
            static const uint32_t rarities[] = {1, 2, 20, 200, 2000}, longest[] = {3, 20, 100, 700, 5000};
            make_text(text, len, rarities[round % 5], 1);
            if (round % 4 == 0) text[random_below((uint32_t)len)] ^= (uint8_t)(1u << random_below(8));
            check_pieces(row, buf + round % 33, len, longest[round / 5 % 5]);
        }
    }
}

/* Runs of ASCII and of text of all lengths by turns: the check falls behind the mask and catches up. */
static void checks_long_texts_that_turn_to_ascii_and_back(void **unused) {
    (void)unused;
    static _Alignas(64) uint8_t buf[LARGEST + 64];
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (int round = 0; round < 150; round += (int)sample_step()) {
            size_t len = 300 + random_below(LARGEST - 300);
            for (size_t i = 0; i < len;) {
                size_t run_len = 1 + random_below(round % 3 ? 900 : 90);
                if (run_len > len - i) run_len = len - i;
                make_text(text + i, run_len, random_below(2) ? 1 : UINT32_MAX, 0);
                i += run_len;
            }
            if (round & 1) text[random_below((uint32_t)len)] = (uint8_t)random_below(256);
            uint8_t *place = buf + round % 64;
            check(row, place, place, text, len, (size_t)round % 4, 0, "long");
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_every_length_between_guard_pages),
        cmocka_unit_test(checks_onto_a_destination_that_overlaps_from_below),
        cmocka_unit_test(finds_a_bad_byte_wherever_it_stands),
        cmocka_unit_test(checks_a_text_in_pieces_of_any_length),
        cmocka_unit_test(checks_long_texts_that_turn_to_ascii_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
