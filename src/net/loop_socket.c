/* SPDX-License-Identifier: MIT */
/* Sockets come and go: their groups, their memory, and what a turn does with those that are marked. */
#define _POSIX_C_SOURCE 200809L
#include "loop_socket.h"

#include <unistd.h>

#include "../conn.h"
#include "io.h"
#include "tls.h"

enum { GROUPS_SEEN = 16 }; /* where a group is looked for: a second one for the same configuration does no harm */

/* ---- Configurations and groups ---- */

void fastws_socket_config_init(struct fastws_socket_config *config, const struct fastws_conn_config *conn) {
    *config = (struct fastws_socket_config){.size = sizeof *config,
                                            .conn = conn,
                                            .handshake_timeout_ms = 10000,
                                            .stall_timeout_ms = 30000,
                                            .message_timeout_ms = 300000,
                                            .deflate_idle_ms = 10000,
                                            .slow_policy = FASTWS_SLOW_WAIT,
                                            .queue_max = 16u << 20};
}

/* Whoever reads a configuration judges it: so they are asked. */
static int check_conn(struct fastws_loop *loop, const struct fastws_conn_config *config) {
    struct fastws_conn conn;
    TRY(fastws_conn_init(&conn, config, loop->pool));
    fastws_conn_free(&conn);
    return 0;
}

static int check_upgrade(struct fastws_loop *loop, const struct fastws_upgrade_config *config) {
    struct fastws_upgrade *upgrade;
    TRY(fastws_upgrade_new(config, loop->allocator, &upgrade));
    fastws_upgrade_free(upgrade);
    return 0;
}

int fws_socket_check_config(struct fastws_loop *loop, const struct fastws_socket_config *config, int is_upgrading) {
    TRY(fws_loop_check_process(loop));
    if (config->size != sizeof *config || config->conn == NULL) return FASTWS_ERR_ARGUMENT;
    if (config->slow_policy > FASTWS_SLOW_CLOSE) return FASTWS_ERR_ARGUMENT;
    TRY(check_conn(loop, config->conn));
    if (config->tls != NULL && fws_tls_role(config->tls) != config->conn->role) return FASTWS_ERR_ARGUMENT;
    if (loop->is_shutting_down) return FASTWS_ERR_STATE;
    if (!is_upgrading) return 0;
    if (config->conn->role != FASTWS_ROLE_SERVER) return FASTWS_ERR_ARGUMENT;
    return check_upgrade(loop, config->upgrade);
}

static struct fws_group *find_group(struct fastws_loop *loop, const struct fastws_socket_config *config) {
    struct fws_group *group = loop->groups;
    for (int seen = 0; group != NULL && seen < GROUPS_SEEN; seen++, group = group->next) {
        if (group->config == config && !group->is_of_listener) return group;
    }
    return NULL;
}

struct fws_group *fws_group_take(struct fastws_loop *loop, const struct fastws_socket_config *config,
                                 struct fastws_listener *listener) {
    struct fws_group *group = listener == NULL ? find_group(loop, config) : NULL;
    if (group == NULL) {
        group = fws_loop_allocate(loop, sizeof *group);
        if (group == NULL) return NULL;
        *group = (struct fws_group){.loop = loop,
                                    .config = config,
                                    .listener = listener,
                                    .next = loop->groups,
                                    .is_of_listener = listener != NULL};
        if (loop->groups != NULL) loop->groups->previous = group;
        loop->groups = group;
    }
    group->uses++;
    return group;
}

void fws_group_release(struct fws_group *group) {
    if (--group->uses > 0) return;
    struct fastws_loop *loop = group->loop;
    if (group->next != NULL) group->next->previous = group->previous;
    if (group->previous != NULL) {
        group->previous->next = group->next;
    } else {
        loop->groups = group->next;
    }
    fws_loop_release(loop, group, sizeof *group);
}

/* ---- Life ---- */

