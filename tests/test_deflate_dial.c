/* SPDX-License-Identifier: MIT */
/* permessage-deflate in the client's handshake: what is offered, and every illegal answer. RFC 7692 5 and 7.1. */
#include "dial_runs.h"

#define LIST(list) "Sec-WebSocket-Extensions: " list "\r\n"
#define D "permessage-deflate"
#define SNT "server_no_context_takeover"
#define CNT "client_no_context_takeover"

static struct recorder recorder;
static struct fastws_deflate_config deflate;

static struct fastws_dial_config config_of(enum fastws_deflate_mode mode) {
    struct fastws_dial_config config = recording_config(&recorder);
    fastws_deflate_config_init(&deflate, mode);
    config.deflate = &deflate;
    return config;
}

/* Expects a request with this list of extensions; NULL: with none. */
static void expect_offered(const struct fastws_dial_config *config, const char *list) {
    struct fastws_dialer *dial = open_dial(config, "ws://example.com/", NULL);
    const void *ptr;
    size_t len;
    char request[1024];
    fastws_dial_request(dial, &ptr, &len);
    assert_true(len < sizeof request);
    memcpy(request, ptr, len);
    request[len] = '\0';
    char *line = strstr(request, "Sec-WebSocket-Extensions: ");
    if (list == NULL) {
        assert_null(line);
    } else {
        assert_non_null(line);
        line += strlen("Sec-WebSocket-Extensions: ");
        line[strcspn(line, "\r")] = '\0';
        assert_string_equal(line, list);
    }
    fastws_dial_free(dial);
}

static void offers_what_the_settings_say(void **state) {
    (void)state;
    struct fastws_dial_config config = config_of(FASTWS_DEFLATE_TAKEOVER);
    expect_offered(&config, D "; client_max_window_bits=12");
    deflate.window_bits = 15;
    expect_offered(&config, D "; client_max_window_bits");
    deflate.is_any_bits_offered = 0;
    expect_offered(&config, D);
    deflate.peer_window_bits = 9;
    config.extensions = SLICE("foo; x=1");
    expect_offered(&config, "foo; x=1, " D "; server_max_window_bits=9");
    config = config_of(FASTWS_DEFLATE_TAIL);
    expect_offered(&config, D "; " SNT "; client_max_window_bits");
    config = config_of(FASTWS_DEFLATE_NO_TAKEOVER);
    expect_offered(&config, D "; " SNT "; " CNT "; client_max_window_bits");
    config.deflate = NULL;
    expect_offered(&config, NULL);
}

static void judges_every_answer(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int result;
    } cases[] = {
        {ANSWER, 1},
        {LINE REQUIRED LIST(D) END, 1},
        {LINE REQUIRED LIST(D "; " SNT "; " CNT "; server_max_window_bits=8; client_max_window_bits=8") END, 1},
        {LINE REQUIRED LIST("foo") LIST(D) END, 1},
        {LINE REQUIRED LIST("bar") END, FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER},
        {LINE REQUIRED LIST("foo, foo") END, FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER},
        {LINE REQUIRED LIST(D "; x") END, FASTWS_ERR_DEFLATE_PARAM},
        {LINE REQUIRED LIST(D "; client_max_window_bits") END, FASTWS_ERR_DEFLATE_VALUE},
        {LINE REQUIRED LIST(D "; server_max_window_bits=16") END, FASTWS_ERR_DEFLATE_VALUE},
        {LINE REQUIRED LIST(D "; " SNT "=1") END, FASTWS_ERR_DEFLATE_VALUE},
        {LINE REQUIRED LIST(D "; " SNT "; " SNT) END, FASTWS_ERR_DEFLATE_REPEATED},
        {LINE REQUIRED LIST(D ", " D) END, FASTWS_ERR_DEFLATE_REPEATED},
        {LINE REQUIRED LIST(D) LIST("foo") LIST(D) END, FASTWS_ERR_DEFLATE_REPEATED},
        {LINE REQUIRED LIST(D " x") END, FASTWS_ERR_HANDSHAKE_EXTENSIONS},
    };
    struct fastws_dial_config config = config_of(FASTWS_DEFLATE_TAKEOVER);
    config.extensions = SLICE("foo");
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct run run;
        run_answer(&run, &config, cases[i].answer, strlen(cases[i].answer), 0);
        assert_int_equal(run.result, cases[i].result);
    }
}

