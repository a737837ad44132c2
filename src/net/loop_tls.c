/* SPDX-License-Identifier: MIT */
/* TLS between a socket and the system: one receive feeds many records, and many records leave in one write. */
#include "loop_socket.h"

#include "../conn.h"
#include "tls_memory.h"

/* Shared by the sockets of a loop, each for the time of a call: a message of 64 KiB leaves in one write. */
enum { IN_LEN = 64 * 1024, OUT_LEN = 128 * 1024 };

struct fws_tls_space {
    struct fastws_socket *reader; /* whose input lies in it; NULL: nobody's */
    uint8_t in[IN_LEN];
    uint8_t out[OUT_LEN];
};

/* What a socket inside TLS has besides. */
struct fws_link {
    struct fws_tls_memory tls;
    uint8_t *kept; /* input that was received and that tls still has to read; NULL: none, or it lies in the space */
    size_t kept_len;
    uint8_t *rest; /* records that the system has not taken; NULL: none */
    size_t rest_off;
    size_t rest_len;
    size_t ahead; /* bytes that are written, and that the connection still lists */
    int error;    /* why nothing comes any more, or 0 */
    uint8_t is_shaken;   /* the handshake is over, but for rest */
    uint8_t is_stuck;    /* reading waits for rest to leave */
    uint8_t is_end_told; /* the reader knows that nothing more comes */
};

static struct fws_link *link_of(const struct fastws_socket *socket) {
    struct fws_link *link;
    memcpy(&link, socket->conn + sizeof(struct fastws_conn), sizeof link);
    return link;
}

/* ---- Life ---- */

static int take_space(struct fastws_loop *loop) {
    if (loop->tls_space != NULL) return 0;
    loop->tls_space = fws_loop_allocate(loop, sizeof *loop->tls_space);
    if (loop->tls_space == NULL) return FASTWS_ERR_NOMEM;
    loop->tls_space->reader = NULL;
    return 0;
}

void fws_loop_release_tls(struct fastws_loop *loop) {
    if (loop->tls_space != NULL) fws_loop_release(loop, loop->tls_space, sizeof *loop->tls_space);
    fastws_tls_free(loop->default_tls);
}

int fws_link_open(struct fastws_socket *socket, struct fastws_tls *tls, const char *host) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    TRY(take_space(loop));
    struct fws_link *link = fws_loop_allocate(loop, sizeof *link);
    if (link == NULL) return FASTWS_ERR_NOMEM;
    *link = (struct fws_link){.error = 0};
    /* OpenSSL takes several KiB: a server that has heard nothing does without. */
    int error = host == NULL ? 0 : fws_tls_memory_open(&link->tls, tls, host);
    if (error < 0) {
        fws_loop_release(loop, link, sizeof *link);
        return error;
    }
    memcpy(socket->conn + sizeof(struct fastws_conn), &link, sizeof link);
    return 0;
}

static void drop_kept(struct fastws_loop *loop, struct fws_link *link) {
    if (link->kept != NULL) fws_loop_release(loop, link->kept, link->kept_len);
    link->kept = NULL;
}

static void drop_rest(struct fastws_loop *loop, struct fws_link *link) {
    if (link->rest != NULL) fws_loop_release(loop, link->rest, link->rest_len);
    link->rest = NULL;
    link->is_stuck = 0;
}

void fws_link_close(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct fws_link *link = link_of(socket);
    if (loop->tls_space->reader == socket) loop->tls_space->reader = NULL;
    drop_kept(loop, link);
    drop_rest(loop, link);
    fws_tls_memory_close(&link->tls);
    fws_loop_release(loop, link, sizeof *link);
}

/* ---- Out ---- */

/* Gives TLS room for what it has to say: less, the more waits already. */
static void open_out(struct fastws_loop *loop, struct fws_link *link) {
    size_t waiting = link->rest != NULL ? link->rest_len - link->rest_off : 0;
    link->tls.out = loop->tls_space->out;
    link->tls.out_len = 0;
    link->tls.out_cap = waiting < OUT_LEN ? OUT_LEN - waiting : 0;
}

