/* SPDX-License-Identifier: MIT */
/* The writing half of a connection: frames go in, pieces of memory to write come out. It never reads. */
#ifndef FWS_WRITER_H
#define FWS_WRITER_H

#include <fastws/export.h>
#include <fastws/header.h>
#include <fastws/iovec.h>

#include "buf.h"
#include "pool.h"
#include "prepared.h"

/* Replies to control frames that are queued, in two generations: the older one is forgotten when all of it has been
 * sent, and the newer one takes its place. So what is counted is never less than what is queued, and never more than
 * came in during the time that two queues like the present one take to be sent. */
struct fws_replies {
    uint64_t old_end; /* where in the stream of bytes the last reply of the generation ends */
    uint64_t new_end;
    uint32_t old_len; /* bytes of the generation, or UINT32_MAX for more; 0: there is none */
    uint32_t new_len;
};

/* Bytes that are queued stand in four places, sent in this order: a prepared message that came while nothing was
 * queued, front (own blocks), the cork if this writer holds it, back (own blocks, once the cork is full). Nothing that
 * is queued moves, until another writer takes the cork or fws_writer_own() is called. */
struct fws_writer {
    struct fastws_pool *pool;
    struct fastws_prepared *prepared; /* NULL: none */
    size_t prepared_off;              /* bytes of it that were sent */
    struct fws_buf front;
    struct fws_buf back;
    uint64_t queued; /* bytes, headers included */
    uint64_t listed; /* bytes that fws_writer_list() named last, less what was sent since */
    uint64_t sent;   /* bytes ever sent: where in its stream of bytes the queue begins */
    struct fws_replies replies;
};

/* Payloads from this size on are borrowed instead of copied: from 2 to 4 KiB up a gathering write beats the copy. */
enum { FWS_BORROW_MIN = 4096 };

/* Prepared messages below this size are copied where something is queued already: a block that refers to one takes
 * about as much, and would not be counted. */
enum { FWS_SHARE_MIN = 256 };

FWS_PRIVATE void fws_writer_init(struct fws_writer *writer, struct fastws_pool *pool);

/* Drops everything that is queued. */
FWS_PRIVATE void fws_writer_clear(struct fws_writer *writer);

/* Queues one frame: header, then header->length bytes of payload. Payloads of FWS_BORROW_MIN and more are borrowed, all
 * others copied; with header->masked they are masked with header->key on the way, and payload stays as it is.
 *   prepared   what payload is part of: a reference is held as long as it is borrowed; NULL: it is the caller's
 * Returns 0, FASTWS_ERR_NOMEM, or the errors of fastws_header_write(): then nothing was queued. */
FWS_PRIVATE FASTWS_NODISCARD int fws_writer_frame(struct fws_writer *writer, const struct fastws_header *header,
                                                  const void *payload, struct fastws_prepared *prepared);

/* Queues the frame of a prepared message as it lies. Returns 0 or FASTWS_ERR_NOMEM: then nothing was queued. */
FWS_PRIVATE FASTWS_NODISCARD int fws_writer_prepared(struct fws_writer *writer, struct fastws_prepared *prepared);

/* Like fws_writer_frame(), but for a payload of ours, with room for the longest header before it, which is overwritten.
 * The slab belongs to the queue when *slab is NULL afterwards; otherwise its payload was copied. */
FWS_PRIVATE FASTWS_NODISCARD int fws_writer_slab(struct fws_writer *writer, const struct fastws_header *header,
                                                 struct fastws_slab **slab);

/* Like fws_writer_slab(), but the payload stands in block->bytes, and the block always belongs to the queue
 * afterwards, unless an error is returned. Never allocates. */
FWS_PRIVATE FASTWS_NODISCARD int fws_writer_block(struct fws_writer *writer, const struct fastws_header *header,
                                                  struct fws_block *block);

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

/* ---- The cork: writer_cork.c ---- */

static inline int fws_writer_holds_cork(const struct fws_writer *writer) {
    return writer->pool->cork.holder == writer;
}

/* Makes the writer the holder: what another one has in the cork moves to its own block. Returns 0 or
 * FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_cork_take(struct fws_writer *writer);

/* Returns room for len bytes at the end of the cork, which the writer holds; NULL if they have to go behind it. */
FWS_PRIVATE uint8_t *fws_cork_reserve(struct fws_writer *writer, size_t len);

/* Adds a chunk that is not FWS_CHUNK_CORKED. There must be room: fws_cork_has_room(). Never to a plain cork. */
FWS_PRIVATE void fws_cork_add(struct fastws_pool *pool, const struct fws_chunk *chunk);

