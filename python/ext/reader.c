/* SPDX-License-Identifier: MIT */
/* The Reader type: messages of a Stream as a file. In this first form a message is read whole before it is handed out. */
#include "args.h"
#include "errors.h"
#include "events.h"
#include "header.h"
#include "stream.h"

#include <structmember.h>

#include <string.h>

#include <fastws/error.h>
#include <fastws/utf8.h>

struct reader {
    PyObject_HEAD
    struct stream *stream;
    PyObject *message; /* bytes of the current message; NULL between messages */
    Py_ssize_t offset; /* how many of them have been read */
    int check_utf8;
    int is_framed; /* next_frame() was called: reads stay inside its message, and fetch no other */
    int is_closed;
};

static PyObject *reader_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "check_utf8", NULL};
    struct state *state = state_of_type(type);
    PyObject *stream;
    int check_utf8 = 1;
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|$p:Reader", names, state->stream_type, &stream,
                                               &check_utf8)) {
        return NULL;
    }
    struct reader *self = (struct reader *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->stream = (struct stream *)Py_NewRef(stream);
    self->check_utf8 = check_utf8;
    return (PyObject *)self;
}

static int reader_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct reader *)object)->stream);
    return 0;
}

static void reader_dealloc(PyObject *object) {
    struct reader *self = (struct reader *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    Py_CLEAR(self->stream);
    Py_CLEAR(self->message);
    type->tp_free(object);
    Py_DECREF(type);
}

/* A stream that does not check text may still have a reader that does. */
static int check_text(const struct reader *self, const struct fastws_event *event) {
    if (!self->check_utf8 || self->stream->protocol.config.is_utf8_checked) return 0;
    if (event->opcode != FASTWS_OPCODE_TEXT || fastws_utf8_is_valid(event->ptr, (size_t)event->len)) return 0;
    error_raise(self->stream->state, FASTWS_ERR_UTF8);
    return -1;
}

static int check_open(const struct reader *self) {
    if (!self->is_closed) return 0;
    PyErr_SetString(PyExc_ValueError, "reader is closed");
    return -1;
}

/* Waits for the next message; what is left of the current one is dropped. */
static int fetch(struct reader *self, unsigned *opcode) {
    struct fastws_event event;
    if (stream_begin_read(self->stream) < 0) return -1;
    PyObject *message = NULL;
    if (stream_next_message(self->stream, &event, UINT64_MAX) == 0 && check_text(self, &event) == 0) {
        message = event_bytes(&event);
        *opcode = event.opcode;
    }
    stream_end_read(self->stream);
    Py_XSETREF(self->message, message);
    self->offset = 0;
    return message ? 0 : -1;
}

static PyObject *reader_next_frame(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct reader *self = (struct reader *)object;
    unsigned opcode;
    if (check_open(self) < 0 || fetch(self, &opcode) < 0 || !self->message) return NULL;
    self->is_framed = 1;
    struct fastws_header header = {.fin = 1, .opcode = (uint8_t)opcode,
                                   .length = (uint64_t)PyBytes_GET_SIZE(self->message)};
    return header_new(self->stream->state, &header);
}

static Py_ssize_t left(const struct reader *self) { return PyBytes_GET_SIZE(self->message) - self->offset; }

/* Finds the current message. Returns 1, 0 if the one of next_frame() has been read to its end, or -1 with an
 * exception. */
static int need_message(struct reader *self) {
    unsigned opcode;
    if (check_open(self) < 0) return -1;
    if (self->message) return 1;
    if (self->is_framed) return 0;
    return fetch(self, &opcode) < 0 ? -1 : 1;
}

/* Reads to the end, which is thereby reported. */
static PyObject *read_rest(struct reader *self) {
    PyObject *message = self->message;
    PyObject *rest = self->offset == 0 ? Py_NewRef(message)
                                       : PyBytes_FromStringAndSize(PyBytes_AS_STRING(message) + self->offset, left(self));
    if (rest) Py_CLEAR(self->message);
    return rest;
}

static PyObject *reader_read(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct reader *self = (struct reader *)object;
    PyObject *number;
    Py_ssize_t len = -1;
    if (arg_one("read", args, count, kwnames, "n", 0, &number) < 0) return NULL;
    if (number && number != Py_None) {
        if (!PyIndex_Check(number)) {
            return PyErr_Format(PyExc_TypeError, "n must be an integer or None, not %.200s", Py_TYPE(number)->tp_name);
        }
        len = PyNumber_AsSsize_t(number, PyExc_OverflowError);
        if (len == -1 && PyErr_Occurred()) return NULL;
    }
    int found = len == 0 ? check_open(self) : need_message(self);
    if (found <= 0) return found < 0 ? NULL : PyBytes_FromStringAndSize(NULL, 0);
    if (len < 0) return read_rest(self);
    if (len > left(self)) len = left(self);
    PyObject *bytes = PyBytes_FromStringAndSize(PyBytes_AS_STRING(self->message) + self->offset, len);
    if (!bytes) return NULL;
    self->offset += len;
    if (len == 0) Py_CLEAR(self->message);
    return bytes;
}

static PyObject *reader_readinto(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct reader *self = (struct reader *)object;
    PyObject *buffer;
    Py_buffer view;
    if (arg_one("readinto", args, count, kwnames, "buffer", 1, &buffer) < 0) return NULL;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE) < 0) {
        PyErr_Clear();
        return PyErr_Format(PyExc_TypeError, "buffer must be a writable, C-contiguous bytes-like object, not %.200s",
                            Py_TYPE(buffer)->tp_name);
    }
    /* Last: the buffer may be an object whose Python code has used this reader. */
    int found = need_message(self);
    if (found <= 0) {
        PyBuffer_Release(&view);
        return found < 0 ? NULL : PyLong_FromLong(0);
    }
    Py_ssize_t len = view.len < left(self) ? view.len : left(self);
    if (len) memcpy(view.buf, PyBytes_AS_STRING(self->message) + self->offset, (size_t)len);
    self->offset += len;
    if (len == 0 && view.len != 0) Py_CLEAR(self->message);
    PyBuffer_Release(&view);
    return PyLong_FromSsize_t(len);
}

