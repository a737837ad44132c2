/* SPDX-License-Identifier: MIT */
/* The part of cmocka's interface that the tests use, for machines whose cmocka cannot be installed beside this
 * machine's own: builds for foreign machines find this header in place of the real one. A test that uses more of cmocka
 * does not compile there until the name is added here and to test_cmocka.c. */
#ifndef FWS_TESTS_FOREIGN_CMOCKA_H
#define FWS_TESTS_FOREIGN_CMOCKA_H

#include <stddef.h>
#include <stdint.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(function) {#function, function}
#define cmocka_run_group_tests(tests, setup, teardown)                                                                 \
    cmocka_run_tests(#tests, tests, sizeof(tests) / sizeof *(tests), setup, teardown)

/* Runs the tests one after the other in this process; each goes on until its first failure. Returns how many failed, or
 * -1 when setup or teardown did not return 0. Either may be NULL. */
int cmocka_run_tests(const char *group, const struct CMUnitTest *tests, size_t count, int (*setup)(void **state),
                     int (*teardown)(void **state));

/* Both print to stderr. */
void print_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the running test as failed. */
_Noreturn void cmocka_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What the macros below expand to. An equal of 0 demands that both differ. */
void cmocka_check_true(int holds, const char *text, const char *file, int line);
void cmocka_check_numbers(uintmax_t left, uintmax_t right, int equal, const char *file, int line);
void cmocka_check_strings(const char *left, const char *right, int equal, const char *file, int line);
void cmocka_check_memory(const void *left, const void *right, size_t len, int equal, const char *file, int line);
void cmocka_check_range(uintmax_t value, uintmax_t least, uintmax_t most, const char *file, int line);

#define fail_msg(...) cmocka_fail(__FILE__, __LINE__, __VA_ARGS__)
#define assert_true(x) cmocka_check_true((x) ? 1 : 0, #x, __FILE__, __LINE__)
#define assert_false(x) cmocka_check_true((x) ? 0 : 1, "not " #x, __FILE__, __LINE__)
#define assert_non_null(x) cmocka_check_true((x) != NULL, #x " != NULL", __FILE__, __LINE__)
#define assert_null(x) cmocka_check_true((x) == NULL, #x " == NULL", __FILE__, __LINE__)

#define assert_int_equal(a, b) cmocka_check_numbers((uintmax_t)(a), (uintmax_t)(b), 1, __FILE__, __LINE__)
#define assert_int_not_equal(a, b) cmocka_check_numbers((uintmax_t)(a), (uintmax_t)(b), 0, __FILE__, __LINE__)
#define assert_ptr_equal(a, b) cmocka_check_numbers((uintptr_t)(a), (uintptr_t)(b), 1, __FILE__, __LINE__)
#define assert_ptr_not_equal(a, b) cmocka_check_numbers((uintptr_t)(a), (uintptr_t)(b), 0, __FILE__, __LINE__)
#define assert_in_range(value, least, most)                                                                            \
    cmocka_check_range((uintmax_t)(value), (uintmax_t)(least), (uintmax_t)(most), __FILE__, __LINE__)

#define assert_string_equal(a, b) cmocka_check_strings(a, b, 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) cmocka_check_strings(a, b, 0, __FILE__, __LINE__)
#define assert_memory_equal(a, b, len) cmocka_check_memory(a, b, len, 1, __FILE__, __LINE__)
#define assert_memory_not_equal(a, b, len) cmocka_check_memory(a, b, len, 0, __FILE__, __LINE__)

#endif
