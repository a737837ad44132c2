/* SPDX-License-Identifier: MIT */
/* Implements the reading half: headers judged, payloads unmasked and checked where they lie, events written. */
#include "reader.h"

#include <fastws/close.h>
#include <fastws/error.h>
#include <fastws/header.h>

/* What one step of the machine came to; negative: an enum fastws_error. */
enum step {
    STEP_MORE = 0,  /* it needs bytes that have not come */
    STEP_EVENT = 1, /* it wrote an event */
    STEP_ON = 2,    /* it went on without an event */
    STEP_HOLD = 3   /* the next event has to come alone, in a batch of its own */
};

void fws_reader_init(struct fws_reader *reader, struct fastws_pool *pool, const struct fastws_limits *limits,
                     unsigned role, int is_utf8_checked) {
    *reader = (struct fws_reader){
        .pool = pool, .limits = limits, .role = (uint8_t)role, .is_utf8_checked = (uint8_t)is_utf8_checked};
}

static size_t input_len(const struct fws_reader *reader) {
    return (size_t)(reader->tail - reader->head);
}

int fws_reader_is_between_messages(const struct fws_reader *reader) {
    return !reader->is_in_frame && reader->opcode == 0 && input_len(reader) == 0 && reader->fed_len == 0;
}

/* ---- Rules ---- */

static int is_over(uint64_t count, uint64_t max) {
    return max != 0 && count > max;
}

/* Judges a data frame against the limits before any of its payload is awaited. RFC 6455 10.4. */
static int check_limits(const struct fws_reader *reader, const struct fastws_header *header) {
    const struct fastws_limits *limits = reader->limits;
    if (is_over(header->length, limits->max_frame)) return FASTWS_ERR_FRAME_TOO_LARGE;
    /* No overflow: message_len is what was received, and a length is below 2^63. */
    if (is_over(reader->message_len + header->length, limits->max_message)) return FASTWS_ERR_MESSAGE_TOO_LARGE;
    if (is_over((uint64_t)reader->fragments + 1, limits->max_fragments)) return FASTWS_ERR_TOO_MANY_FRAGMENTS;
    if (header->length > 0) return 0;
    if (is_over((uint64_t)reader->empty_fragments + 1, limits->max_empty_fragments)) {
        return FASTWS_ERR_TOO_MANY_EMPTY_FRAGMENTS;
    }
    return 0;
}

static int check_header(const struct fws_reader *reader, const struct fastws_header *header) {
    TRY(fastws_header_check(header, reader->role | (reader->opcode ? FASTWS_STATE_FRAGMENTED : 0u)));
    return fastws_opcode_is_control(header->opcode) ? 0 : check_limits(reader, header);
}

/* ---- Control frames ---- */

static const uint8_t event_kinds[16] = {[FASTWS_OPCODE_CLOSE] = FASTWS_EVENT_CLOSE,
                                        [FASTWS_OPCODE_PING] = FASTWS_EVENT_PING,
                                        [FASTWS_OPCODE_PONG] = FASTWS_EVENT_PONG};

static int parse_close(struct fastws_event *event) {
    const uint8_t *reason;
    size_t reason_len;
    TRY(fastws_close_parse(event->ptr, (size_t)event->len, &event->close_code, &reason, &reason_len));
    event->ptr = reason;
    event->len = reason_len;
    return 0;
}

/* Takes a whole control frame: at most 139 bytes, so it is waited for in one piece. */
static int take_control(struct fws_reader *reader, const struct fastws_header *header, size_t header_len,
                        struct fastws_event *event, int is_first) {
    size_t len = (size_t)header->length;
    if (input_len(reader) - header_len < len) return STEP_MORE;
    if (header->opcode == FASTWS_OPCODE_CLOSE && !is_first) return STEP_HOLD;
    uint8_t *payload = reader->head + header_len;
    reader->pool->kernels->mask(payload, payload, len, fws_load_u32(header->key));
    reader->head = payload + len;
    reader->is_batch_over = 1;
    *event = (struct fastws_event){.ptr = payload, .len = len, .kind = event_kinds[header->opcode],
                                   .opcode = header->opcode, .flags = FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST};
    if (header->opcode == FASTWS_OPCODE_CLOSE) TRY(parse_close(event));
    return STEP_EVENT;
}

/* ---- Data frames ---- */

static void open_frame(struct fws_reader *reader, const struct fastws_header *header, size_t header_len) {
    reader->head += header_len;
    reader->is_in_frame = 1;
    reader->is_fin = header->fin;
    reader->frame_remaining = header->length;
    reader->key = fws_load_u32(header->key);
    if (header->opcode != FASTWS_OPCODE_CONTINUATION) reader->opcode = header->opcode;
    reader->fragments++;
    if (header->length == 0) reader->empty_fragments++;
}

static int take_header(struct fws_reader *reader, struct fastws_event *event, int is_first) {
    struct fastws_header header;
    int header_len = fastws_header_parse(&header, reader->head, input_len(reader));
    if (header_len <= 0) return header_len;
    TRY(check_header(reader, &header));
    if (fastws_opcode_is_control(header.opcode)) {
        return take_control(reader, &header, (size_t)header_len, event, is_first);
    }
    open_frame(reader, &header, (size_t)header_len);
    return STEP_ON;
}

/* Says where the next len bytes of payload belong. */
static int place(struct fws_reader *reader, size_t len, uint8_t **dst) {
    if (reader->store == FWS_STORE_NONE) {
        reader->store = FWS_STORE_INPUT;
        reader->message = reader->head;
    }
    if (reader->store != FWS_STORE_INPUT) {
        size_t cap = reader->store == FWS_STORE_SLAB ? reader->pool->slab_len : reader->block_cap;
        uint64_t need = reader->message_len + len;
        if (need > cap) TRY(fws_reader_use_block(reader, need));
    }
    *dst = reader->message + reader->message_len;
    return 0;
}

