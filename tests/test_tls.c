/* SPDX-License-Identifier: MIT */
/* TLS around byte streams: which certificates are taken, the error of each that is not, and the stream inside. */
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

#include <openssl/ssl.h>

#include <fastws/connect.h>
#include <fastws/error.h>
#include <fastws/tls.h>

#include "certificates.h"
#include "src/net/tls_stream.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct certificate authority, other_authority, good;

static int setup(void **state) {
    (void)state;
    certificate_make(&authority, NULL, "Test authority", NULL, -1, 30);
    certificate_make(&other_authority, NULL, "Other authority", NULL, -1, 30);
    certificate_make(&good, &authority, "server",
                     "DNS:localhost,DNS:*.example.com,DNS:w*.example.org,IP:127.0.0.1,IP:::1", -1, 30);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    certificate_free(&authority);
    certificate_free(&other_authority);
    certificate_free(&good);
    certificates_clean();
    return 0;
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Both ends ---- */

static struct fastws_tls *make_tls(enum fastws_role role, const char *file, void *context) {
    struct fastws_tls_config config;
    struct fastws_tls *tls;
    fastws_tls_config_init(&config, role);
    config.context = context;
    if (role == FASTWS_ROLE_SERVER) config.certificate_file = file;
    if (role == FASTWS_ROLE_CLIENT) config.ca_file = file;
    assert_int_equal(fastws_tls_new(&config, &tls, NULL), 0);
    return tls;
}

/* A server that shakes hands on a thread. */
struct server {
    pthread_t thread;
    struct fastws_tls *tls;
    int fd;
    int result;
    struct fastws_io io;
    struct fastws_tls_failure failure;
};

static void *serve(void *argument) {
    struct server *server = argument;
    struct fastws_io plain;
    fastws_io_from_fd(&plain, server->fd);
    server->result = fastws_tls_accept(server->tls, &plain, 5000, &server->io, &server->failure);
    if (server->result < 0) close(server->fd);
    return NULL;
}

/* Lets both shake hands. Returns the client's result. The failure of the client closes its socket. */
static int shake_hands(struct server *server, struct fastws_tls *server_tls, struct fastws_tls *client_tls,
                       const char *host, struct fastws_io *io, struct fastws_tls_failure *failure) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    *server = (struct server){.tls = server_tls, .fd = fds[0]};
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    struct fastws_io plain;
    fastws_io_from_fd(&plain, fds[1]);
    int result = fastws_tls_connect(client_tls, &plain, host, 5000, io, failure);
    if (result < 0) close(fds[1]);
    pthread_join(server->thread, NULL);
    return result;
}

static int connect_with(const char *server_file, const char *ca_file, const char *host,
                        struct fastws_tls_failure *failure) {
    struct fastws_tls *server_tls = make_tls(FASTWS_ROLE_SERVER, server_file, NULL);
    struct fastws_tls *client_tls = make_tls(FASTWS_ROLE_CLIENT, ca_file, NULL);
    struct server server;
    struct fastws_io io;
    int result = shake_hands(&server, server_tls, client_tls, host, &io, failure);
    if (result == 0) {
        assert_int_equal(server.result, 0);
        io.close(io.ctx);
        server.io.close(server.io.ctx);
    } else {
        assert_int_equal(server.result, FASTWS_ERR_TLS_HANDSHAKE);
        assert_true(server.failure.text[0] != '\0');
    }
    fastws_tls_free(server_tls);
    fastws_tls_free(client_tls);
    return result;
}

/* ---- Certificates ---- */

static void takes_a_certificate_for_the_host(void **state) {
    (void)state;
    static const char *const hosts[] = {"localhost", "LocalHost", "localhost.", "127.0.0.1", "::1", "0:0::0:1",
                                        "a.example.com"};
    for (size_t i = 0; i < COUNT(hosts); i++)
        assert_int_equal(connect_with(good.path, authority.path, hosts[i], NULL), 0);
}

