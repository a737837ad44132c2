/* SPDX-License-Identifier: MIT */
/* The parameters of permessage-deflate: parsed, written, and negotiated for both roles. RFC 7692 section 7.1. */
#include <fastws/deflate.h>

#include <fastws/error.h>

#include "deflate.h"
#include "options.h"

/* ---- Parsing and writing ---- */

/* The parameters in the order in which they are written. */
static const struct {
    const char *name;
    size_t off; /* of its byte in struct fastws_deflate_params */
    int has_value;
} rows[] = {
    {"server_no_context_takeover", offsetof(struct fastws_deflate_params, server_no_context_takeover), 0},
    {"client_no_context_takeover", offsetof(struct fastws_deflate_params, client_no_context_takeover), 0},
    {"server_max_window_bits", offsetof(struct fastws_deflate_params, server_max_window_bits), 1},
    {"client_max_window_bits", offsetof(struct fastws_deflate_params, client_max_window_bits), 1},
};
enum { ROWS = sizeof rows / sizeof rows[0], CLIENT_BITS = ROWS - 1 };

static int find_row(struct fastws_slice name) {
    for (int i = 0; i < ROWS; i++)
        if (fastws_http_equals(name, rows[i].name)) return i;
    return FASTWS_ERR_DEFLATE_PARAM;
}

static int is_bits(unsigned bits) {
    return bits >= FASTWS_DEFLATE_BITS_MIN && bits <= FASTWS_DEFLATE_BITS_MAX;
}

/* RFC 7692 7.1.2: a decimal number without leading zeros, from 8 to 15. */
static int parse_bits(const struct fastws_option_parameter *parameter) {
    char digits[2];
    int len = fastws_option_unescape(digits, sizeof digits, parameter);
    if (len == 1 && (digits[0] == '8' || digits[0] == '9')) return digits[0] - '0';
    if (len == 2 && digits[0] == '1' && digits[1] >= '0' && digits[1] <= '5') return 10 + digits[1] - '0';
    return FASTWS_ERR_DEFLATE_VALUE;
}

static int parse_value(int row, const struct fastws_option_parameter *parameter, int is_answer) {
    if (parameter->has_value) return rows[row].has_value ? parse_bits(parameter) : FASTWS_ERR_DEFLATE_VALUE;
    if (!rows[row].has_value) return 1;
    /* RFC 7692 7.1.2.2: only in an offer, and only for the client, may the value be missing. */
    return row == CLIENT_BITS && !is_answer ? FASTWS_DEFLATE_BITS_ANY : FASTWS_ERR_DEFLATE_VALUE;
}

static int parse_parameter(struct fastws_deflate_params *out, const struct fastws_option_parameter *parameter,
                           int is_answer) {
    int row = find_row(parameter->name);
    if (row < 0) return row;
    int number = parse_value(row, parameter, is_answer);
    if (number < 0) return number;
    uint8_t *field = (uint8_t *)out + rows[row].off;
    if (*field != 0) return FASTWS_ERR_DEFLATE_REPEATED;
    *field = (uint8_t)number;
    return 0;
}

int fastws_deflate_params_parse(struct fastws_deflate_params *out, struct fastws_slice text, int is_answer) {
    struct fastws_deflate_params params = {0};
    struct fastws_option_parameter parameter;
    int result = fws_option_first_parameter(&parameter, &text);
    while (result > 0) {
        TRY(parse_parameter(&params, &parameter, is_answer));
        result = fastws_option_next_parameter(&parameter, &text);
    }
    if (result < 0) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
    *out = params;
    return 0;
}

static int check_params(const struct fastws_deflate_params *params, int is_any_allowed) {
    if (params->server_no_context_takeover > 1 || params->client_no_context_takeover > 1) return FASTWS_ERR_ARGUMENT;
    unsigned server = params->server_max_window_bits, client = params->client_max_window_bits;
    if (server != 0 && !is_bits(server)) return FASTWS_ERR_ARGUMENT;
    if (is_any_allowed && client == FASTWS_DEFLATE_BITS_ANY) return 0;
    return client != 0 && !is_bits(client) ? FASTWS_ERR_ARGUMENT : 0;
}

int fws_deflate_check_agreed(const struct fastws_deflate_params *agreed) {
    return check_params(agreed, 0);
}

static char *put(char *dst, const char *text) {
    size_t len = strlen(text);
    memcpy(dst, text, len);
    return dst + len;
}

int fastws_deflate_params_write(char *dst, size_t cap, const struct fastws_deflate_params *params) {
    char text[FASTWS_DEFLATE_PARAMS_MAX + 1];
    TRY(check_params(params, 1));
    char *end = put(text, FASTWS_DEFLATE_NAME);
    for (int i = 0; i < ROWS; i++) {
        unsigned number = ((const uint8_t *)params)[rows[i].off];
        if (number == 0) continue;
        end = put(put(end, "; "), rows[i].name);
        if (number < FASTWS_DEFLATE_BITS_MIN) continue;
        end = put(end, number < 10 ? "=" : "=1");
        *end++ = (char)('0' + number % 10);
    }
    size_t len = (size_t)(end - text);
    if (len > cap) return FASTWS_ERR_BUFFER_SIZE;
    memcpy(dst, text, len);
    return (int)len;
}

