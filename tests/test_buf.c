/* SPDX-License-Identifier: MIT */
/* The queue of bytes: order is kept, blocks never move, a failed allocation changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../src/buf.h"
#include "support.h"

static void append(struct fws_buf *buf, struct memory *memory, const void *src, size_t len) {
    uint8_t *dst = fws_buf_append(buf, &memory->allocator, len);
    assert_non_null(dst);
    memcpy(dst, src, len);
}

/* Everything that is queued. */
static struct bytes contents(const struct fws_buf *buf) {
    struct bytes bytes = {0};
    struct fws_block *first = fws_buf_first(buf);
    for (struct fws_block *block = first; block; block = block->next == first ? NULL : block->next) {
        assert_true(block->off <= block->len && block->len <= block->cap);
        bytes_put(&bytes, block->bytes + block->off, block->len - block->off);
    }
    return bytes;
}

static void expect_contents(const struct fws_buf *buf, const void *expected, size_t len) {
    struct bytes bytes = contents(buf);
    assert_int_equal(bytes.len, len);
    if (len > 0) assert_memory_equal(bytes.ptr, expected, len);
    bytes_free(&bytes);
}

static void keeps_order_over_any_appends_and_takes(void **state) {
    (void)state;
    static uint8_t stream[400000];
    fill_pattern(stream, sizeof stream, 1);
    struct memory memory;
    memory_init(&memory);
    for (uint32_t seed = 1; seed < 200; seed++) {
        struct fws_buf buf = {0};
        uint32_t random = seed;
        size_t in = 0, out = 0;
        for (int i = 0; i < 100; i++) {
            size_t len = 1 + next_random(&random) % (i % 5 ? 700 : 9000);
            if (next_random(&random) % 2) {
                append(&buf, &memory, stream + in, len);
                in += len;
            } else {
                size_t there = in - out;
                size_t taken = fws_buf_consume(&buf, &memory.allocator, len);
                assert_int_equal(taken, len < there ? len : there);
                out += taken;
            }
            if (i % 10 == 0) expect_contents(&buf, stream + out, in - out);
        }
        fws_buf_clear(&buf, &memory.allocator);
        assert_null(fws_buf_first(&buf));
        assert_int_equal(memory.live, 0);
    }
}

static void what_is_queued_does_not_move(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    struct fws_buf buf = {0};
    uint8_t *places[100];
    for (uint8_t i = 0; i < 100; i++) {
        places[i] = fws_buf_append(&buf, &memory.allocator, 100);
        assert_non_null(places[i]);
        memset(places[i], i, 100);
    }
    for (uint8_t i = 0; i < 100; i++)
        assert_int_equal(places[i][99], i);
    assert_true(memory.calls < 10); /* 10 000 bytes in blocks that double */
    fws_buf_clear(&buf, &memory.allocator);
    assert_int_equal(memory.live, 0);
}

static void a_large_piece_has_a_block_of_its_size(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    struct fws_buf buf = {0};
    append(&buf, &memory, "small", 5);
    static uint8_t large[1000000];
    append(&buf, &memory, large, sizeof large);
    append(&buf, &memory, "small", 5);
    assert_int_equal(memory.calls, 3);
    assert_true(memory.live < sizeof large + 70000);
    fws_buf_clear(&buf, &memory.allocator);
}

static void taking_gives_blocks_back_at_once(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    struct fws_buf buf = {0};
    static uint8_t piece[1024];
    append(&buf, &memory, piece, sizeof piece);
    append(&buf, &memory, piece, sizeof piece);
    size_t both = memory.live;
    assert_int_equal(fws_buf_consume(&buf, &memory.allocator, 1023), 1023);
    assert_int_equal(memory.live, both);
    assert_int_equal(fws_buf_consume(&buf, &memory.allocator, 1), 1);
    assert_true(memory.live < both);
    assert_int_equal(fws_buf_consume(&buf, &memory.allocator, SIZE_MAX), 1024);
    assert_int_equal(memory.live, 0);
    assert_int_equal(fws_buf_consume(&buf, &memory.allocator, 1), 0);
}

static void a_failed_allocation_changes_nothing(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    struct fws_buf buf = {0};
    memory.fail_at = 1;
    assert_null(fws_buf_append(&buf, &memory.allocator, 10));
    assert_null(fws_buf_first(&buf));
    append(&buf, &memory, "queued", 6);
    memory.fail_at = memory.calls + 1;
    assert_null(fws_buf_append(&buf, &memory.allocator, 5000));
    expect_contents(&buf, "queued", 6);
    memory.fail_at = 0;
    assert_null(fws_buf_append(&buf, &memory.allocator, SIZE_MAX - 8)); /* with its head it would wrap around */
    expect_contents(&buf, "queued", 6);
    fws_buf_clear(&buf, &memory.allocator);
}

static void joins_queues_without_allocating(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    struct fws_buf a = {0}, b = {0}, none = {0};
    fws_buf_join(&a, &none);
    assert_null(fws_buf_first(&a));
    append(&b, &memory, "one", 3);
    fws_buf_join(&a, &b); /* to an empty one */
    assert_null(fws_buf_first(&b));
    fws_buf_join(&a, &none);
    expect_contents(&a, "one", 3);
    static uint8_t piece[2000] = {1};
    append(&b, &memory, "two", 3);
    append(&b, &memory, piece, sizeof piece);
    uint64_t calls = memory.calls;
    fws_buf_join(&a, &b);
    assert_int_equal(memory.calls, calls);
    append(&a, &memory, "end", 3);
    struct bytes expected = {0};
    bytes_put(&expected, "onetwo", 6);
    bytes_put(&expected, piece, sizeof piece);
    bytes_put(&expected, "end", 3);
    expect_contents(&a, expected.ptr, expected.len);
    bytes_free(&expected);
    fws_buf_clear(&a, &memory.allocator);
    assert_int_equal(memory.live, 0);
}

static void the_default_allocator_is_malloc(void **state) {
    (void)state;
    struct memory memory;
    memory_init(&memory);
    assert_ptr_equal(fws_allocator_or_default(&memory.allocator), &memory.allocator);
    const struct fastws_allocator *allocator = fws_allocator_or_default(NULL);
    char *ptr = allocator->allocate(allocator->context, 4);
    assert_non_null(ptr);
    memcpy(ptr, "abc", 4);
    ptr = allocator->resize(allocator->context, ptr, 4, 100000);
    assert_non_null(ptr);
    assert_string_equal(ptr, "abc");
    allocator->release(allocator->context, ptr, 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_over_any_appends_and_takes),
        cmocka_unit_test(what_is_queued_does_not_move),
        cmocka_unit_test(a_large_piece_has_a_block_of_its_size),
        cmocka_unit_test(taking_gives_blocks_back_at_once),
        cmocka_unit_test(a_failed_allocation_changes_nothing),
        cmocka_unit_test(joins_queues_without_allocating),
        cmocka_unit_test(the_default_allocator_is_malloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
