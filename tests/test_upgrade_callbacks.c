/* SPDX-License-Identifier: MIT */
/* The server half of the opening handshake: callbacks, headers to write, and heads that another server has read. */
#include "upgrade_runs.h"

#define BROWSER                                                                                                        \
    GET HOST "Origin: http://example.com\r\nUser-Agent: a browser\r\n" UPGRADE CONNECTION VERSION KEY                  \
        "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\nCookie: a=1;  b=2\r\n" END

#define BROWSER_LOG                                                                                                    \
    "request /chat\nhost example.com\nOrigin: http://example.com\nUser-Agent: a browser\nprotocol a\nprotocol b\n"     \
    "Cookie: a=1;  b=2\nbefore upgrade\n"

/* ---- Callbacks ---- */

static void calls_back_in_the_order_of_the_head(void **state) {
    (void)state;
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    config.protocol = record_protocol;
    struct run *run = run_all_ways(&config, BROWSER);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->log, BROWSER_LOG);
    assert_string_equal(run->response, ACCEPTED END);
}

static void keeps_the_names_of_headers_as_they_came(void **state) {
    (void)state;
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    const char *head = GET REQUIRED "x-FOO:\t1\r\nX-Foo: 2\r\nContent-Length: 0\r\nEmpty:\r\n" END;
    struct run *run = run_all_ways(&config, head);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->log, "request /chat\nhost example.com\nx-FOO: 1\nX-Foo: 2\nContent-Length: 0\nEmpty: \n"
                                  "before upgrade\n");
}

/* A name that differs from one of the handshake's in a single byte is a header like others. */
static void tells_names_apart_by_every_byte(void **state) {
    (void)state;
    static const char *const names[] = {
        "Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "Sec-WebSocket-Key",
        "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
    };
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    for (size_t i = 0; i < COUNT(names); i++) {
        for (size_t at = 0; at < strlen(names[i]); at++) {
            char name[32], head[512], log[128];
            snprintf(name, sizeof name, "%s", names[i]);
            name[at] = '_';
            snprintf(head, sizeof head, GET REQUIRED "%s: [/,\r\n" END, name);
            snprintf(log, sizeof log, "request /chat\nhost example.com\n%s: [/,\nbefore upgrade\n", name);
            struct run run;
            run_pieces(&config, head, strlen(head), strlen(head), 1, &run);
            assert_int_equal(run.result, 1);
            assert_string_equal(run.log, log);
        }
    }
}

static void agrees_on_the_first_protocol_that_the_callback_takes(void **state) {
    (void)state;
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    config.protocol = record_protocol;
    static const struct fastws_slice ignored[] = {{"a", 1}};
    config.protocols = ignored;
    config.protocol_count = COUNT(ignored);
    recorder.accept_protocol = "b";
    const char *head = GET REQUIRED "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n"
                                    "sec-websocket-protocol: b, c\r\nX: 1\r\n" END;
    struct run *run = run_all_ways(&config, head);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->protocol, "b");
    assert_string_equal(run->response, ACCEPTED "Sec-WebSocket-Protocol: b\r\n" END);
    assert_string_equal(run->log, "request /chat\nhost example.com\nprotocol a\nprotocol b\nX: 1\nbefore upgrade\n");
    recorder.accept_protocol = NULL;
}

/* The slice of the protocol moves with the head from block to block. */
static void keeps_the_protocol_while_the_head_grows(void **state) {
    (void)state;
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    config.protocol = record_protocol;
    recorder.accept_protocol = "a-protocol-of-some-length";
    static char head[9000];
    size_t len = (size_t)snprintf(head, sizeof head, "%s",
                                  GET REQUIRED "Sec-WebSocket-Protocol: x, a-protocol-of-some-length\r\n");
    for (int i = 0; i < 20; i++) len += (size_t)snprintf(head + len, sizeof head - len, "H: %0300d\r\n", i);
    len += (size_t)snprintf(head + len, sizeof head - len, "\r\n");
    struct run *run = run_ways(&config, head, len, 41);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->protocol, "a-protocol-of-some-length");
    assert_string_equal(run->target, "/chat");
}

