/* SPDX-License-Identifier: MIT */
/* The Connection type: the protocol without I/O. Bytes in, events out; messages in, bytes out. */
#include "connection.h"

#include <structmember.h>

#include "args.h"
#include "errors.h"

/* Reads the arguments of the constructor and of reset(), where role is optional. Returns 0, or -1 with an exception. */
static int take_arguments(struct connection *self, struct protocol_plan *plan, PyObject *args, PyObject *kwargs,
                          const char *format) {
    static char *names[] = {"role", NULL};
    PyObject *role = NULL;
    enum fastws_role as;
    if (protocol_plan_take(plan, &self->protocol, self->state, kwargs, CONFIG_CONNECTION) < 0) return -1;
    if (!PyArg_ParseTupleAndKeywords(args, plan->others, format, names, &role)) return -1;
    if (!role || (role == Py_None && self->protocol.conn)) return 0;
    if (arg_role(role, &as) < 0) return -1;
    plan->config.role = (uint8_t)as;
    return 0;
}

static PyObject *connection_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct connection *self = (struct connection *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    struct protocol_plan plan = {0};
    self->state = state_of_type(type);
    int result = self->state ? take_arguments(self, &plan, args, kwargs, "O:Connection") : -1;
    if (result == 0) result = protocol_adopt(&self->protocol, &plan);
    if (result == 0) result = protocol_open(&self->protocol, self->state);
    protocol_plan_clear(&plan);
    if (result < 0) Py_CLEAR(self);
    if (self) self->delivery = self->protocol.config.delivery;
    return (PyObject *)self;
}

static PyObject *connection_reset(PyObject *object, PyObject *args, PyObject *kwargs) {
    struct connection *self = (struct connection *)object;
    struct protocol_plan plan;
    int result = take_arguments(self, &plan, args, kwargs, "|O:reset");
    if (result == 0) result = hooks_wait(&self->protocol.hooks);
    if (result == 0 && (self->is_receiving || self->compressing)) {
        PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "a call of the connection is under way");
        result = -1;
    }
    if (result == 0) {
        Py_CLEAR(self->outbox);
        self->outbox_len = 0;
        self->outbox_off = 0;
        self->is_text = self->is_flooded = self->is_full = 0;
        self->delivery = plan.config.delivery;
        result = protocol_adopt(&self->protocol, &plan);
    }
    protocol_plan_clear(&plan);
    return result < 0 ? NULL : Py_NewRef(Py_None);
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
    return self->is_receiving ? PyList_New(0) : connection_receive_bytes(self, NULL, 0);
}

static PyObject *connection_close_expected(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    return PyBool_FromLong(fastws_conn_is_over(self->protocol.conn) && self->outbox_len == 0);
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
    connection_note_queued(self);
    return PyBool_FromLong(!self->is_full);
}

static PyObject *get_queued(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(connection_queued((struct connection *)object));
}

