/* SPDX-License-Identifier: MIT */
/* A WebSocket server that echoes text and binary messages, on event loops, compressed for clients that offer it:
 * echo_loop [--host H] [--port P] [--threads N] [--poll] */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/fastws.h>

#include "announce.h"

enum { THREADS_MAX = 256, SHUTDOWN_MS = 5000 };

struct worker {
    pthread_t thread; /* of all but the first, whose loop main() runs */
    struct fastws_loop *loop;
    struct fastws_post stop;
};

struct options {
    const char *host;
    const char *port;
    int threads;
    int backend;
};

/* Shared by all loops: nothing here changes once they run. */
static struct fastws_conn_config conn_config;
static struct fastws_deflate_config deflate_config;
static struct fastws_upgrade_config upgrade_config;
static struct fastws_socket_config config;

static struct worker *workers; /* for the handler of signals */
static int worker_count;
static atomic_flag is_stopping = ATOMIC_FLAG_INIT;
static atomic_int is_failed;

/* Where it fails, the connection is closing, and on_close would say why. */
static void on_message(struct fastws_socket *socket, const struct fastws_event *message) {
    int error = fastws_socket_send(socket, message->opcode, message->ptr, (size_t)message->len);
    if (error == FASTWS_ERR_NOMEM) fastws_socket_free(socket);
}

static void on_trouble(struct fastws_listener *listener, int error) {
    fprintf(stderr, "echo_loop: port %u: %s\n", fastws_listener_port(listener), fastws_error_text(error));
}

static void stop(struct fastws_loop *loop, struct fastws_post *post) {
    (void)post;
    fastws_loop_shutdown(loop, SHUTDOWN_MS);
}

/* A post may come from a handler of signals. It must not come twice. */
static void on_signal(int number) {
    (void)number;
    if (atomic_flag_test_and_set(&is_stopping)) return;
    for (int i = 0; i < worker_count; i++) fastws_loop_post(workers[i].loop, &workers[i].stop);
}

static void handle_signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (int i = 0; i < worker_count; i++) workers[i].stop.run = stop;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void *serve(void *argument) {
    struct worker *worker = argument;
    int error = fastws_loop_run(worker->loop);
    if (error == 0) return NULL;
    fprintf(stderr, "echo_loop: %s\n", fastws_error_text(error));
    is_failed = 1;
    return NULL;
}

/* Makes the loops, all of them at one port: that of the first, where the system chose it. */
static int open_loops(const struct options *options) {
    struct fastws_loop_config loop_config;
    fastws_loop_config_init(&loop_config);
    loop_config.backend = options->backend;
    unsigned flags = options->threads > 1 ? FASTWS_LISTEN_REUSE_PORT : 0;
    char port[16];
    snprintf(port, sizeof port, "%s", options->port);
    for (int i = 0; i < options->threads; i++) {
        struct fastws_listener *listener;
        int error = fastws_loop_new(&loop_config, &workers[i].loop);
        if (error == 0) error = fastws_loop_listen(workers[i].loop, &config, options->host, port, flags, &listener);
        if (error != 0) return error;
        snprintf(port, sizeof port, "%u", fastws_listener_port(listener));
    }
    handle_signals();
    announce(options->host, port);
    return 0;
}

static void run(void) {
    int started = 1;
    while (started < worker_count && pthread_create(&workers[started].thread, NULL, serve, &workers[started]) == 0) {
        started++;
    }
    if (started < worker_count) {
        fprintf(stderr, "echo_loop: %d of %d threads started\n", started, worker_count);
        is_failed = 1;
        on_signal(SIGTERM); /* nobody would serve the clients of the others */
    }
    serve(&workers[0]);
    for (int i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
    (void)atomic_flag_test_and_set(&is_stopping); /* no signal posts to a loop that is gone */
}

static void usage(FILE *file, int status) {
    fputs("usage: echo_loop [--help] [--host HOST] [--port PORT] [--threads COUNT] [--poll]\n", file);
    exit(status);
}

static void parse(int argc, char **argv, struct options *options) {
    for (int i = 1; i < argc; i++) {
        const char *value = argv[i + 1]; /* NULL behind the last argument */
        if (strcmp(argv[i], "--help") == 0) usage(stdout, 0);
        if (strcmp(argv[i], "--poll") == 0) {
            options->backend = FASTWS_BACKEND_POLL;
            continue;
        }
        if (value == NULL) usage(stderr, 2);
        if (strcmp(argv[i], "--host") == 0) {
            options->host = value;
        } else if (strcmp(argv[i], "--port") == 0) {
            options->port = value;
        } else if (strcmp(argv[i], "--threads") == 0) {
            options->threads = atoi(value);
        } else {
            usage(stderr, 2);
        }
        i++;
    }
    if (options->threads < 1 || options->threads > THREADS_MAX) usage(stderr, 2);
}

int main(int argc, char **argv) {
    struct options options = {.host = "127.0.0.1", .port = "9001", .threads = 1};
    parse(argc, argv, &options);
    fastws_conn_config_init(&conn_config, FASTWS_ROLE_SERVER);
    fastws_socket_config_init(&config, &conn_config);
    fastws_deflate_config_init(&deflate_config, FASTWS_DEFLATE_TAIL);
    fastws_upgrade_config_init(&upgrade_config);
    upgrade_config.deflate = &deflate_config;
    config.upgrade = &upgrade_config;
    config.on_message = on_message;
    config.on_trouble = on_trouble;
    worker_count = options.threads;
    workers = calloc((size_t)worker_count, sizeof *workers);
    if (workers == NULL) return 1;
    int error = open_loops(&options);
    if (error == 0) run();
    if (error != 0) {
        fprintf(stderr, "echo_loop: host %s, port %s: %s\n", options.host, options.port, fastws_error_text(error));
    }
    for (int i = 0; i < worker_count; i++) fastws_loop_free(workers[i].loop);
    free(workers);
    return error != 0 || is_failed;
}
