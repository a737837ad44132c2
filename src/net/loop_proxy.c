/* SPDX-License-Identifier: MIT */
/* CONNECT without waiting: the request at once, the answer as it comes. RFC 9110 9.3.6. */
#define _POSIX_C_SOURCE 200809L
#include "loop_proxy.h"

#include <fastws/http_head.h>

enum { HEAD_CAP = 16 * 1024, HEADERS_CAP = 128 };

struct fws_proxy_talk {
    size_t request_len;
    size_t size; /* of all this */
    size_t len;  /* of the answer that has come */
    size_t off;  /* of it: interim heads that are done with */
    struct fastws_http_header headers[HEADERS_CAP];
    char answer[HEAD_CAP];
    char request[];
};

int fws_proxy_talk_new(struct fastws_loop *loop, const char *address, const struct fastws_url *url,
                       struct fastws_url *first, struct fws_proxy_talk **out) {
    struct fws_proxy proxy;
    if (fws_proxy_parse(&proxy, address) < 0 || proxy.kind != FWS_PROXY_HTTP) return FASTWS_ERR_PROXY_URL;
    size_t cap = fws_proxy_connect_cap(&proxy.url, url);
    struct fws_proxy_talk *talk = fws_loop_allocate(loop, sizeof *talk + cap);
    if (talk == NULL) return FASTWS_ERR_NOMEM;
    talk->size = sizeof *talk + cap;
    talk->len = talk->off = 0;
    ptrdiff_t len = fws_proxy_put_connect(talk->request, cap, &proxy.url, url);
    if (len < 0) {
        fws_loop_release(loop, talk, talk->size);
        return (int)len;
    }
    talk->request_len = (size_t)len;
    *first = proxy.url;
    *out = talk;
    return 0;
}

void fws_proxy_talk_free(struct fastws_loop *loop, struct fws_proxy_talk *talk) {
    fws_loop_release(loop, talk, talk->size);
}

const char *fws_proxy_talk_request(const struct fws_proxy_talk *talk, size_t *len) {
    *len = talk->request_len;
    return talk->request;
}

/* A server waits for us to speak first: bytes behind the head are the proxy's, or those of somebody who guessed. */
static int judge(const struct fws_proxy_talk *talk, int status) {
    if (status == 407) return FASTWS_ERR_PROXY_AUTH;
    if (status < 200 || status > 299) return FASTWS_ERR_PROXY_REFUSED;
    return talk->off == talk->len ? 1 : FASTWS_ERR_PROXY_ANSWER;
}

/* A limit of ours says so; all else is an answer that is none. */
static int name_error(int error) {
    int is_limit = error == FASTWS_ERR_HTTP_HEAD_TOO_LARGE || error == FASTWS_ERR_HTTP_TOO_MANY_HEADERS;
    return is_limit ? error : FASTWS_ERR_PROXY_ANSWER;
}

int fws_proxy_talk_feed(struct fws_proxy_talk *talk, const void *src, size_t len) {
    if (len > HEAD_CAP - talk->len) return FASTWS_ERR_HTTP_HEAD_TOO_LARGE;
    memcpy(talk->answer + talk->len, src, len);
    talk->len += len;
    for (;;) {
        struct fastws_http_head head;
        fastws_http_head_init(&head, talk->headers, HEADERS_CAP);
        int result = fastws_http_parse_response(&head, talk->answer + talk->off, talk->len - talk->off);
        if (result < 0) return name_error(result);
        if (result == 0) return talk->len < HEAD_CAP ? 0 : FASTWS_ERR_HTTP_HEAD_TOO_LARGE;
        talk->off += head.len;
        if (head.status.status >= 200) return judge(talk, head.status.status);
    }
}
