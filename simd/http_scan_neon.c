/* SPDX-License-Identifier: MIT */
/* The http_scan kernel with NEON. */
#include "kernels.h"

#if FWS_NEON
#  include "http_scan_lookup.h"
#  include "intrinsics.h"

#  define SCAN_TARGET

/* An index past the table gives zero. */
static FWS_ALWAYS_INLINE uint8x16_t scan_look_up(const uint8_t table[16], uint8x16_t index) {
#  if FWS_ARM64
    return vqtbl1q_u8(vld1q_u8(table), index);
#  else
    uint8x8x2_t halves = {{vld1_u8(table), vld1_u8(table + 8)}};
    return vcombine_u8(vtbl2_u8(halves, vget_low_u8(index)), vtbl2_u8(halves, vget_high_u8(index)));
#  endif
}

/* 0xff for each byte of the class, else 0. */
static FWS_ALWAYS_INLINE uint8x16_t scan_in(const uint8_t class[16], uint8x16_t v) {
    uint8x16_t high = scan_look_up(scan_high, vshrq_n_u8(v, 4));
    return vtstq_u8(high, scan_look_up(class, vandq_u8(v, vdupq_n_u8(0x8f))));
}

/* Packs four vectors of 0x00 and 0xff into one bit for each byte: neighbours are added three times. */
static FWS_ALWAYS_INLINE uint64_t scan_pack(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d) {
    static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t bit = vld1q_u8(bits);
    uint8x16_t sums[4] = {vandq_u8(a, bit), vandq_u8(b, bit), vandq_u8(c, bit), vandq_u8(d, bit)};
    uint8x8_t pairs[4];
    for (int i = 0; i < 4; i++) pairs[i] = vpadd_u8(vget_low_u8(sums[i]), vget_high_u8(sums[i]));
    uint8x8_t first = vpadd_u8(pairs[0], pairs[1]), second = vpadd_u8(pairs[2], pairs[3]);
    return vget_lane_u64(vreinterpret_u64_u8(vpadd_u8(first, second)), 0);
}

static FWS_ALWAYS_INLINE void scan_block(uint64_t *controls, uint64_t *others, const uint8_t *src) {
    uint8x16_t a = vld1q_u8(src), b = vld1q_u8(src + 16), c = vld1q_u8(src + 32), d = vld1q_u8(src + 48);
    *controls = scan_pack(scan_in(scan_controls, a), scan_in(scan_controls, b), scan_in(scan_controls, c),
                          scan_in(scan_controls, d));
    *others = ~scan_pack(scan_in(scan_tokens, a), scan_in(scan_tokens, b), scan_in(scan_tokens, c),
                         scan_in(scan_tokens, d));
}

#  define SCAN_NAME fws_http_scan_neon
#  include "http_scan_blocks.h"
#endif
