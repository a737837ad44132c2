/* SPDX-License-Identifier: MIT */
/* A connection with blocking I/O: its life. */
#define _POSIX_C_SOURCE 200809L
#include "stream.h"

#include <fastws/error.h>
#include <fastws/random.h>

#include "../buf.h"
#include "io.h"

static pthread_once_t fork_handler_once = PTHREAD_ONCE_INIT;
static int fork_handler_error;

/* RFC 6455 10.3: masking keys are unpredictable. A child must not draw those that its parent has buffered. */
static void register_fork_handler(void) { fork_handler_error = pthread_atfork(NULL, NULL, fastws_random_discard); }

/* The conditions are waited for by the clock of the deadlines. */
static int init_locks(struct fastws_stream *stream) {
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return FASTWS_ERR_NOMEM;
    int failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
                 pthread_cond_init(&stream->written, &attributes) != 0;
    pthread_condattr_destroy(&attributes);
    if (failed) return FASTWS_ERR_NOMEM;
    if (pthread_mutex_init(&stream->lock, NULL) == 0) return 0;
    pthread_cond_destroy(&stream->written);
    return FASTWS_ERR_NOMEM;
}

static uint64_t shortest_ms(const struct fastws_conn_config *config) {
    const uint32_t times[] = {config->ping_interval_ms, config->ping_timeout_ms, config->close_timeout_ms};
    uint64_t shortest = 0;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (times[i] != 0 && (shortest == 0 || times[i] < shortest)) shortest = times[i];
    }
    return shortest;
}

/* Copies what came behind the handshake: NULL for nothing. */
static int copy_initial(const struct fastws_allocator *allocator, const void *initial, size_t len, uint8_t **out) {
    *out = NULL;
    if (len == 0) return 0;
    *out = allocator->allocate(allocator->context, len);
    if (*out == NULL) return FASTWS_ERR_NOMEM;
    memcpy(*out, initial, len);
    return 0;
}

void fws_stream_release_initial(struct fastws_stream *stream) {
    if (stream->initial == NULL) return;
    stream->allocator->release(stream->allocator->context, stream->initial, stream->initial_len);
    stream->initial = NULL;
    stream->initial_off = stream->initial_len = 0;
}

/* Sets what depends on the peer; the rest of a stream outlives it. The connection has judged config. */
static void meet_peer(struct fastws_stream *stream, const struct fastws_io *io, const struct fastws_conn_config *config,
                      uint8_t *initial, size_t len) {
    stream->io = *io;
    stream->config = config;
    stream->recheck_ms = shortest_ms(config);
    stream->raw_left = 0;
    stream->read_error = stream->write_error = 0;
    stream->corks = 0;
    stream->is_eof = 0;
    stream->parts = FWS_PARTS_NONE;
    stream->is_more_due = 0;
    stream->unread_len = 0;
    stream->initial = initial;
    stream->initial_len = len;
    stream->initial_off = 0;
}

/* Makes what a stream stands on, in memory that is all zero but for allocator and pool; what was made is left in place
 * on failure. */
static int build(struct fastws_stream *stream, const struct fastws_io *io, const struct fastws_conn_config *config,
                 const void *initial, size_t len) {
    pthread_once(&fork_handler_once, register_fork_handler);
    if (fork_handler_error != 0) return FASTWS_ERR_NOMEM;
    fastws_pool_set_now(stream->pool, fws_clock_us());
    TRY(fastws_conn_new(config, stream->pool, &stream->conn));
    uint8_t *copy;
    TRY(copy_initial(stream->allocator, initial, len, &copy));
    meet_peer(stream, io, config, copy, len);
    return init_locks(stream);
}

/* Frees what build() made but the locks, and the rest. */
static void release(struct fastws_stream *stream) {
    const struct fastws_allocator *allocator = stream->allocator;
    fws_stream_release_initial(stream);
    fastws_conn_free(stream->conn);
    fastws_pool_free(stream->pool);
    allocator->release(allocator->context, stream, sizeof *stream);
}

