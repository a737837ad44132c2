/* SPDX-License-Identifier: MIT */
/* Finds the address that a redirect points to. RFC 3986 5.2, RFC 9110 10.2.2. */
#include "url.h"

#include <fastws/error.h>

#include "text.h"

static void put_slice(struct fws_text *text, struct fastws_slice slice) { fws_text_put(text, slice.ptr, slice.len); }

static void put_server(struct fws_text *text, const struct fastws_url *url) {
    int is_ipv6 = url->host_kind == FASTWS_HOST_IPV6;
    fws_text_put_string(text, url->is_secure ? "wss://" : "ws://");
    if (is_ipv6) fws_text_put_string(text, "[");
    put_slice(text, url->host);
    if (is_ipv6) fws_text_put_string(text, "]");
    if (url->port == (url->is_secure ? 443 : 80)) return;
    fws_text_put_string(text, ":");
    fws_text_put_number(text, url->port);
}

/* Returns the length of the path at the start of a target. */
static size_t path_len(struct fastws_slice target) {
    const char *query = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    return query != NULL ? (size_t)(query - target.ptr) : target.len;
}

/* Writes "/" and a segment behind what text holds from off on; "." and ".." are done instead. RFC 3986 5.2.4. */
static void put_segment(struct fws_text *text, size_t off, struct fastws_slice segment, int is_last) {
    int is_up = segment.len == 2 && segment.ptr[0] == '.' && segment.ptr[1] == '.';
    int is_dot = is_up || (segment.len == 1 && segment.ptr[0] == '.');
    if (is_up && text->len <= text->cap) {
        while (text->len > off && text->ptr[--text->len] != '/') {}
    }
    if (!is_dot || is_last) fws_text_put_string(text, "/");
    if (!is_dot) put_slice(text, segment);
}

/* Writes the segments of a path, which is given without its first slash. */
static void put_segments(struct fws_text *text, size_t off, struct fastws_slice path) {
    for (;;) {
        const char *slash = path.len > 0 ? memchr(path.ptr, '/', path.len) : NULL;
        size_t len = slash != NULL ? (size_t)(slash - path.ptr) : path.len;
        put_segment(text, off, (struct fastws_slice){path.ptr, len}, slash == NULL);
        if (slash == NULL) return;
        path = (struct fastws_slice){slash + 1, path.len - len - 1};
    }
}

/* Writes a path that begins with a slash, or is empty. */
static void put_path(struct fws_text *text, struct fastws_slice path) {
    if (path.len > 0) put_segments(text, text->len, (struct fastws_slice){path.ptr + 1, path.len - 1});
}

/* Removes the last segment and its slash: a reference takes its place. RFC 3986 5.2.3. */
static void drop_segment(struct fws_text *text, size_t off) {
    while (text->len > off && text->len <= text->cap && text->ptr[--text->len] != '/') {}
}

/* Cuts the fragment off, and checks the rest of a reference without a server. */
static int check_reference(struct fastws_slice *reference) {
    const char *hash = reference->len > 0 ? memchr(reference->ptr, '#', reference->len) : NULL;
    if (hash != NULL) reference->len = (size_t)(hash - reference->ptr);
    return reference->len > 0 && !fastws_http_is_target(*reference) ? FASTWS_ERR_URL_TARGET : 0;
}

/* Writes the target of base changed by a reference without a server. */
static int put_relative(struct fws_text *text, const struct fastws_url *base, struct fastws_slice reference) {
    TRY(check_reference(&reference));
    size_t off = text->len;
    struct fastws_slice base_path = {base->target.ptr, path_len(base->target)};
    struct fastws_slice path = {reference.ptr, path_len(reference)};
    if (reference.len == 0) {
        put_slice(text, base->target);
    } else if (path.len == 0) {
        put_slice(text, base_path);
    } else if (path.ptr[0] == '/') {
        put_path(text, path);
    } else {
        put_path(text, base_path);
        drop_segment(text, off);
        put_segments(text, off, path);
    }
    fws_text_put(text, reference.ptr + path.len, reference.len - path.len);
    return 0;
}

/* Says whether text begins with a scheme and its colon. RFC 3986 3.1. */
static int has_scheme(struct fastws_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ':') return i > 0;
        int is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        int is_other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter && !(is_other && i > 0)) return 0;
    }
    return 0;
}

/* Writes the address of a reference that names its server, behind "//". */
static int put_absolute(struct fws_text *text, struct fastws_slice reference, int is_secure) {
    struct fastws_url url = {.is_secure = (uint8_t)is_secure, .port = is_secure ? 443 : 80};
    struct fastws_slice rest;
    TRY(fws_url_parse_authority(&url, reference, &rest));
    TRY(check_reference(&rest));
    put_server(text, &url);
    struct fastws_slice path = {rest.ptr, path_len(rest)};
    put_path(text, path);
    fws_text_put(text, rest.ptr + path.len, rest.len - path.len);
    return 0;
}

static int put_resolved(struct fws_text *text, const struct fastws_url *base, struct fastws_slice reference) {
    if (fws_url_take_prefix(&reference, "ws://") || fws_url_take_prefix(&reference, "http://"))
        return put_absolute(text, reference, 0);
    if (fws_url_take_prefix(&reference, "wss://") || fws_url_take_prefix(&reference, "https://"))
        return put_absolute(text, reference, 1);
    if (has_scheme(reference)) return FASTWS_ERR_URL_SCHEME;
    if (fws_url_take_prefix(&reference, "//")) return put_absolute(text, reference, base->is_secure);
    put_server(text, base);
    return put_relative(text, base, reference);
}

ptrdiff_t fastws_url_resolve(char *dst, size_t cap, struct fastws_url *out, const struct fastws_url *base,
                             struct fastws_slice reference) {
    if (base->host_kind == FASTWS_HOST_UNIX) return FASTWS_ERR_URL_HOST;
    struct fws_text text = {dst, cap, 0};
    TRY(put_resolved(&text, base, reference));
    if (text.len > cap) return FASTWS_ERR_BUFFER_SIZE;
    TRY(fastws_url_parse(out, dst, text.len));
    return (ptrdiff_t)text.len;
}
