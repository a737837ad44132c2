/* SPDX-License-Identifier: MIT */
/* The inside of a connection: what an idle one costs, and what the files that implement it share. */
#ifndef FWS_CONN_H
#define FWS_CONN_H

#include <fastws/conn.h>
#include <fastws/error.h>

#include "reader.h"
#include "writer.h"

struct fws_draft;

/* How fastws_conn_send() goes about a small message. */
enum fws_send_way {
    FWS_SEND_LONG,  /* every question is asked */
    FWS_SEND_SHORT, /* all that could be in the way is known not to be */
    FWS_SEND_SHORT_MASKED
};

struct fastws_conn {
    const struct fastws_conn_config *config;
    struct fws_reader *reader;     /* NULL: nothing is incomplete */
    struct fws_inflater *inflater; /* NULL: no compression was agreed on */
    struct fws_draft *draft;       /* the message that was begun; NULL: none was */
    struct fws_writer writer;
    uint64_t life_ms;     /* when the last byte came */
    uint64_t since_ms;    /* when what the next deadline counts from began: a ping, a flood, the close handshake */
    uint64_t received;    /* bytes of the peer */
    uint64_t ping_us;     /* when the last ping of ours was queued; UINT64_MAX: it was answered, or there was none */
    uint32_t ping_number; /* of that ping; 0: there was none */
    uint32_t rtt_us;      /* UINT32_MAX: not known */
    uint32_t fragment_len; /* 0: no limit */
    int16_t error; /* what input and sends return once is_stopped */
    int16_t due;   /* an error that the next fastws_conn_next() hands out, when it finds nothing else */
    uint16_t close_sent;
    uint16_t close_received;
    uint8_t state;           /* enum fastws_conn_state */
    uint8_t is_ping_out;     /* a ping was sent, and no byte has come since */
    uint8_t send_way;        /* enum fws_send_way */
    uint8_t may_use_tray;    /* whole messages may be handed out without a reader */
    uint16_t run_max;        /* longest payload that goes that way: what the limits are, or more than any */
    uint8_t mask_bit;        /* of the frames that the peer sends */
    uint8_t is_text_checked; /* 1 or 0 */
    /* What the short ways do not ask about. */
    unsigned is_stopped : 1;
    unsigned is_flooded : 1;   /* control replies have passed their limit: reading has stopped */
    unsigned is_full : 1;      /* more than queue_high was queued, and more than queue_low still is */
    unsigned is_allocated : 1; /* by fastws_conn_new() */
    unsigned is_client : 1;
    unsigned is_extended : 1; /* extensions judge and mark headers */
    unsigned is_eof : 1;
    unsigned is_end_held : 1; /* no close and no error is handed out */
    unsigned delivery : 2; /* enum fastws_delivery, of messages to come */
    uint16_t short_lines;  /* what may be queued the short way without passing queue_high, in lines of the cork */
};

/* A fragment may be shorter than asked for. */
static inline uint32_t fws_conn_fragment_len(size_t len) { return len < UINT32_MAX ? (uint32_t)len : UINT32_MAX; }

_Static_assert(sizeof(struct fastws_conn) <= 192, "an idle connection costs at most 192 bytes");

static inline uint64_t fws_conn_now_ms(const struct fastws_conn *conn) {
    return fws_pool_now_ms(conn->writer.pool);
}

/* Finds out which short ways are open: call it when one of the things changes that it asks about. */
FWS_PRIVATE void fws_conn_choose_ways(struct fastws_conn *conn);

/* ---- Receiving: conn_receive.c ---- */

static inline struct fws_reader_rules fws_conn_rules(const struct fastws_conn *conn) {
    const struct fastws_conn_config *config = conn->config;
    return (struct fws_reader_rules){.limits = &config->limits,
                                     .extensions = config->extensions,
                                     .extension_count = config->extension_count,
                                     .inflater = conn->inflater,
                                     .role = config->role,
                                     .is_utf8_checked = config->is_utf8_checked != 0,
                                     .is_header_checked = config->is_header_checked};
}

/* Tells the tray, which the connection takes or has, what may go that way. */
static FWS_ALWAYS_INLINE void fws_conn_set_run_rules(const struct fastws_conn *conn) {
    struct fws_run *run = &conn->writer.pool->tray.run;
    run->payload_max = conn->run_max;
    run->mask_bit = conn->mask_bit;
    run->is_text_checked = conn->is_text_checked;
}

