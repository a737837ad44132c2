/* SPDX-License-Identifier: MIT */
/* The grid of kernels: what each kernel promises, and how a row of the grid is chosen.
 *
 * A row holds one function per kernel. The rows of this machine are told apart by name ("avx2", "sse4", "neon",
 * "scalar"), give the same results bit for bit, and are ordered best first. An object asks for the active row once,
 * when it is made, and keeps it. The table itself, and how to add to it, is in kernels.c. */
#ifndef FWS_KERNELS_H
#define FWS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include <fastws/event.h>
#include <fastws/export.h>

#include "../src/platform.h"

FASTWS_BEGIN_DECLS

/* What a CPU (and its operating system, which must save the registers) can run. A cell of the grid lists the bits
 * that it needs. */
#define FWS_CPU_SSE2 (1u << 0)
#define FWS_CPU_AVX2 (1u << 1)
#define FWS_CPU_NEON (1u << 2)
#define FWS_CPU_SSE4 (1u << 3)   /* SSSE3 and SSE4.1 */
#define FWS_CPU_AVX512 (1u << 4) /* F, BW and VL, with AVX2 */
#define FWS_CPU_SHA (1u << 8)    /* SHA-1: x86 SHA with SSSE3 and SSE4.1, or that of ARMv8 */

/* Returns the FWS_CPU_* bits of this machine. Asks the CPU each time: call it once. In src/cpu.c. */
FWS_PRIVATE uint32_t fws_cpu_bits(void);

/* The bytes behind a source that a caller may let a kernel read: what they are is the same to it. */
#define FWS_SLOP 64

/* Where a check of a text that arrives in pieces stands. All zero: at its start. */
struct fws_utf8_state {
    uint32_t dfa;       /* 0 between characters; else what the open character still needs (utf8_settle.h) */
    uint32_t non_ascii; /* 0 while every byte was below 0x80 */
};

/* A run of small complete frames that lie one after another in [head, tail). */
struct fws_run {
    uint8_t *head;           /* in: first byte of a header; out: first byte not consumed, again that of a header */
    uint64_t payload_max;    /* longest payload that may be taken */
    uint8_t *tail;           /* one past the last byte received; nothing at or past it is read or written. Not beside
                                head, or compilers load both at once and wait until the store of one of them, a moment
                                ago, has reached the cache: 20 cycles */
    uint8_t mask_bit;        /* 0x80: only masked frames (server); 0: only unmasked ones (client) */
    uint8_t is_text_checked; /* 1; or 0: text is taken unseen, and never flagged as ASCII */
    int error;               /* out: 0, or FASTWS_ERR_UTF8: the frame at head, unmasked by now, is text but not UTF-8 */
    uint64_t error_offset;   /* out, with error: offset in its payload of the first byte that cannot stand there; the
                                length of the payload if that ends inside a character */
};

#define FWS_KEY_LEN 24    /* bytes of a Sec-WebSocket-Key */
#define FWS_ACCEPT_LEN 28 /* bytes of a Sec-WebSocket-Accept */

#define FWS_CHACHA_BLOCK_LEN 64
#define FWS_CHACHA_KEY_LEN 32
#define FWS_CHACHA_NONCE_LEN 12

/* One row. Every function reads and writes nothing outside of the ranges it was given, asks for no alignment, and
 * gives what the scalar row gives. Thread-safe. */
struct fws_kernels {
    const char *name;

    /* Writes len bytes of src, XORed with the key, to dst. RFC 6455 5.3.
     *   dst, src   dst <= src, or no overlap
     *   key        as it lies in memory, turned so that its first byte meets src[0] (fws_rotate_key) */
    void (*mask)(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key);

    /* Takes frames from the run as long as they are simple: FIN, no RSV bit, opcode text or binary, the MASK bit of the
     * run, a length in its shortest form of 7 or 16 bits, at most payload_max, payload complete. Unmasks each payload
     * where it lies and describes it by one event: MESSAGE, opcode, FIRST | LAST, ASCII for a checked text of bytes
     * below 0x80 only, ptr, len. The first frame of any other kind ends the run without being judged: the caller
     * parses it. So does a bad text, through run->error; the events before it stand.
     *   cap   room in events, at least 1
     * Returns the number of events. */
    int (*frames)(struct fws_run *run, struct fastws_event *events, int cap);

