/* SPDX-License-Identifier: MIT */
/* All rows that a kernel test runs: those of this machine, then every vector row again on top of SIMDe. Vector
 * rows count on little-endian lanes, so SIMDe has none for a big-endian machine. */
#ifndef FWS_TESTS_ROWS_H
#define FWS_TESTS_ROWS_H

#include "../../simd/kernels.h"

/* Returns the row of that index, or NULL past the last: for (i = 0; (row = test_row(i)); i++). */
const struct fws_kernels *test_row(int index);

#endif
