/* SPDX-License-Identifier: MIT */
/* Base64 with the standard alphabet and padding. RFC 4648 section 4. */
#ifndef FWS_BASE64_H
#define FWS_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "platform.h"

/* Bytes that len bytes take as text. len is at most SIZE_MAX / 2. */
#define FWS_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes len bytes as FWS_BASE64_LEN(len) bytes of text, without a NUL. dst and src do not overlap. Thread-safe. */
FWS_PRIVATE void fws_base64_encode(char *dst, const void *src, size_t len);

/* Returns 1 if src is what an encoder writes for size bytes: FWS_BASE64_LEN(size) bytes of text, padded as they have to
 * be, spare bits 0 (RFC 4648 3.5); else 0. Thread-safe. */
FWS_PRIVATE int fws_base64_is_encoding(const void *src, size_t len, size_t size);

#endif
