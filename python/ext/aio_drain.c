/* SPDX-License-Identifier: MIT */
/* The loop of the library inside of an event loop of Python: one descriptor, registered once, and one callback that
 * serves every socket that is ready. It exists while something is watched.
 *
 * The callback has bounds. The set is level-triggered: what they leave out is ready in the next iteration of the event
 * loop. */
#include "aio.h"

#include <fastws/error.h>

#include "errors.h"

/* Bounds of a turn. While half of what a callback may do is left another one follows, so that all of them together have
 * twice these: 64 sockets, 1 MiB, 1 ms. */
enum { TURN_SOCKETS = 32, TURN_LEN = 512 * 1024, TURN_US = 500 };

/* After so long something more is ready, mostly, and to see whether it is costs a fraction of an iteration of the event
 * loop, and of the turn that has passed. */
enum { AGAIN_US = 25 };

static int register_reader(struct aio_loop *self) {
    PyObject *run = PyObject_GetAttrString((PyObject *)self, "_drain");
    PyObject *done = run ? PyObject_CallMethod(self->loop, "add_reader", "iO", fastws_loop_fd(self->drain), run) : NULL;
    Py_XDECREF(run);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static int open_drain(struct aio_loop *self) {
    struct fastws_loop_config config;
    fastws_loop_config_init(&config);
    config.backend = FASTWS_BACKEND_EPOLL;
    config.turn_sockets = TURN_SOCKETS;
    config.turn_len = TURN_LEN;
    config.turn_us = TURN_US;
    int error = fastws_loop_new(&config, &self->drain);
    if (error == FASTWS_ERR_NOMEM) PyErr_NoMemory();
    if (error == FASTWS_ERR_DESCRIPTORS) PyErr_SetFromErrno(PyExc_OSError);
    if (error < 0 && !PyErr_Occurred()) error_raise(self->state, error);
    if (error < 0) return -1;
    if (register_reader(self) == 0) return 0;
    aio_drain_abandon(self);
    return -1;
}

int aio_drain_use(struct aio_loop *self) {
    if (self->is_forked) {
        PyErr_SetString(PyExc_RuntimeError, "the event loop belongs to the parent of this process");
        return -1;
    }
    if (!self->drain && open_drain(self) < 0) return -1;
    self->drain_uses++;
    return 0;
}

void aio_drain_abandon(struct aio_loop *self) {
    struct fastws_loop *drain = self->drain;
    self->drain = NULL;
    fastws_loop_free(drain);
}

/* An event loop that is closed has no readers. */
static void close_drain(struct aio_loop *self) {
    PyObject *type, *raised, *traceback;
    PyErr_Fetch(&type, &raised, &traceback);
    PyObject *done = PyObject_CallMethod(self->loop, "remove_reader", "i", fastws_loop_fd(self->drain));
    if (!done) PyErr_Clear();
    Py_XDECREF(done);
    aio_drain_abandon(self);
    PyErr_Restore(type, raised, traceback);
}

static void close_if_unused(struct aio_loop *self) {
    if (self->drain && !self->drain_uses && !self->is_draining) close_drain(self);
}

void aio_drain_leave(struct aio_loop *self) {
    self->drain_uses--;
    close_if_unused(self);
}

int aio_drain_watch(struct aio_loop *self, int fd, unsigned wanted,
                    size_t (*on_ready)(struct fastws_watch *watch, unsigned found, void *context), void *context,
                    struct fastws_watch **out) {
    int error = fastws_loop_watch(self->drain, fd, wanted, on_ready, context, out);
    if (error == 0) return 0;
    if (error == FASTWS_ERR_NOMEM) {
        PyErr_NoMemory();
    } else {
        PyErr_SetFromErrno(PyExc_OSError);
    }
    return -1;
}

void aio_drain_unwatch(struct aio_loop *self, struct fastws_watch **watch) {
    if (self->drain) fastws_watch_free(*watch);
    *watch = NULL;
}

/* ---- What is called ---- */

static int may_go_on(const struct aio_loop *self, uint64_t start_us) {
    if (self->drained_sockets > TURN_SOCKETS || self->drained_len > TURN_LEN || PyErr_Occurred()) return 0;
    uint64_t passed_us = protocol_now_us() - start_us;
    return passed_us >= AGAIN_US && passed_us < TURN_US;
}

/* Returns an error of the library, or what is none. */
static int run_turns(struct aio_loop *self) {
    uint64_t start_us = protocol_now_us();
    size_t before;
    int result;
    self->drained_sockets = self->drained_len = 0;
    do {
        before = self->drained_sockets;
        result = fastws_loop_run_once(self->drain, 0);
        if (!PyErr_Occurred()) aio_loop_flush(self);
    } while (result >= 0 && self->drained_sockets > before && may_go_on(self, start_us));
    return result;
}

PyObject *aio_drain_run(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct aio_loop *self = (struct aio_loop *)object;
    if (!self->drain || self->is_draining) Py_RETURN_NONE;
    Py_INCREF(self);
    aio_loop_enter(self);
    self->is_draining = 1;
    int result = run_turns(self);
    self->is_draining = 0;
    aio_loop_leave(self);
    /* FASTWS_ERR_FORKED: a child that was told nothing of the fork. What it shares stays as it is. */
    if (result < 0 && result != FASTWS_ERR_FORKED && !PyErr_Occurred()) error_raise(self->state, result);
    close_if_unused(self);
    Py_DECREF(self);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

PyObject *aio_drain_drop(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct aio_loop *self = (struct aio_loop *)object;
    self->is_forked = 1;
    aio_drain_abandon(self);
    aio_transports_clear(self);
    Py_RETURN_NONE;
}
