/* SPDX-License-Identifier: MIT */
/* The first steps of a client: its server's addresses, and attempts to connect to them, a next one whenever 250 ms have
 * passed or one has failed. RFC 8305. */
#define _POSIX_C_SOURCE 200809L
#include "loop_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "connect.h"

enum {
    ATTEMPTS_MAX = 8,  /* at once */
    STAGGER_MS = 250,  /* RFC 8305 section 8 */
    UNIX_RETRY_MS = 10 /* between attempts at a socket whose queue is full: nothing tells when there is room */
};

struct attempt {
    struct fws_watch watch;
    struct fws_attempts *attempts;
};

struct fws_attempts {
    struct fastws_socket *socket;
    struct lookup *lookup;   /* that is awaited; NULL: none */
    struct addrinfo *list;   /* NULL: none yet, or the address is a path */
    struct addrinfo **order; /* the addresses, in the order to try them in */
    size_t address_count;
    size_t next;      /* of them */
    uint64_t next_ms; /* when it is to be begun */
    unsigned running;
    struct attempt running_ones[ATTEMPTS_MAX];
    uint16_t port;
    uint8_t is_path;
    char host[FWS_HOST_CAP];
};

/* ---- Looking up ---- */

/* What connects a thread that looks a host up with the loop; lives until the one or the other lets go of it. */
struct lookup {
    struct fastws_post post;
    struct fastws_loop *loop;
    struct fws_attempts *attempts; /* NULL: nobody waits any more */
    struct fws_question *question;
};

static void free_lookup(struct lookup *lookup) { fws_loop_release(lookup->loop, lookup, sizeof *lookup); }

static void on_thread(void *context) {
    struct lookup *lookup = context;
    fastws_loop_post(lookup->loop, &lookup->post);
}

static void take_answer(struct fws_attempts *attempts, int error) {
    if (error == 0) attempts->order = fws_connect_arrange(attempts->list, &attempts->address_count);
    if (error == EAI_MEMORY || (error == 0 && attempts->order == NULL)) {
        fws_dial_fail(attempts->socket, FASTWS_ERR_NOMEM);
    } else if (error != 0) {
        fws_dial_fail(attempts->socket, FASTWS_ERR_DIAL_RESOLVE);
    } else {
        fws_attempts_on_time(attempts);
    }
}

/* The thread has posted. */
static void on_post(struct fastws_loop *loop, struct fastws_post *post) {
    (void)loop;
    struct lookup *lookup = (struct lookup *)post;
    struct fws_attempts *attempts = lookup->attempts;
    if (attempts != NULL) {
        attempts->lookup = NULL;
        int error = fws_question_take(lookup->question, &attempts->list);
        take_answer(attempts, error);
    }
    free_lookup(lookup);
}

static int look_up(struct fws_attempts *attempts) {
    struct fastws_loop *loop = fws_socket_loop(attempts->socket);
    struct lookup *lookup = fws_loop_allocate(loop, sizeof *lookup);
    if (lookup == NULL) return FASTWS_ERR_NOMEM;
    *lookup = (struct lookup){.post = {.run = on_post}, .loop = loop, .attempts = attempts};
    /* The answer may be posted before the next line is over, but not taken: this is the loop's thread. */
    int error = fws_question_ask(attempts->host, attempts->port, on_thread, lookup, &lookup->question);
    if (error < 0) {
        free_lookup(lookup);
        return error;
    }
    attempts->lookup = lookup;
    return 0;
}

/* ---- Life ---- */

int fws_attempts_new(struct fastws_socket *socket, const char *host, uint16_t port, int is_path,
                     struct fws_attempts **out) {
    struct fws_attempts *attempts = fws_loop_allocate(fws_socket_loop(socket), sizeof *attempts);
    if (attempts == NULL) return FASTWS_ERR_NOMEM;
    *attempts = (struct fws_attempts){.socket = socket, .port = port, .is_path = is_path != 0, .next_ms = UINT64_MAX};
    memcpy(attempts->host, host, strlen(host) + 1); /* the caller has looked at its length */
    *out = attempts;
    return 0;
}

/* Takes an attempt out. Returns its descriptor, which is not watched any more. */
static int drop_attempt(struct fws_attempts *attempts, unsigned i) {
    struct fastws_loop *loop = fws_socket_loop(attempts->socket);
    struct attempt *attempt = &attempts->running_ones[i];
    for (unsigned k = loop->ready_off; k < loop->ready_count; k++) {
        if (loop->ready[k].watch == &attempt->watch) loop->ready[k].watch = NULL;
    }
    if (!loop->is_child) loop->backend->forget(loop, &attempt->watch);
    int fd = attempt->watch.fd;
    attempt->watch.fd = -1;
    attempts->running--;
    return fd;
}

