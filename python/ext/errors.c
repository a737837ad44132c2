/* SPDX-License-Identifier: MIT */
/* Turns the errors of the library into exceptions. */
#include "errors.h"

#include <fastws/error.h>

/* The classes of errors of addresses, heads and handshakes; the numbers of error.h are grouped. */
static const struct {
    int first, last; /* inclusive; last <= first */
    enum exception as;
} handshake_classes[] = {
    {FASTWS_ERR_HTTP_REQUEST_LINE, FASTWS_ERR_HTTP_STATUS_LINE, EXC_INVALID_MESSAGE},
    {FASTWS_ERR_DEFLATE_PARAM, FASTWS_ERR_DEFLATE_ANSWER, EXC_NEGOTIATION_ERROR},
    {FASTWS_ERR_HTTP_OPTIONS, FASTWS_ERR_HANDSHAKE_HOST, EXC_INVALID_HEADER},
    {FASTWS_ERR_HANDSHAKE_UPGRADE, FASTWS_ERR_HANDSHAKE_CONNECTION, EXC_INVALID_UPGRADE},
    {FASTWS_ERR_HANDSHAKE_KEY, FASTWS_ERR_HANDSHAKE_EXTENSIONS, EXC_INVALID_HEADER},
    {FASTWS_ERR_HANDSHAKE_TIMEOUT, FASTWS_ERR_HANDSHAKE_TIMEOUT, EXC_HANDSHAKE_TIMEOUT},
    {FASTWS_ERR_HANDSHAKE_ORIGIN, FASTWS_ERR_HANDSHAKE_ORIGIN, EXC_INVALID_HEADER},
    {FASTWS_ERR_HANDSHAKE_STATUS, FASTWS_ERR_HANDSHAKE_STATUS, EXC_INVALID_STATUS},
    {FASTWS_ERR_HANDSHAKE_ACCEPT, FASTWS_ERR_HANDSHAKE_ACCEPT, EXC_INVALID_HEADER},
    {FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER, FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER, EXC_NEGOTIATION_ERROR},
    {FASTWS_ERR_HANDSHAKE_REDIRECT, FASTWS_ERR_HANDSHAKE_REDIRECT, EXC_INVALID_STATUS},
    {FASTWS_ERR_URL_SCHEME, FASTWS_ERR_URL_TARGET, EXC_INVALID_URI},
    {FASTWS_ERR_DIAL_TIMEOUT, FASTWS_ERR_DIAL_TIMEOUT, EXC_HANDSHAKE_TIMEOUT},
    {FASTWS_ERR_DIAL_REJECTED, FASTWS_ERR_DIAL_REJECTED, EXC_HANDSHAKE_ERROR},
};

/* The class of an error that is about bytes or time: by its group, or by what it asks of the connection, so that a new
 * error finds its class by its row in error.c. */
static enum exception class_of(int error) {
    for (size_t i = 0; i < sizeof handshake_classes / sizeof handshake_classes[0]; i++) {
        if (error <= handshake_classes[i].first && error >= handshake_classes[i].last) return handshake_classes[i].as;
    }
    if (fastws_error_http_status(error)) return EXC_HANDSHAKE_ERROR;
    switch (error) {
    case FASTWS_ERR_UTF8:
    case FASTWS_ERR_CLOSE_UTF8: return EXC_INVALID_UTF8;
    case FASTWS_ERR_DEFLATE_DATA:
    case FASTWS_ERR_DEFLATE_TRUNCATED: return EXC_COMPRESSION_ERROR;
    case FASTWS_ERR_CONTROL_FLOOD: return EXC_CONTROL_FLOOD;
    case FASTWS_ERR_PING_TIMEOUT:
    case FASTWS_ERR_CLOSE_TIMEOUT:
    case FASTWS_ERR_TIMEOUT: return EXC_CONNECTION_TIMEOUT;
    case FASTWS_ERR_READER_BUSY: return EXC_CONCURRENCY_ERROR;
    default: break;
    }
    switch (fastws_error_close_code(error)) {
    case 1002:
    case 1003: return EXC_PROTOCOL_ERROR;
    case 1009: return EXC_MESSAGE_TOO_BIG;
    default: return EXC_CONNECTION_LOST;
    }
}

/* Errors that Python has a class for: the call itself was wrong, or the machine failed. */
static PyObject *builtin_class_of(int error) {
    switch (error) {
    case FASTWS_ERR_NOMEM: return PyExc_MemoryError;
    case FASTWS_ERR_ARGUMENT:
    case FASTWS_ERR_BUFFER_SIZE:
    case FASTWS_ERR_ISA: return PyExc_ValueError;
    case FASTWS_ERR_DEFLATE_UNAVAILABLE:
    case FASTWS_ERR_STATE: return PyExc_RuntimeError;
    case FASTWS_ERR_RANDOM: return PyExc_OSError;
    default: return NULL;
    }
}

static int set_item(PyObject *dict, const char *key, PyObject *value) {
    if (!value) return -1;
    int result = PyDict_SetItemString(dict, key, value);
    Py_DECREF(value);
    return result;
}

static PyObject *int_or_none(int value) {
    return value ? PyLong_FromLong(value) : Py_NewRef(Py_None);
}

PyObject *error_new_as(PyObject *type, int error, int status, int64_t offset) {
    PyObject *args = Py_BuildValue("(s)", fastws_error_text(error));
    PyObject *kwargs = PyDict_New();
    PyObject *exception = NULL;
    if (!args || !kwargs) goto out;
    if (set_item(kwargs, "name", PyUnicode_FromString(fastws_error_name(error))) < 0) goto out;
    if (set_item(kwargs, "code", int_or_none(fastws_error_close_code(error))) < 0) goto out;
    if (set_item(kwargs, "status", int_or_none(status)) < 0) goto out;
    if (set_item(kwargs, "rfc", PyUnicode_FromString(fastws_error_rfc(error))) < 0) goto out;
    if (offset >= 0 && set_item(kwargs, "offset", PyLong_FromLongLong(offset)) < 0) goto out;
    exception = PyObject_Call(type, args, kwargs);
out:
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    return exception;
}

PyObject *error_new(struct state *state, int error, int64_t offset) {
    PyObject *builtin = builtin_class_of(error);
    if (builtin) return PyObject_CallFunction(builtin, "s", fastws_error_text(error));
    return error_new_as(state->exceptions[class_of(error)], error, fastws_error_http_status(error), offset);
}

PyObject *error_new_answer(struct state *state, int error, int status) {
    if (builtin_class_of(error)) return error_new(state, error, -1);
    int is_eof = error == FASTWS_ERR_EOF || error == FASTWS_ERR_UNEXPECTED_EOF;
    return error_new_as(state->exceptions[is_eof ? EXC_INVALID_MESSAGE : class_of(error)], error, status, -1);
}

PyObject *error_raise(struct state *state, int error) {
    PyObject *exception = error_new(state, error, -1);
    if (!exception) return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}

PyObject *error_raise_value(int error) {
    PyErr_Format(PyExc_ValueError, "%s (%s)", fastws_error_text(error), fastws_error_rfc(error));
    return NULL;
}

PyObject *error_take(void) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback) PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

PyObject *error_raise_from_current(PyObject *exception) {
    PyObject *cause = error_take();
    if (!exception) {
        Py_XDECREF(cause);
        return NULL;
    }
    if (cause) {
        PyException_SetContext(exception, Py_NewRef(cause));
        PyException_SetCause(exception, cause);
    }
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}
