/* SPDX-License-Identifier: MIT */
/* The inside of a prepared message: its frame as a server sends it, and the count of those who hold it. */
#ifndef FWS_PREPARED_H
#define FWS_PREPARED_H

#include <stdatomic.h>

#include <fastws/header.h>
#include <fastws/prepared.h>

#include "platform.h"

struct fastws_prepared {
    atomic_size_t references;
    const struct fastws_allocator *allocator;
    const uint8_t *frame; /* header and payload, not masked */
    size_t frame_len;
    const uint8_t *payload; /* the end of the frame */
    size_t payload_len;
    uint8_t opcode;
    uint8_t bytes[]; /* room for any header, and the payload */
};

/* Like fastws_prepared_release(), for those who release what they do not know. */
FWS_PRIVATE void fws_prepared_release(void *prepared);

static inline struct fastws_prepared *fws_prepared_retain(struct fastws_prepared *prepared) {
    /* Whoever hands on a reference holds one: the count orders nothing. */
    atomic_fetch_add_explicit(&prepared->references, 1, memory_order_relaxed);
    return prepared;
}

#endif
