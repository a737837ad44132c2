/* SPDX-License-Identifier: MIT */
/* Loads an echo server from one thread and says what it costs that server:
 * load_echo KIND PORT PID CONNECTIONS IN_FLIGHT BYTES SECONDS
 * Prints messages a second, the microseconds of CPU time of process PID for each of them, and the share of a processor
 * that this program took. KIND is text (ASCII), binary, or raw: then the bytes are no WebSocket. What comes back is
 * compared with what was sent while the server gets warm, in the first fifth of the time and at least once on each
 * connection, and counted from then on. */
#define _POSIX_C_SOURCE 200809L
#include "load.h"

struct connection {
    int fd;
    int is_checked; /* its first burst came back */
    int is_ended;   /* it is owed nothing, and sends nothing any more */
    size_t owed; /* bytes that are still to come of what was sent */
    size_t left; /* bytes of the burst that could not be sent yet */
};

static struct frames burst; /* what each connection sends at a time: all that may be in flight */
static struct connection *connections;
static int is_checking = 1;
static int unchecked;     /* connections */
static int is_ending;     /* no burst is started any more */
static int ended;         /* connections */
static uint64_t received; /* bytes of answers */

static void push(struct connection *connection) {
    while (connection->left > 0) {
        const uint8_t *rest = burst.sent + burst.sent_len - connection->left;
        ssize_t n = send(connection->fd, rest, connection->left, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) die("send");
        connection->left -= (size_t)n;
    }
}

static void start_burst(struct connection *connection) {
    connection->owed = burst.answers_len;
    connection->left = burst.sent_len;
    push(connection);
}

static void take(struct connection *connection, const uint8_t *bytes, size_t len) {
    if (len > connection->owed) fail("the server sent more than an echo");
    const uint8_t *expected = burst.answers + burst.answers_len - connection->owed;
    int is_compared = is_checking || !connection->is_checked;
    if (is_compared && memcmp(bytes, expected, len) != 0) fail("something else came than the echo");
    connection->owed -= len;
    received += len;
}

static void serve(struct connection *connection) {
    static uint8_t bytes[256 * 1024];
    ssize_t n;
    do {
        n = recv(connection->fd, bytes, sizeof bytes, 0);
        if (n == 0) fail("the server closed");
        if (n < 0 && errno != EAGAIN) die("recv");
        if (n > 0) take(connection, bytes, (size_t)n);
    } while (n == (ssize_t)sizeof bytes); /* edge-triggered: nothing may be left */
    push(connection);
    if (connection->owed > 0 || connection->is_ended) return;
    if (!connection->is_checked) unchecked--;
    connection->is_checked = 1;
    if (is_ending) {
        connection->is_ended = 1;
        ended++;
    } else {
        start_burst(connection);
    }
}

/* Loads for so long, and until no connection is unchecked. */
static void run(int set, double seconds) {
    struct epoll_event events[256];
    double end = now_s(CLOCK_MONOTONIC) + seconds;
    while (now_s(CLOCK_MONOTONIC) < end || unchecked > 0) {
        int count = wait_for(set, events, 256);
        for (int i = 0; i < count; i++) serve(events[i].data.ptr);
    }
}

/* Takes what is still owed, and closes. */
static void end(int set, int count, int is_raw) {
    struct epoll_event events[256];
    is_ending = 1;
    while (ended < count) {
        int found = wait_for(set, events, 256);
        for (int i = 0; i < found; i++) serve(events[i].data.ptr);
    }
    for (int i = 0; i < count; i++) close_client(connections[i].fd, is_raw);
    for (int i = 0; i < count; i++) await_end(connections[i].fd);
}

static int open_connections(int port, int count, int is_raw) {
    connections = calloc((size_t)count, sizeof *connections);
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || set < 0) die("epoll_create1");
    for (int i = 0; i < count; i++) {
        connections[i].fd = open_client(port, is_raw);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | (uint32_t)EPOLLET, .data.ptr = &connections[i]};
        if (epoll_ctl(set, EPOLL_CTL_ADD, connections[i].fd, &event) != 0) die("epoll_ctl");
    }
    unchecked = count;
    for (int i = 0; i < count; i++) start_burst(&connections[i]);
    return set;
}

int main(int argc, char **argv) {
    if (argc != 8) {
        fprintf(stderr, "usage: load_echo raw|text|binary PORT PID CONNECTIONS IN_FLIGHT BYTES SECONDS\n");
        return 2;
    }
    int is_raw = strcmp(argv[1], "raw") == 0;
    long pid = atol(argv[3]);
    int count = atoi(argv[4]);
    unsigned in_flight = (unsigned)atoi(argv[5]);
    double seconds = atof(argv[7]);
    burst = make_frames((size_t)atol(argv[6]), in_flight, is_raw, strcmp(argv[1], "text") == 0);
    int set = open_connections(atoi(argv[2]), count, is_raw);
    run(set, seconds * 0.2);
    is_checking = 0;
    uint64_t received_before = received;
    struct spent before = spent_now(pid);
    run(set, seconds);
    struct spent after = spent_now(pid);
    double answer_len = (double)burst.answers_len / in_flight;
    report(&before, &after, (double)(received - received_before) / answer_len);
    end(set, count, is_raw);
    return 0;
}
