/* SPDX-License-Identifier: MIT */
/* What Connection and Stream have in common: one struct fastws_conn with its configuration, in the pool of the module.
 *
 * The interpreter lock guards the pool and every connection made from it. No memory of the library is left in the hands
 * of Python code or of a system call without the lock, but the slab that a stream receives into. */
#ifndef FASTWS_PY_PROTOCOL_H
#define FASTWS_PY_PROTOCOL_H

#include "config.h"
#include "deflate.h"
#include "hooks.h"

#include <fastws/conn.h>
#include <fastws/utf8.h>

struct protocol {
    struct fastws_conn_config config;
    struct fastws_conn *conn;
    struct fastws_conn_config *rules; /* in the place of config while a Reader with rules of its own reads, or NULL */
    struct hooks hooks; /* extensions; none unless config lists them */
    struct deflate *compression; /* how messages are compressed, and what was agreed on; NULL: they are not */
    struct fastws_pool *pool;
    PyObject *pool_owner; /* the capsule of pool, so that it outlives the connection */
    PyObject *sent_reason; /* of our close frame: a str, or NULL */
    PyObject *rcvd_reason; /* of the peer's */
    int error; /* what stopped the connection, 0 while it runs */
    int64_t error_offset; /* where in the bytes of the peer that lies, -1 where it lies in none */
    uint16_t error_code; /* close code of that error */
};

/* Makes the pool of the module, a capsule: pool.c. */
PyObject *pool_new(void);

/* What is inside. */
struct fastws_pool *pool_of(const struct state *state);

/* Opens a connection by protocol->config. Returns 0, or -1 with an exception. */
int protocol_open(struct protocol *protocol, struct state *state);

/* Lists the hooks in the configuration from now on. Returns 0, or -1 with an exception. */
int protocol_use_hooks(struct protocol *protocol, struct state *state);
void protocol_close(struct protocol *protocol);

/* What a constructor or reset() was told. */
struct protocol_plan {
    struct fastws_conn_config config;
    PyObject *unset_bits; /* tuples of functions; NULL: as they are */
    PyObject *set_bits;
    struct deflate *compression; /* NULL: none. What the protocol had was agreed on with another peer */
    PyObject *others; /* a dict: keyword arguments that are none of the options */
};

/* Takes options, extensions and compression out of keyword arguments; what is not given is to be as the protocol has
 * it, by default if there is no connection yet; compression is then none. Returns 0, or -1 with an exception;
 * protocol_plan_clear() either way.
 *   type   CONFIG_* of config.h */
int protocol_plan_take(struct protocol_plan *plan, struct protocol *protocol, struct state *state, PyObject *kwargs,
                       unsigned type);
void protocol_plan_clear(struct protocol_plan *plan);

/* Does as planned, and makes the connection, if there is one, new. Nothing of the user runs before that is done.
 * Returns 0, or -1 with MemoryError: then it is new, but has failed. */
int protocol_adopt(struct protocol *protocol, struct protocol_plan *plan);

/* Notes an error that the connection does not know of. */
void protocol_note_error(struct protocol *protocol, int error, uint16_t code);

/* The clock of every pool: time.monotonic(). */
uint64_t protocol_now_us(void);
uint64_t protocol_now_ms(void);

/* Tells the pool the time: once before bytes are handed in, or anything is sent. Returns the milliseconds. */
uint64_t protocol_touch(struct protocol *protocol);

/* Takes everything that is queued out of the connection. Returns new bytes, or NULL with an exception: then it is
 * dropped, and the connection cannot be used any more. */
PyObject *protocol_drain(struct protocol *protocol);

/* Drops what is queued, so that no payload of a caller is borrowed any more. */
void protocol_drop(struct protocol *protocol);

/* Keeps what a close or error event says. */
void protocol_note_event(struct protocol *protocol, const struct fastws_event *event);

/* Queues a close frame and keeps its reason. Returns 0, or -1 with ValueError for a code or reason that may not be
 * sent; does nothing after an earlier close frame, nor, where closing is automatic, after that of the peer or an error.
 */
int protocol_send_close(struct protocol *protocol, struct state *state, PyObject *code, PyObject *reason);

/* Queues a ping (or pong). Returns 0, or -1 with an exception. */
int protocol_send_control(struct protocol *protocol, struct state *state, int is_pong, PyObject *data);

/* The flags of fastws_conn_send() for a `compress` argument: None, or NULL, leaves it to the configuration.
 * Returns 0, or -1 with an exception. */
int protocol_take_compress(PyObject *compress, int *flags);

/* Compresses a large message apart from the connection, without the interpreter lock, where the connection would do so
 * with it. Another thread may use the connection meanwhile, but not reset it.
 *   opcode   with the flags of fastws_conn_send()
 *   out      the message, for fastws_conn_send_prepared(); NULL where it is to be sent as it is
 * Returns 0, or -1 with an exception. */
int protocol_compress_apart(struct protocol *protocol, int opcode, const Py_buffer *payload,
                            struct fastws_prepared **out);

/* Adds to a message that was begun, as fastws_conn_write() does. Where it is compressed, other threads may run now and
 * then: the caller sees to it that none of them adds to it. Returns 0 or an error. */
int protocol_write_piece(struct protocol *protocol, const Py_buffer *payload);

/* As protocol_compress_apart(), for a message that goes to many connections. */
int protocol_prepare(struct protocol *protocol, struct fastws_prepared *prepared);

/* Gives back what compression holds and the next message can do without. Returns 0, or -1 with an exception. */
int protocol_idle(struct protocol *protocol);

/* The Deflate of the connection, with what was agreed on; or None. */
PyObject *protocol_compression(const struct protocol *protocol);

/* Bytes that compression holds. */
PyObject *protocol_compression_held(const struct protocol *protocol);

/* Finds the opcode of a message: the one that is given, else TEXT for str and BINARY for bytes-like. Checks that text
 * is UTF-8, and takes the payload. Returns 0, or -1 with an exception. */
int protocol_take_message(PyObject *data, PyObject *opcode, Py_buffer *view, int *opcode_out);

/* Makes the exception of an error that stopped the connection. What an extension raised is its cause. */
PyObject *protocol_error_new(const struct protocol *protocol, struct state *state, int error);

/* Makes the ConnectionClosed that says how the connection ended; its cause is the error that did it. */
PyObject *protocol_closed_new(const struct protocol *protocol, struct state *state);
PyObject *protocol_closed_raise(const struct protocol *protocol, struct state *state);

/* Raises for an error that a function of the connection returned. Returns NULL. */
PyObject *protocol_error_raise(struct protocol *protocol, struct state *state, int error);

/* close_code and close_reason as websockets has them: None while the connection is open, 1006 if it was lost. */
PyObject *protocol_close_code(const struct protocol *protocol);
PyObject *protocol_close_reason(const struct protocol *protocol);

/* How many bytes of the peer were taken apart; after an error, where that lies. */
PyObject *protocol_offset(const struct protocol *protocol);

/* "OPEN", "CLOSING" or "CLOSED". */
PyObject *protocol_state(const struct protocol *protocol);

/* The round trip of the last ping that was answered, in seconds; 0.0 before there is one, as websockets has it. */
PyObject *protocol_latency(const struct protocol *protocol);

/* Follows the text of fragments, of which what is only gathered may be dropped: a piece was written.
 *   queued   of all that is in fragments
 *   before   of all in front of the piece
 *   was, is  bytes that were gathered before it and are now */
void protocol_follow_text(struct fastws_utf8 *queued, const struct fastws_utf8 *before, const Py_buffer *piece,
                          size_t was, size_t is);

#endif
