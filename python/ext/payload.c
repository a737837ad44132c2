/* SPDX-License-Identifier: MIT */
/* Payloads as bytes objects: an allocator that places blocks inside of them, and what takes a block over. */
#include "payload.h"

#include <string.h>

/* Below, a copy out of the slab is as good as a new block. */
#define TAKE_MIN 4096

#define HEAD offsetof(PyBytesObject, ob_sval)

static PyObject *object_of(void *ptr) { return (PyObject *)(void *)((char *)ptr - HEAD); }

static void *payload_allocate(void *Py_UNUSED(context), size_t size) {
    PyObject *bytes = size <= PY_SSIZE_T_MAX - HEAD - 1 ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size) : NULL;
    if (bytes) return PyBytes_AS_STRING(bytes);
    /* The library reports it. */
    PyErr_Clear();
    return NULL;
}

/* As _PyBytes_Resize() does, but it leaves the old block alone when there is no memory for a new one. */
static void *payload_resize(void *Py_UNUSED(context), void *ptr, size_t Py_UNUSED(old_size), size_t new_size) {
    if (new_size > PY_SSIZE_T_MAX - HEAD - 1) return NULL;
    PyObject *bytes = PyObject_Realloc(object_of(ptr), HEAD + new_size + 1);
    if (!bytes) return NULL;
    Py_SET_SIZE((PyVarObject *)bytes, (Py_ssize_t)new_size);
    PyBytes_AS_STRING(bytes)[new_size] = '\0';
    return PyBytes_AS_STRING(bytes);
}

static void payload_release(void *Py_UNUSED(context), void *ptr, size_t Py_UNUSED(size)) { Py_DECREF(object_of(ptr)); }

const struct fastws_allocator payload_allocator = {payload_allocate, payload_resize, payload_release, NULL};

PyObject *payload_bytes(struct fastws_conn *conn, const struct fastws_event *event) {
    struct fastws_taken taken;
    if (event->len < TAKE_MIN) {
        return PyBytes_FromStringAndSize((const char *)event->ptr, (Py_ssize_t)event->len);
    }
    if (fastws_conn_take(conn, event, &taken) < 0) return PyErr_NoMemory();
    if (taken.cap == taken.len) return object_of(taken.ptr);
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)taken.ptr, (Py_ssize_t)taken.len);
    fastws_taken_release(&taken);
    return bytes;
}
