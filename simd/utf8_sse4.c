/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with SSSE3 and SSE4.1. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_sse4.h"

FWS_ENTRY FWS_TARGET("sse4.1")
size_t fws_utf8_sse4(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop) {
    return utf8_vector(state, src, len, slop);
}
#endif
