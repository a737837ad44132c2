/* SPDX-License-Identifier: MIT */
/* Masking with SSE2. */
#include "kernels.h"

#if FWS_X86
#  include "mask_sse2.h"

FWS_ENTRY FWS_TARGET("sse2")
void fws_mask_sse2(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    mask_sse2(dst, src, len, key);
}
#endif
