/* SPDX-License-Identifier: MIT */
/* What the fuzzers of kernels share: the rows of this machine and those through SIMDe, memory of exactly the size that
 * was asked for, so that a sanitizer sees the first byte beside it, and a stop that names the row. */
#ifndef FWS_TESTS_ROW_CHECKS_H
#define FWS_TESTS_ROW_CHECKS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/rows.h"

#define REQUIRE(row, condition) require((row)->name, condition, #condition, __FILE__, __LINE__)

static inline void require(const char *row, int is_met, const char *condition, const char *file, int line) {
    if (is_met) return;
    fprintf(stderr, "%s:%d: %s: not met: %s\n", file, line, row, condition);
    abort();
}

/* Returns the next row, from *index on, whose cell in that column (its offset in struct fws_kernels) no row before has:
 * rows borrow from one another. NULL past the last. */
static inline const struct fws_kernels *next_cell(int *index, size_t column) {
    typedef void cell(void);
    const struct fws_kernels *row;
    while ((row = test_row((*index)++)) != NULL) {
        int k = 0;
        while (memcmp((const char *)test_row(k) + column, (const char *)row + column, sizeof(cell *)) != 0) k++;
        if (k == *index - 1) return row;
    }
    return NULL;
}

/* Memory that ends with len bytes at ptr, off bytes behind the start of a block. */
struct exact {
    uint8_t *block;
    uint8_t *ptr;
};

static inline struct exact exact_alloc(size_t off, size_t len) {
    uint8_t *block = malloc(off + len > 0 ? off + len : 1);
    if (block == NULL) abort();
    return (struct exact){block, block + off};
}

static inline struct exact exact_copy(size_t off, const uint8_t *src, size_t len) {
    struct exact exact = exact_alloc(off, len);
    if (len > 0) memcpy(exact.ptr, src, len);
    return exact;
}

#endif
