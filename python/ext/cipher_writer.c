/* SPDX-License-Identifier: MIT */
/* The CipherWriter type: a file that masks what is written to it and writes that to another. RFC 6455 5.3. */
#include "cipher.h"
#include "file.h"

struct cipher_writer {
    PyObject_HEAD
    struct state *state;
    struct sink sink;
    struct cipher cipher;
};

static int restart(struct cipher_writer *self, PyObject *dest, PyObject *key, PyObject *offset) {
    struct cipher cipher;
    if (cipher_start(&cipher, key, offset) < 0 || sink_open(&self->sink, self->state, dest) < 0) return -1;
    self->cipher = cipher;
    return 0;
}

static PyObject *cipher_writer_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"dest", "key", "offset", NULL};
    PyObject *dest, *key, *offset = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O:CipherWriter", names, &dest, &key, &offset)) return NULL;
    struct cipher_writer *self = (struct cipher_writer *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    if (!self->state || restart(self, dest, key, offset) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static int cipher_writer_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct cipher_writer *)object)->sink.file);
    return 0;
}

static int cipher_writer_clear(PyObject *object) {
    Py_CLEAR(((struct cipher_writer *)object)->sink.file);
    return 0;
}

static void cipher_writer_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    cipher_writer_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static int check_open(const struct cipher_writer *self) {
    if (self->sink.file) return 0;
    PyErr_SetString(PyExc_ValueError, "writer is closed");
    return -1;
}

static PyObject *cipher_writer_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct cipher_writer *self = (struct cipher_writer *)object;
    PyObject *data;
    Py_buffer view;
    if (arg_one("write", args, count, kwnames, "data", 1, &data) < 0 || arg_bytes(data, "data", &view) < 0) return NULL;
    PyObject *masked = check_open(self) < 0 ? NULL : PyBytes_FromStringAndSize(NULL, view.len);
    if (masked) cipher_apply(&self->cipher, PyBytes_AS_STRING(masked), view.buf, view.len);
    PyBuffer_Release(&view);
    if (!masked) return NULL;
    /* Only what dest has taken counts: the rest is masked again, with the same bytes of the key. */
    Py_ssize_t len = check_open(self) < 0 ? -1 : sink_write(&self->sink, self->state, masked);
    if (len > 0) self->cipher.offset += (uint64_t)len;
    Py_DECREF(masked);
    return file_count(len);
}

static PyObject *cipher_writer_flush(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct cipher_writer *self = (struct cipher_writer *)object;
    if (check_open(self) < 0 || sink_flush(&self->sink, self->state) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *cipher_writer_reset(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"dest", "key", "offset", NULL};
    PyObject *sorted[3];
    if (arg_sort("reset", args, count, kwnames, names, 2, 3, sorted) < 0) return NULL;
    if (restart((struct cipher_writer *)object, sorted[0], sorted[1], sorted[2]) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *cipher_writer_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    cipher_writer_clear(object);
    Py_RETURN_NONE;
}

static PyObject *get_closed(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(!((struct cipher_writer *)object)->sink.file);
}

static PyObject *get_offset(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(((struct cipher_writer *)object)->cipher.offset);
}

static PyGetSetDef cipher_writer_getset[] = {
    {"closed", get_closed, NULL, "True once close() was called.", NULL},
    {"offset", get_offset, NULL, "Where in its payload the next byte goes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef cipher_writer_methods[] = {
    {"write", (PyCFunction)(void (*)(void))cipher_writer_write, METH_FASTCALL | METH_KEYWORDS,
     "write($self, /, data)\n--\n\n"
     "Writes a masked copy of data to dest, once.\n\n"
     "Args:\n"
     "    data: bytes-like; it is not changed.\n\n"
     "Returns:\n"
     "    How many bytes dest took, and the position moves by so many; None where dest returned None.\n\n"
     "Raises:\n"
     "    ValueError: the writer is closed."},
    {"flush", cipher_writer_flush, METH_NOARGS, "flush($self, /)\n--\n\nFlushes dest, if it can be flushed."},
    {"reset", (PyCFunction)(void (*)(void))cipher_writer_reset, METH_FASTCALL | METH_KEYWORDS,
     "reset($self, /, dest, key, offset=0)\n--\n\n"
     "Goes on with another dest, key and offset, as if it were new; also after close()."},
    {"close", cipher_writer_close, METH_NOARGS,
     "close($self, /)\n--\n\nLets go of dest, which stays open. Writes raise ValueError until reset()."},
    FILE_WRITABLE,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot cipher_writer_slots[] = {
    {Py_tp_doc, "CipherWriter(dest, key, offset=0)\n--\n\n"
                "A file that writes what is written to it, masked or unmasked, to another. RFC 6455 5.3.\n\n"
                "For one thread at a time; other threads run while 64 KiB or more are masked.\n\n"
                "Args:\n"
                "    dest: a file with write(), or a socket.\n"
                "    key: the 4 bytes of the masking key, in wire order.\n"
                "    offset: where dest stands in the payload of its frame, in bytes; 0 to 2**64 - 1."},
    SLOT(Py_tp_new, cipher_writer_tp_new),
    SLOT(Py_tp_dealloc, cipher_writer_dealloc),
    SLOT(Py_tp_traverse, cipher_writer_traverse),
    SLOT(Py_tp_clear, cipher_writer_clear),
    {Py_tp_methods, cipher_writer_methods},
    {Py_tp_getset, cipher_writer_getset},
    {0, NULL},
};

PyType_Spec cipher_writer_spec = {
    .name = "fastws.CipherWriter",
    .basicsize = sizeof(struct cipher_writer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cipher_writer_slots,
};
