/* SPDX-License-Identifier: MIT */
/* Compressed messages beside all else that a connection does: short ways, batches, discarding, new configurations,
 * marks, the cork, reset, the end. */
#include "deflating.h"

#include <fastws/error.h>

#include "../src/conn.h"
#include "sending.h"

#define SERVER FASTWS_ROLE_SERVER
#define CLIENT FASTWS_ROLE_CLIENT

/* RFC 7692 7.2.3.1 */
static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};

static struct fastws_deflate_config deflate_config;
static const struct fastws_deflate_params agreed;

static void turn_on(struct end *end) {
    assert_int_equal(fastws_conn_set_deflate(end->conn, &deflate_config, &agreed), 0);
}

static void open_end(struct end *end, enum fastws_role role) {
    fastws_deflate_config_init(&deflate_config, FASTWS_DEFLATE_TAKEOVER);
    end_prepare(end, role);
    end_open(end);
    turn_on(end);
}

/* ---- In ---- */

static int next_of(struct end *end, const struct bytes *wire, struct fastws_event *events, int cap) {
    void *space;
    size_t room;
    assert_int_equal(fastws_conn_space(end->conn, &space, &room), 0);
    assert_true(wire->len <= room);
    memcpy(space, wire->ptr, wire->len);
    assert_int_equal(fastws_conn_filled(end->conn, wire->len), 0);
    return fastws_conn_next(end->conn, events, cap);
}

static void expect_none_left(struct end *end) {
    struct fastws_event event;
    struct fastws_pool_stats stats;
    assert_int_equal(fastws_conn_next(end->conn, &event, 1), 0);
    assert_null(end->conn->reader);
    fastws_pool_get_stats(end->pool, &stats);
    assert_int_equal(stats.slabs_lent, 0);
}

static void plain_messages_take_the_way_without_a_reader(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct end end;
        struct bytes plain = {0}, compressed = {0};
        struct fastws_event events[4];
        open_end(&end, round == 0 ? SERVER : CLIENT);
        enum fastws_role role = (enum fastws_role)end.config.role;
        put_text(&plain, role, "one");
        put_text(&plain, role, "two");
        put_frame(&compressed, role, 0xc1, hello, sizeof hello);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(next_of(&end, &plain, events, 4), 2);
            assert_null(end.conn->reader);
            assert_memory_equal(events[1].ptr, "two", 3);
            assert_int_equal(events[1].flags & FASTWS_EVENT_COMPRESSED, 0);
            expect_none_left(&end);
            assert_int_equal(next_of(&end, &compressed, events, 4), 1);
            assert_memory_equal(events[0].ptr, "Hello", 5);
            assert_true(events[0].flags & FASTWS_EVENT_COMPRESSED);
            assert_int_equal(events[0].rsv, FASTWS_RSV1);
            expect_none_left(&end);
        }
        bytes_free(&plain);
        bytes_free(&compressed);
        end_close(&end);
    }
}

/* All of them are looked at when the batch is complete, and one is kept beyond it. */
static void views_of_one_batch_live_together(void **state) {
    (void)state;
    struct end end;
    struct bytes wire = {0};
    struct fastws_event events[16];
    struct fastws_taken taken;
    open_end(&end, SERVER);
    for (int i = 0; i < 3; i++) {
        put_frame(&wire, SERVER, 0xc1, hello, sizeof hello);
        put_text(&wire, SERVER, "plain");
        put_frame(&wire, SERVER, 0x41, hello, 3);
        put_frame(&wire, SERVER, 0x80, hello + 3, sizeof hello - 3);
    }
    int n = next_of(&end, &wire, events, 16);
    assert_int_equal(n, 9);
    for (int i = 0; i < n; i++) {
        int is_plain = i % 3 == 1;
        assert_int_equal(events[i].len, 5);
        assert_memory_equal(events[i].ptr, is_plain ? "plain" : "Hello", 5);
        assert_int_equal((events[i].flags & FASTWS_EVENT_COMPRESSED) == 0, is_plain);
    }
    assert_int_equal(fastws_conn_take(end.conn, &events[8], &taken), 0);
    expect_none_left(&end);
    assert_memory_equal(taken.ptr, "Hello", 5);
    fastws_taken_release(&taken);
    bytes_free(&wire);
    end_close(&end);
}

