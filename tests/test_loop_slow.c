/* SPDX-License-Identifier: MIT */
/* Tests of event loops whose peers read slowly or not at all: marks, policies, pauses, stalls. */
#include "loop_server.h"

static int backend_of(void **state) { return *(int *)*state; }

enum { MESSAGE_LEN = 16 * 1024 };

static uint8_t payload[MESSAGE_LEN];

/* A server with one client, whose socket buffers are small. */
static void start(struct server *server, struct client *client, int backend, int policy) {
    server_prepare(server, backend);
    server->config.slow_policy = (uint8_t)policy;
    server_open(server);
    client_open(client, server);
    fill_pattern(payload, sizeof payload, 7);
    assert_int_equal(setsockopt(fastws_socket_fd(server->sockets[0]), SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int)),
                     0);
}

/* Sends numbered messages until one returns something else than 0, or limit. Returns how many it took. */
static int fill(struct server *server, int limit, int *error) {
    int count = 0;
    for (*error = 0; count < limit; count++) {
        payload[0] = (uint8_t)count;
        payload[1] = (uint8_t)(count >> 8);
        *error = fastws_socket_send(server->sockets[0], FASTWS_OPCODE_BINARY, payload, sizeof payload);
        if (*error < 0) break;
    }
    return count;
}

/* Takes a message of fill(). Returns its number. */
static int take_number(struct server *server, struct client *client) {
    struct frame frame = client_frame(server, client);
    assert_int_equal(frame.first, 0x82);
    assert_int_equal(frame.len, sizeof payload);
    const uint8_t *bytes = frame.payload;
    assert_memory_equal(bytes + 2, payload + 2, sizeof payload - 2);
    return bytes[0] | bytes[1] << 8;
}

static void finish(struct server *server, struct client *client) {
    client_close(client);
    UNTIL(server, stats_of(server).sockets == 0);
    server_close(server);
}

static void waits_up_to_queue_max_and_tells_of_the_drain(void **state) {
    struct server server;
    struct client client;
    int error;
    start(&server, &client, backend_of(state), FASTWS_SLOW_WAIT);
    int sent = fill(&server, 10000, &error);
    assert_int_equal(error, FASTWS_ERR_QUEUE_FULL);
    uint64_t queued = fastws_socket_queued_len(server.sockets[0]);
    assert_in_range(queued, server.config.queue_max, server.config.queue_max + 2 * sizeof payload);
    assert_false(fastws_socket_is_writable(server.sockets[0]));
    assert_int_equal(server.drains, 0);
    for (int i = 0; i < sent; i++) assert_int_equal(take_number(&server, &client), i);
    UNTIL(&server, server.drains == 1);
    assert_true(fastws_socket_is_writable(server.sockets[0]));
    finish(&server, &client);
}

static void send_and_ping(struct fastws_socket *socket, const struct fastws_event *event) {
    (void)event;
    assert_int_equal(fastws_socket_send(socket, FASTWS_OPCODE_BINARY, payload, 58), 0);
    assert_true(fastws_socket_is_writable(socket));
    assert_int_equal(fastws_socket_ping(socket, "12345", 5), 0);
    assert_false(fastws_socket_is_writable(socket));
}

/* Only messages used to be followed by it. */
static void tells_of_the_drain_where_a_ping_has_passed_the_mark(void **state) {
    struct server server;
    struct client client;
    struct bytes wire = {0};
    server_prepare(&server, backend_of(state));
    server.conn_config.queue_high = 64;
    server.conn_config.queue_low = 32;
    server.config.on_message = send_and_ping;
    server_open(&server);
    client_open(&client, &server);
    put_frame(&wire, FASTWS_ROLE_SERVER, 0x82, "x", 1);
    client_send(&server, &client, wire.ptr, wire.len);
    UNTIL(&server, server.drains == 1);
    assert_true(fastws_socket_is_writable(server.sockets[0]));
    bytes_free(&wire);
    finish(&server, &client);
}

