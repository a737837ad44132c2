/* SPDX-License-Identifier: MIT */
/* Random bytes in bulk: one generator for each object that draws many small pieces (masking keys, nonces).
 *
 * The operating system gives a seed, ChaCha20 makes a batch of it. The first bytes of a batch are the key of the next
 * one, and overwrite the key that made it ("fast key erasure"): who reads the memory of a generator learns nothing of
 * what it gave before. After FWS_RANDOM_BATCHES batches, or a fork, the operating system is asked again. Measured on
 * Zen 4, 4 bytes of the operating system take 57 cycles, however many are drawn at once; here 6 with AVX-512, 7 with
 * AVX2, 30 without vectors (bench/bench_random.cpp). */
#ifndef FWS_RANDOM_H
#define FWS_RANDOM_H

#include <stdatomic.h>

#include <fastws/random.h>

#include "platform.h"

struct fws_kernels;

#define FWS_RANDOM_KEY_LEN 32
#define FWS_RANDOM_SEED_LEN 44 /* key, nonce */
#define FWS_RANDOM_BUFFER 1024 /* a batch: what the widest kernel makes at once */
#define FWS_RANDOM_BATCHES 64  /* of one seed */

/* Belongs to one thread at a time. No pointers into itself: may be moved, but never copied and then both used. */
struct fws_random {
    const struct fastws_random *source; /* NULL: the operating system */
    const struct fws_kernels *kernels;
    unsigned generation;                /* of fastws_random_discard(), when seed was drawn */
    unsigned batches;                   /* that may still be made of seed */
    unsigned left;                      /* bytes not used yet: the last ones of buffer */
    uint8_t seed[FWS_RANDOM_SEED_LEN];
    uint8_t buffer[FWS_RANDOM_BUFFER];
};

/* Calls of fastws_random_discard(). The one mutable object of the core: a fork handler has no way to find those that
 * hold random bytes. */
FWS_PRIVATE extern atomic_uint fws_random_generation;

/* Makes an empty generator. source may be NULL; otherwise it must outlive random. */
FWS_PRIVATE void fws_random_init(struct fws_random *random, const struct fastws_random *source);

/* Writes len unpredictable bytes to dst. Returns 0, FASTWS_ERR_RANDOM, or the error of the source in place;
 * after a failure dst holds nothing of use. len may be 0. */
FWS_PRIVATE FASTWS_NODISCARD int fws_random_fill(struct fws_random *random, void *dst, size_t len);

/* Writes len bytes from the operating system to dst, with no buffer between. Returns 0 or FASTWS_ERR_RANDOM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_random_system(void *dst, size_t len);

/* Like fws_random_system(), but reads the device that kernels without the system call have. */
FWS_PRIVATE FASTWS_NODISCARD int fws_random_device(void *dst, size_t len);

/* Draws a masking key out of the batch. Returns 1, or 0 for fws_random_fill() to be called instead: a new batch is due,
 * or there is a source in place. */
static FWS_ALWAYS_INLINE int fws_random_draw_key(struct fws_random *random, uint32_t *key) {
    unsigned left = random->left;
    unsigned now = atomic_load_explicit(&fws_random_generation, memory_order_relaxed);
    if (FWS_UNLIKELY(left < sizeof *key || random->generation != now)) return 0;
    uint8_t *next = random->buffer + sizeof random->buffer - left;
    *key = fws_load_u32(next);
    fws_store_u32(next, 0);
    random->left = left - (unsigned)sizeof *key;
    return 1;
}

#endif
