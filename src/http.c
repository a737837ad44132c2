/* SPDX-License-Identifier: MIT */
/* The lines of HTTP/1.1 heads. RFC 9112. */
#include <fastws/http.h>

#include <fastws/error.h>

#include "http_class.h"
#include "http_lines.h"

enum { VERSION_LEN = 8 }; /* bytes of "HTTP/1.1" */

/* Why a line may not be read on at the control byte at i, which is no CR. */
typedef int judge_control(const char *line, size_t i);

/* Finds the end of the line that starts at `from`.
 *   pos   as in http.h, relative to p
 *   end   written on success: the offset of the CR
 * Returns 1, NEED_MORE or an error. */
static int find_line_end(const char *p, size_t from, size_t len, size_t *pos, size_t *end, judge_control *judge) {
    size_t i = fws_http_find_control(p, *pos > from ? *pos : from, len);
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

/* Parses "HTTP/" 1*DIGIT "." 1*DIGIT at the start of [p, p + len). RFC 9112 2.3.
 *   version  written on success: the last digit of either number. Both have one digit if the length is VERSION_LEN
 * Returns the length of the whole, or 0. */
static size_t parse_version(uint8_t version[2], const char *p, size_t len) {
    if (len < VERSION_LEN || memcmp(p, "HTTP/", 5) != 0) return 0;
    size_t major_end = 5;
    while (major_end < len && fws_http_is_digit(p[major_end])) major_end++;
    if (major_end == 5 || major_end == len || p[major_end] != '.') return 0;
    size_t minor_end = major_end + 1;
    while (minor_end < len && fws_http_is_digit(p[minor_end])) minor_end++;
    if (minor_end == major_end + 1) return 0;
    version[0] = (uint8_t)(p[major_end - 1] - '0');
    version[1] = (uint8_t)(p[minor_end - 1] - '0');
    return minor_end;
}

/* Says whether the 8 bytes may stand in a target. Each test is right for the word as a whole: borrows from byte to byte
 * come from bytes that are wrong themselves. */
static FWS_ALWAYS_INLINE int is_target_word(uint64_t v) {
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t hash = v ^ ones * '#', del = v ^ ones * 0x7f;
    uint64_t wrong = ((v - ones * 0x21) & ~v) | ((hash - ones) & ~hash) | ((del - ones) & ~del) | v;
    return (wrong & ones * 0x80) == 0;
}

/* Says whether [p, p + len) is a target. At least 7 bytes behind it can be read. No loop over bytes: where such a loop
 * ends is hard to predict. */
static FWS_ALWAYS_INLINE int is_target(const char *p, size_t len) {
    if (len == 0) return 0;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = fws_load_u64(p + i);
        if (FWS_BIG_ENDIAN) v = fws_swap_u64(v);
        size_t n = len - i;
        uint64_t wanted = n >= 8 ? UINT64_MAX : ((uint64_t)1 << n * 8) - 1;
        if (!is_target_word((v & wanted) | (UINT64_MAX / 255 * 'a' & ~wanted))) return 0;
    }
    return 1;
}

/* Says whether the line is what nearly all are: "GET " target " HTTP/1." DIGIT. */
static FWS_ALWAYS_INLINE int is_usual_request_line(const char *p, size_t len) {
    enum { METHOD_LEN = 4, END_LEN = 1 + VERSION_LEN };
    if (len < METHOD_LEN + END_LEN) return 0;
    const char *end = p + len - END_LEN;
    if (memcmp(p, "GET ", METHOD_LEN) != 0 || memcmp(end, " HTTP/1.", END_LEN - 1) != 0) return 0;
    return fws_http_is_digit(p[len - 1]) && is_target(p + METHOD_LEN, len - METHOD_LEN - END_LEN);
}

