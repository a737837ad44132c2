/* SPDX-License-Identifier: MIT */
/* The lines of a head one after the other, marked many at a time. What is out of the ordinary is left to the parsers of
 * single lines in http.c, so that those alone say what an error is. */
#ifndef FWS_HTTP_LINES_H
#define FWS_HTTP_LINES_H

#include <fastws/http.h>

#include "../simd/kernels.h"
#include "platform.h"

/* Read the line [p, p + len), its CRLF left out and free of control bytes but tabs. Return 1, or the error of
 * fastws_http_parse_request_line() and fastws_http_parse_status_line(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_http_read_request_line(struct fastws_http_request_line *out, const char *p,
                                                            size_t len);
FWS_PRIVATE FASTWS_NODISCARD int fws_http_read_status_line(struct fastws_http_status_line *out, const char *p,
                                                           size_t len);

/* Bytes that are marked at a time: a head of a browser, and no more of what may follow it. */
enum { FWS_LINES_WINDOW = 1024 };

/* What a reader of lines has marked ahead: as the kernel writes it, and one more mark behind the last byte. */
struct fws_marks {
    uint64_t controls[FWS_LINES_WINDOW / 64 + 1];
    uint64_t others[FWS_LINES_WINDOW / 64 + 1];
};

/* Where a reader of lines stands. Everything that reads it is inline and nothing else knows its address, so that it
 * lives in registers. */
struct fws_lines {
    const char *head; /* bytes received so far, from the first of the head on */
    size_t len;
    size_t off; /* where the line starts that is read next */
    size_t pos; /* bytes of it that were looked at, as in http.h */

    struct fws_marks *marks;
    size_t window_off; /* bytes that are marked; window_len 0: none */
    size_t window_len;
    size_t word;           /* the word of `controls` that the next line end is looked for in */
    uint64_t control_bits; /* what is left of it */
};

static FWS_ALWAYS_INLINE struct fws_lines fws_lines_at(struct fws_marks *marks, const char *head, size_t len,
                                                       size_t off, size_t pos) {
    return (struct fws_lines){.head = head, .len = len, .off = off, .pos = pos, .marks = marks};
}

/* Marks len bytes. Apart, because it is what takes registers. */
static FWS_NOINLINE void fws_lines_fill(struct fws_marks *marks, const char *src, size_t len) {
    marks->controls[len / 64] = marks->others[len / 64] = 0;
    fws_kernels_active()->http_scan(marks->controls, marks->others, (const uint8_t *)src, len);
    marks->controls[len / 64] |= (uint64_t)1 << len % 64;
    marks->others[len / 64] |= (uint64_t)1 << len % 64;
}

/* Marks what follows from the next line on. */
static FWS_ALWAYS_INLINE void fws_lines_mark(struct fws_lines *lines) {
    size_t rest = lines->len - lines->off;
    lines->window_off = lines->off;
    lines->window_len = rest < FWS_LINES_WINDOW ? rest : FWS_LINES_WINDOW;
    fws_lines_fill(lines->marks, lines->head + lines->off, lines->window_len);
    lines->word = 0;
    lines->control_bits = lines->marks->controls[0];
}

/* Returns the place of the first byte at i or behind it that no name holds. There is one: that of the window's end. */
static FWS_ALWAYS_INLINE size_t fws_lines_find_other(const struct fws_lines *lines, size_t i) {
    const uint64_t *others = lines->marks->others;
    size_t word = i / 64;
    uint64_t bits = others[word] >> i % 64;
    if (FWS_LIKELY(bits != 0)) return i + (size_t)fws_ctz_u64(bits);
    do word++;
    while (others[word] == 0);
    return word * 64 + (size_t)fws_ctz_u64(others[word]);
}

/* Returns the place of the next control byte. The way from line to line is two bits of a word, so that what is done
 * with a line does not wait for the line before. */
static FWS_ALWAYS_INLINE size_t fws_lines_find_control(struct fws_lines *lines) {
    while (FWS_UNLIKELY(lines->control_bits == 0)) lines->control_bits = lines->marks->controls[++lines->word];
    return lines->word * 64 + (size_t)fws_ctz_u64(lines->control_bits);
}

/* If a CRLF stands at end, the place of the next control byte, passes over it and returns 1. */
static FWS_ALWAYS_INLINE int fws_lines_pass(struct fws_lines *lines, const char *p, size_t end) {
    if (FWS_UNLIKELY(lines->window_len - end < 2 || memcmp(p + end, "\r\n", 2) != 0)) return 0;
    lines->control_bits &= lines->control_bits - 1;
    if (FWS_UNLIKELY(lines->control_bits == 0)) lines->control_bits = lines->marks->controls[++lines->word];
    lines->control_bits &= lines->control_bits - 1;
    lines->off = lines->window_off + end + 2;
    return 1;
}

