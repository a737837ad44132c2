/* SPDX-License-Identifier: MIT */
/* Runs of frames: every row, natively and through SIMDe, against a walker that reads RFC 6455 5.2 byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fastws/error.h>
#include <fastws/utf8.h>

#include "guard.h"
#include "rows.h"
#include "sampling.h"

#define BUF_LEN 2048
#define EVENT_CAP 64

/* One call of the kernel: what goes in and all that comes out. Places are offsets into the buffer. Only len bytes of
 * buf and cap events are set: clearing and comparing all of it took most of the time on emulators. */
struct outcome {
    uint8_t buf[BUF_LEN];
    size_t len, head;
    int cap, count, error;
    uint64_t error_offset;
    struct fastws_event events[EVENT_CAP]; /* ptr is NULL, at[] says where it was */
    size_t at[EVENT_CAP];
};

static uint32_t random_state = 1;
static uint32_t random_below(uint32_t bound) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

/* The oracle. Returns the length of the frame at head if the contract says that it is taken, else 0. */
static size_t simple_frame(const struct fws_run *run, size_t *header_len, size_t *len) {
    size_t avail = (size_t)(run->tail - run->head);
    if (avail < 2) return 0;
    const uint8_t *p = run->head;
    int fin = p[0] >> 7, rsv = p[0] >> 4 & 7, opcode = p[0] & 15, masked = p[1] >> 7, len7 = p[1] & 127;
    if (!fin || rsv || (opcode != 1 && opcode != 2) || masked != (run->mask_bit == 0x80) || len7 == 127) return 0;
    *header_len = 2u + (len7 == 126 ? 2u : 0) + (masked ? 4u : 0);
    if (avail < *header_len) return 0;
    *len = len7 == 126 ? (size_t)p[2] * 256 + p[3] : (size_t)len7;
    if (len7 == 126 && *len < 126) return 0;
    if (*len > run->payload_max || avail - *header_len < *len) return 0;
    return *header_len + *len;
}

static int walk_naively(struct fws_run *run, struct fastws_event *events, int cap) {
    int count = 0;
    size_t header_len = 0, len = 0, frame_len;
    while (count < cap && (frame_len = simple_frame(run, &header_len, &len)) > 0) {
        uint8_t *payload = run->head + header_len;
        for (size_t i = 0; run->mask_bit && i < len; i++) payload[i] ^= payload[(int)(i % 4) - 4];
        struct fastws_utf8 text = FASTWS_UTF8_INIT;
        int is_checked = (run->head[0] & 15) == 1 && run->is_text_checked;
        if (is_checked && (fastws_utf8_update(&text, payload, len) < 0 || fastws_utf8_finish(&text) < 0)) {
            run->error = FASTWS_ERR_UTF8;
            run->error_offset = fastws_utf8_error_offset(&text);
            return count;
        }
        struct fastws_event *event = &events[count++];
        memset(event, 0, sizeof *event);
        event->kind = FASTWS_EVENT_MESSAGE;
        event->opcode = run->head[0] & 15;
        event->flags = FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST;
        if (is_checked && fastws_utf8_is_ascii(&text)) event->flags |= FASTWS_EVENT_ASCII;
        event->ptr = payload;
        event->len = len;
        run->head += frame_len;
    }
    return count;
}

typedef int frames_fn(struct fws_run *, struct fastws_event *, int);

/* Runs the kernel over a copy of input[0, len) at place, and writes down everything it did. */
static void observe(struct outcome *out, frames_fn *frames, const uint8_t *input, size_t len, uint8_t *place,
                    const struct fws_run *settings, int cap) {
    memset(out->events, 0, (size_t)cap * sizeof *out->events);
    memcpy(place, input, len);
    struct fws_run run = *settings;
    run.head = place;
    run.tail = place + len;
    out->count = frames(&run, out->events, cap);
    memcpy(out->buf, place, len);
    out->len = len;
    out->cap = cap;
    out->head = (size_t)(run.head - place);
    out->error = run.error;
    out->error_offset = run.error_offset;
    for (int i = 0; i < out->count; i++) {
        out->at[i] = out->events[i].len ? (size_t)(out->events[i].ptr - place) : 0;
        out->events[i].ptr = NULL;
    }
}

