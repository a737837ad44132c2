/* SPDX-License-Identifier: MIT */
/* Extensions that a client offers: who is asked, what is accepted, what is written. RFC 6455 9.1. */
#include <fastws/options.h>

#include "upgrade_runs.h"

#define OFFER(list) "Sec-WebSocket-Extensions: " list "\r\n"

/* Accepts what its text names, as it is offered or with other parameters; notes every question. */
struct negotiator {
    struct recorder recorder; /* its log; refuse_at may be "offer TEXT" */
    const char *accept;       /* names, separated by spaces */
    const char *answer;       /* accepted instead of the offer, if it has the same name */
    char answer_copy[2048];   /* where the callback keeps it; wiped with every question */
};

static int is_accepted(const char *names, struct fastws_slice name) {
    for (const char *p = names; *p != '\0';) {
        size_t len = strcspn(p, " ");
        if (len == name.len && memcmp(p, name.ptr, len) == 0) return 1;
        p += len + strspn(p + len, " ");
    }
    return 0;
}

static int negotiate(void *context, const struct fastws_option *offered, struct fastws_option *accepted,
                     struct fastws_reject *reject) {
    struct negotiator *negotiator = context;
    assert_memory_equal(accepted, offered, sizeof *offered);
    if (record(&negotiator->recorder, "offer", fastws_option_text(offered), reject) < 0) return -1;
    memset(negotiator->answer_copy, '?', sizeof negotiator->answer_copy);
    if (!is_accepted(negotiator->accept, offered->name)) return 0;
    if (negotiator->answer == NULL) return 1;
    struct fastws_slice list = {strcpy(negotiator->answer_copy, negotiator->answer), strlen(negotiator->answer)};
    struct fastws_option answer;
    assert_int_equal(fastws_option_next(&answer, &list), 1);
    if (answer.name.len == offered->name.len && memcmp(answer.name.ptr, offered->name.ptr, answer.name.len) == 0)
        *accepted = answer;
    return 1;
}

static struct fastws_upgrade_config config_of(struct negotiator *negotiator, const char *accept) {
    static const struct negotiator empty;
    *negotiator = empty;
    negotiator->accept = accept;
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.context = &negotiator->recorder;
    config.negotiate = negotiate;
    return config;
}

/* The context is the recorder, for the runs; it is the first member of what the callback wants. */
_Static_assert(offsetof(struct negotiator, recorder) == 0, "both have one address");

/* The case of gobwas/ws: four lines, of which two are accepted. */
static void accepts_the_extensions_that_the_callback_takes(void **state) {
    (void)state;
    static struct negotiator negotiator;
    struct fastws_upgrade_config config = config_of(&negotiator, "b d");
    struct run *run =
        run_all_ways(&config, GET REQUIRED OFFER("a;foo=1") OFFER("b;bar=2") OFFER("c") OFFER("d;baz=3") END);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->response, ACCEPTED "Sec-WebSocket-Extensions: b; bar=2, d; baz=3\r\n" END);
    assert_string_equal(run->extensions, "b; bar=2, d; baz=3");
}

/* gobwas/ws calls back twice after an error, and forgets the first one. */
static void asks_once_for_each_extension_in_order(void **state) {
    (void)state;
    static struct negotiator negotiator;
    struct fastws_upgrade_config config = config_of(&negotiator, "b");
    const char *head = GET OFFER("a, b; x=\"1\" ,\tc;y") REQUIRED OFFER("b;z, d") END;
    struct run *run = run_all_ways(&config, head);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->log, "offer a\noffer b; x=\"1\"\noffer c;y\noffer b;z\noffer d\n");
    assert_string_equal(run->extensions, "b; x=1, b; z");
    negotiator.recorder.refuse_at = "offer c;y";
    negotiator.recorder.reject = (struct fastws_reject){.status = 400, .body = SLICE("no c")};
    run = run_all_ways(&config, head);
    assert_refused(run, FASTWS_ERR_HANDSHAKE_REJECTED, 400);
    assert_non_null(strstr(run->response, "\r\n\r\nno c"));
    assert_string_equal(run->log, "offer a\noffer b; x=\"1\"\noffer c;y\n");
}

static void writes_what_the_callback_answers(void **state) {
    (void)state;
    static struct negotiator negotiator;
    struct fastws_upgrade_config config = config_of(&negotiator, "permessage-deflate x");
    negotiator.answer = "permessage-deflate; server_no_context_takeover; client_max_window_bits=\"12\"";
    struct run *run = run_all_ways(&config, GET REQUIRED OFFER("permessage-deflate; client_max_window_bits, x") END);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->extensions,
                        "permessage-deflate; server_no_context_takeover; client_max_window_bits=12, x");
}

