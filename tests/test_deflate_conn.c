/* SPDX-License-Identifier: MIT */
/* Compressed messages through connections: both roles, every mode, every delivery, however the bytes are cut. */
#include "deflating.h"

#include <fastws/error.h>

#include "sending.h"

#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

enum { MESSAGES = 14 };
static const size_t lens[MESSAGES] = {0, 1, 10, 63, 64, 65, 300, 1000, 4000, 5000, 20000, 66000, 99000, 200};

/* Opens an end with compression, as a server would agree to it. */
static void open_end(struct end *end, struct fastws_deflate_config *config) {
    struct fastws_deflate_params agreed = {.server_no_context_takeover = config->mode == FASTWS_DEFLATE_NO_TAKEOVER,
                                           .client_no_context_takeover = !config->is_peer_takeover};
    end_open(end);
    assert_int_equal(fastws_conn_set_deflate(end->conn, config, &agreed), 0);
    assert_int_equal(fastws_conn_has_deflate(end->conn), 1);
}

static size_t write_numbered(uint8_t *dst, int number) {
    return lens[number] == 0 ? 0 : write_message(dst, lens[number], (uint32_t)number);
}

/* Sends every message: whole, in pieces, prepared, with control frames between. */
static void send_all(struct end *end, int way) {
    uint8_t *message = malloc(MESSAGE_CAP);
    for (int i = 0; i < MESSAGES; i++) {
        size_t len = write_numbered(message, i);
        struct fastws_prepared *prepared = NULL;
        if (way == 0) {
            assert_int_equal(fastws_conn_send(end->conn, 1, message, len), 0);
        } else if (way == 1) {
            assert_int_equal(fastws_conn_begin(end->conn, 1), 0);
            assert_int_equal(fastws_conn_write(end->conn, message, len / 3), 0);
            assert_int_equal(fastws_conn_flush_fragment(end->conn), 0);
            assert_int_equal(fastws_conn_ping(end->conn, "between", 7), 0);
            assert_int_equal(fastws_conn_write(end->conn, message + len / 3, len - len / 3), 0);
            assert_int_equal(fastws_conn_finish(end->conn), 0);
        } else {
            assert_int_equal(fastws_prepared_new(&end->memory.allocator, 1, message, len, &prepared), 0);
            assert_int_equal(fastws_conn_send_prepared(end->conn, prepared), 0);
            fastws_prepared_release(prepared);
        }
        assert_int_equal(fastws_conn_own(end->conn), 0);
        end_drain(end, 4096);
    }
    free(message);
}

/* Joins the payloads of what was handed out, and compares them with what was sent. */
struct joined {
    struct bytes bytes;
    int number; /* of the message that comes next */
    int compressed;
};

static void join(struct joined *joined, const struct fastws_event *event) {
    if (event->kind != FASTWS_EVENT_MESSAGE && event->kind != FASTWS_EVENT_CHUNK) {
        assert_int_equal(event->kind, FASTWS_EVENT_PING);
        return;
    }
    bytes_put(&joined->bytes, event->ptr, (size_t)event->len);
    if (!(event->flags & FASTWS_EVENT_LAST)) return;
    uint8_t *message = malloc(MESSAGE_CAP);
    size_t len = write_numbered(message, joined->number++);
    assert_int_equal(joined->bytes.len, len);
    if (len > 0) assert_memory_equal(joined->bytes.ptr, message, len);
    joined->compressed += (event->flags & FASTWS_EVENT_COMPRESSED) != 0;
    joined->bytes.len = 0;
    free(message);
}

