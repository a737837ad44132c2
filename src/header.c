/* SPDX-License-Identifier: MIT */
/* Frame headers: bytes to fields, fields to bytes, and the rules of RFC 6455 section 5 that fields must keep. */
#include <fastws/header.h>

#include "platform.h"

/* First byte: FIN RSV1-3 opcode. Second byte: MASK len7. */
enum {
    FIN = 0x80,
    RSV_SHIFT = 4,
    RSV_BITS = 0x7,
    OPCODE_BITS = 0xf,
    CONTROL = 0x8,
    MASK = 0x80,
    LEN7_BITS = 0x7f,
    LEN7_MAX = 125,
    LEN7_U16 = 126, /* the length follows in 2 bytes */
    LEN7_U64 = 127, /* the length follows in 8 bytes */
    KEY_LEN = 4
};

/* Opcodes that RFC 6455 5.2 defines, one bit for each. */
#define OPCODES_DEFINED                                                                                                \
  (1u << FASTWS_OPCODE_CONTINUATION | 1u << FASTWS_OPCODE_TEXT | 1u << FASTWS_OPCODE_BINARY |                          \
   1u << FASTWS_OPCODE_CLOSE | 1u << FASTWS_OPCODE_PING | 1u << FASTWS_OPCODE_PONG)

static const uint64_t length_max = UINT64_MAX >> 1;

/* Says what a part of the 8 bytes behind LEN7_U64 proves already. */
static FWS_NOINLINE int judge_partial_u64(const uint8_t *src, size_t len) {
    if (len >= 3 && src[2] & 0x80) return FASTWS_ERR_LEN_MSB;
    if (len >= 8 && fws_load_be32(src + 2) == 0 && fws_load_be16(src + 6) == 0) return FASTWS_ERR_LEN_FORM;
    return FASTWS_NEED_MORE;
}

/* Stores the fields; size is what they took on the wire. */
static FWS_ALWAYS_INLINE int finish(struct fastws_header *out, unsigned first, unsigned second, uint64_t length,
                                    uint32_t key, int size) {
    out->length = length;
    fws_store_u32(out->key, key);
    out->opcode = (uint8_t)(first & OPCODE_BITS);
    out->rsv = (uint8_t)(first >> RSV_SHIFT & RSV_BITS);
    out->fin = (uint8_t)(first >> 7);
    out->masked = (uint8_t)(second >> 7);
    return size;
}

int fastws_header_parse(struct fastws_header *out, const void *src, size_t len) {
    const uint8_t *p = src;
    if (len < FASTWS_HEADER_MIN) return FASTWS_NEED_MORE;
    unsigned first = p[0];
    unsigned second = p[1];
    size_t size = FASTWS_HEADER_MIN;
    uint64_t length = second & LEN7_BITS;
    if (length == LEN7_U16) {
        if (len < 4) return FASTWS_NEED_MORE;
        length = fws_load_be16(p + 2);
        /* RFC 6455 5.2: the minimal number of bytes must be used. */
        if (FWS_UNLIKELY(length <= LEN7_MAX)) return FASTWS_ERR_LEN_FORM;
        size = 4;
    } else if (length == LEN7_U64) {
        if (FWS_UNLIKELY(len < 10)) return judge_partial_u64(p, len);
        length = fws_load_be64(p + 2);
        if (FWS_UNLIKELY(length > length_max)) return FASTWS_ERR_LEN_MSB;
        if (FWS_UNLIKELY(length <= UINT16_MAX)) return FASTWS_ERR_LEN_FORM;
        size = 10;
    }
    if (!(second & MASK)) return finish(out, first, second, length, 0, (int)size);
    if (len - size < KEY_LEN) return FASTWS_NEED_MORE;
    return finish(out, first, second, length, fws_load_u32(p + size), (int)size + KEY_LEN);
}

int fastws_header_size(const struct fastws_header *header) {
    if (header->length > length_max) return FASTWS_ERR_ARGUMENT;
    int size = header->length <= LEN7_MAX ? 2 : header->length <= UINT16_MAX ? 4 : 10;
    return header->masked ? size + KEY_LEN : size;
}

/* Writes the key, if there is one, behind the size bytes that were written. Returns the size with it. */
static FWS_ALWAYS_INLINE int put_key(uint8_t *dst, int size, const struct fastws_header *header) {
    if (!header->masked) return size;
    memcpy(dst + size, header->key, KEY_LEN);
    return size + KEY_LEN;
}

