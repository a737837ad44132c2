/* SPDX-License-Identifier: MIT */
/* Dials that another thread cancels, at each step: without a limit of time they would wait for ever. */
#include "connect_peers.h"

#include <netdb.h>
#include <sys/un.h>

/* Stands in for the system's: addresses are known, of names it is silent for long. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out) {
    struct entry {
        struct addrinfo info;
        struct sockaddr_in address;
    } *entry = calloc(1, sizeof *entry);
    assert_non_null(entry);
    entry->info = (struct addrinfo){.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    entry->info.ai_addr = (struct sockaddr *)&entry->address;
    entry->info.ai_addrlen = sizeof entry->address;
    entry->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    *out = &entry->info;
    if (inet_pton(AF_INET, host, &entry->address.sin_addr) == 1) return 0;
    free(entry);
    *out = NULL;
    if (!(hints->ai_flags & AI_NUMERICHOST)) sleep_ms(1500);
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list) { free(list); }

/* ---- Another thread ---- */

enum { SOON_MS = 150, LATER_MS = 1500 }; /* later: for steps that take a while to get to */

struct canceller {
    int after_ms;
    int pipe[2];
    pthread_t thread;
};

static void *cancel(void *argument) {
    struct canceller *canceller = argument;
    sleep_ms((unsigned)canceller->after_ms);
    if (write(canceller->pipe[1], "x", 1) != 1) abort();
    return NULL;
}

static void start(struct canceller *canceller, struct fastws_dial_options *options, int after_ms) {
    canceller->after_ms = after_ms;
    assert_int_equal(pipe(canceller->pipe), 0);
    assert_int_equal(pthread_create(&canceller->thread, NULL, cancel, canceller), 0);
    options->cancel_fd = canceller->pipe[0];
    options->timeout_ms = 0;
}

static void stop(struct canceller *canceller) {
    pthread_join(canceller->thread, NULL);
    char byte;
    assert_int_equal(read(canceller->pipe[0], &byte, 1), 1); /* the dial has left it there */
    close(canceller->pipe[0]);
    close(canceller->pipe[1]);
}

static void expect_cancelled_after(int after_ms, const char *url, struct fastws_dial_options *options,
                                   enum fastws_dial_step step) {
    struct canceller canceller;
    start(&canceller, options, after_ms);
    expect_error(url, options, FASTWS_ERR_DIAL_CANCELLED, step);
    assert_string_equal(options->report->text, fastws_error_text(FASTWS_ERR_DIAL_CANCELLED));
    stop(&canceller);
}

static void expect_cancelled(const char *url, struct fastws_dial_options *options, enum fastws_dial_step step) {
    expect_cancelled_after(SOON_MS, url, options, step);
}

/* ---- The steps ---- */

static void before_anything_is_tried(void **state) {
    (void)state;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[1]); /* the end of a pipe that is closed counts, too */
    options.cancel_fd = fds[0];
    expect_error("ws://127.0.0.1:1/", &options, FASTWS_ERR_DIAL_CANCELLED, FASTWS_DIAL_ADDRESS);
    close(fds[0]);
}

static void while_the_host_is_looked_up(void **state) {
    (void)state;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    expect_cancelled("ws://name.test:9/", &options, FASTWS_DIAL_RESOLVE);
    sleep_ms(1600); /* the thread that was left ends */
}

static void while_it_connects(void **state) {
    (void)state;
    uint16_t port = 0;
    struct full full;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    fill(&full, "127.0.0.1", &port);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", port);
    expect_cancelled(url, &options, FASTWS_DIAL_CONNECT);
    empty(&full);
}

static void while_a_socket_in_the_file_system_is_busy(void **state) {
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/fastws-cancel-%d", (int)getpid());
    unlink(address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), queued = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(connect(queued, (struct sockaddr *)&address, sizeof address), 0);
    char url[128];
    snprintf(url, sizeof url, "ws+unix://%s:/", address.sun_path);
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    expect_cancelled(url, &options, FASTWS_DIAL_CONNECT);
    close(queued);
    close(listener);
    unlink(address.sun_path);
}

