/* SPDX-License-Identifier: MIT */
/* Accepts requests for one host with well-formed cookies only, and adds a header to what it answers:
 * upgrade_checks [--host H] [--port P] */
#define _POSIX_C_SOURCE 200809L
#include "server.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

static const struct fastws_http_header wanted_host = {TEXT("X-Want-Host"), TEXT("github.com")};
static struct fastws_http_header version = {TEXT("X-Fastws-Version"), {NULL, 0}};

static int check_host(void *context, struct fastws_slice host, struct fastws_reject *reject) {
    (void)context;
    if (fastws_http_equals(host, "github.com")) return 0;
    reject->status = 403;
    reject->headers = (struct fastws_http_headers){&wanted_host, 1};
    return -1;
}

static int check_cookies(void *context, struct fastws_slice name, struct fastws_slice value,
                         struct fastws_reject *reject) {
    (void)context;
    struct fastws_cookie cookie;
    int result;
    if (!fastws_http_equals(name, "cookie")) return 0;
    do {
        /* Here is the place to check a session, or to copy what is needed later. */
        result = fastws_cookie_next(&cookie, &value, FASTWS_COOKIE_STOP);
    } while (result == 1);
    if (result == 0) return 0;
    reject->status = 400;
    reject->body = (struct fastws_slice)TEXT("bad cookie");
    return -1;
}

static int add_version(void *context, struct fastws_http_headers *headers, struct fastws_reject *reject) {
    (void)context, (void)reject;
    *headers = (struct fastws_http_headers){&version, 1};
    return 0;
}

static void echo(struct fastws_stream *stream) {
    struct fastws_event message;
    while (fastws_stream_read_data(stream, &message) == 0) {
        int error = fastws_stream_write_message(stream, message.opcode, message.ptr, (size_t)message.len);
        if (error != 0) break;
    }
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
}

int main(int argc, char **argv) {
    static struct fastws_upgrade_config upgrade;
    version.value = (struct fastws_slice){fastws_version(), strlen(fastws_version())};
    fastws_upgrade_config_init(&upgrade);
    upgrade.on_host = check_host;
    upgrade.on_header = check_cookies;
    upgrade.on_before_upgrade = add_version;
    server.name = "upgrade_checks";
    server.serve = echo;
    server.upgrade = &upgrade;
    fastws_conn_config_init(&server.config, FASTWS_ROLE_SERVER);
    return run_server(argc, argv);
}
