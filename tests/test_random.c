/* SPDX-License-Identifier: MIT */
/* Random bytes: a seed of the system and what ChaCha20 makes of it; what is used is wiped, what is left is thrown away
 * after a fork, and a test may take over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fastws/error.h>
#include <fastws/pool.h>
#include <fastws/random.h>

#include "../simd/kernels.h"
#include "../src/pool.h"
#include "../src/random.h"

/* The operating system, which this program stands in for: the library links to these two, not to the C library's. */
static struct {
    int calls;
    size_t last_len;
    int is_broken;       /* the call fails, and the library turns to the device */
    const uint8_t *seed; /* what it gives; NULL: bytes of the device */
} the_system;

ssize_t getrandom(void *dst, size_t len, unsigned flags);
int getentropy(void *dst, size_t len);

ssize_t getrandom(void *dst, size_t len, unsigned flags) {
    (void)flags;
    the_system.calls++;
    the_system.last_len = len;
    if (the_system.is_broken) return -1;
    if (!the_system.seed) return fws_random_device(dst, len) == 0 ? (ssize_t)len : -1;
    memcpy(dst, the_system.seed, len);
    return (ssize_t)len;
}

int getentropy(void *dst, size_t len) { return getrandom(dst, len, 0) < 0 ? -1 : 0; }

/* What a batch has to give, and how many batches and bytes one seed does. */
enum { BATCH = FWS_RANDOM_BUFFER, USABLE = BATCH - FWS_RANDOM_KEY_LEN, OF_SEED = FWS_RANDOM_BATCHES * USABLE };

/* No device either: no process without descriptors can open one. */
static void set_device_reachable(int is_reachable) {
    static struct rlimit usual;
    if (usual.rlim_cur == 0) assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, is_reachable ? &usual : &none), 0);
}

/* Whether any 8 bytes of a key stand anywhere in memory. */
static int holds_part_of(const void *memory, size_t len, const uint8_t *key, size_t key_len) {
    const uint8_t *bytes = memory;
    for (size_t i = 0; i + 8 <= len; i++)
        for (size_t k = 0; k + 8 <= key_len; k++)
            if (memcmp(bytes + i, key + k, 8) == 0) return 1;
    return 0;
}

/* Uses up what is left of the batch, by keys. */
static void use_up(struct fws_random *random) {
    uint32_t key;
    while (random->left > 0) assert_int_equal(fws_random_fill(random, &key, sizeof key), 0);
}

static int is_all(const uint8_t *bytes, size_t len, uint8_t value) {
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != value) return 0;
    return 1;
}

static void fills_just_the_bytes_asked_for(void **state) {
    (void)state;
    const size_t lengths[] = {1, 4, 16, 256, USABLE - 1, USABLE, USABLE + 1, BATCH, BATCH + 1, 3000};
    struct fws_random random;
    fws_random_init(&random, NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t seen[3000] = {0}; /* OR of several fills: each byte is hit by one of them */
        for (int round = 0; round < 16; round++) {
            uint8_t dst[3016];
            memset(dst, 0xa5, sizeof dst);
            assert_int_equal(fws_random_fill(&random, dst + 8, lengths[i]), 0);
            assert_true(is_all(dst, 8, 0xa5));
            assert_true(is_all(dst + 8 + lengths[i], sizeof dst - 8 - lengths[i], 0xa5));
            for (size_t k = 0; k < lengths[i]; k++)
                seen[k] |= dst[8 + k] ^ 0xa5;
        }
        for (size_t k = 0; k < lengths[i]; k++)
            assert_true(seen[k] != 0);
    }
    assert_int_equal(fws_random_fill(&random, NULL, 0), 0);
}

static void never_repeats_a_piece(void **state) {
    (void)state;
    struct fws_random random;
    fws_random_init(&random, NULL);
    uint8_t pieces[200][16];
    for (int i = 0; i < 200; i++) {
        assert_int_equal(fws_random_fill(&random, pieces[i], 16), 0);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(pieces[i], pieces[k], 16);
    }
}

