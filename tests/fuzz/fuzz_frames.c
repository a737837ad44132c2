/* SPDX-License-Identifier: MIT */
/* Whatever a peer sends, however it is cut, by whichever input, on whichever row: the same events, the same answers;
 * handed out in chunks, the same messages; and what another library makes of it, too.
 *
 * The first bytes of an input say how the connection is set up and how the rest, the stream, is cut:
 *
 *   0   bit 0: client instead of server; 1: small slab; 2-3: room for events; 4: text unchecked; 5: pings left alone;
 *       6: messages are echoed; 7: errors and close frames left alone
 *   1   limits: bits 0-1 message, 2-3 frame, 4-5 fragments, 6-7 empty fragments
 *   2   the stream is repeated 1 to 16 times, so that a short input can outgrow a slab
 *   3   seed of the cuts, and of the pieces in which answers are sent */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/conn.h>
#include <fastws/cpu.h>
#include <fastws/error.h>
#include <fastws/utf8.h>

#include "../../simd/kernels.h"
#include "second_opinion.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPTIONS_LEN = 4, CAP_MAX = 64 };
enum input { SPACE, FEED_WHOLE, FEED_PIECES, BOTH, INPUTS };

struct bytes {
    uint8_t *ptr;
    size_t len;
    size_t cap;
};

struct options {
    struct fastws_conn_config config;
    struct fastws_pool_config pool_config;
    int cap;
    int is_echoing;
    int repeats;
    uint32_t seed;
};

/* One run of the stream through one connection. */
struct run {
    const struct options *options;
    struct fastws_conn *conn;
    struct bytes events;  /* with their payloads */
    struct bytes answers; /* what was sent */
    uint32_t random;
    int last; /* what fastws_conn_next() returned last */
};

#define REQUIRE(condition) require(condition, #condition, __LINE__)

static void require(int is_met, const char *condition, int line) {
    if (is_met) return;
    fprintf(stderr, "fuzz_frames: line %d: not met: %s\n", line, condition);
    abort();
}

static void bytes_put(struct bytes *bytes, const void *src, size_t len) {
    if (bytes->cap - bytes->len < len) {
        bytes->cap = 2 * (bytes->len + len);
        bytes->ptr = realloc(bytes->ptr, bytes->cap);
        REQUIRE(bytes->ptr != NULL);
    }
    if (len > 0) memcpy(bytes->ptr + bytes->len, src, len);
    bytes->len += len;
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- Options ---- */

/* Masking keys that are the same in every run. */
static int fill_keys(void *context, void *dst, size_t len) {
    uint32_t *state = context;
    uint8_t *bytes = dst;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)next_random(state);
    return 0;
}

static void read_limits(struct fastws_limits *limits, unsigned byte) {
    static const uint64_t messages[] = {0, 16 << 20, 5000, 20};
    static const uint64_t frames[] = {0, 16 << 20, 4000, 10};
    static const uint32_t fragments[] = {0, 262144, 10, 2};
    limits->max_message = messages[byte & 3];
    limits->max_frame = frames[byte >> 2 & 3];
    limits->max_fragments = fragments[byte >> 4 & 3];
    limits->max_empty_fragments = fragments[byte >> 6 & 3];
}

static void read_options(struct options *options, const uint8_t *data) {
    static const int caps[] = {1, 2, 7, CAP_MAX};
    fastws_conn_config_init(&options->config, data[0] & 1 ? FASTWS_ROLE_CLIENT : FASTWS_ROLE_SERVER);
    fastws_pool_config_init(&options->pool_config);
    if (data[0] & 2) options->pool_config.slab_len = 4096;
    options->cap = caps[data[0] >> 2 & 3];
    options->config.is_utf8_checked = !(data[0] & 16);
    options->config.is_pong_automatic = !(data[0] & 32);
    options->is_echoing = (data[0] & 64) != 0;
    options->config.is_close_automatic = !(data[0] & 128);
    read_limits(&options->config.limits, data[1]);
    options->repeats = 1 + (data[2] & 15);
    options->seed = data[3];
}

/* ---- Events and answers ---- */

