/* SPDX-License-Identifier: MIT */
/* Dialling: addresses and their order, the deadline at each step, callbacks, redirects, sockets in the file system. */
#include "connect_peers.h"

#include <netdb.h>
#include <sys/un.h>

/* ---- Names, which this program answers itself ---- */

/* The addresses of names, and how long it takes to find them. */
static const struct {
    const char *name;
    unsigned delay_ms;
    const char *addresses[4];
} names[] = {
    {"one.test", 0, {"127.0.0.1"}},
    {"slow.test", 600, {"127.0.0.1"}},
    {"refused-first.test", 0, {"127.0.0.9", "::1", "127.0.0.1"}},
    {"silent-first.test", 0, {"127.0.0.8", "127.0.0.1"}},
    {"refused.test", 0, {"127.0.0.9", "::1"}},
    {"other.test", 0, {"127.0.0.1"}},
};

static pthread_mutex_t lookups_lock = PTHREAD_MUTEX_INITIALIZER;
static int lookups; /* of names */

static struct addrinfo *make_address(const char *text, uint16_t port) {
    struct entry {
        struct addrinfo info;
        struct sockaddr_storage address;
    } *entry = calloc(1, sizeof *entry);
    if (entry == NULL) abort();
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&entry->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&entry->address;
    entry->info = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_addr = (struct sockaddr *)(void *)&entry->address};
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        entry->info.ai_family = v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        entry->info.ai_addrlen = sizeof *v4;
        return &entry->info;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        entry->info.ai_family = v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        entry->info.ai_addrlen = sizeof *v6;
        return &entry->info;
    }
    free(entry);
    return NULL;
}

/* Stands in for the system's. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out) {
    *out = make_address(host, (uint16_t)atoi(port));
    if (*out != NULL) return 0;
    if (hints->ai_flags & AI_NUMERICHOST) return EAI_NONAME;
    pthread_mutex_lock(&lookups_lock);
    lookups++;
    pthread_mutex_unlock(&lookups_lock);
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(names[i].name, host) != 0) continue;
        sleep_ms(names[i].delay_ms);
        struct addrinfo **end = out;
        for (size_t j = 0; j < 4 && names[i].addresses[j] != NULL; j++, end = &(*end)->ai_next)
            *end = make_address(names[i].addresses[j], (uint16_t)atoi(port));
        return 0;
    }
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list) {
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

/* ---- Opening ---- */

static void opens_over_tcp(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&peer, serve_101, NULL);
    expect_open(at("ws://127.0.0.1:%u/chat?x=1", &peer), &options);
    assert_int_equal(report.step, FASTWS_DIAL_OPEN);
    assert_int_equal(report.status, 101);
    assert_string_equal(report.text, "");
    assert_int_equal(report.protocol.len, 0);
    expect_prefix(peer.request, "GET /chat?x=1 HTTP/1.1\r\nHost: 127.0.0.1:");
    assert_int_equal(lookups, 0); /* an address is not looked up */
    expect_open(at("ws://one.test:%u/", &peer), &options);
    assert_int_equal(lookups, 1);
    struct fastws_stream *stream;
    assert_int_equal(fastws_dial(at("ws://127.0.0.1:%u/", &peer), NULL, &stream), 0); /* the defaults */
    fastws_stream_free(stream);
    stop_peer(&peer);
}

static void reports_the_protocol(void **state) {
    (void)state;
    static const struct fastws_slice protocols[] = {{"a", 1}, {"b", 1}};
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.protocols = protocols;
    config.protocol_count = 2;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    start_peer(&peer, serve_101, "Sec-WebSocket-Protocol: b\r\n");
    expect_open(at("ws://127.0.0.1:%u/", &peer), &options);
    assert_ptr_equal(report.protocol.ptr, protocols[1].ptr);
    stop_peer(&peer);
}

