/* SPDX-License-Identifier: MIT */
/* An open socket: what comes is handed out, what is queued is written, and in the end it is parted with. */
#define _POSIX_C_SOURCE 200809L
#include "loop.h"

#include "../conn.h"
#include "io.h"

enum {
    PIECES = 64,
    REFUSED_LINGER_MS = 500 /* how long a peer that was refused is read from, so that it gets the answer */
};

static const struct fastws_socket_config *config_of(const struct fastws_socket *socket) {
    return socket->group->config;
}

static int is_open(const struct fastws_socket *socket) { return socket->watch.kind == FWS_WATCH_OPEN; }

/* ---- Writing ---- */

static void break_output(struct fastws_socket *socket, unsigned flags) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    fws_writer_clear(&conn->writer);
    conn->is_full = 0;
    fws_socket_set(socket, FWS_SOCKET_BROKEN | flags);
    fws_socket_clear(socket, FWS_SOCKET_BLOCKED);
    /* What the peer sent before can still be read; behind it the back end finds that the socket is hung up. */
    fws_transport_break(socket);
}

static size_t sum(const struct fastws_iovec *iov, int count) {
    size_t len = 0;
    for (int i = 0; i < count; i++) len += iov[i].len;
    return len;
}

/* Writes until nothing is queued or the system takes no more. Returns 0 or FASTWS_ERR_NOMEM. */
static int write_queue(struct fastws_socket *socket) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    struct fastws_iovec iov[PIECES];
    int count;
    while ((count = fastws_conn_pending(conn, iov, PIECES)) > 0) {
        ptrdiff_t n = fws_transport_write(socket, iov, count);
        if (n == FWS_TRANSPORT_FAILED) {
            break_output(socket, 0);
            return 0;
        }
        size_t len = n > 0 ? (size_t)n : 0;
        int is_short = len < sum(iov, count);
        (void)!fastws_conn_sent(conn, len); /* it is what was listed, or less */
        fws_socket_clear(socket, FWS_SOCKET_FLOODED);
        if (is_short) {
            fws_socket_note_time(socket);
            fws_socket_set(socket, FWS_SOCKET_BLOCKED);
            return 0;
        }
    }
    return count;
}

/* Records may wait without anything that the connection knows of: what TLS says to itself. */
static void flush_link(struct fastws_socket *socket) {
    if (fws_socket_has(socket, FWS_SOCKET_BLOCKED)) return;
    int state = fws_link_flush(socket);
    if (state < 0) break_output(socket, 0);
    if (state > 0) fws_socket_clear(socket, FWS_SOCKET_FLOODED);
    if (state != 0) return;
    fws_socket_note_time(socket);
    fws_socket_set(socket, FWS_SOCKET_BLOCKED);
}

int fws_open_flush(struct fastws_socket *socket) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    fws_socket_clear(socket, FWS_SOCKET_LENT);
    if (fws_socket_has(socket, FWS_SOCKET_BROKEN)) return 0;
    if (FWS_UNLIKELY(fws_socket_has(socket, FWS_SOCKET_TLS))) flush_link(socket);
    if (fastws_conn_pending_len(conn) == 0) return 0;
    int error = fws_socket_has(socket, FWS_SOCKET_BLOCKED) ? 0 : write_queue(socket);
    if (error == 0 && fws_socket_has(socket, FWS_SOCKET_BLOCKED)) error = fastws_conn_own(conn);
    if (error < 0) break_output(socket, FWS_SOCKET_NO_MEMORY);
    return error;
}

/* ---- Handing out ---- */

/* What a callback looks at that has taken the payload for itself: nothing of ours. */
static const struct fastws_event taken_view;

void fws_open_end(struct fastws_socket *socket, const struct fastws_event *event) {
    if (fws_socket_has(socket, FWS_SOCKET_ENDED)) return;
    struct fastws_event slow = *event;
    if (fws_socket_has(socket, FWS_SOCKET_SLOW)) {
        slow.kind = FASTWS_EVENT_ERROR;
        slow.error = FASTWS_ERR_SLOW_CONSUMER;
        slow.close_code = FASTWS_CLOSE_POLICY_VIOLATION;
    }
    fws_socket_set(socket, FWS_SOCKET_ENDED);
    fws_socket_loop(socket)->stats.open--;
    if (config_of(socket)->on_close != NULL) config_of(socket)->on_close(socket, &slow);
}

static void call(void (*callback)(struct fastws_socket *, const struct fastws_event *), struct fastws_socket *socket,
                 const struct fastws_event *event) {
    if (callback != NULL) callback(socket, event);
}

