/* SPDX-License-Identifier: MIT */
/* Runs the client's handshake over answers in every way they can arrive, and notes what comes of them. */
#ifndef TESTS_DIAL_RUNS_H
#define TESTS_DIAL_RUNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/dial.h>
#include <fastws/error.h>

#include "kernels/guard.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SLICE(literal) ((struct fastws_slice){literal, sizeof(literal) - 1})
#define TEXT(literal) {literal, sizeof(literal) - 1} /* where an initialiser has to be constant */

/* The lines of an answer that is accepted: the key is that of RFC 6455 1.3. */
#define LINE "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define END "\r\n"
#define REQUIRED UPGRADE CONNECTION ACCEPT
#define ANSWER LINE REQUIRED END

/* The nonce whose base64 is the key of RFC 6455 1.3. */
static inline int sample_nonce(void *context, void *dst, size_t len) {
    (void)context;
    assert_int_equal(len, 16);
    memcpy(dst, "the sample nonce", 16);
    return 0;
}

static const struct fastws_random sample_random = {sample_nonce, NULL};

/* What came of an answer. */
struct run {
    int result;
    int status;
    size_t used;
    char log[8192];      /* what the callbacks saw, one line each */
    char raw[8192];      /* what on_response saw */
    char protocol[64];
    char location[256];
    char headers[4096];  /* by fastws_dial_next_header() */
};

/* The context of the callbacks below: where they write. */
struct recorder {
    char log[8192];
    size_t len;
    char raw[8192];
    size_t raw_len;
    const char *refuse_at; /* a line of the log that is refused; NULL: none */
};

static inline int record(struct recorder *recorder, const char *what, struct fastws_slice a, struct fastws_slice b) {
    char *line = recorder->log + recorder->len;
    size_t cap = sizeof recorder->log - recorder->len;
    int len = snprintf(line, cap, "%s %.*s=%.*s", what, (int)a.len, a.len ? a.ptr : "", (int)b.len, b.len ? b.ptr : "");
    assert_true(len > 0 && (size_t)len + 1 < cap);
    int is_refused = recorder->refuse_at != NULL && strcmp(line, recorder->refuse_at) == 0;
    recorder->len += (size_t)len;
    recorder->log[recorder->len++] = '\n';
    return is_refused ? 7 : 0;
}

static inline int record_header(void *context, struct fastws_slice name, struct fastws_slice value) {
    return record(context, "header", name, value);
}

static inline int record_extension(void *context, const struct fastws_option *accepted) {
    return record(context, "extension", accepted->name, fastws_option_text(accepted));
}

static inline void record_status_error(void *context, const struct fastws_dial_refusal *refusal) {
    char status[32];
    snprintf(status, sizeof status, "status %d%s", refusal->status, refusal->is_body_cut ? " cut" : "");
    (void)record(context, status, refusal->reason, refusal->body);
    for (size_t i = 0; i < refusal->headers.count; i++)
        (void)record(context, "of", refusal->headers.ptr[i].name, refusal->headers.ptr[i].value);
}

static inline void record_response(void *context, struct fastws_slice bytes) {
    struct recorder *recorder = context;
    assert_true(bytes.len > 0 && recorder->raw_len + bytes.len < sizeof recorder->raw);
    memcpy(recorder->raw + recorder->raw_len, bytes.ptr, bytes.len);
    recorder->raw_len += bytes.len;
}

/* A configuration whose callbacks write into the recorder, and whose key is the sample. */
static inline struct fastws_dial_config recording_config(struct recorder *recorder) {
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.random = &sample_random;
    config.context = recorder;
    config.on_header = record_header;
    config.on_extension = record_extension;
    config.on_status_error = record_status_error;
    config.on_response = record_response;
    return config;
}

static inline struct fastws_dialer *open_dial(const struct fastws_dial_config *config, const char *address,
                                            const struct fastws_allocator *allocator) {
    struct fastws_url url;
    struct fastws_dialer *dial;
    assert_int_equal(fastws_url_parse(&url, address, strlen(address)), 0);
    assert_int_equal(fastws_dial_new(config, &url, allocator, &dial), 0);
    return dial;
}