static void spreads_its_bytes_evenly(void **state) {
    (void)state;
    static uint8_t bytes[65536];
    struct fws_random random;
    fws_random_init(&random, NULL);
    for (size_t i = 0; i < sizeof bytes; i += 4)
        assert_int_equal(fws_random_fill(&random, bytes + i, 4), 0);
    int counts[256] = {0};
    for (size_t i = 0; i < sizeof bytes; i++)
        counts[bytes[i]]++;
    for (int i = 0; i < 256; i++)
        assert_in_range(counts[i], 256 - 160, 256 + 160); /* ten standard deviations */
}

/* The whole of the construction, spelled out: batch, next key, rest, batch, next key, rest. */
static void gives_the_chacha20_stream_of_the_seed(void **state) {
    (void)state;
    uint8_t seed[FWS_RANDOM_SEED_LEN], batch[BATCH], drawn[USABLE];
    for (size_t i = 0; i < sizeof seed; i++) seed[i] = (uint8_t)(i * 7 + 1);
    for (int row = 0; row < fws_kernels_count(); row++) {
        struct fws_random random;
        uint8_t key[FWS_RANDOM_KEY_LEN];
        memcpy(key, seed, sizeof key);
        the_system.seed = seed;
        fws_random_init(&random, NULL);
        random.kernels = fws_kernels_at(row);
        for (int round = 0; round < 3; round++) {
            fws_chacha_scalar(batch, BATCH / 64, key, 0, seed + FWS_RANDOM_KEY_LEN);
            memcpy(key, batch, sizeof key);
            for (size_t i = 0; i < USABLE; i += 8) assert_int_equal(fws_random_fill(&random, drawn + i, 8), 0);
            assert_memory_equal(drawn, batch + sizeof key, USABLE);
        }
        the_system.seed = NULL;
    }
}

static void asks_the_system_for_a_seed_and_again_when_it_is_used_up(void **state) {
    (void)state;
    struct fws_random random;
    uint8_t dst[8];
    fws_random_init(&random, NULL);
    the_system.calls = 0;
    for (int seed = 1; seed <= 3; seed++) {
        for (size_t drawn = 0; drawn < OF_SEED; drawn += sizeof dst) {
            assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
            assert_int_equal(the_system.calls, seed);
        }
        assert_int_equal(the_system.last_len, FWS_RANDOM_SEED_LEN);
    }
}

static void a_key_that_made_a_batch_is_nowhere_in_memory(void **state) {
    (void)state;
    struct fws_random random;
    uint8_t dst[4], key[FWS_RANDOM_KEY_LEN], nonce[FWS_CHACHA_NONCE_LEN];
    fws_random_init(&random, NULL);
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    memcpy(nonce, random.seed + sizeof key, sizeof nonce);
    for (int batch = 1; batch < FWS_RANDOM_BATCHES; batch++) {
        memcpy(key, random.seed, sizeof key);
        assert_true(holds_part_of(&random, sizeof random, key, sizeof key));
        use_up(&random);
        assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
        assert_false(holds_part_of(&random, sizeof random, key, sizeof key));
        /* Nor is the next one among the bytes that are handed out. */
        assert_false(holds_part_of(random.buffer, sizeof random.buffer, random.seed, sizeof key));
    }
    use_up(&random);
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    assert_false(holds_part_of(&random, sizeof random, nonce, sizeof nonce));
}

static void wipes_what_it_handed_out(void **state) {
    (void)state;
    struct fws_random random;
    fws_random_init(&random, NULL);
    uint8_t dst[4];
    for (unsigned used = 4; used <= USABLE; used += 4) {
        assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
        assert_true(is_all(random.buffer, FWS_RANDOM_KEY_LEN + used, 0));
        assert_int_equal(random.left, USABLE - used);
    }
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    assert_int_equal(random.left, USABLE - 4);
}

static void draws_keys_out_of_the_batch(void **state) {
    (void)state;
    struct fws_random random;
    uint32_t first, key;
    uint8_t expected[8];
    fws_random_init(&random, NULL);
    assert_int_equal(fws_random_draw_key(&random, &key), 0);
    assert_int_equal(fws_random_fill(&random, &first, sizeof first), 0);
    for (unsigned left = USABLE - 4; left >= 8; left -= 8) {
        memcpy(expected, random.buffer + BATCH - left, sizeof expected);
        assert_int_equal(fws_random_draw_key(&random, &key), 1);
        assert_memory_equal(&key, expected, 4);
        assert_int_equal(fws_random_fill(&random, &key, sizeof key), 0);
        assert_memory_equal(&key, expected + 4, 4);
        assert_true(is_all(random.buffer, BATCH - left + 8, 0));
    }
    assert_int_equal(fws_random_draw_key(&random, &key), 1);
    assert_int_equal(fws_random_draw_key(&random, &key), 0);
    /* After a discard the short way is closed. */
    assert_int_equal(fws_random_fill(&random, &key, sizeof key), 0);
    fastws_random_discard();
    assert_int_equal(fws_random_draw_key(&random, &key), 0);
}

