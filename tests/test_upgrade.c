/* SPDX-License-Identifier: MIT */
/* The server half of the opening handshake: what is accepted, what is refused and how, memory, and misuse. */
#include "upgrade_runs.h"

/* ---- Accepted ---- */

static void accepts_the_least_that_rfc_6455_asks_for(void **state) {
    (void)state;
    struct run *run = run_all_ways(NULL, REQUEST);
    assert_int_equal(run->result, 1);
    assert_int_equal(run->used, strlen(REQUEST));
    assert_string_equal(run->response, ACCEPTED END);
    assert_string_equal(run->target, "/chat");
    assert_string_equal(run->protocol, "");
}

static void accepts_other_spellings(void **state) {
    (void)state;
    static const char *const heads[] = {
        /* names */
        GET "host: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n"
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        GET "HOST: x\r\nUPGRADE: websocket\r\nCONNECTION: Upgrade\r\nSEC-WEBSOCKET-VERSION: 13\r\n"
            "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        /* values */
        GET HOST "Upgrade: WEBSOCKET\r\nConnection: UPGRADE\r\n" VERSION KEY END,
        GET HOST "Upgrade:websocket\r\nConnection:upgrade\r\nSec-WebSocket-Version:13\r\n" KEY END,
        GET HOST "Upgrade: \twebsocket\t \r\n" CONNECTION "Sec-WebSocket-Version:\t13\t\r\n" KEY END,
        /* lists, also on several lines */
        GET HOST "Upgrade: h2c, WebSocket,HTTP/2.0\r\n" CONNECTION VERSION KEY END,
        GET HOST "Upgrade: h2c\r\nUpgrade: websocket\r\n" CONNECTION VERSION KEY END,
        GET HOST UPGRADE "Connection: keep-alive, Upgrade\r\n" VERSION KEY END,
        GET HOST UPGRADE "Connection: keep-alive,\tUpgrade\t,\r\n" VERSION KEY END,
        GET HOST UPGRADE "Connection: keep-alive\r\nConnection: Upgrade\r\n" VERSION KEY END,
        GET HOST UPGRADE "Connection: Upgrade\r\nConnection: keep-alive\r\n" VERSION KEY END,
        GET HOST UPGRADE "Connection:\r\nConnection: Upgrade\r\n" VERSION KEY END,
        /* order */
        GET KEY VERSION CONNECTION UPGRADE HOST END,
        /* no body, in so many words */
        GET REQUIRED "Content-Length: 0\r\n" END,
        GET REQUIRED "Content-Length: 0\r\nContent-Length: 00\r\n" END,
        /* extensions are declined */
        GET REQUIRED "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" END,
        /* names that differ from those that matter in one byte, or in length */
        GET REQUIRED "Hos: 1\r\nHost2: 1\r\nXost: 1\r\nUpgradf: 1\r\nSec-WebSocket-Kez: 1\r\n" END,
        /* other targets, other versions */
        "GET /chat?a=b HTTP/1.2\r\n" REQUIRED END,
        "GET http://example.com/chat HTTP/1.1\r\n" REQUIRED END,
        "GET WSS://example.com/chat HTTP/1.9\r\n" REQUIRED END,
        "\r\n" REQUEST,
    };
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct run *run = run_all_ways(NULL, heads[i]);
        if (run->result != 1) print_error("case %zu: %s\n", i, fastws_error_name(run->result));
        assert_int_equal(run->result, 1);
        assert_int_equal(run->used, strlen(heads[i]));
        assert_string_equal(run->response, ACCEPTED END);
    }
}

/* gobwas/ws 1.4 loses these bytes. */
static void leaves_the_first_frames_to_the_caller(void **state) {
    (void)state;
    static const char bytes[] = REQUEST "\x81\x85\0\0\0\0Hello\r\n\r\n";
    struct run *run = run_ways(NULL, bytes, sizeof bytes - 1, 1);
    assert_int_equal(run->result, 1);
    assert_int_equal(run->used, strlen(REQUEST));
}

