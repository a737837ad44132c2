/* SPDX-License-Identifier: MIT */
/* The PreparedMessage type, for what sends one. */
#ifndef FASTWS_PY_PREPARED_H
#define FASTWS_PY_PREPARED_H

#include "state.h"

#include <fastws/prepared.h>

/* Looks inside a PreparedMessage, which has to be kept meanwhile. NULL without an exception if object is none. */
struct fastws_prepared *prepared_get(struct state *state, PyObject *object);

/* Refuses what a send of one cannot be told: it has its opcode, and its choice of compression. Returns 0, or -1
 * with ValueError. */
int prepared_check_arguments(const PyObject *opcode, const PyObject *compress);

#endif
