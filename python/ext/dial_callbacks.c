/* SPDX-License-Identifier: MIT */
/* The callbacks of Dial: from C to Python, and what they raise back to C. */
#include "dial.h"

#include <assert.h>
#include <string.h>

#include "errors.h"
#include "http.h"

/* Keeps what was raised: it is what the handshake fails with. Returns -1. */
static int keep_exception(struct dial *self) {
    Py_XSETREF(self->exception, error_take());
    return -1;
}

/* Steals argument. */
static int call(struct dial *self, PyObject *callback, PyObject *argument) {
    PyObject *result = argument ? PyObject_CallOneArg(callback, argument) : NULL;
    Py_XDECREF(argument);
    if (!result) return keep_exception(self);
    Py_DECREF(result);
    return 0;
}

/* Steals item. */
static int append(PyObject *list, PyObject *item) {
    int result = item ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return result;
}

static PyObject *bytes_of(struct fastws_slice slice) {
    return PyBytes_FromStringAndSize(slice.ptr, (Py_ssize_t)slice.len);
}

static int on_header(void *context, struct fastws_slice name, struct fastws_slice value) {
    struct dial *self = context;
    if (append(self->received, http_pair(name, value)) < 0) return keep_exception(self);
    if (!self->on_header) return 0;
    PyObject *a = bytes_of(name);
    PyObject *b = a ? bytes_of(value) : NULL;
    PyObject *result = b ? PyObject_CallFunctionObjArgs(self->on_header, a, b, NULL) : NULL;
    Py_XDECREF(a);
    Py_XDECREF(b);
    if (!result) return keep_exception(self);
    Py_DECREF(result);
    return 0;
}

static int on_extension(void *context, const struct fastws_option *accepted) {
    struct dial *self = context;
    struct fastws_slice text = fastws_option_text(accepted);
    if (append(self->accepted, http_text(text)) < 0) return keep_exception(self);
    return self->on_extension ? call(self, self->on_extension, bytes_of(text)) : 0;
}

/* Steals headers. The head is complete. */
static PyObject *response_new(struct dial *self, PyObject *headers, struct fastws_slice body, int is_body_cut) {
    struct fastws_http_status_line line = {0};
    int result = fastws_dial_status_line(self->dial, &line);
    assert(result == 0);
    (void)result;
    return PyObject_CallFunction(self->state->response_class, "iNNN(ii)iN", line.status,
                                 http_text(fastws_http_trim(line.reason)), headers, bytes_of(body), line.version_major,
                                 line.version_minor, 0, PyBool_FromLong(is_body_cut));
}

static void on_status_error(void *context, const struct fastws_dial_refusal *refusal) {
    struct dial *self = context;
    PyObject *headers = http_headers(refusal->headers.ptr, refusal->headers.count);
    Py_XSETREF(self->response, response_new(self, headers, refusal->body, refusal->is_body_cut));
    if (!self->response) {
        keep_exception(self);
    } else if (self->on_status_error) {
        call(self, self->on_status_error, Py_NewRef(self->response));
    }
}

int dial_keep_redirect(struct dial *self) {
    PyObject *headers = PyList_New(0);
    size_t place = 0;
    struct fastws_http_header header;
    int result = headers ? 0 : -1;
    while (result == 0 && fastws_dial_next_header(self->dial, &place, &header) == 1) {
        result = append(headers, http_pair(header.name, header.value));
    }
    PyObject *tuple = result == 0 ? PyList_AsTuple(headers) : NULL;
    Py_XDECREF(headers);
    if (!tuple) return -1;
    struct fastws_slice body = {NULL, 0};
    Py_XSETREF(self->response, response_new(self, tuple, body, 1));
    return self->response ? 0 : -1;
}

static void on_response(void *context, struct fastws_slice bytes) {
    struct dial *self = context;
    Py_ssize_t len = PyByteArray_GET_SIZE(self->answer);
    if (PyByteArray_Resize(self->answer, len + (Py_ssize_t)bytes.len) < 0) {
        keep_exception(self);
    } else {
        memcpy(PyByteArray_AS_STRING(self->answer) + len, bytes.ptr, bytes.len);
    }
}

/* Only shows: what it raises can go nowhere but to sys.unraisablehook. */
void dial_show_end(struct dial *self) {
    if (!self->on_end || self->is_shown) return;
    self->is_shown = 1;
    const void *request;
    size_t len;
    fastws_dial_request(self->dial, &request, &len);
    PyObject *a = PyBytes_FromStringAndSize(request, (Py_ssize_t)len);
    PyObject *b = a ? PyBytes_FromObject(self->answer) : NULL;
    PyObject *result = b ? PyObject_CallFunctionObjArgs(self->on_end, a, b, NULL) : NULL;
    if (!result) PyErr_WriteUnraisable(self->on_end);
    Py_XDECREF(a);
    Py_XDECREF(b);
    Py_XDECREF(result);
}

void dial_set_callbacks(struct dial *self) {
    self->config.context = self;
    /* These three also keep what the handshake is remembered by. */
    self->config.on_header = on_header;
    self->config.on_extension = on_extension;
    self->config.on_status_error = on_status_error;
    if (self->on_end) self->config.on_response = on_response;
}
