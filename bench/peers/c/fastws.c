/* SPDX-License-Identifier: MIT */
/* The worker of scripts/peers that measures fastws itself, through its public C API. */
#include <fastws/fastws.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

enum { EVENTS = 64 };

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

static uint64_t run_mask(void *context, uint64_t count) {
    struct worker_turns *turns = context;
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *buf = turns->buf + (i & turns->last) * turns->stride;
        fastws_mask(buf, buf, turns->len, key, 0);
    }
    return count;
}

static uint64_t run_utf8(void *context, uint64_t count) {
    struct worker_turns *turns = context;
    uint64_t valid = 0;
    for (uint64_t i = 0; i < count; i++) {
        valid += (uint64_t)fastws_utf8_is_valid(turns->buf + (i & turns->last) * turns->stride, turns->len);
    }
    if (valid != count) worker_die("wrong result", "utf8");
    return count;
}

struct receiver {
    struct worker_stream stream;
    struct fastws_conn_config config;
    struct fastws_pool *pool;
    struct fastws_conn *conn;
    size_t payload_len;
};

/* Takes what has arrived. Returns the number of messages. */
static uint64_t take_events(struct receiver *receiver) {
    struct fastws_event events[EVENTS];
    uint64_t messages = 0;
    int n;
    while ((n = fastws_conn_next(receiver->conn, events, EVENTS)) > 0) {
        for (int i = 0; i < n; i++) {
            if (events[i].kind != FASTWS_EVENT_MESSAGE || events[i].len != receiver->payload_len) {
                worker_die("wrong result", "frames");
            }
        }
        messages += (uint64_t)n;
    }
    if (n < 0) worker_die("conn", fastws_error_text(n));
    return messages;
}

static uint64_t run_frames(void *context, uint64_t count) {
    struct receiver *receiver = context;
    uint64_t messages = 0;
    while (messages < count) {
        void *space;
        size_t cap;
        if (fastws_conn_space(receiver->conn, &space, &cap) < 0) worker_die("conn", "space");
        size_t len = worker_stream_read(&receiver->stream, space, cap);
        if (fastws_conn_filled(receiver->conn, len) < 0) worker_die("conn", "filled");
        messages += take_events(receiver);
    }
    return messages;
}

static struct receiver *receiver_new(const struct worker_row *row) {
    struct receiver *receiver = worker_alloc(sizeof *receiver);
    worker_stream_init(&receiver->stream, row);
    receiver->payload_len = row->number;
    fastws_conn_config_init(&receiver->config, FASTWS_ROLE_SERVER);
    if (fastws_pool_new(NULL, &receiver->pool) < 0 ||
        fastws_conn_new(&receiver->config, receiver->pool, &receiver->conn) < 0) {
        worker_die("no connection", row->name);
    }
    return receiver;
}

struct head {
    struct fastws_header header;
    uint8_t bytes[FASTWS_HEADER_MAX];
    size_t len;
};

static uint64_t run_header_read(void *context, uint64_t count) {
    struct head *head = context;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct fastws_header header;
        if (fastws_header_parse(&header, head->bytes, head->len) < 0) worker_die("wrong result", "header_read");
        sum += header.length;
    }
    if (sum != count * head->header.length) worker_die("wrong result", "header_read");
    return count;
}

static uint64_t run_header_write(void *context, uint64_t count) {
    struct head *head = context;
    for (uint64_t i = 0; i < count; i++) {
        if (fastws_header_write(head->bytes, sizeof head->bytes, &head->header) < 0) {
            worker_die("wrong result", "header_write");
        }
    }
    return count;
}

static struct head *head_new(const struct worker_row *row) {
    struct worker_turns *data = worker_turns_new(row);
    struct head *head = worker_alloc(sizeof *head);
    head->len = data->len;
    if (data->len > sizeof head->bytes) worker_die("too long", row->name);
    memcpy(head->bytes, data->buf, data->len);
    if (fastws_header_parse(&head->header, head->bytes, head->len) <= 0) worker_die("no header", row->name);
    return head;
}

static uint64_t run_http_head(void *context, uint64_t count) {
    struct worker_turns *request = context;
    struct fastws_http_header headers[64];
    struct fastws_http_head head;
    for (uint64_t i = 0; i < count; i++) {
        fastws_http_head_init(&head, headers, 64);
        if (fastws_http_parse_request(&head, request->buf, request->len) != 1) worker_die("wrong result", "http_head");
    }
    return count;
}

struct opening {
    struct fastws_upgrade *upgrade;
    struct worker_turns *request;
};

static uint64_t run_upgrade(void *context, uint64_t count) {
    struct opening *opening = context;
    for (uint64_t i = 0; i < count; i++) {
        size_t used, len;
        const void *response;
        if (fastws_upgrade_feed(opening->upgrade, opening->request->buf, opening->request->len, &used) != 1 ||
            fastws_upgrade_response(opening->upgrade, &response, &len) != 0) {
            worker_die("wrong result", "upgrade");
        }
        fastws_upgrade_reset(opening->upgrade);
    }
    return count;
}

