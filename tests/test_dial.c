/* SPDX-License-Identifier: MIT */
/* The client's handshake: what is asked, which answers are taken, and the error of each that is not. */
#include "dial_runs.h"

#include <fastws/upgrade.h>

/* ---- The request ---- */

static void expect_request(const struct fastws_dial_config *config, const char *address, const char *expected) {
    struct fastws_dialer *dial = open_dial(config, address, NULL);
    const void *ptr;
    size_t len;
    fastws_dial_request(dial, &ptr, &len);
    char *text = calloc(1, len + 1);
    assert_non_null(text);
    memcpy(text, ptr, len);
    assert_string_equal(text, expected);
    free(text);
    fastws_dial_free(dial);
}

static struct fastws_dial_config sample_config(void) {
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.random = &sample_random;
    return config;
}

#define AFTER_HOST                                                                                                     \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                     \
    "Sec-WebSocket-Version: 13\r\n"

static void asks_for_the_address(void **state) {
    (void)state;
    struct fastws_dial_config config = sample_config();
    static const char *const cases[][2] = {
        {"ws://example.com", "GET / HTTP/1.1\r\nHost: example.com\r\n" AFTER_HOST END},
        {"ws://example.com:80/chat", "GET /chat HTTP/1.1\r\nHost: example.com\r\n" AFTER_HOST END},
        {"wss://example.com:80/chat", "GET /chat HTTP/1.1\r\nHost: example.com:80\r\n" AFTER_HOST END},
        {"wss://example.com:443/", "GET / HTTP/1.1\r\nHost: example.com\r\n" AFTER_HOST END},
        {"ws://example.com?a=b", "GET /?a=b HTTP/1.1\r\nHost: example.com\r\n" AFTER_HOST END},
        {"ws://[::1]:8080/", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n" AFTER_HOST END},
        {"ws+unix:/run/x.sock:/chat?a", "GET /chat?a HTTP/1.1\r\nHost: localhost\r\n" AFTER_HOST END},
        /* gobwas/ws sends the fragment, and drops user and password. */
        {"ws://example.com/p?q=1#frag", "GET /p?q=1 HTTP/1.1\r\nHost: example.com\r\n" AFTER_HOST END},
        {"ws://Aladdin:open%20sesame@example.com/",
         "GET / HTTP/1.1\r\nHost: example.com\r\n" AFTER_HOST
         "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n" END}, /* RFC 7617 section 2 */
        {"ws://user@h/", "GET / HTTP/1.1\r\nHost: h\r\n" AFTER_HOST "Authorization: Basic dXNlcjo=\r\n" END},
    };
    for (size_t i = 0; i < COUNT(cases); i++) expect_request(&config, cases[i][0], cases[i][1]);
}

static void asks_for_what_is_configured(void **state) {
    (void)state;
    const struct fastws_slice protocols[] = {SLICE("foo"), SLICE("bar")};
    const struct fastws_http_header headers[] = {{SLICE("User-Agent"), SLICE("x")}, {SLICE("Cookie"), SLICE("a=b")}};
    struct fastws_dial_config config = sample_config();
    config.protocols = protocols;
    config.protocol_count = 2;
    config.extensions = SLICE("foo;bar=1, baz");
    config.headers = (struct fastws_http_headers){headers, 2};
    config.origin = SLICE("https://who.am.i");
    config.host = SLICE("other.example:1");
    expect_request(&config, "wss://example.com",
                   "GET / HTTP/1.1\r\nHost: other.example:1\r\n" AFTER_HOST "Sec-WebSocket-Protocol: foo, bar\r\n"
                   "Sec-WebSocket-Extensions: foo;bar=1, baz\r\nOrigin: https://who.am.i\r\nUser-Agent: x\r\n"
                   "Cookie: a=b\r\n\r\n");
}

static void an_own_authorization_replaces_that_of_the_address(void **state) {
    (void)state;
    const struct fastws_http_header header = {SLICE("AUTHORIZATION"), SLICE("Bearer x")};
    struct fastws_dial_config config = sample_config();
    config.headers = (struct fastws_http_headers){&header, 1};
    expect_request(&config, "ws://user:pass@h/",
                   "GET / HTTP/1.1\r\nHost: h\r\n" AFTER_HOST "AUTHORIZATION: Bearer x\r\n\r\n");
}

/* Both halves of the library agree, whatever the length of the request. */
static void a_server_accepts_the_request(void **state) {
    (void)state;
    static char target[2000] = "ws://h/";
    for (size_t len = 7; len < sizeof target - 1; len += len < 450 ? 1 : 97) {
        memset(target + 7, 'x', len - 7);
        struct fastws_dialer *dial = open_dial(NULL, target, NULL);
        const void *request, *answer;
        size_t request_len, answer_len, used;
        fastws_dial_request(dial, &request, &request_len);
        struct fastws_upgrade *upgrade;
        assert_int_equal(fastws_upgrade_new(NULL, NULL, &upgrade), 0);
        assert_int_equal(fastws_upgrade_feed(upgrade, request, request_len, &used), 1);
        assert_int_equal(used, request_len);
        assert_int_equal(fastws_upgrade_response(upgrade, &answer, &answer_len), 0);
        assert_int_equal(fastws_dial_feed(dial, answer, answer_len, &used), 1);
        assert_int_equal(used, answer_len);
        fastws_upgrade_free(upgrade);
        fastws_dial_free(dial);
    }
}

static void keys_differ(void **state) {
    (void)state;
    char keys[2][24];
    for (int i = 0; i < 2; i++) {
        struct fastws_dialer *dial = open_dial(NULL, "ws://h/", NULL);
        const void *ptr;
        size_t len;
        fastws_dial_request(dial, &ptr, &len);
        const char *key = strstr(ptr, "Sec-WebSocket-Key: ");
        assert_non_null(key);
        memcpy(keys[i], key + 19, 24);
        fastws_dial_free(dial);
    }
    assert_memory_not_equal(keys[0], keys[1], 24);
}

static int failing_nonce(void *context, void *dst, size_t len) {
    (void)context;
    (void)dst;
    (void)len;
    return FASTWS_ERR_RANDOM;
}

static void passes_on_that_there_are_no_random_bytes(void **state) {
    (void)state;
    const struct fastws_random random = {failing_nonce, NULL};
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.random = &random;
    struct fastws_url url;
    struct fastws_dialer *dial;
    assert_int_equal(fastws_url_parse(&url, "ws://h", 6), 0);
    assert_int_equal(fastws_dial_new(&config, &url, NULL, &dial), FASTWS_ERR_RANDOM);
}

static int try_config(const struct fastws_dial_config *config, const char *address) {
    struct fastws_url url;
    assert_int_equal(fastws_url_parse(&url, address, strlen(address)), 0);
    struct fastws_dialer *dial = NULL;
    int result = fastws_dial_new(config, &url, NULL, &dial);
    if (result == 0) fastws_dial_free(dial);
    return result;
}

static void refuses_headers_that_may_not_be_written(void **state) {
    (void)state;
    static const struct fastws_http_header bad[] = {
        {TEXT("Host"), TEXT("x")},
        {TEXT("connection"), TEXT("x")},
        {TEXT("UPGRADE"), TEXT("x")},
        {TEXT("Content-Length"), TEXT("0")},
        {TEXT("Transfer-Encoding"), TEXT("chunked")},
        {TEXT("Sec-WebSocket-Key"), TEXT("x")},
        {TEXT("Sec-WebSocket-Version"), TEXT("x")},
        {TEXT("Sec-WebSocket-Accept"), TEXT("x")},
        {TEXT("Sec-WebSocket-Protocol"), TEXT("x")},
        {TEXT("Sec-WebSocket-Extensions"), TEXT("x")},
        {TEXT("X"), TEXT("a\r\nY: b")},
        {TEXT("X"), TEXT("a\nb")},
        {TEXT("X"), TEXT(" a")},
        {TEXT("X\r\nY"), TEXT("a")},
        {TEXT("X "), TEXT("a")},
        {TEXT(""), TEXT("a")},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct fastws_dial_config config = sample_config();
        config.headers = (struct fastws_http_headers){&bad[i], 1};
        assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_HANDSHAKE_HEADER);
    }
    struct fastws_dial_config config = sample_config();
    config.host = SLICE("a b");
    assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_HANDSHAKE_HEADER);
    config = sample_config();
    config.origin = SLICE("a\r\nb");
    assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_HANDSHAKE_HEADER);
    const struct fastws_http_header origin = {SLICE("Origin"), SLICE("x")};
    config = sample_config();
    config.headers = (struct fastws_http_headers){&origin, 1};
    assert_int_equal(try_config(&config, "ws://h"), 0);
    config.origin = SLICE("y");
    assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_HANDSHAKE_HEADER);
}

