/* SPDX-License-Identifier: MIT */
/* Whole frames in memory: build, mask, compile into bytes, parse back. RFC 6455 section 5.
 *
 * For programs that work with frames themselves. A connection (conn.h) does all of this, with no copies, for messages.
 * No function of this header keeps state, allocates or blocks, so all of them are thread-safe for different frames. */
#ifndef FASTWS_FRAME_H
#define FASTWS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/error.h>
#include <fastws/export.h>
#include <fastws/header.h>

FASTWS_BEGIN_DECLS

/* A header, and a view of the payload that it speaks of: header.length bytes, masked if header.masked says so. The
 * bytes belong to whoever made the frame and must live as long as the frame is used. May be copied; a frame that no
 * function below would build may be put together by hand. */
struct fastws_frame {
    struct fastws_header header;
    const uint8_t *payload; /* may be NULL when header.length is 0 */
};

/* Makes a frame that is not masked and has no RSV bit set.
 *   out            written only on success
 *   opcode         any of enum fastws_opcode
 *   fin            0: more frames of the message follow; else this is the last
 *   payload, len   kept as a view. Text is not checked for UTF-8 here: fastws_utf8_is_valid() does
 * Returns 0, or
 *   FASTWS_ERR_OPCODE_RESERVED      opcode is none of enum fastws_opcode. RFC 6455 5.2
 *   FASTWS_ERR_CONTROL_LEN          control frame of more than 125 bytes. RFC 6455 5.5
 *   FASTWS_ERR_CONTROL_FRAGMENTED   control frame without fin. RFC 6455 5.5
 *   FASTWS_ERR_ARGUMENT             payload is NULL and len is not 0 */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_init(struct fastws_frame *out, unsigned opcode, int fin,
                                                                    const void *payload, size_t len);

/* Like fastws_frame_init(), but with the opcode that the name says, and fin. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_text(struct fastws_frame *out, const void *payload,
                                                                    size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_binary(struct fastws_frame *out, const void *payload,
                                                                      size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_ping(struct fastws_frame *out, const void *payload,
                                                                    size_t len);
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_pong(struct fastws_frame *out, const void *payload,
                                                                    size_t len);

/* Like fastws_frame_ping(), but for a close frame. The body is what fastws_close_write() wrote, or empty; one that
 * fastws_close_parse() refuses is refused here, with the same error. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_close(struct fastws_frame *out, const void *body,
                                                                     size_t len);

/* Draws a new masking key: 4 bytes from the operating system's generator, in one system call. RFC 6455 5.3.
 * Returns 0, or FASTWS_ERR_RANDOM: then key holds nothing of use. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_new_key(uint8_t key[4]);

/* Masks the payload into dst and makes frame a view of it. RFC 6455 5.3.
 *   frame      is not masked yet; unchanged on failure
 *   dst, cap   room for the payload: frame->payload itself masks in place; any other must lie before it or not overlap
 *              it. The payload stays as it was unless dst covers it
 *   key        4 bytes, or NULL for a new key from the operating system
 * Returns 0, or
 *   FASTWS_ERR_STATE         frame is masked already: masking it twice would send bytes that no peer can read
 *   FASTWS_ERR_ARGUMENT      payload is NULL and header.length is not 0
 *   FASTWS_ERR_BUFFER_SIZE   cap is less than header.length
 *   FASTWS_ERR_RANDOM        key is NULL, and no random bytes could be had */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_mask(struct fastws_frame *frame, void *dst, size_t cap,
                                                                    const uint8_t *key);

/* Unmasks the payload into dst and makes frame a view of it, not masked. Like fastws_frame_mask(), but a frame that is
 * not masked is copied as it is, so that the receiver of either role may call this for every frame.
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT      payload is NULL and header.length is not 0
 *   FASTWS_ERR_BUFFER_SIZE   cap is less than header.length */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_frame_unmask(struct fastws_frame *frame, void *dst,
                                                                      size_t cap);

/* Returns the bytes of header and payload on the wire, at most 2^63 + 13; 0 if header.length is over 2^63 - 1. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) uint64_t fastws_frame_size(const struct fastws_frame *frame);

/* Writes header and payload to dst as they are: a frame that is not masked is not masked here either. The bytes can be
 * sent to any number of peers.
 *   dst, cap   room for fastws_frame_size() bytes, not overlapping the payload. Nothing is written on failure
 * Returns the bytes written, or
 *   FASTWS_ERR_ARGUMENT      what fastws_header_write() refuses, or payload is NULL and header.length is not 0
 *   FASTWS_ERR_BUFFER_SIZE   cap is less than fastws_frame_size() */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(3) ptrdiff_t
    fastws_frame_compile(void *dst, size_t cap, const struct fastws_frame *frame);

/* Parses one whole frame from the start of src, and leaves its payload where it lies, masked or not.
 *   out        written only on success. Its payload points into src and lives as long as that does
 *   src, len   bytes available, at most PTRDIFF_MAX
 * Returns the bytes of the frame, header and payload, or
 *   FASTWS_NEED_MORE   the frame needs more bytes than len. fastws_header_parse() on the same bytes says how many, and
 *                      whether to wait for them: a peer may declare up to 2^63 - 1
 *   FASTWS_ERR_LEN_FORM, FASTWS_ERR_LEN_MSB   as fastws_header_parse()
 * Judge the header with fastws_header_check(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) ptrdiff_t
    fastws_frame_parse(struct fastws_frame *out, const void *src, size_t len);

/* Returns the bytes of a control frame without payload, not masked: for servers to send as they are. Static memory.
 *   opcode   FASTWS_OPCODE_PING, _PONG or _CLOSE; NULL is returned for any other
 *   len      set to the bytes of it, 0 with NULL */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(2) const uint8_t *fastws_frame_compiled_empty(unsigned opcode, size_t *len);

/* Like fastws_frame_compiled_empty(), but a close frame with this code and no reason.
 *   code     1000-1003 or 1007-1014; NULL is returned for any other */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(2) const uint8_t *fastws_frame_compiled_close(uint16_t code, size_t *len);

FASTWS_END_DECLS

#endif
