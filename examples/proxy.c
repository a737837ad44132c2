/* SPDX-License-Identifier: MIT */
/* A proxy in front of a WebSocket server: proxy [--host H] [--port P] [--path PATH] [--upstream HOST:PORT]
 *
 * It reads the head of a request, connects to the server if the request is for PATH, and from then on copies bytes
 * both ways, the head first: the handshake and all frames are between the client and the server. */
#include <errno.h>
#include <sys/time.h>

#include <fastws/fastws.h>

#include "listener.h"
#include "server_options.h"

enum { HEAD_MAX = 16384, HEADERS_MAX = 128, PART_LEN = 65536 };
enum { REQUEST_MS = 10000, CONNECT_MS = 10000, LINGER_MS = 1000 };

static const char *path = "/ws";
static char upstream_host[256] = "127.0.0.1";
static char upstream_port[8] = "9001";

/* ---- Sockets ---- */

/* How long a read and a write wait for the other side; 0: for ever. */
static void set_timeout(int fd, int64_t ms) {
    const struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* Returns 0, or -1. */
static int send_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return -1;
        bytes += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* Returns a socket, or -1. */
static int connect_upstream(void) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    if (getaddrinfo(upstream_host, upstream_port, &hints, &addresses) != 0) return -1;
    int fd = -1;
    for (struct addrinfo *address = addresses; address != NULL && fd < 0; address = address->ai_next) {
        fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
        if (fd < 0) continue;
        set_timeout(fd, CONNECT_MS);
        if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) continue;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(addresses);
    if (fd >= 0) {
        set_timeout(fd, 0);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
    return fd;
}

/* ---- The request ---- */

struct request {
    char bytes[HEAD_MAX];
    size_t len; /* of what was read: the head, and what came with it */
};

/* Whether the target is the path, with or without a query. */
static int is_ours(struct fastws_slice target) {
    size_t len = strlen(path);
    if (target.len < len || memcmp(target.ptr, path, len) != 0) return 0;
    return target.len == len || target.ptr[len] == '?';
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads more of the request, and waits for it until the time given. Returns 0, 408, or -1 if there is no more. */
static int read_more(int fd, struct request *request, int64_t until_ms) {
    for (;;) {
        int64_t left_ms = until_ms - now_ms();
        if (left_ms <= 0) return 408;
        set_timeout(fd, left_ms);
        ssize_t n = recv(fd, request->bytes + request->len, sizeof request->bytes - request->len, 0);
        if (n > 0) request->len += (size_t)n;
        if (n > 0) return 0;
        if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) return -1;
    }
}

/* Reads a head. Returns the status to refuse it with, 0 if the request is for the server, or -1 if there is none. */
static int read_request(int fd, struct request *request) {
    struct fastws_http_header headers[HEADERS_MAX];
    struct fastws_http_head head;
    fastws_http_head_init(&head, headers, HEADERS_MAX);
    const int64_t until_ms = now_ms() + REQUEST_MS; /* for all of it: a byte a second would never end */
    int result;
    do {
        if (request->len == sizeof request->bytes) return 431;
        int status = read_more(fd, request, until_ms);
        if (status != 0) return status;
        result = fastws_http_parse_request(&head, request->bytes, request->len);
    } while (result == FASTWS_NEED_MORE);
    if (result == FASTWS_ERR_HTTP_TOO_MANY_HEADERS) return 431;
    if (result < 0) return 400;
    return is_ours(head.request.target) ? 0 : 404;
}

/* Sends a response, and reads what the client still sends: closing over unread bytes would take the response back. */
static void refuse(int fd, int status) {
    char response[256];
    int len = snprintf(response, sizeof response, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                       status, fastws_http_status_text(status));
    if (send_all(fd, response, (size_t)len) != 0 || shutdown(fd, SHUT_WR) != 0) return;
    set_timeout(fd, LINGER_MS);
    for (int parts = 0; parts < 64 && recv(fd, response, sizeof response, 0) > 0; parts++) {}
}

/* ---- The tunnel ---- */

/* Copies what from has to say now. Returns 1, 0 when it says no more, -1 when either side has failed. */
static int copy_part(int from, int to) {
    char part[PART_LEN];
    ssize_t n = recv(from, part, sizeof part, 0);
    if (n < 0) return errno == EINTR ? 1 : -1;
    if (n == 0) return shutdown(to, SHUT_WR) == 0 ? 0 : -1;
    return send_all(to, part, (size_t)n) == 0 ? 1 : -1;
}

/* Copies one way until there is no more. Where it fails, the other way ends too. */
struct way {
    int from;
    int to;
};

static void *copy(void *argument) {
    const struct way *way = argument;
    int result;
    do result = copy_part(way->from, way->to);
    while (result > 0);
    if (result < 0) {
        shutdown(way->from, SHUT_RDWR);
        shutdown(way->to, SHUT_RDWR);
    }
    return NULL;
}

/* A thread for each way: a side that does not read stops what is sent to it, and nothing else. */
static void tunnel(int client, int upstream) {
    struct way out = {client, upstream}, in = {upstream, client};
    pthread_t thread;
    if (pthread_create(&thread, NULL, copy, &in) != 0) return;
    copy(&out);
    pthread_join(thread, NULL);
}

static void serve_client(int client) {
    struct request request = {.len = 0};
    int status = read_request(client, &request);
    int upstream = status == 0 ? connect_upstream() : -1;
    if (status == 0 && upstream < 0) status = 502;
    if (status > 0) refuse(client, status);
    if (upstream >= 0) {
        set_timeout(client, 0);
        if (send_all(upstream, request.bytes, request.len) == 0) tunnel(client, upstream);
        close(upstream);
    }
    close(client);
}

/* Takes HOST:PORT apart; an IPv6 address stands in brackets. Returns 0, or -1. */
static int set_upstream(const char *text) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !is_port(colon + 1)) return -1;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof upstream_host) return -1;
    memcpy(upstream_host, text, len);
    upstream_host[len] = '\0';
    memcpy(upstream_port, colon + 1, strlen(colon));
    return 0;
}

int main(int argc, char **argv) {
    const char *host = "127.0.0.1";
    const char *port = "9000";
    const char *upstream = "127.0.0.1:9001";
    const struct server_option options[] = {
        {"--host", "HOST", &host},
        {"--port", "PORT", &port},
        {"--path", "PATH", &path},
        {"--upstream", "HOST:PORT", &upstream},
    };
    parse(argc, argv, "proxy", options, 4);
    if (set_upstream(upstream) != 0) end_with_usage(stderr, 2, "proxy", options, 4);
    return run_listener("proxy", host, port, serve_client);
}
