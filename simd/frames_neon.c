/* SPDX-License-Identifier: MIT */
/* The frames kernel with NEON. */
#include "kernels.h"

#if FWS_NEON
#  include "utf8_neon.h"

#  include "mask_utf8_vector.h"

#  define FRAMES_NAME fws_frames_neon
#  define FRAMES_TARGET
#  define FRAMES_MASK MASK_NAME
#  define FRAMES_TEXT mask_check_whole
#  define FRAMES_UTF8 utf8_vector
#  include "frames_walk.h"
#endif
