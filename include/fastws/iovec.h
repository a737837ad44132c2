/* SPDX-License-Identifier: MIT */
/* A piece of memory to write, laid out as POSIX struct iovec, without its system header. */
#ifndef FASTWS_IOVEC_H
#define FASTWS_IOVEC_H

#include <stddef.h>

struct fastws_iovec {
    const void *base;
    size_t len; /* bytes */
};

#endif
