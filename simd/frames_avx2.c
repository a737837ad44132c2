/* SPDX-License-Identifier: MIT */
/* The frames kernel with AVX2. */
#include "kernels.h"

#if FWS_X86
#  include "mask_avx2.h"

#  define FRAMES_NAME fws_frames_avx2
#  define FRAMES_TARGET FWS_TARGET("avx2")
#  define FRAMES_MASK mask_avx2
#  define FRAMES_UTF8 fws_utf8_scalar
#  include "frames_walk.h"
#endif
