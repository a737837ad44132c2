/* SPDX-License-Identifier: MIT */
/* UTF-8 checking for users: keeps count around the kernel. */
#include <fastws/error.h>
#include <fastws/utf8.h>

#include <string.h>

#include "../simd/kernels.h"
#include "platform.h"

void fastws_utf8_init(struct fastws_utf8 *utf8) { memset(utf8, 0, sizeof *utf8); }

int fastws_utf8_update(struct fastws_utf8 *utf8, const void *src, size_t len) {
    if (FWS_UNLIKELY(utf8->error)) return utf8->error;
    struct fws_utf8_state state = {utf8->dfa, utf8->non_ascii};
    size_t accepted = fws_kernels_active()->utf8(&state, src, len, 0);
    utf8->dfa = state.dfa;
    utf8->non_ascii = state.non_ascii;
    utf8->accepted += accepted;
    if (accepted < len) utf8->error = FASTWS_ERR_UTF8;
    return utf8->error;
}

int fastws_utf8_finish(const struct fastws_utf8 *utf8) {
    return utf8->error || utf8->dfa ? FASTWS_ERR_UTF8 : 0;
}

uint64_t fastws_utf8_error_offset(const struct fastws_utf8 *utf8) { return utf8->accepted; }

int fastws_utf8_is_ascii(const struct fastws_utf8 *utf8) { return !utf8->error && !utf8->non_ascii; }

int fastws_utf8_is_valid(const void *src, size_t len) { return fws_kernels_active()->is_utf8(src, len); }
