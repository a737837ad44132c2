/* SPDX-License-Identifier: MIT */
/* Upgrades inside an HTTP server, GNU libmicrohttpd: it reads the requests and sends the responses, fastws judges and
 * words them.
 *
 *     NAME [--host H] [--port P] prints a line "listening on ws://H:P/" and serves until SIGINT or SIGTERM. */
#ifndef EXAMPLES_HTTP_SERVER_H
#define EXAMPLES_HTTP_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/fastws.h>
#include <microhttpd.h>

#include "announce.h"
#include "server_options.h"

enum { HEADERS_MAX = 128, REQUEST_TIMEOUT_S = 10, MAX_CONNECTIONS = 1000 };

/* What makes a server. Not changed once it runs. */
struct http_server {
    const char *name;
    void (*serve)(struct fastws_stream *stream); /* talks to one client, in a thread of its own, until it is over */
    struct fastws_conn_config config;            /* of every connection */
};

static struct http_server server;

/* ---- Once the 101 is sent ---- */

struct client {
    struct fastws_stream *stream;
    struct MHD_UpgradeResponseHandle *handle;
};

static void *serve_client(void *argument) {
    struct client *client = argument;
    server.serve(client->stream);
    fastws_stream_free(client->stream);
    MHD_upgrade_action(client->handle, MHD_UPGRADE_ACTION_CLOSE);
    free(client);
    return NULL;
}

/* Gives the connection to a thread that nobody joins. Returns 0, or -1. */
static int start(struct client *client) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve_client, client) != 0) return -1;
    pthread_detach(thread);
    return 0;
}

/* Called in the thread of the HTTP server. extra: what it has read behind the request, the first bytes of the
 * stream. */