/* Puts bytes behind what waits. */
static int keep_rest(struct fastws_loop *loop, struct fws_link *link, const uint8_t *src, size_t len) {
    size_t waiting = link->rest != NULL ? link->rest_len - link->rest_off : 0;
    uint8_t *rest = fws_loop_allocate(loop, waiting + len);
    if (rest == NULL) return FASTWS_ERR_NOMEM;
    if (waiting > 0) memcpy(rest, link->rest + link->rest_off, waiting);
    memcpy(rest + waiting, src, len);
    drop_rest(loop, link);
    link->rest = rest;
    link->rest_off = 0;
    link->rest_len = waiting + len;
    return 0;
}

/* Writes what TLS has put out. Returns 1 if all is with the system, 0 if something waits, or a negative number. */
static int emit(struct fastws_socket *socket, struct fws_link *link) {
    size_t sent = 0;
    if (link->tls.out_len == 0) return link->rest == NULL;
    if (link->rest == NULL) {
        ptrdiff_t n = fws_transport_send(socket, link->tls.out, link->tls.out_len);
        if (n == FWS_TRANSPORT_FAILED) return -1;
        sent = n > 0 ? (size_t)n : 0;
    }
    if (sent == link->tls.out_len) return 1;
    int error = keep_rest(fws_socket_loop(socket), link, link->tls.out + sent, link->tls.out_len - sent);
    if (error < 0) link->error = error; /* a record is lost: nothing behind it makes sense */
    return error;
}

int fws_link_flush(struct fastws_socket *socket) {
    struct fws_link *link = link_of(socket);
    if (link->error == FASTWS_ERR_NOMEM) return -1;
    if (link->rest == NULL) return 1;
    ptrdiff_t n = fws_transport_send(socket, link->rest + link->rest_off, link->rest_len - link->rest_off);
    if (n == FWS_TRANSPORT_FAILED) return -1;
    if (n > 0) link->rest_off += (size_t)n;
    if (link->rest_off < link->rest_len) return 0;
    drop_rest(fws_socket_loop(socket), link);
    return 1;
}

/* Returns what the next record holds of the bytes behind off: in one piece, put together in space if they are not. */
static const uint8_t *gather(uint8_t *space, const struct fastws_iovec *iov, int count, size_t off, size_t *len) {
    int i = 0;
    while (off >= iov[i].len) off -= iov[i++].len;
    const uint8_t *piece = (const uint8_t *)iov[i].base + off;
    size_t left = iov[i].len - off;
    *len = left < FWS_TLS_RECORD_LEN ? left : FWS_TLS_RECORD_LEN;
    if (left >= FWS_TLS_RECORD_LEN || i + 1 == count) return piece;
    memcpy(space, piece, left);
    for (i++; i < count && *len < FWS_TLS_RECORD_LEN; i++) {
        size_t room = FWS_TLS_RECORD_LEN - *len;
        size_t part = iov[i].len < room ? iov[i].len : room;
        memcpy(space + *len, iov[i].base, part);
        *len += part;
    }
    return space;
}

/* Writes records until there is no more to write, or no room. */
static int put_records(struct fws_link *link, const struct fastws_iovec *iov, int count, size_t *off, size_t end) {
    uint8_t space[FWS_TLS_RECORD_LEN];
    while (*off < end && link->tls.out_cap - link->tls.out_len >= FWS_TLS_RECORD_CAP) {
        size_t len;
        const uint8_t *src = gather(space, iov, count, *off, &len);
        TRY(fws_tls_memory_write(&link->tls, src, len));
        *off += len;
    }
    return 0;
}

/* What waits as records is told of as one byte less than was taken: so the connection has something to write, until the
 * system has all of it. */
