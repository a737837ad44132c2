/* SPDX-License-Identifier: MIT */
/* Implements the sending half of a connection: whole messages, control frames, the close frame, what is pending. */
#include <fastws/close.h>

#include "conn_short.h"

/* ---- Frames ---- */

static int ask_extensions(const struct fastws_conn *conn, struct fastws_header *header) {
    const struct fastws_conn_config *config = conn->config;
    for (size_t i = 0; i < config->extension_count; i++) {
        const struct fastws_extension *extension = &config->extensions[i];
        if (!extension->send) continue;
        struct fastws_header seen = *header;
        TRY(extension->send(extension->context, &seen));
        /* RFC 7692 6: the bit is taken. The peer would inflate what was never compressed. */
        if (conn->inflater && seen.rsv & FASTWS_RSV1) return FASTWS_ERR_RSV;
        header->rsv |= seen.rsv;
    }
    return 0;
}

int fws_conn_make_header(struct fastws_conn *conn, struct fastws_header *header, unsigned opcode, int fin,
                         size_t len) {
    const struct fastws_conn_config *config = conn->config;
    *header = (struct fastws_header){.length = len, .opcode = (uint8_t)opcode, .fin = (uint8_t)fin};
    if (config->extension_count > 0 && opcode < FASTWS_OPCODE_CLOSE) TRY(ask_extensions(conn, header));
    if (config->role != FASTWS_ROLE_CLIENT) return 0;
    header->masked = 1;
    return fws_random_fill(&conn->writer.pool->random, header->key, sizeof header->key);
}

static int queue_frame(struct fastws_conn *conn, unsigned opcode, const void *payload, size_t len) {
    struct fastws_header header;
    TRY(fws_conn_make_header(conn, &header, opcode, 1, len));
    TRY(fws_writer_frame(&conn->writer, &header, payload, NULL));
    fws_conn_note_queued(conn);
    return 0;
}

int fws_conn_queue_control(struct fastws_conn *conn, unsigned opcode, const void *payload, size_t len) {
    if (len > FASTWS_CONTROL_MAX) return FASTWS_ERR_CONTROL_LEN;
    return queue_frame(conn, opcode, payload, len);
}

/* RFC 6455 5.5.1: nothing follows a close frame, so a message that was begun stays unfinished. */
int fws_conn_queue_close(struct fastws_conn *conn, uint16_t code, const char *reason, size_t len) {
    uint8_t body[FASTWS_CONTROL_MAX];
    int body_len = fastws_close_write(body, sizeof body, code, reason, len);
    if (body_len < 0) return body_len;
    TRY(fws_conn_queue_control(conn, FASTWS_OPCODE_CLOSE, body, (size_t)body_len));
    conn->close_sent = code;
    conn->since_ms = fws_conn_now_ms(conn);
    fws_conn_drop_draft(conn);
    return 0;
}

/* ---- Messages ---- */

/* A message may begin: none is open. */
static int check_may_begin(const struct fastws_conn *conn) {
    TRY(fws_conn_check_open(conn));
    return conn->draft ? FASTWS_ERR_STATE : 0;
}

static FWS_ALWAYS_INLINE void mask_words(uint32_t *words, size_t count, uint32_t key) {
    for (size_t i = 0; i < count; i++) words[i] ^= key;
}

/* The first and the last count bytes, masked; they overlap. Turning the key by len gives its phase in the last bytes:
 * count is a multiple of 4. */
#define MASK_ENDS(dst, src, len, key, count)                                                                           \
    do {                                                                                                               \
        uint32_t first_[(count) / 4], last_[(count) / 4];                                                              \
        memcpy(first_, (src), (count));                                                                                \
        memcpy(last_, (src) + (len) - (count), (count));                                                               \
        mask_words(first_, (count) / 4, (key));                                                                        \
        mask_words(last_, (count) / 4, fws_rotate_key((key), (len)));                                                  \
        memcpy((dst), first_, (count));                                                                                \
        memcpy((dst) + (len) - (count), last_, (count));                                                               \
    } while (0)

/* The kernel, with the shortcut of fws_copy_short(). */
static FWS_ALWAYS_INLINE void mask_payload(const struct fastws_pool *pool, uint8_t *dst, const uint8_t *src, size_t len,
                                           uint32_t key) {
    if (FWS_LIKELY(len - 32 <= 32)) {
        MASK_ENDS(dst, src, len, key, 32);
    } else if (len - 16 < 16) {
        MASK_ENDS(dst, src, len, key, 16);
    } else {
        pool->kernels->mask(dst, src, len, key);
    }
}

