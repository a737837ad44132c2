/* SPDX-License-Identifier: MIT */
/* What the tests of a connection share: frames as bytes, an allocator that counts and fails, an end of a connection. */
#ifndef FWS_TESTS_SUPPORT_H
#define FWS_TESTS_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/allocator.h>
#include <fastws/conn.h>
#include <fastws/random.h>

/* ---- Bytes and frames ---- */

/* Bytes that grow at their end. All zero: none. */
struct bytes {
    uint8_t *ptr;
    size_t len;
    size_t cap;
};

void bytes_put(struct bytes *bytes, const void *src, size_t len);
void bytes_free(struct bytes *bytes);

/* Fills dst with bytes that differ from place to place, and from seed to seed. */
void fill_pattern(uint8_t *dst, size_t len, uint32_t seed);

/* The next number of a sequence that never reaches 0; *state must not be 0. */
uint32_t next_random(uint32_t *state);

/* A frame as its receiver should see it. */
struct frame {
    unsigned first; /* FIN RSV1-3 opcode */
    const void *payload;
    size_t len;
};

/* Puts a frame on the wire as its sender would: masked, with a key of its own, if the receiver is a server. */
void put_frame(struct bytes *wire, enum fastws_role receiver, unsigned first, const void *payload, size_t len);
void put_text(struct bytes *wire, enum fastws_role receiver, const char *text); /* a whole message */

/* Takes one frame off the wire, which must hold all of it: returns it unmasked in place, and moves *off behind it.
 * Fails the test if its length is not in the shortest form, or if it is masked although the sender is a server, or not
 * although it is a client. */
struct frame take_frame(struct bytes *wire, size_t *off, enum fastws_role sender);

/* ---- Memory and random bytes ---- */

/* Counts, and fails on order. What is released or moved is overwritten, and a resize always moves. */
struct memory {
    struct fastws_allocator allocator;
    size_t live;      /* bytes that are allocated now */
    size_t peak;      /* most that live has been */
    size_t largest;   /* largest size ever asked for */
    uint64_t calls;   /* of allocate and resize */
    uint64_t fail_at; /* the call that fails, counted from 1; 0: none */
    int fail_on;      /* 1: all calls from there on fail too */
};

void memory_init(struct memory *memory);

/* Masking keys that are the same in every run. */
struct keys {
    struct fastws_random random;
    uint32_t state;
    int error; /* returned instead, when it is not 0 */
};

/* ---- Events ---- */

/* Events with their payloads, written down one behind the other. All zero: none. */
struct log {
    struct bytes bytes;
    int count;
};

void log_event(struct log *log, const struct fastws_event *event);
void log_message(struct log *log, unsigned opcode, const void *payload, size_t len); /* flagged ASCII as it should be */
void log_control(struct log *log, enum fastws_event_kind kind, const void *payload, size_t len);
void log_close(struct log *log, uint16_t code, const void *reason, size_t len);
void log_error(struct log *log, int error, uint64_t offset); /* with the close code of the error table */
void log_free(struct log *log);

/* Fails the test, naming the first event that differs, unless both hold the same. */
void assert_logs_equal(const struct log *seen, const struct log *expected);

/* ---- One end of a connection ---- */

enum input { INPUT_SPACE, INPUT_FEED };
enum { INPUTS = 2, EVENTS_CAP_MAX = 64 };

/* A connection with all that it stands on. Between end_prepare() and end_open() a test changes what it wants. */
struct end {
    struct memory memory;
    struct keys keys;
    struct fastws_pool_config pool_config;
    struct fastws_conn_config config;
    enum input input;
    int cap; /* of the arrays of events */
    struct fastws_pool *pool;
    struct fastws_conn *conn;
    struct log log;    /* every event so far */
    struct bytes sent; /* every byte drained so far */
    int last;          /* what fastws_conn_next() returned last */
    uint64_t batches;
};

void end_prepare(struct end *end, enum fastws_role role);
void end_open(struct end *end);

/* Prepares and opens an end beside another connection of its pool, which has the cork: it has queued a binary message.
 * The caller frees the other one. */
struct fastws_conn *end_open_beside_cork(struct end *end, enum fastws_role role, const char *message);

/* Frees everything, and fails the test if memory is left. */
void end_close(struct end *end);

/* Brings bytes in by the end's input, taking all events after each receive. A fed buffer has exactly their size, and is
 * overwritten and freed once fastws_conn_next() has returned 0 or less. Stops early when the connection does, or takes
 * nothing. Returns how many bytes were taken. */
size_t end_receive(struct end *end, const void *src, size_t len);

/* Like end_receive(), but in receives of step bytes. */
void end_receive_in_steps(struct end *end, const struct bytes *wire, size_t step);

/* Takes events until there are none: what end_receive() does after each receive. */
void end_take_events(struct end *end);

/* Sends what is pending, step bytes at a time, to end->sent. */
void end_drain(struct end *end, size_t step);

/* Lets the end receive one frame. */
void end_receive_frame(struct end *end, unsigned first, const void *payload, size_t len);

/* Takes the next frame from what the end has sent, and fails the test if it is another one. */
void expect_sent(struct end *end, size_t *off, unsigned first, const void *payload, size_t len);

/* Drain, and fail the test if anything else was sent than this frame, or anything at all. */
void expect_only_sent(struct end *end, unsigned first, const void *payload, size_t len);
void expect_nothing_sent(struct end *end);

#endif
