/* SPDX-License-Identifier: MIT */
/* Masking with AVX2. */
#include "kernels.h"

#if FWS_X86
#  include "mask_avx2.h"

FWS_ENTRY FWS_TARGET("avx2")
void fws_mask_avx2(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) {
    mask_avx2(dst, src, len, key);
}
#endif
