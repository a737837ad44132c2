/* SPDX-License-Identifier: MIT */
/* Stands in for cmocka in builds for foreign machines: runs tests, and leaves each at its first failure. */
#include "cmocka.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf failure;
static int is_running; /* a test that a failure may leave */

static void print(const char *format, va_list args) {
    vfprintf(stderr, format, args);
    fflush(stderr);
}

void print_message(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print(format, args);
    va_end(args);
}

void print_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print(format, args);
    va_end(args);
}

void cmocka_fail(const char *file, int line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print(format, args);
    va_end(args);
    print_error("\n%s:%d: failed\n", file, line);
    if (!is_running) exit(1);
    longjmp(failure, 1);
}

void cmocka_check_true(int holds, const char *text, const char *file, int line) {
    if (!holds) cmocka_fail(file, line, "%s", text);
}

void cmocka_check_numbers(uintmax_t left, uintmax_t right, int equal, const char *file, int line) {
    if ((left == right) == equal) return;
    cmocka_fail(file, line, "%#" PRIxMAX " %s %#" PRIxMAX, left, equal ? "!=" : "==", right);
}

void cmocka_check_strings(const char *left, const char *right, int equal, const char *file, int line) {
    if ((strcmp(left, right) == 0) == equal) return;
    cmocka_fail(file, line, "\"%s\" %s \"%s\"", left, equal ? "!=" : "==", right);
}

void cmocka_check_memory(const void *left, const void *right, size_t len, int equal, const char *file, int line) {
    const uint8_t *a = left, *b = right;
    size_t same = 0;
    while (same < len && a[same] == b[same]) same++;
    if ((same == len) == equal) return;
    if (!equal) cmocka_fail(file, line, "all %zu bytes are the same", len);
    cmocka_fail(file, line, "byte %zu of %zu: 0x%02x != 0x%02x", same, len, a[same], b[same]);
}

void cmocka_check_range(uintmax_t value, uintmax_t least, uintmax_t most, const char *file, int line) {
    if (value >= least && value <= most) return;
    cmocka_fail(file, line, "%" PRIuMAX " is not in %" PRIuMAX "..%" PRIuMAX, value, least, most);
}

/* Returns whether the test reached its end. */
static int passes(const struct CMUnitTest *test, void **state) {
    is_running = 1;
    volatile int passed = 0;
    if (setjmp(failure) == 0) {
        test->run(state);
        passed = 1;
    }
    is_running = 0;
    return passed;
}

int cmocka_run_tests(const char *group, const struct CMUnitTest *tests, size_t count, int (*setup)(void **state),
                     int (*teardown)(void **state)) {
    void *state = NULL;
    int failed = 0;
    if (setup && setup(&state) != 0) return -1;
    for (size_t i = 0; i < count; i++) {
        print_message("[ RUN    ] %s\n", tests[i].name);
        int passed = passes(&tests[i], &state);
        print_message("[ %s ] %s\n", passed ? "    OK" : "FAILED", tests[i].name);
        if (!passed) failed++;
    }
    if (teardown && teardown(&state) != 0) return -1;
    print_message("%s: %zu tests, %d failed\n", group, count, failed);
    return failed;
}
