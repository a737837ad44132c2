/* SPDX-License-Identifier: MIT */
/* Runs of frames: every row takes the frames that the scalar one takes, with the same events, bytes and error. Whole
 * connections are fuzz_frames.c. The first bytes of an input say how:
 *
 *   0   bit 0: unmasked frames; 1: text unchecked; 2: payloads follow as they are when unmasked; 3-5: room for events;
 *       6-7: longest payload
 *   1   where the run lies; then the run */
#include "row_checks.h"

enum { PREFIX_LEN = 2, CAP_MAX = 64, ALIGNMENTS = 64 };

struct input {
    const uint8_t *wire;
    size_t len, off;
    struct fws_run settings;
    int cap;
};

/* One call of the kernel and all that comes out: places are offsets. */
struct outcome {
    struct exact wire;
    size_t head;
    int count, error;
    uint64_t error_offset;
    struct fastws_event events[CAP_MAX]; /* ptr is NULL, at[] says where it was */
    size_t at[CAP_MAX];
};

typedef int frames_fn(struct fws_run *, struct fastws_event *, int);

static void run(struct outcome *out, frames_fn *frames, const struct input *in) {
    memset(out, 0, sizeof *out);
    out->wire = exact_copy(in->off, in->wire, in->len);
    struct fws_run run = in->settings;
    run.head = out->wire.ptr;
    run.tail = out->wire.ptr + in->len;
    run.error = 99; /* the kernel clears what it returns */
    out->count = frames(&run, out->events, in->cap);
    out->head = (size_t)(run.head - out->wire.ptr);
    out->error = run.error;
    out->error_offset = run.error ? run.error_offset : 0;
    for (int i = 0; i < out->count; i++) {
        out->at[i] = out->events[i].len > 0 ? (size_t)(out->events[i].ptr - out->wire.ptr) : 0;
        out->events[i].ptr = NULL;
    }
}

static void compare(const struct fws_kernels *row, const struct outcome *got, const struct outcome *wanted,
                    size_t len) {
    REQUIRE(row, got->count == wanted->count);
    REQUIRE(row, got->head == wanted->head);
    REQUIRE(row, got->error == wanted->error);
    REQUIRE(row, got->error_offset == wanted->error_offset);
    REQUIRE(row, memcmp(got->events, wanted->events, (size_t)got->count * sizeof *got->events) == 0);
    REQUIRE(row, memcmp(got->at, wanted->at, (size_t)got->count * sizeof *got->at) == 0);
    REQUIRE(row, len == 0 || memcmp(got->wire.ptr, wanted->wire.ptr, len) == 0);
}

/* Returns the length of a header with a mask and a length of 7 or 16 bits, or 0 for any other. */
static size_t masked_header_len(const uint8_t *header, size_t avail, size_t *payload_len) {
    if (avail < 8 || !(header[1] & 0x80) || (header[1] & 0x7f) == 127) return 0;
    *payload_len = (header[1] & 0x7f) == 126 ? fws_load_be16(header + 2) : header[1] & 0x7fu;
    return (header[1] & 0x7f) == 126 ? 8 : 6;
}

/* Masks the payloads in a run of frames: behind a mask, a fuzzer would not come upon UTF-8. */
static void mask_payloads(uint8_t *wire, size_t len) {
    size_t header_len, payload_len;
    while ((header_len = masked_header_len(wire, len, &payload_len)) > 0 && payload_len <= len - header_len) {
        fws_mask_scalar(wire + header_len, wire + header_len, payload_len, fws_load_u32(wire + header_len - 4));
        wire += header_len + payload_len;
        len -= header_len + payload_len;
    }
}

static void check_rows(const struct input *in) {
    static struct outcome wanted, got;
    run(&wanted, fws_frames_scalar, in);
    const struct fws_kernels *row;
    for (int i = 0; (row = next_cell(&i, offsetof(struct fws_kernels, frames)));) {
        run(&got, row->frames, in);
        compare(row, &got, &wanted, in->len);
        free(got.wire.block);
    }
    free(wanted.wire.block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int caps[] = {CAP_MAX, 1, 2, 3, 4, 7, 8, 33};
    static const uint64_t longest[] = {1 << 20, 0, 125, 300};
    if (size < PREFIX_LEN) return 0;
    struct exact wire = exact_copy(0, data + PREFIX_LEN, size - PREFIX_LEN);
    if (data[0] & 4) mask_payloads(wire.ptr, size - PREFIX_LEN);
    struct input in = {wire.ptr, size - PREFIX_LEN, data[1] % ALIGNMENTS, {0}, caps[data[0] >> 3 & 7]};
    in.settings.mask_bit = data[0] & 1 ? 0 : 0x80;
    in.settings.is_text_checked = !(data[0] & 2);
    in.settings.payload_max = longest[data[0] >> 6];
    check_rows(&in);
    free(wire.block);
    return 0;
}
