/* SPDX-License-Identifier: MIT */
/* Files and sockets of users, and what every type of the module that is a file itself has in common. */
#include "file.h"

#include <string.h>

#include "args.h"

#define RECV_LEN 65536 /* bytes asked of a socket at a time when all of them are wanted */

/* The first of two methods that file has, NAME_COUNT if it has none. Returns 0, or -1 with an exception. */
static int find(struct state *state, PyObject *file, enum name first, enum name second, enum name *found) {
    const enum name wanted[] = {first, second};
    *found = NAME_COUNT;
    for (int i = 0; i < 2 && *found == NAME_COUNT; i++) {
        PyObject *method;
        if (get_optional(file, state->names[wanted[i]], &method) < 0) return -1;
        if (method && PyCallable_Check(method)) *found = wanted[i];
        Py_XDECREF(method);
    }
    return 0;
}

int source_open(struct source *source, struct state *state, PyObject *file) {
    struct source opened = {.file = file};
    if (find(state, file, NAME_READ, NAME_RECV, &opened.read_name) < 0) return -1;
    if (find(state, file, NAME_READINTO, NAME_RECV_INTO, &opened.readinto_name) < 0) return -1;
    if (opened.read_name == NAME_COUNT && opened.readinto_name == NAME_COUNT) {
        PyErr_Format(PyExc_TypeError, "source needs a method read or readinto, and %.200s has neither",
                     Py_TYPE(file)->tp_name);
        return -1;
    }
    Py_INCREF(file);
    Py_XDECREF(source->file);
    *source = opened;
    return 0;
}

/* A count that a method returned: -2 for None, -1 with an exception. Steals result. */
static Py_ssize_t take_count(PyObject *result, PyObject *name, Py_ssize_t max) {
    if (!result) return -1;
    Py_ssize_t count = -2;
    if (result != Py_None) {
        count = PyNumber_AsSsize_t(result, NULL);
        if ((count < 0 || count > max) && !PyErr_Occurred()) {
            PyErr_Format(PyExc_ValueError, "%U() returned %R for %zd bytes", name, result, max);
        }
        if (PyErr_Occurred()) count = -1;
    }
    Py_DECREF(result);
    return count;
}

static PyObject *call_number(PyObject *file, PyObject *name, Py_ssize_t number) {
    PyObject *argument = PyLong_FromSsize_t(number);
    PyObject *result = argument ? PyObject_CallMethodOneArg(file, name, argument) : NULL;
    Py_XDECREF(argument);
    return result;
}

/* Makes bytes of what read() returned, which may be any bytes-like object, or None. Steals result. */
static PyObject *take_bytes(PyObject *result, PyObject *name, Py_ssize_t max) {
    Py_buffer view;
    if (!result || result == Py_None) return result;
    if (PyObject_GetBuffer(result, &view, PyBUF_SIMPLE) < 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%U() must return bytes, not %.200s", name, Py_TYPE(result)->tp_name);
        Py_DECREF(result);
        return NULL;
    }
    PyObject *bytes = NULL;
    if (max >= 0 && view.len > max) {
        PyErr_Format(PyExc_ValueError, "%U() returned %zd bytes where %zd were asked for", name, view.len, max);
    } else {
        bytes = PyBytes_CheckExact(result) ? Py_NewRef(result) : PyBytes_FromStringAndSize(view.buf, view.len);
    }
    PyBuffer_Release(&view);
    Py_DECREF(result);
    return bytes;
}

/* Reads through readinto(). The memory that file sees stays whole whatever file does with it. */
static PyObject *read_by_readinto(struct source *source, struct state *state, Py_ssize_t len) {
    PyObject *buffer = PyByteArray_FromStringAndSize(NULL, len < RECV_LEN ? len : RECV_LEN);
    Py_buffer view;
    if (!buffer) return NULL;
    PyObject *bytes = NULL;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE) == 0) {
        Py_ssize_t count = source_readinto(source, state, &view, buffer);
        if (count >= 0) bytes = PyBytes_FromStringAndSize(view.buf, count);
        if (count == -2) bytes = Py_NewRef(Py_None);
        PyBuffer_Release(&view);
    }
    Py_DECREF(buffer);
    return bytes;
}

static PyObject *read_once(struct source *source, struct state *state, Py_ssize_t len) {
    if (source->read_name == NAME_COUNT) return read_by_readinto(source, state, len);
    PyObject *name = state->names[source->read_name];
    PyObject *file = Py_NewRef(source->file);
    PyObject *bytes = take_bytes(call_number(file, name, len), name, len);
    Py_DECREF(file);
    return bytes;
}

