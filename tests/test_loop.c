/* SPDX-License-Identifier: MIT */
/* Tests of event loops: handshakes, messages, ends, callbacks that do everything they may, other loops around. */
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "loop_server.h"

static int backend_of(void **state) { return *(int *)*state; }

/* ---- Messages ---- */

static void echoes_messages_of_all_lengths(void **state) {
    struct server server;
    struct client client;
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    const size_t lens[] = {0, 1, 125, 126, 4095, 4096, 65535, 65536, 200000, 1 << 20};
    uint8_t *payload = malloc(1 << 20);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        fill_pattern(payload, lens[i], (uint32_t)i + 1);
        client_send_frame(&server, &client, 0x82, payload, lens[i]);
        expect_frame(&server, &client, 0x82, payload, lens[i]);
    }
    free(payload);
    expect_echo(&server, &client, "text");
    assert_int_equal(server.opens, 1);
    assert_int_equal(server.messages, 11);
    client_close(&client);
    UNTIL(&server, server.closes == 1);
    assert_int_equal(server.kind, FASTWS_EVENT_ERROR);
    assert_int_equal(server.error, FASTWS_ERR_EOF);
    UNTIL(&server, stats_of(&server).sockets == 0);
    server_close(&server);
}

static void takes_requests_cut_anywhere_with_frames_behind(void **state) {
    struct server server;
    struct bytes wire = {0};
    server_start(&server, backend_of(state));
    bytes_put(&wire, REQUEST, strlen(REQUEST));
    put_text(&wire, FASTWS_ROLE_SERVER, "one");
    put_text(&wire, FASTWS_ROLE_SERVER, "two");
    for (size_t cut = 0; cut <= wire.len; cut++) {
        struct client client;
        client_connect(&client, &server);
        client_send(&server, &client, wire.ptr, cut);
        turn(&server, 0);
        client_send(&server, &client, wire.ptr + cut, wire.len - cut);
        assert_int_equal(client_head(&server, &client), 101);
        expect_frame(&server, &client, 0x81, "one", 3);
        expect_frame(&server, &client, 0x81, "two", 3);
        client_close(&client);
    }
    bytes_free(&wire);
    UNTIL(&server, stats_of(&server).sockets == 0);
    server_close(&server);
}

static void takes_everything_one_byte_at_a_time(void **state) {
    struct server server;
    struct client client;
    struct bytes wire = {0};
    server_start(&server, backend_of(state));
    bytes_put(&wire, REQUEST, strlen(REQUEST));
    put_text(&wire, FASTWS_ROLE_SERVER, "slow");
    client_connect(&client, &server);
    for (size_t i = 0; i < wire.len; i++) {
        client_send(&server, &client, wire.ptr + i, 1);
        turn(&server, 0);
    }
    assert_int_equal(client_head(&server, &client), 101);
    expect_frame(&server, &client, 0x81, "slow", 4);
    bytes_free(&wire);
    client_close(&client);
    server_close(&server);
}

static void answers_one_receive_with_one_write(void **state) {
    struct server server;
    struct client client;
    struct bytes wire = {0};
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    uint64_t before = stats_of(&server).writes;
    for (int i = 0; i < 100; i++) put_text(&wire, FASTWS_ROLE_SERVER, "sixteen letters!");
    client_send(&server, &client, wire.ptr, wire.len);
    UNTIL(&server, server.messages == 100);
    assert_int_equal(stats_of(&server).writes - before, 1);
    for (int i = 0; i < 100; i++) expect_frame(&server, &client, 0x81, "sixteen letters!", 16);
    bytes_free(&wire);
    client_close(&client);
    server_close(&server);
}

/* ---- Handshakes ---- */

