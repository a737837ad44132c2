/* SPDX-License-Identifier: MIT */
/* The event loop: its life, its turns, what other threads post, and its polite end. */
#define _POSIX_C_SOURCE 200809L
#include "loop_socket.h"

#include <errno.h>
#include <pthread.h>

#include <fastws/random.h>

#include "../pool.h"
#include "io.h"

/* A message of 64 KiB fits a slab together with its header: where it does not, its echo costs nearly twice as much. */
enum { TURN_SOCKETS_MAX = 1024, CLOCK_EVERY = 8, SLAB_LEN = 68 * 1024 };

/* The echo of one slab fits the write buffer: the rest of a batch that does not is copied once more. */
enum { CORK_LEN = SLAB_LEN };

/* ---- Forks ---- */

static pthread_once_t fork_handler_once = PTHREAD_ONCE_INIT;
static int fork_handler_error;
static atomic_uint fork_count;

/* RFC 6455 10.3: masking keys are unpredictable. A child must not draw those that its parent has buffered. */
static void on_fork(void) {
    atomic_fetch_add(&fork_count, 1);
    fastws_random_discard();
}

static void register_fork_handler(void) { fork_handler_error = pthread_atfork(NULL, NULL, on_fork); }

int fws_loop_check_process(const struct fastws_loop *loop) {
    return atomic_load_explicit(&fork_count, memory_order_relaxed) == loop->fork_count ? 0 : FASTWS_ERR_FORKED;
}

/* ---- Life ---- */

void fastws_loop_config_init(struct fastws_loop_config *config) {
    *config = (struct fastws_loop_config){
        .size = sizeof *config, .turn_sockets = 64, .turn_len = 1u << 20, .turn_us = 1000};
}

int fws_loop_errno(int otherwise) {
    switch (errno) {
    case EMFILE:
    case ENFILE: return FASTWS_ERR_DESCRIPTORS;
    case ENOMEM:
    case ENOBUFS: return FASTWS_ERR_NOMEM;
    default: return otherwise;
    }
}

static const struct fws_backend *choose(int backend) {
    if (backend == FASTWS_BACKEND_POLL) return &fws_backend_poll;
    if (backend == FASTWS_BACKEND_BEST && fws_backend_epoll.open == NULL) return &fws_backend_poll;
    return &fws_backend_epoll;
}

static int check_config(const struct fastws_loop_config *config) {
    if (config->size != sizeof *config) return FASTWS_ERR_ARGUMENT;
    if (config->backend < FASTWS_BACKEND_BEST || config->backend > FASTWS_BACKEND_POLL) return FASTWS_ERR_ARGUMENT;
    if (config->turn_sockets < 1 || config->turn_sockets > TURN_SOCKETS_MAX) return FASTWS_ERR_ARGUMENT;
    return choose(config->backend)->open == NULL ? FASTWS_ERR_BACKEND : 0;
}

void fws_loop_tick(struct fastws_loop *loop) {
    uint64_t now_us = fws_clock_us();
    loop->now_ms = now_us / 1000u;
    fastws_pool_set_now(loop->pool, now_us);
}

/* Gives back what build() made. */
static void release(struct fastws_loop *loop) {
    const struct fastws_allocator *allocator = loop->allocator;
    if (loop->backend_state != NULL) loop->backend->close(loop);
    fws_timers_free(loop);
    fws_loop_release_tls(loop);
    if (loop->ready != NULL) fws_loop_release(loop, loop->ready, loop->turn_sockets * sizeof *loop->ready);
    struct fastws_pool *pool = loop->pool;
    allocator->release(allocator->context, loop, sizeof *loop);
    fastws_pool_free(pool);
}

static int build(struct fastws_loop *loop, const struct fastws_loop_config *config) {
    loop->backend = choose(config->backend);
    loop->turn_sockets = config->turn_sockets;
    loop->turn_len = config->turn_len;
    loop->turn_us = config->turn_us;
    loop->ready = fws_loop_allocate(loop, loop->turn_sockets * sizeof *loop->ready);
    if (loop->ready == NULL) return FASTWS_ERR_NOMEM;
    TRY(loop->backend->open(loop));
    loop->shutdown = (struct fws_watch){.fd = -1, .timer = FWS_NO_TIMER, .kind = FWS_WATCH_SHUTDOWN};
    return fws_timers_add(loop, &loop->shutdown, UINT64_MAX);
}

int fastws_loop_new(const struct fastws_loop_config *config, struct fastws_loop **out) {
    struct fastws_loop_config defaults;
    if (config == NULL) {
        fastws_loop_config_init(&defaults);
        config = &defaults;
    }
    TRY(check_config(config));
    pthread_once(&fork_handler_once, register_fork_handler);
    if (fork_handler_error != 0) return FASTWS_ERR_NOMEM;
    struct fastws_pool_config pool_config;
    fastws_pool_config_init(&pool_config);
    pool_config.slab_len = SLAB_LEN;
    pool_config.cork_len = CORK_LEN;
    struct fastws_pool *pool;
    TRY(fastws_pool_new(config->pool != NULL ? config->pool : &pool_config, &pool));
    struct fastws_loop *loop = pool->allocator->allocate(pool->allocator->context, sizeof *loop);
    if (loop == NULL) {
        fastws_pool_free(pool);
        return FASTWS_ERR_NOMEM;
    }
    memset(loop, 0, offsetof(struct fastws_loop, events));
    loop->allocator = pool->allocator;
    loop->pool = pool;
    loop->fork_count = atomic_load(&fork_count);
    atomic_init(&loop->posts, NULL);
    fws_loop_tick(loop);
    int error = build(loop, config);
    if (error < 0) {
        release(loop);
        return error;
    }
    *out = loop;
    return 0;
}

