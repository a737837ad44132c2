/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 section 4), scalar. */
#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { FOREIGN = 0x80 }; /* not in the alphabet */

/* Row of values for the bytes 0x80-0xff and others that hold no letter of the alphabet. */
#define X16                                                                                                            \
    FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN,        \
        FOREIGN, FOREIGN, FOREIGN, FOREIGN
#define X FOREIGN

/* The value of each letter, 0..63, or FOREIGN. */
static const uint8_t values[256] = {
    X16, X16,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  62, X,  X,  X,  63, /* 0x20: + and / */
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X,  X,  X,  X,  X,  X,  /* 0x30: 0-9 */
    X,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, /* 0x40: A-O */
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X,  X,  X,  X,  X,  /* 0x50: P-Z */
    X,  26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, /* 0x60: a-o */
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X,  X,  X,  X,  X,  /* 0x70: p-z */
    X16, X16, X16, X16, X16, X16, X16, X16,
};

#undef X
#undef X16

void fws_base64_encode(char *dst, const void *src, size_t len) {
    const uint8_t *p = src;
    for (; len >= 3; len -= 3, p += 3, dst += 4) {
        uint32_t bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        dst[0] = alphabet[bits >> 18];
        dst[1] = alphabet[bits >> 12 & 63];
        dst[2] = alphabet[bits >> 6 & 63];
        dst[3] = alphabet[bits & 63];
    }
    if (len == 0) return;
    uint32_t bits = (uint32_t)p[0] << 16 | (len == 2 ? (uint32_t)p[1] << 8 : 0);
    dst[0] = alphabet[bits >> 18];
    dst[1] = alphabet[bits >> 12 & 63];
    dst[2] = len == 2 ? alphabet[bits >> 6 & 63] : '=';
    dst[3] = '=';
}

int fws_base64_is_encoding(const void *src, size_t len, size_t size) {
    const uint8_t *p = src;
    if (len != FWS_BASE64_LEN(size)) return 0;
    if (size == 0) return 1;
    size_t padding = (3 - size % 3) % 3;
    size_t letters = len - padding;
    unsigned foreign = 0;
    for (size_t i = 0; i < letters; i++) foreign |= values[p[i]];
    if (foreign & FOREIGN) return 0;
    for (size_t i = letters; i < len; i++)
        if (p[i] != '=') return 0;
    /* One pad leaves two bits of the last letter unused, two pads leave four. */
    unsigned spare = (1u << 2 * padding) - 1;
    return (values[p[letters - 1]] & spare) == 0;
}