/* An address that was put together by hand, and not parsed, once wrote its CR and LF into the request. */
static void refuses_addresses_that_would_end_a_line(void **state) {
    (void)state;
    static const struct {
        struct fastws_url url;
        int error;
    } cases[] = {
        {{.host_kind = FASTWS_HOST_NAME, .port = 80, .host = TEXT("h"), .target = TEXT("/\r\nX: y")},
         FASTWS_ERR_URL_TARGET},
        {{.host_kind = FASTWS_HOST_NAME, .port = 80, .host = TEXT("h"), .target = TEXT("/ HTTP/1.1")},
         FASTWS_ERR_URL_TARGET},
        {{.host_kind = FASTWS_HOST_UNIX, .host = TEXT("/x"), .target = TEXT("/\n")}, FASTWS_ERR_URL_TARGET},
        {{.host_kind = FASTWS_HOST_NAME, .port = 80, .host = TEXT("h\r\nX: y")}, FASTWS_ERR_URL_HOST},
        {{.host_kind = FASTWS_HOST_IPV6, .port = 80, .host = TEXT("::1]\r\nX: y")}, FASTWS_ERR_URL_HOST},
        {{.host_kind = FASTWS_HOST_NAME, .port = 80, .host = TEXT("")}, FASTWS_ERR_URL_HOST},
        {{.host_kind = FASTWS_HOST_IPV6, .port = 80, .host = TEXT("::1"), .target = TEXT("/a?b")}, 0},
        {{.host_kind = FASTWS_HOST_UNIX, .host = TEXT("/x y\r\n")}, 0}, /* never written */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fastws_dialer *dial = NULL;
        assert_int_equal(fastws_dial_new(NULL, &cases[i].url, NULL, &dial), cases[i].error);
        fastws_dial_free(dial);
    }
}

