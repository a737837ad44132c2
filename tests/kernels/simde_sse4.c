/* SPDX-License-Identifier: MIT */
/* The SSE4 row a second time, on top of SIMDe, so that any machine can run it. */
#define FWS_TEST_SIMDE
#include "../../src/platform.h"

/* Chosen whatever this machine is. */
#undef FWS_X86
#define FWS_X86 1

#define fws_frames_sse4 simde_frames_sse4
#define fws_http_scan_sse4 simde_http_scan_sse4
#define fws_mask_utf8_sse4 simde_mask_utf8_sse4
#define fws_is_utf8_sse4 simde_is_utf8_sse4
#define fws_utf8_sse4 simde_utf8_sse4
#include "../../simd/frames_sse4.c"
#include "../../simd/http_scan_sse4.c"
#include "../../simd/is_utf8_sse4.c"
#include "../../simd/mask_utf8_sse4.c"
#include "../../simd/utf8_sse4.c"
