/* SPDX-License-Identifier: MIT */
/* The AVX2 mask as inline code: mask_avx2(dst, src, len, key). */
#ifndef FWS_MASK_AVX2_H
#define FWS_MASK_AVX2_H

#include "intrinsics.h"
#include "mask_words.h"

FWS_TARGET("avx2") static FWS_ALWAYS_INLINE int mask_16_to_31(uint8_t *dst, const uint8_t *src, size_t len,
                                                               uint32_t key) {
    __m128i key_start = _mm_set1_epi32((int)key), key_end = _mm_set1_epi32((int)fws_rotate_key(key, len));
    __m128i a = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)src), key_start);
    __m128i b = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(src + len - 16)), key_end);
    _mm_storeu_si128((__m128i *)(void *)dst, a);
    _mm_storeu_si128((__m128i *)(void *)(dst + len - 16), b);
    return _mm_movemask_epi8(_mm_or_si128(a, b)) == 0;
}

#define MASK_NAME mask_avx2
#define MASK_TARGET FWS_TARGET("avx2")
#define MASK_16_TO_VECTOR mask_16_to_31
#define VECTOR __m256i
#define VECTOR_LEN 32
#define vector_splat(key) _mm256_set1_epi32((int)(key))
#define vector_load(src) _mm256_loadu_si256((const __m256i *)(const void *)(src))
#define vector_store(dst, v) _mm256_storeu_si256((__m256i *)(void *)(dst), v)
#define vector_store_aligned(dst, v) _mm256_store_si256((__m256i *)(void *)(dst), v)
#define vector_prefetch(src)                                                                                           \
    do {                                                                                                               \
        _mm_prefetch((const char *)(src), _MM_HINT_T0);                                                                \
        _mm_prefetch((const char *)(src) + 64, _MM_HINT_T0);                                                           \
    } while (0)
#define vector_xor(a, b) _mm256_xor_si256(a, b)
#define vector_or(a, b) _mm256_or_si256(a, b)
#define vector_is_ascii(v) (_mm256_movemask_epi8(v) == 0)
#include "mask_vector.h"

#endif
