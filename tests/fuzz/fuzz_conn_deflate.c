/* SPDX-License-Identifier: MIT */
/* Two connections that negotiated compression with each other: whatever they send (whole, in pieces with control frames
 * between, prepared, plain), however the bytes are cut, whatever goes idle in between, what comes out is what went in.
 * With damaged bytes or without memory they may fail, and nothing worse.
 *
 * Input: eight bytes of settings, then steps of four bytes: an operation, the length of a message (two), and how the
 * bytes are cut. Messages are the bytes from the step on, so that they refer to each other. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/conn.h>
#include <fastws/error.h>

enum { STEPS = 32, MESSAGE_CAP = 1 << 16, WIRE_CAP = 4 << 16 };

/* Stops the fuzzer at a property that does not hold. */
static void expect(int holds) {
    if (!holds) abort();
}

struct side {
    struct fastws_allocator allocator;
    struct fastws_random random;
    struct fastws_conn_config config;
    struct fastws_deflate_config deflate;
    struct fastws_pool *pool;
    struct fastws_conn *conn;
};

struct pair {
    struct side sides[2]; /* server, client */
    unsigned fail_in;     /* allocations until all fail; 0: none does */
    int is_failed;        /* one did, or bytes were damaged: connections may fail */
    int is_over;
    uint8_t plain[2 * MESSAGE_CAP]; /* messages that were received in this step, joined */
    size_t plain_len;
    uint8_t wire[WIRE_CAP];
    size_t wire_len;
};

/* ---- Memory and keys ---- */

static int may_allocate(struct pair *pair) {
    if (pair->fail_in == 0 || --pair->fail_in > 0) return 1;
    pair->fail_in = 1;
    pair->is_failed = 1;
    return 0;
}

static void *allocate(void *context, size_t size) { return may_allocate(context) ? malloc(size) : NULL; }

static void *resize(void *context, void *ptr, size_t old_size, size_t new_size) {
    (void)old_size;
    return new_size <= old_size || may_allocate(context) ? realloc(ptr, new_size) : NULL;
}

static void release(void *context, void *ptr, size_t size) {
    (void)context;
    (void)size;
    free(ptr);
}

static int fill(void *context, void *dst, size_t len) {
    (void)context;
    memset(dst, 0xa5, len);
    return 0;
}

/* ---- Opening ---- */

static void configure(struct pair *pair, int i, const uint8_t settings[3]) {
    struct side *side = &pair->sides[i];
    side->allocator = (struct fastws_allocator){allocate, resize, release, pair};
    side->random = (struct fastws_random){fill, NULL};
    fastws_conn_config_init(&side->config, i == 0 ? FASTWS_ROLE_SERVER : FASTWS_ROLE_CLIENT);
    side->config.is_utf8_checked = 0;
    side->config.delivery = settings[0] / 6 % 3;
    side->config.fragment_len = settings[2] / 8 % 2 ? 100 : 4096;
    fastws_deflate_config_init(&side->deflate, (enum fastws_deflate_mode)(1 + settings[0] % 3));
    side->deflate.is_peer_takeover = settings[0] / 3 % 2;
    side->deflate.window_bits = (uint8_t)(8 + settings[1] % 8);
    side->deflate.peer_window_bits = (uint8_t)(8 + settings[1] / 8 % 8);
    side->deflate.level = settings[1] / 64 * 3;
    side->deflate.memory_level = (uint8_t)(1 + settings[2] % 8);
    side->deflate.tail_len = (uint16_t)(256 + settings[2] / 16 * 100);
}

/* Both ends come to an agreement, by the text of the header. */
static void negotiate(const struct pair *pair, struct fastws_deflate_params agreed[2]) {
    struct fastws_deflate_params offer;
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    expect(fastws_deflate_offer(&offer, &pair->sides[1].deflate) == 0);
    int len = fastws_deflate_params_write(text, sizeof text, &offer);
    expect(fastws_deflate_accept(&agreed[0], &pair->sides[0].deflate, (struct fastws_slice){text, (size_t)len}) == 1);
    len = fastws_deflate_params_write(text, sizeof text, &agreed[0]);
    expect(fastws_deflate_confirm(&agreed[1], &offer, 1, (struct fastws_slice){text, (size_t)len}) == 1);
}

static int open_side(struct side *side, const struct fastws_deflate_params *agreed) {
    struct fastws_pool_config pool_config;
    fastws_pool_config_init(&pool_config);
    pool_config.allocator = &side->allocator;
    pool_config.random = &side->random;
    if (fastws_pool_new(&pool_config, &side->pool) < 0) return 0;
    if (fastws_conn_new(&side->config, side->pool, &side->conn) < 0) return 0;
    return fastws_conn_set_deflate(side->conn, &side->deflate, agreed) == 0;
}

static void close_pair(struct pair *pair) {
    for (int i = 0; i < 2; i++) {
        fastws_conn_free(pair->sides[i].conn);
        fastws_pool_free(pair->sides[i].pool);
    }
}

/* ---- Steps ---- */

static void drain(struct pair *pair, struct fastws_conn *conn) {
    struct fastws_iovec iov[4];
    int n;
    pair->wire_len = 0;
    while ((n = fastws_conn_pending(conn, iov, 4)) > 0) {
        size_t len = 0;
        for (int i = 0; i < n; i++) {
            expect(iov[i].len <= WIRE_CAP - pair->wire_len);
            memcpy(pair->wire + pair->wire_len, iov[i].base, iov[i].len);
            pair->wire_len += iov[i].len;
            len += iov[i].len;
        }
        expect(fastws_conn_sent(conn, len) == 0);
    }
    if (n < 0) {
        expect(pair->is_failed);
        pair->is_over = 1;
    }
}

