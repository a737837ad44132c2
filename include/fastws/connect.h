/* SPDX-License-Identifier: MIT */
/* Dialling: from an address to an open connection, over TCP, TLS, sockets in the file system, and proxies.
 *
 *     struct fastws_stream *stream;
 *     int error = fastws_dial("wss://example.com/chat", NULL, &stream);
 *     if (error < 0) printf("%s\n", fastws_error_text(error));
 *
 * One deadline covers every step: finding the addresses, connecting, proxy, TLS, handshake, and all of it again for
 * each redirect. All addresses of a host are tried, those of IPv6 and IPv4 in turn, a next one whenever 250 ms have
 * passed or one has failed; the first that answers is taken (RFC 8305). */
#ifndef FASTWS_CONNECT_H
#define FASTWS_CONNECT_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/conn.h>
#include <fastws/dial.h>
#include <fastws/export.h>
#include <fastws/stream.h>
#include <fastws/tls.h>

FASTWS_BEGIN_DECLS

/* How far a dial came. */
enum fastws_dial_step {
    FASTWS_DIAL_ADDRESS = 1, /* the address, or the configuration, is wrong: nothing was tried */
    FASTWS_DIAL_RESOLVE,     /* looking the host up, or the proxy's */
    FASTWS_DIAL_CONNECT,     /* connecting */
    FASTWS_DIAL_PROXY,       /* talking to the proxy */
    FASTWS_DIAL_TLS,         /* shaking hands: certificates */
    FASTWS_DIAL_HANDSHAKE,   /* request and answer */
    FASTWS_DIAL_OPEN         /* done */
};

/* What a dial came to, written by it, on success too. */
struct fastws_dial_report {
    enum fastws_dial_step step; /* the last one that was begun */
    int status;                 /* of the last answer by HTTP, of the server or of a proxy; 0: there was none */
    int system_error;           /* errno of the last address that did not work, 0 if there is none */
    unsigned redirects;         /* that were followed */
    long verify_result;         /* as in struct fastws_tls_failure */
    struct fastws_slice protocol; /* subprotocol that was agreed on: one of the configuration's; empty: none */
    int has_deflate;              /* 1: permessage-deflate was agreed on, and is on */
    struct fastws_deflate_params deflate; /* if has_deflate: with what parameters */
    char text[256]; /* for people: what went wrong, such as "Connection refused", "certificate has expired",
                       "403 Forbidden"; ended by a NUL, empty on success */
};

/* How to dial. Fill it with fastws_dial_options_init(), then change what differs. Used during the call, but for
 * conn. */
struct fastws_dial_options {
    size_t size;                                /* sizeof(struct fastws_dial_options) of the caller's header */
    const struct fastws_dial_config *handshake; /* what to ask for and hear of; is_redirect_told of it is ignored. Where
                                                   deflate is agreed on, the stream has it, and deflate must outlive
                                                   the stream. NULL: the defaults */
    const struct fastws_conn_config *conn;      /* a client's, shared with the stream: must outlive it. NULL: the
                                                   defaults */
    uint64_t timeout_ms;                        /* for everything; 10 000. 0: no limit */

    /* Redirects that are followed; 10. 0: they are answers like others, FASTWS_ERR_HANDSHAKE_STATUS. User and password,
     * Authorization, Cookie, Proxy-Authorization and the Host of the configuration go only to the scheme, host and port
     * that they were given for. From wss to ws is never followed */
    unsigned redirects_max;

    /* "http://", "https://", "socks5://" (names are looked up here) or "socks5h://" (by the proxy), then
     * [user:password@]host[:port]; without a scheme it is http. Default ports: 80, 443, 1080. NULL: that of the
     * environment; "": none. Sockets in the file system are reached directly.
     *   Environment: for wss https_proxy, HTTPS_PROXY, for ws http_proxy (HTTP_PROXY may come from a request where we
     * run as CGI), for both then all_proxy, ALL_PROXY. no_proxy or NO_PROXY lists, with commas or spaces between, hosts
     * that are reached directly: "*"; names, which stand for all below them too (a dot or "*." in front changes
     * nothing); IP addresses; networks (10.0.0.0/8, fd00::/8). Names and addresses with ":port" if only that port is
     * meant */
    const char *proxy;

    /* Made by fastws_tls_new() for a client; used by wss, and by https proxies. NULL: one for this dial, with the
     * authorities of the system */
    struct fastws_tls *tls;

    /* Opens the byte stream below everything, in place of TCP and sockets in the file system.
     *   host, port   where to: the server, or the proxy if there is one; of ws+unix the decoded path, and 0
     *   until_ms     deadline by CLOCK_MONOTONIC, UINT64_MAX for none: this function has to keep it
     *   io           to be filled; has to have wait for deadlines, and for TLS
     * Returns 0 or a negative enum fastws_error. NULL: by the system. */
    int (*connect)(void *context, const char *host, uint16_t port, uint64_t until_ms, struct fastws_io *io);