/* What is refused is not waited for: the quickest of a few dials counts, because a busy machine delays some. */
static void tries_every_address(void **state) {
    (void)state;
    struct peer peer;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    uint64_t least_ms = UINT64_MAX;
    for (int i = 0; i < 5 && least_ms >= 240; i++) {
        if (i > 0) stop_peer(&peer);
        peer = (struct peer){.port = 0};
        start_peer(&peer, serve_101, NULL);
        uint64_t start_ms = now_ms();
        expect_open(at("ws://refused-first.test:%u/", &peer), &options);
        uint64_t took_ms = now_ms() - start_ms;
        if (took_ms < least_ms) least_ms = took_ms;
    }
    assert_true(least_ms < 240);
    expect_error(at("ws://refused.test:%u/", &peer), &options, FASTWS_ERR_DIAL_CONNECT, FASTWS_DIAL_CONNECT);
    assert_true(report.system_error != 0);
    stop_peer(&peer);
}

/* RFC 8305: an address that does not answer holds the next one up for 250 ms, and no longer. */
static void does_not_wait_for_a_silent_address(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct full full;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&peer, serve_101, NULL);
    fill(&full, "127.0.0.8", &peer.port);
    uint64_t start_ms = now_ms();
    expect_open(at("ws://silent-first.test:%u/", &peer), &options);
    assert_in_range(now_ms() - start_ms, 200, 5000);
    empty(&full);
    stop_peer(&peer);
}

/* ---- The deadline, at each step ---- */

static void expect_timeout(const char *url, struct fastws_dial_options *options, enum fastws_dial_step step) {
    uint64_t start_ms = now_ms();
    options->timeout_ms = 120;
    expect_error(url, options, FASTWS_ERR_DIAL_TIMEOUT, step);
    assert_in_range(now_ms() - start_ms, 119, 5000);
}

static void the_deadline_covers_looking_up(void **state) {
    (void)state;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    expect_timeout("ws://slow.test:9/", &options, FASTWS_DIAL_RESOLVE);
    sleep_ms(700); /* the thread that was left ends */
}

static void the_deadline_covers_connecting(void **state) {
    (void)state;
    uint16_t port = 0;
    struct full full;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    fill(&full, "127.0.0.1", &port);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", port);
    expect_timeout(url, &options, FASTWS_DIAL_CONNECT);
    empty(&full);
}

/* One byte after another: a timeout for each read would never pass. */
static void serve_drops(struct peer *peer, int fd) {
    const char *text = peer->argument;
    if (!take_head(peer, fd)) return;
    for (; *text != '\0'; text++) {
        if (send(fd, text, 1, MSG_NOSIGNAL) != 1) return;
        sleep_ms(15);
    }
}

/* gobwas/ws bounds the handshake only without a context of the caller's. */
static void the_deadline_covers_the_handshake(void **state) {
    (void)state;
    static const char slow[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    struct peer silent = {.port = 0}, drops = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&silent, serve_silence, NULL);
    start_peer(&drops, serve_drops, slow);
    expect_timeout(at("ws://127.0.0.1:%u/", &silent), &options, FASTWS_DIAL_HANDSHAKE);
    expect_timeout(at("ws://127.0.0.1:%u/", &drops), &options, FASTWS_DIAL_HANDSHAKE);
    stop_peer(&silent);
    stop_peer(&drops);
}

/* Takes 100 ms for each redirect, however busy the machine is: never less. */
static void serve_slow_redirect(struct peer *peer, int fd) {
    if (!take_head(peer, fd)) return;
    sleep_ms(100);
    say(fd, "HTTP/1.1 302 x\r\nLocation: /\r\n\r\n");
}

/* A deadline for each of them would never pass. */
static void the_deadline_covers_all_redirects(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&peer, serve_slow_redirect, NULL);
    options.redirects_max = 1000000;
    options.timeout_ms = 1050;
    struct fastws_stream *stream;
    uint64_t start_ms = now_ms();
    assert_int_equal(dial_to(at("ws://127.0.0.1:%u/", &peer), &options, &stream), FASTWS_ERR_DIAL_TIMEOUT);
    assert_true(now_ms() - start_ms >= 1049);
    assert_in_range(report.redirects, 1, 10);
    stop_peer(&peer);
}

