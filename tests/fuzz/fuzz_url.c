/* SPDX-License-Identifier: MIT */
/* Addresses of any bytes: parts lie inside and give the same address again; references resolve to addresses. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/url.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void check_inside(struct fastws_slice part, const char *text, size_t len) {
    if (part.len == 0) return;
    CHECK(part.ptr >= text && part.ptr <= text + len && part.len <= len - (size_t)(part.ptr - text));
}

static int is_same(struct fastws_slice a, struct fastws_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Appends a string and a slice. */
static char *put(char *dst, const char *string, struct fastws_slice slice) {
    size_t len = strlen(string);
    memcpy(dst, string, len);
    if (slice.len > 0) memcpy(dst + len, slice.ptr, slice.len);
    return dst + len + slice.len;
}

/* Writes the address that the parts describe. Returns its length. */
static size_t write_url(char *dst, const struct fastws_url *url) {
    const struct fastws_slice none = {NULL, 0};
    int is_unix = url->host_kind == FASTWS_HOST_UNIX, is_ipv6 = url->host_kind == FASTWS_HOST_IPV6;
    char *p = put(dst, url->is_secure ? "wss" : "ws", none);
    p = put(p, is_unix ? "+unix://" : "://", none);
    if (url->has_userinfo) {
        p = put(p, "", url->user);
        p = put(p, ":", url->password);
        p = put(p, "@", none);
    }
    p = put(p, is_ipv6 ? "[" : "", url->host);
    if (is_ipv6) p = put(p, "]", none);
    if (!is_unix) p += sprintf(p, ":%u", url->port);
    p = put(p, is_unix ? ":" : "", url->target);
    return (size_t)(p - dst);
}

static void check_url(const struct fastws_url *url, const char *text, size_t len) {
    check_inside(url->user, text, len);
    check_inside(url->password, text, len);
    check_inside(url->host, text, len);
    check_inside(url->target, text, len);
    CHECK(url->host.len > 0);
    CHECK((url->port == 0) == (url->host_kind == FASTWS_HOST_UNIX));
    CHECK(url->target.len == 0 || url->target.ptr[0] == '/' || url->target.ptr[0] == '?');
    CHECK(url->target.len == 0 || memchr(url->target.ptr, '#', url->target.len) == NULL);

    char *again = malloc(len + 32);
    CHECK(again != NULL);
    size_t again_len = write_url(again, url);
    struct fastws_url twin;
    CHECK(fastws_url_parse(&twin, again, again_len) == 0);
    CHECK(twin.is_secure == url->is_secure && twin.host_kind == url->host_kind && twin.port == url->port);
    CHECK(is_same(twin.user, url->user) && is_same(twin.password, url->password));
    CHECK(is_same(twin.host, url->host) && is_same(twin.target, url->target));
    CHECK(fastws_url_same_origin(url, &twin));
    free(again);
}

/* Whatever a server sends, the result is an address without credentials that fits. */
static void check_reference(const char *base_text, struct fastws_slice reference) {
    struct fastws_url base, out;
    CHECK(fastws_url_parse(&base, base_text, strlen(base_text)) == 0);
    size_t cap = FASTWS_URL_RESOLVE_LEN(&base, reference);
    char *dst = malloc(cap);
    CHECK(dst != NULL);
    ptrdiff_t len = fastws_url_resolve(dst, cap, &out, &base, reference);
    CHECK(len != FASTWS_ERR_BUFFER_SIZE);
    if (len >= 0) {
        CHECK((size_t)len <= cap && out.has_userinfo == 0 && out.host_kind != FASTWS_HOST_UNIX);
        check_url(&out, dst, (size_t)len);
        char *small = malloc((size_t)len);
        CHECK(small != NULL);
        CHECK(fastws_url_resolve(small, (size_t)len - 1, &out, &base, reference) == FASTWS_ERR_BUFFER_SIZE);
        free(small);
    }
    free(dst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    struct fastws_url url;
    if (fastws_url_parse(&url, text, size) == 0) check_url(&url, text, size);
    struct fastws_slice slice = {text, size};
    check_reference("ws://a/b/c/d;p?q", slice);
    check_reference("wss://u:p@[::1]:8443", slice);
    char *decoded = malloc(size > 0 ? size : 1);
    CHECK(decoded != NULL);
    CHECK(fastws_url_decode(decoded, size, slice) <= (ptrdiff_t)size);
    free(decoded);
    return 0;
}
