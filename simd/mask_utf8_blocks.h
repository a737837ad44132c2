/* SPDX-License-Identifier: MIT */
/* Unmasking and UTF-8 checking for rows whose check is the scalar one: block by block, so that what is checked lies in
 * the first cache. The file that includes it defines first:
 *
 *   BLOCKS_NAME, BLOCKS_TARGET   name of the kernel; FWS_TARGET("<instruction set>"), or nothing
 *   BLOCKS_MASK                  the mask of the row as an inline function: (dst, src, len, key), returns is_ascii */
#include "kernels.h"

/* A multiple of 4: every block begins with the same byte of the key. */
#define BLOCK_LEN 2048

FWS_ENTRY BLOCKS_TARGET
size_t BLOCKS_NAME(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key, struct fws_utf8_state *state,
                   size_t slop) {
    (void)slop;
    for (size_t i = 0; i < len;) {
        size_t block_len = len - i < BLOCK_LEN ? len - i : BLOCK_LEN;
        int is_ascii = BLOCKS_MASK(dst + i, src + i, block_len, key);
        size_t accepted = is_ascii && state->dfa == 0 ? block_len : fws_utf8_scalar(state, dst + i, block_len, 0);
        i += block_len;
        if (accepted == block_len) continue;
        if (i < len) BLOCKS_MASK(dst + i, src + i, len - i, key);
        return i - block_len + accepted;
    }
    return len;
}