static void does_not_call_back_before_the_request_line_is_right(void **state) {
    (void)state;
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    static const char *const heads[] = {"POST / HTTP/1.1\r\n", "GET / HTTP/1.0\r\n", "GET x HTTP/1.1\r\n", "GET /\r\n"};
    for (size_t i = 0; i < COUNT(heads); i++) assert_string_equal(run_all_ways(&config, heads[i])->log, "");
}

static void does_not_call_before_upgrade_for_a_head_that_is_refused(void **state) {
    (void)state;
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    struct run *run = run_all_ways(&config, GET HOST UPGRADE CONNECTION VERSION "X: 1\r\n" END);
    assert_refused(run, FASTWS_ERR_HANDSHAKE_KEY, 400);
    assert_string_equal(run->log, "request /chat\nhost example.com\nX: 1\n");
}

/* Each callback refuses in turn; nothing after it is looked at. */
static void stops_where_a_callback_refuses(void **state) {
    (void)state;
    static const char *const lines[] = {
        "request /chat", "host example.com",  "Origin: http://example.com", "protocol a",
        "protocol b",    "Cookie: a=1;  b=2", "before upgrade",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        static struct recorder recorder;
        struct fastws_upgrade_config config = recording_config(&recorder);
        config.protocol = record_protocol;
        recorder.refuse_at = lines[i];
        recorder.reject = (struct fastws_reject){.status = 404, .body = SLICE("no such room")};
        struct run *run = run_all_ways(&config, BROWSER);
        assert_refused(run, FASTWS_ERR_HANDSHAKE_REJECTED, 404);
        assert_string_equal(run->response,
                            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "Content-Length: 12\r\nConnection: close\r\n\r\nno such room");
        size_t log_len = (size_t)(strstr(BROWSER_LOG, lines[i]) - BROWSER_LOG) + strlen(lines[i]) + 1;
        assert_int_equal(strlen(run->log), log_len);
        assert_memory_equal(run->log, BROWSER_LOG, log_len);
    }
}

