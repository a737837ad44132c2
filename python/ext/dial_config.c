/* SPDX-License-Identifier: MIT */
/* The arguments of Dial, as the configuration of the handshake. RFC 6455 4.1. */
#include "dial.h"

#include <fastws/error.h>
#include <fastws/http.h>

#include "args.h"
#include "errors.h"
#include "url.h"

static struct fastws_slice slice_of(PyObject *bytes) {
    return (struct fastws_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

/* None counts as not given, here and below. */
static int take_callable(PyObject *object, const char *what, PyObject **out) {
    if (!object || object == Py_None) return 0;
    if (!PyCallable_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be callable, not %.200s", what, Py_TYPE(object)->tp_name);
        return -1;
    }
    *out = Py_NewRef(object);
    return 0;
}

static int take_text(PyObject *object, const char *what, PyObject **owner, struct fastws_slice *out) {
    if (!object || object == Py_None) return 0;
    *owner = upgrade_encode(object, what);
    if (!*owner) return -1;
    *out = slice_of(*owner);
    return 0;
}

static int take_protocol(struct dial *self, PyObject *name) {
    PyObject *bytes = upgrade_encode(name, "protocol");
    if (!bytes) return -1;
    self->protocols[self->config.protocol_count++] = slice_of(bytes);
    int result = PyList_Append(self->protocol_owners, bytes);
    Py_DECREF(bytes);
    return result;
}

static int take_protocols(struct dial *self, PyObject *names) {
    if (!names || names == Py_None) return 0;
    if (PyUnicode_Check(names) || PyBytes_Check(names)) {
        PyErr_SetString(PyExc_TypeError, "protocols must be a sequence of str, not one of them");
        return -1;
    }
    PyObject *tuple = PySequence_Tuple(names);
    if (!tuple) return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    self->protocol_owners = PyList_New(0);
    self->protocols = PyMem_Calloc((size_t)count + 1, sizeof *self->protocols);
    if (!self->protocols) PyErr_NoMemory();
    int result = self->protocols && self->protocol_owners ? 0 : -1;
    for (Py_ssize_t i = 0; i < count && result == 0; i++) result = take_protocol(self, PyTuple_GET_ITEM(tuple, i));
    Py_DECREF(tuple);
    self->config.protocols = self->protocols;
    return result;
}

static int take_limit(PyObject *object, const char *what, uint64_t max, size_t *out) {
    uint64_t value;
    if (!object) return 0;
    if (arg_limit(object, what, max, &value) < 0) return -1;
    *out = (size_t)value;
    return 0;
}

static int take_address(struct dial *self, PyObject *url) {
    self->address = url_encode(url);
    return self->address ? url_parse(self->state, self->address, &self->url) : -1;
}

/* Says which header may not be written, and why: asks about one after another. */
static int raise_header(const struct dial *self, void *memory) {
    struct fastws_dial_config config = self->config;
    config.headers = (struct fastws_http_headers){NULL, 0};
    if (fastws_dial_init(memory, &config, &self->url, NULL) == FASTWS_ERR_HANDSHAKE_HEADER) {
        PyErr_SetString(PyExc_ValueError, "host or origin may not be written (RFC 9110 7.2, RFC 6454 7)");
        return -1;
    }
    const struct fastws_http_header *line = self->headers.lines;
    for (size_t i = 0; i < self->headers.count; i++, line++) {
        config.headers = (struct fastws_http_headers){line, 1};
        if (fastws_dial_init(memory, &config, &self->url, NULL) != FASTWS_ERR_HANDSHAKE_HEADER) {
            fastws_dial_free(memory);
            continue;
        }
        int is_well_formed = fastws_http_is_token(line->name) && fastws_http_is_value(line->value);
        PyObject *name = upgrade_decode(line->name);
        if (!name) return -1;
        const char *reason = is_well_formed ? "header %R: the handshake writes that one itself"
                                            : "header %R: its name or value may not be written (RFC 9110 5.5)";
        PyErr_Format(PyExc_ValueError, reason, name);
        Py_DECREF(name);
        return -1;
    }
    return -1;
}

static int start(struct dial *self) {
    self->config.headers = (struct fastws_http_headers){self->headers.lines, self->headers.count};
    dial_set_callbacks(self);
    self->received = PyList_New(0);
    self->accepted = PyList_New(0);
    self->answer = self->on_end ? PyByteArray_FromStringAndSize(NULL, 0) : NULL;
    if (!self->received || !self->accepted || (self->on_end && !self->answer)) return -1;
    void *memory = PyMem_Malloc(fastws_dial_sizeof());
    if (!memory) {
        PyErr_NoMemory();
        return -1;
    }
    int error = fastws_dial_init(memory, &self->config, &self->url, NULL);
    if (error == 0) {
        self->dial = memory;
        return 0;
    }
    if (error == FASTWS_ERR_ARGUMENT) {
        PyErr_SetString(PyExc_ValueError, "protocols must be different tokens, and extensions a list of them, "
                                          "without permessage-deflate where compression is given");
    } else if (error == FASTWS_ERR_HANDSHAKE_HEADER) {
        raise_header(self, memory);
    } else if (error == FASTWS_ERR_DIAL_EXTENSIONS_MAX) {
        error_raise_value(error);
    } else {
        error_raise(self->state, error);
    }
    PyMem_Free(memory);
    return -1;
}

int dial_configure(struct dial *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"url", "protocols", "extensions", "header", "host", "origin", "on_header", "on_extension",
                            "on_status_error", "on_end", "redirects", "max_head_size", "max_headers",
                            "max_body_size", "compression", NULL};
    PyObject *url, *protocols = NULL, *extensions = NULL, *header = NULL, *host = NULL, *origin = NULL;
    PyObject *on_header = NULL, *on_extension = NULL, *on_status_error = NULL, *on_end = NULL;
    PyObject *max_head = NULL, *max_headers = NULL, *max_body = NULL, *compression = NULL;
    int redirects = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOOOOOOOOpOOOO:Dial", names, &url, &protocols, &extensions,
                                     &header, &host, &origin, &on_header, &on_extension, &on_status_error, &on_end,
                                     &redirects, &max_head, &max_headers, &max_body, &compression)) {
        return -1;
    }
    fastws_dial_config_init(&self->config);
    self->config.is_redirect_told = redirects != 0;
    size_t header_count_max = self->config.header_count_max;
    if (take_address(self, url) < 0 || take_protocols(self, protocols) < 0 ||
        take_text(extensions, "extensions", &self->extensions, &self->config.extensions) < 0 ||
        take_text(host, "host", &self->host, &self->config.host) < 0 ||
        take_text(origin, "origin", &self->origin, &self->config.origin) < 0 ||
        take_callable(on_header, "on_header", &self->on_header) < 0 ||
        take_callable(on_extension, "on_extension", &self->on_extension) < 0 ||
        take_callable(on_status_error, "on_status_error", &self->on_status_error) < 0 ||
        take_callable(on_end, "on_end", &self->on_end) < 0 || header_list_take(&self->headers, header) < 0 ||
        take_limit(max_head, "max_head_size", PY_SSIZE_T_MAX, &self->config.head_max) < 0 ||
        take_limit(max_headers, "max_headers", UINT32_MAX, &header_count_max) < 0 ||
        take_limit(max_body, "max_body_size", PY_SSIZE_T_MAX, &self->config.body_max) < 0 ||
        deflate_take(self->state, compression, &self->compression) < 0) {
        return -1;
    }
    if (self->compression) self->config.deflate = &self->compression->config;
    self->config.header_count_max = (unsigned)header_count_max;
    return start(self);
}
