/* SPDX-License-Identifier: MIT */
/* Sends each message to all clients, framed once, on an event loop: what bench/load_broadcast.c loads. */
#include <stdio.h>
#include <stdlib.h>

#include <fastws/fastws.h>

/* A client, from on_open to on_close. */
struct member {
    struct fastws_socket *socket;
    struct member *previous;
    struct member *next;
};

static struct member *members;

static void on_open(struct fastws_socket *socket) {
    struct member *member = calloc(1, sizeof *member);
    if (member == NULL) {
        fastws_socket_free(socket);
        return;
    }
    member->socket = socket;
    member->next = members;
    if (members != NULL) members->previous = member;
    members = member;
    fastws_socket_set_user(socket, member);
}

static void on_close(struct fastws_socket *socket, const struct fastws_event *end) {
    (void)end;
    struct member *member = fastws_socket_get_user(socket);
    if (member->next != NULL) member->next->previous = member->previous;
    *(member->previous != NULL ? &member->previous->next : &members) = member->next;
    free(member);
}

/* Where it fails for a client, its connection is closing, and on_close will say why. */
static void on_message(struct fastws_socket *socket, const struct fastws_event *message) {
    (void)socket;
    struct fastws_prepared *prepared;
    if (fastws_prepared_new(NULL, message->opcode, message->ptr, (size_t)message->len, &prepared) != 0) return;
    for (const struct member *member = members; member != NULL; member = member->next) {
        if (fastws_socket_send_prepared(member->socket, prepared) == FASTWS_ERR_NOMEM) fprintf(stderr, "no memory\n");
    }
    fastws_prepared_release(prepared);
}

int main(void) {
    struct fastws_conn_config conn_config;
    struct fastws_socket_config config;
    struct fastws_loop *loop;
    struct fastws_listener *listener;
    fastws_conn_config_init(&conn_config, FASTWS_ROLE_SERVER);
    fastws_socket_config_init(&config, &conn_config);
    config.on_open = on_open;
    config.on_message = on_message;
    config.on_close = on_close;
    int error = fastws_loop_new(NULL, &loop);
    if (error == 0) error = fastws_loop_listen(loop, &config, "127.0.0.1", "0", 0, &listener);
    if (error == 0) {
        printf("listening on ws://127.0.0.1:%u/\n", fastws_listener_port(listener));
        fflush(stdout);
        error = fastws_loop_run(loop);
    }
    if (error != 0) fprintf(stderr, "broadcast: %s\n", fastws_error_text(error));
    fastws_loop_free(loop);
    return error != 0;
}
