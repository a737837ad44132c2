/* SPDX-License-Identifier: MIT */
/* What an open socket has queued is written, as far as the system takes it. */
#include "loop_socket.h"

#include "../conn.h"

enum { PIECES = 64 };

static void break_output(struct fastws_socket *socket, unsigned flags) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    fws_writer_clear(&conn->writer);
    conn->is_full = 0;
    fws_socket_set(socket, FWS_SOCKET_BROKEN | flags);
    fws_socket_clear(socket, FWS_SOCKET_BLOCKED);
    /* What the peer sent before can still be read; behind it the back end finds that the socket is hung up. */
    fws_transport_break(socket);
}

static size_t sum(const struct fastws_iovec *iov, int count) {
    size_t len = 0;
    for (int i = 0; i < count; i++) len += iov[i].len;
    return len;
}

/* Writes until nothing is queued or the system takes no more. Returns 0 or FASTWS_ERR_NOMEM. */
static int write_queue(struct fastws_socket *socket) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    struct fastws_iovec iov[PIECES];
    int count;
    while ((count = fastws_conn_pending(conn, iov, PIECES)) > 0) {
        ptrdiff_t n = fws_transport_write(socket, iov, count);
        if (n == FWS_TRANSPORT_FAILED) {
            break_output(socket, 0);
            return 0;
        }
        size_t len = n > 0 ? (size_t)n : 0;
        int is_short = len < sum(iov, count);
        (void)!fastws_conn_sent(conn, len); /* it is what was listed, or less */
        fws_socket_clear(socket, FWS_SOCKET_FLOODED);
        if (is_short) {
            fws_socket_note_time(socket);
            fws_socket_set(socket, FWS_SOCKET_BLOCKED);
            return 0;
        }
    }
    return count;
}

/* Records may wait without anything that the connection knows of: what TLS says to itself. */
static void flush_link(struct fastws_socket *socket) {
    if (fws_socket_has(socket, FWS_SOCKET_BLOCKED)) return;
    int state = fws_link_flush(socket);
    if (state < 0) break_output(socket, 0);
    if (state > 0) fws_socket_clear(socket, FWS_SOCKET_FLOODED);
    if (state != 0) return;
    fws_socket_note_time(socket);
    fws_socket_set(socket, FWS_SOCKET_BLOCKED);
}

int fws_open_flush(struct fastws_socket *socket) {
    struct fastws_conn *conn = fws_socket_conn(socket);
    fws_socket_clear(socket, FWS_SOCKET_LENT);
    if (fws_socket_has(socket, FWS_SOCKET_BROKEN)) return 0;
    if (FWS_UNLIKELY(fws_socket_has(socket, FWS_SOCKET_TLS))) flush_link(socket);
    if (fastws_conn_pending_len(conn) == 0) return 0;
    int error = fws_socket_has(socket, FWS_SOCKET_BLOCKED) ? 0 : write_queue(socket);
    if (error == 0 && fws_socket_has(socket, FWS_SOCKET_BLOCKED)) error = fastws_conn_own(conn);
    if (error < 0) break_output(socket, FWS_SOCKET_NO_MEMORY);
    return error;
}
