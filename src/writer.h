/* SPDX-License-Identifier: MIT */
/* The writing half of a connection: frames go in, pieces of memory to write come out. It never reads. */
#ifndef FWS_WRITER_H
#define FWS_WRITER_H

#include <fastws/export.h>
#include <fastws/header.h>
#include <fastws/iovec.h>

#include "buf.h"
#include "pool.h"

/* Replies to control frames that are queued, in two generations: the older one is forgotten when all of it has been
 * sent, and the newer one takes its place. So what is counted is never less than what is queued, and never more than
 * came in during the time that two queues like the present one take to be sent. */
struct fws_replies {
    uint64_t old_end; /* where in the stream of bytes the last reply of the generation ends */
    uint64_t new_end;
    size_t old_len; /* bytes of the generation; 0: there is none */
    size_t new_len;
};

/* Bytes that are queued stand in three places, sent in this order: front (own blocks), the cork if this writer holds
 * it, back (own blocks, once the cork is full). Nothing that is queued moves, until another writer takes the cork or
 * fws_writer_own() is called. */
struct fws_writer {
    struct fastws_pool *pool;
    struct fws_buf front;
    struct fws_buf back;
    uint64_t queued;        /* bytes, headers included */
    uint64_t listed;        /* bytes that fws_writer_list() named last, less what was sent since */
    uint64_t sent;          /* bytes ever sent: where in its stream of bytes the queue begins */
    struct fws_replies replies;
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

/* Counts the last len bytes that were queued as a reply to a control frame. */
FWS_PRIVATE void fws_writer_note_reply(struct fws_writer *writer, size_t len);

/* Returns the bytes of replies that may still be queued. */
FWS_PRIVATE size_t fws_writer_replies(const struct fws_writer *writer);

/* Copies what is borrowed into own blocks. Returns 0 or FASTWS_ERR_NOMEM: then nothing changed. */
FWS_PRIVATE FASTWS_NODISCARD int fws_writer_own(struct fws_writer *writer);

#endif
