/* SPDX-License-Identifier: MIT */
/* Runs upgrade requests in every way they can arrive, and notes what comes of them. For test_upgrade*.c. */
#ifndef TESTS_UPGRADE_RUNS_H
#define TESTS_UPGRADE_RUNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/upgrade.h>

#include "kernels/guard.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SLICE(literal) ((struct fastws_slice){literal, sizeof(literal) - 1})

/* The lines of a request that is accepted, and its answer: the key is that of RFC 6455 1.3. */
#define GET "GET /chat HTTP/1.1\r\n"
#define HOST "Host: example.com\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define END "\r\n"
#define REQUIRED HOST UPGRADE CONNECTION VERSION KEY
#define REQUEST GET REQUIRED END
#define ACCEPTED                                                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                                \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

/* What came of a request. */
struct run {
    int result;
    size_t used;
    size_t response_len;
    char response[8192]; /* ended by a NUL */
    char target[256];
    char protocol[64];
    char extensions[1024];
    char log[8192]; /* what the callbacks saw, one line each */
};

/* The context of the callbacks below: where they write. */
struct recorder {
    char log[8192];
    size_t len;
    const char *refuse_at; /* a line of the log that is refused; NULL: none */
    struct fastws_reject reject;
    const char *accept_protocol;
    struct fastws_http_headers extra;
};

/* Writes "what text" into the log. Returns -1 where the recorder was told to refuse. */
static inline int record(struct recorder *recorder, const char *what, struct fastws_slice text,
                         struct fastws_reject *reject) {
    char line[512];
    int len = snprintf(line, sizeof line, "%s %.*s", what, (int)text.len, text.ptr);
    assert_true(len > 0 && (size_t)len < sizeof line);
    assert_true(recorder->len + (size_t)len + 1 < sizeof recorder->log);
    memcpy(recorder->log + recorder->len, line, (size_t)len);
    recorder->len += (size_t)len;
    recorder->log[recorder->len++] = '\n';
    /* Nothing of an earlier callback is left. */
    assert_int_equal(reject->status, 0);
    assert_int_equal(reject->body.len, 0);
    assert_int_equal(reject->headers.count, 0);
    reject->status = 599;
    if (recorder->refuse_at == NULL || strcmp(line, recorder->refuse_at) != 0) return 0;
    *reject = recorder->reject;
    return -1;
}

static inline int record_request(void *context, struct fastws_slice target, struct fastws_reject *reject) {
    return record(context, "request", target, reject);
}

static inline int record_host(void *context, struct fastws_slice host, struct fastws_reject *reject) {
    return record(context, "host", host, reject);
}

static inline int record_header(void *context, struct fastws_slice name, struct fastws_slice value,
                                struct fastws_reject *reject) {
    char what[128];
    snprintf(what, sizeof what, "%.*s:", (int)name.len, name.ptr);
    return record(context, what, value, reject);
}

static inline int record_protocol(void *context, struct fastws_slice offered, struct fastws_reject *reject) {
    struct recorder *recorder = context;
    if (record(recorder, "protocol", offered, reject) < 0) return -1;
    const char *wanted = recorder->accept_protocol;
    return wanted && strlen(wanted) == offered.len && memcmp(wanted, offered.ptr, offered.len) == 0;
}

static inline int record_before_upgrade(void *context, struct fastws_http_headers *headers,
                                        struct fastws_reject *reject) {
    struct recorder *recorder = context;
    assert_int_equal(headers->count, 0);
    *headers = recorder->extra;
    return record(recorder, "before", SLICE("upgrade"), reject);
}

/* A configuration whose callbacks write into the recorder. */
static inline struct fastws_upgrade_config recording_config(struct recorder *recorder) {
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.context = recorder;
    config.on_request = record_request;
    config.on_host = record_host;
    config.on_header = record_header;
    config.on_before_upgrade = record_before_upgrade;
    return config;
}

/* Counts what is allocated, and can fail. */
struct counter {
    int allocations;
    int fail_at; /* number of the allocation that fails, and all after it; 0: none */
    size_t in_use;
    size_t in_use_max;
};

static inline void *count_allocate(void *context, size_t size) {
    struct counter *counter = context;
    counter->allocations++;
    assert_true(size > 0);
    if (counter->fail_at != 0 && counter->allocations >= counter->fail_at) return NULL;
    counter->in_use += size;
    if (counter->in_use > counter->in_use_max) counter->in_use_max = counter->in_use;
    return malloc(size);
}

static inline void *count_resize(void *context, void *ptr, size_t old_size, size_t new_size) {
    void *block = count_allocate(context, new_size);
    if (block == NULL) return NULL;
    memcpy(block, ptr, old_size < new_size ? old_size : new_size);
    free(ptr);
    ((struct counter *)context)->in_use -= old_size;
    return block;
}

static inline void count_release(void *context, void *ptr, size_t size) {
    struct counter *counter = context;
    assert_non_null(ptr);
    assert_true(size <= counter->in_use);
    counter->in_use -= size;
    free(ptr);
}

static inline struct fastws_allocator counting(struct counter *counter) {
    return (struct fastws_allocator){count_allocate, count_resize, count_release, counter};
}

