/* SPDX-License-Identifier: MIT */
/* The worker of scripts/peers that measures wslay: a server's connection that receives frames from memory. */
#include <stdio.h>
#include <wslay/wslay.h>

#include "worker.h"

struct receiver {
    struct worker_stream stream;
    wslay_event_context_ptr wslay;
    size_t payload_len;
    uint64_t messages;
    uint64_t wanted;
};

/* The stream would never end: it pauses once enough messages came. */
static ssize_t receive(wslay_event_context_ptr wslay, uint8_t *buf, size_t len, int flags, void *context) {
    struct receiver *receiver = context;
    (void)flags;
    if (receiver->messages >= receiver->wanted) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    return (ssize_t)worker_stream_read(&receiver->stream, buf, len);
}

static void count_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *message,
                          void *context) {
    struct receiver *receiver = context;
    (void)wslay;
    if (message->msg_length != receiver->payload_len) worker_die("wrong result", "frames");
    receiver->messages++;
}

static uint64_t run_frames(void *context, uint64_t count) {
    struct receiver *receiver = context;
    receiver->messages = 0;
    receiver->wanted = count;
    if (wslay_event_recv(receiver->wslay) != 0) worker_die("wslay", "recv");
    if (receiver->messages < count) worker_die("wrong result", "frames");
    return receiver->messages;
}

static struct receiver *receiver_new(const struct worker_row *row) {
    static const struct wslay_event_callbacks callbacks = {.recv_callback = receive,
                                                           .on_msg_recv_callback = count_message};
    struct receiver *receiver = worker_alloc(sizeof *receiver);
    worker_stream_init(&receiver->stream, row);
    receiver->payload_len = row->number;
    if (wslay_event_context_server_init(&receiver->wslay, &callbacks, receiver) != 0) {
        worker_die("no connection", row->name);
    }
    return receiver;
}

/* Usage: wslay FOLDER VERSION. The header of Debian's package names another version than the package. */
int main(int argc, char **argv) {
    struct worker_row row;
    if (argc != 3) worker_die("usage", "wslay FOLDER VERSION");
    worker_open(argv[1]);
    worker_peer("wslay", argv[2]);
    while (worker_next_row(&row)) {
        if (worker_row_is(&row, "frames")) worker_add("wslay", &row, run_frames, receiver_new(&row));
    }
    return worker_serve();
}