static void refuses_with_what_the_callback_gives(void **state) {
    (void)state;
    static const struct fastws_http_header basic[] = {{{"WWW-Authenticate", 16}, {"Basic realm=\"x\"", 15}}};
    static const struct fastws_http_header json[] = {{{"content-type", 12}, {"application/json", 16}},
                                                     {{"Retry-After", 11}, {"5", 1}}};
    static const struct fastws_http_header own_hints[] = {{{"allow", 5}, {"HEAD", 4}},
                                                          {{"sec-websocket-version", 21}, {"13, 8", 5}}};
    static const struct fastws_http_header html[] = {{{"Content-Type", 12}, {"text/html", 9}}};
    static const struct {
        struct fastws_reject reject;
        const char *response;
    } cases[] = {
        {{.status = 0},
         "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n"
         "Connection: close\r\n\r\nForbidden"},
        {{.status = 401, .headers = {basic, COUNT(basic)}},
         "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\n"
         "Connection: close\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\nUnauthorized"},
        {{.status = 503, .body = {"{}", 2}, .headers = {json, COUNT(json)}},
         "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n"
         "content-type: application/json\r\nRetry-After: 5\r\n\r\n{}"},
        {{.status = 599, .body = {"a\r\nb", 4}},
         "HTTP/1.1 599 \r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n"
         "Connection: close\r\n\r\na\r\nb"},
        /* RFC 9110 15.5.6 and 15.5.22, RFC 6455 4.4: these two say what would do, once. */
        {{.status = 405, .body = {"x", 1}},
         "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\n"
         "Connection: close\r\nAllow: GET\r\n\r\nx"},
        {{.status = 405, .body = {"x", 1}, .headers = {own_hints, 1}},
         "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\n"
         "Connection: close\r\nallow: HEAD\r\n\r\nx"},
        {{.status = 426},
         "HTTP/1.1 426 Upgrade Required\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n"
         "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\nUpgrade Required"},
        {{.status = 426, .body = {"x", 1}, .headers = {own_hints, 2}},
         "HTTP/1.1 426 Upgrade Required\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\n"
         "Connection: close, Upgrade\r\nUpgrade: websocket\r\nallow: HEAD\r\nsec-websocket-version: 13, 8\r\n\r\nx"},
        /* RFC 9112 6.3: no body may follow. */
        {{.status = 304, .body = {"x", 1}}, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"},
        {{.status = 204, .body = {"x", 1}}, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"},
        {{.status = 205, .body = {"x", 1}},
         "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
        /* What was asked for is no WebSocket but a page. */
        {{.status = 200, .body = {"<p>", 3}, .headers = {html, COUNT(html)}},
         "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n<p>"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct recorder recorder;
        struct fastws_upgrade_config config = recording_config(&recorder);
        recorder.refuse_at = "request /chat";
        recorder.reject = cases[i].reject;
        struct run *run = run_all_ways(&config, REQUEST);
        assert_int_equal(run->result, FASTWS_ERR_HANDSHAKE_REJECTED);
        assert_string_equal(run->response, cases[i].response);
    }
}

static void answers_500_for_a_status_that_answers_nothing(void **state) {
    (void)state;
    static const int statuses[] = {1, 100, 101, 199, 600, 1400, -404};
    for (size_t i = 0; i < COUNT(statuses); i++) {
        static struct recorder recorder;
        struct fastws_upgrade_config config = recording_config(&recorder);
        recorder.refuse_at = "host example.com";
        recorder.reject = (struct fastws_reject){.status = statuses[i], .body = SLICE("not to be seen")};
        struct run *run = run_all_ways(&config, REQUEST);
        assert_refused(run, FASTWS_ERR_ARGUMENT, 500);
        assert_null(strstr(run->response, "not to be seen"));
        assert_non_null(strstr(run->response, "\r\n\r\nInternal Server Error")); /* nor what was wrong here */
    }
}

static void refuses_with_a_body_longer_than_the_object_holds(void **state) {
    (void)state;
    static char body[4000];
    memset(body, 'b', sizeof body);
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    recorder.refuse_at = "before upgrade";
    recorder.reject = (struct fastws_reject){.status = 400, .body = {body, sizeof body}};
    struct run *run = run_all_ways(&config, REQUEST);
    assert_refused(run, FASTWS_ERR_HANDSHAKE_REJECTED, 400);
    assert_int_equal(strspn(strstr(run->response, "\r\n\r\n") + 4, "b"), sizeof body);
}

/* ---- Headers to write ---- */

static void writes_the_headers_that_it_is_given(void **state) {
    (void)state;
    static const struct fastws_http_header fixed[] = {{{"Server", 6}, {"fastws", 6}}, {{"X-Empty", 7}, {NULL, 0}}};
    static const struct fastws_http_header extra[] = {{{"Set-Cookie", 10}, {"a=1; Path=/", 11}}};
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    config.headers = (struct fastws_http_headers){fixed, COUNT(fixed)};
    recorder.extra = (struct fastws_http_headers){extra, COUNT(extra)};
    assert_string_equal(run_all_ways(&config, REQUEST)->response,
                        ACCEPTED "Server: fastws\r\nX-Empty: \r\nSet-Cookie: a=1; Path=/\r\n" END);
    assert_string_equal(run_all_ways(&config, "PUT / HTTP/1.1\r\n")->response,
                        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Length: 22\r\nConnection: close\r\nAllow: GET\r\nServer: fastws\r\nX-Empty: \r\n\r\n"
                        "HTTP method is not GET");
    recorder.extra.count = 0;
}

static void writes_one_content_type_into_a_refusal(void **state) {
    (void)state;
    static const struct fastws_http_header fixed[] = {{{"Content-type", 12}, {"text/html", 9}}};
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.headers = (struct fastws_http_headers){fixed, COUNT(fixed)};
    assert_string_equal(run_all_ways(&config, "GET /\r\n")->response,
                        "HTTP/1.1 400 Bad Request\r\nContent-Length: 25\r\nConnection: close\r\n"
                        "Content-type: text/html\r\n\r\nrequest line is malformed");
}

/* The longest response that fits the object, and the shortest that does not. */
static void writes_responses_of_every_length_around_the_edge(void **state) {
    (void)state;
    static char value[600];
    memset(value, 'v', sizeof value);
    for (size_t len = 300; len < sizeof value; len++) {
        struct fastws_http_header header = {SLICE("X"), {value, len}};
        struct fastws_upgrade_config config;
        fastws_upgrade_config_init(&config);
        config.headers = (struct fastws_http_headers){&header, 1};
        struct counter counter = {0};
        struct fastws_allocator allocator = counting(&counter);
        void *memory = malloc(fastws_upgrade_sizeof());
        assert_non_null(memory);
        assert_int_equal(fastws_upgrade_init(memory, &config, &allocator), 0);
        struct run run;
        feed_pieces(memory, REQUEST, strlen(REQUEST), strlen(REQUEST), 1, &run);
        assert_int_equal(run.result, 1);
        assert_int_equal(run.response_len, strlen(ACCEPTED "X: \r\n" END) + len);
        assert_memory_equal(run.response, ACCEPTED "X: v", strlen(ACCEPTED "X: v"));
        assert_string_equal(run.response + run.response_len - 5, "v\r\n\r\n");
        assert_int_equal(counter.allocations, run.response_len > 512);
        fastws_upgrade_free(memory);
        assert_int_equal(counter.in_use, 0);
        free(memory);
    }
}

static const struct fastws_http_header forbidden[] = {
    {{"X", 1}, {"a\r\nSet-Cookie: b", 16}},
    {{"X", 1}, {"a\nb", 3}},
    {{"X", 1}, {"a\0b", 3}},
    {{"X", 1}, {" a", 2}},
    {{"X: y\r\nZ", 7}, {"a", 1}},
    {{"X Y", 3}, {"a", 1}},
    {{"X:", 2}, {"a", 1}},
    {{NULL, 0}, {"a", 1}},
    /* written by the handshake itself */
    {{"Connection", 10}, {"close", 5}},
    {{"upgrade", 7}, {"h2c", 3}},
    {{"CONTENT-LENGTH", 14}, {"5", 1}},
    {{"Transfer-Encoding", 17}, {"chunked", 7}},
    {{"Sec-WebSocket-Accept", 20}, {"x", 1}},
    {{"Sec-WebSocket-Protocol", 22}, {"x", 1}},
    {{"sec-websocket-extensions", 24}, {"x", 1}},
};

static void refuses_to_be_made_with_headers_that_may_not_be_written(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        struct fastws_http_header headers[] = {{SLICE("Server"), SLICE("fastws")}, forbidden[i]};
        struct fastws_upgrade_config config;
        fastws_upgrade_config_init(&config);
        config.headers = (struct fastws_http_headers){headers, COUNT(headers)};
        struct counter counter = {0};
        struct fastws_allocator allocator = counting(&counter);
        struct fastws_upgrade *upgrade = NULL;
        assert_int_equal(fastws_upgrade_new(&config, &allocator, &upgrade), FASTWS_ERR_HANDSHAKE_HEADER);
        assert_null(upgrade);
        assert_int_equal(counter.in_use, 0);
    }
}

static void answers_500_for_headers_that_may_not_be_written(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        static struct recorder recorder;
        struct fastws_upgrade_config config = recording_config(&recorder);
        recorder.extra = (struct fastws_http_headers){&forbidden[i], 1};
        struct run *run = run_all_ways(&config, REQUEST);
        assert_refused(run, FASTWS_ERR_HANDSHAKE_HEADER, 500);
        assert_null(strstr(run->response, "Set-Cookie"));
        recorder.extra.count = 0;
        recorder.refuse_at = "request /chat";
        recorder.reject = (struct fastws_reject){.status = 404, .headers = {&forbidden[i], 1}};
        run = run_all_ways(&config, REQUEST);
        assert_refused(run, FASTWS_ERR_HANDSHAKE_HEADER, 500);
        assert_null(strstr(run->response, "Set-Cookie"));
        recorder.refuse_at = NULL;
    }
}

static void refuses_to_be_made_with_a_wrong_configuration(void **state) {
    (void)state;
    struct fastws_upgrade *upgrade = NULL;
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.size--;
    assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), FASTWS_ERR_ARGUMENT);
    static const struct fastws_slice wrong[] = {{"", 0}, {"a b", 3}, {"a,b", 3}, {"a\r\nX: y", 7}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        const struct fastws_slice protocols[] = {{"a", 1}, wrong[i]};
        fastws_upgrade_config_init(&config);
        config.protocols = protocols;
        config.protocol_count = COUNT(protocols);
        assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), FASTWS_ERR_ARGUMENT);
    }
    assert_null(upgrade);
}

