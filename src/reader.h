/* SPDX-License-Identifier: MIT */
/* The reading half of a connection: bytes come in, events go out. It never writes. RFC 6455 section 5.
 *
 * Where things lie. Input is what was received and not parsed yet: [head, tail), in a slab, in the caller's buffer
 * (feed), or at the end of a block. A message that is not complete lies in front of the input, in the same memory: its
 * payload is unmasked where it was received, and that of a later fragment is squeezed down onto it, over the header
 * between them. Only what outgrows the slab, or arrives in another buffer, is copied:
 *
 *     slab:  | message so far | (header) | payload -> moves left while it is unmasked |  free  | slop |
 *                              ^ head                                                 ^ tail
 *
 * Where a message is handed out in chunks, what is gathered is that of one fragment, or nothing at all. */
#ifndef FWS_READER_H
#define FWS_READER_H

#include <stddef.h>

#include <fastws/deflate.h>
#include <fastws/event.h>
#include <fastws/export.h>
#include <fastws/extension.h>
#include <fastws/limits.h>

#include "../simd/kernels.h"
#include "pool.h"

enum fws_input { FWS_INPUT_NONE, FWS_INPUT_SLAB, FWS_INPUT_FED, FWS_INPUT_BLOCK };

/* Where the message so far lies. */
enum fws_store {
    FWS_STORE_NONE,    /* no byte of it has come */
    FWS_STORE_INPUT,   /* in front of head, in the memory of the input */
    FWS_STORE_SLAB,    /* at the start of the slab, while the input is elsewhere */
    FWS_STORE_BLOCK,   /* in a block of its own */
    FWS_STORE_INFLATED /* in the slab of the inflater */
};

/* What inflates the compressed messages of a connection that agreed on them. RFC 7692. */
struct fws_inflater {
    _Alignas(max_align_t) struct fastws_deflate *deflate; /* compresses the messages of the other half, too */
    struct fastws_slab *slab; /* where messages are inflated, one behind the other; NULL: none borrowed */
    uint8_t *end;             /* of what was inflated into it */
    uint64_t frame_len;       /* of the data frame that was opened last, as its header says */
    size_t header_len;        /* of that frame */
    size_t clear_len;         /* bytes at the head of the input that are unmasked already */
    uint64_t used_ms;         /* when a message was last compressed or inflated */
};

/* What a reader is told when it is lent. */
struct fws_reader_rules {
    const struct fastws_limits *limits;
    const struct fastws_extension *extensions;
    size_t extension_count;
    struct fws_inflater *inflater; /* NULL: no message may be compressed */
    uint8_t role;                  /* FASTWS_STATE_SERVER or FASTWS_STATE_CLIENT */
    uint8_t is_utf8_checked;
    uint8_t is_header_checked;
};

/* Exists only while something is incomplete or being handed out: it lives on a desk of the pool. */
struct fws_reader {
    struct fastws_pool *pool;
    struct fws_reader_rules rules;
    struct fastws_slab *slab; /* NULL: none borrowed */
    uint8_t *head;            /* first byte that is not parsed */
    uint8_t *tail;            /* one past the last byte received */
    uint8_t *message;         /* what is gathered of the message; NULL when store is FWS_STORE_NONE */
    uint8_t *block;           /* NULL: none */
    size_t block_cap;
    uint8_t *fed; /* the caller's bytes that are not input yet: a beginning in the slab has to be completed first */
    size_t fed_len;
    uint64_t message_len;     /* bytes that are gathered, unmasked and checked: none of them was handed out */
    uint64_t given_len;       /* bytes of the message before those: handed out, or dropped */
    uint64_t frame_remaining; /* bytes of the open data frame that have not been taken */
    uint64_t error_offset;    /* in the text that was refused; head stands where the error is, or refused_len behind */
    uint64_t refused_len;     /* bytes that were parsed of a compressed frame before it was refused as a whole */
    int error; /* the error that stopped the reader, or 0 */
    struct fws_utf8_state utf8;
    uint32_t key; /* of the open data frame, turned to meet its next byte */
    uint32_t fragments;
    uint32_t empty_fragments;
    uint8_t input;         /* enum fws_input */
    uint8_t store;         /* enum fws_store */
    uint8_t delivery;      /* of the message that is open, or comes next */
    uint8_t next_delivery; /* of messages after one that has begun to be handed out */
    uint8_t opcode;        /* of the message that is open */
    uint8_t rsv;           /* of its first frame */
    uint8_t frame_rsv;     /* of the open data frame */
    uint8_t is_open;       /* a message has begun and not ended */
    uint8_t is_begun;      /* a chunk of it was handed out */
    uint8_t is_discarding; /* the rest of it is dropped */
    uint8_t is_in_frame;   /* a data frame is open: its header was taken */
    uint8_t is_frame_told; /* a chunk of that frame was handed out */
    uint8_t is_fin;        /* that frame is the last of its message */
    unsigned is_batch_over : 1; /* the next event may overwrite a view of this batch */
    unsigned is_block_lent : 1; /* the block is the payload of an event that was handed out */
    unsigned is_close_held : 1; /* a close frame is not to be taken */
    unsigned is_close_due : 1;  /* one comes next, whole */
};

_Static_assert(sizeof(struct fws_reader) <= FWS_DESK_LEN, "a reader lives on a desk");

FWS_PRIVATE void fws_reader_init(struct fws_reader *reader, struct fastws_pool *pool,
                                 const struct fws_reader_rules *rules, unsigned delivery);

/* Goes on with bytes that were received elsewhere: in a slab, which belongs to the reader from then on, or in a buffer
 * of the caller (slab is NULL). */
