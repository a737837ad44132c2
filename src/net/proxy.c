/* SPDX-License-Identifier: MIT */
/* Chooses the proxy for an address: from the options, or from the environment. */
#define _POSIX_C_SOURCE 200809L
#include "proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <fastws/error.h>

#include "../url.h"

/* ---- The address of a proxy ---- */

static const struct {
    const char *prefix;
    enum fws_proxy_kind kind;
    uint16_t port;
} kinds[] = {
    {"http://", FWS_PROXY_HTTP, 80},
    {"https://", FWS_PROXY_HTTPS, 443},
    {"socks5://", FWS_PROXY_SOCKS5, 1080},
    {"socks5h://", FWS_PROXY_SOCKS5H, 1080},
    {"", FWS_PROXY_HTTP, 80}, /* what has no scheme */
};

int fws_proxy_parse(struct fws_proxy *out, const char *address) {
    struct fastws_slice text = {address, strlen(address)}, rest;
    size_t i = 0;
    while (!fws_url_take_prefix(&text, kinds[i].prefix)) i++;
    struct fastws_url url = {.port = kinds[i].port};
    TRY(fws_url_parse_authority(&url, text, &rest));
    if (rest.len > 1 || (rest.len == 1 && rest.ptr[0] != '/')) return FASTWS_ERR_PROXY_URL;
    *out = (struct fws_proxy){kinds[i].kind, url};
    return 0;
}

/* ---- Hosts that are reached directly ---- */

/* Compares the first bit_count bits. */
static int has_prefix(const uint8_t *a, const uint8_t *b, unsigned bit_count) {
    if (memcmp(a, b, bit_count / 8) != 0) return 0;
    unsigned rest = bit_count % 8;
    return rest == 0 || (a[bit_count / 8] ^ b[bit_count / 8]) >> (8 - rest) == 0;
}

/* Reads an IP address: inet_pton() wants a NUL. Returns its bits, 0 if it is none. */
static unsigned parse_ip(uint8_t out[16], struct fastws_slice text) {
    char copy[64];
    if (text.len >= sizeof copy) return 0;
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, out) == 1) return 32;
    return inet_pton(AF_INET6, copy, out) == 1 ? 128 : 0;
}

/* Returns a decimal number of at most max, or -1. */
static int parse_number(struct fastws_slice text, int max) {
    int number = 0;
    if (text.len == 0 || text.len > 5) return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return -1;
        number = number * 10 + (text.ptr[i] - '0');
    }
    return number <= max ? number : -1;
}

/* address "/" bits */
static int is_in_network(struct fastws_slice entry, const char *slash, struct fastws_slice host) {
    size_t len = (size_t)(slash - entry.ptr);
    uint8_t network[16], address[16];
    unsigned bits = parse_ip(network, (struct fastws_slice){entry.ptr, len});
    int prefix = parse_number((struct fastws_slice){slash + 1, entry.len - len - 1}, (int)bits);
    if (bits == 0 || prefix < 0) return 0;
    return parse_ip(address, host) == bits && has_prefix(network, address, (unsigned)prefix);
}

static int equals_ignoring_case(struct fastws_slice a, struct fastws_slice b) {
    if (a.len != b.len) return 0;
    for (size_t i = 0; i < a.len; i++) {
        char c = a.ptr[i], d = b.ptr[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
        if (d >= 'A' && d <= 'Z') d = (char)(d | 0x20);
        if (c != d) return 0;
    }
    return 1;
}

static struct fastws_slice without_first(struct fastws_slice text) {
    return (struct fastws_slice){text.ptr + 1, text.len - 1};
}

/* A name stands for itself and for all below it. */
static int is_below(struct fastws_slice name, struct fastws_slice host) {
    if (name.len > 1 && name.ptr[0] == '*' && name.ptr[1] == '.') name = without_first(name);
    if (name.len > 0 && name.ptr[0] == '.') name = without_first(name);
    if (host.len > 0 && host.ptr[host.len - 1] == '.') host.len--;
    if (name.len > 0 && name.ptr[name.len - 1] == '.') name.len--;
    if (name.len == 0 || name.len > host.len) return 0;
    size_t above = host.len - name.len;
    if (above > 0 && host.ptr[above - 1] != '.') return 0;
    return equals_ignoring_case(name, (struct fastws_slice){host.ptr + above, name.len});
}

static int names_host(struct fastws_slice entry, const struct fastws_url *url) {
    if (entry.len > 1 && entry.ptr[0] == '[' && entry.ptr[entry.len - 1] == ']')
        entry = (struct fastws_slice){entry.ptr + 1, entry.len - 2};
    if (url->host_kind == FASTWS_HOST_NAME) return is_below(entry, url->host);
    uint8_t a[16], b[16];
    unsigned bits = parse_ip(a, entry);
    return bits != 0 && parse_ip(b, url->host) == bits && memcmp(a, b, bits / 8) == 0;
}

/* Judges one entry of the list. */
static int is_meant(struct fastws_slice entry, const struct fastws_url *url) {
    if (entry.len == 1 && entry.ptr[0] == '*') return 1;
    const char *slash = memchr(entry.ptr, '/', entry.len);
    if (slash != NULL) return is_in_network(entry, slash, url->host);
    if (names_host(entry, url)) return 1;
    size_t colon = entry.len;
    while (colon > 0 && entry.ptr[colon - 1] != ':') colon--;
    if (colon < 2) return 0;
    int port = parse_number((struct fastws_slice){entry.ptr + colon, entry.len - colon}, 65535);
    return port == url->port && names_host((struct fastws_slice){entry.ptr, colon - 1}, url);
}

int fws_proxy_is_excepted(const char *list, const struct fastws_url *url) {
    static const char separators[] = ", \t";
    for (;;) {
        list += strspn(list, separators);
        size_t len = strcspn(list, separators);
        if (len == 0) return 0;
        if (is_meant((struct fastws_slice){list, len}, url)) return 1;
        list += len;
    }
}

/* ---- The choice ---- */

/* Returns the first of these variables that holds something, or NULL. */
static const char *from_environment(const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *value = names[i] != NULL ? getenv(names[i]) : NULL;
        if (value != NULL && *value != '\0') return value;
    }
    return NULL;
}

static const char *find_address(const struct fastws_dial_options *options, const struct fastws_url *url) {
    static const char *const secure[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    static const char *const excepted[] = {"no_proxy", "NO_PROXY"};
    if (url->host_kind == FASTWS_HOST_UNIX) return NULL;
    if (options->proxy != NULL) return *options->proxy != '\0' ? options->proxy : NULL;
    const char *address = url->is_secure ? from_environment(secure, 4) : from_environment(plain, 3);
    const char *exceptions = from_environment(excepted, 2);
    return exceptions != NULL && fws_proxy_is_excepted(exceptions, url) ? NULL : address;
}

int fws_proxy_choose(struct fws_dialing *dialing, const struct fastws_url *url, struct fws_proxy *out) {
    const char *address = find_address(dialing->options, url);
    *out = (struct fws_proxy){.kind = FWS_PROXY_NONE};
    if (address == NULL || fws_proxy_parse(out, address) == 0) return 0;
    return fws_dialing_fail(dialing, FASTWS_ERR_PROXY_URL, "address of the proxy is malformed");
}
