/* SPDX-License-Identifier: MIT */
/* Implements what the tests of a connection share. */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>

/* ---- Bytes and frames ---- */

void bytes_put(struct bytes *bytes, const void *src, size_t len) {
    if (bytes->cap - bytes->len < len) {
        bytes->cap = 2 * (bytes->len + len);
        bytes->ptr = realloc(bytes->ptr, bytes->cap);
        assert_non_null(bytes->ptr);
    }
    if (len > 0) memcpy(bytes->ptr + bytes->len, src, len);
    bytes->len += len;
}

void bytes_free(struct bytes *bytes) {
    free(bytes->ptr);
    *bytes = (struct bytes){0};
}

uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

void fill_pattern(uint8_t *dst, size_t len, uint32_t seed) {
    uint32_t state = seed + 1;
    for (size_t i = 0; i < len; i++)
        dst[i] = (uint8_t)(next_random(&state) >> 11);
}

static void put_byte(struct bytes *wire, uint64_t byte) {
    uint8_t value = (uint8_t)byte;
    bytes_put(wire, &value, 1);
}

static void put_length(struct bytes *wire, unsigned mask_bit, uint64_t len) {
    int extra = len < 126 ? 0 : len < 65536 ? 2 : 8;
    put_byte(wire, mask_bit | (extra == 0 ? len : extra == 2 ? 126 : 127));
    for (int i = extra - 1; i >= 0; i--)
        put_byte(wire, len >> (8 * i));
}

void put_frame(struct bytes *wire, enum fastws_role receiver, unsigned first, const void *payload, size_t len) {
    unsigned mask_bit = receiver == FASTWS_ROLE_SERVER ? 0x80 : 0;
    put_byte(wire, first);
    put_length(wire, mask_bit, len);
    uint8_t key[4] = {0};
    uint32_t state = (uint32_t)wire->len + 77;
    fill_pattern(key, mask_bit ? sizeof key : 0, next_random(&state));
    if (mask_bit) bytes_put(wire, key, sizeof key);
    size_t start = wire->len;
    bytes_put(wire, payload, len);
    for (size_t i = 0; i < len; i++)
        wire->ptr[start + i] ^= key[i % 4];
}

void put_text(struct bytes *wire, enum fastws_role receiver, const char *text) {
    put_frame(wire, receiver, 0x81, text, strlen(text));
}

static uint64_t take_length(const struct bytes *wire, size_t *off) {
    unsigned len7 = wire->ptr[*off - 1] & 0x7f;
    int extra = len7 < 126 ? 0 : len7 == 126 ? 2 : 8;
    uint64_t len = extra ? 0 : len7;
    assert_true(wire->len - *off >= (size_t)extra);
    for (int i = 0; i < extra; i++)
        len = len << 8 | wire->ptr[(*off)++];
    if (extra == 2) assert_true(len > 125);
    if (extra == 8) assert_true(len > 65535);
    return len;
}

struct frame take_frame(struct bytes *wire, size_t *off, enum fastws_role sender) {
    assert_true(wire->len - *off >= 2);
    struct frame frame = {.first = wire->ptr[*off]};
    int is_masked = wire->ptr[*off + 1] >> 7;
    assert_int_equal(is_masked, sender == FASTWS_ROLE_CLIENT);
    *off += 2;
    frame.len = (size_t)take_length(wire, off);
    uint8_t key[4] = {0};
    if (is_masked) {
        assert_true(wire->len - *off >= sizeof key);
        memcpy(key, wire->ptr + *off, sizeof key);
        *off += sizeof key;
    }
    assert_true(wire->len - *off >= frame.len);
    for (size_t i = 0; i < frame.len; i++)
        wire->ptr[*off + i] ^= key[i % 4];
    frame.payload = wire->ptr + *off;
    *off += frame.len;
    return frame;
}

/* ---- Memory and random bytes ---- */

/* In front of each piece, to find what release and resize claim. */
union prefix {
    size_t size;
    max_align_t align;
};

static int has_to_fail(struct memory *memory) {
    memory->calls++;
    if (memory->fail_at == 0) return 0;
    return memory->fail_on ? memory->calls >= memory->fail_at : memory->calls == memory->fail_at;
}

static void *allocate(void *context, size_t size) {
    struct memory *memory = context;
    assert_true(size > 0);
    if (has_to_fail(memory)) return NULL;
    union prefix *prefix = malloc(sizeof *prefix + size);
    assert_non_null(prefix);
    prefix->size = size;
    memset(prefix + 1, 0xa5, size);
    memory->live += size;
    if (memory->live > memory->peak) memory->peak = memory->live;
    if (size > memory->largest) memory->largest = size;
    return prefix + 1;
}

static void release(void *context, void *ptr, size_t size) {
    struct memory *memory = context;
    union prefix *prefix = (union prefix *)ptr - 1;
    assert_int_equal(prefix->size, size);
    memory->live -= size;
    memset(ptr, 0x5a, size);
    free(prefix);
}