static PyObject *get_option(PyObject *object, void *option) {
    return config_get(&((struct connection *)object)->protocol.config, option);
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
static PyObject *(*const offset_getter)(const struct protocol *) = protocol_offset;
static PyObject *(*const compression_getter)(const struct protocol *) = protocol_compression;
static PyObject *(*const held_getter)(const struct protocol *) = protocol_compression_held;

static PyObject *connection_idle(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return protocol_idle(&((struct connection *)object)->protocol) < 0 ? NULL : Py_NewRef(Py_None);
}

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
     "send($self, data, opcode=None, *, compress=None)\n--\n\n"
     "Queues one message.\n\n"
     "Args:\n"
     "    data: str for a text message, bytes-like for a binary one, which is copied; or a PreparedMessage.\n"
     "    opcode: OpCode.TEXT to send bytes as text, OpCode.BINARY to send the UTF-8 of a str as binary.\n"
     "    compress: True or False overrules the Deflate of the connection, None leaves it to that. It means nothing\n"
     "        where compression was not agreed on.\n\n"
     "Raises:\n"
     "    ConnectionClosed: a close frame was queued, or the connection failed.\n"
     "    RuntimeError: a message was begun and is not finished.\n"
     "    ValueError: opcode is neither, text is not UTF-8, or data is a PreparedMessage, which has both choices."},
    {"begin", (PyCFunction)(void (*)(void))connection_begin, METH_FASTCALL | METH_KEYWORDS,
     "begin($self, /, opcode=OpCode.TEXT, *, compress=None)\n--\n\n"
     "Begins a message in pieces: write() adds to it, finish() ends it. It goes out in frames of fragment_size bytes.\n"
     "RFC 6455 5.4. Pings may be sent meanwhile, other messages not. compress is as for send().\n\n"
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
     "Drops what was written and not queued yet. If no fragment was queued, the message is forgotten; else it stays\n"
     "open, and goes on where its fragments end."},
    {"ping", (PyCFunction)(void (*)(void))connection_ping, METH_FASTCALL | METH_KEYWORDS,
     "ping($self, /, data=b'')\n--\n\nQueues a ping with at most 125 bytes. RFC 6455 5.5.2."},
    {"pong", (PyCFunction)(void (*)(void))connection_pong, METH_FASTCALL | METH_KEYWORDS,
     "pong($self, /, data=b'')\n--\n\nQueues a pong that nobody asked for, at most 125 bytes. RFC 6455 5.5.3."},
    {"close", (PyCFunction)(void (*)(void))connection_close, METH_FASTCALL | METH_KEYWORDS,
     "close($self, code=1000, reason='')\n--\n\n"
     "Queues a close frame: the last frame of this end. Does nothing after another, nor after the peer's or a\n"
     "failure, unless auto_close is False. RFC 6455 7.1.2.\n\n"
     "Args:\n"
     "    code: 1000-1003, 1007-1014 or 3000-4999; 1005 for a frame without a body.\n"
     "    reason: cut to 123 bytes of UTF-8.\n\n"
     "Raises:\n"
     "    ValueError: code may not be sent."},
    {"data_to_send", (PyCFunction)(void (*)(void))connection_data_to_send, METH_FASTCALL | METH_KEYWORDS,
     "data_to_send($self, /, n=-1)\n--\n\n"
     "Returns the bytes that are to be sent, and forgets them.\n\n"
     "Args:\n"
     "    n: bytes at most; negative or None for all. What is left waits for the next call."},
    {"on_time", (PyCFunction)(void (*)(void))connection_on_time, METH_FASTCALL | METH_KEYWORDS,
     "on_time($self, /, now=None)\n--\n\n"
     "Does what is due: queues a ping, or fails the connection. Call it when deadline has passed.\n\n"
     "Args:\n"
     "    now: seconds, as time.monotonic() counts; None for that clock.\n\n"
     "Returns:\n"
     "    A list of events: empty, or a Failure."},
    {"idle", connection_idle, METH_NOARGS,
     "idle($self, /)\n--\n\n"
     "For a connection that has been silent: gives back the memory of compression that the next message can do\n"
     "without. Context is kept: the end of what was sent, and the window of a peer that refers to earlier messages."},
    {"close_expected", connection_close_expected, METH_NOARGS,
     "close_expected($self, /)\n--\n\n"
     "Returns True when the transport should be closed: the connection has ended and all was sent. Where auto_close\n"
     "is False, the peer's close frame has to be answered by close() first."},
    {"reset", (PyCFunction)(void (*)(void))connection_reset, METH_VARARGS | METH_KEYWORDS,
     "reset($self, /, role=None, **options)\n--\n\n"
     "Makes the connection new, for another peer: what was received or queued is dropped, errors are forgotten.\n\n"
     "Args:\n"
     "    role: 'server' or 'client'; None keeps it.\n"
     "    options: those of the constructor; what is not given stays, delivery as the constructor or reset()\n"
     "        had it. But compression is that of the new peer: none where it is not given.\n\n"
     "Raises:\n"
     "    ConcurrencyError: a call of the connection is under way.\n"
     "    ValueError: an argument is out of range; then nothing changed."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef connection_getset[] = {
    {"deadline", get_deadline, NULL, "When to call on_time(), in seconds of time.monotonic(); None: never.", NULL},
    {"state", get_protocol, NULL, "'OPEN', 'CLOSING' or 'CLOSED'.", (void *)&state_getter},
    {"close_code", get_protocol, NULL, "The close code of the peer, 1006 if none came; None while open.",
     (void *)&code_getter},
    {"close_reason", get_protocol, NULL, "The close reason of the peer; None while open.", (void *)&reason_getter},
    {"role", get_role, NULL, "'server' or 'client'.", NULL},
    {"latency", get_protocol, NULL,
     "Seconds from the last keep-alive ping that was answered to its pong; 0.0 before one.", (void *)&latency_getter},
    {"delivery", get_delivery, set_delivery,
     "'messages', 'fragments' or 'stream': how messages are handed out. A message that has begun is finished as it\n"
     "was.", NULL},
    {"writable", get_writable, NULL,
     "False from the moment when more bytes wait for data_to_send() than the high mark of write_limit says, until no\n"
     "more of them do than the low mark says: a sender should pause.", NULL},
    {"queued", get_queued, NULL, "Bytes that wait for data_to_send().", NULL},
    {"offset", get_protocol, NULL,
     "How many bytes of the peer were taken apart, from the beginning. After an error that is where the frame begins\n"
     "that was refused, or where the byte is that is not UTF-8.", (void *)&offset_getter},
    {"compression", get_protocol, NULL,
     "The Deflate that messages are compressed by, whose parameters were agreed on; None where none is.",
     (void *)&compression_getter},
    {"compression_held", get_protocol, NULL, "Bytes that compression holds now for this connection.",
     (void *)&held_getter},
    CONFIG_GETTERS(get_option),
    {"fragment_size", get_option, NULL, "Bytes of a fragment of a message in pieces; None: never fragmented.",
     (void *)&config_options[OPTION_FRAGMENT_SIZE]},
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
     "write_limit=65536, extensions=(), skip_header_check=False, auto_pong=True, auto_close=True, "
     "compression=None)\n--\n\n"
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
     "    write_limit: bytes to send above which writable is False, or a tuple (high, low) of such bytes and of those\n"
     "        at which it is True again, by default a quarter; None for no limit. It holds nobody back by itself.\n"
     "    extensions: objects that use reserved bits: unset_bits(header) is called with each data frame's Header that\n"
     "        came, set_bits(header) with one that is to go. They return a Header with other rsv, or None for no\n"
     "        change, or raise to refuse. A function stands for both. They must not use the connection. RFC 6455 9.\n"
     "    skip_header_check: True asks no rule of Header.check(), for peers that break them.\n"
     "    auto_pong: False leaves pings to the caller: pong(ping.data) answers one. RFC 6455 5.5.2.\n"
     "    auto_close: False leaves the peer's close frame, and errors, to the caller: close() tells the peer, and\n"
     "        works after both. RFC 6455 5.5.1, 7.1.7.\n"
     "    compression: what a handshake agreed on for compressed messages: the attribute of that name of Upgrade or\n"
     "        Dial. A Deflate without parameters, or 'deflate', stands for the extension alone; None for none. Limits\n"
     "        and the check of text hold while a message is inflated. RFC 7692.\n\n"
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
