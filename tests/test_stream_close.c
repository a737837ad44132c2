/* SPDX-License-Identifier: MIT */
/* Tests of streams that are closed while another thread is in a send: the close timeout bounds both. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <fastws/error.h>

#include "scripted_io.h"
#include "src/net/stream.h"

enum { LARGE = 10 << 20, CLOSE_MS = 300, SLACK_MS = 5000 };

static uint8_t large[LARGE];

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

/* A server whose socket holds little, and which nobody reads from yet. */
static struct fastws_stream *open_server(const struct fastws_conn_config *config, int fds[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4608}, sizeof(int)), 0);
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, fds[0]);
    assert_int_equal(fastws_stream_open(&io, config, NULL, 0, &stream), 0);
    return stream;
}

static struct fastws_conn_config closing_config(uint32_t ping_timeout_ms) {
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    config.ping_timeout_ms = ping_timeout_ms;
    config.close_timeout_ms = CLOSE_MS;
    return config;
}

/* ---- A thread in a send ---- */

struct sender {
    struct fastws_stream *stream;
    int is_raw; /* sends a raw frame, else a large message */
    int result;
};

static void *send_one(void *argument) {
    struct sender *sender = argument;
    const struct fastws_header header = {.fin = 1, .opcode = FASTWS_OPCODE_BINARY, .length = 2};
    sender->result = sender->is_raw ? fastws_stream_write_frame(sender->stream, &header, "ab")
                                    : fastws_stream_write_message(sender->stream, FASTWS_OPCODE_BINARY, large, LARGE);
    return NULL;
}

/* Starts it, and waits until it is the stream's writer. */
static pthread_t start_sender(struct sender *sender) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_one, sender), 0);
    for (int is_writing = 0; !is_writing; pause_ms(1)) {
        fws_stream_enter(sender->stream);
        is_writing = sender->stream->is_writing;
        fws_stream_leave(sender->stream);
    }
    return thread;
}

/* ---- Peers ---- */

struct peer {
    int fd;
    long pause_ms;       /* before each read */
    size_t close_at;     /* bytes after which it answers the close frame; 0: never */
    size_t taken;
    uint8_t last[4];     /* bytes that came last */
};

/* Takes what comes until the stream ends, and ends it too. */
static void *take_all(void *argument) {
    struct peer *peer = argument;
    uint8_t bytes[4 + 2048];
    ssize_t n;
    while ((n = read(peer->fd, bytes + 4, 2048)) > 0) {
        memcpy(bytes, peer->last, 4);
        memcpy(peer->last, bytes + n, 4);
        size_t before = peer->taken;
        peer->taken += (size_t)n;
        int is_due = before < peer->close_at && peer->taken >= peer->close_at;
        if (is_due && write(peer->fd, "\x88\x82\0\0\0\0\x03\xe8", 8) != 8) abort();
        if (peer->pause_ms > 0) pause_ms(peer->pause_ms);
    }
    shutdown(peer->fd, SHUT_WR); /* the server waits for it */
    return NULL;
}

/* ---- Tests ---- */

/* The ping timeout, or none at all, used to hold up the close: the send was waited for before anything was queued. */
static void a_send_that_nobody_takes_does_not_hold_up_a_close(void **state) {
    (void)state;
    const uint32_t ping_timeouts_ms[] = {60000, 0};
    for (int i = 0; i < 2; i++) {
        struct fastws_conn_config config = closing_config(ping_timeouts_ms[i]);
        int fds[2];
        struct sender sender = {.stream = open_server(&config, fds)};
        pthread_t thread = start_sender(&sender);
        pause_ms(50);
        uint64_t start_ms = now_ms();
        assert_int_equal(fastws_stream_close(sender.stream, 1000, NULL, 0), FASTWS_ERR_TIMEOUT);
        pthread_join(thread, NULL);
        assert_in_range(now_ms() - start_ms, 0, CLOSE_MS + SLACK_MS);
        assert_int_equal(sender.result, FASTWS_ERR_TIMEOUT);
        assert_int_equal(fastws_conn_close_sent(fastws_stream_get_conn(sender.stream)), 1000);
        fastws_stream_free(sender.stream);
        close(fds[1]);
    }
}

/* Each byte that is taken gives a send more time; a close gives it none. */
static void a_peer_that_takes_little_by_little_does_not_hold_up_a_close(void **state) {
    (void)state;
    struct fastws_conn_config config = closing_config(60000);
    int fds[2];
    struct sender sender = {.stream = open_server(&config, fds)};
    struct peer peer = {.fd = fds[1], .pause_ms = 10}; /* 10 MiB would last 50 s */
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, take_all, &peer), 0);
    threads[1] = start_sender(&sender);
    uint64_t start_ms = now_ms();
    assert_int_equal(fastws_stream_close(sender.stream, 1000, NULL, 0), FASTWS_ERR_TIMEOUT);
    pthread_join(threads[1], NULL);
    assert_in_range(now_ms() - start_ms, CLOSE_MS, CLOSE_MS + SLACK_MS);
    assert_int_equal(sender.result, FASTWS_ERR_TIMEOUT);
    assert_int_equal(fastws_stream_ping(sender.stream, NULL, 0), FASTWS_ERR_TIMEOUT);
    fastws_stream_free(sender.stream);
    pthread_join(threads[0], NULL);
    close(fds[1]);
}

