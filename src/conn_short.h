/* SPDX-License-Identifier: MIT */
/* The short way of a small message of a server: header and payload behind what is queued, inline where it is sent. */
#ifndef FWS_CONN_SHORT_H
#define FWS_CONN_SHORT_H

#include "conn.h"

/* FIN, no RSV bit, opcode | MASK, a length of 7 or 16 bits. RFC 6455 5.2. */
static FWS_ALWAYS_INLINE uint8_t *fws_write_short_header(uint8_t *dst, unsigned opcode, unsigned mask_bit, size_t len) {
    dst[0] = (uint8_t)(0x80u | opcode);
    if (FWS_LIKELY(len < 126)) {
        dst[1] = (uint8_t)(mask_bit | len);
        return dst + 2;
    }
    dst[1] = (uint8_t)(mask_bit | 126u);
    fws_store_be16(dst + 2, (uint16_t)len);
    return dst + 4;
}

/* memcpy() for payloads that are mostly short: for those the call takes as long as all the rest of a send. Pieces of 16
 * bytes stay in registers; the first and the last ones overlap. */
static FWS_ALWAYS_INLINE void fws_copy_short(uint8_t *dst, const uint8_t *src, size_t len) {
    uint8_t first[16], second[16], last_but_one[16], last[16];
    if (FWS_LIKELY(len - 32 <= 32)) {
        memcpy(first, src, 16);
        memcpy(second, src + 16, 16);
        memcpy(last_but_one, src + len - 32, 16);
        memcpy(last, src + len - 16, 16);
        memcpy(dst, first, 16);
        memcpy(dst + 16, second, 16);
        memcpy(dst + len - 32, last_but_one, 16);
        memcpy(dst + len - 16, last, 16);
    } else if (len - 16 < 16) {
        memcpy(first, src, 16);
        memcpy(last, src + len - 16, 16);
        memcpy(dst, first, 16);
        memcpy(dst + len - 16, last, 16);
    } else if (len > 0) {
        memcpy(dst, src, len);
    }
}

/* Queues a message the short way, which makes no connection full. Returns 1, or 0 if it has to go the long way. */
static FWS_ALWAYS_INLINE int fws_conn_queue_short(struct fastws_conn *conn, unsigned opcode, const void *payload,
                                                  size_t len) {
    uint8_t *dst = fws_writer_lengthen(&conn->writer, (len < 126 ? 2u : 4u) + len, conn->short_lines);
    if (FWS_UNLIKELY(!dst)) return 0;
    fws_copy_short(fws_write_short_header(dst, opcode, 0, len), payload, len);
    return 1;
}

/* Says whether a message may go the short way: text or binary, no flag, and small. */
static FWS_ALWAYS_INLINE int fws_is_short_message(int opcode, size_t len) {
    int is_data = (unsigned)opcode - FASTWS_OPCODE_TEXT <= FASTWS_OPCODE_BINARY - FASTWS_OPCODE_TEXT;
    return is_data && len < FWS_BORROW_MIN;
}

#endif
