/* SPDX-License-Identifier: MIT */
/* Tests of streams over real descriptors: deadlines, threads, forks, peers that stop reading or go away. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <fastws/error.h>

#include "scripted_io.h"
#include "src/net/stream.h"

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Deadlines may be late on a busy machine, never early. */
static void expect_since(uint64_t start_ms, uint64_t least_ms) {
    assert_in_range(now_ms() - start_ms, least_ms, least_ms + 5000);
}

static void make_pair(int fds[2]) { assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0); }

static struct fastws_stream *open_fd(int fd, const struct fastws_conn_config *config) {
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, fd);
    assert_int_equal(fastws_stream_open(&io, config, NULL, 0, &stream), 0);
    return stream;
}

static struct fastws_conn_config config_of(enum fastws_role role) {
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, role);
    return config;
}

/* Reads exactly len bytes as the peer and compares them. */
static void expect_bytes(int fd, const void *expected, size_t len) {
    uint8_t bytes[256];
    size_t off = 0;
    while (off < len) {
        ssize_t n = read(fd, bytes + off, len - off);
        assert_true(n > 0);
        off += (size_t)n;
    }
    assert_memory_equal(bytes, expected, len);
}

/* ---- Deadlines ---- */

static void pings_after_silence_and_fails_without_an_answer(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    config.ping_interval_ms = 30;
    config.ping_timeout_ms = 50;
    int fds[2];
    make_pair(fds);
    uint64_t start_ms = now_ms();
    struct fastws_stream *stream = open_fd(fds[0], &config);
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_PING_TIMEOUT);
    expect_since(start_ms, 80);
    expect_bytes(fds[1], "\x89\x08" "fws\0\0\0\0\x01", 10);
    fastws_stream_free(stream);
    close(fds[1]);
}

static void raw_reads_keep_the_deadlines_too(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    config.ping_interval_ms = 30;
    config.ping_timeout_ms = 50;
    int fds[2];
    make_pair(fds);
    uint64_t start_ms = now_ms();
    struct fastws_stream *stream = open_fd(fds[0], &config);
    struct fastws_header header;
    assert_int_equal(write(fds[1], "\x82", 1), 1);
    assert_int_equal(fastws_stream_read_header(stream, &header), FASTWS_ERR_PING_TIMEOUT);
    expect_since(start_ms, 80);
    expect_bytes(fds[1], "\x89\x08" "fws\0\0\0\0\x01", 10);
    assert_int_equal(fastws_stream_read_header(stream, &header), FASTWS_ERR_PING_TIMEOUT);
    fastws_stream_free(stream);
    close(fds[1]);
}

static void close_gives_up_on_a_silent_peer(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    config.close_timeout_ms = 50;
    int fds[2];
    make_pair(fds);
    struct fastws_stream *stream = open_fd(fds[0], &config);
    uint64_t start_ms = now_ms();
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), FASTWS_ERR_CLOSE_TIMEOUT);
    expect_since(start_ms, 50);
    expect_bytes(fds[1], "\x88\x02\x03\xe8", 4);
    fastws_stream_free(stream);
    close(fds[1]);
}

static void a_peer_that_takes_nothing_ends_a_send(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    config.ping_timeout_ms = 40;
    size_t len = 4 << 20;
    uint8_t *payload = calloc(1, len);
    int fds[2];
    make_pair(fds);
    struct fastws_stream *stream = open_fd(fds[0], &config);
    uint64_t start_ms = now_ms();
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, payload, len), FASTWS_ERR_TIMEOUT);
    expect_since(start_ms, 40);
    free(payload);
    assert_int_equal(fastws_stream_ping(stream, NULL, 0), FASTWS_ERR_TIMEOUT);
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), FASTWS_ERR_TIMEOUT);
    fastws_stream_free(stream);
    close(fds[1]);
}

/* ---- Peers that go away ---- */

static void a_peer_that_left_is_an_error_and_no_signal(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    for (int is_reset = 0; is_reset <= 1; is_reset++) {
        int fds[2];
        make_pair(fds);
        struct fastws_stream *stream = open_fd(fds[0], &config);
        /* A socket that is closed with unread bytes resets its peer. */
        if (is_reset) assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), 0);
        close(fds[1]);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_IO);
        struct fastws_event event;
        assert_int_equal(fastws_stream_read_data(stream, &event), is_reset ? FASTWS_ERR_IO : FASTWS_ERR_EOF);
        fastws_stream_free(stream);
    }
}

