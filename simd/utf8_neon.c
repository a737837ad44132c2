/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with NEON. */
#include "kernels.h"

#if FWS_NEON
#  include "utf8_neon.h"

FWS_ENTRY
size_t fws_utf8_neon(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop) {
    return utf8_vector(state, src, len, slop);
}
#endif
