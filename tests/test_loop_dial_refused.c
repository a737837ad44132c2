/* SPDX-License-Identifier: MIT */
/* Tests of clients on event loops that get nowhere: each refusal by its name. */
#include "loop_clients.h"

static int backend_of(void **state) { return *(int *)*state; }

static void start(struct dialer *dialer, struct server *server, void **state) {
    server_start(server, backend_of(state));
    dialer_prepare(dialer);
}

static struct fastws_slice slice_of(const char *text) { return (struct fastws_slice){text, strlen(text)}; }

static void refuses_what_makes_no_sense(void **state) {
    struct server server;
    struct dialer dialer;
    start(&dialer, &server, state);
    assert_int_equal(dial(&dialer, &server, "http://localhost/"), FASTWS_ERR_URL_SCHEME);
    assert_int_equal(dial(&dialer, &server, "ws:///"), FASTWS_ERR_URL_HOST);
    char path[400] = "ws+unix:///";
    memset(path + strlen(path), 'x', 300);
    assert_int_equal(dial(&dialer, &server, path), FASTWS_ERR_DIAL_CONNECT);
    dialer.config.proxy = "socks5://localhost";
    assert_int_equal(dial(&dialer, &server, "ws://localhost/"), FASTWS_ERR_PROXY_URL);
    dialer.config.proxy = "http://ho st";
    assert_int_equal(dial(&dialer, &server, "ws://localhost/"), FASTWS_ERR_PROXY_URL);
    dialer.config.proxy = NULL;
    dialer.dial_config.host = slice_of("a b");
    assert_int_equal(dial(&dialer, &server, "ws://localhost/"), FASTWS_ERR_HANDSHAKE_HEADER);
    dialer.dial_config.host = slice_of("");
    dialer.conn_config.role = FASTWS_ROLE_SERVER;
    assert_int_equal(dial(&dialer, &server, "ws://localhost/"), FASTWS_ERR_ARGUMENT);
    dialer.conn_config.role = FASTWS_ROLE_CLIENT;
    if (!fastws_tls_is_available()) {
        assert_int_equal(dial(&dialer, &server, "wss://localhost/"), FASTWS_ERR_TLS_UNAVAILABLE);
    }
    fastws_loop_shutdown(server.loop, 0);
    assert_int_equal(dial(&dialer, &server, "ws://localhost/"), FASTWS_ERR_STATE);
    assert_int_equal(stats_of(&server).sockets, 0);
    server_close(&server);
}

static void tells_that_nobody_listens(void **state) {
    struct server server;
    struct dialer dialer;
    unsigned port;
    start(&dialer, &server, state);
    close(listen_by_hand(&port));
    assert_int_equal(dial(&dialer, &server, url_of("ws", "127.0.0.1", port)), 0);
    UNTIL(&server, dialer.refusals == 1);
    assert_int_equal(dialer.error, FASTWS_ERR_DIAL_CONNECT);
    assert_int_equal(dial(&dialer, &server, "ws+unix:///nowhere/socket:/"), 0);
    UNTIL(&server, dialer.refusals == 2);
    assert_int_equal(dialer.error, FASTWS_ERR_DIAL_CONNECT);
    assert_int_equal(dial(&dialer, &server, "ws://no-such-host.invalid/"), 0);
    UNTIL(&server, dialer.refusals == 3);
    assert_int_equal(dialer.error, FASTWS_ERR_DIAL_RESOLVE);
    assert_int_equal(stats_of(&server).refused, 3);
    assert_int_equal(stats_of(&server).sockets, 0);
    server_close(&server);
}

/* What a peer played by hand says, and what comes of it. */
static void names_what_is_wrong_with_an_answer(void **state) {
    const struct {
        const char *answer;
        int error, status, answers;
    } cases[] = {
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", FASTWS_ERR_HANDSHAKE_STATUS, 403, 1},
        {"HTTP/1.1 302 Found\r\nLocation: ws://other/\r\n\r\n", FASTWS_ERR_HANDSHAKE_REDIRECT, 302, 1},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", FASTWS_ERR_HANDSHAKE_ACCEPT, 101, 0},
        {"SSH-2.0-OpenSSH\r\n", FASTWS_ERR_HTTP_STATUS_LINE, 0, 0},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 20\r\n\r\ncut", FASTWS_ERR_HANDSHAKE_STATUS, 500, 1},
        {"HTTP/1.1 10", FASTWS_ERR_UNEXPECTED_EOF, 0, 0},
    };
    struct server server;
    unsigned port;
    server_start(&server, backend_of(state));
    int listener = listen_by_hand(&port);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dialer dialer;
        struct client peer;
        dialer_prepare(&dialer);
        dialer.dial_config.is_redirect_told = 1;
        assert_int_equal(dial(&dialer, &server, url_of("ws", "127.0.0.1", port)), 0);
        accept_by_hand(&server, listener, &peer);
        say_by_hand(&peer, cases[i].answer);
        shutdown(peer.fd, SHUT_WR);
        UNTIL(&server, dialer.refusals == 1);
        assert_int_equal(dialer.error, cases[i].error);
        assert_int_equal(dialer.answers, cases[i].answers);
        if (dialer.answers > 0) assert_int_equal(dialer.status, cases[i].status);
        if (dialer.answers > 0) assert_int_equal(dialer.answered_by, cases[i].error);
        client_close(&peer);
    }
    close(listener);
    server_close(&server);
}

static void names_what_is_wrong_with_a_proxy(void **state) {
    static char long_head[20000];
    memset(long_head, 'a', sizeof long_head - 1);
    memcpy(long_head, "HTTP/1.1 200 OK\r\nX: ", 20);
    const struct {
        const char *answer;
        int error;
    } cases[] = {
        {"HTTP/1.1 407 No\r\n\r\n", FASTWS_ERR_PROXY_AUTH},
        {"HTTP/1.1 502 Bad Gateway\r\n\r\n", FASTWS_ERR_PROXY_REFUSED},
        {"HTTP/1.1 200 OK\r\n\r\nx", FASTWS_ERR_PROXY_ANSWER},
        {"SSH-2.0-OpenSSH\r\n", FASTWS_ERR_PROXY_ANSWER},
        {long_head, FASTWS_ERR_HTTP_HEAD_TOO_LARGE},
        {"", FASTWS_ERR_PROXY_ANSWER},
    };
    struct server server;
    unsigned port;
    char proxy[64];
    server_start(&server, backend_of(state));
    int listener = listen_by_hand(&port);
    snprintf(proxy, sizeof proxy, "127.0.0.1:%u", port);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dialer dialer;
        struct client peer;
        dialer_prepare(&dialer);
        dialer.config.proxy = proxy;
        assert_int_equal(dial(&dialer, &server, "ws://chat.example/"), 0);
        accept_by_hand(&server, listener, &peer);
        say_by_hand(&peer, cases[i].answer);
        shutdown(peer.fd, SHUT_WR);
        UNTIL(&server, dialer.refusals == 1);
        assert_int_equal(dialer.error, cases[i].error);
        assert_int_equal(dialer.answers, 0);
        client_close(&peer);
    }
    close(listener);
    server_close(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(refuses_what_makes_no_sense),
        ON_BOTH(tells_that_nobody_listens),
        ON_BOTH(names_what_is_wrong_with_an_answer),
        ON_BOTH(names_what_is_wrong_with_a_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
