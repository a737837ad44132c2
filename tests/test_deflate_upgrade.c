/* SPDX-License-Identifier: MIT */
/* permessage-deflate in the server's handshake: one argument, offers over any lines, beside callbacks. RFC 7692 5. */
#include "upgrade_runs.h"

#define OFFER(list) "Sec-WebSocket-Extensions: " list "\r\n"
#define D "permessage-deflate"
#define TEXT(literal) {literal, sizeof(literal) - 1} /* where an initialiser has to be constant */
#define SNT "server_no_context_takeover"
#define CNT "client_no_context_takeover"

static struct fastws_upgrade_config config_of(struct fastws_deflate_config *deflate, enum fastws_deflate_mode mode) {
    struct fastws_upgrade_config config;
    fastws_deflate_config_init(deflate, mode);
    fastws_upgrade_config_init(&config);
    config.deflate = deflate;
    return config;
}

static void answers_the_first_offer_that_it_can_keep(void **state) {
    (void)state;
    static const struct {
        const char *head, *extensions;
    } cases[] = {
        {GET REQUIRED OFFER(D) END, D "; " CNT},
        {GET OFFER(D "; client_max_window_bits") REQUIRED END, D "; " CNT},
        {GET REQUIRED OFFER("x-unknown, " D "; " SNT) END, D "; " SNT "; " CNT},
        /* On lines of their own; the first two are declined for their parameters, not the handshake refused. */
        {GET REQUIRED OFFER(D "; x") OFFER(D "; server_max_window_bits=7")
             OFFER(D "; server_max_window_bits=\"10\"") END,
         D "; " CNT "; server_max_window_bits=10"},
        {GET REQUIRED OFFER(D "; " SNT "; " SNT ", " D "; client_max_window_bits=9, " D) END,
         D "; " CNT "; client_max_window_bits=9"},
        /* Once is enough. */
        {GET REQUIRED OFFER(D ", " D) OFFER(D "; " SNT) END, D "; " CNT},
        {GET REQUIRED OFFER("PerMessage-Deflate") END, D "; " CNT},
        {GET REQUIRED OFFER(D "; x=1") END, ""},
        {GET REQUIRED OFFER("x-webkit-deflate-frame") END, ""},
        {GET REQUIRED END, ""},
    };
    struct fastws_deflate_config deflate;
    struct fastws_upgrade_config config = config_of(&deflate, FASTWS_DEFLATE_TAIL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run *run = run_all_ways(&config, cases[i].head);
        assert_int_equal(run->result, 1);
        assert_string_equal(run->extensions, cases[i].extensions);
    }
}

/* What is not a list is refused with or without compression. */
static void refuses_lines_that_are_no_lists(void **state) {
    (void)state;
    static const char *const heads[] = {GET REQUIRED OFFER("") END, GET REQUIRED OFFER(D " x") END,
                                        GET REQUIRED OFFER(D "; client_max_window_bits=\"") END};
    struct fastws_deflate_config deflate;
    struct fastws_upgrade_config config = config_of(&deflate, FASTWS_DEFLATE_TAKEOVER);
    for (size_t i = 0; i < COUNT(heads); i++)
        assert_int_equal(run_all_ways(&config, heads[i])->result, FASTWS_ERR_HANDSHAKE_EXTENSIONS);
}

static void tells_what_was_agreed_on_until_the_next_request(void **state) {
    (void)state;
    static const char head[] = GET REQUIRED OFFER(D "; client_max_window_bits=11; server_max_window_bits=13") END;
    static const char plain[] = REQUEST;
    struct fastws_deflate_config deflate;
    struct fastws_upgrade_config config = config_of(&deflate, FASTWS_DEFLATE_TAKEOVER);
    struct fastws_deflate_params agreed = {.client_no_context_takeover = 7};
    struct fastws_upgrade *upgrade;
    size_t used;
    assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), 0);
    assert_int_equal(fastws_upgrade_deflate(upgrade, &agreed), FASTWS_ERR_STATE);
    assert_int_equal(fastws_upgrade_feed(upgrade, head, sizeof head - 1, &used), 1);
    assert_int_equal(fastws_upgrade_deflate(upgrade, &agreed), 1);
    static const struct fastws_deflate_params expected = {.server_max_window_bits = 12, .client_max_window_bits = 11};
    assert_memory_equal(&agreed, &expected, sizeof agreed);
    fastws_upgrade_reset(upgrade);
    assert_int_equal(fastws_upgrade_feed(upgrade, plain, sizeof plain - 1, &used), 1);
    assert_int_equal(fastws_upgrade_deflate(upgrade, &agreed), 0);
    assert_memory_equal(&agreed, &expected, sizeof agreed);
    fastws_upgrade_reset(upgrade);
    assert_int_equal(fastws_upgrade_refuse(upgrade, FASTWS_ERR_HANDSHAKE_TIMEOUT), FASTWS_ERR_HANDSHAKE_TIMEOUT);
    assert_int_equal(fastws_upgrade_deflate(upgrade, &agreed), FASTWS_ERR_STATE);
    fastws_upgrade_free(upgrade);
}

