/* SPDX-License-Identifier: MIT */
/* Asks a proxy for a connection: HTTP CONNECT (RFC 9110 9.3.6), or SOCKS 5 (RFC 1928) with a password (RFC 1929). */
#define _POSIX_C_SOURCE 200809L
#include "proxy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include <fastws/error.h>
#include <fastws/http_head.h>

#include "../base64.h"
#include "../text.h"
#include "../url.h"
#include "io.h"

enum {
    HEAD_CAP = 16 * 1024, /* bytes of the heads of an answer */
    HEADERS_CAP = 128,
    SOCKS_VERSION = 5,
    SOCKS_PASSWORD = 2 /* the method */
};

static int fail_early(struct fws_dialing *dialing) {
    return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_ANSWER, "proxy ended the stream");
}

/* ---- CONNECT ---- */

static void put_slice(struct fws_text *text, struct fastws_slice slice) { fws_text_put(text, slice.ptr, slice.len); }

static void put_server(struct fws_text *text, const struct fastws_url *url) {
    int is_ipv6 = url->host_kind == FASTWS_HOST_IPV6;
    fws_text_put_string(text, is_ipv6 ? "[" : "");
    put_slice(text, url->host);
    fws_text_put_string(text, is_ipv6 ? "]:" : ":");
    fws_text_put_number(text, url->port);
}

static size_t credentials_cap(const struct fastws_url *proxy) { return proxy->user.len + proxy->password.len + 1; }

/* Writes user and password in base64; they are decoded into plain before. */
static int put_credentials(struct fws_text *text, const struct fastws_url *proxy, char *plain) {
    size_t user_len;
    ptrdiff_t len = fws_url_credentials(plain, credentials_cap(proxy), proxy, &user_len);
    if (len < 0) return FASTWS_ERR_PROXY_URL;
    fws_text_put_string(text, "Proxy-Authorization: Basic ");
    fws_base64_encode(text->ptr + text->len, plain, (size_t)len);
    text->len += FWS_BASE64_LEN((size_t)len);
    fws_text_put_string(text, "\r\n");
    return 0;
}

size_t fws_proxy_connect_cap(const struct fastws_url *proxy, const struct fastws_url *url) {
    size_t plain_cap = credentials_cap(proxy);
    return 2 * (url->host.len + 16) + FWS_BASE64_LEN(plain_cap) + 128 + plain_cap;
}

/* The end of dst is where the credentials are decoded. */
ptrdiff_t fws_proxy_put_connect(char *dst, size_t cap, const struct fastws_url *proxy, const struct fastws_url *url) {
    size_t plain_cap = credentials_cap(proxy);
    struct fws_text text = {dst, cap - plain_cap, 0};
    fws_text_put_string(&text, "CONNECT ");
    put_server(&text, url);
    fws_text_put_string(&text, " HTTP/1.1\r\nHost: ");
    put_server(&text, url);
    fws_text_put_string(&text, "\r\n");
    if (proxy->has_userinfo) TRY(put_credentials(&text, proxy, dst + cap - plain_cap));
    fws_text_put_string(&text, "\r\n");
    return (ptrdiff_t)text.len;
}

static int write_connect(struct fws_dialing *dialing, const struct fastws_url *proxy, const struct fastws_url *url,
                         const struct fastws_io *io) {
    size_t cap = fws_proxy_connect_cap(proxy, url);
    char *request = malloc(cap);
    if (request == NULL) return fws_dialing_fail(dialing, FASTWS_ERR_NOMEM, "out of memory");
    ptrdiff_t len = fws_proxy_put_connect(request, cap, proxy, url);
    int error = len < 0 ? (int)len : fws_io_write(io, request, (size_t)len, &dialing->limit);
    free(request);
    return error;
}

/* What has come of an answer. */
struct answer {
    struct fastws_http_header headers[HEADERS_CAP];
    struct fastws_http_head head;
    size_t len;
    char bytes[HEAD_CAP];
};

/* A limit of ours says so, whoever it is that goes beyond it; all else is an answer that is none. */
static int fail_head(struct fws_dialing *dialing, int error) {
    int is_limit = error == FASTWS_ERR_HTTP_HEAD_TOO_LARGE || error == FASTWS_ERR_HTTP_TOO_MANY_HEADERS;
    return fws_dialing_fail(dialing, is_limit ? error : FASTWS_ERR_PROXY_ANSWER, fastws_error_text(error));
}

