/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with AVX2. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_avx2.h"

FWS_ENTRY FWS_TARGET("avx2")
size_t fws_utf8_avx2(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop) {
    return utf8_vector(state, src, len, slop);
}
#endif
