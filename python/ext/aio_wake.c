/* SPDX-License-Identifier: MIT */
/* The direct wake: what a task that awaits a message waits for. It follows the protocol of asyncio's futures, is used
 * again for each wait, and calls the task at once where no other one runs, instead of through the loop. */
#include "aio.h"

#include <structmember.h>

enum waiter_state {
    WAITER_IDLE,
    WAITER_PENDING,
    WAITER_DONE,
    WAITER_CANCELLED
};

struct waiter {
    PyObject_HEAD
    struct aio_loop *loop;
    PyObject *callback; /* of the task, with its context; or NULL */
    PyObject *context;
    PyObject *message;  /* of cancel(), or NULL */
    uint8_t state;      /* enum waiter_state */
    uint8_t is_blocking; /* as asyncio._asyncio_future_blocking: somebody is about to wait */
};

PyObject *aio_waiter_get(struct aio_connection *self) {
    struct waiter *waiter = (struct waiter *)self->waiter;
    if (!waiter || Py_REFCNT(waiter) > 1) {
        PyTypeObject *type = self->state->aio_waiter_type;
        waiter = (struct waiter *)type->tp_alloc(type, 0);
        if (!waiter) return NULL;
        waiter->loop = (struct aio_loop *)Py_NewRef(self->loop);
        Py_XSETREF(self->waiter, (PyObject *)waiter);
    }
    Py_CLEAR(waiter->message);
    waiter->state = WAITER_PENDING;
    waiter->is_blocking = 1;
    return Py_NewRef(waiter);
}

int aio_waiter_is_pending(PyObject *object) { return ((struct waiter *)object)->state == WAITER_PENDING; }

static int call_now(struct waiter *self, struct aio_loop *loop, PyObject *callback, PyObject *context) {
    /* A task that was told to share a context that is in use already cannot be called from inside of it. */
    if (PyContext_Enter(context) < 0) {
        PyErr_Clear();
        return aio_loop_call_soon(loop, callback, (PyObject *)self, context);
    }
    loop->is_waking = 1;
    loop->may_wake = 0;
    PyObject *result = PyObject_CallOneArg(callback, (PyObject *)self);
    loop->may_wake = 1;
    loop->is_waking = 0;
    Py_XDECREF(result);
    if (PyContext_Exit(context) < 0) return -1;
    return result ? 0 : -1;
}

/* Calls who waits, or has the loop do it. */
static int call_back(struct waiter *self, int is_now) {
    PyObject *callback = self->callback, *context = self->context;
    if (!callback) return 0;
    self->callback = self->context = NULL;
    int result = is_now && context ? call_now(self, self->loop, callback, context)
                                   : aio_loop_call_soon(self->loop, callback, (PyObject *)self, context);
    Py_DECREF(callback);
    Py_XDECREF(context);
    return result;
}

int aio_waiter_wake(PyObject *object, struct aio_loop *loop) {
    struct waiter *self = (struct waiter *)object;
    if (self->state != WAITER_PENDING) return 0;
    self->state = WAITER_DONE;
    return call_back(self, aio_loop_may_wake(loop));
}

/* ---- The protocol of a future ---- */

