/* SPDX-License-Identifier: MIT */
/* An event loop: listeners and WebSocket connections of one thread, served by callbacks. RFC 6455.
 *
 *     static void on_message(struct fastws_socket *socket, const struct fastws_event *message) {
 *         fastws_socket_send(socket, message->opcode, message->ptr, (size_t)message->len);
 *     }
 *
 *     fastws_conn_config_init(&conn_config, FASTWS_ROLE_SERVER);
 *     fastws_socket_config_init(&config, &conn_config);
 *     config.on_message = on_message;
 *     fastws_loop_new(NULL, &loop);
 *     fastws_loop_listen(loop, &config, "127.0.0.1", "9001", 0, NULL);
 *     fastws_loop_run(loop);
 *     fastws_loop_free(loop);
 *
 * Threads. A loop and all that belongs to it serve one thread: the one that calls fastws_loop_run(). Only
 * fastws_loop_post() may be called from others. To use several processors, run one loop in each of several threads, all
 * listening at the same port (FASTWS_LISTEN_REUSE_PORT).
 *
 * Clients. fastws_loop_dial() has a client on the same loop, with the same callbacks.
 *
 * TLS. With config.tls the sockets of a listener are inside TLS; those of fastws_loop_dial() are if the address says
 * so. What is received together is decrypted together, and what is written together leaves in one write.
 *
 * Compression. config.upgrade->deflate and config.dial->deflate have permessage-deflate negotiated (deflate.h), and the
 * sockets that agree on it compress and inflate with streams of the loop's pool. Callbacks notice nothing of it.
 *
 * Life of a socket. The loop owns its sockets. A struct fastws_socket may be used from its first callback until its
 * on_close returns, or until fastws_socket_free(). Callbacks may send on, close and free any socket of the loop, also
 * the one that they are called for. None is called from inside a function that you call, but for fastws_loop_run(),
 * fastws_loop_run_once() and fastws_loop_free().
 *
 * Writing. What a callback sends is written once the events of its socket's receive have been handed out, in one write;
 * what it sends on other sockets is written at the end of the batch; and what is sent outside of callbacks, at once.
 *
 * Forks. A loop belongs to the process that made it. In a child, fastws_loop_run_once() and others return
 * FASTWS_ERR_FORKED, and fastws_loop_free() gives memory and descriptors back without a word to peers or callbacks. */
#ifndef FASTWS_LOOP_H
#define FASTWS_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/allocator.h>
#include <fastws/conn.h>
#include <fastws/deflate.h>
#include <fastws/dial.h>
#include <fastws/event.h>
#include <fastws/export.h>
#include <fastws/pool.h>
#include <fastws/prepared.h>
#include <fastws/tls.h>
#include <fastws/upgrade.h>

FASTWS_BEGIN_DECLS

struct fastws_loop;
struct fastws_listener;
struct fastws_socket;

/* ---- What sockets do ---- */

/* What happens when a peer reads more slowly than messages are sent to it: once more than queue_high bytes are queued
 * (struct fastws_conn_config), until no more than queue_low are. */
enum fastws_slow_policy {
    FASTWS_SLOW_WAIT = 0,        /* messages of the peer are not read meanwhile, so it gets no new answers; sends are
                                    queued all the same, up to queue_max */
    FASTWS_SLOW_DROP_NEWEST = 1, /* new messages are dropped: the call that sends returns FASTWS_ERR_DROPPED */
    FASTWS_SLOW_DROP_OLDEST = 2, /* new messages wait in a line of their own, of at most queue_high bytes; its oldest
                                    ones are dropped for newer ones. The newest message is always kept */
    FASTWS_SLOW_CLOSE = 3        /* the connection is closed with 1008 and FASTWS_ERR_SLOW_CONSUMER */
};

/* What the sockets of a listener, or one of fastws_loop_dial() or fastws_loop_adopt(), do. Fill it with
 * fastws_socket_config_init(), then change what differs. The struct is shared: it and all that it points to must
 * outlive every socket and listener that uses it and must not change meanwhile. Times are in milliseconds; 0 means
 * never. */
