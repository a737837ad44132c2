/* SPDX-License-Identifier: MIT */
/* Begins and ends the compression of a connection, and says what it holds in between. */
#include "deflate.h"

#include "buf.h"

/* ---- Configuration ---- */

void fastws_deflate_config_init(struct fastws_deflate_config *config, enum fastws_deflate_mode mode) {
    uint8_t is_takeover = mode == FASTWS_DEFLATE_TAKEOVER;
    *config = (struct fastws_deflate_config){
        .size = sizeof *config,
        .mode = (uint8_t)mode,
        .is_peer_takeover = is_takeover,
        /* A stream of 15 and 8 takes 262 KiB, one of 12 and 5 takes 38 and compresses JSON by 2 % less. */
        .window_bits = is_takeover ? 12 : FASTWS_DEFLATE_BITS_MAX,
        .peer_window_bits = FASTWS_DEFLATE_BITS_MAX,
        .is_any_bits_offered = 1,
        .level = 1,
        .memory_level = is_takeover ? 5 : 8,
        .tail_len = 1024,
        .threshold = 64,
        .max_inflated = 16u << 20,
    };
}

static int is_between(unsigned value, unsigned first, unsigned last) {
    return value >= first && value <= last;
}

int fws_deflate_check_config(const struct fastws_deflate_config *config) {
    if (config->size != sizeof *config) return FASTWS_ERR_ARGUMENT;
    int is_sound = is_between(config->mode, FASTWS_DEFLATE_TAKEOVER, FASTWS_DEFLATE_NO_TAKEOVER) &&
                   is_between(config->window_bits, FASTWS_DEFLATE_BITS_MIN, FASTWS_DEFLATE_BITS_MAX) &&
                   is_between(config->peer_window_bits, FASTWS_DEFLATE_BITS_MIN, FASTWS_DEFLATE_BITS_MAX) &&
                   config->is_peer_takeover <= 1 && config->is_peer_bits_required <= 1 &&
                   config->is_any_bits_offered <= 1 && config->is_binary_skipped <= 1 && config->level <= 9 &&
                   is_between(config->memory_level, 1, 9) && config->strategy <= 4 &&
                   is_between(config->tail_len, 256, 32768);
    return is_sound ? 0 : FASTWS_ERR_ARGUMENT;
}

/* ---- Life ---- */

size_t fastws_deflate_sizeof(void) { return sizeof(struct fastws_deflate); }

static uint8_t bits_or_most(uint8_t bits) { return bits != 0 ? bits : FASTWS_DEFLATE_BITS_MAX; }

int fastws_deflate_init(void *memory, const struct fastws_deflate_config *config, unsigned role,
                        const struct fastws_deflate_params *agreed, struct fastws_deflate_pool *pool) {
    TRY(fws_deflate_check_config(config));
    TRY(fws_deflate_check_agreed(agreed));
    if (role != FASTWS_STATE_SERVER && role != FASTWS_STATE_CLIENT) return FASTWS_ERR_ARGUMENT;
    if (!fastws_deflate_is_available()) return FASTWS_ERR_DEFLATE_UNAVAILABLE;
    int is_server = role == FASTWS_STATE_SERVER;
    uint8_t server_bits = bits_or_most(agreed->server_max_window_bits);
    uint8_t client_bits = bits_or_most(agreed->client_max_window_bits);
    uint8_t own_bits = is_server ? server_bits : client_bits;
    struct fastws_deflate *deflate = memory;
    *deflate = (struct fastws_deflate){.config = config, .pool = pool, .agreed = *agreed};
    struct fws_deflate_sender *sender = &deflate->sender;
    sender->is_takeover = config->mode != FASTWS_DEFLATE_NO_TAKEOVER &&
                          !(is_server ? agreed->server_no_context_takeover : agreed->client_no_context_takeover);
    sender->window_bits = own_bits < config->window_bits ? own_bits : config->window_bits;
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    receiver->is_takeover = !(is_server ? agreed->client_no_context_takeover : agreed->server_no_context_takeover);
    receiver->window_bits = is_server ? client_bits : server_bits;
    return 0;
}

int fastws_deflate_new(const struct fastws_deflate_config *config, unsigned role,
                       const struct fastws_deflate_params *agreed, struct fastws_deflate_pool *pool,
                       struct fastws_deflate **out) {
    struct fastws_deflate deflate;
    TRY(fastws_deflate_init(&deflate, config, role, agreed, pool));
    struct fastws_deflate *memory = pool->allocator->allocate(pool->allocator->context, sizeof *memory);
    if (memory == NULL) return FASTWS_ERR_NOMEM;
    *memory = deflate;
    memory->is_allocated = 1;
    *out = memory;
    return 0;
}

void fastws_deflate_free(struct fastws_deflate *deflate) {
    if (deflate == NULL) return;
    struct fastws_deflate_pool *pool = deflate->pool;
    fws_deflate_return(&deflate->sender.stream);
    fws_deflate_return(&deflate->receiver.stream);
    fws_history_free(&deflate->sender.tail, pool, &pool->stats.tails);
    fws_history_free(&deflate->receiver.window, pool, &pool->stats.windows);
    if (deflate->is_allocated) pool->allocator->release(pool->allocator->context, deflate, sizeof *deflate);
}

