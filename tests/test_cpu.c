/* SPDX-License-Identifier: MIT */
/* The choice of kernels: the list of rows, selecting one, and FASTWS_ISA. That variable is read once in the life of a
 * process, so each case of it runs in a child that has not used the library yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <fastws/cpu.h>
#include <fastws/error.h>

#include "../simd/kernels.h"

/* What a child saw: 0 if all is as it should be, else the line number modulo 251 plus 1. */
#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) return __LINE__ % 251 + 1;                                                                   \
    } while (0)

static void in_a_child_with(const char *isa, int (*look)(void)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (isa) setenv("FASTWS_ISA", isa, 1);
        else unsetenv("FASTWS_ISA");
        exit(look());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int best_row_is_active(void) {
    const char *best;
    EXPECT(fastws_cpu_isas(&best, 1) >= 1);
    EXPECT(strcmp(fastws_cpu_isa(), best) == 0);
    return 0;
}

static int best_row_without_complaint(void) {
    EXPECT(fastws_cpu_status() == 0);
    return best_row_is_active();
}

static int scalar_row_without_complaint(void) {
    EXPECT(strcmp(fastws_cpu_isa(), "scalar") == 0);
    EXPECT(fastws_cpu_status() == 0);
    EXPECT(fws_kernels_active()->mask == fws_mask_scalar);
    EXPECT(fws_kernels_active()->frames == fws_frames_scalar);
    EXPECT(fws_kernels_active()->utf8 == fws_utf8_scalar);
    EXPECT(fws_kernels_active()->accept == fws_accept_scalar);
    EXPECT(fws_kernels_active()->mask_utf8 == fws_mask_utf8_scalar);
    return 0;
}

static int best_row_with_complaint(void) {
    EXPECT(fastws_cpu_status() == FASTWS_ERR_ISA);
    EXPECT(best_row_is_active() == 0);
    EXPECT(fastws_cpu_select("avx9000") == FASTWS_ERR_ISA);
    EXPECT(fastws_cpu_status() == FASTWS_ERR_ISA);
    EXPECT(fastws_cpu_select("scalar") == 0);
    EXPECT(fastws_cpu_status() == 0);
    return 0;
}

static int variable_is_read_once(void) {
    EXPECT(strcmp(fastws_cpu_isa(), "scalar") == 0);
    setenv("FASTWS_ISA", "avx9000", 1);
    EXPECT(fastws_cpu_status() == 0);
    EXPECT(strcmp(fastws_cpu_isa(), "scalar") == 0);
    return 0;
}

static int selecting_is_not_limited_by_the_variable(void) {
    const char *best;
    EXPECT(fastws_cpu_isas(&best, 1) >= 1);
    EXPECT(fastws_cpu_select(best) == 0);
    return best_row_without_complaint();
}

static void environment_names_the_first_row(void **unused) {
    (void)unused;
    in_a_child_with(NULL, best_row_without_complaint);
    in_a_child_with("", best_row_without_complaint);
    in_a_child_with("scalar", scalar_row_without_complaint);
    in_a_child_with("scalar", variable_is_read_once);
    in_a_child_with("scalar", selecting_is_not_limited_by_the_variable);
}

static void unknown_row_in_the_environment_is_reported(void **unused) {
    (void)unused;
    in_a_child_with("avx9000", best_row_with_complaint);
    in_a_child_with("SCALAR", best_row_with_complaint);
    in_a_child_with("scalar ", best_row_with_complaint);
    in_a_child_with(FWS_X86 ? "neon" : "avx2", best_row_with_complaint); /* a row of another architecture */
}

/* Many threads that all come first. What they race for is seen by ThreadSanitizer. */
#define THREAD_COUNT 8
static pthread_barrier_t start;

static void *use_first(void *seen) {
    pthread_barrier_wait(&start);
    *(const struct fws_kernels **)seen = fws_kernels_active();
    return NULL;
}

static int first_use_by_many_threads(void) {
    pthread_t threads[THREAD_COUNT];
    const struct fws_kernels *seen[THREAD_COUNT] = {NULL};
    EXPECT(pthread_barrier_init(&start, NULL, THREAD_COUNT) == 0);
    for (int i = 0; i < THREAD_COUNT; i++) EXPECT(pthread_create(&threads[i], NULL, use_first, &seen[i]) == 0);
    for (int i = 0; i < THREAD_COUNT; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < THREAD_COUNT; i++) EXPECT(seen[i] && seen[i] == fws_kernels_at(0));
    return 0;
}

static void threads_may_race_for_the_first_use(void **unused) {
    (void)unused;
    for (int round = 0; round < 20; round++) in_a_child_with(NULL, first_use_by_many_threads);
}

/* From here on this process uses the library itself. */
static void lists_rows_best_first_with_scalar_last(void **unused) {
    (void)unused;
    const char *names[16] = {NULL};
    int count = fastws_cpu_isas(names, 16);
    assert_in_range(count, 1, 16);
    assert_string_equal(names[count - 1], "scalar");
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < i; k++) assert_string_not_equal(names[i], names[k]);
    }
}

