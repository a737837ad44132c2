/* SPDX-License-Identifier: MIT */
/* Sending through an AsyncConnection: at once, and waiting for room. */
#include "aio.h"

#include <fastws/error.h>
#include <fastws/header.h>
#include <fastws/prepared.h>
#include <fastws/utf8.h>

#include "args.h"
#include "errors.h"
#include "prepared.h"

#define BORROW_MIN 4096 /* bytes from which on the library borrows a payload */

/* ---- Queueing ---- */

int aio_connection_flush_soon(struct aio_connection *self) {
    struct aio_loop *loop = self->loop;
    if (!loop->depth) return aio_connection_flush(self);
    if (self->is_dirty) return 0;
    self->is_dirty = 1;
    struct aio_connection **place = loop->dirty ? &loop->dirty_last->next_dirty : &loop->dirty;
    *place = loop->dirty_last = (struct aio_connection *)Py_NewRef(self);
    return 0;
}

/* A message in pieces holds up all others; after the handshake and before the end, messages may be sent. */
static int check_may_send(struct aio_connection *self) {
    if (self->phase == PHASE_OPEN && !self->is_sending) return 0;
    if (self->phase == PHASE_LOST) {
        aio_connection_raise_closed(self);
    } else if (self->phase == PHASE_CONNECTING) {
        PyErr_SetString(PyExc_RuntimeError, "the handshake is not over");
    } else {
        PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "a message in pieces is being sent");
    }
    return -1;
}

static int end_send(struct aio_connection *self, int error, size_t len) {
    if (error < 0) {
        protocol_error_raise(&self->protocol, self->state, error);
        return -1;
    }
    if (len >= BORROW_MIN) return aio_connection_flush(self);
    return self->is_dirty && self->loop->depth ? 0 : aio_connection_flush_soon(self);
}

static int send_prepared(struct aio_connection *self, struct fastws_prepared *prepared) {
    if (!self->loop->depth) protocol_touch(&self->protocol);
    return end_send(self, fastws_conn_send_prepared(self->protocol.conn, prepared), 0);
}

/* What takes long to compress is compressed while other threads run. Returns 1 if it was, 0 if it is to be sent as it
 * is, -1 with an exception. */
static int send_apart(struct aio_connection *self, int opcode, const void *payload, size_t len) {
    Py_buffer view = {.buf = (void *)(uintptr_t)payload, .len = (Py_ssize_t)len};
    struct fastws_prepared *prepared;
    if (protocol_compress_apart(&self->protocol, opcode, &view, &prepared) < 0) return -1;
    if (!prepared) return 0;
    int result = send_prepared(self, prepared);
    fastws_prepared_release(prepared);
    return result < 0 ? -1 : 1;
}

/* opcode has the flags of fastws_conn_send(). */
static int send_payload(struct aio_connection *self, int opcode, const void *payload, size_t len) {
    if (len >= RELEASE_GIL_MIN) {
        int result = send_apart(self, opcode, payload, len);
        if (result != 0) return result < 0 ? -1 : 0;
    }
    if (!self->loop->depth) protocol_touch(&self->protocol);
    return end_send(self, fastws_conn_send(self->protocol.conn, opcode, payload, len), len);
}

/* The kind that text asks for: None goes by the type. Returns 0, or -1 with an exception. */
static int choose_opcode(PyObject *text, int is_str, int *opcode) {
    int is_text = text == Py_None || !text ? is_str : PyObject_IsTrue(text);
    *opcode = is_text ? FASTWS_OPCODE_TEXT : FASTWS_OPCODE_BINARY;
    return is_text < 0 ? -1 : 0;
}

