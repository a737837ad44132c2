/* SPDX-License-Identifier: MIT */
/* Tests of event loops whose peers mean harm, or whose machine is short of everything: nobody else is disturbed, and
 * nothing is left behind. */
#include <sys/resource.h>

#include "loop_server.h"

static int backend_of(void **state) { return *(int *)*state; }

/* Every test ends so: a well-behaved client is served, and all is given back. */
static void finish(struct server *server) {
    struct client client;
    client_open(&client, server);
    expect_echo(server, &client, "still here");
    client_send_frame(server, &client, 0x88, "\x03\xe8", 2);
    expect_close(server, &client, 1000);
    client_close(&client);
    UNTIL(server, stats_of(server).sockets == 0);
    server_close(server);
}

static void survives_resets_at_every_byte(void **state) {
    struct server server;
    struct bytes wire = {0};
    server_start(&server, backend_of(state));
    bytes_put(&wire, REQUEST, strlen(REQUEST));
    put_text(&wire, FASTWS_ROLE_SERVER, "reset");
    put_frame(&wire, FASTWS_ROLE_SERVER, 0x88, "\x03\xe8", 2);
    for (size_t len = 0; len <= wire.len; len++) {
        struct client client;
        client_connect(&client, &server);
        client_send(&server, &client, wire.ptr, len);
        if (len % 2) turn(&server, 0);
        client_reset(&client);
        turn(&server, 0);
    }
    bytes_free(&wire);
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(server.opens, server.closes);
    finish(&server);
}

static void survives_half_closed_peers_and_answers_them(void **state) {
    struct server server;
    struct bytes wire = {0};
    server_start(&server, backend_of(state));
    bytes_put(&wire, REQUEST, strlen(REQUEST));
    put_text(&wire, FASTWS_ROLE_SERVER, "half");
    for (size_t len = 1; len <= wire.len; len++) {
        struct client client;
        client_connect(&client, &server);
        client_send(&server, &client, wire.ptr, len);
        shutdown(client.fd, SHUT_WR);
        expect_end(&server, &client);
        if (len == wire.len) {
            assert_int_equal(client_head(&server, &client), 101);
            expect_frame(&server, &client, 0x81, "half", 4);
        }
        client_close(&client);
    }
    bytes_free(&wire);
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(server.error, FASTWS_ERR_EOF);
    finish(&server);
}

