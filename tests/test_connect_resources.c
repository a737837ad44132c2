/* SPDX-License-Identifier: MIT */
/* Dialling where the system has nothing to give: no descriptor, no route, no room in the queue of a server; and without
 * a limit of time. */
#include "connect_peers.h"

#include <sys/resource.h>
#include <sys/un.h>

static void says_that_there_is_no_descriptor(void **state) {
    (void)state;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    struct rlimit before, none;
    int lowest = dup(0);
    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    expect_error("ws://127.0.0.1:1/", &options, FASTWS_ERR_DIAL_CONNECT, FASTWS_DIAL_CONNECT);
    int tcp_error = report.system_error;
    expect_error("ws+unix:///tmp/none", &options, FASTWS_ERR_DIAL_CONNECT, FASTWS_DIAL_CONNECT);
    int unix_error = report.system_error;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(tcp_error, EMFILE);
    assert_int_equal(unix_error, EMFILE);
}

/* No TCP goes to a group of hosts: connect() itself refuses, and nothing is waited for. */
static void fails_at_once_where_no_way_leads(void **state) {
    (void)state;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    uint64_t start_ms = now_ms();
    expect_error("ws://224.0.0.1:1/", &options, FASTWS_ERR_DIAL_CONNECT, FASTWS_DIAL_CONNECT);
    assert_true(now_ms() - start_ms < options.timeout_ms / 2);
    assert_int_not_equal(report.system_error, 0);
}

/* Such a connect() does not wait by itself: it says EAGAIN. */
static void waits_for_room_in_the_queue_of_a_path(void **state) {
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/fastws-queue-%d", (int)getpid());
    unlink(address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), queued;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    queued = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(queued, (struct sockaddr *)&address, sizeof address), 0);
    char url[128];
    snprintf(url, sizeof url, "ws+unix://%s:/", address.sun_path);
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    options.timeout_ms = 100;
    uint64_t start_ms = now_ms();
    expect_error(url, &options, FASTWS_ERR_DIAL_TIMEOUT, FASTWS_DIAL_CONNECT);
    assert_true(now_ms() - start_ms >= 100);
    struct peer peer = {.listener = listener};
    start_peer(&peer, serve_101, NULL);
    close(queued); /* the peer serves it first, and sees its end */
    options.timeout_ms = 5000;
    expect_open(url, &options);
    stop_peer(&peer);
    unlink(address.sun_path);
}

static void looks_names_up_without_a_limit_of_time(void **state) {
    (void)state;
    struct fastws_dial_report report;
    struct fastws_dial_options options = make_options(&report);
    struct peer peer = {.port = 0};
    char url[64];
    start_peer(&peer, serve_101, NULL);
    snprintf(url, sizeof url, "ws://localhost:%u/", peer.port);
    options.timeout_ms = 0;
    expect_open(url, &options);
    stop_peer(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_that_there_is_no_descriptor),
        cmocka_unit_test(fails_at_once_where_no_way_leads),
        cmocka_unit_test(waits_for_room_in_the_queue_of_a_path),
        cmocka_unit_test(looks_names_up_without_a_limit_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
