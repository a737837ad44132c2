/* SPDX-License-Identifier: MIT */
/* The pool that all connections of an interpreter share. */
#include "errors.h"
#include "payload.h"
#include "protocol.h"

#define POOL_NAME "fastws.pool"

/* As in the event loop of the library: a message of 64 KiB, or 64 of 1 KiB, fit a slab together with their headers, and
 * the echo of one slab fits the write buffer. */
enum { SLAB_LEN = 68 * 1024, CORK_LEN = SLAB_LEN };

static void pool_destroy(PyObject *capsule) {
    fastws_pool_free(PyCapsule_GetPointer(capsule, POOL_NAME));
}

PyObject *pool_new(void) {
    struct fastws_pool_config config;
    struct fastws_pool *pool;
    fastws_pool_config_init(&config);
    config.slab_len = SLAB_LEN;
    config.cork_len = CORK_LEN;
    config.payload_allocator = &payload_allocator;
    int error = fastws_pool_new(&config, &pool);
    if (error == FASTWS_ERR_NOMEM) return PyErr_NoMemory();
    if (error < 0) return error_raise_value(error);
    PyObject *capsule = PyCapsule_New(pool, POOL_NAME, pool_destroy);
    if (!capsule) fastws_pool_free(pool);
    return capsule;
}

struct fastws_pool *pool_of(const struct state *state) { return PyCapsule_GetPointer(state->pool, POOL_NAME); }