/* The status is known also where it is what is refused. */
static void tells_status_and_version_of_an_answer(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int status, has_line, minor;
        const char *reason;
    } cases[] = {
        {"HTTP/1.0 101 Switching Protocols\r\n", 101, 0, 0, ""},
        {"HTTP/2.1 101 Switching Protocols\r\n", 101, 0, 0, ""},
        {"HTTP/1.1 403 Go away\r\nX: y", 403, 0, 0, ""},
        {"SSH-2.0\r\n", 0, 0, 0, ""},
        {"HTTP/1.0 400 No\r\n\r\n", 400, 1, 0, "No"},
        {"HTTP/1.9 302 Over there\r\nLocation: /x\r\n\r\n", 302, 1, 9, "Over there"},
        {"HTTP/1.1 103 a\r\n\r\nHTTP/1.1 499 \r\n\r\n", 499, 1, 1, ""},
    };
    struct fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.is_redirect_told = 1;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fastws_dialer *dial = open_dial(&config, "ws://h/", NULL);
        struct fastws_http_status_line line;
        size_t used;
        (void)!feed(dial, cases[i].answer, strlen(cases[i].answer), &used);
        assert_int_equal(fastws_dial_status(dial), cases[i].status);
        assert_int_equal(fastws_dial_status_line(dial, &line), cases[i].has_line ? 0 : FASTWS_ERR_STATE);
        if (cases[i].has_line) {
            assert_int_equal(line.version_major, 1);
            assert_int_equal(line.version_minor, cases[i].minor);
            assert_int_equal(line.status, cases[i].status);
            assert_int_equal(line.reason.len, strlen(cases[i].reason));
            assert_memory_equal(line.reason.ptr, cases[i].reason, line.reason.len);
        }
        fastws_dial_free(dial);
    }
}

