/* SPDX-License-Identifier: MIT */
/* The frames kernel on any CPU. */
#include "mask_scalar.h"

#define FRAMES_NAME fws_frames_scalar
#define FRAMES_TARGET
#define FRAMES_MASK mask_scalar
#define FRAMES_UTF8 fws_utf8_scalar
#include "frames_walk.h"
