/* SPDX-License-Identifier: MIT */
/* The inside of an event loop: what is watched, the table between loop and back end, and the files' shares.
 *
 *     loop.c            life of a loop, a turn of it, posts, shutdown
 *     loop_epoll.c      back end
 *     loop_poll.c       back end
 *     loop_timer.c      every deadline, in one heap
 *     loop_listen.c     listeners
 *     loop_accept.c     clients come in: the accepting side of a listener
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

/* ---- Sockets: loop_socket.c ---- */

#define FWS_SOCKET_PAUSED (1u << 0)   /* by its user */
#define FWS_SOCKET_HELD (1u << 1)     /* by FASTWS_SLOW_WAIT: too much is queued */
#define FWS_SOCKET_FLOODED (1u << 2)  /* the connection has no space: its replies pile up */
#define FWS_SOCKET_BLOCKED (1u << 3)  /* the system took less than was queued */
#define FWS_SOCKET_BROKEN (1u << 4)   /* nothing can be written any more */
#define FWS_SOCKET_EOF (1u << 5)      /* the peer sends no more */
#define FWS_SOCKET_ENDED (1u << 6)    /* on_close was called */
#define FWS_SOCKET_LENT (1u << 7)     /* a view that is being looked at is queued by reference */
#define FWS_SOCKET_TIGHT (1u << 8)    /* its user was told not to send, and waits for on_drain */
#define FWS_SOCKET_SLOW (1u << 9)     /* closed by FASTWS_SLOW_CLOSE */
#define FWS_SOCKET_DIRTY (1u << 10)   /* on the list */
#define FWS_SOCKET_HAS_CONN (1u << 11) /* it is to be freed */
#define FWS_SOCKET_OPENED (1u << 12)  /* on_open was called */
#define FWS_SOCKET_NO_MEMORY (1u << 13) /* why it is broken */
#define FWS_SOCKET_STOPPED (1u << 14) /* the shutdown has reached it */
#define FWS_SOCKET_TLS (1u << 15)     /* it has a link, to which a pointer stands behind the connection */

/* What a socket has for a while only. */
struct fws_side {
    void (*release)(struct fastws_loop *loop, struct fws_side *side);
};

/* An idle one costs these bytes, its connection, and an entry of the heap. */
struct fastws_socket {
    struct fws_watch watch;
    uint32_t since_ms; /* low bits of a time. With FWS_SOCKET_BLOCKED: when the system last took bytes, or there was
                          nothing to take. Without: when the message began that is incomplete; 0: none is */
    struct fws_group *group;
    void *user;
    struct fastws_socket *next; /* on the list of dirty or dead ones */
    struct fws_side *side;      /* HEAD, ANSWER: the request; NEW: first bytes; OPEN: the line; NULL: none */
    alignas(max_align_t) unsigned char conn[];
};

static inline struct fastws_conn *fws_socket_conn(struct fastws_socket *socket) {
    return (struct fastws_conn *)(void *)socket->conn;
}

static inline struct fastws_loop *fws_socket_loop(const struct fastws_socket *socket) { return socket->group->loop; }

/* Says whether it has a connection that may be used: of one that is prepared, the answer may still be unwritten. */
static inline int fws_socket_has_conn(const struct fastws_socket *socket) {
    int is_begun = socket->watch.kind == FWS_WATCH_OPEN || socket->watch.kind == FWS_WATCH_NEW;
    return is_begun && (socket->watch.flags & FWS_SOCKET_HAS_CONN) != 0;
}

static inline int fws_socket_has(const struct fastws_socket *socket, unsigned flags) {
    return (socket->watch.flags & flags) != 0;
}

static inline void fws_socket_set(struct fastws_socket *socket, unsigned flags) {
    socket->watch.flags = (uint16_t)(socket->watch.flags | flags);
}

static inline void fws_socket_clear(struct fastws_socket *socket, unsigned flags) {
    socket->watch.flags = (uint16_t)(socket->watch.flags & ~flags);
}

/* Sets since_ms: a millisecond more or less, but never 0. */
static inline void fws_socket_note_time(struct fastws_socket *socket) {
    socket->since_ms = (uint32_t)fws_socket_loop(socket)->now_ms | 1u;
}

/* Judges a configuration, also as that of servers that have the handshake before them. */
FWS_PRIVATE FASTWS_NODISCARD int fws_socket_check_config(struct fastws_loop *loop,
                                                         const struct fastws_socket_config *config, int is_upgrading);

/* Finds or makes the group of a configuration, and counts a use of it. NULL: no memory. */
FWS_PRIVATE struct fws_group *fws_group_take(struct fastws_loop *loop, const struct fastws_socket_config *config,
                                             struct fastws_listener *listener);
FWS_PRIVATE void fws_group_release(struct fws_group *group);

/* Makes a socket of a descriptor, which stays the caller's on failure; -1: it gets one later.
 *   tls, host   what to begin TLS with, host NULL for a server; tls NULL: none */
FWS_PRIVATE FASTWS_NODISCARD int fws_socket_new(struct fws_group *group, int fd, enum fws_watch_kind kind,
                                                struct fastws_tls *tls, const char *host, struct fastws_socket **out);

