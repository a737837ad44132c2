/* SPDX-License-Identifier: MIT */
/* Inflates compressed messages as their payload arrives: into a slab one behind the other, into a block what outgrows
 * that. RFC 7692 7.2.2. */
#include <fastws/error.h>

#include "reader.h"

/* Room below this is not worth a call: zlib is at its fastest where 258 bytes are free. */
enum { ROOM_MIN = 512 };

void fws_inflater_return_slab(struct fws_inflater *inflater, struct fastws_pool *pool) {
    if (inflater->slab) fws_pool_return(pool, inflater->slab);
    inflater->slab = NULL;
    inflater->end = NULL;
}

/* Unmasks what has come of the payload where it lies, once. */
static void unmask_input(struct fws_reader *reader) {
    struct fws_inflater *inflater = reader->rules.inflater;
    size_t len = (size_t)(reader->tail - reader->head);
    if (len > reader->frame_remaining) len = (size_t)reader->frame_remaining;
    size_t more = len - inflater->clear_len;
    if (more == 0) return;
    uint8_t *payload = reader->head + inflater->clear_len;
    if (reader->key != 0) reader->pool->kernels->mask(payload, payload, more, reader->key);
    reader->key = fws_rotate_key(reader->key, more);
    inflater->clear_len = len;
}

/* ---- Room ---- */

/* The slab is used up. Where views of this batch lie, nothing may be moved: it ends before. */
static int leave_slab_end(struct fws_reader *reader, int is_first) {
    struct fws_inflater *inflater = reader->rules.inflater;
    size_t len = (size_t)reader->message_len;
    if (len > 0 && !fws_reader_is_gathered(reader)) return FWS_INFLATE_FULL;
    int is_long = len > 0 && (reader->message == inflater->slab->bytes || len > reader->pool->slab_len / 2);
    if ((is_long && reader->is_block_lent) || (!is_long && !is_first)) return FWS_INFLATE_HOLD;
    if (is_long) return fws_reader_use_block(reader, 2 * (uint64_t)len);
    if (len > 0) {
        memmove(inflater->slab->bytes, reader->message, len);
        reader->message = inflater->slab->bytes;
    }
    inflater->end = inflater->slab->bytes + len;
    return 0;
}

static int find_slab_room(struct fws_reader *reader, int is_first) {
    struct fws_inflater *inflater = reader->rules.inflater;
    if (!inflater->slab) {
        inflater->slab = fws_pool_lend(reader->pool);
        if (!inflater->slab) return FASTWS_ERR_NOMEM;
        inflater->end = inflater->slab->bytes;
    }
    size_t room = (size_t)(inflater->slab->bytes + reader->pool->slab_len - inflater->end);
    return room < ROOM_MIN ? leave_slab_end(reader, is_first) : 0;
}

/* Finds where the message goes on. Returns 0, FWS_INFLATE_FULL, FWS_INFLATE_HOLD or FASTWS_ERR_NOMEM. */
static int find_room(struct fws_reader *reader, int is_first, uint8_t **dst, size_t *room) {
    struct fws_inflater *inflater = reader->rules.inflater;
    if (reader->store != FWS_STORE_BLOCK) {
        int result = find_slab_room(reader, is_first);
        if (result != 0) return result;
    }
    if (reader->store == FWS_STORE_BLOCK) {
        TRY(fws_reader_use_block(reader, reader->message_len + ROOM_MIN));
        *dst = reader->block + reader->message_len;
        *room = reader->block_cap - (size_t)reader->message_len;
    } else {
        *dst = inflater->end;
        *room = (size_t)(inflater->slab->bytes + reader->pool->slab_len - inflater->end);
    }
    return 0;
}

/* ---- Output ---- */

/* Checks the text so far. RFC 6455 8.1, on what was inflated: RFC 7692 6.2. */
static int check_text(struct fws_reader *reader, const uint8_t *src, size_t len, size_t *accepted) {
    *accepted = len;
    if (reader->opcode != FASTWS_OPCODE_TEXT || !reader->rules.is_utf8_checked) return 0;
    *accepted = reader->pool->kernels->utf8(&reader->utf8, src, len, 0);
    return *accepted == len ? 0 : FASTWS_ERR_UTF8;
}

/* Adds what was inflated to the message. */
static int take_output(struct fws_reader *reader, uint8_t *dst, size_t len) {
    struct fws_inflater *inflater = reader->rules.inflater;
    uint64_t max = reader->rules.limits->max_message;
    size_t accepted = len;
    int error = 0;
    if (reader->is_discarding) {
        reader->given_len += len;
    } else if (len > 0) {
        if (reader->store == FWS_STORE_NONE) {
            reader->store = FWS_STORE_INFLATED;
            reader->message = dst;
        }
        error = check_text(reader, dst, len, &accepted);
        reader->message_len += accepted;
        if (reader->store == FWS_STORE_INFLATED) inflater->end = dst + accepted;
    }
    if (error < 0) return error;
    return max != 0 && reader->given_len + reader->message_len > max ? FASTWS_ERR_MESSAGE_TOO_LARGE : 0;
}

/* One byte more than the message may have, so that one that has it is told from one that ends there. */
static size_t cut_room(const struct fws_reader *reader, size_t room) {
    uint64_t max = reader->rules.limits->max_message;
    if (max == 0) return room;
    uint64_t len = reader->given_len + reader->message_len;
    /* A limit that was lowered meanwhile may have been passed. */
    uint64_t more = len < max ? max - len : 0;
    return more < room ? (size_t)more + 1 : room;
}

static int inflate_some(struct fws_reader *reader, uint8_t *dst, size_t room) {
    struct fws_inflater *inflater = reader->rules.inflater;
    size_t len = inflater->clear_len;
    struct fastws_deflate_step step = {.src = reader->head, .src_len = len, .dst = dst, .dst_len = room};
    int is_last = reader->is_fin && len == reader->frame_remaining;
    int result = fastws_deflate_inflate(inflater->deflate, &step, is_last);
    size_t taken = len - step.src_len;
    if (taken > 0) reader->head += taken;
    reader->frame_remaining -= taken;
    inflater->clear_len = step.src_len;
    TRY(take_output(reader, dst, room - step.dst_len));
    return result;
}

int fws_reader_inflate(struct fws_reader *reader, int is_first) {
    reader->rules.inflater->used_ms = fws_pool_now_ms(reader->pool);
    unmask_input(reader);
    for (;;) {
        uint8_t *dst;
        size_t room;
        int result = find_room(reader, is_first, &dst, &room);
        if (result != 0) return result;
        result = inflate_some(reader, dst, cut_room(reader, room));
        if (result < 0) return result;
        if (result != FASTWS_DEFLATE_NEED_ROOM)
            return reader->frame_remaining == 0 ? FWS_INFLATE_FRAME : FWS_INFLATE_MORE;
    }
}
