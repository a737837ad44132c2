/* SPDX-License-Identifier: MIT */
/* Answers to a handshake of any bytes: whole, in pieces and byte by byte they give one result and trace. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/dial.h>
#include <fastws/error.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* What came of an answer. The traces are hashes of all that the callbacks saw, in order. */
struct outcome {
    int result;
    int status;
    size_t used;
    uint64_t trace;
    uint64_t raw;
};

static void hash(uint64_t *trace, int kind, struct fastws_slice text) {
    *trace = (*trace ^ (uint64_t)kind) * 0x100000001b3;
    for (size_t i = 0; i < text.len; i++) *trace = (*trace ^ (uint8_t)text.ptr[i]) * 0x100000001b3;
}

static int on_header(void *context, struct fastws_slice name, struct fastws_slice value) {
    struct outcome *outcome = context;
    hash(&outcome->trace, 1, name);
    hash(&outcome->trace, 2, value);
    return fastws_http_equals(name, "reject");
}

static int on_extension(void *context, const struct fastws_option *accepted) {
    struct outcome *outcome = context;
    struct fastws_slice name = accepted->name, parameters = accepted->parameters;
    hash(&outcome->trace, 3, name);
    hash(&outcome->trace, 4, parameters);
    CHECK(name.len == 1 && (*name.ptr == 'a' || *name.ptr == 'b')); /* those offered */
    return 0;
}

static void on_status_error(void *context, const struct fastws_dial_refusal *refusal) {
    struct outcome *outcome = context;
    CHECK(refusal->status != 101 && refusal->status >= 200 && refusal->body.len <= 256);
    hash(&outcome->trace, 5 + refusal->is_body_cut, refusal->reason);
    hash(&outcome->trace, 7, refusal->body);
    for (size_t i = 0; i < refusal->headers.count; i++) {
        CHECK(fastws_http_is_token(refusal->headers.ptr[i].name));
        CHECK(fastws_http_is_value(refusal->headers.ptr[i].value));
        hash(&outcome->trace, 8, refusal->headers.ptr[i].name);
    }
}

/* Pieces do not matter to this one. */
static void on_response(void *context, struct fastws_slice bytes) {
    struct outcome *outcome = context;
    for (size_t i = 0; i < bytes.len; i++) outcome->raw = (outcome->raw ^ (uint8_t)bytes.ptr[i]) * 0x100000001b3;
}

static int nonce(void *context, void *dst, size_t len) {
    (void)context;
    CHECK(len == 16);
    memcpy(dst, "the sample nonce", 16);
    return 0;
}

static const struct fastws_random sample = {nonce, NULL};
static const struct fastws_slice protocols[] = {{"x", 1}, {"yz", 2}};

static struct fastws_dial_config make_config(struct outcome *outcome, int is_redirect_told) {
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.head_max = 2048;
    config.header_count_max = 24;
    config.body_max = 256;
    config.context = outcome;
    config.protocols = protocols;
    config.protocol_count = 2;
    config.extensions = (struct fastws_slice){"a; x=1, b, a", 12};
    config.random = &sample;
    config.is_redirect_told = (uint8_t)is_redirect_told;
    config.on_header = on_header;
    config.on_extension = on_extension;
    config.on_status_error = on_status_error;
    config.on_response = on_response;
    return config;
}

/* A copy that has exactly its size and is gone after the call. */
static int feed(struct fastws_dialer *dial, const uint8_t *data, size_t size, size_t *used) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    int result = fastws_dial_feed(dial, copy, size, used);
    free(copy);
    CHECK(*used <= size && result <= 1);
    CHECK(result != FASTWS_NEED_MORE || *used == size);
    return result;
}

static void check_results(const struct fastws_dialer *dial, const struct outcome *outcome) {
    struct fastws_slice slice;
    CHECK((fastws_dial_protocol(dial, &slice) >= 0) == (outcome->result == 1));
    int is_redirect = outcome->result == FASTWS_ERR_HANDSHAKE_REDIRECT;
    CHECK((fastws_dial_location(dial, &slice) == 0) == is_redirect);
    CHECK(!is_redirect || fastws_http_is_value(slice));
    CHECK(outcome->result != 1 || outcome->status == 101);
}

/* Feeds pieces of `piece` bytes, the first one of `first`, then the end of the stream. */
static struct outcome run(const uint8_t *data, size_t size, size_t first, size_t piece, int is_redirect_told) {
    struct outcome outcome = {0};
    struct fastws_dial_config config = make_config(&outcome, is_redirect_told);
    struct fastws_url url;
    struct fastws_dialer *dial;
    CHECK(fastws_url_parse(&url, "ws://h", 6) == 0);
    CHECK(fastws_dial_new(&config, &url, NULL, &dial) == 0);
    size_t n = first;
    for (size_t off = 0; off < size && outcome.result == FASTWS_NEED_MORE; off += n, n = piece) {
        if (n > size - off) n = size - off;
        size_t used;
        outcome.result = feed(dial, data + off, n, &used);
        outcome.used += used;
    }
    if (outcome.result == FASTWS_NEED_MORE) outcome.result = fastws_dial_eof(dial);
    CHECK(outcome.result != FASTWS_NEED_MORE);
    outcome.status = fastws_dial_status(dial);
    check_results(dial, &outcome);
    fastws_dial_free(dial);
    return outcome;
}

/* Runs with these pieces and compares with the run in one piece. */
static void compare(const struct outcome *whole, const uint8_t *data, size_t size, size_t first, size_t piece,
                    int told) {
    struct outcome pieces = run(data, size, first, piece, told);
    CHECK(pieces.result == whole->result && pieces.status == whole->status && pieces.used == whole->used);
    CHECK(pieces.trace == whole->trace && pieces.raw == whole->raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int told = 0; told < 2; told++) {
        struct outcome whole = run(data, size, size, 1, told);
        compare(&whole, data, size, 1, 1, told);
        compare(&whole, data, size, 7, 64, told);
        /* Cut at every position of a short input, at some of a long one. */
        size_t step = size / 128 + 1;
        for (size_t cut = 1; cut < size; cut += step) compare(&whole, data, size, cut, size, told);
    }
    return 0;
}