/* With its entry in the heap of deadlines, and what that has in reserve. */
_Static_assert(sizeof(void *) > 8 || sizeof(struct fastws_socket) + sizeof(struct fastws_conn) +
                                             sizeof(struct fws_timer) + sizeof(struct fws_timer) / 16 <= 256,
               "an idle socket of a loop costs at most 256 bytes");

static size_t socket_size(unsigned flags) {
    size_t link = flags & FWS_SOCKET_TLS ? sizeof(struct fws_link *) : 0;
    return sizeof(struct fastws_socket) + sizeof(struct fastws_conn) + link;
}

/* Has the loop know the socket: its time, its descriptor if it has one, and TLS. Leaves nothing behind on failure. */
static int join(struct fastws_socket *socket, struct fastws_tls *tls, const char *host) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    int is_new = socket->watch.kind == FWS_WATCH_NEW;
    int is_read = socket->watch.kind == FWS_WATCH_HEAD || socket->watch.kind == FWS_WATCH_TLS;
    uint32_t timeout_ms = is_new ? 0 : socket->group->config->handshake_timeout_ms;
    TRY(fws_timers_add(loop, &socket->watch, fws_deadline_ms(fws_clock_ms(), timeout_ms)));
    int error = socket->watch.fd < 0 ? 0 : fws_watch_want(loop, &socket->watch, is_read ? FWS_READABLE : 0u);
    if (error == 0 && tls != NULL) error = fws_link_open(socket, tls, host);
    if (error == 0) return 0;
    loop->backend->forget(loop, &socket->watch);
    fws_timers_remove(loop, &socket->watch);
    return error;
}

int fws_socket_new(struct fws_group *group, int fd, enum fws_watch_kind kind, struct fastws_tls *tls, const char *host,
                   struct fastws_socket **out) {
    struct fastws_loop *loop = group->loop;
    unsigned flags = tls != NULL ? FWS_SOCKET_TLS : 0;
    struct fastws_socket *socket = fws_loop_allocate(loop, socket_size(flags));
    if (socket == NULL) return FASTWS_ERR_NOMEM;
    *socket = (struct fastws_socket){.watch = {.fd = fd,
                                               .timer = FWS_NO_TIMER,
                                               .kind = (uint8_t)kind,
                                               .wanted = FWS_UNWATCHED,
                                               .flags = (uint16_t)flags},
                                     .group = group};
    int error = join(socket, tls, host);
    if (error < 0) {
        fws_loop_release(loop, socket, socket_size(flags));
        return error;
    }
    group->uses++;
    if (group->listener != NULL) group->listener->sockets++;
    loop->stats.sockets++;
    *out = socket;
    return 0;
}

void fws_socket_drop_side(struct fastws_socket *socket) {
    struct fws_side *side = socket->side;
    socket->side = NULL;
    if (side != NULL) side->release(fws_socket_loop(socket), side);
}

void fws_socket_lay(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    socket->next = loop->grave;
    loop->grave = socket;
}

void fws_socket_destroy(struct fastws_socket *socket, int is_reset) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    struct fastws_listener *listener = socket->group->listener;
    if (fws_socket_has(socket, FWS_SOCKET_OPENED) && !fws_socket_has(socket, FWS_SOCKET_ENDED)) loop->stats.open--;
    if (socket->watch.kind == FWS_WATCH_DIAL && socket->side != NULL) fws_dial_stop(socket);
    if (!loop->is_child) loop->backend->forget(loop, &socket->watch);
    fws_transport_close(socket, is_reset);
    fws_timers_remove(loop, &socket->watch);
    socket->watch.kind = FWS_WATCH_DEAD;
    loop->stats.sockets--;
    /* What is queued may be lent by somebody who does not wait for the end of the batch. */
    if (fws_socket_has(socket, FWS_SOCKET_HAS_CONN)) fws_writer_clear(&fws_socket_conn(socket)->writer);
    if (listener != NULL) fws_listener_on_socket_gone(listener);
    if (!fws_socket_has(socket, FWS_SOCKET_DIRTY)) fws_socket_lay(socket);
}