/* ---- Negotiation ---- */

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Answers one offer. Returns 1, or 0 if this end cannot keep what it asks. */
static int answer(struct fastws_deflate_params *out, const struct fastws_deflate_config *config,
                  const struct fastws_deflate_params *offer) {
    struct fastws_deflate_params params = {
        /* RFC 7692 7.1.1: what was offered is answered, and a server may ask both unasked. */
        .server_no_context_takeover =
            offer->server_no_context_takeover || config->mode == FASTWS_DEFLATE_NO_TAKEOVER,
        .client_no_context_takeover = offer->client_no_context_takeover || !config->is_peer_takeover,
    };
    /* RFC 7692 7.1.2.1: what was offered is answered with the same or less; a server may limit itself unasked. */
    unsigned asked = offer->server_max_window_bits;
    if (asked != 0 || config->window_bits < FASTWS_DEFLATE_BITS_MAX)
        params.server_max_window_bits = (uint8_t)least(asked != 0 ? asked : FASTWS_DEFLATE_BITS_MAX,
                                                       config->window_bits);
    /* RFC 7692 7.1.2.2: only an offer that has the parameter may be answered with it. */
    unsigned hint = offer->client_max_window_bits;
    if (hint == 0 && config->is_peer_bits_required && config->peer_window_bits < FASTWS_DEFLATE_BITS_MAX) return 0;
    unsigned most = is_bits(hint) ? hint : FASTWS_DEFLATE_BITS_MAX;
    if (is_bits(hint) || (hint != 0 && config->peer_window_bits < FASTWS_DEFLATE_BITS_MAX))
        params.client_max_window_bits = (uint8_t)least(most, config->peer_window_bits);
    *out = params;
    return 1;
}

int fastws_deflate_accept(struct fastws_deflate_params *agreed, const struct fastws_deflate_config *config,
                          struct fastws_slice offers) {
    TRY(fws_deflate_check_config(config));
    struct fastws_deflate_params offer, found;
    struct fastws_option option;
    int result, is_found = 0;
    while ((result = fastws_option_next(&option, &offers)) > 0) {
        if (is_found || !fastws_http_equals(option.name, FASTWS_DEFLATE_NAME)) continue;
        /* RFC 7692 7.1: a server declines an offer that it cannot read; the handshake goes on. */
        if (fastws_deflate_params_parse(&offer, option.parameters, 0) < 0) continue;
        is_found = answer(&found, config, &offer);
    }
    if (result < 0) return FASTWS_ERR_HANDSHAKE_EXTENSIONS;
    if (!is_found || !fastws_deflate_is_available()) return 0;
    *agreed = found;
    return 1;
}

int fastws_deflate_offer(struct fastws_deflate_params *offer, const struct fastws_deflate_config *config) {
    TRY(fws_deflate_check_config(config));
    if (!fastws_deflate_is_available()) return FASTWS_ERR_DEFLATE_UNAVAILABLE;
    *offer = (struct fastws_deflate_params){
        .server_no_context_takeover = !config->is_peer_takeover,
        .client_no_context_takeover = config->mode == FASTWS_DEFLATE_NO_TAKEOVER,
    };
    if (config->peer_window_bits < FASTWS_DEFLATE_BITS_MAX) offer->server_max_window_bits = config->peer_window_bits;
    if (config->is_any_bits_offered)
        offer->client_max_window_bits =
            config->window_bits < FASTWS_DEFLATE_BITS_MAX ? config->window_bits : FASTWS_DEFLATE_BITS_ANY;
    return 0;
}

/* Judges an answer to one offer. */
static int confirm(struct fastws_deflate_params *out, const struct fastws_deflate_params *offer,
                   const struct fastws_deflate_params *answered) {
    unsigned asked = offer->server_max_window_bits, bits = answered->server_max_window_bits;
    if (asked != 0 && (bits == 0 || bits > asked)) return FASTWS_ERR_DEFLATE_ANSWER;
    unsigned hint = offer->client_max_window_bits;
    if (hint == 0 && answered->client_max_window_bits != 0) return FASTWS_ERR_DEFLATE_ANSWER;
    *out = *answered;
    /* RFC 7692 7.1.1.2 and 7.1.2.2: what the client hinted at it keeps, whatever the server answers. */
    if (offer->client_no_context_takeover) out->client_no_context_takeover = 1;
    if (is_bits(hint) && (out->client_max_window_bits == 0 || out->client_max_window_bits > hint))
        out->client_max_window_bits = (uint8_t)hint;
    return 1;
}

/* Finds the one answer of this extension in a list. Returns 1, or 0 if there is none. */
static int find_answer(struct fastws_deflate_params *out, struct fastws_slice list) {
    struct fastws_option option;
    int result, count = 0;
    while ((result = fastws_option_next(&option, &list)) > 0) {
        if (!fastws_http_equals(option.name, FASTWS_DEFLATE_NAME)) continue;
        if (count++ > 0) return FASTWS_ERR_DEFLATE_REPEATED;
        TRY(fastws_deflate_params_parse(out, option.parameters, 1));
    }
    return result < 0 ? FASTWS_ERR_HANDSHAKE_EXTENSIONS : count;
}

int fastws_deflate_confirm(struct fastws_deflate_params *agreed, const struct fastws_deflate_params *offers, int count,
                           struct fastws_slice answer_list) {
    struct fastws_deflate_params answered;
    int result = find_answer(&answered, answer_list);
    if (result <= 0) return result;
    for (int i = 0; i < count; i++)
        if (confirm(agreed, &offers[i], &answered) > 0) return 1;
    return FASTWS_ERR_DEFLATE_ANSWER;
}
