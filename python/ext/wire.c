/* SPDX-License-Identifier: MIT */
/* Functions on bytes of the wire: compile_frame(), close bodies, accept_key(). */
#include "args.h"
#include "errors.h"
#include "events.h"

#include <fastws/close.h>
#include <fastws/frame.h>
#include <fastws/handshake.h>

/* RFC 6455 5.4, 5.5: what a frame may be is asked before it is written, as an argument of the caller. */
static PyObject *compile(const struct fastws_frame *frame, const uint8_t *key) {
    struct fastws_header header = frame->header;
    if (key) {
        header.masked = 1;
        for (int i = 0; i < 4; i++) header.key[i] = key[i];
    }
    int header_len = fastws_header_size(&header);
    if (header_len < 0) return error_raise_value(header_len);
    if (frame->header.length > (uint64_t)(PY_SSIZE_T_MAX - header_len)) return PyErr_NoMemory();
    PyObject *out = PyBytes_FromStringAndSize(NULL, header_len + (Py_ssize_t)frame->header.length);
    if (!out) return NULL;
    uint8_t *dst = (uint8_t *)PyBytes_AS_STRING(out);
    /* Masked where it goes: header and payload in one pass over new bytes. */
    struct fastws_frame placed = *frame;
    int result = fastws_header_write(dst, (size_t)header_len, &header);
    if (key && result >= 0) {
        result = fastws_frame_mask(&placed, dst + header_len, (size_t)frame->header.length, key);
    } else if (result >= 0) {
        result = fastws_frame_unmask(&placed, dst + header_len, (size_t)frame->header.length);
    }
    if (result >= 0) return out;
    Py_DECREF(out);
    return error_raise_value(result);
}

/* RFC 6455 5.5.1: what parse_close() refuses is not sent. */
static int check_close_body(const Py_buffer *body) {
    uint16_t code;
    const uint8_t *reason;
    size_t len;
    return fastws_close_parse(body->buf, (size_t)body->len, &code, &reason, &len);
}

static PyObject *compile_frame(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count,
                               PyObject *kwnames) {
    static const char *const names[] = {"opcode", "payload", "fin", "rsv", "mask", NULL};
    PyObject *sorted[5];
    if (arg_sort("compile_frame", args, count, kwnames, names, 2, 2, sorted) < 0) return NULL;
    unsigned opcode;
    uint64_t rsv = 0;
    uint8_t key[4];
    int fin = sorted[2] ? PyObject_IsTrue(sorted[2]) : 1;
    int is_masked = sorted[4] && sorted[4] != Py_None;
    if (fin < 0 || arg_opcode(sorted[0], &opcode) < 0) return NULL;
    if (sorted[3] && arg_unsigned(sorted[3], "rsv", 7, &rsv) < 0) return NULL;
    if (is_masked && arg_key(sorted[4], "mask", key) < 0) return NULL;
    Py_buffer view;
    if (arg_payload(sorted[1], "payload", &view) < 0) return NULL;
    struct fastws_frame frame;
    int error = fastws_frame_init(&frame, opcode, fin, view.buf, (size_t)view.len);
    if (error == 0 && opcode == FASTWS_OPCODE_CLOSE) error = check_close_body(&view);
    PyObject *out = NULL;
    if (error < 0) {
        error_raise_value(error);
    } else {
        frame.header.rsv = (uint8_t)rsv;
        out = compile(&frame, is_masked ? key : NULL);
    }
    PyBuffer_Release(&view);
    return out;
}

static PyObject *close_body(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count,
                            PyObject *kwnames) {
    static const char *const names[] = {"code", "reason", NULL};
    PyObject *sorted[2];
    uint16_t code;
    const char *reason;
    Py_ssize_t len;
    if (arg_sort("close_body", args, count, kwnames, names, 1, 2, sorted) < 0) return NULL;
    if (arg_close(sorted[0], sorted[1], &code, &reason, &len) < 0) return NULL;
    uint8_t body[FASTWS_CONTROL_MAX];
    int body_len = fastws_close_write(body, sizeof body, code, reason, (size_t)len);
    if (body_len < 0) return error_raise_value(body_len);
    return PyBytes_FromStringAndSize((const char *)body, body_len);
}

