/* SPDX-License-Identifier: MIT */
/* Tests of clients on event loops: the way to a server, the handshake there, and dials that are given up. */
#include "loop_clients.h"

static int backend_of(void **state) { return *(int *)*state; }

static void start(struct dialer *dialer, struct server *server, void **state) {
    server_start(server, backend_of(state));
    dialer_prepare(dialer);
}

/* ---- Connections ---- */

static void dials_and_talks(void **state) {
    const size_t lens[] = {0, 1, 125, 126, 4096, 65536, 200000, 1 << 20};
    struct server server;
    struct dialer dialer;
    start(&dialer, &server, state);
    dial_server(&dialer, &server, "ws", "127.0.0.1");
    assert_int_equal(dialer.opens, 0); /* no callback from inside of the call */
    assert_int_equal(fastws_socket_send(dialer.socket, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_STATE);
    UNTIL(&server, dialer.opens == 1);
    assert_int_equal(dialer.answers, 1);
    assert_int_equal(dialer.answered_by, 0);
    assert_int_equal(dialer.status, 101);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) dialer_echo(&dialer, &server, lens[i]);
    dialer_close(&dialer, &server);
    assert_int_equal(server.closes, 1);
    assert_int_equal(server.code, 1000);
    server_close(&server);
}

static void looks_names_up_without_waiting(void **state) {
    struct server server;
    struct dialer dialer;
    start(&dialer, &server, state);
    dial_server(&dialer, &server, "ws", "localhost"); /* of its addresses only one may have a listener */
    assert_int_equal(fastws_socket_fd(dialer.socket), -1);
    UNTIL(&server, dialer.opens == 1);
    dialer_echo(&dialer, &server, 100);
    dialer_close(&dialer, &server);
    server_close(&server);
}

static void dials_sockets_in_the_file_system(void **state) {
    struct server server;
    struct dialer dialer;
    char path[64], url[128];
    start(&dialer, &server, state);
    snprintf(path, sizeof path, "/tmp/fastws-loop-dial-%ld", (long)getpid());
    snprintf(url, sizeof url, "ws+unix://%s:/chat?a=1", path);
    assert_int_equal(fastws_loop_listen_unix(server.loop, &server.config, path, NULL), 0);
    assert_int_equal(dial(&dialer, &server, url), 0);
    UNTIL(&server, dialer.opens == 1);
    dialer_echo(&dialer, &server, 70000);
    dialer_close(&dialer, &server);
    server_close(&server);
}

static struct fastws_slice slice_of(const char *text) { return (struct fastws_slice){text, strlen(text)}; }

static int see_protocol(struct fastws_socket *socket, const struct fastws_dialer *handshake, int error) {
    struct fastws_slice protocol;
    assert_int_equal(error, 0);
    assert_int_equal(fastws_dial_protocol(handshake, &protocol), 1);
    assert_int_equal(protocol.len, 4);
    return note_answer(socket, handshake, error);
}

static void agrees_on_a_subprotocol(void **state) {
    struct server server;
    struct dialer dialer;
    const struct fastws_slice protocols[] = {slice_of("other"), slice_of("chat")};
    server_prepare(&server, backend_of(state));
    server.upgrade_config.protocols = &protocols[1];
    server.upgrade_config.protocol_count = 1;
    server_open(&server);
    dialer_prepare(&dialer);
    dialer.dial_config.protocols = protocols;
    dialer.dial_config.protocol_count = 2;
    dialer.config.on_dial = see_protocol;
    dial_server(&dialer, &server, "ws", "127.0.0.1");
    UNTIL(&server, dialer.opens == 1);
    dialer_close(&dialer, &server);
    server_close(&server);
}