static int is_same(const struct outcome *a, const struct outcome *b) {
    if (a->head != b->head || a->count != b->count || a->error != b->error) return 0;
    if (a->error_offset != b->error_offset || memcmp(a->buf, b->buf, a->len) != 0) return 0;
    return memcmp(a->events, b->events, (size_t)a->cap * sizeof *a->events) == 0 &&
           memcmp(a->at, b->at, (size_t)a->count * sizeof *a->at) == 0;
}

static void assert_same(const struct fws_kernels *row, const struct outcome *got, const struct outcome *expected) {
    if (is_same(got, expected)) return;
    fail_msg("%s: %zu bytes: %d events to %zu, error %d at %llu; expected %d to %zu, %d at %llu%s", row->name, got->len,
             got->count, got->head, got->error, (unsigned long long)got->error_offset, expected->count, expected->head,
             expected->error, (unsigned long long)expected->error_offset,
             memcmp(got->buf, expected->buf, got->len) ? "; bytes differ" : "");
}

static uint8_t *starts, *ends; /* BUF_LEN bytes each, guarded right before starts and right behind ends */
static uint8_t scratch[BUF_LEN];

static void check_all_rows(const uint8_t *input, size_t len, const struct fws_run *settings, int cap) {
    static struct outcome expected, got;
    struct fws_run clean = *settings;
    clean.error = 0;
    clean.error_offset = 0;
    observe(&expected, walk_naively, input, len, scratch, &clean, cap);
    struct fws_run dirty = clean; /* the kernel clears what it returns */
    dirty.error = 99;
    dirty.error_offset = 99;
    const struct fws_kernels *row;
    for (int i = 0; (row = test_row(i)); i++) {
        observe(&got, row->frames, input, len, starts, &dirty, cap);
        assert_same(row, &got, &expected);
        observe(&got, row->frames, input, len, ends + BUF_LEN - len, &dirty, cap);
        assert_same(row, &got, &expected);
    }
}

static size_t add_frame(uint8_t *dst, uint8_t first, int is_masked, const uint8_t *payload, size_t len) {
    size_t i = 0;
    dst[i++] = first;
    dst[i++] = (uint8_t)((is_masked ? 0x80u : 0) | (len < 126 ? len : 126));
    if (len >= 126) {
        dst[i++] = (uint8_t)(len >> 8);
        dst[i++] = (uint8_t)len;
    }
    uint8_t key[4] = {0, 0, 0, 0};
    for (int k = 0; is_masked && k < 4; k++) dst[i++] = key[k] = (uint8_t)random_below(256);
    for (size_t k = 0; k < len; k++) dst[i++] = payload[k] ^ key[k % 4];
    return i;
}

/* ASCII, now and then with a character of two to four bytes, a bad byte, or an end inside a character. */
static void make_text(uint8_t *dst, size_t len) {
    static const char *const pieces[] = {"\xc3\xa9", "\xe2\x82\xac",     "\xf0\x9f\x98\x80",
                                         "\xff",     "\xed\xa0\x80", "\xe2\x82"};
    uint32_t taste = random_below(4);
    for (size_t i = 0; i < len;) {
        uint32_t pick = taste ? random_below(taste == 1 ? 2000 : 40) : 100;
        if (taste == 3 && pick >= 3) pick = 100;
        const char *piece = pick < 6 && (pick < 3 || taste == 1) ? pieces[pick] : "a";
        size_t piece_len = strlen(piece);
        if (piece_len > len - i) piece_len = random_below(3) ? 0 : len - i;
        if (piece_len == 0) piece = "z", piece_len = 1;
        memcpy(dst + i, piece, piece_len);
        i += piece_len;
    }
}

