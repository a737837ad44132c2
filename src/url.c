/* SPDX-License-Identifier: MIT */
/* Takes the addresses of servers apart. RFC 3986, RFC 6455 section 3. */
#include "url.h"

#include <fastws/error.h>

enum { NAME_MAX_LEN = 253, LABEL_MAX_LEN = 63 }; /* RFC 1035 2.3.4, as text */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Returns the value of a hexadecimal digit, -1 for another byte. */
static int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static struct fastws_slice slice_from(struct fastws_slice text, size_t off) {
    return (struct fastws_slice){text.ptr + off, text.len - off};
}

/* Returns the offset of the first byte that is one of set, text.len if there is none. */
static size_t find_any(struct fastws_slice text, const char *set) {
    size_t i = 0;
    while (i < text.len && (text.ptr[i] == '\0' || strchr(set, text.ptr[i]) == NULL)) i++;
    return i;
}

int fws_url_take_prefix(struct fastws_slice *text, const char *lower) {
    size_t len = strlen(lower);
    if (text->len < len || !fastws_http_equals((struct fastws_slice){text->ptr, len}, lower)) return 0;
    *text = slice_from(*text, len);
    return 1;
}

/* ---- Percent-encoding ---- */

static int is_encoding(struct fastws_slice text, size_t i) {
    return text.len - i >= 3 && hex_value(text.ptr[i + 1]) >= 0 && hex_value(text.ptr[i + 2]) >= 0;
}

ptrdiff_t fastws_url_decode(void *dst, size_t cap, struct fastws_slice text) {
    char *out = dst;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++, len++) {
        int value = (uint8_t)text.ptr[i];
        if (value == '%') {
            if (!is_encoding(text, i)) return FASTWS_ERR_ARGUMENT;
            value = hex_value(text.ptr[i + 1]) << 4 | hex_value(text.ptr[i + 2]);
            i += 2;
        }
        if (len == cap) return FASTWS_ERR_BUFFER_SIZE;
        out[len] = (char)value;
    }
    return (ptrdiff_t)len;
}

/* Like fastws_url_decode(), but refuses control bytes, which no credentials may hold. RFC 7617 section 2. */
static ptrdiff_t decode_visible(char *dst, size_t cap, struct fastws_slice text) {
    ptrdiff_t len = fastws_url_decode(dst, cap, text);
    if (len < 0) return FASTWS_ERR_URL_USERINFO;
    for (ptrdiff_t i = 0; i < len; i++)
        if ((uint8_t)dst[i] < 0x20 || dst[i] == 0x7f) return FASTWS_ERR_URL_USERINFO;
    return len;
}

ptrdiff_t fws_url_credentials(char *dst, size_t cap, const struct fastws_url *url, size_t *user_len) {
    ptrdiff_t first = decode_visible(dst, cap, url->user);
    if (first < 0) return first;
    /* RFC 7617 section 2: the first colon ends the user's name. */
    if (first > 0 && memchr(dst, ':', (size_t)first) != NULL) return FASTWS_ERR_URL_USERINFO;
    if ((size_t)first == cap) return FASTWS_ERR_URL_USERINFO;
    dst[first] = ':';
    ptrdiff_t second = decode_visible(dst + first + 1, cap - (size_t)first - 1, url->password);
    if (second < 0) return second;
    *user_len = (size_t)first;
    return first + 1 + second;
}

/* ---- The host ---- */

/* Takes a decimal number of at most three digits, up to 255, without a leading zero. Returns its digits, or 0. */
static size_t skip_octet(struct fastws_slice text) {
    size_t i = 0;
    int value = 0;
    while (i < text.len && i < 3 && is_digit(text.ptr[i])) value = value * 10 + (text.ptr[i++] - '0');
    if (value > 255 || (i > 1 && text.ptr[0] == '0')) return 0;
    return i;
}

static int is_ipv4(struct fastws_slice text) {
    for (int part = 0; part < 4; part++) {
        if (part > 0) {
            if (text.len == 0 || text.ptr[0] != '.') return 0;
            text = slice_from(text, 1);
        }
        size_t len = skip_octet(text);
        if (len == 0) return 0;
        text = slice_from(text, len);
    }
    return text.len == 0;
}

/* Returns the number of hexadecimal digits at the start of text, at most 5. */
static size_t count_hex(struct fastws_slice text) {
    size_t i = 0;
    while (i < text.len && i < 5 && hex_value(text.ptr[i]) >= 0) i++;
    return i;
}

