/* SPDX-License-Identifier: MIT */
/* The answer to a key with the SHA instructions of x86. */
#include "intrinsics.h"
#include "kernels.h"

#if FWS_X86
#  include "accept_words.h"

#  define TARGET FWS_TARGET("sha,sse4.1")

/* The instructions keep A and the first of four words in the highest lane. */
#  define FOUR(words, i)                                                                                               \
      _mm_set_epi32((int)(words)[i], (int)(words)[(i) + 1], (int)(words)[(i) + 2], (int)(words)[(i) + 3])

/* Four rounds. E is A of four rounds before, turned by 30 bits: SHA1NEXTE does that and adds the words. */
#  define ROUNDS_4(f, words)                                                                                           \
      do {                                                                                                             \
          __m128i e_words = _mm_sha1nexte_epu32(before, words);                                                        \
          before = abcd;                                                                                               \
          abcd = _mm_sha1rnds4_epu32(abcd, e_words, f);                                                                \
      } while (0)

/* The same with the next four words of the schedule, which take the place of the oldest four. */
#  define ROUNDS_4_MIXED(f, w0, w1, w2, w3)                                                                            \
      do {                                                                                                             \
          w0 = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w0, w1), w2), w3);                                  \
          ROUNDS_4(f, w0);                                                                                             \
      } while (0)

#  define ROUNDS_16_MIXED(f0, f1, f2, f3)                                                                              \
      do {                                                                                                             \
          ROUNDS_4_MIXED(f0, w0, w1, w2, w3);                                                                          \
          ROUNDS_4_MIXED(f1, w1, w2, w3, w0);                                                                          \
          ROUNDS_4_MIXED(f2, w2, w3, w0, w1);                                                                          \
          ROUNDS_4_MIXED(f3, w3, w0, w1, w2);                                                                          \
      } while (0)

#  define ROUNDS_4_LAST(f, i) ROUNDS_4(f, FOUR(accept_last_words, i))
#  define ROUNDS_20_LAST(f, i)                                                                                         \
      do {                                                                                                             \
          ROUNDS_4_LAST(f, i);                                                                                         \
          ROUNDS_4_LAST(f, (i) + 4);                                                                                   \
          ROUNDS_4_LAST(f, (i) + 8);                                                                                   \
          ROUNDS_4_LAST(f, (i) + 12);                                                                                  \
          ROUNDS_4_LAST(f, (i) + 16);                                                                                  \
      } while (0)

struct hash_state {
    __m128i abcd; /* A in the highest lane */
    __m128i e;    /* in the highest lane; 0 in the others */
};

/* The first block. head is key[0, 16), tail is key[8, 24). */
TARGET static FWS_ALWAYS_INLINE struct hash_state hash_key(__m128i head, __m128i tail) {
    const __m128i backwards = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m128i w0 = _mm_shuffle_epi8(head, backwards);
    __m128i w1 = _mm_unpacklo_epi64(_mm_set_epi32(0, 0, (int)accept_first_words[0], (int)accept_first_words[1]),
                                    _mm_shuffle_epi8(tail, backwards));
    __m128i w2 = FOUR(accept_first_words, 2), w3 = FOUR(accept_first_words, 6);

    const __m128i abcd_0 = FOUR(accept_initial_state, 0);
    const __m128i e_0 = _mm_set_epi32((int)accept_initial_state[4], 0, 0, 0);
    __m128i before = abcd_0;
    __m128i abcd = _mm_sha1rnds4_epu32(abcd_0, _mm_add_epi32(e_0, w0), 0);
    ROUNDS_4(0, w1);
    ROUNDS_4(0, w2);
    ROUNDS_4(0, w3);
    ROUNDS_16_MIXED(0, 1, 1, 1);
    ROUNDS_16_MIXED(1, 1, 2, 2);
    ROUNDS_16_MIXED(2, 2, 2, 3);
    ROUNDS_16_MIXED(3, 3, 3, 3);

    return (struct hash_state){_mm_add_epi32(abcd, abcd_0), _mm_sha1nexte_epu32(before, e_0)};
}

/* The second block, which is always the same. */
TARGET static FWS_ALWAYS_INLINE struct hash_state hash_rest(struct hash_state first) {
    __m128i before = first.abcd;
    __m128i abcd = _mm_sha1rnds4_epu32(first.abcd, first.e, 0); /* the first words are 0 */
    ROUNDS_4_LAST(0, 4);
    ROUNDS_4_LAST(0, 8);
    ROUNDS_4_LAST(0, 12);
    ROUNDS_4_LAST(0, 16);
    ROUNDS_20_LAST(1, 20);
    ROUNDS_20_LAST(2, 40);
    ROUNDS_20_LAST(3, 60);
    return (struct hash_state){_mm_add_epi32(abcd, first.abcd), _mm_sha1nexte_epu32(before, first.e)};
}

#  define TURN_LANES _MM_SHUFFLE(0, 1, 2, 3)

TARGET static FWS_ALWAYS_INLINE void store_state(uint32_t state[5], struct hash_state hash) {
    _mm_storeu_si128((__m128i *)(void *)state, _mm_shuffle_epi32(hash.abcd, TURN_LANES));
    state[4] = (uint32_t)_mm_extract_epi32(hash.e, 3);
}

TARGET static FWS_ALWAYS_INLINE struct hash_state load_state(const uint32_t state[5]) {
    __m128i abcd = _mm_loadu_si128((const __m128i *)(const void *)state);
    return (struct hash_state){_mm_shuffle_epi32(abcd, TURN_LANES), _mm_set_epi32((int)state[4], 0, 0, 0)};
}