struct fastws_socket_config {
    size_t size;                             /* sizeof(struct fastws_socket_config) of the caller's header */
    const struct fastws_conn_config *conn;   /* role, limits, keep-alive, queue marks */
    const struct fastws_upgrade_config *upgrade; /* of servers, what deflate points to included; NULL: the defaults */
    const struct fastws_dial_config *dial;   /* of clients: what to ask for; NULL: the defaults */
    struct fastws_tls *tls;                  /* of servers: all sockets are inside TLS; NULL: none is. Of clients: for
                                                wss; NULL: one that trusts the authorities of the system */
    const char *proxy;                       /* of clients: "http://[user:password@]host[:port]" or without a scheme, a
                                                proxy that is asked by CONNECT (RFC 9110 9.3.6); NULL or "": none. The
                                                environment is not looked at. Not for sockets in the file system */
    void *context;                           /* the caller's: fastws_socket_get_config() finds it again; NULL */
    uint32_t handshake_timeout_ms;           /* from when the client was accepted until its request is complete, TLS
                                                included; of a client, for everything from fastws_loop_dial() to
                                                on_open; 10 000. A request that was begun is answered with 408 then */
    uint32_t stall_timeout_ms;               /* for a peer that takes no byte of what is queued, before it is cut off
                                                with FASTWS_ERR_SLOW_CONSUMER; 30 000 */
    uint32_t message_timeout_ms;             /* for a message, from when its first bytes came and it was incomplete
                                                until its last; 300 000. Then the connection is closed with 1008 and
                                                FASTWS_ERR_MESSAGE_TIMEOUT: a peer that sends a byte now and then
                                                would hold a slab for ever. Not for messages that are handed out in
                                                chunks, and not while they are not read */
    uint32_t deflate_idle_ms;                /* for a connection that compresses and keeps its context: without messages
                                                for so long, it gives its streams back to the pool of the loop, as
                                                fastws_conn_idle() does; 10 000 */
    uint8_t slow_policy;                     /* enum fastws_slow_policy; FASTWS_SLOW_WAIT */
    uint64_t queue_max;                      /* bytes: with more queued, sends return FASTWS_ERR_QUEUE_FULL, whatever
                                                the policy; 16 MiB. 0: no limit. A single message may pass it */
    unsigned sockets_max;                    /* of a listener: with as many, clients wait in the queue of the system;
                                                0: no limit */

    /* Callbacks; each may be NULL. Events are views: they live until the callback returns.
     *
     * on_upgrade   the request is accepted, and not answered yet: fastws_upgrade_target() and fastws_upgrade_protocol()
     *              may be asked. Returns 0, or a negative enum fastws_error that refuses it with its HTTP status
     *              (FASTWS_ERR_HANDSHAKE_REJECTED: 403)
     * on_dial      of clients. The answer of the server is complete: error is 0, or says why there is no connection;
     *              fastws_dial_status(), _protocol(), _next_header(), _location() may be asked. Returns 0, or a
     *              negative enum fastws_error that gives the connection up
     * on_open      messages may be sent. Called once, before any other of those below
     * on_message   a message, or a chunk of one: see enum fastws_delivery. Without it they are dropped
     * on_ping      a ping of the peer, answered already unless the configuration says otherwise
     * on_pong
     * on_drain     fastws_socket_is_writable() said no, and says yes again
     * on_close     the last call for this socket: its close or error event. What was sent before still goes out.
     *              Codes and reason of the peer are in the event; event->error says why where there was no close frame
     * on_refuse    the last call for a socket that never opened: error says why, FASTWS_ERR_HANDSHAKE_TIMEOUT or
     *              FASTWS_ERR_DIAL_CONNECT for example. For logs, and for clients to try again
     * on_trouble   a listener cannot accept for a while: FASTWS_ERR_DESCRIPTORS or FASTWS_ERR_NOMEM. It tries again on
     *              its own; clients wait in the queue of the system. For logs */
    int (*on_upgrade)(struct fastws_socket *socket, const struct fastws_upgrade *upgrade);
    int (*on_dial)(struct fastws_socket *socket, const struct fastws_dialer *dialer, int error);
    void (*on_open)(struct fastws_socket *socket);
    void (*on_message)(struct fastws_socket *socket, const struct fastws_event *message);
    void (*on_ping)(struct fastws_socket *socket, const struct fastws_event *ping);
    void (*on_pong)(struct fastws_socket *socket, const struct fastws_event *pong);
    void (*on_drain)(struct fastws_socket *socket);
    void (*on_close)(struct fastws_socket *socket, const struct fastws_event *end);
    void (*on_refuse)(struct fastws_socket *socket, int error);
    void (*on_trouble)(struct fastws_listener *listener, int error);
};