/* Closes the descriptor, with a reset if is_reset, and lets the socket die. Views stay until the batch is over. */
FWS_PRIVATE void fws_socket_destroy(struct fastws_socket *socket, int is_reset);

/* Ends a socket before its time: a last callback with this error, and no word to the peer. */
FWS_PRIVATE void fws_socket_cut(struct fastws_socket *socket, int error);

/* Counts and tells that a socket never opens. */
FWS_PRIVATE void fws_socket_refuse(struct fastws_socket *socket, int error);

/* Puts a dead socket that nothing names any more to where the end of the batch finds it. */
FWS_PRIVATE void fws_socket_lay(struct fastws_socket *socket);

/* Releases the dead, once no batch may name them. */
FWS_PRIVATE void fws_loop_bury(struct fastws_loop *loop);

/* Puts the socket on the list of those that are looked at before the turn ends. */
FWS_PRIVATE void fws_socket_mark(struct fastws_socket *socket);

/* Looks at a socket of that list. */
FWS_PRIVATE void fws_socket_visit(struct fastws_socket *socket);

FWS_PRIVATE void fws_socket_drop_side(struct fastws_socket *socket);

/* ---- The handshake: loop_upgrade.c ---- */

FWS_PRIVATE void fws_head_serve(struct fastws_socket *socket, unsigned found);
FWS_PRIVATE void fws_head_on_time(struct fastws_socket *socket);
FWS_PRIVATE void fws_head_refuse(struct fastws_socket *socket, int error);
FWS_PRIVATE void fws_answer_serve(struct fastws_socket *socket, unsigned found);

/* ---- Open sockets: loop_open.c, loop_due.c, loop_write.c. Each may end the socket. ---- */

/* Makes the connection of a socket whose handshake is good.
 *   deflate, agreed   its compression; agreed NULL: none
 * Returns 0 or FASTWS_ERR_NOMEM. Ends nothing. */
FWS_PRIVATE FASTWS_NODISCARD int fws_open_prepare(struct fastws_socket *socket,
                                                  const struct fastws_deflate_config *deflate,
                                                  const struct fastws_deflate_params *agreed);

/* Opens a socket that is prepared and whose handshake is over, on_open first; initial bytes are written to. */
FWS_PRIVATE void fws_open_begin(struct fastws_socket *socket, uint8_t *initial, size_t len);
FWS_PRIVATE void fws_open_serve(struct fastws_socket *socket, unsigned found);
FWS_PRIVATE void fws_open_on_time(struct fastws_socket *socket);

/* Says that len bytes were received into the space of the connection. */
FWS_PRIVATE void fws_open_received(struct fastws_socket *socket, size_t len);

/* Says whether what the peer sends is read. */
static inline int fws_open_may_read(const struct fastws_socket *socket) {
    return !fws_socket_has(socket, FWS_SOCKET_PAUSED | FWS_SOCKET_HELD | FWS_SOCKET_FLOODED | FWS_SOCKET_EOF |
                                       FWS_SOCKET_ENDED);
}

/* Receives, all that TLS has included. */
FWS_PRIVATE void fws_open_receive(struct fastws_socket *socket);

/* Hands out what the connection has. Bytes that were fed must not wait: their buffer is used again. */
FWS_PRIVATE void fws_open_deliver(struct fastws_socket *socket, int may_hold);

/* Writes what can be written, and does what follows from that: wants, deadlines, the end. */
FWS_PRIVATE void fws_open_settle(struct fastws_socket *socket);

/* Makes its wants and its deadline what they should be. Calls no callback. */
FWS_PRIVATE void fws_open_update(struct fastws_socket *socket);

/* on_close, unless it was called. */
FWS_PRIVATE void fws_open_end(struct fastws_socket *socket, const struct fastws_event *event);

FWS_PRIVATE void fws_linger_serve(struct fastws_socket *socket, unsigned found);

/* Shuts down our half, and drops what comes until the peer has closed, or the close timeout. */
FWS_PRIVATE void fws_linger_begin(struct fastws_socket *socket, int is_first_to_close);

/* Writes what is queued, unless the system took less last time; then copies what is lent. Returns 0 or
 * FASTWS_ERR_NOMEM: then the queue is gone, and the socket broken. */
FWS_PRIVATE int fws_open_flush(struct fastws_socket *socket);

/* ---- Sending: loop_send.c, loop_line.c ---- */

/* Adds a message at the end, and drops from the front what is too much. Takes a reference of its own. Returns 0 or
 * FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_line_add(struct fastws_socket *socket, struct fastws_prepared *prepared);
FWS_PRIVATE uint64_t fws_line_len(const struct fastws_socket *socket); /* bytes of payload */

/* Moves messages to the connection while it is writable; all of them if is_last. Returns 0 or an error. */
FWS_PRIVATE int fws_line_move(struct fastws_socket *socket, int is_last);

/* Queues a close frame, with what waits in line before it. */
FWS_PRIVATE FASTWS_NODISCARD int fws_send_close(struct fastws_socket *socket, uint16_t code, const char *reason,
                                                size_t len);

