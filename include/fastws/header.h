/* SPDX-License-Identifier: MIT */
/* The header of a frame: its fields, its bytes, and the rules that it must keep. RFC 6455 section 5.
 *
 *      0 1 2 3 4 5 6 7   0 1 2 3 4 5 6 7
 *     +-+-+-+-+-------+ +-+-------------+ +--------------------+ +-----------+
 *     |F|R|R|R| opcode| |M|    length   | |   longer length    | |  masking  |
 *     |I|S|S|S|  (4)  | |A|     (7)     | | 0, 2 or 8 bytes,   | |    key    |
 *     |N|V|V|V|       | |S|             | | network byte order | | 0 or 4    |
 *     | |1|2|3|       | |K|             | |                    | | bytes     |
 *     +-+-+-+-+-------+ +-+-------------+ +--------------------+ +-----------+
 *
 * Reading is cut in two. fastws_header_parse() turns bytes into fields and judges only what decides where the
 * header ends: the form of the length. fastws_header_check() judges the fields, knowing who received them.
 * No function of this header keeps state, allocates or blocks, so all of them are thread-safe. */
#ifndef FASTWS_HEADER_H
#define FASTWS_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/error.h>
#include <fastws/export.h>

FASTWS_BEGIN_DECLS

#define FASTWS_HEADER_MIN 2    /* bytes of the shortest header */
#define FASTWS_HEADER_MAX 14   /* bytes of the longest header: 2, a length of 8, a key of 4 */
#define FASTWS_CONTROL_MAX 125 /* bytes of payload that a control frame may carry. RFC 6455 5.5 */

/* What a frame is. 0x3-0x7 and 0xb-0xf are reserved. RFC 6455 5.2 and 11.8. */
enum fastws_opcode {
    FASTWS_OPCODE_CONTINUATION = 0x0,
    FASTWS_OPCODE_TEXT = 0x1,
    FASTWS_OPCODE_BINARY = 0x2,
    FASTWS_OPCODE_CLOSE = 0x8,
    FASTWS_OPCODE_PING = 0x9,
    FASTWS_OPCODE_PONG = 0xa
};

/* The bits of fastws_header.rsv: the three reserved bits as one number, RSV1 highest as on the wire. */
#define FASTWS_RSV1 (1u << 2)
#define FASTWS_RSV2 (1u << 1)
#define FASTWS_RSV3 (1u << 0)

/* The state of the end that receives a frame, as fastws_header_check() is told: any of these bits. */
#define FASTWS_STATE_SERVER (1u << 0)     /* I am the server: frames must be masked */
#define FASTWS_STATE_CLIENT (1u << 1)     /* I am the client: frames must not be masked */
#define FASTWS_STATE_EXTENDED (1u << 2)   /* permessage-deflate was agreed: it claims RSV1. RFC 7692 section 6 */
#define FASTWS_STATE_FRAGMENTED (1u << 3) /* a message has begun and its last fragment has not arrived */
#define FASTWS_STATE_RSV2 (1u << 4)       /* another extension claims RSV2 */
#define FASTWS_STATE_RSV3 (1u << 5)       /* another extension claims RSV3 */

/* The fields of a header. 16 bytes; may be copied and compared field by field. */
struct fastws_header {
    uint64_t length; /* bytes of payload, at most 2^63 - 1 */
    uint8_t key[4];  /* masking key in wire order; zero when the frame is not masked */
    uint8_t opcode;  /* enum fastws_opcode, or a reserved opcode as received: 0-15 */
    uint8_t rsv;     /* FASTWS_RSV1 | FASTWS_RSV2 | FASTWS_RSV3: 0-7 */
    uint8_t fin;     /* 1: the last frame of its message; 0: more follow. Any value but 0 is written as 1 */
    uint8_t masked;  /* 1: payload is masked with key; 0: it is not. Any value but 0 is written as 1 */
};