/* Writes to dst, which has room for the longest header. */
static FWS_ALWAYS_INLINE int put(uint8_t *dst, const struct fastws_header *header) {
    uint64_t length = header->length;
    /* A wider rsv would spill into FIN, a wider opcode into RSV3. */
    unsigned spill = (header->rsv & ~(unsigned)RSV_BITS) | (header->opcode & ~(unsigned)OPCODE_BITS);
    if (FWS_UNLIKELY((spill | length >> 63) != 0)) return FASTWS_ERR_ARGUMENT;
    unsigned fin = header->fin ? FIN : 0;
    unsigned mask = header->masked ? MASK : 0;
    dst[0] = (uint8_t)(fin | (unsigned)header->rsv << RSV_SHIFT | header->opcode);
    if (length <= LEN7_MAX) {
        dst[1] = (uint8_t)(mask | (unsigned)length);
        return put_key(dst, 2, header);
    }
    if (length <= UINT16_MAX) {
        dst[1] = (uint8_t)(mask | LEN7_U16);
        fws_store_be16(dst + 2, (uint16_t)length);
        return put_key(dst, 4, header);
    }
    dst[1] = (uint8_t)(mask | LEN7_U64);
    fws_store_be64(dst + 2, length);
    return put_key(dst, 10, header);
}

/* Writes where there may be too little room. */
static FWS_NOINLINE int write_tight(void *dst, size_t cap, const struct fastws_header *header) {
    uint8_t whole[FASTWS_HEADER_MAX];
    int size = put(whole, header);
    if (size < 0) return size;
    if (cap < (size_t)size) return FASTWS_ERR_BUFFER_SIZE;
    memcpy(dst, whole, (size_t)size);
    return size;
}

int fastws_header_write(void *dst, size_t cap, const struct fastws_header *header) {
    return FWS_LIKELY(cap >= FASTWS_HEADER_MAX) ? put(dst, header) : write_tight(dst, cap, header);
}

/* Returns the RSV bits that an extension of this state may have set on a frame of this opcode. */
static unsigned claimed_rsv(unsigned opcode, unsigned state) {
    unsigned claimed = 0;
    /* RFC 7692 6.1: RSV1 marks the first frame of a compressed message, and nothing else. */
    int starts_message = opcode == FASTWS_OPCODE_TEXT || opcode == FASTWS_OPCODE_BINARY;
    if (starts_message && state & FASTWS_STATE_EXTENDED) claimed |= FASTWS_RSV1;
    if (state & FASTWS_STATE_RSV2) claimed |= FASTWS_RSV2;
    if (state & FASTWS_STATE_RSV3) claimed |= FASTWS_RSV3;
    return claimed;
}

/* RFC 6455 5.4: control frames may stand between fragments, data frames may not. */
static int check_continuation(unsigned opcode, unsigned state) {
    if (opcode & CONTROL) return 0;
    int is_continuation = opcode == FASTWS_OPCODE_CONTINUATION;
    int is_fragmented = (state & FASTWS_STATE_FRAGMENTED) != 0;
    if (is_fragmented && !is_continuation) return FASTWS_ERR_CONTINUATION_EXPECTED;
    if (!is_fragmented && is_continuation) return FASTWS_ERR_CONTINUATION_UNEXPECTED;
    return 0;
}

int fastws_header_check(const struct fastws_header *header, unsigned state) {
    unsigned opcode = header->opcode;
    if (opcode > OPCODE_BITS || !(OPCODES_DEFINED >> opcode & 1)) return FASTWS_ERR_OPCODE_RESERVED;
    if (opcode & CONTROL) {
        /* RFC 6455 5.5: control frames carry at most 125 bytes and are never fragmented. */
        if (header->length > FASTWS_CONTROL_MAX) return FASTWS_ERR_CONTROL_LEN;
        if (!header->fin) return FASTWS_ERR_CONTROL_FRAGMENTED;
    }
    if (header->rsv && header->rsv & ~claimed_rsv(opcode, state)) return FASTWS_ERR_RSV;
    /* RFC 6455 5.1: clients mask every frame, servers none. */
    if (state & FASTWS_STATE_SERVER && !header->masked) return FASTWS_ERR_MASK_REQUIRED;
    if (state & FASTWS_STATE_CLIENT && header->masked) return FASTWS_ERR_MASK_UNEXPECTED;
    return check_continuation(opcode, state);
}

int fastws_opcode_is_control(unsigned opcode) { return (opcode & CONTROL) != 0; }

int fastws_opcode_is_data(unsigned opcode) { return (opcode & CONTROL) == 0; }

int fastws_opcode_is_reserved(unsigned opcode) { return opcode <= OPCODE_BITS && !(OPCODES_DEFINED >> opcode & 1); }

uint8_t fastws_rsv_pack(int rsv1, int rsv2, int rsv3) {
    return (uint8_t)((rsv1 ? FASTWS_RSV1 : 0) | (rsv2 ? FASTWS_RSV2 : 0) | (rsv3 ? FASTWS_RSV3 : 0));
}

void fastws_rsv_unpack(uint8_t rsv, int *rsv1, int *rsv2, int *rsv3) {
    *rsv1 = (rsv & FASTWS_RSV1) != 0;
    *rsv2 = (rsv & FASTWS_RSV2) != 0;
    *rsv3 = (rsv & FASTWS_RSV3) != 0;
}
