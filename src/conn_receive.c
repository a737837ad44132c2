/* SPDX-License-Identifier: MIT */
/* Implements the receiving half of a connection: bytes in, events out, and the protocol that joins it to the other half
 * (pongs, close frames, errors). */
#include <fastws/close.h>

#include "conn.h"

/* ---- Where received bytes are: on the tray of the pool, or with a reader ---- */

static void return_reader(struct fastws_conn *conn) {
    fws_pool_return_desk(conn->writer.pool, conn->reader);
    conn->reader = NULL;
}

static struct fws_tray *tray_of(const struct fastws_conn *conn) {
    return &conn->writer.pool->tray;
}

static int holds_tray(const struct fastws_conn *conn) {
    return tray_of(conn)->holder == conn;
}

static FWS_ALWAYS_INLINE void drop_tray(struct fastws_conn *conn) {
    struct fws_tray *tray = tray_of(conn);
    tray->holder = NULL;
    if (tray->slab) fws_pool_return(conn->writer.pool, tray->slab);
}

void fws_conn_drop_input(struct fastws_conn *conn) {
    if (holds_tray(conn)) drop_tray(conn);
    if (!conn->reader) return;
    fws_reader_stop(conn->reader, 0);
    return_reader(conn);
}

static int borrow_reader(struct fastws_conn *conn) {
    if (conn->reader) return 0;
    struct fws_reader *reader = fws_pool_lend_desk(conn->writer.pool);
    if (!reader) return FASTWS_ERR_NOMEM;
    const struct fws_reader_rules rules = fws_conn_rules(conn);
    fws_reader_init(reader, conn->writer.pool, &rules, conn->delivery);
    conn->reader = reader;
    return 0;
}

static FWS_ALWAYS_INLINE int may_take_tray(const struct fastws_conn *conn) {
    return !conn->reader && !tray_of(conn)->holder && conn->may_use_tray;
}

/* Has a reader go on with what is on the tray. */
static int leave_tray(struct fastws_conn *conn) {
    if (!holds_tray(conn)) return 0;
    struct fws_tray *tray = tray_of(conn);
    if (tray->run.head == tray->run.tail) {
        drop_tray(conn);
        return 0;
    }
    TRY(borrow_reader(conn));
    fws_reader_adopt(conn->reader, tray->slab, tray->run.head, tray->run.tail);
    tray->holder = NULL;
    return 0;
}

/* The first len of cap bytes were received. */
static FWS_ALWAYS_INLINE void take_tray(struct fastws_conn *conn, struct fastws_slab *slab, uint8_t *bytes, size_t len,
                                        size_t cap) {
    struct fws_tray *tray = tray_of(conn);
    tray->holder = conn;
    tray->slab = slab;
    tray->end = bytes + cap;
    tray->run.head = bytes;
    tray->run.tail = bytes + len;
    fws_conn_set_run_rules(conn);
}

/* ---- In ---- */

static FWS_NOINLINE int space_long(struct fastws_conn *conn, void **ptr, size_t *cap) {
    if (conn->is_stopped) return conn->error;
    *ptr = NULL;
    *cap = 0;
    if (conn->is_flooded) return 0;
    if (may_take_tray(conn)) {
        struct fastws_slab *slab = fws_pool_lend(conn->writer.pool);
        if (!slab) return FASTWS_ERR_NOMEM;
        take_tray(conn, slab, slab->bytes, 0, conn->writer.pool->slab_len);
        *ptr = slab->bytes;
        *cap = conn->writer.pool->slab_len;
        return 0;
    }
    TRY(leave_tray(conn));
    TRY(borrow_reader(conn));
    return fws_reader_space(conn->reader, ptr, cap);
}

/* Of a call for each message, most is calls: here and below, the short way makes none. */
int fastws_conn_space(struct fastws_conn *conn, void **ptr, size_t *cap) {
    struct fastws_pool *pool = conn->writer.pool;
    if (FWS_UNLIKELY(!may_take_tray(conn) || !pool->slabs)) return space_long(conn, ptr, cap);
    struct fastws_slab *slab = fws_pool_lend_free(pool);
    take_tray(conn, slab, slab->bytes, 0, pool->slab_len);
    *ptr = slab->bytes;
    *cap = pool->slab_len;
    return 0;
}

