/* SPDX-License-Identifier: MIT */
/* Masking, alone and with the UTF-8 check: every row writes and says what the scalar row does, in place, onto a
 * destination that overlaps from below, and elsewhere. Input: the gap between destination and source, the open
 * character (as the bytes of a text before), the key, then the payload as it is when unmasked. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../simd/kernels.h"

enum { PREFIX_LEN = 8 };

/* Stops the fuzzer at a property that does not hold. */
static void expect(int holds) {
    if (!holds) abort();
}

static uint8_t *allocate(size_t len) {
    uint8_t *ptr = malloc(len > 0 ? len : 1);
    expect(ptr != NULL);
    return ptr;
}

/* What a call left behind: gap + len bytes of memory, and with a check its answer. */
struct outcome {
    uint8_t *bytes;
    size_t accepted;
    struct fws_utf8_state state;
};

static void run(struct outcome *out, const struct fws_kernels *row, const uint8_t *masked, size_t len, size_t gap,
                uint32_t key, const struct fws_utf8_state *before) {
    out->bytes = allocate(gap + len);
    memset(out->bytes, 0xee, gap);
    if (len > 0) memcpy(out->bytes + gap, masked, len);
    out->state = before ? *before : (struct fws_utf8_state){0, 0};
    out->accepted = len;
    if (before) out->accepted = row->mask_utf8(out->bytes, out->bytes + gap, len, key, &out->state, 0);
    else row->mask(out->bytes, out->bytes + gap, len, key);
}

static void compare(const struct fws_kernels *row, const uint8_t *masked, size_t len, size_t gap, uint32_t key,
                    const struct fws_utf8_state *before) {
    static struct fws_kernels scalar = {.name = "scalar", .mask = fws_mask_scalar, .mask_utf8 = fws_mask_utf8_scalar};
    struct outcome wanted, got;
    run(&wanted, &scalar, masked, len, gap, key, before);
    run(&got, row, masked, len, gap, key, before);
    expect(memcmp(got.bytes, wanted.bytes, gap + len) == 0);
    expect(got.accepted == wanted.accepted);
    if (got.accepted == len) {
        expect(got.state.dfa == wanted.state.dfa);
        expect((got.state.non_ascii != 0) == (wanted.state.non_ascii != 0));
    }
    free(wanted.bytes);
    free(got.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < PREFIX_LEN) return 0;
    const uint8_t *payload = data + PREFIX_LEN;
    size_t len = size - PREFIX_LEN;
    uint32_t key = fws_load_u32(data + 4);
    struct fws_utf8_state before = {0, 0};
    if (fws_utf8_scalar(&before, data + 1, 3, 0) < 3) before = (struct fws_utf8_state){0, 0};
    uint8_t *masked = allocate(len);
    fws_mask_scalar(masked, payload, len, key);
    for (int i = 0; i < fws_kernels_count(); i++) {
        const struct fws_kernels *row = fws_kernels_at(i);
        compare(row, masked, len, data[0], key, NULL);
        compare(row, masked, len, data[0], key, &before);
        compare(row, masked, len, 0, key, &before);
        compare(row, masked, len, len, key, &before);
    }
    free(masked);
    return 0;
}
