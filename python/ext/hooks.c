/* SPDX-License-Identifier: MIT */
/* Extensions that are written in Python. */
#include "hooks.h"

#include <fastws/error.h>

#include "header.h"

PyObject *hooks_resolve(struct state *state, PyObject *extensions, enum name method) {
    PyObject *items = PySequence_Tuple(extensions);
    PyObject *found = items ? PyList_New(0) : NULL;
    for (Py_ssize_t i = 0; found && i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        PyObject *function = NULL, *other = NULL;
        enum name reverse = method == NAME_SET_BITS ? NAME_UNSET_BITS : NAME_SET_BITS;
        int status = get_optional(item, state->names[method], &function);
        /* One that only knows the other way has nothing to say here. */
        if (status == 0) status = get_optional(item, state->names[reverse], &other);
        if (status == 0 && PyCallable_Check(item)) function = Py_NewRef(item);
        if (status >= 0 && !function && !other) {
            PyErr_Format(PyExc_TypeError, "extensions must hold functions or objects with a method %U, not %.200s",
                         state->names[method], Py_TYPE(item)->tp_name);
        }
        if (PyErr_Occurred() || (function && PyList_Append(found, function) < 0)) Py_CLEAR(found);
        Py_XDECREF(function);
        Py_XDECREF(other);
    }
    Py_XDECREF(items);
    PyObject *functions = found ? PyList_AsTuple(found) : NULL;
    Py_XDECREF(found);
    return functions;
}

/* Asks one function. Takes the bits of its answer, which is a Header, or None for no change. Returns 0, or -1. */
static int ask(struct hooks *hooks, PyObject *function, struct fastws_header *header) {
    PyObject *argument = header_new(hooks->state, header);
    PyObject *answer = argument ? PyObject_CallOneArg(function, argument) : NULL;
    Py_XDECREF(argument);
    if (!answer) return -1;
    const struct fastws_header *changed = answer == Py_None ? header : header_get(hooks->state, answer);
    if (changed) header->rsv = changed->rsv;
    Py_DECREF(answer);
    return changed ? 0 : -1;
}

static int ask_all(struct hooks *hooks, PyObject *functions, struct fastws_header *header) {
    if (!functions) return 0;
    Py_INCREF(functions);
    hooks->caller = PyThread_get_thread_ident();
    PyThread_acquire_lock(hooks->lock, 1);
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyTuple_GET_SIZE(functions); i++) {
        result = ask(hooks, PyTuple_GET_ITEM(functions, i), header);
    }
    if (result < 0) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyErr_NormalizeException(&type, &value, &traceback);
        if (traceback) PyException_SetTraceback(value, traceback);
        Py_XDECREF(type);
        Py_XDECREF(traceback);
        Py_XSETREF(hooks->error, value);
    }
    hooks->caller = 0;
    PyThread_release_lock(hooks->lock);
    Py_DECREF(functions);
    return result < 0 ? FASTWS_ERR_EXTENSION : 0;
}

static int receive(void *context, struct fastws_header *header) {
    struct hooks *hooks = context;
    int result = ask_all(hooks, hooks->unset_bits, header);
    hooks->rsv = header->rsv;
    return result;
}

static int send(void *context, struct fastws_header *header) {
    struct hooks *hooks = context;
    return ask_all(hooks, hooks->set_bits, header);
}

int hooks_prepare(struct hooks *hooks, struct state *state) {
    if (hooks->lock) return 0;
    hooks->lock = PyThread_allocate_lock();
    if (!hooks->lock) {
        PyErr_NoMemory();
        return -1;
    }
    hooks->state = state;
    hooks->entry = (struct fastws_extension){receive, send, hooks};
    return 0;
}

void hooks_clear(struct hooks *hooks) {
    Py_CLEAR(hooks->unset_bits);
    Py_CLEAR(hooks->set_bits);
    Py_CLEAR(hooks->error);
}

int hooks_traverse(const struct hooks *hooks, visitproc visit, void *arg) {
    Py_VISIT(hooks->unset_bits);
    Py_VISIT(hooks->set_bits);
    Py_VISIT(hooks->error);
    return 0;
}

int hooks_wait_for(struct hooks *hooks) {
    if (hooks->caller == PyThread_get_thread_ident()) {
        PyErr_SetString(hooks->state->exceptions[EXC_CONCURRENCY_ERROR], "an extension must not use its connection");
        return -1;
    }
    while (hooks->caller) {
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(hooks->lock, 1);
        PyThread_release_lock(hooks->lock);
        Py_END_ALLOW_THREADS
    }
    return 0;
}
