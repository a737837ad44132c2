/* SPDX-License-Identifier: MIT */
/* Options and their parameters: parsed, compared, written. RFC 9110 5.6. */
#include "options.h"

#include <limits.h>

#include <fastws/error.h>
#include <fastws/http_lexer.h>

#include "http_class.h"
#include "text.h"

/* ---- Parsing ---- */

static size_t skip_blanks(const char *p, size_t i, size_t len) {
    while (i < len && fws_http_is_blank(p[i])) i++;
    return i;
}

/* Bytes of a quoted string as they are: RFC 9110 5.6.4, qdtext. Behind a backslash the quote and the backslash, too. */
static int is_text(char c) { return c == '\t' || ((uint8_t)c >= 0x20 && c != 0x7f); }

/* Returns the offset of the quote that ends the string whose content begins at i, or 0. */
static size_t find_quote(const char *p, size_t i, size_t len, int *has_escapes) {
    for (*has_escapes = 0; i < len && is_text(p[i]); i++) {
        if (p[i] == '"') return i;
        if (p[i] != '\\') continue;
        *has_escapes = 1;
        i++;
        if (i == len || !is_text(p[i])) return 0;
    }
    return 0;
}

/* Parses the value that begins at i. Returns the offset behind it, or 0. */
static size_t parse_value(struct fastws_option_parameter *out, const char *p, size_t i, size_t len) {
    out->has_value = 1;
    if (i < len && p[i] == '"') {
        size_t end = find_quote(p, i + 1, len, &out->has_escapes);
        if (end == 0) return 0;
        out->is_quoted = 1;
        out->value = (struct fastws_slice){p + i + 1, end - i - 1};
        return end + 1;
    }
    size_t end = fws_http_skip(p, i, len, FWS_CLASS_TOKEN);
    out->value = (struct fastws_slice){p + i, end - i};
    return end > i ? end : 0;
}

/* Parses the parameter that begins at i. Returns the offset behind it, or 0. */
static size_t parse_parameter(struct fastws_option_parameter *out, const char *p, size_t i, size_t len) {
    size_t end = fws_http_skip(p, i, len, FWS_CLASS_TOKEN);
    if (end == i) return 0;
    *out = (struct fastws_option_parameter){.name = {p + i, end - i}};
    size_t equals = skip_blanks(p, end, len);
    if (equals == len || p[equals] != '=') return end;
    return parse_value(out, p, skip_blanks(p, equals + 1, len), len);
}

/* Steps over semicolons and blanks. */
static size_t skip_empty(const char *p, size_t i, size_t len) {
    while (i < len && (fws_http_is_blank(p[i]) || p[i] == ';')) i++;
    return i;
}

int fastws_option_next(struct fastws_option *out, struct fastws_slice *list) {
    const char *p = list->ptr;
    size_t len = list->len, i = 0;
    while (i < len && (fws_http_is_blank(p[i]) || p[i] == ',')) i++;
    if (i == len) {
        list->len = 0;
        return 0;
    }
    size_t name_end = fws_http_skip(p, i, len, FWS_CLASS_TOKEN);
    if (name_end == i) return FASTWS_ERR_HTTP_OPTIONS;
    size_t end = name_end, next = skip_blanks(p, end, len);
    while (next < len && p[next] == ';') {
        next = skip_empty(p, next, len);
        if (next == len || p[next] == ',') break;
        struct fastws_option_parameter parameter;
        end = parse_parameter(&parameter, p, next, len);
        if (end == 0) return FASTWS_ERR_HTTP_OPTIONS;
        next = skip_blanks(p, end, len);
    }
    if (next < len && p[next] != ',') return FASTWS_ERR_HTTP_OPTIONS;
    out->name = (struct fastws_slice){p + i, name_end - i};
    out->parameters = (struct fastws_slice){p + name_end, end - name_end};
    *list = (struct fastws_slice){p + next, len - next};
    return 1;
}

