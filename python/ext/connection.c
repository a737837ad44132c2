/* SPDX-License-Identifier: MIT */
/* The Connection type: the protocol without I/O. Bytes in, events out; messages in, bytes out. */
#include "args.h"
#include "connection.h"
#include "errors.h"
#include "events.h"

#include <structmember.h>

#include <string.h>

#include <fastws/error.h>
#include <fastws/header.h>

#define BUFFER_LEN 65536 /* bytes of what get_buffer() gives */
#define BATCH 16         /* events taken from the library at a time */

static int take_extensions(struct connection *self, PyObject *extensions) {
    struct hooks *hooks = &self->protocol.hooks;
    hooks->unset_bits = hooks_resolve(self->state, extensions, NAME_UNSET_BITS);
    if (hooks->unset_bits) hooks->set_bits = hooks_resolve(self->state, extensions, NAME_SET_BITS);
    if (!hooks->set_bits) return -1;
    /* An empty list costs nothing. */
    if (PyTuple_GET_SIZE(hooks->unset_bits) + PyTuple_GET_SIZE(hooks->set_bits) == 0) return 0;
    return protocol_use_hooks(&self->protocol, self->state);
}

static PyObject *connection_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"role", "max_size", "max_frame_size", "max_fragments", "max_empty_fragments",
                            "ping_interval", "ping_timeout", "close_timeout", "check_utf8", "delivery",
                            "fragment_size", "write_limit", "extensions", "skip_header_check", NULL};
    struct options options = {.check_utf8 = 1};
    PyObject *role, *delivery = NULL, *extensions = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOOOOOOpOOOOp:Connection", names, &role, &options.max_size,
                                     &options.max_frame_size, &options.max_fragments, &options.max_empty_fragments,
                                     &options.ping_interval, &options.ping_timeout, &options.close_timeout,
                                     &options.check_utf8, &delivery, &options.fragment_size, &options.write_limit,
                                     &extensions, &options.skip_header_check)) {
        return NULL;
    }
    struct connection *self = (struct connection *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = state_of_type(type);
    if (!self->state || arg_config(role, &options, &self->protocol.config) < 0 ||
        (delivery && arg_delivery(delivery, &self->protocol.config.delivery) < 0) ||
        (extensions && take_extensions(self, extensions) < 0) || protocol_open(&self->protocol, self->state) < 0) {
        Py_CLEAR(self);
        return NULL;
    }
    self->delivery = self->protocol.config.delivery;
    return (PyObject *)self;
}

static int connection_traverse(PyObject *object, visitproc visit, void *arg) {
    struct connection *self = (struct connection *)object;
    Py_VISIT(Py_TYPE(object));
    return hooks_traverse(&self->protocol.hooks, visit, arg);
}

static int connection_clear(PyObject *object) {
    hooks_clear(&((struct connection *)object)->protocol.hooks);
    return 0;
}

static void connection_dealloc(PyObject *object) {
    struct connection *self = (struct connection *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weakrefs) PyObject_ClearWeakRefs(object);
    protocol_close(&self->protocol);
    Py_CLEAR(self->outbox);
    Py_CLEAR(self->buffer);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- In ---- */

static PyObject *new_event(struct connection *self, const struct fastws_event *event) {
    if (event->kind != FASTWS_EVENT_ERROR) return event_object(self->state, self->protocol.conn, event);
    PyObject *error = protocol_error_new(&self->protocol, self->state, event->error);
    return pair_new(self->state->failure_type, error, PyLong_FromLong(event->close_code));
}

/* Appends the events that are there. Payloads become objects before anything else runs on the connection: only then
 * are views safe from code that the collector may run here. Returns 0, or -1 with an exception. */
static int take_events(struct connection *self, PyObject *list) {
    struct fastws_event events[BATCH];
    int count;
    while (!self->protocol.error && (count = fastws_conn_next(self->protocol.conn, events, BATCH)) != 0) {
        if (count < 0) {
            error_raise(self->state, count);
            return -1;
        }
        for (int i = 0; i < count; i++) {
            protocol_note_event(&self->protocol, &events[i]);
            PyObject *event = new_event(self, &events[i]);
            int result = event ? PyList_Append(list, event) : -1;
            Py_XDECREF(event);
            if (result < 0) return -1;
        }
    }
    return 0;
}

/* Copies bytes in, a slab at a time. What follows a close frame or an error is dropped. */
static int take_bytes(struct connection *self, const char *src, size_t len, PyObject *list) {
    while (len && !self->protocol.error) {
        void *ptr;
        size_t cap;
        int error = fastws_conn_space(self->protocol.conn, &ptr, &cap);
        if (error < 0) {
            error_raise(self->state, error);
            return -1;
        }
        if (cap == 0) {
            /* All of data is taken at once: what it asks for in replies is bounded by what it holds. The limit is
             * asked again at the next call. */
            self->is_flooded = 1;
            if (connection_spill(self) < 0) return -1;
            continue;
        }
        if (cap > len) cap = len;
        memcpy(ptr, src, cap);
        error = fastws_conn_filled(self->protocol.conn, cap);
        if (error < 0) {
            error_raise(self->state, error);
            return -1;
        }
        src += cap;
        len -= cap;
        if (take_events(self, list) < 0) return -1;
    }
    return take_events(self, list);
}

/* Says whether bytes may come in now. Returns 0, or -1 with an exception. */
static int check_may_receive(struct connection *self) {
    if (hooks_wait(&self->protocol.hooks) < 0) return -1;
    if (self->is_receiving) {
        PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "another call is receiving");
    } else if (self->protocol.error) {
        protocol_closed_raise(&self->protocol, self->state);
    } else if (self->is_flooded) {
        PyErr_SetString(PyExc_RuntimeError, "send what data_to_send() returns before more is received");
    } else {
        return 0;
    }
    return -1;
}

