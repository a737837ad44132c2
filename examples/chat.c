/* SPDX-License-Identifier: MIT */
/* A chat with rooms, on an event loop, and its page on the same port: chat [--host H] [--port P] [--page FILE]
 *
 * Each message is a verb and its words, a space between them. From a client:
 *     join ROOM NAME         enters a room, and leaves the one before
 *     say TEXT
 * To the clients of a room:
 *     joined ROOM NAME       also to NAME itself, and before it
 *     here ROOM NAME...      to who joined alone: everyone who is there
 *     said NAME TEXT
 *     left ROOM NAME
 * To one client:
 *     error TEXT
 * What goes to a room is framed once for all, and compressed once for those who offer that. A client that does not
 * read is closed with 1008. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/fastws.h>

#include "announce.h"
#include "server_options.h"

#ifndef CHAT_PAGE
#define CHAT_PAGE "chat.html"
#endif

enum { NAME_LEN_MAX = 96, MESSAGE_MAX = 4096, LINE_CAP = MESSAGE_MAX + 2 * NAME_LEN_MAX + 32, SHUTDOWN_MS = 5000 };

/* ---- Rooms and who is in them ---- */

struct room {
    char name[NAME_LEN_MAX + 1];
    struct member *members; /* never none: the last one to leave takes the room down */
    struct room *next;
};

/* A client, from on_open to on_close. */
struct member {
    struct fastws_socket *socket;
    char name[NAME_LEN_MAX + 1];
    struct room *room; /* NULL: not in any */
    struct member *next;
};

static struct room *rooms;

static struct room *find_room(const char *name) {
    struct room *room = rooms;
    while (room != NULL && strcmp(room->name, name) != 0) room = room->next;
    return room;
}

static int has_member(const struct room *room, const char *name) {
    for (const struct member *member = room->members; member != NULL; member = member->next)
        if (strcmp(member->name, name) == 0) return 1;
    return 0;
}

/* Returns the room of that name, a new one if there is none, or NULL without memory. */
static struct room *open_room(const char *name) {
    struct room *room = find_room(name);
    if (room != NULL) return room;
    room = calloc(1, sizeof *room);
    if (room == NULL) return NULL;
    strcpy(room->name, name);
    room->next = rooms;
    rooms = room;
    return room;
}

static void remove_room(struct room *room) {
    struct room **link = &rooms;
    while (*link != room) link = &(*link)->next;
    *link = room->next;
    free(room);
}

/* ---- What is said ---- */

/* A client that is closing takes nothing more, and on_close will come for it; without memory it misses this. */
static void report(int error) {
    if (error == FASTWS_ERR_NOMEM) fprintf(stderr, "chat: a message is lost: %s\n", fastws_error_text(error));
}

/* Sends everyone in the room the same frame. */
static void broadcast(const struct room *room, const char *line, size_t len) {
    struct fastws_prepared *prepared;
    int error = fastws_prepared_new(NULL, FASTWS_OPCODE_TEXT, line, len, &prepared);
    if (error != 0) {
        report(error);
        return;
    }
    for (const struct member *member = room->members; member != NULL; member = member->next)
        report(fastws_socket_send_prepared(member->socket, prepared));
    fastws_prepared_release(prepared);
}

static void send_line(const struct member *member, const char *line, size_t len) {
    report(fastws_socket_send(member->socket, FASTWS_OPCODE_TEXT, line, len));
}

/* Tells everyone in the room of a member who comes or goes. */
static void tell_room(const struct room *room, const char *verb, const char *name) {
    char line[LINE_CAP];
    int len = snprintf(line, sizeof line, "%s %s %s", verb, room->name, name);
    broadcast(room, line, (size_t)len);
}

static void refuse(const struct member *member, const char *why) {
    char line[LINE_CAP];
    int len = snprintf(line, sizeof line, "error %s", why);
    send_line(member, line, (size_t)len);
}

