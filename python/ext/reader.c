/* SPDX-License-Identifier: MIT */
/* The Reader type: messages of a Stream as files, read as they arrive. */
#include "args.h"
#include "errors.h"
#include "events.h"
#include "file.h"
#include "header.h"
#include "payload.h"
#include "reader.h"

#include <structmember.h>

#include <string.h>

#include <fastws/error.h>

#define FIRST_BLOCK 65536 /* bytes of memory for what is read to its end, before more has arrived */

/* ---- Life ---- */

static int set_callback(PyObject **slot, PyObject *value, const char *what) {
    if (!value || value == Py_None) return 0;
    if (!PyCallable_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be callable or None, not %.200s", what, Py_TYPE(value)->tp_name);
        return -1;
    }
    *slot = Py_NewRef(value);
    return 0;
}

/* Reads a limit of this reader: NULL leaves that of the stream. */
static int set_limit(PyObject *value, const char *what, uint64_t *limit, int *has_limit) {
    if (!value) return 0;
    *has_limit = 1;
    return arg_limit(value, what, INT64_MAX, limit);
}

static PyObject *reader_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "check_utf8", "on_intermediate", "on_continuation", "extensions",
                            "skip_header_check", "max_frame_size", "max_message_size", NULL};
    struct state *state = state_of_type(type);
    PyObject *stream, *intermediate = NULL, *continuation = NULL, *extensions = NULL, *frame = NULL, *message = NULL;
    int check_utf8 = 1, skip_header_check = 0;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|$pOOOpOO:Reader", names, state->stream_type, &stream,
                                     &check_utf8, &intermediate, &continuation, &extensions, &skip_header_check,
                                     &frame, &message)) {
        return NULL;
    }
    struct reader *self = (struct reader *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->stream = (struct stream *)Py_NewRef(stream);
    self->check_utf8 = check_utf8;
    self->skip_header_check = skip_header_check;
    if (set_callback(&self->on_intermediate, intermediate, "on_intermediate") < 0 ||
        set_callback(&self->on_continuation, continuation, "on_continuation") < 0 ||
        set_limit(frame, "max_frame_size", &self->max_frame, &self->has_max_frame) < 0 ||
        set_limit(message, "max_message_size", &self->max_message, &self->has_max_message) < 0 ||
        (extensions && !(self->unset_bits = hooks_resolve(state, extensions, NAME_UNSET_BITS)))) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int reader_traverse(PyObject *object, visitproc visit, void *arg) {
    struct reader *self = (struct reader *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->stream);
    Py_VISIT(self->on_intermediate);
    Py_VISIT(self->on_continuation);
    Py_VISIT(self->unset_bits);
    return 0;
}

static int reader_clear(PyObject *object) {
    struct reader *self = (struct reader *)object;
    reader_leave(self);
    Py_CLEAR(self->stream);
    Py_CLEAR(self->on_intermediate);
    Py_CLEAR(self->on_continuation);
    Py_CLEAR(self->unset_bits);
    return 0;
}

static void reader_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    reader_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

/* Finds the message to read. Returns 1, 0 if the one of next_frame() has been read to its end, or -1 with an
 * exception. */
static int need_message(struct reader *self) {
    struct fastws_event event;
    if (reader_check_open(self) < 0) return -1;
    if (self->is_open) return 1;
    if (self->is_framed && !self->is_lost) return 0;
    return reader_begin(self, &event) < 0 ? -1 : 1;
}

static PyObject *reader_next_frame(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct reader *self = (struct reader *)object;
    struct fastws_event event;
    if (reader_begin(self, &event) < 0) return NULL;
    self->is_framed = 1;
    return reader_frame_header(self, &event);
}

/* Ends where the iteration over a Stream does. */
static PyObject *reader_iternext(PyObject *object) {
    PyObject *header = reader_next_frame(object, NULL);
    struct state *state = ((struct reader *)object)->stream->state;
    if (!header && PyErr_ExceptionMatches(state->exceptions[EXC_CONNECTION_CLOSED_OK])) PyErr_Clear();
    return header;
}

/* ---- Reading ---- */

/* Takes a whole message that nothing was read of, without a copy if it is large. */
static PyObject *read_message(struct reader *self) {
    struct fastws_event event;
    do {
        unsigned leaves = self->leaves;
        if (reader_next_event(self, FASTWS_DELIVER_MESSAGES, &event) < 0) return NULL;
        if (event.kind != FASTWS_EVENT_MESSAGE && reader_tell_control(self, &event) < 0) return NULL;
        /* Unless a callback went on with another stream, by reset(). */
        if (event.kind == FASTWS_EVENT_CLOSE && self->leaves == leaves) {
            return protocol_closed_raise(&self->stream->protocol, self->stream->state);
        }
        if (event.kind != FASTWS_EVENT_MESSAGE && reader_check_open(self) < 0) return NULL;
        /* What a callback has begun is dropped, as next_frame() does. */
        if (self->is_open) reader_leave(self);
    } while (event.kind != FASTWS_EVENT_MESSAGE);
    self->opcode = event.opcode;
    return payload_bytes(self->stream->protocol.conn, &event);
}

/* Reads to the end of the message. Memory grows with what arrives. */
static PyObject *read_rest(struct reader *self) {
    PyObject *bytes = NULL;
    Py_ssize_t filled = 0;
    int found;
    while ((found = reader_need_bytes(self)) == READER_BYTES) {
        Py_ssize_t len = (Py_ssize_t)self->len;
        Py_ssize_t cap = bytes ? PyBytes_GET_SIZE(bytes) : 0;
        if (!bytes) {
            bytes = PyBytes_FromStringAndSize(NULL, self->is_complete || len > FIRST_BLOCK ? len : FIRST_BLOCK);
            if (!bytes) return NULL;
        } else if (len > cap - filled && _PyBytes_Resize(&bytes, len > cap ? cap + len : 2 * cap) < 0) {
            return NULL;
        }
        memcpy(PyBytes_AS_STRING(bytes) + filled, self->ptr, (size_t)len);
        filled += len;
        reader_step(self, (size_t)len);
    }
    if (found != READER_END) Py_CLEAR(bytes);
    if (found < 0) return NULL;
    if (!bytes) return PyBytes_FromStringAndSize(NULL, 0);
    if (filled != PyBytes_GET_SIZE(bytes) && _PyBytes_Resize(&bytes, filled) < 0) return NULL;
    return bytes;
}

static PyObject *reader_read(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct reader *self = (struct reader *)object;
    Py_ssize_t len;
    if (file_arg_read("read", args, count, kwnames, &len) < 0 || reader_check_open(self) < 0) return NULL;
    if (len == 0) return PyBytes_FromStringAndSize(NULL, 0);
    if (len < 0 && !self->is_open && !self->is_framed && !self->on_continuation) return read_message(self);
    int found = need_message(self);
    if (found <= 0) return found < 0 ? NULL : PyBytes_FromStringAndSize(NULL, 0);
    if (len < 0) return read_rest(self);
    found = reader_need_bytes(self);
    if (found != READER_BYTES) return found < 0 ? NULL : PyBytes_FromStringAndSize(NULL, 0);
    if ((size_t)len > self->len) len = (Py_ssize_t)self->len;
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)self->ptr, len);
    if (!bytes) return NULL;
    reader_step(self, (size_t)len);
    return bytes;
}

