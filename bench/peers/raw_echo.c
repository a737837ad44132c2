/* SPDX-License-Identifier: MIT */
/* An echo of bytes on epoll, without any protocol: what every server has to pay. raw_echo [--port P]
 * Does what an event loop does around a protocol and nothing else: one receive for a socket that is ready, into one
 * buffer for all of them, one send of what came, and a queue for what the system does not take. */
#define _GNU_SOURCE /* accept4() */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_LEN = 68 * 1024, EVENTS = 64 }; /* as fastws_loop has them */

struct connection {
    int fd;
    uint8_t *kept; /* what the system has not taken; NULL: nothing */
    size_t kept_off;
    size_t kept_len;
};

static int set;
static uint8_t buffer[BUFFER_LEN];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int operation, struct connection *connection, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(set, operation, connection->fd, &event) != 0) die("epoll_ctl");
}

static void end(struct connection *connection) {
    close(connection->fd);
    free(connection->kept);
    free(connection);
}

static void keep(struct connection *connection, const uint8_t *src, size_t len) {
    connection->kept = malloc(len);
    if (connection->kept == NULL) die("malloc");
    memcpy(connection->kept, src, len);
    connection->kept_off = 0;
    connection->kept_len = len;
    watch(EPOLL_CTL_MOD, connection, EPOLLOUT); /* it is not read meanwhile */
}

static void receive(struct connection *connection) {
    ssize_t len = recv(connection->fd, buffer, sizeof buffer, 0);
    if (len < 0 && errno == EAGAIN) return;
    ssize_t sent = len > 0 ? send(connection->fd, buffer, (size_t)len, MSG_NOSIGNAL) : -1;
    if (len <= 0 || (sent < 0 && errno != EAGAIN)) {
        end(connection);
        return;
    }
    if (sent < 0) sent = 0;
    if (sent < len) keep(connection, buffer + sent, (size_t)(len - sent));
}

static void drain(struct connection *connection) {
    size_t len = connection->kept_len - connection->kept_off;
    ssize_t sent = send(connection->fd, connection->kept + connection->kept_off, len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
        end(connection);
        return;
    }
    connection->kept_off += (size_t)sent;
    if (connection->kept_off < connection->kept_len) return;
    free(connection->kept);
    connection->kept = NULL;
    watch(EPOLL_CTL_MOD, connection, EPOLLIN);
}

static void accept_all(int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL) die("calloc");
        connection->fd = fd;
        watch(EPOLL_CTL_ADD, connection, EPOLLIN);
    }
}

static int open_listener(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what is accepted inherits it */
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, SOMAXCONN) != 0) die("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) die("getsockname");
    printf("listening on tcp://127.0.0.1:%u/\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    struct connection listener = {.fd = open_listener(argc == 3 ? atoi(argv[2]) : 0)};
    struct epoll_event events[EVENTS];
    set = epoll_create1(EPOLL_CLOEXEC);
    watch(EPOLL_CTL_ADD, &listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(set, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection == &listener) {
                accept_all(listener.fd);
            } else if (connection->kept != NULL) {
                drain(connection);
            } else {
                receive(connection);
            }
        }
    }
}