/* ---- Heads that another server has read ---- */

static const struct fastws_http_header required[] = {
    {{"Host", 4}, {"example.com", 11}},
    {{"upgrade", 7}, {"WebSocket", 9}},
    {{"Connection", 10}, {" keep-alive, Upgrade\t", 21}}, /* some servers leave the white space */
    {{"Sec-WebSocket-Version", 21}, {"13", 2}},
    {{"Sec-WebSocket-Key", 17}, {"dGhlIHNhbXBsZSBub25jZQ==", 24}},
    {{"Sec-WebSocket-Protocol", 22}, {"a, b", 4}},
    {{"Origin", 6}, {"http://example.com ", 19}},
};

static struct run *run_parsed(const struct fastws_upgrade_config *config, struct fastws_slice method,
                              struct fastws_slice target, const struct fastws_http_header *headers, size_t count) {
    static struct run run;
    memset(&run, 0, sizeof run);
    struct recorder *recorder = config ? config->context : NULL;
    if (recorder) recorder->len = 0;
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(config, NULL, &upgrade), 0);
    run.result = fastws_upgrade_parsed(upgrade, method, target, headers, count);
    take_results(upgrade, &run);
    struct fastws_slice slice;
    if (run.result == 1) {
        assert_int_equal(fastws_upgrade_target(upgrade, &slice), 0);
        assert_ptr_equal(slice.ptr, target.ptr);
        assert_int_equal(slice.len, target.len);
    }
    if (recorder) memcpy(run.log, recorder->log, recorder->len);
    fastws_upgrade_free(upgrade);
    return &run;
}

