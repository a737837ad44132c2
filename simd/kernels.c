/* SPDX-License-Identifier: MIT */
/* The table of kernel rows, best first, and the choice among them. */
#include "kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

/* To add a row, add a line; to add a kernel, add a column. A cell that is empty, or that needs a bit which this
 * machine lacks, is filled from the rows below; the last row fills every column and needs nothing. */
struct row {
    const char *name;
    uint32_t needs; /* the machine offers the row under its name only with these bits */
    struct { uint32_t needs; void (*run)(uint8_t *, const uint8_t *, size_t, uint32_t); } mask;
    struct { uint32_t needs; int (*run)(struct fws_run *, struct fastws_event *, int); } frames;
    struct { uint32_t needs; size_t (*run)(struct fws_utf8_state *, const uint8_t *, size_t, size_t); } utf8;
    struct { uint32_t needs; int (*run)(const uint8_t *, size_t); } is_utf8;
    struct {
        uint32_t needs;
        size_t (*run)(uint8_t *, const uint8_t *, size_t, uint32_t, struct fws_utf8_state *, size_t);
    } mask_utf8;
    struct { uint32_t needs; int (*run)(char *, uint32_t *, const uint8_t *); } accept;
    struct {
        uint32_t needs;
        void (*run)(uint8_t *, size_t, const uint8_t *, uint32_t, const uint8_t *);
    } chacha;
    struct { uint32_t needs; void (*run)(uint64_t *, uint64_t *, const uint8_t *, size_t); } http_scan;
};

#define BORROW {0, NULL}

/* clang-format off: a line per row and kernel. */
static const struct row rows[] = {
#if FWS_X86
    /* Masking waits for its stores, of which Zen 4 does 32 bytes a cycle, as one vector or as half of one. Vectors of
     * 64 bytes were measured, and lose in frames that lie one behind the other: docs/performance.md has the numbers. */
    {"avx512", FWS_CPU_AVX512, BORROW,
     {FWS_CPU_AVX512, fws_frames_avx512},
     {FWS_CPU_AVX512, fws_utf8_avx512},
     {FWS_CPU_AVX512, fws_is_utf8_avx512},
     {FWS_CPU_AVX512, fws_mask_utf8_avx512},
     BORROW,
     {FWS_CPU_AVX512, fws_chacha_avx512},
     {FWS_CPU_AVX512, fws_http_scan_avx512}},
    {"avx2", FWS_CPU_AVX2, {FWS_CPU_AVX2, fws_mask_avx2},
     {FWS_CPU_AVX2, fws_frames_avx2},
     {FWS_CPU_AVX2, fws_utf8_avx2},
     {FWS_CPU_AVX2, fws_is_utf8_avx2},
     {FWS_CPU_AVX2, fws_mask_utf8_avx2},
     BORROW,
     {FWS_CPU_AVX2, fws_chacha_avx2},
     {FWS_CPU_AVX2, fws_http_scan_avx2}},
    {"sse4", FWS_CPU_SSE4, BORROW,
     {FWS_CPU_SSE4, fws_frames_sse4},
     {FWS_CPU_SSE4, fws_utf8_sse4},
     {FWS_CPU_SSE4, fws_is_utf8_sse4},
     {FWS_CPU_SSE4, fws_mask_utf8_sse4},
     {FWS_CPU_SHA, fws_accept_sha},
     BORROW,
     {FWS_CPU_SSE4, fws_http_scan_sse4}},
    /* SSE2 has no lookup in a table of bytes. */
    {"sse2", FWS_CPU_SSE2, {FWS_CPU_SSE2, fws_mask_sse2},
     {FWS_CPU_SSE2, fws_frames_sse2},
     BORROW,
     BORROW,
     {FWS_CPU_SSE2, fws_mask_utf8_sse2},
     BORROW,
     {FWS_CPU_SSE2, fws_chacha_sse2},
     {FWS_CPU_SSE2, fws_http_scan_sse2}},
#endif
#if FWS_NEON
    {"neon", FWS_CPU_NEON, {FWS_CPU_NEON, fws_mask_neon},
     {FWS_CPU_NEON, fws_frames_neon},
     {FWS_CPU_NEON, fws_utf8_neon},
     {FWS_CPU_NEON, fws_is_utf8_neon},
     {FWS_CPU_NEON, fws_mask_utf8_neon},
     {FWS_CPU_SHA, FWS_ARM_SHA ? fws_accept_armv8 : NULL},
     {FWS_CPU_NEON, fws_chacha_neon},
     {FWS_CPU_NEON, fws_http_scan_neon}},
#endif
    {"scalar", 0, {0, fws_mask_scalar},
     {0, fws_frames_scalar},
     {0, fws_utf8_scalar},
     {0, fws_is_utf8_scalar},
     {0, fws_mask_utf8_scalar},
     {0, fws_accept_scalar},
     {0, fws_chacha_scalar},
     {0, fws_http_scan_scalar}},
};
/* clang-format on */

