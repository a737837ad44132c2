/* SPDX-License-Identifier: MIT */
/* Judges the answer to an opening handshake: status, and each header by its name. RFC 6455 4.1. */
#include "dial_answer.h"

#include <fastws/error.h>

#include "dial_extensions.h"

enum {
    SEEN_UPGRADE = 1u << 0,
    SEEN_CONNECTION = 1u << 1,
    SEEN_ACCEPT = 1u << 2,
    SEEN_PROTOCOL = 1u << 3,
    SEEN_LOCATION = 1u << 4,
    SEEN_LOCATIONS = 1u << 5 /* more than one: which of them is meant? */
};

static struct fws_part part_of(const char *head, struct fastws_slice slice) {
    return (struct fws_part){slice.len > 0 ? (size_t)(slice.ptr - head) : 0, slice.len};
}

int fws_answer_judge_line(struct fws_answer *answer, const char *head, const struct fastws_http_status_line *line) {
    answer->status = line->status;
    answer->version_major = line->version_major;
    answer->version_minor = line->version_minor;
    answer->reason = part_of(head, line->reason);
    /* RFC 6455 4.1: HTTP/1.1 or higher; HTTP/2 and later have no such line. A server of HTTP/1.0 can refuse, too. */
    if (line->version_major != 1) return FASTWS_ERR_HTTP_VERSION;
    if (line->status == 101 && line->version_minor < 1) return FASTWS_ERR_HTTP_VERSION;
    answer->seen = 0;
    answer->extensions = 0;
    answer->has_deflate = 0;
    answer->body = (struct fws_body){.left = 0};
    return 0;
}

/* ---- Headers of a 101 ---- */

/* Check 2: the value matches "websocket". More than one line would be a list. */
static int judge_upgrade(struct fws_answer *answer, struct fastws_slice value) {
    if (answer->seen & SEEN_UPGRADE || !fastws_http_equals(value, "websocket")) return FASTWS_ERR_HANDSHAKE_UPGRADE;
    answer->seen |= SEEN_UPGRADE;
    return 0;
}

/* Check 3: a token of the list matches "upgrade". */
static int judge_connection(struct fws_answer *answer, struct fastws_slice value) {
    struct fastws_slice option;
    int result;
    while ((result = fastws_http_next_token(&option, &value)) > 0)
        if (fastws_http_equals(option, "upgrade")) answer->seen |= SEEN_CONNECTION;
    return result == 0 ? 0 : FASTWS_ERR_HANDSHAKE_CONNECTION;
}

/* Check 4. */
static int judge_accept(struct fws_answer *answer, struct fastws_slice value) {
    int is_right = value.len == FASTWS_ACCEPT_LEN && memcmp(value.ptr, answer->accept, FASTWS_ACCEPT_LEN) == 0;
    if (answer->seen & SEEN_ACCEPT || !is_right) return FASTWS_ERR_HANDSHAKE_ACCEPT;
    answer->seen |= SEEN_ACCEPT;
    return 0;
}

/* Check 6. RFC 6455 11.3.4: it stands there once at most. */
static int judge_protocol(struct fws_answer *answer, struct fastws_slice value) {
    const struct fastws_dial_config *config = answer->config;
    for (size_t i = 0; i < config->protocol_count && !(answer->seen & SEEN_PROTOCOL); i++) {
        struct fastws_slice own = config->protocols[i];
        if (own.len != value.len || memcmp(own.ptr, value.ptr, own.len) != 0) continue;
        answer->seen |= SEEN_PROTOCOL;
        answer->protocol_rank = i;
        return 0;
    }
    return FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER;
}

/* RFC 7692 7.1: an answer that the offer did not allow fails the connection. */
static int judge_deflate(struct fws_answer *answer, const struct fastws_deflate_params *offer,
                         struct fastws_slice value) {
    struct fastws_deflate_params agreed;
    int result = fastws_deflate_confirm(&agreed, offer, 1, value);
    if (result <= 0) return result;
    if (answer->has_deflate) return FASTWS_ERR_DEFLATE_REPEATED;
    answer->deflate = agreed;
    answer->has_deflate = 1;
    return 0;
}

