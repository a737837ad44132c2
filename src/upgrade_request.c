/* SPDX-License-Identifier: MIT */
/* Judges an upgrade request: method, target, and each header by its name. RFC 6455 4.2.1. */
#include "upgrade_request.h"

#include <fastws/error.h>
#include <fastws/options.h>

#include "../simd/kernels.h"
#include "http_lines.h"

/* Headers that were there and are right. */
enum {
    SEEN_HOST = 1u << 0,
    SEEN_UPGRADE = 1u << 1,    /* one that names websocket */
    SEEN_CONNECTION = 1u << 2, /* one that names upgrade */
    SEEN_VERSION = 1u << 3,
    SEEN_KEY = 1u << 4,
    SEEN_ORIGIN = 1u << 5,
    SEEN_ORIGINS = 1u << 6 /* more than one: not right */
};

/* Says whether a token equals a name of letters and '-' in lower case, 4 bytes or more. Words overlap at the end of the
 * name. The only other byte that 0x20 turns into '-' is CR, which no token holds. */
static FWS_ALWAYS_INLINE int is_name(struct fastws_slice token, const char *lower, size_t len) {
    const uint64_t spaces = UINT64_MAX / 255 * 0x20;
    const char *p = token.ptr;
    if (token.len != len) return 0;
    if (len < 8) {
        uint32_t differ = (fws_load_u32(p) | (uint32_t)spaces) ^ fws_load_u32(lower);
        return (differ | ((fws_load_u32(p + len - 4) | (uint32_t)spaces) ^ fws_load_u32(lower + len - 4))) == 0;
    }
    uint64_t differ = (fws_load_u64(p + len - 8) | spaces) ^ fws_load_u64(lower + len - 8);
    for (size_t i = 0; len - i > 8; i += 8) differ |= (fws_load_u64(p + i) | spaces) ^ fws_load_u64(lower + i);
    return differ == 0;
}

#define IS_NAME(token, literal) is_name(token, literal, sizeof(literal) - 1)

/* Turns the verdict of a callback into a result. */
static int heed(int verdict) {
    return verdict == 0 ? 0 : FASTWS_ERR_HANDSHAKE_REJECTED;
}

/* Returns what the next callback may fill. */
static struct fastws_reject *empty_reject(struct fws_request *request) {
    request->reject = (struct fastws_reject){.status = 0};
    return &request->reject;
}

/* RFC 9112 3.2: a GET has the origin form, or the absolute form, which servers accept, too. */
static int check_target_form(struct fastws_slice target) {
    static const char *const schemes[] = {"http", "https", "ws", "wss"};
    if (target.ptr[0] == '/') return 0;
    const char *colon = memchr(target.ptr, ':', target.len);
    if (colon == NULL) return FASTWS_ERR_HTTP_TARGET;
    struct fastws_slice scheme = {target.ptr, (size_t)(colon - target.ptr)};
    if (target.len - scheme.len <= 3 || memcmp(colon, "://", 3) != 0) return FASTWS_ERR_HTTP_TARGET;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (fastws_http_equals(scheme, schemes[i])) return 0;
    return FASTWS_ERR_HTTP_TARGET;
}

int fws_request_judge_line(struct fws_request *request, struct fastws_slice method, struct fastws_slice target) {
    const struct fastws_upgrade_config *config = request->config;
    if (method.len != 3 || memcmp(method.ptr, "GET", 3) != 0) {
        request->is_head_method = method.len == 4 && memcmp(method.ptr, "HEAD", 4) == 0;
        return FASTWS_ERR_HTTP_METHOD;
    }
    TRY(check_target_form(target));
    request->target = target;
    if (config->on_request == NULL) return 0;
    return heed(config->on_request(config->context, target, empty_reject(request)));
}

static int judge_host(struct fws_request *request, struct fastws_slice value) {
    const struct fastws_upgrade_config *config = request->config;
    /* RFC 9112 3.2: more than one, or one that is no host, is answered with 400. */
    if (request->seen & SEEN_HOST || !fastws_http_is_host(value)) return FASTWS_ERR_HANDSHAKE_HOST;
    request->seen |= SEEN_HOST;
    request->host = value;
    if (config->on_host == NULL) return 0;
    return heed(config->on_host(config->context, value, empty_reject(request)));
}