static void note_status(void *context, const struct fastws_dial_refusal *refusal) {
    snprintf(context, 128, "%d %.*s %.*s %d", refusal->status, (int)refusal->reason.len, refusal->reason.ptr,
             (int)refusal->body.len, refusal->body.ptr, refusal->is_body_cut);
}

/* Says what it has to say, and stays. */
static void serve_half_body(struct peer *peer, int fd) {
    serve_text(peer, fd);
    wait_end(fd);
}

static void a_status_is_shown_also_when_its_body_is_late(void **state) {
    (void)state;
    char seen[128] = "";
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.context = seen;
    config.on_status_error = note_status;
    struct peer peer = {.port = 0}, late = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    start_peer(&peer, serve_text, "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello");
    start_peer(&late, serve_half_body, "HTTP/1.1 400 No\r\nContent-Length: 11\r\n\r\nhello");
    expect_error(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_ERR_HANDSHAKE_STATUS, FASTWS_DIAL_HANDSHAKE);
    assert_string_equal(seen, "403 Forbidden hello 0");
    assert_string_equal(report.text, "403 Forbidden");
    assert_int_equal(report.status, 403);
    options.timeout_ms = 1500; /* for the head, which comes at once */
    expect_error(at("ws://127.0.0.1:%u/", &late), &options, FASTWS_ERR_HANDSHAKE_STATUS, FASTWS_DIAL_HANDSHAKE);
    assert_string_equal(seen, "400 No hello 1");
    assert_string_equal(report.text, "400 No");
    stop_peer(&peer);
    stop_peer(&late);
}

/* ---- Callbacks ---- */

/* What the callbacks below were called with. */
struct calls {
    int connects, wraps, requests, responses, closes;
    char host[256];
    uint16_t port;
    int error;
    int fd;
    struct fastws_io below;
};

static int connect_by_hand(void *context, const char *host, uint16_t port, uint64_t until_ms, struct fastws_io *io) {
    struct calls *calls = context;
    assert_true(until_ms > now_ms() && until_ms <= now_ms() + 5000);
    calls->connects++;
    calls->port = port;
    snprintf(calls->host, sizeof calls->host, "%s", host);
    if (calls->error == 0) fastws_io_from_fd(io, calls->fd);
    return calls->error;
}

static int close_wrapped(void *context) {
    struct calls *calls = context;
    calls->closes++;
    return calls->below.close(calls->below.ctx);
}

static int count_close(void *context) {
    ((struct calls *)context)->closes++;
    return 0;
}

static int connect_without_read(void *context, const char *host, uint16_t port, uint64_t until_ms,
                                struct fastws_io *io) {
    (void)host;
    (void)port;
    (void)until_ms;
    *io = (struct fastws_io){.close = count_close, .ctx = context};
    return 0;
}

static ptrdiff_t read_wrapped(void *context, void *dst, size_t len) {
    struct calls *calls = context;
    return calls->below.read(calls->below.ctx, dst, len);
}

/* Blocks, as a stream without wait does. */
static ptrdiff_t read_blocking(void *context, void *dst, size_t len) {
    struct calls *calls = context;
    calls->below.wait(calls->below.ctx, 0, UINT64_MAX);
    return calls->below.read(calls->below.ctx, dst, len);
}

static ptrdiff_t write_wrapped(void *context, const struct fastws_iovec *iov, int count) {
    struct calls *calls = context;
    return calls->below.writev(calls->below.ctx, iov, count);
}

static int wait_wrapped(void *context, int for_write, uint64_t until_ms) {
    struct calls *calls = context;
    return calls->below.wait(calls->below.ctx, for_write, until_ms);
}

