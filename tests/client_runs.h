/* SPDX-License-Identifier: MIT */
/* Runs examples/client.c in a process of its own, and keeps what it prints. */
#ifndef TESTS_CLIENT_RUNS_H
#define TESTS_CLIENT_RUNS_H

#define main client_main
#include "examples/client.c"
#undef main

#include "connect_peers.h"

#include <sys/wait.h>

/* Runs the client with arguments, which NULL ends. Returns what it exits with, and what it printed. */
static inline int run_client(char *const *arguments, char *printed, size_t cap) {
    int out[2], count = 0;
    while (arguments[count] != NULL) count++;
    assert_int_equal(pipe(out), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        setenv("no_proxy", "*", 1);
        int result = client_main(count, (char **)(uintptr_t)arguments);
        fflush(NULL);
        _exit(result);
    }
    close(out[1]);
    size_t len = 0;
    for (ssize_t n; (n = read(out[0], printed + len, cap - 1 - len)) > 0;) len += (size_t)n;
    printed[len] = '\0';
    close(out[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Serves what is on io: echoes messages, and closes after "bye". */
static inline void serve_echo(const struct fastws_io *io) {
    struct fastws_conn_config config;
    struct fastws_stream *stream;
    struct fastws_event event;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    if (fastws_stream_accept(io, NULL, &config, 5000, &stream) != 0) {
        io->close(io->ctx);
        return;
    }
    while (fastws_stream_read_data(stream, &event) == 0) {
        int is_bye = event.len == 3 && memcmp(event.ptr, "bye", 3) == 0;
        if (fastws_stream_write_message(stream, event.opcode, event.ptr, (size_t)event.len) != 0 || is_bye) break;
    }
    fastws_stream_close(stream, 1000, NULL, 0);
    fastws_stream_free(stream);
}

#endif
