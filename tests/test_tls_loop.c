/* SPDX-License-Identifier: MIT */
/* Tests of event loops inside TLS, as servers and clients: bytes cut anywhere between them, peers that do not read,
 * that lie, or that are not who they say. */
#include "loop_clients.h"

#include "certificates.h"

static struct certificate authority, good, stranger;
static struct fastws_tls *client_tls, *server_tls;

static int backend_of(void **state) { return *(int *)*state; }

static struct fastws_tls *make_tls(enum fastws_role role, const char *file) {
    struct fastws_tls_config config;
    struct fastws_tls *tls;
    fastws_tls_config_init(&config, role);
    if (role == FASTWS_ROLE_SERVER) config.certificate_file = file;
    if (role == FASTWS_ROLE_CLIENT) config.ca_file = file;
    assert_int_equal(fastws_tls_new(&config, &tls, NULL), 0);
    return tls;
}

static int setup(void **state) {
    (void)state;
    certificate_make(&authority, NULL, "Test authority", NULL, -1, 30);
    certificate_make(&good, &authority, "server", "DNS:localhost,IP:127.0.0.1", -1, 30);
    certificate_make(&stranger, NULL, "Another authority", NULL, -1, 30);
    server_tls = make_tls(FASTWS_ROLE_SERVER, good.path);
    client_tls = make_tls(FASTWS_ROLE_CLIENT, authority.path);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fastws_tls_free(client_tls);
    fastws_tls_free(server_tls);
    certificate_free(&authority);
    certificate_free(&good);
    certificate_free(&stranger);
    certificates_clean();
    return 0;
}

static void prepare(struct dialer *dialer, struct server *server, void **state) {
    server_prepare(server, backend_of(state));
    server->config.tls = server_tls;
    dialer_prepare(dialer);
    dialer->config.tls = client_tls;
}

/* ---- A relay between client and server, on which the tests have a hand ---- */

struct relay {
    int listener;
    int ends[2]; /* of the client, of the server; -1: not yet */
    struct bytes kept[2]; /* read from that end, and not written to the other */
    size_t step;          /* bytes that pass at a time; 0: all */
    int is_closed[2];     /* nothing is read from that end */
    size_t passed[2];     /* bytes read from that end */
    size_t broken_at;     /* of the client's: this byte is changed; 0: none */
    unsigned server_port;
};

static unsigned relay_open(struct relay *relay, const struct server *server) {
    unsigned port;
    *relay = (struct relay){.ends = {-1, -1}, .server_port = fastws_listener_port(server->listener)};
    relay->listener = listen_by_hand(&port);
    return port;
}

static void relay_close(struct relay *relay) {
    close(relay->listener);
    for (int i = 0; i < 2; i++) {
        if (relay->ends[i] >= 0) close(relay->ends[i]);
        bytes_free(&relay->kept[i]);
    }
}

static void relay_connect(struct relay *relay) {
    struct client to;
    relay->ends[0] = accept(relay->listener, NULL, NULL);
    if (relay->ends[0] < 0) return;
    assert_int_equal(fcntl(relay->ends[0], F_SETFL, O_NONBLOCK), 0);
    client_connect_to(&to, relay->server_port);
    relay->ends[1] = to.fd;
}

static void relay_read(struct relay *relay, int i) {
    uint8_t bytes[16384];
    size_t cap = relay->step > 0 ? relay->step : sizeof bytes;
    if (relay->is_closed[i] || relay->kept[i].len > 0) return;
    ssize_t n = recv(relay->ends[i], bytes, cap, 0);
    if (n == 0) shutdown(relay->ends[!i], SHUT_WR);
    if (n == 0) relay->is_closed[i] = 1;
    if (n <= 0) return;
    if (i == 0 && relay->broken_at > relay->passed[0] && relay->broken_at <= relay->passed[0] + (size_t)n) {
        bytes[relay->broken_at - relay->passed[0] - 1] ^= 1;
    }
    relay->passed[i] += (size_t)n;
    bytes_put(&relay->kept[i], bytes, (size_t)n);
}

static void relay_write(struct relay *relay, int i) {
    struct bytes *kept = &relay->kept[i];
    if (kept->len == 0) return;
    ssize_t n = send(relay->ends[!i], kept->ptr, kept->len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) n = (ssize_t)kept->len; /* nobody is there any more */
    if (n <= 0) return;
    memmove(kept->ptr, kept->ptr + n, kept->len - (size_t)n);
    kept->len -= (size_t)n;
}

