/* SPDX-License-Identifier: MIT */
/* Parts of heads as Python objects. */
#ifndef FASTWS_PY_HTTP_H
#define FASTWS_PY_HTTP_H

#include "state.h"

#include <fastws/http.h>

/* Each returns a new reference, or NULL with an exception. Text is Latin-1: every byte has a character. */
PyObject *http_text(struct fastws_slice slice);
PyObject *http_pair(struct fastws_slice name, struct fastws_slice value);

/* A tuple of pairs. */
PyObject *http_headers(const struct fastws_http_header *headers, size_t count);

#endif
