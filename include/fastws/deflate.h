/* SPDX-License-Identifier: MIT */
/* Compressed messages: permessage-deflate, negotiated, compressed, inflated. RFC 7692.
 *
 * Three pieces that stand alone:
 *
 *     fastws_deflate_accept(), _offer(), _confirm()     what both ends agree on, from and to the text of the header
 *     fastws_deflate_compress(), _inflate()             messages of one connection, in pieces or whole
 *     fastws_deflate_compress_frame(), _variant()       frames in memory, and messages that go to many
 *
 * Memory. A connection holds nothing before its first compressed message. What compresses and inflates (a *stream*) is
 * borrowed from a pool, one for each thread or event loop. Who keeps what between messages is the mode's choice:
 *
 *     FASTWS_DEFLATE_TAKEOVER      a stream for each direction: the best ratio, the most memory
 *     FASTWS_DEFLATE_TAIL          the last bytes that were sent: near that ratio, at 1 KiB a connection
 *     FASTWS_DEFLATE_NO_TAKEOVER   nothing: each message stands alone
 *
 * A library that was built without zlib has all of this: it declines every offer, makes none, and whatever would need
 * a stream returns FASTWS_ERR_DEFLATE_UNAVAILABLE.
 *
 * Threads. A pool and every object made from it serve one thread at a time. Functions without either are thread-safe
 * and never allocate. */
#ifndef FASTWS_DEFLATE_H
#define FASTWS_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/allocator.h>
#include <fastws/deflate_params.h>
#include <fastws/export.h>
#include <fastws/frame.h>
#include <fastws/header.h>
#include <fastws/http.h>
#include <fastws/utf8.h>

FASTWS_BEGIN_DECLS

/* Returns 1 if the library was built with zlib or zlib-ng, else 0. */
FASTWS_API FASTWS_NODISCARD int fastws_deflate_is_available(void);

/* ---- Negotiation, of the parameters in deflate_params.h. RFC 7692 sections 5 and 7.1 ---- */

/* How own messages are compressed. */
enum fastws_deflate_mode {
    FASTWS_DEFLATE_TAKEOVER = 1,
    FASTWS_DEFLATE_TAIL = 2,
    FASTWS_DEFLATE_NO_TAKEOVER = 3
};

/* What one end wants and allows. Fill it with fastws_deflate_config_init(), then change what differs. Shared: it must
 * outlive every connection that uses it and must not change meanwhile. "Own" messages are those that this end sends,
 * whichever role it has. The values of zlib are those of its deflateInit2(). */
struct fastws_deflate_config {
    size_t size;                    /* sizeof(struct fastws_deflate_config) of the caller's header */
    uint8_t mode;                   /* enum fastws_deflate_mode */
    uint8_t is_peer_takeover;       /* 1: the peer may keep its context, for which this end holds a window of the peer's
                                       size and a stream of about 7 KiB (zlib-ng: 42 KiB for both, whatever the size); 1
                                       with TAKEOVER. 0: a server answers client_no_context_takeover, a client offers
                                       server_no_context_takeover; 0 else */
    uint8_t window_bits;            /* of own messages, at most: 8..15; 12 with TAKEOVER, 15 else */
    uint8_t peer_window_bits;       /* of the peer's, at most: 8..15; 15. A server asks for it where the offer lets it,
                                       a client in its offer, which some servers decline. zlib cannot compress with
                                       8 by itself: peers may refuse that in offer and answer */
    uint8_t is_peer_bits_required;  /* 1: a server declines an offer that does not let it limit the client's window to
                                       peer_window_bits; 0 */
    uint8_t is_any_bits_offered;    /* 1: a client offers client_max_window_bits; 1. 0: for servers that choke on it */
    uint8_t level;                  /* 0..9; 1. Level 6 takes about twice the time for a tenth less on JSON */
    uint8_t memory_level;           /* 1..9; 5 with TAKEOVER, 8 else. A stream of own messages takes
                                       2^(window_bits + 2) + 2^(memory_level + 9) bytes and about 6 KiB; of zlib-ng
                                       about 128 KiB more */
    uint8_t strategy;               /* 0..4: default, filtered, Huffman only, run lengths, fixed codes; 0 */
    uint8_t is_binary_skipped;      /* 1: fastws_deflate_wants() leaves binary messages alone; 0 */
    uint16_t tail_len;              /* bytes of own plaintext that TAIL keeps: 256..32768; 1024 */
    size_t threshold;               /* bytes below which fastws_deflate_wants() leaves a message alone; 64 */
    uint64_t max_inflated;          /* bytes that a peer's message may inflate to, inclusive; 16 MiB. 0: no limit */
    uint32_t max_ratio;             /* inflated bytes for each compressed byte, at every byte of a message behind its
                                       first 64 KiB; 0: no limit. DEFLATE itself reaches 1032 */
};

