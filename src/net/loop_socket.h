/* SPDX-License-Identifier: MIT */
/* A socket of an event loop from inside: what the files share that are a part of its life, see loop.h. */
#ifndef FWS_NET_LOOP_SOCKET_H
#define FWS_NET_LOOP_SOCKET_H

#include "loop.h"

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
