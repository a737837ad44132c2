/* SPDX-License-Identifier: MIT */
/* Shows the headers of each request while it is read, where they lie, then echoes:
 * upgrade_headers [--host H] [--port P] */
#define _POSIX_C_SOURCE 200809L
#include "server.h"

/* Name and value are views of the received bytes, valid until this returns. Bytes that are not text are escaped. */
static int show(void *context, struct fastws_slice name, struct fastws_slice value, struct fastws_reject *reject) {
    (void)context, (void)reject;
    flockfile(stderr);
    fprintf(stderr, "non-websocket header: \"%.*s\"=\"", (int)name.len, name.ptr);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        int is_plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        fprintf(stderr, is_plain ? "%c" : "\\x%02x", byte);
    }
    fprintf(stderr, "\"\n");
    funlockfile(stderr);
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
    fastws_upgrade_config_init(&upgrade);
    upgrade.on_header = show;
    server.name = "upgrade_headers";
    server.serve = echo;
    server.upgrade = &upgrade;
    fastws_conn_config_init(&server.config, FASTWS_ROLE_SERVER);
    return run_server(argc, argv);
}
