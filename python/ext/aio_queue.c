/* SPDX-License-Identifier: MIT */
/* Messages that came and that nobody has taken: a ring that grows, and that is gone when it is empty. */
#include "aio.h"

#define CAP_KEPT 8 /* an empty ring of so many items stays */

static int grow(struct aio_queue *queue) {
    Py_ssize_t cap = queue->cap ? 2 * queue->cap : 4;
    struct aio_item *items = PyMem_New(struct aio_item, (size_t)cap);
    if (!items) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < queue->count; i++) items[i] = *aio_queue_at(queue, i);
    PyMem_Free(queue->items);
    queue->items = items;
    queue->cap = cap;
    queue->head = 0;
    return 0;
}

/* Takes over the reference of the item. Returns 0, or -1 with an exception. */
int aio_queue_push(struct aio_queue *queue, struct aio_item item) {
    if (queue->count == queue->cap && grow(queue) < 0) {
        Py_DECREF(item.data);
        return -1;
    }
    queue->items[(queue->head + queue->count++) & (queue->cap - 1)] = item;
    return 0;
}

struct aio_item aio_queue_pop(struct aio_queue *queue) {
    struct aio_item item = queue->items[queue->head];
    queue->head = (queue->head + 1) & (queue->cap - 1);
    if (--queue->count == 0 && queue->cap > CAP_KEPT) {
        PyMem_Free(queue->items);
        *queue = (struct aio_queue){0};
    }
    return item;
}

const struct aio_item *aio_queue_at(const struct aio_queue *queue, Py_ssize_t i) {
    return &queue->items[(queue->head + i) & (queue->cap - 1)];
}

void aio_queue_clear(struct aio_queue *queue) {
    while (queue->count) {
        struct aio_item item = aio_queue_pop(queue);
        Py_DECREF(item.data);
    }
    PyMem_Free(queue->items);
    *queue = (struct aio_queue){0};
}
