/* SPDX-License-Identifier: MIT */
/* UTF-8: every row says of a text in one piece, and of every piece of it, what the scalar row says. Input: two bytes
 * that say where to cut, one whose lowest bits say how much slop is granted, then the text. */
#include "row_checks.h"

enum { PREFIX_LEN = 3 };

/* Checks one piece in memory of just its size, with the slop behind it if there is any. */
static size_t check_exact(const struct fws_kernels *row, struct fws_utf8_state *state, const uint8_t *piece, size_t len,
                          size_t slop) {
    size_t behind = slop >= FWS_SLOP ? FWS_SLOP : 0; /* less is as good as none */
    struct exact copy = exact_alloc(0, len + behind);
    if (len > 0) memcpy(copy.ptr, piece, len);
    memset(copy.ptr + len, 0xe2, behind);
    size_t accepted = row->utf8(state, copy.ptr, len, slop);
    free(copy.block);
    return accepted;
}

/* Returns 0 when the text has gone wrong in this piece. */
static int check_piece(const struct fws_kernels *row, struct fws_utf8_state *state, const uint8_t *piece, size_t len,
                       size_t slop) {
    struct fws_utf8_state wanted = *state;
    size_t accepted = fws_utf8_scalar(&wanted, piece, len, 0);
    REQUIRE(row, check_exact(row, state, piece, len, slop) == accepted);
    if (accepted < len) return 0;
    REQUIRE(row, state->dfa == wanted.dfa);
    REQUIRE(row, (state->non_ascii != 0) == (wanted.non_ascii != 0));
    return 1;
}

static void check_pieces(const struct fws_kernels *row, const uint8_t *text, size_t len, const uint8_t cuts[2],
                         size_t slop) {
    struct fws_utf8_state state = {0, 0};
    size_t first = cuts[0] < len ? cuts[0] : len;
    size_t second = cuts[1] < len - first ? cuts[1] : len - first;
    if (!check_piece(row, &state, text, first, slop)) return;
    if (!check_piece(row, &state, text + first, second, slop)) return;
    check_piece(row, &state, text + first + second, len - first - second, slop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t slops[] = {0, FWS_SLOP, FWS_SLOP - 1, 4096};
    if (size < PREFIX_LEN) return 0;
    size_t len = size - PREFIX_LEN, slop = slops[data[2] & 3];
    struct exact text = exact_copy(0, data + PREFIX_LEN, len);
    int is_good = fws_is_utf8_scalar(text.ptr, len);
    const struct fws_kernels *row;
    for (int i = 0; (row = next_cell(&i, offsetof(struct fws_kernels, utf8)));) {
        check_piece(row, &(struct fws_utf8_state){0, 0}, text.ptr, len, slop);
        check_pieces(row, text.ptr, len, data, slop);
    }
    for (int i = 0; (row = next_cell(&i, offsetof(struct fws_kernels, is_utf8)));)
        REQUIRE(row, row->is_utf8(text.ptr, len) == is_good);
    free(text.block);
    return 0;
}
