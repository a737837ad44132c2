/* SPDX-License-Identifier: MIT */
/* The Header type: the fields of a frame header, immutable. RFC 6455 5.2. */
#include "header.h"

#include <string.h>

#include "args.h"
#include "errors.h"

struct header_object {
    PyObject_HEAD
    struct fastws_header header;
};

static const struct fastws_header *fields(PyObject *self) { return &((struct header_object *)self)->header; }

static PyObject *header_alloc(PyTypeObject *type, const struct fastws_header *header) {
    PyObject *self = type->tp_alloc(type, 0);
    if (self) ((struct header_object *)self)->header = *header;
    return self;
}

PyObject *header_new(struct state *state, const struct fastws_header *header) {
    return header_alloc(state->header_type, header);
}

const struct fastws_header *header_get(struct state *state, PyObject *object) {
    if (Py_IS_TYPE(object, state->header_type)) return fields(object);
    PyErr_Format(PyExc_TypeError, "header must be a Header, not %.200s", Py_TYPE(object)->tp_name);
    return NULL;
}

PyObject *opcode_new(struct state *state, unsigned opcode) {
    PyObject *member = opcode < 16 ? state->opcodes[opcode] : NULL;
    return member ? Py_NewRef(member) : PyLong_FromUnsignedLong(opcode);
}

static PyObject *header_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"fin", "rsv", "opcode", "mask", "length", NULL};
    PyObject *rsv = NULL, *opcode = NULL, *mask = NULL, *length = NULL;
    struct fastws_header header = {.fin = 1, .opcode = FASTWS_OPCODE_TEXT};
    int fin = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pOOOO:Header", names, &fin, &rsv, &opcode, &mask, &length)) {
        return NULL;
    }
    uint64_t value;
    header.fin = fin != 0;
    if (rsv) {
        if (arg_unsigned(rsv, "rsv", 7, &value) < 0) return NULL;
        header.rsv = (uint8_t)value;
    }
    if (opcode) {
        if (arg_unsigned(opcode, "opcode", 15, &value) < 0) return NULL;
        header.opcode = (uint8_t)value;
    }
    if (mask && mask != Py_None) {
        if (arg_key(mask, "mask", header.key) < 0) return NULL;
        header.masked = 1;
    }
    if (length && arg_unsigned(length, "length", INT64_MAX, &header.length) < 0) return NULL;
    return header_alloc(type, &header);
}

