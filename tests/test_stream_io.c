/* SPDX-License-Identifier: MIT */
/* Tests of streams over the smallest byte stream that keeps deadlines: read, writev, wait and close, nothing more. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <fastws/error.h>

#include "scripted_io.h"

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- The byte stream ---- */

struct plain {
    int fd;
    int read_waits;
    int write_waits;
    int closes;
};

static ptrdiff_t plain_read(void *ctx, void *dst, size_t len) {
    ssize_t n = recv(((struct plain *)ctx)->fd, dst, len, MSG_DONTWAIT);
    return n < 0 ? FASTWS_IO_AGAIN : n;
}

static ptrdiff_t plain_writev(void *ctx, const struct fastws_iovec *iov, int count) {
    (void)count; /* one piece at a time is allowed */
    ssize_t n = send(((struct plain *)ctx)->fd, iov[0].base, iov[0].len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? FASTWS_IO_AGAIN : n;
}

static int plain_wait(void *ctx, int for_write, uint64_t until_ms) {
    struct plain *plain = ctx;
    if (for_write) {
        plain->write_waits++;
    } else {
        plain->read_waits++;
    }
    struct pollfd entry = {.fd = plain->fd, .events = for_write ? POLLOUT : POLLIN};
    uint64_t now = now_ms();
    return poll(&entry, 1, until_ms == UINT64_MAX ? -1 : until_ms > now ? (int)(until_ms - now) : 0);
}

static int plain_close(void *ctx) {
    struct plain *plain = ctx;
    plain->closes++;
    return close(plain->fd);
}

/* Code that knows no other members than these gives no value to the others. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static struct fastws_io plain_io(struct plain *plain) {
    struct fastws_io io = {plain_read, plain_writev, plain_wait, plain_close, plain};
    return io;
}

/* Opens a stream over one end of a pair of sockets, of which that end holds little, and returns the other. */
static int open_pair(struct plain *plain, const struct fastws_conn_config *config, struct fastws_stream **stream) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4608}, sizeof(int)), 0);
    *plain = (struct plain){.fd = fds[0]};
    struct fastws_io io = plain_io(plain);
    assert_int_equal(fastws_stream_open(&io, config, NULL, 0, stream), 0);
    return fds[1];
}

/* ---- Tests ---- */

static void members_have_their_places(void **state) {
    (void)state;
    struct plain plain;
    struct fastws_io io = plain_io(&plain);
    assert_ptr_equal(io.ctx, &plain);
    assert_true(io.read == plain_read && io.writev == plain_writev && io.wait == plain_wait && io.close == plain_close);
    assert_true(io.shutdown == NULL && io.wait_any == NULL);
    assert_int_equal(offsetof(struct fastws_io, ctx), 4 * sizeof(void (*)(void)));
}

static void a_descriptors_waits_tell_what_is_ready(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct fastws_io io;
    fastws_io_from_fd(&io, fds[0]);
    uint64_t start_ms = now_ms();
    assert_int_equal(io.wait(io.ctx, 0, 0), 0);
    assert_int_equal(io.wait(io.ctx, 0, start_ms + 30), 0);
    assert_in_range(now_ms() - start_ms, 30, 5000);
    assert_true(io.wait(io.ctx, 1, UINT64_MAX) > 0);
    assert_int_equal(io.wait_any(io.ctx, UINT64_MAX), FASTWS_IO_WRITABLE);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_true(io.wait(io.ctx, 0, UINT64_MAX) > 0);
    assert_int_equal(io.wait_any(io.ctx, 0), FASTWS_IO_READABLE | FASTWS_IO_WRITABLE);
    close(fds[1]);
    assert_true(io.wait(io.ctx, 0, UINT64_MAX) > 0);
    assert_int_equal(io.close(io.ctx), 0);
    fastws_io_from_fd(&io, -1);
    assert_true(io.wait(io.ctx, 0, UINT64_MAX) < 0);
    assert_true(io.wait_any(io.ctx, UINT64_MAX) < 0);
}

enum { PINGS = 300, PING_LEN = 125 };

struct peer {
    int fd;
    int failure; /* the line that failed, or 0 */
};

/* Takes nothing for a while, then every pong, and only then sends the message that the reader waits for. */
static void *take_pongs_late(void *argument) {
    struct peer *peer = argument;
    nanosleep(&(struct timespec){.tv_nsec = 200 * 1000000}, NULL);
    uint8_t pong[2 + PING_LEN];
    for (int i = 0; i < PINGS && peer->failure == 0; i++) {
        if (recv(peer->fd, pong, sizeof pong, MSG_WAITALL) != sizeof pong) peer->failure = __LINE__;
        if (pong[0] != 0x8a || pong[1] != PING_LEN || pong[2] != (uint8_t)i) peer->failure = __LINE__;
    }
    if (write(peer->fd, "\x81\x84\0\0\0\0late", 10) != 10) peer->failure = __LINE__;
    return NULL;
}

