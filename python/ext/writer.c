/* SPDX-License-Identifier: MIT */
/* The Writer type: a file whose bytes become messages of a Stream, in fragments. */
#include "args.h"
#include "errors.h"
#include "file.h"
#include "header.h"
#include "stream.h"

#include <structmember.h>

#include <fastws/error.h>
#include <fastws/utf8.h>

#define COPY_LEN 65536 /* bytes that read_from() asks for at a time */

struct writer {
    PyObject_HEAD
    struct stream *stream;
    PyObject *set_bits; /* a tuple of functions, or NULL */
    size_t buffer_size; /* of a fragment; 0: never fragment */
    struct fastws_utf8 utf8; /* of the message so far, if it is text */
    int opcode;
    int is_torn;  /* a part of the message was sent and the rest dropped: it can neither go on nor end */
    int is_begun; /* something was written, if only nothing: a flush ends a message */
};

/* ---- Life ---- */

static PyObject *writer_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "opcode", "buffer_size", "extensions", NULL};
    struct state *state = state_of_type(type);
    PyObject *stream, *opcode = NULL, *size = NULL, *extensions = NULL;
    int number = FASTWS_OPCODE_TEXT;
    uint64_t buffer_size = 4096;
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|OO$O:Writer", names, state->stream_type, &stream,
                                               &opcode, &size, &extensions)) {
        return NULL;
    }
    if (opcode && arg_data_opcode(opcode, &number) < 0) return NULL;
    if (size && arg_limit(size, "buffer_size", PY_SSIZE_T_MAX, &buffer_size) < 0) return NULL;
    struct writer *self = (struct writer *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->stream = (struct stream *)Py_NewRef(stream);
    self->opcode = number;
    self->buffer_size = (size_t)buffer_size;
    if (extensions && !(self->set_bits = hooks_resolve(state, extensions, NAME_SET_BITS))) Py_CLEAR(self);
    return (PyObject *)self;
}

static int writer_traverse(PyObject *object, visitproc visit, void *arg) {
    struct writer *self = (struct writer *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->stream);
    Py_VISIT(self->set_bits);
    return 0;
}

/* Forgets what was written and has not left. A message of which a part has left stays open. */
static void forget(struct writer *self) {
    if (self->is_begun && self->stream) fastws_conn_abandon(self->stream->protocol.conn);
    self->is_begun = 0;
    self->is_torn = 0;
    fastws_utf8_init(&self->utf8);
}

static int writer_clear(PyObject *object) {
    struct writer *self = (struct writer *)object;
    forget(self);
    Py_CLEAR(self->stream);
    Py_CLEAR(self->set_bits);
    return 0;
}

static void writer_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    writer_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- Sending ---- */

enum step { STEP_WRITE, STEP_FLUSH_FRAGMENT, STEP_FINISH };

static int call(struct writer *self, enum step step, const Py_buffer *view) {
    struct fastws_conn *conn = self->stream->protocol.conn;
    if (!self->is_begun) {
        int error = fastws_conn_begin(conn, self->opcode);
        if (error < 0) return error;
        self->is_begun = 1;
    }
    fastws_conn_set_fragment_len(conn, self->buffer_size);
    switch (step) {
    case STEP_WRITE: return fastws_conn_write(conn, view->buf, (size_t)view->len);
    case STEP_FLUSH_FRAGMENT: return fastws_conn_flush_fragment(conn);
    default: return fastws_conn_finish(conn);
    }
}

/* Does one step of the message by the extensions of this writer, and sends what it has queued. Returns 0, or -1 with an
 * exception. */
static int send_step(struct writer *self, enum step step, const Py_buffer *view) {
    struct stream *stream = self->stream;
    struct hooks *hooks = &stream->protocol.hooks;
    if (self->is_torn) {
        PyErr_SetString(PyExc_RuntimeError, "half of a message has been sent and the rest dropped: close the stream");
        return -1;
    }
    if (stream_begin_send(stream) < 0) return -1;
    int error;
    if (self->set_bits) {
        error = protocol_use_hooks(&stream->protocol, stream->state);
        Py_XSETREF(hooks->set_bits, Py_NewRef(self->set_bits));
    } else {
        error = 0;
    }
    if (error == 0) error = call(self, step, view);
    if (self->set_bits) Py_CLEAR(hooks->set_bits);
    if (error == 0 && step == STEP_FINISH) {
        self->is_begun = 0;
        fastws_utf8_init(&self->utf8);
    }
    return stream_end_send(stream, error, view);
}

/* RFC 6455 5.6: a text is UTF-8 as a whole; its pieces may end inside of characters. Returns 0, or -1 with ValueError:
 * then utf8 is as it was. */
static int check_text(const struct writer *self, struct fastws_utf8 *utf8, const Py_buffer *view) {
    if (self->opcode != FASTWS_OPCODE_TEXT) return 0;
    if (fastws_utf8_update(utf8, view->buf, (size_t)view->len) == 0) return 0;
    error_raise_value(FASTWS_ERR_UTF8);
    return -1;
}