/* Sets every field to its default. */
FASTWS_API FASTWS_NONNULL(1, 2) void fastws_socket_config_init(struct fastws_socket_config *config,
                                                               const struct fastws_conn_config *conn);

/* ---- Loops ---- */

/* How a loop learns that sockets are ready. */
enum fastws_backend {
    FASTWS_BACKEND_BEST = 0,  /* the first of those below that works here */
    FASTWS_BACKEND_EPOLL = 1, /* Linux. A ready socket costs the same however many idle ones there are */
    FASTWS_BACKEND_POLL = 2   /* any POSIX system */
};

/* How a loop is made. Fill it with fastws_loop_config_init(), then change what differs. The struct is only read during
 * fastws_loop_new(); what its pointers name must outlive the loop. */
struct fastws_loop_config {
    size_t size;                           /* sizeof(struct fastws_loop_config) of the caller's header */
    int backend;                           /* enum fastws_backend; FASTWS_BACKEND_BEST */
    const struct fastws_pool_config *pool; /* of the pool that all connections of the loop share. Its allocator serves
                                              the loop, too. NULL: the defaults, but slabs of 68 KiB, which hold a
                                              message of 64 KiB with its header, and a write buffer as large */
    unsigned turn_sockets;                 /* what one fastws_loop_run_once() does at most, so that the code around it
                                              has its turn: sockets served, 1 to 1024; 64 */
    size_t turn_len;                       /* bytes received; 1 MiB. 0: no limit. Looked at between sockets */
    uint32_t turn_us;                      /* microseconds; 1000. 0: no limit. Looked at after every 8 sockets */
};

/* Sets every field to its default. */
FASTWS_API FASTWS_NONNULL(1) void fastws_loop_config_init(struct fastws_loop_config *config);

/* Makes a loop. Call it in the process that runs it.
 *   config   NULL for the defaults
 *   out      written only on success; the caller frees it with fastws_loop_free()
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT      a field is outside its range, or size is not one that this library knows
 *   FASTWS_ERR_NOMEM
 *   FASTWS_ERR_ISA           as fastws_pool_new()
 *   FASTWS_ERR_BACKEND       this system does not have the back end
 *   FASTWS_ERR_DESCRIPTORS   the process or system is out of descriptors */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(2) int fastws_loop_new(const struct fastws_loop_config *config,
                                                                  struct fastws_loop **out);

/* Ends the loop and all that belongs to it: on_close is called for sockets that are open, with FASTWS_ERR_SHUTDOWN and
 * 1006, and they are closed without a close frame. fastws_loop_shutdown() is the polite way. NULL is allowed. Not from
 * inside a callback. */
FASTWS_API void fastws_loop_free(struct fastws_loop *loop);

/* Serves until fastws_loop_stop(), or until a shutdown is complete.
 * Returns 0, FASTWS_ERR_FORKED, FASTWS_ERR_STATE (from inside a callback), or FASTWS_ERR_IO (the back end failed). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_loop_run(struct fastws_loop *loop);

/* Serves what is ready, within the bounds of struct fastws_loop_config. Sockets that had no turn have theirs first in
 * the next call, so none is left behind.
 *   timeout_ms   how long to wait if nothing is ready: 0 not at all, negative without limit
 * Returns 1 if something is left that is ready, 0 if not, or an error of fastws_loop_run(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_loop_run_once(struct fastws_loop *loop, int timeout_ms);

/* Returns a descriptor that is readable whenever fastws_loop_run_once() has something to do, deadlines included: for
 * the set of another event loop, level-triggered, which then calls fastws_loop_run_once(loop, 0). The descriptor stays
 * the loop's. Returns FASTWS_ERR_BACKEND if the back end has none: epoll does. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_loop_fd(const struct fastws_loop *loop);

/* Makes fastws_loop_run() return once the present batch is done. */
FASTWS_API FASTWS_NONNULL(1) void fastws_loop_stop(struct fastws_loop *loop);

/* Begins to end politely: listeners are freed, requests that are not complete are answered with 503, and open
 * connections are closed with 1001 behind what is queued. fastws_loop_run() returns when the last socket is gone.
 *   timeout_ms   what is left then is cut off, with FASTWS_ERR_SHUTDOWN; 0: no limit but the close timeouts
 * A second call changes the time only. */
