/* SPDX-License-Identifier: MIT */
/* The key of the opening handshake and its answer. RFC 6455 section 4. */
#include <fastws/handshake.h>

#include <fastws/error.h>

#include "base64.h"
#include "platform.h"
#include "sha1.h"

enum {
    NONCE_LEN = 16, /* bytes that a key encodes: RFC 6455 4.1, item 7 */
    GUID_LEN = sizeof FASTWS_HANDSHAKE_GUID - 1
};

int fastws_key_check(const void *key, size_t len) {
    return fws_base64_is_encoding(key, len, NONCE_LEN) ? 0 : FASTWS_ERR_HANDSHAKE_KEY;
}

int fastws_accept_key(char out[FASTWS_ACCEPT_LEN + 1], const void *key, size_t len) {
    TRY(fastws_key_check(key, len));
    uint8_t text[FASTWS_KEY_LEN + GUID_LEN];
    memcpy(text, key, FASTWS_KEY_LEN);
    memcpy(text + FASTWS_KEY_LEN, FASTWS_HANDSHAKE_GUID, GUID_LEN);
    uint8_t digest[FWS_SHA1_LEN];
    fws_sha1(digest, text, sizeof text);
    fws_base64_encode(out, digest, sizeof digest);
    out[FASTWS_ACCEPT_LEN] = '\0';
    return 0;
}
