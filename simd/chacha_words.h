/* SPDX-License-Identifier: MIT */
/* What all rows do with words: the constants that a ChaCha20 block begins with. */
#ifndef FWS_CHACHA_WORDS_H
#define FWS_CHACHA_WORDS_H

#include "../src/platform.h"

/* "expand 32-byte k" in little-endian words. RFC 8439 2.3. */
static const uint32_t chacha_constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

#endif
