/* SPDX-License-Identifier: MIT */
/* Tests of streams over descriptors whose system calls are interrupted, do little, or fail, at every byte. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include <fastws/error.h>

#include "scripted_io.h"

/* ---- System calls that do as they are told ---- */

static struct {
    const uint8_t *in;
    size_t in_len;
    size_t in_off;
    size_t in_fail_at; /* the byte instead of which in_errno comes; SIZE_MAX: none */
    int in_errno;
    uint8_t out[4096];
    size_t out_len;
    size_t out_fail_at;
    int out_errno;
    int calls;
    int polls;
    int is_troubled; /* of three calls, one is interrupted and one has to be repeated; each moves a byte */
} faults;

static int with_errno(int error) {
    errno = error;
    return -1;
}

/* Says whether this call is to be repeated, with errno set. */
static int is_in_vain(void) {
    if (!faults.is_troubled || ++faults.calls % 3 == 0) return 0;
    return with_errno(faults.calls % 3 == 1 ? EINTR : EAGAIN) != 0;
}

static ssize_t recv_faulty(int fd, void *dst, size_t len, int flags) {
    if (fd != 77) return recv(fd, dst, len, flags);
    assert_int_equal(flags, MSG_DONTWAIT);
    if (is_in_vain()) return -1;
    if (faults.in_off == faults.in_fail_at) return with_errno(faults.in_errno);
    size_t left = faults.in_len - faults.in_off;
    if (faults.in_fail_at < faults.in_len) left = faults.in_fail_at - faults.in_off;
    if (len > left) len = left;
    if (faults.is_troubled && len > 1) len = 1;
    memcpy(dst, faults.in + faults.in_off, len);
    faults.in_off += len;
    return (ssize_t)len;
}

static ssize_t sendmsg_faulty(int fd, const struct msghdr *message, int flags) {
    if (fd != 77) return sendmsg(fd, message, flags);
    assert_int_equal(flags, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (is_in_vain()) return -1;
    size_t room = faults.is_troubled ? 1 : SIZE_MAX;
    if (faults.out_fail_at - faults.out_len < room) room = faults.out_fail_at - faults.out_len;
    if (room == 0) return with_errno(faults.out_errno);
    size_t total = 0;
    for (size_t i = 0; i < (size_t)message->msg_iovlen && total < room; i++) {
        size_t len = message->msg_iov[i].iov_len;
        assert_true(len > 0);
        if (len > room - total) len = room - total;
        assert_true(len <= sizeof faults.out - faults.out_len);
        memcpy(faults.out + faults.out_len, message->msg_iov[i].iov_base, len);
        faults.out_len += len;
        total += len;
    }
    return (ssize_t)total;
}

static int poll_faulty(struct pollfd *entry, nfds_t count, int timeout_ms) {
    if (entry->fd != 77) return poll(entry, count, timeout_ms);
    assert_int_equal(count, 1);
    if (faults.is_troubled && ++faults.polls % 2) return with_errno(EINTR);
    entry->revents = entry->events;
    return 1;
}

static int getsockopt_faulty(int fd, int level, int name, void *value, socklen_t *len) {
    return fd == 77 ? 0 : getsockopt(fd, level, name, value, len);
}

static int close_faulty(int fd) { return fd == 77 ? 0 : close(fd); }

/* The descriptor 77 does as it is told; others go to the system. The library's own of this file is not linked. */
#define recv recv_faulty
#define sendmsg sendmsg_faulty
#define poll(...) poll_faulty(__VA_ARGS__)
#define getsockopt getsockopt_faulty
#define close(fd) close_faulty(fd)
#include "src/net/io.c"
#undef recv
#undef sendmsg
#undef poll
#undef getsockopt
#undef close

/* ---- A conversation ---- */

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
static uint8_t in[512];
static size_t in_len;
static uint8_t expected[512];
static size_t expected_len;
static struct fastws_conn_config config;

static void expect(unsigned first, const char *text) {
    expected_len += script_frame(expected + expected_len, first, text, strlen(text), NULL);
}

static void add(unsigned first, const char *text) {
    in_len += script_frame(in + in_len, first, text, strlen(text), key);
}

/* What a server that echoes fragment by fragment is sent, and what it has to answer. */
static int setup(void **state) {
    (void)state;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    add(0x81, "a text");
    add(0x89, "ping");
    add(0x02, "frag");
    add(0x00, "ments");
    add(0x80, "of binary");
    add(0x88, "\x03\xe8" "bye");
    expect(0x81, "a text");
    expect(0x8a, "ping");
    expect(0x82, "fragmentsof binary");
    expect(0x88, "\x03\xe8");
    return 0;
}

static struct fastws_stream *open_faulty(int is_troubled) {
    memset(&faults, 0, sizeof faults);
    faults.in = in;
    faults.in_len = in_len;
    faults.in_fail_at = faults.out_fail_at = SIZE_MAX;
    faults.is_troubled = is_troubled;
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, 77);
    assert_int_equal(fastws_stream_open(&io, &config, NULL, 0, &stream), 0);
    return stream;
}

static int copy(struct fastws_stream *stream, unsigned opcode) {
    uint8_t bytes[5];
    ptrdiff_t n;
    int error = fastws_stream_begin(stream, (int)opcode);
    while (error == 0 && (n = fastws_stream_read(stream, bytes, sizeof bytes)) != 0) {
        if (n < 0) return (int)n;
        error = fastws_stream_append(stream, bytes, (size_t)n);
    }
    return error == 0 ? fastws_stream_finish(stream) : error;
}

