/* SPDX-License-Identifier: MIT */
/* What Connection and Stream have in common: one struct fastws_conn with its configuration. */
#include "protocol.h"

#include <string.h>

#include <fastws/close.h>
#include <fastws/error.h>
#include <fastws/header.h>
#include <fastws/utf8.h>

#include "args.h"
#include "errors.h"
#include "events.h"
#include "payload.h"

uint64_t protocol_now_us(void) {
#if PY_VERSION_HEX >= 0x030D0000
    PyTime_t now;
    if (PyTime_MonotonicRaw(&now) < 0) return 0;
#else
    _PyTime_t now = _PyTime_GetMonotonicClock();
#endif
    return (uint64_t)now / 1000u;
}

uint64_t protocol_now_ms(void) { return protocol_now_us() / 1000u; }

uint64_t protocol_touch(struct protocol *protocol) {
    uint64_t now = protocol_now_us();
    fastws_pool_set_now(protocol->pool, now);
    return now / 1000u;
}

/* Turns on what was agreed on, in a connection that is new. Returns 0 or an error. */
static int turn_on_compression(struct protocol *protocol) {
    struct deflate *compression = protocol->compression;
    if (!compression) return 0;
    return fastws_conn_set_deflate(protocol->conn, &compression->config, &compression->agreed);
}

int protocol_open(struct protocol *protocol, struct state *state) {
    void *memory = PyMem_Malloc(fastws_conn_sizeof());
    if (!memory) {
        PyErr_NoMemory();
        return -1;
    }
    protocol->pool_owner = Py_NewRef(state->pool);
    protocol->pool = pool_of(state);
    protocol_touch(protocol);
    int error = fastws_conn_init(memory, &protocol->config, protocol->pool);
    if (error < 0) {
        PyMem_Free(memory);
        error_raise(state, error);
        return -1;
    }
    protocol->conn = memory;
    protocol->error_offset = -1;
    error = turn_on_compression(protocol);
    if (error < 0) error_raise(state, error);
    return error;
}

int protocol_use_hooks(struct protocol *protocol, struct state *state) {
    if (hooks_prepare(&protocol->hooks, state) < 0) return -1;
    if (protocol->config.extension_count) return 0;
    struct fastws_conn_config *rules = protocol->rules ? protocol->rules : &protocol->config;
    protocol->config.extensions = rules->extensions = &protocol->hooks.entry;
    protocol->config.extension_count = rules->extension_count = 1;
    int error = fastws_conn_set_config(protocol->conn, rules);
    if (error < 0) error_raise(state, error);
    return error;
}

/* Takes the functions of a sequence of extensions, and lists the hooks where there are any: none cost nothing. */
static int plan_extensions(struct protocol_plan *plan, struct protocol *protocol, struct state *state,
                           PyObject *extensions) {
    plan->unset_bits = hooks_resolve(state, extensions, NAME_UNSET_BITS);
    if (plan->unset_bits) plan->set_bits = hooks_resolve(state, extensions, NAME_SET_BITS);
    if (!plan->set_bits || hooks_prepare(&protocol->hooks, state) < 0) return -1;
    int is_empty = PyTuple_GET_SIZE(plan->unset_bits) + PyTuple_GET_SIZE(plan->set_bits) == 0;
    plan->config.extensions = is_empty ? NULL : &protocol->hooks.entry;
    plan->config.extension_count = !is_empty;
    return 0;
}

static int plan_compression(struct protocol_plan *plan, struct state *state) {
    PyObject *name = PyUnicode_InternFromString("compression");
    PyObject *compression = name ? PyDict_GetItemWithError(plan->others, name) : NULL;
    int result = PyErr_Occurred() ? -1 : 0;
    if (compression) {
        Py_INCREF(compression);
        result = PyDict_DelItem(plan->others, name);
        if (result == 0) result = deflate_take(state, compression, &plan->compression);
        Py_DECREF(compression);
    }
    Py_XDECREF(name);
    return result;
}

