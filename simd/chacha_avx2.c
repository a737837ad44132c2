/* SPDX-License-Identifier: MIT */
/* ChaCha20 with AVX2: two blocks in a vector. */
#include "kernels.h"

#if FWS_X86
#  include "intrinsics.h"

#  define CHACHA_NAME fws_chacha_avx2
#  define CHACHA_TARGET FWS_TARGET("avx2")
#  define CHACHA_VECTOR __m256i
#  define CHACHA_VECTOR_BLOCKS 2
#  define words_load_row(src) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(src)))
#  define words_counters(n) _mm256_setr_epi32((int)(n), 0, 0, 0, (int)((n) + 1), 0, 0, 0)
#  define words_add(a, b) _mm256_add_epi32(a, b)
#  define words_xor(a, b) _mm256_xor_si256(a, b)
#  define words_rotate(v, n)                                                                                         \
      ((n) % 8 == 0 ? _mm256_shuffle_epi8(v, rotated_avx2(n))                                                          \
                    : _mm256_or_si256(_mm256_slli_epi32(v, n), _mm256_srli_epi32(v, 32 - (n))))
#  define words_turn(v, n) _mm256_shuffle_epi32(v, (n) == 1 ? 0x39 : (n) == 2 ? 0x4e : 0x93)
#  define words_store_blocks(dst, a, b, c, d) store_2_blocks(dst, a, b, c, d)

/* Where the bytes of a rotated word come from: by whole bytes it takes one step. */
CHACHA_TARGET static FWS_ALWAYS_INLINE __m256i rotated_avx2(int n) {
    return _mm256_broadcastsi128_si256(n == 16
                                           ? _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
                                           : _mm_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));
}

/* Halves of vectors, row by row, become vectors, block by block. */
CHACHA_TARGET static FWS_ALWAYS_INLINE void store_2_blocks(uint8_t *dst, __m256i a, __m256i b, __m256i c, __m256i d) {
    _mm256_storeu_si256((__m256i *)(void *)dst, _mm256_permute2x128_si256(a, b, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)(dst + 32), _mm256_permute2x128_si256(c, d, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)(dst + 64), _mm256_permute2x128_si256(a, b, 0x31));
    _mm256_storeu_si256((__m256i *)(void *)(dst + 96), _mm256_permute2x128_si256(c, d, 0x31));
}

#  include "chacha_vector.h"
#endif
