/* SPDX-License-Identifier: MIT */
/* Implements where received bytes lie: the slab, the caller's buffer, and the block of a message that fits neither. */
#include <fastws/error.h>
#include <fastws/header.h>

#include "reader.h"

/* The most that is waited for in one piece: a header, or a control frame with its header. */
enum { GATHER_LEN = FASTWS_HEADER_MAX + FASTWS_CONTROL_MAX };

/* A frame with this much still to come is received into the block itself. Below it, bytes pass through the slab, where
 * one receive brings many frames. */
enum { DIRECT_MIN = 16 * 1024 };

/* What a block starts with, and what it may have beyond twice what was received. */
enum { BLOCK_MIN = 64 * 1024 };

static uint8_t *slab_end(const struct fws_reader *reader) {
    return reader->slab->bytes + reader->pool->slab_len;
}

static int borrow_slab(struct fws_reader *reader) {
    if (!reader->slab) reader->slab = fws_pool_lend(reader->pool);
    return reader->slab ? 0 : FASTWS_ERR_NOMEM;
}

static void return_slab(struct fws_reader *reader) {
    if (reader->slab) fws_pool_return(reader->pool, reader->slab);
    reader->slab = NULL;
}

static void release_block(struct fws_reader *reader) {
    const struct fastws_allocator *allocator = reader->pool->payload_allocator;
    if (reader->block) allocator->release(allocator->context, reader->block, reader->block_cap);
    reader->block = NULL;
    reader->block_cap = 0;
    reader->is_block_lent = 0;
}

static void set_input(struct fws_reader *reader, enum fws_input input, uint8_t *head, uint8_t *tail) {
    reader->input = (uint8_t)input;
    reader->head = head;
    reader->tail = tail;
}

void fws_reader_adopt(struct fws_reader *reader, struct fastws_slab *slab, uint8_t *head, uint8_t *tail) {
    reader->slab = slab;
    set_input(reader, slab ? FWS_INPUT_SLAB : FWS_INPUT_FED, head, tail);
}

void fws_reader_stop(struct fws_reader *reader, int error) {
    return_slab(reader);
    release_block(reader);
    if (reader->rules.inflater) fws_inflater_return_slab(reader->rules.inflater, reader->pool);
    set_input(reader, FWS_INPUT_NONE, NULL, NULL);
    reader->fed_len = 0;
    reader->store = FWS_STORE_NONE;
    reader->error = error;
}

void fws_reader_recycle(struct fws_reader *reader) {
    struct fws_inflater *inflater = reader->rules.inflater;
    reader->is_batch_over = 0;
    if (inflater && inflater->slab && reader->store != FWS_STORE_INFLATED) inflater->end = inflater->slab->bytes;
    if (!reader->is_block_lent) return;
    if (reader->input == FWS_INPUT_BLOCK) set_input(reader, FWS_INPUT_NONE, NULL, NULL);
    release_block(reader);
}

/* Payload bytes of what is gathered that are known of: those that have come, and those that the open frame declares. */
static uint64_t declared_len(const struct fws_reader *reader) {
    return reader->message_len + reader->frame_remaining;
}

/* Whether the message, as far as it is known of, and what comes behind it can be gathered in a slab. */
static int fits_slab(const struct fws_reader *reader) {
    if (!fws_reader_is_gathering(reader)) return reader->message_len <= reader->pool->slab_len - GATHER_LEN;
    uint64_t more = reader->is_in_frame ? reader->frame_remaining : GATHER_LEN;
    return more <= reader->pool->slab_len && reader->message_len <= reader->pool->slab_len - more;
}

/* Whether the message has to leave the slab, or the buffer that was fed, for a block. */
static int needs_block(const struct fws_reader *reader) {
    return (reader->store == FWS_STORE_INPUT || reader->store == FWS_STORE_SLAB) && !fits_slab(reader);
}

/* ---- The block ---- */

/* Doubles, so that a block is at most twice what was received plus BLOCK_MIN, and stops at the end of the message once
 * its last frame has declared that. What fragments declare before is no end: a block that grew by one small fragment at
 * a time would be copied as often as there are fragments. */
static uint64_t block_cap_for(const struct fws_reader *reader, uint64_t need) {
    uint64_t cap = 2 * (uint64_t)reader->block_cap;
    if (cap < BLOCK_MIN) cap = BLOCK_MIN;
    /* With fragments handed out one by one, every frame is an end. */
    int is_end_known = reader->is_in_frame && !fws_reader_is_inflating(reader) &&
                       (reader->is_fin || reader->delivery == FASTWS_DELIVER_FRAGMENTS);
    if (is_end_known && cap > declared_len(reader)) cap = declared_len(reader);
    return cap < need ? need : cap;
}