/* Nothing came into the space that was given last: the slab goes back if it is empty. */
static int give_space_back(struct fastws_conn *conn) {
    const struct fws_tray *tray = tray_of(conn);
    /* What was walked may have views: only a slab that nothing was received into has none. */
    if (holds_tray(conn) && tray->slab && tray->run.tail == tray->slab->bytes) drop_tray(conn);
    if (!conn->reader) return 0;
    fws_reader_give_space_back(conn->reader);
    if (fws_reader_is_idle(conn->reader)) return_reader(conn);
    return 0;
}

static FWS_NOINLINE int filled_long(struct fastws_conn *conn, size_t len) {
    if (conn->is_stopped) return conn->error;
    if (len == 0) return give_space_back(conn);
    if (conn->is_flooded) return FASTWS_ERR_ARGUMENT; /* there was no space */
    if (holds_tray(conn)) {
        struct fws_tray *tray = tray_of(conn);
        if (len > (size_t)(tray->end - tray->run.tail)) return FASTWS_ERR_ARGUMENT;
        tray->run.tail += len;
    } else {
        if (!conn->reader) return FASTWS_ERR_ARGUMENT;
        TRY(fws_reader_filled(conn->reader, len));
    }
    fws_conn_note_life(conn, len);
    return 0;
}

int fastws_conn_filled(struct fastws_conn *conn, size_t len) {
    struct fws_tray *tray = tray_of(conn);
    if (FWS_UNLIKELY(tray->holder != conn || !conn->may_use_tray)) return filled_long(conn, len);
    uint8_t *tail = tray->run.tail;
    /* 0 is none that the short way knows. */
    if (FWS_UNLIKELY(len - 1 >= (size_t)(tray->end - tail))) return filled_long(conn, len);
    tray->run.tail = tail + len;
    fws_conn_note_life(conn, len);
    return 0;
}

static FWS_NOINLINE int feed_long(struct fastws_conn *conn, void *buf, size_t len) {
    if (conn->is_stopped) return conn->error;
    if (conn->is_flooded) return FASTWS_ERR_STATE;
    if (len == 0 && may_take_tray(conn)) return 0;
    TRY(leave_tray(conn));
    TRY(borrow_reader(conn));
    TRY(fws_reader_feed(conn->reader, buf, len));
    fws_conn_note_life(conn, len);
    return 0;
}

int fastws_conn_feed(struct fastws_conn *conn, void *buf, size_t len) {
    if (FWS_UNLIKELY(!may_take_tray(conn) || len == 0)) return feed_long(conn, buf, len);
    take_tray(conn, NULL, buf, len, len);
    fws_conn_note_life(conn, len);
    return 0;
}

ptrdiff_t fastws_conn_read_raw(struct fastws_conn *conn, void *dst, size_t len) {
    if (conn->is_stopped) return conn->error;
    TRY(leave_tray(conn));
    return conn->reader ? fws_reader_raw(conn->reader, dst, len) : 0;
}

int fastws_conn_set_delivery(struct fastws_conn *conn, int delivery) {
    if (delivery < FASTWS_DELIVER_MESSAGES || delivery > FASTWS_DELIVER_STREAM) return FASTWS_ERR_ARGUMENT;
    conn->delivery = (unsigned)delivery & 3;
    fws_conn_choose_ways(conn);
    if (conn->reader) fws_reader_set_delivery(conn->reader, (unsigned)delivery);
    return 0;
}

int fastws_conn_discard(struct fastws_conn *conn) {
    if (conn->is_stopped) return conn->error;
    return conn->reader ? fws_reader_discard(conn->reader) : FASTWS_ERR_STATE;
}

