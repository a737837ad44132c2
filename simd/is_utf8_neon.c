/* SPDX-License-Identifier: MIT */
/* Is it UTF-8? With NEON. */
#include "kernels.h"

#if FWS_NEON
#  include "utf8_neon.h"

FWS_ENTRY
int fws_is_utf8_neon(const uint8_t *src, size_t len) {
    return is_utf8_vector(src, len, fws_utf8_neon);
}
#endif
