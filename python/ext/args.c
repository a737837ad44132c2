/* SPDX-License-Identifier: MIT */
/* Reads the arguments that several functions take. */
#include "args.h"

#include <math.h>
#include <string.h>

#include <fastws/close.h>
#include <fastws/header.h>

#include "errors.h"

int arg_bytes(PyObject *object, const char *what, Py_buffer *view) {
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE) == 0) return 0;
    if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_BufferError)) return -1;
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "%s must be a C-contiguous bytes-like object, not %.200s", what,
                 Py_TYPE(object)->tp_name);
    return -1;
}

int arg_key(PyObject *object, const char *what, uint8_t key[4]) {
    if (PyBytes_CheckExact(object) && PyBytes_GET_SIZE(object) == 4) { /* nearly always, and without a view */
        memcpy(key, PyBytes_AS_STRING(object), 4);
        return 0;
    }
    Py_buffer view;
    if (arg_bytes(object, what, &view) < 0) return -1;
    int is_right = view.len == 4;
    if (is_right) {
        memcpy(key, view.buf, 4);
    } else {
        PyErr_Format(PyExc_ValueError, "%s must be 4 bytes, not %zd", what, view.len);
    }
    PyBuffer_Release(&view);
    return is_right ? 0 : -1;
}

int arg_between(PyObject *object, const char *what, uint64_t min, uint64_t max, uint64_t *out) {
    if (!PyIndex_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be an integer, not %.200s", what, Py_TYPE(object)->tp_name);
        return -1;
    }
    PyObject *number = PyNumber_Index(object);
    if (!number) return -1;
    unsigned long long value = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    if (value == (unsigned long long)-1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return -1;
        PyErr_Clear();
    } else if (value >= min && value <= max) {
        *out = value;
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "%s must be from %llu to %llu", what, (unsigned long long)min,
                 (unsigned long long)max);
    return -1;
}

int arg_unsigned(PyObject *object, const char *what, uint64_t max, uint64_t *out) {
    return arg_between(object, what, 0, max, out);
}

int arg_payload(PyObject *object, const char *what, Py_buffer *view) {
    if (!PyUnicode_Check(object)) {
        if (PyObject_CheckBuffer(object)) return arg_bytes(object, what, view);
        PyErr_Format(PyExc_TypeError, "%s must be str or bytes-like, not %.200s", what, Py_TYPE(object)->tp_name);
        return -1;
    }
    if (PyUnicode_IS_COMPACT_ASCII(object)) {
        return PyBuffer_FillInfo(view, object, PyUnicode_DATA(object), PyUnicode_GET_LENGTH(object), 1, PyBUF_SIMPLE);
    }
    /* A string would keep its UTF-8 form for ever if it was asked for that; the bytes object is gone with the view. */
    PyObject *encoded = PyUnicode_AsUTF8String(object);
    if (!encoded) return -1;
    int result = PyObject_GetBuffer(encoded, view, PyBUF_SIMPLE);
    Py_DECREF(encoded);
    return result;
}

int arg_opcode(PyObject *object, unsigned *opcode) {
    uint64_t value;
    if (arg_unsigned(object, "opcode", 15, &value) < 0) return -1;
    *opcode = (unsigned)value;
    if (!fastws_opcode_is_reserved(*opcode)) return 0;
    error_raise_value(FASTWS_ERR_OPCODE_RESERVED);
    return -1;
}

int arg_data_opcode(PyObject *object, int *opcode) {
    uint64_t value;
    if (arg_unsigned(object, "opcode", 15, &value) < 0) return -1;
    *opcode = (int)value;
    if (*opcode == FASTWS_OPCODE_TEXT || *opcode == FASTWS_OPCODE_BINARY) return 0;
    PyErr_SetString(PyExc_ValueError, "opcode of a message must be TEXT or BINARY");
    return -1;
}

