/* SPDX-License-Identifier: MIT */
/* Close codes and the body of a close frame: parse, check and write. */
#include <fastws/close.h>

#include <fastws/utf8.h>

#include "platform.h"

enum { CODE_LEN = 2 };

int fastws_close_is_in(uint16_t code, uint16_t min, uint16_t max) { return min <= code && code <= max; }

int fastws_close_is_not_used(uint16_t code) { return code <= FASTWS_CLOSE_NOT_USED_MAX; }

int fastws_close_is_protocol(uint16_t code) {
    return fastws_close_is_in(code, FASTWS_CLOSE_PROTOCOL_MIN, FASTWS_CLOSE_PROTOCOL_MAX);
}

int fastws_close_is_application(uint16_t code) {
    return fastws_close_is_in(code, FASTWS_CLOSE_APPLICATION_MIN, FASTWS_CLOSE_APPLICATION_MAX);
}

int fastws_close_is_private(uint16_t code) {
    return fastws_close_is_in(code, FASTWS_CLOSE_PRIVATE_MIN, FASTWS_CLOSE_PRIVATE_MAX);
}

int fastws_close_is_protocol_defined(uint16_t code) {
    return fastws_close_is_in(code, FASTWS_CLOSE_NORMAL_CLOSURE, FASTWS_CLOSE_TLS_HANDSHAKE) &&
           code != FASTWS_CLOSE_NO_MEANING_YET;
}

int fastws_close_is_protocol_reserved(uint16_t code) {
    return code == FASTWS_CLOSE_NO_STATUS_RCVD || code == FASTWS_CLOSE_ABNORMAL_CLOSURE ||
           code == FASTWS_CLOSE_TLS_HANDSHAKE;
}

/* RFC 6455 7.4: says which rule keeps a code out of close frames, or 0. */
static int check_code(uint16_t code) {
    if (fastws_close_is_not_used(code)) return FASTWS_ERR_CLOSE_CODE_UNUSED;
    if (fastws_close_is_protocol_reserved(code)) return FASTWS_ERR_CLOSE_CODE_RESERVED;
    if (code == FASTWS_CLOSE_NO_MEANING_YET) return FASTWS_ERR_CLOSE_CODE_MEANING;
    if (fastws_close_is_protocol(code) && !fastws_close_is_protocol_defined(code)) return FASTWS_ERR_CLOSE_CODE_UNKNOWN;
    if (code > FASTWS_CLOSE_PRIVATE_MAX) return FASTWS_ERR_CLOSE_CODE_RANGE;
    return 0;
}

int fastws_close_check(uint16_t code, const void *reason, size_t len) {
    TRY(check_code(code));
    /* RFC 6455 5.5.1: the reason is UTF-8 encoded data. */
    return len == 0 || fastws_utf8_is_valid(reason, len) ? 0 : FASTWS_ERR_CLOSE_UTF8;
}

/* Parses a body that is not empty. */
static int parse_code(const uint8_t *body, size_t len, uint16_t *code) {
    if (len < CODE_LEN) return FASTWS_ERR_CLOSE_LEN;
    /* RFC 6455 5.5: control frames carry at most 125 bytes. */
    if (len > CODE_LEN + FASTWS_CLOSE_REASON_MAX) return FASTWS_ERR_CONTROL_LEN;
    uint16_t received = fws_load_be16(body);
    TRY(fastws_close_check(received, body + CODE_LEN, len - CODE_LEN));
    *code = received;
    return 0;
}

int fastws_close_parse(const void *body, size_t len, uint16_t *code, const uint8_t **reason, size_t *reason_len) {
    if (len == 0) {
        *code = FASTWS_CLOSE_NO_STATUS_RCVD;
        *reason = body;
        *reason_len = 0;
        return 0;
    }
    TRY(parse_code(body, len, code));
    *reason = (const uint8_t *)body + CODE_LEN;
    *reason_len = len - CODE_LEN;
    return 0;
}

/* Returns how much of a valid reason fits: the longest part that ends where a sequence does. */
static size_t fitting_len(const uint8_t *reason, size_t len) {
    if (len <= FASTWS_CLOSE_REASON_MAX) return len;
    size_t fit = FASTWS_CLOSE_REASON_MAX;
    /* A byte 10xxxxxx continues the sequence before it. */
    while (fit > 0 && (reason[fit] & 0xc0) == 0x80)
        fit--;
    return fit;
}

int fastws_close_write(void *dst, size_t cap, uint16_t code, const void *reason, size_t len) {
    if (code == FASTWS_CLOSE_NO_STATUS_RCVD && len == 0) return 0;
    TRY(fastws_close_check(code, reason, len));
    size_t fit = fitting_len(reason, len);
    if (cap < CODE_LEN + fit) return FASTWS_ERR_BUFFER_SIZE;
    uint8_t *p = dst;
    fws_store_be16(p, code);
    if (fit > 0) memcpy(p + CODE_LEN, reason, fit);
    return (int)(CODE_LEN + fit);
}
