/* SPDX-License-Identifier: MIT */
/* Frame headers from bytes: whatever arrives, and wherever it is cut, says the same; what parses is written back as it
 * was. Input: one byte of FASTWS_STATE_* bits, then the bytes of the wire. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/frame.h>
#include <fastws/header.h>

/* Stops the fuzzer at a property that does not hold. */
static void expect(int holds) {
    if (!holds) abort();
}

static int is_same(const struct fastws_header *a, const struct fastws_header *b) {
    return a->length == b->length && memcmp(a->key, b->key, sizeof a->key) == 0 && a->opcode == b->opcode &&
           a->rsv == b->rsv && a->fin == b->fin && a->masked == b->masked;
}

/* Parses the first len bytes in memory of just that size. */
static int parse_exact(struct fastws_header *out, const uint8_t *src, size_t len) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    expect(copy != NULL);
    if (len > 0) memcpy(copy, src, len);
    int result = fastws_header_parse(out, copy, len);
    free(copy);
    return result;
}

/* Every part says NEED_MORE until one decides; from there on every longer part says the same. */
static int parse_at_every_cut(struct fastws_header *out, const uint8_t *wire, size_t len) {
    struct fastws_header first = {0};
    int decided = FASTWS_NEED_MORE;
    for (size_t cut = 0; cut <= len && cut <= FASTWS_HEADER_MAX + 2; cut++) {
        struct fastws_header header = {0};
        int result = parse_exact(&header, wire, cut);
        if (decided == FASTWS_NEED_MORE) {
            decided = result;
            first = header;
            expect(result <= 0 || (size_t)result == cut);
        }
        expect(result == decided && is_same(&header, &first));
    }
    expect(decided == fastws_header_parse(out, wire, len));
    return decided;
}

/* What was parsed is written back as the same bytes, into just enough room and into no less. */
static void write_back(const struct fastws_header *header, const uint8_t *wire, int size) {
    uint8_t written[FASTWS_HEADER_MAX];
    expect(fastws_header_size(header) == size);
    expect(fastws_header_write(written, sizeof written, header) == size);
    expect(memcmp(written, wire, (size_t)size) == 0);
    expect(fastws_header_write(written, (size_t)size, header) == size);
    expect(fastws_header_write(written, (size_t)size - 1, header) == FASTWS_ERR_BUFFER_SIZE);
}

/* A frame is whole when its payload is, and is compiled back as the same bytes. */
static void parse_frame(const struct fastws_header *header, const uint8_t *wire, size_t len, int size) {
    struct fastws_frame frame;
    ptrdiff_t result = fastws_frame_parse(&frame, wire, len);
    if (header->length > len - (size_t)size) {
        expect(result == FASTWS_NEED_MORE);
        return;
    }
    expect((uint64_t)result == fastws_frame_size(&frame) && is_same(header, &frame.header));
    uint8_t *compiled = malloc((size_t)result);
    expect(compiled != NULL);
    expect(fastws_frame_compile(compiled, (size_t)result, &frame) == result);
    expect(memcmp(compiled, wire, (size_t)result) == 0);
    free(compiled);
}

/* Any fields at all: what can be written is parsed back. */
static void write_raw_fields(const uint8_t *fields) {
    struct fastws_header header, back;
    memcpy(&header, fields, sizeof header);
    uint8_t written[FASTWS_HEADER_MAX];
    int size = fastws_header_write(written, sizeof written, &header);
    int fits = header.rsv < 8 && header.opcode < 16 && header.length >> 63 == 0;
    expect(fits ? size == fastws_header_size(&header) : size == FASTWS_ERR_ARGUMENT);
    if (!fits) return;
    expect(fastws_header_parse(&back, written, (size_t)size) == size);
    header.fin = header.fin != 0;
    header.masked = header.masked != 0;
    if (!header.masked) memset(header.key, 0, sizeof header.key);
    expect(is_same(&header, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    unsigned state = data[0];
    const uint8_t *wire = data + 1;
    size_t len = size - 1;
    struct fastws_header header = {0};
    int result = parse_at_every_cut(&header, wire, len);
    expect(result >= 0 || result == FASTWS_ERR_LEN_FORM || result == FASTWS_ERR_LEN_MSB);
    if (result > 0) {
        write_back(&header, wire, result);
        parse_frame(&header, wire, len, result);
        int judged = fastws_header_check(&header, state);
        expect(judged == 0 || (judged <= FASTWS_ERR_OPCODE_RESERVED && judged > FASTWS_ERR_UTF8));
    }
    if (len >= sizeof header) write_raw_fields(wire);
    return 0;
}
