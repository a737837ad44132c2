/* SPDX-License-Identifier: MIT */
/* Whole frames in memory, built from the pieces: header, mask and close body. */
#include <fastws/frame.h>

#include <fastws/close.h>
#include <fastws/mask.h>

#include "platform.h"
#include "random.h"

int fastws_frame_init(struct fastws_frame *out, unsigned opcode, int fin, const void *payload, size_t len) {
    if (payload == NULL && len > 0) return FASTWS_ERR_ARGUMENT;
    if (opcode > UINT8_MAX) return FASTWS_ERR_OPCODE_RESERVED;
    struct fastws_header header = {.length = len, .opcode = (uint8_t)opcode, .fin = fin != 0};
    /* A continuation is right here or wrong depending on what was sent before: only the caller knows. */
    unsigned state = opcode == FASTWS_OPCODE_CONTINUATION ? FASTWS_STATE_FRAGMENTED : 0;
    TRY(fastws_header_check(&header, state));
    out->header = header;
    out->payload = payload;
    return 0;
}

int fastws_frame_text(struct fastws_frame *out, const void *payload, size_t len) {
    return fastws_frame_init(out, FASTWS_OPCODE_TEXT, 1, payload, len);
}

int fastws_frame_binary(struct fastws_frame *out, const void *payload, size_t len) {
    return fastws_frame_init(out, FASTWS_OPCODE_BINARY, 1, payload, len);
}

int fastws_frame_ping(struct fastws_frame *out, const void *payload, size_t len) {
    return fastws_frame_init(out, FASTWS_OPCODE_PING, 1, payload, len);
}

int fastws_frame_pong(struct fastws_frame *out, const void *payload, size_t len) {
    return fastws_frame_init(out, FASTWS_OPCODE_PONG, 1, payload, len);
}

int fastws_frame_close(struct fastws_frame *out, const void *body, size_t len) {
    if (body == NULL && len > 0) return FASTWS_ERR_ARGUMENT;
    uint16_t code;
    const uint8_t *reason;
    size_t reason_len;
    TRY(fastws_close_parse(body, len, &code, &reason, &reason_len));
    return fastws_frame_init(out, FASTWS_OPCODE_CLOSE, 1, body, len);
}

int fastws_frame_new_key(uint8_t key[4]) { return fws_random_system(key, 4); }

/* A frame put together by hand may lack the payload that its header announces. */
static int check_payload(const struct fastws_frame *frame) {
    return frame->payload == NULL && frame->header.length > 0 ? FASTWS_ERR_ARGUMENT : 0;
}

int fastws_frame_mask(struct fastws_frame *frame, void *dst, size_t cap, const uint8_t *key) {
    if (frame->header.masked) return FASTWS_ERR_STATE;
    TRY(check_payload(frame));
    if (frame->header.length > cap) return FASTWS_ERR_BUFFER_SIZE;
    uint8_t used[4];
    if (key == NULL)
        TRY(fastws_frame_new_key(used));
    else
        memcpy(used, key, sizeof used);
    fastws_mask(dst, frame->payload, (size_t)frame->header.length, used, 0);
    frame->payload = dst;
    frame->header.masked = 1;
    memcpy(frame->header.key, used, sizeof used);
    return 0;
}

int fastws_frame_unmask(struct fastws_frame *frame, void *dst, size_t cap) {
    TRY(check_payload(frame));
    if (frame->header.length > cap) return FASTWS_ERR_BUFFER_SIZE;
    size_t len = (size_t)frame->header.length;
    if (frame->header.masked)
        fastws_mask(dst, frame->payload, len, frame->header.key, 0);
    else if (len > 0 && dst != frame->payload)
        memmove(dst, frame->payload, len);
    frame->payload = dst;
    frame->header.masked = 0;
    memset(frame->header.key, 0, sizeof frame->header.key);
    return 0;
}

uint64_t fastws_frame_size(const struct fastws_frame *frame) {
    int header_size = fastws_header_size(&frame->header);
    return header_size < 0 ? 0 : (uint64_t)header_size + frame->header.length;
}

ptrdiff_t fastws_frame_compile(void *dst, size_t cap, const struct fastws_frame *frame) {
    uint64_t len = frame->header.length;
    TRY(check_payload(frame));
    int header_size = fastws_header_size(&frame->header);
    if (header_size < 0) return header_size;
    if (cap < (size_t)header_size || len > cap - (size_t)header_size) return FASTWS_ERR_BUFFER_SIZE;
    int written = fastws_header_write(dst, cap, &frame->header);
    if (written < 0) return written;
    if (len > 0) memcpy((uint8_t *)dst + written, frame->payload, (size_t)len);
    return (ptrdiff_t)written + (ptrdiff_t)len;
}

ptrdiff_t fastws_frame_parse(struct fastws_frame *out, const void *src, size_t len) {
    struct fastws_header header;
    int header_size = fastws_header_parse(&header, src, len);
    if (header_size <= 0) return header_size;
    if (header.length > len - (size_t)header_size) return FASTWS_NEED_MORE;
    out->header = header;
    out->payload = (const uint8_t *)src + header_size;
    return (ptrdiff_t)header_size + (ptrdiff_t)header.length;
}

/* FIN and opcode, then a length of 0 without mask. */
static const uint8_t empty_close[] = {0x88, 0x00};
static const uint8_t empty_ping[] = {0x89, 0x00};
static const uint8_t empty_pong[] = {0x8a, 0x00};

const uint8_t *fastws_frame_compiled_empty(unsigned opcode, size_t *len) {
    *len = sizeof empty_close;
    switch (opcode) {
    case FASTWS_OPCODE_CLOSE:
        return empty_close;
    case FASTWS_OPCODE_PING:
        return empty_ping;
    case FASTWS_OPCODE_PONG:
        return empty_pong;
    default:
        *len = 0;
        return NULL;
    }
}

/* FIN and opcode, a length of 2, the code in network byte order. */
#define CLOSE_FRAME(code) [(code)-1000] = {0x88, 0x02, (code) >> 8, (code)&0xff}
static const uint8_t close_frames[][4] = {
    CLOSE_FRAME(FASTWS_CLOSE_NORMAL_CLOSURE),       CLOSE_FRAME(FASTWS_CLOSE_GOING_AWAY),
    CLOSE_FRAME(FASTWS_CLOSE_PROTOCOL_ERROR),       CLOSE_FRAME(FASTWS_CLOSE_UNSUPPORTED_DATA),
    CLOSE_FRAME(FASTWS_CLOSE_INVALID_PAYLOAD_DATA), CLOSE_FRAME(FASTWS_CLOSE_POLICY_VIOLATION),
    CLOSE_FRAME(FASTWS_CLOSE_MESSAGE_TOO_BIG),      CLOSE_FRAME(FASTWS_CLOSE_MANDATORY_EXTENSION),
    CLOSE_FRAME(FASTWS_CLOSE_INTERNAL_ERROR),       CLOSE_FRAME(FASTWS_CLOSE_SERVICE_RESTART),
    CLOSE_FRAME(FASTWS_CLOSE_TRY_AGAIN_LATER),      CLOSE_FRAME(FASTWS_CLOSE_BAD_GATEWAY),
};

const uint8_t *fastws_frame_compiled_close(uint16_t code, size_t *len) {
    size_t count = sizeof close_frames / sizeof close_frames[0];
    *len = 0;
    if (code < 1000 || code >= 1000 + count || close_frames[code - 1000][0] == 0) return NULL;
    *len = sizeof close_frames[0];
    return close_frames[code - 1000];
}
