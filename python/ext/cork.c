/* SPDX-License-Identifier: MIT */
/* What Stream.cork() returns: a `with` block in which sends wait for each other. */
#include "args.h"
#include "stream.h"

struct cork {
    PyObject_HEAD
    struct stream *stream;
    unsigned entered; /* how often, by blocks that have not ended */
    unsigned resets;  /* of the stream, when that was */
};

PyObject *stream_cork(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    PyTypeObject *type = ((struct stream *)object)->state->cork_type;
    struct cork *self = (struct cork *)type->tp_alloc(type, 0);
    if (self) self->stream = (struct stream *)Py_NewRef(object);
    return (PyObject *)self;
}

static int cork_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct cork *)object)->stream);
    return 0;
}

/* A block that is not left any more, such as that of a generator, must not keep back what others send. */
static void forget(struct cork *self) {
    struct stream *stream = self->stream;
    if (stream && self->resets == stream->resets) stream->corks -= self->entered;
    self->entered = 0;
}

static int cork_clear(PyObject *object) {
    struct cork *self = (struct cork *)object;
    forget(self);
    Py_CLEAR(self->stream);
    return 0;
}

static void cork_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    cork_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *cork_enter(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct cork *self = (struct cork *)object;
    if (self->resets != self->stream->resets) self->entered = 0;
    self->resets = self->stream->resets;
    self->entered++;
    self->stream->corks++;
    Py_RETURN_NONE;
}

static PyObject *cork_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    struct cork *self = (struct cork *)object;
    (void)args;
    if (arg_count("__exit__", count, 3, 3) < 0) return NULL;
    /* The stream that was corked is gone, or there was no block. */
    if (self->entered == 0 || self->resets != self->stream->resets) Py_RETURN_NONE;
    self->entered--;
    return none_if(stream_uncork(self->stream));
}

static PyMethodDef cork_methods[] = {
    {"__enter__", cork_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))cork_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot cork_slots[] = {
    {Py_tp_doc, "What Stream.cork() returns."},
    SLOT(Py_tp_dealloc, cork_dealloc),
    SLOT(Py_tp_traverse, cork_traverse),
    SLOT(Py_tp_clear, cork_clear),
    {Py_tp_methods, cork_methods},
    {0, NULL},
};

PyType_Spec cork_spec = {
    .name = "fastws.Cork",
    .basicsize = sizeof(struct cork),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = cork_slots,
};