static int accept_all(void *context, const struct fastws_option *offered, struct fastws_option *accepted,
                      struct fastws_reject *reject) {
    (void)accepted;
    return record(context, "offer", offered->name, reject) < 0 ? -1 : 1;
}

/* RSV1 is claimed once: by this extension, of which the callback is not asked. */
static void leaves_the_others_to_the_callback(void **state) {
    (void)state;
    static struct recorder recorder;
    struct fastws_deflate_config deflate;
    struct fastws_upgrade_config config = config_of(&deflate, FASTWS_DEFLATE_TAKEOVER);
    config.context = &recorder;
    config.negotiate = accept_all;
    struct run *run =
        run_all_ways(&config, GET REQUIRED OFFER("a; x=1, " D ", b") OFFER(D "; client_max_window_bits, c") END);
    assert_string_equal(run->log, "offer a\noffer b\noffer c\n");
    assert_string_equal(run->extensions, "a; x=1, " D "; server_max_window_bits=12, b, c");
    config.deflate = NULL;
    run = run_all_ways(&config, GET REQUIRED OFFER(D ", b") END);
    assert_string_equal(run->log, "offer " D "\noffer b\n");
    assert_string_equal(run->extensions, D ", b");
}

static int accept_as_deflate(void *context, const struct fastws_option *offered, struct fastws_option *accepted,
                             struct fastws_reject *reject) {
    (void)context;
    (void)offered;
    (void)reject;
    accepted->name = SLICE(D);
    accepted->parameters = (struct fastws_slice){NULL, 0};
    return 1;
}

static void answers_500_where_the_callback_accepts_by_this_name(void **state) {
    (void)state;
    struct fastws_deflate_config deflate;
    struct fastws_upgrade_config config = config_of(&deflate, FASTWS_DEFLATE_TAKEOVER);
    static struct recorder recorder;
    config.context = &recorder;
    config.negotiate = accept_as_deflate;
    struct run *run = run_all_ways(&config, GET REQUIRED OFFER("a") END);
    assert_int_equal(run->result, FASTWS_ERR_ARGUMENT);
    assert_int_equal(status_of(run), 500);
}

static void refuses_settings_outside_their_range(void **state) {
    (void)state;
    struct fastws_deflate_config deflate;
    struct fastws_upgrade_config config = config_of(&deflate, FASTWS_DEFLATE_TAKEOVER);
    struct fastws_upgrade *upgrade;
    deflate.window_bits = 16;
    assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), FASTWS_ERR_ARGUMENT);
}

/* The longest answer fits what an object has without a block. */
static void allocates_nothing_for_the_longest_answer(void **state) {
    (void)state;
    static const char head[] =
        GET REQUIRED OFFER(D "; " SNT "; " CNT "; server_max_window_bits=10; client_max_window_bits=10") END;
    struct fastws_deflate_config deflate;
    struct fastws_upgrade_config config = config_of(&deflate, FASTWS_DEFLATE_TAKEOVER);
    struct counter counter = {0};
    struct fastws_allocator allocator = counting(&counter);
    struct fastws_upgrade *upgrade;
    size_t used;
    assert_int_equal(fastws_upgrade_new(&config, &allocator, &upgrade), 0);
    assert_int_equal(fastws_upgrade_feed(upgrade, head, sizeof head - 1, &used), 1);
    assert_int_equal(counter.allocations, 1);
    fastws_upgrade_free(upgrade);
}

static void negotiates_for_a_head_that_was_parsed_elsewhere(void **state) {
    (void)state;
    static const struct fastws_http_header headers[] = {
        {TEXT("Host"), TEXT("a")},
        {TEXT("Upgrade"), TEXT("websocket")},
        {TEXT("Connection"), TEXT("Upgrade")},
        {TEXT("Sec-WebSocket-Version"), TEXT("13")},
        {TEXT("Sec-WebSocket-Key"), TEXT("dGhlIHNhbXBsZSBub25jZQ==")},
        {TEXT("Sec-WebSocket-Extensions"), TEXT(D)},
    };
    struct fastws_deflate_config deflate;
    struct fastws_upgrade_config config = config_of(&deflate, FASTWS_DEFLATE_NO_TAKEOVER);
    struct fastws_deflate_params agreed;
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), 0);
    assert_int_equal(fastws_upgrade_parsed(upgrade, SLICE("GET"), SLICE("/"), headers, COUNT(headers)), 1);
    assert_int_equal(fastws_upgrade_deflate(upgrade, &agreed), 1);
    assert_int_equal(agreed.server_no_context_takeover, 1);
    assert_int_equal(agreed.client_no_context_takeover, 1);
    fastws_upgrade_free(upgrade);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_the_first_offer_that_it_can_keep),
        cmocka_unit_test(refuses_lines_that_are_no_lists),
        cmocka_unit_test(tells_what_was_agreed_on_until_the_next_request),
        cmocka_unit_test(leaves_the_others_to_the_callback),
        cmocka_unit_test(answers_500_where_the_callback_accepts_by_this_name),
        cmocka_unit_test(refuses_settings_outside_their_range),
        cmocka_unit_test(allocates_nothing_for_the_longest_answer),
        cmocka_unit_test(negotiates_for_a_head_that_was_parsed_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
