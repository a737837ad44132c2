/* SPDX-License-Identifier: MIT */
/* The frames kernel, written once and compiled once per row. The file that includes it defines first:
 *
 *   FRAMES_NAME     name of the kernel: fws_frames_<row>
 *   FRAMES_TARGET   FWS_TARGET("<instruction set>"), or nothing
 *   FRAMES_MASK     the mask of the row as an inline function: (dst, src, len, key)
 *   FRAMES_TEXT     mask_utf8 of the row, to begin with a fresh state, inline where that pays: (dst, src, len, key,
 *                   state, slop)
 *   FRAMES_UTF8     the UTF-8 kernel of the row: (state, src, len, slop)
 *
 * and, if it has vectors, includes mask_vector.h before. */
#include <fastws/error.h>

#include "kernels.h"

/* FIN RSV1-3 opcode | MASK len7. RFC 6455 5.2. */
#define FIN_TEXT 0x81
#define FIN_BINARY 0x82
#define MASK_BIT 0x80u
#define LEN7_MAX 125u
#define LEN7_IS_U16 126u
#define WHOLE_MESSAGE (FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST)

/* Unmasks and checks a text. The frames that follow it are its slop.
 * Returns the flags of its event, or FASTWS_ERR_UTF8 and the place in the run. */
FRAMES_TARGET static FWS_ALWAYS_INLINE int take_text(struct fws_run *run, uint8_t *payload, size_t len,
                                                     const int is_masked) {
    struct fws_utf8_state state = {0, 0};
    size_t slop = (size_t)(run->tail - payload) - len;
    size_t accepted = is_masked ? FRAMES_TEXT(payload, payload, len, fws_load_u32(payload - 4), &state, slop)
                                : FRAMES_UTF8(&state, payload, len, slop);
    int ascii = state.non_ascii ? 0 : (int)FASTWS_EVENT_ASCII;
    if (FWS_LIKELY(accepted == len && state.dfa == 0)) return (int)WHOLE_MESSAGE | ascii;
    run->error = FASTWS_ERR_UTF8;
    run->error_offset = accepted;
    return FASTWS_ERR_UTF8;
}

/* Takes frames of any kind that a run may have. */
FRAMES_TARGET static FWS_ALWAYS_INLINE int walk(struct fws_run *run, struct fastws_event *events, int cap,
                                                const int is_masked) {
    const size_t key_len = is_masked ? 4 : 0;
    uint8_t *head = run->head;
    int count = 0;
    while (count < cap) {
        size_t avail = (size_t)(run->tail - head);
        if (avail < 2) break;
        uint8_t first = head[0];
        if (first != FIN_TEXT && first != FIN_BINARY) break;
        size_t len = head[1] ^ (is_masked ? MASK_BIT : 0);
        size_t header_len = 2 + key_len;
        if (len > LEN7_MAX) {
            if (len != LEN7_IS_U16 || avail < 4) break;
            len = fws_load_be16(head + 2);
            if (len <= LEN7_MAX) break;
            header_len += 2;
        }
        if (avail < header_len || avail - header_len < len || len > run->payload_max) break;
        uint8_t *payload = head + header_len;
        int flags = (int)WHOLE_MESSAGE;
        if (first == FIN_TEXT && run->is_text_checked) {
            flags = take_text(run, payload, len, is_masked);
            if (FWS_UNLIKELY(flags < 0)) break;
        } else if (is_masked) {
            FRAMES_MASK(payload, payload, len, fws_load_u32(payload - 4));
        }
        events[count++] = (struct fastws_event){
            .ptr = payload, .len = len, .kind = FASTWS_EVENT_MESSAGE, .opcode = first & 0x0f, .flags = (uint16_t)flags};
        head = payload + len;
    }
    run->head = head;
    return count;
}

/* Goes on behind count frames, with events for cap more. Returns how many frames there are by then. */
FRAMES_TARGET static FWS_NOINLINE int walk_on(struct fws_run *run, struct fastws_event *events, int cap, int count) {
    run->error = 0;
    run->error_offset = 0;
    return count + (run->mask_bit ? walk(run, events, cap, 1) : walk(run, events, cap, 0));
}

