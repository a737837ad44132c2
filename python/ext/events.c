/* SPDX-License-Identifier: MIT */
/* Events as struct sequences: tuples with named fields, made without running Python code. */
#include "events.h"

#include <string.h>

#include <fastws/close.h>
#include <fastws/header.h>

#include "errors.h"
#include "header.h"
#include "payload.h"

static PyStructSequence_Field message_fields[] = {
    {"opcode", "OpCode.TEXT or OpCode.BINARY."},
    {"data", "The message: str for text, bytes for binary."},
    {"compressed", "Whether it came compressed. RFC 7692. It is no item of the tuple."},
    {NULL, NULL},
};
static PyStructSequence_Field chunk_fields[] = {
    {"opcode", "OpCode.TEXT or OpCode.BINARY: that of the message, for all of its chunks."},
    {"data", "The payload, bytes. That of a text may end inside a character."},
    {"first", "True for the first chunk of a message."},
    {"last", "True for the last chunk of a message."},
    {"remaining", "Bytes of the frame that have not come yet; of a compressed one, that were not inflated yet."},
    {"compressed", "Whether the message came compressed. RFC 7692. It is no item of the tuple."},
    {NULL, NULL},
};
static PyStructSequence_Field ping_fields[] = {{"data", "The payload, bytes: at most 125."}, {NULL, NULL}};
static PyStructSequence_Field close_fields[] = {
    {"code", "The close code; 1005 if the frame held none."},
    {"reason", "The reason, a str."},
    {NULL, NULL},
};
static PyStructSequence_Field failure_fields[] = {
    {"error", "The exception that says what was wrong."},
    {"code", "The close code that the peer is told; 1006 where it is told nothing."},
    {NULL, NULL},
};
static PyStructSequence_Field frame_fields[] = {
    {"header", "The Header."},
    {"payload", "The bytes of the payload as they are on the wire: masked if header.mask is set."},
    {NULL, NULL},
};
static PyStructSequence_Field handshake_fields[] = {
    {"target", "What stood in the request line, a str: path and query."},
    {"host", "The value of the Host header, a str."},
    {"protocol", "The subprotocol that was agreed on, a str, or None."},
    {"headers", "The other headers of the request: a tuple of (name, value), both str."},
    {"extensions", "The extensions that were agreed on, a tuple of str such as 'name; parameter=1'."},
    {NULL, NULL},
};

static PyStructSequence_Desc message_desc = {"fastws.Message", "A whole message.", message_fields, 2};
static PyStructSequence_Desc chunk_desc = {"fastws.Chunk", "A part of a message.", chunk_fields, 5};
static PyStructSequence_Desc ping_desc = {"fastws.Ping", "A ping, answered already. RFC 6455 5.5.2.", ping_fields, 1};
static PyStructSequence_Desc pong_desc = {"fastws.Pong", "A pong. RFC 6455 5.5.3.", ping_fields, 1};
static PyStructSequence_Desc close_desc = {"fastws.Close", "A close frame. RFC 6455 5.5.1.", close_fields, 2};
static PyStructSequence_Desc failure_desc = {"fastws.Failure", "The connection failed. RFC 6455 7.1.7.",
                                             failure_fields, 2};
static PyStructSequence_Desc frame_desc = {"fastws.Frame", "One frame. RFC 6455 5.2.", frame_fields, 2};
static PyStructSequence_Desc handshake_desc = {"fastws.Handshake", "What was agreed on. RFC 6455 section 4.",
                                               handshake_fields, 5};

int events_make_types(struct state *state) {
    struct {
        PyTypeObject **type;
        PyStructSequence_Desc *desc;
    } wanted[] = {
        {&state->message_type, &message_desc}, {&state->chunk_type, &chunk_desc},
        {&state->ping_type, &ping_desc},       {&state->pong_type, &pong_desc},
        {&state->close_type, &close_desc},     {&state->failure_type, &failure_desc},
        {&state->frame_type, &frame_desc},     {&state->handshake_type, &handshake_desc},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].type = PyStructSequence_NewType(wanted[i].desc);
        if (!*wanted[i].type) return -1;
    }
    return 0;
}

