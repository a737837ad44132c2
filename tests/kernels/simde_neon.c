/* SPDX-License-Identifier: MIT */
/* The NEON row a second time, on top of SIMDe, so that any machine can run it. */
#define FWS_TEST_SIMDE
#define FWS_TEST_SIMDE_NEON
#include "../../src/platform.h"

/* Chosen whatever this machine is. */
#undef FWS_NEON
#define FWS_NEON 1

#define fws_chacha_neon simde_chacha_neon
#define fws_frames_neon simde_frames_neon
#define fws_http_scan_neon simde_http_scan_neon
#define fws_mask_neon simde_mask_neon
#define fws_mask_utf8_neon simde_mask_utf8_neon
#define fws_is_utf8_neon simde_is_utf8_neon
#define fws_utf8_neon simde_utf8_neon
#include "../../simd/chacha_neon.c"
#include "../../simd/frames_neon.c"
#include "../../simd/http_scan_neon.c"
#include "../../simd/mask_neon.c"
#include "../../simd/is_utf8_neon.c"
#include "../../simd/mask_utf8_neon.c"
#include "../../simd/utf8_neon.c"
