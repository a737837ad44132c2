/* SPDX-License-Identifier: MIT */
/* The frames kernel with SSSE3 and SSE4.1. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_sse4.h"

#  include "mask_utf8_vector.h"

#  define FRAMES_NAME fws_frames_sse4
#  define FRAMES_TARGET FWS_TARGET("sse4.1")
#  define FRAMES_MASK MASK_NAME
#  define FRAMES_TEXT mask_check_whole
#  define FRAMES_UTF8 utf8_vector
#  include "frames_walk.h"
#endif
