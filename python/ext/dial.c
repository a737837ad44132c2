/* SPDX-License-Identifier: MIT */
/* The Dial type: the client's half of the opening handshake, without I/O. RFC 6455 4.1. */
#include "dial.h"

#include <string.h>

#include <fastws/error.h>

#include "args.h"
#include "errors.h"
#include "http.h"
#include "url.h"

/* ---- Life ---- */

static PyObject *dial_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct dial *self = (struct dial *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    if (!self->state || dial_configure(self, args, kwargs) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static int dial_traverse(PyObject *object, visitproc visit, void *arg) {
    struct dial *self = (struct dial *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->on_header);
    Py_VISIT(self->on_extension);
    Py_VISIT(self->on_status_error);
    Py_VISIT(self->on_end);
    Py_VISIT(self->response);
    Py_VISIT(self->exception);
    return 0;
}

static int dial_clear(PyObject *object) {
    struct dial *self = (struct dial *)object;
    Py_CLEAR(self->on_header);
    Py_CLEAR(self->on_extension);
    Py_CLEAR(self->on_status_error);
    Py_CLEAR(self->on_end);
    Py_CLEAR(self->response);
    Py_CLEAR(self->exception);
    return 0;
}

static void dial_dealloc(PyObject *object) {
    struct dial *self = (struct dial *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    dial_clear(object);
    fastws_dial_free(self->dial);
    PyMem_Free(self->dial);
    header_list_clear(&self->headers);
    PyMem_Free(self->protocols);
    Py_CLEAR(self->protocol_owners);
    Py_CLEAR(self->address);
    Py_CLEAR(self->host);
    Py_CLEAR(self->origin);
    Py_CLEAR(self->extensions);
    Py_CLEAR(self->received);
    Py_CLEAR(self->accepted);
    Py_CLEAR(self->answer);
    Py_CLEAR(self->handshake);
    Py_CLEAR(self->compression);
    Py_CLEAR(self->agreed);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- What came of it ---- */

static PyObject *target_of(const struct fastws_url *url) {
    PyObject *target = http_text(url->target);
    if (!target || (url->target.len && url->target.ptr[0] == '/')) return target;
    PyObject *whole = PyUnicode_FromFormat("/%U", target);
    Py_DECREF(target);
    return whole;
}

/* The value of the Host header, read back from the request: its second line. */
static PyObject *host_of(const struct fastws_dialer *dial) {
    const void *ptr;
    size_t len;
    fastws_dial_request(dial, &ptr, &len);
    const char *line = (const char *)memchr(ptr, '\n', len) + sizeof "\nHost: " - 1;
    const char *end = memchr(line, '\r', len - (size_t)(line - (const char *)ptr));
    return http_text((struct fastws_slice){line, (size_t)(end - line)});
}

/* Makes the Deflate of what was agreed on, if compression was. Returns 0, or -1 with an exception. */
static int keep_agreed(struct dial *self) {
    struct fastws_deflate_params agreed;
    if (!self->compression || fastws_dial_deflate(self->dial, &agreed) <= 0) return 0;
    Py_XSETREF(self->agreed, deflate_with(self->compression, &agreed));
    return self->agreed ? 0 : -1;
}

static int keep_handshake(struct dial *self) {
    struct fastws_slice protocol;
    int has_protocol = fastws_dial_protocol(self->dial, &protocol) == 1;
    PyObject *handshake = PyStructSequence_New(self->state->handshake_type);
    if (!handshake) return -1;
    PyObject *items[] = {target_of(&self->url), host_of(self->dial),
                         has_protocol ? http_text(protocol) : Py_NewRef(Py_None), PyList_AsTuple(self->received),
                         PyList_AsTuple(self->accepted)};
    int is_whole = 1;
    for (int i = 0; i < 5; i++) {
        PyStructSequence_SetItem(handshake, i, items[i]);
        is_whole = is_whole && items[i];
    }
    if (!is_whole) Py_CLEAR(handshake);
    Py_XSETREF(self->handshake, handshake);
    return handshake ? 0 : -1;
}

/* A str, or None where the Location means no address: whoever wants to follow it then cannot. */
static PyObject *location_of(struct dial *self) {
    struct fastws_slice slice;
    if (fastws_dial_location(self->dial, &slice) < 0) Py_RETURN_NONE;
    PyObject *location = url_resolve(self->state, &self->url, slice);
    if (location || !PyErr_ExceptionMatches(self->state->exceptions[EXC_INVALID_URI])) return location;
    PyErr_Clear();
    Py_RETURN_NONE;
}

/* Gives an InvalidStatus its answer. */
static int describe_status(struct dial *self, PyObject *exception, int error) {
    if (error == FASTWS_ERR_HANDSHAKE_REDIRECT && dial_keep_redirect(self) < 0) return -1;
    if (!self->response) return 0;
    PyObject *location = location_of(self);
    int result = location ? PyObject_SetAttrString(exception, "response", self->response) : -1;
    if (result == 0) result = PyObject_SetAttrString(exception, "location", location);
    Py_XDECREF(location);
    return result;
}

/* Raises why the handshake failed: what a callback raised, or the error itself. Returns NULL. */
static PyObject *raise_failure(struct dial *self, int error) {
    PyObject *exception = self->exception;
    self->exception = NULL;
    if (!exception) {
        exception = error_new_answer(self->state, error, fastws_dial_status(self->dial));
        if (!exception) return NULL;
        int is_status = error == FASTWS_ERR_HANDSHAKE_STATUS || error == FASTWS_ERR_HANDSHAKE_REDIRECT;
        if (is_status && describe_status(self, exception, error) < 0) Py_CLEAR(exception);
    }
    if (exception) PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
    return NULL;
}

/* Turns the result of a call into its object: rest is what follows the answer. */
static PyObject *conclude(struct dial *self, int result, struct fastws_slice rest) {
    if (result == FASTWS_NEED_MORE) Py_RETURN_NONE;
    if (result == FASTWS_ERR_STATE) {
        PyErr_SetString(PyExc_RuntimeError, "the answer has ended already");
        return NULL;
    }
    dial_show_end(self);
    if (result < 0) return raise_failure(self, result);
    if (keep_agreed(self) < 0 || keep_handshake(self) < 0) return NULL;
    return PyBytes_FromStringAndSize(rest.ptr, (Py_ssize_t)rest.len);
}

/* ---- Methods ---- */

static int begin(struct dial *self) {
    if (!self->is_feeding) {
        self->is_feeding = 1;
        return 0;
    }
    PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "a callback must not use its own Dial");
    return -1;
}

static PyObject *finish(struct dial *self, int result, struct fastws_slice rest) {
    PyObject *object = conclude(self, result, rest);
    self->is_feeding = 0;
    return object;
}

static PyObject *dial_feed(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct dial *self = (struct dial *)object;
    PyObject *data, *result = NULL;
    Py_buffer view;
    if (arg_one("feed", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    if (begin(self) == 0) {
        size_t used;
        int status = fastws_dial_feed(self->dial, view.buf, (size_t)view.len, &used);
        result = finish(self, status, (struct fastws_slice){(const char *)view.buf + used, (size_t)view.len - used});
    }
    PyBuffer_Release(&view);
    return result;
}

static PyObject *dial_end(PyObject *object, int (*end)(struct fastws_dialer *)) {
    struct dial *self = (struct dial *)object;
    if (begin(self) < 0) return NULL;
    return finish(self, end(self->dial), (struct fastws_slice){NULL, 0});
}

static PyObject *dial_eof(PyObject *object, PyObject *Py_UNUSED(ignored)) { return dial_end(object, fastws_dial_eof); }

static PyObject *dial_expire(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return dial_end(object, fastws_dial_expire);
}

static PyObject *dial_abort(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct dial *self = (struct dial *)object;
    if (begin(self) < 0) return NULL;
    dial_show_end(self);
    self->is_feeding = 0;
    Py_RETURN_NONE;
}

static PyObject *get_request(PyObject *object, void *Py_UNUSED(closure)) {
    const void *ptr;
    size_t len;
    fastws_dial_request(((struct dial *)object)->dial, &ptr, &len);
    return PyBytes_FromStringAndSize(ptr, (Py_ssize_t)len);
}

static PyObject *get_status(PyObject *object, void *Py_UNUSED(closure)) {
    int status = fastws_dial_status(((struct dial *)object)->dial);
    return status ? PyLong_FromLong(status) : Py_NewRef(Py_None);
}

static PyObject *get_handshake(PyObject *object, void *Py_UNUSED(closure)) {
    PyObject *handshake = ((struct dial *)object)->handshake;
    return Py_NewRef(handshake ? handshake : Py_None);
}

static PyObject *get_compression(PyObject *object, void *Py_UNUSED(closure)) {
    PyObject *agreed = ((struct dial *)object)->agreed;
    return Py_NewRef(agreed ? agreed : Py_None);
}

static PyGetSetDef dial_getset[] = {
    {"request", get_request, NULL, "The bytes to send.", NULL},
    {"status", get_status, NULL, "The status of the answer, None while it is not known.", NULL},
    {"handshake", get_handshake, NULL, "What was agreed, a Handshake; None until the connection is open.", NULL},
    {"compression", get_compression, NULL,
     "The Deflate to give to Stream or Connection, whose parameters were agreed on; None where messages are not to be\n"
     "compressed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef dial_methods[] = {
    {"feed", (PyCFunction)(void (*)(void))dial_feed, METH_FASTCALL | METH_KEYWORDS,
     "feed($self, /, data)\n--\n\n"
     "Takes the next bytes of the answer.\n\n"
     "Returns:\n"
     "    None while the answer is incomplete; once the connection is open the bytes of data that follow it.\n\n"
     "Raises:\n"
     "    InvalidMessage, InvalidHeader, InvalidUpgrade, NegotiationError: the answer is wrong; name says how.\n"
     "    InvalidStatus: its status is not 101.\n"
     "    Exception: whatever a callback raised.\n"
     "    RuntimeError: the answer has ended already."},
    {"eof", dial_eof, METH_NOARGS,
     "eof($self, /)\n--\n\n"
     "Says that the stream has ended, and with it the handshake.\n\n"
     "Raises:\n"
     "    InvalidStatus: the head was complete: response has what came of the body.\n"
     "    InvalidMessage: it was not.\n"
     "    RuntimeError: the answer has ended already."},
    {"expire", dial_expire, METH_NOARGS,
     "expire($self, /)\n--\n\n"
     "Says that the time is up, which ends the handshake.\n\n"
     "Raises:\n"
     "    InvalidStatus: the head was complete: response has what came of the body.\n"
     "    HandshakeTimeout: it was not.\n"
     "    RuntimeError: the answer has ended already."},
    {"abort", dial_abort, METH_NOARGS,
     "abort($self, /)\n--\n\n"
     "Says that the handshake is given up: on_end sees what has come of it. Does nothing where it has ended."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot dial_slots[] = {
    {Py_tp_doc, "Dial(url, *, protocols=None, extensions=None, header=None, host=None, origin=None, on_header=None, "
                "on_extension=None, on_status_error=None, on_end=None, redirects=False, max_head_size=16384, "
                "max_headers=128, max_body_size=65536, compression=None)\n--\n\n"
                "The client's half of one opening handshake, without I/O. RFC 6455 4.1.\n\n"
                "Send request, then feed() what comes until it returns bytes: the first ones of the connection.\n\n"
                "Args: as for Dialer, and\n"
                "    url: an address of ws or wss. User and password become an Authorization header.\n"
                "    redirects: an answer that points elsewhere ends without its body; location of the InvalidStatus\n"
                "        is where it leads.\n\n"
                "Raises:\n"
                "    InvalidURI: url is no address.\n"
                "    ValueError: a header, host or origin that may not be written, protocols or extensions that are\n"
                "        none."},
    SLOT(Py_tp_new, dial_tp_new),
    SLOT(Py_tp_dealloc, dial_dealloc),
    SLOT(Py_tp_traverse, dial_traverse),
    SLOT(Py_tp_clear, dial_clear),
    {Py_tp_methods, dial_methods},
    {Py_tp_getset, dial_getset},
    {0, NULL},
};

PyType_Spec dial_spec = {
    .name = "fastws.Dial",
    .basicsize = sizeof(struct dial),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = dial_slots,
};
