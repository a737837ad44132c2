/* SPDX-License-Identifier: MIT */
/* The Utf8Reader type: a file that checks what it reads from another. RFC 6455 8.1, RFC 3629. */
#include "args.h"
#include "errors.h"
#include "file.h"

#include <fastws/error.h>
#include <fastws/utf8.h>

struct utf8_reader {
    PyObject_HEAD
    struct state *state;
    struct source source;
    struct fastws_utf8 utf8;
    Py_ssize_t accepted; /* of the last read: bytes of whole characters */
};

static int restart(struct utf8_reader *self, PyObject *source) {
    if (source_open(&self->source, self->state, source) < 0) return -1;
    fastws_utf8_init(&self->utf8);
    self->accepted = 0;
    return 0;
}

static PyObject *utf8_reader_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"source", NULL};
    PyObject *source;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Utf8Reader", names, &source)) return NULL;
    struct utf8_reader *self = (struct utf8_reader *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    if (!self->state || restart(self, source) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static int utf8_reader_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct utf8_reader *)object)->source.file);
    return 0;
}

static int utf8_reader_clear(PyObject *object) {
    Py_CLEAR(((struct utf8_reader *)object)->source.file);
    return 0;
}

static void utf8_reader_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    utf8_reader_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static Py_ssize_t raise_utf8(struct utf8_reader *self) {
    PyObject *error = error_new(self->state, FASTWS_ERR_UTF8, (int64_t)fastws_utf8_error_offset(&self->utf8));
    if (error) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return -1;
}

/* A text that went wrong stays wrong: nothing more is read. */
static int check_may_read(struct utf8_reader *self) {
    if (!self->source.file) {
        PyErr_SetString(PyExc_ValueError, "reader is closed");
        return -1;
    }
    return fastws_utf8_update(&self->utf8, NULL, 0) < 0 ? (int)raise_utf8(self) : 0;
}

/* How many of the len good bytes at text are those of whole characters: the last one may be unfinished. */
static Py_ssize_t whole_len(const uint8_t *text, Py_ssize_t len) {
    Py_ssize_t start = len;
    for (int i = 0; i < 3 && start > 0 && (text[start - 1] & 0xC0) == 0x80; i++) start--;
    return start > 0 && text[start - 1] >= 0xC0 ? start - 1 : 0;
}

/* Checks what was read. Returns how many bytes of it to hand out, or -1 with an exception if there are none. At a wrong
 * byte that is what comes before its character; the next read tells. */
static Py_ssize_t check(struct utf8_reader *self, const void *text, Py_ssize_t len, int is_all) {
    struct fastws_utf8 utf8 = self->utf8;
    uint64_t before = fastws_utf8_error_offset(&utf8);
    int error;
    if (len < RELEASE_GIL_MIN) {
        error = fastws_utf8_update(&utf8, text, (size_t)len);
    } else {
        Py_BEGIN_ALLOW_THREADS
        error = fastws_utf8_update(&utf8, text, (size_t)len);
        Py_END_ALLOW_THREADS
    }
    Py_ssize_t good = (Py_ssize_t)(fastws_utf8_error_offset(&utf8) - before);
    /* After an error, the text up to the wrong byte is what may be handed out. */
    struct fastws_utf8 until = error ? self->utf8 : utf8;
    int is_whole = (!error || fastws_utf8_update(&until, text, (size_t)good) == 0) && fastws_utf8_finish(&until) == 0;
    self->utf8 = utf8;
    self->accepted = is_whole ? good : whole_len(text, good);
    if (error) return is_all || !self->accepted ? raise_utf8(self) : self->accepted;
    return (is_all || len == 0) && !is_whole ? raise_utf8(self) : len;
}

static PyObject *utf8_reader_read(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct utf8_reader *self = (struct utf8_reader *)object;
    Py_ssize_t len;
    if (file_arg_read("read", args, count, kwnames, &len) < 0 || check_may_read(self) < 0) return NULL;
    if (len == 0) return PyBytes_FromStringAndSize(NULL, 0);
    PyObject *bytes = source_read(&self->source, self->state, len);
    if (!bytes || bytes == Py_None) return bytes;
    Py_ssize_t good = check(self, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes), len < 0);
    if (good == PyBytes_GET_SIZE(bytes)) return bytes;
    PyObject *cut = good < 0 ? NULL : PyBytes_FromStringAndSize(PyBytes_AS_STRING(bytes), good);
    Py_DECREF(bytes);
    return cut;
}

