/* SPDX-License-Identifier: MIT */
/* The steps of a dial, which share its deadline and its report. */
#ifndef FWS_NET_CONNECT_H
#define FWS_NET_CONNECT_H

#include <netdb.h>
#include <stddef.h>
#include <stdint.h>

#include <fastws/connect.h>

#include "../platform.h"
#include "io.h"

/* Bytes of a host with its NUL: a name has 254 at most, a path of a socket less than the system takes. */
enum { FWS_HOST_CAP = 256 };

/* One dial. */
struct fws_dialing {
    const struct fastws_dial_options *options;
    struct fws_limit limit;
    struct fastws_dial_report *report; /* never NULL */
    struct fastws_tls *own_tls;        /* made on the first need; NULL: not yet */
};

/* The functions below return 0 or an error of connect.h, with the report's text, and those of
 * fws_limit_check(). */

/* Writes a text for people into the report, and returns error. */
FWS_PRIVATE int fws_dialing_fail(struct fws_dialing *dialing, int error, const char *text);

/* Notes an errno as the reason, and returns error. */
FWS_PRIVATE int fws_dialing_fail_system(struct fws_dialing *dialing, int error, int system_error);

/* Finds the addresses of a host, of which there is at least one. The caller frees them with freeaddrinfo(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_connect_resolve(struct fws_dialing *dialing, const char *host, uint16_t port,
                                                     struct addrinfo **out);

/* Connect to a host, and to a socket in the file system. Write a descriptor that does not block. */
FWS_PRIVATE FASTWS_NODISCARD int fws_connect_tcp(struct fws_dialing *dialing, const char *host, uint16_t port,
                                                 int *out);
FWS_PRIVATE FASTWS_NODISCARD int fws_connect_unix(struct fws_dialing *dialing, const char *path, int *out);

/* Sends the request of a handshake and reads the answer. A server may refuse without having read all of a request: its
 * answer counts then, and not that it took no more. RFC 9112 9.5.
 * Returns 1 when the connection is open, or an error of fastws_dial_feed(), fastws_dial_eof(), fastws_dial_expire(), or
 * of fws_io_read(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_dialing_exchange(const struct fws_limit *limit, const struct fastws_io *io,
                                                      struct fastws_dialer *dial, struct fws_received *received);

#endif
