/* SPDX-License-Identifier: MIT */
/* The http_scan kernel around the 64 bytes that a row marks at once. The file that includes it defines first:
 *
 *   SCAN_NAME, SCAN_TARGET          name of the kernel; FWS_TARGET("<instruction set>"), or nothing
 *   scan_block(controls, others, src)   an inline function that marks 64 bytes */
#include "kernels.h"

#define SCAN_BLOCK_LEN 64

/* Marks the last bytes, fewer than a block: with those before them if there are enough, else in a copy. */
SCAN_TARGET static FWS_ALWAYS_INLINE void scan_rest(uint64_t *controls, uint64_t *others, const uint8_t *end,
                                                    size_t rest, size_t len) {
    if (len >= SCAN_BLOCK_LEN) {
        scan_block(controls, others, end - SCAN_BLOCK_LEN);
        *controls >>= SCAN_BLOCK_LEN - rest;
        *others >>= SCAN_BLOCK_LEN - rest;
        return;
    }
    uint8_t copy[SCAN_BLOCK_LEN] = {0};
    uint64_t wanted = ((uint64_t)1 << rest) - 1;
    memcpy(copy, end - rest, rest);
    scan_block(controls, others, copy);
    *controls &= wanted;
    *others &= wanted;
}

FWS_ENTRY SCAN_TARGET
void SCAN_NAME(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len) {
    size_t block_count = len / SCAN_BLOCK_LEN;
    for (size_t i = 0; i < block_count; i++) scan_block(controls + i, others + i, src + i * SCAN_BLOCK_LEN);
    size_t rest = len % SCAN_BLOCK_LEN;
    if (rest > 0) scan_rest(controls + block_count, others + block_count, src + len, rest, len);
}
