/* SPDX-License-Identifier: MIT */
/* Two connections joined, told by a script what to send and how much of it to carry over, while time passes: what is
 * sent arrives, once, in order and unchanged, memory is bounded by what is queued and received, and both sides agree
 * on how it ends.
 *
 * The first bytes of an input say how the two are set up; each of the rest is a step, some with a byte of how much:
 *
 *   0   bits 0-1 delivery of the client, 2-3 of the server, 4 small slabs, 5 one pool for both
 *   1   length of fragments, out of a table: low half client, high half server
 *   2.. bit 7: which side; bits 0-4: the step; then, for most, one byte more */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/conn.h>
#include <fastws/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SETUP_LEN = 2, MESSAGES_MAX = 256, STEPS_MAX = 400, PAYLOAD_MAX = 300000, CARRY_MAX = 1 << 20 };

#define REQUIRE(condition) require(condition, #condition, __LINE__)

static void require(int is_met, const char *condition, int line) {
    if (is_met) return;
    fprintf(stderr, "fuzz_conn: line %d: not met: %s\n", line, condition);
    abort();
}

/* ---- Memory ---- */

static void *allocate(void *context, size_t size) {
    size_t *live = context;
    *live += size;
    return malloc(size);
}

static void *resize(void *context, void *ptr, size_t old_size, size_t new_size) {
    size_t *live = context;
    *live += new_size - old_size;
    return realloc(ptr, new_size);
}

static void release(void *context, void *ptr, size_t size) {
    size_t *live = context;
    *live -= size;
    free(ptr);
}

/* ---- Messages ---- */

/* Every payload is a piece of this, so a message is known by where it begins and how long it is. */
static uint8_t *pattern(void) {
    static uint8_t bytes[PAYLOAD_MAX + 256];
    if (bytes[1] == 0) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)((i * 2654435761u >> 13) & 0x7f);
        bytes[1] = 1;
    }
    return bytes;
}

struct message {
    size_t off;
    size_t len;
    uint8_t opcode;
};

/* What one side sends. */
struct outbox {
    struct message messages[MESSAGES_MAX];
    int count; /* messages that were begun; the last may be open */
    int is_open;
};

struct side {
    struct fastws_conn_config config;
    struct fastws_pool *pool;
    struct fastws_conn *conn;
    struct outbox outbox;
    int seen;        /* messages of the other side that have come whole, or were discarded */
    size_t seen_len; /* bytes of the next one */
    size_t largest;  /* payload that the other side has sent */
    int is_ended;    /* a close or error event was handed out */
};

struct run {
    struct side sides[2]; /* client, server */
    size_t live;
    uint64_t now_us;
    const uint8_t *script;
    size_t script_len;
};

static size_t script_byte(struct run *run) {
    if (run->script_len == 0) return 0;
    run->script_len--;
    return *run->script++;
}

/* Lengths around which things change. */
static size_t script_len(struct run *run) {
    static const size_t lens[] = {0,    1,    7,    64,    125,   126,   1000,  4000,
                                  4095, 4096, 5000, 16384, 65520, 65536, 70000, 200000};
    size_t byte = script_byte(run);
    return lens[byte & 15] + (byte >> 4);
}

/* ---- Sending ---- */

static struct message *begin_message(struct side *side, uint8_t opcode) {
    REQUIRE(!side->outbox.is_open);
    struct message *message = &side->outbox.messages[side->outbox.count++];
    *message = (struct message){.off = (size_t)side->outbox.count % 200, .opcode = opcode};
    return message;
}

static void send_whole(struct run *run, struct side *side, int is_prepared) {
    size_t len = script_len(run);
    uint8_t opcode = len % 2 ? FASTWS_OPCODE_TEXT : FASTWS_OPCODE_BINARY;
    if (side->outbox.count == MESSAGES_MAX) return;
    const uint8_t *payload = pattern() + ((size_t)side->outbox.count + 1) % 200;
    struct fastws_prepared *prepared = NULL;
    int result;
    if (is_prepared) {
        REQUIRE(fastws_prepared_new(NULL, opcode, payload, len, &prepared) == 0);
        result = fastws_conn_send_prepared(side->conn, prepared);
        fastws_prepared_release(prepared);
    } else {
        result = fastws_conn_send(side->conn, opcode, payload, len);
    }
    if (side->outbox.is_open) REQUIRE(result < 0);
    if (result == 0) begin_message(side, opcode)->len = len;
    REQUIRE(result == 0 || side->outbox.is_open || fastws_conn_get_state(side->conn) != FASTWS_CONN_OPEN);
}

static void begin(struct side *side) {
    if (side->outbox.count == MESSAGES_MAX) return;
    int result = fastws_conn_begin(side->conn, FASTWS_OPCODE_BINARY);
    if (side->outbox.is_open) REQUIRE(result < 0);
    if (result < 0) return;
    begin_message(side, FASTWS_OPCODE_BINARY);
    side->outbox.is_open = 1;
}

