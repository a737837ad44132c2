/* SPDX-License-Identifier: MIT */
/* What the servers in this folder have in common: options, a listening socket, and a thread for each connection.
 *
 *     NAME [--host H] [--port P] prints a line "listening on ws://H:P/" and serves until SIGINT or SIGTERM. */
#ifndef EXAMPLES_SERVER_H
#define EXAMPLES_SERVER_H

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <fastws/fastws.h>

enum { HANDSHAKE_TIMEOUT_MS = 10000, MAX_CONNECTIONS = 1000 };

/* What makes a server. Not changed once threads run. */
struct server {
    const char *name;
    void (*serve)(struct fastws_stream *stream);  /* talks to one client, in a thread of its own, until it is over */
    const struct fastws_upgrade_config *upgrade; /* of the handshakes; NULL: the defaults */
    struct fastws_conn_config config;            /* of every connection */
};

static struct server server;
static sem_t free_connections; /* over MAX_CONNECTIONS, clients wait in the listener's queue */

/* The thread of one connection: whatever its client does, no other one waits for it. */
static void *serve_client(void *argument) {
    int fd = (int)(intptr_t)argument;
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, fd);
    if (fastws_stream_accept(&io, server.upgrade, &server.config, HANDSHAKE_TIMEOUT_MS, &stream) == 0) {
        server.serve(stream);
        fastws_stream_free(stream);
    } else {
        close(fd);
    }
    sem_post(&free_connections);
    return NULL;
}

/* Gives fd to a thread that nobody joins. */
static void start(int fd) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve_client, (void *)(intptr_t)fd) == 0) {
        pthread_detach(thread);
    } else {
        close(fd);
        sem_post(&free_connections);
    }
}

static void *accept_clients(void *argument) {
    int listener = (int)(intptr_t)argument;
    for (;;) {
        while (sem_wait(&free_connections) != 0) {}
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            start(fd);
            continue;
        }
        sem_post(&free_connections); /* the client has left again, or we are short of descriptors for a while */
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return NULL;
}

/* Returns a listening socket, or -1. */
static int listen_at(const char *host, const char *port) {
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *address;
    if (getaddrinfo(host, port, &hints, &address) != 0) return -1;
    int fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(address);
    return fd;
}

/* Says where clients find us: with port 0, only the system knows. */
static void announce(const char *host, int listener) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char port[8] = "?";
    if (getsockname(listener, (struct sockaddr *)&address, &len) == 0) {
        getnameinfo((struct sockaddr *)&address, len, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    }
    int is_ipv6 = strchr(host, ':') != NULL;
    printf("listening on ws://%s%s%s:%s/\n", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
    fflush(stdout);
}

static int is_port(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0' && atoi(text) <= 65535;
}

/* Takes the options. Anything else ends the program. */
static void parse(int argc, char **argv, const char **host, const char **port) {
    static const char usage[] = "usage: %s [--help] [--host HOST] [--port PORT]\n";
    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1]; /* NULL behind the last argument */
        if (strcmp(argv[i], "--help") == 0) {
            printf(usage, server.name);
            exit(0);
        } else if (strcmp(argv[i], "--host") == 0 && value != NULL) {
            *host = value;
        } else if (strcmp(argv[i], "--port") == 0 && value != NULL && is_port(value)) {
            *port = value;
        } else {
            fprintf(stderr, usage, server.name);
            exit(2);
        }
    }
}

/* Says which values the environment variable FASTWS_ISA may have on this machine. */
static void list_isas(void) {
    const char *names[8];
    int count = fastws_cpu_isas(names, 8);
    fprintf(stderr, "%s: FASTWS_ISA must be one of:", server.name);
    for (int i = 0; i < count && i < 8; i++) fprintf(stderr, " %s", names[i]);
    fprintf(stderr, "\n");
}

/* Runs the server that is described above: what main() returns. */
static int run_server(int argc, char **argv) {
    const char *host = "127.0.0.1";
    const char *port = "9001";
    parse(argc, argv, &host, &port);
    if (fastws_cpu_status() != 0) {
        list_isas();
        return 1;
    }
    int listener = listen_at(host, port);
    if (listener < 0) {
        fprintf(stderr, "%s: cannot listen on %s port %s\n", server.name, host, port);
        return 1;
    }
    sem_init(&free_connections, 0, MAX_CONNECTIONS);

    sigset_t stops; /* blocked in every thread, so that this one alone is told */
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    pthread_t acceptor;
    if (pthread_create(&acceptor, NULL, accept_clients, (void *)(intptr_t)listener) != 0) {
        fprintf(stderr, "%s: cannot start a thread\n", server.name);
        return 1;
    }
    announce(host, listener);
    int stop;
    sigwait(&stops, &stop);
    return 0;
}

#endif
