/* SPDX-License-Identifier: MIT */
/* Cookie pairs. RFC 6265. */
#include <fastws/cookies.h>

#include <fastws/error.h>

#include "platform.h"

int fastws_cookie_is_name(struct fastws_slice text) { return fastws_http_is_token(text); }

int fastws_cookie_is_value(struct fastws_slice text, unsigned flags) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((uint8_t)c < 0x20 || (uint8_t)c > 0x7e || c == '"' || c == ';' || c == '\\') return 0;
        if ((flags & FASTWS_COOKIE_STRICT) && (c == ' ' || c == ',')) return 0;
    }
    return 1;
}

static struct fastws_slice strip_quotes(struct fastws_slice value) {
    if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"') return value;
    return (struct fastws_slice){value.ptr + 1, value.len - 2};
}

/* Splits name [ "=" value ]. Returns 1, or 0 if it is malformed. */
static int parse_pair(struct fastws_cookie *out, struct fastws_slice pair, unsigned flags) {
    const char *equals = memchr(pair.ptr, '=', pair.len);
    if (equals == NULL && (flags & FASTWS_COOKIE_STRICT)) return 0;
    size_t name_len = equals ? (size_t)(equals - pair.ptr) : pair.len;
    size_t value_off = equals ? name_len + 1 : name_len;
    struct fastws_slice name = {pair.ptr, name_len};
    struct fastws_slice value = strip_quotes((struct fastws_slice){pair.ptr + value_off, pair.len - value_off});
    if (!(flags & FASTWS_COOKIE_ANY_NAME) && !fastws_cookie_is_name(name)) return 0;
    if (!(flags & FASTWS_COOKIE_ANY_VALUE) && !fastws_cookie_is_value(value, flags)) return 0;
    *out = (struct fastws_cookie){name, value};
    return 1;
}

/* Takes what stands before the next semicolon, and the separator. One that is not strict stays: the next call meets it
 * where a pair should be. */
static struct fastws_slice take_pair(struct fastws_slice *rest, unsigned flags) {
    const char *semicolon = memchr(rest->ptr, ';', rest->len);
    struct fastws_slice pair = {rest->ptr, semicolon ? (size_t)(semicolon - rest->ptr) : rest->len};
    size_t next = pair.len + (semicolon != NULL);
    if (semicolon && (flags & FASTWS_COOKIE_STRICT)) {
        int is_right = rest->len - pair.len > 2 && semicolon[1] == ' ';
        next = is_right ? pair.len + 2 : pair.len;
    }
    rest->ptr += next;
    rest->len -= next;
    return pair;
}

int fastws_cookie_next(struct fastws_cookie *out, struct fastws_slice *rest, unsigned flags) {
    while (rest->len > 0) {
        struct fastws_slice pair = take_pair(rest, flags);
        if (flags & FASTWS_COOKIE_STRICT) {
            if (pair.len == 0) {
                rest->len = 0;
                return FASTWS_ERR_HTTP_COOKIE;
            }
        } else {
            pair = fastws_http_trim(pair);
            if (pair.len == 0) continue;
        }
        if (parse_pair(out, pair, flags)) return 1;
        if (flags & FASTWS_COOKIE_STOP) return FASTWS_ERR_HTTP_COOKIE;
    }
    return 0;
}

int fastws_cookie_write(struct fastws_http_text *text, struct fastws_slice name, struct fastws_slice value) {
    if (!fastws_cookie_is_name(name) || !fastws_cookie_is_value(value, FASTWS_COOKIE_STRICT))
        return FASTWS_ERR_HANDSHAKE_HEADER;
    const struct fastws_slice parts[] = {{"; ", text->len > 0 ? 2 : 0}, name, {"=", 1}, value};
    int result = 0;
    for (size_t i = 0; i < 4; i++) result = fastws_http_write_raw(text, parts[i]);
    return result;
}
