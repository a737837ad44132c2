/* SPDX-License-Identifier: MIT */
/* Implements what a connection does with time: pings after silence, round-trip times, deadlines. */
#include "conn.h"

/* ---- Keep-alive ---- */

/* The payload of a ping of ours: a mark, and its number. Pings of the user have payloads of their own. */
enum { MARK_LEN = 4, PING_LEN = MARK_LEN + 4 };
static const uint8_t mark[MARK_LEN] = {'f', 'w', 's', 0};

static void write_ping(uint8_t dst[PING_LEN], uint32_t number) {
    memcpy(dst, mark, MARK_LEN);
    fws_store_be32(dst + MARK_LEN, number);
}

/* Without a timeout for the answer, pings go on at their interval. */
static int send_keepalive(struct fastws_conn *conn, uint64_t now_ms) {
    uint8_t payload[PING_LEN];
    uint32_t number = conn->ping_number + 1 ? conn->ping_number + 1 : 1;
    write_ping(payload, number);
    TRY(fws_conn_queue_control(conn, FASTWS_OPCODE_PING, payload, sizeof payload));
    conn->ping_number = number;
    conn->ping_us = conn->writer.pool->now_us;
    conn->is_ping_out = conn->config->ping_timeout_ms != 0;
    conn->since_ms = now_ms;
    if (!conn->is_ping_out) conn->life_ms = now_ms;
    return 1;
}

void fws_conn_note_pong(struct fastws_conn *conn, const struct fastws_event *event) {
    uint8_t payload[PING_LEN];
    write_ping(payload, conn->ping_number);
    if (conn->ping_us == UINT64_MAX || event->len != PING_LEN || memcmp(event->ptr, payload, PING_LEN) != 0) return;
    uint64_t now_us = conn->writer.pool->now_us;
    uint64_t rtt_us = now_us > conn->ping_us ? now_us - conn->ping_us : 0;
    conn->rtt_us = rtt_us < UINT32_MAX ? (uint32_t)rtt_us : UINT32_MAX - 1;
    conn->ping_us = UINT64_MAX;
}

uint64_t fastws_conn_rtt_us(const struct fastws_conn *conn) {
    return conn->rtt_us == UINT32_MAX ? UINT64_MAX : conn->rtt_us;
}

/* ---- Deadlines ---- */

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

/* There is one clock. What the pool knows in microseconds stays as it is. */
static void advance_clock(struct fastws_pool *pool, uint64_t now_ms) {
    uint64_t now_us = now_ms < UINT64_MAX / 1000 ? now_ms * 1000 : UINT64_MAX - 1;
    if (pool->now_us < now_us) fastws_pool_set_now(pool, now_us);
}

int fastws_conn_on_time(struct fastws_conn *conn, uint64_t now_ms) {
    advance_clock(conn->writer.pool, now_ms);
    uint64_t deadline = fastws_conn_deadline_ms(conn);
    if (deadline == UINT64_MAX || now_ms < deadline) return 0;
    if (conn->is_stopped) {
        fws_writer_clear(&conn->writer);
        conn->is_full = 0;
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
