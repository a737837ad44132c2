/* SPDX-License-Identifier: MIT */
/* Addresses, as the functions for them and Dial see them. */
#ifndef FASTWS_PY_URL_H
#define FASTWS_PY_URL_H

#include "state.h"

#include <fastws/url.h>

/* The bytes of a str that holds an address: what the parts of a parsed one point into. A new reference. */
PyObject *url_encode(PyObject *text);

/* Parses them. Returns 0, or -1 with InvalidURI. */
int url_parse(struct state *state, PyObject *encoded, struct fastws_url *url);

/* What a Location means: a new str, or NULL with InvalidURI. */
PyObject *url_resolve(struct state *state, const struct fastws_url *base, struct fastws_slice reference);

#endif
