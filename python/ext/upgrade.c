/* SPDX-License-Identifier: MIT */
/* The Upgrade type: the server's half of the opening handshake, without I/O. RFC 6455 section 4.2. */
#include "upgrade.h"

#include <string.h>

#include <fastws/error.h>
#include <fastws/options.h>

#include "args.h"
#include "errors.h"

static PyObject *upgrade_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct upgrade *self = (struct upgrade *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    if (!self->state || upgrade_configure(self, args, kwargs) < 0) Py_CLEAR(self);
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
    Py_VISIT(self->negotiate);
    Py_VISIT(self->on_end);
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
    Py_CLEAR(self->negotiate);
    Py_CLEAR(self->on_end);
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
    text_list_clear(&self->protocols);
    text_list_clear(&self->origins);
    Py_CLEAR(self->accepted);
    Py_CLEAR(self->body);
    Py_CLEAR(self->host);
    Py_CLEAR(self->received);
    Py_CLEAR(self->handshake);
    Py_CLEAR(self->compression);
    Py_CLEAR(self->agreed);
    type->tp_free(object);
    Py_DECREF(type);
}

/* The options of a response's header, each as a str. Returns a new tuple, or NULL with an exception. */
static PyObject *split_extensions(struct fastws_slice value) {
    PyObject *list = PyList_New(0);
    struct fastws_option option;
    int result = list ? 0 : -1;
    while (result == 0 && fastws_option_next(&option, &value) == 1) {
        PyObject *text = upgrade_decode(fastws_option_text(&option));
        result = text ? PyList_Append(list, text) : -1;
        Py_XDECREF(text);
    }
    PyObject *tuple = result == 0 ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    return tuple;
}

/* Makes the Deflate of what was agreed on, if compression was. Returns 0, or -1 with an exception. */
static int keep_agreed(struct upgrade *self) {
    struct fastws_deflate_params agreed;
    if (!self->compression || fastws_upgrade_deflate(self->upgrade, &agreed) <= 0) return 0;
    Py_XSETREF(self->agreed, deflate_with(self->compression, &agreed));
    return self->agreed ? 0 : -1;
}