static void works_over_pipes_and_reports_bad_descriptors(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct fastws_stream *reader = open_fd(fds[0], &config);
    struct fastws_conn_config client = config_of(FASTWS_ROLE_CLIENT);
    struct fastws_stream *writer = open_fd(fds[1], &client);
    assert_int_equal(fastws_stream_write_message(writer, FASTWS_OPCODE_TEXT, "through", 7), 0);
    struct fastws_event event;
    assert_int_equal(fastws_stream_read_data(reader, &event), 0);
    assert_memory_equal(event.ptr, "through", 7);
    fastws_stream_free(writer);
    assert_int_equal(fastws_stream_read_data(reader, &event), FASTWS_ERR_EOF);
    fastws_stream_free(reader);

    struct fastws_stream *stream = open_fd(-1, &config);
    assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_IO);
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_IO);
    fastws_stream_free(stream);
}

/* ---- Replies while the peer does not read ---- */

/* Sends pings of 125 bytes, all in one write. */
static void send_pings(int fd, int count) {
    uint8_t frames[300 * 131], payload[125] = {0};
    const uint8_t key[4] = {1, 2, 3, 4};
    size_t len = 0;
    for (int i = 0; i < count; i++) len += script_frame(frames + len, 0x89, payload, sizeof payload, key);
    assert_int_equal(write(fd, frames, len), len);
}

static void takes_messages_while_its_pongs_are_not_taken(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    int fds[2];
    make_pair(fds);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4608}, sizeof(int)), 0);
    struct fastws_stream *stream = open_fd(fds[0], &config);
    send_pings(fds[1], 300); /* 38 100 bytes of pongs */
    assert_int_equal(write(fds[1], "\x81\x83\0\0\0\0now", 9), 9);
    struct fastws_event event;
    uint64_t start_ms = now_ms();
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_memory_equal(event.ptr, "now", 3);
    expect_since(start_ms, 0); /* not after the 20 s that a send would wait for the peer */
    assert_true(fastws_conn_pending_len(fastws_stream_get_conn(stream)) > 0);
    fastws_stream_free(stream);
    close(fds[1]);
}

static int waits;
static struct fastws_io whole;

static int count_wait(void *ctx, int for_write, uint64_t until_ms) {
    waits++;
    return whole.wait(ctx, for_write, until_ms);
}

static int count_wait_any(void *ctx, uint64_t until_ms) {
    waits++;
    return whole.wait_any(ctx, until_ms);
}

static ptrdiff_t read_little(void *ctx, void *dst, size_t len) {
    return whole.read(ctx, dst, len < 1000 ? len : 1000);
}

static void stops_reading_when_pongs_pile_up(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    config.limits.max_control_pending = 4096;
    config.ping_timeout_ms = 60;
    config.close_timeout_ms = 20;
    int fds[2];
    make_pair(fds);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){4608}, sizeof(int)), 0);
    struct fastws_io io;
    fastws_io_from_fd(&io, fds[0]);
    whole = io;
    io.wait = count_wait;
    io.wait_any = count_wait_any;
    io.read = read_little;
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), 0);
    send_pings(fds[1], 300);
    struct fastws_event event;
    uint64_t start_ms = now_ms();
    waits = 0;
    assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_CONTROL_FLOOD);
    assert_int_equal(event.close_code, 1008);
    expect_since(start_ms, 60);
    assert_true(waits < 300); /* it sleeps although there are bytes to read */
    fastws_stream_free(stream);
    close(fds[1]);
}

/* ---- Threads ---- */

struct reader {
    struct fastws_stream *stream;
    struct fastws_event event;
    int result;
    uint64_t ended_ms;
};

static void *read_one(void *argument) {
    struct reader *reader = argument;
    reader->result = fastws_stream_read_data(reader->stream, &reader->event);
    reader->ended_ms = now_ms();
    return NULL;
}

static void pause_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

