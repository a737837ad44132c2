/* SPDX-License-Identifier: MIT */
/* Implements messages that are sent in pieces: gathered to fragments, each of which goes out as one frame. */
#include "conn.h"

/* A message that was begun. What is gathered of its next fragment stands in a slab of the pool; what outgrows that, in
 * one block that doubles. Either has room for a header in front. */
struct fws_draft {
    struct fastws_slab *slab;
    struct fws_block *block;
    size_t len;     /* bytes gathered */
    int error;      /* what all further calls return, or 0 */
    uint8_t opcode; /* of the next fragment: that of the message, then FASTWS_OPCODE_CONTINUATION */
    uint8_t is_compressed; /* decided with the first fragment: whether all of them are */
    int begun;             /* what it was begun as: opcode and flags */
};

_Static_assert(sizeof(struct fws_draft) <= FWS_DESK_LEN, "a draft lives on a desk");

static void drop_gathered(struct fastws_pool *pool, struct fws_draft *draft) {
    if (draft->slab) fws_pool_return(pool, draft->slab);
    fws_block_free(draft->block, pool->allocator);
    draft->slab = NULL;
    draft->block = NULL;
    draft->len = 0;
}

void fws_conn_drop_draft(struct fastws_conn *conn) {
    if (!conn->draft) return;
    drop_gathered(conn->writer.pool, conn->draft);
    fws_pool_return_desk(conn->writer.pool, conn->draft);
    conn->draft = NULL;
    fws_conn_choose_ways(conn);
}

int fastws_conn_begin(struct fastws_conn *conn, int opcode) {
    int begun = opcode;
    opcode &= ~(FASTWS_SEND_PLAIN | FASTWS_SEND_COMPRESSED);
    if (opcode != FASTWS_OPCODE_TEXT && opcode != FASTWS_OPCODE_BINARY) return FASTWS_ERR_ARGUMENT;
    TRY(fws_conn_check_open(conn));
    if (conn->draft) return FASTWS_ERR_STATE;
    struct fws_draft *draft = fws_pool_lend_desk(conn->writer.pool);
    if (!draft) return FASTWS_ERR_NOMEM;
    *draft = (struct fws_draft){.opcode = (uint8_t)opcode, .begun = begun};
    conn->draft = draft;
    fws_conn_choose_ways(conn);
    return 0;
}

/* ---- Gathering ---- */

static size_t slab_cap(const struct fastws_pool *pool) {
    return pool->slab_len - FASTWS_HEADER_MAX;
}

static uint8_t *gathered(const struct fws_draft *draft) {
    if (draft->block) return draft->block->bytes + FASTWS_HEADER_MAX;
    return draft->slab ? draft->slab->bytes + FASTWS_HEADER_MAX : NULL;
}

/* Doubles, so that what is written in small pieces is copied twice at most. limit: the length of a fragment. */
static int grow_block(struct fastws_pool *pool, struct fws_draft *draft, size_t need, size_t limit) {
    if (draft->block && draft->block->cap - FASTWS_HEADER_MAX >= need) return 0;
    size_t cap = draft->len > SIZE_MAX / 4 ? need : 2 * draft->len;
    if (cap > limit) cap = limit;
    if (cap < need) cap = need;
    if (cap > SIZE_MAX - FASTWS_HEADER_MAX) return FASTWS_ERR_NOMEM;
    struct fws_block *block = fws_block_resize(draft->block, pool->allocator, cap + FASTWS_HEADER_MAX);
    if (!block) return FASTWS_ERR_NOMEM;
    if (draft->slab) {
        memcpy(block->bytes + FASTWS_HEADER_MAX, gathered(draft), draft->len);
        fws_pool_return(pool, draft->slab);
        draft->slab = NULL;
    }
    draft->block = block;
    return 0;
}

static int gather(struct fastws_pool *pool, struct fws_draft *draft, const uint8_t *src, size_t len, size_t limit) {
    if (len > SIZE_MAX - draft->len) return FASTWS_ERR_NOMEM;
    if (draft->block || draft->len + len > slab_cap(pool)) {
        TRY(grow_block(pool, draft, draft->len + len, limit));
    } else if (!draft->slab) {
        draft->slab = fws_pool_lend(pool);
        if (!draft->slab) return FASTWS_ERR_NOMEM;
    }
    memcpy(gathered(draft) + draft->len, src, len);
    draft->len += len;
    return 0;
}

/* ---- Fragments ---- */

/* Says whether the next fragment is compressed, as its message is. A message that is over with its first fragment has
 * a length to decide by. */