/* Sets every field to its default for one mode. */
FASTWS_API FASTWS_NONNULL(1) void fastws_deflate_config_init(struct fastws_deflate_config *config,
                                                             enum fastws_deflate_mode mode);

/* Accepts the first offer that this server can keep, and declines those before it: unknown parameters, repeated ones
 * and bad values fail an offer, not the handshake. Other extensions are passed over. RFC 7692 section 5 and 7.1.
 *   agreed   written only when 1 is returned: the answer, for fastws_deflate_params_write()
 *   offers   the value of one Sec-WebSocket-Extensions line. Of several lines, take the first that returns 1
 * Returns 1, 0 when every offer was declined, or
 *   FASTWS_ERR_ARGUMENT               a field of config is outside its range
 *   FASTWS_ERR_HANDSHAKE_EXTENSIONS   the line is no list of options, fastws_option_next(); offers before the
 *                                     fault are not accepted either */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_deflate_accept(struct fastws_deflate_params *agreed,
                                                                           const struct fastws_deflate_config *config,
                                                                           struct fastws_slice offers);

/* Makes the offer of a client, for fastws_deflate_params_write().
 * Returns 0, FASTWS_ERR_ARGUMENT as above, or FASTWS_ERR_DEFLATE_UNAVAILABLE. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_deflate_offer(struct fastws_deflate_params *offer,
                                                                          const struct fastws_deflate_config *config);

/* Judges the answer of a server to offers that a client made. The client must fail the connection on an error.
 *   agreed          written only when 1 is returned: what both ends keep to. Where the server answered less than the
 *                   client had hinted at, the client's own promise stands
 *   offers, count   the offers that were sent; the answer must be legal for one of them, the first is taken
 *   answer          the value of one Sec-WebSocket-Extensions line
 * An answer that leaves out server_no_context_takeover though it was offered is taken: this end then holds a window,
 * which fastws_deflate_stats counts apart.
 * Returns 1, 0 when the server did not name the extension, or
 *   FASTWS_ERR_HANDSHAKE_EXTENSIONS   the line is no list of options
 *   FASTWS_ERR_DEFLATE_PARAM, _VALUE, _REPEATED   as fastws_deflate_params_parse(); _REPEATED also for two answers
 *   FASTWS_ERR_DEFLATE_ANSWER         client_max_window_bits that was not offered, or server_max_window_bits missing
 *                                     or larger than offered. RFC 7692 7.1.2; also when count is 0 */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int
fastws_deflate_confirm(struct fastws_deflate_params *agreed, const struct fastws_deflate_params *offers, int count,
                       struct fastws_slice answer);

/* ---- Pools ---- */

struct fastws_deflate_pool;

/* Makes a pool of streams.
 *   allocator   for everything that the pool and its connections hold, zlib's memory included; NULL: malloc()
 *   keep        free streams of each direction that wait for reuse; 4 is enough for connections without takeover. More
 *               go back to the allocator
 *   out         written only on success; the caller frees it with fastws_deflate_pool_free()
 * Returns 0, or FASTWS_ERR_NOMEM. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(3) int fastws_deflate_pool_new(const struct fastws_allocator *allocator,
                                                                          unsigned keep,
                                                                          struct fastws_deflate_pool **out);

/* Frees the pool. Every object made from it must have been freed before. NULL is allowed. */
FASTWS_API void fastws_deflate_pool_free(struct fastws_deflate_pool *pool);

/* Gives the free streams back to the allocator: for a loop that has nothing to do. */
FASTWS_API FASTWS_NONNULL(1) void fastws_deflate_pool_trim(struct fastws_deflate_pool *pool);

/* Where the memory is, in bytes as they were asked for from the allocator. held is all of it but the pool and the
 * connections' own structs: free + compressors + inflaters + tails + windows + variants. */
