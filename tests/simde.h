/* SPDX-License-Identifier: MIT */
/* SIMDe under the names of the real intrinsics, all of it emulated: what the second compilation of each row in
 * kernels/simde_*.c uses in place of the compiler's headers. System headers come first: mixed the other way round the
 * aliases collide with them. */
#ifndef FWS_TESTS_SIMDE_H
#define FWS_TESTS_SIMDE_H

/* Compilers note that vectors wider than the build allows are passed differently in a build that allows them. None
 * leaves its file here. */
#pragma GCC diagnostic ignored "-Wpsabi"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SIMDE_NO_NATIVE
#define SIMDE_ENABLE_NATIVE_ALIASES
#if defined(FWS_TEST_SIMDE_NEON)
#  include <simde/arm/neon.h>
#else
#  include <simde/x86/avx512.h>
#  include "simde_gap.h"

#  undef _mm512_maskz_loadu_epi8
#  define _mm512_maskz_loadu_epi8(wanted, src) simde_gap_maskz_loadu(wanted, src)
static inline simde__m512i simde_gap_maskz_loadu(uint64_t wanted, const void *src) {
    uint8_t bytes[64];
    gap_load_bytes(bytes, wanted, src);
    return simde_mm512_loadu_si512(bytes);
}

#  undef _mm512_alignr_epi8
#  define _mm512_alignr_epi8(high, low, n) simde_gap_alignr(high, low, 16, n)
#  undef _mm512_alignr_epi32
#  define _mm512_alignr_epi32(high, low, n) simde_gap_alignr(high, low, 64, 4 * (n))
static inline simde__m512i simde_gap_alignr(simde__m512i high, simde__m512i low, unsigned lane_len, unsigned n) {
    uint8_t high_bytes[64], low_bytes[64], bytes[64];
    simde_mm512_storeu_si512(high_bytes, high);
    simde_mm512_storeu_si512(low_bytes, low);
    gap_align_lanes(bytes, high_bytes, low_bytes, lane_len, n);
    return simde_mm512_loadu_si512(bytes);
}

#  undef _mm_testz_si128
#  define _mm_testz_si128(a, b) simde_gap_testz(a, b)
static inline int simde_gap_testz(simde__m128i a, simde__m128i b) {
    uint8_t a_bytes[16], b_bytes[16];
    simde_mm_storeu_si128((simde__m128i *)(void *)a_bytes, a);
    simde_mm_storeu_si128((simde__m128i *)(void *)b_bytes, b);
    return gap_has_none(a_bytes, b_bytes);
}
#endif

#endif
