/* SPDX-License-Identifier: MIT */
/* Random bytes: what is used is wiped, what is buffered is thrown away after a fork, and a test may take over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fastws/error.h>
#include <fastws/random.h>

#include "../src/random.h"

static int is_all(const uint8_t *bytes, size_t len, uint8_t value) {
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != value) return 0;
    return 1;
}

static void fills_just_the_bytes_asked_for(void **state) {
    (void)state;
    const size_t lengths[] = {1, 4, 16, 256, 1023, 1024, 1025, 3000};
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

static void wipes_what_it_handed_out(void **state) {
    (void)state;
    struct fws_random random;
    fws_random_init(&random, NULL);
    uint8_t dst[4];
    for (unsigned used = 4; used <= sizeof random.buffer; used += 4) {
        assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
        assert_true(is_all(random.buffer, used, 0));
        assert_int_equal(random.left, sizeof random.buffer - used);
    }
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    assert_int_equal(random.left, sizeof random.buffer - 4);
}

static void draws_in_bulk(void **state) {
    (void)state;
    struct fws_random random;
    fws_random_init(&random, NULL);
    uint8_t next[8], dst[4];
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    memcpy(next, random.buffer + 4, sizeof next);
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    assert_memory_equal(dst, next, 4);
    assert_int_equal(fws_random_fill(&random, dst, sizeof dst), 0);
    assert_memory_equal(dst, next + 4, 4);
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
        uint8_t fresh[16];
        memcpy(next, buffers[i].buffer + 4, sizeof next);
        assert_int_equal(fws_random_fill(&buffers[i], fresh, sizeof fresh), 0);
        assert_memory_not_equal(fresh, next, sizeof next);
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
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    uint8_t dst[4];
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = fws_random_device(dst, sizeof dst);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(result, FASTWS_ERR_RANDOM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_just_the_bytes_asked_for),
        cmocka_unit_test(never_repeats_a_piece),
        cmocka_unit_test(spreads_its_bytes_evenly),
        cmocka_unit_test(wipes_what_it_handed_out),
        cmocka_unit_test(draws_in_bulk),
        cmocka_unit_test(a_discard_reaches_every_buffer),
        cmocka_unit_test(a_child_that_discards_draws_other_bytes_than_its_parent),
        cmocka_unit_test(asks_the_source_in_place_for_each_piece),
        cmocka_unit_test(passes_on_the_error_of_the_source),
        cmocka_unit_test(the_system_and_the_device_give_different_bytes_each_time),
        cmocka_unit_test(says_so_when_the_device_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
