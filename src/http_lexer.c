/* SPDX-License-Identifier: MIT */
/* Takes header values apart. RFC 9110 5.6. */
#include <fastws/http_lexer.h>

#include <limits.h>

#include <fastws/error.h>

#include "http_class.h"

unsigned fastws_http_octet(unsigned char byte) {
    unsigned bits = 0;
    if (byte < 0x80) bits |= FASTWS_OCTET_CHAR;
    if (byte < 0x20 || byte == 0x7f) bits |= FASTWS_OCTET_CONTROL;
    if (byte == ' ' || byte == '\t') bits |= FASTWS_OCTET_SPACE | FASTWS_OCTET_SEPARATOR;
    if (byte != 0 && memchr("()<>@,;:\\\"/[]?={}", byte, 17) != NULL) bits |= FASTWS_OCTET_SEPARATOR;
    if (fws_http_classes[byte] & FWS_CLASS_TOKEN) bits |= FASTWS_OCTET_TOKEN;
    return bits;
}

/* Finds the byte that closes what p[0] opens: a string, or a comment with others in it. Returns its offset, or 0. */
static size_t find_close(const char *p, size_t len, int *has_escapes) {
    char close = p[0] == '"' ? '"' : ')';
    *has_escapes = 0;
    size_t depth = 1;
    for (size_t i = 1; i < len; i++) {
        unsigned bits = fastws_http_octet((uint8_t)p[i]);
        if ((bits & FASTWS_OCTET_CONTROL) && p[i] != '\t') return 0;
        if (p[i] == close && --depth == 0) return i;
        if (p[i] == '(' && close == ')') depth++;
        if (p[i] != '\\') continue;
        *has_escapes = 1;
        i++;
        if (i == len || ((fastws_http_octet((uint8_t)p[i]) & FASTWS_OCTET_CONTROL) && p[i] != '\t')) return 0;
    }
    return 0;
}

int fastws_http_next_item(struct fastws_http_item *item, struct fastws_slice *rest) {
    const char *p = rest->ptr;
    size_t len = rest->len, i = 0;
    while (i < len && fws_http_is_blank(p[i])) i++;
    if (i == len) {
        rest->len = 0;
        return 0;
    }
    struct fastws_http_item found = {FASTWS_HTTP_ITEM_OCTET, {p + i, 1}, 0};
    size_t end = i + 1;
    unsigned bits = fastws_http_octet((uint8_t)p[i]);
    if (bits & FASTWS_OCTET_CONTROL) return FASTWS_ERR_HTTP_HEADER_VALUE;
    if (bits & FASTWS_OCTET_TOKEN) {
        end = fws_http_skip(p, i, len, FWS_CLASS_TOKEN);
        found = (struct fastws_http_item){FASTWS_HTTP_ITEM_TOKEN, {p + i, end - i}, 0};
    } else if (p[i] == '"' || p[i] == '(') {
        size_t close = find_close(p + i, len - i, &found.has_escapes);
        if (close == 0) return FASTWS_ERR_HTTP_HEADER_VALUE;
        found.kind = p[i] == '"' ? FASTWS_HTTP_ITEM_STRING : FASTWS_HTTP_ITEM_COMMENT;
        found.text = (struct fastws_slice){p + i + 1, close - 1};
        end = i + close + 1;
    } else if (bits & FASTWS_OCTET_SEPARATOR) {
        found.kind = FASTWS_HTTP_ITEM_SEPARATOR;
    }
    *item = found;
    *rest = (struct fastws_slice){p + end, len - end};
    return 1;
}

struct fastws_slice fastws_http_take_until(struct fastws_slice *rest, char byte) {
    const char *found = rest->len > 0 ? memchr(rest->ptr, byte, rest->len) : NULL;
    struct fastws_slice taken = {rest->ptr, found ? (size_t)(found - rest->ptr) : rest->len};
    rest->ptr = taken.len > 0 ? rest->ptr + taken.len : rest->ptr;
    rest->len -= taken.len;
    return taken;
}

int fastws_http_unescape(char *dst, size_t cap, struct fastws_slice text) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++, len++) {
        if (text.ptr[i] == '\\' && text.len - i > 1) i++;
        if (len == cap || len == INT_MAX) return FASTWS_ERR_BUFFER_SIZE;
        dst[len] = text.ptr[i];
    }
    return (int)len;
}
