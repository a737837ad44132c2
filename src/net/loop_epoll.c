/* SPDX-License-Identifier: MIT */
/* The back end on epoll: one set, with an eventfd that wakes it and a timerfd for the first deadline, so that the set
 * itself is readable whenever there is something to do. */
#define _GNU_SOURCE /* accept4() */
#include "loop.h"

#if FWS_LINUX

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct state {
    int fd;
    struct fws_watch wake;
    struct fws_watch clock;
    uint64_t armed_ms;  /* what the clock is set to; UINT64_MAX: it is not */
    uint8_t is_ringing; /* it has gone off, and is readable until it is set again */
    struct epoll_event found[]; /* turn_sockets of them */
};

static size_t state_size(const struct fastws_loop *loop) {
    return sizeof(struct state) + loop->turn_sockets * sizeof(struct epoll_event);
}

static uint32_t events_of(unsigned wanted) {
    return (wanted & FWS_READABLE ? (uint32_t)EPOLLIN : 0u) | (wanted & FWS_WRITABLE ? (uint32_t)EPOLLOUT : 0u);
}

static int control(struct fastws_loop *loop, int operation, struct fws_watch *watch, unsigned wanted) {
    const struct state *state = loop->backend_state;
    struct epoll_event event = {.events = events_of(wanted), .data.ptr = watch};
    if (epoll_ctl(state->fd, operation, watch->fd, &event) != 0) return fws_loop_errno(FASTWS_ERR_IO);
    watch->wanted = (uint8_t)wanted;
    return 0;
}

static int epoll_want(struct fastws_loop *loop, struct fws_watch *watch, unsigned wanted) {
    return control(loop, watch->wanted == FWS_UNWATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch, wanted);
}

/* A descriptor that was duplicated, in this process or by a fork, would stay in the set when it is closed. */
static void epoll_forget(struct fastws_loop *loop, struct fws_watch *watch) {
    if (watch->wanted != FWS_UNWATCHED) (void)control(loop, EPOLL_CTL_DEL, watch, 0);
    watch->wanted = FWS_UNWATCHED;
}

static void close_fd(int fd) {
    if (fd >= 0) close(fd);
}

static void epoll_close(struct fastws_loop *loop) {
    struct state *state = loop->backend_state;
    close_fd(state->wake.fd);
    close_fd(state->clock.fd);
    close_fd(state->fd);
    fws_loop_release(loop, state, state_size(loop));
    loop->backend_state = NULL;
}

static int open_all(struct fastws_loop *loop, struct state *state) {
    if (state->fd < 0 || state->wake.fd < 0 || state->clock.fd < 0) return fws_loop_errno(FASTWS_ERR_BACKEND);
    TRY(epoll_want(loop, &state->wake, FWS_READABLE));
    return epoll_want(loop, &state->clock, FWS_READABLE);
}

static struct fws_watch watch_of(int fd, enum fws_watch_kind kind) {
    return (struct fws_watch){.fd = fd, .timer = FWS_NO_TIMER, .kind = (uint8_t)kind, .wanted = FWS_UNWATCHED};
}

static int epoll_open(struct fastws_loop *loop) {
    struct state *state = fws_loop_allocate(loop, state_size(loop));
    if (state == NULL) return FASTWS_ERR_NOMEM;
    *state = (struct state){.fd = epoll_create1(EPOLL_CLOEXEC), .armed_ms = UINT64_MAX};
    state->wake = watch_of(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), FWS_WATCH_WAKE);
    state->clock = watch_of(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), FWS_WATCH_CLOCK);
    loop->backend_state = state;
    int error = open_all(loop, state);
    if (error < 0) epoll_close(loop);
    return error;
}

static int epoll_fd(const struct fastws_loop *loop) {
    const struct state *state = loop->backend_state;
    return state->fd;
}

/* Later deadlines than the one that is set need no call: the clock goes off for nothing once. */
static void epoll_arm(struct fastws_loop *loop, uint64_t due_ms) {
    struct state *state = loop->backend_state;
    if (due_ms >= state->armed_ms && !state->is_ringing) return;
    if (due_ms == UINT64_MAX && state->armed_ms == UINT64_MAX) return;
    struct itimerspec time = {0}; /* all zero: never */
    if (due_ms != UINT64_MAX) {
        time.it_value.tv_sec = (time_t)(due_ms / 1000u);
        time.it_value.tv_nsec = (long)(due_ms % 1000u) * 1000000 + (due_ms == 0);
    }
    if (timerfd_settime(state->clock.fd, TFD_TIMER_ABSTIME, &time, NULL) != 0) return;
    state->armed_ms = due_ms;
    state->is_ringing = 0;
}

static unsigned found_of(uint32_t events) {
    unsigned found = 0;
    if (events & (uint32_t)EPOLLIN) found |= FWS_READABLE;
    if (events & (uint32_t)EPOLLOUT) found |= FWS_WRITABLE;
    if (events & ((uint32_t)EPOLLHUP | (uint32_t)EPOLLERR)) found |= FWS_HUNG_UP;
    return found;
}

static int epoll_wait_ready(struct fastws_loop *loop, int timeout_ms) {
    struct state *state = loop->backend_state;
    int count = epoll_wait(state->fd, state->found, (int)loop->turn_sockets, timeout_ms);
    if (count < 0) return errno == EINTR ? 0 : FASTWS_ERR_IO;
    for (int i = 0; i < count; i++) {
        struct fws_watch *watch = state->found[i].data.ptr;
        if (watch->kind == FWS_WATCH_CLOCK) state->is_ringing = 1;
        loop->ready[i] = (struct fws_ready){watch, found_of(state->found[i].events)};
    }
    loop->ready_count = (unsigned)count;
    return 0;
}

static int epoll_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

static void epoll_wake(struct fastws_loop *loop) {
    const struct state *state = loop->backend_state;
    int before = errno;
    (void)!write(state->wake.fd, &(uint64_t){1}, sizeof(uint64_t)); /* full: it is readable anyway */
    errno = before;
}

static void epoll_on_wake(struct fastws_loop *loop) {
    const struct state *state = loop->backend_state;
    uint64_t count;
    (void)!read(state->wake.fd, &count, sizeof count);
}

const struct fws_backend fws_backend_epoll = {.name = "epoll",
                                              .open = epoll_open,
                                              .close = epoll_close,
                                              .fd = epoll_fd,
                                              .wait = epoll_wait_ready,
                                              .arm = epoll_arm,
                                              .want = epoll_want,
                                              .forget = epoll_forget,
                                              .accept = epoll_accept,
                                              .wake = epoll_wake,
                                              .on_wake = epoll_on_wake};

#else

const struct fws_backend fws_backend_epoll = {.name = "epoll"};

#endif
