/* SPDX-License-Identifier: MIT */
/* Sending through a Connection: messages whole and in pieces, control frames, and the bytes that come of them. */
#include "connection.h"

#include <string.h>

#include <fastws/error.h>
#include <fastws/header.h>

#include "args.h"
#include "errors.h"
#include "file.h"
#include "prepared.h"

#define BORROW_MIN 4096 /* bytes from which on the library borrows a payload */

int connection_spill(struct connection *self) {
    if (fastws_conn_pending_len(self->protocol.conn) == 0) return 0;
    PyObject *bytes = protocol_drain(&self->protocol);
    if (bytes && !self->outbox) self->outbox = PyList_New(0);
    int result = bytes && self->outbox ? PyList_Append(self->outbox, bytes) : -1;
    if (result == 0) self->outbox_len += (uint64_t)PyBytes_GET_SIZE(bytes);
    Py_XDECREF(bytes);
    return result;
}

static int begin_send(struct connection *self) {
    if (hooks_wait(&self->protocol.hooks) < 0) return -1;
    protocol_touch(&self->protocol);
    return 0;
}

/* Ends a send that answered error. A payload that was borrowed is copied before it goes back to its owner. */
static PyObject *end_send(struct connection *self, int error, Py_buffer *view) {
    int result = view && view->len >= BORROW_MIN ? connection_spill(self) : 0;
    if (view) PyBuffer_Release(view);
    if (error < 0) {
        if (result < 0) PyErr_Clear();
        return protocol_error_raise(&self->protocol, self->state, error);
    }
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *send_prepared(struct connection *self, struct fastws_prepared *prepared) {
    if (begin_send(self) < 0) return NULL;
    self->compressing++;
    int result = protocol_prepare(&self->protocol, prepared);
    self->compressing--;
    return result < 0 ? NULL : end_send(self, fastws_conn_send_prepared(self->protocol.conn, prepared), NULL);
}

/* Sends what was compressed apart, if it was to be. Releases view. */
static PyObject *send_message(struct connection *self, int opcode, Py_buffer *view) {
    struct fastws_prepared *prepared = NULL;
    int result = begin_send(self);
    self->compressing++;
    if (result == 0) result = protocol_compress_apart(&self->protocol, opcode, view, &prepared);
    self->compressing--;
    if (result < 0 || prepared) {
        PyBuffer_Release(view);
        if (result < 0) return NULL;
        int error = fastws_conn_send_prepared(self->protocol.conn, prepared);
        fastws_prepared_release(prepared);
        return end_send(self, error, NULL);
    }
    return end_send(self, fastws_conn_send(self->protocol.conn, opcode, view->buf, (size_t)view->len), view);
}

PyObject *connection_send(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"data", "opcode", "compress", NULL};
    struct connection *self = (struct connection *)object;
    PyObject *sorted[3];
    Py_buffer view;
    int opcode, flags;
    if (arg_sort("send", args, count, kwnames, names, 1, 2, sorted) < 0) return NULL;
    struct fastws_prepared *prepared = prepared_get(self->state, sorted[0]);
    if (prepared) {
        if (prepared_check_arguments(sorted[1], sorted[2]) < 0) return NULL;
        return send_prepared(self, prepared);
    }
    if (protocol_take_compress(sorted[2], &flags) < 0) return NULL;
    if (protocol_take_message(sorted[0], sorted[1], &view, &opcode) < 0) return NULL;
    return send_message(self, opcode | flags, &view);
}

PyObject *connection_begin(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"opcode", "compress", NULL};
    struct connection *self = (struct connection *)object;
    PyObject *sorted[2];
    int opcode = FASTWS_OPCODE_TEXT, flags;
    if (arg_sort("begin", args, count, kwnames, names, 0, 1, sorted) < 0) return NULL;
    if (sorted[0] && arg_data_opcode(sorted[0], &opcode) < 0) return NULL;
    if (protocol_take_compress(sorted[1], &flags) < 0 || begin_send(self) < 0) return NULL;
    PyObject *result = end_send(self, fastws_conn_begin(self->protocol.conn, opcode | flags), NULL);
    if (result) {
        self->is_text = opcode == FASTWS_OPCODE_TEXT;
        fastws_utf8_init(&self->utf8);
        fastws_utf8_init(&self->queued_utf8);
    }
    return result;
}

/* RFC 6455 5.6: a text is UTF-8 as a whole; its pieces may end inside characters. */
static int check_text(const struct connection *self, struct fastws_utf8 *utf8, const Py_buffer *view) {
    if (!self->is_text || fastws_utf8_update(utf8, view->buf, (size_t)view->len) == 0) return 0;
    error_raise_value(FASTWS_ERR_UTF8);
    return -1;
}

static int check_begun(struct connection *self) {
    if (fastws_conn_is_message_open(self->protocol.conn)) return 0;
    if (self->protocol.error || fastws_conn_close_sent(self->protocol.conn)) {
        protocol_closed_raise(&self->protocol, self->state);
    } else {
        PyErr_SetString(PyExc_RuntimeError, "no message was begun");
    }
    return -1;
}