static size_t random_len(void) {
    static const size_t edges[] = {0,  1,  3,  4,  7,   8,   15,  16,  17,  31,  32,  33,
                                   63, 64, 65, 124, 125, 126, 127, 128, 129, 256, 257, 300};
    return random_below(2) ? edges[random_below(sizeof edges / sizeof *edges)] : random_below(150);
}

/* Mostly simple frames; hostility is the number of bytes in a thousand frames' headers that are then spoiled. */
static size_t make_run(uint8_t *dst, int is_masked, uint32_t hostility) {
    uint8_t payload[400];
    size_t len = 0;
    for (;;) {
        size_t payload_len = random_len();
        if (BUF_LEN - len < payload_len + 8) return len;
        int is_text = (int)random_below(2);
        make_text(payload, payload_len);
        size_t header = len;
        len += add_frame(dst + len, is_text ? 0x81 : 0x82, is_masked, payload, payload_len);
        if (random_below(1000) < hostility) dst[header + random_below(4)] = (uint8_t)random_below(256);
        if (random_below(1000) < hostility) dst[header + random_below(2)] ^= (uint8_t)(1u << random_below(8));
    }
}

static struct fws_run server = {.payload_max = 1 << 20, .mask_bit = 0x80, .is_text_checked = 1};
static struct fws_run client = {.payload_max = 1 << 20, .mask_bit = 0, .is_text_checked = 1};

static void all_rows_agree_on_random_runs(void **unused) {
    (void)unused;
    uint8_t input[BUF_LEN];
    for (int round = 0; round < 4000; round += (int)sample_step()) {
        struct fws_run settings = round & 1 ? server : client;
        settings.is_text_checked = round % 5 != 0;
        if (round % 7 == 0) settings.payload_max = random_below(130);
        size_t len = make_run(input, (round & 1) != (random_below(50) == 0), round % 3 ? 60 : 0);
        check_all_rows(input, len, &settings, round % 4 ? EVENT_CAP : 1 + (int)random_below(10));
    }
}

static void all_rows_agree_on_noise(void **unused) {
    (void)unused;
    uint8_t input[64];
    for (int round = 0; round < 20000; round += (int)sample_step()) {
        size_t len = random_below(sizeof input + 1);
        for (size_t i = 0; i < len; i++) input[i] = (uint8_t)random_below(256);
        if (len) input[0] = 0x81 + (round & 1);
        check_all_rows(input, len, round & 2 ? &server : &client, EVENT_CAP);
    }
}

static void all_rows_agree_wherever_a_run_is_cut(void **unused) {
    (void)unused;
    uint8_t input[BUF_LEN];
    for (int round = 0; round < 16; round++) {
        size_t len = make_run(input, round & 1, 0);
        for (size_t cut = 0; cut <= len; cut += sample_step())
            check_all_rows(input, cut, round & 1 ? &server : &client, EVENT_CAP);
    }
}

/* Every first byte with every second byte, with enough behind them for any length that they can mean. */
static void all_rows_judge_every_header_alike(void **unused) {
    (void)unused;
    static uint8_t input[400];
    memset(input, 'x', sizeof input);
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            if (!is_sampled()) continue;
            static const uint16_t extended[] = {0, 125, 126, 256, 65535};
            for (size_t i = 0; i < sizeof extended / sizeof *extended; i++) {
                input[0] = (uint8_t)first;
                input[1] = (uint8_t)second;
                fws_store_be16(input + 2, extended[i]);
                check_all_rows(input, sizeof input, first & 1 ? &server : &client, 2);
                check_all_rows(input, sizeof input, first & 1 ? &client : &server, 2);
                if ((second & 127) != 126) break;
            }
        }
    }
}

/* A frame that is taken, then one that each rule leaves to the caller: the run ends before it, and nothing in it was
 * touched. Written out without the oracle, so that the two cannot be wrong together. */
