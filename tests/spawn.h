/* SPDX-License-Identifier: MIT */
/* Programs whose main() is part of a test, run in a process of their own. */
#ifndef TESTS_SPAWN_H
#define TESTS_SPAWN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Forks a process that does what a program does with these arguments, which NULL ends.
 *   seconds   after which it is ended, should the test die
 *   fd        a descriptor of the program: what it writes there comes out of the pipe */
static inline pid_t spawn_program(int (*program)(int, char **), char **arguments, unsigned seconds, int fd,
                                  FILE **output) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(seconds);
        dup2(fds[1], fd);
        close(fds[0]);
        close(fds[1]);
        int count = 0;
        while (arguments[count] != NULL) count++;
        exit(program(count, arguments));
    }
    close(fds[1]);
    *output = fdopen(fds[0], "r");
    assert_non_null(*output);
    return child;
}

/* Returns the status that the program ended with, -1 for a signal. */
static inline int wait_for(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
