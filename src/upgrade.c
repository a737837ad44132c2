/* SPDX-License-Identifier: MIT */
/* The server half of the opening handshake: finds the lines of a head, has them judged, makes the answer. */
#include <fastws/upgrade.h>

#include <fastws/error.h>
#include <fastws/handshake.h>

#include "../simd/kernels.h"
#include "buf.h"
#include "deflate.h"
#include "platform.h"
#include "upgrade_request.h"
#include "upgrade_response.h"

enum {
    GATHERED_MIN = 1024,     /* bytes of the first block of a head that comes in pieces */
    SHORT_RESPONSE_CAP = 512, /* bytes of the longest response without a block of its own */
    EXTENSIONS_CAP = 160      /* bytes of the longest list of accepted extensions without one */
};

enum phase { PHASE_HEAD, PHASE_ACCEPTED, PHASE_REFUSED };

struct fastws_upgrade {
    const struct fastws_allocator *allocator;
    int is_allocated; /* by fastws_upgrade_new() */
    enum phase phase;
    struct fws_request request;

    char *gathered; /* block with the head so far; NULL while that lies in one piece in the caller's memory */
    size_t gathered_cap;
    size_t gathered_len;
    size_t line_off; /* where in the head the line starts that is parsed next */
    size_t line_pos; /* bytes of it that were looked at */

    char *long_response; /* block for a response that does not fit short_response */
    size_t long_response_cap;
    size_t response_len;
    char short_response[SHORT_RESPONSE_CAP];
    char short_extensions[EXTENSIONS_CAP];
};

/* ---- Life ---- */

static const struct fastws_upgrade_config default_config = {
    .size = sizeof default_config, .head_max = 16 * 1024, .header_count_max = 128};

void fastws_upgrade_config_init(struct fastws_upgrade_config *config) {
    *config = default_config;
}

static int check_config(const struct fastws_upgrade_config *config) {
    if (config->size != sizeof *config) return FASTWS_ERR_ARGUMENT;
    for (size_t i = 0; i < config->protocol_count; i++)
        if (!fastws_http_is_token(config->protocols[i])) return FASTWS_ERR_ARGUMENT;
    for (size_t i = 0; i < config->origin_count; i++)
        if (!fastws_origin_equals(config->origins[i], config->origins[i])) return FASTWS_ERR_ARGUMENT;
    if (config->deflate != NULL) TRY(fws_deflate_check_config(config->deflate));
    return fws_response_check(&config->headers);
}

size_t fastws_upgrade_sizeof(void) {
    return sizeof(struct fastws_upgrade);
}

/* Forgets the request. Blocks must have been released. */
static void start(struct fastws_upgrade *upgrade, const struct fastws_upgrade_config *config) {
    upgrade->phase = PHASE_HEAD;
    struct fws_request *request = &upgrade->request;
    request->config = config;
    request->allocator = upgrade->allocator;
    request->has_line = 0;
    request->seen = 0;
    request->header_count = 0;
    request->is_head_method = 0;
    request->target = (struct fastws_slice){NULL, 0};
    request->protocol = (struct fastws_slice){NULL, 0};
    request->host = (struct fastws_slice){NULL, 0};
    request->origin = (struct fastws_slice){NULL, 0};
    request->extensions = (struct fastws_http_text){upgrade->short_extensions, EXTENSIONS_CAP, 0};
    request->extensions_block = NULL;
    request->has_deflate = 0;
    upgrade->gathered = NULL;
    upgrade->gathered_cap = 0;
    upgrade->gathered_len = 0;
    upgrade->line_off = 0;
    upgrade->line_pos = 0;
    upgrade->long_response = NULL;
    upgrade->long_response_cap = 0;
    upgrade->response_len = 0;
}

int fastws_upgrade_init(void *memory, const struct fastws_upgrade_config *config,
                        const struct fastws_allocator *allocator) {
    struct fastws_upgrade *upgrade = memory;
    if (config == NULL) config = &default_config;
    TRY(check_config(config));
    upgrade->allocator = fws_allocator_or_default(allocator);
    upgrade->is_allocated = 0;
    start(upgrade, config);
    return 0;
}

