/* SPDX-License-Identifier: MIT */
/* A byte stream that follows a script: input in slices, output in pieces, counts, and a failure at a chosen byte. */
#ifndef SCRIPTED_IO_H
#define SCRIPTED_IO_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/header.h>
#include <fastws/mask.h>
#include <fastws/stream.h>

struct script {
    /* In: bytes, at most slice at a time (0: no limit), then after, again and again: 0 is the end of the stream. */
    const uint8_t *in;
    size_t in_len;
    size_t in_off;
    size_t slice;
    ptrdiff_t after;
    /* Out: at most piece bytes at a time (0: no limit); once fail_at bytes are out, failure. */
    uint8_t *out;
    size_t out_cap;
    size_t out_len;
    size_t piece;
    size_t fail_at;
    ptrdiff_t failure;
    int reads;
    int writes;
    int waits;
    int shutdowns;
    int closes;
    int is_again_due; /* with script_wait: every other read and write says FASTWS_IO_AGAIN first */
};

static inline ptrdiff_t script_read(void *ctx, void *dst, size_t len) {
    struct script *script = ctx;
    script->reads++;
    if (script->is_again_due && script->reads % 2) return FASTWS_IO_AGAIN;
    size_t left = script->in_len - script->in_off;
    if (left == 0) return script->after;
    if (script->slice > 0 && len > script->slice) len = script->slice;
    if (len > left) len = left;
    memcpy(dst, script->in + script->in_off, len);
    script->in_off += len;
    return (ptrdiff_t)len;
}

static inline ptrdiff_t script_writev(void *ctx, const struct fastws_iovec *iov, int count) {
    struct script *script = ctx;
    script->writes++;
    if (script->is_again_due && script->writes % 2) return FASTWS_IO_AGAIN;
    size_t room = script->piece > 0 ? script->piece : SIZE_MAX;
    if (script->failure != 0 && room > script->fail_at - script->out_len) room = script->fail_at - script->out_len;
    if (room == 0) return script->failure;
    size_t total = 0;
    for (int i = 0; i < count && total < room; i++) {
        size_t len = iov[i].len < room - total ? iov[i].len : room - total;
        if (len > script->out_cap - script->out_len) abort(); /* the test has to make out larger */
        memcpy(script->out + script->out_len, iov[i].base, len);
        script->out_len += len;
        total += len;
    }
    return (ptrdiff_t)total;
}

static inline int script_wait(void *ctx, int for_write, uint64_t until_ms) {
    (void)for_write;
    (void)until_ms;
    ((struct script *)ctx)->waits++;
    return 1;
}

static inline int script_wait_any(void *ctx, uint64_t until_ms) {
    (void)until_ms;
    ((struct script *)ctx)->waits++;
    return (int)(FASTWS_IO_READABLE | FASTWS_IO_WRITABLE);
}

static inline int script_shutdown(void *ctx) {
    ((struct script *)ctx)->shutdowns++;
    return 0;
}

static inline int script_close(void *ctx) {
    ((struct script *)ctx)->closes++;
    return 0;
}

/* A stream without wait: add script_wait for one that polls. */
static inline struct fastws_io script_io(struct script *script) {
    return (struct fastws_io){script_read, script_writev,   NULL,           script_close,
                              script,      script_shutdown, script_wait_any};
}

/* Appends a frame to dst: first is FIN, RSV and opcode as on the wire; masked, as a client sends it, unless key is
 * NULL. Returns its length. */
static inline size_t script_frame(uint8_t *dst, unsigned first, const void *payload, size_t len, const uint8_t *key) {
    struct fastws_header header = {
        .length = len, .opcode = first & 15u, .rsv = first >> 4 & 7u, .fin = first >> 7 & 1u};
    if (key != NULL) {
        header.masked = 1;
        memcpy(header.key, key, 4);
    }
    int header_len = fastws_header_write(dst, FASTWS_HEADER_MAX, &header);
    if (header_len < 0) abort();
    if (len > 0) memcpy(dst + header_len, payload, len);
    if (key != NULL) fastws_mask(dst + header_len, dst + header_len, len, key, 0);
    return (size_t)header_len + len;
}

#endif
