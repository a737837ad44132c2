/* SPDX-License-Identifier: MIT */
/* The tables by which vector rows tell the bytes of HTTP heads apart: a byte is in a class if the entry for its low
 * four bits and the entry for its high four bits have a bit in common. */
#ifndef FWS_HTTP_SCAN_LOOKUP_H
#define FWS_HTTP_SCAN_LOOKUP_H

#include <stdint.h>

/* Bit h of entry l: byte h << 4 | l is a tchar. RFC 9110 5.6.2. */
static const uint8_t scan_tokens[16] = {
    0xe8, 0xfc, 0xf8, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xf8, 0xf8, 0xf4, 0x54, 0xd0, 0x54, 0xf4, 0x70,
};

/* Bit h of entry l: byte h << 4 | l is below 0x20 and not the tab, or 0x7f. */
static const uint8_t scan_controls[16] = {
    0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x02, 0x03, 0x03, 0x03, 0x03, 0x03, 0x83,
};

/* No byte from 0x80 on is of either class. */
static const uint8_t scan_high[16] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80};

#endif