static void expect_refused(const char *server_file, const char *ca_file, const char *host, int error, long verify) {
    struct fastws_tls_failure failure;
    int result = connect_with(server_file, ca_file, host, &failure);
    if (result != error) fail_msg("%s: %s, %s", host, fastws_error_name(result), failure.text);
    assert_int_equal(failure.verify_result, verify);
    assert_string_equal(failure.text, X509_verify_cert_error_string(verify));
}

static void names_what_is_wrong_with_a_certificate(void **state) {
    (void)state;
    static const char names[] = "DNS:localhost";
    struct certificate expired, early, self_signed, only_common_name, expired_authority, below;
    certificate_make(&expired, &authority, "x", names, -30, -1);
    certificate_make(&early, &authority, "x", names, 1, 30);
    certificate_make(&self_signed, NULL, "x", names, -1, 30);
    certificate_make(&only_common_name, &authority, "localhost", "", -1, 30);
    certificate_make(&expired_authority, NULL, "Old authority", NULL, -30, -1);
    certificate_make(&below, &expired_authority, "x", names, -1, 30);
    expect_refused(expired.path, authority.path, "localhost", FASTWS_ERR_TLS_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED);
    expect_refused(early.path, authority.path, "localhost", FASTWS_ERR_TLS_NOT_YET_VALID,
                   X509_V_ERR_CERT_NOT_YET_VALID);
    expect_refused(self_signed.path, authority.path, "localhost", FASTWS_ERR_TLS_SELF_SIGNED,
                   X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    expect_refused(good.path, other_authority.path, "localhost", FASTWS_ERR_TLS_UNTRUSTED,
                   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    expect_refused(good.path, NULL, "localhost", FASTWS_ERR_TLS_UNTRUSTED, /* the system does not know our authority */
                   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    expect_refused(below.path, expired_authority.path, "localhost", FASTWS_ERR_TLS_EXPIRED,
                   X509_V_ERR_CERT_HAS_EXPIRED);
    expect_refused(only_common_name.path, authority.path, "localhost", FASTWS_ERR_TLS_HOST,
                   X509_V_ERR_HOSTNAME_MISMATCH); /* RFC 9525 2: no longer a place for names */
    static const char *const names_of_others[] = {"example.com", "a.b.example.com", "localhost.example.net",
                                                  "www.example.org"};
    for (size_t i = 0; i < COUNT(names_of_others); i++)
        expect_refused(good.path, authority.path, names_of_others[i], FASTWS_ERR_TLS_HOST,
                       X509_V_ERR_HOSTNAME_MISMATCH);
    expect_refused(good.path, authority.path, "127.0.0.2", FASTWS_ERR_TLS_HOST, X509_V_ERR_IP_ADDRESS_MISMATCH);
    expect_refused(good.path, authority.path, "::2", FASTWS_ERR_TLS_HOST, X509_V_ERR_IP_ADDRESS_MISMATCH);
    struct certificate *const made[] = {&expired, &early, &self_signed, &only_common_name, &expired_authority, &below};
    for (size_t i = 0; i < COUNT(made); i++) certificate_free(made[i]);
}

static void a_client_that_does_not_verify_takes_any(void **state) {
    (void)state;
    struct fastws_tls_config config;
    struct fastws_tls *client, *server_tls = make_tls(FASTWS_ROLE_SERVER, good.path, NULL);
    fastws_tls_config_init(&config, FASTWS_ROLE_CLIENT);
    assert_int_equal(config.is_verified, 1);
    config.is_verified = 0;
    assert_int_equal(fastws_tls_new(&config, &client, NULL), 0);
    struct server server;
    struct fastws_io io;
    assert_int_equal(shake_hands(&server, server_tls, client, "example.net", &io, NULL), 0);
    io.close(io.ctx);
    server.io.close(server.io.ctx);
    fastws_tls_free(client);
    fastws_tls_free(server_tls);
}

/* An SSL_CTX of a caller verifies nothing by itself. */
static void a_context_of_the_caller_is_verified_too(void **state) {
    (void)state;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct fastws_tls *client = make_tls(FASTWS_ROLE_CLIENT, NULL, context);
    struct fastws_tls *server_tls = make_tls(FASTWS_ROLE_SERVER, good.path, NULL);
    struct server server;
    struct fastws_io io;
    assert_int_equal(shake_hands(&server, server_tls, client, "localhost", &io, NULL), FASTWS_ERR_TLS_UNTRUSTED);
    assert_int_equal(SSL_CTX_load_verify_locations(context, authority.path, NULL), 1);
    assert_int_equal(shake_hands(&server, server_tls, client, "127.0.0.3", &io, NULL), FASTWS_ERR_TLS_HOST);
    assert_int_equal(shake_hands(&server, server_tls, client, "localhost", &io, NULL), 0);
    SSL_CTX_free(context);
    fastws_tls_free(client); /* the connection goes on without both */
    struct fastws_iovec iov = {"x", 1};
    char byte = 0;
    assert_int_equal(io.writev(io.ctx, &iov, 1), 1);
    while (server.io.read(server.io.ctx, &byte, 1) == FASTWS_IO_AGAIN) server.io.wait(server.io.ctx, 0, UINT64_MAX);
    assert_int_equal(byte, 'x');
    io.close(io.ctx);
    server.io.close(server.io.ctx);
    fastws_tls_free(server_tls);
}

static void a_server_asks_for_certificates_if_told(void **state) {
    (void)state;
    struct fastws_tls_config config;
    struct fastws_tls *server_tls, *stranger = make_tls(FASTWS_ROLE_CLIENT, authority.path, NULL), *known;
    fastws_tls_config_init(&config, FASTWS_ROLE_SERVER);
    assert_int_equal(config.is_verified, 0);
    config.is_verified = 1;
    config.certificate_file = good.path;
    config.ca_file = authority.path;
    assert_int_equal(fastws_tls_new(&config, &server_tls, NULL), 0);
    fastws_tls_config_init(&config, FASTWS_ROLE_CLIENT);
    config.ca_file = authority.path;
    config.certificate_file = good.path;
    assert_int_equal(fastws_tls_new(&config, &known, NULL), 0);
    struct server server;
    struct fastws_io io;
    assert_int_equal(shake_hands(&server, server_tls, known, "localhost", &io, NULL), 0);
    assert_int_equal(server.result, 0);
    io.close(io.ctx);
    server.io.close(server.io.ctx);
    /* In TLS 1.3 the client is through before the server has judged it. */
    if (shake_hands(&server, server_tls, stranger, "localhost", &io, NULL) == 0) io.close(io.ctx);
    assert_int_equal(server.result, FASTWS_ERR_TLS_HANDSHAKE);
    fastws_tls_free(server_tls);
    fastws_tls_free(known);
    fastws_tls_free(stranger);
}

/* ---- What is told to the server ---- */

/* What a server does with the protocols that are offered. */
struct choice {
    int result;
    char offered[33];
};

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                  unsigned in_len, void *argument) {
    (void)ssl;
    struct choice *choice = argument;
    memcpy(choice->offered, in, in_len < 32 ? in_len : 32);
    *out = (const unsigned char *)"h2";
    *out_len = 2;
    return choice->result;
}

static SSL_CTX *server_context(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_chain_file(context, good.path), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, good.path, SSL_FILETYPE_PEM), 1);
    return context;
}

