/* SPDX-License-Identifier: MIT */
/* Is it UTF-8? With AVX2. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_avx2.h"

FWS_ENTRY FWS_TARGET("avx2")
int fws_is_utf8_avx2(const uint8_t *src, size_t len) {
    return is_utf8_vector(src, len, fws_utf8_avx2);
}
#endif
