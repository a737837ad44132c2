/* SPDX-License-Identifier: MIT */
/* UTF-8 checking with words of 8 bytes for ASCII and byte by byte for the rest, on any CPU. */
#include "kernels.h"

#define HIGH_BITS 0x8080808080808080u

/* What an open character still needs: how many bytes, and between which bounds the next of them lies.
 *   0000 0000 | missing | highest | lowest */
#define OPEN(missing, lowest, highest) ((uint32_t)(missing) << 16 | (uint32_t)(highest) << 8 | (uint32_t)(lowest))

/* What a character needs after its first byte; 0 if none begins with that byte. RFC 3629 section 4:
 *   c2..df          80..bf
 *   e0 ed (others)  a0..bf 80..9f (80..bf)   80..bf           e0: no overlong form; ed: no surrogate
 *   f0 f4 (others)  90..bf 80..8f (80..bf)   80..bf  80..bf   f0: no overlong form; f4: nothing past U+10FFFF */
static inline uint32_t after_first(uint8_t byte) {
    if (byte < 0xc2 || byte > 0xf4) return 0;
    if (byte < 0xe0) return OPEN(1, 0x80, 0xbf);
    if (byte < 0xf0) return OPEN(2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf);
    return OPEN(3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf);
}

static inline int is_next(uint32_t dfa, uint8_t byte) {
    return byte >= (dfa & 0xff) && byte <= (dfa >> 8 & 0xff);
}

static inline uint32_t after_next(uint32_t dfa) {
    uint32_t missing = (dfa >> 16) - 1;
    return missing ? OPEN(missing, 0x80, 0xbf) : 0;
}

static inline size_t skip_ascii(const uint8_t *src, size_t len) {
    size_t i = 0;
    for (; len - i >= 16; i += 16) {
        if ((fws_load_u64(src + i) | fws_load_u64(src + i + 8)) & HIGH_BITS) break;
    }
    if (len - i >= 8 && !(fws_load_u64(src + i) & HIGH_BITS)) i += 8;
    while (i < len && src[i] < 0x80) i++;
    return i;
}

size_t fws_utf8_scalar(struct fws_utf8_state *state, const uint8_t *src, size_t len, size_t slop) {
    (void)slop;
    uint32_t dfa = state->dfa;
    size_t i = 0;
    while (i < len) {
        if (dfa) {
            if (!is_next(dfa, src[i])) break;
            dfa = after_next(dfa);
            i++;
            continue;
        }
        if (src[i] < 0x80) {
            i += skip_ascii(src + i, len - i);
            continue;
        }
        state->non_ascii = 1;
        dfa = after_first(src[i]);
        if (!dfa) break;
        i++;
    }
    state->dfa = dfa;
    return i;
}