int arg_close(PyObject *code, PyObject *reason, uint16_t *code_out, const char **reason_out, Py_ssize_t *len) {
    uint64_t value = FASTWS_CLOSE_NORMAL_CLOSURE;
    if (code && arg_unsigned(code, "code", 65535, &value) < 0) return -1;
    *code_out = (uint16_t)value;
    *reason_out = "";
    *len = 0;
    if (!reason) return 0;
    if (!PyUnicode_Check(reason)) {
        PyErr_Format(PyExc_TypeError, "reason must be str, not %.200s", Py_TYPE(reason)->tp_name);
        return -1;
    }
    *reason_out = PyUnicode_AsUTF8AndSize(reason, len);
    return *reason_out ? 0 : -1;
}

int arg_count(const char *function, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most) {
    if (given >= least && given <= most) return 0;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd to %zd arguments (%zd given)", function, least, most, given);
    return -1;
}

static int find_name(PyObject *name, const char *const *names) {
    for (int i = 0; names[i]; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) == 0) return i;
    }
    return -1;
}

int arg_sort(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames,
             const char *const *names, Py_ssize_t least, Py_ssize_t positional, PyObject **out) {
    for (int i = 0; names[i]; i++) out[i] = NULL;
    if (count > positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd positional arguments (%zd given)", function, positional,
                     count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) out[i] = args[i];
    for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        int slot = find_name(name, names);
        if (slot < 0 || out[slot]) {
            PyErr_Format(PyExc_TypeError, slot < 0 ? "%s() got an unexpected keyword argument '%U'"
                                                   : "%s() got multiple values for argument '%U'", function, name);
            return -1;
        }
        out[slot] = args[count + i];
    }
    for (Py_ssize_t i = 0; i < least; i++) {
        if (out[i]) continue;
        PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'", function, names[i]);
        return -1;
    }
    return 0;
}

int arg_one(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames, const char *name,
            int is_required, PyObject **out) {
    const char *const names[] = {name, NULL};
    if (count == 1 && !kwnames) {
        *out = args[0];
        return 0;
    }
    return arg_sort(function, args, count, kwnames, names, is_required, 1, out);
}

int arg_seconds(PyObject *object, const char *what, int zero_ok, uint64_t max_ms, uint64_t *ms) {
    *ms = 0;
    if (object == Py_None) return 0;
    if (!PyNumber_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a number of seconds or None, not %.200s", what,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    double seconds = PyFloat_AsDouble(object);
    if (seconds == -1.0 && PyErr_Occurred()) return -1;
    if (!isfinite(seconds) || seconds < 0 || (seconds == 0 && !zero_ok) || seconds * 1000.0 > (double)max_ms) {
        PyErr_Format(PyExc_ValueError, "%s must be a number of seconds %s 0 and at most %llu, or None", what,
                     zero_ok ? "of at least" : "above", (unsigned long long)(max_ms / 1000));
        return -1;
    }
    *ms = (uint64_t)ceil(seconds * 1000.0);
    return 0;
}

/* In C, 0 means no limit. In Python None does, and 0 would only be a mistake. */
int arg_limit(PyObject *object, const char *what, uint64_t max, uint64_t *out) {
    *out = 0;
    if (object == Py_None) return 0;
    if (arg_unsigned(object, what, max, out) < 0) return -1;
    if (*out) return 0;
    PyErr_Format(PyExc_ValueError, "%s must be at least 1, or None for no limit", what);
    return -1;
}

int arg_role(PyObject *object, enum fastws_role *role) {
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "role must be str, not %.200s", Py_TYPE(object)->tp_name);
        return -1;
    }
    if (PyUnicode_CompareWithASCIIString(object, "server") == 0) {
        *role = FASTWS_ROLE_SERVER;
        return 0;
    }
    if (PyUnicode_CompareWithASCIIString(object, "client") == 0) {
        *role = FASTWS_ROLE_CLIENT;
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "role must be 'server' or 'client', not %R", object);
    return -1;
}

int arg_delivery(PyObject *object, uint8_t *delivery) {
    static const char *const names[] = {"messages", "fragments", "stream", NULL}; /* in the order of the enum */
    int i = PyUnicode_Check(object) ? find_name(object, names) : -1;
    if (i >= 0) {
        *delivery = (uint8_t)i;
        return 0;
    }
    PyErr_Format(PyUnicode_Check(object) ? PyExc_ValueError : PyExc_TypeError,
                 "delivery must be 'messages', 'fragments' or 'stream', not %R", object);
    return -1;
}
