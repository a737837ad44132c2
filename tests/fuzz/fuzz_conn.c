/* SPDX-License-Identifier: MIT */
/* Two connections joined, told by a script what to send and how much of it to carry over, while time passes: what is
 * sent arrives, once, in order and unchanged, memory is bounded by what is queued and received, and both sides agree
 * on how it ends.
 *
 * The first bytes of an input say how the two are set up; each of the rest is a step, some with a byte of how much:
 *
 *   0   bits 0-1 delivery of the client, 2-3 of the server, 4 small slabs, 5 one pool for both, 6 an extension on both
 *   1   length of fragments, out of a table: low half client, high half server
 *   2   what a side leaves to its user, low half client, high half server: bit 0 headers are not checked, 1 pongs,
 *       2 close frames, 3 sets no bits though it has the extension
 *   3.. bit 7: which side; bits 0-4: the step; then, for most, one byte more */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/conn.h>
#include <fastws/error.h>

#include "kept_payloads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is sent in a run is bounded, and less in fragments of a few bytes: one frame of one byte costs as much as 10 000
 * bytes of a large one, and finds nothing that a hundred do not. */
enum {
    SETUP_LEN = 3,
    MESSAGES_MAX = 128,
    STEPS_MAX = 250,
    PAYLOAD_MAX = 150000,
    RUN_MAX = 400000,
    TINY_MAX = 600,
    CARRY_MAX = 1 << 20
};

#define REQUIRE(condition) require(condition, #condition, __LINE__)

static void require(int is_met, const char *condition, int line) {
    if (is_met) return;
    fprintf(stderr, "fuzz_conn: line %d: not met: %s\n", line, condition);
    abort();
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
    struct fastws_conn_config configs[2]; /* fastws_conn_set_config() changes between them */
    int chosen;                           /* the one in use */
    struct fastws_pool *pool;
    struct fastws_conn *conn;
    struct outbox outbox;
    int seen;        /* messages of the other side that have come whole, or were discarded */
    size_t seen_len; /* bytes of the next one */
    size_t largest;  /* payload that the other side has sent */
    int is_ended;    /* a close or error event was handed out */
    int is_cut;      /* the transport brings it nothing more */
};

struct run {
    struct side sides[2]; /* client, server */
    size_t live;
    size_t sent_len; /* payload bytes of this run */
    uint64_t now_us;
    struct kept kept;
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
    static const size_t lens[] = {0,    1,    7,    64,   125,  126,   1000,  3900,
                                  4080, 4095, 4096, 5000, 8190, 16384, 65520, 70000};
    size_t byte = script_byte(run);
    return lens[byte & 15] + (byte >> 4);
}

/* Bytes that side may still send. */
static size_t budget(const struct run *run, const struct side *side) {
    size_t fragment_len = side->configs[0].fragment_len;
    size_t max = fragment_len > 0 && fragment_len < 1000 ? TINY_MAX : PAYLOAD_MAX;
    size_t left = RUN_MAX - run->sent_len;
    return max < left ? max : left;
}

static size_t script_payload_len(struct run *run, const struct side *side) {
    size_t len = script_len(run), max = budget(run, side);
    if (len > max) len = max;
    run->sent_len += len;
    return len;
}

/* ---- Sending ---- */

static struct message *begin_message(struct side *side, uint8_t opcode) {
    REQUIRE(!side->outbox.is_open);
    struct message *message = &side->outbox.messages[side->outbox.count++];
    *message = (struct message){.off = (size_t)side->outbox.count % 200, .opcode = opcode};
    return message;
}

enum source { CONSTANT, PREPARED, OVERWRITTEN };

/* What is in memory that is overwritten as soon as the connection owns what it has borrowed. */
static int send_overwritten(struct side *side, uint8_t opcode, const uint8_t *payload, size_t len) {
    uint8_t *copy = malloc(len + 1);
    REQUIRE(copy != NULL);
    memcpy(copy, payload, len);
    int result = fastws_conn_send(side->conn, opcode, copy, len);
    struct fastws_iovec pieces[2];
    REQUIRE(fastws_conn_pending(side->conn, pieces, 2) >= 0); /* listed before it is owned, as after a short write */
    REQUIRE(fastws_conn_own(side->conn) == 0);
    memset(copy, 0xee, len + 1);
    free(copy);
    return result;
}

