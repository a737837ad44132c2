/* SPDX-License-Identifier: MIT */
/* The position in a masked payload that CipherReader and CipherWriter keep. RFC 6455 5.3. */
#ifndef FASTWS_PY_CIPHER_H
#define FASTWS_PY_CIPHER_H

#include "args.h"

#include <fastws/mask.h>

struct cipher {
    uint8_t key[4];
    uint64_t offset; /* of the next byte in its payload */
};

/* Reads key and offset, which may be NULL. Returns 0, or -1 with an exception: then cipher is as it was. */
static inline int cipher_start(struct cipher *cipher, PyObject *key, PyObject *offset) {
    struct cipher started = {.offset = 0};
    if (arg_key(key, "key", started.key) < 0) return -1;
    if (offset && arg_unsigned(offset, "offset", UINT64_MAX, &started.offset) < 0) return -1;
    *cipher = started;
    return 0;
}

/* Masks or unmasks from the current position on, and leaves that to the caller to move. */
static inline void cipher_apply(const struct cipher *cipher, void *dst, const void *src, Py_ssize_t len) {
    if (len < RELEASE_GIL_MIN) {
        fastws_mask(dst, src, (size_t)len, cipher->key, cipher->offset);
        return;
    }
    struct cipher copy = *cipher;
    Py_BEGIN_ALLOW_THREADS
    fastws_mask(dst, src, (size_t)len, copy.key, copy.offset);
    Py_END_ALLOW_THREADS
}

#endif