/* The answer and frames behind it come in pieces of every length. */
static void takes_answers_cut_anywhere_with_frames_behind(void **state) {
    struct server server;
    unsigned port;
    server_start(&server, backend_of(state));
    int listener = listen_by_hand(&port);
    for (size_t cut = 0; cut < 200; cut++) {
        struct dialer dialer;
        struct client peer;
        struct fastws_upgrade *upgrade;
        struct bytes wire = {0};
        const void *answer;
        size_t used, len;
        dialer_prepare(&dialer);
        assert_int_equal(dial(&dialer, &server, url_of("ws", "127.0.0.1", port)), 0);
        accept_by_hand(&server, listener, &peer);
        assert_int_equal(fastws_upgrade_new(NULL, NULL, &upgrade), 0);
        assert_int_equal(fastws_upgrade_feed(upgrade, peer.in.ptr, peer.in.len - 1, &used), 1);
        assert_int_equal(fastws_upgrade_response(upgrade, &answer, &len), 0);
        bytes_put(&wire, answer, len);
        fastws_upgrade_free(upgrade);
        put_text(&wire, FASTWS_ROLE_CLIENT, "one");
        put_text(&wire, FASTWS_ROLE_CLIENT, "two");
        if (cut > wire.len) cut = wire.len;
        assert_int_equal(send(peer.fd, wire.ptr, cut, MSG_NOSIGNAL), cut);
        for (int i = 0; i < 3; i++) turn(&server, 0);
        assert_int_equal(send(peer.fd, wire.ptr + cut, wire.len - cut, MSG_NOSIGNAL), wire.len - cut);
        UNTIL(&server, dialer.messages == 2);
        assert_memory_equal(dialer.in.ptr, "onetwo", 6);
        client_close(&peer);
        UNTIL(&server, dialer.closes == 1);
        assert_int_equal(dialer.error, FASTWS_ERR_EOF);
        if (cut == wire.len) cut = 200;
        bytes_free(&wire);
        bytes_free(&dialer.in);
    }
    close(listener);
    server_close(&server);
}

/* ---- Proxies ---- */

static void goes_through_a_proxy(void **state) {
    struct server server;
    struct dialer dialer;
    struct client peer;
    char proxy[64];
    unsigned port;
    start(&dialer, &server, state);
    int listener = listen_by_hand(&port);
    snprintf(proxy, sizeof proxy, "http://user:pass@127.0.0.1:%u", port);
    dialer.config.proxy = proxy;
    assert_int_equal(dial(&dialer, &server, "ws://chat.example:9001/chat?a=1"), 0);
    accept_by_hand(&server, listener, &peer);
    assert_string_equal((const char *)peer.in.ptr,
                        "CONNECT chat.example:9001 HTTP/1.1\r\nHost: chat.example:9001\r\n"
                        "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n");
    say_by_hand(&peer, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ");
    turn(&server, 0);
    say_by_hand(&peer, "OK\r\n\r\n");
    /* The server behind the proxy. */
    assert_int_equal(fastws_loop_accept(server.loop, &server.config, dup(peer.fd), NULL), 0);
    client_close(&peer);
    UNTIL(&server, dialer.opens == 1);
    dialer_echo(&dialer, &server, 5000);
    dialer_close(&dialer, &server);
    close(listener);
    server_close(&server);
}

/* ---- Giving up ---- */

static void lets_on_dial_give_a_connection_up(void **state) {
    struct server server;
    struct dialer dialer;
    start(&dialer, &server, state);
    dialer.verdict = FASTWS_ERR_DIAL_REJECTED;
    dial_server(&dialer, &server, "ws", "127.0.0.1");
    UNTIL(&server, dialer.refusals == 1);
    assert_int_equal(dialer.error, FASTWS_ERR_DIAL_REJECTED);
    assert_int_equal(dialer.opens, 0);
    UNTIL(&server, stats_of(&server).sockets == 0);
    server_close(&server);
}

static int free_in_answer(struct fastws_socket *socket, const struct fastws_dialer *handshake, int error) {
    (void)note_answer(socket, handshake, error);
    fastws_socket_free(socket);
    return 0;
}

static void lets_callbacks_and_others_free_a_dial(void **state) {
    struct server server;
    struct dialer dialer;
    start(&dialer, &server, state);
    dialer.config.on_dial = free_in_answer;
    dial_server(&dialer, &server, "ws", "127.0.0.1");
    UNTIL(&server, dialer.answers == 1);
    /* At every step of the way. */
    for (int turns = 0; turns < 6; turns++) {
        dial_server(&dialer, &server, "ws", turns % 2 ? "localhost" : "127.0.0.1");
        for (int i = 0; i < turns / 2; i++) turn(&server, 1);
        if (dialer.answers == 1) fastws_socket_free(dialer.socket);
        dialer.answers = 1;
    }
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(dialer.refusals, 0);
    server_close(&server);
}

/* ---- Time ---- */

static void gives_a_silent_server_its_time(void **state) {
    struct server server;
    struct dialer dialer;
    struct client peer;
    unsigned port;
    start(&dialer, &server, state);
    int listener = listen_by_hand(&port);
    dialer.config.handshake_timeout_ms = 60;
    uint64_t start_ms = clock_ms();
    assert_int_equal(dial(&dialer, &server, url_of("ws", "127.0.0.1", port)), 0);
    UNTIL(&server, dialer.refusals == 1);
    assert_in_range(clock_ms() - start_ms, 58, WAIT_MS);
    assert_int_equal(dialer.error, FASTWS_ERR_DIAL_TIMEOUT);
    /* One that says a byte now and then, and one that gives a status and never ends. */
    int fd = accept(listener, NULL, NULL);
    close(fd);
    assert_int_equal(dial(&dialer, &server, url_of("ws", "127.0.0.1", port)), 0);
    accept_by_hand(&server, listener, &peer);
    while (dialer.refusals == 1) {
        (void)!send(peer.fd, "H", 1, MSG_NOSIGNAL);
        turn(&server, 5);
        if (dialer.refusals > 1) break;
    }
    client_close(&peer);
    assert_true(dialer.error == FASTWS_ERR_DIAL_TIMEOUT || dialer.error == FASTWS_ERR_HTTP_STATUS_LINE);
    assert_int_equal(dial(&dialer, &server, url_of("ws", "127.0.0.1", port)), 0);
    accept_by_hand(&server, listener, &peer);
    say_by_hand(&peer, "HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\n");
    UNTIL(&server, dialer.refusals == 3);
    assert_int_equal(dialer.error, FASTWS_ERR_HANDSHAKE_STATUS);
    client_close(&peer);
    close(listener);
    server_close(&server);
}

static void a_shutdown_and_the_end_reach_dials(void **state) {
    for (int is_polite = 0; is_polite < 2; is_polite++) {
        struct server server;
        struct dialer dialer;
        unsigned port;
        start(&dialer, &server, state);
        int listener = listen_by_hand(&port);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(dial(&dialer, &server, url_of("ws", i % 2 ? "localhost" : "127.0.0.1", port)), 0);
            turn(&server, 0);
        }
        if (is_polite) {
            fastws_loop_shutdown(server.loop, 1000);
            assert_int_equal(fastws_loop_run(server.loop), 0);
            assert_int_equal(dialer.refusals, 3);
            assert_int_equal(dialer.error, FASTWS_ERR_SHUTDOWN);
        }
        fastws_loop_free(server.loop);
        assert_int_equal(dialer.refusals, 3);
        assert_int_equal(server.memory.live, 0);
        close(listener);
    }
}