/* Reads the head that starts at off. */
static int read_head(struct fws_dialing *dialing, const struct fastws_io *io, struct answer *answer, size_t off) {
    fastws_http_head_init(&answer->head, answer->headers, HEADERS_CAP);
    for (;;) {
        int result = fastws_http_parse_response(&answer->head, answer->bytes + off, answer->len - off);
        if (result > 0) return 0;
        if (result < 0) return fail_head(dialing, result);
        if (answer->len == HEAD_CAP) return fail_head(dialing, FASTWS_ERR_HTTP_HEAD_TOO_LARGE);
        ptrdiff_t n = fws_io_read(io, answer->bytes + answer->len, HEAD_CAP - answer->len, &dialing->limit);
        if (n == 0) return fail_early(dialing);
        if (n < 0) return (int)n;
        answer->len += (size_t)n;
    }
}

static int judge_answer(struct fws_dialing *dialing, const struct answer *answer, size_t head_end) {
    int status = answer->head.status.status;
    if (status >= 200 && status < 300) {
        /* A server waits for us to speak first: these bytes are the proxy's, or those of somebody who guessed. */
        if (head_end == answer->len) return 0;
        return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_ANSWER, "proxy sent bytes behind its answer");
    }
    char text[128];
    struct fastws_slice reason = fastws_http_trim(answer->head.status.reason);
    snprintf(text, sizeof text, "proxy: %d %.*s", status, reason.len < 80 ? (int)reason.len : 80, reason.ptr);
    return fws_dialing_fail(dialing, status == 407 ? FASTWS_ERR_PROXY_AUTH : FASTWS_ERR_PROXY_REFUSED, text);
}

static int read_answer(struct fws_dialing *dialing, const struct fastws_io *io, struct answer *answer) {
    size_t off = 0;
    answer->len = 0;
    do {
        TRY(read_head(dialing, io, answer, off));
        off += answer->head.len;
        dialing->report->status = answer->head.status.status;
    } while (answer->head.status.status < 200);
    return judge_answer(dialing, answer, off);
}

static int open_by_http(struct fws_dialing *dialing, const struct fastws_url *proxy, const struct fastws_url *url,
                        const struct fastws_io *io) {
    TRY(write_connect(dialing, proxy, url, io));
    struct answer *answer = malloc(sizeof *answer);
    if (answer == NULL) return fws_dialing_fail(dialing, FASTWS_ERR_NOMEM, "out of memory");
    int error = read_answer(dialing, io, answer);
    free(answer);
    return error;
}

/* ---- SOCKS 5 ---- */

static int fail_foreign(struct fws_dialing *dialing) {
    return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_ANSWER, "proxy speaks no SOCKS 5");
}

static int read_exactly(struct fws_dialing *dialing, const struct fastws_io *io, uint8_t *dst, size_t len) {
    for (size_t off = 0; off < len;) {
        ptrdiff_t n = fws_io_read(io, dst + off, len - off, &dialing->limit);
        if (n == 0) return fail_early(dialing);
        if (n < 0) return (int)n;
        off += (size_t)n;
    }
    return 0;
}

/* RFC 1929. */
static int send_password(struct fws_dialing *dialing, const struct fastws_url *proxy, const struct fastws_io *io) {
    enum { PART_MAX = 255 };
    char plain[2 * PART_MAX + 1];
    size_t user_len;
    ptrdiff_t len = fws_url_credentials(plain, sizeof plain, proxy, &user_len);
    if (len < 0) return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_URL, fastws_error_text((int)len));
    size_t password_len = (size_t)len - user_len - 1;
    if (user_len > PART_MAX || password_len > PART_MAX) return FASTWS_ERR_PROXY_CREDENTIALS;
    uint8_t request[3 + 2 * PART_MAX]; /* version | user length | user | password length | password */
    request[0] = 1;
    request[1] = (uint8_t)user_len;
    memcpy(request + 2, plain, user_len);
    request[2 + user_len] = (uint8_t)password_len;
    memcpy(request + 3 + user_len, plain + user_len + 1, password_len);
    TRY(fws_io_write(io, request, 3 + user_len + password_len, &dialing->limit));
    uint8_t answer[2]; /* version | status */
    TRY(read_exactly(dialing, io, answer, sizeof answer));
    if (answer[0] != 1) return fail_foreign(dialing);
    return answer[1] == 0 ? 0 : fws_dialing_fail(dialing, FASTWS_ERR_PROXY_AUTH, "proxy refused user and password");
}

