/* SPDX-License-Identifier: MIT */
/* Unmasking and UTF-8 checking on any CPU. */
#include "mask_scalar.h"

#define BLOCKS_NAME fws_mask_utf8_scalar
#define BLOCKS_TARGET
#define BLOCKS_MASK mask_scalar
#include "mask_utf8_blocks.h"