/* RFC 3986 3.2.2: eight groups of one to four digits; the last two may be an IPv4 address; "::" stands for one group or
 * more, once. */
static int is_ipv6(struct fastws_slice text) {
    int groups = 0, has_gap = 0;
    if (text.len >= 2 && text.ptr[0] == ':' && text.ptr[1] == ':') {
        has_gap = 1;
        text = slice_from(text, 2);
    }
    while (text.len > 0) {
        if (groups <= 6 && is_ipv4(text)) {
            groups += 2;
            break;
        }
        size_t digits = count_hex(text);
        if (digits == 0 || digits > 4) return 0;
        groups++;
        text = slice_from(text, digits);
        if (text.len == 0) break;
        if (text.ptr[0] != ':' || text.len == 1) return 0;
        text = slice_from(text, 1);
        if (text.ptr[0] != ':') continue;
        if (has_gap) return 0;
        has_gap = 1;
        text = slice_from(text, 1);
    }
    return has_gap ? groups <= 7 : groups == 8;
}

/* Resolvers take "127.1", "0177.0.0.1" and "0x7f000001" for IPv4 addresses: what ends in a number is an address, or
 * nothing. */
static int ends_in_number(struct fastws_slice text) {
    if (text.len > 0 && text.ptr[text.len - 1] == '.') text.len--;
    size_t start = text.len;
    while (start > 0 && text.ptr[start - 1] != '.') start--;
    struct fastws_slice label = slice_from(text, start);
    int is_hex = fws_url_take_prefix(&label, "0x");
    for (size_t i = 0; i < label.len; i++)
        if (is_hex ? hex_value(label.ptr[i]) < 0 : !is_digit(label.ptr[i])) return 0;
    return is_hex || label.len > 0;
}

static int is_name(struct fastws_slice text) {
    if (text.len > 0 && text.ptr[text.len - 1] == '.') text.len--;
    if (text.len == 0 || text.len > NAME_MAX_LEN) return 0;
    size_t label_len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int is_dot = c == '.';
        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_' && !is_dot) return 0;
        if (is_dot ? label_len == 0 : label_len == LABEL_MAX_LEN) return 0;
        label_len = is_dot ? 0 : label_len + 1;
    }
    return label_len > 0;
}

int fws_url_host_kind(struct fastws_slice text, int is_bracketed) {
    if (is_bracketed) return is_ipv6(text) ? (int)FASTWS_HOST_IPV6 : (int)FASTWS_ERR_URL_HOST;
    if (is_ipv4(text)) return FASTWS_HOST_IPV4;
    return is_name(text) && !ends_in_number(text) ? (int)FASTWS_HOST_NAME : (int)FASTWS_ERR_URL_HOST;
}

/* ---- The authority ---- */

/* RFC 3986 3.2.1: unreserved, sub-delims, ':' and percent-encodings. */
static int check_userinfo(struct fastws_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_letter(c) || is_digit(c)) continue;
        if (c == '%' ? !is_encoding(text, i) : c == '\0' || strchr("-._~!$&'()*+,;=:", c) == NULL)
            return FASTWS_ERR_URL_USERINFO;
    }
    return 0;
}

static int parse_userinfo(struct fastws_url *out, struct fastws_slice text) {
    TRY(check_userinfo(text));
    size_t colon = find_any(text, ":");
    out->has_userinfo = 1;
    out->user = (struct fastws_slice){text.ptr, colon};
    out->password = colon < text.len ? slice_from(text, colon + 1) : (struct fastws_slice){NULL, 0};
    return 0;
}

/* An empty port is the default. Leading zeros are allowed, as the grammar has them. */
static int parse_port(struct fastws_url *out, struct fastws_slice text) {
    if (text.len == 0) return 0;
    unsigned port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i])) return FASTWS_ERR_URL_PORT;
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
        if (port > 65535) return FASTWS_ERR_URL_PORT;
    }
    if (port == 0) return FASTWS_ERR_URL_PORT;
    out->port = (uint16_t)port;
    return 0;
}

static int parse_host_and_port(struct fastws_url *out, struct fastws_slice text) {
    int is_bracketed = text.len > 0 && text.ptr[0] == '[';
    size_t end = find_any(text, is_bracketed ? "]" : ":");
    if (is_bracketed && end == text.len) return FASTWS_ERR_URL_HOST;
    struct fastws_slice host = {text.ptr + is_bracketed, end - (size_t)is_bracketed};
    int kind = fws_url_host_kind(host, is_bracketed);
    if (kind < 0) return kind;
    out->host_kind = (uint8_t)kind;
    out->host = host;
    struct fastws_slice rest = slice_from(text, end + (size_t)is_bracketed);
    if (rest.len == 0) return 0;
    if (rest.ptr[0] != ':') return FASTWS_ERR_URL_HOST;
    return parse_port(out, slice_from(rest, 1));
}