/* ---- TLS: loop_tls.c. The socket has FWS_SOCKET_TLS. ---- */

FWS_PRIVATE void fws_loop_release_tls(struct fastws_loop *loop);

/* Begins TLS; host is NULL for a server. Returns 0 or an error of fastws_tls_connect(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_link_open(struct fastws_socket *socket, struct fastws_tls *tls, const char *host);
FWS_PRIVATE void fws_link_close(struct fastws_socket *socket);
FWS_PRIVATE void fws_tls_serve(struct fastws_socket *socket, unsigned found);

/* As fws_transport_read() and fws_transport_write(). */
FWS_PRIVATE ptrdiff_t fws_link_read(struct fastws_socket *socket, void *dst, size_t len);
FWS_PRIVATE ptrdiff_t fws_link_write(struct fastws_socket *socket, const struct fastws_iovec *iov, int count);

/* Writes records that wait. Returns 1 if none does any more, 0 if one does, or a negative number. */
FWS_PRIVATE int fws_link_flush(struct fastws_socket *socket);
FWS_PRIVATE int fws_link_has_more(const struct fastws_socket *socket);
FWS_PRIVATE int fws_link_error(const struct fastws_socket *socket); /* why a read failed */
FWS_PRIVATE void fws_link_end(struct fastws_socket *socket);        /* says that nothing more comes */

/* ---- Clients: loop_dial.c, loop_dial_begin.c, loop_connect.c ---- */

struct fws_attempts;

FWS_PRIVATE void fws_dial_serve(struct fastws_socket *socket, unsigned found);
FWS_PRIVATE void fws_dial_on_time(struct fastws_socket *socket);
FWS_PRIVATE void fws_dial_begin(struct fastws_socket *socket);
FWS_PRIVATE void fws_dial_speak(struct fastws_socket *socket); /* hands are shaken: the request may go */

/* Looks a host up and connects to it; path is set for a socket in the file system. fws_dial_on_connect() or
 * fws_dial_fail() is called in the end, not before fws_attempts_begin() returns. */
FWS_PRIVATE FASTWS_NODISCARD int fws_attempts_new(struct fastws_socket *socket, const char *host, uint16_t port,
                                                  int is_path, struct fws_attempts **out);
FWS_PRIVATE void fws_attempts_free(struct fws_attempts *attempts);
FWS_PRIVATE void fws_attempts_begin(struct fws_attempts *attempts);
FWS_PRIVATE void fws_attempts_on_time(struct fws_attempts *attempts);
FWS_PRIVATE uint64_t fws_attempts_due_ms(const struct fws_attempts *attempts);
FWS_PRIVATE void fws_attempt_serve(struct fws_watch *watch);

FWS_PRIVATE void fws_dial_stop(struct fastws_socket *socket); /* nothing is to be heard of it any more */
FWS_PRIVATE void fws_dial_on_connect(struct fastws_socket *socket, int fd);
FWS_PRIVATE void fws_dial_fail(struct fastws_socket *socket, int error);

/* ---- Timers of users: loop_user_timer.c ---- */

FWS_PRIVATE void fws_user_timer_on_time(struct fws_watch *watch);
FWS_PRIVATE void fws_user_timers_free(struct fastws_loop *loop);

/* ---- Descriptors of users: loop_watch.c ---- */

FWS_PRIVATE void fws_user_watch_serve(struct fastws_loop *loop, struct fws_watch *watch, unsigned found);
FWS_PRIVATE void fws_user_watches_bury(struct fastws_loop *loop);
FWS_PRIVATE void fws_user_watches_free(struct fastws_loop *loop);

/* ---- System calls: loop_transport.c ---- */

enum { FWS_TRANSPORT_AGAIN = -1, FWS_TRANSPORT_FAILED = -2 };

/* Return the bytes that were read or written, 0 at the end of the stream, or one of the above. */
FWS_PRIVATE ptrdiff_t fws_transport_read(struct fastws_socket *socket, void *dst, size_t len);
FWS_PRIVATE ptrdiff_t fws_transport_write(struct fastws_socket *socket, const struct fastws_iovec *iov, int count);
/* Says whether there is something to read that the back end does not know of. */
static inline int fws_transport_has_more(const struct fastws_socket *socket) {
    return FWS_UNLIKELY(fws_socket_has(socket, FWS_SOCKET_TLS)) && fws_link_has_more(socket);
}

/* The same below TLS. */
FWS_PRIVATE ptrdiff_t fws_transport_receive(struct fastws_socket *socket, void *dst, size_t len);
FWS_PRIVATE ptrdiff_t fws_transport_send(struct fastws_socket *socket, const void *src, size_t len);

FWS_PRIVATE void fws_transport_end(struct fastws_socket *socket);   /* nothing more is written */
FWS_PRIVATE void fws_transport_break(struct fastws_socket *socket); /* neither read nor written */
FWS_PRIVATE void fws_transport_close(struct fastws_socket *socket, int is_reset);

/* Makes a descriptor non-blocking and closed by exec. Returns 0 or -1 with errno. */
FWS_PRIVATE int fws_transport_prepare(int fd);

#endif
