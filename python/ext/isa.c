/* SPDX-License-Identifier: MIT */
/* isa(), isas(), select_isa(): which instructions the kernels use; and discard_random() for forked children. */
#include "args.h"

#include <string.h>

#include <fastws/cpu.h>
#include <fastws/random.h>

#define ISA_MAX 16 /* more rows than the table has */

static PyObject *isa(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    return PyUnicode_FromString(fastws_cpu_isa());
}

static PyObject *isas(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    const char *names[ISA_MAX];
    int count = fastws_cpu_isas(names, ISA_MAX);
    if (count > ISA_MAX) count = ISA_MAX;
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; tuple && i < count; i++) {
        PyObject *name = PyUnicode_FromString(names[i]);
        if (!name) Py_CLEAR(tuple);
        if (tuple) PyTuple_SET_ITEM(tuple, i, name);
    }
    return tuple;
}

static PyObject *select_isa(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *name;
    if (arg_one("select_isa", args, count, kwnames, "name", 1, &name) < 0) return NULL;
    if (!PyUnicode_Check(name)) {
        return PyErr_Format(PyExc_TypeError, "name must be str, not %.200s", Py_TYPE(name)->tp_name);
    }
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(name, &len);
    if (!text) return NULL;
    /* A name does not end where a NUL stands in the middle of it. */
    if ((size_t)len == strlen(text) && fastws_cpu_select(text) == 0) Py_RETURN_NONE;
    PyObject *choices = isas(module, NULL);
    if (!choices) return NULL;
    PyErr_Format(PyExc_ValueError, "this build on this CPU has no instruction set %R; there are %R", name, choices);
    Py_DECREF(choices);
    return NULL;
}

static PyObject *discard_random(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    fastws_random_discard();
    Py_RETURN_NONE;
}

PyMethodDef isa_methods[] = {
    {"isa", isa, METH_NOARGS,
     "isa($module, /)\n--\n\nReturns the name of the instruction set that the kernels use, such as 'avx2'."},
    {"isas", isas, METH_NOARGS,
     "isas($module, /)\n--\n\nReturns the names of the instruction sets that this machine can run, best first."},
    {"select_isa", (PyCFunction)(void (*)(void))select_isa, METH_FASTCALL | METH_KEYWORDS,
     "select_isa($module, /, name)\n--\n\n"
     "Makes the kernels use an instruction set. Connections that exist keep theirs.\n\n"
     "Args:\n"
     "    name: one of isas(). The environment variable FASTWS_ISA chooses before the first use.\n\n"
     "Raises:\n"
     "    ValueError: the build or the CPU does not have it. Nothing changed."},
    {"discard_random", discard_random, METH_NOARGS,
     "discard_random($module, /)\n--\n\nThrows buffered random bytes away: for the child after fork()."},
    {NULL, NULL, 0, NULL},
};