/* Says whether count more chunks, behind bytes of the cork, can be added by its holder. */
static inline int fws_cork_has_room(const struct fws_writer *writer, unsigned count) {
    return !writer->back.last && writer->pool->cork.count + count + 1 <= FWS_CORK_CHUNKS;
}

/* Moves what the cork holds into own blocks of its holder, and frees the cork. Returns 0 or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_cork_empty(struct fastws_pool *pool);

/* Drops what the cork holds, and frees it. */
FWS_PRIVATE void fws_cork_release(struct fastws_pool *pool);

/* Lists the cork up to the first chunk that has more than its piece, which ends the list: *is_whole says whether. */
FWS_PRIVATE FASTWS_NODISCARD int fws_cork_list(struct fastws_pool *pool, struct fastws_iovec *pieces, int cap,
                                               int *is_whole);

/* Takes len bytes off the front, or all there are. Returns what is left of len. */
FWS_PRIVATE uint64_t fws_cork_sent(struct fastws_pool *pool, uint64_t len);

/* ---- The short way of small frames: nothing is queued, or nothing but them ---- */

/* Frees the cork, in which nothing is queued any more. */
static inline void fws_cork_leave(struct fws_cork *cork) {
    cork->holder = NULL;
    cork->plain = NULL;
    cork->off = 0;
    cork->len = 0;
    cork->first = 0;
    cork->count = 0;
}

/* Gives a chunk to what went the short way. */
static inline void fws_cork_leave_plain(struct fws_cork *cork) {
    if (!cork->plain) return;
    cork->chunks[0] =
        (struct fws_chunk){.ptr = cork->bytes + cork->off, .len = cork->len - cork->off, .kind = FWS_CHUNK_CORKED};
    cork->count = 1;
    cork->off = 0;
    cork->plain = NULL;
}

/* Queues a frame whose payload is borrowed where nothing is queued and nobody has the cork. Returns room for the
 * header, or NULL: go the long way. */
static inline uint8_t *fws_writer_borrow(struct fws_writer *writer, size_t header_len, const void *payload,
                                         size_t len) {
    struct fws_cork *cork = &writer->pool->cork;
    if (cork->holder || writer->queued > 0) return NULL;
    cork->holder = writer;
    cork->chunks[0] = (struct fws_chunk){.ptr = cork->bytes, .len = header_len, .kind = FWS_CHUNK_CORKED};
    cork->chunks[1] = (struct fws_chunk){.ptr = payload, .len = len, .kind = FWS_CHUNK_BORROWED};
    cork->count = 2;
    cork->len = header_len;
    writer->queued = header_len + len;
    return cork->bytes;
}

/* Returns room for len bytes behind what is queued, which all went this way, with at most so many lines in all. NULL:
 * go the long way. */
static FWS_ALWAYS_INLINE uint8_t *fws_writer_lengthen(struct fws_writer *writer, size_t len, uint16_t lines) {
    struct fws_cork *cork = &writer->pool->cork;
    if (cork->plain != writer) {
        int is_too_long = (size_t)lines * FWS_CORK_LINE < len;
        if (cork->holder || writer->queued > 0 || is_too_long) return NULL;
        cork->holder = writer;
        cork->plain = writer;
        cork->plain_cap = (size_t)lines * FWS_CORK_LINE;
    }
    size_t off = cork->len;
    if (FWS_UNLIKELY(cork->plain_cap - off < len)) return NULL;
    cork->len = off + len;
    writer->queued += len;
    return cork->bytes + off;
}

/* Lists what is queued if it all went this way. Returns 1, or 0. */
static FWS_ALWAYS_INLINE int fws_writer_list_plain(struct fws_writer *writer, struct fastws_iovec *piece) {
    const struct fws_cork *cork = &writer->pool->cork;
    if (FWS_UNLIKELY(cork->plain != writer)) return 0;
    piece->base = cork->bytes + cork->off;
    piece->len = cork->len - cork->off;
    writer->listed = piece->len;
    return 1;
}

/* Takes all that is queued, len bytes, if it went this way. Returns 1, or 0. Replies are none of it: they go the long
 * way, and this one is taken up again when nothing is queued, them included. */
static FWS_ALWAYS_INLINE int fws_writer_sent_plain(struct fws_writer *writer, uint64_t len) {
    struct fws_cork *cork = &writer->pool->cork;
    if (FWS_UNLIKELY(cork->plain != writer || len != writer->queued)) return 0;
    writer->queued = 0;
    writer->listed = 0;
    writer->sent += len;
    cork->holder = NULL; /* fws_cork_leave(), less what no plain cork has */
    cork->plain = NULL;
    cork->off = 0;
    cork->len = 0;
    return 1;
}

#endif
