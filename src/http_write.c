/* SPDX-License-Identifier: MIT */
/* Writes the lines of heads. RFC 9112. */
#include <fastws/http_write.h>

#include <fastws/error.h>

#include "text.h"

/* Appends the parts one after the other. */
static int put(struct fastws_http_text *out, const struct fastws_slice *parts, size_t count) {
    struct fws_text text = {out->ptr, out->cap, out->len};
    for (size_t i = 0; i < count; i++) fws_text_put(&text, parts[i].ptr, parts[i].len);
    out->len = text.len;
    return text.len <= text.cap ? 0 : FASTWS_ERR_BUFFER_SIZE;
}

#define LITERAL(text) {text, sizeof(text) - 1}

int fastws_http_write_request_line(struct fastws_http_text *text, struct fastws_slice method,
                                   struct fastws_slice target) {
    if (!fastws_http_is_token(method) || !fastws_http_is_target(target)) return FASTWS_ERR_HANDSHAKE_HEADER;
    const struct fastws_slice parts[] = {method, LITERAL(" "), target, LITERAL(" HTTP/1.1\r\n")};
    return put(text, parts, 4);
}

int fastws_http_write_status_line(struct fastws_http_text *text, int status, struct fastws_slice reason) {
    if (status < 100 || status > 999 || !fastws_http_is_value(reason)) return FASTWS_ERR_HANDSHAKE_HEADER;
    const char digits[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10), ' '};
    const struct fastws_slice parts[] = {LITERAL("HTTP/1.1 "), {digits, sizeof digits}, reason, LITERAL("\r\n")};
    return put(text, parts, 4);
}

int fastws_http_write_header(struct fastws_http_text *text, struct fastws_slice name, struct fastws_slice value) {
    if (!fastws_http_is_token(name) || !fastws_http_is_value(value)) return FASTWS_ERR_HANDSHAKE_HEADER;
    const struct fastws_slice parts[] = {name, LITERAL(": "), value, LITERAL("\r\n")};
    return put(text, parts, 4);
}

int fastws_http_write_headers(struct fastws_http_text *text, const struct fastws_http_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        int result = fastws_http_write_header(text, headers->ptr[i].name, headers->ptr[i].value);
        /* One that does not fit is counted, and so are those behind it. */
        if (result < 0 && result != FASTWS_ERR_BUFFER_SIZE) return result;
    }
    return put(text, NULL, 0);
}

int fastws_http_write_end(struct fastws_http_text *text) {
    const struct fastws_slice end = LITERAL("\r\n");
    return put(text, &end, 1);
}

int fastws_http_write_raw(struct fastws_http_text *text, struct fastws_slice bytes) {
    return put(text, &bytes, 1);
}
