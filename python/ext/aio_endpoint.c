/* SPDX-License-Identifier: MIT */
/* The AsyncEndpoint type: what the connections of one server, or of one connect(), share. */
#include "aio.h"

#include <structmember.h>

#include "args.h"

#define QUEUE_HIGH 16
#define WRITE_HIGH 32768

/* Marks as websockets has them: a number, a pair of which one may be None, or None for none. The low mark is a quarter
 * of the high one. */
static int take_marks(PyObject *marks, const char *what, uint64_t max, uint64_t *high, uint64_t *low) {
    PyObject *first = marks, *second = Py_None;
    if (PyTuple_Check(marks)) {
        if (PyTuple_GET_SIZE(marks) != 2) {
            PyErr_Format(PyExc_ValueError, "%s must be a number or a tuple of two", what);
            return -1;
        }
        first = PyTuple_GET_ITEM(marks, 0);
        second = PyTuple_GET_ITEM(marks, 1);
    }
    *high = *low = max;
    if (first != Py_None && arg_unsigned(first, what, max, high) < 0) return -1;
    if (second != Py_None && arg_unsigned(second, what, max, low) < 0) return -1;
    if (second == Py_None && first != Py_None) *low = *high / 4;
    if (first == Py_None && second != Py_None) *high = *low > max / 4 ? max : *low * 4;
    if (*low <= *high) return 0;
    PyErr_Format(PyExc_ValueError, "the low mark of %s is above the high one", what);
    return -1;
}

static int take_limits(struct aio_endpoint *self, PyObject *queue, PyObject *write) {
    uint64_t high, low;
    if (take_marks(queue, "max_queue", PY_SSIZE_T_MAX, &high, &low) < 0) return -1;
    self->queue_high = (Py_ssize_t)high;
    self->queue_low = (Py_ssize_t)low;
    if (take_marks(write, "write_limit", PY_SSIZE_T_MAX, &high, &low) < 0) return -1;
    self->write_high = (size_t)high;
    self->write_low = (size_t)low;
    return 0;
}

static int take_arguments(struct aio_endpoint *self, PyObject *args, PyObject *others) {
    static char *names[] = {"loop", "role", "max_queue", "write_limit", "listener", NULL};
    PyObject *loop, *role, *queue = NULL, *write = NULL, *listener = Py_None;
    enum fastws_role as;
    if (!PyArg_ParseTupleAndKeywords(args, others, "O!O|$OOO:AsyncEndpoint", names, self->state->aio_loop_type, &loop,
                                     &role, &queue, &write, &listener)) {
        return -1;
    }
    if (arg_role(role, &as) < 0) return -1;
    self->config.role = (uint8_t)as;
    self->queue_high = QUEUE_HIGH;
    self->queue_low = QUEUE_HIGH / 4;
    self->write_high = WRITE_HIGH;
    self->write_low = WRITE_HIGH / 4;
    PyObject *default_queue = PyLong_FromLong(QUEUE_HIGH), *default_write = PyLong_FromLong(WRITE_HIGH);
    int result = default_queue && default_write
                     ? take_limits(self, queue ? queue : default_queue, write ? write : default_write)
                     : -1;
    Py_XDECREF(default_queue);
    Py_XDECREF(default_write);
    if (result == 0) result = aio_listener_take(self, listener);
    if (result == 0) self->loop = (struct aio_loop *)Py_NewRef(loop);
    return result;
}

static PyObject *endpoint_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct aio_endpoint *self = (struct aio_endpoint *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    if (!self->state) {
        Py_DECREF(self);
        return NULL;
    }
    fastws_conn_config_init(&self->config, FASTWS_ROLE_SERVER);
    PyObject *others = config_take(kwargs, CONFIG_ENDPOINT, &self->config);
    int result = others ? take_arguments(self, args, others) : -1;
    Py_XDECREF(others);
    /* Who waits is told by the driver. */
    self->config.queue_high = 0;
    self->config.queue_low = 0;
    if (result < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static int endpoint_traverse(PyObject *object, visitproc visit, void *arg) {
    struct aio_endpoint *self = (struct aio_endpoint *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->loop);
    Py_VISIT(self->listener);
    for (int i = 0; i < CALLBACK_COUNT; i++) Py_VISIT(self->callbacks[i]);
    return 0;
}

static int endpoint_clear(PyObject *object) {
    struct aio_endpoint *self = (struct aio_endpoint *)object;
    Py_CLEAR(self->listener);
    for (int i = 0; i < CALLBACK_COUNT; i++) Py_CLEAR(self->callbacks[i]);
    self->on_message = self->on_message_self = NULL;
    return 0;
}

static void endpoint_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    endpoint_clear(object);
    Py_CLEAR(((struct aio_endpoint *)object)->loop);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMemberDef endpoint_members[] = {
    {"listener", T_OBJECT, offsetof(struct aio_endpoint, listener), READONLY, "The listener, or None."},
    {"loop", T_OBJECT_EX, offsetof(struct aio_endpoint, loop), READONLY, "The AsyncLoop."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot endpoint_slots[] = {
    {Py_tp_doc, "AsyncEndpoint(loop, role, *, max_queue=16, write_limit=32768, listener=None, max_size=16777216, "
                "max_frame_size=16777216, max_fragments=262144, max_empty_fragments=1024, ping_interval=20, "
                "ping_timeout=20, close_timeout=10)\n--\n\n"
                "What the connections of one server, or of one connect(), share."},
    SLOT(Py_tp_new, endpoint_tp_new),
    SLOT(Py_tp_dealloc, endpoint_dealloc),
    SLOT(Py_tp_traverse, endpoint_traverse),
    SLOT(Py_tp_clear, endpoint_clear),
    {Py_tp_members, endpoint_members},
    {0, NULL},
};

PyType_Spec aio_endpoint_spec = {
    .name = "fastws._core.AsyncEndpoint",
    .basicsize = sizeof(struct aio_endpoint),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = endpoint_slots,
};
