/* SPDX-License-Identifier: MIT */
/* The course of a dial: over a proxy if there is one, and the handshake with the server. RFC 6455 section 4.1. */
#define _POSIX_C_SOURCE 200809L
#include "loop_dial.h"

#include "io.h"

static int is_dialing(const struct fastws_socket *socket) { return socket->watch.kind == FWS_WATCH_DIAL; }

void fws_dial_stop(struct fastws_socket *socket) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    if (dialing->attempts != NULL) fws_attempts_free(dialing->attempts);
    dialing->attempts = NULL;
}

static void fail(struct fastws_socket *socket, int error) {
    if (socket->watch.kind != FWS_WATCH_DEAD) fws_socket_cut(socket, error);
}

void fws_dial_fail(struct fastws_socket *socket, int error) { fail(socket, error); }

/* ---- The answer ---- */

/* Makes the connection. Returns 0 or FASTWS_ERR_NOMEM. */
static int prepare(struct fastws_socket *socket) {
    const struct fastws_dial_config *config = socket->group->config->dial;
    struct fastws_deflate_params agreed;
    int is_agreed = fastws_dial_deflate(fws_dialer_of(fws_loop_dial_of(socket)), &agreed) > 0;
    return fws_open_prepare(socket, is_agreed ? config->deflate : NULL, is_agreed ? &agreed : NULL);
}

static void open_socket(struct fastws_socket *socket, uint8_t *rest, size_t len) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    int error = prepare(socket);
    if (error < 0) {
        fail(socket, error);
        return;
    }
    /* What is left of the dial is given back once the socket has begun: rest may be a part of it. */
    struct fws_side *side = socket->side;
    socket->side = NULL;
    fws_open_begin(socket, rest, len);
    side->release(loop, side);
}

/* Asks the user, or tells. Returns 0 or the error of a refusal. */
static int ask(struct fastws_socket *socket, int error) {
    const struct fastws_socket_config *config = socket->group->config;
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (config->on_dial == NULL) return error;
    loop->current = socket;
    int answer = config->on_dial(socket, fws_dialer_of(fws_loop_dial_of(socket)), error);
    loop->current = NULL;
    if (error < 0) return error;
    return answer > 0 ? FASTWS_ERR_ARGUMENT : answer;
}

static int has_head(const struct fastws_dialer *dialer) {
    struct fastws_http_status_line line;
    return fastws_dial_status_line(dialer, &line) == 0;
}

/* The handshake ends without a connection. */
static void refuse(struct fastws_socket *socket, int error) {
    if (has_head(fws_dialer_of(fws_loop_dial_of(socket)))) error = ask(socket, error);
    fail(socket, error);
}

static void agree(struct fastws_socket *socket, uint8_t *rest, size_t len) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    int error = dialing->is_deaf ? FASTWS_ERR_IO : ask(socket, 0);
    if (socket->watch.kind == FWS_WATCH_DEAD) return;
    if (error < 0) {
        fail(socket, error);
        return;
    }
    if (dialing->written == dialing->request_len) {
        open_socket(socket, rest, len);
        return;
    }
    dialing->is_agreed = 1; /* what was not written of the request goes before our first frame */
    if (len == 0) return;
    dialing->rest = fws_loop_allocate(fws_socket_loop(socket), len);
    if (dialing->rest == NULL) {
        fail(socket, FASTWS_ERR_NOMEM);
        return;
    }
    dialing->rest_len = len;
    memcpy(dialing->rest, rest, len);
}

static void take_answer(struct fastws_socket *socket, uint8_t *bytes, size_t len) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    size_t used;
    loop->current = socket;
    int result = fastws_dial_feed(fws_dialer_of(fws_loop_dial_of(socket)), bytes, len, &used);
    loop->current = NULL;
    if (socket->watch.kind == FWS_WATCH_DEAD || result == FASTWS_NEED_MORE) return;
    if (result > 0) {
        agree(socket, bytes + used, len - used);
    } else {
        refuse(socket, result);
    }
}

/* The stream gives nothing more. */
static void end_early(struct fastws_socket *socket, ptrdiff_t n) {
    struct fastws_dialer *dialer = fws_dialer_of(fws_loop_dial_of(socket));
    int error = FASTWS_ERR_IO;
    fws_socket_loop(socket)->current = socket; /* on_status_error may be called */
    if (n == 0) {
        error = fastws_dial_eof(dialer);
    } else if (has_head(dialer)) { /* the status is known and only the body cut */
        error = fastws_dial_expire(dialer);
    } else if (fws_socket_has(socket, FWS_SOCKET_TLS) && fws_link_error(socket) != 0) {
        error = fws_link_error(socket);
    }
    fws_socket_loop(socket)->current = NULL;
    if (error == FASTWS_ERR_UNEXPECTED_EOF && fws_loop_dial_of(socket)->is_deaf) error = FASTWS_ERR_IO;
    if (socket->watch.kind != FWS_WATCH_DEAD) refuse(socket, error);
}

/* ---- The way ---- */

static void say(struct fastws_socket *socket, enum fws_dial_phase phase, const void *request, size_t len) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    dialing->phase = (uint8_t)phase;
    dialing->request = request;
    dialing->request_len = len;
    dialing->written = 0;
    socket->watch.kind = FWS_WATCH_DIAL;
    fws_dial_serve(socket, FWS_WRITABLE);
}

