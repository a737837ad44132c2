/* SPDX-License-Identifier: MIT */
/* The frames kernel with SSE2. */
#include "kernels.h"

#if FWS_X86
#  include "mask_sse2.h"

/* A payload here has no more than 65535 bytes: the second pass finds it in the cache. */
FWS_TARGET("sse2") static FWS_ALWAYS_INLINE size_t text_sse2(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                                             struct fws_utf8_state *state, size_t slop) {
    return mask_sse2(dst, src, len, key) ? len : fws_utf8_scalar(state, dst, len, slop);
}

#  define FRAMES_NAME fws_frames_sse2
#  define FRAMES_TARGET FWS_TARGET("sse2")
#  define FRAMES_MASK mask_sse2
#  define FRAMES_TEXT text_sse2
#  define FRAMES_UTF8 fws_utf8_scalar
#  include "frames_walk.h"
#endif
