/* SPDX-License-Identifier: MIT */
/* An open socket: what comes is handed out, and in the end it is parted with. */
#define _POSIX_C_SOURCE 200809L
#include "loop_socket.h"

#include "../conn.h"
#include "io.h"

enum {
    REFUSED_LINGER_MS = 500 /* how long a peer that was refused is read from, so that it gets the answer */
};

static const struct fastws_socket_config *config_of(const struct fastws_socket *socket) {
    return socket->group->config;
}

static int is_open(const struct fastws_socket *socket) { return socket->watch.kind == FWS_WATCH_OPEN; }

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

void fws_open_deliver(struct fastws_socket *socket, int may_hold) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct fastws_conn *conn = fws_socket_conn(socket);
    int count;
    loop->current = socket;
    while ((count = fastws_conn_next(conn, loop->events, FWS_LOOP_EVENTS)) > 0) {
        int is_control = loop->events[0].kind > FASTWS_EVENT_CHUNK;
        if (FWS_UNLIKELY(conn->is_full)) fws_socket_set(socket, FWS_SOCKET_TIGHT); /* by replies to pings */
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

int fws_open_prepare(struct fastws_socket *socket, const struct fastws_deflate_config *deflate,
                     const struct fastws_deflate_params *agreed) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    (void)!fastws_conn_init(conn, config_of(socket)->conn, fws_socket_loop(socket)->pool); /* was judged before */
    if (agreed != NULL) TRY(fastws_conn_set_deflate(conn, deflate, agreed));
    fws_socket_set(socket, FWS_SOCKET_HAS_CONN);
    return 0;
}

void fws_open_begin(struct fastws_socket *socket, uint8_t *initial, size_t len) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    fws_socket_conn(socket)->life_ms = loop->now_ms; /* the answer may have taken its time */
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
    if (len > 0) fws_open_deliver(socket, 0);
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
        fws_open_deliver(socket, 1);
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
    fws_open_deliver(socket, 1);
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
            fws_open_deliver(socket, 1);
        }
        fws_open_settle(socket);
    }
}

void fws_open_receive(struct fastws_socket *socket) {
    do receive_once(socket);
    while (is_open(socket) && fws_open_may_read(socket) && fws_transport_has_more(socket));
}

/* The peer is gone, and we are not reading what it may have sent before. */
static void serve_hang_up(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (!fws_socket_has(socket, FWS_SOCKET_ENDED | FWS_SOCKET_BROKEN)) fws_open_settle(socket); /* writes, and fails */
    if (!is_open(socket) || fws_open_may_read(socket)) return;
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
    if (found & (FWS_READABLE | FWS_HUNG_UP) && fws_open_may_read(socket)) {
        fws_open_receive(socket);
    } else if (found & FWS_HUNG_UP) {
        serve_hang_up(socket);
    } else {
        fws_open_settle(socket);
    }
}
