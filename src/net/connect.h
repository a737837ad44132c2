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

/* ---- Looking up without waiting ---- */

/* A host that is looked up on a thread of its own. */
struct fws_question;

/* Asks. Returns 0 or FASTWS_ERR_NOMEM.
 *   notify   called by that thread when the answer is there, unless fws_question_leave() came first: it may not call
 *            functions on the question, but have another thread take the answer */
FWS_PRIVATE FASTWS_NODISCARD int fws_question_ask(const char *host, uint16_t port, void (*notify)(void *context),
                                                  void *context, struct fws_question **out);

/* Takes an answer that is there, and ends the question. Returns what getaddrinfo() did; out is NULL on failure. */
FWS_PRIVATE int fws_question_take(struct fws_question *question, struct addrinfo **out);

/* Ends a question. Returns 1 if notify will not be called, 0 if it has been. */
FWS_PRIVATE int fws_question_leave(struct fws_question *question);

/* Asks nobody: returns 1 if host is the number of an address. */
FWS_PRIVATE int fws_connect_look_up_number(const char *host, uint16_t port, struct addrinfo **out);

/* Puts addresses into the order to try them in: RFC 8305 section 4. Returns an array of *count that the caller frees,
 * or NULL. */
FWS_PRIVATE struct addrinfo **fws_connect_arrange(struct addrinfo *list, size_t *count);

/* ---- Steps that wait ---- */

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
