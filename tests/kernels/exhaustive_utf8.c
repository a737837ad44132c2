/* SPDX-License-Identifier: MIT */
/* All 2^32 texts of four bytes, in every vector row of this machine, against the scalar one: utf8, is_utf8, and
 * mask_utf8 in place and copying. Each is checked alone, and in the middle of ASCII across two vectors, where the loops
 * check it. That takes long, so it is run by itself (docs/testing.md):
 *
 *   exhaustive_utf8 [ROW [PART]]   one row, and of that one sixteenth: PART is 0 to 15 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../simd/kernels.h"

/* The short frame is checked in one go by most rows; in the long one the check follows the mask at a distance. */
enum { PARTS = 16, STEPS = 16, PLACE = 60, SHORT_FRAME = 192, LONG_FRAME = 1000 };

static const uint8_t key_bytes[4] = {0x37, 0xfa, 0x21, 0x9d};

/* Four bytes at some place in ASCII, plain and masked. */
struct frame {
    uint8_t plain[LONG_FRAME];
    uint8_t masked[LONG_FRAME];
};

struct verdict {
    size_t accepted;
    struct fws_utf8_state state;
};

static void mask_naively(uint8_t *dst, const uint8_t *src, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++) dst[i] = src[i] ^ key_bytes[i % 4];
}

static void make_frame(struct frame *frame) {
    memset(frame->plain, 'a', sizeof frame->plain);
    mask_naively(frame->masked, frame->plain, 0, sizeof frame->plain);
}

static void put(struct frame *frame, size_t at, const uint8_t bytes[4]) {
    memcpy(frame->plain + at, bytes, 4);
    mask_naively(frame->masked, frame->plain, at, at + 4);
}

static struct verdict judge_alone(const uint8_t bytes[4]) {
    struct verdict alone = {0, {0, 0}};
    alone.accepted = fws_utf8_scalar(&alone.state, bytes, 4, 0);
    return alone;
}

/* The same bytes with ASCII before and behind: a character that is open is broken by the next byte. */
static struct verdict judge_in_frame(const struct verdict *alone, size_t at, size_t len) {
    int is_good = alone->accepted == 4 && alone->state.dfa == 0;
    return (struct verdict){is_good ? len : at + alone->accepted, {0, alone->state.non_ascii}};
}

static int is_same(const struct verdict *got, const struct verdict *wanted, size_t len) {
    if (got->accepted != wanted->accepted) return 0;
    if (got->accepted < len) return 1; /* the state is spent */
    return got->state.dfa == wanted->state.dfa && (got->state.non_ascii != 0) == (wanted->state.non_ascii != 0);
}

static int is_checked_right(const struct fws_kernels *row, const uint8_t *text, size_t len,
                            const struct verdict *wanted) {
    struct verdict got = {0, {0, 0}};
    got.accepted = row->utf8(&got.state, text, len, 0);
    int is_good = wanted->accepted == len && wanted->state.dfa == 0;
    return is_same(&got, wanted, len) && row->is_utf8(text, len) == is_good;
}

static int is_unmasked_right(const struct fws_kernels *row, uint8_t *dst, const uint8_t *src, size_t len,
                             const uint8_t *plain, const struct verdict *wanted) {
    struct verdict got = {0, {0, 0}};
    got.accepted = row->mask_utf8(dst, src, len, fws_load_u32(key_bytes), &got.state, 0);
    return is_same(&got, wanted, len) && memcmp(dst, plain, len) == 0;
}

/* With mask_utf8, in place and copying. */
static int is_frame_right(const struct fws_kernels *row, const struct frame *frame, size_t len,
                          const struct verdict *wanted) {
    static uint8_t dst[LONG_FRAME];
    if (!is_unmasked_right(row, dst, frame->masked, len, frame->plain, wanted)) return 0;
    memcpy(dst, frame->masked, len);
    return is_unmasked_right(row, dst, dst, len, frame->plain, wanted);
}

static int is_right(const struct fws_kernels *row, struct frame *alone, struct frame *frame, uint32_t n) {
    static const uint8_t ascii[4] = {'a', 'a', 'a', 'a'};
    const uint8_t bytes[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    size_t at = PLACE + n % 5;
    put(alone, 0, bytes);
    put(frame, at, bytes);
    const struct verdict wanted = judge_alone(bytes);
    const struct verdict in_short = judge_in_frame(&wanted, at, SHORT_FRAME);
    const struct verdict in_long = judge_in_frame(&wanted, at, LONG_FRAME);
    int all = is_checked_right(row, bytes, 4, &wanted) &&
              is_checked_right(row, frame->plain, SHORT_FRAME, &in_short) &&
              is_frame_right(row, alone, 4, &wanted) && is_frame_right(row, frame, SHORT_FRAME, &in_short) &&
              is_frame_right(row, frame, LONG_FRAME, &in_long);
    put(frame, at, ascii);
    return all;
}

static void check_part(const struct fws_kernels *row, unsigned part) {
    static struct frame alone, frame;
    const uint32_t step_len = (uint32_t)((1ull << 32) / PARTS / STEPS);
    time_t began = time(NULL);
    make_frame(&alone);
    make_frame(&frame);
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t first = (part * STEPS + step) * step_len;
        for (uint32_t i = 0; i < step_len; i++) {
            if (is_right(row, &alone, &frame, first + i)) continue;
            fprintf(stderr, "%s: %08lx is judged otherwise than by the scalar row\n", row->name,
                    (unsigned long)(first + i));
            exit(EXIT_FAILURE);
        }
        printf("%s, part %u: %u of %d, %.0f s\n", row->name, part, step + 1, STEPS,
               difftime(time(NULL), began));
        fflush(stdout);
    }
}

/* The scalar row is the judge. */
static int is_judged(const struct fws_kernels *row) { return row->mask_utf8 != fws_mask_utf8_scalar; }

static void print_usage(void) {
    fprintf(stderr, "usage: exhaustive_utf8 [ROW [PART]], PART from 0 to %d; the rows are:", PARTS - 1);
    for (int i = 0; i < fws_kernels_count(); i++) {
        if (is_judged(fws_kernels_at(i))) fprintf(stderr, " %s", fws_kernels_at(i)->name);
    }
    fprintf(stderr, "\n");
}

/* Checks the row of that name, or all rows for NULL; one part of it, or all parts for -1. Returns how many rows. */
static int check_rows(const char *name, int only) {
    int count = 0;
    for (int i = 0; i < fws_kernels_count(); i++) {
        const struct fws_kernels *row = fws_kernels_at(i);
        if (!is_judged(row) || (name != NULL && strcmp(name, row->name) != 0)) continue;
        count++;
        for (int part = 0; part < PARTS; part++) {
            if (only < 0 || only == part) check_part(row, (unsigned)part);
        }
    }
    return count;
}

/* Returns the part that the text names, or PARTS for what is none. */
static int read_part(const char *text) {
    char *end;
    long part = strtol(text, &end, 10);
    return end != text && *end == '\0' && part >= 0 && part < PARTS ? (int)part : PARTS;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : NULL;
    int part = argc > 2 ? read_part(argv[2]) : -1;
    if (argc <= 3 && part < PARTS) {
        if (check_rows(name, part) > 0) return EXIT_SUCCESS;
        fprintf(stderr, "exhaustive_utf8: this machine has no %s%s\n", name ? "row " : "vector row", name ? name : "");
    }
    print_usage();
    return EXIT_FAILURE;
}
