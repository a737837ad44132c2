/* SPDX-License-Identifier: MIT */
/* asyncio connections, as their own files see them.
 *
 *     AsyncLoop        what the connections of one event loop share: batches, the timer of all deadlines, buffers
 *     AsyncEndpoint    what the connections of one server, or of one connect(), share: limits, marks, listener
 *     AsyncConnection  one connection: messages, waiting, closing. It knows no transport, only the table below
 *     a driver         moves its bytes: struct aio_driver. aio_protocol.c is the one over asyncio transports,
 *                      aio_transport.c the one over the loop of the library, which aio_drain.c has run by asyncio
 *
 * A driver brackets what it does for the event loop with aio_loop_enter() and aio_loop_leave(): a batch. While one is
 * under way, small messages that are sent wait for its end, and tasks that a message is for run at once, in between.
 * That code may use, close and drop every connection: whoever calls it holds a reference to its own. */
#ifndef FASTWS_PY_AIO_H
#define FASTWS_PY_AIO_H

#include "protocol.h"

#include <fastws/loop.h>

struct aio_connection;
struct aio_transport;

/* ---- The event loop: aio_loop.c, aio_timers.c ---- */

struct aio_timer {
    uint64_t due_ms;
    struct aio_connection *connection;
};

struct aio_loop {
    PyObject_HEAD
    struct state *state;
    PyObject *loop;
    PyObject *call_soon; /* methods of the loop */
    PyObject *call_later;
    PyObject *create_future;
    PyObject *get_debug;
    PyObject *current_task;  /* asyncio.current_task */
    PyObject *handle;        /* of the timer that is set, or NULL */
    uint64_t handle_ms;      /* when it fires */
    uint64_t fired_ms;       /* when it has fired last */
    struct aio_timer *timers; /* a binary heap, the earliest first */
    size_t timer_count, timer_cap;
    PyObject *scratch;       /* memoryview of a bytearray: bytes that are no frames, or that TLS decrypts; or NULL */
    PyObject *space;         /* exporter of the memory that a transport receives into, or NULL */
    struct aio_connection *lent;  /* whose memory space is, borrowed; NULL: nobody's */
    struct aio_connection *dirty; /* connections with something to flush, linked, each with a reference */
    struct aio_connection *dirty_last;
    struct fastws_loop *drain;     /* watches descriptors; NULL: there are none */
    struct aio_transport *transports; /* over drain, linked, each with a reference */
    size_t drain_uses;             /* transports and acceptors */
    size_t drained_sockets;        /* by the callback that runs */
    size_t drained_len;            /* bytes that it received */
    uint8_t is_draining;
    uint8_t is_forked;             /* it belongs to the parent of this process */
    int depth;               /* batches under way, one inside of the other */
    int may_wake;            /* no task runs: one may be woken at once; -1: not known, see aio_loop_may_wake() */
    int is_waking;           /* a task that was woken runs */
    PyObject *weakrefs;
};

/* Begin and end a batch. aio_loop_leave() flushes what was sent in it; an exception that is set stays. */
void aio_loop_enter(struct aio_loop *self);
void aio_loop_leave(struct aio_loop *self);

/* Flushes what was sent so far in a batch that goes on. */
void aio_loop_flush(struct aio_loop *self);

/* Whether a task may be woken at once: a batch is under way, and no task runs. */
int aio_loop_may_wake(struct aio_loop *self);

/* Has every task that is to be woken wait for its turn while other Python code is called in a batch, which may begin an
 * eager task. Returns what may_wake is to be set to when that returns. */
static inline int aio_loop_hold_wakes(struct aio_loop *self) {
    int may_wake = self->may_wake;
    self->may_wake = 0;
    return may_wake;
}

/* Calls a function soon, in a context, which may be NULL. Returns 0, or -1 with an exception. */
int aio_loop_call_soon(struct aio_loop *self, PyObject *function, PyObject *argument, PyObject *context);

/* Has the loop raise the exception that is set: KeyboardInterrupt and the like, which not every loop lets pass where it
 * calls a protocol. Returns 0, or -1 with that exception. */
int aio_loop_raise_soon(struct aio_loop *self);

/* Hands the exception that is set to the exception handler of the loop. */
void aio_loop_report(struct aio_loop *self, const char *message, PyObject *connection);

/* Does so for an Exception, and returns 1. KeyboardInterrupt and SystemExit are for nobody but who runs the loop: they
 * stay set, and 0 is returned. */
int aio_loop_contain(struct aio_loop *self, const char *message, PyObject *connection);

/* A writable memoryview of 64 KiB that all share: for bytes that are used up before the next are received. Borrowed, or
 * NULL with an exception. */
PyObject *aio_loop_scratch(struct aio_loop *self);

