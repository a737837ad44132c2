/* SPDX-License-Identifier: MIT */
/* What the tests of clients on event loops share: clients beside a server on one loop, and a peer that is played by
 * hand. */
#ifndef FWS_TESTS_LOOP_CLIENTS_H
#define FWS_TESTS_LOOP_CLIENTS_H

#include "loop_server.h"

/* Clients that write down what their callbacks were told. */
struct dialer {
    struct fastws_conn_config conn_config;
    struct fastws_dial_config dial_config;
    struct fastws_socket_config config;
    struct fastws_socket *socket; /* of the last dial */
    int answers, opens, messages, closes, refusals;
    int answered_by; /* error of on_dial */
    int status;
    int verdict; /* what on_dial returns */
    int error;   /* of the last close or refusal */
    struct bytes in;
};

static inline struct dialer *dialer_of(struct fastws_socket *socket) {
    return fastws_socket_get_config(socket)->context;
}

static inline int note_answer(struct fastws_socket *socket, const struct fastws_dialer *handshake, int error) {
    struct dialer *dialer = dialer_of(socket);
    dialer->answers++;
    dialer->answered_by = error;
    dialer->status = fastws_dial_status(handshake);
    assert_ptr_equal(fastws_loop_current(fastws_socket_get_loop(socket)), socket);
    return dialer->verdict;
}

static inline void note_dial_open(struct fastws_socket *socket) { dialer_of(socket)->opens++; }

static inline void note_dial_message(struct fastws_socket *socket, const struct fastws_event *event) {
    struct dialer *dialer = dialer_of(socket);
    dialer->messages++;
    bytes_put(&dialer->in, event->ptr, (size_t)event->len);
}

static inline void note_dial_close(struct fastws_socket *socket, const struct fastws_event *event) {
    dialer_of(socket)->closes++;
    dialer_of(socket)->error = event->error;
}

static inline void note_dial_refusal(struct fastws_socket *socket, int error) {
    dialer_of(socket)->refusals++;
    dialer_of(socket)->error = error;
}

static inline void dialer_prepare(struct dialer *dialer) {
    memset(dialer, 0, sizeof *dialer);
    fastws_conn_config_init(&dialer->conn_config, FASTWS_ROLE_CLIENT);
    fastws_dial_config_init(&dialer->dial_config);
    fastws_socket_config_init(&dialer->config, &dialer->conn_config);
    dialer->config.dial = &dialer->dial_config;
    dialer->config.context = dialer;
    dialer->config.on_dial = note_answer;
    dialer->config.on_open = note_dial_open;
    dialer->config.on_message = note_dial_message;
    dialer->config.on_close = note_dial_close;
    dialer->config.on_refuse = note_dial_refusal;
}

static inline const char *url_of(const char *scheme, const char *host, unsigned port) {
    static char url[256];
    snprintf(url, sizeof url, "%s://%s:%u/chat?a=1", scheme, host, port);
    return url;
}

static inline int dial(struct dialer *dialer, struct server *server, const char *url) {
    return fastws_loop_dial(server->loop, &dialer->config, url, &dialer->socket);
}

static inline void dial_server(struct dialer *dialer, struct server *server, const char *scheme, const char *host) {
    assert_int_equal(dial(dialer, server, url_of(scheme, host, fastws_listener_port(server->listener))), 0);
}

/* Has the server echo a message of len bytes. */
static inline void dialer_echo(struct dialer *dialer, struct server *server, size_t len) {
    uint8_t *payload = malloc(len + 1);
    int before = dialer->messages;
    dialer->in.len = 0;
    fill_pattern(payload, len, (uint32_t)len + 1);
    assert_int_equal(fastws_socket_send(dialer->socket, FASTWS_OPCODE_BINARY, payload, len), 0);
    UNTIL(server, dialer->messages == before + 1);
    assert_int_equal(dialer->in.len, len);
    if (len > 0) assert_memory_equal(dialer->in.ptr, payload, len);
    free(payload);
}

static inline void dialer_close(struct dialer *dialer, struct server *server) {
    assert_int_equal(fastws_socket_close(dialer->socket, 1000, "", 0), 0);
    UNTIL(server, dialer->closes == 1 && stats_of(server).sockets == 0);
    bytes_free(&dialer->in);
}

/* ---- A peer that is played by hand ---- */

static inline int listen_by_hand(unsigned *port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Waits for a connection and for the head of a request on it, which is left in peer->in. */
static inline void accept_by_hand(struct server *server, int listener, struct client *peer) {
    int fd = -1;
    UNTIL(server, (fd = accept(listener, NULL, NULL)) >= 0);
    client_of_fd(peer, fd);
    CLIENT_UNTIL(server, peer, head_len_of(peer) > 0);
    bytes_put(&peer->in, "", 1); /* text, from here on */
}

static inline void say_by_hand(struct client *peer, const char *text) {
    assert_int_equal(send(peer->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#endif