/* Always moves. A real one may grow a piece where it is: peak says what that would take. */
static void *resize(void *context, void *ptr, size_t old_size, size_t new_size) {
    struct memory *memory = context;
    size_t peak = memory->peak;
    void *moved = allocate(context, new_size);
    if (!moved) return NULL;
    memcpy(moved, ptr, old_size < new_size ? old_size : new_size);
    release(context, ptr, old_size);
    memory->peak = memory->live > peak ? memory->live : peak;
    return moved;
}

void memory_init(struct memory *memory) {
    *memory = (struct memory){.allocator = {allocate, resize, release, memory}};
}

static int fill_keys(void *context, void *dst, size_t len) {
    struct keys *keys = context;
    if (keys->error) return keys->error;
    fill_pattern(dst, len, next_random(&keys->state));
    return 0;
}

/* ---- Events ---- */

static void log_put(struct log *log, struct fastws_event event) {
    const uint8_t *payload = event.ptr;
    event.ptr = NULL;
    bytes_put(&log->bytes, &event, sizeof event);
    bytes_put(&log->bytes, payload, (size_t)event.len);
    log->count++;
}

void log_event(struct log *log, const struct fastws_event *event) {
    assert_true(event->ptr != NULL || event->len == 0);
    struct fastws_event logged = *event;
    if (event->kind == FASTWS_EVENT_ERROR) logged.stream_offset = 0; /* it depends on lengths of frames, too */
    log_put(log, logged);
}

static int is_ascii(const uint8_t *payload, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (payload[i] >= 0x80) return 0;
    return 1;
}

enum { WHOLE = FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST };

void log_message(struct log *log, unsigned opcode, const void *payload, size_t len) {
    unsigned flags = WHOLE | (opcode == 1 && is_ascii(payload, len) ? FASTWS_EVENT_ASCII : 0u);
    log_put(log, (struct fastws_event){.ptr = payload, .len = len, .kind = FASTWS_EVENT_MESSAGE,
                                       .opcode = (uint8_t)opcode, .flags = (uint16_t)flags});
}

void log_control(struct log *log, enum fastws_event_kind kind, const void *payload, size_t len) {
    uint8_t opcode = kind == FASTWS_EVENT_PING ? 9 : 10;
    log_put(log, (struct fastws_event){
                     .ptr = payload, .len = len, .kind = (uint8_t)kind, .opcode = opcode, .flags = WHOLE});
}

void log_close(struct log *log, uint16_t code, const void *reason, size_t len) {
    log_put(log, (struct fastws_event){.ptr = reason, .len = len, .kind = FASTWS_EVENT_CLOSE, .opcode = 8,
                                       .flags = WHOLE, .close_code = code});
}

void log_error(struct log *log, int error, uint64_t offset) {
    log_put(log, (struct fastws_event){.kind = FASTWS_EVENT_ERROR, .error = error, .error_offset = offset,
                                       .close_code = (uint16_t)fastws_error_close_code(error)});
}

void log_free(struct log *log) {
    bytes_free(&log->bytes);
    log->count = 0;
}

/* Reads the event at *off, and moves it behind. */
static struct fastws_event log_at(const struct log *log, size_t *off) {
    struct fastws_event event = {0};
    if (*off < log->bytes.len) memcpy(&event, log->bytes.ptr + *off, sizeof event);
    event.ptr = log->bytes.ptr + *off + sizeof event;
    *off += *off < log->bytes.len ? sizeof event + (size_t)event.len : 0;
    return event;
}

static void print_event(const char *who, const struct fastws_event *event) {
    print_message("%s kind %d opcode %d flags %d len %llu code %d error %s offset %llu\n", who, event->kind,
                  event->opcode, event->flags, (unsigned long long)event->len, event->close_code,
                  fastws_error_name(event->error), (unsigned long long)event->error_offset);
}

static int is_same(const struct bytes *a, const struct bytes *b) {
    return a->len == b->len && (a->len == 0 || memcmp(a->ptr, b->ptr, a->len) == 0);
}

void assert_logs_equal(const struct log *seen, const struct log *expected) {
    if (is_same(&seen->bytes, &expected->bytes)) return;
    size_t seen_off = 0, expected_off = 0;
    for (int i = 0; i < seen->count || i < expected->count; i++) {
        struct fastws_event a = log_at(seen, &seen_off);
        struct fastws_event b = log_at(expected, &expected_off);
        const uint8_t *a_ptr = a.ptr, *b_ptr = b.ptr;
        a.ptr = b.ptr = NULL;
        int is_same_event = memcmp(&a, &b, sizeof a) == 0;
        if (is_same_event && (a.len == 0 || memcmp(a_ptr, b_ptr, (size_t)a.len) == 0)) continue;
        print_event("seen    ", &a);
        print_event("expected", &b);
        fail_msg("event %d of %d differs (%d expected)%s", i, seen->count, expected->count,
                 is_same_event ? ": in its payload" : "");
    }
    fail_msg("logs differ");
}

/* ---- One end of a connection ---- */

void end_prepare(struct end *end, enum fastws_role role) {
    *end = (struct end){.input = INPUT_SPACE, .cap = EVENTS_CAP_MAX, .keys = {.random = {fill_keys, NULL}, .state = 1}};
    memory_init(&end->memory);
    fastws_pool_config_init(&end->pool_config);
    fastws_conn_config_init(&end->config, role);
}

