/* SPDX-License-Identifier: MIT */
/* What a client on an event loop says to an HTTP proxy, and what it makes of the answer: CONNECT. RFC 9110 9.3.6. */
#ifndef FWS_NET_LOOP_PROXY_H
#define FWS_NET_LOOP_PROXY_H

#include "loop.h"
#include "proxy.h"

struct fws_proxy_talk;

/* Makes the request for a way to a server.
 *   address   of the proxy; NULL or another kind than http: FASTWS_ERR_PROXY_URL
 *   first     written: where to connect to
 * Returns 0, FASTWS_ERR_PROXY_URL or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_proxy_talk_new(struct fastws_loop *loop, const char *address,
                                                    const struct fastws_url *url, struct fastws_url *first,
                                                    struct fws_proxy_talk **out);
FWS_PRIVATE void fws_proxy_talk_free(struct fastws_loop *loop, struct fws_proxy_talk *talk);

/* Returns the request, which lives as long as the talk. */
FWS_PRIVATE const char *fws_proxy_talk_request(const struct fws_proxy_talk *talk, size_t *len);

/* Takes bytes of the answer. Returns 1 when the way is open, 0 when more has to come, or an error of fastws_dial(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_proxy_talk_feed(struct fws_proxy_talk *talk, const void *src, size_t len);

#endif
