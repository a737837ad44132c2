/* SPDX-License-Identifier: MIT */
/* Reads lists of extensions and compares an answer with what was offered. RFC 6455 9.1. */
#include "dial_extensions.h"

#include <fastws/error.h>

static void advance(struct fastws_slice *text, size_t len) {
    text->ptr += len;
    text->len -= len;
}

static void skip_blanks(struct fastws_slice *text) {
    while (text->len > 0 && (text->ptr[0] == ' ' || text->ptr[0] == '\t')) advance(text, 1);
}

/* Returns the length of the token at the start of text, 0 if there is none. */
static size_t token_len(struct fastws_slice text) {
    size_t len = 0;
    while (len < text.len && fastws_http_is_token((struct fastws_slice){text.ptr + len, 1})) len++;
    return len;
}

/* Returns the length of the quoted string at the start of text, or 0. RFC 9110 5.6.4. */
static size_t quoted_len(struct fastws_slice text) {
    if (text.len == 0 || text.ptr[0] != '"') return 0;
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == '"') return i + 1;
        if (text.ptr[i] == '\\') i++;
    }
    return 0;
}

/* Takes "; name", or "; name=value", off the start of text. Returns 1, 0 if there is no parameter, or an error. */
static int take_parameter(struct fastws_slice *text) {
    if (text->len == 0 || text->ptr[0] != ';') return 0;
    advance(text, 1);
    skip_blanks(text);
    size_t len = token_len(*text);
    if (len == 0) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
    advance(text, len);
    if (text->len > 0 && text->ptr[0] == '=') {
        advance(text, 1);
        len = token_len(*text);
        if (len == 0) len = quoted_len(*text);
        if (len == 0) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
        advance(text, len);
    }
    skip_blanks(text);
    return 1;
}

int fws_extension_next(struct fastws_slice *name, struct fastws_slice *parameters, struct fastws_slice *list) {
    struct fastws_slice rest = *list;
    skip_blanks(&rest);
    while (rest.len > 0 && rest.ptr[0] == ',') {
        advance(&rest, 1);
        skip_blanks(&rest);
    }
    if (rest.len == 0) return 0;
    size_t len = token_len(rest);
    if (len == 0) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
    struct fastws_slice found = {rest.ptr, len};
    advance(&rest, len);
    skip_blanks(&rest);
    const char *start = rest.ptr;
    int result;
    while ((result = take_parameter(&rest)) > 0) {}
    if (result < 0) return result;
    if (rest.len > 0 && rest.ptr[0] != ',') return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
    struct fastws_slice all = {start, (size_t)(rest.ptr - start)};
    if (all.len > 0) advance(&all, 1);
    *parameters = fastws_http_trim(all);
    *name = found;
    *list = rest;
    return 1;
}

/* Returns the number of the first offer of that name, -1 if there is none. Names have no case that matters less: RFC
 * 6455 9.1 has them registered as tokens, which are compared byte by byte. */
static int find_offer(struct fastws_slice offers, struct fastws_slice name) {
    struct fastws_slice offered, parameters;
    for (int i = 0; fws_extension_next(&offered, &parameters, &offers) > 0; i++)
        if (offered.len == name.len && memcmp(offered.ptr, name.ptr, name.len) == 0) return i;
    return -1;
}

int fws_extension_judge(struct fastws_slice offers, struct fastws_slice answer, uint64_t *accepted) {
    struct fastws_slice name, parameters;
    int result;
    while ((result = fws_extension_next(&name, &parameters, &answer)) > 0) {
        int offer = find_offer(offers, name);
        if (offer < 0 || *accepted & UINT64_C(1) << offer) return FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER;
        *accepted |= UINT64_C(1) << offer;
    }
    return result;
}
