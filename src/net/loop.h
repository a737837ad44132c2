/* SPDX-License-Identifier: MIT */
/* The inside of an event loop: what is watched, the table between loop and back end, and the files' shares.
 *
 *     loop.c            life of a loop, a turn of it, posts, shutdown
 *     loop_epoll.c      back end
 *     loop_poll.c       back end
 *     loop_timer.c      every deadline, in one heap
 *     loop_listen.c     listeners
 *     loop_accept.c     clients come in: the accepting side of a listener
 *     loop_socket.h     a socket from inside
 *     loop_socket.c     sockets come and go
 *     loop_upgrade.c    the handshake of a socket
 *     loop_open.c       an open socket: receive, hand out, part
 *     loop_write.c      what it has queued is written
 *     loop_due.c        what it waits for, and what is done when that takes too long
 *     loop_send.c       what users send
 *     loop_line.c       messages that wait in line (FASTWS_SLOW_DROP_OLDEST)
 *     loop_transport.c  the system calls that read and write
 *     loop_tls.c        what comes between them and a socket that is inside TLS
 *     loop_dial.c       the way of a client to its server, and the handshake there
 *     loop_dial_begin.c where that way leads, and what it takes
 *     loop_connect.c    the first steps of it: addresses, and attempts to connect
 *     loop_watch.c      descriptors of users
 *
 * Seams. A connection never calls the system, and keeps no pointer to what was received but where it asked for it.
 * What is ready comes from the back end's wait() and goes through fws_watch_serve(); bytes come in by
 * fws_open_received(), and go out by fws_transport_write(), which may take nothing. A socket is forgotten before it is
 * closed, and its memory is released when no batch is left that may name it. So a back end that completes operations,
 * instead of telling what is ready, changes these places and no connection. */
#ifndef FWS_NET_LOOP_H
#define FWS_NET_LOOP_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <fastws/close.h>
#include <fastws/error.h>
#include <fastws/header.h>
#include <fastws/loop.h>

#include "../platform.h"

/* ---- What is watched ---- */

/* What a watch is, and so what is done when it is ready or its time has come. */
enum fws_watch_kind {
    FWS_WATCH_WAKE,     /* another thread has something to say */
    FWS_WATCH_CLOCK,    /* the back end's clock has reached the first deadline */
    FWS_WATCH_SHUTDOWN, /* has a deadline only */
    FWS_WATCH_TIMER,    /* of a user: has a deadline only */
    FWS_WATCH_USER,     /* descriptor of a user */
    FWS_WATCH_LISTENER,
    FWS_WATCH_ATTEMPT, /* to connect, of a socket */
    FWS_WATCH_NEW,    /* socket that was adopted: on_open is to be called. Sockets are this and all that follows */
    FWS_WATCH_DIAL,   /* socket of a client: on its way to the server, or in the handshake there */
    FWS_WATCH_TLS,    /* socket: shaking hands */
    FWS_WATCH_HEAD,   /* socket: the request is awaited */
    FWS_WATCH_ANSWER, /* socket: the answer to the request is being written */
    FWS_WATCH_OPEN,   /* socket: it has a connection, which may have ended already */
    FWS_WATCH_LINGER, /* socket: all is written, and what comes is dropped until the peer closes */
    FWS_WATCH_DEAD    /* socket: its memory waits for the end of the batch */
};

/* What is wanted of a descriptor, and what was found. */
#define FWS_READABLE 1u
#define FWS_WRITABLE 2u
#define FWS_HUNG_UP 4u /* both directions are over: found, never wanted */
#define FWS_UNWATCHED 0xffu /* in wanted: the back end does not know the watch */

/* The first member of all that has a descriptor or a deadline. */
struct fws_watch {
    int fd;         /* -1: none */
    uint32_t timer; /* place in the heap; FWS_NO_TIMER: none */
    uint8_t kind;   /* enum fws_watch_kind */
    uint8_t wanted; /* FWS_READABLE | FWS_WRITABLE as the back end knows it */
    uint16_t flags; /* of a socket: FWS_SOCKET_* */
};

