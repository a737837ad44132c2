/* SPDX-License-Identifier: MIT */
/* Lists the rows of this machine and those compiled on top of SIMDe. */
#include "rows.h"

#define SIMDE_ROW(isa)                                                                                                 \
    void simde_mask_##isa(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key);                                 \
    int simde_frames_##isa(struct fws_run *run, struct fastws_event *events, int cap);                                 \
    static const struct fws_kernels isa##_row = {#isa " through SIMDe", simde_mask_##isa, simde_frames_##isa,          \
                                                 fws_utf8_scalar,        fws_accept_scalar};

SIMDE_ROW(avx2)
SIMDE_ROW(sse2)
SIMDE_ROW(neon)

static const struct fws_kernels *const simde_rows[] = {&avx2_row, &sse2_row, &neon_row};

const struct fws_kernels *test_row(int index) {
    int native_count = fws_kernels_count();
    if (index < native_count) return fws_kernels_at(index);
    if (FWS_BIG_ENDIAN) return NULL;
    size_t rest = (size_t)(index - native_count);
    return rest < sizeof simde_rows / sizeof *simde_rows ? simde_rows[rest] : NULL;
}
