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
#include <fastws/error.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_that_it_cannot_compress),
        cmocka_unit_test(declines_offers_and_makes_none),
        cmocka_unit_test(makes_no_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
