/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with vectors, written once over a small vocabulary. The file that includes it has that of
 * mask_vector.h (whose functions it uses) and defines besides:
 *
 *   UTF8_TARGET          FWS_TARGET("<instruction set>"), or nothing
 *   vector_zero, vector_byte       all zeros; one byte in every place: (), (byte)
 *   vector_and, vector_less        (a, b): a & b; a - b, or 0 where b is larger
 *   vector_high, vector_low        (v): the upper and the lower 4 bits of each byte, as a number
 *   vector_lookup        the byte of a table for each index below 16: (table, index); the table is there once for every
 *                        16 bytes of the vector
 *   vector_before        the VECTOR_LEN bytes that end n bytes before the end of `here`, if `before` lies in front of
 *                        it: (before, here, n), n a constant from 1 to 3
 *   vector_is_zero       (v)
 *   vector_all_3, vector_any_of_2, vector_add_different   (a, b, c): a & b & c; (a | b) & c; a | (b ^ c)
 *   vector_load_short    loads len < 2 * VECTOR_LEN bytes into two vectors, zeros behind them, and reads nothing else:
 *                        (src, len, &a, &b)
 *
 * or, instead of the last, how to check a text that fits one register: SHORT_TEXT and the functions that belong to it
 * (utf8_avx512.h).
 *
 * The method is that of Keiser and Lemire, "Validating UTF-8 in less than one instruction per byte" (2021). Every
 * mistake shows in two bytes that follow each other, or in a continuation byte that is missing or too many after a lead
 * of three or four bytes. Three lookups, by the first byte's upper and lower half and by the second byte's upper half,
 * each give the set of mistakes that its half allows; what all three allow was made. What stands one, two and three
 * bytes before is loaded from there and not shifted out of registers: on Zen 4 that is faster by a third. */
#include "utf8_settle.h"

#include "utf8_tables.h"

static const uint8_t first_high_table[32] = {FIRST_HIGH, FIRST_HIGH};
static const uint8_t first_low_table[32] = {FIRST_LOW, FIRST_LOW};
static const uint8_t second_high_table[32] = {SECOND_HIGH, SECOND_HIGH};
static const uint8_t largest_at_end[32] = {BYTES_16(255), LARGEST_AT_END};

#define UTF8_INLINE UTF8_TARGET static FWS_ALWAYS_INLINE

/* A text of fewer bytes than this fits two vectors and needs no loop. */
#define SHORT_LEN (2 * VECTOR_LEN)

/* How much is checked block by block before it is looked for mistakes, and for more ASCII: after ASCII soon, because
 * the loop that skips it is faster, in other text later. */
#define LOOK_AFTER_ASCII 256
#define LOOK_AFTER_TEXT 1024

/* While so much is left, the text may lie beyond the first cache; and how far ahead it is fetched then. */
#define FAR_LEN 65536
#define FAR_AHEAD 1024

struct checker {
    VECTOR first_high, first_low, second_high;
    VECTOR mistakes;
};

UTF8_INLINE struct checker begin_check(void) {
    return (struct checker){vector_load(first_high_table), vector_load(first_low_table),
                            vector_load(second_high_table), vector_zero()};
}

/* The mistakes that the pairs of a byte of `here` and the one before it make. */
UTF8_INLINE VECTOR find_pairs(const struct checker *c, VECTOR here, VECTOR one) {
    return vector_all_3(vector_lookup(c->first_high, vector_high(one)), vector_lookup(c->first_low, vector_low(one)),
                        vector_lookup(c->second_high, vector_high(here)));
}

/* Bit 7 has to be set, and is in what find_pairs() returns, two bytes behind a lead of three or four bytes and three
 * bytes behind one of four. */
UTF8_INLINE void add_mistakes(struct checker *c, VECTOR pairs, VECTOR two, VECTOR three) {
    VECTOR needed = vector_any_of_2(vector_less(two, vector_byte(0xe0 - 0x80)),
                                    vector_less(three, vector_byte(0xf0 - 0x80)), vector_byte(0x80));
    c->mistakes = vector_add_different(c->mistakes, needed, pairs);
    FWS_KEEP_VECTOR(c->mistakes);
}

/* Checks the vector at text; the 3 bytes before it are part of the text. */
UTF8_INLINE void check_at(struct checker *c, const uint8_t *text) {
    VECTOR one = vector_load(text - 1);
    FWS_KEEP_VECTOR(one);
    VECTOR pairs = find_pairs(c, vector_load(text), one);
    add_mistakes(c, pairs, vector_load(text - 2), vector_load(text - 3));
}

/* Checks a vector in a register, behind another. */
UTF8_INLINE void check_behind(struct checker *c, VECTOR before, VECTOR here) {
    VECTOR pairs = find_pairs(c, here, vector_before(before, here, 1));
    add_mistakes(c, pairs, vector_before(before, here, 2), vector_before(before, here, 3));
}

/* Not zero if the VECTOR_LEN bytes before text end inside a character: if ASCII is next, that is a mistake. */
UTF8_INLINE VECTOR find_open(const uint8_t *text) {
    return vector_less(vector_load(text - VECTOR_LEN), vector_load(largest_at_end + 32 - VECTOR_LEN));
}

