/* SPDX-License-Identifier: MIT */
/* Connects sockets: to the first address of a host that answers (RFC 8305), or to a path. */
#define _POSIX_C_SOURCE 200809L
#include "connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fastws/error.h>

#include "io.h"

enum {
    ATTEMPTS_MAX = 8,      /* at once */
    STAGGER_MS = 250,      /* before the next one is begun. RFC 8305 section 8 */
    UNIX_RETRY_MS = 10     /* between attempts at a socket whose queue is full */
};

/* Attempts to connect that run at once. */
struct race {
    struct fws_dialing *dialing;
    struct addrinfo **order; /* the addresses, in the order to try them in */
    size_t address_count;
    size_t next;      /* of them */
    uint64_t next_ms; /* when it is to be begun */
    nfds_t running;
    struct pollfd attempts[ATTEMPTS_MAX + 1]; /* and, while they are waited for, cancel_fd behind them */
};

/* Returns a socket that does not block and that other programs do not inherit, or -1. */
static int open_socket(int family, int protocol) {
    int fd;
#ifdef SOCK_CLOEXEC /* at once, so that no fork comes between */
    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
#else
    fd = socket(family, SOCK_STREAM, protocol);
    if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)) {
        close(fd);
        fd = -1;
    }
#endif
    return fd;
}

/* ---- The order of addresses ---- */

/* Returns the next address at or behind from that is of the family, or is not. */
static struct addrinfo *find(struct addrinfo *from, int family, int is_of_family) {
    while (from != NULL && (from->ai_family == family) != is_of_family) from = from->ai_next;
    return from;
}

/* RFC 8305 section 4: families in turn, the one first that the system put first. */
struct addrinfo **fws_connect_arrange(struct addrinfo *list, size_t *count) {
    *count = 0;
    for (const struct addrinfo *address = list; address != NULL; address = address->ai_next) ++*count;
    struct addrinfo **order = calloc(*count, sizeof *order);
    if (order == NULL) return NULL;
    struct addrinfo *queues[2] = {find(list, list->ai_family, 1), find(list, list->ai_family, 0)};
    for (size_t i = 0; i < *count; i++) {
        size_t turn = queues[i % 2] != NULL ? i % 2 : (i + 1) % 2;
        order[i] = queues[turn];
        queues[turn] = find(queues[turn]->ai_next, list->ai_family, turn == 0);
    }
    return order;
}

static int arrange(struct race *race, struct addrinfo *list) {
    race->order = fws_connect_arrange(list, &race->address_count);
    return race->order != NULL ? 0 : fws_dialing_fail(race->dialing, FASTWS_ERR_NOMEM, "out of memory");
}

/* ---- The race ---- */

/* Notes why an attempt failed, so that the next one begins at once. */
static void lose(struct race *race, int system_error) {
    race->dialing->report->system_error = system_error;
    race->next_ms = 0;
}

/* Begins the next attempt. Returns its descriptor if it is connected already, else -1. */
static int begin(struct race *race) {
    const struct addrinfo *address = race->order[race->next++];
    race->next_ms = fws_clock_ms() + STAGGER_MS;
    int fd = open_socket(address->ai_family, address->ai_protocol);
    if (fd < 0) {
        lose(race, errno);
        return -1;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) return fd;
    if (errno != EINPROGRESS && errno != EINTR) { /* interrupted, it goes on */
        lose(race, errno);
        close(fd);
        return -1;
    }
    race->attempts[race->running++] = (struct pollfd){.fd = fd, .events = POLLOUT};
    return -1;
}

/* Takes an attempt that has ended out of the race. Returns its descriptor if it is connected, else -1. */
static int finish(struct race *race, nfds_t i) {
    int fd = race->attempts[i].fd;
    race->attempts[i] = race->attempts[--race->running];
    int system_error = 0;
    socklen_t len = sizeof system_error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &system_error, &len) < 0) system_error = errno;
    if (system_error == 0) return fd;
    lose(race, system_error);
    close(fd);
    return -1;
}

/* Waits for attempts to end, or for the time to begin another one. Returns a descriptor that is connected, or -1. */
static int watch(struct race *race, int may_begin) {
    uint64_t until_ms = race->dialing->limit.until_ms;
    if (may_begin && race->next_ms < until_ms) until_ms = race->next_ms;
    race->attempts[race->running] = (struct pollfd){.fd = race->dialing->limit.cancel_fd, .events = POLLIN};
    if (poll(race->attempts, race->running + 1, fws_poll_timeout_ms(until_ms)) <= 0) return -1;
    for (nfds_t i = race->running; i-- > 0;) {
        if (race->attempts[i].revents == 0) continue;
        int fd = finish(race, i);
        if (fd >= 0) return fd;
    }
    return -1;
}

/* Returns a descriptor that is connected, or an error. */
static int run(struct race *race) {
    for (;;) {
        TRY(fws_limit_check(&race->dialing->limit));
        uint64_t now_ms = fws_clock_ms();
        int may_begin = race->next < race->address_count && race->running < ATTEMPTS_MAX;
        if (race->running == 0 && !may_begin)
            return fws_dialing_fail_system(race->dialing, FASTWS_ERR_DIAL_CONNECT, race->dialing->report->system_error);
        int is_due = may_begin && (race->running == 0 || now_ms >= race->next_ms);
        int fd = is_due ? begin(race) : watch(race, may_begin);
        if (fd >= 0) return fd;
    }
}

int fws_connect_tcp(struct fws_dialing *dialing, const char *host, uint16_t port, int *out) {
    struct addrinfo *list;
    TRY(fws_connect_resolve(dialing, host, port, &list));
    dialing->report->step = FASTWS_DIAL_CONNECT;
    struct race race = {.dialing = dialing};
    int result = arrange(&race, list);
    if (result == 0) result = run(&race);
    for (nfds_t i = 0; i < race.running; i++) close(race.attempts[i].fd);
    free(race.order);
    freeaddrinfo(list);
    if (result < 0) return result;
    /* Messages leave when they are sent. A socket that cannot be told so works as well. */
    (void)!setsockopt(result, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    *out = result;
    return 0;
}

/* ---- Sockets in the file system ---- */

/* They connect at once, or not at all: nothing tells when there is room in the queue of a server. */
static int connect_path(struct fws_dialing *dialing, int fd, const struct sockaddr_un *address) {
    while (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        if (errno == EISCONN) return 0;
        if (errno != EAGAIN && errno != EINTR)
            return fws_dialing_fail_system(dialing, FASTWS_ERR_DIAL_CONNECT, errno);
        TRY(fws_limit_check(&dialing->limit));
        struct pollfd cancel = {.fd = dialing->limit.cancel_fd, .events = POLLIN};
        (void)!poll(&cancel, 1, UNIX_RETRY_MS);
    }
    return 0;
}

int fws_connect_unix(struct fws_dialing *dialing, const char *path, int *out) {
    dialing->report->step = FASTWS_DIAL_CONNECT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof address.sun_path)
        return fws_dialing_fail_system(dialing, FASTWS_ERR_DIAL_CONNECT, ENAMETOOLONG);
    memcpy(address.sun_path, path, len + 1);
    int fd = open_socket(AF_UNIX, 0);
    if (fd < 0) return fws_dialing_fail_system(dialing, FASTWS_ERR_DIAL_CONNECT, errno);
    int error = connect_path(dialing, fd, &address);
    if (error < 0) {
        close(fd);
        return error;
    }
    *out = fd;
    return 0;
}
