/* SPDX-License-Identifier: MIT */
/* Payloads as bytes objects. The block of a message that does not fit a slab lies inside a bytes object from the start,
 * so that taking it over needs no copy. */
#ifndef FASTWS_PY_PAYLOAD_H
#define FASTWS_PY_PAYLOAD_H

#include "state.h"

#include <fastws/conn.h>

/* Memory inside of bytes objects, which nobody else knows yet. Works under the interpreter lock, as everything that may
 * call it does. */
extern const struct fastws_allocator payload_allocator;

/* The payload of an event as bytes. It ends the view where that saves a copy.
 *   conn   that handed out the event last, with its view alive
 * Returns a new reference, or NULL with an exception. */
PyObject *payload_bytes(struct fastws_conn *conn, const struct fastws_event *event);

#endif
