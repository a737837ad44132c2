/* SPDX-License-Identifier: MIT */
/* Unmasking and UTF-8 checking in one pass, written once over the vocabularies and functions of mask_vector.h and
 * utf8_vector.h, which the file that includes it has included before.
 *
 * A payload of ASCII is never loaded twice: the mask looks at what it stores. From the first block that is not ASCII,
 * the check follows the mask at a distance, and loads from the destination what it needs one, two and three bytes
 * before: that far behind, the stores are in the cache. Checked in the registers in which it was unmasked, the text
 * would have to be shifted there, or unmasked four times. */
#ifndef FWS_MASK_UTF8_VECTOR_H
#define FWS_MASK_UTF8_VECTOR_H

/* The check stays so far behind the mask that no load waits for a store: at 384 bytes it takes a quarter longer on Zen
 * 4, at 256 half as long again; at 768 a text of 4 KiB takes a few percent longer, as more is left for its end. */
#define FOLLOW_AT 640

/* One step of mask and check. */
#define STEP_LEN (4 * VECTOR_LEN)

struct follower {
    struct checker checker;
    size_t masked;   /* dst[0, masked) is unmasked */
    size_t good;     /* dst[0, good) is good text, whose last character may be open */
    size_t text_end; /* from here on to masked there is ASCII only */
};

UTF8_INLINE int mask_step(uint8_t *dst, const uint8_t *src, VECTOR key) {
    VECTOR a = MASK_AT(0, key), b = MASK_AT(VECTOR_LEN, key);
    VECTOR c = MASK_AT(2 * VECTOR_LEN, key), d = MASK_AT(3 * VECTOR_LEN, key);
    FWS_KEEP_VECTOR(d);
    vector_store_aligned(dst, a);
    vector_store_aligned(dst + VECTOR_LEN, b);
    vector_store_aligned(dst + 2 * VECTOR_LEN, c);
    vector_store_aligned(dst + 3 * VECTOR_LEN, d);
    return vector_is_ascii(vector_or(vector_or(a, b), vector_or(c, d)));
}

UTF8_INLINE void check_step(struct checker *c, const uint8_t *text) {
    check_at(c, text);
    check_at(c, text + VECTOR_LEN);
    check_at(c, text + 2 * VECTOR_LEN);
    check_at(c, text + 3 * VECTOR_LEN);
}

/* Checks one step that lies behind the mask. Returns 0 if it found a mistake. */
UTF8_INLINE int follow(struct follower *f, const uint8_t *dst) {
    check_step(&f->checker, dst + f->good);
    if (FWS_UNLIKELY(!vector_is_zero(f->checker.mistakes))) return 0;
    f->good += STEP_LEN;
    if (f->good < f->text_end) return 1;
    /* Whatever was open is closed by ASCII in the step just checked, or has to be closed at its end. */
    if (f->good == f->text_end) check_closed(&f->checker, dst + f->good);
    if (!vector_is_zero(f->checker.mistakes)) return 0;
    f->good = f->masked;
    return 1;
}

/* After a mistake the rest is unmasked all the same: dst does not depend on where it was found. */
UTF8_TARGET static FWS_NOINLINE size_t give_up(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                               struct fws_utf8_state *state, size_t masked, size_t good) {
    MASK_NAME(dst + masked, src + masked, len - masked, fws_rotate_key(key, masked));
    return settle(state, dst, good, len);
}

/* Masks steps from i on, up to the first that is not ASCII, or until the end is near. Returns where it stopped. */
UTF8_INLINE size_t mask_ascii_steps(uint8_t *dst, const uint8_t *src, size_t i, size_t len, VECTOR key, int *is_ascii) {
    for (;;) {
        vector_prefetch(src + i + PREFETCH_AHEAD);
        *is_ascii = mask_step(dst + i, src + i, key);
        i += STEP_LEN;
        if (FWS_UNLIKELY(!*is_ascii)) return i;
        if (FWS_UNLIKELY(len - i < STEP_LEN + VECTOR_LEN)) return i;
    }
}

/* While the check follows the mask through text: two steps of each at once, for fewer branches. Returns 0 if it found a
 * mistake. */
