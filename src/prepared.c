/* SPDX-License-Identifier: MIT */
/* Implements prepared messages: the frame is made once, references are counted, the last one frees it. */
#include "prepared.h"

#include <fastws/deflate.h>
#include <fastws/error.h>

#include "buf.h"

/* All that one takes: the payload stands behind room for the longest header that a server writes. */
static size_t size_of(size_t len) {
    return sizeof(struct fastws_prepared) + FASTWS_HEADER_MAX + len;
}

int fastws_prepared_new(const struct fastws_allocator *allocator, int opcode, const void *payload, size_t len,
                        struct fastws_prepared **out) {
    int way = opcode & (FASTWS_SEND_PLAIN | FASTWS_SEND_COMPRESSED);
    opcode &= ~way;
    if (opcode != FASTWS_OPCODE_TEXT && opcode != FASTWS_OPCODE_BINARY) return FASTWS_ERR_ARGUMENT;
    if (!payload && len > 0) return FASTWS_ERR_ARGUMENT;
    if (len > PTRDIFF_MAX - size_of(0)) return FASTWS_ERR_NOMEM;
    const struct fastws_header header = {.length = len, .opcode = (uint8_t)opcode, .fin = 1};
    uint8_t head[FASTWS_HEADER_MAX];
    int head_len = fastws_header_write(head, sizeof head, &header);
    if (head_len < 0) return head_len;
    allocator = fws_allocator_or_default(allocator);
    struct fastws_prepared *prepared = allocator->allocate(allocator->context, size_of(len));
    if (!prepared) return FASTWS_ERR_NOMEM;
    uint8_t *body = prepared->bytes + FASTWS_HEADER_MAX;
    memcpy(body - head_len, head, (size_t)head_len);
    if (len > 0) memcpy(body, payload, len);
    atomic_init(&prepared->references, 1);
    atomic_init(&prepared->variants, NULL);
    prepared->allocator = allocator;
    prepared->frame = body - head_len;
    prepared->frame_len = (size_t)head_len + len;
    prepared->payload = body;
    prepared->payload_len = len;
    prepared->way = (uint16_t)way;
    prepared->opcode = (uint8_t)opcode;
    *out = prepared;
    return 0;
}

struct fastws_prepared *fastws_prepared_retain(struct fastws_prepared *prepared) {
    return fws_prepared_retain(prepared);
}

void fastws_prepared_release(struct fastws_prepared *prepared) {
    if (!prepared) return;
    /* What other threads did with the bytes has happened before they are freed. */
    if (atomic_fetch_sub_explicit(&prepared->references, 1, memory_order_acq_rel) > 1) return;
    const struct fastws_allocator *allocator = prepared->allocator;
    struct fws_prepared_variant *variant = atomic_load_explicit(&prepared->variants, memory_order_relaxed);
    while (variant) {
        struct fws_prepared_variant *next = variant->next;
        allocator->release(allocator->context, variant, sizeof *variant + variant->len);
        variant = next;
    }
    allocator->release(allocator->context, prepared, size_of(prepared->payload_len));
}

void fws_prepared_release(void *prepared) {
    fastws_prepared_release(prepared);
}

const struct fws_prepared_variant *fws_prepared_find(struct fastws_prepared *prepared, uint32_t settings) {
    const struct fws_prepared_variant *variant = atomic_load_explicit(&prepared->variants, memory_order_acquire);
    while (variant && variant->settings != settings) variant = variant->next;
    return variant;
}

int fws_prepared_keep(struct fastws_prepared *prepared, uint32_t settings, const void *bytes, size_t len,
                      const struct fws_prepared_variant **out) {
    const struct fastws_allocator *allocator = prepared->allocator;
    struct fws_prepared_variant *variant = allocator->allocate(allocator->context, sizeof *variant + len);
    if (!variant) return FASTWS_ERR_NOMEM;
    variant->settings = settings;
    variant->len = len;
    memcpy(variant->bytes, bytes, len);
    variant->next = atomic_load_explicit(&prepared->variants, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&prepared->variants, &variant->next, variant, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    *out = variant;
    return 0;
}

int fastws_prepared_opcode(const struct fastws_prepared *prepared) {
    return prepared->opcode;
}

const void *fastws_prepared_payload(const struct fastws_prepared *prepared, size_t *len) {
    *len = prepared->payload_len;
    return prepared->payload;
}
