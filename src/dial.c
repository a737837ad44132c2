/* SPDX-License-Identifier: MIT */
/* The client half of the opening handshake: makes the request, finds the lines of the answer, has them judged. */
#include <fastws/dial.h>

#include <fastws/error.h>

#include "base64.h"
#include "buf.h"
#include "dial_answer.h"
#include "dial_request.h"
#include "platform.h"
#include "random.h"
#include "url.h"

enum {
    NONCE_LEN = 16,          /* RFC 6455 4.1, item 7 */
    SHORT_REQUEST_CAP = 512, /* bytes of the longest request, and the longest head, without a block of their own */
    SHORT_HEAD_CAP = 1024,
    BODY_CAP_MIN = 1024 /* bytes of the first block of a body */
};

enum phase { PHASE_STATUS_LINE, PHASE_HEADERS, PHASE_BODY, PHASE_OPEN, PHASE_REFUSED };

/* Memory that grows. */
struct block {
    char *ptr; /* NULL: none */
    size_t cap;
    size_t len;
};

struct fastws_dialer {
    const struct fastws_allocator *allocator;
    int is_allocated; /* by fastws_dial_new() */
    int is_head_complete;
    int is_redirected;
    enum phase phase;
    const struct fastws_dial_config *config;
    struct fws_answer answer;
    struct block request; /* without a block its bytes are in short_request, and likewise below */
    struct block head;
    struct block body;
    size_t final_off;     /* where in the head the lines begin that the last status line introduces */
    size_t line_off;      /* where the line starts that is parsed next */
    size_t line_pos;      /* bytes of it that were looked at */
    char short_request[SHORT_REQUEST_CAP];
    char short_head[SHORT_HEAD_CAP];
};

/* ---- Life ---- */

static const struct fastws_dial_config default_config = {
    .size = sizeof default_config, .head_max = 16 * 1024, .header_count_max = 128, .body_max = 64 * 1024};

void fastws_dial_config_init(struct fastws_dial_config *config) { *config = default_config; }

size_t fastws_dial_sizeof(void) { return sizeof(struct fastws_dialer); }

static void release(const struct fastws_allocator *allocator, struct block *block) {
    if (block->ptr != NULL) allocator->release(allocator->context, block->ptr, block->cap);
    *block = (struct block){NULL, 0, 0};
}

static const char *request_of(const struct fastws_dialer *dial) {
    return dial->request.ptr != NULL ? dial->request.ptr : dial->short_request;
}

static const char *head_of(const struct fastws_dialer *dial) {
    return dial->head.ptr != NULL ? dial->head.ptr : dial->short_head;
}

/* ---- The request ---- */

static int make_key(struct fastws_dialer *dial, char key[FASTWS_KEY_LEN]) {
    const struct fastws_random *random = dial->config->random;
    uint8_t nonce[NONCE_LEN];
    TRY(random != NULL ? random->fill(random->context, nonce, sizeof nonce) : fws_random_system(nonce, sizeof nonce));
    fws_base64_encode(key, nonce, sizeof nonce);
    return fastws_accept_key(dial->answer.accept, key, FASTWS_KEY_LEN);
}

static int write_request(struct fastws_dialer *dial, const struct fastws_url *url, const char *key,
                         struct fastws_slice credentials) {
    size_t len = fws_dial_request_write(dial->short_request, SHORT_REQUEST_CAP, dial->config, url, key, credentials);
    dial->request.len = len;
    if (len <= SHORT_REQUEST_CAP) return 0;
    dial->request.ptr = dial->allocator->allocate(dial->allocator->context, len);
    if (dial->request.ptr == NULL) return FASTWS_ERR_NOMEM;
    dial->request.cap = len;
    fws_dial_request_write(dial->request.ptr, len, dial->config, url, key, credentials);
    return 0;
}

/* Does write_request() with user and password of the address: decoded, then in base64. RFC 7617. */
static int write_request_with_credentials(struct fastws_dialer *dial, const struct fastws_url *url, const char *key) {
    size_t plain_cap = url->user.len + url->password.len + 1, user_len;
    size_t cap = plain_cap + FWS_BASE64_LEN(plain_cap);
    struct block block = {dial->allocator->allocate(dial->allocator->context, cap), cap, 0};
    if (block.ptr == NULL) return FASTWS_ERR_NOMEM;
    ptrdiff_t plain_len = fws_url_credentials(block.ptr, plain_cap, url, &user_len);
    int result = (int)plain_len;
    if (plain_len >= 0) {
        char *text = block.ptr + plain_cap;
        fws_base64_encode(text, block.ptr, (size_t)plain_len);
        struct fastws_slice credentials = {text, FWS_BASE64_LEN((size_t)plain_len)};
        result = write_request(dial, url, key, credentials);
    }
    release(dial->allocator, &block);
    return result;
}