static int write_piece(struct writer *self, const Py_buffer *view) {
    struct fastws_utf8 utf8 = self->utf8;
    if (check_text(self, &utf8, view) < 0 || send_step(self, STEP_WRITE, view) < 0) return -1;
    self->utf8 = utf8;
    return 0;
}

static PyObject *writer_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct writer *self = (struct writer *)object;
    PyObject *data;
    Py_buffer view;
    if (arg_one("write", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_payload(data, "data", &view) < 0) return NULL;
    int result = write_piece(self, &view);
    /* As files count: characters of text, bytes of anything else. */
    Py_ssize_t written = PyUnicode_Check(data) ? PyUnicode_GET_LENGTH(data) : view.len;
    PyBuffer_Release(&view);
    return result < 0 ? NULL : PyLong_FromSsize_t(written);
}

static PyObject *writer_read_from(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct writer *self = (struct writer *)object;
    struct state *state = self->stream->state;
    PyObject *file;
    struct source source = {0};
    if (arg_one("read_from", args, count, kwnames, "source", 1, &file) < 0) return NULL;
    if (source_open(&source, state, file) < 0) return NULL;
    uint64_t total = 0;
    Py_ssize_t len = -1;
    while (len != 0) {
        PyObject *bytes = source_read(&source, state, COPY_LEN);
        Py_buffer view;
        if (bytes == Py_None) PyErr_SetString(PyExc_BlockingIOError, "source has nothing: it must be in blocking mode");
        if (!bytes || bytes == Py_None || PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0) {
            Py_XDECREF(bytes);
            break;
        }
        int result = write_piece(self, &view);
        len = view.len;
        PyBuffer_Release(&view);
        Py_DECREF(bytes);
        if (result < 0) break;
        total += (uint64_t)len;
    }
    Py_DECREF(source.file);
    return len != 0 || PyErr_Occurred() ? NULL : PyLong_FromUnsignedLongLong(total);
}

static PyObject *writer_flush_fragment(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct writer *self = (struct writer *)object;
    if (!self->is_begun) Py_RETURN_NONE;
    return send_step(self, STEP_FLUSH_FRAGMENT, NULL) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *writer_flush(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct writer *self = (struct writer *)object;
    if (!self->is_begun) Py_RETURN_NONE;
    if (self->opcode == FASTWS_OPCODE_TEXT && fastws_utf8_finish(&self->utf8) < 0) {
        return error_raise_value(FASTWS_ERR_UTF8);
    }
    return send_step(self, STEP_FINISH, NULL) < 0 ? NULL : Py_NewRef(Py_None);
}

/* A part that has left cannot be taken back, unless nothing more can be sent anyway. */
static int check_may_forget(struct writer *self) {
    struct fastws_conn *conn = self->stream->protocol.conn;
    if (!self->is_begun) return 0;
    fastws_conn_abandon(conn);
    fastws_utf8_init(&self->utf8);
    if (!fastws_conn_is_message_open(conn) || self->stream->is_broken || self->stream->protocol.error ||
        fastws_conn_close_sent(conn)) {
        return 0;
    }
    PyErr_SetString(PyExc_RuntimeError, "a part of the message has been sent: finish it with flush(), or close the stream");
    return -1;
}

static PyObject *writer_reset(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"opcode", "stream", NULL};
    struct writer *self = (struct writer *)object;
    PyObject *sorted[2];
    int number = self->opcode;
    if (arg_sort("reset", args, count, kwnames, names, 0, 2, sorted) < 0) return NULL;
    PyObject *opcode = sorted[0], *stream = sorted[1];
    if (opcode && opcode != Py_None && arg_data_opcode(opcode, &number) < 0) return NULL;
    if (stream && stream != Py_None && !PyObject_TypeCheck(stream, self->stream->state->stream_type)) {
        return PyErr_Format(PyExc_TypeError, "stream must be a Stream, not %.200s", Py_TYPE(stream)->tp_name);
    }
    if (check_may_forget(self) < 0) return NULL;
    forget(self);
    self->opcode = number;
    if (stream && stream != Py_None) Py_SETREF(self->stream, (struct stream *)Py_NewRef(stream));
    Py_RETURN_NONE;
}

static PyObject *writer_enter(PyObject *self, PyObject *Py_UNUSED(ignored)) { return Py_NewRef(self); }

static PyObject *writer_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    if (arg_count("__exit__", count, 3, 3) < 0) return NULL;
    if (args[0] == Py_None) return writer_flush(object, NULL);
    /* Half of a message is not to pass for all of it. */
    struct writer *self = (struct writer *)object;
    if (self->is_begun) fastws_conn_abandon(self->stream->protocol.conn);
    fastws_utf8_init(&self->utf8);
    if (self->is_begun && fastws_conn_is_message_open(self->stream->protocol.conn)) self->is_torn = 1;
    self->is_begun = self->is_torn;
    Py_RETURN_NONE;
}

/* ---- Attributes ---- */