static struct opening *opening_new(const struct worker_row *row) {
    struct opening *opening = worker_alloc(sizeof *opening);
    opening->request = worker_turns_new(row);
    if (fastws_upgrade_new(NULL, NULL, &opening->upgrade) != 0) worker_die("no upgrade", row->name);
    return opening;
}

/* A connection without context, and the messages of a row, which take turns. */
struct flater {
    struct fastws_deflate_config config;
    struct fastws_deflate_pool *pool;
    struct fastws_deflate *deflate;
    struct fastws_deflate_buffer buffer;
    struct worker_turns *data;
    size_t off; /* of the next message, behind its length in four bytes */
};

static struct flater *flater_new(const struct worker_row *row) {
    static const struct fastws_deflate_params agreed = {.server_no_context_takeover = 1,
                                                        .client_no_context_takeover = 1};
    struct flater *flater = worker_alloc(sizeof *flater);
    *flater = (struct flater){.data = worker_turns_new(row)};
    fastws_deflate_config_init(&flater->config, FASTWS_DEFLATE_NO_TAKEOVER);
    if (fastws_deflate_pool_new(NULL, 4, &flater->pool) != 0 ||
        fastws_deflate_new(&flater->config, FASTWS_STATE_SERVER, &agreed, flater->pool, &flater->deflate) != 0)
        worker_die("no deflate", row->name);
    return flater;
}

/* Makes a frame of the next message. */
static struct fastws_frame next_frame(struct flater *flater, unsigned rsv) {
    const uint8_t *head = flater->data->buf + flater->off;
    size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    flater->off += 4 + len;
    if (flater->off == flater->data->len) flater->off = 0;
    struct fastws_frame frame = {.payload = head + 4};
    frame.header.length = len;
    frame.header.opcode = FASTWS_OPCODE_BINARY;
    frame.header.fin = 1;
    frame.header.rsv = (uint8_t)rsv;
    return frame;
}

static uint64_t run_deflate(void *context, uint64_t count) {
    struct flater *flater = context;
    for (uint64_t i = 0; i < count; i++) {
        struct fastws_frame frame = next_frame(flater, 0);
        if (fastws_deflate_compress_frame(flater->deflate, &frame, &flater->buffer) != 1)
            worker_die("wrong result", "deflate");
    }
    return count;
}

static uint64_t run_inflate(void *context, uint64_t count) {
    struct flater *flater = context;
    for (uint64_t i = 0; i < count; i++) {
        struct fastws_frame frame = next_frame(flater, FASTWS_RSV1);
        if (fastws_deflate_decompress_frame(flater->deflate, &frame, &flater->buffer) != 1)
            worker_die("wrong result", "inflate");
    }
    return count;
}

static uint64_t run_accept_key(void *context, uint64_t count) {
    struct worker_turns *challenge = context;
    char accept[FASTWS_ACCEPT_LEN + 1];
    for (uint64_t i = 0; i < count; i++) {
        if (fastws_accept_key(accept, challenge->buf, challenge->len) != 0) worker_die("wrong result", "accept_key");
    }
    return count;
}

/* Usage: fastws FOLDER NAME, where NAME is what to call this build. */
int main(int argc, char **argv) {
    struct worker_row row;
    if (argc != 3) worker_die("usage", "fastws FOLDER NAME");
    worker_open(argv[1]);
    const char *peer = argv[2];
    worker_peer(peer, fastws_version());
    printf("note %s row %s\n", peer, fastws_cpu_isa());
    while (worker_next_row(&row)) {
        if (worker_row_is(&row, "mask")) worker_add(peer, &row, run_mask, worker_turns_new(&row));
        if (worker_row_is(&row, "utf8")) worker_add(peer, &row, run_utf8, worker_turns_new(&row));
        if (worker_row_is(&row, "frames")) worker_add(peer, &row, run_frames, receiver_new(&row));
        if (worker_row_is(&row, "header_read")) worker_add(peer, &row, run_header_read, head_new(&row));
        if (worker_row_is(&row, "header_write")) worker_add(peer, &row, run_header_write, head_new(&row));
        if (worker_row_is(&row, "http_head")) worker_add(peer, &row, run_http_head, worker_turns_new(&row));
        if (worker_row_is(&row, "upgrade")) worker_add(peer, &row, run_upgrade, opening_new(&row));
        if (worker_row_is(&row, "deflate")) worker_add(peer, &row, run_deflate, flater_new(&row));
        if (worker_row_is(&row, "inflate")) worker_add(peer, &row, run_inflate, flater_new(&row));
        if (worker_row_is(&row, "accept_key")) worker_add(peer, &row, run_accept_key, worker_turns_new(&row));
    }
    return worker_serve();
}
