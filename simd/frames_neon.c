/* SPDX-License-Identifier: MIT */
/* The frames kernel with NEON. */
#include "kernels.h"

#if FWS_NEON
#  include "mask_neon.h"

#  define FRAMES_NAME fws_frames_neon
#  define FRAMES_TARGET
#  define FRAMES_MASK mask_neon
#  define FRAMES_UTF8 fws_utf8_scalar
#  include "frames_walk.h"
#endif
