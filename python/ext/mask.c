/* SPDX-License-Identifier: MIT */
/* mask() and masked(): the XOR of RFC 6455 5.3, in place and into new bytes. */
#include "args.h"

#include <fastws/mask.h>

static void mask_bytes(void *dst, const void *src, Py_ssize_t len, const uint8_t key[4], uint64_t offset) {
    if (len < RELEASE_GIL_MIN) {
        fastws_mask(dst, src, (size_t)len, key, offset);
        return;
    }
    Py_BEGIN_ALLOW_THREADS
    fastws_mask(dst, src, (size_t)len, key, offset);
    Py_END_ALLOW_THREADS
}

/* Most calls give data and key by position: nothing to sort. */
static int parse(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames,
                 const char *const *names, PyObject **data, uint8_t key[4], uint64_t *offset) {
    if (!kwnames && count == 2) {
        *data = args[0];
        *offset = 0;
        return arg_key(args[1], "key", key);
    }
    PyObject *sorted[3];
    if (arg_sort(function, args, count, kwnames, names, 2, 3, sorted) < 0) return -1;
    *data = sorted[0];
    *offset = 0;
    if (arg_key(sorted[1], "key", key) < 0) return -1;
    return sorted[2] ? arg_unsigned(sorted[2], "offset", UINT64_MAX, offset) : 0;
}

static PyObject *mask(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"buf", "key", "offset", NULL};
    PyObject *buf;
    uint8_t key[4];
    uint64_t offset;
    if (parse("mask", args, count, kwnames, names, &buf, key, &offset) < 0) return NULL;
    /* While the GIL is held nobody resizes a bytearray, so it need not be locked by a view, which takes longer than
     * masking a short payload. */
    if (PyByteArray_CheckExact(buf) && PyByteArray_GET_SIZE(buf) < RELEASE_GIL_MIN) {
        char *bytes = PyByteArray_AS_STRING(buf);
        fastws_mask(bytes, bytes, (size_t)PyByteArray_GET_SIZE(buf), key, offset);
        Py_RETURN_NONE;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(buf, &view, PyBUF_WRITABLE) < 0) {
        PyErr_Clear();
        return PyErr_Format(PyExc_TypeError, "buf must be a writable, C-contiguous bytes-like object, not %.200s",
                            Py_TYPE(buf)->tp_name);
    }
    mask_bytes(view.buf, view.buf, view.len, key, offset);
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

static PyObject *masked_copy(const void *src, Py_ssize_t len, const uint8_t key[4], uint64_t offset) {
    PyObject *out = PyBytes_FromStringAndSize(NULL, len);
    if (out) mask_bytes(PyBytes_AS_STRING(out), src, len, key, offset);
    return out;
}

static PyObject *masked(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"data", "key", "offset", NULL};
    PyObject *data;
    uint8_t key[4];
    uint64_t offset;
    if (parse("masked", args, count, kwnames, names, &data, key, &offset) < 0) return NULL;
    /* Bytes never change or move, and the caller holds them. */
    if (PyBytes_CheckExact(data)) return masked_copy(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), key, offset);
    Py_buffer view;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    PyObject *out = masked_copy(view.buf, view.len, key, offset);
    PyBuffer_Release(&view);
    return out;
}

PyMethodDef mask_methods[] = {
    {"mask", (PyCFunction)(void (*)(void))mask, METH_FASTCALL | METH_KEYWORDS,
     "mask($module, /, buf, key, offset=0)\n--\n\n"
     "Masks or unmasks a buffer in place. Other threads run meanwhile when it is 64 KiB or more. RFC 6455 5.3.\n\n"
     "Args:\n"
     "    buf: any writable, C-contiguous bytes-like object.\n"
     "    key: the 4 bytes of the masking key, in wire order.\n"
     "    offset: where buf starts in the payload of its frame, in bytes; 0 to 2**64 - 1.\n\n"
     "Raises:\n"
     "    TypeError: buf is not writable or not contiguous.\n"
     "    ValueError: key is not 4 bytes, or offset is out of range."},
    {"masked", (PyCFunction)(void (*)(void))masked, METH_FASTCALL | METH_KEYWORDS,
     "masked($module, /, data, key, offset=0)\n--\n\n"
     "Returns a masked or unmasked copy of data. Other threads run meanwhile when it is 64 KiB or more. RFC 6455\n"
     "5.3.\n\n"
     "Args:\n"
     "    data: any C-contiguous bytes-like object; it is not changed.\n"
     "    key: the 4 bytes of the masking key, in wire order.\n"
     "    offset: where data starts in the payload of its frame, in bytes; 0 to 2**64 - 1.\n\n"
     "Returns:\n"
     "    As many bytes as data holds.\n\n"
     "Raises:\n"
     "    ValueError: key is not 4 bytes, or offset is out of range."},
    {NULL, NULL, 0, NULL},
};