static PyObject *parse_close(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *body;
    Py_buffer view;
    if (arg_one("parse_close", args, count, kwnames, "body", 1, &body) < 0) return NULL;
    if (arg_bytes(body, "body", &view) < 0) return NULL;
    uint16_t code;
    const uint8_t *reason;
    size_t len;
    int error = fastws_close_parse(view.buf, (size_t)view.len, &code, &reason, &len);
    PyObject *out = NULL;
    if (error < 0) {
        error_raise(get_state(module), error);
    } else {
        out = pair_new(get_state(module)->close_type, PyLong_FromLong(code),
                       PyUnicode_DecodeUTF8((const char *)reason, (Py_ssize_t)len, NULL));
    }
    PyBuffer_Release(&view);
    return out;
}

static PyObject *accept_key(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *key;
    Py_buffer view;
    if (arg_one("accept_key", args, count, kwnames, "key", 1, &key) < 0) return NULL;
    if (arg_payload(key, "key", &view) < 0) return NULL;
    char accept[FASTWS_ACCEPT_LEN + 1];
    int error = fastws_accept_key(accept, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return error < 0 ? error_raise_value(error) : PyUnicode_FromStringAndSize(accept, FASTWS_ACCEPT_LEN);
}

static PyObject *new_key(PyObject *module, PyObject *Py_UNUSED(ignored)) {
    uint8_t key[4];
    int error = fastws_frame_new_key(key);
    if (error < 0) return error_raise(PyModule_GetState(module), error);
    return PyBytes_FromStringAndSize((const char *)key, sizeof key);
}

PyMethodDef wire_methods[] = {
    {"compile_frame", (PyCFunction)(void (*)(void))compile_frame, METH_FASTCALL | METH_KEYWORDS,
     "compile_frame($module, /, opcode, payload, *, fin=True, rsv=0, mask=None)\n--\n\n"
     "Returns one frame as bytes, ready to be written to any number of peers. RFC 6455 5.2.\n\n"
     "Args:\n"
     "    opcode: an OpCode.\n"
     "    payload: bytes-like, or str, which is written as UTF-8.\n"
     "    fin: False if more frames of the message follow.\n"
     "    rsv: the reserved bits, 0 to 7.\n"
     "    mask: 4 bytes to mask the payload with, as a client must; None, as a server must.\n\n"
     "Raises:\n"
     "    ValueError: reserved opcode; control frame of more than 125 bytes or without fin; wrong mask or rsv;\n"
     "        a close frame whose body parse_close() refuses."},
    {"new_key", new_key, METH_NOARGS,
     "new_key($module, /)\n--\n\n"
     "Returns 4 bytes that nobody can foresee, to mask one frame with. RFC 6455 5.3.\n\n"
     "Raises:\n"
     "    Error: the operating system gave no random bytes."},
    {"close_body", (PyCFunction)(void (*)(void))close_body, METH_FASTCALL | METH_KEYWORDS,
     "close_body($module, /, code, reason='')\n--\n\n"
     "Returns the body of a close frame. RFC 6455 5.5.1.\n\n"
     "Args:\n"
     "    code: 1000-1003, 1007-1014 or 3000-4999; 1005 for an empty body.\n"
     "    reason: cut to 123 bytes of UTF-8 at the edge of a character.\n\n"
     "Raises:\n"
     "    ValueError: code may not stand in a close frame."},
    {"parse_close", (PyCFunction)(void (*)(void))parse_close, METH_FASTCALL | METH_KEYWORDS,
     "parse_close($module, /, body)\n--\n\n"
     "Reads the unmasked body of a close frame. RFC 6455 5.5.1.\n\n"
     "Returns:\n"
     "    Close(code, reason); the code of an empty body is 1005.\n\n"
     "Raises:\n"
     "    ProtocolError: body of one byte or more than 125, or a code that may not stand there.\n"
     "    InvalidUTF8: the reason is not UTF-8."},
    {"accept_key", (PyCFunction)(void (*)(void))accept_key, METH_FASTCALL | METH_KEYWORDS,
     "accept_key($module, /, key)\n--\n\n"
     "Returns the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key. RFC 6455 4.2.2.\n\n"
     "Args:\n"
     "    key: str or bytes, base64 of 16 bytes.\n\n"
     "Raises:\n"
     "    ValueError: key is not base64 of 16 bytes."},
    {NULL, NULL, 0, NULL},
};