static int grow_block(struct fws_reader *reader, uint64_t need) {
    const struct fastws_allocator *allocator = reader->pool->payload_allocator;
    uint64_t cap = block_cap_for(reader, need);
    if (cap > SIZE_MAX / 2) return FASTWS_ERR_NOMEM;
    uint8_t *block = reader->block
                         ? allocator->resize(allocator->context, reader->block, reader->block_cap, (size_t)cap)
                         : allocator->allocate(allocator->context, (size_t)cap);
    if (!block) return FASTWS_ERR_NOMEM;
    reader->block = block;
    reader->block_cap = (size_t)cap;
    return 0;
}

int fws_reader_use_block(struct fws_reader *reader, uint64_t need) {
    if (!reader->block || reader->block_cap < need) TRY(grow_block(reader, need));
    if (reader->store != FWS_STORE_BLOCK && reader->message_len > 0) {
        memcpy(reader->block, reader->message, (size_t)reader->message_len);
    }
    reader->store = FWS_STORE_BLOCK;
    reader->message = reader->block;
    return 0;
}

void fws_reader_drop_gathered(struct fws_reader *reader) {
    fws_reader_recycle(reader);
    if (reader->input == FWS_INPUT_BLOCK) {
        size_t rest = (size_t)(reader->tail - reader->head);
        reader->frame_remaining -= rest;
        reader->given_len += rest;
        set_input(reader, FWS_INPUT_NONE, NULL, NULL);
    }
    reader->given_len += reader->message_len;
    reader->message_len = 0;
    reader->message = NULL;
    reader->store = FWS_STORE_NONE;
    release_block(reader);
}

int fws_reader_take(struct fws_reader *reader, const struct fastws_event *event, uint8_t **ptr, size_t *cap) {
    if (!reader->is_block_lent || event->ptr != reader->block) return 0;
    const struct fastws_allocator *allocator = reader->pool->payload_allocator;
    uint8_t *block = reader->block;
    size_t len = (size_t)event->len;
    uint8_t *shrunk = len < reader->block_cap
                          ? allocator->resize(allocator->context, block, reader->block_cap, len)
                          : NULL;
    *ptr = shrunk ? shrunk : block;
    *cap = shrunk ? len : reader->block_cap;
    reader->block = NULL;
    reader->block_cap = 0;
    reader->is_block_lent = 0;
    if (reader->input == FWS_INPUT_BLOCK) set_input(reader, FWS_INPUT_NONE, NULL, NULL);
    return 1;
}

/* ---- The slab ---- */

/* Brings the message, unless it has a block, and the input behind it to the start of the slab, close together: what was
 * parsed between them is given up. */
static void gather_in_slab(struct fws_reader *reader) {
    uint8_t *end = reader->slab->bytes;
    const uint8_t *rest = reader->head;
    size_t rest_len = (size_t)(reader->tail - reader->head);
    if (reader->store == FWS_STORE_INPUT || reader->store == FWS_STORE_SLAB) {
        if (reader->message != end) memmove(end, reader->message, (size_t)reader->message_len);
        reader->message = end;
        reader->store = FWS_STORE_INPUT;
        end += reader->message_len;
    }
    if (rest_len > 0) memmove(end, rest, rest_len);
    set_input(reader, FWS_INPUT_SLAB, end, end + rest_len);
}

/* Bytes that the next receive should find room for: the rest of a frame that ends in this slab, else a part of it. */
static uint64_t wanted_room(const struct fws_reader *reader) {
    size_t part = reader->pool->slab_len / 4;
    if (!reader->is_in_frame) return part;
    int is_passing = reader->store == FWS_STORE_BLOCK || !fws_reader_is_gathering(reader);
    return is_passing && reader->frame_remaining > part ? part : reader->frame_remaining;
}

/* Makes room behind the input, which lies in the slab. What was parsed in front of it is given up. */
static int make_room(struct fws_reader *reader) {
    if (needs_block(reader)) TRY(fws_reader_use_block(reader, reader->message_len));
    if (reader->head == reader->tail) {
        uint8_t *end = reader->store == FWS_STORE_INPUT ? reader->message + reader->message_len : reader->slab->bytes;
        reader->head = reader->tail = end;
    }
    if ((uint64_t)(slab_end(reader) - reader->tail) < wanted_room(reader)) gather_in_slab(reader);
    return 0;
}

/* ---- Receiving ---- */

/* Bytes that may still be received behind tail. */
static uint64_t room_behind(const struct fws_reader *reader) {
    if (reader->input == FWS_INPUT_SLAB) return (uint64_t)(slab_end(reader) - reader->tail);
    if (reader->input != FWS_INPUT_BLOCK) return 0;
    uint64_t room = (uint64_t)(reader->block + reader->block_cap - reader->tail);
    uint64_t more = reader->frame_remaining - (uint64_t)(reader->tail - reader->head);
    return room < more ? room : more;
}

static int has_direct_space(const struct fws_reader *reader) {
    return reader->is_in_frame && reader->frame_remaining >= DIRECT_MIN && fws_reader_is_gathering(reader) &&
           (reader->store == FWS_STORE_BLOCK || !fits_slab(reader));
}

