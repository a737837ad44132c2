/* SPDX-License-Identifier: MIT */
/* What an open socket waits for: readiness and deadlines, and what is done when a deadline has come. */
#include "loop_socket.h"

#include "../conn.h"

static const struct fastws_socket_config *config_of(const struct fastws_socket *socket) {
    return socket->group->config;
}

static int is_open(const struct fastws_socket *socket) { return socket->watch.kind == FWS_WATCH_OPEN; }

/* ---- Deadlines ---- */

/* Returns the time timeout_ms behind since_ms, which lies no more than the range of its bits before now; or never. */
static uint64_t behind(const struct fastws_socket *socket, uint32_t timeout_ms) {
    uint64_t now_ms = fws_socket_loop(socket)->now_ms | 1u;
    return timeout_ms == 0 ? UINT64_MAX : now_ms - (uint32_t)((uint32_t)now_ms - socket->since_ms) + timeout_ms;
}

static uint64_t stall_ms(const struct fastws_socket *socket) {
    if (!fws_socket_has(socket, FWS_SOCKET_BLOCKED)) return UINT64_MAX;
    return behind(socket, config_of(socket)->stall_timeout_ms);
}

static uint64_t message_due_ms(const struct fastws_socket *socket) {
    if (fws_socket_has(socket, FWS_SOCKET_BLOCKED) || socket->since_ms == 0) return UINT64_MAX;
    return behind(socket, config_of(socket)->message_timeout_ms);
}

/* A message that is incomplete begins to count once nothing else does. */
static void watch_message(struct fastws_socket *socket) {
    const struct fastws_conn *conn = fws_socket_conn(socket);
    if (fws_socket_has(socket, FWS_SOCKET_BLOCKED)) return;
    int is_awaited = conn->reader != NULL && conn->delivery == FASTWS_DELIVER_MESSAGES && fws_open_may_read(socket);
    if (!is_awaited) {
        socket->since_ms = 0;
    } else if (socket->since_ms == 0) {
        fws_socket_note_time(socket);
    }
}

/* While we do not read, the peer can give no sign of life: silence says nothing then. */
static uint64_t conn_due_ms(struct fastws_socket *socket) {
    const struct fastws_conn *conn = fws_socket_conn(socket);
    int is_deaf = fws_socket_has(socket, FWS_SOCKET_PAUSED | FWS_SOCKET_HELD);
    return is_deaf && fastws_conn_get_state(conn) == FASTWS_CONN_OPEN ? UINT64_MAX : fastws_conn_deadline_ms(conn);
}

/* When compression has been idle for long enough to give back what it can do without. */
static uint64_t idle_due_ms(const struct fastws_socket *socket) {
    const struct fastws_conn *conn = (const struct fastws_conn *)(const void *)socket->conn;
    uint32_t idle_ms = config_of(socket)->deflate_idle_ms;
    uint64_t used_ms = conn->inflater == NULL || idle_ms == 0 ? UINT64_MAX : fastws_conn_idle_since_ms(conn);
    return used_ms == UINT64_MAX ? UINT64_MAX : used_ms + idle_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t due_ms(struct fastws_socket *socket) {
    uint64_t due = earlier(conn_due_ms(socket), idle_due_ms(socket));
    return earlier(due, earlier(stall_ms(socket), message_due_ms(socket)));
}

/* ---- Wants ---- */

/* A deadline that moved away is found when its old time comes. */
void fws_open_update(struct fastws_socket *socket) {
    if (!is_open(socket)) return;
    struct fastws_loop *loop = fws_socket_loop(socket);
    watch_message(socket);
    unsigned wanted = (fws_open_may_read(socket) ? FWS_READABLE : 0u) |
                      (fws_socket_has(socket, FWS_SOCKET_BLOCKED) ? FWS_WRITABLE : 0u);
    if (fws_watch_want(loop, &socket->watch, wanted) < 0) fws_transport_break(socket);
    if (fws_open_may_read(socket) && fws_transport_has_more(socket)) {
        fws_socket_mark(socket);
        if (!loop->is_running) loop->backend->wake(loop);
    }
    uint64_t due = due_ms(socket);
    if (due < loop->timers.entries[socket->watch.timer].due_ms) fws_timers_move(loop, &socket->watch, due);
}

/* ---- Time ---- */

/* Bytes that wait to be read are a sign of life, though we were too busy to read them. */
static void look_for_life(struct fastws_socket *socket) {
    if (fws_open_may_read(socket)) fws_open_receive(socket);
}

static void act_on_time(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct fastws_conn *conn = fws_socket_conn(socket);
    int error = fastws_conn_on_time(conn, loop->now_ms);
    if (error < 0) {
        fws_socket_cut(socket, error);
        return;
    }
    if (message_due_ms(socket) <= loop->now_ms && conn->due == 0) conn->due = FASTWS_ERR_MESSAGE_TIMEOUT;
    fws_open_deliver(socket, !fws_socket_has(socket, FWS_SOCKET_HELD)); /* an end must not wait for the peer to read */
    fws_open_settle(socket);
}

void fws_open_on_time(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (stall_ms(socket) <= loop->now_ms) {
        fws_socket_cut(socket, FASTWS_ERR_SLOW_CONSUMER);
        return;
    }
    if (idle_due_ms(socket) <= loop->now_ms) fastws_conn_idle(fws_socket_conn(socket));
    if (due_ms(socket) <= loop->now_ms) look_for_life(socket);
    if (!is_open(socket)) return;
    if (conn_due_ms(socket) <= loop->now_ms || message_due_ms(socket) <= loop->now_ms) act_on_time(socket);
    if (!is_open(socket)) return;
    uint64_t due = due_ms(socket);
    fws_timers_move(loop, &socket->watch, due > loop->now_ms ? due : loop->now_ms + 1);
}
