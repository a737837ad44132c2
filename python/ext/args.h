/* SPDX-License-Identifier: MIT */
/* Reads the arguments that several functions take. Each returns 0, or -1 with TypeError, ValueError, OverflowError. */
#ifndef FASTWS_PY_ARGS_H
#define FASTWS_PY_ARGS_H

#include "state.h"

#include <fastws/conn.h>

/* what names the argument in the message of every exception. */

/* Four bytes. */
int arg_key(PyObject *object, const char *what, uint8_t key[4]);

/* An integer from min to max. */
int arg_between(PyObject *object, const char *what, uint64_t min, uint64_t max, uint64_t *out);

/* An integer from 0 to max. */
int arg_unsigned(PyObject *object, const char *what, uint64_t max, uint64_t *out);

/* "server" or "client". */
int arg_role(PyObject *object, enum fastws_role *role);

/* How messages are handed out: "messages", "fragments" or "stream". */
int arg_delivery(PyObject *object, uint8_t *delivery);

/* A limit: an integer from 1 to max, or None for none, which is 0 in C. */
int arg_limit(PyObject *object, const char *what, uint64_t max, uint64_t *out);

/* Any readable, C-contiguous object. Release with PyBuffer_Release(). */
int arg_bytes(PyObject *object, const char *what, Py_buffer *view);

/* A payload: the UTF-8 of a str, or the bytes of a bytes-like object. Release with PyBuffer_Release(). */
int arg_payload(PyObject *object, const char *what, Py_buffer *view);

/* TEXT or BINARY. */
int arg_data_opcode(PyObject *object, int *opcode);

/* An opcode of RFC 6455, not a reserved one. */
int arg_opcode(PyObject *object, unsigned *opcode);

/* A close code and a reason for fastws_conn_close(): reason is NULL or a str; the pointer lives as long as it. */
int arg_close(PyObject *code, PyObject *reason, uint16_t *code_out, const char **reason_out, Py_ssize_t *len);

/* Counts positional arguments of a METH_FASTCALL function. */
int arg_count(const char *function, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most);

/* Sorts the arguments of a METH_FASTCALL | METH_KEYWORDS function into out, by the NULL-ended list of names; out is
 * NULL where none was given. The first least names must be given; at most positional of them by position. */
int arg_sort(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames,
             const char *const *names, Py_ssize_t least, Py_ssize_t positional, PyObject **out);

/* Takes the only argument of a METH_FASTCALL | METH_KEYWORDS function, by position or by its name. Without is_required,
 * *out is NULL if it was not given. */
int arg_one(const char *function, PyObject *const *args, Py_ssize_t count, PyObject *kwnames, const char *name,
            int is_required, PyObject **out);

/* Seconds, as milliseconds rounded up; None is 0. Only finite numbers above 0 (or from 0, if zero_ok) are taken. */
int arg_seconds(PyObject *object, const char *what, int zero_ok, uint64_t max_ms, uint64_t *ms);

#endif
