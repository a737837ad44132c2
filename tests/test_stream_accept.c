/* SPDX-License-Identifier: MIT */
/* Tests of the server's handshake over a byte stream: requests in pieces, refusals, ends and timeouts. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <fastws/error.h>

#include "scripted_io.h"
#include "src/buf.h"

/* The stream's own allocation comes from this file; the rest of the library is linked. */
static int is_memory_short;
static void *allocate_nothing(void *context, size_t size) {
    (void)context;
    (void)size;
    return NULL;
}
static const struct fastws_allocator nothing = {.allocate = allocate_nothing};
static const struct fastws_allocator *choose_allocator(const struct fastws_allocator *allocator) {
    return is_memory_short ? &nothing : fws_allocator_or_default(allocator);
}
#define fws_allocator_or_default choose_allocator
#include "src/net/stream.c"
#undef fws_allocator_or_default

#define REQUEST                                                                                                        \
    "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                         \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define FRAME "\x81\x82\x01\x02\x03\x04ik" /* masked text "hi" */
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" /* RFC 6455 1.3 */

static struct fastws_conn_config config;
static uint8_t out[1 << 16];

static int setup(void **state) {
    (void)state;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    return 0;
}

static int accept_over(struct script *script, int has_wait, struct fastws_stream **stream) {
    memset(out, 0, sizeof out);
    script->out = out;
    script->out_cap = sizeof out - 1;
    struct fastws_io io = script_io(script);
    if (has_wait) io.wait = script_wait;
    *stream = NULL;
    return fastws_stream_accept(&io, NULL, &config, 10000, stream);
}

static void accepts_a_request_in_any_slices_and_keeps_what_follows(void **state) {
    (void)state;
    static const char in[] = REQUEST FRAME FRAME;
    for (size_t slice = 0; slice < sizeof in; slice++) {
        for (int mode = 0; mode < 3; mode++) {
            struct script script = {.in = (const uint8_t *)in, .in_len = sizeof in - 1, .slice = slice};
            script.is_again_due = mode == 2;
            struct fastws_stream *stream;
            assert_int_equal(accept_over(&script, mode > 0, &stream), 0);
            assert_int_equal(script.writes, script.is_again_due ? 2 : 1);
            assert_int_equal(strncmp((char *)out, "HTTP/1.1 101 ", 13), 0);
            assert_non_null(strstr((char *)out, ACCEPT));
            assert_string_equal((char *)out + script.out_len - 4, "\r\n\r\n");
            struct fastws_event event;
            for (int i = 0; i < 2; i++) {
                assert_int_equal(fastws_stream_read_data(stream, &event), 0);
                assert_memory_equal(event.ptr, "hi", 2);
            }
            assert_int_equal(fastws_stream_read_data(stream, &event), FASTWS_ERR_EOF);
            fastws_stream_free(stream);
        }
    }
}

static void answers_in_pieces_when_the_peer_takes_pieces(void **state) {
    (void)state;
    struct script script = {.in = (const uint8_t *)REQUEST, .in_len = sizeof REQUEST - 1, .piece = 7};
    struct fastws_stream *stream;
    assert_int_equal(accept_over(&script, 1, &stream), 0);
    assert_string_equal((char *)out + script.out_len - 4, "\r\n\r\n");
    fastws_stream_free(stream);
}

