/* SPDX-License-Identifier: MIT */
/* The callbacks of Upgrade: from C to Python, and what they raise back to C. */
#include "upgrade.h"

#include <fastws/options.h>

#include "errors.h"

/* ---- Headers to write ---- */

PyObject *upgrade_encode(PyObject *object, const char *what) {
    if (PyUnicode_Check(object)) return PyUnicode_AsLatin1String(object);
    if (PyBytes_Check(object)) return Py_NewRef(object);
    return PyErr_Format(PyExc_TypeError, "%s must be str or bytes, not %.200s", what, Py_TYPE(object)->tp_name);
}

PyObject *upgrade_decode(struct fastws_slice slice) {
    return PyUnicode_DecodeLatin1(slice.ptr, (Py_ssize_t)slice.len, NULL);
}

struct fastws_slice upgrade_slice(PyObject *bytes) {
    return (struct fastws_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

void header_list_clear(struct header_list *list) {
    PyMem_Free(list->lines);
    list->lines = NULL;
    list->count = 0;
    Py_CLEAR(list->owners);
}

static int own(struct header_list *list, PyObject *object, const char *what, struct fastws_slice *slice) {
    PyObject *bytes = upgrade_encode(object, what);
    if (!bytes) return -1;
    *slice = upgrade_slice(bytes);
    int result = PyList_Append(list->owners, bytes);
    Py_DECREF(bytes);
    return result;
}

static int own_pair(struct header_list *list, PyObject *pair) {
    PyObject *items = PySequence_Fast(pair, "a header must be a pair (name, value)");
    if (!items) return -1;
    int result = -1;
    struct fastws_http_header *line = &list->lines[list->count];
    if (PySequence_Fast_GET_SIZE(items) != 2) {
        PyErr_SetString(PyExc_TypeError, "a header must be a pair (name, value)");
    } else if (own(list, PySequence_Fast_GET_ITEM(items, 0), "header name", &line->name) == 0 &&
               own(list, PySequence_Fast_GET_ITEM(items, 1), "header value", &line->value) == 0) {
        list->count++;
        result = 0;
    }
    Py_DECREF(items);
    return result;
}

int header_list_take(struct header_list *list, PyObject *headers) {
    header_list_clear(list);
    if (!headers || headers == Py_None) return 0;
    PyObject *pairs = PyMapping_Check(headers) && !PyList_Check(headers) && !PyTuple_Check(headers)
                          ? PyMapping_Items(headers)
                          : PySequence_Tuple(headers);
    if (!pairs) return -1;
    /* A list could change its length while its items are looked at. */
    Py_SETREF(pairs, PySequence_Tuple(pairs));
    if (!pairs) return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(pairs);
    list->owners = PyList_New(0);
    list->lines = PyMem_Calloc((size_t)count + 1, sizeof *list->lines);
    if (list->owners && !list->lines) PyErr_NoMemory();
    int result = list->owners && list->lines ? 0 : -1;
    for (Py_ssize_t i = 0; i < count && result == 0; i++) result = own_pair(list, PyTuple_GET_ITEM(pairs, i));
    Py_DECREF(pairs);
    if (result < 0) header_list_clear(list);
    return result;
}

/* ---- Refusing ---- */

/* The body of a Reject: its body, else its reason. */
static int take_body(struct upgrade *self, PyObject *exception) {
    PyObject *body = PyObject_GetAttrString(exception, "body");
    if (body == Py_None) Py_SETREF(body, PyObject_GetAttrString(exception, "reason"));
    if (!body) return -1;
    PyObject *bytes = PyUnicode_Check(body) ? PyUnicode_AsUTF8String(body) : PyBytes_FromObject(body);
    Py_DECREF(body);
    Py_XSETREF(self->body, bytes);
    return bytes ? 0 : -1;
}

static int take_reject(struct upgrade *self, PyObject *exception, struct fastws_reject *reject) {
    PyObject *status = PyObject_GetAttrString(exception, "status");
    if (!status) return -1;
    long number = PyLong_AsLong(status);
    Py_DECREF(status);
    if (PyErr_Occurred() || take_body(self, exception) < 0) return -1;
    PyObject *headers = PyObject_GetAttrString(exception, "headers");
    int result = headers ? header_list_take(&self->answered, headers) : -1;
    Py_XDECREF(headers);
    if (result < 0) return -1;
    reject->status = number > 0 && number < 1000 ? (int)number : 0;
    reject->body = upgrade_slice(self->body);
    reject->headers = (struct fastws_http_headers){self->answered.lines, self->answered.count};
    return 0;
}

/* Makes the exception that is set, of a Reject that cannot be told the client, the one that is raised: the Reject is
 * its cause. Steals reject and returns a new reference. */
static PyObject *caused_by(PyObject *reject) {
    PyObject *value = error_take();
    PyException_SetCause(value, reject);
    return value;
}

/* Keeps what was raised. A Reject says what the client is told; of anything else it only learns 500. Returns -1. */
static int refuse(struct upgrade *self, struct fastws_reject *reject) {
    PyObject *value = error_take();
    int is_reject = value ? PyObject_IsInstance(value, self->state->exceptions[EXC_REJECT]) : 0;
    if (is_reject <= 0 || take_reject(self, value, reject) < 0) {
        *reject = (struct fastws_reject){.status = 500};
        if (is_reject > 0 && PyErr_Occurred()) value = caused_by(value);
        PyErr_Clear();
    }
    Py_XSETREF(self->exception, value);
    return -1;
}

/* ---- Callbacks ---- */

/* Calls with one or two slices as bytes. Returns a new reference, or NULL with an exception. */
static PyObject *call(PyObject *callback, const struct fastws_slice *first, const struct fastws_slice *second) {
    PyObject *a = PyBytes_FromStringAndSize(first->ptr, (Py_ssize_t)first->len);
    PyObject *b = a && second ? PyBytes_FromStringAndSize(second->ptr, (Py_ssize_t)second->len) : NULL;
    PyObject *result = a && (b || !second) ? PyObject_CallFunctionObjArgs(callback, a, b, NULL) : NULL;
    Py_XDECREF(a);
    Py_XDECREF(b);
    return result;
}

static int call_and_drop(struct upgrade *self, PyObject *callback, const struct fastws_slice *first,
                         const struct fastws_slice *second, struct fastws_reject *reject) {
    PyObject *result = call(callback, first, second);
    if (!result) return refuse(self, reject);
    Py_DECREF(result);
    return 0;
}

static int on_request(void *context, struct fastws_slice target, struct fastws_reject *reject) {
    struct upgrade *self = context;
    return call_and_drop(self, self->on_request, &target, NULL, reject);
}

static int on_host(void *context, struct fastws_slice host, struct fastws_reject *reject) {
    struct upgrade *self = context;
    Py_XSETREF(self->host, upgrade_decode(host));
    if (!self->host) return refuse(self, reject);
    return self->on_host ? call_and_drop(self, self->on_host, &host, NULL, reject) : 0;
}

static int on_header(void *context, struct fastws_slice name, struct fastws_slice value,
                     struct fastws_reject *reject) {
    struct upgrade *self = context;
    PyObject *pair = Py_BuildValue("(NN)", upgrade_decode(name), upgrade_decode(value));
    int result = pair ? PyList_Append(self->received, pair) : -1;
    Py_XDECREF(pair);
    if (result < 0) return refuse(self, reject);
    return self->on_header ? call_and_drop(self, self->on_header, &name, &value, reject) : 0;
}

static int on_protocol(void *context, struct fastws_slice offered, struct fastws_reject *reject) {
    struct upgrade *self = context;
    PyObject *result = call(self->protocol, &offered, NULL);
    int is_wanted = result ? PyObject_IsTrue(result) : -1;
    Py_XDECREF(result);
    return is_wanted < 0 ? refuse(self, reject) : is_wanted;
}

/* Reads what negotiate() returned: exactly one option. The bytes are kept until the library has copied them. */
static int take_accepted(struct upgrade *self, PyObject *returned, struct fastws_option *accepted) {
    Py_XSETREF(self->accepted, upgrade_encode(returned, "an extension"));
    if (!self->accepted) return -1;
    struct fastws_slice text = upgrade_slice(self->accepted);
    struct fastws_option second;
    if (fastws_option_next(accepted, &text) == 1 && fastws_option_next(&second, &text) == 0) return 0;
    PyErr_Format(PyExc_ValueError, "an extension must be one option such as 'name; parameter=1', not %R", returned);
    return -1;
}

static int on_extension(void *context, const struct fastws_option *offered, struct fastws_option *accepted,
                        struct fastws_reject *reject) {
    struct upgrade *self = context;
    struct fastws_slice text = fastws_option_text(offered);
    PyObject *result = call(self->negotiate, &text, NULL);
    int is_wanted = result && result != Py_None;
    if (is_wanted && take_accepted(self, result, accepted) < 0) Py_CLEAR(result);
    if (!result) return refuse(self, reject);
    Py_DECREF(result);
    return is_wanted;
}

/* Only shows: the response is made, so that what it raises can go nowhere but to sys.unraisablehook. */
static void on_end(void *context, struct fastws_slice request, struct fastws_slice response) {
    struct upgrade *self = context;
    PyObject *result = call(self->on_end, &request, &response);
    if (!result) PyErr_WriteUnraisable(self->on_end);
    Py_XDECREF(result);
}

static int on_before_upgrade(void *context, struct fastws_http_headers *headers, struct fastws_reject *reject) {
    struct upgrade *self = context;
    PyObject *result = PyObject_CallNoArgs(self->on_before_upgrade);
    int taken = result ? header_list_take(&self->answered, result) : -1;
    Py_XDECREF(result);
    if (taken < 0) return refuse(self, reject);
    *headers = (struct fastws_http_headers){self->answered.lines, self->answered.count};
    return 0;
}

void upgrade_set_callbacks(struct upgrade *self) {
    self->config.context = self;
    /* These two also keep what the handshake is remembered by. */
    self->config.on_host = on_host;
    self->config.on_header = on_header;
    if (self->on_request) self->config.on_request = on_request;
    if (self->on_before_upgrade) self->config.on_before_upgrade = on_before_upgrade;
    if (self->protocol) self->config.protocol = on_protocol;
    if (self->negotiate) self->config.negotiate = on_extension;
    if (self->on_end) self->config.on_end = on_end;
}
