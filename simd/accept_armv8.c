/* SPDX-License-Identifier: MIT */
/* The answer to a key with the SHA-1 instructions of ARMv8. */
#include "intrinsics.h"
#include "kernels.h"

#if FWS_ARM_SHA
#  include "../src/base64.h"
#  include "accept_words.h"

#  define TARGET FWS_TARGET(FWS_ARM_SHA_TARGET)

#  define KEY_SIZE 16 /* bytes that a key encodes: RFC 6455 4.1, item 7 */
#  define DIGEST_LEN 20

/* Four rounds of the function that the instruction is for: c(hoose), p(arity) or m(ajority). The next E is A of now,
 * turned by 30 bits. */
#  define ROUNDS_4(f, k, words)                                                                                        \
      do {                                                                                                             \
          uint32_t next_e = vsha1h_u32(vgetq_lane_u32(abcd, 0));                                                       \
          abcd = vsha1##f##q_u32(abcd, e, vaddq_u32(words, vdupq_n_u32(k)));                                           \
          e = next_e;                                                                                                  \
      } while (0)

/* The same with the next four words of the schedule, which take the place of the oldest four. */
#  define ROUNDS_4_MIXED(f, k, w0, w1, w2, w3)                                                                         \
      do {                                                                                                             \
          w0 = vsha1su1q_u32(vsha1su0q_u32(w0, w1, w2), w3);                                                           \
          ROUNDS_4(f, k, w0);                                                                                          \
      } while (0)

#  define ROUNDS_20_MIXED(f, k, w0, w1, w2, w3)                                                                        \
      do {                                                                                                             \
          ROUNDS_4_MIXED(f, k, w0, w1, w2, w3);                                                                        \
          ROUNDS_4_MIXED(f, k, w1, w2, w3, w0);                                                                        \
          ROUNDS_4_MIXED(f, k, w2, w3, w0, w1);                                                                        \
          ROUNDS_4_MIXED(f, k, w3, w0, w1, w2);                                                                        \
          ROUNDS_4_MIXED(f, k, w0, w1, w2, w3);                                                                        \
      } while (0)

#  define ROUNDS_20_LAST(f, k, i)                                                                                      \
      do {                                                                                                             \
          ROUNDS_4(f, k, vld1q_u32(accept_last_words + (i)));                                                          \
          ROUNDS_4(f, k, vld1q_u32(accept_last_words + (i) + 4));                                                      \
          ROUNDS_4(f, k, vld1q_u32(accept_last_words + (i) + 8));                                                      \
          ROUNDS_4(f, k, vld1q_u32(accept_last_words + (i) + 12));                                                     \
          ROUNDS_4(f, k, vld1q_u32(accept_last_words + (i) + 16));                                                     \
      } while (0)

TARGET static FWS_ALWAYS_INLINE void hash_key(uint32_t state[5], const uint8_t key[FWS_KEY_LEN]) {
    uint32x4_t w0 = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(key)));
    uint32x4_t w1 = vcombine_u32(vreinterpret_u32_u8(vrev32_u8(vld1_u8(key + 16))), vld1_u32(accept_first_words));
    uint32x4_t w2 = vld1q_u32(accept_first_words + 2), w3 = vld1q_u32(accept_first_words + 6);

    const uint32x4_t abcd_0 = vld1q_u32(accept_initial_state);
    uint32x4_t abcd = abcd_0;
    uint32_t e = accept_initial_state[4];
    ROUNDS_4(c, 0x5a827999, w0);
    ROUNDS_4(c, 0x5a827999, w1);
    ROUNDS_4(c, 0x5a827999, w2);
    ROUNDS_4(c, 0x5a827999, w3);
    ROUNDS_4_MIXED(c, 0x5a827999, w0, w1, w2, w3);
    ROUNDS_20_MIXED(p, 0x6ed9eba1, w1, w2, w3, w0);
    ROUNDS_20_MIXED(m, 0x8f1bbcdc, w2, w3, w0, w1);
    ROUNDS_20_MIXED(p, 0xca62c1d6, w3, w0, w1, w2);

    vst1q_u32(state, vaddq_u32(abcd, abcd_0));
    state[4] = e + accept_initial_state[4];
}

TARGET static FWS_ALWAYS_INLINE void hash_rest(uint8_t digest[DIGEST_LEN], const uint32_t state[5]) {
    const uint32x4_t abcd_1 = vld1q_u32(state);
    const uint32_t e_1 = state[4];
    uint32x4_t abcd = abcd_1;
    uint32_t e = e_1;
    ROUNDS_20_LAST(c, 0x5a827999, 0);
    ROUNDS_20_LAST(p, 0x6ed9eba1, 20);
    ROUNDS_20_LAST(m, 0x8f1bbcdc, 40);
    ROUNDS_20_LAST(p, 0xca62c1d6, 60);
    vst1q_u8(digest, vrev32q_u8(vreinterpretq_u8_u32(vaddq_u32(abcd, abcd_1))));
    fws_store_be32(digest + 16, e + e_1);
}

TARGET int fws_accept_armv8(char *out, uint32_t state[5], const uint8_t *key) {
    if (key != NULL) {
        if (!fws_base64_is_encoding(key, FWS_KEY_LEN, KEY_SIZE)) return 0;
        hash_key(state, key);
    }
    if (out == NULL) return 1;
    uint8_t digest[DIGEST_LEN];
    hash_rest(digest, state);
    fws_base64_encode(out, digest, DIGEST_LEN);
    return 1;
}
#endif
