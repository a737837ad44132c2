/* SPDX-License-Identifier: MIT */
/* Files and sockets of users, and what every type of the module that is a file itself has in common. */
#ifndef FASTWS_PY_FILE_H
#define FASTWS_PY_FILE_H

#include "state.h"

/* Where bytes come from: an object with read() or readinto(), or a socket. */
struct source {
    PyObject *file;
    enum name read_name;     /* read or recv; NAME_COUNT if it has neither */
    enum name readinto_name; /* readinto or recv_into; NAME_COUNT if it has neither */
};

/* Looks at what file can do. Returns 0, or -1 with TypeError: then source is as it was. */
int source_open(struct source *source, struct state *state, PyObject *file);

/* Reads once: at most len bytes, or everything if len is negative. Returns bytes, empty at the end, or None where file
 * does not block and has nothing; NULL with an exception. */
PyObject *source_read(struct source *source, struct state *state, Py_ssize_t len);

/* Reads once into a buffer of a user. Returns the number of bytes, 0 at the end; -2 where file does not block and has
 * nothing; -1 with an exception. */
Py_ssize_t source_readinto(struct source *source, struct state *state, const Py_buffer *view, PyObject *buffer);

/* Where bytes go: an object with write(), or a socket. */
struct sink {
    PyObject *file;
    enum name write_name; /* write or sendall */
};

int sink_open(struct sink *sink, struct state *state, PyObject *file);

/* Writes once. Returns how many of the bytes were taken; -2 where file does not block and took none; -1 with an
 * exception. */
Py_ssize_t sink_write(struct sink *sink, struct state *state, PyObject *bytes);

/* Calls flush() if file has it. Returns 0, or -1 with an exception. */
int sink_flush(struct sink *sink, struct state *state);

/* What read() of a file takes: n, or negative or None for everything, -1 here. Returns 0, or -1 with an exception. */
int file_arg_read(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames,
                  Py_ssize_t *len);

/* What readinto() of a file takes. Release with PyBuffer_Release(). Returns 0, or -1 with an exception. */
int file_arg_readinto(PyObject *const *args, Py_ssize_t count, PyObject *kwnames, PyObject **buffer, Py_buffer *view);

/* A count as an object: None for -2, NULL for -1. */
PyObject *file_count(Py_ssize_t count);

/* Methods that answer readable(), writable(), seekable() and isatty(). */
PyObject *file_yes(PyObject *self, PyObject *ignored);
PyObject *file_no(PyObject *self, PyObject *ignored);

#define FILE_READABLE                                                                                                  \
    {"readable", file_yes, METH_NOARGS, "readable($self, /)\n--\n\nReturns True."},                                    \
    {"writable", file_no, METH_NOARGS, "writable($self, /)\n--\n\nReturns False."},                                    \
    {"seekable", file_no, METH_NOARGS, "seekable($self, /)\n--\n\nReturns False."}
#define FILE_WRITABLE                                                                                                  \
    {"readable", file_no, METH_NOARGS, "readable($self, /)\n--\n\nReturns False."},                                    \
    {"writable", file_yes, METH_NOARGS, "writable($self, /)\n--\n\nReturns True."},                                    \
    {"seekable", file_no, METH_NOARGS, "seekable($self, /)\n--\n\nReturns False."}

#endif