static void declines_all_without_a_callback(void **state) {
    (void)state;
    struct run *run = run_all_ways(NULL, GET REQUIRED OFFER("permessage-deflate; client_max_window_bits") END);
    assert_int_equal(run->result, 1);
    assert_string_equal(run->response, ACCEPTED END);
    assert_string_equal(run->extensions, "");
}

static void writes_protocol_and_extensions(void **state) {
    (void)state;
    static const struct fastws_slice protocols[] = {{"chat", 4}};
    static const struct fastws_http_header fixed[] = {{{"Server", 6}, {"x", 1}}};
    static struct negotiator negotiator;
    struct fastws_upgrade_config config = config_of(&negotiator, "a");
    config.protocols = protocols;
    config.protocol_count = 1;
    config.headers = (struct fastws_http_headers){fixed, 1};
    struct run *run = run_all_ways(&config, GET OFFER("a") REQUIRED "Sec-WebSocket-Protocol: chat\r\n" END);
    assert_string_equal(run->response, ACCEPTED "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: a\r\n"
                                                "Server: x\r\n" END);
    assert_string_equal(run->protocol, "chat");
    assert_string_equal(run->extensions, "a");
}

/* Judged whether anybody wants extensions or not; those before the fault were offered. */
static void refuses_malformed_lists(void **state) {
    (void)state;
    static const char *const heads[] = {
        GET REQUIRED OFFER("=[") END,
        GET REQUIRED OFFER("") END,
        GET REQUIRED OFFER(",") END,
        GET REQUIRED OFFER("a b") END,
        GET REQUIRED OFFER("a; b=") END,
        GET REQUIRED OFFER("a; b=\"1") END,
        GET REQUIRED OFFER("a; b=\"\"") END, /* RFC 6455 9.1: what is quoted has to be a token */
        GET REQUIRED OFFER("a; b=\"1 2\"") END,
        GET REQUIRED OFFER("a; b=\"1,2\"") END,
        GET REQUIRED OFFER("a; b=\"1\\\"2\"") END,
        GET REQUIRED OFFER("a; b=\"1\\\\2\"") END,
        GET REQUIRED OFFER("a; b=1, \"c\"") END,
    };
    static struct negotiator negotiator;
    struct fastws_upgrade_config config = config_of(&negotiator, "a");
    for (size_t i = 0; i < COUNT(heads); i++) {
        assert_refused(run_all_ways(NULL, heads[i]), FASTWS_ERR_HANDSHAKE_EXTENSIONS, 400);
        assert_refused(run_all_ways(&config, heads[i]), FASTWS_ERR_HANDSHAKE_EXTENSIONS, 400);
    }
    assert_int_equal(run_all_ways(&config, GET REQUIRED OFFER("a; b=\"\\1\"") END)->result, 1);
}

/* An answer that may not be written is the fault of this end. */
static int answer_with_crlf(void *context, const struct fastws_option *offered, struct fastws_option *accepted,
                            struct fastws_reject *reject) {
    (void)context;
    (void)offered;
    (void)reject;
    accepted->parameters = SLICE("; x\r\nSet-Cookie: a=1");
    return 1;
}

static void answers_500_for_an_answer_that_may_not_be_written(void **state) {
    (void)state;
    struct fastws_upgrade_config config;
    fastws_upgrade_config_init(&config);
    config.negotiate = answer_with_crlf;
    struct run *run = run_all_ways(&config, GET REQUIRED OFFER("a") END);
    assert_refused(run, FASTWS_ERR_HANDSHAKE_HEADER, 500);
    assert_null(strstr(run->response, "Set-Cookie"));
}

/* Around the 128 bytes that an object holds, and far beyond. */
static void keeps_lists_of_every_length(void **state) {
    (void)state;
    static struct negotiator negotiator;
    static char head[4096], answer[1024];
    struct fastws_upgrade_config config = config_of(&negotiator, "a b");
    for (size_t len = 100; len < 900; len += len < 160 ? 1 : 97) {
        snprintf(answer, sizeof answer, "b; x=%0*d", (int)(len - strlen("a, b; x=")), 1);
        negotiator.answer = answer;
        struct run run;
        run_pieces(&config, GET REQUIRED OFFER("a, b") END, strlen(GET REQUIRED OFFER("a, b") END), 50, 50, &run);
        assert_int_equal(run.result, 1);
        assert_int_equal(strlen(run.extensions), len);
        assert_memory_equal(run.extensions, "a, b; x=0", 9);
    }
    negotiator.answer = NULL;
    int at = snprintf(head, sizeof head, GET REQUIRED);
    for (int i = 0; i < 60; i++) at += snprintf(head + at, sizeof head - (size_t)at, OFFER("a;x=%d"), i);
    snprintf(head + at, sizeof head - (size_t)at, END);
    struct run *run = run_ways(&config, head, strlen(head), 101);
    assert_int_equal(run->result, 1);
    assert_int_equal(strncmp(run->extensions, "a; x=0, a; x=1, ", 16), 0);
}