static void lists_no_more_rows_than_there_is_room_for(void **unused) {
    (void)unused;
    const char *names[2] = {"untouched", "untouched"};
    int count = fastws_cpu_isas(NULL, 0);
    assert_int_equal(fastws_cpu_isas(names, 0), count);
    assert_string_equal(names[0], "untouched");
    assert_int_equal(fastws_cpu_isas(names, 1), count);
    assert_string_not_equal(names[0], "untouched");
    assert_string_equal(names[1], "untouched");
}

static void selects_every_row_it_lists(void **unused) {
    (void)unused;
    for (int i = 0; i < fws_kernels_count(); i++) {
        const struct fws_kernels *row = fws_kernels_at(i);
        assert_int_equal(fastws_cpu_select(row->name), 0);
        assert_string_equal(fastws_cpu_isa(), row->name);
        assert_ptr_equal(fws_kernels_active(), row);
        assert_true(row->mask && row->frames && row->utf8 && row->mask_utf8 && row->accept);
    }
}

static void refuses_unknown_rows_and_changes_nothing(void **unused) {
    (void)unused;
    static const char *const unknown[] = {"", "avx9000", "AVX2", "avx", "scalar2", " scalar"};
    assert_int_equal(fastws_cpu_select("scalar"), 0);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_int_equal(fastws_cpu_select(unknown[i]), FASTWS_ERR_ISA);
        assert_string_equal(fastws_cpu_isa(), "scalar");
        assert_int_equal(fastws_cpu_status(), 0);
    }
}

#if FWS_X86
/* Linux's list of flags: 1 or 0, or -1 where there is none. gcc 12 and clang 14 cannot be asked for SHA. */
static int linux_finds(const char *flag) {
    static char text[1 << 16];
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) return -1;
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    return strstr(text, flag) != NULL;
}
#endif

/* The compiler's own view of the CPU, where it has one. It checks XCR0 too. */
static void finds_what_the_compiler_finds(void **unused) {
    (void)unused;
#if FWS_X86
    __builtin_cpu_init();
    assert_int_equal((fws_cpu_bits() & FWS_CPU_SSE2) != 0, __builtin_cpu_supports("sse2") != 0);
    assert_int_equal((fws_cpu_bits() & FWS_CPU_AVX2) != 0, __builtin_cpu_supports("avx2") != 0);
    int has_sha = linux_finds(" sha_ni ");
    if (has_sha >= 0) assert_int_equal((fws_cpu_bits() & FWS_CPU_SHA) != 0, has_sha);
    assert_int_equal((fws_cpu_bits() & FWS_CPU_SSE4) != 0,
                     __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1"));
    assert_int_equal((fws_cpu_bits() & FWS_CPU_AVX512) != 0,
                     __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512vl"));
#endif
    assert_int_equal((fws_cpu_bits() & FWS_CPU_NEON) != 0, FWS_NEON);
}

/* A row's name is a cap. */
static void rows_below_the_sha_instructions_do_without(void **unused) {
    (void)unused;
    for (int i = 0; i < fws_kernels_count(); i++) {
        const struct fws_kernels *row = fws_kernels_at(i);
        int is_below = strcmp(row->name, "scalar") == 0 || strcmp(row->name, "sse2") == 0;
        int has_sha = (fws_cpu_bits() & FWS_CPU_SHA) != 0 && (FWS_X86 || FWS_ARM_SHA);
        assert_int_equal(row->accept != fws_accept_scalar, has_sha && !is_below);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_names_the_first_row),
        cmocka_unit_test(unknown_row_in_the_environment_is_reported),
        cmocka_unit_test(threads_may_race_for_the_first_use),
        cmocka_unit_test(lists_rows_best_first_with_scalar_last),
        cmocka_unit_test(lists_no_more_rows_than_there_is_room_for),
        cmocka_unit_test(selects_every_row_it_lists),
        cmocka_unit_test(refuses_unknown_rows_and_changes_nothing),
        cmocka_unit_test(finds_what_the_compiler_finds),
        cmocka_unit_test(rows_below_the_sha_instructions_do_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
