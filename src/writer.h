/* SPDX-License-Identifier: MIT */
/* The writing half of a connection: frames go in, pieces of memory to write come out. It never reads. */
#ifndef FWS_WRITER_H
#define FWS_WRITER_H

#include <fastws/export.h>
#include <fastws/header.h>
#include <fastws/iovec.h>

#include "buf.h"
#include "pool.h"

/* Bytes that are queued stand in three places, sent in this order: front (own blocks), the cork if this writer holds
 * it, back (own blocks, once the cork is full). Nothing that is queued moves, until another writer takes the cork or
 * fws_writer_own() is called. */
struct fws_writer {
    struct fastws_pool *pool;
    struct fws_buf front;
    struct fws_buf back;
    uint64_t queued;        /* bytes, headers included */
    uint64_t listed;        /* bytes that fws_writer_list() named last, less what was sent since */
    size_t control_pending; /* bytes of replies to control frames that may still be queued: never less than there are */
};

/* Payloads from this size on are borrowed instead of copied: from 2 to 4 KiB up a gathering write beats the copy. */
enum { FWS_BORROW_MIN = 4096 };

FWS_PRIVATE void fws_writer_init(struct fws_writer *writer, struct fastws_pool *pool);

/* Drops everything that is queued. */
FWS_PRIVATE void fws_writer_clear(struct fws_writer *writer);

/* Queues one frame: header, then header->length bytes of payload. Payloads of FWS_BORROW_MIN and more are borrowed, all
 * others copied; with header->masked they are masked with header->key on the way, and payload stays as it is.
 * Returns 0, FASTWS_ERR_NOMEM, or the errors of fastws_header_write(): then nothing was queued. */
FWS_PRIVATE FASTWS_NODISCARD int fws_writer_frame(struct fws_writer *writer, const struct fastws_header *header,
                                                  const void *payload);

/* Lists what has to be written: the number of pieces, at most cap, or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_writer_list(struct fws_writer *writer, struct fastws_iovec *pieces, int cap);

/* Takes len bytes off the front: at most what was listed. */
FWS_PRIVATE void fws_writer_sent(struct fws_writer *writer, uint64_t len);

/* Copies what is borrowed into own blocks. Returns 0 or FASTWS_ERR_NOMEM: then nothing changed. */
FWS_PRIVATE FASTWS_NODISCARD int fws_writer_own(struct fws_writer *writer);

#endif
