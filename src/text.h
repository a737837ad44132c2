/* SPDX-License-Identifier: MIT */
/* Text that is written as far as it fits, and counted in any case: a first run that did not fit says how long it is. */
#ifndef FWS_TEXT_H
#define FWS_TEXT_H

#include "platform.h"

/* len is the length of the whole. If it is more than cap, what stands at ptr is of no use. */
struct fws_text {
    char *ptr;
    size_t cap;
    size_t len;
};

static FWS_ALWAYS_INLINE void fws_text_put(struct fws_text *text, const char *src, size_t len) {
    if (text->len <= text->cap && len <= text->cap - text->len && len > 0) memcpy(text->ptr + text->len, src, len);
    text->len = len <= SIZE_MAX - text->len ? text->len + len : SIZE_MAX;
}

static FWS_ALWAYS_INLINE void fws_text_put_string(struct fws_text *text, const char *string) {
    fws_text_put(text, string, strlen(string));
}

static inline void fws_text_put_number(struct fws_text *text, size_t number) {
    char digits[20]; /* SIZE_MAX has no more */
    size_t i = sizeof digits;
    do {
        digits[--i] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    fws_text_put(text, digits + i, sizeof digits - i);
}

#endif
