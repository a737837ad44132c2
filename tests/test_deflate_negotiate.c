/* SPDX-License-Identifier: MIT */
/* Negotiation of permessage-deflate: every pair of settings against the rules of RFC 7692 section 7.1. */
#include "deflating.h"

#include <fastws/error.h>

static struct fastws_slice slice(const char *text) {
    return (struct fastws_slice){text, strlen(text)};
}

static unsigned most(unsigned bits) {
    return bits >= FASTWS_DEFLATE_BITS_MIN ? bits : FASTWS_DEFLATE_BITS_MAX;
}

/* ---- All there is ---- */

static const uint8_t all_bits[] = {8, 9, 10, 11, 12, 13, 14, 15};
enum { CONFIGS = 3 * 2 * 8 * 8 * 2, OFFERS = 2 * 2 * 9 * 10 };

static struct fastws_deflate_config config_at(unsigned i) {
    struct fastws_deflate_config config;
    fastws_deflate_config_init(&config, (enum fastws_deflate_mode)(1 + i % 3));
    config.is_peer_takeover = (uint8_t)(i / 3 % 2);
    config.window_bits = all_bits[i / 6 % 8];
    config.peer_window_bits = all_bits[i / 48 % 8];
    config.is_peer_bits_required = (uint8_t)(i / 384 % 2);
    config.is_any_bits_offered = !config.is_peer_bits_required;
    return config;
}

/* Parameters of an offer, or of an answer where client_max_window_bits never lacks its value. */
static struct fastws_deflate_params params_at(unsigned i) {
    static const uint8_t server_bits[] = {0, 8, 9, 10, 11, 12, 13, 14, 15};
    static const uint8_t client_bits[] = {0, 1, 8, 9, 10, 11, 12, 13, 14, 15};
    return (struct fastws_deflate_params){(uint8_t)(i % 2), (uint8_t)(i / 2 % 2), server_bits[i / 4 % 9],
                                          client_bits[i / 36 % 10]};
}

static struct fastws_slice text_of(char *text, const struct fastws_deflate_params *params) {
    int len = fastws_deflate_params_write(text, FASTWS_DEFLATE_PARAMS_MAX, params);
    assert_true(len > 0);
    return (struct fastws_slice){text, (size_t)len};
}

/* ---- Servers ---- */

/* The rules of RFC 7692 7.1 for an answer to an offer. */
static void expect_legal(const struct fastws_deflate_params *answer, const struct fastws_deflate_params *offer) {
    if (offer->server_no_context_takeover) assert_true(answer->server_no_context_takeover);
    if (offer->server_max_window_bits != 0)
        assert_in_range(answer->server_max_window_bits, 8, offer->server_max_window_bits);
    if (offer->client_max_window_bits == 0) assert_int_equal(answer->client_max_window_bits, 0);
    if (offer->client_max_window_bits >= 8 && answer->client_max_window_bits != 0)
        assert_in_range(answer->client_max_window_bits, 8, offer->client_max_window_bits);
    assert_true(answer->client_max_window_bits != FASTWS_DEFLATE_BITS_ANY);
}

/* What the configuration of the server promises. */
static void expect_as_configured(const struct fastws_deflate_params *answer,
                                 const struct fastws_deflate_params *offer,
                                 const struct fastws_deflate_config *config) {
    if (config->mode == FASTWS_DEFLATE_NO_TAKEOVER) assert_true(answer->server_no_context_takeover);
    if (!config->is_peer_takeover) assert_true(answer->client_no_context_takeover);
    assert_true(most(answer->server_max_window_bits) <= config->window_bits);
    if (offer->client_max_window_bits != 0)
        assert_true(most(answer->client_max_window_bits) <= config->peer_window_bits);
    /* Nothing is given up that neither asked for. */
    if (answer->server_no_context_takeover)
        assert_true(offer->server_no_context_takeover || config->mode == FASTWS_DEFLATE_NO_TAKEOVER);
    if (answer->client_no_context_takeover)
        assert_true(offer->client_no_context_takeover || !config->is_peer_takeover);
    unsigned asked = most(offer->server_max_window_bits);
    assert_int_equal(most(answer->server_max_window_bits), asked < config->window_bits ? asked : config->window_bits);
}

