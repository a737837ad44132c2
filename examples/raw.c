/* SPDX-License-Identifier: MIT */
/* A WebSocket server that handles headers and frames itself: raw [--host H] [--port P]
 *
 * It looks at each handshake before it accepts, then echoes frame by frame, as it got them: fragments stay fragments,
 * and a frame of any length passes through a buffer of 4 KiB. Only text is not checked here. */
#define _POSIX_C_SOURCE 200809L
#include "server.h"

/* ---- The handshake ---- */

/* Refuses cookies that are not NAME=VALUE. The slices point into the request, and are not copied. */
static int check_header(void *context, struct fastws_slice name, struct fastws_slice value,
                        struct fastws_reject *reject) {
    (void)context;
    if (!fastws_http_equals(name, "cookie")) return 0;
    if (value.len > 0 && memchr(value.ptr, '=', value.len) != NULL) return 0;
    reject->status = 400;
    reject->body = (struct fastws_slice){"bad cookie", 10};
    return -1;
}

/* ---- Frames ---- */

/* Copies the payload of a frame from the client, unmasking it on its way. Returns 0 or an error. */
static int copy_payload(struct fastws_stream *stream, const struct fastws_header *header) {
    uint8_t part[4096];
    for (uint64_t off = 0; off < header->length;) {
        uint64_t left = header->length - off;
        size_t len = left < sizeof part ? (size_t)left : sizeof part;
        int error = fastws_stream_read_exactly(stream, part, len);
        if (error != 0) return error;
        fastws_mask(part, part, len, header->key, off);
        error = fastws_stream_write(stream, part, len);
        if (error != 0) return error;
        off += len;
    }
    return 0;
}

/* Sends a frame back: a ping as a pong, everything else as it is, but never masked. RFC 6455 5.1. */
static int echo_frame(struct fastws_stream *stream, const struct fastws_header *header) {
    struct fastws_header answer = *header;
    answer.masked = 0;
    if (header->opcode == FASTWS_OPCODE_PING) answer.opcode = FASTWS_OPCODE_PONG;
    int error = fastws_stream_write_header(stream, &answer);
    return error != 0 ? error : copy_payload(stream, header);
}

/* Says whether the frame is one of a message that goes on behind it. Control frames may stand inside of messages. */
static unsigned next_state(unsigned state, const struct fastws_header *header) {
    if (header->opcode >= FASTWS_OPCODE_CLOSE) return state;
    return header->fin ? state & ~FASTWS_STATE_FRAGMENTED : state | FASTWS_STATE_FRAGMENTED;
}

/* Echoes until the client's close frame, which is answered with its own body. */
static void serve(struct fastws_stream *stream) {
    unsigned state = FASTWS_STATE_SERVER;
    struct fastws_header header;
    while (fastws_stream_read_header(stream, &header) > 0) {
        if (fastws_header_check(&header, state) != 0) {
            fastws_stream_close(stream, FASTWS_CLOSE_PROTOCOL_ERROR, NULL, 0);
            return;
        }
        if (echo_frame(stream, &header) != 0 || header.opcode == FASTWS_OPCODE_CLOSE) return;
        state = next_state(state, &header);
    }
}

int main(int argc, char **argv) {
    const struct fastws_http_header headers[] = {{{"Server", 6}, {"raw", 3}}};
    struct fastws_upgrade_config upgrade;
    fastws_upgrade_config_init(&upgrade);
    upgrade.headers = (struct fastws_http_headers){headers, 1};
    upgrade.on_header = check_header;

    server.name = "raw";
    server.serve = serve;
    server.upgrade = &upgrade;
    fastws_conn_config_init(&server.config, FASTWS_ROLE_SERVER);
    return run_server(argc, argv);
}
