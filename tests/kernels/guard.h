/* SPDX-License-Identifier: MIT */
/* Buffers between two pages that nobody may touch: a read or write of one byte too many ends the test. */
#ifndef FWS_TESTS_GUARD_H
#define FWS_TESTS_GUARD_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static inline size_t guard_page_len(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static inline size_t guard_round_up(size_t len) {
    size_t page = guard_page_len();
    return (len + page - 1) / page * page;
}

/* Maps the pages of a buffer and a guard page on either side. Returns the first byte after the first guard. /dev/zero
 * where MAP_ANONYMOUS is not POSIX. */
static inline uint8_t *guard_map(size_t len) {
    size_t page = guard_page_len(), total = guard_round_up(len) + 2 * page;
    int zero = open("/dev/zero", O_RDWR);
    if (zero < 0) abort();
    uint8_t *base = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    if (base == MAP_FAILED || close(zero) != 0) abort();
    if (mprotect(base, page, PROT_NONE) != 0 || mprotect(base + total - page, page, PROT_NONE) != 0) abort();
    return base + page;
}

/* Returns len bytes of zeros that begin right after a guard page. */
static inline uint8_t *guard_alloc_start(size_t len) { return guard_map(len); }

/* Returns len bytes of zeros that end right before a guard page. */
static inline uint8_t *guard_alloc_end(size_t len) { return guard_map(len) + (guard_round_up(len) - len); }

/* Takes back what guard_alloc_start() or guard_alloc_end() returned for the same len. */
static inline void guard_free(uint8_t *ptr, size_t len) {
    size_t page = guard_page_len();
    uint8_t *first = ptr - (uintptr_t)ptr % page;
    if (munmap(first - page, guard_round_up(len) + 2 * page) != 0) abort();
}

#endif