static int judge_upgrade(struct fws_request *request, struct fastws_slice value) {
    struct fastws_slice protocol;
    int result;
    if (FWS_LIKELY(IS_NAME(value, "websocket"))) {
        request->seen |= SEEN_UPGRADE;
        return 0;
    }
    while ((result = fastws_http_next_protocol(&protocol, &value)) > 0)
        if (IS_NAME(protocol, "websocket")) request->seen |= SEEN_UPGRADE;
    return result == 0 ? 0 : FASTWS_ERR_HANDSHAKE_UPGRADE;
}

static int judge_connection(struct fws_request *request, struct fastws_slice value) {
    struct fastws_slice option;
    int result;
    if (FWS_LIKELY(IS_NAME(value, "upgrade"))) {
        request->seen |= SEEN_CONNECTION;
        return 0;
    }
    while ((result = fastws_http_next_token(&option, &value)) > 0)
        if (IS_NAME(option, "upgrade")) request->seen |= SEEN_CONNECTION;
    return result == 0 ? 0 : FASTWS_ERR_HANDSHAKE_CONNECTION;
}

static int judge_version(struct fws_request *request, struct fastws_slice value) {
    size_t len = sizeof FASTWS_HANDSHAKE_VERSION - 1;
    int is_right = value.len == len && memcmp(value.ptr, FASTWS_HANDSHAKE_VERSION, len) == 0;
    if (request->seen & SEEN_VERSION || !is_right) return FASTWS_ERR_HANDSHAKE_VERSION;
    request->seen |= SEEN_VERSION;
    return 0;
}

static int judge_key(struct fws_request *request, struct fastws_slice value) {
    if (request->seen & SEEN_KEY) return FASTWS_ERR_HANDSHAKE_KEY;
    /* The answer is finished when it is sent: most heads have more to judge meanwhile. */
    const uint8_t *key = (const uint8_t *)value.ptr;
    if (value.len != FWS_KEY_LEN || !fws_kernels_active()->accept(NULL, request->accept_state, key))
        return FASTWS_ERR_HANDSHAKE_KEY;
    request->seen |= SEEN_KEY;
    return 0;
}

/* Offers a protocol to the callback, until it has taken one. */
static int ask_callback(struct fws_request *request, struct fastws_slice offered) {
    const struct fastws_upgrade_config *config = request->config;
    if (request->protocol.len > 0) return 0;
    int verdict = config->protocol(config->context, offered, empty_reject(request));
    if (verdict < 0) return FASTWS_ERR_HANDSHAKE_REJECTED;
    if (verdict > 0) request->protocol = offered;
    return 0;
}

/* Looks a protocol up among those that the server likes better than what it has. Case matters in their names. */
static void ask_list(struct fws_request *request, struct fastws_slice offered) {
    size_t end = request->protocol.len > 0 ? request->protocol_rank : request->config->protocol_count;
    for (size_t i = 0; i < end; i++) {
        struct fastws_slice own = request->config->protocols[i];
        if (own.len != offered.len || memcmp(own.ptr, offered.ptr, own.len) != 0) continue;
        request->protocol = own;
        request->protocol_rank = i;
        return;
    }
}

static int judge_protocols(struct fws_request *request, struct fastws_slice value) {
    struct fastws_slice offered;
    int is_empty = 1;
    int result;
    while ((result = fastws_http_next_token(&offered, &value)) > 0) {
        is_empty = 0;
        if (request->config->protocol) {
            TRY(ask_callback(request, offered));
        } else {
            ask_list(request, offered);
        }
    }
    /* RFC 6455 4.1, item 10: one token or more. */
    return result < 0 || is_empty ? FASTWS_ERR_HANDSHAKE_PROTOCOL : 0;
}

/* RFC 6455 9.1: a value in quotes has to be a token without them, too. */
static int check_quoted(struct fastws_slice parameters) {
    struct fastws_option_parameter parameter;
    if (parameters.len == 0 || memchr(parameters.ptr, '"', parameters.len) == NULL) return 0;
    while (fastws_option_next_parameter(&parameter, &parameters) > 0) {
        struct fastws_slice value = parameter.value;
        if (!parameter.is_quoted) continue;
        if (value.len == 0) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
        for (size_t i = 0; i < value.len; i++) {
            i += value.ptr[i] == '\\'; /* never the last byte */
            if (!fastws_http_is_token((struct fastws_slice){value.ptr + i, 1})) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
        }
    }
    return 0;
}

