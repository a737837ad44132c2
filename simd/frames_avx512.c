/* SPDX-License-Identifier: MIT */
/* The frames kernel with AVX-512. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_avx512.h"

#  include "mask_utf8_vector.h"

#  define FRAMES_NAME fws_frames_avx512
#  define FRAMES_TARGET FWS_TARGET("avx512f,avx512bw,avx512vl")
#  define FRAMES_MASK MASK_NAME
#  define FRAMES_TEXT mask_check_whole
#  define FRAMES_UTF8 utf8_vector
#  include "frames_walk.h"
#endif