static int connect_to_choice(struct choice *choice) {
    SSL_CTX *context = server_context();
    SSL_CTX_set_alpn_select_cb(context, choose, choice);
    struct fastws_tls *server_tls = make_tls(FASTWS_ROLE_SERVER, NULL, context);
    struct fastws_tls *client = make_tls(FASTWS_ROLE_CLIENT, authority.path, NULL);
    struct server server;
    struct fastws_io io;
    int result = shake_hands(&server, server_tls, client, "localhost", &io, NULL);
    if (server.result == 0) server.io.close(server.io.ctx);
    if (result == 0) io.close(io.ctx);
    fastws_tls_free(client);
    fastws_tls_free(server_tls);
    SSL_CTX_free(context);
    return result;
}

static void offers_http_1_1_and_takes_nothing_else(void **state) {
    (void)state;
    struct choice h2 = {.result = SSL_TLSEXT_ERR_OK}, refused = {.result = SSL_TLSEXT_ERR_ALERT_FATAL};
    struct choice left_out = {.result = SSL_TLSEXT_ERR_NOACK};
    int result = connect_to_choice(&h2); /* in the handshake, by a newer OpenSSL; else by us */
    assert_true(result == FASTWS_ERR_TLS_ALPN || result == FASTWS_ERR_TLS_HANDSHAKE);
    assert_int_equal(connect_to_choice(&refused), FASTWS_ERR_TLS_ALPN);
    assert_int_equal(connect_to_choice(&left_out), 0);
    assert_string_equal(left_out.offered, "\x08http/1.1");
}

