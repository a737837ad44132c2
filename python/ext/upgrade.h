/* SPDX-License-Identifier: MIT */
/* The Upgrade type, as its files see it. */
#ifndef FASTWS_PY_UPGRADE_H
#define FASTWS_PY_UPGRADE_H

#include "deflate.h"
#include "state.h"

#include <fastws/upgrade.h>

/* Headers to write, and the objects that hold their bytes. */
struct header_list {
    PyObject *owners; /* list of bytes, or NULL */
    struct fastws_http_header *lines;
    size_t count;
};

/* Texts that the configuration points to, and the objects that hold their bytes. */
struct text_list {
    PyObject *owners; /* list of bytes, or NULL */
    struct fastws_slice *texts;
    size_t count;
};

struct upgrade {
    PyObject_HEAD
    struct state *state;
    struct fastws_upgrade_config config;
    struct fastws_upgrade *upgrade;
    PyObject *on_request; /* callables, or NULL */
    PyObject *on_host;
    PyObject *on_header;
    PyObject *on_before_upgrade;
    PyObject *protocol;
    PyObject *negotiate;
    PyObject *on_end;
    struct deflate *compression; /* what may be agreed on, or NULL */
    PyObject *agreed;            /* a Deflate with what was, or NULL */
    struct text_list protocols;
    struct text_list origins;
    struct header_list headers;  /* of every response */
    struct header_list answered; /* of the reject or the callback before the upgrade */
    PyObject *body;      /* bytes of a refusal */
    PyObject *accepted;  /* bytes of an extension */
    PyObject *exception; /* what a callback raised */
    PyObject *host;      /* str */
    PyObject *received;  /* list of (name, value), both str */
    PyObject *handshake; /* once the request is accepted */
    int is_feeding;      /* a call is under way: callbacks must not start another */
};

/* Reads the arguments of the type and makes what is in C. Returns 0, or -1 with an exception. */
int upgrade_configure(struct upgrade *self, PyObject *args, PyObject *kwargs);

/* Puts the callbacks that are wanted into the configuration. */
void upgrade_set_callbacks(struct upgrade *self);

/* Takes headers as a mapping or an iterable of pairs, str or bytes; None for none. Returns 0, or -1 with exception. */
int header_list_take(struct header_list *list, PyObject *headers);
void header_list_clear(struct header_list *list);

void text_list_clear(struct text_list *list);

/* Encodes a str as Latin-1, or takes bytes: a new reference. HTTP headers know nothing of Unicode. RFC 9110 5.5. */
PyObject *upgrade_encode(PyObject *object, const char *what);

/* The bytes of an object that upgrade_encode() gave: they live as long as it. */
struct fastws_slice upgrade_slice(PyObject *bytes);

/* Decodes as Latin-1: every byte has a character. */
PyObject *upgrade_decode(struct fastws_slice slice);

#endif