static void waits_for_the_end_of_the_head(void **state) {
    (void)state;
    struct run run;
    for (size_t len = 0; len < strlen(REQUEST); len++) {
        run_pieces(NULL, REQUEST, len, len, len, &run);
        assert_int_equal(run.result, FASTWS_NEED_MORE);
        assert_int_equal(run.used, len);
    }
}

static void agrees_on_the_protocol_that_the_server_likes_best(void **state) {
    (void)state;
    static const struct fastws_slice protocols[] = {{"b", 1}, {"chat.v2", 7}, {"a", 1}};
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.protocols = protocols;
    config.protocol_count = COUNT(protocols);
    static const struct {
        const char *head;
        const char *protocol;
    } cases[] = {
        {GET REQUIRED "Sec-WebSocket-Protocol: a, b, c\r\n" END, "b"},
        {GET REQUIRED "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n" END, "b"},
        {GET REQUIRED "Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Protocol: a\r\n" END, "b"},
        {GET "sec-websocket-protocol: x,chat.v2\r\nSEC-WEBSOCKET-PROTOCOL: a\r\n" REQUIRED END, "chat.v2"},
        {GET REQUIRED "Sec-WebSocket-Protocol:\ta\t,,\r\n" END, "a"},
        {GET REQUIRED "Sec-WebSocket-Protocol: B, chat.v\r\n" END, ""}, /* case and length matter */
        {GET REQUIRED END, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run *run = run_all_ways(&config, cases[i].head);
        assert_int_equal(run->result, 1);
        assert_string_equal(run->protocol, cases[i].protocol);
        const char *protocol = cases[i].protocol;
        char response[512];
        snprintf(response, sizeof response, ACCEPTED "%s%s%s" END, protocol[0] ? "Sec-WebSocket-Protocol: " : "",
                 protocol, protocol[0] ? "\r\n" : "");
        assert_string_equal(run->response, response);
    }
}

static void ignores_protocols_that_it_was_not_told_of(void **state) {
    (void)state;
    struct run *run = run_all_ways(NULL, GET REQUIRED "Sec-WebSocket-Protocol: a, b\r\n" END);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->response, ACCEPTED END);
}

/* ---- Refused ---- */

struct refusal {
    const char *head;
    int error;
    int status;
};

static void assert_refusals(const struct refusal *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct run *run = run_all_ways(NULL, cases[i].head);
        if (run->result != cases[i].error) print_error("case %zu\n", i);
        assert_refused(run, cases[i].error, cases[i].status);
    }
}

