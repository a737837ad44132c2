/* SPDX-License-Identifier: MIT */
/* The SSE2 row a second time, on top of SIMDe, so that any machine can run it. */
#define FWS_TEST_SIMDE
#include "../../src/platform.h"

/* Chosen whatever this machine is. */
#undef FWS_X86
#define FWS_X86 1

#define fws_chacha_sse2 simde_chacha_sse2
#define fws_frames_sse2 simde_frames_sse2
#define fws_http_scan_sse2 simde_http_scan_sse2
#define fws_mask_sse2 simde_mask_sse2
#define fws_mask_utf8_sse2 simde_mask_utf8_sse2
#include "../../simd/chacha_sse2.c"
#include "../../simd/frames_sse2.c"
#include "../../simd/http_scan_sse2.c"
#include "../../simd/mask_sse2.c"
#include "../../simd/mask_utf8_sse2.c"