PyObject *connection_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    PyObject *data;
    Py_buffer view;
    if (arg_one("write", args, count, kwnames, "data", 1, &data) < 0) return NULL;
    if (arg_payload(data, "data", &view) < 0) return NULL;
    struct fastws_utf8 utf8 = self->utf8;
    if (begin_send(self) < 0 || check_begun(self) < 0 || check_text(self, &utf8, &view) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    struct fastws_conn *conn = self->protocol.conn;
    size_t gathered = fastws_conn_buffered_len(conn);
    self->compressing++;
    int error = protocol_write_piece(&self->protocol, &view);
    self->compressing--;
    if (error == 0 && self->is_text) {
        protocol_follow_text(&self->queued_utf8, &self->utf8, &view, gathered, fastws_conn_buffered_len(conn));
        self->utf8 = utf8;
    }
    return end_send(self, error, &view);
}

PyObject *connection_flush_fragment(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (begin_send(self) < 0 || check_begun(self) < 0) return NULL;
    int error = fastws_conn_flush_fragment(self->protocol.conn);
    if (error == 0) self->queued_utf8 = self->utf8;
    return end_send(self, error, NULL);
}

PyObject *connection_finish(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (begin_send(self) < 0 || check_begun(self) < 0) return NULL;
    if (self->is_text && fastws_utf8_finish(&self->utf8) < 0) return error_raise_value(FASTWS_ERR_UTF8);
    return end_send(self, fastws_conn_finish(self->protocol.conn), NULL);
}

PyObject *connection_abandon(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct connection *self = (struct connection *)object;
    if (begin_send(self) < 0) return NULL;
    fastws_conn_abandon(self->protocol.conn);
    self->utf8 = self->queued_utf8;
    Py_RETURN_NONE;
}

static PyObject *send_control(PyObject *object, PyObject *data, int is_pong) {
    struct connection *self = (struct connection *)object;
    if (protocol_send_control(&self->protocol, self->state, is_pong, data) < 0) return NULL;
    Py_RETURN_NONE;
}

PyObject *connection_ping(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    return arg_one("ping", args, count, kwnames, "data", 0, &data) < 0 ? NULL : send_control(self, data, 0);
}

PyObject *connection_pong(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    PyObject *data;
    return arg_one("pong", args, count, kwnames, "data", 0, &data) < 0 ? NULL : send_control(self, data, 1);
}

PyObject *connection_close(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"code", "reason", NULL};
    struct connection *self = (struct connection *)object;
    PyObject *sorted[2];
    if (arg_sort("close", args, count, kwnames, names, 0, 2, sorted) < 0) return NULL;
    if (protocol_send_close(&self->protocol, self->state, sorted[0], sorted[1]) < 0) return NULL;
    Py_RETURN_NONE;
}

void connection_note_queued(struct connection *self) {
    const struct fastws_conn_config *config = &self->protocol.config;
    uint64_t len = connection_queued(self);
    if (config->queue_high && len > config->queue_high) self->is_full = 1;
    if (len <= config->queue_low) self->is_full = 0;
}

/* Copies len bytes, of at least as many, from the front of the outbox, and lets go of what is used up. Without memory
 * everything stays. */
static PyObject *take_part(struct connection *self, Py_ssize_t len) {
    PyObject *out = PyBytes_FromStringAndSize(NULL, len);
    if (!out) return NULL;
    Py_ssize_t used = 0, off = self->outbox_off, done = 0;
    while (done < len) {
        PyObject *item = PyList_GET_ITEM(self->outbox, used);
        Py_ssize_t left = PyBytes_GET_SIZE(item) - off;
        Py_ssize_t part = len - done < left ? len - done : left;
        memcpy(PyBytes_AS_STRING(out) + done, PyBytes_AS_STRING(item) + off, (size_t)part);
        done += part;
        off = part < left ? off + part : 0;
        if (part == left) used++;
    }
    if (PyList_SetSlice(self->outbox, 0, used, NULL) < 0) {
        Py_DECREF(out);
        return NULL;
    }
    self->outbox_off = off;
    self->outbox_len -= (uint64_t)len;
    return out;
}

static PyObject *take_all(struct connection *self) {
    PyObject *list = self->outbox, *out;
    if (PyList_GET_SIZE(list) == 1 && self->outbox_off == 0) {
        out = Py_NewRef(PyList_GET_ITEM(list, 0));
    } else {
        out = take_part(self, (Py_ssize_t)self->outbox_len);
    }
    if (!out) return NULL;
    self->outbox = NULL;
    self->outbox_len = 0;
    Py_DECREF(list);
    return out;
}

PyObject *connection_data_to_send(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    struct connection *self = (struct connection *)object;
    Py_ssize_t len = -1;
    if ((count || kwnames) && file_arg_read("data_to_send", args, count, kwnames, &len) < 0) return NULL;
    if (hooks_wait(&self->protocol.hooks) < 0) return NULL;
    connection_note_queued(self);
    uint64_t queued = connection_queued(self);
    int is_all = len < 0 || (uint64_t)len >= queued;
    if (is_all) self->is_flooded = 0;
    if (is_all && !self->outbox) return protocol_drain(&self->protocol);
    if (connection_spill(self) < 0) return NULL;
    if (!self->outbox) return PyBytes_FromStringAndSize(NULL, 0);
    return is_all ? take_all(self) : take_part(self, len);
}
