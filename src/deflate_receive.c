/* SPDX-License-Identifier: MIT */
/* Inflates the peer's messages within their limits, as far as there is room. RFC 7692 7.2.2. */
#include "deflate.h"

#include <fastws/utf8.h>

/* RFC 7692 7.2.2: what the peer left off the end of each message. */
static const uint8_t trail[] = {0x00, 0x00, 0xff, 0xff};
enum { TRAIL_LEN = sizeof trail };

/* A short end of a message is inflated together with its trail: a call of zlib for four bytes costs as much as
 * inflating thirty. */
enum { JOINED_MAX = 512 };

/* Messages below this may inflate to any number of times their size: no harm is done, and short ones do. */
enum { RATIO_FROM = 64 * 1024 };

/* ---- One message ---- */

/* Borrows a stream, if there is none, that knows what the message may refer to. */
static FWS_NOINLINE int prepare(struct fastws_deflate *deflate) {
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    struct fastws_deflate_pool *pool = deflate->pool;
    if (receiver->stream == NULL) {
        /* Peers without takeover share streams of the one size that does for all of them. */
        struct fws_stream_kind kind = {.window_bits = receiver->is_takeover ? receiver->window_bits
                                                                            : FASTWS_DEFLATE_BITS_MAX};
        TRY(fws_deflate_lend(&receiver->stream, pool, FWS_INFLATE, &kind));
    }
    if (receiver->window.len > 0) {
        TRY(fws_stream_set_window(receiver->stream, receiver->window.ptr, receiver->window.len));
        fws_history_free(&receiver->window, pool, &pool->stats.windows);
    }
    return 0;
}

static FWS_ALWAYS_INLINE int begin(struct fastws_deflate *deflate) {
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    if (receiver->stream == NULL || receiver->window.len > 0) TRY(prepare(deflate));
    receiver->compressed = 0;
    receiver->inflated = 0;
    receiver->trail_off = 0;
    receiver->place = FWS_INFLATE_INSIDE;
    receiver->is_open = 1;
    return 0;
}

static void finish(struct fws_deflate_receiver *receiver) {
    receiver->is_open = 0;
    if (!receiver->is_takeover) fws_deflate_return(&receiver->stream);
}

/* ---- Limits ---- */

/* Returns how many bytes the message may inflate to, by the compressed bytes that were taken, and the error for the one
 * after them. */
static uint64_t most_allowed(const struct fastws_deflate *deflate, int *error) {
    const struct fastws_deflate_config *config = deflate->config;
    uint64_t most = config->max_inflated != 0 ? config->max_inflated : UINT64_MAX;
    uint64_t compressed = deflate->receiver.compressed;
    *error = FASTWS_ERR_INFLATED_TOO_LARGE;
    if (config->max_ratio == 0 || compressed > most / config->max_ratio) return most;
    uint64_t by_ratio = compressed * config->max_ratio;
    if (by_ratio < RATIO_FROM) by_ratio = RATIO_FROM;
    if (by_ratio >= most) return most;
    *error = FASTWS_ERR_INFLATED_RATIO;
    return by_ratio;
}

/* ---- Steps ---- */

/* Inflates piece until it is used up or dst is full. Stops behind a block with BFINAL if no more than the trail_len
 * bytes of the trail are left: the message has ended without them. */
static FWS_ALWAYS_INLINE int inflate_piece(struct fws_deflate_receiver *receiver, struct fastws_deflate_step *piece,
                                           size_t trail_len) {
    for (;;) {
        size_t before = piece->src_len + piece->dst_len;
        int place = fws_stream_inflate(receiver->stream, piece);
        if (place < 0) return place;
        int has_moved = piece->src_len + piece->dst_len < before;
        if (place != FWS_INFLATE_ENDED && !has_moved) return 0;
        receiver->place = (uint8_t)place;
        if (piece->src_len <= (place == FWS_INFLATE_ENDED ? trail_len : 0)) return 0;
    }
}

static int is_short(size_t src_len) { return src_len > 0 && src_len <= JOINED_MAX; }