#ifdef VECTOR_LEN
#  define SHORT_MIN VECTOR_LEN
#  define SHORT_MAX (4 * VECTOR_LEN < LEN7_MAX ? 4 * VECTOR_LEN : LEN7_MAX)

/* Unmasks a payload of SHORT_MIN to SHORT_MAX bytes. Returns 1, or 0 for a text that is not ASCII: nothing was written,
 * and its check has no stores to wait for. */
FRAMES_TARGET static FWS_ALWAYS_INLINE int take_short(uint8_t *payload, size_t len, uint32_t key,
                                                      unsigned is_text) {
    uint8_t *src = payload;
    VECTOR key_start = vector_splat(key), key_end = vector_splat(fws_rotate_key(key, len));
    VECTOR a = MASK_AT(0, key_start), z = MASK_AT(len - VECTOR_LEN, key_end);
    if (len <= 2 * VECTOR_LEN) {
        if (is_text && !vector_is_ascii(vector_or(a, z))) return 0;
    } else {
        VECTOR b = MASK_AT(VECTOR_LEN, key_start), y = MASK_AT(len - 2 * VECTOR_LEN, key_end);
        if (is_text && !vector_is_ascii(vector_or(vector_or(a, b), vector_or(y, z)))) return 0;
        vector_store(payload + VECTOR_LEN, b);
        vector_store(payload + len - 2 * VECTOR_LEN, y);
    }
    vector_store(payload, a);
    vector_store(payload + len - VECTOR_LEN, z);
    return 1;
}

/* Takes frames as long as they are what most are: a text of ASCII, or anything binary, of SHORT_MIN to SHORT_MAX bytes.
 * It makes no call but the last, and needs few enough registers to save none: one frame that comes alone costs little
 * more than what is done to it. */
FRAMES_TARGET static FWS_ALWAYS_INLINE int walk_short(struct fws_run *run, struct fastws_event *event, int cap,
                                                      const int is_masked) {
    const ptrdiff_t header_len = is_masked ? 6 : 2, len_at = 1 - header_len;
    uint8_t *head = run->head;
    int count = 0;
    do {
        if (run->tail - head <= header_len) break;
        uint8_t *payload = head + header_len;
        FWS_KEEP_WORD(payload); /* what was computed from something is not computed from it again, or kept beside it */
        unsigned first = *(payload - header_len);
        size_t len = (size_t)payload[len_at] - (is_masked ? MASK_BIT : 0); /* without the bit, beyond any */
        if (first - FIN_TEXT > FIN_BINARY - FIN_TEXT || len - SHORT_MIN > SHORT_MAX - SHORT_MIN) break;
        FWS_KEEP_WORD(len);
        if ((size_t)(run->tail - payload) < len || len > run->payload_max) break;
        unsigned is_text = first & run->is_text_checked; /* bit 0 tells the two opcodes apart */
        if (!take_short(payload, len, is_masked ? fws_load_u32(payload - 4) : 0, is_text)) break;
        *event = (struct fastws_event){.ptr = payload, .len = len, .kind = FASTWS_EVENT_MESSAGE,
                                       .opcode = *(payload - header_len) & 0x0f,
                                       .flags = (uint16_t)(WHOLE_MESSAGE | is_text * FASTWS_EVENT_ASCII)};
        run->head = head = payload + len;
        count++;
        if (head == run->tail) goto out;
        event++;
    } while (count < cap);
    if (count < cap) return walk_on(run, event, cap - count, count);
out:
    run->error = 0;
    run->error_offset = 0;
    return count;
}

FRAMES_TARGET static FWS_NOINLINE int walk_short_plain(struct fws_run *run, struct fastws_event *events, int cap) {
    return walk_short(run, events, cap, 0);
}

FRAMES_TARGET int FRAMES_NAME(struct fws_run *run, struct fastws_event *events, int cap) {
    if (!run->mask_bit) return walk_short_plain(run, events, cap);
    return walk_short(run, events, cap, 1);
}
#else
FRAMES_TARGET int FRAMES_NAME(struct fws_run *run, struct fastws_event *events, int cap) {
    return walk_on(run, events, cap, 0);
}
#endif