static void bury(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (fws_socket_has(socket, FWS_SOCKET_HAS_CONN)) fastws_conn_free(fws_socket_conn(socket));
    fws_socket_drop_side(socket);
    fws_group_release(socket->group);
    fws_loop_release(loop, socket, socket_size(socket->watch.flags));
}

void fws_loop_bury(struct fastws_loop *loop) {
    if (loop->ready_off < loop->ready_count) return;
    if (loop->user_watch_grave != NULL) fws_user_watches_bury(loop);
    while (loop->grave != NULL) {
        struct fastws_socket *socket = loop->grave;
        loop->grave = socket->next;
        bury(socket);
    }
}

void fws_socket_refuse(struct fastws_socket *socket, int error) {
    const struct fastws_socket_config *config = socket->group->config;
    fws_socket_loop(socket)->stats.refused++;
    if (config->on_refuse != NULL) config->on_refuse(socket, error);
}

void fws_socket_cut(struct fastws_socket *socket, int error) {
    struct fastws_event event = {
        .kind = FASTWS_EVENT_ERROR, .close_code = FASTWS_CLOSE_ABNORMAL_CLOSURE, .error = error};
    int was_open = fws_socket_has(socket, FWS_SOCKET_OPENED);
    int is_refused = !was_open && socket->watch.kind != FWS_WATCH_LINGER;
    if (was_open) fws_open_end(socket, &event);
    if (is_refused) fws_socket_refuse(socket, error);
    if (socket->watch.kind != FWS_WATCH_DEAD) fws_socket_destroy(socket, was_open);
}

/* ---- Turns ---- */

void fws_socket_mark(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (fws_socket_has(socket, FWS_SOCKET_DIRTY)) return;
    fws_socket_set(socket, FWS_SOCKET_DIRTY);
    socket->next = loop->dirty;
    loop->dirty = socket;
}

static void stop(struct fastws_socket *socket) {
    fws_socket_set(socket, FWS_SOCKET_STOPPED);
    if (socket->watch.kind == FWS_WATCH_HEAD) {
        fws_head_refuse(socket, FASTWS_ERR_SHUTDOWN);
    } else if (socket->watch.kind == FWS_WATCH_TLS || socket->watch.kind == FWS_WATCH_DIAL) {
        fws_socket_cut(socket, FASTWS_ERR_SHUTDOWN);
    } else if (socket->watch.kind == FWS_WATCH_OPEN && !fws_socket_has(socket, FWS_SOCKET_ENDED)) {
        fws_socket_clear(socket, FWS_SOCKET_PAUSED);
        /* Closed already, or without memory for it: the timeouts end it. */
        (void)!fws_send_close(socket, FASTWS_CLOSE_GOING_AWAY, "", 0);
    }
}

static void open_adopted(struct fastws_socket *socket);

void fws_socket_visit(struct fastws_socket *socket) {
    struct fastws_loop *loop = fws_socket_loop(socket);
    if (socket->watch.kind == FWS_WATCH_DEAD) {
        fws_socket_lay(socket);
        return;
    }
    if (loop->is_cut) {
        fws_socket_cut(socket, FASTWS_ERR_SHUTDOWN);
        return;
    }
    if (socket->watch.kind == FWS_WATCH_NEW) open_adopted(socket);
    if (loop->is_shutting_down && !fws_socket_has(socket, FWS_SOCKET_STOPPED)) stop(socket);
    if (socket->watch.kind == FWS_WATCH_DIAL) fws_dial_begin(socket);
    if (socket->watch.kind != FWS_WATCH_OPEN) return;
    fws_open_serve(socket, fws_transport_has_more(socket) ? FWS_READABLE : 0u);
}

/* ---- From elsewhere ---- */

struct initial {
    struct fws_side side;
    size_t len;
    uint8_t bytes[];
};

static void release_initial(struct fastws_loop *loop, struct fws_side *side) {
    struct initial *initial = (struct initial *)side;
    fws_loop_release(loop, initial, sizeof *initial + initial->len);
}

