/* SPDX-License-Identifier: MIT */
/* Dials: the way to a server step by step, the handshake over it, and again where redirects lead. */
#define _POSIX_C_SOURCE 200809L
#include "connect.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <fastws/error.h>

#include "../dial_request.h"
#include "io.h"
#include "proxy.h"
#include "stream.h"
#include "tls.h"

/* ---- Options and report ---- */

void fastws_dial_options_init(struct fastws_dial_options *options) {
    *options = (struct fastws_dial_options){
        .size = sizeof *options, .timeout_ms = 10000, .redirects_max = 10, .cancel_fd = -1};
}

static pthread_once_t default_conn_once = PTHREAD_ONCE_INIT;
static struct fastws_conn_config default_conn; /* written once, then shared by streams */

static void init_default_conn(void) { fastws_conn_config_init(&default_conn, FASTWS_ROLE_CLIENT); }

int fws_dialing_fail(struct fws_dialing *dialing, int error, const char *text) {
    snprintf(dialing->report->text, sizeof dialing->report->text, "%s", text);
    return error;
}

int fws_dialing_fail_system(struct fws_dialing *dialing, int error, int system_error) {
    char text[128];
    dialing->report->system_error = system_error;
    if (strerror_r(system_error, text, sizeof text) != 0) snprintf(text, sizeof text, "error %d", system_error);
    return fws_dialing_fail(dialing, error, text);
}

/* Everything that a dial begins with. */
struct start {
    struct fws_dialing dialing;
    struct fastws_dial_options options;
    struct fastws_dial_report report; /* where the caller wants none */
    struct fastws_dial_config config;
    struct fastws_url url;
};

static int check(const struct start *start) {
    const struct fastws_conn_config *conn = start->options.conn;
    if (conn->size != sizeof *conn || conn->role != FASTWS_ROLE_CLIENT) return FASTWS_ERR_ARGUMENT;
    return fws_dial_request_check(&start->config);
}

static int prepare(struct start *start, const char *url, const struct fastws_dial_options *options) {
    fastws_dial_options_init(&start->options);
    if (options != NULL && options->size == sizeof *options) start->options = *options;
    start->dialing = (struct fws_dialing){.options = &start->options, .report = start->options.report};
    if (start->dialing.report == NULL) start->dialing.report = &start->report;
    *start->dialing.report = (struct fastws_dial_report){.step = FASTWS_DIAL_ADDRESS};
    if (options != NULL && options->size != sizeof *options) return FASTWS_ERR_ARGUMENT;
    pthread_once(&default_conn_once, init_default_conn);
    if (start->options.conn == NULL) start->options.conn = &default_conn;
    fastws_dial_config_init(&start->config);
    const struct fastws_dial_config *handshake = start->options.handshake;
    if (handshake != NULL && handshake->size != sizeof *handshake) return FASTWS_ERR_ARGUMENT;
    if (handshake != NULL) start->config = *handshake;
    start->dialing.limit = (struct fws_limit){fws_deadline_ms(fws_clock_ms(), start->options.timeout_ms),
                                              start->options.cancel_fd};
    TRY(check(start));
    if (fws_limit_check(&start->dialing.limit) == FASTWS_ERR_DIAL_CANCELLED) return FASTWS_ERR_DIAL_CANCELLED;
    return fastws_url_parse(&start->url, url, strlen(url));
}

/* Gives the error of a dial its final form. */
static int conclude(struct fws_dialing *dialing, int error) {
    struct fastws_dial_report *report = dialing->report;
    fastws_tls_free(dialing->own_tls);
    if (error == 0) {
        report->step = FASTWS_DIAL_OPEN;
        report->text[0] = '\0';
        return 0;
    }
    if (error == FASTWS_ERR_TIMEOUT) error = FASTWS_ERR_DIAL_TIMEOUT;
    if (report->text[0] == '\0' || error == FASTWS_ERR_DIAL_TIMEOUT || error == FASTWS_ERR_DIAL_CANCELLED)
        return fws_dialing_fail(dialing, error, fastws_error_text(error));
    return error;
}

/* ---- The handshake ---- */

static void report_answer(struct fws_dialing *dialing, const struct fastws_dialer *dial, int result) {
    struct fastws_dial_report *report = dialing->report;
    int status = fastws_dial_status(dial);
    if (status != 0) report->status = status;
    (void)!fastws_dial_protocol(dial, &report->protocol); /* stays empty where there is none */
    report->has_deflate = fastws_dial_deflate(dial, &report->deflate) > 0;
    struct fastws_http_status_line line;
    if (result != FASTWS_ERR_HANDSHAKE_STATUS || fastws_dial_status_line(dial, &line) < 0) return;
    struct fastws_slice reason = fastws_http_trim(line.reason);
    if (reason.len == 0) {
        snprintf(report->text, sizeof report->text, "%d %s", status, fastws_http_status_text(status));
    } else {
        snprintf(report->text, sizeof report->text, "%d %.*s", status, reason.len < 200 ? (int)reason.len : 200,
                 reason.ptr);
    }
}

