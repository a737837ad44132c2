/* SPDX-License-Identifier: MIT */
/* Random bytes from the operating system, stretched by ChaCha20, forgotten once used and after a fork. */
#define _DEFAULT_SOURCE /* getentropy() is POSIX since 2024 only */
#define _DARWIN_C_SOURCE
#define _FILE_OFFSET_BITS 64 /* fstat() fails where an inode or a time needs more bits than struct stat has */
#define _TIME_BITS 64
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__has_include)
#  if __has_include(<sys/random.h>)
#    include <sys/random.h> /* getrandom(), and on some systems getentropy() */
#  endif
#endif

#include <fastws/error.h>

#include "../simd/kernels.h"

atomic_uint fws_random_generation;

void fastws_random_discard(void) { atomic_fetch_add_explicit(&fws_random_generation, 1, memory_order_relaxed); }

/* Reads len bytes from an open device. */
static int read_all(int fd, uint8_t *dst, size_t len) {
    while (len > 0) {
        ssize_t n = read(fd, dst, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return FASTWS_ERR_RANDOM;
        dst += n;
        len -= (size_t)n;
    }
    return 0;
}

int fws_random_device(void *dst, size_t len) {
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return FASTWS_ERR_RANDOM;
    struct stat status;
    /* A chroot may hold a plain file of that name: anything but a device would repeat itself. */
    int is_device = fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
    int result = is_device ? read_all(fd, dst, len) : FASTWS_ERR_RANDOM;
    close(fd);
    return result;
}

#if defined(GRND_NONBLOCK) /* the system has getrandom(): any length, and on newer ones no system call */
/* Draws up to len bytes. Returns how many, or -1 with errno. */
static ssize_t draw(uint8_t *dst, size_t len) { return getrandom(dst, len, 0); }
#else
static ssize_t draw(uint8_t *dst, size_t len) {
    size_t n = len < 256 ? len : 256; /* getentropy() gives no more at once */
    return getentropy(dst, n) == 0 ? (ssize_t)n : -1;
}
#endif

int fws_random_system(void *dst, size_t len) {
    uint8_t *p = dst;
    while (len > 0) {
        ssize_t n = draw(p, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fws_random_device(p, len);
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

_Static_assert(FWS_RANDOM_KEY_LEN == FWS_CHACHA_KEY_LEN, "a seed begins with a key");
_Static_assert(FWS_RANDOM_SEED_LEN == FWS_CHACHA_KEY_LEN + FWS_CHACHA_NONCE_LEN, "and ends with a nonce");
_Static_assert(FWS_RANDOM_BUFFER % FWS_CHACHA_BLOCK_LEN == 0, "a batch is whole blocks");

void fws_random_init(struct fws_random *random, const struct fastws_random *source) {
    memset(random, 0, sizeof *random);
    random->source = source;
    random->kernels = fws_kernels_active();
}

/* Draws a new seed for the generation given. Nothing is left of the old one, even if there is none. */
static int reseed(struct fws_random *random, unsigned now) {
    random->batches = 0;
    memset(random->buffer, 0, sizeof random->buffer);
    int result = fws_random_system(random->seed, sizeof random->seed);
    if (result < 0) {
        memset(random->seed, 0, sizeof random->seed);
        return result;
    }
    random->generation = now;
    random->batches = FWS_RANDOM_BATCHES;
    return 0;
}

/* Fills the buffer for the generation given. */
static int refill(struct fws_random *random, unsigned now) {
    random->left = 0;
    if (random->batches == 0 || random->generation != now) TRY(reseed(random, now));
    random->kernels->chacha(random->buffer, sizeof random->buffer / FWS_CHACHA_BLOCK_LEN, random->seed, 0,
                            random->seed + FWS_RANDOM_KEY_LEN);
    memcpy(random->seed, random->buffer, FWS_RANDOM_KEY_LEN);
    memset(random->buffer, 0, FWS_RANDOM_KEY_LEN);
    random->batches--;
    random->left = sizeof random->buffer - FWS_RANDOM_KEY_LEN;
    return 0;
}

int fws_random_fill(struct fws_random *random, void *dst, size_t len) {
    if (len == 0) return 0;
    if (random->source != NULL) return random->source->fill(random->source->context, dst, len);
    if (len > sizeof random->buffer - FWS_RANDOM_KEY_LEN) return fws_random_system(dst, len);
    unsigned now = atomic_load_explicit(&fws_random_generation, memory_order_relaxed);
    if (random->left < len || random->generation != now) TRY(refill(random, now));
    uint8_t *next = random->buffer + sizeof random->buffer - random->left;
    memcpy(dst, next, len);
    memset(next, 0, len); /* who reads the buffer later must not find keys that were used */
    random->left -= (unsigned)len;
    return 0;
}
