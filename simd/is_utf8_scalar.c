/* SPDX-License-Identifier: MIT */
/* Is it UTF-8? On any CPU. */
#include "kernels.h"

int fws_is_utf8_scalar(const uint8_t *src, size_t len) {
    struct fws_utf8_state state = {0, 0};
    return fws_utf8_scalar(&state, src, len, 0) == len && state.dfa == 0;
}
