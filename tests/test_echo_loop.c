/* SPDX-License-Identifier: MIT */
/* Runs examples/echo_loop.c in a process of its own, and talks to it over TCP as a client. */
#define main echo_loop_main
#include "examples/echo_loop.c"
#undef main

#include "loop_server.h"
#include "spawn.h"

static pid_t spawn(char **arguments, FILE **output) {
    return spawn_program(echo_loop_main, arguments, 60, STDOUT_FILENO, output);
}

/* Connects, in blocking mode, and has the request accepted. */
static void open_blocking_with(struct client *client, unsigned port, const char *request) {
    client_connect_to(client, port);
    assert_int_equal(fcntl(client->fd, F_SETFL, 0), 0);
    assert_int_equal(send(client->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    while (head_len_of(client) == 0) {
        assert_false(client->is_over);
        client_receive(client);
    }
    client->off += head_len_of(client);
}

static void open_blocking(struct client *client, unsigned port) { open_blocking_with(client, port, REQUEST); }

static void echo_once(struct client *client, unsigned first, const void *payload, size_t len) {
    struct bytes wire = {0};
    put_frame(&wire, FASTWS_ROLE_SERVER, first, payload, len);
    assert_int_equal(send(client->fd, wire.ptr, wire.len, MSG_NOSIGNAL), wire.len);
    while (!has_frame(client)) {
        assert_false(client->is_over);
        client_receive(client);
    }
    struct frame frame = take_frame(&client->in, &client->off, FASTWS_ROLE_SERVER);
    assert_int_equal(frame.first, first);
    assert_int_equal(frame.len, len);
    assert_memory_equal(frame.payload, payload, len);
    bytes_free(&wire);
}

static void echoes_and_shuts_down(char **arguments) {
    static uint8_t payload[100000];
    struct client clients[6];
    FILE *output;
    unsigned port = 0;
    pid_t server = spawn(arguments, &output);
    assert_int_equal(fscanf(output, "listening on ws://127.0.0.1:%u/", &port), 1);
    fclose(output);
    fill_pattern(payload, sizeof payload, 5);
    for (int i = 0; i < 6; i++) {
        open_blocking(&clients[i], port);
        echo_once(&clients[i], 0x81, "hello", 5);
        echo_once(&clients[i], 0x82, payload, sizeof payload);
    }
    assert_int_equal(kill(server, SIGTERM), 0);
    for (int i = 0; i < 6; i++) { /* told to go away, politely */
        while (!has_frame(&clients[i])) client_receive(&clients[i]);
        struct frame frame = take_frame(&clients[i].in, &clients[i].off, FASTWS_ROLE_SERVER);
        assert_int_equal(frame.first, 0x88);
        assert_memory_equal(frame.payload, "\x03\xe9", 2); /* 1001 */
        client_close(&clients[i]);
    }
    assert_int_equal(wait_for(server), 0);
}

static void echoes_on_one_loop(void **state) {
    (void)state;
    char *arguments[] = {"echo_loop", "--port", "0", NULL};
    echoes_and_shuts_down(arguments);
}

static void echoes_on_three_threads(void **state) {
    (void)state;
    char *arguments[] = {"echo_loop", "--port", "0", "--threads", "3", NULL};
    echoes_and_shuts_down(arguments);
}

static void echoes_with_poll(void **state) {
    (void)state;
    char *arguments[] = {"echo_loop", "--host", "127.0.0.1", "--port", "0", "--poll", NULL};
    echoes_and_shuts_down(arguments);
}

static void compresses_for_clients_that_offer_it(void **state) {
    if (!fastws_deflate_is_available()) skip();
    (void)state;
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    char *arguments[] = {"echo_loop", "--port", "0", NULL};
    static char payload[3000];
    struct client client;
    FILE *output;
    unsigned port = 0;
    pid_t server = spawn(arguments, &output);
    assert_int_equal(fscanf(output, "listening on ws://127.0.0.1:%u/", &port), 1);
    fclose(output);
    open_blocking_with(&client, port, request);
    struct bytes wire = {0};
    put_frame(&wire, FASTWS_ROLE_SERVER, 0x81, memset(payload, 'a', sizeof payload), sizeof payload);
    assert_int_equal(send(client.fd, wire.ptr, wire.len, MSG_NOSIGNAL), wire.len);
    while (!has_frame(&client)) {
        assert_false(client.is_over);
        client_receive(&client);
    }
    struct frame frame = take_frame(&client.in, &client.off, FASTWS_ROLE_SERVER);
    assert_int_equal(frame.first, 0xc1); /* FIN RSV1 text */
    assert_in_range(frame.len, 5, 100);
    bytes_free(&wire);
    client_close(&client);
    assert_int_equal(kill(server, SIGTERM), 0);
    assert_int_equal(wait_for(server), 0);
}

static void explains_itself_and_refuses_nonsense(void **state) {
    (void)state;
    const struct {
        char *arguments[4];
        int status;
    } cases[] = {{{"echo_loop", "--help", NULL}, 0},
                 {{"echo_loop", "--threads", "0", NULL}, 2},
                 {{"echo_loop", "--port", NULL}, 2},
                 {{"echo_loop", "--nonsense", "1", NULL}, 2},
                 {{"echo_loop", "--port", "nonsense", NULL}, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *output;
        pid_t child = spawn((char **)(uintptr_t)cases[i].arguments, &output);
        assert_int_equal(wait_for(child), cases[i].status);
        fclose(output);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes_on_one_loop),
        cmocka_unit_test(echoes_on_three_threads),
        cmocka_unit_test(echoes_with_poll),
        cmocka_unit_test(compresses_for_clients_that_offer_it),
        cmocka_unit_test(explains_itself_and_refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