static void take_over(void *closure, struct MHD_Connection *connection, void *request, const char *extra,
                      size_t extra_len, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle) {
    (void)closure, (void)connection, (void)request;
    struct client *client = malloc(sizeof *client);
    struct fastws_io io;
    fastws_io_from_fd(&io, fd);
    io.close = NULL; /* the HTTP server closes its descriptor, when it is told to */
    if (client && fastws_stream_open(&io, &server.config, extra, extra_len, &client->stream) == 0) {
        client->handle = handle;
        if (start(client) == 0) return;
        fastws_stream_free(client->stream);
    }
    free(client);
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

/* ---- The request ---- */

/* One request, from its first line on. */
struct request {
    char *target;
    int is_complete; /* its head was read */
    size_t header_count;
    struct fastws_http_header headers[HEADERS_MAX];
};

/* The HTTP server shows the target as it came here and nowhere else. */
static void *begin_request(void *closure, const char *target, struct MHD_Connection *connection) {
    (void)closure, (void)connection;
    struct request *request = calloc(1, sizeof *request);
    if (request) request->target = strdup(target);
    return request;
}

static void end_request(void *closure, struct MHD_Connection *connection, void **request_ptr,
                        enum MHD_RequestTerminationCode code) {
    (void)closure, (void)connection, (void)code;
    struct request *request = *request_ptr;
    if (request) free(request->target);
    free(request);
    *request_ptr = NULL;
}

static enum MHD_Result add_header(void *closure, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                  const char *value, size_t value_len) {
    (void)kind;
    struct request *request = closure;
    /* One too many is seen by fastws, which refuses it. */
    if (request->header_count == HEADERS_MAX) return MHD_NO;
    request->headers[request->header_count++] = (struct fastws_http_header){{name, name_len}, {value, value_len}};
    return MHD_YES;
}

/* Judges a request: whatever is returned, the response is ready. */
static void judge(struct fastws_upgrade *upgrade, struct MHD_Connection *connection, struct request *request,
                  const char *method, const char *version) {
    int result;
    if (strcmp(version, "HTTP/1.1") != 0) {
        result = fastws_upgrade_refuse(upgrade, FASTWS_ERR_HTTP_VERSION);
    } else {
        MHD_get_connection_values_n(connection, MHD_HEADER_KIND, add_header, request);
        struct fastws_slice target = {request->target, strlen(request->target)};
        result = fastws_upgrade_parsed(upgrade, (struct fastws_slice){method, strlen(method)}, target,
                                       request->headers, request->header_count);
    }
    if (result < 0) fprintf(stderr, "%s: %s\n", server.name, fastws_error_text(result));
}

/* ---- The response ---- */

/* These are written by the HTTP server itself. */
static int is_of_the_server(struct fastws_slice name) {
    return fastws_http_equals(name, "content-length") || fastws_http_equals(name, "connection");
}

/* Adds a header to the response: its functions want strings with an end. Returns MHD_YES or MHD_NO. */
static enum MHD_Result copy_header(struct MHD_Response *response, const struct fastws_http_header *header) {
    if (is_of_the_server(header->name)) return MHD_YES;
    char *name = strndup(header->name.ptr, header->name.len);
    char *value = strndup(header->value.ptr, header->value.len);
    enum MHD_Result result = name && value ? MHD_add_response_header(response, name, value) : MHD_NO;
    free(name);
    free(value);
    return result;
}

/* Has the HTTP server send what fastws would send: MHD_NO ends the connection. */
static enum MHD_Result respond(struct MHD_Connection *connection, const struct fastws_upgrade *upgrade) {
    const void *text;
    size_t len;
    struct fastws_http_header headers[HEADERS_MAX];
    struct fastws_http_head head;
    fastws_http_head_init(&head, headers, HEADERS_MAX);
    if (fastws_upgrade_response(upgrade, &text, &len) < 0 || fastws_http_parse_response(&head, text, len) != 1)
        return MHD_NO;
    int is_accepted = head.status.status == 101;
    struct MHD_Response *response =
        is_accepted ? MHD_create_response_for_upgrade(take_over, NULL)
                    : MHD_create_response_from_buffer(len - head.len, (char *)(uintptr_t)text + head.len,
                                                      MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = response ? MHD_YES : MHD_NO;
    for (size_t i = 0; i < head.header_count && result == MHD_YES; i++) result = copy_header(response, &headers[i]);
    if (!is_accepted && result == MHD_YES) result = MHD_add_response_header(response, "Connection", "close");
    if (result == MHD_YES) result = MHD_queue_response(connection, head.status.status, response);
    if (response) MHD_destroy_response(response);
    return result;
}

/* Called when the head was read, and again for the body and its end: this is the place to answer a request. */
static enum MHD_Result answer(void *closure, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *body, size_t *body_len, void **request_ptr) {
    (void)closure, (void)url, (void)body;
    struct request *request = *request_ptr;
    struct fastws_upgrade *upgrade;
    if (!request || !request->target) return MHD_NO;
    if (!request->is_complete || *body_len > 0) {
        request->is_complete = 1;
        *body_len = 0;
        return MHD_YES;
    }
    if (fastws_upgrade_new(NULL, NULL, &upgrade) < 0) return MHD_NO;
    judge(upgrade, connection, request, method, version);
    enum MHD_Result result = respond(connection, upgrade);
    fastws_upgrade_free(upgrade);
    return result;
}

/* ---- The program ---- */

static struct MHD_Daemon *listen_at(const char *host, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) return NULL;
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_UPGRADE, port, NULL, NULL, answer, NULL,
                            MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_URI_LOG_CALLBACK,
                            begin_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)REQUEST_TIMEOUT_S, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)MAX_CONNECTIONS, MHD_OPTION_END);
}

/* Runs the server that is described above: what main() returns. */
static int run_server(int argc, char **argv) {
    const char *host = "127.0.0.1";
    const char *port = "9001";
    const struct server_option options[] = {{"--host", "ADDRESS", &host}, {"--port", "PORT", &port}};
    parse(argc, argv, server.name, options, 2);
    sigset_t stops; /* blocked in every thread, so that this one alone is told */
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    struct MHD_Daemon *daemon = listen_at(host, (uint16_t)atoi(port));
    if (!daemon) {
        fprintf(stderr, "%s: cannot listen on %s port %s\n", server.name, host, port);
        return 1;
    }
    char found[8];
    snprintf(found, sizeof found, "%u", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port & 0xffffu);
    announce(host, found);
    int stop;
    sigwait(&stops, &stop);
    return 0;
}

#endif
