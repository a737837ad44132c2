/* SPDX-License-Identifier: MIT */
/* A WebSocket server that echoes text and binary messages, compressed for clients that offer it:
 * echo [--host H] [--port P] */
#define _POSIX_C_SOURCE 200809L
#include "server.h"

/* Echoes until the client closes, the connection fails, or a message cannot be written. */
static void echo(struct fastws_stream *stream) {
    struct fastws_event message;
    while (fastws_stream_read_data(stream, &message) == 0) {
        int error = fastws_stream_write_message(stream, message.opcode, message.ptr, (size_t)message.len);
        if (error != 0) break;
    }
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
}

int main(int argc, char **argv) {
    server.name = "echo";
    server.serve = echo;
    fastws_conn_config_init(&server.config, FASTWS_ROLE_SERVER);
    struct fastws_deflate_config deflate; /* both live as long as the process */
    struct fastws_upgrade_config upgrade;
    fastws_deflate_config_init(&deflate, FASTWS_DEFLATE_TAIL);
    fastws_upgrade_config_init(&upgrade);
    upgrade.deflate = &deflate;
    server.upgrade = &upgrade;
    return run_server(argc, argv);
}