#define ROW_COUNT ((int)(sizeof rows / sizeof *rows))

/* What this machine can run, with every cell filled in. */
struct machine {
    struct fws_kernels usable[ROW_COUNT];
    int count;
    int first;        /* index of the row to begin with */
    int first_status; /* 0, or FASTWS_ERR_ISA: FASTWS_ISA asks for what is not there */
};

enum { UNKNOWN, CLAIMED, KNOWN };

FWS_SHARED(const struct fws_kernels *) fws_kernels_chosen;

static struct machine machine;
static atomic_int machine_state;
static atomic_int status;

/* The cell of a column that a row uses on this machine: its own, or the next one below. */
#define FILL(column) \
    for (const struct row *row = from; !out->column; row++) { \
        if (row->column.run && (row->column.needs & ~bits) == 0) out->column = row->column.run; \
    }

static void fill_row(struct fws_kernels *out, const struct row *from, uint32_t bits) {
    memset(out, 0, sizeof *out);
    out->name = from->name;
    FILL(mask)
    FILL(frames)
    FILL(utf8)
    FILL(is_utf8)
    FILL(mask_utf8)
    FILL(accept)
    FILL(chacha)
    FILL(http_scan)
}

static int find(const struct machine *m, const char *name) {
    for (int i = 0; i < m->count; i++) {
        if (strcmp(m->usable[i].name, name) == 0) return i;
    }
    return FASTWS_ERR_ISA;
}

static void look_around(struct machine *out) {
    uint32_t bits = fws_cpu_bits();
    memset(out, 0, sizeof *out);
    for (int i = 0; i < ROW_COUNT; i++) {
        if ((rows[i].needs & ~bits) == 0) fill_row(&out->usable[out->count++], &rows[i], bits);
    }
    const char *wish = getenv("FASTWS_ISA");
    if (!wish || !*wish) return;
    int found = find(out, wish);
    if (found < 0) out->first_status = found;
    if (found >= 0) out->first = found;
}

/* All the work is done before the claim is made, so that another thread which comes at the same time waits for
 * a copy and no longer. */
static const struct machine *known_machine(void) {
    if (FWS_LIKELY(atomic_load_explicit(&machine_state, memory_order_acquire) == KNOWN)) return &machine;
    struct machine seen;
    look_around(&seen);
    int expected = UNKNOWN;
    if (atomic_compare_exchange_strong(&machine_state, &expected, CLAIMED)) {
        machine = seen;
        atomic_store(&status, seen.first_status);
        FWS_SHARED_STORE(&fws_kernels_chosen, &machine.usable[seen.first]);
        atomic_store_explicit(&machine_state, KNOWN, memory_order_release);
    }
    while (atomic_load_explicit(&machine_state, memory_order_acquire) != KNOWN) {}
    return &machine;
}

const struct fws_kernels *fws_kernels_choose(void) {
    known_machine();
    return FWS_SHARED_LOAD(&fws_kernels_chosen);
}

int fws_kernels_count(void) { return known_machine()->count; }

const struct fws_kernels *fws_kernels_at(int index) { return &known_machine()->usable[index]; }

int fws_kernels_select(const char *name) {
    const struct machine *m = known_machine();
    int found = find(m, name);
    if (found < 0) return found;
    FWS_SHARED_STORE(&fws_kernels_chosen, &m->usable[found]);
    atomic_store(&status, 0);
    return 0;
}

int fws_kernels_status(void) {
    known_machine();
    return atomic_load(&status);
}
