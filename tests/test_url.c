/* SPDX-License-Identifier: MIT */
/* Addresses: their parts, what is refused and why, decoding, and where redirects lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/error.h>
#include <fastws/url.h>

#include "../src/url.h"
#include "kernels/guard.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Text that ends where nothing may be read. */
struct guarded {
    char *ptr;
    size_t len;
};

static struct guarded guard(const char *text, size_t len) {
    struct guarded copy = {(char *)guard_alloc_end(len), len};
    memcpy(copy.ptr, text, len);
    return copy;
}

static void guarded_free(struct guarded copy) { guard_free((uint8_t *)copy.ptr, copy.len); }

static void expect_slice(struct fastws_slice slice, const char *expected) {
    assert_int_equal(slice.len, strlen(expected));
    if (slice.len > 0) assert_memory_equal(slice.ptr, expected, slice.len);
}

/* ---- Parts ---- */

static void takes_addresses_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int is_secure, kind, port;
        const char *host, *target;
    } cases[] = {
        {"ws://example.com", 0, FASTWS_HOST_NAME, 80, "example.com", ""},
        {"wss://example.com", 1, FASTWS_HOST_NAME, 443, "example.com", ""},
        {"WSS://Example.COM/", 1, FASTWS_HOST_NAME, 443, "Example.COM", "/"},
        {"Ws://h:8080/chat", 0, FASTWS_HOST_NAME, 8080, "h", "/chat"},
        {"ws://h:/chat", 0, FASTWS_HOST_NAME, 80, "h", "/chat"}, /* empty port: RFC 3986 3.2.3 */
        {"wss://h:/", 1, FASTWS_HOST_NAME, 443, "h", "/"},
        {"ws://h:00080/", 0, FASTWS_HOST_NAME, 80, "h", "/"},
        {"ws://h:65535", 0, FASTWS_HOST_NAME, 65535, "h", ""},
        {"ws://h?room=1", 0, FASTWS_HOST_NAME, 80, "h", "?room=1"},
        {"ws://h/?a=/b?c", 0, FASTWS_HOST_NAME, 80, "h", "/?a=/b?c"},
        {"ws://h/a%20b|[]{}", 0, FASTWS_HOST_NAME, 80, "h", "/a%20b|[]{}"},
        {"ws://h/a@b:c", 0, FASTWS_HOST_NAME, 80, "h", "/a@b:c"},
        {"ws://h.", 0, FASTWS_HOST_NAME, 80, "h.", ""},
        {"ws://my_service-1.local", 0, FASTWS_HOST_NAME, 80, "my_service-1.local", ""},
        {"ws://1.2.3.example", 0, FASTWS_HOST_NAME, 80, "1.2.3.example", ""},
        {"ws://4chan", 0, FASTWS_HOST_NAME, 80, "4chan", ""},
        {"ws://127.0.0.1", 0, FASTWS_HOST_IPV4, 80, "127.0.0.1", ""},
        {"ws://255.255.255.255:1", 0, FASTWS_HOST_IPV4, 1, "255.255.255.255", ""},
        {"ws://[::1]", 0, FASTWS_HOST_IPV6, 80, "::1", ""},
        {"wss://[2001:DB8::1]:8443/x", 1, FASTWS_HOST_IPV6, 8443, "2001:DB8::1", "/x"},
        {"ws://[::ffff:127.0.0.1]:/", 0, FASTWS_HOST_IPV6, 80, "::ffff:127.0.0.1", "/"},
        {"ws://u:p@[::1]:9", 0, FASTWS_HOST_IPV6, 9, "::1", ""},
        {"ws+unix:/run/x.sock", 0, FASTWS_HOST_UNIX, 0, "/run/x.sock", ""},
        {"ws+unix:///run/x.sock:/chat?a=1", 0, FASTWS_HOST_UNIX, 0, "/run/x.sock", "/chat?a=1"},
        {"WS+UNIX:/run/x.sock:?a=1", 0, FASTWS_HOST_UNIX, 0, "/run/x.sock", "?a=1"},
        {"ws+unix:/run/x.sock:", 0, FASTWS_HOST_UNIX, 0, "/run/x.sock", ""},
        {"ws+unix:/run/x.sock?a=1", 0, FASTWS_HOST_UNIX, 0, "/run/x.sock", "?a=1"},
        {"wss+unix:/run/a%3Ab:/#x", 1, FASTWS_HOST_UNIX, 0, "/run/a%3Ab", "/"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct guarded text = guard(cases[i].text, strlen(cases[i].text));
        struct fastws_url url;
        assert_int_equal(fastws_url_parse(&url, text.ptr, text.len), 0);
        assert_int_equal(url.is_secure, cases[i].is_secure);
        assert_int_equal(url.host_kind, cases[i].kind);
        assert_int_equal(url.port, cases[i].port);
        expect_slice(url.host, cases[i].host);
        expect_slice(url.target, cases[i].target);
        guarded_free(text);
    }
}

