/* SPDX-License-Identifier: MIT */
/* The CipherReader type: a file that unmasks what it reads from another. RFC 6455 5.3. */
#include "cipher.h"
#include "file.h"

struct cipher_reader {
    PyObject_HEAD
    struct state *state;
    struct source source;
    struct cipher cipher;
};

static int restart(struct cipher_reader *self, PyObject *source, PyObject *key, PyObject *offset) {
    struct cipher cipher;
    if (cipher_start(&cipher, key, offset) < 0 || source_open(&self->source, self->state, source) < 0) return -1;
    self->cipher = cipher;
    return 0;
}

static PyObject *cipher_reader_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"source", "key", "offset", NULL};
    PyObject *source, *key, *offset = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O:CipherReader", names, &source, &key, &offset)) return NULL;
    struct cipher_reader *self = (struct cipher_reader *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    if (!self->state || restart(self, source, key, offset) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static int cipher_reader_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct cipher_reader *)object)->source.file);
    return 0;
}

static int cipher_reader_clear(PyObject *object) {
    Py_CLEAR(((struct cipher_reader *)object)->source.file);
    return 0;
}

static void cipher_reader_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    cipher_reader_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static int check_open(const struct cipher_reader *self) {
    if (self->source.file) return 0;
    PyErr_SetString(PyExc_ValueError, "reader is closed");
    return -1;
}

static PyObject *cipher_reader_read(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct cipher_reader *self = (struct cipher_reader *)object;
    Py_ssize_t len;
    if (file_arg_read("read", args, count, kwnames, &len) < 0 || check_open(self) < 0) return NULL;
    PyObject *masked = source_read(&self->source, self->state, len);
    if (!masked || masked == Py_None) return masked;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(masked));
    if (bytes) {
        cipher_apply(&self->cipher, PyBytes_AS_STRING(bytes), PyBytes_AS_STRING(masked), PyBytes_GET_SIZE(masked));
        self->cipher.offset += (uint64_t)PyBytes_GET_SIZE(masked);
    }
    Py_DECREF(masked);
    return bytes;
}

static PyObject *cipher_reader_readinto(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct cipher_reader *self = (struct cipher_reader *)object;
    PyObject *buffer;
    Py_buffer view;
    if (file_arg_readinto(args, count, kwnames, &buffer, &view) < 0) return NULL;
    Py_ssize_t len = check_open(self) < 0 ? -1 : source_readinto(&self->source, self->state, &view, buffer);
    if (len > 0) {
        cipher_apply(&self->cipher, view.buf, view.buf, len);
        self->cipher.offset += (uint64_t)len;
    }
    PyBuffer_Release(&view);
    return file_count(len);
}

static PyObject *cipher_reader_reset(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"source", "key", "offset", NULL};
    PyObject *sorted[3];
    if (arg_sort("reset", args, count, kwnames, names, 2, 3, sorted) < 0) return NULL;
    if (restart((struct cipher_reader *)object, sorted[0], sorted[1], sorted[2]) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *cipher_reader_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    cipher_reader_clear(object);
    Py_RETURN_NONE;
}

static PyObject *get_closed(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(!((struct cipher_reader *)object)->source.file);
}

static PyObject *get_offset(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(((struct cipher_reader *)object)->cipher.offset);
}

static PyGetSetDef cipher_reader_getset[] = {
    {"closed", get_closed, NULL, "True once close() was called.", NULL},
    {"offset", get_offset, NULL, "Where in its payload the next byte is.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef cipher_reader_methods[] = {
    {"read", (PyCFunction)(void (*)(void))cipher_reader_read, METH_FASTCALL | METH_KEYWORDS,
     "read($self, /, n=-1)\n--\n\n"
     "Reads from source once, and unmasks what came.\n\n"
     "Args:\n"
     "    n: bytes to read at most; negative or None for all until the end.\n\n"
     "Returns:\n"
     "    bytes, b'' at the end of source; None where source returned None.\n\n"
     "Raises:\n"
     "    ValueError: the reader is closed."},
    {"readinto", (PyCFunction)(void (*)(void))cipher_reader_readinto, METH_FASTCALL | METH_KEYWORDS,
     "readinto($self, /, buffer)\n--\n\n"
     "Like read(), but into a writable buffer, which source sees before it is unmasked. Returns the number of bytes."},
    {"reset", (PyCFunction)(void (*)(void))cipher_reader_reset, METH_FASTCALL | METH_KEYWORDS,
     "reset($self, /, source, key, offset=0)\n--\n\n"
     "Goes on with another source, key and offset, as if it were new; also after close()."},
    {"close", cipher_reader_close, METH_NOARGS,
     "close($self, /)\n--\n\nLets go of source, which stays open. Reads raise ValueError until reset()."},
    FILE_READABLE,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot cipher_reader_slots[] = {
    {Py_tp_doc, "CipherReader(source, key, offset=0)\n--\n\n"
                "A file that unmasks, or masks, what it reads from another. RFC 6455 5.3.\n\n"
                "For one thread at a time; other threads run while 64 KiB or more are unmasked.\n\n"
                "Args:\n"
                "    source: a file with read() or readinto(), or a socket.\n"
                "    key: the 4 bytes of the masking key, in wire order.\n"
                "    offset: where source stands in the payload of its frame, in bytes; 0 to 2**64 - 1."},
    SLOT(Py_tp_new, cipher_reader_tp_new),
    SLOT(Py_tp_dealloc, cipher_reader_dealloc),
    SLOT(Py_tp_traverse, cipher_reader_traverse),
    SLOT(Py_tp_clear, cipher_reader_clear),
    {Py_tp_methods, cipher_reader_methods},
    {Py_tp_getset, cipher_reader_getset},
    {0, NULL},
};

PyType_Spec cipher_reader_spec = {
    .name = "fastws.CipherReader",
    .basicsize = sizeof(struct cipher_reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cipher_reader_slots,
};
