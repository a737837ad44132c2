/* SPDX-License-Identifier: MIT */
/* What a connection hands to its user: a fixed struct with a view of the bytes it speaks of. */
#ifndef FASTWS_EVENT_H
#define FASTWS_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/export.h>

FASTWS_BEGIN_DECLS

enum fastws_event_kind {
    FASTWS_EVENT_NONE = 0,
    FASTWS_EVENT_MESSAGE = 1, /* a whole text or binary message */
    FASTWS_EVENT_CHUNK = 2,   /* a part of a message (fastws_conn_set_delivery). Text may end inside a character */
    FASTWS_EVENT_PING = 3,    /* the pong is queued already, unless the configuration says otherwise */
    FASTWS_EVENT_PONG = 4,
    FASTWS_EVENT_CLOSE = 5,   /* the peer's close frame; the answer is queued. Nothing follows it */
    FASTWS_EVENT_ERROR = 6    /* the connection failed; a close frame is queued where one may be sent. The last event */
};

/* How messages are handed out. Control frames are handed out where they come in every way, also inside of a message.
 * Limits, header rules and the check of text are the same for all of them. */
enum fastws_delivery {
    FASTWS_DELIVER_MESSAGES = 0,  /* a MESSAGE event for each message, its fragments joined in one piece */
    FASTWS_DELIVER_FRAGMENTS = 1, /* a CHUNK event for each frame, with its whole payload, be it empty */
    FASTWS_DELIVER_STREAM = 2     /* CHUNK events as payload arrives: at least one for each frame, the first of them as
                                     soon as the header is there, even before any payload is. Nothing is gathered, so
                                     a message may be larger than memory: set limits.max_message and max_frame to 0 */
};

/* Flags of an event. */
#define FASTWS_EVENT_FIRST (1u << 0)      /* first part of its message; always set on a whole one */
#define FASTWS_EVENT_LAST (1u << 1)       /* last part of its message; always set on a whole one */
#define FASTWS_EVENT_ASCII (1u << 2)      /* text known to hold bytes below 0x80 only; not set says nothing */
#define FASTWS_EVENT_COMPRESSED (1u << 3) /* the message came compressed (RFC 7692); ptr is the inflated payload */
#define FASTWS_EVENT_FRAME (1u << 4)      /* chunk: first part of its frame, which has len + remaining bytes */
#define FASTWS_EVENT_FIN (1u << 5)        /* chunk: of the frame that ends its message. RFC 6455 5.4 */

/* Where an error is. Every error event says it in stream_offset: bytes of the peer before it, since the connection was
 * made, however they were received; fastws_conn_offset() returns the same number from then on.
 *
 *   FASTWS_ERR_UTF8         the byte that cannot stand where it does; where a message ends inside a character, one
 *                           past its last byte
 *   FASTWS_ERR_CLOSE_UTF8   the same, in the reason of a close frame
 *   other rules of a frame, limits, extensions
 *                           the first byte of the frame that was refused: 0 if it is the first one
 *   what is wrong with a compressed message (RFC 7692): FASTWS_ERR_DEFLATE_*, FASTWS_ERR_INFLATED_*, and of what it
 *   inflates to, no byte of which has a place in the stream, FASTWS_ERR_UTF8 and FASTWS_ERR_MESSAGE_TOO_LARGE
 *                           the first byte of the frame with which it went wrong
 *   all other errors (time, memory, the end of the stream)
 *                           what had been taken apart
 *
 * The first two count in the text as well, in error_offset: bytes of the message (of all its frames, unmasked and
 * inflated), or of the reason. It is 0 for all other errors. */
struct fastws_event {
    const uint8_t *ptr;    /* payload, unmasked: of a message, a ping, a pong; of a close event the reason. Never NULL
                              unless len is 0. A view: conn.h says how long it lives */
    uint64_t len;          /* bytes at ptr */
    uint8_t kind;          /* enum fastws_event_kind */
    uint8_t opcode;        /* enum fastws_opcode: text or binary for messages and all of their chunks, else that of the
                              frame, 0 for errors */
    uint16_t flags;        /* FASTWS_EVENT_* */
    uint16_t close_code;   /* close: the code received, 1005 if the frame was empty (RFC 6455 7.1.5);
                              error: the code that the peer is told, 1006 where it is told nothing; else 0 */
    uint8_t rsv;           /* FASTWS_RSV1 | ... as received: of the first frame of a message, of the frame of a chunk */
    uint8_t reserved;      /* 0 */
    int32_t error;         /* error: an enum fastws_error; else 0 */
    uint32_t reserved2;    /* 0 */
    union {
        uint64_t remaining;     /* chunk: bytes of the frame that have not been handed out yet; else 0. Of a compressed
                                   message bytes that have not been inflated, at least 1 while more of the frame is to
                                   come */
        uint64_t stream_offset; /* error: where in the peer's stream of bytes, see below */
    };
    uint64_t error_offset; /* error: where in a text, see below; else 0 */
};

FASTWS_END_DECLS

#endif