FASTWS_API FASTWS_NONNULL(1) void fastws_loop_shutdown(struct fastws_loop *loop, uint32_t timeout_ms);

/* A call that waits for its loop. The memory is the caller's, and must not be touched between fastws_loop_post() and
 * the call of run; run may free it, or post it again. */
struct fastws_post {
    void (*run)(struct fastws_loop *loop, struct fastws_post *post);
    struct fastws_post *next; /* the loop's */
};

/* Has post->run called on the thread of the loop, in the order of the posts of each thread. Calls that still wait when
 * the loop is freed are made by fastws_loop_free(), when all sockets are gone.
 * Thread-safe, and async-signal-safe. Never allocates, blocks or fails. The loop must not be freed meanwhile. */
FASTWS_API FASTWS_NONNULL(1, 2) void fastws_loop_post(struct fastws_loop *loop, struct fastws_post *post);

/* ---- Timers ---- */

/* A time at which something is done. Deadlines of sockets are the loop's own: these are for what else a program
 * does. */
struct fastws_loop_timer;

/* Makes a timer, which is not set. It belongs to the loop, which frees it in the end; it does not keep a loop running
 * that shuts down.
 *   run   called on the thread of the loop, once for each fastws_loop_timer_set(). May set the timer again, or free it
 * Returns 0, FASTWS_ERR_NOMEM or FASTWS_ERR_FORKED; out is written only on success. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 4) int fastws_loop_timer_new(
    struct fastws_loop *loop, void (*run)(struct fastws_loop_timer *timer, void *context), void *context,
    struct fastws_loop_timer **out);

/* Sets the timer, anew if it is set: run is called delay_ms milliseconds from now, or later if the loop is busy. 0: in
 * the next turn. Never allocates or fails. */
FASTWS_API FASTWS_NONNULL(1) void fastws_loop_timer_set(struct fastws_loop_timer *timer, uint64_t delay_ms);

/* Has run not be called. */
FASTWS_API FASTWS_NONNULL(1) void fastws_loop_timer_stop(struct fastws_loop_timer *timer);

/* Says whether run will be called. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_loop_timer_is_set(const struct fastws_loop_timer *timer);

/* Stops and frees the timer. NULL is allowed. */
FASTWS_API void fastws_loop_timer_free(struct fastws_loop_timer *timer);

/* ---- Descriptors of users ---- */

/* A descriptor that is not a connection of the loop, but is looked at in its turns. */
struct fastws_watch;

#define FASTWS_WATCH_READABLE (1u << 0)
#define FASTWS_WATCH_WRITABLE (1u << 1)
#define FASTWS_WATCH_HUNG_UP (1u << 2) /* an error, or both directions are over: told, whatever is wanted */

/* Has on_ready called in each turn in which the descriptor is ready: a level, not an edge, so what is left is told
 * again. It is one of the turn_sockets of its turn.
 *   fd         watched once at a time; stays the caller's, and must be open until fastws_watch_free(). The loop neither
 *              reads nor writes it, and does not change its flags
 *   wanted     FASTWS_WATCH_READABLE, FASTWS_WATCH_WRITABLE, both, or 0
 *   on_ready   is told what is found of what is wanted, and FASTWS_WATCH_HUNG_UP. Returns how many bytes it received:
 *              they count in turn_len. It may do what callbacks of sockets may, and end this watch and every other
 *   context    the caller's
 *   out        written only on success; ended by fastws_watch_free(), or with the loop
 * Returns 0, or FASTWS_ERR_ARGUMENT (wanted), FASTWS_ERR_NOMEM, FASTWS_ERR_FORKED, or FASTWS_ERR_IO (fd is not of a
 * kind that the back end can watch). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 4, 6) int fastws_loop_watch(
    struct fastws_loop *loop, int fd, unsigned wanted,
    size_t (*on_ready)(struct fastws_watch *watch, unsigned found, void *context), void *context,
    struct fastws_watch **out);

/* Changes what is wanted; without a system call if that is nothing new. With 0 a descriptor that has hung up is told of
 * again and again: end the watch instead.
 * Returns 0, FASTWS_ERR_ARGUMENT, FASTWS_ERR_FORKED, or FASTWS_ERR_IO, FASTWS_ERR_NOMEM: then it is as it was. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_watch_want(struct fastws_watch *watch, unsigned wanted);

/* Ends the watch: on_ready is not called any more, not even for what the present batch found. Then the descriptor may
 * be closed; earlier, a duplicate of it would be told of for ever. In a forked child, what the parent watches stays so.
 * NULL is allowed. */