static void hand_out(struct fastws_socket *socket, const struct fastws_event *events, int count) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    const struct fastws_socket_config *config = config_of(socket);
    for (int i = 0; i < count && is_open(socket); i++) {
        const struct fastws_event *event = &events[i];
        loop->viewed = event;
        switch ((enum fastws_event_kind)event->kind) {
        case FASTWS_EVENT_MESSAGE:
        case FASTWS_EVENT_CHUNK: call(config->on_message, socket, event); break;
        case FASTWS_EVENT_PING: call(config->on_ping, socket, event); break;
        case FASTWS_EVENT_PONG: call(config->on_pong, socket, event); break;
        case FASTWS_EVENT_CLOSE:
        case FASTWS_EVENT_ERROR: fws_open_end(socket, event); break;
        case FASTWS_EVENT_NONE: break;
        }
    }
    loop->viewed = NULL;
}

/* Says whether no more may be handed out, since the answers to what was are not read. */
static int must_hold(struct fastws_socket *socket) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    if (config_of(socket)->slow_policy != FASTWS_SLOW_WAIT || fastws_conn_is_writable(conn)) return 0;
    (void)!fws_open_flush(socket); /* broken: found below */
    return !fastws_conn_is_writable(conn) && !fws_socket_has(socket, FWS_SOCKET_BROKEN);
}

/* Hands out what the connection has. Bytes that were fed must not wait: their buffer is used again. */
static void deliver(struct fastws_socket *socket, int may_hold) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct fastws_conn *conn = fws_socket_conn(socket);
    int count;
    loop->current = socket;
    while ((count = fastws_conn_next(conn, loop->events, FWS_LOOP_EVENTS)) > 0) {
        int is_control = loop->events[0].kind > FASTWS_EVENT_CHUNK;
        hand_out(socket, loop->events, count);
        if (!is_control && !fws_socket_has(socket, FWS_SOCKET_BLOCKED)) socket->since_ms = 0;
        if (!is_open(socket)) break;
        if (fws_socket_has(socket, FWS_SOCKET_LENT)) (void)!fws_open_flush(socket);
        if (may_hold && must_hold(socket)) {
            fws_socket_set(socket, FWS_SOCKET_HELD);
            break;
        }
    }
    loop->current = NULL;
    if (count < 0 && is_open(socket) && !fws_socket_has(socket, FWS_SOCKET_ENDED)) fws_socket_cut(socket, count);
}

void fws_open_begin(struct fastws_socket *socket, uint8_t *initial, size_t len) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (!fws_socket_has(socket, FWS_SOCKET_HAS_CONN)) {
        (void)!fastws_conn_init(socket->conn, config_of(socket)->conn, loop->pool); /* was judged before */
        fws_socket_set(socket, FWS_SOCKET_HAS_CONN);
    }
    socket->watch.kind = FWS_WATCH_OPEN;
    fws_socket_set(socket, FWS_SOCKET_OPENED);
    loop->stats.open++;
    loop->current = socket;
    if (config_of(socket)->on_open != NULL) config_of(socket)->on_open(socket);
    loop->current = NULL;
    if (!is_open(socket)) return;
    int error = len > 0 ? fastws_conn_feed(fws_socket_conn(socket), initial, len) : 0;
    if (error < 0) {
        fws_socket_cut(socket, error);
        return;
    }
    if (len > 0) deliver(socket, 0);
    fws_open_settle(socket);
}

int fastws_socket_take(struct fastws_socket *socket, const struct fastws_event *event, struct fastws_taken *out) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    /* What is queued by reference is a part of the view that ends. */
    if (fws_socket_has(socket, FWS_SOCKET_LENT)) TRY(fws_open_flush(socket));
    TRY(fastws_conn_take(fws_socket_conn(socket), event, out));
    if (loop->viewed == event) loop->viewed = &taken_view;
    return 0;
}

/* ---- Wants and deadlines ---- */

static int may_read(const struct fastws_socket *socket) {
    return !fws_socket_has(socket, FWS_SOCKET_PAUSED | FWS_SOCKET_HELD | FWS_SOCKET_FLOODED | FWS_SOCKET_EOF |
                                       FWS_SOCKET_ENDED);
}

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
    int is_awaited = conn->reader != NULL && conn->delivery == FASTWS_DELIVER_MESSAGES && may_read(socket);
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

static uint64_t due_ms(struct fastws_socket *socket) {
    uint64_t stall = stall_ms(socket);
    uint64_t message = message_due_ms(socket);
    uint64_t conn = conn_due_ms(socket);
    uint64_t first = stall < message ? stall : message;
    return first < conn ? first : conn;
}

