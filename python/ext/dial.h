/* SPDX-License-Identifier: MIT */
/* The Dial type, as its files see it. */
#ifndef FASTWS_PY_DIAL_H
#define FASTWS_PY_DIAL_H

#include "upgrade.h"

#include <fastws/dial.h>

struct dial {
    PyObject_HEAD
    struct state *state;
    struct fastws_dial_config config;
    struct fastws_dialer *dial; /* NULL until it is configured */
    struct fastws_url url;    /* its slices point into address */
    PyObject *address;        /* bytes; as the next ones, or NULL */
    PyObject *host;
    PyObject *origin;
    PyObject *extensions;
    PyObject *protocol_owners; /* list of bytes, or NULL */
    struct fastws_slice *protocols;
    struct header_list headers;
    PyObject *on_header; /* callables, or NULL */
    PyObject *on_extension;
    PyObject *on_status_error;
    PyObject *on_end;
    struct deflate *compression; /* what is offered, or NULL */
    PyObject *agreed;            /* a Deflate with what was agreed on, or NULL */
    PyObject *received;  /* list of (name, value), both str */
    PyObject *accepted;  /* list of str */
    PyObject *answer;    /* bytearray: the raw answer, for on_end; or NULL */
    PyObject *response;  /* a Response: of an answer with another status */
    PyObject *exception; /* what a callback raised */
    PyObject *handshake; /* once the connection is open */
    int is_shown;        /* on_end has been called */
    int is_feeding;      /* a call is under way: callbacks must not start another */
};

/* Reads the arguments of the type and makes what is in C. Returns 0, or -1 with an exception. dial_config.c */
int dial_configure(struct dial *self, PyObject *args, PyObject *kwargs);

/* Puts the callbacks into the configuration. dial_callbacks.c */
void dial_set_callbacks(struct dial *self);

/* Shows request and answer to on_end, if there is one: once. */
void dial_show_end(struct dial *self);

/* Makes the Response of a redirect, for which no callback is called. Returns 0, or -1 with an exception. */
int dial_keep_redirect(struct dial *self);

#endif
