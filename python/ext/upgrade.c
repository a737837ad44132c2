/* SPDX-License-Identifier: MIT */
/* The Upgrade type: the server's half of the opening handshake, without I/O. RFC 6455 section 4.2. */
#include "upgrade.h"

#include <fastws/error.h>
#include <fastws/http.h>

#include "args.h"
#include "errors.h"

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

/* The subprotocols that the server speaks: an iterable of str. */
static int take_protocols(struct upgrade *self, PyObject *names) {
    PyObject *tuple = PyUnicode_Check(names) || PyBytes_Check(names) ? PyTuple_Pack(1, names) : PySequence_Tuple(names);
    if (!tuple) return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    self->protocol_owners = PyList_New(0);
    self->protocols = PyMem_Calloc((size_t)count + 1, sizeof *self->protocols);
    if (!self->protocols) PyErr_NoMemory();
    int result = self->protocols && self->protocol_owners ? 0 : -1;
    for (Py_ssize_t i = 0; i < count && result == 0; i++) {
        PyObject *bytes = upgrade_encode(PyTuple_GET_ITEM(tuple, i), "protocol");
        result = bytes ? PyList_Append(self->protocol_owners, bytes) : -1;
        if (result == 0) {
            self->protocols[i] = (struct fastws_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
        }
        Py_XDECREF(bytes);
    }
    Py_DECREF(tuple);
    self->config.protocols = self->protocols;
    self->config.protocol_count = (size_t)count;
    return result;
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
        PyErr_Format(PyExc_ValueError, is_well_formed ? "header %R: the handshake writes that one itself"
                                                      : "header %R: its name or value may not be written (RFC 9110 5.5)",
                     name);
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

static PyObject *upgrade_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"on_request", "on_host", "on_header", "on_before_upgrade", "protocol", "header",
                            "max_head_size", "max_headers", NULL};
    PyObject *request = NULL, *host = NULL, *header = NULL, *before = NULL, *protocol = NULL, *headers = NULL;
    PyObject *max_head = NULL, *max_headers = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOOOOOO:Upgrade", names, &request, &host, &header, &before,
                                     &protocol, &headers, &max_head, &max_headers)) {
        return NULL;
    }
    struct upgrade *self = (struct upgrade *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    fastws_upgrade_config_init(&self->config);
    int is_list = protocol && protocol != Py_None && !PyCallable_Check(protocol);
    if (!self->state || take_callable(request, "on_request", &self->on_request) < 0 ||
        take_callable(host, "on_host", &self->on_host) < 0 ||
        take_callable(header, "on_header", &self->on_header) < 0 ||
        take_callable(before, "on_before_upgrade", &self->on_before_upgrade) < 0 ||
        (is_list ? take_protocols(self, protocol) : take_callable(protocol, "protocol", &self->protocol)) < 0 ||
        header_list_take(&self->headers, headers) < 0 || set_limits(self, max_head, max_headers) < 0 ||
        start(self) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int upgrade_traverse(PyObject *object, visitproc visit, void *arg) {
    struct upgrade *self = (struct upgrade *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->on_request);
    Py_VISIT(self->on_host);
    Py_VISIT(self->on_header);
    Py_VISIT(self->on_before_upgrade);
    Py_VISIT(self->protocol);
    Py_VISIT(self->exception);
    return 0;
}

static int upgrade_clear(PyObject *object) {
    struct upgrade *self = (struct upgrade *)object;
    Py_CLEAR(self->on_request);
    Py_CLEAR(self->on_host);
    Py_CLEAR(self->on_header);
    Py_CLEAR(self->on_before_upgrade);
    Py_CLEAR(self->protocol);
    Py_CLEAR(self->exception);
    return 0;
}

static void upgrade_dealloc(PyObject *object) {
    struct upgrade *self = (struct upgrade *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    upgrade_clear(object);
    fastws_upgrade_free(self->upgrade);
    PyMem_Free(self->upgrade);
    header_list_clear(&self->headers);
    header_list_clear(&self->answered);
    PyMem_Free(self->protocols);
    Py_CLEAR(self->protocol_owners);
    Py_CLEAR(self->body);
    Py_CLEAR(self->host);
    Py_CLEAR(self->received);
    Py_CLEAR(self->handshake);
    type->tp_free(object);
    Py_DECREF(type);
}

/* Makes the Handshake while the target, which may point into the caller's bytes, is there. */
static int keep_handshake(struct upgrade *self) {
    struct fastws_slice target, protocol;
    if (fastws_upgrade_target(self->upgrade, &target) < 0) target = (struct fastws_slice){NULL, 0};
    int has_protocol = fastws_upgrade_protocol(self->upgrade, &protocol) == 1;
    PyObject *handshake = PyStructSequence_New(self->state->handshake_type);
    if (!handshake) return -1;
    PyObject *items[] = {upgrade_decode(target), self->host ? Py_NewRef(self->host) : PyUnicode_New(0, 0),
                         has_protocol ? upgrade_decode(protocol) : Py_NewRef(Py_None),
                         PyList_AsTuple(self->received)};
    for (int i = 0; i < 4; i++) PyStructSequence_SetItem(handshake, i, items[i]);
    if (!items[0] || !items[1] || !items[2] || !items[3]) Py_CLEAR(handshake);
    Py_XSETREF(self->handshake, handshake);
    return handshake ? 0 : -1;
}

/* Raises what refused the request: what a callback raised, or the error itself. Returns NULL. */
static PyObject *raise_refusal(struct upgrade *self, int error) {
    PyObject *exception = self->exception;
    self->exception = NULL;
    if (!exception) return error_raise(self->state, error);
    /* What a Reject gave may be what could not be written. */
    PyObject *raised = error == FASTWS_ERR_HANDSHAKE_REJECTED ? NULL : error_new(self->state, error, -1);
    if (!raised && PyErr_Occurred()) {
        Py_DECREF(exception);
        return NULL;
    }
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return raised ? error_raise_from_current(raised) : NULL;
}

static PyObject *feed(struct upgrade *self, const Py_buffer *view) {
    size_t used;
    self->is_feeding = 1;
    int result = fastws_upgrade_feed(self->upgrade, view->buf, (size_t)view->len, &used);
    self->is_feeding = 0;
    /* The response has been built: what it was made of can go. */
    header_list_clear(&self->answered);
    Py_CLEAR(self->body);
    if (result == FASTWS_ERR_STATE) {
        PyErr_SetString(PyExc_RuntimeError, "the request was accepted or refused already");
        return NULL;
    }
    if (result < 0) return raise_refusal(self, result);
    if (result == FASTWS_NEED_MORE) Py_RETURN_NONE;
    if (keep_handshake(self) < 0) return NULL;
    return PyBytes_FromStringAndSize((const char *)view->buf + used, view->len - (Py_ssize_t)used);
}

static int check_not_feeding(struct upgrade *self) {
    if (!self->is_feeding) return 0;
    PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "a callback must not use its own Upgrade");
    return -1;
}

static PyObject *upgrade_feed(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct upgrade *self = (struct upgrade *)object;
    PyObject *data;
    Py_buffer view;
    if (arg_one("feed", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    PyObject *rest = check_not_feeding(self) < 0 ? NULL : feed(self, &view);
    PyBuffer_Release(&view);
    return rest;
}

static PyObject *upgrade_expire(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct upgrade *self = (struct upgrade *)object;
    if (check_not_feeding(self) < 0) return NULL;
    return error_raise(self->state, fastws_upgrade_refuse(self->upgrade, FASTWS_ERR_HANDSHAKE_TIMEOUT));
}

static PyObject *get_response(PyObject *object, void *Py_UNUSED(closure)) {
    struct upgrade *self = (struct upgrade *)object;
    const void *ptr;
    size_t len;
    if (check_not_feeding(self) < 0) return NULL;
    if (fastws_upgrade_response(self->upgrade, &ptr, &len) < 0) return PyBytes_FromStringAndSize(NULL, 0);
    return PyBytes_FromStringAndSize(ptr, (Py_ssize_t)len);
}

static PyObject *get_handshake(PyObject *object, void *Py_UNUSED(closure)) {
    PyObject *handshake = ((struct upgrade *)object)->handshake;
    return Py_NewRef(handshake ? handshake : Py_None);
}

static PyGetSetDef upgrade_getset[] = {
    {"response", get_response, NULL, "The bytes to answer with; b'' while the request is incomplete.", NULL},
    {"handshake", get_handshake, NULL, "What was agreed, a Handshake; None until the request is accepted.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef upgrade_methods[] = {
    {"feed", (PyCFunction)(void (*)(void))upgrade_feed, METH_FASTCALL | METH_KEYWORDS,
     "feed($self, /, data)\n--\n\n"
     "Takes the next bytes of the request. Afterwards response is what to send, refusals too.\n\n"
     "Returns:\n"
     "    None while the head is incomplete; once it is accepted the bytes of data that follow it.\n\n"
     "Raises:\n"
     "    HandshakeError: the request is refused; status says with what.\n"
     "    Exception: whatever a callback raised: a Reject chooses the response, anything else is answered by 500."},
    {"expire", upgrade_expire, METH_NOARGS,
     "expire($self, /)\n--\n\n"
     "Ends an unfinished handshake: response is a 408.\n\n"
     "Raises:\n"
     "    HandshakeTimeout: always.\n"
     "    RuntimeError: the request was accepted or refused already."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot upgrade_slots[] = {
    {Py_tp_doc, "Upgrade(*, on_request=None, on_host=None, on_header=None, on_before_upgrade=None, protocol=None, "
                "header=None, max_head_size=16384, max_headers=128)\n--\n\n"
                "The server's half of one opening handshake, without I/O. RFC 6455 section 4.2.\n\n"
                "Args: as for Upgrader, and\n"
                "    max_head_size: bytes of the request, None for no limit. Above: 431.\n"
                "    max_headers: header lines, None for no limit. Above: 431.\n\n"
                "Raises:\n"
                "    ValueError: a header that may not be written, or a protocol that is not a token."},
    SLOT(Py_tp_new, upgrade_tp_new),
    SLOT(Py_tp_dealloc, upgrade_dealloc),
    SLOT(Py_tp_traverse, upgrade_traverse),
    SLOT(Py_tp_clear, upgrade_clear),
    {Py_tp_methods, upgrade_methods},
    {Py_tp_getset, upgrade_getset},
    {0, NULL},
};

PyType_Spec upgrade_spec = {
    .name = "fastws.Upgrade",
    .basicsize = sizeof(struct upgrade),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = upgrade_slots,
};