static int wrap(void *context, struct fastws_io *io) {
    struct calls *calls = context;
    calls->wraps++;
    assert_non_null(io->read);
    calls->below = *io;
    *io = (struct fastws_io){.read = read_wrapped,
                             .writev = write_wrapped,
                             .wait = wait_wrapped,
                             .close = close_wrapped,
                             .ctx = calls};
    return calls->error;
}

static void count_request(void *context, struct fastws_slice bytes) {
    assert_true(bytes.len > 0);
    ((struct calls *)context)->requests++;
}

static void count_response(void *context, struct fastws_slice bytes) {
    assert_true(bytes.len > 0);
    ((struct calls *)context)->responses++;
}

/* gobwas/ws calls WrapConn with no connection, and its DebugDialer panics. */
static void callbacks_see_no_connection_that_failed(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct calls calls = {.fd = -1};
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.context = &calls;
    config.on_request = count_request;
    config.on_response = count_response;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    options.wrap = wrap;
    options.context = &calls;
    peer.listener = listen_on("127.0.0.1", &peer.port, 1);
    close(peer.listener); /* nobody listens */
    expect_error(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_ERR_DIAL_CONNECT, FASTWS_DIAL_CONNECT);
    assert_int_equal(report.system_error, ECONNREFUSED);
    expect_error("ws://none.test/", &options, FASTWS_ERR_DIAL_RESOLVE, FASTWS_DIAL_RESOLVE);
    assert_int_equal(calls.wraps + calls.requests + calls.responses, 0);
    /* An answer without end of its head. */
    peer.listener = 0;
    peer.port = 0;
    start_peer(&peer, serve_text, "HT");
    expect_error(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_ERR_UNEXPECTED_EOF, FASTWS_DIAL_HANDSHAKE);
    assert_int_equal(calls.wraps, 1);
    assert_int_equal(calls.requests, 1);
    assert_int_equal(calls.responses, 1);
    assert_int_equal(calls.closes, 1);
    stop_peer(&peer);
}

static void wraps_the_stream(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct calls calls = {.fd = -1};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.wrap = wrap;
    options.context = &calls;
    start_peer(&peer, serve_101, NULL);
    expect_open(at("ws://127.0.0.1:%u/", &peer), &options);
    assert_int_equal(calls.wraps, 1);
    assert_int_equal(calls.closes, 1);
    calls.error = FASTWS_ERR_NOMEM; /* then the stream below is closed, not the wrapper */
    expect_error(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_ERR_NOMEM, FASTWS_DIAL_CONNECT);
    assert_int_equal(calls.closes, 1);
    stop_peer(&peer);
}

static void connects_as_it_is_told(void **state) {
    (void)state;
    static const struct {
        const char *url, *host;
        uint16_t port;
    } cases[] = {{"ws://h/", "h", 80},         {"wss://h/", "h", 443},       {"ws://h:81/", "h", 81},
                 {"ws://1.2.3.4/", "1.2.3.4", 80}, {"ws://[::1]/", "::1", 80}, {"ws://[::1]:9/", "::1", 9},
                 {"ws+unix:/a%3ab:/", "/a:b", 0}};
    struct calls calls = {.fd = -1, .error = FASTWS_ERR_STATE};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.connect = connect_by_hand;
    options.context = &calls;
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_error(cases[i].url, &options, FASTWS_ERR_STATE, FASTWS_DIAL_CONNECT);
        assert_string_equal(calls.host, cases[i].host);
        assert_int_equal(calls.port, cases[i].port);
    }
    assert_int_equal(calls.connects, COUNT(cases));
}

/* What a callback has filled is closed, also where it is of no use: that was left open once. */
static void a_stream_that_cannot_be_read_is_closed(void **state) {
    (void)state;
    struct calls calls = {.below = {.ctx = NULL}};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.connect = connect_without_read;
    options.context = &calls;
    expect_error("ws://h/", &options, FASTWS_ERR_ARGUMENT, FASTWS_DIAL_CONNECT);
    assert_int_equal(calls.closes, 1);
}