static void header_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *header_parse(PyObject *type, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct state *state = state_of_type((PyTypeObject *)type);
    PyObject *data;
    Py_buffer view;
    if (!state || arg_one("parse", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    struct fastws_header header;
    int result = fastws_header_parse(&header, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    if (result < 0) return error_raise(state, result);
    if (result == FASTWS_NEED_MORE) Py_RETURN_NONE;
    return header_alloc((PyTypeObject *)type, &header);
}

static PyObject *header_encode(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    uint8_t bytes[FASTWS_HEADER_MAX];
    int len = fastws_header_write(bytes, sizeof bytes, fields(self));
    return len < 0 ? error_raise_value(len) : PyBytes_FromStringAndSize((const char *)bytes, len);
}

static PyObject *header_check(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *state_bits;
    uint64_t bits;
    if (arg_one("check", args, count, kwnames, "state", 1, &state_bits) < 0) return NULL;
    if (arg_unsigned(state_bits, "state", 63, &bits) < 0) return NULL;
    int error = fastws_header_check(fields(self), (unsigned)bits);
    if (error == 0) Py_RETURN_NONE;
    struct state *state = state_of_type(Py_TYPE(self));
    return state ? error_raise(state, error) : NULL;
}

static PyObject *get_fin(PyObject *self, void *Py_UNUSED(closure)) { return PyBool_FromLong(fields(self)->fin); }

static PyObject *get_rsv(PyObject *self, void *Py_UNUSED(closure)) { return PyLong_FromLong(fields(self)->rsv); }

static PyObject *get_opcode(PyObject *self, void *Py_UNUSED(closure)) {
    struct state *state = state_of_type(Py_TYPE(self));
    return state ? opcode_new(state, fields(self)->opcode) : NULL;
}

static PyObject *get_mask(PyObject *self, void *Py_UNUSED(closure)) {
    if (!fields(self)->masked) Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)fields(self)->key, 4);
}

static PyObject *get_length(PyObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(fields(self)->length);
}

static PyObject *get_size(PyObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromLong(fastws_header_size(fields(self)));
}

/* The fields as a tuple: what a header is compared and hashed by, and pickled with. */
static PyObject *header_fields(PyObject *self) {
    const struct fastws_header *header = fields(self);
    return Py_BuildValue("(NBBNK)", PyBool_FromLong(header->fin), header->rsv, header->opcode, get_mask(self, NULL),
                         (unsigned long long)header->length);
}

static PyObject *header_repr(PyObject *self) {
    PyObject *opcode = get_opcode(self, NULL);
    PyObject *mask = get_mask(self, NULL);
    PyObject *repr = NULL;
    if (opcode && mask) {
        repr = PyUnicode_FromFormat("Header(fin=%s, rsv=%d, opcode=%S, mask=%R, length=%llu)",
                                    fields(self)->fin ? "True" : "False", (int)fields(self)->rsv, opcode, mask,
                                    (unsigned long long)fields(self)->length);
    }
    Py_XDECREF(opcode);
    Py_XDECREF(mask);
    return repr;
}

static int is_equal(const struct fastws_header *a, const struct fastws_header *b) {
    return a->length == b->length && a->opcode == b->opcode && a->rsv == b->rsv && a->fin == b->fin &&
           a->masked == b->masked && memcmp(a->key, b->key, 4) == 0;
}

static PyObject *header_compare(PyObject *self, PyObject *other, int operation) {
    if (!Py_IS_TYPE(other, Py_TYPE(self)) || (operation != Py_EQ && operation != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
    return PyBool_FromLong(is_equal(fields(self), fields(other)) == (operation == Py_EQ));
}

static Py_hash_t header_hash(PyObject *self) {
    PyObject *tuple = header_fields(self);
    if (!tuple) return -1;
    Py_hash_t hash = PyObject_Hash(tuple);
    Py_DECREF(tuple);
    return hash;
}

static PyObject *header_reduce(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    PyObject *tuple = header_fields(self);
    return tuple ? Py_BuildValue("(ON)", Py_TYPE(self), tuple) : NULL;
}

static PyMethodDef header_methods[] = {
    {"parse", (PyCFunction)(void (*)(void))header_parse, METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "parse($type, /, data)\n--\n\n"
     "Parses one frame header from the start of data. RFC 6455 5.2.\n\n"
     "Args:\n"
     "    data: bytes-like; at most 14 bytes are looked at.\n\n"
     "Returns:\n"
     "    A Header, whose size says how many bytes it took; None while data is too short.\n\n"
     "Raises:\n"
     "    ProtocolError: the length is not in its shortest form, or 2**63 and more."},
    {"encode", header_encode, METH_NOARGS,
     "encode($self, /)\n--\n\nReturns the header as bytes (2 to 14), its length in the shortest form. RFC 6455 5.2."},
    {"check", (PyCFunction)(void (*)(void))header_check, METH_FASTCALL | METH_KEYWORDS,
     "check($self, /, state)\n--\n\n"
     "Judges a header that was received.\n\n"
     "Args:\n"
     "    state: State bits of the end that received it.\n\n"
     "Raises:\n"
     "    ProtocolError: the first rule of RFC 6455 section 5 that the header breaks."},
    {"__reduce__", header_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef header_getset[] = {
    {"fin", get_fin, NULL, "True for the last frame of a message.", NULL},
    {"rsv", get_rsv, NULL, "The reserved bits: RSV1 4, RSV2 2, RSV3 1.", NULL},
    {"opcode", get_opcode, NULL, "An OpCode, or an int for a reserved opcode.", NULL},
    {"mask", get_mask, NULL, "The masking key (4 bytes), or None if the frame is not masked.", NULL},
    {"length", get_length, NULL, "Bytes of payload.", NULL},
    {"size", get_size, NULL, "Bytes that the header takes on the wire: 2 to 14.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot header_slots[] = {
    {Py_tp_doc, "Header(fin=True, rsv=0, opcode=OpCode.TEXT, mask=None, length=0)\n--\n\n"
                "A frame header. Immutable, comparable, hashable. RFC 6455 5.2.\n\n"
                "Args:\n"
                "    fin: True for the last frame of a message.\n"
                "    rsv: the reserved bits, 0 to 7: RSV1 is 4.\n"
                "    opcode: 0 to 15, reserved ones too.\n"
                "    mask: the masking key, 4 bytes, or None.\n"
                "    length: bytes of payload, at most 2**63 - 1.\n\n"
                "Raises:\n"
                "    ValueError: a field is out of range."},
    SLOT(Py_tp_new, header_tp_new),
    SLOT(Py_tp_dealloc, header_dealloc),
    {Py_tp_methods, header_methods},
    {Py_tp_getset, header_getset},
    SLOT(Py_tp_repr, header_repr),
    SLOT(Py_tp_richcompare, header_compare),
    SLOT(Py_tp_hash, header_hash),
    {0, NULL},
};

PyType_Spec header_spec = {
    .name = "fastws.Header",
    .basicsize = sizeof(struct header_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = header_slots,
};