/* Space at the end of the block: the payload is received where it stays. An open frame has no input left. */
static int use_direct_space(struct fws_reader *reader) {
    TRY(fws_reader_use_block(reader, reader->message_len + 1));
    return_slab(reader);
    uint8_t *end = reader->block + reader->message_len;
    set_input(reader, FWS_INPUT_BLOCK, end, end);
    return 0;
}

static int use_slab_space(struct fws_reader *reader) {
    TRY(borrow_slab(reader));
    if (reader->input != FWS_INPUT_SLAB) set_input(reader, FWS_INPUT_SLAB, reader->slab->bytes, reader->slab->bytes);
    return make_room(reader);
}

int fws_reader_space(struct fws_reader *reader, void **ptr, size_t *cap) {
    fws_reader_recycle(reader);
    if (reader->input == FWS_INPUT_FED || reader->fed_len > 0) return FASTWS_ERR_STATE;
    int is_walked = reader->head == reader->tail;
    if (is_walked && has_direct_space(reader)) {
        TRY(use_direct_space(reader));
    } else if (is_walked || reader->input == FWS_INPUT_SLAB) {
        TRY(use_slab_space(reader));
    }
    *ptr = reader->tail;
    *cap = (size_t)room_behind(reader);
    /* Nothing fits behind what was received before and has not been walked. */
    return *cap > 0 ? 0 : FASTWS_ERR_STATE;
}

int fws_reader_filled(struct fws_reader *reader, size_t len) {
    if (len > room_behind(reader)) return FASTWS_ERR_ARGUMENT;
    if (len > 0) reader->tail += len;
    return 0;
}

/* A slab that nothing was received into since it was borrowed. */
void fws_reader_give_space_back(struct fws_reader *reader) {
    if (reader->input != FWS_INPUT_SLAB || reader->tail != reader->slab->bytes) return;
    if (reader->store == FWS_STORE_INPUT || reader->store == FWS_STORE_SLAB) return;
    return_slab(reader);
    set_input(reader, FWS_INPUT_NONE, NULL, NULL);
}

int fws_reader_feed(struct fws_reader *reader, uint8_t *buf, size_t len) {
    fws_reader_recycle(reader);
    if (reader->input == FWS_INPUT_FED || reader->fed_len > 0) return FASTWS_ERR_STATE;
    reader->fed = buf;
    reader->fed_len = len;
    return 0;
}

int fws_reader_refill(struct fws_reader *reader) {
    if (reader->fed_len == 0) return 0;
    if (reader->head == reader->tail) {
        if (reader->store == FWS_STORE_INPUT) {
            gather_in_slab(reader);
            reader->store = FWS_STORE_SLAB;
        }
        set_input(reader, FWS_INPUT_FED, reader->fed, reader->fed + reader->fed_len);
        reader->fed_len = 0;
        return 1;
    }
    /* The slab holds the beginning of a header or control frame: complete it there. */
    TRY(make_room(reader));
    size_t len = GATHER_LEN - (size_t)(reader->tail - reader->head);
    if (len > reader->fed_len) len = reader->fed_len;
    memcpy(reader->tail, reader->fed, len);
    reader->tail += len;
    reader->fed += len;
    reader->fed_len -= len;
    return 1;
}

/* Brings the message that is not complete, and the beginning behind it, out of the caller's buffer. */
static int leave_fed(struct fws_reader *reader) {
    if (needs_block(reader)) TRY(fws_reader_use_block(reader, reader->message_len));
    if (reader->head < reader->tail || reader->store == FWS_STORE_INPUT) TRY(borrow_slab(reader));
    if (reader->slab) {
        gather_in_slab(reader);
    } else {
        set_input(reader, FWS_INPUT_NONE, NULL, NULL);
    }
    return 0;
}

int fws_reader_settle(struct fws_reader *reader) {
    if (reader->input == FWS_INPUT_FED) TRY(leave_fed(reader));
    if (reader->input == FWS_INPUT_BLOCK) set_input(reader, FWS_INPUT_NONE, NULL, NULL);
    if (reader->slab && reader->head == reader->tail && reader->store != FWS_STORE_INPUT) {
        return_slab(reader);
        set_input(reader, FWS_INPUT_NONE, NULL, NULL);
    }
    if (reader->rules.inflater && reader->store != FWS_STORE_INFLATED)
        fws_inflater_return_slab(reader->rules.inflater, reader->pool);
    return 0;
}

ptrdiff_t fws_reader_raw(struct fws_reader *reader, void *dst, size_t len) {
    fws_reader_recycle(reader);
    if (reader->is_in_frame || reader->is_open) return FASTWS_ERR_STATE;
    if (reader->head == reader->tail) TRY(fws_reader_refill(reader));
    size_t there = (size_t)(reader->tail - reader->head);
    if (len > there) len = there;
    if (len > 0) {
        memcpy(dst, reader->head, len);
        reader->head += len;
    }
    if (reader->head == reader->tail && reader->fed_len == 0) TRY(fws_reader_settle(reader));
    return (ptrdiff_t)len;
}
