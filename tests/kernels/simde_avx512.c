/* SPDX-License-Identifier: MIT */
/* The AVX-512 row a second time, on top of SIMDe, so that any machine can run it. */
#define FWS_TEST_SIMDE
#include "../../src/platform.h"

/* Chosen whatever this machine is. */
#undef FWS_X86
#define FWS_X86 1

#define fws_utf8_avx512 simde_utf8_avx512
#include "../../simd/utf8_avx512.c"
