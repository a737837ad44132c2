/* SPDX-License-Identifier: MIT */
/* Tests of event loops in several threads: posts from others, and loops that share a port. */
#include <pthread.h>

#include "loop_server.h"

static int backend_of(void **state) { return *(int *)*state; }

/* ---- Posts ---- */

enum { POSTERS = 4, POSTS = 2000 };

struct poster {
    pthread_t thread;
    struct fastws_loop *loop;
    struct numbered {
        struct fastws_post post;
        struct poster *poster;
        int number;
    } posts[POSTS];
    int next; /* touched by the thread of the loop only */
};

static int posts_left;

static void take_post(struct fastws_loop *loop, struct fastws_post *post) {
    struct numbered *numbered = (struct numbered *)post;
    assert_int_equal(numbered->number, numbered->poster->next++); /* in the order of each thread */
    if (--posts_left == 0) fastws_loop_stop(loop);
}

static void *post_all(void *argument) {
    struct poster *poster = argument;
    for (int i = 0; i < POSTS; i++) {
        poster->posts[i] = (struct numbered){.post.run = take_post, .poster = poster, .number = i};
        fastws_loop_post(poster->loop, &poster->posts[i].post);
    }
    return NULL;
}

static void runs_posts_of_other_threads_in_order(void **state) {
    struct server server;
    struct poster *posters = calloc(POSTERS, sizeof *posters);
    server_start(&server, backend_of(state));
    posts_left = POSTERS * POSTS;
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = server.loop;
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    assert_int_equal(fastws_loop_run(server.loop), 0);
    assert_int_equal(posts_left, 0);
    for (int i = 0; i < POSTERS; i++) pthread_join(posters[i].thread, NULL);
    free(posters);
    server_close(&server);
}

static int again;

static void post_again(struct fastws_loop *loop, struct fastws_post *post) {
    if (++again < 10) {
        fastws_loop_post(loop, post);
    } else {
        fastws_loop_stop(loop);
    }
}

static void a_post_may_post_itself_again(void **state) {
    struct server server;
    struct fastws_post post = {.run = post_again};
    server_start(&server, backend_of(state));
    again = 0;
    fastws_loop_post(server.loop, &post);
    assert_int_equal(fastws_loop_run(server.loop), 0);
    assert_int_equal(again, 10);
    server_close(&server);
}

/* ---- Several loops ---- */

enum { LOOPS = 3, CLIENTS = 24, ECHOES = 50 };

struct worker {
    pthread_t thread;
    struct fastws_loop *loop;
    struct fastws_post stop;
};

static void echo(struct fastws_socket *socket, const struct fastws_event *event) {
    (void)!fastws_socket_send(socket, event->opcode, event->ptr, (size_t)event->len);
}

static void *run_loop(void *argument) {
    struct worker *worker = argument;
    return (void *)(intptr_t)fastws_loop_run(worker->loop);
}

static void stop_loop(struct fastws_loop *loop, struct fastws_post *post) {
    (void)post;
    fastws_loop_shutdown(loop, 1000);
}

/* A blocking client in the thread of the test. */
static void talk(unsigned port) {
    struct client client;
    struct bytes wire = {0};
    client_connect_to(&client, port);
    assert_int_equal(fcntl(client.fd, F_SETFL, 0), 0);
    bytes_put(&wire, REQUEST, strlen(REQUEST));
    for (int i = 0; i < ECHOES; i++) put_text(&wire, FASTWS_ROLE_SERVER, "to whichever loop");
    assert_int_equal(send(client.fd, wire.ptr, wire.len, MSG_NOSIGNAL), wire.len);
    while (head_len_of(&client) == 0) client_receive(&client);
    client.off += head_len_of(&client);
    for (int i = 0; i < ECHOES; i++) {
        while (!has_frame(&client)) client_receive(&client);
        struct frame frame = take_frame(&client.in, &client.off, FASTWS_ROLE_SERVER);
        assert_int_equal(frame.len, 17);
    }
    bytes_free(&wire);
    client_close(&client);
}

static void loops_share_a_port(void **state) {
    struct fastws_conn_config conn_config;
    struct fastws_socket_config config;
    struct fastws_loop_config loop_config;
    struct worker workers[LOOPS];
    char port[8] = "0";
    fastws_conn_config_init(&conn_config, FASTWS_ROLE_SERVER);
    fastws_socket_config_init(&config, &conn_config);
    fastws_loop_config_init(&loop_config);
    config.on_message = echo;
    loop_config.backend = backend_of(state);
    for (int i = 0; i < LOOPS; i++) {
        struct fastws_listener *listener;
        assert_int_equal(fastws_loop_new(&loop_config, &workers[i].loop), 0);
        assert_int_equal(fastws_loop_listen(workers[i].loop, &config, "127.0.0.1", port, FASTWS_LISTEN_REUSE_PORT,
                                            &listener), 0);
        snprintf(port, sizeof port, "%u", fastws_listener_port(listener));
    }
    for (int i = 0; i < LOOPS; i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run_loop, &workers[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++) talk((unsigned)atoi(port));
    uint64_t accepted = 0;
    for (int i = 0; i < LOOPS; i++) {
        void *result;
        workers[i].stop.run = stop_loop;
        fastws_loop_post(workers[i].loop, &workers[i].stop);
        assert_int_equal(pthread_join(workers[i].thread, &result), 0);
        assert_null(result);
        struct fastws_loop_stats stats;
        fastws_loop_get_stats(workers[i].loop, &stats);
        accepted += stats.accepted;
        fastws_loop_free(workers[i].loop);
    }
    assert_int_equal(accepted, CLIENTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(runs_posts_of_other_threads_in_order),
        ON_BOTH(a_post_may_post_itself_again),
        ON_BOTH(loops_share_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
