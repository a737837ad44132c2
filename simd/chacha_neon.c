/* SPDX-License-Identifier: MIT */
/* ChaCha20 with NEON. */
#include "kernels.h"

#if FWS_NEON
#  include "intrinsics.h"

#  define CHACHA_NAME fws_chacha_neon
#  define CHACHA_TARGET
#  define CHACHA_VECTOR uint32x4_t
#  define CHACHA_VECTOR_BLOCKS 1
#  define words_load_row(src) vreinterpretq_u32_u8(vld1q_u8((const uint8_t *)(const void *)(src)))
#  define words_counters(n) vsetq_lane_u32(n, vdupq_n_u32(0), 0)
#  define words_add(a, b) vaddq_u32(a, b)
#  define words_xor(a, b) veorq_u32(a, b)
#  define words_rotate(v, n) vsriq_n_u32(vshlq_n_u32(v, n), v, 32 - (n))
#  define words_turn(v, n) vextq_u32(v, v, n)
#  define words_store_blocks(dst, a, b, c, d) store_block_neon(dst, a, b, c, d)

static FWS_ALWAYS_INLINE void store_block_neon(uint8_t *dst, uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) {
    vst1q_u8(dst, vreinterpretq_u8_u32(a));
    vst1q_u8(dst + 16, vreinterpretq_u8_u32(b));
    vst1q_u8(dst + 32, vreinterpretq_u8_u32(c));
    vst1q_u8(dst + 48, vreinterpretq_u8_u32(d));
}

#  include "chacha_vector.h"
#endif
