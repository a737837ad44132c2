/* SPDX-License-Identifier: MIT */
/* Dialling servers that answer before they have read the request, that reset the connection, or that never pause. */
#include "connect_peers.h"

/* What on_status_error was called with: status, body, whether it is cut. */
static char seen[128];

static void note_status(void *context, const struct fastws_dial_refusal *refusal) {
    (void)context;
    size_t len = refusal->body.len < 16 ? refusal->body.len : 16;
    snprintf(seen, sizeof seen, "%d %.*s %d", refusal->status, (int)len, len > 0 ? refusal->body.ptr : "",
             refusal->is_body_cut);
}

static struct fastws_dial_config make_config(void) {
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.on_status_error = note_status;
    seen[0] = '\0';
    return config;
}

static void dial_and_expect(struct peer *peer, const struct fastws_dial_options *options, int error) {
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", peer->port);
    expect_error(url, options, error, FASTWS_DIAL_HANDSHAKE);
}

/* ---- Answers to half a request ---- */

enum { HEADER_COUNT = 100, VALUE_LEN = 60000 }; /* more than the buffers of two sockets hold */

/* Puts a request together that does not go out in one piece. */
static void make_large(struct fastws_dial_config *config) {
    static char value[VALUE_LEN];
    static struct fastws_http_header headers[HEADER_COUNT];
    memset(value, 'a', sizeof value);
    for (size_t i = 0; i < COUNT(headers); i++)
        headers[i] = (struct fastws_http_header){SLICE("X-A"), {value, sizeof value}};
    config->headers = (struct fastws_http_headers){headers, COUNT(headers)};
}

/* Reads some of it, answers, and is gone: what it did not read makes that a reset. */
static void serve_impatiently(struct peer *peer, int fd) {
    char some[1000];
    if (recv(fd, some, sizeof some, 0) <= 0) return;
    say(fd, peer->argument);
    sleep_ms(30);
}

/* The same, but reads nothing more and leaves the connection open until the test ends. */
static void serve_and_stay(struct peer *peer, int fd) {
    char some[1000];
    if (recv(fd, some, sizeof some, 0) <= 0) return;
    say(fd, peer->argument);
    (void)!poll(&(struct pollfd){.fd = peer->stop[0], .events = POLLIN}, 1, -1);
}

/* Both ended with FASTWS_ERR_IO, or with the deadline: the refusal was lost. */
static void a_refusal_counts_that_comes_before_the_request_is_written(void **state) {
    (void)state;
    static const char refusal[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello";
    void (*const serve[])(struct peer *, int) = {serve_impatiently, serve_and_stay};
    struct fastws_dial_config config = make_config();
    make_large(&config);
    for (size_t i = 0; i < COUNT(serve); i++) {
        struct peer peer = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        options.handshake = &config;
        options.timeout_ms = 20000;
        start_peer(&peer, serve[i], refusal);
        seen[0] = '\0';
        char url[64];
        snprintf(url, sizeof url, "ws://127.0.0.1:%u/", peer.port);
        struct fastws_stream *stream;
        assert_int_equal(fastws_dial(url, &options, &stream), FASTWS_ERR_HANDSHAKE_STATUS);
        assert_string_equal(seen, "413 hello 0");
        assert_int_equal(report.status, 413);
        stop_peer(&peer);
    }
}

static void a_write_that_fails_is_an_error_where_no_answer_came(void **state) {
    (void)state;
    static const char *const answers[] = {"", "HTTP/1.1 413 Too Large\r\nContent-Le"};
    struct fastws_dial_config config = make_config();
    make_large(&config);
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct peer peer = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        options.handshake = &config;
        start_peer(&peer, serve_impatiently, answers[i]);
        dial_and_expect(&peer, &options, FASTWS_ERR_IO);
        assert_int_equal(report.status, i == 0 ? 0 : 413);
        assert_string_equal(seen, "");
        stop_peer(&peer);
    }
}

/* Over a stream whose other end has spoken and gone, so that the first write fails; and one without wait. */
static void an_answer_is_read_also_where_nothing_can_be_written(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int error;
    } cases[] = {{"HTTP/1.1 403 No\r\n\r\n", FASTWS_ERR_HANDSHAKE_STATUS},
                 {"HTTP/1.1 101 x\r\n\r\n", FASTWS_ERR_HANDSHAKE_UPGRADE},
                 {"HTTP/1.1 4x3 No\r\n\r\n", FASTWS_ERR_HTTP_STATUS_LINE},
                 {"HTTP/1.1 403 No\r\nX : 1\r\n\r\n", FASTWS_ERR_HTTP_HEADER_NAME},
                 {"HTTP/1.1 403", FASTWS_ERR_IO},
                 {"", FASTWS_ERR_IO}};
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        say(fds[0], cases[i / 2].answer);
        close(fds[0]);
        struct fastws_io io;
        fastws_io_from_fd(&io, fds[1]);
        if (i % 2 != 0) io.wait = NULL;
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        struct fastws_stream *stream;
        assert_int_equal(fastws_dial_over(&io, "ws://h/", &options, &stream), cases[i / 2].error);
        close(fds[1]);
    }
}