static void a_client_without_http_1_1_is_refused(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct server server = {.tls = make_tls(FASTWS_ROLE_SERVER, good.path, NULL), .fd = fds[0]};
    assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fds[1]);
    assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2", 3), 0);
    assert_int_equal(SSL_connect(ssl), -1);
    pthread_join(server.thread, NULL);
    assert_int_equal(server.result, FASTWS_ERR_TLS_ALPN);
    SSL_free(ssl);
    SSL_CTX_free(context);
    fastws_tls_free(server.tls);
    close(fds[1]);
}

static int note_name(SSL *ssl, int *alert, void *argument) {
    (void)alert;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    strncpy(argument, name != NULL ? name : "none", 63);
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 6066 section 3: names only, and without a dot at the end. */
static void tells_the_server_its_name(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"localhost", "localhost"}, {"localhost.", "localhost"},
                                           {"127.0.0.1", "none"},      {"::1", "none"}};
    char name[64];
    SSL_CTX *context = server_context();
    SSL_CTX_set_tlsext_servername_callback(context, note_name);
    SSL_CTX_set_tlsext_servername_arg(context, name);
    struct fastws_tls *server_tls = make_tls(FASTWS_ROLE_SERVER, NULL, context);
    struct fastws_tls *client = make_tls(FASTWS_ROLE_CLIENT, authority.path, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct server server;
        struct fastws_io io;
        memset(name, 0, sizeof name);
        assert_int_equal(shake_hands(&server, server_tls, client, cases[i][0], &io, NULL), 0);
        assert_string_equal(name, cases[i][1]);
        io.close(io.ctx);
        server.io.close(server.io.ctx);
    }
    fastws_tls_free(client);
    fastws_tls_free(server_tls);
    SSL_CTX_free(context);
}

/* ---- Handshakes that do not end well ---- */

/* Connects to a peer that has said its word already, and is gone if is_gone; without words its reset has come. */
static int connect_to(const char *words, size_t len, int is_gone, uint64_t timeout_ms, const char *host) {
    struct fastws_tls *tls = make_tls(FASTWS_ROLE_CLIENT, authority.path, NULL);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    if (words != NULL) {
        assert_int_equal(write(fds[0], words, len), len);
        if (is_gone) shutdown(fds[0], SHUT_WR);
    } else {
        assert_int_equal(write(fds[1], "x", 1), 1); /* a socket that closes with unread bytes resets the other */
        close(fds[0]);
    }
    struct fastws_io plain, io;
    struct fastws_tls_failure failure = {.text = ""};
    fastws_io_from_fd(&plain, fds[1]);
    int result = fastws_tls_connect(tls, &plain, host, timeout_ms, &io, &failure);
    assert_true(result < 0 && failure.text[0] != '\0');
    if (words != NULL) close(fds[0]);
    close(fds[1]);
    fastws_tls_free(tls);
    return result;
}

