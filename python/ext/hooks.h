/* SPDX-License-Identifier: MIT */
/* Extensions that are written in Python: what they say about the reserved bits of headers. RFC 6455 5.2, 9.
 *
 * They are called from inside of a struct fastws_conn. Python code may let other threads run, so whoever is about to use
 * the connection waits until the call is over: hooks_wait(). */
#ifndef FASTWS_PY_HOOKS_H
#define FASTWS_PY_HOOKS_H

#include "state.h"

#include <fastws/extension.h>

struct hooks {
    struct fastws_extension entry; /* what a configuration lists */
    struct state *state;
    PyObject *unset_bits; /* a tuple of functions for headers that come, or NULL */
    PyObject *set_bits;   /* a tuple of functions for headers that go, or NULL */
    PyObject *error;      /* the exception that one of them raised last, or NULL */
    unsigned rsv;         /* that the last header which came was left with */
    unsigned long caller; /* the thread that is inside of one; 0: none */
    PyThread_type_lock lock; /* held by that thread; NULL until it is needed */
};

/* Makes a tuple of functions of a sequence of extensions: each has a method of that name, or is a function itself.
 * Returns a new reference, or NULL with an exception. */
PyObject *hooks_resolve(struct state *state, PyObject *extensions, enum name method);

/* Gets ready to be listed: then fastws_conn_config.extensions may be set to &hooks->entry. Returns 0, or -1 with an
 * exception. */
int hooks_prepare(struct hooks *hooks, struct state *state);

void hooks_clear(struct hooks *hooks);
int hooks_traverse(const struct hooks *hooks, visitproc visit, void *arg);

/* Lets a call of another thread end. ConcurrencyError if this thread is inside of one. Returns 0, or -1. */
int hooks_wait_for(struct hooks *hooks);

static inline int hooks_wait(struct hooks *hooks) { return hooks->caller ? hooks_wait_for(hooks) : 0; }

#endif
