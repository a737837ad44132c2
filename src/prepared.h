/* SPDX-License-Identifier: MIT */
/* The inside of a prepared message: its frame as a server sends it, and the count of those who hold it. */
#ifndef FWS_PREPARED_H
#define FWS_PREPARED_H

#include <stdatomic.h>

#include <fastws/header.h>
#include <fastws/prepared.h>

#include "platform.h"

/* The payload, compressed with one set of settings. */
struct fws_prepared_variant {
    struct fws_prepared_variant *next;
    uint32_t settings; /* a number for the owner of the settings */
    size_t len;
    uint8_t bytes[];
};

struct fastws_prepared {
    atomic_size_t references;
    const struct fastws_allocator *allocator;
    const uint8_t *frame; /* header and payload, not masked */
    size_t frame_len;
    const uint8_t *payload; /* the end of the frame */
    size_t payload_len;
    /* What it was compressed to, newest first: any thread may add, nothing is taken out before the message is freed. */
    struct fws_prepared_variant *_Atomic variants;
    uint16_t way; /* FASTWS_SEND_* */
    uint8_t opcode;
    uint8_t bytes[]; /* room for any header, and the payload */
};

/* Like fastws_prepared_release(), for those who release what they do not know. */
FWS_PRIVATE void fws_prepared_release(void *prepared);

/* Finds the variant of these settings. NULL: there is none yet. */
FWS_PRIVATE const struct fws_prepared_variant *fws_prepared_find(struct fastws_prepared *prepared, uint32_t settings);

/* Adds a copy of a variant, which lives as long as the message. Two threads may add the same one: then there are two.
 * Returns 0 or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_prepared_keep(struct fastws_prepared *prepared, uint32_t settings,
                                                   const void *bytes, size_t len,
                                                   const struct fws_prepared_variant **out);

static inline struct fastws_prepared *fws_prepared_retain(struct fastws_prepared *prepared) {
    /* Whoever hands on a reference holds one: the count orders nothing. */
    atomic_fetch_add_explicit(&prepared->references, 1, memory_order_relaxed);
    return prepared;
}

#endif