int protocol_plan_take(struct protocol_plan *plan, struct protocol *protocol, struct state *state, PyObject *kwargs,
                       unsigned type) {
    *plan = (struct protocol_plan){.config = protocol->config};
    if (!protocol->conn) fastws_conn_config_init(&plan->config, FASTWS_ROLE_SERVER);
    plan->others = config_take(kwargs, type, &plan->config);
    if (!plan->others) return -1;
    PyObject *name = PyUnicode_InternFromString("extensions");
    PyObject *extensions = name ? PyDict_GetItemWithError(plan->others, name) : NULL;
    int result = PyErr_Occurred() ? -1 : 0;
    if (extensions) {
        Py_INCREF(extensions);
        result = PyDict_DelItem(plan->others, name);
        if (result == 0) result = plan_extensions(plan, protocol, state, extensions);
        Py_DECREF(extensions);
    }
    Py_XDECREF(name);
    return result < 0 ? -1 : plan_compression(plan, state);
}

void protocol_plan_clear(struct protocol_plan *plan) {
    Py_CLEAR(plan->unset_bits);
    Py_CLEAR(plan->set_bits);
    Py_CLEAR(plan->compression);
    Py_CLEAR(plan->others);
}

static void swap(PyObject **a, PyObject **b) {
    PyObject *was = *a;
    *a = *b;
    *b = was;
}

int protocol_adopt(struct protocol *protocol, struct protocol_plan *plan) {
    struct deflate *before = protocol->compression;
    protocol->config = plan->config;
    protocol->compression = plan->compression;
    plan->compression = before;
    if (plan->unset_bits) swap(&protocol->hooks.unset_bits, &plan->unset_bits);
    if (plan->set_bits) swap(&protocol->hooks.set_bits, &plan->set_bits);
    if (!protocol->conn) return 0;
    protocol_touch(protocol);
    /* It can only complain of a configuration, and that was checked. */
    int error = fastws_conn_reset(protocol->conn, &protocol->config);
    (void)error;
    protocol_note_error(protocol, 0, 0);
    Py_CLEAR(protocol->sent_reason);
    Py_CLEAR(protocol->rcvd_reason);
    Py_CLEAR(protocol->hooks.error);
    if (turn_on_compression(protocol) == 0) return 0;
    /* The peer would not understand what goes on without. */
    protocol_note_error(protocol, FASTWS_ERR_NOMEM, FASTWS_CLOSE_ABNORMAL_CLOSURE);
    PyErr_NoMemory();
    return -1;
}

void protocol_close(struct protocol *protocol) {
    fastws_conn_free(protocol->conn);
    PyMem_Free(protocol->conn);
    protocol->conn = NULL;
    Py_CLEAR(protocol->compression);
    hooks_clear(&protocol->hooks);
    if (protocol->hooks.lock) PyThread_free_lock(protocol->hooks.lock);
    Py_CLEAR(protocol->sent_reason);
    Py_CLEAR(protocol->rcvd_reason);
    Py_CLEAR(protocol->pool_owner);
}

/* Copies what is queued to dst until it is full. A client lists its large payloads piece by piece. */
static void copy_pending(struct fastws_conn *conn, char *dst, size_t len) {
    struct fastws_iovec iov[16];
    while (len) {
        int count = fastws_conn_pending(conn, iov, 16);
        if (count <= 0) break;
        size_t copied = 0;
        for (int i = 0; i < count; i++) {
            memcpy(dst + copied, iov[i].base, iov[i].len);
            copied += iov[i].len;
        }
        if (fastws_conn_sent(conn, copied) < 0) break;
        dst += copied;
        len -= copied;
    }
}

PyObject *protocol_drain(struct protocol *protocol) {
    uint64_t len = fastws_conn_pending_len(protocol->conn);
    PyObject *bytes = len > PY_SSIZE_T_MAX ? PyErr_NoMemory() : PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    if (!bytes) {
        protocol_drop(protocol);
        return NULL;
    }
    if (len) copy_pending(protocol->conn, PyBytes_AS_STRING(bytes), (size_t)len);
    if (fastws_conn_pending_len(protocol->conn) == 0) return bytes;
    Py_DECREF(bytes);
    protocol_drop(protocol);
    return PyErr_NoMemory();
}

void protocol_drop(struct protocol *protocol) {
    struct fastws_iovec iov[16];
    int count;
    while ((count = fastws_conn_pending(protocol->conn, iov, 16)) > 0) {
        size_t len = 0;
        for (int i = 0; i < count; i++) len += iov[i].len;
        if (fastws_conn_sent(protocol->conn, len) < 0) break;
    }
}

