/* SPDX-License-Identifier: MIT */
/* The bytes that are marked in HTTP heads: every row writes the words that the scalar one writes. Input: where the head
 * lies, then the head. */
#include "row_checks.h"

enum { PREFIX_LEN = 1, ALIGNMENTS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < PREFIX_LEN) return 0;
    size_t len = size - PREFIX_LEN, words_len = (len + 63) / 64 * sizeof(uint64_t);
    struct exact src = exact_copy(data[0] % ALIGNMENTS, data + PREFIX_LEN, len);
    struct exact wanted[2] = {exact_alloc(0, words_len), exact_alloc(0, words_len)};
    fws_http_scan_scalar((uint64_t *)(void *)wanted[0].ptr, (uint64_t *)(void *)wanted[1].ptr, src.ptr, len);
    const struct fws_kernels *row;
    for (int i = 0; (row = next_cell(&i, offsetof(struct fws_kernels, http_scan)));) {
        struct exact got[2] = {exact_alloc(0, words_len), exact_alloc(0, words_len)};
        row->http_scan((uint64_t *)(void *)got[0].ptr, (uint64_t *)(void *)got[1].ptr, src.ptr, len);
        for (int k = 0; k < 2; k++) {
            REQUIRE(row, memcmp(got[k].ptr, wanted[k].ptr, words_len) == 0);
            free(got[k].block);
        }
    }
    free(src.block);
    for (int k = 0; k < 2; k++) free(wanted[k].block);
    return 0;
}