ptrdiff_t fws_link_write(struct fastws_socket *socket, const struct fastws_iovec *iov, int count) {
    struct fws_link *link = link_of(socket);
    int state = fws_link_flush(socket);
    if (state <= 0) return state == 0 ? FWS_TRANSPORT_AGAIN : FWS_TRANSPORT_FAILED;
    size_t end = 0;
    for (int i = 0; i < count; i++) end += iov[i].len;
    size_t off = link->ahead < end ? link->ahead : end;
    link->ahead = 0;
    while (off < end) {
        open_out(fws_socket_loop(socket), link);
        if (put_records(link, iov, count, &off, end) < 0) return FWS_TRANSPORT_FAILED;
        state = emit(socket, link);
        if (state < 0) return FWS_TRANSPORT_FAILED;
        if (state > 0) continue;
        link->ahead = 1;
        return off > 1 ? (ptrdiff_t)off - 1 : FWS_TRANSPORT_AGAIN;
    }
    return (ptrdiff_t)off;
}

void fws_link_end(struct fastws_socket *socket) {
    struct fws_link *link = link_of(socket);
    open_out(fws_socket_loop(socket), link);
    if (link->error == 0) fws_tls_memory_end(&link->tls);
    (void)!emit(socket, link);
}

/* ---- In ---- */

/* Another socket receives: the one before keeps what it has not read. */
static void park(struct fastws_loop *loop) {
    struct fastws_socket *socket = loop->tls_space->reader;
    loop->tls_space->reader = NULL;
    if (socket == NULL) return;
    struct fws_link *link = link_of(socket);
    if (link->tls.in_len == 0) return;
    link->kept_len = link->tls.in_len;
    link->kept = fws_loop_allocate(loop, link->kept_len);
    if (link->kept == NULL) {
        link->error = FASTWS_ERR_NOMEM;
        link->tls.in_len = 0;
        fws_socket_mark(socket);
        return;
    }
    memcpy(link->kept, link->tls.in, link->kept_len);
    link->tls.in = link->kept;
}

/* Receives, once all that came before is read. Returns what fws_transport_receive() does. */
static ptrdiff_t refill(struct fastws_socket *socket, struct fws_link *link) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct fws_tls_space *space = loop->tls_space;
    if (space->reader != socket) park(loop);
    drop_kept(loop, link);
    space->reader = socket;
    ptrdiff_t n = fws_transport_receive(socket, space->in, sizeof space->in);
    if (n == 0) link->tls.is_ended = 1;
    link->tls.in = space->in;
    link->tls.in_len = n > 0 ? (size_t)n : 0;
    return n;
}

/* Reads as many records as fit. */
static ptrdiff_t read_records(struct fws_link *link, uint8_t *dst, size_t len) {
    size_t off = 0;
    while (off < len) {
        ptrdiff_t n = fws_tls_memory_read(&link->tls, dst + off, len - off);
        if (n == FWS_TLS_BROKEN) link->error = FASTWS_ERR_TLS_RECORD;
        if (n <= 0) return off > 0 ? (ptrdiff_t)off : n;
        off += (size_t)n;
    }
    return (ptrdiff_t)off;
}

/* Sends what reading gave TLS to say. */
static void answer(struct fastws_socket *socket, struct fws_link *link) {
    if (emit(socket, link) != 0) return;
    if (!fws_socket_has(socket, FWS_SOCKET_BLOCKED)) fws_socket_note_time(socket);
    fws_socket_set(socket, FWS_SOCKET_BLOCKED);
    link->is_stuck = link->tls.in_len > 0 && link->tls.out_cap - link->tls.out_len < FWS_TLS_RECORD_CAP;
    if (link->is_stuck) fws_socket_set(socket, FWS_SOCKET_FLOODED);
}