static void check_event(const struct run *run, const struct fastws_event *event, int count) {
    const struct fastws_limits *limits = &run->options->config.limits;
    REQUIRE(event->ptr != NULL || event->len == 0);
    REQUIRE(event->reserved == 0 && event->reserved2 == 0 && event->remaining == 0);
    if (event->kind == FASTWS_EVENT_MESSAGE) {
        REQUIRE(event->opcode == 1 || event->opcode == 2);
        REQUIRE(limits->max_message == 0 || event->len <= limits->max_message);
        int is_text = event->opcode == 1 && run->options->config.is_utf8_checked;
        REQUIRE(!is_text || event->len == 0 || fastws_utf8_is_valid(event->ptr, (size_t)event->len));
        REQUIRE(is_text || !(event->flags & FASTWS_EVENT_ASCII));
    } else if (event->kind == FASTWS_EVENT_PING || event->kind == FASTWS_EVENT_PONG) {
        REQUIRE(event->len <= 125);
    } else {
        REQUIRE(event->kind == FASTWS_EVENT_CLOSE || event->kind == FASTWS_EVENT_ERROR);
        REQUIRE(count == 1);
        REQUIRE(event->close_code != 0);
        REQUIRE((event->error < 0) == (event->kind == FASTWS_EVENT_ERROR));
    }
}

static void note_event(struct run *run, const struct fastws_event *event) {
    struct fastws_event noted = *event;
    noted.ptr = NULL;
    bytes_put(&run->events, &noted, sizeof noted);
    bytes_put(&run->events, event->ptr, (size_t)event->len);
    if (!run->options->is_echoing || event->kind != FASTWS_EVENT_MESSAGE) return;
    int error = fastws_conn_send(run->conn, event->opcode, event->ptr, (size_t)event->len);
    REQUIRE(error == 0 || (error == FASTWS_ERR_CLOSED && fastws_conn_close_sent(run->conn)));
}

/* Sends all that is pending, in pieces, and sometimes has it copied first. */
static void send_answers(struct run *run) {
    struct fastws_iovec pieces[3];
    uint64_t left = fastws_conn_pending_len(run->conn);
    while (left > 0) {
        if (next_random(&run->random) % 8 == 0) REQUIRE(fastws_conn_own(run->conn) == 0);
        int count = fastws_conn_pending(run->conn, pieces, 1 + (int)(next_random(&run->random) % 3));
        REQUIRE(count > 0);
        size_t len = 0;
        for (int i = 0; i < count; i++) {
            size_t part = pieces[i].len;
            if (i + 1 == count && next_random(&run->random) % 2) part = 1 + next_random(&run->random) % part;
            bytes_put(&run->answers, pieces[i].base, part);
            len += part;
        }
        REQUIRE(fastws_conn_sent(run->conn, len) == 0);
        left -= len;
        REQUIRE(fastws_conn_pending_len(run->conn) == left);
    }
    REQUIRE(fastws_conn_pending(run->conn, pieces, 1) == 0);
}

static void take_events(struct run *run) {
    struct fastws_event events[CAP_MAX];
    while ((run->last = fastws_conn_next(run->conn, events, run->options->cap)) > 0) {
        REQUIRE(run->last <= run->options->cap);
        /* Looked at only once the whole batch is there: every view has to live until then. */
        for (int i = 0; i < run->last; i++) {
            check_event(run, &events[i], run->last);
            note_event(run, &events[i]);
        }
        send_answers(run);
    }
}

/* ---- Inputs ---- */

static size_t receive_into_space(struct run *run, const uint8_t *src, size_t len) {
    void *ptr;
    size_t cap;
    int error = fastws_conn_space(run->conn, &ptr, &cap);
    if (error == FASTWS_ERR_STATE) {
        take_events(run); /* full of what was not walked yet */
        if (run->last < 0) return len;
        error = fastws_conn_space(run->conn, &ptr, &cap);
    }
    REQUIRE(error == 0 && cap > 0);
    if (cap < len) len = cap;
    memcpy(ptr, src, len);
    REQUIRE(fastws_conn_filled(run->conn, len) == 0);
    return len;
}

/* The buffer has exactly the length, so that a sanitizer sees the first byte read past it, and is gone afterwards. */
static void receive_by_feed(struct run *run, const uint8_t *src, size_t len) {
    uint8_t *buf = malloc(len);
    REQUIRE(buf != NULL);
    memcpy(buf, src, len);
    REQUIRE(fastws_conn_feed(run->conn, buf, len) == 0);
    take_events(run);
    free(buf);
}

static void receive(struct run *run, enum input input, const uint8_t *src, size_t len) {
    while (len > 0 && run->last >= 0) {
        int is_fed = input == BOTH ? (int)(next_random(&run->random) % 2) : input != SPACE;
        size_t taken = len;
        if (is_fed) {
            receive_by_feed(run, src, len);
        } else {
            taken = receive_into_space(run, src, len);
            /* With both inputs, bytes may be left to be walked when the next ones are fed. */
            if (input == SPACE || next_random(&run->random) % 2) take_events(run);
        }
        src += taken;
        len -= taken;
    }
}