/* RFC 1928 section 3: version | number of methods | methods. */
static int agree_on_method(struct fws_dialing *dialing, const struct fastws_url *proxy, const struct fastws_io *io) {
    const uint8_t methods[] = {SOCKS_VERSION, (uint8_t)(1 + proxy->has_userinfo), 0, SOCKS_PASSWORD};
    TRY(fws_io_write(io, methods, 3u + proxy->has_userinfo, &dialing->limit));
    uint8_t answer[2];
    TRY(read_exactly(dialing, io, answer, sizeof answer));
    if (answer[0] != SOCKS_VERSION) return fail_foreign(dialing);
    if (answer[1] == 0) return 0;
    if (answer[1] == SOCKS_PASSWORD && proxy->has_userinfo) return send_password(dialing, proxy, io);
    if (answer[1] == 0xff) return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_AUTH, "proxy wants credentials");
    return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_ANSWER, "proxy chose a method that was not offered");
}

/* Writes "type | address" of a host. Returns its length, or an error. */
static ptrdiff_t put_address(struct fws_dialing *dialing, uint8_t dst[2 + FWS_HOST_CAP], const struct fastws_url *url,
                             int is_name_sent) {
    char host[FWS_HOST_CAP];
    if (url->host.len >= sizeof host) return FASTWS_ERR_ARGUMENT;
    memcpy(host, url->host.ptr, url->host.len);
    host[url->host.len] = '\0';
    if (url->host_kind == FASTWS_HOST_NAME && is_name_sent) {
        dst[0] = 3;
        dst[1] = (uint8_t)url->host.len;
        memcpy(dst + 2, host, url->host.len);
        return (ptrdiff_t)url->host.len + 2;
    }
    struct addrinfo *list;
    TRY(fws_connect_resolve(dialing, host, url->port, &list));
    dialing->report->step = FASTWS_DIAL_PROXY;
    int is_ipv6 = list->ai_family == AF_INET6;
    dst[0] = is_ipv6 ? 4 : 1;
    if (is_ipv6) {
        memcpy(dst + 1, &((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr, 16);
    } else {
        memcpy(dst + 1, &((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr, 4);
    }
    freeaddrinfo(list);
    return is_ipv6 ? 17 : 5;
}

/* RFC 1928 section 6. */
static int judge_reply(struct fws_dialing *dialing, uint8_t reply) {
    static const char *const texts[] = {"",
                                        "proxy: general failure",
                                        "proxy: not allowed by its rules",
                                        "proxy: network unreachable",
                                        "proxy: host unreachable",
                                        "proxy: connection refused",
                                        "proxy: time to live expired",
                                        "proxy: command not supported",
                                        "proxy: address type not supported"};
    if (reply == 0) return 0;
    const char *text = reply < sizeof texts / sizeof texts[0] ? texts[reply] : "proxy: unknown reply";
    return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_REFUSED, text);
}

/* Reads version | reply | 0 | type | address | port; where the proxy connected from is of no interest. */
static int read_reply(struct fws_dialing *dialing, const struct fastws_io *io) {
    uint8_t reply[4], rest[256 + 2];
    TRY(read_exactly(dialing, io, reply, sizeof reply));
    if (reply[0] != SOCKS_VERSION) return fail_foreign(dialing);
    TRY(judge_reply(dialing, reply[1]));
    size_t len = reply[3] == 1 ? 4 : 16;
    if (reply[3] == 3) {
        TRY(read_exactly(dialing, io, rest, 1));
        len = rest[0];
    } else if (reply[3] != 1 && reply[3] != 4) {
        return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_ANSWER, "proxy sent an unknown type of address");
    }
    return read_exactly(dialing, io, rest, len + 2);
}

static int open_by_socks(struct fws_dialing *dialing, const struct fws_proxy *proxy, const struct fastws_url *url,
                         const struct fastws_io *io) {
    uint8_t request[3 + 2 + FWS_HOST_CAP + 2] = {SOCKS_VERSION, 1, 0}; /* version | connect | 0 | address | port */
    ptrdiff_t len = put_address(dialing, request + 3, url, proxy->kind == FWS_PROXY_SOCKS5H);
    if (len < 0) return (int)len;
    fws_store_be16(request + 3 + len, url->port);
    TRY(agree_on_method(dialing, &proxy->url, io));
    TRY(fws_io_write(io, request, 3 + (size_t)len + 2, &dialing->limit));
    return read_reply(dialing, io);
}

int fws_proxy_open(struct fws_dialing *dialing, const struct fws_proxy *proxy, const struct fastws_url *url,
                   const struct fastws_io *io) {
    dialing->report->step = FASTWS_DIAL_PROXY;
    int is_http = proxy->kind == FWS_PROXY_HTTP || proxy->kind == FWS_PROXY_HTTPS;
    return is_http ? open_by_http(dialing, &proxy->url, url, io) : open_by_socks(dialing, proxy, url, io);
}