/* Parses one frame header from the start of src. RFC 6455 5.2.
 *   out        written only on success. key is zero when the frame is not masked
 *   src, len   bytes available; reads at most 14, fewer when the header is shorter, never more than len
 * Returns the header length in bytes (2..14), or
 *   FASTWS_NEED_MORE       the header needs more bytes than len
 *   FASTWS_ERR_LEN_FORM    length not in its shortest form: 126 followed by less than 126, or 127 followed by less
 *                          than 65536
 *   FASTWS_ERR_LEN_MSB     127 followed by a length of 2^63 or more
 * An error is returned as soon as the bytes that prove it are there, before the rest of the header is.
 * Opcode, RSV, FIN and MASK are taken as they are: judge them with fastws_header_check(). */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_header_parse(struct fastws_header *out, const void *src,
                                                                      size_t len);

/* Writes a frame header to dst, its length in the shortest form. RFC 6455 5.2.
 *   dst, cap   room for the header; FASTWS_HEADER_MAX is enough for every one. Nothing is written on failure
 *   header     any opcode of 0-15, reserved or not; key is not looked at when masked is 0
 * Returns the bytes written (2..14, as fastws_header_size() says), or
 *   FASTWS_ERR_ARGUMENT      length over 2^63 - 1, opcode over 15 or rsv over 7
 *   FASTWS_ERR_BUFFER_SIZE   cap is less than the header needs */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(3) int fastws_header_write(void *dst, size_t cap,
                                                                      const struct fastws_header *header);

/* Returns the bytes that the header takes on the wire (2, 4 or 10, and 4 more when it is masked), or
 *   FASTWS_ERR_ARGUMENT      length over 2^63 - 1 */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_header_size(const struct fastws_header *header);

/* Judges a header that was received. The rules are asked in the order below; the first that is broken is the result.
 *   state      FASTWS_STATE_* bits of the end that received it. With neither SERVER nor CLIENT no rule about masks
 *              is asked
 * Returns 0, or
 *   FASTWS_ERR_OPCODE_RESERVED           opcode is none of enum fastws_opcode. RFC 6455 5.2
 *   FASTWS_ERR_CONTROL_LEN               control frame of more than 125 bytes. RFC 6455 5.5
 *   FASTWS_ERR_CONTROL_FRAGMENTED        control frame without FIN. RFC 6455 5.5
 *   FASTWS_ERR_RSV                       RSV bit that nobody claimed. RFC 6455 5.2. EXTENDED claims RSV1 on text and
 *                                        binary frames only: on control and continuation frames it never passes
 *                                        (RFC 7692 6.1). RSV2 and RSV3 of the state claim theirs on every frame
 *   FASTWS_ERR_MASK_REQUIRED             SERVER, and the frame is not masked. RFC 6455 5.1
 *   FASTWS_ERR_MASK_UNEXPECTED           CLIENT, and the frame is masked. RFC 6455 5.1
 *   FASTWS_ERR_CONTINUATION_EXPECTED     FRAGMENTED, and a text or binary frame arrives. RFC 6455 5.4
 *   FASTWS_ERR_CONTINUATION_UNEXPECTED   not FRAGMENTED, and a continuation frame arrives. RFC 6455 5.4 */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_header_check(const struct fastws_header *header,
                                                                      unsigned state);

/* Returns 1 if opcode is one of a control frame (bit 3 set), 0 if not. Reserved opcodes 0xb-0xf count as control
 * frames: RFC 6455 5.2 keeps them for such. */
FASTWS_API FASTWS_NODISCARD int fastws_opcode_is_control(unsigned opcode);

/* Returns 1 if opcode is one of a data frame (bit 3 clear), 0 if not. Continuation and the reserved opcodes 0x3-0x7
 * count as data frames. */
FASTWS_API FASTWS_NODISCARD int fastws_opcode_is_data(unsigned opcode);

/* Returns 1 if opcode is 0x3-0x7 or 0xb-0xf, 0 if not. Numbers above 0xf cannot come off the wire: 0. */
FASTWS_API FASTWS_NODISCARD int fastws_opcode_is_reserved(unsigned opcode);

/* Returns the value for fastws_header.rsv: each argument that is not 0 sets its bit. */
FASTWS_API FASTWS_NODISCARD uint8_t fastws_rsv_pack(int rsv1, int rsv2, int rsv3);

/* Stores 1 or 0 for each bit of rsv. Bits above FASTWS_RSV1 are ignored. */
FASTWS_API FASTWS_NONNULL(2, 3, 4) void fastws_rsv_unpack(uint8_t rsv, int *rsv1, int *rsv2, int *rsv3);

FASTWS_END_DECLS

#endif