/* ---- Redirects ---- */

/* Answers with the redirects given, one by one, then with 101. */
static void serve_redirects(struct peer *peer, int fd) {
    const char *const *locations = peer->argument;
    if (!take_head(peer, fd)) return;
    const char *location = locations[peer->served - 1];
    if (location == NULL) {
        say_101(peer, fd, "");
        wait_end(fd);
        return;
    }
    char answer[512];
    int len = snprintf(answer, sizeof answer, "HTTP/1.1 302 Found\r\nLocation: ");
    len += snprintf(answer + len, sizeof answer - (size_t)len, location, (unsigned)peer->port);
    snprintf(answer + len, sizeof answer - (size_t)len, "\r\n\r\n");
    say(fd, answer);
}

static const struct fastws_http_header private_headers[] = {{{"Cookie", 6}, {"a=b", 3}},
                                                            {{"X-Public", 8}, {"yes", 3}},
                                                            {{"authorization", 13}, {"Bearer x", 8}},
                                                            {{"Proxy-Authorization", 19}, {"y", 1}}};

static void follows_redirects(void **state) {
    (void)state;
    static const char *const locations[] = {"/a/b", "c?d", "http://127.0.0.1:%u/e", NULL};
    struct peer peer = {.port = 0};
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.headers = (struct fastws_http_headers){private_headers, 2};
    config.host = SLICE("named.example");
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    options.redirects_max = 3;
    start_peer(&peer, serve_redirects, locations);
    expect_open(at("ws://u:p@127.0.0.1:%u/", &peer), &options);
    assert_int_equal(report.redirects, 3);
    /* The server is the same, and gets what it got before. */
    expect_prefix(peer.request, "GET /e HTTP/1.1\r\nHost: named.example\r\n");
    assert_non_null(strstr(peer.request, "\r\nAuthorization: Basic dTpw\r\n"));
    assert_non_null(strstr(peer.request, "\r\nCookie: a=b\r\n"));
    stop_peer(&peer);
}

static void another_server_gets_no_credentials(void **state) {
    (void)state;
    static const char *const locations[] = {"ws://other.test:%u/", "/again", NULL};
    struct peer peer = {.port = 0};
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.headers = (struct fastws_http_headers){private_headers, 4};
    config.host = SLICE("named.example");
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.handshake = &config;
    start_peer(&peer, serve_redirects, locations);
    expect_open(at("ws://127.0.0.1:%u/", &peer), &options);
    expect_prefix(peer.request, "GET /again HTTP/1.1\r\nHost: other.test:");
    assert_null(strstr(peer.request, "uthorization"));
    assert_null(strstr(peer.request, "Cookie"));
    assert_non_null(strstr(peer.request, "\r\nX-Public: yes\r\n"));
    /* Nor does it get those of the address, or any that the redirect brings. */
    peer.served = 0;
    config.headers.count = 2;
    expect_open(at("ws://u:p@127.0.0.1:%u/", &peer), &options);
    assert_null(strstr(peer.request, "uthorization"));
    stop_peer(&peer);
}

static void redirects_have_a_limit(void **state) {
    (void)state;
    static const char *const locations[] = {"/1", "/2", NULL};
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    assert_int_equal(options.redirects_max, 10);
    start_peer(&peer, serve_redirects, locations);
    options.redirects_max = 1;
    expect_error(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_ERR_DIAL_REDIRECTS_MAX, FASTWS_DIAL_HANDSHAKE);
    assert_int_equal(report.redirects, 1);
    peer.served = 0;
    options.redirects_max = 0;
    expect_error(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_ERR_HANDSHAKE_STATUS, FASTWS_DIAL_HANDSHAKE);
    assert_int_equal(report.status, 302);
    stop_peer(&peer);
}