static int send_object(struct aio_connection *self, PyObject *message, PyObject *text, int flags) {
    Py_buffer view;
    int opcode, is_str = PyUnicode_Check(message);
    if (choose_opcode(text, is_str, &opcode) < 0 || arg_payload(message, "message", &view) < 0) return -1;
    int result = -1;
    if (opcode == FASTWS_OPCODE_TEXT && !is_str && !fastws_utf8_is_valid(view.buf, (size_t)view.len)) {
        error_raise_value(FASTWS_ERR_UTF8);
    } else {
        result = send_payload(self, opcode | flags, view.buf, (size_t)view.len);
    }
    PyBuffer_Release(&view);
    return result;
}

/* The payload of what needs no conversion, as most messages do not: a str of ASCII, or bytes. Borrowed. Returns its
 * opcode, 0 for anything else. */
static inline int plain_payload(PyObject *message, const void **payload, size_t *len) {
    if (PyUnicode_CheckExact(message) && PyUnicode_IS_COMPACT_ASCII(message)) {
        *payload = PyUnicode_DATA(message);
        *len = (size_t)PyUnicode_GET_LENGTH(message);
        return FASTWS_OPCODE_TEXT;
    }
    if (!PyBytes_CheckExact(message)) return 0;
    *payload = PyBytes_AS_STRING(message);
    *len = (size_t)PyBytes_GET_SIZE(message);
    return FASTWS_OPCODE_BINARY;
}

int aio_send_whole(struct aio_connection *self, PyObject *message, PyObject *text, PyObject *compress) {
    const void *payload;
    size_t len;
    int result, flags;
    if (protocol_take_compress(compress, &flags) < 0) return -1;
    int opcode = text == NULL || text == Py_None ? plain_payload(message, &payload, &len) : 0;
    if (opcode) {
        result = send_payload(self, opcode | flags, payload, len);
    } else if (PyUnicode_Check(message) || PyObject_CheckBuffer(message)) {
        result = send_object(self, message, text, flags);
    } else {
        struct fastws_prepared *prepared = prepared_get(self->state, message);
        if (!prepared) return 0;
        if (prepared_check_arguments(NULL, compress) < 0) return -1;
        result = send_prepared(self, prepared);
    }
    return result < 0 ? -1 : 1;
}

int aio_send_short(struct aio_connection *self, PyObject *message) {
    const void *payload;
    size_t len;
    if (self->phase != PHASE_OPEN || self->is_sending || !self->loop->depth) return 0;
    int opcode = plain_payload(message, &payload, &len);
    if (!opcode || len >= BORROW_MIN || fastws_conn_send(self->protocol.conn, opcode, payload, len) < 0) return 0;
    /* Inside of a batch this only takes note. */
    if (!self->is_dirty) (void)aio_connection_flush_soon(self);
    return 1;
}

PyObject *aio_send_nowait(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"message", "text", "compress", NULL};
    struct aio_connection *self = (struct aio_connection *)object;
    if (count == 1 && !kwnames && aio_send_short(self, args[0])) return PyBool_FromLong(!self->is_full);
    PyObject *sorted[3] = {count ? args[0] : NULL, NULL, NULL};
    if ((count != 1 || kwnames) && arg_sort("send_nowait", args, count, kwnames, names, 1, 1, sorted) < 0) return NULL;
    if (check_may_send(self) < 0) return NULL;
    int result = aio_send_whole(self, sorted[0], sorted[1], sorted[2]);
    if (result < 0) return NULL;
    if (result > 0) return PyBool_FromLong(!self->is_full);
    return PyErr_Format(PyExc_TypeError, "message must be str, bytes-like or PreparedMessage, not %.200s",
                        Py_TYPE(sorted[0])->tp_name);
}