static PyObject *utf8_reader_readinto(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct utf8_reader *self = (struct utf8_reader *)object;
    PyObject *buffer;
    Py_buffer view;
    if (file_arg_readinto(args, count, kwnames, &buffer, &view) < 0) return NULL;
    Py_ssize_t len = check_may_read(self);
    if (len == 0 && view.len) {
        len = source_readinto(&self->source, self->state, &view, buffer);
        if (len >= 0) len = check(self, view.buf, len, 0);
    }
    PyBuffer_Release(&view);
    return file_count(len);
}

static PyObject *utf8_reader_reset(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *source;
    if (arg_one("reset", args, count, kwnames, "source", 1, &source) < 0) return NULL;
    if (restart((struct utf8_reader *)object, source) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *utf8_reader_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    utf8_reader_clear(object);
    Py_RETURN_NONE;
}

static PyObject *get_closed(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(!((struct utf8_reader *)object)->source.file);
}

static PyObject *get_valid(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(fastws_utf8_finish(&((struct utf8_reader *)object)->utf8) == 0);
}

static PyObject *get_accepted(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(((struct utf8_reader *)object)->accepted);
}

static PyObject *get_offset(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(fastws_utf8_error_offset(&((struct utf8_reader *)object)->utf8));
}

static PyGetSetDef utf8_reader_getset[] = {
    {"closed", get_closed, NULL, "True once close() was called.", NULL},
    {"valid", get_valid, NULL, "True if the text may end here: all was good, and no character is unfinished.", NULL},
    {"accepted", get_accepted, NULL, "How many bytes of the last read belong to whole characters.", NULL},
    {"offset", get_offset, NULL, "How many bytes were good since the start of the text.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef utf8_reader_methods[] = {
    {"read", (PyCFunction)(void (*)(void))utf8_reader_read, METH_FASTCALL | METH_KEYWORDS,
     "read($self, /, n=-1)\n--\n\n"
     "Reads from source once, and checks what came. A character may be cut anywhere.\n\n"
     "Whole characters in front of a wrong byte are handed out before the next read raises.\n\n"
     "Args:\n"
     "    n: bytes to read at most; negative or None for all until the end, which raises if any of it is wrong.\n\n"
     "Returns:\n"
     "    bytes, b'' at the end of source; None where source returned None.\n\n"
     "Raises:\n"
     "    InvalidUTF8: a byte is wrong, or source ended inside a character. Its offset is in the whole text.\n"
     "    ValueError: the reader is closed."},
    {"readinto", (PyCFunction)(void (*)(void))utf8_reader_readinto, METH_FASTCALL | METH_KEYWORDS,
     "readinto($self, /, buffer)\n--\n\n"
     "Like read(), but into a writable buffer. Returns the number of bytes."},
    {"reset", (PyCFunction)(void (*)(void))utf8_reader_reset, METH_FASTCALL | METH_KEYWORDS,
     "reset($self, /, source)\n--\n\nBegins another text, from another source; also after close()."},
    {"close", utf8_reader_close, METH_NOARGS,
     "close($self, /)\n--\n\nLets go of source, which stays open. Reads raise ValueError until reset()."},
    FILE_READABLE,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot utf8_reader_slots[] = {
    {Py_tp_doc, "Utf8Reader(source)\n--\n\n"
                "A file that checks that what it reads from another is UTF-8. RFC 6455 8.1, RFC 3629.\n\n"
                "For one thread at a time; other threads run while 64 KiB or more are checked.\n\n"
                "Args:\n"
                "    source: a file with read() or readinto(), or a socket."},
    SLOT(Py_tp_new, utf8_reader_tp_new),
    SLOT(Py_tp_dealloc, utf8_reader_dealloc),
    SLOT(Py_tp_traverse, utf8_reader_traverse),
    SLOT(Py_tp_clear, utf8_reader_clear),
    {Py_tp_methods, utf8_reader_methods},
    {Py_tp_getset, utf8_reader_getset},
    {0, NULL},
};

PyType_Spec utf8_reader_spec = {
    .name = "fastws.Utf8Reader",
    .basicsize = sizeof(struct utf8_reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = utf8_reader_slots,
};