/* Gives back whatever was received and not handed out. */
FWS_PRIVATE void fws_conn_drop_input(struct fastws_conn *conn);

/* Stops a connection that has not stopped: tells the peer why, once, and makes the event that says so. Returns 1.
 * RFC 6455 7.1.7. */
FWS_PRIVATE int fws_conn_fail(struct fastws_conn *conn, struct fastws_event *event, int error);

/* ---- Sending: conn_send.c ---- */

/* Returns 0 if messages may be queued, else what their senders are told. */
static inline int fws_conn_check_open(const struct fastws_conn *conn) {
    if (FWS_LIKELY(conn->state == FASTWS_CONN_OPEN)) return 0;
    return conn->state == FASTWS_CONN_FAILED ? conn->error : FASTWS_ERR_CLOSED;
}

/* Call it after something was queued. */
static inline void fws_conn_note_queued(struct fastws_conn *conn) {
    size_t high = conn->config->queue_high;
    if (FWS_UNLIKELY(conn->writer.queued > high && high > 0)) conn->is_full = 1;
}

/* Judges anew whether too much is queued, after some of it was sent or the marks have changed. What went the short way
 * is never judged: fws_cork_leave_plain() first. */
FWS_PRIVATE void fws_conn_judge_queue(struct fastws_conn *conn);

/* Makes the header of a frame of ours: a client masks with a key that nobody can foresee (RFC 6455 5.3), and for data
 * frames extensions set their bits. Returns 0, FASTWS_ERR_RANDOM, or the error of an extension. */
FWS_PRIVATE FASTWS_NODISCARD int fws_conn_make_header(struct fastws_conn *conn, struct fastws_header *header,
                                                      unsigned opcode, int fin, size_t len);

/* Queue a ping or pong, and a close frame, whatever the state. Return 0 or the errors of fastws_conn_ping(). */
FWS_PRIVATE FASTWS_NODISCARD int fws_conn_queue_control(struct fastws_conn *conn, unsigned opcode, const void *payload,
                                                        size_t len);
FWS_PRIVATE FASTWS_NODISCARD int fws_conn_queue_close(struct fastws_conn *conn, uint16_t code, const char *reason,
                                                      size_t len);

/* ---- Compression: conn_deflate.c ---- */

/* Gives back all that compression takes. */
FWS_PRIVATE void fws_conn_drop_deflate(struct fastws_conn *conn);

/* Gives back what it holds for messages to come, and keeps what was agreed on. */
FWS_PRIVATE void fws_conn_end_deflate(struct fastws_conn *conn);

/* Says whether a message is to be compressed.
 *   opcode   with the flags of fastws_conn_send()
 *   len      SIZE_MAX if it is not known */
FWS_PRIVATE int fws_conn_compresses(const struct fastws_conn *conn, int opcode, size_t len);

/* Compress a frame of a message and queue it, and a prepared message. Return 0, FASTWS_ERR_NOMEM, FASTWS_ERR_RANDOM, or
 * the error of an extension: then nothing was queued, and a message of which fragments went out cannot go on. */
FWS_PRIVATE FASTWS_NODISCARD int fws_conn_queue_compressed(struct fastws_conn *conn, unsigned opcode, int fin,
                                                           const void *payload, size_t len);
FWS_PRIVATE FASTWS_NODISCARD int fws_conn_queue_compressed_prepared(struct fastws_conn *conn,
                                                                    struct fastws_prepared *prepared);

/* ---- The message that was begun: conn_draft.c ---- */

/* Drops it. */
FWS_PRIVATE void fws_conn_drop_draft(struct fastws_conn *conn);

/* ---- Time: conn_time.c ---- */

/* Takes note of bytes that came. */
static inline void fws_conn_note_life(struct fastws_conn *conn, size_t len) {
    if (len == 0) return;
    conn->received += len;
    conn->life_ms = fws_conn_now_ms(conn);
    conn->is_ping_out = 0;
}

/* Takes note of a pong that is handed out. */
FWS_PRIVATE void fws_conn_note_pong(struct fastws_conn *conn, const struct fastws_event *event);

#endif
