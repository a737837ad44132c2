/* SPDX-License-Identifier: MIT */
/* Dialling wss: certificates, the deadline, redirects, and TLS through proxies, also inside TLS. */
#include "client_runs.h"

#include "certificates.h"

static struct certificate authority, good;
static struct fastws_tls *client_tls, *server_tls;

static struct fastws_tls *make_server(const char *file) {
    struct fastws_tls_config config;
    struct fastws_tls *tls;
    fastws_tls_config_init(&config, FASTWS_ROLE_SERVER);
    config.certificate_file = file;
    assert_int_equal(fastws_tls_new(&config, &tls, NULL), 0);
    return tls;
}

static int setup(void **state) {
    (void)state;
    certificate_make(&authority, NULL, "Test authority", NULL, -1, 30);
    certificate_make(&good, &authority, "server", "DNS:localhost,IP:127.0.0.1", -1, 30);
    server_tls = make_server(good.path);
    struct fastws_tls_config config;
    fastws_tls_config_init(&config, FASTWS_ROLE_CLIENT);
    config.ca_file = authority.path;
    return fastws_tls_new(&config, &client_tls, NULL);
}

static int teardown(void **state) {
    (void)state;
    fastws_tls_free(client_tls);
    fastws_tls_free(server_tls);
    certificate_free(&authority);
    certificate_free(&good);
    certificates_clean();
    return 0;
}

static struct fastws_dial_options make_tls_options(struct fastws_dial_report *report) {
    struct fastws_dial_options options = make_options(report);
    options.tls = client_tls;
    return options;
}

/* ---- Peers ---- */

/* Serves what is on io: the frame "hi", then what comes, until the client closes. */
static void serve_stream(const struct fastws_io *io) {
    struct fastws_conn_config config;
    struct fastws_stream *stream;
    struct fastws_event event;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    if (fastws_stream_accept(io, NULL, &config, 5000, &stream) != 0) {
        io->close(io->ctx);
        return;
    }
    if (fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "hi", 2) == 0)
        while (fastws_stream_read_message(stream, &event) == 0) {}
    fastws_stream_free(stream);
}

/* The argument is a struct fastws_tls. */
static void serve_tls(struct peer *peer, int fd) {
    struct fastws_io plain, io;
    fastws_io_from_fd(&plain, dup(fd));
    if (fastws_tls_accept((struct fastws_tls *)(uintptr_t)peer->argument, &plain, 5000, &io, NULL) == 0) {
        serve_stream(&io);
    } else {
        plain.close(plain.ctx);
    }
}

/* A proxy of HTTP that is the server, too. */
static void serve_proxy_and_tls(struct peer *peer, int fd) {
    if (!take_head(peer, fd)) return;
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    serve_tls(peer, fd);
}

/* Says at once that it wants HTTP. */
static void serve_http(struct peer *peer, int fd) {
    (void)peer;
    say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    wait_end(fd);
}

/* One that is inside TLS itself. */
static void serve_proxy_inside_tls(struct peer *peer, int fd) {
    struct fastws_io plain, outer, inner;
    struct fastws_tls *tls = (struct fastws_tls *)(uintptr_t)peer->argument;
    fastws_io_from_fd(&plain, dup(fd));
    if (fastws_tls_accept(tls, &plain, 5000, &outer, NULL) != 0) abort();
    peer->request_len = 0;
    while (peer->request_len < 4 || memcmp(peer->request + peer->request_len - 4, "\r\n\r\n", 4) != 0) {
        ptrdiff_t n = outer.read(outer.ctx, peer->request + peer->request_len, 1);
        if (n == FASTWS_IO_AGAIN && outer.wait(outer.ctx, 0, UINT64_MAX) > 0) continue;
        if (n <= 0) abort();
        peer->request_len += (size_t)n;
    }
    peer->request[peer->request_len] = '\0';
    struct fastws_iovec iov = {"HTTP/1.1 200 OK\r\n\r\n", 19};
    if (outer.writev(outer.ctx, &iov, 1) != 19) abort();
    if (fastws_tls_accept(tls, &outer, 5000, &inner, NULL) != 0) abort();
    serve_stream(&inner);
}

/* ---- Tests ---- */

static void opens_over_tls(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_tls_options(&report);
    start_peer(&peer, serve_tls, server_tls);
    expect_open(at("wss://127.0.0.1:%u/", &peer), &options);
    expect_open(at("WSS://LOCALHOST:%u/", &peer), &options);
    assert_int_equal(report.step, FASTWS_DIAL_OPEN);
    stop_peer(&peer);
}

static void names_what_is_wrong_with_a_certificate(void **state) {
    (void)state;
    struct certificate expired, self_signed, foreign;
    certificate_make(&expired, &authority, "x", "DNS:localhost", -30, -1);
    certificate_make(&self_signed, NULL, "x", "DNS:localhost", -1, 30);
    certificate_make(&foreign, &authority, "x", "DNS:example.com", -1, 30);
    const struct {
        const struct certificate *certificate;
        int error;
        const char *text;
    } cases[] = {{&expired, FASTWS_ERR_TLS_EXPIRED, "certificate has expired"},
                 {&self_signed, FASTWS_ERR_TLS_SELF_SIGNED, NULL}, /* the texts of releases differ */
                 {&foreign, FASTWS_ERR_TLS_HOST, NULL}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct peer peer = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_tls_options(&report);
        struct fastws_tls *tls = make_server(cases[i].certificate->path);
        start_peer(&peer, serve_tls, tls);
        expect_error(at("wss://localhost:%u/", &peer), &options, cases[i].error, FASTWS_DIAL_TLS);
        assert_true(report.verify_result != 0);
        if (cases[i].text != NULL) assert_string_equal(report.text, cases[i].text);
        stop_peer(&peer);
        fastws_tls_free(tls);
    }
    certificate_free(&expired);
    certificate_free(&self_signed);
    certificate_free(&foreign);
}