/* An object whose buffer is that memory until the next call. Borrowed, or NULL with an exception. */
PyObject *aio_loop_export(struct aio_loop *self, void *ptr, size_t len);

/* Sets, moves or removes the deadline of a connection. Without memory for it, or when the loop takes no timer, it is
 * lost: returns -1 with an exception. */
int aio_timers_set(struct aio_loop *self, struct aio_connection *connection, uint64_t due_ms);
void aio_timers_remove(struct aio_loop *self, struct aio_connection *connection);
PyObject *aio_timers_fire(PyObject *self, PyObject *ignored);

/* ---- Descriptors: aio_drain.c ---- */

/* Begins and ends the use of self->drain, which is there meanwhile, registered with the event loop. aio_drain_use()
 * returns 0, or -1 with an exception. */
int aio_drain_use(struct aio_loop *self);
void aio_drain_leave(struct aio_loop *self);

/* Watches a descriptor: fastws_loop_watch(). Returns 0, or -1 with an exception. */
int aio_drain_watch(struct aio_loop *self, int fd, unsigned wanted,
                    size_t (*on_ready)(struct fastws_watch *watch, unsigned found, void *context), void *context,
                    struct fastws_watch **out);

/* Ends a watch and sets it to NULL, if there is one. */
void aio_drain_unwatch(struct aio_loop *self, struct fastws_watch **watch);

/* Gives up what a closed event loop or a forked child cannot use any more. */
void aio_drain_abandon(struct aio_loop *self);

PyObject *aio_drain_run(PyObject *self, PyObject *ignored);  /* what the event loop calls */
PyObject *aio_drain_drop(PyObject *self, PyObject *ignored); /* in a forked child */

/* Makes a transport of a connected, non-blocking descriptor, which is the transport's on success. peer: its address, or
 * NULL. Returns 0, or -1 with an exception. aio_transport.c. */
struct sockaddr;
int aio_transport_open(struct aio_connection *connection, int fd, const struct sockaddr *peer, size_t peer_len);

/* Visits the transports of a loop, and lets go of them. */
int aio_transports_traverse(struct aio_loop *loop, visitproc visit, void *arg);
void aio_transports_clear(struct aio_loop *loop);

/* ---- What connections share: aio_endpoint.c ---- */

enum callback {
    ON_OPEN,
    ON_MESSAGE,
    ON_CLOSE,
    ON_PING,
    ON_PONG,
    ON_DRAIN,
    CALLBACK_COUNT
};

struct aio_endpoint {
    PyObject_HEAD
    struct state *state;
    struct aio_loop *loop;
    struct fastws_conn_config config;
    Py_ssize_t queue_high; /* messages: with more waiting, reading is paused; PY_SSIZE_T_MAX: never */
    Py_ssize_t queue_low;  /* with no more waiting, it is resumed */
    size_t write_high;     /* bytes that a transport holds before send() waits */
    size_t write_low;
    PyObject *listener;    /* or NULL */
    PyObject *callbacks[CALLBACK_COUNT]; /* methods of the listener, NULL where it has none */
    PyObject *on_message; /* callbacks[ON_MESSAGE] taken apart, borrowed: the function */
    PyObject *on_message_self; /* and what it is a method of, or NULL */
};

/* Looks up the methods of a listener. aio_listener.c. Returns 0, or -1 with an exception. */
int aio_listener_take(struct aio_endpoint *self, PyObject *listener);

/* Call what is not NULL in callbacks, with the connection and, if there is one, an argument; on_message(); and
 * on_close(), if there is one and the connection was open. What it raises fails the connection. Return 0, or -1 with
 * KeyboardInterrupt or the like. */
int aio_listener_call(struct aio_connection *self, enum callback callback, PyObject *argument);
int aio_listener_call_message(struct aio_connection *self, PyObject *message);
int aio_listener_close(struct aio_connection *self);

/* ---- The driver ---- */

/* What a connection asks of whoever moves its bytes. All return 0, or -1 with an exception. None calls the connection
 * back before it returns, but for flush(), which may call aio_connection_set_writable(). */
struct aio_driver {
    const char *name;
    /* Sends what is pending in protocol.conn, as far as the transport takes it; fastws_conn_own() for what is left. */
    int (*flush)(struct aio_connection *connection);
    int (*pause_reading)(struct aio_connection *connection);
    int (*resume_reading)(struct aio_connection *connection);
    /* Ends the sending half once all is out; reading goes on. Where that cannot be had, as with TLS, it is close(). */
    int (*finish)(struct aio_connection *connection);
    /* Ends the transport once all is out; abort(): at once. aio_connection_lost() follows, later. */
    int (*close)(struct aio_connection *connection);
    int (*abort)(struct aio_connection *connection);
    /* Sends bytes as they are: the heads of the handshake. */
    int (*write)(struct aio_connection *connection, PyObject *bytes);
    /* Bytes that it holds, of those that were taken out of protocol.conn or never were in it; -1 with an exception. */
    Py_ssize_t (*count_held)(struct aio_connection *connection);
    /* As get_extra_info() of an asyncio transport. */
    PyObject *(*get_extra_info)(struct aio_connection *connection, PyObject *name, PyObject *default_value);
    /* An asyncio transport, or what stands in for it: new reference. */
    PyObject *(*get_transport)(struct aio_connection *connection);
};