/* A dial with the n-th allocation failing. Returns 1 if it failed. */
static int dial_without_memory(int backend, uint64_t n) {
    struct server server;
    struct dialer dialer;
    server_start(&server, backend);
    dialer_prepare(&dialer);
    server.memory.fail_at = server.memory.calls + n;
    int error = dial(&dialer, &server, url_of("ws", "localhost", fastws_listener_port(server.listener)));
    if (error == 0) UNTIL(&server, dialer.opens + dialer.refusals == 1);
    if (error < 0) assert_int_equal(error, FASTWS_ERR_NOMEM);
    int has_failed = server.memory.calls >= server.memory.fail_at;
    server.memory.fail_at = 0;
    if (dialer.opens == 1 && dialer.closes == 0) fastws_socket_free(dialer.socket);
    UNTIL(&server, stats_of(&server).sockets == 0);
    server_close(&server);
    return has_failed;
}

static void survives_a_failing_allocation_anywhere(void **state) {
    uint64_t n = 1;
    while (dial_without_memory(backend_of(state), n)) assert_true(++n < 100);
    assert_true(n > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(dials_and_talks),
        ON_BOTH(looks_names_up_without_waiting),
        ON_BOTH(dials_sockets_in_the_file_system),
        ON_BOTH(agrees_on_a_subprotocol),
        ON_BOTH(takes_answers_cut_anywhere_with_frames_behind),
        ON_BOTH(goes_through_a_proxy),
        ON_BOTH(lets_on_dial_give_a_connection_up),
        ON_BOTH(lets_callbacks_and_others_free_a_dial),
        ON_BOTH(gives_a_silent_server_its_time),
        ON_BOTH(a_shutdown_and_the_end_reach_dials),
        ON_BOTH(survives_a_failing_allocation_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
