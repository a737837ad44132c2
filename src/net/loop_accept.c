/* SPDX-License-Identifier: MIT */
/* Clients come in: how many a listener accepts, and when it rests. */
#define _POSIX_C_SOURCE 200809L
#include "loop_socket.h"

#include <errno.h>
#include <unistd.h>

/* Clients accepted in one turn of the listener, and how long it rests when the system is out of something. Clients wait
 * meanwhile, instead of being told off. */
enum { ACCEPT_MAX = 64, REST_MS = 100 };

static void want(struct fastws_listener *listener) {
    struct fastws_loop *loop = listener->group->loop;
    unsigned wanted = listener->is_full || listener->is_resting ? 0u : FWS_READABLE;
    (void)!fws_watch_want(loop, &listener->watch, wanted); /* it is watched already: that needs no memory */
}

static void rest(struct fastws_listener *listener, int error) {
    const struct fastws_socket_config *config = listener->group->config;
    struct fastws_loop *loop = listener->group->loop;
    listener->is_resting = 1;
    want(listener);
    fws_timers_move(loop, &listener->watch, loop->now_ms + REST_MS);
    if (config->on_trouble != NULL) config->on_trouble(listener, error);
}

void fws_listener_on_time(struct fastws_listener *listener) {
    listener->is_resting = 0;
    fws_timers_move(listener->group->loop, &listener->watch, UINT64_MAX);
    want(listener);
}

static int is_full(const struct fastws_listener *listener) {
    unsigned sockets_max = listener->group->config->sockets_max;
    return sockets_max > 0 && listener->sockets >= sockets_max;
}

void fws_listener_on_socket_gone(struct fastws_listener *listener) {
    listener->sockets--;
    if (!listener->is_full || is_full(listener)) return;
    listener->is_full = 0;
    want(listener);
}

/* Returns 1 if there may be more, else 0. */
static int accept_one(struct fastws_listener *listener) {
    struct fws_group *group = listener->group;
    int fd = group->loop->backend->accept(listener->watch.fd);
    if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
        int error = fws_loop_errno(0);
        if (error < 0) rest(listener, error);
        return error == 0; /* a client that left again: EINTR, ECONNABORTED and others */
    }
    struct fastws_socket *socket;
    struct fastws_tls *tls = group->config->tls;
    int error = fws_socket_new(group, fd, tls != NULL ? FWS_WATCH_TLS : FWS_WATCH_HEAD, tls, NULL, &socket);
    if (error < 0) {
        close(fd);
        rest(listener, error);
        return 0;
    }
    group->loop->stats.accepted++;
    return 1;
}

void fws_listener_serve(struct fastws_listener *listener) {
    for (int i = 0; i < ACCEPT_MAX; i++) {
        if (is_full(listener)) {
            listener->is_full = 1;
            want(listener);
            return;
        }
        if (!accept_one(listener)) return;
    }
}