static void reports_peers_that_are_no_server_of_tls(void **state) {
    (void)state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28"; /* fatal handshake_failure */
    assert_int_equal(connect_to(http, sizeof http - 1, 0, 5000, "localhost"), FASTWS_ERR_TLS_HANDSHAKE);
    assert_int_equal(connect_to(alert, sizeof alert - 1, 0, 5000, "localhost"), FASTWS_ERR_TLS_HANDSHAKE);
    assert_int_equal(connect_to("", 0, 1, 5000, "localhost"), FASTWS_ERR_TLS_HANDSHAKE);
    assert_int_equal(connect_to(alert, 3, 1, 5000, "localhost"), FASTWS_ERR_TLS_HANDSHAKE);
    assert_int_equal(connect_to(NULL, 0, 1, 5000, "localhost"), FASTWS_ERR_IO); /* reset, in place of an end */
}

static void keeps_the_deadline(void **state) {
    (void)state;
    uint64_t start_ms = now_ms();
    assert_int_equal(connect_to("", 0, 0, 50, "localhost"), FASTWS_ERR_TIMEOUT);
    assert_int_equal(connect_to("\x16\x03\x03", 3, 0, 50, "localhost"), FASTWS_ERR_TIMEOUT);
    assert_in_range(now_ms() - start_ms, 100, 3000);
}

static void refuses_bad_arguments(void **state) {
    (void)state;
    static const char *const hosts[] = {"", "a b", "[::1]", "127.1", "a:b"};
    for (size_t i = 0; i < COUNT(hosts); i++)
        assert_int_equal(connect_to("", 0, 0, 50, hosts[i]), FASTWS_ERR_ARGUMENT);
    struct fastws_tls *client = make_tls(FASTWS_ROLE_CLIENT, authority.path, NULL), *tls;
    struct fastws_io plain, io;
    fastws_io_from_fd(&plain, -1);
    assert_int_equal(fastws_tls_accept(client, &plain, 50, &io, NULL), FASTWS_ERR_ARGUMENT);
    plain.wait = NULL; /* it might block, and TLS with it */
    assert_int_equal(fastws_tls_connect(client, &plain, "localhost", 50, &io, NULL), FASTWS_ERR_ARGUMENT);
    fastws_tls_free(client);
    fastws_tls_free(NULL);

    struct fastws_tls_config config;
    struct fastws_tls_failure failure;
    fastws_tls_config_init(&config, FASTWS_ROLE_SERVER);
    assert_int_equal(fastws_tls_new(&config, &tls, &failure), FASTWS_ERR_ARGUMENT); /* no certificate */
    config.certificate_file = authority.path;
    config.key_file = good.path;
    assert_int_equal(fastws_tls_new(&config, &tls, &failure), FASTWS_ERR_TLS_CONTEXT); /* of another certificate */
    assert_true(failure.text[0] != '\0');
    config.certificate_file = "/nowhere/x.pem";
    assert_int_equal(fastws_tls_new(&config, &tls, &failure), FASTWS_ERR_TLS_CONTEXT);
    config.size--;
    assert_int_equal(fastws_tls_new(&config, &tls, &failure), FASTWS_ERR_ARGUMENT);
    fastws_tls_config_init(&config, FASTWS_ROLE_CLIENT);
    config.ca_file = "/nowhere/x.pem";
    assert_int_equal(fastws_tls_new(&config, &tls, &failure), FASTWS_ERR_TLS_CONTEXT);
    config.role = 0;
    assert_int_equal(fastws_tls_new(&config, &tls, &failure), FASTWS_ERR_ARGUMENT);
}

/* ---- The stream inside ---- */

