/* SPDX-License-Identifier: MIT */
/* Sequences of one to four bytes of every class that RFC 3629 tells apart, at every place of a vector, in one piece and
 * cut at every place inside: utf8, is_utf8, and mask_utf8 in place and copying say what the scalar row says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rows.h"
#include "sampling.h"

enum { LONGEST = 4, CAP = 1100, KEY_LEN = 4 };

static const uint8_t key_bytes[KEY_LEN] = {0x37, 0xfa, 0x21, 0x9d};

/* Bytes that mean the same wherever they stand: the first, the last, and some between. */
struct byte_class {
    uint8_t count;
    uint8_t members[10];
};

static const struct byte_class classes[] = {
    {3, {0x00, 0x41, 0x7f}},       /* ASCII */
    {3, {0x80, 0x85, 0x8f}},       /* goes on; not behind E0 and F0 */
    {3, {0x90, 0x97, 0x9f}},       /* goes on; not behind E0 and F4 */
    {3, {0xa0, 0xac, 0xbf}},       /* goes on; not behind ED and F4 */
    {2, {0xc0, 0xc1}},             /* overlong */
    {3, {0xc2, 0xd0, 0xdf}},       /* begins two bytes */
    {1, {0xe0}},                   /* begins three: no overlong form */
    {3, {0xe1, 0xe5, 0xec}},       /* begins three */
    {1, {0xed}},                   /* begins three: no surrogate */
    {2, {0xee, 0xef}},             /* begins three */
    {1, {0xf0}},                   /* begins four: no overlong form */
    {3, {0xf1, 0xf2, 0xf3}},       /* begins four */
    {1, {0xf4}},                   /* begins four: up to U+10FFFF */
    {4, {0xf5, 0xf7, 0xf8, 0xff}}, /* nothing */
};
enum { CLASS_COUNT = sizeof classes / sizeof *classes };

/* Of the third and fourth byte it matters less what they are: whatever they begin, they begin as a first one too. */
static const struct byte_class late_classes[] = {
    {3, {0x00, 0x41, 0x7f}},
    {9, {0x80, 0x85, 0x8f, 0x90, 0x97, 0x9f, 0xa0, 0xac, 0xbf}},
    {3, {0xc2, 0xd0, 0xdf}},
    {7, {0xe0, 0xe1, 0xe5, 0xec, 0xed, 0xee, 0xef}},
    {5, {0xf0, 0xf1, 0xf2, 0xf3, 0xf4}},
    {6, {0xc0, 0xc1, 0xf5, 0xf7, 0xf8, 0xff}},
};
enum { LATE_COUNT = sizeof late_classes / sizeof *late_classes };
enum { SEQUENCE_COUNT = CLASS_COUNT * CLASS_COUNT * LATE_COUNT * LATE_COUNT };

/* The n-th sequence of classes; turn says which member stands for each. */
static void make_sequence(uint8_t dst[LONGEST], uint32_t n, uint32_t turn) {
    const struct byte_class *chosen[LONGEST];
    for (int i = 0; i < LONGEST; i++) {
        uint32_t count = i < 2 ? CLASS_COUNT : LATE_COUNT;
        chosen[i] = i < 2 ? &classes[n % count] : &late_classes[n % count];
        n /= count;
    }
    for (uint32_t i = 0; i < LONGEST; i++) dst[i] = chosen[i]->members[(turn + turn / (3 + i)) % chosen[i]->count];
}

/* A text with a sequence in it, plain and masked; FWS_SLOP bytes behind it can be read. */
struct text {
    uint8_t plain[CAP + FWS_SLOP];
    uint8_t masked[CAP + FWS_SLOP];
    size_t place; /* of the sequence */
    size_t len;
};

static void mask_part(struct text *text, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++) text->masked[i] = text->plain[i] ^ key_bytes[i % KEY_LEN];
}

/* Whole characters: ASCII, or three bytes each, with ASCII in front for what is left. */
static void fill(uint8_t *dst, size_t len, size_t is_dense) {
    size_t ascii_len = is_dense ? len % 3 : len;
    memset(dst, 'a', ascii_len);
    for (size_t i = ascii_len; i < len; i += 3) memcpy(dst + i, "\xe2\x82\xac", 3);
}

static void lay_out(struct text *text, size_t place, size_t sequence_len, size_t behind, size_t is_dense) {
    text->place = place;
    text->len = place + sequence_len + behind;
    fill(text->plain, place, is_dense);
    fill(text->plain + place + sequence_len, behind, is_dense);
    memset(text->plain + text->len, 0xe2, FWS_SLOP);
    mask_part(text, 0, text->len + FWS_SLOP);
}

