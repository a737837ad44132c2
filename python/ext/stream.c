/* SPDX-License-Identifier: MIT */
/* The Stream type: a connection with blocking I/O over a socket or any object that reads and writes bytes. */
#include "stream.h"

#include <structmember.h>

#include "args.h"

/* ---- Life: see also stream_open.c ---- */

static int stream_traverse(PyObject *object, visitproc visit, void *arg) {
    struct stream *self = (struct stream *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->transport.io);
    Py_VISIT(self->handshake);
    return hooks_traverse(&self->protocol.hooks, visit, arg);
}

static int stream_clear(PyObject *object) {
    struct stream *self = (struct stream *)object;
    Py_CLEAR(self->transport.io);
    Py_CLEAR(self->handshake);
    hooks_clear(&self->protocol.hooks);
    return 0;
}

static void stream_dealloc(PyObject *object) {
    struct stream *self = (struct stream *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weakrefs) PyObject_ClearWeakRefs(object);
    stream_clear(object);
    transport_free(&self->transport);
    Py_CLEAR(self->initial);
    Py_CLEAR(self->kept);
    protocol_close(&self->protocol);
    if (self->send_lock) PyThread_free_lock(self->send_lock);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- Methods: those that read are in stream_read.c and stream_raw.c ---- */

static PyObject *stream_send(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"data", "opcode", "compress", NULL};
    PyObject *sorted[3];
    if (arg_sort("send", args, count, kwnames, names, 1, 2, sorted) < 0) return NULL;
    return none_if(stream_send_message((struct stream *)object, sorted[0], sorted[1], sorted[2]));
}

static PyObject *stream_write_message(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"opcode", "data", "compress", NULL};
    PyObject *sorted[3];
    if (arg_sort("write_message", args, count, kwnames, names, 2, 2, sorted) < 0) return NULL;
    return none_if(stream_send_message((struct stream *)object, sorted[1], sorted[0], sorted[2]));
}

static PyObject *stream_ping(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    if (arg_one("ping", args, count, kwnames, "data", 0, &data) < 0) return NULL;
    return none_if(stream_send_control((struct stream *)object, 0, data));
}

static PyObject *stream_pong(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    if (arg_one("pong", args, count, kwnames, "data", 0, &data) < 0) return NULL;
    return none_if(stream_send_control((struct stream *)object, 1, data));
}

static PyObject *stream_close_method(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"code", "reason", NULL};
    PyObject *sorted[2];
    if (arg_sort("close", args, count, kwnames, names, 0, 2, sorted) < 0) return NULL;
    return stream_close((struct stream *)object, sorted[0], sorted[1]);
}

static PyObject *stream_enter(PyObject *self, PyObject *Py_UNUSED(ignored)) { return Py_NewRef(self); }

/* As websockets does: 1011 tells the peer that the block ended with an exception. */
static PyObject *stream_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    if (arg_count("__exit__", count, 3, 3) < 0) return NULL;
    PyObject *code = PyLong_FromLong(args[0] == Py_None ? 1000 : 1011);
    PyObject *result = code ? stream_close((struct stream *)object, code, NULL) : NULL;
    Py_XDECREF(code);
    return result;
}

/* ---- Attributes ---- */

static PyObject *get_protocol(PyObject *object, void *getter) {
    PyObject *(*const *get)(const struct protocol *) = getter;
    return (*get)(&((struct stream *)object)->protocol);
}

/* Function pointers cannot travel as void pointers; pointers to them can. */
static PyObject *(*const state_getter)(const struct protocol *) = protocol_state;
static PyObject *(*const code_getter)(const struct protocol *) = protocol_close_code;
static PyObject *(*const reason_getter)(const struct protocol *) = protocol_close_reason;
static PyObject *(*const latency_getter)(const struct protocol *) = protocol_latency;
static PyObject *(*const offset_getter)(const struct protocol *) = protocol_offset;
static PyObject *(*const compression_getter)(const struct protocol *) = protocol_compression;
static PyObject *(*const held_getter)(const struct protocol *) = protocol_compression_held;

static PyObject *get_role(PyObject *object, void *Py_UNUSED(closure)) {
    struct stream *self = (struct stream *)object;
    return PyUnicode_InternFromString(self->protocol.config.role == FASTWS_ROLE_CLIENT ? "client" : "server");
}

static PyObject *stream_idle(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return none_if(protocol_idle(&((struct stream *)object)->protocol));
}

static PyObject *get_io(PyObject *object, void *Py_UNUSED(closure)) {
    PyObject *io = ((struct stream *)object)->transport.io;
    return Py_NewRef(io ? io : Py_None);
}

static PyObject *get_queued(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(fastws_conn_pending_len(((struct stream *)object)->protocol.conn));
}