/* Two ends that are connected, over sockets that hold little. */
struct pair {
    struct fastws_tls *server_tls;
    struct fastws_tls *client_tls;
    struct server server;
    struct fastws_io io[2]; /* server, client */
};

static void open_pair(struct pair *pair) {
    pair->server_tls = make_tls(FASTWS_ROLE_SERVER, good.path, NULL);
    pair->client_tls = make_tls(FASTWS_ROLE_CLIENT, authority.path, NULL);
    int result = shake_hands(&pair->server, pair->server_tls, pair->client_tls, "localhost", &pair->io[1], NULL);
    assert_int_equal(result, 0);
    assert_int_equal(pair->server.result, 0);
    pair->io[0] = pair->server.io;
}

static void close_pair(struct pair *pair) {
    for (int i = 0; i < 2; i++)
        if (pair->io[i].close != NULL) pair->io[i].close(pair->io[i].ctx);
    fastws_tls_free(pair->server_tls);
    fastws_tls_free(pair->client_tls);
}

/* Reads exactly len bytes. */
static void read_all(const struct fastws_io *io, uint8_t *dst, size_t len) {
    for (size_t off = 0; off < len;) {
        ptrdiff_t n = io->read(io->ctx, dst + off, len - off);
        if (n == FASTWS_IO_AGAIN) {
            assert_true(io->wait(io->ctx, 0, now_ms() + 5000) > 0);
            continue;
        }
        assert_true(n > 0);
        off += (size_t)n;
    }
}

enum { LOAD_LEN = 3 * 1024 * 1024 };

static uint8_t pattern(size_t i) { return (uint8_t)(i * 31 + (i >> 9)); }

/* Writes LOAD_LEN bytes in pieces whose number and sizes change at every call, also when a call has to be repeated:
 * OpenSSL by itself refuses a repetition that is shorter. */
static void *write_load(void *argument) {
    const struct fastws_io *io = argument;
    uint8_t *load = malloc(LOAD_LEN);
    if (load == NULL) abort();
    for (size_t i = 0; i < LOAD_LEN; i++) load[i] = pattern(i);
    unsigned turn = 0;
    for (size_t off = 0; off < LOAD_LEN;) {
        struct fastws_iovec iov[5];
        int count = 0;
        size_t end = off;
        for (turn++; count < (int)(turn % 5 + 1) && end < LOAD_LEN; count++) {
            size_t len = (turn * 7919u + (unsigned)count * 104729u) % (turn % 3 == 0 ? 40000 : 90) + 1;
            if (len > LOAD_LEN - end) len = LOAD_LEN - end;
            iov[count] = (struct fastws_iovec){load + end, len};
            end += len;
        }
        ptrdiff_t n = io->writev(io->ctx, iov, count);
        if (n == FASTWS_IO_AGAIN) {
            if (io->wait(io->ctx, 1, UINT64_MAX) < 0) abort();
        } else if (n <= 0 || (size_t)n > end - off) {
            abort();
        } else {
            off += (size_t)n;
        }
    }
    free(load);
    return NULL;
}

static void *read_load(void *argument) {
    const struct fastws_io *io = argument;
    uint8_t *load = malloc(LOAD_LEN);
    if (load == NULL) abort();
    size_t off = 0;
    while (off < LOAD_LEN) {
        ptrdiff_t n = io->read(io->ctx, load + off, LOAD_LEN - off < 5000 ? LOAD_LEN - off : 5000);
        if (n == FASTWS_IO_AGAIN) {
            int bits = io->wait_any(io->ctx, now_ms() + 20);
            if (bits < 0) abort();
            /* Always writable: waiting for both would spin. */
            if (!(bits & (int)FASTWS_IO_READABLE) && io->wait(io->ctx, 0, UINT64_MAX) < 0) abort();
            continue;
        }
        if (n <= 0) abort();
        off += (size_t)n;
    }
    for (size_t i = 0; i < LOAD_LEN; i++)
        if (load[i] != pattern(i)) abort();
    free(load);
    return NULL;
}

