/* SPDX-License-Identifier: MIT */
/* Runs examples/echo.c in a process of its own, and talks to it over TCP as a client. */
#define main echo_main
#include "examples/echo.c"
#undef main

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "spawn.h"

#define REQUEST                                                                                                        \
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                               \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

static pid_t server_pid;
static int server_port;
static struct fastws_conn_config client_config;

static pid_t spawn_for(char **arguments, int fd, FILE **output) {
    return spawn_program(echo_main, arguments, 120, fd, output);
}

static pid_t spawn(char **arguments, FILE **output) { return spawn_for(arguments, STDOUT_FILENO, output); }

static int start_server(void **state) {
    (void)state;
    fastws_conn_config_init(&client_config, FASTWS_ROLE_CLIENT);
    char *arguments[] = {"echo", "--port", "0", NULL};
    FILE *output;
    server_pid = spawn(arguments, &output);
    int found = fscanf(output, "listening on ws://127.0.0.1:%d/", &server_port);
    fclose(output);
    return found == 1 ? 0 : -1;
}

static int stop_server(void **state) {
    (void)state;
    kill(server_pid, SIGTERM);
    return wait_for(server_pid);
}

static int dial(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server_port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Reads until the other end closes; text stays terminated. Returns its length, or -1 for a reset. */
static ssize_t read_all(int fd, char *text, size_t cap) {
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, text + len, cap - 1 - len)) > 0) len += (size_t)n;
    text[len] = '\0';
    return n < 0 ? -1 : (ssize_t)len;
}

static struct fastws_stream *open_client(void) {
    int fd = dial();
    assert_int_equal(write(fd, REQUEST, sizeof REQUEST - 1), sizeof REQUEST - 1);
    char head[1024] = {0};
    for (size_t len = 0; strstr(head, "\r\n\r\n") == NULL; len++) assert_int_equal(read(fd, head + len, 1), 1);
    assert_int_equal(strncmp(head, "HTTP/1.1 101 ", 13), 0);
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, fd);
    assert_int_equal(fastws_stream_open(&io, &client_config, NULL, 0, &stream), 0);
    return stream;
}

static void expect_echo(struct fastws_stream *stream, int opcode, const void *payload, size_t len) {
    struct fastws_event event;
    assert_int_equal(fastws_stream_write_message(stream, opcode, payload, len), 0);
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(event.opcode, opcode);
    assert_int_equal(event.len, len);
    if (len > 0) assert_memory_equal(event.ptr, payload, len);
}

static void echoes_text_and_binary_of_every_size(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 4095, 4096, 65535, 65536, 1 << 20, 16 << 20};
    uint8_t *payload = malloc(16 << 20);
    for (size_t i = 0; i < 16 << 20; i++) payload[i] = (uint8_t)(i % 127);
    struct fastws_stream *stream = open_client();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        expect_echo(stream, FASTWS_OPCODE_TEXT, payload, sizes[i]);
        payload[0] ^= 0xff; /* binary need not be UTF-8 */
        expect_echo(stream, FASTWS_OPCODE_BINARY, payload, sizes[i]);
        payload[0] ^= 0xff;
    }
    struct fastws_event event;
    assert_int_equal(fastws_stream_ping(stream, "are you there", 13), 0);
    assert_int_equal(fastws_stream_read_message(stream, &event), 0);
    assert_int_equal(event.kind, FASTWS_EVENT_PONG);
    assert_memory_equal(event.ptr, "are you there", 13);
    assert_int_equal(fastws_stream_close(stream, 4321, NULL, 0), 0);
    assert_int_equal(fastws_conn_close_received(fastws_stream_get_conn(stream)), 4321);
    fastws_stream_free(stream);
    free(payload);
}

static void silent_peers_stop_nobody_else(void **state) {
    (void)state;
    int fds[20];
    for (size_t i = 0; i < 20; i++) {
        fds[i] = dial();
        if (i % 2) assert_int_equal(write(fds[i], REQUEST, i), i);
    }
    struct fastws_stream *silent = open_client(), *stream = open_client();
    expect_echo(stream, FASTWS_OPCODE_TEXT, "hello", 5);
    fastws_stream_free(stream); /* without a close frame */
    fastws_stream_free(silent);
    for (size_t i = 0; i < 20; i++) close(fds[i]);
}

