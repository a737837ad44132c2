/* SPDX-License-Identifier: MIT */
/* The frames kernel with AVX2. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_avx2.h"

#  include "mask_utf8_vector.h"

#  define FRAMES_NAME fws_frames_avx2
#  define FRAMES_TARGET FWS_TARGET("avx2")
#  define FRAMES_MASK MASK_NAME
#  define FRAMES_TEXT mask_check_whole
#  define FRAMES_UTF8 utf8_vector
#  include "frames_walk.h"
#endif