static void open_adopted(struct fastws_socket *socket) {
    struct initial *initial = (struct initial *)socket->side;
    socket->side = NULL;
    fws_open_begin(socket, initial == NULL ? NULL : initial->bytes, initial == NULL ? 0 : initial->len);
    if (initial != NULL) release_initial(fws_socket_loop(socket), &initial->side);
}

static int add(struct fastws_loop *loop, const struct fastws_socket_config *config, int fd, enum fws_watch_kind kind,
               struct fastws_socket **out) {
    if (fws_transport_prepare(fd) != 0) return FASTWS_ERR_IO;
    struct fws_group *group = fws_group_take(loop, config, NULL);
    if (group == NULL) return FASTWS_ERR_NOMEM;
    int error = fws_socket_new(group, fd, kind, kind == FWS_WATCH_TLS ? config->tls : NULL, NULL, out);
    fws_group_release(group); /* the socket uses it, if there is one */
    return error;
}

int fastws_loop_accept(struct fastws_loop *loop, const struct fastws_socket_config *config, int fd,
                       struct fastws_socket **out) {
    struct fastws_socket *socket;
    TRY(fws_socket_check_config(loop, config, 1));
    TRY(add(loop, config, fd, config->tls != NULL ? FWS_WATCH_TLS : FWS_WATCH_HEAD, &socket));
    loop->stats.accepted++;
    if (out != NULL) *out = socket;
    return 0;
}

int fastws_loop_adopt(struct fastws_loop *loop, const struct fastws_socket_config *config, int fd, const void *initial,
                      size_t len, struct fastws_socket **out) {
    TRY(fws_socket_check_config(loop, config, 0));
    if (!loop->is_running) fws_loop_tick(loop);
    struct initial *copy = NULL;
    if (len > 0) {
        if (len > SIZE_MAX - sizeof *copy) return FASTWS_ERR_NOMEM;
        copy = fws_loop_allocate(loop, sizeof *copy + len);
        if (copy == NULL) return FASTWS_ERR_NOMEM;
        copy->side.release = release_initial;
        copy->len = len;
        memcpy(copy->bytes, initial, len);
    }
    struct fastws_socket *socket;
    int error = add(loop, config, fd, FWS_WATCH_NEW, &socket);
    if (error < 0) {
        if (copy != NULL) release_initial(loop, &copy->side);
        return error;
    }
    socket->side = copy == NULL ? NULL : &copy->side;
    (void)!fws_open_prepare(socket, NULL, NULL); /* needs no memory */
    fws_socket_mark(socket);
    if (!loop->is_running) loop->backend->wake(loop);
    if (out != NULL) *out = socket;
    return 0;
}

int fastws_socket_set_deflate(struct fastws_socket *socket, const struct fastws_deflate_config *config,
                              const struct fastws_deflate_params *agreed) {
    if (socket->watch.kind != FWS_WATCH_NEW) return FASTWS_ERR_STATE;
    return fastws_conn_set_deflate(fws_socket_conn(socket), config, agreed);
}

/* ---- Asking ---- */

void fastws_socket_free(struct fastws_socket *socket) {
    if (socket == NULL || socket->watch.kind == FWS_WATCH_DEAD) return;
    struct fastws_loop *loop = fws_socket_loop(socket);
    fws_socket_destroy(socket, fws_socket_has_conn(socket));
    if (!loop->is_running) fws_loop_bury(loop);
}

struct fastws_conn *fastws_socket_get_conn(struct fastws_socket *socket) {
    return fws_socket_has_conn(socket) ? fws_socket_conn(socket) : NULL;
}

void fastws_socket_set_user(struct fastws_socket *socket, void *user) { socket->user = user; }

void *fastws_socket_get_user(const struct fastws_socket *socket) { return socket->user; }

struct fastws_loop *fastws_socket_get_loop(const struct fastws_socket *socket) { return fws_socket_loop(socket); }

const struct fastws_socket_config *fastws_socket_get_config(const struct fastws_socket *socket) {
    return socket->group->config;
}

int fastws_socket_fd(const struct fastws_socket *socket) { return socket->watch.fd; }