static int see_target(struct fastws_socket *socket, const struct fastws_upgrade *upgrade) {
    struct fastws_slice target;
    assert_int_equal(fastws_upgrade_target(upgrade, &target), 0);
    assert_int_equal(target.len, strlen("/chat?a=1"));
    assert_ptr_equal(fastws_loop_current(fastws_socket_get_loop(socket)), socket);
    assert_int_equal(fastws_socket_send(socket, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_STATE);
    return server_of(socket)->is_silent ? FASTWS_ERR_HANDSHAKE_REJECTED : 0;
}

static void lets_on_upgrade_accept_or_refuse(void **state) {
    struct server server;
    struct client client;
    server_prepare(&server, backend_of(state));
    server.config.on_upgrade = see_target;
    server_open(&server);
    client_open(&client, &server);
    client_close(&client);
    server.is_silent = 1;
    client_connect(&client, &server);
    client_send_text(&server, &client, REQUEST);
    assert_int_equal(client_head(&server, &client), 403);
    expect_end(&server, &client);
    assert_int_equal(server.refusals, 1);
    assert_int_equal(server.error, FASTWS_ERR_HANDSHAKE_REJECTED);
    client_close(&client);
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(stats_of(&server).refused, 1);
    server_close(&server);
}

static void answers_bad_requests_and_parts(void **state) {
    struct server server;
    static char long_head[20000];
    memset(long_head, 'a', sizeof long_head - 1);
    memcpy(long_head, "GET / HTTP/1.1\r\nX: ", 19);
    const struct {
        const char *request;
        int status, error;
    } cases[] = {
        {"POST / HTTP/1.1\r\n", 405, FASTWS_ERR_HTTP_METHOD},
        {"GET / HTTP/1.0\r\n", 505, FASTWS_ERR_HTTP_VERSION},
        {"\x16\x03\x01", 400, FASTWS_ERR_HTTP_REQUEST_LINE}, /* a client that speaks TLS */
        {"GET / HTTP/1.1\r\n\r\n", 400, FASTWS_ERR_HANDSHAKE_HOST},
        {long_head, 431, FASTWS_ERR_HTTP_HEAD_TOO_LARGE},
    };
    server_start(&server, backend_of(state));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client client;
        client_connect(&client, &server);
        client_send_text(&server, &client, cases[i].request);
        assert_int_equal(client_head(&server, &client), cases[i].status);
        assert_int_equal(server.error, cases[i].error);
        expect_end(&server, &client);
        client_close(&client);
    }
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(server.opens, 0);
    assert_int_equal(server.refusals, 5);
    server_close(&server);
}

static void ends_slow_requests_with_408_and_silent_clients_without(void **state) {
    struct server server;
    struct client slow, silent;
    server_prepare(&server, backend_of(state));
    server.config.handshake_timeout_ms = 60;
    server.conn_config.close_timeout_ms = 100;
    server_open(&server);
    client_connect(&slow, &server);
    client_connect(&silent, &server);
    client_send_text(&server, &slow, "GET / HT");
    assert_int_equal(client_head(&server, &slow), 408);
    expect_end(&server, &silent);
    assert_int_equal(silent.in.len, 0);
    assert_int_equal(server.refusals, 2);
    assert_int_equal(server.error, FASTWS_ERR_HANDSHAKE_TIMEOUT);
    UNTIL(&server, stats_of(&server).sockets == 0); /* slow does not close: the linger has its own time */
    client_close(&slow);
    client_close(&silent);
    server_close(&server);
}

/* ---- Ends ---- */

static void answers_a_close_and_waits_for_the_peer(void **state) {
    struct server server;
    struct client client;
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    client_send_frame(&server, &client, 0x88, "\x03\xe8" "bye", 5);
    expect_close(&server, &client, 1000);
    expect_end(&server, &client);
    assert_int_equal(server.kind, FASTWS_EVENT_CLOSE);
    assert_int_equal(server.code, 1000);
    assert_string_equal(server.reason, "bye");
    assert_int_equal(stats_of(&server).open, 0);
    assert_int_equal(stats_of(&server).sockets, 1); /* until the client closes, too */
    client_close(&client);
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(server.closes, 1);
    server_close(&server);
}

static void tells_a_protocol_error_behind_answers(void **state) {
    struct server server;
    struct client client;
    struct bytes wire = {0};
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    put_text(&wire, FASTWS_ROLE_SERVER, "good");
    put_frame(&wire, FASTWS_ROLE_SERVER, 0xc1, "bad", 3); /* FIN RSV1 text */
    client_send(&server, &client, wire.ptr, wire.len);
    expect_frame(&server, &client, 0x81, "good", 4);
    expect_close(&server, &client, 1002);
    expect_end(&server, &client);
    assert_int_equal(server.error, FASTWS_ERR_RSV);
    bytes_free(&wire);
    client_close(&client);
    server_close(&server);
}