static size_t held_by(const struct fws_stream *stream) { return stream != NULL ? stream->held : 0; }

size_t fastws_deflate_held(const struct fastws_deflate *deflate) {
    return held_by(deflate->sender.stream) + held_by(deflate->receiver.stream) + deflate->sender.tail.cap +
           deflate->receiver.window.cap;
}

/* ---- What is kept between messages ---- */

void fws_history_free(struct fws_history *history, struct fastws_deflate_pool *pool, size_t *account) {
    if (history->ptr != NULL) fws_deflate_release(pool, history->ptr, history->cap, account);
    *history = (struct fws_history){0};
}

static int history_make(struct fws_history *history, struct fastws_deflate_pool *pool, size_t *account, size_t cap) {
    uint8_t *ptr = fws_deflate_allocate(pool, cap, account);
    if (ptr == NULL) return FASTWS_ERR_NOMEM;
    *history = (struct fws_history){.ptr = ptr, .cap = cap};
    return 0;
}

int fws_tail_reserve(struct fastws_deflate *deflate) {
    struct fws_history *tail = &deflate->sender.tail;
    if (tail->ptr != NULL) return 0;
    size_t window = (size_t)1 << deflate->sender.window_bits;
    size_t cap = deflate->config->tail_len < window ? deflate->config->tail_len : window;
    return history_make(tail, deflate->pool, &deflate->pool->stats.tails, cap);
}

void fws_tail_append(struct fastws_deflate *deflate, const void *src, size_t len) {
    struct fws_history *tail = &deflate->sender.tail;
    const uint8_t *bytes = src;
    if (len == 0) return;
    if (len >= tail->cap) {
        memcpy(tail->ptr, bytes + len - tail->cap, tail->cap);
        tail->len = tail->cap;
        return;
    }
    size_t kept = tail->len < tail->cap - len ? tail->len : tail->cap - len;
    memmove(tail->ptr, tail->ptr + tail->len - kept, kept);
    memcpy(tail->ptr + kept, bytes, len);
    tail->len = kept + len;
}

/* Takes the end of what was sent out of the stream that has it. Where memory is lacking, the stream stays. */
static void park_sender(struct fastws_deflate *deflate) {
    struct fws_deflate_sender *sender = &deflate->sender;
    struct fastws_deflate_pool *pool = deflate->pool;
    struct fws_history window;
    if (history_make(&window, pool, &pool->stats.tails, (size_t)1 << sender->stream->kind.window_bits) < 0) return;
    if (fws_tail_reserve(deflate) == 0) {
        fws_tail_append(deflate, window.ptr, fws_stream_get_window(sender->stream, window.ptr));
        fws_deflate_return(&sender->stream);
    }
    fws_history_free(&window, pool, &pool->stats.tails);
}

/* Takes the peer's window out of the stream that has it. Where memory is lacking, the stream stays. */
static void park_receiver(struct fastws_deflate *deflate) {
    struct fws_deflate_receiver *receiver = &deflate->receiver;
    size_t len = fws_stream_get_window(receiver->stream, NULL);
    if (len > 0) {
        if (history_make(&receiver->window, deflate->pool, &deflate->pool->stats.windows, len) < 0) return;
        receiver->window.len = fws_stream_get_window(receiver->stream, receiver->window.ptr);
    }
    fws_deflate_return(&receiver->stream);
}

void fastws_deflate_idle(struct fastws_deflate *deflate) {
    if (deflate->sender.stream != NULL && !deflate->sender.is_open) park_sender(deflate);
    if (deflate->receiver.stream != NULL && !deflate->receiver.is_open) park_receiver(deflate);
}

/* ---- Buffers ---- */

int fws_deflate_buffer_room(struct fastws_deflate_buffer *buffer, size_t len) {
    size_t room = buffer->cap - buffer->len;
    if (buffer->is_fixed) return room > 0 ? 0 : FASTWS_ERR_BUFFER_SIZE;
    if (room >= len) return 0;
    if (len > SIZE_MAX / 2 - buffer->len) return FASTWS_ERR_NOMEM;
    const struct fastws_allocator *allocator = fws_allocator_or_default(buffer->allocator);
    size_t cap = buffer->len + len;
    uint8_t *ptr = buffer->ptr != NULL ? allocator->resize(allocator->context, buffer->ptr, buffer->cap, cap)
                                       : allocator->allocate(allocator->context, cap);
    if (ptr == NULL) return FASTWS_ERR_NOMEM;
    buffer->ptr = ptr;
    buffer->cap = cap;
    return 0;
}

void fastws_deflate_buffer_free(struct fastws_deflate_buffer *buffer) {
    const struct fastws_allocator *allocator = fws_allocator_or_default(buffer->allocator);
    if (!buffer->is_fixed && buffer->ptr != NULL) {
        allocator->release(allocator->context, buffer->ptr, buffer->cap);
        buffer->ptr = NULL;
        buffer->cap = 0;
    }
    buffer->len = 0;
}