int fastws_upgrade_new(const struct fastws_upgrade_config *config, const struct fastws_allocator *allocator,
                       struct fastws_upgrade **out) {
    allocator = fws_allocator_or_default(allocator);
    struct fastws_upgrade *upgrade = allocator->allocate(allocator->context, sizeof *upgrade);
    if (upgrade == NULL) return FASTWS_ERR_NOMEM;
    int result = fastws_upgrade_init(upgrade, config, allocator);
    if (result < 0) {
        allocator->release(allocator->context, upgrade, sizeof *upgrade);
        return result;
    }
    upgrade->is_allocated = 1;
    *out = upgrade;
    return 0;
}

static void release_blocks(struct fastws_upgrade *upgrade) {
    const struct fastws_allocator *allocator = upgrade->allocator;
    if (upgrade->gathered) allocator->release(allocator->context, upgrade->gathered, upgrade->gathered_cap);
    if (upgrade->long_response)
        allocator->release(allocator->context, upgrade->long_response, upgrade->long_response_cap);
    const struct fws_request *request = &upgrade->request;
    if (request->extensions_block)
        allocator->release(allocator->context, request->extensions_block, request->extensions.cap);
}

void fastws_upgrade_reset(struct fastws_upgrade *upgrade) {
    release_blocks(upgrade);
    start(upgrade, upgrade->request.config);
}

void fastws_upgrade_free(struct fastws_upgrade *upgrade) {
    if (upgrade == NULL) return;
    release_blocks(upgrade);
    if (!upgrade->is_allocated) return;
    upgrade->allocator->release(upgrade->allocator->context, upgrade, sizeof *upgrade);
}

/* ---- The answer ---- */

typedef size_t write_function(char *dst, size_t cap, const struct fws_response *response);

/* Writes the response into the object, or into a block of its own if it is too long for that. */
static int write_response(struct fastws_upgrade *upgrade, write_function *write, const struct fws_response *response) {
    size_t len = write(upgrade->short_response, SHORT_RESPONSE_CAP, response);
    if (FWS_UNLIKELY(len > SHORT_RESPONSE_CAP)) {
        char *block = upgrade->allocator->allocate(upgrade->allocator->context, len);
        if (block == NULL) return FASTWS_ERR_NOMEM;
        upgrade->long_response = block;
        upgrade->long_response_cap = len;
        len = write(block, len, response);
    }
    upgrade->response_len = len;
    return 0;
}

static const char *get_response(const struct fastws_upgrade *upgrade) {
    return upgrade->long_response ? upgrade->long_response : upgrade->short_response;
}

/* Writes the answer to the key where the response left room for it. */
static void write_accept(struct fastws_upgrade *upgrade) {
    char *response = upgrade->long_response ? upgrade->long_response : upgrade->short_response;
    fws_kernels_active()->accept(response + FWS_RESPONSE_ACCEPT_OFF, upgrade->request.accept_state, NULL);
}

static int write_refusal(struct fastws_upgrade *upgrade, struct fws_response *response, int error) {
    if (response->status == 0) response->status = fastws_error_http_status(error);
    if (response->status == 0) response->status = 500;
    if (response->body.len == 0) {
        /* The peer learns what is wrong with its request, not what is wrong here. */
        int is_told = error != FASTWS_ERR_HANDSHAKE_REJECTED && response->status != 500;
        const char *body = !is_told ? fastws_http_status_text(response->status) : fastws_error_text(error);
        response->body = (struct fastws_slice){body, strlen(body)};
    }
    response->is_body_left_out = upgrade->request.is_head_method;
    return write_response(upgrade, fws_response_refused, response);
}

/* Takes over what a callback refused with. Returns the error to report: another one if that cannot be written. */
static int apply_reject(struct fws_response *response, const struct fastws_reject *reject) {
    if (reject->status != 0 && (reject->status < 200 || reject->status > 599)) return FASTWS_ERR_ARGUMENT;
    TRY(fws_response_check(&reject->headers));
    response->status = reject->status;
    response->body = reject->body;
    response->extra = reject->headers;
    return FASTWS_ERR_HANDSHAKE_REJECTED;
}

/* Makes the refusal ready. Returns the error, or one that came up on the way. */
static int refuse(struct fastws_upgrade *upgrade, int error) {
    struct fws_response response = {.fixed = upgrade->request.config->headers};
    if (error == FASTWS_ERR_HANDSHAKE_REJECTED) error = apply_reject(&response, &upgrade->request.reject);
    upgrade->phase = PHASE_REFUSED;
    if (write_refusal(upgrade, &response, error) == 0) return error;
    /* Without headers and body of others a refusal fits the object. */
    response = (struct fws_response){.status = 0};
    TRY(write_refusal(upgrade, &response, FASTWS_ERR_NOMEM));
    return FASTWS_ERR_NOMEM;
}