static void leaves_the_fragment_out(void **state) {
    (void)state;
    static const struct {
        const char *text, *target;
    } cases[] = {
        {"ws://h/p?q=1#frag", "/p?q=1"}, {"ws://h#frag", ""}, {"ws://h/#", "/"}, {"ws://h?q#/x?y", "?q"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fastws_url url;
        assert_int_equal(fastws_url_parse(&url, cases[i].text, strlen(cases[i].text)), 0);
        expect_slice(url.target, cases[i].target);
    }
}

static void finds_user_and_password(void **state) {
    (void)state;
    static const struct {
        const char *text, *user, *password;
    } cases[] = {
        {"ws://user@h", "user", ""},       {"ws://user:pass@h/", "user", "pass"}, {"ws://user:@h", "user", ""},
        {"ws://:pass@h", "", "pass"},      {"ws://@h", "", ""},                   {"ws://a:b:c@h", "a", "b:c"},
        {"ws://a%40b:%3a!$&@h", "a%40b", "%3a!$&"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fastws_url url;
        assert_int_equal(fastws_url_parse(&url, cases[i].text, strlen(cases[i].text)), 0);
        assert_int_equal(url.has_userinfo, 1);
        expect_slice(url.user, cases[i].user);
        expect_slice(url.password, cases[i].password);
        expect_slice(url.host, "h");
    }
    struct fastws_url url;
    assert_int_equal(fastws_url_parse(&url, "ws://h/a@b", 10), 0);
    assert_int_equal(url.has_userinfo, 0);
}

/* ---- Refusals ---- */

static void names_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int error;
    } cases[] = {
        {"", FASTWS_ERR_URL_SCHEME},
        {"example.com", FASTWS_ERR_URL_SCHEME},
        {"http://h", FASTWS_ERR_URL_SCHEME},
        {"ws:", FASTWS_ERR_URL_SCHEME},
        {"ws:/h", FASTWS_ERR_URL_SCHEME},
        {"ws:h", FASTWS_ERR_URL_SCHEME},
        {" ws://h", FASTWS_ERR_URL_SCHEME},
        {"wsss://h", FASTWS_ERR_URL_SCHEME},
        {"//h", FASTWS_ERR_URL_SCHEME},
        {"ws://", FASTWS_ERR_URL_HOST},
        {"ws:///path", FASTWS_ERR_URL_HOST},
        {"ws://:80", FASTWS_ERR_URL_HOST},
        {"ws://user@", FASTWS_ERR_URL_HOST},
        {"ws://h ", FASTWS_ERR_URL_HOST},
        {"ws://h\r\nX: y", FASTWS_ERR_URL_HOST},
        {"ws://a@b@c", FASTWS_ERR_URL_HOST},
        {"ws://good\\@evil", FASTWS_ERR_URL_USERINFO},
        {"ws://evil\\good", FASTWS_ERR_URL_HOST},
        {"ws://a..b", FASTWS_ERR_URL_HOST},
        {"ws://.a", FASTWS_ERR_URL_HOST},
        {"ws://.", FASTWS_ERR_URL_HOST},
        {"ws://h..", FASTWS_ERR_URL_HOST},
        {"ws://a%2eb", FASTWS_ERR_URL_HOST},
        {"ws://b\xc3\xbc" "cher.de", FASTWS_ERR_URL_HOST},
        {"ws://a,b", FASTWS_ERR_URL_HOST},
        /* Numbers that resolvers take for addresses. */
        {"ws://127.1", FASTWS_ERR_URL_HOST},
        {"ws://2130706433", FASTWS_ERR_URL_HOST},
        {"ws://0x7f000001", FASTWS_ERR_URL_HOST},
        {"ws://0x", FASTWS_ERR_URL_HOST},
        {"ws://0177.0.0.1", FASTWS_ERR_URL_HOST},
        {"ws://127.0.0.1.", FASTWS_ERR_URL_HOST},
        {"ws://256.0.0.1", FASTWS_ERR_URL_HOST},
        {"ws://1.2.3.4.5", FASTWS_ERR_URL_HOST},
        {"ws://1.2.3", FASTWS_ERR_URL_HOST},
        {"ws://a.1", FASTWS_ERR_URL_HOST},
        /* IPv6. */
        {"ws://::1", FASTWS_ERR_URL_HOST},
        {"ws://[::1", FASTWS_ERR_URL_HOST},
        {"ws://[]", FASTWS_ERR_URL_HOST},
        {"ws://[:]", FASTWS_ERR_URL_HOST},
        {"ws://[:::]", FASTWS_ERR_URL_HOST},
        {"ws://[1::2::3]", FASTWS_ERR_URL_HOST},
        {"ws://[1:2:3:4:5:6:7]", FASTWS_ERR_URL_HOST},
        {"ws://[1:2:3:4:5:6:7:8:9]", FASTWS_ERR_URL_HOST},
        {"ws://[1:2:3:4:5:6:7:8::]", FASTWS_ERR_URL_HOST},
        {"ws://[12345::]", FASTWS_ERR_URL_HOST},
        {"ws://[::1:]", FASTWS_ERR_URL_HOST},
        {"ws://[g::]", FASTWS_ERR_URL_HOST},
        {"ws://[::1.2.3]", FASTWS_ERR_URL_HOST},
        {"ws://[::1.2.3.4:5]", FASTWS_ERR_URL_HOST},
        {"ws://[1:2:3:4:5:6:7:1.2.3.4]", FASTWS_ERR_URL_HOST},
        {"ws://[fe80::1%25eth0]", FASTWS_ERR_URL_HOST},
        {"ws://[127.0.0.1]", FASTWS_ERR_URL_HOST},
        {"ws://[v1.x]", FASTWS_ERR_URL_HOST},
        {"ws://[::1]x", FASTWS_ERR_URL_HOST},
        {"ws://[::1]80", FASTWS_ERR_URL_HOST},
        {"ws://h:0", FASTWS_ERR_URL_PORT},
        {"ws://h:65536", FASTWS_ERR_URL_PORT},
        {"ws://h:99999999999999999999", FASTWS_ERR_URL_PORT},
        {"ws://h:8o", FASTWS_ERR_URL_PORT},
        {"ws://h:-1", FASTWS_ERR_URL_PORT},
        {"ws://h:80:90", FASTWS_ERR_URL_PORT},
        {"ws://a b@h", FASTWS_ERR_URL_USERINFO},
        {"ws://a%4@h", FASTWS_ERR_URL_USERINFO},
        {"ws://a%4g@h", FASTWS_ERR_URL_USERINFO},
        {"ws://%@h", FASTWS_ERR_URL_USERINFO},
        {"ws://a\xff@h", FASTWS_ERR_URL_USERINFO},
        {"ws://[::1]:2@h", FASTWS_ERR_URL_USERINFO},
        {"ws://h/a b", FASTWS_ERR_URL_TARGET},
        {"ws://h/a\tb", FASTWS_ERR_URL_TARGET},
        {"ws://h/\r\nX: y", FASTWS_ERR_URL_TARGET},
        {"ws://h/\xc3\xa9", FASTWS_ERR_URL_TARGET},
        {"ws://h?\x7f", FASTWS_ERR_URL_TARGET},
        {"ws://h#a#b", FASTWS_ERR_URL_TARGET},
        {"ws://h#a b", FASTWS_ERR_URL_TARGET},
        {"ws+unix:", FASTWS_ERR_URL_HOST},
        {"ws+unix:/", FASTWS_ERR_URL_HOST},
        {"ws+unix:run/x", FASTWS_ERR_URL_HOST},
        {"ws+unix://run/x", FASTWS_ERR_URL_HOST},
        {"ws+unix:/run/%00", FASTWS_ERR_URL_HOST},
        {"ws+unix:/run/%4", FASTWS_ERR_URL_HOST},
        {"ws+unix:/run/a b", FASTWS_ERR_URL_HOST},
        {"ws+unix:/run/x:chat", FASTWS_ERR_URL_TARGET},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct guarded text = guard(cases[i].text, strlen(cases[i].text));
        struct fastws_url url = {.port = 4242};
        int result = fastws_url_parse(&url, text.ptr, text.len);
        if (result != cases[i].error) fail_msg("%s: %s", cases[i].text, fastws_error_name(result));
        assert_int_equal(url.port, 4242);
        guarded_free(text);
    }
    struct fastws_url url;
    assert_int_equal(fastws_url_parse(&url, NULL, 0), FASTWS_ERR_URL_SCHEME);
}

