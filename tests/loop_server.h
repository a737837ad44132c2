/* SPDX-License-Identifier: MIT */
/* What the tests of event loops share: a server on a loop in this thread, and clients that are plain sockets. */
#ifndef FWS_TESTS_LOOP_SERVER_H
#define FWS_TESTS_LOOP_SERVER_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <fastws/fastws.h>

#include "support.h"

#define WAIT_MS 5000 /* for what must happen; a busy machine may be slow */

#define REQUEST                                                                                                        \
    "GET /chat?a=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                      \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static inline uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- The server ---- */

enum { SEEN_MAX = 64 };

/* A server that echoes, and writes down what its callbacks were told. */
struct server {
    struct memory memory;
    struct fastws_pool_config pool_config;
    struct fastws_loop_config loop_config;
    struct fastws_conn_config conn_config;
    struct fastws_upgrade_config upgrade_config;
    struct fastws_socket_config config;
    struct fastws_loop *loop;
    struct fastws_listener *listener;
    int fds; /* the first free descriptor before anything was made */
    int is_silent; /* does not echo */
    int opens, messages, pings, pongs, drains, closes, refusals, troubles;
    int error;          /* of the last close or refusal */
    int kind;           /* of the last close event */
    uint16_t code;
    char reason[128];
    int troubled_by;
    struct fastws_socket *sockets[SEEN_MAX]; /* in the order of on_open */
};

static inline int first_free_fd(void) {
    int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

/* Returns how many threads this process has; 0: the system does not tell. */
static inline int count_threads(void) {
    DIR *threads = opendir("/proc/self/task");
    if (threads == NULL) return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;) count += entry->d_name[0] != '.';
    closedir(threads);
    return count;
}

/* Waits until there are no more threads than at the first call: one that looks a name up opens descriptors for a
 * moment, also when the dial that asked is gone. */