/* Feeds a copy that ends where nothing may be read, and is gone after the call. */
static inline int feed(struct fastws_dialer *dial, const char *src, size_t len, size_t *used) {
    uint8_t *copy = guard_alloc_end(len);
    if (len > 0) memcpy(copy, src, len);
    int result = fastws_dial_feed(dial, copy, len, used);
    guard_free(copy, len);
    assert_true(*used <= len);
    if (result == FASTWS_NEED_MORE) assert_int_equal(*used, len);
    return result;
}

static inline void note_headers(const struct fastws_dialer *dial, struct run *run) {
    size_t place = 0, len = 0;
    struct fastws_http_header header;
    int result;
    while ((result = fastws_dial_next_header(dial, &place, &header)) > 0)
        len += (size_t)snprintf(run->headers + len, sizeof run->headers - len, "%.*s: %.*s\n", (int)header.name.len,
                                header.name.ptr, (int)header.value.len, header.value.len ? header.value.ptr : "");
    assert_true(result == 0 || result == FASTWS_ERR_STATE);
}

/* Feeds the answer in a first piece and pieces behind it, then its end if is_ended. */
static inline void run_pieces(struct run *run, const struct fastws_dial_config *config, const char *answer, size_t len,
                              size_t first, size_t piece, int is_ended) {
    memset(run, 0, sizeof *run);
    struct recorder *recorder = config->context;
    recorder->len = recorder->raw_len = 0;
    memset(recorder->log, 0, sizeof recorder->log);
    struct fastws_dialer *dial = open_dial(config, "ws://example.com/", NULL);
    size_t n = first;
    for (size_t off = 0; off < len && run->result == FASTWS_NEED_MORE; off += n, n = piece) {
        if (n > len - off) n = len - off;
        size_t used;
        run->result = feed(dial, answer + off, n, &used);
        run->used += used;
    }
    if (run->result == FASTWS_NEED_MORE && is_ended) run->result = fastws_dial_eof(dial);
    if (run->result != FASTWS_NEED_MORE) {
        size_t used = 1;
        assert_int_equal(fastws_dial_feed(dial, "x", 1, &used), FASTWS_ERR_STATE);
        assert_int_equal(used, 0);
        assert_int_equal(fastws_dial_eof(dial), FASTWS_ERR_STATE);
        assert_int_equal(fastws_dial_expire(dial), FASTWS_ERR_STATE);
    }
    struct fastws_slice slice;
    int has_protocol = fastws_dial_protocol(dial, &slice);
    assert_int_equal(has_protocol == FASTWS_ERR_STATE, run->result != 1);
    if (has_protocol > 0) memcpy(run->protocol, slice.ptr, slice.len);
    int has_location = fastws_dial_location(dial, &slice);
    assert_int_equal(has_location == 0, run->result == FASTWS_ERR_HANDSHAKE_REDIRECT);
    if (has_location == 0 && slice.len > 0) memcpy(run->location, slice.ptr, slice.len);
    note_headers(dial, run);
    run->status = fastws_dial_status(dial);
    memcpy(run->log, recorder->log, sizeof run->log);
    memcpy(run->raw, recorder->raw, recorder->raw_len);
    assert_int_equal(recorder->raw_len, run->used);
    fastws_dial_free(dial);
}

/* Runs an answer whole, byte by byte and cut at every position: all of it comes to the same. */
static inline void run_answer(struct run *run, const struct fastws_dial_config *config, const char *answer, size_t len,
                              int is_ended) {
    static struct run other;
    run_pieces(run, config, answer, len, len, 1, is_ended);
    assert_memory_equal(run->raw, answer, run->used);
    for (size_t first = 1; first <= len; first++) {
        run_pieces(&other, config, answer, len, first, first == 1 ? 1 : len, is_ended);
        if (other.result != run->result)
            fail_msg("%s: %d instead of %d, cut at %zu", answer, other.result, run->result, first);
        assert_memory_equal(&other, run, sizeof other);
    }
}

#endif
