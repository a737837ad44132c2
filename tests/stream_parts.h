/* SPDX-License-Identifier: MIT */
/* A conversation in parts: what a server is sent, what it has to answer, and hooks that write down what they are told. */
#ifndef STREAM_PARTS_H
#define STREAM_PARTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scripted_io.h"

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
static uint8_t out[1 << 16];
static uint8_t in[1 << 20];
static struct fastws_conn_config config;

static inline int setup(void **state) {
    (void)state;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    return 0;
}

static inline struct fastws_stream *open_over(struct script *script, int has_wait) {
    script->out = out;
    script->out_cap = sizeof out;
    struct fastws_io io = script_io(script);
    if (has_wait) io.wait = script_wait;
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), 0);
    return stream;
}

/* Adds a masked frame to in. first: FIN RSV1-3 opcode. */
static inline size_t add(size_t len, unsigned first, const char *payload) {
    return len + script_frame(in + len, first, payload, strlen(payload), key);
}

/* A text of three frames with control frames between them, a binary message, a close. */
static inline size_t make_conversation(void) {
    size_t len = add(0, 0x01, "foo");
    len = add(len, 0x89, "ping");
    len = add(len, 0x00, "bar");
    len = add(len, 0x8a, "pong");
    len = add(len, 0x80, "baz");
    len = add(len, 0x89, "between");
    len = add(len, 0x82, "whole");
    return add(len, 0x88, "\x03\xe8" "bye");
}

static const uint8_t answers[] = {0x8a, 0x04, 'p', 'i', 'n', 'g', 0x8a, 0x07, 'b', 'e', 't', 'w', 'e', 'e', 'n',
                                  0x88, 0x02, 0x03, 0xe8};

/* ---- Hooks that write down what they are told ---- */

struct notes {
    char text[256];
    int fail_on;   /* the call that fails, counted from 1; 0: none */
    int calls;
    size_t take;   /* bytes that on_continuation reads itself */
    char taken[64];
};

static inline int note(struct notes *notes, const char *text) {
    strcat(notes->text, text);
    return ++notes->calls == notes->fail_on ? -1000 : 0;
}

static inline int note_control(void *context, struct fastws_stream *stream, const struct fastws_event *event) {
    char text[160];
    assert_non_null(stream);
    snprintf(text, sizeof text, "%d:%.*s ", event->kind, (int)event->len, (const char *)event->ptr);
    return note(context, text);
}

static inline int note_continuation(void *context, const struct fastws_header *header, struct fastws_body *body) {
    struct notes *notes = context;
    char text[64];
    assert_int_equal(header->opcode, FASTWS_OPCODE_CONTINUATION);
    assert_int_equal(header->masked, 0);
    snprintf(text, sizeof text, "+%d%s ", (int)header->length, header->fin ? "." : "");
    for (size_t left = notes->take; left > 0;) {
        char bytes[16];
        ptrdiff_t n = fastws_body_read(body, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (n < 0) return (int)n;
        if (n == 0) break;
        strncat(notes->taken, bytes, (size_t)n);
        left -= (size_t)n;
    }
    return note(notes, text);
}

static inline struct fastws_stream_hooks hooks_of(struct notes *notes) {
    return (struct fastws_stream_hooks){note_control, note_continuation, notes};
}

/* Reads len bytes at a time until the end, and compares. */
static inline void expect_file(struct fastws_stream *stream, size_t len, const char *expected) {
    char text[64] = "";
    size_t off = 0;
    ptrdiff_t n;
    while ((n = fastws_stream_read(stream, text + off, len)) > 0) {
        assert_in_range(n, 1, len);
        off += (size_t)n;
        assert_true(off + len < sizeof text);
    }
    assert_int_equal(n, 0);
    assert_int_equal(off, strlen(expected));
    assert_memory_equal(text, expected, off);
    assert_int_equal(fastws_stream_read(stream, text, len), 0);
}

static inline void expect_frame(struct fastws_stream *stream, unsigned opcode, int fin, uint64_t len) {
    struct fastws_header header;
    memset(&header, 0xee, sizeof header);
    assert_int_equal(fastws_stream_next_frame(stream, &header), 0);
    assert_int_equal(header.opcode, opcode);
    assert_int_equal(header.fin, fin);
    assert_int_equal(header.rsv, 0);
    assert_int_equal(header.masked, 0);
    assert_int_equal(header.length, len);
}

static inline void expect_out(const struct script *script, const void *expected, size_t len) {
    assert_int_equal(script->out_len, len);
    assert_memory_equal(out, expected, len);
}

#endif