static void a_nul_is_a_byte_like_others(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        int error;
    } cases[] = {{"ws://h\0.evil", 12, FASTWS_ERR_URL_HOST},
                 {"ws://u\0@h", 9, FASTWS_ERR_URL_USERINFO},
                 {"ws://h:8\0", 9, FASTWS_ERR_URL_PORT},
                 {"ws://h/\0", 8, FASTWS_ERR_URL_TARGET},
                 {"ws+unix:/x\0", 11, FASTWS_ERR_URL_HOST}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fastws_url url;
        assert_int_equal(fastws_url_parse(&url, cases[i].text, cases[i].len), cases[i].error);
    }
}

static void names_keep_the_limits_of_the_domain_name_system(void **state) {
    (void)state;
    char text[300] = "ws://";
    struct fastws_url url;
    memset(text + 5, 'a', 64);
    assert_int_equal(fastws_url_parse(&url, text, 5 + 63), 0);
    assert_int_equal(fastws_url_parse(&url, text, 5 + 64), FASTWS_ERR_URL_HOST);
    for (size_t i = 0; i < 254; i++) text[5 + i] = i % 2 ? '.' : 'a';
    assert_int_equal(fastws_url_parse(&url, text, 5 + 253), 0);
    text[5 + 253] = '.';
    assert_int_equal(fastws_url_parse(&url, text, 5 + 254), 0);
    text[5 + 254] = 'a';
    assert_int_equal(fastws_url_parse(&url, text, 5 + 255), FASTWS_ERR_URL_HOST);
}

