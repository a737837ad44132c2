/* SPDX-License-Identifier: MIT */
/* The line of FASTWS_SLOW_DROP_OLDEST: messages that wait, whole, until the peer has read what is queued. */
#include "loop_socket.h"

/* A ring of references. */
struct line {
    struct fws_side side;
    uint64_t len; /* bytes of payload */
    size_t first;
    size_t count;
    size_t cap;
    struct fastws_prepared **messages;
};

static struct line *line_of(const struct fastws_socket *socket) { return (struct line *)socket->side; }

static struct fastws_prepared *pop(struct line *line) {
    struct fastws_prepared *message = line->messages[line->first];
    size_t payload_len;
    (void)!fastws_prepared_payload(message, &payload_len);
    line->len -= payload_len;
    line->first = (line->first + 1) % line->cap;
    line->count--;
    return message;
}

static void release_line(struct fastws_loop *loop, struct fws_side *side) {
    struct line *line = (struct line *)side;
    while (line->count > 0) fastws_prepared_release(pop(line));
    if (line->cap > 0) fws_loop_release(loop, line->messages, line->cap * sizeof(struct fastws_prepared *));
    fws_loop_release(loop, line, sizeof *line);
}

static struct line *take_line(struct fastws_socket *socket) {
    if (socket->side != NULL) return line_of(socket);
    struct line *line = fws_loop_allocate(fws_socket_loop(socket), sizeof *line);
    if (line == NULL) return NULL;
    *line = (struct line){.side.release = release_line};
    socket->side = &line->side;
    return line;
}

static int grow(struct fastws_loop *loop, struct line *line) {
    if (line->count < line->cap) return 0;
    size_t cap = line->cap * 2 + 8;
    struct fastws_prepared **messages = fws_loop_allocate(loop, cap * sizeof(struct fastws_prepared *));
    if (messages == NULL) return FASTWS_ERR_NOMEM;
    for (size_t i = 0; i < line->count; i++) messages[i] = line->messages[(line->first + i) % line->cap];
    if (line->cap > 0) fws_loop_release(loop, line->messages, line->cap * sizeof(struct fastws_prepared *));
    line->messages = messages;
    line->first = 0;
    line->cap = cap;
    return 0;
}

int fws_line_add(struct fastws_socket *socket, struct fastws_prepared *prepared) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct line *line = take_line(socket);
    if (line == NULL) return FASTWS_ERR_NOMEM;
    TRY(grow(loop, line));
    size_t payload_len;
    (void)!fastws_prepared_payload(prepared, &payload_len);
    line->messages[(line->first + line->count++) % line->cap] = fastws_prepared_retain(prepared);
    line->len += payload_len;
    while (line->count > 1 && line->len > socket->group->config->conn->queue_high) {
        fastws_prepared_release(pop(line));
        loop->stats.messages_dropped++;
    }
    return 0;
}

uint64_t fws_line_len(const struct fastws_socket *socket) {
    int is_line = socket->watch.kind == FWS_WATCH_OPEN && socket->side != NULL;
    return is_line ? line_of(socket)->len : 0;
}

int fws_line_move(struct fastws_socket *socket, int is_last) {
    struct line *line = line_of(socket);
    struct fastws_conn *conn = fws_socket_conn(socket);
    if (line == NULL) return 0;
    while (line->count > 0 && (is_last || fastws_conn_is_writable(conn))) {
        struct fastws_prepared *message = line->messages[line->first];
        TRY(fastws_conn_send_prepared(conn, message));
        fastws_prepared_release(pop(line));
    }
    if (line->count == 0) fws_socket_drop_side(socket);
    return 0;
}
