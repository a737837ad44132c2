/* SPDX-License-Identifier: MIT */
/* The grammar of single values in HTTP heads: tokens, lists of them, targets, hosts. RFC 9110, RFC 9112. */
#include <fastws/error.h>
#include <fastws/http.h>

#include "../simd/kernels.h"
#include "http_class.h"

#define T (FWS_CLASS_TARGET)
#define TT (FWS_CLASS_TARGET | FWS_CLASS_TOKEN)
#define TH (FWS_CLASS_TARGET | FWS_CLASS_HOST)
#define ALL (FWS_CLASS_TARGET | FWS_CLASS_TOKEN | FWS_CLASS_HOST)
#define ALL8 ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL

const uint8_t fws_http_classes[256] = {
    /* 0x20 */ [' '] = 0, ['!'] = ALL, ['"'] = T, ['#'] = FWS_CLASS_TOKEN, ['$'] = ALL, ['%'] = ALL,
    ['&'] = ALL, ['\''] = ALL,
    /* 0x28 */ ['('] = TH, TH, ALL, ALL, TH, ALL, ALL, T, /* ( ) * + , - . / */
    /* 0x30 */ ['0'] = ALL8, ALL, ALL, T, TH, T, TH, T, T, /* 0-9 : ; < = > ? */
    /* 0x40 */ ['@'] = T, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL8, /* @ A-O */
    /* 0x50 */ ['P'] = ALL8, ALL, ALL, ALL, T, T, T, TT, ALL, /* P-Z [ \ ] ^ _ */
    /* 0x60 */ ['`'] = TT, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL8, /* ` a-o */
    /* 0x70 */ ['p'] = ALL8, ALL, ALL, ALL, T, TT, T, ALL, 0, /* p-z { | } ~ DEL */
};

size_t fws_http_find_control(const char *p, size_t i, size_t len) {
    const struct fws_kernels *kernels = fws_kernels_active();
    uint64_t controls[16], others[16];
    /* Most lines end within the first bytes that are looked at. */
    for (size_t n, window = 64; i < len; i += n, window = 1024) {
        n = len - i < window ? len - i : window;
        kernels->http_scan(controls, others, (const uint8_t *)p + i, n);
        for (size_t word = 0; word < (n + 63) / 64; word++)
            if (controls[word] != 0) return i + word * 64 + (size_t)fws_ctz_u64(controls[word]);
    }
    return len;
}

static int is_all(struct fastws_slice text, unsigned class) {
    return text.len > 0 && fws_http_skip(text.ptr, 0, text.len, class) == text.len;
}

struct fastws_slice fastws_http_trim(struct fastws_slice text) {
    while (text.len > 0 && fws_http_is_blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && fws_http_is_blank(text.ptr[text.len - 1])) text.len--;
    return text;
}

/* Takes the next element, token or, if slashed, token [ "/" token ], from a comma separated list. */
static int next_element(struct fastws_slice *element, struct fastws_slice *list, int slashed) {
    const char *p = list->ptr;
    size_t len = list->len;
    size_t i = 0;
    while (i < len && (fws_http_is_blank(p[i]) || p[i] == ',')) i++;
    if (i == len) {
        list->len = 0;
        return 0;
    }
    size_t end = fws_http_skip(p, i, len, FWS_CLASS_TOKEN);
    if (end == i) return FASTWS_ERR_HTTP_TOKENS;
    if (slashed && end < len && p[end] == '/') {
        size_t version_off = end + 1;
        end = fws_http_skip(p, version_off, len, FWS_CLASS_TOKEN);
        if (end == version_off) return FASTWS_ERR_HTTP_TOKENS;
    }
    size_t next = end;
    while (next < len && fws_http_is_blank(p[next])) next++;
    if (next < len && p[next] != ',') return FASTWS_ERR_HTTP_TOKENS;
    *element = (struct fastws_slice){p + i, end - i};
    *list = (struct fastws_slice){p + next, len - next};
    return 1;
}

int fastws_http_next_token(struct fastws_slice *token, struct fastws_slice *list) {
    return next_element(token, list, 0);
}

int fastws_http_next_protocol(struct fastws_slice *protocol, struct fastws_slice *list) {
    return next_element(protocol, list, 1);
}

int fastws_http_is_token(struct fastws_slice text) {
    return is_all(text, FWS_CLASS_TOKEN);
}

int fastws_http_is_target(struct fastws_slice text) {
    return is_all(text, FWS_CLASS_TARGET);
}

int fastws_http_is_value(struct fastws_slice text) {
    if (text.len == 0) return 1;
    if (fws_http_is_blank(text.ptr[0]) || fws_http_is_blank(text.ptr[text.len - 1])) return 0;
    return fws_http_find_control(text.ptr, 0, text.len) == text.len;
}

/* Returns the length of the "[" address "]" at the start of text, or 0. Its address is judged by its bytes only. */
static size_t skip_ip_literal(struct fastws_slice text) {
    const char *end = text.len > 2 ? memchr(text.ptr, ']', text.len) : NULL;
    if (end == NULL || end == text.ptr + 1) return 0;
    for (const char *p = text.ptr + 1; p < end; p++)
        if (*p != ':' && !(fws_http_classes[(uint8_t)*p] & FWS_CLASS_HOST)) return 0;
    return (size_t)(end - text.ptr) + 1;
}

int fastws_http_is_host(struct fastws_slice text) {
    if (text.len == 0) return 0;
    size_t i = text.ptr[0] == '[' ? skip_ip_literal(text) : fws_http_skip(text.ptr, 0, text.len, FWS_CLASS_HOST);
    if (i == 0) return 0;
    if (i == text.len) return 1;
    if (text.ptr[i++] != ':') return 0;
    while (i < text.len && fws_http_is_digit(text.ptr[i])) i++;
    return i == text.len;
}

int fastws_http_equals(struct fastws_slice text, const char *lower) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
        if (lower[i] == '\0' || c != lower[i]) return 0;
    }
    return lower[text.len] == '\0';
}

void fastws_http_canonical(char *dst, struct fastws_slice name) {
    int is_token = fastws_http_is_token(name);
    char before = '-';
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (is_token && before == '-' && c >= 'a' && c <= 'z') c = (char)(c & ~0x20);
        if (is_token && before != '-' && c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
        dst[i] = before = c;
    }
}

int fastws_http_parse_number(uint64_t *out, struct fastws_slice text) {
    uint64_t number = 0;
    if (text.len == 0) return FASTWS_ERR_HTTP_HEADER_VALUE;
    for (size_t i = 0; i < text.len; i++) {
        if (!fws_http_is_digit(text.ptr[i])) return FASTWS_ERR_HTTP_HEADER_VALUE;
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (number > (UINT64_MAX - digit) / 10) return FASTWS_ERR_HTTP_HEADER_VALUE;
        number = number * 10 + digit;
    }
    *out = number;
    return 1;
}
