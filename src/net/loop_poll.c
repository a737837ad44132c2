/* SPDX-License-Identifier: MIT */
/* The back end on poll(), which any POSIX system has: an array of all descriptors, and a pipe that wakes it. */
#define _POSIX_C_SOURCE 200809L
#include "loop_socket.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"

/* Entries stand side by side; which one a descriptor has, slots knows. */
struct state {
    struct pollfd *fds;
    struct fws_watch **watches;
    uint32_t *slots; /* by descriptor */
    size_t len;
    size_t cap;      /* of fds and watches */
    size_t slot_cap;
    size_t first;    /* where the next search begins, so that all have their turn */
    uint64_t due_ms;
    struct fws_watch wake;
    int wake_end; /* of the pipe, for writing */
};

/* ---- Memory ---- */

/* Returns ptr grown from old_count to count items, or NULL: then it is as it was. */
static void *grow(struct fastws_loop *loop, void *ptr, size_t old_count, size_t count, size_t size) {
    const struct fastws_allocator *allocator = loop->allocator;
    if (count > SIZE_MAX / size) return NULL;
    return ptr == NULL ? allocator->allocate(allocator->context, count * size)
                       : allocator->resize(allocator->context, ptr, old_count * size, count * size);
}

/* Both arrays grow or none. */
static int reserve_entry(struct fastws_loop *loop, struct state *state) {
    if (state->len < state->cap) return 0;
    size_t cap = state->cap * 2 + 16;
    struct pollfd *fds = grow(loop, NULL, 0, cap, sizeof *fds);
    if (fds == NULL) return FASTWS_ERR_NOMEM;
    struct fws_watch **watches = grow(loop, state->watches, state->cap, cap, sizeof *watches);
    if (watches == NULL) {
        fws_loop_release(loop, fds, cap * sizeof *fds);
        return FASTWS_ERR_NOMEM;
    }
    if (state->fds != NULL) {
        memcpy(fds, state->fds, state->len * sizeof *fds);
        fws_loop_release(loop, state->fds, state->cap * sizeof *fds);
    }
    state->fds = fds;
    state->watches = watches;
    state->cap = cap;
    return 0;
}

static int reserve_slot(struct fastws_loop *loop, struct state *state, int fd) {
    size_t need = (size_t)fd + 1;
    if (need <= state->slot_cap) return 0;
    size_t cap = need + need / 2 + 16;
    uint32_t *slots = grow(loop, state->slots, state->slot_cap, cap, sizeof *slots);
    if (slots == NULL) return FASTWS_ERR_NOMEM;
    state->slots = slots;
    state->slot_cap = cap;
    return 0;
}

/* ---- Watching ---- */

static short events_of(unsigned wanted) {
    return (short)((wanted & FWS_READABLE ? POLLIN : 0) | (wanted & FWS_WRITABLE ? POLLOUT : 0));
}

static int poll_want(struct fastws_loop *loop, struct fws_watch *watch, unsigned wanted) {
    struct state *state = loop->backend_state;
    if (watch->wanted == FWS_UNWATCHED) {
        if (watch->fd < 0) return FASTWS_ERR_IO;
        TRY(reserve_entry(loop, state));
        TRY(reserve_slot(loop, state, watch->fd));
        state->slots[watch->fd] = (uint32_t)state->len;
        state->watches[state->len] = watch;
        state->fds[state->len++].fd = watch->fd;
    }
    state->fds[state->slots[watch->fd]].events = events_of(wanted);
    watch->wanted = (uint8_t)wanted;
    return 0;
}

static void poll_forget(struct fastws_loop *loop, struct fws_watch *watch) {
    struct state *state = loop->backend_state;
    if (watch->wanted == FWS_UNWATCHED) return;
    uint32_t slot = state->slots[watch->fd];
    size_t last = --state->len;
    state->fds[slot] = state->fds[last];
    state->watches[slot] = state->watches[last];
    state->slots[state->fds[slot].fd] = slot;
    watch->wanted = FWS_UNWATCHED;
}

/* ---- Life ---- */