/* Queues a message of a client the short way. Returns 1, or 0 if it has to go the long way. */
static FWS_ALWAYS_INLINE int queue_short_masked(struct fastws_conn *conn, unsigned opcode, const void *payload,
                                                size_t len, uint32_t key) {
    struct fastws_pool *pool = conn->writer.pool;
    uint8_t *dst = fws_writer_lengthen(&conn->writer, (len < 126 ? 6u : 8u) + len, conn->short_lines);
    if (FWS_UNLIKELY(!dst)) return 0;
    dst = fws_write_short_header(dst, opcode, 0x80, len);
    fws_store_u32(dst, key);
    mask_payload(pool, dst + 4, payload, len, key);
    return 1;
}

/* The same for a server's payload that is borrowed. */
static int queue_borrowed(struct fastws_conn *conn, unsigned opcode, const void *payload, size_t len) {
    int is_long = len > UINT16_MAX;
    uint8_t *dst = fws_writer_borrow(&conn->writer, is_long ? 10 : 4, payload, len);
    if (FWS_UNLIKELY(!dst)) return 0;
    dst[0] = (uint8_t)(0x80u | opcode);
    dst[1] = is_long ? 127 : 126;
    if (is_long) fws_store_be64(dst + 2, len);
    if (!is_long) fws_store_be16(dst + 2, (uint16_t)len);
    fws_conn_note_queued(conn);
    return 1;
}

/* What another connection has in the cork moves to memory of its own: by the first message of a batch, so that all of
 * them go the short way, and not by each. */
static int queue_short_anew(struct fastws_conn *conn, unsigned opcode, const void *payload, size_t len) {
    struct fastws_pool *pool = conn->writer.pool;
    int is_taken = pool->cork.holder && pool->cork.holder != &conn->writer;
    if (!is_taken || conn->writer.queued > 0) return 0;
    TRY(fws_cork_empty(pool));
    return fws_conn_queue_short(conn, opcode, payload, len);
}

static FWS_NOINLINE int send_long(struct fastws_conn *conn, int opcode, const void *payload, size_t len) {
    int is_compressed = fws_conn_compresses(conn, opcode, len);
    opcode &= ~(FASTWS_SEND_PLAIN | FASTWS_SEND_COMPRESSED);
    if (opcode != FASTWS_OPCODE_TEXT && opcode != FASTWS_OPCODE_BINARY) return FASTWS_ERR_ARGUMENT;
    TRY(check_may_begin(conn));
    if (is_compressed) return fws_conn_queue_compressed(conn, (unsigned)opcode, 1, payload, len);
    if (conn->send_way == FWS_SEND_SHORT && len < FWS_BORROW_MIN) {
        int result = queue_short_anew(conn, (unsigned)opcode, payload, len);
        if (result != 0) return result < 0 ? result : 0;
    }
    int is_borrowed = conn->send_way == FWS_SEND_SHORT && len >= FWS_BORROW_MIN && len <= (size_t)PTRDIFF_MAX;
    if (is_borrowed && queue_borrowed(conn, (unsigned)opcode, payload, len)) return 0;
    return queue_frame(conn, (unsigned)opcode, payload, len);
}

/* A call apart: a function that makes none on its way has no register to save. */
static FWS_NOINLINE int send_with_new_batch(struct fastws_conn *conn, int opcode, const void *payload, size_t len) {
    uint32_t key;
    TRY(fws_random_fill(&conn->writer.pool->random, &key, sizeof key));
    if (FWS_LIKELY(queue_short_masked(conn, (unsigned)opcode, payload, len, key))) return 0;
    return send_long(conn, opcode, payload, len);
}

static FWS_NOINLINE int send_short_masked(struct fastws_conn *conn, int opcode, const void *payload, size_t len) {
    uint32_t key;
    if (FWS_UNLIKELY(!fws_random_draw_key(&conn->writer.pool->random, &key)))
        return send_with_new_batch(conn, opcode, payload, len);
    if (FWS_LIKELY(queue_short_masked(conn, (unsigned)opcode, payload, len, key))) return 0;
    return send_long(conn, opcode, payload, len);
}

