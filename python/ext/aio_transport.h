/* SPDX-License-Identifier: MIT */
/* A transport over the loop of the library: its state, what moves its bytes, and what Python sees of it. */
#ifndef FASTWS_PY_AIO_TRANSPORT_H
#define FASTWS_PY_AIO_TRANSPORT_H

#include "aio.h"

#define TRANSPORT_PEER_MAX 28 /* bytes of an address that is kept: IPv4 and IPv6 fit */

struct aio_transport {
    PyObject_HEAD
    struct aio_loop *loop;
    struct aio_connection *connection; /* NULL after the end */
    struct fastws_watch *watch;        /* NULL: not watched */
    struct aio_transport *next;        /* of the loop's */
    struct aio_transport *previous;    /* NULL: it is the first */
    PyObject *head;                    /* bytes that go before those of the connection, or NULL */
    Py_ssize_t head_off;               /* of them that are sent */
    PyObject *sock;                    /* a socket object on fd, once somebody asked for it, or NULL */
    PyObject *exception;               /* that ends it, or NULL */
    size_t write_high;                 /* bytes that wait before send() does, and at which it goes on */
    size_t write_low;
    int fd;                            /* -1: closed */
    uint8_t is_listed;    /* the loop has it, with a reference */
    uint8_t is_blocked;   /* the system took less than there was */
    uint8_t is_broken;    /* nothing can be sent any more */
    uint8_t is_paused;
    uint8_t is_eof;       /* of the peer */
    uint8_t is_finishing; /* our half ends once all is out */
    uint8_t is_closing;   /* all ends then */
    uint8_t is_ended;     /* aio_connection_lost() is under way */
    uint8_t peer_len;
    unsigned char peer[TRANSPORT_PEER_MAX]; /* struct sockaddr_in or sockaddr_in6 */
};

extern const struct aio_driver aio_transport_driver;

/* Has the loop watch for what is wanted. Returns 0, or -1 with an exception. */
int aio_transport_want(struct aio_transport *self);

/* Return 0, or -1 with an exception. */
int aio_transport_pause(struct aio_transport *self);
int aio_transport_resume(struct aio_transport *self);
int aio_transport_finish(struct aio_transport *self);
int aio_transport_close(struct aio_transport *self);
int aio_transport_abort(struct aio_transport *self);
int aio_transport_write(struct aio_transport *self, const char *bytes, Py_ssize_t len);

/* Bytes that wait: without those in the connection, and with them. */
Py_ssize_t aio_transport_count_head(const struct aio_transport *self);
Py_ssize_t aio_transport_count(const struct aio_transport *self);

/* Tells the connection that the transport is gone. */
PyObject *aio_transport_end(PyObject *self, PyObject *ignored);

/* Closes the descriptor. */
void aio_transport_close_fd(struct aio_transport *self);

/* As get_extra_info() of an asyncio transport. */
PyObject *aio_transport_info(struct aio_transport *self, PyObject *name, PyObject *default_value);
void aio_transport_keep_peer(struct aio_transport *self, const struct sockaddr *peer, size_t len);

#endif