/* Four threads: each end reads and writes at once. */
static void reads_and_writes_from_two_threads(void **state) {
    (void)state;
    struct pair pair;
    open_pair(&pair);
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[2 * i], NULL, write_load, &pair.io[i]), 0);
        assert_int_equal(pthread_create(&threads[2 * i + 1], NULL, read_load, &pair.io[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    close_pair(&pair);
}

/* What OpenSSL has taken from the socket is readable, although the socket is not. */
static void tells_of_bytes_that_it_holds(void **state) {
    (void)state;
    struct pair pair;
    open_pair(&pair);
    struct fastws_iovec iov = {"abcdef", 6};
    assert_int_equal(pair.io[1].writev(pair.io[1].ctx, &iov, 1), 6);
    uint8_t bytes[6];
    read_all(&pair.io[0], bytes, 2);
    assert_true(pair.io[0].wait(pair.io[0].ctx, 0, 0) > 0);
    assert_true(pair.io[0].wait_any(pair.io[0].ctx, UINT64_MAX) & (int)FASTWS_IO_READABLE);
    read_all(&pair.io[0], bytes + 2, 4);
    assert_memory_equal(bytes, "abcdef", 6);
    assert_int_equal(pair.io[0].read(pair.io[0].ctx, bytes, 1), FASTWS_IO_AGAIN);
    assert_int_equal(pair.io[0].wait(pair.io[0].ctx, 0, now_ms() + 20), 0);
    assert_true(pair.io[0].wait(pair.io[0].ctx, 1, 0) > 0);
    assert_int_equal(pair.io[0].wait_any(pair.io[0].ctx, 0), FASTWS_IO_WRITABLE);
    close_pair(&pair);
}

/* A half that is shut down leaves the other half open. */
static void ends_one_direction_at_a_time(void **state) {
    (void)state;
    struct pair pair;
    open_pair(&pair);
    uint8_t byte;
    assert_int_equal(pair.io[1].shutdown(pair.io[1].ctx), 0);
    assert_true(pair.io[0].wait(pair.io[0].ctx, 0, now_ms() + 5000) > 0);
    assert_int_equal(pair.io[0].read(pair.io[0].ctx, &byte, 1), 0);
    assert_int_equal(pair.io[0].read(pair.io[0].ctx, &byte, 1), 0);
    struct fastws_iovec iov = {"x", 1};
    assert_int_equal(pair.io[0].writev(pair.io[0].ctx, &iov, 1), 1);
    read_all(&pair.io[1], &byte, 1);
    assert_int_equal(byte, 'x');
    close_pair(&pair);
}

static void a_stream_that_is_cut_off_has_ended(void **state) {
    (void)state;
    struct pair pair;
    open_pair(&pair);
    shutdown(pair.server.fd, SHUT_RDWR); /* without a close_notify */
    uint8_t byte;
    assert_true(pair.io[1].wait(pair.io[1].ctx, 0, now_ms() + 5000) > 0);
    assert_int_equal(pair.io[1].read(pair.io[1].ctx, &byte, 1), 0);
    struct fastws_iovec iov = {"x", 1};
    assert_int_equal(pair.io[1].writev(pair.io[1].ctx, &iov, 1), FASTWS_IO_FAILED);
    close_pair(&pair);
}

/* A server may say why it takes no more, and be gone: what it said can still be read. */
static void what_has_arrived_is_read_after_a_write_that_failed(void **state) {
    (void)state;
    struct pair pair;
    open_pair(&pair);
    struct fastws_iovec iov = {"refused", 7};
    assert_int_equal(pair.io[0].writev(pair.io[0].ctx, &iov, 1), 7);
    struct fws_tls_stream *client = pair.io[1].ctx;
    assert_int_equal(shutdown((int)(intptr_t)client->below.ctx, SHUT_WR), 0); /* as after a reset: EPIPE */
    assert_int_equal(pair.io[1].writev(pair.io[1].ctx, &iov, 1), FASTWS_IO_FAILED);
    uint8_t text[7];
    read_all(&pair.io[1], text, 7);
    assert_memory_equal(text, "refused", 7);
    assert_int_equal(pair.io[1].writev(pair.io[1].ctx, &iov, 1), FASTWS_IO_FAILED);
    close_pair(&pair);
}

static void bytes_that_were_changed_are_a_failure(void **state) {
    (void)state;
    struct pair pair;
    open_pair(&pair);
    assert_int_equal(write(pair.server.fd, "\x17\x03\x03\x00\x20xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 37), 37);
    uint8_t byte;
    ptrdiff_t n;
    while ((n = pair.io[1].read(pair.io[1].ctx, &byte, 1)) == FASTWS_IO_AGAIN)
        pair.io[1].wait(pair.io[1].ctx, 0, UINT64_MAX);
    assert_int_equal(n, FASTWS_IO_FAILED);
    assert_int_equal(pair.io[1].read(pair.io[1].ctx, &byte, 1), FASTWS_IO_FAILED);
    assert_true(pair.io[1].wait(pair.io[1].ctx, 0, UINT64_MAX) > 0);
    close_pair(&pair);
}

static void *echo(void *argument) {
    struct fastws_conn_config config;
    struct fastws_stream *stream;
    struct fastws_event event;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    if (fastws_stream_accept(argument, NULL, &config, 5000, &stream) != 0) abort();
    while (fastws_stream_read_data(stream, &event) == 0)
        if (fastws_stream_write_message(stream, event.opcode, event.ptr, (size_t)event.len) != 0) break;
    fastws_stream_close(stream, 1000, NULL, 0);
    fastws_stream_free(stream);
    return NULL;
}

static void carries_messages(void **state) {
    (void)state;
    struct pair pair;
    open_pair(&pair);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, echo, &pair.io[0]), 0);
    struct fastws_stream *stream;
    assert_int_equal(fastws_dial_over(&pair.io[1], "wss://localhost/", NULL, &stream), 0);
    static uint8_t load[300000];
    for (size_t len = 0; len <= sizeof load; len = len * 3 + 1) {
        struct fastws_event event;
        for (size_t i = 0; i < len; i++) load[i] = pattern(i);
        assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_BINARY, load, len), 0);
        assert_int_equal(fastws_stream_read_data(stream, &event), 0);
        assert_int_equal(event.len, len);
        if (len > 0) assert_memory_equal(event.ptr, load, len);
    }
    assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
    fastws_stream_free(stream);
    pthread_join(thread, NULL);
    pair.io[0].close = pair.io[1].close = NULL;
    close_pair(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_certificate_for_the_host),
        cmocka_unit_test(names_what_is_wrong_with_a_certificate),
        cmocka_unit_test(a_client_that_does_not_verify_takes_any),
        cmocka_unit_test(a_context_of_the_caller_is_verified_too),
        cmocka_unit_test(a_server_asks_for_certificates_if_told),
        cmocka_unit_test(offers_http_1_1_and_takes_nothing_else),
        cmocka_unit_test(a_client_without_http_1_1_is_refused),
        cmocka_unit_test(tells_the_server_its_name),
        cmocka_unit_test(reports_peers_that_are_no_server_of_tls),
        cmocka_unit_test(keeps_the_deadline),
        cmocka_unit_test(refuses_bad_arguments),
        cmocka_unit_test(reads_and_writes_from_two_threads),
        cmocka_unit_test(tells_of_bytes_that_it_holds),
        cmocka_unit_test(ends_one_direction_at_a_time),
        cmocka_unit_test(a_stream_that_is_cut_off_has_ended),
        cmocka_unit_test(what_has_arrived_is_read_after_a_write_that_failed),
        cmocka_unit_test(bytes_that_were_changed_are_a_failure),
        cmocka_unit_test(carries_messages),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