static void answers_every_refusal(void **state) {
    (void)state;
    static const struct {
        const char *request;
        int error;
        const char *status;
        const char *header;
    } cases[] = {
        {"hello\r\n\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, "HTTP/1.1 400 ", "Connection: close\r\n"},
        {"POST / HTTP/1.1\r\n\r\n", FASTWS_ERR_HTTP_METHOD, "HTTP/1.1 405 ", "Allow: GET\r\n"},
        {"GET / HTTP/1.0\r\n\r\n", FASTWS_ERR_HTTP_VERSION, "HTTP/1.1 505 ", ""},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", FASTWS_ERR_HANDSHAKE_UPGRADE, "HTTP/1.1 400 ", ""},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         FASTWS_ERR_HANDSHAKE_VERSION, "HTTP/1.1 426 ", "Sec-WebSocket-Version: 13\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t slice = 0; slice < 2; slice++) {
            struct script script = {.in = (const uint8_t *)cases[i].request, .in_len = strlen(cases[i].request)};
            script.slice = slice;
            struct fastws_stream *stream;
            assert_int_equal(accept_over(&script, 1, &stream), cases[i].error);
            assert_null(stream);
            assert_int_equal(script.writes, 1);
            assert_int_equal(strncmp((char *)out, cases[i].status, strlen(cases[i].status)), 0);
            assert_non_null(strstr((char *)out, cases[i].header));
            assert_int_equal(script.shutdowns, 1);
            assert_int_equal(script.in_off, script.in_len); /* what was left is read, so that no reset is sent */
            assert_int_equal(script.closes, 0);
        }
    }
}

/* ---- A stream that cannot be opened ---- */

/* Returns 0 when the request was answered with 500, and only with it, and accepting returned this error. */
static int check_500(const struct fastws_conn_config *bad, int expected) {
    struct script script = {.in = (const uint8_t *)REQUEST FRAME, .in_len = sizeof REQUEST FRAME - 1};
    memset(out, 0, sizeof out);
    script.out = out;
    script.out_cap = sizeof out - 1;
    struct fastws_io io = script_io(&script);
    io.wait = script_wait;
    struct fastws_stream *stream = NULL;
    if (fastws_stream_accept(&io, NULL, bad, 10000, &stream) != expected || stream != NULL) return 1;
    if (strncmp((char *)out, "HTTP/1.1 500 ", 13) != 0 || strstr((char *)out, "HTTP/1.1 101 ") != NULL) return 2;
    return script.writes == 1 && script.shutdowns == 1 && script.closes == 0 ? 0 : 3;
}

static void answers_500_when_the_configuration_is_not_a_servers(void **state) {
    (void)state;
    struct fastws_conn_config bad = config;
    bad.size = sizeof bad - 1;
    assert_int_equal(check_500(&bad, FASTWS_ERR_ARGUMENT), 0);
    bad = config;
    bad.role = 2;
    assert_int_equal(check_500(&bad, FASTWS_ERR_ARGUMENT), 0);
    fastws_conn_config_init(&bad, FASTWS_ROLE_CLIENT);
    assert_int_equal(check_500(&bad, FASTWS_ERR_ARGUMENT), 0);
}

static void answers_500_when_there_is_no_memory(void **state) {
    (void)state;
    is_memory_short = 1;
    int failure = check_500(&config, FASTWS_ERR_NOMEM);
    is_memory_short = 0;
    assert_int_equal(failure, 0);
}

