/* SPDX-License-Identifier: MIT */
/* Upgrade requests of any bytes: whole, in pieces and byte by byte they give one result, response and trace. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/options.h>
#include <fastws/upgrade.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* What came of a request. The trace is a hash of all that the callbacks saw, in order. */
struct outcome {
    int result;
    size_t used;
    size_t response_len;
    char *response;
    uint64_t trace;
};

/* FNV-1a, one byte past each end marked. */
static void trace(struct outcome *outcome, int kind, struct fastws_slice text) {
    uint64_t hash = (outcome->trace ^ (uint64_t)kind) * 0x100000001b3;
    for (size_t i = 0; i < text.len; i++) hash = (hash ^ (uint8_t)text.ptr[i]) * 0x100000001b3;
    outcome->trace = (hash ^ 0x100) * 0x100000001b3;
}

static int on_request(void *context, struct fastws_slice target, struct fastws_reject *reject) {
    (void)reject;
    trace(context, 1, target);
    return 0;
}

static int on_host(void *context, struct fastws_slice host, struct fastws_reject *reject) {
    (void)reject;
    trace(context, 2, host);
    return 0;
}

/* Refuses what carries "Reject: <body>". */
static int on_header(void *context, struct fastws_slice name, struct fastws_slice value, struct fastws_reject *reject) {
    trace(context, 3, name);
    trace(context, 4, value);
    if (!fastws_http_equals(name, "reject")) return 0;
    reject->status = 404;
    reject->body = value;
    return -1;
}

/* Takes protocols of an even length. */
static int on_protocol(void *context, struct fastws_slice offered, struct fastws_reject *reject) {
    (void)reject;
    trace(context, 5, offered);
    return offered.len % 2 == 0;
}

/* Takes extensions of an even length, and answers some of them with other parameters. */
static int negotiate(void *context, const struct fastws_option *offered, struct fastws_option *accepted,
                     struct fastws_reject *reject) {
    (void)reject;
    trace(context, 6, fastws_option_text(offered));
    if (offered->parameters.len > 8) accepted->parameters = (struct fastws_slice){"; x=\"1\"", 7};
    return offered->name.len % 2 == 0;
}

static void on_end(void *context, struct fastws_slice request, struct fastws_slice response) {
    trace(context, 7, request);
    trace(context, 8, response);
}

static struct fastws_upgrade_config make_config(struct outcome *outcome) {
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.head_max = 2048;
    config.header_count_max = 24;
    config.context = outcome;
    config.on_request = on_request;
    config.on_host = on_host;
    config.on_header = on_header;
    config.protocol = on_protocol;
    config.negotiate = negotiate;
    config.on_end = on_end;
    config.is_origin_checked = 1;
    return config;
}

/* Every end has a response that is complete HTTP. */
static void check_response(const struct outcome *outcome) {
    const char *response = outcome->response;
    CHECK(memcmp(response, "HTTP/1.1 ", 9) == 0);
    int status = atoi(response + 9);
    CHECK((outcome->result == 1) == (status == 101));
    CHECK(outcome->result == 1 || (status >= 400 && status <= 599));
    const char *body = strstr(response, "\r\n\r\n");
    CHECK(body != NULL);
    size_t body_len = outcome->response_len - (size_t)(body + 4 - response);
    if (outcome->result == 1) CHECK(body_len == 0);
}

/* A copy that has exactly its size and is gone after the call. */
static int feed(struct fastws_upgrade *upgrade, const uint8_t *data, size_t size, size_t *used) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    int result = fastws_upgrade_feed(upgrade, copy, size, used);
    free(copy);
    CHECK(*used <= size);
    CHECK(result != FASTWS_NEED_MORE || *used == size);
    CHECK(result <= 1);
    return result;
}

/* Feeds pieces of `piece` bytes, the first one of `first`. */
static struct outcome run(const uint8_t *data, size_t size, size_t first, size_t piece) {
    struct outcome outcome = {0};
    struct fastws_upgrade_config config = make_config(&outcome);
    struct fastws_upgrade *upgrade;
    CHECK(fastws_upgrade_new(&config, NULL, &upgrade) == 0);
    size_t n = first;
    for (size_t off = 0; off < size && outcome.result == FASTWS_NEED_MORE; off += n, n = piece) {
        if (n > size - off) n = size - off;
        size_t used;
        outcome.result = feed(upgrade, data + off, n, &used);
        outcome.used += used;
    }
    if (outcome.result != FASTWS_NEED_MORE) {
        const void *ptr;
        CHECK(fastws_upgrade_response(upgrade, &ptr, &outcome.response_len) == 0);
        outcome.response = malloc(outcome.response_len + 1);
        CHECK(outcome.response != NULL);
        memcpy(outcome.response, ptr, outcome.response_len);
        outcome.response[outcome.response_len] = '\0';
        check_response(&outcome);
    }
    fastws_upgrade_free(upgrade);
    return outcome;
}

/* Runs with these pieces and compares with the run in one piece. */
static void compare(const struct outcome *whole, const uint8_t *data, size_t size, size_t first, size_t piece) {
    struct outcome pieces = run(data, size, first, piece);
    CHECK(pieces.result == whole->result);
    CHECK(pieces.used == whole->used);
    CHECK(pieces.trace == whole->trace);
    CHECK(pieces.response_len == whole->response_len);
    if (whole->response_len > 0) CHECK(memcmp(pieces.response, whole->response, whole->response_len) == 0);
    free(pieces.response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct outcome whole = run(data, size, size, 1);
    compare(&whole, data, size, 1, 1);
    compare(&whole, data, size, 7, 64);
    /* Cut at every position of a short input, at some of a long one. */
    size_t step = size / 256 + 1;
    for (size_t cut = 1; cut < size; cut += step) compare(&whole, data, size, cut, size);
    free(whole.response);
    return 0;
}