static void expect_answer(const struct fastws_deflate_config *config, const struct fastws_deflate_params *offer) {
    char offer_text[FASTWS_DEFLATE_PARAMS_MAX], answer_text[FASTWS_DEFLATE_PARAMS_MAX];
    struct fastws_deflate_params answer = {0}, agreed;
    int result = fastws_deflate_accept(&answer, config, text_of(offer_text, offer));
    int has_to_decline = config->is_peer_bits_required && config->peer_window_bits < 15 &&
                         offer->client_max_window_bits == 0;
    assert_int_equal(result, !has_to_decline);
    if (result == 0) return;
    expect_legal(&answer, offer);
    expect_as_configured(&answer, offer, config);
    assert_int_equal(fastws_deflate_confirm(&agreed, offer, 1, text_of(answer_text, &answer)), 1);
    /* Both ends believe the same. */
    assert_int_equal(agreed.server_no_context_takeover, answer.server_no_context_takeover);
    assert_int_equal(agreed.client_no_context_takeover, answer.client_no_context_takeover);
    assert_int_equal(most(agreed.server_max_window_bits), most(answer.server_max_window_bits));
    assert_int_equal(most(agreed.client_max_window_bits), most(answer.client_max_window_bits));
}

static void answers_every_offer_within_the_rules(void **state) {
    (void)state;
    for (unsigned i = 0; i < CONFIGS; i++) {
        struct fastws_deflate_config config = config_at(i);
        for (unsigned k = 0; k < OFFERS; k++) {
            struct fastws_deflate_params offer = params_at(k);
            expect_answer(&config, &offer);
        }
    }
}

static void expect_accepted(struct fastws_deflate_params *answer, const struct fastws_deflate_config *config,
                            const char *offers) {
    assert_int_equal(fastws_deflate_accept(answer, config, slice(offers)), 1);
}

static void answers_what_gobwas_gets_wrong(void **state) {
    (void)state;
    struct fastws_deflate_params answer;
    struct fastws_deflate_config config;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    config.window_bits = 12;
    config.peer_window_bits = 12;
    /* gobwas/ws answers 12, more than was offered. */
    expect_accepted(&answer, &config, "permessage-deflate; server_max_window_bits=10");
    assert_int_equal(answer.server_max_window_bits, 10);
    config.window_bits = 10; /* It declines this, */
    expect_accepted(&answer, &config, "permessage-deflate; server_max_window_bits=12");
    assert_int_equal(answer.server_max_window_bits, 10);
    config.window_bits = 15; /* this, */
    expect_accepted(&answer, &config, "permessage-deflate; server_max_window_bits=15");
    assert_int_equal(answer.server_max_window_bits, 15);
    /* and what browsers send. */
    expect_accepted(&answer, &config, "permessage-deflate; client_max_window_bits");
    assert_int_equal(answer.client_max_window_bits, 12);
}

static void tries_offers_in_turn(void **state) {
    (void)state;
    struct fastws_deflate_params answer;
    struct fastws_deflate_config config;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAKEOVER);
    const char *const bad[] = {"permessage-deflate; foo",
                               "permessage-deflate; server_max_window_bits=16",
                               "permessage-deflate; server_max_window_bits",
                               "permessage-deflate; server_no_context_takeover=1",
                               "permessage-deflate; client_max_window_bits; client_max_window_bits",
                               "permessage-deflates",
                               "x-webkit-deflate-frame",
                               "permessage-bzip2; server_max_window_bits=9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        assert_int_equal(fastws_deflate_accept(&answer, &config, slice(bad[i])), 0);
        strcat(strcpy(text, bad[i]), " , permessage-deflate;server_max_window_bits=\"9\"");
        assert_int_equal(fastws_deflate_accept(&answer, &config, slice(text)), 1);
        assert_int_equal(answer.server_max_window_bits, 9);
        strcat(text, ",permessage-deflate");
        assert_int_equal(fastws_deflate_accept(&answer, &config, slice(text)), 1);
        assert_int_equal(answer.server_max_window_bits, 9); /* the first that is good */
    }
    config.is_peer_bits_required = 1;
    config.peer_window_bits = 10;
    expect_accepted(&answer, &config, "permessage-deflate, permessage-deflate; client_max_window_bits");
    assert_int_equal(answer.client_max_window_bits, 10);
}