static void relay_turn(struct relay *relay) {
    if (relay->ends[0] < 0) relay_connect(relay);
    if (relay->ends[0] < 0) return;
    for (int i = 0; i < 2; i++) {
        relay_read(relay, i);
        relay_write(relay, i);
    }
}

#define RELAY_UNTIL(server, relay, condition)                                                                          \
    do {                                                                                                               \
        uint64_t relay_until_ms_ = clock_ms() + 2 * WAIT_MS;                                                           \
        while (!(condition)) {                                                                                         \
            assert_true(clock_ms() < relay_until_ms_);                                                                 \
            turn((server), 0);                                                                                         \
            relay_turn(relay);                                                                                         \
        }                                                                                                              \
    } while (0)

static void dial_relay(struct dialer *dialer, struct server *server, unsigned port) {
    assert_int_equal(dial(dialer, server, url_of("wss", "localhost", port)), 0);
}

/* ---- Connections ---- */

static void talks_inside_tls(void **state) {
    const size_t lens[] = {0, 1, 125, 126, 4096, 16384, 65536, 200000, 3 << 20};
    struct server server;
    struct dialer dialer;
    prepare(&dialer, &server, state);
    server_open(&server);
    dial_server(&dialer, &server, "wss", "localhost");
    UNTIL(&server, dialer.opens == 1);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) dialer_echo(&dialer, &server, lens[i]);
    dialer_close(&dialer, &server);
    assert_int_equal(server.code, 1000);
    assert_int_equal(dialer.error, 0);
    server_close(&server);
}

/* Every write used to be a record, and every record a write, of its own. */
static void answers_many_messages_with_one_write(void **state) {
    enum { COUNT = 64 };
    struct server server;
    struct dialer dialer;
    prepare(&dialer, &server, state);
    server_open(&server);
    dial_server(&dialer, &server, "wss", "localhost");
    UNTIL(&server, dialer.opens == 1);
    struct fastws_conn *conn = fastws_socket_get_conn(dialer.socket);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(fastws_conn_send(conn, FASTWS_OPCODE_TEXT, "sixteen letters!", 16), 0);
    }
    uint64_t before = stats_of(&server).writes;
    assert_int_equal(fastws_socket_flush(dialer.socket), 0);
    UNTIL(&server, dialer.messages == COUNT);
    assert_int_equal(stats_of(&server).writes - before, 2); /* one of the client, one of the server */
    dialer_close(&dialer, &server);
    server_close(&server);
}

static void takes_records_cut_anywhere(void **state) {
    const size_t steps[] = {1, 2, 3, 7, 1000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct server server;
        struct dialer dialer;
        struct relay relay;
        prepare(&dialer, &server, state);
        server_open(&server);
        dial_relay(&dialer, &server, relay_open(&relay, &server));
        relay.step = steps[i];
        RELAY_UNTIL(&server, &relay, dialer.opens == 1);
        for (int round = 1; round <= 3; round++) {
            assert_int_equal(fastws_socket_send(dialer.socket, FASTWS_OPCODE_TEXT, "cut anywhere", 12), 0);
            RELAY_UNTIL(&server, &relay, dialer.messages == round);
        }
        assert_int_equal(fastws_socket_close(dialer.socket, 1000, "", 0), 0);
        RELAY_UNTIL(&server, &relay, dialer.closes == 1 && server.closes == 1 && stats_of(&server).sockets == 0);
        assert_int_equal(dialer.error, 0);
        bytes_free(&dialer.in);
        relay_close(&relay);
        server_close(&server);
    }
}

/* ---- Slow ones ---- */

static void keeps_what_a_peer_does_not_read(void **state) {
    enum { COUNT = 400, LEN = 10000 };
    static uint8_t payload[LEN];
    struct server server;
    struct dialer dialer;
    struct relay relay;
    prepare(&dialer, &server, state);
    server_open(&server);
    dial_relay(&dialer, &server, relay_open(&relay, &server));
    RELAY_UNTIL(&server, &relay, dialer.opens == 1);
    int fd = fastws_socket_fd(server.sockets[0]);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int)), 0);
    for (int i = 0; i < COUNT; i++) { /* the relay stands still: system buffers fill, then ours */
        memset(payload, i, sizeof payload);
        assert_int_equal(fastws_socket_send(server.sockets[0], FASTWS_OPCODE_BINARY, payload, sizeof payload), 0);
    }
    assert_false(fastws_socket_is_writable(server.sockets[0]));
    assert_true(fastws_socket_queued_len(server.sockets[0]) > 0);
    RELAY_UNTIL(&server, &relay, dialer.messages == COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < LEN; k += LEN - 1) assert_int_equal(dialer.in.ptr[i * LEN + k], (uint8_t)i);
    }
    RELAY_UNTIL(&server, &relay, server.drains == 1);
    assert_int_equal(fastws_socket_queued_len(server.sockets[0]), 0);
    fastws_socket_free(dialer.socket);
    RELAY_UNTIL(&server, &relay, stats_of(&server).sockets == 0);
    bytes_free(&dialer.in);
    relay_close(&relay);
    server_close(&server);
}