/* Judges the head as a whole and makes the 101 ready. */
static int accept_head(struct fastws_upgrade *upgrade) {
    struct fws_request *request = &upgrade->request;
    struct fws_response response;
    response.fixed = request->config->headers;
    response.extra = (struct fastws_http_headers){NULL, 0};
    TRY(fws_request_judge_end(request, &response.extra));
    TRY(fws_response_check(&response.extra));
    response.protocol = request->protocol;
    response.extensions = (struct fastws_slice){request->extensions.ptr, request->extensions.len};
    TRY(write_response(upgrade, fws_response_accepted, &response));
    write_accept(upgrade);
    if (request->protocol.len > 0) request->protocol.ptr = get_response(upgrade) + FWS_RESPONSE_PROTOCOL_OFF;
    upgrade->phase = PHASE_ACCEPTED;
    return 1;
}

/* Ends the request.
 *   result     1 when the head is complete, or an error
 *   head, len  what was received of the head, up to the byte that decided it; empty if another server has read it */
static int finish(struct fastws_upgrade *upgrade, int result, const char *head, size_t len) {
    const struct fastws_upgrade_config *config = upgrade->request.config;
    if (result == 1) result = accept_head(upgrade);
    if (result < 0) result = refuse(upgrade, result);
    if (FWS_UNLIKELY(config->on_end != NULL)) {
        struct fastws_slice received = {head, len};
        config->on_end(config->context, received, (struct fastws_slice){get_response(upgrade), upgrade->response_len});
    }
    return result;
}

/* ---- The head ---- */

/* Makes slices that point into the head follow it. */
static void move_slice(struct fastws_slice *slice, const char *from, const char *to) {
    if (slice->len > 0) slice->ptr = to + (slice->ptr - from);
}

/* Moves the head of len bytes to a new block with room for more. */
static int grow(struct fastws_upgrade *upgrade, const char *head, size_t len, size_t needed) {
    const struct fastws_upgrade_config *config = upgrade->request.config;
    const struct fastws_allocator *allocator = upgrade->allocator;
    size_t cap = upgrade->gathered_cap > 0 ? upgrade->gathered_cap : GATHERED_MIN;
    while (cap < needed) cap = cap <= SIZE_MAX / 2 ? 2 * cap : SIZE_MAX;
    if (config->head_max != 0 && cap > config->head_max) cap = config->head_max;
    char *block = allocator->allocate(allocator->context, cap);
    if (block == NULL) return FASTWS_ERR_NOMEM;
    memcpy(block, head, len);
    move_slice(&upgrade->request.target, head, block);
    move_slice(&upgrade->request.host, head, block);
    move_slice(&upgrade->request.origin, head, block);
    if (config->protocol) move_slice(&upgrade->request.protocol, head, block);
    if (upgrade->gathered) allocator->release(allocator->context, upgrade->gathered, upgrade->gathered_cap);
    upgrade->gathered = block;
    upgrade->gathered_cap = cap;
    upgrade->gathered_len = len;
    return 0;
}

/* Appends bytes to a head that is gathered already. */
static int gather(struct fastws_upgrade *upgrade, const void *src, size_t len) {
    size_t needed = upgrade->gathered_len + len;
    if (needed > upgrade->gathered_cap) TRY(grow(upgrade, upgrade->gathered, upgrade->gathered_len, needed));
    memcpy(upgrade->gathered + upgrade->gathered_len, src, len);
    upgrade->gathered_len = needed;
    return 0;
}

/* Says what becomes of a head that has not ended after len new bytes. */
static int keep(struct fastws_upgrade *upgrade, const char *head, size_t len, int is_full) {
    if (is_full) return FASTWS_ERR_HTTP_HEAD_TOO_LARGE;
    return upgrade->gathered ? 0 : grow(upgrade, head, len, len);
}