/* Receives all that the other end has sent, step bytes at a time. Returns how many messages came compressed. */
static int receive_all(struct end *end, const struct bytes *wire, size_t step, int cap) {
    struct fastws_event events[16];
    struct joined joined = {.number = 0};
    for (size_t off = 0; off < wire->len;) {
        size_t part = wire->len - off < step ? wire->len - off : step;
        uint8_t *fed = malloc(part);
        void *space = fed;
        if (end->input == INPUT_FEED) {
            memcpy(fed, wire->ptr + off, part);
            assert_int_equal(fastws_conn_feed(end->conn, fed, part), 0);
        } else {
            size_t room;
            assert_int_equal(fastws_conn_space(end->conn, &space, &room), 0);
            if (part > room) part = room;
            memcpy(space, wire->ptr + off, part);
            assert_int_equal(fastws_conn_filled(end->conn, part), 0);
        }
        int n;
        while ((n = fastws_conn_next(end->conn, events, cap)) > 0)
            for (int i = 0; i < n; i++) join(&joined, &events[i]);
        assert_int_equal(n, 0);
        off += part;
        free(fed);
        end_drain(end, SIZE_MAX);
    }
    assert_int_equal(joined.number, MESSAGES);
    bytes_free(&joined.bytes);
    return joined.compressed;
}

struct trip {
    enum fastws_deflate_mode mode;
    enum fastws_role sender;
    enum fastws_delivery delivery;
    int way;
    enum input input;
    size_t step;
};

static void travel(const struct trip *trip) {
    struct fastws_deflate_config config;
    struct end from, to;
    fastws_deflate_config_init(&config, trip->mode);
    end_prepare(&from, trip->sender);
    end_prepare(&to, trip->sender == SERVER ? CLIENT : SERVER);
    to.config.delivery = (uint8_t)trip->delivery;
    to.input = trip->input;
    open_end(&from, &config);
    open_end(&to, &config);
    send_all(&from, trip->way);
    int compressed = receive_all(&to, &from.sent, trip->step, 16);
    /* Below the threshold of 64 bytes only those are compressed whose length is not known at first. */
    assert_int_equal(compressed, trip->way == 1 ? MESSAGES - 2 : MESSAGES - 4);
    struct fastws_pool_stats stats;
    fastws_pool_get_stats(to.pool, &stats);
    assert_int_equal(stats.slabs_lent, 0);
    end_close(&from);
    end_close(&to);
}

static void every_mode_delivery_and_way_crosses_in_both_directions(void **state) {
    (void)state;
    static const size_t steps[] = {SIZE_MAX, 4096, 1000, 7, 1};
    struct trip trip;
    for (trip.mode = FASTWS_DEFLATE_TAKEOVER; trip.mode <= FASTWS_DEFLATE_NO_TAKEOVER; trip.mode++)
        for (trip.sender = SERVER; trip.sender <= CLIENT; trip.sender++)
            for (trip.way = 0; trip.way < 3; trip.way++)
                for (int i = 0; i < 15; i++) {
                    trip.delivery = (enum fastws_delivery)(i / 5);
                    trip.input = (enum input)(i % 2);
                    trip.step = steps[i % 5];
                    travel(&trip);
                }
}

/* ---- Refusals ---- */

static void start_server(struct end *end, struct fastws_deflate_config *config) {
    fastws_deflate_config_init(config, FASTWS_DEFLATE_NO_TAKEOVER);
    end_prepare(end, SERVER);
    open_end(end, config);
}

/* Expects that a frame of stock zlib's output ends the connection with this error, whole and byte by byte. */
static void expect_refused(const void *message, size_t len, unsigned first, uint64_t max_message, uint32_t max_ratio,
                           int error) {
    struct stock *stock = stock_new(15, 15, 0);
    stock_compress(stock, message, len);
    static const size_t steps[] = {SIZE_MAX, 1};
    for (int i = 0; i < 2; i++) {
        struct fastws_deflate_config config;
        struct bytes wire = {0};
        struct end end;
        fastws_deflate_config_init(&config, FASTWS_DEFLATE_NO_TAKEOVER);
        config.max_ratio = max_ratio;
        end_prepare(&end, SERVER);
        end.config.limits.max_message = max_message;
        open_end(&end, &config);
        put_frame(&wire, SERVER, first, stock->buffer, stock->len);
        end_receive_in_steps(&end, &wire, steps[i]);
        assert_int_equal(end.last, error);
        assert_true(end.memory.peak < 4 * max_message + (1u << 20));
        bytes_free(&wire);
        end_close(&end);
    }
    stock_free(stock);
}