/* Ends what is left, from the end of the heap, whatever callbacks do meanwhile. */
static void end_sockets(struct fastws_loop *loop) {
    while (loop->stats.sockets > 0) {
        struct fws_timers *timers = &loop->timers;
        uint32_t i = timers->len - 1;
        while (timers->entries[i].watch->kind < FWS_WATCH_NEW) i--;
        struct fastws_socket *socket = (struct fastws_socket *)timers->entries[i].watch;
        if (loop->is_child) {
            fws_socket_destroy(socket, 0);
        } else {
            fws_socket_cut(socket, FASTWS_ERR_SHUTDOWN);
        }
    }
    while (loop->dirty != NULL) { /* dead, all of them */
        struct fastws_socket *socket = loop->dirty;
        loop->dirty = socket->next;
        fws_socket_lay(socket);
    }
    loop->ready_off = loop->ready_count = 0;
    fws_loop_bury(loop);
}

static void run_posts(struct fastws_loop *loop) {
    struct fastws_post *newest = atomic_exchange_explicit(&loop->posts, NULL, memory_order_acquire);
    struct fastws_post *oldest = NULL;
    while (newest != NULL) {
        struct fastws_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct fastws_post *post = oldest;
        oldest = post->next;
        post->run(loop, post);
    }
}

void fastws_loop_free(struct fastws_loop *loop) {
    if (loop == NULL) return;
    loop->is_child = fws_loop_check_process(loop) < 0;
    loop->is_shutting_down = 1;
    loop->is_running = 1; /* callbacks queue, and nothing is written any more */
    while (loop->listeners != NULL) fastws_listener_free(loop->listeners);
    end_sockets(loop);
    fws_user_timers_free(loop);
    fws_user_watches_free(loop);
    if (!loop->is_child) run_posts(loop);
    release(loop);
}

/* ---- A turn ---- */

void fws_watch_serve(struct fastws_loop *loop, struct fws_watch *watch, unsigned found) {
    switch ((enum fws_watch_kind)watch->kind) {
    case FWS_WATCH_WAKE:
        loop->backend->on_wake(loop);
        run_posts(loop);
        break;
    case FWS_WATCH_LISTENER: fws_listener_serve((struct fastws_listener *)watch); break;
    case FWS_WATCH_USER: fws_user_watch_serve(loop, watch, found); break;
    case FWS_WATCH_ATTEMPT: fws_attempt_serve(watch); break;
    case FWS_WATCH_DIAL: fws_dial_serve((struct fastws_socket *)watch, found); break;
    case FWS_WATCH_TLS: fws_tls_serve((struct fastws_socket *)watch, found); break;
    case FWS_WATCH_HEAD: fws_head_serve((struct fastws_socket *)watch, found); break;
    case FWS_WATCH_ANSWER: fws_answer_serve((struct fastws_socket *)watch, found); break;
    case FWS_WATCH_OPEN: fws_open_serve((struct fastws_socket *)watch, found); break;
    case FWS_WATCH_LINGER: fws_linger_serve((struct fastws_socket *)watch, found); break;
    case FWS_WATCH_CLOCK:    /* looked at in every turn */
    case FWS_WATCH_SHUTDOWN: /* never ready */
    case FWS_WATCH_TIMER:
    case FWS_WATCH_NEW: /* on the list of the dirty ones */
    case FWS_WATCH_DEAD: break;
    }
}

static void mark_all(struct fastws_loop *loop) {
    for (uint32_t i = 0; i < loop->timers.len; i++) {
        struct fws_watch *watch = loop->timers.entries[i].watch;
        if (watch->kind >= FWS_WATCH_NEW) fws_socket_mark((struct fastws_socket *)watch);
    }
}

static void watch_on_time(struct fastws_loop *loop, struct fws_watch *watch) {
    switch ((enum fws_watch_kind)watch->kind) {
    case FWS_WATCH_SHUTDOWN:
        fws_timers_move(loop, watch, UINT64_MAX);
        loop->is_cut = 1;
        mark_all(loop);
        break;
    case FWS_WATCH_TIMER: fws_user_timer_on_time(watch); break;
    case FWS_WATCH_LISTENER: fws_listener_on_time((struct fastws_listener *)watch); break;
    case FWS_WATCH_DIAL: fws_dial_on_time((struct fastws_socket *)watch); break;
    case FWS_WATCH_TLS:
    case FWS_WATCH_HEAD:
    case FWS_WATCH_ANSWER: fws_head_on_time((struct fastws_socket *)watch); break;
    case FWS_WATCH_OPEN: fws_open_on_time((struct fastws_socket *)watch); break;
    case FWS_WATCH_LINGER: fws_socket_destroy((struct fastws_socket *)watch, 0); break;
    case FWS_WATCH_WAKE: /* these have no deadline */
    case FWS_WATCH_CLOCK:
    case FWS_WATCH_USER:
    case FWS_WATCH_ATTEMPT:
    case FWS_WATCH_NEW:
    case FWS_WATCH_DEAD: break;
    }
}

