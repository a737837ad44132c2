/* SPDX-License-Identifier: MIT */
/* The MessageState type: the bit that marks compressed messages, for programs that compress by themselves. RFC 7692 6.
 */
#include "deflate.h"

#include "errors.h"
#include "header.h"

struct message_state {
    PyObject_HEAD
    struct fastws_deflate_state received;
    struct fastws_deflate_state sent;
};

typedef int step_function(struct fastws_deflate_state *state, struct fastws_header *header);

static PyObject *message_state_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"compressed", NULL};
    int is_compressed = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:MessageState", names, &is_compressed)) return NULL;
    struct message_state *self = (struct message_state *)type->tp_alloc(type, 0);
    if (self) self->sent.is_compressed = (uint8_t)is_compressed;
    return (PyObject *)self;
}

static void message_state_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    type->tp_free(object);
    Py_DECREF(type);
}

/* Returns the header with its bit set or taken off. */
static PyObject *change(PyObject *object, PyObject *argument, struct fastws_deflate_state *of, step_function *step) {
    struct state *state = state_of_type(Py_TYPE(object));
    const struct fastws_header *given = state ? header_get(state, argument) : NULL;
    if (!given) return NULL;
    struct fastws_header header = *given;
    int result = step(of, &header);
    return result < 0 ? error_raise(state, result) : header_new(state, &header);
}

static PyObject *unset_bits(PyObject *object, PyObject *header) {
    return change(object, header, &((struct message_state *)object)->received, fastws_deflate_state_receive);
}

static PyObject *set_bits(PyObject *object, PyObject *header) {
    return change(object, header, &((struct message_state *)object)->sent, fastws_deflate_state_send);
}

static PyObject *get_received(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((struct message_state *)object)->received.is_compressed);
}

static PyObject *get_compressed(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((struct message_state *)object)->sent.is_compressed);
}

static int set_compressed(PyObject *object, PyObject *value, void *Py_UNUSED(closure)) {
    struct message_state *self = (struct message_state *)object;
    if (!value) {
        PyErr_SetString(PyExc_AttributeError, "compressed cannot be deleted");
        return -1;
    }
    int is_compressed = PyObject_IsTrue(value);
    if (is_compressed < 0) return -1;
    if (self->sent.is_open) {
        PyErr_SetString(PyExc_RuntimeError, "a message has begun: it is compressed as a whole or not at all");
        return -1;
    }
    self->sent.is_compressed = (uint8_t)is_compressed;
    return 0;
}

static PyGetSetDef message_state_getset[] = {
    {"compressed", get_compressed, set_compressed,
     "Whether the messages to send are compressed; may be set between them.", NULL},
    {"received_compressed", get_received, NULL, "Whether the message that came last, or is open, is compressed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef message_state_methods[] = {
    {"unset_bits", unset_bits, METH_O,
     "unset_bits($self, header, /)\n--\n\n"
     "Takes RSV1 off the Header of a frame that came, and remembers it for its message.\n\n"
     "Raises:\n"
     "    ProtocolError: RSV1 on a control or continuation frame, or frames out of order."},
    {"set_bits", set_bits, METH_O,
     "set_bits($self, header, /)\n--\n\n"
     "Sets RSV1 on the Header of the first frame of a message that is compressed.\n\n"
     "Raises:\n"
     "    ProtocolError: RSV1 is set already, or frames are out of order."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot message_state_slots[] = {
    {Py_tp_doc,
     "MessageState(compressed=False)\n--\n\n"
     "Which messages are compressed, by RSV1 of their first frames: for programs that compress by themselves. Each\n"
     "direction has its own state. An object may stand among the `extensions` of a Connection, Stream, Reader or\n"
     "Writer that knows of no compression. RFC 7692 section 6.\n\n"
     "Args:\n"
     "    compressed: True marks the messages to send."},
    SLOT(Py_tp_new, message_state_tp_new),
    SLOT(Py_tp_dealloc, message_state_dealloc),
    {Py_tp_methods, message_state_methods},
    {Py_tp_getset, message_state_getset},
    {0, NULL},
};

PyType_Spec message_state_spec = {
    .name = "fastws.deflate.MessageState",
    .basicsize = sizeof(struct message_state),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = message_state_slots,
};