static void does_not_read_a_peer_that_does_not(void **state) {
    enum { COUNT = 300 };
    struct server server;
    struct client client;
    struct bytes wire = {0};
    start(&server, &client, backend_of(state), FASTWS_SLOW_WAIT);
    for (int i = 0; i < COUNT; i++) {
        payload[0] = (uint8_t)i;
        payload[1] = (uint8_t)(i >> 8);
        put_frame(&wire, FASTWS_ROLE_SERVER, 0x82, payload, sizeof payload);
    }
    size_t sent = 0;
    uint64_t quiet_ms = clock_ms() + 100;
    while (clock_ms() < quiet_ms && sent < wire.len) {
        ssize_t n = send(client.fd, wire.ptr + sent, wire.len - sent, MSG_NOSIGNAL);
        if (n > 0) sent += (size_t)n;
        if (n > 0) quiet_ms = clock_ms() + 100;
        turn(&server, 0);
    }
    assert_true(server.messages < COUNT);
    assert_true(fastws_socket_queued_len(server.sockets[0]) < 64 * 1024 + 5 * sizeof payload);
    client_send(&server, &client, wire.ptr + sent, wire.len - sent);
    for (int i = 0; i < COUNT; i++) assert_int_equal(take_number(&server, &client), i);
    bytes_free(&wire);
    finish(&server, &client);
}

static void drops_the_newest(void **state) {
    struct server server;
    struct client client;
    int error;
    start(&server, &client, backend_of(state), FASTWS_SLOW_DROP_NEWEST);
    int sent = fill(&server, 10000, &error);
    assert_int_equal(error, FASTWS_ERR_DROPPED);
    assert_int_equal(fill(&server, 1, &error), 0);
    assert_int_equal(stats_of(&server).messages_dropped, 2);
    for (int i = 0; i < sent; i++) assert_int_equal(take_number(&server, &client), i);
    UNTIL(&server, server.drains == 1);
    assert_int_equal(fill(&server, 1, &error), 1);
    assert_int_equal(take_number(&server, &client), 0);
    finish(&server, &client);
}

static void drops_the_oldest(void **state) {
    enum { COUNT = 500 };
    struct server server;
    struct client client;
    int error;
    start(&server, &client, backend_of(state), FASTWS_SLOW_DROP_OLDEST);
    assert_int_equal(fill(&server, COUNT, &error), COUNT);
    int dropped = (int)stats_of(&server).messages_dropped;
    assert_true(dropped > 0);
    assert_true(fastws_socket_queued_len(server.sockets[0]) < 2 * 64 * 1024 + 3 * sizeof payload);
    assert_int_equal(fastws_socket_close(server.sockets[0], 1000, "", 0), 0); /* behind what waits in line */
    int last = -1, gaps = 0;
    for (int i = 0; i < COUNT - dropped; i++) {
        int number = take_number(&server, &client);
        assert_true(number > last);
        gaps += number != last + 1;
        last = number;
    }
    assert_int_equal(last, COUNT - 1); /* the newest is kept */
    assert_int_equal(gaps, 1);
    expect_close(&server, &client, 1000);
    finish(&server, &client);
}

static void moves_the_line_on_as_the_peer_reads(void **state) {
    struct server server;
    struct client client;
    int error;
    start(&server, &client, backend_of(state), FASTWS_SLOW_DROP_OLDEST);
    assert_int_equal(fill(&server, 200, &error), 200);
    struct fastws_prepared *prepared;
    assert_int_equal(fastws_prepared_new(NULL, FASTWS_OPCODE_TEXT, "end", 3, &prepared), 0);
    assert_int_equal(fastws_socket_send_prepared(server.sockets[0], prepared), 0);
    fastws_prepared_release(prepared);
    int left = 200 - (int)stats_of(&server).messages_dropped;
    for (int i = 0; i < left; i++) (void)take_number(&server, &client);
    expect_frame(&server, &client, 0x81, "end", 3);
    UNTIL(&server, server.drains == 1);
    finish(&server, &client);
}

static void a_line_is_freed_with_its_socket(void **state) {
    struct server server;
    struct client client;
    int error;
    start(&server, &client, backend_of(state), FASTWS_SLOW_DROP_OLDEST);
    assert_int_equal(fill(&server, 200, &error), 200);
    fastws_socket_free(server.sockets[0]);
    finish(&server, &client);
}

