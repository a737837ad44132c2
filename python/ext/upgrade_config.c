/* SPDX-License-Identifier: MIT */
/* The arguments of Upgrade, as the configuration of its C object. */
#include "upgrade.h"

#include <fastws/error.h>
#include <fastws/handshake.h>
#include <fastws/http.h>

#include "args.h"

/* None counts as not given. */
static int take_callable(PyObject *object, const char *what, PyObject **out) {
    if (!object || object == Py_None) return 0;
    if (!PyCallable_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be callable, not %.200s", what, Py_TYPE(object)->tp_name);
        return -1;
    }
    *out = Py_NewRef(object);
    return 0;
}

void text_list_clear(struct text_list *list) {
    PyMem_Free(list->texts);
    list->texts = NULL;
    list->count = 0;
    Py_CLEAR(list->owners);
}

/* Takes an iterable of str or bytes; a single one is a list of one. */
static int text_list_take(struct text_list *list, PyObject *names, const char *what) {
    PyObject *tuple = PyUnicode_Check(names) || PyBytes_Check(names) ? PyTuple_Pack(1, names) : PySequence_Tuple(names);
    if (!tuple) return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    list->owners = PyList_New(0);
    list->texts = PyMem_Calloc((size_t)count + 1, sizeof *list->texts);
    if (!list->texts) PyErr_NoMemory();
    int result = list->texts && list->owners ? 0 : -1;
    for (Py_ssize_t i = 0; i < count && result == 0; i++) {
        PyObject *bytes = upgrade_encode(PyTuple_GET_ITEM(tuple, i), what);
        result = bytes ? PyList_Append(list->owners, bytes) : -1;
        if (result == 0) list->texts[list->count++] = upgrade_slice(bytes);
        Py_XDECREF(bytes);
    }
    Py_DECREF(tuple);
    return result;
}

/* A function that is asked, or the subprotocols that the server speaks. */
static int set_protocol(struct upgrade *self, PyObject *protocol) {
    if (!protocol || protocol == Py_None || PyCallable_Check(protocol)) {
        return take_callable(protocol, "protocol", &self->protocol);
    }
    if (text_list_take(&self->protocols, protocol, "protocol") < 0) return -1;
    self->config.protocols = self->protocols.texts;
    self->config.protocol_count = self->protocols.count;
    return 0;
}

static int set_origins(struct upgrade *self, PyObject *origins) {
    if (!origins || origins == Py_None) return 0;
    if (text_list_take(&self->origins, origins, "origin") < 0) return -1;
    self->config.is_origin_checked = 1;
    self->config.origins = self->origins.texts;
    self->config.origin_count = self->origins.count;
    for (size_t i = 0; i < self->origins.count; i++) {
        /* One that does not even equal itself could never match. */
        if (fastws_origin_equals(self->origins.texts[i], self->origins.texts[i])) continue;
        PyErr_Format(PyExc_ValueError, "an origin must be like 'https://example.com', not %R",
                     PyList_GET_ITEM(self->origins.owners, (Py_ssize_t)i));
        return -1;
    }
    return 0;
}

static int set_limits(struct upgrade *self, PyObject *max_head, PyObject *max_headers) {
    uint64_t value;
    if (max_head) {
        if (arg_limit(max_head, "max_head_size", PY_SSIZE_T_MAX, &value) < 0) return -1;
        self->config.head_max = (size_t)value;
    }
    if (max_headers) {
        if (arg_limit(max_headers, "max_headers", UINT32_MAX, &value) < 0) return -1;
        self->config.header_count_max = (unsigned)value;
    }
    return 0;
}

/* Says which header may not be written, and why: asks about one after another, in memory for an upgrade. */
static void raise_header(const struct upgrade *self, void *memory) {
    struct fastws_upgrade_config config = self->config;
    const struct fastws_http_header *line = self->headers.lines;
    for (size_t i = 0; i < self->headers.count; i++, line++) {
        config.headers = (struct fastws_http_headers){line, 1};
        if (fastws_upgrade_init(memory, &config, NULL) != FASTWS_ERR_HANDSHAKE_HEADER) continue;
        int is_well_formed = fastws_http_is_token(line->name) && fastws_http_is_value(line->value);
        PyObject *name = upgrade_decode(line->name);
        if (!name) return;
        const char *reason = is_well_formed ? "header %R: the handshake writes that one itself"
                                            : "header %R: its name or value may not be written (RFC 9110 5.5)";
        PyErr_Format(PyExc_ValueError, reason, name);
        Py_DECREF(name);
        return;
    }
}

static int start(struct upgrade *self) {
    upgrade_set_callbacks(self);
    self->config.headers = (struct fastws_http_headers){self->headers.lines, self->headers.count};
    self->received = PyList_New(0);
    if (!self->received) return -1;
    void *memory = PyMem_Malloc(fastws_upgrade_sizeof());
    if (!memory) {
        PyErr_NoMemory();
        return -1;
    }
    int error = fastws_upgrade_init(memory, &self->config, NULL);
    if (error == 0) {
        self->upgrade = memory;
        return 0;
    }
    if (error == FASTWS_ERR_ARGUMENT) {
        PyErr_SetString(PyExc_ValueError, "protocol is not a token");
    } else {
        raise_header(self, memory);
    }
    PyMem_Free(memory);
    return -1;
}

int upgrade_configure(struct upgrade *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"on_request", "on_host", "on_header", "on_before_upgrade", "protocol", "negotiate",
                            "origins", "header", "on_end", "max_head_size", "max_headers", "compression", NULL};
    PyObject *request = NULL, *host = NULL, *header = NULL, *before = NULL, *protocol = NULL, *negotiate = NULL;
    PyObject *origins = NULL, *headers = NULL, *end = NULL, *max_head = NULL, *max_headers = NULL;
    PyObject *compression = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOOOOOOOOOO:Upgrade", names, &request, &host, &header, &before,
                                     &protocol, &negotiate, &origins, &headers, &end, &max_head, &max_headers,
                                     &compression)) {
        return -1;
    }
    fastws_upgrade_config_init(&self->config);
    if (take_callable(request, "on_request", &self->on_request) < 0 ||
        take_callable(host, "on_host", &self->on_host) < 0 ||
        take_callable(header, "on_header", &self->on_header) < 0 ||
        take_callable(before, "on_before_upgrade", &self->on_before_upgrade) < 0 ||
        take_callable(negotiate, "negotiate", &self->negotiate) < 0 ||
        take_callable(end, "on_end", &self->on_end) < 0 || set_protocol(self, protocol) < 0 ||
        set_origins(self, origins) < 0 || header_list_take(&self->headers, headers) < 0 ||
        set_limits(self, max_head, max_headers) < 0 ||
        deflate_take(self->state, compression, &self->compression) < 0) {
        return -1;
    }
    if (self->compression) self->config.deflate = &self->compression->config;
    return start(self);
}
