/* SPDX-License-Identifier: MIT */
/* Servers and proxies for tests of dialling: each serves its connections one after another, on a thread of its own. */
#ifndef TESTS_CONNECT_PEERS_H
#define TESTS_CONNECT_PEERS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
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

#include <fastws/connect.h>
#include <fastws/error.h>
#include <fastws/handshake.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SLICE(literal) ((struct fastws_slice){literal, sizeof(literal) - 1})

static inline uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void sleep_ms(unsigned ms) {
    nanosleep(&(struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
}

/* Descriptors that are open now: a dial that fails must leave none behind. */
static inline int count_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0) count++;
    return count;
}

/* ---- A peer ---- */

struct peer {
    int listener;
    uint16_t port;
    pthread_t thread;
    int stop[2]; /* a pipe whose end means: stop */
    void (*serve)(struct peer *peer, int fd);
    const void *argument;
    int served;
    char request[4096]; /* what came last, ended by a NUL */
    size_t request_len;
};

/* Writes an address with the port of a peer. The last four stay. */
static inline const char *at(const char *format, const struct peer *peer) {
    static char texts[4][256];
    static int turn;
    char *text = texts[turn++ % 4];
    snprintf(text, sizeof texts[0], format, (unsigned)peer->port);
    return text;
}

static inline void *run_peer(void *argument) {
    struct peer *peer = argument;
    for (;;) {
        struct pollfd entries[2] = {{.fd = peer->listener, .events = POLLIN}, {.fd = peer->stop[0], .events = POLLIN}};
        if (poll(entries, 2, -1) < 0) continue;
        if (entries[1].revents != 0) return NULL;
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0) continue;
        peer->served++;
        peer->serve(peer, fd);
        close(fd);
    }
}

static inline int listen_on(const char *ip, uint16_t *port, int backlog) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof address;
    inet_pton(AF_INET, ip, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline void start_peer(struct peer *peer, void (*serve)(struct peer *, int), const void *argument) {
    if (peer->listener == 0) peer->listener = listen_on("127.0.0.1", &peer->port, 16);
    peer->serve = serve;
    peer->argument = argument;
    assert_int_equal(pipe(peer->stop), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, run_peer, peer), 0);
}

static inline void stop_peer(struct peer *peer) {
    close(peer->stop[1]);
    pthread_join(peer->thread, NULL);
    close(peer->stop[0]);
    close(peer->listener);
}

/* ---- What peers do ---- */

/* Reads until the empty line of a head, into peer->request. Returns 0 at the end of the stream. */
static inline int take_head(struct peer *peer, int fd) {
    peer->request_len = 0;
    for (;;) {
        ssize_t n = read(fd, peer->request + peer->request_len, sizeof peer->request - 1 - peer->request_len);
        if (n <= 0) return 0;
        peer->request_len += (size_t)n;
        peer->request[peer->request_len] = '\0';
        if (strstr(peer->request, "\r\n\r\n") != NULL) return 1;
    }
}

static inline void say(int fd, const char *text) { (void)!send(fd, text, strlen(text), MSG_NOSIGNAL); }

/* Waits until the client is gone. */
static inline void wait_end(int fd) {
    char dropped[256];
    while (read(fd, dropped, sizeof dropped) > 0) {}
}

/* Accepts with the headers given, and sends a text frame "hi" along with the answer. */
static inline void say_101(struct peer *peer, int fd, const char *headers) {
    char answer[1024], accept_key[FASTWS_ACCEPT_LEN + 1];
    const char *key = strstr(peer->request, "Sec-WebSocket-Key: ");
    if (key == NULL || fastws_accept_key(accept_key, key + 19, FASTWS_KEY_LEN) != 0) return;
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n%s\r\n\x81\x02hi",
             accept_key, headers);
    say(fd, answer);
}

static inline void serve_101(struct peer *peer, int fd) {
    if (!take_head(peer, fd)) return;
    say_101(peer, fd, peer->argument != NULL ? peer->argument : "");
    wait_end(fd);
}

/* Answers with the text given. */
static inline void serve_text(struct peer *peer, int fd) {
    if (take_head(peer, fd)) say(fd, peer->argument);
}

/* Takes everything and says nothing. */
static inline void serve_silence(struct peer *peer, int fd) {
    (void)peer;
    wait_end(fd);
}

/* ---- Addresses that are silent ---- */

/* Listens at an address where nobody gets through any more. */
struct full {
    int listener;
    int clients[8];
};

static inline void fill(struct full *full, const char *ip, uint16_t *port) {
    full->listener = listen_on(ip, port, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    inet_pton(AF_INET, ip, &address.sin_addr);
    for (size_t i = 0; i < COUNT(full->clients); i++) {
        full->clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        fcntl(full->clients[i], F_SETFL, O_NONBLOCK);
        (void)!connect(full->clients[i], (struct sockaddr *)&address, sizeof address);
    }
    sleep_ms(20);
}

static inline void empty(struct full *full) {
    for (size_t i = 0; i < COUNT(full->clients); i++) close(full->clients[i]);
    close(full->listener);
}

/* ---- The client ---- */

static inline void expect_prefix(const char *text, const char *prefix) {
    if (strncmp(text, prefix, strlen(prefix)) != 0) fail_msg("%s does not begin with %s", text, prefix);
}

static inline int dial_to(const char *url, const struct fastws_dial_options *options, struct fastws_stream **out) {
    int before = count_descriptors();
    int error = fastws_dial(url, options, out);
    /* Peers run in this process too, and close theirs when they see that ours is closed. */
    for (int i = 0; error < 0 && i < 500 && count_descriptors() > before; i++) sleep_ms(5);
    if (error < 0) assert_true(count_descriptors() <= before);
    return error;
}

/* Dials, expects the frame that peers send with the answer, and closes. */
static inline void expect_open(const char *url, const struct fastws_dial_options *options) {
    struct fastws_stream *stream;
    struct fastws_event event;
    int error = dial_to(url, options, &stream);
    if (error != 0) fail_msg("%s: %s, %s", url, fastws_error_name(error), options->report ? options->report->text : "");
    assert_int_equal(fastws_stream_read_data(stream, &event), 0);
    assert_int_equal(event.len, 2);
    assert_memory_equal(event.ptr, "hi", 2);
    fastws_stream_free(stream);
}

static inline struct fastws_dial_options make_options(struct fastws_dial_report *report) {
    struct fastws_dial_options options;
    fastws_dial_options_init(&options);
    options.timeout_ms = 5000;
    options.proxy = "";
    options.report = report;
    return options;
}

/* Dials and expects an error at a step. */
static inline void expect_error(const char *url, const struct fastws_dial_options *options, int expected,
                                enum fastws_dial_step step) {
    struct fastws_stream *stream = NULL;
    int error = dial_to(url, options, &stream);
    if (error != expected) fail_msg("%s: %s, %s", url, fastws_error_name(error), options->report->text);
    assert_int_equal(options->report->step, step);
    assert_true(options->report->text[0] != '\0');
    assert_null(stream);
}

#endif