static int is_due(const struct fastws_loop *loop) { return fws_timers_due_ms(&loop->timers) <= loop->now_ms; }

static void serve_timers(struct fastws_loop *loop) {
    for (unsigned i = 0; i < loop->turn_sockets && is_due(loop); i++) {
        watch_on_time(loop, loop->timers.entries[0].watch);
    }
}

static void serve_ready(struct fastws_loop *loop) {
    uint64_t start_us = loop->pool->now_us;
    loop->turn_received = 0;
    for (unsigned served = 1; loop->ready_off < loop->ready_count; served++) {
        struct fws_ready ready = loop->ready[loop->ready_off++];
        if (ready.watch != NULL) fws_watch_serve(loop, ready.watch, ready.found);
        if (loop->turn_len > 0 && loop->turn_received >= loop->turn_len) return;
        if (loop->turn_us > 0 && served % CLOCK_EVERY == 0 && fws_clock_us() - start_us >= loop->turn_us) return;
    }
}

/* Sockets that are marked meanwhile wait for the next turn. */
static void serve_dirty(struct fastws_loop *loop) {
    struct fastws_socket *socket = loop->dirty;
    loop->dirty = NULL;
    while (socket != NULL) {
        struct fastws_socket *next = socket->next;
        fws_socket_clear(socket, FWS_SOCKET_DIRTY);
        fws_socket_visit(socket);
        socket = next;
    }
}

static int gather(struct fastws_loop *loop, int timeout_ms) {
    if (loop->ready_off < loop->ready_count) return 0;
    loop->ready_off = loop->ready_count = 0;
    return loop->backend->wait(loop, loop->dirty != NULL || is_due(loop) ? 0 : timeout_ms);
}

static int turn(struct fastws_loop *loop, int timeout_ms) {
    TRY(gather(loop, timeout_ms));
    fws_loop_tick(loop);
    serve_ready(loop);
    serve_timers(loop);
    serve_dirty(loop);
    fws_loop_bury(loop);
    loop->backend->arm(loop, fws_timers_due_ms(&loop->timers));
    if (loop->dirty != NULL) loop->backend->wake(loop); /* no descriptor would say so */
    return loop->ready_off < loop->ready_count || loop->dirty != NULL || is_due(loop);
}

int fastws_loop_run_once(struct fastws_loop *loop, int timeout_ms) {
    TRY(fws_loop_check_process(loop));
    if (loop->is_running) return FASTWS_ERR_STATE;
    loop->is_running = 1;
    int result = turn(loop, timeout_ms);
    loop->is_running = 0;
    return result;
}

int fastws_loop_run(struct fastws_loop *loop) {
    int result = 0;
    while (result >= 0 && !loop->is_stopped && !(loop->is_shutting_down && loop->stats.sockets == 0)) {
        result = fastws_loop_run_once(loop, -1);
    }
    loop->is_stopped = 0;
    return result < 0 ? result : 0;
}

void fastws_loop_stop(struct fastws_loop *loop) { loop->is_stopped = 1; }

/* ---- Other threads ---- */

void fastws_loop_post(struct fastws_loop *loop, struct fastws_post *post) {
    struct fastws_post *newest = atomic_load_explicit(&loop->posts, memory_order_relaxed);
    do post->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&loop->posts, &newest, post, memory_order_release,
                                                  memory_order_relaxed));
    if (newest == NULL) loop->backend->wake(loop); /* otherwise whoever came first has */
}

/* ---- The end ---- */

void fastws_loop_shutdown(struct fastws_loop *loop, uint32_t timeout_ms) {
    if (fws_loop_check_process(loop) < 0) return;
    fws_timers_move(loop, &loop->shutdown, fws_deadline_ms(fws_clock_ms(), timeout_ms));
    if (loop->is_shutting_down) return;
    loop->is_shutting_down = 1;
    while (loop->listeners != NULL) fastws_listener_free(loop->listeners);
    mark_all(loop);
    if (!loop->is_running) loop->backend->wake(loop);
}

/* ---- Asking ---- */

int fastws_loop_fd(const struct fastws_loop *loop) { return loop->backend->fd(loop); }

void fastws_loop_get_stats(const struct fastws_loop *loop, struct fastws_loop_stats *out) { *out = loop->stats; }

struct fastws_pool *fastws_loop_get_pool(struct fastws_loop *loop) { return loop->pool; }

const char *fastws_loop_backend_name(const struct fastws_loop *loop) { return loop->backend->name; }

struct fastws_socket *fastws_loop_current(const struct fastws_loop *loop) { return loop->current; }
