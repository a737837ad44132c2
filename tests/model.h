/* SPDX-License-Identifier: MIT */
/* A second opinion on streams of whole frames: RFC 6455 written down as plainly as possible, sharing no code with the
 * library. Default limits and settings; streams that break no limit on length. */
#ifndef FWS_TESTS_MODEL_H
#define FWS_TESTS_MODEL_H

#include <string.h>

#include <fastws/error.h>

#include "support.h"

/* A character of count bytes, of which seen have come, is anything from lowest to highest: can one of these stand? */
static inline int model_is_possible(uint32_t bits, int seen, int count) {
    int open_bits = 6 * (count - seen);
    uint32_t lowest = bits << open_bits, highest = lowest | ((1u << open_bits) - 1);
    const uint32_t shortest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (lowest < shortest[count]) lowest = shortest[count];
    if (highest > 0x10ffff) highest = 0x10ffff;
    if (lowest >= 0xd800 && lowest <= 0xdfff) lowest = 0xe000;
    if (highest >= 0xd800 && highest <= 0xdfff) highest = 0xd7ff;
    return lowest <= highest;
}

/* Returns the offset of the first byte that no text can have there; len if none; -1 if the text ends inside a character
 * that may still be completed. RFC 3629. */
static inline ptrdiff_t model_utf8(const uint8_t *text, size_t len) {
    for (size_t i = 0; i < len;) {
        int count = text[i] < 0x80 ? 1 : text[i] < 0xc0 ? 0 : text[i] < 0xe0 ? 2 : text[i] < 0xf0 ? 3 : 4;
        if (text[i] >= 0xf8) count = 0;
        if (count == 0) return (ptrdiff_t)i;
        uint32_t bits = count == 1 ? text[i] : text[i] & (0x7fu >> count);
        for (int seen = 1; count > 1; seen++) {
            if (!model_is_possible(bits, seen, count)) return (ptrdiff_t)(i + (size_t)seen - 1);
            if (seen == count) break;
            if (i + (size_t)seen == len) return -1;
            uint8_t next = text[i + (size_t)seen];
            if ((next & 0xc0) != 0x80) return (ptrdiff_t)(i + (size_t)seen);
            bits = bits << 6 | (next & 0x3f);
        }
        i += (size_t)count;
    }
    return (ptrdiff_t)len;
}

static inline int model_close_error(const uint8_t *body, size_t len) {
    if (len == 0) return 0;
    if (len == 1) return FASTWS_ERR_CLOSE_LEN;
    unsigned code = (unsigned)body[0] << 8 | body[1];
    if (code < 1000) return FASTWS_ERR_CLOSE_CODE_UNUSED;
    if (code == 1005 || code == 1006 || code == 1015) return FASTWS_ERR_CLOSE_CODE_RESERVED;
    if (code == 1004) return FASTWS_ERR_CLOSE_CODE_MEANING;
    if (code >= 1016 && code < 3000) return FASTWS_ERR_CLOSE_CODE_UNKNOWN;
    if (code >= 5000) return FASTWS_ERR_CLOSE_CODE_RANGE;
    return model_utf8(body + 2, len - 2) == (ptrdiff_t)len - 2 ? 0 : FASTWS_ERR_CLOSE_UTF8;
}

static inline int model_header_error(const struct frame *frame, int is_fragmented) {
    unsigned opcode = frame->first & 15, is_fin = frame->first >> 7;
    if ((opcode >= 3 && opcode <= 7) || opcode >= 11) return FASTWS_ERR_OPCODE_RESERVED;
    if (opcode >= 8 && frame->len > 125) return FASTWS_ERR_CONTROL_LEN;
    if (opcode >= 8 && !is_fin) return FASTWS_ERR_CONTROL_FRAGMENTED;
    if (frame->first & 0x70) return FASTWS_ERR_RSV;
    if ((opcode == 1 || opcode == 2) && is_fragmented) return FASTWS_ERR_CONTINUATION_EXPECTED;
    if (opcode == 0 && !is_fragmented) return FASTWS_ERR_CONTINUATION_UNEXPECTED;
    return 0;
}

/* Returns where a reason goes wrong. */
static inline uint64_t model_reason_error(const uint8_t *body, size_t len) {
    ptrdiff_t off = model_utf8(body + 2, len - 2);
    return off >= 0 ? (uint64_t)off : len - 2;
}

