/* SPDX-License-Identifier: MIT */
/* Finds the data in the body of an HTTP answer. RFC 9112 sections 6 and 7. */
#include "dial_body.h"

enum { FRAMING_MAX = 64 * 1024 }; /* bytes of sizes, extensions and trailers */

void fws_body_note_length(struct fws_body *body, struct fastws_slice value) {
    uint64_t length = 0;
    int is_bad = value.len == 0 || value.len > 18; /* 18 digits fit */
    for (size_t i = 0; i < value.len && !is_bad; i++) {
        is_bad = value.ptr[i] < '0' || value.ptr[i] > '9';
        length = length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    /* RFC 9112 6.3, item 5: two that differ are how answers are smuggled. */
    if (is_bad || (body->has_length && length != body->left)) body->is_length_bad = 1;
    body->has_length = 1;
    body->left = length;
}

void fws_body_note_coding(struct fws_body *body, struct fastws_slice value) {
    body->has_coding = 1;
    struct fastws_slice token;
    int result;
    while ((result = fastws_http_next_token(&token, &value)) > 0)
        body->is_chunked = (uint8_t)fastws_http_equals(token, "chunked");
    if (result < 0) body->is_chunked = 0;
}

void fws_body_begin(struct fws_body *body, int status) {
    if (status == 204 || status == 304) {
        body->state = FWS_BODY_DONE;
    } else if (body->has_coding) {
        body->state = body->is_chunked ? FWS_BODY_SIZE : FWS_BODY_UNTIL_END;
        body->left = 0;
    } else if (body->is_length_bad) {
        body->state = FWS_BODY_BAD;
    } else if (body->has_length) {
        body->state = body->left > 0 ? FWS_BODY_COUNTED : FWS_BODY_DONE;
    } else {
        body->state = FWS_BODY_UNTIL_END;
    }
}

/* ---- Bytes that are no data ---- */

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static enum fws_body_state take_size(struct fws_body *body, char c) {
    int value = hex_value(c);
    if (value >= 0) {
        if (body->left >> 56) return FWS_BODY_BAD;
        body->left = body->left << 4 | (uint64_t)value;
        body->has_digits = 1;
        return FWS_BODY_SIZE;
    }
    if (!body->has_digits) return FWS_BODY_BAD;
    if (c == '\r') return FWS_BODY_SIZE_LF;
    return c == ';' || c == ' ' || c == '\t' ? FWS_BODY_EXTENSION : FWS_BODY_BAD;
}

static enum fws_body_state end_size(struct fws_body *body, char c) {
    if (c != '\n') return FWS_BODY_BAD;
    body->has_digits = 0;
    return body->left > 0 ? FWS_BODY_DATA : FWS_BODY_TRAILER_START;
}

/* Takes text up to its CR. */
static enum fws_body_state take_text(char c, enum fws_body_state here, enum fws_body_state behind) {
    if (c == '\r') return behind;
    return c == '\n' || c == '\0' ? FWS_BODY_BAD : here;
}

static enum fws_body_state expect(char c, char expected, enum fws_body_state behind) {
    return c == expected ? behind : FWS_BODY_BAD;
}

static enum fws_body_state take_framing(struct fws_body *body, char c) {
    switch (body->state) {
    case FWS_BODY_SIZE: return take_size(body, c);
    case FWS_BODY_EXTENSION: return take_text(c, FWS_BODY_EXTENSION, FWS_BODY_SIZE_LF);
    case FWS_BODY_SIZE_LF: return end_size(body, c);
    case FWS_BODY_DATA_CR: return expect(c, '\r', FWS_BODY_DATA_LF);
    case FWS_BODY_DATA_LF: return expect(c, '\n', FWS_BODY_SIZE);
    case FWS_BODY_TRAILER_START: return take_text(c, FWS_BODY_TRAILER, FWS_BODY_END_LF);
    case FWS_BODY_TRAILER: return take_text(c, FWS_BODY_TRAILER, FWS_BODY_TRAILER_LF);
    case FWS_BODY_TRAILER_LF: return expect(c, '\n', FWS_BODY_TRAILER_START);
    case FWS_BODY_END_LF: return expect(c, '\n', FWS_BODY_DONE);
    default: return FWS_BODY_BAD;
    }
}

/* ---- Data ---- */

static size_t take_data(struct fws_body *body, const char *src, size_t len, struct fastws_slice *data) {
    if (body->state != FWS_BODY_UNTIL_END) {
        if (len > body->left) len = (size_t)body->left;
        body->left -= len;
        if (body->left == 0) body->state = body->state == FWS_BODY_DATA ? FWS_BODY_DATA_CR : FWS_BODY_DONE;
    }
    *data = (struct fastws_slice){src, len};
    return len;
}

size_t fws_body_take(struct fws_body *body, const char *src, size_t len, struct fastws_slice *data) {
    *data = (struct fastws_slice){NULL, 0};
    for (size_t i = 0; i < len; i++) {
        enum fws_body_state state = body->state;
        if (state == FWS_BODY_DONE || state == FWS_BODY_BAD) return i;
        if (state == FWS_BODY_COUNTED || state == FWS_BODY_UNTIL_END || state == FWS_BODY_DATA)
            return i + take_data(body, src + i, len - i, data);
        body->state = ++body->framing_len > FRAMING_MAX ? FWS_BODY_BAD : take_framing(body, src[i]);
    }
    return len;
}
