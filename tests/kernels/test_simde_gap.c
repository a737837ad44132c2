/* SPDX-License-Identifier: MIT */
/* What simde_gap.h adds to SIMDe, against the instructions themselves where this machine has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../simd/intrinsics.h"
#include "../../simd/kernels.h"
#include "../simde_gap.h"
#include "guard.h"

/* Loads that leave bytes out: what is left out is zero, and may lie behind a guard page. */
static void loads_the_wanted_bytes_and_reads_no_other(void **unused) {
    (void)unused;
    uint8_t *end = guard_alloc_end(64) + 64, got[32];
    for (int i = 1; i <= 64; i++) end[-i] = (uint8_t)(i * 3);
    for (size_t len = 0; len <= 32; len++) {
        uint32_t wanted = len < 32 ? (1u << len) - 1 : UINT32_MAX;
        gap_load_bytes(got, wanted, end - len);
        for (size_t i = 0; i < 32; i++) assert_int_equal(got[i], i < len ? (uint8_t)((len - i) * 3) : 0);
    }
    guard_free(end - 64, 64);
}

#if FWS_X86
static uint32_t random_state = 1;
static uint32_t random_word(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state ^ random_state >> 15;
}

/* Whether the machine has what a test compares with; says so where it has not. */
static int has(uint32_t bits, const char *name) {
    if (fws_cpu_bits() & bits) return 1;
    print_message("skipped: this machine has no %s\n", name);
    return 0;
}

FWS_TARGET("avx512bw,avx512vl") static void load_natively(uint8_t dst[32], uint32_t wanted, const uint8_t *src) {
    _mm256_storeu_si256((__m256i *)(void *)dst, _mm256_maskz_loadu_epi8(wanted, src));
}

FWS_TARGET("sse4.1") static int has_none_natively(const uint8_t a[16], const uint8_t b[16]) {
    return _mm_testz_si128(_mm_loadu_si128((const __m128i *)(const void *)a),
                           _mm_loadu_si128((const __m128i *)(const void *)b));
}

static void loads_what_the_instruction_loads(void **unused) {
    (void)unused;
    if (!has(FWS_CPU_AVX512, "AVX-512")) return;
    uint8_t src[32], got[32], expected[32];
    for (size_t i = 0; i < 32; i++) src[i] = (uint8_t)(i + 1);
    for (int round = 0; round < 10000; round++) {
        uint32_t wanted = random_word();
        gap_load_bytes(got, wanted, src);
        load_natively(expected, wanted, src);
        assert_memory_equal(got, expected, 32);
    }
}

static void tests_what_the_instruction_tests(void **unused) {
    (void)unused;
    if (!has(FWS_CPU_SSE4, "SSE4")) return;
    for (unsigned n = 0; n < 129 * 129; n++) {
        uint8_t a[16] = {0}, b[16] = {0};
        if (n % 129 < 128) a[n % 129 / 8] = (uint8_t)(1u << n % 129 % 8);
        if (n / 129 < 128) b[n / 129 / 8] = (uint8_t)(1u << n / 129 % 8);
        assert_int_equal(gap_has_none(a, b), has_none_natively(a, b));
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_the_wanted_bytes_and_reads_no_other),
#if FWS_X86
        cmocka_unit_test(loads_what_the_instruction_loads),
        cmocka_unit_test(tests_what_the_instruction_tests),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