/* Returns [from, end) of p without the blanks around it. A CR stands at end. Most values have one space in front: as a
 * branch that is known before the byte is. */
static FWS_ALWAYS_INLINE struct fastws_slice fws_lines_trim(const char *p, size_t from, size_t end) {
    if (FWS_LIKELY(p[from] == ' ')) from++;
    if (FWS_UNLIKELY((uint8_t)p[from] <= ' '))
        while (p[from] == ' ' || p[from] == '\t') from++;
    if (FWS_UNLIKELY((uint8_t)p[end - 1] <= ' '))
        while (end > from && (p[end - 1] == ' ' || p[end - 1] == '\t')) end--;
    return (struct fastws_slice){p + from, end - from};
}

/* Reads the next line if it lies in the window and is as it should be. Returns FASTWS_HTTP_HEADER, FASTWS_HTTP_END, or
 * 0 if it is for others to judge. */
static FWS_ALWAYS_INLINE int fws_lines_take(struct fws_lines *lines, struct fastws_http_header *out) {
    const char *p = lines->head + lines->window_off;
    size_t start = lines->off - lines->window_off;
    if (FWS_UNLIKELY(start >= lines->window_len)) return 0;
    size_t end = fws_lines_find_control(lines);
    size_t name_end = fws_lines_find_other(lines, start);
    if (FWS_UNLIKELY(name_end == start)) return name_end == end && fws_lines_pass(lines, p, end) ? FASTWS_HTTP_END : 0;
    if (FWS_UNLIKELY(name_end >= end || p[name_end] != ':' || !fws_lines_pass(lines, p, end))) return 0;
    out->name = (struct fastws_slice){p + start, name_end - start};
    out->value = fws_lines_trim(p, name_end + 1, end);
    return FASTWS_HTTP_HEADER;
}

/* Steps behind a line that a parser of single lines has read. What is marked is no longer in step. */
static FWS_ALWAYS_INLINE void fws_lines_step(struct fws_lines *lines, int result, size_t pos) {
    lines->pos = result > 0 ? 0 : pos;
    lines->off += result > 0 ? pos : 0;
    lines->window_len = 0;
}

/* Like fastws_http_parse_header(), but for line after line. */
static FWS_ALWAYS_INLINE int fws_lines_next(struct fws_lines *lines, struct fastws_http_header *out) {
    int found = fws_lines_take(lines, out);
    if (FWS_LIKELY(found != 0)) return found;
    int is_marked = lines->window_len > 0 && lines->window_off == lines->off;
    if (lines->pos == 0 && lines->off < lines->len && !is_marked) {
        fws_lines_mark(lines);
        found = fws_lines_take(lines, out);
        if (found != 0) return found;
    }
    struct fastws_http_header header = {{NULL, 0}, {NULL, 0}};
    size_t pos = lines->pos;
    int result = fastws_http_parse_header(&header, lines->head + lines->off, lines->len - lines->off, &pos);
    fws_lines_step(lines, result, pos);
    *out = header;
    return result;
}

/* Returns the length of the first line of a head without its CRLF, having passed over it, or 0 if it is for a parser of
 * single lines. */
static FWS_ALWAYS_INLINE size_t fws_lines_start(struct fws_lines *lines) {
    if (lines->pos > 0 || lines->len == 0) return 0;
    fws_lines_mark(lines);
    size_t end = fws_lines_find_control(lines);
    return FWS_LIKELY(end > 0 && fws_lines_pass(lines, lines->head, end)) ? end : 0;
}

/* Like fastws_http_parse_request_line(). */
static FWS_ALWAYS_INLINE int fws_lines_request(struct fws_lines *lines, struct fastws_http_request_line *out) {
    size_t len = fws_lines_start(lines);
    if (FWS_LIKELY(len > 0)) return fws_http_read_request_line(out, lines->head, len);
    size_t pos = lines->pos;
    int result = fastws_http_parse_request_line(out, lines->head, lines->len, &pos);
    fws_lines_step(lines, result, pos);
    return result;
}

/* Like fastws_http_parse_status_line(). */
static FWS_ALWAYS_INLINE int fws_lines_status(struct fws_lines *lines, struct fastws_http_status_line *out) {
    size_t len = fws_lines_start(lines);
    if (FWS_LIKELY(len > 0)) return fws_http_read_status_line(out, lines->head, len);
    size_t pos = lines->pos;
    int result = fastws_http_parse_status_line(out, lines->head, lines->len, &pos);
    fws_lines_step(lines, result, pos);
    return result;
}

#endif