static int make_request(struct fastws_dialer *dial, const struct fastws_url *url) {
    char key[FASTWS_KEY_LEN];
    TRY(make_key(dial, key));
    if (url->has_userinfo && !fws_dial_request_has_authorization(dial->config)) {
        TRY(write_request_with_credentials(dial, url, key));
    } else {
        TRY(write_request(dial, url, key, (struct fastws_slice){NULL, 0}));
    }
    if (dial->config->on_request != NULL)
        dial->config->on_request(dial->config->context, (struct fastws_slice){request_of(dial), dial->request.len});
    return 0;
}

int fastws_dial_init(void *memory, const struct fastws_dial_config *config, const struct fastws_url *url,
                     const struct fastws_allocator *allocator) {
    struct fastws_dialer *dial = memory;
    if (config == NULL) config = &default_config;
    TRY(fws_dial_request_check(config));
    TRY(fws_dial_request_check_url(url));
    memset(dial, 0, offsetof(struct fastws_dialer, short_request));
    dial->allocator = fws_allocator_or_default(allocator);
    dial->config = config;
    dial->answer.config = config;
    return make_request(dial, url);
}

int fastws_dial_new(const struct fastws_dial_config *config, const struct fastws_url *url,
                    const struct fastws_allocator *allocator, struct fastws_dialer **out) {
    allocator = fws_allocator_or_default(allocator);
    struct fastws_dialer *dial = allocator->allocate(allocator->context, sizeof *dial);
    if (dial == NULL) return FASTWS_ERR_NOMEM;
    int result = fastws_dial_init(dial, config, url, allocator);
    if (result < 0) {
        allocator->release(allocator->context, dial, sizeof *dial);
        return result;
    }
    dial->is_allocated = 1;
    *out = dial;
    return 0;
}

void fastws_dial_free(struct fastws_dialer *dial) {
    if (dial == NULL) return;
    release(dial->allocator, &dial->request);
    release(dial->allocator, &dial->head);
    release(dial->allocator, &dial->body);
    if (dial->is_allocated) dial->allocator->release(dial->allocator->context, dial, sizeof *dial);
}

void fastws_dial_request(const struct fastws_dialer *dial, const void **ptr, size_t *len) {
    *ptr = request_of(dial);
    *len = dial->request.len;
}

/* ---- What is kept of the answer ---- */

/* Makes room for needed bytes in a block that doubles from cap_min up to max (0: no limit). needed is at most max. */
static int grow(const struct fastws_allocator *allocator, struct block *block, const char *old, size_t needed,
                size_t cap_min, size_t max) {
    size_t cap = block->cap > 0 ? block->cap : cap_min;
    while (cap < needed) cap = cap <= SIZE_MAX / 2 ? 2 * cap : SIZE_MAX;
    if (max != 0 && cap > max) cap = max;
    char *ptr = allocator->allocate(allocator->context, cap);
    if (ptr == NULL) return FASTWS_ERR_NOMEM;
    if (block->len > 0) memcpy(ptr, old, block->len);
    size_t len = block->len;
    release(allocator, block);
    *block = (struct block){ptr, cap, len};
    return 0;
}

