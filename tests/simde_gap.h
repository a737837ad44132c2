/* SPDX-License-Identifier: MIT */
/* What SIMDe 0.7.4 lacks, or gets wrong, and the rows use: byte by byte. kernels/test_simde_gap.c holds it against the
 * hardware. */
#ifndef FWS_TESTS_SIMDE_GAP_H
#define FWS_TESTS_SIMDE_GAP_H

#include <stdint.h>
#include <string.h>

/* Copies the bytes of src whose bit is set and clears the others, of which nothing is read. */
static inline void gap_load_bytes(uint8_t dst[64], uint64_t wanted, const void *src) {
    memset(dst, 0, 64);
    for (int i = 0; wanted; i++, wanted >>= 1) {
        if (wanted & 1) memcpy(dst + i, (const uint8_t *)src + i, 1);
    }
}

/* In each lane of lane_len bytes: those of low from the n-th on, then the first of high. */
static inline void gap_align_lanes(uint8_t dst[64], const uint8_t high[64], const uint8_t low[64], unsigned lane_len,
                                   unsigned n) {
    for (unsigned lane = 0; lane < 64; lane += lane_len) {
        memcpy(dst + lane, low + lane + n, lane_len - n);
        memcpy(dst + lane + lane_len - n, high + lane, n);
    }
}

/* Says whether a & b has no bit set. SIMDe answers for one half of the vectors. */
static inline int gap_has_none(const uint8_t a[16], const uint8_t b[16]) {
    int seen = 0;
    for (int i = 0; i < 16; i++) seen |= a[i] & b[i];
    return seen == 0;
}

#endif
