/* SPDX-License-Identifier: MIT */
/* The PreparedMessage type: a message framed once and sent to many connections. */
#include "prepared.h"

#include "args.h"
#include "errors.h"
#include "header.h"
#include "protocol.h"

#include <fastws/error.h>

struct prepared {
    PyObject_HEAD
    struct fastws_prepared *prepared;
};

struct fastws_prepared *prepared_get(struct state *state, PyObject *object) {
    return Py_IS_TYPE(object, state->prepared_type) ? ((struct prepared *)object)->prepared : NULL;
}

int prepared_check_arguments(const PyObject *opcode, const PyObject *compress) {
    if (opcode && opcode != Py_None) {
        PyErr_SetString(PyExc_ValueError, "a PreparedMessage has its opcode");
    } else if (compress && compress != Py_None) {
        PyErr_SetString(PyExc_ValueError, "a PreparedMessage has its choice of compression");
    } else {
        return 0;
    }
    return -1;
}

static PyObject *prepared_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"data", "text", "compress", NULL};
    PyObject *data, *text = Py_None, *compress = NULL, *opcode = NULL;
    Py_buffer view;
    int number, flags;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$O:PreparedMessage", names, &data, &text, &compress)) {
        return NULL;
    }
    if (protocol_take_compress(compress, &flags) < 0) return NULL;
    if (text != Py_None) {
        int is_text = PyObject_IsTrue(text);
        opcode = is_text < 0 ? NULL : PyLong_FromLong(is_text ? FASTWS_OPCODE_TEXT : FASTWS_OPCODE_BINARY);
        if (!opcode) return NULL;
    }
    int result = protocol_take_message(data, opcode, &view, &number);
    Py_XDECREF(opcode);
    if (result < 0) return NULL;
    struct prepared *self = (struct prepared *)type->tp_alloc(type, 0);
    int error = self ? fastws_prepared_new(NULL, number | flags, view.buf, (size_t)view.len, &self->prepared) : 0;
    PyBuffer_Release(&view);
    if (error < 0) {
        Py_CLEAR(self);
        PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void prepared_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    fastws_prepared_release(((struct prepared *)object)->prepared);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *get_opcode(PyObject *object, void *Py_UNUSED(closure)) {
    struct state *state = state_of_type(Py_TYPE(object));
    return state ? opcode_new(state, (unsigned)fastws_prepared_opcode(((struct prepared *)object)->prepared)) : NULL;
}

static Py_ssize_t prepared_length(PyObject *object) {
    size_t len;
    const void *payload = fastws_prepared_payload(((struct prepared *)object)->prepared, &len);
    return payload ? (Py_ssize_t)len : 0;
}

static PyObject *get_data(PyObject *object, void *Py_UNUSED(closure)) {
    const struct fastws_prepared *prepared = ((struct prepared *)object)->prepared;
    size_t len;
    const char *payload = fastws_prepared_payload(prepared, &len);
    int is_text = fastws_prepared_opcode(prepared) == FASTWS_OPCODE_TEXT;
    return is_text ? PyUnicode_DecodeUTF8(payload, (Py_ssize_t)len, NULL)
                   : PyBytes_FromStringAndSize(payload, (Py_ssize_t)len);
}

static PyGetSetDef prepared_getset[] = {
    {"opcode", get_opcode, NULL, "OpCode.TEXT or OpCode.BINARY.", NULL},
    {"data", get_data, NULL, "The message, made anew: str for text, bytes for binary.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot prepared_slots[] = {
    {Py_tp_doc, "PreparedMessage(data, text=None, *, compress=None)\n--\n\n"
                "A message that is framed once and sent to many connections, by send() of each. It never changes.\n\n"
                "len() gives the bytes of its payload.\n\n"
                "Args:\n"
                "    data: str for a text message, bytes-like for a binary one. It is copied.\n"
                "    text: True to send bytes as text, False to send the UTF-8 of a str as binary.\n"
                "    compress: True or False chooses for every connection that compresses; None leaves it to each of\n"
                "        them.\n\n"
                "Raises:\n"
                "    ValueError: text is not UTF-8."},
    SLOT(Py_tp_new, prepared_tp_new),
    SLOT(Py_tp_dealloc, prepared_dealloc),
    SLOT(Py_sq_length, prepared_length),
    {Py_tp_getset, prepared_getset},
    {0, NULL},
};

PyType_Spec prepared_spec = {
    .name = "fastws.PreparedMessage",
    .basicsize = sizeof(struct prepared),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = prepared_slots,
};
