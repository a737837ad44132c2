/* SPDX-License-Identifier: MIT */
/* Proxies: which one is chosen, what is said to it, and what is made of its answers. */
#include "connect_peers.h"

#include "../src/net/proxy.h"

/* ---- Proxies ---- */

static uint8_t asked[1024]; /* of a SOCKS proxy */
static size_t asked_len;

static void go_on_as_server(struct peer *peer, int fd) {
    if (!take_head(peer, fd)) return;
    say_101(peer, fd, "");
    wait_end(fd);
}

static char connect_head[4096];

static void serve_connect(struct peer *peer, int fd) {
    const char *answer = peer->argument;
    if (!take_head(peer, fd)) return;
    memcpy(connect_head, peer->request, sizeof connect_head);
    say(fd, answer != NULL ? answer : "HTTP/1.1 200 Connection established\r\n\r\n");
    if (answer == NULL) go_on_as_server(peer, fd);
}

static void connects_through_http(void **state) {
    (void)state;
    struct peer proxy = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&proxy, serve_connect, NULL);
    options.proxy = at("http://127.0.0.1:%u", &proxy);
    expect_open("ws://server.test/x", &options); /* which this machine cannot find */
    assert_string_equal(connect_head, "CONNECT server.test:80 HTTP/1.1\r\nHost: server.test:80\r\n\r\n");
    expect_prefix(proxy.request, "GET /x HTTP/1.1\r\nHost: server.test\r\n");
    expect_open("ws://[::1]:8080/", &options);
    assert_string_equal(connect_head, "CONNECT [::1]:8080 HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
    options.proxy = at("Aladdin:open%%20sesame@127.0.0.1:%u/", &proxy);
    expect_open("ws://user:pass@server.test/", &options);
    assert_string_equal(connect_head, "CONNECT server.test:80 HTTP/1.1\r\nHost: server.test:80\r\n"
                                      "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
    assert_non_null(strstr(proxy.request, "\r\nAuthorization: Basic dXNlcjpwYXNz\r\n"));
    assert_null(strstr(proxy.request, "Proxy-Authorization"));
    stop_peer(&proxy);
}

static void skips_interim_answers_of_a_proxy(void **state) {
    (void)state;
    struct peer proxy = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    start_peer(&proxy, serve_connect, "HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 407 Auth\r\n\r\nbody");
    options.proxy = at("http://127.0.0.1:%u", &proxy);
    expect_error("ws://h.test", &options, FASTWS_ERR_PROXY_AUTH, FASTWS_DIAL_PROXY);
    assert_int_equal(report.status, 407);
    stop_peer(&proxy);
}

static void names_what_a_proxy_answers(void **state) {
    (void)state;
    static char many[8192] = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 200; i++) strcat(many, "X: y\r\n");
    strcat(many, "\r\n");
    static char large[20000] = "HTTP/1.1 200 OK\r\nX: ";
    memset(large + strlen(large), 'x', 17000);
    const struct {
        const char *answer;
        int error;
        const char *text;
    } cases[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", FASTWS_ERR_PROXY_AUTH,
         "proxy: 407 Proxy Authentication Required"},
        {"HTTP/1.0 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", FASTWS_ERR_PROXY_REFUSED, "proxy: 403 Forbidden"},
        {"HTTP/1.1 502\r\n\r\n", FASTWS_ERR_PROXY_REFUSED, "proxy: 502 "},
        {"HTTP/1.1 302 x\r\nLocation: ws://h/\r\n\r\n", FASTWS_ERR_PROXY_REFUSED, "proxy: 302 x"},
        {"SSH-2.0-x\r\n", FASTWS_ERR_PROXY_ANSWER, NULL},
        {"HTTP/1.1 200 OK\r\nX y\r\n\r\n", FASTWS_ERR_PROXY_ANSWER, NULL},
        {"HTTP/1.1 200 OK\n\n", FASTWS_ERR_PROXY_ANSWER, NULL},
        {"HTTP/1.1 200 OK\r\n", FASTWS_ERR_PROXY_ANSWER, "proxy ended the stream"},
        {"", FASTWS_ERR_PROXY_ANSWER, "proxy ended the stream"},
        /* Bytes that would be taken for the server's. */
        {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 x\r\n", FASTWS_ERR_PROXY_ANSWER, "proxy sent bytes behind its answer"},
        {many, FASTWS_ERR_HTTP_TOO_MANY_HEADERS, NULL},
        {large, FASTWS_ERR_HTTP_HEAD_TOO_LARGE, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct peer proxy = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        start_peer(&proxy, serve_connect, cases[i].answer);
        options.proxy = at("http://127.0.0.1:%u", &proxy);
        expect_error("ws://h.test", &options, cases[i].error, FASTWS_DIAL_PROXY);
        if (cases[i].text != NULL) assert_string_equal(report.text, cases[i].text);
        stop_peer(&proxy);
    }
}

static void the_deadline_covers_the_proxy(void **state) {
    (void)state;
    static const char *const schemes[] = {"http://127.0.0.1:%u", "socks5h://127.0.0.1:%u"};
    for (size_t i = 0; i < COUNT(schemes); i++) {
        struct peer proxy = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        start_peer(&proxy, serve_silence, NULL);
        options.proxy = at(schemes[i], &proxy);
        options.timeout_ms = 60;
        expect_error("ws://h.test", &options, FASTWS_ERR_DIAL_TIMEOUT, FASTWS_DIAL_PROXY);
        stop_peer(&proxy);
    }
}

/* ---- SOCKS 5 ---- */

/* One step of a SOCKS proxy: what it reads, then what it says. */
struct socks_step {
    size_t expected_len;
    size_t said_len;
    const char *said;
};

static void serve_socks(struct peer *peer, int fd) {
    const struct socks_step *step = peer->argument;
    asked_len = 0;
    for (; step->expected_len > 0; step++) {
        for (size_t left = step->expected_len; left > 0;) {
            ssize_t n = read(fd, asked + asked_len, left);
            if (n <= 0) return;
            asked_len += (size_t)n;
            left -= (size_t)n;
        }
        for (size_t i = 0; i < step->said_len; i++) { /* byte by byte */
            if (send(fd, step->said + i, 1, MSG_NOSIGNAL) != 1) return;
            sleep_ms(1);
        }
    }
    if (step->said_len > 0) go_on_as_server(peer, fd);
}

enum { GO_ON = 1 }; /* in the last step: as the server */

static void connects_through_socks(void **state) {
    (void)state;
    static const struct socks_step by_name[] = {
        {3, 2, "\x05\x00"}, {4 + 1 + 11 + 2, 10, "\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"}, {0, GO_ON, NULL}};
    static const struct socks_step by_v4[] = {
        {3, 2, "\x05\x00"}, {10, 4 + 1 + 4 + 2, "\x05\x00\x00\x03\x04name\x12\x34"}, {0, GO_ON, NULL}};
    static const struct socks_step by_v6[] = {
        {3, 2, "\x05\x00"}, {22, 22, "\x05\x00\x00\x04" "0123456789abcdef\x12\x34"}, {0, GO_ON, NULL}};
    static const struct socks_step with_password[] = {{4, 2, "\x05\x02"},
                                                      {3 + 4 + 6, 2, "\x01\x00"},
                                                      {10, 10, "\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"},
                                                      {0, GO_ON, NULL}};
    static const struct {
        const char *proxy, *url;
        const struct socks_step *steps;
        const char *asked;
        size_t asked_len;
    } cases[] = {
        {"socks5h://127.0.0.1:%u", "ws://server.test:8080/", by_name,
         "\x05\x01\x00\x05\x01\x00\x03\x0bserver.test\x1f\x90", 3 + 18},
        {"socks5h://127.0.0.1:%u", "ws://1.2.3.4/", by_v4, "\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50", 13},
        {"SOCKS5://127.0.0.1:%u", "ws://127.0.0.7/", by_v4, "\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x07\x00\x50", 13},
        {"socks5://127.0.0.1:%u", "ws://[::1]/", by_v6,
         "\x05\x01\x00\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50", 25},
        {"socks5h://user:p%%41sswd@127.0.0.1:%u", "ws://1.2.3.4/", with_password,
         "\x05\x02\x00\x02\x01\x04user\x06pAsswd\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50", 27},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct peer proxy = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        start_peer(&proxy, serve_socks, cases[i].steps);
        options.proxy = at(cases[i].proxy, &proxy);
        expect_open(cases[i].url, &options);
        assert_int_equal(asked_len, cases[i].asked_len);
        assert_memory_equal(asked, cases[i].asked, asked_len);
        stop_peer(&proxy);
    }
}

static void names_what_a_socks_proxy_answers(void **state) {
    (void)state;
    static const struct {
        const char *user;
        struct socks_step steps[4];
        int error;
    } cases[] = {
        {"", {{3, 2, "\x05\xff"}}, FASTWS_ERR_PROXY_AUTH},
        {"", {{3, 2, "\x05\x02"}}, FASTWS_ERR_PROXY_ANSWER}, /* was not offered */
        {"", {{3, 2, "\x04\x00"}}, FASTWS_ERR_PROXY_ANSWER},
        {"", {{3, 5, "HTTP/"}}, FASTWS_ERR_PROXY_ANSWER},
        {"", {{3, 1, "\x05"}}, FASTWS_ERR_PROXY_ANSWER}, /* and is gone */
        {"u:p@", {{4, 2, "\x05\x02"}, {5, 2, "\x01\x01"}}, FASTWS_ERR_PROXY_AUTH},
        {"u:p@", {{4, 2, "\x05\x02"}, {5, 2, "\x05\x00"}}, FASTWS_ERR_PROXY_ANSWER},
        {"u:p@", {{4, 2, "\x05\x03"}}, FASTWS_ERR_PROXY_ANSWER},
        {"", {{3, 2, "\x05\x00"}, {10, 10, "\x05\x05\x00\x01\0\0\0\0\0\0"}}, FASTWS_ERR_PROXY_REFUSED},
        {"", {{3, 2, "\x05\x00"}, {10, 4, "\x05\xee\x00\x01"}}, FASTWS_ERR_PROXY_REFUSED},
        {"", {{3, 2, "\x05\x00"}, {10, 4, "\x04\x00\x00\x01"}}, FASTWS_ERR_PROXY_ANSWER},
        {"", {{3, 2, "\x05\x00"}, {10, 4, "\x05\x00\x00\x02"}}, FASTWS_ERR_PROXY_ANSWER},
        {"", {{3, 2, "\x05\x00"}, {10, 6, "\x05\x00\x00\x01\x01\x02"}}, FASTWS_ERR_PROXY_ANSWER},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct peer proxy = {.port = 0};
        struct fastws_dial_report report;
        struct fastws_dial_options options = make_options(&report);
        char address[128];
        start_peer(&proxy, serve_socks, cases[i].steps);
        snprintf(address, sizeof address, "socks5h://%s127.0.0.1:%u", cases[i].user, (unsigned)proxy.port);
        options.proxy = address;
        expect_error("ws://1.2.3.4/", &options, cases[i].error, FASTWS_DIAL_PROXY);
        stop_peer(&proxy);
    }
}

static void a_password_that_socks_cannot_carry_is_refused(void **state) {
    (void)state;
    static const struct socks_step steps[] = {{4, 2, "\x05\x02"}, {0, 0, NULL}};
    struct peer proxy = {.port = 0};
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    char address[400];
    start_peer(&proxy, serve_socks, steps);
    snprintf(address, sizeof address, "socks5h://u:%0256d@127.0.0.1:%u", 0, (unsigned)proxy.port);
    options.proxy = address;
    expect_error("ws://1.2.3.4/", &options, FASTWS_ERR_PROXY_CREDENTIALS, FASTWS_DIAL_PROXY);
    snprintf(address, sizeof address, "socks5h://%0256d:p@127.0.0.1:%u", 0, (unsigned)proxy.port);
    expect_error("ws://1.2.3.4/", &options, FASTWS_ERR_PROXY_CREDENTIALS, FASTWS_DIAL_PROXY);
    stop_peer(&proxy);
}

/* ---- The choice ---- */

static struct fws_proxy choose(const char *option, const char *address, int expected) {
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    struct fws_dialing dialing = {.options = &options, .report = &report};
    struct fastws_url url;
    struct fws_proxy proxy;
    options.proxy = option;
    assert_int_equal(fastws_url_parse(&url, address, strlen(address)), 0);
    assert_int_equal(fws_proxy_choose(&dialing, &url, &proxy), expected);
    return proxy;
}

static void reads_addresses_of_proxies(void **state) {
    (void)state;
    static const struct {
        const char *address;
        enum fws_proxy_kind kind;
        uint16_t port;
    } cases[] = {
        {"http://p", FWS_PROXY_HTTP, 80},         {"p", FWS_PROXY_HTTP, 80},          {"p:3128", FWS_PROXY_HTTP, 3128},
        {"HTTPS://u:p@p/", FWS_PROXY_HTTPS, 443}, {"socks5://p", FWS_PROXY_SOCKS5, 1080},
        {"socks5h://p:9", FWS_PROXY_SOCKS5H, 9},  {"[::1]:1", FWS_PROXY_HTTP, 1},     {"", FWS_PROXY_NONE, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fws_proxy proxy = choose(cases[i].address, "ws://h", 0);
        assert_int_equal(proxy.kind, cases[i].kind);
        assert_int_equal(proxy.url.port, cases[i].port);
    }
    static const char *const bad[] = {"socks4://p", "ftp://p", "http://", "http://p/x", "p?x", "p:0", "p:x", "a b",
                                      "http://p\r\n", "127.1:80", "u@@p", "//p"};
    for (size_t i = 0; i < COUNT(bad); i++) choose(bad[i], "ws://h", FASTWS_ERR_PROXY_URL);
}

static void clear_environment(void) {
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",   "NO_PROXY"};
    for (size_t i = 0; i < COUNT(names); i++) unsetenv(names[i]);
}

static void expect_choice(const char *address, const char *host) {
    struct fws_proxy proxy = choose(NULL, address, 0);
    assert_int_equal(proxy.kind == FWS_PROXY_NONE, host == NULL);
    if (host == NULL) return;
    assert_int_equal(proxy.url.host.len, strlen(host));
    assert_memory_equal(proxy.url.host.ptr, host, strlen(host));
}

static void asks_the_environment(void **state) {
    (void)state;
    clear_environment();
    expect_choice("ws://h", NULL);
    setenv("ALL_PROXY", "socks5://all-upper", 1);
    expect_choice("ws://h", "all-upper");
    setenv("all_proxy", "socks5://all", 1);
    expect_choice("ws://h", "all");
    expect_choice("wss://h", "all");
    setenv("HTTP_PROXY", "http://cgi", 1); /* a header "Proxy" of a request, where we run as CGI */
    expect_choice("ws://h", "all");
    setenv("http_proxy", "http://plain", 1);
    expect_choice("ws://h", "plain");
    expect_choice("wss://h", "all");
    setenv("HTTPS_PROXY", "secure-upper", 1);
    expect_choice("wss://h", "secure-upper");
    setenv("https_proxy", "secure", 1);
    expect_choice("wss://h", "secure");
    expect_choice("wss+unix:/x", NULL);
    setenv("NO_PROXY", "h", 1);
    expect_choice("wss://h", NULL);
    setenv("no_proxy", "other", 1);
    expect_choice("wss://h", "secure");
    expect_choice("ws://OTHER", NULL);
    setenv("http_proxy", "", 1);
    expect_choice("ws://h", "all");
    setenv("http_proxy", "gopher://h", 1);
    choose(NULL, "ws://h", FASTWS_ERR_PROXY_URL);
    clear_environment();
}

static void knows_hosts_without_a_proxy(void **state) {
    (void)state;
    static const struct {
        const char *list, *address;
        int is_excepted;
    } cases[] = {
        {"", "ws://h", 0},
        {" , ,", "ws://h", 0},
        {"*", "ws://h", 1},
        {"a,*", "ws://[::1]", 1},
        {"example.com", "ws://example.com", 1},
        {"EXAMPLE.com", "ws://www.Example.COM", 1},
        {".example.com", "ws://www.example.com", 1},
        {".example.com", "ws://example.com", 1},
        {"*.example.com", "ws://a.b.example.com", 1},
        {"example.com.", "ws://example.com", 1},
        {"example.com", "ws://example.com.", 1},
        {"example.com", "ws://badexample.com", 0},
        {"example.com", "ws://example.com.net", 0},
        {"example.com", "ws://example", 0},
        {"a b,c\tc.d", "ws://c.d", 1},
        {"a b,c", "ws://b", 1},
        {"h:8080", "ws://h:8080", 1},
        {"h:8080", "ws://h", 0},
        {"h:", "ws://h", 0},
        {"h:x", "ws://h", 0},
        {"127.0.0.1", "ws://127.0.0.1", 1},
        {"127.0.0.1:80", "ws://127.0.0.1", 1},
        {"127.0.0.1:81", "ws://127.0.0.1", 0},
        {"127.0.0.1", "ws://127.0.0.2", 0},
        {"0.0.1", "ws://127.0.0.1", 0}, /* no name is above an address */
        {"10.0.0.0/8", "ws://10.1.2.3", 1},
        {"10.0.0.0/8", "ws://11.1.2.3", 0},
        {"10.128.0.0/9", "ws://10.127.0.0", 0},
        {"10.128.0.0/9", "ws://10.255.0.0", 1},
        {"0.0.0.0/0", "ws://1.2.3.4", 1},
        {"0.0.0.0/0", "ws://[::1]", 0},
        {"0.0.0.0/0", "ws://h", 0},
        {"1.2.3.4/32", "ws://1.2.3.4", 1},
        {"1.2.3.4/33", "ws://1.2.3.4", 0},
        {"1.2.3.4/", "ws://1.2.3.4", 0},
        {"x/8", "ws://1.2.3.4", 0},
        {"::1", "ws://[0::1]", 1},
        {"[::1]", "ws://[::1]", 1},
        {"[::1]:80", "ws://[::1]", 1},
        {"[::1]:81", "ws://[::1]", 0},
        {"fd00::/8", "ws://[fdab::1]", 1},
        {"fd00::/8", "ws://[fe80::1]", 0},
        {"::/0", "ws://[1::]", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fastws_url url;
        assert_int_equal(fastws_url_parse(&url, cases[i].address, strlen(cases[i].address)), 0);
        if (fws_proxy_is_excepted(cases[i].list, &url) != cases[i].is_excepted)
            fail_msg("%s in \"%s\"", cases[i].address, cases[i].list);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_through_http),
        cmocka_unit_test(skips_interim_answers_of_a_proxy),
        cmocka_unit_test(names_what_a_proxy_answers),
        cmocka_unit_test(the_deadline_covers_the_proxy),
        cmocka_unit_test(connects_through_socks),
        cmocka_unit_test(names_what_a_socks_proxy_answers),
        cmocka_unit_test(a_password_that_socks_cannot_carry_is_refused),
        cmocka_unit_test(reads_addresses_of_proxies),
        cmocka_unit_test(asks_the_environment),
        cmocka_unit_test(knows_hosts_without_a_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
