/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with AVX-512. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_avx512.h"

FWS_ENTRY FWS_TARGET("avx512f,avx512bw,avx512vl")
size_t fws_utf8_avx512(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop) {
    return utf8_vector(state, src, len, slop);
}
#endif