struct fastws_deflate_stats {
    uint64_t streams_made; /* streams ever taken from the allocator, of both directions */
    size_t held;
    size_t free;        /* streams that wait for reuse */
    size_t compressors; /* streams that connections compress with: between messages only with TAKEOVER */
    size_t inflaters;   /* streams that connections inflate with: between messages only for peers with takeover */
    size_t tails;       /* ends of what was sent */
    size_t windows;     /* windows of peers with takeover that fastws_deflate_idle() took out of their streams */
    size_t variants;    /* messages compressed by fastws_deflate_variant() */
};
FASTWS_API FASTWS_NONNULL(1, 2) void fastws_deflate_pool_get_stats(const struct fastws_deflate_pool *pool,
                                                                   struct fastws_deflate_stats *out);

/* ---- The compression of one connection ---- */

struct fastws_deflate;

/* May be added to the opcode of a message to send, against the policy of fastws_deflate_wants(); without
 * compression they mean nothing. */
#define FASTWS_SEND_PLAIN (1 << 8)      /* not compressed: what is compressed already, or secret beside chosen text */
#define FASTWS_SEND_COMPRESSED (1 << 9) /* compressed, however short; PLAIN wins */

/* Returns the bytes that one takes; memory for fastws_deflate_init() must be aligned as malloc() aligns it. */
FASTWS_API FASTWS_NODISCARD size_t fastws_deflate_sizeof(void);

/* Starts the compression of a connection in caller memory of fastws_deflate_sizeof() bytes.
 *   memory   stays the caller's; call fastws_deflate_free() before it goes
 *   config   shared, see struct fastws_deflate_config
 *   role     FASTWS_STATE_SERVER or FASTWS_STATE_CLIENT: which end this is; enum fastws_role has the same numbers
 *   agreed   what accept or confirm wrote; copied
 *   pool     must outlive the object
 * Returns 0, or
 *   FASTWS_ERR_ARGUMENT              a field of config or agreed, or role, is outside its range
 *   FASTWS_ERR_DEFLATE_UNAVAILABLE   built without zlib
 * Never allocates: that is left to the first compressed message of each direction. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 4, 5) int
fastws_deflate_init(void *memory, const struct fastws_deflate_config *config, unsigned role,
                    const struct fastws_deflate_params *agreed, struct fastws_deflate_pool *pool);

/* Like fastws_deflate_init(), but in memory of the pool's allocator, which fastws_deflate_free() gives back.
 * Returns also FASTWS_ERR_NOMEM; out is written only on success. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 3, 4, 5) int
fastws_deflate_new(const struct fastws_deflate_config *config, unsigned role,
                   const struct fastws_deflate_params *agreed, struct fastws_deflate_pool *pool,
                   struct fastws_deflate **out);

/* Gives everything back. NULL is allowed. */
FASTWS_API void fastws_deflate_free(struct fastws_deflate *deflate);

/* Returns the bytes that the connection holds now, its struct left out: streams, tail and window. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) size_t fastws_deflate_held(const struct fastws_deflate *deflate);

/* Gives the streams of a connection that has been silent back to the pool. The end of what was sent is kept as with
 * TAIL, so that the next message still compresses well; the window of a peer with takeover is kept without the rest of
 * its stream. Does nothing for a direction that is inside a message, nor where memory for what is kept is lacking. */
FASTWS_API FASTWS_NONNULL(1) void fastws_deflate_idle(struct fastws_deflate *deflate);

/* Where output goes: bytes are appended at ptr + len. All zero is an empty one that grows by malloc(). */
struct fastws_deflate_buffer {
    uint8_t *ptr; /* NULL while cap is 0 */
    size_t len;   /* bytes written */
    size_t cap;
    const struct fastws_allocator *allocator; /* grows ptr, NULL: malloc(). Not used while is_fixed */
    int is_fixed;                             /* 1: ptr is the caller's and stays: what does not fit is an error */
};

/* Gives the memory back, unless it is the caller's, and empties the buffer. */
FASTWS_API FASTWS_NONNULL(1) void fastws_deflate_buffer_free(struct fastws_deflate_buffer *buffer);

/* ---- Own messages ---- */

/* Returns 1 if the policy of the configuration compresses a message, 0 if not: control frames, messages shorter than
 * threshold, and binary ones if is_binary_skipped. Only advice: a message may be compressed or not as one likes.
 *   len   of the whole message; SIZE_MAX if it is not known */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_deflate_wants(const struct fastws_deflate *deflate,
                                                                       unsigned opcode, size_t len);