/* Accepts as soon as it has the key, and goes on reading: the frames that follow must not overtake the request. */
static void serve_eagerly(struct peer *peer, int fd) {
    static const char *const key_line = "Sec-WebSocket-Key: ";
    char *end = NULL;
    peer->request_len = 0;
    while (end == NULL || strstr(end, "\r\n") == NULL) {
        ssize_t n = read(fd, peer->request + peer->request_len, sizeof peer->request - 1 - peer->request_len);
        if (n <= 0) return;
        peer->request_len += (size_t)n;
        peer->request[peer->request_len] = '\0';
        end = strstr(peer->request, key_line);
    }
    say_101(peer, fd, "");
    sleep_ms(50);
    size_t rest = (size_t)HEADER_COUNT * VALUE_LEN - sizeof peer->request;
    static char dropped[65536];
    for (ssize_t n; rest > 0 && (n = read(fd, dropped, sizeof dropped)) > 0;)
        rest -= (size_t)n < rest ? (size_t)n : rest;
    peer->served = rest == 0 ? 100 : 0;
    wait_end(fd);
}

static void a_request_is_written_to_its_end_for_a_server_that_accepts_early(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_config config = make_config();
    make_large(&config);
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    options.timeout_ms = 20000;
    start_peer(&peer, serve_eagerly, NULL);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", peer.port);
    expect_open(url, &options);
    stop_peer(&peer);
    assert_int_equal(peer.served, 100);
}

/* ---- Resets ---- */

static void serve_reset(struct peer *peer, int fd) {
    if (!take_head(peer, fd)) return;
    say(fd, peer->argument);
    sleep_ms(30);
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* Inside the head of a refusal it was taken for the deadline, seconds before that. */
static void a_reset_inside_an_answer_is_no_timeout(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int error, status;
        const char *seen;
    } cases[] = {{"HTTP/1.1 403 F\r\nContent-Le", FASTWS_ERR_IO, 403, ""},
                 {"HTTP/1.1 403 F\r\nContent-Length: 9\r\n\r\nhalf", FASTWS_ERR_HANDSHAKE_STATUS, 403, "403 half 1"},
                 {"HTTP/1.1 1", FASTWS_ERR_IO, 0, ""},
                 {"", FASTWS_ERR_IO, 0, ""}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct peer peer = {.port = 0};
        struct fastws_dial_config config = make_config();
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        options.handshake = &config;
        start_peer(&peer, serve_reset, cases[i].answer);
        dial_and_expect(&peer, &options, cases[i].error);
        assert_int_equal(report.status, cases[i].status);
        assert_string_equal(seen, cases[i].seen);
        stop_peer(&peer);
    }
}

/* ---- Floods ---- */

/* A stream that has a head to give, then always one byte more. */
struct flood {
    size_t read_len;
    uint64_t start_ms;
};

static ptrdiff_t read_flood(void *context, void *dst, size_t len) {
    static const char head[] = "HTTP/1.1 500 x\r\n\r\n";
    struct flood *flood = context;
    (void)len;
    if (now_ms() - flood->start_ms > 10000) return 0; /* so that the test ends */
    *(char *)dst = flood->read_len < sizeof head - 1 ? head[flood->read_len] : 'x';
    flood->read_len++;
    return 1;
}

static ptrdiff_t write_flood(void *context, const struct fastws_iovec *iov, int count) {
    (void)context;
    (void)count;
    return (ptrdiff_t)iov->len;
}

static int wait_flood(void *context, int for_write, uint64_t until_ms) {
    (void)context;
    (void)for_write;
    (void)until_ms;
    return 1;
}

/* Without a limit of the body, and never waiting, nothing looked at the clock. */
static void the_deadline_passes_also_while_there_is_always_more(void **state) {
    (void)state;
    struct fastws_dial_config config = make_config();
    config.body_max = 0;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    options.timeout_ms = 100;
    struct flood flood = {.start_ms = now_ms()};
    struct fastws_io io = {.read = read_flood, .writev = write_flood, .wait = wait_flood, .ctx = &flood};
    struct fastws_stream *stream;
    assert_int_equal(fastws_dial_over(&io, "ws://h/", &options, &stream), FASTWS_ERR_HANDSHAKE_STATUS);
    assert_string_equal(seen, "500 xxxxxxxxxxxxxxxx 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_counts_that_comes_before_the_request_is_written),
        cmocka_unit_test(a_write_that_fails_is_an_error_where_no_answer_came),
        cmocka_unit_test(an_answer_is_read_also_where_nothing_can_be_written),
        cmocka_unit_test(a_request_is_written_to_its_end_for_a_server_that_accepts_early),
        cmocka_unit_test(a_reset_inside_an_answer_is_no_timeout),
        cmocka_unit_test(the_deadline_passes_also_while_there_is_always_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