ptrdiff_t fws_link_read(struct fastws_socket *socket, void *dst, size_t len) {
    struct fws_link *link = link_of(socket);
    open_out(fws_socket_loop(socket), link);
    ptrdiff_t n = link->error == 0 ? read_records(link, dst, len) : FWS_TLS_BROKEN;
    if (n == FWS_TLS_AGAIN && link->tls.in_len == 0) {
        ptrdiff_t received = refill(socket, link);
        if (received == FWS_TRANSPORT_FAILED) link->error = FASTWS_ERR_IO;
        if (received >= 0) n = read_records(link, dst, len);
    }
    answer(socket, link);
    if (n == 0 || link->error != 0) link->is_end_told = n <= 0;
    if (n > 0) return n;
    if (link->error != 0) return FWS_TRANSPORT_FAILED;
    return n == FWS_TLS_AGAIN ? FWS_TRANSPORT_AGAIN : n;
}

int fws_link_has_more(const struct fastws_socket *socket) {
    const struct fws_link *link = link_of(socket);
    if (link->error != 0 || link->tls.is_ended) return !link->is_end_told;
    return !link->is_stuck && fws_tls_memory_has_more(&link->tls);
}

int fws_link_error(const struct fastws_socket *socket) { return link_of(socket)->error; }

/* ---- The handshake ---- */

/* Begins with the first bytes of a client. Returns 1, 0 when none has come, or an error. */
static int begin(struct fastws_socket *socket, struct fws_link *link) {
    if (link->tls.ssl != NULL) return 1;
    ptrdiff_t received = refill(socket, link);
    if (received == FWS_TRANSPORT_AGAIN) return 0;
    if (received == FWS_TRANSPORT_FAILED) return FASTWS_ERR_IO;
    TRY(fws_tls_memory_open(&link->tls, socket->group->config->tls, NULL));
    return 1;
}

/* Returns 1 when hands are shaken, 0 when more has to come, or an error. */
static int shake(struct fastws_socket *socket, struct fws_link *link) {
    int result = begin(socket, link);
    if (result <= 0) return result;
    ptrdiff_t received = 0;
    open_out(fws_socket_loop(socket), link);
    do {
        result = fws_tls_memory_shake(&link->tls);
        if (result == 0 && link->tls.in_len == 0) received = refill(socket, link);
    } while (result == 0 && received >= 0);
    int state = emit(socket, link);
    if (result < 0) return result;
    return received == FWS_TRANSPORT_FAILED || state < 0 ? FASTWS_ERR_IO : result;
}

static void fail(struct fastws_socket *socket, int error) {
    fws_socket_refuse(socket, error);
    if (socket->watch.kind != FWS_WATCH_DEAD) fws_linger_begin(socket, 1); /* so that the peer gets to read why */
}

static void proceed(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (socket->group->config->conn->role == FASTWS_ROLE_CLIENT) {
        fws_dial_speak(socket);
        return;
    }
    socket->watch.kind = FWS_WATCH_HEAD;
    (void)!fws_watch_want(loop, &socket->watch, FWS_READABLE); /* it is watched already: that needs no memory */
    if (fws_link_has_more(socket)) fws_head_serve(socket, FWS_READABLE);
}

void fws_tls_serve(struct fastws_socket *socket, unsigned found) {
    (void)found; /* hung up or not, reading and writing say what there is */
    struct fws_link *link = link_of(socket);
    int state = fws_link_flush(socket);
    int result = state < 0 ? FASTWS_ERR_IO : link->is_shaken ? 1 : shake(socket, link);
    if (result < 0) {
        fail(socket, result);
        return;
    }
    link->is_shaken = result > 0;
    if (link->is_shaken && link->rest == NULL) {
        proceed(socket);
        return;
    }
    unsigned wanted = (link->is_shaken ? 0u : FWS_READABLE) | (link->rest != NULL ? FWS_WRITABLE : 0u);
    if (fws_watch_want(fws_socket_loop(socket), &socket->watch, wanted) < 0) fws_socket_cut(socket, FASTWS_ERR_IO);
}