/* Turns groups of three bytes b0 b1 b2, each laid out as b1 b0 b2 b1, into four letters each. RFC 4648 section 4. */
TARGET static FWS_ALWAYS_INLINE __m128i letters(__m128i groups) {
    /* Six bits to a byte: multiplication moves each field to its place. */
    __m128i high = _mm_mulhi_epu16(_mm_and_si128(groups, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040));
    __m128i low = _mm_mullo_epi16(_mm_and_si128(groups, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010));
    __m128i values = _mm_or_si128(high, low);
    /* 13 stands for A-Z, 0 for a-z, 1 to 10 for the digits, 11 and 12 for + and /: what to add to reach the letter. */
    __m128i kind = _mm_or_si128(_mm_subs_epu8(values, _mm_set1_epi8(51)),
                                _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), values), _mm_set1_epi8(13)));
    const __m128i offsets = _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                          '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    return _mm_add_epi8(values, _mm_shuffle_epi8(offsets, kind));
}

/* Digest bytes 0 to 11 give 16 letters, 9 to 19 the last 16: four are written twice. */
TARGET static FWS_ALWAYS_INLINE void encode(char out[FWS_ACCEPT_LEN], struct hash_state digest) {
    /* Byte n of the digest is byte 15 - n of abcd, and byte 19 - n of the other. */
    __m128i first = _mm_shuffle_epi8(
        digest.abcd, _mm_setr_epi8(14, 15, 13, 14, 11, 12, 10, 11, 8, 9, 7, 8, 5, 6, 4, 5));
    __m128i second = _mm_shuffle_epi8(_mm_alignr_epi8(digest.abcd, digest.e, 12),
                                      _mm_setr_epi8(9, 10, 8, 9, 6, 7, 5, 6, 3, 4, 2, 3, 0, 1, -1, 0));
    _mm_storeu_si128((__m128i *)out, letters(first));
    _mm_storeu_si128((__m128i *)(out + FWS_ACCEPT_LEN - 16), letters(second));
    out[FWS_ACCEPT_LEN - 1] = '=';
}

/* What a byte of a key can be. The first four bits together are the alphabet. */
enum {
    SIGN = 1 << 0,         /* + / */
    DIGIT = 1 << 1,        /* 0-9 */
    A_TO_O = 1 << 2,       /* and a-o */
    P_TO_Z = 1 << 3,       /* and p-z */
    LETTER = SIGN | DIGIT | A_TO_O | P_TO_Z,
    SPARE_0_UPPER = 1 << 4, /* A Q: the last four bits of the value are 0 */
    SPARE_0_LOWER = 1 << 5, /* g w */
    PAD = 1 << 6
};

/* Returns 0 in each byte that is none of the kinds wanted there: those that its low half may have are not those that
 * its high half may have. */
TARGET static FWS_ALWAYS_INLINE __m128i kinds(__m128i text, __m128i wanted) {
    const __m128i of_low = _mm_setr_epi8(
        DIGIT | P_TO_Z, DIGIT | A_TO_O | P_TO_Z | SPARE_0_UPPER, DIGIT | A_TO_O | P_TO_Z, DIGIT | A_TO_O | P_TO_Z,
        DIGIT | A_TO_O | P_TO_Z, DIGIT | A_TO_O | P_TO_Z, DIGIT | A_TO_O | P_TO_Z,
        DIGIT | A_TO_O | P_TO_Z | SPARE_0_LOWER, DIGIT | A_TO_O | P_TO_Z, DIGIT | A_TO_O | P_TO_Z, A_TO_O | P_TO_Z,
        SIGN | A_TO_O, A_TO_O, A_TO_O | PAD, A_TO_O, SIGN | A_TO_O);
    const __m128i of_high = _mm_setr_epi8(0, 0, SIGN, DIGIT | PAD, A_TO_O | SPARE_0_UPPER, P_TO_Z | SPARE_0_UPPER,
                                          A_TO_O | SPARE_0_LOWER, P_TO_Z | SPARE_0_LOWER, 0, 0, 0, 0, 0, 0, 0, 0);
    __m128i low = _mm_shuffle_epi8(of_low, text); /* 0 from 0x80 up */
    __m128i high = _mm_shuffle_epi8(of_high, _mm_and_si128(_mm_srli_epi16(text, 4), _mm_set1_epi8(15)));
    return _mm_and_si128(_mm_and_si128(low, high), wanted);
}

/* 21 letters, one whose spare bits are 0, two pads. */
TARGET static FWS_ALWAYS_INLINE int is_key(__m128i head, __m128i tail) {
    const __m128i letter = _mm_set1_epi8(LETTER);
    const __m128i end = _mm_setr_epi8(LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER,
                                      LETTER, LETTER, LETTER, SPARE_0_UPPER | SPARE_0_LOWER, PAD, PAD);
    __m128i worst = _mm_min_epu8(kinds(head, letter), kinds(tail, end));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(worst, _mm_setzero_si128())) == 0;
}

FWS_ENTRY TARGET int fws_accept_sha(char *out, uint32_t state[5], const uint8_t *key) {
    struct hash_state hash;
    if (key != NULL) {
        __m128i head = _mm_loadu_si128((const __m128i *)(const void *)key);
        __m128i tail = _mm_loadu_si128((const __m128i *)(const void *)(key + FWS_KEY_LEN - 16));
        if (!is_key(head, tail)) return 0;
        hash = hash_key(head, tail);
    } else {
        hash = load_state(state);
    }
    if (out == NULL) {
        store_state(state, hash);
    } else {
        encode(out, hash_rest(hash));
    }
    return 1;
}
#endif
