/* SPDX-License-Identifier: MIT */
/* The callback API: methods of a listener that are called in the place of recv(), looked up once. */
#include "aio.h"

/* In the order of enum callback. */
static const char *const callback_names[CALLBACK_COUNT] = {"on_open", "on_message", "on_close",
                                                           "on_ping", "on_pong",    "on_drain"};

int aio_listener_take(struct aio_endpoint *self, PyObject *listener) {
    if (listener == Py_None) return 0;
    self->listener = Py_NewRef(listener);
    for (int i = 0; i < CALLBACK_COUNT; i++) {
        PyObject *name = PyUnicode_InternFromString(callback_names[i]);
        int result = name ? get_optional(listener, name, &self->callbacks[i]) : -1;
        Py_XDECREF(name);
        if (result < 0) return -1;
        if (self->callbacks[i] == Py_None) Py_CLEAR(self->callbacks[i]);
    }
    PyObject *method = self->callbacks[ON_MESSAGE];
    int is_bound = method && PyMethod_Check(method);
    self->on_message = is_bound ? PyMethod_GET_FUNCTION(method) : method;
    self->on_message_self = is_bound ? PyMethod_GET_SELF(method) : NULL;
    return 0;
}

/* Who sends on a connection that is closing, because of what came before the end, has done nothing wrong. */
static int is_of_the_end(const struct aio_connection *self) {
    int is_open = self->phase == PHASE_OPEN && fastws_conn_get_state(self->protocol.conn) == FASTWS_CONN_OPEN;
    PyObject *const *exceptions = self->state->exceptions;
    return !is_open && (PyErr_ExceptionMatches(exceptions[EXC_CONNECTION_CLOSED_OK]) ||
                        PyErr_ExceptionMatches(exceptions[EXC_CONNECTION_CLOSED_ERROR]));
}

/* Calls a callback. args[-1] may be overwritten. */
static inline PyObject *call(struct aio_connection *self, PyObject *function, PyObject *const *args, size_t count) {
    int may_wake = aio_loop_hold_wakes(self->loop);
    PyObject *result = PyObject_Vectorcall(function, args, count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    self->loop->may_wake = may_wake;
    return result;
}

/* What a callback raises fails the connection; only what ends the loop passes through. */
static int conclude(struct aio_connection *self, PyObject *result) {
    Py_XDECREF(result);
    if (result) return 0;
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return -1;
    if (is_of_the_end(self)) {
        PyErr_Clear();
        return 0;
    }
    aio_connection_fail(self, "callback failed");
    return 0;
}

int aio_listener_call(struct aio_connection *self, enum callback callback, PyObject *argument) {
    PyObject *args[] = {NULL, (PyObject *)self, argument};
    size_t count = argument ? 2 : 1;
    return conclude(self, call(self, self->endpoint->callbacks[callback], args + 1, count));
}

/* A method is called as the function that it is: one call less for each message. */
int aio_listener_call_message(struct aio_connection *self, PyObject *message) {
    const struct aio_endpoint *endpoint = self->endpoint;
    PyObject *args[] = {NULL, endpoint->on_message_self, (PyObject *)self, message};
    size_t skipped = endpoint->on_message_self ? 1 : 2;
    return conclude(self, call(self, endpoint->on_message, args + skipped, 4 - skipped));
}

int aio_listener_close(struct aio_connection *self) {
    PyObject *function = self->endpoint->callbacks[ON_CLOSE];
    if (!function || !self->protocol.conn) return 0;
    PyObject *args[] = {NULL, (PyObject *)self, protocol_close_code(&self->protocol),
                        protocol_close_reason(&self->protocol)};
    PyObject *result = args[2] && args[3] ? call(self, function, args + 1, 3) : NULL;
    Py_XDECREF(args[2]);
    Py_XDECREF(args[3]);
    return conclude(self, result);
}