static void pause_always(struct fastws_socket *socket, const struct fastws_event *event) {
    note_message(socket, event);
    fastws_socket_pause(socket);
}

/* What was received with the first message and is not decrypted used to wait for bytes that never came. */
static void goes_on_after_a_pause_with_what_was_received_before(void **state) {
    struct server server;
    struct dialer dialer, other;
    struct relay relay;
    prepare(&dialer, &server, state);
    dialer_prepare(&other);
    other.config.tls = client_tls;
    server.config.on_message = pause_always;
    server_open(&server);
    dial_relay(&dialer, &server, relay_open(&relay, &server));
    RELAY_UNTIL(&server, &relay, dialer.opens == 1 && server.opens == 1);
    /* Records of their own, in one receive: each has a message that fills a slab. */
    static uint8_t payload[60000];
    for (int i = 0; i < 10; i++) {
        assert_int_equal(fastws_socket_send(dialer.socket, FASTWS_OPCODE_BINARY, payload, sizeof payload), 0);
    }
    RELAY_UNTIL(&server, &relay, server.messages == 1);
    dial_server(&other, &server, "wss", "localhost"); /* another socket takes the place where input lies */
    RELAY_UNTIL(&server, &relay, other.opens == 1);
    for (int i = 0; i < 50; i++) {
        turn(&server, 0);
        relay_turn(&relay);
    }
    while (server.messages < 10) {
        int before = server.messages;
        fastws_socket_resume(server.sockets[0]);
        RELAY_UNTIL(&server, &relay, server.messages > before);
    }
    RELAY_UNTIL(&server, &relay, dialer.messages == 10);
    fastws_socket_free(dialer.socket);
    fastws_socket_free(other.socket);
    fastws_socket_resume(server.sockets[0]);
    RELAY_UNTIL(&server, &relay, stats_of(&server).sockets == 0);
    bytes_free(&dialer.in);
    relay_close(&relay);
    server_close(&server);
}

/* ---- Refusals ---- */

static void refuses_who_cannot_be_trusted(void **state) {
    struct server server;
    struct dialer dialer;
    struct fastws_tls *suspicious = make_tls(FASTWS_ROLE_CLIENT, stranger.path);
    prepare(&dialer, &server, state);
    dialer.config.tls = suspicious;
    server_open(&server);
    dial_server(&dialer, &server, "wss", "localhost");
    UNTIL(&server, dialer.refusals == 1 && server.refusals == 1);
    assert_int_equal(dialer.error, FASTWS_ERR_TLS_UNTRUSTED);
    assert_int_equal(server.error, FASTWS_ERR_TLS_HANDSHAKE);
    /* The certificate is for localhost and 127.0.0.1, and for nobody else. */
    dialer.config.tls = client_tls;
    dial_server(&dialer, &server, "wss", "127.0.0.2");
    UNTIL(&server, dialer.refusals == 2);
    assert_true(dialer.error == FASTWS_ERR_TLS_HOST || dialer.error == FASTWS_ERR_DIAL_CONNECT);
    UNTIL(&server, stats_of(&server).sockets == 0);
    fastws_tls_free(suspicious);
    server_close(&server);
}

static void refuses_contexts_of_the_other_role(void **state) {
    struct server server;
    struct dialer dialer;
    prepare(&dialer, &server, state);
    server_open(&server);
    dialer.config.tls = server_tls;
    assert_int_equal(dial(&dialer, &server, "wss://localhost/"), FASTWS_ERR_ARGUMENT);
    server.config.tls = client_tls;
    assert_int_equal(fastws_loop_listen(server.loop, &server.config, "127.0.0.1", "0", 0, NULL), FASTWS_ERR_ARGUMENT);
    server.config.tls = server_tls;
    server_close(&server);
}