/* A deadline that moved away is found when its old time comes. */
void fws_open_update(struct fastws_socket *socket) {
    if (!is_open(socket)) return;
    struct fastws_loop *loop = fws_socket_loop(socket);
    watch_message(socket);
    unsigned wanted = (may_read(socket) ? FWS_READABLE : 0u) |
                      (fws_socket_has(socket, FWS_SOCKET_BLOCKED) ? FWS_WRITABLE : 0u);
    if (fws_watch_want(loop, &socket->watch, wanted) < 0) fws_transport_break(socket);
    if (may_read(socket) && fws_transport_has_more(socket)) {
        fws_socket_mark(socket);
        if (!loop->is_running) loop->backend->wake(loop);
    }
    uint64_t due = due_ms(socket);
    if (due < loop->timers.entries[socket->watch.timer].due_ms) fws_timers_move(loop, &socket->watch, due);
}

/* ---- The end ---- */

void fws_linger_begin(struct fastws_socket *socket, int is_first_to_close) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (fws_socket_has(socket, FWS_SOCKET_HAS_CONN)) fastws_conn_free(fws_socket_conn(socket));
    fws_socket_clear(socket, FWS_SOCKET_HAS_CONN);
    fws_socket_drop_side(socket);
    socket->watch.kind = FWS_WATCH_LINGER;
    if (is_first_to_close) fws_transport_end(socket);
    uint32_t timeout_ms = fws_socket_has(socket, FWS_SOCKET_OPENED) ? config_of(socket)->conn->close_timeout_ms
                                                                    : REFUSED_LINGER_MS;
    fws_timers_move(loop, &socket->watch, fws_deadline_ms(loop->now_ms, timeout_ms));
    if (fws_watch_want(loop, &socket->watch, FWS_READABLE) < 0) fws_socket_destroy(socket, 0);
}

/* Closing a descriptor that has unread bytes sends a reset, and the peer may lose what we wrote last. */
void fws_linger_serve(struct fastws_socket *socket, unsigned found) {
    (void)found;
    struct fastws_loop *loop = fws_socket_loop(socket);
    ptrdiff_t n = fws_transport_receive(socket, loop->scratch, sizeof loop->scratch);
    if (n == FWS_TRANSPORT_AGAIN) return;
    if (n <= 0) {
        fws_socket_destroy(socket, 0);
    } else {
        loop->turn_received += (uint64_t)n;
    }
}

/* RFC 6455 7.1.1: the server is the first to close TCP. */
static void part(struct fastws_socket *socket) {
    if (fws_socket_has(socket, FWS_SOCKET_EOF | FWS_SOCKET_BROKEN)) {
        fws_socket_destroy(socket, 0);
        return;
    }
    int is_first = config_of(socket)->conn->role == FASTWS_ROLE_SERVER ||
                   fastws_conn_get_state(fws_socket_conn(socket)) == FASTWS_CONN_FAILED;
    fws_linger_begin(socket, is_first);
}

static void move_on(struct fastws_socket *socket) {
    if (fws_socket_has(socket, FWS_SOCKET_HELD) && fastws_conn_is_writable(fws_socket_conn(socket))) {
        fws_socket_clear(socket, FWS_SOCKET_HELD);
        deliver(socket, 1);
        if (!is_open(socket)) return;
        (void)!fws_open_flush(socket);
        /* Held again, and nothing in the way: in the next turn, so that others have theirs. */
        if (fws_socket_has(socket, FWS_SOCKET_HELD) && !fws_socket_has(socket, FWS_SOCKET_BLOCKED)) {
            fws_socket_mark(socket);
        }
    }
    if (socket->side != NULL && fws_line_move(socket, 0) == 0) (void)!fws_open_flush(socket);
}

/* on_drain, if its time has come. */
static void tell_drain(struct fastws_socket *socket) {
    if (!fastws_socket_is_writable(socket) || fws_socket_has(socket, FWS_SOCKET_ENDED)) return;
    struct fastws_loop *loop = fws_socket_loop(socket);
    fws_socket_clear(socket, FWS_SOCKET_TIGHT);
    if (config_of(socket)->on_drain == NULL) return;
    loop->current = socket;
    config_of(socket)->on_drain(socket);
    loop->current = NULL;
    if (is_open(socket)) fws_socket_mark(socket); /* what it sent goes out in the next turn */
}

