/* SPDX-License-Identifier: MIT */
/* What a Writer does to the message of its Stream: begins it, adds to it, ends it, forgets it. */
#include "writer.h"

#include <fastws/error.h>

#include "errors.h"

static void end_message(struct writer *self) {
    self->is_begun = 0;
    fastws_utf8_init(&self->utf8);
    fastws_utf8_init(&self->queued_utf8);
}

int writer_is_begun(struct writer *self) {
    if (self->is_begun && self->resets != self->stream->resets) {
        self->is_torn = 0;
        end_message(self);
    }
    return self->is_begun;
}

size_t writer_buffered(struct writer *self) {
    return writer_is_begun(self) ? fastws_conn_buffered_len(self->stream->protocol.conn) : 0;
}

/* Takes the send lock, by stream_lock() or stream_begin_send(), of the stream that the writer has by then: reset() may
 * bring another while this waits. Returns a reference, or NULL with an exception. */
static struct stream *enter(struct writer *self, int (*lock)(struct stream *)) {
    for (;;) {
        struct stream *stream = (struct stream *)Py_NewRef(self->stream);
        if (lock(stream) < 0) {
            Py_DECREF(stream);
            return NULL;
        }
        if (self->stream == stream) return stream;
        stream_unlock(stream);
        Py_DECREF(stream);
    }
}

/* ---- Sending ---- */

static int call(struct writer *self, enum writer_step step, const Py_buffer *view) {
    struct fastws_conn *conn = self->stream->protocol.conn;
    if (!writer_is_begun(self)) {
        int error = fastws_conn_begin(conn, self->opcode | self->flags);
        if (error < 0) return error;
        self->is_begun = 1;
        self->resets = self->stream->resets;
    }
    fastws_conn_set_fragment_len(conn, self->buffer_size);
    switch (step) {
    case WRITER_WRITE: return protocol_write_piece(&self->stream->protocol, view);
    case WRITER_FLUSH_FRAGMENT: return fastws_conn_flush_fragment(conn);
    default: return fastws_conn_finish(conn);
    }
}

/* Nothing was done: what others have queued meanwhile goes out. Keeps the exception. */
static void leave(struct stream *stream) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (stream_end_send(stream, 0, NULL) < 0) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    Py_DECREF(stream);
}

int writer_send(struct writer *self, enum writer_step step, const Py_buffer *view) {
    if (self->is_torn) {
        PyErr_SetString(PyExc_RuntimeError, "half of a message has been sent and the rest dropped: close the stream");
        return -1;
    }
    struct stream *stream = enter(self, stream_begin_send);
    if (!stream) return -1;
    struct hooks *hooks = &stream->protocol.hooks;
    if (self->set_bits && protocol_use_hooks(&stream->protocol, stream->state) < 0) {
        leave(stream);
        return -1;
    }
    Py_XSETREF(hooks->writer_bits, Py_XNewRef(self->set_bits));
    int error = call(self, step, view);
    Py_CLEAR(hooks->writer_bits);
    if (error == 0 && step == WRITER_FLUSH_FRAGMENT) self->queued_utf8 = self->utf8;
    if (error == 0 && step == WRITER_FINISH) end_message(self);
    int result = stream_end_send(stream, error, view);
    Py_DECREF(stream);
    return result;
}

/* RFC 6455 5.6: a text is UTF-8 as a whole; its pieces may end inside of characters. Returns 0, or -1 with ValueError:
 * then utf8 is as it was. */
static int check_text(const struct writer *self, struct fastws_utf8 *utf8, const Py_buffer *view) {
    if (self->opcode != FASTWS_OPCODE_TEXT) return 0;
    if (fastws_utf8_update(utf8, view->buf, (size_t)view->len) == 0) return 0;
    error_raise_value(FASTWS_ERR_UTF8);
    return -1;
}

int writer_write_piece(struct writer *self, const Py_buffer *view) {
    size_t gathered = writer_buffered(self);
    struct fastws_utf8 utf8 = self->utf8;
    if (check_text(self, &utf8, view) < 0 || writer_send(self, WRITER_WRITE, view) < 0) return -1;
    if (self->opcode != FASTWS_OPCODE_TEXT) return 0;
    protocol_follow_text(&self->queued_utf8, &self->utf8, view, gathered, writer_buffered(self));
    self->utf8 = utf8;
    return 0;
}

/* ---- Forgetting ---- */

static void forget_all(struct writer *self) {
    self->is_torn = 0;
    end_message(self);
}

/* Whether nobody waits for the rest of the message. */
static int is_free_to_forget(const struct stream *stream) {
    struct fastws_conn *conn = stream->protocol.conn;
    return !fastws_conn_is_message_open(conn) || stream->is_broken || stream->protocol.error ||
           fastws_conn_close_sent(conn);
}

int writer_forget(struct writer *self) {
    if (!writer_is_begun(self)) {
        forget_all(self);
        return 0;
    }
    struct stream *stream = enter(self, stream_lock);
    if (!stream) return -1;
    int is_free = 1;
    if (writer_is_begun(self)) {
        fastws_conn_abandon(stream->protocol.conn);
        self->utf8 = self->queued_utf8;
        is_free = is_free_to_forget(stream);
    }
    if (is_free) forget_all(self);
    stream_unlock(stream);
    Py_DECREF(stream);
    if (is_free) return 0;
    PyErr_SetString(PyExc_RuntimeError,
                    "a part of the message has been sent: finish it with flush(), or close the stream");
    return -1;
}

int writer_tear(struct writer *self) {
    if (!writer_is_begun(self)) return 0;
    struct stream *stream = enter(self, stream_lock);
    if (!stream) return -1;
    if (writer_is_begun(self)) {
        fastws_conn_abandon(stream->protocol.conn);
        self->is_torn = self->is_begun = fastws_conn_is_message_open(stream->protocol.conn);
    }
    fastws_utf8_init(&self->utf8);
    stream_unlock(stream);
    Py_DECREF(stream);
    return 0;
}