static PyObject *waiter_add_done_callback(PyObject *object, PyObject *const *args, Py_ssize_t count,
                                          PyObject *kwnames) {
    struct waiter *self = (struct waiter *)object;
    Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    if (count != 1 || named > 1) {
        return PyErr_Format(PyExc_TypeError, "add_done_callback() takes a function and a context");
    }
    if (self->callback) return PyErr_Format(PyExc_RuntimeError, "another task waits for this already");
    self->callback = Py_NewRef(args[0]);
    self->context = named ? Py_NewRef(args[1]) : PyContext_CopyCurrent();
    if (!self->context) return NULL;
    if (self->state == WAITER_PENDING) Py_RETURN_NONE;
    if (call_back(self, 0) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *waiter_remove_done_callback(PyObject *object, PyObject *function) {
    struct waiter *self = (struct waiter *)object;
    int is_same = self->callback ? PyObject_RichCompareBool(self->callback, function, Py_EQ) : 0;
    if (is_same < 0) return NULL;
    if (is_same) {
        Py_CLEAR(self->callback);
        Py_CLEAR(self->context);
    }
    return PyLong_FromLong(is_same);
}

static PyObject *raise_cancelled(struct waiter *self) {
    PyObject *module = PyImport_ImportModule("asyncio");
    PyObject *type = module ? PyObject_GetAttrString(module, "CancelledError") : NULL;
    if (type && self->message) {
        PyErr_SetObject(type, self->message);
    } else if (type) {
        PyErr_SetNone(type);
    }
    Py_XDECREF(module);
    Py_XDECREF(type);
    return NULL;
}

static PyObject *waiter_result(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct waiter *self = (struct waiter *)object;
    if (self->state == WAITER_CANCELLED) return raise_cancelled(self);
    if (self->state != WAITER_PENDING) Py_RETURN_NONE;
    PyObject *module = PyImport_ImportModule("asyncio");
    PyObject *type = module ? PyObject_GetAttrString(module, "InvalidStateError") : NULL;
    if (type) PyErr_SetString(type, "no message has come");
    Py_XDECREF(module);
    Py_XDECREF(type);
    return NULL;
}

static PyObject *waiter_cancel(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"msg", NULL};
    struct waiter *self = (struct waiter *)object;
    PyObject *message = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:cancel", names, &message)) return NULL;
    if (self->state != WAITER_PENDING) Py_RETURN_FALSE;
    self->state = WAITER_CANCELLED;
    if (message != Py_None) Py_XSETREF(self->message, Py_NewRef(message));
    if (call_back(self, 0) < 0) return NULL;
    Py_RETURN_TRUE;
}

static PyObject *waiter_done(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(((struct waiter *)object)->state != WAITER_PENDING);
}

static PyObject *waiter_cancelled(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(((struct waiter *)object)->state == WAITER_CANCELLED);
}

static PyObject *waiter_get_loop(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return Py_NewRef(((struct waiter *)object)->loop->loop);
}

static PyObject *get_blocking(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((struct waiter *)object)->is_blocking);
}

static int set_blocking(PyObject *object, PyObject *value, void *Py_UNUSED(closure)) {
    int is_true = value ? PyObject_IsTrue(value) : 0;
    if (is_true < 0) return -1;
    ((struct waiter *)object)->is_blocking = (uint8_t)is_true;
    return 0;
}

/* ---- The type ---- */

static int waiter_traverse(PyObject *object, visitproc visit, void *arg) {
    struct waiter *self = (struct waiter *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->loop);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    Py_VISIT(self->message);
    return 0;
}

static int waiter_clear(PyObject *object) {
    struct waiter *self = (struct waiter *)object;
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->message);
    return 0;
}

static void waiter_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    waiter_clear(object);
    Py_CLEAR(((struct waiter *)object)->loop);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyGetSetDef waiter_getset[] = {
    {"_asyncio_future_blocking", get_blocking, set_blocking, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef waiter_methods[] = {
    {"add_done_callback", (PyCFunction)(void (*)(void))waiter_add_done_callback, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"remove_done_callback", waiter_remove_done_callback, METH_O, NULL},
    {"cancel", (PyCFunction)(void (*)(void))waiter_cancel, METH_VARARGS | METH_KEYWORDS, NULL},
    {"cancelled", waiter_cancelled, METH_NOARGS, NULL},
    {"done", waiter_done, METH_NOARGS, NULL},
    {"result", waiter_result, METH_NOARGS, NULL},
    {"get_loop", waiter_get_loop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot waiter_slots[] = {
    {Py_tp_doc, "What a task that awaits a message waits for."},
    SLOT(Py_tp_dealloc, waiter_dealloc),
    SLOT(Py_tp_traverse, waiter_traverse),
    SLOT(Py_tp_clear, waiter_clear),
    {Py_tp_methods, waiter_methods},
    {Py_tp_getset, waiter_getset},
    {0, NULL},
};

PyType_Spec aio_waiter_spec = {
    .name = "fastws._core._Waiter",
    .basicsize = sizeof(struct waiter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = waiter_slots,
};
