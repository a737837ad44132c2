/* SPDX-License-Identifier: MIT */
/* The beginning and the end of a dial: where it leads, what it takes, and giving that back. */
#define _POSIX_C_SOURCE 200809L
#include "loop_dial.h"

#include "connect.h"
#include "io.h"

/* ---- Life ---- */

static size_t dialing_size(void) { return sizeof(struct fws_loop_dial) + fastws_dial_sizeof(); }

static void release_dialing(struct fastws_loop *loop, struct fws_side *side) {
    struct fws_loop_dial *dialing = (struct fws_loop_dial *)side;
    if (dialing->attempts != NULL) fws_attempts_free(dialing->attempts);
    if (dialing->talk != NULL) fws_proxy_talk_free(loop, dialing->talk);
    if (dialing->rest != NULL) fws_loop_release(loop, dialing->rest, dialing->rest_len);
    fastws_dial_free(fws_dialer_of(dialing));
    fws_loop_release(loop, dialing, dialing_size());
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
                        const struct fastws_url *url, struct fws_loop_dial **out) {
    struct fws_loop_dial *dialing = fws_loop_allocate(loop, dialing_size());
    if (dialing == NULL) return FASTWS_ERR_NOMEM;
    *dialing = (struct fws_loop_dial){.side.release = release_dialing, .phase = FWS_DIAL_WAY};
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
                       const struct fastws_url *url, struct fws_loop_dial *dialing, struct fastws_socket **out) {
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
    struct fws_loop_dial *dialing;
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
