/* SPDX-License-Identifier: MIT */
/* The example client: what it prints and exits with. */
#include "client_runs.h"

static void serve_plain_echo(struct peer *peer, int fd) {
    (void)peer;
    struct fastws_io io;
    fastws_io_from_fd(&io, dup(fd));
    serve_echo(&io);
}

static void expect_run(char *const *arguments, int result, const char *printed) {
    char seen[2048];
    assert_int_equal(run_client(arguments, seen, sizeof seen), result);
    if (strcmp(seen, printed) != 0) fail_msg("%s instead of %s", seen, printed);
}

static void prints_messages(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    char url[64];
    start_peer(&peer, serve_plain_echo, NULL);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)peer.port);
    char *until[] = {"client", "--send", "Grüße", "--until", "Grüße", url, NULL};
    expect_run(until, 0, "MSG Grüße\n");
    char *closed[] = {"client", "--send", "bye", url, NULL};
    expect_run(closed, 0, "MSG bye\n");
    char *early[] = {"client", "--until", "other", "--send", "bye", url, NULL};
    expect_run(early, 1, "MSG bye\nERROR connection is closed or closing\n");
    stop_peer(&peer);
}

static void prints_errors(void **state) {
    (void)state;
    struct peer peer = {.port = 0};
    char url[64];
    start_peer(&peer, serve_text, "HTTP/1.1 403 Forbidden\r\n\r\n");
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)peer.port);
    char *refused[] = {"client", url, NULL};
    expect_run(refused, 1, "ERROR 403 Forbidden\n");
    stop_peer(&peer);
    char *wrong[] = {"client", "http://h/", NULL};
    expect_run(wrong, 1, "ERROR URL scheme is not ws or wss\n");
    char *nobody[] = {"client", url, NULL}; /* nobody listens any more */
    expect_run(nobody, 1, "ERROR Connection refused\n");
}

static void explains_itself(void **state) {
    (void)state;
    static char *const cases[][6] = {{"client", NULL},
                                     {"client", "--send", NULL},
                                     {"client", "--sent", "x", "ws://h", NULL},
                                     {"client", "ws://h", "ws://h", NULL},
                                     {"client", "-x", NULL}};
    char seen[2048];
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(run_client(cases[i], seen, sizeof seen), 2);
        expect_prefix(seen, "usage: client ");
    }
    char *help[] = {"client", "--help", NULL};
    assert_int_equal(run_client(help, seen, sizeof seen), 0);
    expect_prefix(seen, "usage: client ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_messages),
        cmocka_unit_test(prints_errors),
        cmocka_unit_test(explains_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
