/* SPDX-License-Identifier: MIT */
/* Masking for users: turns the key and calls the kernel. */
#include <fastws/mask.h>

#include "../simd/kernels.h"
#include "platform.h"

void fastws_mask(void *dst, const void *src, size_t len, const uint8_t key[4], uint64_t offset) {
    fws_kernels_active()->mask(dst, src, len, fws_rotate_key(fws_load_u32(key), offset));
}
