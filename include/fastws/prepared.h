/* SPDX-License-Identifier: MIT */
/* A message framed once and sent to many connections: a broadcast copies its payload once, not once for each peer.
 *
 *     fastws_prepared_new(NULL, FASTWS_OPCODE_TEXT, payload, len, &prepared);
 *     for (size_t i = 0; i < count; i++)
 *         fastws_conn_send_prepared(conns[i], prepared);
 *     fastws_prepared_release(prepared);
 *
 * Compression. Connections that agreed on permessage-deflate send a compressed form of it that refers to no other
 * message. It is made for the first connection with its settings, and shared by all others.
 *
 * Threads. A prepared message never changes for those who hold it, and its references are counted atomically: any
 * thread may send it on its own connections, retain and release it. */
#ifndef FASTWS_PREPARED_H
#define FASTWS_PREPARED_H

#include <stddef.h>

#include <fastws/allocator.h>
#include <fastws/export.h>

FASTWS_BEGIN_DECLS

struct fastws_prepared;

/* Makes a prepared message with one reference, the caller's.
 *   allocator      for all that it needs; NULL: malloc(). The last release gives it back, on whichever thread that is.
 *                  A connection that compresses takes memory of it on its own thread, once for each set of settings
 *                  (window bits, level, memory level, strategy) that the message is sent with
 *   opcode         FASTWS_OPCODE_TEXT or FASTWS_OPCODE_BINARY, and FASTWS_SEND_* (deflate.h)
 *   payload, len   copied. Text must be UTF-8: that is the caller's to know
 *   out            written only on success
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT   another opcode, or payload is NULL and len is not 0
 *   FASTWS_ERR_NOMEM      the allocator returned NULL */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(5) int fastws_prepared_new(const struct fastws_allocator *allocator,
                                                                      int opcode, const void *payload, size_t len,
                                                                      struct fastws_prepared **out);

/* Adds a reference, and returns prepared. Thread-safe. */
FASTWS_API FASTWS_NONNULL(1) struct fastws_prepared *fastws_prepared_retain(struct fastws_prepared *prepared);

/* Gives a reference back. The message is freed with the last one: that may be a connection's, which holds one from
 * fastws_conn_send_prepared() until the bytes are sent. NULL is allowed. Thread-safe. */
FASTWS_API void fastws_prepared_release(struct fastws_prepared *prepared);

/* Returns the opcode that it was made with, without FASTWS_SEND_*. Thread-safe. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_prepared_opcode(const struct fastws_prepared *prepared);

/* Returns the payload, which lives as long as the message. Never NULL. Thread-safe.
 *   len   set to its bytes */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) const void *fastws_prepared_payload(
    const struct fastws_prepared *prepared, size_t *len);

FASTWS_END_DECLS

#endif