static void take_event(struct pair *pair, const struct fastws_event *event) {
    if (event->kind == FASTWS_EVENT_ERROR) {
        expect(pair->is_failed);
        pair->is_over = 1;
    }
    if (event->kind != FASTWS_EVENT_MESSAGE && event->kind != FASTWS_EVENT_CHUNK) return;
    expect(event->len <= sizeof pair->plain - pair->plain_len || pair->is_failed);
    if (event->len > sizeof pair->plain - pair->plain_len || event->len == 0) return;
    memcpy(pair->plain + pair->plain_len, event->ptr, (size_t)event->len);
    pair->plain_len += (size_t)event->len;
}

/* Brings what was drained to the other end, in receives of at most cut bytes. */
static void deliver(struct pair *pair, struct side *to, size_t cut) {
    struct fastws_event events[3];
    for (size_t off = 0; off < pair->wire_len && !pair->is_over;) {
        void *space;
        size_t room, len = pair->wire_len - off;
        int n = fastws_conn_space(to->conn, &space, &room);
        if (n < 0) {
            expect(pair->is_failed);
            pair->is_over = 1;
            return;
        }
        if (len > cut) len = cut;
        if (len > room) len = room;
        memcpy(space, pair->wire + off, len);
        expect(fastws_conn_filled(to->conn, len) == 0);
        off += len;
        while ((n = fastws_conn_next(to->conn, events, 3)) > 0)
            for (int i = 0; i < n; i++) take_event(pair, &events[i]);
        if (n < 0) pair->is_over = 1;
    }
}

static int send_in_pieces(struct fastws_conn *conn, int opcode, const uint8_t *message, size_t len, size_t piece_len) {
    int result = fastws_conn_begin(conn, opcode);
    for (size_t off = 0; off < len && result == 0; off += piece_len) {
        size_t piece = len - off < piece_len ? len - off : piece_len;
        result = fastws_conn_write(conn, message + off, piece);
        if (result == 0 && message[off] % 3 == 0) result = fastws_conn_flush_fragment(conn);
        if (result == 0 && message[off] % 4 == 0) result = fastws_conn_ping(conn, message + off, piece % 126);
    }
    return result == 0 ? fastws_conn_finish(conn) : result;
}

static int send_prepared(struct side *from, const uint8_t *message, size_t len) {
    struct fastws_prepared *prepared;
    int result = fastws_prepared_new(&from->allocator, 2, message, len, &prepared);
    if (result < 0) return result;
    result = fastws_conn_send_prepared(from->conn, prepared);
    if (result == 0) result = fastws_conn_own(from->conn);
    fastws_prepared_release(prepared);
    return result;
}

static int send(struct side *from, unsigned operation, const uint8_t *message, size_t len) {
    static const int flags[] = {0, FASTWS_SEND_COMPRESSED, FASTWS_SEND_PLAIN, FASTWS_SEND_COMPRESSED};
    int opcode = 2 | flags[operation / 8 % 4];
    switch (operation % 4) {
    case 0: return fastws_conn_send(from->conn, opcode, message, len);
    case 1: return send_in_pieces(from->conn, opcode, message, len, 1 + len / 3);
    case 2: return send_in_pieces(from->conn, opcode, message, len, 90 + operation);
    default: return send_prepared(from, message, len);
    }
}

/* One message of one end, or silence. */
static void do_step(struct pair *pair, const uint8_t step[4], const uint8_t *message, size_t len) {
    struct side *from = &pair->sides[step[0] / 4 % 2], *to = &pair->sides[1 - step[0] / 4 % 2];
    unsigned operation = step[0] % 4 + step[0] / 32 * 8u;
    if (step[0] / 8 % 4 == 3) {
        fastws_conn_idle(step[3] & 1 ? from->conn : to->conn);
        if (step[3] & 2) fastws_pool_trim(from->pool);
    }
    pair->plain_len = 0;
    int result = send(from, operation, message, len);
    expect(result == 0 || (result == FASTWS_ERR_NOMEM && pair->is_failed));
    pair->is_over |= result < 0;
    drain(pair, from->conn);
    int is_damaged = step[3] == 0xff && pair->wire_len > 0;
    if (is_damaged) pair->wire[len % pair->wire_len] ^= (uint8_t)(1u << step[0] % 8);
    pair->is_failed |= is_damaged;
    deliver(pair, to, step[3] % 8 == 0 ? WIRE_CAP : step[3]);
    if (!is_damaged && !pair->is_over) {
        expect(pair->plain_len == len);
        expect(len == 0 || memcmp(pair->plain, message, len) == 0);
    }
    pair->is_over |= is_damaged;
    if (!pair->is_over) drain(pair, to->conn); /* pongs */
    if (!pair->is_over) deliver(pair, from, WIRE_CAP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct pair pair; /* large; begun anew for each input */
    struct fastws_deflate_params agreed[2];
    if (size < 8 || !fastws_deflate_is_available()) return 0;
    memset(&pair, 0, offsetof(struct pair, plain));
    configure(&pair, 0, data);
    configure(&pair, 1, data + 3);
    pair.fail_in = data[6];
    negotiate(&pair, agreed);
    int is_open = open_side(&pair.sides[0], &agreed[0]) && open_side(&pair.sides[1], &agreed[1]);
    expect(is_open || pair.is_failed);
    data += 8;
    size -= 8;
    for (int i = 0; i < STEPS && is_open && !pair.is_over && size >= 4; i++, data += 4, size -= 4) {
        size_t len = (size_t)data[1] << (data[2] % 9);
        do_step(&pair, data, data, len < size ? len : size);
    }
    close_pair(&pair);
    return 0;
}