static void refuses_clients_that_speak_plainly(void **state) {
    struct server server;
    struct dialer dialer;
    struct client client;
    prepare(&dialer, &server, state);
    server_open(&server);
    client_connect(&client, &server);
    client_send_text(&server, &client, REQUEST);
    expect_end(&server, &client);
    assert_int_equal(server.refusals, 1);
    assert_int_equal(server.error, FASTWS_ERR_TLS_HANDSHAKE);
    client_close(&client);
    UNTIL(&server, stats_of(&server).sockets == 0);
    server_close(&server);
}

static void ends_silent_and_slow_handshakes(void **state) {
    struct server server;
    struct dialer dialer;
    struct relay relay;
    struct client silent;
    unsigned port;
    prepare(&dialer, &server, state);
    server.config.handshake_timeout_ms = 60;
    server_open(&server);
    client_connect(&silent, &server);
    expect_end(&server, &silent);
    assert_int_equal(server.refusals, 1);
    assert_int_equal(server.error, FASTWS_ERR_HANDSHAKE_TIMEOUT);
    client_close(&silent);
    /* A server that never answers. */
    dialer.config.handshake_timeout_ms = 60;
    int listener = listen_by_hand(&port);
    assert_int_equal(dial(&dialer, &server, url_of("wss", "localhost", port)), 0);
    UNTIL(&server, dialer.refusals == 1);
    assert_int_equal(dialer.error, FASTWS_ERR_DIAL_TIMEOUT);
    close(listener);
    /* Hands are shaken, and the request does not come. */
    dialer.config.handshake_timeout_ms = 5000;
    server.refusals = 0;
    port = relay_open(&relay, &server);
    dial_relay(&dialer, &server, port);
    RELAY_UNTIL(&server, &relay, relay.passed[1] > 0);
    UNTIL(&server, server.refusals == 1);
    assert_int_equal(server.error, FASTWS_ERR_HANDSHAKE_TIMEOUT);
    RELAY_UNTIL(&server, &relay, dialer.refusals == 2);
    RELAY_UNTIL(&server, &relay, stats_of(&server).sockets == 0);
    relay_close(&relay);
    server_close(&server);
}

static void names_a_record_that_was_tampered_with(void **state) {
    struct server server;
    struct dialer dialer;
    struct relay relay;
    prepare(&dialer, &server, state);
    server_open(&server);
    dial_relay(&dialer, &server, relay_open(&relay, &server));
    RELAY_UNTIL(&server, &relay, dialer.opens == 1 && server.opens == 1);
    relay.broken_at = relay.passed[0] + 20; /* inside of the next record */
    assert_int_equal(fastws_socket_send(dialer.socket, FASTWS_OPCODE_TEXT, "believe me", 10), 0);
    RELAY_UNTIL(&server, &relay, server.closes == 1);
    assert_int_equal(server.messages, 0);
    assert_int_equal(server.error, FASTWS_ERR_TLS_RECORD);
    RELAY_UNTIL(&server, &relay, dialer.closes == 1 && stats_of(&server).sockets == 0);
    relay_close(&relay);
    server_close(&server);
}

