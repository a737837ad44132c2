/* SPDX-License-Identifier: MIT */
/* Pages that may connect and pages that may not (RFC 6455 10.2), and what is shown of a request for debugging. */
#include <fastws/handshake.h>

#include "upgrade_runs.h"

static struct fastws_slice slice_of(const char *text) { return (struct fastws_slice){text, strlen(text)}; }

static void tells_whether_an_origin_is_this_host(void **state) {
    (void)state;
    static const struct {
        const char *origin, *host;
        int is_host;
    } cases[] = {
        {"http://example.com", "example.com", 1},
        {"https://example.com", "example.com", 1},
        {"HTTP://Example.COM", "example.com", 1},
        {"http://example.com:80", "example.com", 1},
        {"http://example.com", "example.com:80", 1},
        {"https://example.com", "example.com:443", 1},
        {"https://example.com", "example.com:0443", 1},
        {"http://example.com:8080", "example.com:8080", 1},
        {"http://example.com:", "example.com", 1},
        {"http://[::1]:8080", "[::1]:8080", 1},
        {"http://[::1]", "[::1]", 1},
        {"http://localhost", "localhost", 1},
        {"http://example.com:8080", "example.com", 0},
        {"http://example.com", "example.com:8080", 0},
        {"https://example.com:80", "example.com", 0},
        {"http://example.com:443", "example.com:80", 0},
        {"http://example.com.evil.org", "example.com", 0},
        {"http://evil-example.com", "example.com", 0},
        {"http://example.co", "example.com", 0},
        {"http://example.com/", "example.com", 0},
        {"http://user@example.com", "example.com", 0},
        {"http://example.com, http://evil.org", "example.com", 0},
        {"ws://example.com", "example.com", 0}, /* pages are not served over it */
        {"file://", "", 0},
        {"file://example.com", "example.com", 0},
        {"null", "null", 0},
        {"example.com", "example.com", 0},
        {"://example.com", "example.com", 0},
        {"http:/example.com", "example.com", 0},
        {"http:", "example.com", 0},
        {"http://", "", 0},
        {"", "", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int is_host = fastws_origin_is_host(slice_of(cases[i].origin), slice_of(cases[i].host));
        if (is_host != cases[i].is_host) print_error("%s of %s\n", cases[i].origin, cases[i].host);
        assert_int_equal(is_host, cases[i].is_host);
    }
}

static void tells_whether_two_origins_are_the_same(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        int is_same;
    } cases[] = {
        {"http://a", "http://a", 1},       {"HTTP://A", "http://a:80", 1}, {"https://a:443", "https://a", 1},
        {"wss://a", "wss://a:443", 1},     {"x-app://a:1", "x-app://a:01", 1}, {"null", "null", 1},
        {"http://a", "https://a", 0},      {"http://a", "http://b", 0},    {"http://a:1", "http://a:2", 0},
        {"http://a", "null", 0},           {"a", "a", 0},                  {"", "", 0},
        {"http://a/", "http://a/", 0},     {"http://a", "http://a:443", 0}, {"x-app://a", "x-app://a:80", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(fastws_origin_equals(slice_of(cases[i].a), slice_of(cases[i].b)), cases[i].is_same);
        assert_int_equal(fastws_origin_equals(slice_of(cases[i].b), slice_of(cases[i].a)), cases[i].is_same);
    }
}

static void lets_pages_in_that_were_named(void **state) {
    (void)state;
    static const struct fastws_slice origins[] = {{"https://app.example.org", 23}, {"null", 4}};
    static struct recorder recorder;
    struct fastws_upgrade_config config = recording_config(&recorder);
    config.is_origin_checked = 1;
    config.origins = origins;
    config.origin_count = COUNT(origins);
    static const char *const allowed[] = {
        REQUEST, /* no browser */
        GET REQUIRED "Origin: http://example.com\r\n" END,
        GET "Origin: https://EXAMPLE.com\r\n" REQUIRED END,
        GET REQUIRED "origin: https://app.example.org:443\r\n" END,
        GET REQUIRED "Origin: null\r\n" END,
    };
    for (size_t i = 0; i < COUNT(allowed); i++) assert_int_equal(run_all_ways(&config, allowed[i])->result, 1);
    static const char *const others[] = {
        GET REQUIRED "Origin: http://evil.org\r\n" END,
        GET "Origin: http://example.com:81\r\n" REQUIRED END,
        GET REQUIRED "Origin: http://app.example.org\r\n" END,
        GET REQUIRED "Origin:\r\n" END,
        GET REQUIRED "Origin: http://example.com\r\nOrigin: http://evil.org\r\n" END,
        GET REQUIRED "Origin: http://example.com\r\nOrigin: http://example.com\r\n" END,
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        struct run *run = run_all_ways(&config, others[i]);
        assert_refused(run, FASTWS_ERR_HANDSHAKE_ORIGIN, 403);
        assert_null(strstr(run->log, "before upgrade"));
        assert_non_null(strstr(run->log, "rigin: ")); /* on_header sees it all the same */
    }
    config.is_origin_checked = 0;
    assert_int_equal(run_all_ways(&config, others[0])->result, 1);
}

/* The Host and the Origin of a head that is moved while it grows. */
static void remembers_host_and_origin_while_the_head_grows(void **state) {
    (void)state;
    static char head[8192];
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.is_origin_checked = 1;
    int len = snprintf(head, sizeof head, GET "Origin: http://example.com\r\n" REQUIRED "X: %05000d\r\n" END, 1);
    assert_int_equal(run_ways(&config, head, (size_t)len, 97)->result, 1);
}

static void refuses_to_be_made_with_origins_that_are_none(void **state) {
    (void)state;
    static const struct fastws_slice wrong[] = {{"example.com", 11}, {"http://a/", 9}, {"*", 1}, {"", 0}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct fastws_upgrade_config config;
        struct fastws_upgrade *upgrade = NULL;
        fastws_upgrade_config_init(&config);
        config.origins = &wrong[i];
        config.origin_count = 1;
        assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), FASTWS_ERR_ARGUMENT);
        assert_null(upgrade);
    }
}