/* ---- Decoding ---- */

static void decodes_percent_encodings(void **state) {
    (void)state;
    char dst[16];
    assert_int_equal(fastws_url_decode(dst, sizeof dst, (struct fastws_slice){"a%20%41%fF+", 11}), 5);
    assert_memory_equal(dst, "a A\xff+", 5);
    assert_int_equal(fastws_url_decode(dst, 4, (struct fastws_slice){"a%20%41%fF+", 11}), FASTWS_ERR_BUFFER_SIZE);
    assert_int_equal(fastws_url_decode(NULL, 0, (struct fastws_slice){NULL, 0}), 0);
    const char *const bad[] = {"%", "%4", "%4g", "%g4", "a%", "%%41"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(fastws_url_decode(dst, sizeof dst, (struct fastws_slice){bad[i], strlen(bad[i])}),
                         FASTWS_ERR_ARGUMENT);
}

/* RFC 7617: a colon ends the user's name, and no control byte stands in either. */
static void refuses_credentials_that_cannot_be_sent(void **state) {
    (void)state;
    const char *const bad[] = {"ws://a%3ab:c@h", "ws://a%0d:c@h", "ws://a:%00@h", "ws://a:b%7f@h"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct fastws_url url;
        char dst[64];
        size_t user_len;
        assert_int_equal(fastws_url_parse(&url, bad[i], strlen(bad[i])), 0);
        assert_int_equal(fws_url_credentials(dst, sizeof dst, &url, &user_len), FASTWS_ERR_URL_USERINFO);
    }
}

/* ---- Redirects ---- */

static void expect_resolved(const char *base_text, const char *reference, const char *expected, int error) {
    struct fastws_url base, out;
    assert_int_equal(fastws_url_parse(&base, base_text, strlen(base_text)), 0);
    struct fastws_slice slice = {reference, strlen(reference)};
    size_t cap = FASTWS_URL_RESOLVE_LEN(&base, slice);
    char *dst = (char *)guard_alloc_end(cap);
    ptrdiff_t len = fastws_url_resolve(dst, cap, &out, &base, slice);
    if (expected == NULL) {
        assert_int_equal(len, error);
    } else {
        if (len != (ptrdiff_t)strlen(expected) || memcmp(dst, expected, (size_t)len) != 0)
            fail_msg("%s: %.*s instead of %s", reference, (int)(len > 0 ? len : 0), dst, expected);
        /* One byte less is one too few. */
        assert_int_equal(fastws_url_resolve(dst, (size_t)len - 1, &out, &base, slice), FASTWS_ERR_BUFFER_SIZE);
    }
    guard_free((uint8_t *)dst, cap);
}

/* The examples of RFC 3986 5.4 that keep to the scheme. */
static void resolves_references(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"g", "ws://a/b/c/g"},           {"./g", "ws://a/b/c/g"},       {"g/", "ws://a/b/c/g/"},
        {"/g", "ws://a/g"},              {"//g", "ws://g"},             {"?y", "ws://a/b/c/d;p?y"},
        {"g?y", "ws://a/b/c/g?y"},       {"#s", "ws://a/b/c/d;p?q"},    {"g#s", "ws://a/b/c/g"},
        {"g?y#s", "ws://a/b/c/g?y"},     {";x", "ws://a/b/c/;x"},       {"g;x", "ws://a/b/c/g;x"},
        {"", "ws://a/b/c/d;p?q"},        {".", "ws://a/b/c/"},          {"./", "ws://a/b/c/"},
        {"..", "ws://a/b/"},             {"../", "ws://a/b/"},          {"../g", "ws://a/b/g"},
        {"../..", "ws://a/"},            {"../../", "ws://a/"},         {"../../g", "ws://a/g"},
        {"../../../g", "ws://a/g"},      {"../../../../g", "ws://a/g"}, {"/./g", "ws://a/g"},
        {"/../g", "ws://a/g"},           {"g.", "ws://a/b/c/g."},       {".g", "ws://a/b/c/.g"},
        {"g..", "ws://a/b/c/g.."},       {"..g", "ws://a/b/c/..g"},     {"./../g", "ws://a/b/g"},
        {"./g/.", "ws://a/b/c/g/"},      {"g/./h", "ws://a/b/c/g/h"},   {"g/../h", "ws://a/b/c/h"},
        {"g;x=1/./y", "ws://a/b/c/g;x=1/y"}, {"g?y/../x", "ws://a/b/c/g?y/../x"}, {"g//h", "ws://a/b/c/g//h"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) expect_resolved("ws://a/b/c/d;p?q", cases[i][0], cases[i][1], 0);
}

