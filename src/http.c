/* SPDX-License-Identifier: MIT */
/* The heads of HTTP/1.1: lines, tokens, lists. RFC 9110, RFC 9112. */
#include <fastws/http.h>

#include <fastws/error.h>

#include "platform.h"

/* What a byte may be part of. */
enum {
    TOKEN = 1u << 0, /* tchar. RFC 9110 5.6.2 */
    HOST = 1u << 1,  /* unreserved, sub-delims and '%': a registered name or IPv4 address. RFC 3986 3.2.2 */
    TARGET = 1u << 2 /* visible ASCII but '#': no fragment goes on the wire. RFC 9112 3.2, RFC 6455 section 3 */
};

#define T (TARGET)
#define TT (TARGET | TOKEN)
#define TH (TARGET | HOST)
#define ALL (TARGET | TOKEN | HOST)
#define ALL8 ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL

static const uint8_t classes[256] = {
    /* 0x20 */ [' '] = 0, ['!'] = ALL, ['"'] = T, ['#'] = TOKEN, ['$'] = ALL, ['%'] = ALL, ['&'] = ALL, ['\''] = ALL,
    /* 0x28 */ ['('] = TH, TH, ALL, ALL, TH, ALL, ALL, T, /* ( ) * + , - . / */
    /* 0x30 */ ['0'] = ALL8, ALL, ALL, T, TH, T, TH, T, T, /* 0-9 : ; < = > ? */
    /* 0x40 */ ['@'] = T, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL8, /* @ A-O */
    /* 0x50 */ ['P'] = ALL8, ALL, ALL, ALL, T, T, T, TT, ALL, /* P-Z [ \ ] ^ _ */
    /* 0x60 */ ['`'] = TT, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL8, /* ` a-o */
    /* 0x70 */ ['p'] = ALL8, ALL, ALL, ALL, T, TT, T, ALL, 0, /* p-z { | } ~ DEL */
};

#undef T
#undef TT
#undef TH
#undef ALL
#undef ALL8

/* Returns how many bytes at the start of [i, len) are of the class, as the offset behind them. */
static FWS_ALWAYS_INLINE size_t skip_class(const char *p, size_t i, size_t len, unsigned class) {
    while (i < len && classes[(uint8_t)p[i]] & class) i++;
    return i;
}

static int is_all(struct fastws_slice text, unsigned class) {
    return text.len > 0 && skip_class(text.ptr, 0, text.len, class) == text.len;
}

static FWS_ALWAYS_INLINE int is_blank(char c) {
    return c == ' ' || c == '\t';
}

static FWS_ALWAYS_INLINE int is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* RFC 9110 5.5: of the control bytes a value may hold only the tab. */
static FWS_ALWAYS_INLINE int is_control(char c) {
    return ((uint8_t)c < 0x20 && c != '\t') || c == 0x7f;
}

/* Returns a word whose lowest set bit marks the first byte of v, as it lies in memory, that is below 0x20 or 0x7f; 0 if
 * there is none. Bits above the lowest may be wrong: the subtractions borrow from byte to byte. */
static FWS_ALWAYS_INLINE uint64_t mark_control(uint64_t v) {
    const uint64_t ones = UINT64_MAX / 255;
    if (FWS_BIG_ENDIAN) v = fws_swap_u64(v);
    uint64_t del = v ^ ones * 0x7f;
    return (((v - ones * 0x20) & ~v) | ((del - ones) & ~del)) & ones * 0x80;
}

/* Returns the offset of the first control byte in [i, len), len if there is none. */
static size_t find_control(const char *p, size_t i, size_t len) {
    while (len - i >= 8) {
        uint64_t marks = mark_control(fws_load_u64(p + i));
        if (FWS_LIKELY(marks == 0)) {
            i += 8;
            continue;
        }
        i += (size_t)fws_ctz_u64(marks) / 8;
        if (p[i] != '\t') return i;
        i++;
    }
    while (i < len && !is_control(p[i])) i++;
    return i;
}

