/* SPDX-License-Identifier: MIT */
/* The pool: its settings, the slabs that it lends and keeps, its clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fastws/cpu.h>
#include <fastws/error.h>

#include "../simd/kernels.h"
#include "../src/pool.h"
#include "support.h"

static struct fastws_pool_stats stats_of(const struct fastws_pool *pool) {
    struct fastws_pool_stats stats;
    fastws_pool_get_stats(pool, &stats);
    return stats;
}

static struct fastws_pool *make_pool(struct memory *memory, size_t slab_len, unsigned slab_keep) {
    struct fastws_pool_config config;
    struct fastws_pool *pool = NULL;
    memory_init(memory);
    fastws_pool_config_init(&config);
    config.allocator = &memory->allocator;
    config.slab_len = slab_len;
    config.slab_keep = slab_keep;
    assert_int_equal(fastws_pool_new(&config, &pool), 0);
    return pool;
}

static void is_made_with_one_allocation_and_no_slab(void **state) {
    (void)state;
    struct memory memory;
    struct fastws_pool *pool = make_pool(&memory, 65536, 16);
    assert_int_equal(memory.calls, 1);
    assert_true(memory.live < 24 * 1024);
    struct fastws_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.slabs_made, 0);
    assert_int_equal(stats.slabs_free, 0);
    assert_int_equal(stats.slabs_lent, 0);
    fastws_pool_free(pool);
    assert_int_equal(memory.live, 0);
    fastws_pool_free(NULL);
}

static void works_with_the_defaults(void **state) {
    (void)state;
    struct fastws_pool *pool;
    assert_int_equal(fastws_pool_new(NULL, &pool), 0);
    assert_int_equal(pool->slab_len, 65536);
    assert_int_equal(pool->slab_keep, 16);
    struct fastws_slab *slab = fws_pool_lend(pool);
    assert_non_null(slab);
    memset(slab->bytes, 1, 65536 + FWS_SLAB_SLOP);
    fws_pool_return(pool, slab);
    fastws_pool_free(pool);
}

static void refuses_settings_out_of_range(void **state) {
    (void)state;
    struct fastws_pool_config config;
    struct fastws_pool *pool = NULL;
    const size_t bad_lens[] = {0, 4095, ((size_t)1 << 30) + 1, SIZE_MAX};
    for (size_t i = 0; i < 4; i++) {
        fastws_pool_config_init(&config);
        config.slab_len = bad_lens[i];
        assert_int_equal(fastws_pool_new(&config, &pool), FASTWS_ERR_ARGUMENT);
    }
    fastws_pool_config_init(&config);
    config.size++;
    assert_int_equal(fastws_pool_new(&config, &pool), FASTWS_ERR_ARGUMENT);
    assert_null(pool);
    fastws_pool_config_init(&config);
    config.slab_len = 4096;
    assert_int_equal(fastws_pool_new(&config, &pool), 0);
    fastws_pool_free(pool);
}

static void keeps_as_many_free_slabs_as_it_was_told(void **state) {
    (void)state;
    for (unsigned keep = 0; keep < 5; keep++) {
        struct memory memory;
        struct fastws_pool *pool = make_pool(&memory, 4096, keep);
        size_t fixed = memory.live;
        struct fastws_slab *slabs[4];
        for (int i = 0; i < 4; i++)
            assert_non_null(slabs[i] = fws_pool_lend(pool));
        size_t slab_size = (memory.live - fixed) / 4;
        assert_int_equal(stats_of(pool).slabs_lent, 4);
        for (int i = 0; i < 4; i++)
            fws_pool_return(pool, slabs[i]);
        size_t kept = keep < 4 ? keep : 4;
        assert_int_equal(memory.live, fixed + kept * slab_size);
        assert_int_equal(stats_of(pool).slabs_free, kept);
        assert_int_equal(stats_of(pool).slabs_lent, 0);
        uint64_t calls = memory.calls;
        for (size_t i = 0; i < kept; i++)
            assert_non_null(slabs[i] = fws_pool_lend(pool));
        assert_int_equal(memory.calls, calls); /* those that were kept */
        for (size_t i = 0; i < kept; i++)
            fws_pool_return(pool, slabs[i]);
        assert_int_equal(stats_of(pool).slabs_made, 4);
        fastws_pool_free(pool);
        assert_int_equal(memory.live, 0);
    }
}

