/* SPDX-License-Identifier: MIT */
/* Implements the connection: its two halves, and the protocol that joins them (pongs, close handshake, deadlines). */
#include <fastws/conn.h>

#include <fastws/close.h>
#include <fastws/error.h>
#include <fastws/header.h>

#include "reader.h"
#include "writer.h"

struct fastws_conn {
    const struct fastws_conn_config *config;
    struct fws_reader reader;
    struct fws_writer writer;
    uint64_t life_ms;  /* when the last byte came */
    uint64_t since_ms; /* when what the next deadline counts from began: a ping, a flood, the close handshake */
    int error;         /* what input and sends return once is_stopped */
    int due;           /* an error that the next fastws_conn_next() hands out, when it finds nothing else */
    uint16_t close_sent;
    uint16_t close_received;
    uint8_t state; /* enum fastws_conn_state */
    uint8_t is_stopped;
    uint8_t is_eof;
    uint8_t is_ping_out;  /* a ping was sent, and no byte has come since */
    uint8_t is_flooded;   /* control replies have passed their limit: reading has stopped */
    uint8_t is_allocated; /* by fastws_conn_new() */
};

_Static_assert((int)FASTWS_ROLE_SERVER == (int)FASTWS_STATE_SERVER, "roles are states of the header check");
_Static_assert((int)FASTWS_ROLE_CLIENT == (int)FASTWS_STATE_CLIENT, "roles are states of the header check");

/* ---- Life ---- */

void fastws_conn_config_init(struct fastws_conn_config *config, enum fastws_role role) {
    *config = (struct fastws_conn_config){
        .size = sizeof *config,
        .limits = {.max_message = 16u << 20,
                   .max_frame = 16u << 20,
                   .max_fragments = 262144,
                   .max_empty_fragments = 1024,
                   .max_control_pending = 64u << 10},
        .ping_interval_ms = 20000,
        .ping_timeout_ms = 20000,
        .close_timeout_ms = 10000,
        .role = (uint8_t)role,
        .is_utf8_checked = 1,
        .is_pong_automatic = 1,
        .is_close_automatic = 1,
    };
}

size_t fastws_conn_sizeof(void) {
    return sizeof(struct fastws_conn);
}

int fastws_conn_init(void *memory, const struct fastws_conn_config *config, struct fastws_pool *pool) {
    if (config->size != sizeof *config) return FASTWS_ERR_ARGUMENT;
    if (config->role != FASTWS_ROLE_SERVER && config->role != FASTWS_ROLE_CLIENT) return FASTWS_ERR_ARGUMENT;
    struct fastws_conn *conn = memory;
    *conn = (struct fastws_conn){.config = config, .life_ms = fws_pool_now_ms(pool), .state = FASTWS_CONN_OPEN};
    fws_reader_init(&conn->reader, pool, &config->limits, config->role, config->is_utf8_checked);
    fws_writer_init(&conn->writer, pool);
    return 0;
}

int fastws_conn_new(const struct fastws_conn_config *config, struct fastws_pool *pool, struct fastws_conn **out) {
    struct fastws_conn *conn = pool->allocator->allocate(pool->allocator->context, sizeof *conn);
    if (!conn) return FASTWS_ERR_NOMEM;
    int error = fastws_conn_init(conn, config, pool);
    if (error < 0) {
        pool->allocator->release(pool->allocator->context, conn, sizeof *conn);
        return error;
    }
    conn->is_allocated = 1;
    *out = conn;
    return 0;
}

void fastws_conn_free(struct fastws_conn *conn) {
    if (!conn) return;
    const struct fastws_allocator *allocator = conn->reader.pool->allocator;
    fws_reader_stop(&conn->reader, FASTWS_ERR_CLOSED);
    fws_writer_clear(&conn->writer);
    if (conn->is_allocated) allocator->release(allocator->context, conn, sizeof *conn);
}

/* ---- Out ---- */

