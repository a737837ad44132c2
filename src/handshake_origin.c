/* SPDX-License-Identifier: MIT */
/* Which page a request comes from. RFC 6454, RFC 6455 10.2. */
#include <fastws/handshake.h>

#include <fastws/http.h>

#include "platform.h"

struct origin {
    struct fastws_slice scheme; /* empty: the origin is "null" */
    struct fastws_slice host;
    struct fastws_slice port; /* without zeros in front; empty if it is that of the scheme */
};

static int is_same(struct fastws_slice a, struct fastws_slice b) {
    if (a.len != b.len) return 0;
    for (size_t i = 0; i < a.len; i++) {
        char x = a.ptr[i], y = b.ptr[i];
        if (x >= 'A' && x <= 'Z') x = (char)(x | 0x20);
        if (y >= 'A' && y <= 'Z') y = (char)(y | 0x20);
        if (x != y) return 0;
    }
    return 1;
}

static struct fastws_slice default_port(struct fastws_slice scheme) {
    if (fastws_http_equals(scheme, "http") || fastws_http_equals(scheme, "ws")) return (struct fastws_slice){"80", 2};
    if (fastws_http_equals(scheme, "https") || fastws_http_equals(scheme, "wss"))
        return (struct fastws_slice){"443", 3};
    return (struct fastws_slice){NULL, 0};
}

/* Splits host [ ":" port ]. Returns 1, or 0 if it is no such thing. */
static int split_authority(struct origin *out, struct fastws_slice authority) {
    if (!fastws_http_is_host(authority)) return 0;
    size_t host_len = authority.len;
    while (host_len > 0 && authority.ptr[host_len - 1] >= '0' && authority.ptr[host_len - 1] <= '9') host_len--;
    int has_port = host_len > 0 && authority.ptr[host_len - 1] == ':';
    if (!has_port) host_len = authority.len + 1;
    out->host = (struct fastws_slice){authority.ptr, host_len - 1};
    size_t port_off = has_port ? host_len : authority.len;
    while (port_off < authority.len && authority.ptr[port_off] == '0') port_off++;
    out->port = (struct fastws_slice){authority.ptr + port_off, authority.len - port_off};
    if (is_same(out->port, default_port(out->scheme))) out->port.len = 0;
    return 1;
}

/* Returns 1, or 0 if it is no origin. */
static int parse(struct origin *out, struct fastws_slice text) {
    *out = (struct origin){.scheme = {NULL, 0}};
    if (fastws_http_equals(text, "null")) return 1;
    size_t i = 0;
    while (i < text.len && text.ptr[i] != ':') i++;
    if (i == 0 || text.len - i < 3 || memcmp(text.ptr + i, "://", 3) != 0) return 0;
    out->scheme = (struct fastws_slice){text.ptr, i};
    if (!fastws_http_is_token(out->scheme)) return 0;
    return split_authority(out, (struct fastws_slice){text.ptr + i + 3, text.len - i - 3});
}

int fastws_origin_is_host(struct fastws_slice origin, struct fastws_slice host) {
    struct origin a, b;
    if (!parse(&a, origin)) return 0;
    if (!fastws_http_equals(a.scheme, "http") && !fastws_http_equals(a.scheme, "https")) return 0;
    b.scheme = a.scheme;
    return split_authority(&b, host) && is_same(a.host, b.host) && is_same(a.port, b.port);
}

int fastws_origin_equals(struct fastws_slice a, struct fastws_slice b) {
    struct origin x, y;
    if (!parse(&x, a) || !parse(&y, b)) return 0;
    return is_same(x.scheme, y.scheme) && is_same(x.host, y.host) && is_same(x.port, y.port);
}
