/* SPDX-License-Identifier: MIT */
/* What the vector rows leave to the scalar one: a character that is open when a call begins, the byte where a text goes
 * wrong, a character that is open when it ends. Vectors say that a block is good or that it is not; these say where. */
#ifndef FWS_UTF8_SETTLE_H
#define FWS_UTF8_SETTLE_H

#include "kernels.h"

/* Goes on with the character that is open. Returns how many bytes were accepted; state->dfa is 0 after it only if the
 * character was completed. */
static FWS_NOINLINE size_t resume(struct fws_utf8_state *state, const uint8_t *src, size_t len) {
    size_t missing = state->dfa >> 16;
    return fws_utf8_scalar(state, src, missing < len ? missing : len, 0);
}

/* Checks text[from, len) again, from the beginning of the character that from lies in: up to from the text is good.
 * Returns what utf8 returns for text[0, len), and leaves that state. */
static FWS_NOINLINE size_t settle(struct fws_utf8_state *state, const uint8_t *text, size_t from, size_t len) {
    size_t begin = from;
    for (size_t back = 1; back <= 3 && back <= from; back++) {
        if (text[from - back] < 0xc0) continue;
        begin = from - back;
        break;
    }
    state->dfa = 0;
    return begin + fws_utf8_scalar(state, text + begin, len - begin, 0);
}

/* Says whether a good text of 3 bytes or more ends inside a character. */
static FWS_ALWAYS_INLINE int is_open_at_end(const uint8_t *text, size_t len) {
    return text[len - 1] >= 0xc0 || text[len - 2] >= 0xe0 || text[len - 3] >= 0xf0;
}

#endif
