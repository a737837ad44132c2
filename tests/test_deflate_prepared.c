/* SPDX-License-Identifier: MIT */
/* Prepared messages that are compressed apart from the connections that send them. */
#include "deflating.h"

#include <pthread.h>

#include <fastws/error.h>

#include "sending.h"

enum { LEN = 70000 };

/* Opens a server with compression. */
static void open_end(struct end *end, const struct fastws_deflate_config *config) {
    const struct fastws_deflate_params agreed = {.server_max_window_bits = 0};
    end_prepare(end, FASTWS_ROLE_SERVER);
    end_open(end);
    assert_int_equal(fastws_conn_set_deflate(end->conn, config, &agreed), 0);
}

static struct fastws_prepared *new_message(const struct fastws_allocator *allocator, size_t len, uint32_t number) {
    struct fastws_prepared *prepared = NULL;
    uint8_t *message = malloc(MESSAGE_CAP);
    assert_int_equal(fastws_prepared_new(allocator, 1, message, write_message(message, len, number), &prepared), 0);
    free(message);
    return prepared;
}

static void says_what_is_left_to_compress(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct end plain, end;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAIL);
    end_prepare(&plain, FASTWS_ROLE_SERVER);
    end_open(&plain);
    open_end(&end, &config);
    struct fastws_prepared *small = new_message(NULL, config.threshold - 1, 1), *large = new_message(NULL, LEN, 1);
    assert_int_equal(fastws_conn_is_prepared(plain.conn, large), 1);
    assert_int_equal(fastws_conn_prepare(plain.conn, large), 0);
    assert_int_equal(fastws_conn_is_prepared(end.conn, small), 1);
    assert_int_equal(fastws_conn_is_prepared(end.conn, large), 0);
    assert_int_equal(fastws_conn_prepare(end.conn, large), 0);
    assert_int_equal(fastws_conn_is_prepared(end.conn, large), 1);
    fastws_prepared_release(small);
    fastws_prepared_release(large);
    end_close(&plain);
    end_close(&end);
}

/* It used to ask the configuration alone: what was to go plain was compressed for nothing, and what was to go
 * compressed was left for the connection to do. */
static void goes_by_the_choice_of_the_message(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct fastws_prepared *plain, *packed;
    struct end end;
    static const uint8_t zeros[LEN] = {0};
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAIL);
    config.threshold = LEN + 1;
    open_end(&end, &config);
    assert_int_equal(fastws_prepared_new(NULL, 2 | FASTWS_SEND_COMPRESSED, zeros, LEN, &packed), 0);
    assert_int_equal(fastws_conn_is_prepared(end.conn, packed), 0);
    assert_int_equal(fastws_conn_prepare(end.conn, packed), 0);
    assert_int_equal(fastws_conn_is_prepared(end.conn, packed), 1);
    config.threshold = 0;
    assert_int_equal(fastws_prepared_new(NULL, 2 | FASTWS_SEND_PLAIN, zeros, LEN, &plain), 0);
    assert_int_equal(fastws_conn_is_prepared(end.conn, plain), 1);
    fastws_prepared_release(plain);
    fastws_prepared_release(packed);
    end_close(&end);
}

/* The same bytes leave, and no stream of the connection's pool was touched. */
static void sends_what_was_compressed_apart(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct fastws_deflate_stats stats;
    struct end ends[2];
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    for (int i = 0; i < 2; i++) {
        struct fastws_prepared *prepared = new_message(NULL, LEN, 1);
        open_end(&ends[i], &config);
        if (i == 1) assert_int_equal(fastws_conn_prepare(ends[i].conn, prepared), 0);
        assert_int_equal(fastws_conn_send_prepared(ends[i].conn, prepared), 0);
        fastws_prepared_release(prepared);
        fastws_pool_get_deflate_stats(ends[i].pool, &stats);
        assert_int_equal(stats.streams_made, i == 0);
        assert_int_equal(fastws_conn_send(ends[i].conn, 1 | FASTWS_SEND_COMPRESSED, "\"price\":123", 11), 0);
        end_drain(&ends[i], 4096);
    }
    assert_int_equal(ends[0].sent.len, ends[1].sent.len);
    assert_memory_equal(ends[0].sent.ptr, ends[1].sent.ptr, ends[0].sent.len);
    for (int i = 0; i < 2; i++) end_close(&ends[i]);
}

