/* SPDX-License-Identifier: MIT */
/* Proxies: which one leads to a server, and what is said to it. RFC 9110 9.3.6, RFC 1928, RFC 1929. */
#ifndef FWS_NET_PROXY_H
#define FWS_NET_PROXY_H

#include <fastws/url.h>

#include "connect.h"

enum fws_proxy_kind {
    FWS_PROXY_NONE,
    FWS_PROXY_HTTP,
    FWS_PROXY_HTTPS,  /* HTTP, inside TLS */
    FWS_PROXY_SOCKS5, /* names are looked up here */
    FWS_PROXY_SOCKS5H /* by the proxy */
};

/* Its address points into the options or into the environment. */
struct fws_proxy {
    enum fws_proxy_kind kind;
    struct fastws_url url; /* user, password, host, port */
};

/* Says which proxy the options or the environment want for an address. Returns 0 or FASTWS_ERR_PROXY_URL. */
FWS_PRIVATE FASTWS_NODISCARD int fws_proxy_choose(struct fws_dialing *dialing, const struct fastws_url *url,
                                                  struct fws_proxy *out);

/* Parses the address of a proxy, into slices of it. Returns 0, FASTWS_ERR_PROXY_URL or an error of url.h. */
FWS_PRIVATE FASTWS_NODISCARD int fws_proxy_parse(struct fws_proxy *out, const char *address);

/* Writes a CONNECT for the server of url, with the proxy's user and password if it has any.
 *   dst, cap   room for fws_proxy_connect_cap() bytes
 * Returns its length, or FASTWS_ERR_PROXY_URL. */
FWS_PRIVATE FASTWS_NODISCARD ptrdiff_t fws_proxy_put_connect(char *dst, size_t cap, const struct fastws_url *proxy,
                                                             const struct fastws_url *url);
FWS_PRIVATE size_t fws_proxy_connect_cap(const struct fastws_url *proxy, const struct fastws_url *url);

/* Says whether a list as in no_proxy names the server of an address. */
FWS_PRIVATE FASTWS_NODISCARD int fws_proxy_is_excepted(const char *list, const struct fastws_url *url);

/* Asks the proxy at the other end of io for a connection to the server, after which io is that. */
FWS_PRIVATE FASTWS_NODISCARD int fws_proxy_open(struct fws_dialing *dialing, const struct fws_proxy *proxy,
                                                const struct fastws_url *url, const struct fastws_io *io);

#endif
