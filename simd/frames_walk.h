/* SPDX-License-Identifier: MIT */
/* The frames kernel, written once and compiled once per row. The file that includes it defines first:
 *
 *   FRAMES_NAME     name of the kernel: fws_frames_<row>
 *   FRAMES_TARGET   FWS_TARGET("<instruction set>"), or nothing
 *   FRAMES_MASK     the mask of the row as an inline function: (dst, src, len, key)
 *   FRAMES_TEXT     mask_utf8 of the row, to begin with a fresh state, inline where that pays: (dst, src, len, key,
 *                   state, slop)
 *   FRAMES_UTF8     the UTF-8 kernel of the row: (state, src, len, slop) */
#include <fastws/error.h>

#include "kernels.h"

/* FIN RSV1-3 opcode | MASK len7. RFC 6455 5.2. */
#define FIN_TEXT 0x81
#define FIN_BINARY 0x82
#define MASK_BIT 0x80u
#define LEN7_MAX 125u
#define LEN7_IS_U16 126u
#define WHOLE_MESSAGE (int)(FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST)

/* Unmasks and checks a text. The frames that follow it are its slop.
 * Returns the flags of its event, or FASTWS_ERR_UTF8 and the place in the run. */
FRAMES_TARGET static FWS_ALWAYS_INLINE int take_text(struct fws_run *run, uint8_t *payload, size_t len,
                                                     const int is_masked) {
    struct fws_utf8_state state = {0, 0};
    size_t slop = (size_t)(run->tail - payload) - len;
    size_t accepted = is_masked ? FRAMES_TEXT(payload, payload, len, fws_load_u32(payload - 4), &state, slop)
                                : FRAMES_UTF8(&state, payload, len, slop);
    int ascii = state.non_ascii ? 0 : (int)FASTWS_EVENT_ASCII;
    if (FWS_LIKELY(accepted == len && state.dfa == 0)) return WHOLE_MESSAGE | ascii;
    run->error = FASTWS_ERR_UTF8;
    run->error_offset = accepted;
    return FASTWS_ERR_UTF8;
}

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
        int flags = WHOLE_MESSAGE;
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

FRAMES_TARGET int FRAMES_NAME(struct fws_run *run, struct fastws_event *events, int cap) {
    run->error = 0;
    run->error_offset = 0;
    return run->mask_bit ? walk(run, events, cap, 1) : walk(run, events, cap, 0);
}
