/* SPDX-License-Identifier: MIT */
/* All 2^32 texts of four bytes, in every row of this machine, against the scalar one: minutes, so it is run by itself
 * (ctest -L exhaustive, in a build with FASTWS_EXHAUSTIVE_TESTS). Each is checked alone, and in the middle of ASCII
 * across two vectors, where the loops check it; exhaustive_utf8 ROW runs one row. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../simd/kernels.h"

#define FRAME_LEN 192

static int is_same(const struct fws_kernels *row, const uint8_t *text, size_t len) {
    struct fws_utf8_state wanted = {0, 0}, got = {0, 0};
    size_t accepted = fws_utf8_scalar(&wanted, text, len, 0);
    if (row->utf8(&got, text, len, 0) != accepted) return 0;
    if (row->is_utf8(text, len) != (accepted == len && wanted.dfa == 0)) return 0;
    return accepted < len || (got.dfa == wanted.dfa && (got.non_ascii != 0) == (wanted.non_ascii != 0));
}

static void fail_at(const struct fws_kernels *row, uint32_t n) {
    fprintf(stderr, "%s: %08x is judged otherwise than by the scalar row\n", row->name, (unsigned)n);
    exit(EXIT_FAILURE);
}

static void check_row(const struct fws_kernels *row) {
    uint8_t text[FRAME_LEN];
    memset(text, 'a', sizeof text);
    uint32_t n = 0;
    do {
        uint8_t *place = text + 60 + n % 5;
        uint8_t bytes[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
        memcpy(place, bytes, 4);
        if (!is_same(row, bytes, 4) || !is_same(row, text, sizeof text)) fail_at(row, n);
        memset(place, 'a', 4);
        if ((n & 0xfffffff) == 0) printf("%s: %u of 16\n", row->name, (unsigned)(n >> 28));
    } while (++n != 0);
}

int main(int argc, char **argv) {
    for (int i = 0; i < fws_kernels_count(); i++) {
        const struct fws_kernels *row = fws_kernels_at(i);
        if (row->utf8 == fws_utf8_scalar) continue;
        if (argc < 2 || strcmp(argv[1], row->name) == 0) check_row(row);
    }
    return EXIT_SUCCESS;
}