    /* Called with the stream on which the handshake will go, below which is TLS if there is any: may put another around
     * it, which closes it when it is closed. Never called for a stream that could not be opened.
     * Returns 0 or a negative enum fastws_error: then io is closed as it was given. */
    int (*wrap)(void *context, struct fastws_io *io);

    void *context;                     /* handed to both */
    struct fastws_dial_report *report; /* NULL: not wanted */

    /* For another thread, or a signal handler, to end the dial: once this descriptor is readable, as the end of a pipe
     * is when something was written to the other one or that was closed, or an eventfd, the dial ends with
     * FASTWS_ERR_DIAL_CANCELLED. It is only polled, never read, so one may serve many dials; it must stay open during
     * the call. A dial that connects notices at once, one that waits for a stream or for the resolver within 50 ms;
     * connect and wrap have to see to themselves. -1: none */
    int cancel_fd;
};

/* Sets every field to its default. */
FASTWS_API FASTWS_NONNULL(1) void fastws_dial_options_init(struct fastws_dial_options *options);

/* Dials an address of url.h and opens the stream. Frames that came with the answer belong to the stream.
 *   url      ended by a NUL
 *   options  NULL for the defaults
 *   out      written only on success; free it with fastws_stream_free()
 * A name is looked up by getaddrinfo() on a thread of its own, which is left to itself when the deadline passes: it
 * ends when the system's resolver gives up, and frees what it holds. Nothing else outlives the call.
 * Returns 0, or
 *   FASTWS_ERR_URL_*             url is no address
 *   FASTWS_ERR_ARGUMENT, FASTWS_ERR_HANDSHAKE_HEADER   as fastws_dial_init(), fastws_stream_open(); options->size is
 *                                not one that this library knows; the role of conn is not the client's; tls is a
 *                                server's; connect gave no read or writev
 *   FASTWS_ERR_DIAL_RESOLVE      the host has no address
 *   FASTWS_ERR_DIAL_CONNECT      no address took the connection
 *   FASTWS_ERR_DIAL_TIMEOUT      the deadline passed; report->step says where
 *   FASTWS_ERR_DIAL_CANCELLED    by cancel_fd; report->step says where
 *   FASTWS_ERR_PROXY_URL         the proxy's address, also that of the environment, is none
 *   FASTWS_ERR_PROXY_ANSWER      the proxy speaks no HTTP, or no SOCKS 5, or sends bytes that nobody asked for
 *   FASTWS_ERR_PROXY_CREDENTIALS user or password is longer than 255 bytes, and the proxy is one of SOCKS 5
 *   FASTWS_ERR_PROXY_AUTH        the proxy wants credentials, or others
 *   FASTWS_ERR_PROXY_REFUSED     the proxy does not connect us; report->text says why
 *   FASTWS_ERR_TLS_*             as fastws_tls_connect()
 *   FASTWS_ERR_HTTP_*, FASTWS_ERR_HANDSHAKE_*, FASTWS_ERR_DEFLATE_*, FASTWS_ERR_DIAL_REJECTED   as fastws_dial_feed()
 *   FASTWS_ERR_HTTP_HEAD_TOO_LARGE, FASTWS_ERR_HTTP_TOO_MANY_HEADERS   also of a proxy, whose heads may have 16 384
 *                                bytes and 128 headers; report->step says whose
 *   FASTWS_ERR_DIAL_REDIRECTS_MAX   more redirects than redirects_max
 *   FASTWS_ERR_DIAL_REDIRECT     a redirect to what is no address of ws or wss, or from wss to ws
 *   FASTWS_ERR_UNEXPECTED_EOF, FASTWS_ERR_IO   the stream ended before the end of the answer, or failed. A server that
 *                                answers and reads no more is no failure: its answer counts
 *   FASTWS_ERR_NOMEM, FASTWS_ERR_RANDOM
 *   the error of connect or wrap
 * On failure everything that was opened is closed. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 3) int fastws_dial(const char *url,
                                                                 const struct fastws_dial_options *options,
                                                                 struct fastws_stream **out);

/* Like fastws_dial(), but over a byte stream that is open already: the client's half of RFC 6455 section 4 on io, and
 * nothing else. TLS, where there is any, is below io; proxy, tls, connect and wrap are not used, redirects not
 * followed.
 *   io   copied; fastws_stream_free() closes it. On failure it stays the caller's */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 4) int fastws_dial_over(const struct fastws_io *io, const char *url,
                                                                         const struct fastws_dial_options *options,
                                                                         struct fastws_stream **out);

FASTWS_END_DECLS

#endif
