/* SPDX-License-Identifier: MIT */
/* The SSE2 mask as inline code: mask_sse2(dst, src, len, key). */
#ifndef FWS_MASK_SSE2_H
#define FWS_MASK_SSE2_H

#include "intrinsics.h"
#include "mask_words.h"

#define MASK_NAME mask_sse2
#define MASK_TARGET FWS_TARGET("sse2")
#define VECTOR __m128i
#define VECTOR_LEN 16
#define vector_splat(key) _mm_set1_epi32((int)(key))
#define vector_load(src) _mm_loadu_si128((const __m128i *)(const void *)(src))
#define vector_store(dst, v) _mm_storeu_si128((__m128i *)(void *)(dst), v)
#define vector_store_aligned(dst, v) _mm_store_si128((__m128i *)(void *)(dst), v)
#define vector_prefetch(src) ((void)(src))
#define vector_xor(a, b) _mm_xor_si128(a, b)
#define vector_or(a, b) _mm_or_si128(a, b)
#define vector_is_ascii(v) (_mm_movemask_epi8(v) == 0)
#include "mask_vector.h"

#endif
