/* SPDX-License-Identifier: MIT */
/* Implements the reading half: frames taken, payloads unmasked and checked where they lie, events written. */
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

void fws_reader_init(struct fws_reader *reader, struct fastws_pool *pool, const struct fws_reader_rules *rules,
                     unsigned delivery) {
    *reader = (struct fws_reader){
        .pool = pool, .rules = *rules, .delivery = (uint8_t)delivery, .next_delivery = (uint8_t)delivery};
}

static size_t input_len(const struct fws_reader *reader) {
    return (size_t)(reader->tail - reader->head);
}

uint64_t fws_reader_unparsed(const struct fws_reader *reader) {
    return (uint64_t)input_len(reader) + reader->fed_len + reader->refused_len;
}

int fws_reader_is_between_messages(const struct fws_reader *reader) {
    return !reader->is_in_frame && !reader->is_open && fws_reader_unparsed(reader) == 0;
}

void fws_reader_set_delivery(struct fws_reader *reader, unsigned delivery) {
    reader->next_delivery = (uint8_t)delivery;
    if (!reader->is_begun) reader->delivery = (uint8_t)delivery;
}

int fws_reader_discard(struct fws_reader *reader) {
    if (!reader->is_open || reader->is_discarding) return FASTWS_ERR_STATE;
    fws_reader_drop_gathered(reader);
    reader->is_discarding = 1;
    return 0;
}

/* ---- Control frames ---- */

static const uint8_t event_kinds[16] = {[FASTWS_OPCODE_CLOSE] = FASTWS_EVENT_CLOSE,
                                        [FASTWS_OPCODE_PING] = FASTWS_EVENT_PING,
                                        [FASTWS_OPCODE_PONG] = FASTWS_EVENT_PONG};

/* Goes on to the byte of a reason that is no UTF-8. body is where its frame has its payload. */
static void go_to_bad_reason(struct fws_reader *reader, uint8_t *body, size_t len) {
    struct fws_utf8_state state = {0};
    reader->error_offset = reader->pool->kernels->utf8(&state, body + 2, len - 2, 0);
    reader->head = body + 2 + reader->error_offset;
}

static int parse_close(struct fws_reader *reader, uint8_t *body, struct fastws_event *event) {
    const uint8_t *reason;
    size_t reason_len;
    int error = fastws_close_parse(body, (size_t)event->len, &event->close_code, &reason, &reason_len);
    if (error == FASTWS_ERR_CLOSE_UTF8) go_to_bad_reason(reader, body, (size_t)event->len);
    if (error < 0) return error;
    event->ptr = reason;
    event->len = reason_len;
    return 0;
}

/* Takes a whole control frame: at most 139 bytes, so it is waited for in one piece. */
static int take_control(struct fws_reader *reader, const struct fastws_header *header, size_t header_len,
                        struct fastws_event *event, int is_first) {
    size_t len = (size_t)header->length;
    if (input_len(reader) - header_len < len) return STEP_MORE;
    if (header->opcode == FASTWS_OPCODE_CLOSE) {
        reader->is_close_due = reader->is_close_held;
        if (!is_first || reader->is_close_held) return STEP_HOLD;
    }
    uint8_t *payload = reader->head + header_len;
    reader->pool->kernels->mask(payload, payload, len, fws_load_u32(header->key));
    reader->is_batch_over = 1;
    *event = (struct fastws_event){.ptr = payload, .len = len, .kind = event_kinds[header->opcode],
                                   .opcode = header->opcode, .flags = FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST,
                                   .rsv = header->rsv};
    if (header->opcode == FASTWS_OPCODE_CLOSE) TRY(parse_close(reader, payload, event));
    reader->head = payload + len;
    return STEP_EVENT;
}

/* ---- Data frames ---- */

static void open_frame(struct fws_reader *reader, const struct fastws_header *header, size_t header_len) {
    reader->head += header_len;
    reader->is_in_frame = 1;
    reader->is_frame_told = 0;
    reader->is_fin = header->fin;
    reader->frame_rsv = header->rsv;
    reader->frame_remaining = header->length;
    reader->key = fws_load_u32(header->key);
    if (reader->rules.inflater) {
        reader->rules.inflater->frame_len = header->length;
        reader->rules.inflater->header_len = header_len;
    }
    reader->fragments++;
    if (header->length == 0) reader->empty_fragments++;
    if (reader->is_open) return;
    reader->is_open = 1;
    reader->opcode = header->opcode;
    reader->rsv = header->rsv;
}