/* Writes down a control frame. Returns 1 if the stream ends with it. */
static inline int model_control(struct log *log, const struct frame *frame) {
    unsigned opcode = frame->first & 15;
    const uint8_t *body = frame->payload;
    if (opcode != 8) {
        log_control(log, opcode == 9 ? FASTWS_EVENT_PING : FASTWS_EVENT_PONG, body, frame->len);
        return 0;
    }
    int error = model_close_error(body, frame->len);
    if (error) log_error(log, error, error == FASTWS_ERR_CLOSE_UTF8 ? model_reason_error(body, frame->len) : 0);
    if (!error && frame->len == 0) log_close(log, 1005, NULL, 0);
    if (!error && frame->len > 0) {
        log_close(log, (uint16_t)((unsigned)body[0] << 8 | body[1]), body + 2, frame->len - 2);
    }
    return 1;
}

/* Writes down the events that the frames make, to the first close or error. */
static inline void model_run(struct log *log, const struct frame *frames, int count) {
    struct bytes message = {0};
    unsigned open_opcode = 0;
    for (int i = 0; i < count; i++) {
        unsigned opcode = frames[i].first & 15;
        int error = model_header_error(&frames[i], open_opcode != 0);
        if (error) log_error(log, error, 0);
        if (error) break;
        if (opcode >= 8 && model_control(log, &frames[i])) break;
        if (opcode >= 8) continue;
        if (opcode != 0) open_opcode = opcode;
        bytes_put(&message, frames[i].payload, frames[i].len);
        int is_fin = frames[i].first >> 7 != 0;
        ptrdiff_t valid = open_opcode == 1 ? model_utf8(message.ptr, message.len) : (ptrdiff_t)message.len;
        if (valid != (ptrdiff_t)message.len && (valid >= 0 || is_fin)) {
            log_error(log, FASTWS_ERR_UTF8, valid >= 0 ? (uint64_t)valid : message.len);
            break;
        }
        if (!is_fin) continue;
        log_message(log, open_opcode, message.ptr, message.len);
        message.len = 0;
        open_opcode = 0;
    }
    bytes_free(&message);
}

/* ---- Streams ---- */

static inline size_t model_random_text(uint8_t *dst, size_t len, uint32_t *state) {
    static const char *const characters[] = {"a", "~", "\xc3\xa9", "\xe2\x82\xac", "\xed\x9f\xbf", "\xf0\x9f\x98\x80"};
    size_t n = 0;
    while (n + 4 <= len) {
        const char *character = characters[next_random(state) % 6];
        memcpy(dst + n, character, strlen(character));
        n += strlen(character);
    }
    return n;
}

/* Makes up to max frames that mostly follow the rules; payloads of at most 9000 bytes. Returns how many. */
static inline int model_random_frames(struct frame *frames, uint8_t payloads[][9000], int max, uint32_t *state) {
    static const size_t tops[] = {1, 10, 130, 130, 700, 9000};
    int count = 1 + (int)(next_random(state) % (uint32_t)max);
    unsigned open_opcode = 0;
    for (int i = 0; i < count; i++) {
        int is_control = next_random(state) % 4 == 0;
        unsigned opcode = is_control ? 9 + next_random(state) % 2 : open_opcode ? 0 : 1 + next_random(state) % 2;
        unsigned is_fin = is_control || next_random(state) % 3 != 0;
        size_t len = next_random(state) % tops[next_random(state) % 6];
        if (is_control && len > 125) len = 125;
        fill_pattern(payloads[i], len, next_random(state));
        if (!is_control && opcode != 0) open_opcode = opcode;
        if (!is_control && open_opcode == 1) len = model_random_text(payloads[i], len, state);
        if (len > 0 && next_random(state) % 80 == 0) payloads[i][next_random(state) % len] ^= 0x80;
        if (!is_control && is_fin) open_opcode = 0;
        unsigned first = is_fin << 7 | opcode;
        if (next_random(state) % 150 == 0) first ^= 1u << next_random(state) % 8;
        frames[i] = (struct frame){first, payloads[i], len};
    }
    if (next_random(state) % 3 == 0) frames[count - 1].first = 0x88;
    return count;
}

#endif