/* Makes the Handshake while the target, which may point into the caller's bytes, is there. */
static int keep_handshake(struct upgrade *self) {
    struct fastws_slice target, protocol, extensions;
    if (fastws_upgrade_target(self->upgrade, &target) < 0) target = (struct fastws_slice){NULL, 0};
    int has_protocol = fastws_upgrade_protocol(self->upgrade, &protocol) == 1;
    if (fastws_upgrade_extensions(self->upgrade, &extensions) < 0) extensions = (struct fastws_slice){NULL, 0};
    PyObject *handshake = PyStructSequence_New(self->state->handshake_type);
    if (!handshake) return -1;
    PyObject *items[] = {upgrade_decode(target), self->host ? Py_NewRef(self->host) : PyUnicode_New(0, 0),
                         has_protocol ? upgrade_decode(protocol) : Py_NewRef(Py_None),
                         PyList_AsTuple(self->received), split_extensions(extensions)};
    int is_whole = 1;
    for (int i = 0; i < (int)(sizeof items / sizeof *items); i++) {
        PyStructSequence_SetItem(handshake, i, items[i]);
        is_whole = is_whole && items[i];
    }
    if (!is_whole) Py_CLEAR(handshake);
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

/* What the head came to: 1 if it was accepted, 0 if more is needed, -1 with an exception if it was refused. */
static int conclude(struct upgrade *self, int result) {
    /* The response has been built: what it was made of can go. */
    header_list_clear(&self->answered);
    Py_CLEAR(self->body);
    Py_CLEAR(self->accepted);
    if (result == FASTWS_ERR_STATE) {
        PyErr_SetString(PyExc_RuntimeError, "the request was accepted or refused already");
        return -1;
    }
    if (result < 0) {
        raise_refusal(self, result);
        return -1;
    }
    if (result == FASTWS_NEED_MORE) return 0;
    return keep_agreed(self) < 0 || keep_handshake(self) < 0 ? -1 : 1;
}

static PyObject *feed(struct upgrade *self, const Py_buffer *view) {
    size_t used;
    self->is_feeding = 1;
    int result = fastws_upgrade_feed(self->upgrade, view->buf, (size_t)view->len, &used);
    self->is_feeding = 0;
    result = conclude(self, result);
    if (result < 0) return NULL;
    if (result == 0) Py_RETURN_NONE;
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

/* HTTP/1.1 and what is compatible with it, as fastws_upgrade_parsed() expects. RFC 9112 2.3. */
static int is_version_spoken(struct fastws_slice version) {
    return version.len == 8 && memcmp(version.ptr, "HTTP/1.", 7) == 0 && version.ptr[7] >= '1' && version.ptr[7] <= '9';
}

/* A head that another server has read: encoded, so that its slices live while it is judged. */
struct parsed_head {
    PyObject *texts[3]; /* bytes: method, target, version */
    struct header_list headers;
};

static int take_head(struct parsed_head *head, PyObject *const *arguments) {
    static const char *const names[] = {"method", "target", "version"};
    PyObject *const given[] = {arguments[0], arguments[1], arguments[3]};
    for (int i = 0; i < 3; i++) {
        head->texts[i] = given[i] ? upgrade_encode(given[i], names[i]) : PyBytes_FromString("HTTP/1.1");
        if (!head->texts[i]) return -1;
    }
    return header_list_take(&head->headers, arguments[2]);
}

static int feed_head(struct upgrade *self, const struct parsed_head *head) {
    const struct header_list *headers = &head->headers;
    struct fastws_slice slices[3];
    for (int i = 0; i < 3; i++) slices[i] = upgrade_slice(head->texts[i]);
    self->is_feeding = 1;
    int result = is_version_spoken(slices[2])
                     ? fastws_upgrade_parsed(self->upgrade, slices[0], slices[1], headers->lines, headers->count)
                     : fastws_upgrade_refuse(self->upgrade, FASTWS_ERR_HTTP_VERSION);
    self->is_feeding = 0;
    return conclude(self, result);
}

static PyObject *upgrade_feed_parsed(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"method", "target", "headers", "version", NULL};
    struct upgrade *self = (struct upgrade *)object;
    PyObject *arguments[4];
    if (arg_sort("feed_parsed", args, count, kwnames, names, 3, 4, arguments) < 0) return NULL;
    struct parsed_head head = {0};
    int result = take_head(&head, arguments);
    if (result == 0) result = check_not_feeding(self) < 0 ? -1 : feed_head(self, &head);
    for (int i = 0; i < 3; i++) Py_XDECREF(head.texts[i]);
    header_list_clear(&head.headers);
    if (result < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *upgrade_expire(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct upgrade *self = (struct upgrade *)object;
    if (check_not_feeding(self) < 0) return NULL;
    self->is_feeding = 1;
    int result = fastws_upgrade_refuse(self->upgrade, FASTWS_ERR_HANDSHAKE_TIMEOUT);
    self->is_feeding = 0;
    conclude(self, result);
    return NULL;
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

static PyObject *get_compression(PyObject *object, void *Py_UNUSED(closure)) {
    PyObject *agreed = ((struct upgrade *)object)->agreed;
    return Py_NewRef(agreed ? agreed : Py_None);
}

static PyGetSetDef upgrade_getset[] = {
    {"response", get_response, NULL, "The bytes to answer with; b'' while the request is incomplete.", NULL},
    {"handshake", get_handshake, NULL, "What was agreed, a Handshake; None until the request is accepted.", NULL},
    {"compression", get_compression, NULL,
     "The Deflate to give to Stream or Connection, whose parameters were agreed on; None where messages are not to be\n"
     "compressed.", NULL},
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
    {"feed_parsed", (PyCFunction)(void (*)(void))upgrade_feed_parsed, METH_FASTCALL | METH_KEYWORDS,
     "feed_parsed($self, /, method, target, headers, version='HTTP/1.1')\n--\n\n"
     "Takes a request that another HTTP server has read, instead of feed(): the same checks, callbacks and\n"
     "response.\n\n"
     "Args:\n"
     "    method, target, version: of the request line, as they came.\n"
     "    headers: every header line in order, pairs of name and value: lines of one name are not joined.\n\n"
     "Raises:\n"
     "    HandshakeError, Exception: as feed() does."},
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
                "negotiate=None, origins=None, header=None, on_end=None, max_head_size=16384, max_headers=128, "
                "compression=None)\n--\n\n"
                "The server's half of one opening handshake, without I/O. RFC 6455 section 4.2.\n\n"
                "A tunnel through HTTP/2 (RFC 8441) has no such handshake: its server answers the extended CONNECT\n"
                "itself, with 200. What follows in the tunnel is open: Stream(tunnel, 'server') or\n"
                "Connection('server').\n\n"
                "Args: as for Upgrader, and\n"
                "    max_head_size: bytes of the request, None for no limit. Above: 431.\n"
                "    max_headers: header lines, None for no limit. Above: 431.\n\n"
                "Raises:\n"
                "    ValueError: a header that may not be written, a protocol that is not a token, an origin that is\n"
                "        none."},
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