static void refuses_text_that_is_not_utf8_once_inflated(void **state) {
    (void)state;
    expect_refused("caf\xe9 au lait, and much more behind it", 38, 0xc1, 1 << 20, 0, FASTWS_ERR_UTF8);
    expect_refused("caf\xc3", 4, 0xc1, 1 << 20, 0, FASTWS_ERR_UTF8);
}

static void limits_hold_while_a_bomb_is_inflated(void **state) {
    (void)state;
    uint8_t *zeros = calloc(1, MESSAGE_CAP);
    expect_refused(zeros, MESSAGE_CAP, 0xc2, 99999, 0, FASTWS_ERR_MESSAGE_TOO_LARGE);
    expect_refused(zeros, MESSAGE_CAP, 0xc2, 1000, 0, FASTWS_ERR_MESSAGE_TOO_LARGE);
    expect_refused(zeros, MESSAGE_CAP, 0xc2, 1 << 20, 100, FASTWS_ERR_INFLATED_RATIO);
    free(zeros);
}

/* 64 MiB of zeros in some 65 KiB. */
static void a_bomb_of_64_mib_takes_no_more_than_the_limit(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct stock *stock = stock_new(15, 15, 1);
    struct bytes payload = {0}, wire = {0};
    uint8_t *zeros = calloc(1, MESSAGE_CAP);
    for (size_t done = 0; done < 64u << 20; done += MESSAGE_CAP) {
        stock_compress(stock, zeros, MESSAGE_CAP);
        bytes_put(&payload, stock->buffer, stock->len);
        bytes_put(&payload, "\0\0\xff\xff", 4);
    }
    struct end end;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    end_prepare(&end, SERVER);
    open_end(&end, &config);
    put_frame(&wire, SERVER, 0xc2, payload.ptr, payload.len);
    end_receive(&end, wire.ptr, wire.len);
    assert_int_equal(end.last, FASTWS_ERR_INFLATED_TOO_LARGE);
    assert_true(end.memory.peak < (34u << 20));
    end_close(&end);
    bytes_free(&payload);
    bytes_free(&wire);
    free(zeros);
    stock_free(stock);
}

static void refuses_rsv1_where_it_may_not_stand(void **state) {
    (void)state;
    static const unsigned firsts[] = {0xc9, 0xca, 0xc8, 0xc0, 0xa1, 0x91, 0xe1};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct fastws_deflate_config config;
        struct end end;
        start_server(&end, &config);
        if (firsts[i] == 0xc0) end_receive_frame(&end, 0x41, "\x4a", 1);
        end_receive_frame(&end, firsts[i], "", 0);
        assert_int_equal(end.last, FASTWS_ERR_RSV);
        end_close(&end);
    }
}

static void refuses_rsv1_where_nothing_was_agreed(void **state) {
    (void)state;
    struct end end;
    end_prepare(&end, SERVER);
    end_open(&end);
    end_receive_frame(&end, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    assert_int_equal(end.last, FASTWS_ERR_RSV);
    end_close(&end);
}

/* RFC 7692 7.2.3.1: "Hello", in one frame and in two, between messages that are not compressed. */
static void reads_the_example_of_the_rfc_between_plain_messages(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct end end;
    start_server(&end, &config);
    end_receive_frame(&end, 0x81, "plain", 5);
    end_receive_frame(&end, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    end_receive_frame(&end, 0x41, "\xf2\x48\xcd", 3);
    end_receive_frame(&end, 0x89, "?", 1);
    end_receive_frame(&end, 0x80, "\xc9\xc9\x07\x00", 4);
    end_receive_frame(&end, 0x81, "plain", 5);
    assert_int_equal(end.log.count, 5);
    assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_OPEN);
    end_close(&end);
}

/* ---- Choice and memory ---- */

static void a_flag_chooses_for_one_message(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct end end;
    char text[200];
    memset(text, 'a', sizeof text);
    start_server(&end, &config);
    assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_PLAIN, text, sizeof text), 0);
    expect_only_sent(&end, 0x81, text, sizeof text);
    assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_COMPRESSED, "Hello", 5), 0);
    expect_only_sent(&end, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    assert_int_equal(fastws_conn_send(end.conn, 1, "Hello", 5), 0);
    expect_only_sent(&end, 0x81, "Hello", 5);
    end_close(&end);
}