int fws_url_parse_authority(struct fastws_url *out, struct fastws_slice text, struct fastws_slice *rest) {
    size_t end = find_any(text, "/?#");
    struct fastws_slice authority = {text.ptr, end};
    size_t at = find_any(authority, "@");
    if (at < authority.len) {
        TRY(parse_userinfo(out, (struct fastws_slice){authority.ptr, at}));
        authority = slice_from(authority, at + 1);
    }
    TRY(parse_host_and_port(out, authority));
    *rest = slice_from(text, end);
    return 0;
}

/* ---- The whole ---- */

/* Takes the fragment off, and checks it and what stays. */
static int parse_target(struct fastws_url *out, struct fastws_slice text) {
    size_t hash = find_any(text, "#");
    struct fastws_slice target = {text.ptr, hash};
    if (target.len > 0 && !fastws_http_is_target(target)) return FASTWS_ERR_URL_TARGET;
    if (hash < text.len) {
        struct fastws_slice fragment = slice_from(text, hash + 1);
        if (fragment.len > 0 && !fastws_http_is_target(fragment)) return FASTWS_ERR_URL_TARGET;
    }
    out->target = target;
    return 0;
}

/* A path of visible bytes; what they encode holds no NUL, at which the system would take it to end. */
static int check_socket_path(struct fastws_slice path) {
    if (path.len < 2 || path.ptr[0] != '/' || !fastws_http_is_target(path)) return FASTWS_ERR_URL_HOST;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '%') continue;
        if (!is_encoding(path, i)) return FASTWS_ERR_URL_HOST;
        if (path.ptr[i + 1] == '0' && path.ptr[i + 2] == '0') return FASTWS_ERR_URL_HOST;
    }
    return 0;
}

static int parse_unix(struct fastws_url *out, struct fastws_slice text) {
    (void)!fws_url_take_prefix(&text, "//");
    size_t end = find_any(text, ":?#");
    out->host = (struct fastws_slice){text.ptr, end};
    TRY(check_socket_path(out->host));
    out->host_kind = FASTWS_HOST_UNIX;
    out->port = 0;
    if (end < text.len && text.ptr[end] == ':') {
        text = slice_from(text, end + 1);
        if (text.len > 0 && text.ptr[0] != '/' && text.ptr[0] != '?' && text.ptr[0] != '#')
            return FASTWS_ERR_URL_TARGET;
    } else {
        text = slice_from(text, end);
    }
    return parse_target(out, text);
}

static int parse_tcp(struct fastws_url *out, struct fastws_slice text) {
    out->port = out->is_secure ? 443 : 80;
    struct fastws_slice rest;
    TRY(fws_url_parse_authority(out, text, &rest));
    return parse_target(out, rest);
}

int fastws_url_parse(struct fastws_url *out, const void *src, size_t len) {
    static const struct {
        const char *prefix;
        uint8_t is_secure;
        int (*parse)(struct fastws_url *out, struct fastws_slice text);
    } schemes[] = {
        {"ws://", 0, parse_tcp},
        {"wss://", 1, parse_tcp},
        {"ws+unix:", 0, parse_unix},
        {"wss+unix:", 1, parse_unix},
    };
    struct fastws_slice text = {src, len};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (!fws_url_take_prefix(&text, schemes[i].prefix)) continue;
        struct fastws_url url = {.is_secure = schemes[i].is_secure};
        TRY(schemes[i].parse(&url, text));
        *out = url;
        return 0;
    }
    return FASTWS_ERR_URL_SCHEME;
}

int fastws_url_same_origin(const struct fastws_url *a, const struct fastws_url *b) {
    if (a->is_secure != b->is_secure || a->host_kind != b->host_kind || a->port != b->port) return 0;
    if (a->host.len != b->host.len) return 0;
    int is_path = a->host_kind == FASTWS_HOST_UNIX;
    for (size_t i = 0; i < a->host.len; i++) {
        char c = a->host.ptr[i], d = b->host.ptr[i];
        if (c != d && (is_path || (c | 0x20) != (d | 0x20) || !is_letter(c))) return 0;
    }
    return 1;
}