static void accepts_a_head_that_was_parsed_elsewhere(void **state) {
    (void)state;
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    config.protocol = record_protocol;
    recorder.accept_protocol = "b";
    struct run *run = run_parsed(&config, SLICE("GET"), SLICE("/chat?x"), required, COUNT(required));
    assert_int_equal(run->result, 1);
    assert_string_equal(run->response, ACCEPTED "Sec-WebSocket-Protocol: b\r\n" END);
    assert_string_equal(run->protocol, "b");
    assert_string_equal(run->log, "request /chat?x\nhost example.com\nprotocol a\nprotocol b\n"
                                  "Origin: http://example.com\nbefore upgrade\n");
}

static void refuses_a_parsed_head_as_one_that_it_reads(void **state) {
    (void)state;
    static const struct {
        struct fastws_slice method;
        struct fastws_slice target;
        int error;
        int status;
    } lines[] = {
        {{"POST", 4}, {"/", 1}, FASTWS_ERR_HTTP_METHOD, 405},
        {{"G T", 3}, {"/", 1}, FASTWS_ERR_HTTP_REQUEST_LINE, 400},
        {{NULL, 0}, {"/", 1}, FASTWS_ERR_HTTP_REQUEST_LINE, 400},
        {{"GET", 3}, {"", 0}, FASTWS_ERR_HTTP_TARGET, 400},
        {{"GET", 3}, {"/a b", 4}, FASTWS_ERR_HTTP_TARGET, 400},
        {{"GET", 3}, {"*", 1}, FASTWS_ERR_HTTP_TARGET, 400},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct run *run = run_parsed(NULL, lines[i].method, lines[i].target, required, COUNT(required));
        assert_refused(run, lines[i].error, lines[i].status);
    }
    static const struct {
        struct fastws_http_header header;
        int error;
        int status;
    } headers[] = {
        {{{"X Y", 3}, {"a", 1}}, FASTWS_ERR_HTTP_HEADER_NAME, 400},
        {{{NULL, 0}, {"a", 1}}, FASTWS_ERR_HTTP_HEADER_NAME, 400},
        {{{"X", 1}, {"a\r\nb", 4}}, FASTWS_ERR_HTTP_HEADER_VALUE, 400},
        {{{"Host", 4}, {"x", 1}}, FASTWS_ERR_HANDSHAKE_HOST, 400},
        {{{"Content-Length", 14}, {"1", 1}}, FASTWS_ERR_HTTP_BODY, 400},
        {{{"Sec-WebSocket-Version", 21}, {"8", 1}}, FASTWS_ERR_HANDSHAKE_VERSION, 426},
    };
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct fastws_http_header all[COUNT(required) + 1];
        memcpy(all, required, sizeof required);
        all[COUNT(required)] = headers[i].header;
        struct run *run = run_parsed(NULL, SLICE("GET"), SLICE("/"), all, COUNT(all));
        assert_refused(run, headers[i].error, headers[i].status);
    }
    assert_refused(run_parsed(NULL, SLICE("GET"), SLICE("/"), NULL, 0), FASTWS_ERR_HANDSHAKE_HOST, 400);
}

