/* SPDX-License-Identifier: MIT */
/* What is constant in the message that answers a key: SHA-1 reads the key (24 bytes), the GUID of RFC 6455 1.3 (36),
 * one bit, and zeros up to the length, which is 480 bits. That makes two blocks. Six words of the first are the key;
 * the other words, and all of the second with its schedule, are always the same. FIPS 180-4 5.1.1, 6.1.2. */
#ifndef FWS_ACCEPT_WORDS_H
#define FWS_ACCEPT_WORDS_H

#include <stdint.h>

#define ACCEPT_WORD(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* First block, words 6 to 15: the GUID and the bit behind it. */
#define ACCEPT_KEY_WORDS 6
static const uint32_t accept_first_words[16 - ACCEPT_KEY_WORDS] = {
    ACCEPT_WORD('2', '5', '8', 'E'), ACCEPT_WORD('A', 'F', 'A', '5'), ACCEPT_WORD('-', 'E', '9', '1'),
    ACCEPT_WORD('4', '-', '4', '7'), ACCEPT_WORD('D', 'A', '-', '9'), ACCEPT_WORD('5', 'C', 'A', '-'),
    ACCEPT_WORD('C', '5', 'A', 'B'), ACCEPT_WORD('0', 'D', 'C', '8'), ACCEPT_WORD('5', 'B', '1', '1'),
    0x80000000,
};

/* Second block, the words of all 80 rounds. The tests compute them again. */
static const uint32_t accept_last_words[80] = {
    0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000,
    0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x000001e0,
    0x00000000, 0x00000000, 0x000003c0, 0x00000000, 0x00000000, 0x00000780, 0x00000000, 0x000003c0,
    0x00000f00, 0x00000000, 0x00000000, 0x00001e00, 0x00000000, 0x00000cc0, 0x00003c00, 0x00000440,
    0x00000000, 0x00007800, 0x00000f00, 0x00003300, 0x0000f000, 0x00000f00, 0x00000000, 0x0001ef00,
    0x00000000, 0x0000cc00, 0x0003c000, 0x00004380, 0x00000000, 0x00078f00, 0x0000ff00, 0x00032680,
    0x000f0000, 0x0000f000, 0x00003300, 0x001eff00, 0x00000000, 0x000cb800, 0x003c0000, 0x00040b00,
    0x0000f000, 0x0078ff00, 0x000ff000, 0x00338700, 0x00f00000, 0x000fc300, 0x0000f000, 0x01efbb00,
    0x00000000, 0x00cc0000, 0x03c0f000, 0x00438000, 0x00000000, 0x078f0000, 0x00ff0000, 0x03269e00,
    0x0f000000, 0x00f0f000, 0x00333c00, 0x1eff8800, 0x00000000, 0x0cb88800, 0x3c00f000, 0x040a4a00,
};

/* Where SHA-1 begins, FIPS 180-4 5.3.1. */
static const uint32_t accept_initial_state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

#endif