/* The driver asks for space and receives nothing: what was inflated so far is still there. */
static void space_given_back_inside_a_message_loses_nothing(void **state) {
    (void)state;
    struct end end;
    struct bytes wire = {0};
    open_end(&end, SERVER);
    put_frame(&wire, SERVER, 0xc1, hello, sizeof hello);
    for (size_t i = 0; i < wire.len; i++) {
        void *space;
        size_t room;
        assert_int_equal(fastws_conn_space(end.conn, &space, &room), 0);
        assert_int_equal(fastws_conn_filled(end.conn, 0), 0);
        end_receive(&end, wire.ptr + i, 1);
    }
    assert_int_equal(end.log.count, 1);
    assert_memory_equal(end.log.bytes.ptr + end.log.bytes.len - 5, "Hello", 5);
    expect_none_left(&end);
    bytes_free(&wire);
    end_close(&end);
}

/* The window of the peer goes on over what nobody wants to see: the second message refers to the first. */
static void a_discarded_message_is_inflated_all_the_same(void **state) {
    (void)state;
    struct stock *stock = stock_new(15, 15, 1);
    struct end end;
    struct bytes first = {0}, rest = {0};
    struct fastws_event event;
    uint8_t message[3000];
    fastws_deflate_config_init(&deflate_config, FASTWS_DEFLATE_TAKEOVER);
    end_prepare(&end, SERVER);
    end.config.delivery = FASTWS_DELIVER_STREAM;
    end_open(&end);
    turn_on(&end);
    size_t len = write_message(message, sizeof message, 1);
    stock_compress(stock, message, len);
    put_frame(&first, SERVER, 0xc1, stock->buffer, stock->len);
    bytes_put(&rest, first.ptr + 200, first.len - 200);
    first.len = 200;
    size_t first_len = stock->len;
    stock_compress(stock, message, len);
    assert_true(stock->len < first_len / 4);
    put_frame(&rest, SERVER, 0xc1, stock->buffer, stock->len);
    assert_int_equal(next_of(&end, &first, &event, 1), 1);
    assert_int_equal(fastws_conn_discard(end.conn), 0);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 0);
    assert_int_equal(next_of(&end, &rest, &event, 1), 1);
    assert_int_equal(event.flags & (FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST), FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST);
    assert_int_equal(event.len, len);
    assert_memory_equal(event.ptr, message, len);
    expect_none_left(&end);
    stock_free(stock);
    bytes_free(&first);
    bytes_free(&rest);
    end_close(&end);
}

/* ---- A new configuration ---- */

static void a_new_configuration_leaves_compression_on(void **state) {
    (void)state;
    for (size_t cut = 0; cut <= sizeof hello; cut++) {
        struct end end;
        struct fastws_conn_config other;
        open_end(&end, CLIENT);
        other = end.config;
        other.limits.max_message = 5;
        other.queue_high = other.queue_low = 0;
        struct bytes wire = {0};
        put_frame(&wire, CLIENT, 0xc1, hello, sizeof hello);
        end_receive(&end, wire.ptr, 2 + cut);
        assert_int_equal(fastws_conn_set_config(end.conn, &other), 0);
        end_receive(&end, wire.ptr + 2 + cut, sizeof hello - cut);
        assert_int_equal(end.log.count, 1);
        assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_COMPRESSED, "Hello", 5), 0);
        expect_only_sent(&end, 0xc1, hello, sizeof hello);
        bytes_free(&wire);
        end_close(&end);
    }
}

/* Also where more than the new limit has been inflated. */
static void a_lower_limit_holds_for_the_message_that_is_open(void **state) {
    (void)state;
    struct end end;
    struct fastws_conn_config other;
    open_end(&end, CLIENT);
    other = end.config;
    other.limits.max_message = 2;
    struct bytes wire = {0};
    put_text(&wire, CLIENT, "good");
    put_frame(&wire, CLIENT, 0xc1, hello, sizeof hello);
    end_receive(&end, wire.ptr, wire.len - 2); /* "Hello" is there, the end of the message is not */
    assert_int_equal(fastws_conn_set_config(end.conn, &other), 0);
    end_receive(&end, wire.ptr + wire.len - 2, 2);
    assert_int_equal(end.last, FASTWS_ERR_MESSAGE_TOO_LARGE);
    assert_int_equal(fastws_conn_offset(end.conn), 6);
    bytes_free(&wire);
    end_close(&end);
}

/* ---- Out ---- */

