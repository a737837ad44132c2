/* SPDX-License-Identifier: MIT */
/* What the programs share that load a server from a process of their own: clocks, clients, the frames that they send.
 * Define _POSIX_C_SOURCE 200809L before. Whatever fails ends the program with a message. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_LEN_MAX = 14, KEY_LEN = 4, SILENCE_MS = 20000 };

/* Ends with a message of the program's own, or of the system. */
static inline void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static inline void die(const char *what) {
    perror(what);
    exit(1);
}

/* ---- Clocks ---- */

static inline double now_s(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The run time of all threads of a process, in seconds. */
static inline double cpu_s(long pid) {
    clockid_t clock;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0) fail("no such process");
    return now_s(clock);
}

/* What was used until some moment. */
struct spent {
    double wall_s;
    double server_s;
    double own_s;
};

static inline struct spent spent_now(long pid) {
    return (struct spent){now_s(CLOCK_MONOTONIC), cpu_s(pid), now_s(CLOCK_PROCESS_CPUTIME_ID)};
}

/* Prints what is done in a second, the microseconds of the server's CPU for one, and the share of a processor that the
 * load itself took. */
static inline void report(const struct spent *before, const struct spent *after, double done) {
    double passed = after->wall_s - before->wall_s;
    if (done <= 0) fail("nothing came back in time");
    printf("%.3f %.4f %.3f\n", done / passed, (after->server_s - before->server_s) * 1e6 / done,
           (after->own_s - before->own_s) / passed);
}

/* ---- Frames ---- */

/* Writes a header in its shortest form. A client has its key behind it: 11 22 33 44. Returns its length. */
static inline size_t put_header(uint8_t head[HEAD_LEN_MAX], int is_text, int is_masked, size_t len) {
    uint8_t mask = is_masked ? 0x80 : 0;
    size_t head_len = 0;
    head[head_len++] = is_text ? 0x81 : 0x82;
    if (len < 126) {
        head[head_len++] = (uint8_t)(mask | len);
    } else if (len < 65536) {
        head[head_len++] = mask | 126;
        head[head_len++] = (uint8_t)(len >> 8);
        head[head_len++] = (uint8_t)len;
    } else {
        head[head_len++] = mask | 127;
        for (int i = 7; i >= 0; i--) head[head_len++] = (uint8_t)((uint64_t)len >> (8 * i));
    }
    for (int i = 0; is_masked && i < KEY_LEN; i++) head[head_len++] = (uint8_t)(0x11 * (i + 1));
    return head_len;
}

/* What is sent, and what has to come back: so many frames, one behind the other. */
struct frames {
    uint8_t *sent;
    uint8_t *answers;
    size_t sent_len;
    size_t answers_len;
};

/* Makes count messages of len bytes, ASCII or any, all of them different. Raw ones have no headers and no key. */
static inline struct frames make_frames(size_t len, unsigned count, int is_raw, int is_text) {
    uint8_t head[HEAD_LEN_MAX], answer_head[HEAD_LEN_MAX];
    size_t head_len = is_raw ? 0 : put_header(head, is_text, 1, len);
    size_t answer_head_len = is_raw ? 0 : put_header(answer_head, is_text, 0, len);
    struct frames frames = {.sent_len = (head_len + len) * count, .answers_len = (answer_head_len + len) * count};
    frames.sent = malloc(frames.sent_len + 1); /* 1: a message of no bytes is one, too */
    frames.answers = malloc(frames.answers_len + 1);
    if (frames.sent == NULL || frames.answers == NULL) die("malloc");
    uint8_t *sent = frames.sent, *answer = frames.answers;
    uint32_t random = 1;
    for (unsigned i = 0; i < count; i++) {
        memcpy(sent, head, head_len);
        memcpy(answer, answer_head, answer_head_len);
        sent += head_len;
        answer += answer_head_len;
        for (size_t k = 0; k < len; k++) {
            random = random * 1664525u + 1013904223u;
            uint8_t byte = (uint8_t)(random >> 24);
            *answer = is_text ? (uint8_t)('a' + byte % 26) : byte;
            *sent++ = (uint8_t)(*answer++ ^ (is_raw ? 0 : 0x11 * (k % KEY_LEN + 1)));
        }
    }
    return frames;
}

/* ---- Clients ---- */

static inline void shake_hands(int fd) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char answer[1024];
    size_t len = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) die("send");
    do {
        ssize_t n = recv(fd, answer + len, sizeof answer - 1 - len, 0);
        if (n < 0) die("recv");
        if (n == 0) fail("the server closed instead of answering");
        len += (size_t)n;
        answer[len] = '\0';
    } while (strstr(answer, "\r\n\r\n") == NULL);
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0) fail(answer);
}

/* Connects a client, which does not block once its handshake is over. None offers compression. */
static inline int open_client(int port, int is_raw) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (!is_raw) shake_hands(fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Closes with a close frame, and waits for the end: a server that is cut off would have trouble to tell of, and work to
 * do while the next one is measured. First all of them are told, then all are waited for. */
static inline void close_client(int fd, int is_raw) {
    static const uint8_t close_frame[] = {0x88, 0x82, 0x11, 0x22, 0x33, 0x44, 0x03 ^ 0x11, 0xe8 ^ 0x22}; /* 1000 */
    if (is_raw) {
        shutdown(fd, SHUT_WR);
    } else if (send(fd, close_frame, sizeof close_frame, MSG_NOSIGNAL) < 0) {
        die("send");
    }
}

static inline void await_end(int fd) {
    uint8_t rest[256];
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 1}, sizeof(struct timeval));
    fcntl(fd, F_SETFL, 0);
    while (recv(fd, rest, sizeof rest, 0) > 0) continue;
    close(fd);
}

/* Waits for events. A server that says nothing for too long ends the program. */
static inline int wait_for(int set, struct epoll_event *events, int count) {
    int found = epoll_wait(set, events, count, SILENCE_MS);
    if (found == 0) fail("the server is silent");
    return found < 0 ? 0 : found;
}

#endif
