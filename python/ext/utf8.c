/* SPDX-License-Identifier: MIT */
/* is_utf8() and the Utf8Validator type: checks of a text in one piece, or as it arrives. RFC 6455 8.1, RFC 3629. */
#include "args.h"

#include <fastws/utf8.h>

struct validator {
    PyObject_HEAD
    struct fastws_utf8 utf8;
    int is_busy; /* a thread checks a piece without the interpreter lock */
};

static struct validator *validator_of(PyObject *object) { return (struct validator *)object; }

static PyObject *is_utf8(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    Py_buffer view;
    int is_valid;
    if (arg_one("is_utf8", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    if (view.len < RELEASE_GIL_MIN) {
        is_valid = fastws_utf8_is_valid(view.buf, (size_t)view.len);
    } else {
        Py_BEGIN_ALLOW_THREADS
        is_valid = fastws_utf8_is_valid(view.buf, (size_t)view.len);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&view);
    return PyBool_FromLong(is_valid);
}

static PyObject *validator_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Utf8Validator", names)) return NULL;
    return type->tp_alloc(type, 0); /* all zero: the start of a text */
}

static void validator_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static int check_not_busy(PyObject *object) {
    if (!validator_of(object)->is_busy) return 0;
    struct state *state = state_of_type(Py_TYPE(object));
    if (state) PyErr_SetString(state->exceptions[EXC_CONCURRENCY_ERROR], "another thread is checking a piece");
    return -1;
}

/* Checks a large piece on a copy: properties that other threads ask for meanwhile are those of before. */
static int update_unlocked(struct validator *self, const Py_buffer *view) {
    struct fastws_utf8 utf8 = self->utf8;
    int error;
    self->is_busy = 1;
    Py_BEGIN_ALLOW_THREADS
    error = fastws_utf8_update(&utf8, view->buf, (size_t)view->len);
    Py_END_ALLOW_THREADS
    self->is_busy = 0;
    self->utf8 = utf8;
    return error;
}

/* What validate() tells. */
struct verdict {
    int is_valid;
    int is_complete;
    uint64_t good_len;   /* of the piece */
    uint64_t total_good; /* of the text */
};

static void check_piece(struct validator *self, const Py_buffer *view, struct verdict *verdict) {
    uint64_t before = fastws_utf8_error_offset(&self->utf8);
    int error = view->len < RELEASE_GIL_MIN ? fastws_utf8_update(&self->utf8, view->buf, (size_t)view->len)
                                            : update_unlocked(self, view);
    verdict->is_valid = error == 0;
    verdict->is_complete = fastws_utf8_finish(&self->utf8) == 0;
    verdict->total_good = fastws_utf8_error_offset(&self->utf8);
    verdict->good_len = verdict->total_good - before;
}

/* Checks one piece. Returns 0, or -1 with an exception. */
static int update(PyObject *self, PyObject *data, struct verdict *verdict) {
    Py_buffer view;
    if (arg_bytes(data, "data", &view) < 0) return -1;
    /* A buffer may be given and taken back by Python code that uses this object: all is done in between. */
    int result = check_not_busy(self);
    if (result == 0) check_piece(validator_of(self), &view, verdict);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *validator_update(PyObject *self, PyObject *data) {
    struct verdict verdict;
    return update(self, data, &verdict) < 0 ? NULL : PyBool_FromLong(verdict.is_valid);
}

static PyObject *validator_validate(PyObject *self, PyObject *data) {
    struct verdict verdict;
    if (update(self, data, &verdict) < 0) return NULL;
    return Py_BuildValue("(NNKK)", PyBool_FromLong(verdict.is_valid), PyBool_FromLong(verdict.is_complete),
                         (unsigned long long)verdict.good_len, (unsigned long long)verdict.total_good);
}

static PyObject *validator_finish(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    return check_not_busy(self) < 0 ? NULL : PyBool_FromLong(fastws_utf8_finish(&validator_of(self)->utf8) == 0);
}

static PyObject *validator_reset(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    if (check_not_busy(self) < 0) return NULL;
    fastws_utf8_init(&validator_of(self)->utf8);
    Py_RETURN_NONE;
}

/* A check of no bytes changes nothing and says whether all was good before. */
static int is_valid_so_far(PyObject *self) {
    struct fastws_utf8 utf8 = validator_of(self)->utf8;
    return fastws_utf8_update(&utf8, NULL, 0) == 0;
}

static PyObject *get_offset(PyObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(fastws_utf8_error_offset(&validator_of(self)->utf8));
}

static PyObject *get_error_offset(PyObject *self, void *closure) {
    if (is_valid_so_far(self)) Py_RETURN_NONE;
    return get_offset(self, closure);
}

static PyObject *get_is_valid(PyObject *self, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(is_valid_so_far(self));
}

static PyObject *get_is_ascii(PyObject *self, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(fastws_utf8_is_ascii(&validator_of(self)->utf8));
}

PyMethodDef utf8_methods[] = {
    {"is_utf8", (PyCFunction)(void (*)(void))is_utf8, METH_FASTCALL | METH_KEYWORDS,
     "is_utf8($module, /, data)\n--\n\n"
     "Returns True if the bytes-like data is valid UTF-8. RFC 3629.\n\n"
     "Other threads run meanwhile when data is 64 KiB or more."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef validator_methods[] = {
    {"update", validator_update, METH_O,
     "update($self, data, /)\n--\n\n"
     "Checks the next piece of the text. A character may be cut anywhere.\n\n"
     "Other threads run meanwhile when data is 64 KiB or more.\n\n"
     "Args:\n"
     "    data: bytes-like.\n\n"
     "Returns:\n"
     "    False from the first byte on that no text has there, until reset(); else True.\n\n"
     "Raises:\n"
     "    ConcurrencyError: another thread is checking a piece."},
    {"finish", validator_finish, METH_NOARGS,
     "finish($self, /)\n--\n\n"
     "Returns True if the text may end here: all of it was good, and no character is unfinished. More may follow.\n\n"
     "Raises:\n"
     "    ConcurrencyError: another thread is checking a piece."},
    {"validate", validator_validate, METH_O,
     "validate($self, data, /)\n--\n\n"
     "Like update(), but tells all at once, as the Utf8Validator of wsaccel and autobahn does.\n\n"
     "Returns:\n"
     "    (valid, ends_on_codepoint, current_index, total_index): what update() and finish() return, and how many\n"
     "    bytes were good, of data and of the text: the places of the bad one, if there is one."},
    {"reset", validator_reset, METH_NOARGS,
     "reset($self, /)\n--\n\n"
     "Goes back to the start of a text.\n\n"
     "Raises:\n"
     "    ConcurrencyError: another thread is checking a piece."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef validator_getset[] = {
    {"is_valid", get_is_valid, NULL, "True while no byte was bad; a character may still be unfinished.", NULL},
    {"is_ascii", get_is_ascii, NULL, "True while all bytes were below 0x80, also when there were none.", NULL},
    {"error_offset", get_error_offset, NULL, "Where in the text its first bad byte is, or None.", NULL},
    {"offset", get_offset, NULL, "How many bytes were good so far.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot validator_slots[] = {
    {Py_tp_doc, "Utf8Validator()\n--\n\n"
                "Checks that a text is UTF-8 as it arrives, in pieces of any size. RFC 6455 8.1, RFC 3629.\n\n"
                "For one thread at a time. While a thread checks a large piece, the properties are those of before."},
    SLOT(Py_tp_new, validator_tp_new),
    SLOT(Py_tp_dealloc, validator_dealloc),
    {Py_tp_methods, validator_methods},
    {Py_tp_getset, validator_getset},
    {0, NULL},
};

PyType_Spec utf8_validator_spec = {
    .name = "fastws.Utf8Validator",
    .basicsize = sizeof(struct validator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = validator_slots,
};