/* Pings without end, and nobody reads the pongs. */
static void stops_reading_floods_of_pings(void **state) {
    struct server server;
    struct client client;
    server_prepare(&server, backend_of(state));
    server.conn_config.ping_timeout_ms = 100;
    server.conn_config.close_timeout_ms = 100;
    server.conn_config.limits.max_control_pending = 4096;
    server_open(&server);
    client_open(&client, &server);
    setsockopt(fastws_socket_fd(server.sockets[0]), SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    struct bytes wire = {0};
    uint8_t payload[125] = {0};
    for (int i = 0; i < 1000; i++) put_frame(&wire, FASTWS_ROLE_SERVER, 0x89, payload, sizeof payload);
    uint64_t until_ms = clock_ms() + WAIT_MS;
    while (server.closes == 0) {
        (void)!send(client.fd, wire.ptr, wire.len, MSG_NOSIGNAL);
        turn(&server, 1);
        assert_true(clock_ms() < until_ms);
        assert_true(server.memory.live < 1 << 20);
    }
    assert_int_equal(server.error, FASTWS_ERR_CONTROL_FLOOD);
    assert_int_equal(server.code, 1008);
    bytes_free(&wire);
    client_close(&client);
    UNTIL(&server, stats_of(&server).sockets == 0);
    finish(&server);
}

/* What is sent behind the close frame, or behind a refusal, is dropped for a limited time. */
static void ends_peers_that_go_on_sending_after_the_end(void **state) {
    struct server server;
    struct client closed, refused;
    server_prepare(&server, backend_of(state));
    server.conn_config.close_timeout_ms = 60;
    server_open(&server);
    client_open(&closed, &server);
    client_send_frame(&server, &closed, 0x88, "\x03\xe8", 2);
    client_connect(&refused, &server);
    client_send_text(&server, &refused, "BREW / HTTP/1.1\r\n\r\n");
    static const char noise[4096];
    uint64_t until_ms = clock_ms() + WAIT_MS;
    while (stats_of(&server).sockets > 0 || stats_of(&server).accepted < 2) {
        assert_true(clock_ms() < until_ms);
        (void)!send(closed.fd, noise, sizeof noise, MSG_NOSIGNAL);
        (void)!send(refused.fd, noise, sizeof noise, MSG_NOSIGNAL);
        turn(&server, 1);
    }
    client_close(&closed);
    client_close(&refused);
    finish(&server);
}

static void serves_others_while_slow_heads_trickle(void **state) {
    enum { SLOW = 50 };
    struct server server;
    struct client slow[SLOW], good;
    server_prepare(&server, backend_of(state));
    server.config.handshake_timeout_ms = 150;
    server_open(&server);
    for (int i = 0; i < SLOW; i++) client_connect(&slow[i], &server);
    client_open(&good, &server);
    static const char head[] = "GET /a";
    size_t sent = 0;
    uint64_t until_ms = clock_ms() + WAIT_MS;
    while (server.refusals < SLOW) { /* a target without an end */
        assert_true(clock_ms() < until_ms);
        for (int i = 0; i < SLOW; i++) (void)!send(slow[i].fd, &head[sent < 5 ? sent : 5], 1, MSG_NOSIGNAL);
        sent++;
        expect_echo(&server, &good, "good");
    }
    assert_int_equal(server.error, FASTWS_ERR_HANDSHAKE_TIMEOUT);
    assert_int_equal(server.opens, 1);
    for (int i = 0; i < SLOW; i++) client_close(&slow[i]);
    client_close(&good);
    UNTIL(&server, stats_of(&server).sockets == 0);
    finish(&server);
}

/* One byte now and then is a sign of life, and used to hold memory for as long as it came. */
static void ends_messages_that_trickle(void **state) {
    struct server server;
    struct client slow, good;
    struct bytes wire = {0};
    static const uint8_t payload[4000];
    server_prepare(&server, backend_of(state));
    server.config.message_timeout_ms = 100;
    server_open(&server);
    client_open(&slow, &server);
    client_open(&good, &server);
    put_frame(&wire, FASTWS_ROLE_SERVER, 0x82, payload, sizeof payload);
    size_t sent = 0;
    uint64_t until_ms = clock_ms() + WAIT_MS;
    while (server.closes == 0) {
        assert_true(clock_ms() < until_ms);
        assert_true(sent < wire.len);
        (void)!send(slow.fd, wire.ptr + sent++, 1, MSG_NOSIGNAL);
        expect_echo(&server, &good, "good"); /* whose messages are whole, again and again */
        turn(&server, 1);
    }
    assert_int_equal(server.error, FASTWS_ERR_MESSAGE_TIMEOUT);
    expect_close(&server, &slow, 1008);
    client_close(&slow);
    /* Messages that follow each other without a pause, each in time. */
    until_ms = clock_ms() + 250;
    for (size_t i = 0; clock_ms() < until_ms; i = i + 1 < wire.len ? i + 1 : 0) {
        client_send(&server, &good, wire.ptr + i, i + 100 < wire.len ? 100 : wire.len - i);
        i += i + 100 < wire.len ? 99 : wire.len - i - 1;
        turn(&server, 1);
        client_receive(&good);
    }
    assert_int_equal(server.closes, 1);
    bytes_free(&wire);
    client_close(&good);
    UNTIL(&server, stats_of(&server).sockets == 0);
    finish(&server);
}

/* ---- Many ---- */

static int beats;

static void beat(struct fastws_loop_timer *timer, void *context) {
    (void)context;
    beats++;
    fastws_loop_timer_set(timer, 1);
}

/* A timer beside connections that flood: its turn comes within a counted number of turns of the loop. */
static void a_heartbeat_keeps_its_turn_beside_floods(void **state) {
    enum { FLOODS = 200, MESSAGES = 200 };
    struct server server;
    struct client *clients = calloc(FLOODS, sizeof *clients);
    struct fastws_loop_timer *timer;
    struct bytes wire = {0};
    server_prepare(&server, backend_of(state));
    server.is_silent = 1;
    server_open(&server);
    for (int i = 0; i < FLOODS; i++) client_open(&clients[i], &server);
    for (int i = 0; i < MESSAGES; i++) put_text(&wire, FASTWS_ROLE_SERVER, "flood");
    beats = 0;
    assert_int_equal(fastws_loop_timer_new(server.loop, beat, NULL, &timer), 0);
    fastws_loop_timer_set(timer, 1);
    int turns = 0, waited = 0, longest = 0, seen = 0;
    uint64_t until_ms = clock_ms() + 300;
    while (clock_ms() < until_ms) {
        for (int i = 0; i < FLOODS; i++) (void)!send(clients[i].fd, wire.ptr, wire.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        uint64_t before_ms = clock_ms();
        turn(&server, 0);
        turns++;
        /* Counted from the turn in which it was due. */
        waited = beats > seen || before_ms == clock_ms() ? 0 : waited + 1;
        if (waited > longest) longest = waited;
        seen = beats;
    }
    assert_true(turns > 3);
    assert_true(beats > 3);
    assert_in_range(longest, 0, 3);
    assert_true(server.messages > MESSAGES);
    bytes_free(&wire);
    server.is_silent = 0;
    for (int i = 0; i < FLOODS; i++) client_close(&clients[i]);
    free(clients);
    UNTIL(&server, stats_of(&server).sockets == 0);
    finish(&server);
}

/* As many sockets as the process may have: nothing of them is left, and an idle one costs what it should. */
static void serves_thousands_of_sockets(void **state) {
    struct server server;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    size_t wanted = backend_of(state) == FASTWS_BACKEND_POLL ? 2000 : 9000;
    size_t count = limit.rlim_cur > 2 * wanted + 200 ? wanted : (size_t)(limit.rlim_cur - 200) / 2;
    struct client *clients = calloc(count, sizeof *clients);
    server_start(&server, backend_of(state));
    struct client first;
    client_open(&first, &server);
    size_t before = server.memory.live;
    for (size_t i = 0; i < count; i++) {
        client_connect(&clients[i], &server);
        assert_int_equal(send(clients[i].fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL), strlen(REQUEST));
        if (i % 50 == 0) UNTIL(&server, stats_of(&server).accepted == i + 2); /* the queue of the system is short */
    }
    UNTIL(&server, server.opens == (int)count + 1);
    size_t each = (server.memory.live - before) / count;
    size_t poll_len = backend_of(state) == FASTWS_BACKEND_POLL ? 3 * (sizeof(void *) + 8 + 4) : 0;
    if (sizeof(void *) == 8) assert_in_range(each, 1, 256 + poll_len);
    expect_echo(&server, &first, "one of many");
    for (size_t i = 0; i < count; i++) {
        if (i % 2) {
            client_reset(&clients[i]);
        } else {
            client_close(&clients[i]);
        }
    }
    UNTIL(&server, stats_of(&server).sockets == 1);
    assert_int_equal(server.closes, count);
    client_close(&first);
    free(clients);
    finish(&server);
}

/* A copy of a descriptor keeps the file open: what is closed must be out of the set before. */
static void forgets_sockets_whose_descriptors_were_duplicated(void **state) {
    struct server server;
    struct client client;
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    int copy = dup(fastws_socket_fd(server.sockets[0]));
    fastws_socket_free(server.sockets[0]);
    client_send_frame(&server, &client, 0x81, "nobody", 6); /* readable for the copy */
    for (int i = 0; i < 20; i++) turn(&server, 0);
    uint64_t start_ms = clock_ms();
    turn(&server, 30);
    assert_in_range(clock_ms() - start_ms, 25, WAIT_MS); /* it sleeps */
    assert_int_equal(server.messages, 0);
    close(copy);
    client_close(&client);
    finish(&server);
}

/* ---- Out of everything ---- */

static void waits_when_descriptors_are_out(void **state) {
    struct server server;
    struct client clients[6];
    struct rlimit before;
    server_start(&server, backend_of(state));
    for (int i = 0; i < 6; i++) client_connect(&clients[i], &server);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)first_free_fd() + 2, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    UNTIL(&server, server.troubles > 0);
    assert_int_equal(server.troubled_by, FASTWS_ERR_DESCRIPTORS);
    assert_int_equal(stats_of(&server).accepted, 2);
    uint64_t start_ms = clock_ms();
    turn(&server, 50);
    assert_in_range(clock_ms() - start_ms, 45, WAIT_MS); /* it rests instead of spinning */
    client_send_text(&server, &clients[0], REQUEST);
    assert_int_equal(client_head(&server, &clients[0]), 101); /* those that are in are served */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    UNTIL(&server, stats_of(&server).accepted == 6);
    client_send_text(&server, &clients[5], REQUEST);
    assert_int_equal(client_head(&server, &clients[5]), 101);
    for (int i = 0; i < 6; i++) client_close(&clients[i]);
    UNTIL(&server, stats_of(&server).sockets == 0);
    finish(&server);
}

/* A loop, a listener and a socket are made with the n-th allocation failing, and those behind it if is_for_good. */
static int make_all(int backend, uint64_t fail_at, int is_for_good) {
    struct server server;
    int fds[2];
    server_prepare(&server, backend);
    server.memory.fail_at = fail_at;
    server.memory.fail_on = is_for_good;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    int error = fastws_loop_new(&server.loop_config, &server.loop);
    if (error < 0) server.loop = NULL;
    if (error == 0) error = fastws_loop_listen(server.loop, &server.config, "127.0.0.1", "0", 0, NULL);
    if (error == 0) error = fastws_loop_adopt(server.loop, &server.config, fds[0], "\x81", 1, NULL);
    if (error < 0) close(fds[0]);
    close(fds[1]);
    if (error < 0) assert_int_equal(error, FASTWS_ERR_NOMEM);
    server_close(&server);
    return error;
}

static void makes_all_or_nothing_without_memory(void **state) {
    uint64_t n = 1;
    while (make_all(backend_of(state), n, 0) < 0) assert_true(++n < 100);
    assert_true(n > 8);
    for (uint64_t i = 1; i < n; i++) assert_int_equal(make_all(backend_of(state), i, 1), FASTWS_ERR_NOMEM);
}

/* A whole conversation with the n-th allocation failing. Returns 1 if it failed. */
static int converse(int backend, uint64_t n) {
    static uint8_t large[300000];
    struct server server;
    struct client client;
    struct bytes wire = {0};
    server_prepare(&server, backend);
    server.config.slow_policy = n % 2 ? FASTWS_SLOW_DROP_OLDEST : FASTWS_SLOW_WAIT;
    server_open(&server);
    client_connect(&client, &server);
    server.memory.fail_at = server.memory.calls + n;
    bytes_put(&wire, REQUEST, strlen(REQUEST));
    put_text(&wire, FASTWS_ROLE_SERVER, "small");
    for (int i = 0; i < 3; i++) put_frame(&wire, FASTWS_ROLE_SERVER, 0x82, large, sizeof large);
    put_frame(&wire, FASTWS_ROLE_SERVER, 0x88, "\x03\xe8", 2);
    size_t sent = 0;
    uint64_t until_ms = clock_ms() + WAIT_MS;
    while (!client.is_over) {
        ssize_t len = sent < wire.len ? send(client.fd, wire.ptr + sent, wire.len - sent, MSG_NOSIGNAL) : 0;
        if (len > 0) sent += (size_t)len;
        turn(&server, 0);
        client_receive(&client);
        assert_true(clock_ms() < until_ms);
    }
    int has_failed = server.memory.calls >= server.memory.fail_at;
    server.memory.fail_at = 0;
    bytes_free(&wire);
    client_close(&client);
    UNTIL(&server, stats_of(&server).sockets == 0);
    assert_int_equal(server.opens, server.closes);
    finish(&server);
    return has_failed;
}

static void survives_a_failing_allocation_anywhere(void **state) {
    uint64_t n = 1;
    while (converse(backend_of(state), n)) assert_true(++n < 300);
    assert_true(n > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(survives_resets_at_every_byte),
        ON_BOTH(survives_half_closed_peers_and_answers_them),
        ON_BOTH(stops_reading_floods_of_pings),
        ON_BOTH(ends_peers_that_go_on_sending_after_the_end),
        ON_BOTH(serves_others_while_slow_heads_trickle),
        ON_BOTH(ends_messages_that_trickle),
        ON_BOTH(a_heartbeat_keeps_its_turn_beside_floods),
        ON_BOTH(serves_thousands_of_sockets),
        ON_BOTH(forgets_sockets_whose_descriptors_were_duplicated),
        ON_BOTH(waits_when_descriptors_are_out),
        ON_BOTH(makes_all_or_nothing_without_memory),
        ON_BOTH(survives_a_failing_allocation_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
