/* SPDX-License-Identifier: MIT */
/* Reads the answer to a client's request: finds its lines, has them judged, keeps its head and, where it refuses, its
 * body. */
#include "dial.h"

#include <string.h>

#include <fastws/error.h>

#include "platform.h"

enum { BODY_CAP_MIN = 1024 /* bytes of the first block */ };

/* ---- What is kept of the answer ---- */

/* Makes room for needed bytes in a block that doubles from cap_min up to max (0: no limit). needed is at most max. */
static int grow(const struct fastws_allocator *allocator, struct fws_dial_block *block, const char *old, size_t needed,
                size_t cap_min, size_t max) {
    size_t cap = block->cap > 0 ? block->cap : cap_min;
    while (cap < needed)
        cap = cap <= SIZE_MAX / 2 ? 2 * cap : SIZE_MAX;
    if (max != 0 && cap > max) cap = max;
    char *ptr = allocator->allocate(allocator->context, cap);
    if (ptr == NULL) return FASTWS_ERR_NOMEM;
    if (block->len > 0) memcpy(ptr, old, block->len);
    size_t len = block->len;
    fws_dial_release(allocator, block);
    *block = (struct fws_dial_block){ptr, cap, len};
    return 0;
}

static int keep_head(struct fastws_dialer *dial, const void *src, size_t len) {
    size_t needed = dial->head.len + len;
    size_t cap = dial->head.ptr != NULL ? dial->head.cap : FWS_SHORT_HEAD_CAP;
    if (needed > cap)
        TRY(grow(dial->allocator, &dial->head, fws_dial_head(dial), needed, 2 * FWS_SHORT_HEAD_CAP,
                 dial->config->head_max));
    char *dst = dial->head.ptr != NULL ? dial->head.ptr : dial->short_head;
    memcpy(dst + dial->head.len, src, len);
    dial->head.len = needed;
    return 0;
}

/* Keeps a piece of the body, as far as there is room. Returns 1 if all of it was kept, 0 if not, or an error. */
static int keep_body(struct fastws_dialer *dial, struct fastws_slice data) {
    size_t max = dial->config->body_max;
    size_t room = max == 0 ? SIZE_MAX - dial->body.len : max - dial->body.len;
    size_t len = data.len < room ? data.len : room;
    if (len > dial->body.cap - dial->body.len)
        TRY(grow(dial->allocator, &dial->body, dial->body.ptr, dial->body.len + len, BODY_CAP_MIN, max));
    if (len > 0) memcpy(dial->body.ptr + dial->body.len, data.ptr, len);
    dial->body.len += len;
    return len == data.len;
}

/* ---- Another answer than 101 ---- */

/* Shows the refusal. */
static int show_refusal(struct fastws_dialer *dial, int is_body_cut) {
    const struct fastws_allocator *allocator = dial->allocator;
    struct fastws_http_header header;
    size_t count = 0, place = 0;
    while (fastws_dial_next_header(dial, &place, &header) > 0)
        count++;
    size_t size = (count > 0 ? count : 1) * sizeof header;
    struct fastws_http_header *headers = allocator->allocate(allocator->context, size);
    if (headers == NULL) return FASTWS_ERR_NOMEM;
    place = 0;
    for (size_t i = 0; i < count; i++)
        (void)!fastws_dial_next_header(dial, &place, &headers[i]);
    struct fastws_dial_refusal refusal = {
        .status = dial->answer.status,
        .version_major = dial->answer.version_major,
        .version_minor = dial->answer.version_minor,
        .reason = fws_dial_slice(dial, dial->answer.reason),
        .headers = {headers, count},
        .body = {dial->body.ptr, dial->body.len},
        .is_body_cut = is_body_cut,
    };
    dial->config->on_status_error(dial->config->context, &refusal);
    allocator->release(allocator->context, headers, size);
    return 0;
}

static int finish_refusal(struct fastws_dialer *dial, int is_body_cut) {
    if (dial->config->on_status_error != NULL) TRY(show_refusal(dial, is_body_cut));
    return FASTWS_ERR_HANDSHAKE_STATUS;
}

/* Takes bytes of the body. Returns NEED_MORE or an error. */
static int take_body(struct fastws_dialer *dial, const char *src, size_t len, size_t *used) {
    struct fws_body *body = &dial->answer.body;
    while (*used < len) {
        struct fastws_slice data;
        *used += fws_body_take(body, src + *used, len - *used, &data);
        int is_kept = keep_body(dial, data);
        if (is_kept < 0) return is_kept;
        if (!is_kept) return finish_refusal(dial, 1);
        if (body->state == FWS_BODY_DONE || body->state == FWS_BODY_BAD) break;
    }
    if (body->state == FWS_BODY_DONE) return finish_refusal(dial, 0);
    return body->state == FWS_BODY_BAD ? finish_refusal(dial, 1) : FASTWS_NEED_MORE;
}

/* Goes on behind a head of another status than 101. src is all of what came, used what the head took of it. */
static int refuse(struct fastws_dialer *dial, const char *src, size_t len, size_t *used) {
    const struct fastws_dial_config *config = dial->config;
    if (config->is_redirect_told && fws_answer_is_redirect(&dial->answer)) {
        dial->is_redirected = 1;
        return FASTWS_ERR_HANDSHAKE_REDIRECT;
    }
    if (config->on_status_error == NULL && config->on_response == NULL) return FASTWS_ERR_HANDSHAKE_STATUS;
    fws_body_begin(&dial->answer.body, dial->answer.status);
    dial->phase = FWS_DIALER_BODY;
    return take_body(dial, src, len, used);
}