static void closes_a_slow_peer(void **state) {
    struct server server;
    struct client client;
    int error;
    start(&server, &client, backend_of(state), FASTWS_SLOW_CLOSE);
    int sent = fill(&server, 10000, &error);
    assert_int_equal(error, FASTWS_ERR_CLOSED);
    assert_int_equal(server.closes, 0);
    for (int i = 0; i < sent; i++) assert_int_equal(take_number(&server, &client), i);
    expect_close(&server, &client, 1008);
    client_send_frame(&server, &client, 0x88, "\x03\xf0", 2);
    UNTIL(&server, server.closes == 1);
    assert_int_equal(server.error, FASTWS_ERR_SLOW_CONSUMER);
    assert_int_equal(server.code, 1008);
    finish(&server, &client);
}

static void cuts_off_a_peer_that_takes_nothing(void **state) {
    struct server server;
    struct client client;
    int error;
    server_prepare(&server, backend_of(state));
    server.config.stall_timeout_ms = 80;
    server_open(&server);
    client_open(&client, &server);
    nanosleep(&(struct timespec){.tv_nsec = 150 * 1000000}, NULL); /* silence before the first send does not count */
    uint64_t start_ms = clock_ms();
    (void)fill(&server, 10000, &error);
    assert_int_equal(error, FASTWS_ERR_QUEUE_FULL);
    UNTIL(&server, server.closes == 1);
    assert_in_range(clock_ms() - start_ms, 78, WAIT_MS);
    assert_int_equal(server.error, FASTWS_ERR_SLOW_CONSUMER);
    assert_int_equal(stats_of(&server).sockets, 0); /* no linger: there is nobody to wait for */
    client_close(&client);
    server_close(&server);
}

/* ---- Pauses ---- */

static void pause_in_message(struct fastws_socket *socket, const struct fastws_event *event) {
    note_message(socket, event);
    fastws_socket_pause(socket);
}

static void reads_nothing_while_it_is_paused(void **state) {
    struct server server;
    struct client client;
    server_prepare(&server, backend_of(state));
    server.config.on_message = pause_in_message;
    server.conn_config.ping_interval_ms = 20; /* not while it is paused */
    server.conn_config.ping_timeout_ms = 20;
    server_open(&server);
    client_open(&client, &server);
    for (int round = 1; round <= 3; round++) {
        expect_echo(&server, &client, "paused");
        client_send_frame(&server, &client, 0x81, "later", 5);
        uint64_t until_ms = clock_ms() + 60;
        while (clock_ms() < until_ms) turn(&server, 5);
        assert_int_equal(server.messages, 2 * round - 1);
        assert_false(has_frame(&client));
        fastws_socket_resume(server.sockets[0]);
        expect_frame(&server, &client, 0x81, "later", 5);
        fastws_socket_resume(server.sockets[0]);
    }
    assert_int_equal(server.closes, 0);
    client_close(&client);
    server_close(&server);
}

/* A socket that is hung up is ready for ever: a paused one used to keep the loop turning, or to lose messages. */
static void keeps_messages_of_a_peer_that_left_while_it_was_paused(void **state) {
    struct server server;
    int fds[2];
    server_prepare(&server, backend_of(state));
    server.is_silent = 1;
    server_open(&server);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct fastws_socket *socket;
    assert_int_equal(fastws_loop_adopt(server.loop, &server.config, fds[0], NULL, 0, &socket), 0);
    turn(&server, 0);
    fastws_socket_pause(socket);
    struct bytes wire = {0};
    put_text(&wire, FASTWS_ROLE_SERVER, "last words");
    assert_int_equal(send(fds[1], wire.ptr, wire.len, 0), wire.len);
    close(fds[1]);
    bytes_free(&wire);
    turn(&server, 5);
    uint64_t start_ms = clock_ms();
    turn(&server, 30);
    assert_in_range(clock_ms() - start_ms, 25, WAIT_MS); /* it sleeps */
    assert_int_equal(server.closes, 0);
    fastws_socket_resume(socket);
    UNTIL(&server, server.closes == 1);
    assert_int_equal(server.messages, 1);
    assert_int_equal(server.error, FASTWS_ERR_EOF);
    server_close(&server);
}

