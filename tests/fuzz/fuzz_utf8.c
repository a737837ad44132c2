/* SPDX-License-Identifier: MIT */
/* UTF-8 in pieces: every row says of every piece what the scalar row says. Input: two bytes that say where to cut, one
 * whose lowest bit grants slop, then the text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../simd/kernels.h"

/* Stops the fuzzer at a property that does not hold. */
static void expect(int holds) {
    if (!holds) abort();
}

/* Checks one piece in memory of just its size, with the slop behind it if there is any. */
static size_t check_exact(const struct fws_kernels *row, struct fws_utf8_state *state, const uint8_t *piece, size_t len,
                          size_t slop) {
    uint8_t *copy = malloc(len + slop > 0 ? len + slop : 1);
    expect(copy != NULL);
    if (len > 0) memcpy(copy, piece, len);
    memset(copy + len, 0xe2, slop);
    size_t accepted = row->utf8(state, copy, len, slop);
    free(copy);
    return accepted;
}

/* Returns 0 when the text has gone wrong in this piece. */
static int check_piece(const struct fws_kernels *row, struct fws_utf8_state *state, const uint8_t *piece, size_t len,
                       size_t slop) {
    struct fws_utf8_state wanted = *state;
    size_t accepted = fws_utf8_scalar(&wanted, piece, len, 0);
    expect(check_exact(row, state, piece, len, slop) == accepted);
    if (accepted < len) return 0;
    expect(state->dfa == wanted.dfa && (state->non_ascii != 0) == (wanted.non_ascii != 0));
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    const uint8_t *text = data + 3;
    size_t len = size - 3, slop = data[2] & 1 ? FWS_SLOP : 0;
    size_t first = data[0] < len ? data[0] : len;
    size_t second = data[1] < len - first ? data[1] : len - first;
    for (int i = 0; i < fws_kernels_count(); i++) {
        const struct fws_kernels *row = fws_kernels_at(i);
        struct fws_utf8_state state = {0, 0};
        if (!check_piece(row, &state, text, first, slop)) continue;
        if (!check_piece(row, &state, text + first, second, slop)) continue;
        check_piece(row, &state, text + first + second, len - first - second, slop);
    }
    return 0;
}
