/* SPDX-License-Identifier: MIT */
/* Events and payloads as Python objects. */
#ifndef FASTWS_PY_EVENTS_H
#define FASTWS_PY_EVENTS_H

#include "state.h"

#include <fastws/conn.h>

/* A payload as str: ASCII is copied, the rest decoded. Bytes that are not UTF-8, which only a connection with
 * check_utf8=False hands out, become lone surrogates (PEP 383). */
PyObject *event_text(const struct fastws_event *event);

/* A payload as str if it is text, else as bytes. It may end the view: see payload.h. */
PyObject *event_data(struct fastws_conn *conn, const struct fastws_event *event);

/* The body of a close frame again, as bytes: code and reason. */
PyObject *event_close_body(const struct fastws_event *event);

/* An event as Message, Chunk, Ping, Pong, Close or Failure. It may end the view: see payload.h. */
PyObject *event_object(struct state *state, struct fastws_conn *conn, const struct fastws_event *event);

/* A struct sequence of two items. Steals both; either may be NULL with an exception. */
PyObject *pair_new(PyTypeObject *type, PyObject *first, PyObject *second);

#endif