static int take_header(struct fws_reader *reader, struct fastws_event *event, int is_first) {
    struct fastws_header header;
    int header_len = fastws_header_parse(&header, reader->head, input_len(reader));
    if (header_len <= 0) return header_len;
    TRY(fws_reader_judge(reader, &header));
    if (fws_reader_is_control(header.opcode)) return take_control(reader, &header, (size_t)header_len, event, is_first);
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
    return reader->opcode == FASTWS_OPCODE_TEXT && reader->rules.is_utf8_checked;
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
    reader->head += accepted;
    reader->frame_remaining -= accepted;
    reader->message_len += accepted;
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

static void drop_part(struct fws_reader *reader, size_t len) {
    reader->head += len;
    reader->frame_remaining -= len;
    reader->given_len += len;
}

/* Writes the event of what is gathered, which is handed out then. */
static void give_gathered(struct fws_reader *reader, struct fastws_event *event, unsigned kind, unsigned flags) {
    if (is_text_checked(reader) && reader->utf8.non_ascii == 0) flags |= FASTWS_EVENT_ASCII;
    if (fws_reader_is_inflating(reader)) flags |= FASTWS_EVENT_COMPRESSED;
    *event = (struct fastws_event){.ptr = reader->message, .len = reader->message_len, .kind = (uint8_t)kind,
                                   .opcode = reader->opcode, .flags = (uint16_t)flags};
    reader->is_block_lent |= reader->store == FWS_STORE_BLOCK;
    reader->given_len += reader->message_len;
    reader->message_len = 0;
    reader->message = NULL;
    reader->store = FWS_STORE_NONE;
}

static int give_message(struct fws_reader *reader, struct fastws_event *event) {
    give_gathered(reader, event, FASTWS_EVENT_MESSAGE, FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST);
    event->rsv = reader->rsv;
    return STEP_EVENT;
}

static int give_chunk(struct fws_reader *reader, struct fastws_event *event, unsigned flags) {
    if (!reader->is_begun) flags |= FASTWS_EVENT_FIRST;
    if (!reader->is_frame_told) flags |= FASTWS_EVENT_FRAME;
    if (reader->is_fin) flags |= FASTWS_EVENT_FIN;
    give_gathered(reader, event, FASTWS_EVENT_CHUNK, flags);
    event->remaining = reader->frame_remaining;
    event->rsv = reader->frame_rsv;
    reader->is_begun = 1;
    reader->is_frame_told = 1;
    return STEP_EVENT;
}

/* The frame is refused as a whole: which of its bytes stand for what was inflated, nobody can say, and how many of them
 * were read depends on how they were received. */
static void refuse_frame(struct fws_reader *reader) {
    const struct fws_inflater *inflater = reader->rules.inflater;
    reader->refused_len = inflater->header_len + inflater->frame_len - reader->frame_remaining;
}

/* A text went wrong behind what is gathered. Had that come alone, it would have been handed out. */
static int refuse_text(struct fws_reader *reader, struct fastws_event *event) {
    reader->error_offset = reader->given_len + reader->message_len;
    if (fws_reader_is_inflating(reader)) refuse_frame(reader);
    if (reader->delivery != FASTWS_DELIVER_STREAM || reader->message_len == 0) return FASTWS_ERR_UTF8;
    reader->error = FASTWS_ERR_UTF8;
    return give_chunk(reader, event, 0);
}

static void end_message(struct fws_reader *reader) {
    reader->given_len = 0;
    reader->fragments = 0;
    reader->empty_fragments = 0;
    reader->utf8 = (struct fws_utf8_state){0};
    reader->is_open = 0;
    reader->is_begun = 0;
    reader->is_discarding = 0;
    reader->delivery = reader->next_delivery;
}

/* The frame is complete: hands out what ends with it. */
static int give_frame(struct fws_reader *reader, struct fastws_event *event) {
    if (reader->is_discarding) return STEP_ON;
    if (reader->is_fin && reader->utf8.dfa != 0) return refuse_text(reader, event);
    if (reader->delivery != FASTWS_DELIVER_MESSAGES) {
        return give_chunk(reader, event, reader->is_fin ? FASTWS_EVENT_LAST : 0);
    }
    return reader->is_fin ? give_message(reader, event) : STEP_ON;
}

static int end_frame(struct fws_reader *reader, struct fastws_event *event) {
    int step = give_frame(reader, event);
    if (step < 0 || reader->error) return step;
    reader->is_in_frame = 0;
    if (reader->is_fin) end_message(reader);
    return step;
}

/* The message is compressed: what is gathered is what was inflated. */
static int take_compressed(struct fws_reader *reader, struct fastws_event *event, int is_first) {
    int result = fws_reader_inflate(reader, is_first);
    if (result == FASTWS_ERR_UTF8) return refuse_text(reader, event);
    if (result < 0) {
        if (result != FASTWS_ERR_NOMEM) refuse_frame(reader);
        return result;
    }
    if (result == FWS_INFLATE_HOLD) return STEP_HOLD;
    if (result == FWS_INFLATE_FRAME) return end_frame(reader, event);
    int is_due = reader->message_len > 0 || !reader->is_frame_told;
    if (reader->is_discarding || reader->delivery != FASTWS_DELIVER_STREAM || !is_due) return STEP_MORE;
    int step = give_chunk(reader, event, 0);
    /* More is to come, though all of the frame was read. */
    if (event->remaining == 0) event->remaining = 1;
    return step;
}

static int take_payload(struct fws_reader *reader, struct fastws_event *event, int is_first) {
    if (fws_reader_is_inflating(reader)) return take_compressed(reader, event, is_first);
    size_t len = input_len(reader);
    if (len > reader->frame_remaining) len = (size_t)reader->frame_remaining;
    if (len > 0 && reader->is_discarding) {
        drop_part(reader, len);
    } else if (len > 0) {
        int error = take_part(reader, len);
        if (error == FASTWS_ERR_UTF8) return refuse_text(reader, event);
        if (error < 0) return error;
    }
    if (reader->frame_remaining == 0) return end_frame(reader, event);
    if (reader->is_discarding || reader->delivery != FASTWS_DELIVER_STREAM) return STEP_MORE;
    /* The header alone is told of, too. */
    return reader->message_len > 0 || !reader->is_frame_told ? give_chunk(reader, event, 0) : STEP_MORE;
}

/* ---- The machine ---- */

static uint64_t smaller_limit(uint64_t a, uint64_t b) {
    if (a == 0) return b;
    return b == 0 || a < b ? a : b;
}

void fws_run_undo(const struct fws_run *run, const struct fws_kernels *kernels) {
    struct fastws_header header;
    int header_len = fastws_header_parse(&header, run->head, (size_t)(run->tail - run->head));
    uint8_t *payload = run->head + header_len;
    kernels->mask(payload, payload, (size_t)header.length, fws_load_u32(header.key));
}

/* What the kernel writes are messages; each of them is one chunk. */
static void turn_into_chunks(struct fastws_event *events, int n) {
    for (int i = 0; i < n; i++) {
        events[i].kind = FASTWS_EVENT_CHUNK;
        events[i].flags |= FASTWS_EVENT_FRAME | FASTWS_EVENT_FIN;
    }
}

/* Hands the kernel the run of small whole messages that the input may begin with. */
static int take_run(struct fws_reader *reader, struct fastws_event *events, int cap) {
    const struct fastws_limits *limits = reader->rules.limits;
    uint64_t max = smaller_limit(limits->max_frame, limits->max_message);
    struct fws_run run = {.head = reader->head,
                          .tail = reader->tail,
                          .payload_max = max ? max : UINT64_MAX,
                          .mask_bit = reader->rules.role == FASTWS_STATE_SERVER ? 0x80 : 0,
                          .is_text_checked = reader->rules.is_utf8_checked};
    int n = reader->pool->kernels->frames(&run, events, cap);
    reader->head = run.head;
    /* Taken once more step by step, it is refused at the byte; streamed, it is handed out up to there. */
    if (run.error) fws_run_undo(&run, reader->pool->kernels);
    if (reader->delivery != FASTWS_DELIVER_MESSAGES) turn_into_chunks(events, n);
    return n;
}

/* An extension is asked about every header. */
static int has_run(const struct fws_reader *reader) {
    return !reader->is_open && reader->head < reader->tail && reader->rules.extension_count == 0;
}

/* Whether what is gathered has to be handed out without waiting for more: the way of delivery changed in between. */
static int has_late_chunk(const struct fws_reader *reader) {
    return !reader->is_in_frame && reader->message_len > 0 && reader->delivery != FASTWS_DELIVER_MESSAGES;
}

static int take_step(struct fws_reader *reader, struct fastws_event *event, int is_first) {
    if (has_late_chunk(reader)) return give_chunk(reader, event, 0);
    int step = reader->is_in_frame ? take_payload(reader, event, is_first) : take_header(reader, event, is_first);
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
        if (n == cap) return n;
        int step = take_step(reader, events + n, n == 0);
        if (step < 0) reader->error = step;
        if (step == STEP_EVENT) n++;
        if (reader->error || (step != STEP_EVENT && step != STEP_ON)) return n;
    }
    return n;
}

int fws_reader_next(struct fws_reader *reader, struct fastws_event *events, int cap) {
    fws_reader_recycle(reader);
    reader->is_close_due = 0;
    if (reader->error) return 0;
    int n = take_batch(reader, events, cap);
    if (n == 0 && !reader->error && !reader->is_close_due) reader->error = fws_reader_settle(reader);
    return n;
}