static void leaves_every_other_frame_alone(void **unused) {
    (void)unused;
    static const struct {
        const char *why;
        uint8_t bytes[16];
    } refused[] = {
        {"no FIN", {0x01, 0x81, 1, 2, 3, 4, 'a'}},
        {"RSV1", {0xc1, 0x81, 1, 2, 3, 4, 'a'}},
        {"RSV2", {0xa2, 0x81, 1, 2, 3, 4, 'a'}},
        {"RSV3", {0x91, 0x81, 1, 2, 3, 4, 'a'}},
        {"continuation", {0x80, 0x81, 1, 2, 3, 4, 'a'}},
        {"reserved opcode", {0x83, 0x81, 1, 2, 3, 4, 'a'}},
        {"close", {0x88, 0x80, 1, 2, 3, 4}},
        {"ping", {0x89, 0x81, 1, 2, 3, 4, 'a'}},
        {"pong", {0x8a, 0x81, 1, 2, 3, 4, 'a'}},
        {"no mask", {0x82, 0x01, 'a'}},
        {"16-bit length of 5", {0x82, 0xfe, 0, 5, 1, 2, 3, 4, 'a', 'b', 'c', 'd', 'e'}},
        {"64-bit length", {0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 'a'}},
        {"payload too long", {0x82, 0x87, 1, 2, 3, 4, 'a', 'b', 'c', 'd', 'e', 'f', 'g'}},
        {"payload incomplete", {0x82, 0x86, 1, 2, 3, 4, 'a'}},
    };
    static const uint8_t taken[] = {0x82, 0x82, 0x10, 0x20, 0x30, 0x40, 0x10 ^ 'o', 0x20 ^ 'k'};
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
            size_t refused_len = strcmp(refused[i].why, "payload incomplete") ? sizeof refused[i].bytes : 7;
            uint8_t buf[sizeof taken + 16];
            memcpy(buf, taken, sizeof taken);
            memcpy(buf + sizeof taken, refused[i].bytes, refused_len);
            struct fws_run run = server;
            struct fastws_event events[4];
            run.head = buf;
            run.tail = buf + sizeof taken + refused_len;
            run.payload_max = 6;
            int count = row->frames(&run, events, 4);
            if (count != 1 || run.head != buf + sizeof taken) fail_msg("%s: %s: taken", row->name, refused[i].why);
            assert_int_equal(run.error, 0);
            assert_int_equal(events[0].kind, FASTWS_EVENT_MESSAGE);
            assert_int_equal(events[0].opcode, 2);
            assert_int_equal(events[0].flags, FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST);
            assert_int_equal(events[0].len, 2);
            assert_memory_equal(events[0].ptr, "ok", 2);
            assert_memory_equal(buf + sizeof taken, refused[i].bytes, refused_len);
        }
    }
}

static void stops_at_bad_text_with_its_place_and_keeps_the_events_before(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        uint64_t error_offset;
    } bad[] = {{"\xff", 0}, {"abc\x80", 3}, {"ab\xed\xa0\x80", 3}, {"abc\xe2\x82", 5}, {"\xf4\x90\x80\x80", 1}};
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            uint8_t buf[64];
            size_t first = add_frame(buf, 0x81, 1, (const uint8_t *)"h\xc3\xa9", 3);
            size_t len = first + add_frame(buf + first, 0x81, 1, (const uint8_t *)bad[i].text, strlen(bad[i].text));
            len += add_frame(buf + len, 0x81, 1, (const uint8_t *)"more", 4);
            struct fws_run run = server;
            struct fastws_event events[4];
            run.head = buf;
            run.tail = buf + len;
            assert_int_equal(row->frames(&run, events, 4), 1);
            assert_int_equal(events[0].flags, FASTWS_EVENT_FIRST | FASTWS_EVENT_LAST);
            assert_memory_equal(events[0].ptr, "h\xc3\xa9", 3);
            assert_ptr_equal(run.head, buf + first);
            assert_int_equal(run.error, FASTWS_ERR_UTF8);
            assert_int_equal(run.error_offset, bad[i].error_offset);
        }
    }
}