/* One that receives and one that sends for each slab. */
static void keeps_two_free_desks_for_each_slab(void **state) {
    (void)state;
    for (unsigned keep = 0; keep < 3; keep++) {
        struct memory memory;
        struct fastws_pool *pool = make_pool(&memory, 4096, keep);
        size_t fixed = memory.live;
        void *desks[6];
        for (int i = 0; i < 6; i++)
            assert_non_null(desks[i] = fws_pool_lend_desk(pool));
        assert_int_equal(memory.live, fixed + 6 * FWS_DESK_LEN);
        for (int i = 0; i < 6; i++)
            fws_pool_return_desk(pool, desks[i]);
        assert_int_equal(memory.live, fixed + 2 * keep * FWS_DESK_LEN);
        fastws_pool_free(pool);
        assert_int_equal(memory.live, 0);
    }
}

static void a_slab_that_cannot_be_made_is_not_counted(void **state) {
    (void)state;
    struct memory memory;
    struct fastws_pool *pool = make_pool(&memory, 4096, 16);
    memory.fail_at = memory.calls + 1;
    assert_null(fws_pool_lend(pool));
    assert_int_equal(stats_of(pool).slabs_made, 0);
    assert_int_equal(stats_of(pool).slabs_lent, 0);
    struct fastws_slab *slab = fws_pool_lend(pool);
    assert_non_null(slab);
    fws_pool_return(pool, slab);
    fastws_pool_free(pool);
}

static void a_pool_that_cannot_be_made_says_so(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    memory.fail_at = 1;
    struct fastws_pool_config config;
    struct fastws_pool *pool = NULL;
    fastws_pool_config_init(&config);
    config.allocator = &memory.allocator;
    assert_int_equal(fastws_pool_new(&config, &pool), FASTWS_ERR_NOMEM);
    assert_null(pool);
    assert_int_equal(memory.live, 0);
}

static void keeps_the_kernels_that_were_active_when_it_was_made(void **state) {
    (void)state;
    struct memory memory;
    const char *before = fastws_cpu_isa();
    for (int i = 0; i < fws_kernels_count(); i++) {
        assert_int_equal(fastws_cpu_select(fws_kernels_at(i)->name), 0);
        struct fastws_pool *pool = make_pool(&memory, 4096, 16);
        assert_int_equal(fastws_cpu_select("scalar"), 0);
        assert_string_equal(pool->kernels->name, fws_kernels_at(i)->name);
        fastws_pool_free(pool);
    }
    assert_int_equal(fastws_cpu_select(before), 0);
}

static void tells_the_time_in_milliseconds(void **state) {
    (void)state;
    struct memory memory;
    struct fastws_pool *pool = make_pool(&memory, 4096, 16);
    assert_int_equal(fws_pool_now_ms(pool), 0);
    fastws_pool_set_now(pool, 1999);
    assert_int_equal(fws_pool_now_ms(pool), 1);
    fastws_pool_set_now(pool, 2000);
    assert_int_equal(fws_pool_now_ms(pool), 2);
    fastws_pool_free(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made_with_one_allocation_and_no_slab),
        cmocka_unit_test(works_with_the_defaults),
        cmocka_unit_test(refuses_settings_out_of_range),
        cmocka_unit_test(keeps_as_many_free_slabs_as_it_was_told),
        cmocka_unit_test(keeps_two_free_desks_for_each_slab),
        cmocka_unit_test(a_slab_that_cannot_be_made_is_not_counted),
        cmocka_unit_test(a_pool_that_cannot_be_made_says_so),
        cmocka_unit_test(keeps_the_kernels_that_were_active_when_it_was_made),
        cmocka_unit_test(tells_the_time_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