static int read_request_line(struct fastws_http_request_line *out, const char *p, size_t len) {
    size_t method_len = fws_http_skip(p, 0, len, FWS_CLASS_TOKEN);
    if (method_len == 0 || method_len == len || p[method_len] != ' ') return FASTWS_ERR_HTTP_REQUEST_LINE;
    size_t target_off = method_len + 1;
    size_t target_end = fws_http_skip(p, target_off, len, FWS_CLASS_TARGET);
    if (target_end == len) return FASTWS_ERR_HTTP_REQUEST_LINE;
    if (p[target_end] != ' ') return FASTWS_ERR_HTTP_TARGET;
    if (target_end == target_off) return FASTWS_ERR_HTTP_REQUEST_LINE;
    uint8_t version[2];
    size_t version_len = len - target_end - 1;
    if (version_len == 0 || parse_version(version, p + target_end + 1, version_len) != version_len)
        return FASTWS_ERR_HTTP_REQUEST_LINE;
    if (version_len != VERSION_LEN) return FASTWS_ERR_HTTP_VERSION;
    out->method = (struct fastws_slice){p, method_len};
    out->target = (struct fastws_slice){p + target_off, target_end - target_off};
    out->version_major = version[0];
    out->version_minor = version[1];
    return 1;
}

int fws_http_read_request_line(struct fastws_http_request_line *out, const char *p, size_t len) {
    if (FWS_UNLIKELY(!is_usual_request_line(p, len))) return read_request_line(out, p, len);
    out->method = (struct fastws_slice){p, 3};
    out->target = (struct fastws_slice){p + 4, len - 4 - 1 - VERSION_LEN};
    out->version_major = 1;
    out->version_minor = (uint8_t)(p[len - 1] - '0');
    return 1;
}

int fastws_http_parse_request_line(struct fastws_http_request_line *out, const void *src, size_t len, size_t *pos) {
    const char *p = src;
    size_t from = len >= 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
    size_t end;
    int result = find_line_end(p, from, len, pos, &end, judge_control_in_request_line);
    if (result <= 0) return result;
    return fws_http_read_request_line(out, p + from, end - from);
}

static int judge_control_in_status_line(const char *line, size_t i) {
    (void)line;
    (void)i;
    return FASTWS_ERR_HTTP_STATUS_LINE;
}

int fws_http_read_status_line(struct fastws_http_status_line *out, const char *p, size_t len) {
    uint8_t version[2];
    size_t version_len = parse_version(version, p, len);
    /* SP 3DIGIT */
    if (version_len == 0 || len - version_len < 4) return FASTWS_ERR_HTTP_STATUS_LINE;
    const char *digits = p + version_len + 1;
    if (digits[-1] != ' ' || digits[0] == '0') return FASTWS_ERR_HTTP_STATUS_LINE;
    for (int i = 0; i < 3; i++)
        if (!fws_http_is_digit(digits[i])) return FASTWS_ERR_HTTP_STATUS_LINE;
    size_t status_end = version_len + 4;
    if (len > status_end && p[status_end] != ' ') return FASTWS_ERR_HTTP_STATUS_LINE;
    if (version_len != VERSION_LEN) return FASTWS_ERR_HTTP_VERSION;
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
    return fws_http_read_status_line(out, p, end);
}

/* Returns the length of the name at the start of [p, p + len), or 0 if it is not a token with its colon behind it. */
static size_t parse_name(const char *p, size_t len) {
    size_t i = fws_http_skip(p, 0, len, FWS_CLASS_TOKEN);
    return i < len && p[i] == ':' ? i : 0;
}

static int judge_control_in_header(const char *line, size_t i) {
    return parse_name(line, i) > 0 ? FASTWS_ERR_HTTP_HEADER_VALUE : FASTWS_ERR_HTTP_HEADER_NAME;
}

int fastws_http_parse_header(struct fastws_http_header *out, const void *src, size_t len, size_t *pos) {
    const char *p = src;
    if (len > 0 && fws_http_is_blank(p[0])) {
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
