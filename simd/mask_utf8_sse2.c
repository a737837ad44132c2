/* SPDX-License-Identifier: MIT */
/* Unmasking with SSE2, and scalar UTF-8 checking. */
#include "kernels.h"

#if FWS_X86
#  include "mask_sse2.h"

#  define BLOCKS_NAME fws_mask_utf8_sse2
#  define BLOCKS_TARGET FWS_TARGET("sse2")
#  define BLOCKS_MASK mask_sse2
#  include "mask_utf8_blocks.h"
#endif