static void a_send_takes_the_close_frame_along(void **state) {
    (void)state;
    struct fastws_conn_config config = closing_config(60000);
    config.close_timeout_ms = 60000;
    int fds[2];
    struct sender sender = {.stream = open_server(&config, fds)};
    pthread_t threads[2] = {start_sender(&sender)};
    struct peer peer = {.fd = fds[1], .close_at = 10 + LARGE + 4};
    assert_int_equal(pthread_create(&threads[1], NULL, take_all, &peer), 0);
    assert_int_equal(fastws_stream_close(sender.stream, 1000, NULL, 0), 0);
    pthread_join(threads[0], NULL);
    assert_int_equal(sender.result, 0);
    fastws_stream_free(sender.stream);
    pthread_join(threads[1], NULL);
    assert_int_equal(peer.taken, 10 + LARGE + 4);
    assert_memory_equal(peer.last, "\x88\x02\x03\xe8", 4);
    close(fds[1]);
}

/* RFC 6455 5.5.1: a raw frame that had to wait for what was queued does not follow the close frame. */
static void a_raw_frame_does_not_follow_a_close_frame_of_another_thread(void **state) {
    (void)state;
    struct fastws_conn_config config = closing_config(60000);
    config.close_timeout_ms = 60000;
    int fds[2];
    struct sender sender = {.stream = open_server(&config, fds), .is_raw = 1};
    fastws_stream_cork(sender.stream);
    assert_int_equal(fastws_stream_write_message(sender.stream, FASTWS_OPCODE_BINARY, large, 60000), 0);
    pthread_t threads[2] = {start_sender(&sender)};
    fws_stream_enter(sender.stream);
    assert_int_equal(fastws_conn_close(sender.stream->conn, 1000, NULL, 0), 0); /* as another thread does */
    fws_stream_leave(sender.stream);
    struct peer peer = {.fd = fds[1], .close_at = 4 + 60000 + 4};
    assert_int_equal(pthread_create(&threads[1], NULL, take_all, &peer), 0);
    pthread_join(threads[0], NULL);
    assert_int_equal(sender.result, FASTWS_ERR_CLOSED);
    assert_int_equal(fastws_stream_close(sender.stream, 1000, NULL, 0), 0);
    fastws_stream_free(sender.stream);
    pthread_join(threads[1], NULL);
    assert_int_equal(peer.taken, 4 + 60000 + 4);
    assert_memory_equal(peer.last, "\x88\x02\x03\xe8", 4);
    close(fds[1]);
}

/* Nobody calls fastws_stream_close() here: a reader queues the answer to the peer's close frame. */
static void a_send_keeps_the_close_timeout_once_a_close_frame_is_queued(void **state) {
    (void)state;
    struct fastws_conn_config config = closing_config(10000);
    int fds[2];
    struct sender sender = {.stream = open_server(&config, fds)};
    pthread_t thread = start_sender(&sender);
    uint64_t start_ms = now_ms();
    assert_int_equal(write(fds[1], "\x88\x82\0\0\0\0\x03\xe8", 8), 8);
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(sender.stream, &event), FASTWS_ERR_CLOSED);
    pthread_join(thread, NULL);
    assert_in_range(now_ms() - start_ms, 0, 2 * CLOSE_MS + SLACK_MS);
    assert_int_equal(sender.result, FASTWS_ERR_TIMEOUT);
    fastws_stream_free(sender.stream);
    close(fds[1]);
}

/* RFC 6455 7.1.7: a client that fails the connection ends the byte stream itself; one that closed waits for the server
 * to do so (7.1.1). */
static void a_client_shuts_down_first_only_after_a_failure(void **state) {
    (void)state;
    static const uint8_t masked[] = {0x81, 0x81, 0, 0, 0, 0, 'a'}; /* by a server: refused */
    static const uint8_t close_frame[] = {0x88, 0x02, 0x03, 0xe8};
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, FASTWS_ROLE_CLIENT);
    for (int is_failed = 0; is_failed <= 1; is_failed++) {
        uint8_t out[256];
        struct script script = {.in = is_failed ? masked : close_frame,
                                .in_len = is_failed ? sizeof masked : sizeof close_frame,
                                .out = out,
                                .out_cap = sizeof out};
        struct fastws_io io = script_io(&script);
        io.wait = script_wait;
        struct fastws_stream *stream;
        struct fastws_event event;
        assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), 0);
        int error = is_failed ? FASTWS_ERR_MASK_UNEXPECTED : FASTWS_ERR_CLOSED;
        assert_int_equal(fastws_stream_read_data(stream, &event), error);
        assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), is_failed ? error : 0);
        assert_int_equal(script.shutdowns, is_failed);
        fastws_stream_free(stream);
    }
}

int main(void) {
    alarm(120); /* what these tests are about is that nothing waits for ever */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_send_that_nobody_takes_does_not_hold_up_a_close),
        cmocka_unit_test(a_peer_that_takes_little_by_little_does_not_hold_up_a_close),
        cmocka_unit_test(a_send_takes_the_close_frame_along),
        cmocka_unit_test(a_raw_frame_does_not_follow_a_close_frame_of_another_thread),
        cmocka_unit_test(a_send_keeps_the_close_timeout_once_a_close_frame_is_queued),
        cmocka_unit_test(a_client_shuts_down_first_only_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
