/* SPDX-License-Identifier: MIT */
/* Answers of another status than 101: their bodies, redirects, what is shown of them, and the memory that it takes. */
#include "dial_runs.h"
#include "support.h"

#define OF_CODING "of Transfer-Encoding=chunked\n"
#define CODING "Transfer-Encoding: chunked\r\n\r\n"

static void expect_log(const char *answer, int is_ended, int result, const char *log) {
    struct recorder recorder = {.refuse_at = NULL};
    struct fastws_dial_config config = recording_config(&recorder);
    config.body_max = 20;
    static struct run run;
    run_answer(&run, &config, answer, strlen(answer), is_ended);
    if (run.result != result) fail_msg("%s: %s", answer, fastws_error_name(run.result));
    assert_string_equal(run.log, log);
}

static void shows_status_headers_and_body(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int is_ended;
        const char *log;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 0,
         "status 400 Bad Request=\nof Content-Length=0\n"},
        {"HTTP/1.0 403\r\ncontent-length: 5\r\nX: y\r\n\r\nhello", 0,
         "status 403 =hello\nof content-length=5\nof X=y\n"},
        {"HTTP/1.1 200 OK\r\n\r\nhello", 1, "status 200 OK=hello\n"},
        {"HTTP/1.1 200 OK\r\n\r\n", 1, "status 200 OK=\n"},
        {"HTTP/1.1 204 No Content\r\n\r\n", 0, "status 204 No Content=\n"},
        {"HTTP/1.1 304 x\r\nContent-Length: 7\r\n\r\n", 0, "status 304 x=\nof Content-Length=7\n"},
        {"HTTP/1.1 999 x\r\nContent-Length: 1\r\n\r\n!", 0, "status 999 x=!\nof Content-Length=1\n"},
        {"HTTP/1.1 503 x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 0,
         "status 503 x=hi\nof Content-Length=2\nof Content-Length=2\n"},
        {"HTTP/1.1 500 x\r\n" CODING "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n", 0,
         "status 500 x=hello0123456789\n" OF_CODING},
        /* Chunks count more than a length: RFC 9112 6.3, item 3. */
        {"HTTP/1.1 500 x\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n01 \r\na\r\n00\r\n\r\n", 0,
         "status 500 x=a\nof Content-Length=3\nof Transfer-Encoding=Chunked\n"},
        {"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc", 1,
         "status 500 x=abc\nof Transfer-Encoding=chunked, gzip\n"},
        {"HTTP/1.1 102 x\r\n\r\nHTTP/1.1 401 y\r\nContent-Length: 1\r\n\r\nz", 0,
         "status 401 y=z\nof Content-Length=1\n"},
        {"HTTP/1.1 400 x\r\nContent-Length: 20\r\n\r\n0123456789abcdefghij", 0,
         "status 400 x=0123456789abcdefghij\nof Content-Length=20\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_log(cases[i].answer, cases[i].is_ended, FASTWS_ERR_HANDSHAKE_STATUS, cases[i].log);
}

