/* SPDX-License-Identifier: MIT */
/* Takes extensions and their parameters from the value of a Sec-WebSocket-Extensions header. RFC 6455 9.1. */
#include "deflate_options.h"

#include <fastws/error.h>

static size_t skip_blanks(struct fastws_slice text, size_t i) {
    while (i < text.len && (text.ptr[i] == ' ' || text.ptr[i] == '\t')) i++;
    return i;
}

static size_t skip_token(struct fastws_slice text, size_t i) {
    while (i < text.len && fastws_http_is_token((struct fastws_slice){text.ptr + i, 1})) i++;
    return i;
}

/* Returns the offset behind the quoted string at i, or i if its end is missing. A backslash takes the next byte with
 * it. RFC 9110 5.6.4. */
static size_t skip_quoted(struct fastws_slice text, size_t i) {
    for (size_t k = i + 1; k < text.len; k++) {
        if (text.ptr[k] == '"') return k + 1;
        if (text.ptr[k] == '\\') k++;
    }
    return i;
}

static struct fastws_slice cut(struct fastws_slice text, size_t from, size_t to) {
    return (struct fastws_slice){text.ptr + from, to - from};
}

/* RFC 6455 9.1: without its quotes and escapes a quoted value is a token. */
static int is_quoted_token(struct fastws_slice value) {
    size_t len = 0;
    for (size_t i = 1; i + 1 < value.len; i++, len++) {
        if (value.ptr[i] == '\\') i++;
        if (!fastws_http_is_token((struct fastws_slice){value.ptr + i, 1})) return 0;
    }
    return len > 0;
}

/* Reads the parameter at *off, and leaves *off at what follows it and its blanks. */
static int read_param(struct fastws_slice *name, struct fastws_slice *value, struct fastws_slice text, size_t *off) {
    size_t start = skip_blanks(text, *off);
    size_t i = skip_token(text, start);
    if (i == start) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
    *name = cut(text, start, i);
    *value = (struct fastws_slice){NULL, 0};
    i = skip_blanks(text, i);
    if (i < text.len && text.ptr[i] == '=') {
        start = skip_blanks(text, i + 1);
        int is_quoted = start < text.len && text.ptr[start] == '"';
        i = is_quoted ? skip_quoted(text, start) : skip_token(text, start);
        if (i == start) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
        *value = cut(text, start, i);
        if (is_quoted && !is_quoted_token(*value)) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
        i = skip_blanks(text, i);
    }
    *off = i;
    return 1;
}

int fws_deflate_next_extension(struct fastws_slice *name, struct fastws_slice *params, struct fastws_slice *list) {
    struct fastws_slice text = *list, param_name, param_value;
    size_t i = skip_blanks(text, 0);
    while (i < text.len && text.ptr[i] == ',') i = skip_blanks(text, i + 1);
    if (i == text.len) {
        *list = cut(text, text.len, text.len);
        return 0;
    }
    size_t end = skip_token(text, i);
    if (end == i) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
    *name = cut(text, i, end);
    i = skip_blanks(text, end);
    size_t params_off = i < text.len && text.ptr[i] == ';' ? i + 1 : i;
    while (i < text.len && text.ptr[i] == ';') {
        i++;
        TRY(read_param(&param_name, &param_value, text, &i));
    }
    if (i < text.len && text.ptr[i] != ',') return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
    *params = cut(text, params_off, i);
    *list = cut(text, i, text.len);
    return 1;
}

int fws_deflate_next_param(struct fastws_slice *name, struct fastws_slice *value, struct fastws_slice *params) {
    size_t i = 0;
    if (skip_blanks(*params, 0) == params->len) return 0;
    TRY(read_param(name, value, *params, &i));
    if (i < params->len) {
        /* What follows is another one, and not nothing. */
        if (params->ptr[i] != ';' || skip_blanks(*params, i + 1) == params->len)
            return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
        i++;
    }
    *params = cut(*params, i, params->len);
    return 1;
}

size_t fws_deflate_unquote(char *dst, size_t cap, struct fastws_slice value) {
    int is_quoted = value.len >= 2 && value.ptr[0] == '"';
    size_t end = is_quoted ? value.len - 1 : value.len;
    size_t len = 0;
    for (size_t i = is_quoted ? 1 : 0; i < end; i++, len++) {
        if (is_quoted && value.ptr[i] == '\\') i++;
        if (len < cap) dst[len] = value.ptr[i];
    }
    return len;
}
