/* SPDX-License-Identifier: MIT */
/* Masking: the XOR that a client applies to every payload it sends. RFC 6455 5.3. */
#ifndef FASTWS_MASK_H
#define FASTWS_MASK_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/export.h>

FASTWS_BEGIN_DECLS

/* Masks or unmasks len bytes: dst[i] = src[i] ^ key[(offset + i) % 4]. The same call does both.
 *   dst, src   any alignment. dst == src works in place; dst < src may overlap; with dst > src they must not
 *              overlap. May be NULL if len is 0
 *   key        the four bytes of the frame header, in wire order
 *   offset     where src[0] lies in the payload of its frame: 0, or for the next piece the sum of the lengths before
 * Reads and writes exactly len bytes. Cannot fail.
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NONNULL(4) void fastws_mask(void *dst, const void *src, size_t len, const uint8_t key[4],
                                              uint64_t offset);

FASTWS_END_DECLS

#endif