/* ---- The head ---- */

/* Steps behind the line that was parsed. */
static void next_line(struct fastws_dialer *dial) {
    dial->line_off += dial->line_pos;
    dial->line_pos = 0;
}

static int take_status_line(struct fastws_dialer *dial, const char *head, size_t len) {
    struct fastws_http_status_line line;
    size_t off = dial->line_off;
    int result = fastws_http_parse_status_line(&line, head + off, len - off, &dial->line_pos);
    if (result <= 0) return result;
    next_line(dial);
    TRY(fws_answer_judge_line(&dial->answer, head, &line));
    dial->final_off = dial->line_off;
    dial->phase = FWS_DIALER_HEADERS;
    return 1;
}

/* Takes the header lines that have arrived. Returns 1 after the last one, NEED_MORE or an error. */
static int take_headers(struct fastws_dialer *dial, const char *head, size_t len) {
    for (;;) {
        struct fastws_http_header header;
        size_t off = dial->line_off;
        int result = fastws_http_parse_header(&header, head + off, len - off, &dial->line_pos);
        if (result <= 0) return result;
        next_line(dial);
        if (result == FASTWS_HTTP_END) return 1;
        TRY(fws_answer_judge_header(&dial->answer, head, &header));
    }
}

/* Takes the lines that have arrived. Returns 1 after the last one of the last head, NEED_MORE or an error. */
static int take_lines(struct fastws_dialer *dial, const char *head, size_t len) {
    for (;;) {
        int result = dial->phase == FWS_DIALER_STATUS_LINE ? take_status_line(dial, head, len) : 1;
        if (result > 0) result = take_headers(dial, head, len);
        if (result <= 0 || !fws_answer_is_interim(&dial->answer)) return result;
        dial->phase = FWS_DIALER_STATUS_LINE;
    }
}

/* Judges a 101 as a whole and shows it. */
static int accept_answer(struct fastws_dialer *dial) {
    TRY(fws_answer_judge_end(&dial->answer));
    struct fastws_http_header header;
    size_t place = 0;
    while (fastws_dial_next_header(dial, &place, &header) > 0)
        TRY(fws_answer_show(dial->config, &header));
    return 1;
}

/* Takes bytes of the head, and of the body behind it. */
static int take_head(struct fastws_dialer *dial, const void *src, size_t len, size_t *used) {
    /* What is over the limit is not looked at, so that the result is the same however the bytes are cut. */
    size_t head_max = dial->config->head_max, before = dial->head.len;
    size_t room = head_max == 0 ? SIZE_MAX - before : head_max - before;
    size_t taken = len < room ? len : room;
    const char *head = src;
    if (before > 0) {
        TRY(keep_head(dial, src, taken));
        head = fws_dial_head(dial);
    }
    int result = take_lines(dial, head, before + taken);
    *used = result == FASTWS_NEED_MORE ? taken : dial->line_off + dial->line_pos - before;
    if (result == FASTWS_NEED_MORE && taken == room) return FASTWS_ERR_HTTP_HEAD_TOO_LARGE;
    if (result >= 0 && before == 0) TRY(keep_head(dial, src, *used));
    if (result <= 0) return result;
    dial->head.len = dial->line_off;
    dial->is_head_complete = 1;
    return dial->answer.status == 101 ? accept_answer(dial) : refuse(dial, src, len, used);
}

/* Ends the handshake with a result that ends it. */
static int end(struct fastws_dialer *dial, int result) {
    if (result > 0) dial->phase = FWS_DIALER_OPEN;
    if (result < 0) dial->phase = FWS_DIALER_REFUSED;
    return result;
}

int fastws_dial_feed(struct fastws_dialer *dial, const void *src, size_t len, size_t *used) {
    *used = 0;
    if (dial->phase >= FWS_DIALER_OPEN) return FASTWS_ERR_STATE;
    if (len == 0) return FASTWS_NEED_MORE;
    int is_body = dial->phase == FWS_DIALER_BODY;
    int result = end(dial, is_body ? take_body(dial, src, len, used) : take_head(dial, src, len, used));
    if (*used > 0 && dial->config->on_response != NULL)
        dial->config->on_response(dial->config->context, (struct fastws_slice){src, *used});
    return result;
}

int fastws_dial_eof(struct fastws_dialer *dial) {
    if (dial->phase >= FWS_DIALER_OPEN) return FASTWS_ERR_STATE;
    if (dial->phase == FWS_DIALER_BODY)
        return end(dial, finish_refusal(dial, dial->answer.body.state != FWS_BODY_UNTIL_END));
    return end(dial, FASTWS_ERR_UNEXPECTED_EOF);
}

int fastws_dial_expire(struct fastws_dialer *dial) {
    if (dial->phase >= FWS_DIALER_OPEN) return FASTWS_ERR_STATE;
    return end(dial, dial->phase == FWS_DIALER_BODY ? finish_refusal(dial, 1) : FASTWS_ERR_DIAL_TIMEOUT);
}