static void while_a_proxy_is_silent(void **state) {
    (void)state;
    static const char *const proxies[] = {"http://127.0.0.1:%u", "socks5h://127.0.0.1:%u"};
    for (size_t i = 0; i < COUNT(proxies); i++) {
        struct peer peer = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        start_peer(&peer, serve_silence, NULL);
        options.proxy = at(proxies[i], &peer);
        expect_cancelled("ws://h.test/", &options, FASTWS_DIAL_PROXY);
        stop_peer(&peer);
    }
}

static void while_tls_shakes_hands(void **state) {
    (void)state;
    if (!fastws_tls_is_available()) skip();
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&peer, serve_silence, NULL);
    expect_cancelled(at("wss://127.0.0.1:%u/", &peer), &options, FASTWS_DIAL_TLS);
    stop_peer(&peer);
}

static void while_an_answer_is_awaited(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&peer, serve_silence, NULL);
    expect_cancelled(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_DIAL_HANDSHAKE);
    stop_peer(&peer);
}

static void serve_endless_body(struct peer *peer, int fd) {
    serve_text(peer, fd);
    wait_end(fd);
}

static void fail_at_refusal(void *context, const struct fastws_dial_refusal *refusal) {
    (void)context;
    fail_msg("shown: %d", refusal->status);
}

/* Whoever gives up does not want the refusal any more. */
static void while_the_body_of_a_refusal_is_awaited(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.on_status_error = fail_at_refusal;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    start_peer(&peer, serve_endless_body, "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhe");
    expect_cancelled(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_DIAL_HANDSHAKE);
    assert_int_equal(report.status, 403);
    stop_peer(&peer);
}

/* Neither reads nor answers: the request fills the buffers of both sockets. */
static void while_the_request_is_written(void **state) {
    (void)state;
    enum { LEN = 16 * 1024 * 1024 };
    char *value = malloc(LEN);
    assert_non_null(value);
    memset(value, 'a', LEN);
    struct fastws_http_header header = {SLICE("X-A"), {value, LEN}};
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.headers = (struct fastws_http_headers){&header, 1};
    uint16_t port = 0;
    int listener = listen_on("127.0.0.1", &port, 4); /* which nobody accepts from */
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", port);
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    expect_cancelled_after(LATER_MS, url, &options, FASTWS_DIAL_HANDSHAKE);
    close(listener);
    free(value);
}

static void over_a_stream_of_the_caller(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct fastws_io io;
    fastws_io_from_fd(&io, fds[1]);
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    struct canceller canceller;
    struct fastws_stream *stream;
    start(&canceller, &options, SOON_MS);
    assert_int_equal(fastws_dial_over(&io, "ws://h/", &options, &stream), FASTWS_ERR_DIAL_CANCELLED);
    stop(&canceller);
    assert_int_equal(close(fds[1]), 0); /* the caller's still */
    close(fds[0]);
}

static void not_by_a_descriptor_that_stays_silent(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    int fds[2];
    assert_int_equal(options.cancel_fd, -1);
    assert_int_equal(pipe(fds), 0);
    options.cancel_fd = fds[0];
    start_peer(&peer, serve_101, NULL);
    expect_open(at("ws://127.0.0.1:%u/", &peer), &options);
    stop_peer(&peer);
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_anything_is_tried),
        cmocka_unit_test(while_the_host_is_looked_up),
        cmocka_unit_test(while_it_connects),
        cmocka_unit_test(while_a_socket_in_the_file_system_is_busy),
        cmocka_unit_test(while_a_proxy_is_silent),
        cmocka_unit_test(while_tls_shakes_hands),
        cmocka_unit_test(while_an_answer_is_awaited),
        cmocka_unit_test(while_the_body_of_a_refusal_is_awaited),
        cmocka_unit_test(while_the_request_is_written),
        cmocka_unit_test(over_a_stream_of_the_caller),
        cmocka_unit_test(not_by_a_descriptor_that_stays_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
