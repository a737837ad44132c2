/* SPDX-License-Identifier: MIT */
/* A dial of an event loop that is under way: what its beginning and its course share. */
#ifndef FWS_NET_LOOP_DIAL_H
#define FWS_NET_LOOP_DIAL_H

#include <fastws/dial.h>

#include "loop_socket.h"
#include "loop_proxy.h"

enum fws_dial_phase {
    FWS_DIAL_WAY,   /* attempts to connect */
    FWS_DIAL_PROXY, /* the proxy is asked */
    FWS_DIAL_ANSWER /* the request is written, and the answer read */
};

/* A dial that has begun. */
struct fws_loop_dial {
    struct fws_side side;
    struct fws_attempts *attempts; /* FWS_DIAL_WAY */
    struct fws_proxy_talk *talk;   /* NULL: there is no proxy, or it has answered */
    uint64_t due_ms;               /* for all of it */
    const uint8_t *request;        /* to write: to the proxy or to the server */
    size_t request_len;
    size_t written;
    uint8_t *rest; /* what came behind an answer that was faster than our request; NULL: nothing */
    size_t rest_len;
    uint8_t phase; /* enum fws_dial_phase */
    uint8_t is_begun;
    uint8_t is_deaf;   /* the server takes no more of the request, but may have answered. RFC 9112 9.5 */
    uint8_t is_agreed; /* the answer is good */
    alignas(max_align_t) unsigned char dialer[];
};

static inline struct fastws_dialer *fws_dialer_of(struct fws_loop_dial *dialing) {
    return (struct fastws_dialer *)(void *)dialing->dialer;
}

static inline struct fws_loop_dial *fws_loop_dial_of(struct fastws_socket *socket) {
    return (struct fws_loop_dial *)socket->side;
}

#endif
