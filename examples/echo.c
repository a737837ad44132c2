/* SPDX-License-Identifier: MIT */
/* A WebSocket server that echoes text and binary messages: echo [--host H] [--port P] */
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
    return run_server(argc, argv);
}