    /* Goes on checking a text. RFC 3629; no overlong form, no surrogate, nothing past U+10FFFF.
     *   slop   bytes that can be read behind src + len: fewer than FWS_SLOP, which is as good as 0, or FWS_SLOP and
     *          more, of which no more than FWS_SLOP are read. A short text is checked twice as fast with it
     * Returns how many bytes were accepted: len, or the offset of the first byte that cannot stand there. After that
     * the state is spent. */
    size_t (*utf8)(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop);

    /* Says whether a text is whole and good: what utf8() finds out from a fresh state, for callers who keep none.
     * Returns 1 or 0. */
    int (*is_utf8)(const uint8_t *src, size_t len);

    /* Like mask(), but checks what it writes as utf8() does, in the same pass.
     *   dst    all len bytes are written, whatever the text
     *   slop   as for utf8(), behind src + len
     * Returns what utf8() returns. */
    size_t (*mask_utf8)(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key, struct fws_utf8_state *state,
                        size_t slop);

    /* Answers a Sec-WebSocket-Key: base64(SHA-1(key GUID)), RFC 6455 4.2.2, in two steps. Each is one long chain of
     * instructions in whose shadow a CPU does what comes behind: with other work between them an upgrade is an eighth
     * faster.
     *   key    FWS_KEY_LEN bytes: checked, and hashed with the rest of the first block. NULL: a call before did that
     *   state  the hash after the first block (FIPS 180-4 6.1.2), the same for all rows: from one step to the other.
     *          Of no meaning after a call that does both
     *   out    FWS_ACCEPT_LEN bytes for the answer, without a NUL; written only on success. NULL: the first step only
     * Returns 1, or 0 if the key is not what an encoder writes for 16 bytes: RFC 4648 section 4, spare bits 0 (3.5). */
    int (*accept)(char *out, uint32_t state[5], const uint8_t *key);

    /* Writes blocks of the ChaCha20 key stream, one behind the other. RFC 8439 2.3.
     *   count     blocks; 0 writes nothing
     *   counter   of the first block; 0 follows on the largest one, and the nonce stays as it is */
    void (*chacha)(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,
                   const uint8_t nonce[FWS_CHACHA_NONCE_LEN]);

    /* Marks the bytes at which the lines of an HTTP head and the names in them end, a bit each: that of src[i] is bit
     * i % 64 of word i / 64.
     *   controls   bytes that no header value holds, line ends among them: below 0x20 but the tab, and 0x7f (RFC 9110
     *              5.5); (len + 63) / 64 words
     *   others     bytes that no name holds, colons among them: all but tchar (RFC 9110 5.6.2); as many words
     * The bits past len in the last word are 0. */
    void (*http_scan)(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len);
};

/* The active row; NULL until it is asked for the first time. */
FWS_PRIVATE extern FWS_SHARED(const struct fws_kernels *) fws_kernels_chosen;

/* Chooses the active row, if nobody has yet. Returns it. */
FWS_PRIVATE const struct fws_kernels *fws_kernels_choose(void);

/* Returns the row to use: the best one, unless FASTWS_ISA or fws_kernels_select() chose another. Never NULL.
 * One atomic load after the first call; inline, because a short payload takes no longer than a call. Thread-safe. */
static inline const struct fws_kernels *fws_kernels_active(void) {
    const struct fws_kernels *row = FWS_SHARED_LOAD(&fws_kernels_chosen);
    return FWS_LIKELY(row != NULL) ? row : fws_kernels_choose();
}

/* Returns how many rows this machine can run, at least 1. Thread-safe. */
FWS_PRIVATE int fws_kernels_count(void);

/* Returns one of them, 0 <= index < fws_kernels_count(), best first. Thread-safe. */
FWS_PRIVATE const struct fws_kernels *fws_kernels_at(int index);

/* Makes the row of that name the active one. Returns 0, or
 *   FASTWS_ERR_ISA   no row of that name, or this machine cannot run it: nothing changed
 * Thread-safe. */
FWS_PRIVATE FASTWS_NODISCARD int fws_kernels_select(const char *name);

/* Returns 0, or
 *   FASTWS_ERR_ISA   FASTWS_ISA names a row that does not exist or cannot run here, and nothing was selected since
 * Thread-safe. */