static PyObject *get_opcode(PyObject *object, void *Py_UNUSED(closure)) {
    struct writer *self = (struct writer *)object;
    return opcode_new(self->stream->state, (unsigned)self->opcode);
}

static size_t buffered(const struct writer *self) {
    return self->is_begun ? fastws_conn_buffered_len(self->stream->protocol.conn) : 0;
}

static PyObject *get_buffered(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromSize_t(buffered((struct writer *)object));
}

static PyObject *get_available(PyObject *object, void *Py_UNUSED(closure)) {
    struct writer *self = (struct writer *)object;
    if (self->buffer_size == 0) Py_RETURN_NONE;
    return PyLong_FromSize_t(self->buffer_size - buffered(self));
}

static PyObject *get_buffer_size(PyObject *object, void *Py_UNUSED(closure)) {
    struct writer *self = (struct writer *)object;
    if (self->buffer_size == 0) Py_RETURN_NONE;
    return PyLong_FromSize_t(self->buffer_size);
}

static PyGetSetDef writer_getset[] = {
    {"opcode", get_opcode, NULL, "The OpCode of the next message.", NULL},
    {"buffered", get_buffered, NULL, "Bytes written that are not in a fragment yet.", NULL},
    {"available", get_available, NULL, "Bytes that the next fragment has room for; None if it grows.", NULL},
    {"buffer_size", get_buffer_size, NULL, "Bytes of a fragment; None if messages are not fragmented.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef writer_members[] = {
    {"stream", T_OBJECT, offsetof(struct writer, stream), READONLY, "The Stream that messages are sent through."},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef writer_methods[] = {
    {"write", (PyCFunction)(void (*)(void))writer_write, METH_FASTCALL | METH_KEYWORDS,
     "write($self, /, data)\n--\n\n"
     "Adds to the message, which it begins if need be. Until flush() ends it, no other message can be sent.\n\n"
     "A fragment is sent when it is full and more is written. What fills whole fragments of 4096 bytes and more is\n"
     "sent from where it lies.\n\n"
     "Args:\n"
     "    data: str, which is written as UTF-8, or bytes-like. A character may be cut anywhere.\n\n"
     "Returns:\n"
     "    Characters of a str, bytes of anything else.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended.\n"
     "    RuntimeError: another message was begun and is not finished.\n"
     "    ValueError: the message is text and would not be UTF-8; nothing of data was added."},
    {"read_from", (PyCFunction)(void (*)(void))writer_read_from, METH_FASTCALL | METH_KEYWORDS,
     "read_from($self, /, source)\n--\n\n"
     "Writes all that a file or socket has, until its end; flush() is left to the caller. Returns the bytes written."},
    {"flush_fragment", writer_flush_fragment, METH_NOARGS,
     "flush_fragment($self, /)\n--\n\n"
     "Sends what was written as a fragment, though it is not full. The message goes on. RFC 6455 5.4."},
    {"flush", writer_flush, METH_NOARGS,
     "flush($self, /)\n--\n\n"
     "Ends the message, and sends what is left of it; does nothing if nothing was written.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended.\n"
     "    ValueError: the message is text and ends inside a character; it stays open."},
    {"reset", (PyCFunction)(void (*)(void))writer_reset, METH_FASTCALL | METH_KEYWORDS,
     "reset($self, /, opcode=None, stream=None)\n--\n\n"
     "Forgets what was written and has not been sent, and every error.\n\n"
     "Args:\n"
     "    opcode: OpCode.TEXT or OpCode.BINARY for the messages from now on; None keeps it.\n"
     "    stream: a Stream to write to from now on; None keeps it. Extensions stay.\n\n"
     "Raises:\n"
     "    RuntimeError: a fragment of the message has been sent, so that the peer waits for its end."},
    {"__enter__", writer_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))writer_exit, METH_FASTCALL, NULL},
    FILE_WRITABLE,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, "Writer(stream, opcode=OpCode.TEXT, buffer_size=4096, *, extensions=())\n--\n\n"
                "A file to write whose bytes become messages of a Stream: for json.dump(), shutil.copyfileobj().\n\n"
                "A message ends with flush(), or with a `with` block of the writer, which may be entered again and\n"
                "again; one that is left by an exception drops what was not sent.\n\n"
                "Args:\n"
                "    stream: a Stream.\n"
                "    opcode: OpCode.TEXT or OpCode.BINARY.\n"
                "    buffer_size: bytes of a fragment; a message of no more is a single frame. None never to fragment:\n"
                "        then a message grows in memory until flush().\n"
                "    extensions: functions, or objects with set_bits(header), that are called with the Header of each\n"
                "        frame that is to go. They return a Header with rsv as they want it, or None, or raise to\n"
                "        refuse. They must not use the stream. RFC 6455 9."},
    SLOT(Py_tp_new, writer_tp_new),
    SLOT(Py_tp_dealloc, writer_dealloc),
    SLOT(Py_tp_traverse, writer_traverse),
    SLOT(Py_tp_clear, writer_clear),
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
