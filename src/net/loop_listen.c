/* SPDX-License-Identifier: MIT */
/* Listeners: addresses become listening sockets, and belong to a loop. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE /* SO_REUSEPORT */
#include "loop_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int error_of_bind(void) {
    switch (errno) {
    case EADDRINUSE: return FASTWS_ERR_ADDRESS_IN_USE;
    case EACCES:
    case EPERM: return FASTWS_ERR_ADDRESS_DENIED;
    case EADDRNOTAVAIL:
    case ENOENT:
    case ENOTDIR: return FASTWS_ERR_ADDRESS;
    default: return fws_loop_errno(FASTWS_ERR_LISTEN);
    }
}

/* ---- Life ---- */

static void unlink_path(struct fastws_listener *listener) {
    struct stat file;
    if (listener->path_len == 0 || listener->group->loop->is_child) return;
    /* Another process may have put its own socket there. */
    if (stat(listener->path, &file) == 0 && (uint64_t)file.st_ino == listener->path_inode) unlink(listener->path);
}

static size_t listener_size(size_t path_len) { return sizeof(struct fastws_listener) + path_len + 1; }

static void release(struct fastws_loop *loop, struct fastws_listener *listener) {
    fws_timers_remove(loop, &listener->watch);
    fws_loop_release(loop, listener, listener_size(listener->path_len));
}

static void set_path(struct fastws_listener *listener, const char *path, size_t len) {
    struct stat file;
    memcpy(listener->path, path, len);
    listener->path[len] = '\0';
    listener->path_len = len;
    if (len > 0 && stat(path, &file) == 0) listener->path_inode = (uint64_t)file.st_ino;
}

static int build(struct fastws_loop *loop, const struct fastws_socket_config *config,
                 struct fastws_listener *listener) {
    TRY(fws_timers_add(loop, &listener->watch, UINT64_MAX));
    TRY(fws_watch_want(loop, &listener->watch, FWS_READABLE));
    listener->group = fws_group_take(loop, config, listener);
    if (listener->group != NULL) return 0;
    loop->backend->forget(loop, &listener->watch);
    return FASTWS_ERR_NOMEM;
}

/* Makes a listener of a descriptor that listens, and stays the caller's on failure. path: what to remove in the end. */
static int add(struct fastws_loop *loop, const struct fastws_socket_config *config, int fd, const char *path,
               struct fastws_listener **out) {
    size_t path_len = strlen(path);
    struct fastws_listener *listener = fws_loop_allocate(loop, listener_size(path_len));
    if (listener == NULL) return FASTWS_ERR_NOMEM;
    *listener = (struct fastws_listener){.next = loop->listeners};
    listener->watch = (struct fws_watch){
        .fd = fd, .timer = FWS_NO_TIMER, .kind = FWS_WATCH_LISTENER, .wanted = FWS_UNWATCHED};
    set_path(listener, path, path_len);
    int error = build(loop, config, listener);
    if (error < 0) {
        release(loop, listener);
        return error;
    }
    loop->listeners = listener;
    if (out != NULL) *out = listener;
    return 0;
}

void fastws_listener_free(struct fastws_listener *listener) {
    if (listener == NULL) return;
    struct fws_group *group = listener->group;
    struct fastws_loop *loop = group->loop;
    struct fastws_listener **link = &loop->listeners;
    while (*link != listener) link = &(*link)->next;
    *link = listener->next;
    for (unsigned i = loop->ready_off; i < loop->ready_count; i++) {
        if (loop->ready[i].watch == &listener->watch) loop->ready[i].watch = NULL;
    }
    unlink_path(listener);
    if (!loop->is_child) loop->backend->forget(loop, &listener->watch);
    close(listener->watch.fd);
    group->listener = NULL;
    fws_group_release(group);
    release(loop, listener);
}

/* ---- TCP ---- */

/* Returns a descriptor that is bound and listens, or an error. */
static int listen_at(const struct addrinfo *address, unsigned flags) {
    int fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (fd < 0) return fws_loop_errno(FASTWS_ERR_LISTEN);
    int on = 1;
    int failed = fws_transport_prepare(fd) != 0;
    /* A restart must not wait for connections of the last run that are fading. */
    failed = failed || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0;
    if (flags & FASTWS_LISTEN_REUSE_PORT) {
        failed = failed || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0;
    }
    /* Accepted sockets inherit it: no call for each of them. */
    failed = failed || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0;
    failed = failed || bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0;
    if (!failed) return fd;
    int error = error_of_bind();
    close(fd);
    return error;
}