UTF8_INLINE int mask_text_steps(struct follower *f, uint8_t *dst, const uint8_t *src, size_t len, VECTOR key) {
    while (len - f->masked >= 2 * STEP_LEN + VECTOR_LEN && f->good + 2 * STEP_LEN < f->text_end) {
        int is_ascii = mask_step(dst + f->masked, src + f->masked, key);
        is_ascii &= mask_step(dst + f->masked + STEP_LEN, src + f->masked + STEP_LEN, key);
        check_step(&f->checker, dst + f->good);
        check_step(&f->checker, dst + f->good + STEP_LEN);
        f->masked += 2 * STEP_LEN;
        if (!is_ascii) f->text_end = f->masked;
        if (FWS_UNLIKELY(!vector_is_zero(f->checker.mistakes))) return 0;
        f->good += 2 * STEP_LEN;
    }
    return 1;
}

/* Goes on from the first step that is not ASCII, which ends at masked: it follows from good on. */
UTF8_TARGET static FWS_NOINLINE size_t mask_and_follow(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                                       struct fws_utf8_state *state, size_t masked, size_t good) {
    struct follower f = {begin_check(), masked, good, masked};
    VECTOR key_here = vector_splat(fws_rotate_key(key, masked));
    int is_ascii;
    state->non_ascii = 1;
    while (len - f.masked >= STEP_LEN + VECTOR_LEN) {
        if (f.good == f.masked) {
            f.masked = mask_ascii_steps(dst, src, f.masked, len, key_here, &is_ascii);
            f.good = is_ascii ? f.masked : f.masked - STEP_LEN;
            if (!is_ascii) f.text_end = f.masked;
            continue;
        }
        is_ascii = mask_step(dst + f.masked, src + f.masked, key_here);
        f.masked += STEP_LEN;
        if (!is_ascii) f.text_end = f.masked;
        if (f.masked - f.good < FOLLOW_AT) continue;
        if (follow(&f, dst) && mask_text_steps(&f, dst, src, len, key_here)) continue;
        return give_up(dst, src, len, key, state, f.masked, f.good);
    }
    is_ascii = mask_end(dst, src, len, key, f.masked);
    if (is_ascii && f.good == f.masked) return len;
    return check_on(&f.checker, state, dst, f.good, len);
}

/* A text whose first byte that is not ASCII lies behind i. */
UTF8_TARGET static FWS_NOINLINE size_t check_end_of_ascii(struct fws_utf8_state *state, const uint8_t *text, size_t i,
                                                          size_t len) {
    struct checker c = begin_check();
    return check_on(&c, state, text, i, len);
}

UTF8_INLINE int is_good_start(VECTOR v) {
    struct checker c = begin_check();
    check_behind(&c, vector_zero(), v);
    return vector_is_zero(c.mistakes);
}

/* More than 8 vectors: up to the first aligned address of dst, then step by step. As long as there is ASCII only, there
 * is nothing here but the mask, and no register is taken for more. */
UTF8_TARGET static FWS_NOINLINE size_t mask_check_long(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                                       struct fws_utf8_state *state) {
    size_t i = VECTOR_LEN - (size_t)((uintptr_t)dst % VECTOR_LEN), masked = i + STEP_LEN, good = i < 3 ? VECTOR_LEN : i;
    VECTOR head = MASK_AT(0, vector_splat(key)), key_here = vector_splat(fws_rotate_key(key, i));
    VECTOR a = MASK_AT(i, key_here), b = MASK_AT(i + VECTOR_LEN, key_here);
    VECTOR c = MASK_AT(i + 2 * VECTOR_LEN, key_here), d = MASK_AT(i + 3 * VECTOR_LEN, key_here);
    vector_store(dst, head);
    vector_store_aligned(dst + i, a);
    vector_store_aligned(dst + i + VECTOR_LEN, b);
    vector_store_aligned(dst + i + 2 * VECTOR_LEN, c);
    vector_store_aligned(dst + i + 3 * VECTOR_LEN, d);
    int is_ascii = vector_is_ascii(vector_or(head, vector_or(vector_or(a, b), vector_or(c, d))));
    if (!is_ascii) {
        if (!is_good_start(head)) return give_up(dst, src, len, key, state, masked, 0);
    } else if (len - masked >= STEP_LEN + VECTOR_LEN) {
        masked = mask_ascii_steps(dst, src, masked, len, key_here, &is_ascii);
        good = masked - STEP_LEN;
    }
    if (!is_ascii) return mask_and_follow(dst, src, len, key, state, masked, good);
    return mask_end(dst, src, len, key, masked) ? len : check_end_of_ascii(state, dst, masked, len);
}

