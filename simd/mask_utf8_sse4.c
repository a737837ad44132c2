/* SPDX-License-Identifier: MIT */
/* Unmasking and UTF-8 checking in one pass with SSSE3 and SSE4.1. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_sse4.h"

#  include "mask_utf8_vector.h"

FWS_ENTRY FWS_TARGET("sse4.1")
size_t fws_mask_utf8_sse4(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key, struct fws_utf8_state *state,
                          size_t slop) {
    return mask_utf8_vector(dst, src, len, key, state, slop);
}
#endif
