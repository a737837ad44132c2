/* SPDX-License-Identifier: MIT */
/* The Writer type: a file whose bytes become messages of a Stream, in fragments. */
#include "args.h"
#include "errors.h"
#include "file.h"
#include "header.h"
#include "writer.h"

#include <structmember.h>

#include <fastws/error.h>

#define COPY_LEN 65536 /* bytes that read_from() asks for at a time */

/* ---- Life ---- */

static PyObject *writer_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "opcode", "buffer_size", "extensions", "compress", NULL};
    struct state *state = state_of_type(type);
    PyObject *stream, *opcode = NULL, *size = NULL, *extensions = NULL, *compress = NULL;
    int number = FASTWS_OPCODE_TEXT, flags;
    uint64_t buffer_size = 4096;
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|OO$OO:Writer", names, state->stream_type, &stream,
                                               &opcode, &size, &extensions, &compress)) {
        return NULL;
    }
    if (protocol_take_compress(compress, &flags) < 0) return NULL;
    if (opcode && arg_data_opcode(opcode, &number) < 0) return NULL;
    if (size && arg_limit(size, "buffer_size", PY_SSIZE_T_MAX, &buffer_size) < 0) return NULL;
    struct writer *self = (struct writer *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->stream = (struct stream *)Py_NewRef(stream);
    self->opcode = number;
    self->flags = flags;
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

static int writer_clear(PyObject *object) {
    struct writer *self = (struct writer *)object;
    if (self->stream && writer_is_begun(self)) stream_abandon(self->stream);
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

/* ---- Writing ---- */

static int check_open(const struct writer *self) {
    if (!self->is_closed) return 0;
    PyErr_SetString(PyExc_ValueError, "writer is closed");
    return -1;
}

/* Writes what a method was given. Returns what it returns. */
static PyObject *write_data(struct writer *self, PyObject *data) {
    Py_buffer view;
    if (check_open(self) < 0 || arg_payload(data, "data", &view) < 0) return NULL;
    int result = writer_write_piece(self, &view);
    /* As files count: characters of text, bytes of anything else. */
    Py_ssize_t written = PyUnicode_Check(data) ? PyUnicode_GET_LENGTH(data) : view.len;
    PyBuffer_Release(&view);
    return result < 0 ? NULL : PyLong_FromSsize_t(written);
}

static PyObject *writer_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    if (arg_one("write", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    return write_data((struct writer *)object, data);
}

static PyObject *writer_writelines(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct writer *self = (struct writer *)object;
    PyObject *lines, *line;
    if (arg_one("writelines", args, count, kwnames, "lines", 1, &lines) < 0 || check_open(self) < 0) return NULL;
    PyObject *iterator = PyObject_GetIter(lines);
    if (!iterator) return NULL;
    while ((line = PyIter_Next(iterator))) {
        PyObject *written = write_data(self, line);
        Py_DECREF(line);
        if (!written) break;
        Py_DECREF(written);
    }
    Py_DECREF(iterator);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *writer_read_from(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct writer *self = (struct writer *)object;
    struct state *state = self->stream->state;
    PyObject *file;
    struct source source = {0};
    if (arg_one("read_from", args, count, kwnames, "source", 1, &file) < 0 || check_open(self) < 0) return NULL;
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
        int result = writer_write_piece(self, &view);
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
    if (check_open(self) < 0) return NULL;
    if (!writer_is_begun(self)) Py_RETURN_NONE;
    return writer_send(self, WRITER_FLUSH_FRAGMENT, NULL) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *writer_flush(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct writer *self = (struct writer *)object;
    if (check_open(self) < 0) return NULL;
    if (!writer_is_begun(self)) Py_RETURN_NONE;
    if (self->opcode == FASTWS_OPCODE_TEXT && fastws_utf8_finish(&self->utf8) < 0) {
        return error_raise_value(FASTWS_ERR_UTF8);
    }
    return writer_send(self, WRITER_FINISH, NULL) < 0 ? NULL : Py_NewRef(Py_None);
}

/* Closed also if the message cannot be ended: what is left of it is dropped. */
static PyObject *writer_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct writer *self = (struct writer *)object;
    if (self->is_closed) Py_RETURN_NONE;
    PyObject *result = writer_flush(object, NULL);
    self->is_closed = 1;
    if (result) return result;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (writer_tear(self) < 0) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return NULL;
}

static PyObject *writer_reset(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"opcode", "stream", "extensions", NULL};
    struct writer *self = (struct writer *)object;
    PyObject *sorted[3], *set_bits = NULL;
    int number = self->opcode;
    if (arg_sort("reset", args, count, kwnames, names, 0, 2, sorted) < 0) return NULL;
    PyObject *opcode = sorted[0], *stream = sorted[1];
    if (opcode && opcode != Py_None && arg_data_opcode(opcode, &number) < 0) return NULL;
    if (stream && stream != Py_None && !PyObject_TypeCheck(stream, self->stream->state->stream_type)) {
        return PyErr_Format(PyExc_TypeError, "stream must be a Stream, not %.200s", Py_TYPE(stream)->tp_name);
    }
    if (sorted[2] && !(set_bits = hooks_resolve(self->stream->state, sorted[2], NAME_SET_BITS))) return NULL;
    if (writer_forget(self) < 0) {
        Py_XDECREF(set_bits);
        return NULL;
    }
    self->is_closed = 0;
    self->opcode = number;
    if (stream && stream != Py_None) Py_SETREF(self->stream, (struct stream *)Py_NewRef(stream));
    if (set_bits) Py_XSETREF(self->set_bits, set_bits);
    Py_RETURN_NONE;
}

static PyObject *writer_set_extensions(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct writer *self = (struct writer *)object;
    PyObject *extensions;
    if (arg_one("set_extensions", args, count, kwnames, "extensions", 1, &extensions) < 0) return NULL;
    PyObject *set_bits = hooks_resolve(self->stream->state, extensions, NAME_SET_BITS);
    if (!set_bits) return NULL;
    Py_XSETREF(self->set_bits, set_bits);
    Py_RETURN_NONE;
}

static PyObject *writer_enter(PyObject *self, PyObject *Py_UNUSED(ignored)) { return Py_NewRef(self); }

static PyObject *writer_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    if (arg_count("__exit__", count, 3, 3) < 0) return NULL;
    if (((struct writer *)object)->is_closed) Py_RETURN_NONE;
    if (args[0] == Py_None) return writer_flush(object, NULL);
    return none_if(writer_tear((struct writer *)object));
}

/* ---- Attributes ---- */

static PyObject *get_closed(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((struct writer *)object)->is_closed);
}

static PyObject *get_opcode(PyObject *object, void *Py_UNUSED(closure)) {
    struct writer *self = (struct writer *)object;
    return opcode_new(self->stream->state, (unsigned)self->opcode);
}

static size_t buffered(struct writer *self) {
    return writer_is_begun(self) ? fastws_conn_buffered_len(self->stream->protocol.conn) : 0;
}

static PyObject *get_buffered(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromSize_t(buffered((struct writer *)object));
}

static PyObject *get_available(PyObject *object, void *Py_UNUSED(closure)) {
    struct writer *self = (struct writer *)object;
    if (self->buffer_size == 0) Py_RETURN_NONE;
    size_t len = buffered(self);
    return PyLong_FromSize_t(len < self->buffer_size ? self->buffer_size - len : 0);
}

static PyObject *get_buffer_size(PyObject *object, void *Py_UNUSED(closure)) {
    struct writer *self = (struct writer *)object;
    if (self->buffer_size == 0) Py_RETURN_NONE;
    return PyLong_FromSize_t(self->buffer_size);
}

static int set_buffer_size(PyObject *object, PyObject *value, void *Py_UNUSED(closure)) {
    uint64_t size;
    if (!value) {
        PyErr_SetString(PyExc_AttributeError, "buffer_size cannot be deleted");
        return -1;
    }
    if (arg_limit(value, "buffer_size", PY_SSIZE_T_MAX, &size) < 0) return -1;
    ((struct writer *)object)->buffer_size = (size_t)size;
    return 0;
}

static PyObject *get_compress(PyObject *object, void *Py_UNUSED(closure)) {
    int flags = ((struct writer *)object)->flags;
    return flags ? PyBool_FromLong(flags & FASTWS_SEND_COMPRESSED) : Py_NewRef(Py_None);
}

static int set_compress(PyObject *object, PyObject *value, void *Py_UNUSED(closure)) {
    if (value) return protocol_take_compress(value, &((struct writer *)object)->flags);
    PyErr_SetString(PyExc_AttributeError, "compress cannot be deleted");
    return -1;
}

static PyGetSetDef writer_getset[] = {
    {"closed", get_closed, NULL, "True once close() was called.", NULL},
    {"opcode", get_opcode, NULL, "The OpCode of the next message.", NULL},
    {"buffered", get_buffered, NULL, "Bytes written that are not in a fragment yet.", NULL},
    {"available", get_available, NULL, "Bytes that the next fragment has room for; None if it grows.", NULL},
    {"buffer_size", get_buffer_size, set_buffer_size,
     "Bytes of a fragment, from the next one on; None if messages are not fragmented.", NULL},
    {"compress", get_compress, set_compress,
     "Whether messages are compressed, from the next one on; None: as the Deflate of the stream says.", NULL},
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
     "    ValueError: the message is text and would not be UTF-8, or the writer is closed; nothing of data was added."},
    {"writelines", (PyCFunction)(void (*)(void))writer_writelines, METH_FASTCALL | METH_KEYWORDS,
     "writelines($self, /, lines)\n--\n\nWrites each of them with write(), and nothing between."},
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
    {"close", writer_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Ends the message as flush() does. Then writes raise ValueError until reset(). The stream stays open.\n\n"
     "What wraps a writer, such as io.BufferedWriter, closes it when it goes: take a new Writer for each message,\n"
     "reset() it, or detach() the wrapper."},
    {"reset", (PyCFunction)(void (*)(void))writer_reset, METH_FASTCALL | METH_KEYWORDS,
     "reset($self, /, opcode=None, stream=None, *, extensions=...)\n--\n\n"
     "Forgets what was written and has not been sent, and every error; opens the writer again after close().\n\n"
     "Args:\n"
     "    opcode: OpCode.TEXT or OpCode.BINARY for the messages from now on; None keeps it.\n"
     "    stream: a Stream to write to from now on; None keeps it.\n"
     "    extensions: as for the constructor; those that it has if not given.\n\n"
     "Raises:\n"
     "    ConcurrencyError: an extension calls it, while a frame is being made. What another thread sends is waited\n"
     "        for.\n"
     "    RuntimeError: a fragment of the message has been sent, so that the peer waits for its end."},
    {"set_extensions", (PyCFunction)(void (*)(void))writer_set_extensions, METH_FASTCALL | METH_KEYWORDS,
     "set_extensions($self, /, extensions)\n--\n\n"
     "Takes other extensions, from the next frame on. RFC 6455 9.\n\n"
     "Args:\n"
     "    extensions: as for the constructor."},
    {"__enter__", writer_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))writer_exit, METH_FASTCALL, NULL},
    FILE_WRITABLE,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, "Writer(stream, opcode=OpCode.TEXT, buffer_size=4096, *, extensions=..., compress=None)\n--\n\n"
                "A file to write whose bytes become messages of a Stream: for json.dump(), shutil.copyfileobj().\n\n"
                "A message ends with flush(), or with a `with` block of the writer, which may be entered again and\n"
                "again; one that is left by an exception drops what was not sent.\n\n"
                "Args:\n"
                "    stream: a Stream.\n"
                "    opcode: OpCode.TEXT or OpCode.BINARY.\n"
                "    buffer_size: bytes of a fragment; a message of no more is a single frame. None never to\n"
                "        fragment: then a message grows in memory until flush().\n"
                "    extensions: functions, or objects with set_bits(header), that are called with the Header of each\n"
                "        frame that is to go. They return a Header with rsv as they want it, or None, or raise to\n"
                "        refuse. They must not use the stream. Those of the stream if not given. RFC 6455 9.\n"
                "    compress: as for Stream.send(). A fragment is what buffer_size bytes compress to. A message of\n"
                "        one fragment has a length to decide by; a longer one counts as long."},
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