UTF8_INLINE void check_closed(struct checker *c, const uint8_t *text) {
    c->mistakes = vector_or(c->mistakes, find_open(text));
}

UTF8_INLINE int is_ascii_block(const uint8_t *text) {
    return vector_is_ascii(vector_or(vector_load(text), vector_load(text + VECTOR_LEN)));
}

/* Skips ASCII from text + i on, in steps of two vectors. Returns where it ends, or where fewer are left. */
UTF8_INLINE size_t skip_ascii_blocks(const uint8_t *text, size_t i, size_t len) {
    while (len - i >= 2 * SHORT_LEN) {
        VECTOR a = vector_or(vector_load(text + i), vector_load(text + i + VECTOR_LEN));
        VECTOR b = vector_or(vector_load(text + i + 2 * VECTOR_LEN), vector_load(text + i + 3 * VECTOR_LEN));
        if (!vector_is_ascii(vector_or(a, b))) return vector_is_ascii(a) ? i + SHORT_LEN : i;
        i += 2 * SHORT_LEN;
    }
    return len - i >= SHORT_LEN && is_ascii_block(text + i) ? i + SHORT_LEN : i;
}

#ifndef SHORT_TEXT
/* A text that fits two vectors, zeros behind it. */
struct short_text {
    VECTOR a, b;
};
#  define SHORT_TEXT struct short_text

/* Loads len <= SHORT_LEN bytes; with slop, by reading SHORT_LEN. */
UTF8_INLINE struct short_text short_load(const uint8_t *src, size_t len, size_t slop) {
    struct short_text text;
    if (slop < FWS_SLOP && len < SHORT_LEN) {
        vector_load_short(src, len, &text.a, &text.b);
        return text;
    }
    text.a = vector_load(src);
    text.b = vector_load(src + VECTOR_LEN);
    if (len == SHORT_LEN) return text;
    const uint8_t *mask = keep_table + 64 - len;
    text.a = vector_and(text.a, vector_load(mask));
    text.b = vector_and(text.b, vector_load(mask + VECTOR_LEN));
    return text;
}

/* a and b were loaded with slop. */
UTF8_INLINE struct short_text short_unmask(VECTOR a, VECTOR b, size_t len, uint32_t key) {
    const uint8_t *mask = keep_table + 64 - len;
    return (struct short_text){vector_and(vector_xor(a, vector_splat(key)), vector_load(mask)),
                               vector_and(vector_xor(b, vector_splat(key)), vector_load(mask + VECTOR_LEN))};
}

UTF8_INLINE int short_is_ascii(struct short_text text) { return vector_is_ascii(vector_or(text.a, text.b)); }

/* In the zeros, and at the end of the second vector, an open character counts as a mistake, which the scalar row then
 * puts right. */
UTF8_INLINE int short_is_good(struct short_text text) {
    struct checker c = begin_check();
    check_behind(&c, vector_zero(), text.a);
    check_behind(&c, text.a, text.b);
    c.mistakes = vector_or(c.mistakes, vector_less(text.b, vector_load(largest_at_end + 32 - VECTOR_LEN)));
    return vector_is_zero(c.mistakes);
}
#endif

UTF8_INLINE size_t check_short(struct fws_utf8_state *state, SHORT_TEXT in_registers, const uint8_t *text, size_t len) {
    if (FWS_UNLIKELY(!short_is_good(in_registers))) return settle(state, text, 0, len);
    state->non_ascii = 1;
    return len;
}

/* The end, of fewer than two vectors; the last of them may cover bytes that were checked before. */
UTF8_INLINE void check_end(struct checker *c, const uint8_t *text, size_t i, size_t len) {
    if (len - i >= VECTOR_LEN) check_at(c, text + i);
    if (len - i != VECTOR_LEN) check_at(c, text + len - VECTOR_LEN);
}

UTF8_INLINE int is_ascii_end(const uint8_t *text, size_t i, size_t len) {
    VECTOR seen = vector_load(text + len - VECTOR_LEN);
    if (len - i > VECTOR_LEN) seen = vector_or(seen, vector_load(text + i));
    return vector_is_ascii(seen);
}

/* Where ASCII ends, a branch is guessed wrong, and until that is known nothing is loaded ahead: from the second-level
 * cache and beyond, that takes longer than the guess. Worth a quarter of the time on Zen 4 with one letter in 1 KiB. */
UTF8_INLINE void prefetch_far(const uint8_t *text) {
    for (size_t ahead = FAR_AHEAD; ahead < 2 * FAR_AHEAD; ahead += 4 * VECTOR_LEN) vector_prefetch(text + ahead);
}

