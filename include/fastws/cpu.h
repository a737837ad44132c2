/* SPDX-License-Identifier: MIT */
/* Which instructions the library uses, and how to choose them.
 *
 * The kernels (masking, UTF-8, runs of frames, answers to handshake keys) exist in rows, one per instruction set:
 * "avx512", "avx2", "sse4", "sse2", "neon", "scalar". At its first use the library asks the CPU and takes the best row
 * that it can run. All rows give the same results; a choice is for measurements, for tests, and for machines where one
 * row misbehaves.
 *
 * The environment variable FASTWS_ISA names the row to begin with. It is read once, at first use; not set or empty
 * means the best row. A row's name is a cap: nothing above it is used. "scalar" uses no SIMD
 * instruction, and none for SHA-1. */
#ifndef FASTWS_CPU_H
#define FASTWS_CPU_H

#include <fastws/export.h>

FASTWS_BEGIN_DECLS

/* Returns the name of the active row, such as "avx2": a static string.
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD const char *fastws_cpu_isa(void);

/* Lists the rows that this machine can run, best first. "scalar" is always there, as the last one.
 *   names   the first min(cap, count) elements are set to static strings; may be NULL if cap is 0
 *   cap     elements at names; 0 to ask for the count alone
 * Returns the count of all of them, which may exceed cap.
 * Thread-safe. Never allocates. */
FASTWS_API int fastws_cpu_isas(const char **names, int cap);

/* Makes a row the active one. Objects that exist keep the row they were made with; functions without an object,
 * such as fastws_mask(), and objects made later use the new one. FASTWS_ISA is no limit to it.
 *   name   one of fastws_cpu_isas(), case-sensitive
 * Returns 0, or
 *   FASTWS_ERR_ISA   no row of that name in this build, or this CPU cannot run it: nothing changed
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD FASTWS_NONNULL(1) int fastws_cpu_select(const char *name);

/* Says whether the row that FASTWS_ISA asks for was found. Constructors of objects that use kernels return the same.
 * Returns 0, or
 *   FASTWS_ERR_ISA   FASTWS_ISA names no row of this build, or one that this CPU cannot run: the best row is
 *                    active instead. A call of fastws_cpu_select() that succeeds settles it
 * Thread-safe. Never allocates. */
FASTWS_API FASTWS_NODISCARD int fastws_cpu_status(void);

FASTWS_END_DECLS

#endif