static void closes_from_outside_and_ends_in_time(void **state) {
    struct server server;
    struct client client;
    server_prepare(&server, backend_of(state));
    server.conn_config.close_timeout_ms = 80;
    server_open(&server);
    client_open(&client, &server);
    assert_int_equal(fastws_socket_close(server.sockets[0], 4000, "done", 4), 0);
    client_receive(&client); /* sent outside of callbacks: written at once */
    assert_true(has_frame(&client));
    expect_close(&server, &client, 4000);
    assert_int_equal(fastws_socket_send(server.sockets[0], FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_CLOSED);
    UNTIL(&server, server.closes == 1); /* the client never answers */
    assert_int_equal(server.error, FASTWS_ERR_CLOSE_TIMEOUT);
    UNTIL(&server, stats_of(&server).sockets == 0);
    client_close(&client);
    server_close(&server);
}

static void pings_silent_peers_and_ends_dead_ones(void **state) {
    struct server server;
    struct client alive, dead;
    server_prepare(&server, backend_of(state));
    server.conn_config.ping_interval_ms = 50;
    server.conn_config.ping_timeout_ms = 100;
    server_open(&server);
    client_open(&dead, &server);
    client_open(&alive, &server);
    uint64_t until_ms = clock_ms() + 1000;
    while (server.closes == 0) {
        assert_true(clock_ms() < until_ms + WAIT_MS);
        turn(&server, 5);
        client_receive(&alive);
        if (!has_frame(&alive)) continue;
        struct frame ping = take_frame(&alive.in, &alive.off, FASTWS_ROLE_SERVER);
        assert_int_equal(ping.first, 0x89);
        client_send_frame(&server, &alive, 0x8a, ping.payload, ping.len);
    }
    assert_int_equal(server.error, FASTWS_ERR_PING_TIMEOUT);
    assert_true(server.pongs > 0);
    assert_int_equal(stats_of(&server).open, 1);
    client_close(&alive);
    client_close(&dead);
    server_close(&server);
}

/* A callback that took long used to let peers seem dead whose pongs were waiting to be read. */
static void does_not_blame_peers_for_its_own_delay(void **state) {
    struct server server;
    struct client client;
    server_prepare(&server, backend_of(state));
    server.conn_config.ping_interval_ms = 30;
    server.conn_config.ping_timeout_ms = 30;
    server_open(&server);
    client_open(&client, &server);
    struct frame ping = client_frame(&server, &client);
    assert_int_equal(ping.first, 0x89);
    client_send_frame(&server, &client, 0x8a, ping.payload, ping.len);
    nanosleep(&(struct timespec){.tv_nsec = 120 * 1000000}, NULL);
    turn(&server, 0);
    turn(&server, 0);
    assert_int_equal(server.closes, 0);
    assert_int_equal(server.pongs, 1);
    client_close(&client);
    server_close(&server);
}

/* ---- Callbacks that do what they may ---- */

static struct fastws_socket *victim;

static void free_other(struct fastws_socket *socket, const struct fastws_event *event) {
    note_message(socket, event);
    if (victim != NULL && victim != socket) {
        fastws_socket_free(victim);
        victim = NULL;
    }
}

static void frees_another_socket_of_the_same_batch(void **state) {
    struct server server;
    struct client clients[2];
    server_prepare(&server, backend_of(state));
    server.config.on_message = free_other;
    server_open(&server);
    for (int round = 0; round < 2; round++) { /* whichever is first in the batch */
        for (int i = 0; i < 2; i++) client_open(&clients[i], &server);
        victim = server.sockets[2 * round + round];
        for (int i = 0; i < 2; i++) {
            struct bytes wire = {0};
            put_text(&wire, FASTWS_ROLE_SERVER, "go");
            assert_int_equal(send(clients[i].fd, wire.ptr, wire.len, MSG_NOSIGNAL), wire.len);
            bytes_free(&wire);
        }
        expect_frame(&server, &clients[1 - round], 0x81, "go", 2);
        expect_end(&server, &clients[round]);
        assert_int_equal(stats_of(&server).sockets, 1);
        client_close(&clients[0]);
        client_close(&clients[1]);
        UNTIL(&server, stats_of(&server).sockets == 0);
    }
    server_close(&server);
}

static void send_and_free_self(struct fastws_socket *socket, const struct fastws_event *event) {
    static uint8_t large[8192]; /* borrowed by the queue, were it not for the free */
    server_of(socket)->messages++;
    assert_int_equal(fastws_socket_send(socket, event->opcode, event->ptr, (size_t)event->len), 0);
    assert_int_equal(fastws_socket_send(socket, FASTWS_OPCODE_BINARY, large, sizeof large), 0);
    fastws_socket_free(socket);
    assert_memory_equal(event->ptr, "self", 4); /* views live on */
    fastws_socket_free(socket);
    assert_int_equal(fastws_socket_send(socket, FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_CLOSED);
}

static void frees_itself_while_events_are_left(void **state) {
    struct server server;
    struct client client;
    struct bytes wire = {0};
    server_prepare(&server, backend_of(state));
    server.config.on_message = send_and_free_self;
    server_open(&server);
    client_open(&client, &server);
    for (int i = 0; i < 3; i++) put_text(&wire, FASTWS_ROLE_SERVER, "self");
    client_send(&server, &client, wire.ptr, wire.len);
    expect_end(&server, &client);
    assert_int_equal(server.messages, 1);
    assert_int_equal(server.closes, 0);
    assert_int_equal(stats_of(&server).open, 0);
    bytes_free(&wire);
    client_close(&client);
    server_close(&server);
}

static void free_in_open(struct fastws_socket *socket) { fastws_socket_free(socket); }

static void free_in_close(struct fastws_socket *socket, const struct fastws_event *event) {
    note_close(socket, event);
    fastws_socket_free(socket);
}

static int free_in_upgrade(struct fastws_socket *socket, const struct fastws_upgrade *upgrade) {
    (void)upgrade;
    fastws_socket_free(socket);
    return 0;
}

static int free_in_header(void *context, struct fastws_slice target, struct fastws_reject *reject) {
    (void)target;
    (void)reject;
    fastws_socket_free(fastws_loop_current(((struct server *)context)->loop));
    return 0;
}

static void frees_itself_in_every_callback(void **state) {
    for (int which = 0; which < 4; which++) {
        struct server server;
        struct client client;
        server_prepare(&server, backend_of(state));
        server.upgrade_config.context = &server;
        if (which == 0) server.config.on_open = free_in_open;
        if (which == 1) server.config.on_close = free_in_close;
        if (which == 2) server.config.on_upgrade = free_in_upgrade;
        if (which == 3) server.upgrade_config.on_request = free_in_header;
        server_open(&server);
        client_connect(&client, &server);
        client_send_text(&server, &client, REQUEST);
        if (which == 1) {
            UNTIL(&server, server.opens == 1);
            client_send_frame(&server, &client, 0x88, "\x03\xe8", 2);
        }
        expect_end(&server, &client);
        assert_int_equal(stats_of(&server).sockets, 0);
        assert_int_equal(stats_of(&server).open, 0);
        client_close(&client);
        server_close(&server);
    }
}

static void send_to_all(struct fastws_socket *socket, const struct fastws_event *event) {
    struct server *server = server_of(socket);
    server->messages++;
    for (int i = 0; i < server->opens; i++) {
        assert_int_equal(fastws_socket_send(server->sockets[i], event->opcode, event->ptr, (size_t)event->len), 0);
        assert_int_equal(fastws_socket_send(server->sockets[i], event->opcode, event->ptr, (size_t)event->len), 0);
    }
}

static void sends_to_others_in_one_write_each(void **state) {
    struct server server;
    struct client clients[5];
    server_prepare(&server, backend_of(state));
    server.config.on_message = send_to_all;
    server_open(&server);
    for (int i = 0; i < 5; i++) client_open(&clients[i], &server);
    uint64_t before = stats_of(&server).writes;
    client_send_frame(&server, &clients[0], 0x81, "all", 3);
    for (int i = 0; i < 5; i++) {
        expect_frame(&server, &clients[i], 0x81, "all", 3);
        expect_frame(&server, &clients[i], 0x81, "all", 3);
    }
    assert_int_equal(stats_of(&server).writes - before, 5);
    uint8_t large[10000];
    fill_pattern(large, sizeof large, 1);
    client_send_frame(&server, &clients[0], 0x82, large, sizeof large);
    for (int i = 0; i < 10; i++) expect_frame(&server, &clients[i / 2], 0x82, large, sizeof large);
    for (int i = 0; i < 5; i++) client_close(&clients[i]);
    server_close(&server);
}

static void run_nested(struct fastws_socket *socket, const struct fastws_event *event) {
    struct fastws_loop *loop = fastws_socket_get_loop(socket);
    assert_int_equal(fastws_loop_run_once(loop, 0), FASTWS_ERR_STATE);
    assert_int_equal(fastws_loop_run(loop), FASTWS_ERR_STATE);
    fastws_loop_stop(loop);
    note_message(socket, event);
}

static void runs_until_it_is_stopped_and_never_nested(void **state) {
    struct server server;
    struct client client;
    server_prepare(&server, backend_of(state));
    server.config.on_message = run_nested;
    server_open(&server);
    client_open(&client, &server);
    client_send_frame(&server, &client, 0x81, "stop", 4);
    assert_int_equal(fastws_loop_run(server.loop), 0);
    expect_frame(&server, &client, 0x81, "stop", 4);
    client_close(&client);
    server_close(&server);
}

/* ---- Sockets from elsewhere ---- */

/* The same loop serves both ends. */
static void adopts_clients_and_servers_with_initial_bytes(void **state) {
    struct server server;
    server_start(&server, backend_of(state));
    struct server peer = server; /* the client's side of the callbacks */
    fastws_conn_config_init(&peer.conn_config, FASTWS_ROLE_CLIENT);
    peer.config.conn = &peer.conn_config;
    peer.config.context = &peer;
    peer.is_silent = 1;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct bytes initial = {0};
    put_text(&initial, FASTWS_ROLE_SERVER, "first");
    struct fastws_socket *ends[2];
    assert_int_equal(fastws_loop_adopt(server.loop, &server.config, fds[0], initial.ptr, initial.len, &ends[0]), 0);
    assert_int_equal(fastws_loop_adopt(server.loop, &peer.config, fds[1], NULL, 0, &ends[1]), 0);
    bytes_free(&initial);
    fastws_socket_set_user(ends[1], &peer);
    assert_ptr_equal(fastws_socket_get_user(ends[1]), &peer);
    assert_int_equal(server.opens + peer.opens, 0);
    assert_int_equal(fastws_socket_send(ends[1], FASTWS_OPCODE_TEXT, "second", 6), 0);
    UNTIL(&server, peer.messages == 2); /* both are echoed */
    assert_int_equal(server.messages, 2);
    assert_int_equal(fastws_socket_close(ends[1], 1000, "", 0), 0);
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(peer.kind, FASTWS_EVENT_CLOSE);
    assert_int_equal(server.kind, FASTWS_EVENT_CLOSE);
    server_close(&server);
}

static void accepts_sockets_that_others_accepted(void **state) {
    struct server server;
    struct client client;
    int fds[2];
    server_start(&server, backend_of(state));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fastws_loop_accept(server.loop, &server.config, fds[0], NULL), 0);
    client_of_fd(&client, fds[1]);
    client_send_text(&server, &client, REQUEST);
    assert_int_equal(client_head(&server, &client), 101);
    expect_echo(&server, &client, "pair");
    client_close(&client);
    UNTIL(&server, stats_of(&server).sockets == 0);
    server_close(&server);
}

/* ---- Listeners ---- */

static void listens_at_a_path(void **state) {
    struct server server;
    struct client client;
    char folder[] = "/tmp/fastws-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    server_start(&server, backend_of(state));
    int left = socket(AF_UNIX, SOCK_STREAM, 0); /* what a process that crashed leaves */
    assert_int_equal(bind(left, (struct sockaddr *)&address, sizeof address), 0);
    close(left);
    struct fastws_listener *listener;
    assert_int_equal(fastws_loop_listen_unix(server.loop, &server.config, address.sun_path, &listener), 0);
    assert_int_equal(fastws_listener_port(listener), 0);
    assert_int_equal(fastws_loop_listen_unix(server.loop, &server.config, address.sun_path, NULL),
                     FASTWS_ERR_ADDRESS_IN_USE);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    client_of_fd(&client, fd);
    client_send_text(&server, &client, REQUEST);
    assert_int_equal(client_head(&server, &client), 101);
    expect_echo(&server, &client, "path");
    client_close(&client);
    fastws_listener_free(listener);
    assert_int_not_equal(access(address.sun_path, F_OK), 0);
    int file = open(address.sun_path, O_CREAT | O_WRONLY, 0600); /* no socket: not ours to remove */
    close(file);
    assert_int_equal(fastws_loop_listen_unix(server.loop, &server.config, address.sun_path, NULL),
                     FASTWS_ERR_ADDRESS_IN_USE);
    unlink(address.sun_path);
    rmdir(folder);
    server_close(&server);
}

static void listens_with_an_inherited_socket(void **state) {
    struct server server;
    struct client client;
    server_start(&server, backend_of(state));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(fastws_loop_listen_fd(server.loop, &server.config, fd, NULL), FASTWS_ERR_LISTEN);
    assert_int_equal(listen(fd, 5), 0); /* at any port */
    struct fastws_listener *listener;
    assert_int_equal(fastws_loop_listen_fd(server.loop, &server.config, fd, &listener), 0);
    assert_int_equal(fastws_listener_fd(listener), fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    client_connect_to(&client, fastws_listener_port(listener));
    client_send_text(&server, &client, REQUEST);
    assert_int_equal(client_head(&server, &client), 101);
    client_close(&client);
    server_close(&server);
}

static void refuses_addresses_and_configurations(void **state) {
    struct server server;
    server_start(&server, backend_of(state));
    char port[8];
    snprintf(port, sizeof port, "%u", fastws_listener_port(server.listener));
    struct fastws_loop *loop = server.loop;
    struct fastws_socket_config bad = server.config;
    assert_int_equal(fastws_loop_listen(loop, &bad, "127.0.0.1", port, 0, NULL), FASTWS_ERR_ADDRESS_IN_USE);
    assert_int_equal(fastws_loop_listen(loop, &bad, "127.0.0.1", "x", 0, NULL), FASTWS_ERR_ADDRESS);
    assert_int_equal(fastws_loop_listen(loop, &bad, "127.0.0.1", NULL, 0, NULL), FASTWS_ERR_ADDRESS);
    /* The system used to take 65536 for any port, 99999 for 34463, and "http" for 80. */
    static const char *const no_ports[] = {"", "65536", "99999", "4294967296", "-1", "+1", " 1", "1 ", "0x1", "http"};
    for (size_t i = 0; i < sizeof no_ports / sizeof *no_ports; i++) {
        assert_int_equal(fastws_loop_listen(loop, &bad, "127.0.0.1", no_ports[i], 0, NULL), FASTWS_ERR_ADDRESS);
    }
    assert_int_equal(fastws_loop_listen(loop, &bad, "192.0.2.1", "0", 0, NULL), FASTWS_ERR_ADDRESS);
    assert_int_equal(fastws_loop_listen_unix(loop, &bad, "/nowhere/at/all", NULL), FASTWS_ERR_ADDRESS);
    assert_int_equal(fastws_loop_listen_unix(loop, &bad, "", NULL), FASTWS_ERR_ADDRESS);
    struct fastws_conn_config client;
    fastws_conn_config_init(&client, FASTWS_ROLE_CLIENT);
    bad.conn = &client;
    assert_int_equal(fastws_loop_listen(loop, &bad, NULL, "0", 0, NULL), FASTWS_ERR_ARGUMENT);
    client.size = 1;
    assert_int_equal(fastws_loop_adopt(loop, &bad, 0, NULL, 0, NULL), FASTWS_ERR_ARGUMENT);
    bad = server.config;
    bad.slow_policy = 9;
    assert_int_equal(fastws_loop_listen(loop, &bad, NULL, "0", 0, NULL), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_loop_adopt(loop, &server.config, -1, NULL, 0, NULL), FASTWS_ERR_IO);
    struct fastws_loop *none;
    struct fastws_loop_config config = server.loop_config;
    config.turn_sockets = 0;
    assert_int_equal(fastws_loop_new(&config, &none), FASTWS_ERR_ARGUMENT);
    config = server.loop_config;
    config.backend = 3;
    assert_int_equal(fastws_loop_new(&config, &none), FASTWS_ERR_ARGUMENT);
    server_close(&server);
}

static void holds_clients_off_while_it_has_sockets_max(void **state) {
    struct server server;
    struct client clients[3];
    server_prepare(&server, backend_of(state));
    server.config.sockets_max = 2;
    server_open(&server);
    for (int i = 0; i < 3; i++) client_connect(&clients[i], &server);
    for (int i = 0; i < 5; i++) turn(&server, 5);
    assert_int_equal(stats_of(&server).accepted, 2);
    client_close(&clients[0]);
    UNTIL(&server, stats_of(&server).accepted == 3);
    client_close(&clients[1]);
    client_close(&clients[2]);
    server_close(&server);
}

/* ---- Turns ---- */

static void gives_every_socket_its_turn(void **state) {
    enum { CLIENTS = 7, ROUNDS = 20 };
    struct server server;
    struct client clients[CLIENTS];
    struct bytes wire = {0};
    server_prepare(&server, backend_of(state));
    server.loop_config.turn_sockets = 3;
    server.loop_config.turn_len = 1; /* after each socket */
    server_open(&server);
    for (int i = 0; i < CLIENTS; i++) client_open(&clients[i], &server);
    put_text(&wire, FASTWS_ROLE_SERVER, "turn");
    for (int round = 0; round < ROUNDS; round++) {
        int before = server.messages;
        for (int i = 0; i < CLIENTS; i++) assert_int_equal(send(clients[i].fd, wire.ptr, wire.len, 0), wire.len);
        for (int turns = 1; turns <= CLIENTS; turns++) {
            turn(&server, 100);
            assert_int_equal(server.messages, before + turns); /* one each, never more */
        }
        for (int i = 0; i < CLIENTS; i++) expect_frame(&server, &clients[i], 0x81, "turn", 4);
    }
    bytes_free(&wire);
    for (int i = 0; i < CLIENTS; i++) client_close(&clients[i]);
    server_close(&server);
}

static int is_readable(int fd, int timeout_ms) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    return poll(&entry, 1, timeout_ms) == 1;
}

static void count_post(struct fastws_loop *loop, struct fastws_post *post) {
    (void)loop;
    post->run = NULL;
}

static void is_driven_by_another_loop(void **state) {
    struct server server;
    struct client client;
    server_prepare(&server, backend_of(state));
    server.conn_config.ping_interval_ms = 100;
    server_open(&server);
    if (backend_of(state) == FASTWS_BACKEND_POLL) {
        assert_int_equal(fastws_loop_fd(server.loop), FASTWS_ERR_BACKEND);
        assert_string_equal(fastws_loop_backend_name(server.loop), "poll");
        server_close(&server);
        return;
    }
    assert_string_equal(fastws_loop_backend_name(server.loop), "epoll");
    int fd = fastws_loop_fd(server.loop);
    client_open(&client, &server);
    while (is_readable(fd, 0)) turn(&server, 0);
    assert_true(is_readable(fd, WAIT_MS)); /* the deadline of the ping */
    turn(&server, 0);
    expect_frame(&server, &client, 0x89, "fws\0\0\0\0\1", 8);
    while (is_readable(fd, 0)) turn(&server, 0);
    struct fastws_post post = {.run = count_post};
    fastws_loop_post(server.loop, &post);
    assert_true(is_readable(fd, 0));
    turn(&server, 0);
    assert_null(post.run);
    assert_false(is_readable(fd, 0));
    client_send_frame(&server, &client, 0x81, "data", 4);
    assert_true(is_readable(fd, WAIT_MS));
    int fds[2];
    turn(&server, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fastws_loop_adopt(server.loop, &server.config, fds[0], NULL, 0, NULL), 0);
    assert_true(is_readable(fd, 0));
    turn(&server, 0);
    assert_int_equal(server.opens, 2);
    close(fds[1]);
    client_close(&client);
    server_close(&server);
}

/* ---- Shutdown ---- */

static void shuts_down_politely(void **state) {
    struct server server;
    struct client open, half, silent;
    server_start(&server, backend_of(state));
    client_open(&open, &server);
    client_connect(&half, &server);
    client_send_text(&server, &half, "GET / HTTP/1.1\r\n");
    client_connect(&silent, &server);
    UNTIL(&server, stats_of(&server).accepted == 3);
    for (int i = 0; i < 3; i++) turn(&server, 5);
    client_send_frame(&server, &open, 0x81, "last", 4);
    fastws_loop_shutdown(server.loop, 0);
    assert_int_equal(fastws_loop_listen(server.loop, &server.config, NULL, "0", 0, NULL), FASTWS_ERR_STATE);
    assert_int_equal(client_head(&server, &half), 503);
    expect_end(&server, &silent);
    expect_frame(&server, &open, 0x81, "last", 4);
    expect_close(&server, &open, 1001);
    client_send_frame(&server, &open, 0x88, "\x03\xe9", 2);
    expect_end(&server, &open);
    assert_int_equal(server.kind, FASTWS_EVENT_CLOSE);
    client_close(&open);
    client_close(&half);
    client_close(&silent);
    assert_int_equal(fastws_loop_run(server.loop), 0); /* returns when all are gone */
    assert_int_equal(stats_of(&server).sockets, 0);
    server_close(&server);
}

static void cuts_off_what_is_left_at_the_deadline(void **state) {
    struct server server;
    struct client open;
    server_start(&server, backend_of(state));
    client_open(&open, &server);
    fastws_loop_shutdown(server.loop, 50);
    uint64_t start_ms = clock_ms();
    assert_int_equal(fastws_loop_run(server.loop), 0);
    assert_in_range(clock_ms() - start_ms, 45, WAIT_MS);
    assert_int_equal(server.error, FASTWS_ERR_SHUTDOWN);
    assert_int_equal(server.code, 1006);
    client_close(&open);
    server_close(&server);
}

static void ends_everything_when_it_is_freed(void **state) {
    struct server server;
    struct client open, half;
    server_start(&server, backend_of(state));
    client_open(&open, &server);
    client_connect(&half, &server);
    UNTIL(&server, stats_of(&server).accepted == 2);
    struct fastws_post post = {.run = count_post};
    fastws_loop_post(server.loop, &post);
    fastws_loop_free(server.loop);
    assert_null(post.run);
    assert_int_equal(server.closes, 1);
    assert_int_equal(server.refusals, 1);
    assert_int_equal(server.error, FASTWS_ERR_SHUTDOWN);
    assert_int_equal(server.memory.live, 0);
    client_close(&open);
    client_close(&half);
    assert_int_equal(first_free_fd(), server.fds);
    fastws_loop_free(NULL);
}

/* The set of epoll is shared with the child: what it says to it, the parent would hear. */
static void a_child_drops_the_loop(void **state) {
    struct server server;
    struct client client;
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int wrong = fastws_loop_run_once(server.loop, 0) != FASTWS_ERR_FORKED;
        wrong |= fastws_loop_listen(server.loop, &server.config, NULL, "0", 0, NULL) != FASTWS_ERR_FORKED;
        wrong |= fastws_loop_adopt(server.loop, &server.config, 0, NULL, 0, NULL) != FASTWS_ERR_FORKED;
        fastws_loop_free(server.loop);
        wrong |= server.closes != 0 || server.memory.live != 0;
        _exit(wrong);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect_echo(&server, &client, "parent");
    struct client other;
    client_open(&other, &server);
    client_close(&client);
    client_close(&other);
    server_close(&server);
}

/* ---- Memory ---- */

/* What the allocator was asked for: the connection, the state of its socket (48 bytes), and its share of the heap of
 * deadlines (16 bytes, and a little that waits for more sockets). */
static void an_idle_socket_takes_72_bytes_beside_its_connection(void **state) {
    enum { SOCKETS = 400 };
    struct server server;
    static int fds[SOCKETS][2];
    server_start(&server, backend_of(state));
    for (int i = 0; i < SOCKETS; i++) assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
    size_t before = 0;
    for (int i = 0; i < SOCKETS; i++) {
        if (i == SOCKETS / 2) before = server.memory.live;
        assert_int_equal(fastws_loop_adopt(server.loop, &server.config, fds[i][0], NULL, 0, NULL), 0);
        turn(&server, 0);
    }
    size_t each = (server.memory.live - before) / (SOCKETS / 2);
    size_t least = fastws_conn_sizeof();
    if (backend_of(state) == FASTWS_BACKEND_EPOLL) assert_in_range(each, least, least + 72);
    for (int i = 0; i < SOCKETS; i++) close(fds[i][1]);
    server_close(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(echoes_messages_of_all_lengths),
        ON_BOTH(takes_requests_cut_anywhere_with_frames_behind),
        ON_BOTH(takes_everything_one_byte_at_a_time),
        ON_BOTH(answers_one_receive_with_one_write),
        ON_BOTH(lets_on_upgrade_accept_or_refuse),
        ON_BOTH(answers_bad_requests_and_parts),
        ON_BOTH(ends_slow_requests_with_408_and_silent_clients_without),
        ON_BOTH(answers_a_close_and_waits_for_the_peer),
        ON_BOTH(tells_a_protocol_error_behind_answers),
        ON_BOTH(closes_from_outside_and_ends_in_time),
        ON_BOTH(pings_silent_peers_and_ends_dead_ones),
        ON_BOTH(does_not_blame_peers_for_its_own_delay),
        ON_BOTH(frees_another_socket_of_the_same_batch),
        ON_BOTH(frees_itself_while_events_are_left),
        ON_BOTH(frees_itself_in_every_callback),
        ON_BOTH(sends_to_others_in_one_write_each),
        ON_BOTH(runs_until_it_is_stopped_and_never_nested),
        ON_BOTH(adopts_clients_and_servers_with_initial_bytes),
        ON_BOTH(accepts_sockets_that_others_accepted),
        ON_BOTH(listens_at_a_path),
        ON_BOTH(listens_with_an_inherited_socket),
        ON_BOTH(refuses_addresses_and_configurations),
        ON_BOTH(holds_clients_off_while_it_has_sockets_max),
        ON_BOTH(gives_every_socket_its_turn),
        ON_BOTH(is_driven_by_another_loop),
        ON_BOTH(shuts_down_politely),
        ON_BOTH(cuts_off_what_is_left_at_the_deadline),
        ON_BOTH(ends_everything_when_it_is_freed),
        ON_BOTH(a_child_drops_the_loop),
        ON_BOTH(an_idle_socket_takes_72_bytes_beside_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