static PyObject *receive_bytes(struct connection *self, const char *src, size_t len) {
    PyObject *list = PyList_New(0);
    if (!list) return NULL;
    protocol_touch(&self->protocol);
    self->is_receiving = 1;
    if (take_bytes(self, src, len, list) < 0) Py_CLEAR(list);
    self->is_receiving = 0;
    return list;
}

static PyObject *connection_receive(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *data;
    Py_buffer view;
    if (arg_one("receive", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_bytes(data, "data", &view) < 0) return NULL;
    PyObject *list = check_may_receive(self) < 0 ? NULL : receive_bytes(self, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return list;
}

static PyObject *connection_receive_eof(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (self->protocol.error) return PyList_New(0);
    if (check_may_receive(self) < 0) return NULL;
    fastws_conn_eof(self->protocol.conn);
    return receive_bytes(self, NULL, 0);
}

static PyObject *connection_discard(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (check_may_receive(self) < 0) return NULL;
    int error = fastws_conn_discard(self->protocol.conn);
    if (error < 0 && error != FASTWS_ERR_STATE) return protocol_error_raise(&self->protocol, self->state, error);
    return PyBool_FromLong(error == 0);
}

static PyObject *connection_get_buffer(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *hint;
    if (arg_one("get_buffer", args, count, kwnames, "sizehint", 0, &hint) < 0) return NULL;
    if (hint && !PyLong_Check(hint)) return PyErr_Format(PyExc_TypeError, "sizehint must be int");
    if (!self->buffer) self->buffer = PyByteArray_FromStringAndSize(NULL, BUFFER_LEN);
    return self->buffer ? PyMemoryView_FromObject(self->buffer) : NULL;
}

static PyObject *connection_buffer_updated(PyObject *object, PyObject *const *args, Py_ssize_t count,
                                           PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *number;
    Py_buffer view = {0};
    uint64_t len;
    if (arg_one("buffer_updated", args, count, kwnames, "nbytes", 1, &number) < 0) return NULL;
    if (check_may_receive(self) < 0) return NULL;
    /* The bytearray can be reached, and resized, through the memoryview that was handed out. */
    if (self->buffer && PyObject_GetBuffer(self->buffer, &view, PyBUF_SIMPLE) < 0) return NULL;
    PyObject *list = NULL;
    if (arg_unsigned(number, "nbytes", (uint64_t)view.len, &len) == 0) list = receive_bytes(self, view.buf, (size_t)len);
    PyBuffer_Release(&view);
    return list;
}

/* ---- Time and state ---- */

static PyObject *connection_on_time(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *time;
    if (arg_one("on_time", args, count, kwnames, "now", 0, &time) < 0) return NULL;
    if (hooks_wait(&self->protocol.hooks) < 0) return NULL;
    uint64_t now = protocol_touch(&self->protocol);
    /* Rounded up: a deadline that was read as seconds and handed back has passed. */
    if (time && time != Py_None && arg_seconds(time, "now", 1, INT64_MAX / 2, &now) < 0) return NULL;
    int result = fastws_conn_on_time(self->protocol.conn, now);
    if (result < 0) return error_raise(self->state, result);
    if (self->protocol.error || result == 0) return PyList_New(0);
    return self->is_receiving ? PyList_New(0) : receive_bytes(self, NULL, 0);
}

static PyObject *connection_close_expected(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    return PyBool_FromLong(fastws_conn_is_over(self->protocol.conn) && !self->outbox);
}

static PyObject *get_deadline(PyObject *object, void *Py_UNUSED(closure)) {
    struct connection *self = (struct connection *)object;
    uint64_t deadline = fastws_conn_deadline_ms(self->protocol.conn);
    if (deadline == UINT64_MAX) Py_RETURN_NONE;
    return PyFloat_FromDouble((double)deadline / 1000.0);
}

static PyObject *get_delivery(PyObject *object, void *Py_UNUSED(closure)) {
    static const char *const names[] = {"messages", "fragments", "stream"};
    return PyUnicode_InternFromString(names[((struct connection *)object)->delivery]);
}

static int set_delivery(PyObject *object, PyObject *value, void *Py_UNUSED(closure)) {
    struct connection *self = (struct connection *)object;
    uint8_t delivery;
    if (!value) {
        PyErr_SetString(PyExc_AttributeError, "delivery cannot be deleted");
        return -1;
    }
    if (arg_delivery(value, &delivery) < 0 || hooks_wait(&self->protocol.hooks) < 0) return -1;
    int error = fastws_conn_set_delivery(self->protocol.conn, delivery);
    if (error == 0) self->delivery = delivery;
    if (error < 0) error_raise(self->state, error);
    return error < 0 ? -1 : 0;
}

static PyObject *get_writable(PyObject *object, void *Py_UNUSED(closure)) {
    struct connection *self = (struct connection *)object;
    uint64_t len = self->outbox_len + fastws_conn_pending_len(self->protocol.conn);
    return PyBool_FromLong(self->protocol.config.queue_high == 0 || len <= self->protocol.config.queue_high);
}

static PyObject *get_protocol(PyObject *object, void *getter) {
    struct connection *self = (struct connection *)object;
    PyObject *(*const *get)(const struct protocol *) = getter;
    return (*get)(&self->protocol);
}

static PyObject *get_role(PyObject *object, void *Py_UNUSED(closure)) {
    struct connection *self = (struct connection *)object;
    return PyUnicode_InternFromString(self->protocol.config.role == FASTWS_ROLE_CLIENT ? "client" : "server");
}

/* Function pointers cannot travel as void pointers; pointers to them can. */
static PyObject *(*const state_getter)(const struct protocol *) = protocol_state;
static PyObject *(*const code_getter)(const struct protocol *) = protocol_close_code;
static PyObject *(*const reason_getter)(const struct protocol *) = protocol_close_reason;
static PyObject *(*const latency_getter)(const struct protocol *) = protocol_latency;

static PyMethodDef connection_methods[] = {
    {"receive", (PyCFunction)(void (*)(void))connection_receive, METH_FASTCALL | METH_KEYWORDS,
     "receive($self, /, data)\n--\n\n"
     "Takes bytes that the peer sent, which are copied, and returns the events that they complete.\n\n"
     "Args:\n"
     "    data: any bytes-like object.\n\n"
     "Returns:\n"
     "    A list of Message (or Chunk: see delivery), Ping, Pong, Close and Failure. Close and Failure come last:\n"
     "    nothing follows them.\n\n"
     "Raises:\n"
     "    ConnectionClosed: a Close or Failure was returned before.\n"
     "    RuntimeError: replies to control frames passed 64 KiB and data_to_send() was not called since."},
    {"receive_eof", connection_receive_eof, METH_NOARGS,
     "receive_eof($self, /)\n--\n\n"
     "Says that the peer will send nothing more. Returns the last events: a Failure, if no close frame came."},
    {"discard", connection_discard, METH_NOARGS,
     "discard($self, /)\n--\n\n"
     "Drops the rest of the message that is open behind the last event: it gives no event any more.\n\n"
     "Returns:\n"
     "    False if no message was open."},
    {"get_buffer", (PyCFunction)(void (*)(void))connection_get_buffer, METH_FASTCALL | METH_KEYWORDS,
     "get_buffer($self, /, sizehint=-1)\n--\n\n"
     "Returns a memoryview to receive into, as asyncio.BufferedProtocol does."},
    {"buffer_updated", (PyCFunction)(void (*)(void))connection_buffer_updated, METH_FASTCALL | METH_KEYWORDS,
     "buffer_updated($self, /, nbytes)\n--\n\n"
     "Says that nbytes were written to the start of get_buffer(). Like receive(), but for those bytes."},
    {"send", (PyCFunction)(void (*)(void))connection_send, METH_FASTCALL | METH_KEYWORDS,
     "send($self, data, opcode=None)\n--\n\n"
     "Queues one message.\n\n"
     "Args:\n"
     "    data: str for a text message, bytes-like for a binary one, which is copied; or a PreparedMessage.\n"
     "    opcode: OpCode.TEXT to send bytes as text, OpCode.BINARY to send the UTF-8 of a str as binary.\n\n"
     "Raises:\n"
     "    ConnectionClosed: a close frame was queued, or the connection failed.\n"
     "    RuntimeError: a message was begun and is not finished.\n"
     "    ValueError: opcode is neither, or text is not UTF-8."},
    {"begin", (PyCFunction)(void (*)(void))connection_begin, METH_FASTCALL | METH_KEYWORDS,
     "begin($self, /, opcode=OpCode.TEXT)\n--\n\n"
     "Begins a message in pieces: write() adds to it, finish() ends it. It goes out in frames of fragment_size bytes.\n"
     "RFC 6455 5.4. Pings may be sent meanwhile, other messages not.\n\n"
     "Raises:\n"
     "    ConnectionClosed: a close frame was queued, or the connection failed.\n"
     "    RuntimeError: another message was begun and is not finished."},
    {"write", (PyCFunction)(void (*)(void))connection_write, METH_FASTCALL | METH_KEYWORDS,
     "write($self, /, data)\n--\n\n"
     "Adds to the message that was begun.\n\n"
     "Args:\n"
     "    data: str, which goes out as UTF-8, or bytes-like. It is copied. A character may be cut anywhere.\n\n"
     "Raises:\n"
     "    ConnectionClosed: a close frame was queued, or the connection failed.\n"
     "    RuntimeError: no message was begun.\n"
     "    ValueError: the text is not UTF-8; nothing was added."},
    {"flush_fragment", connection_flush_fragment, METH_NOARGS,
     "flush_fragment($self, /)\n--\n\n"
     "Queues what was written and not queued yet as a fragment, though it is not full; nothing if there is nothing."},
    {"finish", connection_finish, METH_NOARGS,
     "finish($self, /)\n--\n\n"
     "Ends the message that was begun: what is left goes out as its last frame.\n\n"
     "Raises:\n"
     "    ConnectionClosed: a close frame was queued, or the connection failed.\n"
     "    RuntimeError: no message was begun.\n"
     "    ValueError: the text ends inside a character; the message stays open."},
    {"abandon", connection_abandon, METH_NOARGS,
     "abandon($self, /)\n--\n\n"
     "Drops what was written and not queued yet. If no fragment was queued, the message is forgotten; else it stays open."},
    {"ping", (PyCFunction)(void (*)(void))connection_ping, METH_FASTCALL | METH_KEYWORDS,
     "ping($self, /, data=b'')\n--\n\nQueues a ping with at most 125 bytes. RFC 6455 5.5.2."},
    {"pong", (PyCFunction)(void (*)(void))connection_pong, METH_FASTCALL | METH_KEYWORDS,
     "pong($self, /, data=b'')\n--\n\nQueues a pong that nobody asked for, at most 125 bytes. RFC 6455 5.5.3."},
    {"close", (PyCFunction)(void (*)(void))connection_close, METH_FASTCALL | METH_KEYWORDS,
     "close($self, code=1000, reason='')\n--\n\n"
     "Queues a close frame: the last frame of this end. Does nothing after another, or a failure. RFC 6455 7.1.2.\n\n"
     "Args:\n"
     "    code: 1000-1003, 1007-1014 or 3000-4999; 1005 for a frame without a body.\n"
     "    reason: cut to 123 bytes of UTF-8.\n\n"
     "Raises:\n"
     "    ValueError: code may not be sent."},
    {"data_to_send", connection_data_to_send, METH_NOARGS,
     "data_to_send($self, /)\n--\n\nReturns all bytes that are to be sent, and forgets them."},
    {"on_time", (PyCFunction)(void (*)(void))connection_on_time, METH_FASTCALL | METH_KEYWORDS,
     "on_time($self, /, now=None)\n--\n\n"
     "Does what is due: queues a ping, or fails the connection. Call it when deadline has passed.\n\n"
     "Args:\n"
     "    now: seconds, as time.monotonic() counts; None for that clock.\n\n"
     "Returns:\n"
     "    A list of events: empty, or a Failure."},
    {"close_expected", connection_close_expected, METH_NOARGS,
     "close_expected($self, /)\n--\n\n"
     "Returns True when the transport should be closed: the connection has ended and all was sent."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef connection_getset[] = {
    {"deadline", get_deadline, NULL, "When to call on_time(), in seconds of time.monotonic(); None: never.", NULL},
    {"state", get_protocol, NULL, "'OPEN', 'CLOSING' or 'CLOSED'.", (void *)&state_getter},
    {"close_code", get_protocol, NULL, "The close code of the peer, 1006 if none came; None while open.",
     (void *)&code_getter},
    {"close_reason", get_protocol, NULL, "The close reason of the peer; None while open.", (void *)&reason_getter},
    {"role", get_role, NULL, "'server' or 'client'.", NULL},
    {"latency", get_protocol, NULL, "Seconds from the last keep-alive ping that was answered to its pong; 0.0 before one.",
     (void *)&latency_getter},
    {"delivery", get_delivery, set_delivery,
     "'messages', 'fragments' or 'stream': how messages are handed out. A message that has begun is finished as it was.",
     NULL},
    {"writable", get_writable, NULL,
     "False while more than write_limit bytes wait for data_to_send(): a sender should pause.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef connection_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct connection, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot connection_slots[] = {
    {Py_tp_doc,
     "Connection(role, *, max_size=16777216, max_frame_size=16777216, max_fragments=262144, max_empty_fragments=1024, "
     "ping_interval=20, ping_timeout=20, close_timeout=10, check_utf8=True, delivery='messages', fragment_size=4096, "
     "write_limit=65536, extensions=(), skip_header_check=False)\n--\n\n"
     "One WebSocket connection after its handshake, without I/O; not for several threads at once. RFC 6455.\n\n"
     "Args:\n"
     "    role: 'server' or 'client'.\n"
     "    max_size: bytes of a message, None for no limit. Above: MessageTooBig, 1009.\n"
     "    max_frame_size: bytes of a frame, None for no limit.\n"
     "    max_fragments: frames of a message, None for no limit.\n"
     "    max_empty_fragments: frames without payload of a message, None for no limit.\n"
     "    ping_interval: seconds of silence before a ping, None for never.\n"
     "    ping_timeout: seconds of silence after that ping before the connection fails, None for never.\n"
     "    close_timeout: seconds for the close handshake, None for no limit.\n"
     "    check_utf8: False lets text through that is not UTF-8; its wrong bytes become lone surrogates.\n"
     "    delivery: 'messages' for whole ones; 'fragments' for a Chunk for each frame; 'stream' for a Chunk for\n"
     "        whatever has come: then a message may be larger than memory, if max_size and max_frame_size allow it.\n"
     "    fragment_size: bytes of a fragment of a message in pieces; None never to fragment.\n"
     "    write_limit: bytes to send above which writable is False; None for no limit. It holds nobody back by itself.\n"
     "    extensions: objects that use reserved bits: unset_bits(header) is called with each data frame's Header that\n"
     "        came, set_bits(header) with one that is to go. They return a Header with other rsv, or None for no\n"
     "        change, or raise to refuse. A function stands for both. They must not use the connection. RFC 6455 9.\n"
     "    skip_header_check: True asks no rule of Header.check(), for peers that break them.\n\n"
     "Raises:\n"
     "    ValueError: an argument is out of range."},
    SLOT(Py_tp_new, connection_tp_new),
    SLOT(Py_tp_dealloc, connection_dealloc),
    SLOT(Py_tp_traverse, connection_traverse),
    SLOT(Py_tp_clear, connection_clear),
    {Py_tp_methods, connection_methods},
    {Py_tp_getset, connection_getset},
    {Py_tp_members, connection_members},
    {0, NULL},
};

PyType_Spec connection_spec = {
    .name = "fastws.Connection",
    .basicsize = sizeof(struct connection),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = connection_slots,
};
