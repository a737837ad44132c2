/* SPDX-License-Identifier: MIT */
/* Loads a server that sends each message it gets to all its clients, and says what that costs it:
 * load_broadcast PORT PID CONNECTIONS BYTES SECONDS
 * One more client, which controls, sends a text, and the next one when each of CONNECTIONS has it, and the control,
 * too. Prints broadcasts a second, the microseconds of CPU time of process PID for each of them, and the share of a
 * processor that this program took. What comes is compared with what was sent in the first fifth of the time, and
 * counted from then on. */
#define _POSIX_C_SOURCE 200809L
#include "load.h"

enum { CLIENTS_MAX = 20000 };

struct client {
    int fd;
    size_t got; /* bytes of the message that is on its way */
};

static struct frames message;
static struct client clients[CLIENTS_MAX + 1]; /* the first one controls */
static int clients_count;
static int complete; /* clients that have the message */
static int is_checking = 1;

static void take(struct client *client) {
    static uint8_t bytes[64 * 1024];
    ssize_t n;
    while ((n = recv(client->fd, bytes, sizeof bytes, 0)) > 0) {
        size_t len = (size_t)n;
        if (len > message.answers_len - client->got) fail("a client got more than the message");
        if (is_checking && memcmp(bytes, message.answers + client->got, len) != 0) fail("a client got something else");
        client->got += len;
        if (client->got == message.answers_len) complete++;
    }
    if (n == 0) fail("the server closed");
    if (errno != EAGAIN) die("recv");
}

static void broadcast(int set) {
    struct epoll_event events[256];
    for (int i = 0; i < clients_count; i++) clients[i].got = 0;
    complete = 0;
    if (send(clients[0].fd, message.sent, message.sent_len, MSG_NOSIGNAL) != (ssize_t)message.sent_len) die("send");
    while (complete < clients_count) {
        int count = wait_for(set, events, 256);
        for (int i = 0; i < count; i++) take(events[i].data.ptr);
    }
}

/* Returns how many broadcasts there were. */
static int run(int set, double seconds) {
    int count = 0;
    double end = now_s(CLOCK_MONOTONIC) + seconds;
    do {
        broadcast(set);
        count++;
    } while (now_s(CLOCK_MONOTONIC) < end);
    return count;
}

static int open_clients(int port) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) die("epoll_create1");
    for (int i = 0; i < clients_count; i++) {
        clients[i].fd = open_client(port, 0);
        struct epoll_event event = {.events = EPOLLIN | (uint32_t)EPOLLET, .data.ptr = &clients[i]};
        if (epoll_ctl(set, EPOLL_CTL_ADD, clients[i].fd, &event) != 0) die("epoll_ctl");
    }
    /* An answer may be here before the server has counted its client among those that it sends to. */
    nanosleep(&(struct timespec){.tv_nsec = 200 * 1000 * 1000}, NULL);
    return set;
}

int main(int argc, char **argv) {
    int count = argc == 6 ? atoi(argv[3]) : 0;
    if (count < 1 || count > CLIENTS_MAX) {
        fprintf(stderr, "usage: load_broadcast PORT PID CONNECTIONS BYTES SECONDS\n");
        return 2;
    }
    long pid = atol(argv[2]);
    double seconds = atof(argv[5]);
    clients_count = count + 1;
    message = make_frames((size_t)atol(argv[4]), 1, 0, 1);
    int set = open_clients(atoi(argv[1]));
    run(set, seconds * 0.2);
    is_checking = 0;
    struct spent before = spent_now(pid);
    int done = run(set, seconds);
    struct spent after = spent_now(pid);
    report(&before, &after, done);
    for (int i = 0; i < clients_count; i++) close_client(clients[i].fd, 0);
    for (int i = 0; i < clients_count; i++) await_end(clients[i].fd);
    return 0;
}