static void put_sequence(struct text *text, const uint8_t *sequence, size_t len) {
    memcpy(text->plain + text->place, sequence, len);
    mask_part(text, text->place, text->place + len);
}

/* What the scalar row says. All before the sequence is good. */
struct verdict {
    size_t accepted;
    struct fws_utf8_state state;
};

static struct verdict judge(const struct text *text, size_t end) {
    struct verdict wanted = {0, {0, text->place > 0 && text->plain[text->place - 1] >= 0x80}};
    wanted.accepted = text->place + fws_utf8_scalar(&wanted.state, text->plain + text->place, end - text->place, 0);
    return wanted;
}

enum way { CHECKED, UNMASKED_IN_PLACE, UNMASKED_COPYING, WAYS };

/* One row in one way over one text. */
struct trial {
    const struct fws_kernels *row;
    enum way way;
    size_t slop;
    const struct text *text;
    size_t cut;
};

static void fail_trial(const struct trial *trial, const char *what) {
    static const char *const ways[] = {"checked", "unmasked in place", "unmasked copying"};
    const uint8_t *bytes = trial->text->plain + trial->text->place;
    fail_msg("%s: %02x %02x %02x %02x at %zu of %zu, cut at %zu, %s, slop %zu: %s", trial->row->name, bytes[0],
             bytes[1], bytes[2], bytes[3], trial->text->place, trial->text->len, trial->cut, ways[trial->way],
             trial->slop, what);
}

/* Has the row go on with text[begin, end). Returns how many bytes it accepts. */
static size_t feed(const struct trial *trial, size_t begin, size_t end, struct fws_utf8_state *state) {
    static uint8_t dst[CAP + FWS_SLOP];
    const struct text *text = trial->text;
    size_t len = end - begin;
    if (trial->way == CHECKED) return trial->row->utf8(state, text->plain + begin, len, trial->slop);
    const uint8_t *src = text->masked + begin;
    if (trial->way == UNMASKED_IN_PLACE) src = memcpy(dst + begin, src, len + FWS_SLOP);
    uint32_t key = fws_rotate_key(fws_load_u32(key_bytes), begin);
    size_t accepted = trial->row->mask_utf8(dst + begin, src, len, key, state, trial->slop);
    if (memcmp(dst + begin, text->plain + begin, len) != 0) fail_trial(trial, "bytes differ");
    return accepted;
}

static int is_same(const struct fws_utf8_state *a, const struct fws_utf8_state *b) {
    return a->dfa == b->dfa && (a->non_ascii != 0) == (b->non_ascii != 0);
}

/* In two pieces, of which the first ends at trial->cut. */
static void check_cut(const struct trial *trial, const struct verdict *at_cut, const struct verdict *wanted) {
    struct fws_utf8_state state = {0, 0};
    size_t cut = trial->cut, accepted = feed(trial, 0, cut, &state);
    if (accepted != at_cut->accepted) fail_trial(trial, "another byte in the first piece");
    if (accepted < cut) return;
    if (!is_same(&state, &at_cut->state)) fail_trial(trial, "another state between the pieces");
    accepted = cut + feed(trial, cut, trial->text->len, &state);
    if (accepted != wanted->accepted) fail_trial(trial, "another byte");
    if (accepted == trial->text->len && !is_same(&state, &wanted->state)) fail_trial(trial, "another state");
}

/* Cut before, inside and behind the sequence: a cut behind all of the text is none. */
static void check_cuts(struct trial *trial, size_t first, size_t last) {
    const struct text *text = trial->text;
    struct verdict wanted = judge(text, text->len);
    for (size_t i = first; i <= last; i++) {
        trial->cut = text->place + i;
        struct verdict at_cut = judge(text, trial->cut);
        check_cut(trial, &at_cut, &wanted);
    }
    if (trial->way != CHECKED) return;
    int is_good = wanted.accepted == text->len && wanted.state.dfa == 0;
    if (trial->row->is_utf8(text->plain, text->len) != is_good) fail_trial(trial, "is_utf8");
}

/* Runs a test for each row and way. Rows that share a function are checked once, and what is the scalar check itself
 * not at all. Through SIMDe one case in so many has to do, a prime. */
typedef void trial_test(struct trial *trial, uint32_t step);

static int is_new(const struct fws_kernels *row, int index, enum way way) {
    if (way == CHECKED && row->utf8 == fws_utf8_scalar) return 0;
    for (int k = 0; k < index; k++) {
        const struct fws_kernels *earlier = test_row(k);
        if (way == CHECKED ? earlier->utf8 == row->utf8 : earlier->mask_utf8 == row->mask_utf8) return 0;
    }
    return 1;
}