/* Takes the next parameter, in front of which there is a semicolon unless it may be missing. */
static int next_parameter(struct fastws_option_parameter *out, struct fastws_slice *parameters, int may_begin) {
    const char *p = parameters->ptr;
    size_t len = parameters->len;
    size_t off = skip_empty(p, 0, len);
    if (off == len) {
        parameters->len = 0;
        return 0;
    }
    struct fastws_option_parameter parameter;
    size_t end = off > 0 || may_begin ? parse_parameter(&parameter, p, off, len) : 0;
    if (end == 0) return FASTWS_ERR_HTTP_OPTIONS;
    size_t next = skip_blanks(p, end, len);
    if (next < len && p[next] != ';') return FASTWS_ERR_HTTP_OPTIONS;
    *out = parameter;
    *parameters = (struct fastws_slice){p + next, len - next};
    return 1;
}

int fastws_option_next_parameter(struct fastws_option_parameter *out, struct fastws_slice *parameters) {
    return next_parameter(out, parameters, 0);
}

int fws_option_first_parameter(struct fastws_option_parameter *out, struct fastws_slice *parameters) {
    return next_parameter(out, parameters, 1);
}

static int is_same(struct fastws_slice a, struct fastws_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int fastws_option_find(struct fastws_option_parameter *out, const struct fastws_option *option,
                       struct fastws_slice name) {
    struct fastws_slice rest = option->parameters;
    struct fastws_option_parameter parameter;
    while (fastws_option_next_parameter(&parameter, &rest) > 0) {
        if (!is_same(parameter.name, name)) continue;
        *out = parameter;
        return 1;
    }
    return 0;
}

int fastws_options_parse(struct fastws_option *options, size_t cap, size_t *count, struct fastws_slice list,
                         unsigned flags) {
    struct fastws_option option;
    int result;
    while ((result = fastws_option_next(&option, &list)) > 0) {
        size_t i = 0;
        while (i < *count && (flags & FASTWS_OPTIONS_UNIQUE) && !is_same(options[i].name, option.name)) i++;
        if ((flags & FASTWS_OPTIONS_UNIQUE) && i < *count) continue;
        if (*count == cap) return FASTWS_ERR_BUFFER_SIZE;
        options[(*count)++] = option;
    }
    return result;
}

/* ---- Values and copies ---- */

/* Takes the next byte as it is meant. Returns it, or -1 at the end. */
static int next_byte(struct fastws_slice *rest, int has_escapes) {
    if (rest->len == 0) return -1;
    size_t off = has_escapes && rest->len > 1 && rest->ptr[0] == '\\';
    int byte = (uint8_t)rest->ptr[off];
    rest->ptr += off + 1;
    rest->len -= off + 1;
    return byte;
}

int fastws_option_unescape(char *dst, size_t cap, const struct fastws_option_parameter *parameter) {
    struct fastws_slice value = parameter->value;
    if (parameter->has_escapes) return fastws_http_unescape(dst, cap, value);
    if (value.len > cap || value.len > INT_MAX) return FASTWS_ERR_BUFFER_SIZE;
    if (value.len > 0) memmove(dst, value.ptr, value.len);
    return (int)value.len;
}

static int is_same_value(struct fastws_slice a, int a_has_escapes, struct fastws_slice b, int b_has_escapes) {
    int byte;
    do {
        byte = next_byte(&a, a_has_escapes);
        if (byte != next_byte(&b, b_has_escapes)) return 0;
    } while (byte >= 0);
    return 1;
}

int fastws_option_value_equals(const struct fastws_option_parameter *parameter, struct fastws_slice text) {
    return is_same_value(parameter->value, parameter->has_escapes, text, 0);
}

int fastws_option_equals(const struct fastws_option *a, const struct fastws_option *b) {
    if (!is_same(a->name, b->name)) return 0;
    struct fastws_slice a_rest = a->parameters, b_rest = b->parameters;
    struct fastws_option_parameter x, y;
    for (;;) {
        int a_result = fastws_option_next_parameter(&x, &a_rest), b_result = fastws_option_next_parameter(&y, &b_rest);
        if (a_result <= 0 || b_result <= 0) return a_result == b_result;
        if (!is_same(x.name, y.name) || x.has_value != y.has_value) return 0;
        if (!is_same_value(x.value, x.has_escapes, y.value, y.has_escapes)) return 0;
    }
}

struct fastws_slice fastws_option_text(const struct fastws_option *option) {
    return (struct fastws_slice){option->name.ptr, option->name.len + option->parameters.len};
}

int fastws_option_copy(struct fastws_option *out, char *dst, size_t cap, const struct fastws_option *option) {
    size_t name_len = option->name.len, rest_len = option->parameters.len;
    if (cap < name_len || cap - name_len < rest_len) return FASTWS_ERR_BUFFER_SIZE;
    if (name_len > 0) memmove(dst, option->name.ptr, name_len);
    if (rest_len > 0) memmove(dst + name_len, option->parameters.ptr, rest_len);
    out->name = (struct fastws_slice){dst, name_len};
    out->parameters = (struct fastws_slice){dst + name_len, rest_len};
    return 0;
}

/* ---- Writing ---- */

static int can_write(const struct fastws_option_parameter *parameter) {
    struct fastws_slice value = parameter->value;
    if (!fastws_http_is_token(parameter->name)) return 0;
    if (!parameter->has_value) return 1;
    if (!parameter->has_escapes) return fws_http_find_control(value.ptr, 0, value.len) == value.len;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || !is_text(value.ptr[i])) return 0;
        if (value.ptr[i] != '\\') continue;
        i++;
        if (i == value.len || !is_text(value.ptr[i])) return 0;
    }
    return 1;
}

