/* SPDX-License-Identifier: MIT */
/* Masking: every row writes what the scalar one does, and nothing beside it, in place, onto a destination that overlaps
 * from below, and elsewhere. Input: the gap between destination and source, where the destination lies, the key, then
 * the payload. */
#include "row_checks.h"

enum { PREFIX_LEN = 6, ALIGNMENTS = 64 };

struct input {
    const uint8_t *payload;
    size_t len, off;
    uint32_t key;
};

/* The source lies gap bytes behind the destination; what it holds past the destination's end stays as it was. */
static void check_gap(const struct fws_kernels *row, const struct input *in, const uint8_t *masked, size_t gap) {
    struct exact buf = exact_alloc(in->off, gap + in->len);
    memset(buf.block, 0xee, in->off + gap);
    if (in->len > 0) memcpy(buf.ptr + gap, in->payload, in->len);
    row->mask(buf.ptr, buf.ptr + gap, in->len, in->key);
    REQUIRE(row, in->len == 0 || memcmp(buf.ptr, masked, in->len) == 0);
    size_t kept = gap < in->len ? gap : in->len; /* bytes of the payload that were not written over */
    REQUIRE(row, kept == 0 || memcmp(buf.ptr + gap + in->len - kept, in->payload + in->len - kept, kept) == 0);
    for (size_t i = 0; i < in->off; i++) REQUIRE(row, buf.block[i] == 0xee);
    for (size_t i = in->len; i < gap; i++) REQUIRE(row, buf.ptr[i] == 0xee);
    free(buf.block);
}

static void check_copy(const struct fws_kernels *row, const struct input *in, const uint8_t *masked) {
    struct exact src = exact_copy(0, in->payload, in->len), dst = exact_alloc(in->off, in->len);
    row->mask(dst.ptr, src.ptr, in->len, in->key);
    REQUIRE(row, in->len == 0 || memcmp(dst.ptr, masked, in->len) == 0);
    REQUIRE(row, in->len == 0 || memcmp(src.ptr, in->payload, in->len) == 0);
    free(src.block);
    free(dst.block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < PREFIX_LEN) return 0;
    struct input in = {data + PREFIX_LEN, size - PREFIX_LEN, data[1] % ALIGNMENTS, fws_load_u32(data + 2)};
    struct exact masked = exact_alloc(0, in.len);
    fws_mask_scalar(masked.ptr, in.payload, in.len, in.key);
    const struct fws_kernels *row;
    for (int i = 0; (row = next_cell(&i, offsetof(struct fws_kernels, mask)));) {
        check_gap(row, &in, masked.ptr, 0);
        check_gap(row, &in, masked.ptr, data[0]);
        check_copy(row, &in, masked.ptr);
    }
    free(masked.block);
    return 0;
}