static uint64_t now_ms(const struct fastws_conn *conn) {
    return fws_pool_now_ms(conn->reader.pool);
}

static int check_may_send(const struct fastws_conn *conn) {
    if (conn->state == FASTWS_CONN_FAILED) return conn->error;
    return conn->state == FASTWS_CONN_OPEN ? 0 : FASTWS_ERR_CLOSED;
}

/* Queues one frame: a client masks it with a key that nobody can foresee. RFC 6455 5.3. */
static int queue_frame(struct fastws_conn *conn, int opcode, const void *payload, size_t len) {
    struct fastws_header header = {.length = len, .opcode = (uint8_t)opcode, .fin = 1};
    if (conn->config->role == FASTWS_ROLE_CLIENT) {
        header.masked = 1;
        TRY(fws_random_fill(&conn->reader.pool->random, header.key, sizeof header.key));
    }
    return fws_writer_frame(&conn->writer, &header, payload);
}

static int queue_control(struct fastws_conn *conn, int opcode, const void *payload, size_t len) {
    if (len > FASTWS_CONTROL_MAX) return FASTWS_ERR_CONTROL_LEN;
    return queue_frame(conn, opcode, payload, len);
}

static int queue_close(struct fastws_conn *conn, uint16_t code, const char *reason, size_t len) {
    uint8_t body[FASTWS_CONTROL_MAX];
    int body_len = fastws_close_write(body, sizeof body, code, reason, len);
    if (body_len < 0) return body_len;
    TRY(queue_control(conn, FASTWS_OPCODE_CLOSE, body, (size_t)body_len));
    conn->close_sent = code;
    conn->since_ms = now_ms(conn);
    return 0;
}

int fastws_conn_send(struct fastws_conn *conn, int opcode, const void *payload, size_t len) {
    if (opcode != FASTWS_OPCODE_TEXT && opcode != FASTWS_OPCODE_BINARY) return FASTWS_ERR_ARGUMENT;
    TRY(check_may_send(conn));
    return queue_frame(conn, opcode, payload, len);
}

int fastws_conn_ping(struct fastws_conn *conn, const void *payload, size_t len) {
    TRY(check_may_send(conn));
    return queue_control(conn, FASTWS_OPCODE_PING, payload, len);
}

int fastws_conn_pong(struct fastws_conn *conn, const void *payload, size_t len) {
    TRY(check_may_send(conn));
    return queue_control(conn, FASTWS_OPCODE_PONG, payload, len);
}

int fastws_conn_close(struct fastws_conn *conn, uint16_t code, const char *reason, size_t len) {
    int is_told = conn->close_sent || conn->config->is_close_automatic;
    if (conn->state == FASTWS_CONN_FAILED && is_told) return conn->error;
    if (conn->close_sent) return FASTWS_ERR_CLOSED;
    TRY(queue_close(conn, code, reason, len));
    if (conn->state == FASTWS_CONN_OPEN) conn->state = FASTWS_CONN_CLOSING;
    return 0;
}

int fastws_conn_pending(struct fastws_conn *conn, struct fastws_iovec *iov, int cap) {
    return fws_writer_list(&conn->writer, iov, cap);
}

int fastws_conn_sent(struct fastws_conn *conn, size_t len) {
    if (len > conn->writer.listed) return FASTWS_ERR_ARGUMENT;
    fws_writer_sent(&conn->writer, len);
    if (conn->is_flooded && fws_writer_replies(&conn->writer) <= conn->config->limits.max_control_pending) {
        /* While nothing was read the peer could give no sign of life. */
        conn->is_flooded = 0;
        conn->is_ping_out = 0;
        conn->life_ms = now_ms(conn);
    }
    return 0;
}

int fastws_conn_own(struct fastws_conn *conn) {
    return fws_writer_own(&conn->writer);
}

uint64_t fastws_conn_pending_len(const struct fastws_conn *conn) {
    return conn->writer.queued;
}

