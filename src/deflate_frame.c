/* SPDX-License-Identifier: MIT */
/* Frames of compressed messages: the bit that marks them, and their payloads. RFC 7692 section 6. */
#include "deflate.h"

#include <fastws/utf8.h>

/* ---- RSV1 ---- */

/* RFC 7692 6.1 and 6.2: RSV1 stands on the first frame of a message, and speaks for all of it. */
static int check_order(const struct fastws_deflate_state *state, const struct fastws_header *header) {
    int is_first = header->opcode != FASTWS_OPCODE_CONTINUATION;
    if (is_first && state->is_open) return FASTWS_ERR_CONTINUATION_EXPECTED;
    return !is_first && !state->is_open ? FASTWS_ERR_CONTINUATION_UNEXPECTED : 0;
}

int fastws_deflate_state_receive(struct fastws_deflate_state *state, struct fastws_header *header) {
    int is_control = fastws_opcode_is_control(header->opcode);
    int is_first = !is_control && header->opcode != FASTWS_OPCODE_CONTINUATION;
    int is_marked = (header->rsv & FASTWS_RSV1) != 0;
    if (is_marked && !is_first) return FASTWS_ERR_RSV;
    if (is_control) return 0;
    TRY(check_order(state, header));
    if (is_first) state->is_compressed = (uint8_t)is_marked;
    state->is_open = !header->fin;
    header->rsv = (uint8_t)(header->rsv & ~FASTWS_RSV1);
    return state->is_compressed;
}

int fastws_deflate_state_send(struct fastws_deflate_state *state, struct fastws_header *header) {
    if (header->rsv & FASTWS_RSV1) return FASTWS_ERR_RSV;
    if (fastws_opcode_is_control(header->opcode)) return 0;
    TRY(check_order(state, header));
    state->is_open = !header->fin;
    if (!state->is_compressed) return 0;
    if (header->opcode != FASTWS_OPCODE_CONTINUATION) header->rsv = (uint8_t)(header->rsv | FASTWS_RSV1);
    return 1;
}

/* ---- Payloads ---- */

static int check_frame(const struct fastws_frame *frame) {
    if (frame->header.masked || frame->header.length > SIZE_MAX) return FASTWS_ERR_ARGUMENT;
    return frame->payload == NULL && frame->header.length > 0 ? FASTWS_ERR_ARGUMENT : 0;
}

/* Makes the frame one of what the buffer holds. */
static void put_payload(struct fastws_frame *frame, const struct fastws_header *header,
                        const struct fastws_deflate_buffer *buffer) {
    frame->header = *header;
    frame->header.length = buffer->len;
    frame->payload = buffer->ptr;
}

int fastws_deflate_compress_frame(struct fastws_deflate *deflate, struct fastws_frame *frame,
                                  struct fastws_deflate_buffer *buffer) {
    struct fws_deflate_sender *sender = &deflate->sender;
    struct fastws_deflate_state state = sender->frames;
    struct fastws_header header = frame->header;
    TRY(check_frame(frame));
    state.is_compressed = 1;
    int result = fastws_deflate_state_send(&state, &header);
    if (result <= 0) return result;
    buffer->len = 0;
    TRY(fastws_deflate_compress(deflate, frame->payload, (size_t)header.length,
                                header.fin ? FASTWS_DEFLATE_END : FASTWS_DEFLATE_FLUSH, buffer));
    sender->frames = state;
    put_payload(frame, &header, buffer);
    return 1;
}

int fastws_deflate_decompress_frame(struct fastws_deflate *deflate, struct fastws_frame *frame,
                                    struct fastws_deflate_buffer *buffer) {
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    struct fastws_header header = frame->header;
    TRY(check_frame(frame));
    int result = fastws_deflate_state_receive(&receiver->frames, &header);
    if (result <= 0) return result;
    if (header.opcode != FASTWS_OPCODE_CONTINUATION) {
        receiver->is_text = header.opcode == FASTWS_OPCODE_TEXT;
        fastws_utf8_init(&receiver->utf8);
    }
    buffer->len = 0;
    TRY(fastws_deflate_decompress(deflate, frame->payload, (size_t)header.length, header.fin, buffer,
                                  receiver->is_text ? &receiver->utf8 : NULL));
    put_payload(frame, &header, buffer);
    return 1;
}