/* Marks count what is on the wire: messages that compress well pass them later. */
static void marks_count_compressed_bytes(void **state) {
    (void)state;
    static const uint8_t zeros[5000];
    uint8_t noise[1000];
    struct end end;
    fastws_deflate_config_init(&deflate_config, FASTWS_DEFLATE_NO_TAKEOVER);
    end_prepare(&end, SERVER);
    end.config.queue_high = 1500;
    end.config.queue_low = 1000;
    end_open(&end);
    turn_on(&end);
    fill_pattern(noise, sizeof noise, 3);
    for (int i = 0; i < 10; i++) assert_int_equal(fastws_conn_send(end.conn, 2, zeros, sizeof zeros), 0);
    uint64_t small = fastws_conn_pending_len(end.conn);
    assert_true(small < 1000);
    assert_int_equal(fastws_conn_is_writable(end.conn), 1);
    assert_int_equal(fastws_conn_send(end.conn, 2, noise, sizeof noise), 0);
    assert_int_equal(fastws_conn_is_writable(end.conn), fastws_conn_pending_len(end.conn) <= 1500);
    assert_int_equal(fastws_conn_send(end.conn, 2, noise, sizeof noise), 0);
    assert_int_equal(fastws_conn_is_writable(end.conn), 0);
    while (fastws_conn_pending_len(end.conn) > 1000) {
        assert_int_equal(fastws_conn_is_writable(end.conn), 0);
        send_some(&end, 1);
    }
    assert_int_equal(fastws_conn_is_writable(end.conn), 1);
    end_close(&end);
}

static void new_marks_judge_compressed_bytes_that_are_queued(void **state) {
    (void)state;
    static const uint8_t zeros[5000];
    struct end end;
    struct fastws_conn_config low, high;
    open_end(&end, SERVER);
    low = high = end.config;
    for (int i = 0; i < 20; i++) assert_int_equal(fastws_conn_send(end.conn, 2, zeros, sizeof zeros), 0);
    low.queue_high = low.queue_low = (size_t)fastws_conn_pending_len(end.conn) - 1;
    high.queue_high = (size_t)fastws_conn_pending_len(end.conn);
    high.queue_low = high.queue_high;
    assert_int_equal(fastws_conn_is_writable(end.conn), 1);
    assert_int_equal(fastws_conn_set_config(end.conn, &low), 0);
    assert_int_equal(fastws_conn_is_writable(end.conn), 0);
    assert_int_equal(fastws_conn_set_config(end.conn, &high), 0);
    assert_int_equal(fastws_conn_is_writable(end.conn), 1);
    end_close(&end);
}

/* Takes the next frame that an end has sent, and inflates it. */
static void expect_frame(struct end *end, size_t *off, struct stock *stock, unsigned first, const void *message,
                         size_t len) {
    struct frame frame = take_frame(&end->sent, off, (enum fastws_role)end->config.role);
    assert_int_equal(frame.first, first);
    const void *payload = frame.payload;
    size_t payload_len = frame.len;
    if (first & 0x40) {
        assert_int_equal(stock_inflate(stock, payload, payload_len), 0);
        payload = stock->buffer;
        payload_len = stock->len;
    }
    assert_int_equal(payload_len, len);
    assert_memory_equal(payload, message, len);
}

/* Two connections of one pool take the cork from each other, one of them with compression: a short message that is not
 * compressed, one that is, one too long for the cork, a ping, again and again. */
static void the_cork_is_shared_with_connections_that_do_not_compress(void **state) {
    (void)state;
    enum { ROUNDS = 30, LONG_LEN = 20000 };
    uint8_t *message = malloc(LONG_LEN), *noise = make_payload(LONG_LEN, 9);
    for (int round = 0; round < 2; round++) {
        struct stock *stock = stock_new(15, 15, 1);
        struct end end, other;
        size_t off = 0;
        open_end(&end, round == 0 ? SERVER : CLIENT);
        end_prepare(&other, SERVER);
        assert_int_equal(fastws_conn_new(&other.config, end.pool, &other.conn), 0);
        for (uint32_t i = 0; i < ROUNDS; i++) {
            size_t len = write_message(message, 700, i);
            assert_int_equal(fastws_conn_send(end.conn, 1, "short", 5), 0);
            assert_int_equal(fastws_conn_send(end.conn, 1, message, len), 0);
            if (i % 3 == 0) assert_int_equal(fastws_conn_send(other.conn, 1, "other", 5), 0);
            assert_int_equal(fastws_conn_send(end.conn, 2, noise, LONG_LEN), 0);
            assert_int_equal(fastws_conn_ping(end.conn, "?", 1), 0);
            if (i % 5 == 0) assert_int_equal(fastws_conn_send(other.conn, 1, "other", 5), 0);
            if (i % 4 == 0) end_drain(&end, 999);
        }
        end_drain(&end, SIZE_MAX);
        for (uint32_t i = 0; i < ROUNDS; i++) {
            expect_frame(&end, &off, stock, 0x81, "short", 5);
            expect_frame(&end, &off, stock, 0xc1, message, write_message(message, 700, i));
            expect_frame(&end, &off, stock, 0xc2, noise, LONG_LEN);
            expect_frame(&end, &off, stock, 0x89, "?", 1);
        }
        assert_int_equal(off, end.sent.len);
        end_drain(&other, SIZE_MAX);
        assert_int_equal(other.sent.len, 16 * 7);
        assert_memory_equal(other.sent.ptr + 15 * 7, "\x81\x05other", 7);
        fastws_conn_free(other.conn);
        bytes_free(&other.sent);
        stock_free(stock);
        end_close(&end);
    }
    free(message);
    free(noise);
}

