/* SPDX-License-Identifier: MIT */
/* ChaCha20 with AVX-512: four blocks in a vector, whose words it rotates in one step. */
#include "kernels.h"

#if FWS_X86
#  include "intrinsics.h"

#  define CHACHA_NAME fws_chacha_avx512
#  define CHACHA_TARGET FWS_TARGET("avx512f,avx512bw,avx512vl")
#  define CHACHA_VECTOR __m512i
#  define CHACHA_VECTOR_BLOCKS 4
#  define words_load_row(src) _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(src)))
#  define words_counters(n) counters_avx512((int)(n))
#  define words_add(a, b) _mm512_add_epi32(a, b)
#  define words_xor(a, b) _mm512_xor_si512(a, b)
#  define words_rotate(v, n) _mm512_rol_epi32(v, n)
#  define words_turn(v, n) _mm512_shuffle_epi8(v, turn_avx512(n))
#  define words_store_blocks(dst, a, b, c, d) store_4_blocks(dst, a, b, c, d)

CHACHA_TARGET static FWS_ALWAYS_INLINE __m512i counters_avx512(int n) {
    return _mm512_setr_epi32(n, 0, 0, 0, n + 1, 0, 0, 0, n + 2, 0, 0, 0, n + 3, 0, 0, 0);
}

/* Where the bytes of a turned vector come from. */
CHACHA_TARGET static FWS_ALWAYS_INLINE __m512i turn_avx512(int n) {
    return _mm512_broadcast_i32x4(
        n == 1   ? _mm_setr_epi8(4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3)
        : n == 2 ? _mm_setr_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
                 : _mm_setr_epi8(12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
}

/* Quarters of vectors, row by row, become vectors, block by block. */
CHACHA_TARGET static FWS_ALWAYS_INLINE void store_4_blocks(uint8_t *dst, __m512i a, __m512i b, __m512i c, __m512i d) {
    __m512i ab_01 = _mm512_shuffle_i32x4(a, b, 0x44), ab_23 = _mm512_shuffle_i32x4(a, b, 0xee);
    __m512i cd_01 = _mm512_shuffle_i32x4(c, d, 0x44), cd_23 = _mm512_shuffle_i32x4(c, d, 0xee);
    _mm512_storeu_si512(dst, _mm512_shuffle_i32x4(ab_01, cd_01, 0x88));
    _mm512_storeu_si512(dst + 64, _mm512_shuffle_i32x4(ab_01, cd_01, 0xdd));
    _mm512_storeu_si512(dst + 128, _mm512_shuffle_i32x4(ab_23, cd_23, 0x88));
    _mm512_storeu_si512(dst + 192, _mm512_shuffle_i32x4(ab_23, cd_23, 0xdd));
}

#  include "chacha_vector.h"
#endif
