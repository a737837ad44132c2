/* SPDX-License-Identifier: MIT */
/* SHA-1, for the accept key only (RFC 6455 4.2.2): it protects nothing there, and must protect nothing elsewhere. */
#ifndef FWS_SHA1_H
#define FWS_SHA1_H

#include <stddef.h>
#include <stdint.h>

#include "platform.h"

#define FWS_SHA1_LEN 20  /* bytes of a digest */
#define FWS_SHA1_BLOCK 64 /* bytes that are hashed at a time */

/* Mixes one block into the state. FIPS 180-4 6.1.2. Thread-safe. */
FWS_PRIVATE void fws_sha1_block(uint32_t state[5], const uint8_t block[FWS_SHA1_BLOCK]);

/* Writes the digest of len bytes. Thread-safe. Never allocates. */
FWS_PRIVATE void fws_sha1(uint8_t digest[FWS_SHA1_LEN], const void *src, size_t len);

#endif
