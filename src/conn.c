/* SPDX-License-Identifier: MIT */
/* Implements the life of a connection: how it is configured, made, reset and freed, and what state it is in. */
#include "conn.h"

/* ---- Life ---- */

_Static_assert((int)FASTWS_ROLE_SERVER == (int)FASTWS_STATE_SERVER, "roles are states of the header check");
_Static_assert((int)FASTWS_ROLE_CLIENT == (int)FASTWS_STATE_CLIENT, "roles are states of the header check");

void fastws_conn_config_init(struct fastws_conn_config *config, enum fastws_role role) {
    *config = (struct fastws_conn_config){
        .size = sizeof *config,
        .limits = {.max_message = 16u << 20,
                   .max_frame = 16u << 20,
                   .max_fragments = 262144,
                   .max_empty_fragments = 1024,
                   .max_control_pending = 64u << 10},
        .ping_interval_ms = 20000,
        .ping_timeout_ms = 20000,
        .close_timeout_ms = 10000,
        .role = (uint8_t)role,
        .is_utf8_checked = 1,
        .is_pong_automatic = 1,
        .is_close_automatic = 1,
        .is_header_checked = 1,
        .delivery = FASTWS_DELIVER_MESSAGES,
        .fragment_len = 4096,
        .queue_high = 64u << 10,
        .queue_low = 16u << 10,
    };
}

size_t fastws_conn_sizeof(void) {
    return sizeof(struct fastws_conn);
}

static int check_config(const struct fastws_conn_config *config) {
    if (config->size != sizeof *config) return FASTWS_ERR_ARGUMENT;
    if (config->role != FASTWS_ROLE_SERVER && config->role != FASTWS_ROLE_CLIENT) return FASTWS_ERR_ARGUMENT;
    if (config->delivery > FASTWS_DELIVER_STREAM) return FASTWS_ERR_ARGUMENT;
    if (config->extension_count > 0 && !config->extensions) return FASTWS_ERR_ARGUMENT;
    return config->queue_low > config->queue_high ? FASTWS_ERR_ARGUMENT : 0;
}

int fastws_conn_init(void *memory, const struct fastws_conn_config *config, struct fastws_pool *pool) {
    TRY(check_config(config));
    struct fastws_conn *conn = memory;
    *conn = (struct fastws_conn){.config = config,
                                 .life_ms = fws_pool_now_ms(pool),
                                 .ping_us = UINT64_MAX,
                                 .rtt_us = UINT32_MAX,
                                 .fragment_len = fws_conn_fragment_len(config->fragment_len),
                                 .state = FASTWS_CONN_OPEN,
                                 .delivery = config->delivery & 3u,
                                 .is_client = config->role == FASTWS_ROLE_CLIENT,
                                 .is_extended = config->extension_count > 0};
    fws_writer_init(&conn->writer, pool);
    fws_conn_choose_ways(conn);
    return 0;
}

int fastws_conn_new(const struct fastws_conn_config *config, struct fastws_pool *pool, struct fastws_conn **out) {
    struct fastws_conn *conn = pool->allocator->allocate(pool->allocator->context, sizeof *conn);
    if (!conn) return FASTWS_ERR_NOMEM;
    int error = fastws_conn_init(conn, config, pool);
    if (error < 0) {
        pool->allocator->release(pool->allocator->context, conn, sizeof *conn);
        return error;
    }
    conn->is_allocated = 1;
    *out = conn;
    return 0;
}

static void drop_all(struct fastws_conn *conn) {
    fws_conn_drop_input(conn);
    fws_conn_drop_draft(conn);
    fws_writer_clear(&conn->writer);
    fws_conn_drop_deflate(conn);
}

int fastws_conn_reset(struct fastws_conn *conn, const struct fastws_conn_config *config) {
    if (!config) config = conn->config;
    TRY(check_config(config));
    drop_all(conn);
    int is_allocated = conn->is_allocated;
    TRY(fastws_conn_init(conn, config, conn->writer.pool));
    conn->is_allocated = is_allocated != 0;
    return 0;
}

int fastws_conn_set_config(struct fastws_conn *conn, const struct fastws_conn_config *config) {
    TRY(check_config(config));
    if (config->role != conn->config->role) return FASTWS_ERR_ARGUMENT;
    conn->config = config;
    conn->is_extended = config->extension_count > 0;
    fws_conn_choose_ways(conn);
    if (conn->reader) conn->reader->rules = fws_conn_rules(conn);
    if (fws_writer_holds_cork(&conn->writer)) fws_cork_leave_plain(&conn->writer.pool->cork);
    fws_conn_judge_queue(conn);
    return 0;
}

void fastws_conn_free(struct fastws_conn *conn) {
    if (!conn) return;
    const struct fastws_allocator *allocator = conn->writer.pool->allocator;
    drop_all(conn);
    if (conn->is_allocated) allocator->release(allocator->context, conn, sizeof *conn);
}

/* ---- Short ways ---- */

/* What goes the short way is not judged: no more of it fits the cork than the mark allows. */
static uint16_t find_short_lines(const struct fastws_conn *conn) {
    size_t high = conn->config->queue_high, cap = conn->writer.pool->cork.cap;
    return (uint16_t)((high == 0 || high > cap ? cap : high) / FWS_CORK_LINE);
}

static enum fws_send_way find_send_way(const struct fastws_conn *conn) {
    int is_short = conn->state == FASTWS_CONN_OPEN && !conn->draft && !conn->is_extended && !conn->inflater &&
                   conn->short_lines > 0;
    if (!is_short) return FWS_SEND_LONG;
    return conn->is_client ? FWS_SEND_SHORT_MASKED : FWS_SEND_SHORT;
}

/* The length of the longest payload that both limits allow, as far as the length of a small frame can tell. */
static uint16_t find_run_max(const struct fastws_limits *limits) {
    uint64_t max = UINT16_MAX;
    if (limits->max_frame != 0 && limits->max_frame < max) max = limits->max_frame;
    if (limits->max_message != 0 && limits->max_message < max) max = limits->max_message;
    return (uint16_t)max;
}

void fws_conn_choose_ways(struct fastws_conn *conn) {
    conn->short_lines = find_short_lines(conn);
    conn->send_way = (uint8_t)find_send_way(conn);
    conn->run_max = find_run_max(&conn->config->limits);
    conn->mask_bit = conn->is_client ? 0 : 0x80;
    conn->is_text_checked = conn->config->is_utf8_checked != 0;
    if (conn->writer.pool->tray.holder == conn) fws_conn_set_run_rules(conn);
    conn->may_use_tray = conn->delivery == FASTWS_DELIVER_MESSAGES && !conn->is_extended && !conn->is_stopped &&
                         !conn->is_flooded;
}

/* ---- State ---- */

enum fastws_conn_state fastws_conn_get_state(const struct fastws_conn *conn) {
    return (enum fastws_conn_state)conn->state;
}

int fastws_conn_is_over(const struct fastws_conn *conn) {
    int is_answer_due = conn->state == FASTWS_CONN_CLOSED && !conn->close_sent && !conn->config->is_close_automatic;
    return conn->is_stopped && conn->writer.queued == 0 && !is_answer_due;
}

uint16_t fastws_conn_close_sent(const struct fastws_conn *conn) {
    return conn->close_sent;
}

uint16_t fastws_conn_close_received(const struct fastws_conn *conn) {
    return conn->close_received;
}