static void refuses_other_bad_configurations(void **state) {
    (void)state;
    struct fastws_dial_config config = sample_config();
    config.size--;
    assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_ARGUMENT);
    const struct fastws_slice twice[] = {SLICE("a"), SLICE("b"), SLICE("a")};
    const struct fastws_slice bad[] = {SLICE("a b"), SLICE("")};
    config = sample_config();
    config.protocols = twice;
    config.protocol_count = 2;
    assert_int_equal(try_config(&config, "ws://h"), 0);
    config.protocol_count = 3;
    assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_ARGUMENT);
    config.protocol_count = 1;
    for (size_t i = 0; i < COUNT(bad); i++) {
        config.protocols = &bad[i];
        assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_ARGUMENT);
    }
    const struct fastws_slice lists[] = {SLICE("a; ="), SLICE("a b"), SLICE(";a"), SLICE("a; b="), SLICE("a; b=\"c"),
                                         SLICE("a\r\nX: y"), SLICE("a; =b"), SLICE("a=b")};
    config = sample_config();
    for (size_t i = 0; i < COUNT(lists); i++) {
        config.extensions = lists[i];
        assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_ARGUMENT);
    }
    static char many[3 * 65];
    for (size_t i = 0; i < 65; i++) memcpy(many + 3 * i, "a, ", 3);
    config.extensions = (struct fastws_slice){many, 3 * 64 - 2};
    assert_int_equal(try_config(&config, "ws://h"), 0);
    config.extensions.len = 3 * 65 - 2;
    assert_int_equal(try_config(&config, "ws://h"), FASTWS_ERR_DIAL_EXTENSIONS_MAX);
    config = sample_config();
    assert_int_equal(try_config(&config, "ws://a%3a:b@h"), FASTWS_ERR_URL_USERINFO);
    assert_int_equal(try_config(&config, "ws://a:%0d%0a@h"), FASTWS_ERR_URL_USERINFO);
}

/* ---- Answers that open the connection ---- */

static const struct fastws_slice offered_protocols[] = {TEXT("a"), TEXT("b.2")};

static struct fastws_dial_config offering_config(struct recorder *recorder) {
    struct fastws_dial_config config = recording_config(recorder);
    config.protocols = offered_protocols;
    config.protocol_count = 2;
    config.extensions = SLICE("foo;bar=1, baz, permessage-deflate; x=\"a,b;c\"");
    return config;
}