static int echo(struct fastws_stream *stream) {
    struct fastws_header header;
    int error;
    while ((error = fastws_stream_next_frame(stream, &header)) == 0) {
        error = copy(stream, header.opcode);
        if (error < 0) return error;
    }
    return error;
}

static void interrupted_and_short_calls_change_nothing(void **state) {
    (void)state;
    for (int is_troubled = 0; is_troubled <= 1; is_troubled++) {
        struct fastws_stream *stream = open_faulty(is_troubled);
        assert_int_equal(echo(stream), FASTWS_ERR_CLOSED);
        assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
        assert_int_equal(faults.out_len, expected_len);
        assert_memory_equal(faults.out, expected, expected_len);
        fastws_stream_free(stream);
    }
}

static void a_reset_at_any_byte_of_the_input_is_reported(void **state) {
    (void)state;
    static const int errors[] = {ECONNRESET, ETIMEDOUT};
    for (size_t at = 0; at < in_len; at++) {
        for (int is_troubled = 0; is_troubled <= 1; is_troubled++) {
            for (size_t i = 0; i < 2; i++) {
                struct fastws_stream *stream = open_faulty(is_troubled);
                faults.in_fail_at = at;
                faults.in_errno = errors[i];
                assert_int_equal(echo(stream), FASTWS_ERR_IO);
                assert_true(faults.out_len <= expected_len);
                assert_memory_equal(faults.out, expected, faults.out_len);
                struct fastws_event event;
                assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_IO);
                assert_int_equal(faults.in_off, at);
                fastws_stream_free(stream);
            }
        }
    }
}

static void a_broken_pipe_at_any_byte_of_the_output_is_reported(void **state) {
    (void)state;
    static const int errors[] = {EPIPE, ECONNRESET};
    for (size_t at = 0; at < expected_len; at++) {
        for (int is_troubled = 0; is_troubled <= 1; is_troubled++) {
            for (size_t i = 0; i < 2; i++) {
                struct fastws_stream *stream = open_faulty(is_troubled);
                faults.out_fail_at = at;
                faults.out_errno = errors[i];
                int error = echo(stream);
                /* The answer to the close frame is the stream's own, so the reader learns of the close. */
                assert_int_equal(error, at < expected_len - 4 ? FASTWS_ERR_IO : FASTWS_ERR_CLOSED);
                assert_int_equal(fastws_stream_ping(stream, NULL, 0), FASTWS_ERR_IO);
                assert_int_equal(faults.out_len, at);
                assert_memory_equal(faults.out, expected, at);
                struct fastws_event event; /* what the peer said can still be read */
                do error = fastws_stream_read_message(stream, &event);
                while (error == 0);
                assert_int_equal(error, FASTWS_ERR_CLOSED);
                assert_int_equal(faults.in_off, in_len);
                fastws_stream_free(stream);
            }
        }
    }
}

/* ---- Signals ---- */

enum { SIGNALLED_LEN = 4 << 20 };
static atomic_int signals;

static void count_signal(int number) {
    (void)number;
    signals++;
}

static void *append_all(void *argument) {
    struct fastws_stream *stream = argument;
    static uint8_t payload[100000];
    if (fastws_stream_begin(stream, FASTWS_OPCODE_BINARY) != 0) abort();
    for (size_t len = 0; len < SIGNALLED_LEN; len += sizeof payload) {
        memset(payload, (int)(len / sizeof payload), sizeof payload);
        if (fastws_stream_append(stream, payload, sizeof payload) != 0) abort();
    }
    if (fastws_stream_finish(stream) != 0) abort();
    return NULL;
}

static struct fastws_stream *open_fd(int fd, enum fastws_role role, struct fastws_conn_config *own) {
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_conn_config_init(own, role);
    fastws_io_from_fd(&io, fd);
    assert_int_equal(fastws_stream_open(&io, own, NULL, 0, &stream), 0);
    return stream;
}

/* Pipes and sockets, with a signal a millisecond that restarts no system call. */
static void signals_lose_no_byte(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = count_signal}, before;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    for (int is_pipe = 0; is_pipe <= 1; is_pipe++) {
        int fds[2];
        assert_int_equal(is_pipe ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        struct fastws_conn_config configs[2];
        struct fastws_stream *reader = open_fd(fds[0], FASTWS_ROLE_SERVER, &configs[0]);
        struct fastws_stream *writer = open_fd(fds[1], FASTWS_ROLE_CLIENT, &configs[1]);
        assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, append_all, writer), 0);
        struct fastws_header header;
        assert_int_equal(fastws_stream_next_frame(reader, &header), 0);
        uint8_t bytes[3000];
        size_t len = 0;
        ptrdiff_t n;
        while ((n = fastws_stream_read(reader, bytes, sizeof bytes)) > 0) {
            for (size_t i = 0; i < (size_t)n; i++, len++) assert_int_equal(bytes[i], (uint8_t)(len / 100000));
        }
        assert_int_equal(n, 0);
        assert_in_range(len, SIGNALLED_LEN, SIGNALLED_LEN + 100000);
        pthread_join(thread, NULL);
        while (signals < 3) pause();
        assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
        fastws_stream_free(reader);
        fastws_stream_free(writer);
    }
    sigaction(SIGALRM, &before, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interrupted_and_short_calls_change_nothing),
        cmocka_unit_test(a_reset_at_any_byte_of_the_input_is_reported),
        cmocka_unit_test(a_broken_pipe_at_any_byte_of_the_output_is_reported),
        cmocka_unit_test(signals_lose_no_byte),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
