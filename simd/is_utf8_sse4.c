/* SPDX-License-Identifier: MIT */
/* Is it UTF-8? With SSSE3 and SSE4.1. */
#include "kernels.h"

#if FWS_X86
#  include "utf8_sse4.h"

FWS_ENTRY FWS_TARGET("sse4.1")
int fws_is_utf8_sse4(const uint8_t *src, size_t len) {
    return is_utf8_vector(src, len, fws_utf8_sse4);
}
#endif
