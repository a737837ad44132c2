/* SPDX-License-Identifier: MIT */
/* Every deadline of a loop, in one binary heap. */
#include "loop.h"

static void put(struct fws_timers *timers, uint32_t i, struct fws_timer timer) {
    timers->entries[i] = timer;
    timer.watch->timer = i;
}

static void rise(struct fws_timers *timers, uint32_t i, struct fws_timer timer) {
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (timers->entries[parent].due_ms <= timer.due_ms) break;
        put(timers, i, timers->entries[parent]);
        i = parent;
    }
    put(timers, i, timer);
}

static void sink(struct fws_timers *timers, uint32_t i, struct fws_timer timer) {
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= timers->len) break;
        if (child + 1 < timers->len && timers->entries[child + 1].due_ms < timers->entries[child].due_ms) child++;
        if (timers->entries[child].due_ms >= timer.due_ms) break;
        put(timers, i, timers->entries[child]);
        i = child;
    }
    put(timers, i, timer);
}

/* Grows by a sixteenth: entries are part of what an idle connection costs. */
static int reserve(struct fastws_loop *loop) {
    struct fws_timers *timers = &loop->timers;
    if (timers->len < timers->cap) return 0;
    size_t cap = (size_t)timers->cap + timers->cap / 16 + 16;
    if (cap > UINT32_MAX / 2 || cap > SIZE_MAX / sizeof *timers->entries) return FASTWS_ERR_NOMEM;
    const struct fastws_allocator *allocator = loop->allocator;
    size_t size = cap * sizeof *timers->entries;
    void *entries = timers->cap == 0 ? allocator->allocate(allocator->context, size)
                                     : allocator->resize(allocator->context, timers->entries,
                                                         timers->cap * sizeof *timers->entries, size);
    if (entries == NULL) return FASTWS_ERR_NOMEM;
    timers->entries = entries;
    timers->cap = (uint32_t)cap;
    return 0;
}

/* Outside of a turn nobody else would tell the clock. */
static void rearm(struct fastws_loop *loop) {
    if (!loop->is_running) loop->backend->arm(loop, fws_timers_due_ms(&loop->timers));
}

int fws_timers_add(struct fastws_loop *loop, struct fws_watch *watch, uint64_t due_ms) {
    TRY(reserve(loop));
    rise(&loop->timers, loop->timers.len++, (struct fws_timer){due_ms, watch});
    rearm(loop);
    return 0;
}

void fws_timers_move(struct fastws_loop *loop, struct fws_watch *watch, uint64_t due_ms) {
    struct fws_timers *timers = &loop->timers;
    uint64_t old_ms = timers->entries[watch->timer].due_ms;
    struct fws_timer timer = {due_ms, watch};
    if (due_ms < old_ms) {
        rise(timers, watch->timer, timer);
    } else {
        sink(timers, watch->timer, timer);
    }
    rearm(loop);
}

void fws_timers_remove(struct fastws_loop *loop, struct fws_watch *watch) {
    struct fws_timers *timers = &loop->timers;
    uint32_t i = watch->timer;
    if (i == FWS_NO_TIMER) return;
    watch->timer = FWS_NO_TIMER;
    struct fws_timer last = timers->entries[--timers->len];
    if (i == timers->len) return;
    if (i > 0 && last.due_ms < timers->entries[(i - 1) / 2].due_ms) {
        rise(timers, i, last);
    } else {
        sink(timers, i, last);
    }
}

void fws_timers_free(struct fastws_loop *loop) {
    struct fws_timers *timers = &loop->timers;
    if (timers->cap > 0) fws_loop_release(loop, timers->entries, timers->cap * sizeof *timers->entries);
    *timers = (struct fws_timers){0};
}