FASTWS_API void fastws_watch_free(struct fastws_watch *watch);

/* ---- Watching ---- */

/* Counts, for tests and for watching. */
struct fastws_loop_stats {
    size_t sockets;            /* that exist now, in whatever state */
    size_t open;               /* of them, those between on_open and on_close */
    uint64_t accepted;         /* clients accepted since the loop was made */
    uint64_t refused;          /* handshakes that failed, of servers and clients */
    uint64_t messages_dropped; /* by FASTWS_SLOW_DROP_NEWEST and FASTWS_SLOW_DROP_OLDEST */
    uint64_t writes;           /* system calls that wrote */
};

/* Copies the counts into out. */
FASTWS_API FASTWS_NONNULL(1, 2) void fastws_loop_get_stats(const struct fastws_loop *loop,
                                                           struct fastws_loop_stats *out);

/* Returns the pool of the loop, for code that asks or watches it. Its time is set by the loop. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) struct fastws_pool *fastws_loop_get_pool(struct fastws_loop *loop);

/* Returns the name of the back end that runs: "epoll" or "poll". A static string. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) const char *fastws_loop_backend_name(const struct fastws_loop *loop);

/* Returns the socket whose callback runs, NULL outside of callbacks. Callbacks of struct fastws_upgrade_config learn
 * from it whom they serve: their context is that of all. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) struct fastws_socket *fastws_loop_current(const struct fastws_loop *loop);

/* ---- Listeners ---- */

#define FASTWS_LISTEN_REUSE_PORT (1u << 0) /* several loops, in threads or processes, share the port: SO_REUSEPORT */

/* Listens at a TCP address. Accepted sockets send without delay (TCP_NODELAY).
 *   host    name or number; NULL: all addresses of this machine. Where a name has several, the first that works
 *   port    decimal; "0": any free one
 *   flags   FASTWS_LISTEN_*
 *   out     the listener, which belongs to the loop; may be NULL
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT         config->size, slow_policy or config->conn is wrong, or its role is not server, or
 *                               config->tls is a client's
 *   FASTWS_ERR_HANDSHAKE_HEADER config->upgrade, as fastws_upgrade_init()
 *   FASTWS_ERR_ADDRESS          host or port mean nothing
 *   FASTWS_ERR_ADDRESS_IN_USE   another socket has the address
 *   FASTWS_ERR_ADDRESS_DENIED   this process may not have the address
 *   FASTWS_ERR_LISTEN           the system refuses for another reason
 *   FASTWS_ERR_DESCRIPTORS      the process or system is out of descriptors
 *   FASTWS_ERR_NOMEM, FASTWS_ERR_FORKED
 *   FASTWS_ERR_STATE            the loop shuts down */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_loop_listen(struct fastws_loop *loop,
                                                                        const struct fastws_socket_config *config,
                                                                        const char *host, const char *port,
                                                                        unsigned flags, struct fastws_listener **out);

/* Like fastws_loop_listen(), but at a path of the file system. A socket that a process left there which listens no more
 * is replaced; any other file is FASTWS_ERR_ADDRESS_IN_USE. The path is removed with the listener. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_loop_listen_unix(
    struct fastws_loop *loop, const struct fastws_socket_config *config, const char *path,
    struct fastws_listener **out);

/* Like fastws_loop_listen(), but with a socket that listens already, inherited from a process or made by the caller.
 *   fd   belongs to the loop from then on if 0 is returned, and is made non-blocking */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_loop_listen_fd(struct fastws_loop *loop,
                                                                           const struct fastws_socket_config *config,
                                                                           int fd, struct fastws_listener **out);

/* Stops listening. Sockets that were accepted stay. NULL is allowed. */
FASTWS_API void fastws_listener_free(struct fastws_listener *listener);

/* Returns the TCP port that the listener has; 0 for other addresses. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) unsigned fastws_listener_port(const struct fastws_listener *listener);

/* Returns the descriptor: the listener's, valid as long as it lives. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_listener_fd(const struct fastws_listener *listener);

/* Returns the configuration that the listener was made with. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) const struct fastws_socket_config *fastws_listener_get_config(
    const struct fastws_listener *listener);

/* ---- Clients ---- */

