/* SPDX-License-Identifier: MIT */
/* Turns the errors of the library into exceptions. */
#ifndef FASTWS_PY_ERRORS_H
#define FASTWS_PY_ERRORS_H

#include "state.h"

/* Makes the exception of an error, with its text, name, close code, HTTP status and RFC section.
 *   offset   of the byte that is wrong, or -1
 * Returns a new reference, or NULL with an exception. */
PyObject *error_new(struct state *state, int error, int64_t offset);

/* Raises that exception. Returns NULL. */
PyObject *error_raise(struct state *state, int error);

/* Raises ValueError with the text of an error: for arguments that a program gave, not a peer. Returns NULL. */
PyObject *error_raise_value(int error);

/* Makes the current exception the cause of exception, and raises that. Steals exception. Returns NULL. */
PyObject *error_raise_from_current(PyObject *exception);

#endif