int fastws_conn_take(struct fastws_conn *conn, const struct fastws_event *event, struct fastws_taken *out) {
    const struct fastws_allocator *allocator = conn->writer.pool->payload_allocator;
    size_t len = (size_t)event->len, cap = len;
    uint8_t *ptr = NULL;
    int is_handed_over = len > 0 && conn->reader && fws_reader_take(conn->reader, event, &ptr, &cap);
    if (!is_handed_over && len > 0) {
        ptr = allocator->allocate(allocator->context, len);
        if (!ptr) return FASTWS_ERR_NOMEM;
        memcpy(ptr, event->ptr, len);
    }
    *out = (struct fastws_taken){.ptr = ptr, .len = len, .cap = cap, .allocator = allocator};
    return 0;
}

void fastws_taken_release(struct fastws_taken *taken) {
    if (taken->ptr) taken->allocator->release(taken->allocator->context, taken->ptr, taken->cap);
    *taken = (struct fastws_taken){0};
}

void fastws_conn_eof(struct fastws_conn *conn) {
    conn->is_eof = 1;
}

uint64_t fastws_conn_offset(const struct fastws_conn *conn) {
    const struct fws_tray *tray = tray_of(conn);
    if (holds_tray(conn)) return conn->received - (uint64_t)(tray->run.tail - tray->run.head);
    return conn->received - (conn->reader ? fws_reader_unparsed(conn->reader) : 0);
}

/* ---- The protocol ---- */

/* What is not parsed now never will be. The reader stays for the view of the event that is handed out. */
static void stop(struct fastws_conn *conn, enum fastws_conn_state state, int error) {
    conn->state = (uint8_t)state;
    conn->error = (int16_t)error;
    conn->is_stopped = 1;
    conn->since_ms = fws_conn_now_ms(conn);
    fws_conn_drop_draft(conn);
    fws_conn_end_deflate(conn);
    fws_conn_choose_ways(conn);
}

int fws_conn_fail(struct fastws_conn *conn, struct fastws_event *event, int error) {
    uint16_t code = (uint16_t)fastws_error_close_code(error);
    if (conn->close_sent || !conn->config->is_close_automatic) code = FASTWS_CLOSE_ABNORMAL_CLOSURE;
    const char *reason = fastws_error_text(error);
    if (code != FASTWS_CLOSE_ABNORMAL_CLOSURE && fws_conn_queue_close(conn, code, reason, strlen(reason)) < 0) {
        code = FASTWS_CLOSE_ABNORMAL_CLOSURE;
    }
    const struct fws_reader *reader = conn->reader;
    *event = (struct fastws_event){.kind = FASTWS_EVENT_ERROR,
                                   .close_code = code,
                                   .error = error,
                                   .stream_offset = fastws_conn_offset(conn),
                                   .error_offset = reader && reader->error == error ? reader->error_offset : 0};
    conn->received = event->stream_offset;
    fws_conn_drop_input(conn);
    stop(conn, FASTWS_CONN_FAILED, error);
    return 1;
}

/* RFC 6455 5.5.2: a pong carries the payload of its ping. After our close frame nothing may follow. */
static void answer_ping(struct fastws_conn *conn, const struct fastws_event *event) {
    if (!conn->config->is_pong_automatic || conn->close_sent) return;
    uint64_t before = conn->writer.queued;
    int error = fws_conn_queue_control(conn, FASTWS_OPCODE_PONG, event->ptr, (size_t)event->len);
    if (error < 0) {
        conn->due = (int16_t)error;
        return;
    }
    fws_writer_note_reply(&conn->writer, (size_t)(conn->writer.queued - before));
    size_t max = conn->config->limits.max_control_pending;
    if (max != 0 && fws_writer_replies(&conn->writer) > max && !conn->is_flooded) {
        conn->is_flooded = 1;
        conn->since_ms = fws_conn_now_ms(conn);
        fws_conn_choose_ways(conn);
    }
}

/* RFC 6455 5.5.1: a close frame is answered with its code, unless ours went first. The memory of the event goes back
 * with the next call. */
static void answer_close(struct fastws_conn *conn, const struct fastws_event *event) {
    conn->close_received = event->close_code;
    if (!conn->close_sent && conn->config->is_close_automatic) {
        /* Without memory for the answer the transport is closed without one. */
        int error = fws_conn_queue_close(conn, event->close_code, "", 0);
        (void)error;
    }
    stop(conn, FASTWS_CONN_CLOSED, FASTWS_ERR_CLOSED);
}