int fastws_conn_send(struct fastws_conn *conn, int opcode, const void *payload, size_t len) {
    if (FWS_LIKELY(fws_is_short_message(opcode, len) && conn->send_way != FWS_SEND_LONG)) {
        if (conn->send_way == FWS_SEND_SHORT_MASKED) return send_short_masked(conn, opcode, payload, len);
        if (FWS_LIKELY(fws_conn_queue_short(conn, (unsigned)opcode, payload, len))) return 0;
    }
    return send_long(conn, opcode, payload, len);
}

static int queue_prepared(struct fastws_conn *conn, struct fastws_prepared *prepared) {
    struct fastws_header header;
    if (fws_conn_compresses(conn, prepared->opcode | prepared->way, prepared->payload_len))
        return fws_conn_queue_compressed_prepared(conn, prepared);
    if (!conn->is_client && !conn->is_extended) return fws_writer_prepared(&conn->writer, prepared);
    TRY(fws_conn_make_header(conn, &header, prepared->opcode, 1, prepared->payload_len));
    if (!header.masked && header.rsv == 0) return fws_writer_prepared(&conn->writer, prepared);
    return fws_writer_frame(&conn->writer, &header, prepared->payload, prepared);
}

int fastws_conn_send_prepared(struct fastws_conn *conn, struct fastws_prepared *prepared) {
    TRY(check_may_begin(conn));
    TRY(queue_prepared(conn, prepared));
    fws_conn_note_queued(conn);
    return 0;
}

int fastws_conn_ping(struct fastws_conn *conn, const void *payload, size_t len) {
    TRY(fws_conn_check_open(conn));
    return fws_conn_queue_control(conn, FASTWS_OPCODE_PING, payload, len);
}

int fastws_conn_pong(struct fastws_conn *conn, const void *payload, size_t len) {
    TRY(fws_conn_check_open(conn));
    return fws_conn_queue_control(conn, FASTWS_OPCODE_PONG, payload, len);
}

int fastws_conn_close(struct fastws_conn *conn, uint16_t code, const char *reason, size_t len) {
    int is_told = conn->close_sent || conn->config->is_close_automatic;
    if (conn->state == FASTWS_CONN_FAILED && is_told) return conn->error;
    if (conn->close_sent) return FASTWS_ERR_CLOSED;
    TRY(fws_conn_queue_close(conn, code, reason, len));
    if (conn->state == FASTWS_CONN_OPEN) conn->state = FASTWS_CONN_CLOSING;
    fws_conn_choose_ways(conn);
    return 0;
}

/* ---- What is pending ---- */

int fastws_conn_pending(struct fastws_conn *conn, struct fastws_iovec *iov, int cap) {
    if (FWS_LIKELY(fws_writer_list_plain(&conn->writer, iov))) return 1;
    return fws_writer_list(&conn->writer, iov, cap);
}

/* While nothing was read the peer could give no sign of life. */
static void end_flood(struct fastws_conn *conn) {
    conn->is_flooded = 0;
    conn->is_ping_out = 0;
    conn->life_ms = fws_conn_now_ms(conn);
    fws_conn_choose_ways(conn);
}

static int is_flooded(const struct fastws_conn *conn) {
    size_t max = conn->config->limits.max_control_pending;
    return max != 0 && fws_writer_replies(&conn->writer) > max;
}

void fws_conn_judge_queue(struct fastws_conn *conn) {
    const struct fastws_conn_config *config = conn->config;
    size_t mark = conn->is_full ? config->queue_low : config->queue_high;
    conn->is_full = config->queue_high > 0 && conn->writer.queued > mark;
    if (conn->is_flooded && !is_flooded(conn)) end_flood(conn);
}

static FWS_NOINLINE int sent_long(struct fastws_conn *conn, size_t len) {
    if (len > conn->writer.listed) return FASTWS_ERR_ARGUMENT;
    fws_writer_sent(&conn->writer, len);
    fws_conn_judge_queue(conn);
    return 0;
}

int fastws_conn_sent(struct fastws_conn *conn, size_t len) {
    /* Neither full nor flooded was what went the short way. */
    if (FWS_LIKELY(len <= conn->writer.listed && fws_writer_sent_plain(&conn->writer, len))) return 0;
    return sent_long(conn, len);
}

int fastws_conn_own(struct fastws_conn *conn) {
    return fws_writer_own(&conn->writer);
}

uint64_t fastws_conn_pending_len(const struct fastws_conn *conn) {
    return conn->writer.queued;
}

int fastws_conn_is_writable(const struct fastws_conn *conn) {
    return !conn->is_full;
}
