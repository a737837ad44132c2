/* SPDX-License-Identifier: MIT */
/* Turns the errors of the library into exceptions. */
#ifndef FASTWS_PY_ERRORS_H
#define FASTWS_PY_ERRORS_H

#include "state.h"

/* Makes the exception of an error, with its text, name, close code, HTTP status and RFC section.
 *   offset   of the byte that is wrong, or -1
 * Returns a new reference, or NULL with an exception. */
PyObject *error_new(struct state *state, int error, int64_t offset);

/* Like error_new(), but with a class, and an HTTP status that 0 leaves out. */
PyObject *error_new_as(PyObject *type, int error, int status, int64_t offset);

/* Like error_new(), but for a client: status is that of the answer, 0 if none has come, and an answer that ends too
 * early is none. */
PyObject *error_new_answer(struct state *state, int error, int status);

/* Raises that exception. Returns NULL. */
PyObject *error_raise(struct state *state, int error);

/* Raises ValueError with the text of an error: for arguments that a program gave, not a peer. Returns NULL. */
PyObject *error_raise_value(int error);

/* Takes the exception that is set, with its traceback. Returns a new reference, or NULL if there is none. */
PyObject *error_take(void);

/* Makes the current exception the cause of exception, and raises that. Steals exception. Returns NULL. */
PyObject *error_raise_from_current(PyObject *exception);

#endif