static void an_idle_connection_gives_its_streams_back(void **state) {
    (void)state;
    static const size_t held_max[] = {[FASTWS_DEFLATE_TAKEOVER] = 1024 + 32768, [FASTWS_DEFLATE_TAIL] = 1024,
                                      [FASTWS_DEFLATE_NO_TAKEOVER] = 0};
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct fastws_deflate_config config;
        struct fastws_deflate_stats stats;
        struct end from, to;
        size_t held_of_peer = mode == FASTWS_DEFLATE_NO_TAKEOVER ? 0 : 32768 + 1024;
        fastws_deflate_config_init(&config, (enum fastws_deflate_mode)mode);
        end_prepare(&from, SERVER);
        end_prepare(&to, CLIENT);
        open_end(&from, &config);
        open_end(&to, &config);
        for (int round = 0; round < 3; round++) {
            send_all(&from, 0);
            assert_int_equal(receive_all(&to, &from.sent, SIZE_MAX, 16), MESSAGES - 4);
            from.sent.len = 0;
            fastws_conn_idle(from.conn);
            fastws_conn_idle(to.conn);
            assert_true(fastws_conn_deflate_held(from.conn) <= held_max[mode]);
            /* A server that sends by its tail has not promised to: the client keeps its window. */
            assert_true(fastws_conn_deflate_held(to.conn) <= held_of_peer);
        }
        fastws_pool_trim(from.pool);
        fastws_pool_get_deflate_stats(from.pool, &stats);
        assert_int_equal(stats.held, fastws_conn_deflate_held(from.conn));
        end_close(&from);
        end_close(&to);
    }
}

static void says_since_when_it_is_idle(void **state) {
    (void)state;
    for (int mode = FASTWS_DEFLATE_TAKEOVER; mode <= FASTWS_DEFLATE_NO_TAKEOVER; mode++) {
        struct fastws_deflate_config config;
        struct end from, to;
        struct fastws_event event;
        /* A server keeps a stream to send with, its client one to inflate with, where there is a context to keep. */
        uint64_t since_ms = mode == FASTWS_DEFLATE_TAKEOVER ? 70 : UINT64_MAX;
        uint64_t peer_since_ms = mode == FASTWS_DEFLATE_NO_TAKEOVER ? UINT64_MAX : 90;
        fastws_deflate_config_init(&config, (enum fastws_deflate_mode)mode);
        end_prepare(&from, SERVER);
        end_prepare(&to, CLIENT);
        open_end(&from, &config);
        open_end(&to, &config);
        assert_true(fastws_conn_idle_since_ms(from.conn) == UINT64_MAX);
        fastws_pool_set_now(from.pool, 50000);
        fastws_pool_set_now(to.pool, 90000);
        assert_int_equal(fastws_conn_begin(from.conn, 1 | FASTWS_SEND_COMPRESSED), 0);
        assert_int_equal(fastws_conn_write(from.conn, "Hel", 3), 0);
        assert_int_equal(fastws_conn_flush_fragment(from.conn), 0);
        /* Inside of a message its stream is needed, whatever the mode. */
        assert_true(fastws_conn_deflate_held(from.conn) > 1024);
        assert_true(fastws_conn_idle_since_ms(from.conn) == UINT64_MAX);
        fastws_pool_set_now(from.pool, 70999);
        assert_int_equal(fastws_conn_write(from.conn, "lo", 2), 0);
        assert_int_equal(fastws_conn_finish(from.conn), 0);
        end_drain(&from, 4096);
        assert_int_equal(fastws_conn_feed(to.conn, from.sent.ptr, from.sent.len), 0);
        assert_int_equal(fastws_conn_next(to.conn, &event, 1), 1);
        assert_int_equal(event.len, 5);
        assert_int_equal(fastws_conn_next(to.conn, &event, 1), 0);
        assert_true(fastws_conn_idle_since_ms(from.conn) == since_ms);
        assert_true(fastws_conn_idle_since_ms(to.conn) == peer_since_ms);
        fastws_conn_idle(from.conn);
        fastws_conn_idle(to.conn);
        assert_true(fastws_conn_idle_since_ms(from.conn) == UINT64_MAX);
        assert_true(fastws_conn_idle_since_ms(to.conn) == UINT64_MAX);
        end_close(&from);
        end_close(&to);
    }
}

