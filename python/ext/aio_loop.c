/* SPDX-License-Identifier: MIT */
/* The AsyncLoop type: what the connections of one event loop share. */
#include "aio.h"

#include <structmember.h>

#define SCRATCH_LEN 65536

/* ---- Batches ---- */

/* A task that runs is not to be interrupted by another; and debugging wants to see every step of a task by itself. */
static int is_free_to_wake(struct aio_loop *self) {
    PyObject *task = self->is_waking ? NULL : PyObject_CallOneArg(self->current_task, self->loop);
    PyObject *debug = task == Py_None ? PyObject_CallNoArgs(self->get_debug) : NULL;
    int is_free = debug == Py_False;
    Py_XDECREF(task);
    Py_XDECREF(debug);
    if (PyErr_Occurred()) PyErr_Clear();
    return is_free;
}

void aio_loop_enter(struct aio_loop *self) {
    if (self->depth++) return;
    self->may_wake = -1;
}

/* Most batches with callbacks wake nobody, and what is asked here is Python code. */
int aio_loop_may_wake(struct aio_loop *self) {
    if (!self->depth) return 0;
    if (self->may_wake < 0) self->may_wake = is_free_to_wake(self);
    return self->may_wake;
}

void aio_loop_flush(struct aio_loop *self) {
    while (self->dirty) {
        struct aio_connection *connection = self->dirty;
        self->dirty = connection->next_dirty;
        connection->next_dirty = NULL;
        connection->is_dirty = 0;
        if (aio_connection_flush(connection) < 0) aio_loop_report(self, "sending failed", (PyObject *)connection);
        Py_DECREF(connection);
    }
}

void aio_loop_leave(struct aio_loop *self) {
    if (self->depth > 1 || !self->dirty) {
        self->depth--;
        return;
    }
    PyObject *raised = NULL, *type, *traceback;
    PyErr_Fetch(&type, &raised, &traceback);
    aio_loop_flush(self);
    self->depth--;
    if (type) PyErr_Restore(type, raised, traceback);
}

int aio_loop_call_soon(struct aio_loop *self, PyObject *function, PyObject *argument, PyObject *context) {
    PyObject *args[] = {NULL, function, argument, context};
    PyObject *handle = PyObject_Vectorcall(self->call_soon, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                           context ? self->state->context_names : NULL);
    Py_XDECREF(handle);
    return handle ? 0 : -1;
}

void aio_loop_report(struct aio_loop *self, const char *message, PyObject *connection) {
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    if (traceback) PyException_SetTraceback(exception, traceback);
    PyObject *context = Py_BuildValue("{s:s,s:O,s:O}", "message", message, "exception", exception, "connection",
                                      connection ? connection : Py_None);
    PyObject *done = context ? PyObject_CallMethod(self->loop, "call_exception_handler", "O", context) : NULL;
    if (!done) PyErr_WriteUnraisable(connection);
    Py_XDECREF(done);
    Py_XDECREF(context);
    Py_XDECREF(type);
    Py_XDECREF(exception);
    Py_XDECREF(traceback);
}

int aio_loop_contain(struct aio_loop *self, const char *message, PyObject *connection) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return 0;
    aio_loop_report(self, message, connection);
    return 1;
}

/* What a callback of the loop raises ends the loop, if it is no Exception. */
static PyObject *raise_it(PyObject *exception, PyObject *Py_UNUSED(ignored)) {
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return NULL;
}

static PyMethodDef raise_definition = {"_raise", raise_it, METH_NOARGS, NULL};

int aio_loop_raise_soon(struct aio_loop *self) {
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    if (traceback) PyException_SetTraceback(exception, traceback);
    PyObject *function = PyCFunction_New(&raise_definition, exception);
    PyObject *handle = function ? PyObject_CallOneArg(self->call_soon, function) : NULL;
    Py_XDECREF(function);
    if (!handle) {
        PyErr_Restore(type, exception, traceback);
        return -1;
    }
    Py_DECREF(handle);
    Py_XDECREF(type);
    Py_XDECREF(exception);
    Py_XDECREF(traceback);
    return 0;
}

/* ---- Memory to receive into ---- */

struct space {
    PyObject_HEAD
    void *ptr;
    size_t len;
};

static int space_get_buffer(PyObject *object, Py_buffer *view, int flags) {
    struct space *self = (struct space *)object;
    return PyBuffer_FillInfo(view, object, self->ptr, (Py_ssize_t)self->len, 0, flags);
}

static Py_ssize_t space_length(PyObject *object) { return (Py_ssize_t)((struct space *)object)->len; }

