/* SPDX-License-Identifier: MIT */
/* The tables of the UTF-8 check with vectors: see utf8_vector.h. */
#ifndef FWS_UTF8_TABLES_H
#define FWS_UTF8_TABLES_H

#include <stdint.h>

/* The mistakes, one bit each. */
#define TOO_SHORT 0x01u      /* a lead, then no continuation */
#define TOO_LONG 0x02u       /* ASCII, then a continuation */
#define OVERLONG_3 0x04u     /* e0 80..9f */
#define TOO_LARGE 0x08u      /* f4 90..bf, f5..ff and any continuation */
#define SURROGATE 0x10u      /* ed a0..bf */
#define OVERLONG_2 0x20u     /* c0 or c1 */
#define TOO_LARGE_1000 0x40u /* f5..ff 80..8f; shares its bit with OVERLONG_4: f0 80..8f */
#define OVERLONG_4 0x40u
#define TWO_MORE 0x80u       /* two continuations: right behind a lead of three or four bytes, and only there */
/* Mistakes that the lower half of the first byte says nothing about. */
#define ANY_LOW (TOO_SHORT | TOO_LONG | TWO_MORE)
#define LARGE_LOW (ANY_LOW | TOO_LARGE | TOO_LARGE_1000)

#define CONTINUATION (TOO_LONG | OVERLONG_2 | TWO_MORE)

/* clang-format off: a line of a table is what it is for. */
#define FIRST_HIGH                                                                                                     \
    /* 0. to 7. */ TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,                     \
    /* 8. to b. */ TWO_MORE, TWO_MORE, TWO_MORE, TWO_MORE,                                                             \
    /* c. */ TOO_SHORT | OVERLONG_2,                                                                                   \
    /* d. */ TOO_SHORT,                                                                                                \
    /* e. */ TOO_SHORT | OVERLONG_3 | SURROGATE,                                                                       \
    /* f. */ TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4
#define FIRST_LOW                                                                                                      \
    /* .0 */ ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,                                                           \
    /* .1 */ ANY_LOW | OVERLONG_2,                                                                                     \
    /* .2 .3 */ ANY_LOW, ANY_LOW,                                                                                      \
    /* .4 */ ANY_LOW | TOO_LARGE,                                                                                      \
    /* .5 to .c */ LARGE_LOW, LARGE_LOW, LARGE_LOW, LARGE_LOW, LARGE_LOW, LARGE_LOW, LARGE_LOW, LARGE_LOW,             \
    /* .d */ LARGE_LOW | SURROGATE,                                                                                    \
    /* .e .f */ LARGE_LOW, LARGE_LOW
#define SECOND_HIGH                                                                                                    \
    /* 0. to 7. */ TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,             \
    /* 8. */ CONTINUATION | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4,                                                  \
    /* 9. */ CONTINUATION | OVERLONG_3 | TOO_LARGE,                                                                    \
    /* a. b. */ CONTINUATION | SURROGATE | TOO_LARGE, CONTINUATION | SURROGATE | TOO_LARGE,                            \
    /* c. to f. */ TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT
/* clang-format on */

/* The same byte 16 times, and 16 bytes 4 times. */
#define BYTES_16(byte)                                                                                                 \
    byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte
#define FOUR_TIMES(bytes) bytes, bytes, bytes, bytes

/* Ones, then zeros, 64 of each: from 64 - n on there are n ones. */
static const uint8_t keep_table[128] = {FOUR_TIMES(BYTES_16(255))};

/* What the last bytes of a text must not exceed: a lead byte there would be open. */
#define LARGEST_AT_END 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xef, 0xdf, 0xbf

#endif