/* Writes where a redirect leads, as text with a NUL. */
static int follow(const struct fastws_dialer *dial, const struct fastws_url *url, char **next) {
    struct fastws_slice location;
    struct fastws_url target;
    TRY(fastws_dial_location(dial, &location));
    size_t cap = FASTWS_URL_RESOLVE_LEN(url, location);
    char *text = malloc(cap + 1);
    if (text == NULL) return FASTWS_ERR_NOMEM;
    ptrdiff_t len = fastws_url_resolve(text, cap, &target, url, location);
    /* What was to be private must not be said aloud because of a redirect. */
    if (len < 0 || (url->is_secure && !target.is_secure)) {
        free(text);
        return FASTWS_ERR_DIAL_REDIRECT;
    }
    text[len] = '\0';
    *next = text;
    return FASTWS_ERR_HANDSHAKE_REDIRECT;
}

/* Does the handshake over io and opens the stream.
 *   next   with FASTWS_ERR_HANDSHAKE_REDIRECT: where to, for the caller to free */
static int shake_hands(struct fws_dialing *dialing, const struct fastws_io *io, const struct fastws_url *url,
                       const struct fastws_dial_config *config, struct fastws_stream **out, char **next) {
    dialing->report->step = FASTWS_DIAL_HANDSHAKE;
    struct fastws_dialer *dial;
    struct fws_received received;
    TRY(fastws_dial_new(config, url, NULL, &dial));
    int result = fws_dialing_exchange(&dialing->limit, io, dial, &received);
    report_answer(dialing, dial, result);
    if (result == FASTWS_ERR_HANDSHAKE_REDIRECT) result = follow(dial, url, next);
    fastws_dial_free(dial);
    if (result < 0) return result;
    const struct fastws_dial_report *report = dialing->report;
    struct fastws_slice initial = {(const char *)received.bytes + received.used, received.len - received.used};
    return fws_stream_open_agreed(io, dialing->options->conn, config->deflate,
                                  report->has_deflate ? &report->deflate : NULL, initial, out);
}

int fastws_dial_over(const struct fastws_io *io, const char *url, const struct fastws_dial_options *options,
                     struct fastws_stream **out) {
    struct start start;
    int error = prepare(&start, url, options);
    if (error == 0 && (io->read == NULL || io->writev == NULL)) error = FASTWS_ERR_ARGUMENT;
    start.config.is_redirect_told = 0;
    if (error == 0) error = shake_hands(&start.dialing, io, &start.url, &start.config, out, NULL);
    return conclude(&start.dialing, error);
}

/* ---- The way ---- */

static void close_io(const struct fastws_io *io) {
    if (io->close != NULL) io->close(io->ctx);
}

/* Opens the byte stream below everything. */
static int open_bottom(struct fws_dialing *dialing, const struct fastws_url *to, struct fastws_io *io) {
    const struct fastws_dial_options *options = dialing->options;
    dialing->report->step = FASTWS_DIAL_CONNECT;
    int is_path = to->host_kind == FASTWS_HOST_UNIX, fd;
    char host[FWS_HOST_CAP];
    ptrdiff_t len = (ptrdiff_t)to->host.len;
    if (is_path) len = fastws_url_decode(host, sizeof host - 1, to->host);
    if (len < 0 || len >= (ptrdiff_t)sizeof host)
        return fws_dialing_fail(dialing, FASTWS_ERR_DIAL_CONNECT, "path of the socket is too long");
    if (!is_path) memcpy(host, to->host.ptr, to->host.len);
    host[len] = '\0';
    uint64_t until_ms = dialing->limit.until_ms;
    if (options->connect != NULL) return options->connect(options->context, host, to->port, until_ms, io);
    TRY(is_path ? fws_connect_unix(dialing, host, &fd) : fws_connect_tcp(dialing, host, to->port, &fd));
    fastws_io_from_fd(io, fd);
    return 0;
}

static int get_tls(struct fws_dialing *dialing, struct fastws_tls **out, struct fastws_tls_failure *failure) {
    *out = dialing->options->tls != NULL ? dialing->options->tls : dialing->own_tls;
    if (*out != NULL) return 0;
    struct fastws_tls_config config;
    fastws_tls_config_init(&config, FASTWS_ROLE_CLIENT);
    TRY(fastws_tls_new(&config, &dialing->own_tls, failure));
    *out = dialing->own_tls;
    return 0;
}

