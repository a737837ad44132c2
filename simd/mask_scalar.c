/* SPDX-License-Identifier: MIT */
/* Masking in words of 8 bytes, on any CPU. */
#include "kernels.h"
#include "mask_scalar.h"

void fws_mask_scalar(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key) { mask_scalar(dst, src, len, key); }