/* No pong may be lost, nor wait for the next message, though nothing tells the reader when the peer takes bytes. */
static void a_waiting_reader_gets_rid_of_its_replies_in_slices(void **state) {
    (void)state;
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    struct plain plain;
    struct fastws_stream *stream;
    struct peer peer = {.fd = open_pair(&plain, &config, &stream)};
    static uint8_t frames[PINGS * (FASTWS_HEADER_MAX + PING_LEN)];
    const uint8_t key[4] = {1, 2, 3, 4};
    uint8_t payload[PING_LEN] = {0};
    size_t len = 0;
    for (int i = 0; i < PINGS; i++) {
        payload[0] = (uint8_t)i;
        len += script_frame(frames + len, 0x89, payload, sizeof payload, key);
    }
    assert_int_equal(write(peer.fd, frames, len), len);
    assert_int_equal(write(peer.fd, "\x81\x83\0\0\0\0now", 9), 9);

    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_memory_equal(event.ptr, "now", 3);
    assert_true(fastws_conn_pending_len(fastws_stream_get_conn(stream)) > 0);
    uint64_t start_ms = now_ms();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_pongs_late, &peer), 0);
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_memory_equal(event.ptr, "late", 4);
    pthread_join(thread, NULL);
    assert_int_equal(peer.failure, 0);
    assert_in_range(now_ms() - start_ms, 200, 5200); /* not when a ping is due, after 20 s */
    assert_int_equal(plain.write_waits, 0); /* it never stopped reading for a write */
    assert_in_range(plain.read_waits, 3, 1000);
    fastws_stream_free(stream);
    assert_int_equal(plain.closes, 1);
    close(peer.fd);
}

static void *read_then_free(void *argument) {
    struct fastws_event event;
    while (fastws_stream_read_data(argument, &event) == 0) {}
    fastws_stream_close(argument, 1000, NULL, 0); /* a client: waits until the server has closed */
    fastws_stream_free(argument);
    return NULL;
}

/* The client waits for the server's end of the stream, which only close can bring: nobody may wait for the other. */
static void closes_without_waiting_for_a_peer_that_waits(void **state) {
    (void)state;
    struct fastws_conn_config server, client;
    fastws_conn_config_init(&server, FASTWS_ROLE_SERVER);
    fastws_conn_config_init(&client, FASTWS_ROLE_CLIENT);
    struct plain plain;
    struct fastws_stream *stream, *peer;
    struct fastws_io io;
    fastws_io_from_fd(&io, open_pair(&plain, &server, &stream));
    assert_int_equal(fastws_stream_open(&io, &client, NULL, 0, &peer), 0);
    uint64_t start_ms = now_ms();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_then_free, peer), 0);
    static uint8_t payload[100000]; /* more than the socket holds: the send waits for its peer */
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, payload, sizeof payload), 0);
    assert_true(plain.write_waits > 0);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
    fastws_stream_free(stream);
    pthread_join(thread, NULL);
    assert_true(now_ms() - start_ms < 5000); /* far from the close timeout of 10 s */
}

static void keeps_deadlines(void **state) {
    (void)state;
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    config.ping_interval_ms = 30;
    config.ping_timeout_ms = 50;
    config.close_timeout_ms = 20;
    struct plain plain;
    struct fastws_stream *stream;
    uint64_t start_ms = now_ms();
    int fd = open_pair(&plain, &config, &stream);
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_PING_TIMEOUT);
    assert_in_range(now_ms() - start_ms, 80, 5080);
    fastws_stream_free(stream);
    close(fd);
}

static void answers_and_refuses_requests(void **state) {
    (void)state;
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    for (int is_bad = 0; is_bad <= 1; is_bad++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        const char *sent = request + is_bad; /* without its first byte the method is ET */
        assert_int_equal(write(fds[1], sent, strlen(sent)), strlen(sent));
        struct plain plain = {.fd = fds[0]};
        struct fastws_io io = plain_io(&plain);
        struct fastws_stream *stream = NULL;
        uint64_t start_ms = now_ms();
        int error = fastws_stream_accept(&io, NULL, &config, 10000, &stream);
        assert_int_equal(error, is_bad ? FASTWS_ERR_HTTP_METHOD : 0);
        assert_true(now_ms() - start_ms < 5000); /* the refused client, which stays, is not waited for */
        assert_int_equal(plain.closes, 0);
        char answer[64];
        assert_true(read(fds[1], answer, sizeof answer) > 13);
        assert_memory_equal(answer, is_bad ? "HTTP/1.1 405 " : "HTTP/1.1 101 ", 13);
        if (is_bad) {
            close(fds[0]);
        } else {
            fastws_stream_free(stream);
        }
        close(fds[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_have_their_places),
        cmocka_unit_test(a_descriptors_waits_tell_what_is_ready),
        cmocka_unit_test(a_waiting_reader_gets_rid_of_its_replies_in_slices),
        cmocka_unit_test(closes_without_waiting_for_a_peer_that_waits),
        cmocka_unit_test(keeps_deadlines),
        cmocka_unit_test(answers_and_refuses_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
