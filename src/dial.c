/* SPDX-License-Identifier: MIT */
/* The client half of the opening handshake: makes the request, and tells what came of it. dial_feed.c reads the answer.
 */
#include "dial.h"

#include <fastws/error.h>

#include "base64.h"
#include "buf.h"
#include "dial_request.h"
#include "platform.h"
#include "random.h"
#include "url.h"

enum { NONCE_LEN = 16 /* RFC 6455 4.1, item 7 */ };

/* ---- Life ---- */

static const struct fastws_dial_config default_config = {
    .size = sizeof default_config, .head_max = 16 * 1024, .header_count_max = 128, .body_max = 64 * 1024};

void fastws_dial_config_init(struct fastws_dial_config *config) { *config = default_config; }

size_t fastws_dial_sizeof(void) { return sizeof(struct fastws_dialer); }

static const char *request_of(const struct fastws_dialer *dial) {
    return dial->request.ptr != NULL ? dial->request.ptr : dial->short_request;
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
    size_t len =
        fws_dial_request_write(dial->short_request, FWS_SHORT_REQUEST_CAP, dial->config, url, key, credentials);
    dial->request.len = len;
    if (len <= FWS_SHORT_REQUEST_CAP) return 0;
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
    struct fws_dial_block block = {dial->allocator->allocate(dial->allocator->context, cap), cap, 0};
    if (block.ptr == NULL) return FASTWS_ERR_NOMEM;
    ptrdiff_t plain_len = fws_url_credentials(block.ptr, plain_cap, url, &user_len);
    int result = (int)plain_len;
    if (plain_len >= 0) {
        char *text = block.ptr + plain_cap;
        fws_base64_encode(text, block.ptr, (size_t)plain_len);
        struct fastws_slice credentials = {text, FWS_BASE64_LEN((size_t)plain_len)};
        result = write_request(dial, url, key, credentials);
    }
    fws_dial_release(dial->allocator, &block);
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
    fws_dial_release(dial->allocator, &dial->request);
    fws_dial_release(dial->allocator, &dial->head);
    fws_dial_release(dial->allocator, &dial->body);
    if (dial->is_allocated) dial->allocator->release(dial->allocator->context, dial, sizeof *dial);
}

void fastws_dial_request(const struct fastws_dialer *dial, const void **ptr, size_t *len) {
    *ptr = request_of(dial);
    *len = dial->request.len;
}

/* ---- Results ---- */

int fastws_dial_status(const struct fastws_dialer *dial) { return dial->answer.status; }

int fastws_dial_status_line(const struct fastws_dialer *dial, struct fastws_http_status_line *out) {
    if (!dial->is_head_complete) return FASTWS_ERR_STATE;
    const struct fws_answer *answer = &dial->answer;
    *out = (struct fastws_http_status_line){.version_major = answer->version_major,
                                            .version_minor = answer->version_minor,
                                            .status = (uint16_t)answer->status,
                                            .reason = fws_dial_slice(dial, answer->reason)};
    return 0;
}

int fastws_dial_protocol(const struct fastws_dialer *dial, struct fastws_slice *out) {
    if (dial->phase != FWS_DIALER_OPEN) return FASTWS_ERR_STATE;
    int has_protocol = fws_answer_has_protocol(&dial->answer);
    *out = has_protocol ? dial->config->protocols[dial->answer.protocol_rank] : (struct fastws_slice){NULL, 0};
    return has_protocol;
}

int fastws_dial_deflate(const struct fastws_dialer *dial, struct fastws_deflate_params *out) {
    if (dial->phase != FWS_DIALER_OPEN) return FASTWS_ERR_STATE;
    if (dial->answer.has_deflate) *out = dial->answer.deflate;
    return dial->answer.has_deflate;
}

int fastws_dial_next_header(const struct fastws_dialer *dial, size_t *place, struct fastws_http_header *out) {
    if (!dial->is_head_complete) return FASTWS_ERR_STATE;
    size_t off = dial->final_off + *place, pos = 0;
    /* It was parsed before: there are no other results than these two. */
    if (fastws_http_parse_header(out, fws_dial_head(dial) + off, dial->line_off - off, &pos) != FASTWS_HTTP_HEADER)
        return 0;
    *place += pos;
    return 1;
}

int fastws_dial_location(const struct fastws_dialer *dial, struct fastws_slice *out) {
    if (!dial->is_redirected) return FASTWS_ERR_STATE;
    *out = fws_dial_slice(dial, dial->answer.location);
    return 0;
}