/* With slop, what is to be checked is loaded before the mask stores it: loaded after that, it would wait. */
UTF8_INLINE size_t mask_check_fitting(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                      struct fws_utf8_state *state, size_t slop) {
    VECTOR a = vector_zero(), b = vector_zero();
    if (slop >= FWS_SLOP) {
        a = vector_load(src);
        b = vector_load(src + VECTOR_LEN);
    }
    if (MASK_NAME(dst, src, len, key)) return len;
    SHORT_TEXT text = slop >= FWS_SLOP ? short_unmask(a, b, len, key) : short_load(dst, len, 0);
    return check_short(state, text, dst, len);
}

/* Checks the vector at src + i, still masked; the 3 bytes before it are part of the text. */
UTF8_INLINE void check_masked_at(struct checker *c, const uint8_t *src, size_t i, uint32_t key) {
    VECTOR here = MASK_AT(i, vector_splat(fws_rotate_key(key, i)));
    VECTOR one = MASK_AT(i - 1, vector_splat(fws_rotate_key(key, i - 1)));
    VECTOR two = MASK_AT(i - 2, vector_splat(fws_rotate_key(key, i - 2)));
    VECTOR three = MASK_AT(i - 3, vector_splat(fws_rotate_key(key, i - 3)));
    add_mistakes(c, find_pairs(c, here, one), two, three);
}

/* A text of SHORT_LEN to 8 vectors that begins with characters other than ASCII: unmasked one, two and three bytes
 * before each vector as well, and checked before it is stored. Loads beside what was stored right now would wait. */
UTF8_TARGET static FWS_NOINLINE size_t mask_check_text(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                                       struct fws_utf8_state *state) {
    struct checker c = begin_check();
    check_behind(&c, vector_zero(), MASK_AT(0, vector_splat(key)));
    for (size_t i = VECTOR_LEN; len - i > VECTOR_LEN; i += VECTOR_LEN) check_masked_at(&c, src, i, key);
    check_masked_at(&c, src, len - VECTOR_LEN, key);
    MASK_NAME(dst, src, len, key);
    if (!vector_is_zero(c.mistakes)) return settle(state, dst, 0, len);
    state->non_ascii = 1;
    return is_open_at_end(dst, len) ? settle(state, dst, len, len) : len;
}

/* More than SHORT_LEN. */
UTF8_TARGET static FWS_NOINLINE size_t mask_check_more(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                                       struct fws_utf8_state *state) {
    if (len > 8 * VECTOR_LEN) return mask_check_long(dst, src, len, key, state);
    VECTOR key_start = vector_splat(key);
    int is_text = !vector_is_ascii(vector_or(MASK_AT(0, key_start), MASK_AT(VECTOR_LEN, key_start)));
    if (is_text) return mask_check_text(dst, src, len, key, state);
    return MASK_NAME(dst, src, len, key) ? len : check_long(state, dst, len);
}

/* A text from its start: the mask_utf8 kernel but for the state before. */
UTF8_INLINE size_t mask_check_whole(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                    struct fws_utf8_state *state, size_t slop) {
    if (len > SHORT_LEN) return mask_check_more(dst, src, len, key, state);
    return mask_check_fitting(dst, src, len, key, state, slop);
}

UTF8_TARGET static FWS_NOINLINE size_t mask_check_resumed(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                                          struct fws_utf8_state *state, size_t slop) {
    size_t missing = state->dfa >> 16;
    size_t n = missing < len ? missing : len;
    MASK_NAME(dst, src, n, key);
    size_t i = resume(state, dst, n);
    if (state->dfa != 0) {
        MASK_NAME(dst + n, src + n, len - n, fws_rotate_key(key, n));
        return i;
    }
    return n + mask_check_whole(dst + n, src + n, len - n, fws_rotate_key(key, n), state, slop);
}

/* The mask_utf8 kernel. */
UTF8_INLINE size_t mask_utf8_vector(uint8_t *dst, const uint8_t *src, size_t len, uint32_t key,
                                    struct fws_utf8_state *state, size_t slop) {
    if (FWS_UNLIKELY(state->dfa != 0)) return mask_check_resumed(dst, src, len, key, state, slop);
    return mask_check_whole(dst, src, len, key, state, slop);
}

#endif
