/* SPDX-License-Identifier: MIT */
/* Writes the answers to an upgrade request. RFC 6455 4.2.2, RFC 9112 section 4. */
#include "upgrade_response.h"

#include <fastws/error.h>

#include "text.h"

#define HEAD                                                                                                           \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
#define PROTOCOL_NAME "\r\nSec-WebSocket-Protocol: "
#define EXTENSIONS_NAME "\r\nSec-WebSocket-Extensions: "

enum { HEAD_LEN = sizeof HEAD - 1, PROTOCOL_NAME_LEN = sizeof PROTOCOL_NAME - 1 };

_Static_assert(HEAD_LEN == FWS_RESPONSE_ACCEPT_OFF, "the accept key is written there later");
_Static_assert(HEAD_LEN + FASTWS_ACCEPT_LEN + PROTOCOL_NAME_LEN == FWS_RESPONSE_PROTOCOL_OFF,
               "the protocol is found again by its offset");

static FWS_ALWAYS_INLINE void put_slice(struct fws_text *text, struct fastws_slice slice) {
    fws_text_put(text, slice.ptr, slice.len);
}

static void put_headers(struct fws_text *text, const struct fastws_http_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        put_slice(text, headers->ptr[i].name);
        fws_text_put_string(text, ": ");
        put_slice(text, headers->ptr[i].value);
        fws_text_put_string(text, "\r\n");
    }
}

/* What comes behind the accept key, where there is any of it. */
static FWS_NOINLINE void put_choices(struct fws_text *text, const struct fws_response *response) {
    if (response->protocol.len > 0) {
        fws_text_put_string(text, PROTOCOL_NAME);
        put_slice(text, response->protocol);
    }
    if (response->extensions.len > 0) {
        fws_text_put_string(text, EXTENSIONS_NAME);
        put_slice(text, response->extensions);
    }
    fws_text_put_string(text, "\r\n");
    put_headers(text, &response->fixed);
    put_headers(text, &response->extra);
    fws_text_put_string(text, "\r\n");
}

size_t fws_response_accepted(char *dst, size_t cap, const struct fws_response *response) {
    enum { ACCEPT_END = HEAD_LEN + FASTWS_ACCEPT_LEN, BARE_LEN = ACCEPT_END + 4 };
    if (FWS_LIKELY(cap >= BARE_LEN)) {
        memcpy(dst, HEAD, HEAD_LEN);
        memcpy(dst + ACCEPT_END, "\r\n\r\n", 4);
    }
    size_t choices = response->protocol.len | response->extensions.len | response->fixed.count | response->extra.count;
    if (choices == 0) return BARE_LEN;
    struct fws_text text = {dst, cap, ACCEPT_END};
    put_choices(&text, response);
    return text.len;
}

static int has_header(const struct fws_response *response, const char *lower) {
    const struct fastws_http_headers *lists[] = {&response->fixed, &response->extra};
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (fastws_http_equals(lists[i]->ptr[j].name, lower)) return 1;
    return 0;
}

static void put_status_line(struct fws_text *text, int status) {
    const char *reason = fastws_http_status_text(status);
    fws_text_put_string(text, "HTTP/1.1 ");
    fws_text_put_number(text, (size_t)status);
    fws_text_put_string(text, " ");
    fws_text_put_string(text, reason);
    fws_text_put_string(text, "\r\n");
}

/* Some statuses come with what the client should have sent, whoever chose them. */
static void put_hints(struct fws_text *text, const struct fws_response *response) {
    int is_upgrade = response->status == 426;
    fws_text_put_string(text, is_upgrade ? "Connection: close, Upgrade\r\n" : "Connection: close\r\n");
    /* RFC 9110 15.5.6. */
    if (response->status == 405 && !has_header(response, "allow")) fws_text_put_string(text, "Allow: GET\r\n");
    if (!is_upgrade) return;
    /* RFC 9110 15.5.22 asks for the protocol, 7.8 for its name in Connection, RFC 6455 4.4 for its version. */
    fws_text_put_string(text, "Upgrade: websocket\r\n");
    if (!has_header(response, "sec-websocket-version"))
        fws_text_put_string(text, "Sec-WebSocket-Version: " FASTWS_HANDSHAKE_VERSION "\r\n");
}

/* RFC 9110 15.3.5, 15.3.6 and 15.4.5. */
static int has_body(int status) {
    return status != 204 && status != 205 && status != 304;
}

/* What tells of the body. RFC 9112 6.3: a 204 and a 304 end with their head, so that a length could only mislead. */
static void put_framing(struct fws_text *text, const struct fws_response *response) {
    if (response->status == 204 || response->status == 304) return;
    int is_empty = !has_body(response->status);
    if (!is_empty && !has_header(response, "content-type"))
        fws_text_put_string(text, "Content-Type: text/plain; charset=utf-8\r\n");
    fws_text_put_string(text, "Content-Length: ");
    fws_text_put_number(text, is_empty ? 0 : response->body.len);
    fws_text_put_string(text, "\r\n");
}

size_t fws_response_refused(char *dst, size_t cap, const struct fws_response *response) {
    struct fws_text text = {dst, cap, 0};
    put_status_line(&text, response->status);
    put_framing(&text, response);
    put_hints(&text, response);
    put_headers(&text, &response->fixed);
    put_headers(&text, &response->extra);
    fws_text_put_string(&text, "\r\n");
    if (!response->is_body_left_out && has_body(response->status)) put_slice(&text, response->body);
    return text.len;
}

/* The names that the handshake writes itself: one more would contradict it, or end the response elsewhere. */
static int is_reserved(struct fastws_slice name) {
    static const char *const reserved[] = {
        "connection",           "upgrade",                "content-length",          "transfer-encoding",
        "sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (fastws_http_equals(name, reserved[i])) return 1;
    return 0;
}

int fws_response_check(const struct fastws_http_headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        const struct fastws_http_header *header = &headers->ptr[i];
        if (!fastws_http_is_token(header->name) || is_reserved(header->name)) return FASTWS_ERR_HANDSHAKE_HEADER;
        if (!fastws_http_is_value(header->value)) return FASTWS_ERR_HANDSHAKE_HEADER;
    }
    return 0;
}