/* Inflates src with the trail behind it. */
static FWS_ALWAYS_INLINE int inflate_joined(struct fws_deflate_receiver *receiver, struct fastws_deflate_step *step) {
    uint8_t joined[JOINED_MAX + TRAIL_LEN];
    const uint8_t *src = step->src;
    size_t src_len = step->src_len;
    memcpy(joined, src, src_len);
    memcpy(joined + src_len, trail, TRAIL_LEN);
    step->src = joined;
    step->src_len += TRAIL_LEN;
    int result = inflate_piece(receiver, step, TRAIL_LEN);
    size_t left = step->src_len;
    receiver->trail_off = (uint8_t)(left < TRAIL_LEN ? TRAIL_LEN - left : 0);
    step->src_len = left < TRAIL_LEN ? 0 : left - TRAIL_LEN;
    step->src = src + src_len - step->src_len;
    receiver->compressed += src_len - step->src_len;
    return result;
}

/* Inflates src, with the trail behind it where that saves a call. */
static int inflate_src(struct fws_deflate_receiver *receiver, struct fastws_deflate_step *step, int is_last) {
    size_t src_len = step->src_len;
    if (is_last && receiver->trail_off == 0 && is_short(src_len)) return inflate_joined(receiver, step);
    int result = inflate_piece(receiver, step, 0);
    receiver->compressed += src_len - step->src_len;
    return result;
}

/* Inflates what is left of the trail, and sees whether the message ends there. */
static int inflate_trail(struct fws_deflate_receiver *receiver, struct fastws_deflate_step *step) {
    if (receiver->trail_off < TRAIL_LEN && receiver->place != FWS_INFLATE_ENDED) {
        struct fastws_deflate_step piece = {.src = trail + receiver->trail_off,
                                            .src_len = (size_t)TRAIL_LEN - receiver->trail_off,
                                            .dst = step->dst,
                                            .dst_len = step->dst_len};
        int result = inflate_piece(receiver, &piece, TRAIL_LEN);
        receiver->trail_off = (uint8_t)(TRAIL_LEN - piece.src_len);
        step->dst = piece.dst;
        step->dst_len = piece.dst_len;
        if (result < 0) return result;
    }
    if (receiver->place == FWS_INFLATE_ENDED) return FASTWS_DEFLATE_DONE;
    if (receiver->trail_off < TRAIL_LEN) return FASTWS_DEFLATE_NEED_ROOM;
    if (receiver->place == FWS_INFLATE_BETWEEN) return FASTWS_DEFLATE_DONE;
    /* Inside a block. If dst is full the rest of the block may have been read already, and wait to be written. */
    return step->dst_len == 0 ? FASTWS_DEFLATE_NEED_ROOM : FASTWS_ERR_DEFLATE_TRUNCATED;
}

/* Says what is to come, behind inflate_src(). */
static int go_on(struct fws_deflate_receiver *receiver, struct fastws_deflate_step *step, int is_last) {
    if (step->src_len > 0) return FASTWS_DEFLATE_NEED_ROOM;
    if (is_last) return inflate_trail(receiver, step);
    /* What zlib still has can only be seen when there is room for it. */
    return step->dst_len == 0 ? FASTWS_DEFLATE_NEED_ROOM : FASTWS_DEFLATE_NEED_INPUT;
}

/* Like fastws_deflate_inflate(), without a limit. */
static int inflate_freely(struct fws_deflate_receiver *receiver, struct fastws_deflate_step *step, int is_last) {
    size_t room = step->dst_len;
    int result = inflate_src(receiver, step, is_last);
    if (result == 0) result = go_on(receiver, step, is_last);
    receiver->inflated += room - step->dst_len;
    return result;
}

/* All that is allowed was written. Whether the message has one byte more shows where there is room for it. */
static int inflate_behind_limit(struct fws_deflate_receiver *receiver, struct fastws_deflate_step *step, int is_last,
                                int error) {
    uint8_t more;
    struct fastws_deflate_step probe = {.src = step->src, .src_len = step->src_len, .dst = &more, .dst_len = 1};
    int result = inflate_freely(receiver, &probe, is_last);
    step->src = probe.src;
    step->src_len = probe.src_len;
    return probe.dst_len == 0 ? error : result;
}

/* Each byte is judged by the compressed bytes up to it, and by no more, so that it makes no difference how they were
 * cut: with no room left zlib takes what the next byte needs, and stops there. */
static FWS_NOINLINE int inflate_step(struct fastws_deflate *deflate, struct fastws_deflate_step *step, int is_last) {
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    if (!receiver->is_open) TRY(begin(deflate));
    for (;;) {
        int error;
        uint64_t allowed = most_allowed(deflate, &error) - receiver->inflated;
        if (step->dst_len <= allowed) return inflate_freely(receiver, step, is_last);
        uint64_t compressed = receiver->compressed;
        size_t held_back = step->dst_len - (size_t)allowed;
        step->dst_len -= held_back;
        int result = inflate_freely(receiver, step, is_last);
        step->dst_len += held_back;
        if (result != FASTWS_DEFLATE_NEED_ROOM) return result;
        /* What was taken may allow more. */
        if (receiver->compressed == compressed) return inflate_behind_limit(receiver, step, is_last, error);
    }
}

