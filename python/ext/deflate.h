/* SPDX-License-Identifier: MIT */
/* The Deflate type, for what takes one: how messages are compressed, and what was agreed on. RFC 7692. */
#ifndef FASTWS_PY_DEFLATE_H
#define FASTWS_PY_DEFLATE_H

#include "state.h"

#include <fastws/deflate.h>

struct deflate {
    PyObject_HEAD
    struct fastws_deflate_config config;
    struct fastws_deflate_params agreed; /* all zero unless has_agreed */
    int has_agreed;
};

/* Reads a `compression` argument: None, "deflate" or a Deflate. What is inside of the object never changes.
 *   out   a new reference, NULL for None
 * Returns 0, or -1 with TypeError or ValueError. */
int deflate_take(struct state *state, PyObject *object, struct deflate **out);

/* A copy that says what was agreed on. Returns a new reference, or NULL with an exception. */
PyObject *deflate_with(const struct deflate *deflate, const struct fastws_deflate_params *agreed);

/* ---- Parameters: deflate_params.c ---- */

/* Makes a fastws.deflate.Parameters. */
PyObject *deflate_params_new(struct state *state, const struct fastws_deflate_params *params);

/* Takes one apart. Returns 0, or -1 with TypeError or ValueError. */
int deflate_params_take(struct state *state, PyObject *object, struct fastws_deflate_params *out);

/* The same, of what was agreed on: client_max_window_bits must not be True. */
int deflate_agreed_take(struct state *state, PyObject *object, struct fastws_deflate_params *out);

#endif
