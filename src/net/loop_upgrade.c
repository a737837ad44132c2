/* SPDX-License-Identifier: MIT */
/* The handshake of a socket: the request comes, the answer goes, and what was refused is parted with. */
#include "loop_socket.h"

/* A request that has begun to come. */
struct opening {
    struct fws_side side;
    size_t answered;   /* bytes of the answer that are written */
    int error;         /* 0: accepted */
    uint8_t *rest;     /* what came behind the head, when the answer has to wait; NULL: nothing */
    size_t rest_len;
    alignas(max_align_t) unsigned char upgrade[];
};

static struct fastws_upgrade *upgrade_of(struct opening *opening) {
    return (struct fastws_upgrade *)(void *)opening->upgrade;
}

static struct opening *opening_of(struct fastws_socket *socket) { return (struct opening *)socket->side; }

static size_t opening_size(void) { return sizeof(struct opening) + fastws_upgrade_sizeof(); }

static void release_opening(struct fastws_loop *loop, struct fws_side *side) {
    struct opening *opening = (struct opening *)side;
    fastws_upgrade_free(upgrade_of(opening));
    if (opening->rest != NULL) fws_loop_release(loop, opening->rest, opening->rest_len);
    fws_loop_release(loop, opening, opening_size());
}

/* Clients that connect and say nothing cost no memory for a request. */
static int begin(struct fastws_socket *socket) {
    if (socket->side != NULL) return 0;
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct opening *opening = fws_loop_allocate(loop, opening_size());
    if (opening == NULL) return FASTWS_ERR_NOMEM;
    *opening = (struct opening){.side.release = release_opening};
    int error = fastws_upgrade_init(opening->upgrade, socket->group->config->upgrade, loop->allocator);
    if (error < 0) {
        fws_loop_release(loop, opening, opening_size());
        return error;
    }
    socket->side = &opening->side;
    return 0;
}

/* ---- The answer ---- */

/* Returns 1 when all of it is written, 0 when it is not, or FASTWS_ERR_IO. */
static int write_answer(struct fastws_socket *socket) {
    struct opening *opening = opening_of(socket);
    const void *response;
    size_t len;
    TRY(fastws_upgrade_response(upgrade_of(opening), &response, &len));
    struct fastws_iovec rest = {(const uint8_t *)response + opening->answered, len - opening->answered};
    ptrdiff_t n = fws_transport_write(socket, &rest, 1);
    if (n == FWS_TRANSPORT_FAILED) return FASTWS_ERR_IO;
    if (n > 0) opening->answered += (size_t)n;
    return opening->answered == len;
}

/* The answer is written. */
static void proceed(struct fastws_socket *socket, uint8_t *rest, size_t rest_len) {
    int error = opening_of(socket)->error;
    if (error < 0) {
        fws_socket_drop_side(socket);
        fws_linger_begin(socket, 1);
        return;
    }
    /* What is left of the opening is given back once the socket has begun: rest may be a part of it. */
    struct fws_side *side = socket->side;
    struct fastws_loop *loop = fws_socket_loop(socket);
    socket->side = NULL;
    fws_open_begin(socket, rest, rest_len);
    side->release(loop, side);
}

/* Keeps what came behind the head until the answer is written. */
static int keep_rest(struct fastws_socket *socket, const uint8_t *rest, size_t len) {
    struct opening *opening = opening_of(socket);
    if (len == 0) return 0;
    opening->rest = fws_loop_allocate(fws_socket_loop(socket), len);
    if (opening->rest == NULL) return FASTWS_ERR_NOMEM;
    opening->rest_len = len;
    memcpy(opening->rest, rest, len);
    return 0;
}

/* Writes the answer, for the first time. */
static void answer(struct fastws_socket *socket, uint8_t *rest, size_t rest_len) {
    int result = write_answer(socket);
    if (result == 0) {
        socket->watch.kind = FWS_WATCH_ANSWER;
        result = keep_rest(socket, rest, rest_len);
        if (result == 0) result = fws_watch_want(fws_socket_loop(socket), &socket->watch, FWS_WRITABLE);
        if (result == 0) return;
    }
    if (result > 0) {
        proceed(socket, rest, rest_len);
    } else if (opening_of(socket)->error < 0) { /* was told already */
        fws_socket_destroy(socket, 0);
    } else {
        fws_socket_cut(socket, result);
    }
}