/* Starts a thread that reads one data message, and waits until it is the stream's reader. */
static pthread_t start_reader(struct reader *reader) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_one, reader), 0);
    for (int is_reading = 0; !is_reading; pause_ms(1)) {
        fws_stream_enter(reader->stream);
        is_reading = reader->stream->is_reading;
        fws_stream_leave(reader->stream);
    }
    return thread;
}

static void a_second_reader_is_refused(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    int fds[2];
    make_pair(fds);
    struct reader reader = {.stream = open_fd(fds[0], &config)};
    pthread_t thread = start_reader(&reader);
    struct fastws_event event;
    struct fastws_header header;
    uint8_t byte;
    assert_int_equal(fastws_stream_read_data(reader.stream, &event), FASTWS_ERR_READER_BUSY);
    assert_int_equal(fastws_stream_read_message(reader.stream, &event), FASTWS_ERR_READER_BUSY);
    assert_int_equal(fastws_stream_read_header(reader.stream, &header), FASTWS_ERR_READER_BUSY);
    assert_int_equal(fastws_stream_read_exactly(reader.stream, &byte, 1), FASTWS_ERR_READER_BUSY);
    assert_int_equal(write(fds[1], "\x81\x81\0\0\0\0a", 7), 7);
    pthread_join(thread, NULL);
    assert_int_equal(reader.result, 0);
    close(fds[1]);
    assert_int_equal(fastws_stream_read_data(reader.stream, &event), FASTWS_ERR_EOF);
    fastws_stream_free(reader.stream);
}

/* The reader went to sleep when no deadline was near; the close frame of another thread sets one. */
static void a_waiting_reader_keeps_the_close_timeout_of_another_thread(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    config.close_timeout_ms = 100;
    int fds[2];
    make_pair(fds);
    struct reader reader = {.stream = open_fd(fds[0], &config)};
    pthread_t thread = start_reader(&reader);
    pause_ms(150);
    uint64_t start_ms = now_ms();
    assert_int_equal(fastws_stream_close(reader.stream, 1000, NULL, 0), 0);
    assert_true(now_ms() - start_ms < 100);
    pthread_join(thread, NULL);
    assert_int_equal(reader.result, FASTWS_ERR_CLOSE_TIMEOUT);
    assert_in_range(reader.ended_ms - start_ms, 100, 5100);
    fastws_stream_free(reader.stream);
    close(fds[1]);
}

static void closing_streams_part_without_waiting(void **state) {
    (void)state;
    struct fastws_conn_config server = config_of(FASTWS_ROLE_SERVER), client = config_of(FASTWS_ROLE_CLIENT);
    int fds[2];
    make_pair(fds);
    struct reader here = {.stream = open_fd(fds[0], &server)}, there = {.stream = open_fd(fds[1], &client)};
    uint64_t start_ms = now_ms();
    pthread_t threads[2] = {start_reader(&here), start_reader(&there)};
    assert_int_equal(fastws_stream_close(here.stream, 4000, "enough", 6), 0); /* its reader will meet the answer */
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    assert_int_equal(there.result, FASTWS_ERR_CLOSED);
    assert_int_equal(there.event.close_code, 4000);
    assert_int_equal(here.result, FASTWS_ERR_CLOSED);
    fastws_stream_free(here.stream);
    assert_int_equal(fastws_stream_close(there.stream, 1000, NULL, 0), 0);
    fastws_stream_free(there.stream);
    assert_true(now_ms() - start_ms < 5000); /* far from the close timeout of 10 s */
}

/* ---- Both directions at once ---- */

enum { HAMMER_MESSAGES = 60, HAMMER_PINGS = 40 };

struct side {
    struct fastws_stream *stream;
    int received;
    int pings;
    int pongs;
    int result;
    uint8_t fill;
};

static size_t hammer_len(int i) { return (size_t)(i % 5 == 0 ? 400000 : i * 997); }

static void *hammer_write(void *argument) {
    struct side *side = argument;
    uint8_t *payload = malloc(400000);
    for (int i = 0; i < HAMMER_MESSAGES && side->result == 0; i++) {
        size_t len = hammer_len(i);
        memset(payload, side->fill + i, len);
        side->result = fastws_stream_write_message(side->stream, FASTWS_OPCODE_BINARY, payload, len);
        memset(payload, 0xee, len); /* ours again: the peer must not see this */
    }
    free(payload);
    return NULL;
}