static void space_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot space_slots[] = {
    {Py_tp_doc, "Memory of a connection that a transport receives into."},
    SLOT(Py_tp_dealloc, space_dealloc),
    SLOT(Py_sq_length, space_length),
    SLOT(Py_bf_getbuffer, space_get_buffer),
    {0, NULL},
};

PyType_Spec aio_space_spec = {
    .name = "fastws._core._Space",
    .basicsize = sizeof(struct space),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = space_slots,
};

PyObject *aio_loop_export(struct aio_loop *self, void *ptr, size_t len) {
    if (!self->space) {
        PyTypeObject *type = self->state->aio_space_type;
        self->space = type->tp_alloc(type, 0);
        if (!self->space) return NULL;
    }
    struct space *space = (struct space *)self->space;
    space->ptr = ptr;
    space->len = len;
    return self->space;
}

PyObject *aio_loop_scratch(struct aio_loop *self) {
    if (self->scratch) return self->scratch;
    PyObject *bytes = PyByteArray_FromStringAndSize(NULL, SCRATCH_LEN);
    self->scratch = bytes ? PyMemoryView_FromObject(bytes) : NULL;
    Py_XDECREF(bytes);
    return self->scratch;
}

/* ---- The type ---- */

static int take_methods(struct aio_loop *self) {
    PyObject *module = PyImport_ImportModule("asyncio");
    self->current_task = module ? PyObject_GetAttrString(module, "current_task") : NULL;
    Py_XDECREF(module);
    if (!self->current_task) return -1;
    self->call_soon = PyObject_GetAttrString(self->loop, "call_soon");
    self->call_later = self->call_soon ? PyObject_GetAttrString(self->loop, "call_later") : NULL;
    self->create_future = self->call_later ? PyObject_GetAttrString(self->loop, "create_future") : NULL;
    self->get_debug = self->create_future ? PyObject_GetAttrString(self->loop, "get_debug") : NULL;
    return self->get_debug ? 0 : -1;
}

static PyObject *loop_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"loop", NULL};
    PyObject *loop;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:AsyncLoop", names, &loop)) return NULL;
    struct aio_loop *self = (struct aio_loop *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    self->loop = Py_NewRef(loop);
    self->handle_ms = UINT64_MAX;
    if (!self->state || take_methods(self) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static int loop_traverse(PyObject *object, visitproc visit, void *arg) {
    struct aio_loop *self = (struct aio_loop *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->loop);
    Py_VISIT(self->call_soon);
    Py_VISIT(self->call_later);
    Py_VISIT(self->create_future);
    Py_VISIT(self->get_debug);
    Py_VISIT(self->current_task);
    Py_VISIT(self->handle);
    Py_VISIT(self->scratch);
    return aio_transports_traverse(self, visit, arg);
}

/* What is called while something of the loop runs stays until the end. */
static int loop_clear(PyObject *object) {
    struct aio_loop *self = (struct aio_loop *)object;
    Py_CLEAR(self->handle);
    aio_transports_clear(self);
    return 0;
}

static void loop_dealloc(PyObject *object) {
    struct aio_loop *self = (struct aio_loop *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weakrefs) PyObject_ClearWeakRefs(object);
    aio_drain_abandon(self);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->call_soon);
    Py_CLEAR(self->call_later);
    Py_CLEAR(self->create_future);
    Py_CLEAR(self->get_debug);
    Py_CLEAR(self->current_task);
    Py_CLEAR(self->handle);
    Py_CLEAR(self->scratch);
    Py_CLEAR(self->space);
    PyMem_Free(self->timers);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef loop_methods[] = {
    {"_fire", aio_timers_fire, METH_NOARGS, "_fire($self, /)\n--\n\nMeets the deadlines that have come."},
    {"_drain", aio_drain_run, METH_NOARGS, "_drain($self, /)\n--\n\nServes every descriptor that is ready."},
    {"_drop", aio_drain_drop, METH_NOARGS,
     "_drop($self, /)\n--\n\nIn a forked child: closes what belongs to the parent, without a word to anybody."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef loop_members[] = {
    {"loop", T_OBJECT_EX, offsetof(struct aio_loop, loop), READONLY, "The event loop."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct aio_loop, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot loop_slots[] = {
    {Py_tp_doc, "AsyncLoop(loop)\n--\n\nWhat the connections of one event loop share."},
    SLOT(Py_tp_new, loop_tp_new),
    SLOT(Py_tp_dealloc, loop_dealloc),
    SLOT(Py_tp_traverse, loop_traverse),
    SLOT(Py_tp_clear, loop_clear),
    {Py_tp_methods, loop_methods},
    {Py_tp_members, loop_members},
    {0, NULL},
};

PyType_Spec aio_loop_spec = {
    .name = "fastws._core.AsyncLoop",
    .basicsize = sizeof(struct aio_loop),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = loop_slots,
};