/* The streams of two pools, of several batches each, have no 8 bytes in common. */
static void two_pools_share_no_stream(void **state) {
    (void)state;
    static uint8_t streams[2][2 * BATCH];
    struct fastws_pool *pools[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fastws_pool_new(NULL, &pools[i]), 0);
        for (size_t n = 0; n < sizeof streams[i]; n += 8)
            assert_int_equal(fws_random_fill(&pools[i]->random, streams[i] + n, 8), 0);
    }
    assert_false(holds_part_of(streams[0], sizeof streams[0], streams[1], sizeof streams[1]));
    assert_memory_not_equal(pools[0]->random.seed, pools[1]->random.seed, FWS_RANDOM_KEY_LEN);
    for (int i = 0; i < 2; i++) fastws_pool_free(pools[i]);
}

static void a_discard_reaches_every_buffer(void **state) {
    (void)state;
    struct fws_random buffers[2];
    uint8_t dst[4], next[16];
    for (int i = 0; i < 2; i++) {
        fws_random_init(&buffers[i], NULL);
        assert_int_equal(fws_random_fill(&buffers[i], dst, sizeof dst), 0);
    }
    fastws_random_discard();
    for (int i = 0; i < 2; i++) {
        uint8_t fresh[16], seed[FWS_RANDOM_SEED_LEN];
        memcpy(seed, buffers[i].seed, sizeof seed);
        memcpy(next, buffers[i].buffer + FWS_RANDOM_KEY_LEN + 4, sizeof next);
        assert_int_equal(fws_random_fill(&buffers[i], fresh, sizeof fresh), 0);
        assert_memory_not_equal(fresh, next, sizeof next);
        assert_false(holds_part_of(&buffers[i], sizeof buffers[i], seed, sizeof seed));
        assert_false(holds_part_of(&buffers[i], sizeof buffers[i], next, sizeof next));
    }
}

/* Forks; the child discards its buffers if asked to, draws 16 bytes and sends them. Returns what it drew. */
static void draw_in_child(struct fws_random *random, int discards, uint8_t out[16]) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t drawn[16] = {0};
        if (discards) fastws_random_discard();
        int failed = fws_random_fill(random, drawn, sizeof drawn) != 0;
        failed |= write(ends[1], drawn, sizeof drawn) != (ssize_t)sizeof drawn;
        _exit(failed);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], out, 16), 16);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_child_that_discards_draws_other_bytes_than_its_parent(void **state) {
    (void)state;
    struct fws_random random;
    uint8_t mine[16], of_child[16];
    fws_random_init(&random, NULL);
    assert_int_equal(fws_random_fill(&random, mine, 4), 0);
    draw_in_child(&random, 1, of_child);
    struct fws_random copy = random;
    assert_int_equal(fws_random_fill(&random, mine, sizeof mine), 0);
    assert_memory_not_equal(mine, of_child, sizeof mine);
    /* Without the discard both draw the same: what the call is there to prevent. */
    draw_in_child(&copy, 0, of_child);
    assert_memory_equal(mine, of_child, sizeof mine);
}

struct script {
    uint8_t next;
    size_t last_len;
    int calls;
    int result;
};

static int fill_from_script(void *context, void *dst, size_t len) {
    struct script *script = context;
    script->calls++;
    script->last_len = len;
    memset(dst, script->next++, len);
    return script->result;
}

static void asks_the_source_in_place_for_each_piece(void **state) {
    (void)state;
    struct script script = {.next = 7};
    const struct fastws_random source = {fill_from_script, &script};
    struct fws_random random;
    fws_random_init(&random, &source);
    uint8_t dst[600];
    assert_int_equal(fws_random_fill(&random, dst, 4), 0);
    assert_true(is_all(dst, 4, 7));
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    assert_true(is_all(dst, sizeof dst, 8));
    assert_int_equal(script.last_len, sizeof dst);
    assert_int_equal(fws_random_fill(&random, dst, 0), 0);
    assert_int_equal(script.calls, 2);
}