/* ---- In ---- */

static void note_life(struct fastws_conn *conn, size_t len) {
    if (len == 0) return;
    conn->life_ms = now_ms(conn);
    conn->is_ping_out = 0;
}

int fastws_conn_space(struct fastws_conn *conn, void **ptr, size_t *cap) {
    if (conn->is_stopped) return conn->error;
    *ptr = NULL;
    *cap = 0;
    return conn->is_flooded ? 0 : fws_reader_space(&conn->reader, ptr, cap);
}

int fastws_conn_filled(struct fastws_conn *conn, size_t len) {
    if (conn->is_stopped) return conn->error;
    if (len > 0 && conn->is_flooded) return FASTWS_ERR_ARGUMENT; /* there was no space */
    TRY(fws_reader_filled(&conn->reader, len));
    note_life(conn, len);
    return 0;
}

int fastws_conn_feed(struct fastws_conn *conn, void *buf, size_t len) {
    if (conn->is_stopped) return conn->error;
    if (conn->is_flooded) return FASTWS_ERR_STATE;
    TRY(fws_reader_feed(&conn->reader, buf, len));
    note_life(conn, len);
    return 0;
}

ptrdiff_t fastws_conn_read_raw(struct fastws_conn *conn, void *dst, size_t len) {
    return conn->is_stopped ? conn->error : fws_reader_raw(&conn->reader, dst, len);
}

void fastws_conn_eof(struct fastws_conn *conn) {
    conn->is_eof = 1;
}

static void stop(struct fastws_conn *conn, enum fastws_conn_state state, int error) {
    conn->state = (uint8_t)state;
    conn->error = error;
    conn->is_stopped = 1;
    conn->since_ms = now_ms(conn);
}

/* Tells the peer why, once, and stops. RFC 6455 7.1.7. */
static int fail(struct fastws_conn *conn, struct fastws_event *event, int error) {
    uint16_t code = (uint16_t)fastws_error_close_code(error);
    if (conn->close_sent || !conn->config->is_close_automatic) code = FASTWS_CLOSE_ABNORMAL_CLOSURE;
    const char *reason = fastws_error_text(error);
    if (code != FASTWS_CLOSE_ABNORMAL_CLOSURE && queue_close(conn, code, reason, strlen(reason)) < 0) {
        code = FASTWS_CLOSE_ABNORMAL_CLOSURE;
    }
    *event = (struct fastws_event){.kind = FASTWS_EVENT_ERROR,
                                   .close_code = code,
                                   .error = error,
                                   .error_offset = conn->reader.error == error ? conn->reader.error_offset : 0};
    fws_reader_stop(&conn->reader, error);
    stop(conn, FASTWS_CONN_FAILED, error);
    return 1;
}

/* RFC 6455 5.5.2: a pong carries the payload of its ping. After our close frame nothing may follow. */
static void answer_ping(struct fastws_conn *conn, const struct fastws_event *event) {
    if (!conn->config->is_pong_automatic || conn->close_sent) return;
    uint64_t before = conn->writer.queued;
    int error = queue_control(conn, FASTWS_OPCODE_PONG, event->ptr, (size_t)event->len);
    if (error < 0) {
        conn->due = error;
        return;
    }
    fws_writer_note_reply(&conn->writer, (size_t)(conn->writer.queued - before));
    size_t max = conn->config->limits.max_control_pending;
    if (max != 0 && fws_writer_replies(&conn->writer) > max && !conn->is_flooded) {
        conn->is_flooded = 1;
        conn->since_ms = now_ms(conn);
    }
}

/* RFC 6455 5.5.1: a close frame is answered with its code, unless ours went first. The memory of the event goes back
 * with the next call. */
