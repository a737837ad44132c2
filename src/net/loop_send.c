/* SPDX-License-Identifier: MIT */
/* What users send: whether it may be queued, and when it is written. */
#include "loop_socket.h"

#include "../conn_short.h"

static const struct fastws_socket_config *config_of(const struct fastws_socket *socket) {
    return socket->group->config;
}

static int why_not(const struct fastws_socket *socket) {
    if (socket->watch.kind == FWS_WATCH_DEAD) return FASTWS_ERR_CLOSED;
    return fws_socket_has(socket, FWS_SOCKET_BROKEN) ? FASTWS_ERR_IO : FASTWS_ERR_STATE;
}

static int check_may_send(const struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (!loop->is_running) fws_loop_tick(loop); /* deadlines count from what is sent now */
    int is_fine = fws_socket_has_conn(socket) && !fws_socket_has(socket, FWS_SOCKET_BROKEN);
    return FWS_LIKELY(is_fine) ? 0 : why_not(socket);
}

/* fastws_socket_is_writable(), of a socket that has a connection: asked twice for each message. */
static inline int is_writable(const struct fastws_socket *socket) {
    const struct fastws_conn *conn = (const struct fastws_conn *)(const void *)socket->conn;
    return !conn->is_full && (socket->side == NULL || socket->watch.kind != FWS_WATCH_OPEN);
}

/* ---- When it is written ---- */

/* Says whether payload is what a callback of this socket is looking at: the view outlives the call. */
static int is_viewed(const struct fastws_socket *socket, const uint8_t *payload, size_t len) {
    const struct fastws_loop *loop = fws_socket_loop(socket);
    const struct fastws_event *event = loop->current == socket ? loop->viewed : NULL;
    if (event == NULL || event->ptr == NULL || len > event->len) return 0;
    uintptr_t off = (uintptr_t)payload - (uintptr_t)event->ptr; /* huge if it lies before */
    return off <= event->len - len;
}

/* Outside of turns nobody else would write. */
static int write_soon(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (loop->current == socket && loop->viewed != NULL) return 0; /* when its events are handed out */
    if (loop->is_running) {
        fws_socket_mark(socket);
        return 0;
    }
    int error = fws_open_flush(socket);
    fws_open_update(socket);
    return error;
}

/* What is borrowed goes back to its owner when the call returns: it is written, or else copied, now. */
static int write_borrowed(struct fastws_socket *socket, const void *payload, size_t len) {
    if (len < FWS_BORROW_MIN) return write_soon(socket);
    if (is_viewed(socket, payload, len)) {
        fws_socket_set(socket, FWS_SOCKET_LENT);
        return 0;
    }
    TRY(fws_open_flush(socket));
    return write_soon(socket);
}

/* ---- Whether it may be queued ---- */

static int close_slow(struct fastws_socket *socket) {
    const char *reason = fastws_error_text(FASTWS_ERR_SLOW_CONSUMER);
    fws_socket_set(socket, FWS_SOCKET_SLOW);
    fws_socket_clear(socket, FWS_SOCKET_PAUSED);
    (void)!fws_send_close(socket, FASTWS_CLOSE_POLICY_VIOLATION, reason, strlen(reason));
    (void)!write_soon(socket);
    return FASTWS_ERR_CLOSED;
}

enum { QUEUE = 0, LINE_UP = 1 };

/* Returns what to do with a message, or the error that refuses it. */
static int admit_slow(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    /* Much may be queued only because it is written later: that is not the peer's fault. */
    TRY(fws_open_flush(socket));
    if (fws_socket_has(socket, FWS_SOCKET_BROKEN)) return FASTWS_ERR_IO;
    if (is_writable(socket)) return QUEUE;
    fws_socket_set(socket, FWS_SOCKET_TIGHT);
    switch ((enum fastws_slow_policy)config_of(socket)->slow_policy) {
    case FASTWS_SLOW_DROP_NEWEST: loop->stats.messages_dropped++; return FASTWS_ERR_DROPPED;
    case FASTWS_SLOW_DROP_OLDEST: return socket->watch.kind == FWS_WATCH_OPEN ? LINE_UP : QUEUE;
    case FASTWS_SLOW_CLOSE: return close_slow(socket);
    case FASTWS_SLOW_WAIT: break;
    }
    return QUEUE;
}

static int admit(struct fastws_socket *socket) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    TRY(check_may_send(socket));
    TRY(fws_conn_check_open(conn));
    if (FWS_LIKELY(is_writable(socket))) return QUEUE;
    uint64_t queue_max = config_of(socket)->queue_max;
    int action = admit_slow(socket);
    if (action == QUEUE && queue_max > 0 && fastws_socket_queued_len(socket) > queue_max) return FASTWS_ERR_QUEUE_FULL;
    return action;
}

static void note_tight(struct fastws_socket *socket) {
    if (FWS_UNLIKELY(!is_writable(socket))) fws_socket_set(socket, FWS_SOCKET_TIGHT);
}