static void says_when_a_body_is_cut(void **state) {
    (void)state;
    static const struct {
        const char *answer, *log;
    } cases[] = {
        /* ended too early */
        {"HTTP/1.1 400 x\r\nContent-Length: 5\r\n\r\nhell", "status 400 cut x=hell\nof Content-Length=5\n"},
        {"HTTP/1.1 400 x\r\n" CODING "5\r\nhello\r\n",
         "status 400 cut x=hello\n" OF_CODING},
        /* more than body_max */
        {"HTTP/1.1 400 x\r\n\r\n0123456789abcdefghijk", "status 400 cut x=0123456789abcdefghij\n"},
        {"HTTP/1.1 400 x\r\nContent-Length: 999999999999999999\r\n\r\n0123456789abcdefghijk",
         "status 400 cut x=0123456789abcdefghij\nof Content-Length=999999999999999999\n"},
        /* malformed */
        {"HTTP/1.1 400 x\r\nContent-Length: 5x\r\n\r\nhello", "status 400 cut x=\nof Content-Length=5x\n"},
        {"HTTP/1.1 400 x\r\nContent-Length: 9999999999999999999\r\n\r\nhello",
         "status 400 cut x=\nof Content-Length=9999999999999999999\n"},
        {"HTTP/1.1 400 x\r\nContent-Length:\r\n\r\nhello", "status 400 cut x=\nof Content-Length=\n"},
        {"HTTP/1.1 400 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
         "status 400 cut x=\nof Content-Length=1\nof Content-Length=2\n"},
        {"HTTP/1.1 400 x\r\n" CODING "hello", "status 400 cut x=\n" OF_CODING},
        {"HTTP/1.1 400 x\r\n" CODING "\r\n", "status 400 cut x=\n" OF_CODING},
        {"HTTP/1.1 400 x\r\n" CODING "1\na", "status 400 cut x=\n" OF_CODING},
        {"HTTP/1.1 400 x\r\n" CODING "1\r\nab\r\n",
         "status 400 cut x=a\n" OF_CODING},
        {"HTTP/1.1 400 x\r\n" CODING "10000000000000000\r\n",
         "status 400 cut x=\n" OF_CODING},
        {"HTTP/1.1 400 x\r\n" CODING "1;a\nb\r\n",
         "status 400 cut x=\n" OF_CODING},
        {"HTTP/1.1 400 x\r\n" CODING "0\r\nT: u\r\n\r!",
         "status 400 cut x=\n" OF_CODING},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_log(cases[i].answer, 1, FASTWS_ERR_HANDSHAKE_STATUS, cases[i].log);
}

/* Chunks of one byte with endless extensions, or endless trailers, do not keep a client for ever. */
static void endless_framing_ends(void **state) {
    (void)state;
    static const char *const pieces[] = {"xxxxxxxxxxxxxxx", "T: u\r\n"};
    static const char *const starts[] = {"1;", "0\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct recorder recorder = {.refuse_at = NULL};
        struct fastws_dial_config config = recording_config(&recorder);
        config.on_response = NULL;
        struct fastws_dialer *dial = open_dial(&config, "ws://h/", NULL);
        const char head[] = "HTTP/1.1 400 x\r\n" CODING;
        size_t used, count = 0;
        assert_int_equal(feed(dial, head, sizeof head - 1, &used), FASTWS_NEED_MORE);
        int result = feed(dial, starts[i], strlen(starts[i]), &used);
        while (result == FASTWS_NEED_MORE && count++ < 100000) result = feed(dial, pieces[i], strlen(pieces[i]), &used);
        assert_int_equal(result, FASTWS_ERR_HANDSHAKE_STATUS);
        assert_string_equal(recorder.log, "status 400 cut x=\n" OF_CODING);
        fastws_dial_free(dial);
    }
}

static void time_that_is_up_leaves_the_status(void **state) {
    (void)state;
    struct recorder recorder = {.refuse_at = NULL};
    struct fastws_dial_config config = recording_config(&recorder);
    struct fastws_dialer *dial = open_dial(&config, "ws://h/", NULL);
    const char head[] = "HTTP/1.1 400 x\r\n\r\nhel";
    size_t used;
    assert_int_equal(feed(dial, head, sizeof head - 1, &used), FASTWS_NEED_MORE);
    assert_int_equal(fastws_dial_status(dial), 400);
    assert_int_equal(fastws_dial_expire(dial), FASTWS_ERR_HANDSHAKE_STATUS);
    assert_string_equal(recorder.log, "status 400 cut x=hel\n");
    fastws_dial_free(dial);
}

/* Without a callback for it nobody waits for a body. */
static void a_body_that_nobody_wants_is_not_awaited(void **state) {
    (void)state;
    struct fastws_dialer *dial = open_dial(NULL, "ws://h/", NULL);
    const char answer[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello";
    size_t used;
    assert_int_equal(feed(dial, answer, sizeof answer - 1, &used), FASTWS_ERR_HANDSHAKE_STATUS);
    assert_int_equal(used, sizeof answer - 1 - 5);
    assert_int_equal(fastws_dial_status(dial), 403);
    fastws_dial_free(dial);
}

static void tells_redirects(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int result;
        const char *location;
    } cases[] = {
        {"HTTP/1.1 301 x\r\nLocation: /a\r\n\r\n", FASTWS_ERR_HANDSHAKE_REDIRECT, "/a"},
        {"HTTP/1.1 302 x\r\nA: b\r\nLOCATION:\twss://h/x \r\n\r\n", FASTWS_ERR_HANDSHAKE_REDIRECT, "wss://h/x"},
        {"HTTP/1.1 303 x\r\nLocation:\r\n\r\n", FASTWS_ERR_HANDSHAKE_REDIRECT, ""},
        {"HTTP/1.1 307 x\r\nLocation: a\r\nContent-Length: 5\r\n\r\nhello", FASTWS_ERR_HANDSHAKE_REDIRECT, "a"},
        {"HTTP/1.1 100 x\r\nLocation: b\r\n\r\nHTTP/1.1 308 x\r\nLocation: a\r\n\r\n",
         FASTWS_ERR_HANDSHAKE_REDIRECT, "a"},
        {"HTTP/1.1 301 x\r\n\r\n", FASTWS_ERR_HANDSHAKE_STATUS, ""},
        {"HTTP/1.1 301 x\r\nLocation: /a\r\nLocation: /b\r\n\r\n", FASTWS_ERR_HANDSHAKE_STATUS, ""},
        {"HTTP/1.1 300 x\r\nLocation: /a\r\n\r\n", FASTWS_ERR_HANDSHAKE_STATUS, ""},
        {"HTTP/1.1 200 x\r\nLocation: /a\r\n\r\n", FASTWS_ERR_HANDSHAKE_STATUS, ""},
        {"HTTP/1.1 304 x\r\nLocation: /a\r\n\r\n", FASTWS_ERR_HANDSHAKE_STATUS, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct recorder recorder = {.refuse_at = NULL};
        struct fastws_dial_config config = recording_config(&recorder);
        config.is_redirect_told = 1;
        static struct run run;
        run_answer(&run, &config, cases[i].answer, strlen(cases[i].answer), 1);
        assert_int_equal(run.result, cases[i].result);
        assert_string_equal(run.location, cases[i].location);
        assert_int_equal(run.log[0] == '\0', run.result == FASTWS_ERR_HANDSHAKE_REDIRECT);
        config.is_redirect_told = 0;
        run_answer(&run, &config, cases[i].answer, strlen(cases[i].answer), 1);
        assert_int_equal(run.result, FASTWS_ERR_HANDSHAKE_STATUS);
    }
}

static void keep_request(void *context, struct fastws_slice bytes) {
    struct bytes *seen = context;
    bytes_put(seen, bytes.ptr, bytes.len);
}

static void shows_the_raw_request_once(void **state) {
    (void)state;
    struct bytes seen = {0};
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.context = &seen;
    config.on_request = keep_request;
    struct fastws_dialer *dial = open_dial(&config, "ws://u:p@h/x", NULL);
    const void *ptr;
    size_t len;
    fastws_dial_request(dial, &ptr, &len);
    assert_int_equal(seen.len, len);
    assert_memory_equal(seen.ptr, ptr, len);
    fastws_dial_free(dial);
    bytes_free(&seen);
}

/* ---- Memory ---- */

static void ignore_status_error(void *context, const struct fastws_dial_refusal *refusal) {
    (void)context;
    (void)refusal;
}

/* Answers a dial over the allocator. Returns the result of what failed first. */
static int run_with_memory(struct memory *memory, const char *address, const char *answer, size_t piece) {
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.random = &sample_random;
    config.on_status_error = ignore_status_error;
    struct fastws_url url;
    struct fastws_dialer *dial;
    assert_int_equal(fastws_url_parse(&url, address, strlen(address)), 0);
    int result = fastws_dial_new(&config, &url, &memory->allocator, &dial);
    if (result < 0) return result;
    size_t used, len = strlen(answer);
    for (size_t off = 0, n; off < len && result == FASTWS_NEED_MORE; off += n) {
        n = len - off < piece ? len - off : piece;
        result = fastws_dial_feed(dial, answer + off, n, &used);
    }
    if (result == FASTWS_NEED_MORE) result = fastws_dial_eof(dial);
    fastws_dial_free(dial);
    return result;
}

static void a_usual_handshake_takes_one_allocation(void **state) {
    (void)state;
    for (size_t piece = 1; piece < 200; piece += 99) {
        struct memory memory;
        memory_init(&memory);
        assert_int_equal(run_with_memory(&memory, "ws://example.com/chat", ANSWER, piece), 1);
        assert_int_equal(memory.calls, 1); /* the object */
        assert_int_equal(memory.live, 0);
        assert_true(memory.peak <= 2048);
    }
}

static void survives_the_want_of_memory_everywhere(void **state) {
    (void)state;
    static char address[2100], answer[5000];
    snprintf(address, sizeof address, "ws://u:p@h/%01500d", 0);
    snprintf(answer, sizeof answer, "HTTP/1.1 400 x\r\nX: %02000d\r\nContent-Length: 1500\r\n\r\n%01500d", 0, 0);
    const int results[] = {1, FASTWS_ERR_HANDSHAKE_STATUS};
    const char *const answers[] = {ANSWER, answer};
    for (size_t i = 0; i < 2; i++) {
        for (size_t piece = 1; piece < 10000; piece += 4999) {
            int result = FASTWS_ERR_NOMEM;
            for (uint64_t fail_at = 1; result == FASTWS_ERR_NOMEM; fail_at++) {
                assert_true(fail_at < 20);
                struct memory memory;
                memory_init(&memory);
                memory.fail_at = fail_at;
                result = run_with_memory(&memory, address, answers[i], piece);
                assert_int_equal(memory.live, 0);
            }
            assert_int_equal(result, results[i]);
        }
    }
}

/* A length that a server declares allocates nothing. */
static void memory_grows_with_what_came(void **state) {
    (void)state;
    static char answer[60000];
    struct memory memory;
    memory_init(&memory);
    assert_int_equal(run_with_memory(&memory, "ws://h", "HTTP/1.1 400 x\r\nContent-Length: 99999999999\r\n\r\nx", 99),
                     FASTWS_ERR_HANDSHAKE_STATUS);
    assert_true(memory.peak <= 2048 + 1024 + 64);
    int len = snprintf(answer, sizeof answer, "HTTP/1.1 400 x\r\n\r\n");
    memset(answer + len, 'x', sizeof answer - 1 - (size_t)len);
    memory_init(&memory);
    assert_int_equal(run_with_memory(&memory, "ws://h", answer, 4096), FASTWS_ERR_HANDSHAKE_STATUS);
    assert_true(memory.largest <= 65536);
    assert_int_equal(memory.live, 0);
}

static void lives_in_memory_of_the_caller(void **state) {
    (void)state;
    struct fastws_dialer *dial = malloc(fastws_dial_sizeof());
    assert_non_null(dial);
    struct fastws_url url;
    assert_int_equal(fastws_url_parse(&url, "ws://h", 6), 0);
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.random = &sample_random;
    assert_int_equal(fastws_dial_init(dial, &config, &url, NULL), 0);
    size_t used;
    assert_int_equal(fastws_dial_feed(dial, ANSWER, sizeof ANSWER - 1, &used), 1);
    fastws_dial_free(dial);
    free(dial);
    fastws_dial_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_status_headers_and_body),
        cmocka_unit_test(says_when_a_body_is_cut),
        cmocka_unit_test(endless_framing_ends),
        cmocka_unit_test(time_that_is_up_leaves_the_status),
        cmocka_unit_test(a_body_that_nobody_wants_is_not_awaited),
        cmocka_unit_test(tells_redirects),
        cmocka_unit_test(shows_the_raw_request_once),
        cmocka_unit_test(a_usual_handshake_takes_one_allocation),
        cmocka_unit_test(survives_the_want_of_memory_everywhere),
        cmocka_unit_test(memory_grows_with_what_came),
        cmocka_unit_test(lives_in_memory_of_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
