/* SPDX-License-Identifier: MIT */
/* Unmasking and checking in one pass: every row writes and says what masking and then checking by the scalar ones does,
 * in place, onto a destination that overlaps from below, and elsewhere; with and without slop; in one piece and in two.
 * The first bytes of an input say how:
 *
 *   0   gap between destination and source
 *   1   bits 0-1: how much slop is granted; 2-7: where the destination lies
 *   2   where the payload is cut, in 256ths
 *   3   what the slop holds
 *   4   three bytes of text before the payload, so that it can begin inside a character
 *   7   the key, in four bytes; then the payload as it is when unmasked */
#include "row_checks.h"

enum { PREFIX_LEN = 11 };
enum way { IN_PLACE, WITH_GAP, COPIED, WAYS };

/* One call: plain text of that length, and where its check begins. */
struct call {
    const uint8_t *plain;
    size_t len;
    uint32_t key;
    struct fws_utf8_state before;
};

struct settings {
    size_t gap, off;
    size_t slop;     /* as it is told */
    size_t slop_len; /* bytes that are there: less than FWS_SLOP is as good as none */
    uint8_t filler;
};

/* What a call leaves behind. */
struct outcome {
    size_t accepted;
    struct fws_utf8_state state;
};

static struct outcome judge(const struct call *call) {
    struct outcome wanted = {0, call->before};
    wanted.accepted = fws_utf8_scalar(&wanted.state, call->plain, call->len, 0);
    return wanted;
}

static void check_bytes(const struct fws_kernels *row, const struct settings *settings, const struct call *call,
                        struct exact dst, struct exact src, size_t gap) {
    REQUIRE(row, call->len == 0 || memcmp(dst.ptr, call->plain, call->len) == 0);
    for (size_t i = 0; i < settings->off; i++) REQUIRE(row, dst.block[i] == 0xee);
    for (size_t i = call->len; i < gap; i++) REQUIRE(row, dst.ptr[i] == 0xee);
    for (size_t i = 0; i < settings->slop_len; i++) REQUIRE(row, src.ptr[call->len + i] == settings->filler);
}

static struct outcome run(const struct fws_kernels *row, const struct settings *settings, const struct call *call,
                          enum way way) {
    size_t gap = way == WITH_GAP ? settings->gap : 0, behind = settings->slop_len;
    struct exact dst = exact_alloc(settings->off, way == COPIED ? call->len : gap + call->len + behind);
    memset(dst.block, 0xee, settings->off + gap);
    struct exact src = way == COPIED ? exact_alloc(0, call->len + behind) : (struct exact){NULL, dst.ptr + gap};
    if (call->len > 0) fws_mask_scalar(src.ptr, call->plain, call->len, call->key);
    memset(src.ptr + call->len, settings->filler, behind);
    struct outcome got = {0, call->before};
    got.accepted = row->mask_utf8(dst.ptr, src.ptr, call->len, call->key, &got.state, settings->slop);
    check_bytes(row, settings, call, dst, src, gap);
    free(dst.block);
    free(src.block);
    return got;
}

/* Returns 1 if the text may go on, from *after. */
static int compare(const struct fws_kernels *row, const struct settings *settings, const struct call *call,
                   enum way way, struct fws_utf8_state *after) {
    struct outcome wanted = judge(call), got = run(row, settings, call, way);
    REQUIRE(row, got.accepted == wanted.accepted);
    if (wanted.accepted < call->len) return 0;
    REQUIRE(row, got.state.dfa == wanted.state.dfa);
    REQUIRE(row, (got.state.non_ascii != 0) == (wanted.state.non_ascii != 0));
    *after = got.state;
    return 1;
}

static void check_row(const struct fws_kernels *row, const struct settings *settings, const struct call *whole,
                      size_t cut) {
    for (int way = 0; way < WAYS; way++) {
        struct call first = *whole, rest = *whole;
        first.len = cut;
        rest.plain += cut;
        rest.len -= cut;
        rest.key = fws_rotate_key(whole->key, cut);
        compare(row, settings, whole, (enum way)way, &(struct fws_utf8_state){0, 0});
        if (compare(row, settings, &first, (enum way)way, &rest.before))
            compare(row, settings, &rest, (enum way)way, &(struct fws_utf8_state){0, 0});
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t slops[] = {0, FWS_SLOP, FWS_SLOP - 1, 4096};
    if (size < PREFIX_LEN) return 0;
    struct settings settings = {.gap = data[0], .off = data[1] >> 2, .slop = slops[data[1] & 3], .filler = data[3]};
    settings.slop_len = settings.slop >= FWS_SLOP ? FWS_SLOP : 0;
    struct call whole = {data + PREFIX_LEN, size - PREFIX_LEN, fws_load_u32(data + 7), {0, 0}};
    if (fws_utf8_scalar(&whole.before, data + 4, 3, 0) < 3) whole.before = (struct fws_utf8_state){0, 0};
    const struct fws_kernels *row;
    for (int i = 0; (row = next_cell(&i, offsetof(struct fws_kernels, mask_utf8)));)
        check_row(row, &settings, &whole, whole.len * data[2] / 256);
    return 0;
}