static inline void wait_for_threads(void) {
    static int usual;
    uint64_t until_ms = clock_ms() + WAIT_MS;
    if (usual == 0) usual = count_threads();
    while (count_threads() > usual) {
        assert_true(clock_ms() < until_ms);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static inline struct server *server_of(struct fastws_socket *socket) {
    return fastws_socket_get_config(socket)->context;
}

static inline void note_open(struct fastws_socket *socket) {
    struct server *server = server_of(socket);
    if (server->opens < SEEN_MAX) server->sockets[server->opens] = socket;
    server->opens++;
}

static inline void note_message(struct fastws_socket *socket, const struct fastws_event *event) {
    struct server *server = server_of(socket);
    server->messages++;
    if (server->is_silent) return;
    int error = fastws_socket_send(socket, event->opcode, event->ptr, (size_t)event->len);
    if (error != FASTWS_ERR_NOMEM && error != FASTWS_ERR_CLOSED && error != FASTWS_ERR_IO) assert_int_equal(error, 0);
}

static inline void note_ping(struct fastws_socket *socket, const struct fastws_event *event) {
    (void)event;
    server_of(socket)->pings++;
}

static inline void note_pong(struct fastws_socket *socket, const struct fastws_event *event) {
    (void)event;
    server_of(socket)->pongs++;
}

static inline void note_drain(struct fastws_socket *socket) { server_of(socket)->drains++; }

static inline void note_close(struct fastws_socket *socket, const struct fastws_event *event) {
    struct server *server = server_of(socket);
    server->closes++;
    server->kind = event->kind;
    server->error = event->error;
    server->code = event->close_code;
    const char *reason = event->len > 0 ? (const char *)event->ptr : "";
    snprintf(server->reason, sizeof server->reason, "%.*s", (int)event->len, reason);
}

static inline void note_refusal(struct fastws_socket *socket, int error) {
    server_of(socket)->refusals++;
    server_of(socket)->error = error;
}

static inline void note_trouble(struct fastws_listener *listener, int error) {
    struct server *server = fastws_listener_get_config(listener)->context;
    server->troubles++;
    server->troubled_by = error;
}

/* Between server_prepare() and server_open() a test changes what it wants. */
static inline void server_prepare(struct server *server, int backend) {
    memset(server, 0, sizeof *server);
    wait_for_threads();
    server->fds = first_free_fd();
    memory_init(&server->memory);
    fastws_pool_config_init(&server->pool_config);
    server->pool_config.allocator = &server->memory.allocator;
    fastws_loop_config_init(&server->loop_config);
    server->loop_config.backend = backend;
    server->loop_config.pool = &server->pool_config;
    fastws_conn_config_init(&server->conn_config, FASTWS_ROLE_SERVER);
    fastws_upgrade_config_init(&server->upgrade_config);
    fastws_socket_config_init(&server->config, &server->conn_config);
    server->config.upgrade = &server->upgrade_config;
    server->config.context = server;
    server->config.on_open = note_open;
    server->config.on_message = note_message;
    server->config.on_ping = note_ping;
    server->config.on_pong = note_pong;
    server->config.on_drain = note_drain;
    server->config.on_close = note_close;
    server->config.on_refuse = note_refusal;
    server->config.on_trouble = note_trouble;
}

static inline void server_open(struct server *server) {
    assert_int_equal(fastws_loop_new(&server->loop_config, &server->loop), 0);
    assert_int_equal(fastws_loop_listen(server->loop, &server->config, "127.0.0.1", "0", 0, &server->listener), 0);
}

static inline void server_start(struct server *server, int backend) {
    server_prepare(server, backend);
    server_open(server);
}

/* Frees everything, and fails the test if memory or descriptors are left. Clients have to be closed before. */
static inline void server_close(struct server *server) {
    fastws_loop_free(server->loop);
    assert_int_equal(server->memory.live, 0);
    wait_for_threads();
    assert_int_equal(first_free_fd(), server->fds);
}

static inline void turn(struct server *server, int timeout_ms) {
    assert_true(fastws_loop_run_once(server->loop, timeout_ms) >= 0);
}

/* Turns the loop until condition is so. */
#define UNTIL(server, condition)                                                                                       \
    do {                                                                                                               \
        uint64_t until_ms_ = clock_ms() + WAIT_MS;                                                                     \
        while (!(condition)) {                                                                                         \
            assert_true(clock_ms() < until_ms_);                                                                       \
            turn((server), 5);                                                                                         \
        }                                                                                                              \
    } while (0)

static inline struct fastws_loop_stats stats_of(const struct server *server) {
    struct fastws_loop_stats stats;
    fastws_loop_get_stats(server->loop, &stats);
    return stats;
}

/* ---- Clients ---- */

struct client {
    int fd;
    int is_over; /* the server has closed, or reset */
    struct bytes in;
    size_t off; /* of in: taken */
};

static inline void client_of_fd(struct client *client, int fd) {
    *client = (struct client){.fd = fd};
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static inline void client_connect_to(struct client *client, unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    client_of_fd(client, fd);
}

static inline void client_connect(struct client *client, const struct server *server) {
    client_connect_to(client, fastws_listener_port(server->listener));
}

static inline void client_close(struct client *client) {
    close(client->fd);
    bytes_free(&client->in);
}

/* With a reset. */
static inline void client_reset(struct client *client) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    client_close(client);
}

/* Receives what is there. */
static inline void client_receive(struct client *client) {
    uint8_t bytes[65536];
    ssize_t n = recv(client->fd, bytes, sizeof bytes, 0);
    if (n > 0) bytes_put(&client->in, bytes, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN)) client->is_over = 1;
}

/* Sends everything, receiving meanwhile, while the server turns. */
static inline void client_send(struct server *server, struct client *client, const void *src, size_t len) {
    size_t sent = 0;
    uint64_t until_ms = clock_ms() + WAIT_MS;
    while (sent < len) {
        ssize_t n = send(client->fd, (const uint8_t *)src + sent, len - sent, MSG_NOSIGNAL);
        if (n > 0) sent += (size_t)n;
        assert_true(clock_ms() < until_ms);
        if (n < 0) {
            client_receive(client);
            turn(server, 1);
        }
    }
}

static inline void client_send_text(struct server *server, struct client *client, const char *text) {
    client_send(server, client, text, strlen(text));
}

static inline void client_send_frame(struct server *server, struct client *client, unsigned first, const void *payload,
                                     size_t len) {
    struct bytes wire = {0};
    put_frame(&wire, FASTWS_ROLE_SERVER, first, payload, len);
    client_send(server, client, wire.ptr, wire.len);
    bytes_free(&wire);
}

#define CLIENT_UNTIL(server, client, condition)                                                                        \
    do {                                                                                                               \
        uint64_t client_until_ms_ = clock_ms() + WAIT_MS;                                                              \
        while (!(condition)) {                                                                                         \
            assert_true(clock_ms() < client_until_ms_);                                                                \
            turn((server), 1);                                                                                         \
            client_receive(client);                                                                                    \
        }                                                                                                              \
    } while (0)

/* Returns the length of the HTTP head that has come, 0 while it is not complete. */
static inline size_t head_len_of(const struct client *client) {
    for (size_t i = client->off; i + 4 <= client->in.len; i++) {
        if (memcmp(client->in.ptr + i, "\r\n\r\n", 4) == 0) return i + 4 - client->off;
    }
    return 0;
}

/* Waits for an HTTP head. Returns its status. */
static inline int client_head(struct server *server, struct client *client) {
    CLIENT_UNTIL(server, client, head_len_of(client) > 0);
    size_t len = head_len_of(client);
    char digits[4] = ""; /* of "HTTP/1.1 101"; what was received has no NUL */
    assert_true(len >= 12);
    memcpy(digits, client->in.ptr + client->off + 9, 3);
    client->off += len;
    return atoi(digits);
}

/* Connects, and has its request accepted. */
static inline void client_open(struct client *client, struct server *server) {
    client_connect(client, server);
    client_send_text(server, client, REQUEST);
    assert_int_equal(client_head(server, client), 101);
}

static inline int has_frame(const struct client *client) {
    struct fastws_header header;
    size_t len = client->in.len - client->off;
    int head_len = len > 0 ? fastws_header_parse(&header, client->in.ptr + client->off, len) : 0;
    assert_true(head_len >= 0);
    return head_len > 0 && len - (size_t)head_len >= header.length;
}

/* Waits for a frame and takes it. */
static inline struct frame client_frame(struct server *server, struct client *client) {
    CLIENT_UNTIL(server, client, has_frame(client));
    return take_frame(&client->in, &client->off, FASTWS_ROLE_SERVER);
}

static inline void expect_frame(struct server *server, struct client *client, unsigned first, const void *payload,
                                size_t len) {
    struct frame frame = client_frame(server, client);
    assert_int_equal(frame.first, first);
    assert_int_equal(frame.len, len);
    if (len > 0) assert_memory_equal(frame.payload, payload, len);
}

/* Waits for a close frame with this code. */
static inline void expect_close(struct server *server, struct client *client, unsigned code) {
    struct frame frame = client_frame(server, client);
    assert_int_equal(frame.first, 0x88);
    assert_true(frame.len >= 2);
    const uint8_t *body = frame.payload;
    assert_int_equal((unsigned)body[0] << 8 | body[1], code);
}

static inline void expect_end(struct server *server, struct client *client) {
    CLIENT_UNTIL(server, client, client->is_over);
}

static inline void expect_echo(struct server *server, struct client *client, const char *text) {
    client_send_frame(server, client, 0x81, text, strlen(text));
    expect_frame(server, client, 0x81, text, strlen(text));
}

/* ---- Both back ends ---- */

/* Two lines of a table of tests. */
#define ON_BOTH(function)                                                                                              \
    {#function " (epoll)", function, NULL, NULL, &(int){FASTWS_BACKEND_EPOLL}}, {                                      \
        #function " (poll)", function, NULL, NULL, &(int) { FASTWS_BACKEND_POLL }                                      \
    }

#endif