/* ---- Reset ---- */

/* Half a message in each direction, and queued bytes. */
static void get_busy(struct end *end) {
    static uint8_t message[MESSAGE_CAP];
    struct bytes wire = {0};
    size_t len = write_message(message, sizeof message, 1);
    put_frame(&wire, (enum fastws_role)end->config.role, 0x41, hello, 3);
    end_receive(end, wire.ptr, wire.len);
    assert_int_equal(fastws_conn_send(end->conn, 1, message, len), 0);
    assert_int_equal(fastws_conn_begin(end->conn, 1), 0);
    assert_int_equal(fastws_conn_write(end->conn, message, len / 2), 0);
    assert_true(fastws_conn_deflate_held(end->conn) > 0);
    bytes_free(&wire);
}

static void reset_gives_everything_back(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct end end;
        struct fastws_deflate_stats stats;
        open_end(&end, round == 0 ? SERVER : CLIENT);
        for (int i = 0; i < 3; i++) {
            get_busy(&end);
            assert_int_equal(end.conn->send_way, FWS_SEND_LONG);
            assert_int_equal(fastws_conn_reset(end.conn, NULL), 0);
            fastws_pool_get_deflate_stats(end.pool, &stats);
            assert_int_equal(stats.held, stats.free);
            expect_none_left(&end);
            /* As if there had never been compression: the short way of sends is open, RSV1 is refused. */
            assert_int_not_equal(end.conn->send_way, FWS_SEND_LONG);
            assert_int_equal(fastws_conn_offset(end.conn), 0);
            if (i == 1) {
                end_receive_frame(&end, 0xc1, hello, sizeof hello);
                assert_int_equal(end.last, FASTWS_ERR_RSV);
                assert_int_equal(fastws_conn_reset(end.conn, NULL), 0);
            }
            turn_on(&end);
            /* Neither end refers to what the one before had. */
            end.sent.len = 0;
            assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_COMPRESSED, "Hello", 5), 0);
            expect_only_sent(&end, 0xc1, hello, sizeof hello);
            end_receive_frame(&end, 0xc1, hello, sizeof hello);
        }
        end_close(&end);
    }
}

/* ---- The end ---- */

static void a_connection_that_is_over_holds_nothing(void **state) {
    (void)state;
    static const uint8_t away[] = {0x03, 0xe9}; /* 1001 */
    for (int round = 0; round < 4; round++) {
        struct end end;
        struct fastws_deflate_stats stats;
        struct fastws_deflate_params told = {.client_no_context_takeover = 1};
        open_end(&end, round % 2 == 0 ? SERVER : CLIENT);
        get_busy(&end);
        if (round < 2) {
            end_receive_frame(&end, 0x88, away, sizeof away);
            assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_CLOSED);
        } else {
            end_receive_frame(&end, 0xc9, hello, 3); /* a ping with RSV1 */
            assert_int_equal(fastws_conn_get_state(end.conn), FASTWS_CONN_FAILED);
        }
        assert_int_equal(fastws_conn_deflate_held(end.conn), 0);
        fastws_pool_get_deflate_stats(end.pool, &stats);
        assert_int_equal(stats.held, stats.free);
        assert_true(fastws_conn_idle_since_ms(end.conn) == UINT64_MAX);
        /* What was agreed on can be asked for all the same. */
        assert_int_equal(fastws_conn_get_deflate(end.conn, &told), 1);
        assert_memory_equal(&told, &agreed, sizeof agreed);
        end_close(&end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_messages_take_the_way_without_a_reader),
        cmocka_unit_test(views_of_one_batch_live_together),
        cmocka_unit_test(space_given_back_inside_a_message_loses_nothing),
        cmocka_unit_test(a_discarded_message_is_inflated_all_the_same),
        cmocka_unit_test(a_new_configuration_leaves_compression_on),
        cmocka_unit_test(a_lower_limit_holds_for_the_message_that_is_open),
        cmocka_unit_test(marks_count_compressed_bytes),
        cmocka_unit_test(new_marks_judge_compressed_bytes_that_are_queued),
        cmocka_unit_test(the_cork_is_shared_with_connections_that_do_not_compress),
        cmocka_unit_test(reset_gives_everything_back),
        cmocka_unit_test(a_connection_that_is_over_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