/* For what knows no way to read everything: a socket. */
static PyObject *read_to_end(struct source *source, struct state *state) {
    PyObject *all = NULL;
    for (;;) {
        PyObject *piece = read_once(source, state, RECV_LEN);
        int is_end = piece && (piece == Py_None || PyBytes_GET_SIZE(piece) == 0);
        if (is_end && all) {
            Py_DECREF(piece);
            return all;
        }
        if (!piece) Py_CLEAR(all);
        if (!piece || is_end) return piece;
        if (!all) {
            all = piece;
            continue;
        }
        PyBytes_ConcatAndDel(&all, piece);
        if (!all) return NULL;
    }
}

PyObject *source_read(struct source *source, struct state *state, Py_ssize_t len) {
    if (len < 0 && source->read_name != NAME_READ) return read_to_end(source, state);
    return read_once(source, state, len);
}

Py_ssize_t source_readinto(struct source *source, struct state *state, const Py_buffer *view, PyObject *buffer) {
    if (source->readinto_name == NAME_COUNT) {
        PyObject *bytes = read_once(source, state, view->len);
        if (!bytes) return -1;
        Py_ssize_t count = bytes == Py_None ? -2 : PyBytes_GET_SIZE(bytes);
        if (count > 0) memcpy(view->buf, PyBytes_AS_STRING(bytes), (size_t)count);
        Py_DECREF(bytes);
        return count;
    }
    PyObject *name = state->names[source->readinto_name];
    PyObject *file = Py_NewRef(source->file);
    Py_ssize_t count = take_count(PyObject_CallMethodOneArg(file, name, buffer), name, view->len);
    Py_DECREF(file);
    return count;
}

int sink_open(struct sink *sink, struct state *state, PyObject *file) {
    struct sink opened = {.file = file};
    if (find(state, file, NAME_WRITE, NAME_SENDALL, &opened.write_name) < 0) return -1;
    if (opened.write_name == NAME_COUNT) {
        PyErr_Format(PyExc_TypeError, "dest needs a method write or sendall, and %.200s has neither",
                     Py_TYPE(file)->tp_name);
        return -1;
    }
    Py_INCREF(file);
    Py_XDECREF(sink->file);
    *sink = opened;
    return 0;
}

Py_ssize_t sink_write(struct sink *sink, struct state *state, PyObject *bytes) {
    PyObject *name = state->names[sink->write_name];
    PyObject *file = Py_NewRef(sink->file);
    PyObject *result = PyObject_CallMethodOneArg(file, name, bytes);
    Py_DECREF(file);
    if (sink->write_name == NAME_WRITE) return take_count(result, name, PyBytes_GET_SIZE(bytes));
    /* sendall() takes everything and returns nothing. */
    if (!result) return -1;
    Py_DECREF(result);
    return PyBytes_GET_SIZE(bytes);
}

int sink_flush(struct sink *sink, struct state *state) {
    PyObject *file = Py_NewRef(sink->file);
    PyObject *method;
    int is_there = get_optional(file, state->names[NAME_FLUSH], &method);
    Py_DECREF(file);
    if (is_there <= 0) return is_there;
    PyObject *result = PyObject_CallNoArgs(method);
    Py_DECREF(method);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

int file_arg_read(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames,
                  Py_ssize_t *len) {
    PyObject *number;
    *len = -1;
    if (arg_one(function, args, count, kwnames, "n", 0, &number) < 0) return -1;
    if (!number || number == Py_None) return 0;
    if (!PyIndex_Check(number)) {
        PyErr_Format(PyExc_TypeError, "n must be an integer or None, not %.200s", Py_TYPE(number)->tp_name);
        return -1;
    }
    *len = PyNumber_AsSsize_t(number, PyExc_OverflowError);
    if (*len == -1 && PyErr_Occurred()) return -1;
    if (*len < 0) *len = -1;
    return 0;
}

int file_arg_readinto(PyObject *const *args, Py_ssize_t count, PyObject *kwnames, PyObject **buffer, Py_buffer *view) {
    if (arg_one("readinto", args, count, kwnames, "buffer", 1, buffer) < 0) return -1;
    if (PyObject_GetBuffer(*buffer, view, PyBUF_WRITABLE) == 0) return 0;
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "buffer must be a writable, C-contiguous bytes-like object, not %.200s",
                 Py_TYPE(*buffer)->tp_name);
    return -1;
}

PyObject *file_count(Py_ssize_t count) {
    if (count == -2) Py_RETURN_NONE;
    return count < 0 ? NULL : PyLong_FromSsize_t(count);
}

PyObject *file_yes(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) { Py_RETURN_TRUE; }

PyObject *file_no(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) { Py_RETURN_FALSE; }
