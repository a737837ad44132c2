/* SPDX-License-Identifier: MIT */
/* The deadlines of all connections of an event loop: a heap, and one timer of the loop for the first of them.
 *
 * What a connection receives only moves its deadline away, so the heap is not told: it finds out when the old one
 * comes. */
#include "aio.h"

static void place(struct aio_loop *self, size_t i, struct aio_timer timer) {
    self->timers[i] = timer;
    timer.connection->timer = i + 1;
}

static void sift_up(struct aio_loop *self, size_t i) {
    struct aio_timer timer = self->timers[i];
    while (i > 0 && self->timers[(i - 1) / 2].due_ms > timer.due_ms) {
        place(self, i, self->timers[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(self, i, timer);
}

static void sift_down(struct aio_loop *self, size_t i) {
    struct aio_timer timer = self->timers[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= self->timer_count) break;
        if (child + 1 < self->timer_count && self->timers[child + 1].due_ms < self->timers[child].due_ms) child++;
        if (self->timers[child].due_ms >= timer.due_ms) break;
        place(self, i, self->timers[child]);
        i = child;
    }
    place(self, i, timer);
}

static int grow(struct aio_loop *self) {
    if (self->timer_count < self->timer_cap) return 0;
    size_t cap = self->timer_cap ? 2 * self->timer_cap : 16;
    struct aio_timer *timers = PyMem_Realloc(self->timers, cap * sizeof *timers);
    if (!timers) {
        PyErr_NoMemory();
        return -1;
    }
    self->timers = timers;
    self->timer_cap = cap;
    return 0;
}

static int cancel_handle(struct aio_loop *self) {
    PyObject *handle = self->handle;
    self->handle = NULL;
    self->handle_ms = UINT64_MAX;
    PyObject *done = handle ? PyObject_CallMethod(handle, "cancel", NULL) : NULL;
    int result = handle && !done ? -1 : 0;
    Py_XDECREF(handle);
    Py_XDECREF(done);
    return result;
}

/* Has the loop call when the first deadline comes. A timer that fires too early does no harm. */
static int arm(struct aio_loop *self) {
    uint64_t first_ms = self->timer_count ? self->timers[0].due_ms : UINT64_MAX;
    if (first_ms >= self->handle_ms) return self->timer_count ? 0 : cancel_handle(self);
    if (cancel_handle(self) < 0) return -1;
    uint64_t now_ms = protocol_now_ms();
    /* Half a millisecond more, so that it is not woken in the one before. */
    double delay = first_ms > now_ms ? (double)(first_ms - now_ms) / 1000.0 + 0.0005 : 0.0;
    PyObject *fire = PyObject_GetAttrString((PyObject *)self, "_fire");
    if (!fire) return -1;
    self->handle = PyObject_CallFunction(self->call_later, "dO", delay, fire);
    Py_DECREF(fire);
    if (!self->handle) return -1;
    self->handle_ms = first_ms;
    return 0;
}

int aio_timers_set(struct aio_loop *self, struct aio_connection *connection, uint64_t due_ms) {
    if (due_ms == UINT64_MAX) {
        aio_timers_remove(self, connection);
        return 0;
    }
    /* What is due again at once waits for its turn. */
    if (due_ms <= self->fired_ms) due_ms = self->fired_ms + 1;
    if (!connection->timer) {
        if (grow(self) < 0) return -1;
        self->timers[self->timer_count] = (struct aio_timer){due_ms, connection};
        sift_up(self, self->timer_count++);
    } else if (due_ms < self->timers[connection->timer - 1].due_ms) {
        self->timers[connection->timer - 1].due_ms = due_ms;
        sift_up(self, connection->timer - 1);
    } else {
        self->timers[connection->timer - 1].due_ms = due_ms;
        sift_down(self, connection->timer - 1);
    }
    return arm(self);
}

void aio_timers_remove(struct aio_loop *self, struct aio_connection *connection) {
    if (!connection->timer) return;
    size_t i = connection->timer - 1;
    connection->timer = 0;
    struct aio_timer last = self->timers[--self->timer_count];
    if (last.connection == connection) return;
    place(self, i, last);
    sift_up(self, i);
    sift_down(self, last.connection->timer - 1);
}

PyObject *aio_timers_fire(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct aio_loop *self = (struct aio_loop *)object;
    Py_CLEAR(self->handle);
    self->handle_ms = UINT64_MAX;
    int result = 0;
    aio_loop_enter(self);
    uint64_t now_ms = self->fired_ms = protocol_now_ms();
    while (result == 0 && self->timer_count && self->timers[0].due_ms <= now_ms) {
        struct aio_connection *connection = self->timers[0].connection;
        Py_INCREF(connection);
        aio_timers_remove(self, connection);
        result = aio_connection_on_time(connection, now_ms);
        Py_DECREF(connection);
    }
    aio_loop_leave(self);
    if (result == 0) result = arm(self);
    if (result < 0) return NULL;
    Py_RETURN_NONE;
}
