/* SPDX-License-Identifier: MIT */
/* Unmasking and UTF-8 checking in one pass with NEON. */
#include "kernels.h"

#if FWS_NEON
#  include "utf8_neon.h"

#  include "mask_utf8_vector.h"

FWS_ENTRY
size_t fws_mask_utf8_neon(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key, struct fws_utf8_state *state,
                          size_t slop) {
    return mask_utf8_vector(dst, src, len, key, state, slop);
}
#endif