int fastws_upgrade_feed(struct fastws_upgrade *upgrade, const void *src, size_t len, size_t *used) {
    *used = 0;
    if (upgrade->phase >= PHASE_ACCEPTED) return FASTWS_ERR_STATE;
    if (len == 0) return FASTWS_NEED_MORE;
    /* What is over the limit is not looked at, so that the result is the same however the bytes are cut. */
    size_t head_max = upgrade->request.config->head_max;
    size_t before = upgrade->gathered_len;
    size_t room = head_max == 0 ? SIZE_MAX : head_max - before;
    size_t taken = len < room ? len : room;
    const char *head = src;
    if (before > 0) {
        int result = gather(upgrade, src, taken);
        if (result < 0) return finish(upgrade, result, upgrade->gathered, before);
        head = upgrade->gathered;
    }
    int result = fws_request_read(&upgrade->request, head, before + taken, &upgrade->line_off, &upgrade->line_pos);
    if (result == FASTWS_NEED_MORE) {
        *used = taken;
        result = keep(upgrade, head, taken, taken == room);
        return result < 0 ? finish(upgrade, result, head, before + taken) : FASTWS_NEED_MORE;
    }
    *used = upgrade->line_off + upgrade->line_pos - before;
    return finish(upgrade, result, head, before + *used);
}

static int judge_parsed(struct fastws_upgrade *upgrade, struct fastws_slice method, struct fastws_slice target,
                        const struct fastws_http_header *headers, size_t count) {
    if (!fastws_http_is_token(method)) return FASTWS_ERR_HTTP_REQUEST_LINE;
    if (!fastws_http_is_target(target)) return FASTWS_ERR_HTTP_TARGET;
    TRY(fws_request_judge_line(&upgrade->request, method, target));
    for (size_t i = 0; i < count; i++) {
        struct fastws_slice value = fastws_http_trim(headers[i].value);
        if (!fastws_http_is_token(headers[i].name)) return FASTWS_ERR_HTTP_HEADER_NAME;
        if (!fastws_http_is_value(value)) return FASTWS_ERR_HTTP_HEADER_VALUE;
        TRY(fws_request_judge_header(&upgrade->request, headers[i].name, value));
    }
    return 1;
}

int fastws_upgrade_parsed(struct fastws_upgrade *upgrade, struct fastws_slice method, struct fastws_slice target,
                          const struct fastws_http_header *headers, size_t count) {
    if (upgrade->phase != PHASE_HEAD || upgrade->gathered) return FASTWS_ERR_STATE;
    return finish(upgrade, judge_parsed(upgrade, method, target, headers, count), NULL, 0);
}

int fastws_upgrade_refuse(struct fastws_upgrade *upgrade, int error) {
    if (error >= 0) return FASTWS_ERR_ARGUMENT;
    if (upgrade->phase >= PHASE_ACCEPTED) return FASTWS_ERR_STATE;
    upgrade->request.reject = (struct fastws_reject){.status = 0};
    return finish(upgrade, error, upgrade->gathered, upgrade->gathered_len);
}

/* ---- Results ---- */

int fastws_upgrade_response(const struct fastws_upgrade *upgrade, const void **ptr, size_t *len) {
    if (upgrade->phase < PHASE_ACCEPTED) return FASTWS_ERR_STATE;
    *ptr = get_response(upgrade);
    *len = upgrade->response_len;
    return 0;
}

int fastws_upgrade_protocol(const struct fastws_upgrade *upgrade, struct fastws_slice *out) {
    if (upgrade->phase != PHASE_ACCEPTED) return FASTWS_ERR_STATE;
    *out = upgrade->request.protocol;
    return out->len > 0;
}

int fastws_upgrade_extensions(const struct fastws_upgrade *upgrade, struct fastws_slice *out) {
    if (upgrade->phase != PHASE_ACCEPTED) return FASTWS_ERR_STATE;
    const struct fastws_http_text *extensions = &upgrade->request.extensions;
    *out = (struct fastws_slice){extensions->ptr, extensions->len};
    return extensions->len > 0;
}

int fastws_upgrade_deflate(const struct fastws_upgrade *upgrade, struct fastws_deflate_params *out) {
    if (upgrade->phase != PHASE_ACCEPTED) return FASTWS_ERR_STATE;
    if (upgrade->request.has_deflate) *out = upgrade->request.deflate;
    return upgrade->request.has_deflate;
}

int fastws_upgrade_target(const struct fastws_upgrade *upgrade, struct fastws_slice *out) {
    if (upgrade->phase != PHASE_ACCEPTED) return FASTWS_ERR_STATE;
    *out = upgrade->request.target;
    return 0;
}
