/* SPDX-License-Identifier: MIT */
/* Tests of descriptors that users have an event loop watch. */
#include <signal.h>
#include <sys/wait.h>

#include "loop_server.h"

static int backend_of(void **state) { return *(int *)*state; }

enum { ENDS_MAX = 200 };

/* One end of a pair of sockets that is watched, and what its callback does. */
struct watched {
    struct fastws_watch *watch;
    int fd;
    int peer;
    int calls;
    unsigned found; /* in the last call */
    int is_left;    /* what came is not read */
    size_t said;    /* received, as the loop is told; 0: what was read */
    struct watched *victim; /* whose watch is ended; NULL: nobody's */
};

static size_t on_ready(struct fastws_watch *watch, unsigned found, void *context) {
    struct watched *end = context;
    char bytes[64];
    assert_ptr_equal(watch, end->watch);
    end->calls++;
    end->found = found;
    if (end->victim != NULL) {
        fastws_watch_free(end->victim->watch);
        end->victim->watch = NULL;
    }
    ssize_t len = end->is_left ? 0 : recv(end->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return end->said > 0 ? end->said : len > 0 ? (size_t)len : 0;
}

static void watched_open(struct watched *end, struct fastws_loop *loop, unsigned wanted) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    *end = (struct watched){.fd = fds[0], .peer = fds[1]};
    assert_int_equal(fastws_loop_watch(loop, end->fd, wanted, on_ready, end, &end->watch), 0);
}

static void watched_close(struct watched *end) {
    fastws_watch_free(end->watch);
    close(end->fd);
    if (end->peer >= 0) close(end->peer);
}

static void say(const struct watched *end) { assert_int_equal(write(end->peer, "x", 1), 1); }

static void tells_of_a_level_while_it_is_wanted(void **state) {
    struct server server;
    struct watched end;
    server_start(&server, backend_of(state));
    watched_open(&end, server.loop, FASTWS_WATCH_READABLE);
    turn(&server, 0);
    assert_int_equal(end.calls, 0);
    say(&end);
    end.is_left = 1;
    turn(&server, 0);
    turn(&server, 0);
    assert_int_equal(end.calls, 2);
    assert_int_equal(end.found, FASTWS_WATCH_READABLE);
    assert_int_equal(fastws_watch_want(end.watch, 0), 0);
    turn(&server, 0);
    assert_int_equal(end.calls, 2);
    assert_int_equal(fastws_watch_want(end.watch, FASTWS_WATCH_WRITABLE), 0);
    turn(&server, 0);
    assert_int_equal(end.calls, 3);
    assert_int_equal(end.found, FASTWS_WATCH_WRITABLE);
    assert_int_equal(fastws_watch_want(end.watch, FASTWS_WATCH_READABLE | FASTWS_WATCH_WRITABLE), 0);
    turn(&server, 0);
    assert_int_equal(end.found, FASTWS_WATCH_READABLE | FASTWS_WATCH_WRITABLE);
    watched_close(&end);
    server_close(&server);
}

static void tells_that_a_peer_hung_up_whatever_is_wanted(void **state) {
    struct server server;
    struct watched end;
    server_start(&server, backend_of(state));
    watched_open(&end, server.loop, 0);
    close(end.peer);
    end.peer = -1;
    turn(&server, 0);
    assert_int_equal(end.calls, 1);
    assert_int_equal(end.found, FASTWS_WATCH_HUNG_UP);
    watched_close(&end);
    server_close(&server);
}

static void a_callback_may_end_watches_that_the_batch_has_found(void **state) {
    struct server server;
    struct watched ends[2];
    server_start(&server, backend_of(state));
    for (int i = 0; i < 2; i++) watched_open(&ends[i], server.loop, FASTWS_WATCH_READABLE);
    for (int i = 0; i < 2; i++) {
        ends[i].victim = &ends[1 - i];
        say(&ends[i]);
    }
    turn(&server, 0);
    assert_int_equal(ends[0].calls + ends[1].calls, 1); /* whoever was first ended the other */
    for (int i = 0; i < 2; i++) watched_close(&ends[i]);
    server_close(&server);
}

static void a_callback_may_end_its_own_watch(void **state) {
    struct server server;
    struct watched end;
    server_start(&server, backend_of(state));
    watched_open(&end, server.loop, FASTWS_WATCH_READABLE);
    end.victim = &end;
    end.is_left = 1;
    say(&end);
    for (int i = 0; i < 3; i++) turn(&server, 0);
    assert_int_equal(end.calls, 1);
    watched_close(&end);
    server_close(&server);
}

static int count_calls(const struct watched *ends, int count) {
    int calls = 0;
    for (int i = 0; i < count; i++) calls += ends[i].calls;
    return calls;
}

static void a_turn_serves_so_many_and_the_rest_have_the_next(void **state) {
    static struct watched ends[ENDS_MAX];
    struct server server;
    server_start(&server, backend_of(state));
    for (int i = 0; i < ENDS_MAX; i++) {
        watched_open(&ends[i], server.loop, FASTWS_WATCH_READABLE);
        ends[i].is_left = 1; /* floods */
        say(&ends[i]);
    }
    for (int turns = 1; turns <= 4; turns++) {
        turn(&server, 0);
        assert_in_range(count_calls(ends, ENDS_MAX), 1, 64 * turns);
    }
    UNTIL(&server, count_calls(ends, ENDS_MAX) >= 3 * ENDS_MAX);
    for (int i = 0; i < ENDS_MAX; i++) {
        assert_in_range(ends[i].calls, 2, 5); /* round and round */
        watched_close(&ends[i]);
    }
    server_close(&server);
}