static size_t piece_len(struct run *run, enum input input, size_t left) {
    static const uint32_t tops[] = {1, 3, 20, 200, 5000, 100000};
    if (input == FEED_WHOLE || left == 0) return left;
    size_t len = 1 + next_random(&run->random) % tops[next_random(&run->random) % 6];
    return len < left ? len : left;
}

/* ---- Runs ---- */

static void check_stopped(struct run *run) {
    struct fastws_event event;
    REQUIRE(run->last < 0);
    REQUIRE(fastws_conn_next(run->conn, &event, 1) == run->last);
    REQUIRE(fastws_conn_send(run->conn, 2, "x", 1) == run->last);
    if (!run->options->config.is_close_automatic && fastws_conn_get_state(run->conn) == FASTWS_CONN_CLOSED) {
        REQUIRE(!fastws_conn_is_over(run->conn));
        REQUIRE(fastws_conn_close(run->conn, 1000, "", 0) == 0);
        send_answers(run);
    }
    REQUIRE(fastws_conn_is_over(run->conn));
}

static void run_stream(struct run *run, enum input input, const struct bytes *stream) {
    struct fastws_pool *pool;
    uint32_t keys = 1;
    const struct fastws_random random = {fill_keys, &keys};
    struct fastws_pool_config pool_config = run->options->pool_config;
    pool_config.random = &random;
    REQUIRE(fastws_pool_new(&pool_config, &pool) == 0);
    REQUIRE(fastws_conn_new(&run->options->config, pool, &run->conn) == 0);
    for (size_t off = 0; off < stream->len && run->last >= 0;) {
        size_t len = piece_len(run, input, stream->len - off);
        receive(run, input, stream->ptr + off, len);
        off += len;
    }
    if (run->last >= 0) take_events(run);
    fastws_conn_eof(run->conn);
    if (run->last >= 0) take_events(run);
    check_stopped(run);
    struct fastws_pool_stats stats;
    fastws_pool_get_stats(pool, &stats);
    REQUIRE(stats.slabs_lent == 0);
    fastws_conn_free(run->conn);
    fastws_pool_free(pool);
}

static int is_same(const struct bytes *a, const struct bytes *b) {
    return a->len == b->len && (a->len == 0 || memcmp(a->ptr, b->ptr, a->len) == 0);
}

/* Answers to messages and to pings may change places when batches end elsewhere: then only their length is the same. */
static void compare(const struct run *run, const struct run *first) {
    REQUIRE(is_same(&run->events, &first->events));
    REQUIRE(run->answers.len == first->answers.len);
    REQUIRE(run->options->is_echoing || is_same(&run->answers, &first->answers));
}

static void free_run(struct run *run) {
    free(run->events.ptr);
    free(run->answers.ptr);
}

static void run_all_ways(const struct options *options, const struct bytes *stream) {
    struct run first = {.options = options, .random = options->seed};
    run_stream(&first, FEED_WHOLE, stream);
    for (int row = 0; row < fws_kernels_count(); row++) {
        REQUIRE(fastws_cpu_select(fws_kernels_at(row)->name) == 0);
        for (int input = 0; input < INPUTS; input++) {
            struct run run = {.options = options, .random = options->seed + 1000u * (uint32_t)(INPUTS * row + input)};
            run_stream(&run, (enum input)input, stream);
            compare(&run, &first);
            free_run(&run);
        }
    }
    free_run(&first);
}

/* ---- Chunks ---- */

/* Messages as they were handed out, joined from chunks if they came so: what two ways of delivery have in common. */
struct joined {
    struct bytes whole;
    struct bytes open;
    int error;
    uint16_t close_code; /* received */
    size_t parsed;       /* bytes of the stream */
};

static void note_payload(void *context, uint8_t opcode, const uint8_t *payload, size_t len) {
    struct joined *joined = context;
    uint64_t header[2] = {opcode, len};
    bytes_put(&joined->whole, header, sizeof header);
    bytes_put(&joined->whole, payload, len);
}

static void join_event(struct joined *joined, const struct fastws_event *event) {
    if (event->kind == FASTWS_EVENT_CHUNK) {
        if (event->flags & FASTWS_EVENT_FIRST) joined->open.len = 0;
        bytes_put(&joined->open, event->ptr, (size_t)event->len);
        if (event->flags & FASTWS_EVENT_LAST) note_payload(joined, event->opcode, joined->open.ptr, joined->open.len);
    } else if (event->kind == FASTWS_EVENT_ERROR) {
        joined->error = event->error;
    } else if (event->kind == FASTWS_EVENT_CLOSE) {
        joined->close_code = event->close_code;
    } else {
        note_payload(joined, event->opcode, event->ptr, (size_t)event->len);
    }
}

