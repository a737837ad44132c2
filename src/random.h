/* SPDX-License-Identifier: MIT */
/* Random bytes in bulk: one buffer for each object that draws many small pieces (masking keys, nonces). */
#ifndef FWS_RANDOM_H
#define FWS_RANDOM_H

#include <fastws/random.h>

#include "platform.h"

/* Bytes drawn at once: the system call itself costs as much as a hundred of them. */
#define FWS_RANDOM_BUFFER 1024

/* Belongs to one thread at a time. No pointers into itself: may be moved, but never copied and then both used. */
struct fws_random {
    const struct fastws_random *source; /* NULL: the operating system */
    unsigned generation;                /* of fastws_random_discard(), when buffer was filled */
    unsigned left;                      /* bytes not used yet: the last ones of buffer */
    uint8_t buffer[FWS_RANDOM_BUFFER];
};

/* Makes an empty buffer. source may be NULL; otherwise it must outlive random. */
FWS_PRIVATE void fws_random_init(struct fws_random *random, const struct fastws_random *source);

/* Writes len unpredictable bytes to dst. Returns 0, FASTWS_ERR_RANDOM, or the error of the source in place;
 * after a failure dst holds nothing of use. len may be 0. */
FWS_PRIVATE FASTWS_NODISCARD int fws_random_fill(struct fws_random *random, void *dst, size_t len);

/* Writes len bytes from the operating system to dst, with no buffer between. Returns 0 or FASTWS_ERR_RANDOM. */
FWS_PRIVATE FASTWS_NODISCARD int fws_random_system(void *dst, size_t len);

/* Like fws_random_system(), but reads the device that kernels without the system call have. */
FWS_PRIVATE FASTWS_NODISCARD int fws_random_device(void *dst, size_t len);

#endif