void fws_attempts_free(struct fws_attempts *attempts) {
    struct fastws_loop *loop = fws_socket_loop(attempts->socket);
    struct lookup *lookup = attempts->lookup;
    /* In a child of a fork there is no thread that would answer. */
    if (lookup != NULL && (loop->is_child || fws_question_leave(lookup->question))) {
        free_lookup(lookup);
    } else if (lookup != NULL) {
        lookup->attempts = NULL;
    }
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
        if (attempts->running_ones[i].attempts != NULL && attempts->running_ones[i].watch.fd >= 0) {
            close(drop_attempt(attempts, i));
        }
    }
    free(attempts->order);
    if (attempts->list != NULL) freeaddrinfo(attempts->list);
    fws_loop_release(loop, attempts, sizeof *attempts);
}

/* ---- Attempts ---- */

static struct attempt *find_free(struct fws_attempts *attempts) {
    struct attempt *attempt = attempts->running_ones;
    while (attempt->attempts != NULL && attempt->watch.fd >= 0) attempt++;
    return attempt;
}

/* Watches a descriptor that is connecting, which stays the caller's on failure. */
static int watch(struct fws_attempts *attempts, int fd) {
    struct attempt *attempt = find_free(attempts);
    *attempt = (struct attempt){
        .watch = {.fd = fd, .timer = FWS_NO_TIMER, .kind = FWS_WATCH_ATTEMPT, .wanted = FWS_UNWATCHED},
        .attempts = attempts};
    int error = fws_watch_want(fws_socket_loop(attempts->socket), &attempt->watch, FWS_WRITABLE);
    if (error < 0) {
        attempt->watch.fd = -1;
        return error;
    }
    attempts->running++;
    return 0;
}

/* Begins an attempt. Returns a descriptor that is connected already, or -1: later, or never. */
static int begin(struct fws_attempts *attempts, int family, const struct sockaddr *address, socklen_t len) {
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0) return -1;
    int failed = fws_transport_prepare(fd) != 0;
    /* Messages leave when they are sent. A socket that cannot be told so works as well. */
    if (family != AF_UNIX) (void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (!failed && connect(fd, address, len) == 0) return fd;
    if (!failed && (errno == EINPROGRESS || errno == EINTR) && watch(attempts, fd) == 0) return -1;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void connect_path(struct fws_attempts *attempts) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(attempts->host);
    attempts->next_ms = UINT64_MAX;
    errno = ENAMETOOLONG;
    if (len < sizeof address.sun_path) memcpy(address.sun_path, attempts->host, len + 1);
    int fd = len < sizeof address.sun_path
                 ? begin(attempts, AF_UNIX, (const struct sockaddr *)&address, sizeof address)
                 : -1;
    if (fd >= 0) {
        fws_dial_on_connect(attempts->socket, fd);
    } else if (errno == EAGAIN) {
        attempts->next_ms = fws_socket_loop(attempts->socket)->now_ms + UNIX_RETRY_MS;
    } else if (attempts->running == 0) {
        fws_dial_fail(attempts->socket, FASTWS_ERR_DIAL_CONNECT);
    }
}

/* Begins attempts until one runs that is to be given its time. */
static void connect_next(struct fws_attempts *attempts) {
    uint64_t now_ms = fws_socket_loop(attempts->socket)->now_ms;
    unsigned before = attempts->running;
    while (attempts->running == before && attempts->next < attempts->address_count && before < ATTEMPTS_MAX) {
        const struct addrinfo *address = attempts->order[attempts->next++];
        int fd = begin(attempts, address->ai_family, address->ai_addr, address->ai_addrlen);
        if (fd < 0) continue;
        fws_dial_on_connect(attempts->socket, fd);
        return;
    }
    int is_more = attempts->next < attempts->address_count && attempts->running < ATTEMPTS_MAX;
    attempts->next_ms = is_more ? now_ms + STAGGER_MS : UINT64_MAX;
    if (attempts->running == 0) fws_dial_fail(attempts->socket, FASTWS_ERR_DIAL_CONNECT);
}

void fws_attempt_serve(struct fws_watch *ready) {
    struct attempt *attempt = (struct attempt *)ready;
    struct fws_attempts *attempts = attempt->attempts;
    int fd = drop_attempt(attempts, (unsigned)(attempt - attempts->running_ones));
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
        fws_dial_on_connect(attempts->socket, fd);
        return;
    }
    close(fd);
    connect_next(attempts);
}

/* ---- In time ---- */

uint64_t fws_attempts_due_ms(const struct fws_attempts *attempts) { return attempts->next_ms; }

void fws_attempts_on_time(struct fws_attempts *attempts) {
    if (attempts->is_path) {
        connect_path(attempts);
    } else {
        connect_next(attempts);
    }
}

void fws_attempts_begin(struct fws_attempts *attempts) {
    if (attempts->is_path) {
        connect_path(attempts);
    } else if (fws_connect_look_up_number(attempts->host, attempts->port, &attempts->list)) {
        take_answer(attempts, 0);
    } else {
        int error = look_up(attempts);
        if (error < 0) fws_dial_fail(attempts->socket, error);
    }
}
