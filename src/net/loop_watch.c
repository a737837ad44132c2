/* SPDX-License-Identifier: MIT */
/* Descriptors of users: the loop says when they are ready, and does nothing else with them. */
#include "loop_socket.h"

struct fastws_watch {
    struct fws_watch watch;
    struct fastws_loop *loop;
    size_t (*on_ready)(struct fastws_watch *watch, unsigned found, void *context);
    void *context;
    struct fastws_watch *next;
    struct fastws_watch *previous; /* NULL: it is the first */
};

_Static_assert(FASTWS_WATCH_READABLE == FWS_READABLE && FASTWS_WATCH_WRITABLE == FWS_WRITABLE &&
                   FASTWS_WATCH_HUNG_UP == FWS_HUNG_UP,
               "users know the bits by names of their own");

static int is_wish(unsigned wanted) { return (wanted & ~(FWS_READABLE | FWS_WRITABLE)) == 0; }

int fastws_loop_watch(struct fastws_loop *loop, int fd, unsigned wanted,
                      size_t (*on_ready)(struct fastws_watch *watch, unsigned found, void *context), void *context,
                      struct fastws_watch **out) {
    TRY(fws_loop_check_process(loop));
    if (!is_wish(wanted)) return FASTWS_ERR_ARGUMENT;
    struct fastws_watch *watch = fws_loop_allocate(loop, sizeof *watch);
    if (watch == NULL) return FASTWS_ERR_NOMEM;
    *watch = (struct fastws_watch){
        .watch = {.fd = fd, .timer = FWS_NO_TIMER, .kind = FWS_WATCH_USER, .wanted = FWS_UNWATCHED},
        .loop = loop,
        .on_ready = on_ready,
        .context = context,
        .next = loop->user_watches};
    int error = loop->backend->want(loop, &watch->watch, wanted);
    if (error < 0) {
        fws_loop_release(loop, watch, sizeof *watch);
        return error;
    }
    if (watch->next != NULL) watch->next->previous = watch;
    loop->user_watches = watch;
    *out = watch;
    return 0;
}

int fastws_watch_want(struct fastws_watch *watch, unsigned wanted) {
    if (!is_wish(wanted)) return FASTWS_ERR_ARGUMENT;
    TRY(fws_loop_check_process(watch->loop));
    return fws_watch_want(watch->loop, &watch->watch, wanted);
}

static void leave(struct fastws_watch *watch) {
    if (watch->next != NULL) watch->next->previous = watch->previous;
    if (watch->previous != NULL) {
        watch->previous->next = watch->next;
    } else {
        watch->loop->user_watches = watch->next;
    }
}

/* What the batch found may name it until that is over: then it is buried. */
void fastws_watch_free(struct fastws_watch *watch) {
    if (watch == NULL) return;
    struct fastws_loop *loop = watch->loop;
    leave(watch);
    /* The set is that of the parent, too. */
    if (fws_loop_check_process(loop) == 0) loop->backend->forget(loop, &watch->watch);
    watch->watch.kind = FWS_WATCH_DEAD;
    watch->next = loop->user_watch_grave;
    loop->user_watch_grave = watch;
    if (!loop->is_running) fws_loop_bury(loop);
}

void fws_user_watch_serve(struct fastws_loop *loop, struct fws_watch *ready, unsigned found) {
    struct fastws_watch *watch = (struct fastws_watch *)ready;
    found &= ready->wanted | FWS_HUNG_UP; /* it may be wanted no more since it was found */
    if (found != 0) loop->turn_received += watch->on_ready(watch, found, watch->context);
}

void fws_user_watches_bury(struct fastws_loop *loop) {
    while (loop->user_watch_grave != NULL) {
        struct fastws_watch *watch = loop->user_watch_grave;
        loop->user_watch_grave = watch->next;
        fws_loop_release(loop, watch, sizeof *watch);
    }
}

void fws_user_watches_free(struct fastws_loop *loop) {
    while (loop->user_watches != NULL) fastws_watch_free(loop->user_watches);
    fws_user_watches_bury(loop);
}