/* FASTWS_ISA is read once in the life of a process: this test comes first, before this one has used a kernel. */
static void answers_500_when_the_chosen_row_does_not_exist(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("FASTWS_ISA", "bogus", 1);
        _exit(check_500(&config, FASTWS_ERR_ISA));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A request that is refused for what it says gets that answer, whatever else is wrong. */
static void a_bad_request_is_answered_as_such_also_without_memory(void **state) {
    (void)state;
    struct script script = {.in = (const uint8_t *)"POST / HTTP/1.1\r\n\r\n", .in_len = 19};
    struct fastws_stream *stream;
    is_memory_short = 1;
    int error = accept_over(&script, 1, &stream);
    is_memory_short = 0;
    assert_int_equal(error, FASTWS_ERR_HTTP_METHOD);
    assert_int_equal(strncmp((char *)out, "HTTP/1.1 405 ", 13), 0);
}

static void refuses_a_head_that_does_not_end(void **state) {
    (void)state;
    static char in[40000] = "GET / HTTP/1.1\r\nX: ";
    memset(in + 19, 'x', sizeof in - 19);
    struct script script = {.in = (const uint8_t *)in, .in_len = sizeof in};
    struct fastws_stream *stream;
    assert_int_equal(accept_over(&script, 1, &stream), FASTWS_ERR_HTTP_HEAD_TOO_LARGE);
    assert_int_equal(strncmp((char *)out, "HTTP/1.1 431 ", 13), 0);
}

static void reports_streams_that_end_or_fail(void **state) {
    (void)state;
    struct fastws_stream *stream;
    for (size_t cut = 0; cut < sizeof REQUEST - 1; cut++) {
        struct script script = {.in = (const uint8_t *)REQUEST, .in_len = cut};
        int expected = cut == 0 ? FASTWS_ERR_EOF : FASTWS_ERR_UNEXPECTED_EOF;
        assert_int_equal(accept_over(&script, cut % 2, &stream), expected);
        script = (struct script){.in = (const uint8_t *)REQUEST, .in_len = cut, .after = FASTWS_IO_FAILED};
        assert_int_equal(accept_over(&script, cut % 2, &stream), FASTWS_ERR_IO);
        assert_int_equal(script.writes, 0);
    }
    struct script broken = {.in = (const uint8_t *)REQUEST, .in_len = sizeof REQUEST - 1, .failure = 1 << 30};
    assert_int_equal(accept_over(&broken, 1, &stream), FASTWS_ERR_IO); /* more bytes taken than there were */
    for (size_t fail_at = 0; fail_at < 20; fail_at++) {
        struct script script = {.in = (const uint8_t *)REQUEST, .in_len = sizeof REQUEST - 1, .fail_at = fail_at};
        script.failure = FASTWS_IO_FAILED;
        assert_int_equal(accept_over(&script, 1, &stream), FASTWS_ERR_IO);
        assert_int_equal(script.closes, 0);
    }
}

/* ---- Time, over real sockets ---- */

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void a_head_that_is_late_is_answered_with_408(void **state) {
    (void)state;
    const size_t sent[] = {0, 1, 50, sizeof REQUEST - 2};
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_int_equal(write(fds[1], REQUEST, sent[i]), sent[i]);
        struct fastws_io io;
        fastws_io_from_fd(&io, fds[0]);
        struct fastws_stream *stream;
        uint64_t start_ms = now_ms();
        assert_int_equal(fastws_stream_accept(&io, NULL, &config, 30, &stream), FASTWS_ERR_HANDSHAKE_TIMEOUT);
        assert_in_range(now_ms() - start_ms, 30, 2000);
        char answer[512] = {0};
        assert_true(read(fds[1], answer, sizeof answer - 1) > 0);
        assert_int_equal(strncmp(answer, "HTTP/1.1 408 ", 13), 0);
        assert_int_equal(read(fds[1], answer, 1), 0);
        close(fds[0]);
        close(fds[1]);
    }
}

static void a_refused_client_that_stays_is_left_after_the_timeout(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(write(fds[1], "hello\r\n\r\n", 9), 9);
    struct fastws_io io;
    fastws_io_from_fd(&io, fds[0]);
    struct fastws_stream *stream;
    uint64_t start_ms = now_ms();
    assert_int_equal(fastws_stream_accept(&io, NULL, &config, 50, &stream), FASTWS_ERR_HTTP_REQUEST_LINE);
    assert_in_range(now_ms() - start_ms, 50, 2000);
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_500_when_the_chosen_row_does_not_exist),
        cmocka_unit_test(accepts_a_request_in_any_slices_and_keeps_what_follows),
        cmocka_unit_test(answers_in_pieces_when_the_peer_takes_pieces),
        cmocka_unit_test(answers_every_refusal),
        cmocka_unit_test(answers_500_when_the_configuration_is_not_a_servers),
        cmocka_unit_test(answers_500_when_there_is_no_memory),
        cmocka_unit_test(a_bad_request_is_answered_as_such_also_without_memory),
        cmocka_unit_test(refuses_a_head_that_does_not_end),
        cmocka_unit_test(reports_streams_that_end_or_fail),
        cmocka_unit_test(a_head_that_is_late_is_answered_with_408),
        cmocka_unit_test(a_refused_client_that_stays_is_left_after_the_timeout),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
