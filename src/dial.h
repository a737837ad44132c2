/* SPDX-License-Identifier: MIT */
/* A handshake of a client from inside: what dial.c and dial_feed.c share. */
#ifndef FWS_DIAL_H
#define FWS_DIAL_H

#include <stddef.h>

#include <fastws/dial.h>

#include "dial_answer.h"

enum {
    FWS_SHORT_REQUEST_CAP = 512, /* bytes of the longest request, and the longest head, without a block of their own */
    FWS_SHORT_HEAD_CAP = 1024
};

enum fws_dialer_phase {
    FWS_DIALER_STATUS_LINE,
    FWS_DIALER_HEADERS,
    FWS_DIALER_BODY,
    FWS_DIALER_OPEN,
    FWS_DIALER_REFUSED
};

/* Memory that grows. */
struct fws_dial_block {
    char *ptr; /* NULL: none */
    size_t cap;
    size_t len;
};

struct fastws_dialer {
    const struct fastws_allocator *allocator;
    int is_allocated; /* by fastws_dial_new() */
    int is_head_complete;
    int is_redirected;
    enum fws_dialer_phase phase;
    const struct fastws_dial_config *config;
    struct fws_answer answer;
    struct fws_dial_block request; /* without a block its bytes are in short_request, and likewise below */
    struct fws_dial_block head;
    struct fws_dial_block body;
    size_t final_off; /* where in the head the lines begin that the last status line introduces */
    size_t line_off;  /* where the line starts that is parsed next */
    size_t line_pos;  /* bytes of it that were looked at */
    char short_request[FWS_SHORT_REQUEST_CAP];
    char short_head[FWS_SHORT_HEAD_CAP];
};

static inline void fws_dial_release(const struct fastws_allocator *allocator, struct fws_dial_block *block) {
    if (block->ptr != NULL) allocator->release(allocator->context, block->ptr, block->cap);
    *block = (struct fws_dial_block){NULL, 0, 0};
}

static inline const char *fws_dial_head(const struct fastws_dialer *dial) {
    return dial->head.ptr != NULL ? dial->head.ptr : dial->short_head;
}

static inline struct fastws_slice fws_dial_slice(const struct fastws_dialer *dial, struct fws_part part) {
    return (struct fastws_slice){fws_dial_head(dial) + part.off, part.len};
}

#endif