static void opens(void **state) {
    (void)state;
    static const struct {
        const char *answer, *protocol, *log;
    } cases[] = {
        {ANSWER, "", ""},
        {"HTTP/1.1 101\r\n" REQUIRED END, "", ""}, /* gobwas/ws wants the space */
        {"HTTP/1.1 101 \r\n" REQUIRED END, "", ""},
        {"HTTP/1.2 101 OK\r\n" REQUIRED END, "", ""},
        {LINE "UPGRADE: WebSocket\r\nconnection:\tkeep-alive ,upgrade\r\n" ACCEPT END, "", ""},
        {LINE "Connection: keep-alive\r\nConnection: Upgrade\r\n" UPGRADE ACCEPT END, "", ""},
        {LINE REQUIRED "Sec-WebSocket-Protocol: b.2\r\n" END, "b.2", ""},
        {LINE "Sec-WebSocket-Protocol: a\r\n" REQUIRED END, "a", ""},
        {LINE REQUIRED "Sec-WebSocket-Extensions: baz\r\n" END, "", "extension baz=baz\n"},
        {LINE REQUIRED "Sec-WebSocket-Extensions: foo; bar=1,\tbaz\r\nSec-WebSocket-Extensions: permessage-deflate ; y "
                       "; x=\"a,;\\\"\"\r\n" END,
         "", "extension foo=foo; bar=1\nextension baz=baz\n"
         "extension permessage-deflate=permessage-deflate ; y ; x=\"a,;\\\"\"\n"},
        {LINE REQUIRED "Sec-WebSocket-Extensions: \r\n" END, "", ""},
        {LINE "Set-Cookie: a=b\r\nSec-WebSocket-Protocol: a\r\n" REQUIRED
              "set-cookie: c\r\nSec-WebSocket-Version: 13\r\nX:\r\n" END,
         "a", "header Set-Cookie=a=b\nheader set-cookie=c\nheader X=\n"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nUpgrade: x\r\nLink: y\r\n\r\n" ANSWER, "", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct recorder recorder = {.refuse_at = NULL};
        struct fastws_dial_config config = offering_config(&recorder);
        static struct run run;
        run_answer(&run, &config, cases[i].answer, strlen(cases[i].answer), 0);
        if (run.result != 1) fail_msg("%s: %s", cases[i].answer, fastws_error_name(run.result));
        assert_int_equal(run.status, 101);
        assert_int_equal(run.used, strlen(cases[i].answer));
        assert_string_equal(run.protocol, cases[i].protocol);
        assert_string_equal(run.log, cases[i].log);
    }
}

/* A frame that comes with the answer, or bytes that are none, belong to the connection. */
static void leaves_what_follows_the_head(void **state) {
    (void)state;
    static const struct fastws_slice cases[] = {
        TEXT(ANSWER "\x81\x02hi"),
        TEXT(LINE REQUIRED "Content-Length: 14\r\n" END "hello, hello!\n"),
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct recorder recorder = {.refuse_at = NULL};
        struct fastws_dial_config config = recording_config(&recorder);
        static struct run run;
        run_answer(&run, &config, cases[i].ptr, cases[i].len, 0);
        assert_int_equal(run.result, 1);
        assert_int_equal(run.used, cases[i].len - (i == 0 ? 4 : 14));
    }
}

static void gives_the_headers_of_the_last_head(void **state) {
    (void)state;
    struct recorder recorder = {.refuse_at = NULL};
    struct fastws_dial_config config = recording_config(&recorder);
    static struct run run;
    const char answer[] = "HTTP/1.1 102 x\r\nA: b\r\n\r\n" LINE "X: y\r\n" REQUIRED END;
    run_answer(&run, &config, answer, sizeof answer - 1, 0);
    assert_string_equal(run.headers, "X: y\nUpgrade: websocket\nConnection: Upgrade\n"
                                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n");
}

/* ---- Answers that do not ---- */

static void names_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int error;
    } cases[] = {
        {"HTTP/2.1 101 Switching Protocols\r\n" REQUIRED END, FASTWS_ERR_HTTP_VERSION},
        {"HTTP/1.0 101 Switching Protocols\r\n" REQUIRED END, FASTWS_ERR_HTTP_VERSION},
        {"HTTP/0.9 200 OK\r\n\r\n", FASTWS_ERR_HTTP_VERSION},
        {"SSH-2.0-OpenSSH_9.2\r\n", FASTWS_ERR_HTTP_STATUS_LINE},
        {"\x15\x03\x03\x00\x02\x02\x46", FASTWS_ERR_HTTP_STATUS_LINE}, /* an alert of TLS */
        {"HTTP/1.1  101 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE},
        {"HTTP/1.1 1O1 x\r\n", FASTWS_ERR_HTTP_STATUS_LINE},
        {"HTTP/1.1 101 x\n", FASTWS_ERR_HTTP_LINE_END},
        {LINE "Upgrade: websocket\n", FASTWS_ERR_HTTP_LINE_END},
        {LINE " Upgrade: websocket\r\n", FASTWS_ERR_HTTP_FOLD},
        {LINE "Upgrade : websocket\r\n", FASTWS_ERR_HTTP_HEADER_NAME},
        {LINE "X: a\x01\r\n", FASTWS_ERR_HTTP_HEADER_VALUE},
        /* Upgrade */
        {LINE CONNECTION ACCEPT END, FASTWS_ERR_HANDSHAKE_UPGRADE},
        {LINE END, FASTWS_ERR_HANDSHAKE_UPGRADE},
        {LINE "Upgrade: oops\r\n", FASTWS_ERR_HANDSHAKE_UPGRADE},
        {LINE "Upgrade:\r\n", FASTWS_ERR_HANDSHAKE_UPGRADE},
        {LINE "Upgrade: websocket, h2c\r\n", FASTWS_ERR_HANDSHAKE_UPGRADE},
        {LINE "Upgrade: websocket/13\r\n", FASTWS_ERR_HANDSHAKE_UPGRADE},
        {LINE UPGRADE UPGRADE, FASTWS_ERR_HANDSHAKE_UPGRADE},
        /* Connection */
        {LINE UPGRADE ACCEPT END, FASTWS_ERR_HANDSHAKE_CONNECTION},
        {LINE UPGRADE "Connection: close\r\n" ACCEPT END, FASTWS_ERR_HANDSHAKE_CONNECTION},
        {LINE UPGRADE "Connection: oops!\r\n" ACCEPT END, FASTWS_ERR_HANDSHAKE_CONNECTION},
        {LINE UPGRADE "Connection: up grade\r\n", FASTWS_ERR_HANDSHAKE_CONNECTION},
        {LINE UPGRADE "Connection: xupgrade, upgrade2\r\n" ACCEPT END, FASTWS_ERR_HANDSHAKE_CONNECTION},
        /* Accept */
        {LINE UPGRADE CONNECTION END, FASTWS_ERR_HANDSHAKE_ACCEPT},
        {LINE "Sec-WebSocket-Accept:\r\n", FASTWS_ERR_HANDSHAKE_ACCEPT},
        {LINE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n", FASTWS_ERR_HANDSHAKE_ACCEPT},
        {LINE "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n", FASTWS_ERR_HANDSHAKE_ACCEPT},
        {LINE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n", FASTWS_ERR_HANDSHAKE_ACCEPT},
        {LINE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo==\r\n", FASTWS_ERR_HANDSHAKE_ACCEPT},
        {LINE "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\r\n", FASTWS_ERR_HANDSHAKE_ACCEPT}, /* the key itself */
        {LINE ACCEPT ACCEPT, FASTWS_ERR_HANDSHAKE_ACCEPT},
        /* Protocol; gobwas/ws overlooks a second line. */
        {LINE REQUIRED "Sec-WebSocket-Protocol: c\r\n", FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER},
        {LINE REQUIRED "Sec-WebSocket-Protocol: A\r\n", FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER},
        {LINE REQUIRED "Sec-WebSocket-Protocol: b\r\n", FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER},
        {LINE REQUIRED "Sec-WebSocket-Protocol:\r\n", FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER},
        {LINE REQUIRED "Sec-WebSocket-Protocol: a, b.2\r\n", FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER},
        {LINE "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n", FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER},
        /* Extensions; gobwas/ws takes one twice. */
        {LINE "Sec-WebSocket-Extensions: other\r\n", FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER},
        {LINE "Sec-WebSocket-Extensions: foo, other; baz=1\r\n", FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER},
        {LINE "Sec-WebSocket-Extensions: bar\r\n", FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER},
        {LINE "Sec-WebSocket-Extensions: foo, foo\r\n", FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER},
        {LINE "Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: foo;x\r\n",
         FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER},
        {LINE "Sec-WebSocket-Extensions: foo; =\r\n", FASTWS_ERR_HANDSHAKE_EXTENSIONS},
        {LINE "Sec-WebSocket-Extensions: foo bar\r\n", FASTWS_ERR_HANDSHAKE_EXTENSIONS},
        {LINE "Sec-WebSocket-Extensions: foo; a=\"b\r\n", FASTWS_ERR_HANDSHAKE_EXTENSIONS},
        {LINE "Sec-WebSocket-Extensions: foo; a=\"b\\\"\r\n", FASTWS_ERR_HANDSHAKE_EXTENSIONS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct recorder recorder = {.refuse_at = NULL};
        struct fastws_dial_config config = offering_config(&recorder);
        static struct run run;
        run_answer(&run, &config, cases[i].answer, strlen(cases[i].answer), 0);
        if (run.result != cases[i].error) fail_msg("%s: %s", cases[i].answer, fastws_error_name(run.result));
        assert_string_equal(run.log, ""); /* nothing of a bad answer is shown */
    }
}

static void what_was_not_offered_is_refused(void **state) {
    (void)state;
    struct recorder recorder = {.refuse_at = NULL};
    struct fastws_dial_config config = recording_config(&recorder);
    static struct run run;
    const char protocol[] = LINE REQUIRED "Sec-WebSocket-Protocol: a\r\n";
    run_answer(&run, &config, protocol, sizeof protocol - 1, 0);
    assert_int_equal(run.result, FASTWS_ERR_HANDSHAKE_PROTOCOL_ANSWER);
    const char extension[] = LINE REQUIRED "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    run_answer(&run, &config, extension, sizeof extension - 1, 0);
    assert_int_equal(run.result, FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER);
}

static void callbacks_refuse(void **state) {
    (void)state;
    const char answer[] = LINE "A: b\r\nC: d\r\nSec-WebSocket-Extensions: foo;x, baz\r\n" REQUIRED END "frame";
    static const char *const lines[] = {"header A=b", "header C=d", "extension foo=foo;x", "extension baz=baz"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct recorder recorder = {.refuse_at = lines[i]};
        struct fastws_dial_config config = offering_config(&recorder);
        static struct run run;
        run_answer(&run, &config, answer, sizeof answer - 1, 0);
        assert_int_equal(run.result, FASTWS_ERR_DIAL_REJECTED);
        const char *last = strstr(run.log, lines[i]);
        assert_non_null(last);
        assert_int_equal(strlen(last), strlen(lines[i]) + 1);
    }
}

static void streams_that_end_early_are_no_answer(void **state) {
    (void)state;
    for (size_t cut = 0; cut < sizeof ANSWER - 1; cut++) {
        struct fastws_dialer *dial = open_dial(NULL, "ws://h/", NULL);
        size_t used;
        assert_int_equal(feed(dial, LINE, cut < sizeof LINE - 1 ? cut : sizeof LINE - 1, &used), FASTWS_NEED_MORE);
        assert_int_equal(fastws_dial_eof(dial), FASTWS_ERR_UNEXPECTED_EOF);
        fastws_dial_free(dial);
        dial = open_dial(NULL, "ws://h/", NULL);
        assert_int_equal(feed(dial, LINE, cut < sizeof LINE - 1 ? cut : sizeof LINE - 1, &used), FASTWS_NEED_MORE);
        assert_int_equal(fastws_dial_expire(dial), FASTWS_ERR_DIAL_TIMEOUT);
        fastws_dial_free(dial);
    }
}

/* ---- Limits ---- */

static void heads_keep_their_limits(void **state) {
    (void)state;
    struct recorder recorder = {.refuse_at = NULL};
    struct fastws_dial_config config = recording_config(&recorder);
    const char answer[] = "HTTP/1.1 100 x\r\nY: z\r\n\r\n" ANSWER "rest";
    const size_t head_len = sizeof answer - 1 - 4;
    static struct run run;
    config.head_max = head_len;
    config.header_count_max = 4;
    run_answer(&run, &config, answer, sizeof answer - 1, 0);
    assert_int_equal(run.result, 1);
    config.head_max = head_len - 1;
    run_answer(&run, &config, answer, sizeof answer - 1, 0);
    assert_int_equal(run.result, FASTWS_ERR_HTTP_HEAD_TOO_LARGE);
    config.head_max = 0;
    config.header_count_max = 3;
    run_answer(&run, &config, answer, sizeof answer - 1, 0);
    assert_int_equal(run.result, FASTWS_ERR_HTTP_TOO_MANY_HEADERS);
    config.header_count_max = 0;
    run_answer(&run, &config, answer, sizeof answer - 1, 0);
    assert_int_equal(run.result, 1);
}

/* A server that sends headers, or interim answers, without end. */
static void endless_heads_end(void **state) {
    (void)state;
    static const char *const pieces[] = {"X: y\r\n", "HTTP/1.1 100 x\r\n\r\n"};
    static const int errors[] = {FASTWS_ERR_HTTP_TOO_MANY_HEADERS, FASTWS_ERR_HTTP_HEAD_TOO_LARGE};
    for (size_t i = 0; i < 2; i++) {
        struct fastws_dialer *dial = open_dial(NULL, "ws://h/", NULL);
        size_t used, count = 0;
        int result = i == 0 ? feed(dial, LINE, sizeof LINE - 1, &used) : 0;
        while (result == FASTWS_NEED_MORE && count++ < 10000) result = feed(dial, pieces[i], strlen(pieces[i]), &used);
        assert_int_equal(result, errors[i]);
        fastws_dial_free(dial);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_the_address),
        cmocka_unit_test(asks_for_what_is_configured),
        cmocka_unit_test(an_own_authorization_replaces_that_of_the_address),
        cmocka_unit_test(a_server_accepts_the_request),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(passes_on_that_there_are_no_random_bytes),
        cmocka_unit_test(refuses_headers_that_may_not_be_written),
        cmocka_unit_test(refuses_addresses_that_would_end_a_line),
        cmocka_unit_test(tells_status_and_version_of_an_answer),
        cmocka_unit_test(refuses_other_bad_configurations),
        cmocka_unit_test(opens),
        cmocka_unit_test(leaves_what_follows_the_head),
        cmocka_unit_test(gives_the_headers_of_the_last_head),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(what_was_not_offered_is_refused),
        cmocka_unit_test(callbacks_refuse),
        cmocka_unit_test(streams_that_end_early_are_no_answer),
        cmocka_unit_test(heads_keep_their_limits),
        cmocka_unit_test(endless_heads_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