/* Feeds a copy that ends where nothing may be read, and that is wiped after the call. */
static inline int feed_exact(struct fastws_upgrade *upgrade, const char *src, size_t len, size_t *used,
                             struct run *run) {
    enum { CAP = 128 * 1024 };
    static uint8_t *buf;
    if (buf == NULL) buf = guard_alloc_end(CAP);
    assert_true(len <= CAP);
    uint8_t *copy = buf + CAP - len;
    memcpy(copy, src, len);
    int result = fastws_upgrade_feed(upgrade, copy, len, used);
    assert_true(*used <= len);
    struct fastws_slice target;
    if (result == 1) {
        /* The target may point into the copy. */
        assert_int_equal(fastws_upgrade_target(upgrade, &target), 0);
        assert_true(target.len < sizeof run->target);
        memcpy(run->target, target.ptr, target.len);
    }
    memset(copy, '?', len);
    return result;
}

/* Takes the response, the protocol and the extensions out of an object that has come to its end. */
static inline void take_results(const struct fastws_upgrade *upgrade, struct run *run) {
    const void *ptr;
    size_t len;
    assert_int_equal(fastws_upgrade_response(upgrade, &ptr, &len), 0);
    assert_true(len < sizeof run->response);
    memcpy(run->response, ptr, len);
    run->response_len = len;
    struct fastws_slice protocol;
    int result = fastws_upgrade_protocol(upgrade, &protocol);
    assert_int_equal(result, run->result == 1 ? protocol.len > 0 : FASTWS_ERR_STATE);
    if (result == 1) memcpy(run->protocol, protocol.ptr, protocol.len);
    struct fastws_slice extensions;
    int has_extensions = fastws_upgrade_extensions(upgrade, &extensions);
    assert_int_equal(has_extensions, run->result == 1 ? extensions.len > 0 : FASTWS_ERR_STATE);
    if (run->result != 1) return;
    assert_true(extensions.len < sizeof run->extensions);
    memcpy(run->extensions, extensions.ptr, extensions.len);
}

/* Feeds the head in pieces: a first one, then others of at most `piece` bytes. What is written to run is all of it. */
static inline void feed_pieces(struct fastws_upgrade *upgrade, const char *head, size_t len, size_t first, size_t piece,
                               struct run *run) {
    memset(run, 0, sizeof *run);
    for (size_t off = 0, n = first; run->result == FASTWS_NEED_MORE; off += n, n = piece) {
        size_t used = 7;
        if (n > len - off) n = len - off;
        run->result = feed_exact(upgrade, head + off, n, &used, run);
        run->used += used;
        if (run->result == FASTWS_NEED_MORE) assert_int_equal(used, n);
        if (off + n == len) break;
    }
    const void *ptr;
    size_t response_len;
    if (run->result == FASTWS_NEED_MORE) {
        assert_int_equal(fastws_upgrade_response(upgrade, &ptr, &response_len), FASTWS_ERR_STATE);
        return;
    }
    take_results(upgrade, run);
}

/* Runs one way, with a recorder that starts empty if the configuration has one. */
static inline void run_pieces(const struct fastws_upgrade_config *config, const char *head, size_t len, size_t first,
                              size_t piece, struct run *run) {
    struct recorder *recorder = config ? config->context : NULL;
    if (recorder) recorder->len = 0;
    struct counter counter = {0};
    struct fastws_allocator allocator = counting(&counter);
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(config, &allocator, &upgrade), 0);
    feed_pieces(upgrade, head, len, first, piece, run);
    if (recorder) memcpy(run->log, recorder->log, recorder->len);
    fastws_upgrade_free(upgrade);
    assert_int_equal(counter.in_use, 0);
}

/* Runs the head whole, in two pieces cut at every position (or every `step`), and byte by byte: all the same. */
static inline struct run *run_ways(const struct fastws_upgrade_config *config, const char *head, size_t len,
                                   size_t step) {
    static struct run whole, run;
    run_pieces(config, head, len, len, len, &whole);
    for (size_t cut = 1; cut < len; cut += step) {
        run_pieces(config, head, len, cut, len, &run);
        assert_memory_equal(&run, &whole, sizeof run);
    }
    run_pieces(config, head, len, 1, 1, &run);
    assert_memory_equal(&run, &whole, sizeof run);
    return &whole;
}

static inline struct run *run_all_ways(const struct fastws_upgrade_config *config, const char *head) {
    return run_ways(config, head, strlen(head), 1);
}

static inline int status_of(const struct run *run) {
    assert_memory_equal(run->response, "HTTP/1.1 ", 9);
    return atoi(run->response + 9);
}

/* What every refusal has to look like. */
static inline void assert_refused(const struct run *run, int error, int status) {
    if (run->result != error) print_error("got %s\n", fastws_error_name(run->result));
    assert_int_equal(run->result, error);
    assert_int_equal(status_of(run), status);
    const char *body = strstr(run->response, "\r\n\r\n");
    assert_non_null(body);
    body += 4;
    const char *length = strstr(run->response, "\r\nContent-Length: ");
    assert_non_null(length);
    assert_int_equal(strtoul(length + 18, NULL, 10), run->response_len - (size_t)(body - run->response));
    const char *connection = status == 426 ? "\r\nConnection: close, Upgrade\r\n" : "\r\nConnection: close\r\n";
    assert_non_null(strstr(run->response, connection));
    assert_true(strlen(body) > 0);
}

#endif