static void redirects_lead_to_web_sockets_only(void **state) {
    (void)state;
    static const char *const locations[] = {"ftp://127.0.0.1:%u/", "ws+unix:/run/x:%u", "http://127.1:%u/",
                                            "//127.0.0.1:%u0000/", "/a b%u"};
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&peer, serve_redirects, locations);
    for (size_t i = 0; i < COUNT(locations); i++)
        expect_error(at("ws://127.0.0.1:%u/", &peer), &options, FASTWS_ERR_DIAL_REDIRECT, FASTWS_DIAL_HANDSHAKE);
    stop_peer(&peer);
}

/* ---- Sockets in the file system ---- */

static void opens_over_a_path(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/fastws test:%d", (int)getpid());
    unlink(address.sun_path);
    peer.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(peer.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer.listener, 4), 0);
    char url[256];
    snprintf(url, sizeof url, "ws+unix:///tmp/fastws%%20test%%3a%d:/chat?x", (int)getpid());
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.proxy = "http://127.0.0.1:1"; /* not for paths */
    start_peer(&peer, serve_101, NULL);
    expect_open(url, &options);
    expect_prefix(peer.request, "GET /chat?x HTTP/1.1\r\nHost: localhost\r\n");
    stop_peer(&peer);
    unlink(address.sun_path);
    expect_error(url, &options, FASTWS_ERR_DIAL_CONNECT, FASTWS_DIAL_CONNECT);
    assert_int_equal(report.system_error, ENOENT);
    char longest[400] = "ws+unix:/";
    memset(longest + 9, 'x', 300);
    expect_error(longest, &options, FASTWS_ERR_DIAL_CONNECT, FASTWS_DIAL_CONNECT);
    longest[9 + 200] = '\0';
    expect_error(longest, &options, FASTWS_ERR_DIAL_CONNECT, FASTWS_DIAL_CONNECT);
}

/* ---- The rest ---- */

static void refuses_bad_arguments(void **state) {
    (void)state;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    expect_error("http://h", &options, FASTWS_ERR_URL_SCHEME, FASTWS_DIAL_ADDRESS);
    expect_error("ws://", &options, FASTWS_ERR_URL_HOST, FASTWS_DIAL_ADDRESS);
    struct fastws_conn_config conn;
    fastws_conn_config_init(&conn, FASTWS_ROLE_SERVER);
    options.conn = &conn;
    expect_error("ws://h", &options, FASTWS_ERR_ARGUMENT, FASTWS_DIAL_ADDRESS);
    fastws_conn_config_init(&conn, FASTWS_ROLE_CLIENT);
    conn.size--;
    expect_error("ws://h", &options, FASTWS_ERR_ARGUMENT, FASTWS_DIAL_ADDRESS);
    options.conn = NULL;
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    options.handshake = &config;
    config.origin = SLICE("a\nb");
    expect_error("ws://h", &options, FASTWS_ERR_HANDSHAKE_HEADER, FASTWS_DIAL_ADDRESS);
    config.size--;
    expect_error("ws://h", &options, FASTWS_ERR_ARGUMENT, FASTWS_DIAL_ADDRESS);
    struct fastws_stream *stream;
    options = make_options(NULL);
    options.size--;
    assert_int_equal(fastws_dial("ws://h", &options, &stream), FASTWS_ERR_ARGUMENT);
}

static void answers_that_are_none_are_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int error;
    } cases[] = {{"", FASTWS_ERR_UNEXPECTED_EOF},
                 {"HTTP/1.1 101", FASTWS_ERR_UNEXPECTED_EOF},
                 {"SSH-2.0-x\r\n", FASTWS_ERR_HTTP_STATUS_LINE},
                 {"HTTP/1.1 101 x\r\n\r\n", FASTWS_ERR_HANDSHAKE_UPGRADE}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct peer peer = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        start_peer(&peer, serve_text, cases[i].answer);
        expect_error(at("ws://127.0.0.1:%u/", &peer), &options, cases[i].error, FASTWS_DIAL_HANDSHAKE);
        stop_peer(&peer);
    }
}

