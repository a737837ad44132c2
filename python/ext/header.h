/* SPDX-License-Identifier: MIT */
/* The Header type, for the files that make or read headers. */
#ifndef FASTWS_PY_HEADER_H
#define FASTWS_PY_HEADER_H

#include "state.h"

#include <fastws/header.h>

/* Makes a Header. Returns a new reference, or NULL with an exception. */
PyObject *header_new(struct state *state, const struct fastws_header *header);

/* Looks inside a Header: NULL with TypeError if object is none. */
const struct fastws_header *header_get(struct state *state, PyObject *object);

/* Returns the member of OpCode, or an int for a reserved opcode: a new reference. */
PyObject *opcode_new(struct state *state, unsigned opcode);

#endif
