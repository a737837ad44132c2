/* SPDX-License-Identifier: MIT */
/* A WebSocket server that echoes messages as they arrive, so that they may be larger than memory:
 * echo_stream [--host H] [--port P] */
#define _POSIX_C_SOURCE 200809L
#include "server.h"

/* Copies the message that has begun back to its sender, piece by piece. Returns 0 or an error. */
static int copy(struct fastws_stream *stream, const struct fastws_header *header) {
    uint8_t piece[16384];
    ptrdiff_t len;
    int error = fastws_stream_begin(stream, header->opcode);
    if (error != 0) return error;
    while ((len = fastws_stream_read(stream, piece, sizeof piece)) > 0) {
        error = fastws_stream_append(stream, piece, (size_t)len);
        if (error != 0) return error;
    }
    return len < 0 ? (int)len : fastws_stream_finish(stream);
}

/* Echoes until the client closes or something fails. Pings are answered on the way, also inside of messages. */
static void echo(struct fastws_stream *stream) {
    struct fastws_header header;
    while (fastws_stream_next_frame(stream, &header) == 0 && copy(stream, &header) == 0) {}
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
}

int main(int argc, char **argv) {
    server.name = "echo_stream";
    server.serve = echo;
    fastws_conn_config_init(&server.config, FASTWS_ROLE_SERVER);
    server.config.limits.max_frame = 0; /* no limit: nothing is gathered */
    server.config.limits.max_message = 0;
    server.config.limits.max_fragments = 0;
    return run_server(argc, argv);
}