void end_open(struct end *end) {
    end->keys.random.context = &end->keys;
    end->pool_config.allocator = &end->memory.allocator;
    end->pool_config.random = &end->keys.random;
    assert_int_equal(fastws_pool_new(&end->pool_config, &end->pool), 0);
    assert_int_equal(fastws_conn_new(&end->config, end->pool, &end->conn), 0);
}

struct fastws_conn *end_open_beside_cork(struct end *end, enum fastws_role role, const char *message) {
    struct fastws_conn *other;
    end_prepare(end, role);
    end_open(end);
    assert_int_equal(fastws_conn_new(&end->config, end->pool, &other), 0);
    assert_int_equal(fastws_conn_send(other, 2, message, strlen(message)), 0);
    return other;
}

void end_close(struct end *end) {
    fastws_conn_free(end->conn);
    fastws_pool_free(end->pool);
    assert_int_equal(end->memory.live, 0);
    log_free(&end->log);
    bytes_free(&end->sent);
}

void end_take_events(struct end *end) {
    struct fastws_event events[EVENTS_CAP_MAX];
    while ((end->last = fastws_conn_next(end->conn, events, end->cap)) > 0) {
        assert_true(end->last <= end->cap);
        end->batches++;
        /* Read only once the whole batch is there: every view has to live until then. */
        for (int i = 0; i < end->last; i++) {
            if (events[i].kind == FASTWS_EVENT_ERROR)
                assert_int_equal(events[i].stream_offset, fastws_conn_offset(end->conn));
            log_event(&end->log, &events[i]);
        }
    }
}

static size_t receive_into_space(struct end *end, const uint8_t *src, size_t len) {
    void *ptr;
    size_t cap;
    if (fastws_conn_space(end->conn, &ptr, &cap) < 0 || cap == 0) return 0;
    if (cap < len) len = cap;
    memcpy(ptr, src, len);
    assert_int_equal(fastws_conn_filled(end->conn, len), 0);
    end_take_events(end);
    return len;
}

static size_t receive_by_feed(struct end *end, const uint8_t *src, size_t len) {
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    memcpy(buf, src, len);
    int error = fastws_conn_feed(end->conn, buf, len);
    if (error == 0) end_take_events(end);
    memset(buf, 0x5a, len);
    free(buf);
    return error == 0 ? len : 0;
}

size_t end_receive(struct end *end, const void *src, size_t len) {
    const uint8_t *bytes = src;
    size_t done = 0;
    while (done < len) {
        size_t taken = end->input == INPUT_SPACE ? receive_into_space(end, bytes + done, len - done)
                                                 : receive_by_feed(end, bytes + done, len - done);
        if (taken == 0) break;
        done += taken;
        if (end->last < 0) break;
    }
    return done;
}

void end_receive_in_steps(struct end *end, const struct bytes *wire, size_t step) {
    for (size_t off = 0; off < wire->len; off += step) {
        size_t left = wire->len - off;
        end_receive(end, wire->ptr + off, left < step ? left : step);
        if (left < step) return;
    }
}

/* Writes at most len of the pieces, as writev() on a full socket would. Returns how many bytes. */
static size_t write_pieces(struct bytes *dst, const struct fastws_iovec *pieces, int count, size_t len) {
    size_t written = 0;
    for (int i = 0; i < count && written < len; i++) {
        size_t part = pieces[i].len < len - written ? pieces[i].len : len - written;
        bytes_put(dst, pieces[i].base, part);
        written += part;
    }
    return written;
}

void end_drain(struct end *end, size_t step) {
    struct fastws_iovec pieces[8];
    int count;
    while ((count = fastws_conn_pending(end->conn, pieces, 8)) > 0) {
        size_t written = write_pieces(&end->sent, pieces, count, step);
        assert_true(written > 0);
        assert_int_equal(fastws_conn_sent(end->conn, written), 0);
    }
    assert_int_equal(count, 0);
}

void end_receive_frame(struct end *end, unsigned first, const void *payload, size_t len) {
    struct bytes wire = {0};
    put_frame(&wire, (enum fastws_role)end->config.role, first, payload, len);
    end_receive(end, wire.ptr, wire.len);
    bytes_free(&wire);
}

void expect_sent(struct end *end, size_t *off, unsigned first, const void *payload, size_t len) {
    struct frame frame = take_frame(&end->sent, off, (enum fastws_role)end->config.role);
    assert_int_equal(frame.first, first);
    assert_int_equal(frame.len, len);
    if (len > 0) assert_memory_equal(frame.payload, payload, len);
}

void expect_only_sent(struct end *end, unsigned first, const void *payload, size_t len) {
    size_t off = 0;
    end->sent.len = 0;
    end_drain(end, SIZE_MAX);
    expect_sent(end, &off, first, payload, len);
    assert_int_equal(off, end->sent.len);
}

void expect_nothing_sent(struct end *end) {
    end->sent.len = 0;
    end_drain(end, SIZE_MAX);
    assert_int_equal(end->sent.len, 0);
}