static void answer_close(struct fastws_conn *conn, const struct fastws_event *event) {
    conn->close_received = event->close_code;
    if (!conn->close_sent && conn->config->is_close_automatic) {
        /* Without memory for the answer the transport is closed without one. */
        int error = queue_close(conn, event->close_code, "", 0);
        (void)error;
    }
    stop(conn, FASTWS_CONN_CLOSED, FASTWS_ERR_CLOSED);
}

static int find_error(const struct fastws_conn *conn) {
    if (conn->reader.error) return conn->reader.error;
    if (conn->due) return conn->due;
    if (!conn->is_eof) return 0;
    return fws_reader_is_between_messages(&conn->reader) ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF;
}

int fastws_conn_next(struct fastws_conn *conn, struct fastws_event *events, int cap) {
    if (conn->is_stopped) {
        fws_reader_stop(&conn->reader, conn->error);
        return conn->error;
    }
    int n = fws_reader_next(&conn->reader, events, cap);
    if (n == 0) {
        int error = find_error(conn);
        return error ? fail(conn, events, error) : 0;
    }
    if (events[n - 1].kind == FASTWS_EVENT_PING) answer_ping(conn, &events[n - 1]);
    if (events[n - 1].kind == FASTWS_EVENT_CLOSE) answer_close(conn, &events[n - 1]);
    return n;
}

/* ---- Time and state ---- */

static uint64_t after(uint64_t since_ms, uint32_t ms) {
    return ms ? since_ms + ms : UINT64_MAX;
}

uint64_t fastws_conn_deadline_ms(const struct fastws_conn *conn) {
    const struct fastws_conn_config *config = conn->config;
    if (conn->state == FASTWS_CONN_CLOSED || conn->state == FASTWS_CONN_FAILED) {
        return conn->writer.queued ? after(conn->since_ms, config->close_timeout_ms) : UINT64_MAX;
    }
    if (conn->due) return UINT64_MAX;
    if (conn->state == FASTWS_CONN_CLOSING) return after(conn->since_ms, config->close_timeout_ms);
    if (conn->is_flooded || conn->is_ping_out) return after(conn->since_ms, config->ping_timeout_ms);
    return after(conn->life_ms, config->ping_interval_ms);
}

/* Without a timeout for the answer, pings go on at their interval. */
static int send_keepalive(struct fastws_conn *conn, uint64_t now) {
    TRY(queue_control(conn, FASTWS_OPCODE_PING, NULL, 0));
    conn->is_ping_out = conn->config->ping_timeout_ms != 0;
    conn->since_ms = now;
    if (!conn->is_ping_out) conn->life_ms = now;
    return 1;
}

int fastws_conn_on_time(struct fastws_conn *conn, uint64_t now_ms) {
    uint64_t deadline = fastws_conn_deadline_ms(conn);
    if (deadline == UINT64_MAX || now_ms < deadline) return 0;
    if (conn->is_stopped) {
        fws_writer_clear(&conn->writer);
    } else if (conn->state == FASTWS_CONN_CLOSING) {
        conn->due = FASTWS_ERR_CLOSE_TIMEOUT;
    } else if (conn->is_flooded) {
        conn->due = FASTWS_ERR_CONTROL_FLOOD;
    } else if (conn->is_ping_out) {
        conn->due = FASTWS_ERR_PING_TIMEOUT;
    } else {
        return send_keepalive(conn, now_ms);
    }
    return 1;
}

enum fastws_conn_state fastws_conn_get_state(const struct fastws_conn *conn) {
    return (enum fastws_conn_state)conn->state;
}

int fastws_conn_is_over(const struct fastws_conn *conn) {
    int is_answer_due = conn->state == FASTWS_CONN_CLOSED && !conn->close_sent && !conn->config->is_close_automatic;
    return conn->is_stopped && conn->writer.queued == 0 && !is_answer_due;
}

uint16_t fastws_conn_close_sent(const struct fastws_conn *conn) {
    return conn->close_sent;
}

uint16_t fastws_conn_close_received(const struct fastws_conn *conn) {
    return conn->close_received;
}
