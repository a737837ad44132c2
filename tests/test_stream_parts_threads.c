/* SPDX-License-Identifier: MIT */
/* Tests of messages in parts while several threads use a stream: run under ThreadSanitizer by scripts/sanitize. */
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

#include "src/net/stream.h"

static struct fastws_conn_config configs[2]; /* of a server and a client */

static int setup(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        fastws_conn_config_init(&configs[i], i == 0 ? FASTWS_ROLE_SERVER : FASTWS_ROLE_CLIENT);
        configs[i].limits.max_message = configs[i].limits.max_fragments = 0; /* one test writes without end */
    }
    return 0;
}

static struct fastws_stream *open_fd(int fd, const struct fastws_conn_config *config) {
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, fd);
    assert_int_equal(fastws_stream_open(&io, config, NULL, 0, &stream), 0);
    return stream;
}

static void open_pair(struct fastws_stream *streams[2]) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++) streams[i] = open_fd(fds[i], &configs[i]);
}

/* Cmocka's assertions belong to the thread of the test. */
static void require(int is_so) {
    if (!is_so) abort();
}

/* ---- A second reader ---- */

static void *read_one(void *argument) {
    struct fastws_header header;
    uint8_t byte;
    require(fastws_stream_next_frame(argument, &header) == 0);
    require(fastws_stream_read(argument, &byte, 1) == 1); /* waits: the payload is late */
    require(byte == 'x');
    return NULL;
}

static void wait_for_reader(struct fastws_stream *stream) {
    for (int is_reading = 0; !is_reading;) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        fws_stream_enter(stream);
        is_reading = stream->is_reading && stream->parts == FWS_PARTS_FILE;
        fws_stream_leave(stream);
    }
}

static void a_second_reader_of_parts_is_refused(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct fastws_stream *stream = open_fd(fds[0], &configs[0]);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_one, stream), 0);
    assert_int_equal(write(fds[1], "\x82\x81\0\0\0\0", 6), 6); /* a header, its payload not yet */
    wait_for_reader(stream);
    struct fastws_header header;
    struct fastws_event event;
    uint8_t byte;
    assert_int_equal(fastws_stream_next_frame(stream, &header), FASTWS_ERR_READER_BUSY);
    assert_int_equal(fastws_stream_read(stream, &byte, 1), FASTWS_ERR_READER_BUSY);
    assert_int_equal(fastws_stream_discard(stream), FASTWS_ERR_READER_BUSY);
    assert_int_equal(fastws_stream_read_fragment(stream, &event), FASTWS_ERR_READER_BUSY);
    assert_int_equal(fastws_stream_read_chunk(stream, &event), FASTWS_ERR_READER_BUSY);
    assert_int_equal(fastws_stream_read_text(stream, &event), FASTWS_ERR_READER_BUSY);
    assert_int_equal(write(fds[1], "x", 1), 1);
    pthread_join(thread, NULL);
    assert_int_equal(fastws_stream_read(stream, &byte, 1), 0);
    fastws_stream_free(stream);
    close(fds[1]);
}

/* ---- Both directions at once ---- */

enum { MESSAGES = 40, PINGS = 40, PIECE = 1000 };

struct side {
    struct fastws_stream *stream;
    int pings;
    int pongs;
    int continuations;
};

/* Lengths in pieces; some are more than a slab, or a socket, holds. */
static size_t pieces_of(int i) { return (size_t)(i % 8 == 7 ? 300 : i); }

static void *write_pieces(void *argument) {
    struct side *side = argument;
    for (int i = 0; i < MESSAGES; i++) {
        require(fastws_stream_begin(side->stream, FASTWS_OPCODE_BINARY) == 0);
        uint8_t piece[PIECE];
        for (size_t j = 0; j < pieces_of(i); j++) {
            memset(piece, (uint8_t)((size_t)i + j), sizeof piece);
            require(fastws_stream_append(side->stream, piece, sizeof piece) == 0);
            memset(piece, 0xee, sizeof piece); /* ours again: the peer must not see this */
            if (j % 7 == 3) require(fastws_stream_flush_fragment(side->stream) == 0);
        }
        require(fastws_stream_finish(side->stream) == 0);
    }
    return NULL;
}

/* Pings, and tries to send a message into the other thread's, with and without cork. */
static void *write_between(void *argument) {
    struct side *side = argument;
    for (int i = 0; i < PINGS; i++) {
        if (i % 3 == 0) fastws_stream_cork(side->stream);
        require(fastws_stream_ping(side->stream, "ping", 4) == 0);
        int error = fastws_stream_write_message(side->stream, FASTWS_OPCODE_TEXT, "between", 7);
        require(error == 0 || error == FASTWS_ERR_STATE);
        if (i % 3 == 0) require(fastws_stream_uncork(side->stream) == 0);
    }
    return NULL;
}