/* Dials an address of url.h. Returns at once: what follows (looking the host up on a thread of its own, connecting to
 * its addresses as fastws_dial() does, proxy, TLS, handshake) is done in turns of the loop, within
 * config->handshake_timeout_ms. In the end on_open is called, or on_refuse.
 *   config    its conn is a client's; fields for servers are not used
 *   address   ended by a NUL; used during the call only
 *   out       may be NULL. fastws_socket_free() gives the dial up; fastws_socket_fd() is -1 until it is connected
 * Redirects are not followed: on_dial can ask for the location (is_redirect_told), and dial again.
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT          as fastws_loop_listen(), but the role is not client; config->tls is a server's;
 *                                config->dial, as fastws_dial_init()
 *   FASTWS_ERR_URL_*             address is none
 *   FASTWS_ERR_HANDSHAKE_HEADER, FASTWS_ERR_DIAL_EXTENSIONS_MAX, FASTWS_ERR_RANDOM   as fastws_dial_init()
 *   FASTWS_ERR_PROXY_URL         config->proxy is no address of a proxy that speaks HTTP
 *   FASTWS_ERR_DIAL_CONNECT      the path of a socket is too long
 *   FASTWS_ERR_TLS_UNAVAILABLE, FASTWS_ERR_TLS_CONTEXT   for wss: built without TLS, or no authorities
 *   FASTWS_ERR_NOMEM, FASTWS_ERR_FORKED
 *   FASTWS_ERR_STATE             the loop shuts down
 * and later, to on_refuse, errors of fastws_dial() but those about redirects and SOCKS; FASTWS_ERR_SHUTDOWN. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_loop_dial(struct fastws_loop *loop,
                                                                         const struct fastws_socket_config *config,
                                                                         const char *address,
                                                                         struct fastws_socket **out);

/* ---- Sockets from elsewhere ---- */

/* Serves a client that was accepted elsewhere, from its first byte: the handshake is still to come, TLS included if
 * config->tls says so.
 *   fd    a connected stream socket; belongs to the loop from then on if 0 is returned, and is made non-blocking
 *   out   may be NULL
 * Returns 0, or FASTWS_ERR_ARGUMENT, FASTWS_ERR_HANDSHAKE_HEADER, FASTWS_ERR_NOMEM, FASTWS_ERR_FORKED, or
 * FASTWS_ERR_STATE (the loop shuts down), or FASTWS_ERR_IO (fd is not of a kind that the back end can watch). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_loop_accept(struct fastws_loop *loop,
                                                                        const struct fastws_socket_config *config,
                                                                        int fd, struct fastws_socket **out);

/* Takes a connection whose handshake is over, as a client or as a server: config->conn->role says which. It is not
 * inside TLS, whatever config->tls says, and not compressed unless fastws_socket_set_deflate() says so. on_open is the
 * first callback, called by the next fastws_loop_run_once(); messages may be sent at once.
 *   initial, len   what came behind the handshake; copied. NULL and 0 for nothing
 * Otherwise like fastws_loop_accept(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_loop_adopt(struct fastws_loop *loop,
                                                                       const struct fastws_socket_config *config,
                                                                       int fd, const void *initial, size_t len,
                                                                       struct fastws_socket **out);

/* Turns on what was agreed on for permessage-deflate with the peer of a socket that was adopted: before its on_open,
 * and before anything is sent on it.
 *   config   shared: must outlive the socket
 *   agreed   what fastws_upgrade_deflate() or fastws_dial_deflate() wrote, for example; copied
 * Returns 0, or FASTWS_ERR_STATE (too late, or not adopted), FASTWS_ERR_ARGUMENT (a field is outside its range),
 * FASTWS_ERR_DEFLATE_UNAVAILABLE (built without zlib), FASTWS_ERR_NOMEM. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_socket_set_deflate(
    struct fastws_socket *socket, const struct fastws_deflate_config *config,
    const struct fastws_deflate_params *agreed);

/* ---- Sockets ---- */