void fws_dial_speak(struct fastws_socket *socket) {
    const void *request;
    size_t len;
    fastws_dial_request(fws_dialer_of(fws_loop_dial_of(socket)), &request, &len);
    say(socket, FWS_DIAL_ANSWER, request, len);
}

/* There is a stream of bytes to the server. */
static void arrive(struct fastws_socket *socket) {
    if (!fws_socket_has(socket, FWS_SOCKET_TLS)) {
        fws_dial_speak(socket);
        return;
    }
    socket->watch.kind = FWS_WATCH_TLS;
    fws_tls_serve(socket, FWS_WRITABLE);
}

static void set_time(struct fastws_socket *socket) {
    if (!is_dialing(socket)) return;
    const struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    uint64_t next_ms = dialing->attempts != NULL ? fws_attempts_due_ms(dialing->attempts) : UINT64_MAX;
    fws_timers_move(fws_socket_loop(socket), &socket->watch, next_ms < dialing->due_ms ? next_ms : dialing->due_ms);
}

void fws_dial_on_connect(struct fastws_socket *socket, int fd) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    socket->watch.fd = fd;
    fws_dial_stop(socket);
    set_time(socket);
    if (dialing->talk == NULL) {
        arrive(socket);
        return;
    }
    size_t len;
    const char *request = fws_proxy_talk_request(dialing->talk, &len);
    say(socket, FWS_DIAL_PROXY, request, len);
}

static void take_proxy_answer(struct fastws_socket *socket, ptrdiff_t n) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    struct fastws_loop *loop = fws_socket_loop(socket);
    int result = n > 0 ? fws_proxy_talk_feed(dialing->talk, loop->scratch, (size_t)n) : FASTWS_ERR_PROXY_ANSWER;
    if (result == 0) return;
    if (result < 0) {
        fail(socket, n < 0 ? FASTWS_ERR_IO : result);
        return;
    }
    fws_proxy_talk_free(loop, dialing->talk);
    dialing->talk = NULL;
    arrive(socket);
}

/* ---- Serving ---- */

/* What is said to a proxy is below TLS. */
static ptrdiff_t write_some(struct fastws_socket *socket, const struct fws_loop_dial *dialing) {
    struct fastws_iovec left = {dialing->request + dialing->written, dialing->request_len - dialing->written};
    if (dialing->phase == FWS_DIAL_PROXY) return fws_transport_send(socket, left.base, left.len);
    return fws_transport_write(socket, &left, 1);
}

static void write_request(struct fastws_socket *socket) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    if (dialing->written == dialing->request_len) return;
    ptrdiff_t n = write_some(socket, dialing);
    if (n == FWS_TRANSPORT_FAILED) {
        dialing->is_deaf = 1;
        dialing->written = dialing->request_len;
    } else if (n > 0) {
        dialing->written += (size_t)n;
    }
    if (dialing->written < dialing->request_len || !dialing->is_agreed) return;
    if (dialing->is_deaf) {
        fail(socket, FASTWS_ERR_IO);
    } else {
        open_socket(socket, dialing->rest, dialing->rest_len);
    }
}

static void receive(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    int is_proxy = fws_loop_dial_of(socket)->phase == FWS_DIAL_PROXY;
    ptrdiff_t n = is_proxy ? fws_transport_receive(socket, loop->scratch, sizeof loop->scratch)
                           : fws_transport_read(socket, loop->scratch, sizeof loop->scratch);
    if (n == FWS_TRANSPORT_AGAIN) return;
    if (n > 0) loop->turn_received += (uint64_t)n;
    if (is_proxy) {
        take_proxy_answer(socket, n);
    } else if (n <= 0) {
        end_early(socket, n);
    } else {
        take_answer(socket, loop->scratch, (size_t)n);
    }
}

void fws_dial_serve(struct fastws_socket *socket, unsigned found) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    if (dialing->phase == FWS_DIAL_WAY) return;
    write_request(socket);
    if (!is_dialing(socket)) return;
    if (found & (FWS_READABLE | FWS_HUNG_UP) && !dialing->is_agreed) {
        do receive(socket);
        while (is_dialing(socket) && dialing->phase == FWS_DIAL_ANSWER && !dialing->is_agreed &&
               fws_transport_has_more(socket));
    }
    if (!is_dialing(socket)) return;
    unsigned wanted = (dialing->is_agreed ? 0u : FWS_READABLE) |
                      (dialing->written < dialing->request_len ? FWS_WRITABLE : 0u);
    if (fws_watch_want(fws_socket_loop(socket), &socket->watch, wanted) < 0) fail(socket, FASTWS_ERR_IO);
}

void fws_dial_begin(struct fastws_socket *socket) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    if (dialing->is_begun) return;
    dialing->is_begun = 1;
    fws_attempts_begin(dialing->attempts);
    set_time(socket);
}

void fws_dial_on_time(struct fastws_socket *socket) {
    struct fws_loop_dial *dialing = fws_loop_dial_of(socket);
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (dialing->due_ms > loop->now_ms) {
        if (dialing->attempts != NULL) fws_attempts_on_time(dialing->attempts);
        set_time(socket);
        return;
    }
    if (dialing->phase != FWS_DIAL_ANSWER || dialing->is_agreed) {
        fail(socket, FASTWS_ERR_DIAL_TIMEOUT);
        return;
    }
    loop->current = socket; /* on_status_error may be called */
    int error = fastws_dial_expire(fws_dialer_of(dialing));
    loop->current = NULL;
    if (socket->watch.kind != FWS_WATCH_DEAD) refuse(socket, error);
}
