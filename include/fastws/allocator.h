/* SPDX-License-Identifier: MIT */
/* Where the memory of an object comes from: each object that allocates takes one of these. */
#ifndef FASTWS_ALLOCATOR_H
#define FASTWS_ALLOCATOR_H

#include <stddef.h>

#include <fastws/export.h>

FASTWS_BEGIN_DECLS

/* Three functions and the context that they are called with. Sizes are in bytes and never 0.
 * Memory must be aligned as malloc() aligns it.
 *
 *   allocate   returns size bytes, or NULL
 *   resize     returns memory that holds the first min(old_size, new_size) bytes of ptr, or NULL:
 *              then ptr stays valid as it was
 *   release    takes back what allocate or resize returned; size is what was last asked for
 *
 * The struct is used by pointer: it must outlive every object that was given it. The functions are
 * called on the thread that uses the object. NULL in place of a struct means malloc(), realloc()
 * and free(). */
struct fastws_allocator {
    void *(*allocate)(void *context, size_t size);
    void *(*resize)(void *context, void *ptr, size_t old_size, size_t new_size);
    void (*release)(void *context, void *ptr, size_t size);
    void *context;
};

FASTWS_END_DECLS

#endif