static void put_quoted(struct fws_text *text, struct fastws_slice value, int has_escapes) {
    fws_text_put_string(text, "\"");
    size_t from = 0;
    for (size_t i = 0; i < value.len && !has_escapes; i++) {
        if (value.ptr[i] != '"' && value.ptr[i] != '\\') continue;
        fws_text_put(text, value.ptr + from, i - from);
        fws_text_put_string(text, "\\");
        from = i;
    }
    if (value.len > from) fws_text_put(text, value.ptr + from, value.len - from);
    fws_text_put_string(text, "\"");
}

static void put_parameter(struct fws_text *text, const struct fastws_option_parameter *parameter) {
    fws_text_put_string(text, "; ");
    fws_text_put(text, parameter->name.ptr, parameter->name.len);
    if (!parameter->has_value) return;
    fws_text_put_string(text, "=");
    if (!parameter->has_escapes && fastws_http_is_token(parameter->value)) {
        fws_text_put(text, parameter->value.ptr, parameter->value.len);
    } else {
        put_quoted(text, parameter->value, parameter->has_escapes);
    }
}

static void put_name(struct fws_text *text, struct fastws_slice name) {
    if (text->len > 0) fws_text_put_string(text, ", ");
    fws_text_put(text, name.ptr, name.len);
}

static int finish(struct fastws_http_text *out, const struct fws_text *text) {
    out->len = text->len;
    return text->len <= text->cap ? 0 : FASTWS_ERR_BUFFER_SIZE;
}

int fastws_option_write(struct fastws_http_text *text, struct fastws_slice name,
                        const struct fastws_option_parameter *parameters, size_t count) {
    if (!fastws_http_is_token(name)) return FASTWS_ERR_HANDSHAKE_HEADER;
    for (size_t i = 0; i < count; i++)
        if (!can_write(&parameters[i])) return FASTWS_ERR_HANDSHAKE_HEADER;
    struct fws_text own = {text->ptr, text->cap, text->len};
    put_name(&own, name);
    for (size_t i = 0; i < count; i++) put_parameter(&own, &parameters[i]);
    return finish(text, &own);
}

/* Appends one option. Returns 0, or HANDSHAKE_HEADER with nothing appended. */
static int put_option(struct fws_text *text, const struct fastws_option *option) {
    if (!fastws_http_is_token(option->name)) return FASTWS_ERR_HANDSHAKE_HEADER;
    struct fws_text own = *text;
    put_name(&own, option->name);
    struct fastws_slice rest = option->parameters;
    struct fastws_option_parameter parameter;
    int result;
    while ((result = fastws_option_next_parameter(&parameter, &rest)) > 0) put_parameter(&own, &parameter);
    if (result < 0) return FASTWS_ERR_HANDSHAKE_HEADER;
    *text = own;
    return 0;
}

int fastws_options_write(struct fastws_http_text *text, const struct fastws_option *options, size_t count) {
    struct fws_text own = {text->ptr, text->cap, text->len};
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) result = put_option(&own, &options[i]);
    int status = finish(text, &own);
    return result < 0 ? result : status;
}