/* getaddrinfo() also takes names of services, and of larger numbers the lower 16 bits. */
static int is_port(const char *text) {
    unsigned port = 0;
    if (text == NULL || *text == '\0') return 0;
    for (; *text >= '0' && *text <= '9' && port <= 65535; text++) port = port * 10 + (unsigned)(*text - '0');
    return *text == '\0' && port <= 65535;
}

/* Returns the first address that works, or the error of the last one. */
static int listen_at_any(const char *host, const char *port, unsigned flags) {
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    if (!is_port(port)) return FASTWS_ERR_ADDRESS;
    int failed = getaddrinfo(host, port, &hints, &addresses);
    if (failed != 0) return failed == EAI_MEMORY ? FASTWS_ERR_NOMEM : FASTWS_ERR_ADDRESS;
    int fd = FASTWS_ERR_ADDRESS;
    for (struct addrinfo *address = addresses; address != NULL && fd < 0; address = address->ai_next) {
        fd = listen_at(address, flags);
    }
    freeaddrinfo(addresses);
    return fd;
}

int fastws_loop_listen(struct fastws_loop *loop, const struct fastws_socket_config *config, const char *host,
                       const char *port, unsigned flags, struct fastws_listener **out) {
    TRY(fws_socket_check_config(loop, config, 1));
    int fd = listen_at_any(host, port, flags);
    if (fd < 0) return fd;
    int error = add(loop, config, fd, "", out);
    if (error < 0) close(fd);
    return error;
}

/* ---- Paths ---- */

/* Removes a socket that nobody listens at: a process left it there. */
static void remove_left(const struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) return;
    int failed = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0;
    struct stat file;
    if (failed && errno == ECONNREFUSED && stat(address->sun_path, &file) == 0 && S_ISSOCK(file.st_mode)) {
        unlink(address->sun_path);
    }
    close(fd);
}

static int bind_path(int fd, const struct sockaddr_un *address) {
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) == 0) return 0;
    if (errno != EADDRINUSE) return -1;
    remove_left(address);
    return bind(fd, (const struct sockaddr *)address, sizeof *address);
}

int fastws_loop_listen_unix(struct fastws_loop *loop, const struct fastws_socket_config *config, const char *path,
                            struct fastws_listener **out) {
    TRY(fws_socket_check_config(loop, config, 1));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof address.sun_path) return FASTWS_ERR_ADDRESS;
    memcpy(address.sun_path, path, len);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) return fws_loop_errno(FASTWS_ERR_LISTEN);
    int is_bound = 0;
    int error = fws_transport_prepare(fd) == 0 ? 0 : FASTWS_ERR_LISTEN;
    if (error == 0) {
        is_bound = bind_path(fd, &address) == 0;
        error = is_bound && listen(fd, SOMAXCONN) == 0 ? 0 : error_of_bind();
    }
    if (error == 0) error = add(loop, config, fd, path, out);
    if (error < 0) {
        if (is_bound) unlink(path);
        close(fd);
    }
    return error;
}

/* ---- From elsewhere ---- */

int fastws_loop_listen_fd(struct fastws_loop *loop, const struct fastws_socket_config *config, int fd,
                          struct fastws_listener **out) {
    TRY(fws_socket_check_config(loop, config, 1));
    int is_listening = 0;
    socklen_t len = sizeof is_listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0) return FASTWS_ERR_LISTEN;
    if (!is_listening || fws_transport_prepare(fd) != 0) return FASTWS_ERR_LISTEN;
    return add(loop, config, fd, "", out);
}

/* ---- Asking ---- */

unsigned fastws_listener_port(const struct fastws_listener *listener) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(listener->watch.fd, (struct sockaddr *)&address, &len) != 0) return 0;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

int fastws_listener_fd(const struct fastws_listener *listener) { return listener->watch.fd; }

const struct fastws_socket_config *fastws_listener_get_config(const struct fastws_listener *listener) {
    return listener->group->config;
}