FWS_PRIVATE int fws_kernels_status(void);

/* The cells, by row; those of another architecture are declared and nothing more. */
FWS_PRIVATE void fws_mask_avx2(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key);
FWS_PRIVATE void fws_mask_sse2(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key);
FWS_PRIVATE void fws_mask_neon(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key);
FWS_PRIVATE void fws_mask_scalar(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key);
FWS_PRIVATE int fws_frames_avx2(struct fws_run *run, struct fastws_event *events, int cap);
FWS_PRIVATE int fws_frames_avx512(struct fws_run *run, struct fastws_event *events, int cap);
FWS_PRIVATE int fws_frames_sse4(struct fws_run *run, struct fastws_event *events, int cap);
FWS_PRIVATE int fws_frames_sse2(struct fws_run *run, struct fastws_event *events, int cap);
FWS_PRIVATE int fws_frames_neon(struct fws_run *run, struct fastws_event *events, int cap);
FWS_PRIVATE int fws_frames_scalar(struct fws_run *run, struct fastws_event *events, int cap);
FWS_PRIVATE size_t fws_utf8_avx512(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop);
FWS_PRIVATE int fws_is_utf8_avx512(const uint8_t *src, size_t len);
FWS_PRIVATE size_t fws_utf8_avx2(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop);
FWS_PRIVATE int fws_is_utf8_avx2(const uint8_t *src, size_t len);
FWS_PRIVATE size_t fws_utf8_sse4(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop);
FWS_PRIVATE int fws_is_utf8_sse4(const uint8_t *src, size_t len);
FWS_PRIVATE size_t fws_utf8_neon(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop);
FWS_PRIVATE int fws_is_utf8_neon(const uint8_t *src, size_t len);
FWS_PRIVATE size_t fws_utf8_scalar(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop);
FWS_PRIVATE int fws_is_utf8_scalar(const uint8_t *src, size_t len);
FWS_PRIVATE size_t fws_mask_utf8_avx512(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                        struct fws_utf8_state *state, size_t slop);
FWS_PRIVATE size_t fws_mask_utf8_avx2(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                      struct fws_utf8_state *state, size_t slop);
FWS_PRIVATE size_t fws_mask_utf8_sse4(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                      struct fws_utf8_state *state, size_t slop);
FWS_PRIVATE size_t fws_mask_utf8_sse2(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                      struct fws_utf8_state *state, size_t slop);
FWS_PRIVATE size_t fws_mask_utf8_neon(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                      struct fws_utf8_state *state, size_t slop);
FWS_PRIVATE size_t fws_mask_utf8_scalar(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                        struct fws_utf8_state *state, size_t slop);
FWS_PRIVATE int fws_accept_sha(char *out, uint32_t state[5], const uint8_t *key);
FWS_PRIVATE int fws_accept_armv8(char *out, uint32_t state[5], const uint8_t *key);
FWS_PRIVATE int fws_accept_scalar(char *out, uint32_t state[5], const uint8_t *key);
FWS_PRIVATE void fws_chacha_avx512(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,
                                   const uint8_t nonce[FWS_CHACHA_NONCE_LEN]);
FWS_PRIVATE void fws_chacha_avx2(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,
                                 const uint8_t nonce[FWS_CHACHA_NONCE_LEN]);
FWS_PRIVATE void fws_chacha_sse2(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,
                                 const uint8_t nonce[FWS_CHACHA_NONCE_LEN]);
FWS_PRIVATE void fws_chacha_neon(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,
                                 const uint8_t nonce[FWS_CHACHA_NONCE_LEN]);
FWS_PRIVATE void fws_chacha_scalar(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,
                                   const uint8_t nonce[FWS_CHACHA_NONCE_LEN]);
FWS_PRIVATE void fws_http_scan_avx512(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len);
FWS_PRIVATE void fws_http_scan_avx2(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len);
FWS_PRIVATE void fws_http_scan_sse4(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len);
FWS_PRIVATE void fws_http_scan_sse2(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len);
FWS_PRIVATE void fws_http_scan_neon(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len);
FWS_PRIVATE void fws_http_scan_scalar(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len);

FASTWS_END_DECLS

#endif