struct fws_ready {
    struct fws_watch *watch; /* NULL: it is gone */
    unsigned found;
};

/* ---- The back end ---- */

/* Between a loop and what tells it that descriptors are ready. Functions return 0 or a negative enum fastws_error. */
struct fws_backend {
    const char *name;
    int (*open)(struct fastws_loop *loop); /* leaves nothing behind on failure */
    void (*close)(struct fastws_loop *loop);
    int (*fd)(const struct fastws_loop *loop);
    /* Puts what is ready into loop->ready. timeout_ms as for poll(); also back at the deadline given to arm. */
    int (*wait)(struct fastws_loop *loop, int timeout_ms);
    /* Makes the clock of the back end go off at due_ms; UINT64_MAX: never. Cheap if that changes nothing. */
    void (*arm)(struct fastws_loop *loop, uint64_t due_ms);
    int (*want)(struct fastws_loop *loop, struct fws_watch *watch, unsigned wanted); /* the first time, adds it */
    void (*forget)(struct fastws_loop *loop, struct fws_watch *watch); /* before its descriptor is closed */
    int (*accept)(int listener); /* a non-blocking descriptor, closed by exec, or -1 with errno */
    void (*wake)(struct fastws_loop *loop);    /* from any thread and from signal handlers */
    void (*on_wake)(struct fastws_loop *loop); /* its FWS_WATCH_WAKE is readable */
};

FWS_PRIVATE extern const struct fws_backend fws_backend_epoll; /* .open is NULL where there is none */
FWS_PRIVATE extern const struct fws_backend fws_backend_poll;

/* ---- Deadlines: loop_timer.c ---- */

#define FWS_NO_TIMER UINT32_MAX

struct fws_timer {
    uint64_t due_ms;
    struct fws_watch *watch;
};

/* A binary heap, the earliest first. Each socket has exactly one entry, be it for never, so the heap also is the list
 * of all sockets. A deadline that moves away is left where it is: it is judged again when its time has come, so the
 * bytes of a lively connection move nothing. */
struct fws_timers {
    struct fws_timer *entries;
    uint32_t len;
    uint32_t cap;
};

/* Adds a watch. Returns 0 or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_timers_add(struct fastws_loop *loop, struct fws_watch *watch, uint64_t due_ms);
FWS_PRIVATE void fws_timers_move(struct fastws_loop *loop, struct fws_watch *watch, uint64_t due_ms);
FWS_PRIVATE void fws_timers_remove(struct fastws_loop *loop, struct fws_watch *watch); /* also one that has none */
FWS_PRIVATE void fws_timers_free(struct fastws_loop *loop);

/* Returns the first deadline, UINT64_MAX if there is none. */
static inline uint64_t fws_timers_due_ms(const struct fws_timers *timers) {
    return timers->len > 0 ? timers->entries[0].due_ms : UINT64_MAX;
}

/* ---- A loop ---- */

enum { FWS_LOOP_EVENTS = 64, FWS_LOOP_SCRATCH = 16 * 1024 };

/* The sockets of a listener, or those that were given to the loop with one configuration. */
struct fws_group {
    struct fastws_loop *loop;
    const struct fastws_socket_config *config;
    struct fastws_listener *listener; /* NULL: gone, or never was */
    struct fws_group *next;
    struct fws_group *previous; /* NULL: it is the first */
    size_t uses; /* sockets, and the listener */
    uint8_t is_of_listener;
};

struct fastws_listener {
    struct fws_watch watch;
    struct fws_group *group;
    struct fastws_listener *next;
    size_t sockets;      /* that exist */
    uint8_t is_full;     /* stopped by sockets_max */
    uint8_t is_resting;  /* stopped for a while, out of descriptors */
    size_t path_len;     /* of the path to remove; 0: none */
    uint64_t path_inode; /* which file it was */
    char path[];
};