/* Without a struct fastws_tls of the caller's, the authorities of the system are what counts. */
static void trusts_the_system_by_default(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&peer, serve_tls, server_tls);
    expect_error(at("wss://localhost:%u/", &peer), &options, FASTWS_ERR_TLS_UNTRUSTED, FASTWS_DIAL_TLS);
    setenv("SSL_CERT_FILE", authority.path, 1);
    expect_open(at("wss://localhost:%u/", &peer), &options);
    unsetenv("SSL_CERT_FILE");
    options.tls = server_tls;
    expect_error(at("wss://localhost:%u/", &peer), &options, FASTWS_ERR_ARGUMENT, FASTWS_DIAL_TLS);
    stop_peer(&peer);
}

static void the_deadline_covers_tls(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_tls_options(&report);
    start_peer(&peer, serve_silence, NULL);
    options.timeout_ms = 60;
    uint64_t start_ms = now_ms();
    expect_error(at("wss://localhost:%u/", &peer), &options, FASTWS_ERR_DIAL_TIMEOUT, FASTWS_DIAL_TLS);
    assert_in_range(now_ms() - start_ms, 59, 2000);
    stop_peer(&peer);
}

static void a_server_without_tls_is_told(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_tls_options(&report);
    start_peer(&peer, serve_http, NULL);
    expect_error(at("wss://localhost:%u/", &peer), &options, FASTWS_ERR_TLS_HANDSHAKE, FASTWS_DIAL_TLS);
    stop_peer(&peer);
}

static void opens_over_tls_through_a_proxy(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_tls_options(&report);
    start_peer(&peer, serve_proxy_and_tls, server_tls);
    options.proxy = at("http://127.0.0.1:%u", &peer);
    expect_open("wss://localhost/", &options); /* the certificate is for this name, whatever the proxy's is */
    assert_string_equal(peer.request, "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n");
    expect_error("wss://example.com/", &options, FASTWS_ERR_TLS_HOST, FASTWS_DIAL_TLS);
    stop_peer(&peer);
}

static void opens_over_tls_inside_tls(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_tls_options(&report);
    start_peer(&peer, serve_proxy_inside_tls, server_tls);
    options.proxy = at("https://127.0.0.1:%u", &peer);
    expect_open("wss://localhost/", &options);
    expect_prefix(peer.request, "CONNECT localhost:443 ");
    stop_peer(&peer);
}

/* Sends the client from wss to ws. */
static void serve_downgrade(struct peer *peer, int fd) {
    struct fastws_io plain, io;
    char request[2048];
    fastws_io_from_fd(&plain, dup(fd));
    if (fastws_tls_accept((struct fastws_tls *)(uintptr_t)peer->argument, &plain, 5000, &io, NULL) != 0) abort();
    while (io.read(io.ctx, request, sizeof request) == FASTWS_IO_AGAIN) io.wait(io.ctx, 0, UINT64_MAX);
    static const char answer[] = "HTTP/1.1 301 x\r\nLocation: http://127.0.0.1/\r\n\r\n";
    struct fastws_iovec iov = {answer, sizeof answer - 1};
    if (io.writev(io.ctx, &iov, 1) <= 0) abort();
    io.close(io.ctx);
}

static void a_redirect_does_not_leave_tls(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_tls_options(&report);
    start_peer(&peer, serve_downgrade, server_tls);
    expect_error(at("wss://localhost:%u/", &peer), &options, FASTWS_ERR_DIAL_REDIRECT, FASTWS_DIAL_HANDSHAKE);
    assert_int_equal(report.redirects, 0);
    stop_peer(&peer);
}

/* ---- The example client ---- */

static void serve_tls_echo(struct peer *peer, int fd) {
    struct fastws_io plain, io;
    fastws_io_from_fd(&plain, dup(fd));
    if (fastws_tls_accept((struct fastws_tls *)(uintptr_t)peer->argument, &plain, 5000, &io, NULL) == 0) {
        serve_echo(&io);
    } else {
        plain.close(plain.ctx);
    }
}

static void the_example_verifies(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    char url[64], seen[512];
    start_peer(&peer, serve_tls_echo, server_tls);
    snprintf(url, sizeof url, "wss://127.0.0.1:%u/", (unsigned)peer.port);
    char *good_run[] = {"client", "--ca", authority.path, "--send", "hi", "--until", "hi", url, NULL};
    assert_int_equal(run_client(good_run, seen, sizeof seen), 0);
    assert_string_equal(seen, "MSG hi\n");
    char *untrusted[] = {"client", "--send", "hi", url, NULL};
    assert_int_equal(run_client(untrusted, seen, sizeof seen), 1);
    assert_string_equal(seen, "ERROR unable to get local issuer certificate\n");
    char *no_file[] = {"client", "--ca", "/nowhere", url, NULL};
    assert_int_equal(run_client(no_file, seen, sizeof seen), 1);
    expect_prefix(seen, "ERROR ");
    stop_peer(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_over_tls),
        cmocka_unit_test(names_what_is_wrong_with_a_certificate),
        cmocka_unit_test(trusts_the_system_by_default),
        cmocka_unit_test(the_deadline_covers_tls),
        cmocka_unit_test(a_server_without_tls_is_told),
        cmocka_unit_test(opens_over_tls_through_a_proxy),
        cmocka_unit_test(opens_over_tls_inside_tls),
        cmocka_unit_test(a_redirect_does_not_leave_tls),
        cmocka_unit_test(the_example_verifies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