static int is_text_checked(const struct fws_reader *reader) {
    return reader->opcode == FASTWS_OPCODE_TEXT && reader->is_utf8_checked;
}

/* Unmasks payload where it belongs and checks it in the same pass. RFC 6455 8.1: fails at the byte, not at the end of
 * the message. What was received behind the payload is its slop. */
static int take_text(struct fws_reader *reader, uint8_t *dst, size_t len) {
    const struct fws_kernels *kernels = reader->pool->kernels;
    const uint8_t *src = reader->head;
    size_t slop = input_len(reader) - len;
    size_t accepted = reader->key != 0 || dst != src
                          ? kernels->mask_utf8(dst, src, len, reader->key, &reader->utf8, slop)
                          : kernels->utf8(&reader->utf8, src, len, slop);
    if (accepted == len) return 0;
    reader->error_offset = reader->message_len + accepted;
    return FASTWS_ERR_UTF8;
}

static int take_part(struct fws_reader *reader, size_t len) {
    uint8_t *dst;
    TRY(place(reader, len, &dst));
    if (is_text_checked(reader)) {
        TRY(take_text(reader, dst, len));
    } else if (reader->key != 0 || dst != reader->head) {
        reader->pool->kernels->mask(dst, reader->head, len, reader->key);
    }
    reader->key = fws_rotate_key(reader->key, len);
    reader->head += len;
    reader->frame_remaining -= len;
    reader->message_len += len;
    return 0;
}

static void write_message_event(struct fws_reader *reader, struct fastws_event *event) {
    int is_ascii = is_text_checked(reader) && reader->utf8.non_ascii == 0;
    *event = (struct fastws_event){.ptr = reader->message, .len = reader->message_len, .kind = FASTWS_EVENT_MESSAGE,
                                   .opcode = reader->opcode, .flags = FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST};
    if (is_ascii) event->flags |= FASTWS_EVENT_ASCII;
}

static int end_message(struct fws_reader *reader, struct fastws_event *event) {
    if (reader->utf8.dfa != 0) {
        reader->error_offset = reader->message_len;
        return FASTWS_ERR_UTF8;
    }
    write_message_event(reader, event);
    reader->is_block_lent = reader->store == FWS_STORE_BLOCK;
    reader->store = FWS_STORE_NONE;
    reader->message = NULL;
    reader->message_len = 0;
    reader->opcode = 0;
    reader->fragments = 0;
    reader->empty_fragments = 0;
    reader->utf8 = (struct fws_utf8_state){0};
    return STEP_EVENT;
}

static int take_payload(struct fws_reader *reader, struct fastws_event *event) {
    size_t len = input_len(reader);
    if (len > reader->frame_remaining) len = (size_t)reader->frame_remaining;
    if (len > 0) TRY(take_part(reader, len));
    if (reader->frame_remaining > 0) return STEP_MORE;
    if (reader->is_fin) {
        TRY(end_message(reader, event));
        reader->is_in_frame = 0;
        return STEP_EVENT;
    }
    reader->is_in_frame = 0;
    return STEP_ON;
}

/* ---- The machine ---- */

static uint64_t smaller_limit(uint64_t a, uint64_t b) {
    if (a == 0) return b;
    return b == 0 || a < b ? a : b;
}

/* Hands the kernel the run of small whole messages that the input may begin with. */
static int take_run(struct fws_reader *reader, struct fastws_event *events, int cap) {
    uint64_t max = smaller_limit(reader->limits->max_frame, reader->limits->max_message);
    struct fws_run run = {.head = reader->head,
                          .tail = reader->tail,
                          .payload_max = max ? max : UINT64_MAX,
                          .mask_bit = reader->role == FASTWS_STATE_SERVER ? 0x80 : 0,
                          .is_text_checked = reader->is_utf8_checked};
    int n = reader->pool->kernels->frames(&run, events, cap);
    reader->head = run.head;
    reader->error = run.error;
    reader->error_offset = run.error_offset;
    return n;
}

static int has_run(const struct fws_reader *reader) {
    return !reader->is_in_frame && reader->opcode == 0 && reader->head < reader->tail;
}

static int take_step(struct fws_reader *reader, struct fastws_event *event, int is_first) {
    int step = reader->is_in_frame ? take_payload(reader, event) : take_header(reader, event, is_first);
    if (step != STEP_MORE || reader->fed_len == 0) return step;
    /* Views of this batch may lie in the slab, where a refill moves things. */
    if (!is_first) return STEP_HOLD;
    TRY(fws_reader_refill(reader));
    return STEP_ON;
}

static int take_batch(struct fws_reader *reader, struct fastws_event *events, int cap) {
    int n = 0;
    while (n < cap && !reader->is_batch_over) {
        if (has_run(reader)) n += take_run(reader, events + n, cap - n);
        if (reader->error || n == cap) return n;
        int step = take_step(reader, events + n, n == 0);
        if (step < 0) reader->error = step;
        if (step == STEP_EVENT) n++;
        if (step != STEP_EVENT && step != STEP_ON) return n;
    }
    return n;
}

int fws_reader_next(struct fws_reader *reader, struct fastws_event *events, int cap) {
    fws_reader_recycle(reader);
    if (reader->error) return 0;
    int n = take_batch(reader, events, cap);
    if (n == 0 && !reader->error) reader->error = fws_reader_settle(reader);
    return n;
}