/* ---- Messages ---- */

/* A message that is sent later needs memory of its own. */
static int line_up_copy(struct fastws_socket *socket, int opcode, const void *payload, size_t len) {
    struct fastws_prepared *prepared;
    TRY(fastws_prepared_new(fws_socket_loop(socket)->allocator, opcode, payload, len, &prepared));
    int error = fws_line_add(socket, prepared);
    fastws_prepared_release(prepared);
    return error;
}

static FWS_NOINLINE int send_any(struct fastws_socket *socket, int opcode, const void *payload, size_t len) {
    int action = admit(socket);
    if (action < 0) return action;
    if (action == LINE_UP) return line_up_copy(socket, opcode, payload, len);
    TRY(fastws_conn_send(fws_socket_conn(socket), opcode, payload, len));
    int error = write_borrowed(socket, payload, len);
    note_tight(socket);
    return error;
}

/* An answer to what a callback is looking at, which is written when all of its batch is handed out: nothing has to be
 * asked that the connection does not ask. */
static inline int is_plain_answer(const struct fastws_loop *loop, const struct fastws_socket *socket) {
    unsigned flags = socket->watch.flags & (FWS_SOCKET_HAS_CONN | FWS_SOCKET_BROKEN);
    return loop->current == socket && loop->viewed != NULL && flags == FWS_SOCKET_HAS_CONN &&
           socket->watch.kind == FWS_WATCH_OPEN && is_writable(socket);
}

int fastws_socket_send(struct fastws_socket *socket, int opcode, const void *payload, size_t len) {
    if (FWS_LIKELY(fws_is_short_message(opcode, len) && is_plain_answer(fws_socket_loop(socket), socket))) {
        struct fastws_conn *conn = fws_socket_conn(socket);
        int is_short = conn->send_way == FWS_SEND_SHORT;
        if (FWS_LIKELY(is_short && fws_conn_queue_short(conn, (unsigned)opcode, payload, len))) return 0;
        TRY(fastws_conn_send(conn, opcode, payload, len));
        note_tight(socket);
        return 0;
    }
    return send_any(socket, opcode, payload, len);
}

int fastws_socket_send_prepared(struct fastws_socket *socket, struct fastws_prepared *prepared) {
    int action = admit(socket);
    if (action < 0) return action;
    if (action == LINE_UP) return fws_line_add(socket, prepared);
    TRY(fastws_conn_send_prepared(fws_socket_conn(socket), prepared));
    int error = write_soon(socket);
    note_tight(socket);
    return error;
}

int fastws_socket_ping(struct fastws_socket *socket, const void *payload, size_t len) {
    TRY(check_may_send(socket));
    TRY(fastws_conn_ping(fws_socket_conn(socket), payload, len));
    note_tight(socket);
    return write_soon(socket);
}

int fastws_socket_pong(struct fastws_socket *socket, const void *payload, size_t len) {
    TRY(check_may_send(socket));
    TRY(fastws_conn_pong(fws_socket_conn(socket), payload, len));
    note_tight(socket);
    return write_soon(socket);
}

int fws_send_close(struct fastws_socket *socket, uint16_t code, const char *reason, size_t len) {
    int is_line = socket->watch.kind == FWS_WATCH_OPEN && socket->side != NULL;
    if (is_line) TRY(fws_line_move(socket, 1));
    return fastws_conn_close(fws_socket_conn(socket), code, reason, len);
}

int fastws_socket_close(struct fastws_socket *socket, uint16_t code, const char *reason, size_t len) {
    TRY(check_may_send(socket));
    TRY(fws_send_close(socket, code, reason, len));
    fws_socket_clear(socket, FWS_SOCKET_PAUSED); /* or the peer's close frame would never be seen */
    return write_soon(socket);
}

int fastws_socket_flush(struct fastws_socket *socket) {
    if (check_may_send(socket) < 0) return 0; /* nothing is queued */
    TRY(fws_open_flush(socket));
    note_tight(socket);
    return write_soon(socket);
}

/* ---- Reading ---- */

void fastws_socket_pause(struct fastws_socket *socket) {
    if (socket->watch.kind == FWS_WATCH_DEAD) return;
    fws_socket_set(socket, FWS_SOCKET_PAUSED);
    fws_open_update(socket);
}

void fastws_socket_resume(struct fastws_socket *socket) {
    if (socket->watch.kind == FWS_WATCH_DEAD) return;
    fws_socket_clear(socket, FWS_SOCKET_PAUSED);
    fws_open_update(socket);
}

/* ---- Asking ---- */

int fastws_socket_is_writable(const struct fastws_socket *socket) {
    return fws_socket_has_conn(socket) && is_writable(socket);
}

uint64_t fastws_socket_queued_len(const struct fastws_socket *socket) {
    if (!fws_socket_has_conn(socket)) return 0;
    const struct fastws_conn *conn = (const struct fastws_conn *)(const void *)socket->conn;
    return fastws_conn_pending_len(conn) + fws_line_len(socket);
}