static void refuses_lines_that_are_no_list(void **state) {
    (void)state;
    struct fastws_deflate_params answer;
    struct fastws_deflate_config config;
    fastws_deflate_config_init(&config, FASTWS_DEFLATE_TAIL);
    const char *const bad[] = {"permessage-deflate;=", "permessage-deflate, ;", "permessage-deflate, a b",
                               "permessage-deflate; server_max_window_bits=\"10"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(fastws_deflate_accept(&answer, &config, slice(bad[i])), FASTWS_ERR_HANDSHAKE_EXTENSIONS);
    assert_int_equal(fastws_deflate_accept(&answer, &config, slice("")), 0);
}

/* ---- Clients ---- */

static void offers_what_is_configured(void **state) {
    (void)state;
    for (unsigned i = 0; i < CONFIGS; i++) {
        struct fastws_deflate_config config = config_at(i);
        struct fastws_deflate_params offer;
        char text[FASTWS_DEFLATE_PARAMS_MAX];
        assert_int_equal(fastws_deflate_offer(&offer, &config), 0);
        assert_int_equal(offer.server_no_context_takeover, !config.is_peer_takeover);
        assert_int_equal(offer.client_no_context_takeover, config.mode == FASTWS_DEFLATE_NO_TAKEOVER);
        assert_int_equal(most(offer.server_max_window_bits), config.peer_window_bits);
        assert_int_equal(offer.client_max_window_bits != 0, config.is_any_bits_offered);
        if (config.is_any_bits_offered) assert_int_equal(most(offer.client_max_window_bits), config.window_bits);
        text_of(text, &offer);
    }
}

static void takes_every_legal_answer_and_no_other(void **state) {
    (void)state;
    for (unsigned i = 0; i < OFFERS; i++) {
        struct fastws_deflate_params offer = params_at(i);
        for (unsigned k = 0; k < OFFERS; k++) {
            struct fastws_deflate_params answer = params_at(k), agreed;
            char text[FASTWS_DEFLATE_PARAMS_MAX];
            if (answer.client_max_window_bits == FASTWS_DEFLATE_BITS_ANY) continue;
            int is_legal = (offer.client_max_window_bits != 0 || answer.client_max_window_bits == 0) &&
                           (offer.server_max_window_bits == 0 ||
                            (answer.server_max_window_bits != 0 &&
                             answer.server_max_window_bits <= offer.server_max_window_bits));
            int result = fastws_deflate_confirm(&agreed, &offer, 1, text_of(text, &answer));
            assert_int_equal(result, is_legal ? 1 : FASTWS_ERR_DEFLATE_ANSWER);
            if (!is_legal) continue;
            unsigned own = most(offer.client_max_window_bits), limit = most(answer.client_max_window_bits);
            assert_int_equal(most(agreed.client_max_window_bits), own < limit ? own : limit);
            assert_int_equal(most(agreed.server_max_window_bits), most(answer.server_max_window_bits));
            /* Left out though offered: this end must hold a window then. */
            assert_int_equal(agreed.server_no_context_takeover, answer.server_no_context_takeover);
            assert_int_equal(agreed.client_no_context_takeover,
                             offer.client_no_context_takeover || answer.client_no_context_takeover);
        }
    }
}

static void refuses_bad_answers(void **state) {
    (void)state;
    const struct {
        const char *text;
        int result;
    } answers[] = {
        {"", 0},
        {"x-other; a=b", 0},
        {"permessage-deflate", 1},
        {"x-other, permessage-deflate", 1},
        {"permessage-deflate; foo", FASTWS_ERR_DEFLATE_PARAM},
        {"permessage-deflate; client_max_window_bits", FASTWS_ERR_DEFLATE_VALUE},
        {"permessage-deflate; server_max_window_bits=7", FASTWS_ERR_DEFLATE_VALUE},
        {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", FASTWS_ERR_DEFLATE_REPEATED},
        {"permessage-deflate, permessage-deflate", FASTWS_ERR_DEFLATE_REPEATED},
        {"permessage-deflate;", 1}, /* as fastws_option_next() takes it */
        {"permessage-deflate; =", FASTWS_ERR_HANDSHAKE_EXTENSIONS},
    };
    struct fastws_deflate_params offer = {.client_max_window_bits = FASTWS_DEFLATE_BITS_ANY}, agreed;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        assert_int_equal(fastws_deflate_confirm(&agreed, &offer, 1, slice(answers[i].text)), answers[i].result);
    assert_int_equal(fastws_deflate_confirm(&agreed, &offer, 0, slice(FASTWS_DEFLATE_NAME)),
                     FASTWS_ERR_DEFLATE_ANSWER);
}

static void takes_an_answer_to_any_of_its_offers(void **state) {
    (void)state;
    const struct fastws_deflate_params offers[] = {{.server_max_window_bits = 9}, {.client_max_window_bits = 10}};
    struct fastws_deflate_params agreed;
    assert_int_equal(fastws_deflate_confirm(&agreed, offers, 2, slice("permessage-deflate; server_max_window_bits=9")),
                     1);
    assert_int_equal(agreed.client_max_window_bits, 0);
    assert_int_equal(fastws_deflate_confirm(&agreed, offers, 2, slice("permessage-deflate")), 1);
    assert_int_equal(agreed.client_max_window_bits, 10);
}

/* ---- Configurations ---- */

static void refuses_bad_configurations(void **state) {
    (void)state;
    struct fastws_deflate_config good, bad;
    struct fastws_deflate_params params;
    fastws_deflate_config_init(&good, FASTWS_DEFLATE_TAIL);
#define EXPECT_BAD(field, value)                                                                                       \
    bad = good;                                                                                                        \
    bad.field = value;                                                                                                 \
    assert_int_equal(fastws_deflate_offer(&params, &bad), FASTWS_ERR_ARGUMENT);                                        \
    assert_int_equal(fastws_deflate_accept(&params, &bad, slice(FASTWS_DEFLATE_NAME)), FASTWS_ERR_ARGUMENT)
    EXPECT_BAD(size, sizeof good - 1);
    EXPECT_BAD(mode, 0);
    EXPECT_BAD(mode, 4);
    EXPECT_BAD(is_peer_takeover, 2);
    EXPECT_BAD(window_bits, 7);
    EXPECT_BAD(window_bits, 16);
    EXPECT_BAD(peer_window_bits, 0);
    EXPECT_BAD(is_peer_bits_required, 2);
    EXPECT_BAD(is_any_bits_offered, 2);
    EXPECT_BAD(level, 10);
    EXPECT_BAD(memory_level, 0);
    EXPECT_BAD(memory_level, 10);
    EXPECT_BAD(strategy, 5);
    EXPECT_BAD(is_binary_skipped, 2);
    EXPECT_BAD(tail_len, 255);
    EXPECT_BAD(tail_len, 32769);
#undef EXPECT_BAD
    assert_int_equal(fastws_deflate_offer(&params, &good), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_every_offer_within_the_rules),
        cmocka_unit_test(answers_what_gobwas_gets_wrong),
        cmocka_unit_test(tries_offers_in_turn),
        cmocka_unit_test(refuses_lines_that_are_no_list),
        cmocka_unit_test(offers_what_is_configured),
        cmocka_unit_test(takes_every_legal_answer_and_no_other),
        cmocka_unit_test(refuses_bad_answers),
        cmocka_unit_test(takes_an_answer_to_any_of_its_offers),
        cmocka_unit_test(refuses_bad_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