/* What a piece of an own message is. */
enum fastws_deflate_flush {
    FASTWS_DEFLATE_MORE = 0,  /* more follows: output may be held back */
    FASTWS_DEFLATE_FLUSH = 1, /* more follows, and the peer can inflate all of this: the end of a fragment */
    FASTWS_DEFLATE_END = 2    /* the end of the message */
};

/* Compresses the next piece of an own message. The first piece after END begins a message, whose first frame is to
 * carry RSV1; output may be cut into frames anywhere. RFC 7692 7.2.1.
 *   src, len   the piece; src may be NULL if len is 0. An empty message is one END without bytes: its output is 0x00
 *   out        the output is appended: fastws_deflate_bound() bytes are always room enough for a whole message
 * The output must be sent, whole and before anything else that is compressed, or fastws_deflate_forget() be called.
 * Returns 0, or, the message being dropped as by fastws_deflate_forget(),
 *   FASTWS_ERR_NOMEM         the allocator returned NULL
 *   FASTWS_ERR_BUFFER_SIZE   out is fixed and too small
 * Allocates nothing once the pool is warm, with the tail of the connection and out as large as they get. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 5) int
fastws_deflate_compress(struct fastws_deflate *deflate, const void *src, size_t len, enum fastws_deflate_flush flush,
                        struct fastws_deflate_buffer *out);

/* Returns the most bytes that a message of len bytes can take on the way, given to one call:
 * len + (len >> 3) + (len >> 6) + 64. */
FASTWS_API FASTWS_NODISCARD size_t fastws_deflate_bound(size_t len);

/* Forgets what own messages were: the next one refers to none of them, which is always legal. Drops the message that is
 * being compressed. For output that was not sent after all. */
FASTWS_API FASTWS_NONNULL(1) void fastws_deflate_forget(struct fastws_deflate *deflate);

/* ---- The peer's messages ---- */

/* What fastws_deflate_inflate() asks for next. */
#define FASTWS_DEFLATE_NEED_INPUT 0 /* all of src was taken; dst may hold output */
#define FASTWS_DEFLATE_NEED_ROOM 1  /* dst is full: call again, with what is left of src and more room */
#define FASTWS_DEFLATE_DONE 2       /* the message is complete; the next call begins another */

/* Input and output of one step; both are moved on. */
struct fastws_deflate_step {
    const uint8_t *src; /* unmasked payload of the message's frames, in order */
    size_t src_len;
    uint8_t *dst; /* may be NULL if dst_len is 0 */
    size_t dst_len;
};

/* Inflates the next bytes of a compressed message of the peer. RFC 7692 7.2.2.
 *   is_last   1: src ends with the end of the message
 * Blocks with BFINAL set are taken, and what follows them in the message. RFC 7692 7.2.3.4.
 * Returns one of the three above, or, the object then being stopped: every later call returns the same,
 *   FASTWS_ERR_NOMEM                the allocator returned NULL
 *   FASTWS_ERR_DEFLATE_DATA         not DEFLATE, or it refers to bytes that are gone (closes 1007). What the same
 *                                   call wrote is not gone yet, even if it is past a window that was agreed smaller
 *   FASTWS_ERR_DEFLATE_TRUNCATED    the message ends inside a block (closes 1007)
 *   FASTWS_ERR_INFLATED_TOO_LARGE   more than max_inflated bytes (closes 1009): never are more written
 *   FASTWS_ERR_INFLATED_RATIO       more than 64 KiB, and more than max_ratio bytes for each compressed byte up to
 *                                   there (closes 1009): never are more written
 * Which error, and behind which byte of output, is the same however the message is cut. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_deflate_inflate(struct fastws_deflate *deflate,
                                                                            struct fastws_deflate_step *step,
                                                                            int is_last);

/* Like fastws_deflate_inflate(), but takes all of src and appends all that it gives to out. A growing out never gets
 * more than twice the inflated bytes and 4 KiB.
 *   utf8   not NULL: the message is text, and its check goes on here; at the end it must be whole
 * Returns FASTWS_DEFLATE_DONE if is_last, else FASTWS_DEFLATE_NEED_INPUT, or also
 *   FASTWS_ERR_UTF8          with the first bad byte (closes 1007); fastws_utf8_error_offset() says where
 *   FASTWS_ERR_BUFFER_SIZE   out is fixed and too small
 * On an error out holds what was inflated before it. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 5) int
fastws_deflate_decompress(struct fastws_deflate *deflate, const void *src, size_t len, int is_last,
                          struct fastws_deflate_buffer *out, struct fastws_utf8 *utf8);

/* ---- Frames. RFC 7692 section 6 ---- */