/* The rest of a text, text[i, len), shorter than two vectors. */
UTF8_INLINE size_t check_rest(struct checker *c, struct fws_utf8_state *state, const uint8_t *text, size_t i,
                              size_t len) {
    if (i < len && is_ascii_end(text, i, len)) {
        check_closed(c, text + i);
        return vector_is_zero(c->mistakes) ? len : settle(state, text, i, len);
    }
    if (i < len) {
        state->non_ascii = 1;
        check_end(c, text, i, len);
        if (!vector_is_zero(c->mistakes)) return settle(state, text, i, len);
    }
    return is_open_at_end(text, len) ? settle(state, text, len, len) : len;
}

/* Checks text[i, end), whole blocks. Text that has a little of both in every line, as JSON has, takes the two branches
 * in turn: on Zen 4 a branch guessed wrong costs less than to check the ASCII as well.
 *   open   what find_open() found at text + i; afterwards at text + end, or zero */
UTF8_INLINE void check_blocks(struct checker *c, const uint8_t *text, size_t i, size_t end, VECTOR *open) {
    for (; i < end; i += SHORT_LEN) {
        if (is_ascii_block(text + i)) {
            c->mistakes = vector_or(c->mistakes, *open);
        } else {
            check_at(c, text + i);
            check_at(c, text + i + VECTOR_LEN);
            *open = find_open(text + i + SHORT_LEN);
        }
    }
}

/* Checks text[i, len), in which not all is ASCII unless it is shorter than a block. The text is longer than SHORT_LEN;
 * before i it is good, its last character may be open, and i is at least VECTOR_LEN. Looks for mistakes often, so what
 * the scalar row checks again is short whatever a peer sends.
 * Returns what utf8 returns for text[0, len). */
UTF8_INLINE size_t check_on(struct checker *c, struct fws_utf8_state *state, const uint8_t *text, size_t i,
                            size_t len) {
    size_t look_after = LOOK_AFTER_ASCII;
    VECTOR open = find_open(text + i);
    while (len - i >= SHORT_LEN) {
        size_t end = i + (len - i >= look_after ? look_after : (len - i) / SHORT_LEN * SHORT_LEN);
        check_blocks(c, text, i, end, &open);
        state->non_ascii = 1;
        if (FWS_UNLIKELY(!vector_is_zero(c->mistakes))) return settle(state, text, i, len);
        i = end;
        look_after = LOOK_AFTER_TEXT;
        if (len - i >= SHORT_LEN && is_ascii_block(text + i - SHORT_LEN)) {
            i = skip_ascii_blocks(text, i, len);
            look_after = LOOK_AFTER_ASCII;
            if (len - i >= FAR_LEN) prefetch_far(text + i);
        }
    }
    return check_rest(c, state, text, i, len);
}

/* Checks a text that is longer than SHORT_LEN, from its start. */
UTF8_TARGET static FWS_NOINLINE size_t check_long(struct fws_utf8_state *state, const uint8_t *text, size_t len) {
    size_t i = skip_ascii_blocks(text, 0, len);
    struct checker c = begin_check();
    if (i > 0) return check_on(&c, state, text, i, len);
    VECTOR a = vector_load(text), b = vector_load(text + VECTOR_LEN);
    check_behind(&c, vector_zero(), a);
    check_behind(&c, a, b);
    if (!vector_is_zero(c.mistakes)) return settle(state, text, 0, len);
    state->non_ascii = 1;
    return check_on(&c, state, text, SHORT_LEN, len);
}

/* Passing the arguments on as they are, here and in the kernel, needs no stack. */
UTF8_INLINE size_t check_fitting(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop) {
    SHORT_TEXT text = short_load(src, len, slop);
    if (short_is_ascii(text)) return len;
    return check_short(state, text, src, len);
}

UTF8_TARGET static FWS_NOINLINE size_t check_resumed(struct fws_utf8_state *state, const uint8_t *src, size_t len,
                                                     size_t slop) {
    size_t i = resume(state, src, len);
    if (state->dfa != 0) return i;
    if (len - i > SHORT_LEN) return i + check_long(state, src + i, len - i);
    return i + check_fitting(state, src + i, len - i, slop);
}

/* The utf8 kernel. */
UTF8_INLINE size_t utf8_vector(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop) {
    if (FWS_UNLIKELY(state->dfa != 0)) return check_resumed(state, src, len, slop);
    if (len > SHORT_LEN) return check_long(state, src, len);
    return check_fitting(state, src, len, slop);
}

typedef size_t utf8_kernel(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop);

static FWS_NOINLINE int is_long_good(const uint8_t *src, size_t len, utf8_kernel *kernel) {
    struct fws_utf8_state state = {0, 0};
    return kernel(&state, src, len, 0) == len && state.dfa == 0;
}

/* The is_utf8 kernel; what it has for a text that is not short is the utf8 kernel of its row. A short text needs no
 * state, as what is open at its end is a mistake like any other, and no stack: gcc aligns that of a function with large
 * vectors, and what it stores there makes later loads from the same place in any other page wait. */
UTF8_INLINE int is_utf8_vector(const uint8_t *src, size_t len, utf8_kernel *kernel) {
    if (len > SHORT_LEN) return is_long_good(src, len, kernel);
    SHORT_TEXT text = short_load(src, len, 0);
    return short_is_ascii(text) || short_is_good(text);
}
