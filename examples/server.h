/* SPDX-License-Identifier: MIT */
/* What the servers in this folder have in common that serve each client in a thread of its own.
 *
 *     NAME [--host H] [--port P] prints a line "listening on ws://H:P/" and serves until SIGINT or SIGTERM. */
#ifndef EXAMPLES_SERVER_H
#define EXAMPLES_SERVER_H

#include <fastws/fastws.h>

#include "listener.h"
#include "server_options.h"

enum { HANDSHAKE_TIMEOUT_MS = 10000 };

/* What makes a server. Not changed once threads run. */
struct server {
    const char *name;
    void (*serve)(struct fastws_stream *stream); /* talks to one client, until it is over */
    const struct fastws_upgrade_config *upgrade; /* of the handshakes; NULL: the defaults */
    struct fastws_conn_config config;            /* of every connection */
};

static struct server server;

static void serve_client(int fd) {
    struct fastws_io io;
    struct fastws_stream *stream;
    fastws_io_from_fd(&io, fd);
    if (fastws_stream_accept(&io, server.upgrade, &server.config, HANDSHAKE_TIMEOUT_MS, &stream) == 0) {
        server.serve(stream);
        fastws_stream_free(stream);
    } else {
        close(fd);
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
    const struct server_option options[] = {{"--host", "HOST", &host}, {"--port", "PORT", &port}};
    parse(argc, argv, server.name, options, 2);
    if (fastws_cpu_status() != 0) {
        list_isas();
        return 1;
    }
    return run_listener(server.name, host, port, serve_client);
}

#endif
