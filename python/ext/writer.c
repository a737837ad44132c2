/* SPDX-License-Identifier: MIT */
/* The Writer type: a file whose bytes become messages of a Stream. In this first form a message goes out whole. */
#include "args.h"
#include "errors.h"
#include "header.h"
#include "stream.h"

#include <structmember.h>

#include <string.h>

#include <fastws/error.h>
#include <fastws/utf8.h>

struct writer {
    PyObject_HEAD
    struct stream *stream;
    char *bytes; /* what was written since the last flush; NULL while a flush has it */
    size_t len;
    size_t cap;
    size_t buffer_size; /* what a buffer begins with, and goes back to */
    int opcode;
    int is_begun; /* something was written, if only nothing: a flush sends a message */
};

static PyObject *writer_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "opcode", "buffer_size", NULL};
    struct state *state = state_of_type(type);
    PyObject *stream, *opcode = NULL, *size = NULL;
    int number = FASTWS_OPCODE_TEXT;
    uint64_t buffer_size = 4096;
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|OO:Writer", names, state->stream_type, &stream,
                                               &opcode, &size)) {
        return NULL;
    }
    if (opcode && arg_data_opcode(opcode, &number) < 0) return NULL;
    if (size && arg_unsigned(size, "buffer_size", PY_SSIZE_T_MAX, &buffer_size) < 0) return NULL;
    struct writer *self = (struct writer *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->stream = (struct stream *)Py_NewRef(stream);
    self->opcode = number;
    self->buffer_size = buffer_size ? (size_t)buffer_size : 1;
    return (PyObject *)self;
}

static int writer_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct writer *)object)->stream);
    return 0;
}