/* Puts TLS around io, for a host. */
static int add_tls(struct fws_dialing *dialing, const struct fastws_url *to, struct fastws_io *io) {
    dialing->report->step = FASTWS_DIAL_TLS;
    char host[FWS_HOST_CAP] = "localhost"; /* as the request says where a socket has no host */
    if (to->host_kind != FASTWS_HOST_UNIX) {
        memcpy(host, to->host.ptr, to->host.len);
        host[to->host.len] = '\0';
    }
    struct fastws_tls *tls;
    struct fastws_tls_failure failure = {.text = ""};
    struct fastws_io inside;
    int error = get_tls(dialing, &tls, &failure);
    if (error == 0) error = fws_tls_connect(tls, io, host, &dialing->limit, &inside, &failure);
    if (error == 0) {
        *io = inside;
        return 0;
    }
    dialing->report->verify_result = failure.verify_result;
    return fws_dialing_fail(dialing, error, failure.text);
}

/* Takes the steps behind the first one. io is what the caller has to close, whatever comes of it. */
static int go_on(struct fws_dialing *dialing, const struct fastws_url *url, const struct fws_proxy *proxy,
                 struct fastws_io *io) {
    const struct fastws_dial_options *options = dialing->options;
    if (proxy->kind == FWS_PROXY_HTTPS) TRY(add_tls(dialing, &proxy->url, io));
    if (proxy->kind != FWS_PROXY_NONE) TRY(fws_proxy_open(dialing, proxy, url, io));
    if (url->is_secure) TRY(add_tls(dialing, url, io));
    if (options->wrap == NULL) return 0;
    struct fastws_io wrapped = *io;
    int error = options->wrap(options->context, &wrapped);
    if (error == 0) *io = wrapped;
    return error;
}

/* Dials one address, without following a redirect. */
static int dial_once(struct fws_dialing *dialing, const struct fastws_url *url, const struct fastws_dial_config *config,
                     struct fastws_stream **out, char **next) {
    struct fws_proxy proxy;
    struct fastws_io io = {.ctx = NULL};
    TRY(fws_proxy_choose(dialing, url, &proxy));
    TRY(open_bottom(dialing, proxy.kind == FWS_PROXY_NONE ? url : &proxy.url, &io));
    int error = io.read != NULL && io.writev != NULL ? 0 : FASTWS_ERR_ARGUMENT;
    if (error == 0) error = go_on(dialing, url, &proxy, &io);
    if (error == 0) error = shake_hands(dialing, &io, url, config, out, next);
    if (error < 0) close_io(&io);
    return error;
}

/* ---- Redirects ---- */

static int is_credential(struct fastws_slice name) {
    return fastws_http_equals(name, "authorization") || fastws_http_equals(name, "cookie") ||
           fastws_http_equals(name, "proxy-authorization");
}

/* Takes out of a configuration what was meant for another server. dst has room for all its headers. */
static void strip(struct fastws_dial_config *config, struct fastws_http_header *dst) {
    size_t count = 0;
    for (size_t i = 0; i < config->headers.count; i++)
        if (!is_credential(config->headers.ptr[i].name)) dst[count++] = config->headers.ptr[i];
    config->headers = (struct fastws_http_headers){dst, count};
    config->host = (struct fastws_slice){NULL, 0};
}

/* Dials where a redirect leads. headers is memory for strip(). */
static int dial_next(struct start *start, const char *address, struct fastws_http_header *headers,
                     struct fastws_stream **out, char **next) {
    struct fastws_dial_config config = start->config;
    struct fastws_url url;
    TRY(fastws_url_parse(&url, address, strlen(address)));
    if (fastws_url_same_origin(&start->url, &url)) {
        url.has_userinfo = start->url.has_userinfo;
        url.user = start->url.user;
        url.password = start->url.password;
    } else {
        strip(&config, headers);
    }
    return dial_once(&start->dialing, &url, &config, out, next);
}

/* Dials the address, then where it leads. */
static int dial_all(struct start *start, struct fastws_http_header *headers, struct fastws_stream **out) {
    struct fastws_dial_report *report = start->dialing.report;
    char *next = NULL;
    int error = dial_once(&start->dialing, &start->url, &start->config, out, &next);
    while (error == FASTWS_ERR_HANDSHAKE_REDIRECT) {
        char *address = next;
        if (report->redirects == start->options.redirects_max) {
            error = fws_dialing_fail(&start->dialing, FASTWS_ERR_DIAL_REDIRECTS_MAX, "too many redirects");
        } else {
            report->redirects++;
            error = dial_next(start, address, headers, out, &next);
        }
        free(address);
    }
    return error;
}

int fastws_dial(const char *url, const struct fastws_dial_options *options, struct fastws_stream **out) {
    struct start start;
    int error = prepare(&start, url, options);
    if (error < 0) return conclude(&start.dialing, error);
    start.config.is_redirect_told = start.options.redirects_max > 0;
    struct fastws_http_header *headers = calloc(start.config.headers.count + 1, sizeof *headers);
    error = headers != NULL ? dial_all(&start, headers, out) : FASTWS_ERR_NOMEM;
    free(headers);
    return conclude(&start.dialing, error);
}