static void for_each_trial(trial_test *test, uint32_t step_through_simde) {
    const struct fws_kernels *row;
    for (int i = 0; (row = test_row(i)); i++) {
        for (int way = 0; way < WAYS; way++) {
            if (!is_new(row, i, (enum way)way)) continue;
            struct trial trial = {.row = row, .way = (enum way)way};
            test(&trial, (strstr(row->name, "SIMDe") ? step_through_simde : 1) * sample_step());
        }
    }
}

/* Every sequence of that length, or one in step of them; *next goes on from one call to the other. */
static void check_sequences(struct trial *trial, struct text *text, size_t len, uint32_t *next, uint32_t step) {
    static const uint32_t counts[LONGEST] = {CLASS_COUNT, CLASS_COUNT * CLASS_COUNT,
                                             CLASS_COUNT * CLASS_COUNT * LATE_COUNT, SEQUENCE_COUNT};
    uint32_t n = *next, count = counts[len - 1];
    for (; n < count; n += step) {
        uint8_t sequence[LONGEST];
        make_sequence(sequence, n, (uint32_t)text->place + n % 7);
        put_sequence(text, sequence, len);
        trial->slop = n & 1 ? FWS_SLOP : 0;
        check_cuts(trial, 0, len);
    }
    *next = n - count;
}

/* The text ends with the sequence, of any length, or goes on behind it; around it is ASCII or other text by turns. */
static void check_places(struct trial *trial, uint32_t step) {
    enum { PLACES = 68, BEHIND = 21 };
    static struct text text;
    uint32_t next = 0;
    trial->text = &text;
    for (size_t place = 0; place < PLACES; place++) {
        size_t turn = place + place / 16;
        for (size_t len = 1; len <= LONGEST; len++) {
            lay_out(&text, place, len, 0, (turn + len) % 2);
            check_sequences(trial, &text, len, &next, step);
        }
        lay_out(&text, place, LONGEST, BEHIND, (turn + 1) % 2);
        check_sequences(trial, &text, LONGEST, &next, step);
    }
}

static void judges_every_sequence_at_every_place_over_every_split(void **unused) {
    (void)unused;
    for_each_trial(check_places, 499);
}

/* Where the loops check it, and the check follows the mask at a distance. */
static void check_long_texts(struct trial *trial, uint32_t step) {
    enum { FIRST_PLACE = 300, PLACES = 64, CUTS = LONGEST + 1, BEHIND = 730 };
    static struct text text;
    uint32_t laid_out = UINT32_MAX;
    trial->text = &text;
    for (uint32_t n = 0; n < SEQUENCE_COUNT * PLACES; n += step) {
        uint32_t place = n / SEQUENCE_COUNT;
        uint8_t sequence[LONGEST];
        if (place != laid_out) lay_out(&text, FIRST_PLACE + place, LONGEST, BEHIND, place % 2);
        laid_out = place;
        make_sequence(sequence, n % SEQUENCE_COUNT, place + n % 7);
        put_sequence(&text, sequence, LONGEST);
        check_cuts(trial, n % CUTS, n % CUTS);
    }
}

static void judges_every_sequence_inside_of_long_texts(void **unused) {
    (void)unused;
    for_each_trial(check_long_texts, 499);
}

/* Every member of every class as each of four bytes: in place or copying, by turns. Without a mask test_utf8_rows.c has
 * them. */
static void check_members(struct trial *trial, uint32_t step) {
    static struct text text;
    uint8_t all[CLASS_COUNT * 4];
    uint32_t count = 0;
    if (trial->way == CHECKED) return;
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        for (size_t k = 0; k < classes[i].count; k++) all[count++] = classes[i].members[k];
    }
    trial->text = &text;
    lay_out(&text, 0, LONGEST, 0, 0);
    for (uint32_t n = trial->way == UNMASKED_COPYING; n < count * count * count * count; n += 2 * step) {
        const uint8_t sequence[LONGEST] = {all[n % count], all[n / count % count], all[n / (count * count) % count],
                                           all[n / (count * count * count)]};
        put_sequence(&text, sequence, LONGEST);
        trial->slop = n & 2 ? FWS_SLOP : 0;
        check_cuts(trial, 0, LONGEST);
    }
}

static void unmasks_every_edge_as_each_of_four_bytes(void **unused) {
    (void)unused;
    for_each_trial(check_members, 499);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_every_sequence_at_every_place_over_every_split),
        cmocka_unit_test(judges_every_sequence_inside_of_long_texts),
        cmocka_unit_test(unmasks_every_edge_as_each_of_four_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