/* Tells who is in the member's room. */
static void tell_members(const struct member *member) {
    size_t cap = sizeof "here" + sizeof member->room->name;
    for (const struct member *other = member->room->members; other != NULL; other = other->next)
        cap += 1 + strlen(other->name);
    char *line = malloc(cap);
    if (line == NULL) return;
    size_t len = (size_t)snprintf(line, cap, "here %s", member->room->name);
    for (const struct member *other = member->room->members; other != NULL; other = other->next)
        len += (size_t)snprintf(line + len, cap - len, " %s", other->name);
    send_line(member, line, len);
    free(line);
}

/* ---- What clients ask for ---- */

static void leave(struct member *member) {
    struct room *room = member->room;
    if (room == NULL) return;
    struct member **link = &room->members;
    while (*link != member) link = &(*link)->next;
    *link = member->next;
    member->room = NULL;
    if (room->members == NULL) {
        remove_room(room);
    } else {
        tell_room(room, "left", member->name);
    }
}

/* Copies the next word: up to a space or the end. Returns whether there is one, and it is not too long. */
static int take_word(struct fastws_slice *words, char word[NAME_LEN_MAX + 1]) {
    size_t len = 0;
    while (len < words->len && (unsigned char)words->ptr[len] > ' ' && words->ptr[len] != 0x7f) len++;
    if (len == 0 || len > NAME_LEN_MAX || (len < words->len && words->ptr[len] != ' ')) return 0;
    memcpy(word, words->ptr, len);
    word[len] = '\0';
    size_t used = len < words->len ? len + 1 : len;
    words->ptr += used;
    words->len -= used;
    return 1;
}

static void join(struct member *member, struct fastws_slice words) {
    char room_name[NAME_LEN_MAX + 1], name[NAME_LEN_MAX + 1];
    if (!take_word(&words, room_name) || !take_word(&words, name) || words.len > 0) {
        refuse(member, "A room and a name have 1 to 96 bytes and no spaces.");
        return;
    }
    struct room *room = find_room(room_name);
    int is_here_already = room != NULL && room == member->room && strcmp(member->name, name) == 0;
    if (is_here_already) return;
    if (room != NULL && has_member(room, name)) {
        refuse(member, "Someone in that room has the name already.");
        return;
    }
    leave(member);
    room = open_room(room_name); /* may have been the one that was left, and is gone */
    if (room == NULL) return;
    strcpy(member->name, name);
    member->room = room;
    member->next = room->members;
    room->members = member;
    tell_room(room, "joined", name);
    tell_members(member);
}

/* The text goes on as it came: it may hold any character. */
static void say(const struct member *member, struct fastws_slice text) {
    if (member->room == NULL) {
        refuse(member, "Join a room first.");
        return;
    }
    char line[LINE_CAP]; /* the longest text fits, and the name in front of it */
    size_t len = (size_t)snprintf(line, sizeof line, "said %s ", member->name);
    if (text.len > 0) memcpy(line + len, text.ptr, text.len);
    broadcast(member->room, line, len + text.len);
}

static void on_message(struct fastws_socket *socket, const struct fastws_event *message) {
    struct member *member = fastws_socket_get_user(socket);
    struct fastws_slice words = {(const char *)message->ptr, (size_t)message->len};
    char verb[NAME_LEN_MAX + 1] = "";
    int is_known = message->opcode == FASTWS_OPCODE_TEXT && take_word(&words, verb);
    if (is_known && strcmp(verb, "join") == 0) {
        join(member, words);
    } else if (is_known && strcmp(verb, "say") == 0) {
        say(member, words);
    } else {
        refuse(member, "Send \"join ROOM NAME\" or \"say TEXT\".");
    }
}

static void on_open(struct fastws_socket *socket) {
    struct member *member = calloc(1, sizeof *member);
    if (member == NULL) {
        fastws_socket_free(socket);
        return;
    }
    member->socket = socket;
    fastws_socket_set_user(socket, member);
}