/* Check 5. */
static int judge_extensions(struct fws_answer *answer, struct fastws_slice value) {
    const struct fastws_dial_config *config = answer->config;
    struct fastws_deflate_params offer;
    int has_offer = fws_extension_offer_deflate(&offer, config->deflate);
    TRY(fws_extension_judge(config->extensions, has_offer, value, &answer->extensions));
    return has_offer ? judge_deflate(answer, &offer, value) : 0;
}

static int judge_accepting(struct fws_answer *answer, const struct fastws_http_header *header) {
    struct fastws_slice name = header->name;
    if (fastws_http_equals(name, "upgrade")) return judge_upgrade(answer, header->value);
    if (fastws_http_equals(name, "connection")) return judge_connection(answer, header->value);
    if (fastws_http_equals(name, "sec-websocket-accept")) return judge_accept(answer, header->value);
    if (fastws_http_equals(name, "sec-websocket-protocol")) return judge_protocol(answer, header->value);
    if (fastws_http_equals(name, "sec-websocket-extensions")) return judge_extensions(answer, header->value);
    return 0;
}

/* ---- Headers of another answer ---- */

static void note_location(struct fws_answer *answer, const char *head, struct fastws_slice value) {
    answer->seen |= answer->seen & SEEN_LOCATION ? SEEN_LOCATIONS : SEEN_LOCATION;
    answer->location = part_of(head, value);
}

static void note_refusing(struct fws_answer *answer, const char *head, const struct fastws_http_header *header) {
    struct fastws_slice name = header->name;
    if (fastws_http_equals(name, "location")) note_location(answer, head, header->value);
    if (fastws_http_equals(name, "content-length")) fws_body_note_length(&answer->body, header->value);
    if (fastws_http_equals(name, "transfer-encoding")) fws_body_note_coding(&answer->body, header->value);
}

/* ---- Both ---- */

int fws_answer_judge_header(struct fws_answer *answer, const char *head, const struct fastws_http_header *header) {
    unsigned count_max = answer->config->header_count_max;
    if (count_max != 0 && answer->header_count == count_max) return FASTWS_ERR_HTTP_TOO_MANY_HEADERS;
    answer->header_count++;
    if (answer->status == 101) return judge_accepting(answer, header);
    note_refusing(answer, head, header);
    return 0;
}

int fws_answer_judge_end(const struct fws_answer *answer) {
    if (!(answer->seen & SEEN_UPGRADE)) return FASTWS_ERR_HANDSHAKE_UPGRADE;
    if (!(answer->seen & SEEN_CONNECTION)) return FASTWS_ERR_HANDSHAKE_CONNECTION;
    if (!(answer->seen & SEEN_ACCEPT)) return FASTWS_ERR_HANDSHAKE_ACCEPT;
    return 0;
}

int fws_answer_is_interim(const struct fws_answer *answer) { return answer->status < 200 && answer->status != 101; }

int fws_answer_is_redirect(const struct fws_answer *answer) {
    static const int statuses[] = {301, 302, 303, 307, 308};
    if ((answer->seen & (SEEN_LOCATION | SEEN_LOCATIONS)) != SEEN_LOCATION) return 0;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (answer->status == statuses[i]) return 1;
    return 0;
}

int fws_answer_has_protocol(const struct fws_answer *answer) { return (answer->seen & SEEN_PROTOCOL) != 0; }

/* ---- Callbacks ---- */

static int show_extensions(const struct fastws_dial_config *config, struct fastws_slice list) {
    struct fastws_option option;
    if (config->on_extension == NULL) return 0;
    while (fastws_option_next(&option, &list) > 0)
        if (config->on_extension(config->context, &option) != 0) return FASTWS_ERR_DIAL_REJECTED;
    return 0;
}

int fws_answer_show(const struct fastws_dial_config *config, const struct fastws_http_header *header) {
    struct fastws_slice name = header->name, prefix = {name.ptr, 14};
    if (fastws_http_equals(name, "sec-websocket-extensions")) return show_extensions(config, header->value);
    if (config->on_header == NULL) return 0;
    if (fastws_http_equals(name, "upgrade") || fastws_http_equals(name, "connection")) return 0;
    if (name.len >= prefix.len && fastws_http_equals(prefix, "sec-websocket-")) return 0;
    return config->on_header(config->context, name, header->value) == 0 ? 0 : FASTWS_ERR_DIAL_REJECTED;
}