static void refuses_request_lines(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {"POST /chat HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_METHOD, 405},
        {"get /chat HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_METHOD, 405},
        {"GETS /chat HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_METHOD, 405},
        {"GET /chat HTTP/1.0\r\n" REQUIRED END, FASTWS_ERR_HTTP_VERSION, 505},
        {"GET /chat HTTP/0.9\r\n" REQUIRED END, FASTWS_ERR_HTTP_VERSION, 505},
        {"GET /chat HTTP/2.0\r\n" REQUIRED END, FASTWS_ERR_HTTP_VERSION, 505},
        {"GET /chat HTTP/2.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_VERSION, 505},
        {"GET /chat HTTP/42.1092\r\n" REQUIRED END, FASTWS_ERR_HTTP_VERSION, 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", FASTWS_ERR_HTTP_VERSION, 505}, /* HTTP/2: version before method */
        {"GET /chat\r\n" REQUIRED END, FASTWS_ERR_HTTP_REQUEST_LINE, 400},
        {"GET /chat HTTP/1.;\r\n" REQUIRED END, FASTWS_ERR_HTTP_REQUEST_LINE, 400},
        {"\r\n\r\n" REQUEST, FASTWS_ERR_HTTP_REQUEST_LINE, 400},
        {"\x16\x03\x01\x02", FASTWS_ERR_HTTP_REQUEST_LINE, 400}, /* TLS, answered at its first byte */
        {"SSH-2.0-client\r\n", FASTWS_ERR_HTTP_REQUEST_LINE, 400},
        {"GET * HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_TARGET, 400},
        {"GET chat HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_TARGET, 400},
        {"GET example.com:80 HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_TARGET, 400},
        {"GET ftp://example.com/ HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_TARGET, 400},
        {"GET ws:// HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_TARGET, 400},
        {"GET ws:/x/y HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_TARGET, 400},
        {"GET /chat#top HTTP/1.1\r\n" REQUIRED END, FASTWS_ERR_HTTP_TARGET, 400},
    };
    assert_refusals(cases, COUNT(cases));
}

static void refuses_heads_that_readers_could_disagree_about(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {"GET /chat HTTP/1.1\n" REQUIRED END, FASTWS_ERR_HTTP_LINE_END, 400},
        {GET "Host: x\n" UPGRADE CONNECTION VERSION KEY END, FASTWS_ERR_HTTP_LINE_END, 400},
        {GET REQUIRED "\n", FASTWS_ERR_HTTP_LINE_END, 400},
        {GET "Host: x\rX: y\r\n" UPGRADE CONNECTION VERSION KEY END, FASTWS_ERR_HTTP_LINE_END, 400},
        {GET "X: a\r\n b\r\n" REQUIRED END, FASTWS_ERR_HTTP_FOLD, 400},
        {GET " X: a\r\n" REQUIRED END, FASTWS_ERR_HTTP_FOLD, 400},
        {GET "Host : x\r\n" UPGRADE CONNECTION VERSION KEY END, FASTWS_ERR_HTTP_HEADER_NAME, 400},
        {GET "no colon\r\n" REQUIRED END, FASTWS_ERR_HTTP_HEADER_NAME, 400},
        {GET ": no name\r\n" REQUIRED END, FASTWS_ERR_HTTP_HEADER_NAME, 400},
        {GET "X: a\x01\r\n" REQUIRED END, FASTWS_ERR_HTTP_HEADER_VALUE, 400},
        {GET REQUIRED HOST END, FASTWS_ERR_HANDSHAKE_HOST, 400},
        {GET REQUIRED KEY END, FASTWS_ERR_HANDSHAKE_KEY, 400},
        {GET REQUIRED VERSION END, FASTWS_ERR_HANDSHAKE_VERSION, 426},
        {GET REQUIRED "Content-Length: 5\r\n" END "Hello", FASTWS_ERR_HTTP_BODY, 400},
        {GET REQUIRED "Content-Length: 0, 5\r\n" END, FASTWS_ERR_HTTP_BODY, 400},
        {GET REQUIRED "Content-Length: 0\r\nContent-Length: 5\r\n" END, FASTWS_ERR_HTTP_BODY, 400},
        {GET REQUIRED "Content-Length: -0\r\n" END, FASTWS_ERR_HTTP_BODY, 400},
        {GET REQUIRED "content-length:\r\n" END, FASTWS_ERR_HTTP_BODY, 400},
        {GET REQUIRED "Transfer-Encoding: chunked\r\n" END "0\r\n\r\n", FASTWS_ERR_HTTP_BODY, 400},
        {GET REQUIRED "transfer-encoding: identity\r\n" END, FASTWS_ERR_HTTP_BODY, 400},
    };
    assert_refusals(cases, COUNT(cases));
    static const char nul[] = GET "X: a\0b\r\n" REQUIRED END;
    assert_refused(run_ways(NULL, nul, sizeof nul - 1, 1), FASTWS_ERR_HTTP_HEADER_VALUE, 400);
}

static void refuses_heads_that_are_no_handshake(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {GET UPGRADE CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_HOST, 400},
        {GET "Host:\r\n" UPGRADE CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_HOST, 400},
        {GET "Host: a b\r\n" UPGRADE CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_HOST, 400},
        {GET HOST CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_UPGRADE, 400},
        {GET HOST "Upgrade: oops\r\n" CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_UPGRADE, 400},
        {GET HOST "Upgrade: websocket/13\r\n" CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_UPGRADE, 400},
        {GET HOST "Upgrade: web socket\r\n" CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_UPGRADE, 400},
        {GET HOST "Upgrade: \"websocket\"\r\n" CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_UPGRADE, 400},
        {GET HOST "Upgrade: websocket, a b\r\n" CONNECTION VERSION KEY END, FASTWS_ERR_HANDSHAKE_UPGRADE, 400},
        {GET HOST UPGRADE VERSION KEY END, FASTWS_ERR_HANDSHAKE_CONNECTION, 400},
        {GET HOST UPGRADE "Connection: close\r\n" VERSION KEY END, FASTWS_ERR_HANDSHAKE_CONNECTION, 400},
        {GET HOST UPGRADE "Connection: Keep-Alive, Close,  hello\r\n" VERSION KEY END, FASTWS_ERR_HANDSHAKE_CONNECTION,
         400},
        {GET HOST UPGRADE "Connection: upgraded\r\n" VERSION KEY END, FASTWS_ERR_HANDSHAKE_CONNECTION, 400},
        {GET HOST UPGRADE "Connection: keep-alive Upgrade\r\n" VERSION KEY END, FASTWS_ERR_HANDSHAKE_CONNECTION, 400},
        {GET HOST UPGRADE "Connection: Upgrade, a b\r\n" VERSION KEY END, FASTWS_ERR_HANDSHAKE_CONNECTION, 400},
        {GET HOST UPGRADE CONNECTION KEY END, FASTWS_ERR_HANDSHAKE_VERSION_MISSING, 400},
        {GET HOST UPGRADE CONNECTION "Sec-WebSocket-Version: 15\r\n" KEY END, FASTWS_ERR_HANDSHAKE_VERSION, 426},
        {GET HOST UPGRADE CONNECTION "Sec-WebSocket-Version:\r\n" KEY END, FASTWS_ERR_HANDSHAKE_VERSION, 426},
        {GET HOST UPGRADE CONNECTION "Sec-WebSocket-Version: 8, 13\r\n" KEY END, FASTWS_ERR_HANDSHAKE_VERSION, 426},
        {GET HOST UPGRADE CONNECTION VERSION END, FASTWS_ERR_HANDSHAKE_KEY, 400},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key:\r\n" END, FASTWS_ERR_HANDSHAKE_KEY, 400},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n" END,
         FASTWS_ERR_HANDSHAKE_KEY, 400},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n" END,
         FASTWS_ERR_HANDSHAKE_KEY, 400},
        {GET REQUIRED "Sec-WebSocket-Protocol: =[\r\n" END, FASTWS_ERR_HANDSHAKE_PROTOCOL, 400},
        {GET REQUIRED "Sec-WebSocket-Protocol: a, =[\r\n" END, FASTWS_ERR_HANDSHAKE_PROTOCOL, 400},
        {GET REQUIRED "Sec-WebSocket-Protocol: a b\r\n" END, FASTWS_ERR_HANDSHAKE_PROTOCOL, 400},
        {GET REQUIRED "Sec-WebSocket-Protocol:\r\n" END, FASTWS_ERR_HANDSHAKE_PROTOCOL, 400},
        {GET REQUIRED "Sec-WebSocket-Protocol: ,\r\n" END, FASTWS_ERR_HANDSHAKE_PROTOCOL, 400},
    };
    assert_refusals(cases, COUNT(cases));
}

/* What is missing is reported in this order, whatever the order of the rest. */
static void reports_missing_headers_in_order(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {GET END, FASTWS_ERR_HANDSHAKE_HOST, 400},
        {GET KEY HOST END, FASTWS_ERR_HANDSHAKE_UPGRADE, 400},
        {GET KEY UPGRADE HOST END, FASTWS_ERR_HANDSHAKE_CONNECTION, 400},
        {GET CONNECTION UPGRADE HOST END, FASTWS_ERR_HANDSHAKE_VERSION_MISSING, 400},
        {GET VERSION CONNECTION UPGRADE HOST END, FASTWS_ERR_HANDSHAKE_KEY, 400},
        {GET HOST "Upgrade: oops\r\n" END, FASTWS_ERR_HANDSHAKE_UPGRADE, 400},
    };
    assert_refusals(cases, COUNT(cases));
}

static void stops_at_the_first_fault(void **state) {
    (void)state;
    const char *head = GET "Host : x\r\nX: a\x01\r\n" END;
    struct run *run = run_all_ways(NULL, head);
    assert_int_equal(run->result, FASTWS_ERR_HTTP_HEADER_NAME);
    assert_int_equal(run->used, strlen(GET "Host : x\r\n"));
}

static void writes_refusals_byte_for_byte(void **state) {
    (void)state;
    assert_string_equal(run_all_ways(NULL, GET UPGRADE END)->response,
                        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 38\r\n"
                        "Connection: close\r\n\r\nHost is missing, repeated or malformed");
    assert_string_equal(run_all_ways(NULL, "PUT / HTTP/1.1\r\n")->response,
                        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Length: 22\r\nConnection: close\r\nAllow: GET\r\n\r\nHTTP method is not GET");
    assert_string_equal(run_all_ways(NULL, GET "Sec-WebSocket-Version: 8\r\n")->response,
                        "HTTP/1.1 426 Upgrade Required\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Length: 31\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\nSec-WebSocket-Version is not 13");
}

/* RFC 9110 9.3.2. */
static void answers_head_without_a_body(void **state) {
    (void)state;
    assert_string_equal(run_all_ways(NULL, "HEAD / HTTP/1.1\r\n")->response,
                        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Length: 22\r\nConnection: close\r\nAllow: GET\r\n\r\n");
}

/* ---- Limits ---- */

/* A request whose head has exactly len bytes. */
static char *padded_request(size_t len) {
    const char *front = GET REQUIRED "X: ";
    const char *back = "\r\n\r\n";
    assert_true(len >= strlen(front) + strlen(back));
    char *head = malloc(len);
    assert_non_null(head);
    memset(head, 'x', len);
    memcpy(head, front, strlen(front));
    memcpy(head + len - strlen(back), back, strlen(back));
    return head;
}

static void holds_the_limit_on_the_head(void **state) {
    (void)state;
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    assert_int_equal(config.head_max, 16 * 1024);
    char *head = padded_request(16 * 1024);
    struct run *run = run_ways(&config, head, 16 * 1024, 61);
    assert_int_equal(run->result, 1);
    assert_int_equal(run->used, 16 * 1024);
    free(head);
    head = padded_request(16 * 1024 + 1);
    run = run_ways(&config, head, 16 * 1024 + 1, 61);
    assert_refused(run, FASTWS_ERR_HTTP_HEAD_TOO_LARGE, 431);
    assert_int_equal(run->used, 16 * 1024);
    config.head_max = 0;
    run = run_ways(&config, head, 16 * 1024 + 1, 61);
    assert_int_equal(run->result, 1);
    free(head);
}

static void holds_small_limits_on_the_head(void **state) {
    (void)state;
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    for (size_t max = 1; max <= strlen(REQUEST); max++) {
        config.head_max = max;
        struct run *run = run_all_ways(&config, REQUEST "frame");
        if (max == strlen(REQUEST)) {
            assert_int_equal(run->result, 1);
        } else {
            assert_refused(run, FASTWS_ERR_HTTP_HEAD_TOO_LARGE, 431);
            assert_int_equal(run->used, max);
        }
    }
}

static void refuses_a_request_line_without_end(void **state) {
    (void)state;
    static char line[20000];
    memset(line, 'A', sizeof line);
    struct run *run = run_ways(NULL, line, sizeof line, 997);
    assert_refused(run, FASTWS_ERR_HTTP_HEAD_TOO_LARGE, 431);
}

/* Writes a head with count headers: the five that are required, and others. Returns its length. */
static size_t write_many_headers(char *dst, size_t cap, unsigned count) {
    size_t len = (size_t)snprintf(dst, cap, "%s", GET REQUIRED);
    for (unsigned i = 5; i < count; i++) len += (size_t)snprintf(dst + len, cap - len, "a:%u\r\n", i);
    len += (size_t)snprintf(dst + len, cap - len, "\r\n");
    assert_true(len < cap);
    return len;
}

static void holds_the_limit_on_the_number_of_headers(void **state) {
    (void)state;
    static char head[128 * 1024];
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    assert_int_equal(config.header_count_max, 128);
    size_t len = write_many_headers(head, sizeof head, 128);
    assert_int_equal(run_ways(&config, head, len, 7)->result, 1);
    len = write_many_headers(head, sizeof head, 129);
    assert_refused(run_ways(&config, head, len, 7), FASTWS_ERR_HTTP_TOO_MANY_HEADERS, 431);
    len = write_many_headers(head, sizeof head, 10000);
    assert_refused(run_ways(&config, head, len, 9973), FASTWS_ERR_HTTP_TOO_MANY_HEADERS, 431);
    config.header_count_max = 0;
    assert_refused(run_ways(&config, head, len, 9973), FASTWS_ERR_HTTP_HEAD_TOO_LARGE, 431);
    config.head_max = 0;
    assert_int_equal(run_ways(&config, head, len, 9973)->result, 1);
}

/* A reader that starts each line or each head anew would take hours for 2 MiB that come byte by byte. */
static void takes_time_in_proportion_to_the_head(void **state) {
    (void)state;
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.head_max = 0;
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), 0);
    size_t used;
    const char *front = GET "X: ";
    assert_int_equal(fastws_upgrade_feed(upgrade, front, strlen(front), &used), FASTWS_NEED_MORE);
    for (size_t i = 0; i < (size_t)1 << 21; i++)
        assert_int_equal(fastws_upgrade_feed(upgrade, i % 2 ? "x" : "\t", 1, &used), FASTWS_NEED_MORE);
    fastws_upgrade_free(upgrade);
}

/* ---- Memory ---- */

static void allocates_nothing_for_a_head_in_one_piece(void **state) {
    (void)state;
    struct counter counter = {0};
    struct fastws_allocator allocator = counting(&counter);
    void *memory = malloc(fastws_upgrade_sizeof());
    assert_non_null(memory);
    assert_int_equal(fastws_upgrade_init(memory, NULL, &allocator), 0);
    struct run run;
    const char *heads[] = {REQUEST, REQUEST "frame", GET END, "nonsense\r\n"};
    for (size_t i = 0; i < COUNT(heads); i++) {
        feed_pieces(memory, heads[i], strlen(heads[i]), strlen(heads[i]), 1, &run);
        assert_int_not_equal(run.result, FASTWS_NEED_MORE);
        fastws_upgrade_reset(memory);
    }
    char *large = padded_request(16 * 1024);
    feed_pieces(memory, large, 16 * 1024, 16 * 1024, 1, &run);
    assert_int_equal(run.result, 1);
    free(large);
    assert_int_equal(counter.allocations, 0);
    fastws_upgrade_free(memory);
    free(memory);
}

static void gathers_no_more_than_has_arrived(void **state) {
    (void)state;
    struct counter counter = {0};
    struct fastws_allocator allocator = counting(&counter);
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(NULL, &allocator, &upgrade), 0);
    size_t object_size = counter.in_use;
    char *head = padded_request(16 * 1024);
    for (size_t i = 0; i < 16 * 1024; i++) {
        size_t used;
        assert_int_equal(fastws_upgrade_feed(upgrade, head + i, 1, &used), i == 16 * 1024 - 1);
        size_t arrived = i + 1;
        assert_true(counter.in_use - object_size <= (arrived <= 1024 ? 1024 : 2 * arrived));
    }
    assert_int_equal(counter.allocations, 1 + 5); /* the object; 1, 2, 4, 8 and 16 KiB */
    fastws_upgrade_reset(upgrade);
    assert_int_equal(counter.in_use, object_size);
    free(head);
    fastws_upgrade_free(upgrade);
    assert_int_equal(counter.in_use, 0);
}

static void gathers_no_more_than_the_limit(void **state) {
    (void)state;
    struct counter counter = {0};
    struct fastws_allocator allocator = counting(&counter);
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.head_max = 1500;
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(&config, &allocator, &upgrade), 0);
    size_t object_size = counter.in_use;
    char *head = padded_request(1500);
    size_t used;
    assert_int_equal(fastws_upgrade_feed(upgrade, head, 1200, &used), FASTWS_NEED_MORE);
    assert_int_equal(counter.in_use - object_size, 1500);
    assert_int_equal(fastws_upgrade_feed(upgrade, head + 1200, 300, &used), 1);
    free(head);
    fastws_upgrade_free(upgrade);
}

/* Each allocation fails in turn: the request is answered with 500 all the same, and nothing leaks. */
static void answers_when_memory_runs_out(void **state) {
    (void)state;
    static char value[2000];
    memset(value, 'v', sizeof value);
    const struct fastws_http_header header = {SLICE("X-Long"), {value, sizeof value}};
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.headers = (struct fastws_http_headers){&header, 1};
    int failures = 0;
    for (int fail_at = 1;; fail_at++) {
        struct counter counter = {.fail_at = fail_at};
        struct fastws_allocator allocator = counting(&counter);
        struct fastws_upgrade *upgrade = NULL;
        if (fastws_upgrade_new(&config, &allocator, &upgrade) == FASTWS_ERR_NOMEM) {
            assert_null(upgrade);
            failures++;
            continue;
        }
        char *head = padded_request(3000);
        struct run run;
        feed_pieces(upgrade, head, 3000, 100, 700, &run);
        free(head);
        fastws_upgrade_free(upgrade);
        assert_int_equal(counter.in_use, 0);
        if (run.result == 1) break;
        assert_refused(&run, FASTWS_ERR_NOMEM, 500);
        assert_null(strstr(run.response, "X-Long"));
        failures++;
    }
    assert_int_equal(failures, 1 + 3 + 1); /* the object, 1, 2 and 4 KiB of head, the response */
}

/* ---- Life ---- */

static void serves_one_request_after_the_other(void **state) {
    (void)state;
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(NULL, NULL, &upgrade), 0);
    struct run run;
    for (int i = 0; i < 3; i++) {
        feed_pieces(upgrade, REQUEST, strlen(REQUEST), 10, 10, &run);
        assert_string_equal(run.response, ACCEPTED END);
        fastws_upgrade_reset(upgrade);
        feed_pieces(upgrade, GET KEY END, strlen(GET KEY END), 10, 10, &run);
        assert_int_equal(run.result, FASTWS_ERR_HANDSHAKE_HOST);
        fastws_upgrade_reset(upgrade);
        feed_pieces(upgrade, REQUEST, 20, 10, 10, &run); /* given up half way */
        fastws_upgrade_reset(upgrade);
    }
    fastws_upgrade_free(upgrade);
    fastws_upgrade_free(NULL);
}

static void takes_no_more_after_the_end(void **state) {
    (void)state;
    const char *heads[] = {REQUEST, "nonsense\r\n"};
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct fastws_upgrade *upgrade;
        assert_int_equal(fastws_upgrade_new(NULL, NULL, &upgrade), 0);
        struct run run, again;
        feed_pieces(upgrade, heads[i], strlen(heads[i]), strlen(heads[i]), 1, &run);
        size_t used = 7;
        assert_int_equal(fastws_upgrade_feed(upgrade, "x", 1, &used), FASTWS_ERR_STATE);
        assert_int_equal(used, 0);
        assert_int_equal(fastws_upgrade_parsed(upgrade, SLICE("GET"), SLICE("/"), NULL, 0), FASTWS_ERR_STATE);
        assert_int_equal(fastws_upgrade_refuse(upgrade, FASTWS_ERR_HANDSHAKE_TIMEOUT), FASTWS_ERR_STATE);
        memset(&again, 0, sizeof again);
        again.result = run.result;
        take_results(upgrade, &again);
        assert_string_equal(again.response, run.response);
        fastws_upgrade_free(upgrade);
    }
}

static void gives_no_results_before_the_end(void **state) {
    (void)state;
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(NULL, NULL, &upgrade), 0);
    size_t used;
    assert_int_equal(fastws_upgrade_feed(upgrade, "GE", 2, &used), FASTWS_NEED_MORE);
    assert_int_equal(fastws_upgrade_parsed(upgrade, SLICE("GET"), SLICE("/"), NULL, 0), FASTWS_ERR_STATE);
    assert_int_equal(fastws_upgrade_feed(upgrade, &GET[2], strlen(GET) - 2, &used), FASTWS_NEED_MORE);
    struct fastws_slice slice;
    const void *ptr;
    assert_int_equal(fastws_upgrade_response(upgrade, &ptr, &used), FASTWS_ERR_STATE);
    assert_int_equal(fastws_upgrade_protocol(upgrade, &slice), FASTWS_ERR_STATE);
    assert_int_equal(fastws_upgrade_target(upgrade, &slice), FASTWS_ERR_STATE);
    assert_int_equal(fastws_upgrade_parsed(upgrade, SLICE("GET"), SLICE("/"), NULL, 0), FASTWS_ERR_STATE);
    fastws_upgrade_free(upgrade);
}