/* What a driver tells the connection, inside of a batch. All return 0, or -1 with an exception that is for the loop. */

/* The transport is there. driver_data is what the functions above find in connection->driver_data. */
int aio_connection_made(struct aio_connection *self, const struct aio_driver *driver, PyObject *driver_data);

/* Where to receive: as fastws_conn_space(). Returns 1, or 0 if the bytes that come are to go to
 * aio_connection_received(). */
int aio_connection_space(struct aio_connection *self, void **ptr, size_t *cap);

/* So many bytes came into the space. */
int aio_connection_filled(struct aio_connection *self, size_t len);

/* Bytes came elsewhere: they are copied. */
int aio_connection_received(struct aio_connection *self, const char *bytes, size_t len);

/* The peer will send no more. */
int aio_connection_eof(struct aio_connection *self);

/* The transport is gone; exception says why, or is NULL or None. */
int aio_connection_lost(struct aio_connection *self, PyObject *exception);

/* The transport holds more than write_high bytes, or again no more than write_low. */
int aio_connection_set_writable(struct aio_connection *self, int is_writable);

/* ---- The connection: aio_connection.c ---- */

enum phase {
    PHASE_CONNECTING, /* the handshake is under way: protocol.conn is NULL */
    PHASE_OPEN,       /* frames go both ways, until the transport is gone */
    PHASE_LOST
};

/* A message, or a part of one. */
struct aio_item {
    PyObject *data; /* str or bytes; of parts always bytes */
    uint8_t opcode;
    uint8_t is_part;
    uint8_t is_last;
};

/* Messages that nobody has taken, in order. */
struct aio_queue {
    struct aio_item *items; /* a ring, or NULL */
    Py_ssize_t cap, head, count;
};

/* Events of the library that are being delivered. */
struct aio_batch {
    const struct fastws_event *events;
    int count, next;
};

struct aio_connection {
    PyObject_HEAD
    struct state *state;
    struct aio_endpoint *endpoint;
    struct aio_loop *loop;
    const struct aio_driver *driver; /* NULL: there is no transport yet, or it is gone */
    const struct aio_driver *parted;  /* while the end is told: it may still be asked; else NULL */
    PyObject *driver_data;
    struct protocol protocol;
    struct aio_queue queue;
    struct aio_batch *batch;   /* NULL: none is being delivered */
    PyObject *receiver;        /* the awaitable that waits for a message, borrowed; NULL: none */
    PyObject *spare_receive;   /* awaitables and what they wait for, to be used again, or NULL */
    PyObject *spare_send;
    PyObject *waiter;
    PyObject *drains;          /* list of futures of those who wait for room, or NULL */
    PyObject *closed;          /* future: the transport is gone; NULL until somebody waits for it */
    PyObject *exception;       /* what ended the transport, or NULL */
    PyObject *pings;           /* dict of those that were sent with ping(), or NULL */
    PyObject *backlog;         /* bytes that came while control replies piled up, or NULL */
    struct aio_connection *next_dirty;
    size_t timer;              /* its place in the heap, from 1; 0: none */
    uint64_t end_ms;           /* when the transport is given up; UINT64_MAX: not yet */
    uint64_t hold_ms;          /* when an end that is held is taken all the same */
    double latency;            /* seconds */
    uint8_t phase;             /* enum phase */
    uint8_t is_dirty;
    uint8_t is_delivering;
    uint8_t is_held;           /* what was received is not all taken apart: the queue was full */
    uint8_t is_paused;         /* reading is */
    uint8_t is_full;           /* the driver is: send() waits */
    uint8_t is_ending;         /* nothing more will be sent, and what is received is dropped */
    uint8_t is_eof;            /* of the peer */
    uint8_t is_in_parts;       /* messages are taken apart frame by frame */
    uint8_t is_streaming;      /* recv_streaming() has begun a message and not ended it */
    uint8_t is_sending;        /* a message in pieces is under way */
    uint8_t is_failed;         /* code of the user raised */
    uint8_t is_busy;           /* a message of the last read was taken, and the next was not asked for */
    uint8_t is_end_held;       /* a close or an error waits until messages were answered */
    uint8_t is_end_wanted;     /* and is not to wait any more */
};

/* Raises ConnectionClosed, with what ended the transport as its cause. Returns NULL. */
PyObject *aio_connection_raise_closed(struct aio_connection *self);

