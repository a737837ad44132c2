/* SPDX-License-Identifier: MIT */
/* What a byte may be part of in the grammar of HTTP. */
#ifndef FWS_HTTP_CLASS_H
#define FWS_HTTP_CLASS_H

#include "platform.h"

enum {
    FWS_CLASS_TOKEN = 1u << 0, /* tchar. RFC 9110 5.6.2 */
    FWS_CLASS_HOST = 1u << 1,  /* unreserved, sub-delims and '%': a registered name or IPv4 address. RFC 3986 3.2.2 */
    FWS_CLASS_TARGET = 1u << 2 /* visible ASCII but '#': no fragment is sent. RFC 9112 3.2, RFC 6455 section 3 */
};

/* The classes of each byte. */
FWS_PRIVATE extern const uint8_t fws_http_classes[256];

/* Returns how many bytes at the start of [i, len) are of the class, as the offset behind them. */
static FWS_ALWAYS_INLINE size_t fws_http_skip(const char *p, size_t i, size_t len, unsigned class) {
    while (i < len && fws_http_classes[(uint8_t)p[i]] & class) i++;
    return i;
}

static FWS_ALWAYS_INLINE int fws_http_is_blank(char c) { return c == ' ' || c == '\t'; }

static FWS_ALWAYS_INLINE int fws_http_is_digit(char c) { return c >= '0' && c <= '9'; }

/* Returns the offset of the first control byte but the tab in [i, len), len if there is none. */
FWS_PRIVATE size_t fws_http_find_control(const char *p, size_t i, size_t len);

#endif