static void resolves_addresses_with_a_server(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"ws://a:81/x", "/y", "ws://a:81/y"},
        {"ws://a", "y", "ws://a/y"},
        {"ws://a", "?y", "ws://a?y"},
        {"wss://a/x", "//b:1/y", "wss://b:1/y"},
        {"ws://a/x", "http://b/y", "ws://b/y"},
        {"ws://a/x", "HTTPS://b:443/y?z#f", "wss://b/y?z"},
        {"wss://a/x", "wss://[::1]:80/../y", "wss://[::1]:80/y"},
        {"wss://[::1]:8443/x", "y", "wss://[::1]:8443/y"},
        {"ws://a/x", "ws://b:80", "ws://b"},
        {"ws://a/x?u=http://c", "y:z", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_resolved(cases[i][0], cases[i][1], cases[i][2], FASTWS_ERR_URL_SCHEME);
}

/* A server must not put credentials into our mouth, nor see those that were for another. */
static void a_reference_brings_and_keeps_no_credentials(void **state) {
    (void)state;
    expect_resolved("ws://u:p@a/x", "/y", "ws://a/y", 0);
    expect_resolved("ws://a/x", "ws://u:p@b/y", "ws://b/y", 0);
}

static void refuses_references_that_lead_elsewhere(void **state) {
    (void)state;
    static const struct {
        const char *reference;
        int error;
    } cases[] = {
        {"ftp://b/", FASTWS_ERR_URL_SCHEME},     {"ws+unix:/run/x", FASTWS_ERR_URL_SCHEME},
        {"javascript:x", FASTWS_ERR_URL_SCHEME}, {"http:/x", FASTWS_ERR_URL_SCHEME},
        {"http://", FASTWS_ERR_URL_HOST},        {"//b:0", FASTWS_ERR_URL_PORT},
        {"/a b", FASTWS_ERR_URL_TARGET},         {"\xc3\xa9", FASTWS_ERR_URL_TARGET},
        {"http://127.1/", FASTWS_ERR_URL_HOST},
    };
    for (size_t i = 0; i < COUNT(cases); i++) expect_resolved("ws://a/x", cases[i].reference, NULL, cases[i].error);
    expect_resolved("ws+unix:/run/x:/y", "/z", NULL, FASTWS_ERR_URL_HOST);
}