static void passes_on_the_error_of_the_source(void **state) {
    (void)state;
    struct script script = {.result = FASTWS_ERR_RANDOM};
    const struct fastws_random source = {fill_from_script, &script};
    struct fws_random random;
    fws_random_init(&random, &source);
    uint8_t dst[4];
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), FASTWS_ERR_RANDOM);
    script.result = FASTWS_ERR_NOMEM;
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), FASTWS_ERR_NOMEM);
}

static void the_system_and_the_device_give_different_bytes_each_time(void **state) {
    (void)state;
    uint8_t a[600] = {0}, b[600] = {0};
    assert_int_equal(fws_random_system(a, sizeof a), 0);
    assert_int_equal(fws_random_system(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 512, b + 512, 88);
    assert_int_equal(fws_random_device(a, sizeof a), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 512, b + 512, 88);
}

static void says_so_when_the_device_cannot_be_opened(void **state) {
    (void)state;
    uint8_t dst[4];
    set_device_reachable(0);
    int result = fws_random_device(dst, sizeof dst);
    set_device_reachable(1);
    assert_int_equal(result, FASTWS_ERR_RANDOM);
}

static void takes_the_seed_of_the_device_where_the_call_fails(void **state) {
    (void)state;
    struct fws_random random;
    uint8_t dst[16] = {0};
    the_system.is_broken = 1;
    fws_random_init(&random, NULL);
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    the_system.is_broken = 0;
    assert_false(is_all(dst, sizeof dst, 0));
}

/* Nothing to go on with: not the seed of before, not the bytes that were left of it. */
static void check_that_it_stands_still(struct fws_random *random) {
    uint8_t dst[8];
    uint32_t key;
    the_system.is_broken = 1;
    set_device_reachable(0);
    int results[2] = {fws_random_fill(random, dst, sizeof dst), fws_random_fill(random, dst, sizeof dst)};
    int is_drawn = fws_random_draw_key(random, &key);
    the_system.is_broken = 0;
    set_device_reachable(1);
    assert_int_equal(results[0], FASTWS_ERR_RANDOM);
    assert_int_equal(results[1], FASTWS_ERR_RANDOM);
    assert_int_equal(is_drawn, 0);
    assert_true(is_all(random->seed, sizeof random->seed, 0));
    assert_true(is_all(random->buffer, sizeof random->buffer, 0));
    assert_int_equal(fws_random_fill(random, dst, sizeof dst), 0);
    assert_false(is_all(random->seed, sizeof random->seed, 0));
}

static void gives_nothing_while_the_system_gives_no_seed(void **state) {
    (void)state;
    struct fws_random random;
    uint8_t dst[8];
    fws_random_init(&random, NULL);
    check_that_it_stands_still(&random); /* the first seed */
    while (random.batches > 0 || random.left > 0) assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    check_that_it_stands_still(&random); /* the next one */
    fastws_random_discard();
    check_that_it_stands_still(&random); /* that after a fork */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_just_the_bytes_asked_for),
        cmocka_unit_test(never_repeats_a_piece),
        cmocka_unit_test(spreads_its_bytes_evenly),
        cmocka_unit_test(gives_the_chacha20_stream_of_the_seed),
        cmocka_unit_test(asks_the_system_for_a_seed_and_again_when_it_is_used_up),
        cmocka_unit_test(a_key_that_made_a_batch_is_nowhere_in_memory),
        cmocka_unit_test(wipes_what_it_handed_out),
        cmocka_unit_test(draws_keys_out_of_the_batch),
        cmocka_unit_test(two_pools_share_no_stream),
        cmocka_unit_test(a_discard_reaches_every_buffer),
        cmocka_unit_test(a_child_that_discards_draws_other_bytes_than_its_parent),
        cmocka_unit_test(asks_the_source_in_place_for_each_piece),
        cmocka_unit_test(passes_on_the_error_of_the_source),
        cmocka_unit_test(the_system_and_the_device_give_different_bytes_each_time),
        cmocka_unit_test(says_so_when_the_device_cannot_be_opened),
        cmocka_unit_test(takes_the_seed_of_the_device_where_the_call_fails),
        cmocka_unit_test(gives_nothing_while_the_system_gives_no_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