/* Whether bytes of the peer are wrong, and not that none come. */
static int is_about_bytes(int error) {
    switch (fastws_error_close_code(error)) {
    case FASTWS_CLOSE_PROTOCOL_ERROR:
    case FASTWS_CLOSE_INVALID_PAYLOAD_DATA:
    case FASTWS_CLOSE_MESSAGE_TOO_BIG: return 1;
    default: return 0;
    }
}

void protocol_note_event(struct protocol *protocol, const struct fastws_event *event) {
    if (event->kind == FASTWS_EVENT_CLOSE) {
        protocol->error = FASTWS_ERR_CLOSED;
        protocol->rcvd_reason = PyUnicode_DecodeUTF8((const char *)event->ptr, (Py_ssize_t)event->len, NULL);
        /* Without memory the reason is lost, the code is not. */
        if (!protocol->rcvd_reason) PyErr_Clear();
    } else if (event->kind == FASTWS_EVENT_ERROR) {
        protocol_note_error(protocol, event->error, event->close_code);
        if (is_about_bytes(event->error)) protocol->error_offset = (int64_t)event->stream_offset;
    }
}

void protocol_note_error(struct protocol *protocol, int error, uint16_t code) {
    protocol->error = error;
    protocol->error_code = code;
    protocol->error_offset = -1;
}

int protocol_send_close(struct protocol *protocol, struct state *state, PyObject *code, PyObject *reason) {
    uint16_t number;
    const char *text;
    Py_ssize_t len;
    if (arg_close(code, reason, &number, &text, &len) < 0 || hooks_wait(&protocol->hooks) < 0) return -1;
    protocol_touch(protocol);
    if (fastws_conn_close_sent(protocol->conn)) return 0;
    if (protocol->error && protocol->config.is_close_automatic) return 0;
    int error = fastws_conn_close(protocol->conn, number, text, (size_t)len);
    if (error == 0) {
        protocol->sent_reason = Py_XNewRef(reason);
        return 0;
    }
    if (error == FASTWS_ERR_NOMEM || error == FASTWS_ERR_RANDOM) {
        error_raise(state, error);
    } else {
        error_raise_value(error);
    }
    return -1;
}

