/* SPDX-License-Identifier: MIT */
/* Tests what stands in for cmocka on foreign machines: every check fails when it must, and only then. */
#include "cmocka.h"

#include <stdio.h>
#include <string.h>

static const char abc[] = "abc", abd[] = "abd";
static int number = 7;
static int reached; /* tests that went on behind their last check */

/* FAILING(name, check): a test that its check must end. */
#define FAILING(name, check)                                                                                           \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        check;                                                                                                         \
        reached++;                                                                                                     \
    }

FAILING(fails_for_0, assert_true(number == 8))
FAILING(fails_for_1, assert_false(number == 7))
FAILING(fails_for_a_null_pointer, assert_non_null(strchr(abc, 'd')))
FAILING(fails_for_a_pointer, assert_null(strchr(abc, 'b')))
FAILING(fails_for_another_number, assert_int_equal(number, 8))
FAILING(fails_for_the_high_half_of_a_number, assert_int_equal(7 + (UINT64_C(1) << 32), 7))
FAILING(fails_for_a_sign, assert_int_equal(-number, 7))
FAILING(fails_for_the_same_number, assert_int_not_equal(number, 7))
FAILING(fails_for_another_pointer, assert_ptr_equal(abc, abc + 1))
FAILING(fails_for_the_same_pointer, assert_ptr_not_equal(abc, abc))
FAILING(fails_below_the_range, assert_in_range(number, 8, 9))
FAILING(fails_above_the_range, assert_in_range(number, 5, 6))
FAILING(fails_for_another_string, assert_string_equal(abc, abd))
FAILING(fails_for_the_same_string, assert_string_not_equal(abc, abc))
FAILING(fails_for_other_bytes, assert_memory_equal(abc, abd, 3))
FAILING(fails_for_the_same_bytes, assert_memory_not_equal(abc, abd, 2))
FAILING(fails_when_told_to, fail_msg("a message with the number %d", number))

static void passes_what_holds(void **state) {
    assert_ptr_equal(*state, &number);
    assert_true(number);
    assert_false(number - 7);
    assert_non_null(abc);
    assert_null(strchr(abc, 'd'));
    assert_int_equal(number, 7);
    assert_int_equal(-number, INT64_C(-7));
    assert_int_not_equal(number, -7);
    assert_ptr_not_equal(abc, abd);
    assert_in_range(number, 7, 7);
    assert_string_equal(abc, "abc");
    assert_string_not_equal(abc, abd);
    assert_memory_equal(abc, abd, 2);
    assert_memory_not_equal(abc, abd, 3);
    reached++;
}

static int give_state(void **state) {
    *state = &number;
    return 0;
}

static int refuse(void **state) {
    (void)state;
    return -1;
}

int main(void) {
    const struct CMUnitTest failing[] = {
        cmocka_unit_test(fails_for_0),
        cmocka_unit_test(fails_for_1),
        cmocka_unit_test(fails_for_a_null_pointer),
        cmocka_unit_test(fails_for_a_pointer),
        cmocka_unit_test(fails_for_another_number),
        cmocka_unit_test(fails_for_the_high_half_of_a_number),
        cmocka_unit_test(fails_for_a_sign),
        cmocka_unit_test(fails_for_the_same_number),
        cmocka_unit_test(fails_for_another_pointer),
        cmocka_unit_test(fails_for_the_same_pointer),
        cmocka_unit_test(fails_below_the_range),
        cmocka_unit_test(fails_above_the_range),
        cmocka_unit_test(fails_for_another_string),
        cmocka_unit_test(fails_for_the_same_string),
        cmocka_unit_test(fails_for_other_bytes),
        cmocka_unit_test(fails_for_the_same_bytes),
        cmocka_unit_test(fails_when_told_to),
    };
    const struct CMUnitTest passing[] = {cmocka_unit_test(passes_what_holds)};
    int count = (int)(sizeof failing / sizeof *failing);

    int failed = cmocka_run_group_tests(failing, NULL, NULL);
    if (failed != count || reached != 0) {
        printf("%d of %d tests failed that must, %d went on\n", failed, count, reached);
        return 1;
    }
    if (cmocka_run_group_tests(passing, give_state, NULL) != 0 || reached != 1) {
        printf("what holds was refused\n");
        return 1;
    }
    if (cmocka_run_group_tests(passing, refuse, NULL) == 0 ||
        cmocka_run_group_tests(passing, give_state, refuse) == 0) {
        printf("a refusal of setup or teardown was lost\n");
        return 1;
    }
    return 0;
}
