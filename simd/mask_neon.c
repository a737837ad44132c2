/* SPDX-License-Identifier: MIT */
/* Masking with NEON. */
#include "kernels.h"

#if FWS_NEON
#  include "mask_neon.h"

FWS_ENTRY void fws_mask_neon(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    mask_neon(dst, src, len, key);
}
#endif
