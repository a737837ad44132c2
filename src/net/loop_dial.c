/* SPDX-License-Identifier: MIT */
/* Clients: the way to a server, over a proxy if there is one, and the handshake there. RFC 6455 section 4.1. */
#define _POSIX_C_SOURCE 200809L
#include "loop.h"

#include <fastws/dial.h>

#include "connect.h"
#include "io.h"
#include "loop_proxy.h"

enum phase {
    PHASE_WAY,   /* attempts to connect */
    PHASE_PROXY, /* the proxy is asked */
    PHASE_ANSWER /* the request is written, and the answer read */
};

/* A dial that has begun. */
struct dialing {
    struct fws_side side;
    struct fws_attempts *attempts; /* PHASE_WAY */
    struct fws_proxy_talk *talk;   /* NULL: there is no proxy, or it has answered */
    uint64_t due_ms;               /* for all of it */
    const uint8_t *request;        /* to write: to the proxy or to the server */
    size_t request_len;
    size_t written;
    uint8_t *rest; /* what came behind an answer that was faster than our request; NULL: nothing */
    size_t rest_len;
    uint8_t phase; /* enum phase */
    uint8_t is_begun;
    uint8_t is_deaf;   /* the server takes no more of the request, but may have answered. RFC 9112 9.5 */
    uint8_t is_agreed; /* the answer is good */
    alignas(max_align_t) unsigned char dialer[];
};

static struct fastws_dialer *dialer_of(struct dialing *dialing) {
    return (struct fastws_dialer *)(void *)dialing->dialer;
}

static struct dialing *dialing_of(struct fastws_socket *socket) { return (struct dialing *)socket->side; }

static int is_dialing(const struct fastws_socket *socket) { return socket->watch.kind == FWS_WATCH_DIAL; }

/* ---- Life ---- */

static size_t dialing_size(void) { return sizeof(struct dialing) + fastws_dial_sizeof(); }

static void stop_attempts(struct dialing *dialing) {
    if (dialing->attempts != NULL) fws_attempts_free(dialing->attempts);
    dialing->attempts = NULL;
}

static void release_dialing(struct fastws_loop *loop, struct fws_side *side) {
    struct dialing *dialing = (struct dialing *)side;
    stop_attempts(dialing);
    if (dialing->talk != NULL) fws_proxy_talk_free(loop, dialing->talk);
    if (dialing->rest != NULL) fws_loop_release(loop, dialing->rest, dialing->rest_len);
    fastws_dial_free(dialer_of(dialing));
    fws_loop_release(loop, dialing, dialing_size());
}

void fws_dial_stop(struct fastws_socket *socket) { stop_attempts(dialing_of(socket)); }

static void fail(struct fastws_socket *socket, int error) {
    if (socket->watch.kind != FWS_WATCH_DEAD) fws_socket_cut(socket, error);
}

void fws_dial_fail(struct fastws_socket *socket, int error) { fail(socket, error); }

/* ---- The answer ---- */

static int prepare(struct fastws_socket *socket) {
    const struct fastws_dial_config *config = socket->group->config->dial;
    struct fastws_deflate_params agreed;
    int is_agreed = fastws_dial_deflate(dialer_of(dialing_of(socket)), &agreed) > 0;
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
    int answer = config->on_dial(socket, dialer_of(dialing_of(socket)), error);
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
    if (has_head(dialer_of(dialing_of(socket)))) error = ask(socket, error);
    fail(socket, error);
}

static void agree(struct fastws_socket *socket, uint8_t *rest, size_t len) {
    struct dialing *dialing = dialing_of(socket);
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
    int result = fastws_dial_feed(dialer_of(dialing_of(socket)), bytes, len, &used);
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
    struct fastws_dialer *dialer = dialer_of(dialing_of(socket));
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
    if (error == FASTWS_ERR_UNEXPECTED_EOF && dialing_of(socket)->is_deaf) error = FASTWS_ERR_IO;
    if (socket->watch.kind != FWS_WATCH_DEAD) refuse(socket, error);
}