static void writer_dealloc(PyObject *object) {
    struct writer *self = (struct writer *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    Py_CLEAR(self->stream);
    PyMem_Free(self->bytes);
    type->tp_free(object);
    Py_DECREF(type);
}

/* Makes room for more bytes: at least doubles, so that many small writes cost little. */
static int reserve(struct writer *self, size_t more) {
    if (self->bytes && self->cap - self->len >= more) return 0;
    if (more > (size_t)PY_SSIZE_T_MAX - self->len) {
        PyErr_NoMemory();
        return -1;
    }
    size_t cap = self->cap ? 2 * self->cap : self->buffer_size;
    if (cap < self->len + more) cap = self->len + more;
    char *bytes = PyMem_Realloc(self->bytes, cap);
    if (!bytes) {
        PyErr_NoMemory();
        return -1;
    }
    self->bytes = bytes;
    self->cap = cap;
    return 0;
}

static PyObject *writer_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct writer *self = (struct writer *)object;
    PyObject *data;
    Py_buffer view;
    if (arg_one("write", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_payload(data, "data", &view) < 0) return NULL;
    int result = reserve(self, (size_t)view.len);
    if (result == 0) {
        if (view.len) memcpy(self->bytes + self->len, view.buf, (size_t)view.len);
        self->len += (size_t)view.len;
        self->is_begun = 1;
    }
    /* As files count: characters of text, bytes of anything else. */
    Py_ssize_t written = PyUnicode_Check(data) ? PyUnicode_GET_LENGTH(data) : view.len;
    PyBuffer_Release(&view);
    return result < 0 ? NULL : PyLong_FromSsize_t(written);
}

/* Forgets what was written. */
static void clear(struct writer *self) {
    if (self->cap > self->buffer_size) {
        PyMem_Free(self->bytes);
        self->bytes = NULL;
        self->cap = 0;
    }
    self->len = 0;
    self->is_begun = 0;
}

static PyObject *writer_flush(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct writer *self = (struct writer *)object;
    if (!self->is_begun) Py_RETURN_NONE;
    if (self->opcode == FASTWS_OPCODE_TEXT && !fastws_utf8_is_valid(self->bytes, self->len)) {
        return error_raise_value(FASTWS_ERR_UTF8);
    }
    /* Taken away while the interpreter lock may be gone: another thread that writes begins a new buffer. */
    struct writer taken = *self;
    self->bytes = NULL;
    self->len = self->cap = 0;
    self->is_begun = 0;
    int result = stream_send_bytes(self->stream, taken.opcode, taken.bytes, taken.len);
    if (self->bytes || taken.cap > self->buffer_size) {
        PyMem_Free(taken.bytes);
    } else {
        self->bytes = taken.bytes;
        self->cap = taken.cap;
    }
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *writer_reset(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"opcode", NULL};
    struct writer *self = (struct writer *)object;
    PyObject *opcode;
    int number = self->opcode;
    if (arg_sort("reset", args, count, kwnames, names, 0, 1, &opcode) < 0) return NULL;
    if (opcode && opcode != Py_None && arg_data_opcode(opcode, &number) < 0) return NULL;
    clear(self);
    self->opcode = number;
    Py_RETURN_NONE;
}

static PyObject *get_opcode(PyObject *object, void *Py_UNUSED(closure)) {
    struct writer *self = (struct writer *)object;
    return opcode_new(self->stream->state, (unsigned)self->opcode);
}

static PyObject *get_buffered(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromSize_t(((struct writer *)object)->len);
}

static PyObject *writer_writable(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) { Py_RETURN_TRUE; }

static PyObject *writer_no(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) { Py_RETURN_FALSE; }

static PyGetSetDef writer_getset[] = {
    {"opcode", get_opcode, NULL, "The OpCode of the next message.", NULL},
    {"buffered", get_buffered, NULL, "Bytes written since the last flush.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef writer_members[] = {
    {"stream", T_OBJECT, offsetof(struct writer, stream), READONLY, "The Stream that messages are sent through."},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef writer_methods[] = {
    {"write", (PyCFunction)(void (*)(void))writer_write, METH_FASTCALL | METH_KEYWORDS,
     "write($self, /, data)\n--\n\n"
     "Adds to the message.\n\n"
     "Args:\n"
     "    data: str, which is written as UTF-8, or bytes-like.\n\n"
     "Returns:\n"
     "    Characters of a str, bytes of anything else."},
    {"flush", writer_flush, METH_NOARGS,
     "flush($self, /)\n--\n\n"
     "Sends what was written since the last flush as one message; nothing if nothing was.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended.\n"
     "    ValueError: the message is text and not UTF-8; it is kept."},
    {"reset", (PyCFunction)(void (*)(void))writer_reset, METH_FASTCALL | METH_KEYWORDS,
     "reset($self, opcode=None)\n--\n\n"
     "Forgets what was not flushed.\n\n"
     "Args:\n"
     "    opcode: OpCode.TEXT or OpCode.BINARY for the messages from now on; None keeps it."},
    {"writable", writer_writable, METH_NOARGS, "writable($self, /)\n--\n\nReturns True."},
    {"readable", writer_no, METH_NOARGS, "readable($self, /)\n--\n\nReturns False."},
    {"seekable", writer_no, METH_NOARGS, "seekable($self, /)\n--\n\nReturns False."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, "Writer(stream, opcode=OpCode.TEXT, buffer_size=4096)\n--\n\n"
                "A file to write whose bytes become messages of a Stream: for json.dump(), shutil.copyfileobj().\n\n"
                "Args:\n"
                "    stream: a Stream.\n"
                "    opcode: OpCode.TEXT or OpCode.BINARY.\n"
                "    buffer_size: bytes that the buffer begins with; it grows with the message."},
    SLOT(Py_tp_new, writer_tp_new),
    SLOT(Py_tp_dealloc, writer_dealloc),
    SLOT(Py_tp_traverse, writer_traverse),
    {Py_tp_methods, writer_methods},
    {Py_tp_getset, writer_getset},
    {Py_tp_members, writer_members},
    {0, NULL},
};

PyType_Spec writer_spec = {
    .name = "fastws.Writer",
    .basicsize = sizeof(struct writer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = writer_slots,
};