static PyObject *reader_readinto(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct reader *self = (struct reader *)object;
    PyObject *buffer;
    Py_buffer view;
    if (file_arg_readinto(args, count, kwnames, &buffer, &view) < 0) return NULL;
    int found = view.len == 0 ? reader_check_open(self) : need_message(self);
    if (found > 0) found = reader_need_bytes(self);
    size_t len = 0;
    if (found == READER_BYTES) {
        len = (size_t)view.len < self->len ? (size_t)view.len : self->len;
        memcpy(view.buf, self->ptr, len);
        reader_step(self, len);
    }
    PyBuffer_Release(&view);
    return found < 0 ? NULL : PyLong_FromSize_t(len);
}

static PyObject *reader_discard(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct reader *self = (struct reader *)object;
    if (reader_check_open(self) < 0 || reader_may_leave(self) < 0) return NULL;
    reader_leave(self);
    Py_RETURN_NONE;
}

static PyObject *reader_reset(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct reader *self = (struct reader *)object;
    PyObject *stream;
    if (arg_one("reset", args, count, kwnames, "stream", 0, &stream) < 0) return NULL;
    if (stream && stream != Py_None && !PyObject_TypeCheck(stream, self->stream->state->stream_type)) {
        return PyErr_Format(PyExc_TypeError, "stream must be a Stream, not %.200s", Py_TYPE(stream)->tp_name);
    }
    if (reader_may_leave(self) < 0) return NULL;
    reader_leave(self);
    self->is_closed = self->is_framed = self->is_lost = 0;
    if (stream && stream != Py_None) Py_SETREF(self->stream, (struct stream *)Py_NewRef(stream));
    Py_RETURN_NONE;
}

