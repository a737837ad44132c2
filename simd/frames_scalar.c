/* SPDX-License-Identifier: MIT */
/* The frames kernel on any CPU. */
#include "kernels.h"
#include "mask_scalar.h"

/* A payload here has no more than 65535 bytes: the second pass finds it in the cache. */
static FWS_ALWAYS_INLINE size_t text_scalar(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                            struct fws_utf8_state *state, size_t slop) {
    return mask_scalar(dst, src, len, key) ? len : fws_utf8_scalar(state, dst, len, slop);
}

#define FRAMES_NAME fws_frames_scalar
#define FRAMES_TARGET
#define FRAMES_MASK mask_scalar
#define FRAMES_TEXT text_scalar
#define FRAMES_UTF8 fws_utf8_scalar
#include "frames_walk.h"
