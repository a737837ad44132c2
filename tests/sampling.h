/* SPDX-License-Identifier: MIT */
/* How much of their longest loops the tests run. On an emulator they take ten times as long and more: there the
 * environment has FASTWS_TEST_SAMPLES=N, and of N cases the tests run one. Rows, classes of lengths and kinds of input
 * are never left out, only combinations of them. */
#ifndef FWS_TESTS_SAMPLING_H
#define FWS_TESTS_SAMPLING_H

#include <stdint.h>

/* Returns N of FASTWS_TEST_SAMPLES, or 1: run all. N should be a prime from 11 on, so that steps of N go in step with
 * none of the loops, and meet all that they vary. Ends the program for what is not a number from 1 to 999. */
uint32_t sample_step(void);

/* Returns 1 for the first of N calls, and 0 for the others: for cases that a counter cannot step over. */
int is_sampled(void);

#endif
