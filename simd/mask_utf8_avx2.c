/* SPDX-License-Identifier: MIT */
/* Unmasking and UTF-8 checking in one pass with AVX2. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_avx2.h"

#  include "mask_utf8_vector.h"

FWS_ENTRY FWS_TARGET("avx2")
size_t fws_mask_utf8_avx2(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key, struct fws_utf8_state *state,
                          size_t slop) {
    return mask_utf8_vector(dst, src, len, key, state, slop);
}
#endif
