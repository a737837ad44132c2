/* SPDX-License-Identifier: MIT */
/* Close codes, and the body of a close frame: a code and a reason. RFC 6455 5.5.1 and 7.4.
 *
 * The body is empty, or two bytes of close code in network byte order and up to 123 bytes of reason in UTF-8. No
 * function of this header keeps state, allocates or blocks, so all of them are thread-safe. */
#ifndef FASTWS_CLOSE_H
#define FASTWS_CLOSE_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/error.h>
#include <fastws/export.h>

FASTWS_BEGIN_DECLS

#define FASTWS_CLOSE_REASON_MAX 123 /* bytes of reason: a control frame of 125 less the code */

/* Close codes that a standard names: RFC 6455 7.4.1, and for 1012-1014 the WebSocket Close Code Number Registry of
 * IANA. 1005, 1006 and 1015 are for reporting only and never stand in a frame; 1004 has no meaning yet. */
enum fastws_close_code {
    FASTWS_CLOSE_NORMAL_CLOSURE = 1000,
    FASTWS_CLOSE_GOING_AWAY = 1001, /* server stops, or the page was left */
    FASTWS_CLOSE_PROTOCOL_ERROR = 1002,
    FASTWS_CLOSE_UNSUPPORTED_DATA = 1003, /* a kind of message that the receiver does not take */
    FASTWS_CLOSE_NO_MEANING_YET = 1004,
    FASTWS_CLOSE_NO_STATUS_RCVD = 1005,       /* the close frame held no code */
    FASTWS_CLOSE_ABNORMAL_CLOSURE = 1006,     /* there was no close frame */
    FASTWS_CLOSE_INVALID_PAYLOAD_DATA = 1007, /* text that is not UTF-8, for one */
    FASTWS_CLOSE_POLICY_VIOLATION = 1008,
    FASTWS_CLOSE_MESSAGE_TOO_BIG = 1009,
    FASTWS_CLOSE_MANDATORY_EXTENSION = 1010, /* sent by a client only */
    FASTWS_CLOSE_INTERNAL_ERROR = 1011,
    FASTWS_CLOSE_SERVICE_RESTART = 1012,
    FASTWS_CLOSE_TRY_AGAIN_LATER = 1013,
    FASTWS_CLOSE_BAD_GATEWAY = 1014,
    FASTWS_CLOSE_TLS_HANDSHAKE = 1015
};

/* The ranges of RFC 6455 7.4.2, both ends included. 5000 and above are in none. */
#define FASTWS_CLOSE_NOT_USED_MIN 0
#define FASTWS_CLOSE_NOT_USED_MAX 999
#define FASTWS_CLOSE_PROTOCOL_MIN 1000 /* standards: RFC 6455, its extensions and its future versions */
#define FASTWS_CLOSE_PROTOCOL_MAX 2999
#define FASTWS_CLOSE_APPLICATION_MIN 3000 /* libraries, frameworks and applications that register with IANA */
#define FASTWS_CLOSE_APPLICATION_MAX 3999
#define FASTWS_CLOSE_PRIVATE_MIN 4000 /* applications, by agreement between themselves */
#define FASTWS_CLOSE_PRIVATE_MAX 4999

/* Returns 1 if min <= code <= max, 0 if not. */
FASTWS_API FASTWS_NODISCARD int fastws_close_is_in(uint16_t code, uint16_t min, uint16_t max);

/* Return 1 if code is in the range that the name says, 0 if not. */
FASTWS_API FASTWS_NODISCARD int fastws_close_is_not_used(uint16_t code);
FASTWS_API FASTWS_NODISCARD int fastws_close_is_protocol(uint16_t code);
FASTWS_API FASTWS_NODISCARD int fastws_close_is_application(uint16_t code);
FASTWS_API FASTWS_NODISCARD int fastws_close_is_private(uint16_t code);

/* Returns 1 if a standard gave code a meaning (1000-1003 and 1005-1015), 0 if not. */
FASTWS_API FASTWS_NODISCARD int fastws_close_is_protocol_defined(uint16_t code);

/* Returns 1 if code must not stand in a close frame (1005, 1006 and 1015), 0 if not. */
FASTWS_API FASTWS_NODISCARD int fastws_close_is_protocol_reserved(uint16_t code);

/* Judges a code and a reason as they stand in a close frame, received or to be sent.
 *   reason, len   the reason in bytes; NULL and 0 for none. A limit on len is not asked here
 * Returns 0 for 1000-1003, 1007-1014 and 3000-4999 with a reason that is UTF-8, or
 *   FASTWS_ERR_CLOSE_CODE_UNUSED     code 0-999. RFC 6455 7.4.2
 *   FASTWS_ERR_CLOSE_CODE_RESERVED   code 1005, 1006 or 1015. RFC 6455 7.4.1
 *   FASTWS_ERR_CLOSE_CODE_MEANING    code 1004. RFC 6455 7.4.1
 *   FASTWS_ERR_CLOSE_CODE_UNKNOWN    code 1016-2999. RFC 6455 7.4.2
 *   FASTWS_ERR_CLOSE_CODE_RANGE      code 5000-65535. RFC 6455 7.4.2
 *   FASTWS_ERR_CLOSE_UTF8            the reason is not UTF-8. RFC 6455 5.5.1 */
FASTWS_API FASTWS_NODISCARD int fastws_close_check(uint16_t code, const void *reason, size_t len);

/* Reads the body of a close frame that was received, already unmasked. RFC 6455 5.5.1.
 *   body, len    the payload; body may be NULL when len is 0
 *   code         the close code; FASTWS_CLOSE_NO_STATUS_RCVD for an empty body (RFC 6455 7.1.5)
 *   reason       points into body, behind the code: lives as long as body does. Equal to body when that is empty
 *   reason_len   bytes of it, at most FASTWS_CLOSE_REASON_MAX
 * The three outputs are written only on success. Returns 0, an error of fastws_close_check(), or
 *   FASTWS_ERR_CLOSE_LEN     body of one byte
 *   FASTWS_ERR_CONTROL_LEN   body of more than 125 bytes */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(3, 4, 5) int fastws_close_parse(const void *body, size_t len, uint16_t *code,
                                                                           const uint8_t **reason, size_t *reason_len);

/* Writes the body of a close frame: the code, and as much of the reason as fits into 123 bytes without cutting a
 * UTF-8 sequence.
 *   dst, cap      room for the body; 125 bytes are always enough. Nothing is written on failure
 *   code          FASTWS_CLOSE_NO_STATUS_RCVD with an empty reason writes an empty body; any other code must be one
 *                 that fastws_close_check() accepts
 *   reason, len   UTF-8 of any length, wholly valid even where it is cut off; NULL and 0 for none
 * dst and reason must not overlap. Returns the bytes written (0 or 2..125), an error of fastws_close_check(), or
 *   FASTWS_ERR_BUFFER_SIZE   cap is less than the body takes */
FASTWS_API FASTWS_NODISCARD int fastws_close_write(void *dst, size_t cap, uint16_t code, const void *reason,
                                                   size_t len);

FASTWS_END_DECLS

#endif