FWS_PRIVATE void fws_reader_adopt(struct fws_reader *reader, struct fastws_slab *slab, uint8_t *head, uint8_t *tail);

/* Masks the text again that the kernel has refused, at the head of the run. */
FWS_PRIVATE void fws_run_undo(const struct fws_run *run, const struct fws_kernels *kernels);

/* Gives all memory back and stops: nothing is received or handed out any more. error may be 0. */
FWS_PRIVATE void fws_reader_stop(struct fws_reader *reader, int error);

/* Says whether nothing is incomplete and nothing lent: the reader may go back to the pool. */
static inline int fws_reader_is_idle(const struct fws_reader *reader) {
    return !reader->slab && !reader->block && !reader->is_open && reader->fed_len == 0 &&
           reader->head == reader->tail && !(reader->rules.inflater && reader->rules.inflater->slab);
}

/* The seams of conn.h, without the state of the connection: fastws_conn_space(), _filled(), _feed(), _read_raw(),
 * _set_delivery(), _discard(), _take(). _give_space_back() is fastws_conn_filled() with nothing. */
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_space(struct fws_reader *reader, void **ptr, size_t *cap);
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_filled(struct fws_reader *reader, size_t len);
FWS_PRIVATE void fws_reader_give_space_back(struct fws_reader *reader);
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_feed(struct fws_reader *reader, uint8_t *buf, size_t len);
FWS_PRIVATE FASTWS_NODISCARD ptrdiff_t fws_reader_raw(struct fws_reader *reader, void *dst, size_t len);
FWS_PRIVATE void fws_reader_set_delivery(struct fws_reader *reader, unsigned delivery);
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_discard(struct fws_reader *reader);

/* Hands over the block if the event is a view of it: 1, or 0 if it lies elsewhere. */
FWS_PRIVATE int fws_reader_take(struct fws_reader *reader, const struct fastws_event *event, uint8_t **ptr,
                                size_t *cap);

/* Returns the bytes that were received and not parsed, or were parsed in vain: those of a frame that was refused. */
FWS_PRIVATE uint64_t fws_reader_unparsed(const struct fws_reader *reader);

/* Hands out the next events: messages or chunks, pings, pongs, a close. A batch ends after a control frame; a close
 * comes alone. Returns their number, or 0: then reader->error says whether the reader stopped (with error_offset) or
 * needs more. */
FWS_PRIVATE int fws_reader_next(struct fws_reader *reader, struct fastws_event *events, int cap);

/* Says whether the bytes so far end between messages. */
FWS_PRIVATE int fws_reader_is_between_messages(const struct fws_reader *reader);

/* ---- Rules: reader_rules.c ---- */

/* The frames that a connection knows as control frames. Of other opcodes with bit 3 set only a reader that does not
 * check headers hears. */
static inline int fws_reader_is_control(unsigned opcode) {
    return opcode >= FASTWS_OPCODE_CLOSE && opcode <= FASTWS_OPCODE_PONG;
}

/* Judges the header of the next frame. Returns 0, or the error that fails the connection. */
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_judge(const struct fws_reader *reader, const struct fastws_header *header);

/* ---- Memory: reader_memory.c ---- */

/* Says whether the message that is open is compressed. RFC 7692 6: RSV1 of its first frame speaks for all of it. */
static inline int fws_reader_is_inflating(const struct fws_reader *reader) {
    return reader->is_open && reader->rules.inflater && reader->rsv & FASTWS_RSV1;
}

/* Says whether the message is gathered until it or its frame is complete, and not handed out or dropped at once. */
static inline int fws_reader_is_gathered(const struct fws_reader *reader) {
    return !reader->is_discarding && reader->delivery != FASTWS_DELIVER_STREAM;
}

/* Says whether payload is gathered as it was received. */
static inline int fws_reader_is_gathering(const struct fws_reader *reader) {
    return fws_reader_is_gathered(reader) && !fws_reader_is_inflating(reader);
}

/* Drops what is gathered. Payload in the block that was received and not parsed is dropped with it. */
FWS_PRIVATE void fws_reader_drop_gathered(struct fws_reader *reader);

/* Makes the block hold need bytes of message, moving the message into it if it lies elsewhere. Returns 0 or
 * FASTWS_ERR_NOMEM. need is at most what has been received. */
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_use_block(struct fws_reader *reader, uint64_t need);

/* Frees the block if its event's views are dead. */
FWS_PRIVATE void fws_reader_recycle(struct fws_reader *reader);

/* Makes more of what was fed input. Moves what lies in the slab: no view of the batch may lie there.
 * Returns 1, 0 if nothing was left, or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_refill(struct fws_reader *reader);

/* Called when more has to be received: copies what is incomplete out of the caller's buffer, and gives the slab back if
 * nothing is. Returns 0 or FASTWS_ERR_NOMEM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_settle(struct fws_reader *reader);

/* ---- Compressed messages: reader_inflate.c ---- */

/* How far fws_reader_inflate() came. */
enum {
    FWS_INFLATE_MORE = 0,  /* all that has come of the frame was inflated */
    FWS_INFLATE_FRAME = 1, /* that was the whole frame */
    FWS_INFLATE_FULL = 2,  /* what was inflated has to be handed out first */
    FWS_INFLATE_HOLD = 3   /* it would overwrite a view of this batch */
};

/* Inflates what has come of the open frame behind what is gathered.
 *   is_first   nothing was handed out in this batch
 * Returns one of those, or the error that fails the connection. */
FWS_PRIVATE FASTWS_NODISCARD int fws_reader_inflate(struct fws_reader *reader, int is_first);

/* Gives the slab of inflated messages back. */
FWS_PRIVATE void fws_inflater_return_slab(struct fws_inflater *inflater, struct fastws_pool *pool);

#endif