int protocol_send_control(struct protocol *protocol, struct state *state, int is_pong, PyObject *data) {
    Py_buffer view = {0};
    if (hooks_wait(&protocol->hooks) < 0 || (data && arg_payload(data, "data", &view) < 0)) return -1;
    protocol_touch(protocol);
    int error = (is_pong ? fastws_conn_pong : fastws_conn_ping)(protocol->conn, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    if (error == 0) return 0;
    protocol_error_raise(protocol, state, error);
    return -1;
}

int protocol_take_message(PyObject *data, PyObject *opcode, Py_buffer *view, int *opcode_out) {
    *opcode_out = PyUnicode_Check(data) ? FASTWS_OPCODE_TEXT : FASTWS_OPCODE_BINARY;
    if (opcode && opcode != Py_None && arg_data_opcode(opcode, opcode_out) < 0) return -1;
    if (arg_payload(data, "data", view) < 0) return -1;
    if (*opcode_out != FASTWS_OPCODE_TEXT || PyUnicode_Check(data)) return 0;
    if (fastws_utf8_is_valid(view->buf, (size_t)view->len)) return 0;
    PyBuffer_Release(view);
    error_raise_value(FASTWS_ERR_UTF8);
    return -1;
}

void protocol_follow_text(struct fastws_utf8 *queued, const struct fastws_utf8 *before, const Py_buffer *piece,
                          size_t was, size_t is) {
    size_t len = (size_t)piece->len;
    if (is == was + len || is > len) return; /* no fragment was full: a full one takes all that was gathered along */
    *queued = *before;
    int error = fastws_utf8_update(queued, piece->buf, len - is);
    (void)error; /* it was checked */
}

/* Close(code, reason), or None for no close frame. */
static PyObject *close_new(struct state *state, uint16_t code, PyObject *reason) {
    if (code == 0) Py_RETURN_NONE;
    PyObject *text = reason ? Py_NewRef(reason) : PyUnicode_New(0, 0);
    return pair_new(state->close_type, PyLong_FromLong(code), text);
}

/* As websockets judges: 1000, 1001 and no code are a good end; so is no frame yet. */
static int is_ok_code(uint16_t code) { return code == 0 || code == 1000 || code == 1001 || code == 1005; }

PyObject *protocol_error_new(const struct protocol *protocol, struct state *state, int error) {
    PyObject *exception = error_new(state, error, protocol->error_offset);
    if (exception && error == FASTWS_ERR_EXTENSION && protocol->hooks.error) {
        PyException_SetCause(exception, Py_NewRef(protocol->hooks.error));
    }
    return exception;
}

PyObject *protocol_closed_new(const struct protocol *protocol, struct state *state) {
    uint16_t rcvd_code = fastws_conn_close_received(protocol->conn);
    uint16_t sent_code = fastws_conn_close_sent(protocol->conn);
    int is_failed = protocol->error && protocol->error != FASTWS_ERR_CLOSED;
    int is_ok = !is_failed && is_ok_code(rcvd_code) && is_ok_code(sent_code);
    PyObject *rcvd = close_new(state, rcvd_code, protocol->rcvd_reason);
    PyObject *sent = close_new(state, sent_code, protocol->sent_reason);
    PyObject *type = state->exceptions[is_ok ? EXC_CONNECTION_CLOSED_OK : EXC_CONNECTION_CLOSED_ERROR];
    PyObject *exception = NULL;
    if (rcvd && sent) {
        const char *name = fastws_error_name(protocol->error ? protocol->error : FASTWS_ERR_CLOSED);
        exception = PyObject_CallFunction(type, "OOsH", rcvd, sent, name, is_failed ? protocol->error_code : 0);
    }
    Py_XDECREF(rcvd);
    Py_XDECREF(sent);
    if (!exception || !is_failed) return exception;
    PyObject *cause = protocol_error_new(protocol, state, protocol->error);
    if (!cause) Py_CLEAR(exception);
    if (cause) PyException_SetCause(exception, cause);
    return exception;
}

PyObject *protocol_closed_raise(const struct protocol *protocol, struct state *state) {
    PyObject *exception = protocol_closed_new(protocol, state);
    if (!exception) return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}

PyObject *protocol_error_raise(struct protocol *protocol, struct state *state, int error) {
    if (error == FASTWS_ERR_EXTENSION && !protocol->error && protocol->hooks.error) {
        PyObject *raised = protocol->hooks.error;
        protocol->hooks.error = NULL;
        PyErr_SetObject((PyObject *)Py_TYPE(raised), raised);
        Py_DECREF(raised);
        return NULL;
    }
    if (error == FASTWS_ERR_STATE) {
        PyErr_SetString(PyExc_RuntimeError, "another message was begun and is not finished");
        return NULL;
    }
    if (error == FASTWS_ERR_CLOSED || (protocol->error && error == protocol->error)) {
        return protocol_closed_raise(protocol, state);
    }
    if (error == FASTWS_ERR_CONTROL_LEN) return error_raise_value(error);
    return error_raise(state, error);
}

PyObject *protocol_close_code(const struct protocol *protocol) {
    uint16_t code = fastws_conn_close_received(protocol->conn);
    if (!protocol->error) Py_RETURN_NONE;
    return PyLong_FromLong(code ? code : 1006);
}

PyObject *protocol_close_reason(const struct protocol *protocol) {
    if (!protocol->error) Py_RETURN_NONE;
    return protocol->rcvd_reason ? Py_NewRef(protocol->rcvd_reason) : PyUnicode_New(0, 0);
}

PyObject *protocol_state(const struct protocol *protocol) {
    switch (fastws_conn_get_state(protocol->conn)) {
    case FASTWS_CONN_OPEN: return PyUnicode_InternFromString(protocol->error ? "CLOSED" : "OPEN");
    case FASTWS_CONN_CLOSING: return PyUnicode_InternFromString(protocol->error ? "CLOSED" : "CLOSING");
    default: return PyUnicode_InternFromString("CLOSED");
    }
}

PyObject *protocol_offset(const struct protocol *protocol) {
    return PyLong_FromUnsignedLongLong(fastws_conn_offset(protocol->conn));
}

PyObject *protocol_latency(const struct protocol *protocol) {
    uint64_t rtt_us = fastws_conn_rtt_us(protocol->conn);
    return PyFloat_FromDouble(rtt_us == UINT64_MAX ? 0.0 : (double)rtt_us / 1e6);
}