static int send_prepared(struct side *side, uint8_t opcode, const uint8_t *payload, size_t len) {
    struct fastws_prepared *prepared;
    REQUIRE(fastws_prepared_new(NULL, opcode, payload, len, &prepared) == 0);
    int result = fastws_conn_send_prepared(side->conn, prepared);
    fastws_prepared_release(prepared);
    return result;
}

static void send_whole(struct run *run, struct side *side, enum source source) {
    size_t len = script_payload_len(run, side);
    uint8_t opcode = len % 2 ? FASTWS_OPCODE_TEXT : FASTWS_OPCODE_BINARY;
    if (side->outbox.count == MESSAGES_MAX) return;
    const uint8_t *payload = pattern() + ((size_t)side->outbox.count + 1) % 200;
    int result = source == PREPARED      ? send_prepared(side, opcode, payload, len)
                 : source == OVERWRITTEN ? send_overwritten(side, opcode, payload, len)
                                         : fastws_conn_send(side->conn, opcode, payload, len);
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
    size_t len = script_payload_len(run, side);
    struct message *message = &side->outbox.messages[side->outbox.count - (side->outbox.count > 0)];
    if (side->outbox.is_open && message->len + len > budget(run, side)) return;
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

/* Drops what no fragment was made of yet: all, if there was none. */
static void abandon(struct side *side) {
    size_t buffered = fastws_conn_buffered_len(side->conn);
    fastws_conn_abandon(side->conn);
    REQUIRE(fastws_conn_buffered_len(side->conn) == 0);
    if (!side->outbox.is_open || fastws_conn_get_state(side->conn) != FASTWS_CONN_OPEN) return;
    struct message *message = &side->outbox.messages[side->outbox.count - 1];
    message->len -= buffered;
    if (fastws_conn_is_message_open(side->conn)) return;
    REQUIRE(message->len == 0);
    side->outbox.count--;
    side->outbox.is_open = 0;
}

static void ignore(int result) { (void)result; }

static void close_side(struct run *run, struct side *side) {
    static const uint16_t codes[] = {1000, 1001, 1005, 3000, 4999, 1006};
    uint16_t code = codes[script_byte(run) % 6];
    int result = fastws_conn_close(side->conn, code, "done", code == 1005 ? 0 : 4);
    REQUIRE(code != 1006 || result < 0);
}

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

/* What the configuration leaves to its user. A pong may be refused behind a close frame. */
static void answer(struct side *side, const struct fastws_event *event) {
    const struct fastws_conn_config *config = &side->configs[side->chosen];
    if (event->kind == FASTWS_EVENT_PING && !config->is_pong_automatic)
        ignore(fastws_conn_pong(side->conn, event->ptr, (size_t)event->len));
    if (event->kind == FASTWS_EVENT_CLOSE && !config->is_close_automatic)
        ignore(fastws_conn_close(side->conn, event->close_code, "", 0));
    if (event->kind == FASTWS_EVENT_ERROR && !config->is_close_automatic)
        ignore(fastws_conn_close(side->conn, 1011, "", 0));
}

/* Neither of them breaks a rule: only time fails a connection, and a transport that is cut. */
static void check_error(const struct side *side, const struct fastws_event *event) {
    int is_eof = event->error == FASTWS_ERR_EOF || event->error == FASTWS_ERR_UNEXPECTED_EOF;
    REQUIRE(event->error == FASTWS_ERR_PING_TIMEOUT || event->error == FASTWS_ERR_CLOSE_TIMEOUT ||
            event->error == FASTWS_ERR_CONTROL_FLOOD || (side->is_cut && is_eof));
    REQUIRE(event->stream_offset == fastws_conn_offset(side->conn));
    REQUIRE(event->error_offset == 0);
    if (!side->configs[side->chosen].is_close_automatic) REQUIRE(event->close_code == 1006);
}

static void check_event(struct side *side, const struct side *from, const struct fastws_event *event, int count) {
    REQUIRE(!side->is_ended);
    if (event->kind == FASTWS_EVENT_MESSAGE || event->kind == FASTWS_EVENT_CHUNK) check_payload(side, from, event);
    if (event->kind < FASTWS_EVENT_CLOSE) return;
    REQUIRE(count == 1);
    side->is_ended = 1;
    if (event->kind == FASTWS_EVENT_CLOSE) REQUIRE(event->close_code == fastws_conn_close_sent(from->conn));
    if (event->kind == FASTWS_EVENT_ERROR) check_error(side, event);
}

static void take_events(struct run *run, struct side *side, struct side *from) {
    struct fastws_event events[8];
    int cap = 1 + (int)(run->script_len % 8), n;
    while ((n = fastws_conn_next(side->conn, events, cap)) > 0) {
        for (int i = 0; i < n; i++) check_event(side, from, &events[i], n);
        answer(side, &events[n - 1]); /* a control frame ends its batch */
        struct fastws_taken taken;
        if (run->script_len % 3 == 0) {
            REQUIRE(fastws_conn_take(side->conn, &events[n - 1], &taken) == 0);
            REQUIRE(taken.len == events[n - 1].len);
            REQUIRE(keep(&run->kept, &taken));
        }
    }
}

static int is_deaf(const struct side *side) { return side->is_ended || side->is_cut; }

/* Receives where the connection says. Returns how many bytes; 0 if it wants none. */
static size_t receive_into_space(struct run *run, struct side *from, struct side *to, const void *src, size_t len) {
    void *space;
    size_t cap;
    if (fastws_conn_space(to->conn, &space, &cap) < 0 || cap == 0) return 0;
    if (len > cap) len = cap;
    memcpy(space, src, len);
    REQUIRE(fastws_conn_sent(from->conn, len) == 0);
    REQUIRE(fastws_conn_filled(to->conn, len) == 0);
    take_events(run, to, from);
    return len;
}

/* Receives in a buffer of exactly that size, which is gone afterwards. */
static size_t receive_by_feed(struct run *run, struct side *from, struct side *to, const void *src, size_t len) {
    uint8_t *buf = malloc(len);
    REQUIRE(buf != NULL);
    memcpy(buf, src, len);
    int result = fastws_conn_feed(to->conn, buf, len);
    if (result == 0) REQUIRE(fastws_conn_sent(from->conn, len) == 0);
    if (result == 0) take_events(run, to, from);
    memset(buf, 0xee, len);
    free(buf);
    return result == 0 ? len : 0;
}

/* A receive that brings nothing leaves no more behind than there was. */
static void receive_nothing(struct side *side) {
    struct fastws_pool_stats before, after;
    void *space;
    size_t cap;
    fastws_pool_get_stats(side->pool, &before);
    if (is_deaf(side) || fastws_conn_space(side->conn, &space, &cap) < 0) return;
    REQUIRE(fastws_conn_filled(side->conn, 0) == 0);
    fastws_pool_get_stats(side->pool, &after);
    REQUIRE(after.slabs_lent <= before.slabs_lent);
}

typedef size_t receive_fn(struct run *, struct side *, struct side *, const void *, size_t);

/* Writes up to max bytes of what from has pending into to. Returns how many. */
static size_t carry(struct run *run, struct side *from, struct side *to, size_t max, receive_fn *receive) {
    struct fastws_iovec piece;
    size_t total = 0;
    while (total < max && fastws_conn_pending(from->conn, &piece, 1) > 0) {
        size_t len = piece.len < max - total ? piece.len : max - total;
        if (is_deaf(to)) {
            REQUIRE(fastws_conn_sent(from->conn, len) == 0);
        } else {
            len = receive(run, from, to, piece.base, len);
        }
        if (len == 0) break;
        total += len;
    }
    return total;
}

static void discard(struct side *side, const struct side *from) {
    if (is_deaf(side) || fastws_conn_discard(side->conn) < 0) return;
    REQUIRE(side->seen < from->outbox.count);
    side->seen++;
    side->seen_len = 0;
}

/* ---- Steps ---- */

/* The time is told by on_time() alone, or by the pool as well. */
static void pass_time(struct run *run, uint64_t ms) {
    run->now_us += ms * 100000;
    for (int i = 0; i < 2; i++) {
        if (ms % 2) fastws_pool_set_now(run->sides[i].pool, run->now_us);
        REQUIRE(fastws_conn_on_time(run->sides[i].conn, run->now_us / 1000) >= 0);
        uint64_t rtt_us = fastws_conn_rtt_us(run->sides[i].conn);
        REQUIRE(rtt_us == UINT64_MAX || rtt_us <= run->now_us);
    }
    for (int i = 0; i < 2; i++)
        if (!run->sides[i].is_ended) take_events(run, &run->sides[i], &run->sides[1 - i]);
}

/* Nothing reaches a side any more; what the other one writes is lost. */
static void cut(struct run *run, struct side *side, struct side *other) {
    if (is_deaf(side)) return;
    side->is_cut = 1;
    fastws_conn_eof(side->conn);
    take_events(run, side, other);
    REQUIRE(side->is_ended);
}

/* Both begin anew, as if connected again. */
static void reset_both(struct run *run) {
    for (int i = 0; i < 2; i++) {
        struct side *side = &run->sides[i];
        side->chosen = 0;
        REQUIRE(fastws_conn_reset(side->conn, &side->configs[0]) == 0);
        REQUIRE(fastws_conn_get_state(side->conn) == FASTWS_CONN_OPEN && fastws_conn_offset(side->conn) == 0);
        REQUIRE(fastws_conn_pending_len(side->conn) == 0 && fastws_conn_is_writable(side->conn));
        side->outbox.count = side->outbox.is_open = 0;
        side->seen = side->is_ended = side->is_cut = 0;
        side->seen_len = side->largest = 0;
    }
}

static void change_config(struct side *side) {
    side->chosen = 1 - side->chosen;
    REQUIRE(fastws_conn_set_config(side->conn, &side->configs[side->chosen]) == 0);
}

static void step(struct run *run) {
    size_t byte = script_byte(run);
    struct side *side = &run->sides[byte >> 7], *other = &run->sides[1 - (byte >> 7)];
    switch (byte & 31) {
    case 0: case 1: send_whole(run, side, CONSTANT); break;
    case 2: send_whole(run, side, PREPARED); break;
    case 3: begin(side); break;
    case 4: write_part(run, side); break;
    case 5: ignore(fastws_conn_flush_fragment(side->conn)); break;
    case 6: finish(side); break;
    case 7: ignore(fastws_conn_ping(side->conn, pattern(), script_byte(run) % 126)); break;
    case 8: ignore(fastws_conn_pong(side->conn, pattern(), script_byte(run) % 126)); break;
    case 9: carry(run, side, other, 1 + script_byte(run), receive_into_space); break;
    case 10: carry(run, side, other, 1 + script_len(run), receive_into_space); break;
    case 11: carry(run, side, other, CARRY_MAX, receive_into_space); break;
    case 12: REQUIRE(fastws_conn_own(side->conn) == 0); break;
    case 13: REQUIRE(fastws_conn_set_delivery(side->conn, (int)(script_byte(run) % 3)) == 0); break;
    case 14: discard(side, other); break;
    case 15: pass_time(run, script_byte(run)); break;
    case 16: close_side(run, side); break;
    case 17: carry(run, side, other, 1 + script_byte(run), receive_by_feed); break;
    case 18: carry(run, side, other, 1 + script_len(run), receive_by_feed); break;
    case 19: carry(run, side, other, CARRY_MAX, receive_by_feed); break;
    case 20: send_whole(run, side, OVERWRITTEN); break;
    case 21: abandon(side); break;
    case 22: change_config(side); break;
    case 23: receive_nothing(side); break;
    case 24: cut(run, side, other); break;
    case 25: reset_both(run); break;
    default: break;
    }
}

/* Says yes below both marks and no above them, whatever the marks were before. */
static void check_marks(const struct run *run) {
    for (int i = 0; i < 2; i++) {
        const struct side *side = &run->sides[i];
        const struct fastws_conn_config *config = &side->configs[side->chosen];
        uint64_t queued = fastws_conn_pending_len(side->conn);
        int is_writable = fastws_conn_is_writable(side->conn);
        if (queued <= config->queue_low || config->queue_high == 0) REQUIRE(is_writable);
        if (queued > config->queue_high && config->queue_high > 0) REQUIRE(!is_writable);
    }
}

/* What is queued is held once, what is received at most twice and a block's beginning; the rest is fixed. */
static void check_memory(const struct run *run) {
    uint64_t bound = 12 * 70000 + kept_len(&run->kept);
    for (int i = 0; i < 2; i++) {
        const struct side *side = &run->sides[i];
        bound += 3 * fastws_conn_pending_len(side->conn) + 2 * fastws_conn_buffered_len(side->conn);
        const struct outbox *outbox = &run->sides[1 - i].outbox;
        if (side->seen < outbox->count) bound += 2 * outbox->messages[side->seen].len;
    }
    REQUIRE(run->live <= bound);
}

/* ---- Runs ---- */

/* An extension that knows a message by its first bit, and makes nothing of it. */
static int set_bit(void *context, struct fastws_header *header) {
    (void)context;
    if (header->length % 2 == 0) header->rsv |= FASTWS_RSV1;
    return 0;
}

static int claim_bit(void *context, struct fastws_header *header) {
    (void)context;
    header->rsv &= (uint8_t)~FASTWS_RSV1;
    return 0;
}

static const struct fastws_extension both_ways = {.send = set_bit, .receive = claim_bit};
static const struct fastws_extension one_way = {.receive = claim_bit};

static void make_configs(struct side *side, enum fastws_role role, const uint8_t *setup, int i) {
    static const size_t fragment_lens[] = {4096, 0, 1, 100, 4095, 5000, 65536, 100000};
    struct fastws_conn_config *config = &side->configs[0];
    unsigned left_out = setup[2] >> (4 * i);
    fastws_conn_config_init(config, role);
    config->limits.max_fragments = 0; /* a message in fragments of one byte has as many as it likes */
    config->delivery = (uint8_t)((setup[0] >> (2 * i) & 3) % 3);
    config->fragment_len = fragment_lens[setup[1] >> (4 * i) & 7];
    config->is_header_checked = !(left_out & 1);
    config->is_pong_automatic = !(left_out & 2);
    config->is_close_automatic = !(left_out & 4);
    config->extensions = left_out & 8 ? &one_way : &both_ways;
    config->extension_count = setup[0] >> 6 & 1;
    side->configs[1] = *config;
    side->configs[1].queue_high = 100;
    side->configs[1].queue_low = 50;
    side->configs[1].is_header_checked ^= 1;
    side->configs[1].is_pong_automatic ^= 1;
    side->configs[1].extensions = &both_ways;
}

static void open_side(struct run *run, int i, const uint8_t *setup, const struct fastws_allocator *allocator) {
    struct side *side = &run->sides[i];
    struct fastws_pool_config pool_config;
    fastws_pool_config_init(&pool_config);
    pool_config.allocator = allocator;
    pool_config.slab_keep = 4; /* so that what is kept is no more than the bound of memory says */
    if (setup[0] & 16) pool_config.slab_len = 4096;
    make_configs(side, i == 0 ? FASTWS_ROLE_CLIENT : FASTWS_ROLE_SERVER, setup, i);
    if (i == 1 && (setup[0] & 32)) side->pool = run->sides[0].pool;
    if (!side->pool) REQUIRE(fastws_pool_new(&pool_config, &side->pool) == 0);
    REQUIRE(fastws_conn_new(&side->configs[0], side->pool, &side->conn) == 0);
}

/* Carries until nothing moves. */
static void settle(struct run *run) {
    struct side *client = &run->sides[0], *server = &run->sides[1];
    while (carry(run, client, server, CARRY_MAX, receive_into_space) +
           carry(run, server, client, CARRY_MAX, receive_into_space)) {}
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
        check_marks(&run);
    }
    check_end(&run);
    for (int i = 0; i < 2; i++) fastws_conn_free(run.sides[i].conn);
    if (run.sides[1].pool != run.sides[0].pool) fastws_pool_free(run.sides[1].pool);
    fastws_pool_free(run.sides[0].pool);
    REQUIRE(give_back_all(&run.kept)); /* the connections are gone, and the pools */
    REQUIRE(run.live == 0);
    return 0;
}