struct fastws_loop {
    const struct fastws_allocator *allocator;
    const struct fws_backend *backend;
    void *backend_state;
    struct fastws_pool *pool;
    uint64_t now_ms;
    struct fws_timers timers;

    struct fws_ready *ready; /* turn_sockets of them */
    unsigned ready_off;      /* served */
    unsigned ready_count;
    unsigned turn_sockets;
    size_t turn_len;
    uint32_t turn_us;
    uint64_t turn_received; /* bytes, in this turn */

    struct fastws_socket *current;        /* whose callback runs */
    const struct fastws_event *viewed;    /* the event it looks at; NULL: none */
    struct fastws_socket *dirty;          /* to be looked at before the turn ends */
    struct fastws_socket *grave;          /* dead ones */
    struct fws_group *groups;
    struct fastws_listener *listeners;
    struct fws_watch shutdown;            /* its timer is the end of the politeness */
    _Atomic(struct fastws_post *) posts;  /* the last one first */
    unsigned fork_count; /* forks before the loop was made: more of them, and this is a child */
    uint8_t is_running;
    uint8_t is_stopped;
    uint8_t is_shutting_down;
    uint8_t is_cut;   /* the shutdown's time is over */
    uint8_t is_child; /* of a fork, and being freed there: descriptors are shared with the parent */
    struct fws_tls_space *tls_space;      /* NULL: no socket was inside TLS */
    struct fastws_tls *default_tls;       /* of clients whose configuration has none; NULL: not needed yet */
    struct fastws_loop_timer *user_timers;
    struct fastws_watch *user_watches;      /* that live */
    struct fastws_watch *user_watch_grave;  /* that were ended, and that the batch may name */
    struct fastws_loop_stats stats;
    struct fastws_event events[FWS_LOOP_EVENTS];
    uint8_t scratch[FWS_LOOP_SCRATCH]; /* heads are received into it, and what is dropped */
};

/* Serves what was found. */
FWS_PRIVATE void fws_watch_serve(struct fastws_loop *loop, struct fws_watch *watch, unsigned found);

/* Returns 0, or FASTWS_ERR_FORKED in a child. */
FWS_PRIVATE FASTWS_NODISCARD int fws_loop_check_process(const struct fastws_loop *loop);

/* Takes note of the time. Each turn does; outside of turns, whoever needs it. */
FWS_PRIVATE void fws_loop_tick(struct fastws_loop *loop);

/* Makes wanted what the back end watches for. Returns 0 or an error. */
static inline int fws_watch_want(struct fastws_loop *loop, struct fws_watch *watch, unsigned wanted) {
    return watch->wanted == wanted ? 0 : loop->backend->want(loop, watch, wanted);
}

/* What errno says of a call that made or wanted a descriptor. */
FWS_PRIVATE int fws_loop_errno(int otherwise);

static inline void *fws_loop_allocate(struct fastws_loop *loop, size_t size) {
    return loop->allocator->allocate(loop->allocator->context, size);
}

static inline void fws_loop_release(struct fastws_loop *loop, void *ptr, size_t size) {
    loop->allocator->release(loop->allocator->context, ptr, size);
}

/* ---- Listeners: loop_listen.c, loop_accept.c ---- */

FWS_PRIVATE void fws_listener_serve(struct fastws_listener *listener);
FWS_PRIVATE void fws_listener_on_time(struct fastws_listener *listener);
FWS_PRIVATE void fws_listener_on_socket_gone(struct fastws_listener *listener);

/* ---- Timers of users: loop_user_timer.c ---- */

FWS_PRIVATE void fws_user_timer_on_time(struct fws_watch *watch);
FWS_PRIVATE void fws_user_timers_free(struct fastws_loop *loop);

/* ---- Descriptors of users: loop_watch.c ---- */

FWS_PRIVATE void fws_user_watch_serve(struct fastws_loop *loop, struct fws_watch *watch, unsigned found);
FWS_PRIVATE void fws_user_watches_bury(struct fastws_loop *loop);
FWS_PRIVATE void fws_user_watches_free(struct fastws_loop *loop);

#endif
