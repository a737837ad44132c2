/* SPDX-License-Identifier: MIT */
/* The http_scan kernel on any CPU: one lookup a byte, which gives both marks of it. */
#include "kernels.h"

/* The marks of 16 bytes gather in one word: bit 0 and its neighbours for `others`, bit 16 and its for `controls`. */
enum { T = 0, O = 1, C = 1 | 1 << 16 };

#define O16 O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O

/* T: a tchar (RFC 9110 5.6.2), C: a control byte but the tab, O: other. */
static const uint32_t classes[256] = {
    /* 0x00 */ C, C, C, C, C, C, C, C, C, O, C, C, C, C, C, C,
    /* 0x10 */ C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C,
    /* 0x20 */ O, T, O, T, T, T, T, T, O, O, T, T, O, T, T, O,
    /* 0x30 */ T, T, T, T, T, T, T, T, T, T, O, O, O, O, O, O,
    /* 0x40 */ O, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    /* 0x50 */ T, T, T, T, T, T, T, T, T, T, T, O, O, O, T, T,
    /* 0x60 */ T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
    /* 0x70 */ T, T, T, T, T, T, T, T, T, T, T, O, T, O, T, C,
    O16, O16, O16, O16, O16, O16, O16, O16,
};

static FWS_ALWAYS_INLINE uint32_t mark(const uint8_t *src, unsigned len) {
    uint32_t marks = 0;
    for (unsigned i = 0; i < len; i++) marks |= classes[src[i]] << i;
    return marks;
}

FWS_ENTRY void fws_http_scan_scalar(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len) {
    for (size_t i = 0; i < len; i += 16) {
        uint64_t marks = len - i >= 16 ? mark(src + i, 16) : mark(src + i, (unsigned)(len - i));
        size_t word = i / 64, shift = i % 64;
        if (shift == 0) controls[word] = others[word] = 0;
        controls[word] |= marks >> 16 << shift;
        others[word] |= (marks & 0xffff) << shift;
    }
}