static void knows_the_same_server_again(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        int is_same;
    } cases[] = {
        {"ws://h/x", "ws://H:80/y", 1},    {"wss://u@h", "wss://h:443", 1},      {"ws://h", "wss://h:80", 0},
        {"ws://h", "ws://h:81", 0},        {"ws://h", "ws://h2", 0},             {"ws://h1", "ws://h2", 0},
        {"ws://[::A]", "ws://[::a]", 1},   {"ws+unix:/A:/x", "ws+unix:/A", 1},   {"ws+unix:/A", "ws+unix:/a", 0},
        {"ws://a-b", "ws://a_b", 0},       {"ws+unix:/A", "wss+unix:/A", 0},     {"ws://h", "ws://h.", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fastws_url a, b;
        assert_int_equal(fastws_url_parse(&a, cases[i].a, strlen(cases[i].a)), 0);
        assert_int_equal(fastws_url_parse(&b, cases[i].b, strlen(cases[i].b)), 0);
        assert_int_equal(fastws_url_same_origin(&a, &b), cases[i].is_same);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_addresses_apart),
        cmocka_unit_test(leaves_the_fragment_out),
        cmocka_unit_test(finds_user_and_password),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(a_nul_is_a_byte_like_others),
        cmocka_unit_test(names_keep_the_limits_of_the_domain_name_system),
        cmocka_unit_test(decodes_percent_encodings),
        cmocka_unit_test(refuses_credentials_that_cannot_be_sent),
        cmocka_unit_test(resolves_references),
        cmocka_unit_test(resolves_addresses_with_a_server),
        cmocka_unit_test(a_reference_brings_and_keeps_no_credentials),
        cmocka_unit_test(refuses_references_that_lead_elsewhere),
        cmocka_unit_test(knows_the_same_server_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
