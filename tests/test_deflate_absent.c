/* SPDX-License-Identifier: MIT */
/* A build without zlib: permessage-deflate is there, declines every offer and makes none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fastws/deflate.h>
#include <fastws/dial.h>
#include <fastws/error.h>
#include <fastws/upgrade.h>

static void says_that_it_cannot_compress(void **state) {
    (void)state;
    assert_int_equal(fastws_deflate_is_available(), 0);
}

static void declines_offers_and_makes_none(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct fastws_deflate_params params;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    struct fastws_slice offer = {FASTWS_DEFLATE_NAME, strlen(FASTWS_DEFLATE_NAME)};
    assert_int_equal(fastws_deflate_accept(&params, &config, offer), 0);
    assert_int_equal(fastws_deflate_offer(&params, &config), FASTWS_ERR_DEFLATE_UNAVAILABLE);
    struct fastws_slice bad = {";", 1};
    assert_int_equal(fastws_deflate_accept(&params, &config, bad), FASTWS_ERR_HANDSHAKE_EXTENSIONS);
}

static void makes_no_objects(void **state) {
    (void)state;
    struct fastws_deflate_config config;
    struct fastws_deflate_params agreed = {0};
    struct fastws_deflate_pool *pool;
    struct fastws_deflate *deflate;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAIL);
    assert_int_equal(fastws_deflate_pool_new(NULL, 4, &pool), 0);
    assert_int_equal(fastws_deflate_new(&config, FASTWS_STATE_SERVER, &agreed, pool, &deflate),
                     FASTWS_ERR_DEFLATE_UNAVAILABLE);
    void *memory = malloc(fastws_deflate_sizeof());
    assert_non_null(memory);
    assert_int_equal(fastws_deflate_init(memory, &config, FASTWS_STATE_CLIENT, &agreed, pool),
                     FASTWS_ERR_DEFLATE_UNAVAILABLE);
    free(memory);
    fastws_deflate_pool_trim(pool);
    fastws_deflate_pool_free(pool);
}

/* The handshakes go on without it, though their configurations ask for it. */
static void both_handshakes_do_without(void **state) {
    (void)state;
    static const char head[] =
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    struct fastws_deflate_config deflate;
    struct fastws_deflate_params agreed;
    struct fastws_upgrade_config upgrade_config;
    struct fastws_upgrade *upgrade;
    size_t used, len;
    fastws_deflate_config_init(&deflate, FASTWS_DEFLATE_TAIL);
    fastws_upgrade_config_init(&upgrade_config);
    upgrade_config.deflate = &deflate;
    assert_int_equal(fastws_upgrade_new(&upgrade_config, NULL, &upgrade), 0);
    assert_int_equal(fastws_upgrade_feed(upgrade, head, sizeof head - 1, &used), 1);
    assert_int_equal(fastws_upgrade_deflate(upgrade, &agreed), 0);
    fastws_upgrade_free(upgrade);

    struct fastws_dial_config dial_config;
    struct fastws_url url;
    struct fastws_dialer *dial;
    const void *request;
    fastws_dial_config_init(&dial_config);
    dial_config.deflate = &deflate;
    assert_int_equal(fastws_url_parse(&url, "ws://a/", 7), 0);
    assert_int_equal(fastws_dial_new(&dial_config, &url, NULL, &dial), 0);
    fastws_dial_request(dial, &request, &len);
    for (size_t i = 0; i + 24 <= len; i++)
        assert_int_not_equal(memcmp((const char *)request + i, "Sec-WebSocket-Extensions", 24), 0);
    fastws_dial_free(dial);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_that_it_cannot_compress),
        cmocka_unit_test(declines_offers_and_makes_none),
        cmocka_unit_test(makes_no_objects),
        cmocka_unit_test(both_handshakes_do_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