/* Makes room for the extensions, which have become longer than their memory. */
static int grow_extensions(struct fws_request *request, size_t len) {
    struct fastws_http_text *text = &request->extensions;
    const struct fastws_allocator *allocator = request->allocator;
    size_t cap = len <= SIZE_MAX / 2 ? 2 * len : len;
    char *block = allocator->allocate(allocator->context, cap);
    if (block == NULL) return FASTWS_ERR_NOMEM;
    memcpy(block, text->ptr, text->len);
    if (request->extensions_block) allocator->release(allocator->context, request->extensions_block, text->cap);
    request->extensions_block = block;
    text->ptr = block;
    text->cap = cap;
    return 0;
}

/* Writes down what was accepted: it may be gone when the callback is called again. */
static int accept_extension(struct fws_request *request, const struct fastws_option *accepted) {
    struct fastws_http_text text = request->extensions;
    int result = fastws_options_write(&text, accepted, 1);
    if (result == FASTWS_ERR_BUFFER_SIZE) {
        TRY(grow_extensions(request, text.len));
        text = request->extensions;
        result = fastws_options_write(&text, accepted, 1);
    }
    if (result == 0) request->extensions = text;
    return result;
}

/* Says whether this is permessage-deflate, and the configuration has it negotiated here. */
static int is_deflate(const struct fws_request *request, struct fastws_slice name) {
    return request->config->deflate != NULL && fastws_http_equals(name, FASTWS_DEFLATE_NAME);
}

/* Answers an offer of permessage-deflate, unless one before was answered. RFC 7692 5.1: one that is not acceptable,
 * also for its form, is declined, and the next one tried. */
static int negotiate_deflate(struct fws_request *request, const struct fastws_option *offered) {
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    struct fastws_option answer;
    struct fastws_slice offer = fastws_option_text(offered);
    if (request->has_deflate) return 0;
    if (fastws_deflate_accept(&request->deflate, request->config->deflate, offer) <= 0) return 0;
    request->has_deflate = 1;
    int len = fastws_deflate_params_write(text, sizeof text, &request->deflate);
    struct fastws_slice list = {text, (size_t)len};
    return fastws_option_next(&answer, &list) > 0 ? accept_extension(request, &answer) : 0; /* always: it is ours */
}

/* Offers an extension to the callback. */
static int negotiate(struct fws_request *request, const struct fastws_option *offered) {
    const struct fastws_upgrade_config *config = request->config;
    struct fastws_option accepted = *offered;
    int verdict = config->negotiate(config->context, offered, &accepted, empty_reject(request));
    if (verdict < 0) return FASTWS_ERR_HANDSHAKE_REJECTED;
    if (verdict > 0 && is_deflate(request, accepted.name)) return FASTWS_ERR_ARGUMENT;
    return verdict > 0 ? accept_extension(request, &accepted) : 0;
}

static int judge_extensions(struct fws_request *request, struct fastws_slice value) {
    struct fastws_option offered;
    int is_empty = 1;
    int result;
    while ((result = fastws_option_next(&offered, &value)) > 0) {
        is_empty = 0;
        TRY(check_quoted(offered.parameters));
        /* Those that nobody is asked about are declined: the response does not name them. */
        if (is_deflate(request, offered.name)) {
            TRY(negotiate_deflate(request, &offered));
        } else if (request->config->negotiate) {
            TRY(negotiate(request, &offered));
        }
    }
    return result < 0 || is_empty ? FASTWS_ERR_HANDSHAKE_EXTENSIONS : 0;
}

static int judge_other(struct fws_request *request, struct fastws_slice name, struct fastws_slice value) {
    const struct fastws_upgrade_config *config = request->config;
    if (config->on_header == NULL) return 0;
    return heed(config->on_header(config->context, name, value, empty_reject(request)));
}

static int judge_origin(struct fws_request *request, struct fastws_slice name, struct fastws_slice value) {
    request->seen |= request->seen & SEEN_ORIGIN ? SEEN_ORIGINS : SEEN_ORIGIN;
    request->origin = value;
    return judge_other(request, name, value);
}

static int judge_content_length(struct fws_request *request, struct fastws_slice name, struct fastws_slice value) {
    /* The bytes of a body would be taken for frames. */
    if (value.len == 0) return FASTWS_ERR_HTTP_BODY;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] != '0') return FASTWS_ERR_HTTP_BODY;
    return judge_other(request, name, value);
}