static void note_control(struct fastws_conn *conn, const struct fastws_event *event) {
    switch (event->kind) {
    case FASTWS_EVENT_PING: answer_ping(conn, event); break;
    case FASTWS_EVENT_PONG: fws_conn_note_pong(conn, event); break;
    case FASTWS_EVENT_CLOSE: answer_close(conn, event); break;
    default: break;
    }
}

static int find_error(const struct fastws_conn *conn) {
    if (conn->reader && conn->reader->error) return conn->reader->error;
    if (conn->due) return conn->due;
    if (!conn->is_eof) return 0;
    return !conn->reader || fws_reader_is_between_messages(conn->reader) ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF;
}

void fastws_conn_hold_end(struct fastws_conn *conn, int is_held) {
    conn->is_end_held = is_held != 0;
}

int fastws_conn_is_end_due(const struct fastws_conn *conn) {
    if (!conn->is_end_held || conn->is_stopped) return 0;
    return find_error(conn) != 0 || (conn->reader && conn->reader->is_close_due);
}

/* Nothing was found: an error that is due, or a reader that is not needed until more is received. */
static int rest(struct fastws_conn *conn, struct fastws_event *event) {
    int error = find_error(conn);
    if (fastws_conn_is_end_due(conn)) return 0;
    if (error) return fws_conn_fail(conn, event, error);
    if (conn->reader && fws_reader_is_idle(conn->reader)) return_reader(conn);
    return 0;
}

static FWS_NOINLINE int next_long(struct fastws_conn *conn, struct fastws_event *events, int cap) {
    if (conn->is_stopped) {
        conn->received = fastws_conn_offset(conn);
        fws_conn_drop_input(conn);
        return conn->error;
    }
    if (leave_tray(conn) < 0) return fws_conn_fail(conn, events, FASTWS_ERR_NOMEM);
    if (conn->reader) conn->reader->is_close_held = conn->is_end_held;
    int n = conn->reader ? fws_reader_next(conn->reader, events, cap) : 0;
    if (n == 0) return rest(conn, events);
    /* A control frame ends its batch. */
    if (events[n - 1].kind > FASTWS_EVENT_CHUNK) note_control(conn, &events[n - 1]);
    return n;
}

/* The tray begins with no frame that the kernel takes, and a reader goes on: what it was called with is on the tray. */
static FWS_NOINLINE int leave_to_reader(struct fastws_pool *pool, int n) {
    struct fws_tray *tray = &pool->tray;
    /* A text that is refused is masked again: it is the reader's to say so. */
    if (tray->run.error) fws_run_undo(&tray->run, pool->kernels);
    return n > 0 ? n : next_long(tray->holder, tray->events, tray->cap);
}

/* Takes whole small messages off the tray, which is not empty. */
static FWS_NOINLINE int take_from_tray(struct fastws_pool *pool, struct fastws_event *events, int cap) {
    pool->tray.events = events;
    pool->tray.cap = cap;
    int n = pool->kernels->frames(&pool->tray.run, events, cap);
    return FWS_LIKELY(n > 0 && !pool->tray.run.error) ? n : leave_to_reader(pool, n);
}

/* All that was on the tray was taken. */
static FWS_NOINLINE int next_of_none(struct fastws_conn *conn, struct fastws_event *events) {
    drop_tray(conn);
    return rest(conn, events);
}

int fastws_conn_next(struct fastws_conn *conn, struct fastws_event *events, int cap) {
    struct fws_tray *tray = tray_of(conn);
    if (FWS_UNLIKELY(tray->holder != conn || !conn->may_use_tray)) return next_long(conn, events, cap);
    if (tray->run.head != tray->run.tail) return take_from_tray(conn->writer.pool, events, cap);
    struct fastws_pool *pool = conn->writer.pool;
    int is_kept = !tray->slab || pool->free_count < pool->slab_keep;
    if (FWS_UNLIKELY(!is_kept || conn->due || conn->is_eof)) return next_of_none(conn, events);
    tray->holder = NULL;
    if (tray->slab) fws_pool_keep(pool, tray->slab);
    return 0;
}