static void holds_the_limit_on_the_number_of_parsed_headers(void **state) {
    (void)state;
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.header_count_max = COUNT(required);
    assert_int_equal(run_parsed(&config, SLICE("GET"), SLICE("/"), required, COUNT(required))->result, 1);
    config.header_count_max = COUNT(required) - 1;
    struct run *run = run_parsed(&config, SLICE("GET"), SLICE("/"), required, COUNT(required));
    assert_refused(run, FASTWS_ERR_HTTP_TOO_MANY_HEADERS, 431);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_back_in_the_order_of_the_head),
        cmocka_unit_test(keeps_the_names_of_headers_as_they_came),
        cmocka_unit_test(tells_names_apart_by_every_byte),
        cmocka_unit_test(agrees_on_the_first_protocol_that_the_callback_takes),
        cmocka_unit_test(keeps_the_protocol_while_the_head_grows),
        cmocka_unit_test(does_not_call_back_before_the_request_line_is_right),
        cmocka_unit_test(does_not_call_before_upgrade_for_a_head_that_is_refused),
        cmocka_unit_test(stops_where_a_callback_refuses),
        cmocka_unit_test(refuses_with_what_the_callback_gives),
        cmocka_unit_test(answers_500_for_a_status_that_answers_nothing),
        cmocka_unit_test(refuses_with_a_body_longer_than_the_object_holds),
        cmocka_unit_test(writes_the_headers_that_it_is_given),
        cmocka_unit_test(writes_one_content_type_into_a_refusal),
        cmocka_unit_test(writes_responses_of_every_length_around_the_edge),
        cmocka_unit_test(refuses_to_be_made_with_headers_that_may_not_be_written),
        cmocka_unit_test(answers_500_for_headers_that_may_not_be_written),
        cmocka_unit_test(refuses_to_be_made_with_a_wrong_configuration),
        cmocka_unit_test(accepts_a_head_that_was_parsed_elsewhere),
        cmocka_unit_test(refuses_a_parsed_head_as_one_that_it_reads),
        cmocka_unit_test(holds_the_limit_on_the_number_of_parsed_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
