/* SPDX-License-Identifier: MIT */
/* Reads FASTWS_TEST_SAMPLES. */
#include "sampling.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t read_step(void) {
    const char *text = getenv("FASTWS_TEST_SAMPLES");
    if (text == NULL) return 1;
    char *end;
    long step = strtol(text, &end, 10);
    if (end != text && *end == '\0' && step >= 1 && step <= 999) return (uint32_t)step;
    fprintf(stderr, "FASTWS_TEST_SAMPLES=%s is not a number from 1 to 999\n", text);
    exit(2);
}

uint32_t sample_step(void) {
    static uint32_t step;
    if (step == 0) step = read_step();
    return step;
}

int is_sampled(void) {
    static uint32_t calls;
    return calls++ % sample_step() == 0;
}
