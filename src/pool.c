/* SPDX-License-Identifier: MIT */
/* Implements the pool: lends slabs, keeps the free ones, and holds what the connections of a thread share. */
#include "pool.h"

#include <fastws/cpu.h>
#include <fastws/error.h>

#include "../simd/kernels.h"
#include "buf.h"

enum { SLAB_LEN_DEFAULT = 64 * 1024, SLAB_LEN_MIN = 4096, SLAB_LEN_MAX = 1 << 30, SLAB_KEEP_DEFAULT = 16 };

/* The cork lies behind the pool, and what aligns it in front. */
static size_t pool_size(size_t cork_len) { return sizeof(struct fastws_pool) + FWS_POOL_ALIGN - 1 + cork_len; }

static uint8_t *align(uint8_t *ptr, unsigned alignment) { return ptr + (0u - (uintptr_t)ptr) % alignment; }

void fastws_pool_config_init(struct fastws_pool_config *config) {
    *config = (struct fastws_pool_config){
        .size = sizeof *config, .slab_len = SLAB_LEN_DEFAULT, .slab_keep = SLAB_KEEP_DEFAULT, .cork_len = FWS_CORK_CAP};
}

static int check_config(const struct fastws_pool_config *config) {
    if (config->size != sizeof *config) return FASTWS_ERR_ARGUMENT;
    if (config->slab_len < SLAB_LEN_MIN || config->slab_len > SLAB_LEN_MAX) return FASTWS_ERR_ARGUMENT;
    if (config->cork_len < FWS_CORK_CAP_MIN || config->cork_len > FWS_CORK_CAP_MAX) return FASTWS_ERR_ARGUMENT;
    return fastws_cpu_status();
}

int fastws_pool_new(const struct fastws_pool_config *config, struct fastws_pool **out) {
    struct fastws_pool_config defaults;
    if (!config) {
        fastws_pool_config_init(&defaults);
        config = &defaults;
    }
    TRY(check_config(config));
    const struct fastws_allocator *allocator = fws_allocator_or_default(config->allocator);
    uint8_t *memory = allocator->allocate(allocator->context, pool_size(config->cork_len));
    if (!memory) return FASTWS_ERR_NOMEM;
    struct fastws_pool *pool = (void *)memory;
    memset(pool, 0, offsetof(struct fastws_pool, cork.chunks));
    pool->cork.bytes = align(memory + sizeof *pool, FWS_POOL_ALIGN);
    pool->cork.cap = config->cork_len;
    pool->allocator = allocator;
    pool->payload_allocator = config->payload_allocator ? config->payload_allocator : allocator;
    pool->kernels = fws_kernels_active();
    pool->slab_len = config->slab_len;
    pool->slab_keep = config->slab_keep;
    fws_random_init(&pool->random, config->random);
    *out = pool;
    return 0;
}

static size_t slab_size(const struct fastws_pool *pool) {
    return sizeof(struct fastws_slab) + FWS_SLAB_ALIGN - 1 + pool->slab_len + FWS_SLAB_SLOP;
}

static void release_slab(struct fastws_pool *pool, struct fastws_slab *slab) {
    pool->allocator->release(pool->allocator->context, slab->memory, slab_size(pool));
}

void fastws_pool_free(struct fastws_pool *pool) {
    if (!pool) return;
    fastws_deflate_pool_free(pool->deflate);
    while (pool->slabs) {
        struct fastws_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        release_slab(pool, slab);
    }
    while (pool->desks) {
        struct fws_desk *desk = pool->desks;
        pool->desks = desk->next;
        pool->allocator->release(pool->allocator->context, desk, FWS_DESK_LEN);
    }
    pool->allocator->release(pool->allocator->context, pool, pool_size(pool->cork.cap));
}

void fastws_pool_set_now(struct fastws_pool *pool, uint64_t now_us) {
    pool->now_us = now_us;
    pool->now_ms = now_us / 1000;
}

void fastws_pool_get_stats(const struct fastws_pool *pool, struct fastws_pool_stats *out) {
    *out = (struct fastws_pool_stats){.slabs_made = pool->slabs_made,
                                      .slabs_free = pool->free_count,
                                      .slabs_lent = pool->slab_count - pool->free_count};
}

void fastws_pool_get_deflate_stats(const struct fastws_pool *pool, struct fastws_deflate_stats *out) {
    *out = (struct fastws_deflate_stats){0};
    if (pool->deflate) fastws_deflate_pool_get_stats(pool->deflate, out);
}

void fastws_pool_trim(struct fastws_pool *pool) {
    if (pool->deflate) fastws_deflate_pool_trim(pool->deflate);
    while (pool->slabs) fws_pool_drop_slab(pool, fws_pool_lend_free(pool));
}

int fws_pool_deflate(struct fastws_pool *pool, struct fastws_deflate_pool **out) {
    enum { KEEP = 4 }; /* free streams of each direction: messages that are compressed and inflated at the same time */
    if (!pool->deflate) TRY(fastws_deflate_pool_new(pool->allocator, KEEP, &pool->deflate));
    *out = pool->deflate;
    return 0;
}

struct fastws_slab *fws_pool_make_slab(struct fastws_pool *pool) {
    uint8_t *memory = pool->allocator->allocate(pool->allocator->context, slab_size(pool));
    if (!memory) return NULL;
    struct fastws_slab *slab = (void *)(align(memory + sizeof *slab, FWS_SLAB_ALIGN) - sizeof *slab);
    slab->memory = memory;
    /* The slop is read, though no result depends on it: give it a value once. */
    memset(slab->bytes + pool->slab_len, 0, FWS_SLAB_SLOP);
    pool->slabs_made++;
    pool->slab_count++;
    return slab;
}

void fws_pool_drop_slab(struct fastws_pool *pool, struct fastws_slab *slab) {
    pool->slab_count--;
    release_slab(pool, slab);
}

void *fws_pool_lend_desk(struct fastws_pool *pool) {
    struct fws_desk *desk = pool->desks;
    if (!desk) return pool->allocator->allocate(pool->allocator->context, FWS_DESK_LEN);
    pool->desks = desk->next;
    pool->desk_count--;
    return desk;
}

/* Two for each slab that is kept: one that receives, one that sends. */
void fws_pool_return_desk(struct fastws_pool *pool, void *desk) {
    if (pool->desk_count >= 2 * pool->slab_keep) {
        pool->allocator->release(pool->allocator->context, desk, FWS_DESK_LEN);
        return;
    }
    struct fws_desk *first = desk;
    first->next = pool->desks;
    pool->desks = first;
    pool->desk_count++;
}
