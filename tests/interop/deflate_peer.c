/* SPDX-License-Identifier: MIT */
/* Both ends with any settings of compression, for the peers of others: deflate_peer server|URL [NAME=NUMBER...]
 *
 * A server prints its port, echoes for one client after the other, and prints after each what was agreed on. A client
 * exchanges messages with an echo server and prints the same. The names are fields of struct fastws_deflate_config. */
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fastws/fastws.h>

enum { MESSAGE_CAP = 200000 };

static struct fastws_deflate_config deflate;
static struct fastws_conn_config server_config;

static void fail(const char *what, int error) {
    fprintf(stderr, "%s: %s\n", what, fastws_error_text(error));
    exit(1);
}

static void set(const char *argument) {
    static const struct {
        const char *name;
        size_t off;
    } fields[] = {
        {"is_peer_takeover", offsetof(struct fastws_deflate_config, is_peer_takeover)},
        {"window_bits", offsetof(struct fastws_deflate_config, window_bits)},
        {"peer_window_bits", offsetof(struct fastws_deflate_config, peer_window_bits)},
        {"is_any_bits_offered", offsetof(struct fastws_deflate_config, is_any_bits_offered)},
        {"level", offsetof(struct fastws_deflate_config, level)},
        {"memory_level", offsetof(struct fastws_deflate_config, memory_level)},
        {"strategy", offsetof(struct fastws_deflate_config, strategy)},
    };
    const char *value = strchr(argument, '=');
    for (size_t i = 0; value != NULL && i < sizeof fields / sizeof fields[0]; i++) {
        size_t len = (size_t)(value - argument);
        if (strlen(fields[i].name) != len || memcmp(fields[i].name, argument, len) != 0) continue;
        ((uint8_t *)&deflate)[fields[i].off] = (uint8_t)atoi(value + 1);
        return;
    }
    fprintf(stderr, "no setting %s\n", argument);
    exit(2);
}

/* Prints what was agreed on, as an answer says it; a line of nothing where nothing was. */
static void print_agreed(const struct fastws_stream *stream) {
    struct fastws_deflate_params params;
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    int len = 0;
    if (fastws_conn_get_deflate(fastws_stream_get_conn(stream), &params))
        len = fastws_deflate_params_write(text, sizeof text, &params);
    printf("%.*s\n", len, text);
    fflush(stdout);
}

/* ---- Server ---- */

static void serve(int fd) {
    struct fastws_io io;
    struct fastws_upgrade_config upgrade;
    struct fastws_stream *stream;
    struct fastws_event message;
    fastws_io_from_fd(&io, fd);
    fastws_upgrade_config_init(&upgrade);
    upgrade.deflate = &deflate;
    int error = fastws_stream_accept(&io, &upgrade, &server_config, 10000, &stream);
    if (error < 0) fail("accept", error);
    while ((error = fastws_stream_read_data(stream, &message)) == 0) {
        int opcode = message.opcode | FASTWS_SEND_COMPRESSED;
        error = fastws_stream_write_message(stream, opcode, message.ptr, (size_t)message.len);
        if (error < 0) fail("write", error);
    }
    if (error != FASTWS_ERR_CLOSED) fail("read", error);
    print_agreed(stream);
    fastws_stream_free(stream);
}

static void run_server(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0) exit(1);
    if (getsockname(listener, (struct sockaddr *)&address, &len) != 0) exit(1);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) exit(1);
        serve(fd);
    }
}

/* ---- Client ---- */

/* Messages that refer to each other, and one that nothing can be said shorter of. */
static size_t make_message(uint8_t *dst, unsigned number) {
    static const size_t lens[] = {0, 1, 5, 100, 1000, 20000, 1000, 199000, 70000, 1000};
    size_t len = lens[number % 10];
    uint32_t state = number / 10 + 1;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        char letter = "{\"price\": 1234567890}"[(state >> 8) % 2 + i % 20];
        dst[i] = number % 10 == 8 ? (uint8_t)(state >> 24) : (uint8_t)letter;
    }
    return len;
}

static void expect_echo(struct fastws_stream *stream, int opcode, const uint8_t *message, size_t len) {
    struct fastws_event event;
    int error = fastws_stream_read_data(stream, &event);
    if (error < 0) fail("read", error);
    if (event.opcode == opcode && event.len == len && (len == 0 || memcmp(event.ptr, message, len) == 0)) return;
    fprintf(stderr, "%zu bytes came back as %llu\n", len, (unsigned long long)event.len);
    exit(1);
}

static int send_in_pieces(struct fastws_stream *stream, int opcode, const uint8_t *message, size_t len) {
    int error = fastws_stream_begin(stream, opcode);
    if (error == 0) error = fastws_stream_append(stream, message, len / 2);
    if (error == 0) error = fastws_stream_flush_fragment(stream);
    if (error == 0) error = fastws_stream_ping(stream, "between", 7);
    if (error == 0) error = fastws_stream_append(stream, message + len / 2, len - len / 2);
    return error == 0 ? fastws_stream_finish(stream) : error;
}

static void run_client(const char *url) {
    static uint8_t message[MESSAGE_CAP];
    struct fastws_dial_config handshake;
    struct fastws_dial_options options;
    struct fastws_stream *stream;
    fastws_dial_config_init(&handshake);
    fastws_dial_options_init(&options);
    handshake.deflate = &deflate;
    options.handshake = &handshake;
    int error = fastws_dial(url, &options, &stream);
    if (error < 0) fail("dial", error);
    for (unsigned i = 0; i < 30; i++) {
        size_t len = make_message(message, i);
        int opcode = i % 10 == 8 ? 2 : 1;
        error = i / 10 == 1 ? send_in_pieces(stream, opcode | FASTWS_SEND_COMPRESSED, message, len)
                            : fastws_stream_write_message(stream, opcode | FASTWS_SEND_COMPRESSED, message, len);
        if (error < 0) fail("write", error);
        expect_echo(stream, opcode, message, len);
    }
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
    print_agreed(stream);
    fastws_stream_free(stream);
}

int main(int argc, char **argv) {
    fastws_conn_config_init(&server_config, FASTWS_ROLE_SERVER);
    fastws_deflate_config_init(&deflate, FASTWS_DEFLATE_TAKEOVER);
    int first = 2;
    if (argc > 2 && strncmp(argv[2], "mode=", 5) == 0) {
        fastws_deflate_config_init(&deflate, (enum fastws_deflate_mode)atoi(argv[2] + 5));
        first = 3;
    }
    if (argc < 2) return 2;
    for (int i = first; i < argc; i++) set(argv[i]);
    if (strcmp(argv[1], "server") == 0) run_server();
    run_client(argv[1]);
    return 0;
}