/* Receives the stream by pieces of at most step bytes. Returns the verdict. */
static int join_stream(const struct options *options, int delivery, const struct bytes *stream, size_t step,
                       struct joined *joined) {
    struct fastws_pool *pool;
    struct fastws_conn *conn;
    struct fastws_conn_config config = options->config;
    int n = 0;
    config.delivery = (uint8_t)delivery;
    REQUIRE(fastws_pool_new(&options->pool_config, &pool) == 0);
    REQUIRE(fastws_conn_new(&config, pool, &conn) == 0);
    for (size_t off = 0; off < stream->len && n >= 0;) {
        struct fastws_event events[CAP_MAX];
        void *space;
        size_t cap, len = stream->len - off < step ? stream->len - off : step;
        REQUIRE(fastws_conn_space(conn, &space, &cap) == 0);
        if (cap == 0) break; /* nobody reads the pongs */
        if (len > cap) len = cap;
        memcpy(space, stream->ptr + off, len);
        off += len;
        REQUIRE(fastws_conn_filled(conn, len) == 0);
        while ((n = fastws_conn_next(conn, events, options->cap)) > 0)
            for (int i = 0; i < n; i++) join_event(joined, &events[i]);
    }
    int is_closed = fastws_conn_close_received(conn) != 0;
    joined->parsed = (size_t)fastws_conn_offset(conn);
    fastws_conn_free(conn);
    fastws_pool_free(pool);
    return is_closed ? VERDICT_CLOSED : n < 0 ? VERDICT_REFUSED : VERDICT_OPEN;
}

static void free_joined(struct joined *joined) {
    free(joined->whole.ptr);
    free(joined->open.ptr);
}

static void compare_deliveries(const struct options *options, const struct bytes *stream) {
    struct joined first = {0};
    int verdict = join_stream(options, FASTWS_DELIVER_MESSAGES, stream, SIZE_MAX, &first);
    static const size_t steps[] = {SIZE_MAX, 1, 700};
    for (int delivery = FASTWS_DELIVER_FRAGMENTS; delivery <= FASTWS_DELIVER_STREAM; delivery++)
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct joined joined = {0};
            REQUIRE(join_stream(options, delivery, stream, steps[i], &joined) == verdict);
            REQUIRE(is_same(&joined.whole, &first.whole));
            REQUIRE(joined.error == first.error);
            free_joined(&joined);
        }
    free_joined(&first);
}

/* ---- A second opinion ---- */

/* wslay takes a close frame of one byte for one without a body, does not know the codes that were registered after RFC
 * 6455, and judges a close frame before all of it has come. */
static int is_known_difference(const struct joined *ours, const struct bytes *stream) {
    int is_in_close = !ours->error && ours->parsed < stream->len && (stream->ptr[ours->parsed] & 15) == 8;
    return ours->error == FASTWS_ERR_CLOSE_LEN || (ours->close_code >= 1012 && ours->close_code <= 1014) || is_in_close;
}

static void compare_opinions(const struct options *options, struct bytes *stream) {
    struct options plain = *options;
    enum fastws_role role = (enum fastws_role)options->config.role;
    fastws_conn_config_init(&plain.config, role);
    plain.config.limits = (struct fastws_limits){.max_message = OPINION_MESSAGE_MAX};
    plain.config.is_pong_automatic = 0;
    struct joined ours = {0}, theirs = {0};
    int verdict = join_stream(&plain, FASTWS_DELIVER_MESSAGES, stream, SIZE_MAX, &ours);
    /* wslay judges a header only once payload has come behind it. */
    static const uint8_t more[FASTWS_HEADER_MAX + 1];
    if (verdict == VERDICT_REFUSED) bytes_put(stream, more, sizeof more);
    int other = second_opinion(role, stream->ptr, stream->len, note_payload, &theirs);
    if (other >= 0 && !is_known_difference(&ours, stream)) {
        REQUIRE(verdict == other);
        REQUIRE(is_same(&ours.whole, &theirs.whole));
    }
    free_joined(&ours);
    free_joined(&theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < OPTIONS_LEN) return 0;
    struct options options;
    read_options(&options, data);
    struct bytes stream = {0};
    for (int i = 0; i < options.repeats; i++)
        bytes_put(&stream, data + OPTIONS_LEN, size - OPTIONS_LEN);
    run_all_ways(&options, &stream);
    compare_deliveries(&options, &stream);
    compare_opinions(&options, &stream);
    free(stream.ptr);
    return 0;
}
