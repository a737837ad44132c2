/* SPDX-License-Identifier: MIT */
/* What the C workers of scripts/peers share: the line protocol of bench/peers/run.py, buffers, a stream in memory. */
#ifndef FASTWS_BENCH_PEERS_WORKER_H
#define FASTWS_BENCH_PEERS_WORKER_H

#include <stddef.h>
#include <stdint.h>

/* Does the work of a case at least count times. Returns how often it was done. */
typedef uint64_t worker_run(void *context, uint64_t count);

/* One line of the file `rows`: mask/64 has the data in the file mask-64. */
struct worker_row {
    char name[64];
    char file[64];
    size_t number; /* what stands behind the last slash, 0 if that is no number */
};

/* Opens the folder of the data, which everything below reads from. */
void worker_open(const char *folder);

/* Gives the next row that scripts/peers wants, and 1; or 0 after the last one. */
int worker_next_row(struct worker_row *row);

/* Returns 1 if the row is of this group: mask/64 is of mask. */
int worker_row_is(const struct worker_row *row, const char *group);

/* Says that this worker measures a library, and which version of it. */
void worker_peer(const char *name, const char *version);

/* Adds a case. peer and context must live until the end of the program. */
void worker_add(const char *peer, const struct worker_row *row, worker_run *run, void *context);

/* Answers questions on standard input until it ends. Returns the exit status. */
int worker_serve(void);

/* Prints why the worker cannot go on, and ends it. */
_Noreturn void worker_die(const char *reason, const char *what);

/* Allocates, or ends the worker. */
void *worker_alloc(size_t len);

/* Buffers that take turns: 16 for at most 512 bytes, else one. Working on one small buffer again and again would
 * measure how loads wait for the stores before them. */
struct worker_turns {
    uint8_t *buf;
    size_t len;
    size_t stride;
    size_t last; /* number of buffers - 1: a mask for the index */
};

/* Makes the buffers, the data of the row in each of them. */
struct worker_turns *worker_turns_new(const struct worker_row *row);

/* An endless stream in memory: the data of a row again and again, as if a peer sent it. */
struct worker_stream {
    uint8_t *bytes;
    size_t len;
    size_t pos;
};

void worker_stream_init(struct worker_stream *stream, const struct worker_row *row);

/* Receives at most cap bytes, as recv() would: never across the end of the data. Returns how many. */
size_t worker_stream_read(struct worker_stream *stream, void *dst, size_t cap);

#endif