/* The answer must arrive although the server never reads what follows the bad frame: no reset may overtake it. */
static void a_broken_frame_is_answered_and_the_next_client_served(void **state) {
    (void)state;
    static char junk[300000] = "\x83"; /* reserved opcode 3 */
    for (int i = 0; i < 10; i++) {
        int fd = dial();
        assert_int_equal(write(fd, REQUEST, sizeof REQUEST - 1), sizeof REQUEST - 1);
        assert_int_equal(write(fd, "\x81\x81\0\0\0\0k", 7), 7);
        assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
        shutdown(fd, SHUT_WR);
        char text[2048];
        ssize_t len = read_all(fd, text, sizeof text);
        close(fd);
        assert_true(len > 0);
        const char *frames = strstr(text, "\r\n\r\n") + 4;
        assert_memory_equal(frames, "\x81\x01k\x88", 4); /* the echo of what was good, then 1002 */
        assert_memory_equal(frames + 5, "\x03\xea", 2);
        struct fastws_stream *stream = open_client();
        expect_echo(stream, FASTWS_OPCODE_TEXT, "next", 4);
        assert_int_equal(fastws_stream_close(stream, 1000, NULL, 0), 0);
        fastws_stream_free(stream);
    }
}

static void a_refused_request_is_answered(void **state) {
    (void)state;
    int fd = dial();
    assert_int_equal(write(fd, "POST / HTTP/1.1\r\n\r\n", 19), 19);
    char text[2048];
    assert_true(read_all(fd, text, sizeof text) > 0);
    close(fd);
    assert_int_equal(strncmp(text, "HTTP/1.1 405 ", 13), 0);
    assert_non_null(strstr(text, "\r\nAllow: GET\r\n"));
}

static void stops_for_signals_and_reports_a_port_that_is_taken(void **state) {
    (void)state;
    char port[16];
    snprintf(port, sizeof port, "%d", server_port);
    char *taken[] = {"echo", "--port", port, "--host", "127.0.0.1", NULL};
    FILE *output;
    pid_t child = spawn(taken, &output);
    assert_int_equal(wait_for(child), 1);
    assert_int_equal(fgetc(output), EOF);
    fclose(output);

    char *any[] = {"echo", "--port", "0", NULL};
    child = spawn(any, &output);
    int found_port;
    assert_int_equal(fscanf(output, "listening on ws://127.0.0.1:%d/", &found_port), 1);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(wait_for(child), 0);
    fclose(output);
}

/* ---- The command line ---- */

/* Runs the program, expecting that it ends with this status, and that what it writes to fd begins with text. */
static void expect_end(char **arguments, int status, int fd, const char *text) {
    FILE *output;
    pid_t child = spawn_for(arguments, fd, &output);
    char line[256] = "";
    (void)!fgets(line, sizeof line, output);
    assert_int_equal(strncmp(line, text, strlen(text)), 0);
    assert_int_equal(fgetc(output), EOF);
    fclose(output);
    assert_int_equal(wait_for(child), status);
}

static void tells_of_its_usage(void **state) {
    (void)state;
    char *help[] = {"echo", "--port", "0", "--help", NULL};
    expect_end(help, 0, STDOUT_FILENO, "usage: echo ");
    char *refused[][4] = {
        {"echo", "--prot", "0", NULL}, {"echo", "8080", NULL},         {"echo", "--port", NULL},
        {"echo", "--host", NULL},      {"echo", "--port", "", NULL},   {"echo", "--port", "-1", NULL},
        {"echo", "--port", " 1"},      {"echo", "--port", "1x", NULL}, {"echo", "--port", "65536", NULL},
        {"echo", "--port", "http"},    {"echo", "--port", "4294967297"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        expect_end(refused[i], 2, STDERR_FILENO, "usage: echo ");
        expect_end(refused[i], 2, STDOUT_FILENO, "");
    }
}

/* FASTWS_ISA is read once in the life of a process: this test comes first, before this one has used a kernel. */
static void does_not_start_with_instructions_that_do_not_exist(void **state) {
    (void)state;
    char *arguments[] = {"echo", "--port", "0", NULL};
    const char *before = getenv("FASTWS_ISA");
    char *saved = before != NULL ? strdup(before) : NULL;
    setenv("FASTWS_ISA", "bogus", 1);
    expect_end(arguments, 1, STDERR_FILENO, "echo: FASTWS_ISA must be one of: ");
    if (saved != NULL) {
        setenv("FASTWS_ISA", saved, 1);
    } else {
        unsetenv("FASTWS_ISA");
    }
    free(saved);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_not_start_with_instructions_that_do_not_exist),
        cmocka_unit_test(tells_of_its_usage),
        cmocka_unit_test(echoes_text_and_binary_of_every_size),
        cmocka_unit_test(silent_peers_stop_nobody_else),
        cmocka_unit_test(a_broken_frame_is_answered_and_the_next_client_served),
        cmocka_unit_test(a_refused_request_is_answered),
        cmocka_unit_test(stops_for_signals_and_reports_a_port_that_is_taken),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