void fws_answer_serve(struct fastws_socket *socket, unsigned found) {
    struct opening *opening = opening_of(socket);
    int result = found & FWS_HUNG_UP ? FASTWS_ERR_IO : write_answer(socket);
    if (result == 0) return;
    if (result > 0) {
        proceed(socket, opening->rest, opening->rest_len);
    } else if (opening->error < 0) {
        fws_socket_destroy(socket, 0);
    } else {
        fws_socket_cut(socket, result);
    }
}

/* ---- The request ---- */

/* Answers with the status of error; is_ready says that the answer stands already. */
static void refuse(struct fastws_socket *socket, int error, int is_ready) {
    struct opening *opening = opening_of(socket);
    if (!is_ready) {
        fastws_upgrade_reset(upgrade_of(opening));
        (void)!fastws_upgrade_refuse(upgrade_of(opening), error);
    }
    opening->error = error;
    fws_socket_refuse(socket, error);
    if (socket->watch.kind != FWS_WATCH_DEAD) answer(socket, NULL, 0);
}

void fws_head_refuse(struct fastws_socket *socket, int error) {
    if (socket->side == NULL) { /* nothing was asked: nothing is answered */
        fws_socket_cut(socket, error);
    } else {
        refuse(socket, error, 0);
    }
}

void fws_head_on_time(struct fastws_socket *socket) {
    if (socket->watch.kind == FWS_WATCH_HEAD) {
        fws_head_refuse(socket, FASTWS_ERR_HANDSHAKE_TIMEOUT);
    } else if (socket->watch.kind == FWS_WATCH_TLS) {
        int is_client = socket->group->config->conn->role == FASTWS_ROLE_CLIENT;
        fws_socket_cut(socket, is_client ? FASTWS_ERR_DIAL_TIMEOUT : FASTWS_ERR_HANDSHAKE_TIMEOUT);
    } else if (opening_of(socket)->error < 0) {
        fws_socket_destroy(socket, 1);
    } else {
        fws_socket_cut(socket, FASTWS_ERR_HANDSHAKE_TIMEOUT);
    }
}

/* Asks the user. Returns 0 or the error of a refusal. */
static int ask(struct fastws_socket *socket) {
    const struct fastws_socket_config *config = socket->group->config;
    int error = config->on_upgrade == NULL ? 0 : config->on_upgrade(socket, upgrade_of(opening_of(socket)));
    return error > 0 ? FASTWS_ERR_ARGUMENT : error;
}

/* Makes the connection: nothing may fail behind the answer. */
static int prepare(struct fastws_socket *socket) {
    const struct fastws_upgrade_config *config = socket->group->config->upgrade;
    struct fastws_deflate_params agreed;
    int is_agreed = fastws_upgrade_deflate(upgrade_of(opening_of(socket)), &agreed) > 0;
    return fws_open_prepare(socket, is_agreed ? config->deflate : NULL, is_agreed ? &agreed : NULL);
}

static void take_head(struct fastws_socket *socket, uint8_t *bytes, size_t len) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct fastws_upgrade *upgrade = upgrade_of(opening_of(socket));
    size_t used;
    loop->current = socket;
    int result = fastws_upgrade_feed(upgrade, bytes, len, &used);
    int is_accepted = result > 0 && socket->watch.kind != FWS_WATCH_DEAD;
    int error = is_accepted ? ask(socket) : 0;
    loop->current = NULL;
    if (socket->watch.kind == FWS_WATCH_DEAD || result == FASTWS_NEED_MORE) return;
    if (is_accepted && error == 0) error = prepare(socket);
    if (result < 0) {
        refuse(socket, result, 1);
    } else if (error < 0) {
        refuse(socket, error, 0);
    } else {
        answer(socket, bytes + used, len - used);
    }
}

static void receive(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    ptrdiff_t n = fws_transport_read(socket, loop->scratch, sizeof loop->scratch);
    if (n == FWS_TRANSPORT_AGAIN) return;
    int error = n < 0 ? FASTWS_ERR_IO : n == 0 ? FASTWS_ERR_UNEXPECTED_EOF : begin(socket);
    if (error < 0) {
        fws_socket_cut(socket, error);
        return;
    }
    loop->turn_received += (uint64_t)n;
    take_head(socket, loop->scratch, (size_t)n);
}

void fws_head_serve(struct fastws_socket *socket, unsigned found) {
    (void)found; /* hung up or not, reading says what there is */
    do receive(socket);
    while (socket->watch.kind == FWS_WATCH_HEAD && fws_transport_has_more(socket));
}