static FWS_ALWAYS_INLINE int judge_header(struct fws_request *request, struct fastws_slice name,
                                          struct fastws_slice value) {
    unsigned count_max = request->config->header_count_max;
    if (count_max != 0 && request->header_count == count_max) return FASTWS_ERR_HTTP_TOO_MANY_HEADERS;
    request->header_count++;
    /* Most headers are of no interest, and their length tells so. */
    switch (name.len) {
    case 4:
        if (IS_NAME(name, "host")) return judge_host(request, value);
        break;
    case 6:
        if (IS_NAME(name, "origin")) return judge_origin(request, name, value);
        break;
    case 7:
        if (IS_NAME(name, "upgrade")) return judge_upgrade(request, value);
        break;
    case 10:
        if (IS_NAME(name, "connection")) return judge_connection(request, value);
        break;
    case 14:
        if (IS_NAME(name, "content-length")) return judge_content_length(request, name, value);
        break;
    case 17:
        if (IS_NAME(name, "sec-websocket-key")) return judge_key(request, value);
        if (IS_NAME(name, "transfer-encoding")) return FASTWS_ERR_HTTP_BODY;
        break;
    case 21:
        if (IS_NAME(name, "sec-websocket-version")) return judge_version(request, value);
        break;
    case 22:
        if (IS_NAME(name, "sec-websocket-protocol")) return judge_protocols(request, value);
        break;
    case 24:
        if (IS_NAME(name, "sec-websocket-extensions")) return judge_extensions(request, value);
        break;
    default:
        break;
    }
    return judge_other(request, name, value);
}

int fws_request_judge_header(struct fws_request *request, struct fastws_slice name, struct fastws_slice value) {
    return judge_header(request, name, value);
}

static FWS_ALWAYS_INLINE int read_request_line(struct fws_request *request, struct fws_lines *lines) {
    struct fastws_http_request_line line;
    int result = fws_lines_request(lines, &line);
    if (result <= 0) return result;
    /* RFC 6455 4.2.1, item 1: HTTP/1.1 or higher. HTTP/2 and later have no such line. */
    if (line.version_major != 1 || line.version_minor < 1) return FASTWS_ERR_HTTP_VERSION;
    TRY(fws_request_judge_line(request, line.method, line.target));
    request->has_line = 1;
    return 1;
}

static FWS_ALWAYS_INLINE int read_lines(struct fws_request *request, struct fws_lines *lines) {
    if (!request->has_line) {
        int result = read_request_line(request, lines);
        if (result <= 0) return result;
    }
    for (;;) {
        struct fastws_http_header header = {{NULL, 0}, {NULL, 0}};
        int result = fws_lines_next(lines, &header);
        if (result <= 0) return result;
        if (result == FASTWS_HTTP_END) return 1;
        TRY(judge_header(request, header.name, header.value));
    }
}

int fws_request_read(struct fws_request *request, const char *head, size_t len, size_t *off, size_t *pos) {
    struct fws_marks marks;
    struct fws_lines lines = fws_lines_at(&marks, head, len, *off, *pos);
    int result = read_lines(request, &lines);
    *off = lines.off;
    *pos = lines.pos;
    return result;
}

/* Says whether pages of this origin may open connections. Programs that are no browsers send no Origin.
 * RFC 6455 10.2. */
static int check_origin(const struct fws_request *request) {
    const struct fastws_upgrade_config *config = request->config;
    if (!config->is_origin_checked || !(request->seen & SEEN_ORIGIN)) return 0;
    if (request->seen & SEEN_ORIGINS) return FASTWS_ERR_HANDSHAKE_ORIGIN;
    if (fastws_origin_is_host(request->origin, request->host)) return 0;
    for (size_t i = 0; i < config->origin_count; i++)
        if (fastws_origin_equals(request->origin, config->origins[i])) return 0;
    return FASTWS_ERR_HANDSHAKE_ORIGIN;
}

static int check_seen(unsigned seen) {
    if (!(seen & SEEN_HOST)) return FASTWS_ERR_HANDSHAKE_HOST;
    if (!(seen & SEEN_UPGRADE)) return FASTWS_ERR_HANDSHAKE_UPGRADE;
    if (!(seen & SEEN_CONNECTION)) return FASTWS_ERR_HANDSHAKE_CONNECTION;
    if (!(seen & SEEN_VERSION)) return FASTWS_ERR_HANDSHAKE_VERSION_MISSING;
    if (!(seen & SEEN_KEY)) return FASTWS_ERR_HANDSHAKE_KEY;
    return 0;
}

int fws_request_judge_end(struct fws_request *request, struct fastws_http_headers *extra) {
    const struct fastws_upgrade_config *config = request->config;
    TRY(check_seen(request->seen));
    TRY(check_origin(request));
    if (config->on_before_upgrade == NULL) return 0;
    return heed(config->on_before_upgrade(config->context, extra, empty_reject(request)));
}
