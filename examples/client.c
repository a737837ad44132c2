/* SPDX-License-Identifier: MIT */
/* A WebSocket client: client [--send TEXT] [--until TEXT] [--ca FILE] [--timeout SECONDS] URL
 *
 * Sends one text message if told, prints each message that comes as "MSG text" until the server closes, or closes by
 * itself after a message equal to --until. On failure it prints "ERROR reason" and exits with 1. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastws/fastws.h>

/* What the command line says. */
struct arguments {
    const char *url;
    const char *send;  /* NULL: nothing */
    const char *until; /* NULL: until the server closes */
    const char *ca;    /* NULL: the authorities of the system */
    unsigned timeout_s;
};

static int complain(const char *reason) {
    printf("ERROR %s\n", reason);
    return 1;
}

/* Receives until the end that was asked for. Returns 0, or the error that came before it. */
static int receive(struct fastws_stream *stream, const char *until) {
    struct fastws_event message;
    int error;
    while ((error = fastws_stream_read_data(stream, &message)) == 0) {
        fputs("MSG ", stdout);
        fwrite(message.ptr, 1, (size_t)message.len, stdout);
        puts("");
        fflush(stdout);
        if (until != NULL && message.len == strlen(until) && memcmp(message.ptr, until, (size_t)message.len) == 0)
            return 0;
    }
    return error == FASTWS_ERR_CLOSED && until == NULL ? 0 : error;
}

/* Does what the command line says over an open connection. Returns what the program exits with. */
static int converse(struct fastws_stream *stream, const struct arguments *arguments) {
    int error = 0;
    if (arguments->send != NULL)
        error = fastws_stream_write_message(stream, FASTWS_OPCODE_TEXT, arguments->send, strlen(arguments->send));
    if (error == 0) error = receive(stream, arguments->until);
    fastws_stream_close(stream, FASTWS_CLOSE_NORMAL_CLOSURE, NULL, 0);
    fastws_stream_free(stream);
    return error == 0 ? 0 : complain(fastws_error_text(error));
}

/* Makes a context that trusts the authorities of a file. Returns 0 or an error. */
static int load_authorities(const char *file, struct fastws_tls **out, struct fastws_tls_failure *failure) {
    struct fastws_tls_config config;
    fastws_tls_config_init(&config, FASTWS_ROLE_CLIENT);
    config.ca_file = file;
    return fastws_tls_new(&config, out, failure);
}

static int run(const struct arguments *arguments) {
    struct fastws_tls *tls = NULL;
    struct fastws_tls_failure failure;
    struct fastws_dial_report report;
    struct fastws_dial_options options;
    struct fastws_stream *stream;
    if (arguments->ca != NULL && load_authorities(arguments->ca, &tls, &failure) < 0)
        return complain(failure.text);
    fastws_dial_options_init(&options);
    options.timeout_ms = arguments->timeout_s * 1000u;
    options.tls = tls;
    options.report = &report;
    int error = fastws_dial(arguments->url, &options, &stream);
    fastws_tls_free(tls);
    return error < 0 ? complain(report.text) : converse(stream, arguments);
}

/* Takes the options. Anything else ends the program. */
static void parse(int argc, char **argv, struct arguments *arguments) {
    static const char usage[] = "usage: client [--send TEXT] [--until TEXT] [--ca FILE] [--timeout SECONDS] URL\n";
    int i = 1;
    for (; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--send") == 0) {
            arguments->send = value;
        } else if (strcmp(argv[i], "--until") == 0) {
            arguments->until = value;
        } else if (strcmp(argv[i], "--ca") == 0) {
            arguments->ca = value;
        } else if (strcmp(argv[i], "--timeout") == 0) {
            arguments->timeout_s = (unsigned)strtoul(value, NULL, 10);
        } else {
            break;
        }
    }
    if (i + 1 == argc && strcmp(argv[i], "--help") == 0) {
        fputs(usage, stdout);
        exit(0);
    }
    if (i + 1 != argc || argv[i][0] == '-') {
        fputs(usage, stderr);
        exit(2);
    }
    arguments->url = argv[i];
}

int main(int argc, char **argv) {
    struct arguments arguments = {.timeout_s = 10};
    parse(argc, argv, &arguments);
    return run(&arguments);
}