/* The masks report ASCII from the vectors that they have at hand: none may be forgotten. One byte of 0x80 in a text of
 * 'a', at every place, for every length, and where the end of the payload takes the path around a page boundary. */
static void check_one_high_byte(const struct fws_kernels *row, uint8_t *head, size_t len) {
    static uint8_t payload[1024];
    memset(payload, 'a', len);
    for (size_t at = 0; at <= len; at++) {
        if (at < len && !is_sampled()) continue;
        if (at < len) payload[at] = 0x80;
        struct fws_run run = server;
        struct fastws_event events[2];
        run.head = head;
        run.tail = head + add_frame(head, 0x81, 1, payload, len);
        int count = row->frames(&run, events, 2);
        if (at < len) {
            payload[at] = 'a';
            if (count == 0 && run.error == FASTWS_ERR_UTF8 && run.error_offset == at) continue;
        } else if (count == 1 && events[0].flags & FASTWS_EVENT_ASCII) {
            continue;
        }
        fail_msg("%s: length %zu, byte %zu: %d events, error %d", row->name, len, at, count, run.error);
    }
}

static void sees_one_high_byte_wherever_it_stands(void **unused) {
    (void)unused;
    static _Alignas(4096) uint8_t buf[3 * 4096];
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        for (size_t len = 0; len < 460; len += len < 140 ? 1 : 9) check_one_high_byte(row, buf + len % 64, len);
        for (size_t end = 4096 - 2; end < 4096 + 34; end++) {
            check_one_high_byte(row, buf + end - 300 - 8, 300);
            check_one_high_byte(row, buf + end - 443 - 8, 443);
        }
    }
}

/* The largest length of the 16-bit form, and a payload of 0 bytes that begins where the buffer ends. */
static void takes_the_smallest_and_the_largest_frame(void **unused) {
    (void)unused;
    size_t len = 8 + 65535 + 6;
    uint8_t *buf = guard_alloc_end(len);
    const struct fws_kernels *row;
    for (int r = 0; (row = test_row(r)); r++) {
        memset(buf, 0, len);
        memcpy(buf, "\x81\xfe\xff\xff\x20\x21\x22\x23", 8);
        memcpy(buf + len - 6, "\x82\x80\x01\x02\x03\x04", 6);
        struct fws_run run = server;
        struct fastws_event events[4];
        run.head = buf;
        run.tail = buf + len;
        assert_int_equal(row->frames(&run, events, 4), 2);
        assert_ptr_equal(run.head, run.tail);
        assert_int_equal(events[0].len, 65535);
        assert_true(events[0].flags & FASTWS_EVENT_ASCII);
        for (size_t i = 0; i < 65535; i++) assert_true(events[0].ptr[i] == 0x20 + i % 4);
        assert_int_equal(events[1].len, 0);
    }
    guard_free(buf, len);
}

int main(void) {
    starts = guard_alloc_start(BUF_LEN);
    ends = guard_alloc_end(BUF_LEN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_rows_agree_on_random_runs),
        cmocka_unit_test(all_rows_agree_on_noise),
        cmocka_unit_test(all_rows_agree_wherever_a_run_is_cut),
        cmocka_unit_test(all_rows_judge_every_header_alike),
        cmocka_unit_test(leaves_every_other_frame_alone),
        cmocka_unit_test(stops_at_bad_text_with_its_place_and_keeps_the_events_before),
        cmocka_unit_test(sees_one_high_byte_wherever_it_stands),
        cmocka_unit_test(takes_the_smallest_and_the_largest_frame),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_free(starts, BUF_LEN);
    guard_free(ends, BUF_LEN);
    return failed;
}