static void *hammer_ping(void *argument) {
    struct side *side = argument;
    for (int i = 0; i < HAMMER_PINGS; i++) {
        if (fastws_stream_ping(side->stream, "ping", 4) != 0) abort();
    }
    return NULL;
}

/* Reads until all messages, pings and pongs of the other side are there. */
static void *hammer_read(void *argument) {
    struct side *side = argument;
    while (side->received < HAMMER_MESSAGES || side->pings < HAMMER_PINGS || side->pongs < HAMMER_PINGS) {
        struct fastws_event event;
        if (fastws_stream_read_message(side->stream, &event) != 0) abort();
        if (event.kind == FASTWS_EVENT_PING) side->pings++;
        if (event.kind == FASTWS_EVENT_PONG) side->pongs++;
        if (event.kind != FASTWS_EVENT_MESSAGE) continue;
        if (event.len != hammer_len(side->received)) abort();
        uint8_t expected = (uint8_t)((side->fill ^ 0x80) + side->received);
        for (size_t i = 0; i < event.len; i++) {
            if (event.ptr[i] != expected) abort();
        }
        side->received++;
    }
    return NULL;
}

static void hammer(int is_nonblocking) {
    struct fastws_conn_config server = config_of(FASTWS_ROLE_SERVER), client = config_of(FASTWS_ROLE_CLIENT);
    int fds[2];
    make_pair(fds);
    for (int i = 0; i < 2 && is_nonblocking; i++) assert_int_equal(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
    struct side sides[2] = {{.stream = open_fd(fds[0], &server), .fill = 0},
                            {.stream = open_fd(fds[1], &client), .fill = 0x80}};
    pthread_t threads[6];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[3 * i], NULL, hammer_read, &sides[i]), 0);
        assert_int_equal(pthread_create(&threads[3 * i + 1], NULL, hammer_write, &sides[i]), 0);
        assert_int_equal(pthread_create(&threads[3 * i + 2], NULL, hammer_ping, &sides[i]), 0);
    }
    for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sides[i].result, 0);
        fastws_stream_free(sides[i].stream);
    }
}

static void reads_and_writes_at_once_from_both_ends(void **state) {
    (void)state;
    hammer(0);
    hammer(1);
}

/* ---- Fork ---- */

/* RFC 6455 10.3: the masking keys of parent and child must not be the same. */
static void a_child_draws_other_masking_keys(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_CLIENT);
    struct script script = {.out = (uint8_t[256]){0}, .out_cap = 256};
    struct fastws_io io = script_io(&script);
    struct fastws_stream *stream;
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), 0);
    assert_int_equal(fastws_stream_ping(stream, NULL, 0), 0); /* fills the buffer of random bytes */
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    script.out_len = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    int error = fastws_stream_ping(stream, NULL, 0); /* in both processes */
    if (child == 0) _exit(error != 0 || write(fds[1], script.out, 6) != 6);
    assert_int_equal(error, 0);
    uint8_t frame[6];
    assert_int_equal(read(fds[0], frame, 6), 6);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_equal(frame, script.out, 2);
    assert_memory_not_equal(frame + 2, script.out + 2, 4);
    close(fds[0]);
    close(fds[1]);
    fastws_stream_free(stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pings_after_silence_and_fails_without_an_answer),
        cmocka_unit_test(raw_reads_keep_the_deadlines_too),
        cmocka_unit_test(close_gives_up_on_a_silent_peer),
        cmocka_unit_test(a_peer_that_takes_nothing_ends_a_send),
        cmocka_unit_test(a_peer_that_left_is_an_error_and_no_signal),
        cmocka_unit_test(works_over_pipes_and_reports_bad_descriptors),
        cmocka_unit_test(takes_messages_while_its_pongs_are_not_taken),
        cmocka_unit_test(stops_reading_when_pongs_pile_up),
        cmocka_unit_test(a_second_reader_is_refused),
        cmocka_unit_test(a_waiting_reader_keeps_the_close_timeout_of_another_thread),
        cmocka_unit_test(closing_streams_part_without_waiting),
        cmocka_unit_test(reads_and_writes_at_once_from_both_ends),
        cmocka_unit_test(a_child_draws_other_masking_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
