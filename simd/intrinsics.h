/* SPDX-License-Identifier: MIT */
/* Vector intrinsics: those of the compiler, or those of SIMDe when the tests compile a row a second time, for
 * machines that lack the instructions. */
#ifndef FWS_INTRINSICS_H
#define FWS_INTRINSICS_H

#include "../src/platform.h"

#if defined(FWS_TEST_SIMDE)
#  include "../tests/simde.h"
#elif FWS_X86
#  include <immintrin.h>
#elif FWS_NEON
#  include <arm_neon.h>
#endif

#endif