static PyObject *reader_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct reader *self = (struct reader *)object;
    self->is_closed = 1;
    Py_CLEAR(self->message);
    Py_RETURN_NONE;
}

static PyObject *reader_flush(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) { Py_RETURN_NONE; }

static PyObject *get_closed(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((struct reader *)object)->is_closed);
}

static PyObject *reader_readable(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) { Py_RETURN_TRUE; }

static PyObject *reader_no(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) { Py_RETURN_FALSE; }

static PyMemberDef reader_members[] = {
    {"stream", T_OBJECT, offsetof(struct reader, stream), READONLY, "The Stream that messages are read from."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef reader_getset[] = {
    {"closed", get_closed, NULL, "True once close() was called.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef reader_methods[] = {
    {"next_frame", reader_next_frame, METH_NOARGS,
     "next_frame($self, /)\n--\n\n"
     "Waits for the next message, and drops what was not read of the one before. Control frames are answered.\n\n"
     "From then on the reader is a file of that message alone: at its end reads return b'' until the next call.\n\n"
     "Returns:\n"
     "    The Header of the message as if it came in one frame, not masked.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended.\n"
     "    ValueError: the reader is closed."},
    {"read", (PyCFunction)(void (*)(void))reader_read, METH_FASTCALL | METH_KEYWORDS,
     "read($self, /, n=-1)\n--\n\n"
     "Reads from the message of next_frame(). At its end, and from then on, it returns b''.\n\n"
     "Where next_frame() was never called, a read takes the next message by itself once the one before has ended:\n"
     "by read() without a number, or by b'' from read(n). So json.load() may be called again and again.\n\n"
     "Args:\n"
     "    n: bytes to read at most; negative or None for all that is left of the message.\n\n"
     "Returns:\n"
     "    bytes, also of a text message; b'' at its end.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended.\n"
     "    ValueError: the reader is closed.\n"
     "    InvalidUTF8: the stream does not check text, check_utf8 is set, and the message is not UTF-8."},
    {"readinto", (PyCFunction)(void (*)(void))reader_readinto, METH_FASTCALL | METH_KEYWORDS,
     "readinto($self, /, buffer)\n--\n\n"
     "Like read(), but into a writable buffer. Returns the number of bytes; 0 at the end of the message."},
    {"close", reader_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Drops what was not read: the reader cannot be used any more. The stream stays open.\n\n"
     "What wraps a reader, such as io.BufferedReader, closes it when it goes: take a new Reader for each message, or\n"
     "detach() it."},
    {"flush", reader_flush, METH_NOARGS, "flush($self, /)\n--\n\nDoes nothing: for what wraps a reader."},
    {"readable", reader_readable, METH_NOARGS, "readable($self, /)\n--\n\nReturns True."},
    {"writable", reader_no, METH_NOARGS, "writable($self, /)\n--\n\nReturns False."},
    {"seekable", reader_no, METH_NOARGS, "seekable($self, /)\n--\n\nReturns False."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "Reader(stream, *, check_utf8=True)\n--\n\n"
                "The messages of a Stream, one after another, as a file to read: for json.load(), shutil.copyfileobj().\n\n"
                "After next_frame() it may be wrapped by io.BufferedReader or io.TextIOWrapper.\n\n"
                "Args:\n"
                "    stream: a Stream.\n"
                "    check_utf8: refuse text that is not UTF-8 even if the stream lets it through."},
    SLOT(Py_tp_new, reader_tp_new),
    SLOT(Py_tp_dealloc, reader_dealloc),
    SLOT(Py_tp_traverse, reader_traverse),
    {Py_tp_methods, reader_methods},
    {Py_tp_getset, reader_getset},
    {Py_tp_members, reader_members},
    {0, NULL},
};

PyType_Spec reader_spec = {
    .name = "fastws.Reader",
    .basicsize = sizeof(struct reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = reader_slots,
};
