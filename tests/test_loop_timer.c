/* SPDX-License-Identifier: MIT */
/* Tests of the timers that users set on an event loop, and of payloads that a callback keeps. */
#include <poll.h>

#include "loop_server.h"

static int backend_of(void **state) { return *(int *)*state; }

/* ---- Timers ---- */

enum { TIMERS = 50 };

static int order[TIMERS];
static int order_count;

static void note_number(struct fastws_loop_timer *timer, void *context) {
    assert_false(fastws_loop_timer_is_set(timer));
    if (order_count < TIMERS) order[order_count] = (int)(intptr_t)context;
    order_count++;
}

static void *number(int value) { return (void *)(intptr_t)value; }

static void runs_timers_in_the_order_of_their_times(void **state) {
    struct server server;
    struct fastws_loop_timer *timers[TIMERS];
    order_count = 0;
    server_start(&server, backend_of(state));
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(fastws_loop_timer_new(server.loop, note_number, number(i), &timers[i]), 0);
        assert_false(fastws_loop_timer_is_set(timers[i]));
    }
    for (int i = 0; i < TIMERS; i++) fastws_loop_timer_set(timers[i], (uint64_t)(i * 7 % TIMERS) * 2);
    uint64_t start_ms = clock_ms();
    UNTIL(&server, order_count == TIMERS);
    assert_in_range(clock_ms() - start_ms, 2 * (TIMERS - 1) - 1, WAIT_MS);
    for (int i = 0; i < TIMERS; i++) assert_int_equal(order[i] * 7 % TIMERS, i);
    for (int i = 0; i < 20; i++) turn(&server, 1);
    assert_int_equal(order_count, TIMERS); /* each of them once */
    server_close(&server);
}

static void sets_stops_and_sets_again(void **state) {
    struct server server;
    struct fastws_loop_timer *timer;
    order_count = 0;
    server_start(&server, backend_of(state));
    assert_int_equal(fastws_loop_timer_new(server.loop, note_number, number(1), &timer), 0);
    fastws_loop_timer_set(timer, 1);
    assert_true(fastws_loop_timer_is_set(timer));
    fastws_loop_timer_stop(timer);
    assert_false(fastws_loop_timer_is_set(timer));
    for (int i = 0; i < 10; i++) turn(&server, 1);
    assert_int_equal(order_count, 0);
    fastws_loop_timer_set(timer, UINT64_MAX); /* never, as far as anyone can tell */
    fastws_loop_timer_set(timer, 1);          /* sooner than that */
    UNTIL(&server, order_count == 1);
    fastws_loop_timer_set(timer, 0);
    turn(&server, -1); /* does not wait */
    assert_int_equal(order_count, 2);
    fastws_loop_timer_free(timer);
    fastws_loop_timer_free(NULL);
    server_close(&server);
}

static void set_or_free(struct fastws_loop_timer *timer, void *context) {
    int *left = context;
    if (--*left > 0) {
        fastws_loop_timer_set(timer, 0);
    } else {
        fastws_loop_timer_free(timer);
    }
}

static void a_timer_may_set_and_free_itself(void **state) {
    struct server server;
    struct client client;
    struct fastws_loop_timer *timer;
    int left = 100;
    server_start(&server, backend_of(state));
    client_open(&client, &server);
    assert_int_equal(fastws_loop_timer_new(server.loop, set_or_free, &left, &timer), 0);
    fastws_loop_timer_set(timer, 0);
    expect_echo(&server, &client, "beside it"); /* a timer that is always due starves nobody */
    UNTIL(&server, left == 0);
    client_close(&client);
    server_close(&server);
}

/* A timer that is set from outside of turns used to be unknown to the descriptor. */
static void the_descriptor_tells_of_timers(void **state) {
    struct server server;
    struct fastws_loop_timer *timer;
    order_count = 0;
    server_start(&server, backend_of(state));
    assert_int_equal(fastws_loop_timer_new(server.loop, note_number, number(1), &timer), 0);
    turn(&server, 0);
    struct pollfd outer = {.fd = fastws_loop_fd(server.loop), .events = POLLIN};
    if (backend_of(state) == FASTWS_BACKEND_POLL) {
        assert_int_equal(outer.fd, FASTWS_ERR_BACKEND);
    } else {
        assert_int_equal(poll(&outer, 1, 0), 0);
        fastws_loop_timer_set(timer, 20);
        assert_int_equal(poll(&outer, 1, WAIT_MS), 1);
        turn(&server, 0);
        assert_int_equal(order_count, 1);
        assert_int_equal(poll(&outer, 1, 0), 0);
    }
    server_close(&server);
}

static void a_timer_keeps_no_loop_from_its_end(void **state) {
    struct server server;
    struct fastws_loop_timer *timer;
    server_start(&server, backend_of(state));
    assert_int_equal(fastws_loop_timer_new(server.loop, note_number, NULL, &timer), 0);
    fastws_loop_timer_set(timer, 3600 * 1000);
    fastws_loop_shutdown(server.loop, 0);
    assert_int_equal(fastws_loop_run(server.loop), 0);
    server_close(&server);
}

static void makes_a_timer_or_nothing(void **state) {
    struct server server;
    struct fastws_loop_timer *timer = NULL;
    server_start(&server, backend_of(state));
    server.memory.fail_at = server.memory.calls + 1;
    assert_int_equal(fastws_loop_timer_new(server.loop, note_number, NULL, &timer), FASTWS_ERR_NOMEM);
    assert_null(timer);
    server_close(&server);
}

/* ---- Payloads that are kept ---- */

static struct fastws_taken taken;

static void take_and_answer(struct fastws_socket *socket, const struct fastws_event *event) {
    server_of(socket)->messages++;
    /* The view is queued by reference, then taken away from below it; and what was taken is gone before it is sent. */
    assert_int_equal(fastws_socket_send(socket, event->opcode, event->ptr, (size_t)event->len), 0);
    assert_int_equal(fastws_socket_take(socket, event, &taken), 0);
    assert_int_equal(taken.len, event->len);
    assert_int_equal(fastws_socket_send(socket, event->opcode, taken.ptr, taken.len), 0);
    if (taken.len > 0) memset(taken.ptr, 0xee, taken.len);
    fastws_taken_release(&taken);
}

static void a_callback_may_keep_its_payload(void **state) {
    const size_t lens[] = {0, 5, 5000, 60000, 300000, 2000000};
    struct server server;
    struct client client;
    server_prepare(&server, backend_of(state));
    server.config.on_message = take_and_answer;
    server_open(&server);
    client_open(&client, &server);
    uint8_t *payload = malloc(2000000);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        fill_pattern(payload, lens[i], (uint32_t)i + 1);
        client_send_frame(&server, &client, 0x82, payload, lens[i]);
        expect_frame(&server, &client, 0x82, payload, lens[i]);
        expect_frame(&server, &client, 0x82, payload, lens[i]);
    }
    free(payload);
    client_close(&client);
    server_close(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(runs_timers_in_the_order_of_their_times),
        ON_BOTH(sets_stops_and_sets_again),
        ON_BOTH(a_timer_may_set_and_free_itself),
        ON_BOTH(the_descriptor_tells_of_timers),
        ON_BOTH(a_timer_keeps_no_loop_from_its_end),
        ON_BOTH(makes_a_timer_or_nothing),
        ON_BOTH(a_callback_may_keep_its_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
