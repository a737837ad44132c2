/* SPDX-License-Identifier: MIT */
/* Memory in a fuzzer: an allocator that counts what is live, and payloads that were taken and must never be written
 * again. */
#ifndef FWS_TESTS_KEPT_PAYLOADS_H
#define FWS_TESTS_KEPT_PAYLOADS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/allocator.h>
#include <fastws/conn.h>

/* ---- What is live ---- */

static void *allocate(void *context, size_t size) {
    size_t *live = context;
    *live += size;
    return malloc(size);
}

static void *resize(void *context, void *ptr, size_t old_size, size_t new_size) {
    size_t *live = context;
    *live += new_size - old_size;
    return realloc(ptr, new_size);
}

static void release(void *context, void *ptr, size_t size) {
    size_t *live = context;
    *live -= size;
    free(ptr);
}

/* ---- What was taken ---- */

enum { KEPT_MAX = 6 };

struct kept {
    struct fastws_taken taken[KEPT_MAX];
    uint64_t sums[KEPT_MAX]; /* of their bytes, when they were taken */
    size_t next;             /* the one that has been kept longest */
};

/* FNV-1a by words: a fuzzer traces every comparison, and so every step of a loop. */
static inline uint64_t sum_of(const struct fastws_taken *taken) {
    uint64_t sum = 14695981039346656037u, word = 0;
    size_t i = 0;
    for (; taken->len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, taken->ptr + i, sizeof word);
        sum = (sum ^ word) * 1099511628211u;
    }
    word = 0;
    if (taken->len > i) memcpy(&word, taken->ptr + i, taken->len - i);
    return (sum ^ word) * 1099511628211u;
}

/* Gives back the payload that has been kept longest. Returns 0 if somebody wrote to it. */
static inline int give_back_oldest(struct kept *kept) {
    struct fastws_taken *oldest = &kept->taken[kept->next];
    int is_same = !oldest->allocator || sum_of(oldest) == kept->sums[kept->next];
    if (oldest->allocator) fastws_taken_release(oldest);
    return is_same;
}

/* Keeps a payload instead of the oldest one. Returns as give_back_oldest() does. */
static inline int keep(struct kept *kept, const struct fastws_taken *taken) {
    int is_same = give_back_oldest(kept);
    kept->taken[kept->next] = *taken;
    kept->sums[kept->next] = sum_of(taken);
    kept->next = (kept->next + 1) % KEPT_MAX;
    return is_same;
}

static inline int give_back_all(struct kept *kept) {
    int is_same = 1;
    for (int i = 0; i < KEPT_MAX; i++) {
        is_same &= give_back_oldest(kept);
        kept->next = (kept->next + 1) % KEPT_MAX;
    }
    return is_same;
}

static inline size_t kept_len(const struct kept *kept) {
    size_t len = 0;
    for (int i = 0; i < KEPT_MAX; i++) len += kept->taken[i].cap;
    return len;
}

#endif