static PyObject *reader_close(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct reader *self = (struct reader *)object;
    if (reader_may_leave(self) < 0) return NULL;
    self->is_closed = 1;
    reader_leave(self);
    Py_RETURN_NONE;
}

static PyObject *reader_enter(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    return reader_check_open((struct reader *)object) < 0 ? NULL : Py_NewRef(object);
}

static PyObject *reader_exit(PyObject *object, PyObject *const *Py_UNUSED(args), Py_ssize_t count) {
    return arg_count("__exit__", count, 3, 3) < 0 ? NULL : reader_close(object, NULL);
}

static PyObject *reader_flush(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) { Py_RETURN_NONE; }

static PyObject *get_closed(PyObject *object, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(((struct reader *)object)->is_closed);
}

static PyObject *get_opcode(PyObject *object, void *Py_UNUSED(closure)) {
    struct reader *self = (struct reader *)object;
    return self->opcode ? opcode_new(self->stream->state, self->opcode) : Py_NewRef(Py_None);
}

static PyMemberDef reader_members[] = {
    {"stream", T_OBJECT, offsetof(struct reader, stream), READONLY, "The Stream that messages are read from."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef reader_getset[] = {
    {"closed", get_closed, NULL, "True once close() was called.", NULL},
    {"opcode", get_opcode, NULL, "The OpCode of the message that was begun last; None before there is one.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef reader_methods[] = {
    {"next_frame", reader_next_frame, METH_NOARGS,
     "next_frame($self, /)\n--\n\n"
     "Waits for the beginning of the next message, and drops what was not read of the one before.\n\n"
     "From then on the reader is a file of that message alone: at its end reads return b'' until the next call.\n"
     "Iterating over a reader calls this, and ends when the connection was closed well.\n\n"
     "Returns:\n"
     "    The Header of the first frame, not masked and with the reserved bits that the extensions left: of them RSV1\n"
     "    says that the message is compressed, and length is that of the compressed payload, which need not have come\n"
     "    yet.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended.\n"
     "    RuntimeError: another Reader is inside of a message.\n"
     "    ValueError: the reader is closed."},
    {"read", (PyCFunction)(void (*)(void))reader_read, METH_FASTCALL | METH_KEYWORDS,
     "read($self, /, n=-1)\n--\n\n"
     "Reads from the message of next_frame(), unmasked, across its frames. At its end, and from then on, it returns\n"
     "b''.\n\n"
     "Like an unbuffered file, read(n) returns what has arrived, at least one byte: io.BufferedReader(reader) waits\n"
     "for n of them. Where next_frame() was never called, a read takes the next message by itself once the one before\n"
     "has ended: by read() without a number, or by b'' from read(n). So json.load() may be called again and again.\n\n"
     "Args:\n"
     "    n: bytes to read at most; negative or None for all that is left of the message.\n\n"
     "Returns:\n"
     "    bytes, also of a text message; b'' at its end.\n\n"
     "Raises:\n"
     "    ConnectionClosed: the connection has ended, also inside of the message; its cause says what was wrong.\n"
     "    RuntimeError: another Reader is inside of a message.\n"
     "    ValueError: the reader is closed."},
    {"readinto", (PyCFunction)(void (*)(void))reader_readinto, METH_FASTCALL | METH_KEYWORDS,
     "readinto($self, /, buffer)\n--\n\n"
     "Like read(), but into a writable buffer. Returns the number of bytes; 0 at the end of the message."},
    {"discard", reader_discard, METH_NOARGS,
     "discard($self, /)\n--\n\n"
     "Drops what is left of the message, now and as it arrives. The limits and the rules of headers hold for it.\n"
     "A callback may call this, reset() or close(): the read that it was called by returns b''.\n\n"
     "Raises:\n"
     "    ConcurrencyError: another thread reads, or an extension calls this."},
    {"reset", (PyCFunction)(void (*)(void))reader_reset, METH_FASTCALL | METH_KEYWORDS,
     "reset($self, /, stream=None)\n--\n\n"
     "Drops what is left of the message and begins anew, as if next_frame() had never been called; also after\n"
     "close().\n\n"
     "Args:\n"
     "    stream: a Stream to go on with, or None for the same. Callbacks, limits and extensions stay."},
    {"close", reader_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Drops what was not read: reads raise ValueError until reset(). The stream stays open.\n\n"
     "What wraps a reader, such as io.BufferedReader, closes it when it goes: take a new Reader for each message,\n"
     "reset() it, or detach() the wrapper."},
    {"flush", reader_flush, METH_NOARGS, "flush($self, /)\n--\n\nDoes nothing: for what wraps a reader."},
    {"__enter__", reader_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))reader_exit, METH_FASTCALL, NULL},
    FILE_READABLE,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "Reader(stream, *, check_utf8=True, on_intermediate=None, on_continuation=None, extensions=..., "
                "skip_header_check=False, max_frame_size=..., max_message_size=...)\n--\n\n"
                "The messages of a Stream, one after another, as a file to read: for json.load() or\n"
                "shutil.copyfileobj().\n\n"
                "A message is handed out as it arrives, so it may be larger than memory, if the limits allow it.\n"
                "Until it has been read to its end, the stream is not to be read by anybody else. Pings are answered.\n"
                "After next_frame() it may be wrapped by io.BufferedReader or io.TextIOWrapper.\n\n"
                "Args:\n"
                "    stream: a Stream.\n"
                "    check_utf8: fail on text that is not UTF-8 even if the stream lets it through.\n"
                "    on_intermediate: called with the Header and the payload of each control frame that comes while\n"
                "        this reads, between messages or inside of one; it has been answered.\n"
                "    on_continuation: called with the Header of each further frame of a message, and this reader;\n"
                "        what it reads, of that frame alone, is not read again.\n"
                "    extensions: functions, or objects with unset_bits(header), that are called with the Header of\n"
                "        each data frame. They return a Header whose rsv lacks the bits that they claim, or None, or\n"
                "        raise: then the connection fails. They must not use the stream. Those of the stream if not\n"
                "        given. RFC 6455 9.\n"
                "    skip_header_check: ask no rule of Header.check(), for peers that break them.\n"
                "    max_frame_size, max_message_size: limits in bytes while this reads, None for none; those of the\n"
                "        stream if not given."},
    SLOT(Py_tp_new, reader_tp_new),
    SLOT(Py_tp_dealloc, reader_dealloc),
    SLOT(Py_tp_traverse, reader_traverse),
    SLOT(Py_tp_clear, reader_clear),
    SLOT(Py_tp_iter, PyObject_SelfIter),
    SLOT(Py_tp_iternext, reader_iternext),
    {Py_tp_methods, reader_methods},
    {Py_tp_getset, reader_getset},
    {Py_tp_members, reader_members},
    {0, NULL},
};

PyType_Spec reader_spec = {
    .name = "fastws.Reader",
    .basicsize = sizeof(struct reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = reader_slots,
};
