/* SPDX-License-Identifier: MIT */
/* The options of the servers among the examples: where to listen, and what one of them asks for besides. */
#ifndef EXAMPLES_SERVER_OPTIONS_H
#define EXAMPLES_SERVER_OPTIONS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server_option {
    const char *name;   /* such as "--host" */
    const char *word;   /* what the help calls its value */
    const char **value; /* holds the default, then what the command line says */
};

static int is_port(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0' && atoi(text) <= 65535;
}

/* Says how the program is used, and ends it. */
static void end_with_usage(FILE *file, int status, const char *program, const struct server_option *options,
                           int count) {
    fprintf(file, "usage: %s [--help]", program);
    for (int i = 0; i < count; i++) fprintf(file, " [%s %s]", options[i].name, options[i].word);
    fprintf(file, "\n");
    exit(status);
}

/* Takes the value of one option. Returns whether there is such an option, and the value may stand there. */
static int set_option(const struct server_option *options, int count, const char *name, const char *value) {
    for (int i = 0; i < count; i++) {
        if (strcmp(name, options[i].name) != 0) continue;
        if (value == NULL || (strcmp(name, "--port") == 0 && !is_port(value))) return 0;
        *options[i].value = value;
        return 1;
    }
    return 0;
}

/* Takes the command line: names and values in turn. Anything else ends the program. */
static void parse(int argc, char **argv, const char *program, const struct server_option *options, int count) {
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) end_with_usage(stdout, 0, program, options, count);
        const char *value = argv[i + 1]; /* NULL behind the last argument */
        if (!set_option(options, count, argv[i], value)) end_with_usage(stderr, 2, program, options, count);
    }
}

#endif