static void fails_cleanly_without_memory_for_a_long_list(void **state) {
    (void)state;
    static struct negotiator negotiator;
    static char answer[256];
    struct fastws_upgrade_config config = config_of(&negotiator, "a");
    snprintf(answer, sizeof answer, "a; x=%0200d", 1);
    negotiator.answer = answer;
    struct counter counter = {.fail_at = 1};
    struct fastws_allocator allocator = counting(&counter);
    void *memory = malloc(fastws_upgrade_sizeof());
    assert_non_null(memory);
    assert_int_equal(fastws_upgrade_init(memory, &config, &allocator), 0);
    const char *head = GET REQUIRED OFFER("a") END;
    size_t used;
    assert_int_equal(fastws_upgrade_feed(memory, head, strlen(head), &used), FASTWS_ERR_NOMEM);
    const void *ptr;
    size_t len;
    assert_int_equal(fastws_upgrade_response(memory, &ptr, &len), 0);
    assert_memory_equal(ptr, "HTTP/1.1 500 ", 13);
    fastws_upgrade_free(memory);
    assert_int_equal(counter.in_use, 0);
    free(memory);
}

/* One piece, one short answer: no allocation. And the next request finds nothing of the one before. */
static void allocates_nothing_for_a_short_list(void **state) {
    (void)state;
    static struct negotiator negotiator;
    struct fastws_upgrade_config config = config_of(&negotiator, "a");
    struct counter counter = {.fail_at = 1};
    struct fastws_allocator allocator = counting(&counter);
    void *memory = malloc(fastws_upgrade_sizeof());
    assert_non_null(memory);
    assert_int_equal(fastws_upgrade_init(memory, &config, &allocator), 0);
    const char *const heads[] = {GET REQUIRED OFFER("a; x=1, b") END, REQUEST, GET REQUIRED OFFER("a") END};
    const char *const extensions[] = {"a; x=1", "", "a"};
    for (size_t i = 0; i < COUNT(heads); i++) {
        size_t used;
        struct fastws_slice list;
        assert_int_equal(fastws_upgrade_feed(memory, heads[i], strlen(heads[i]), &used), 1);
        assert_int_equal(fastws_upgrade_extensions(memory, &list), extensions[i][0] != '\0');
        assert_int_equal(list.len, strlen(extensions[i]));
        assert_memory_equal(list.ptr, extensions[i], list.len);
        fastws_upgrade_reset(memory);
    }
    assert_int_equal(counter.allocations, 0);
    fastws_upgrade_free(memory);
    free(memory);
}

static void negotiates_for_a_head_that_was_parsed_elsewhere(void **state) {
    (void)state;
    static const struct fastws_http_header headers[] = {
        {{"Host", 4}, {"example.com", 11}},
        {{"Upgrade", 7}, {"websocket", 9}},
        {{"Connection", 10}, {"Upgrade", 7}},
        {{"Sec-WebSocket-Version", 21}, {"13", 2}},
        {{"Sec-WebSocket-Key", 17}, {"dGhlIHNhbXBsZSBub25jZQ==", 24}},
        {{"sec-websocket-extensions", 24}, {"a, b;c", 6}},
    };
    static struct negotiator negotiator;
    struct fastws_upgrade_config config = config_of(&negotiator, "b");
    struct fastws_upgrade *upgrade;
    assert_int_equal(fastws_upgrade_new(&config, NULL, &upgrade), 0);
    assert_int_equal(fastws_upgrade_parsed(upgrade, SLICE("GET"), SLICE("/"), headers, COUNT(headers)), 1);
    struct fastws_slice list;
    assert_int_equal(fastws_upgrade_extensions(upgrade, &list), 1);
    assert_int_equal(list.len, 4);
    assert_memory_equal(list.ptr, "b; c", 4);
    fastws_upgrade_free(upgrade);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_the_extensions_that_the_callback_takes),
        cmocka_unit_test(asks_once_for_each_extension_in_order),
        cmocka_unit_test(writes_what_the_callback_answers),
        cmocka_unit_test(declines_all_without_a_callback),
        cmocka_unit_test(writes_protocol_and_extensions),
        cmocka_unit_test(refuses_malformed_lists),
        cmocka_unit_test(answers_500_for_an_answer_that_may_not_be_written),
        cmocka_unit_test(keeps_lists_of_every_length),
        cmocka_unit_test(fails_cleanly_without_memory_for_a_long_list),
        cmocka_unit_test(allocates_nothing_for_a_short_list),
        cmocka_unit_test(negotiates_for_a_head_that_was_parsed_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