/* Answers on the descriptor that the peer has in place of a listener. */
static void *answer_once(void *argument) {
    struct peer *peer = argument;
    if (take_head(peer, peer->listener)) say_101(peer, peer->listener, "");
    return NULL;
}

/* Also over one that cannot wait, and blocks. */
static void dials_over_a_stream(void **state) {
    (void)state;
    for (int can_wait = 0; can_wait < 2; can_wait++) {
        struct calls calls = {.error = 0};
        struct peer peer = {.port = 0};
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        peer.listener = fds[0];
        assert_int_equal(pthread_create(&peer.thread, NULL, answer_once, &peer), 0);
        fastws_io_from_fd(&calls.below, fds[1]);
        struct fastws_io io = {.read = can_wait ? read_wrapped : read_blocking,
                               .writev = write_wrapped,
                               .wait = can_wait ? wait_wrapped : NULL,
                               .close = close_wrapped,
                               .ctx = &calls};
        struct fastws_stream *stream;
        struct fastws_event event;
        assert_int_equal(fastws_dial_over(&io, "wss://h/", NULL, &stream), 0); /* the caller has seen to TLS */
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(event.len, 2);
        fastws_stream_free(stream);
        assert_int_equal(calls.closes, 1);
        pthread_join(peer.thread, NULL);
        close(fds[0]);
    }
}

static void a_stream_over_which_dialling_failed_stays_open(void **state) {
    (void)state;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct fastws_io io, none = {.ctx = NULL};
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, fds[1]);
    say(fds[0], "HTTP/1.1 302 x\r\nLocation: /\r\n\r\n"); /* not followed here */
    assert_int_equal(fastws_dial_over(&io, "ws://h/", &options, &stream), FASTWS_ERR_HANDSHAKE_STATUS);
    assert_int_equal(report.status, 302);
    assert_int_equal(fastws_dial_over(&io, "ws:", &options, &stream), FASTWS_ERR_URL_SCHEME);
    assert_int_equal(fastws_dial_over(&none, "ws://h/", &options, &stream), FASTWS_ERR_ARGUMENT);
    assert_int_equal(close(fds[1]), 0);
    close(fds[0]);
}

static void wss_needs_tls(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&peer, serve_silence, NULL);
    options.timeout_ms = 60;
    int expected = fastws_tls_is_available() ? FASTWS_ERR_DIAL_TIMEOUT : FASTWS_ERR_TLS_UNAVAILABLE;
    expect_error(at("wss://127.0.0.1:%u/", &peer), &options, expected, FASTWS_DIAL_TLS);
    stop_peer(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_over_tcp),
        cmocka_unit_test(reports_the_protocol),
        cmocka_unit_test(tries_every_address),
        cmocka_unit_test(does_not_wait_for_a_silent_address),
        cmocka_unit_test(the_deadline_covers_looking_up),
        cmocka_unit_test(the_deadline_covers_connecting),
        cmocka_unit_test(the_deadline_covers_the_handshake),
        cmocka_unit_test(the_deadline_covers_all_redirects),
        cmocka_unit_test(a_status_is_shown_also_when_its_body_is_late),
        cmocka_unit_test(callbacks_see_no_connection_that_failed),
        cmocka_unit_test(wraps_the_stream),
        cmocka_unit_test(connects_as_it_is_told),
        cmocka_unit_test(a_stream_that_cannot_be_read_is_closed),
        cmocka_unit_test(follows_redirects),
        cmocka_unit_test(another_server_gets_no_credentials),
        cmocka_unit_test(redirects_have_a_limit),
        cmocka_unit_test(redirects_lead_to_web_sockets_only),
        cmocka_unit_test(opens_over_a_path),
        cmocka_unit_test(refuses_bad_arguments),
        cmocka_unit_test(answers_that_are_none_are_told_apart),
        cmocka_unit_test(dials_over_a_stream),
        cmocka_unit_test(a_stream_over_which_dialling_failed_stays_open),
        cmocka_unit_test(wss_needs_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