/* The stream ends, and is reset, behind every byte of the client. */
static void survives_ends_at_every_byte(void **state) {
    size_t all = SIZE_MAX;
    for (size_t len = 0; len < all; len += len < 100 ? 7 : 41) {
        struct server server;
        struct dialer dialer;
        struct relay relay;
        prepare(&dialer, &server, state);
        server_open(&server);
        dial_relay(&dialer, &server, relay_open(&relay, &server));
        relay.step = 1;
        uint64_t until_ms = clock_ms() + WAIT_MS;
        while (relay.passed[0] < len && server.messages == 0) {
            assert_true(clock_ms() < until_ms);
            turn(&server, 0);
            relay_turn(&relay);
            if (dialer.opens == 1 && dialer.status != 0) {
                assert_int_equal(fastws_socket_send(dialer.socket, FASTWS_OPCODE_TEXT, "x", 1), 0);
                dialer.status = 0;
            }
        }
        if (server.messages > 0) all = len;
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        for (int i = 0; i < 2; i++) {
            if (relay.ends[i] < 0) continue;
            if (len % 2) (void)setsockopt(relay.ends[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        relay_close(&relay);
        UNTIL(&server, dialer.refusals + dialer.closes == 1 && stats_of(&server).sockets == 0);
        bytes_free(&dialer.in);
        server_close(&server);
    }
    assert_true(all > 500);
}

static void goes_through_a_proxy_to_tls(void **state) {
    struct server server;
    struct dialer dialer;
    struct client peer;
    char proxy[64];
    unsigned port;
    prepare(&dialer, &server, state);
    server_open(&server);
    int listener = listen_by_hand(&port);
    snprintf(proxy, sizeof proxy, "127.0.0.1:%u", port);
    dialer.config.proxy = proxy;
    assert_int_equal(dial(&dialer, &server, "wss://localhost/chat"), 0);
    accept_by_hand(&server, listener, &peer);
    assert_memory_equal(peer.in.ptr, "CONNECT localhost:443 HTTP/1.1\r\n", 32);
    say_by_hand(&peer, "HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(fastws_loop_accept(server.loop, &server.config, dup(peer.fd), NULL), 0);
    client_close(&peer);
    UNTIL(&server, dialer.opens == 1);
    dialer_echo(&dialer, &server, 100000);
    dialer_close(&dialer, &server);
    close(listener);
    server_close(&server);
}

static void a_shutdown_closes_those_inside_and_cuts_those_on_the_way(void **state) {
    struct server server;
    struct dialer dialer, late;
    unsigned port;
    prepare(&dialer, &server, state);
    server_open(&server);
    dial_server(&dialer, &server, "wss", "localhost");
    UNTIL(&server, dialer.opens == 1);
    int listener = listen_by_hand(&port);
    dialer_prepare(&late);
    late.config.tls = client_tls;
    assert_int_equal(dial(&late, &server, url_of("wss", "localhost", port)), 0);
    for (int i = 0; i < 10; i++) turn(&server, 1);
    fastws_loop_shutdown(server.loop, 5000);
    assert_int_equal(fastws_loop_run(server.loop), 0);
    assert_int_equal(late.refusals, 1);
    assert_int_equal(late.error, FASTWS_ERR_SHUTDOWN);
    assert_int_equal(server.closes, 1);
    assert_int_equal(dialer.closes, 1);
    close(listener);
    server_close(&server);
}

/* A conversation with the n-th allocation failing. Returns 1 if it failed. */
static int talk_without_memory(void **state, uint64_t n) {
    struct server server;
    struct dialer dialer;
    prepare(&dialer, &server, state);
    server_open(&server);
    server.memory.fail_at = server.memory.calls + n;
    int error = dial(&dialer, &server, url_of("wss", "localhost", fastws_listener_port(server.listener)));
    if (error < 0) assert_int_equal(error, FASTWS_ERR_NOMEM);
    if (error == 0) UNTIL(&server, dialer.opens + dialer.refusals == 1);
    static uint8_t payload[100000];
    if (dialer.opens == 1) {
        (void)!fastws_socket_send(dialer.socket, FASTWS_OPCODE_BINARY, payload, sizeof payload);
        for (int i = 0; i < 20; i++) turn(&server, 1);
    }
    int has_failed = server.memory.calls >= server.memory.fail_at;
    server.memory.fail_at = 0;
    if (dialer.opens == 1 && dialer.closes == 0) fastws_socket_free(dialer.socket);
    UNTIL(&server, stats_of(&server).sockets == 0);
    bytes_free(&dialer.in);
    server_close(&server);
    return has_failed;
}

static void survives_a_failing_allocation_anywhere(void **state) {
    uint64_t n = 1;
    while (talk_without_memory(state, n)) assert_true(++n < 200);
    assert_true(n > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(talks_inside_tls),
        ON_BOTH(answers_many_messages_with_one_write),
        ON_BOTH(takes_records_cut_anywhere),
        ON_BOTH(keeps_what_a_peer_does_not_read),
        ON_BOTH(goes_on_after_a_pause_with_what_was_received_before),
        ON_BOTH(refuses_who_cannot_be_trusted),
        ON_BOTH(refuses_contexts_of_the_other_role),
        ON_BOTH(refuses_clients_that_speak_plainly),
        ON_BOTH(ends_silent_and_slow_handshakes),
        ON_BOTH(names_a_record_that_was_tampered_with),
        ON_BOTH(survives_ends_at_every_byte),
        ON_BOTH(goes_through_a_proxy_to_tls),
        ON_BOTH(a_shutdown_closes_those_inside_and_cuts_those_on_the_way),
        ON_BOTH(survives_a_failing_allocation_anywhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