static void a_close_ends_the_pause(void **state) {
    struct server server;
    struct client client;
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    fastws_socket_pause(server.sockets[0]);
    assert_int_equal(fastws_socket_close(server.sockets[0], 1000, "", 0), 0);
    expect_close(&server, &client, 1000);
    client_send_frame(&server, &client, 0x88, "\x03\xe8", 2);
    UNTIL(&server, server.closes == 1);
    assert_int_equal(server.kind, FASTWS_EVENT_CLOSE);
    client_close(&client);
    server_close(&server);
}

/* ---- Parts of messages, and broadcasts ---- */

static void sends_parts_through_the_connection(void **state) {
    struct server server;
    struct client client;
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    struct fastws_conn *conn = fastws_socket_get_conn(server.sockets[0]);
    assert_int_equal(fastws_conn_begin(conn, FASTWS_OPCODE_TEXT), 0);
    assert_int_equal(fastws_socket_send(server.sockets[0], FASTWS_OPCODE_TEXT, "x", 1), FASTWS_ERR_STATE);
    assert_int_equal(fastws_conn_write(conn, "in ", 3), 0);
    assert_int_equal(fastws_conn_flush_fragment(conn), 0);
    assert_int_equal(fastws_conn_write(conn, "parts", 5), 0);
    assert_int_equal(fastws_conn_finish(conn), 0);
    assert_int_equal(fastws_socket_flush(server.sockets[0]), 0);
    assert_int_equal(fastws_socket_ping(server.sockets[0], "p", 1), 0);
    assert_int_equal(fastws_socket_pong(server.sockets[0], "q", 1), 0);
    assert_int_equal(fastws_socket_ping(server.sockets[0], payload, 126), FASTWS_ERR_CONTROL_LEN);
    expect_frame(&server, &client, 0x01, "in ", 3);
    expect_frame(&server, &client, 0x80, "parts", 5);
    expect_frame(&server, &client, 0x89, "p", 1);
    expect_frame(&server, &client, 0x8a, "q", 1);
    client_send_frame(&server, &client, 0x89, "ping", 4);
    expect_frame(&server, &client, 0x8a, "ping", 4);
    assert_int_equal(server.pings, 1);
    client_close(&client);
    server_close(&server);
}

static void broadcasts_prepared_messages(void **state) {
    enum { CLIENTS = 20 };
    struct server server;
    struct client clients[CLIENTS];
    server_start(&server, backend_of(state));
    for (int i = 0; i < CLIENTS; i++) client_open(&clients[i], &server);
    struct fastws_prepared *prepared;
    fill_pattern(payload, sizeof payload, 3);
    assert_int_equal(fastws_prepared_new(NULL, FASTWS_OPCODE_BINARY, payload, sizeof payload, &prepared), 0);
    for (int i = 0; i < CLIENTS; i++) assert_int_equal(fastws_socket_send_prepared(server.sockets[i], prepared), 0);
    fastws_prepared_release(prepared);
    for (int i = 0; i < CLIENTS; i++) expect_frame(&server, &clients[i], 0x82, payload, sizeof payload);
    for (int i = 0; i < CLIENTS; i++) client_close(&clients[i]);
    server_close(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(waits_up_to_queue_max_and_tells_of_the_drain),
        ON_BOTH(tells_of_the_drain_where_a_ping_has_passed_the_mark),
        ON_BOTH(does_not_read_a_peer_that_does_not),
        ON_BOTH(drops_the_newest),
        ON_BOTH(drops_the_oldest),
        ON_BOTH(moves_the_line_on_as_the_peer_reads),
        ON_BOTH(a_line_is_freed_with_its_socket),
        ON_BOTH(closes_a_slow_peer),
        ON_BOTH(cuts_off_a_peer_that_takes_nothing),
        ON_BOTH(reads_nothing_while_it_is_paused),
        ON_BOTH(keeps_messages_of_a_peer_that_left_while_it_was_paused),
        ON_BOTH(a_close_ends_the_pause),
        ON_BOTH(sends_parts_through_the_connection),
        ON_BOTH(broadcasts_prepared_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
