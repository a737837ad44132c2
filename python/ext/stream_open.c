/* SPDX-License-Identifier: MIT */
/* How a Stream begins, and begins anew over another byte stream. */
#include "args.h"
#include "errors.h"
#include "stream.h"

#include <fastws/error.h>

/* The arguments of the constructor and of reset(). */
struct arguments {
    PyObject *io, *role, *initial, *handshake;
    PyObject *bytes; /* a copy of initial, or NULL if it is empty */
    struct protocol_plan plan;
};

/* Copies the bytes that came behind the handshake: they are received first. */
static int take_initial(struct arguments *given) {
    Py_buffer view;
    if (!given->initial) return 0;
    if (arg_bytes(given->initial, "initial", &view) < 0) return -1;
    if (view.len) given->bytes = PyBytes_FromStringAndSize(view.buf, view.len);
    PyBuffer_Release(&view);
    return PyErr_Occurred() ? -1 : 0;
}

/* Returns 0, or -1 with an exception; arguments_clear() either way. */
static int arguments_take(struct arguments *given, struct stream *self, PyObject *args, PyObject *kwargs,
                          const char *format) {
    static char *names[] = {"io", "role", "initial", "handshake", NULL};
    *given = (struct arguments){.handshake = Py_None};
    if (protocol_plan_take(&given->plan, &self->protocol, self->state, kwargs, CONFIG_STREAM) < 0) return -1;
    if (!PyArg_ParseTupleAndKeywords(args, given->plan.others, format, names, &given->io, &given->role, &given->initial,
                                     &given->handshake)) {
        return -1;
    }
    int has_role = given->role && !(given->role == Py_None && self->protocol.conn);
    enum fastws_role role = (enum fastws_role)given->plan.config.role;
    if (has_role && arg_role(given->role, &role) < 0) return -1;
    given->plan.config.role = (uint8_t)role;
    return take_initial(given);
}

static void arguments_clear(struct arguments *given) {
    protocol_plan_clear(&given->plan);
    Py_CLEAR(given->bytes);
}

PyObject *stream_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct stream *self = (struct stream *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    struct arguments given = {0};
    self->state = state_of_type(type);
    self->send_lock = PyThread_allocate_lock();
    if (!self->send_lock) PyErr_NoMemory();
    int result = self->send_lock && self->state ? 0 : -1;
    if (result == 0) result = arguments_take(&given, self, args, kwargs, "O|OO$O:Stream");
    if (result == 0) result = protocol_adopt(&self->protocol, &given.plan);
    if (result == 0) result = protocol_open(&self->protocol, self->state);
    if (result == 0) result = transport_open(&self->transport, self->state, given.io);
    if (result == 0) {
        self->handshake = Py_NewRef(given.handshake);
        self->initial = Py_XNewRef(given.bytes);
    }
    arguments_clear(&given);
    if (result < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

/* Whether a call is under way, of another thread or of the one that runs code of the user now. */
static int check_idle(struct stream *self) {
    if (hooks_wait(&self->protocol.hooks) < 0) return -1;
    if (!self->is_reading && PyThread_acquire_lock(self->send_lock, 0)) {
        PyThread_release_lock(self->send_lock);
        return 0;
    }
    PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "the stream is in use");
    return -1;
}

/* Closes what the stream was over. It is new already: a failure is nobody's to handle. */
static void close_transport(struct transport *transport, struct state *state) {
    PyObject *io = Py_XNewRef(transport->io);
    if (transport_close(transport, state) < 0) PyErr_WriteUnraisable(io);
    Py_XDECREF(io);
    transport_free(transport);
}

/* Changes everything at once: no code of the user runs before all of it is new. */
static int begin_anew(struct stream *self, struct arguments *given, struct transport *transport) {
    struct transport before = self->transport;
    PyObject *handshake = self->handshake, *initial = self->initial;
    self->transport = *transport;
    self->handshake = Py_NewRef(given->handshake);
    self->initial = Py_XNewRef(given->bytes);
    self->initial_off = 0;
    self->raw_left = 0;
    self->corks = 0;
    self->resets++;
    self->inside = NULL;
    self->is_dry = self->is_eof = self->is_broken = self->is_abandoned = self->is_close_wanted = 0;
    int result = protocol_adopt(&self->protocol, &given->plan);
    PyObject *exception = error_take();
    Py_XDECREF(handshake);
    Py_XDECREF(initial);
    close_transport(&before, self->state);
    if (exception) PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
    return result;
}

PyObject *stream_reset(PyObject *object, PyObject *args, PyObject *kwargs) {
    struct stream *self = (struct stream *)object;
    struct arguments given;
    struct transport transport = {0};
    int result = arguments_take(&given, self, args, kwargs, "O|OO$O:reset");
    if (result == 0) result = transport_open(&transport, self->state, given.io);
    if (result == 0) result = check_idle(self);
    if (result == 0) {
        result = begin_anew(self, &given, &transport);
    } else {
        Py_CLEAR(transport.io);
        transport_free(&transport);
    }
    arguments_clear(&given);
    return none_if(result);
}

PyObject *stream_set_extensions(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct stream *self = (struct stream *)object;
    PyObject *extensions;
    if (arg_one("set_extensions", args, count, kwnames, "extensions", 1, &extensions) < 0) return NULL;
    PyObject *unset_bits = hooks_resolve(self->state, extensions, NAME_UNSET_BITS);
    PyObject *set_bits = unset_bits ? hooks_resolve(self->state, extensions, NAME_SET_BITS) : NULL;
    int result = set_bits ? hooks_wait(&self->protocol.hooks) : -1;
    if (result == 0) result = protocol_use_hooks(&self->protocol, self->state);
    if (result < 0) {
        Py_XDECREF(unset_bits);
        Py_XDECREF(set_bits);
        return NULL;
    }
    Py_XSETREF(self->protocol.hooks.unset_bits, unset_bits);
    Py_XSETREF(self->protocol.hooks.set_bits, set_bits);
    Py_RETURN_NONE;
}
