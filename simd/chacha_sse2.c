/* SPDX-License-Identifier: MIT */
/* ChaCha20 with SSE2. */
#include "kernels.h"

#if FWS_X86
#  include "intrinsics.h"

#  define CHACHA_NAME fws_chacha_sse2
#  define CHACHA_TARGET FWS_TARGET("sse2")
#  define CHACHA_VECTOR __m128i
#  define CHACHA_VECTOR_BLOCKS 1
#  define words_load_row(src) _mm_loadu_si128((const __m128i *)(const void *)(src))
#  define words_counters(n) _mm_cvtsi32_si128((int)(n))
#  define words_add(a, b) _mm_add_epi32(a, b)
#  define words_xor(a, b) _mm_xor_si128(a, b)
#  define words_rotate(v, n) _mm_or_si128(_mm_slli_epi32(v, n), _mm_srli_epi32(v, 32 - (n)))
#  define words_turn(v, n) _mm_shuffle_epi32(v, (n) == 1 ? 0x39 : (n) == 2 ? 0x4e : 0x93)
#  define words_store_blocks(dst, a, b, c, d) store_block_sse2(dst, a, b, c, d)

CHACHA_TARGET static FWS_ALWAYS_INLINE void store_block_sse2(uint8_t *dst, __m128i a, __m128i b, __m128i c,
                                                             __m128i d) {
    _mm_storeu_si128((__m128i *)(void *)dst, a);
    _mm_storeu_si128((__m128i *)(void *)(dst + 16), b);
    _mm_storeu_si128((__m128i *)(void *)(dst + 32), c);
    _mm_storeu_si128((__m128i *)(void *)(dst + 48), d);
}

#  include "chacha_vector.h"
#endif