void fws_open_settle(struct fastws_socket *socket) {
    if (!is_open(socket)) return;
    (void)!fws_open_flush(socket); /* without memory it is broken, which the back end finds */
    if (fws_socket_has(socket, FWS_SOCKET_HELD) || socket->side != NULL) move_on(socket);
    if (is_open(socket) && fws_socket_has(socket, FWS_SOCKET_TIGHT)) tell_drain(socket);
    if (!is_open(socket)) return;
    if (fastws_conn_is_over(fws_socket_conn(socket))) {
        part(socket);
    } else {
        fws_open_update(socket);
    }
}

/* ---- Receiving ---- */

void fws_open_received(struct fastws_socket *socket, size_t len) {
    (void)!fastws_conn_filled(fws_socket_conn(socket), len); /* it is what there was space for, or less */
    fws_socket_loop(socket)->turn_received += len;
    deliver(socket, 1);
    fws_open_settle(socket);
}

static void lose(struct fastws_socket *socket) {
    int error = fws_socket_has(socket, FWS_SOCKET_NO_MEMORY) ? FASTWS_ERR_NOMEM : FASTWS_ERR_IO;
    int link_error = fws_socket_has(socket, FWS_SOCKET_TLS) ? fws_link_error(socket) : 0;
    fws_socket_cut(socket, link_error != 0 ? link_error : error);
}

static void receive_once(struct fastws_socket *socket) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    void *ptr;
    size_t cap;
    int error = fastws_conn_space(conn, &ptr, &cap);
    if (error < 0) {
        fws_socket_cut(socket, error);
        return;
    }
    if (cap == 0) {
        fws_socket_set(socket, FWS_SOCKET_FLOODED);
        fws_open_settle(socket);
        return;
    }
    ptrdiff_t n = fws_transport_read(socket, ptr, cap);
    if (n > 0) {
        fws_open_received(socket, (size_t)n);
    } else if (n == FWS_TRANSPORT_FAILED || (n == 0 && fws_socket_has(socket, FWS_SOCKET_BROKEN))) {
        lose(socket);
    } else {
        (void)!fastws_conn_filled(conn, 0); /* gives the space back */
        if (n == 0) {
            fws_socket_set(socket, FWS_SOCKET_EOF);
            fastws_conn_eof(conn);
            deliver(socket, 1);
        }
        fws_open_settle(socket);
    }
}

static void receive(struct fastws_socket *socket) {
    do receive_once(socket);
    while (is_open(socket) && may_read(socket) && fws_transport_has_more(socket));
}

/* The peer is gone, and we are not reading what it may have sent before. */
static void serve_hang_up(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (!fws_socket_has(socket, FWS_SOCKET_ENDED | FWS_SOCKET_BROKEN)) fws_open_settle(socket); /* writes, and fails */
    if (!is_open(socket) || may_read(socket)) return;
    if (fws_socket_has(socket, FWS_SOCKET_PAUSED) && !fws_socket_has(socket, FWS_SOCKET_ENDED)) {
        /* Its user will ask for the rest. Until then there is nothing to hear but this, again and again. */
        loop->backend->forget(loop, &socket->watch);
        return;
    }
    lose(socket);
}

void fws_open_serve(struct fastws_socket *socket, unsigned found) {
    if (found & (FWS_WRITABLE | FWS_HUNG_UP) && fws_socket_has(socket, FWS_SOCKET_BLOCKED)) {
        fws_socket_clear(socket, FWS_SOCKET_BLOCKED);
        socket->since_ms = 0;
    }
    if (found & (FWS_READABLE | FWS_HUNG_UP) && may_read(socket)) {
        receive(socket);
    } else if (found & FWS_HUNG_UP) {
        serve_hang_up(socket);
    } else {
        fws_open_settle(socket);
    }
}

/* ---- Time ---- */

/* Bytes that wait to be read are a sign of life, though we were too busy to read them. */
static void look_for_life(struct fastws_socket *socket) {
    if (may_read(socket)) receive(socket);
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
    deliver(socket, !fws_socket_has(socket, FWS_SOCKET_HELD)); /* an end must not wait for the peer to read */
    fws_open_settle(socket);
}

void fws_open_on_time(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (stall_ms(socket) <= loop->now_ms) {
        fws_socket_cut(socket, FASTWS_ERR_SLOW_CONSUMER);
        return;
    }
    if (due_ms(socket) <= loop->now_ms) look_for_life(socket);
    if (!is_open(socket)) return;
    if (conn_due_ms(socket) <= loop->now_ms || message_due_ms(socket) <= loop->now_ms) act_on_time(socket);
    if (!is_open(socket)) return;
    uint64_t due = due_ms(socket);
    fws_timers_move(loop, &socket->watch, due > loop->now_ms ? due : loop->now_ms + 1);
}