/* Which message of one direction is compressed. All zero: none is open. Each direction has its own. */
struct fastws_deflate_state {
    uint8_t is_open;       /* a message has begun and its last frame has not come */
    uint8_t is_compressed; /* the message that is open, or was last, has RSV1 on its first frame */
};

/* Takes RSV1 off the header of a frame that was received, and remembers it for the message.
 * Returns 1 if the frame belongs to a compressed message, 0 if not or if it is a control frame, or
 *   FASTWS_ERR_RSV                       RSV1 on a control or continuation frame (closes 1002)
 *   FASTWS_ERR_CONTINUATION_EXPECTED, FASTWS_ERR_CONTINUATION_UNEXPECTED   frames out of order. RFC 6455 5.4
 * RSV2 and RSV3 are left for fastws_header_check(). On an error nothing changes. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_deflate_state_receive(struct fastws_deflate_state *state,
                                                                                  struct fastws_header *header);

/* Sets RSV1 on the header of a frame to send if it is the first of a message and state->is_compressed, which the caller
 * sets before it. Returns as fastws_deflate_state_receive(); FASTWS_ERR_RSV for a frame that has RSV1 already. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int fastws_deflate_state_send(struct fastws_deflate_state *state,
                                                                               struct fastws_header *header);

/* Compresses a frame to send. Frames of a message come in order; control frames may come between them and are left as
 * they are.
 *   frame    not masked, RSV1 not set. On success the first frame of a message has RSV1, and the payload is a view of
 *            buffer, which lives until that changes; unchanged on failure
 *   buffer   emptied first
 * Returns 1, 0 for a control frame, or
 *   FASTWS_ERR_ARGUMENT   masked, or payload is NULL and header.length is not 0, or longer than memory can be
 *   what fastws_deflate_state_send() and fastws_deflate_compress() return */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int
fastws_deflate_compress_frame(struct fastws_deflate *deflate, struct fastws_frame *frame,
                              struct fastws_deflate_buffer *buffer);

/* Inflates a frame that was received. Like fastws_deflate_compress_frame(), but RSV1 is taken off, and frames of
 * messages that are not compressed are left as they are. Text is checked.
 *   frame    not masked: fastws_frame_unmask() comes first
 * Returns 1, 0 for a frame that was left as it is, or
 *   FASTWS_ERR_ARGUMENT   as above
 *   what fastws_deflate_state_receive() and fastws_deflate_decompress() return */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int
fastws_deflate_decompress_frame(struct fastws_deflate *deflate, struct fastws_frame *frame,
                                struct fastws_deflate_buffer *buffer);

/* ---- One message to many connections ---- */

/* A message and what it compresses to, once for each set of window bits, level, memory level and strategy. */
struct fastws_deflate_variants;

/* Makes a set without variants.
 *   payload, len   the message; must live as long as the set
 *   pool           of all connections that the set will be used with; must outlive the set
 * Returns 0, or FASTWS_ERR_NOMEM; out is written only on success. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(3, 4) int
fastws_deflate_variants_new(const void *payload, size_t len, struct fastws_deflate_pool *pool,
                            struct fastws_deflate_variants **out);

/* Frees the set and what it handed out. NULL is allowed. */
FASTWS_API void fastws_deflate_variants_free(struct fastws_deflate_variants *variants);

/* Gives the compressed message for one connection, and compresses it if no connection with these settings has asked
 * before. It refers to no other message, so every peer with these settings can inflate it, takeover or not.
 *   compressed   written only on success; lives as long as the set. The payload of one frame with RSV1 and FIN
 * Call fastws_deflate_sent_variant() once it is queued.
 * Returns 0, or FASTWS_ERR_NOMEM. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2, 3) int
fastws_deflate_variant(struct fastws_deflate_variants *variants, const struct fastws_deflate *deflate,
                       struct fastws_slice *compressed);

/* Says that the message went to the peer in compressed form: it is in the peer's window now. The connection keeps the
 * end of it, as with TAIL, so that its next message can refer to it; a stream that it had goes back to the pool.
 * Where memory for that is lacking, the next message refers to nothing.
 * Returns 0, or FASTWS_ERR_STATE inside an own message: a frame of it may not go out between its fragments. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1, 2) int
fastws_deflate_sent_variant(struct fastws_deflate *deflate, const struct fastws_deflate_variants *variants);

FASTWS_END_DECLS

#endif
