/* SPDX-License-Identifier: MIT */
/* The AVX-512 row a second time, on top of SIMDe, so that any machine can run it. */
#define FWS_TEST_SIMDE
#include "../../src/platform.h"

/* Chosen whatever this machine is. */
#undef FWS_X86
#define FWS_X86 1

#define fws_chacha_avx512 simde_chacha_avx512
#define fws_frames_avx512 simde_frames_avx512
#define fws_http_scan_avx512 simde_http_scan_avx512
#define fws_mask_utf8_avx512 simde_mask_utf8_avx512
#define fws_is_utf8_avx512 simde_is_utf8_avx512
#define fws_utf8_avx512 simde_utf8_avx512
#include "../../simd/chacha_avx512.c"
#include "../../simd/frames_avx512.c"
#include "../../simd/http_scan_avx512.c"
#include "../../simd/is_utf8_avx512.c"
#include "../../simd/mask_utf8_avx512.c"
#include "../../simd/utf8_avx512.c"
