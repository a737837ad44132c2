/* SPDX-License-Identifier: MIT */
/* A listening socket, and a thread for each client: whatever one client does, no other one waits for it. */
#ifndef EXAMPLES_LISTENER_H
#define EXAMPLES_LISTENER_H

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

#include "announce.h"

enum { MAX_CONNECTIONS = 1000 };

/* Not changed once threads run. */
static struct {
    int fd;
    void (*serve)(int fd);   /* talks to one client, in a thread of its own, and closes fd in the end */
    sem_t free_connections;  /* over MAX_CONNECTIONS, clients wait in the listener's queue */
} listener;

static void *serve_in_thread(void *argument) {
    listener.serve((int)(intptr_t)argument);
    sem_post(&listener.free_connections);
    return NULL;
}

/* Gives fd to a thread that nobody joins. */
static void start(int fd) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve_in_thread, (void *)(intptr_t)fd) == 0) {
        pthread_detach(thread);
    } else {
        close(fd);
        sem_post(&listener.free_connections);
    }
}

static void *accept_clients(void *argument) {
    (void)argument;
    for (;;) {
        while (sem_wait(&listener.free_connections) != 0) {}
        int fd = accept(listener.fd, NULL, NULL);
        if (fd >= 0) {
            start(fd);
            continue;
        }
        sem_post(&listener.free_connections); /* the client has left, or we are short of descriptors for a while */
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

/* Finds out the port: where it was 0, only the system knows. */
static void find_port(char port[8]) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    strcpy(port, "?");
    if (getsockname(listener.fd, (struct sockaddr *)&address, &len) == 0) {
        getnameinfo((struct sockaddr *)&address, len, NULL, 0, port, 8, NI_NUMERICSERV);
    }
}

/* Serves until SIGINT or SIGTERM: what main() returns. */
static int run_listener(const char *program, const char *host, const char *port, void (*serve)(int fd)) {
    listener.serve = serve;
    listener.fd = listen_at(host, port);
    if (listener.fd < 0) {
        fprintf(stderr, "%s: cannot listen on %s port %s\n", program, host, port);
        return 1;
    }
    sem_init(&listener.free_connections, 0, MAX_CONNECTIONS);

    sigset_t stops; /* blocked in every thread, so that this one alone is told */
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    pthread_t acceptor;
    if (pthread_create(&acceptor, NULL, accept_clients, NULL) != 0) {
        fprintf(stderr, "%s: cannot start a thread\n", program);
        return 1;
    }
    char found[8];
    find_port(found);
    announce(host, found);
    int stop;
    sigwait(&stops, &stop);
    return 0;
}

#endif