static PyObject *get_option(PyObject *object, void *option) {
    return config_get(&((struct stream *)object)->protocol.config, option);
}

static PyGetSetDef stream_getset[] = {
    {"io", get_io, NULL, "The byte stream; None once it was closed.", NULL},
    {"role", get_role, NULL, "'server' or 'client'.", NULL},
    {"state", get_protocol, NULL, "'OPEN', 'CLOSING' or 'CLOSED'.", (void *)&state_getter},
    {"close_code", get_protocol, NULL, "The peer's close code, or 1006; None while open.", (void *)&code_getter},
    {"close_reason", get_protocol, NULL, "The close reason of the peer; None while open.", (void *)&reason_getter},
    {"latency", get_protocol, NULL,
     "Seconds from the last keep-alive ping that was answered to its pong; 0.0 before one.", (void *)&latency_getter},
    {"queued", get_queued, NULL, "Bytes to be sent: of a cork, behind half a raw frame, or that find no room.", NULL},
    {"offset", get_protocol, NULL,
     "How many bytes of the peer were taken apart, from the beginning: see Connection.offset.", (void *)&offset_getter},
    {"compression", get_protocol, NULL,
     "The Deflate that messages are compressed by, whose parameters were agreed on; None where none is.",
     (void *)&compression_getter},
    {"compression_held", get_protocol, NULL, "Bytes that compression holds now for this connection.",
     (void *)&held_getter},
    CONFIG_GETTERS(get_option),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef stream_members[] = {
    {"handshake", T_OBJECT, offsetof(struct stream, handshake), READONLY, "What was agreed on: a Handshake, or None."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct stream, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef stream_methods[] = {
    {"recv", (PyCFunction)(void (*)(void))stream_recv, METH_FASTCALL | METH_KEYWORDS,
     "recv($self, timeout=None)\n--\n\n"
     "Waits for the next message. Answers pings and close frames, unless auto_pong or auto_close is False.\n\n"
     "Args:\n"
     "    timeout: seconds, for streams over sockets; None to wait without limit.\n\n"
     "Returns:\n"
     "    str for a text message, bytes for a binary one.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended; its cause says what was wrong.\n"
     "    TimeoutError: no message came in time. recv() may be called again.\n"
     "    ConcurrencyError: another thread is reading.\n"
     "    RuntimeError: a Reader is inside of a message."},
    {"read_data", stream_read_data, METH_NOARGS,
     "read_data($self, /)\n--\n\n"
     "Like recv(), but returns (opcode, payload), with the payload of text as bytes of UTF-8 too."},
    {"read_message", stream_read_message, METH_NOARGS,
     "read_message($self, /)\n--\n\n"
     "Like read_data(), but returns pings, pongs and the close frame as well; they have been answered, unless\n"
     "auto_pong or auto_close is False."},
    {"read_text", stream_read_text, METH_NOARGS,
     "read_text($self, /)\n--\n\n"
     "Like recv(), but for text alone: returns a str. A binary message fails the connection with 1003, which the peer\n"
     "is told unless auto_close is False. RFC 6455 7.4.1."},
    {"read_binary", stream_read_binary, METH_NOARGS,
     "read_binary($self, /)\n--\n\nLike read_text(), but for binary messages: returns bytes."},
    {"send", (PyCFunction)(void (*)(void))stream_send, METH_FASTCALL | METH_KEYWORDS,
     "send($self, data, opcode=None, *, compress=None)\n--\n\n"
     "Sends one message with one write, and waits until it is written.\n\n"
     "Args:\n"
     "    data: str for a text message, bytes-like for a binary one, or a PreparedMessage.\n"
     "    opcode: OpCode.TEXT to send bytes as text, OpCode.BINARY to send the UTF-8 of a str as binary.\n"
     "    compress: True or False overrules the Deflate of the connection, None leaves it to that. It means nothing\n"
     "        where compression was not agreed on.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended, or it failed while this was written.\n"
     "    RuntimeError: a Writer has begun a message and not finished it, or write_header() a frame.\n"
     "    ValueError: opcode is neither, text is not UTF-8, or data is a PreparedMessage, which has both choices."},
    {"write_message", (PyCFunction)(void (*)(void))stream_write_message, METH_FASTCALL | METH_KEYWORDS,
     "write_message($self, opcode, data, *, compress=None)\n--\n\nLike send(), with the opcode first."},
    {"ping", (PyCFunction)(void (*)(void))stream_ping, METH_FASTCALL | METH_KEYWORDS,
     "ping($self, /, data=b'')\n--\n\nSends a ping with at most 125 bytes. RFC 6455 5.5.2."},
    {"pong", (PyCFunction)(void (*)(void))stream_pong, METH_FASTCALL | METH_KEYWORDS,
     "pong($self, /, data=b'')\n--\n\nSends a pong that nobody asked for, at most 125 bytes. RFC 6455 5.5.3."},
    {"answer", (PyCFunction)(void (*)(void))stream_answer, METH_FASTCALL | METH_KEYWORDS,
     "answer($self, opcode, data)\n--\n\n"
     "Answers a control frame as RFC 6455 5.5 asks, where that is not automatic: answer(*read_message()).\n\n"
     "A ping is answered with its payload, a close frame with its code, a pong with nothing.\n\n"
     "Args:\n"
     "    opcode: OpCode.PING, OpCode.PONG or OpCode.CLOSE.\n"
     "    data: the payload, bytes-like.\n\n"
     "Raises:\n"
     "    ConnectionClosed: a close frame was sent before, as auto_close does.\n"
     "    RuntimeError: write_header() has begun a frame.\n"
     "    ValueError: it is no control frame, or none that may be sent."},
    {"close", (PyCFunction)(void (*)(void))stream_close_method, METH_FASTCALL | METH_KEYWORDS,
     "close($self, code=1000, reason='')\n--\n\n"
     "Closes the connection and io: sends a close frame, waits for that of the peer. RFC 6455 7.1.2.\n\n"
     "Messages that come meanwhile are dropped. If another thread is reading, that one meets the close.\n"
     "A peer that does not answer is waited for as long as close_timeout; over an object that is no socket, for\n"
     "as long as its read blocks. Closing again does nothing.\n\n"
     "Args:\n"
     "    code: 1000-1003, 1007-1014 or 3000-4999; 1005 for a frame without a body.\n"
     "    reason: cut to 123 bytes of UTF-8.\n\n"
     "Raises:\n"
     "    ValueError: code may not be sent."},
    {"read_header", stream_read_header, METH_NOARGS,
     "read_header($self, /)\n--\n\n"
     "Reads one frame header, between messages. Only its form is checked: see Header.check().\n\n"
     "What a raw read has taken when a timeout of the socket or a signal handler interrupts it is read again by the\n"
     "next one; messages can be read when none of it is left.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the stream ended, or the length is malformed.\n"
     "    RuntimeError: a message has been received in part."},
    {"read_exactly", (PyCFunction)(void (*)(void))stream_read_exactly, METH_FASTCALL | METH_KEYWORDS,
     "read_exactly($self, /, n)\n--\n\n"
     "Reads n bytes as they are on the wire. Memory grows with what arrives."},
    {"read_frame", stream_read_frame, METH_NOARGS,
     "read_frame($self, /)\n--\n\n"
     "Reads one Frame; its payload stays masked if header.mask is set. With more than max_frame_size bytes\n"
     "it is MessageTooBig, and the peer is told so with 1009. RFC 6455 10.4."},
    {"write_header", (PyCFunction)(void (*)(void))stream_write_header, METH_FASTCALL | METH_KEYWORDS,
     "write_header($self, /, header)\n--\n\n"
     "Sends one Header; its payload is to follow by write(). Until all of it has, replies and pings wait, and nothing\n"
     "else can be sent; close() ends the byte stream there.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended, or it failed while this was written.\n"
     "    RuntimeError: the payload of another is not complete, or a Writer has begun a message and not finished it."},
    {"write", (PyCFunction)(void (*)(void))stream_write, METH_FASTCALL | METH_KEYWORDS,
     "write($self, /, data)\n--\n\n"
     "Sends bytes as they are: payload that write_header() announced, in as many calls as it takes, or where none is\n"
     "due, whole frames. Raises as write_header() does.\n\n"
     "Raises:\n"
     "    ValueError: it is more than what is due; nothing was sent."},
    {"write_frame", (PyCFunction)(void (*)(void))stream_write_frame, METH_FASTCALL | METH_KEYWORDS,
     "write_frame($self, /, frame)\n--\n\n"
     "Sends a Frame, or a tuple (header, payload), as it is, with one write.\n\n"
     "Raises:\n"
     "    ValueError: header.length is not the length of the payload; else as write_header() does."},
    {"idle", stream_idle, METH_NOARGS,
     "idle($self, /)\n--\n\n"
     "For a connection that has been silent: gives back the memory of compression that the next message can do\n"
     "without. Context is kept: the end of what was sent, and the window of a peer that refers to earlier messages."},
    {"cork", stream_cork, METH_NOARGS,
     "cork($self, /)\n--\n\n"
     "Lets many sends leave in one write: `with stream.cork():`.\n\n"
     "What is sent inside of the block is queued, with a copy, until its end, or until a read has to wait for the\n"
     "peer, or until more than the high mark of write_limit is queued. Blocks may be nested. Raw frames and close()\n"
     "are written at once, behind what is queued.\n\n"
     "Raises:\n"
     "    ConnectionClosed: at the end of the block: the connection failed while this was written."},
    {"reset", (PyCFunction)(void (*)(void))stream_reset, METH_VARARGS | METH_KEYWORDS,
     "reset($self, /, io, role=None, initial=b'', *, handshake=None, **options)\n--\n\n"
     "Makes the stream new, over another byte stream: the one before is closed without a close frame, what was\n"
     "received or queued is dropped, errors and corks are forgotten.\n\n"
     "Args:\n"
     "    io, initial, handshake: as for the constructor.\n"
     "    role: 'server' or 'client'; None keeps it.\n"
     "    options: those of the constructor; what is not given stays. But compression is that of the new peer: none\n"
     "        where it is not given.\n\n"
     "Raises:\n"
     "    ConcurrencyError: a thread reads or sends.\n"
     "    TypeError: io cannot read or write.\n"
     "    ValueError: an argument is out of range. After an error nothing has changed."},
    {"set_extensions", (PyCFunction)(void (*)(void))stream_set_extensions, METH_FASTCALL | METH_KEYWORDS,
     "set_extensions($self, /, extensions)\n--\n\n"
     "Takes other extensions, from the next frame of either side on: what the handshake agreed on. RFC 6455 9.\n\n"
     "Args:\n"
     "    extensions: as for the constructor."},
    {"__enter__", stream_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))stream_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc,
     "Stream(io, role='server', initial=b'', *, max_size=16777216, max_frame_size=16777216, max_fragments=262144, "
     "max_empty_fragments=1024, ping_interval=20, ping_timeout=20, close_timeout=10, check_utf8=True, handshake=None, "
     "auto_pong=True, auto_close=True, extensions=(), skip_header_check=False, write_limit=65536, "
     "compression=None)\n--\n\n"
     "A WebSocket connection with blocking I/O, after its handshake. RFC 6455.\n\n"
     "A stream owns its read-ahead: use io through it alone. One thread may read while others send; pings are\n"
     "answered, and the deadlines below kept, while a thread reads. An ssl.SSLSocket is set to non-blocking mode, so\n"
     "that two threads may share it; its timeout is kept as if it were not. When pongs that the peer does not read\n"
     "pass 64 KiB, nothing more is read until they are sent; after ping_timeout that fails with ControlFlood, 1008.\n\n"
     "Args:\n"
     "    io: a socket, or any object with recv_into() or readinto(), and sendall() or write(), that block. Over a\n"
     "        subclass of socket, methods are called after poll(), and send as much as then has room. Over no socket,\n"
     "        there are no deadlines: pongs are sent before the next read, which, like other sends, waits as long as\n"
     "        that blocks. If it raises, reading goes on, without pongs, to ControlFlood.\n"
     "    role: 'server' or 'client'.\n"
     "    initial: bytes that were received behind the handshake.\n"
     "    max_size, max_frame_size, max_fragments, max_empty_fragments: limits, None for none: see Connection.\n"
     "    ping_interval, ping_timeout, close_timeout: seconds, None for no limit: see Connection.\n"
     "    check_utf8: False lets text through that is not UTF-8; its wrong bytes become lone surrogates.\n"
     "    handshake: what to keep as the attribute of that name.\n"
     "    auto_pong: False leaves pings to the caller: read_message() returns them, pong() answers. RFC 6455 5.5.2.\n"
     "    auto_close: False leaves the peer's close frame, and errors, to the caller: close() tells the peer, and\n"
     "        works after both. RFC 6455 5.5.1, 7.1.7.\n"
     "    extensions: objects that use reserved bits: see Connection. A Reader or Writer with extensions of its own\n"
     "        uses those instead.\n"
     "    skip_header_check: True asks no rule of Header.check(), for peers that break them.\n"
     "    write_limit: bytes that cork() lets wait at most, or a tuple (high, low) of such bytes and of those at\n"
     "        which it lets others wait again, by default a quarter; None for no limit.\n"
     "    compression: what a handshake agreed on for compressed messages: see Connection. Raw frames are left as\n"
     "        they are on the wire: RSV1 marks those of compressed messages.\n\n"
     "Raises:\n"
     "    TypeError: io cannot read or write.\n"
     "    ValueError: an argument is out of range."},
    SLOT(Py_tp_new, stream_tp_new),
    SLOT(Py_tp_dealloc, stream_dealloc),
    SLOT(Py_tp_traverse, stream_traverse),
    SLOT(Py_tp_clear, stream_clear),
    SLOT(Py_tp_iter, PyObject_SelfIter),
    SLOT(Py_tp_iternext, stream_iternext),
    {Py_tp_methods, stream_methods},
    {Py_tp_getset, stream_getset},
    {Py_tp_members, stream_members},
    {0, NULL},
};

PyType_Spec stream_spec = {
    .name = "fastws.Stream",
    .basicsize = sizeof(struct stream),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = stream_slots,
};