/* Why a line may not be read on at the control byte at i, which is no CR. */
typedef int judge_control(const char *line, size_t i);

/* Finds the end of the line that starts at `from`.
 *   pos   as in http.h, relative to p
 *   end   written on success: the offset of the CR
 * Returns 1, NEED_MORE or an error. */
static int find_line_end(const char *p, size_t from, size_t len, size_t *pos, size_t *end, judge_control *judge) {
    size_t i = find_control(p, *pos > from ? *pos : from, len);
    *pos = i;
    if (i == len) return FASTWS_NEED_MORE;
    if (FWS_UNLIKELY(p[i] != '\r')) {
        *pos = i + 1;
        /* RFC 9112 2.2 lets a reader take a bare LF for a line end. Others do not, and that is how they are fooled. */
        return p[i] == '\n' ? FASTWS_ERR_HTTP_LINE_END : judge(p + from, i - from);
    }
    if (len - i < 2) return FASTWS_NEED_MORE;
    *pos = i + 2;
    if (FWS_UNLIKELY(p[i + 1] != '\n')) return FASTWS_ERR_HTTP_LINE_END;
    *end = i;
    return 1;
}

static int judge_control_in_request_line(const char *line, size_t i) {
    const char *space = memchr(line, ' ', i);
    if (space == NULL) return FASTWS_ERR_HTTP_REQUEST_LINE;
    size_t target_off = (size_t)(space - line) + 1;
    return memchr(line + target_off, ' ', i - target_off) == NULL ? FASTWS_ERR_HTTP_TARGET
                                                                  : FASTWS_ERR_HTTP_REQUEST_LINE;
}

/* Parses "HTTP/" DIGIT "." DIGIT at the start of [p, p + len). RFC 9112 2.3.
 *   version    written on success: the two digits
 *   malformed  what to return for anything that is not even of this kind
 * Returns the length of the whole, or an error. */
static int parse_version(uint8_t version[2], const char *p, size_t len, int malformed) {
    if (len < 8 || memcmp(p, "HTTP/", 5) != 0) return malformed;
    size_t major_end = 5;
    while (major_end < len && is_digit(p[major_end])) major_end++;
    if (major_end == 5 || major_end == len || p[major_end] != '.') return malformed;
    size_t minor_end = major_end + 1;
    while (minor_end < len && is_digit(p[minor_end])) minor_end++;
    if (minor_end == major_end + 1 || (minor_end < len && p[minor_end] != ' ')) return malformed;
    if (minor_end != 8) return FASTWS_ERR_HTTP_VERSION;
    version[0] = (uint8_t)(p[5] - '0');
    version[1] = (uint8_t)(p[7] - '0');
    return 8;
}

/* Parses the request line [p, p + len), its CRLF left out. */
static int parse_request_line(struct fastws_http_request_line *out, const char *p, size_t len) {
    size_t method_len = skip_class(p, 0, len, TOKEN);
    if (method_len == 0 || method_len == len || p[method_len] != ' ') return FASTWS_ERR_HTTP_REQUEST_LINE;
    size_t target_off = method_len + 1;
    size_t target_end = skip_class(p, target_off, len, TARGET);
    if (target_end == len) return FASTWS_ERR_HTTP_REQUEST_LINE;
    if (p[target_end] != ' ') return FASTWS_ERR_HTTP_TARGET;
    if (target_end == target_off) return FASTWS_ERR_HTTP_REQUEST_LINE;
    uint8_t version[2];
    size_t version_off = target_end + 1;
    if (memchr(p + version_off, ' ', len - version_off) != NULL) return FASTWS_ERR_HTTP_REQUEST_LINE;
    TRY(parse_version(version, p + version_off, len - version_off, FASTWS_ERR_HTTP_REQUEST_LINE));
    out->version_major = version[0];
    out->version_minor = version[1];
    out->method = (struct fastws_slice){p, method_len};
    out->target = (struct fastws_slice){p + target_off, target_end - target_off};
    return 1;
}