struct job {
    const struct fastws_conn *conn;
    struct fastws_prepared *prepared;
    int error;
};

static void *work(void *context) {
    struct job *job = context;
    job->error = fastws_conn_prepare(job->conn, job->prepared);
    return NULL;
}

static void another_thread_may_compress_while_the_connection_is_used(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct end end;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    open_end(&end, &config);
    for (uint32_t i = 0; i < 20; i++) {
        struct job job = {end.conn, new_message(NULL, LEN, i), 1};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, work, &job), 0);
        for (int k = 0; k < 20; k++) {
            assert_int_equal(fastws_conn_send(end.conn, 1 | FASTWS_SEND_COMPRESSED, "meanwhile", 9), 0);
            end_drain(&end, 4096);
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(job.error, 0);
        assert_int_equal(fastws_conn_is_prepared(end.conn, job.prepared), 1);
        assert_int_equal(fastws_conn_send_prepared(end.conn, job.prepared), 0);
        end_drain(&end, 4096);
        fastws_prepared_release(job.prepared);
    }
    end_close(&end);
}

static void without_memory_nothing_is_kept(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct memory memory;
    struct end end;
    memory_init(&memory);
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_NO_TAKEOVER);
    open_end(&end, &config);
    struct fastws_prepared *prepared = new_message(&memory.allocator, LEN, 1);
    memory.fail_at = memory.calls + 1;
    assert_int_equal(fastws_conn_prepare(end.conn, prepared), FASTWS_ERR_NOMEM);
    assert_int_equal(fastws_conn_is_prepared(end.conn, prepared), 0);
    memory.fail_at = 0;
    assert_int_equal(fastws_conn_prepare(end.conn, prepared), 0);
    fastws_prepared_release(prepared);
    assert_int_equal(memory.live, 0);
    end_close(&end);
}

/* Of a compressed message the header says how long the frame is; of others the chunk does. */
static void tells_the_length_of_a_compressed_frame(void **state) {
    (void)state;
    /* FIN RSV1 text | MASK 7 | key 0: "Hello", RFC 7692 7.2.3.1 */
    static const uint8_t wire[] = {0xc1, 0x87, 0, 0, 0, 0, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    struct fastws_deflate_config config;
    struct fastws_event event;
    struct end end, plain;
    uint8_t bytes[sizeof wire];
    memcpy(bytes, wire, sizeof wire);
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAIL);
    open_end(&end, &config);
    end_prepare(&plain, FASTWS_ROLE_SERVER);
    end_open(&plain);
    assert_int_equal(fastws_conn_frame_len(plain.conn), 0);
    assert_int_equal(fastws_conn_set_delivery(end.conn, FASTWS_DELIVER_STREAM), 0);
    assert_int_equal(fastws_conn_feed(end.conn, bytes, sizeof bytes), 0);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 1);
    assert_int_equal(event.len, 5);
    assert_int_equal(fastws_conn_frame_len(end.conn), 7);
    assert_int_equal(fastws_conn_next(end.conn, &event, 1), 0);
    end_close(&plain);
    end_close(&end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_left_to_compress),
        cmocka_unit_test(goes_by_the_choice_of_the_message),
        cmocka_unit_test(sends_what_was_compressed_apart),
        cmocka_unit_test(another_thread_may_compress_while_the_connection_is_used),
        cmocka_unit_test(without_memory_nothing_is_kept),
        cmocka_unit_test(tells_the_length_of_a_compressed_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