/* Like inflate_step(), for a short message that has come whole, with room for no more than the limits allow: zlib takes
 * 200 ns for one of 100 bytes, so that each branch around it shows. */
static FWS_ALWAYS_INLINE int inflate_short(struct fastws_deflate *deflate, struct fastws_deflate_step *step) {
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    size_t room = step->dst_len;
    TRY(begin(deflate));
    int result = inflate_joined(receiver, step);
    int is_done = receiver->trail_off == TRAIL_LEN && receiver->place == FWS_INFLATE_BETWEEN;
    if (result == 0) result = is_done ? FASTWS_DEFLATE_DONE : go_on(receiver, step, 1);
    receiver->inflated = room - step->dst_len;
    return result;
}

/* Says whether a message that begins here can be inflated by inflate_short(). */
static int can_be_short(const struct fastws_deflate *deflate, const struct fastws_deflate_step *step) {
    const struct fastws_deflate_config *config = deflate->config;
    int is_free = config->max_ratio == 0 && (config->max_inflated == 0 || step->dst_len <= config->max_inflated);
    return is_free && !deflate->receiver.is_open && is_short(step->src_len);
}

int fastws_deflate_inflate(struct fastws_deflate *deflate, struct fastws_deflate_step *step, int is_last) {
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    if (receiver->error != 0) return receiver->error;
    int result = is_last && can_be_short(deflate, step) ? inflate_short(deflate, step)
                                                        : inflate_step(deflate, step, is_last);
    if (result == FASTWS_DEFLATE_DONE) finish(receiver);
    if (result < 0) {
        receiver->error = result;
        fws_deflate_return(&receiver->stream);
    }
    return result;
}

/* ---- Into a buffer ---- */

/* Returns how much to add: a guess at what src inflates to, or as much again as there is. zlib is at its fastest where
 * 258 bytes are free, so a message of a hundred gets more, too. */
static size_t next_room(const struct fastws_deflate_buffer *out, size_t src_len) {
    enum { FIRST_MIN = 1024, FIRST_MAX = 4096 };
    if (out->len > FIRST_MAX / 2) return out->len;
    return src_len > FIRST_MAX / 4 ? FIRST_MAX : src_len < FIRST_MIN / 4 ? FIRST_MIN : 4 * src_len;
}

static int check_text(struct fastws_utf8 *utf8, const uint8_t *src, size_t len, int is_done) {
    TRY(fastws_utf8_update(utf8, src, len));
    return is_done ? fastws_utf8_finish(utf8) : 0;
}

static int decompress(struct fastws_deflate *deflate, struct fastws_deflate_step *step, int is_last,
                      struct fastws_deflate_buffer *out, struct fastws_utf8 *utf8) {
    int result;
    do {
        /* Without room the end of a message can still be seen. */
        if (out->cap == out->len && !out->is_fixed)
            TRY(fws_deflate_buffer_room(out, next_room(out, step->src_len)));
        step->dst = out->cap > 0 ? out->ptr + out->len : NULL;
        step->dst_len = out->cap - out->len;
        size_t before = step->dst_len;
        result = fastws_deflate_inflate(deflate, step, is_last);
        size_t written = before - step->dst_len;
        out->len += written;
        if (result < 0) return result;
        if (utf8 != NULL)
            TRY(check_text(utf8, out->ptr + out->len - written, written, result == FASTWS_DEFLATE_DONE));
        if (result == FASTWS_DEFLATE_NEED_ROOM && out->is_fixed)
            return step->src_len == 0 && !is_last ? FASTWS_DEFLATE_NEED_INPUT : FASTWS_ERR_BUFFER_SIZE;
    } while (result == FASTWS_DEFLATE_NEED_ROOM);
    return result;
}

int fastws_deflate_decompress(struct fastws_deflate *deflate, const void *src, size_t len, int is_last,
                              struct fastws_deflate_buffer *out, struct fastws_utf8 *utf8) {
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    struct fastws_deflate_step step = {.src = src, .src_len = len};
    int result = decompress(deflate, &step, is_last, out, utf8);
    if (result < 0 && receiver->error == 0) {
        receiver->error = result;
        fws_deflate_return(&receiver->stream);
    }
    return result;
}
