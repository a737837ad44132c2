/* SPDX-License-Identifier: MIT */
/* The options of the servers among the examples: where to listen. */
#ifndef EXAMPLES_SERVER_OPTIONS_H
#define EXAMPLES_SERVER_OPTIONS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_port(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0' && atoi(text) <= 65535;
}

/* Takes the options. Anything else ends the program.
 *   name        of the program
 *   host_word   what the help calls the value of --host */
static void parse(int argc, char **argv, const char *name, const char *host_word, const char **host,
                  const char **port) {
    static const char usage[] = "usage: %s [--help] [--host %s] [--port PORT]\n";
    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1]; /* NULL behind the last argument */
        if (strcmp(argv[i], "--help") == 0) {
            printf(usage, name, host_word);
            exit(0);
        } else if (strcmp(argv[i], "--host") == 0 && value != NULL) {
            *host = value;
        } else if (strcmp(argv[i], "--port") == 0 && value != NULL && is_port(value)) {
            *port = value;
        } else {
            fprintf(stderr, usage, name, host_word);
            exit(2);
        }
    }
}

#endif