static void poll_close(struct fastws_loop *loop) {
    struct state *state = loop->backend_state;
    if (state->wake.fd >= 0) close(state->wake.fd);
    if (state->wake_end >= 0) close(state->wake_end);
    if (state->fds != NULL) fws_loop_release(loop, state->fds, state->cap * sizeof *state->fds);
    if (state->watches != NULL) fws_loop_release(loop, state->watches, state->cap * sizeof *state->watches);
    if (state->slots != NULL) fws_loop_release(loop, state->slots, state->slot_cap * sizeof *state->slots);
    fws_loop_release(loop, state, sizeof *state);
    loop->backend_state = NULL;
}

static int open_pipe(struct fastws_loop *loop, struct state *state) {
    int fds[2];
    if (pipe(fds) != 0) return fws_loop_errno(FASTWS_ERR_BACKEND);
    state->wake.fd = fds[0];
    state->wake_end = fds[1];
    if (fws_transport_prepare(fds[0]) != 0 || fws_transport_prepare(fds[1]) != 0) return FASTWS_ERR_BACKEND;
    return poll_want(loop, &state->wake, FWS_READABLE);
}

static int poll_open(struct fastws_loop *loop) {
    struct state *state = fws_loop_allocate(loop, sizeof *state);
    if (state == NULL) return FASTWS_ERR_NOMEM;
    *state = (struct state){.due_ms = UINT64_MAX, .wake_end = -1};
    state->wake = (struct fws_watch){
        .fd = -1, .timer = FWS_NO_TIMER, .kind = FWS_WATCH_WAKE, .wanted = FWS_UNWATCHED};
    loop->backend_state = state;
    int error = open_pipe(loop, state);
    if (error < 0) poll_close(loop);
    return error;
}

static int poll_fd(const struct fastws_loop *loop) {
    (void)loop;
    return FASTWS_ERR_BACKEND;
}

static void poll_arm(struct fastws_loop *loop, uint64_t due_ms) {
    struct state *state = loop->backend_state;
    state->due_ms = due_ms;
}

/* ---- Waiting ---- */

/* The shorter one of the caller's time and the first deadline. */
static int timeout_until(uint64_t due_ms, int timeout_ms) {
    if (due_ms == UINT64_MAX || timeout_ms == 0) return timeout_ms;
    uint64_t now_ms = fws_clock_ms();
    uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    if (left_ms > INT_MAX) left_ms = INT_MAX;
    return timeout_ms < 0 || left_ms < (uint64_t)timeout_ms ? (int)left_ms : timeout_ms;
}

static unsigned found_of(short events) {
    unsigned found = 0;
    if (events & POLLIN) found |= FWS_READABLE;
    if (events & POLLOUT) found |= FWS_WRITABLE;
    if (events & (POLLHUP | POLLERR | POLLNVAL)) found |= FWS_HUNG_UP;
    return found;
}

static int poll_wait_ready(struct fastws_loop *loop, int timeout_ms) {
    struct state *state = loop->backend_state;
    int count = poll(state->fds, (nfds_t)state->len, timeout_until(state->due_ms, timeout_ms));
    if (count < 0) return errno == EINTR ? 0 : FASTWS_ERR_IO;
    if (state->first >= state->len) state->first = 0;
    size_t i = state->first;
    for (size_t seen = 0; seen < state->len && loop->ready_count < loop->turn_sockets; seen++) {
        if (state->fds[i].revents != 0) {
            loop->ready[loop->ready_count++] = (struct fws_ready){state->watches[i], found_of(state->fds[i].revents)};
        }
        if (++i == state->len) i = 0;
    }
    state->first = i;
    return 0;
}

static int poll_accept(int listener) {
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0 && fws_transport_prepare(fd) != 0) {
        close(fd);
        errno = ECONNABORTED;
        fd = -1;
    }
    return fd;
}

static void poll_wake(struct fastws_loop *loop) {
    const struct state *state = loop->backend_state;
    int before = errno;
    (void)!write(state->wake_end, "", 1); /* full: it is readable anyway */
    errno = before;
}

static void poll_on_wake(struct fastws_loop *loop) {
    const struct state *state = loop->backend_state;
    char bytes[64];
    while (read(state->wake.fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {}
}

const struct fws_backend fws_backend_poll = {.name = "poll",
                                             .open = poll_open,
                                             .close = poll_close,
                                             .fd = poll_fd,
                                             .wait = poll_wait_ready,
                                             .arm = poll_arm,
                                             .want = poll_want,
                                             .forget = poll_forget,
                                             .accept = poll_accept,
                                             .wake = poll_wake,
                                             .on_wake = poll_on_wake};