/* Sends one frame of a message in pieces: (data, opcode, is_first, is_last, compress). */
PyObject *aio_send_part(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    struct aio_connection *self = (struct aio_connection *)object;
    struct fastws_conn *conn = self->protocol.conn;
    Py_buffer view;
    int opcode, flags;
    if (arg_count("_send_part", count, 5, 5) < 0 || arg_data_opcode(args[1], &opcode) < 0) return NULL;
    if (protocol_take_compress(args[4], &flags) < 0) return NULL;
    if (self->phase != PHASE_OPEN) return aio_connection_raise_closed(self);
    if (arg_payload(args[0], "message", &view) < 0) return NULL;
    protocol_touch(&self->protocol);
    int error = args[2] == Py_True ? fastws_conn_begin(conn, opcode | flags) : 0;
    if (error == 0) error = protocol_write_piece(&self->protocol, &view);
    if (error == 0) error = args[3] == Py_True ? fastws_conn_finish(conn) : fastws_conn_flush_fragment(conn);
    int result = end_send(self, error, BORROW_MIN);
    PyBuffer_Release(&view);
    return result < 0 ? NULL : PyBool_FromLong(!self->is_full);
}

/* (data, is_pong) */
PyObject *aio_send_control(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    struct aio_connection *self = (struct aio_connection *)object;
    if (arg_count("_send_control", count, 2, 2) < 0) return NULL;
    if (self->phase != PHASE_OPEN) return aio_connection_raise_closed(self);
    if (protocol_send_control(&self->protocol, self->state, args[1] == Py_True, args[0]) < 0) return NULL;
    if (aio_connection_flush_soon(self) < 0) return NULL;
    Py_RETURN_NONE;
}

PyObject *aio_send_close(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"code", "reason", NULL};
    struct aio_connection *self = (struct aio_connection *)object;
    PyObject *sorted[2];
    if (arg_sort("close_nowait", args, count, kwnames, names, 0, 2, sorted) < 0) return NULL;
    if (self->phase == PHASE_LOST) Py_RETURN_NONE;
    if (self->phase == PHASE_CONNECTING) {
        if (self->driver && self->driver->abort(self) < 0) return NULL;
        Py_RETURN_NONE;
    }
    if (aio_end_take(self) < 0) return NULL;
    if (self->phase == PHASE_LOST) Py_RETURN_NONE;
    if (protocol_send_close(&self->protocol, self->state, sorted[0], sorted[1]) < 0) return NULL;
    if (aio_connection_flush(self) < 0) return NULL;
    /* The answer may be behind what was not to be read yet. */
    if (self->is_held && aio_deliver(self) < 0) return NULL;
    if (!self->is_delivering && aio_connection_go_on(self) < 0) return NULL;
    if (aio_connection_settle(self) < 0) return NULL;
    Py_RETURN_NONE;
}

/* ---- Waiting for room ---- */

static int is_done(PyObject *future) {
    PyObject *done = PyObject_CallMethod(future, "done", NULL);
    int result = done == Py_True;
    if (!done) PyErr_Clear();
    Py_XDECREF(done);
    return result;
}

PyObject *aio_room_wait(struct aio_connection *self) {
    if (!self->drains) self->drains = PyList_New(0);
    if (!self->drains) return NULL;
    /* Those who gave up. */
    Py_ssize_t count;
    while ((count = PyList_GET_SIZE(self->drains)) > 0 && is_done(PyList_GET_ITEM(self->drains, count - 1))) {
        if (PyList_SetSlice(self->drains, count - 1, count, NULL) < 0) return NULL;
    }
    PyObject *future = PyObject_CallNoArgs(self->loop->create_future);
    if (future && PyList_Append(self->drains, future) < 0) Py_CLEAR(future);
    return future;
}

void aio_room_wake(struct aio_connection *self) {
    PyObject *drains = self->drains;
    self->drains = NULL;
    for (Py_ssize_t i = 0; drains && i < PyList_GET_SIZE(drains); i++) {
        PyObject *future = PyList_GET_ITEM(drains, i);
        if (is_done(future)) continue;
        PyObject *done = PyObject_CallMethod(future, "set_result", "O", Py_None);
        if (!done) PyErr_WriteUnraisable(future);
        Py_XDECREF(done);
    }
    Py_XDECREF(drains);
}