static int is_compressed(const struct fastws_conn *conn, struct fws_draft *draft, int fin) {
    if (draft->opcode != FASTWS_OPCODE_CONTINUATION)
        draft->is_compressed = (uint8_t)fws_conn_compresses(conn, draft->begun, fin ? draft->len : SIZE_MAX);
    return draft->is_compressed;
}

/* Compresses what is gathered. Its memory stays for the next fragment. */
static int queue_compressed(struct fastws_conn *conn, struct fws_draft *draft, int fin) {
    TRY(fws_conn_queue_compressed(conn, draft->opcode, fin, gathered(draft), draft->len));
    draft->len = 0;
    draft->opcode = FASTWS_OPCODE_CONTINUATION;
    return 0;
}

/* Queues what is gathered: large fragments where they lie. */
static int queue_gathered(struct fastws_conn *conn, struct fws_draft *draft, int fin) {
    struct fastws_header header;
    if (is_compressed(conn, draft, fin)) return queue_compressed(conn, draft, fin);
    TRY(fws_conn_make_header(conn, &header, draft->opcode, fin, draft->len));
    if (draft->block) {
        TRY(fws_writer_block(&conn->writer, &header, draft->block));
        draft->block = NULL;
    } else if (draft->slab) {
        TRY(fws_writer_slab(&conn->writer, &header, &draft->slab));
    } else {
        TRY(fws_writer_frame(&conn->writer, &header, NULL, NULL));
    }
    draft->len = 0;
    draft->opcode = FASTWS_OPCODE_CONTINUATION;
    fws_conn_note_queued(conn);
    return 0;
}

/* Queues a fragment of the caller's payload with nothing gathered before it. */
static int queue_direct(struct fastws_conn *conn, struct fws_draft *draft, const uint8_t *src, size_t len) {
    struct fastws_header header;
    if (is_compressed(conn, draft, 0)) {
        TRY(fws_conn_queue_compressed(conn, draft->opcode, 0, src, len));
        draft->opcode = FASTWS_OPCODE_CONTINUATION;
        return 0;
    }
    TRY(fws_conn_make_header(conn, &header, draft->opcode, 0, len));
    TRY(fws_writer_frame(&conn->writer, &header, src, NULL));
    draft->opcode = FASTWS_OPCODE_CONTINUATION;
    fws_conn_note_queued(conn);
    return 0;
}

static int write_all(struct fastws_conn *conn, struct fws_draft *draft, const uint8_t *src, size_t len) {
    size_t limit = conn->fragment_len ? conn->fragment_len : SIZE_MAX;
    while (len > 0) {
        if (draft->len >= limit) TRY(queue_gathered(conn, draft, 0));
        size_t room = limit - draft->len;
        size_t part = len < room ? len : room;
        if (draft->len == 0 && len > limit) {
            TRY(queue_direct(conn, draft, src, part));
        } else {
            TRY(gather(conn->writer.pool, draft, src, part, limit));
        }
        src += part;
        len -= part;
    }
    return 0;
}

/* Says what a call for the message that was begun is to be told at once, or 0. */
static int check_draft(const struct fastws_conn *conn) {
    TRY(fws_conn_check_open(conn));
    return conn->draft ? conn->draft->error : FASTWS_ERR_STATE;
}

int fastws_conn_write(struct fastws_conn *conn, const void *payload, size_t len) {
    TRY(check_draft(conn));
    return conn->draft->error = write_all(conn, conn->draft, payload, len);
}

int fastws_conn_flush_fragment(struct fastws_conn *conn) {
    TRY(check_draft(conn));
    if (conn->draft->len == 0) return 0;
    return conn->draft->error = queue_gathered(conn, conn->draft, 0);
}

int fastws_conn_finish(struct fastws_conn *conn) {
    TRY(check_draft(conn));
    conn->draft->error = queue_gathered(conn, conn->draft, 1);
    if (conn->draft->error < 0) return conn->draft->error;
    fws_conn_drop_draft(conn);
    return 0;
}

void fastws_conn_abandon(struct fastws_conn *conn) {
    if (!conn->draft) return;
    drop_gathered(conn->writer.pool, conn->draft);
    if (conn->draft->opcode != FASTWS_OPCODE_CONTINUATION) fws_conn_drop_draft(conn);
}

int fastws_conn_is_message_open(const struct fastws_conn *conn) {
    return conn->draft != NULL;
}

size_t fastws_conn_buffered_len(const struct fastws_conn *conn) {
    return conn->draft ? conn->draft->len : 0;
}

void fastws_conn_set_fragment_len(struct fastws_conn *conn, size_t len) {
    conn->fragment_len = fws_conn_fragment_len(len);
}