static void takes_nothing_from_an_empty_feed(void **state) {
    (void)state;
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(NULL, NULL, &upgrade), 0);
    size_t used = 7;
    assert_int_equal(fastws_upgrade_feed(upgrade, NULL, 0, &used), FASTWS_NEED_MORE);
    assert_int_equal(used, 0);
    struct run run;
    feed_pieces(upgrade, REQUEST, strlen(REQUEST), strlen(REQUEST), 1, &run);
    assert_int_equal(run.result, 1);
    fastws_upgrade_free(upgrade);
}

static void refuses_from_outside(void **state) {
    (void)state;
    static const struct {
        int error;
        int status;
    } cases[] = {
        {FASTWS_ERR_HANDSHAKE_TIMEOUT, 408},
        {FASTWS_ERR_HANDSHAKE_REJECTED, 403},
        {FASTWS_ERR_UNEXPECTED_EOF, 500},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct recorder recorder; /* its callbacks fill what they do not use */
        struct fastws_upgrade_config config = recording_config(&recorder);
        struct fastws_upgrade *upgrade;
        assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), 0);
        assert_int_equal(fastws_upgrade_refuse(upgrade, 0), FASTWS_ERR_ARGUMENT);
        assert_int_equal(fastws_upgrade_refuse(upgrade, 1), FASTWS_ERR_ARGUMENT);
        struct run run;
        feed_pieces(upgrade, GET, strlen(GET), 5, 5, &run);
        run.result = fastws_upgrade_refuse(upgrade, cases[i].error);
        take_results(upgrade, &run);
        assert_refused(&run, cases[i].error, cases[i].status);
        fastws_upgrade_free(upgrade);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_the_least_that_rfc_6455_asks_for),
        cmocka_unit_test(accepts_other_spellings),
        cmocka_unit_test(leaves_the_first_frames_to_the_caller),
        cmocka_unit_test(waits_for_the_end_of_the_head),
        cmocka_unit_test(agrees_on_the_protocol_that_the_server_likes_best),
        cmocka_unit_test(ignores_protocols_that_it_was_not_told_of),
        cmocka_unit_test(refuses_request_lines),
        cmocka_unit_test(refuses_heads_that_readers_could_disagree_about),
        cmocka_unit_test(refuses_heads_that_are_no_handshake),
        cmocka_unit_test(reports_missing_headers_in_order),
        cmocka_unit_test(stops_at_the_first_fault),
        cmocka_unit_test(writes_refusals_byte_for_byte),
        cmocka_unit_test(answers_head_without_a_body),
        cmocka_unit_test(holds_the_limit_on_the_head),
        cmocka_unit_test(holds_small_limits_on_the_head),
        cmocka_unit_test(refuses_a_request_line_without_end),
        cmocka_unit_test(holds_the_limit_on_the_number_of_headers),
        cmocka_unit_test(takes_time_in_proportion_to_the_head),
        cmocka_unit_test(allocates_nothing_for_a_head_in_one_piece),
        cmocka_unit_test(gathers_no_more_than_has_arrived),
        cmocka_unit_test(gathers_no_more_than_the_limit),
        cmocka_unit_test(answers_when_memory_runs_out),
        cmocka_unit_test(serves_one_request_after_the_other),
        cmocka_unit_test(takes_no_more_after_the_end),
        cmocka_unit_test(gives_no_results_before_the_end),
        cmocka_unit_test(takes_nothing_from_an_empty_feed),
        cmocka_unit_test(refuses_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