static void write_part(struct run *run, struct side *side) {
    size_t len = script_len(run);
    struct message *message = &side->outbox.messages[side->outbox.count - (side->outbox.count > 0)];
    if (side->outbox.is_open && message->len + len > PAYLOAD_MAX) return;
    const uint8_t *payload = pattern() + (side->outbox.is_open ? message->off + message->len : 0);
    int result = fastws_conn_write(side->conn, payload, len);
    REQUIRE(side->outbox.is_open || result < 0);
    REQUIRE(result == 0 || result == FASTWS_ERR_STATE || fastws_conn_get_state(side->conn) != FASTWS_CONN_OPEN);
    if (result == 0) message->len += len;
}

static void finish(struct side *side) {
    int result = fastws_conn_finish(side->conn);
    REQUIRE(side->outbox.is_open || result < 0);
    if (result == 0) side->outbox.is_open = 0;
}

static void ignore(int result) { (void)result; }

/* ---- Receiving ---- */

static void check_payload(struct side *side, const struct side *from, const struct fastws_event *event) {
    REQUIRE(side->seen < from->outbox.count);
    const struct message *message = &from->outbox.messages[side->seen];
    REQUIRE(event->opcode == message->opcode);
    REQUIRE(side->seen_len + event->len <= message->len);
    if (event->len > 0) REQUIRE(memcmp(event->ptr, pattern() + message->off + side->seen_len, (size_t)event->len) == 0);
    REQUIRE(((event->flags & FASTWS_EVENT_FIRST) != 0) <= (side->seen_len == 0));
    side->seen_len += (size_t)event->len;
    if (side->largest < message->len) side->largest = message->len;
    if (!(event->flags & FASTWS_EVENT_LAST)) return;
    REQUIRE(side->seen_len == message->len);
    side->seen++;
    side->seen_len = 0;
}

static void check_event(struct side *side, const struct side *from, const struct fastws_event *event, int count) {
    REQUIRE(!side->is_ended);
    if (event->kind == FASTWS_EVENT_MESSAGE || event->kind == FASTWS_EVENT_CHUNK) check_payload(side, from, event);
    if (event->kind < FASTWS_EVENT_CLOSE) return;
    REQUIRE(count == 1);
    side->is_ended = 1;
    /* Neither of them breaks a rule: only time fails a connection. */
    if (event->kind == FASTWS_EVENT_CLOSE) REQUIRE(event->close_code == fastws_conn_close_sent(from->conn));
    if (event->kind == FASTWS_EVENT_ERROR) {
        REQUIRE(event->error == FASTWS_ERR_PING_TIMEOUT || event->error == FASTWS_ERR_CLOSE_TIMEOUT ||
                event->error == FASTWS_ERR_CONTROL_FLOOD);
    }
}

static void take_events(struct run *run, struct side *side, struct side *from) {
    struct fastws_event events[8];
    int cap = 1 + (int)(run->script_len % 8), n;
    while ((n = fastws_conn_next(side->conn, events, cap)) > 0) {
        for (int i = 0; i < n; i++) check_event(side, from, &events[i], n);
        struct fastws_taken taken;
        if (run->script_len % 3 == 0) {
            REQUIRE(fastws_conn_take(side->conn, &events[n - 1], &taken) == 0);
            REQUIRE(taken.len == events[n - 1].len);
            fastws_taken_release(&taken);
        }
    }
}

/* Writes up to max bytes of what from has pending into to. Returns how many. */
static size_t carry(struct run *run, struct side *from, struct side *to, size_t max) {
    struct fastws_iovec piece;
    size_t total = 0;
    while (total < max && fastws_conn_pending(from->conn, &piece, 1) > 0) {
        void *space;
        size_t cap, len = piece.len < max - total ? piece.len : max - total;
        if (to->is_ended) { /* nobody reads any more */
            REQUIRE(fastws_conn_sent(from->conn, len) == 0);
            total += len;
            continue;
        }
        if (fastws_conn_space(to->conn, &space, &cap) < 0 || cap == 0) break;
        if (len > cap) len = cap;
        memcpy(space, piece.base, len);
        REQUIRE(fastws_conn_sent(from->conn, len) == 0);
        REQUIRE(fastws_conn_filled(to->conn, len) == 0);
        total += len;
        take_events(run, to, from);
    }
    return total;
}

static void discard(struct side *side, const struct side *from) {
    if (side->is_ended || fastws_conn_discard(side->conn) < 0) return;
    REQUIRE(side->seen < from->outbox.count);
    side->seen++;
    side->seen_len = 0;
}

/* ---- Steps ---- */

static void pass_time(struct run *run, uint64_t ms) {
    run->now_us += ms * 1000;
    for (int i = 0; i < 2; i++) {
        fastws_pool_set_now(run->sides[i].pool, run->now_us);
        REQUIRE(fastws_conn_on_time(run->sides[i].conn, run->now_us / 1000) >= 0);
    }
    for (int i = 0; i < 2; i++)
        if (!run->sides[i].is_ended) take_events(run, &run->sides[i], &run->sides[1 - i]);
}