/* Sends a message. The payload is the caller's again when the call returns; but what a callback was handed for this
 * very socket is not copied, if it is long.
 *   opcode         FASTWS_OPCODE_TEXT or FASTWS_OPCODE_BINARY, and FASTWS_SEND_* (deflate.h)
 *   payload, len   text must be UTF-8: that is the caller's to know
 * Returns 0, or
 *   FASTWS_ERR_QUEUE_FULL   more than queue_max bytes are queued: wait for on_drain
 *   FASTWS_ERR_DROPPED      FASTWS_SLOW_DROP_NEWEST: the peer reads too slowly
 *   FASTWS_ERR_CLOSED       also if FASTWS_SLOW_CLOSE closes the connection now
 *   FASTWS_ERR_STATE        the handshake is not over, or a message was begun with fastws_conn_begin()
 *   FASTWS_ERR_ARGUMENT, FASTWS_ERR_NOMEM, FASTWS_ERR_RANDOM, or the error that stopped the connection
 * On every error the message is not sent. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_socket_send(struct fastws_socket *socket, int opcode,
                                                                     const void *payload, size_t len);

/* Sends a message that was framed once for many connections: a reference is held until it is sent.
 * Returns as fastws_socket_send() does. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_socket_send_prepared(struct fastws_socket *socket,
                                                                                 struct fastws_prepared *prepared);

/* Send a ping or a pong of at most 125 bytes, or a close frame: see fastws_conn_ping(), _pong() and _close(), whose
 * errors they return; and FASTWS_ERR_STATE before on_open. Messages that wait in the line of FASTWS_SLOW_DROP_OLDEST
 * are sent before a close frame. After a close messages of the peer still come, until its own close frame does. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_socket_ping(struct fastws_socket *socket, const void *payload,
                                                                     size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_socket_pong(struct fastws_socket *socket, const void *payload,
                                                                     size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_socket_close(struct fastws_socket *socket, uint16_t code,
                                                                      const char *reason, size_t len);

/* Ends the connection at once, without a close frame: what is queued is dropped, and no callback is called any more,
 * on_close included. The socket may not be used from then on; events of it that a callback is looking at live until
 * that returns. NULL is allowed. */
FASTWS_API void fastws_socket_free(struct fastws_socket *socket);

/* Stops reading, until fastws_socket_resume(): the peer is held back by TCP. Events of the present receive still come.
 * No pings are sent and none is missed meanwhile. A close frame that is sent resumes by itself. */
FASTWS_API FASTWS_NONNULL(1) void fastws_socket_pause(struct fastws_socket *socket);
FASTWS_API FASTWS_NONNULL(1) void fastws_socket_resume(struct fastws_socket *socket);

/* Keeps the payload of an event beyond the callback that is looking at it: fastws_conn_take(), whose errors it returns.
 *   event   the one that the callback was handed; its view ends */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int fastws_socket_take(struct fastws_socket *socket,
                                                                           const struct fastws_event *event,
                                                                           struct fastws_taken *out);

/* Returns the connection of an open socket, NULL before on_open: for what this header has no function for. Call
 * fastws_socket_flush() after sending through it, with what was lent to it still in place. fastws_conn_space(),
 * _filled(), _feed(), _next(), _take(), _sent(), _on_time(), _reset() and _free() are the loop's. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) struct fastws_conn *fastws_socket_get_conn(struct fastws_socket *socket);

/* Writes what is queued, as far as the system takes it now, and copies what is left and lent by callers.
 * Returns 0 or FASTWS_ERR_NOMEM: then payloads that were lent have to stay in place until they are sent. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_socket_flush(struct fastws_socket *socket);

/* Says whether to go on sending: fastws_conn_is_writable(), and nothing waits in the line of
 * FASTWS_SLOW_DROP_OLDEST. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_socket_is_writable(const struct fastws_socket *socket);

/* Returns the bytes that are queued and not taken by the system, those in the line of FASTWS_SLOW_DROP_OLDEST
 * included. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_socket_queued_len(const struct fastws_socket *socket);

/* What the caller ties to a socket: NULL until it is set. */
FASTWS_API FASTWS_NONNULL(1) void fastws_socket_set_user(struct fastws_socket *socket, void *user);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) void *fastws_socket_get_user(const struct fastws_socket *socket);

/* Return what a socket belongs to. The descriptor is the socket's: for getpeername() and the like. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) struct fastws_loop *fastws_socket_get_loop(
    const struct fastws_socket *socket);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) const struct fastws_socket_config *fastws_socket_get_config(
    const struct fastws_socket *socket);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_socket_fd(const struct fastws_socket *socket);

FASTWS_END_DECLS

#endif
