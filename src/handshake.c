/* SPDX-License-Identifier: MIT */
/* The key of the opening handshake and its answer. RFC 6455 section 4. */
#include <fastws/handshake.h>

#include <fastws/error.h>

#include "../simd/kernels.h"
#include "base64.h"
#include "platform.h"

enum { NONCE_LEN = 16 }; /* bytes that a key encodes: RFC 6455 4.1, item 7 */

_Static_assert(FASTWS_KEY_LEN == FWS_KEY_LEN && FASTWS_ACCEPT_LEN == FWS_ACCEPT_LEN, "the kernel knows these lengths");

int fastws_key_check(const void *key, size_t len) {
    return fws_base64_is_encoding(key, len, NONCE_LEN) ? 0 : FASTWS_ERR_HANDSHAKE_KEY;
}

int fastws_accept_key(char out[FASTWS_ACCEPT_LEN + 1], const void *key, size_t len) {
    uint32_t state[5];
    if (len != FASTWS_KEY_LEN || !fws_kernels_active()->accept(out, state, key)) return FASTWS_ERR_HANDSHAKE_KEY;
    out[FASTWS_ACCEPT_LEN] = '\0';
    return 0;
}