/* ---- Debugging ---- */

struct shown {
    int count;
    char request[1024], response[1024];
};

static void show(void *context, struct fastws_slice request, struct fastws_slice response) {
    struct shown *shown = context;
    shown->count++;
    snprintf(shown->request, sizeof shown->request, "%.*s", (int)request.len, request.ptr);
    snprintf(shown->response, sizeof shown->response, "%.*s", (int)response.len, response.ptr);
}

static void shows_both_heads_at_the_end(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *request, *response;
    } cases[] = {
        {REQUEST "frame", REQUEST, ACCEPTED END},
        {GET "Host: a b\r\nX: y\r\n", GET "Host: a b\r\n", "HTTP/1.1 400 Bad Request"},
        {"PUT / HTTP/1.1\r\n", "PUT / HTTP/1.1\r\n", "HTTP/1.1 405 Method Not Allowed"},
        {GET "X: a\n", GET "X: a\n", "HTTP/1.1 400 Bad Request"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t piece = 1; piece < 200; piece++) {
            struct shown shown = {0};
            struct fastws_upgrade_config config;
            fastws_upgrade_config_init(&config);
            config.context = &shown;
            config.on_end = show;
            struct fastws_upgrade *upgrade;
            assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), 0);
            struct run run;
            feed_pieces(upgrade, cases[i].bytes, strlen(cases[i].bytes), piece, piece, &run);
            assert_int_equal(shown.count, 1);
            assert_string_equal(shown.request, cases[i].request);
            assert_memory_equal(shown.response, cases[i].response, strlen(cases[i].response));
            assert_string_equal(shown.response, run.response);
            fastws_upgrade_free(upgrade);
        }
    }
}

static void shows_what_came_before_a_refusal_from_outside(void **state) {
    (void)state;
    struct shown shown = {0};
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.context = &shown;
    config.on_end = show;
    struct fastws_upgrade *upgrade;
    size_t used;
    assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), 0);
    assert_int_equal(fastws_upgrade_feed(upgrade, GET "Ho", strlen(GET "Ho"), &used), FASTWS_NEED_MORE);
    assert_int_equal(fastws_upgrade_refuse(upgrade, FASTWS_ERR_HANDSHAKE_TIMEOUT), FASTWS_ERR_HANDSHAKE_TIMEOUT);
    assert_int_equal(shown.count, 1);
    assert_string_equal(shown.request, GET "Ho");
    assert_memory_equal(shown.response, "HTTP/1.1 408 ", 13);
    fastws_upgrade_reset(upgrade);
    assert_int_equal(fastws_upgrade_parsed(upgrade, SLICE("PUT"), SLICE("/"), NULL, 0), FASTWS_ERR_HTTP_METHOD);
    assert_int_equal(shown.count, 2);
    assert_string_equal(shown.request, "");
    assert_memory_equal(shown.response, "HTTP/1.1 405 ", 13);
    fastws_upgrade_free(upgrade);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_whether_an_origin_is_this_host),
        cmocka_unit_test(tells_whether_two_origins_are_the_same),
        cmocka_unit_test(lets_pages_in_that_were_named),
        cmocka_unit_test(remembers_host_and_origin_while_the_head_grows),
        cmocka_unit_test(refuses_to_be_made_with_origins_that_are_none),
        cmocka_unit_test(shows_both_heads_at_the_end),
        cmocka_unit_test(shows_what_came_before_a_refusal_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