PyObject *event_text(const struct fastws_event *event) {
    Py_ssize_t len = (Py_ssize_t)event->len;
    const char *ptr = (const char *)event->ptr;
    if (!(event->flags & FASTWS_EVENT_ASCII)) return PyUnicode_DecodeUTF8(ptr, len, "surrogateescape");
    PyObject *text = PyUnicode_New(len, 127);
    /* The empty string is one shared object. */
    if (text && len) memcpy(PyUnicode_1BYTE_DATA(text), ptr, (size_t)len);
    return text;
}

PyObject *event_data(struct fastws_conn *conn, const struct fastws_event *event) {
    return event->opcode == FASTWS_OPCODE_TEXT ? event_text(event) : payload_bytes(conn, event);
}

PyObject *event_close_body(const struct fastws_event *event) {
    uint8_t body[FASTWS_CONTROL_MAX];
    int len = fastws_close_write(body, sizeof body, event->close_code, event->ptr, (size_t)event->len);
    return len < 0 ? error_raise_value(len) : PyBytes_FromStringAndSize((const char *)body, len);
}

PyObject *pair_new(PyTypeObject *type, PyObject *first, PyObject *second) {
    PyObject *pair = first && second ? PyStructSequence_New(type) : NULL;
    if (!pair) {
        Py_XDECREF(first);
        Py_XDECREF(second);
        return NULL;
    }
    PyStructSequence_SetItem(pair, 0, first);
    PyStructSequence_SetItem(pair, 1, second);
    return pair;
}

static PyObject *control_new(PyTypeObject *type, const struct fastws_event *event) {
    PyObject *data = PyBytes_FromStringAndSize((const char *)event->ptr, (Py_ssize_t)event->len);
    PyObject *control = data ? PyStructSequence_New(type) : NULL;
    if (!control) {
        Py_XDECREF(data);
        return NULL;
    }
    PyStructSequence_SetItem(control, 0, data);
    return control;
}

static PyObject *chunk_new(struct state *state, struct fastws_conn *conn, const struct fastws_event *event) {
    PyObject *items[] = {
        opcode_new(state, event->opcode),
        payload_bytes(conn, event),
        PyBool_FromLong(event->flags & FASTWS_EVENT_FIRST),
        PyBool_FromLong(event->flags & FASTWS_EVENT_LAST),
        PyLong_FromUnsignedLongLong(event->remaining),
        PyBool_FromLong(event->flags & FASTWS_EVENT_COMPRESSED),
    };
    PyObject *chunk = items[0] && items[1] && items[4] ? PyStructSequence_New(state->chunk_type) : NULL;
    for (int i = 0; i < 6; i++) {
        if (chunk) {
            PyStructSequence_SetItem(chunk, i, items[i]);
        } else {
            Py_XDECREF(items[i]);
        }
    }
    return chunk;
}

static PyObject *message_new(struct state *state, struct fastws_conn *conn, const struct fastws_event *event) {
    int is_compressed = (event->flags & FASTWS_EVENT_COMPRESSED) != 0;
    PyObject *message = pair_new(state->message_type, opcode_new(state, event->opcode), event_data(conn, event));
    if (message) PyStructSequence_SetItem(message, 2, PyBool_FromLong(is_compressed));
    return message;
}

PyObject *event_object(struct state *state, struct fastws_conn *conn, const struct fastws_event *event) {
    switch (event->kind) {
    case FASTWS_EVENT_CHUNK: return chunk_new(state, conn, event);
    case FASTWS_EVENT_PING: return control_new(state->ping_type, event);
    case FASTWS_EVENT_PONG: return control_new(state->pong_type, event);
    case FASTWS_EVENT_CLOSE:
        return pair_new(state->close_type, PyLong_FromLong(event->close_code),
                        PyUnicode_DecodeUTF8((const char *)event->ptr, (Py_ssize_t)event->len, NULL));
    default: return message_new(state, conn, event);
    }
}
