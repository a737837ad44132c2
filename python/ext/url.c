/* SPDX-License-Identifier: MIT */
/* Addresses: taken apart, resolved and compared. RFC 3986, RFC 6455 section 3. */
#include "url.h"

#include <fastws/error.h>

#include "args.h"
#include "errors.h"

PyObject *url_encode(PyObject *text) {
    if (!PyUnicode_Check(text)) {
        return PyErr_Format(PyExc_TypeError, "an address must be str, not %.200s", Py_TYPE(text)->tp_name);
    }
    /* What is no ASCII is refused by the parser, which names the part that holds it. */
    return PyUnicode_AsUTF8String(text);
}

int url_parse(struct state *state, PyObject *encoded, struct fastws_url *url) {
    int error = fastws_url_parse(url, PyBytes_AS_STRING(encoded), (size_t)PyBytes_GET_SIZE(encoded));
    if (error == 0) return 0;
    error_raise(state, error);
    return -1;
}

/* Percent-decoded. Cannot fail but for memory: the parser has looked at it. */
static PyObject *decode(struct fastws_slice text) {
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)text.len);
    if (!bytes) return NULL;
    ptrdiff_t len = fastws_url_decode(PyBytes_AS_STRING(bytes), text.len, text);
    if (len < 0) {
        Py_DECREF(bytes);
        return error_raise_value((int)len);
    }
    _PyBytes_Resize(&bytes, len);
    return bytes;
}

static PyObject *text_of(struct fastws_slice slice) {
    return PyUnicode_DecodeLatin1(slice.ptr, (Py_ssize_t)slice.len, NULL);
}

/* RFC 6455 section 3: an empty path goes on the wire as "/". */
static PyObject *target_of(const struct fastws_url *url) {
    PyObject *target = text_of(url->target);
    if (!target || (url->target.len && url->target.ptr[0] == '/')) return target;
    PyObject *whole = PyUnicode_FromFormat("/%U", target);
    Py_DECREF(target);
    return whole;
}

static PyObject *url_object(struct state *state, const struct fastws_url *url) {
    int is_path = url->host_kind == FASTWS_HOST_UNIX;
    PyObject *parts[] = {
        PyBool_FromLong(url->is_secure),
        is_path ? Py_NewRef(Py_None) : text_of(url->host),
        PyLong_FromLong(url->port),
        is_path ? decode(url->host) : Py_NewRef(Py_None),
        target_of(url),
        url->has_userinfo ? decode(url->user) : Py_NewRef(Py_None),
        url->has_userinfo ? decode(url->password) : Py_NewRef(Py_None),
    };
    PyObject *result = NULL;
    int is_whole = 1;
    for (size_t i = 0; i < 7; i++) is_whole = is_whole && parts[i];
    if (is_whole) result = PyObject_Vectorcall(state->url_class, parts, 7, NULL);
    for (size_t i = 0; i < 7; i++) Py_XDECREF(parts[i]);
    return result;
}

static PyObject *parse_url(PyObject *module, PyObject *text) {
    struct fastws_url url;
    PyObject *encoded = url_encode(text);
    if (!encoded) return NULL;
    PyObject *result =
        url_parse(get_state(module), encoded, &url) < 0 ? NULL : url_object(get_state(module), &url);
    Py_DECREF(encoded);
    return result;
}

PyObject *url_resolve(struct state *state, const struct fastws_url *base, struct fastws_slice reference) {
    struct fastws_url resolved;
    size_t cap = FASTWS_URL_RESOLVE_LEN(base, reference);
    char *text = PyMem_Malloc(cap);
    if (!text) return PyErr_NoMemory();
    ptrdiff_t len = fastws_url_resolve(text, cap, &resolved, base, reference);
    PyObject *result = len < 0 ? error_raise(state, (int)len) : PyUnicode_DecodeLatin1(text, len, NULL);
    PyMem_Free(text);
    return result;
}

/* Runs a function on two addresses. */
static PyObject *with_base(PyObject *module, PyObject *const *args, Py_ssize_t count, const char *function,
                           PyObject *(*run)(struct state *, const struct fastws_url *, PyObject *)) {
    struct fastws_url base;
    if (arg_count(function, count, 2, 2) < 0) return NULL;
    PyObject *first = url_encode(args[0]);
    PyObject *second = first ? url_encode(args[1]) : NULL;
    PyObject *result = NULL;
    if (second && url_parse(get_state(module), first, &base) == 0) result = run(get_state(module), &base, second);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return result;
}

static PyObject *run_resolve(struct state *state, const struct fastws_url *base, PyObject *reference) {
    struct fastws_slice slice = {PyBytes_AS_STRING(reference), (size_t)PyBytes_GET_SIZE(reference)};
    return url_resolve(state, base, slice);
}

static PyObject *run_same_origin(struct state *state, const struct fastws_url *base, PyObject *other) {
    struct fastws_url url;
    if (url_parse(state, other, &url) < 0) return NULL;
    return PyBool_FromLong(fastws_url_same_origin(base, &url));
}

static PyObject *resolve_url(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    return with_base(module, args, count, "resolve_url", run_resolve);
}

static PyObject *is_same_origin(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    return with_base(module, args, count, "is_same_origin", run_same_origin);
}

PyMethodDef url_methods[] = {
    {"parse_url", parse_url, METH_O,
     "parse_url($module, url, /)\n--\n\n"
     "Takes an address of ws, wss, ws+unix or wss+unix apart. RFC 3986, RFC 6455 section 3.\n\n"
     "Returns:\n"
     "    A Url. A fragment is checked and left out.\n\n"
     "Raises:\n"
     "    InvalidURI: it is none; name says which part."},
    {"resolve_url", (PyCFunction)(void (*)(void))resolve_url, METH_FASTCALL,
     "resolve_url($module, base, reference, /)\n--\n\n"
     "The address that the Location of a redirect means. RFC 9110 10.2.2, RFC 3986 5.2.\n\n"
     "Neither userinfo nor fragment is taken over; http counts as ws and https as wss.\n\n"
     "Raises:\n"
     "    InvalidURI: it means none of ws or wss, or base is a socket in the file system."},
    {"is_same_origin", (PyCFunction)(void (*)(void))is_same_origin, METH_FASTCALL,
     "is_same_origin($module, a, b, /)\n--\n\n"
     "Whether two addresses have the same scheme, host and port: credentials for one may be shown to the other.\n\n"
     "Raises:\n"
     "    InvalidURI: one of them is no address."},
    {NULL, NULL, 0, NULL},
};
