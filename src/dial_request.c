/* SPDX-License-Identifier: MIT */
/* Writes the request of an opening handshake. RFC 6455 4.1. */
#include "dial_request.h"

#include <fastws/error.h>
#include <fastws/handshake.h>
#include <fastws/options.h>

#include "deflate.h"
#include "dial_extensions.h"
#include "text.h"
#include "url.h"

/* ---- What may be asked for ---- */

/* The names that the handshake writes itself: one more would contradict it, or end the request elsewhere. */
static int is_reserved(struct fastws_slice name) {
    static const char *const reserved[] = {
        "host",
        "connection",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-accept",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
    };
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (fastws_http_equals(name, reserved[i])) return 1;
    return 0;
}

static int check_headers(const struct fastws_dial_config *config) {
    for (size_t i = 0; i < config->headers.count; i++) {
        const struct fastws_http_header *header = &config->headers.ptr[i];
        if (!fastws_http_is_token(header->name) || is_reserved(header->name)) return FASTWS_ERR_HANDSHAKE_HEADER;
        if (!fastws_http_is_value(header->value)) return FASTWS_ERR_HANDSHAKE_HEADER;
        if (config->origin.len > 0 && fastws_http_equals(header->name, "origin")) return FASTWS_ERR_HANDSHAKE_HEADER;
    }
    return 0;
}

/* RFC 6455 4.1, item 10: the elements are unique. */
static int check_protocols(const struct fastws_dial_config *config) {
    for (size_t i = 0; i < config->protocol_count; i++) {
        struct fastws_slice protocol = config->protocols[i];
        if (!fastws_http_is_token(protocol)) return FASTWS_ERR_ARGUMENT;
        for (size_t j = 0; j < i; j++) {
            struct fastws_slice other = config->protocols[j];
            if (other.len == protocol.len && memcmp(other.ptr, protocol.ptr, other.len) == 0)
                return FASTWS_ERR_ARGUMENT;
        }
    }
    return 0;
}

static int check_extensions(const struct fastws_dial_config *config) {
    struct fastws_slice list = config->extensions;
    if (!fastws_http_is_value(list)) return FASTWS_ERR_ARGUMENT;
    if (config->deflate != NULL) TRY(fws_deflate_check_config(config->deflate));
    struct fastws_option option;
    int result, count = 0;
    while ((result = fastws_option_next(&option, &list)) > 0) {
        count++;
        if (config->deflate != NULL && fastws_http_equals(option.name, FASTWS_DEFLATE_NAME)) return FASTWS_ERR_ARGUMENT;
    }
    if (result < 0) return FASTWS_ERR_ARGUMENT;
    return count > FWS_EXTENSION_OFFERS_MAX ? FASTWS_ERR_DIAL_EXTENSIONS_MAX : 0;
}

int fws_dial_request_check(const struct fastws_dial_config *config) {
    if (config->size != sizeof *config) return FASTWS_ERR_ARGUMENT;
    if (config->host.len > 0 && !fastws_http_is_host(config->host)) return FASTWS_ERR_HANDSHAKE_HEADER;
    if (!fastws_http_is_value(config->origin)) return FASTWS_ERR_HANDSHAKE_HEADER;
    TRY(check_headers(config));
    TRY(check_protocols(config));
    return check_extensions(config);
}

int fws_dial_request_check_url(const struct fastws_url *url) {
    if (url->target.len > 0 && !fastws_http_is_target(url->target)) return FASTWS_ERR_URL_TARGET;
    if (url->host_kind == FASTWS_HOST_UNIX) return 0;
    int kind = fws_url_host_kind(url->host, url->host_kind == FASTWS_HOST_IPV6);
    return kind < 0 ? kind : 0;
}

int fws_dial_request_has_authorization(const struct fastws_dial_config *config) {
    for (size_t i = 0; i < config->headers.count; i++)
        if (fastws_http_equals(config->headers.ptr[i].name, "authorization")) return 1;
    return 0;
}

/* ---- The text ---- */

#define PUT(text, literal) fws_text_put(text, literal, sizeof(literal) - 1)

static void put_slice(struct fws_text *text, struct fastws_slice slice) { fws_text_put(text, slice.ptr, slice.len); }

static void put_line(struct fws_text *text, const char *name, struct fastws_slice value) {
    fws_text_put_string(text, name);
    put_slice(text, value);
    PUT(text, "\r\n");
}

/* RFC 9110 7.2: host, and port if it is not the default one. A socket in the file system has neither. */
static void put_host(struct fws_text *text, const struct fastws_url *url) {
    if (url->host_kind == FASTWS_HOST_UNIX) {
        PUT(text, "localhost");
        return;
    }
    int is_ipv6 = url->host_kind == FASTWS_HOST_IPV6;
    if (is_ipv6) PUT(text, "[");
    put_slice(text, url->host);
    if (is_ipv6) PUT(text, "]");
    if (url->port == (url->is_secure ? 443 : 80)) return;
    PUT(text, ":");
    fws_text_put_number(text, url->port);
}

static void put_protocols(struct fws_text *text, const struct fastws_dial_config *config) {
    if (config->protocol_count == 0) return;
    PUT(text, "Sec-WebSocket-Protocol: ");
    for (size_t i = 0; i < config->protocol_count; i++) {
        if (i > 0) PUT(text, ", ");
        put_slice(text, config->protocols[i]);
    }
    PUT(text, "\r\n");
}

static void put_extensions(struct fws_text *text, const struct fastws_dial_config *config) {
    struct fastws_deflate_params params;
    char offer[FASTWS_DEFLATE_PARAMS_MAX];
    int offer_len = 0;
    if (fws_extension_offer_deflate(&params, config->deflate))
        offer_len = fastws_deflate_params_write(offer, sizeof offer, &params);
    if (config->extensions.len == 0 && offer_len == 0) return;
    PUT(text, "Sec-WebSocket-Extensions: ");
    put_slice(text, config->extensions);
    if (config->extensions.len > 0 && offer_len > 0) PUT(text, ", ");
    fws_text_put(text, offer, (size_t)offer_len);
    PUT(text, "\r\n");
}

size_t fws_dial_request_write(char *dst, size_t cap, const struct fastws_dial_config *config,
                              const struct fastws_url *url, const char *key, struct fastws_slice credentials) {
    struct fws_text text = {dst, cap, 0};
    PUT(&text, "GET ");
    if (url->target.len == 0 || url->target.ptr[0] != '/') PUT(&text, "/");
    put_slice(&text, url->target);
    PUT(&text, " HTTP/1.1\r\nHost: ");
    if (config->host.len > 0) {
        put_slice(&text, config->host);
    } else {
        put_host(&text, url);
    }
    PUT(&text, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
    fws_text_put(&text, key, FASTWS_KEY_LEN);
    PUT(&text, "\r\nSec-WebSocket-Version: " FASTWS_HANDSHAKE_VERSION "\r\n");
    put_protocols(&text, config);
    put_extensions(&text, config);
    if (config->origin.len > 0) put_line(&text, "Origin: ", config->origin);
    if (credentials.len > 0) put_line(&text, "Authorization: Basic ", credentials);
    for (size_t i = 0; i < config->headers.count; i++) {
        put_slice(&text, config->headers.ptr[i].name);
        put_line(&text, ": ", config->headers.ptr[i].value);
    }
    PUT(&text, "\r\n");
    return text.len;
}
