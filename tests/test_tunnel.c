/* SPDX-License-Identifier: MIT */
/* Tunnels through HTTP/2 (RFC 8441): connections that are open from their first byte, without an opening handshake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fastws/error.h>
#include <fastws/options.h>
#include <fastws/upgrade.h>

#include "scripted_io.h"

#define SLICE(literal) ((struct fastws_slice){literal, sizeof(literal) - 1})

static const uint8_t from_client[] = {0x81, 0x82, 0x01, 0x02, 0x03, 0x04, 'i', 'k'}; /* masked text "hi" */
static const uint8_t from_server[] = {0x81, 0x02, 'h', 'i'};

static struct fastws_conn_config config_of(enum fastws_role role) {
    struct fastws_conn_config config;
    fastws_conn_config_init(&config, role);
    return config;
}

/* The first bytes of the tunnel, which may have come with the CONNECT (RFC 8441 section 5), wherever they are cut. */
static void a_stream_starts_open_as_server_and_as_client(void **state) {
    (void)state;
    static const struct {
        enum fastws_role role;
        const uint8_t *in;
        size_t in_len;
    } cases[] = {{FASTWS_ROLE_SERVER, from_client, sizeof from_client},
                 {FASTWS_ROLE_CLIENT, from_server, sizeof from_server}};
    for (size_t i = 0; i < 2; i++) {
        struct fastws_conn_config config = config_of(cases[i].role);
        for (size_t cut = 0; cut <= cases[i].in_len; cut++) {
            uint8_t out[64];
            struct script script = {.in = cases[i].in + cut, .in_len = cases[i].in_len - cut, .slice = 1};
            script.out = out;
            script.out_cap = sizeof out;
            struct fastws_io io = script_io(&script);
            struct fastws_stream *stream;
            struct fastws_event event;
            assert_int_equal(fastws_stream_open(&io, &config, cases[i].in, cut, &stream), 0);
            assert_int_equal(script.writes, 0); /* no key, no answer: the server of HTTP/2 has said 200 */
            assert_int_equal(fastws_stream_read_data(stream, &event), 0);
            assert_int_equal(event.len, 2);
            assert_memory_equal(event.ptr, "hi", 2);
            assert_int_equal(fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, "hi", 2), 0);
            assert_int_equal(out[0], 0x81); /* a frame, and nothing before it */
            assert_int_equal(out[1], cases[i].role == FASTWS_ROLE_CLIENT ? 0x82 : 0x02); /* RFC 8441 5 */
            assert_int_equal(script.out_len, cases[i].role == FASTWS_ROLE_CLIENT ? 8 : 4);
            fastws_stream_free(stream);
        }
    }
}

static void a_connection_without_io_starts_open(void **state) {
    (void)state;
    struct fastws_conn_config config = config_of(FASTWS_ROLE_SERVER);
    struct fastws_conn *conn;
    struct fastws_pool *pool;
    assert_int_equal(fastws_pool_new(NULL, &pool), 0);
    assert_int_equal(fastws_conn_new(&config, pool, &conn), 0);
    assert_int_equal(fastws_conn_get_state(conn), FASTWS_CONN_OPEN);
    assert_int_equal(fastws_conn_pending_len(conn), 0);
    struct fastws_event event;
    uint8_t frame[sizeof from_client];
    memcpy(frame, from_client, sizeof frame);
    assert_int_equal(fastws_conn_feed(conn, frame, sizeof frame), 0);
    assert_int_equal(fastws_conn_next(conn, &event, 1), 1);
    assert_int_equal(event.opcode, FASTWS_OPCODE_TEXT);
    assert_memory_equal(event.ptr, "hi", 2);
    fastws_conn_free(conn);
    fastws_pool_free(pool);
}

/* What the server of HTTP/2 needs to answer the CONNECT: the two lists have the syntax that they always had. */
static void the_lists_of_a_connect_are_taken_apart(void **state) {
    (void)state;
    struct fastws_slice protocols = SLICE("chat, superchat"), extensions = SLICE("a, permessage-deflate; b=15"), token;
    assert_int_equal(fastws_http_next_token(&token, &protocols), 1);
    assert_memory_equal(token.ptr, "chat", 4);
    assert_int_equal(fastws_http_next_token(&token, &protocols), 1);
    assert_memory_equal(token.ptr, "superchat", 9);
    assert_int_equal(fastws_http_next_token(&token, &protocols), 0);
    struct fastws_option option;
    assert_int_equal(fastws_option_next(&option, &extensions), 1);
    assert_int_equal(fastws_option_next(&option, &extensions), 1);
    assert_memory_equal(option.name.ptr, "permessage-deflate", 18);
    assert_int_equal(fastws_option_next(&option, &extensions), 0);
}

/* A CONNECT is none of the upgrader's requests, in HTTP/1.1 either. */
static void the_upgrader_refuses_a_connect(void **state) {
    (void)state;
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(NULL, NULL, &upgrade), 0);
    int result = fastws_upgrade_parsed(upgrade, SLICE("CONNECT"), SLICE("/chat"), NULL, 0);
    assert_int_equal(result, FASTWS_ERR_HTTP_METHOD);
    fastws_upgrade_free(upgrade);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_starts_open_as_server_and_as_client),
        cmocka_unit_test(a_connection_without_io_starts_open),
        cmocka_unit_test(the_lists_of_a_connect_are_taken_apart),
        cmocka_unit_test(the_upgrader_refuses_a_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