static void on_close(struct fastws_socket *socket, const struct fastws_event *end) {
    (void)end;
    struct member *member = fastws_socket_get_user(socket);
    leave(member);
    free(member);
}

/* ---- The page ---- */

static struct fastws_slice page;
static const struct fastws_http_header page_headers[] = {{{"Content-Type", 12}, {"text/html; charset=utf-8", 24}}};

static int is_target(struct fastws_slice target, const char *path) {
    return target.len == strlen(path) && memcmp(target.ptr, path, target.len) == 0;
}

/* Gives the page, lets the chat begin, and knows nothing else. */
static int on_request(void *context, struct fastws_slice target, struct fastws_reject *reject) {
    (void)context;
    if (is_target(target, "/ws")) return 0;
    reject->status = 404;
    if (!is_target(target, "/")) return -1;
    reject->status = 200;
    reject->body = page;
    reject->headers = (struct fastws_http_headers){page_headers, 1};
    return -1;
}

/* Reads the page. Returns 0, or -1. */
static int read_page(const char *path) {
    enum { PAGE_MAX = 1 << 20 };
    static char bytes[PAGE_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) return -1;
    page = (struct fastws_slice){bytes, fread(bytes, 1, sizeof bytes, file)};
    int is_whole = feof(file) && !ferror(file);
    fclose(file);
    return is_whole ? 0 : -1;
}

/* ---- The server ---- */

static struct fastws_loop *loop;

static void stop(struct fastws_loop *of, struct fastws_post *post) {
    (void)post;
    fastws_loop_shutdown(of, SHUTDOWN_MS);
}

/* The first signal ends politely, the next one as the system does. */
static void on_signal(int number) {
    static struct fastws_post post = {.run = stop};
    signal(number, SIG_DFL);
    fastws_loop_post(loop, &post);
}

static int run(const struct fastws_socket_config *config, const char *host, const char *port) {
    struct fastws_listener *listener;
    int error = fastws_loop_new(NULL, &loop);
    if (error == 0) error = fastws_loop_listen(loop, config, host, port, 0, &listener);
    if (error != 0) return error;
    char found[8];
    snprintf(found, sizeof found, "%u", fastws_listener_port(listener) & 0xffffu);
    announce(host, found);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    return fastws_loop_run(loop);
}

int main(int argc, char **argv) {
    const char *host = "127.0.0.1";
    const char *port = "9001";
    const char *path = CHAT_PAGE;
    const struct server_option options[] = {
        {"--host", "HOST", &host},
        {"--port", "PORT", &port},
        {"--page", "FILE", &path},
    };
    parse(argc, argv, "chat", options, 3);
    if (read_page(path) != 0) {
        fprintf(stderr, "chat: cannot read %s; --page FILE says where the page is\n", path);
        return 1;
    }
    struct fastws_deflate_config deflate;
    fastws_deflate_config_init(&deflate, FASTWS_DEFLATE_TAIL);
    struct fastws_upgrade_config upgrade;
    fastws_upgrade_config_init(&upgrade);
    upgrade.on_request = on_request;
    upgrade.is_origin_checked = 1;
    upgrade.deflate = &deflate;
    struct fastws_conn_config conn;
    fastws_conn_config_init(&conn, FASTWS_ROLE_SERVER);
    conn.limits.max_message = MESSAGE_MAX;
    conn.close_timeout_ms = 2000;
    struct fastws_socket_config config;
    fastws_socket_config_init(&config, &conn);
    config.upgrade = &upgrade;
    config.slow_policy = FASTWS_SLOW_CLOSE;
    config.on_open = on_open;
    config.on_message = on_message;
    config.on_close = on_close;
    int error = run(&config, host, port);
    if (error != 0) fprintf(stderr, "chat: host %s, port %s: %s\n", host, port, fastws_error_text(error));
    fastws_loop_free(loop);
    return error != 0;
}