/* ---- The way ---- */

static void say(struct fastws_socket *socket, enum phase phase, const void *request, size_t len) {
    struct dialing *dialing = dialing_of(socket);
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
    fastws_dial_request(dialer_of(dialing_of(socket)), &request, &len);
    say(socket, PHASE_ANSWER, request, len);
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
    const struct dialing *dialing = dialing_of(socket);
    uint64_t next_ms = dialing->attempts != NULL ? fws_attempts_due_ms(dialing->attempts) : UINT64_MAX;
    fws_timers_move(fws_socket_loop(socket), &socket->watch, next_ms < dialing->due_ms ? next_ms : dialing->due_ms);
}

void fws_dial_on_connect(struct fastws_socket *socket, int fd) {
    struct dialing *dialing = dialing_of(socket);
    socket->watch.fd = fd;
    stop_attempts(dialing);
    set_time(socket);
    if (dialing->talk == NULL) {
        arrive(socket);
        return;
    }
    size_t len;
    const char *request = fws_proxy_talk_request(dialing->talk, &len);
    say(socket, PHASE_PROXY, request, len);
}

static void take_proxy_answer(struct fastws_socket *socket, ptrdiff_t n) {
    struct dialing *dialing = dialing_of(socket);
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
static ptrdiff_t write_some(struct fastws_socket *socket, const struct dialing *dialing) {
    struct fastws_iovec left = {dialing->request + dialing->written, dialing->request_len - dialing->written};
    if (dialing->phase == PHASE_PROXY) return fws_transport_send(socket, left.base, left.len);
    return fws_transport_write(socket, &left, 1);
}

static void write_request(struct fastws_socket *socket) {
    struct dialing *dialing = dialing_of(socket);
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
    int is_proxy = dialing_of(socket)->phase == PHASE_PROXY;
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
    struct dialing *dialing = dialing_of(socket);
    if (dialing->phase == PHASE_WAY) return;
    write_request(socket);
    if (!is_dialing(socket)) return;
    if (found & (FWS_READABLE | FWS_HUNG_UP) && !dialing->is_agreed) {
        do receive(socket);
        while (is_dialing(socket) && dialing->phase == PHASE_ANSWER && !dialing->is_agreed &&
               fws_transport_has_more(socket));
    }
    if (!is_dialing(socket)) return;
    unsigned wanted = (dialing->is_agreed ? 0u : FWS_READABLE) |
                      (dialing->written < dialing->request_len ? FWS_WRITABLE : 0u);
    if (fws_watch_want(fws_socket_loop(socket), &socket->watch, wanted) < 0) fail(socket, FASTWS_ERR_IO);
}

void fws_dial_begin(struct fastws_socket *socket) {
    struct dialing *dialing = dialing_of(socket);
    if (dialing->is_begun) return;
    dialing->is_begun = 1;
    fws_attempts_begin(dialing->attempts);
    set_time(socket);
}

void fws_dial_on_time(struct fastws_socket *socket) {
    struct dialing *dialing = dialing_of(socket);
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (dialing->due_ms > loop->now_ms) {
        if (dialing->attempts != NULL) fws_attempts_on_time(dialing->attempts);
        set_time(socket);
        return;
    }
    if (dialing->phase != PHASE_ANSWER || dialing->is_agreed) {
        fail(socket, FASTWS_ERR_DIAL_TIMEOUT);
        return;
    }
    loop->current = socket; /* on_status_error may be called */
    int error = fastws_dial_expire(dialer_of(dialing));
    loop->current = NULL;
    if (socket->watch.kind != FWS_WATCH_DEAD) refuse(socket, error);
}

/* ---- Beginning ---- */

/* Where the first connection leads. */
struct target {
    char host[FWS_HOST_CAP]; /* or path */
    uint16_t port;
    int is_path;
};

static int aim(struct target *target, const struct fastws_url *url) {
    target->port = url->port;
    target->is_path = url->host_kind == FASTWS_HOST_UNIX;
    ptrdiff_t len = (ptrdiff_t)url->host.len;
    if (target->is_path) len = fastws_url_decode(target->host, sizeof target->host - 1, url->host);
    if (len < 0 || len >= (ptrdiff_t)sizeof target->host) return FASTWS_ERR_DIAL_CONNECT;
    if (!target->is_path) memcpy(target->host, url->host.ptr, url->host.len);
    target->host[len] = '\0';
    return 0;
}

static int find_tls(struct fastws_loop *loop, const struct fastws_socket_config *config, struct fastws_tls **out) {
    *out = config->tls != NULL ? config->tls : loop->default_tls;
    if (*out != NULL) return 0;
    struct fastws_tls_config tls_config;
    fastws_tls_config_init(&tls_config, FASTWS_ROLE_CLIENT);
    TRY(fastws_tls_new(&tls_config, &loop->default_tls, NULL));
    *out = loop->default_tls;
    return 0;
}

static int make_dialing(struct fastws_loop *loop, const struct fastws_socket_config *config,
                        const struct fastws_url *url, struct dialing **out) {
    struct dialing *dialing = fws_loop_allocate(loop, dialing_size());
    if (dialing == NULL) return FASTWS_ERR_NOMEM;
    *dialing = (struct dialing){.side.release = release_dialing, .phase = PHASE_WAY};
    dialing->due_ms = fws_deadline_ms(fws_clock_ms(), config->handshake_timeout_ms);
    int error = fastws_dial_init(dialing->dialer, config->dial, url, loop->allocator);
    if (error < 0) {
        fws_loop_release(loop, dialing, dialing_size());
        return error;
    }
    *out = dialing;
    return 0;
}

/* Makes the socket of a dial, which stays the caller's on failure. */
static int make_socket(struct fastws_loop *loop, const struct fastws_socket_config *config,
                       const struct fastws_url *url, struct dialing *dialing, struct fastws_socket **out) {
    struct target server, first;
    struct fastws_url first_url = *url;
    struct fastws_tls *tls = NULL;
    TRY(aim(&server, url));
    if (config->proxy != NULL && config->proxy[0] != '\0' && !server.is_path) {
        TRY(fws_proxy_talk_new(loop, config->proxy, url, &first_url, &dialing->talk));
    }
    TRY(aim(&first, &first_url));
    if (url->is_secure) TRY(find_tls(loop, config, &tls));
    struct fws_group *group = fws_group_take(loop, config, NULL);
    if (group == NULL) return FASTWS_ERR_NOMEM;
    struct fastws_socket *socket;
    const char *host = server.is_path ? "localhost" : server.host; /* as the request says */
    int error = fws_socket_new(group, -1, FWS_WATCH_DIAL, tls, host, &socket);
    fws_group_release(group); /* the socket uses it, if there is one */
    TRY(error);
    error = fws_attempts_new(socket, first.host, first.port, first.is_path, &dialing->attempts);
    if (error < 0) {
        fws_socket_destroy(socket, 0);
        return error;
    }
    *out = socket;
    return 0;
}

int fastws_loop_dial(struct fastws_loop *loop, const struct fastws_socket_config *config, const char *address,
                     struct fastws_socket **out) {
    struct fastws_url url;
    struct dialing *dialing;
    struct fastws_socket *socket;
    TRY(fws_socket_check_config(loop, config, 0));
    if (config->conn->role != FASTWS_ROLE_CLIENT) return FASTWS_ERR_ARGUMENT;
    TRY(fastws_url_parse(&url, address, strlen(address)));
    TRY(make_dialing(loop, config, &url, &dialing));
    int error = make_socket(loop, config, &url, dialing, &socket);
    if (error < 0) {
        release_dialing(loop, &dialing->side);
        return error;
    }
    socket->side = &dialing->side;
    fws_socket_mark(socket);
    if (!loop->is_running) loop->backend->wake(loop);
    if (out != NULL) *out = socket;
    return 0;
}