static int keep_head(struct fastws_dialer *dial, const void *src, size_t len) {
    size_t needed = dial->head.len + len;
    size_t cap = dial->head.ptr != NULL ? dial->head.cap : SHORT_HEAD_CAP;
    if (needed > cap)
        TRY(grow(dial->allocator, &dial->head, head_of(dial), needed, 2 * SHORT_HEAD_CAP, dial->config->head_max));
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

static struct fastws_slice slice_of(const struct fastws_dialer *dial, struct fws_part part) {
    return (struct fastws_slice){head_of(dial) + part.off, part.len};
}

/* Shows the refusal. */
static int show_refusal(struct fastws_dialer *dial, int is_body_cut) {
    const struct fastws_allocator *allocator = dial->allocator;
    struct fastws_http_header header;
    size_t count = 0, place = 0;
    while (fastws_dial_next_header(dial, &place, &header) > 0) count++;
    size_t size = (count > 0 ? count : 1) * sizeof header;
    struct fastws_http_header *headers = allocator->allocate(allocator->context, size);
    if (headers == NULL) return FASTWS_ERR_NOMEM;
    place = 0;
    for (size_t i = 0; i < count; i++) (void)!fastws_dial_next_header(dial, &place, &headers[i]);
    struct fastws_dial_refusal refusal = {
        .status = dial->answer.status,
        .version_major = dial->answer.version_major,
        .version_minor = dial->answer.version_minor,
        .reason = slice_of(dial, dial->answer.reason),
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
    dial->phase = PHASE_BODY;
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
    dial->phase = PHASE_HEADERS;
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
        int result = dial->phase == PHASE_STATUS_LINE ? take_status_line(dial, head, len) : 1;
        if (result > 0) result = take_headers(dial, head, len);
        if (result <= 0 || !fws_answer_is_interim(&dial->answer)) return result;
        dial->phase = PHASE_STATUS_LINE;
    }
}

/* Judges a 101 as a whole and shows it. */
static int accept_answer(struct fastws_dialer *dial) {
    TRY(fws_answer_judge_end(&dial->answer));
    struct fastws_http_header header;
    size_t place = 0;
    while (fastws_dial_next_header(dial, &place, &header) > 0) TRY(fws_answer_show(dial->config, &header));
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
        head = head_of(dial);
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
    if (result > 0) dial->phase = PHASE_OPEN;
    if (result < 0) dial->phase = PHASE_REFUSED;
    return result;
}

int fastws_dial_feed(struct fastws_dialer *dial, const void *src, size_t len, size_t *used) {
    *used = 0;
    if (dial->phase >= PHASE_OPEN) return FASTWS_ERR_STATE;
    if (len == 0) return FASTWS_NEED_MORE;
    int is_body = dial->phase == PHASE_BODY;
    int result = end(dial, is_body ? take_body(dial, src, len, used) : take_head(dial, src, len, used));
    if (*used > 0 && dial->config->on_response != NULL)
        dial->config->on_response(dial->config->context, (struct fastws_slice){src, *used});
    return result;
}

int fastws_dial_eof(struct fastws_dialer *dial) {
    if (dial->phase >= PHASE_OPEN) return FASTWS_ERR_STATE;
    if (dial->phase == PHASE_BODY)
        return end(dial, finish_refusal(dial, dial->answer.body.state != FWS_BODY_UNTIL_END));
    return end(dial, FASTWS_ERR_UNEXPECTED_EOF);
}

int fastws_dial_expire(struct fastws_dialer *dial) {
    if (dial->phase >= PHASE_OPEN) return FASTWS_ERR_STATE;
    return end(dial, dial->phase == PHASE_BODY ? finish_refusal(dial, 1) : FASTWS_ERR_DIAL_TIMEOUT);
}

/* ---- Results ---- */

int fastws_dial_status(const struct fastws_dialer *dial) { return dial->answer.status; }

int fastws_dial_status_line(const struct fastws_dialer *dial, struct fastws_http_status_line *out) {
    if (!dial->is_head_complete) return FASTWS_ERR_STATE;
    const struct fws_answer *answer = &dial->answer;
    *out = (struct fastws_http_status_line){.version_major = answer->version_major,
                                            .version_minor = answer->version_minor,
                                            .status = (uint16_t)answer->status,
                                            .reason = slice_of(dial, answer->reason)};
    return 0;
}

int fastws_dial_protocol(const struct fastws_dialer *dial, struct fastws_slice *out) {
    if (dial->phase != PHASE_OPEN) return FASTWS_ERR_STATE;
    int has_protocol = fws_answer_has_protocol(&dial->answer);
    *out = has_protocol ? dial->config->protocols[dial->answer.protocol_rank] : (struct fastws_slice){NULL, 0};
    return has_protocol;
}

int fastws_dial_deflate(const struct fastws_dialer *dial, struct fastws_deflate_params *out) {
    if (dial->phase != PHASE_OPEN) return FASTWS_ERR_STATE;
    if (dial->answer.has_deflate) *out = dial->answer.deflate;
    return dial->answer.has_deflate;
}

int fastws_dial_next_header(const struct fastws_dialer *dial, size_t *place, struct fastws_http_header *out) {
    if (!dial->is_head_complete) return FASTWS_ERR_STATE;
    size_t off = dial->final_off + *place, pos = 0;
    /* It was parsed before: there are no other results than these two. */
    if (fastws_http_parse_header(out, head_of(dial) + off, dial->line_off - off, &pos) != FASTWS_HTTP_HEADER) return 0;
    *place += pos;
    return 1;
}

int fastws_dial_location(const struct fastws_dialer *dial, struct fastws_slice *out) {
    if (!dial->is_redirected) return FASTWS_ERR_STATE;
    *out = slice_of(dial, dial->answer.location);
    return 0;
}