int fastws_http_parse_request_line(struct fastws_http_request_line *out, const void *src, size_t len, size_t *pos) {
    const char *p = src;
    size_t from = len >= 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
    size_t end;
    int result = find_line_end(p, from, len, pos, &end, judge_control_in_request_line);
    if (result <= 0) return result;
    struct fastws_http_request_line line;
    TRY(parse_request_line(&line, p + from, end - from));
    *out = line;
    return 1;
}

static int judge_control_in_status_line(const char *line, size_t i) {
    (void)line;
    (void)i;
    return FASTWS_ERR_HTTP_STATUS_LINE;
}

/* Parses the status line [p, p + len), its CRLF left out. */
static int parse_status_line(struct fastws_http_status_line *out, const char *p, size_t len) {
    uint8_t version[2];
    int version_len = parse_version(version, p, len, FASTWS_ERR_HTTP_STATUS_LINE);
    TRY(version_len);
    size_t status_off = (size_t)version_len + 1;
    size_t status_end = status_off + 3;
    if (len < status_end) return FASTWS_ERR_HTTP_STATUS_LINE;
    const char *digits = p + status_off;
    if (digits[0] < '1' || digits[0] > '9' || !is_digit(digits[1]) || !is_digit(digits[2]))
        return FASTWS_ERR_HTTP_STATUS_LINE;
    if (len > status_end && p[status_end] != ' ') return FASTWS_ERR_HTTP_STATUS_LINE;
    size_t reason_off = len > status_end ? status_end + 1 : len;
    out->version_major = version[0];
    out->version_minor = version[1];
    out->status = (uint16_t)((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0'));
    out->reason = (struct fastws_slice){p + reason_off, len - reason_off};
    return 1;
}

int fastws_http_parse_status_line(struct fastws_http_status_line *out, const void *src, size_t len, size_t *pos) {
    const char *p = src;
    size_t end;
    int result = find_line_end(p, 0, len, pos, &end, judge_control_in_status_line);
    if (result <= 0) return result;
    return parse_status_line(out, p, end);
}

/* Returns a word whose lowest set bit marks the first byte of v, as it lies in memory, that is neither a letter nor
 * '-'; 0 if there is none. No sum reaches beyond its byte, so no bit is wrong. */
static FWS_ALWAYS_INLINE uint64_t mark_unusual(uint64_t v) {
    const uint64_t ones = UINT64_MAX / 255;
    if (FWS_BIG_ENDIAN) v = fws_swap_u64(v);
    uint64_t ascii = v & ones * 0x7f;
    uint64_t lower = ascii | ones * 0x20;
    uint64_t is_letter = (lower + ones * (0x80 - 'a')) & ~(lower + ones * (0x7f - 'z'));
    uint64_t is_other = (ascii ^ ones * '-') + ones * 0x7f;
    return (v | (~is_letter & is_other)) & ones * 0x80;
}

/* Returns the length of the name at the start of [p, p + len), or 0 if it is not a token with its colon behind it. */
static size_t parse_name(const char *p, size_t len) {
    size_t i = 0;
    while (len - i >= 8) {
        uint64_t marks = mark_unusual(fws_load_u64(p + i));
        i += marks == 0 ? 8 : (size_t)fws_ctz_u64(marks) / 8;
        if (marks != 0) break;
    }
    i = skip_class(p, i, len, TOKEN);
    return i < len && p[i] == ':' ? i : 0;
}

static int judge_control_in_header(const char *line, size_t i) {
    return parse_name(line, i) > 0 ? FASTWS_ERR_HTTP_HEADER_VALUE : FASTWS_ERR_HTTP_HEADER_NAME;
}

int fastws_http_parse_header(struct fastws_http_header *out, const void *src, size_t len, size_t *pos) {
    const char *p = src;
    if (len > 0 && is_blank(p[0])) {
        *pos = 1;
        return FASTWS_ERR_HTTP_FOLD;
    }
    size_t end;
    int result = find_line_end(p, 0, len, pos, &end, judge_control_in_header);
    if (result <= 0) return result;
    if (end == 0) return FASTWS_HTTP_END;
    size_t name_len = parse_name(p, end);
    if (name_len == 0) return FASTWS_ERR_HTTP_HEADER_NAME;
    out->name = (struct fastws_slice){p, name_len};
    out->value = fastws_http_trim((struct fastws_slice){p + name_len + 1, end - name_len - 1});
    return FASTWS_HTTP_HEADER;
}

struct fastws_slice fastws_http_trim(struct fastws_slice text) {
    while (text.len > 0 && is_blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.ptr[text.len - 1])) text.len--;
    return text;
}

/* Takes the next element, token or, if slashed, token [ "/" token ], from a comma separated list. */
static int next_element(struct fastws_slice *element, struct fastws_slice *list, int slashed) {
    const char *p = list->ptr;
    size_t len = list->len;
    size_t i = 0;
    while (i < len && (is_blank(p[i]) || p[i] == ',')) i++;
    if (i == len) {
        list->len = 0;
        return 0;
    }
    size_t end = skip_class(p, i, len, TOKEN);
    if (end == i) return FASTWS_ERR_HTTP_HEADER_VALUE;
    if (slashed && end < len && p[end] == '/') {
        size_t version_off = end + 1;
        end = skip_class(p, version_off, len, TOKEN);
        if (end == version_off) return FASTWS_ERR_HTTP_HEADER_VALUE;
    }
    size_t next = end;
    while (next < len && is_blank(p[next])) next++;
    if (next < len && p[next] != ',') return FASTWS_ERR_HTTP_HEADER_VALUE;
    *element = (struct fastws_slice){p + i, end - i};
    *list = (struct fastws_slice){p + next, len - next};
    return 1;
}

int fastws_http_next_token(struct fastws_slice *token, struct fastws_slice *list) {
    return next_element(token, list, 0);
}

int fastws_http_next_protocol(struct fastws_slice *protocol, struct fastws_slice *list) {
    return next_element(protocol, list, 1);
}

int fastws_http_is_token(struct fastws_slice text) {
    return is_all(text, TOKEN);
}

int fastws_http_is_target(struct fastws_slice text) {
    return is_all(text, TARGET);
}

int fastws_http_is_value(struct fastws_slice text) {
    if (text.len == 0) return 1;
    if (is_blank(text.ptr[0]) || is_blank(text.ptr[text.len - 1])) return 0;
    return find_control(text.ptr, 0, text.len) == text.len;
}

/* Returns the length of the "[" address "]" at the start of text, or 0. Its address is judged by its bytes only. */
static size_t skip_ip_literal(struct fastws_slice text) {
    const char *end = text.len > 2 ? memchr(text.ptr, ']', text.len) : NULL;
    if (end == NULL || end == text.ptr + 1) return 0;
    for (const char *p = text.ptr + 1; p < end; p++)
        if (*p != ':' && !(classes[(uint8_t)*p] & HOST)) return 0;
    return (size_t)(end - text.ptr) + 1;
}

int fastws_http_is_host(struct fastws_slice text) {
    if (text.len == 0) return 0;
    size_t i = text.ptr[0] == '[' ? skip_ip_literal(text) : skip_class(text.ptr, 0, text.len, HOST);
    if (i == 0) return 0;
    if (i == text.len) return 1;
    if (text.ptr[i++] != ':') return 0;
    while (i < text.len && is_digit(text.ptr[i])) i++;
    return i == text.len;
}

int fastws_http_equals(struct fastws_slice text, const char *lower) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
        if (lower[i] == '\0' || c != lower[i]) return 0;
    }
    return lower[text.len] == '\0';
}

const char *fastws_http_status_text(int status) {
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {511, "Network Authentication Required"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status) return rows[i].text;
    return "";
}
