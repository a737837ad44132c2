/* SPDX-License-Identifier: MIT */
/* Compression of what Connection and Stream have in common: which messages, large ones apart, and the memory of it. */
#include "protocol.h"

#include <fastws/error.h>
#include <fastws/header.h>
#include <fastws/prepared.h>

#include "args.h"
#include "errors.h"

int protocol_take_compress(PyObject *compress, int *flags) {
    *flags = 0;
    if (!compress || compress == Py_None) return 0;
    int is_wanted = PyObject_IsTrue(compress);
    if (is_wanted < 0) return -1;
    *flags = is_wanted ? FASTWS_SEND_COMPRESSED : FASTWS_SEND_PLAIN;
    return 0;
}

/* ---- Large messages ---- */

static int is_large(const struct protocol *protocol, size_t len) {
    return protocol->compression && len >= RELEASE_GIL_MIN;
}

static size_t length_of(const struct fastws_prepared *prepared) {
    size_t len;
    return fastws_prepared_payload(prepared, &len) ? len : 0;
}

int protocol_prepare(struct protocol *protocol, struct fastws_prepared *prepared) {
    int error;
    if (!is_large(protocol, length_of(prepared)) || fastws_conn_is_prepared(protocol->conn, prepared)) return 0;
    Py_BEGIN_ALLOW_THREADS
    error = fastws_conn_prepare(protocol->conn, prepared);
    Py_END_ALLOW_THREADS
    if (error < 0) {
        PyErr_NoMemory();
        return -1;
    }
    /* Another thread may have come to an extension of the connection meanwhile. */
    return hooks_wait(&protocol->hooks);
}

/* Whether a message is to be compressed: as its sender says, else as the configuration does. */
static int wants(const struct deflate *compression, int opcode, size_t len) {
    const struct fastws_deflate_config *config = &compression->config;
    if (opcode & (FASTWS_SEND_PLAIN | FASTWS_SEND_COMPRESSED)) return !(opcode & FASTWS_SEND_PLAIN);
    return len >= config->threshold && !(config->is_binary_skipped && (opcode & 15) == FASTWS_OPCODE_BINARY);
}

int protocol_compress_apart(struct protocol *protocol, int opcode, const Py_buffer *payload,
                            struct fastws_prepared **out) {
    size_t len = (size_t)payload->len;
    *out = NULL;
    if (!is_large(protocol, len) || !wants(protocol->compression, opcode, len)) return 0;
    struct fastws_prepared *prepared;
    int error = fastws_prepared_new(NULL, opcode, payload->buf, len, &prepared);
    if (error < 0) PyErr_NoMemory();
    if (error < 0 || protocol_prepare(protocol, prepared) < 0) {
        if (error == 0) fastws_prepared_release(prepared);
        return -1;
    }
    *out = prepared;
    return 0;
}

int protocol_write_piece(struct protocol *protocol, const Py_buffer *payload) {
    const char *src = payload->buf;
    size_t len = (size_t)payload->len;
    while (is_large(protocol, len)) {
        int error = fastws_conn_write(protocol->conn, src, RELEASE_GIL_MIN);
        if (error < 0) return error;
        src += RELEASE_GIL_MIN;
        len -= RELEASE_GIL_MIN;
        Py_BEGIN_ALLOW_THREADS
        Py_END_ALLOW_THREADS
        /* Nothing to raise: this thread is in no extension. */
        if (hooks_wait(&protocol->hooks) < 0) return FASTWS_ERR_STATE;
    }
    return fastws_conn_write(protocol->conn, src, len);
}

/* ---- Memory ---- */

int protocol_idle(struct protocol *protocol) {
    if (hooks_wait(&protocol->hooks) < 0) return -1;
    fastws_conn_idle(protocol->conn);
    return 0;
}

PyObject *protocol_compression(const struct protocol *protocol) {
    struct fastws_deflate_params agreed;
    if (!protocol->compression || !fastws_conn_get_deflate(protocol->conn, &agreed)) Py_RETURN_NONE;
    if (protocol->compression->has_agreed) return Py_NewRef((PyObject *)protocol->compression);
    return deflate_with(protocol->compression, &agreed);
}

PyObject *protocol_compression_held(const struct protocol *protocol) {
    return PyLong_FromSize_t(fastws_conn_deflate_held(protocol->conn));
}

/* Numbers in the order of fastws.deflate.Stats. */
static PyObject *deflate_stats(PyObject *module, PyObject *Py_UNUSED(ignored)) {
    struct fastws_deflate_stats stats;
    fastws_pool_get_deflate_stats(pool_of(get_state(module)), &stats);
    return Py_BuildValue("(KKKKKKKK)", (unsigned long long)stats.held, (unsigned long long)stats.free,
                         (unsigned long long)stats.compressors, (unsigned long long)stats.inflaters,
                         (unsigned long long)stats.tails, (unsigned long long)stats.windows,
                         (unsigned long long)stats.variants, (unsigned long long)stats.streams_made);
}

static PyObject *deflate_trim(PyObject *module, PyObject *Py_UNUSED(ignored)) {
    fastws_pool_trim(pool_of(get_state(module)));
    Py_RETURN_NONE;
}

/* Functions that fastws/deflate.py dresses up. */
PyMethodDef pool_functions[] = {
    {"deflate_stats", deflate_stats, METH_NOARGS, NULL},
    {"deflate_trim", deflate_trim, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
