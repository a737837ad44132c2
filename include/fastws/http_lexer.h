/* SPDX-License-Identifier: MIT */
/* The items that header values are made of, one after the other: for values whose grammar is none of those that http.h,
 * options.h and cookies.h know. RFC 9110 5.6. */
#ifndef FASTWS_HTTP_LEXER_H
#define FASTWS_HTTP_LEXER_H

#include <stddef.h>

#include <fastws/export.h>
#include <fastws/http.h>

FASTWS_BEGIN_DECLS

/* What a byte can be. RFC 9110 5.6, RFC 5234 B.1. */
#define FASTWS_OCTET_CHAR (1u << 0)      /* below 0x80 */
#define FASTWS_OCTET_CONTROL (1u << 1)   /* below 0x20, the tab too, and 0x7f */
#define FASTWS_OCTET_SPACE (1u << 2)     /* space or tab */
#define FASTWS_OCTET_SEPARATOR (1u << 3) /* ( ) < > @ , ; : \ " / [ ] ? = { } and the spaces */
#define FASTWS_OCTET_TOKEN (1u << 4)     /* tchar */

/* Returns the FASTWS_OCTET_* bits of a byte, 0..255. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD unsigned fastws_http_octet(unsigned char byte);

/* Kinds of items. */
#define FASTWS_HTTP_ITEM_TOKEN 1     /* 1*tchar */
#define FASTWS_HTTP_ITEM_SEPARATOR 2 /* one byte, which begins neither a string nor a comment */
#define FASTWS_HTTP_ITEM_STRING 3    /* a quoted string: text is what stands between the quotes */
#define FASTWS_HTTP_ITEM_COMMENT 4   /* a comment: text is what stands between the parentheses, others inside it too */
#define FASTWS_HTTP_ITEM_OCTET 5     /* one byte that is none of these: 0x80 and up */

struct fastws_http_item {
    int kind;
    struct fastws_slice text;
    int has_escapes; /* 1: text of a string or comment holds backslashes: fastws_http_unescape() */
};

/* Takes the next item; spaces and tabs in front of it are passed over.
 *   item  written only when 1 is returned; points into rest
 *   rest  what is left, moved behind the item, not moved on an error. What comes next is rest->ptr[0]
 * Returns 1, 0 when nothing is left, or
 *   FASTWS_ERR_HTTP_HEADER_VALUE  a string or a comment that does not end, or a control byte
 * Comments may be nested to any depth: that is counted, not recursed. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_http_next_item(struct fastws_http_item *item,
                                                                           struct fastws_slice *rest);

/* Takes the bytes in front of the next one that equals byte, or all if there is none. rest begins with that byte then,
 * or is empty. Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) struct fastws_slice fastws_http_take_until(struct fastws_slice *rest,
                                                                                         char byte);

/* Writes text without the backslashes that escape: each stands for the byte behind it; a last one for itself.
 *   dst  cap bytes; text.len are enough. May be text.ptr itself
 * Returns how many bytes were written, or
 *   FASTWS_ERR_BUFFER_SIZE  they do not fit, or are more than INT_MAX; some were written
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_http_unescape(char *dst, size_t cap, struct fastws_slice text);

FASTWS_END_DECLS

#endif