static int count_control(void *context, struct fastws_stream *stream, const struct fastws_event *event) {
    struct side *side = context;
    (void)stream;
    require(event->len == 4 && memcmp(event->ptr, "ping", 4) == 0);
    side->pings += event->kind == FASTWS_EVENT_PING;
    side->pongs += event->kind == FASTWS_EVENT_PONG;
    return 0;
}

static int count_continuation(void *context, const struct fastws_header *header, struct fastws_body *body) {
    struct side *side = context;
    (void)header;
    (void)body;
    side->continuations++;
    return 0;
}

static void read_pieces(struct side *side, int i) {
    uint8_t bytes[777];
    size_t len = 0;
    ptrdiff_t n;
    while ((n = fastws_stream_read(side->stream, bytes, sizeof bytes)) > 0) {
        for (size_t j = 0; j < (size_t)n; j++, len++) require(bytes[j] == (uint8_t)((size_t)i + len / PIECE));
    }
    require(n == 0 && len == pieces_of(i) * PIECE);
}

/* Reads all messages of write_pieces(), then what is left until every ping is answered. */
static void *read_all(void *argument) {
    struct side *side = argument;
    const struct fastws_stream_hooks hooks = {count_control, count_continuation, side};
    fastws_stream_set_hooks(side->stream, &hooks);
    for (int i = 0; i < MESSAGES;) {
        struct fastws_header header;
        require(fastws_stream_next_frame(side->stream, &header) == 0);
        if (header.opcode == FASTWS_OPCODE_TEXT) {
            require(fastws_stream_discard(side->stream) == 0);
        } else {
            read_pieces(side, i++);
        }
    }
    while (side->pings < PINGS || side->pongs < PINGS) {
        struct fastws_event event;
        require(fastws_stream_read_message(side->stream, &event) == 0);
        if (event.kind != FASTWS_EVENT_MESSAGE) count_control(side, side->stream, &event);
    }
    fastws_stream_set_hooks(side->stream, NULL);
    return NULL;
}

static void reads_and_writes_parts_at_once_from_both_ends(void **state) {
    (void)state;
    struct fastws_stream *streams[2];
    open_pair(streams);
    struct side sides[2] = {{.stream = streams[0]}, {.stream = streams[1]}};
    pthread_t threads[6];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[3 * i], NULL, read_all, &sides[i]), 0);
        assert_int_equal(pthread_create(&threads[3 * i + 1], NULL, write_pieces, &sides[i]), 0);
        assert_int_equal(pthread_create(&threads[3 * i + 2], NULL, write_between, &sides[i]), 0);
    }
    for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sides[i].pings, PINGS);
        assert_int_equal(sides[i].pongs, PINGS);
        assert_true(sides[i].continuations > MESSAGES);
        fastws_stream_free(streams[i]);
    }
}

/* ---- Closing ---- */

static void *append_until_it_fails(void *argument) {
    int error = fastws_stream_begin(argument, FASTWS_OPCODE_BINARY);
    static uint8_t piece[10000];
    while (error == 0) error = fastws_stream_append(argument, piece, sizeof piece);
    require(error == FASTWS_ERR_CLOSED);
    return NULL;
}

static void *read_until_closed(void *argument) {
    struct fastws_header header;
    uint8_t bytes[5000];
    ptrdiff_t n;
    require(fastws_stream_next_frame(argument, &header) == 0);
    while ((n = fastws_stream_read(argument, bytes, sizeof bytes)) > 0) {}
    require(n == FASTWS_ERR_CLOSED);
    return NULL;
}

/* A close frame ends a message that is being written and read by other threads. */
static void a_close_ends_messages_in_the_middle(void **state) {
    (void)state;
    struct fastws_stream *streams[2];
    open_pair(streams);
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[2 * i], NULL, read_until_closed, streams[i]), 0);
        assert_int_equal(pthread_create(&threads[2 * i + 1], NULL, append_until_it_fails, streams[i]), 0);
    }
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000000}, NULL);
    assert_int_equal(fastws_stream_close(streams[0], 1001, NULL, 0), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fastws_conn_close_received(fastws_stream_get_conn(streams[i])), 1001);
        fastws_stream_free(streams[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_reader_of_parts_is_refused),
        cmocka_unit_test(reads_and_writes_parts_at_once_from_both_ends),
        cmocka_unit_test(a_close_ends_messages_in_the_middle),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