static void allocates_nothing_for_small_messages_once_warm(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct end end;
    struct stock *stock = stock_new(15, 15, 0);
    uint8_t message[1000];
    uint64_t calls = 0;
    start_server(&end, &config);
    for (uint32_t i = 0; i < 20; i++) {
        if (i == 4) calls = end.memory.calls;
        size_t len = write_message(message, sizeof message, i);
        stock_compress(stock, message, len);
        end_receive_frame(&end, 0xc1, stock->buffer, stock->len);
        assert_int_equal(fastws_conn_send(end.conn, 1, message, len), 0);
        end_drain(&end, SIZE_MAX);
    }
    assert_int_equal(end.memory.calls, calls);
    assert_int_equal(end.log.count, 20);
    stock_free(stock);
    end_close(&end);
}

static void comes_before_the_first_byte_or_not_at_all(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct fastws_deflate_params agreed = {0}, bad = {.server_max_window_bits = 16};
    struct end end;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    end_prepare(&end, SERVER);
    end_open(&end);
    assert_int_equal(fastws_conn_set_deflate(end.conn, &config, &bad), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_conn_has_deflate(end.conn), 0);
    assert_int_equal(fastws_conn_set_deflate(end.conn, &config, &agreed), 0);
    assert_int_equal(fastws_conn_set_deflate(end.conn, &config, &agreed), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_reset(end.conn, NULL), 0);
    assert_int_equal(fastws_conn_has_deflate(end.conn), 0);
    end_receive_frame(&end, 0x81, "first", 5);
    assert_int_equal(fastws_conn_set_deflate(end.conn, &config, &agreed), FASTWS_ERR_STATE);
    end_close(&end);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    uint8_t *message = malloc(MESSAGE_CAP);
    size_t len = write_message(message, 99000, 1);
    for (uint64_t fail_at = 1, is_done = 0; !is_done; fail_at++) {
        struct fastws_deflate_config config;
        struct fastws_deflate_params agreed = {0};
        struct end end;
        fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
        end_prepare(&end, SERVER);
        end_open(&end);
        end.memory.fail_at = end.memory.calls + fail_at;
        int result = fastws_conn_set_deflate(end.conn, &config, &agreed);
        if (result == 0) result = fastws_conn_send(end.conn, 1, message, len);
        if (result == 0) result = fastws_conn_begin(end.conn, 1);
        if (result == 0) result = fastws_conn_write(end.conn, message, len);
        if (result == 0) result = fastws_conn_finish(end.conn);
        assert_true(result == 0 || result == FASTWS_ERR_NOMEM);
        is_done = end.memory.calls < end.memory.fail_at;
        assert_int_equal(result == 0, is_done);
        end.memory.fail_at = 0;
        end_close(&end);
    }
    free(message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode_delivery_and_way_crosses_in_both_directions),
        cmocka_unit_test(refuses_text_that_is_not_utf8_once_inflated),
        cmocka_unit_test(limits_hold_while_a_bomb_is_inflated),
        cmocka_unit_test(a_bomb_of_64_mib_takes_no_more_than_the_limit),
        cmocka_unit_test(refuses_rsv1_where_it_may_not_stand),
        cmocka_unit_test(refuses_rsv1_where_nothing_was_agreed),
        cmocka_unit_test(reads_the_example_of_the_rfc_between_plain_messages),
        cmocka_unit_test(a_flag_chooses_for_one_message),
        cmocka_unit_test(an_idle_connection_gives_its_streams_back),
        cmocka_unit_test(says_since_when_it_is_idle),
        cmocka_unit_test(allocates_nothing_for_small_messages_once_warm),
        cmocka_unit_test(comes_before_the_first_byte_or_not_at_all),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