int fastws_stream_open_with(const struct fastws_io *io, const struct fastws_conn_config *config,
                            const struct fastws_pool_config *pool_config, const void *initial, size_t len,
                            struct fastws_stream **out) {
    if (io->read == NULL || io->writev == NULL) return FASTWS_ERR_ARGUMENT;
    struct fastws_pool *pool;
    TRY(fastws_pool_new(pool_config, &pool)); /* judges pool_config->size first */
    const struct fastws_allocator *allocator = fws_allocator_or_default(pool_config ? pool_config->allocator : NULL);
    struct fastws_stream *stream = allocator->allocate(allocator->context, sizeof *stream);
    if (stream == NULL) {
        fastws_pool_free(pool);
        return FASTWS_ERR_NOMEM;
    }
    memset(stream, 0, sizeof *stream);
    stream->allocator = allocator;
    stream->pool = pool;
    int error = build(stream, io, config, initial, len);
    if (error < 0) {
        release(stream);
        return error;
    }
    *out = stream;
    return 0;
}

int fastws_stream_open(const struct fastws_io *io, const struct fastws_conn_config *config, const void *initial,
                       size_t len, struct fastws_stream **out) {
    return fastws_stream_open_with(io, config, NULL, initial, len, out);
}

int fws_stream_open_agreed(const struct fastws_io *io, const struct fastws_conn_config *config,
                           const struct fastws_deflate_config *deflate, const struct fastws_deflate_params *params,
                           struct fastws_slice initial, struct fastws_stream **out) {
    struct fastws_stream *stream;
    TRY(fastws_stream_open(io, config, initial.ptr, initial.len, &stream));
    int error = params != NULL ? fastws_stream_set_deflate(stream, deflate, params) : 0;
    if (error < 0) {
        fws_stream_dispose(stream);
        return error;
    }
    *out = stream;
    return 0;
}

int fastws_stream_reset(struct fastws_stream *stream, const struct fastws_io *io,
                        const struct fastws_conn_config *config, const void *initial, size_t len) {
    if (io->read == NULL || io->writev == NULL) return FASTWS_ERR_ARGUMENT;
    uint8_t *copy;
    TRY(copy_initial(stream->allocator, initial, len, &copy));
    fastws_pool_set_now(stream->pool, fws_clock_us());
    int error = fastws_conn_reset(stream->conn, config);
    if (error < 0) {
        if (copy != NULL) stream->allocator->release(stream->allocator->context, copy, len);
        return error;
    }
    if (stream->io.close != NULL) stream->io.close(stream->io.ctx);
    fws_stream_release_initial(stream);
    meet_peer(stream, io, config != NULL ? config : stream->config, copy, len);
    return 0;
}

void fws_stream_dispose(struct fastws_stream *stream) {
    pthread_mutex_destroy(&stream->lock);
    pthread_cond_destroy(&stream->written);
    release(stream);
}

void fastws_stream_free(struct fastws_stream *stream) {
    if (stream == NULL) return;
    if (stream->io.close != NULL) stream->io.close(stream->io.ctx);
    fws_stream_dispose(stream);
}

/* ---- Compression ---- */

int fastws_stream_set_deflate(struct fastws_stream *stream, const struct fastws_deflate_config *config,
                              const struct fastws_deflate_params *agreed) {
    fws_stream_enter(stream);
    int error = fastws_conn_set_deflate(stream->conn, config, agreed);
    fws_stream_leave(stream);
    return error;
}

void fastws_stream_idle(struct fastws_stream *stream) {
    fws_stream_enter(stream);
    fastws_conn_idle(stream->conn);
    fastws_pool_trim(stream->pool);
    fws_stream_leave(stream);
}

const struct fastws_conn *fastws_stream_get_conn(const struct fastws_stream *stream) { return stream->conn; }
