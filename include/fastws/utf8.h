/* SPDX-License-Identifier: MIT */
/* Checking that text is UTF-8, in one piece or as it arrives. RFC 6455 8.1, RFC 3629.
 *
 * Refused are stray and missing continuation bytes, overlong forms, surrogates (U+D800 to U+DFFF), everything past
 * U+10FFFF, and text that ends inside a character. */
#ifndef FASTWS_UTF8_H
#define FASTWS_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/export.h>

FASTWS_BEGIN_DECLS

/* A check in progress, in the caller's memory. All zero is the start of a text: FASTWS_UTF8_INIT, memset() or
 * fastws_utf8_init(). To be used on one thread at a time; may be copied. The members are private. */
struct fastws_utf8 {
    uint64_t accepted;  /* bytes taken before the first bad one */
    uint32_t dfa;       /* what the open character still needs */
    uint32_t non_ascii; /* 0 while all bytes were below 0x80 */
    int32_t error;      /* 0, or FASTWS_ERR_UTF8 */
    uint32_t reserved;  /* 0 */
};
#define FASTWS_UTF8_INIT {0, 0, 0, 0, 0}

/* Goes back to the start of a text. */
FASTWS_API FASTWS_NONNULL(1) void fastws_utf8_init(struct fastws_utf8 *utf8);

/* Checks the next len bytes of the text. A character may be cut anywhere.
 *   src   may be NULL if len is 0
 * Returns 0, or
 *   FASTWS_ERR_UTF8   no text begins with what was seen (closes 1007): reported with the first such byte, not later,
 *                     and by every call from then on
 * Thread-safe for different checks. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_utf8_update(struct fastws_utf8 *utf8, const void *src,
                                                                     size_t len);

/* Says whether the text may end here. Changes nothing: more may follow.
 * Returns 0, or
 *   FASTWS_ERR_UTF8   the text was bad before, or a character is unfinished (closes 1007)
 * Thread-safe for different checks. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_utf8_finish(const struct fastws_utf8 *utf8);

/* Returns where the text went wrong: the offset, from its start, of the first byte that cannot stand where it
 * stands. For a text that ends inside a character that is the length of the text, where the next byte of the
 * character is missing. While nothing is wrong: the number of bytes checked so far.
 * Thread-safe for different checks. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_utf8_error_offset(const struct fastws_utf8 *utf8);

/* Returns 1 if all bytes so far were below 0x80, also when there were none; else 0. After an error: 0.
 * Thread-safe for different checks. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_utf8_is_ascii(const struct fastws_utf8 *utf8);

/* Returns 1 if the len bytes at src are a whole valid text, the empty one included; else 0.
 *   src   may be NULL if len is 0
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_utf8_is_valid(const void *src, size_t len);

FASTWS_END_DECLS

#endif