static void step(struct run *run) {
    size_t byte = script_byte(run);
    struct side *side = &run->sides[byte >> 7], *other = &run->sides[1 - (byte >> 7)];
    switch (byte & 15) {
    case 0: case 1: send_whole(run, side, 0); break;
    case 2: send_whole(run, side, 1); break;
    case 3: begin(side); break;
    case 4: write_part(run, side); break;
    case 5: ignore(fastws_conn_flush_fragment(side->conn)); break;
    case 6: finish(side); break;
    case 7: ignore(fastws_conn_ping(side->conn, pattern(), script_byte(run) % 126)); break;
    case 8: ignore(fastws_conn_pong(side->conn, pattern(), script_byte(run) % 126)); break;
    case 9: carry(run, side, other, 1 + script_byte(run)); break;
    case 10: carry(run, side, other, 1 + script_len(run)); break;
    case 11: carry(run, side, other, CARRY_MAX); break;
    case 12: REQUIRE(fastws_conn_own(side->conn) == 0); break;
    case 13: REQUIRE(fastws_conn_set_delivery(side->conn, (int)(script_byte(run) % 3)) == 0); break;
    case 14: discard(side, other); break;
    default:
        if ((byte & 0x70) == 0x70) ignore(fastws_conn_close(side->conn, 1000, "done", 4));
        if ((byte & 0x70) != 0x70) pass_time(run, script_byte(run) * 100);
        break;
    }
}

/* What is queued is held once, what is received at most twice and a block's beginning; the rest is fixed. */
static void check_memory(const struct run *run) {
    uint64_t bound = 12 * 70000;
    for (int i = 0; i < 2; i++) {
        const struct side *side = &run->sides[i];
        bound += 3 * fastws_conn_pending_len(side->conn) + 2 * fastws_conn_buffered_len(side->conn);
        const struct outbox *outbox = &run->sides[1 - i].outbox;
        if (side->seen < outbox->count) bound += 2 * outbox->messages[side->seen].len;
    }
    REQUIRE(run->live <= bound);
}

/* ---- Runs ---- */

static void open_side(struct run *run, int i, const uint8_t *setup, const struct fastws_allocator *allocator) {
    static const size_t fragment_lens[] = {4096, 0, 1, 100, 4095, 5000, 65536, 100000};
    struct side *side = &run->sides[i];
    struct fastws_pool_config pool_config;
    fastws_pool_config_init(&pool_config);
    pool_config.allocator = allocator;
    if (setup[0] & 16) pool_config.slab_len = 4096;
    fastws_conn_config_init(&side->config, i == 0 ? FASTWS_ROLE_CLIENT : FASTWS_ROLE_SERVER);
    side->config.limits.max_fragments = 0; /* a message in fragments of one byte has as many as it likes */
    side->config.delivery = (uint8_t)((setup[0] >> (2 * i) & 3) % 3);
    side->config.fragment_len = fragment_lens[setup[1] >> (4 * i) & 7];
    if (i == 1 && (setup[0] & 32)) side->pool = run->sides[0].pool;
    if (!side->pool) REQUIRE(fastws_pool_new(&pool_config, &side->pool) == 0);
    REQUIRE(fastws_conn_new(&side->config, side->pool, &side->conn) == 0);
}

/* Carries until nothing moves. */
static void settle(struct run *run) {
    struct side *client = &run->sides[0], *server = &run->sides[1];
    while (carry(run, client, server, CARRY_MAX) + carry(run, server, client, CARRY_MAX)) {}
}

static void check_end(struct run *run) {
    settle(run);
    for (int i = 0; i < 2; i++) {
        const struct side *side = &run->sides[i], *from = &run->sides[1 - i];
        REQUIRE(side->seen <= from->outbox.count); /* one that is open may have been discarded */
        /* One that has failed drops in the end what it could not send. */
        if (!side->is_ended && !from->is_ended) REQUIRE(side->seen >= from->outbox.count - from->outbox.is_open);
    }
    ignore(fastws_conn_close(run->sides[0].conn, 1000, "", 0));
    settle(run);
    for (int i = 0; i < 2; i++) { /* what time has failed alone hears no more of the other */
        struct side *side = &run->sides[i];
        fastws_conn_eof(side->conn);
        struct fastws_event event;
        while (fastws_conn_next(side->conn, &event, 1) > 0) {}
        REQUIRE(fastws_conn_get_state(side->conn) >= FASTWS_CONN_CLOSED);
        REQUIRE(fastws_conn_is_over(side->conn));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < SETUP_LEN) return 0;
    static struct run run; /* too large for the stack */
    memset(&run, 0, sizeof run);
    const struct fastws_allocator allocator = {allocate, resize, release, &run.live};
    for (int i = 0; i < 2; i++) open_side(&run, i, data, &allocator);
    run.script = data + SETUP_LEN;
    run.script_len = size - SETUP_LEN;
    for (int steps = 0; run.script_len > 0 && steps < STEPS_MAX; steps++) {
        step(&run);
        check_memory(&run);
    }
    check_end(&run);
    for (int i = 0; i < 2; i++) fastws_conn_free(run.sides[i].conn);
    if (run.sides[1].pool != run.sides[0].pool) fastws_pool_free(run.sides[1].pool);
    fastws_pool_free(run.sides[0].pool);
    REQUIRE(run.live == 0);
    return 0;
}