/* Sends what is pending, now or when the batch ends. Returns 0, or -1 with an exception. */
int aio_connection_flush(struct aio_connection *self);
int aio_connection_flush_soon(struct aio_connection *self);

/* Takes what had to wait until replies were sent or messages taken, and reads on. Returns 0, or -1 with an
 * exception. */
int aio_connection_go_on(struct aio_connection *self);

/* Sees whether the connection is over, and when it next has something to do. Returns 0, or -1 with an exception. */
int aio_connection_settle(struct aio_connection *self);

/* A deadline has come. */
int aio_connection_on_time(struct aio_connection *self, uint64_t now_ms);

/* Fails the connection because code of the user raised: logs, and closes with 1011. */
void aio_connection_fail(struct aio_connection *self, const char *where);

/* A future that is done when the transport is gone: borrowed, or NULL with an exception. */
PyObject *aio_connection_closed(struct aio_connection *self);

/* ---- Delivery: aio_deliver.c, aio_queue.c ---- */

/* Takes apart what was received and hands it out, until the queue is full. Returns 0, or -1 with an exception. */
int aio_deliver(struct aio_connection *self);

/* Takes the end of the connection, if one is held for the sake of answers. Returns 0, or -1 with an exception. */
int aio_end_take(struct aio_connection *self);

/* Takes the next message, or a part of one.
 *   decode   Py_None: str for text and bytes for binary; else a truth value: str, or bytes
 * Returns 1 with *out, 0 if none is there, -1 with an exception. */
int aio_take_message(struct aio_connection *self, PyObject *decode, PyObject **out);
int aio_take_part(struct aio_connection *self, struct aio_item *out);

int aio_queue_push(struct aio_queue *queue, struct aio_item item);
struct aio_item aio_queue_pop(struct aio_queue *queue);
const struct aio_item *aio_queue_at(const struct aio_queue *queue, Py_ssize_t i);
void aio_queue_clear(struct aio_queue *queue);

/* ---- Waiting: aio_wake.c, aio_receive.c ---- */

/* A waiter of the connection, new or used again, that nobody waits for. New reference, or NULL with an exception. */
PyObject *aio_waiter_get(struct aio_connection *self);

/* Whether somebody waits and was not woken. */
int aio_waiter_is_pending(PyObject *waiter);

/* Wakes who waits: at once if no task runs, else soon. Returns 0, or -1 with KeyboardInterrupt or the like. */
int aio_waiter_wake(PyObject *waiter, struct aio_loop *loop);

/* Wakes who waits for a message, if there is somebody. */
int aio_receive_wake(struct aio_connection *self);

/* throw() of a coroutine that has nothing more to do: raises what it is given. */
PyObject *aio_throw(PyObject *args);

/* Says of a coroutine that is dropped before its first step, as Python does of its own, that an await was forgotten. */
void aio_warn_not_awaited(const char *name);

PyObject *aio_receive(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *aio_receive_next(PyObject *self);
PyObject *aio_receive_part(PyObject *self, PyObject *ignored);

/* ---- Sending: aio_send.c, aio_send_type.c ---- */

/* Sends what most messages are, inside of a batch and where nothing is in the way: a few bytes that need no conversion.
 * Returns 1, or 0 if it has to go the way below. */
int aio_send_short(struct aio_connection *self, PyObject *message);

/* Sends a message that is there whole. text and compress are as for send(), or NULL. Returns 1, 0 if it is none, -1
 * with an exception. */
int aio_send_whole(struct aio_connection *self, PyObject *message, PyObject *text, PyObject *compress);

PyObject *aio_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *aio_send_nowait(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);
PyObject *aio_send_part(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *aio_send_control(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *aio_send_close(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

/* A future that is done when there is room again: new reference, or NULL with an exception. */
PyObject *aio_room_wait(struct aio_connection *self);
void aio_room_wake(struct aio_connection *self);

/* Gives a class of connections methods of its own in the place of those that it inherits from AsyncConnection and that
 * are called for each message: the interpreter takes the short way to a method only where the class of the object is
 * the one that has it. Takes a type and returns it, or NULL with an exception. */
PyObject *aio_own_methods(PyObject *module, PyObject *type);

extern PyMethodDef aio_functions[];

extern PyType_Spec aio_loop_spec;
extern PyType_Spec aio_space_spec;
extern PyType_Spec aio_endpoint_spec;
extern PyType_Spec aio_connection_spec;
extern PyType_Spec aio_protocol_spec;
extern PyType_Spec aio_transport_spec;
extern PyType_Spec aio_acceptor_spec;
extern PyType_Spec aio_waiter_spec;
extern PyType_Spec aio_receive_spec;
extern PyType_Spec aio_send_spec;

#endif