static void a_turn_receives_so_much(void **state) {
    struct server server;
    struct watched ends[3];
    server_start(&server, backend_of(state));
    for (int i = 0; i < 3; i++) {
        watched_open(&ends[i], server.loop, FASTWS_WATCH_READABLE);
        ends[i].said = 1u << 20;
        say(&ends[i]);
    }
    for (int turns = 1; turns <= 3; turns++) {
        assert_true(fastws_loop_run_once(server.loop, 0) == (turns < 3));
        assert_int_equal(count_calls(ends, 3), turns);
    }
    for (int i = 0; i < 3; i++) watched_close(&ends[i]);
    server_close(&server);
}

static void what_is_wanted_no_more_is_not_told(void **state) {
    struct server server;
    struct watched ends[2];
    server_start(&server, backend_of(state));
    for (int i = 0; i < 2; i++) {
        watched_open(&ends[i], server.loop, FASTWS_WATCH_READABLE);
        ends[i].said = 1u << 20; /* the other waits for the next turn */
        say(&ends[i]);
    }
    turn(&server, 0);
    struct watched *waiting = ends[0].calls ? &ends[1] : &ends[0];
    assert_int_equal(fastws_watch_want(waiting->watch, 0), 0);
    turn(&server, 0);
    assert_int_equal(waiting->calls, 0);
    for (int i = 0; i < 2; i++) watched_close(&ends[i]);
    server_close(&server);
}

static void a_duplicate_of_an_ended_descriptor_is_not_told_of(void **state) {
    struct server server;
    struct watched end;
    server_start(&server, backend_of(state));
    watched_open(&end, server.loop, FASTWS_WATCH_READABLE);
    int copy = dup(end.fd);
    say(&end);
    fastws_watch_free(end.watch);
    end.watch = NULL;
    close(end.fd);
    assert_int_equal(fastws_loop_run_once(server.loop, 0), 0);
    assert_int_equal(end.calls, 0);
    close(copy);
    close(end.peer);
    server_close(&server);
}

static void a_child_leaves_the_watches_of_its_parent_alone(void **state) {
    struct server server;
    struct watched end, other;
    int status;
    server_start(&server, backend_of(state));
    watched_open(&end, server.loop, FASTWS_WATCH_READABLE);
    pid_t child = fork();
    if (child == 0) {
        int is_told = fastws_watch_want(end.watch, 0) == FASTWS_ERR_FORKED;
        int error = fastws_loop_watch(server.loop, end.peer, 0, on_ready, &other, &other.watch);
        int is_refused = error == FASTWS_ERR_FORKED;
        fastws_watch_free(end.watch);
        fastws_loop_free(server.loop);
        _exit(is_told && is_refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    say(&end);
    turn(&server, 0);
    assert_int_equal(end.calls, 1);
    watched_close(&end);
    server_close(&server);
}

static void watches_end_with_their_loop(void **state) {
    struct server server;
    struct watched end;
    server_start(&server, backend_of(state));
    watched_open(&end, server.loop, FASTWS_WATCH_READABLE);
    fastws_loop_free(server.loop);
    assert_int_equal(server.memory.live, 0);
    close(end.fd);
    close(end.peer);
    assert_int_equal(first_free_fd(), server.fds);
}

static void refuses_what_cannot_be_watched(void **state) {
    struct server server;
    struct watched end;
    server_start(&server, backend_of(state));
    assert_int_equal(fastws_loop_watch(server.loop, 0, 4, on_ready, &end, &end.watch), FASTWS_ERR_ARGUMENT);
    assert_int_equal(fastws_loop_watch(server.loop, -1, FASTWS_WATCH_READABLE, on_ready, &end, &end.watch),
                     FASTWS_ERR_IO);
    watched_open(&end, server.loop, FASTWS_WATCH_READABLE);
    assert_int_equal(fastws_watch_want(end.watch, 8), FASTWS_ERR_ARGUMENT);
    watched_close(&end);
    fastws_watch_free(NULL);
    server_close(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(tells_of_a_level_while_it_is_wanted),
        ON_BOTH(tells_that_a_peer_hung_up_whatever_is_wanted),
        ON_BOTH(a_callback_may_end_watches_that_the_batch_has_found),
        ON_BOTH(a_callback_may_end_its_own_watch),
        ON_BOTH(a_turn_serves_so_many_and_the_rest_have_the_next),
        ON_BOTH(a_turn_receives_so_much),
        ON_BOTH(what_is_wanted_no_more_is_not_told),
        ON_BOTH(a_duplicate_of_an_ended_descriptor_is_not_told_of),
        ON_BOTH(a_child_leaves_the_watches_of_its_parent_alone),
        ON_BOTH(watches_end_with_their_loop),
        ON_BOTH(refuses_what_cannot_be_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