/* Legal parameters, but not in answer to what was offered. RFC 7692 7.1.2. */
static void refuses_what_the_offer_does_not_allow(void **state) {
    (void)state;
    static struct run run;
    static const char unasked[] = LINE REQUIRED LIST(D "; client_max_window_bits=10") END;
    static const char missing[] = LINE REQUIRED LIST(D) END;
    static const char larger[] = LINE REQUIRED LIST(D "; server_max_window_bits=11") END;
    struct fastws_dial_config config = config_of(FASTWS_DEFLATE_TAKEOVER);
    deflate.is_any_bits_offered = 0;
    run_answer(&run, &config, unasked, sizeof unasked - 1, 0);
    assert_int_equal(run.result, FASTWS_ERR_DEFLATE_ANSWER);
    deflate.peer_window_bits = 10;
    run_answer(&run, &config, missing, sizeof missing - 1, 0);
    assert_int_equal(run.result, FASTWS_ERR_DEFLATE_ANSWER);
    run_answer(&run, &config, larger, sizeof larger - 1, 0);
    assert_int_equal(run.result, FASTWS_ERR_DEFLATE_ANSWER);
    config.deflate = NULL;
    run_answer(&run, &config, missing, sizeof missing - 1, 0);
    assert_int_equal(run.result, FASTWS_ERR_HANDSHAKE_EXTENSIONS_ANSWER);
}

static void tells_what_was_agreed_on(void **state) {
    (void)state;
    static const char answer[] = LINE REQUIRED LIST(D "; " SNT "; client_max_window_bits=10") END;
    static const struct fastws_deflate_params expected = {.server_no_context_takeover = 1,
                                                          .client_max_window_bits = 10};
    struct fastws_dial_config config = config_of(FASTWS_DEFLATE_TAIL);
    struct fastws_dialer *dial = open_dial(&config, "ws://example.com/", NULL);
    struct fastws_deflate_params agreed;
    size_t used;
    recorder.len = 0;
    assert_int_equal(fastws_dial_deflate(dial, &agreed), FASTWS_ERR_STATE);
    assert_int_equal(feed(dial, answer, sizeof answer - 1, &used), 1);
    assert_int_equal(fastws_dial_deflate(dial, &agreed), 1);
    assert_memory_equal(&agreed, &expected, sizeof agreed);
    /* The callback hears of it like of the others. */
    assert_int_equal(strncmp(recorder.log, "extension " D "=" D "; " SNT, 50), 0);
    fastws_dial_free(dial);

    dial = open_dial(&config, "ws://example.com/", NULL);
    assert_int_equal(feed(dial, ANSWER, sizeof ANSWER - 1, &used), 1);
    assert_int_equal(fastws_dial_deflate(dial, &agreed), 0);
    fastws_dial_free(dial);
}

/* What an interim answer names is not that of the last one. */
static void begins_anew_behind_an_interim_answer(void **state) {
    (void)state;
    static const char answer[] = "HTTP/1.1 103 Early Hints\r\n" LIST(D) END ANSWER;
    struct fastws_dial_config config = config_of(FASTWS_DEFLATE_TAKEOVER);
    struct fastws_dialer *dial = open_dial(&config, "ws://example.com/", NULL);
    struct fastws_deflate_params agreed;
    size_t used;
    assert_int_equal(feed(dial, answer, sizeof answer - 1, &used), 1);
    assert_int_equal(fastws_dial_deflate(dial, &agreed), 0);
    fastws_dial_free(dial);
}

static void refuses_settings_that_contradict(void **state) {
    (void)state;
    struct fastws_dial_config config = config_of(FASTWS_DEFLATE_TAKEOVER);
    struct fastws_url url;
    struct fastws_dialer *dial;
    assert_int_equal(fastws_url_parse(&url, "ws://a/", 7), 0);
    config.extensions = SLICE("foo, Permessage-Deflate; " SNT);
    assert_int_equal(fastws_dial_new(&config, &url, NULL, &dial), FASTWS_ERR_ARGUMENT);
    config.extensions = SLICE("foo");
    deflate.mode = 9;
    assert_int_equal(fastws_dial_new(&config, &url, NULL, &dial), FASTWS_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_what_the_settings_say),
        cmocka_unit_test(judges_every_answer),
        cmocka_unit_test(refuses_what_the_offer_does_not_allow),
        cmocka_unit_test(tells_what_was_agreed_on),
        cmocka_unit_test(begins_anew_behind_an_interim_answer),
        cmocka_unit_test(refuses_settings_that_contradict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
