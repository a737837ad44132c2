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
    uint8_t *end = guard_alloc_end(64) + 64, got[64];
    for (int i = 1; i <= 64; i++) end[-i] = (uint8_t)(i * 3);
    for (size_t len = 0; len <= 64; len++) {
        uint64_t wanted = len < 64 ? (1ull << len) - 1 : UINT64_MAX;
        gap_load_bytes(got, wanted, end - len);
        for (size_t i = 0; i < 64; i++) assert_int_equal(got[i], i < len ? (uint8_t)((len - i) * 3) : 0);
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

FWS_TARGET("avx512bw") static void load_natively(uint8_t dst[64], uint64_t wanted, const uint8_t *src) {
    _mm512_storeu_si512(dst, _mm512_maskz_loadu_epi8(wanted, src));
}

/* The shifts that the rows use: whole lanes of 16 bytes, and single bytes inside of each. */
FWS_TARGET("avx512bw") static void align_natively(uint8_t dst[64], const uint8_t high[64], const uint8_t low[64],
                                                  unsigned n) {
    __m512i a = _mm512_loadu_si512(high), b = _mm512_loadu_si512(low);
    if (n == 48) _mm512_storeu_si512(dst, _mm512_alignr_epi32(a, b, 12));
    if (n == 15) _mm512_storeu_si512(dst, _mm512_alignr_epi8(a, b, 15));
    if (n == 14) _mm512_storeu_si512(dst, _mm512_alignr_epi8(a, b, 14));
    if (n == 13) _mm512_storeu_si512(dst, _mm512_alignr_epi8(a, b, 13));
}

FWS_TARGET("sse4.1") static int has_none_natively(const uint8_t a[16], const uint8_t b[16]) {
    return _mm_testz_si128(_mm_loadu_si128((const __m128i *)(const void *)a),
                           _mm_loadu_si128((const __m128i *)(const void *)b));
}

static void loads_what_the_instruction_loads(void **unused) {
    (void)unused;
    if (!has(FWS_CPU_AVX512, "AVX-512")) return;
    uint8_t src[64], got[64], expected[64];
    for (size_t i = 0; i < 64; i++) src[i] = (uint8_t)(i + 1);
    for (int round = 0; round < 10000; round++) {
        uint64_t wanted = (uint64_t)random_word() << 32 | random_word();
        gap_load_bytes(got, wanted, src);
        load_natively(expected, wanted, src);
        assert_memory_equal(got, expected, 64);
    }
}

static void aligns_what_the_instruction_aligns(void **unused) {
    (void)unused;
    if (!has(FWS_CPU_AVX512, "AVX-512")) return;
    static const struct { unsigned lane_len, n; } shifts[] = {{64, 48}, {16, 15}, {16, 14}, {16, 13}};
    uint8_t high[64], low[64], got[64], expected[64];
    for (size_t i = 0; i < 64; i++) high[i] = (uint8_t)(100 + i), low[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        gap_align_lanes(got, high, low, shifts[i].lane_len, shifts[i].n);
        align_natively(expected, high, low, shifts[i].n);
        assert_memory_equal(got, expected, 64);
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
        cmocka_unit_test(aligns_what_the_instruction_aligns),
        cmocka_unit_test(tests_what_the_instruction_tests),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
