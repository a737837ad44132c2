/* SPDX-License-Identifier: MIT */
/* Timers of users: each has its entry in the heap of deadlines from the beginning, so that setting one cannot fail. */
#define _POSIX_C_SOURCE 200809L
#include "loop.h"

#include "io.h"

struct fastws_loop_timer {
    struct fws_watch watch;
    struct fastws_loop *loop;
    void (*run)(struct fastws_loop_timer *timer, void *context);
    void *context;
    struct fastws_loop_timer *next;
    struct fastws_loop_timer *previous; /* NULL: it is the first */
};

int fastws_loop_timer_new(struct fastws_loop *loop, void (*run)(struct fastws_loop_timer *timer, void *context),
                          void *context, struct fastws_loop_timer **out) {
    TRY(fws_loop_check_process(loop));
    struct fastws_loop_timer *timer = fws_loop_allocate(loop, sizeof *timer);
    if (timer == NULL) return FASTWS_ERR_NOMEM;
    *timer = (struct fastws_loop_timer){
        .watch = {.fd = -1, .timer = FWS_NO_TIMER, .kind = FWS_WATCH_TIMER, .wanted = FWS_UNWATCHED},
        .loop = loop,
        .run = run,
        .context = context,
        .next = loop->user_timers};
    int error = fws_timers_add(loop, &timer->watch, UINT64_MAX);
    if (error < 0) {
        fws_loop_release(loop, timer, sizeof *timer);
        return error;
    }
    if (timer->next != NULL) timer->next->previous = timer;
    loop->user_timers = timer;
    *out = timer;
    return 0;
}

void fastws_loop_timer_free(struct fastws_loop_timer *timer) {
    if (timer == NULL) return;
    struct fastws_loop *loop = timer->loop;
    if (timer->next != NULL) timer->next->previous = timer->previous;
    if (timer->previous != NULL) {
        timer->previous->next = timer->next;
    } else {
        loop->user_timers = timer->next;
    }
    fws_timers_remove(loop, &timer->watch);
    fws_loop_release(loop, timer, sizeof *timer);
}

/* Not fws_deadline_ms(): a delay of 0 is now here, not never. */
void fastws_loop_timer_set(struct fastws_loop_timer *timer, uint64_t delay_ms) {
    uint64_t now_ms = timer->loop->is_running ? timer->loop->now_ms : fws_clock_ms();
    uint64_t due_ms = delay_ms < UINT64_MAX - 1 - now_ms ? now_ms + delay_ms : UINT64_MAX - 1;
    fws_timers_move(timer->loop, &timer->watch, due_ms);
}

void fastws_loop_timer_stop(struct fastws_loop_timer *timer) {
    fws_timers_move(timer->loop, &timer->watch, UINT64_MAX);
}

int fastws_loop_timer_is_set(const struct fastws_loop_timer *timer) {
    return timer->loop->timers.entries[timer->watch.timer].due_ms != UINT64_MAX;
}

void fws_user_timer_on_time(struct fws_watch *watch) {
    struct fastws_loop_timer *timer = (struct fastws_loop_timer *)watch;
    fastws_loop_timer_stop(timer);
    timer->run(timer, timer->context);
}

void fws_user_timers_free(struct fastws_loop *loop) {
    while (loop->user_timers != NULL) fastws_loop_timer_free(loop->user_timers);
}
