/* SPDX-License-Identifier: MIT */
/* Loads an echo server from one thread and says what it costs that server:
 * load_echo KIND PORT PID CONNECTIONS IN_FLIGHT BYTES SECONDS
 * Prints messages a second, and the microseconds of CPU time of process PID for each of them. KIND is text (ASCII),
 * binary, or raw: then the bytes are no WebSocket. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char request[] =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct connection {
    int fd;
    size_t owed; /* bytes that are still to come of what was sent */
    size_t left; /* bytes of the burst that could not be sent yet */
};

static uint8_t *burst; /* what each connection sends at a time: all that may be in flight */
static size_t burst_len;
static size_t answer_len;
static unsigned in_flight;
static uint64_t received; /* bytes of answers */

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double now_s(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The run time of all threads of a process, in seconds. */
static double cpu_s(long pid) {
    clockid_t clock;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0) die("clock_getcpuclockid");
    return now_s(clock);
}

/* A burst of in_flight frames, masked as a client has to. Their echo is not. */
static void make_burst(size_t len, int is_raw, int is_text) {
    uint8_t head[14];
    size_t head_len = 0;
    head[head_len++] = is_text ? 0x81 : 0x82;
    if (len < 126) {
        head[head_len++] = (uint8_t)(0x80 | len);
    } else if (len < 65536) {
        head[head_len++] = 0x80 | 126;
        head[head_len++] = (uint8_t)(len >> 8);
        head[head_len++] = (uint8_t)len;
    } else {
        head[head_len++] = 0x80 | 127;
        for (int i = 7; i >= 0; i--) head[head_len++] = (uint8_t)((uint64_t)len >> (8 * i));
    }
    for (int i = 0; i < 4; i++) head[head_len++] = (uint8_t)(0x11 * (i + 1));
    if (is_raw) head_len = 0;
    answer_len = is_raw ? len : head_len - 4 + len;
    burst_len = (head_len + len) * in_flight;
    burst = calloc(1, burst_len);
    if (burst == NULL) die("calloc");
    uint32_t random = 1;
    for (unsigned i = 0; i < in_flight; i++) {
        uint8_t *frame = burst + (head_len + len) * i;
        memcpy(frame, head, head_len);
        for (size_t k = 0; k < len; k++) {
            random = random * 1664525u + 1013904223u;
            uint8_t byte = (uint8_t)(random >> 24);
            uint8_t key = is_raw ? 0 : head[head_len - 4 + k % 4];
            frame[head_len + k] = (uint8_t)((is_text ? 'a' + byte % 26 : byte) ^ key);
        }
    }
}

static int open_connection(int port, int is_raw) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (!is_raw) {
        char answer[1024];
        size_t len = 0;
        if (send(fd, request, sizeof request - 1, 0) < 0) die("send");
        do {
            ssize_t n = recv(fd, answer + len, sizeof answer - 1 - len, 0);
            if (n <= 0) die("recv");
            len += (size_t)n;
            answer[len] = '\0';
        } while (strstr(answer, "\r\n\r\n") == NULL);
        if (strncmp(answer, "HTTP/1.1 101", 12) != 0) die(answer);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void push(struct connection *connection) {
    while (connection->left > 0) {
        ssize_t n = send(connection->fd, burst + burst_len - connection->left, connection->left, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) die("send");
        connection->left -= (size_t)n;
    }
}

static void start_burst(struct connection *connection) {
    connection->owed = answer_len * in_flight;
    connection->left = burst_len;
    push(connection);
}

static void serve(struct connection *connection) {
    static uint8_t dropped[256 * 1024];
    ssize_t n;
    do {
        n = recv(connection->fd, dropped, sizeof dropped, 0);
        if (n == 0) die("the server closed");
        if (n < 0 && errno != EAGAIN) die("recv");
        if (n > 0) connection->owed -= (size_t)n;
        if (n > 0) received += (uint64_t)n;
    } while (n == (ssize_t)sizeof dropped); /* edge-triggered: nothing may be left */
    push(connection);
    if (connection->owed > 0) return;
    start_burst(connection);
}

static void run(int set, double seconds) {
    struct epoll_event events[256];
    double end = now_s(CLOCK_MONOTONIC) + seconds;
    while (now_s(CLOCK_MONOTONIC) < end) {
        int count = epoll_wait(set, events, 256, 100);
        for (int i = 0; i < count; i++) serve(events[i].data.ptr);
    }
}

int main(int argc, char **argv) {
    if (argc != 8) {
        fprintf(stderr, "usage: load_echo raw|text|binary PORT PID CONNECTIONS IN_FLIGHT BYTES SECONDS\n");
        return 2;
    }
    int is_raw = strcmp(argv[1], "raw") == 0;
    int is_text = strcmp(argv[1], "text") == 0;
    argv++;
    long pid = atol(argv[2]);
    int count = atoi(argv[3]);
    in_flight = (unsigned)atoi(argv[4]);
    make_burst((size_t)atol(argv[5]), is_raw, is_text);
    struct connection *connections = calloc((size_t)count, sizeof *connections);
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || set < 0) die("epoll_create1");
    for (int i = 0; i < count; i++) {
        connections[i].fd = open_connection(atoi(argv[1]), is_raw);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | (uint32_t)EPOLLET, .data.ptr = &connections[i]};
        if (epoll_ctl(set, EPOLL_CTL_ADD, connections[i].fd, &event) != 0) die("epoll_ctl");
    }
    for (int i = 0; i < count; i++) start_burst(&connections[i]);
    double seconds = atof(argv[6]);
    run(set, seconds * 0.2);
    uint64_t before = received;
    double cpu = cpu_s(pid), wall = now_s(CLOCK_MONOTONIC);
    run(set, seconds);
    double passed = now_s(CLOCK_MONOTONIC) - wall;
    double done = (double)(received - before) / (double)answer_len;
    printf("%.0f %.4f\n", done / passed, (cpu_s(pid) - cpu) * 1e6 / done);
    return 0;
}
