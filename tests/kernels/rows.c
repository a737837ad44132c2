/* SPDX-License-Identifier: MIT */
/* Lists the rows of this machine and those compiled on top of SIMDe. */
#include "rows.h"

#define SIMDE_MASK(isa) void simde_mask_##isa(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key);
#define SIMDE_UTF8(isa)                                                                                                \
    size_t simde_utf8_##isa(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop);                \
    int simde_is_utf8_##isa(const uint8_t *src, size_t len);
#define SIMDE_CHACHA(isa)                                                                                              \
    void simde_chacha_##isa(uint8_t *dst, size_t count, const uint8_t key[FWS_CHACHA_KEY_LEN], uint32_t counter,       \
                            const uint8_t nonce[FWS_CHACHA_NONCE_LEN]);
#define SIMDE_ROW(isa)                                                                                                 \
    int simde_frames_##isa(struct fws_run *run, struct fastws_event *events, int cap);                                 \
    size_t simde_mask_utf8_##isa(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,                           \
                                 struct fws_utf8_state *state, size_t slop);                                       \
    void simde_http_scan_##isa(uint64_t *controls, uint64_t *others, const uint8_t *src, size_t len);

SIMDE_MASK(avx2)
SIMDE_MASK(sse2)
SIMDE_MASK(neon)
SIMDE_UTF8(avx512)
SIMDE_UTF8(avx2)
SIMDE_UTF8(sse4)
SIMDE_UTF8(neon)
SIMDE_ROW(avx512)
SIMDE_ROW(avx2)
SIMDE_ROW(sse4)
SIMDE_ROW(sse2)
SIMDE_ROW(neon)
SIMDE_CHACHA(avx512)
SIMDE_CHACHA(avx2)
SIMDE_CHACHA(sse2)
SIMDE_CHACHA(neon)

/* A row borrows here what it borrows in the table of kernels.c. */
static const struct fws_kernels simde_rows[] = {
    {"avx512 through SIMDe", simde_mask_avx2, simde_frames_avx512, simde_utf8_avx512, simde_is_utf8_avx512,
     simde_mask_utf8_avx512, fws_accept_scalar, simde_chacha_avx512, simde_http_scan_avx512},
    {"avx2 through SIMDe", simde_mask_avx2, simde_frames_avx2, simde_utf8_avx2, simde_is_utf8_avx2,
     simde_mask_utf8_avx2, fws_accept_scalar, simde_chacha_avx2, simde_http_scan_avx2},
    {"sse4 through SIMDe", simde_mask_sse2, simde_frames_sse4, simde_utf8_sse4, simde_is_utf8_sse4,
     simde_mask_utf8_sse4, fws_accept_scalar, simde_chacha_sse2, simde_http_scan_sse4},
    {"sse2 through SIMDe", simde_mask_sse2, simde_frames_sse2, fws_utf8_scalar, fws_is_utf8_scalar,
     simde_mask_utf8_sse2, fws_accept_scalar, simde_chacha_sse2, simde_http_scan_sse2},
    {"neon through SIMDe", simde_mask_neon, simde_frames_neon, simde_utf8_neon, simde_is_utf8_neon,
     simde_mask_utf8_neon, fws_accept_scalar, simde_chacha_neon, simde_http_scan_neon},
};

const struct fws_kernels *test_row(int index) {
    int native_count = fws_kernels_count();
    if (index < native_count) return fws_kernels_at(index);
    if (FWS_BIG_ENDIAN) return NULL;
    size_t rest = (size_t)(index - native_count);
    return rest < sizeof simde_rows / sizeof *simde_rows ? &simde_rows[rest] : NULL;
}
